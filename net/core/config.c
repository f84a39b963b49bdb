/* SPDX-License-Identifier: MIT
 *
 * net/core/config.c: writing addresses, routes, neighbours and link state.
 *
 * Owns: the check of the right; the tables are their own files'. Context and
 * lock: as in net/core/core.h.
 */
#include <net/core/internal.h>

static void log_address(const char *verb, const struct net_config *c)
{
    const uint8_t *b = c->addr.b;

    if (c->family == NET_INET)
        nc_log("net: %s: address %u.%u.%u.%u/%u %s", link_name(c->link), b[0], b[1], b[2], b[3], c->prefix,
               verb);
    else
        nc_log("net: %s: address %x:%x:%x:%x:%x:%x:%x:%x/%u %s%s", link_name(c->link), be16(b), be16(b + 2),
               be16(b + 4), be16(b + 6), be16(b + 8), be16(b + 10), be16(b + 12), be16(b + 14), c->prefix,
               verb, (c->flags & ADDR_TENTATIVE) != 0 ? ", on trial" : "");
}

static int set_link(const struct net_config *c, bool up)
{
    struct link *l = link_by_index(c->link);

    if (l == NULL)
        return -ENODEV;
    if ((l->flags & LINKF_LOOPBACK) != 0 && !up)
        return -EINVAL;
    l->flags = up ? l->flags | LINKF_UP : l->flags & ~LINKF_UP;
    core.config_gen++;
    return 0;
}

int net_config_apply(struct nc_owner *o, const struct net_config *c)
{
    unsigned before = core.naddrs;
    int r;

    if (!owner_has(o, RIGHT_NET_DEFAULT))
        return owner_refuse(o, "net.default"); /* C-RIGHT-2 */
    switch (c->kind) {
    case NETCFG_ADDR_ADD:
        r = addr_add(c);
        if (r == 0 && core.naddrs != before)
            log_address("added", c);
        return r;
    case NETCFG_ADDR_DEL:
        r = addr_del(c);
        if (r == 0)
            log_address("removed", c);
        return r;
    case NETCFG_ROUTE_ADD:
        return route_add(c, false);
    case NETCFG_ROUTE_DEL:
        return route_del(c, false);
    case NETCFG_NEIGH_SET:
        return neigh_set(c);
    case NETCFG_NEIGH_DEL:
        return neigh_del(c);
    case NETCFG_LINK_UP:
        return set_link(c, true);
    case NETCFG_LINK_DOWN:
        return set_link(c, false);
    default:
        return -EINVAL;
    }
}
