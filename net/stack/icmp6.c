/* SPDX-License-Identifier: MIT
 *
 * net/stack/icmp6.c: ICMPv6 (RFC 4443): echo both ways, errors that arrive and
 * errors that we send.
 *
 * Owns: nothing (the rate limit is shared with icmp.c). An error goes to the flow
 * that it quotes and nowhere else. Neighbour discovery and multicast listener
 * queries are netd's (env.unclaimed). Echo sockets: as in icmp.c.
 */
#include <net/stack/tcp.h>

#define ERROR_MAX 1280u /* RFC 4443 2.4 (c): as much of the packet as fits this */

enum { MLD_QUERY = 130, ND_FIRST = 133, ND_LAST = 137 };

static int icmp6_out(struct netstack *ns, struct ip_dgram *d)
{
    int r;

    d->proto = NET_ICMP6;
    d->csum_off = 2;
    d->pseudo = true;
    d->hdr_len = 8;
    r = ip_send(ns, d);
    if (r == 0)
        ns->count.icmp_out++;
    return r;
}

/* From the address that was asked, or for a group the one that the path prefers. */
static void answer(struct netstack *ns, const struct ip_in *in, const uint8_t *hdr, const uint8_t *data,
                   uint32_t n)
{
    struct ip_dgram d = {
        .ttl = 64, .src = in->multicast ? NULL : &in->dst, .hdr = hdr, .data = data, .data_len = n};

    if (ip_route(ns, in->net, &in->src, &d.path) == 0)
        icmp6_out(ns, &d);
}

static void echo_request(struct netstack *ns, const struct ip_in *in)
{
    uint8_t hdr[8] = {ICMP6_ECHO_REPLY};

    if (!ns->cfg.icmp_echo_reply || in->multicast || addr_any(&in->src))
        return;
    memcpy(hdr + 4, in->data + 4, 4);
    answer(ns, in, hdr, in->data + 8, in->len - 8);
}

static int unreachable_errno(uint8_t code)
{
    switch (code) {
    case 0:
        return ENETUNREACH;
    case 1:
    case 5:
    case 6:
        return EACCES;
    case 4:
        return ECONNREFUSED;
    default:
        return EHOSTUNREACH;
    }
}

/* in->data + 8 quotes a packet of ours. */
static void error_arrived(struct netstack *ns, const struct ip_in *in)
{
    struct ip_quote q;
    uint32_t mtu = 0;
    int err = EHOSTUNREACH;

    if (!ip6_walk_quote(in->data + 8, in->len - 8, &q))
        return;
    if (in->data[0] == ICMP6_UNREACHABLE) {
        err = unreachable_errno(in->data[1]);
    } else if (in->data[0] == ICMP6_TOO_BIG) {
        err = EMSGSIZE;
        mtu = get32(in->data + 4);
        if (mtu < MTU_MIN6)
            return; /* RFC 8201, section 4: no link is so small */
        if (mtu > 65535)
            mtu = 65535;
    }
    icmp_deliver(ns, addr_net(NET_INET6, &q.dst, (uint16_t)(in->rx->link + 1)), q.proto, &q.src, &q.dst, q.l4,
                 err, (uint16_t)mtu);
}

void icmp6_input(struct netstack *ns, const struct ip_in *in)
{
    struct dsock *d;

    ns->count.icmp_in++;
    if (in->len < 8 ||
        (!ip_trusted(in) && csum_fold(csum_bytes(csum_add(in->pseudo, ns_swap16((uint16_t)in->len)), in->data,
                                                 in->len)) != 0xffff)) {
        ns->count.ip_bad++;
        return;
    }
    switch (in->data[0]) {
    case ICMP6_ECHO:
        echo_request(ns, in);
        break;
    case ICMP6_ECHO_REPLY:
        d = dgram_find(ns, in->net, NET_ICMP6, &in->dst, get16(in->data + 4), &in->src, 0);
        if (d != NULL)
            dgram_queue(d, in, 0, in->data, in->len);
        break;
    case ICMP6_UNREACHABLE:
    case ICMP6_TOO_BIG:
    case ICMP6_TIME_EXCEEDED:
    case ICMP6_PARAMETER:
        error_arrived(ns, in);
        break;
    default: /* checksum and length are proved; the rest is netd's to judge */
        if ((in->data[0] == MLD_QUERY || (in->data[0] >= ND_FIRST && in->data[0] <= ND_LAST)) &&
            ns->env.unclaimed != NULL)
            ns->env.unclaimed(ns->env.ctx, in->rx, in->packet - in->rx->l2_len);
        break;
    }
}

/* RFC 4443 2.4 (e): what must not be answered. A message may stand behind the very
 * header that makes no sense. */
static bool answerable(const struct ip_in *in, uint8_t type, uint8_t code)
{
    struct ip_quote q;

    if (addr_any(&in->src) || addr_group6(&in->src))
        return false;
    if (in->multicast && type != ICMP6_TOO_BIG && !(type == ICMP6_PARAMETER && code == 2))
        return false;
    if (in->proto != NET_ICMP6)
        return !ip6_walk_quote(in->packet, in->total, &q) || q.proto != NET_ICMP6 ||
               (q.l4[0] >= 128 && q.l4[0] != ND_LAST);
    return in->len >= 1 && in->data[0] >= 128 && in->data[0] != ND_LAST;
}

void icmp6_error(struct netstack *ns, const struct ip_in *in, uint8_t type, uint8_t code, uint32_t value)
{
    uint8_t hdr[8] = {type, code};
    uint32_t quote = in->total < ERROR_MAX - 48 ? in->total : ERROR_MAX - 48;

    put32(hdr + 4, value);
    if (answerable(in, type, code) &&
        limit_take(ns->now, &ns->icmp_limit.tokens, &ns->icmp_limit.when_ns, 200, 50)) /* C-SIX-2 */
        answer(ns, in, hdr, in->packet, quote);
}

/* The link of a link-local sender is not known any more: it is not told. */
void icmp6_expired(struct netstack *ns, const uint8_t *p, uint32_t n)
{
    struct ip_in in = {.packet = p, .total = n, .family = NET_INET6, .net = NET_INET6};
    struct ip_quote q;

    if (!ip6_walk_quote(p, n, &q) || addr_link_local(&q.src))
        return;
    in.src = q.src;
    in.dst = q.dst;
    in.proto = q.proto;
    in.data = q.l4;
    in.len = (uint32_t)(p + n - q.l4);
    in.multicast = addr_group6(&q.dst);
    ns_clock(ns);
    icmp6_error(ns, &in, ICMP6_TIME_EXCEEDED, 1, 0);
}

int icmp6_send(struct dsock *d, const uint8_t *buf, size_t n, const struct ip_path *path,
               const struct net_addr *src)
{
    uint8_t hdr[8];
    struct ip_dgram g = {.ttl = d->s.ttl, .path = path, .src = src, .hdr = hdr, .cookie = cookie_sock(&d->s)};

    if (n < 8 || n > 65535 || buf[0] != ICMP6_ECHO || buf[1] != 0)
        return -EINVAL;
    memcpy(hdr, buf, 8);
    put16(hdr + 2, 0);
    put16(hdr + 4, d->s.port->port);
    g.data = buf + 8;
    g.data_len = (uint32_t)n - 8;
    return icmp6_out(d->s.ns, &g);
}
