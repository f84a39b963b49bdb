/* SPDX-License-Identifier: MIT
 *
 * libc/rwlock.c: read-write locks, barriers, spin locks.
 *
 * Owns: the meaning of the 32 bits that newlib's types give each of them. Context:
 * any thread.
 *
 * Lock: 0 or 0xffffffff (the static initialiser) free; bit 30 a writer has it; bit
 * 29 somebody sleeps; bits 0 to 15 how many readers have it. Readers come first.
 *
 * Barrier: bits 0 to 7 how many it takes, 8 to 15 how many are there, 16 to 31 the
 * round.
 */
#include "libc.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#define FREE_STATIC 0xffffffffu
#define WRITER      0x40000000u
#define SLEEPERS    0x20000000u
#define READERS     0x0000ffffu

#define BARRIER_MAX  255u
#define BARRIER_HERE 0x00000100u
#define ROUND_ONE    0x00010000u

#define SPINS_BEFORE_YIELD 1000

static bool swap(uint32_t *p, uint32_t *expect, uint32_t v)
{
    return __atomic_compare_exchange_n(p, expect, v, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static uint32_t load(uint32_t *p)
{
    uint32_t v = __atomic_load_n(p, __ATOMIC_ACQUIRE);
    if (v == FREE_STATIC && swap(p, &v, 0))
        v = 0;
    return v;
}

/* 0, EBUSY, or EAGAIN (too many readers). */
static int try_take(uint32_t *p, bool write)
{
    uint32_t v = load(p);

    for (;;) {
        if ((v & WRITER) || (write && (v & READERS) != 0))
            return EBUSY;
        if (!write && (v & READERS) == READERS)
            return EAGAIN;
        if (swap(p, &v, write ? v | WRITER : v + 1))
            return 0;
        if (v == FREE_STATIC)
            v = load(p);
    }
}

static int take_until(uint32_t *p, bool write, uint64_t deadline)
{
    int r;

    while ((r = try_take(p, write)) == EBUSY) {
        uint32_t v = __atomic_load_n(p, __ATOMIC_ACQUIRE);
        if (!(v & WRITER) && !(write && (v & READERS) != 0))
            continue;
        if (!(v & SLEEPERS) && !swap(p, &v, v | SLEEPERS))
            continue;
        if (__libc_futex_wait(p, v | SLEEPERS, deadline) == -ETIMEDOUT)
            return try_take(p, write) == 0 ? 0 : ETIMEDOUT;
    }
    return r;
}

static int timed(uint32_t *p, bool write, const struct timespec *ts)
{
    uint64_t deadline;
    int r = try_take(p, write);

    if (r != EBUSY)
        return r;
    r = __libc_deadline_of(ts, false, &deadline);
    return r != 0 ? r : take_until(p, write, deadline);
}

int pthread_rwlock_rdlock(pthread_rwlock_t *l)
{
    return take_until(l, false, SYS_NO_DEADLINE);
}

int pthread_rwlock_wrlock(pthread_rwlock_t *l)
{
    return take_until(l, true, SYS_NO_DEADLINE);
}

int pthread_rwlock_tryrdlock(pthread_rwlock_t *l)
{
    return try_take(l, false);
}

int pthread_rwlock_trywrlock(pthread_rwlock_t *l)
{
    return try_take(l, true);
}

int pthread_rwlock_timedrdlock(pthread_rwlock_t *l, const struct timespec *ts)
{
    return timed(l, false, ts);
}

int pthread_rwlock_timedwrlock(pthread_rwlock_t *l, const struct timespec *ts)
{
    return timed(l, true, ts);
}

int pthread_rwlock_unlock(pthread_rwlock_t *l)
{
    uint32_t v = __atomic_load_n(l, __ATOMIC_ACQUIRE), left;

    do {
        if (v == FREE_STATIC || (v & (WRITER | READERS)) == 0)
            return EPERM;
        left = v & WRITER ? 0 : (v & READERS) - 1;
        /* The sleepers' mark stays while readers are left: none of them can go on. */
    } while (!swap(l, &v, left != 0 ? left | (v & SLEEPERS) : 0));
    if (left == 0 && (v & SLEEPERS))
        sys_futex_wake(l, INT32_MAX);
    return 0;
}

int pthread_rwlock_init(pthread_rwlock_t *l, const pthread_rwlockattr_t *a)
{
    (void)a;
    *l = 0;
    return 0;
}

int pthread_rwlock_destroy(pthread_rwlock_t *l)
{
    return *l != FREE_STATIC && (*l & (WRITER | READERS)) != 0 ? EBUSY : 0;
}

int pthread_rwlockattr_init(pthread_rwlockattr_t *a)
{
    memset(a, 0, sizeof *a);
    a->is_initialized = 1;
    return 0;
}

int pthread_rwlockattr_destroy(pthread_rwlockattr_t *a)
{
    a->is_initialized = 0;
    return 0;
}

/* --- barriers --- */

int pthread_barrier_init(pthread_barrier_t *b, const pthread_barrierattr_t *a, unsigned count)
{
    (void)a;
    if (count == 0 || count > BARRIER_MAX)
        return EINVAL;
    *b = count;
    return 0;
}

int pthread_barrier_destroy(pthread_barrier_t *b)
{
    return (*b & 0xff00u) != 0 ? EBUSY : 0;
}

int pthread_barrier_wait(pthread_barrier_t *b)
{
    uint32_t v = __atomic_load_n(b, __ATOMIC_ACQUIRE), round, next;

    do {
        uint32_t here = (v >> 8 & 0xff) + 1;
        next = here == (v & 0xff) ? (v & 0xffff00ffu) + ROUND_ONE : v + BARRIER_HERE;
    } while (!swap(b, &v, next));
    round = v >> 16;
    if (next >> 16 != round) {
        sys_futex_wake(b, INT32_MAX);
        return PTHREAD_BARRIER_SERIAL_THREAD;
    }
    while ((v = __atomic_load_n(b, __ATOMIC_ACQUIRE)) >> 16 == round)
        __libc_futex_wait(b, v, SYS_NO_DEADLINE);
    return 0;
}

int pthread_barrierattr_init(pthread_barrierattr_t *a)
{
    memset(a, 0, sizeof *a);
    a->is_initialized = 1;
    return 0;
}

int pthread_barrierattr_destroy(pthread_barrierattr_t *a)
{
    a->is_initialized = 0;
    return 0;
}

/* --- spin locks: who spins for long lets the owner run --- */

int pthread_spin_init(pthread_spinlock_t *s, int shared)
{
    (void)shared;
    *s = 0;
    return 0;
}

int pthread_spin_destroy(pthread_spinlock_t *s)
{
    return *s != 0 ? EBUSY : 0;
}

int pthread_spin_trylock(pthread_spinlock_t *s)
{
    return __atomic_exchange_n(s, 1, __ATOMIC_ACQUIRE) == 0 ? 0 : EBUSY;
}

int pthread_spin_lock(pthread_spinlock_t *s)
{
    for (unsigned n = 1; pthread_spin_trylock(s) != 0; n++) {
        __asm__ volatile("pause");
        if (n % SPINS_BEFORE_YIELD == 0)
            sched_yield();
    }
    return 0;
}

int pthread_spin_unlock(pthread_spinlock_t *s)
{
    __atomic_store_n(s, 0, __ATOMIC_RELEASE);
    return 0;
}
