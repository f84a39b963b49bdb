/* SPDX-License-Identifier: MIT
 *
 * net/core/routes6.c: which link and next hop an IPv6 destination has. The table is
 * that of routes.c; scopes are what differs.
 *
 * Owns: nothing. Context and lock: as in net/core/core.h.
 */
#include <net/core/ip6.h>

/* Longest prefix first, as the table lies. What is local to a link goes by no
 * gateway, and a prefix of less than ten bits says nothing about it. */
static const struct route *route_find6(const struct net_addr *dst, uint16_t want)
{
    const struct route *down = NULL;
    bool local = ip6_is_link_local(dst);

    for (unsigned i = 0; i < core.nroutes; i++) {
        const struct route *r = &core.route[i];

        if (r->family != NET_INET6 || (want != LINK_ANY && want != r->link) ||
            !addr_in_prefix(dst, &r->dst, r->prefix) ||
            (local && (r->prefix < 10 || !addr_is_any(&r->gateway))))
            continue;
        if (link_ready(core.link[r->link]))
            return r;
        if (down == NULL)
            down = r;
    }
    return down;
}

/* The link asked for, else that of the default route, else the first that could. */
static struct link *group_link(const struct net_addr *dst, uint16_t want)
{
    static const struct net_addr any;
    const struct route *r;

    if ((dst->b[1] & 15) == SCOPE_INTERFACE)
        return &loopback;
    if (want != LINK_ANY)
        return link_takes_ip6(link_by_index(want)) ? link_by_index(want) : NULL;
    r = route_find6(dst, LINK_ANY);
    if (r == NULL)
        r = route_find6(&any, LINK_ANY);
    if (r != NULL)
        return core.link[r->link];
    for (unsigned i = 0; i < core.nlinks; i++)
        if ((core.link[i]->flags & LINKF_LOOPBACK) == 0 && link_ready(core.link[i]) &&
            link_takes_ip6(core.link[i]))
            return core.link[i];
    return NULL;
}

static int resolve_group(struct dst_cache6 *d, uint16_t want)
{
    const uint8_t *b = d->dst.b;

    d->to.link = group_link(&d->dst, want);
    if (d->to.link == NULL)
        return -ENETUNREACH;
    d->to.mtu = d->to.link->mtu;
    d->to.mac[0] = d->to.mac[1] = 0x33; /* RFC 2464, section 7 */
    __builtin_memcpy(d->to.mac + 2, b + 12, 4);
    d->to.mac_known = true;
    return 0;
}

int resolve6(struct dst_cache6 *d, const struct net_addr *dst, uint16_t want)
{
    const struct route *r;
    int status = 0;

    d->to.generation = 0;
    d->dst = d->hop = *dst;
    d->to.want_link = want;
    if (want != LINK_ANY && link_by_index(want) == NULL)
        return -ENETUNREACH;
    if (ip6_own(dst, want) != NULL) {
        d->to.link = &loopback;
        d->to.mtu = loopback.mtu;
        d->to.mac_known = true;
    } else if (ip6_is_multicast(dst)) {
        status = resolve_group(d, want);
    } else {
        r = route_find6(dst, want);
        if (r == NULL)
            return -ENETUNREACH;
        d->to.link = core.link[r->link];
        d->to.mtu = r->mtu != 0 && r->mtu < d->to.link->mtu ? r->mtu : d->to.link->mtu;
        if (!addr_is_any(&r->gateway))
            d->hop = r->gateway;
        find_mac(&d->to, NET_INET6, &d->hop);
    }
    if (status == 0)
        d->to.generation = core.config_gen;
    return status;
}

int route_lookup6(struct net_route_info *io)
{
    const struct own_ip6 *source;
    const struct route *via;
    struct dst_cache6 d;
    int r = resolve6(&d, &io->dst, io->link);

    if (r != 0)
        return r;
    io->gateway = d.hop;
    io->link = d.to.link->index;
    io->mtu = (uint16_t)(d.to.mtu > 65535 ? 65535 : d.to.mtu);
    io->flags = d.to.link->flags;
    io->speed_bps = d.to.link->speed_bps;
    __builtin_memset(io->pad, 0, sizeof(io->pad));
    if (d.to.link == &loopback && !ip6_is_multicast(&io->dst)) {
        io->src = io->dst; /* both ends are this address */
        return 0;
    }
    via = ip6_is_multicast(&io->dst) ? NULL : route_find6(&io->dst, io->link);
    if (via != NULL && !addr_is_any(&via->source)) {
        io->src = via->source;
        return 0;
    }
    source = choose_source6(&io->dst, io->link);
    if (source == NULL)
        return -EADDRNOTAVAIL;
    io->src = source->addr;
    return 0;
}
