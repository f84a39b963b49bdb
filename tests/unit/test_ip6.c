/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_ip6.c: IPv6 in libnet: headers and what may stand behind them,
 * UDP, TCP, sockets that serve both families.
 */
#include "stack6_rig.h"
#include <slipway/handover.h>

static struct nsock *s;
static uint8_t bytes[9000];

static int setup(void **st)
{
    (void)st;
    rig_start(NULL);
    rig.in_link = 1;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 3 + 1);
    return 0;
}
static int netd_setup(void **st)
{
    static const struct ns_config cfg = {.icmp_echo_reply = true, .reset_unbound = true};
    (void)st;
    setup(NULL);
    netstack_destroy(rig.ns);
    free(rig.ring);
    rig_start(&cfg);
    rig.in_link = 1;
    return 0;
}
static int teardown(void **st)
{
    (void)st;
    rig_stop();
    return 0;
}

static void bound(int type, uint16_t port)
{
    struct ns_addr a = name6(&none6, port);
    assert_int_equal(ns_socket(rig.ns, NET_INET6, type, &s), 0);
    assert_int_equal(ns_bind(s, &a), 0);
}

/* --- UDP -------------------------------------------------------------------- */

static void udp_echo(void **st)
{
    static uint8_t buf[9000];
    struct ns_addr from;
    struct out6 o;

    (void)st;
    bound(NS_DGRAM, 7);
    for (uint32_t n = 0; n <= 1452; n += 11) {
        rig6_udp(&peer6, &our6, 5000, 7, bytes, n);
        assert_int_equal(ns_recv(s, buf, sizeof(buf), 0, &from), (int)n);
        assert_true(from.family == NET_INET6 && from.port == 5000 && addr_equal(&from.addr, &peer6));
        assert_int_equal(from.scope, 0);
        assert_int_equal(ns_send(s, buf, n, 0, &from), (int)n);
        o = rig6_out();
        assert_true(o.any && o.next == NET_UDP && o.hops == 64 && o.link == LINK_ANY);
        assert_true(addr_equal(&o.src, &our6) && addr_equal(&o.dst, &peer6));
        assert_int_equal(o.len, n + 8);
        assert_memory_equal(o.data + 8, bytes, n);
    }
    from = name6(&peer6, 5000);
    assert_int_equal(ns_send(s, bytes, sizeof(bytes), 0, &from), sizeof(bytes)); /* cut by the net core */
    o = rig6_out();
    assert_int_equal(o.len, sizeof(bytes) + 8);
    ns_close(s);
}

/* RFC 8200 8.1: an IPv6 datagram without a checksum is no datagram. */
static void no_checksum_is_refused(void **st) /* C-SIX-3 */
{
    uint8_t p[60] = {0};

    (void)st;
    bound(NS_DGRAM, 7);
    ip6_header(p, 0x60000000u, 12, NET_UDP, 64, &peer6, &our6);
    put16(p + 40, 5000);
    put16(p + 42, 7);
    put16(p + 44, 12);
    rig_in_raw(p, 52, 0);
    assert_int_equal(ns_counters(rig.ns)->udp_bad, 1);
    assert_int_equal(ns_events(s) & NS_IN, 0);
    put16(p + 46, 0x1234); /* nor one with a wrong one */
    rig_in_raw(p, 52, 0);
    assert_int_equal(ns_counters(rig.ns)->udp_bad, 2);
    ns_close(s);
}

static void link_local_peers_have_a_link(void **st)
{
    struct ns_addr from, to = name6(&peer6_ll, 5000);
    uint8_t buf[16];
    struct nsock *other;
    struct out6 o;

    (void)st;
    bound(NS_DGRAM, 7);
    rig.in_link = 3;
    rig6_udp(&peer6_ll, &our6_ll, 5000, 7, "abc", 3);
    assert_int_equal(ns_recv(s, buf, sizeof(buf), 0, &from), 3);
    assert_int_equal(from.scope, 4); /* index + 1 */
    to.scope = 2;
    assert_int_equal(ns_send(s, "x", 1, 0, &to), 1);
    o = rig6_out();
    assert_int_equal(o.link, 1);
    assert_true(addr_equal(&o.src, &our6_ll));
    /* Connected to the one behind link 1, it does not hear the one behind link 3. */
    assert_int_equal(ns_socket(rig.ns, NET_INET6, NS_DGRAM, &other), 0);
    assert_int_equal(ns_connect(other, &to), 0);
    assert_int_equal(ns_getname(other, &from), 0);
    rig6_udp(&peer6_ll, &our6_ll, 5000, from.port, "abc", 3);
    assert_int_equal(ns_recv(other, buf, sizeof(buf), 0, NULL), -EAGAIN);
    rig.in_link = 1;
    rig6_udp(&peer6_ll, &our6_ll, 5000, from.port, "abc", 3);
    assert_int_equal(ns_recv(other, buf, sizeof(buf), 0, NULL), 3);
    ns_close(other);
    ns_close(s);
}

