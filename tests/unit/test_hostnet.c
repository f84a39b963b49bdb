/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_hostnet.c: libnet as a library: two hosts that hand each other
 * their packets, with a clock of ours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <net/host/hostnet.h>
#include <net/host/kring.h>
#include <stdlib.h>
#include <string.h>

#define MS      1000000ull
#define WIRE    512
#define MTU     1500
#define BULK    300000

struct end {
    struct hostnet *h;
    struct end *peer;
    unsigned sent, lose, full; /* every lose-th packet is lost; the link is full while `full` */
    size_t longest;
};
static struct end a, b;
static struct {
    struct end *to;
    size_t n;
    uint8_t bytes[MTU];
} wire[WIRE];
static unsigned wire_n;
static uint64_t now;
static uint32_t dice;
static int family;

static void chance(void *ctx, void *buf, size_t n)
{
    (void)ctx;
    for (uint8_t *p = buf; n-- > 0; p++) {
        dice = dice * 1664525u + 1013904223u;
        *p = (uint8_t)(dice >> 24);
    }
}

static int output(void *ctx, const uint8_t *packet, size_t n)
{
    struct end *e = ctx;

    e->longest = n > e->longest ? n : e->longest;
    if (e->full > 0 && e->full-- > 0)
        return -ENOBUFS;
    if (e->lose != 0 && ++e->sent % e->lose == 0)
        return 0;
    assert_true(n <= MTU && wire_n < WIRE);
    wire[wire_n].to = e->peer;
    wire[wire_n].n = n;
    memcpy(wire[wire_n++].bytes, packet, n);
    return 0;
}

/* Whatever is under way arrives, and a millisecond passes. */
static void step(void)
{
    uint64_t next;

    for (unsigned i = 0; i < wire_n; i++)
        assert_int_equal(hostnet_input(wire[i].to->h, now, wire[i].bytes, wire[i].n), 0);
    wire_n = 0;
    next = hostnet_run(a.h, now);
    assert_true(next >= now);
    hostnet_run(b.h, now);
    now += MS;
}

static int start(int with)
{
    struct hostnet_config c = {.output = output, .random = chance, .prefix4 = 24, .mtu = MTU};

    family = with;
    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));
    a.peer = &b;
    b.peer = &a;
    wire_n = 0;
    now = 77;
    c.addr4 = (struct net_addr){{10, 0, 0, 1}};
    c.addr6 = (struct net_addr){{0xfd, [15] = 1}};
    c.ctx = &a;
    assert_int_equal(hostnet_create(&a.h, &c, now), 0);
    c.addr4.b[3] = c.addr6.b[15] = 2;
    c.ctx = &b;
    assert_int_equal(hostnet_create(&b.h, &c, now), 0);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return start(NET_INET);
}

static int setup6(void **state)
{
    (void)state;
    return start(NET_INET6);
}

static int teardown(void **state)
{
    (void)state;
    a.lose = b.lose = a.full = b.full = 0;
    hostnet_destroy(a.h);
    wire_n = 0;
    hostnet_destroy(b.h);
    return 0;
}

static struct ns_addr place(uint8_t last, uint16_t port)
{
    if (family == NET_INET6)
        return (struct ns_addr){.family = NET_INET6, .port = port, .addr = {{0xfd, [15] = last}}};
    return (struct ns_addr){.family = NET_INET, .port = port, .addr = {{10, 0, 0, last}}};
}

/* a's connection to a listener of b, both ends. */
static void join(struct nsock **one, struct nsock **other)
{
    struct ns_addr to = place(2, 80), any = {.family = (uint8_t)family, .port = 80};
    struct nsock *l;

    assert_int_equal(ns_socket(hostnet_stack(b.h), family, NS_STREAM, &l), 0);
    assert_int_equal(ns_bind(l, &any), 0);
    assert_int_equal(ns_listen(l, 4), 0);
    assert_int_equal(ns_socket(hostnet_stack(a.h), family, NS_STREAM, one), 0);
    assert_int_equal(ns_connect(*one, &to), -EINPROGRESS);
    for (int i = 0; i < 5000 && ns_accept(l, other, NULL) != 0; i++)
        step();
    assert_int_equal(ns_events(*one) & (NS_OUT | NS_ERR), NS_OUT);
    ns_close(l);
}

static uint8_t byte_at(uint32_t i)
{
    return (uint8_t)(i * 31 + (i >> 8));
}

static void bulk(struct nsock *from, struct nsock *to)
{
    uint8_t buf[2000];
    uint32_t put = 0, got = 0;
    int n;

    for (int i = 0; i < 200000 && got < BULK; i++) {
        uint32_t len = BULK - put < sizeof(buf) ? BULK - put : (uint32_t)sizeof(buf);
        for (uint32_t k = 0; k < len; k++)
            buf[k] = byte_at(put + k);
        if (len != 0 && (n = ns_send(from, buf, len, 0, NULL)) > 0)
            put += (uint32_t)n;
        step();
        while ((n = ns_recv(to, buf, sizeof(buf), 0, NULL)) > 0)
            for (int k = 0; k < n; k++)
                assert_int_equal(buf[k], byte_at(got++));
        assert_int_equal(n, -EAGAIN);
    }
    assert_int_equal(got, BULK);
}

