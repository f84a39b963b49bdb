/* SPDX-License-Identifier: MIT
 *
 * net/stack/tcp_listen.c: passive open: the SYN queue and the accept queue.
 *
 * Owns: struct tcp_syn, a half-open connection of some 150 bytes that answers
 * repeated SYNs and becomes a struct tcb when the handshake's third part comes;
 * struct tcp_listener. A full accept queue leaves SYNs unanswered (the client
 * repeats them); while the SYN queue is full, clients get cookies (tcp_cookie.c).
 */
#include <net/stack/tcp.h>

void tcp_send_syn_ack(struct netstack *ns, const struct tcp_syn *y)
{
    const struct tcb *l = y->parent;
    struct tcp_ctl c;
    int wscale = y->wscale_on ? tcp_rcv_wscale(tcp_rcv_most(l)) : -1;

    memset(&c, 0, sizeof(c));
    c.src = &y->node.laddr;
    c.dst = &y->node.raddr;
    c.sport = y->node.lport;
    c.dport = y->node.rport;
    c.net = y->node.net;
    c.flags = TCP_SYN | TCP_ACK;
    c.ttl = l->s.ttl;
    c.tos = l->s.tos;
    c.seq = y->iss;
    c.ack = y->irs + 1;
    c.window = y->window;
    c.opt_len = tcp_put_syn_options(c.opt, y->mss_own, wscale, y->sack_ok, y->ts_on,
                                    tcp_ts_now(ns, y->ts_offset), y->ts_recent);
    tcp_send_ctl(ns, &c);
}

void tcp_syn_drop(struct netstack *ns, struct tcp_syn *y)
{
    struct tcp_listener *q = y->parent->listener;

    if (y->prev != NULL)
        y->prev->next = y->next;
    else
        q->syn_head = y->next;
    if (y->next != NULL)
        y->next->prev = y->prev;
    else
        q->syn_tail = y->prev;
    q->syns--;
    tcp_unlink(ns, &y->node);
    timer_remove(ns, &y->timer);
    timer_release(ns, 1);
    flow_unpin(ns, y->port, y->flow_id);
    port_drop(ns, y->port);
    ns_free(ns, y);
}

static void syn_fire(struct netstack *ns, struct ns_timer *timer)
{
    struct tcp_syn *y = ns_container(timer, struct tcp_syn, timer);

    if (y->retries >= TCP_SYN_RETRIES) {
        tcp_syn_drop(ns, y);
        return;
    }
    y->retries++;
    ns->count.tcp_retransmit++;
    tcp_send_syn_ack(ns, y);
    timer_set(ns, &y->timer, ns->now + (TCP_RTO_INITIAL << y->retries));
}

struct tcp_syn *tcp_syn_new(struct netstack *ns, struct tcb *l, const struct tcp_node *name)
{
    struct tcp_listener *q = l->listener;
    struct tcp_syn *y;

    if (timer_reserve(ns, 1) != 0)
        return NULL;
    y = ns_alloc(ns, sizeof(*y));
    if (y == NULL) {
        timer_release(ns, 1);
        return NULL;
    }
    y->node = *name;
    y->node.kind = NODE_SYN;
    y->parent = l;
    y->port = port_hold(tcp_listener_port(l, name->net));
    y->flow_id = flow_pin(ns, y->port, y->node.net, &y->node.laddr, &y->node.raddr, y->node.rport); /* C-TCP-5 */
    y->timer.fn = syn_fire;
    y->timer.when = NS_NEVER;
    y->prev = q->syn_tail;
    if (q->syn_tail != NULL)
        q->syn_tail->next = y;
    else
        q->syn_head = y;
    q->syn_tail = y;
    q->syns++;
    tcp_link(ns, &y->node);
    return y;
}

/* Whose connection it is that `in` speaks of. */
void tcp_syn_name(struct tcp_syn *y, struct tcb *l, const struct tcp_in *in)
{
    y->node.net = in->ip->net;
    y->node.laddr = in->ip->dst;
    y->node.raddr = in->ip->src;
    y->node.lport = in->dport;
    y->node.rport = in->sport;
    y->parent = l;
    y->port = tcp_listener_port(l, y->node.net);
}

static uint16_t first_window(const struct tcb *l, const struct ip_path *path)
{
    uint32_t wnd = tcp_line_window(path, l->rcvbuf_limit);

    return (uint16_t)(wnd < 65535 ? wnd : 65535); /* never scaled in a SYN */
}

