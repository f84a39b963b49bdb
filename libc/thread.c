/* SPDX-License-Identifier: MIT
 *
 * libc/thread.c: threads: create, join, detach, exit, keys.
 *
 * Owns: the table of threads (a pthread_t is an index and a generation), their
 * stacks, thread-specific keys. Context: any thread. Lock: __libc_threads_lock.
 *
 * A thread's stack, TLS and tcb are one mapping. The kernel clears tcb->alive
 * when the thread no longer runs on it; whoever joins unmaps it, and detached
 * ones are swept up when the next thread is made.
 */
#include "libc.h"
#include "tcb.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/lock.h>

#define THREADS_MAX   256
#define STACK_DEFAULT (64u * 1024)
#define STACK_MIN     8192
#define GUARD         4096u

static struct {
    struct tcb *t;
    uint16_t generation;
} table[THREADS_MAX]; /* [0] is the main thread */
libc_lock __libc_threads_lock;
static uint32_t running = 1, hidden; /* threads of the program; others */

static struct {
    bool used;
    void (*destroy)(void *);
} keys[TCB_KEYS_MAX];

static pthread_t name_of(unsigned i)
{
    return (pthread_t)table[i].generation << 16 | (i + 1);
}

/* Call with the lock held; NULL when there is no such thread. */
static struct tcb *find(pthread_t p, unsigned *index)
{
    unsigned i = (p & 0xffff) - 1;
    if (i >= THREADS_MAX || table[i].t == NULL || name_of(i) != p)
        return NULL;
    *index = i;
    return table[i].t;
}

/* A thread has streams of its own for descriptors 0, 1 and 2. newlib's way to give
 * them up would close the descriptors, which are everybody's. */
static void free_streams(struct _reent *r)
{
    for (FILE *f = r->__sf; r->__sdidinit && f < r->__sf + 3; f++) {
        if (f->_flags & __SMBF)
            free(f->_bf._base);
        __lock_close_recursive(f->_lock);
    }
    r->__sdidinit = 0;
}

static void free_slot(unsigned i)
{
    struct tcb *t = table[i].t;
    table[i].t = NULL;
    table[i].generation++;
    if (t->map != 0) {
        free_streams(t->reent);
        _reclaim_reent(t->reent);
        free(t->reent);
        sys_mem_unmap(t->map, t->map_bytes);
    }
}

static void sweep(void)
{
    for (unsigned i = 1; i < THREADS_MAX; i++) {
        struct tcb *t = table[i].t;
        if (t != NULL && t->state == TCB_DETACHED && __atomic_load_n(&t->alive, __ATOMIC_ACQUIRE) == 0)
            free_slot(i);
    }
}

static int take_slot(struct tcb *t, unsigned *index)
{
    if (table[0].t == NULL && tcb_self()->id == 1)
        table[0].t = tcb_self();
    sweep();
    for (unsigned i = 1; i < THREADS_MAX; i++) {
        if (table[i].t == NULL) {
            table[i].t = t;
            *index = i;
            return 0;
        }
    }
    return EAGAIN;
}

static void run_destructors(struct tcb *t)
{
    for (int round = 0; round < 4; round++) { /* PTHREAD_DESTRUCTOR_ITERATIONS */
        bool again = false;
        for (unsigned k = 0; k < TCB_KEYS_MAX; k++) {
            void *value = t->specific[k];
            if (value == NULL || !keys[k].used || keys[k].destroy == NULL)
                continue;
            t->specific[k] = NULL;
            keys[k].destroy(value);
            again = true;
        }
        if (!again)
            return;
    }
}

extern const char __thread_entry[] __attribute__((visibility("hidden")));

__attribute__((noreturn, visibility("hidden"))) void __thread_main(struct tcb *t)
{
    pthread_exit(t->start(t->arg));
}

void pthread_exit(void *result)
{
    struct tcb *t = tcb_self();

    while (t->cleanup != NULL) {
        struct _pthread_cleanup_context *c = t->cleanup;
        t->cleanup = c->_previous;
        c->_routine(c->_arg);
    }
    run_destructors(t);
    if (t->reent->__sdidinit)
        fflush(stdout); /* the thread's own */
    t->result = result;
    if (!t->hidden && __atomic_sub_fetch(&running, 1, __ATOMIC_ACQ_REL) == 0 && hidden != 0)
        exit(0); /* the last that counts */
    if (t->map == 0) { /* the main thread: the others go on, the process ends with exit() */
        libc_lock_take(&__libc_threads_lock);
        libc_lock_drop(&__libc_threads_lock);
    }
    sys_thread_exit(&t->alive);
}

