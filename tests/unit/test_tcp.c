/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_tcp.c: how TCP connections begin and end, against a peer that
 * the test plays segment by segment: RFC 9293's states, RFC 5961's challenges.
 */
#include "tcp_rig.h"

/* --- opening ------------------------------------------------------------------------- */
static void test_syn_ack_repeats(void **st)
{
    unsigned n = 0;

    (void)st;
    listen_here(5);
    in(TCP_SYN, PEER_ISS, 0);
    assert_int_equal(rig_drain(), 1);
    in(TCP_SYN, PEER_ISS, 0); /* the client repeats */
    assert_int_equal(rig_drain(), 1);
    for (int i = 0; i < 120; i++) {
        rig_sleep(RIG_S);
        n += rig_drain();
    }
    assert_int_equal(n, TCP_SYN_RETRIES);
    assert_int_equal(rig.ns->conn_n, 0);
}

static void test_half_open_rejects(void **st)
{
    struct out o;

    (void)st;
    listen_here(5);
    in(TCP_SYN, PEER_ISS, 0);
    o = rig_out();
    our_iss = o.seq;
    in(TCP_ACK, PEER_ISS + 1, our_iss + 99); /* RFC 9293 3.10.7.4: RST with the ACK's number */
    o = rig_out();
    assert_true(o.any && o.flags == TCP_RST && o.seq == our_iss + 99);
    in(TCP_RST, PEER_ISS + 7, 0); /* not exact: ignored */
    assert_int_equal(rig.ns->conn_n, 1);
    in(TCP_RST, PEER_ISS + 1, 0);
    assert_int_equal(rig.ns->conn_n, 0);
}

static void test_backlog(void **st) /* C-TCP-3 */
{
    struct nsock *a;
    uint32_t iss[4];

    (void)st;
    listen_here(2);
    for (uint16_t i = 0; i < 4; i++) {
        struct seg g = seg(TCP_SYN, PEER_ISS, 0);
        struct out o;
        g.sport = (uint16_t)(PEER_PORT + i);
        rig_in(&g);
        o = rig_out();
        assert_int_equal(o.any, i < 2 || i == 2 || i == 3); /* the SYN queue takes them */
        iss[i] = o.seq;
    }
    for (uint16_t i = 0; i < 4; i++) {
        struct seg g = seg(TCP_ACK, PEER_ISS + 1, iss[i] + 1);
        g.sport = (uint16_t)(PEER_PORT + i);
        rig_in(&g);
    }
    assert_int_equal(ns_counters(rig.ns)->tcp_accept_overflow, 2);
    rig_drain();
    in(TCP_SYN, PEER_ISS + 50000, 0);
    struct seg g = seg(TCP_SYN, PEER_ISS, 0);
    g.sport = 9999;
    rig_in(&g);
    assert_int_equal(ns_counters(rig.ns)->tcp_accept_overflow, 3); /* full: the SYN waits for better times */
    assert_int_equal(ns_accept(listener, &a, NULL), 0);
    assert_int_equal(ns_accept(listener, &a, NULL), 0);
    assert_int_equal(ns_accept(listener, &a, NULL), -EAGAIN);
    g = seg(TCP_ACK, PEER_ISS + 1, iss[2] + 1); /* the third comes again and gets in */
    g.sport = PEER_PORT + 2;
    rig_in(&g);
    assert_int_equal(ns_accept(listener, &a, NULL), 0);
}

static void test_connect(void **st)
{
    struct out o = connecting();
    struct seg g = seg(TCP_SYN | TCP_ACK, PEER_ISS, our_iss + 1);

    (void)st;
    assert_int_equal(ns_events(s), 0);
    g.mss = 1000;
    g.ts = true;
    g.tsval = 77;
    g.tsecr = o.tsval;
    g.wscale = 3;
    to_client(g);
    o = rig_out();
    assert_true(o.any && o.flags == TCP_ACK && o.ack == PEER_ISS + 1 && o.ts && o.tsecr == 77);
    assert_true(ns_events(s) & NS_OUT);
    assert_int_equal(ns_send(s, pattern, 3000, 0, NULL), 3000);
    o = rig_out();
    assert_int_equal(o.text_len, 1000 - 12); /* the peer's MSS less our time stamp */
}