/* --- two families on one socket --------------------------------------------------- */

static void udp4(uint16_t sport, uint16_t dport, const char *text)
{
    uint8_t b[64];
    uint32_t n = (uint32_t)strlen(text);

    put16(b, sport);
    put16(b + 2, dport);
    put16(b + 4, (uint16_t)(n + 8));
    memcpy(b + 8, text, n);
    rig_in_ip(NET_UDP, PEER_IP, OUR_IP, b, n + 8, 6, 0);
}

static void one_socket_for_both(void **st) /* C-SIX-4 */
{
    struct ns_addr from, mapped = mapped_peer(5000), six = name6(&peer6, 5000);
    uint8_t buf[16];
    struct out o;

    (void)st;
    bound(NS_DGRAM, 7);
    assert_int_equal(rig.registered_n, 2); /* the port, in both families */
    udp4(5000, 7, "four");
    assert_int_equal(ns_recv(s, buf, sizeof(buf), 0, &from), 4);
    assert_true(from.family == NET_INET6 && addr_equal(&from.addr, &mapped.addr));
    assert_int_equal(ns_send(s, buf, 4, 0, &from), 4);
    o = rig_out();
    assert_true(o.any && o.proto == NET_UDP && o.dst == PEER_IP && o.src == OUR_IP);
    assert_int_equal(ns_connect(s, &mapped), 0);
    assert_int_equal(ns_getpeer(s, &from), 0);
    assert_true(addr_equal(&from.addr, &mapped.addr) && from.family == NET_INET6);
    rig6_udp(&peer6, &our6, 5000, 7, "six", 3); /* not its peer */
    assert_int_equal(ns_events(s) & NS_IN, 0);
    assert_int_equal(ns_send(s, "x", 1, 0, NULL), 1);
    assert_true(rig_out().any);
    assert_int_equal(ns_connect(s, &six), 0);
    udp4(5000, 7, "four");
    assert_int_equal(ns_events(s) & NS_IN, 0);
    ns_close(s);
    assert_int_equal(rig.registered_n, 0);
}

static void v6only_is_for_one(void **st)
{
    struct ns_addr a = name6(&none6, 7), mapped = mapped_peer(5000), four = {.family = NET_INET, .port = 7};
    struct nsock *other;
    int v = 0;

    (void)st;
    assert_int_equal(ns_socket(rig.ns, NET_INET6, NS_DGRAM, &s), 0);
    assert_int_equal(ns_setopt(s, NSO_V6ONLY, 1), 0);
    assert_int_equal(ns_getopt(s, NSO_V6ONLY, &v), 0);
    assert_int_equal(v, 1);
    assert_int_equal(ns_connect(s, &mapped), -EADDRNOTAVAIL);
    assert_int_equal(ns_bind(s, &four), -EAFNOSUPPORT);
    assert_int_equal(ns_bind(s, &a), 0);
    assert_int_equal(ns_setopt(s, NSO_V6ONLY, 0), -EINVAL);
    assert_int_equal(rig.registered_n, 1);
    udp4(5000, 7, "four");
    assert_int_equal(ns_events(s) & NS_IN, 0);
    assert_int_equal(ns_socket(rig.ns, NET_INET, NS_DGRAM, &other), 0); /* that port is another's */
    assert_int_equal(ns_bind(other, &four), 0);
    udp4(5000, 7, "four");
    assert_int_equal(ns_events(other) & NS_IN, NS_IN);
    assert_int_equal(ns_setopt(other, NSO_V6ONLY, 1), -EINVAL);
    ns_close(other);
    ns_close(s);
}

