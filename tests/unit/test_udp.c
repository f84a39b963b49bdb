/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_udp.c: UDP, ICMP echo both ways, ICMP errors and their
 * limits, raw packets, against a peer that the test plays.
 */
#include "stack_rig.h"

static struct nsock *s;
static const struct ns_addr here = {.family = NET_INET, .port = 7};
static uint8_t bytes[3000];

static int setup(void **st)
{
    (void)st;
    rig_start(NULL);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 3 + 1);
    return 0;
}
static int teardown(void **st)
{
    (void)st;
    rig_stop();
    return 0;
}

static struct ns_addr peer(uint16_t port)
{
    struct ns_addr a = {.family = NET_INET, .port = port};
    put32(a.addr.b, PEER_IP);
    return a;
}

static void in_udp(uint16_t sport, uint16_t dport, const void *p, uint32_t n, uint8_t slot)
{
    uint8_t b[4096];
    put16(b, sport);
    put16(b + 2, dport);
    put16(b + 4, (uint16_t)(n + 8));
    memcpy(b + 8, p, n);
    rig_in_ip(NET_UDP, PEER_IP, OUR_IP, b, n + 8, 6, slot);
}

static void bound(void)
{
    assert_int_equal(ns_socket(rig.ns, NET_INET, NS_DGRAM, &s), 0);
    assert_int_equal(ns_bind(s, &here), 0);
}

static void test_echo_every_size(void **st)
{
    uint8_t buf[2000];
    struct ns_addr from;
    struct out o;

    (void)st;
    bound();
    for (uint32_t n = 0; n <= 1472; n++) {
        in_udp(5000, 7, bytes, n, 0);
        assert_true(ns_events(s) & NS_IN);
        assert_int_equal(ns_recv(s, buf, sizeof(buf), 0, &from), n);
        assert_memory_equal(buf, bytes, n);
        assert_int_equal(from.port, 5000);
        assert_int_equal(get32(from.addr.b), PEER_IP);
        assert_int_equal(ns_send(s, buf, n, 0, &from), n);
        rig_run();
        o = rig_out();
        assert_true(o.any && o.proto == NET_UDP && o.len == n + 8 && o.dst == PEER_IP);
        assert_memory_equal(o.data + 8, bytes, n);
    }
    rig_run();
    assert_int_equal(rig.ns->blk_nfree, rig.ns->nblk);
    assert_int_equal(ns_recv(s, buf, sizeof(buf), 0, &from), -EAGAIN);
}

static void test_peek_and_truncate(void **st)
{
    uint8_t buf[10];
    int v;

    (void)st;
    bound();
    in_udp(1, 7, "0123456789abc", 13, 0);
    in_udp(1, 7, "second", 6, 0);
    ns_getopt(s, NSO_INQ, &v);
    assert_int_equal(v, 13);
    assert_int_equal(ns_recv(s, buf, 4, NS_PEEK, NULL), 4);
    assert_int_equal(ns_recv(s, buf, 4, NS_TRUNC, NULL), 13);
    assert_memory_equal(buf, "0123", 4);
    assert_int_equal(ns_recv(s, buf, 10, 0, NULL), 6);
}

static void test_queue_limit(void **st)
{
    int n = 0;

    (void)st;
    bound();
    ns_setopt(s, NSO_RCVBUF, 10000);
    for (int i = 0; i < 50; i++)
        in_udp(1, 7, bytes, 1000, 0);
    while (ns_recv(s, bytes, 1000, 0, NULL) == 1000)
        n++;
    assert_int_equal(n, 9);
    assert_int_equal(ns_counters(rig.ns)->udp_full, 41);
    for (int i = 0; i < 100000 / 64; i++) /* empty ones are not free either */
        in_udp(1, 7, bytes, 0, 0);
    n = 0;
    while (ns_recv(s, bytes, 1000, 0, NULL) == 0)
        n++;
    assert_true(n < 200);
}

