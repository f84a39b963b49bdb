/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_mtu.c: paths that carry less than their first link, with and
 * without ICMP (net/stack/tcp_mtu.c, path_mtu.c). Bench: tcp_rig.h.
 */
#include "tcp_rig.h"

static struct tcb *tcb(void)
{
    return (struct tcb *)s;
}

static const struct ns_counters *count(void)
{
    return ns_counters(rig.ns);
}

/* A router: the segment with this number was too big for a link of `mtu`. */
static void too_big(uint32_t seq, uint16_t mtu)
{
    uint8_t p[36] = {3, 4};

    put16(p + 6, mtu);
    p[8] = 0x45;
    put16(p + 10, 1500);
    p[17] = NET_TCP;
    put32(p + 20, OUR_IP);
    put32(p + 24, PEER_IP);
    put16(p + 28, PORT);
    put16(p + 30, PEER_PORT);
    put32(p + 32, seq);
    rig_in_ip(NET_ICMP, PEER_IP, OUR_IP, p, sizeof(p), 2, 0);
}

/* What the timer sends next; the rest of what it sends goes unseen. */
static struct out at_timeout(void)
{
    uint64_t due = netstack_deadline(rig.ns);
    struct out o;

    for (int i = 0; i < 20; i++) { /* other timers may be due before */
        rig.now = due > rig.now ? due : rig.now;
        rig_run();
        o = rig_out();
        if (o.any)
            break;
        due = netstack_deadline(rig.ns);
    }
    rig_drain();
    return o;
}

/* Everything up to `ack` has arrived; what went out by that is not looked at. */
static void acked(uint32_t ack)
{
    in(TCP_ACK, PEER_ISS + 1, ack);
    rig_drain();
}

/* A full segment is under way, and a small one behind it. */
static void full_segment(void)
{
    accepted(65535);
    assert_int_equal(ns_send(s, pattern, 1460, 0, NULL), 1460);
    assert_int_equal(rig_out().text_len, 1460);
}

static void icmp_is_believed_and_kept(void **st) /* C-MTU-3 */
{
    struct out o;
    struct seg g = seg(TCP_SYN, PEER_ISS, 0);

    (void)st;
    full_segment();
    too_big(our_iss + 1, 1000);
    o = rig_out();
    assert_true(o.any && o.seq == our_iss + 1 && o.text_len == 960);
    rig_drain();
    acked(our_iss + 1461);
    rig_sleep(300 * RIG_S); /* the route was looked up anew many times */
    g.sport = 4001;
    rig_in(&g);
    assert_int_equal(rig_out().mss, 960);
    assert_int_equal(ns_send(s, pattern, 1460, 0, NULL), 1460);
    assert_int_equal(rig_out().text_len, 960);
    rig_drain();
    acked(our_iss + 2921);
    rig_sleep(301 * RIG_S); /* ten minutes are over: the whole path again */
    rig_drain();
    assert_int_equal(tcb()->path.mtu, 1500);
    assert_int_equal(ns_send(s, pattern, 1460, 0, NULL), 1460);
    assert_int_equal(rig_out().text_len, 1460);
    assert_int_equal(count()->mtu_told, 1);
    assert_int_equal(count()->mtu_raised, 1);
    too_big(our_iss + 2921, 1000); /* and the router says so again */
    assert_int_equal(rig_out().text_len, 960);
}

static void icmp_about_nothing_in_flight_is_not(void **st) /* C-MTU-1 */
{
    (void)st;
    full_segment();
    too_big(our_iss + 1 + 1460, 1000);
    too_big(our_iss, 1000);
    assert_false(rig_out().any);
    assert_int_equal(tcb()->path.mtu, 1500);
    assert_int_equal(rig.ns->path_mtus, 0);
    assert_int_equal(count()->mtu_told, 0);
}

static void icmp_cannot_make_it_tiny(void **st) /* C-MTU-2 */
{
    (void)st;
    full_segment();
    too_big(our_iss + 1, 100);
    assert_int_equal(rig_out().text_len, 552 - 40);
}

static void a_black_hole_is_found(void **st) /* C-MTU-4 */
{
    struct out o;

    (void)st;
    full_segment();
    assert_int_equal(at_timeout().text_len, 1460);
    o = at_timeout(); /* the second: smaller */
    assert_true(o.seq == our_iss + 1 && o.text_len == 1360);
    acked(our_iss + 1361);
    assert_int_equal(count()->mtu_blackholes, 1);
    acked(our_iss + 1461);
    assert_int_equal(ns_send(s, pattern, 1460, 0, NULL), 1460);
    assert_int_equal(rig_out().text_len, 1360);
    acked(our_iss + 1461 + 1360);
    acked(our_iss + 2921);

    rig_sleep(61 * RIG_S); /* another chance; it is not taken, and one time-out tells */
    assert_int_equal(tcb()->path.mtu, 1500);
    tcb()->backoff = 0;
    assert_int_equal(ns_send(s, pattern, 1460, 0, NULL), 1460);
    assert_int_equal(rig_out().text_len, 1460);
    assert_int_equal(at_timeout().text_len, 1360);
    acked(our_iss + 2921 + 1360);
    acked(our_iss + 2921 + 1460);
    assert_int_equal(count()->mtu_blackholes, 2);
    rig_sleep(599 * RIG_S); /* now it is sure of it */
    assert_int_equal(tcb()->path.mtu, 1400);
    rig_sleep(2 * RIG_S);
    assert_int_equal(tcb()->path.mtu, 1500);
}