static void a_port_is_free_in_both_or_not_at_all(void **st)
{
    struct ns_addr a = name6(&none6, 7), four = {.family = NET_INET, .port = 7}, any = name6(&none6, 0), got;
    struct nsock *other;

    (void)st;
    assert_int_equal(ns_socket(rig.ns, NET_INET, NS_STREAM, &other), 0);
    assert_int_equal(ns_bind(other, &four), 0);
    assert_int_equal(ns_socket(rig.ns, NET_INET6, NS_STREAM, &s), 0);
    assert_int_equal(ns_bind(s, &a), -EADDRINUSE);
    assert_int_equal(rig.registered_n, 1);
    assert_int_equal(ns_bind(s, &any), 0);
    assert_int_equal(rig.registered_n, 3);
    assert_int_equal(ns_getname(s, &got), 0);
    assert_true(got.port != 0 && got.family == NET_INET6 && addr_any(&got.addr));
    ns_close(s);
    ns_close(other);
    assert_int_equal(rig.registered_n, 0);
}

/* --- TCP ------------------------------------------------------------------------ */

static struct nsock *accepted6(struct nsock *l, uint16_t mss, uint32_t *iss)
{
    struct nsock *c;
    struct ns_addr peer;
    struct out6 o;

    rig6_tcp(&peer6, &our6, 80, TCP_SYN, 1000, 0, mss, "", 0);
    o = rig6_out();
    assert_true(o.any && o.next == NET_TCP && o.data[13] == (TCP_SYN | TCP_ACK));
    assert_int_equal(get16(o.data + 22), 1440); /* our MSS: 1500 - 60 */
    *iss = get32(o.data + 4);
    rig6_tcp(&peer6, &our6, 80, TCP_ACK, 1001, *iss + 1, 0, "", 0);
    assert_int_equal(ns_accept(l, &c, &peer), 0);
    assert_true(addr_equal(&peer.addr, &peer6) && peer.family == NET_INET6 && peer.port == 4000);
    return c;
}

static void tcp_both_ways(void **st)
{
    struct nsock *l, *c;
    uint32_t iss, label;
    uint8_t buf[32];
    struct out6 o;

    (void)st;
    bound(NS_STREAM, 80);
    l = s;
    assert_int_equal(ns_listen(l, 5), 0);
    c = accepted6(l, 0, &iss);
    rig6_tcp(&peer6, &our6, 80, TCP_ACK | TCP_PSH, 1001, iss + 1, 0, "hello", 5);
    assert_int_equal(ns_recv(c, buf, sizeof(buf), 0, NULL), 5);
    assert_int_equal(ns_send(c, bytes, 4000, 0, NULL), 4000);
    o = rig6_out();
    assert_int_equal(o.len, 20 + 1220); /* it did not say, so the default (RFC 9293 3.7.1) */
    assert_memory_equal(o.data + 20, bytes, 1220);
    label = o.label;
    assert_true(label != 0);
    o = rig6_out();
    assert_int_equal(o.label, label); /* RFC 6437: the flow's */
    while (rig6_out().any)
        ;
    ns_close(c);
    ns_close(l);
    while (rig6_out().any)
        ;
}

static void one_listener_for_both(void **st) /* C-SIX-4 */
{
    struct ns_addr peer, mapped = mapped_peer(4000);
    struct nsock *l, *six, *four;
    uint32_t iss;
    struct out o;
    struct seg g = {.sport = 4000, .dport = 80, .flags = TCP_SYN, .seq = 500, .wnd = 65535, .mss = 1460};

    (void)st;
    bound(NS_STREAM, 80);
    l = s;
    assert_int_equal(ns_listen(l, 5), 0);
    six = accepted6(l, 1440, &iss);
    rig_in(&g);
    o = rig_out();
    assert_true(o.any && o.flags == (TCP_SYN | TCP_ACK) && o.mss == 1460);
    g.flags = TCP_ACK;
    g.seq = 501;
    g.ack = o.seq + 1;
    g.mss = 0;
    rig_in(&g);
    assert_int_equal(ns_accept(l, &four, &peer), 0);
    assert_true(peer.family == NET_INET6 && addr_equal(&peer.addr, &mapped.addr));
    assert_int_equal(ns_getname(four, &peer), 0);
    assert_true(peer.family == NET_INET6 && peer.addr.b[10] == 0xff && peer.port == 80);
    ns_close(l); /* connections keep the ports of their own family */
    assert_int_equal(ns_send(four, "x", 1, 0, NULL), 1);
    assert_true(rig_out().any);
    ns_close(six);
    assert_true(rig6_out().any);
    ns_close(four);
    rig_drain();
}

