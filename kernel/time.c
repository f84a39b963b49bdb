/* SPDX-License-Identifier: MIT
 *
 * kernel/time.c: one monotonic clock over the best counter there is, and one
 * event device that is armed for the next thing due and for nothing else.
 *
 * Owns: the timekeeper, the timer queue, the slice end, what the event device
 * is programmed for.
 * Context: as kernel/time.h says call by call. The hard interrupt reads only
 * `next_timer_ns` and the slice; the heap belongs to kernel context.
 *
 * Cancelling a timer does not touch the event device: an interrupt that finds
 * nothing due programs the device for what is next. So a timer that is armed
 * and cancelled over and over, as every wait with a deadline does, costs one
 * interrupt in a while instead of a device access each time.
 */
#include <kernel/acpi.h>
#include <kernel/clock.h>
#include <kernel/cpu.h>
#include <kernel/intctl.h>
#include <kernel/log.h>
#include <kernel/options.h>
#include <kernel/time.h>
#include <kernel/time_page.h>
#include <kernel/timerq.h>
#include <slipway/syscall.h>
#include <stddef.h>

#define PROBE_DELTA_NS     (200 * NS_PER_US)
#define PROBE_LIMIT_NS     (100 * NS_PER_MS) /* a busy host may be late */
#define REFINE_AFTER_NS    (100 * NS_PER_MS)
#define WATCH_EVERY_NS     (2 * NS_PER_S)
#define TIMERS_A_TURN      64
#define EARLY_SPINS_PER_US 2 /* port accesses, before there is a clock */

