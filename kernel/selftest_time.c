/* SPDX-License-Identifier: MIT
 *
 * kernel/selftest_time.c: do the clocks agree, do timers fire on time and in
 * order, is an idle machine silent?
 *
 * Context: as kernel/selftest.h says.
 */
#include <kernel/clock.h>
#include <kernel/cpu.h>
#include <kernel/log.h>
#include <kernel/selftest.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <slipway/errno.h>
#include <stddef.h>

#define MONOTONIC_READS 10000000u
#define SLOW_READS      1000000u /* of a clock that is a device */
#define COMPARE_NS      NS_PER_S
#define COMPARE_SHARE   200u /* clocks agree within 1/200 */
#define GAP_NS          NS_PER_MS
#define SLEEP_NS        (50 * NS_PER_MS)
#define LATE_NS         (40 * NS_PER_MS) /* what a busy host may add */
#define IDLE_NS         NS_PER_S
#define LATE_TURNS_NS   (165 * NS_PER_MS)

SELFTEST(clock_monotonic) /* C-CLOCK-1 */
{
    unsigned reads = clock_name()[0] == 't' ? MONOTONIC_READS : SLOW_READS;
    uint64_t last = now_ns();

    for (unsigned i = 0; i < reads; i++) {
        uint64_t now = now_ns();

        TEST(now >= last);
        last = now;
    }
    return NULL;
}

/* Ticks of a counter since the last look, added up so that it may wrap. */
struct counter {
    const struct clock_source *source;
    uint64_t last, ticks;
};

static void counter_look(struct counter *c)
{
    uint64_t v = c->source->read();

    c->ticks += (v - c->last) & c->source->mask;
    c->last = v;
}

/* One comparison. False when the host took the CPU away for longer than the
 * counters, or the last look, can bear: that says nothing about the clocks. */
static bool compare(struct counter *counters, unsigned n, uint64_t *took)
{
    uint64_t start, last, now;
    bool calm = true;

    for (unsigned i = 0; i < n; i++) {
        counters[i].ticks = 0;
        counters[i].last = counters[i].source->read();
    }
    start = last = now = now_ns();
    while (calm && now - start < COMPARE_NS) {
        for (unsigned i = 0; i < n; i++)
            counter_look(&counters[i]);
        now = now_ns();
        calm = now - last < GAP_NS;
        last = now;
    }
    *took = now - start;
    return calm;
}

SELFTEST(clocks_agree)
{
    struct counter counters[] = {{.source = &pit_clock}, {.source = &pmtimer_clock}, {.source = &hpet_clock}};
    unsigned n = sizeof(counters) / sizeof(counters[0]);
    uint64_t took = 0;
    bool calm = false;

    if (hpet_clock.hz == 0)
        n--;
    for (unsigned tries = 0; tries < 10 && !calm; tries++)
        calm = compare(counters, n, &took);
    for (unsigned i = 0; i < n && calm; i++) {
        uint64_t ns = scale32(counters[i].ticks, ns_per_tick32(counters[i].source->hz));
        uint64_t apart = ns > took ? ns - took : took - ns;

        if (counters[i].ticks == 0) /* not there: acpi=off, or a PM timer that stands */
            continue;
        log_plain("# %s: %lu us, %s: %lu us", counters[i].source->name, ns / 1000, clock_name(), took / 1000);
        TEST(apart < took / COMPARE_SHARE);
    }
    return NULL;
}

/* Interrupts that come three turns of the PIT late lose no time, if the TSC has
 * been measured. */
SELFTEST(clock_late) /* C-CLOCK-6 */
{
    uint64_t flags = irq_save(), start = now_ns(), from = rdtsc(), tsc_ns, took;

    while (scale32(rdtsc() - from, ns_per_tick32(tsc_hz())) < LATE_TURNS_NS)
        cpu_relax();
    tsc_ns = scale32(rdtsc() - from, ns_per_tick32(tsc_hz()));
    took = now_ns() - start;
    irq_restore(flags);
    log_plain("# interrupts off for %lu us: %lu us by %s", tsc_ns / 1000, took / 1000, clock_name());
    TEST(took > tsc_ns - tsc_ns / 100 && took < tsc_ns + tsc_ns / 10);
    return NULL;
}

/* The clock changes hands without a step. For the rest of the run the TSC does not
 * serve, so this runs only by its name. */
SELFTEST_ALONE(clock_demotion) /* C-CLOCK-1 */
{
    uint64_t before = now_ns(), last;

    TEST(clock_name()[0] == 't');
    TEST(time_leave_tsc());
    last = now_ns();
    TEST(last >= before && last - before < LATE_NS);
    TEST(clock_name()[0] != 't');
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t now = now_ns();

        TEST(now >= last);
        last = now;
    }
    return NULL;
}

SELFTEST(sleep)
{
    for (unsigned i = 0; i < 3; i++) {
        uint64_t start = now_ns(), took;

        TEST(thread_block(start + SLEEP_NS) == -ETIMEDOUT);
        took = now_ns() - start;
        TEST(took >= SLEEP_NS);
        TEST(took < SLEEP_NS + LATE_NS);
    }
    return NULL;
}

#define TIMERS 5
static struct {
    struct timer timer[TIMERS];
    unsigned order[TIMERS], fired;
    bool early;
} fix;

static void fire(void *arg)
{
    unsigned i = (unsigned)(uint64_t)arg;

    if (now_ns() < fix.timer[i].when_ns)
        fix.early = true;
    if (fix.fired < TIMERS)
        fix.order[fix.fired] = i;
    fix.fired++;
}

SELFTEST(timers) /* C-TIME-1 */
{
    static const unsigned ms[TIMERS] = {30, 10, 50, 20, 40}, order[] = {1, 3, 0, 4};
    uint64_t now = now_ns();

    fix.fired = 0;
    fix.early = false;
    for (unsigned i = 0; i < TIMERS; i++) {
        timer_init(&fix.timer[i], fire, (void *)(uint64_t)i);
        TEST(timer_arm(&fix.timer[i], now + ms[i] * NS_PER_MS) == 0);
    }
    timer_cancel(&fix.timer[2]);
    timer_cancel(&fix.timer[2]);
    TEST(thread_block(now + 80 * NS_PER_MS) == -ETIMEDOUT);
    TEST(fix.fired == TIMERS - 1);
    TEST(!fix.early);
    for (unsigned i = 0; i < TIMERS - 1; i++)
        TEST(fix.order[i] == order[i]);
    return NULL;
}

/* Nothing but the end of the sleep may interrupt, and the few looks that a
 * counter which wraps needs, or a device whose delay is short. */
SELFTEST(tickless) /* C-CLOCK-4 */
{
    struct percpu *self = this_cpu();
    uint64_t before, came, limit = 5;

    TEST(thread_block(now_ns() + 200 * NS_PER_MS) == -ETIMEDOUT); /* the boot's own timers pass */
    if (event_name()[0] == 'p' || clock_name()[0] == 'p')
        limit = 100; /* the PIT's longest delay and its turn are 50 ms */
    before = self->timer_interrupts;
    TEST(thread_block(now_ns() + IDLE_NS) == -ETIMEDOUT);
    came = self->timer_interrupts - before;
    log_plain("# %lu timer interrupts in %llu ms by %s", came, IDLE_NS / NS_PER_MS, event_name());
    TEST(came <= limit);
    return NULL;
}