/* What the SYN says, and what we answer. */
static void describe(struct tcp_syn *y, const struct tcp_in *in, const struct ip_path *path)
{
    y->irs = in->seq;
    y->ts_offset = tcp_new_ts_offset(y->port, &y->node);
    y->ts_recent = in->tsval;
    y->ts_on = in->ts_on && !(path->flags & LINKF_VJ); /* changing stamps can't be compressed */
    y->wscale_on = in->wscale_on;
    y->sack_ok = in->sack_ok;
    y->snd_wscale = in->wscale_on ? in->wscale : 0;
    y->mss_peer = in->mss != 0 ? in->mss : tcp_mss_default(y->node.net);
    y->mss_own = tcp_mss_own(y->node.net, path);
    y->snd_wnd = in->wnd;
    y->window = first_window(y->parent, path);
}

/* A SYN for a listener (RFC 9293 3.10.7.2). After a TIME_WAIT the new initial
 * sequence number must lie above the old connection's: no cookie does. */
void tcp_listen_syn(struct netstack *ns, struct tcb *l, struct tcp_in *in, uint32_t iss_above, bool reuse)
{
    struct tcp_listener *q = l->listener;
    struct tcp_syn name = {.iss = 0}, *y;
    const struct ip_path *path;
    uint32_t syns_max = q->backlog * 2 > 64 ? q->backlog * 2 : 64;

    if (q->accepts >= q->backlog) {
        ns->count.tcp_accept_overflow++;
        return;
    }
    if (ip_route(ns, in->ip->net, &in->ip->src, &path) != 0)
        return;
    tcp_syn_name(&name, l, in);
    if (q->syns >= syns_max && !reuse) { /* C-TCP-7 */
        describe(&name, in, path);
        tcp_cookie_send(ns, &name);
        return;
    }
    if (q->syns >= syns_max)
        tcp_syn_drop(ns, q->syn_head);
    if ((y = tcp_syn_new(ns, l, &name.node)) == NULL)
        return;
    describe(y, in, path);
    y->iss = tcp_new_iss(ns, y->port, &y->node);
    if (reuse && seq_leq(y->iss, iss_above))
        y->iss = iss_above + 64 * 1024;
    y->started_ns = ns->now;
    tcp_send_syn_ack(ns, y);
    timer_set(ns, &y->timer, ns->now + TCP_RTO_INITIAL);
}

/* --- the third part -------------------------------------------------------------- */
void tcp_accept_append(struct tcb *l, struct tcb *t)
{
    struct tcp_listener *q = l->listener;

    t->parent = l;
    t->accept_next = NULL;
    if (q->accept_tail != NULL)
        q->accept_tail->accept_next = t;
    else
        q->accept_head = t;
    q->accept_tail = t;
    q->accepts++;
    sock_changed(&l->s);
}

void tcp_accept_remove(struct tcb *t)
{
    struct tcp_listener *q = t->parent->listener;
    struct tcb *prev = NULL;

    for (struct tcb *c = q->accept_head; c != NULL; prev = c, c = c->accept_next) {
        if (c != t)
            continue;
        if (prev != NULL)
            prev->accept_next = c->accept_next;
        else
            q->accept_head = c->accept_next;
        if (q->accept_tail == c)
            q->accept_tail = prev;
        q->accepts--;
        break;
    }
    t->parent = NULL;
}

/* The half-open connection becomes a whole one; `queued` is it when it stands in
 * the SYN queue, and goes; NULL for one that a cookie brought back. NULL: no
 * memory, or full. */
struct tcb *tcp_establish(struct netstack *ns, struct tcp_syn *y, struct tcp_syn *queued)
{
    struct tcb *l = y->parent, *t;
    const struct ip_path *path;

