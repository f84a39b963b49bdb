/* SPDX-License-Identifier: MIT
 *
 * net/stack/handover.c: sockets written down and made again
 * (slipway/handover.h): the common head, listeners, UDP.
 *
 * Owns: nothing. Called by libc and by netd, with the stack's lock held. The
 * connection itself is handover_tcp.c's.
 */
#include <net/stack/tcp.h>
#include <slipway/handover.h>

_Static_assert(sizeof(struct handover) == 120 && sizeof(struct handover_tcp) == 272 &&
                   sizeof(struct handover_listener) == 40 && sizeof(struct handover_syn) == 56 &&
                   sizeof(struct handover_udp) == 8 && sizeof(struct handover_dgram) == 24,
               "version 2");

#define TAIL(h) ((void *)((struct handover *)(h) + 1))

static uint64_t padded(uint64_t n)
{
    return (n + 7) & ~7ull;
}

void handover_name(struct handover *h, uint32_t net)
{
    h->scope = net_scope(net);
    h->flags &= (uint16_t)~HANDOVERF_MAPPED;
    if (h->family == NET_INET6 && net_family(net) == NET_INET)
        h->flags |= HANDOVERF_MAPPED;
}

void handover_head(const struct nsock *s, struct handover *h, uint8_t kind, uint64_t bytes)
{
    *h = (struct handover){.magic = HANDOVER_MAGIC,
                           .version = HANDOVER_VERSION,
                           .kind = kind,
                           .family = s->family,
                           .bytes = bytes,
                           .taken_ns = s->ns->now,
                           .laddr = s->local.addr,
                           .lport = s->local.port,
                           .raddr = s->peer.addr,
                           .rport = s->peer.port,
                           .ttl = s->ttl,
                           .tos = s->tos,
                           .error = s->error};
    h->flags =
        (uint16_t)((s->reuseaddr ? HANDOVERF_REUSEADDR : 0) | (s->broadcast ? HANDOVERF_BROADCAST : 0) |
                   (sock_dual(s) ? HANDOVERF_DUAL : 0) | (s->v6only ? HANDOVERF_V6ONLY : 0));
    if (s->peer.family != 0)
        handover_name(h, ns_net(s->peer.family, s->peer.scope));
    else if (s->local.family != 0)
        handover_name(h, ns_net(s->local.family, s->local.scope));
}

static bool address_sound(const struct handover *h, const struct net_addr *a)
{
    static const uint8_t zero[12];

    return net_family(handover_net(h)) == NET_INET6 || memcmp(a->b + 4, zero, sizeof(zero)) == 0;
}

/* What goes on the wire: an IPv6 socket may have an IPv4 peer. */
uint32_t handover_net(const struct handover *h)
{
    uint8_t family = h->flags & HANDOVERF_MAPPED ? NET_INET : h->family;

    return ns_net(family, family == NET_INET6 ? h->scope : 0);
}

/* The port's number is the same in both families. */
static struct ns_port *adopt_ports(struct netstack *ns, const struct handover *h, uint8_t proto,
                                   const struct net_port_op *taken, struct ns_port **port4)
{
    static const uint8_t no_secret[NET_SECRET_BYTES];
    const uint8_t *secret = taken != NULL ? taken->secret : no_secret;
    bool dual = (h->flags & HANDOVERF_DUAL) != 0;
    struct ns_port *p = port_adopt(ns, dual ? NET_INET6 : net_family(handover_net(h)), proto, &h->laddr,
                                   h->lport, secret, true);

    *port4 = NULL;
    if (p == NULL || !dual)
        return p;
    /* Its own secret was not written down: whoever takes both knows the other. */
    *port4 = port_adopt(ns, NET_INET, proto, &h->laddr, h->lport, secret, true);
    if (*port4 != NULL)
        return p;
    port_drop(ns, p);
    return NULL;
}

static bool head_sound(const struct handover *h, size_t n)
{
    return n >= sizeof(*h) && h->magic == HANDOVER_MAGIC && h->bytes <= n && h->bytes >= sizeof(*h) &&
           (h->bytes & 7) == 0 && (h->family == NET_INET || h->family == NET_INET6) &&
           (h->flags & ~HANDOVERF_KNOWN) == 0 &&
           (h->family == NET_INET6 || (h->flags & HANDOVERF_INET6) == 0) && h->lport != 0 &&
           address_sound(h, &h->laddr) && address_sound(h, &h->raddr);
}

