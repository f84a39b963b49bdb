/* SPDX-License-Identifier: MIT
 *
 * net/core/transfer.c: an owner hands a port or a flow to another process.
 *
 * Owns: the order of steps that loses no packet. What the old owner has not yet
 * taken out of its ring goes along: the records are copied into the new owner's
 * ring and turned into padding in the old one. A record that the old owner has
 * read without having said so (rx_tail) may come twice, as on any network; none
 * is lost. When they do not fit, nothing changes and the caller may try again.
 * Context and lock: as in net/core/core.h.
 */
#include <net/core/ports.h>
#include <kernel/rights.h>

/* Each step reads what the process wrote last, but moves only inside the part of
 * the ring that the kernel knows to be filled, and always forward. */
void ring_walk(struct net_endpoint *e,
               bool (*fn)(void *ctx, struct net_rx *record, const struct net_rx *copy), void *ctx)
{
    uint32_t at = shared_load(&e->ring->rx_tail);

    if (e->rx_head - at > e->rx_size || (at & 15) != 0)
        return;
    while (at != e->rx_head) {
        uint32_t offset = at & (e->rx_size - 1), left = e->rx_head - at, to_end = e->rx_size - offset;
        struct net_rx *record = (struct net_rx *)(e->rx + offset);
        struct net_rx copy = {.kind = RX_PAD};

        if (to_end >= sizeof(copy))
            __builtin_memcpy(&copy, record, sizeof(copy));
        else
            __builtin_memcpy(&copy, record, 8);
        __asm__ volatile("" ::: "memory"); /* judge the copy, never the original again */
        if (copy.size < 16 || (copy.size & 15) != 0 || copy.size > left || copy.size > to_end) /* C-RING-6 */
            return;
        if (copy.kind != RX_PAD && (copy.size < sizeof(copy) || copy.len > copy.size - sizeof(copy)))
            return;
        if (copy.kind != RX_PAD && !fn(ctx, record, &copy))
            return;
        at += copy.size;
    }
}

struct move {
    struct net_endpoint *to;
    const struct port_entry *port;   /* records of this port, or ... */
    const struct net_flow_key *flow; /* ... of this flow */
    uint8_t *packet;                 /* the record under the hand, our copy */
    uint32_t bytes, largest;         /* of all records that go along */
    bool count_only;
};

/* Goes by what our own copy of the packet says: a process could have written a
 * packet for another port of the new owner into its ring. */
static bool belongs(const struct move *m, const struct net_rx *record, const struct net_rx *copy)
{
    struct packet p = {.csum = copy->csum, .l3_len = copy->len};
    struct target t;

    if (copy->kind != RX_PACKET || copy->slot != 0 || copy->port_id == 0 || copy->len > IP_PACKET_MAX)
        return false;
    p.link = link_by_index(copy->link);
    if (p.link == NULL)
        return false;
    __builtin_memcpy(m->packet, record + 1, copy->len);
    p.frame = p.l3 = m->packet;
    classify_packet(&p, &t);
    return m->flow != NULL ? flow_key_matches(m->flow, &p) : t.port == m->port;
}

static bool move_record(void *ctx, struct net_rx *record, const struct net_rx *copy)
{
    struct move *m = ctx;

    if (!belongs(m, record, copy))
        return true;
    if (m->count_only) {
        m->bytes += copy->size;
        if (copy->size > m->largest)
            m->largest = copy->size;
    } else if (ring_put(m->to, copy, m->packet, copy->len)) {
        record->kind = RX_PAD;
    }
    return true;
}

/* Padding before the end of the new ring costs less than the largest record. */
static bool records_fit(struct net_endpoint *from, struct move *m)
{
    m->count_only = true;
    ring_walk(from, move_record, m);
    m->count_only = false;
    return m->bytes == 0 || m->bytes + m->largest <= ring_free(m->to);
}

static bool target_may_own(struct nc_owner *target, const struct net_port_key *k)
{
    if (k->port_lo >= 32768 && k->port_lo == k->port_hi && owner_has(target, RIGHT_NET_EPHEMERAL))
        return true;
    if ((k->proto == NET_ICMP || k->proto == NET_ICMP6) && owner_has(target, RIGHT_NET_EPHEMERAL))
        return true;
    return rights_allow_port(target->rights, k, link_name);
}

static int transfer_port(struct nc_owner *o, struct net_endpoint *to, const struct net_port_op *op)
{
    struct port_entry *p;

    if (op->id == 0 && (!port_key_valid(&op->key) || op->key.port_lo == 0))
        return -EINVAL;
    p = op->id != 0 ? port_by_id(op->id) : port_by_key(&op->key, PORT_LIVE);
    if (p == NULL || p->state != PORT_LIVE || !port_has_owner(p, o))
        return -ENOENT;
    if (!target_may_own(to->owner, &p->key))
        return owner_refuse(to->owner, "the port that it should take over");

    struct move m = {.to = to, .port = p, .packet = core_bounce()};
    if (m.packet == NULL)
        return -ENOMEM;
    for (struct port_member *x = p->members; x != NULL; x = x->next)
        if (x->endpoint->owner == o && x->endpoint != to && !records_fit(x->endpoint, &m)) /* C-REG-8 */
            return -ENOBUFS;
    p->offer.made = false;
    bool there = false;
    for (struct port_member *x = p->members; x != NULL; x = x->next)
        there |= x->endpoint == to;
    int r = there ? 0 : port_join(p, to);
    if (r != 0)
        return r;
    for (struct port_member *x = p->members, *next; x != NULL; x = next) {
        struct net_endpoint *from = x->endpoint;

        next = x->next;
        if (from->owner != o || from == to)
            continue;
        ring_walk(from, move_record, &m);
        port_part(x);
    }
    endpoint_wake(to);
    return 0;
}

