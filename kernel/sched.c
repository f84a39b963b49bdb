/* SPDX-License-Identifier: MIT
 *
 * kernel/sched.c: run queues, the idle loop, waiting and waking.
 *
 * Owns: struct sched (run queues by priority, slices, who is in the FPU) of each
 * CPU, every context switch. Called from system calls, polls and timers (thread
 * context, kernel lock); nothing here is called from a hard interrupt.
 *
 * While there is one CPU, a thread that blocks with nobody else to run stays on
 * its own stack and halts there: when its own wake-up ends the halt, which is the
 * usual case for a server, no switch has happened at all. With several, every CPU
 * halts as its idle thread, so that a woken thread may run anywhere.
 */
#include <kernel/irq.h>
#include <kernel/lock.h>
#include <kernel/random.h>
#include <kernel/sched.h>
#include <kernel/smp.h>

struct sched_shared sched_shared;

/* A thread that does not run has its frame pointer and where it goes on on top of
 * its stack (thread_new builds the same by hand); other registers are the
 * compiler's to save, where it needs them. */
static inline void switch_stacks(uint64_t *save_rsp, uint64_t load_rsp)
{
    __asm__ volatile("leaq 1f(%%rip), %%rax\n"
                     "pushq %%rax\n"
                     "pushq %%rbp\n"
                     "movq %%rsp, (%%rdi)\n"
                     "movq %%rsi, %%rsp\n"
                     "popq %%rbp\n"
                     "ret\n"
                     "1:"
                     : "+D"(save_rsp), "+S"(load_rsp)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc",
                       "memory");
}

struct thread *thread_current(void)
{
    return self_thread();
}

struct sched *sched_of(uint32_t cpu)
{
    return smp_cpu[cpu]->sched;
}

uint32_t sched_thread_count(void)
{
    return sched_shared.count;
}

uint64_t sched_idle_cycles(uint32_t cpu)
{
    const struct sched *s = sched_of(cpu);
    uint64_t since = s->halted_at; /* another CPU may sleep for hours: that counts, too */

    return s->idle_cycles + (since != 0 ? rdtsc() - since : 0);
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
    const struct percpu *c = smp_cpu[t->cpu];
    uint64_t since = c->sched->switched_at, now;

    if (c->current != t)
        return t->cycles;
    now = rdtsc();
    return t->cycles + (now > since ? now - since : 0); /* another CPU's TSC may be a little ahead */
}

/* --- run queues --- */

void run_insert(struct sched *s, struct thread *t, bool front)
{
    unsigned p = t->priority;

    t->cpu = s->cpu->cpu;
    if (s->head[p] == NULL) {
        t->run_next = t->run_prev = NULL;
        s->head[p] = s->tail[p] = t;
        s->ready |= 1u << p;
    } else if (front) {
        t->run_prev = NULL;
        t->run_next = s->head[p];
        s->head[p]->run_prev = t;
        s->head[p] = t;
    } else {
        t->run_next = NULL;
        t->run_prev = s->tail[p];
        s->tail[p]->run_next = t;
        s->tail[p] = t;
    }
}

void run_remove(struct sched *s, struct thread *t)
{
    unsigned p = t->priority;

    if (t->run_prev != NULL)
        t->run_prev->run_next = t->run_next;
    else
        s->head[p] = t->run_next;
    if (t->run_next != NULL)
        t->run_next->run_prev = t->run_prev;
    else
        s->tail[p] = t->run_prev;
    if (s->head[p] == NULL)
        s->ready &= ~(1u << p);
}

static inline struct thread *run_take(struct sched *s)
{
    unsigned p = run_best(s);
    struct thread *t = s->head[p];

    s->head[p] = t->run_next;
    if (t->run_next != NULL) {
        t->run_next->run_prev = NULL;
    } else {
        s->tail[p] = NULL;
        s->ready ^= 1u << p;
    }
    return t;
}

/* Has the running slice ended, or has none been started? Judged by the TSC, a
 * little early, so that the slice's interrupt never comes before its end. */
static inline bool slice_over(const struct sched *s)
{
    return rdtsc() >= s->slice_end_tsc;
}

/* A thread of `priority` has become ready: does the current one have to give
 * way, or to start counting its slice? return_to_user will see to it. */
