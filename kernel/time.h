/* SPDX-License-Identifier: MIT
 *
 * kernel/time.h: reading clocks and being woken by them.
 *
 * Owns: the clock source, the event source, each CPU's timer queue (a heap: O(log
 * n) arm and cancel). Tickless: the event source is programmed for the earliest
 * timer only, and not at all when there is none.
 * Context: reading any; timers thread or poll (kernel lock).
 */
#ifndef KERNEL_TIME_H
#define KERNEL_TIME_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull

void time_init(void);           /* chooses and calibrates; after acpi, irq */
uint64_t now_ns(void);          /* CLOCK_MONOTONIC since kernel entry; any context */
uint64_t realtime_ns(void);     /* since 1970 */
void realtime_set(uint64_t ns);
void delay_us(uint32_t us);     /* busy wait for hardware; any context */
const char *clock_name(void);
const char *event_name(void);
/* The longest that an event came behind its time on a CPU that was not halted:
 * interrupts were off. */
uint64_t event_worst_late_ns(void);
struct info_clock;
bool clock_info_get(unsigned index, struct info_clock *info); /* false past the last clock */
/* Measured also where the TSC is not the clock, and then good for statistics and
 * time slices only. Never 0 after time_init. */
uint64_t tsc_hz(void);

/* fn runs in kernel context (like a poll), never in the hard interrupt. */
struct timer {
    uint64_t when_ns;
    void (*fn)(void *arg);
    void *arg;
    uint32_t slot; /* index in the heap + 1; 0 when not armed */
    uint32_t cpu;  /* whose heap: where it was armed, and where fn runs */
};
void timer_init(struct timer *t, void (*fn)(void *arg), void *arg);
int timer_arm(struct timer *t, uint64_t when_ns); /* re-arms; -ENOMEM if the heap cannot grow */
void timer_cancel(struct timer *t);               /* idempotent */
/* The scheduler's slice end: interrupts at `when_ns` and sets need_resched.
 * 0 clears it. Cheaper than a struct timer. */
void slice_arm(uint64_t when_ns);
void timers_run(void); /* kernel exit path: runs what is due */

struct percpu;
bool timers_init(struct percpu *c); /* a CPU's queue; false when memory is out */
void time_init_other(void); /* on another CPU, interrupts off: its event device */
/* What this CPU's timers and slice are due for; event devices that one CPU alone
 * hears have the others called. Hard interrupt. */
void timers_due(void);
bool time_tsc_is_clock(void);
/* The TSCs of the CPUs differ: another clock takes over. False: there is none. */
bool time_leave_tsc(void);

#endif
