/* SPDX-License-Identifier: MIT
 *
 * kernel/clock.h: what the clock and event devices offer to kernel/time.c.
 *
 * Owns: nothing. A clock counts up by itself; an event device interrupts once
 * after a delay. One file each: tsc.c, hpet.c, pmtimer.c, pit.c, lapic_event.c.
 */
#ifndef KERNEL_CLOCK_H
#define KERNEL_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct clock_source {
    const char *name;
    uint64_t (*read)(void); /* any context */
    uint64_t mask;          /* the counter wraps here */
    uint64_t hz;
};

struct event_source {
    const char *name;
    /* Take the interrupt: `fired` shall be called in the hard interrupt. 0 or -errno. */
    int (*start)(bool (*fired)(void *));
    void (*arm)(uint64_t delta_ns); /* interrupts off; at most max_ns */
    void (*stop)(void);             /* no further interrupt from it */
    uint64_t min_ns, max_ns;
    /* Every CPU has one of its own: start_other readies it. NULL: one for all, and
     * only CPU 0 is interrupted. */
    void (*start_other)(void);
};

/* Fixed-point factor: value * f.mult >> 32, exact to 128 bits in between. */
static inline uint64_t scale32(uint64_t v, uint64_t mult)
{
    return (uint64_t)((unsigned __int128)v * mult >> 32);
}
/* Factor from ticks at `hz` to nanoseconds, and back. hz >= 1 and < 2^32 * 10^9. */
static inline uint64_t ns_per_tick32(uint64_t hz)
{
    return (1000000000ull << 32) / hz;
}
static inline uint64_t ticks_per_ns32(uint64_t hz) /* hz * 2^32 / 10^9, hz < 2^45 */
{
    return (hz / 1000000000ull << 32) + (hz % 1000000000ull << 32) / 1000000000ull;
}

/* Each finds its device; false when it is not there or does not count. */
bool hpet_init(void);
bool pmtimer_init(void);
bool pit_init(void);
extern const struct clock_source pit_clock, pmtimer_clock;
extern struct clock_source hpet_clock; /* hz from the device */
extern const struct event_source pit_event, hpet_event;
extern struct event_source lapic_event, deadline_event; /* limits from their rates */
void lapic_event_set_rate(uint64_t timer_hz);           /* after division; 0 unknown */
void deadline_event_set_rate(uint64_t tsc_hz);
bool hpet_event_usable(void);

/* Signed distance from a to b on a counter that wraps at mask. */
static inline int64_t wrap_distance(uint64_t a, uint64_t b, uint64_t mask)
{
    uint64_t d = (b - a) & mask;

    return d > mask / 2 ? (int64_t)(d - mask - 1) : (int64_t)d;
}

/* --- tsc.c: calibration and watch against another clock --- */
struct tsc_result {
    uint64_t tsc_hz;   /* 0 only when nothing could be measured */
    bool agreed;       /* two calibrations did: it may serve as a clock */
    uint64_t lapic_hz; /* timer counts a second, 0 when not measured */
};
/* At most 1 ms when all is well. */
struct tsc_result tsc_calibrate(const struct clock_source *ref, bool with_lapic);
/* Better rate over the time since calibration, 0 when it makes no sense. */
uint64_t tsc_refine(uint64_t tsc_hz);
/* False when the TSC has run away from the reference since the last call. */
bool tsc_watch(uint64_t tsc_hz);
uint64_t tsc_cpuid_hz(void); /* leaf 0x15; 0 when not given */

uint64_t rtc_read_seconds(void); /* since 1970; 0 when there is no clock */

#endif
