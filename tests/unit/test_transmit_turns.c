/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_transmit_turns.c: packets to oneself and back into the core,
 * whole frames, and how senders share a link.
 */
#include <tests/unit/transmit_rig.h>

/* --- loopback ------------------------------------------------------------------------------------------- */

static void to_oneself(void **state)
{
    static const uint32_t dst[] = {IP(127, 0, 0, 1), HOST_IP, IP(127, 9, 9, 9)};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        uint32_t src = i == 0 ? dst[0] : HOST_IP, n = make_udp(p, src, APP_PORT, dst[i], APP_PORT, 1000);
        struct net_rx *r;

        assert_int_equal(send_now(&app, p, n, 0), 0);
        r = ring_take(app.ring);
        assert_non_null(r);
        assert_int_equal(r->link, 0);
        assert_int_equal(r->l2_len, 0);
        assert_memory_equal(record_data(r), p, n);
    }
    assert_int_equal(world.nsent, 0);
    uint32_t n = make_udp(p, HOST_IP, APP_PORT, HOST_IP, APP_PORT, 30000); /* lo's MTU */
    assert_int_equal(send_now(&app, p, n, 0), 0);
    assert_int_equal(ring_take(app.ring)->len, n);
    /* Partial checksums stay so between local processes. */
    n = make_udp(p, HOST_IP, APP_PORT, HOST_IP, APP_PORT, 10);
    queue_tx(&app, 0, p, n, n, 0)->csum = CSUM_PARTIAL;
    assert_int_equal(endpoint_kick(app.ep), 1);
    host_run_polls(4);
    assert_int_equal(ring_take(app.ring)->csum, CSUM_PARTIAL);
}

/* --- inject
 * --------------------------------------------------------------------------------------------------- */

static int inject(struct proc *q, uint32_t n, uint16_t link)
{
    struct net_cqe c;
    struct net_tx *t = queue_tx(q, 0, p, n, n < 200 ? n : 28, TX_INJECT | TX_NOTIFY);

    t->link = link;
    assert_int_equal(endpoint_kick(q->ep), 1);
    assert_true(take_completion(q->ring, &c));
    return c.status;
}

static void injected_is_classified(void **state)
{
    uint32_t n = make_udp(p, PEER_IP, 1, HOST_IP, APP_PORT, 5000); /* a reassembled datagram */
    struct net_rx *r;

    (void)state;
    assert_int_equal(inject(&app, n, world.eth.index), -EACCES);
    assert_int_equal(inject(&netd, n, world.eth.index), 0);
    r = ring_take(app.ring);
    assert_int_equal(r->len, n);
    assert_int_equal(r->link, world.eth.index);
    assert_memory_equal(record_data(r), p, n);
    assert_int_equal(counters().injected, 1);
    check_books();
    assert_int_equal(inject(&netd, make_udp(p, PEER_IP, 1, HOST_IP, 9999, 4), world.eth.index), 0);
    assert_int_equal(dropped(DROP_NO_SLOT), 1);
    p[10]++;
    assert_int_equal(inject(&netd, 32, world.eth.index), 0);
    assert_int_equal(dropped(DROP_IP_CHECKSUM), 1);
    check_books();
}

static void inject_does_not_loop(void **state) /* C-RX-5 */
{
    (void)state;
    assert_int_equal(slot_register(netd.ep, SLOT_FRAGMENTS), 0);
    assert_int_equal(slot_register(netd.ep, SLOT_UNBOUND), 0);
    make_udp(p, PEER_IP, 1, HOST_IP, 9999, 100);
    put16(p + 6, 0x2000);
    seal_ip(p);
    assert_int_equal(inject(&netd, 128, world.eth.index), 0);
    assert_int_equal(dropped(DROP_INJECT_LOOP), 1);
    assert_null(ring_take(netd.ring));
    /* But what it reassembled for nobody's port is its own to refuse. */
    assert_int_equal(inject(&netd, make_udp(p, PEER_IP, 1, HOST_IP, 9999, 100), world.eth.index), 0);
    assert_int_equal(ring_count(netd.ring), 1);
    check_books();
}

/* --- frames
 * ------------------------------------------------------------------------------------------------------ */

static int send_frame(struct proc *q, uint16_t ethertype, const uint8_t *src, uint16_t link, uint32_t len)
{
    uint8_t f[2000] = {0};
    struct net_tx *t;
    struct net_cqe c;

    memset(f, 0xff, 6);
    memcpy(f + 6, src, 6);
    put16(f + 12, ethertype);
    t = queue_tx(q, 0, f, len, len < 100 ? len : 42, TX_FRAME | TX_NOTIFY);
    t->link = link;
    assert_int_equal(endpoint_kick(q->ep), 1);
    assert_true(take_completion(q->ring, &c));
    return c.status;
}

static void frames(void **state) /* C-TX-5 */
{
    uint16_t e0 = world.eth.index;

    (void)state;
    assert_int_equal(send_frame(&app, 0x0806, host_mac, e0, 42), -EACCES);
    assert_int_equal(send_frame(&netd, 0x0806, host_mac, e0, 42), 0);
    assert_int_equal(world.sent[0].len, 42);
    assert_int_equal(send_frame(&netd, 0x0806, host_mac, e0, 41), -EACCES); /* too short for ARP */
    assert_int_equal(send_frame(&netd, 0x0806, peer_mac, e0, 42), -EACCES); /* as somebody else */
    assert_int_equal(send_frame(&netd, 0x0800, host_mac, e0, 60), -EACCES);
    assert_int_equal(send_frame(&netd, 0x0806, host_mac, LINK_ANY, 42), -EINVAL);
    assert_int_equal(send_frame(&netd, 0x0806, host_mac, 0, 42), -EINVAL); /* not on lo */
    app.rights.bits |= RIGHT_NET_RAW;
    assert_int_equal(send_frame(&app, 0x0800, peer_mac, e0, 1514), 0);
    assert_int_equal(world.sent[1].len, 1514);
    assert_int_equal(send_frame(&app, 0x0800, peer_mac, e0, 1515), -EMSGSIZE);
    assert_int_equal(config(NETCFG_LINK_DOWN, e0, 0, 0, 0), 0);
    assert_int_equal(send_frame(&app, 0x0800, peer_mac, e0, 60), -ENETDOWN);
}

