/* SPDX-License-Identifier: MIT
 *
 * net/stack/tcp_conn.c: a connection from creation to its end; the table of
 * 4-tuples; TIME_WAIT.
 *
 * Owns: ns->conn, the TIME_WAIT list. The table is keyed by secret random
 * numbers (NH, the universal hash of UMAC), so that nobody can aim at one
 * bucket. A TIME_WAIT is a small record of its own, not a whole connection.
 */
#include <net/stack/tcp.h>
#include <slipway/siphash.h>

/* --- the table --------------------------------------------------------------- */
uint32_t tcp_hash(const struct netstack *ns, const struct net_addr *l, const struct net_addr *r,
                  uint16_t lport, uint16_t rport)
{
    const uint32_t *k = ns->hash_key;
    uint32_t a[4], b[4];
    uint64_t h;

    __builtin_memcpy(a, l, 16);
    __builtin_memcpy(b, r, 16);
    h = (uint64_t)(uint32_t)(a[0] + k[0]) * (uint32_t)(b[0] + k[1]);
    h += (uint64_t)(uint32_t)(((uint32_t)lport << 16 | rport) + k[2]) * k[3];
    if ((a[3] | b[3]) != 0)
        for (int i = 1; i < 4; i++)
            h += (uint64_t)(uint32_t)(a[i] + k[2 * i + 2]) * (uint32_t)(b[i] + k[2 * i + 3]);
    return (uint32_t)(h >> 32) ^ (uint32_t)h;
}

struct tcp_node *tcp_lookup(struct netstack *ns, uint32_t net, const struct net_addr *l,
                            const struct net_addr *r, uint16_t lport, uint16_t rport)
{
    uint32_t h = tcp_hash(ns, l, r, lport, rport);

    for (struct tcp_node *n = ns->conn[h & ns->conn_mask]; n != NULL; n = n->next)
        if (n->hash == h && n->lport == lport && n->rport == rport && n->net == net && /* C-SIX-4 */
            addr_equal(&n->raddr, r) && addr_equal(&n->laddr, l))
            return n;
    return NULL;
}

static void table_grow(struct netstack *ns)
{
    uint32_t size = (ns->conn_mask + 1) * 2;
    struct tcp_node **bigger = ns_alloc(ns, size * sizeof(*bigger));

    if (bigger == NULL)
        return; /* longer chains, still right */
    for (uint32_t i = 0; i <= ns->conn_mask; i++) {
        struct tcp_node *n = ns->conn[i];
        while (n != NULL) {
            struct tcp_node *next = n->next;
            n->next = bigger[n->hash & (size - 1)];
            bigger[n->hash & (size - 1)] = n;
            n = next;
        }
    }
    ns_free(ns, ns->conn);
    ns->conn = bigger;
    ns->conn_mask = size - 1;
}

void tcp_link(struct netstack *ns, struct tcp_node *n)
{
    struct tcp_node **b;

    if (ns->conn_n > ns->conn_mask)
        table_grow(ns);
    n->hash = tcp_hash(ns, &n->laddr, &n->raddr, n->lport, n->rport);
    b = &ns->conn[n->hash & ns->conn_mask];
    n->next = *b;
    *b = n;
    ns->conn_n++;
}

void tcp_unlink(struct netstack *ns, struct tcp_node *n)
{
    for (struct tcp_node **b = &ns->conn[n->hash & ns->conn_mask]; *b != NULL; b = &(*b)->next) {
        if (*b == n) {
            *b = n->next;
            ns->conn_n--;
            return;
        }
    }
}

/* --- numbers that must not be guessed ---------------------------------------- */
static uint64_t tuple_hash(const struct ns_port *port, const struct tcp_node *n, uint8_t purpose)
{
    uint8_t b[37];

    memcpy(b, &n->laddr, 16);
    memcpy(b + 16, &n->raddr, 16);
    put16(b + 32, n->lport);
    put16(b + 34, n->rport);
    b[36] = purpose;
    return siphash24(port->secret, b, sizeof(b));
}

/* RFC 6528: a clock that ticks every 4 us plus a keyed hash of the 4-tuple. */
uint32_t tcp_new_iss(struct netstack *ns, const struct ns_port *port, const struct tcp_node *n)
{
    return (uint32_t)(ns->now / 4000) + (uint32_t)tuple_hash(port, n, 'i'); /* C-TCP-1 */
}

