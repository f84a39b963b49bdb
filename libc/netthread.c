/* SPDX-License-Identifier: MIT
 *
 * libc/netthread.c: a protocol stack for one thread.
 *
 * Owns: the contexts behind the first. One whose thread has ended stays in the
 * list, since sockets of it may still be open: calls on them keep running it,
 * and the next thread that asks for a context gets it when there are none left.
 * Context: any thread. Lock: contexts_lock for the list and `idle`.
 */
#include "net.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define CONTEXTS_MAX 64

static libc_lock contexts_lock;
static pthread_key_t key; /* its destructor tells when a thread ends */
static bool key_made;
static unsigned contexts;

static void thread_ended(void *ctx)
{
    libc_lock_take(&contexts_lock);
    ((struct net_ctx *)ctx)->idle = true;
    libc_lock_drop(&contexts_lock);
}

static struct net_ctx *idle_one(void)
{
    for (struct net_ctx *c = __net_first.next; c != NULL; c = c->next) {
        if (!c->idle)
            continue;
        net_enter_in(c);
        bool used = c->ns != NULL && netstack_sockets(c->ns) != 0;
        net_leave_in(c);
        if (!used)
            return c;
    }
    return NULL;
}

/* The list's lock is held. */
static int get_context(struct net_ctx **out)
{
    struct net_ctx *c = idle_one();
    int r;

    if (!key_made && (r = pthread_key_create(&key, thread_ended)) != 0)
        return -r;
    key_made = true;
    if (c != NULL) {
        c->idle = false;
        *out = c;
        return 0;
    }
    if (contexts == CONTEXTS_MAX)
        return -EMFILE;
    c = calloc(1, sizeof *c);
    if (c == NULL)
        return -ENOMEM;
    c->handle = -1;
    r = net_ctx_start(c);
    if (r < 0) {
        free(c);
        return r;
    }
    struct net_ctx *last = &__net_first;
    while (last->next != NULL)
        last = last->next;
    __atomic_store_n(&last->next, c, __ATOMIC_RELEASE); /* exit walks the list without the lock */
    contexts++;
    *out = c;
    return 0;
}

void __libc_net_threads_forked(void) /* the child has its first context only */
{
    contexts_lock = 0;
    contexts = 0;
}

int slipway_net_thread(void)
{
    struct tcb *self = tcb_self();
    struct net_ctx *c = NULL;
    int r;

    if (self->net != &__net_first)
        return 0;
    libc_lock_take(&contexts_lock);
    r = get_context(&c);
    libc_lock_drop(&contexts_lock);
    if (r == 0) {
        r = -pthread_setspecific(key, c);
        if (r == 0)
            self->net = c;
        else
            thread_ended(c);
    }
    return (int)__libc_result(r);
}

/* The fields of struct ns_counters, which are all of one kind. */
bool slipway_net_counter(unsigned n, const char **name, const char **meaning, uint64_t *value)
{
    static const struct {
        const char *name, *meaning;
        size_t at;
    } list[] = {
#define X(field, text) {#field, text, offsetof(struct ns_counters, field)},
        NS_COUNTER_LIST(X)
#undef X
    };

    if (n >= sizeof list / sizeof list[0])
        return false;
    *name = list[n].name;
    *meaning = list[n].meaning;
    *value = 0;
    for (struct net_ctx *c = &__net_first; c != NULL; c = c->next)
        if (c->ns != NULL)
            *value += *(const uint64_t *)((const char *)ns_counters(c->ns) + list[n].at);
    return true;
}
