/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_tcp_sack.c: SACK on both sides (RFC 2018, 2883, 6675): what a
 * receiver reports, and what a sender makes of it.
 */
#include "sack_rig.h"

/* --- the receiver -------------------------------------------------------------------- */
static void piece(uint32_t from, uint32_t len)
{
    struct seg g = seg(TCP_ACK, PEER_ISS + 1 + from, our_iss + 1);

    g.text = pattern + from;
    g.text_len = len;
    g.ts = stamps;
    g.tsval = ++peer_clock;
    g.tsecr = echo;
    rig_in(&g);
}

#define assert_blocks(o, ...)                                                                                \
    do {                                                                                                     \
        const uint32_t want_[] = {__VA_ARGS__};                                                              \
        const struct out o_ = (o);                                                                           \
        assert_int_equal(o_.sack_n, sizeof(want_) / 8);                                                      \
        for (unsigned i_ = 0; i_ < sizeof(want_) / 4; i_++)                                                  \
            assert_int_equal(o_.sack[i_], PEER_ISS + 1 + want_[i_]);                                        \
    } while (0)

static void refused_is_not_used(void **st)
{
    struct out o;

    (void)st;
    accepted(65535); /* a SYN without the option */
    in_text(PEER_ISS + 1 + 1000, our_iss + 1, pattern, 500);
    o = rig_out();
    assert_true(o.any && o.sack_n == 0);
    assert_false(((struct tcb *)s)->sack_ok);
    o = connecting();
    assert_true(o.sack_ok); /* offered */
}

static void newest_first(void **st)
{
    struct out o;

    (void)st;
    accepted_sack(false, 0);
    piece(1000, 100);
    assert_blocks(rig_out(), 1000, 1100);
    piece(3000, 100);
    assert_blocks(rig_out(), 3000, 3100, 1000, 1100);
    piece(2000, 100);
    assert_blocks(rig_out(), 2000, 2100, 3000, 3100, 1000, 1100);
    piece(1100, 50); /* the oldest grows */
    assert_blocks(rig_out(), 1000, 1150, 2000, 2100, 3000, 3100);
    piece(4000, 100);
    piece(5000, 100);
    rig_out();
    assert_blocks(rig_out(), 5000, 5100, 4000, 4100, 1000, 1150, 2000, 2100); /* four at most */
    piece(0, 1000);
    o = rig_out();
    assert_int_equal(o.ack, PEER_ISS + 1 + 1150);
    assert_blocks(o, 5000, 5100, 4000, 4100, 2000, 2100, 3000, 3100);
    piece(1150, 850);
    piece(2100, 900);
    piece(3100, 900);
    piece(4100, 900);
    rig_drain();
    piece(5100, 100);
    o = rig_out(); /* the last gap has gone */
    assert_true(o.sack_n == 0 && o.ack == PEER_ISS + 1 + 5200);
}

static void three_beside_a_stamp(void **st)
{
    struct out o;

    (void)st;
    accepted_sack(true, 0);
    for (uint32_t i = 1; i <= 5; i++)
        piece(i * 1000, 100);
    for (uint32_t i = 1; i < 5; i++)
        rig_out();
    o = rig_out();
    assert_true(o.ts);
    assert_blocks(o, 5000, 5100, 4000, 4100, 3000, 3100);
}

static void what_comes_twice_is_reported(void **st)
{
    struct out o;

    (void)st;
    accepted_sack(false, 0);
    piece(0, 500);
    piece(500, 500);
    rig_drain();
    piece(0, 500); /* below the acknowledgement */
    o = rig_out();
    assert_int_equal(o.ack, PEER_ISS + 1 + 1000);
    assert_blocks(o, 0, 500);
    piece(2000, 600);
    assert_blocks(rig_out(), 2000, 2600); /* told once */
    piece(2100, 100); /* within a piece: RFC 2883 4 */
    assert_blocks(rig_out(), 2100, 2200, 2000, 2600);
}

/* Text carries the blocks too, and stays within the segment size; what has no room
 * for them is followed by an ACK that has. */
static void blocks_ride_on_text(void **st)
{
    struct out o;

    (void)st;
    accepted_sack(true, 0);
    piece(1000, 100);
    assert_blocks(rig_out(), 1000, 1100);
    assert_int_equal(ns_send(s, pattern, 3000, 0, NULL), 3000);
    o = rig_out();
    assert_true(o.text_len == mss - 12 && o.len <= 1480);
    assert_blocks(o, 1000, 1100);
    o = rig_out();
    assert_blocks(o, 1000, 1100);
}

