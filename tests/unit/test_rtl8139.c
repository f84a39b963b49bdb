/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_rtl8139.c: the driver against a model of the card: good
 * frames, overflow, headers that lie, a transmitter that stands still.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "driver_fakes.h"
#include <kernel/cpu.h>

static uint8_t card_in8(uint16_t port);
static uint16_t card_in16(uint16_t port);
static uint32_t card_in32(uint16_t port);
static void card_out8(uint16_t port, uint8_t v);
static void card_out16(uint16_t port, uint16_t v);
static void card_out32(uint16_t port, uint32_t v);
#define inb card_in8
#define inw card_in16
#define inl card_in32
#define outb card_out8
#define outw card_out16
#define outl card_out32
#include "../../drivers/rtl8139.c"
#include "../../drivers/rtl8139_cplus.c"

bool option_is(const char *key, const char *value)
{
    (void)key, (void)value;
    return false; /* the classic mode */
}

#define BASE 0xc000

static struct {
    uint8_t reg[256];
    bool reset_hangs, tx_hangs, link_down;
    uint32_t at;       /* where it writes next */
    uint32_t read_at;  /* where the driver has read to */
    bool empty;
    unsigned sent, resets, rx_starts;
    uint8_t last_frame[2048];
    size_t last_len;
    struct rtl *driver;
} card;

static uint16_t *r16p(unsigned r) { return (uint16_t *)(void *)(card.reg + r); }
static uint32_t *r32p(unsigned r) { return (uint32_t *)(void *)(card.reg + r); }

static uint8_t card_in8(uint16_t port)
{
    unsigned r = port - BASE;

    if (r == CR)
        return (uint8_t)((card.reg[CR] & ~CR_BUFE) | (card.empty ? CR_BUFE : 0));
    if (r == MSR)
        return card.link_down ? MSR_LINK_DOWN : 0;
    return card.reg[r];
}
static uint16_t card_in16(uint16_t port)
{
    unsigned r = port - BASE;

    if (r == CBR)
        return (uint16_t)card.at;
    if (r == BMSR)
        return card.link_down ? 0 : BMSR_LINK;
    return *r16p(r);
}
static uint32_t card_in32(uint16_t port) { return *r32p(port - BASE); }
static void card_out8(uint16_t port, uint8_t v)
{
    unsigned r = port - BASE;

    card.reg[r] = v;
    if (r != CR)
        return;
    if (v & CR_RST) {
        card.resets++;
        for (unsigned i = 0; i < TX_DESCS; i++)
            *r32p(TSD0 + 4 * i) = TSD_OWN;
        if (!card.reset_hangs)
            card.reg[CR] = 0;
    }
    if (!(v & CR_RE)) {
        card.at = card.read_at = 0;
        card.empty = true;
    }
}
static void card_out16(uint16_t port, uint16_t v)
{
    unsigned r = port - BASE;

    if (r == ISR) {
        *r16p(ISR) = (uint16_t)(*r16p(ISR) & ~v);
        return;
    }
    *r16p(r) = v;
    if (r == CAPR) {
        card.read_at = (v + CAPR_LAG) % RX_RING;
        card.empty = card.read_at == card.at;
    }
}
static void card_out32(uint16_t port, uint32_t v)
{
    unsigned r = port - BASE;

    if (r == MPC) {
        *r32p(MPC) = 0;
        return;
    }
    *r32p(r) = v;
    if (r == RBSTART)
        card.rx_starts++;
    if (r >= TSD0 && r < TSAD0 && !(v & TSD_OWN)) {
        unsigned i = (r - TSD0) / 4;
        card.last_len = v & 0x1fff;
        assert_true(card.last_len <= TX_BUF);
        memcpy(card.last_frame, card.driver->tx_buf + i * TX_BUF, card.last_len);
        card.sent++;
        if (!card.tx_hangs)
            *r32p(r) = v | TSD_OWN;
    }
}

/* The card receives: header as given, then `len` - 4 bytes and a CRC. */
static void card_receive_raw(uint16_t status, uint16_t length, size_t bytes, uint8_t mark)
{
    uint8_t *ring = card.driver->ring;
    uint32_t head = status | (uint32_t)length << 16;
    uint32_t used = card.empty ? 0 : (card.at - card.read_at + RX_RING) % RX_RING;

    if (!card.empty && used == 0)
        used = RX_RING;
    if (used + 4 + bytes + 8 >= RX_RING) {
        *r16p(ISR) |= INT_RXOVW;
        ++*r32p(MPC);
        return;
    }
    memcpy(ring + card.at, &head, 4);
    memset(ring + card.at + 4, mark, bytes); /* runs on behind the end: WRAP */
    card.at = (card.at + 4 + (uint32_t)bytes + 3) % RX_RING & ~3u;
    card.empty = false;
    *r16p(ISR) |= INT_ROK;
}
static void card_receive(size_t len, uint8_t mark)
{
    card_receive_raw(RX_ROK, (uint16_t)(len + 4), len + 4, mark);
}
static int interrupt(void)
{
    if ((*r16p(ISR) & *r16p(IMR)) == 0)
        return 0;
    assert_true(fake.handler(fake.arg[0]));
    assert_int_equal(*r16p(IMR), 0);
    assert_true(fake.poll_wanted);
    return fake_poll();
}

