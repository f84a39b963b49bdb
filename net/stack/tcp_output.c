/* SPDX-License-Identifier: MIT
 *
 * net/stack/tcp_output.c: what a connection may send now, and how a segment
 * is built.
 *
 * Owns: snd_nxt, snd_max, rcv_adv. Called after input, by timers and by socket
 * calls; ns->now is fresh. Small segments are copied whole into the header
 * slot (the kernel then reports nothing back); larger ones are sent from the
 * send buffer in place.
 */
#include <net/stack/tcp.h>

/* --- the window that we offer -------------------------------------------------- */
/* Right edge to advertise. It never moves left (C-STATE-3), and moves right only by a
 * worthwhile step (RFC 9293 3.8.6.2.2). */
uint32_t tcp_window_edge(const struct tcb *t)
{
    uint32_t room = tcp_rcv_room(t);
    uint32_t most = 65535u << t->rcv_wscale, step = t->rcvbuf_limit / 2, edge;

    if (step > t->snd_mss)
        step = t->snd_mss;
    if (room > most)
        room = most;
    edge = t->rcv_nxt + room;
    if (seq_lt(edge, t->rcv_adv) || edge - t->rcv_adv < step)
        edge = t->rcv_adv;
    return edge;
}

/* --- building ------------------------------------------------------------------ */
/* `room`: what a full segment would leave for options beyond the time stamp. */
static unsigned put_options(struct tcb *t, uint8_t *p, uint8_t flags, uint32_t room)
{
    uint32_t now = tcp_ts_now(t->s.ns, t->ts_offset);
    unsigned n = 0;

    if (flags & TCP_SYN) {
        bool reply = (flags & TCP_ACK) != 0;
        bool ts = (!reply && !(t->path.flags & LINKF_VJ)) || t->ts_on, ws = !reply || t->wscale_on;
        return tcp_put_syn_options(p, tcp_mss_own(t->node.net, &t->path), ws ? t->rcv_wscale : -1,
                                   !reply || t->sack_ok, ts, now, reply ? t->ts_recent : 0);
    }
    if (t->ts_on)
        n = tcp_put_ts(p, now, t->ts_recent);
    if (t->ooo != NULL || t->dsack_on)
        n += tcp_sack_put(t, p + n, room);
    return n;
}

static void put_header(struct tcb *t, uint8_t *h, uint32_t seq, uint8_t flags, unsigned tcp_len)
{
    uint32_t edge = tcp_window_edge(t), wnd = edge - t->rcv_nxt;
    bool syn = (flags & TCP_SYN) != 0;
    uint8_t shift = syn ? 0 : t->rcv_wscale;

    wnd >>= shift;
    if (wnd > 65535)
        wnd = 65535;
    if (flags & TCP_ACK) {
        uint32_t offered = t->rcv_nxt + (wnd << shift);
        if (seq_gt(offered, t->rcv_adv))
            t->rcv_adv = offered;
        t->last_ack_sent = t->rcv_nxt;
    }
    put16(h, t->node.lport);
    put16(h + 2, t->node.rport);
    put32(h + 4, seq);
    put32(h + 8, flags & TCP_ACK ? t->rcv_nxt : 0);
    h[12] = (uint8_t)(tcp_len / 4 << 4);
    h[13] = flags;
    put16(h + 14, (uint16_t)wnd);
    put32(h + 16, 0); /* checksum, urgent pointer */
}

static void put_ip(struct tcb *t, struct net_tx *tx, uint8_t *h, uint32_t total)
{
    if (t->ip_bytes != 20) {
        ip6_header(h, t->label, total - 40, NET_TCP, t->s.ttl, &t->node.laddr, &t->node.raddr);
        tx->link = net_link(t->node.net);
        return;
    }
    put32(h, t->label | total);
    put32(h + 4, IP4_DF); /* identification 0: never fragmented (RFC 6864) */
    put32(h + 8, (uint32_t)t->s.ttl << 24 | NET_TCP << 16);
    __builtin_memcpy(h + 12, &t->node.laddr, 4);
    __builtin_memcpy(h + 16, &t->node.raddr, 4);
    put16_raw(h + 10, csum_finish(csum_add(t->ip_sum, ns_swap16((uint16_t)total))));
}