uint32_t tcp_new_ts_offset(const struct ns_port *port, const struct tcp_node *n)
{
    return (uint32_t)tuple_hash(port, n, 't');
}

uint8_t tcp_rcv_wscale(uint32_t rcvbuf)
{
    uint8_t s = 0;

    if (rcvbuf < 1024 * 1024)
        rcvbuf = 1024 * 1024; /* the scale is fixed for life: leave room to grow */
    while (s < TCP_WSCALE_MAX && (65535ull << s) < rcvbuf)
        s++;
    return s;
}

/* --- a connection's life ------------------------------------------------------ */
struct tcb *tcb_new(struct netstack *ns, uint32_t net)
{
    struct tcb *t;

    if (timer_reserve(ns, TCB_TIMERS) != 0)
        return NULL;
    t = ns_alloc(ns, sizeof(*t));
    if (t == NULL) {
        timer_release(ns, TCB_TIMERS);
        return NULL;
    }
    t->s.ns = ns;
    t->s.type = NS_STREAM;
    t->s.proto = NET_TCP;
    t->s.family = net_family(net);
    t->s.ttl = 64;
    if (sock_add(ns, &t->s) != 0) {
        timer_release(ns, TCB_TIMERS);
        ns_free(ns, t);
        return NULL;
    }
    t->node.kind = NODE_TCB;
    t->node.net = net;
    t->state = TCP_CLOSED;
    t->sndbuf_limit = ns->cfg.tcp_sndbuf;
    t->rcvbuf_limit = ns->cfg.tcp_rcvbuf;
    t->snd_auto = ns->cfg.tcp_sndbuf_max > ns->cfg.tcp_sndbuf;
    t->rcv_auto = ns->cfg.tcp_rcvbuf_max > ns->cfg.tcp_rcvbuf;
    t->rto_ns = TCP_RTO_INITIAL;
    t->line_blk = NS_NONE;
    t->mss_peer = tcp_mss_default(net);
    t->linger_s = -1;
    t->keep_idle_s = TCP_KEEP_IDLE_S;
    t->keep_interval_s = TCP_KEEP_INTERVAL_S;
    t->keep_probes = TCP_KEEP_PROBES;
    t->cc = &tcp_cc_cubic;
    sndbuf_init(&t->snd);
    tcp_timers_init(t);
    return t;
}

/* What a peer may send ahead: on a slow line no more than it carries in four
 * seconds, or everything else on that line would wait so long. */
uint32_t tcp_line_window(const struct ip_path *path, uint32_t limit)
{
    uint64_t line = (uint64_t)path->speed_bps / 8 * 4;

    if (path->speed_bps == 0 || line >= limit)
        return limit;
    return line > 2 * (uint64_t)path->mtu ? (uint32_t)line : 2u * path->mtu;
}

/* Addresses are known: prepare what every segment's header repeats. */
void tcb_set_path(struct tcb *t, const struct ip_path *path)
{
    uint8_t h[20];

    t->path = *path;
    t->ip_bytes = (uint8_t)ip_header_bytes(t->node.net);
    if (net_family(t->node.net) == NET_INET6) {
        t->label = ip6_label(t->s.ns, &t->node.laddr, &t->node.raddr, t->node.lport, t->node.rport) |
                   (uint32_t)t->s.tos << 20;
    } else {
        ip4_header(h, 0, 0, IP4_DF, t->s.ttl, NET_TCP, &t->node.laddr, &t->node.raddr);
        h[1] = t->s.tos;
        h[10] = h[11] = 0;
        t->label = 0x45000000u | (uint32_t)t->s.tos << 16;
        t->ip_sum = csum_20(h);
    }
    t->rcvbuf_limit = tcp_line_window(path, t->rcvbuf_limit);
    t->pseudo = ip_pseudo(net_family(t->node.net), NET_TCP, &t->node.laddr, &t->node.raddr);
    /* On a slow line a segment needs its time: two full ones each way. */
    if (path->speed_bps != 0)
        t->rto_ns = TCP_RTO_INITIAL + (uint64_t)path->mtu * 40 * NS_SEC / path->speed_bps;
    if (t->rto_ns > TCP_RTO_MAX)
        t->rto_ns = TCP_RTO_MAX;
}

/* RFC 9293 3.7.1: the smaller of what the peer takes and what the path carries,
 * less our own options. */
