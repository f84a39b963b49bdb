/* SPDX-License-Identifier: MIT
 *
 * net/stack/tcp_timer.c: retransmission and zero-window probes (rtx), delayed
 * acknowledgement (delack), keep-alive and the end of FIN_WAIT_2 (misc); and
 * what to do when the kernel could not send.
 *
 * Owns: when a connection gives up. Called by timer.c with ns->now fresh.
 */
#include <net/stack/tcp.h>

static bool slow_line(const struct tcb *t)
{
    return t->path.speed_bps - 1 < TCP_SLOW_LINE_BPS; /* 0: no line rate */
}

/* How long a slow line needs for so many bytes, at ten bits each. What is under
 * way has to pass it before it can be acknowledged, and the round trip measured
 * with little under way says nothing about that. */
uint64_t tcp_line_ns(const struct tcb *t, uint32_t bytes)
{
    if (!slow_line(t))
        return 0;
    return (uint64_t)bytes * 10 * NS_SEC / t->path.speed_bps;
}

uint64_t tcp_rto(const struct tcb *t)
{
    uint64_t rto = t->rto_ns;

    if (t->backoff == 0 && t->user_timeout_ms == 0 && !slow_line(t))
        return rto; /* as nearly always */
    for (uint8_t i = 0; i < t->backoff && rto < TCP_RTO_MAX; i++)
        rto *= 2;
    rto += tcp_line_ns(t, t->snd_max - t->snd_una + t->path.mtu);
    if (t->user_timeout_ms != 0 && t->snd_max != t->snd_una) { /* be there in time to give up */
        uint64_t end = t->progress_ns + t->user_timeout_ms * NS_MS, now = t->s.ns->now;
        if (end > now && end - now < rto)
            rto = end - now;
    }
    return rto < TCP_RTO_MAX ? rto : TCP_RTO_MAX;
}

/* Text or a FIN waits, but nothing is in flight and nothing may be sent: the
 * peer's window must be probed (RFC 9293 3.8.6.1). */
static bool must_persist(const struct tcb *t)
{
    return t->snd_max == t->snd_una && (t->snd.bytes != 0 || (t->fin_queued && t->snd_una == tcp_fin_seq(t)));
}

void tcp_rtx_restart(struct tcb *t)
{
    t->rc.tlp_n = 0;
    t->rc.rto_at = t->s.ns->now + tcp_rto(t);
    tcp_rtx_schedule(t);
}

void tcp_arm_rtx(struct tcb *t)
{
    struct netstack *ns = t->s.ns;

    if (timer_armed(&t->rtx)) {
        if (t->rc.lone && t->snd_nxt - t->snd_una > t->snd_mss && t->rc.n != 0 && !t->line_full)
            tcp_rtx_schedule(t); /* with more in flight no delayed ACK need be waited for */
        return;
    }
    if (t->snd_max != t->snd_una && !t->persisting) {
        tcp_rtx_restart(t);
    } else if (t->persisting || (must_persist(t) && !t->in_outq)) {
        t->persisting = true;
        timer_set(ns, &t->rtx, ns->now + tcp_rto(t));
    }
}

void tcp_arm_keepalive(struct tcb *t)
{
    if (t->keepalive && t->state >= TCP_ESTABLISHED && t->state <= TCP_FIN_WAIT_2)
        timer_set(t->s.ns, &t->misc, t->heard_ns + (uint64_t)t->keep_idle_s * NS_SEC);
}

static uint64_t patience(const struct tcb *t, uint64_t otherwise_ns)
{
    return t->user_timeout_ms != 0 ? t->user_timeout_ms * NS_MS : otherwise_ns;
}

/* --- rtx ---------------------------------------------------------------------- */
static void repeat_syn(struct tcb *t)
{
    struct netstack *ns = t->s.ns;
    uint8_t flags = t->state == TCP_SYN_SENT ? TCP_SYN : TCP_SYN | TCP_ACK;

    if (ns->now - t->opened_ns >= patience(t, TCP_CONNECT_LIMIT)) { /* C-TIME-3 */
        tcb_abort(t, ETIMEDOUT, false);
        return;
    }
    t->backoff++;
    t->syn_repeated = true;
    if (tcp_xmit(t, t->iss, 0, flags) < 0)
        tcp_later(t);
}

