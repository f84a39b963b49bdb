/* SPDX-License-Identifier: MIT
 *
 * net/stack/timer.c: the stack's timers in one binary heap.
 *
 * Owns: the heap array. A timer that moves to a later time, or is stopped,
 * stays where it is (timer_stop and the common re-arming cost nothing) and
 * finds its new place when it comes to the top. Room for every timer of an
 * object is reserved when the object is made, so that arming never fails.
 */
#include <net/stack/ns.h>

static void heap_put(struct netstack *ns, uint32_t i, struct ns_timer *t)
{
    ns->heap[i] = t;
    t->pos = i + 1;
}

static void sift_up(struct netstack *ns, uint32_t i, struct ns_timer *t)
{
    while (i > 0) {
        uint32_t parent = (i - 1) / 2;
        if (ns->heap[parent]->key <= t->key)
            break;
        heap_put(ns, i, ns->heap[parent]);
        i = parent;
    }
    heap_put(ns, i, t);
}

static void sift_down(struct netstack *ns, uint32_t i, struct ns_timer *t)
{
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= ns->heap_n)
            break;
        if (child + 1 < ns->heap_n && ns->heap[child + 1]->key < ns->heap[child]->key)
            child++;
        if (t->key <= ns->heap[child]->key)
            break;
        heap_put(ns, i, ns->heap[child]);
        i = child;
    }
    heap_put(ns, i, t);
}

int timer_reserve(struct netstack *ns, uint32_t more)
{
    uint32_t need = ns->heap_promised + more, room = ns->heap_room != 0 ? ns->heap_room : 16;
    struct ns_timer **bigger;

    if (need > ns->heap_room) {
        while (room < need)
            room *= 2;
        bigger = ns_alloc(ns, room * sizeof(*bigger));
        if (bigger == NULL)
            return -ENOMEM;
        if (ns->heap_n != 0)
            memcpy(bigger, ns->heap, ns->heap_n * sizeof(*bigger));
        if (ns->heap != NULL)
            ns_free(ns, ns->heap);
        ns->heap = bigger;
        ns->heap_room = room;
    }
    ns->heap_promised = need;
    return 0;
}

void timer_release(struct netstack *ns, uint32_t n)
{
    ns->heap_promised -= n;
}

void timer_set(struct netstack *ns, struct ns_timer *t, uint64_t when_ns)
{
    t->when = when_ns;
    if (t->pos == 0) {
        t->key = when_ns;
        sift_up(ns, ns->heap_n++, t);
    } else if (when_ns < t->key) {
        t->key = when_ns;
        sift_up(ns, t->pos - 1, t);
    }
}

void timer_remove(struct netstack *ns, struct ns_timer *t)
{
    struct ns_timer *last;
    uint32_t i = t->pos - 1;

    if (t->pos == 0)
        return;
    t->pos = 0;
    last = ns->heap[--ns->heap_n];
    if (last == t)
        return;
    if (i > 0 && last->key < ns->heap[(i - 1) / 2]->key)
        sift_up(ns, i, last);
    else
        sift_down(ns, i, last);
}

/* Put the top where it belongs until it is a timer that really is due first. */
static struct ns_timer *settle(struct netstack *ns)
{
    while (ns->heap_n != 0) {
        struct ns_timer *t = ns->heap[0];
        if (t->key == t->when)
            return t;
        if (t->when == NS_NEVER) {
            timer_remove(ns, t);
        } else {
            t->key = t->when;
            sift_down(ns, 0, t);
        }
    }
    return NULL;
}

uint64_t timer_next(struct netstack *ns)
{
    const struct ns_timer *t = settle(ns);

    return t != NULL ? t->when : NS_NEVER;
}

void timer_run(struct netstack *ns)
{
    /* Each timer at most once a run: what a handler re-arms for now waits. */
    for (uint32_t left = ns->heap_n; left > 0; left--) {
        struct ns_timer *t = settle(ns);
        if (t == NULL || t->when > ns->now)
            return;
        timer_remove(ns, t);
        t->when = NS_NEVER;
        t->fn(ns, t);
    }
}
