/* SPDX-License-Identifier: MIT
 *
 * net/core/deliver.c: from a classified packet to a record in a process' ring.
 *
 * Owns: the producer's side of the receive rings. A ring's fill is computed from
 * the kernel's own head and a tail that the process may have written anything
 * to: all it can do with it is shut its own endpoint. Context and lock: as in
 * net/core/core.h.
 */
#include <net/core/ports.h>

uint32_t ring_free(struct net_endpoint *e)
{
    uint32_t used = e->rx_head - shared_load(&e->ring->rx_tail);

    if (used > e->rx_size || (used & 15) != 0) { /* C-RING-2 */
        endpoint_fail(e, "receive index");
        return 0;
    }
    return e->rx_size - used;
}

bool ring_put(struct net_endpoint *e, const struct net_rx *meta, const void *data, uint32_t len)
{
    uint32_t offset = e->rx_head & (e->rx_size - 1), to_end = e->rx_size - offset;
    uint32_t size = ((uint32_t)sizeof(struct net_rx) + len + 15) & ~15u;
    uint32_t pad = size > to_end ? to_end : 0;

    if (e->closed || e->failed || size + pad > ring_free(e)) { /* C-RING-4 */
        e->dropped++;
        shared_store(&e->ring->rx_dropped, (uint32_t)e->dropped);
        return false;
    }
    if (pad != 0) { /* at least 16 bytes: room for size and kind */
        struct net_rx *filler = (struct net_rx *)(e->rx + offset);

        filler->size = pad;
        filler->kind = RX_PAD; /* C-RING-3 */
        filler->link = 0;
        e->rx_head += pad;
        offset = 0;
    }
    struct net_rx *r = (struct net_rx *)(e->rx + offset);
    *r = *meta;
    r->size = size;
    r->len = len;
    __builtin_memcpy(r + 1, data, len);
    e->rx_head += size;
    shared_store(&e->ring->rx_head, e->rx_head); /* C-RING-1 */
    return true;
}

void deliver(struct packet *p, struct target *t, uint64_t now_ns)
{
    struct net_endpoint *e = t->endpoint;
    struct net_rx meta = {.kind = RX_PACKET,
                          .link = p->link->index,
                          .csum = p->csum,
                          .gso_size = p->gso_size,
                          .slot = t->slot,
                          .port_id = t->port_id,
                          .time_ns = now_ns};
    const uint8_t *data = p->l3;
    uint32_t len = p->l3_len;

    if (t->park) {
        port_park(t->port, p);
        return;
    }
    if (e == NULL) {
        count_drop(t->drop);
        return;
    }
    if (t->slot != 0) { /* the default owner sees the link header, too */
        meta.l2_len = p->l2_len;
        meta.problem = p->problem;
        meta.problem_at = p->problem_at;
        data -= p->l2_len;
        len += p->l2_len;
    }
    if (!ring_put(e, &meta, data, len)) {
        count_drop(DROP_RING_FULL); /* C-RX-2 */
        if (t->port != NULL)
            t->port->dropped++;
        else if (t->flow != NULL)
            t->flow->dropped++;
        return;
    }
    core.c.delivered++; /* C-RX-1 */
    e->delivered++;
    if (t->port != NULL)
        t->port->delivered++;
    else if (t->flow != NULL)
        t->flow->delivered++;
    endpoint_wake(e);
}

/* A frame from a link (injector NULL), or a packet that a process gave back. */
void receive_packet(struct packet *p, uint64_t now_ns, struct net_endpoint *injector)
{
    struct target t;

    if (injector != NULL) {
        classify_packet(p, &t);
        /* A fragment reassembled into a fragment, a packet for others: round and round. */
        if (t.endpoint != NULL && t.endpoint->owner == injector->owner &&
            (t.slot == SLOT_FRAGMENTS + 1 || t.slot == SLOT_FORWARD + 1)) {
            count_drop(DROP_INJECT_LOOP); /* C-RX-5 */
            return;
        }
    } else if ((p->link->flags & LINKF_UP) == 0) {
        count_drop(DROP_LINK_DOWN);
        return;
    } else {
        classify_frame(p, &t);
    }
    deliver(p, &t, now_ns);
}
