/* SPDX-License-Identifier: MIT
 *
 * net/stack/tcp_ack.c: what an acknowledgement does: round-trip time (RFC
 * 6298), the send buffer, the peer's window, and loss recovery by duplicate ACKs
 * (RFC 5681, 6582) for a peer without SACK; with it tcp_recover.c's.
 *
 * Owns: snd_una, snd_wnd, recovery state. Called by tcp_input.c for segments
 * that were found acceptable.
 */
#include <net/stack/tcp.h>

void tcp_rtt_sample(struct tcb *t, uint64_t rtt_ns)
{
    uint32_t r = (uint32_t)(rtt_ns / 1000 < 120000000 ? rtt_ns / 1000 : 120000000);
    uint64_t var;

    if (r == 0)
        r = 1;
    if (t->srtt_us == 0) {
        t->srtt_us = r;
        t->rttvar_us = r / 2;
    } else {
        uint32_t diff = r > t->srtt_us ? r - t->srtt_us : t->srtt_us - r;
        t->rttvar_us = (uint32_t)((3ull * t->rttvar_us + diff) / 4);
        t->srtt_us = (uint32_t)((7ull * t->srtt_us + r) / 8);
    }
    var = 4ull * t->rttvar_us * 1000;
    t->rto_ns = t->srtt_us * 1000ull + (var > TCP_RTO_VAR_MIN ? var : TCP_RTO_VAR_MIN);
    if (t->rto_ns > TCP_RTO_MAX)
        t->rto_ns = TCP_RTO_MAX;
    t->backoff = 0; /* Karn: only a valid sample ends the back-off */
}

/* One sample from this acknowledgement, if it gives one: our own clock when
 * the timed segment was sent once only, or the last one that it covers was; else
 * the echoed time stamp. */
static void sample_rtt(struct tcb *t, const struct tcp_in *in)
{
    uint64_t now = t->s.ns->now;
    uint64_t sent = t->timing ? 0 : tcp_rec_sent_once(t, in->ack);

    if (t->timing && seq_geq(in->ack, t->rtt_seq)) {
        t->timing = false;
        t->flight_peak[1] = t->flight_peak[0];
        t->flight_peak[0] = 0;
        tcp_rtt_sample(t, now - t->rtt_start_ns);
    } else if (sent != 0) {
        tcp_rtt_sample(t, now - sent);
    } else if (t->ts_on && in->ts_on && in->tsecr != 0 && !t->timing) {
        uint32_t ms = tcp_ts_now(t->s.ns, t->ts_offset) - in->tsecr;
        if (ms < 120000)
            tcp_rtt_sample(t, ms * NS_MS + NS_MS / 2);
    }
}

void tcp_repeat_first(struct tcb *t)
{
    uint32_t left = tcp_fin_seq(t) - t->snd_una, len = left < t->snd_mss ? left : t->snd_mss;
    uint8_t flags = TCP_ACK;

    if (seq_gt(t->snd_una, tcp_fin_seq(t)))
        return; /* everything, the FIN too, is acknowledged */
    if (t->fin_queued && len == left && seq_gt(t->snd_max, tcp_fin_seq(t)))
        flags |= TCP_FIN;
    if (tcp_xmit(t, t->snd_una, len, flags) < 0)
        tcp_later(t);
}

void tcp_enter_loss(struct tcb *t)
{
    if (!t->in_recovery && !t->rc.in_loss)
        tcp_undo_save(t);
    if (t->backoff == 0 || t->in_recovery) {
        t->ssthresh = t->cc->ssthresh(t);
        if (t->cc->timeout != NULL)
            t->cc->timeout(t);
    }
    t->recover = t->snd_max;
    t->in_recovery = false;
    t->dupacks = 0;
    t->timing = false;
    if (t->rc.n != 0 && t->snd_wnd != 0) {
        tcp_rack_on_rto(t);
        t->rc.in_loss = t->rc.attend = true;
    } else {
        t->rc.in_loss = false;
        tcp_rec_forget(t);
        t->snd_nxt = t->snd_una;
    }
    t->cwnd = tcp_pipe(t) + t->snd_mss;
    t->cc_acked = 0;
}

static void update_window(struct tcb *t, const struct tcp_in *in)
{
    uint32_t wnd = in->wnd << t->snd_wscale;

    if (!seq_lt(t->snd_wl1, in->seq) && !(t->snd_wl1 == in->seq && seq_leq(t->snd_wl2, in->ack)))
        return;
    if (wnd > t->snd_wnd && t->persisting) {
        t->persisting = false; /* tcp_output arms the ordinary timer */
        t->backoff = t->probes = 0;
        t->rc.rtx_kind = RTX_RTO;
        timer_stop(&t->rtx);
    }
    t->snd_wnd = wnd;
    if (wnd > t->max_wnd)
        t->max_wnd = wnd;
    t->snd_wl1 = in->seq;
    t->snd_wl2 = in->ack;
}

