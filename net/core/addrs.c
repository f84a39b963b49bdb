/* SPDX-License-Identifier: MIT
 *
 * net/core/addrs.c: the addresses of this host.
 *
 * Owns: core.addr[] and its compact copies core.own4[] and own6[] for the receive path.
 * Each address brings its connected route along. Context and lock: as in
 * net/core/core.h.
 */
#include <net/core/ip6.h>

static void rebuild_own(void)
{
    core.nown4 = core.nown6 = 0;
    for (unsigned i = 0; i < core.naddrs; i++) {
        const struct address *a = &core.addr[i];
        struct own_ip4 *o = &core.own4[core.nown4];

        if (a->family != NET_INET) {
            core.own6[core.nown6++] = (struct own_ip6){
                .addr = a->addr, .link = a->link, .prefix = a->prefix, .flags = (uint8_t)a->flags};
            continue;
        }
        o->ip = load_ip4(a->addr.b);
        o->link = a->link;
        o->prefix = a->prefix;
        /* RFC 3021: no directed broadcast below four addresses; none on lo. */
        o->broadcast =
            a->prefix <= 30 && a->link != loopback.index ? o->ip | ~ip4_mask(a->prefix) : 0xffffffffu;
        core.nown4++;
    }
    core.config_gen++;
    groups_update();
}

bool ip4_is_own(ip4_t ip)
{
    if ((ip & 0xff) == 127)
        return true;
    for (unsigned i = 0; i < core.nown4; i++)
        if (core.own4[i].ip == ip)
            return true;
    return false;
}

bool ip4_is_broadcast(ip4_t ip)
{
    if (ip == 0xffffffffu)
        return true;
    for (unsigned i = 0; i < core.nown4; i++)
        if (core.own4[i].broadcast == ip)
            return true;
    return false;
}

bool addr_is_own(uint8_t family, const struct net_addr *a)
{
    if (family == NET_INET)
        return ip4_is_own(load_ip4(a->b));
    return family == NET_INET6 && ip6_own(a, LINK_ANY) != NULL;
}

const struct own_ip6 *ip6_own(const struct net_addr *a, uint16_t link)
{
    bool scoped = link != LINK_ANY && link != loopback.index && ip6_is_link_local(a);

    for (unsigned i = 0; i < core.nown6; i++)
        if (addr_equal(&core.own6[i].addr, a) && (!scoped || core.own6[i].link == link))
            return &core.own6[i];
    return NULL;
}

bool addr_in_prefix(const struct net_addr *a, const struct net_addr *net, unsigned bits)
{
    unsigned whole = bits / 8;

    if (__builtin_memcmp(a->b, net->b, whole) != 0)
        return false;
    return bits % 8 == 0 || ((a->b[whole] ^ net->b[whole]) >> (8 - bits % 8)) == 0;
}

const struct address *addr_on_link(uint16_t link, uint8_t family, const struct net_addr *near)
{
    const struct address *found = NULL;

    for (unsigned i = 0; i < core.naddrs; i++) {
        const struct address *a = &core.addr[i];

        if (a->link != link || a->family != family)
            continue;
        if (near != NULL && addr_in_prefix(near, &a->addr, a->prefix))
            return a;
        if (found == NULL)
            found = a;
    }
    return found;
}

static bool address_acceptable(const struct net_config *c, const struct link *l)
{
    if (c->family == NET_INET6)
        return c->prefix <= 128 && link_takes_ip6(l) && !addr_is_any(&c->addr) &&
               !ip6_is_multicast(&c->addr) && !ip6_is_mapped(&c->addr) &&
               ip6_is_loopback(&c->addr) == ((l->flags & LINKF_LOOPBACK) != 0);
    if (c->family != NET_INET || c->prefix > 32)
        return false;
    if ((c->addr.b[0] == 127) != ((l->flags & LINKF_LOOPBACK) != 0))
        return false;
    return c->addr.b[0] != 0 && c->addr.b[0] < 224;
}

/* An address is one link's; a link-local one may be that of several. */
static struct address *find(const struct net_config *c)
{
    bool scoped = c->family == NET_INET6 && ip6_is_link_local(&c->addr);

    for (unsigned i = 0; i < core.naddrs; i++)
        if (core.addr[i].family == c->family && addr_equal(&core.addr[i].addr, &c->addr) &&
            (!scoped || core.addr[i].link == c->link))
            return &core.addr[i];
    return NULL;
}

/* The route that an address implies: its prefix, or the peer of a serial line. */
static struct net_config connected_route(const struct address *a, const struct link *l)
{
    struct net_config r = {.link = a->link, .family = a->family, .prefix = a->prefix};

    if (a->family == NET_INET)
        r.source = a->addr; /* IPv6 chooses among the prefix's addresses (source6.c) */

    if ((l->flags & LINKF_POINTOPOINT) != 0 && a->family == NET_INET && a->prefix == 32) {
        r.addr = l->peer;
        return r;
    }
    for (unsigned i = 0; i < 16; i++) {
        unsigned bits = a->prefix > 8 * i ? a->prefix - 8 * i : 0;
        r.addr.b[i] = a->addr.b[i] & (bits >= 8 ? 0xff : (uint8_t)(0xff00u >> bits));
    }
    return r;
}

static int add_connected(const struct address *a, const struct link *l)
{
    struct net_config r = connected_route(a, l);

    if (addr_is_any(&r.addr) || (a->flags & ADDR_OFF_LINK) != 0)
        return 0;
    return route_add(&r, true);
}

/* Addresses may share a prefix, and so a route. */
static void add_connected_again(const struct link *l)
{
    for (unsigned i = 0; i < core.naddrs; i++)
        if (core.addr[i].link == l->index)
            (void)add_connected(&core.addr[i], l);
}

int addr_add(const struct net_config *c)
{
    struct link *l = link_by_index(c->link);
    struct net_config r;

    if (l == NULL)
        return -ENODEV;
    if (!address_acceptable(c, l))
        return -EINVAL;
    struct address *a = find(c);
    if (a != NULL && a->link != c->link)
        return -EEXIST;
    if (a != NULL) {
        if (a->prefix == c->prefix && a->flags == c->flags && addr_is_any(&c->gateway))
            return 0; /* nothing new: cached destinations stay valid */
        r = connected_route(a, l);
        (void)route_del(&r, true);
    } else if (core.naddrs == ADDRS_MAX) {
        return -ENOSPC;
    } else {
        a = &core.addr[core.naddrs++];
    }
    *a = (struct address){
        .addr = c->addr, .link = c->link, .family = c->family, .prefix = c->prefix, .flags = c->flags};
    if ((l->flags & LINKF_POINTOPOINT) != 0 && !addr_is_any(&c->gateway))
        l->peer = c->gateway;
    rebuild_own();
    add_connected_again(l);
    return 0;
}

int addr_del(const struct net_config *c)
{
    struct address *a = find(c);

    if (a == NULL || a->link != c->link)
        return -ENOENT;
    if (a->link == loopback.index)
        return -EINVAL;
    struct link *l = link_by_index(a->link);
    struct net_config r = connected_route(a, l);
    (void)route_del(&r, true);
    *a = core.addr[--core.naddrs];
    rebuild_own();
    add_connected_again(l);
    return 0;
}
