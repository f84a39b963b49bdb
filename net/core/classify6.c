/* SPDX-License-Identifier: MIT
 *
 * net/core/classify6.c: whose is this IPv6 packet? The questions are those of
 * classify.c; here stands what is different: addresses have scopes, and headers
 * may stand between the IP header and the transport.
 *
 * Owns: nothing. Every length is checked against what is there before anything
 * behind it is read. Context and lock: as in net/core/core.h.
 *
 * A packet that IPv6 wants answered with a parameter problem goes to SLOT_ICMP,
 * and says in its record what the answer is: ring 0 sends none itself.
 */
#include <net/core/classify.h>
#include <net/core/ip6.h>

#define EXTENSIONS_MAX 4u  /* as many as RFC 8200, section 4.1 has before the transport */
#define OPTIONS_MAX    16u /* in one of them, padding included (RFC 8504, section 5.3) */

/* Codes of the parameter problem (RFC 4443, section 3.4). */
enum { PROBLEM_FIELD = 0, PROBLEM_NEXT_HEADER = 1, PROBLEM_OPTION = 2 };

enum {
    ICMP6_ERROR_MAX = 4, /* 1 to 4: unreachable, too big, time exceeded, parameter problem */
    ICMP6_ECHO_REQUEST = 128,
    ICMP6_ECHO_REPLY = 129,
    ICMP6_MLD_QUERY = 130,
    ICMP6_MLD_DONE = 132,
    ICMP6_ND_FIRST = 133, /* router solicitation ... */
    ICMP6_ND_SOLICIT = 135,
    ICMP6_ND_ADVERT = 136,
    ICMP6_ND_LAST = 137, /* ... redirect */
    ICMP6_MLD2_REPORT = 143,
};

/* What is left to read: `next` is the type of the header at `at`, `type_at` is where
 * that was said. */
struct chain {
    const uint8_t *packet;
    uint32_t at, left, type_at;
    uint8_t next;
    /* DROP_COUNT, or why nothing but neighbour discovery may come from such a source
     * or to such a destination. */
    enum net_drop unfit;
};

/* Nobody is told of what was sent to a group, but for an option that says so (RFC
 * 4443, section 2.4 (e)). */
static void tell_sender(struct packet *p, const struct chain *c, struct target *t, uint8_t code, uint32_t at)
{
    if (c->unfit != DROP_COUNT || (p->to_group && code != PROBLEM_OPTION)) {
        classify_drop(t, DROP_EXT_HEADER);
        return;
    }
    p->problem = (uint8_t)(code + 1);
    p->problem_at = (uint16_t)at;
    classify_to_slot(t, SLOT_ICMP);
}

/* --- extension headers --------------------------------------------------------------------- */

/* Options that nobody here knows say themselves what is to be done (RFC 8200,
 * section 4.2). False: the packet's way ends, and `t` says how. */
static bool check_options(struct packet *p, const struct chain *c, uint32_t bytes, struct target *t)
{
    uint32_t at = c->at + 2, end = c->at + bytes;
    const uint8_t *h = c->packet;

    for (unsigned n = 0; at < end; n++) { /* C-RX-8 */
        uint32_t size = h[at] == 0 ? 1 : at + 1 < end ? 2u + h[at + 1] : UINT32_MAX;

        if (n == OPTIONS_MAX || size > end - at) {
            classify_drop(t, DROP_EXT_HEADER);
            return false;
        }
        switch (h[at] >> 6) {
        case 0: /* skip */
            break;
        case 2:
            tell_sender(p, c, t, PROBLEM_OPTION, at);
            return false;
        case 3:
            if (!p->to_group) {
                tell_sender(p, c, t, PROBLEM_OPTION, at);
                return false;
            } /* fall through */
        default:
            classify_drop(t, DROP_EXT_HEADER);
            return false;
        }
        at += size;
    }
    return true;
}

/* From the IP header to the transport, or to a fragment header. False: the packet's
 * way ends here. */
