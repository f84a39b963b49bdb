/* SPDX-License-Identifier: MIT
 *
 * kernel/signal.h: signals.
 *
 * Owns: which signals wait for a process or a thread, who catches what, the
 * frames on user stacks, the alarm of a process. Context: thread and poll.
 */
#ifndef KERNEL_SIGNAL_H
#define KERNEL_SIGNAL_H

#include <kernel/thread.h>
#include <kernel/time.h>
#include <slipway/signal.h>

struct trap_frame;

/* In struct process. */
struct process_signals {
    uint64_t entry;
    uint32_t caught, ignored;
    uint32_t pending; /* for whichever thread takes them */
    uint32_t sender[SIGNAL_MAX + 1];
    uint8_t reason[SIGNAL_MAX + 1];
    uint32_t children_ended; /* counts up, without the top bit */
    struct waitq waiters;    /* threads in signal_wait */
    struct timer alarm;
    uint64_t alarm_ns, interval_ns; /* when it is due (0: not set), and then how often */
};

/* In struct thread. */
struct thread_signals {
    uint32_t pending, mask;
    uint32_t saved;   /* mask to come back to after a signal_wait */
    bool restore;     /* `saved` counts */
    bool due;         /* return_to_user has something to deliver; blocking calls end with -EINTR */
    uint64_t address; /* of the last fault */
};

/* To process p, from a process (0: the kernel). Any number from 1 to SIGNAL_MAX. */
void signal_post(struct process *p, uint32_t signal, uint32_t sender, uint32_t reason);
/* A fault in ring 3: true when the process catches it. */
bool signal_fault(const struct trap_frame *f, uint64_t address);
/* return_to_user, when the thread's signals.due is set. */
void signal_deliver(struct thread *t);

/* signal_frame.c asks: what ends the process now (0: nothing); a new mask, which
 * gives the old one. */
uint32_t signal_fatal(const struct thread *t);
uint32_t signal_mask_set(struct thread *t, uint32_t mask);
/* A wait with another mask is over: the old one comes back, at once or, when a
 * signal is due, with its handler's frame. */
void signal_wait_over(struct thread *t, uint32_t old);

void signal_process_init(struct process *p);
/* fork: who catches what; the one thread's mask. Nothing is pending. */
void signal_forked(struct process *child, struct thread *thread, const struct process *parent);
/* exec: what was caught gets its default action; ignored and blocked ones stay so. */
void signal_execed(struct process *p);
/* p has ended: its alarm is off, its parent is told. */
void signal_ended(struct process *p);
/* A thread has left, or takes nothing for a while: others look after what waits
 * for the process. */
void signal_hand_out(struct process *p);

#endif