/* The same numbers in the other family are another connection. */
static void families_never_meet(void **st) /* C-SIX-4 */
{
    struct net_addr like4 = {{10, 0, 0, 2}}, ours = {{10, 0, 0, 1}};
    struct nsock *l, *four;
    struct seg g = {.sport = 4000, .dport = 80, .flags = TCP_SYN, .seq = 500, .wnd = 65535};
    struct out o;

    (void)st;
    bound(NS_STREAM, 80);
    l = s;
    assert_int_equal(ns_listen(l, 5), 0);
    rig_in(&g);
    o = rig_out();
    g.flags = TCP_ACK;
    g.seq = 501;
    g.ack = o.seq + 1;
    rig_in(&g);
    assert_int_equal(ns_accept(l, &four, NULL), 0);
    rig6_tcp(&like4, &ours, 80, TCP_RST, 501, 0, 0, "", 0); /* a00:2:: is not 10.0.0.2 */
    assert_int_equal(((struct tcb *)four)->state, TCP_ESTABLISHED);
    ns_close(four);
    ns_close(l);
    rig_drain();
}

static void connecting(void **st)
{
    struct ns_addr to = name6(&peer6, 4000), mapped = mapped_peer(4000), ll = name6(&peer6_ll, 4000);
    struct nsock *c;
    struct out6 o;
    struct out four;

    (void)st;
    assert_int_equal(ns_socket(rig.ns, NET_INET6, NS_STREAM, &c), 0);
    assert_int_equal(ns_connect(c, &to), -EINPROGRESS);
    assert_int_equal(rig.registered_n, 1); /* of the one family that it needs */
    o = rig6_out();
    assert_true(o.any && o.data[13] == TCP_SYN && get16(o.data + 22) == 1440);
    rig6_tcp(&peer6, &our6, get16(o.data), TCP_SYN | TCP_ACK, 7000, get32(o.data + 4) + 1, 1440, "", 0);
    assert_int_equal(((struct tcb *)c)->state, TCP_ESTABLISHED);
    ns_close(c);
    while (rig6_out().any)
        ;
    assert_int_equal(ns_socket(rig.ns, NET_INET6, NS_STREAM, &c), 0);
    assert_int_equal(ns_connect(c, &mapped), -EINPROGRESS);
    four = rig_out();
    assert_true(four.any && four.flags == TCP_SYN && four.mss == 1460 && four.dst == PEER_IP);
    ns_close(c);
    rig_drain();
    assert_int_equal(ns_socket(rig.ns, NET_INET6, NS_STREAM, &c), 0);
    assert_int_equal(ns_connect(c, &ll), -EINPROGRESS); /* the link is the route's */
    o = rig6_out();
    assert_int_equal(o.link, 1);
    rig.in_link = 2; /* the answer comes by another */
    rig6_tcp(&peer6_ll, &our6_ll, get16(o.data), TCP_SYN | TCP_ACK, 7000, get32(o.data + 4) + 1, 0, "", 0);
    assert_int_equal(((struct tcb *)c)->state, TCP_SYN_SENT);
    rig.in_link = 1;
    rig6_tcp(&peer6_ll, &our6_ll, get16(o.data), TCP_SYN | TCP_ACK, 7000, get32(o.data + 4) + 1, 0, "", 0);
    assert_int_equal(((struct tcb *)c)->state, TCP_ESTABLISHED);
    ns_close(c);
    while (rig6_out().any)
        ;
}

/* --- moving --------------------------------------------------------------------------- */

static uint8_t record[65536] __attribute__((aligned(8)));