static int create(pthread_t *out, size_t stack, enum tcb_state state, bool is_hidden, void *(*start)(void *),
                  void *arg)
{
    size_t tls = __tls_bytes();
    size_t bytes = (GUARD + stack + tls + 4095) & ~(size_t)4095;
    unsigned index;

    int64_t at = sys_mem_map(0, bytes, PROT_R | PROT_W);
    if (at < 0)
        return EAGAIN;
    struct _reent *reent = calloc(1, sizeof *reent);
    if (reent == NULL) {
        sys_mem_unmap((uint64_t)at, bytes);
        return EAGAIN;
    }
    _REENT_INIT_PTR(reent);
    sys_mem_protect((uint64_t)at, GUARD, 0);
    struct tcb *t = __tls_init((char *)at, bytes);
    t->reent = reent;
    t->canary = tcb_self()->canary;
    t->map = (uint64_t)at;
    t->map_bytes = bytes;
    t->start = start;
    t->arg = arg;
    t->alive = 1;
    t->state = state;
    t->hidden = is_hidden;

    __libc_threaded = 1;
    if (!is_hidden)
        __libc_several = 1;
    libc_lock_take(&__libc_threads_lock);
    int r = take_slot(t, &index);
    if (r == 0) {
        t->id = name_of(index);
        *out = (pthread_t)t->id;
        struct sys_thread st = {
            .entry = (uint64_t)(uintptr_t)__thread_entry,
            .arg = (uint64_t)(uintptr_t)t,
            .stack = ((uint64_t)at + GUARD + stack) & ~15ull,
            .fs_base = (uint64_t)(uintptr_t)t,
        };
        if (tcb_self()->tid == 0) /* the first thread of the process */
            tcb_self()->tid = (uint32_t)sys_process_control(PROCESS_THREAD, 0, 0);
        __atomic_add_fetch(is_hidden ? &hidden : &running, 1, __ATOMIC_RELAXED);
        int tid = sys_thread_create(&st);
        t->tid = (uint32_t)tid;
        if (tid < 0) {
            __atomic_sub_fetch(is_hidden ? &hidden : &running, 1, __ATOMIC_RELAXED);
            table[index].t = NULL;
            r = EAGAIN;
        }
    }
    libc_lock_drop(&__libc_threads_lock);
    if (r != 0) {
        free(reent);
        sys_mem_unmap((uint64_t)at, bytes);
    }
    return r;
}

int pthread_create(pthread_t *out, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
    size_t stack = attr != NULL && attr->stacksize > 0 ? (size_t)attr->stacksize : STACK_DEFAULT;
    bool detached = attr != NULL && attr->detachstate == PTHREAD_CREATE_DETACHED;

    return create(out, stack, detached ? TCB_DETACHED : TCB_JOINABLE, false, start, arg);
}

int __libc_thread_hidden(void *(*start)(void *), size_t stack)
{
    pthread_t name;
    uint32_t mask = (uint32_t)sys_signal_mask(SIGNAL_BLOCK, ~0u); /* it inherits that */
    int r = create(&name, stack, TCB_DETACHED, true, start, NULL);

    sys_signal_mask(SIGNAL_SET, mask);
    return r;
}

int pthread_join(pthread_t p, void **result)
{
    unsigned index = 0;
    uint32_t alive;

    libc_lock_take(&__libc_threads_lock);
    struct tcb *t = find(p, &index);
    int r = t == NULL ? ESRCH : t == tcb_self() ? EDEADLK : t->state != TCB_JOINABLE ? EINVAL : 0;
    if (r == 0)
        t->state = TCB_JOINED;
    libc_lock_drop(&__libc_threads_lock);
    if (r != 0)
        return r;
    while ((alive = __atomic_load_n(&t->alive, __ATOMIC_ACQUIRE)) != 0)
        __libc_futex_wait(&t->alive, alive, SYS_NO_DEADLINE);
    if (result != NULL)
        *result = t->result;
    libc_lock_take(&__libc_threads_lock);
    free_slot(index);
    libc_lock_drop(&__libc_threads_lock);
    return 0;
}

int pthread_detach(pthread_t p)
{
    unsigned index;

    libc_lock_take(&__libc_threads_lock);
    struct tcb *t = find(p, &index);
    int r = t == NULL ? ESRCH : t->state != TCB_JOINABLE ? EINVAL : 0;
    if (r == 0)
        t->state = TCB_DETACHED;
    libc_lock_drop(&__libc_threads_lock);
    return r;
}

pthread_t pthread_self(void)
{
    return (pthread_t)tcb_self()->id;
}

int pthread_equal(pthread_t a, pthread_t b)
{
    return a == b;
}

int sched_yield(void)
{
    return (int)__libc_result(sys_yield());
}

