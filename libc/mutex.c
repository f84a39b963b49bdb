/* SPDX-License-Identifier: MIT
 *
 * libc/mutex.c: mutexes, condition variables, once.
 *
 * Owns: the meaning of the 32 bits that newlib's types give each of them.
 * Context: any thread.
 *
 * Mutex: 0 or 0xffffffff (the static initialiser) free, 1 taken, 2 taken and
 * somebody sleeps. With bit 31 set and bit 30 clear it is one that knows its
 * owner: bit 29 recursive (else error-checking), bit 28 somebody sleeps, bits
 * 16 to 27 depth, bits 0 to 15 owner (the index half of a pthread_t, 0 free).
 *
 * Condition: bits 2 to 31 count wake-ups, bits 0 and 1 are 01 for the monotonic
 * clock, and anything else (the static initialiser has 11) for real time.
 */
#include "libc.h"
#include "tcb.h"
#include <errno.h>
#include <pthread.h>
#include <time.h>

#define FREE_STATIC 0xffffffffu
#define OWNED       0x80000000u
#define OWNED_MASK  0xc0000000u
#define RECURSIVE   0x20000000u
#define SLEEPERS    0x10000000u
#define DEPTH_ONE   0x00010000u
#define DEPTH_MASK  0x0fff0000u
#define OWNER_MASK  0x0000ffffu

#define COND_MONOTONIC 1u
#define COND_CLOCK     3u
#define COND_STEP      4u

static bool is_owned(uint32_t v)
{
    return (v & OWNED_MASK) == OWNED;
}

