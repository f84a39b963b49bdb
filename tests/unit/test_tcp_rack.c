/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_tcp_rack.c: RACK-TLP (RFC 8985), proportional rate reduction
 * (RFC 6937) and the undoing of needless reductions (RFC 3522, 4015): what a
 * sender repeats, and when.
 */
#include "sack_rig.h"

static const struct ns_counters *count(void)
{
    return ns_counters(rig.ns);
}

/* Ten segments out and one round trip later. */
static void ten_out(bool ts)
{
    accepted_sack(ts, 0);
    send_segments(30);
    assert_int_equal(rig_drain(), 10);
    echo = tcp_ts_now(rig.ns, t->ts_offset);
    rig.now += RTT;
}

/* --- when a segment is lost ------------------------------------------------------------ */
/* A later one has arrived: it may have been overtaken, for a quarter of a round trip. */
static void patience(void **st)
{
    (void)st;
    ten_out(false);
    sacked(0, 1, 2);
    assert_out(10);
    rig_sleep(RTT / 4 - RIG_MS);
    assert_quiet();
    rig_sleep(2 * RIG_MS);
    assert_out(0);
    assert_true(t->in_recovery);
    check_board();
}

static void three_are_proof(void **st)
{
    (void)st;
    ten_out(false);
    sacked(0, 1, 4);
    assert_int_equal(next_out(), 0); /* before any new text */
    check_board();
}

/* The repetition is lost, too: what was sent after it arrives. */
static void a_lost_repetition(void **st)
{
    (void)st;
    ten_out(false);
    sacked(0, 1, 4);
    assert_int_equal(next_out(), 0);
    for (uint32_t to = 5; to <= 10; to++)
        sacked(0, 1, to);
    assert_true(t->snd_nxt - first > 10 * mss); /* new text was sent after the repetition */
    rig_drain();
    rig.now += RTT;
    sacked(0, 1, 11);
    assert_int_equal(next_out(), 0); /* again, with no time-out */
    assert_int_equal(count()->tcp_timeouts, 0);
    check_board();
}

/* What left in the same batch as the repetition, but before it, proves nothing. */
static void order_within_a_moment(void **st)
{
    (void)st;
    ten_out(false);
    sacked(0, 1, 2);
    sacked(0, 1, 3);
    sacked(0, 1, 4);
    assert_out(10, 11, 0);
    rig.now += RTT;
    ack_of(0, 1, (uint32_t[]){1, 4});
    sacked(0, 10, 12);
    for (int i; (i = next_out()) != -1;)
        assert_int_not_equal(i, 0);
    check_board();
}

/* Once segments are known to be overtaken, three reports are no proof any more. */
static void reordering_is_learnt(void **st)
{
    (void)st;
    ten_out(false);
    sacked(0, 2, 3);
    ack_of(0, 1, (uint32_t[]){1, 3}); /* 1 after 2, both sent once */
    assert_true(t->rc.reordering_seen);
    rig_drain();
    sacked(0, 1, 6);
    for (int i; (i = next_out()) != -1;)
        assert_int_not_equal(i, 0);
    rig_sleep(RTT / 4 + RIG_MS);
    assert_int_equal(next_out(), 0);
    check_board();
}

/* A repetition that was not needed widens the window, and sixteen recoveries later
 * it is as narrow as before (6.2.1). */
static void duplicates_widen_the_window(void **st)
{
    struct seg g;

    (void)st;
    ten_out(false);
    g = seg(TCP_ACK, PEER_ISS + 1, at(3));
    g.sack_n = 1;
    g.sack[0] = at(0);
    g.sack[1] = at(1);
    rig_in(&g);
    assert_int_equal(t->rc.reo_wnd_mult, 2);
    rig_in(&g);
    assert_int_equal(t->rc.reo_wnd_mult, 2); /* once a round trip */
    assert_int_equal(count()->dsack_in, 2);
    for (unsigned i = 0; i < 15; i++) {
        t->rc.dsack_now = false;
        tcp_rack_dsack(t, true);
        assert_int_equal(t->rc.reo_wnd_mult, 2);
    }
    tcp_rack_dsack(t, true);
    assert_int_equal(t->rc.reo_wnd_mult, 1);
}