void tcb_set_mss(struct tcb *t)
{
    uint32_t hdr = t->ip_bytes + 20u;
    uint32_t path = t->path.mtu > hdr + TCP_MSS_MIN ? t->path.mtu - hdr : TCP_MSS_MIN;
    uint32_t mss = t->mss_peer < path ? t->mss_peer : path;

    if (mss < TCP_MSS_MIN)
        mss = TCP_MSS_MIN;
    if (mss > TCP_MSS_MAX)
        mss = TCP_MSS_MAX;
    t->snd_mss = (uint16_t)(mss - (t->ts_on ? 12 : 0));
}

static void name_set(struct ns_addr *a, uint32_t net, uint16_t port, const struct net_addr *addr)
{
    a->family = net_family(net);
    a->scope = addr_scoped(a->family, addr) ? net_scope(net) : 0;
    a->port = port;
    a->addr = *addr;
}

void tcb_names(struct tcb *t)
{
    name_set(&t->s.local, t->node.net, t->node.lport, &t->node.laddr);
    name_set(&t->s.peer, t->node.net, t->node.rport, &t->node.raddr);
}

void tcb_established(struct tcb *t)
{
    t->state = TCP_ESTABLISHED;
    t->progress_ns = t->heard_ns = t->s.ns->now;
    tcp_recovery_init(t);
}

/* The socket's own claim on the port's name ends; connections keep the port. */
void tcb_unbind(struct tcb *t)
{
    if (t->s.bound && t->s.port != NULL)
        t->s.port->binders--;
    if (t->s.bound && sock_dual(&t->s))
        t->s.port4->binders--;
    t->s.bound = false;
}

/* Leaves every table; data that nobody can read or send any more goes. */
void tcb_end(struct tcb *t)
{
    struct netstack *ns = t->s.ns;

    if (t->hashed) {
        tcp_unlink(ns, &t->node);
        t->hashed = false;
    }
    if (t->parent != NULL)
        tcp_accept_remove(t);
    timer_stop(&t->rtx);
    timer_stop(&t->delack);
    timer_stop(&t->misc);
    sndbuf_free(ns, &t->snd);
    tcp_rec_forget(t);
    tcp_ooo_free(t);
    t->state = TCP_CLOSED;
    t->ack_now = false;
    tcb_unbind(t);
    flow_unpin(ns, t->s.port, t->flow_id);
    t->flow_id = 0;
    sock_drop_ports(&t->s);
    sock_changed(&t->s);
    if (t->s.closed)
        sock_remove(&t->s);
}

void tcb_abort(struct tcb *t, int err, bool rst)
{
    if (rst)
        tcp_send_rst(t);
    if (err != 0)
        t->s.error = err;
    t->rd_eof = true;
    tcb_end(t);
}

void tcb_free(struct tcb *t)
{
    struct netstack *ns = t->s.ns;

    if (t->in_outq) {
        for (struct tcb **q = &ns->outq; *q != NULL; q = &(*q)->outq_next) {
            if (*q == t) {
                *q = t->outq_next;
                break;
            }
        }
    }
    timer_remove(ns, &t->rtx);
    timer_remove(ns, &t->delack);
    timer_remove(ns, &t->misc);
    timer_release(ns, TCB_TIMERS);
    tcp_rec_forget(t);
    tcp_rcvbuf_end(t);
    bufq_free(ns, &t->rcv);
    tcp_ooo_free(t);
    ns_free(ns, t);
}

/* --- TIME_WAIT ----------------------------------------------------------------- */
static void tw_append(struct netstack *ns, struct tcp_tw *w)
{
    w->expires_ns = ns->now + (uint64_t)ns->cfg.time_wait_ms * NS_MS;
    w->next = NULL;
    w->prev = ns->tw_tail;
    if (ns->tw_tail != NULL) {
        ns->tw_tail->next = w;
    } else {
        ns->tw_head = w;
        timer_set(ns, &ns->tw_timer, w->expires_ns);
    }
    ns->tw_tail = w;
}

static void tw_detach(struct netstack *ns, struct tcp_tw *w)
{
    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        ns->tw_head = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
    else
        ns->tw_tail = w->prev;
}

void tw_free(struct netstack *ns, struct tcp_tw *w)
{
    tw_detach(ns, w);
    tcp_unlink(ns, &w->node);
    ns->tw_n--;
    flow_unpin(ns, w->port, w->flow_id);
    port_drop(ns, w->port);
    ns_free(ns, w);
}

