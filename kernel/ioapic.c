/* SPDX-License-Identifier: MIT
 *
 * kernel/ioapic.c: I/O APICs (82093AA data sheet): one redirection entry for
 * each global system interrupt (GSI).
 *
 * Owns: the registers of the I/O APICs that the MADT names.
 * Context: routes thread; masks any.
 */
#include <kernel/acpi.h>
#include <kernel/cpu.h>
#include <kernel/intctl.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/smp.h>
#include <stddef.h>

#define REG_SELECT     0x00
#define REG_WINDOW     0x10
#define IOAPIC_VERSION 0x01
#define IOAPIC_ENTRY   0x10

#define ENTRY_ACTIVE_LOW (1u << 13)
#define ENTRY_LEVEL      (1u << 15)
#define ENTRY_MASKED     (1u << 16)

#define PINS_MAX 240u

static struct spinlock lock = SPINLOCK("ioapic", RANK_CHIP);
static struct ioapic {
    volatile uint8_t *regs;
    uint32_t gsi_base, pins;
} ioapics[ACPI_IOAPICS_MAX];
static unsigned nioapics;

static uint32_t reg_read(const struct ioapic *a, uint32_t reg)
{
    *(volatile uint32_t *)(a->regs + REG_SELECT) = reg;
    return *(volatile uint32_t *)(a->regs + REG_WINDOW);
}

static void reg_write(const struct ioapic *a, uint32_t reg, uint32_t v)
{
    *(volatile uint32_t *)(a->regs + REG_SELECT) = reg;
    *(volatile uint32_t *)(a->regs + REG_WINDOW) = v;
}

static const struct ioapic *find(uint32_t gsi)
{
    for (unsigned i = 0; i < nioapics; i++)
        if (gsi >= ioapics[i].gsi_base && gsi - ioapics[i].gsi_base < ioapics[i].pins)
            return &ioapics[i];
    return NULL;
}

bool ioapic_init(void)
{
    for (unsigned i = 0; i < acpi.nioapics; i++) {
        struct ioapic *a = &ioapics[nioapics];
        uint64_t base = acpi.ioapic[i].base;
        uint32_t version;

        a->regs = mmio_map(base & ~(PAGE_SIZE - 1), PAGE_SIZE);
        if (a->regs == NULL)
            continue;
        a->regs += base & (PAGE_SIZE - 1);
        version = reg_read(a, IOAPIC_VERSION);
        if (version == 0xffffffffu || version == 0) {
            klog(LOG_WARN, "ioapic %u: no registers at %lx", acpi.ioapic[i].id, base);
            continue;
        }
        a->gsi_base = acpi.ioapic[i].gsi_base;
        a->pins = (version >> 16 & 0xff) + 1;
        if (a->pins > PINS_MAX)
            a->pins = PINS_MAX;
        for (uint32_t pin = 0; pin < a->pins; pin++)
            reg_write(a, IOAPIC_ENTRY + 2 * pin, ENTRY_MASKED);
        nioapics++;
    }
    return nioapics > 0;
}

bool ioapic_has(uint32_t gsi)
{
    return find(gsi) != NULL;
}

uint32_t ioapic_gsi_end(void)
{
    uint32_t end = 0;

    for (unsigned i = 0; i < nioapics; i++)
        if (ioapics[i].gsi_base + ioapics[i].pins > end)
            end = ioapics[i].gsi_base + ioapics[i].pins;
    return end;
}

/* Fixed delivery to one CPU, by physical APIC id, of which an entry holds eight
 * bits: a CPU beyond them cannot be named here, the first one serves. */
void ioapic_route(uint32_t gsi, uint8_t vector, bool level, bool active_low, uint32_t apic_id)
{
    const struct ioapic *a = find(gsi);
    uint64_t flags = spin_lock_irqsave(&lock);

    if (a != NULL) {
        uint32_t reg = IOAPIC_ENTRY + 2 * (gsi - a->gsi_base);

        reg_write(a, reg, ENTRY_MASKED);
        reg_write(a, reg + 1, (apic_id < 0xff ? apic_id : smp_cpu[0]->apic_id) << 24);
        reg_write(a, reg,
                  ENTRY_MASKED | (level ? ENTRY_LEVEL : 0) | (active_low ? ENTRY_ACTIVE_LOW : 0) | vector);
    }
    spin_unlock_irqrestore(&lock, flags);
}

static void set_mask(uint32_t gsi, bool masked)
{
    const struct ioapic *a = find(gsi);
    uint64_t flags = spin_lock_irqsave(&lock);

    if (a != NULL) {
        uint32_t reg = IOAPIC_ENTRY + 2 * (gsi - a->gsi_base), v = reg_read(a, reg);

        reg_write(a, reg, masked ? v | ENTRY_MASKED : v & ~ENTRY_MASKED);
    }
    spin_unlock_irqrestore(&lock, flags);
}

void ioapic_mask(uint32_t gsi)
{
    set_mask(gsi, true);
}

void ioapic_unmask(uint32_t gsi)
{
    set_mask(gsi, false);
}