/* A listener for both families, with a connection of each and half of a third in it. */
static void both_families_move(void **st) /* C-MOVE-1 */
{
    struct seg g = {.sport = 4000, .dport = 80, .flags = TCP_SYN, .seq = 500, .wnd = 65535, .mss = 1460};
    const struct handover *h = (const struct handover *)(const void *)record;
    struct net_addr third = {{0xfd, [15] = 3}};
    struct nsock *l, *c;
    struct ns_addr peer;
    uint32_t iss;
    struct out6 o;
    struct out four;
    int64_t n;

    (void)st;
    bound(NS_STREAM, 80);
    l = s;
    assert_int_equal(ns_listen(l, 5), 0);
    rig6_tcp(&peer6, &our6, 80, TCP_SYN, 1000, 0, 1440, "", 0);
    iss = get32(rig6_out().data + 4);
    rig6_tcp(&peer6, &our6, 80, TCP_ACK, 1001, iss + 1, 0, "six", 3);
    rig_in(&g);
    four = rig_out();
    g.flags = TCP_ACK;
    g.seq = 501;
    g.ack = four.seq + 1;
    rig_in(&g);
    rig6_tcp(&third, &our6, 80, TCP_SYN, 7000, 0, 1440, "", 0);
    o = rig6_out();
    rig_sleep(50 * RIG_MS); /* the delayed ACK is due */
    while (rig6_out().any)
        ;
    n = ns_export(l, record, sizeof(record));
    assert_true(n > 0 && (h->flags & HANDOVERF_DUAL) && !(h->flags & HANDOVERF_MAPPED));
    ns_forget(l);
    rig.registered_n += 2; /* another endpoint has them meanwhile */
    assert_int_equal(ns_import(rig.ns, record, (size_t)n, NULL, &l), 0);
    rig6_tcp(&third, &our6, 80, TCP_ACK, 7001, get32(o.data + 4) + 1, 0, "", 0);
    unsigned sixes = 0, mapped = 0;
    while (ns_accept(l, &c, &peer) == 0) {
        uint8_t buf[8];
        assert_int_equal(peer.family, NET_INET6);
        mapped += peer.addr.b[10] == 0xff;
        sixes += peer.addr.b[0] == 0xfd;
        if (addr_equal(&peer.addr, &peer6))
            assert_int_equal(ns_recv(c, buf, sizeof(buf), 0, NULL), 3);
        ns_setopt(c, NSO_LINGER, 0);
        ns_close(c);
    }
    assert_int_equal(sixes, 2);
    assert_int_equal(mapped, 1);
    rig.tx_tail = rig.ring->tx_tail = rig.ring->tx_head; /* resets of both families */
    /* A record that says one thing and another. */
    ((struct handover *)(void *)record)->family = NET_INET;
    assert_int_equal(ns_import(rig.ns, record, (size_t)n, NULL, &c), -EINVAL);
    ns_close(l);
}

/* --- extension headers ------------------------------------------------------------- */

static uint32_t put_udp(uint8_t *b)
{
    put16(b, 5000);
    put16(b + 2, 7);
    put16(b + 4, 11);
    memcpy(b + 8, "abc", 3);
    return 11;
}

static void extensions_are_walked(void **st)
{
    uint8_t b[200] = {60,      0, 5, 2, 0,    0,  1, 0, /* hop by hop: router alert, padding */
                      43,      1, 1, 0, 0x1e, 10, 0, 0,
                      0,       0, 0, 0, 0,    0,  0, 0,  /* options: padding, one to skip */
                      NET_UDP, 0, 0, 0, 0,    0,  0, 0}; /* routing: nothing left to do */
    uint32_t n;

    (void)st;
    bound(NS_DGRAM, 7);
    n = put_udp(b + 32);
    rig6_in_ext(&peer6, &our6, 0, 32, NET_UDP, b, 32 + n, 6, 0);
    assert_int_equal(ns_counters(rig.ns)->udp_in, 1);
    b[27] = 1; /* a segment is left */
    rig6_in_ext(&peer6, &our6, 0, 32, NET_UDP, b, 32 + n, 6, 0);
    b[27] = 0;
    b[12] = 0x5e; /* discard it if you don't know */
    rig6_in_ext(&peer6, &our6, 0, 32, NET_UDP, b, 32 + n, 6, 0);
    b[12] = 0x1e;
    b[13] = 40; /* beyond its header */
    rig6_in_ext(&peer6, &our6, 0, 32, NET_UDP, b, 32 + n, 6, 0);
    b[13] = 10;
    b[9] = 200; /* beyond the packet */
    rig6_in_ext(&peer6, &our6, 0, 32, NET_UDP, b, 32 + n, 6, 0);
    b[9] = 1;
    b[8] = 0; /* a second hop-by-hop header */
    rig6_in_ext(&peer6, &our6, 0, 32, NET_UDP, b, 32 + n, 6, 0);
    assert_int_equal(ns_counters(rig.ns)->udp_in, 1);
    assert_int_equal(ns_counters(rig.ns)->ip_bad, 5);
    b[0] = 59; /* no next header */
    rig6_in_ext(&peer6, &our6, 0, 32, NET_UDP, b, 32 + n, 6, 0);
    assert_int_equal(ns_counters(rig.ns)->ip_bad, 5);
    assert_false(rig6_out().any); /* only netd speaks for the host */
    ns_close(s);
}