/* --- UDP ------------------------------------------------------------------------------- */
static uint64_t udp_bytes(const struct dsock *d)
{
    uint64_t n = sizeof(struct handover) + sizeof(struct handover_udp);
    struct dgram_head head;

    for (uint32_t i = 0, at = 0; i < d->count; i++) {
        bufq_peek(&d->q, at, &head, sizeof(head));
        at += (uint32_t)sizeof(head) + head.len;
        n += padded(sizeof(struct handover_dgram)) + padded(head.len);
    }
    return n;
}

static void udp_export(const struct dsock *d, struct handover *h)
{
    struct handover_udp *r = TAIL(h);
    uint8_t *p = (uint8_t *)(r + 1);
    struct dgram_head head;

    handover_head(&d->s, h, HANDOVER_UDP, udp_bytes(d));
    h->flags |= (d->connected ? HANDOVERF_CONNECTED : 0) | (d->rd_shut ? HANDOVERF_RD_SHUT : 0) |
                (d->wr_shut ? HANDOVERF_WR_SHUT : 0);
    *r = (struct handover_udp){d->rcvbuf, d->count};
    for (uint32_t i = 0, at = 0; i < d->count; i++) {
        struct handover_dgram g;

        bufq_peek(&d->q, at, &head, sizeof(head));
        g = (struct handover_dgram){head.addr, head.port, head.link, head.len, head.family, 0};
        memcpy(p, &g, sizeof(g));
        p += padded(sizeof(g));
        bufq_peek(&d->q, at + (uint32_t)sizeof(head), p, head.len);
        p += padded(head.len);
        at += (uint32_t)sizeof(head) + head.len;
    }
}

/* Into the queue, or (d NULL) only: is it sound? */
static int udp_queue(struct dsock *d, const struct handover *h)
{
    const struct handover_udp *r = TAIL(h);
    const uint8_t *p = (const uint8_t *)(r + 1), *end = (const uint8_t *)h + h->bytes;

    for (uint32_t i = 0; i < r->count; i++) {
        struct handover_dgram g;

        if ((size_t)(end - p) < padded(sizeof(g)))
            return -EINVAL;
        memcpy(&g, p, sizeof(g));
        p += padded(sizeof(g));
        if ((g.family != NET_INET && g.family != NET_INET6) || padded(g.len) > (size_t)(end - p))
            return -EINVAL;
        if (d != NULL) {
            struct dgram_head head = {g.addr, g.port, g.link, g.len, g.family, 0};

            if (!bufq_put_dgram(d->s.ns, &d->q, &head, p, g.len))
                return -ENOMEM;
            d->queued += g.len + DGRAM_CHARGE;
            d->count++;
        }
        p += padded(g.len);
    }
    return p == end ? 0 : -EINVAL;
}

static int udp_import(struct netstack *ns, const struct handover *h, const struct net_port_op *taken,
                      struct nsock **out)
{
    const struct handover_udp *r = TAIL(h);
    struct ns_port *p, *port4;
    struct dsock *d;
    int err;

    if (h->bytes < sizeof(*h) + sizeof(*r) || udp_queue(NULL, h) != 0)
        return -EINVAL;
    p = adopt_ports(ns, h, NET_UDP, taken, &port4);
    if (p == NULL)
        return -ENOMEM;
    err = p->refs > 1 || (port4 != NULL && port4->refs > 1) ? -EADDRINUSE
                                                            : dgram_socket(ns, h->family, NS_DGRAM, out);
    if (err != 0) {
        port_drop(ns, p);
        port_drop(ns, port4);
        return err;
    }
    d = (struct dsock *)*out;
    d->s.port = p;
    d->s.port4 = port4;
    d->s.v6only = (h->flags & HANDOVERF_V6ONLY) != 0;
    d->s.local = (struct ns_addr){.family = p->family, .port = h->lport, .addr = h->laddr};
    d->s.ttl = h->ttl != 0 ? h->ttl : 64;
    d->s.reuseaddr = (h->flags & HANDOVERF_REUSEADDR) != 0;
    d->s.broadcast = (h->flags & HANDOVERF_BROADCAST) != 0;
    d->connected = (h->flags & HANDOVERF_CONNECTED) != 0;
    d->rd_shut = (h->flags & HANDOVERF_RD_SHUT) != 0;
    d->wr_shut = (h->flags & HANDOVERF_WR_SHUT) != 0;
    if (d->connected)
        d->s.peer = (struct ns_addr){.family = net_family(handover_net(h)),
                                     .port = h->rport,
                                     .addr = h->raddr,
                                     .scope = net_scope(handover_net(h))};
    d->rcvbuf = r->rcvbuf_limit < 2048 ? 2048 : r->rcvbuf_limit < (4u << 20) ? r->rcvbuf_limit : 4u << 20;
    dgram_hash(d);
    err = udp_queue(d, h);
    if (err != 0) {
        dgram_close(d);
        sock_reap(ns);
        *out = NULL;
    }
    return err;
}

