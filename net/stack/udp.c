/* SPDX-License-Identifier: MIT
 *
 * net/stack/udp.c: UDP (RFC 768, RFC 1122 4.1) and what datagram sockets share
 * with ICMP echo sockets.
 *
 * Owns: ns->dgram, the queues of received datagrams (bounded in bytes).
 */
#include <net/stack/ns.h>

static struct dsock **bucket(struct netstack *ns, uint16_t port)
{
    return &ns->dgram[(port ^ (port >> 6)) & (DGRAM_HASH - 1)];
}

/* The most particular socket wins: connected to this peer, then bound to this
 * address, then bound to any. */
static bool serves(const struct dsock *d, uint8_t family) /* bound to any address: of that family, too? */
{ /* C-SIX-4 */
    return d->s.local.family == family || (sock_dual(&d->s) && family == NET_INET);
}

static bool is_peer(const struct dsock *d, uint32_t net, const struct net_addr *raddr, uint16_t rport)
{
    return d->s.peer.port == rport && d->s.peer.family == net_family(net) &&
           (d->s.peer.scope == 0 || d->s.peer.scope == net_scope(net)) &&
           addr_equal(&d->s.peer.addr, raddr);
}

struct dsock *dgram_find(struct netstack *ns, uint32_t net, uint8_t proto, const struct net_addr *laddr,
                         uint16_t lport, const struct net_addr *raddr, uint16_t rport)
{
    struct dsock *best = NULL;
    int best_score = -1;

    for (struct dsock *d = *bucket(ns, lport); d != NULL; d = d->hash_next) {
        int score = 0;
        if (d->s.port->port != lport || d->s.proto != proto)
            continue;
        if (!addr_any(&d->s.local.addr)) {
            if (!addr_equal(&d->s.local.addr, laddr) || d->s.local.family != net_family(net))
                continue;
            score = 1;
        } else if (!serves(d, net_family(net))) {
            continue;
        }
        if (d->connected) {
            if (!is_peer(d, net, raddr, rport))
                continue;
            score += 2;
        }
        if (score > best_score) {
            best = d;
            best_score = score;
        }
    }
    return best;
}

void dgram_queue(struct dsock *d, const struct ip_in *in, uint16_t rport, const uint8_t *data, uint32_t n)
{
    struct netstack *ns = d->s.ns;
    struct dgram_head head;

    if (d->rd_shut || d->queued + n + DGRAM_CHARGE > d->rcvbuf) {
        ns->count.udp_full++;
        return;
    }
    head.addr = in->src;
    head.port = rport;
    head.link = in->rx->link;
    head.len = (uint16_t)n;
    head.family = in->family;
    head.pad = 0;
    if (!bufq_put_dgram(ns, &d->q, &head, data, n)) {
        ns->count.udp_full++;
        return;
    }
    d->queued += n + DGRAM_CHARGE;
    d->count++;
    sock_changed(&d->s);
}

void udp_input(struct netstack *ns, const struct ip_in *in)
{
    const uint8_t *h = in->data;
    struct dsock *d;
    uint32_t len;

    if (in->len < 8 || (len = get16(h + 4)) < 8 || len > in->len)
        goto bad;
    if (in->family == NET_INET6 && (h[6] | h[7]) == 0)
        goto bad; /* RFC 8200 8.1: it has a checksum, always; C-SIX-3 */
    if (!ip_trusted(in) && (h[6] | h[7]) != 0 &&
        csum_fold(csum_bytes(csum_add(in->pseudo, ns_swap16((uint16_t)len)), h, len)) != 0xffff)
        goto bad;
    d = dgram_find(ns, in->net, NET_UDP, &in->dst, get16(h + 2), &in->src, get16(h));
    if (d != NULL) {
        ns->count.udp_in++;
        dgram_queue(d, in, get16(h), h + 8, len - 8);
        return;
    }
    if (ns->env.unclaimed != NULL && ns->env.unclaimed(ns->env.ctx, in->rx, in->packet - in->rx->l2_len))
        return;
    ns->count.udp_noport++;
    if (ns->cfg.reset_unbound && in->family == NET_INET) /* an error speaks for the host; only netd may */
        icmp_unreachable(ns, in, 3);
    else if (ns->cfg.reset_unbound)
        icmp6_error(ns, in, ICMP6_UNREACHABLE, 4, 0);
    return;
bad:
    ns->count.udp_bad++;
}

bool udp_error(struct netstack *ns, uint32_t net, const struct net_addr *laddr, const struct net_addr *raddr,
               uint16_t lport, uint16_t rport, int err)
{
    struct dsock *d = dgram_find(ns, net, NET_UDP, laddr, lport, raddr, rport);

    /* Only a connected socket can tell whom the error concerns (RFC 1122 4.1.3.3). */
    if (d == NULL || !d->connected)
        return false;
    sock_error(&d->s, err);
    return true;
}

