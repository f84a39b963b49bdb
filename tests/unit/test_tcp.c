/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_tcp.c: TCP against a peer that the test plays segment by
 * segment: RFC 9293's states, RFC 5961's challenges, RFC 6298's timer, RFC
 * 5681/6582's recovery, RFC 7323's options.
 */
#include "stack_rig.h"

#define PORT 80
#define PEER_PORT 4000
#define PEER_ISS 1000u

static struct nsock *listener, *s;
static uint32_t our_iss; /* the sequence number that the stack chose */
static uint8_t pattern[65536];

static const struct ns_addr here = {.family = NET_INET, .port = PORT};

static struct seg seg(uint8_t flags, uint32_t seq, uint32_t ack)
{
    return (struct seg){.sport = PEER_PORT, .dport = PORT, .flags = flags, .seq = seq, .ack = ack, .wnd = 65535};
}
static void in(uint8_t flags, uint32_t seq, uint32_t ack)
{
    struct seg g = seg(flags, seq, ack);
    rig_in(&g);
}
static void in_text(uint32_t seq, uint32_t ack, const void *text, uint32_t n)
{
    struct seg g = seg(TCP_ACK | TCP_PSH, seq, ack);
    g.text = text;
    g.text_len = n;
    rig_in(&g);
}
static uint8_t state(void) { return ((struct tcb *)s)->state; }

static void listen_here(int backlog)
{
    assert_int_equal(ns_socket(rig.ns, NET_INET, NS_STREAM, &listener), 0);
    assert_int_equal(ns_bind(listener, &here), 0);
    assert_int_equal(ns_listen(listener, backlog), 0);
}

/* A connection that the peer opened; plain options, MSS 1460. */
static void accepted(uint16_t wnd)
{
    struct seg g = seg(TCP_SYN, PEER_ISS, 0);
    struct out o;

    listen_here(5);
    g.mss = 1460;
    g.wnd = wnd;
    rig_in(&g);
    o = rig_out();
    assert_true(o.any && o.flags == (TCP_SYN | TCP_ACK) && o.ack == PEER_ISS + 1);
    assert_true(!o.ts && o.wscale < 0); /* not offered, so not answered */
    our_iss = o.seq;
    g = seg(TCP_ACK, PEER_ISS + 1, our_iss + 1);
    g.wnd = wnd;
    rig_in(&g);
    assert_int_equal(ns_accept(listener, &s, NULL), 0);
    assert_int_equal(state(), TCP_ESTABLISHED);
    assert_false(rig_out().any);
}

static int setup(void **st)
{
    (void)st;
    rig_start(NULL);
    listener = s = NULL;
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (uint8_t)(i * 7 + (i >> 8));
    return 0;
}
static int teardown(void **st)
{
    (void)st;
    rig_stop();
    return 0;
}

/* --- opening ------------------------------------------------------------------------ */
static void test_accept_and_data(void **st)
{
    uint8_t buf[100];
    struct out o;

    (void)st;
    accepted(65535);
    in_text(PEER_ISS + 1, our_iss + 1, "hello", 5);
    assert_false(rig_out().any); /* delayed */
    assert_int_equal(ns_events(s) & NS_IN, NS_IN);
    assert_int_equal(ns_recv(s, buf, 100, 0, NULL), 5);
    assert_memory_equal(buf, "hello", 5);
    assert_int_equal(ns_recv(s, buf, 100, 0, NULL), -EAGAIN);
    assert_int_equal(ns_send(s, "world", 5, 0, NULL), 5);
    o = rig_out();
    assert_true(o.any && o.text_len == 5 && o.ack == PEER_ISS + 6 && o.seq == our_iss + 1); /* carries the ACK */
    assert_memory_equal(o.text, "world", 5);
    rig_sleep(100 * RIG_MS);
    assert_false(rig_out().any);
}

