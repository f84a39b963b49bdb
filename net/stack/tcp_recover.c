/* SPDX-License-Identifier: MIT
 *
 * net/stack/tcp_recover.c: loss recovery of a connection whose segments are
 * tracked: when it begins and ends (RFC 6675), how much may be sent meanwhile
 * (RFC 6937), and what happens when it turns out that nothing was lost (RFC 3522,
 * RFC 4015).
 *
 * Owns: in_recovery, rc.in_loss, and cwnd while they last. Called by tcp_ack.c for
 * the acknowledgements that need it (rc.attend), tcp_rack.c and tcp_timer.c.
 */
#include <net/stack/tcp.h>

void tcp_recovery_init(struct tcb *t)
{
    memset(&t->rc, 0, sizeof(t->rc));
    t->rc.rec = t->rc.own;
    t->rc.room = TCP_RECS_OWN;
    t->rc.min_rtt_ns = t->srtt_us != 0 ? t->srtt_us * 1000ull : NS_NEVER; /* the handshake's */
    t->rc.min_rtt_at = t->s.ns->now;
    t->rc.reo_wnd_mult = 1;
    t->cwnd_full = t->snd_una;
    t->flight_peak[0] = t->flight_peak[1] = 0;
    t->rc.fack = t->snd_una;
}

/* --- undo ------------------------------------------------------------------------ */
/* Is something in flight that was sent again before? */
static bool repeated_before(const struct tcb *t)
{
    const struct tcp_recovery *c = &t->rc;

    for (uint32_t i = c->head; i < c->head + c->n; i++)
        if ((c->rec[i].flags & (REC_RETRANS | REC_SACKED)) == REC_RETRANS)
            return true;
    return false;
}

void tcp_undo_save(struct tcb *t) /* C-SACK-4 */
{
    struct tcp_recovery *c = &t->rc;
    bool before = repeated_before(t);

    c->undo_on = false;
    if (!before)
        c->repeated = false;
    if (!t->ts_on || (before && !c->repeated) || (c->n == 0 && seq_gt(t->recover, t->snd_una)))
        return; /* since when there have been repetitions is not known */
    c->undo_on = c->attend = true;
    c->undo_ts = c->repeated ? c->repeat_ts : tcp_ts_now(t->s.ns, t->ts_offset);
    c->undo_cwnd = t->cwnd;
    c->undo_ssthresh = t->ssthresh;
    memcpy(c->undo_priv, t->cc_priv, sizeof(c->undo_priv));
}

/* The first acknowledgement of something new since the first repetition: if it
 * echoes an older stamp, then the original arrived, only late. */
bool tcp_undo(struct tcb *t, const struct tcp_in *in)
{
    struct tcp_recovery *c = &t->rc;

    if (!c->undo_on)
        return false;
    c->undo_on = false;
    if (!in->ts_on || in->tsecr == 0 || (int32_t)(in->tsecr - c->undo_ts) >= 0)
        return false;
    t->s.ns->count.tcp_spurious++;
    if (t->cwnd < c->undo_cwnd)
        t->cwnd = c->undo_cwnd;
    t->ssthresh = c->undo_ssthresh;
    memcpy(t->cc_priv, c->undo_priv, sizeof(t->cc_priv));
    for (uint32_t i = c->head; i < c->head + c->n; i++)
        c->rec[i].flags &= (uint8_t)~REC_LOST;
    c->lost = 0;
    t->in_recovery = c->in_loss = false;
    if (c->n == 0)
        t->snd_nxt = t->snd_max;
    t->recover = t->snd_una - 1;
    return true;
}

/* --- sending again ------------------------------------------------------------------ */
bool tcp_retransmit(struct tcb *t, uint32_t i)
{
    struct tcp_recovery *c = &t->rc;
    struct tcp_rec *r;
    uint32_t fin = tcp_fin_seq(t), bytes = c->rec[i].end - c->rec[i].seq;
    uint8_t flags = TCP_ACK;

    if (bytes - seq_gt(c->rec[i].end, fin) > t->snd_mss) { /* the path has become narrower */
        uint32_t left = c->head + c->n - i;
        if (!tcp_rec_split(t, i, t->snd_mss)) {
            tcp_rewind(t);
            tcp_later(t);
            return false;
        }
        i = c->head + c->n - 1 - left; /* the array may have moved */
    }
    r = &c->rec[i];
    bytes = r->end - r->seq;
    if (seq_gt(r->end, fin))
        flags |= TCP_FIN;
    if (seq_geq(r->end, fin))
        flags |= TCP_PSH;
    if (tcp_xmit(t, r->seq, bytes - ((flags & TCP_FIN) != 0), flags) < 0) {
        tcp_later(t);
        return false;
    }
    if (!c->repeated) {
        c->repeated = true;
        c->repeat_ts = tcp_ts_now(t->s.ns, t->ts_offset);
    }
    if (r->flags & REC_LOST)
        c->lost -= bytes;
    r->flags = (uint8_t)((r->flags & ~REC_LOST) | REC_RETRANS);
    r->sent_ns = tcp_rec_stamp(t);
    if (t->in_recovery)
        c->prr_out += bytes;
    if (i == c->head) { /* RFC 6298 5.1: it has its own time to be answered */
        c->rto_at = t->s.ns->now + tcp_rto(t);
        tcp_rtx_schedule(t);
    }
    return true;
}

