/* SPDX-License-Identifier: MIT
 *
 * kernel/thread.c: threads, run queues, the idle loop, wait queues.
 *
 * Owns: struct sched (run queues by priority, thread table, who is in the FPU),
 * every context switch. Called from system calls, polls and timers (thread
 * context); nothing here is called from a hard interrupt.
 *
 * A thread that blocks with nobody else to run stays on its own stack and
 * halts there: when its own wake-up ends the halt, which is the usual case for
 * a server, no switch has happened at all.
 */
#include <kernel/log.h>
#include <kernel/irq.h>
#include <kernel/proc.h>
#include <kernel/random.h>
#include <kernel/syscall.h>

struct sched {
    uint32_t ready; /* bit p: queue p is not empty */
    struct thread *head[PRIO_COUNT], *tail[PRIO_COUNT];
    struct thread *fpu_owner;           /* whose registers the FPU holds */
    struct address_space *loaded;       /* whose page tables are in CR3; NULL: the kernel's */
    struct thread *reap;                /* left its stack for good */
    uint64_t switched_at;               /* TSC when the current thread got the CPU */
    uint64_t idle_cycles;
    uint64_t slice_end_tsc;             /* end of the slice counted; 0: none */
    uint32_t next_id, next_index, count;
    struct thread boot; /* until sched_idle */
    struct thread idle; /* current while the CPU has nothing to run */
};
static struct sched sched;
struct thread *thread_table[THREADS_MAX];

/* switch.S */
void switch_stacks(uint64_t *save_rsp, uint64_t load_rsp);
extern char thread_entry[];
void thread_begin(void);

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

static void finish_switch(void)
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
    c->need_resched = next->dying || (sched.ready >> next->priority != 0 && tsc >= sched.slice_end_tsc);
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
    finish_switch();
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

/* The current thread is not running any more (blocked or dead). */
static void switch_away(void)
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
    if (self->dying)
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
        if (c->need_resched) {
            c->need_resched = 0;
            preempt();
        }
    }
}

/* --- blocking and waking --- */

