/* SPDX-License-Identifier: MIT
 *
 * net/stack/tcp_sack.c: the scoreboard: one record for each segment in flight
 * (RFC 2018, RFC 6675 section 3).
 *
 * Owns: t->rc's records and their sums. An array in sequence order: new segments
 * go to its end, acknowledged ones leave at its head. A run of segments that the
 * peer has is skipped in one step, so that a search costs as much as there are
 * holes. Called by tcp_ack.c, tcp_recover.c, tcp_output.c.
 *
 * A block that covers a segment in part is as good as none: what is cut up on
 * the way is repeated whole.
 */
#include <net/stack/tcp.h>

struct spare { /* an unused array of TCP_RECS_FEW */
    struct spare *next;
};

/* --- memory ---------------------------------------------------------------------- */
static void array_free(struct netstack *ns, struct tcp_rec *rec, uint32_t room)
{
    struct spare *s = (struct spare *)(void *)rec;

    if (room != TCP_RECS_FEW || ns->rec_nspare >= TCP_RECS_KEPT) {
        ns_free(ns, rec);
        return;
    }
    s->next = ns->rec_spare;
    ns->rec_spare = s;
    ns->rec_nspare++;
}

static struct tcp_rec *array_new(struct netstack *ns, uint32_t room)
{
    struct spare *s = ns->rec_spare;

    if (room != TCP_RECS_FEW || s == NULL)
        return ns_alloc(ns, room * sizeof(struct tcp_rec));
    ns->rec_spare = s->next;
    ns->rec_nspare--;
    return (struct tcp_rec *)(void *)s;
}

void tcp_rec_pool_free(struct netstack *ns)
{
    while (ns->rec_spare != NULL) {
        struct spare *s = ns->rec_spare;
        ns->rec_spare = s->next;
        ns_free(ns, s);
    }
}

/* Room behind the last record: by moving what is left of them to the front when
 * that is worth it, else in a larger array. */
static bool make_room(struct tcb *t)
{
    struct tcp_recovery *c = &t->rc;
    uint32_t room = c->room > TCP_RECS_OWN ? 2 * c->room : TCP_RECS_FEW;
    struct tcp_rec *bigger = NULL;

    if ((c->head == 0 || c->head < c->n) && room <= TCP_RECS_MAX)
        bigger = array_new(t->s.ns, room);
    if (bigger != NULL) {
        memcpy(bigger, c->rec + c->head, c->n * sizeof(*c->rec));
        if (c->rec != c->own)
            array_free(t->s.ns, c->rec, c->room);
        c->rec = bigger;
        c->room = room;
    } else if (c->head > c->n / 8) {
        memmove(c->rec, c->rec + c->head, c->n * sizeof(*c->rec));
    } else {
        return false;
    }
    c->head = 0;
    return true;
}

/* The array is full to its end. False: an acknowledgement must come first. */
bool tcp_rec_room(struct tcb *t) /* C-SACK-1 */
{
    if (t->rc.n == 0 && t->snd_nxt != t->snd_una)
        return true; /* what went before is not tracked, and this will not be */
    return make_room(t);
}

void tcp_rec_shrink(struct tcb *t)
{
    struct tcp_recovery *c = &t->rc;

    if (c->rec != NULL && c->rec != c->own)
        array_free(t->s.ns, c->rec, c->room);
    c->rec = c->own;
    c->room = TCP_RECS_OWN;
    c->head = 0;
}

void tcp_rec_forget(struct tcb *t)
{
    struct tcp_recovery *c = &t->rc;

    tcp_rec_shrink(t);
    c->n = 0;
    c->sacked = c->lost = c->sacked_n = 0;
    c->reo_at = 0;
    c->attend = t->in_recovery || c->in_loss || c->undo_on || c->tlp_on;
}