static void the_walk_ends(void **st) /* C-SIX-1 */
{
    uint8_t b[400] = {0};
    uint32_t n = 0;

    (void)st;
    bound(NS_DGRAM, 7);
    for (; n < 8 * 8; n += 8)
        b[n] = n == 56 ? NET_UDP : 60;
    rig6_in_ext(&peer6, &our6, 60, n, NET_UDP, b, n + put_udp(b + n), 6, 0);
    assert_int_equal(ns_counters(rig.ns)->udp_in, 1);
    for (n = 0; n < 20 * 8; n += 8)
        b[n] = n == 152 ? NET_UDP : 60;
    rig6_in_ext(&peer6, &our6, 60, n, NET_UDP, b, n + put_udp(b + n), 6, 0);
    assert_int_equal(ns_counters(rig.ns)->udp_in, 1);
    assert_int_equal(ns_counters(rig.ns)->ip_bad, 1);
    ns_close(s);
}

static void broken_headers(void **st)
{
    uint8_t p[64] = {0};

    (void)st;
    bound(NS_DGRAM, 7);
    ip6_header(p, 0x60000000u, 100, NET_UDP, 64, &peer6, &our6); /* longer than what is there */
    rig_in_raw(p, 60, 0);
    ip6_header(p, 0x60000000u, 20, NET_UDP, 64, &group6, &our6); /* from a group */
    rig_in_raw(p, 60, 0);
    p[0] = 0x70;
    rig_in_raw(p, 60, 0);
    ip6_header(p, 0x60000000u, 20, NET_UDP, 64, &peer6, &our6);
    rig_in_raw(p, 39, 0);
    assert_int_equal(ns_counters(rig.ns)->ip_bad, 4);
    ip6_header(p, 0x60000000u, 20, 44, 64, &peer6, &our6); /* a fragment is netd's */
    rig_in_raw(p, 60, 0);
    assert_int_equal(rig.unclaimed, 1);
    ns_close(s);
}

/* --- ICMPv6 ---------------------------------------------------------------------------- */

static void echo_is_answered(void **st)
{
    uint8_t b[4000] = {ICMP6_ECHO, 0, 0, 0, 1, 2, 3, 4, 'h', 'i'};
    struct out6 o;

    (void)st;
    rig6_in(&peer6, &our6, NET_ICMP6, b, 10, 2);
    o = rig6_out();
    assert_true(o.any && o.next == NET_ICMP6 && o.data[0] == ICMP6_ECHO_REPLY && o.len == 10);
    assert_memory_equal(o.data + 4, b + 4, 6);
    assert_true(addr_equal(&o.src, &our6) && addr_equal(&o.dst, &peer6));
    rig6_in(&peer6, &our6, NET_ICMP6, b, sizeof(b), 2); /* more than a packet: cut later */
    assert_int_equal(rig6_out().len, sizeof(b));
    rig6_in(&peer6, &group6, NET_ICMP6, b, 10, 2);
    rig6_in(&none6, &our6, NET_ICMP6, b, 10, 2);
    assert_false(rig6_out().any);
}

static void errors_are_sent(void **st)
{
    uint8_t b[2000] = {0};
    struct out6 o;

    (void)st;
    put16(b, 5000);
    put16(b + 2, 4999);
    put16(b + 4, 1400);
    rig6_in(&peer6, &our6, NET_UDP, b, 1400, 6); /* nobody is there */
    o = rig6_out();
    assert_true(o.any && o.data[0] == ICMP6_UNREACHABLE && o.data[1] == 4);
    assert_int_equal(o.len, 1280 - 40); /* as much as fits (RFC 4443 2.4 c) */
    assert_memory_equal(o.data + 8 + 40, b, 6);
    rig6_in(&peer6, &our6, 200, b, 40, 2); /* a protocol that nobody speaks */
    o = rig6_out();
    assert_true(o.any && o.data[0] == ICMP6_PARAMETER && o.data[1] == 1);
    assert_int_equal(get32(o.data + 4), 6);
    rig.rx_problem = 3; /* what the kernel found */
    rig6_in(&peer6, &our6, NET_UDP, b, 40, 6);
    rig.rx_problem = 0;
    o = rig6_out();
    assert_true(o.any && o.data[0] == ICMP6_PARAMETER && o.data[1] == 2);
    assert_int_equal(get32(o.data + 4), 42);
    rig6_in(&peer6, &group6, NET_UDP, b, 1400, 6);
    assert_false(rig6_out().any);
    b[0] = ICMP6_TIME_EXCEEDED;
    rig.rx_problem = 3;
    rig6_in(&peer6, &our6, NET_ICMP6, b, 100, 2); /* about an error: never */
    assert_false(rig6_out().any);
    memset(b, 0, sizeof(b));
    b[0] = NET_ICMP6; /* nor when an option before it is what is wrong */
    b[2] = 0x80;
    b[8] = ICMP6_TIME_EXCEEDED;
    rig6_in_ext(&peer6, &our6, 60, 8, NET_ICMP6, b, 100, 2, 0);
    assert_false(rig6_out().any);
    b[8] = ICMP6_ECHO;
    rig6_in_ext(&peer6, &our6, 60, 8, NET_ICMP6, b, 100, 2, 0);
    assert_true(rig6_out().any);
    rig.rx_problem = 0;
}