/* --- fairness
 * ------------------------------------------------------------------------------------------------------ */

/* A bulk sender holds half of the card's queue at most; the other still gets in. */
static void a_full_link_is_shared(void **state) /* C-TX-7 */
{
    struct proc q;
    struct net_port_op op;
    uint32_t n = udp_to(PEER_IP, 400);

    (void)state;
    proc_start(&q, "q", RIGHT_NET_EPHEMERAL);
    assert_int_equal(try_register(&q, port_key(NET_UDP, 0, 0), &op), 0);
    world.hold = true;
    world.accept = 32;
    unsigned failed = 0;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 60; i++)
            queue_tx(&app, 1000 * i, p, n, n < 200 ? n : 28, 0);
        assert_true(endpoint_kick(app.ep) >= 0);
        struct net_cqe c;
        failed = 0;
        while (take_completion(app.ring, &c))
            failed += c.status == -ENOBUFS;
        if (round < 2) {
            release_held(0);
            while (take_completion(app.ring, &c))
                ;
            world.accept = 32;
            world.nsent = 0;
        }
    }
    /* The first round taught the core that the card holds 32. */
    assert_int_equal(world.nheld, 16);
    assert_int_equal(failed, 44);
    n = make_udp(p, HOST_IP, op.key.port_lo, PEER_IP, 9, 40);
    for (unsigned i = 0; i < 8; i++) {
        queue_tx(&q, 0, p, n, n, 0);
        assert_int_equal(endpoint_kick(q.ep), 1);
    }
    assert_int_equal(world.nheld, 24);
    assert_int_equal(q.ring->cq_head, 0); /* no failure */
    release_held(0);
    endpoint_close(q.ep);
}

/* What the card has finished but the driver not yet noticed is no reason to
 * refuse. */
static void finished_but_not_noticed(void **state)
{
    uint32_t n = udp_to(PEER_IP, 40);

    (void)state;
    world.hold = true;
    world.accept = 12;
    for (unsigned i = 0; i < 20; i++)
        queue_tx(&app, 0, p, n, n, 0);
    assert_true(endpoint_kick(app.ep) >= 0);
    assert_int_equal(world.nheld, 12); /* learnt: it holds 12 */
    world.lazy = true;
    world.accept = UINT32_MAX;
    app.ring->cq_tail = app.ring->cq_head;
    for (unsigned i = 0; i < 100; i++) {
        queue_tx(&app, 0, p, n, n, 0);
        assert_int_equal(endpoint_kick(app.ep), 1);
    }
    assert_int_equal(app.ring->cq_head, app.ring->cq_tail); /* no failure */
}

/* What one call leaves over waits its turn beside the others'. */
static void turns_are_by_bytes(void **state) /* C-TX-6 */
{
    struct proc q[2];
    struct net_port_op op[2];

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        proc_init(&q[i], "q", RIGHT_NET_EPHEMERAL);
        q[i].ep = open_ring(&q[i], 0, 256 * 1024);
        q[i].ring = endpoint_ring(q[i].ep);
        q[i].base = (uint8_t *)q[i].ring;
        assert_int_equal(try_register(&q[i], port_key(NET_UDP, 0, 0), &op[i]), 0);
        for (unsigned k = 0; k < 200; k++) { /* long packets and short ones */
            uint32_t n = make_udp(p, HOST_IP, op[i].key.port_lo, PEER_IP, 9, i == 0 ? 1400 : 40);
            queue_tx(&q[i], 0, p, n, n < 200 ? n : 28, 0);
        }
        assert_true(endpoint_kick(q[i].ep) >= 0);
    }
    assert_true(host_poll_pending());
    uint64_t bytes[2] = {0, 0};
    world.nsent = 0;
    host_run_polls(1); /* one turn of 64 packets */
    for (unsigned i = 0; i < world.nsent; i++)
        bytes[get16(world.sent[i].data + 34) == op[1].key.port_lo] += world.sent[i].len;
    assert_true(bytes[0] > 0 && bytes[1] > 0);
    assert_true(bytes[0] < bytes[1] + 2 * 3028 && bytes[1] < bytes[0] + 2 * 3028);
    host_run_polls(100);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(q[i].ring->tx_tail, 200);
        endpoint_close(q[i].ep);
    }
}

static void out_of_buffers(void **state)
{
    (void)state;
    world.hold = true;
    host_fail_after = 0;
    uint32_t n = udp_to(PEER_IP, 4);
    struct net_cqe c;
    queue_tx(&app, 0, p, n, n, 0);
    assert_int_equal(endpoint_kick(app.ep), 1);
    assert_true(take_completion(app.ring, &c));
    assert_int_equal(c.status, -ENOBUFS);
    host_fail_after = -1;
    queue_tx(&app, 0, p, n, n, 0);
    assert_int_equal(endpoint_kick(app.ep), 1);
    assert_false(take_completion(app.ring, &c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(to_oneself),
        T(injected_is_classified),
        T(inject_does_not_loop),
        T(frames),
        T(a_full_link_is_shared),
        T(finished_but_not_noticed),
        T(turns_are_by_bytes),
        T(out_of_buffers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
