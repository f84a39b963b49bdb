/* SPDX-License-Identifier: MIT
 *
 * kernel/sched.h: the scheduler's state.
 *
 * Owns: struct sched, one for each CPU. Private to sched.c (who runs), balance.c
 * (on which CPU, and that everybody does) and thread.c (birth and death of
 * threads). Context: thread or poll; the kernel lock guards all of it, also what
 * belongs to other CPUs.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include <kernel/proc.h>

/* How long a ready thread may wait for those of higher priority: looked at twice
 * within this time, and a person or a peer's retransmission timer (RFC 6298, one
 * second) is the measure. */
#define STARVED_NS NS_PER_S

struct sched {
    uint32_t ready; /* bit p: queue p is not empty */
    struct thread *head[PRIO_COUNT], *tail[PRIO_COUNT];
    struct percpu *cpu;
    struct thread *fpu_owner;           /* whose registers the FPU holds, or once held */
    struct thread *reap;                /* left its stack for good */
    volatile uint64_t halted_at;        /* TSC when the CPU halted, 0: it runs */
    uint64_t switched_at;               /* TSC when the current thread got the CPU */
    uint64_t idle_cycles;
    uint64_t slice_end_tsc;             /* end of the slice counted; 0: none */
    /* Who is at the head of each queue, and how long it has run, at the last look. */
    struct {
        uint32_t thread;
        uint64_t cycles;
    } seen[PRIO_COUNT];
    struct timer look;
    bool looking;
    struct thread idle; /* current while the CPU has nothing to run */
};

struct sched_shared {
    uint32_t next_id, next_index, count;
    uint64_t idle_cpus; /* halted, and nobody has put a thread there since */
    struct thread boot; /* until sched_idle */
};
extern struct sched_shared sched_shared;

static inline struct sched *this_sched(void)
{
    return this_cpu()->sched;
}
struct sched *sched_of(uint32_t cpu);

/* The current thread is not running any more (blocked or dead). */
void sched_switch_away(void);
/* The first thing on a stack that has just got the CPU. */
void sched_finish_switch(void);
bool sched_init_cpu(struct percpu *c); /* false when memory is out */
bool sched_idle_apart(void);           /* the same; CPU 0, before there are others */

/* --- sched.c, for balance.c --- */
void run_insert(struct sched *s, struct thread *t, bool front);
void run_remove(struct sched *s, struct thread *t);
/* t becomes ready on s; who runs there is told. */
void make_ready(struct sched *s, struct thread *t, bool front);
void sched_move(struct sched *to); /* the current thread goes on there */
static inline unsigned run_best(const struct sched *s) /* ready is not 0 */
{
    return 31u - (unsigned)__builtin_clz(s->ready);
}

/* --- balance.c --- */
struct sched *place(struct thread *t); /* more than one CPU: where shall it run? */
bool sched_steal(struct sched *s);     /* takes a thread from another CPU's queue */
void sched_share(struct sched *s);     /* gives one to a CPU that is idle */
void starvation_look(struct sched *s); /* threads wait behind better ones: look again */
void boost_end(struct thread *t);

#endif
