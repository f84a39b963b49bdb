/* SPDX-License-Identifier: MIT
 *
 * kernel/time.c: one monotonic clock over the best counter there is.
 *
 * Owns: the timekeeper; which clock and which event device serve.
 * Context: as kernel/time.h says call by call.
 */
#include <kernel/acpi.h>
#include <kernel/clock.h>
#include <kernel/cpu.h>
#include <kernel/intctl.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/options.h>
#include <kernel/smp.h>
#include <kernel/time.h>
#include <kernel/time_page.h>
#include <kernel/timers.h>
#include <slipway/syscall.h>
#include <stddef.h>

#define REFINE_AFTER_NS    (100 * NS_PER_MS)
#define WATCH_EVERY_NS     (2 * NS_PER_S)
#define EARLY_SPINS_PER_US 2 /* port accesses, before there is a clock */

/* A line through time, for the TSC. Whoever reads the clock takes one of them
 * whole; a new one is filled in before the pointer moves to it. There is one at
 * the start, one after the rate was refined, and one spare. */
struct tsc_line {
    uint64_t base_cycles, base_ns, mult;
};
static struct tsc_line tsc_lines[3];
static unsigned tsc_lines_used;

static struct {
    const struct tsc_line *volatile line; /* NULL: the TSC is not the clock */
    const struct clock_source *source; /* NULL: not initialised, or the TSC */
    uint64_t base_cycles, base_ns, mult;
    uint32_t fraction; /* 2^-32 ns, for sources that wrap */
    uint64_t realtime_offset_ns;
    uint64_t tsc_hz, watched_ns;
    bool tsc_trusted;
    uint64_t base_tsc, tsc_ticks; /* at base_cycles, where a trusted TSC counts a wrapping source's turns */
    const struct clock_source *found[3]; /* HPET, PM timer, PIT; NULL where not there */
    const struct clock_source *fallback; /* where a demoted TSC leaves us */
} clock;
static struct spinlock clock_lock = SPINLOCK("clock", RANK_CLOCK); /* the members of a source that wraps */

/* --- reading --- */

/* Whole turns that a wrapping source made unseen, in its ticks. It is read often
 * enough (wrap_tick), unless interrupts come late: the PIT's turn is 55 ms. A TSC
 * that has been trusted tells the number of turns if it is right within half a
 * turn. What is counted is from behind the last reading to before this one, which is
 * less than what passed: a processor that is taken away in the middle of a reading
 * must not make time run ahead. Without a TSC, time is lost when a reading is more
 * than a turn late. */
static uint64_t unseen_turns(uint64_t ticks, uint64_t tsc_before, uint64_t tsc_after)
{
    uint64_t passed, turn = clock.source->mask + 1, by_tsc;

    if (!clock.tsc_trusted)
        return 0;
    passed = tsc_before > clock.base_tsc ? tsc_before - clock.base_tsc : 0;
    by_tsc = scale32(passed, clock.tsc_ticks);
    clock.base_tsc = tsc_after;
    return by_tsc <= ticks + turn / 2 ? 0 : (by_tsc - ticks + turn / 2) & ~clock.source->mask; /* C-CLOCK-6 */
}

static uint64_t now_wrapping(void)
{
    uint64_t flags, before, cycles, ticks, now;
    unsigned __int128 ns;

    if (clock.source == NULL)
        return 0;
    flags = spin_lock_irqsave(&clock_lock);
    before = rdtsc();
    cycles = clock.source->read();
    ticks = (cycles - clock.base_cycles) & clock.source->mask;
    ticks += unseen_turns(ticks, before, rdtsc());
    ns = (unsigned __int128)ticks * clock.mult + clock.fraction;
    clock.base_cycles = cycles;
    clock.fraction = (uint32_t)ns;
    clock.base_ns += (uint64_t)(ns >> 32); /* C-CLOCK-1 */
    now = clock.base_ns;
    spin_unlock_irqrestore(&clock_lock, flags);
    return now;
}

uint64_t now_ns(void)
{
    const struct tsc_line *l = clock.line;

    if (l != NULL) {
        uint64_t cycles = rdtsc() - l->base_cycles;

        if ((int64_t)cycles < 0) /* a new line, and this CPU's TSC is a little behind */
            cycles = 0;
        return l->base_ns + scale32(cycles, l->mult);
    }
    return now_wrapping();
}

/* For ring 3. Kernel context: one CPU at a time. */
static void publish(void)
{
    const struct tsc_line none = {0, 0, 0}, *l = clock.line != NULL ? clock.line : &none;

    time_page_publish(clock.line != NULL, l->base_cycles, l->base_ns, l->mult, clock.realtime_offset_ns);
}

uint64_t realtime_ns(void)
{
    return now_ns() + clock.realtime_offset_ns;
}