/* One byte beyond what the peer allows, or the FIN: it must answer. */
static void probe_window(struct tcb *t)
{
    uint32_t end = tcp_fin_seq(t);
    uint32_t len = t->snd_una == end ? 0 : 1;
    bool fin = t->fin_queued && t->snd_una + len == end && len == 0;

    if (t->probes < 255)
        t->probes++;
    if (t->backoff < 10)
        t->backoff++;
    if (t->snd_wnd > 0) { /* not shut, only too narrow to be polite: fill it */
        len = end - t->snd_una < t->snd_wnd ? end - t->snd_una : t->snd_wnd;
        if (len > t->snd_mss)
            len = t->snd_mss;
        fin = t->fin_queued && len == end - t->snd_una;
    }
    if (tcp_xmit(t, t->snd_una, len, fin ? TCP_ACK | TCP_FIN : TCP_ACK) < 0)
        tcp_later(t);
}

/* C-STATE-4 */
static bool give_up(struct tcb *t)
{
    uint64_t silent = t->s.ns->now - t->progress_ns;

    if (t->persisting && t->s.ns->now - t->heard_ns < TCP_GIVE_UP && !tcb_orphan(t))
        return false; /* it answers: it may keep its window shut for ever, C-STATE-6 */
    return silent >= (tcb_orphan(t) ? TCP_GIVE_UP_ORPHAN : patience(t, TCP_GIVE_UP));
}

static void rtx_fire(struct netstack *ns, struct ns_timer *timer)
{
    struct tcb *t = ns_container(timer, struct tcb, rtx);

    if (t->state == TCP_SYN_SENT || t->state == TCP_SYN_RCVD) {
        repeat_syn(t);
    } else if (give_up(t)) { /* for the reason that a router gave since, if one did */
        bool told = t->soft_error != 0 && t->soft_error_ns >= t->progress_ns;
        tcb_abort(t, told ? t->soft_error : ETIMEDOUT, true);
    } else if (t->line_full) {
        t->line_full = false;
        tcp_output(t);
    } else if (t->rc.n != 0 && t->rc.rtx_kind == RTX_REO) {
        tcp_reo_fire(t);
    } else if (t->rc.n != 0 && t->rc.rtx_kind == RTX_TLP) {
        tcp_tlp_fire(t);
    } else if (t->persisting) {
        probe_window(t);
    } else if (t->snd_max != t->snd_una) {
        ns->count.tcp_timeouts++;
        tcp_mtu_timeout(t);
        tcp_enter_loss(t);
        t->backoff++;
        if (t->snd_wnd == 0) {
            t->persisting = true;
            probe_window(t);
        } else {
            tcp_rtx_restart(t);
            tcp_output(t);
        }
    }
    if (t->state != TCP_CLOSED && !timer_armed(&t->rtx)) {
        t->rc.rtx_kind = RTX_RTO;
        t->rc.rto_at = ns->now + tcp_rto(t);
        timer_set(ns, &t->rtx, t->rc.rto_at);
    }
}

/* --- delack -------------------------------------------------------------------- */
static void delack_fire(struct netstack *ns, struct ns_timer *timer)
{
    struct tcb *t = ns_container(timer, struct tcb, delack);

    (void)ns;
    t->ack_now = true;
    tcp_output(t);
}

/* --- misc: keep-alive (RFC 9293 3.8.4), FIN_WAIT_2 --------------------------------- */
static void misc_fire(struct netstack *ns, struct ns_timer *timer)
{
    struct tcb *t = ns_container(timer, struct tcb, misc);
    uint64_t idle = ns->now - t->heard_ns, first = (uint64_t)t->keep_idle_s * NS_SEC;
    uint64_t step = (uint64_t)t->keep_interval_s * NS_SEC;

    if (t->state == TCP_FIN_WAIT_2 && tcb_orphan(t)) {
        tcb_end(t); /* the peer never closed; what it still sends gets a RST */
        return;
    }
    if (!t->keepalive || t->state < TCP_ESTABLISHED || t->state > TCP_FIN_WAIT_2)
        return;
    if (idle < first) {
        tcp_arm_keepalive(t);
        return;
    }
    if (idle >= first + t->keep_probes * step) {
        tcb_abort(t, ETIMEDOUT, true);
        return;
    }
    if (t->snd_max == t->snd_una) { /* else retransmission asks already */
        struct tcp_ctl c;
        memset(&c, 0, sizeof(c));
        c.src = &t->node.laddr;
        c.dst = &t->node.raddr;
        c.sport = t->node.lport;
        c.dport = t->node.rport;
        c.net = t->node.net;
        c.flags = TCP_ACK;
        c.ttl = t->s.ttl;
        c.tos = t->s.tos;
        c.seq = t->snd_una - 1; /* old on purpose: it must be answered */
        c.ack = t->rcv_nxt;
        c.window = (uint16_t)((t->rcv_adv - t->rcv_nxt) >> t->rcv_wscale);
        if (t->ts_on)
            c.opt_len = tcp_put_ts(c.opt, tcp_ts_now(ns, t->ts_offset), t->ts_recent);
        tcp_send_ctl(ns, &c);
    }
    timer_set(ns, &t->misc, ns->now + step);
}

