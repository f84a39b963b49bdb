/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_msi.c: MSI and MSI-X capabilities as functions have them, and
 * as they should not: what is enabled, what stays masked, what is refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <kernel/intctl.h>
#include <kernel/pci.h>
#include <kernel/smp.h>
#include <string.h>

#define MSI_AT   0x50u
#define MSIX_AT  0x70u
#define ENTRIES  8u
#define TABLE_AT 0x800u

static uint8_t config[256];
static uint32_t table[4096 / 4];
static struct pci_device dev;
static bool msi_there, msix_there, was_masked_whole, unmasked_early;

static struct percpu first_cpu = {.apic_id = 3};
struct percpu *smp_cpu[CPUS_MAX] = {&first_cpu};
static uint32_t target_id;
uint32_t irq_next_target(void) { return target_id++; } /* the next CPU each time */

uint8_t pci_read8(struct pci_device *d, unsigned reg)
{
    (void)d;
    return config[reg];
}
uint16_t pci_read16(struct pci_device *d, unsigned reg)
{
    (void)d;
    return (uint16_t)(config[reg] | config[reg + 1] << 8);
}
uint32_t pci_read32(struct pci_device *d, unsigned reg)
{
    return pci_read16(d, reg) | (uint32_t)pci_read16(d, reg + 2) << 16;
}
void pci_write16(struct pci_device *d, unsigned reg, uint16_t v)
{
    (void)d;
    if (reg == MSIX_AT + 2) {
        was_masked_whole = was_masked_whole || (v & 0xc000) == 0xc000;
        unmasked_early = unmasked_early || ((v & 0xc000) == 0x8000 && table[TABLE_AT / 4] == 0);
    }
    config[reg] = (uint8_t)v;
    config[reg + 1] = (uint8_t)(v >> 8);
}
void pci_write32(struct pci_device *d, unsigned reg, uint32_t v)
{
    pci_write16(d, reg, (uint16_t)v);
    pci_write16(d, reg + 2, (uint16_t)(v >> 16));
}
unsigned pci_find_cap(struct pci_device *d, uint8_t id, unsigned from)
{
    (void)d, (void)from;
    return id == 0x05 && msi_there ? MSI_AT : id == 0x11 && msix_there ? MSIX_AT : 0;
}
void *pci_map_bar(struct pci_device *d, unsigned bar)
{
    assert_int_equal(bar, 1);
    return d->bar[bar].bytes != 0 ? table : NULL;
}

static int setup(void **state)
{
    (void)state;
    memset(config, 0, sizeof config);
    memset(table, 0, sizeof table);
    msi_there = msix_there = true;
    was_masked_whole = unmasked_early = false;
    target_id = 3;
    dev = (struct pci_device){.vendor = 1};
    dev.bar[1] = (struct pci_bar){.base = 0xfebf0000, .bytes = 4096};
    config[MSIX_AT + 2] = ENTRIES - 1;
    pci_write32(&dev, MSIX_AT + 4, TABLE_AT | 1);
    return 0;
}

static uint32_t *entry(unsigned i)
{
    return &table[TABLE_AT / 4 + i * 4];
}

static void msix_entries(void **state)
{
    static const uint8_t vectors[] = {0x41, 0x42, 0x43};

    (void)state;
    assert_int_equal(msix_table_size(&dev), ENTRIES);
    assert_int_equal(msix_enable(&dev, vectors, 3), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(entry(i)[0], 0xfee03000 + (i << 12)); /* to local APICs 3, 4, 5 */
        assert_int_equal(entry(i)[1], 0);
        assert_int_equal(entry(i)[2], vectors[i]);
        assert_int_equal(entry(i)[3] & 1, 0);
    }
    for (unsigned i = 3; i < ENTRIES; i++)
        assert_int_equal(entry(i)[3] & 1, 1); /* what nobody handles stays masked */
    assert_int_equal(pci_read16(&dev, MSIX_AT + 2) & 0xc000, 0x8000);
    assert_true(was_masked_whole); /* while the table was half written */
    assert_false(unmasked_early);
    assert_int_equal(pci_read16(&dev, 4) & 0x400, 0x400); /* no INTx besides */
}

static void one_vector_is_masked_alone(void **state)
{
    static const uint8_t vectors[] = {0x41, 0x42};

    (void)state;
    assert_int_equal(msix_enable(&dev, vectors, 2), 0);
    msix_mask(&dev, 1); /* C-IRQ-3 */
    assert_int_equal(entry(0)[3] & 1, 0);
    assert_int_equal(entry(1)[3] & 1, 1);
    msix_mask(&dev, ENTRIES); /* there is no such entry */
    assert_int_equal(table[TABLE_AT / 4 + ENTRIES * 4 + 3], 0);
}

static void tables_that_cannot_be_are_refused(void **state)
{
    static const uint32_t places[] = {
        TABLE_AT | 2, TABLE_AT | 6, TABLE_AT | 7, 4096u | 1, (4096u - ENTRIES * 16 + 8) | 1, 0xfffffff8u | 1};
    const uint8_t vector = 0x41;

    (void)state;
    for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++) {
        pci_write32(&dev, MSIX_AT + 4, places[i]);
        assert_int_equal(msix_table_size(&dev), 0);
        assert_true(msix_enable(&dev, &vector, 1) < 0);
        msix_mask(&dev, 0);
    }
    pci_write32(&dev, MSIX_AT + 4, TABLE_AT | 1);
    dev.bar[1].is_io = true;
    assert_int_equal(msix_table_size(&dev), 0);
    dev.bar[1].is_io = false;
    msix_there = false;
    assert_int_equal(msix_table_size(&dev), 0);
    assert_int_equal(table[TABLE_AT / 4], 0);
}

static void msi_by_its_layout(void **state)
{
    (void)state;
    for (unsigned layout = 0; layout < 4; layout++) {
        bool wide = layout & 1, masks = layout & 2;
        unsigned data = MSI_AT + (wide ? 12 : 8), mask = MSI_AT + (wide ? 16 : 12);

        setup(NULL);
        pci_write16(&dev, MSI_AT + 2, (uint16_t)((wide ? 0x80 : 0) | (masks ? 0x100 : 0) | 3 << 1 | 5 << 4 | 1));
        pci_write32(&dev, mask, 0xaaaaaaaa);
        assert_int_equal(msi_enable(&dev, 0x55), 0);
        assert_int_equal(pci_read32(&dev, MSI_AT + 4), 0xfee03000);
        assert_int_equal(pci_read16(&dev, data), 0x55);
        assert_int_equal(pci_read16(&dev, MSI_AT + 2) & 0x71, 1); /* on, with one message */
        assert_int_equal(pci_read32(&dev, mask), masks ? 0 : 0xaaaaaaaa);
        msi_disable(&dev); /* C-IRQ-3 */
        assert_int_equal(pci_read16(&dev, MSI_AT + 2) & 1, 0);
        assert_int_equal(pci_read16(&dev, 4) & 0x400, 0x400);
    }
    target_id = 0x100; /* more than a message can name */
    assert_int_equal(msi_enable(&dev, 0x55), 0);
    assert_int_equal(pci_read32(&dev, MSI_AT + 4), 0xfee03000);
    msi_there = false;
    assert_true(msi_enable(&dev, 0x55) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(msix_entries, setup),
        cmocka_unit_test_setup(one_vector_is_masked_alone, setup),
        cmocka_unit_test_setup(tables_that_cannot_be_are_refused, setup),
        cmocka_unit_test_setup(msi_by_its_layout, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