/* --- listeners --------------------------------------------------------------------------- */
static uint64_t listener_bytes(const struct tcb *l)
{
    uint64_t n = sizeof(struct handover) + sizeof(struct handover_listener);

    for (const struct tcb *t = l->listener->accept_head; t != NULL; t = t->accept_next)
        if (tcp_exportable(t))
            n += tcp_export_bytes(t);
    return n + l->listener->syns * (sizeof(struct handover) + sizeof(struct handover_syn));
}

static void syn_export(const struct tcp_syn *y, struct handover *h)
{
    struct netstack *ns = y->parent->s.ns;
    struct handover_syn *r = TAIL(h);

    handover_head(&y->parent->s, h, HANDOVER_SYN, sizeof(*h) + sizeof(*r));
    handover_name(h, y->node.net);
    h->laddr = y->node.laddr;
    h->raddr = y->node.raddr;
    h->lport = y->node.lport;
    h->rport = y->node.rport;
    *r = (struct handover_syn){
        .iss = y->iss,
        .irs = y->irs,
        .ts_now = tcp_ts_now(ns, y->ts_offset),
        .ts_recent = y->ts_recent,
        .snd_wnd = y->snd_wnd,
        .mss_peer = y->mss_peer,
        .mss_own = y->mss_own,
        .window = y->window,
        .snd_wscale = y->snd_wscale,
        .retries = y->retries,
        .flags = (y->ts_on ? HANDOVER_TCPF_TS : 0) | (y->sack_ok ? HANDOVER_TCPF_SACK : 0) |
                 (y->wscale_on ? HANDOVER_TCPF_WSCALE : 0),
        .age_ns = ns->now - y->started_ns,
        .timer_ns = y->timer.when > ns->now ? y->timer.when - ns->now : 0,
    };
}

static void listener_export(struct tcb *l, struct handover *h)
{
    struct handover_listener *r = TAIL(h);
    struct handover *at = (struct handover *)(r + 1);

    handover_head(&l->s, h, HANDOVER_LISTENER, listener_bytes(l));
    *r = (struct handover_listener){
        .backlog = l->listener->backlog,
        .flags = (l->nodelay ? HANDOVER_TCPF_NODELAY : 0) | (l->keepalive ? HANDOVER_TCPF_KEEPALIVE : 0) |
                 (l->snd_auto ? 0 : HANDOVER_TCPF_SNDBUF_FIXED) | (l->rcv_auto ? 0 : HANDOVER_TCPF_RCVBUF_FIXED),
        .sndbuf_limit = l->sndbuf_limit,
        .rcvbuf_limit = l->rcvbuf_limit,
        .keep_idle_s = l->keep_idle_s,
        .keep_interval_s = l->keep_interval_s,
        .keep_probes = l->keep_probes,
        .linger_s = l->linger_s,
    };
    for (struct tcb *t = l->listener->accept_head; t != NULL; t = t->accept_next) {
        if (!tcp_exportable(t))
            continue;
        tcp_export(t, at);
        at = (struct handover *)((uint8_t *)at + at->bytes);
        r->records++;
    }
    for (const struct tcp_syn *y = l->listener->syn_head; y != NULL; y = y->next) {
        syn_export(y, at);
        at = (struct handover *)((uint8_t *)at + at->bytes);
        r->records++;
    }
}

/* Connections on the port that stay here would go with it: each gets a flow
 * entry of its own. */
