/* SPDX-License-Identifier: MIT
 *
 * kernel/thread.h: threads, the scheduler, waiting.
 *
 * Owns: run queues, context switches, wait queues.
 *
 * The kernel is not pre-empted: a thread in ring 0 runs until it blocks or
 * returns to ring 3; only hard interrupts come in between, and they touch
 * nothing of this. With several CPUs, one at a time is in thread or poll context
 * (the kernel lock, kernel/lock.h). So code there needs no lock against other
 * such code, but a thread may wake up on another CPU than it blocked on: nothing
 * that belongs to a CPU is kept over a block. Ring 3 is pre-empted at every
 * interrupt.
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct thread;
struct process;

/* A list of waiting threads. A thread may be on several queues at once (wait
 * on many handles) through one wait_entry each. */
struct wait_entry {
    struct thread *thread;
    struct wait_entry *next, **prev;
};
struct waitq {
    struct wait_entry *head;
};

static inline void waitq_add(struct waitq *q, struct wait_entry *e)
{
    e->prev = &q->head;
    e->next = q->head;
    if (q->head != NULL)
        q->head->prev = &e->next;
    q->head = e;
}
static inline void waitq_remove(struct wait_entry *e) /* idempotent */
{
    if (e->prev == NULL)
        return;
    *e->prev = e->next;
    if (e->next != NULL)
        e->next->prev = e->prev;
    e->prev = NULL;
}
void waitq_wake_all(struct waitq *q);
/* Wakes all on the queue; they check their conditions again. Thread or poll
 * context. A wake-up before thread_block makes that block return at once. */
static inline void waitq_wake(struct waitq *q)
{
    if (q->head != NULL)
        waitq_wake_all(q);
}

/* Makes the boot context a thread (it may block and be woken from then on) and
 * readies the system-call entry. After cpu_init and kmalloc. */
void sched_init(void);
/* The boot thread's last act: it becomes the idle thread of this CPU. */
void sched_idle(void) __attribute__((noreturn));
void sched_idle_other(void) __attribute__((noreturn)); /* another CPU's first thread */
struct thread *thread_current(void);
/* Blocks until woken, deadline (absolute ns, UINT64_MAX none) or kill. Returns
 * 0 woken, -ETIMEDOUT, -EINTR when the process is dying. The pattern:
 *   waitq_add(); while (!condition) { r = thread_block(deadline); if (r) break; }
 *   waitq_remove();                                                            */
int thread_block(uint64_t deadline_ns);
void thread_wake(struct thread *t);
void thread_raise(struct thread *t); /* by one, until it has had a time slice */
/* thread_wake(next) and thread_block(deadline) in one, which saves the trip
 * through the run queue when next would run now anyway. */
int thread_hand_over(struct thread *next, uint64_t deadline_ns);
/* Binds the calling thread, and those that it will start, to the CPUs of a mask.
 * -EINVAL when none of them is online. */
int thread_bind(uint64_t mask);
void schedule(void); /* give up the CPU to the best runnable thread */
/* In long work of a system call, at a point where all is in order: due polls and
 * timers run, and threads that should run first do. Thread context. */
void thread_breathe(void);
/* Kernel threads, for self-tests and idle. */
struct thread *kthread_create(void (*fn)(void *), void *arg, const char *name, unsigned priority);
/* The way back to ring 3, called by every entry stub: runs due timers and
 * polls, reschedules, ends a killed thread. Returns with interrupts off and
 * nothing pending, so that the stub can go straight to iretq or sysret. */
void return_to_user(void);

#endif
