/* SPDX-License-Identifier: MIT
 *
 * drivers/slip_queue.h: what waits for a slow line, and in which order it goes.
 *
 * Owns: struct slip_queue, two lists of packets. Small packets (a keystroke, an
 * echo, an acknowledgment) go before large ones, so that a shell stays usable
 * beside a download; both lists are as short as the line is slow: no more than
 * it carries in SLIP_QUEUE_MS, or one packet. Who sends more is told at once
 * (-ENOBUFS) and keeps his data, instead of finding it seconds later behind a
 * queue. Context: poll or thread. Lock: the caller's.
 */
#ifndef DRIVERS_SLIP_QUEUE_H
#define DRIVERS_SLIP_QUEUE_H

#include <net/core/link.h>

#define SLIP_QUEUE_MS    250u
#define SLIP_SMALL_BYTES 160u /* a packet up to this is small */
#define SLIP_SMALL_RUN   8u   /* so many small ones in a row, then a large one has its turn */

struct slip_list {
    struct netbuf *head, **tail;
    uint32_t bytes;
};

struct slip_queue {
    struct slip_list small, large;
    uint32_t limit_bytes; /* for each list; one packet is always taken */
    uint32_t most_bytes;  /* that ever waited in `large` */
    uint32_t run;         /* small ones sent while a large one waited */
};

void slip_queue_init(struct slip_queue *q, uint32_t baud);
/* Appends a packet; false when its list is full (the packet stays the caller's). */
bool slip_queue_add(struct slip_queue *q, struct netbuf *nb);
/* The packet to send next, off the list; NULL when nothing waits. */
struct netbuf *slip_queue_take(struct slip_queue *q);

#endif
