/* SPDX-License-Identifier: MIT
 *
 * libc/fork.c: fork, and what a child must put in order.
 *
 * Owns: the list of pthread_atfork. Context: any thread. Locks: all of libc's, and
 * malloc's and stdio's, so that another thread cannot be in the middle of what
 * they guard when the copy is made; the child, which has no other thread, starts
 * with all of them free. Order: as below.
 */
#include "fd.h"
#include "libc.h"
#include <envlock.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* Programs without these need not link them. */
#pragma weak __libc_threads_forked
#pragma weak __libc_threads_lock
#pragma weak __libc_net_forked
#pragma weak __libc_net_forking

void __malloc_lock(struct _reent *);
void __malloc_unlock(struct _reent *);
void __sfp_lock_acquire(void);
void __sfp_lock_release(void);

struct hooks {
    struct hooks *next, *prev;
    void (*prepare)(void), (*parent)(void), (*child)(void);
};
static struct hooks *first, *last;
static libc_lock hooks_lock;

static libc_lock *const locks[] = {
    &__libc_actions_lock, &__libc_children_lock, &__libc_threads_lock, &__fd_lock,
    &__libc_files_lock,   &__libc_log_lock,
};
#define LOCKS (sizeof locks / sizeof locks[0])

static void take_locks(void)
{
    if (__libc_net_forking != NULL)
        __libc_net_forking(true);
    for (size_t i = 0; i < LOCKS; i++) /* C-LIBC-1 */
        if (locks[i] != NULL)
            libc_lock_take(locks[i]);
    __env_lock(_REENT);
    __sfp_lock_acquire();
    __malloc_lock(_REENT);
    libc_lock_take(&__libc_heap_lock);
}

static void drop_locks(void)
{
    libc_lock_drop(&__libc_heap_lock);
    __malloc_unlock(_REENT);
    __sfp_lock_release();
    __env_unlock(_REENT);
    for (size_t i = LOCKS; i-- > 0;)
        if (locks[i] != NULL)
            libc_lock_drop(locks[i]);
    if (__libc_net_forking != NULL)
        __libc_net_forking(false);
}

static void child_begins(void)
{
    __libc_threaded = __libc_several = 0;
    __libc_guard.held = 0;
    for (size_t i = 0; i < LOCKS; i++)
        if (locks[i] != NULL)
            *locks[i] = 0;
    __libc_heap_lock = 0;
    hooks_lock = 0;
    __libc_locks_forked();
    if (__libc_threads_forked != NULL)
        __libc_threads_forked();
    if (__libc_net_forked != NULL)
        __libc_net_forked();
    fd_forget_sockets();
    __libc_children_forked();
}

pid_t fork(void)
{
    struct hooks *h;
    uint32_t mask;
    int r;

    for (h = last; h != NULL; h = h->prev)
        if (h->prepare != NULL)
            h->prepare();
    mask = (uint32_t)sys_signal_mask(SIGNAL_BLOCK, ~0u); /* no handler sees a half-made child */
    take_locks();
    r = sys_fork();
    if (r == 0)
        child_begins();
    else
        drop_locks();
    if (r > 0)
        r = __libc_child_add(r);
    sys_signal_mask(SIGNAL_SET, mask);
    for (h = first; h != NULL; h = h->next) {
        void (*hook)(void) = r == 0 ? h->child : h->parent;
        if (hook != NULL)
            hook();
    }
    return (pid_t)__libc_result(r);
}

/* POSIX lets it be fork, and nothing else is safe with what people do in between. */
pid_t vfork(void)
{
    return fork();
}

int pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    struct hooks *h = malloc(sizeof *h);

    if (h == NULL)
        return ENOMEM;
    libc_lock_take(&hooks_lock);
    *h = (struct hooks){NULL, last, prepare, parent, child};
    if (last != NULL)
        last->next = h;
    else
        first = h;
    last = h;
    libc_lock_drop(&hooks_lock);
    return 0;
}
