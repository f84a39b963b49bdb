/* SPDX-License-Identifier: MIT
 *
 * net/stack/tcp_sock.c: what the socket calls do to a connection.
 *
 * Owns: the user's side of RFC 9293 3.10 (OPEN, SEND, RECEIVE, CLOSE, ABORT).
 * Called by socket.c. Nothing blocks: -EAGAIN.
 */
#include <net/stack/tcp.h>

int tcp_socket(struct netstack *ns, uint8_t family, struct nsock **out)
{
    struct tcb *t = tcb_new(ns, family);

    if (t == NULL)
        return ns->nsocks >= ns->cfg.sockets_max ? -EMFILE : -ENOMEM;
    *out = &t->s;
    return 0;
}

static int take_error(struct tcb *t)
{
    int e = t->s.error;

    t->s.error = 0;
    return -e;
}

static bool port_taken(const struct tcb *t, const struct ns_port *p)
{
    return p->listener != NULL || (p->refs > 1 && !t->s.reuseaddr);
}

int tcp_bind(struct tcb *t, const struct ns_addr *a)
{
    int r;

    if (t->state != TCP_CLOSED || t->s.bound)
        return -EINVAL;
    r = sock_ports(&t->s, a);
    if (r != 0)
        return r;
    if (port_taken(t, t->s.port) || (sock_dual(&t->s) && port_taken(t, t->s.port4))) {
        sock_drop_ports(&t->s);
        return -EADDRINUSE;
    }
    t->s.port->binders++;
    if (sock_dual(&t->s))
        t->s.port4->binders++;
    t->s.bound = true;
    t->s.local = *a;
    t->s.local.port = t->s.port->port;
    return 0;
}

int tcp_listen(struct tcb *t, int backlog)
{
    struct ns_addr any = {.family = t->s.family};
    struct tcp_listener *q = t->listener;
    int r;

    if (t->state != TCP_CLOSED && t->state != TCP_LISTEN)
        return -EINVAL;
    if (!t->s.bound && (r = tcp_bind(t, &any)) != 0)
        return r;
    if (q == NULL) {
        if (t->s.port->listener != NULL || (sock_dual(&t->s) && t->s.port4->listener != NULL))
            return -EADDRINUSE;
        q = ns_alloc(t->s.ns, sizeof(*q));
        if (q == NULL)
            return -ENOMEM;
        t->listener = q;
        ns_clock(t->s.ns);
        tcp_cookie_expect(t->s.ns, q); /* one whose port this was may have sent some */
        t->s.port->listener = t;
        if (sock_dual(&t->s))
            t->s.port4->listener = t;
        t->state = TCP_LISTEN;
    }
    q->backlog = backlog < 1 ? 1 : backlog > 4096 ? 4096 : (uint32_t)backlog;
    return 0;
}

int tcp_accept(struct tcb *l, struct nsock **out, struct ns_addr *peer)
{
    struct tcb *t;

    if (l->state != TCP_LISTEN)
        return -EINVAL;
    if ((t = l->listener->accept_head) == NULL)
        return -EAGAIN;
    tcp_accept_remove(t);
    t->s.closed = false;
    if (peer != NULL) {
        *peer = t->s.peer;
        sock_name_out(&t->s, peer);
    }
    *out = &t->s;
    return 0;
}

/* What an earlier attempt on this socket has left behind. */
static void forget_attempt(struct tcb *t)
{
    t->rto_ns = TCP_RTO_INITIAL;
    t->srtt_us = t->rttvar_us = 0;
    t->backoff = t->dupacks = t->probes = t->ack_pending = 0;
    t->mtu_trial = 0;
    t->timing = t->syn_repeated = t->in_recovery = t->persisting = t->line_full = false;
    t->mss_peer = tcp_mss_default(t->node.net);
    t->ts_on = t->sack_ok = t->wscale_on = t->dsack_on = false;
    t->snd_wscale = 0;
    t->snd_wnd = t->max_wnd = 0;
    t->rd_eof = t->fin_queued = t->fin_seen = t->rd_shut = false;
    bufq_free(t->s.ns, &t->rcv);
}