static void streams_arrive_whole(void **state)
{
    struct nsock *one, *other;
    uint8_t c;

    (void)state;
    join(&one, &other);
    a.lose = b.lose = 19;
    a.full = 5;
    bulk(one, other);
    bulk(other, one);
    ns_close(one);
    for (int i = 0; i < 5000 && (ns_events(other) & NS_IN) == 0; i++)
        step();
    assert_int_equal(ns_recv(other, &c, 1, 0, NULL), 0);
    ns_close(other);
}

/* A datagram that is longer than the MTU goes in pieces and arrives whole. */
static void large_datagrams_arrive(void **state)
{
    static const uint16_t sizes[] = {0, 1, 1452, 1453, 1472, 1473, 4000, 20000};
    struct ns_addr to = place(2, 99), from;
    struct nsock *s, *d;
    uint8_t out[20000], in[20001];

    (void)state;
    chance(NULL, out, sizeof(out));
    assert_int_equal(ns_socket(hostnet_stack(a.h), family, NS_DGRAM, &s), 0);
    assert_int_equal(ns_socket(hostnet_stack(b.h), family, NS_DGRAM, &d), 0);
    assert_int_equal(ns_bind(d, &to), 0);
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_int_equal(ns_send(s, out, sizes[i], 0, &to), sizes[i]);
        step();
        step();
        assert_int_equal(ns_recv(d, in, sizeof(in), 0, &from), sizes[i]);
        assert_memory_equal(in, out, sizes[i]);
        assert_int_equal(from.addr.b[family == NET_INET6 ? 15 : 3], 1);
    }
    assert_true(a.longest <= MTU);
    ns_close(s);
    ns_close(d);
}

/* To its own address a host needs no link. */
static void own_address_is_reached(void **state)
{
    struct ns_addr me = place(1, 5);
    struct nsock *s, *d;
    char c = 0;

    (void)state;
    assert_int_equal(ns_socket(hostnet_stack(a.h), family, NS_DGRAM, &s), 0);
    assert_int_equal(ns_socket(hostnet_stack(a.h), family, NS_DGRAM, &d), 0);
    assert_int_equal(ns_bind(d, &me), 0);
    assert_int_equal(ns_send(s, "x", 1, 0, &me), 1);
    step();
    step();
    assert_int_equal(ns_recv(d, &c, 1, 0, NULL), 1);
    assert_int_equal(a.sent, 0);
    assert_int_equal(c, 'x');
    ns_close(s);
    ns_close(d);
}

/* Nobody listens: both transports say so. */
static void nobody_there_is_told(void **state)
{
    struct ns_addr to = place(2, 81);
    struct nsock *s, *d;
    int err;
    char c;

    (void)state;
    assert_int_equal(ns_socket(hostnet_stack(a.h), family, NS_STREAM, &s), 0);
    assert_int_equal(ns_connect(s, &to), -EINPROGRESS);
    assert_int_equal(ns_socket(hostnet_stack(a.h), family, NS_DGRAM, &d), 0);
    assert_int_equal(ns_connect(d, &to), 0);
    assert_int_equal(ns_send(d, "x", 1, 0, NULL), 1);
    for (int i = 0; i < 5; i++)
        step();
    assert_int_equal(ns_getopt(s, NSO_ERROR, &err), 0);
    assert_int_equal(err, ECONNREFUSED);
    assert_int_equal(ns_recv(d, &c, 1, 0, NULL), -ECONNREFUSED);
    ns_close(s);
    ns_close(d);
}

static void bad_input_is_refused(void **state)
{
    struct hostnet_config c = {.output = output};
    struct hostnet *h;
    uint8_t p[MTU] = {0x45};
    int n = 0;

    (void)state;
    assert_int_equal(hostnet_create(&h, &c, 0), -EINVAL); /* no random */
    c.random = chance;
    c.mtu = 100;
    assert_int_equal(hostnet_create(&h, &c, 0), -EINVAL);
    c.mtu = 0;
    c.rx_bytes = 70000; /* not a power of two */
    assert_int_equal(hostnet_create(&h, &c, 0), -EINVAL);
    assert_int_equal(hostnet_input(a.h, now, p, 19), -EINVAL);
    p[0] = 0x95;
    assert_int_equal(hostnet_input(a.h, now, p, 40), -EINVAL);
    p[0] = 0x45;
    assert_int_equal(hostnet_input(a.h, now, p, 40), -EADDRNOTAVAIL);
    memcpy(p + 16, (uint8_t[]){10, 0, 0, 1}, 4);
    while (n < 1000 && hostnet_input(a.h, now, p, MTU) == 0) /* nobody runs the stack */
        n++;
    assert_true(n > 100 && n < 1000);
    hostnet_run(a.h, now);
    assert_int_equal(hostnet_input(a.h, now, p, MTU), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(streams_arrive_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(large_datagrams_arrive, setup, teardown),
        cmocka_unit_test_setup_teardown(own_address_is_reached, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_there_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(streams_arrive_whole, setup6, teardown),
        cmocka_unit_test_setup_teardown(large_datagrams_arrive, setup6, teardown),
        cmocka_unit_test_setup_teardown(own_address_is_reached, setup6, teardown),
        cmocka_unit_test_setup_teardown(nobody_there_is_told, setup6, teardown),
        cmocka_unit_test_setup_teardown(bad_input_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests_name("hostnet", tests, NULL, NULL);
}