/* --- the probe ------------------------------------------------------------------------- */
static void tail_loss(void **st)
{
    uint64_t sent;

    (void)st;
    accepted_sack(true, 0);
    send_segments(4);
    assert_out(0, 1, 2, 3);
    sent = rig.now;
    to_deadline();
    assert_int_equal(rig.now - sent, 2 * RTT);
    assert_out(3); /* the last one */
    assert_int_equal(count()->tlp_sent, 1);
    rig.now += RTT;
    sacked(0, 3, 4); /* nothing before it arrived, and they had time enough */
    assert_out(0, 1);
    rig.now += RTT;
    ack_of(2, 1, (uint32_t[]){3, 4});
    assert_out(2);
    assert_int_equal(count()->tcp_timeouts, 0);
    rig.now += RTT;
    acked(4);
    assert_int_equal(t->snd_una, t->snd_max);
    check_board();
}

static void new_text_is_a_better_probe(void **st)
{
    (void)st;
    accepted_sack(false, 0);
    send_segments(12);
    assert_int_equal(rig_drain(), 10);
    to_deadline();
    assert_out(10); /* one beyond the window */
    assert_true(t->rc.tlp_on && !t->rc.tlp_is_retrans);
    rig.now += RTT;
    acked(11);
    assert_false(t->rc.tlp_on);
    assert_int_equal(count()->tlp_repaired, 0);
}

/* Its ACK may be delayed: the time-out comes first. */
static void a_lone_segment_waits(void **st)
{
    uint64_t sent;

    (void)st;
    accepted_sack(false, 0);
    send_segments(1);
    assert_out(0);
    sent = rig.now;
    to_deadline();
    assert_true(rig.now - sent >= RTT + 200 * RIG_MS);
    assert_out(0);
    assert_int_equal(count()->tlp_sent, 0);
    assert_int_equal(count()->tcp_timeouts, 1);
}

/* The probe was the repair: nobody else would ever know of the loss (7.4). */
static void a_repair_is_paid_for(void **st)
{
    (void)st;
    for (unsigned lost = 0; lost <= 1; lost++) {
        uint32_t old, before;

        if (lost == 1) {
            teardown(st);
            setup(st);
        }
        accepted_sack(true, 0);
        send_segments(2);
        assert_out(0, 1);
        old = echo;
        before = t->cwnd;
        rig.now += RTT;
        acked(1);
        t->ssthresh = t->cwnd;
        before = t->cwnd;
        t->rc.lone = false;
        t->rc.tlp_n = 0;
        tcp_tlp_fire(t); /* earlier than it would come by itself */
        rig_run();
        rig.now += RIG_MS;
        assert_out(1);
        if (lost == 0)
            echo = old; /* it was late only */
        rig.now += RTT;
        acked(2);
        assert_int_equal(count()->tlp_repaired, lost);
        assert_int_equal(t->cwnd < before, lost);
        assert_false(t->rc.tlp_on);
    }
}

/* Probes without an answer are backed off, and end in a time-out. */
static void probes_are_bounded(void **st) /* C-SACK-3 */
{
    unsigned probes = 0;

    (void)st;
    accepted_sack(false, 0);
    t->srtt_us = 1000; /* far below the time-out's floor */
    t->rttvar_us = 100;
    t->rto_ns = 201 * RIG_MS;
    send_segments(4);
    assert_int_equal(rig_drain(), 4);
    while (count()->tcp_timeouts == 0) {
        to_deadline();
        probes += rig_drain();
        assert_true(probes <= TCP_TLP_MAX + 1);
    }
    assert_int_equal(count()->tlp_sent, TCP_TLP_MAX);
    assert_true(t->rc.in_loss);
}

/* --- time-outs --------------------------------------------------------------------------- */
static void to_timeout(void)
{
    uint64_t before = count()->tcp_timeouts;

    while (count()->tcp_timeouts == before) {
        rig_drain();
        to_deadline();
    }
}

/* Everything is lost but what was reported; slow start repeats it. */
static void after_a_timeout(void **st)
{
    (void)st;
    ten_out(false);
    sacked(0, 4, 6);
    to_timeout();
    assert_int_equal(next_out(), 0);
    assert_quiet(); /* one segment: RFC 5681 3.1 */
    check_board();
    rig.now += RTT;
    ack_of(1, 1, (uint32_t[]){4, 6});
    assert_out(1, 2);
    rig.now += RTT;
    ack_of(2, 1, (uint32_t[]){4, 6});
    ack_of(3, 1, (uint32_t[]){4, 6});
    assert_out(3, 6, 7, 8); /* not what the peer has */
    check_board();
    assert_true(t->rc.in_loss);
}