/* One live connection is the owner's to give; its receiver must be allowed on
 * the network at all, or on that port. */
static bool may_have_flow(struct nc_owner *o, const struct net_flow_key *k)
{
    struct net_port_key port = {
        .family = k->family, .proto = k->proto, .link = k->link, .port_lo = k->lport, .port_hi = k->lport};

    return (o->rights->bits & (RIGHT_NET_EPHEMERAL | RIGHT_NET_DEFAULT)) != 0 ||
           rights_allow_port(o->rights, &port, link_name);
}

static int move_flow(struct net_endpoint *from, struct net_endpoint *to, const struct net_flow_key *k)
{
    struct net_flow_key key = *k; /* the entry may move under it */
    struct move m = {.to = to, .flow = &key, .packet = core_bounce()};
    struct flow_entry *f;
    int r;

    if (!may_have_flow(to->owner, k))
        return owner_refuse(to->owner, "net.client");
    if (m.packet == NULL)
        return -ENOMEM;
    if (from != to && !records_fit(from, &m)) /* C-REG-12 */
        return -ENOBUFS;
    r = flow_bind(&key, to, &f);
    if (r != 0)
        return r;
    if (from != to)
        ring_walk(from, move_record, &m);
    endpoint_wake(to);
    return 0;
}

static int transfer_flow(struct nc_owner *o, struct net_endpoint *to, const struct net_port_op *op)
{
    const struct net_flow_key *k = &op->flow;
    struct flow_entry *f = op->id != 0 ? flow_by_id(op->id) : NULL;
    struct net_endpoint *from;

    if (f == NULL && !flow_key_valid(k))
        return op->id != 0 ? -ENOENT : -EINVAL;
    if (f == NULL)
        f = flow_by_key(k);
    if (f != NULL) {
        from = f->endpoint;
        k = &f->key;
    } else {
        struct packet p = {.family = k->family,
                           .proto = k->proto,
                           .lport = k->lport,
                           .rport = k->rport,
                           .laddr = k->laddr,
                           .raddr = k->raddr};
        struct port_entry *e = port_lookup(k->family, k->proto, k->link, &k->laddr, k->lport);

        if (e == NULL || e->state != PORT_LIVE || !port_has_owner(e, o))
            return -ENOENT;
        from = port_choose(e, &p);
    }
    if (from->owner != o)
        return -ENOENT;
    return move_flow(from, to, k);
}

int port_transfer(struct nc_owner *o, struct net_endpoint *to, const struct net_port_op *op)
{
    int r;

    if (to->owner == NULL || to->failed)
        return -EPEER;
    r = op->is_flow ? transfer_flow(o, to, op) : transfer_port(o, to, op);
    wake_flush();
    return r;
}

/* --- taking what was offered ------------------------------------------------------------------ */

static bool token_is(const struct offer *o, const uint8_t token[NET_SECRET_BYTES])
{
    uint8_t differ = 0;

    for (unsigned i = 0; i < NET_SECRET_BYTES; i++)
        differ |= o->token[i] ^ token[i];
    return o->made && differ == 0; /* C-REG-13 */
}

static int take_flow(struct net_endpoint *to, struct net_port_op *op)
{
    struct flow_entry *f = flow_by_id(op->id);
    int r;

    if (f == NULL || !token_is(&f->offer, op->secret))
        return -ENOENT;
    op->flow = f->key;
    r = move_flow(f->endpoint, to, &f->key);
    if (r == 0)
        port_secret(&op->flow, sizeof(op->flow), to->owner->family, op->secret);
    return r;
}

static int take_port(struct net_endpoint *to, struct net_port_op *op)
{
    struct port_entry *p = port_by_id(op->id);
    int r;

    if (p == NULL || p->state != PORT_LIVE || !token_is(&p->offer, op->secret))
        return -ENOENT;
    op->key = p->key;
    r = transfer_port(p->members->endpoint->owner, to, op);
    if (r == 0) /* the number is its manifest's, or the giver's family's as before */
        port_secret(&op->key, sizeof(op->key), p->anybodys ? to->owner->family : "", op->secret);
    return r;
}

int port_take(struct net_endpoint *to, struct net_port_op *op)
{
    int r;

    if (to->owner == NULL || to->failed || (op->flags & ~PORT_TAKE) != 0)
        return -EINVAL;
    r = op->is_flow ? take_flow(to, op) : take_port(to, op);
    wake_flush();
    return r;
}