static bool walk(struct packet *p, struct chain *c, struct target *t)
{
    for (unsigned n = 0; c->next == NH_HOP_BY_HOP || c->next == NH_ROUTING || c->next == NH_DESTINATION;
         n++) {
        const uint8_t *h = c->packet + c->at;
        uint32_t bytes = c->left >= 8 ? ((uint32_t)h[1] + 1) * 8 : 0;

        if (n == EXTENSIONS_MAX || bytes == 0 || bytes > c->left) { /* C-RX-8 */
            classify_drop(t, DROP_EXT_HEADER);
            return false;
        }
        if (c->next == NH_HOP_BY_HOP && n != 0) { /* RFC 8200, section 4.1: first or not at all */
            tell_sender(p, c, t, PROBLEM_NEXT_HEADER, c->type_at);
            return false;
        }
        if (c->next == NH_ROUTING && h[3] != 0) { /* segments left: type 0 and all others (RFC 5095) */
            classify_drop(t, DROP_SOURCE_ROUTE);  /* C-RX-6 */
            return false;
        }
        if (c->next != NH_ROUTING && !check_options(p, c, bytes, t))
            return false;
        c->type_at = c->at;
        c->next = h[0];
        c->at += bytes;
        c->left -= bytes;
    }
    return true;
}

/* --- ICMPv6 ------------------------------------------------------------------------------------ */

/* An error belongs to who sent the packet that it quotes. What is quoted is our own
 * packet at best and somebody's invention at worst. */
static bool claimed_by_quote(struct packet *p, const uint8_t *q, uint32_t len, struct target *t)
{
    struct packet quoted = {.family = NET_INET6, .link = p->link};
    struct chain c = {.packet = q, .at = IP6_HDR, .unfit = DROP_EXT_HEADER};
    struct target unused = {.drop = DROP_COUNT};

    if (len < IP6_HDR + 8 || (q[0] >> 4) != 6)
        return false;
    c.next = q[6];
    c.left = len - IP6_HDR;
    __builtin_memcpy(quoted.laddr.b, q + 8, 16);
    __builtin_memcpy(quoted.raddr.b, q + 24, 16);
    if (ip6_own(&quoted.laddr, p->link->index) == NULL || !walk(&quoted, &c, &unused) || c.left < 8)
        return false;
    q += c.at;
    if (c.next == NH_FRAGMENT && (be16(q + 2) & 0xfff8) == 0 && c.left >= IP6_FRAGMENT_HDR + 8) {
        c.next = q[0]; /* cut by ourselves; its first piece has the ports */
        q += IP6_FRAGMENT_HDR;
    }
    quoted.proto = c.next;
    if (c.next == NET_TCP || c.next == NET_UDP) {
        quoted.lport = be16(q);
        quoted.rport = be16(q + 2);
    } else if (c.next == NET_ICMP6 && q[0] == ICMP6_ECHO_REQUEST) {
        quoted.lport = quoted.rport = be16(q + 4);
    } else {
        return false;
    }
    if (classify_claimed(&quoted, t))
        return true;
    t->port = NULL;
    return false;
}

static bool is_neighbour_discovery(uint8_t type)
{
    return type >= ICMP6_ND_FIRST && type <= ICMP6_ND_LAST;
}

static bool is_mld(uint8_t type)
{
    return (type >= ICMP6_MLD_QUERY && type <= ICMP6_MLD_DONE) || type == ICMP6_MLD2_REPORT;
}

static void classify_icmp6(struct packet *p, const struct chain *c, struct target *t)
{
    const uint8_t *l4 = c->packet + c->at;
    uint8_t hops = c->packet[7], type;
    struct ports_pair id;

    if (!read_ports(l4, c->left, NET_ICMP6, &id)) {
        classify_drop(t, DROP_L4_HEADER);
        return;
    }
    type = l4[0];
    if (is_neighbour_discovery(type) || is_mld(type)) {
        /* RFC 4861: never from beyond a router; RFC 3810, 5: nor is MLD. */
        if (hops != (is_mld(type) ? 1 : 255))
            classify_drop(t, DROP_HOP_LIMIT); /* C-RX-9 */
        else
            classify_to_slot(t, SLOT_NEIGHBOUR);
        return;
    }
    if (c->unfit != DROP_COUNT) {
        classify_drop(t, c->unfit);
        return;
    }
    if (p->to_group && type != ICMP6_ECHO_REQUEST) {
        classify_drop(t, DROP_NOT_OURS_IP);
        return;
    }
    if (type == ICMP6_ECHO_REPLY) {
        p->lport = p->rport = id.to;
        if (classify_claimed(p, t))
            return;
        t->port = NULL;
    } else if (type >= 1 && type <= ICMP6_ERROR_MAX && claimed_by_quote(p, l4 + 8, c->left - 8, t)) {
        return;
    }
    classify_to_slot(t, SLOT_ICMP);
}

