/* SPDX-License-Identifier: MIT
 *
 * kernel/lapic_event.c: the local APIC's timer as an event device, counting
 * down its own clock (one-shot) or waiting for a TSC value (deadline).
 *
 * Owns: VECTOR_LAPIC_TIMER. Context: arm with interrupts off.
 */
#include <kernel/clock.h>
#include <kernel/cpu.h>
#include <kernel/intctl.h>
#include <stddef.h>

static struct irq timer_irq;
static uint64_t count_mult; /* timer counts per nanosecond, << 32 */
static uint64_t tsc_mult;

static int start(bool (*fired)(void *), const char *name)
{
    timer_irq = (struct irq){.handler = fired, .name = name, .mode = IRQ_LOCAL, .vector = VECTOR_LAPIC_TIMER};
    irq_chain_add(&timer_irq);
    irq_list_add(&timer_irq);
    return 0;
}

static int lapic_start(bool (*fired)(void *))
{
    return start(fired, "lapic timer");
}

static void lapic_arm(uint64_t delta_ns)
{
    lapic_timer_one_shot((uint32_t)scale32(delta_ns, count_mult) + 1);
}

static void lapic_stop(void)
{
    lapic_timer_one_shot(0);
    irq_detach(&timer_irq);
}

static int deadline_start(bool (*fired)(void *))
{
    lapic_timer_deadline_mode();
    return start(fired, "lapic deadline");
}

static void deadline_arm(uint64_t delta_ns)
{
    wrmsr(MSR_TSC_DEADLINE, rdtsc() + scale32(delta_ns, tsc_mult) + 1);
}

static void deadline_stop(void)
{
    wrmsr(MSR_TSC_DEADLINE, 0);
    lapic_stop();
}

static void lapic_start_other(void)
{
    lapic_timer_one_shot(0);
}

struct event_source lapic_event = {.name = "lapic",
                                   .start = lapic_start,
                                   .start_other = lapic_start_other,
                                   .arm = lapic_arm,
                                   .stop = lapic_stop,
                                   .min_ns = 1000};
struct event_source deadline_event = {.name = "deadline",
                                      .start = deadline_start,
                                      .start_other = lapic_timer_deadline_mode,
                                      .arm = deadline_arm,
                                      .stop = deadline_stop,
                                      .min_ns = 1000,
                                      .max_ns = 3600ull * 1000000000ull};

void lapic_event_set_rate(uint64_t timer_hz)
{
    count_mult = ticks_per_ns32(timer_hz);
    /* A quarter of the counter's range, so that no rate can overflow it. */
    lapic_event.max_ns = timer_hz == 0 ? 0 : scale32(0x40000000ull, ns_per_tick32(timer_hz));
}

void deadline_event_set_rate(uint64_t tsc_hz)
{
    tsc_mult = ticks_per_ns32(tsc_hz);
}