/* RFC 5681 section 2's definition, and RFC 6582's reaction. */
static void duplicate_ack(struct tcb *t)
{
    uint32_t mss = t->snd_mss;

    if (t->in_recovery) {
        t->cwnd += mss;
        return;
    }
    if (t->dupacks < 255)
        t->dupacks++;
    if (t->dupacks != 3 || !seq_gt(t->snd_una, t->recover))
        return;
    t->ssthresh = t->cc->ssthresh(t);
    t->recover = t->snd_max;
    t->in_recovery = true;
    t->partial_seen = false;
    t->rc.recover_fs = t->recover - t->snd_una; /* with SACK, what is sent in it may be tracked again */
    t->rc.prr_delivered = t->rc.prr_out = 0;
    t->rc.attend = true;
    tcp_repeat_first(t);
    t->cwnd = t->ssthresh + 3 * mss;
    tcp_rtx_restart(t);
}

/* An advance while in recovery. */
static void recovery_ack(struct tcb *t, uint32_t acked)
{
    uint32_t mss = t->snd_mss, flight = t->snd_max - t->snd_una;

    if (seq_geq(t->snd_una, t->recover)) {
        uint32_t least = (flight > mss ? flight : mss) + mss;
        t->cwnd = t->ssthresh < least ? t->ssthresh : least;
        t->in_recovery = false;
        t->dupacks = 0;
        t->recover = t->snd_una - 1; /* only a time-out leaves doubtful duplicates behind */
        return;
    }
    tcp_repeat_first(t); /* the next hole */
    t->cwnd = t->cwnd > acked ? t->cwnd - acked : mss;
    if (acked >= mss)
        t->cwnd += mss;
    if (t->cwnd < mss)
        t->cwnd = mss;
}

/* Returns how many bytes this delivers that were not reported before. */
static uint32_t advance(struct tcb *t, const struct tcp_in *in)
{
    struct netstack *ns = t->s.ns;
    uint32_t acked = in->ack - t->snd_una, end = tcp_fin_seq(t), delivered = acked;
    uint32_t text = (seq_lt(in->ack, end) ? in->ack : end) - t->buf_seq;
    /* RFC 7661's concern: a window that is not used up must not grow. It was when
     * it held text back at some time in the flight that is acknowledged now. */
    bool limited = seq_lt(t->snd_una, t->cwnd_full) || t->snd_max - t->snd_una + t->snd_mss >= t->cwnd;
    bool tracked = t->rc.n != 0;

    sample_rtt(t, in);
    if (text != 0) {
        sndbuf_drop(ns, &t->snd, text);
        t->buf_seq += text;
        sock_changed(&t->s);
    }
    t->snd_una = in->ack;
    if (t->mtu_trial != 0)
        tcp_mtu_acked(t);
    if (seq_lt(t->snd_nxt, t->snd_una))
        t->snd_nxt = t->snd_una;
    if (seq_lt(t->snd_sml, t->snd_una))
        t->snd_sml = t->snd_una;
    if (seq_lt(t->cwnd_full, t->snd_una))
        t->cwnd_full = t->snd_una;
    if (tracked)
        delivered -= tcp_sack_advance(t, in);
    else if (t->rc.undo_on && tcp_undo(t, in))
        limited = false;
    t->progress_ns = ns->now;
    t->probes = 0;
    t->line_full = false; /* the timer that would end it is set anew below */
    t->persisting = false; /* tcp_output finds out whether there is something to probe for */
    if (t->in_recovery && !tracked) {
        bool first = !t->partial_seen;
        recovery_ack(t, acked);
        t->partial_seen = true;
        if (t->in_recovery && !first)
            return delivered; /* impatient variant: only the first partial ACK restarts the timer */
    } else if (!t->in_recovery) {
        t->dupacks = 0;
        if (limited) /* C-CC-1 */
            t->cc->acked(t, acked);
        if (seq_lt(t->recover, t->snd_una - 1))
            t->recover = t->snd_una - 1; /* stays close behind, so that it never wraps */
    }
    if (t->snd_una == t->snd_max)
        timer_stop(&t->rtx);
    else
        tcp_rtx_restart(t);
    return delivered;
}

bool tcp_ack(struct tcb *t, const struct tcp_in *in)
{
    bool same_wnd = (in->wnd << t->snd_wscale) == t->snd_wnd, tracked = t->rc.n != 0, moved = false;
    uint32_t delivered = 0;

    if (seq_gt(in->ack, t->snd_max) || seq_lt(in->ack, t->snd_una - t->max_wnd)) {
        tcp_challenge(t); /* RFC 5961 5.2 */
        return false;
    }
    t->rc.fack_was = t->rc.fack;
    update_window(t, in);
    if (seq_gt(in->ack, t->snd_una)) {
        delivered = advance(t, in);
        moved = true;
    } else if (in->ack == t->snd_una) {
        t->probes = 0;
        if (!in->has_text && same_wnd && !(in->flags & TCP_FIN) && t->snd_max != t->snd_una && !t->persisting) {
            t->s.ns->count.tcp_dup++;
            if (!tracked)
                duplicate_ack(t);
        }
    }
    if (tracked && (t->rc.attend || in->sack_n != 0))
        tcp_recovery(t, in, delivered, moved);
    return true;
}
