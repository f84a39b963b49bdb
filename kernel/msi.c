/* SPDX-License-Identifier: MIT
 *
 * kernel/msi.c: message-signalled interrupts (PCI 3.0 section 6.8): a device
 * writes a vector to the local APIC instead of pulling a line.
 *
 * Owns: the MSI and MSI-X capabilities of the functions that use them.
 * Context: attach (thread).
 */
#include <kernel/intctl.h>
#include <kernel/pci.h>
#include <kernel/smp.h>
#include <slipway/errno.h>
#include <stddef.h>

#define CAP_MSI          0x05
#define CAP_MSIX         0x11
#define REG_COMMAND      0x04
#define COMMAND_MEMORY   (1u << 1)
#define COMMAND_INTX_OFF (1u << 10)

#define MSI_CONTROL       2
#define MSI_ENABLE        1u
#define MSI_MULTIPLE_MASK (7u << 4)
#define MSI_64BIT         (1u << 7)
#define MSI_MASKING       (1u << 8)

#define MSIX_CONTROL      2
#define MSIX_TABLE        4
#define MSIX_ENABLE       (1u << 15)
#define MSIX_MASK_ALL     (1u << 14)
#define MSIX_SIZE_MASK    0x7ffu
#define MSIX_ENTRY_BYTES  16u
#define MSIX_ENTRY_MASKED 1u

#define MSI_ADDRESS 0xfee00000u /* SDM 11.11.1; fixed, edge: data is the vector */

/* The next CPU in turn; beyond eight bits of APIC id the first one serves. */
static uint32_t message_address(void)
{
    uint32_t apic_id = irq_next_target();

    return MSI_ADDRESS | (apic_id < 0xff ? apic_id : smp_cpu[0]->apic_id) << 12;
}

static void intx_off(struct pci_device *d)
{
    pci_write16(d, REG_COMMAND, pci_read16(d, REG_COMMAND) | COMMAND_INTX_OFF);
}

/* Where the table lies; false when the device's words make no sense. */
static bool table_place(struct pci_device *d, unsigned cap, unsigned entries, unsigned *bar, uint32_t *offset)
{
    uint32_t v = pci_read32(d, cap + MSIX_TABLE);

    *bar = v & 7;
    *offset = v & ~7u;
    return *bar < 6 && !d->bar[*bar].is_io && d->bar[*bar].base != 0 &&
           *offset + (uint64_t)entries * MSIX_ENTRY_BYTES <= d->bar[*bar].bytes;
}

unsigned msix_table_size(struct pci_device *d)
{
    unsigned cap = pci_find_cap(d, CAP_MSIX, 0), entries, bar;
    uint32_t offset;

    if (cap == 0)
        return 0;
    entries = (pci_read16(d, cap + MSIX_CONTROL) & MSIX_SIZE_MASK) + 1u;
    return table_place(d, cap, entries, &bar, &offset) ? entries : 0;
}

static volatile uint32_t *map_table(struct pci_device *d, unsigned cap, unsigned entries)
{
    uint32_t offset;
    unsigned bar;
    uint8_t *base;

    if (!table_place(d, cap, entries, &bar, &offset))
        return NULL;
    base = pci_map_bar(d, bar);
    return base != NULL ? (volatile uint32_t *)(base + offset) : NULL;
}

/* Entries 0 to n - 1 deliver vectors[]; the rest stays masked. */
int msix_enable(struct pci_device *d, const uint8_t *vectors, unsigned n)
{
    unsigned cap = pci_find_cap(d, CAP_MSIX, 0), entries = msix_table_size(d);
    volatile uint32_t *table;
    uint16_t control;

    if (entries < n || entries == 0)
        return -ENODEV;
    table = map_table(d, cap, entries);
    if (table == NULL)
        return -ENOMEM;
    pci_write16(d, REG_COMMAND, pci_read16(d, REG_COMMAND) | COMMAND_MEMORY);
    control = pci_read16(d, cap + MSIX_CONTROL);
    pci_write16(d, cap + MSIX_CONTROL, control | MSIX_ENABLE | MSIX_MASK_ALL);
    for (unsigned i = 0; i < entries; i++) {
        table[i * 4 + 3] = MSIX_ENTRY_MASKED;
        if (i >= n)
            continue;
        table[i * 4] = message_address();
        table[i * 4 + 1] = 0;
        table[i * 4 + 2] = vectors[i];
        table[i * 4 + 3] = 0;
    }
    intx_off(d);
    pci_write16(d, cap + MSIX_CONTROL, (uint16_t)((control | MSIX_ENABLE) & ~MSIX_MASK_ALL));
    return 0;
}

int msi_enable(struct pci_device *d, uint8_t vector)
{
    unsigned cap = pci_find_cap(d, CAP_MSI, 0);
    uint16_t control;

    if (cap == 0)
        return -ENODEV;
    control = pci_read16(d, cap + MSI_CONTROL) & (uint16_t) ~(MSI_ENABLE | MSI_MULTIPLE_MASK);
    pci_write16(d, cap + MSI_CONTROL, control);
    pci_write32(d, cap + 4, message_address());
    if (control & MSI_64BIT) {
        pci_write32(d, cap + 8, 0);
        pci_write16(d, cap + 12, vector);
    } else {
        pci_write16(d, cap + 8, vector);
    }
    if (control & MSI_MASKING)
        pci_write32(d, cap + (control & MSI_64BIT ? 16 : 12), 0);
    intx_off(d);
    pci_write16(d, cap + MSI_CONTROL, control | MSI_ENABLE);
    return 0;
}

void msix_mask(struct pci_device *d, unsigned entry)
{
    unsigned entries = msix_table_size(d);
    volatile uint32_t *table = entry < entries ? map_table(d, pci_find_cap(d, CAP_MSIX, 0), entries) : NULL;

    if (table != NULL)
        table[entry * 4 + 3] |= MSIX_ENTRY_MASKED;
}

void msi_disable(struct pci_device *d)
{
    unsigned cap = pci_find_cap(d, CAP_MSI, 0);

    if (cap != 0)
        pci_write16(d, cap + MSI_CONTROL, pci_read16(d, cap + MSI_CONTROL) & (uint16_t)~MSI_ENABLE);
}
