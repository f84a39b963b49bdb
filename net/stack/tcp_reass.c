/* SPDX-License-Identifier: MIT
 *
 * net/stack/tcp_reass.c: received text, in order and out of order.
 *
 * Owns: rcv_nxt's advance, the receive queue's tail, the list of pieces that
 * came ahead of their turn (sorted, disjoint, never touching, at most
 * TCP_OOO_MAX of them). tcp_input.c has trimmed the segment to the window.
 */
#include <net/stack/tcp.h>

#define EARLY_MIN 256u /* below it two short passes are as cheap */

/* The application's own buffer takes what comes in turn, as long as nothing that
 * came before waits elsewhere. */
static bool post_fits(const struct tcb *t, uint32_t len)
{
    return t->post != NULL && t->rcv.bytes == 0 && t->post_room - t->post_len >= len;
}

static void ooo_remove(struct tcb *t, struct ooo **at)
{
    struct ooo *o = *at;

    *at = o->next;
    t->ooo_n--;
    bufq_free(t->s.ns, &o->q);
    ns_free(t->s.ns, o);
}

void tcp_ooo_free(struct tcb *t)
{
    while (t->ooo != NULL)
        ooo_remove(t, &t->ooo);
}

/* `o` grew: join it with its successor when they meet. */
static void join_next(struct tcb *t, struct ooo *o)
{
    struct ooo *n = o->next;

    if (n == NULL || n->seq != o->end)
        return;
    bufq_splice(t->s.ns, &o->q, &n->q);
    o->end = n->end;
    ooo_remove(t, &o->next);
}

static struct ooo *ooo_new(struct tcb *t, struct ooo **at, uint32_t seq)
{
    struct ooo *o;

    if (t->ooo_n >= TCP_OOO_MAX || (o = ns_alloc(t->s.ns, sizeof(*o))) == NULL) /* C-TCP-4 */
        return NULL;
    o->seq = o->end = seq;
    o->next = *at;
    *at = o;
    t->ooo_n++;
    return o;
}

/* Keep what of [seq, seq+len) is not here yet. What there is no memory or place
 * for is left to a retransmission. */
static void ooo_insert(struct tcb *t, uint32_t seq, const uint8_t *data, uint32_t len)
{
    struct ooo **at = &t->ooo;

    while (len > 0) {
        struct ooo *o;
        uint32_t take;
        while (*at != NULL && seq_lt((*at)->end, seq))
            at = &(*at)->next;
        o = *at;
        if (o != NULL && seq_leq(o->seq, seq)) { /* o->seq <= seq <= o->end */
            uint32_t have = o->end - seq;
            if (have >= len) {
                tcp_dsack(t, seq, seq + len);
                return;
            }
            seq += have;
            data += have;
            len -= have;
        } else if ((o = ooo_new(t, at, seq)) == NULL) {
            return;
        }
        take = o->next != NULL && seq_lt(o->next->seq, seq + len) ? o->next->seq - seq : len;
        if (!bufq_put(t->s.ns, &o->q, data, take)) {
            if (o->seq == o->end)
                ooo_remove(t, at);
            return;
        }
        o->end += take;
        o->stamp = ++t->ooo_stamp;
        seq += take;
        data += take;
        len -= take;
        join_next(t, o);
    }
}

void tcp_ooo_put(struct tcb *t, uint32_t seq, const uint8_t *data, uint32_t len)
{
    ooo_insert(t, seq, data, len);
}

static void drain(struct tcb *t)
{
    while (t->ooo != NULL && seq_leq(t->ooo->seq, t->rcv_nxt)) {
        struct ooo *o = t->ooo;
        if (seq_gt(o->end, t->rcv_nxt)) {
            bufq_drop(t->s.ns, &o->q, t->rcv_nxt - o->seq);
            t->rcv_nxt = o->end;
            if (!t->rd_shut)
                bufq_splice(t->s.ns, &t->rcv, &o->q);
        }
        ooo_remove(t, &t->ooo);
    }
}

/* Worth it for text of some length that is next in turn: what is likely. The place
 * is the one that store() finds as long as nothing comes between. */
bool tcp_text_early(struct tcb *t, struct tcp_in *in, uint64_t *sum)
{
    if (t->state != TCP_ESTABLISHED || (in->flags & ~TCP_PSH) != TCP_ACK || in->seq != t->rcv_nxt ||
        in->len < EARLY_MIN || in->len > CHUNK_BYTES || seq_gt(in->seq + in->len, t->rcv_adv) ||
        t->ooo != NULL || t->rd_shut)
        return false;
    if (post_fits(t, in->len)) {
        *sum = csum_copy(*sum, t->post + t->post_len, in->data, in->len);
        in->early_in = EARLY_POST;
    } else {
        if (!bufq_early_put(t->s.ns, &t->rcv, &in->early, in->data, in->len, sum))
            return false;
        in->early_in = EARLY_QUEUE;
    }
    in->early_len = in->len;
    return true;
}

/* Text that is next in turn, to the reader. False: no memory. */
static bool store(struct tcb *t, struct tcp_in *in)
{
    bool early = in->early_in != EARLY_NONE && in->early_len == in->len;

    if (t->rd_shut)
        return true;
    if (post_fits(t, in->len)) {
        if (!early || in->early_in != EARLY_POST)
            memcpy(t->post + t->post_len, in->data, in->len);
        t->post_len += in->len;
        return true;
    }
    if (early && in->early_in == EARLY_QUEUE) {
        bufq_early_keep(&t->rcv, &in->early);
        return true;
    }
    return bufq_put(t->s.ns, &t->rcv, in->data, in->len);
}

/* The peer says once where its text ends. A FIN before text that is here, and text
 * behind a FIN, contradict that: they are not taken. */
static void take_fin(struct tcb *t, const struct tcp_in *in)
{
    uint32_t at = in->seq + in->len, have = t->rcv_nxt;

    for (const struct ooo *o = t->ooo; o != NULL; o = o->next)
        have = o->end;
    t->ack_now = true;
    if (t->fin_seen || seq_lt(at, have)) /* C-TCP-8 */
        return;
    t->fin_seen = true;
    t->fin_at = at;
}

void tcp_text(struct tcb *t, struct tcp_in *in)
{
    struct netstack *ns = t->s.ns;

    if (in->flags & TCP_FIN)
        take_fin(t, in);
    if (t->fin_seen && seq_gt(in->seq + in->len, t->fin_at))
        in->len = seq_lt(in->seq, t->fin_at) ? t->fin_at - in->seq : 0;
    if (in->len == 0)
        return;
    if (in->seq != t->rcv_nxt) {
        ns->count.tcp_ooo++;
        ooo_insert(t, in->seq, in->data, in->len);
        t->ack_now = true; /* tells the sender of the gap, RFC 5681 4.2 */
        t->quick_acks = TCP_QUICK_ACKS;
        return;
    }
    if (!store(t, in)) {
        t->ack_now = true; /* no memory: as if it had been lost */
        if (in->flags & TCP_FIN)
            t->fin_seen = false;
        return;
    }
    t->rcv_nxt += in->len;
    if (t->ooo != NULL) {
        drain(t);
        t->ack_now = true; /* a gap was filled, or a part of it: RFC 5681 4.2, C-STATE-5 */
    }
    sock_changed(&t->s);
    if (++t->ack_pending >= 2) { /* at least every second segment, RFC 1122 4.2.3.2 */
        t->ack_now = true;
    } else if (t->quick_acks != 0) {
        t->quick_acks--;
        t->ack_now = true;
    } else if (!t->ack_now) {
        timer_set(ns, &t->delack, ns->now + TCP_DELACK);
    }
}
