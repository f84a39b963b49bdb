/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_e1000.c: the driver against a model of the card: rings going
 * round, descriptors that lie, resets that hang, a transmitter that stands still.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "driver_fakes.h"
#include <drivers/mmio.h>

static uint32_t card_read(unsigned reg);
static void card_write(unsigned reg, uint32_t v);
static uint8_t bar[0x20000];
#define mmio_read32(p) card_read((unsigned)((const volatile uint8_t *)(p) - bar))
#define mmio_write32(p, v) card_write((unsigned)((volatile uint8_t *)(p) - bar), v)
#define r32 chip_r32 /* both files have their own */
#define w32 chip_w32
#include "../../drivers/e1000_chip.c"
#undef r32
#undef w32
#include "../../drivers/e1000.c"

static struct {
    uint32_t reg[0x20000 / 4];
    bool is_82574, reset_hangs, tx_hangs, link_down, gone, no_address, no_eeprom;
    uint32_t icr, ims;
    unsigned sent, resets;
    uint8_t last_frame[4096];
    size_t last_len, building;
    uint8_t tx_status;
} card;
#define R(r) card.reg[(r) / 4]

static const uint8_t eeprom_mac[6] = {0x52, 0x54, 0, 9, 8, 7};

static void card_send(void)
{
    struct e1000_tx_desc *ring = phys_to_virt(R(REG_TDBAL) | (uint64_t)R(REG_TDBAH) << 32);
    uint32_t count = R(REG_TDLEN) / 16;

    while (!card.tx_hangs && R(REG_TDH) != R(REG_TDT)) {
        struct e1000_tx_desc *d = &ring[R(REG_TDH)];
        uint32_t len = d->command & 0xffff;

        assert_true(len != 0 && card.building + len <= sizeof(card.last_frame));
        assert_true((R(REG_TCTL) & TCTL_EN) && (d->command & TXD_IFCS));
        memcpy(card.last_frame + card.building, phys_to_virt(d->addr), len);
        card.building += len;
        if (d->command & TXD_EOP) {
            assert_true(d->command & TXD_RS);
            d->status = TXD_DD | card.tx_status;
            card.icr |= card.is_82574 && fake.mode == IRQ_MSIX ? INT_TXQ0 : INT_TXDW;
            card.sent++;
            card.last_len = card.building;
            card.building = 0;
        }
        R(REG_TDH) = (R(REG_TDH) + 1) % count;
    }
}

static uint32_t card_read(unsigned reg)
{
    uint32_t v = R(reg);

    if (card.gone)
        return UINT32_MAX;
    if (reg == REG_ICR) {
        v = card.icr;
        card.icr = 0;
    } else if (reg == REG_STATUS) {
        v = card.link_down ? 0 : STATUS_LINK | 2u << 6;
    } else if (reg == REG_EECD) {
        v = EECD_AUTO_READ;
    } else if (reg == REG_MPC) {
        R(reg) = 0;
    }
    return v;
}

static void card_write(unsigned reg, uint32_t v)
{
    assert_true(reg % 4 == 0 && reg < sizeof(bar));
    if (reg == REG_ICR) {
        card.icr &= ~v;
    } else if (reg == REG_IMS) {
        card.ims |= v;
    } else if (reg == REG_IMC) {
        card.ims &= ~v;
    } else if (reg == REG_ICS) {
        card.icr |= v;
    } else if (reg == REG_EERD && !card.no_eeprom) {
        unsigned at = v >> (card.is_82574 ? 2 : 8) & 3;
        R(reg) = (uint32_t)(eeprom_mac[2 * at] | eeprom_mac[2 * at + 1] << 8) << 16 |
                 (card.is_82574 ? 1u << 1 : 1u << 4);
    } else if (reg == REG_MDIC) {
        R(reg) = MDIC_READY | BMCR_AUTO;
    } else if (reg == REG_CTRL && (v & CTRL_RST)) {
        card.resets++;
        memset(card.reg, 0, sizeof(card.reg));
        card.icr = card.ims = 0;
        R(reg) = card.reset_hangs ? v : 0;
        if (!card.no_address) {
            R(REG_RAL) = 0x01005452;
            R(REG_RAH) = 0x0302 | RAH_VALID;
        }
    } else {
        R(reg) = v;
        if (reg == REG_TDT)
            card_send();
    }
}

