/* SPDX-License-Identifier: MIT
 *
 * kernel/hpet.c: the High Precision Event Timer (IA-PC HPET 1.0a): its main
 * counter as a clock, comparator 0 as an event.
 *
 * Owns: the HPET's registers. Only 32 bits of the counter are used, because a
 * 64-bit read may be torn by bridges and emulators; comparator 0 comes by the
 * legacy route, in the place of the PIT's interrupt.
 * Context: read any; the rest boot or interrupts off.
 */
#include <kernel/acpi.h>
#include <kernel/clock.h>
#include <kernel/cpu.h>
#include <kernel/intctl.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <stddef.h>

#define REG_CAPS              0x00
#define REG_PERIOD_FS         0x04
#define REG_CONFIG            0x10
#define REG_COUNTER           0xf0
#define REG_TIMER0_CONFIG     0x100
#define REG_TIMER0_COMPARATOR 0x108

#define CAPS_LEGACY_ROUTE (1u << 15)
#define CONFIG_ENABLE     1u
#define CONFIG_LEGACY     2u
#define TIMER_INTERRUPT   (1u << 2)
#define TIMER_32BIT       (1u << 8)

#define FS_PER_S      1000000000000000ull
#define PERIOD_MAX_FS 100000000u /* the specification's limit */
#define ARM_TRIES     8

static volatile uint8_t *regs;
static struct irq hpet_irq;
static uint64_t ticks_mult;

static uint32_t reg_read(uint32_t reg)
{
    return *(volatile uint32_t *)(regs + reg);
}

static void reg_write(uint32_t reg, uint32_t v)
{
    *(volatile uint32_t *)(regs + reg) = v;
}

static uint64_t read_counter(void)
{
    return reg_read(REG_COUNTER);
}

struct clock_source hpet_clock = {.name = "hpet", .read = read_counter, .mask = 0xffffffffull};

bool hpet_init(void)
{
    uint32_t period, first;

    if (!acpi.present || acpi.hpet_base == 0)
        return false;
    regs = mmio_map(acpi.hpet_base & ~(PAGE_SIZE - 1), PAGE_SIZE);
    if (regs == NULL)
        return false;
    regs += acpi.hpet_base & (PAGE_SIZE - 1);
    period = reg_read(REG_PERIOD_FS);
    if (period == 0 || period > PERIOD_MAX_FS) {
        klog(LOG_WARN, "hpet: impossible period of %u fs", period);
        return false;
    }
    hpet_clock.hz = (FS_PER_S + period / 2) / period;
    ticks_mult = ticks_per_ns32(hpet_clock.hz);
    reg_write(REG_TIMER0_CONFIG, 0);
    reg_write(REG_CONFIG, CONFIG_ENABLE);
    first = reg_read(REG_COUNTER);
    for (unsigned i = 0; i < 1000; i++)
        if (reg_read(REG_COUNTER) != first)
            return true;
    return false;
}

bool hpet_event_usable(void)
{
    return regs != NULL && (reg_read(REG_CAPS) & CAPS_LEGACY_ROUTE);
}

static int event_start(bool (*fired)(void *))
{
    int r = irq_attach_timer_line(&hpet_irq, 0, fired, "hpet");

    if (r == 0)
        reg_write(REG_CONFIG, CONFIG_ENABLE | CONFIG_LEGACY);
    return r;
}

/* The comparator matches on equality: one that the counter has passed while it
 * was being written would fire a whole turn later. */
static void event_arm(uint64_t delta_ns)
{
    uint32_t ticks = (uint32_t)scale32(delta_ns, ticks_mult) + 1;

    reg_write(REG_TIMER0_CONFIG, TIMER_INTERRUPT | TIMER_32BIT);
    for (unsigned i = 0; i < ARM_TRIES; i++) {
        uint32_t when = reg_read(REG_COUNTER) + ticks;

        reg_write(REG_TIMER0_COMPARATOR, when);
        if ((int32_t)(when - reg_read(REG_COUNTER)) > 0)
            return;
        ticks *= 2;
    }
}

static void event_stop(void)
{
    reg_write(REG_TIMER0_CONFIG, 0);
    reg_write(REG_CONFIG, CONFIG_ENABLE);
    irq_detach(&hpet_irq);
}

const struct event_source hpet_event = {.name = "hpet",
                                        .start = event_start,
                                        .arm = event_arm,
                                        .stop = event_stop,
                                        .min_ns = 2000,
                                        .max_ns = 5000000000ull};
