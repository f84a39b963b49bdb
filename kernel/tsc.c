/* SPDX-License-Identifier: MIT
 *
 * kernel/tsc.c: the rate of the time-stamp counter, and whether to believe it.
 *
 * Owns: the samples that pair a TSC value with a reading of a reference clock.
 * A sample is the best of a few tries: the reference is read between two TSC
 * readings, and the closer these are, the surer the pair.
 * Context: boot, and kernel context with interrupts on.
 */
#include <kernel/clock.h>
#include <kernel/cpu.h>
#include <kernel/intctl.h>
#include <stddef.h>

#define SAMPLE_TRIES   4
#define WINDOW_US      400u    /* two of them, and 200 us for reading */
#define ROUNDS         4       /* 1 unless the host takes the CPU away in between */
#define WAIT_READS_MAX 200000u /* a reference that stands still ends the wait */
#define AGREE_SHARE    200u    /* calibrations agree within 1/200 */
#define DRIFT_SHARE    100u    /* the watch bears 1/100 */
#define DRIFT_STRIKES  2

struct sample {
    uint64_t tsc, ref, width;
    uint64_t lapic_tsc;
    uint32_t lapic;
};

static const struct clock_source *reference;
static struct sample calibrated_at, watched_at;
static unsigned strikes;

/* a * b / c; the quotient must fit in 64 bits. No libgcc here, hence the asm. */
static uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t lo, hi;

    if (c == 0)
        return 0;
    __asm__("mulq %3" : "=a"(lo), "=d"(hi) : "a"(a), "r"(b) : "cc");
    if (hi >= c)
        return UINT64_MAX;
    __asm__("divq %4" : "=a"(lo), "=d"(hi) : "a"(lo), "d"(hi), "r"(c) : "cc");
    return lo;
}

static struct sample take_sample(bool with_lapic)
{
    struct sample best = {.width = UINT64_MAX};

    for (unsigned i = 0; i < SAMPLE_TRIES; i++) {
        uint64_t flags = irq_save(), t0 = rdtsc(), ref = reference->read(), t1 = rdtsc(), t2 = t1;
        uint32_t lapic = 0;

        if (with_lapic) {
            lapic = lapic_timer_count();
            t2 = rdtsc();
        }
        irq_restore(flags);
        if (t2 - t0 < best.width)
            best = (struct sample){.tsc = t0 + (t1 - t0) / 2,
                                   .ref = ref,
                                   .width = t2 - t0,
                                   .lapic_tsc = t1 + (t2 - t1) / 2,
                                   .lapic = lapic};
    }
    return best;
}

static void wait_ticks(uint64_t start, uint64_t ticks)
{
    for (unsigned i = 0; i < WAIT_READS_MAX; i++) /* C-BOUND-8 */
        if (((reference->read() - start) & reference->mask) >= ticks)
            return;
}

static uint64_t rate_between(const struct sample *a, const struct sample *b)
{
    return mul_div(b->tsc - a->tsc, reference->hz, (b->ref - a->ref) & reference->mask);
}

static bool agree(uint64_t a, uint64_t b)
{
    uint64_t d = a > b ? a - b : b - a;

    return a != 0 && a != UINT64_MAX && d <= a / AGREE_SHARE;
}

struct tsc_result tsc_calibrate(const struct clock_source *ref, bool with_lapic)
{
    struct tsc_result result = {0, false, 0};
    uint64_t ticks = ref->hz * WINDOW_US / 1000000u + 1;

    reference = ref;
    if (with_lapic)
        lapic_timer_one_shot(UINT32_MAX);
    for (unsigned round = 0; round < ROUNDS && !result.agreed; round++) {
        struct sample a = take_sample(with_lapic), b, c;
        uint64_t hz;

        wait_ticks(a.ref, ticks);
        b = take_sample(with_lapic);
        wait_ticks(b.ref, ticks);
        c = take_sample(with_lapic);
        hz = rate_between(&a, &c);
        if (with_lapic)
            result.lapic_hz = mul_div(a.lapic - c.lapic, hz, c.lapic_tsc - a.lapic_tsc);
        if (hz != UINT64_MAX)
            result.tsc_hz = hz;
        if (!agree(rate_between(&a, &b), rate_between(&b, &c))) /* C-CLOCK-2 */
            continue;
        result.agreed = true;
        calibrated_at = watched_at = a;
    }
    if (with_lapic)
        lapic_timer_one_shot(0);
    return result;
}

/* How many ticks has the reference made since `from`? It may have wrapped many
 * times; the TSC tells how often, as long as it is right within half a turn. */
static bool elapsed(const struct sample *from, const struct sample *to, uint64_t tsc_hz, uint64_t *expected,
                    int64_t *error)
{
    uint64_t seen = (to->ref - from->ref) & reference->mask;

    *expected = mul_div(to->tsc - from->tsc, reference->hz, tsc_hz);
    *error = wrap_distance(*expected & reference->mask, seen, reference->mask);
    return *expected / (DRIFT_SHARE / 4) < reference->mask / 2;
}

uint64_t tsc_refine(uint64_t tsc_hz)
{
    struct sample now;
    uint64_t expected, hz;
    int64_t error;

    if (calibrated_at.tsc == 0) /* the rate is CPUID's word */
        return 0;
    now = take_sample(false);
    if (!elapsed(&calibrated_at, &now, tsc_hz, &expected, &error))
        return 0;
    hz = mul_div(now.tsc - calibrated_at.tsc, reference->hz, expected + (uint64_t)error);
    watched_at = now;
    return agree(hz, tsc_hz) ? hz : 0;
}

bool tsc_watch(uint64_t tsc_hz)
{
    struct sample now;
    uint64_t expected;
    int64_t error;
    bool sure;

    if (calibrated_at.tsc == 0)
        return true;
    now = take_sample(false);
    sure = elapsed(&watched_at, &now, tsc_hz, &expected, &error);
    watched_at = now;
    if (!sure)
        return true;
    if ((uint64_t)(error < 0 ? -error : error) <= expected / DRIFT_SHARE)
        strikes = 0;
    else
        strikes++;
    return strikes < DRIFT_STRIKES; /* C-CLOCK-3 */
}

/* SDM vol. 2, CPUID leaf 0x15: TSC ticks = crystal ticks * EBX / EAX. */
uint64_t tsc_cpuid_hz(void)
{
    uint32_t r[4];

    cpuid(0, 0, r);
    if (r[0] < 0x15)
        return 0;
    cpuid(0x15, 0, r);
    return r[0] == 0 ? 0 : mul_div(r[2], r[1], r[0]);
}
