/* SPDX-License-Identifier: MIT
 *
 * kernel/lapic.c: the local APIC (Intel SDM vol. 3 ch. 11), by memory or, when
 * the firmware left x2APIC on, by MSR.
 *
 * Owns: each CPU's local APIC and its timer's registers; every CPU reaches its own
 * at the same address.
 * Context: lapic_eoi hard interrupt; timer any with interrupts off; commands any.
 */
#include <kernel/acpi.h>
#include <kernel/cpu.h>
#include <kernel/intctl.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <stddef.h>

#define APIC_BASE_X2APIC  (1u << 10)
#define APIC_BASE_ENABLE  (1u << 11)
#define APIC_BASE_ADDRESS 0xffffff000ull

#define REG_ID            0x20
#define REG_VERSION       0x30
#define REG_TPR           0x80
#define REG_EOI           0xb0
#define REG_SPURIOUS      0xf0
#define REG_ESR           0x280
#define REG_ICR           0x300
#define REG_ICR_HIGH      0x310
#define REG_LVT_TIMER     0x320
#define REG_LVT_LINT0     0x350
#define REG_LVT_LINT1     0x360
#define REG_LVT_ERROR     0x370
#define REG_TIMER_INITIAL 0x380
#define REG_TIMER_CURRENT 0x390
#define REG_TIMER_DIVIDE  0x3e0

#define LVT_MASKED       (1u << 16)
#define LVT_EXTINT       (7u << 8)
#define LVT_NMI          (4u << 8)
#define LVT_TSC_DEADLINE (2u << 17)
#define ICR_NMI          (4u << 8)
#define ICR_INIT         (5u << 8)
#define ICR_STARTUP      (6u << 8)
#define ICR_PENDING      (1u << 12)
#define ICR_ASSERT       (1u << 14)
#define ICR_WAIT_READS   100000u /* microseconds are due; afterwards it is sent anyway */
#define SPURIOUS_ENABLE  (1u << 8)
#define DIVIDE_BY_16     0x3

static volatile uint8_t *lapic_regs; /* NULL while absent or in x2APIC mode */
static bool present, x2apic;

static uint32_t lapic_read(uint32_t reg)
{
    if (x2apic)
        return (uint32_t)rdmsr(MSR_X2APIC + reg / 16);
    return *(volatile uint32_t *)(lapic_regs + reg);
}

static void lapic_write(uint32_t reg, uint32_t v)
{
    if (x2apic)
        wrmsr(MSR_X2APIC + reg / 16, v);
    else
        *(volatile uint32_t *)(lapic_regs + reg) = v;
}

static bool find_registers(bool symmetric)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    if (base & APIC_BASE_X2APIC) { /* C-IRQ-4 */
        x2apic = true;
        return true;
    }
    if (!(base & APIC_BASE_ENABLE)) {
        if (!symmetric) /* switched off: the 8259 has the CPU's pin to itself */
            return false;
        wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
    }
    if (!(rdmsr(MSR_APIC_BASE) & APIC_BASE_ENABLE))
        return false;
    lapic_regs = mmio_map(base & APIC_BASE_ADDRESS, PAGE_SIZE);
    return lapic_regs != NULL;
}

static void set_up(bool symmetric)
{
    lapic_write(REG_LVT_TIMER, LVT_MASKED | VECTOR_LAPIC_TIMER);
    lapic_write(REG_TIMER_INITIAL, 0);
    lapic_write(REG_TIMER_DIVIDE, DIVIDE_BY_16);
    lapic_write(REG_LVT_LINT0, symmetric ? LVT_MASKED : LVT_EXTINT);
    lapic_write(REG_LVT_LINT1, LVT_NMI);
    lapic_write(REG_LVT_ERROR, VECTOR_LAPIC_ERROR);
    lapic_write(REG_TPR, 0);
    lapic_write(REG_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
    lapic_write(REG_ESR, 0);
    /* What an earlier owner of this CPU left in service must not block us. */
    for (unsigned i = 0; i < 8; i++)
        lapic_write(REG_EOI, 0);
}

bool lapic_init(bool symmetric)
{
    if (!cpu.apic || !find_registers(symmetric))
        return false;
    if ((lapic_read(REG_VERSION) & 0xff) == 0xff || lapic_read(REG_VERSION) == 0) {
        klog(LOG_WARN, "lapic: no registers behind its address");
        return false;
    }
    present = true;
    set_up(symmetric);
    return true;
}

/* The mode is the first CPU's; the registers lie at the same address everywhere. */
bool lapic_init_other(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    if (!(base & APIC_BASE_ENABLE) || x2apic != ((base & APIC_BASE_X2APIC) != 0))
        wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE | (x2apic ? APIC_BASE_X2APIC : 0));
    base = rdmsr(MSR_APIC_BASE);
    if (!(base & APIC_BASE_ENABLE) || x2apic != ((base & APIC_BASE_X2APIC) != 0))
        return false;
    set_up(true);
    return true;
}

/* --- to other CPUs --- */

/* The command register is two words: no interrupt may come in between. */
static void send(uint32_t apic_id, uint32_t command)
{
    uint64_t flags = irq_save();

    if (x2apic) {
        wrmsr(MSR_X2APIC + REG_ICR / 16, (uint64_t)apic_id << 32 | command);
    } else if (lapic_regs != NULL) {
        for (unsigned i = 0; i < ICR_WAIT_READS && (lapic_read(REG_ICR) & ICR_PENDING); i++)
            cpu_relax();
        lapic_write(REG_ICR_HIGH, apic_id << 24);
        lapic_write(REG_ICR, command);
    }
    irq_restore(flags);
}

bool lapic_reaches(uint32_t apic_id)
{
    return x2apic || apic_id < 0xff;
}

void lapic_ipi(uint32_t apic_id, uint8_t vector)
{
    __asm__ volatile("mfence" ::: "memory"); /* SDM 11.12.3: x2APIC writes do not wait for stores */
    send(apic_id, ICR_ASSERT | vector);
}

void lapic_nmi(uint32_t apic_id)
{
    send(apic_id, ICR_ASSERT | ICR_NMI);
}

void lapic_start_init(uint32_t apic_id)
{
    send(apic_id, ICR_ASSERT | ICR_INIT);
}

void lapic_start_page(uint32_t apic_id, uint8_t page)
{
    send(apic_id, ICR_ASSERT | ICR_STARTUP | page);
}

bool lapic_present(void)
{
    return present;
}

uint32_t lapic_id(void)
{
    uint32_t id = lapic_read(REG_ID);

    return x2apic ? id : id >> 24;
}

void lapic_eoi(void)
{
    if (lapic_regs != NULL)
        *(volatile uint32_t *)(lapic_regs + REG_EOI) = 0;
    else if (x2apic)
        wrmsr(MSR_X2APIC + REG_EOI / 16, 0);
}

void lapic_timer_one_shot(uint32_t count)
{
    lapic_write(REG_LVT_TIMER, count == 0 ? LVT_MASKED | VECTOR_LAPIC_TIMER : VECTOR_LAPIC_TIMER);
    lapic_write(REG_TIMER_INITIAL, count);
}

uint32_t lapic_timer_count(void)
{
    return lapic_read(REG_TIMER_CURRENT);
}

void lapic_timer_deadline_mode(void)
{
    lapic_write(REG_LVT_TIMER, LVT_TSC_DEADLINE | VECTOR_LAPIC_TIMER);
    /* SDM 11.5.4.1: the mode must be set before the first deadline is. */
    __asm__ volatile("mfence" ::: "memory");
}
