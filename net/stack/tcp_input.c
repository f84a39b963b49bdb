/* SPDX-License-Identifier: MIT
 *
 * net/stack/tcp_input.c: a segment arrives (RFC 9293 3.10.7).
 *
 * Owns: the order of checks. Demultiplexing first (connection, half-open,
 * TIME_WAIT, listener, nobody), then for a connection: time stamp, sequence
 * number, RST, SYN, ACK, text, FIN. Segments are hostile input.
 */
#include <net/stack/tcp.h>

/* --- answers that must not start a war ------------------------------------------- */
/* RFC 5961 section 7: an ACK that asks "is it really you?", five to ten a second
 * for each connection: who counts them learns nothing about other connections, and
 * little about this one. */
void tcp_challenge(struct tcb *t)
{
    struct netstack *ns = t->s.ns;
    uint8_t chance;

    if (ns->now - t->challenge_ns >= NS_SEC || t->challenge_ns == 0) {
        ns->env.random(ns->env.ctx, &chance, sizeof(chance));
        t->challenge_ns = ns->now;
        t->challenges_left = 5 + chance % 6u; /* C-TCP-2 */
    }
    if (t->challenges_left == 0)
        return;
    t->challenges_left--;
    t->ack_now = true;
}

/* --- time stamps and sequence numbers ---------------------------------------------- */
/* PAWS (RFC 7323 5.3). False: drop. */
static bool check_timestamp(struct tcb *t, const struct tcp_in *in)
{
    if (!t->ts_on || (in->flags & TCP_RST))
        return true;
    if (!in->ts_on)
        return (in->flags & TCP_SYN) != 0; /* 3.2: silently dropped; a SYN gets its challenge */
    if ((int32_t)(in->tsval - t->ts_recent) >= 0 || t->s.ns->now - t->ts_recent_ns > TCP_PAWS_IDLE)
        return true;
    if (in->len != 0 || (in->flags & (TCP_SYN | TCP_FIN)))
        t->ack_now = true;
    else
        tcp_challenge(t);
    return false;
}

/* Cut the segment down to the window (RFC 9293 3.10.7.4, first). False: nothing
 * of it is acceptable; an ACK has been asked for where one is due. */
static bool trim_to_window(struct tcb *t, struct tcp_in *in)
{
    uint32_t right = t->rcv_adv, over;

    if (seq_lt(in->seq, t->rcv_nxt)) {
        uint32_t old = t->rcv_nxt - in->seq, seg = in->len + ((in->flags & TCP_FIN) != 0);
        if (old >= seg) {
            /* Wholly old: repeated, or a keep-alive probe. Its acknowledgement may
             * be new all the same (both sides repeat after a double loss); its
             * sequence number stays, so that its window counts as old. */
            if (seg != 0)
                t->ack_now = true;
            else
                tcp_challenge(t);
            tcp_dsack(t, in->seq, in->seq + in->len);
            if ((in->flags & TCP_SYN) || old > (1u << 30))
                return false;
            in->flags &= (uint8_t)~TCP_FIN;
            in->len = 0;
            return true;
        }
        in->seq += old;
        in->data += old;
        in->len -= old;
    }
    if (seq_gt(in->seq, right) || (in->seq == right && in->seq != t->rcv_nxt)) {
        if (in->len != 0 || (in->flags & TCP_FIN))
            t->ack_now = true;
        else
            tcp_challenge(t);
        return false;
    }
    over = in->seq + in->len - right;
    if (in->len != 0 && (int32_t)over > 0) { /* beyond the window: a probe, or it shrank */
        in->len -= over;
        in->flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
        t->ack_now = true;
    }
    return true;
}

/* --- SYN_SENT (3.10.7.3) -------------------------------------------------------------- */
static void take_syn_options(struct tcb *t, const struct tcp_in *in)
{
    t->irs = in->seq;
    t->rcv_nxt = in->seq + 1;
    t->rcv_adv = t->rcv_nxt + (t->rcvbuf_limit < 65535 ? t->rcvbuf_limit : 65535);
    t->last_ack_sent = t->rcv_nxt;
    if (in->mss != 0)
        t->mss_peer = in->mss;
    t->ts_on = in->ts_on && !(t->path.flags & LINKF_VJ);
    t->wscale_on = in->wscale_on;
    t->sack_ok = in->sack_ok;
    if (in->wscale_on)
        t->snd_wscale = in->wscale;
    else
        t->snd_wscale = t->rcv_wscale = 0;
    t->ts_recent = in->tsval;
    t->ts_recent_ns = t->s.ns->now;
    t->snd_wnd = t->max_wnd = in->wnd; /* never scaled in a SYN */
    t->snd_wl1 = in->seq;
    t->snd_wl2 = in->ack;
    tcb_set_mss(t);
    tcp_cc_init(t);
    t->recover = t->iss;
}

