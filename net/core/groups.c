/* SPDX-License-Identifier: MIT
 *
 * net/core/groups.c: the multicast groups of each link.
 *
 * Owns: link->group[]: what the card is to let through besides its own address
 * and broadcasts. It follows from the addresses: all hosts (RFC 1112), all nodes
 * and the solicited-node group of each IPv6 address (RFC 4291, section 2.8).
 * Nothing else is joined. Context and lock: as in net/core/core.h.
 */
#include <net/core/ip6.h>

struct groups {
    uint8_t mac[LINK_GROUPS_MAX][6];
    uint8_t n;
};

static void add(struct groups *g, const uint8_t mac[6])
{
    for (unsigned i = 0; i < g->n; i++)
        if (__builtin_memcmp(g->mac[i], mac, 6) == 0)
            return;
    if (g->n < LINK_GROUPS_MAX)
        __builtin_memcpy(g->mac[g->n++], mac, 6);
}

static void collect(const struct link *l, struct groups *g)
{
    static const uint8_t all_hosts[6] = {0x01, 0x00, 0x5e, 0x00, 0x00, 0x01};
    static const uint8_t all_nodes[6] = {0x33, 0x33, 0x00, 0x00, 0x00, 0x01};

    __builtin_memset(g, 0, sizeof(*g));
    if ((l->flags & LINKF_ETHERNET) == 0)
        return;
    for (unsigned i = 0; i < core.nown4; i++)
        if (core.own4[i].link == l->index)
            add(g, all_hosts);
    for (unsigned i = 0; i < core.nown6; i++) {
        const uint8_t *b = core.own6[i].addr.b;
        uint8_t solicited[6] = {0x33, 0x33, 0xff, b[13], b[14], b[15]}; /* RFC 2464, section 7 */

        if (core.own6[i].link != l->index)
            continue;
        add(g, all_nodes);
        add(g, solicited);
    }
}

void groups_update(void)
{
    for (unsigned i = 0; i < core.nlinks; i++) {
        struct link *l = core.link[i];
        struct groups g;

        collect(l, &g);
        if (g.n == l->ngroups && __builtin_memcmp(g.mac, l->group, sizeof(g.mac)) == 0)
            continue;
        __builtin_memcpy(l->group, g.mac, sizeof(l->group));
        l->ngroups = g.n;
        if (l->ops->filter != NULL)
            l->ops->filter(l);
    }
}

/* The card's filter is a hash as a rule, so that this is where it is decided. */
bool ip6_is_joined(const struct link *l, const struct net_addr *group)
{
    static const uint8_t solicited[13] = {0xff, 0x02, [11] = 0x01, [12] = 0xff};
    bool lo = (l->flags & LINKF_LOOPBACK) != 0;
    bool is_solicited = __builtin_memcmp(group->b, solicited, 13) == 0;
    /* ff01::1 stays on its machine, ff02::1 on its link. */
    bool all_nodes = group->b[1] == (lo ? SCOPE_INTERFACE : SCOPE_LINK) && group->b[0] == 0xff &&
                     (load64(group->b) >> 16) == 0 && load64(group->b + 8) == __builtin_bswap64(1);

    for (unsigned i = 0; i < core.nown6; i++) {
        const struct own_ip6 *o = &core.own6[i];

        if (o->link == l->index &&
            (all_nodes || (is_solicited && __builtin_memcmp(group->b + 13, o->addr.b + 13, 3) == 0)))
            return true;
    }
    return false;
}