static void test_checksums(void **st)
{
    uint8_t b[20] = {0}, p[60];
    uint64_t bad = ns_counters(rig.ns)->udp_bad;
    struct net_addr src = {{10, 0, 0, 2}}, dst = {{10, 0, 0, 1}};

    (void)st;
    bound();
    put16(b, 9);
    put16(b + 2, 7);
    put16(b + 4, 12);
    ip4_header(p, 32, 0, 0, 64, NET_UDP, &src, &dst);
    memcpy(p + 20, b, 12);
    rig_in_raw(p, 32, 0); /* no checksum: taken */
    assert_int_equal(ns_recv(s, b, 20, 0, NULL), 4);
    put16(p + 26, 0x1234);
    rig_in_raw(p, 32, 0);
    assert_int_equal(ns_counters(rig.ns)->udp_bad, bad + 1);
    put16(p + 26, 0);
    put16(p + 24, 7); /* shorter than its header */
    rig_in_raw(p, 32, 0);
    put16(p + 24, 13); /* longer than the packet */
    rig_in_raw(p, 32, 0);
    assert_int_equal(ns_counters(rig.ns)->udp_bad, bad + 3);
    p[15]++; /* IP header damaged */
    rig_in_raw(p, 32, 0);
    assert_int_equal(ns_counters(rig.ns)->ip_bad, 1);
    for (uint32_t n = 0; n < 28; n++) /* any truncation */
        rig_in_raw(p, n, 0);
    assert_int_equal(ns_recv(s, b, 20, 0, NULL), -EAGAIN);
}

static void test_connected(void **st)
{
    struct nsock *c;
    struct ns_addr to = peer(53);
    uint8_t b[64], e[36] = {3, 3};
    int err;

    (void)st;
    bound();
    assert_int_equal(ns_socket(rig.ns, NET_INET, NS_DGRAM, &c), 0);
    assert_int_equal(ns_send(c, "x", 1, 0, NULL), -EDESTADDRREQ);
    assert_int_equal(ns_connect(c, &to), 0);
    assert_int_equal(ns_send(c, "x", 1, 0, NULL), 1);
    uint16_t lport = get16(rig_out().data);
    rig.ns->cfg.reset_unbound = true;
    in_udp(54, lport, "no", 2, 0); /* another port of the peer: not for us */
    struct out o = rig_out();
    assert_true(o.any && o.proto == NET_ICMP && o.data[0] == 3 && o.data[1] == 3);
    assert_int_equal(ns_recv(c, b, 64, 0, NULL), -EAGAIN);
    in_udp(53, lport, "yes", 3, 0);
    assert_int_equal(ns_recv(c, b, 64, 0, NULL), 3);
    e[8] = 0x45; /* port unreachable that quotes our datagram */
    e[17] = NET_UDP;
    put32(e + 20, OUR_IP);
    put32(e + 24, PEER_IP);
    put16(e + 28, lport);
    put16(e + 30, 53);
    rig_in_ip(NET_ICMP, PEER_IP, OUR_IP, e, 36, 2, 0);
    assert_true(ns_events(c) & NS_ERR);
    assert_int_equal(ns_recv(c, b, 64, 0, NULL), -ECONNREFUSED);
    assert_int_equal(ns_recv(c, b, 64, 0, NULL), -EAGAIN);
    put16(e + 28, 7); /* about an unconnected socket: not told */
    rig_in_ip(NET_ICMP, PEER_IP, OUR_IP, e, 36, 2, 0);
    ns_getopt(s, NSO_ERROR, &err);
    assert_int_equal(err, 0);
    for (uint32_t n = 0; n < 36; n++) /* short quotes */
        rig_in_ip(NET_ICMP, PEER_IP, OUR_IP, e, n < 4 ? 4 : n, 2, 0);
}

/* The kernel takes a datagram only from a port's owner, so it must have left
 * before the port is given back. */
static void test_last_words(void **st)
{
    struct ns_addr to = peer(9);

    (void)st;
    bound();
    ns_send(s, "bye", 3, 0, &to);
    ns_close(s);
    assert_int_equal(rig.flushed_while_owned, 1);
    rig_drain();
    bound();
    ns_close(s); /* nothing waits: nothing to flush */
    assert_int_equal(rig.flushed_while_owned, 1);
}

static void test_bind_rules(void **st)
{
    struct nsock *b;
    struct ns_addr forbidden = {.family = NET_INET, .port = 666};

    (void)st;
    bound();
    assert_int_equal(ns_socket(rig.ns, NET_INET, NS_DGRAM, &b), 0);
    assert_int_equal(ns_bind(b, &here), -EADDRINUSE);
    assert_int_equal(ns_bind(b, &forbidden), -EACCES);
    ns_setopt(b, NSO_REUSEADDR, 1);
    assert_int_equal(ns_bind(b, &here), 0);
    assert_int_equal(ns_bind(b, &here), -EINVAL);
    ns_close(b);
    assert_int_equal(rig.registered_n, 1);
}