    if (l->listener->accepts >= l->listener->backlog) { /* C-TCP-3 */
        ns->count.tcp_accept_overflow++;
        return NULL;
    }
    if (ip_route(ns, y->node.net, &y->node.raddr, &path) != 0 || (t = tcb_new(ns, y->node.net)) == NULL)
        return NULL;
    t->s.closed = true; /* nobody holds it before accept */
    t->s.family = l->s.family;
    t->s.ttl = l->s.ttl;
    t->s.tos = l->s.tos;
    t->nodelay = l->nodelay;
    t->keepalive = l->keepalive;
    t->keep_idle_s = l->keep_idle_s;
    t->keep_interval_s = l->keep_interval_s;
    t->keep_probes = l->keep_probes;
    t->user_timeout_ms = l->user_timeout_ms;
    t->sndbuf_limit = l->sndbuf_limit;
    t->rcvbuf_limit = l->rcvbuf_limit;
    t->snd_auto = l->snd_auto;
    t->rcv_auto = l->rcv_auto;
    t->linger_s = l->linger_s;
    t->cc = l->cc;
    t->node.laddr = y->node.laddr;
    t->node.raddr = y->node.raddr;
    t->node.lport = y->node.lport;
    t->node.rport = y->node.rport;
    t->s.port = port_hold(y->port);
    t->flow_id = queued != NULL
                     ? y->flow_id
                     : flow_pin(ns, y->port, y->node.net, &y->node.laddr, &y->node.raddr, y->node.rport);
    y->flow_id = 0;
    tcb_set_path(t, path);
    tcb_names(t);
    t->iss = y->iss;
    t->snd_una = t->snd_nxt = t->snd_max = t->buf_seq = t->snd_sml = y->iss + 1;
    t->recover = y->iss;
    t->irs = y->irs;
    t->rcv_nxt = t->last_ack_sent = y->irs + 1;
    t->rcv_adv = t->rcv_nxt + (queued != NULL ? y->window : first_window(l, path));
    t->ts_on = y->ts_on;
    t->ts_recent = y->ts_recent;
    t->ts_recent_ns = y->started_ns;
    t->ts_offset = y->ts_offset;
    t->wscale_on = y->wscale_on;
    t->sack_ok = y->sack_ok;
    t->snd_wscale = y->snd_wscale;
    t->rcv_wscale = y->wscale_on ? tcp_rcv_wscale(tcp_rcv_most(l)) : 0;
    t->mss_peer = y->mss_peer;
    t->snd_wnd = t->max_wnd = y->snd_wnd;
    t->snd_wl1 = y->irs;
    t->snd_wl2 = y->iss + 1;
    tcb_set_mss(t);
    tcp_cc_init(t);
    if (queued != NULL && y->retries == 0)
        tcp_rtt_sample(t, ns->now - y->started_ns);
    else if (queued != NULL)
        t->rto_ns = 3 * NS_SEC; /* RFC 6298 5.7 */
    tcb_established(t);
    if (queued != NULL)
        tcp_syn_drop(ns, queued);
    tcp_link(ns, &t->node);
    t->hashed = true;
    tcp_accept_append(l, t);
    tcp_arm_keepalive(t);
    ns->count.tcp_conn_in++;
    return t;
}

void tcp_syn_segment(struct netstack *ns, struct tcp_syn *y, struct tcp_in *in)
{
    struct tcb *t;
    bool stale = y->ts_on && in->ts_on && (int32_t)(in->tsval - y->ts_recent) < 0;

    if (in->flags & TCP_RST) {
        if (in->seq == y->irs + 1) {
            ns->count.tcp_rst_in++;
            tcp_syn_drop(ns, y);
        }
        return;
    }
    if (in->flags & TCP_SYN) { /* repeated, or one that must prove itself (RFC 5961 4.2) */
        if (!(in->flags & TCP_ACK))
            tcp_send_syn_ack(ns, y);
        return;
    }
    if (!(in->flags & TCP_ACK) || stale)
        return;
    if (in->ack != y->iss + 1) {
        tcp_reset_for(ns, in);
        return;
    }
    if (seq_lt(in->seq, y->irs + 1) || seq_gt(in->seq, y->irs + 1 + 65535))
        return;
    if ((t = tcp_establish(ns, y, y)) != NULL)
        tcp_segment(t, in);
}

/* The listener goes: what nobody has accepted is reset. */
void tcp_listener_close(struct tcb *l)
{
    struct netstack *ns = l->s.ns;
    struct tcp_listener *q = l->listener;

    if (l->s.port != NULL && l->s.port->listener == l)
        l->s.port->listener = NULL;
    if (sock_dual(&l->s) && l->s.port4->listener == l)
        l->s.port4->listener = NULL;
    while (q->syn_head != NULL)
        tcp_syn_drop(ns, q->syn_head);
    while (q->accept_head != NULL)
        tcb_abort(q->accept_head, 0, true);
    l->listener = NULL;
    ns_free(ns, q);
}
