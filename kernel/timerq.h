/* SPDX-License-Identifier: MIT
 *
 * kernel/timerq.h: a queue of struct timer ordered by time: a binary heap, so
 * that arming and cancelling cost O(log n). Pure code over kmalloc, tested on
 * the host.
 *
 * Owns: the array of the heap; timer.slot is the timer's index in it plus one.
 * Context: thread or poll. Equal times run in no particular order.
 */
#ifndef KERNEL_TIMERQ_H
#define KERNEL_TIMERQ_H

#include <kernel/time.h>
#include <stdint.h>

#define TIMERQ_INLINE 64u

struct timerq {
    struct timer **heap;
    uint32_t count, capacity;
    struct timer *inline_heap[TIMERQ_INLINE]; /* serves until kmalloc does */
};

void timerq_init(struct timerq *q);
int timerq_arm(struct timerq *q, struct timer *t, uint64_t when_ns); /* moves an armed one; 0 or -ENOMEM */
void timerq_cancel(struct timerq *q, struct timer *t);               /* idempotent */
static inline uint64_t timerq_next_ns(const struct timerq *q)
{
    return q->count == 0 ? UINT64_MAX : q->heap[0]->when_ns;
}
/* Takes the earliest timer out when it is due; NULL when none is. */
struct timer *timerq_take_due(struct timerq *q, uint64_t now);

#endif