static void pin_the_others(struct tcb *l)
{
    struct netstack *ns = l->s.ns;
    struct ns_port *p = l->s.port, *p4 = l->s.port4;

    p->group = true;
    if (p4 != NULL)
        p4->group = true;
    for (uint32_t b = 0; b <= ns->conn_mask; b++) {
        for (struct tcp_node *n = ns->conn[b]; n != NULL; n = n->next) {
            struct tcb *t = n->kind == NODE_TCB ? ns_container(n, struct tcb, node) : NULL;

            if (t == NULL || (t->s.port != p && t->s.port != p4) || t->s.port == NULL || t->parent == l || t->flow_id != 0)
                continue;
            t->flow_id = flow_pin(ns, t->s.port, n->net, &n->laddr, &n->raddr, n->rport);
        }
    }
}

static void listener_forget(struct tcb *l)
{
    struct netstack *ns = l->s.ns;
    struct tcp_listener *q = l->listener;

    pin_the_others(l);
    while (q->syn_head != NULL) {
        q->syn_head->flow_id = 0;
        tcp_syn_drop(ns, q->syn_head);
    }
    while (q->accept_head != NULL)
        tcp_forget(q->accept_head);
    tcp_listener_close(l);
    tcp_forget(l);
}

static bool syn_import(struct tcb *l, const struct handover *h, uint64_t base)
{
    const struct handover_syn *r = TAIL(h);
    struct netstack *ns = l->s.ns;
    struct tcp_node name = {
        .net = handover_net(h), .laddr = h->laddr, .raddr = h->raddr, .lport = h->lport, .rport = h->rport};
    struct tcp_syn *y;

    if (h->bytes != sizeof(*h) + sizeof(*r) || r->snd_wscale > TCP_WSCALE_MAX || h->lport != l->s.port->port ||
        h->rport == 0 || r->retries > TCP_SYN_RETRIES || r->timer_ns > TCP_RTO_MAX ||
        tcp_lookup(ns, name.net, &h->laddr, &h->raddr, h->lport, h->rport) != NULL)
        return false;
    y = tcp_syn_new(ns, l, &name);
    if (y == NULL)
        return false;
    y->iss = r->iss;
    y->irs = r->irs;
    y->ts_offset = r->ts_now - (uint32_t)(base / NS_MS);
    y->ts_recent = r->ts_recent;
    y->snd_wnd = r->snd_wnd;
    y->mss_peer = r->mss_peer;
    y->mss_own = r->mss_own;
    y->window = r->window;
    y->snd_wscale = r->snd_wscale;
    y->retries = r->retries;
    y->ts_on = (r->flags & HANDOVER_TCPF_TS) != 0;
    y->sack_ok = (r->flags & HANDOVER_TCPF_SACK) != 0;
    y->wscale_on = (r->flags & HANDOVER_TCPF_WSCALE) != 0;
    y->started_ns = base > r->age_ns ? base - r->age_ns : 0;
    timer_set(ns, &y->timer, base + r->timer_ns);
    return true;
}

/* What waits in it: one that is damaged or has no room is left out; its client
 * finds nobody and gets a RST. */
static void take_queue(struct tcb *l, const struct handover *h)
{
    const struct handover_listener *r = TAIL(h);
    const uint8_t *p = (const uint8_t *)(r + 1), *end = (const uint8_t *)h + h->bytes;
    struct netstack *ns = l->s.ns;
    uint64_t base = h->taken_ns <= ns->now ? h->taken_ns : ns->now;
    struct tcb *t;

    for (uint32_t i = 0; i < r->records && head_sound((const void *)p, (size_t)(end - p)); i++) {
        const struct handover *one = (const struct handover *)(const void *)p;

        if (one->kind == HANDOVER_SYN && l->listener->syns < 2u * l->listener->backlog + 64) {
            syn_import(l, one, base);
        } else if (one->kind == HANDOVER_TCP && l->listener->accepts < l->listener->backlog &&
                   tcp_import(ns, one, 0, &t) == 0) {
            t->s.closed = true; /* nobody holds it before accept */
            tcp_accept_append(l, t);
        }
        p += one->bytes;
    }
}

static int listener_import(struct netstack *ns, const struct handover *h, const struct net_port_op *taken,
                           struct nsock **out)
{
    const struct handover_listener *r = TAIL(h);
    struct ns_port *p, *port4;
    struct tcb *l;
    int err;