static void test_connect_refused(void **st)
{
    int err;

    (void)st;
    connecting();
    to_client(seg(TCP_RST | TCP_ACK, 0, our_iss + 1));
    assert_true(ns_events(s) & NS_ERR);
    assert_int_equal(ns_getopt(s, NSO_ERROR, &err), 0);
    assert_int_equal(err, ECONNREFUSED);
    ns_close(s);
    connecting();
    to_client(seg(TCP_RST, our_iss, 0)); /* without an ACK it proves nothing */
    to_client(seg(TCP_RST | TCP_ACK, 0, our_iss + 2));
    assert_int_equal(state(), TCP_SYN_SENT);
}

static void test_connect_times_out(void **st) /* C-TIME-3 */
{
    uint64_t began = rig.now;
    unsigned syns = 0;
    int err = 0;

    (void)st;
    connecting();
    while (err == 0 && rig.now < began + 100 * RIG_S) {
        rig_sleep(100 * RIG_MS);
        syns += rig_drain();
        ns_getopt(s, NSO_ERROR, &err);
    }
    assert_int_equal(err, ETIMEDOUT);
    assert_true(rig.now - began >= 29 * RIG_S && rig.now - began <= 33 * RIG_S);
    assert_int_equal(syns, 4); /* after 1, 3, 7, 15 s */
}

static void test_connect_unreachable(void **st)
{
    int err;

    (void)st;
    connecting();
    assert_int_equal(ns_getopt(s, NSO_ERROR, &err), 0);
    rig_sleep(RIG_S); /* the SYN again */
    rig_fail_next(-ENETUNREACH);
    rig_run();
    ns_getopt(s, NSO_ERROR, &err);
    assert_int_equal(err, ENETUNREACH);
    ns_close(s);
    rig.route_error = -EHOSTUNREACH;
    rig.now += 10 * RIG_S;
    assert_int_equal(ns_socket(rig.ns, NET_INET, NS_STREAM, &s), 0);
    struct ns_addr to = {.family = NET_INET, .port = 1, .addr = {{10, 0, 0, 9}}};
    assert_int_equal(ns_connect(s, &to), -EHOSTUNREACH);
}

static void test_simultaneous_open(void **st)
{
    struct out o;
    struct seg g;

    (void)st;
    connecting();
    g = seg(TCP_SYN, PEER_ISS, 0);
    g.mss = 1460;
    to_client(g);
    assert_int_equal(state(), TCP_SYN_RCVD);
    o = rig_out();
    assert_true(o.any && o.flags == (TCP_SYN | TCP_ACK) && o.seq == our_iss && o.ack == PEER_ISS + 1);
    g = seg(TCP_SYN | TCP_ACK, PEER_ISS, our_iss + 1);
    to_client(g);
    assert_int_equal(state(), TCP_ESTABLISHED);
    assert_true(ns_events(s) & NS_OUT);
    rig_drain();
    g = seg(TCP_ACK, PEER_ISS + 1, our_iss + 1);
    g.text = "x";
    g.text_len = 1;
    to_client(g);
    uint8_t b;
    assert_int_equal(ns_recv(s, &b, 1, 0, NULL), 1);
}

static void test_old_syn_ack_in_syn_sent(void **st)
{
    struct out o;

    (void)st;
    connecting();
    to_client(seg(TCP_SYN | TCP_ACK, PEER_ISS, our_iss + 1000));
    o = rig_out();
    assert_true(o.any && o.flags == TCP_RST && o.seq == our_iss + 1000);
    assert_int_equal(state(), TCP_SYN_SENT);
}

/* --- what does not belong (RFC 5961) ------------------------------------------------- */
static void test_reset(void **st)
{
    uint8_t b[4];

    (void)st;
    accepted(65535);
    in(TCP_RST, PEER_ISS + 1 + 70000, 0); /* outside the window: nothing */
    assert_false(rig_out().any);
    in(TCP_RST, PEER_ISS + 2, 0); /* inside, not exact: a challenge */
    struct out o = rig_out();
    assert_true(o.any && o.flags == TCP_ACK && o.ack == PEER_ISS + 1);
    assert_int_equal(state(), TCP_ESTABLISHED);
    in_text(PEER_ISS + 1, our_iss + 1, "last", 4);
    in(TCP_RST, PEER_ISS + 5, 0);
    assert_int_equal(state(), TCP_CLOSED);
    assert_int_equal(ns_recv(s, b, 4, 0, NULL), 4); /* what had arrived is still there */
    assert_int_equal(ns_recv(s, b, 4, 0, NULL), -ECONNRESET);
    assert_int_equal(ns_recv(s, b, 4, 0, NULL), 0);
    assert_int_equal(ns_send(s, b, 4, 0, NULL), -EPIPE);
}