/* All wait equally long, so the list is in order and one timer serves it. */
void tw_timer(struct netstack *ns, struct ns_timer *t)
{
    while (ns->tw_head != NULL && ns->tw_head->expires_ns <= ns->now)
        tw_free(ns, ns->tw_head);
    if (ns->tw_head != NULL)
        timer_set(ns, t, ns->tw_head->expires_ns);
}

void tcb_time_wait(struct tcb *t)
{
    struct netstack *ns = t->s.ns;
    struct tcp_tw *w;
    uint32_t most = ns->cfg.sockets_max > 256 ? ns->cfg.sockets_max : 256;

    if (ns->tw_n >= most)
        tw_free(ns, ns->tw_head); /* the oldest has waited longest */
    w = ns_alloc(ns, sizeof(*w));
    if (w != NULL) {
        w->node = t->node;
        w->node.kind = NODE_TW;
        w->ns = ns;
        w->port = port_hold(t->s.port);
        w->flow_id = t->flow_id;
        t->flow_id = 0;
        w->snd_nxt = t->snd_max;
        w->rcv_nxt = t->rcv_nxt;
        w->ts_on = t->ts_on;
        w->ts_recent = t->ts_recent;
        w->ts_offset = t->ts_offset;
        w->window = (uint16_t)((tcp_window_edge(t) - t->rcv_nxt) >> t->rcv_wscale);
    }
    if (t->ack_now)
        tcp_output(t);
    tcb_end(t);
    t->state = TCP_TIME_WAIT; /* what netstat and getsockopt see while the socket is held */
    if (w != NULL) {
        ns->tw_n++;
        tcp_link(ns, &w->node);
        tw_append(ns, w);
    }
}

static void tw_ack(struct netstack *ns, struct tcp_tw *w)
{
    struct tcp_ctl c;

    memset(&c, 0, sizeof(c));
    c.src = &w->node.laddr;
    c.dst = &w->node.raddr;
    c.sport = w->node.lport;
    c.dport = w->node.rport;
    c.net = w->node.net;
    c.flags = TCP_ACK;
    c.seq = w->snd_nxt;
    c.ack = w->rcv_nxt;
    c.window = w->window;
    if (w->ts_on)
        c.opt_len = tcp_put_ts(c.opt, tcp_ts_now(ns, w->ts_offset), w->ts_recent);
    tcp_send_ctl(ns, &c);
}

/* Can this SYN be no old duplicate of the connection's (RFC 6191 section 2)? */
static bool is_newer(const struct tcp_tw *w, const struct tcp_in *in)
{
    if (w->ts_on && in->ts_on && in->tsval != w->ts_recent)
        return (int32_t)(in->tsval - w->ts_recent) > 0;
    return seq_gt(in->seq, w->rcv_nxt); /* C-TCP-9 */
}

/* RFC 9293 3.10.7.4 and 3.6.1; a RST does not end it early (RFC 1337). */
void tw_input(struct netstack *ns, struct tcp_tw *w, struct tcp_in *in)
{
    if (in->flags & TCP_RST)
        return;
    if ((in->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && is_newer(w, in)) {
        /* A new incarnation: give the 4-tuple up to whoever listens. */
        struct ns_port *p = port_find(ns, in->ip->family, NET_TCP, &in->ip->dst, in->dport);
        uint32_t above = w->snd_nxt;
        if (w->flow_id != 0 && (p == NULL || p->listener == NULL)) {
            tw_free(ns, w); /* who listens is another process: it gets the next try */
            return;
        }
        if (p != NULL && p->listener != NULL) {
            struct tcb *l = p->listener;
            tw_free(ns, w);
            tcp_listen_syn(ns, l, in, above, true);
            return;
        }
    }
    if (in->flags & TCP_FIN) { /* our last ACK was lost: again, and wait anew */
        tw_detach(ns, w);
        tw_append(ns, w);
    } else if (in->len == 0 && !(in->flags & TCP_SYN)) {
        if (in->seq == w->rcv_nxt || ns->now - w->ack_ns < 500 * NS_MS)
            return; /* a plain ACK; or one that could begin a war of ACKs */
    }
    w->ack_ns = ns->now;
    tw_ack(ns, w);
}