/* Book-keeping of a segment that takes up sequence numbers. */
static void note_sent(struct tcb *t, uint32_t seq, uint32_t end)
{
    if (seq_lt(seq, t->snd_max)) { /* Karn: never time what was sent twice */
        t->retransmits++;
        t->s.ns->count.tcp_retransmit++;
        if (t->timing && seq_lt(seq, t->rtt_seq))
            t->timing = false;
    } else if (!t->timing) {
        t->timing = true;
        t->rtt_seq = end;
        t->rtt_start_ns = t->s.ns->now;
    }
    if (t->snd_max == t->snd_una)
        t->progress_ns = t->s.ns->now; /* the give-up clock starts */
    if (seq_gt(end, t->snd_max))
        t->snd_max = end;
    if (t->snd_max - t->snd_una > t->flight_peak[0])
        t->flight_peak[0] = t->snd_max - t->snd_una;
    t->sent_ns = t->s.ns->now;
}

/* The checksum of a segment of tcp_len bytes: the first `here` of them lie at
 * h, and `sum` is that of the rest. To ourselves it may stay partial, nobody will
 * look (slipway/ring.h). */
static void put_checksum(struct tcb *t, struct net_tx *tx, uint8_t *h, uint64_t sum, uint32_t here,
                         uint32_t tcp_len)
{
    uint64_t pseudo = csum_add(t->pseudo, ns_swap16((uint16_t)tcp_len));

    if (t->path.flags & LINKF_LOOPBACK) {
        tx->csum = CSUM_PARTIAL;
        put16_raw(h + 16, csum_fold(pseudo));
    } else {
        put16_raw(h + 16, csum_finish(csum_bytes(csum_add(sum, pseudo), h, here)));
    }
}

int tcp_xmit(struct tcb *t, uint32_t seq, uint32_t len, uint8_t flags)
{
    struct netstack *ns = t->s.ns;
    uint8_t *h;
    struct net_tx *tx = tx_begin(ns, &h);
    unsigned tcp_len, hdr_len, ip = t->ip_bytes;
    uint32_t here;
    uint64_t sum = 0;

    if (tx == NULL)
        return -1;
    here = tcp_len = 20 + put_options(t, h + ip + 20, flags, t->snd_mss > len ? t->snd_mss - len : 0);
    hdr_len = ip + tcp_len;
    if (hdr_len + len <= NET_TX_HDR_MAX) {
        if (len != 0)
            sndbuf_copy(ns, &t->snd, seq - t->buf_seq, h + hdr_len, len);
        here += len;
        tx->hdr_len = (uint16_t)(hdr_len + len);
        tx->cookie = cookie_sock(&t->s);
    } else {
        uint32_t want = len;
        sndbuf_segs(ns, &t->snd, seq - t->buf_seq, &len, tx, t->path.flags & LINKF_LOOPBACK ? NULL : &sum);
        if (len < want)
            flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
        t->line_blk = (uint32_t)tx->cookie;
        t->line_seq = seq;
        t->line_len = len;
        tx->hdr_len = (uint16_t)hdr_len;
    }
    put_header(t, h + ip, seq, flags, tcp_len);
    put_ip(t, tx, h, hdr_len + len);
    put_checksum(t, tx, h + ip, sum, here, tcp_len + len);
    tx_commit(ns, tx);
    ns->count.tcp_out++;
    if (len != 0 || (flags & (TCP_SYN | TCP_FIN)) != 0)
        note_sent(t, seq, seq + len + ((flags & TCP_SYN) != 0) + ((flags & TCP_FIN) != 0));
    if (flags & TCP_ACK) {
        /* What had no room to be reported here follows without text. */
        t->ack_now = t->ooo != NULL && t->sack_ok && len != 0 && tcp_len == 20u + (t->ts_on ? 12 : 0);
        t->ack_pending = 0;
        timer_stop(&t->delack);
    }
    return (int)len;
}

/* --- deciding ------------------------------------------------------------------ */
void tcp_later(struct tcb *t)
{
    if (t->in_outq)
        return;
    t->in_outq = true;
    t->outq_next = t->s.ns->outq;
    t->s.ns->outq = t;
}

/* Is a segment of `len` bytes worth sending? Nagle (RFC 9293 3.7.4) in
 * Minshall's form: only an unacknowledged small segment holds the next small
 * one back; and the sender's side of silly-window avoidance (3.8.6.2.1). */
