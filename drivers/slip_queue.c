/* SPDX-License-Identifier: MIT
 *
 * drivers/slip_queue.c: the queue in front of a serial line.
 *
 * Owns: nothing but the code; see drivers/slip_queue.h.
 */
#include <drivers/slip_queue.h>

static void list_init(struct slip_list *l)
{
    l->head = NULL;
    l->tail = &l->head;
    l->bytes = 0;
}

void slip_queue_init(struct slip_queue *q, uint32_t baud)
{
    list_init(&q->small);
    list_init(&q->large);
    q->limit_bytes = baud / 10 * SLIP_QUEUE_MS / 1000; /* a byte is ten bits on the line */
    q->run = 0;
    q->most_bytes = 0;
}

/* Is a packet of the same flow (addresses and ports; protocol lengths differ, so
 * the first 24 bytes are enough) among the large ones? Then it must not be
 * overtaken: TCP would take that for a loss. */
static bool has_flow(const struct slip_list *l, const struct netbuf *nb)
{
    const uint8_t *h = nb->head;

    if (nb->head_len < 24)
        return false;
    for (const struct netbuf *n = l->head; n != NULL; n = n->next)
        if (n->head_len >= 24 && n->head[9] == h[9] && __builtin_memcmp(n->head + 12, h + 12, 12) == 0)
            return true;
    return false;
}

bool slip_queue_add(struct slip_queue *q, struct netbuf *nb)
{
    bool small = nb->total_len <= SLIP_SMALL_BYTES && !has_flow(&q->large, nb);
    struct slip_list *l = small ? &q->small : &q->large;

    if (l->bytes != 0 && l->bytes + nb->total_len > q->limit_bytes) /* C-SLIP-4 */
        return false;
    nb->next = NULL;
    *l->tail = nb;
    l->tail = &nb->next;
    l->bytes += nb->total_len;
    if (!small && l->bytes > q->most_bytes)
        q->most_bytes = l->bytes;
    return true;
}

struct netbuf *slip_queue_take(struct slip_queue *q)
{
    bool small = q->small.head != NULL && (q->large.head == NULL || q->run < SLIP_SMALL_RUN); /* C-SLIP-5 */
    struct slip_list *l = small ? &q->small : &q->large;
    struct netbuf *nb = l->head;

    if (nb == NULL)
        return NULL;
    q->run = small && q->large.head != NULL ? q->run + 1 : 0;
    l->head = nb->next;
    if (l->head == NULL)
        l->tail = &l->head;
    l->bytes -= nb->total_len;
    return nb;
}
