/* SPDX-License-Identifier: MIT
 *
 * net/core/txcheck6.c: may this process send this IPv6 packet? The same questions
 * as in txcheck.c, and the same rule: all checks read the kernel's own copies.
 *
 * Owns: nothing. Context and lock: as in net/core/core.h.
 */
#include <net/core/ip6.h>
#include <net/core/ports.h>

#define ICMP6_ECHO_REQUEST 128

static bool check_source(struct tx *t)
{
    const struct own_ip6 *own = ip6_own(&t->src6, LINK_ANY);

    t->foreign = false;
    if (own != NULL && (own->flags & ADDR_TENTATIVE) == 0)
        return true;
    if (addr_is_any(&t->src6) && endpoint_has(t->endpoint, RIGHT_NET_DEFAULT))
        return true; /* duplicate address detection, router solicitation */
    t->foreign = true;
    if (own == NULL && !addr_is_any(&t->src6) && !ip6_is_multicast(&t->src6) && !ip6_is_mapped(&t->src6) &&
        !ip6_is_link_local(&t->src6) && endpoint_has(t->endpoint, RIGHT_NET_FORWARD))
        return true;
    return tx_refuse(t, DROP_TX_NO_RIGHT, -EACCES); /* C-TX-3 */
}

static bool check_destination(struct tx *t)
{
    const struct net_addr *dst = &t->dst6;

    if (addr_is_any(dst) || ip6_is_mapped(dst))
        return tx_refuse(t, DROP_TX_BAD_RECORD, -EINVAL);
    if (ip6_is_multicast(dst) && ((dst->b[1] & 15) == 0 || t->proto == NET_TCP || t->foreign))
        return tx_refuse(t, DROP_TX_BAD_RECORD, -EINVAL);
    return true;
}

bool tx_check_ip6(struct tx *t)
{
    const uint8_t *h = t->ip;

    t->family = NET_INET6;
    t->ip_header = IP6_HDR;
    if (t->record.hdr_len < IP6_HDR || (uint32_t)be16(h + 4) + IP6_HDR != t->total || h[7] == 0)
        return tx_refuse(t, DROP_TX_BAD_RECORD, -EINVAL);
    t->proto = h[6];
    __builtin_memcpy(t->src6.b, h + 8, 16);
    __builtin_memcpy(t->dst6.b, h + 24, 16);
    return check_source(t) && check_destination(t);
}

/* A link-local source says which link is meant where the record does not. */
uint16_t tx_want_link6(const struct tx *t)
{
    const struct own_ip6 *own;

    if (t->record.link != LINK_ANY || !ip6_is_link_local(&t->src6))
        return t->record.link;
    own = ip6_own(&t->src6, LINK_ANY);
    return own != NULL ? own->link : LINK_ANY;
}

/* Is the source one that may be seen on the link that the packet leaves by? */
static bool in_scope(const struct tx *t)
{
    const struct link *l = t->to->link;

    if (l == &loopback)
        return true;
    if (ip6_is_loopback(&t->src6))
        return false;
    return t->foreign || !ip6_is_link_local(&t->src6) || ip6_own(&t->src6, l->index) != NULL;
}

static bool has_right(struct tx *t, uint32_t rights)
{
    return (t->endpoint->owner->rights->bits & rights) != 0 || tx_refuse(t, DROP_TX_NO_RIGHT, -EACCES);
}

bool tx_check_ports6(struct tx *t)
{
    const uint8_t *l4 = t->ip + IP6_HDR;
    struct ports_pair ports;
    struct packet p = {.family = NET_INET6, .proto = t->proto, .link = t->to->link};

    if (!in_scope(t))
        return tx_refuse(t, DROP_TX_NO_RIGHT, -EACCES);
    if (t->foreign || (t->record.flags & TX_RESEND) != 0) /* rights were checked */
        return true;
    if (t->proto == NH_FRAGMENT) /* only its first piece has ports, so ownership cannot be seen */
        return has_right(t, RIGHT_NET_DEFAULT | RIGHT_NET_FORWARD | RIGHT_NET_RAW);
    if (t->proto != NET_TCP && t->proto != NET_UDP &&
        t->proto != NET_ICMP6) /* other headers hide them, too */
        return has_right(t, RIGHT_NET_DEFAULT | RIGHT_NET_RAW);
    if (t->record.hdr_len - IP6_HDR < (t->proto == NET_TCP ? 20 : 8) ||
        !read_ports(l4, t->total - IP6_HDR, t->proto, &ports))
        return tx_refuse(t, DROP_TX_BAD_RECORD, -EINVAL);
    if (t->proto == NET_ICMP6 && l4[0] != ICMP6_ECHO_REQUEST) /* all else speaks for the host */
        return has_right(t, RIGHT_NET_DEFAULT | RIGHT_NET_FORWARD);
    p.lport = ports.from;
    p.rport = ports.to;
    p.laddr = t->src6;
    p.raddr = t->dst6;
    return tx_owns(t, &p) || tx_refuse(t, DROP_TX_NO_RIGHT, -EACCES); /* C-TX-4 */
}
