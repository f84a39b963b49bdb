/* SPDX-License-Identifier: MIT
 *
 * net/core/routes.c: which link and next hop a destination has.
 *
 * Owns: core.route[], sorted by prefix length (longest first), then metric, so
 * that the first hit is the answer; resolve4, whose result endpoints cache until
 * core.config_gen moves. Context and lock: as in net/core/core.h.
 */
#include <net/core/ip6.h>

static bool same_route(const struct route *r, const struct net_config *c)
{
    return r->family == c->family && r->prefix == c->prefix && r->link == c->link && r->metric == c->metric &&
           addr_equal(&r->dst, &c->addr) && addr_equal(&r->gateway, &c->gateway);
}

static int find(const struct net_config *c)
{
    for (unsigned i = 0; i < core.nroutes; i++)
        if (same_route(&core.route[i], c))
            return (int)i;
    return -1;
}

static bool before(const struct route *a, const struct route *b)
{
    return a->prefix != b->prefix ? a->prefix > b->prefix : a->metric < b->metric;
}

/* No bits behind the prefix, no groups (their links are found otherwise), and no
 * link or path that carries less than IPv6 must be able to rely on. */
static bool route6_acceptable(const struct net_config *c)
{
    struct net_addr dst = c->addr;

    for (unsigned i = c->prefix; i < 128; i++)
        dst.b[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
    return addr_equal(&dst, &c->addr) && !ip6_is_multicast(&c->addr) && !ip6_is_multicast(&c->gateway) &&
           link_takes_ip6(link_by_index(c->link)) && (c->mtu == 0 || c->mtu >= IP6_MTU_MIN);
}

int route_add(const struct net_config *c, bool connected)
{
    int at = find(c);
    struct route r = {.dst = c->addr,
                      .gateway = c->gateway,
                      .source = c->source,
                      .link = c->link,
                      .family = c->family,
                      .prefix = c->prefix,
                      .connected = connected,
                      .metric = c->metric,
                      .mtu = c->mtu};

    if (link_by_index(c->link) == NULL)
        return -ENODEV;
    if ((c->family != NET_INET && c->family != NET_INET6) || c->prefix > (c->family == NET_INET ? 32 : 128))
        return -EINVAL;
    if (!addr_is_any(&c->gateway) && addr_is_own(c->family, &c->gateway))
        return -EINVAL;
    if (!addr_is_any(&c->source) && !addr_is_own(c->family, &c->source))
        return -EADDRNOTAVAIL;
    if (c->family == NET_INET) {
        r.mask = ip4_mask(c->prefix);
        r.net = load_ip4(c->addr.b);
        if ((r.net & ~r.mask) != 0 || (c->mtu != 0 && c->mtu < IP4_MTU_MIN))
            return -EINVAL;
    } else if (!route6_acceptable(c)) {
        return -EINVAL;
    }
    if (at >= 0) {
        r.connected = core.route[at].connected || connected;
        if (connected) /* an address comes again: what is known of the way stays */
            r.mtu = core.route[at].mtu;
        core.route[at] = r;
    } else {
        unsigned i = core.nroutes;

        if (i == ROUTES_MAX)
            return -ENOSPC;
        for (; i > 0 && before(&r, &core.route[i - 1]); i--)
            core.route[i] = core.route[i - 1];
        core.route[i] = r;
        core.nroutes++;
    }
    core.config_gen++;
    return 0;
}

int route_del(const struct net_config *c, bool connected)
{
    int at = find(c);

    if (at < 0 || core.route[at].connected != connected)
        return -ENOENT;
    core.nroutes--;
    for (unsigned i = (unsigned)at; i < core.nroutes; i++)
        core.route[i] = core.route[i + 1];
    core.config_gen++;
    return 0;
}

const struct route *route_find4(ip4_t dst, uint16_t want)
{
    const struct route *down = NULL;

    for (unsigned i = 0; i < core.nroutes; i++) {
        const struct route *r = &core.route[i];

        if (r->family != NET_INET || (dst & r->mask) != r->net || (want != LINK_ANY && want != r->link))
            continue;
        if (link_ready(core.link[r->link]))
            return r;
        if (down == NULL)
            down = r; /* better than "no route": the sender learns that the link is down */
    }
    return down;
}

/* A group address has no route of its own as a rule: the link asked for, else
 * what the default route says, else the first link that could. */
static struct link *group_link(ip4_t dst, uint16_t want)
{
    const struct route *r;

    if (want != LINK_ANY)
        return link_by_index(want);
    for (unsigned i = 0; i < core.nown4; i++)
        if (core.own4[i].broadcast == dst && dst != 0xffffffffu)
            return core.link[core.own4[i].link];
    r = route_find4(dst, LINK_ANY);
    if (r != NULL)
        return core.link[r->link];
    for (unsigned i = 0; i < core.nlinks; i++)
        if ((core.link[i]->flags & LINKF_LOOPBACK) == 0 && link_ready(core.link[i]))
            return core.link[i];
    return NULL;
}

static void group_mac(ip4_t dst, bool multicast, uint8_t mac[6])
{
    const uint8_t *b = (const uint8_t *)&dst;

    if (!multicast) {
        __builtin_memset(mac, 0xff, 6);
        return;
    }
    mac[0] = 0x01; /* RFC 1112, section 6.4: the low 23 bits of the group */
    mac[1] = 0x00;
    mac[2] = 0x5e;
    mac[3] = b[1] & 0x7f;
    mac[4] = b[2];
    mac[5] = b[3];
}

void find_mac(struct dst_cache *d, uint8_t family, const struct net_addr *hop)
{
    const struct neighbour *n;

    d->mac_known = (d->link->flags & LINKF_ETHERNET) == 0;
    if (d->mac_known)
        return;
    n = neigh_find(d->link->index, family, hop);
    /* A stale entry is netd's to confirm; without netd it is as good as known. */
    if (n != NULL && (n->state == NEIGH_REACHABLE || n->state == NEIGH_PERMANENT ||
                      (n->state == NEIGH_STALE && core.slot[SLOT_NEIGHBOUR] == NULL))) { /* C-NETD-1 */
        __builtin_memcpy(d->mac, n->mac, 6);
        d->mac_known = true;
    }
}

int resolve4(struct dst_cache *d, ip4_t dst, uint16_t want)
{
    bool multicast = (dst & 0xf0) == 0xe0;

    d->generation = 0;
    d->dst = dst;
    d->want_link = want;
    d->nexthop = dst;
    if (ip4_is_own(dst)) {
        d->link = &loopback;
        d->mtu = loopback.mtu;
        d->mac_known = true;
    } else if (multicast || ip4_is_broadcast(dst)) {
        d->link = group_link(dst, want);
        if (d->link == NULL)
            return -ENETUNREACH;
        d->mtu = d->link->mtu;
        group_mac(dst, multicast, d->mac);
        d->mac_known = true;
    } else {
        const struct route *r = route_find4(dst, want);

        if (r == NULL)
            return -ENETUNREACH;
        d->link = core.link[r->link];
        d->mtu = r->mtu != 0 && r->mtu < d->link->mtu ? r->mtu : d->link->mtu;
        if (!addr_is_any(&r->gateway))
            d->nexthop = load_ip4(r->gateway.b);
        struct net_addr hop = addr_from_ip4(d->nexthop);
        find_mac(d, NET_INET, &hop);
    }
    d->generation = core.config_gen;
    return 0;
}

int net_route_lookup(struct net_route_info *io)
{
    struct dst_cache d;
    struct net_addr hop;
    ip4_t dst = load_ip4(io->dst.b);
    int r;

    if (io->family == NET_INET6)
        return route_lookup6(io);
    if (io->family != NET_INET)
        return -EAFNOSUPPORT;
    r = resolve4(&d, dst, io->link);
    if (r != 0)
        return r;
    hop = addr_from_ip4(d.nexthop);
    io->gateway = hop;
    io->link = d.link->index;
    io->mtu = (uint16_t)(d.mtu > 65535 ? 65535 : d.mtu);
    io->flags = d.link->flags;
    io->speed_bps = d.link->speed_bps;
    __builtin_memset(io->pad, 0, sizeof(io->pad));
    if (d.link == &loopback) {
        io->src = io->dst; /* both ends are this address */
        return 0;
    }
    const struct route *via = route_find4(dst, io->link);
    if (via != NULL && !addr_is_any(&via->source)) {
        io->src = via->source;
        return 0;
    }
    const struct address *a = addr_on_link(io->link, NET_INET, &hop);
    for (unsigned i = 0; a == NULL && i < core.naddrs; i++)
        if (core.addr[i].family == NET_INET && core.addr[i].link != loopback.index)
            a = &core.addr[i];
    if (a == NULL)
        return -EADDRNOTAVAIL;
    io->src = a->addr;
    return 0;
}