/* --- the socket calls ---------------------------------------------------------------- */
int dgram_socket(struct netstack *ns, uint8_t family, int type, struct nsock **out)
{
    struct dsock *d = ns_alloc(ns, sizeof(*d));
    int r;

    if (d == NULL)
        return -ENOMEM;
    d->s.ns = ns;
    d->s.type = (uint8_t)type;
    d->s.proto = type != NS_ICMP ? NET_UDP : family == NET_INET6 ? NET_ICMP6 : NET_ICMP;
    d->s.family = family;
    d->s.v6only = type == NS_ICMP; /* the other family's echo is another protocol */
    d->s.ttl = 64;
    d->rcvbuf = ns->cfg.udp_rcvbuf;
    r = sock_add(ns, &d->s);
    if (r != 0) {
        ns_free(ns, d);
        return r;
    }
    *out = &d->s;
    return 0;
}

/* Its port is known: datagrams find it from here on. */
void dgram_hash(struct dsock *d)
{
    struct dsock **b = bucket(d->s.ns, d->s.local.port);

    d->hash_next = *b;
    *b = d;
}

int dgram_bind(struct dsock *d, const struct ns_addr *a)
{
    int r;

    if (d->s.port != NULL)
        return -EINVAL;
    r = sock_ports(&d->s, a);
    if (r != 0)
        return r;
    if (!d->s.reuseaddr && (d->s.port->refs > 1 || (sock_dual(&d->s) && d->s.port4->refs > 1))) {
        sock_drop_ports(&d->s);
        return -EADDRINUSE;
    }
    d->s.local = *a;
    d->s.local.port = d->s.port->port;
    dgram_hash(d);
    return 0;
}

static int bind_any(struct dsock *d)
{
    struct ns_addr any = {.family = d->s.family};

    return d->s.port != NULL ? 0 : dgram_bind(d, &any);
}

static bool reachable(const struct dsock *d, uint8_t family) /* from the address that it is bound to */
{
    return d->s.local.family == family || sock_dual(&d->s);
}

int dgram_connect(struct dsock *d, const struct ns_addr *a)
{
    const struct ip_path *path;
    struct ns_addr to;
    uint32_t net;
    int r;

    if (a->family == 0) { /* dissolve */
        flow_unpin(d->s.ns, d->s.port, d->flow_id);
        d->flow_id = 0;
        d->connected = false;
        memset(&d->s.peer, 0, sizeof(d->s.peer));
        return 0;
    }
    if ((r = sock_name_in(&d->s, a, &to)) != 0)
        return r;
    ns_clock(d->s.ns);
    net = addr_net(to.family, &to.addr, to.scope);
    if ((r = bind_any(d)) != 0 || (r = ip_route(d->s.ns, net, &to.addr, &path)) != 0)
        return r;
    if (!reachable(d, to.family))
        return -ENETUNREACH;
    d->s.peer = to;
    if (d->s.proto == NET_ICMP)
        d->s.peer.port = 0; /* replies have none */
    d->connected = true;
    flow_unpin(d->s.ns, d->s.port, d->flow_id);
    d->flow_id =
        flow_pin(d->s.ns, sock_dual(&d->s) && to.family == NET_INET ? d->s.port4 : d->s.port, net,
                 addr_any(&d->s.local.addr) ? &path->src : &d->s.local.addr, &to.addr, d->s.peer.port);
    return 0;
}

static int udp_send(struct dsock *d, const void *buf, size_t n, uint16_t rport, const struct ip_path *path,
                    const struct net_addr *src)
{
    uint8_t hdr[8];
    struct ip_dgram g = {.proto = NET_UDP,
                         .ttl = d->s.ttl,
                         .csum_off = 6,
                         .pseudo = true,
                         .broadcast_ok = d->s.broadcast,
                         .path = path,
                         .src = src,
                         .hdr = hdr,
                         .hdr_len = 8,
                         .data = (const uint8_t *)buf,
                         .data_len = (uint32_t)n,
                         .cookie = cookie_sock(&d->s)};
    int r;

    if (n > 65535u - 8 - (net_family(path->net) == NET_INET6 ? 0 : 20))
        return -EMSGSIZE;
    put16(hdr, d->s.local.port);
    put16(hdr + 2, rport);
    put16(hdr + 4, (uint16_t)(n + 8));
    put16(hdr + 6, 0);
    r = ip_send(d->s.ns, &g);
    if (r == 0)
        d->s.ns->count.udp_out++;
    return r;
}

