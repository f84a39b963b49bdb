/* SPDX-License-Identifier: MIT
 *
 * net/core/neigh.c: the neighbour table: who has which MAC on which link.
 *
 * Owns: core.neigh[]. netd alone writes it: the core learns nothing from what
 * it sees on the wire, so nobody there can steer where packets go. Context and
 * lock: as in net/core/core.h.
 */
#include <net/core/internal.h>

static unsigned bucket_of(uint16_t link, const struct net_addr *a)
{
    uint64_t h = load64(a->b) ^ load64(a->b + 8) * 3 ^ link;

    return (unsigned)((h * 0x9e3779b97f4a7c15ull) >> 56) % NEIGH_BUCKETS;
}

struct neighbour *neigh_find(uint16_t link, uint8_t family, const struct net_addr *a)
{
    struct neighbour *n = core.neigh[bucket_of(link, a)];

    while (n != NULL && !(n->link == link && n->family == family && addr_equal(&n->addr, a)))
        n = n->next;
    return n;
}

int neigh_set(const struct net_config *c)
{
    struct link *l = link_by_index(c->link);
    struct neighbour *n;

    if (c->state == NEIGH_NONE)
        return neigh_del(c);
    if (l == NULL || (l->flags & LINKF_ETHERNET) == 0)
        return -ENODEV;
    if (c->state > NEIGH_FAILED || (c->family != NET_INET && c->family != NET_INET6))
        return -EINVAL;
    if ((c->mac[0] & 1) != 0 && c->state != NEIGH_INCOMPLETE && c->state != NEIGH_FAILED)
        return -EINVAL; /* a group address is nobody's */
    n = neigh_find(c->link, c->family, &c->addr);
    if (n == NULL) {
        unsigned b = bucket_of(c->link, &c->addr);

        if (core.nneigh == NEIGH_MAX)
            return -ENOSPC;
        n = nc_alloc(sizeof(*n));
        if (n == NULL)
            return -ENOMEM;
        n->addr = c->addr;
        n->link = c->link;
        n->family = c->family;
        n->next = core.neigh[b];
        core.neigh[b] = n;
        core.nneigh++;
    }
    n->changed_ns = nc_now_ns();
    /* A refresh that changes nothing leaves every cached destination valid. */
    if (n->state != c->state || __builtin_memcmp(n->mac, c->mac, 6) != 0)
        core.config_gen++;
    n->state = c->state;
    __builtin_memcpy(n->mac, c->mac, 6);
    return 0;
}

int neigh_del(const struct net_config *c)
{
    struct neighbour **p = &core.neigh[bucket_of(c->link, &c->addr)];

    for (; *p != NULL; p = &(*p)->next) {
        struct neighbour *n = *p;

        if (n->link != c->link || n->family != c->family || !addr_equal(&n->addr, &c->addr))
            continue;
        *p = n->next;
        nc_free(n);
        core.nneigh--;
        core.config_gen++;
        return 0;
    }
    return -ENOENT;
}

void neigh_fini(void)
{
    for (unsigned b = 0; b < NEIGH_BUCKETS; b++) {
        struct neighbour *n = core.neigh[b];

        while (n != NULL) {
            struct neighbour *next = n->next;
            nc_free(n);
            n = next;
        }
    }
}