static void errors_are_few(void **st) /* C-SIX-2 */
{
    unsigned sent = 0;
    uint8_t b[40] = {0x13, 0x88, 0x13, 0x87, 0, 40};

    (void)st;
    for (int i = 0; i < 500; i++) {
        rig6_in(&peer6, &our6, NET_UDP, b, 40, 6);
        sent += rig6_out().any;
    }
    assert_in_range(sent, 1, 60);
}

/* The packet that we sent last, quoted by an error. */
static void error_about(const struct out6 *o, uint8_t type, uint8_t code, uint32_t value, uint32_t quoted)
{
    uint8_t b[1300] = {type, code};

    put32(b + 4, value);
    ip6_header(b + 8, 0x60000000u, o->len, o->next, 60, &o->src, &o->dst);
    memcpy(b + 48, o->data, o->len < quoted ? o->len : quoted);
    rig6_in(&peer6, &our6, NET_ICMP6, b, 48 + (o->len < quoted ? o->len : quoted), 2);
}

static void errors_find_their_flow(void **st)
{
    struct ns_addr to = name6(&peer6, 4000);
    struct nsock *u, *c;
    struct out6 o;
    int e;

    (void)st;
    assert_int_equal(ns_socket(rig.ns, NET_INET6, NS_DGRAM, &u), 0);
    assert_int_equal(ns_connect(u, &to), 0);
    assert_int_equal(ns_send(u, "x", 1, 0, NULL), 1);
    o = rig6_out();
    error_about(&o, ICMP6_UNREACHABLE, 4, 0, 8);
    assert_int_equal(ns_getopt(u, NSO_ERROR, &e), 0);
    assert_int_equal(e, ECONNREFUSED);
    error_about(&o, ICMP6_UNREACHABLE, 4, 0, 7); /* too little to know whom it is for */
    assert_int_equal(ns_getopt(u, NSO_ERROR, &e), 0);
    assert_int_equal(e, 0);
    put16(o.data, 1); /* not ours */
    error_about(&o, ICMP6_UNREACHABLE, 4, 0, 8);
    assert_int_equal(ns_getopt(u, NSO_ERROR, &e), 0);
    assert_int_equal(e, 0);
    ns_close(u);
    assert_int_equal(ns_socket(rig.ns, NET_INET6, NS_STREAM, &c), 0);
    assert_int_equal(ns_connect(c, &to), -EINPROGRESS);
    o = rig6_out();
    error_about(&o, ICMP6_UNREACHABLE, 0, 0, 20);
    assert_int_equal(ns_getopt(c, NSO_ERROR, &e), 0);
    assert_int_equal(e, ENETUNREACH);
    ns_close(c);
}

static void too_big_shrinks_the_path(void **st)
{
    struct nsock *l, *c;
    uint32_t iss;
    struct out6 o;

    (void)st;
    bound(NS_STREAM, 80);
    l = s;
    assert_int_equal(ns_listen(l, 5), 0);
    c = accepted6(l, 1440, &iss);
    assert_int_equal(ns_send(c, bytes, 1440, 0, NULL), 1440);
    o = rig6_out();
    assert_int_equal(o.len, 1460);
    error_about(&o, ICMP6_TOO_BIG, 0, 600, 100); /* no link is so small (RFC 8201 4) */
    assert_false(rig6_out().any);
    error_about(&o, ICMP6_TOO_BIG, 0, 1400, 100);
    o = rig6_out();
    assert_true(o.any);
    assert_int_equal(o.len, 1400 - 40);
    while (rig6_out().any)
        ;
    ns_close(c);
    ns_close(l);
    while (rig6_out().any)
        ;
}

