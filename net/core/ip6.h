/* SPDX-License-Identifier: MIT
 *
 * net/core/ip6.h: what an IPv6 address and header say, for the net core.
 *
 * Owns: nothing; pure questions. Context and lock: any, none.
 */
#ifndef NET_CORE_IP6_H
#define NET_CORE_IP6_H

#include <net/core/internal.h>

#define IP6_HDR     40u
#define IP6_MTU_MIN 1280u /* RFC 8200, section 5: a link that carries less carries no IPv6 */

/* Next-header values of what stands between the header and the transport. */
enum { NH_HOP_BY_HOP = 0, NH_ROUTING = 43, NH_FRAGMENT = 44, NH_NOTHING = 59, NH_DESTINATION = 60 };

#define IP6_FRAGMENT_HDR 8u

/* Scopes as RFC 4291, section 2.7 numbers them. */
enum { SCOPE_INTERFACE = 1, SCOPE_LINK = 2, SCOPE_SITE = 5, SCOPE_GLOBAL = 14 };

static inline bool ip6_is_multicast(const struct net_addr *a)
{
    return a->b[0] == 0xff;
}
static inline bool ip6_is_link_local(const struct net_addr *a)
{
    return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}
static inline bool ip6_is_loopback(const struct net_addr *a)
{
    return load64(a->b) == 0 && load64(a->b + 8) == __builtin_bswap64(1);
}
/* ::ffff:0:0/96 stands for IPv4 inside programs, never on a wire (RFC 4291, 2.5.5.2). */
static inline bool ip6_is_mapped(const struct net_addr *a)
{
    return load64(a->b) == 0 && (load64(a->b + 8) & 0xffffffffu) == 0xffff0000u;
}
static inline unsigned ip6_scope(const struct net_addr *a)
{
    if (ip6_is_multicast(a))
        return a->b[1] & 15;
    if (ip6_is_link_local(a) || ip6_is_loopback(a))
        return SCOPE_LINK; /* RFC 6724, section 3.1 */
    return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0xc0 ? SCOPE_SITE : SCOPE_GLOBAL;
}

/* A serial line as RFC 1055 draws it carries IPv4 alone, and its MTU may be below
 * what IPv6 asks for. */
static inline bool link_takes_ip6(const struct link *l)
{
    return (l->flags & LINKF_IP4_ONLY) == 0 && l->mtu >= IP6_MTU_MIN;
}

/* addrs.c */
/* Our address as seen from `link`: a link-local one belongs to its own link (and
 * is reached by "lo", too). LINK_ANY asks for any. NULL when it is not ours. */
const struct own_ip6 *ip6_own(const struct net_addr *a, uint16_t link);

/* routes6.c */
int resolve6(struct dst_cache6 *d, const struct net_addr *dst, uint16_t want);
int route_lookup6(struct net_route_info *io);

/* source6.c: the address to send from to `dst` over `link` (RFC 6724), or NULL. */
const struct own_ip6 *choose_source6(const struct net_addr *dst, uint16_t link);

/* txcheck6.c */
bool tx_check_ip6(struct tx *t);    /* header, source and destination address */
bool tx_check_ports6(struct tx *t); /* after routing */
uint16_t tx_want_link6(const struct tx *t);

#endif