/* --- the sender ------------------------------------------------------------------------ */
static void one_hole(void **st)
{
    (void)st;
    accepted_sack(false, 0);
    send_segments(30);
    assert_out(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    rig.now += RTT;
    sacked(0, 1, 2);
    assert_out(10); /* limited transmit, RFC 3042 */
    sacked(0, 1, 3);
    assert_out(11);
    sacked(0, 1, 4); /* the third: lost */
    assert_out(0);
    assert_true(t->in_recovery);
    assert_int_equal(t->ssthresh, 7 * mss); /* CUBIC's beta */
    check_board();
    for (uint32_t to = 5; to <= 10; to++)
        sacked(0, 1, to);
    check_board();
    rig_drain();
    rig.now += RTT;
    acked(12);
    assert_false(t->in_recovery);
    assert_int_equal(t->cwnd, t->ssthresh);
    assert_int_equal(t->retransmits, 1);
    check_board();
}

static void two_holes_in_one_round_trip(void **st)
{
    (void)st;
    accepted_sack(false, 0);
    send_segments(30);
    assert_int_equal(rig_drain(), 10);
    rig.now += RTT;
    ack_of(1, 2, (uint32_t[]){5, 8, 2, 4}); /* 1 and 4 are missing; 8 and 9 may be on their way */
    assert_int_equal(next_out(), 1);
    assert_int_equal(next_out(), 4);
    check_board();
    sacked(1, 5, 10);
    rig_drain();
    rig.now += RTT;
    acked((t->snd_nxt - first) / mss);
    assert_false(t->in_recovery);
    assert_int_equal(t->retransmits, 2);
    assert_int_equal(ns_counters(rig.ns)->recoveries, 1); /* one reduction for both */
}

/* Nothing that a block may say makes the books wrong, and what was never sent is
 * not believed. */
static void any_block(void **st) /* C-SACK-2 */
{
    uint32_t x = 1;

    (void)st;
    accepted_sack(false, 5);
    t->cwnd = 200 * mss;
    for (uint32_t round = 0; round < 3000; round++) {
        struct seg g = seg(TCP_ACK, PEER_ISS + 1, t->snd_una);
        uint32_t flight = t->snd_max - t->snd_una, span = flight + 4 * mss;
        if (t->snd.bytes < 30 * mss)
            ns_send(s, pattern, 30 * mss, 0, NULL);
        x = x * 1664525 + 1013904223;
        if ((x >> 28) == 0)
            g.ack += (x >> 8) % (flight + 1);
        g.sack_n = 1 + (x >> 20) % 4;
        for (uint32_t i = 0; i < 2 * g.sack_n; i++) {
            x = x * 1664525 + 1013904223;
            g.sack[i] = t->snd_una - 2 * mss + (x >> 8) % span / (x & 128 ? 1 : mss) * (x & 128 ? 1 : mss);
        }
        rig_in(&g);
        check_board();
        rig.now += (x >> 16) % 64 * RIG_MS;
        rig_run();
        check_board();
        assert_true(t->rc.sacked + t->rc.lost <= t->snd_max - t->snd_una);
        rig_drain();
        if (t->state != TCP_ESTABLISHED)
            break;
    }
    assert_int_equal(t->state, TCP_ESTABLISHED);
}

/* A peer that drops what it had reported (RFC 2018 section 8) gets it again. */
static void reneging(void **st)
{
    (void)st;
    accepted_sack(false, 0);
    send_segments(4);
    assert_out(0, 1, 2, 3);
    rig.now += RTT;
    sacked(0, 1, 4);
    assert_out(0);
    rig.now += RTT;
    acked(1); /* and no word of the others any more */
    check_board();
    for (unsigned i = 0; i < 4 && ns_counters(rig.ns)->sack_reneged == 0; i++)
        to_deadline();
    assert_int_equal(ns_counters(rig.ns)->sack_reneged, 1);
    assert_int_equal(next_out(), 1);
    for (uint32_t i = 2; i <= 4; i++) {
        rig.now += RTT;
        acked(i);
        rig_drain();
    }
    assert_int_equal(t->snd_una, t->snd_max);
    check_board();
}

/* A few records are the connection's own: with no memory for more it sends as many
 * segments at a time, and recovers as ever. */
static void without_memory_a_few_do(void **st) /* C-SACK-1 */
{
    (void)st;
    accepted_sack(false, 0);
    rig.no_memory = true;
    send_segments(12);
    assert_out(0, 1, 2, 3);
    rig.now += RTT;
    sacked(0, 1, 4);
    assert_out(0);
    rig.now += RTT;
    acked(4);
    assert_out(4, 5); /* after the loss the window is two */
    check_board();
    rig.no_memory = false;
    t->cwnd = 10 * mss;
    acked(6);
    assert_out(6, 7, 8, 9, 10, 11);
    check_board();
}

/* Segments in flight are bounded, and sending goes on when some are acknowledged. */
static void records_are_bounded(void **st) /* C-SACK-1 */
{
    (void)st;
    accepted_sack(false, 5);
    ns_setopt(s, NSO_NODELAY, 1);
    t->cwnd = 1u << 24;
    for (uint32_t i = 0; i < TCP_RECS_MAX + 100; i++) {
        assert_int_equal(ns_send(s, "x", 1, 0, NULL), 1);
        rig_drain();
    }
    assert_int_equal(t->rc.n, TCP_RECS_MAX);
    assert_int_equal(t->snd_nxt - first, TCP_RECS_MAX);
    check_board();
    in(TCP_ACK, PEER_ISS + 1, first + TCP_RECS_MAX / 2);
    rig_drain();
    assert_int_equal(t->snd_nxt - first, TCP_RECS_MAX + 100); /* as one segment: Nagle is off, but it waited */
    check_board();
    in(TCP_ACK, PEER_ISS + 1, t->snd_max);
    assert_true(t->rc.rec == t->rc.own); /* nothing in flight, nothing kept */
}

/* The path becomes narrower while segments are in flight: a record that is too
 * long for one segment goes again in two. */
static void a_long_record_is_split(void **st)
{
    struct out o;

    (void)st;
    accepted_sack(false, 0);
    send_segments(5);
    assert_int_equal(rig_drain(), 5);
    t->snd_mss = 1000;
    rig.now += RTT;
    sacked(0, 1, 4);
    o = rig_out();
    assert_true(o.seq == first && o.text_len == 1000);
    check_board();
    for (unsigned i = 0; i < 3 && !(o = rig_out()).any; i++)
        to_deadline();
    assert_true(o.any && o.seq == first + 1000 && o.text_len == mss - 1000);
    check_board();
}

/* In the middle of recovery the connection moves: the window and the algorithm's
 * state go along, what the peer had reported is asked for anew, and recovery ends. */
static void recovery_moves_along(void **st)
{
    static uint64_t record[16 * 1024];
    uint32_t cwnd, ssthresh, recover;
    uint64_t priv[4];
    int64_t n;

    (void)st;
    accepted_sack(false, 0);
    send_segments(30);
    assert_int_equal(rig_drain(), 10);
    rig.now += RTT;
    sacked(0, 1, 4);
    assert_int_equal(next_out(), 0);
    rig_drain();
    cwnd = t->cwnd;
    ssthresh = t->ssthresh;
    recover = t->recover;
    memcpy(priv, t->cc_priv, sizeof(priv));
    n = ns_export(s, record, sizeof(record));
    assert_in_range(n, 1, sizeof(record));
    ns_forget(s);
    assert_int_equal(ns_import(rig.ns, record, (size_t)n, NULL, &s), 0);
    t = (struct tcb *)s;
    assert_true(t->in_recovery && t->sack_ok);
    assert_int_equal(t->cwnd, cwnd);
    assert_int_equal(t->ssthresh, ssthresh);
    assert_ptr_equal(t->cc, &tcp_cc_cubic);
    assert_memory_equal(t->cc_priv, priv, sizeof(priv));
    assert_int_equal(t->recover, recover);
    check_board();
    assert_int_equal(t->rc.n, (t->snd_nxt - t->snd_una) / mss);
    sacked(0, 1, 10);
    check_board();
    rig_drain();
    rig.now += RTT;
    in(TCP_ACK, PEER_ISS + 1, t->snd_max);
    assert_false(t->in_recovery);
    check_board();
    rig_drain();
}

/* A router's word has called back what was in flight and the peer's window is
 * shut: duplicates begin a recovery as without SACK then. What goes out in it is
 * tracked again, and it ends all the same. */
static void recovery_begins_untracked(void **st)
{
    struct seg g;

    (void)st;
    accepted_sack(false, 0);
    send_segments(10);
    assert_int_equal(rig_drain(), 10);
    g = seg(TCP_ACK, PEER_ISS + 1, first);
    g.wnd = 0;
    rig_in(&g);
    tcp_mtu_told(t, 1000);
    assert_true(t->rc.n == 0 && t->snd_nxt == t->snd_una && t->snd_max != t->snd_una);
    for (unsigned i = 0; i < 3; i++)
        rig_in(&g);
    rig_drain();
    acked(0); /* the window opens */
    rig_drain();
    check_board();
    mss = t->snd_mss;
    for (uint32_t part = 1; t->snd_una != t->snd_max; part++) {
        assert_true(part < 100 && t->cwnd != 0);
        rig.now += RTT;
        g = seg(TCP_ACK, PEER_ISS + 1, seq_lt(at(2 * part), t->snd_max) ? at(2 * part) : t->snd_max);
        rig_in(&g);
        rig_drain();
        check_board();
    }
    assert_false(t->in_recovery);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(refused_is_not_used),
        T(newest_first),
        T(three_beside_a_stamp),
        T(what_comes_twice_is_reported),
        T(blocks_ride_on_text),
        T(one_hole),
        T(two_holes_in_one_round_trip),
        T(any_block),
        T(reneging),
        T(without_memory_a_few_do),
        T(records_are_bounded),
        T(a_long_record_is_split),
        T(recovery_moves_along),
        T(recovery_begins_untracked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