static void ping(void **st)
{
    uint8_t b[64] = {ICMP6_ECHO, 0, 0, 0, 0, 0, 0, 9, 'd'};
    struct ns_addr to = name6(&peer6, 0), from;
    struct out6 o;

    (void)st;
    assert_int_equal(ns_socket(rig.ns, NET_INET6, NS_ICMP, &s), 0);
    assert_int_equal(ns_send(s, b, 40, 0, &to), 40);
    assert_int_equal(rig.registered_n, 1);
    o = rig6_out();
    assert_true(o.any && o.next == NET_ICMP6 && o.data[0] == ICMP6_ECHO);
    o.data[0] = ICMP6_ECHO_REPLY;
    rig6_in(&peer6, &our6, NET_ICMP6, o.data, o.len, 2);
    assert_int_equal(ns_recv(s, b, sizeof(b), 0, &from), 40);
    assert_true(b[0] == ICMP6_ECHO_REPLY && b[7] == 9 && addr_equal(&from.addr, &peer6));
    b[0] = 1;
    assert_int_equal(ns_send(s, b, 40, 0, &to), -EINVAL);
    ns_close(s);
}

/* A datagram whose rest never came (netd). */
static void expired_reassembly_is_told(void **st)
{
    uint8_t q[56] = {0};
    struct out6 o;

    (void)st;
    ip6_header(q, 0x60000000u, 1000, 44, 64, &peer6, &our6);
    q[40] = NET_UDP;
    q[43] = 1;
    ns_reassembly_expired(rig.ns, q, sizeof(q));
    o = rig6_out();
    assert_true(o.any && o.data[0] == ICMP6_TIME_EXCEEDED && o.data[1] == 1);
    assert_memory_equal(o.data + 8, q, sizeof(q));
    q[43] = 9; /* not the first piece */
    ns_reassembly_expired(rig.ns, q, sizeof(q));
    assert_false(rig6_out().any);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define N(f) cmocka_unit_test_setup_teardown(f, netd_setup, teardown)
/* The flow entry of a connection that a cookie brought back names the link of its
 * addresses, like any other. */
static void a_cookie_of_a_group_keeps_its_link(void **st) /* C-TCP-5 */
{
    struct ns_addr a = name6(&none6, 80);
    struct net_addr from = peer6_ll;
    struct nsock *l, *c;
    struct out6 o;

    (void)st;
    rig.in_link = 1;
    assert_int_equal(ns_socket(rig.ns, NET_INET6, NS_STREAM, &l), 0);
    assert_int_equal(ns_setopt(l, NSO_V6ONLY, 1), 0);
    assert_int_equal(ns_setopt(l, NSO_REUSEPORT, 1), 0);
    assert_int_equal(ns_bind(l, &a), 0);
    assert_int_equal(ns_listen(l, 1), 0);
    for (unsigned i = 0; i < 65; i++) { /* the last gets a cookie */
        from.b[14] = (uint8_t)i;
        rig6_tcp(&from, &our6_ll, 80, TCP_SYN, 100, 0, 1220, "", 0);
        o = rig6_out();
        assert_true(o.any && o.data[13] == (TCP_SYN | TCP_ACK));
    }
    assert_int_equal(ns_counters(rig.ns)->cookies_sent, 1);
    assert_int_equal(rig.flow_link, 1);
    rig.flow_link = 77;
    rig6_tcp(&from, &our6_ll, 80, TCP_ACK, 101, get32(o.data + 4) + 1, 0, "", 0);
    assert_int_equal(ns_accept(l, &c, NULL), 0);
    assert_int_equal(rig.flow_link, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(udp_echo),
        T(no_checksum_is_refused),
        T(link_local_peers_have_a_link),
        T(one_socket_for_both),
        T(v6only_is_for_one),
        T(a_port_is_free_in_both_or_not_at_all),
        T(tcp_both_ways),
        T(a_cookie_of_a_group_keeps_its_link),
        T(one_listener_for_both),
        T(families_never_meet),
        T(connecting),
        T(both_families_move),
        T(extensions_are_walked),
        T(the_walk_ends),
        T(broken_headers),
        N(echo_is_answered),
        N(errors_are_sent),
        N(errors_are_few),
        T(errors_find_their_flow),
        T(too_big_shrinks_the_path),
        T(ping),
        N(expired_reassembly_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