static void syn_sent_segment(struct tcb *t, struct tcp_in *in)
{
    struct netstack *ns = t->s.ns;
    bool acked = (in->flags & TCP_ACK) != 0;

    if (acked && in->ack != t->snd_max) {
        tcp_reset_for(ns, in);
        return;
    }
    if (in->flags & TCP_RST) {
        if (acked)
            tcb_abort(t, ECONNREFUSED, false);
        return;
    }
    if (!(in->flags & TCP_SYN))
        return;
    take_syn_options(t, in);
    if (!acked) { /* simultaneous open */
        t->state = TCP_SYN_RCVD;
        if (tcp_xmit(t, t->iss, 0, TCP_SYN | TCP_ACK) < 0)
            tcp_later(t);
        return;
    }
    if (t->timing) {
        t->timing = false;
        tcp_rtt_sample(t, ns->now - t->rtt_start_ns);
    }
    t->backoff = 0;
    if (t->syn_repeated && t->srtt_us == 0)
        t->rto_ns = 3 * NS_SEC; /* RFC 6298 5.7 */
    t->snd_una = t->snd_nxt = t->buf_seq = in->ack;
    t->snd_sml = t->snd_una;
    timer_stop(&t->rtx);
    tcb_established(t);
    t->ack_now = true;
    ns->count.tcp_conn_out++;
    sock_changed(&t->s);
    in->seq++; /* text on a SYN-ACK is taken like any other */
    if (in->len != 0 || (in->flags & TCP_FIN)) {
        in->flags &= (uint8_t)~TCP_SYN;
        in->wnd >>= t->snd_wscale;
        tcp_segment(t, in);
        return;
    }
    tcp_arm_keepalive(t);
    tcp_output(t);
}

/* --- the synchronised states (3.10.7.4) -------------------------------------------------- */
/* RFC 5961 3.2: only the very next number ends the connection, another one in
 * the window is asked about, and the rest is dropped without a word. It looks at
 * the segment as it came: text on a RST must not move its beginning. */
static void handle_rst(struct tcb *t, const struct tcp_in *in)
{
    if (in->seq != t->rcv_nxt) { /* C-STATE-2 */
        if (seq_gt(in->seq, t->rcv_nxt) && seq_lt(in->seq, t->rcv_adv))
            tcp_challenge(t);
        return;
    }
    t->s.ns->count.tcp_rst_in++;
    if (t->state == TCP_SYN_RCVD)
        tcb_abort(t, ECONNREFUSED, false);
    else if (t->state == TCP_CLOSING || t->state == TCP_LAST_ACK)
        tcb_abort(t, 0, false);
    else
        tcb_abort(t, ECONNRESET, false);
}

/* A SYN where none belongs. In SYN_RCVD (simultaneous open) it is the peer's
 * SYN once more: strip it. False: drop the segment. */
static bool handle_syn(struct tcb *t, struct tcp_in *in)
{
    if (t->state == TCP_SYN_RCVD && in->seq == t->irs) {
        in->seq++;
        in->flags &= (uint8_t)~TCP_SYN;
        in->wnd >>= t->snd_wscale; /* a SYN's window is not scaled */
        if (in->flags & TCP_ACK)
            return true;
        if (tcp_xmit(t, t->iss, 0, TCP_SYN | TCP_ACK) < 0)
            tcp_later(t);
        return false;
    }
    tcp_challenge(t);
    return false;
}

/* Our FIN is acknowledged. False: the connection has ended. */
static bool our_fin_acked(struct tcb *t)
{
    switch (t->state) {
    case TCP_FIN_WAIT_1:
        t->state = TCP_FIN_WAIT_2;
        if (tcb_orphan(t))
            timer_set(t->s.ns, &t->misc, t->s.ns->now + TCP_ORPHAN_LIMIT);
        return true;
    case TCP_CLOSING:
        tcb_time_wait(t);
        return false;
    case TCP_LAST_ACK:
        tcb_end(t);
        return false;
    default:
        return true;
    }
}

