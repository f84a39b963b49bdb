/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_tcp_cc.c: congestion control by itself: NewReno (RFC 5681) and
 * CUBIC (RFC 9438) fed with acknowledgements, CUBIC beside its formula computed
 * here in floating point.
 */
#include "sack_rig.h"
#include <math.h>

/* One round trip: what the window holds is acknowledged, two segments at a time. */
static void round_trip(uint64_t rtt)
{
    uint32_t left = t->cwnd;

    for (; left >= 2 * mss; left -= 2 * mss)
        t->cc->acked(t, 2 * mss);
    rig.ns->now += rtt;
}

static void at_window(uint32_t segments, const struct tcp_cc *cc)
{
    tcp_cc_set(t, cc);
    t->cwnd = segments * mss;
    t->flight_peak[0] = t->cwnd;
}

/* As a fast recovery does. */
static void lose(void)
{
    t->ssthresh = t->cc->ssthresh(t);
    t->cwnd = t->ssthresh;
}

/* --- NewReno ------------------------------------------------------------------------ */
static void newreno_adds_one_segment_a_round_trip(void **st)
{
    (void)st;
    accepted_sack(false, 5);
    at_window(40, &tcp_cc_newreno);
    lose();
    assert_int_equal(t->cwnd, 20 * mss);
    for (uint32_t i = 1; i <= 30; i++) {
        round_trip(RTT);
        assert_in_range(t->cwnd, (20 + i - 1) * mss, (20 + i) * mss);
    }
    t->cwnd = t->flight_peak[0] = mss;
    lose();
    assert_int_equal(t->ssthresh, 2 * mss); /* RFC 5681 (4) */
}

static void slow_start_counts_bytes(void **st)
{
    const struct tcp_cc *const both[] = {&tcp_cc_newreno, &tcp_cc_cubic};

    (void)st;
    accepted_sack(false, 5);
    for (unsigned i = 0; i < 2; i++) {
        at_window(10, both[i]);
        t->ssthresh = UINT32_MAX;
        t->cc->acked(t, 8 * mss);
        assert_int_equal(t->cwnd, 12 * mss); /* an ACK of many does not make a burst */
        t->cc->acked(t, 100);
        assert_int_equal(t->cwnd, 12 * mss + 100);
        t->rc.in_loss = true;
        t->cc->acked(t, 8 * mss);
        assert_int_equal(t->cwnd, 13 * mss + 100); /* RFC 3465 2.3 */
        t->rc.in_loss = false;
    }
}

/* --- CUBIC -------------------------------------------------------------------------- */
static double w_cubic(double seconds, double w_max, double cwnd)
{
    double k = cbrt((w_max - cwnd) / 0.4);

    return 0.4 * pow(seconds - k, 3) + w_max;
}

/* Windows so large, or round trips so long, that NewReno would be slower. */
static void cubic_follows_the_curve(void **st) /* C-CC-2 */
{
    static const struct {
        uint32_t w_max, rtt_ms, rounds;
    } cases[] = {{1000, 100, 200}, {400, 200, 100}, {5000, 50, 400}, {100, 300, 60}, {20000, 20, 1000}};

    (void)st;
    accepted_sack(false, 5);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t rtt = cases[i].rtt_ms * RIG_MS, begin;
        double start;

        tcp_cc_set(t, &tcp_cc_newreno);
        at_window(cases[i].w_max, &tcp_cc_cubic);
        t->srtt_us = cases[i].rtt_ms * 1000;
        lose();
        assert_int_equal(t->cwnd / mss, cases[i].w_max * 7 / 10);
        start = (double)t->cwnd / mss;
        begin = rig.ns->now;
        for (uint32_t r = 0; r < cases[i].rounds; r++) {
            double now, got, least, most;
            round_trip(rtt);
            now = (double)(rig.ns->now - begin) / 1e9;
            got = (double)t->cwnd / mss;
            /* The window is led to where the curve will be in a round trip. */
            least = w_cubic(now - cases[i].rtt_ms / 1e3, cases[i].w_max, start);
            most = w_cubic(now, cases[i].w_max, start);
            if (got < 0.98 * least - 1 || got > 1.02 * most + 1)
                fail_msg("case %u, round %u: %.1f segments, not %.1f to %.1f", i, r, got, least, most);
        }
    }
}

/* Where NewReno would be faster, as fast as it (4.3): 9/17 of a segment a round trip,
 * and a whole one from the window of the last loss on. */
static void cubic_is_no_slower_than_newreno(void **st) /* C-CC-2 */
{
    double want;

    (void)st;
    accepted_sack(false, 5);
    at_window(20, &tcp_cc_cubic);
    t->srtt_us = 1000;
    lose();
    want = 14;
    for (uint32_t i = 0; i < 60; i++) {
        want += want < 20 ? 9.0 / 17 : 1;
        round_trip(RIG_MS);
        assert_true(fabs((double)t->cwnd / mss - want) < 2.5);
    }
}