static inline void preempt_check(struct sched *s, unsigned priority)
{
    unsigned mine = self_thread()->priority;

    if (priority > mine || (priority == mine && slice_over(s)))
        s->cpu->need_resched = 1;
    else if (priority < mine && !s->looking)
        starvation_look(s);
}

static inline void make_ready_here(struct sched *s, struct thread *t)
{
    t->state = THREAD_READY;
    run_insert(s, t, false);
    preempt_check(s, t->priority);
}

void make_ready(struct sched *s, struct thread *t, bool front)
{
    t->state = THREAD_READY;
    run_insert(s, t, front);
    if (s == this_sched()) {
        preempt_check(s, t->priority);
    } else {
        sched_shared.idle_cpus &= ~(1ull << s->cpu->cpu);
        smp_kick(s->cpu->cpu);
    }
}

/* --- the switch --- */

void sched_finish_switch(void)
{
    struct sched *s = this_sched();
    struct thread *t = s->reap;

    if (t == NULL)
        return;
    s->reap = NULL;
    kstack_free(t->kstack_top);
    kfree(t->fpu_memory);
    kfree(t);
}

/* The registers of a thread may stay in the FPU after it; when they do, the CPU
 * that has them is thread.fpu_cpu. With several CPUs they are saved at once,
 * because the thread may go on elsewhere. */
static inline void fpu_leave(struct sched *s, struct thread *prev)
{
    if (smp_count > 1 && prev->process != NULL && s->fpu_owner == prev)
        fpu_save(prev->fpu);
}

static inline void fpu_enter(struct sched *s, struct thread *next, uint32_t cpu)
{
    if (s->fpu_owner == next && next->fpu_cpu == cpu)
        return;
    if (smp_count == 1 && s->fpu_owner != NULL)
        fpu_save(s->fpu_owner->fpu);
    fpu_restore(next->fpu);
    s->fpu_owner = next;
    next->fpu_cpu = cpu;
}

/* The choice of `next` has just been made; what is left to do on the way to ring
 * 3? Taken back first: a slice's end that comes meanwhile is not lost. */
static inline void look_ahead(struct percpu *c, struct sched *s, const struct thread *next)
{
    c->need_resched = 0;
    if (thread_interrupted(next) || (s->ready >> next->priority != 0 && slice_over(s)))
        c->need_resched = 1;
    if (s->ready != 0 && !s->looking)
        starvation_look(s);
}

static void switch_to(struct thread *next)
{
    struct percpu *c = this_cpu();
    struct sched *s = c->sched;
    struct thread *prev = c->current;
    uint64_t tsc = rdtsc();

    prev->cycles += tsc - s->switched_at;
    s->switched_at = tsc;
    c->context_switches++;
    c->current = next;
    next->state = THREAD_RUNNING;
    next->cpu = c->cpu;
    look_ahead(c, s, next);
    fpu_leave(s, prev);
    if (next->process != NULL) {
        cpu_set_kernel_stack(c, next->kstack_top);
        as_switch(next->process->as);
        /* Always: ring 3 may have cleared the base by loading a selector. */
        wrmsr(MSR_FS_BASE, next->fs_base);
        fpu_enter(s, next, c->cpu);
    }
    switch_stacks(&prev->rsp, next->rsp); /* prev may go on on another CPU */
    sched_finish_switch();
}

static inline void run_work(void)
{
    timers_run();
    poll_run_pending();
}

/* Releases the kernel lock and halts until an interrupt has left work. */
static void halt(struct percpu *c, struct sched *s)
{
    sched_shared.idle_cpus |= 1ull << c->cpu;
    kernel_unlock();
    irq_disable();
    while ((c->polls_pending | c->need_resched) == 0) {
        uint64_t start = rdtsc();

        s->halted_at = start;
        __asm__ volatile("sti; hlt" ::: "memory"); /* sti takes effect after hlt has begun */
        s->idle_cycles += rdtsc() - start;
        s->halted_at = 0;
        irq_disable();
    }
    irq_enable();
    kernel_lock();
    sched_shared.idle_cpus &= ~(1ull << c->cpu);
    random_event();
}

/* Halts until somebody is ready. Runs on the stack of whoever blocked last, but
 * as the idle thread: polls behave differently when nobody waits for the CPU. */