static void peer_fin(struct tcb *t)
{
    t->rcv_nxt++;
    t->ack_now = true;
    t->rd_eof = true;
    t->fin_seen = false;
    sock_changed(&t->s);
    switch (t->state) {
    case TCP_SYN_RCVD:
    case TCP_ESTABLISHED:
        t->state = TCP_CLOSE_WAIT;
        break;
    case TCP_FIN_WAIT_1:
        t->state = TCP_CLOSING;
        break;
    case TCP_FIN_WAIT_2:
        tcb_time_wait(t);
        break;
    default:
        break;
    }
}

/* The handshake's third part, for a simultaneous open. */
static bool syn_rcvd_ack(struct tcb *t, const struct tcp_in *in)
{
    if (seq_leq(in->ack, t->iss) || seq_gt(in->ack, t->snd_max)) {
        tcp_reset_for(t->s.ns, in);
        return false;
    }
    t->snd_una = t->snd_nxt = t->buf_seq = t->snd_sml = t->iss + 1;
    t->snd_wnd = in->wnd << t->snd_wscale;
    t->max_wnd = t->snd_wnd;
    t->snd_wl1 = in->seq;
    t->snd_wl2 = in->ack;
    t->timing = false;
    t->backoff = 0;
    timer_stop(&t->rtx);
    tcb_established(t);
    t->s.ns->count.tcp_conn_out++;
    tcp_arm_keepalive(t);
    if (t->fin_queued)
        t->state = TCP_FIN_WAIT_1; /* closed while opening */
    sock_changed(&t->s);
    return true;
}

static void synchronised_segment(struct tcb *t, struct tcp_in *in)
{
    if (!check_timestamp(t, in))
        return;
    if (in->flags & TCP_RST) {
        handle_rst(t, in);
        return;
    }
    if (t->state == TCP_SYN_RCVD && (in->flags & TCP_SYN) && in->seq == t->irs) {
        if (!handle_syn(t, in))
            return;
    }
    if (!trim_to_window(t, in))
        return;
    if ((in->flags & TCP_SYN) && !handle_syn(t, in))
        return;
    if (!(in->flags & TCP_ACK))
        return;
    t->heard_ns = t->s.ns->now;
    if (t->state == TCP_SYN_RCVD && !syn_rcvd_ack(t, in))
        return;
    /* RFC 7323 4.3: remember the stamp of what advances the left edge. */
    if (t->ts_on && in->ts_on && seq_leq(in->seq, t->last_ack_sent)) {
        t->ts_recent = in->tsval;
        t->ts_recent_ns = t->s.ns->now;
    }
    if (!tcp_ack(t, in))
        return;
    if (t->fin_queued && t->snd_una == t->buf_seq + 1 && t->snd.bytes == 0 && !our_fin_acked(t))
        return;
    if (t->state == TCP_CLOSE_WAIT || t->state == TCP_CLOSING || t->state == TCP_LAST_ACK)
        return;                          /* nothing may follow a FIN */
    if (in->len != 0 && tcb_orphan(t)) { /* nobody will ever read it, RFC 9293 3.6.1 */
        tcb_abort(t, 0, true);
        return;
    }
    if (in->len != 0 || (in->flags & TCP_FIN))
        tcp_text(t, in);
    if (t->fin_seen && t->rcv_nxt == t->fin_at)
        peer_fin(t);
}

void tcp_segment(struct tcb *t, struct tcp_in *in)
{
    if (t->state == TCP_SYN_SENT) {
        syn_sent_segment(t, in);
        return;
    }
    synchronised_segment(t, in);
    if (t->state > TCP_LISTEN && t->state != TCP_TIME_WAIT && (t->ack_now || tcp_unsent(t) || t->rc.lost != 0))
        tcp_output(t);
}

