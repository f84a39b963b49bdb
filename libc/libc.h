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

/* A futex mutex: 0 free, 1 taken, 2 taken and somebody sleeps. Nothing calls
 * out of libc, or starts a thread, while it holds one; so the only thread of a
 * process needs none, and the first pthread_create finds none taken. */
typedef uint32_t libc_lock;
void __libc_lock_slow(libc_lock *l);
static inline void libc_lock_take(libc_lock *l)
{
    uint32_t free = 0;
    if (!__libc_threaded)
        return;
    if (!__atomic_compare_exchange_n(l, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        __libc_lock_slow(l);
}
static inline void libc_lock_drop(libc_lock *l)
{
    if (__libc_threaded && __atomic_exchange_n(l, 0, __ATOMIC_RELEASE) == 2)
        sys_futex_wake(l, 1);
}

/* Sleep while *word == value. 0 (also for no reason), or -ETIMEDOUT once the
 * deadline has passed. */
int __libc_futex_wait(uint32_t *word, uint32_t value, uint64_t deadline_ns);

/* CLOCK_MONOTONIC as one reader sees it (time.c); all zero at first. */
struct now_state {
    uint64_t floor; /* nothing earlier is returned */
};
uint64_t __libc_now(struct now_state *s);

void __libc_heap_seed(const uint8_t *random);
/* Parts of _exit: the last line for the log; sockets, whose data is still
 * delivered. */
void __libc_log_exit(void);
void __libc_net_exit(void);

#endif