static void idle_until_ready(void)
{
    struct percpu *c = this_cpu();
    struct sched *s = c->sched;
    struct thread *self = c->current;

    self->cycles += rdtsc() - s->switched_at;
    c->current = c->idle;
    if (s->slice_end_tsc != 0) { /* nobody is left to take turns with */
        s->slice_end_tsc = 0;
        slice_arm(0);
    }
    while (s->ready == 0 && (smp_count == 1 || !sched_steal(s))) {
        c->need_resched = 0; /* ready has been looked at since */
        if (c->polls_pending == 0) {
            halt(c, s);
        } else if (c->kernel_locked) { /* polls may go on for long: not at the others' cost */
            kernel_unlock();
            kernel_lock();
        }
        run_work();
    }
    c->current = self;
    c->need_resched = 0;
    s->switched_at = rdtsc();
}

static inline void switch_away(struct sched *s, struct thread *self)
{
    struct thread *next;

    if (s->ready == 0) {
        if (self->state == THREAD_DEAD || (smp_count > 1 && !sched_steal(s))) {
            switch_to(s->cpu->idle);
            return;
        }
        if (smp_count == 1)
            idle_until_ready();
    }
    next = run_take(s);
    if (next != self) {
        switch_to(next);
        return;
    }
    self->state = THREAD_RUNNING;
    look_ahead(s->cpu, s, self);
}

void sched_switch_away(void)
{
    switch_away(this_sched(), self_thread());
}

void schedule(void)
{
    struct sched *s = this_sched();
    struct thread *self = self_thread();

    if (s->ready == 0 || run_best(s) < self->priority)
        return;
    self->state = THREAD_READY;
    run_insert(s, self, false);
    switch_to(run_take(s));
}

/* To another CPU, at once. */
void sched_move(struct sched *to)
{
    struct sched *s = this_sched();
    struct thread *self = self_thread();

    make_ready(to, self, false); /* its CPU waits for the kernel lock until we are off the stack */
    switch_to(s->ready != 0 ? run_take(s) : s->cpu->idle);
}

static void slice_start(struct sched *s)
{
    uint64_t cycles = tsc_hz() / 1000 * (SLICE_NS / NS_PER_MS);

    s->slice_end_tsc = rdtsc() + cycles - cycles / 8;
    slice_arm(now_ns() + SLICE_NS);
}

/* need_resched was set: somebody better is ready, or the slice has ended, or
 * one has to be started because others of this priority wait. */
static void preempt(void)
{
    struct sched *s = this_sched();
    struct thread *self = self_thread();

    if (s->ready == 0)
        return;
    if (run_best(s) > self->priority) {
        self->state = THREAD_READY;
        run_insert(s, self, true); /* keeps its turn */
        switch_to(run_take(s));
    } else if (slice_over(s)) {
        /* The slice is not started anew at each switch, so its end may hit a
         * thread that has had only a part; that one gets another. */
        uint64_t had = rdtsc() - s->switched_at;
        bool ended = s->slice_end_tsc != 0 && had >= tsc_hz() / 2000 * (SLICE_NS / NS_PER_MS);
        if (ended && self->boost != 0)
            boost_end(self); /* it has had its slice */
        if (run_best(s) < self->priority) {
            if (!s->looking)
                starvation_look(s);
            return;
        }
        slice_start(s);
        if (ended)
            schedule();
    }
}

/* Nothing is left to do. Others may take what this CPU has no time for. */
static inline void leave_kernel(struct percpu *c)
{
    if (c->sched->ready != 0 && sched_shared.idle_cpus != 0)
        sched_share(c->sched);
    kernel_unlock();
}

void thread_breathe(void)
{
    struct percpu *c = this_cpu();

    if (c->polls_pending != 0)
        run_work();
    if (c->kernel_locked) { /* the lock is fair: another CPU that waits gets it */
        kernel_unlock();
        kernel_lock();
    }
    if (c->need_resched) {
        c->need_resched = 0;
        preempt();
    }
    if (thread_interrupted(self_thread())) /* return_to_user is to see it */
        this_cpu()->need_resched = 1;
}