static bool worth_sending(const struct tcb *t, uint32_t len, uint32_t mss, uint32_t avail, bool fin)
{
    if (len == 0)
        return false;
    if (len == mss || fin || seq_lt(t->snd_nxt, t->snd_max))
        return true;
    if (len == avail && (t->nodelay || seq_leq(t->snd_sml, t->snd_una)))
        return true;
    return len < avail && t->max_wnd != 0 && len >= t->max_wnd / 2;
}

/* Does the segment before still wait for a slow line? Its completion comes here
 * again. Acknowledged is as good as completed: then its blocks belong to others. */
bool tcp_line_busy(const struct tcb *t)
{
    const struct ablk *b;

    if (t->path.speed_bps == 0 || t->path.speed_bps > TCP_SLOW_LINE_BPS || t->line_blk == NS_NONE)
        return false;
    b = &t->s.ns->blk[t->line_blk];
    return b->owner == t && b->refs != 0;
}

static bool may_send_text(const struct tcb *t)
{
    return t->state == TCP_ESTABLISHED || t->state == TCP_CLOSE_WAIT || t->state == TCP_FIN_WAIT_1 ||
           t->state == TCP_CLOSING || t->state == TCP_LAST_ACK;
}

/* How much more may be sent: cwnd bounds what is in the network, the peer's window
 * how far beyond snd_una it may lie. */
static uint32_t usable_window(struct tcb *t)
{
    uint32_t cwnd = t->cwnd, pipe = tcp_pipe(t), ahead = t->snd_nxt - t->snd_una, w;

    if (!t->in_recovery && t->dupacks > 0 && t->dupacks < 3)
        cwnd += t->dupacks * (uint32_t)t->snd_mss; /* limited transmit, RFC 3042 */
    w = cwnd > pipe ? cwnd - pipe : 0;
    if (w < t->snd_mss)
        t->cwnd_full = t->snd_nxt;
    if (w == 0 || t->snd_wnd <= ahead)
        return 0;
    return w < t->snd_wnd - ahead ? w : t->snd_wnd - ahead;
}

/* One segment of new (or, after a time-out, repeated) text. True: go on. */
static bool output_one(struct tcb *t)
{
    uint32_t end = tcp_fin_seq(t), usable = usable_window(t), mss = t->snd_mss;
    uint32_t avail = seq_lt(t->snd_nxt, end) ? end - t->snd_nxt : 0, len = avail;
    uint8_t flags = TCP_ACK;
    uint32_t next;
    bool fin, again = seq_lt(t->snd_nxt, t->snd_max);
    int r;

    if (len > usable)
        len = usable;
    if (t->ooo != NULL)
        mss -= tcp_sack_bytes(t); /* TCP_MSS_MIN leaves room for it */
    if (len > mss)
        len = mss;
    fin = t->fin_queued && seq_leq(t->snd_nxt, end) && len == avail && len < usable;
    if (!worth_sending(t, len, mss, avail, fin) && !(fin && len == 0))
        return false;
    if (t->sack_ok && t->rc.head + t->rc.n == t->rc.room && !tcp_rec_room(t))
        return false;
    if (fin)
        flags |= TCP_FIN;
    if (len != 0 && len == avail)
        flags |= TCP_PSH;
    r = tcp_xmit(t, t->snd_nxt, len, flags);
    if (r < 0) {
        tcp_later(t);
        return false;
    }
    if ((uint32_t)r < mss && r > 0)
        t->snd_sml = t->snd_nxt + (uint32_t)r;
    next = t->snd_nxt + (uint32_t)r + (fin && (uint32_t)r == len ? 1 : 0);
    if (t->sack_ok)
        tcp_rec_push(t, next, again);
    if (t->in_recovery)
        t->rc.prr_out += next - t->snd_nxt;
    t->snd_nxt = next;
    t->persisting = false;
    return true;
}

/* RFC 5681 4.1. */
static void restart_idle(struct tcb *t)
{
    uint32_t iw = tcp_initial_window(t);

    if (t->cwnd > iw)
        t->cwnd = iw;
    if (t->cc->restart != NULL)
        t->cc->restart(t);
}

