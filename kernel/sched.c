/* SPDX-License-Identifier: MIT
 *
 * kernel/sched.c: run queues, the idle loop, waiting and waking.
 *
 * Owns: struct sched (run queues by priority, slices, who is in the FPU), every
 * context switch. Called from system calls, polls and timers (thread
 * context); nothing here is called from a hard interrupt.
 *
 * A thread that blocks with nobody else to run stays on its own stack and
 * halts there: when its own wake-up ends the halt, which is the usual case for
 * a server, no switch has happened at all.
 */
#include <kernel/irq.h>
#include <kernel/random.h>
#include <kernel/sched.h>

struct sched sched;

/* switch.S */
void switch_stacks(uint64_t *save_rsp, uint64_t load_rsp);

struct thread *thread_current(void)
{
    return self_thread();
}

uint32_t sched_thread_count(void)
{
    return sched.count;
}

uint64_t sched_idle_cycles(void)
{
    return sched.idle_cycles;
}

uint64_t cycles_to_ns(uint64_t cycles)
{
    uint64_t hz = tsc_hz();
    if (hz == 0)
        return 0;
    return cycles / hz * NS_PER_S + cycles % hz * NS_PER_S / hz;
}

uint64_t thread_cycles(const struct thread *t)
{
    return t->cycles + (t == self_thread() ? rdtsc() - sched.switched_at : 0);
}

/* --- run queues --- */

static void run_insert(struct thread *t, bool front)
{
    unsigned p = t->priority;

    if (sched.head[p] == NULL) {
        t->run_next = t->run_prev = NULL;
        sched.head[p] = sched.tail[p] = t;
        sched.ready |= 1u << p;
    } else if (front) {
        t->run_prev = NULL;
        t->run_next = sched.head[p];
        sched.head[p]->run_prev = t;
        sched.head[p] = t;
    } else {
        t->run_next = NULL;
        t->run_prev = sched.tail[p];
        sched.tail[p]->run_next = t;
        sched.tail[p] = t;
    }
}

static void run_remove(struct thread *t)
{
    unsigned p = t->priority;

    if (t->run_prev != NULL)
        t->run_prev->run_next = t->run_next;
    else
        sched.head[p] = t->run_next;
    if (t->run_next != NULL)
        t->run_next->run_prev = t->run_prev;
    else
        sched.tail[p] = t->run_prev;
    if (sched.head[p] == NULL)
        sched.ready &= ~(1u << p);
}

static inline unsigned run_best(void) /* ready is not 0 */
{
    return 31u - (unsigned)__builtin_clz(sched.ready);
}

static inline struct thread *run_take(void)
{
    unsigned p = run_best();
    struct thread *t = sched.head[p];

    sched.head[p] = t->run_next;
    if (t->run_next != NULL) {
        t->run_next->run_prev = NULL;
    } else {
        sched.tail[p] = NULL;
        sched.ready ^= 1u << p;
    }
    return t;
}

/* Has the running slice ended, or has none been started? Judged by the TSC, a
 * little early, so that the slice's interrupt never comes before its end. */
static inline bool slice_over(void)
{
    return rdtsc() >= sched.slice_end_tsc;
}

/* A thread of `priority` has become ready: does the current one have to give
 * way, or to start counting its slice? return_to_user will see to it. */
static inline void preempt_check(unsigned priority)
{
    unsigned mine = self_thread()->priority;

    if (priority > mine || (priority == mine && slice_over()))
        this_cpu()->need_resched = 1;
}

/* --- the switch --- */

void sched_finish_switch(void)
{
    struct thread *t = sched.reap;

    if (t == NULL)
        return;
    sched.reap = NULL;
    kstack_free(t->kstack_top);
    kfree(t->fpu_memory);
    kfree(t);
}

