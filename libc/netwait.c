/* SPDX-License-Identifier: MIT
 *
 * libc/netwait.c: how threads sleep for the network, and who is woken.
 *
 * Owns: the list of sleepers of a context, who of them leads it, the sockets that
 * each waits for. One sleeper leads: it waits for the endpoint in the kernel, takes
 * in what has arrived and wakes those whose sockets that concerns; the rest wait
 * for a word of their own. A leader that woke up for others only does not lead
 * again in the same call, so that leading goes to the busy ones and the idle are
 * left in peace; while nobody leads, the helper stands in (nethelper.c), or, where
 * there is none, some sleeper is woken to lead.
 * Context: any thread. Lock: the context's, for all of this.
 *
 * A program of one thread has no list: it leads, or it is awake.
 */
#include "net.h"
#include <errno.h>

/* --- what the stack tells --- */

/* Judged when the lock is dropped: the stack is in the middle of something now. */
void __net_changed(struct net_ctx *c, struct file *f)
{
    struct sock_file *s = (struct sock_file *)f;

    if (f == NULL) {
        c->room_came = true;
        return;
    }
    for (struct sock_wait *w = s->waits; w != NULL; w = w->next) {
        if (w->touched)
            continue;
        w->touched = true;
        w->touched_next = c->touched;
        c->touched = w;
    }
}

static void wake(struct net_waiter *w)
{
    if (w->word != 0)
        return;
    __atomic_store_n(&w->word, 1, __ATOMIC_RELEASE);
    sys_futex_wake(&w->word, 1);
}

/* Wakes those whose sockets are ready for them; how many. */
static unsigned wake_concerned(struct net_ctx *c)
{
    struct sock_wait *w = c->touched;
    unsigned woken = 0; /* C-WAKE-1 */

    c->touched = NULL;
    for (; w != NULL; w = w->touched_next) {
        w->touched = false;
        if (!w->who->asleep || w->who->word != 0)
            continue;
        if (w->s->s == NULL || (ns_events(w->s->s) & (w->want | NS_ERR | NS_HUP)) != 0) {
            wake(w->who);
            woken++;
        }
    }
    if (c->room_came) {
        c->room_came = false;
        for (struct net_waiter *r = c->sleepers; r != NULL; r = r->next)
            if (r->for_room)
                wake(r), woken++;
    }
    if (c->sleepers != NULL && __epoll_wake != NULL)
        woken += __epoll_wake(c);
    return woken;
}

void net_poke(struct net_waiter *w)
{
    wake(w);
}

/* --- waiting for a socket --- */

void net_await(struct sock_wait *w, struct net_waiter *who, struct sock_file *s, unsigned want)
{
    *w = (struct sock_wait){.s = s, .who = who, .want = want, .next = s->waits, .prev = &s->waits};
    if (s->waits != NULL)
        s->waits->prev = &w->next;
    s->waits = w;
    if (want & NS_OUT)
        who->for_room = true;
    ns_watch(s->s);
}

void net_await_over(struct net_ctx *c, struct sock_wait *w)
{
    if (w->prev != NULL) {
        *w->prev = w->next;
        if (w->next != NULL)
            w->next->prev = w->prev;
    }
    if (w->touched)
        for (struct sock_wait **t = &c->touched; *t != NULL; t = &(*t)->touched_next)
            if (*t == w) {
                *t = w->touched_next;
                break;
            }
}

/* The socket leaves: who waits for it is to look. */
void net_dismiss(struct sock_file *s)
{
    struct sock_wait *w;

    while ((w = s->waits) != NULL) {
        s->waits = w->next;
        w->prev = NULL;
        if (w->who->asleep)
            wake(w->who);
    }
}

/* --- dropping the lock --- */

static void settle_sleepers(struct net_ctx *c)
{
    if (c->touched != NULL || c->room_came || __epoll_wake != NULL)
        wake_concerned(c);
    if (c->leader != NULL) {
        if (c->leader->asleep && netstack_deadline(c->ns) < c->led_until)
            wake(c->leader); /* a timer that it does not know of */
    } else if (!c->helped && c->sleepers != NULL) {
        wake(c->sleepers);
    }
}

void net_leave_in(struct net_ctx *c)
{
    if (!c->cork && c->ns != NULL)
        net_flush_in(c);
    if (c->sleepers != NULL)
        settle_sleepers(c);
    if (c->stand_in && netstack_deadline(c->ns) < c->helper_until)
        net_helper_call();
    libc_lock_drop(&c->lock);
}

/* --- sleeping --- */

static void sleeper_add(struct net_ctx *c, struct net_waiter *w)
{
    w->word = 0;
    w->asleep = true;
    w->next = c->sleepers;
    w->prev = &c->sleepers;
    if (c->sleepers != NULL)
        c->sleepers->prev = &w->next;
    c->sleepers = w;
}

static void sleeper_remove(struct net_waiter *w)
{
    w->asleep = false;
    *w->prev = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
}

int net_sleep_masked(struct net_ctx *c, struct net_waiter *me, struct wait_item *items, unsigned n,
                     uint64_t deadline_ns, const uint32_t *mask)
{
    struct tcb *self = tcb_self();
    /* A leader that is this thread itself sleeps no more: a signal's handler is here. */
    bool several = __libc_several, free = c->leader == NULL || c->leading == self;
    bool lead = free && !(me->fruitless && c->helped);
    uint64_t until = deadline_ns;

    if (lead) {
        uint64_t due = netstack_deadline(c->ns);
        if (due < until)
            until = due;
        items[n++] = (struct wait_item){.kind = WAIT_HANDLE, .handle = c->handle, .want = READY_IN};
        c->leader = me;
        c->leading = self;
        c->led_until = until;
    } else {
        net_flush_in(c);
    }
    if (several) {
        if (c->sleepers != NULL)
            settle_sleepers(c);
        sleeper_add(c, me);
        items[n++] = (struct wait_item){
            .kind = WAIT_FUTEX, .handle = -1, .addr = (uint64_t)(uintptr_t)&me->word, .value = 0};
    }
    libc_lock_drop(&c->lock);
    if (!lead)
        net_helper_start();
    int r = mask != NULL ? sys_wait_masked(items, n, until, *mask) : sys_wait(items, n, until);
    libc_lock_take(&c->lock);
    if (several) {
        sleeper_remove(me);
        self->net_wakes++;
    }
    if (lead) {
        if (c->leader == me)
            c->leader = NULL;
        if (r == -ETIMEDOUT && c->now.floor < until) /* so late it is: what is due must not wait on */
            c->now.floor = until;
    }
    net_run_in(c);
    if (several) {
        unsigned others = wake_concerned(c);
        me->fruitless = lead && me->word == 0 && others > 0;
    }
    if (r < 0 && r != -ETIMEDOUT && r != -EAGAIN)
        return r;
    return r < 0 && deadline_ns != SYS_NO_DEADLINE && __libc_now(&c->now) >= deadline_ns ? -ETIMEDOUT : 0;
}

int net_sleep_for(struct sock_file *s, struct net_waiter *me, unsigned want, uint64_t deadline_ns)
{
    struct wait_item items[NET_SLEEP_ITEMS];
    struct sock_wait w;
    bool several = __libc_several;

    if (several)
        net_await(&w, me, s, want);
    __libc_may_block();
    int r = net_sleep_masked(s->ctx, me, items, 0, deadline_ns, NULL);
    if (several)
        net_await_over(s->ctx, &w);
    return s->s == NULL ? -EBADF : r == -EINTR && __libc_restarts() ? 0 : r;
}

uint64_t slipway_net_wakeups(void)
{
    return tcb_self()->net_wakes;
}
