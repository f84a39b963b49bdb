/* SPDX-License-Identifier: MIT
 *
 * kernel/timers.c: timers and slices, and an event device that is armed for the
 * next thing due and for nothing else.
 *
 * Owns: for each CPU the timer queue, the slice end, what the event device is
 * programmed for.
 * Context: as kernel/time.h says call by call. The hard interrupt reads only
 * `next_timer_ns` and the slice; the heaps belong to kernel context (kernel lock).
 *
 * A local APIC's timer interrupts its own CPU. An event device that all CPUs share
 * (HPET, PIT) interrupts CPU 0, which passes on what is due elsewhere.
 *
 * Cancelling a timer does not touch the event device: an interrupt that finds
 * nothing due programs the device for what is next. So a timer that is armed
 * and cancelled over and over, as every wait with a deadline does, costs one
 * interrupt in a while instead of a device access each time.
 */
#include <kernel/clock.h>
#include <kernel/irq.h>
#include <kernel/lock.h>
#include <kernel/mem.h>
#include <kernel/sched.h>
#include <kernel/smp.h>
#include <kernel/timerq.h>
#include <kernel/timers.h>

#define PROBE_DELTA_NS (200 * NS_PER_US)
#define PROBE_LIMIT_NS (100 * NS_PER_MS) /* a busy host may be late */
#define TIMERS_A_TURN  64

struct cpu_timers {
    struct timerq queue;
    volatile uint64_t next_timer_ns;
    volatile uint64_t slice_ns;      /* UINT64_MAX: none */
    volatile uint64_t programmed_ns; /* UINT64_MAX: nothing; of a shared device, CPU 0's counts */
    bool running;
};
static struct cpu_timers first_timers;
static const struct event_source *event;
static volatile uint64_t worst_late_ns;
static struct spinlock event_lock = SPINLOCK("event", RANK_EVENT); /* an event device for all */

bool timers_init(struct percpu *c)
{
    struct cpu_timers *t = c->cpu == 0 ? &first_timers : kzalloc(sizeof *t);

    if (t == NULL)
        return false;
    timerq_init(&t->queue);
    t->next_timer_ns = t->slice_ns = t->programmed_ns = UINT64_MAX;
    c->timers = t;
    return true;
}

const char *event_name(void)
{
    return event != NULL ? event->name : "none";
}

/* --- the event device --- */

static void arm_event(struct cpu_timers *t, uint64_t next)
{
    uint64_t now = now_ns(), delta = next > now ? next - now : 0;

    if (delta < event->min_ns)
        delta = event->min_ns;
    if (delta > event->max_ns)
        delta = event->max_ns;
    t->programmed_ns = now + delta;
    event->arm(delta);
}

/* When this CPU next needs an interrupt. Timers that are known to be due need none. */
static inline uint64_t next_event(const struct percpu *c)
{
    const struct cpu_timers *t = c->timers;
    bool due = c->polls_pending & PENDING_TIMERS;

    return due || t->slice_ns < t->next_timer_ns ? t->slice_ns : t->next_timer_ns;
}

/* One device for all CPUs: whoever needs it earlier than it is set for sets it.
 * What is due on another CPU is on its way there. */
static void program_shared(uint64_t next)
{
    uint64_t flags = spin_lock_irqsave(&event_lock);

    if (next < first_timers.programmed_ns)
        arm_event(&first_timers, next);
    spin_unlock_irqrestore(&event_lock, flags);
}

/* Interrupts off. */
static void program(void)
{
    struct percpu *c = this_cpu();
    uint64_t next = next_event(c);

    if (event == NULL)
        return;
    if (smp_count > 1 && event->start_other == NULL) {
        if (next != UINT64_MAX)
            program_shared(next);
        return;
    }
    if (next < c->timers->programmed_ns) /* C-CLOCK-4 */
        arm_event(c->timers, next);
}

/* Is something due on this CPU? Then it is marked. Interrupts off. */
static void mark_due(struct percpu *c, uint64_t now)
{
    struct cpu_timers *t = c->timers;

    if (t->slice_ns <= now) {
        t->slice_ns = UINT64_MAX;
        c->need_resched = 1;
    }
    if (t->next_timer_ns <= now)
        pending_set(PENDING_TIMERS);
}

void timers_due(void)
{
    struct percpu *c = this_cpu();

    c->timer_interrupts++;
    mark_due(c, now_ns());
    program();
}

/* CPU 0 has been interrupted on behalf of all. Another CPU sets its next time and
 * then looks whether the device is set for it; here the device is free first, and
 * then the times are read. The lock keeps that order, on both sides, so that one
 * of the two sees what the other wrote. */
