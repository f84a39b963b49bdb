/* SPDX-License-Identifier: MIT
 *
 * tests/unit/tcp_rig.h: connections on the bench of stack_rig.h: the peer's side
 * of the handshake, segments in shorthand.
 *
 * Included once by each test program.
 */
#ifndef TESTS_UNIT_TCP_RIG_H
#define TESTS_UNIT_TCP_RIG_H

#include "stack_rig.h"

#define UNUSED __attribute__((unused))

#define PORT      80
#define PEER_PORT 4000
#define PEER_ISS  1000u

static struct nsock *listener, *s;
static uint32_t our_iss; /* the sequence number that the stack chose */
UNUSED static uint8_t pattern[65536];

static const struct ns_addr here = {.family = NET_INET, .port = PORT};

UNUSED static struct seg seg(uint8_t flags, uint32_t seq, uint32_t ack)
{
    return (struct seg){
        .sport = PEER_PORT, .dport = PORT, .flags = flags, .seq = seq, .ack = ack, .wnd = 65535};
}
UNUSED static void in(uint8_t flags, uint32_t seq, uint32_t ack)
{
    struct seg g = seg(flags, seq, ack);
    rig_in(&g);
}
UNUSED static void in_text(uint32_t seq, uint32_t ack, const void *text, uint32_t n)
{
    struct seg g = seg(TCP_ACK | TCP_PSH, seq, ack);
    g.text = text;
    g.text_len = n;
    rig_in(&g);
}
UNUSED static uint8_t state(void)
{
    return ((struct tcb *)s)->state;
}

UNUSED static void listen_here(int backlog)
{
    assert_int_equal(ns_socket(rig.ns, NET_INET, NS_STREAM, &listener), 0);
    assert_int_equal(ns_bind(listener, &here), 0);
    assert_int_equal(ns_listen(listener, backlog), 0);
}

/* A connection that the peer opened; plain options, MSS 1460. */
UNUSED static void accepted(uint16_t wnd)
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

UNUSED static int setup(void **st)
{
    (void)st;
    rig_start(NULL);
    listener = s = NULL;
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (uint8_t)(i * 7 + (i >> 8));
    return 0;
}
UNUSED static int teardown(void **st)
{
    (void)st;
    rig_stop();
    return 0;
}

UNUSED static uint16_t client_port;

/* Our connect, up to SYN_SENT. */
UNUSED static struct out connecting(void)
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
UNUSED static void to_client(struct seg g)
{
    g.dport = client_port;
    rig_in(&g);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