static void test_delayed_ack(void **st)
{
    struct out o;

    (void)st;
    accepted(65535);
    in_text(PEER_ISS + 1, our_iss + 1, pattern, 1460);
    assert_false(rig_out().any);
    rig_sleep(39 * RIG_MS);
    assert_false(rig_out().any);
    rig_sleep(2 * RIG_MS);
    o = rig_out();
    assert_true(o.any && o.text_len == 0 && o.ack == PEER_ISS + 1461);
    in_text(PEER_ISS + 1461, our_iss + 1, pattern, 1460);
    in_text(PEER_ISS + 2921, our_iss + 1, pattern, 1460);
    o = rig_out(); /* the second at once */
    assert_true(o.any && o.ack == PEER_ISS + 4381);
    assert_false(rig_out().any);
}

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

static void test_backlog(void **st)
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

static uint16_t client_port;

/* Our connect, up to SYN_SENT. */
static struct out connecting(void)
{
    struct ns_addr to = {.family = NET_INET, .port = PEER_PORT};
    struct out o;

    put32(to.addr.b, PEER_IP);
    assert_int_equal(ns_socket(rig.ns, NET_INET, NS_STREAM, &s), 0);
    assert_int_equal(ns_connect(s, &to), -EINPROGRESS);
    o = rig_out();
    assert_true(o.any && o.flags == TCP_SYN && o.mss == 1460 && o.ts && o.wscale >= 0);
    our_iss = o.seq;
    client_port = o.sport;
    return o;
}
static void to_client(struct seg g)
{
    g.dport = client_port;
    rig_in(&g);
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

static void test_connect_times_out(void **st)
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

/* --- RST, SYN and ACK that do not belong (RFC 5961) ----------------------------------------- */
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

static void test_syn_in_window_is_challenged(void **st)
{
    (void)st;
    accepted(65535);
    in(TCP_SYN, PEER_ISS + 500, 0);
    struct out o = rig_out();
    assert_true(o.any && o.flags == TCP_ACK && o.ack == PEER_ISS + 1);
    assert_int_equal(state(), TCP_ESTABLISHED);
}

static void test_challenges_are_limited(void **st)
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

/* --- text ---------------------------------------------------------------------------------------- */
static void test_reorder_overlap(void **st)
{
    uint8_t buf[4000];
    struct out o;
    uint32_t base = PEER_ISS + 1;

    (void)st;
    accepted(65535);
    in_text(base + 1000, our_iss + 1, pattern + 1000, 500);
    o = rig_out();
    assert_true(o.any && o.ack == base); /* duplicate ACK at once */
    in_text(base + 2000, our_iss + 1, pattern + 2000, 1000);
    in_text(base + 1400, our_iss + 1, pattern + 1400, 700); /* bridges both */
    assert_int_equal(((struct tcb *)s)->ooo_n, 1);
    in_text(base + 500, our_iss + 1, pattern + 500, 600);
    rig_drain();
    in_text(base, our_iss + 1, pattern, 700);
    o = rig_out();
    assert_true(o.any && o.ack == base + 3000);
    assert_int_equal(ns_recv(s, buf, sizeof(buf), 0, NULL), 3000);
    assert_memory_equal(buf, pattern, 3000);
    in_text(base + 2500, our_iss + 1, pattern + 2500, 600); /* half old, half new */
    assert_int_equal(ns_recv(s, buf, sizeof(buf), 0, NULL), 100);
    assert_memory_equal(buf, pattern + 3000, 100);
    in_text(base, our_iss + 1, pattern, 700); /* wholly old: an ACK, nothing more */
    o = rig_out();
    assert_true(o.any && o.ack == base + 3100);
    assert_int_equal(ns_recv(s, buf, sizeof(buf), 0, NULL), -EAGAIN);
}

static void test_beyond_window_is_cut(void **st)
{
    static uint8_t buf[80000];
    uint32_t base = PEER_ISS + 1, got = 0;
    int r;

    (void)st;
    accepted(65535);
    for (uint32_t off = 0; off < 70000; off += 1000)
        in_text(base + off, our_iss + 1, pattern + off % 1000, 1000);
    rig_drain();
    while ((r = ns_recv(s, buf + got, 4096, 0, NULL)) > 0)
        got += (uint32_t)r;
    assert_true(got <= 65536 && got >= 65000); /* the buffer's limit held */
}

static void test_window_update(void **st)
{
    static uint8_t buf[70000];
    uint32_t base = PEER_ISS + 1, off = 0;
    struct out o, last = {.any = false};

    (void)st;
    accepted(65535);
    for (; off < 65535; off += 1285)
        in_text(base + off, our_iss + 1, pattern + off, 1285);
    rig_sleep(50 * RIG_MS);
    while ((o = rig_out()).any)
        last = o;
    assert_int_equal(last.wnd, 0);
    assert_int_equal(ns_recv(s, buf, 100, 0, NULL), 100);
    assert_false(rig_out().any); /* no silly window */
    assert_int_equal(ns_recv(s, buf, 40000, 0, NULL), 40000);
    o = rig_out();
    assert_true(o.any && o.wnd > 30000);
}

/* --- sending ------------------------------------------------------------------------------------- */
static void test_initial_window_and_slow_start(void **st)
{
    uint32_t sent = 0, una = our_iss + 1;
    struct out o;

    (void)st;
    accepted(65535);
    una = our_iss + 1;
    assert_int_equal(ns_send(s, pattern, 60000, 0, NULL), 60000);
    while ((o = rig_out()).any)
        sent += o.text_len;
    assert_int_equal(sent, 10 * 1460); /* RFC 6928 */
    una += 2920;
    in(TCP_ACK, PEER_ISS + 1, una);
    sent = 0;
    while ((o = rig_out()).any)
        sent += o.text_len;
    assert_int_equal(sent, 4 * 1460); /* two left, cwnd grew by two */
}

static void test_peer_window(void **st)
{
    struct seg g;
    struct out o;

    (void)st;
    accepted(3000);
    assert_int_equal(ns_send(s, pattern, 10000, 0, NULL), 10000);
    assert_int_equal(rig_out().text_len, 1460);
    assert_int_equal(rig_out().text_len, 1460);
    assert_false(rig_out().any); /* 80 bytes are not worth a segment */
    g = seg(TCP_ACK, PEER_ISS + 1, our_iss + 1 + 2920);
    g.wnd = 0;
    rig_in(&g);
    assert_false(rig_out().any);
    for (int i = 0; i < 3; i++) { /* zero-window probes, backed off */
        uint64_t wait = netstack_deadline(rig.ns);
        assert_true(wait != UINT64_MAX);
        rig.now = wait;
        rig_run();
        o = rig_out();
        assert_true(o.any && o.text_len == 1 && o.seq == our_iss + 1 + 2920);
        rig_in(&g);
    }
    g.wnd = 5000;
    rig_in(&g);
    o = rig_out();
    assert_true(o.any && o.seq == our_iss + 1 + 2920 && o.text_len == 1460);
}

static void test_probe_byte_taken(void **st)
{
    struct seg g;
    struct out o;

    (void)st;
    accepted(100);
    assert_int_equal(ns_send(s, pattern, 200, 0, NULL), 200);
    o = rig_out();
    assert_int_equal(o.text_len, 100); /* all that fits, and half of the largest window */
    g = seg(TCP_ACK, PEER_ISS + 1, our_iss + 101);
    g.wnd = 0;
    rig_in(&g);
    rig.now = netstack_deadline(rig.ns);
    rig_run();
    o = rig_out();
    assert_true(o.any && o.text_len == 1);
    g.ack++; /* the peer takes the byte, still shut */
    rig_in(&g);
    rig.now = netstack_deadline(rig.ns);
    rig_run();
    o = rig_out();
    assert_true(o.any && o.text_len == 1 && o.seq == our_iss + 102);
    g.ack++;
    g.wnd = 1000;
    rig_in(&g);
    o = rig_out();
    assert_true(o.any && o.seq == our_iss + 103 && o.text_len == 98);
}

static void test_nagle(void **st)
{
    (void)st;
    accepted(65535);
    ns_send(s, "a", 1, 0, NULL);
    assert_int_equal(rig_out().text_len, 1);
    ns_send(s, "b", 1, 0, NULL);
    ns_send(s, "c", 1, 0, NULL);
    assert_false(rig_out().any); /* waits for the ACK */
    in(TCP_ACK, PEER_ISS + 1, our_iss + 2);
    assert_int_equal(rig_out().text_len, 2);
    ns_setopt(s, NSO_NODELAY, 1);
    ns_send(s, "d", 1, 0, NULL);
    assert_int_equal(rig_out().text_len, 1);
}

static void test_rto_backs_off(void **st)
{
    uint64_t last, gap = 0, prev = 0;
    struct out o;

    (void)st;
    accepted(65535);
    ns_send(s, "lost", 4, 0, NULL);
    rig_drain();
    last = rig.now;
    for (int i = 0; i < 5; i++) {
        rig.now = netstack_deadline(rig.ns);
        rig_run();
        o = rig_out();
        assert_true(o.any && o.seq == our_iss + 1 && o.text_len == 4);
        gap = rig.now - last;
        last = rig.now;
        if (prev != 0)
            assert_int_equal(gap, 2 * prev);
        prev = gap;
    }
    in(TCP_ACK, PEER_ISS + 1, our_iss + 5); /* Karn: says nothing about the round trip */
    ns_send(s, "next", 4, 0, NULL);
    rig_drain();
    assert_true(netstack_deadline(rig.ns) - rig.now >= gap);
}

static void test_gives_up(void **st)
{
    uint64_t began = rig.now;
    uint8_t b;

    (void)st;
    accepted(65535);
    ns_send(s, "lost", 4, 0, NULL);
    while (state() == TCP_ESTABLISHED && rig.now < began + 1000 * RIG_S) {
        rig.now = netstack_deadline(rig.ns);
        rig_run();
        rig_drain();
    }
    assert_true(rig.now - began > 100 * RIG_S && rig.now - began < 300 * RIG_S); /* R2, RFC 1122 4.2.3.5 */
    assert_int_equal(ns_recv(s, &b, 1, 0, NULL), -ETIMEDOUT);
}

/* Ten segments out, the first lost. */
static void test_fast_retransmit(void **st)
{
    uint32_t una;
    struct out o;

    (void)st;
    accepted(65535);
    una = our_iss + 1;
    ns_send(s, pattern, 40000, 0, NULL);
    assert_int_equal(rig_drain(), 10);
    in(TCP_ACK, PEER_ISS + 1, una);
    in(TCP_ACK, PEER_ISS + 1, una);
    assert_int_equal(rig_drain(), 2); /* limited transmit, RFC 3042 */
    in(TCP_ACK, PEER_ISS + 1, una);
    o = rig_out();
    assert_true(o.any && o.seq == una && o.text_len == 1460);
    for (int i = 0; i < 9; i++)
        in(TCP_ACK, PEER_ISS + 1, una);
    rig_drain();
    in(TCP_ACK, PEER_ISS + 1, una + 3 * 1460); /* partial: the next hole follows at once */
    o = rig_out();
    assert_true(o.any && o.seq == una + 3 * 1460);
    rig_drain();
    in(TCP_ACK, PEER_ISS + 1, ((struct tcb *)s)->recover);
    assert_false(((struct tcb *)s)->in_recovery);
    assert_true(((struct tcb *)s)->cwnd <= 9 * 1460);
}

static void test_rto_after_rtt(void **st)
{
    struct tcb *t;

    (void)st;
    accepted(65535);
    t = (struct tcb *)s;
    for (int i = 0; i < 20; i++) {
        ns_send(s, "x", 1, 0, NULL);
        rig_drain();
        rig.now += 10 * RIG_MS;
        in(TCP_ACK, PEER_ISS + 1, t->snd_max);
    }
    assert_true(t->srtt_us > 8000 && t->srtt_us < 11000);
    assert_true(tcp_rto(t) >= 200 * RIG_MS && tcp_rto(t) < 250 * RIG_MS);
}

static void test_nobufs(void **st)
{
    struct out o;
    uint64_t soon;

    (void)st;
    accepted(65535);
    ns_send(s, "x", 1, 0, NULL);
    rig_fail_next(-ENOBUFS);
    rig_run();
    soon = netstack_deadline(rig.ns);
    assert_true(soon - rig.now < 100 * RIG_MS); /* local congestion does not cost an RTO */
    rig.now = soon;
    rig_run();
    o = rig_out();
    assert_true(o.any && o.seq == our_iss + 1);
}

/* --- closing -------------------------------------------------------------------------------------- */
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

/* --- options --------------------------------------------------------------------------------------- */
static void test_paws(void **st)
{
    struct seg g = seg(TCP_SYN, PEER_ISS, 0);
    struct out o;
    uint8_t b[8];

    (void)st;
    listen_here(5);
    g.ts = true;
    g.tsval = 1000;
    g.wscale = 2;
    rig_in(&g);
    o = rig_out();
    assert_true(o.ts && o.tsecr == 1000 && o.wscale >= 0);
    our_iss = o.seq;
    g = seg(TCP_ACK, PEER_ISS + 1, our_iss + 1);
    g.ts = true;
    g.tsval = 1001;
    g.tsecr = o.tsval;
    rig_in(&g);
    assert_int_equal(ns_accept(listener, &s, NULL), 0);
    assert_int_equal(((struct tcb *)s)->snd_wnd, 65535u << 2);
    g.text = "old";
    g.text_len = 3;
    g.tsval = 900;
    rig_in(&g); /* stale: dropped with an ACK */
    o = rig_out();
    assert_true(o.any && o.ack == PEER_ISS + 1 && o.tsecr == 1001);
    assert_int_equal(ns_recv(s, b, 8, 0, NULL), -EAGAIN);
    g.ts = false;
    rig_in(&g); /* without a stamp: dropped silently */
    assert_false(rig_out().any);
    g.ts = true;
    g.tsval = 1002;
    rig_in(&g);
    assert_int_equal(ns_recv(s, b, 8, 0, NULL), 3);
}

static void test_keepalive(void **st)
{
    struct out o;
    uint8_t b;

    (void)st;
    accepted(65535);
    ns_setopt(s, NSO_KEEPIDLE, 10);
    ns_setopt(s, NSO_KEEPINTVL, 5);
    ns_setopt(s, NSO_KEEPCNT, 3);
    ns_setopt(s, NSO_KEEPALIVE, 1);
    rig_sleep(9 * RIG_S);
    assert_false(rig_out().any);
    rig_sleep(2 * RIG_S);
    o = rig_out();
    assert_true(o.any && o.seq == our_iss && o.text_len == 0);
    in(TCP_ACK, PEER_ISS + 1, our_iss + 1); /* alive */
    for (int i = 0; i < 40 && state() == TCP_ESTABLISHED; i++)
        rig_sleep(RIG_S);
    assert_int_equal(state(), TCP_CLOSED);
    assert_int_equal(ns_recv(s, &b, 1, 0, NULL), -ETIMEDOUT);
}

static void test_keepalive_probe_is_answered(void **st)
{
    struct out o;

    (void)st;
    accepted(65535);
    in(TCP_ACK, PEER_ISS, our_iss + 1);
    o = rig_out();
    assert_true(o.any && o.flags == TCP_ACK && o.ack == PEER_ISS + 1);
}

/* --- hostile input ------------------------------------------------------------------------------------ */
static void test_broken_segments(void **st)
{
    uint8_t p[60];
    uint64_t bad;

    (void)st;
    accepted(65535);
    bad = ns_counters(rig.ns)->tcp_bad;
    memset(p, 0, sizeof(p));
    put16(p, PEER_PORT);
    put16(p + 2, PORT);
    p[12] = 4 << 4; /* header of 16 bytes */
    rig_in_ip(NET_TCP, PEER_IP, OUR_IP, p, 40, 16, 0);
    p[12] = 15 << 4; /* longer than the segment */
    rig_in_ip(NET_TCP, PEER_IP, OUR_IP, p, 40, 16, 0);
    rig_in_ip(NET_TCP, PEER_IP, OUR_IP, p, 18, 16, 0);
    assert_int_equal(ns_counters(rig.ns)->tcp_bad, bad + 3);
    p[12] = 10 << 4; /* options that lie about their length */
    p[13] = TCP_ACK;
    memset(p + 20, 2, 20);
    p[21] = 0;
    rig_in_ip(NET_TCP, PEER_IP, OUR_IP, p, 40, 16, 0);
    p[21] = 200;
    rig_in_ip(NET_TCP, PEER_IP, OUR_IP, p, 40, 16, 0);
    assert_int_equal(state(), TCP_ESTABLISHED);
}

static void test_piece_flood_is_bounded(void **st)
{
    struct tcb *t;

    (void)st;
    accepted(65535);
    t = (struct tcb *)s;
    for (uint32_t i = 0; i < 3000; i++)
        in_text(PEER_ISS + 1 + 2 + i * 4, our_iss + 1, "x", 1);
    assert_true(t->ooo_n <= TCP_OOO_MAX);
    rig_drain();
}

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

static void test_path_mtu(void **st)
{
    uint8_t p[36] = {3, 4};
    struct out o;

    (void)st;
    accepted(65535);
    ns_send(s, pattern, 1460, 0, NULL);
    assert_int_equal(rig_out().text_len, 1460);
    put16(p + 6, 1000);
    p[8] = 0x45;
    put16(p + 10, 1500);
    p[17] = NET_TCP;
    put32(p + 20, OUR_IP);
    put32(p + 24, PEER_IP);
    put16(p + 28, PORT);
    put16(p + 30, PEER_PORT);
    put32(p + 32, our_iss + 1);
    rig_in_ip(NET_ICMP, PEER_IP, OUR_IP, p, 36, 2, 0);
    o = rig_out();
    assert_true(o.any && o.seq == our_iss + 1 && o.text_len == 960);
    assert_true(rig_out().text_len == 500);
}

/* The kernel's route got narrower than the path we knew. */
static void test_route_narrows(void **st)
{
    struct out o;

    (void)st;
    accepted(65535);
    ns_send(s, pattern, 1460, 0, NULL);
    rig.mtu = 600;
    rig_fail_next(-EMSGSIZE);
    rig_run();
    o = rig_out();
    assert_true(o.any && o.seq == our_iss + 1 && o.text_len == 560);
    rig_drain();
    in(TCP_ACK, PEER_ISS + 1, our_iss + 1461);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_accept_and_data), T(test_delayed_ack), T(test_syn_ack_repeats), T(test_half_open_rejects),
        T(test_backlog), T(test_connect), T(test_connect_refused), T(test_connect_times_out),
        T(test_connect_unreachable), T(test_simultaneous_open), T(test_old_syn_ack_in_syn_sent), T(test_reset),
        T(test_syn_in_window_is_challenged), T(test_challenges_are_limited), T(test_ack_outside_is_challenged),
        T(test_unbound_gets_reset), T(test_reorder_overlap), T(test_beyond_window_is_cut), T(test_window_update),
        T(test_initial_window_and_slow_start), T(test_peer_window), T(test_probe_byte_taken), T(test_nagle),
        T(test_rto_backs_off), T(test_gives_up), T(test_fast_retransmit), T(test_rto_after_rtt), T(test_nobufs),
        T(test_active_close), T(test_passive_close), T(test_simultaneous_close), T(test_fin_before_its_turn),
        T(test_close_with_unread_resets), T(test_data_after_close_resets), T(test_orphan_fin_wait_2_ends),
        T(test_time_wait_reuse), T(test_linger_zero), T(test_listener_close), T(test_connection_outlives_listener),
        T(test_paws), T(test_keepalive), T(test_keepalive_probe_is_answered), T(test_broken_segments),
        T(test_piece_flood_is_bounded), T(test_icmp_errors), T(test_path_mtu), T(test_route_narrows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
