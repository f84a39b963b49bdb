/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_rtl8139_cplus.c: the C+ mode against a model of the card: what
 * it claims and cannot do, lengths that lie, a full ring, more packets than slots.
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

#define BASE 0xc000

static struct {
    uint8_t reg[256];
    bool makes, makes_wrong, checks, checks_nothing, deaf, stopped;
    unsigned rx_at, tx_at, sent, resets;
    uint8_t last[2048];
    size_t last_len;
} card;

static struct pci_device pci;

bool option_is(const char *key, const char *value)
{
    return strcmp(key, "rtl8139") == 0 && strcmp(value, "cplus") == 0;
}

static uint16_t *r16p(unsigned r) { return (uint16_t *)(void *)(card.reg + r); }
static uint32_t *r32p(unsigned r) { return (uint32_t *)(void *)(card.reg + r); }
static uint64_t ring_at(unsigned r) { return *r32p(r) | (uint64_t)*r32p(r + 4) << 32; }
static struct cp_desc *card_rx(void) { return (struct cp_desc *)phys_to_virt(ring_at(RXRING)) + card.rx_at; }
static uint8_t *buffer(const struct cp_desc *d)
{
    return phys_to_virt(d->addr_lo | (uint64_t)d->addr_hi << 32);
}

/* What RFC 1071 says the field must be, computed another way than the driver does. */
static bool sum_is_right(const uint8_t *f, size_t len)
{
    uint8_t proto = f[23];
    uint64_t sum = proto + (len - 34);

    for (size_t i = 26; i < len; i++)
        sum += (uint64_t)f[i] << (i % 2 == 0 ? 8 : 0);
    while (sum > 0xffff)
        sum = sum % 0x10000 + sum / 0x10000;
    return sum == 0xffff;
}

/* The field holds any 16 bits: set the one value that makes the sum right. */
static void make_sum(uint8_t *f, size_t len)
{
    size_t at = f[23] == PROTO_TCP ? 50 : 40;

    for (uint32_t v = 0; v < 0x10000; v++) {
        f[at] = (uint8_t)(v >> 8);
        f[at + 1] = (uint8_t)v;
        if (sum_is_right(f, len) && v != 0)
            return;
    }
}

static void card_receive_as(const uint8_t *f, size_t len, uint32_t length, uint32_t flags)
{
    struct cp_desc *d = card_rx();

    if (!(d->control & CPD_OWN)) {
        *r16p(ISR) |= INT_RXOVW;
        ++*r32p(MPC);
        return;
    }
    if (f[12] == 8 && card.checks) {
        uint8_t proto = f[23];
        flags |= (proto == PROTO_TCP ? 1u : 2u) << 16;
        if (!card.checks_nothing && !sum_is_right(f, len))
            flags |= proto == PROTO_TCP ? CPR_TCP_BAD : CPR_UDP_BAD;
    }
    assert_true(len <= (d->control & CPR_LENGTH));
    memcpy(buffer(d), f, len);
    card.rx_at = (d->control & CPD_END) ? 0 : card.rx_at + 1;
    d->control = length | flags;
    *r16p(ISR) |= INT_ROK;
}

static void card_receive(size_t len, uint8_t mark)
{
    uint8_t f[2048];

    memset(f, mark, sizeof f);
    card_receive_as(f, len, (uint32_t)len + 4, CPD_FIRST | CPD_LAST);
}

static void card_send_all(void)
{
    struct cp_desc *d;

    while (!card.stopped && ((d = (struct cp_desc *)phys_to_virt(ring_at(TXRING)) + card.tx_at)->control & CPD_OWN)) {
        card.last_len = d->control & 0xffff;
        memcpy(card.last, buffer(d), card.last_len);
        if ((d->control & (CPT_TCP_CSUM | CPT_UDP_CSUM)) && card.makes)
            make_sum(card.last, card.last_len);
        if (card.makes_wrong && card.last_len > 40)
            card.last[41] ^= 1;
        card.tx_at = (d->control & CPD_END) ? 0 : card.tx_at + 1;
        d->control &= ~CPD_OWN;
        card.sent++;
        if ((*r32p(TCR) & TCR_LOOPBACK) && !card.deaf)
            card_receive_as(card.last, card.last_len, (uint32_t)card.last_len + 4, CPD_FIRST | CPD_LAST);
    }
}