static void a_needless_timeout_is_undone(void **st)
{
    uint32_t old, cwnd;

    (void)st;
    ten_out(true);
    old = echo;
    cwnd = t->cwnd;
    to_timeout();
    rig_drain();
    assert_int_equal(t->cwnd, mss);
    rig.now += RIG_MS;
    echo = old; /* the first flight was late only */
    acked(2);
    assert_true(t->cwnd >= cwnd);
    assert_int_equal(t->ssthresh, UINT32_MAX);
    assert_int_equal(count()->tcp_spurious, 1);
    assert_int_equal(t->rc.lost, 0);
    check_board();
}

/* An old stamp that answers an earlier repetition proves nothing. */
static void an_earlier_repetition_is_no_proof(void **st) /* C-SACK-4 */
{
    uint32_t ssthresh;

    (void)st;
    ten_out(true);
    sacked(0, 1, 4); /* recovery up to segment 9 */
    assert_int_equal(next_out(), 0);
    for (uint32_t to = 5; to <= 10; to++)
        sacked(0, 1, to);
    rig_drain(); /* new text: 10, 11, ... */
    echo = tcp_ts_now(rig.ns, t->ts_offset);
    rig.now += RTT;
    ack_of(0, 2, (uint32_t[]){11, 12, 1, 10}); /* 0 and 10 are missing */
    rig_sleep(RTT / 2);
    rig_drain(); /* both are repeated, 10 within the first recovery */
    echo = tcp_ts_now(rig.ns, t->ts_offset);
    rig.now += RTT;
    ack_of(10, 1, (uint32_t[]){11, 12}); /* the first recovery ends */
    rig_sleep(RTT / 4);
    t->rc.reordering_seen = false;
    tcp_recovery_enter(t); /* and another begins, before 10 is acknowledged */
    ssthresh = t->ssthresh;
    acked(12); /* its stamp is older than this recovery */
    assert_int_equal(count()->tcp_spurious, 0);
    assert_int_equal(t->ssthresh, ssthresh);
}

/* --- PRR ------------------------------------------------------------------------------------ */
/* While more is in the network than ssthresh, beta of what is delivered may be sent;
 * below it, the window fills again by one segment more than that. */
static void reduction_is_proportional(void **st)
{
    static const struct {
        uint32_t pipe, delivered_in_all, delivered_now, out, cwnd; /* segments */
    } steps[] = {
        {20, 0, 1, 0, 21},   /* the first repetition goes in any case */
        {18, 2, 1, 1, 20},   /* 3 delivered: 2.1, one was sent: rounded up to 2 more at most */
        {16, 9, 1, 7, 16},   /* 10 delivered: 7, all sent */
        {14, 9, 1, 6, 14},   /* at ssthresh: as much as it holds */
        {10, 12, 2, 10, 14}, /* below it: 4 + 1, but not above ssthresh */
        {4, 12, 2, 12, 7},   /* 2 + 1 */
    };

    (void)st;
    accepted_sack(false, 5);
    for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        t->ssthresh = 14 * mss;
        t->rc.recover_fs = 20 * mss;
        t->snd_nxt = t->snd_una + steps[i].pipe * mss;
        t->rc.prr_delivered = steps[i].delivered_in_all * mss;
        t->rc.prr_out = steps[i].out * mss;
        tcp_prr(t, steps[i].delivered_now * mss);
        assert_true(t->cwnd <= steps[i].cwnd * mss && t->cwnd > (steps[i].cwnd - 1) * mss);
    }
    t->snd_nxt = t->snd_una;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(patience),
        T(three_are_proof),
        T(a_lost_repetition),
        T(order_within_a_moment),
        T(reordering_is_learnt),
        T(duplicates_widen_the_window),
        T(tail_loss),
        T(new_text_is_a_better_probe),
        T(a_lone_segment_waits),
        T(a_repair_is_paid_for),
        T(probes_are_bounded),
        T(after_a_timeout),
        T(a_needless_timeout_is_undone),
        T(an_earlier_repetition_is_no_proof),
        T(reduction_is_proportional),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
