/* SPDX-License-Identifier: MIT
 *
 * net/stack/ip_input.c: one received packet on its way to its protocol.
 *
 * Owns: the checks of the IP header (RFC 791, RFC 1122 3.2.1). The kernel has
 * looked at it already; the stack stays right without that, on the host too.
 * What is not for a socket (ARP, fragments, unresolved sends) is offered to
 * env.unclaimed. Context: netstack.h.
 */
#include <net/stack/tcp.h>

#define ETHERTYPE_IP  0x0800
#define ETHERTYPE_IP6 0x86dd

uint64_t ip_pseudo(uint8_t family, uint8_t proto, const struct net_addr *src, const struct net_addr *dst)
{
    uint64_t a[2], b[2], sum;

    (void)family; /* IPv4 leaves the rest of an address zero, so one form serves both */
    __builtin_memcpy(a, src, 16);
    __builtin_memcpy(b, dst, 16);
    sum = csum_add(csum_add(a[0], a[1]), csum_add(b[0], b[1]));
    return csum_add(sum, ns_swap16(proto));
}

static bool unclaimed(struct netstack *ns, const struct net_rx *rx, const uint8_t *packet)
{
    return ns->env.unclaimed != NULL && ns->env.unclaimed(ns->env.ctx, rx, packet);
}

/* Fills `in` from an IPv4 header; false when it is broken. */
static bool parse4(const struct net_rx *rx, const uint8_t *p, uint32_t len, struct ip_in *in)
{
    uint32_t hdr, total;

    if (len < 20 || (p[0] >> 4) != 4 || (hdr = (uint32_t)(p[0] & 15) * 4) < 20)
        return false;
    total = get16(p + 2);
    if (total < hdr || total > len)
        return false;
    if (rx->csum == CSUM_NONE && csum_fold(hdr == 20 ? csum_20(p) : csum_bytes(0, p, hdr)) != 0xffff)
        return false;
    in->rx = rx;
    in->packet = p;
    in->data = p + hdr;
    in->len = total - hdr;
    in->total = total;
    in->family = NET_INET;
    in->net = NET_INET;
    in->proto = p[9];
    in->ttl = p[8];
    addr_set4(&in->src, p + 12);
    addr_set4(&in->dst, p + 16);
    in->multicast = p[16] >= 224; /* groups, and 255.255.255.255 */
    in->pseudo = ip_pseudo(NET_INET, in->proto, &in->src, &in->dst);
    return true;
}

static bool is_fragment(const uint8_t *p)
{
    return (get16(p + 6) & 0x3fff) != 0; /* more fragments, or an offset */
}

void ip_input(struct netstack *ns, const struct net_rx *rx, const uint8_t *packet)
{
    const uint8_t *p = packet + rx->l2_len;
    struct ip_in in;

    if (rx->kind != RX_PACKET ||
        (rx->l2_len >= 14 && get16(p - 2) != ETHERTYPE_IP && get16(p - 2) != ETHERTYPE_IP6)) {
        unclaimed(ns, rx, packet);
        return;
    }
    ns->count.ip_in++;
    if (rx->len < rx->l2_len || !parse4(rx, p, rx->len - rx->l2_len, &in)) {
        if (rx->len >= rx->l2_len + 40u && (p[0] >> 4) == 6)
            ip6_input(ns, rx, packet);
        else
            ns->count.ip_bad++;
        return;
    }
    if (is_fragment(p)) {
        unclaimed(ns, rx, packet);
        return;
    }
    switch (in.proto) {
    case NET_TCP:
        tcp_input(ns, &in);
        break;
    case NET_UDP:
        udp_input(ns, &in);
        break;
    case NET_ICMP:
        icmp_input(ns, &in);
        break;
    default:
        if (!unclaimed(ns, rx, packet) && ns->cfg.reset_unbound)
            icmp_unreachable(ns, &in, 2); /* protocol unreachable */
        break;
    }
}