void return_to_user(void)
{
    for (;;) {
        struct percpu *c;
        struct thread *t;
        bool resched;

        irq_disable();
        c = this_cpu(); /* anew: preempt() may come back on another CPU */
        if ((c->need_resched | c->polls_pending) == 0) {
            if (c->kernel_locked)
                leave_kernel(c);
            return;
        }
        irq_enable();
        kernel_lock();
        if (c->polls_pending != 0) {
            random_event();
            run_work();
        }
        /* Taken back first: what happens from here on may set it again. */
        resched = c->need_resched;
        if (resched)
            c->need_resched = 0;
        t = c->current;
        if (t->dying)
            thread_leave();
        if (t->signals.due)
            signal_deliver(t);
        if (resched)
            preempt();
    }
}

static void __attribute__((noreturn)) idle_loop(void)
{
    struct sched *s = this_sched();

    irq_enable();
    for (;;) {
        if (s->ready == 0)
            idle_until_ready();
        switch_to(run_take(s));
    }
}

static void idle_begin(void)
{
    sched_finish_switch();
    idle_loop();
}

/* CPU 0 as one of several halts on a stack of its idle thread's own. */
bool sched_idle_apart(void)
{
    struct thread *idle = this_cpu()->idle;
    uint64_t *stack = kstack_alloc();

    if (stack == NULL)
        return false;
    *--stack = 0; /* where a caller's address would be */
    *--stack = (uint64_t)(uintptr_t)idle_begin;
    *--stack = 0; /* the frame pointer that switch_stacks pops */
    idle->rsp = (uint64_t)(uintptr_t)stack;
    return true;
}

void sched_idle(void)
{
    struct percpu *c = this_cpu();

    thread_table[sched_shared.boot.index] = NULL;
    sched_shared.count--;
    if (c->idle->rsp != 0) {
        sched_shared.boot.state = THREAD_DEAD;
        sched_switch_away();
    }
    c->current = c->idle; /* the boot stack is the idle thread's from here on */
    idle_loop();
}

void sched_idle_other(void)
{
    irq_enable();
    kernel_lock();
    idle_loop();
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
    if (t->boost != 0)
        boost_end(t);
    t->state = THREAD_BLOCKED;
    if (next != NULL) {
        next->timed_out = false;
        switch_to(next);
    } else {
        switch_away(this_sched(), t);
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
    const struct percpu *c = this_cpu();

    if (next->state == THREAD_BLOCKED && c->sched->ready >> next->priority == 0 && !t->woken &&
        !thread_interrupted(t) && (next->affinity >> c->cpu & 1))
        return block(t, next, deadline_ns);
    t->giving_way = true;
    thread_wake(next);
    t->giving_way = false;
    return thread_block(deadline_ns);
}

static __attribute__((noinline)) void wake_somewhere(struct thread *t)
{
    make_ready(place(t), t, false);
}

void thread_wake(struct thread *t)
{
    t->timed_out = false;
    if (t->state == THREAD_BLOCKED) {
        if (smp_count == 1)
            make_ready_here(this_sched(), t);
        else
            wake_somewhere(t);
    } else if (t->state == THREAD_RUNNING) {
        t->woken = true;
    }
}

void waitq_wake_all(struct waitq *q)
{
    for (struct wait_entry *e = q->head; e != NULL; e = e->next)
        thread_wake(e->thread);
}

/* Its way to ring 3 shall be looked at again. */
void thread_kick(struct thread *t)
{
    if (t == self_thread())
        this_cpu()->need_resched = 1;
    else if (t->state == THREAD_RUNNING)
        smp_kick(t->cpu);
    else
        thread_wake(t);
}

/* --- priorities --- */

static void priority_set(struct thread *t, unsigned priority)
{
    struct sched *s = sched_of(t->cpu);

    if (t->state == THREAD_READY) {
        run_remove(s, t);
        t->priority = (uint8_t)priority;
        make_ready(s, t, false);
    } else {
        t->priority = (uint8_t)priority;
        if (t->state == THREAD_RUNNING && s->ready >> priority > 1) {
            if (s == this_sched())
                s->cpu->need_resched = 1;
            else
                smp_kick(t->cpu);
        }
    }
}

/* A thread runs at its own priority or the best of those that callers lend it,
 * and passes it on along its own call. */
void thread_recompute_priority(struct thread *t)
{
    for (unsigned depth = 0; t != NULL && depth < LEND_DEPTH_MAX; depth++) {
        unsigned priority = t->base > t->boost ? t->base : t->boost;
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
