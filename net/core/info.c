/* SPDX-License-Identifier: MIT
 *
 * net/core/info.c: what anybody may read about the network.
 *
 * Owns: nothing; turns tables into the records of slipway/net.h. A listing reads
 * one record a call and needs no state between them. Context and lock: as in
 * net/core/core.h.
 */
#include <net/core/ports.h>

static void copy_text(char *to, size_t room, const char *from)
{
    size_t i = 0;

    for (; from != NULL && i + 1 < room && from[i] != 0; i++)
        to[i] = from[i];
    to[i] = 0;
}

static int link_info(uint64_t cursor, struct net_link_info *i)
{
    const struct link *l = cursor < core.nlinks ? core.link[cursor] : NULL;

    if (l == NULL)
        return 0;
    i->index = l->index;
    __builtin_memcpy(i->mac, l->mac, 6);
    copy_text(i->name, sizeof(i->name), l->name);
    copy_text(i->driver, sizeof(i->driver), l->driver);
    copy_text(i->irq_mode, sizeof(i->irq_mode), l->irq_mode);
    i->irq = l->irq;
    i->flags = l->flags;
    i->features = l->features;
    i->mtu = l->mtu;
    i->speed_bps = l->speed_bps;
    i->rx_frames = l->rx_frames;
    i->rx_bytes = l->rx_bytes;
    i->tx_frames = l->tx_frames;
    i->tx_bytes = l->tx_bytes;
    i->rx_errors = l->rx_errors;
    i->rx_missed = l->rx_missed;
    i->tx_errors = l->tx_errors;
    i->resets = l->resets;
    i->interrupts = l->interrupts;
    i->polls = l->polls;
    i->framing_errors = l->framing_errors;
    i->overruns = l->overruns;
    i->oversize = l->oversize;
    i->escapes = l->escapes;
    i->queue_bytes = l->queue_bytes;
    i->drain_ns = l->drain_ns;
    i->late_ns = l->late_ns;
    i->rx_compressed = l->rx_compressed;
    i->tx_compressed = l->tx_compressed;
    return sizeof(*i);
}

static int addr_info(uint64_t cursor, struct net_config *c)
{
    if (cursor >= core.naddrs)
        return 0;
    const struct address *a = &core.addr[cursor];
    const struct link *l = core.link[a->link];
    c->kind = NETCFG_ADDR_ADD;
    c->link = a->link;
    c->family = a->family;
    c->prefix = a->prefix;
    c->addr = a->addr;
    c->flags = a->flags;
    if ((l->flags & LINKF_POINTOPOINT) != 0)
        c->gateway = l->peer;
    return sizeof(*c);
}

static int route_info(uint64_t cursor, struct net_config *c)
{
    if (cursor >= core.nroutes)
        return 0;
    const struct route *r = &core.route[cursor];
    c->kind = NETCFG_ROUTE_ADD;
    c->link = r->link;
    c->family = r->family;
    c->prefix = r->prefix;
    c->addr = r->dst;
    c->gateway = r->gateway;
    c->source = r->source;
    c->metric = r->metric;
    c->mtu = r->mtu;
    return sizeof(*c);
}

static int neigh_info(uint64_t cursor, struct net_neigh_info *i)
{
    uint64_t n = 0;

    for (unsigned b = 0; b < NEIGH_BUCKETS; b++) {
        for (const struct neighbour *x = core.neigh[b]; x != NULL; x = x->next) {
            if (n++ != cursor)
                continue;
            i->entry.kind = NETCFG_NEIGH_SET;
            i->entry.link = x->link;
            i->entry.family = x->family;
            i->entry.addr = x->addr;
            i->entry.state = x->state;
            __builtin_memcpy(i->entry.mac, x->mac, 6);
            i->age_ns = nc_now_ns() - x->changed_ns;
            return sizeof(*i);
        }
    }
    return 0;
}

static int flow_info(uint64_t cursor, struct net_port_info *i)
{
    const struct flow_entry *f = flow_nth(cursor);

    if (f == NULL)
        return 0;
    i->is_flow = 1;
    i->flow = f->key;
    i->pid = f->endpoint->owner->pid;
    i->id = flow_id(f);
    i->members = 1;
    i->delivered = f->delivered;
    i->dropped = f->dropped;
    return sizeof(*i);
}

/* Ports first, then flows. */
static int port_info(uint64_t cursor, struct net_port_info *i)
{
    const struct port_entry *p = port_nth(cursor);

    if (p == NULL)
        return flow_info(cursor - ports_count(), i);
    i->key = p->key;
    i->id = port_id(p);
    i->members = p->nmembers;
    i->delivered = p->delivered;
    i->dropped = p->dropped;
    if (p->state == PORT_RESERVED) {
        uint64_t now = nc_now_ns(), end = p->reservation->expires_ns;

        i->reserved_ms = (uint32_t)(end > now ? (end - now + 999999) / 1000000 : 1);
        i->parked = p->reservation->count;
    } else {
        i->pid = p->members->endpoint->owner->pid;
    }
    return sizeof(*i);
}

/* The n-th member of the port, newest first; a flow has one. */
static int member_info(uint64_t cursor, struct net_member_info *i)
{
    uint32_t id = (uint32_t)(cursor >> 8), n = (uint32_t)cursor & 255;
    const struct net_endpoint *e = NULL;

    if ((id & FLOW_ID) != 0) {
        const struct flow_entry *f = flow_by_id(id);

        e = f != NULL && n == 0 ? f->endpoint : NULL;
    } else {
        const struct port_entry *p = port_by_id(id);
        const struct port_member *m = p != NULL ? p->members : NULL;

        while (m != NULL && n-- != 0)
            m = m->next;
        e = m != NULL ? m->endpoint : NULL;
    }
    if (e == NULL)
        return 0;
    i->id = id;
    i->pid = e->owner->pid;
    i->delivered = e->delivered;
    i->dropped = e->dropped;
    return sizeof(*i);
}

int net_info_read(uint32_t kind, uint64_t cursor, void *buf, size_t bytes)
{
    union {
        struct net_link_info link;
        struct net_config config;
        struct net_neigh_info neigh;
        struct net_port_info port;
        struct net_counters counters;
        struct net_route_info route;
        struct net_member_info member;
    } u;
    int n;

    __builtin_memset(&u, 0, sizeof(u));
    switch (kind) {
    case NETINFO_LINK:
        n = link_info(cursor, &u.link);
        break;
    case NETINFO_ADDR:
        n = addr_info(cursor, &u.config);
        break;
    case NETINFO_ROUTE:
        n = route_info(cursor, &u.config);
        break;
    case NETINFO_NEIGH:
        n = neigh_info(cursor, &u.neigh);
        break;
    case NETINFO_PORT:
        n = port_info(cursor, &u.port);
        break;
    case NETINFO_MEMBER:
        n = member_info(cursor, &u.member);
        break;
    case NETINFO_COUNTERS:
        u.counters = core.c;
        u.counters.size = sizeof(u.counters);
        u.counters.drops = DROP_COUNT;
        n = cursor == 0 ? (int)sizeof(u.counters) : 0;
        break;
    case NETINFO_LOOKUP:
        if (bytes < sizeof(u.route))
            return -EINVAL;
        __builtin_memcpy(&u.route, buf, sizeof(u.route));
        n = net_route_lookup(&u.route);
        if (n == 0)
            n = sizeof(u.route);
        break;
    default:
        return -EINVAL;
    }
    if (n <= 0)
        return n;
    if (bytes < (size_t)n)
        return -EINVAL;
    __builtin_memcpy(buf, &u, (size_t)n);
    return n;
}
