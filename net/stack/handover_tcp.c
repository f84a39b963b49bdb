/* SPDX-License-Identifier: MIT
 *
 * net/stack/handover_tcp.c: one TCP connection, written down and made again
 * (slipway/handover.h).
 *
 * Owns: nothing. Called by handover.c. A record that comes in is judged whole
 * before a connection is made of it: what follows may rely on what tcp.h says of
 * a struct tcb.
 */
#include <net/stack/tcp.h>
#include <slipway/handover.h>

#define BUF_MAX   (4u * 1024 * 1024) /* sockopt.c's */
#define AGE_MAX   (365ull * 24 * 3600 * NS_SEC)
#define TIMER_MAX (48ull * 24 * 3600 * NS_SEC) /* keep-alive may be set to 32767 s */

static uint64_t padded(uint64_t n)
{
    return (n + 7) & ~7ull;
}

bool tcp_exportable(const struct tcb *t)
{
    return t->state >= TCP_SYN_RCVD && t->state <= TCP_FIN_WAIT_2 &&
           t->post == NULL; /* text in the application's own buffer cannot be told apart */
}

uint64_t tcp_export_bytes(const struct tcb *t)
{
    uint64_t n =
        sizeof(struct handover) + sizeof(struct handover_tcp) + padded(t->rcv.bytes) + padded(t->snd.bytes);

    for (const struct ooo *o = t->ooo; o != NULL; o = o->next)
        n += sizeof(struct handover_piece) + padded(o->q.bytes);
    return n;
}

/* --- out ----------------------------------------------------------------------------- */
static uint64_t age(uint64_t now, uint64_t then)
{
    return now > then ? now - then : 0;
}

static uint64_t left(uint64_t now, const struct ns_timer *t)
{
    return !timer_armed(t) ? HANDOVER_NEVER : t->when > now ? t->when - now : 0;
}

static uint32_t flags_of(const struct tcb *t)
{
    return (t->ts_on ? HANDOVER_TCPF_TS : 0) | (t->sack_ok ? HANDOVER_TCPF_SACK : 0) |
           (t->wscale_on ? HANDOVER_TCPF_WSCALE : 0) | (t->nodelay ? HANDOVER_TCPF_NODELAY : 0) |
           (t->keepalive ? HANDOVER_TCPF_KEEPALIVE : 0) | (t->rd_eof ? HANDOVER_TCPF_RD_EOF : 0) |
           (t->fin_queued ? HANDOVER_TCPF_FIN_QUEUED : 0) | (t->fin_seen ? HANDOVER_TCPF_FIN_SEEN : 0) |
           (t->ack_now ? HANDOVER_TCPF_ACK_NOW : 0) | (t->in_recovery ? HANDOVER_TCPF_RECOVERY : 0) |
           (t->partial_seen ? HANDOVER_TCPF_PARTIAL : 0) | (t->persisting ? HANDOVER_TCPF_PERSIST : 0) |
           (t->syn_repeated ? HANDOVER_TCPF_SYN_REPEATED : 0) |
           (t->snd_auto ? 0 : HANDOVER_TCPF_SNDBUF_FIXED) | (t->rcv_auto ? 0 : HANDOVER_TCPF_RCVBUF_FIXED);
}

static void put_times(const struct tcb *t, struct handover_tcp *r)
{
    uint64_t now = t->s.ns->now;

    r->ts_now = tcp_ts_now(t->s.ns, t->ts_offset);
    r->rto_ns = t->rto_ns;
    r->ts_recent_age_ns = age(now, t->ts_recent_ns);
    r->progress_age_ns = age(now, t->progress_ns);
    r->heard_age_ns = age(now, t->heard_ns);
    r->sent_age_ns = age(now, t->sent_ns);
    r->opened_age_ns = age(now, t->opened_ns);
    r->rtx_ns = left(now, &t->rtx);
    if (timer_armed(&t->rtx) && t->rc.rtx_kind != RTX_RTO)
        r->rtx_ns = t->rc.rto_at > now ? t->rc.rto_at - now : 0; /* what it waited for before stays here */
    r->delack_ns = left(now, &t->delack);
    r->misc_ns = left(now, &t->misc);
}

