/* SPDX-License-Identifier: MIT
 *
 * kernel/thread.c: how threads begin and end.
 *
 * Owns: the thread table, what a new thread's stack holds, the boot thread.
 * Called by: spawn, system calls, the way back to ring 3. Context: thread.
 */
#include <kernel/log.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>

struct thread *thread_table[THREADS_MAX];

extern char thread_entry[]; /* switch.S */
void thread_begin(void);

static void deadline_passed(void *arg)
{
    struct thread *t = arg;

    if (t->state != THREAD_BLOCKED)
        return;
    thread_wake(t);
    t->timed_out = true;
}

static bool table_enter(struct thread *t)
{
    for (uint32_t i = 0; i < THREADS_MAX; i++) {
        uint32_t index = (sched_shared.next_index + i) % THREADS_MAX;
        if (thread_table[index] != NULL)
            continue;
        thread_table[index] = t;
        sched_shared.next_index = index + 1;
        sched_shared.count++;
        t->index = index;
        t->id = ++sched_shared.next_id;
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
    t->cpu = this_cpu()->cpu;
    t->fpu_cpu = UINT32_MAX;
    t->affinity = self_thread()->affinity;
    t->call.caller = t;
    timer_init(&t->timer, deadline_passed, t);
    /* What switch_stacks pops: rbp and a return address. The frame
     * above it is what thread_entry returns to ring 3 with. */
    t->start = (struct trap_frame *)t->kstack_top - 1;
    stack = (uint64_t *)t->start;
    *--stack = (uint64_t)(uintptr_t)thread_entry;
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

int64_t thread_new_user(struct process *p, uint64_t ip, uint64_t sp, uint64_t arg, uint64_t fs,
                        unsigned priority)
{
    struct thread *t;

    /* Too many; or one of them wants to be the last; or all are on their way out,
     * and nobody would tell a new one. */
    if (p->nthreads >= PROCESS_THREADS_MAX || p->alone != NULL || p->dying)
        return -EAGAIN;
    t = thread_new(p, priority);
    if (t == NULL)
        return -ENOMEM;
    *t->start = (struct trap_frame){
        .rdi = arg, .rip = ip, .cs = SEL_UCODE, .rflags = 0x202, .rsp = sp, .ss = SEL_UDATA,
    };
    t->fs_base = fs;
    if (self_thread()->process == p)
        t->signals.mask = self_thread()->signals.mask; /* POSIX: a new thread has its maker's */
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

    sched_finish_switch();
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
    sched_shared.count--;
    if (p != NULL) {
        struct thread **link = &p->threads;
        while (*link != t)
            link = &(*link)->sibling;
        *link = t->sibling;
        p->dead_cycles += thread_cycles(t);
        process_uncharge(p, THREAD_CHARGE_BYTES);
        if (--p->nthreads == 1 && p->alone != NULL)
            thread_wake(p->alone);
        if (p->nthreads == 0) {
            as_switch(NULL);
            process_finish(p);
        } else {
            signal_hand_out(p);
        }
        t->process = NULL;
        object_unref(&p->object);
    }
    /* Last: to finish a process may have taken a while, with others on the CPU. */
    if (this_sched()->fpu_owner == t)
        this_sched()->fpu_owner = NULL; /* a later thread may lie at its address: fpu_cpu tells them apart */
    t->state = THREAD_DEAD;
    this_sched()->reap = t;
    sched_switch_away();
    panic("a dead thread ran");
}

bool sched_init_cpu(struct percpu *c)
{
    static struct sched first;
    struct sched *s = c->cpu == 0 ? &first : kzalloc(sizeof *s);

    if (s == NULL)
        return false;
    s->cpu = c;
    s->idle.name = "idle";
    s->idle.cpu = c->cpu;
    s->idle.call.caller = &s->idle;
    s->switched_at = rdtsc();
    c->sched = s;
    c->idle = &s->idle;
    c->current = &s->idle;
    return true;
}

void sched_init(void)
{
    struct thread *t = &sched_shared.boot;

    (void)sched_init_cpu(this_cpu());
    t->name = "boot";
    t->state = THREAD_RUNNING;
    t->base = t->priority = PRIO_NORMAL;
    t->affinity = UINT64_MAX;
    t->call.caller = t;
    timer_init(&t->timer, deadline_passed, t);
    table_enter(t);
    this_cpu()->current = t;
    syscall_init();
}
