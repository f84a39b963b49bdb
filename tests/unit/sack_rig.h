/* SPDX-License-Identifier: MIT
 *
 * tests/unit/sack_rig.h: a connection with SACK on the bench of tcp_rig.h, and
 * acknowledgements in shorthand: segments of MSS bytes have numbers from 0 on.
 *
 * Included once by each test program.
 */
#ifndef TESTS_UNIT_SACK_RIG_H
#define TESTS_UNIT_SACK_RIG_H

#include "tcp_rig.h"

#define RTT (100 * RIG_MS)

static struct tcb *t;
static uint32_t mss, first; /* sequence number of our segment 0 */
static bool stamps;
static uint32_t peer_clock, echo;

UNUSED static uint32_t at(uint32_t segment)
{
    return first + segment * mss;
}

/* The peer opens; its window is 65535 << scale. */
UNUSED static void accepted_sack(bool ts, int scale)
{
    struct seg g = seg(TCP_SYN, PEER_ISS, 0);
    struct out o;

    listen_here(5);
    g.mss = 1460;
    g.sack_ok = true;
    g.ts = stamps = ts;
    g.tsval = peer_clock = 7000;
    g.wscale = scale;
    rig_in(&g);
    o = rig_out();
    assert_true(o.any && o.flags == (TCP_SYN | TCP_ACK) && o.sack_ok && o.ts == ts);
    our_iss = o.seq;
    echo = o.tsval;
    rig.now += RTT;
    g = seg(TCP_ACK, PEER_ISS + 1, our_iss + 1);
    g.ts = ts;
    g.tsval = ++peer_clock;
    g.tsecr = echo;
    rig_in(&g);
    assert_int_equal(ns_accept(listener, &s, NULL), 0);
    t = (struct tcb *)s;
    mss = t->snd_mss;
    first = our_iss + 1;
    assert_true(t->sack_ok && t->srtt_us == RTT / 1000);
}

/* An ACK up to segment `ack`, with n blocks of segments [from, to). */
UNUSED static void ack_of(uint32_t ack, uint32_t n, const uint32_t *blocks)
{
    struct seg g = seg(TCP_ACK, PEER_ISS + 1, at(ack));

    g.ts = stamps;
    g.tsval = ++peer_clock;
    g.tsecr = echo;
    g.sack_n = n;
    for (uint32_t i = 0; i < 2 * n; i++)
        g.sack[i] = at(blocks[i]);
    rig_in(&g);
}
UNUSED static void acked(uint32_t ack)
{
    ack_of(ack, 0, NULL);
}
UNUSED static void sacked(uint32_t ack, uint32_t from, uint32_t to)
{
    ack_of(ack, 1, (uint32_t[]){from, to});
}

/* The number of the segment that goes out next; -1: none. */
UNUSED static int next_out(void)
{
    struct out o = rig_out();

    if (!o.any)
        return -1;
    if (stamps)
        echo = o.tsval;
    assert_true(o.text_len == mss && (o.seq - first) % mss == 0);
    return (int)((o.seq - first) / mss);
}
#define assert_out(...)                                                                                      \
    do {                                                                                                     \
        const int want_[] = {__VA_ARGS__, -1};                                                               \
        for (unsigned i_ = 0; i_ < sizeof(want_) / sizeof(want_[0]); i_++)                                   \
            assert_int_equal(next_out(), want_[i_]);                                                         \
    } while (0)
#define assert_quiet() assert_int_equal(next_out(), -1)

/* Time goes on to the next timer. */
UNUSED static void to_deadline(void)
{
    uint64_t when = netstack_deadline(rig.ns);

    assert_true(when != UINT64_MAX && when >= rig.now);
    rig.now = when;
    rig_run();
}

/* n segments' worth of text in the buffer; what the initial window allows goes. */
UNUSED static void send_segments(uint32_t n)
{
    assert_int_equal(ns_send(s, pattern, n * mss, 0, NULL), (int)(n * mss));
}

/* The scoreboard's sums are those of its records, which cover what is in flight. */
UNUSED static void check_board(void)
{
    uint32_t sack_bytes = 0, lost = 0, n = 0, seq = t->snd_una;

    for (uint32_t i = t->rc.head; i < t->rc.head + t->rc.n; i++) {
        const struct tcp_rec *r = &t->rc.rec[i];
        assert_int_equal(r->seq, seq);
        assert_true(seq_lt(r->seq, r->end));
        assert_true((r->flags & (REC_SACKED | REC_LOST)) != (REC_SACKED | REC_LOST));
        sack_bytes += r->flags & REC_SACKED ? r->end - r->seq : 0;
        lost += r->flags & REC_LOST ? r->end - r->seq : 0;
        n += (r->flags & REC_SACKED) != 0;
        seq = r->end;
    }
    if (t->rc.n != 0)
        assert_int_equal(seq, t->snd_nxt);
    assert_int_equal(sack_bytes, t->rc.sacked);
    assert_int_equal(lost, t->rc.lost);
    assert_int_equal(n, t->rc.sacked_n);
}

#endif