int thread_block(uint64_t deadline_ns)
{
    struct thread *t = self_thread();
    int r = 0;

    if (t->dying)
        return -EINTR;
    if (t->woken) {
        t->woken = false;
        return 0;
    }
    if (deadline_ns != UINT64_MAX) {
        if (deadline_ns <= now_ns())
            return -ETIMEDOUT;
        r = timer_arm(&t->timer, deadline_ns);
        if (r < 0)
            return r;
    }
    t->timed_out = false;
    t->state = THREAD_BLOCKED;
    switch_away();
    if (deadline_ns != UINT64_MAX)
        timer_cancel(&t->timer);
    if (t->dying)
        return -EINTR;
    return t->timed_out ? -ETIMEDOUT : 0;
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

static void deadline_passed(void *arg)
{
    struct thread *t = arg;

    if (t->state != THREAD_BLOCKED)
        return;
    thread_wake(t);
    t->timed_out = true;
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

/* --- birth and death --- */

static bool table_enter(struct thread *t)
{
    for (uint32_t i = 0; i < THREADS_MAX; i++) {
        uint32_t index = (sched.next_index + i) % THREADS_MAX;
        if (thread_table[index] != NULL)
            continue;
        thread_table[index] = t;
        sched.next_index = index + 1;
        sched.count++;
        t->index = index;
        t->id = ++sched.next_id;
        return true;
    }
    return false;
}

static bool fpu_area_new(struct thread *t)
{
    t->fpu_memory = kzalloc(cpu.xsave_bytes + 63);
    if (t->fpu_memory == NULL)
        return false;
    t->fpu = (void *)(((uintptr_t)t->fpu_memory + 63) & ~(uintptr_t)63);
    fpu_init_area(t->fpu);
    return true;
}

/* One that could not be made whole. */
static void thread_discard(struct thread *t, struct process *p)
{
    if (p != NULL)
        process_uncharge(p, THREAD_CHARGE_BYTES);
    if (t == NULL)
        return;
    if (t->kstack_top != NULL)
        kstack_free(t->kstack_top);
    kfree(t->fpu_memory);
    kfree(t);
}

/* A thread that waits for thread_start. NULL when memory or the table is out. */
struct thread *thread_new(struct process *p, unsigned priority)
{
    struct thread *t;
    uint64_t *stack;

    if (p != NULL && process_charge(p, THREAD_CHARGE_BYTES) < 0)
        return NULL;
    t = kzalloc(sizeof *t);
    if (t != NULL)
        t->kstack_top = kstack_alloc();
    if (t == NULL || t->kstack_top == NULL || (p != NULL && !fpu_area_new(t)) || !table_enter(t)) {
        thread_discard(t, p);
        return NULL;
    }
    t->process = p;
    t->state = THREAD_BLOCKED;
    t->base = t->priority = (uint8_t)priority;
    t->call.caller = t;
    timer_init(&t->timer, deadline_passed, t);
    /* What switch_stacks pops: six registers and a return address. The frame
     * above it is what thread_entry returns to ring 3 with. */
    t->start = (struct trap_frame *)t->kstack_top - 1;
    stack = (uint64_t *)t->start;
    *--stack = (uint64_t)(uintptr_t)thread_entry;
    for (int i = 0; i < 6; i++)
        *--stack = 0;
    t->rsp = (uint64_t)(uintptr_t)stack;
    if (p != NULL) {
        object_ref(&p->object);
        t->sibling = p->threads;
        p->threads = t;
        p->nthreads++;
    }
    return t;
}

void thread_start(struct thread *t)
{
    thread_wake(t);
}

int64_t thread_new_user(struct process *p, uint64_t ip, uint64_t sp, uint64_t arg, uint64_t fs, unsigned priority)
{
    struct thread *t;

    if (p->nthreads >= PROCESS_THREADS_MAX)
        return -EAGAIN;
    t = thread_new(p, priority);
    if (t == NULL)
        return -ENOMEM;
    *t->start = (struct trap_frame){
        .rdi = arg, .rip = ip, .cs = SEL_UCODE, .rflags = 0x202, .rsp = sp, .ss = SEL_UDATA,
    };
    t->fs_base = fs;
    thread_start(t);
    return t->id;
}

struct thread *kthread_create(void (*fn)(void *), void *arg, const char *name, unsigned priority)
{
    struct thread *t = thread_new(NULL, priority);

    if (t == NULL)
        return NULL;
    t->fn = fn;
    t->arg = arg;
    t->name = name;
    thread_start(t);
    return t;
}

/* First C code of every thread but the boot thread. Coming back leads to ring 3
 * through trap_return. */
void thread_begin(void)
{
    struct thread *t = self_thread();

    finish_switch();
    irq_enable();
    if (t->fn != NULL) {
        t->fn(t->arg);
        thread_leave();
    }
}

void thread_leave(void)
{
    struct thread *t = self_thread();
    struct process *p = t->process;

    timer_cancel(&t->timer);
    call_forget_server(t);
    thread_table[t->index] = NULL;
    sched.count--;
    if (sched.fpu_owner == t)
        sched.fpu_owner = NULL;
    if (p != NULL) {
        struct thread **link = &p->threads;
        while (*link != t)
            link = &(*link)->sibling;
        *link = t->sibling;
        p->dead_cycles += thread_cycles(t);
        process_uncharge(p, THREAD_CHARGE_BYTES);
        if (--p->nthreads == 0) {
            sched.loaded = NULL;
            as_switch(NULL);
            process_finish(p);
        }
        t->process = NULL;
        object_unref(&p->object);
    }
    t->state = THREAD_DEAD;
    sched.reap = t;
    switch_away();
    panic("a dead thread ran");
}

void sched_init(void)
{
    struct percpu *c = this_cpu();
    struct thread *t = &sched.boot;

    t->name = "boot";
    t->state = THREAD_RUNNING;
    t->base = t->priority = PRIO_NORMAL;
    t->call.caller = t;
    timer_init(&t->timer, deadline_passed, t);
    table_enter(t);
    sched.idle.name = "idle";
    sched.idle.call.caller = &sched.idle;
    sched.switched_at = rdtsc();
    c->current = t;
    c->idle = &sched.idle;
    syscall_init();
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
