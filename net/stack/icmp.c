/* SPDX-License-Identifier: MIT
 *
 * net/stack/icmp.c: ICMP (RFC 792, RFC 1122 3.2.2): echo both ways, errors that
 * arrive and errors that we send.
 *
 * Owns: the rate limits. An error goes to the flow that it quotes and nowhere
 * else. Echo sockets look like Linux' ping sockets: the program writes and
 * reads ICMP messages, the stack owns identifier and checksum.
 */
#include <net/stack/tcp.h>

enum { ECHO_REPLY = 0, UNREACHABLE = 3, ECHO_REQUEST = 8, TIME_EXCEEDED = 11, PARAMETER = 12 };

/* Token bucket; tokens are in nanoseconds of entitlement. */
bool limit_take(uint64_t now, uint64_t *tokens, uint64_t *when_ns, uint32_t per_second, uint32_t burst)
{
    uint64_t cost = NS_SEC / per_second, most = cost * burst;

    *tokens += now - *when_ns;
    *when_ns = now;
    if (*tokens > most)
        *tokens = most;
    if (*tokens < cost)
        return false;
    *tokens -= cost;
    return true;
}

static int icmp_out(struct netstack *ns, struct ip_dgram *d)
{
    int r;

    d->proto = NET_ICMP;
    d->csum_off = 2;
    d->hdr_len = 8;
    r = ip_send(ns, d);
    if (r == 0)
        ns->count.icmp_out++;
    return r;
}

/* The host's own word about what came in, from the address that was asked. Only
 * netd may say such a thing. */
static void answer(struct netstack *ns, const struct ip_in *in, const uint8_t *hdr, const uint8_t *data,
                   uint32_t n)
{
    struct ip_dgram d = {.ttl = 64, .src = &in->dst, .hdr = hdr, .data = data, .data_len = n};

    if (ip_route(ns, in->net, &in->src, &d.path) == 0)
        icmp_out(ns, &d);
}

static bool answerable(const struct ip_in *in)
{
    return !in->multicast && !addr_any(&in->src) && in->src.b[0] < 224;
}

static void echo_request(struct netstack *ns, const struct ip_in *in)
{
    uint8_t hdr[8];

    if (!ns->cfg.icmp_echo_reply || !answerable(in))
        return;
    memcpy(hdr, in->data, 8);
    hdr[0] = ECHO_REPLY;
    put32(hdr, 0);
    memcpy(hdr + 4, in->data + 4, 4);
    answer(ns, in, hdr, in->data + 8, in->len - 8);
}

/* RFC 1122 4.2.3.9, 3.2.2.1: code of an unreachable to errno. */
static int unreachable_errno(uint8_t code)
{
    switch (code) {
    case 2:
    case 3:
        return ECONNREFUSED;
    case 0:
    case 6:
    case 11:
        return ENETUNREACH;
    case 4:
        return EMSGSIZE;
    default:
        return EHOSTUNREACH;
    }
}

void icmp_deliver(struct netstack *ns, uint32_t net, uint8_t proto, const struct net_addr *src,
                  const struct net_addr *dst, const uint8_t *q, int err, uint16_t mtu)
{
    bool ours = false;

    if (proto == NET_TCP) {
        ours = tcp_error(ns, net, src, dst, get16(q), get16(q + 2), get32(q + 4), err, mtu);
    } else if (proto == NET_UDP) {
        ours = udp_error(ns, net, src, dst, get16(q), get16(q + 2), err);
    } else if ((proto == NET_ICMP && q[0] == ECHO_REQUEST) || (proto == NET_ICMP6 && q[0] == ICMP6_ECHO)) {
        struct dsock *d = dgram_find(ns, net, proto, src, get16(q + 4), dst, 0);
        if (d != NULL)
            sock_error(&d->s, err);
    }
    /* Only a quote of what is really under way may shrink the path: anybody can
     * send such an error (RFC 5927 section 7). */
    if (ours && mtu != 0)
        ip_route_mtu(ns, net, dst, mtu);
}