static bool swap(uint32_t *p, uint32_t *expect, uint32_t v)
{
    return __atomic_compare_exchange_n(p, expect, v, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* Absolute real time to absolute monotonic time. */
int __libc_deadline_of(const struct timespec *ts, bool monotonic, uint64_t *out)
{
    uint64_t real = 0, mono = 0;

    if (ts == NULL) {
        *out = SYS_NO_DEADLINE;
        return 0;
    }
    if (ts->tv_nsec < 0 || ts->tv_nsec >= 1000000000)
        return EINVAL;
    uint64_t ns = ts->tv_sec < 0 ? 0 : (uint64_t)ts->tv_sec * 1000000000u + (uint64_t)ts->tv_nsec;
    if (!monotonic) {
        sys_clock_get(SYS_CLOCK_REALTIME, &real);
        sys_clock_get(SYS_CLOCK_MONOTONIC, &mono);
        ns = ns > real ? mono + (ns - real) : 1;
    }
    *out = ns > 0 ? ns : 1; /* 0 would mean "do not wait" and give another error */
    return 0;
}

/* Takes it if it is free. 0, EBUSY, EDEADLK, EAGAIN; *seen is the value found. */
static int try_lock(pthread_mutex_t *m, uint32_t *seen)
{
    uint32_t me = (uint32_t)tcb_self()->id & OWNER_MASK;
    uint32_t v = 0;

    if (swap(m, &v, 1)) /* the usual case */
        return 0;
    for (;;) {
        uint32_t want;
        *seen = v;
        if (!is_owned(v)) {
            if (v != FREE_STATIC && v != 0)
                return EBUSY;
            want = 1;
        } else if ((v & OWNER_MASK) == 0) {
            want = v | me;
        } else if ((v & OWNER_MASK) != me) {
            return EBUSY;
        } else if (!(v & RECURSIVE)) {
            return EDEADLK;
        } else if ((v & DEPTH_MASK) == DEPTH_MASK) {
            return EAGAIN;
        } else {
            want = v + DEPTH_ONE;
        }
        if (swap(m, &v, want))
            return 0;
    }
}

/* Who has waited takes it as 2: others may still sleep, and only 2 makes the
 * unlock wake one. */
static int lock_until(pthread_mutex_t *m, uint64_t deadline)
{
    uint32_t v;
    int r;

    while ((r = try_lock(m, &v)) == EBUSY) {
        if (is_owned(v)) {
            if (!(v & SLEEPERS) && !swap(m, &v, v | SLEEPERS))
                continue;
            if (__libc_futex_wait(m, v | SLEEPERS, deadline) != 0)
                return ETIMEDOUT;
            continue;
        }
        while ((v = __atomic_exchange_n(m, 2, __ATOMIC_ACQUIRE)) != 0 && v != FREE_STATIC)
            if (__libc_futex_wait(m, 2, deadline) != 0)
                return ETIMEDOUT;
        return 0;
    }
    return r;
}

int pthread_mutex_lock(pthread_mutex_t *m)
{
    return lock_until(m, SYS_NO_DEADLINE);
}

int pthread_mutex_timedlock(pthread_mutex_t *m, const struct timespec *ts)
{
    uint64_t deadline;
    uint32_t v;
    int r = try_lock(m, &v);
    if (r != EBUSY)
        return r;
    r = __libc_deadline_of(ts, false, &deadline);
    return r != 0 ? r : lock_until(m, deadline);
}

int pthread_mutex_trylock(pthread_mutex_t *m)
{
    uint32_t v;
    int r = try_lock(m, &v);
    return r == EDEADLK ? EBUSY : r;
}

int pthread_mutex_unlock(pthread_mutex_t *m)
{
    uint32_t v = __atomic_load_n(m, __ATOMIC_RELAXED);

    if (!is_owned(v)) {
        if (__atomic_exchange_n(m, 0, __ATOMIC_RELEASE) == 2)
            sys_futex_wake(m, 1);
        return 0;
    }
    if ((v & OWNER_MASK) != ((uint32_t)tcb_self()->id & OWNER_MASK))
        return EPERM;
    for (;;) {
        uint32_t want = (v & DEPTH_MASK) != 0 ? v - DEPTH_ONE : v & (OWNED | RECURSIVE);
        bool wake = (v & DEPTH_MASK) == 0 && (v & SLEEPERS) != 0;
        if (!swap(m, &v, want))
            continue;
        if (wake) /* the sleepers' mark went with it: each must set it again */
            sys_futex_wake(m, INT32_MAX);
        return 0;
    }
}

int pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *a)
{
    *m = 0;
    if (a != NULL && a->type == PTHREAD_MUTEX_RECURSIVE)
        *m = OWNED | RECURSIVE;
    else if (a != NULL && a->type == PTHREAD_MUTEX_ERRORCHECK)
        *m = OWNED;
    return 0;
}

int pthread_mutex_destroy(pthread_mutex_t *m)
{
    uint32_t v = *m;
    bool taken = is_owned(v) ? (v & OWNER_MASK) != 0 : v == 1 || v == 2;
    return taken ? EBUSY : 0;
}

int pthread_mutexattr_init(pthread_mutexattr_t *a)
{
    *a = (pthread_mutexattr_t){.is_initialized = 1, .type = PTHREAD_MUTEX_DEFAULT};
    return 0;
}

int pthread_mutexattr_destroy(pthread_mutexattr_t *a)
{
    a->is_initialized = 0;
    return 0;
}

int pthread_mutexattr_settype(pthread_mutexattr_t *a, int type)
{
    if (type < PTHREAD_MUTEX_NORMAL || type > PTHREAD_MUTEX_DEFAULT)
        return EINVAL;
    a->type = type;
    return 0;
}

int pthread_mutexattr_gettype(const pthread_mutexattr_t *a, int *type)
{
    *type = a->type;
    return 0;
}

/* --- condition variables --- */

int pthread_condattr_getclock(const pthread_condattr_t *restrict a, clockid_t *restrict clock)
{
    *clock = (clockid_t)a->clock;
    return 0;
}

int pthread_cond_init(pthread_cond_t *c, const pthread_condattr_t *a)
{
    *c = a != NULL && a->clock == (clock_t)CLOCK_MONOTONIC ? COND_MONOTONIC : 0;
    return 0;
}

int pthread_cond_destroy(pthread_cond_t *c)
{
    (void)c;
    return 0;
}

int pthread_condattr_init(pthread_condattr_t *a)
{
    *a = (pthread_condattr_t){.is_initialized = 1, .clock = (clock_t)CLOCK_REALTIME};
    return 0;
}

int pthread_condattr_destroy(pthread_condattr_t *a)
{
    a->is_initialized = 0;
    return 0;
}

int pthread_condattr_setclock(pthread_condattr_t *a, clockid_t clock)
{
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
        return EINVAL;
    a->clock = (clock_t)clock;
    return 0;
}

static int cond_wait(pthread_cond_t *c, pthread_mutex_t *m, uint64_t deadline)
{
    uint32_t v = __atomic_load_n(c, __ATOMIC_ACQUIRE);

    pthread_mutex_unlock(m);
    int r = __libc_futex_wait(c, v, deadline);
    bool late = r != 0 && __atomic_load_n(c, __ATOMIC_ACQUIRE) == v;
    r = pthread_mutex_lock(m);
    return r != 0 ? r : late ? ETIMEDOUT : 0;
}

int pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
    return cond_wait(c, m, SYS_NO_DEADLINE);
}

int pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *ts)
{
    uint64_t deadline;
    int r = __libc_deadline_of(ts, (*c & COND_CLOCK) == COND_MONOTONIC, &deadline);
    return r != 0 ? r : cond_wait(c, m, deadline);
}

int pthread_cond_signal(pthread_cond_t *c)
{
    __atomic_add_fetch(c, COND_STEP, __ATOMIC_RELEASE);
    sys_futex_wake(c, 1);
    return 0;
}

int pthread_cond_broadcast(pthread_cond_t *c)
{
    __atomic_add_fetch(c, COND_STEP, __ATOMIC_RELEASE);
    sys_futex_wake(c, INT32_MAX);
    return 0;
}

/* --- once: 0 not run, 1 running, 2 done --- */

int pthread_once(pthread_once_t *o, void (*routine)(void))
{
    uint32_t *state = (uint32_t *)&o->init_executed, v = 0;

    if (__atomic_load_n(state, __ATOMIC_ACQUIRE) == 2)
        return 0;
    if (swap(state, &v, 1)) {
        routine();
        __atomic_store_n(state, 2, __ATOMIC_RELEASE);
        sys_futex_wake(state, INT32_MAX);
        return 0;
    }
    while (__atomic_load_n(state, __ATOMIC_ACQUIRE) == 1)
        __libc_futex_wait(state, 1, SYS_NO_DEADLINE);
    return 0;
}
