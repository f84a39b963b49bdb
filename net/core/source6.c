/* SPDX-License-Identifier: MIT
 *
 * net/core/source6.c: which of our IPv6 addresses a packet is sent from (RFC 6724,
 * section 5): the rules that concern a host without mobility and without temporary
 * addresses.
 *
 * Owns: the policy table. Context and lock: as in net/core/core.h.
 */
#include <net/core/ip6.h>

/* RFC 6724, section 2.1; longest prefix first. */
static const struct {
    uint8_t prefix[16];
    uint8_t bits, label;
} policy[] = {
    {{[15] = 1}, 128, 0},
    {{[10] = 0xff, [11] = 0xff}, 96, 4},
    {{0}, 96, 3},
    {{0x20, 0x01}, 32, 5},
    {{0x20, 0x02}, 16, 2},
    {{0x3f, 0xfe}, 16, 12},
    {{0xfe, 0xc0}, 10, 11},
    {{0xfc}, 7, 13},
    {{0}, 0, 1},
};

static unsigned label(const struct net_addr *a)
{
    unsigned i = 0;
    struct net_addr prefix;

    for (;; i++) { /* ends: the last one takes all */
        __builtin_memcpy(prefix.b, policy[i].prefix, 16);
        if (addr_in_prefix(a, &prefix, policy[i].bits))
            return policy[i].label;
    }
}

/* Leading bits that both have, at most as many as the source's prefix (RFC 6724,
 * section 2.2). */
static unsigned common_bits(const struct own_ip6 *o, const struct net_addr *dst)
{
    unsigned n = 0;

    while (n < o->prefix && ((o->addr.b[n / 8] ^ dst->b[n / 8]) >> (7 - n % 8) & 1) == 0)
        n++;
    return n;
}

/* Is a better than b for dst? Rules 2, 3, 6 and 8; the first is the loopback's, and
 * candidates of another link compete with nobody (rule 5). */
static bool better(const struct own_ip6 *a, const struct own_ip6 *b, const struct net_addr *dst)
{
    unsigned sa = ip6_scope(&a->addr), sb = ip6_scope(&b->addr), sd = ip6_scope(dst);
    bool old_a = (a->flags & ADDR_DEPRECATED) != 0, old_b = (b->flags & ADDR_DEPRECATED) != 0;

    if (sa != sb)
        return sa < sb ? sa >= sd : sb < sd;
    if (old_a != old_b)
        return old_b;
    bool like_a = label(&a->addr) == label(dst), like_b = label(&b->addr) == label(dst);
    if (like_a != like_b)
        return like_a;
    return common_bits(a, dst) > common_bits(b, dst);
}

static const struct own_ip6 *best_on(const struct net_addr *dst, uint16_t link)
{
    const struct own_ip6 *best = NULL;

    for (unsigned i = 0; i < core.nown6; i++) {
        const struct own_ip6 *o = &core.own6[i];

        if ((o->flags & ADDR_TENTATIVE) != 0)
            continue;
        if (link == LINK_ANY ? o->link == loopback.index || ip6_is_link_local(&o->addr) : o->link != link)
            continue;
        if (best == NULL || better(o, best, dst))
            best = o;
    }
    return best;
}

/* Addresses of the link that the packet leaves by; where these reach less far than
 * the packet is to go, any that does. */
const struct own_ip6 *choose_source6(const struct net_addr *dst, uint16_t link)
{
    const struct own_ip6 *here = best_on(dst, link), *elsewhere;

    if (here != NULL && ip6_scope(&here->addr) >= ip6_scope(dst))
        return here;
    if (ip6_scope(dst) <= SCOPE_LINK)
        return here;
    elsewhere = best_on(dst, LINK_ANY);
    return elsewhere != NULL ? elsewhere : here;
}