static uint8_t card_in8(uint16_t port) { return card.reg[port - BASE]; }
static uint16_t card_in16(uint16_t port)
{
    return port - BASE == BMSR ? BMSR_LINK : *r16p(port - BASE);
}
static uint32_t card_in32(uint16_t port) { return *r32p(port - BASE); }
static void card_out8(uint16_t port, uint8_t v)
{
    unsigned r = port - BASE;

    card.reg[r] = v;
    if (r == CR && (v & CR_RST)) {
        card.resets++;
        card.reg[CR] = 0;
        card.rx_at = card.tx_at = 0;
        *r16p(CPCR) = 0;
    }
    if (r == TPPOLL && (v & TPPOLL_NORMAL)) {
        assert_int_equal(*r16p(CPCR) & (CPCR_TX | CPCR_RX), CPCR_TX | CPCR_RX);
        card_send_all();
    }
}
static void card_out16(uint16_t port, uint16_t v)
{
    unsigned r = port - BASE;

    *r16p(r) = r == ISR ? (uint16_t)(*r16p(ISR) & ~v) : v;
}
static void card_out32(uint16_t port, uint32_t v)
{
    unsigned r = port - BASE;

    assert_true((r != RXRING && r != TXRING) || (*r16p(CPCR) & CPCR_RX) || pci.revision < REVISION_CPLUS);
    *r32p(r) = r == MPC ? 0 : v;
}

static int setup(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    memset(&card, 0, sizeof(card));
    fake.mode = IRQ_PIC;
    memcpy(card.reg, "\x52\x54\0\1\2\3", 6);
    pci = (struct pci_device){.vendor = 0x10ec, .product = 0x8139, .revision = REVISION_CPLUS};
    pci.bar[0] = (struct pci_bar){.base = BASE, .bytes = 256, .is_io = true};
    return 0;
}

static struct rtl *attach(void)
{
    assert_int_equal(rtl8139_attach(&pci), 0);
    fake_poll();
    assert_int_equal(fake.pages_dirty + fake.pages_anywhere, 0);
    assert_int_equal(*r32p(TCR) & TCR_LOOPBACK, 0);
    fake.frames = 0;
    card.sent = 0;
    return fake.link->priv;
}

static void detach(struct rtl *n)
{
    fake.link->ops->close(fake.link);
    page_free(virt_to_phys(n->ring), n->face->rx_order);
    page_free(virt_to_phys(n->tx_buf), n->face->tx_order);
    kfree(n);
}

static int interrupt(void)
{
    if ((*r16p(ISR) & *r16p(IMR)) == 0)
        return 0;
    assert_true(fake.handler(fake.arg[0]));
    return fake_poll();
}

static void only_what_was_shown_is_used(void **state)
{
    static const struct {
        bool makes, makes_wrong, checks, checks_nothing, deaf;
        uint32_t features; /* C-RTL-6 */
    } cards[] = {
        {true, false, true, false, false, LINKO_TX_CSUM | LINKO_RX_CSUM},
        {true, false, false, false, false, LINKO_TX_CSUM},
        {false, false, true, false, false, LINKO_RX_CSUM},
        {true, true, false, false, false, 0},
        {true, false, true, true, false, LINKO_TX_CSUM}, /* calls every sum right */
        {true, false, true, false, true, 0},             /* nothing comes back */
        {false, false, false, false, false, 0},
    };

    for (unsigned i = 0; i < sizeof cards / sizeof cards[0]; i++) {
        setup(state);
        card.makes = cards[i].makes, card.makes_wrong = cards[i].makes_wrong;
        card.checks = cards[i].checks, card.checks_nothing = cards[i].checks_nothing, card.deaf = cards[i].deaf;
        struct rtl *n = attach();
        assert_int_equal(fake.link->features, cards[i].features);
        assert_string_equal(fake.link->driver, "rtl8139 C+");
        detach(n);
        assert_int_equal(fake.allocations, 0);
    }
}

static void an_older_chip_is_driven_the_old_way(void **state)
{
    (void)state;
    pci.revision = 0x10;
    assert_int_equal(rtl8139_attach(&pci), 0);
    assert_string_equal(fake.link->driver, "rtl8139");
    detach(fake.link->priv);
}

static void frames_come_in_order_and_without_their_crc(void **state) /* C-RTL-1 */
{
    struct rtl *n = attach();
    unsigned total = 0;

    (void)state;
    for (size_t len = 60; len <= 1514; len++) { /* many times round the ring */
        card_receive(len, (uint8_t)len);
        assert_int_equal(interrupt(), 1);
        assert_int_equal(fake.len[total], len);
        assert_int_equal(fake.first[total], (uint8_t)len);
        total++;
    }
    assert_int_equal(fake.link->rx_errors, 0);
    detach(n);
}

static void a_full_ring_passes(void **state)
{
    struct rtl *n = attach();

    (void)state;
    for (unsigned i = 0; i < RX_COUNT + 10; i++)
        card_receive(100, (uint8_t)i);
    while (interrupt() > 0)
        ;
    assert_int_equal(fake.frames, RX_COUNT);
    assert_int_equal(fake.link->rx_missed, 10);
    card_receive(100, 1);
    interrupt();
    assert_int_equal(fake.frames, RX_COUNT + 1);
    detach(n);
}