static void share_event(uint64_t now)
{
    uint64_t next = UINT64_MAX, flags = spin_lock_irqsave(&event_lock);

    __atomic_store_n(&first_timers.programmed_ns, UINT64_MAX, __ATOMIC_SEQ_CST);
    spin_unlock_irqrestore(&event_lock, flags);
    for (uint32_t i = 1; i < smp_count; i++) {
        uint64_t n = next_event(smp_cpu[i]);

        if (n <= now)
            smp_kick_timer(i);
        else if (n < next)
            next = n;
    }
    if (next != UINT64_MAX)
        program_shared(next);
}

/* How long interrupts had been off when the event came: the record that tells
 * what a serial port's FIFO has to bridge. On a halted CPU they were on: there it
 * is late because a processor, or an emulator's host, takes time to wake up. */
static void note_lateness(const struct percpu *self, uint64_t due, uint64_t now)
{
    bool halted = self->sched == NULL || self->sched->halted_at != 0;

    if (!halted && now > due && now - due > worst_late_ns)
        worst_late_ns = now - due;
}

uint64_t event_worst_late_ns(void)
{
    return worst_late_ns;
}

/* Hard interrupt. */
static bool event_fired(void *arg)
{
    struct percpu *self = this_cpu();
    uint64_t now = now_ns();

    (void)arg;
    self->timer_interrupts++;
    note_lateness(self, self->timers->programmed_ns, now);
    mark_due(self, now);
    if (smp_count > 1 && event->start_other == NULL)
        share_event(now);
    else
        self->timers->programmed_ns = UINT64_MAX;
    program();
    return true;
}

void slice_arm(uint64_t when_ns)
{
    uint64_t flags = irq_save();

    this_cpu()->timers->slice_ns = when_ns != 0 ? when_ns : UINT64_MAX;
    program();
    irq_restore(flags);
}

/* --- timers --- */

void timer_init(struct timer *t, void (*fn)(void *arg), void *arg)
{
    *t = (struct timer){.fn = fn, .arg = arg};
}

static void reprogram(struct cpu_timers *q)
{
    uint64_t flags;

    q->next_timer_ns = timerq_next_ns(&q->queue);
    if (q->running || q->next_timer_ns >= q->programmed_ns)
        return;
    flags = irq_save();
    program();
    irq_restore(flags);
}

int timer_arm(struct timer *t, uint64_t when_ns)
{
    struct percpu *c = this_cpu();
    int r;

    if (t->cpu != c->cpu) {
        timer_cancel(t);
        t->cpu = c->cpu;
    }
    r = timerq_arm(&c->timers->queue, t, when_ns);
    reprogram(c->timers);
    return r;
}

void timer_cancel(struct timer *t)
{
    struct cpu_timers *q;

    if (t->slot == 0)
        return;
    q = smp_cpu[t->cpu]->timers;
    timerq_cancel(&q->queue, t);
    q->next_timer_ns = timerq_next_ns(&q->queue);
}

void timers_run(void)
{
    struct percpu *c = this_cpu();
    struct cpu_timers *q = c->timers;
    uint64_t now, flags;
    struct timer *t;

    if (!(c->polls_pending & PENDING_TIMERS) || q->running)
        return;
    q->running = true;
    pending_clear(PENDING_TIMERS);
    now = now_ns();
    for (unsigned n = 0; n < TIMERS_A_TURN && (t = timerq_take_due(&q->queue, now)) != NULL; n++)
        t->fn(t->arg);
    q->running = false;

    flags = irq_save();
    q->next_timer_ns = timerq_next_ns(&q->queue);
    if (q->next_timer_ns <= now)
        pending_set(PENDING_TIMERS);
    program();
    irq_restore(flags);
    clock_watch(now);
}

/* Does an interrupt really come? */
bool timers_try(const struct event_source *e)
{
    uint64_t flags, end, before = this_cpu()->timer_interrupts;
    bool came = false;

    if (e->start(event_fired) < 0)
        return false;
    flags = irq_save();
    event = e;
    first_timers.programmed_ns = 0; /* keeps program() away */
    e->arm(PROBE_DELTA_NS);
    irq_enable();
    end = now_ns() + PROBE_LIMIT_NS;
    while (!came && now_ns() < end)
        came = *(volatile uint64_t *)&this_cpu()->timer_interrupts != before;
    irq_disable();
    if (!came) {
        e->stop();
        event = NULL;
    }
    first_timers.programmed_ns = UINT64_MAX;
    irq_restore(flags);
    return came;
}

void time_init_other(void)
{
    if (event != NULL && event->start_other != NULL)
        event->start_other();
}