static struct pci_device pci;
static int setup(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    memset(&card, 0, sizeof(card));
    fake.mode = IRQ_PIC;
    card.empty = true;
    pci = (struct pci_device){.vendor = 0x10ec, .product = 0x8139};
    pci.bar[0] = (struct pci_bar){.base = BASE, .bytes = 256, .is_io = true};
    return 0;
}
static int attach(void **state)
{
    setup(state);
    memcpy(card.reg, "\x52\x54\0\1\2\3", 6);
    assert_int_equal(rtl8139_attach(&pci), 0);
    card.driver = fake.link->priv;
    fake_poll();
    assert_int_equal(*r16p(IMR), INT_ALWAYS);
    return 0;
}
static int detach(void **state)
{
    struct rtl *n = card.driver;

    (void)state;
    fake.link->ops->close(fake.link);
    page_free(virt_to_phys(n->ring), RX_ORDER);
    page_free(virt_to_phys(n->tx_buf), TX_ORDER);
    kfree(n);
    return 0;
}

static void attach_sets_it_up(void **state) /* C-DMA-7, C-RTL-4 */
{
    (void)state;
    assert_true(fake.carrier);
    assert_memory_equal(fake.link->mac, "\x52\x54\0\1\2\3", 6);
    assert_int_equal(*r32p(RCR) & 0x3f, RCR_APM | RCR_AM | RCR_AB); /* not promiscuous */
    assert_int_equal(*r32p(MAR0) | *r32p(MAR0 + 4), 0);            /* no groups yet */
    assert_int_equal(*r32p(RCR) & RCR_WRAP, RCR_WRAP);
    assert_int_equal(card.reg[CR] & (CR_RE | CR_TE), CR_RE | CR_TE);
    assert_int_equal(*r32p(TIMERINT), 0);
    assert_int_equal(fake.pages_dirty + fake.pages_anywhere, 0);
}

static void a_reset_that_never_ends_is_given_up(void **state) /* C-BOUND-2 */
{
    (void)state;
    card.reset_hangs = true;
    uint64_t before = fake.now;
    assert_int_equal(rtl8139_attach(&pci), -ETIMEDOUT);
    assert_in_range(fake.now - before, 0, 200 * NS_PER_MS);
    assert_int_equal(fake.allocations, 0);
}

static void a_link_that_nobody_takes_leaves_nothing_behind(void **state)
{
    (void)state;
    fake.links_full = true;
    assert_int_equal(rtl8139_attach(&pci), -ENFILE);
    assert_int_equal(fake.detached, 1);
    assert_int_equal(fake.allocations, 0);
    assert_false(fake.bus_master);
}

static void frames_come_without_their_crc(void **state) /* C-RTL-1 */
{
    (void)state;
    card_receive(60, 1);
    card_receive(1514, 2);
    card_receive(61, 3);
    assert_int_equal(interrupt(), 3);
    assert_int_equal(fake.frames, 3);
    assert_int_equal(fake.len[0], 60);
    assert_int_equal(fake.len[1], 1514);
    assert_int_equal(fake.len[2], 61);
    assert_int_equal(fake.first[1], 2);
    assert_true(card.empty);
    assert_int_equal(*r16p(IMR), INT_ALWAYS);
}

/* Every length, many times round the ring: nothing is lost at its seam. */
static void the_ring_goes_round(void **state)
{
    unsigned sent = 0;

    (void)state;
    for (unsigned lap = 0; lap < 3; lap++) {
        for (size_t len = 60; len <= 1514; len++) {
            card_receive(len, (uint8_t)len);
            sent++;
            interrupt();
            assert_int_equal(fake.frames, sent);
            if (sent <= FAKE_FRAMES) {
                assert_int_equal(fake.len[sent - 1], len);
                assert_int_equal(fake.first[sent - 1], (uint8_t)len);
            }
        }
    }
    assert_int_equal(fake.link->rx_errors + fake.link->resets, 0);
}

static void a_flood_overflows_and_passes(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        unsigned before = fake.frames;
        for (unsigned i = 0; i < 100; i++)
            card_receive(1000, 9);
        interrupt();
        assert_true(fake.frames - before >= 30);
        before = fake.frames;
        card_receive(60, 7);
        interrupt();
        assert_int_equal(fake.frames, before + 1);
    }
    assert_true(fake.link->overruns >= 50);
    assert_true(fake.link->rx_missed > 0);
    assert_int_equal(fake.link->rx_errors, 0);
}