static void put_state(const struct tcb *t, struct handover_tcp *r)
{
    *r = (struct handover_tcp){
        .state = t->state, .snd_wscale = t->snd_wscale, .rcv_wscale = t->rcv_wscale,
        .backoff = t->backoff, .probes = t->probes, .dupacks = t->dupacks,
        .ack_pending = t->ack_pending, .flags = flags_of(t), .mss_peer = t->mss_peer,
        .path_mtu = t->path.mtu,
        .iss = t->iss, .snd_una = t->snd_una, .snd_nxt = t->snd_nxt, .snd_max = t->snd_max,
        .snd_wnd = t->snd_wnd, .snd_wl1 = t->snd_wl1, .snd_wl2 = t->snd_wl2, .max_wnd = t->max_wnd,
        .snd_sml = t->snd_sml, .buf_seq = t->buf_seq,
        .irs = t->irs, .rcv_nxt = t->rcv_nxt, .rcv_adv = t->rcv_adv, .last_ack_sent = t->last_ack_sent,
        .fin_at = t->fin_at, .ts_recent = t->ts_recent,
        .srtt_us = t->srtt_us, .rttvar_us = t->rttvar_us, .cwnd = t->cwnd, .ssthresh = t->ssthresh,
        .recover = t->recover, .cc_acked = t->cc_acked, .retransmits = t->retransmits,
        .sndbuf_limit = t->sndbuf_limit, .rcvbuf_limit = t->rcvbuf_limit, .keep_idle_s = t->keep_idle_s,
        .keep_interval_s = t->keep_interval_s, .keep_probes = t->keep_probes, .linger_s = t->linger_s,
        .user_timeout_ms = t->user_timeout_ms,
        .rcv_bytes = t->rcv.bytes, .snd_bytes = t->snd.bytes, .pieces = t->ooo_n,
    };
    for (unsigned i = 0; i < sizeof(r->cc) && t->cc->name[i] != 0; i++)
        r->cc[i] = t->cc->name[i];
    memcpy(r->cc_priv, t->cc_priv, sizeof(r->cc_priv));
    put_times(t, r);
}

/* h has room for tcp_export_bytes(t) zeroed bytes. */
void tcp_export(struct tcb *t, struct handover *h)
{
    struct handover_tcp *r = (struct handover_tcp *)(h + 1);
    uint8_t *p = (uint8_t *)(r + 1);

    handover_head(&t->s, h, HANDOVER_TCP, tcp_export_bytes(t));
    h->laddr = t->node.laddr;
    h->raddr = t->node.raddr;
    h->lport = t->node.lport;
    h->rport = t->node.rport;
    handover_name(h, t->node.net);
    h->flags |= (tcb_orphan(t) ? HANDOVERF_ORPHAN : 0) | (t->rd_shut ? HANDOVERF_RD_SHUT : 0);
    put_state(t, r);
    bufq_peek(&t->rcv, 0, p, t->rcv.bytes);
    p += padded(t->rcv.bytes);
    if (t->snd.bytes != 0)
        sndbuf_copy(t->s.ns, &t->snd, 0, p, t->snd.bytes);
    p += padded(t->snd.bytes);
    for (const struct ooo *o = t->ooo; o != NULL; o = o->next) {
        *(struct handover_piece *)(void *)p = (struct handover_piece){o->seq, o->q.bytes};
        p += sizeof(struct handover_piece);
        bufq_peek(&o->q, 0, p, o->q.bytes);
        p += padded(o->q.bytes);
    }
}

void tcp_forget(struct tcb *t) /* C-MOVE-2 */
{
    t->flow_id = 0; /* the registry's entry goes with the connection */
    t->s.closed = true;
    t->s.user = NULL;
    tcb_end(t);
}

/* --- is a record sound? ---------------------------------------------------------------- */
static bool has(const struct handover_tcp *r, uint32_t flag)
{
    return (r->flags & flag) != 0;
}

static bool send_side_sound(const struct handover_tcp *r)
{
    bool fin = has(r, HANDOVER_TCPF_FIN_QUEUED), open = r->state == TCP_SYN_RCVD;
    uint32_t end = r->buf_seq + r->snd_bytes + (fin ? 1 : 0);
    /* What is acknowledged has left the buffer; only a SYN and a FIN lie outside it. */
    bool start = open ? r->snd_una == r->iss && r->buf_seq == r->iss + 1 && r->snd_max == r->buf_seq
                      : r->buf_seq == r->snd_una ||
                            (fin && r->snd_bytes == 0 && r->snd_una == r->buf_seq + 1);

    if (fin != (r->state >= TCP_FIN_WAIT_1) && !(fin && open))
        return false;
    /* A probe carries the first byte that waits, or the FIN. */
    if (has(r, HANDOVER_TCPF_PERSIST) && (open || r->snd_una == end))
        return false;
    return start && r->snd_bytes <= BUF_MAX && seq_leq(r->snd_una, r->snd_nxt) &&
           seq_leq(r->snd_nxt, r->snd_max) && seq_leq(r->snd_max, end) && seq_geq(r->snd_sml, r->snd_una) &&
           seq_leq(r->snd_sml, r->snd_max + 1) && r->snd_wnd <= 65535u << r->snd_wscale &&
           r->max_wnd <= 65535u << r->snd_wscale && r->sndbuf_limit <= BUF_MAX &&
           r->backoff <= 32 && r->cwnd != 0;
}