/* --- finding and marking ------------------------------------------------------------ */
uint32_t tcp_rec_at(const struct tcb *t, uint32_t seq)
{
    uint32_t low = t->rc.head, high = low + t->rc.n;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (seq_lt(t->rc.rec[middle].seq, seq))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A round trip can be measured by a segment that was sent once and reported by
 * nothing but this acknowledgement. */
uint64_t tcp_rec_sent_once(const struct tcb *t, uint32_t ack)
{
    const struct tcp_recovery *c = &t->rc;
    uint32_t i;

    if (c->n == 0 || (i = tcp_rec_at(t, ack)) == c->head || c->rec[i - 1].flags != 0)
        return 0;
    return c->rec[i - 1].sent_ns < t->s.ns->now ? c->rec[i - 1].sent_ns : t->s.ns->now;
}

void tcp_rec_lost(struct tcb *t, struct tcp_rec *r)
{
    struct tcp_recovery *c = &t->rc;

    if (c->lost == 0 || seq_lt(r->seq, c->lost_from))
        c->lost_from = r->seq;
    r->flags |= REC_LOST;
    c->lost += r->end - r->seq;
    t->s.ns->count.rack_lost++;
}

/* What `r` counts for in the sums ends, for `bytes` of it. */
static void uncount(struct tcp_recovery *c, const struct tcp_rec *r, uint32_t bytes)
{
    if (r->flags & REC_SACKED)
        c->sacked -= bytes;
    else if (r->flags & REC_LOST)
        c->lost -= bytes;
}

/* One in two: the first with so many bytes. False: no memory. */
bool tcp_rec_split(struct tcb *t, uint32_t i, uint32_t bytes)
{
    struct tcp_recovery *c = &t->rc;
    uint32_t place = i - c->head;
    struct tcp_rec *r;

    if (c->head + c->n == c->room && !make_room(t))
        return false;
    r = c->rec + c->head + place;
    memmove(r + 1, r, (c->n - place) * sizeof(*r));
    c->n++;
    c->sacked_n += (r->flags & REC_SACKED) != 0;
    r[0].end = r[1].seq = r[0].seq + bytes;
    return true;
}

/* The peer has given up what it had reported (RFC 2018 section 8): nothing of it
 * counts. */
void tcp_rec_renege(struct tcb *t)
{
    struct tcp_recovery *c = &t->rc;

    for (uint32_t i = c->head; i < c->head + c->n; i++)
        c->rec[i].flags &= (uint8_t)~REC_SACKED;
    c->sacked = c->sacked_n = 0;
    t->s.ns->count.sack_reneged++;
}

/* A slow line refused the segment at seq: as the last one it was never sent (all),
 * as a repeated one it is still to be repeated. */
void tcp_rec_unsend(struct tcb *t, uint32_t seq, bool all)
{
    struct tcp_recovery *c = &t->rc;
    uint32_t i = tcp_rec_at(t, seq);

    if (c->n == 0)
        return;
    if (all) {
        for (uint32_t j = i; j < c->head + c->n; j++) {
            uncount(c, &c->rec[j], c->rec[j].end - c->rec[j].seq);
            c->sacked_n -= (c->rec[j].flags & REC_SACKED) != 0;
        }
        c->n = i - c->head;
        if (c->n == 0)
            tcp_rec_forget(t);
    } else if (i < c->head + c->n && (c->rec[i].flags & (REC_SACKED | REC_LOST)) == 0) {
        tcp_rec_lost(t, &c->rec[i]);
    }
}

/* Where a segment ended is not known any more: full ones are as good a guess as
 * any, sent when the last one was. */
void tcp_rec_rebuild(struct tcb *t)
{
    struct tcp_recovery *c = &t->rc;

    c->recover_fs = t->snd_max - t->snd_una;
    if (t->state < TCP_ESTABLISHED || c->recover_fs == 0)
        t->in_recovery = false; /* whatever the record says: from nothing */
    c->attend = t->in_recovery;
    if (!t->sack_ok || t->state < TCP_ESTABLISHED || t->snd_nxt == t->snd_una)
        return;
    for (uint32_t seq = t->snd_una, len; seq != t->snd_nxt; seq += len) {
        len = t->snd_nxt - seq < t->snd_mss ? t->snd_nxt - seq : t->snd_mss;
        if (c->n == c->room && !make_room(t)) {
            tcp_rec_forget(t);
            return;
        }
        c->rec[c->n++] = (struct tcp_rec){.sent_ns = t->sent_ns + c->n, .seq = seq, .end = seq + len};
    }
}

/* --- what an acknowledgement says --------------------------------------------------------- */
/* snd_una has moved: records leave. Most carry no flag and need nothing but the
 * time at which the last of them was sent. */
uint32_t tcp_sack_advance(struct tcb *t, const struct tcp_in *in)
{
    struct tcp_recovery *c = &t->rc;
    uint32_t una = t->snd_una, sacked = c->sacked, left = c->n;
    struct tcp_rec *r = c->rec + c->head, *newest = NULL;

    for (; left != 0 && seq_leq(r->end, una); r++, left--) {
        if ((r->flags | c->sacked_n) == 0) {
            newest = r;
            continue;
        }
        uncount(c, r, r->end - r->seq);
        if (r->flags & REC_SACKED) {
            c->sacked_n--;
        } else {
            if (!(r->flags & REC_RETRANS) && seq_lt(r->end, c->fack_was))
                c->reordering_seen = true; /* came after later ones, though sent once */
            tcp_rack_update(t, in, r, true);
        }
    }
    if (newest != NULL)
        tcp_rack_update(t, in, newest, true);
    if (left == 0) { /* the sums are zero by themselves */
        c->n = c->head = 0;
        c->reo_at = 0;
        if (c->rec != c->own)
            tcp_rec_shrink(t);
        return sacked;
    }
    if (seq_lt(r->seq, una)) {
        uncount(c, r, una - r->seq);
        r->seq = una;
    }
    c->head += c->n - left;
    c->n = left;
    return sacked - c->sacked;
}

static uint32_t sack_one(struct tcb *t, const struct tcp_in *in, struct tcp_rec *r)
{
    struct tcp_recovery *c = &t->rc;

    if (!(r->flags & REC_RETRANS) && seq_lt(r->end, c->fack_was))
        c->reordering_seen = true;
    uncount(c, r, r->end - r->seq);
    r->flags = (uint8_t)((r->flags & ~REC_LOST) | REC_SACKED);
    r->run = 1;
    c->sacked += r->end - r->seq;
    c->sacked_n++;
    tcp_rack_update(t, in, r, false);
    return r->end - r->seq;
}

static uint32_t mark_block(struct tcb *t, const struct tcp_in *in, uint32_t start, uint32_t end)
{
    struct tcp_recovery *c = &t->rc;
    uint32_t first = tcp_rec_at(t, start), i = first, stop = c->head + c->n, delivered = 0;

    while (i < stop && seq_leq(c->rec[i].end, end)) {
        if (c->rec[i].flags & REC_SACKED)
            i += c->rec[i].run;
        else
            delivered += sack_one(t, in, &c->rec[i++]);
    }
    if (i > stop)
        i = stop;
    if (i > first)
        c->rec[first].run = (uint16_t)(i - first);
    return delivered;
}

/* RFC 2883: the first block may speak of what came twice. */
static bool is_dsack(const struct tcp_in *in, uint32_t start, uint32_t end)
{
    if (seq_leq(end, in->ack))
        return true;
    return in->sack_n > 1 && seq_geq(start, get32(in->sack + 8)) && seq_leq(end, get32(in->sack + 12));
}

uint32_t tcp_sack_blocks(struct tcb *t, const struct tcp_in *in)
{
    uint32_t delivered = 0;

    t->s.ns->count.sack_in++;
    for (uint32_t i = 0; i < in->sack_n; i++) {
        uint32_t start = get32(in->sack + 8 * i), end = get32(in->sack + 8 * i + 4);
        if (!seq_lt(start, end) || seq_gt(end, t->snd_max))
            continue; /* C-SACK-2 */
        if (i == 0 && is_dsack(in, start, end)) {
            t->rc.dsack_now = true;
            t->s.ns->count.dsack_in++;
            continue;
        }
        if (seq_lt(start, t->snd_una))
            start = t->snd_una;
        if (t->rc.n != 0 && seq_lt(start, end))
            delivered += mark_block(t, in, start, end);
    }
    return delivered;
}