static void switch_to(struct thread *next)
{
    struct percpu *c = this_cpu();
    struct thread *prev = c->current;
    uint64_t tsc = rdtsc();

    prev->cycles += tsc - sched.switched_at;
    sched.switched_at = tsc;
    c->context_switches++;
    c->current = next;
    next->state = THREAD_RUNNING;
    /* The choice has just been made; what is left to do on the way to ring 3? */
    c->need_resched = thread_interrupted(next) || (sched.ready >> next->priority != 0 && tsc >= sched.slice_end_tsc);
    if (next->process != NULL) {
        cpu_set_kernel_stack(next->kstack_top);
        if (sched.loaded != next->process->as) {
            sched.loaded = next->process->as;
            as_switch(sched.loaded);
        }
        /* Always: ring 3 may have cleared the base by loading a selector. */
        wrmsr(MSR_FS_BASE, next->fs_base);
        if (sched.fpu_owner != next) {
            if (sched.fpu_owner != NULL)
                fpu_save(sched.fpu_owner->fpu);
            fpu_restore(next->fpu);
            sched.fpu_owner = next;
        }
    }
    switch_stacks(&prev->rsp, next->rsp);
    sched_finish_switch();
}

static inline void run_work(void)
{
    timers_run();
    poll_run_pending();
}

/* Halts until somebody is ready. Runs on the stack of whoever blocked last, but
 * as the idle thread: polls behave differently when nobody waits for the CPU. */
static void idle_until_ready(void)
{
    struct percpu *c = this_cpu();
    struct thread *self = c->current;

    self->cycles += rdtsc() - sched.switched_at;
    c->current = c->idle;
    if (sched.slice_end_tsc != 0) { /* nobody is left to take turns with */
        sched.slice_end_tsc = 0;
        slice_arm(0);
    }
    while (sched.ready == 0) {
        irq_disable();
        if (c->polls_pending != 0) {
            irq_enable();
        } else {
            uint64_t start = rdtsc();
            __asm__ volatile("sti; hlt" ::: "memory"); /* sti takes effect after hlt has begun */
            sched.idle_cycles += rdtsc() - start;
            random_event();
        }
        run_work();
    }
    c->current = self;
    c->need_resched = 0;
    sched.switched_at = rdtsc();
}

void sched_switch_away(void)
{
    struct thread *self = self_thread(), *next;

    if (sched.ready == 0) {
        if (self->state == THREAD_DEAD) {
            switch_to(this_cpu()->idle);
            return;
        }
        idle_until_ready();
    }
    next = run_take();
    if (next != self) {
        switch_to(next);
        return;
    }
    self->state = THREAD_RUNNING;
    if (thread_interrupted(self))
        this_cpu()->need_resched = 1;
}

void schedule(void)
{
    struct thread *self = self_thread();

    if (sched.ready == 0 || run_best() < self->priority)
        return;
    self->state = THREAD_READY;
    run_insert(self, false);
    switch_to(run_take());
}

static void slice_start(void)
{
    uint64_t cycles = tsc_hz() / 1000 * (SLICE_NS / NS_PER_MS);

    sched.slice_end_tsc = rdtsc() + cycles - cycles / 8;
    slice_arm(now_ns() + SLICE_NS);
}

/* need_resched was set: somebody better is ready, or the slice has ended, or
 * one has to be started because others of this priority wait. */
static void preempt(void)
{
    struct thread *self = self_thread();

    if (sched.ready == 0 || run_best() < self->priority)
        return;
    if (run_best() > self->priority) {
        self->state = THREAD_READY;
        run_insert(self, true); /* keeps its turn */
        switch_to(run_take());
    } else if (slice_over()) {
        /* The slice is not started anew at each switch, so its end may hit a
         * thread that has had only a part; that one gets another. */
        uint64_t had = rdtsc() - sched.switched_at;
        bool ended = sched.slice_end_tsc != 0 && had >= tsc_hz() / 2000 * (SLICE_NS / NS_PER_MS);
        slice_start();
        if (ended)
            schedule();
    }
}