static int open_to(struct tcb *t, const struct ns_addr *a)
{
    struct netstack *ns = t->s.ns;
    const struct ip_path *path;
    uint32_t net = addr_net(a->family, &a->addr, a->scope);
    int r = ip_route(ns, net, &a->addr, &path);

    if (r != 0)
        return r;
    if (t->s.port == NULL) {
        static const struct net_addr any;
        r = port_acquire(ns, a->family, NET_TCP, &any, 0, false, &t->s.port);
        if (r != 0)
            return r;
    } else {
        if (!addr_any(&t->s.local.addr) && t->s.local.family != a->family)
            return -EADDRNOTAVAIL;
        sock_narrow(&t->s, a->family);
    }
    t->node.laddr = addr_any(&t->s.local.addr) ? path->src : t->s.local.addr;
    t->node.raddr = a->addr;
    if (addr_scoped(a->family, &a->addr) || addr_scoped(a->family, &t->node.laddr))
        net = ns_net(a->family, (uint16_t)(path->link + 1)); /* a machine with one link need not name it */
    t->node.net = net;
    t->mss_peer = tcp_mss_default(net);
    t->node.lport = t->s.port->port;
    t->node.rport = a->port;
    if (tcp_lookup(ns, net, &t->node.laddr, &t->node.raddr, t->node.lport, t->node.rport) != NULL)
        return -EADDRNOTAVAIL;
    tcb_names(t);
    tcb_set_path(t, path);
    return 0;
}

int tcp_connect(struct tcb *t, const struct ns_addr *a)
{
    struct netstack *ns = t->s.ns;
    int r;

    if (t->s.error != 0)
        return take_error(t);
    if (t->state == TCP_SYN_SENT || t->state == TCP_SYN_RCVD)
        return -EALREADY;
    if (t->state == TCP_LISTEN)
        return -EOPNOTSUPP;
    if (t->state != TCP_CLOSED)
        return -EISCONN;
    if (a->port == 0 || addr_any(&a->addr))
        return -EADDRNOTAVAIL;
    if (!addr_unicast(t->s.family, &a->addr))
        return -ENETUNREACH; /* MUST-46 of RFC 9293; C-STATE-1 */
    ns_clock(ns);
    forget_attempt(t);
    r = open_to(t, a);
    if (r != 0)
        return r;
    t->iss = tcp_new_iss(ns, t->s.port, &t->node);
    t->ts_offset = tcp_new_ts_offset(t->s.port, &t->node);
    t->snd_una = t->snd_nxt = t->snd_max = t->recover = t->iss;
    t->buf_seq = t->snd_sml = t->iss + 1;
    t->rcv_wscale = tcp_rcv_wscale(tcp_rcv_most(t));
    t->rcv_nxt = t->rcv_adv = 0;
    t->snd_mss = tcp_mss_default(t->node.net);
    t->opened_ns = t->progress_ns = ns->now;
    t->state = TCP_SYN_SENT;
    tcp_link(ns, &t->node);
    t->hashed = true;
    t->flow_id = flow_pin(ns, t->s.port, t->node.net, &t->node.laddr, &t->node.raddr, t->node.rport);
    tcp_xmit(t, t->iss, 0, TCP_SYN); /* with no room now, the timer sends it */
    t->snd_nxt = t->snd_max = t->iss + 1;
    timer_set(ns, &t->rtx, ns->now + tcp_rto(t));
    return -EINPROGRESS;
}

int tcp_send(struct tcb *t, const void *buf, size_t n)
{
    struct netstack *ns = t->s.ns;
    uint32_t room;

    if (t->s.error != 0)
        return take_error(t);
    if (t->fin_queued)
        return -EPIPE;
    if (t->state == TCP_SYN_SENT || t->state == TCP_SYN_RCVD)
        return -EAGAIN;
    if (t->state != TCP_ESTABLISHED && t->state != TCP_CLOSE_WAIT)
        return t->state == TCP_CLOSED && !t->rd_eof ? -ENOTCONN : -EPIPE;
    if (n == 0)
        return 0;
    room = tcp_sndbuf(t);
    room = room > t->snd.bytes ? room - t->snd.bytes : 0;
    if (n > room)
        n = room;
    n = sndbuf_put(ns, &t->snd, t, buf, (uint32_t)n);
    if (n == 0)
        return -EAGAIN;
    ns_clock(ns);
    tcp_output(t);
    return (int)n;
}

/* The application has read: tell the peer when the window has opened by a good
 * part of the buffer, or was nearly shut (RFC 9293 3.8.6.2.2). */
void tcp_readable(struct tcb *t)
{
    uint32_t gain = tcp_window_edge(t) - t->rcv_adv, left = t->rcv_adv - t->rcv_nxt;
    uint32_t most = t->rcvbuf_limit / 2, good = t->rcvbuf_limit / 4;

    /* Half of a small buffer; of a large one a quarter, or a sender that fills it
     * goes on with the half that was free when it was acknowledged. */
    if (good < 2u * t->snd_mss)
        good = 2u * t->snd_mss < most ? 2u * t->snd_mss : most;
    if (t->state < TCP_ESTABLISHED || t->rd_eof || gain == 0)
        return;
    if (gain < good && left >= t->rcvbuf_limit / 4)
        return;
    t->ack_now = true;
    ns_clock(t->s.ns);
    tcp_output(t);
}