int pthread_kill(pthread_t p, int signal)
{
    unsigned index;
    int r;

    if (signal < 0 || signal >= NSIG)
        return EINVAL;
    if (p == pthread_self())
        return -sys_thread_signal(0, (uint32_t)signal);
    libc_lock_take(&__libc_threads_lock);
    struct tcb *t = find(p, &index);
    r = t == NULL || t->tid == 0 ? ESRCH : -sys_thread_signal(t->tid, (uint32_t)signal);
    libc_lock_drop(&__libc_threads_lock);
    return r;
}

/* In a child of fork the other threads are stacks that nobody runs on. */
void __libc_threads_forked(void)
{
    struct tcb *self = tcb_self();

    for (unsigned i = 0; i < THREADS_MAX; i++) {
        struct tcb *t = table[i].t;
        if (t == NULL || t == self)
            continue;
        table[i].t = NULL;
        table[i].generation++;
        if (t->map != 0)
            sys_mem_unmap(t->map, t->map_bytes);
    }
    self->tid = 0;
    running = 1;
    hidden = 0;
}

/* --- attributes --- */

int pthread_attr_init(pthread_attr_t *a)
{
    memset(a, 0, sizeof *a);
    a->is_initialized = 1;
    a->stacksize = STACK_DEFAULT;
    a->detachstate = PTHREAD_CREATE_JOINABLE;
    return 0;
}

int pthread_attr_destroy(pthread_attr_t *a)
{
    a->is_initialized = 0;
    return 0;
}

int pthread_attr_setstacksize(pthread_attr_t *a, size_t bytes)
{
    if (bytes < STACK_MIN || bytes > INT32_MAX)
        return EINVAL;
    a->stacksize = (int)((bytes + 15) & ~(size_t)15);
    return 0;
}

int pthread_attr_getstacksize(const pthread_attr_t *a, size_t *bytes)
{
    *bytes = (size_t)a->stacksize;
    return 0;
}

int pthread_attr_setdetachstate(pthread_attr_t *a, int state)
{
    if (state != PTHREAD_CREATE_JOINABLE && state != PTHREAD_CREATE_DETACHED)
        return EINVAL;
    a->detachstate = state;
    return 0;
}

int pthread_attr_getdetachstate(const pthread_attr_t *a, int *state)
{
    *state = a->detachstate;
    return 0;
}

/* --- cancellation: there is no pthread_cancel, so a thread is never cancelled --- */

int pthread_setcanceltype(int type, int *old)
{
    if (type != PTHREAD_CANCEL_DEFERRED) /* asynchronous cancellation is no promise we could keep */
        return EINVAL;
    if (old != NULL)
        *old = PTHREAD_CANCEL_DEFERRED;
    return 0;
}

void pthread_testcancel(void) {}

int pthread_setcancelstate(int state, int *old)
{
    struct tcb *t = tcb_self();
    if (state != PTHREAD_CANCEL_ENABLE && state != PTHREAD_CANCEL_DISABLE)
        return EINVAL;
    if (old != NULL)
        *old = t->cancel_state;
    t->cancel_state = state;
    return 0;
}

void _pthread_cleanup_push(struct _pthread_cleanup_context *c, void (*routine)(void *), void *arg)
{
    struct tcb *t = tcb_self();
    c->_routine = routine;
    c->_arg = arg;
    c->_previous = t->cleanup;
    t->cleanup = c;
}

void _pthread_cleanup_pop(struct _pthread_cleanup_context *c, int execute)
{
    tcb_self()->cleanup = c->_previous;
    if (execute)
        c->_routine(c->_arg);
}

/* --- thread-specific data --- */

int pthread_key_create(pthread_key_t *key, void (*destroy)(void *))
{
    int r = EAGAIN;
    libc_lock_take(&__libc_threads_lock);
    for (unsigned k = 0; k < TCB_KEYS_MAX && r != 0; k++) {
        if (keys[k].used)
            continue;
        keys[k].used = true;
        keys[k].destroy = destroy;
        for (unsigned i = 0; i < THREADS_MAX; i++)
            if (table[i].t != NULL)
                table[i].t->specific[k] = NULL;
        tcb_self()->specific[k] = NULL;
        *key = k;
        r = 0;
    }
    libc_lock_drop(&__libc_threads_lock);
    return r;
}

int pthread_key_delete(pthread_key_t key)
{
    if (key >= TCB_KEYS_MAX || !keys[key].used)
        return EINVAL;
    keys[key].used = false;
    return 0;
}

int pthread_setspecific(pthread_key_t key, const void *value)
{
    if (key >= TCB_KEYS_MAX || !keys[key].used)
        return EINVAL;
    tcb_self()->specific[key] = (void *)value;
    return 0;
}

void *pthread_getspecific(pthread_key_t key)
{
    return key < TCB_KEYS_MAX && keys[key].used ? tcb_self()->specific[key] : NULL;
}