static struct {
    bool is_tsc;
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

static struct {
    const struct event_source *event;
    struct timerq queue;
    volatile uint64_t next_timer_ns;
    volatile uint64_t slice_ns;      /* UINT64_MAX: none */
    volatile uint64_t programmed_ns; /* UINT64_MAX: nothing */
    bool running;
} timers = {.next_timer_ns = UINT64_MAX, .slice_ns = UINT64_MAX, .programmed_ns = UINT64_MAX};

/* --- reading --- */

/* Whole turns that a wrapping source made unseen, in its ticks. It is read often
 * enough (wrap_tick), unless interrupts come late: the PIT's turn is 55 ms. A TSC
 * that has been trusted tells the number of turns if it is right within half a
 * turn. Without one, time is lost when a reading is more than a turn late. */
static uint64_t unseen_turns(uint64_t ticks)
{
    uint64_t tsc, passed, turn = clock.source->mask + 1, by_tsc;

    if (!clock.tsc_trusted)
        return 0;
    tsc = rdtsc();
    passed = tsc > clock.base_tsc ? tsc - clock.base_tsc : 0;
    by_tsc = scale32(passed, clock.tsc_ticks);
    clock.base_tsc = tsc;
    return by_tsc <= ticks + turn / 2 ? 0 : (by_tsc - ticks + turn / 2) & ~clock.source->mask; /* C-CLOCK-6 */
}

static uint64_t now_wrapping(void)
{
    uint64_t flags, cycles, ticks, now;
    unsigned __int128 ns;

    if (clock.source == NULL)
        return 0;
    flags = irq_save();
    cycles = clock.source->read();
    ticks = (cycles - clock.base_cycles) & clock.source->mask;
    ticks += unseen_turns(ticks);
    ns = (unsigned __int128)ticks * clock.mult + clock.fraction;
    clock.base_cycles = cycles;
    clock.fraction = (uint32_t)ns;
    clock.base_ns += (uint64_t)(ns >> 32); /* C-CLOCK-1 */
    now = clock.base_ns;
    irq_restore(flags);
    return now;
}

uint64_t now_ns(void)
{
    if (clock.is_tsc)
        return clock.base_ns + scale32(rdtsc() - clock.base_cycles, clock.mult);
    return now_wrapping();
}

static void publish(void)
{
    time_page_publish(clock.is_tsc, clock.base_cycles, clock.base_ns, clock.mult, clock.realtime_offset_ns);
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

    if (!clock.is_tsc && clock.source == NULL) {
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
    return clock.is_tsc ? "tsc" : clock.source != NULL ? clock.source->name : "none";
}

bool clock_info_get(unsigned index, struct info_clock *info)
{
    const struct clock_source *s = NULL;

    if (index == 0) {
        *info = (struct info_clock){.name = "tsc", .hz = clock.tsc_hz, .mask = UINT64_MAX, .serves = clock.is_tsc};
        info->value = rdtsc();
        return true;
    }
    for (unsigned i = 0; i < 3 && s == NULL; i++)
        if (clock.found[i] != NULL && --index == 0)
            s = clock.found[i];
    if (s == NULL)
        return false;
    *info = (struct info_clock){.hz = s->hz, .mask = s->mask, .serves = !clock.is_tsc && clock.source == s};
    for (unsigned i = 0; i + 1 < sizeof info->name && s->name[i] != 0; i++)
        info->name[i] = s->name[i];
    info->value = s->read();
    return true;
}

const char *event_name(void)
{
    return timers.event != NULL ? timers.event->name : "none";
}

uint64_t tsc_hz(void)
{
    return clock.tsc_hz;
}

/* --- the event device --- */

/* Interrupts off. Timers that are known to be due need no interrupt. */
static void program(void)
{
    bool due = this_cpu()->polls_pending & PENDING_TIMERS;
    uint64_t next = due || timers.slice_ns < timers.next_timer_ns ? timers.slice_ns : timers.next_timer_ns;
    uint64_t now, delta;

    if (next >= timers.programmed_ns || timers.event == NULL) /* C-CLOCK-4 */
        return;
    now = now_ns();
    delta = next > now ? next - now : 0;
    if (delta < timers.event->min_ns)
        delta = timers.event->min_ns;
    if (delta > timers.event->max_ns)
        delta = timers.event->max_ns;
    timers.programmed_ns = now + delta;
    timers.event->arm(delta);
}

/* Hard interrupt. */
static bool event_fired(void *arg)
{
    struct percpu *self = this_cpu();
    uint64_t now = now_ns();

    (void)arg;
    self->timer_interrupts++;
    timers.programmed_ns = UINT64_MAX;
    if (timers.slice_ns <= now) {
        timers.slice_ns = UINT64_MAX;
        self->need_resched = 1;
    }
    if (timers.next_timer_ns <= now)
        self->polls_pending |= PENDING_TIMERS;
    program();
    return true;
}

void slice_arm(uint64_t when_ns)
{
    uint64_t flags = irq_save();

    timers.slice_ns = when_ns != 0 ? when_ns : UINT64_MAX;
    program();
    irq_restore(flags);
}

/* --- timers --- */

void timer_init(struct timer *t, void (*fn)(void *arg), void *arg)
{
    *t = (struct timer){.fn = fn, .arg = arg};
}

static void reprogram(void)
{
    uint64_t flags;

    timers.next_timer_ns = timerq_next_ns(&timers.queue);
    if (timers.running || timers.next_timer_ns >= timers.programmed_ns)
        return;
    flags = irq_save();
    program();
    irq_restore(flags);
}

int timer_arm(struct timer *t, uint64_t when_ns)
{
    int r = timerq_arm(&timers.queue, t, when_ns);

    reprogram();
    return r;
}

void timer_cancel(struct timer *t)
{
    if (t->slot == 0)
        return;
    timerq_cancel(&timers.queue, t);
    timers.next_timer_ns = timerq_next_ns(&timers.queue);
}

static void clock_use(const struct clock_source *source)
{
    uint64_t now = now_ns(), flags = irq_save();

    clock.is_tsc = false;
    clock.source = source;
    clock.base_ns = now;
    clock.base_cycles = source->read();
    clock.mult = ns_per_tick32(source->hz);
    clock.fraction = 0;
    clock.base_tsc = rdtsc();
    clock.tsc_ticks = scale32(ns_per_tick32(clock.tsc_hz), ticks_per_ns32(source->hz));
    publish();
    irq_restore(flags);
}

/* Sources that wrap must be read in time. */
static struct timer wrap_timer;

static void wrap_tick(void *arg)
{
    uint64_t turn_ns = scale32(clock.source->mask, clock.mult);

    (void)arg;
    (void)timer_arm(&wrap_timer, now_ns() + turn_ns / 2 + turn_ns / 4);
}

static void watch_tsc(uint64_t now)
{
    clock.watched_ns = now;
    if (clock.fallback == NULL || tsc_watch(clock.tsc_hz))
        return;
    clock.tsc_trusted = false;
    clock_use(clock.fallback);
    klog(LOG_WARN, "clock: the TSC ran away from %s, which takes over", clock.fallback->name);
    timer_init(&wrap_timer, wrap_tick, NULL);
    wrap_tick(NULL);
}

void timers_run(void)
{
    uint64_t now, flags;
    struct timer *t;

    if (!(this_cpu()->polls_pending & PENDING_TIMERS) || timers.running)
        return;
    timers.running = true;
    pending_clear(PENDING_TIMERS);
    now = now_ns();
    for (unsigned n = 0; n < TIMERS_A_TURN && (t = timerq_take_due(&timers.queue, now)) != NULL; n++)
        t->fn(t->arg);
    timers.running = false;

    flags = irq_save();
    timers.next_timer_ns = timerq_next_ns(&timers.queue);
    if (timers.next_timer_ns <= now)
        pending_set(PENDING_TIMERS);
    program();
    irq_restore(flags);
    if (clock.is_tsc && !cpu.invariant_tsc && now - clock.watched_ns > WATCH_EVERY_NS)
        watch_tsc(now);
}

/* --- choosing --- */

static struct timer refine_timer;

static void refine(void *arg)
{
    uint64_t hz, flags, cycles, now;

    (void)arg;
    if (!clock.is_tsc)
        return;
    hz = tsc_refine(clock.tsc_hz);
    if (hz == 0)
        return;
    flags = irq_save();
    cycles = rdtsc();
    now = clock.base_ns + scale32(cycles - clock.base_cycles, clock.mult);
    clock.base_ns = now;
    clock.base_cycles = cycles;
    clock.mult = ns_per_tick32(hz);
    clock.tsc_hz = hz;
    publish();
    irq_restore(flags);
    deadline_event_set_rate(hz);
}

static void use_tsc(void)
{
    clock.base_cycles = cpu.entry_tsc;
    clock.base_ns = 0;
    clock.mult = ns_per_tick32(clock.tsc_hz);
    clock.is_tsc = true;
    publish();
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

/* Does an interrupt really come? */
static bool event_works(const struct event_source *e)
{
    uint64_t flags, end, before = this_cpu()->timer_interrupts;
    bool came = false;

    if (e->start(event_fired) < 0)
        return false;
    flags = irq_save();
    timers.event = e;
    timers.programmed_ns = 0; /* keeps program() away */
    e->arm(PROBE_DELTA_NS);
    irq_enable();
    end = now_ns() + PROBE_LIMIT_NS;
    while (!came && now_ns() < end)
        came = *(volatile uint64_t *)&this_cpu()->timer_interrupts != before;
    irq_disable();
    if (!came) {
        e->stop();
        timers.event = NULL;
    }
    timers.programmed_ns = UINT64_MAX;
    irq_restore(flags);
    return came;
}

static void choose_event(const struct found *f, const char *want, uint64_t lapic_hz)
{
    bool lapic = lapic_present() && acpi.present;
    struct {
        const struct event_source *event;
        bool there;
    } order[] = {
        {&deadline_event, lapic && cpu.tsc_deadline && clock.is_tsc},
        {&lapic_event, lapic && lapic_hz != 0},
        {&hpet_event, f->hpet != NULL && hpet_event_usable()},
        {&pit_event, true},
    };

    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < 4; i++) {
            bool asked = text_is(want, order[i].event->name);

            if (!order[i].there || (pass == 0 && !asked && !text_is(want, "auto")))
                continue;
            if (event_works(order[i].event))
                return;
            klog(LOG_WARN, "event: %s does not interrupt", order[i].event->name);
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

    timerq_init(&timers.queue);
    time_page_init();
    clock.tsc_hz = rates.tsc_hz;
    clock.tsc_trusted = rates.agreed;
    lapic_event_set_rate(rates.lapic_hz);
    deadline_event_set_rate(rates.tsc_hz);
    choose_clock(&f, wanted("clock"));
    choose_event(&f, wanted("event"), rates.lapic_hz);
    read_date();
    if (clock.is_tsc && rates.agreed) {
        timer_init(&refine_timer, refine, NULL);
        (void)timer_arm(&refine_timer, now_ns() + REFINE_AFTER_NS);
    }
    klog(LOG_INFO, "time: clock %s, event %s, TSC %lu kHz%s", clock_name(), event_name(), clock.tsc_hz / 1000,
         cpu.invariant_tsc ? ", invariant" : "");
}
