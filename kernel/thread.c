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

int64_t thread_new_user(struct process *p, uint64_t ip, uint64_t sp, uint64_t arg, uint64_t fs,
                        unsigned priority)
{
    struct thread *t;

    if (p->nthreads >= PROCESS_THREADS_MAX || p->alone != NULL)
        return -EAGAIN; /* too many, or one of them wants to be the last */
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
        if (--p->nthreads == 1 && p->alone != NULL)
            thread_wake(p->alone);
        if (p->nthreads == 0) {
            sched.loaded = NULL;
            as_switch(NULL);
            process_finish(p);
        } else {
            signal_hand_out(p);
        }
        t->process = NULL;
        object_unref(&p->object);
    }
    t->state = THREAD_DEAD;
    sched.reap = t;
    sched_switch_away();
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
