/* SPDX-License-Identifier: MIT
 *
 * net/stack/tcp_rack.c: RACK-TLP (RFC 8985): a segment is lost when one that was
 * sent after it has arrived and it has had a round trip and a little more; and a
 * probe asks when nothing arrives at all.
 *
 * Owns: what the timer rtx waits for while segments are tracked: a time-out, the
 * end of the reordering window, or the moment for a probe. Called by tcp_sack.c,
 * tcp_recover.c and tcp_timer.c.
 */
#include <net/stack/tcp.h>

/* A peer may wait so long before it acknowledges a lone segment (RFC 1122
 * 4.2.3.2 allows 500 ms; nobody takes that long). */
#define ACK_DELAY_MAX (200 * NS_MS)
#define PTO_MIN       (1 * NS_MS)
#define MIN_RTT_AGE   (300 * NS_SEC) /* a path may change for the worse, too */

/* --- which segment was delivered last (6.2, steps 1 to 3) -------------------------- */
/* Was it an earlier copy that arrived? The echoed stamp tells when the left edge
 * has moved; else a round trip that is too short to be one. */
static bool answers_original(const struct tcb *t, const struct tcp_in *in, const struct tcp_rec *r,
                             uint64_t rtt, bool cumulative)
{
    uint32_t stamp = (uint32_t)(r->sent_ns / NS_MS) + t->ts_offset;

    if (cumulative && t->ts_on && in->ts_on && (int32_t)(in->tsecr - stamp) < 0)
        return true;
    return t->rc.min_rtt_ns != NS_NEVER && rtt < t->rc.min_rtt_ns;
}

void tcp_rack_update(struct tcb *t, const struct tcp_in *in, const struct tcp_rec *r, bool cumulative)
{
    struct tcp_recovery *c = &t->rc;
    uint64_t now = t->s.ns->now, rtt = now > r->sent_ns ? now - r->sent_ns : 0;

    if (seq_gt(r->end, c->fack))
        c->fack = r->end;
    if (r->flags & REC_RETRANS) {
        if (answers_original(t, in, r, rtt, cumulative))
            return;
    } else if (rtt < c->min_rtt_ns || now - c->min_rtt_at > MIN_RTT_AGE) {
        c->min_rtt_ns = rtt;
        c->min_rtt_at = now;
    }
    if (r->sent_ns > c->xmit_ns) {
        c->xmit_ns = r->sent_ns;
        c->rtt_ns = rtt;
    }
}

/* --- the reordering window (6.2, step 4) --------------------------------------------- */
void tcp_rack_dsack(struct tcb *t, bool left_recovery)
{
    struct tcp_recovery *c = &t->rc;

    if (c->dsack_round_on && seq_geq(t->snd_una, c->dsack_round))
        c->dsack_round_on = false;
    if (c->dsack_now && !c->dsack_round_on) { /* widen it once a round trip at most */
        c->dsack_round_on = true;
        c->dsack_round = t->snd_nxt;
        if (c->reo_wnd_mult < 64)
            c->reo_wnd_mult++;
        c->reo_wnd_persist = 16;
    } else if (left_recovery && c->reo_wnd_persist != 0 && --c->reo_wnd_persist == 0) {
        c->reo_wnd_mult = 1;
    }
}

static uint64_t reo_wnd(const struct tcb *t)
{
    const struct tcp_recovery *c = &t->rc;
    uint64_t w = c->min_rtt_ns / 4 * c->reo_wnd_mult, srtt = t->srtt_us * 1000ull;

    if (c->min_rtt_ns == NS_NEVER || (!c->reordering_seen && (t->in_recovery || c->in_loss || c->sacked_n >= 3)))
        return 0;
    return w < srtt ? w : srtt;
}

/* --- which segments are lost (6.2, step 5) ------------------------------------------- */
void tcp_rack_detect(struct tcb *t)
{
    struct tcp_recovery *c = &t->rc;
    uint64_t now = t->s.ns->now, patience = c->rtt_ns + reo_wnd(t), last = 0;

    c->reo_at = 0;
    for (uint32_t i = c->head, stop = c->head + c->n; i < stop;) {
        struct tcp_rec *r = &c->rec[i];
        if (r->flags & REC_SACKED) {
            i += r->run;
            continue;
        }
        i++;
        if (r->sent_ns >= c->xmit_ns) {
            if (!(r->flags & REC_RETRANS))
                break; /* and whatever follows was sent later still */
            continue;
        }
        if (r->flags & REC_LOST)
            continue;
        if (r->sent_ns + patience <= now)
            tcp_rec_lost(t, r);
        else if (r->sent_ns + patience > last)
            last = r->sent_ns + patience;
    }
    c->reo_at = last;
}

void tcp_reo_fire(struct tcb *t)
{
    struct tcp_recovery *c = &t->rc;

    tcp_rack_detect(t);
    if (c->lost != 0 && !t->in_recovery && !c->in_loss)
        tcp_recovery_enter(t);
    if (t->in_recovery)
        tcp_prr(t, 0);
    tcp_rtx_schedule(t);
    tcp_output(t);
}