/* --- ICMP --------------------------------------------------------------------------------- */
static void in_echo(uint8_t type, uint16_t id, uint16_t seq, uint32_t n)
{
    uint8_t b[4096] = {type};
    put16(b + 4, id);
    put16(b + 6, seq);
    memcpy(b + 8, bytes, n);
    rig_in_ip(NET_ICMP, PEER_IP, OUR_IP, b, n + 8, 2, SLOT_ICMP + 1);
}

static void test_answers_ping(void **st)
{
    struct out o;

    (void)st;
    in_echo(8, 1, 1, 56);
    assert_false(rig_out().any); /* only netd does */
    rig.ns->cfg.icmp_echo_reply = true;
    for (uint32_t n = 0; n <= 1472; n += 32) {
        in_echo(8, 99, (uint16_t)n, n);
        o = rig_out();
        assert_true(o.any && o.proto == NET_ICMP && o.len == n + 8 && o.src == OUR_IP && o.dst == PEER_IP);
        assert_true(o.data[0] == 0 && get16(o.data + 4) == 99 && get16(o.data + 6) == n);
        assert_memory_equal(o.data + 8, bytes, n);
    }
}

/* A long echo, as it comes back from reassembly: the answer is one record, and the
 * net core cuts it. */
static void test_long_ping(void **st)
{
    static uint8_t b[3800];
    struct out o;

    (void)st;
    rig.ns->cfg.icmp_echo_reply = true;
    b[0] = 8;
    for (uint32_t i = 8; i < sizeof(b); i++)
        b[i] = (uint8_t)(i * 11);
    rig_in_ip(NET_ICMP, PEER_IP, OUR_IP, b, sizeof(b), 2, SLOT_ICMP + 1);
    o = rig_out();
    assert_true(o.any && o.len == sizeof(b) && o.data[0] == 0);
    assert_memory_equal(o.data + 8, b + 8, sizeof(b) - 8);
    rig_run();
    assert_int_equal(rig.ns->blk_nfree, rig.ns->nblk);
}

/* The next record, whatever its length: its packet in p. */
static uint32_t take_long(uint8_t *p, uint16_t *path_mtu)
{
    struct net_tx *tx = (struct net_tx *)(void *)rig_at(rig.ring->tx_off) + (rig.tx_tail & 63);
    struct net_cqe *c = (struct net_cqe *)(void *)rig_at(rig.ring->cq_off) + (rig.cq_head & 127);
    uint32_t n = tx->hdr_len;

    assert_true(rig.tx_tail != rig.ring->tx_head);
    memcpy(p, rig_at(rig.ring->arena_off) + tx->hdr_off, n);
    for (int i = 0; i < tx->nseg; i++) {
        memcpy(p + n, rig_at(rig.ring->arena_off) + tx->seg[i].off, tx->seg[i].len);
        n += tx->seg[i].len;
    }
    *path_mtu = tx->path_mtu;
    c->cookie = tx->cookie;
    c->status = 0;
    rig.ring->cq_head = ++rig.cq_head;
    rig.ring->tx_tail = ++rig.tx_tail;
    rig_run();
    return n;
}

static void test_long_datagrams(void **st)
{
    static const uint32_t sizes[] = {1472, 1473, 8192, 40001, 65507};
    static uint8_t b[65508], p[65536];
    struct ns_addr to = peer(99);
    uint16_t path_mtu;

    (void)st;
    for (uint32_t i = 0; i < sizeof(b); i++)
        b[i] = (uint8_t)(i * 13);
    assert_int_equal(ns_socket(rig.ns, NET_INET, NS_DGRAM, &s), 0);
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint32_t n = sizes[i];

        assert_int_equal(ns_send(s, b, n, 0, &to), n);
        assert_int_equal(take_long(p, &path_mtu), n + 28);
        assert_int_equal(get16(p + 2), n + 28);
        assert_int_equal(get16(p + 6), 0); /* no DF: the net core may cut it */
        assert_int_equal(path_mtu, n > 1472 ? 1500 : 0);
        assert_memory_equal(p + 28, b, n);
        assert_int_equal(csum_fold(csum_bytes(csum_add(ns_swap16(NET_UDP), ns_swap16((uint16_t)(n + 8))), p + 12,
                                              n + 16)),
                         0xffff);
        assert_int_equal(rig.ns->blk_nfree, rig.ns->nblk);
    }
    assert_int_equal(ns_send(s, b, 65508, 0, &to), -EMSGSIZE);
}

