/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_cookie.c: SYN cookies (net/stack/tcp_cookie.c): a listener that
 * is flooded with SYNs. Bench: tcp_rig.h.
 */
#include "tcp_rig.h"

#define QUEUE_FULL 64 /* SYNs that a listener of backlog 5 remembers */

static const struct tcb *listening(void)
{
    return (const struct tcb *)listener;
}

/* SYNs from so many ports, new ones each time; each is answered. */
static void flood(unsigned n)
{
    static uint16_t port;

    for (unsigned i = 0; i < n; i++) {
        struct seg g = seg(TCP_SYN, 77 * i, 0);
        g.sport = (uint16_t)(20000 + port++ % 40000);
        rig_in(&g);
        assert_int_equal(rig_drain(), 1);
    }
}

static struct seg from(uint16_t sport, uint8_t flags, uint32_t seq, uint32_t ack)
{
    struct seg g = seg(flags, seq, ack);

    g.sport = sport;
    return g;
}

/* A client's SYN while the queue is full, with the size that it offers. */
static struct out syn_cookie(struct seg g)
{
    struct out o;

    rig_in(&g);
    o = rig_out();
    assert_true(o.any && o.flags == (TCP_SYN | TCP_ACK) && o.ack == g.seq + 1);
    return o;
}

static void a_flood_shuts_nobody_out(void **st) /* C-TCP-7 */
{
    struct seg g = from(4000, TCP_SYN, PEER_ISS, 0);
    struct out o;
    uint8_t b[8];
    long before;

    (void)st;
    listen_here(5);
    flood(QUEUE_FULL);
    before = rig.allocations;
    flood(1000);
    assert_int_equal(listening()->listener->syns, QUEUE_FULL);
    assert_int_equal(rig.allocations, before);
    assert_int_equal(ns_counters(rig.ns)->cookies_sent, 1000);
    g.mss = 1400;
    o = syn_cookie(g);
    flood(1000);
    g = from(4000, TCP_ACK, PEER_ISS + 1, o.seq + 1);
    rig_in(&g);
    assert_int_equal(ns_counters(rig.ns)->cookies_accepted, 1);
    assert_int_equal(ns_accept(listener, &s, NULL), 0);
    assert_int_equal(((struct tcb *)s)->mss_peer, 1360); /* the next that the table has */
    g = from(4000, TCP_ACK, PEER_ISS + 1, o.seq + 1);
    g.text = "hello";
    g.text_len = 5;
    rig_in(&g);
    assert_int_equal(ns_recv(s, b, sizeof(b), 0, NULL), 5);
    assert_int_equal(ns_send(s, "world", 5, 0, NULL), 5);
    o = rig_out();
    assert_true(o.any && o.text_len == 5 && o.ack == PEER_ISS + 6);
}

/* The third part was lost: the first text brings the cookie. */
static void text_brings_the_cookie_too(void **st)
{
    struct out o;
    struct seg g;
    uint8_t b[8];

    (void)st;
    listen_here(5);
    flood(QUEUE_FULL);
    o = syn_cookie(from(4000, TCP_SYN, PEER_ISS, 0));
    g = from(4000, TCP_ACK | TCP_PSH, PEER_ISS + 1, o.seq + 1);
    g.text = "hello";
    g.text_len = 5;
    rig_in(&g);
    assert_int_equal(ns_accept(listener, &s, NULL), 0);
    assert_int_equal(ns_recv(s, b, sizeof(b), 0, NULL), 5);
    assert_int_equal(((struct tcb *)s)->mss_peer, TCP_MSS_DEFAULT); /* it named none */
}

static void options_survive_in_the_time_stamp(void **st)
{
    (void)st;
    listen_here(100);
    flood(200); /* all remembered: the queue is as long as the backlog allows */
    for (int scale = -1; scale <= 14; scale++) {
        uint16_t port = (uint16_t)(5000 + scale);
        struct seg g = from(port, TCP_SYN, PEER_ISS, 0);
        const struct tcb *t;
        struct out o;

        rig.now += 7 * RIG_MS; /* every phase of the low bits */
        g.ts = true;
        g.tsval = 900;
        g.wscale = scale;
        g.mss = 1460;
        o = syn_cookie(g);
        assert_true(o.ts && o.tsecr == 900);
        assert_int_equal(o.wscale >= 0, scale > 0); /* the rig offers no scale of 0 */
        g = from(port, TCP_ACK, PEER_ISS + 1, o.seq + 1);
        g.ts = true;
        g.tsval = 901;
        g.tsecr = o.tsval;
        g.wnd = 1000;
        rig.now += RIG_MS;
        rig_in(&g);
        assert_int_equal(ns_accept(listener, &s, NULL), 0);
        t = (const struct tcb *)s;
        assert_true(t->ts_on && t->ts_recent == 901);
        assert_int_equal(t->wscale_on, scale > 0);
        assert_int_equal(t->snd_wscale, scale > 0 ? scale : 0);
        assert_int_equal(t->snd_wnd, 1000u << t->snd_wscale);
        assert_true(t->srtt_us > 0 && t->srtt_us < 40000);
        assert_int_equal(ns_send(s, "x", 1, 0, NULL), 1);
        struct out text = rig_out();
        assert_true(text.text_len == 1 && (int32_t)(text.tsval - o.tsval) >= 0); /* never back */
    }
}