/* The text of a RST that begins before the window must not be cut off, or the rest
 * would begin at the very number that ends the connection (RFC 5961 3.2). */
static void test_reset_with_text(void **st)
{
    struct seg g = seg(TCP_RST | TCP_ACK, PEER_ISS + 1 - 500, 0);

    (void)st;
    accepted(65535);
    g.ack = our_iss + 1;
    g.text = pattern;
    g.text_len = 1000;
    rig_in(&g);
    assert_int_equal(state(), TCP_ESTABLISHED);
    in(TCP_RST, PEER_ISS, 0); /* an old one is no reason for an ACK */
    assert_false(rig_out().any);
    g.seq = PEER_ISS + 1;
    rig_in(&g);
    assert_int_equal(state(), TCP_CLOSED);
}

static void test_connect_again(void **st)
{
    struct ns_addr to = {.family = NET_INET, .port = PEER_PORT};
    uint64_t began;
    int e = 0;

    (void)st;
    connecting();
    for (int i = 0; i < 60; i++) {
        rig_sleep(RIG_S);
        rig_drain();
    }
    assert_int_equal(ns_getopt(s, NSO_ERROR, &e), 0);
    assert_int_equal(e, ETIMEDOUT);
    put32(to.addr.b, PEER_IP);
    assert_int_equal(ns_connect(s, &to), -EINPROGRESS);
    assert_true(rig_out().flags == TCP_SYN);
    began = rig.now; /* the waits begin anew, they do not go on where they were */
    rig.now = netstack_deadline(rig.ns);
    rig_run();
    assert_true(rig_out().flags == TCP_SYN);
    assert_int_equal(rig.now - began, TCP_RTO_INITIAL);
}

static void test_syn_in_window_is_challenged(void **st)
{
    (void)st;
    accepted(65535);
    in(TCP_SYN, PEER_ISS + 500, 0);
    struct out o = rig_out();
    assert_true(o.any && o.flags == TCP_ACK && o.ack == PEER_ISS + 1);
    assert_int_equal(state(), TCP_ESTABLISHED);
}

static void test_challenges_are_limited(void **st) /* C-TCP-2 */
{
    (void)st;
    accepted(65535);
    for (int i = 0; i < 100; i++)
        in(TCP_SYN, PEER_ISS + 500, 0);
    assert_true(rig_drain() <= 10);
    rig_sleep(RIG_S);
    in(TCP_SYN, PEER_ISS + 500, 0);
    assert_int_equal(rig_drain(), 1);
}

static void test_ack_outside_is_challenged(void **st)
{
    (void)st;
    accepted(1000);
    in_text(PEER_ISS + 1, our_iss + 5000, "bad", 3); /* acknowledges what was never sent */
    assert_int_equal(rig_drain(), 1);
    in_text(PEER_ISS + 1, our_iss - 70000, "bad", 3); /* older than any window offered */
    assert_int_equal(rig_drain(), 1);
    assert_int_equal(ns_events(s) & NS_IN, 0);
}

static void test_unbound_gets_reset(void **st)
{
    struct seg g = seg(TCP_SYN, 100, 0);
    struct out o;

    (void)st;
    g.dport = 81;
    rig_in(&g);
    assert_false(rig_out().any); /* not ours to answer */
    rig.ns->cfg.reset_unbound = true;
    rig_in(&g);
    o = rig_out();
    assert_true(o.any && o.flags == (TCP_RST | TCP_ACK) && o.seq == 0 && o.ack == 101);
    g.flags = TCP_ACK;
    g.ack = 777;
    rig_in(&g);
    o = rig_out();
    assert_true(o.any && o.flags == TCP_RST && o.seq == 777);
    g.flags = TCP_RST;
    rig_in(&g);
    assert_false(rig_out().any);
}