static void test_ping_socket(void **st)
{
    struct ns_addr to = peer(0);
    uint8_t b[100] = {8};
    struct out o;

    (void)st;
    assert_int_equal(ns_socket(rig.ns, NET_INET, NS_ICMP, &s), 0);
    memcpy(b + 8, "payload", 7);
    put16(b + 6, 5);
    assert_int_equal(ns_send(s, b, 15, 0, &to), 15);
    o = rig_out();
    assert_true(o.any && o.data[0] == 8 && get16(o.data + 6) == 5);
    uint16_t id = get16(o.data + 4);
    assert_int_not_equal(id, 0);
    in_echo(0, (uint16_t)(id + 1), 5, 7); /* somebody else's */
    in_echo(0, id, 5, 7);
    assert_int_equal(ns_recv(s, b, 100, 0, NULL), 15);
    assert_true(b[0] == 0 && get16(b + 6) == 5);
    assert_int_equal(ns_recv(s, b, 100, 0, NULL), -EAGAIN);
    b[0] = 3;
    assert_int_equal(ns_send(s, b, 15, 0, &to), -EINVAL);
    assert_int_equal(ns_send(s, b, 7, 0, &to), -EINVAL);
}

static void test_port_unreachable(void **st)
{
    struct out o;
    unsigned n = 0;

    (void)st;
    in_udp(1234, 99, "hello", 5, SLOT_UNBOUND + 1);
    assert_false(rig_out().any);
    assert_int_equal(rig.unclaimed, 1);
    rig.ns->cfg.reset_unbound = true;
    rig.now += RIG_S;
    in_udp(1234, 99, "hello", 5, SLOT_UNBOUND + 1);
    o = rig_out();
    assert_true(o.any && o.proto == NET_ICMP && o.data[0] == 3 && o.data[1] == 3);
    assert_int_equal(get16(o.data + 8 + 20 + 2), 99); /* quotes what came */
    assert_memory_equal(o.data + 8 + 28, "hello", 5);
    in_udp(1234, 99, bytes, 1400, SLOT_UNBOUND + 1);
    o = rig_out();
    assert_true(o.any && o.len + 20 <= 576);
    for (int i = 0; i < 1000; i++) {
        in_udp(1234, 99, "hello", 5, SLOT_UNBOUND + 1);
        n += rig_drain();
    }
    assert_true(n <= 60); /* RFC 1812 4.3.2.8: limited */
    rig.now += RIG_S;
    in_udp(1234, 99, "hello", 5, SLOT_UNBOUND + 1);
    assert_int_equal(rig_drain(), 1);
}

static void test_no_error_about_groups(void **st)
{
    uint8_t b[12] = {0, 1, 0, 99, 0, 12};

    (void)st;
    rig.ns->cfg.reset_unbound = rig.ns->cfg.icmp_echo_reply = true;
    rig_in_ip(NET_UDP, PEER_IP, 0xffffffff, b, 12, 6, 1);
    rig_in_ip(NET_UDP, PEER_IP, 0xe0000001, b, 12, 6, 1);
    rig_in_ip(NET_UDP, 0, OUR_IP, b, 12, 6, 1);
    rig_in_ip(NET_UDP, 0xe0000001, OUR_IP, b, 12, 6, 1);
    b[0] = 8;
    rig_in_ip(NET_ICMP, PEER_IP, 0xffffffff, b, 12, 2, 1); /* RFC 1122 3.2.2.6 */
    assert_false(rig_out().any);
    rig_in_ip(99, PEER_IP, OUR_IP, b, 12, 4, 1);
    assert_true(rig_out().data[1] == 2); /* protocol unreachable */
}

static void test_reassembly_expired(void **st) /* C-NETD-7 */
{
    uint8_t q[28] = {0x45, 0, 5, 0, 0, 9, 0x20, 0, 64, NET_UDP};

    (void)st;
    put32(q + 12, PEER_IP);
    put32(q + 16, OUR_IP);
    ns_reassembly_expired(rig.ns, q, 28);
    struct out o = rig_out();
    assert_true(o.any && o.proto == NET_ICMP && o.data[0] == 11 && o.data[1] == 1);
    assert_memory_equal(o.data + 8, q, 28);
    q[16] = 0xe0; /* to a group: nothing is said (RFC 1122 3.2.2) */
    ns_reassembly_expired(rig.ns, q, 28);
    assert_false(rig_out().any);
}