void return_to_user(void)
{
    struct percpu *c = this_cpu();
    struct thread *t = c->current;

    for (;;) {
        irq_disable();
        if ((c->need_resched | c->polls_pending) == 0)
            return;
        irq_enable();
        if (c->polls_pending != 0) {
            random_event();
            run_work();
        }
        if (t->dying)
            thread_leave();
        if (t->signals.due)
            signal_deliver(t);
        if (c->need_resched) {
            c->need_resched = 0;
            preempt();
        }
    }
}

void sched_idle(void)
{
    struct percpu *c = this_cpu();

    thread_table[sched.boot.index] = NULL;
    sched.count--;
    c->current = &sched.idle; /* the boot stack is the idle thread's from here on */
    irq_enable();
    for (;;) {
        if (sched.ready == 0)
            idle_until_ready();
        switch_to(run_take());
    }
}

/* --- blocking and waking --- */

/* Blocks; `next`, when given, gets the CPU. */
static inline int block(struct thread *t, struct thread *next, uint64_t deadline_ns)
{
    int r = 0;

    if (deadline_ns != UINT64_MAX) {
        r = deadline_ns <= now_ns() ? -ETIMEDOUT : timer_arm(&t->timer, deadline_ns); /* C-TIME-2 */
        if (r < 0) {
            if (next != NULL)
                thread_wake(next);
            return r;
        }
    }
    t->timed_out = false;
    t->state = THREAD_BLOCKED;
    if (next != NULL) {
        next->timed_out = false;
        switch_to(next);
    } else {
        sched_switch_away();
    }
    if (deadline_ns != UINT64_MAX)
        timer_cancel(&t->timer);
    if (thread_interrupted(t))
        return -EINTR;
    return t->timed_out ? -ETIMEDOUT : 0;
}

int thread_block(uint64_t deadline_ns)
{
    struct thread *t = self_thread();

    if (thread_interrupted(t))
        return -EINTR;
    if (t->woken) { /* C-MSG-6 */
        t->woken = false;
        return 0;
    }
    return block(t, NULL, deadline_ns);
}

/* The short way only where the long one leads to the same: nobody else waits
 * for the CPU whose turn would come first. */
int thread_hand_over(struct thread *next, uint64_t deadline_ns)
{
    struct thread *t = self_thread();

    if (next->state == THREAD_BLOCKED && sched.ready >> next->priority == 0 && !t->woken && !thread_interrupted(t))
        return block(t, next, deadline_ns);
    thread_wake(next);
    return thread_block(deadline_ns);
}

void thread_wake(struct thread *t)
{
    t->timed_out = false;
    if (t->state == THREAD_BLOCKED) {
        t->state = THREAD_READY;
        run_insert(t, false);
        preempt_check(t->priority);
    } else if (t->state == THREAD_RUNNING) {
        t->woken = true;
    }
}

void waitq_wake_all(struct waitq *q)
{
    for (struct wait_entry *e = q->head; e != NULL; e = e->next)
        thread_wake(e->thread);
}

/* --- priorities --- */

static void priority_set(struct thread *t, unsigned priority)
{
    if (t->state == THREAD_READY) {
        run_remove(t);
        t->priority = (uint8_t)priority;
        run_insert(t, false);
        preempt_check(priority);
    } else {
        t->priority = (uint8_t)priority;
        if (t->state == THREAD_RUNNING && sched.ready >> priority > 1)
            this_cpu()->need_resched = 1;
    }
}

/* A thread runs at its own priority or the best of those that callers lend it,
 * and passes it on along its own call. */
void thread_recompute_priority(struct thread *t)
{
    for (unsigned depth = 0; t != NULL && depth < LEND_DEPTH_MAX; depth++) {
        unsigned priority = t->base;
        for (struct call *c = t->lenders; c != NULL; c = c->lend_next)
            if (c->caller->priority > priority)
                priority = c->caller->priority;
        if (priority == t->priority)
            return;
        priority_set(t, priority);
        t = t->call.server;
    }
}

void thread_set_base(struct thread *t, unsigned priority)
{
    t->base = (uint8_t)priority;
    thread_recompute_priority(t);
}
