/* SPDX-License-Identifier: MIT
 *
 * kernel/sched.h: the scheduler's state.
 *
 * Owns: struct sched. Private to sched.c (who runs) and thread.c (birth and
 * death of threads). Context: thread.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include <kernel/proc.h>

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
extern struct sched sched;

/* The current thread is not running any more (blocked or dead). */
void sched_switch_away(void);
/* The first thing on a stack that has just got the CPU. */
void sched_finish_switch(void);

#endif
