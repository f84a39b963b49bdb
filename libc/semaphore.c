/* SPDX-License-Identifier: MIT
 *
 * libc/semaphore.c: counting semaphores over a futex word, in private or shared
 * memory. Context: any thread; sem_post also in signal handlers.
 */
#include "libc.h"
#include <errno.h>
#include <semaphore.h>

int sem_init(sem_t *s, int shared, unsigned value)
{
    (void)shared; /* a futex is known by its page */
    if (value > SEM_VALUE_MAX)
        return (int)__libc_result(-EINVAL);
    *s = (sem_t){value, 0};
    return 0;
}

int sem_destroy(sem_t *s)
{
    (void)s;
    return 0;
}

int sem_post(sem_t *s)
{
    uint32_t v = __atomic_load_n(&s->value, __ATOMIC_RELAXED);

    do
        if (v == SEM_VALUE_MAX)
            return (int)__libc_result(-EOVERFLOW);
    while (!__atomic_compare_exchange_n(&s->value, &v, v + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    if (__atomic_load_n(&s->sleepers, __ATOMIC_SEQ_CST) > 0)
        sys_futex_wake(&s->value, 1);
    return 0;
}

static bool take(sem_t *s)
{
    uint32_t v = __atomic_load_n(&s->value, __ATOMIC_RELAXED);

    while (v > 0)
        if (__atomic_compare_exchange_n(&s->value, &v, v - 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return true;
    return false;
}

int sem_trywait(sem_t *s)
{
    return take(s) ? 0 : (int)__libc_result(-EAGAIN);
}

static int wait_until(sem_t *s, uint64_t deadline)
{
    struct wait_item it = {.kind = WAIT_FUTEX, .handle = -1, .addr = (uint64_t)(uintptr_t)&s->value};
    int r = 0;

    __libc_may_block();
    __atomic_add_fetch(&s->sleepers, 1, __ATOMIC_SEQ_CST);
    while (!take(s)) {
        r = sys_wait(&it, 1, deadline);
        if (r == -ETIMEDOUT || (r == -EINTR && !__libc_restarts()))
            break;
        r = 0;
    }
    __atomic_sub_fetch(&s->sleepers, 1, __ATOMIC_SEQ_CST);
    return r < 0 && take(s) ? 0 : r;
}

int sem_wait(sem_t *s)
{
    return take(s) ? 0 : (int)__libc_result(wait_until(s, SYS_NO_DEADLINE));
}

int sem_timedwait(sem_t *restrict s, const struct timespec *restrict until)
{
    uint64_t deadline;

    if (take(s))
        return 0;
    int r = __libc_deadline_of(until, false, &deadline);
    return (int)__libc_result(r != 0 ? -r : wait_until(s, deadline));
}

int sem_getvalue(sem_t *restrict s, int *restrict value)
{
    *value = (int)__atomic_load_n(&s->value, __ATOMIC_RELAXED);
    return 0;
}