static bool receive_side_sound(const struct handover_tcp *r)
{
    bool eof = has(r, HANDOVER_TCPF_RD_EOF);
    bool late = r->state == TCP_CLOSE_WAIT || r->state == TCP_CLOSING || r->state == TCP_LAST_ACK;

    if (eof != late || r->pieces > TCP_OOO_MAX || r->rcv_bytes > 2 * BUF_MAX || r->rcvbuf_limit > BUF_MAX)
        return false;
    if (has(r, HANDOVER_TCPF_FIN_SEEN) && seq_lt(r->fin_at, r->rcv_nxt))
        return false;
    return r->rcv_adv - r->rcv_nxt <= 65535u << TCP_WSCALE_MAX ||
           r->rcv_nxt - r->rcv_adv <= 1; /* a FIN may stand beyond the window */
}

static bool times_sound(const struct handover_tcp *r)
{
    const uint64_t timers[] = {r->rtx_ns, r->delack_ns, r->misc_ns};
    const uint64_t ages[] = {r->ts_recent_age_ns, r->progress_age_ns, r->heard_age_ns, r->sent_age_ns,
                             r->opened_age_ns};

    for (unsigned i = 0; i < sizeof(timers) / sizeof(timers[0]); i++)
        if (timers[i] != HANDOVER_NEVER && timers[i] > TIMER_MAX)
            return false;
    for (unsigned i = 0; i < sizeof(ages) / sizeof(ages[0]); i++)
        if (ages[i] > AGE_MAX)
            return false;
    return r->rto_ns >= NS_MS && r->rto_ns <= TCP_RTO_MAX;
}

/* The pieces lie inside the record and inside the window. */
static bool pieces_sound(const struct handover_tcp *r, const uint8_t *p, const uint8_t *end)
{
    for (uint32_t i = 0; i < r->pieces; i++) {
        struct handover_piece piece;

        if ((size_t)(end - p) < sizeof(piece))
            return false;
        memcpy(&piece, p, sizeof(piece));
        p += sizeof(piece);
        if (piece.len > (size_t)(end - p) || padded(piece.len) > (size_t)(end - p) || piece.len == 0 ||
            !seq_gt(piece.seq, r->rcv_nxt) || piece.len > r->rcv_adv - piece.seq)
            return false;
        p += padded(piece.len);
    }
    return p == end;
}

static bool record_sound(const struct handover *h)
{
    const struct handover_tcp *r = (const struct handover_tcp *)(h + 1);
    uint64_t fixed = sizeof(*h) + sizeof(*r);

    if (h->bytes < fixed || h->lport == 0 || h->rport == 0 || addr_any(&h->laddr) || addr_any(&h->raddr))
        return false;
    if (r->state < TCP_SYN_RCVD || r->state > TCP_FIN_WAIT_2 || (r->flags & ~HANDOVER_TCPF_KNOWN) != 0 ||
        r->snd_wscale > TCP_WSCALE_MAX || r->rcv_wscale > TCP_WSCALE_MAX || r->path_mtu < 68)
        return false;
    if (!send_side_sound(r) || !receive_side_sound(r) || !times_sound(r))
        return false;
    fixed += padded(r->rcv_bytes) + padded(r->snd_bytes);
    return fixed <= h->bytes &&
           pieces_sound(r, (const uint8_t *)h + fixed, (const uint8_t *)h + h->bytes); /* C-MOVE-1 */
}

/* --- in ------------------------------------------------------------------------------------ */
static uint64_t past(uint64_t now, uint64_t age_ns)
{
    return now > age_ns ? now - age_ns : 0;
}

static void arm(struct netstack *ns, struct ns_timer *t, uint64_t base, uint64_t left_ns)
{
    if (left_ns != HANDOVER_NEVER)
        timer_set(ns, t, base + left_ns);
}