/* --- closing ------------------------------------------------------------------------- */
static void test_active_close(void **st)
{
    struct out o;

    (void)st;
    accepted(65535);
    assert_int_equal(ns_shutdown(s, 1), 0);
    o = rig_out();
    assert_true(o.any && (o.flags & TCP_FIN) && o.seq == our_iss + 1);
    assert_int_equal(state(), TCP_FIN_WAIT_1);
    in(TCP_ACK, PEER_ISS + 1, our_iss + 2);
    assert_int_equal(state(), TCP_FIN_WAIT_2);
    in_text(PEER_ISS + 1, our_iss + 2, "more", 4); /* half-closed: they may go on */
    uint8_t b[8];
    assert_int_equal(ns_recv(s, b, 8, 0, NULL), 4);
    assert_int_equal(ns_send(s, b, 4, 0, NULL), -EPIPE);
    in(TCP_FIN | TCP_ACK, PEER_ISS + 5, our_iss + 2);
    o = rig_out();
    assert_true(o.any && o.ack == PEER_ISS + 6);
    assert_int_equal(state(), TCP_TIME_WAIT);
    assert_int_equal(ns_recv(s, b, 8, 0, NULL), 0);
    ns_close(s);
    in(TCP_FIN | TCP_ACK, PEER_ISS + 5, our_iss + 2); /* our ACK was lost */
    o = rig_out();
    assert_true(o.any && o.flags == TCP_ACK && o.ack == PEER_ISS + 6 && o.seq == our_iss + 2);
    assert_int_equal(rig.ns->tw_n, 1);
    in(TCP_RST, PEER_ISS + 6, 0); /* RFC 1337 */
    assert_int_equal(rig.ns->tw_n, 1);
    rig_sleep(61 * RIG_S);
    assert_int_equal(rig.ns->tw_n, 0);
}

static void test_passive_close(void **st)
{
    struct out o;
    uint8_t b;

    (void)st;
    accepted(65535);
    in(TCP_FIN | TCP_ACK, PEER_ISS + 1, our_iss + 1);
    o = rig_out();
    assert_true(o.any && o.ack == PEER_ISS + 2);
    assert_int_equal(state(), TCP_CLOSE_WAIT);
    assert_int_equal(ns_recv(s, &b, 1, 0, NULL), 0);
    assert_true(ns_events(s) & NS_RDHUP);
    assert_int_equal(ns_send(s, "bye", 3, 0, NULL), 3);
    rig_drain();
    ns_close(s);
    o = rig_out();
    assert_true(o.any && (o.flags & TCP_FIN) && o.seq == our_iss + 4);
    assert_int_equal(netstack_lingering(rig.ns), 1);
    in(TCP_ACK, PEER_ISS + 2, our_iss + 5);
    assert_int_equal(netstack_lingering(rig.ns), 0);
    assert_int_equal(rig.ns->conn_n, 0);
}

static void test_simultaneous_close(void **st)
{
    (void)st;
    accepted(65535);
    ns_shutdown(s, 1);
    rig_drain();
    in(TCP_FIN | TCP_ACK, PEER_ISS + 1, our_iss + 1);
    assert_int_equal(state(), TCP_CLOSING);
    rig_drain();
    in(TCP_ACK, PEER_ISS + 2, our_iss + 2);
    assert_int_equal(state(), TCP_TIME_WAIT);
}

static void test_fin_before_its_turn(void **st)
{
    uint8_t b[2000];
    struct seg g;

    (void)st;
    accepted(65535);
    g = seg(TCP_FIN | TCP_ACK, PEER_ISS + 1 + 1000, our_iss + 1);
    g.text = pattern + 1000;
    g.text_len = 500;
    rig_in(&g);
    assert_int_equal(state(), TCP_ESTABLISHED);
    in_text(PEER_ISS + 1, our_iss + 1, pattern, 1000);
    assert_int_equal(state(), TCP_CLOSE_WAIT);
    assert_int_equal(ns_recv(s, b, sizeof(b), 0, NULL), 1500);
    assert_memory_equal(b, pattern, 1500);
    assert_int_equal(ns_recv(s, b, sizeof(b), 0, NULL), 0);
}