/* 6.3: of what was sent just now nobody can know yet. */
void tcp_rack_on_rto(struct tcb *t)
{
    struct tcp_recovery *c = &t->rc;
    uint64_t patience = c->rtt_ns + reo_wnd(t);

    if (c->rec[c->head].flags & REC_SACKED)
        tcp_rec_renege(t);
    for (uint32_t i = c->head, stop = c->head + c->n; i < stop; i++) {
        struct tcp_rec *r = &c->rec[i];
        if ((r->flags & (REC_SACKED | REC_LOST)) == 0 &&
            (i == c->head || r->sent_ns + patience <= t->s.ns->now))
            tcp_rec_lost(t, r);
    }
    c->reo_at = 0;
    c->tlp_on = false;
}

/* --- the loss probe (section 7) --------------------------------------------------------- */
/* New text if there is some and the peer has room, else the last segment again; in
 * recovery the first that is missing. The congestion window may be passed by one. */
void tcp_tlp_fire(struct tcb *t)
{
    struct tcp_recovery *c = &t->rc;
    uint32_t nxt = t->snd_nxt, cwnd = t->cwnd, i;

    c->tlp_n++;
    if (c->tlp_n == 1)
        c->rto_at = t->s.ns->now + tcp_rto(t); /* 7.3: the probe's answer must have its time */
    tcp_rtx_schedule(t);
    t->s.ns->count.tlp_sent++;
    if (!t->in_recovery && !c->in_loss && tcp_unsent(t)) {
        t->cwnd = tcp_pipe(t) + t->snd_mss;
        tcp_output(t);
        t->cwnd = cwnd;
    }
    c->tlp_is_retrans = t->snd_nxt == nxt;
    if (c->tlp_is_retrans) {
        if (c->n == 0)
            return; /* it went back to the first one meanwhile: the time-out repeats that */
        i = t->in_recovery || c->in_loss ? c->head : c->head + c->n - 1;
        while (i > c->head && (c->rec[i].flags & REC_SACKED))
            i--;
        if (!tcp_retransmit(t, i))
            return;
    }
    c->tlp_on = c->attend = true;
    c->tlp_end_seq = t->snd_nxt;
    c->tlp_ts = tcp_ts_now(t->s.ns, t->ts_offset);
}

/* 7.4: was the probe needed? The time stamp tells at once; without one, an ACK
 * beyond the probe with no report of a duplicate. */
bool tcp_tlp_acked(struct tcb *t, const struct tcp_in *in, bool advanced)
{
    struct tcp_recovery *c = &t->rc;

    if (seq_lt(in->ack, c->tlp_end_seq))
        return false;
    if (!c->tlp_is_retrans || c->dsack_now) {
        c->tlp_on = false;
        return false;
    }
    if (t->ts_on && advanced) {
        c->tlp_on = false;
        return (int32_t)(in->tsecr - c->tlp_ts) >= 0;
    }
    if (seq_gt(in->ack, c->tlp_end_seq)) {
        c->tlp_on = false;
        return true;
    }
    if (!advanced && in->len == 0 && in->sack_n == 0)
        c->tlp_on = false; /* both copies arrived */
    return false;
}

/* --- the timer ------------------------------------------------------------------------------ */
/* 7.2, with the probes repeated and backed off as in RFC 9002 6.2: with few
 * segments in flight all of them, and the probe, are easily lost, and waiting for
 * the time-out then costs a hundred round trips. */
static uint64_t pto(struct tcb *t)
{
    uint64_t wait = 2000ull * t->srtt_us;
    uint32_t flight = t->snd_nxt - t->snd_una;

    /* A peer whose window is full has something to say at once when it opens it. */
    t->rc.lone = t->rc.sacked_n == 0 && flight <= t->snd_mss && flight + t->snd_mss <= t->snd_wnd;
    if (wait < PTO_MIN)
        wait = PTO_MIN;
    wait <<= t->rc.tlp_n;
    wait += tcp_line_ns(t, flight + t->path.mtu);
    return t->rc.lone ? wait + ACK_DELAY_MAX : wait;
}

/* Segments are in flight, and rto_at is known: what is due first? */
void tcp_rtx_schedule(struct tcb *t)
{
    struct tcp_recovery *c = &t->rc;
    uint64_t when = c->rto_at;

    c->rtx_kind = RTX_RTO;
    if (c->n != 0 && c->reo_at != 0) {
        if (c->reo_at < when) {
            when = c->reo_at;
            c->rtx_kind = RTX_REO;
        }
    } else if (c->n != 0 && c->tlp_n < TCP_TLP_MAX && t->backoff == 0 && t->srtt_us != 0) { /* C-SACK-3 */
        uint64_t probe = t->s.ns->now + pto(t);
        if (probe < when) {
            when = probe;
            c->rtx_kind = RTX_TLP;
        }
    }
    timer_set(t->s.ns, &t->rtx, when);
}