/* --- addresses --------------------------------------------------------------------------------- */

/* Neighbour discovery may come from no address, and from one of ours when somebody
 * claims it, too; and an address on trial hears nothing else (RFC 4862, section 5.4). */
static enum ip_for check_addresses(const struct packet *p, enum net_drop *unfit)
{
    const struct net_addr *src = &p->raddr, *dst = &p->laddr;
    bool lo = (p->link->flags & LINKF_LOOPBACK) != 0;
    const struct own_ip6 *own;

    if (ip6_is_multicast(src) || ip6_is_mapped(src) || ip6_is_mapped(dst) || addr_is_any(dst))
        return FOR_NOBODY;
    if (!lo && (ip6_is_loopback(src) || ip6_is_loopback(dst)))
        return FOR_NOBODY;
    if (addr_is_any(src) || (!lo && ip6_own(src, p->link->index) != NULL))
        *unfit = DROP_MARTIAN;
    if (ip6_is_multicast(dst)) /* RFC 4291, section 2.7: scope 0 is nobody's, 1 stays inside */
        return (dst->b[1] & 15) > SCOPE_INTERFACE || (lo && (dst->b[1] & 15) != 0) ? FOR_GROUP : FOR_NOBODY;
    own = ip6_own(dst, p->link->index);
    if (own == NULL) /* what is local to a link is not sent on (RFC 4291, section 2.5.6) */
        return ip6_is_link_local(dst) || ip6_is_link_local(src) || *unfit != DROP_COUNT ? FOR_NOBODY
                                                                                        : FOR_OTHERS;
    if ((own->flags & ADDR_TENTATIVE) != 0)
        *unfit = DROP_NOT_OURS_IP;
    return FOR_US;
}

void classify_ipv6(struct packet *p, struct target *t)
{
    const uint8_t *h = p->l3;
    struct chain c = {.packet = h, .at = IP6_HDR, .type_at = 6, .unfit = DROP_COUNT};

    if (p->l3_len < IP6_HDR || (h[0] >> 4) != 6 || (c.left = be16(h + 4)) > p->l3_len - IP6_HDR ||
        !link_takes_ip6(p->link)) { /* C-RX-4 */
        classify_drop(t, DROP_IP_HEADER);
        return;
    }
    c.next = h[6];
    p->l3_len = IP6_HDR + c.left;
    p->family = NET_INET6;
    __builtin_memcpy(p->raddr.b, h + 8, 16);
    __builtin_memcpy(p->laddr.b, h + 24, 16);

    enum ip_for dest = check_addresses(p, &c.unfit);
    if (dest == FOR_NOBODY) {
        classify_drop(t, DROP_MARTIAN);
        return;
    }
    if (p->l2_multicast && dest != FOR_GROUP) {
        classify_drop(t, DROP_NOT_OURS_IP);
        return;
    }
    p->to_group = dest == FOR_GROUP;
    if (p->to_group && !ip6_is_joined(p->link, &p->laddr)) {
        classify_drop(t, DROP_NOT_JOINED); /* C-RX-7 */
        return;
    }
    if (dest == FOR_OTHERS) { /* who sends it on looks at its headers; we only at the first */
        classify_to_slot(t, SLOT_FORWARD);
        return;
    }
    if (!walk(p, &c, t))
        return;
    p->proto = c.next;
    p->l4_off = (uint16_t)c.at;
    if (c.next == NET_ICMP6)
        classify_icmp6(p, &c, t);
    else if (c.unfit != DROP_COUNT)
        classify_drop(t, c.unfit);
    else if (c.next == NET_TCP || c.next == NET_UDP)
        classify_l4(p, h + c.at, c.left, t);
    else if (c.next == NH_FRAGMENT)
        classify_to_slot(t, SLOT_FRAGMENTS);
    else if (c.next == NH_NOTHING || p->to_group)
        classify_drop(t, c.next == NH_NOTHING ? DROP_EXT_HEADER : DROP_NOT_OURS_IP);
    else /* AH and ESP are as unknown here as any other */
        tell_sender(p, &c, t, PROBLEM_NEXT_HEADER, c.type_at);
}
