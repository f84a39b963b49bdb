/* SPDX-License-Identifier: MIT
 *
 * libc/locks.c: libc's own lock, and the locks that newlib asks for.
 *
 * Owns: the storage of newlib's static locks (the list in newlib's
 * libc/misc/lock.c, which this file replaces) and struct __lock, which newlib
 * leaves to the target. Context: any thread.
 */
#include "libc.h"
#include "tcb.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/lock.h>

uint32_t __libc_threaded, __libc_several;

int __libc_futex_wait(uint32_t *word, uint32_t value, uint64_t deadline_ns)
{
    struct wait_item it = {
        .kind = WAIT_FUTEX, .handle = -1, .addr = (uint64_t)(uintptr_t)word, .value = value};
    return sys_wait(&it, 1, deadline_ns) == -ETIMEDOUT ? -ETIMEDOUT : 0;
}

void __libc_lock_slow(libc_lock *l)
{
    while (__atomic_exchange_n(l, 2, __ATOMIC_ACQUIRE) != 0)
        __libc_futex_wait(l, 2, SYS_NO_DEADLINE);
}

struct __lock {
    libc_lock word;
    uint32_t depth;
    uint64_t owner; /* thread id, for the recursive ones */
};

struct __lock __lock___sinit_recursive_mutex;
struct __lock __lock___sfp_recursive_mutex;
struct __lock __lock___atexit_recursive_mutex;
struct __lock __lock___at_quick_exit_mutex;
struct __lock __lock___malloc_recursive_mutex;
struct __lock __lock___env_recursive_mutex;
struct __lock __lock___tz_mutex;
struct __lock __lock___dd_hash_mutex;
struct __lock __lock___arc4random_mutex;

/* newlib has no way to report that there is no memory for a lock. */
void __retarget_lock_init(_LOCK_T *lock)
{
    *lock = calloc(1, sizeof **lock);
    if (*lock == NULL)
        abort();
}

void __retarget_lock_init_recursive(_LOCK_T *lock)
{
    __retarget_lock_init(lock);
}

void __retarget_lock_close(_LOCK_T lock)
{
    free(lock);
}

void __retarget_lock_close_recursive(_LOCK_T lock)
{
    free(lock);
}

/* Not libc_lock_take: a thread may hold the lock of a FILE while it waits for
 * input, and signals are not to wait for that. */
static void lock_word(libc_lock *l)
{
    uint32_t free = 0;
    if (__libc_threaded &&
        !__atomic_compare_exchange_n(l, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        __libc_lock_slow(l);
}

static void unlock_word(libc_lock *l)
{
    if (__libc_threaded && __atomic_exchange_n(l, 0, __ATOMIC_RELEASE) == 2)
        sys_futex_wake(l, 1);
}

void __retarget_lock_acquire(_LOCK_T lock)
{
    lock_word(&lock->word);
}

/* The owner field is read without the lock: it can equal the caller's id only
 * when the caller itself wrote it. */
void __retarget_lock_acquire_recursive(_LOCK_T lock)
{
    uint64_t me = tcb_self()->id;
    if (__atomic_load_n(&lock->owner, __ATOMIC_RELAXED) != me) {
        lock_word(&lock->word);
        __atomic_store_n(&lock->owner, me, __ATOMIC_RELAXED);
    }
    lock->depth++;
}

/* The result is 1 when taken and 0 when not, as newlib's dummy has it. */
int __retarget_lock_try_acquire(_LOCK_T lock)
{
    uint32_t free = 0;
    return __atomic_compare_exchange_n(&lock->word, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

int __retarget_lock_try_acquire_recursive(_LOCK_T lock)
{
    uint64_t me = tcb_self()->id;
    if (__atomic_load_n(&lock->owner, __ATOMIC_RELAXED) != me) {
        if (!__retarget_lock_try_acquire(lock))
            return 0;
        __atomic_store_n(&lock->owner, me, __ATOMIC_RELAXED);
    }
    lock->depth++;
    return 1;
}

void __retarget_lock_release(_LOCK_T lock)
{
    unlock_word(&lock->word);
}

void __retarget_lock_release_recursive(_LOCK_T lock)
{
    if (--lock->depth == 0) {
        __atomic_store_n(&lock->owner, 0, __ATOMIC_RELAXED);
        unlock_word(&lock->word);
    }
}

/* A stream that another thread was using when the copy was made is in no state to
 * be used: a standard one begins with an empty buffer, others are given up. */
static void file_forked(struct _reent *r, FILE *f)
{
    struct __lock *l = f->_lock;

    if (l->word == 0 || l->owner == tcb_self()->id)
        return;
    *l = (struct __lock){0, 0, 0};
    if (f != r->_stdin && f != r->_stdout && f != r->_stderr) {
        f->_flags = 0;
        return;
    }
    f->_p = f->_bf._base;
    f->_r = f->_w = 0;
}

static void files_forked(struct _reent *r)
{
    for (struct _glue *g = &r->__sglue; g != NULL; g = g->_next)
        for (int i = 0; i < g->_niobs; i++)
            if (g->_iobs[i]._flags != 0 && g->_iobs[i]._lock != NULL)
                file_forked(r, &g->_iobs[i]);
}

void __libc_locks_forked(void)
{
    static struct __lock *const fixed[] = {
        &__lock___sinit_recursive_mutex,  &__lock___sfp_recursive_mutex,    &__lock___atexit_recursive_mutex,
        &__lock___at_quick_exit_mutex,    &__lock___malloc_recursive_mutex, &__lock___env_recursive_mutex,
        &__lock___tz_mutex,               &__lock___dd_hash_mutex,          &__lock___arc4random_mutex,
    };

    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        *fixed[i] = (struct __lock){0, 0, 0};
    files_forked(_GLOBAL_REENT);
    if (_REENT != _GLOBAL_REENT)
        files_forked(_REENT);
}

struct _reent *__getreent(void)
{
    return tcb_self()->reent;
}