int tcp_recv(struct tcb *t, void *buf, size_t n, int flags)
{
    uint32_t want = n < INT32_MAX ? (uint32_t)n : INT32_MAX;

    if (t->state == TCP_LISTEN)
        return -ENOTCONN;
    if (t->rcv.bytes != 0 && !t->rd_shut) {
        if (flags & NS_PEEK)
            return (int)bufq_peek(&t->rcv, 0, buf, want);
        want = bufq_get(t->s.ns, &t->rcv, buf, want);
        tcp_taken(t, want);
        tcp_readable(t);
        return (int)want;
    }
    if (t->s.error != 0)
        return take_error(t);
    if (t->rd_eof || t->rd_shut)
        return 0;
    return t->state == TCP_CLOSED ? -ENOTCONN : -EAGAIN;
}

int tcp_post(struct tcb *t, void *buf, size_t n)
{
    if (t->state < TCP_ESTABLISHED)
        return -ENOTCONN;
    if (t->post != NULL)
        return -EBUSY;
    t->post = (uint8_t *)buf;
    t->post_room = n < INT32_MAX ? (uint32_t)n : INT32_MAX;
    t->post_len = 0;
    return 0;
}

int tcp_posted(struct tcb *t)
{
    int n = (int)t->post_len;

    t->post = NULL;
    t->post_room = t->post_len = 0;
    if (n != 0) {
        tcp_taken(t, (uint32_t)n);
        tcp_readable(t);
    }
    return n;
}

/* Our side is through: a FIN follows what is buffered. */
static void send_fin(struct tcb *t)
{
    t->fin_queued = true;
    if (t->state == TCP_ESTABLISHED)
        t->state = TCP_FIN_WAIT_1;
    else if (t->state == TCP_CLOSE_WAIT)
        t->state = TCP_LAST_ACK;
    ns_clock(t->s.ns);
    tcp_output(t);
}

int tcp_shutdown(struct tcb *t, int how)
{
    if (how < 0 || how > 2)
        return -EINVAL;
    if (t->state < TCP_SYN_RCVD || t->state == TCP_TIME_WAIT)
        return -ENOTCONN;
    if (how != 1) {
        t->rd_shut = true;
        bufq_free(t->s.ns, &t->rcv);
        sock_changed(&t->s);
    }
    if (how != 0 && !t->fin_queued) {
        send_fin(t);
        sock_changed(&t->s);
    }
    return 0;
}

void tcp_close(struct tcb *t)
{
    struct netstack *ns = t->s.ns;

    if (t->state == TCP_LISTEN)
        tcp_listener_close(t);
    tcb_unbind(t);
    t->s.closed = true;
    t->s.user = NULL;
    if (t->state <= TCP_SYN_SENT) { /* CLOSED, LISTEN, SYN_SENT */
        tcb_end(t);
    } else if (t->state == TCP_TIME_WAIT) {
        sock_remove(&t->s); /* the TIME_WAIT itself lives on its own */
    } else if (t->rcv.bytes != 0 || t->linger_s == 0) {
        ns_clock(ns);
        tcb_abort(t, 0, true); /* unread data is lost: say so (RFC 2525 2.17) */
    } else if (!t->fin_queued) {
        send_fin(t);
    } else if (t->state == TCP_FIN_WAIT_2) {
        timer_set(ns, &t->misc, ns_clock(ns) + TCP_ORPHAN_LIMIT);
    }
}

unsigned tcp_events(const struct tcb *t)
{
    unsigned ev = 0;

    if (t->state == TCP_LISTEN)
        return t->listener->accept_head != NULL ? NS_IN : 0;
    if (t->s.error != 0)
        ev |= NS_ERR | NS_IN | NS_OUT;
    if (t->state == TCP_SYN_SENT || t->state == TCP_SYN_RCVD)
        return ev;
    if (t->rcv.bytes != 0 || t->post_len != 0 || t->rd_eof || t->rd_shut)
        ev |= NS_IN;
    if (t->rd_eof || t->rd_shut)
        ev |= NS_RDHUP;
    if (t->state == TCP_CLOSED || t->state == TCP_TIME_WAIT)
        return ev | NS_HUP | NS_OUT;
    if (t->fin_queued) {
        ev |= NS_OUT;
        if (t->rd_eof)
            ev |= NS_HUP;
    } else if (t->snd.bytes <= tcp_sndbuf(t) / 4 * 3 && sndbuf_room(t->s.ns, &t->snd)) {
        ev |= NS_OUT;
    }
    return ev;
}