/* An error; in->data + 8 quotes a packet of ours. */
static void error_arrived(struct netstack *ns, const struct ip_in *in)
{
    const uint8_t *q = in->data + 8;
    uint32_t n = in->len - 8, hdr;
    struct net_addr src, dst;
    uint16_t mtu = 0;
    int err = in->data[0] == UNREACHABLE ? unreachable_errno(in->data[1]) : EHOSTUNREACH;

    if (n < 20 || (q[0] >> 4) != 4 || (hdr = (uint32_t)(q[0] & 15) * 4) < 20 || n < hdr + 8 ||
        (get16(q + 6) & 0x1fff) != 0)
        return;
    addr_set4(&src, q + 12);
    addr_set4(&dst, q + 16);
    if (in->data[0] == UNREACHABLE && in->data[1] == 4) { /* too big for a link on the way */
        mtu = get16(in->data + 6);
        if (mtu < 68)
            mtu = 576; /* a router before RFC 1191 */
        else if (mtu < PATH_MTU_BELIEVED)
            mtu = PATH_MTU_BELIEVED; /* C-MTU-2 */
    }
    icmp_deliver(ns, in->net, q[9], &src, &dst, q + hdr, err, mtu);
}

void icmp_input(struct netstack *ns, const struct ip_in *in)
{
    struct dsock *d;

    ns->count.icmp_in++;
    if (in->len < 8 || (!ip_trusted(in) && csum_fold(csum_bytes(0, in->data, in->len)) != 0xffff)) {
        ns->count.ip_bad++;
        return;
    }
    switch (in->data[0]) {
    case ECHO_REQUEST:
        echo_request(ns, in);
        break;
    case ECHO_REPLY:
        d = dgram_find(ns, in->net, NET_ICMP, &in->dst, get16(in->data + 4), &in->src, 0);
        if (d != NULL)
            dgram_queue(d, in, 0, in->data, in->len);
        break;
    case UNREACHABLE:
    case TIME_EXCEEDED:
    case PARAMETER:
        error_arrived(ns, in);
        break;
    default:
        break;
    }
}

/* RFC 1122 3.2.2: never about an error, a fragment, a group, or a broadcast. */
static void send_error(struct netstack *ns, const struct ip_in *in, uint8_t type, uint8_t code)
{
    uint8_t hdr[8] = {type, code};
    uint32_t quote = in->total < 548 ? in->total : 548; /* RFC 1812 4.3.2.3: at most 576 in all */

    if (answerable(in) && limit_take(ns->now, &ns->icmp_limit.tokens, &ns->icmp_limit.when_ns, 200, 50))
        answer(ns, in, hdr, in->packet, quote);
}

void icmp_unreachable(struct netstack *ns, const struct ip_in *in, uint8_t code)
{
    send_error(ns, in, UNREACHABLE, code);
}

void ns_reassembly_expired(struct netstack *ns, const void *packet, size_t n)
{
    const uint8_t *p = packet;
    struct ip_in in = {.packet = p, .total = (uint32_t)n, .family = NET_INET, .net = NET_INET};

    if (n >= 40 && p[0] >> 4 == 6) {
        icmp6_expired(ns, p, (uint32_t)n);
        return;
    }
    if (n < 20 || p[9] == NET_ICMP) /* which kind of ICMP it is may be in the missing part */
        return;
    addr_set4(&in.src, p + 12);
    addr_set4(&in.dst, p + 16);
    in.multicast = p[16] >= 224;
    ns_clock(ns);
    send_error(ns, &in, TIME_EXCEEDED, 1);
}

int icmp_send(struct dsock *d, const uint8_t *buf, size_t n, const struct ip_path *path,
              const struct net_addr *src)
{
    uint8_t hdr[8];
    struct ip_dgram g = {.ttl = d->s.ttl, .path = path, .src = src, .hdr = hdr, .cookie = cookie_sock(&d->s)};

    if (n < 8 || n > 65535 || buf[0] != ECHO_REQUEST || buf[1] != 0)
        return -EINVAL;
    memcpy(hdr, buf, 8);
    put16(hdr + 2, 0);
    put16(hdr + 4, d->s.port->port);
    g.data = buf + 8;
    g.data_len = (uint32_t)n - 8;
    return icmp_out(d->s.ns, &g);
}
