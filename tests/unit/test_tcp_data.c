/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_tcp_data.c: TCP text in both directions against a peer that the
 * test plays: windows and probes, RFC 6298's timer, RFC 5681/6582's recovery, RFC
 * 7323's options, hostile segments.
 */
#include "tcp_rig.h"

/* --- receiving ----------------------------------------------------------------------- */
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
    assert_true(o.any && o.text_len == 5 && o.ack == PEER_ISS + 6 &&
                o.seq == our_iss + 1); /* carries the ACK */
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
    static uint8_t buf[90000];
    uint32_t base = PEER_ISS + 1, got = 0;
    int r;

    (void)st;
    accepted(65535);
    for (uint32_t off = 0; off < 90000; off += 1000)
        in_text(base + off, our_iss + 1, pattern + off % 1000, 1000);
    rig_drain();
    while ((r = ns_recv(s, buf + got, 4096, 0, NULL)) > 0)
        got += (uint32_t)r;
    assert_true(got <= 65536 / 4 * 5 && got >= 80000); /* the buffer's limit held (tcp_rcv_room) */
}

static void test_window_update(void **st)
{
    static uint8_t buf[70000];
    uint32_t base = PEER_ISS + 1, off = 0;
    struct out o, last = {.any = false};

    (void)st;
    accepted(65535);
    for (; off < 81920; off += 1024)
        in_text(base + off, our_iss + 1, pattern, 1024);
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

static void test_piece_flood_is_bounded(void **st) /* C-TCP-4 */
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

/* --- sending ------------------------------------------------------------------------- */
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

/* The peer's window is shut, but all has been acknowledged: nothing to probe for,
 * and no reason to give up. */
static void test_no_probes_without_text(void **st)
{
    struct seg g;

    (void)st;
    accepted(100);
    assert_int_equal(ns_send(s, pattern, 101, 0, NULL), 101);
    assert_int_equal(rig_out().text_len, 100);
    g = seg(TCP_ACK, PEER_ISS + 1, our_iss + 101);
    g.wnd = 0;
    rig_in(&g);
    rig.now = netstack_deadline(rig.ns);
    rig_run();
    assert_int_equal(rig_out().text_len, 1);
    g.ack++; /* the last byte is taken, still shut */
    rig_in(&g);
    g = seg(TCP_ACK | TCP_PSH, PEER_ISS + 1, our_iss + 102);
    g.text = pattern;
    g.text_len = 10;
    g.wnd = 0;
    rig_in(&g);
    rig_sleep(RIG_S); /* the delayed ACK */
    rig_drain();
    assert_true(netstack_deadline(rig.ns) == UINT64_MAX);
    for (int i = 0; i < 300; i++)
        rig_sleep(RIG_S);
    assert_false(rig_out().any);
    assert_int_equal(state(), TCP_ESTABLISHED);
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

/* 9,600 baud: a full segment takes a second and a half. */
static void test_slow_line(void **st)
{
    uint32_t sent = 0;
    struct out o;

    (void)st;
    rig.speed_bps = 9600;
    o = connecting();
    assert_true(o.wnd <= 4800);
    assert_true(netstack_deadline(rig.ns) - rig.now > 4 * RIG_S);
    struct seg g = seg(TCP_SYN | TCP_ACK, PEER_ISS, our_iss + 1);
    g.mss = 1460;
    to_client(g);
    rig_drain();
    ns_send(s, pattern, 40000, 0, NULL);
    for (; (o = rig_out()).any; rig_run()) {
        assert_false(rig_out().any); /* one waits for the line, and the next for its completion */
        sent += o.text_len;
    }
    assert_true(sent <= 2 * 1460);
}

/* Others fill the line's queue: what it refused was never sent, and is neither a
 * retransmission nor a reason to shrink the window. */
static void test_slow_line_refuses(void **st) /* C-SLIP-8 */
{
    struct tcb *t;
    struct out o;
    uint32_t cwnd;

    (void)st;
    rig.speed_bps = 38400;
    accepted(65535);
    t = (struct tcb *)s;
    cwnd = t->cwnd;
    ns_send(s, pattern, 20000, 0, NULL);
    o = rig_out();
    assert_true(o.any && o.seq == our_iss + 1);
    rig_run();
    for (unsigned i = 0; i < 5; i++) {
        rig_fail_next(-ENOBUFS);
        rig_run();
        assert_false(rig_out().any); /* not at once: the line is busy */
        rig.now = netstack_deadline(rig.ns);
        rig_run();
    }
    o = rig_out();
    assert_true(o.any && o.seq == our_iss + 1 + 1460 && o.text_len == 1460);
    assert_int_equal(t->retransmits, 0);
    assert_int_equal(t->cwnd, cwnd);
    /* The first is acknowledged late: 1,460 bytes each need 0.4 s of this line. */
    assert_true(tcp_rto(t) > 800 * RIG_MS);
    in(TCP_ACK, PEER_ISS + 1, our_iss + 1 + 2 * 1460);
    o = rig_out();
    assert_true(o.any && o.seq == our_iss + 1 + 2 * 1460);
}

/* The line was full for the connection that the socket had before: the next one's
 * text does not wait for that. */
static void test_slow_line_refused_another(void **st)
{
    struct ns_addr to = {.family = NET_INET, .port = PEER_PORT};
    struct out o;
    struct seg g;

    (void)st;
    rig.speed_bps = 38400;
    accepted(65535);
    ns_send(s, pattern, 20000, 0, NULL);
    assert_true(rig_out().any);
    rig_run();
    rig_fail_next(-ENOBUFS);
    rig_run();
    assert_true(((struct tcb *)s)->line_full);
    in(TCP_RST, PEER_ISS + 1, 0);
    assert_int_equal(ns_send(s, "x", 1, 0, NULL), -ECONNRESET);
    rig_drain();
    put32(to.addr.b, PEER_IP);
    assert_int_equal(ns_connect(s, &to), -EINPROGRESS);
    o = rig_out();
    assert_int_equal(o.flags, TCP_SYN);
    g = seg(TCP_SYN | TCP_ACK, PEER_ISS, o.seq + 1);
    g.dport = o.sport;
    rig_in(&g);
    rig_drain();
    assert_int_equal(ns_send(s, "hello", 5, 0, NULL), 5);
    assert_int_equal(rig_out().text_len, 5);
}

/* Text of any length, summed while it is copied, across the ends of chunks at even
 * and odd places. */
static void test_text_of_every_length(void **st)
{
    uint32_t seq = PEER_ISS + 1, got = 0, sent = 0, all = 0;
    static uint8_t buf[8192];
    int r;

    (void)st;
    accepted(65535);
    for (uint32_t n = 1; n <= 1460; n += n < 120 || n > 1440 ? 1 : 7) {
        in_text(seq, our_iss + 1, pattern + sent, n);
        seq += n;
        sent += n;
        while (rig_out().any) /* an acknowledgement */
            ;
        if (n % 3 != 0 && sent < 40000)
            continue;
        while ((r = ns_recv(s, buf, sizeof(buf), 0, NULL)) > 0) {
            assert_memory_equal(buf, pattern + got, (size_t)r);
            got += (uint32_t)r;
            all += (uint32_t)r;
        }
        assert_int_equal(got, sent);
        if (sent >= 40000) /* the pattern's end is near */
            sent = got = 0;
    }
    assert_true(all > 150000);
}

/* One wrong bit, wherever it is, and the text has never been there. */
static void test_damaged_text_leaves_no_trace(void **st)
{
    static uint8_t buf[4096];
    struct seg g;

    (void)st;
    accepted(65535);
    in_text(PEER_ISS + 1, our_iss + 1, pattern, 1001);
    for (int bit = 0; bit < 8 * 1200; bit += 37) {
        uint8_t p[20 + 20 + 1200];
        struct net_addr from = {{0}}, to = {{0}};
        put32(from.b, PEER_IP);
        put32(to.b, OUR_IP);
        ip4_header(p, sizeof(p), 1, 0, 64, NET_TCP, &from, &to);
        memset(p + 20, 0, 20);
        put16(p + 20, PEER_PORT);
        put16(p + 22, PORT);
        put32(p + 24, PEER_ISS + 1 + 1001);
        put32(p + 28, our_iss + 1);
        p[32] = 0x50;
        p[33] = TCP_ACK | TCP_PSH;
        put16(p + 34, 65535);
        memcpy(p + 40, pattern + 1001, 1200);
        put16_raw(p + 36, csum_finish(csum_bytes(csum_add(ip_pseudo(NET_INET, NET_TCP, &from, &to),
                                                         ns_swap16(1220)), p + 20, 1220)));
        p[40 + bit / 8] ^= (uint8_t)(1u << bit % 8);
        rig_in_raw(p, sizeof(p), 0);
    }
    assert_int_equal(((struct tcb *)s)->rcv_nxt, PEER_ISS + 1 + 1001);
    assert_int_equal(ns_counters(rig.ns)->tcp_bad, (8 * 1200 + 36) / 37);
    g = seg(TCP_ACK | TCP_PSH, PEER_ISS + 1 + 1001, our_iss + 1 + 999999); /* refused for another reason */
    g.text = pattern + 5;
    g.text_len = 1200;
    rig_in(&g);
    in_text(PEER_ISS + 1 + 1001, our_iss + 1, pattern + 1001, 1200);
    assert_int_equal(ns_recv(s, buf, sizeof(buf), 0, NULL), 2201);
    assert_memory_equal(buf, pattern, 2201);
}

/* The application's own buffer takes what comes in turn and fits; the rest waits in
 * the socket, and nothing overtakes. */
static void test_posted_buffer(void **st)
{
    static uint8_t mine[3000], buf[8192];

    (void)st;
    accepted(65535);
    in_text(PEER_ISS + 1, our_iss + 1, pattern, 10); /* before the buffer */
    assert_int_equal(ns_post(s, mine, sizeof(mine)), 0);
    assert_int_equal(ns_post(s, mine, sizeof(mine)), -EBUSY);
    in_text(PEER_ISS + 11, our_iss + 1, pattern + 10, 300);
    assert_int_equal(ns_recv(s, buf, sizeof(buf), 0, NULL), 310); /* in the socket: it came after those */
    assert_memory_equal(buf, pattern, 310);
    in_text(PEER_ISS + 311, our_iss + 1, pattern + 310, 20);
    in_text(PEER_ISS + 331, our_iss + 1, pattern + 330, 1400);
    assert_true(ns_events(s) & NS_IN);
    in_text(PEER_ISS + 331, our_iss + 1, pattern, 1400);         /* an old one */
    in_text(PEER_ISS + 1751, our_iss + 1, pattern + 1750, 100);  /* one ahead of its turn */
    in_text(PEER_ISS + 1731, our_iss + 1, pattern + 1730, 20);   /* fills the gap */
    in_text(PEER_ISS + 1851, our_iss + 1, pattern + 1850, 1000); /* the socket holds some now */
    assert_int_equal(ns_recv(s, buf, sizeof(buf), NS_PEEK, NULL), 1100);
    assert_int_equal(ns_posted(s), 1440);
    assert_memory_equal(mine, pattern + 310, 1440);
    assert_int_equal(ns_recv(s, buf, sizeof(buf), 0, NULL), 1100);
    assert_memory_equal(buf, pattern + 1750, 1100);
    assert_int_equal(ns_posted(s), 0);
    in_text(PEER_ISS + 2851, our_iss + 1, pattern, 5); /* and without one as ever */
    assert_int_equal(ns_recv(s, buf, sizeof(buf), 0, NULL), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_accept_and_data),
        T(test_delayed_ack),
        T(test_text_of_every_length),
        T(test_damaged_text_leaves_no_trace),
        T(test_posted_buffer),
        T(test_reorder_overlap),
        T(test_beyond_window_is_cut),
        T(test_window_update),
        T(test_keepalive),
        T(test_keepalive_probe_is_answered),
        T(test_paws),
        T(test_broken_segments),
        T(test_piece_flood_is_bounded),
        T(test_initial_window_and_slow_start),
        T(test_peer_window),
        T(test_probe_byte_taken),
        T(test_no_probes_without_text),
        T(test_nagle),
        T(test_rto_backs_off),
        T(test_gives_up),
        T(test_fast_retransmit),
        T(test_rto_after_rtt),
        T(test_nobufs),
        T(test_path_mtu),
        T(test_route_narrows),
        T(test_slow_line),
        T(test_slow_line_refuses),
        T(test_slow_line_refused_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