static void take_flags(struct tcb *t, const struct handover *h, const struct handover_tcp *r)
{
    t->ts_on = has(r, HANDOVER_TCPF_TS);
    t->sack_ok = has(r, HANDOVER_TCPF_SACK);
    t->wscale_on = has(r, HANDOVER_TCPF_WSCALE);
    t->nodelay = has(r, HANDOVER_TCPF_NODELAY);
    t->keepalive = has(r, HANDOVER_TCPF_KEEPALIVE);
    t->snd_auto = !has(r, HANDOVER_TCPF_SNDBUF_FIXED);
    t->rcv_auto = !has(r, HANDOVER_TCPF_RCVBUF_FIXED);
    t->rd_eof = has(r, HANDOVER_TCPF_RD_EOF);
    t->fin_queued = has(r, HANDOVER_TCPF_FIN_QUEUED);
    t->fin_seen = has(r, HANDOVER_TCPF_FIN_SEEN);
    t->ack_now = has(r, HANDOVER_TCPF_ACK_NOW);
    t->in_recovery = has(r, HANDOVER_TCPF_RECOVERY);
    t->partial_seen = has(r, HANDOVER_TCPF_PARTIAL);
    t->persisting = has(r, HANDOVER_TCPF_PERSIST);
    t->syn_repeated = has(r, HANDOVER_TCPF_SYN_REPEATED);
    t->rd_shut = (h->flags & HANDOVERF_RD_SHUT) != 0;
    t->s.closed = (h->flags & HANDOVERF_ORPHAN) != 0;
    t->s.reuseaddr = (h->flags & HANDOVERF_REUSEADDR) != 0;
    t->s.error = h->error > 0 && h->error < 4096 ? h->error : 0;
}

static void take_sequence(struct tcb *t, const struct handover_tcp *r)
{
    t->state = r->state;
    t->snd_wscale = r->snd_wscale;
    t->rcv_wscale = r->rcv_wscale;
    t->backoff = r->backoff;
    t->probes = r->probes;
    t->dupacks = r->dupacks;
    t->ack_pending = r->ack_pending;
    t->iss = r->iss;
    t->snd_una = r->snd_una;
    t->snd_nxt = r->snd_nxt;
    t->snd_max = r->snd_max;
    t->snd_wnd = r->snd_wnd;
    t->snd_wl1 = r->snd_wl1;
    t->snd_wl2 = r->snd_wl2;
    t->max_wnd = r->max_wnd;
    t->snd_sml = r->snd_sml;
    t->buf_seq = r->buf_seq;
    t->irs = r->irs;
    t->rcv_nxt = r->rcv_nxt;
    t->rcv_adv = r->rcv_adv;
    t->last_ack_sent = r->last_ack_sent;
    t->fin_at = r->fin_at;
}

/* How fast one may send: the algorithm goes on where it was, if it is known here. */
static void take_congestion(struct tcb *t, const struct handover_tcp *r)
{
    const struct tcp_cc *cc = tcp_cc_by_name(r->cc, sizeof(r->cc));

    t->srtt_us = r->srtt_us;
    t->rttvar_us = r->rttvar_us;
    t->rto_ns = r->rto_ns;
    t->retransmits = r->retransmits;
    if (cc != NULL) {
        t->cc = cc;
        memcpy(t->cc_priv, r->cc_priv, sizeof(t->cc_priv));
    }
    t->cwnd = r->cwnd < t->snd_mss ? t->snd_mss : r->cwnd < (1u << 30) ? r->cwnd : 1u << 30;
    t->ssthresh = r->ssthresh > 2u * t->snd_mss ? r->ssthresh : 2u * t->snd_mss;
    t->recover = r->recover;
    t->cc_acked = r->cc_acked;
}

/* `base`: the moment of the snapshot on our clock. */
static void take_times(struct tcb *t, const struct handover_tcp *r, uint64_t base)
{
    t->ts_offset = r->ts_now - (uint32_t)(base / NS_MS);
    t->ts_recent = r->ts_recent;
    t->ts_recent_ns = past(base, r->ts_recent_age_ns);
    t->progress_ns = past(base, r->progress_age_ns);
    t->heard_ns = past(base, r->heard_age_ns);
    t->sent_ns = past(base, r->sent_age_ns);
    t->opened_ns = past(base, r->opened_age_ns);
}

static void take_options(struct tcb *t, const struct handover *h, const struct handover_tcp *r)
{
    t->s.ttl = h->ttl != 0 ? h->ttl : 64;
    t->s.tos = h->tos & 0xfc; /* ECN is not ours to claim */
    t->mss_peer = r->mss_peer;
    t->sndbuf_limit = r->sndbuf_limit;
    t->rcvbuf_limit = r->rcvbuf_limit;
    t->keep_idle_s = r->keep_idle_s;
    t->keep_interval_s = r->keep_interval_s;
    t->keep_probes = r->keep_probes;
    t->linger_s = r->linger_s;
    t->user_timeout_ms = r->user_timeout_ms & INT32_MAX;
}