/* --- the card receives --- */

static bool rx_raw(uint16_t len, uint8_t status, uint8_t errors, uint8_t mark)
{
    struct e1000_rx_desc *ring = phys_to_virt(R(REG_RDBAL) | (uint64_t)R(REG_RDBAH) << 32);
    struct e1000_rx_desc *d = &ring[R(REG_RDH)];

    assert_true(R(REG_RCTL) & RCTL_EN);
    if (R(REG_RDH) == R(REG_RDT)) {
        card.icr |= INT_RXO;
        R(REG_MPC)++;
        return false;
    }
    assert_int_equal(d->status, 0);
    memset(phys_to_virt(d->addr), mark, len < RX_BUF ? len : RX_BUF);
    d->len = len;
    d->errors = errors;
    d->status = status;
    R(REG_RDH) = (R(REG_RDH) + 1) % (R(REG_RDLEN) / 16);
    card.icr |= card.is_82574 && fake.mode == IRQ_MSIX ? INT_RXQ0 : INT_RXT0;
    return true;
}
static bool rx(uint16_t len, uint8_t mark) { return rx_raw(len, RXD_DD | RXD_EOP, 0, mark); }

static int interrupt(void)
{
    if (!(card.icr & card.ims))
        return 0;
    for (unsigned i = fake.mode == IRQ_MSIX ? VEC_COUNT : 1; i-- != 0;)
        assert_true(fake.handler(fake.arg[i]));
    assert_int_equal(card.ims, 0);
    assert_true(fake.poll_wanted);
    return fake_poll();
}

static struct pci_device pci;
void *pci_map_bar(struct pci_device *d, unsigned n)
{
    assert_ptr_equal(d, &pci);
    assert_int_equal(n, 0);
    return bar;
}

static void prepare(uint16_t product, enum irq_mode mode)
{
    memset(&fake, 0, sizeof(fake));
    memset(&card, 0, sizeof(card));
    fake.mode = mode;
    fake.total_memory = 1ull << 30;
    card.is_82574 = product == 0x10d3;
    pci = (struct pci_device){.vendor = 0x8086, .product = product};
    pci.bar[0] = (struct pci_bar){.base = 0xfeb00000, .bytes = sizeof(bar)};
}
static int setup(void **state)
{
    (void)state;
    prepare(0x100e, IRQ_PIC);
    return 0;
}
static void start(void)
{
    assert_int_equal(e1000_attach(&pci), 0);
    fake_poll();
}
static int attach(void **state)
{
    setup(state);
    start();
    return 0;
}
static int attach_msix(void **state)
{
    (void)state;
    prepare(0x10d3, IRQ_MSIX);
    start();
    return 0;
}
static int detach(void **state)
{
    (void)state;
    fake.link->ops->close(fake.link);
    assert_false(fake.bus_master);
    e1000_free(fake.link->priv);
    assert_int_equal(fake.allocations, 0);
    return 0;
}

static void attach_sets_it_up(void **state)
{
    (void)state;
    assert_true(fake.carrier);
    assert_int_equal(fake.link->speed_bps, 1000000000);
    assert_memory_equal(fake.link->mac, "\x52\x54\0\1\2\3", 6);
    assert_int_equal(R(REG_RCTL) & (RCTL_UPE | RCTL_MPE | RCTL_LPE), 0);
    assert_int_equal(R(REG_RCTL) & (RCTL_BAM | RCTL_SECRC), RCTL_BAM | RCTL_SECRC);
    assert_int_equal(card.ims, INT_RXT0 | INT_LSC | INT_RXO);
}

