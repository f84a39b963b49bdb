/* SPDX-License-Identifier: MIT
 *
 * net/stack/ip6_input.c: one received IPv6 packet on its way to its protocol.
 *
 * Owns: the checks of the IPv6 header and the walk along its extension headers
 * (RFC 8200, section 4), which is bounded. Routing headers that still have work
 * to do are refused (RFC 5095). What is not for a socket (fragments, neighbour
 * discovery) is offered to env.unclaimed. Only netd's stack answers with errors:
 * they speak for the host. Context: netstack.h.
 */
#include <net/stack/tcp.h>

#define EXTENSIONS_MAX 8

enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, NO_NEXT = 59, DEST_OPTIONS = 60 };
enum walk { WALK_DONE, WALK_FRAGMENT, WALK_DROP, WALK_BAD };

static void problem(struct netstack *ns, const struct ip_in *in, uint8_t code, uint32_t pointer)
{
    if (ns->cfg.reset_unbound)
        icmp6_error(ns, in, ICMP6_PARAMETER, code, pointer);
}

/* Options that we do not know say by their first two bits what to do (RFC 8200,
 * section 4.2); we know only padding. False: discard the packet. */
static bool skip_options(struct netstack *ns, const struct ip_in *in, const uint8_t *h, uint32_t n)
{
    uint32_t i = 2;

    while (i < n) {
        if (h[i] == 0) { /* Pad1 */
            i++;
            continue;
        }
        if (i + 2 > n || i + 2 + h[i + 1] > n)
            return false;
        if ((h[i] & 0xc0) != 0) {
            if (h[i] >> 6 == 2 || (h[i] >> 6 == 3 && !in->multicast))
                problem(ns, in, 2, (uint32_t)(h + i - in->packet));
            return false;
        }
        i += 2u + h[i + 1];
    }
    return true;
}

/* On return in->data and in->len are behind the last extension header, in->proto
 * is what lies there, in->next_at where that was said. */
static enum walk walk(struct netstack *ns, struct ip_in *in)
{
    for (int i = 0; i <= EXTENSIONS_MAX; i++) {
        const uint8_t *h = in->data;
        uint32_t n;

        if (in->proto == FRAGMENT)
            return WALK_FRAGMENT;
        if (in->proto == NO_NEXT)
            return WALK_DROP;
        if (in->proto != HOP_BY_HOP && in->proto != ROUTING && in->proto != DEST_OPTIONS)
            return WALK_DONE;
        if (in->proto == HOP_BY_HOP && i != 0) {
            problem(ns, in, 1, in->next_at); /* only the first may be one */
            return WALK_BAD;
        }
        if (in->len < 8 || (n = ((uint32_t)h[1] + 1) * 8) > in->len)
            return WALK_BAD;
        if (in->proto == ROUTING && h[3] != 0) {
            problem(ns, in, 0, (uint32_t)(h + 2 - in->packet));
            return WALK_BAD;
        }
        if (in->proto != ROUTING && !skip_options(ns, in, h, n))
            return WALK_BAD;
        in->proto = h[0];
        in->next_at = (uint16_t)(h - in->packet);
        in->data += n;
        in->len -= n;
    }
    return WALK_BAD; /* C-SIX-1 */
}

static bool parse6(const struct net_rx *rx, const uint8_t *p, uint32_t len, struct ip_in *in)
{
    uint32_t payload = get16(p + 4);

    if (payload > len - 40)
        return false;
    in->rx = rx;
    in->packet = p;
    in->data = p + 40;
    in->len = payload;
    in->total = 40 + payload;
    in->family = NET_INET6;
    in->proto = p[6];
    in->next_at = 6;
    in->ttl = p[7];
    memcpy(&in->src, p + 8, 16);
    memcpy(&in->dst, p + 24, 16);
    in->multicast = addr_group6(&in->dst);
    in->net = ns_net(NET_INET6, addr_scoped(NET_INET6, &in->src) || addr_scoped(NET_INET6, &in->dst)
                                    ? (uint16_t)(rx->link + 1)
                                    : 0);
    return !addr_group6(&in->src);
}

bool ip6_walk_quote(const uint8_t *q, uint32_t n, struct ip_quote *out)
{
    uint32_t at = 40, size;
    uint8_t proto;

    if (n < 40 || (q[0] >> 4) != 6)
        return false;
    memcpy(&out->src, q + 8, 16);
    memcpy(&out->dst, q + 24, 16);
    proto = q[6];
    for (int i = 0; i <= EXTENSIONS_MAX; i++) {
        if (n < at + 8)
            return false;
        if (proto != HOP_BY_HOP && proto != ROUTING && proto != DEST_OPTIONS && proto != FRAGMENT) {
            out->proto = proto;
            out->l4 = q + at;
            return true;
        }
        if (proto == FRAGMENT && (get16(q + at + 2) & 0xfff8) != 0)
            return false; /* not the first: no ports in it */
        size = proto == FRAGMENT ? 8 : ((uint32_t)q[at + 1] + 1) * 8;
        proto = q[at];
        at += size;
    }
    return false;
}

void ip6_input(struct netstack *ns, const struct net_rx *rx, const uint8_t *packet)
{
    const uint8_t *p = packet + rx->l2_len;
    struct ip_in in;

    if (!parse6(rx, p, rx->len - rx->l2_len, &in)) {
        ns->count.ip_bad++;
        return;
    }
    if (rx->problem != 0) { /* the kernel has looked; only the sender must be told */
        problem(ns, &in, (uint8_t)(rx->problem - 1), rx->problem_at);
        return;
    }
    switch (walk(ns, &in)) {
    case WALK_BAD:
        ns->count.ip_bad++;
        return;
    case WALK_FRAGMENT:
        if (ns->env.unclaimed != NULL)
            ns->env.unclaimed(ns->env.ctx, rx, packet);
        return;
    case WALK_DROP:
        return;
    default:
        break;
    }
    in.pseudo = ip_pseudo(NET_INET6, in.proto, &in.src, &in.dst);
    switch (in.proto) {
    case NET_TCP:
        tcp_input(ns, &in);
        break;
    case NET_UDP:
        udp_input(ns, &in);
        break;
    case NET_ICMP6:
        icmp6_input(ns, &in);
        break;
    default:
        if (ns->env.unclaimed == NULL || !ns->env.unclaimed(ns->env.ctx, rx, packet))
            problem(ns, &in, 1, in.next_at);
        break;
    }
}