/* --- demultiplexing -------------------------------------------------------------------------- */
static void no_connection(struct netstack *ns, struct tcp_in *in)
{
    struct ns_port *p = port_find(ns, in->ip->family, NET_TCP, &in->ip->dst, in->dport);

    if (!addr_unicast(in->ip->family, &in->ip->src)) /* MUST-63 of RFC 9293; C-STATE-1 */
        return;
    if (p != NULL && p->listener == NULL && !addr_any(&p->addr)) {
        static const struct net_addr any;
        struct ns_port *wide = port_find(ns, in->ip->family, NET_TCP, &any, in->dport);
        if (wide != NULL && wide->listener != NULL)
            p = wide;
    }
    if (p != NULL && p->listener != NULL && !(in->flags & (TCP_ACK | TCP_RST))) {
        if ((in->flags & TCP_SYN) && !in->ip->multicast)
            tcp_listen_syn(ns, p->listener, in, 0, false);
        return;
    }
    if (p != NULL && p->listener != NULL && (in->flags & (TCP_ACK | TCP_SYN | TCP_RST)) == TCP_ACK &&
        tcp_cookie_ack(ns, p->listener, in))
        return;
    if (p != NULL || ns->cfg.reset_unbound)
        tcp_reset_for(ns, in);
}

/* Text is summed while it is copied where its connection wants it, if that can be
 * told: nothing counts before the sum is right (RFC 9293 3.1). */
static bool checksum_good(struct tcp_node *n, struct tcp_in *in, uint32_t hdr)
{
    const struct ip_in *ip = in->ip;
    uint64_t sum = csum_add(ip->pseudo, ns_swap16((uint16_t)ip->len));
    bool early = n != NULL && n->kind == NODE_TCB &&
                 tcp_text_early(ns_container(n, struct tcb, node), in, &sum);

    return csum_finish(csum_bytes(sum, ip->data, early ? hdr : ip->len)) == 0;
}

void tcp_input(struct netstack *ns, const struct ip_in *ip)
{
    const uint8_t *h = ip->data;
    struct tcp_in in;
    struct tcp_node *n;
    uint32_t hdr;

    ns->count.tcp_in++;
    if (ip->len < 20 || (hdr = (uint32_t)(h[12] >> 4) * 4) < 20 || hdr > ip->len) {
        ns->count.tcp_bad++;
        return;
    }
    in.ip = ip;
    in.sport = get16(h);
    in.dport = get16(h + 2);
    in.seq = get32(h + 4);
    in.ack = get32(h + 8);
    in.flags = h[13] & 0x1f;
    in.wnd = get16(h + 14);
    in.data = h + hdr;
    in.len = ip->len - hdr;
    in.has_text = in.len != 0;
    in.ts_on = in.sack_ok = in.wscale_on = false;
    in.mss = 0;
    in.tsval = in.tsecr = in.sack_n = 0;
    in.early_in = EARLY_NONE;
    in.early.fresh = NULL;
    n = tcp_lookup(ns, ip->net, &ip->dst, &ip->src, in.dport, in.sport);
    if (!ip_trusted(ip) && !checksum_good(n, &in, hdr)) {
        ns->count.tcp_bad++;
        bufq_early_drop(ns, &in.early);
        return;
    }
    if (hdr > 20)
        tcp_parse_options(&in, h + 20, hdr - 20);
    if (n == NULL)
        no_connection(ns, &in);
    else if (n->kind == NODE_TCB)
        tcp_segment(ns_container(n, struct tcb, node), &in);
    else if (n->kind == NODE_SYN)
        tcp_syn_segment(ns, ns_container(n, struct tcp_syn, node), &in);
    else
        tw_input(ns, ns_container(n, struct tcp_tw, node), &in);
    bufq_early_drop(ns, &in.early); /* of a segment that was refused after all */
}

/* An ICMP error that quotes a segment of ours (RFC 5927: only believed when the
 * quoted sequence number is in flight). */
bool tcp_error(struct netstack *ns, uint32_t net, const struct net_addr *l, const struct net_addr *r,
               uint16_t lport, uint16_t rport, uint32_t seq, int err, uint16_t mtu)
{
    struct tcp_node *n = tcp_lookup(ns, net, l, r, lport, rport);
    struct tcb *t;

    if (n == NULL || n->kind != NODE_TCB)
        return false;
    t = ns_container(n, struct tcb, node);
    if (seq_lt(seq, t->snd_una) || seq_geq(seq, t->snd_max))
        return false;
    if (mtu != 0) {
        tcp_mtu_told(t, mtu); /* C-MTU-1 */
        return true;
    }
    if (t->state == TCP_SYN_SENT || t->state == TCP_SYN_RCVD) {
        tcb_abort(t, err, false); /* RFC 5461 4.1; an established connection outlives it */
    } else {
        t->soft_error = err; /* what the application hears should text never arrive */
        t->soft_error_ns = t->s.ns->now;
    }
    return true;
}
