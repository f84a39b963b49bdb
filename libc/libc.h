/* SPDX-License-Identifier: MIT
 *
 * libc/libc.h: what the parts of libc offer each other.
 *
 * Owns: the small lock used everywhere in libc, and prototypes that no program
 * sees. Context: any thread.
 */
#ifndef LIBC_LIBC_H
#define LIBC_LIBC_H

#include "syscall.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than one thread has been started: locks and sleeps must be shared. */
extern uint32_t __libc_threaded;

/* The program itself has started one: the other may be the network's helper. */
extern uint32_t __libc_several;

/* A futex mutex: 0 free, 1 taken, 2 taken and somebody sleeps. Nothing calls
 * out of libc, or starts a thread, while it holds one; so the only thread of a
 * process needs none, and the first pthread_create finds none taken. */
typedef uint32_t libc_lock;
void __libc_lock_slow(libc_lock *l);

/* A signal that comes while a thread holds such locks waits until it has dropped
 * the last: its handler may call what needs them. */
struct libc_guard {
    uint32_t held;
    bool deferred;    /* `signal` waits, and all others are blocked */
    bool interrupted; /* a handler without SA_RESTART has run */
    uint32_t signal, reason, sender, mask;
    uint64_t address;
};
extern __thread struct libc_guard __libc_guard;
void __libc_signal_deferred(void);

static inline void libc_lock_take(libc_lock *l)
{
    uint32_t free = 0;
    if (!__libc_threaded)
        return;
    __libc_guard.held++;
    if (!__atomic_compare_exchange_n(l, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        __libc_lock_slow(l);
}
static inline void libc_lock_drop(libc_lock *l)
{
    if (!__libc_threaded)
        return;
    if (__atomic_exchange_n(l, 0, __ATOMIC_RELEASE) == 2)
        sys_futex_wake(l, 1);
    if (--__libc_guard.held == 0 && __libc_guard.deferred)
        __libc_signal_deferred();
}

/* A call that may block begins with the first; after -EINTR the second says
 * whether it is to go on, because all handlers that ran had SA_RESTART. */
static inline void __libc_may_block(void)
{
    __libc_guard.interrupted = false;
}
static inline bool __libc_restarts(void)
{
    return !__libc_guard.interrupted;
}

/* Sleep while *word == value. 0 (also for no reason), or -ETIMEDOUT once the
 * deadline has passed. */
int __libc_futex_wait(uint32_t *word, uint32_t value, uint64_t deadline_ns);

/* An absolute time as a deadline for futexes (NULL: never); 0 or EINVAL (mutex.c). */
struct timespec;
int __libc_deadline_of(const struct timespec *ts, bool monotonic, uint64_t *out);

/* CLOCK_MONOTONIC as one reader sees it (time.c); all zero at first. */
struct now_state {
    uint64_t floor; /* nothing earlier is returned */
};
uint64_t __libc_now(struct now_state *s);

void __libc_heap_seed(const uint8_t *random);

/* Locks that fork takes, so that the child finds what they guard in order. */
extern libc_lock __libc_heap_lock, __libc_files_lock, __libc_log_lock, __libc_threads_lock,
    __libc_children_lock, __libc_actions_lock;
/* Parts of fork in the child: only the calling thread is left (thread.c); every
 * lock of newlib's is free (locks.c); the children are the parent's; sockets too. */
void __libc_threads_forked(void);
void __libc_locks_forked(void);
void __libc_children_forked(void);
void __libc_net_forked(void);
void __libc_net_forking(bool now); /* true: before the copy is made; false: in the parent, after */
/* A thread that the program does not know of: it takes no signal, and the process
 * ends without it. 0 or an errno. */
int __libc_thread_hidden(void *(*start)(void *), size_t stack_bytes);

/* A child to wait for; takes the handle over. Its pid, or -errno. */
int __libc_child_add(int handle);
void __libc_child_adopt(int pid, int handle); /* an exec's new program has the old one's */
bool __libc_children_unwanted(void);          /* SIGCHLD is ignored: nobody will wait for them */
/* inherit.c: descriptors that the program's starter left. false: none. */
bool __libc_inherit_files(void);
/* signal.c: what an exec or spawn hands on. */
uint32_t __libc_signals_ignored(void);
void __libc_signals_inherit(uint32_t ignored, uint32_t mask);
/* Parts of _exit: the last line for the log; sockets, whose data is still
 * delivered. */
void __libc_log_exit(void);
void __libc_net_exit(void);

#endif