void realtime_set(uint64_t ns)
{
    clock.realtime_offset_ns = ns - now_ns();
    publish();
}

void delay_us(uint32_t us)
{
    uint64_t end;

    if (clock.line == NULL && clock.source == NULL) {
        for (uint64_t i = 0; i < (uint64_t)us * EARLY_SPINS_PER_US; i++)
            (void)inb(0x80);
        return;
    }
    end = now_ns() + us * NS_PER_US;
    while (now_ns() < end)
        cpu_relax();
}

const char *clock_name(void)
{
    return clock.line != NULL ? "tsc" : clock.source != NULL ? clock.source->name : "none";
}

bool clock_info_get(unsigned index, struct info_clock *info)
{
    const struct clock_source *s = NULL;

    if (index == 0) {
        *info = (struct info_clock){.name = "tsc", .hz = clock.tsc_hz, .mask = UINT64_MAX};
        info->serves = clock.line != NULL;
        info->value = rdtsc();
        return true;
    }
    for (unsigned i = 0; i < 3 && s == NULL; i++)
        if (clock.found[i] != NULL && --index == 0)
            s = clock.found[i];
    if (s == NULL)
        return false;
    *info = (struct info_clock){.hz = s->hz, .mask = s->mask};
    info->serves = clock.line == NULL && clock.source == s;
    for (unsigned i = 0; i + 1 < sizeof info->name && s->name[i] != 0; i++)
        info->name[i] = s->name[i];
    info->value = s->read();
    return true;
}

uint64_t tsc_hz(void)
{
    return clock.tsc_hz;
}

static void tsc_line_use(uint64_t base_cycles, uint64_t base_ns, uint64_t hz)
{
    struct tsc_line *l = &tsc_lines[tsc_lines_used % (sizeof tsc_lines / sizeof tsc_lines[0])];

    tsc_lines_used++;
    *l = (struct tsc_line){.base_cycles = base_cycles, .base_ns = base_ns, .mult = ns_per_tick32(hz)};
    __atomic_store_n(&clock.line, l, __ATOMIC_RELEASE);
    publish();
}

static void clock_use(const struct clock_source *source)
{
    uint64_t now = now_ns(), flags = spin_lock_irqsave(&clock_lock);

    clock.source = source;
    clock.base_ns = now;
    clock.base_cycles = source->read();
    clock.mult = ns_per_tick32(source->hz);
    clock.fraction = 0;
    clock.base_tsc = rdtsc();
    clock.tsc_ticks = scale32(ns_per_tick32(clock.tsc_hz), ticks_per_ns32(source->hz));
    spin_unlock_irqrestore(&clock_lock, flags);
    __atomic_store_n(&clock.line, NULL, __ATOMIC_RELEASE);
    publish();
}

/* Sources that wrap must be read in time. */
static struct timer wrap_timer;

static void wrap_tick(void *arg)
{
    uint64_t turn_ns = scale32(clock.source->mask, clock.mult);

    (void)arg;
    (void)timer_arm(&wrap_timer, now_ns() + turn_ns / 2 + turn_ns / 4);
}

void clock_watch(uint64_t now)
{
    if (clock.line == NULL || cpu.invariant_tsc || now - clock.watched_ns <= WATCH_EVERY_NS)
        return;
    clock.watched_ns = now;
    if (clock.fallback == NULL || tsc_watch(clock.tsc_hz))
        return;
    klog(LOG_WARN, "clock: the TSC ran away from %s, which takes over", clock.fallback->name);
    (void)time_leave_tsc();
}

bool time_tsc_is_clock(void)
{
    return clock.line != NULL;
}

bool time_leave_tsc(void)
{
    if (clock.fallback == NULL)
        return false;
    clock.tsc_trusted = false;
    clock_use(clock.fallback);
    timer_init(&wrap_timer, wrap_tick, NULL);
    wrap_tick(NULL);
    return true;
}

/* --- choosing --- */

static struct timer refine_timer;

static void refine(void *arg)
{
    const struct tsc_line *l = clock.line;
    uint64_t hz, cycles;

    (void)arg;
    if (l == NULL)
        return;
    hz = tsc_refine(clock.tsc_hz);
    if (hz == 0)
        return;
    cycles = rdtsc();
    clock.tsc_hz = hz;
    tsc_line_use(cycles, l->base_ns + scale32(cycles - l->base_cycles, l->mult), hz);
    deadline_event_set_rate(hz);
}

static void use_tsc(void)
{
    tsc_line_use(cpu.entry_tsc, 0, clock.tsc_hz);
}

/* "auto", or what clock=, event= or timer= asks for. */
static const char *wanted(const char *key)
{
    const char *v = option_is("timer", "pit") ? "pit" : option(key);

    return v != NULL ? v : "auto";
}