static void a_stuck_fifo_is_restarted(void **state)
{
    unsigned starts = card.rx_starts;

    (void)state;
    card_receive(100, 1);
    *r16p(ISR) |= INT_FOVW;
    assert_int_equal(interrupt(), 1);
    assert_int_equal(card.rx_starts, starts + 1);
    card_receive(100, 2);
    assert_int_equal(interrupt(), 1);
}

static void lying(uint16_t status, uint16_t length)
{
    uint64_t errors = fake.link->rx_errors, resets = fake.link->resets;
    unsigned before = fake.frames;

    card_receive(100, 1);
    card_receive_raw(status, length, 200, 5);
    card_receive(100, 1);
    interrupt();
    assert_int_equal(fake.frames, before + 1); /* the one in front of it */
    assert_int_equal(fake.link->rx_errors, errors + 1);
    assert_int_equal(fake.link->resets, resets + 1);
    card_receive(100, 2);
    assert_int_equal(interrupt(), 1);
    assert_int_equal(fake.frames, before + 2);
}

static void bad_headers_restart_the_receiver(void **state) /* C-RTL-2 */
{
    (void)state;
    lying(RX_ROK, 0);
    lying(RX_ROK, 3);
    lying(RX_ROK, 17);
    lying(RX_ROK, 0x8000);
    lying(RX_ROK, 0xffff);
    lying(RX_ROK, 0xfff1);
    lying(RX_ROK, 2000); /* more than has been written */
    lying(0, 104);
    lying(RX_ROK | 2, 104); /* CRC error */
    lying(RX_ROK | 0x20, 104);
}

static void an_oversize_frame_is_the_cores_to_refuse(void **state)
{
    (void)state;
    card_receive(60, 1);
    card_receive(9000, 2);
    card_receive(60, 3);
    assert_int_equal(interrupt(), 3);
    assert_int_equal(fake.len[1], 9000);
    for (unsigned i = 0; i < 20; i++) { /* also across the seam */
        card_receive(20000, 2);
        assert_int_equal(interrupt(), 1);
    }
}

static void an_unfinished_frame_waits(void **state)
{
    uint32_t *head = (uint32_t *)(void *)card.driver->ring;

    (void)state;
    card_receive(100, 1);
    *head = RX_UNFINISHED << 16;
    assert_int_equal(interrupt(), 0);
    *head = RX_ROK | 104u << 16;
    *r16p(ISR) |= INT_ROK;
    assert_int_equal(interrupt(), 1);
    assert_int_equal(fake.link->resets, 0);
}

static void a_budget_is_kept(void **state) /* C-BOUND-1 */
{
    (void)state;
    for (unsigned i = 0; i < 200; i++)
        card_receive(60, 1);
    fake.handler(fake.arg[0]);
    assert_int_equal(fake.link->ops->poll(fake.link, 10), 10);
    assert_int_equal(*r16p(IMR), 0); /* stays off until all is read */
    assert_int_equal(fake_poll(), 190);
    assert_int_equal(*r16p(IMR), INT_ALWAYS);
}

static void short_packets_are_padded_with_zeros(void **state)
{
    (void)state;
    fake.link->priv = card.driver;
    memset(card.driver->tx_buf, 0xaa, TX_BUF * TX_DESCS);
    assert_int_equal(fake_transmit(1, 0), 1);
    assert_int_equal(card.last_len, 60);
    for (unsigned i = 54; i < 60; i++)
        assert_int_equal(card.last_frame[i], 0);
    assert_int_equal(fake_transmit(1, 1460), 1);
    assert_int_equal(card.last_len, 1514);
    assert_int_equal(fake.done_ok, 2);
}

static void more_packets_than_descriptors_wait_their_turn(void **state) /* C-RTL-3 */
{
    (void)state;
    card.tx_hangs = true;
    assert_int_equal(fake_transmit(10, 100), 10);
    assert_int_equal(card.sent, 4);
    fake_poll();
    assert_int_equal(*r16p(IMR), INT_ALWAYS | INT_TX);
    for (unsigned i = 0; i < 6; i++) { /* the card finishes one at a time */
        *r32p(TSD0 + 4 * (i % 4)) |= TSD_OWN;
        *r16p(ISR) |= INT_TOK;
        interrupt();
        assert_int_equal(card.sent, 5 + i);
    }
    assert_int_equal(fake.done_ok, 10);
    assert_int_equal(*r16p(IMR), INT_ALWAYS);
    assert_int_equal(fake_transmit(300, 0), TX_QUEUE_MAX); /* bounded */
}