static void groups_pass_by_their_hash(void **state)
{
    static const uint8_t wanted[3][6] = {
        {0x01, 0x00, 0x5e, 0, 0, 1}, {0x33, 0x33, 0, 0, 0, 1}, {0x33, 0x33, 0xff, 0x12, 0x34, 0x56}};

    (void)state;
    memcpy(fake.link->group, wanted, sizeof(wanted));
    fake.link->ngroups = 3;
    for (unsigned round = 0; round < 2; round++) {
        if (round == 0)
            fake.link->ops->filter(fake.link);
        else
            fake.link->ops->reset(fake.link); /* a reset forgets none */
        for (unsigned i = 0; i < MTA_WORDS; i++) {
            /* Bits 47 to 36: 0x010 for the first two, 0x563 for the third. */
            assert_int_equal(R(REG_MTA + 4 * i), i == 0 ? 1u << 16 : i == 43 ? 1u << 3 : 0);
            R(REG_MTA + 4 * i) = 0;
        }
    }
}

static void msix_has_a_vector_for_the_queues_and_one_for_the_rest(void **state)
{
    (void)state;
    assert_int_equal(R(REG_IVAR), 8u | 8u << 8 | 9u << 16);
    assert_int_equal(R(REG_EIAC), INT_RXQ0 | INT_TXQ0);
    assert_int_equal(card.ims, INT_RXQ0 | INT_OTHER | INT_LSC | INT_RXO);
    rx(60, 1);
    assert_int_equal(interrupt(), 1);
    fake.link->ops->reset(fake.link); /* forgets none of it */
    fake_poll();
    assert_int_equal(R(REG_IVAR), 8u | 8u << 8 | 9u << 16);
    rx(60, 1);
    assert_int_equal(interrupt(), 1);
}

static void the_address_may_lie_in_the_eeprom_or_nowhere(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        prepare(i == 0 ? 0x100e : 0x10d3, IRQ_PIC);
        card.no_address = true;
        card.no_eeprom = i == 2;
        start();
        assert_memory_equal(fake.link->mac, i == 2 ? (const uint8_t *)"\xfe\xff\xff\xff\xff\xff" : eeprom_mac, 6);
        detach(state);
    }
}

static void a_reset_that_never_ends_is_given_up(void **state)
{
    uint64_t before = fake.now;

    (void)state;
    card.reset_hangs = true;
    assert_int_equal(e1000_attach(&pci), -ETIMEDOUT);
    assert_in_range(fake.now - before, 0, 200 * NS_PER_MS);
    assert_int_equal(fake.allocations, 0);
    assert_false(fake.bus_master);
}

static void a_link_that_nobody_takes_leaves_nothing_behind(void **state)
{
    (void)state;
    fake.links_full = true;
    assert_int_equal(e1000_attach(&pci), -ENFILE);
    assert_int_equal(fake.detached, 1);
    assert_int_equal(fake.allocations, 0);
    assert_int_equal(R(REG_RCTL) | R(REG_TCTL) | card.ims, 0);
    assert_false(fake.bus_master);
}

static void the_ring_goes_round(void **state)
{
    unsigned sent = 0;

    (void)state;
    for (unsigned len = 60; len <= 1514; len++) {
        assert_true(rx((uint16_t)len, (uint8_t)len));
        sent++;
        if (len % 7 == 0 || len == 1514)
            interrupt();
    }
    assert_int_equal(fake.frames, sent);
    for (unsigned i = 0; i < sent; i++) {
        assert_int_equal(fake.len[i], 60 + i);
        assert_int_equal(fake.first[i], (uint8_t)(60 + i));
    }
    assert_int_equal(card.ims, INT_RXT0 | INT_LSC | INT_RXO);
}