static bool text_is(const char *a, const char *b)
{
    while (*a != 0 && *a == *b)
        a++, b++;
    return *a == *b;
}

struct found {
    const struct clock_source *hpet, *pmtimer, *pit;
};

static void choose_clock(const struct found *f, const char *want)
{
    const struct clock_source *order[] = {f->hpet, f->pmtimer, f->pit}, *choice = NULL;

    for (unsigned i = 0; i < 3; i++) {
        clock.found[i] = order[i];
        if (order[i] == NULL)
            continue;
        if (clock.fallback == NULL)
            clock.fallback = order[i];
        if (text_is(want, order[i]->name))
            choice = order[i];
    }
    if (choice == NULL && (clock.tsc_trusted || clock.fallback == NULL)) {
        if (!text_is(want, "auto") && !text_is(want, "tsc"))
            klog(LOG_WARN, "clock: no %s here, the TSC serves", want);
        if (!clock.tsc_trusted)
            klog(LOG_ERROR, "clock: nothing to measure the TSC against, %lu MHz assumed",
                 clock.tsc_hz / 1000000);
        use_tsc();
        return;
    }
    if (choice == NULL) {
        choice = clock.fallback;
        klog(LOG_WARN, "clock: the TSC cannot be trusted here, %s serves", choice->name);
    }
    if (clock.tsc_trusted) /* so that time zero stays the kernel's entry */
        use_tsc();
    clock_use(choice);
    timer_init(&wrap_timer, wrap_tick, NULL);
    wrap_tick(NULL);
}

static void choose_event(const struct found *f, const char *want, uint64_t lapic_hz)
{
    bool lapic = lapic_present() && acpi.present;
    struct {
        const struct event_source *source;
        bool there;
    } order[] = {
        {&deadline_event, lapic && cpu.tsc_deadline && clock.line != NULL},
        {&lapic_event, lapic && lapic_hz != 0},
        {&hpet_event, f->hpet != NULL && hpet_event_usable()},
        {&pit_event, true},
    };

    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < 4; i++) {
            bool asked = text_is(want, order[i].source->name);

            if (!order[i].there || (pass == 0 && !asked && !text_is(want, "auto")))
                continue;
            if (timers_try(order[i].source))
                return;
            klog(LOG_WARN, "event: %s does not interrupt", order[i].source->name);
            order[i].there = false;
        }
        if (pass == 0)
            klog(LOG_WARN, "event: %s does not serve here, taking the next best", want);
    }
    klog(LOG_ERROR, "event: no timer interrupts at all");
}

/* What can be measured against what: the devices that timer=pit leaves alone are
 * not even looked at. */
static struct tsc_result find_clocks(struct found *f, bool pit_only, bool lapic)
{
    struct tsc_result rates = {0, false, 0};
    const struct clock_source *ref;

    f->hpet = !pit_only && hpet_init() ? &hpet_clock : NULL;
    f->pmtimer = !pit_only && pmtimer_init() ? &pmtimer_clock : NULL;
    f->pit = pit_init() ? &pit_clock : NULL;
    ref = f->hpet != NULL ? f->hpet : f->pmtimer != NULL ? f->pmtimer : f->pit;
    if (ref != NULL)
        rates = tsc_calibrate(ref, lapic);
    if (!rates.agreed && tsc_cpuid_hz() != 0) {
        rates.tsc_hz = tsc_cpuid_hz();
        rates.agreed = cpu.invariant_tsc;
    }
    if (rates.tsc_hz == 0)
        rates.tsc_hz = NS_PER_S;
    return rates;
}

static void read_date(void)
{
    uint64_t seconds = rtc_read_seconds();

    realtime_set(seconds != 0 ? seconds * NS_PER_S : now_ns());
}

void time_init(void)
{
    struct found f;
    struct tsc_result rates = find_clocks(&f, option_is("timer", "pit"), lapic_present() && acpi.present);

    (void)timers_init(this_cpu());
    time_page_init();
    clock.tsc_hz = rates.tsc_hz;
    clock.tsc_trusted = rates.agreed;
    lapic_event_set_rate(rates.lapic_hz);
    deadline_event_set_rate(rates.tsc_hz);
    choose_clock(&f, wanted("clock"));
    choose_event(&f, wanted("event"), rates.lapic_hz);
    read_date();
    if (clock.line != NULL && rates.agreed) {
        timer_init(&refine_timer, refine, NULL);
        (void)timer_arm(&refine_timer, now_ns() + REFINE_AFTER_NS);
    }
    klog(LOG_INFO, "time: clock %s, event %s, TSC %lu kHz%s", clock_name(), event_name(), clock.tsc_hz / 1000,
         cpu.invariant_tsc ? ", invariant" : "");
}