/* All of it, or false: no room. */
static bool take_data(struct tcb *t, const struct handover_tcp *r)
{
    struct netstack *ns = t->s.ns;
    const uint8_t *p = (const uint8_t *)(r + 1);

    if (r->rcv_bytes != 0 && !bufq_put(ns, &t->rcv, p, r->rcv_bytes))
        return false;
    p += padded(r->rcv_bytes);
    if (r->snd_bytes != 0 && sndbuf_put(ns, &t->snd, t, p, r->snd_bytes) != r->snd_bytes)
        return false;
    p += padded(r->snd_bytes);
    for (uint32_t i = 0; i < r->pieces; i++) {
        struct handover_piece piece;

        memcpy(&piece, p, sizeof(piece));
        p += sizeof(piece);
        tcp_ooo_put(t, piece.seq, p, piece.len); /* what has no room is sent again */
        p += padded(piece.len);
    }
    return true;
}

/* Nobody holds it who could close it: a timer must be there to end it, whatever
 * the record says. */
static void bound_orphan(struct tcb *t)
{
    uint64_t now = t->s.ns->now;

    t->user_timeout_ms = 0;
    if (t->state == TCP_FIN_WAIT_2 && t->misc.when > now + TCP_ORPHAN_LIMIT)
        timer_set(t->s.ns, &t->misc, now + TCP_ORPHAN_LIMIT);
    else if (t->state != TCP_FIN_WAIT_2 && !timer_armed(&t->rtx))
        timer_set(t->s.ns, &t->rtx, now + tcp_rto(t));
}

static void resume(struct tcb *t, const struct handover_tcp *r, uint64_t base)
{
    struct netstack *ns = t->s.ns;

    tcp_link(ns, &t->node);
    t->hashed = true;
    arm(ns, &t->rtx, base, r->rtx_ns);
    t->rc.rto_at = t->rtx.when;
    tcp_rec_rebuild(t);
    arm(ns, &t->delack, base, r->delack_ns);
    arm(ns, &t->misc, base, r->misc_ns);
    tcp_output(t);
    if (tcb_orphan(t))
        bound_orphan(t);
}

int tcp_import(struct netstack *ns, const struct handover *h, uint32_t flow_id, struct tcb **out)
{
    const struct handover_tcp *r = (const struct handover_tcp *)(h + 1);
    static const uint8_t no_secret[NET_SECRET_BYTES];
    uint64_t base = h->taken_ns <= ns->now ? h->taken_ns : ns->now;
    uint32_t net = handover_net(h);
    const struct ip_path *path;
    struct tcb *t;
    int err;

    if (!record_sound(h))
        return -EINVAL;
    if (tcp_lookup(ns, net, &h->laddr, &h->raddr, h->lport, h->rport) != NULL)
        return -EADDRINUSE;
    err = ip_route(ns, net, &h->raddr, &path);
    if (err != 0)
        return err;
    t = tcb_new(ns, net);
    if (t == NULL)
        return ns->nsocks >= ns->cfg.sockets_max ? -EMFILE : -ENOMEM;
    t->s.family = h->family;
    t->node.laddr = h->laddr;
    t->node.raddr = h->raddr;
    t->node.lport = h->lport;
    t->node.rport = h->rport;
    t->s.port = port_adopt(ns, net_family(net), NET_TCP, &h->laddr, h->lport, no_secret, false);
    t->s.v6only = (h->flags & HANDOVERF_V6ONLY) != 0;
    take_options(t, h, r);
    tcb_set_path(t, path);
    t->rcvbuf_limit = r->rcvbuf_limit;
    if (r->path_mtu < t->path.mtu) {
        t->path.mtu = r->path_mtu;
        ip_route_mtu(ns, net, &t->node.raddr, r->path_mtu); /* here, too, it grows old */
    }
    take_flags(t, h, r);
    take_sequence(t, r);
    tcb_set_mss(t);
    take_times(t, r, base);
    tcp_recovery_init(t);
    take_congestion(t, r);
    tcb_names(t);
    if (t->s.port == NULL || !take_data(t, r)) { /* the record is still whole */
        tcp_forget(t);
        sock_reap(ns);
        return -ENOMEM;
    }
    t->flow_id = flow_id;
    resume(t, r, base);
    *out = t;
    return 0;
}