static void a_narrower_hole_takes_more_steps(void **st)
{
    (void)st;
    full_segment();
    at_timeout();
    assert_int_equal(at_timeout().text_len, 1360);
    assert_int_equal(at_timeout().text_len, 1240);
    assert_int_equal(at_timeout().text_len, 536);
    acked(our_iss + 537);
    assert_int_equal(tcb()->path.mtu, 576);
    assert_int_equal(count()->mtu_trials, 3);
}

/* Nothing got through, so it may not have been the size. */
static void an_outage_is_no_black_hole(void **st)
{
    (void)st;
    full_segment();
    for (int i = 0; i < 4; i++)
        at_timeout();
    assert_int_equal(at_timeout().text_len, 1460);
    acked(our_iss + 1461);
    assert_int_equal(tcb()->path.mtu, 1500);
    assert_int_equal(count()->mtu_blackholes, 0);
    assert_int_equal(rig.ns->path_mtus, 0);
    assert_int_equal(tcb()->mtu_trial, 0); /* but the next time there may be one */
}

/* The full segment was late only: its acknowledgement covers more than the small one. */
static void a_late_ack_ends_the_trial(void **st)
{
    (void)st;
    full_segment();
    at_timeout();
    assert_int_equal(at_timeout().text_len, 1360);
    acked(our_iss + 1461);
    assert_int_equal(tcb()->path.mtu, 1500);
    assert_int_equal(count()->mtu_blackholes, 0);
}

static void small_segments_say_nothing(void **st)
{
    (void)st;
    accepted(65535);
    assert_int_equal(ns_send(s, pattern, 500, 0, NULL), 500);
    rig_drain();
    for (int i = 0; i < 4; i++)
        assert_int_equal(at_timeout().text_len, 500);
    assert_int_equal(count()->mtu_trials, 0);
}

/* Less than a full segment, but more than some paths carry; and the hole shows only
 * after an outage has made a first trial fail. */
static void a_last_piece_is_tried_smaller_again_and_again(void **st) /* C-MTU-4 */
{
    static const uint32_t sizes[] = {1000, 536, 1000, 536};

    (void)st;
    accepted(65535);
    assert_int_equal(ns_send(s, pattern, 1000, 0, NULL), 1000);
    rig_drain();
    assert_int_equal(at_timeout().text_len, 1000);
    for (int i = 1; i < 4; i++)
        assert_int_equal(at_timeout().text_len, sizes[i]);
    acked(our_iss + 537);
    assert_int_equal(tcb()->path.mtu, 576);
}

/* RFC 8200 section 5: IPv6 has no path that carries less than 1280. */
static void ipv6_stops_at_1280(void **st) /* C-MTU-2 */
{
    struct tcb *t;

    (void)st;
    full_segment();
    t = tcb();
    t->node.net = NET_INET6;
    t->backoff = 1;
    tcp_mtu_timeout(t);
    assert_int_equal(t->path.mtu, 1400);
    tcp_mtu_timeout(t);
    assert_int_equal(t->path.mtu, 1280);
    tcp_mtu_timeout(t);
    assert_int_equal(t->path.mtu, 1500);
    t->node.net = NET_INET;
}

static void the_table_is_bounded(void **st)
{
    struct net_addr dst = {{10, 9, 0, 0}};

    (void)st;
    for (unsigned i = 0; i < 200; i++) {
        dst.b[3] = (uint8_t)i;
        rig.now += RIG_MS;
        ip_route_mtu(rig.ns, NET_INET, &dst, 1000);
    }
    assert_int_equal(rig.ns->path_mtus, PATH_MTUS);
    assert_int_equal(path_mtu_limit(rig.ns, &dst, 1500), 1000); /* the newest are there */
    rig_sleep(601 * RIG_S);
    assert_int_equal(path_mtu_limit(rig.ns, &dst, 1500), 1500);
    rig_sleep(601 * RIG_S);
    assert_int_equal(rig.ns->path_mtus, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(icmp_is_believed_and_kept), T(icmp_about_nothing_in_flight_is_not), T(icmp_cannot_make_it_tiny),
        T(a_black_hole_is_found),     T(a_narrower_hole_takes_more_steps),    T(an_outage_is_no_black_hole),
        T(a_late_ack_ends_the_trial), T(small_segments_say_nothing), T(ipv6_stops_at_1280),
        T(a_last_piece_is_tried_smaller_again_and_again),
        T(the_table_is_bounded),
    };

    return cmocka_run_group_tests_name("path MTU", tests, NULL, NULL);
}
