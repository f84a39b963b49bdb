/* SPDX-License-Identifier: MIT
 *
 * libc/nethelper.c: the thread that keeps connections alive while the program
 * computes.
 *
 * Owns: one hidden thread, started with the first connection. It stands by in the
 * kernel (WAIT_STANDBY): while somebody leads a context it is not woken, and when
 * nobody has come to wait for some milliseconds, or the receive ring is half full,
 * it takes the leader's place: takes in what arrives, acknowledges, runs timers,
 * wakes threads whose sockets that concerns; until one of them leads again. It has
 * no clock of its own and costs nothing while the program waits.
 * Context: its own thread, and any that starts or calls it. Lock: each context's.
 */
#include "net.h"
#include <errno.h>
#include <pthread.h>

#define HELPER_STACK 16384

static uint32_t started; /* 1: it runs, or is being started */
static uint32_t called;  /* futex: changes when it is to look at its deadlines again */

void net_helper_call(void)
{
    __atomic_add_fetch(&called, 1, __ATOMIC_RELEASE);
    sys_futex_wake(&called, 1);
}

/* What to wait for: every context that has a stack. */
static unsigned stand_by(struct wait_item *items, struct net_ctx **who, uint64_t *until)
{
    struct net_ctx *next;
    unsigned n = 0;

    *until = SYS_NO_DEADLINE;
    for (struct net_ctx *c = &__net_first; c != NULL && n < WAIT_ITEMS_MAX - 1; c = next) {
        next = __atomic_load_n(&c->next, __ATOMIC_ACQUIRE);
        libc_lock_take(&c->lock);
        if (c->ns != NULL) {
            c->helped = true;
            c->helper_until = SYS_NO_DEADLINE;
            if (c->stand_in)
                c->helper_until = netstack_deadline(c->ns);
            if (c->helper_until < *until)
                *until = c->helper_until;
            items[n] = (struct wait_item){.kind = c->stand_in ? WAIT_HANDLE : WAIT_STANDBY,
                                          .handle = c->handle,
                                          .want = READY_IN};
            who[n++] = c;
        }
        libc_lock_drop(&c->lock);
    }
    return n;
}

static void look_after(struct net_ctx *c, bool ready, uint64_t now)
{
    net_enter_in(c);
    if (c->leader != NULL) {
        c->stand_in = false;
    } else if (ready || (c->stand_in && now >= c->helper_until)) {
        c->stand_in = true; /* C-WAKE-2 */
        c->helps++;
        net_run_in(c);
        c->helper_until = 0; /* leaving needs no call: the deadlines are looked at next */
        net_flush_in(c);
    }
    net_leave_in(c);
}

static void *help(void *arg)
{
    static struct wait_item items[WAIT_ITEMS_MAX];
    static struct net_ctx *who[WAIT_ITEMS_MAX];
    uint64_t until;

    (void)arg;
    for (;;) {
        uint32_t word = __atomic_load_n(&called, __ATOMIC_ACQUIRE);
        unsigned n = stand_by(items, who, &until);
        items[n] = (struct wait_item){
            .kind = WAIT_FUTEX, .handle = -1, .addr = (uint64_t)(uintptr_t)&called, .value = word};
        sys_wait(items, n + 1, until);
        uint64_t now = sys_now_ns();
        for (unsigned i = 0; i < n; i++)
            look_after(who[i], (items[i].got & READY_IN) != 0, now);
    }
    return NULL;
}

/* No lock may be held. Without memory for it the program goes on as it can. One that
 * runs already must be told of a context that was made after it last looked. */
void net_helper_start(void)
{
    const struct net_ctx *c = net_here();

    if (started != 0 || __atomic_exchange_n(&started, 1, __ATOMIC_ACQ_REL) != 0) {
        if (c->ns != NULL && !c->helped)
            net_helper_call();
        return;
    }
    if (__libc_thread_hidden(help, HELPER_STACK) != 0)
        started = 0;
}

void __libc_net_helper_forked(void)
{
    started = 0;
}

unsigned slipway_net_helps(void)
{
    unsigned n = 0;

    for (const struct net_ctx *c = &__net_first; c != NULL; c = c->next)
        n += __atomic_load_n(&c->helps, __ATOMIC_RELAXED);
    return n;
}