/* The rig's segments cannot say SACK: what the bits say is looked at directly. */
static void sack_survives_in_the_time_stamp(void **st)
{
    uint8_t b[40] = {0};
    struct out o;
    struct seg g;

    (void)st;
    listen_here(5);
    flood(QUEUE_FULL);
    put16(b, 4000);
    put16(b + 2, PORT);
    put32(b + 4, PEER_ISS);
    b[12] = 10 << 4;
    b[13] = TCP_SYN;
    put16(b + 14, 65535);
    put32(b + 20, 0x04020101u); /* SACK permitted */
    tcp_put_ts(b + 24, 5, 0);
    put32(b + 36, 0x01030302u); /* window scale 2 */
    rig_in_ip(NET_TCP, PEER_IP, OUR_IP, b, sizeof(b), 16, 0);
    o = rig_out();
    g = from(4000, TCP_ACK, PEER_ISS + 1, o.seq + 1);
    g.ts = true;
    g.tsval = 6;
    g.tsecr = o.tsval;
    rig_in(&g);
    assert_int_equal(ns_accept(listener, &s, NULL), 0);
    assert_true(((struct tcb *)s)->sack_ok);
    assert_int_equal(((struct tcb *)s)->snd_wscale, 2);
}

static void wrong_cookies_are_refused(void **st) /* C-TCP-6 */
{
    struct seg g;
    struct out o, reset;

    (void)st;
    listen_here(5);
    flood(QUEUE_FULL);
    g = from(4000, TCP_SYN, PEER_ISS, 0);
    g.ts = true;
    g.tsval = 5;
    o = syn_cookie(g);
    for (int bit = 0; bit < 32; bit++) { /* a bit of the cookie */
        g = from(4000, TCP_ACK, PEER_ISS + 1, (o.seq ^ 1u << bit) + 1);
        g.ts = true;
        g.tsecr = o.tsval;
        rig_in(&g);
        reset = rig_out();
        assert_true(reset.flags == TCP_RST && reset.seq == g.ack);
    }
    for (int bit = 0; bit < 5; bit++) { /* an option that was not offered */
        g = from(4000, TCP_ACK, PEER_ISS + 1, o.seq + 1);
        g.ts = true;
        g.tsecr = o.tsval ^ 1u << bit;
        rig_in(&g);
        assert_true(rig_out().flags == TCP_RST);
    }
    g = from(4001, TCP_ACK, PEER_ISS + 1, o.seq + 1); /* another's */
    rig_in(&g);
    assert_true(rig_out().flags == TCP_RST);
    g = from(4000, TCP_ACK, PEER_ISS + 2, o.seq + 1); /* for another beginning */
    g.ts = true;
    g.tsecr = o.tsval;
    rig_in(&g);
    assert_true(rig_out().flags == TCP_RST);
    assert_int_equal(ns_counters(rig.ns)->cookies_refused, 39);
    assert_int_equal(ns_counters(rig.ns)->cookies_accepted, 0);
    assert_int_equal(listening()->listener->accepts, 0);
}

static void old_cookies_are_refused(void **st) /* C-TCP-6 */
{
    struct out o;
    struct seg g;

    (void)st;
    listen_here(5);
    flood(QUEUE_FULL);
    o = syn_cookie(from(4000, TCP_SYN, PEER_ISS, 0));
    rig.now += 63 * RIG_S;
    g = from(4001, TCP_SYN, PEER_ISS, 0); /* keeps the listener looking for cookies */
    rig_in(&g);
    rig.now += 66 * RIG_S;
    g = from(4000, TCP_ACK, PEER_ISS + 1, o.seq + 1);
    rig_drain();
    rig_in(&g);
    assert_true(rig_out().flags & TCP_RST);
    assert_int_equal(ns_counters(rig.ns)->cookies_accepted, 0);
    /* Long after the last one nothing is looked at. */
    rig_sleep(200 * RIG_S);
    rig_drain();
    uint64_t refused = ns_counters(rig.ns)->cookies_refused;
    rig_in(&g);
    assert_true(rig_out().flags & TCP_RST);
    assert_int_equal(ns_counters(rig.ns)->cookies_refused, refused);
}

/* The process dies and starts again: the registry gives it the same secret. */
static void a_restart_knows_the_cookies(void **st)
{
    struct out o;
    struct seg g;
    uint64_t now;

    (void)st;
    listen_here(5);
    flood(QUEUE_FULL);
    o = syn_cookie(from(4000, TCP_SYN, PEER_ISS, 0));
    now = rig.now;
    rig_stop();
    rig_start(NULL);
    rig.now = now + 2 * RIG_S;
    listen_here(5);
    g = from(4000, TCP_ACK, PEER_ISS + 1, o.seq + 1);
    rig_in(&g);
    assert_int_equal(ns_accept(listener, &s, NULL), 0);
}

/* The accept queue bounds what cookies bring in. */
static void the_backlog_holds(void **st)
{
    struct out o[8];

    (void)st;
    listen_here(5);
    flood(QUEUE_FULL);
    for (uint16_t i = 0; i < 8; i++)
        o[i] = syn_cookie(from((uint16_t)(4000 + i), TCP_SYN, PEER_ISS, 0));
    for (uint16_t i = 0; i < 8; i++) {
        struct seg g = from((uint16_t)(4000 + i), TCP_ACK, PEER_ISS + 1, o[i].seq + 1);
        rig_in(&g);
    }
    assert_int_equal(listening()->listener->accepts, 5);
    assert_false(rig_out().any); /* no RST: the others may come again */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_flood_shuts_nobody_out),          T(text_brings_the_cookie_too),
        T(options_survive_in_the_time_stamp), T(sack_survives_in_the_time_stamp),
        T(wrong_cookies_are_refused),         T(old_cookies_are_refused),
        T(a_restart_knows_the_cookies),       T(the_backlog_holds),
    };

    return cmocka_run_group_tests_name("SYN cookies", tests, NULL, NULL);
}