static void a_flood_overflows_and_passes(void **state)
{
    (void)state;
    for (unsigned round = 1; round <= 5; round++) {
        unsigned before = fake.frames;
        for (unsigned i = 0; i < 300; i++)
            assert_int_equal(rx(1000, 9), i < RING - 1);
        interrupt();
        assert_int_equal(fake.frames - before, RING - 1);
        assert_int_equal(fake.link->overruns, round);
        assert_int_equal(fake.link->rx_missed, round * (300 - (RING - 1)));
    }
}

static void descriptors_that_lie_are_counted(void **state)
{
    static const uint8_t bad[] = {0x01, 0x02, 0x04, 0x10, 0x80, 0xff};

    (void)state;
    for (unsigned i = 0; i < sizeof(bad); i++)
        rx_raw(100, RXD_DD | RXD_EOP, bad[i], 1);
    rx(0, 1);
    rx(13, 1);
    assert_int_equal(interrupt(), sizeof(bad) + 2);
    assert_int_equal(fake.link->rx_errors, sizeof(bad) + 2);
    rx(1519, 2);
    rx(2049, 2);
    rx(65535, 2);
    rx_raw(2048, RXD_DD, 0, 3); /* a long one in three pieces */
    rx_raw(2048, RXD_DD, 0, 3);
    rx(60, 3);
    interrupt();
    assert_int_equal(fake.link->oversize, 4);
    assert_int_equal(fake.frames, 0);
    rx_raw(1518, RXD_DD | RXD_EOP, 0x60, 4); /* checksum verdicts are not ours to judge */
    interrupt();
    assert_int_equal(fake.frames, 1);
}

static void random_descriptors(void **state)
{
    struct e1000 *n = fake.link->priv;

    (void)state;
    srand(5);
    for (unsigned round = 0; round < 3000; round++) {
        for (unsigned i = 0; i < 16; i++) {
            struct e1000_rx_desc *d = (void *)(uintptr_t)&n->rx[(unsigned)rand() % RING];
            *d = (struct e1000_rx_desc){(uint64_t)rand() << 32, (uint16_t)rand(), 0, (uint8_t)rand(),
                                        (uint8_t)rand(), 0};
        }
        for (unsigned i = 0; i < 16; i++)
            ((volatile uint32_t *)(uintptr_t)n->tx)[(unsigned)rand() % (RING * 4)] = (uint32_t)rand();
        fake_transmit((unsigned)rand() % 4, (uint32_t)rand() % 1400);
        card.tx_hangs = true; /* it would read nonsense */
        card.icr |= INT_RXT0;
        interrupt();
    }
    card.tx_hangs = false;
    fake.link->ops->reset(fake.link);
    fake_poll();
    unsigned before = fake.frames;
    rx(60, 1);
    interrupt();
    assert_int_equal(fake.frames, before + 1);
}

static void a_budget_is_kept(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200; i++)
        rx(60, 1);
    fake.handler(fake.arg[0]);
    assert_int_equal(fake.link->ops->poll(fake.link, 10), 10);
    assert_int_equal(card.ims, 0); /* stays off until all is read */
    assert_int_equal(fake_poll(), 190);
    assert_int_equal(card.ims, INT_RXT0 | INT_LSC | INT_RXO);
}

static void packets_are_gathered(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(fake_payload); i++)
        fake_payload[i] = (uint8_t)(i * 7);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(fake_transmit(1, i), 1);
    assert_int_equal(card.sent, 1000);
    assert_int_equal(card.last_len, 54 + 999);
    assert_int_equal(card.last_frame[53], 0x77);
    assert_memory_equal(card.last_frame + 54, fake_payload, 999);
    fake_sleep(10 * NS_PER_MS);
    assert_int_equal(fake.done_ok, 1000);
}

static void what_cannot_be_sent_is_refused(void **state)
{
    (void)state;
    assert_int_equal(fake_transmit(1, 1465), 1);
    assert_int_equal(fake.last_status, -EMSGSIZE);
    struct netbuf *nb = fake_packet(0);
    nb->head_len = nb->total_len = 14;
    assert_int_equal(fake.link->ops->transmit(fake.link, nb), 1);
    assert_int_equal(fake.last_status, -EINVAL);
    assert_int_equal(card.sent, 0);
    assert_int_equal(fake.link->tx_errors, 2);
}