/* What is deemed lost, lowest first, as far as the windows allow. */
void tcp_repeat_lost(struct tcb *t)
{
    struct tcp_recovery *c = &t->rc;

    while (c->lost != 0 && !t->line_full && !tcp_line_busy(t)) {
        uint32_t i = tcp_rec_at(t, c->lost_from), pipe = tcp_pipe(t), bytes;
        if (i > c->head && seq_gt(c->rec[i - 1].end, c->lost_from))
            i--; /* its beginning was acknowledged */
        while (i < c->head + c->n && !(c->rec[i].flags & REC_LOST))
            i += c->rec[i].flags & REC_SACKED ? c->rec[i].run : 1;
        if (i >= c->head + c->n)
            return;
        c->lost_from = c->rec[i].seq;
        bytes = c->rec[i].end - c->rec[i].seq;
        if (pipe != 0 && pipe + (bytes < t->snd_mss ? bytes : t->snd_mss) > t->cwnd)
            return;
        if (i != c->head && seq_gt(c->rec[i].end, t->snd_una + t->snd_wnd))
            return;
        if (!tcp_retransmit(t, i))
            return;
    }
}

void tcp_rewind(struct tcb *t)
{
    if (t->in_recovery)
        t->cwnd = t->ssthresh;
    t->in_recovery = t->rc.in_loss = t->rc.tlp_on = t->rc.undo_on = false;
    tcp_rec_forget(t);
    t->snd_nxt = t->snd_una;
}

/* --- how much may be sent (RFC 6937 section 3) ----------------------------------------- */
void tcp_prr(struct tcb *t, uint32_t delivered)
{
    struct tcp_recovery *c = &t->rc;
    uint32_t pipe = tcp_pipe(t), count;

    if (c->recover_fs == 0) /* recovery began by duplicate ACKs, before anything was tracked */
        c->recover_fs = t->snd_max - t->snd_una + 1;
    c->prr_delivered += delivered;
    if (pipe > t->ssthresh) {
        uint64_t quota = ((uint64_t)c->prr_delivered * t->ssthresh + c->recover_fs - 1) / c->recover_fs;
        count = quota > c->prr_out ? (uint32_t)quota - c->prr_out : 0;
    } else { /* slow-start reduction bound */
        uint32_t saved = c->prr_delivered > c->prr_out ? c->prr_delivered - c->prr_out : 0;
        uint32_t limit = (saved > delivered ? saved : delivered) + t->snd_mss, gap = t->ssthresh - pipe;
        count = gap < limit ? gap : limit;
    }
    if (c->prr_out == 0 && count < t->snd_mss)
        count = t->snd_mss; /* the first repetition goes out in any case */
    t->cwnd = pipe + count;
}

void tcp_recovery_enter(struct tcb *t)
{
    struct tcp_recovery *c = &t->rc;

    t->s.ns->count.recoveries++;
    if (c->rec[c->head].flags & REC_LOST) /* else the next news is of what was repeated before this */
        tcp_undo_save(t);
    t->ssthresh = t->cc->ssthresh(t);
    t->recover = t->snd_max;
    t->in_recovery = true;
    c->recover_fs = t->snd_max - t->snd_una;
    c->prr_delivered = c->prr_out = 0;
    c->tlp_on = false;
    c->attend = true;
}

static void leave(struct tcb *t)
{
    if (t->in_recovery)
        t->cwnd = t->ssthresh;
    t->in_recovery = t->rc.in_loss = t->rc.undo_on = false;
    t->dupacks = 0;
    t->recover = t->snd_una - 1;
}

/* The probe repaired a loss that nobody noticed (RFC 8985 7.4.2): the network is
 * owed the reduction all the same. */
static void reduce_for_probe(struct tcb *t)
{
    t->s.ns->count.tlp_repaired++;
    t->ssthresh = t->cc->ssthresh(t);
    t->cwnd = t->ssthresh;
}

/* `delivered`: bytes that snd_una's advance delivered. */
void tcp_recovery(struct tcb *t, const struct tcp_in *in, uint32_t delivered, bool advanced)
{
    struct tcp_recovery *c = &t->rc;
    bool left = false, was = t->in_recovery || c->in_loss;

    c->dsack_now = false;
    if (in->sack_n != 0)
        delivered += tcp_sack_blocks(t, in);
    if (delivered != 0)
        c->tlp_n = 0;
    if (advanced && tcp_undo(t, in)) {
        left = true;
    } else if (was && seq_geq(t->snd_una, t->recover)) {
        leave(t);
        left = true;
    }
    if (c->tlp_on && tcp_tlp_acked(t, in, advanced) && !was)
        reduce_for_probe(t);
    tcp_rack_dsack(t, left);
    if (c->n != 0)
        tcp_rack_detect(t);
    if (c->lost != 0 && !t->in_recovery && !c->in_loss)
        tcp_recovery_enter(t);
    if (t->in_recovery)
        tcp_prr(t, delivered);
    c->attend = t->in_recovery || c->in_loss || c->undo_on || c->tlp_on || c->sacked_n != 0 || c->reo_at != 0;
    if (c->n != 0 && (delivered != 0 || c->reo_at != 0))
        tcp_rtx_schedule(t);
}