static void descriptors_that_lie_are_dropped(void **state)
{
    static const uint32_t lies[] = {
        4, 17, 2049, 0x1fff, /* lengths */
        104 | CPR_ERROR,
    };
    struct rtl *n = attach();
    uint8_t f[100] = {0};

    (void)state;
    for (unsigned i = 0; i < sizeof lies / sizeof lies[0]; i++) { /* C-RTL-5 */
        card_receive_as(f, sizeof f, lies[i] & CPR_LENGTH, CPD_FIRST | CPD_LAST | (lies[i] & CPR_ERROR));
        interrupt();
        assert_int_equal(fake.frames, i);
        assert_int_equal(fake.link->rx_errors, i + 1);
        card_receive(60, 7); /* and it goes on */
        interrupt();
        assert_int_equal(fake.frames, i + 1);
    }
    card_receive_as(f, sizeof f, 104, CPD_FIRST); /* a frame in pieces, which no buffer of ours can be */
    interrupt();
    assert_int_equal(fake.link->rx_errors, sizeof lies / sizeof lies[0] + 1);
    detach(n);
}

static void more_packets_than_slots_wait_their_turn(void **state) /* C-RTL-3 */
{
    struct rtl *n = attach();

    (void)state;
    card.stopped = true;
    assert_int_equal(fake_transmit(50, 100), 50);
    assert_int_equal(n->tx_head - n->tx_tail, TX_COUNT);
    assert_int_equal(n->queued, 50 - TX_COUNT);
    card.stopped = false;
    card_send_all();
    *r16p(ISR) |= INT_TOK;
    fake_poll();
    assert_int_equal(card.sent, 50);
    assert_int_equal(fake.done_ok, 50);
    detach(n);
}

/* A packet whose sum somebody must finish: the card where it can, else we. */
static struct netbuf *partial(uint8_t proto, uint16_t ethertype)
{
    struct netbuf *nb = fake_packet(33);
    uint8_t *h = nb->head, *t = h + 34;
    size_t field = proto == PROTO_TCP ? 16 : 6;
    uint32_t sum;

    memset(h, 0x11, 54);
    h[12] = (uint8_t)(ethertype >> 8);
    h[13] = (uint8_t)ethertype;
    h[14] = 0x45;
    h[23] = proto;
    sum = sum_words(h + 26, 8) + proto + 20 + 33;
    sum = (sum & 0xffff) + (sum >> 16);
    t[field] = (uint8_t)(sum >> 8);
    t[field + 1] = (uint8_t)sum;
    nb->csum = CSUM_PARTIAL;
    nb->csum_start = 34;
    nb->csum_offset = (uint16_t)field;
    return nb;
}

static void sums_are_finished_by_somebody(void **state)
{
    (void)state;
    for (unsigned able = 0; able < 2; able++) {
        setup(state);
        card.makes = able;
        struct rtl *n = attach();
        for (unsigned i = 0; i < 3; i++) {
            uint8_t proto = i == 0 ? PROTO_TCP : PROTO_UDP;
            assert_int_equal(fake.link->ops->transmit(fake.link, partial(proto, i == 2 ? 0x86dd : 0x0800)), 1);
            assert_int_equal(card.last_len, 87);
            assert_true(sum_is_right(card.last, 87));
        }
        assert_int_equal(card.sent, 3);
        detach(n);
    }
}

static void a_reset_brings_the_rings_back(void **state)
{
    struct rtl *n = attach();
    unsigned before = card.resets;

    (void)state;
    card_receive(60, 1);
    assert_int_equal(fake.link->ops->reset(fake.link), 0);
    assert_int_equal(card.resets, before + 1); /* and no second loopback test */
    assert_int_equal(n->rx_at, 0);
    fake_poll();
    card_receive(60, 2);
    interrupt();
    assert_int_equal(fake.frames, 1);
    assert_int_equal(fake.first[0], 2);
    detach(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(only_what_was_shown_is_used, setup),
        cmocka_unit_test_setup(an_older_chip_is_driven_the_old_way, setup),
        cmocka_unit_test_setup(frames_come_in_order_and_without_their_crc, setup),
        cmocka_unit_test_setup(a_full_ring_passes, setup),
        cmocka_unit_test_setup(descriptors_that_lie_are_dropped, setup),
        cmocka_unit_test_setup(more_packets_than_slots_wait_their_turn, setup),
        cmocka_unit_test_setup(sums_are_finished_by_somebody, setup),
        cmocka_unit_test_setup(a_reset_brings_the_rings_back, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