/* A peer that contradicts itself about its end keeps the first word. */
static void test_text_behind_a_fin(void **st) /* C-TCP-8 */
{
    uint8_t b[2000];
    struct seg g;

    (void)st;
    accepted(65535);
    in(TCP_FIN | TCP_ACK, PEER_ISS + 1 + 100, our_iss + 1);
    in_text(PEER_ISS + 1 + 200, our_iss + 1, pattern, 50); /* wholly behind it */
    in_text(PEER_ISS + 1, our_iss + 1, pattern, 150);      /* partly */
    assert_int_equal(state(), TCP_CLOSE_WAIT);
    assert_int_equal(ns_recv(s, b, sizeof(b), 0, NULL), 100);
    assert_int_equal(ns_recv(s, b, sizeof(b), 0, NULL), 0);
    ns_close(s);
    ns_close(listener);
    rig_drain();
    in(TCP_ACK, PEER_ISS + 102, our_iss + 2);
    accepted(65535);
    rig_drain();
    g = seg(TCP_ACK, PEER_ISS + 1 + 300, our_iss + 1); /* text first, then an end before it */
    g.text = pattern;
    g.text_len = 50;
    rig_in(&g);
    in(TCP_FIN | TCP_ACK, PEER_ISS + 1 + 100, our_iss + 1);
    in_text(PEER_ISS + 1, our_iss + 1, pattern, 150);
    assert_int_equal(state(), TCP_ESTABLISHED);
    assert_int_equal(ns_recv(s, b, sizeof(b), 0, NULL), 150);
}

static void test_close_with_unread_resets(void **st)
{
    struct out o;

    (void)st;
    accepted(65535);
    in_text(PEER_ISS + 1, our_iss + 1, "unread", 6);
    ns_close(s);
    o = rig_out();
    assert_true(o.any && (o.flags & TCP_RST) && o.seq == our_iss + 1);
    assert_int_equal(rig.ns->conn_n, 0);
}

static void test_data_after_close_resets(void **st)
{
    struct out o;

    (void)st;
    accepted(65535);
    ns_close(s);
    rig_drain();
    in(TCP_ACK, PEER_ISS + 1, our_iss + 2);
    in_text(PEER_ISS + 1, our_iss + 2, "late", 4);
    o = rig_out();
    assert_true(o.any && (o.flags & TCP_RST));
    assert_int_equal(rig.ns->conn_n, 0);
}

static void test_orphan_fin_wait_2_ends(void **st)
{
    (void)st;
    accepted(65535);
    ns_close(s);
    rig_drain();
    in(TCP_ACK, PEER_ISS + 1, our_iss + 2);
    assert_int_equal(rig.ns->conn_n, 1);
    rig_sleep(61 * RIG_S);
    assert_int_equal(rig.ns->conn_n, 0);
}

static void test_time_wait_reuse(void **st)
{
    struct out o;
    uint32_t old;

    (void)st;
    accepted(65535);
    ns_close(s);
    rig_drain();
    in(TCP_FIN | TCP_ACK, PEER_ISS + 1, our_iss + 2);
    assert_int_equal(rig.ns->tw_n, 1);
    rig_drain();
    old = our_iss + 2;
    in(TCP_SYN, PEER_ISS - 10, 0); /* an old duplicate: the TIME_WAIT stands */
    o = rig_out();
    assert_true(o.any && o.flags == TCP_ACK);
    assert_int_equal(rig.ns->tw_n, 1);
    in(TCP_SYN, PEER_ISS + 90000, 0); /* a new incarnation */
    o = rig_out();
    assert_true(o.any && o.flags == (TCP_SYN | TCP_ACK) && seq_gt(o.seq, old));
    assert_int_equal(rig.ns->tw_n, 0);
}

/* By the time stamp, and where that says nothing by the sequence number. */
static void test_time_wait_reuse_by_stamp(void **st) /* C-TCP-9 */
{
    static const struct {
        uint32_t tsval, seq;
        bool taken;
    } syn[] = {{499, 90000, false}, {500, 1, false}, {500, 90000, true}, {501, 1, true}};

    (void)st;
    for (unsigned i = 0; i < sizeof(syn) / sizeof(syn[0]); i++) {
        struct tcp_tw *w;
        struct seg g;
        struct out o;

        accepted(65535);
        ns_close(s);
        rig_drain();
        in(TCP_FIN | TCP_ACK, PEER_ISS + 1, our_iss + 2);
        rig_drain();
        w = rig.ns->tw_head;
        assert_non_null(w);
        w->ts_on = true;
        w->ts_recent = 500;
        g = seg(TCP_SYN, PEER_ISS + syn[i].seq, 0);
        g.ts = true;
        g.tsval = syn[i].tsval;
        rig_in(&g);
        o = rig_out();
        assert_int_equal(o.flags, syn[i].taken ? TCP_SYN | TCP_ACK : TCP_ACK);
        assert_int_equal(rig.ns->tw_n, syn[i].taken ? 0 : 1);
        ns_close(listener);
        rig_sleep(61 * RIG_S);
        rig_drain();
        assert_int_equal(rig.ns->conn_n, 0);
    }
}