static void a_full_ring_asks_for_an_interrupt(void **state)
{
    (void)state;
    card.tx_hangs = true;
    assert_int_equal(fake_transmit(200, 100), 127); /* two descriptors each of 255 */
    fake_poll();
    assert_int_equal(card.ims, INT_RXT0 | INT_LSC | INT_RXO | INT_TXDW);
    card.tx_hangs = false;
    card_send();
    interrupt();
    assert_int_equal(fake.done_ok, 127);
    assert_int_equal(card.ims, INT_RXT0 | INT_LSC | INT_RXO);
    card.tx_status = 2; /* excess collisions */
    assert_int_equal(fake_transmit(1, 100), 1);
    fake_sleep(10 * NS_PER_MS);
    assert_int_equal(fake.last_status, -EIO);
}

static void a_transmitter_that_stands_still_is_reset(void **state)
{
    unsigned before = card.resets;

    (void)state;
    card.tx_hangs = true;
    assert_int_equal(fake_transmit(10, 100), 10);
    fake_sleep(10 * NS_PER_S);
    assert_int_equal(card.resets, before + 1);
    assert_int_equal(fake.link->resets, 1);
    assert_int_equal(fake.done_bad, 10);
    assert_int_equal(fake.last_status, -ENOBUFS);
    card.tx_hangs = false;
    fake_poll();
    assert_int_equal(fake_transmit(10, 100), 10);
    fake_sleep(10 * NS_PER_MS);
    assert_int_equal(fake.done_ok, 10);
    rx(60, 1);
    assert_int_equal(interrupt(), 1);
}

static void the_link_is_watched(void **state)
{
    (void)state;
    card.link_down = true;
    card.icr |= INT_LSC;
    interrupt();
    assert_false(fake.carrier);
    card.link_down = false;
    fake_sleep(NS_PER_S);
    assert_true(fake.carrier);
}

static void anothers_interrupt_is_not_ours(void **state)
{
    (void)state;
    assert_false(fake.handler(fake.arg[0]));
    assert_int_equal(card.ims, INT_RXT0 | INT_LSC | INT_RXO);
}

static void a_card_that_is_pulled_out_is_left_alone(void **state)
{
    (void)state;
    card.tx_hangs = true;
    fake_transmit(3, 100);
    card.gone = true;
    assert_false(fake.handler(fake.arg[0]));
    fake_sleep(20 * NS_PER_S);
    assert_false(fake.bus_master);
    assert_false(fake.carrier);
    assert_int_equal(fake.done_bad, 3);
    assert_int_equal(fake_poll(), 0);
    assert_int_equal(fake_transmit(3, 0), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, attach, detach)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_reset_that_never_ends_is_given_up, setup),
        cmocka_unit_test_setup(a_link_that_nobody_takes_leaves_nothing_behind, setup),
        cmocka_unit_test(the_address_may_lie_in_the_eeprom_or_nowhere),
        cmocka_unit_test_setup_teardown(msix_has_a_vector_for_the_queues_and_one_for_the_rest, attach_msix, detach),
        T(attach_sets_it_up),
        T(the_ring_goes_round),
        T(a_flood_overflows_and_passes),
        T(descriptors_that_lie_are_counted),
        T(random_descriptors),
        T(a_budget_is_kept),
        T(packets_are_gathered),
        T(what_cannot_be_sent_is_refused),
        T(a_full_ring_asks_for_an_interrupt),
        T(a_transmitter_that_stands_still_is_reset),
        T(the_link_is_watched),
        T(anothers_interrupt_is_not_ours),
        T(groups_pass_by_their_hash),
        T(a_card_that_is_pulled_out_is_left_alone),
    };
    return cmocka_run_group_tests_name("e1000", tests, NULL, NULL);
}