int dgram_send(struct dsock *d, const void *buf, size_t n, const struct ns_addr *to)
{
    const struct net_addr *src = addr_any(&d->s.local.addr) ? NULL : &d->s.local.addr;
    const struct ip_path *path;
    struct ns_addr name;
    int r = d->s.error;

    if (r != 0) {
        d->s.error = 0;
        return -r;
    }
    if (d->wr_shut)
        return -EPIPE;
    if (to == NULL) {
        if (!d->connected)
            return -EDESTADDRREQ;
        to = &d->s.peer;
    }
    if (to != &d->s.peer) {
        if ((r = sock_name_in(&d->s, to, &name)) != 0)
            return r;
        to = &name;
    }
    if (addr_any(&to->addr))
        return -EADDRNOTAVAIL;
    if (to->family == NET_INET && get32(to->addr.b) == 0xffffffffu && !d->s.broadcast)
        return -EACCES; /* a subnet's is refused by the kernel, and told with the next call */
    /* A cached route may be a little old; the kernel would tell. */
    if ((r = bind_any(d)) != 0 ||
        (r = ip_route(d->s.ns, addr_net(to->family, &to->addr, to->scope), &to->addr, &path)) != 0)
        return r;
    if (!reachable(d, to->family))
        return -ENETUNREACH;
    if (d->s.proto == NET_ICMP6)
        r = icmp6_send(d, (const uint8_t *)buf, n, path, src);
    else if (d->s.type == NS_ICMP)
        r = icmp_send(d, (const uint8_t *)buf, n, path, src);
    else
        r = to->port == 0 ? -EINVAL : udp_send(d, buf, n, to->port, path, src);
    return r == 0 ? (int)n : r;
}

int dgram_next_len(const struct dsock *d)
{
    struct dgram_head head;

    return d->count != 0 && bufq_peek(&d->q, 0, &head, sizeof(head)) == sizeof(head) ? (int)head.len : 0;
}

int dgram_recv(struct dsock *d, void *buf, size_t n, int flags, struct ns_addr *from)
{
    struct netstack *ns = d->s.ns;
    struct dgram_head head;
    uint32_t take;

    if (d->count == 0) {
        int e = d->s.error;
        d->s.error = 0;
        if (e != 0)
            return -e;
        return d->rd_shut ? 0 : -EAGAIN;
    }
    if (flags & NS_PEEK) {
        bufq_peek(&d->q, 0, &head, sizeof(head));
        take = n < head.len ? (uint32_t)n : head.len;
        if (take != 0)
            bufq_peek(&d->q, sizeof(head), buf, take);
    } else {
        bufq_get(ns, &d->q, &head, sizeof(head));
        take = n < head.len ? (uint32_t)n : head.len;
        if (take != 0)
            bufq_get(ns, &d->q, buf, take);
        if (take < head.len)
            bufq_drop(ns, &d->q, head.len - take);
        d->queued -= head.len + DGRAM_CHARGE;
        d->count--;
    }
    if (from != NULL) {
        memset(from, 0, sizeof(*from));
        from->family = head.family;
        from->port = head.port;
        from->addr = head.addr;
        from->scope = addr_scoped(head.family, &head.addr) ? (uint16_t)(head.link + 1) : 0;
        sock_name_out(&d->s, from);
    }
    return (int)(flags & NS_TRUNC ? head.len : take);
}

int dgram_shutdown(struct dsock *d, int how)
{
    if (how < 0 || how > 2)
        return -EINVAL;
    if (!d->connected)
        return -ENOTCONN;
    d->rd_shut |= how != 1;
    d->wr_shut |= how != 0;
    sock_changed(&d->s);
    return 0;
}

void dgram_close(struct dsock *d)
{
    struct netstack *ns = d->s.ns;

    if (d->s.port != NULL) {
        for (struct dsock **b = bucket(ns, d->s.port->port); *b != NULL; b = &(*b)->hash_next) {
            if (*b == d) {
                *b = d->hash_next;
                break;
            }
        }
        flow_unpin(ns, d->s.port, d->flow_id);
        sock_drop_ports(&d->s);
    }
    bufq_free(ns, &d->q);
    sock_remove(&d->s);
}

unsigned dgram_events(const struct dsock *d)
{
    struct netstack *ns = d->s.ns;
    unsigned ev = 0;

    if (d->count != 0 || d->rd_shut)
        ev |= NS_IN;
    if (d->rd_shut)
        ev |= NS_RDHUP;
    if (d->s.error != 0)
        ev |= NS_ERR | NS_IN;
    if (tx_room(ns) && ns->blk_nfree != 0)
        ev |= NS_OUT;
    return ev;
}