void tcp_output(struct tcb *t)
{
    struct netstack *ns = t->s.ns;

    if (t->state <= TCP_LISTEN || t->state == TCP_SYN_SENT)
        return;
    if (may_send_text(t)) {
        if (t->snd_max == t->snd_una && t->snd.bytes != 0 && ns->now - t->sent_ns > tcp_rto(t))
            restart_idle(t);
        if (t->rc.lost != 0)
            tcp_repeat_lost(t);
        while (!t->line_full && tcp_unsent(t) && !tcp_line_busy(t) && output_one(t))
            ;
        tcp_arm_rtx(t);
    }
    if (t->ack_now && !t->in_outq && tcp_xmit(t, t->snd_max, 0, TCP_ACK) < 0)
        tcp_later(t);
}

/* --- segments without a connection ---------------------------------------------- */
void tcp_send_ctl(struct netstack *ns, const struct tcp_ctl *c)
{
    uint8_t *h;
    struct net_tx *tx = tx_begin(ns, &h);
    uint32_t tcp_len = 20 + c->opt_len, ip = ip_header_bytes(c->net);
    uint8_t ttl = c->ttl != 0 ? c->ttl : 64;
    uint64_t sum;

    if (tx == NULL)
        return; /* the peer repeats what made us answer */
    if (ip == 20) {
        ip4_header(h, 20 + tcp_len, 0, IP4_DF, ttl, NET_TCP, c->src, c->dst);
        if (c->tos != 0) {
            h[1] = c->tos;
            put16(h + 10, 0);
            put16_raw(h + 10, csum_finish(csum_20(h)));
        }
    } else {
        uint32_t label = ip6_label(ns, c->src, c->dst, c->sport, c->dport) | (uint32_t)c->tos << 20;
        ip6_header(h, label, tcp_len, NET_TCP, ttl, c->src, c->dst);
        tx->link = net_link(c->net);
    }
    h += ip;
    put16(h, c->sport);
    put16(h + 2, c->dport);
    put32(h + 4, c->seq);
    put32(h + 8, c->ack);
    h[12] = (uint8_t)(tcp_len / 4 << 4);
    h[13] = c->flags;
    put16(h + 14, c->window);
    put32(h + 16, 0);
    memcpy(h + 20, c->opt, c->opt_len);
    sum = csum_add(ip_pseudo(net_family(c->net), NET_TCP, c->src, c->dst), ns_swap16((uint16_t)tcp_len));
    put16_raw(h + 16, csum_finish(csum_bytes(sum, h, tcp_len)));
    tx->hdr_len = (uint16_t)(ip + tcp_len);
    tx_commit(ns, tx);
    ns->count.tcp_out++;
}

/* RFC 9293 3.10.7.1: what a segment to nobody is answered with. */
void tcp_reset_for(struct netstack *ns, const struct tcp_in *in)
{
    struct tcp_ctl c;

    if ((in->flags & TCP_RST) || in->ip->multicast)
        return;
    if (!limit_take(ns->now, &ns->rst_limit.tokens, &ns->rst_limit.when_ns, 2000, 500))
        return;
    memset(&c, 0, sizeof(c));
    c.src = &in->ip->dst;
    c.dst = &in->ip->src;
    c.sport = in->dport;
    c.dport = in->sport;
    c.net = in->ip->net;
    if (in->flags & TCP_ACK) {
        c.flags = TCP_RST;
        c.seq = in->ack;
    } else {
        c.flags = TCP_RST | TCP_ACK;
        c.ack = in->seq + in->len + ((in->flags & TCP_SYN) != 0) + ((in->flags & TCP_FIN) != 0);
    }
    ns->count.tcp_rst_out++;
    tcp_send_ctl(ns, &c);
}

void tcp_send_rst(struct tcb *t)
{
    struct tcp_ctl c;

    if (t->state <= TCP_SYN_SENT || t->state == TCP_TIME_WAIT)
        return;
    memset(&c, 0, sizeof(c));
    c.src = &t->node.laddr;
    c.dst = &t->node.raddr;
    c.sport = t->node.lport;
    c.dport = t->node.rport;
    c.net = t->node.net;
    c.flags = TCP_RST | TCP_ACK;
    c.ttl = t->s.ttl;
    c.tos = t->s.tos;
    c.seq = t->snd_max; /* within the peer's window even when it has shrunk */
    if (seq_gt(c.seq, t->snd_una + t->snd_wnd))
        c.seq = t->snd_una + t->snd_wnd;
    c.ack = t->rcv_nxt;
    t->s.ns->count.tcp_rst_out++;
    tcp_send_ctl(t->s.ns, &c);
}