static void a_transmitter_that_stands_still_is_reset(void **state) /* C-BOUND-7 */
{
    (void)state;
    card.tx_hangs = true;
    assert_int_equal(fake_transmit(10, 100), 10);
    for (unsigned i = 0; i < 20; i++) {
        fake_sleep(500 * NS_PER_MS);
        if (fake.poll_wanted)
            fake_poll();
    }
    assert_int_equal(fake.link->resets, 1);
    assert_int_equal(fake.done_ok, 4);
    assert_int_equal(fake.done_bad, 6);
    assert_int_equal(fake.last_status, -ENOBUFS);
    card.tx_hangs = false;
    assert_int_equal(fake_transmit(10, 100), 10);
    assert_int_equal(fake.done_ok, 14);
}

static void too_long_is_refused(void **state)
{
    (void)state;
    assert_int_equal(fake_transmit(1, 1800), 1);
    assert_int_equal(fake.last_status, -EMSGSIZE);
    assert_int_equal(card.sent, 0);
}

static void the_link_is_watched(void **state)
{
    (void)state;
    card.link_down = true;
    *r16p(ISR) |= INT_LINK;
    interrupt();
    assert_false(fake.carrier);
    card.link_down = false;
    fake_sleep(NS_PER_S);
    assert_true(fake.carrier);
}

static void a_card_that_is_pulled_out_is_left_alone(void **state) /* C-DMA-6 */
{
    (void)state;
    memset(card.reg, 0xff, sizeof(card.reg));
    assert_false(fake.handler(fake.arg[0]));
    card.reset_hangs = true;
    fake_poll();
    assert_false(fake.bus_master);
    assert_int_equal(fake_poll(), 0);
    assert_int_equal(fake_transmit(3, 0), 0);
}

/* The hashes were computed apart from the driver. */
static void groups_pass_by_their_hash(void **state) /* C-RTL-4 */
{
    static const uint8_t wanted[3][6] = {
        {0x01, 0x00, 0x5e, 0, 0, 1}, {0x33, 0x33, 0, 0, 0, 1}, {0x33, 0x33, 0xff, 0x12, 0x34, 0x56}};

    (void)state;
    memcpy(fake.link->group, wanted, sizeof(wanted));
    fake.link->ngroups = 3;
    for (unsigned i = 0; i < 2; i++) {
        if (i == 0)
            fake.link->ops->filter(fake.link);
        else
            fake.link->ops->reset(fake.link); /* a reset forgets none */
        assert_int_equal(*r32p(MAR0), 1u << 31 | 1u << 2);
        assert_int_equal(*r32p(MAR0 + 4), 1u << (62 - 32));
        *r32p(MAR0) = *r32p(MAR0 + 4) = 0;
    }
    fake.link->ngroups = 0;
    *r32p(MAR0) = 99;
    fake.link->ops->filter(fake.link);
    assert_int_equal(*r32p(MAR0) | *r32p(MAR0 + 4), 0);
}

/* Anything may lie in the ring: it ends, in bounds. */
static void random_rings(void **state) /* C-RTL-2 */
{
    (void)state;
    srand(3);
    for (unsigned round = 0; round < 3000; round++) {
        uint32_t *ring = (uint32_t *)(void *)card.driver->ring;
        for (unsigned i = 0; i < 64; i++)
            ring[(card.at / 4 + (unsigned)rand() % 512) % (RX_RING / 4)] =
                (uint32_t)rand() % 64 << 16 | (uint32_t)rand() % 4;
        card.at = (uint32_t)rand() % RX_RING & ~3u;
        card.empty = false;
        *r16p(ISR) |= INT_ROK;
        interrupt();
        card.at = card.read_at;
        card.empty = true;
    }
    card.driver->link.ops->reset(&card.driver->link);
    unsigned before = fake.frames;
    card_receive(60, 1);
    fake_poll();
    assert_int_equal(fake.frames, before + 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, attach, detach)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_reset_that_never_ends_is_given_up, setup),
        cmocka_unit_test_setup(a_link_that_nobody_takes_leaves_nothing_behind, setup),
        T(attach_sets_it_up),
        T(frames_come_without_their_crc),
        T(the_ring_goes_round),
        T(a_flood_overflows_and_passes),
        T(a_stuck_fifo_is_restarted),
        T(bad_headers_restart_the_receiver),
        T(an_oversize_frame_is_the_cores_to_refuse),
        T(an_unfinished_frame_waits),
        T(a_budget_is_kept),
        T(short_packets_are_padded_with_zeros),
        T(more_packets_than_descriptors_wait_their_turn),
        T(a_transmitter_that_stands_still_is_reset),
        T(too_long_is_refused),
        T(the_link_is_watched),
        T(groups_pass_by_their_hash),
        T(a_card_that_is_pulled_out_is_left_alone),
        T(random_rings),
    };
    return cmocka_run_group_tests_name("rtl8139", tests, NULL, NULL);
}