static void test_linger_zero(void **st)
{
    (void)st;
    accepted(65535);
    ns_setopt(s, NSO_LINGER, 0);
    ns_send(s, "x", 1, 0, NULL);
    rig_drain();
    ns_close(s);
    assert_true(rig_out().flags & TCP_RST);
    assert_int_equal(rig.ns->conn_n, 0);
}

static void test_listener_close(void **st)
{
    struct out o;

    (void)st;
    listen_here(5);
    in(TCP_SYN, PEER_ISS, 0);
    o = rig_out();
    in(TCP_ACK, PEER_ISS + 1, o.seq + 1);
    struct seg g = seg(TCP_SYN, 7, 0);
    g.sport = 4444;
    rig_in(&g); /* one half open, one waiting */
    rig_drain();
    ns_close(listener);
    assert_true(rig_out().flags & TCP_RST);
    assert_int_equal(rig.ns->conn_n, 0);
    assert_int_equal(rig.registered_n, 0);
}

static void test_connection_outlives_listener(void **st)
{
    uint8_t b[5];

    (void)st;
    accepted(65535);
    ns_close(listener);
    assert_int_equal(rig.registered_n, 1); /* the port stays ours */
    in_text(PEER_ISS + 1, our_iss + 1, "hello", 5);
    assert_int_equal(ns_recv(s, b, 5, 0, NULL), 5);
    in(TCP_SYN, PEER_ISS + 9, 0);
    struct seg g = seg(TCP_SYN, 7, 0);
    g.sport = 4444;
    rig_drain();
    rig_in(&g); /* nobody listens any more */
    assert_true(rig_out().flags & TCP_RST);
}

/* --- errors from the network --------------------------------------------------------- */
static void test_icmp_errors(void **st)
{
    uint8_t p[36] = {3, 3};
    int err;

    (void)st;
    connecting();
    p[8] = 0x45;
    put16(p + 10, 40);
    p[17] = NET_TCP;
    put32(p + 20, OUR_IP);
    put32(p + 24, PEER_IP);
    put16(p + 28, client_port);
    put16(p + 30, PEER_PORT);
    put32(p + 32, our_iss + 12345); /* a guess */
    rig_in_ip(NET_ICMP, PEER_IP, OUR_IP, p, 36, 2, 0);
    assert_int_equal(state(), TCP_SYN_SENT);
    put32(p + 32, our_iss);
    rig_in_ip(NET_ICMP, PEER_IP, OUR_IP, p, 36, 2, 0);
    ns_getopt(s, NSO_ERROR, &err);
    assert_int_equal(err, ECONNREFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_syn_ack_repeats),
        T(test_half_open_rejects),
        T(test_backlog),
        T(test_connect),
        T(test_connect_refused),
        T(test_connect_times_out),
        T(test_connect_unreachable),
        T(test_simultaneous_open),
        T(test_old_syn_ack_in_syn_sent),
        T(test_reset),
        T(test_reset_with_text),
        T(test_connect_again),
        T(test_syn_in_window_is_challenged),
        T(test_challenges_are_limited),
        T(test_ack_outside_is_challenged),
        T(test_unbound_gets_reset),
        T(test_active_close),
        T(test_passive_close),
        T(test_simultaneous_close),
        T(test_fin_before_its_turn),
        T(test_text_behind_a_fin),
        T(test_close_with_unread_resets),
        T(test_data_after_close_resets),
        T(test_orphan_fin_wait_2_ends),
        T(test_time_wait_reuse),
        T(test_time_wait_reuse_by_stamp),
        T(test_linger_zero),
        T(test_listener_close),
        T(test_connection_outlives_listener),
        T(test_icmp_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