static void cubic_leaves_room_for_newcomers(void **st) /* 4.7 */
{
    (void)st;
    accepted_sack(false, 5);
    at_window(100, &tcp_cc_cubic);
    t->srtt_us = 100000;
    lose();
    at_window(80, &tcp_cc_cubic); /* it did not come back to 100 */
    lose();
    assert_int_equal(t->cwnd, 56 * mss);
    /* W_max is 68 now, not 80: after K the window is there. */
    for (double s = 0; s < cbrt(12 / 0.4); s += 0.1)
        round_trip(RTT);
    assert_in_range(t->cwnd, 67 * mss, 72 * mss);
}

/* After a time-out the curve begins where slow start ends (4.8). */
static void cubic_begins_anew_after_a_timeout(void **st)
{
    uint32_t start;

    (void)st;
    accepted_sack(false, 5);
    at_window(400, &tcp_cc_cubic);
    t->srtt_us = 200000;
    t->ssthresh = t->cc->ssthresh(t);
    t->cc->timeout(t);
    t->cwnd = start = t->ssthresh;
    for (uint32_t i = 0; i < 20; i++)
        round_trip(200 * RIG_MS);
    /* convex from the first: 0.4 t^3 */
    assert_true(fabs((double)(t->cwnd - start) / mss - 0.4 * pow(4, 3)) < 8);
}

/* No time passes on the curve while nothing is sent. */
static void cubic_rests_with_the_sender(void **st)
{
    uint32_t before;

    (void)st;
    accepted_sack(false, 5);
    at_window(400, &tcp_cc_cubic);
    t->srtt_us = 100000;
    lose();
    round_trip(RTT);
    before = t->cwnd;
    rig.ns->now += 60 * RIG_S;
    t->cc->restart(t);
    t->cc->acked(t, 2 * mss);
    assert_in_range(t->cwnd, before, before + 3 * mss);
}

/* --- the socket's choice, and what all have in common ----------------------------------- */
static void the_socket_chooses(void **st)
{
    int v;

    (void)st;
    accepted_sack(false, 5);
    assert_true(ns_getopt(s, NSO_CONGESTION, &v) == 0 && v == NS_CUBIC);
    assert_int_equal(ns_setopt(s, NSO_CONGESTION, NS_NEWRENO), 0);
    assert_true(ns_getopt(s, NSO_CONGESTION, &v) == 0 && v == NS_NEWRENO);
    assert_ptr_equal(t->cc, &tcp_cc_newreno);
    assert_int_equal(ns_setopt(s, NSO_CONGESTION, 77), -ENOENT);
    ns_close(s);
    ns_close(listener);
    rig_drain();
    assert_int_equal(ns_socket(rig.ns, NET_INET, NS_STREAM, &listener), 0);
    assert_int_equal(ns_setopt(listener, NSO_CONGESTION, NS_NEWRENO), 0);
    assert_true(ns_getopt(listener, NSO_CONGESTION, &v) == 0 && v == NS_NEWRENO);
}

/* A window that is not used up does not grow (RFC 7661's concern); one that was used
 * up, but whose ACKs come in one batch, does. */
static void unused_windows_stay(void **st) /* C-CC-1 */
{
    uint32_t cwnd;

    (void)st;
    accepted_sack(false, 5);
    cwnd = t->cwnd;
    for (uint32_t i = 1; i <= 8; i++) {
        send_segments(2);
        assert_int_equal(rig_drain(), 2);
        rig.now += RTT;
        acked(2 * i);
    }
    assert_int_equal(t->cwnd, cwnd);
    send_segments(12);
    assert_int_equal(rig_drain(), 10);
    rig.now += RTT;
    for (uint32_t i = 18; i <= 26; i += 2)
        acked(i);
    assert_int_equal(t->cwnd, cwnd + 10 * mss);
}

/* What the flight was before the ACKs emptied it decides, and never more than cwnd. */
static void flight_before_the_loss(void **st)
{
    (void)st;
    accepted_sack(false, 0);
    send_segments(10);
    assert_int_equal(rig_drain(), 10);
    rig.now += RTT;
    acked(6);
    sacked(6, 7, 10); /* four were left when the loss was seen */
    assert_true(t->in_recovery);
    assert_int_equal(t->ssthresh, 7 * mss);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(newreno_adds_one_segment_a_round_trip),
        T(slow_start_counts_bytes),
        T(cubic_follows_the_curve),
        T(cubic_is_no_slower_than_newreno),
        T(cubic_leaves_room_for_newcomers),
        T(cubic_begins_anew_after_a_timeout),
        T(cubic_rests_with_the_sender),
        T(the_socket_chooses),
        T(unused_windows_stay),
        T(flight_before_the_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