void tcp_timers_init(struct tcb *t)
{
    t->rtx.fn = rtx_fire;
    t->delack.fn = delack_fire;
    t->misc.fn = misc_fire;
    t->rtx.when = t->delack.when = t->misc.when = NS_NEVER;
}

/* --- the kernel could not send ------------------------------------------------------- */
/* The route's limit fell below what we sent: look again, and send smaller. */
static void path_shrank(struct tcb *t)
{
    const struct ip_path *now;

    ip_route_flush(t->s.ns);
    if (ip_route(t->s.ns, t->node.net, &t->node.raddr, &now) != 0 || now->mtu >= t->path.mtu)
        return;
    t->path.mtu = now->mtu;
    tcb_set_mss(t);
    tcp_rewind(t);
    tcp_later(t);
}

/* A slow line's queue had no room for the last segment, because others use the
 * line too. It never left: it counts as not sent, and has its next chance when
 * the line has carried a packet. */
static void line_refused(struct tcb *t)
{
    struct netstack *ns = t->s.ns;

    if (t->line_full || t->line_blk == NS_NONE)
        return;
    if (t->snd_max - t->line_seq <= t->line_len + 1 && seq_leq(t->snd_una, t->line_seq)) { /* + 1: a FIN */
        t->snd_max = t->line_seq;
        if (seq_gt(t->snd_nxt, t->snd_max))
            t->snd_nxt = t->snd_max;
        if (seq_gt(t->snd_sml, t->snd_max)) /* or Nagle would wait for what was never sent */
            t->snd_sml = t->snd_una;
        if (t->timing && seq_gt(t->rtt_seq, t->snd_max))
            t->timing = false;
        tcp_rec_unsend(t, t->line_seq, true);
    } else {
        tcp_rec_unsend(t, t->line_seq, false);
    }
    t->line_full = true; /* C-SLIP-8 */
    t->line_blk = NS_NONE;
    timer_set(ns, &t->rtx, ns->now + tcp_line_ns(t, t->path.mtu));
}

/* A full link is congestion close by: do not wait a whole RTO for it, but longer
 * each time that it stays full. Missing routes end an attempt to connect and
 * nothing else (they may come back). */
void tcp_tx_failed(struct tcb *t, int status)
{
    struct netstack *ns = t->s.ns;

    if (t->state == TCP_SYN_SENT && status != -ENOBUFS && status != -ENETDOWN) {
        tcb_abort(t, -status, false);
        return;
    }
    if (t->state < TCP_SYN_SENT || t->state == TCP_TIME_WAIT || t->snd_max == t->snd_una)
        return;
    if (status == -EMSGSIZE) {
        path_shrank(t);
    } else if (status == -ENOBUFS && t->path.speed_bps != 0 && t->path.speed_bps <= TCP_SLOW_LINE_BPS) {
        line_refused(t);
    } else if (status == -ENOBUFS) {
        uint64_t soon = t->srtt_us != 0 ? t->srtt_us * 1000ull : 10 * NS_MS;
        if (soon < 2 * NS_MS)
            soon = 2 * NS_MS;
        soon <<= t->backoff < 6 ? t->backoff : 6;
        if (!timer_armed(&t->rtx) || t->rtx.when > ns->now + soon) {
            t->rc.rtx_kind = RTX_RTO;
            t->rc.rto_at = ns->now + soon;
            timer_set(ns, &t->rtx, t->rc.rto_at);
        }
    }
}
