/* SPDX-License-Identifier: MIT
 *
 * kernel/timerq.c: the heap of timers.
 *
 * Called by: kernel/time.c. Context: thread or poll.
 */
#include <kernel/mem.h>
#include <kernel/timerq.h>
#include <slipway/errno.h>
#include <stddef.h>

void timerq_init(struct timerq *q)
{
    q->heap = q->inline_heap;
    q->capacity = TIMERQ_INLINE;
    q->count = 0;
}

static void put(struct timerq *q, uint32_t i, struct timer *t)
{
    q->heap[i] = t;
    t->slot = i + 1;
}

static void sift_up(struct timerq *q, uint32_t i, struct timer *t)
{
    while (i > 0) {
        uint32_t parent = (i - 1) / 2;

        if (q->heap[parent]->when_ns <= t->when_ns)
            break;
        put(q, i, q->heap[parent]);
        i = parent;
    }
    put(q, i, t);
}

static void sift_down(struct timerq *q, uint32_t i, struct timer *t)
{
    for (;;) {
        uint32_t child = 2 * i + 1;

        if (child >= q->count)
            break;
        if (child + 1 < q->count && q->heap[child + 1]->when_ns < q->heap[child]->when_ns)
            child++;
        if (q->heap[child]->when_ns >= t->when_ns)
            break;
        put(q, i, q->heap[child]);
        i = child;
    }
    put(q, i, t);
}

static int grow(struct timerq *q)
{
    uint32_t capacity = q->capacity * 2;
    struct timer **heap = kmalloc((size_t)capacity * sizeof(*heap));

    if (heap == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < q->count; i++)
        heap[i] = q->heap[i];
    if (q->heap != q->inline_heap)
        kfree(q->heap);
    q->heap = heap;
    q->capacity = capacity;
    return 0;
}

int timerq_arm(struct timerq *q, struct timer *t, uint64_t when_ns)
{
    if (t->slot != 0) {
        uint64_t before = t->when_ns;

        t->when_ns = when_ns;
        if (when_ns < before)
            sift_up(q, t->slot - 1, t);
        else
            sift_down(q, t->slot - 1, t);
        return 0;
    }
    if (q->count == q->capacity && grow(q) < 0)
        return -ENOMEM;
    t->when_ns = when_ns;
    q->count++;
    sift_up(q, q->count - 1, t);
    return 0;
}

void timerq_cancel(struct timerq *q, struct timer *t)
{
    uint32_t i;
    struct timer *last;

    if (t->slot == 0)
        return;
    i = t->slot - 1;
    t->slot = 0;
    last = q->heap[--q->count];
    if (last == t)
        return;
    if (i > 0 && q->heap[(i - 1) / 2]->when_ns > last->when_ns)
        sift_up(q, i, last);
    else
        sift_down(q, i, last);
}

struct timer *timerq_take_due(struct timerq *q, uint64_t now)
{
    struct timer *t;

    if (timerq_next_ns(q) > now) /* C-TIME-1 */
        return NULL;
    t = q->heap[0];
    timerq_cancel(q, t);
    return t;
}