    if (h->bytes < sizeof(*h) + sizeof(*r))
        return -EINVAL;
    l = tcb_new(ns, h->family);
    if (l == NULL)
        return ns->nsocks >= ns->cfg.sockets_max ? -EMFILE : -ENOMEM;
    p = adopt_ports(ns, h, NET_TCP, taken, &port4);
    err = p == NULL                                                                  ? -ENOMEM
          : p->listener != NULL || (port4 != NULL && port4->listener != NULL) ? -EADDRINUSE
                                                                              : 0;
    if (err == 0) {
        l->s.port = p;
        l->s.port4 = port4;
        if (port4 != NULL)
            port4->binders++;
        l->s.v6only = (h->flags & HANDOVERF_V6ONLY) != 0;
        l->s.bound = true;
        p->binders++;
        l->s.local = (struct ns_addr){.family = p->family, .port = h->lport, .addr = h->laddr};
        l->s.reuseaddr = (h->flags & HANDOVERF_REUSEADDR) != 0;
        l->s.ttl = h->ttl != 0 ? h->ttl : 64;
        l->s.tos = h->tos & 0xfc;
        l->nodelay = (r->flags & HANDOVER_TCPF_NODELAY) != 0;
        l->keepalive = (r->flags & HANDOVER_TCPF_KEEPALIVE) != 0;
        l->snd_auto = (r->flags & HANDOVER_TCPF_SNDBUF_FIXED) == 0;
        l->rcv_auto = (r->flags & HANDOVER_TCPF_RCVBUF_FIXED) == 0;
        l->sndbuf_limit = r->sndbuf_limit < (4u << 20) ? r->sndbuf_limit : 4u << 20;
        l->rcvbuf_limit = r->rcvbuf_limit < (4u << 20) ? r->rcvbuf_limit : 4u << 20;
        l->keep_idle_s = r->keep_idle_s;
        l->keep_interval_s = r->keep_interval_s;
        l->keep_probes = r->keep_probes;
        l->linger_s = r->linger_s;
        err = tcp_listen(l, r->backlog < 4096 ? (int)r->backlog : 4096);
    } else if (p != NULL) {
        port_drop(ns, p);
        port_drop(ns, port4);
    }
    if (err != 0) {
        tcp_forget(l);
        sock_reap(ns);
        return err;
    }
    take_queue(l, h);
    *out = &l->s;
    return 0;
}

/* --- the calls ------------------------------------------------------------------------------ */
int64_t ns_export(struct nsock *s, void *buf, size_t room)
{
    struct tcb *t = s->type == NS_STREAM ? (struct tcb *)s : NULL;
    uint64_t bytes;

    if (s->type == NS_ICMP)
        return -EOPNOTSUPP;
    if (s->port == NULL || (t != NULL && t->state != TCP_LISTEN && !tcp_exportable(t)))
        return -ENOTCONN;
    if (s->port->group && (t == NULL || t->state == TCP_LISTEN))
        return -EOPNOTSUPP;
    ns_clock(s->ns);
    bytes = t == NULL                 ? udp_bytes((struct dsock *)s)
            : t->state == TCP_LISTEN ? listener_bytes(t)
                                      : tcp_export_bytes(t);
    if (bytes > room)
        return (int64_t)bytes;
    memset(buf, 0, bytes);
    if (t == NULL)
        udp_export((struct dsock *)s, buf);
    else if (t->state == TCP_LISTEN)
        listener_export(t, buf);
    else
        tcp_export(t, buf);
    return (int64_t)bytes;
}

void ns_forget(struct nsock *s)
{
    struct netstack *ns = s->ns;
    struct tcb *t = s->type == NS_STREAM ? (struct tcb *)s : NULL;

    if (t == NULL)
        dgram_close((struct dsock *)s);
    else if (t->state == TCP_LISTEN)
        listener_forget(t);
    else
        tcp_forget(t);
    sock_reap(ns);
}

int ns_import(struct netstack *ns, const void *buf, size_t n, const struct net_port_op *taken,
              struct nsock **out)
{
    const struct handover *h = buf;
    struct tcb *t;
    int r;

    *out = NULL;
    if (((uintptr_t)buf & 7) != 0 || !head_sound(h, n))
        return -EINVAL;
    if (h->version != HANDOVER_VERSION)
        return -EPROTONOSUPPORT;
    ns_clock(ns);
    switch (h->kind) {
    case HANDOVER_TCP:
        r = tcp_import(ns, h, taken != NULL ? taken->id : 0, &t);
        if (r == 0 && !t->s.closed)
            *out = &t->s;
        return r;
    case HANDOVER_LISTENER:
        return listener_import(ns, h, taken, out);
    case HANDOVER_UDP:
        return udp_import(ns, h, taken, out);
    default:
        return -EINVAL;
    }
}
