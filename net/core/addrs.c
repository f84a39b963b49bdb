/* SPDX-License-Identifier: MIT
 *
 * net/core/addrs.c: the addresses of this host.
 *
 * Owns: core.addr[] and its compact IPv4 copy core.own4[] for the receive path.
 * Each address brings its connected route along. Context and lock: as in
 * net/core/core.h.
 */
#include <net/core/internal.h>

static void rebuild_own4(void)
{
    core.nown4 = 0;
    for (unsigned i = 0; i < core.naddrs; i++) {
        const struct address *a = &core.addr[i];
        struct own_ip4 *o = &core.own4[core.nown4];

        if (a->family != NET_INET)
            continue;
        o->ip = load_ip4(a->addr.b);
        o->link = a->link;
        o->prefix = a->prefix;
        /* RFC 3021: no directed broadcast below four addresses; none on lo. */
        o->broadcast =
            a->prefix <= 30 && a->link != loopback.index ? o->ip | ~ip4_mask(a->prefix) : 0xffffffffu;
        core.nown4++;
    }
    core.config_gen++;
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
    for (unsigned i = 0; i < core.naddrs; i++)
        if (core.addr[i].family == family && addr_equal(&core.addr[i].addr, a))
            return true;
    return false;
}

static bool same_prefix(const struct address *a, const struct net_addr *b)
{
    unsigned bits = a->prefix, whole = bits / 8;

    if (__builtin_memcmp(a->addr.b, b->b, whole) != 0)
        return false;
    return bits % 8 == 0 || ((a->addr.b[whole] ^ b->b[whole]) >> (8 - bits % 8)) == 0;
}

const struct address *addr_on_link(uint16_t link, uint8_t family, const struct net_addr *near)
{
    const struct address *found = NULL;

    for (unsigned i = 0; i < core.naddrs; i++) {
        const struct address *a = &core.addr[i];

        if (a->link != link || a->family != family)
            continue;
        if (near != NULL && same_prefix(a, near))
            return a;
        if (found == NULL)
            found = a;
    }
    return found;
}

static bool address_acceptable(const struct net_config *c, const struct link *l)
{
    if (c->family == NET_INET6)
        return c->prefix <= 128 && !addr_is_any(&c->addr) && c->addr.b[0] != 0xff;
    if (c->family != NET_INET || c->prefix > 32)
        return false;
    if ((c->addr.b[0] == 127) != ((l->flags & LINKF_LOOPBACK) != 0))
        return false;
    return c->addr.b[0] != 0 && c->addr.b[0] < 224;
}

static struct address *find(uint8_t family, const struct net_addr *addr)
{
    for (unsigned i = 0; i < core.naddrs; i++)
        if (core.addr[i].family == family && addr_equal(&core.addr[i].addr, addr))
            return &core.addr[i];
    return NULL;
}

/* The route that an address implies: its prefix, or the peer of a serial line. */
static struct net_config connected_route(const struct address *a, const struct link *l)
{
    struct net_config r = {.link = a->link, .family = a->family, .prefix = a->prefix, .source = a->addr};

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

int addr_add(const struct net_config *c)
{
    struct link *l = link_by_index(c->link);
    struct net_config r;

    if (l == NULL)
        return -ENODEV;
    if (!address_acceptable(c, l))
        return -EINVAL;
    struct address *a = find(c->family, &c->addr);
    if (a != NULL && a->link != c->link)
        return -EEXIST;
    if (a != NULL) {
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
    rebuild_own4();
    r = connected_route(a, l);
    return addr_is_any(&r.addr) ? 0 : route_add(&r, true);
}

int addr_del(const struct net_config *c)
{
    struct address *a = find(c->family, &c->addr);

    if (a == NULL || a->link != c->link)
        return -ENOENT;
    if (a->link == loopback.index)
        return -EINVAL;
    struct link *l = link_by_index(a->link);
    struct net_config r = connected_route(a, l);
    (void)route_del(&r, true);
    *a = core.addr[--core.naddrs];
    rebuild_own4();
    for (unsigned i = 0; i < core.naddrs; i++) { /* another address may imply the same route */
        if (core.addr[i].link != l->index)
            continue;
        r = connected_route(&core.addr[i], l);
        if (!addr_is_any(&r.addr))
            (void)route_add(&r, true);
    }
    return 0;
}