static void test_unclaimed(void **st)
{
    uint8_t p[64] = {0};
    struct net_addr src = {{10, 0, 0, 2}}, dst = {{10, 0, 0, 1}};

    (void)st;
    ip4_header(p, 40, 7, 0x2000, 64, NET_UDP, &src, &dst); /* a first fragment */
    rig_in_raw(p, 40, SLOT_FRAGMENTS + 1);
    assert_int_equal(rig.unclaimed, 1);
    ip4_header(p, 40, 7, 3, 64, NET_UDP, &src, &dst); /* a later one */
    rig_in_raw(p, 40, SLOT_FRAGMENTS + 1);
    assert_int_equal(rig.unclaimed, 2);
}

static void test_raw(void **st)
{
    uint8_t p[2100] = {0};
    struct net_addr src = {{0}}, dst = {{255, 255, 255, 255}};

    (void)st;
    for (uint32_t n = 28; n <= 2000; n += 101) {
        ip4_header(p, n, 7, 0, 64, 99, &src, &dst);
        memcpy(p + 20, bytes, n - 20);
        assert_int_equal(ns_send_raw(rig.ns, p, n, TX_BROADCAST_OK, 1, NULL), 0);
        struct net_tx *tx = (struct net_tx *)(void *)rig_at(rig.ring->tx_off) + (rig.tx_tail & 63);
        assert_true(tx->flags == TX_BROADCAST_OK && tx->link == 1);
        uint32_t total = tx->hdr_len + (tx->nseg != 0 ? tx->seg[0].len : 0);
        assert_int_equal(total, n);
        rig.ring->tx_tail = ++rig.tx_tail;
        if (tx->nseg != 0) {
            struct net_cqe *c = (struct net_cqe *)(void *)rig_at(rig.ring->cq_off) + (rig.cq_head & 127);
            c->cookie = tx->cookie;
            c->status = 0;
            rig.ring->cq_head = ++rig.cq_head;
        }
        rig_run();
    }
    static uint8_t big[65535];
    memset(big, 0x5a, sizeof(big));
    assert_int_equal(ns_send_raw(rig.ns, big, sizeof(big), TX_INJECT, 1, NULL), 0);
    struct net_tx *tx = (struct net_tx *)(void *)rig_at(rig.ring->tx_off) + (rig.tx_tail & 63);
    assert_int_equal(tx->hdr_len + tx->seg[0].len, 65535);
    assert_true(tx->nseg == 1 && rig_at(rig.ring->arena_off)[tx->seg[0].off + 1000] == 0x5a);
    struct net_cqe *c = (struct net_cqe *)(void *)rig_at(rig.ring->cq_off) + (rig.cq_head & 127);
    c->cookie = tx->cookie;
    c->status = 0;
    rig.ring->cq_head = ++rig.cq_head;
    rig.ring->tx_tail = ++rig.tx_tail;
    rig_run();
    assert_int_equal(ns_send_raw(rig.ns, big, (size_t)NS_RAW_MAX + 1, 0, 1, NULL), -EMSGSIZE);
    assert_int_equal(rig.ns->blk_nfree, rig.ns->nblk);
}

static void test_ring_full(void **st)
{
    struct ns_addr to = peer(9);
    int r, n = 0;

    (void)st;
    bound();
    while ((r = ns_send(s, "x", 1, 0, &to)) == 1)
        n++;
    assert_int_equal(r, -EAGAIN);
    assert_int_equal(n, 64);
    assert_false(ns_events(s) & NS_OUT);
    rig_out();
    assert_true(ns_events(s) & NS_OUT);
    assert_int_equal(ns_send(s, "x", 1, 0, &to), 1);
    rig_drain();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_echo_every_size),  T(test_peek_and_truncate),
        T(test_queue_limit),      T(test_checksums),
        T(test_connected),        T(test_last_words),
        T(test_bind_rules),       T(test_answers_ping),
        T(test_long_ping),        T(test_long_datagrams), T(test_ping_socket),
        T(test_port_unreachable), T(test_reassembly_expired), T(test_no_error_about_groups),
        T(test_unclaimed),        T(test_raw),
        T(test_ring_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
