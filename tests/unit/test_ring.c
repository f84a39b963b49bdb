/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_ring.c: the rings in shared memory: sizes, records that wrap,
 * full rings, completions, and a process that writes what it should not.
 */
#include <tests/unit/net_harness.h>

static struct proc app;
static uint8_t p[2048];

static int up(void **state)
{
    world_up(state);
    proc_init(&app, "app", RIGHT_NET_EPHEMERAL | RIGHT_NET_TAP);
    allow_port(&app, port_key(NET_UDP, 7, 7), "", false);
    proc_open(&app);
    assert_int_equal(try_register(&app, port_key(NET_UDP, 7, 7), NULL), 0);
    return 0;
}

static int down(void **state)
{
    release_held(0);
    endpoint_close(app.ep);
    check_books();
    return world_down(state);
}

static void layout(void **state)
{
    struct net_ring *r = app.ring;

    (void)state;
    assert_int_equal(r->magic, NET_RING_MAGIC);
    assert_int_equal(r->version, NET_RING_VERSION);
    assert_int_equal(r->rx_size, NET_RING_RX_MIN);
    assert_int_equal(r->rx_off, 4096);
    assert_int_equal(r->tx_off, r->rx_off + r->rx_size);
    assert_int_equal(r->cq_off, r->tx_off + r->tx_entries * 64);
    assert_true(r->cq_entries >= 2 * r->tx_entries);
    assert_true(r->arena_off >= r->cq_off + r->cq_entries * 16);
    assert_int_equal(r->arena_off % 4096, 0);
    assert_int_equal(r->total_size, r->arena_off + r->arena_size);
    assert_int_equal(endpoint_shared(app.ep)->bytes, r->total_size);
    assert_int_equal(endpoint_ready(app.ep), READY_OUT);
}

static void sizes_and_limits(void **state) /* C-RING-7 */
{
    struct sys_net_open io = {.rx_bytes = 100000, .tx_entries = 100, .arena_bytes = 100000};
    struct net_endpoint *e, *f;

    (void)state;
    assert_int_equal(endpoint_open(&app.owner, &io, NULL, &e), 0);
    assert_int_equal(io.rx_bytes, 131072); /* the next power of two */
    assert_int_equal(io.tx_entries, 128);
    assert_int_equal(io.arena_bytes, 131072);
    endpoint_close(e);
    /* Wishes beyond the manifest's limit shrink; what is left is not exceeded. */
    app.rights.ring_limit = app.owner.ring_bytes + 300 * 1024;
    io = (struct sys_net_open){.rx_bytes = UINT32_MAX, .tx_entries = UINT32_MAX, .arena_bytes = UINT32_MAX};
    assert_int_equal(endpoint_open(&app.owner, &io, NULL, &e), 0);
    assert_true(io.bytes <= 300 * 1024);
    assert_true(app.owner.ring_bytes <= app.rights.ring_limit);
    while (endpoint_open(&app.owner, &io, NULL, &f) == 0)
        ;
    io = (struct sys_net_open){0};
    assert_int_equal(endpoint_open(&app.owner, &io, NULL, &f), -ENOMEM);
    while (owner_first_endpoint(&app.owner) != NULL && app.owner.endpoints != app.ep)
        endpoint_close(app.owner.endpoints);
    assert_int_equal(app.owner.ring_bytes, app.ring->total_size); /* all given back */
    app.rights.ring_limit = 0;
    for (long n = 0; n < 2; n++) {
        host_fail_after = n;
        io = (struct sys_net_open){0};
        assert_int_equal(endpoint_open(&app.owner, &io, NULL, &e), -ENOMEM);
    }
    host_fail_after = -1;
}

/* Every size, around and around: padding at the end never tears a record. */
static void records_wrap(void **state) /* C-RING-3 */
{
    uint64_t bytes = 0;

    (void)state;
    for (unsigned i = 0; i < 4000; i++) {
        uint32_t data = (i * 37) % 1473;
        struct net_rx *r;

        rx_udp((uint16_t)i, 7, data);
        assert_int_equal(endpoint_ready(app.ep), READY_IN | READY_OUT);
        r = ring_take(app.ring);
        assert_non_null(r);
        assert_int_equal(r->len, 28 + data);
        assert_int_equal((uintptr_t)r % 16, 0);
        assert_int_equal(get16(record_data(r) + 20), (uint16_t)i);
        for (uint32_t b = 0; b < data; b++)
            assert_int_equal(record_data(r)[28 + b], (uint8_t)(b * 7 + 1));
        assert_null(ring_take(app.ring));
        assert_int_equal(endpoint_ready(app.ep), READY_OUT);
        bytes += r->size;
    }
    assert_true(bytes > 10 * app.ring->rx_size);
}

static void fills_to_the_brim(void **state) /* C-RING-4 */
{
    (void)state;
    /* 32 + 28 + 4 = 64 bytes a record: the ring takes exactly size / 64. */
    for (unsigned i = 0; i < app.ring->rx_size / 64; i++)
        rx_udp(1, 7, 4);
    assert_int_equal(dropped(DROP_RING_FULL), 0);
    rx_udp(1, 7, 4);
    assert_int_equal(dropped(DROP_RING_FULL), 1);
    assert_int_equal(ring_count(app.ring), app.ring->rx_size / 64);
    rx_udp(1, 7, 4);
    assert_int_equal(ring_count(app.ring), 1);
}

static void index_counters_wrap(void **state)
{
    (void)state;
    /* 2^32 bytes later: 64 KiB at a time would take long, so move both ends. */
    for (unsigned i = 0; i < 1000; i++) {
        for (unsigned k = 0; k < 40; k++)
            rx_udp(1, 7, 1472);
        assert_int_equal(ring_count(app.ring), 40);
    }
    assert_true(app.ring->rx_head > 50000000);
}

static void one_wake_a_batch(void **state)
{
    (void)state;
    uint8_t f[64] = {0};
    memcpy(f, host_mac, 6);
    put16(f + 12, 0x0800);
    uint32_t n = make_udp(f + 14, PEER_IP, 1, HOST_IP, 7, 4);
    for (unsigned i = 0; i < 10; i++)
        link_rx(&world.eth, f, n + 14, NULL);
    assert_int_equal(app.wakes, 0);
    net_link_poll(&world.eth, 64);
    assert_int_equal(app.wakes, 1);
}

/* --- completions ------------------------------------------------------------------------- */

static void silent_success(void **state)
{
    uint32_t n = make_udp(p, HOST_IP, 7, PEER_IP, 9, 4);
    struct net_cqe c;

    (void)state;
    queue_tx(&app, 0, p, n, n, 0); /* header only, no notice wanted */
    assert_int_equal(endpoint_kick(app.ep), 1);
    assert_int_equal(app.ring->tx_tail, 1);
    assert_false(take_completion(app.ring, &c));
    queue_tx(&app, 0, p, n, n, TX_NOTIFY);
    queue_tx(&app, 0, p, n, 28, 0); /* with a segment */
    assert_int_equal(endpoint_kick(app.ep), 2);
    assert_true(take_completion(app.ring, &c));
    assert_int_equal(c.cookie, 0xc0de0001);
    assert_int_equal(c.status, 0);
    assert_true(take_completion(app.ring, &c));
    assert_int_equal(c.cookie, 0xc0de0002);
    assert_int_equal(world.nsent, 3);
    assert_memory_equal(world.sent[0].data + 14, p, n);
    assert_memory_equal(world.sent[2].data + 14, p, n);
}

static void unread_completions_stop_only_oneself(void **state) /* C-RING-5 */
{
    uint32_t n = make_udp(p, HOST_IP, 7, PEER_IP, 9, 4), sent = 0;
    struct net_cqe c;

    (void)state;
    for (unsigned i = 0; i < 3 * app.ring->tx_entries; i++) {
        if (app.ring->tx_head - app.ring->tx_tail < app.ring->tx_entries) {
            queue_tx(&app, 0, p, n, n, TX_NOTIFY);
            sent++;
        }
        assert_true(endpoint_kick(app.ep) >= 0);
        host_run_polls(4);
        world.nsent = 0;
    }
    assert_int_equal(app.ring->cq_head, app.ring->cq_entries);
    assert_int_equal(app.ring->tx_tail, app.ring->cq_entries);
    assert_true(sent > app.ring->cq_entries);
    while (take_completion(app.ring, &c))
        assert_int_equal(c.status, 0);
    while (app.ring->tx_tail != app.ring->tx_head) {
        assert_true(endpoint_kick(app.ep) >= 0);
        world.nsent = 0;
        host_run_polls(4);
    }
}

static void closed_while_the_card_reads(void **state) /* C-DMA-5 */
{
    uint32_t n = make_udp(p, HOST_IP, 7, PEER_IP, 9, 1000);
    struct proc q;

    (void)state;
    proc_start(&q, "q", RIGHT_NET_EPHEMERAL);
    struct net_port_op op;
    assert_int_equal(try_register(&q, port_key(NET_UDP, 0, 0), &op), 0);
    put16(p + 20, op.key.port_lo);
    world.hold = true;
    queue_tx(&q, 0, p, n, 28, 0);
    assert_int_equal(endpoint_kick(q.ep), 1);
    assert_int_equal(world.nheld, 1);
    uint64_t live = host_allocations;
    proc_exit(&q, false);
    assert_true(host_allocations + 2 > live); /* its pages are still there */
    assert_memory_equal(world.held[0]->frag[0].virt, p + 28, 100);
    q.wakes = 0;
    release_held(0);
    assert_int_equal(q.wakes, 0);
    assert_true(host_allocations < live);
}

/* The process goes on writing while its packet waits in the card's queue: what
 * was checked goes out, from a copy that it cannot reach. */
static void the_header_sent_is_the_one_checked(void **state) /* C-TX-1 */
{
    uint32_t n = make_udp(p, HOST_IP, 7, PEER_IP, 9, 200);

    (void)state;
    world.hold = true;
    queue_tx(&app, 0, p, n, 28, 0);
    assert_int_equal(endpoint_kick(app.ep), 1);
    assert_int_equal(world.nheld, 1);
    memset(app.base + app.ring->arena_off, 0xff, 28);
    memset(app.base + app.ring->tx_off, 0xff, sizeof(struct net_tx));
    assert_int_equal(world.held[0]->head_len, 14 + 28);
    assert_memory_equal(world.held[0]->head + 14, p, 28);
    release_held(0);
}

/* --- hostile indices ------------------------------------------------------------------------ */

static void impossible_transmit_index(void **state) /* C-RING-2 */
{
    (void)state;
    app.ring->tx_head = app.ring->tx_entries + 1;
    assert_int_equal(endpoint_kick(app.ep), -EINVAL);
    assert_int_equal(endpoint_ready(app.ep), READY_ERR);
    assert_int_equal(app.wakes, 1);
    assert_non_null(strstr(host_last_log, "impossible"));
    app.ring->tx_head = 0; /* too late */
    assert_int_equal(endpoint_kick(app.ep), -EINVAL);
    rx_udp(1, 7, 1);
    assert_int_equal(ring_count(app.ring), 0);
    assert_int_equal(dropped(DROP_RING_FULL), 1);
}

static void impossible_receive_index(void **state) /* C-RING-2 */
{
    static const uint32_t wrong[] = {1, 0x80000000, 0xffffffff, 0xfffeffff};

    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct proc q;
        struct net_port_op op;

        proc_start(&q, "q", RIGHT_NET_EPHEMERAL);
        assert_int_equal(try_register(&q, port_key(NET_UDP, 0, 0), &op), 0);
        q.ring->rx_tail = wrong[i];
        rx_udp(1, op.key.port_lo, 1);
        assert_int_equal(endpoint_ready(q.ep), READY_ERR);
        proc_exit(&q, false);
    }
    assert_int_equal(dropped(DROP_RING_FULL), 4);
}

static void impossible_completion_index(void **state) /* C-RING-2 */
{
    uint32_t n = make_udp(p, HOST_IP, 7, PEER_IP, 9, 4);

    (void)state;
    app.ring->cq_tail = 12345;
    queue_tx(&app, 0, p, n, n, TX_NOTIFY);
    assert_int_equal(endpoint_kick(app.ep), -EINVAL);
    assert_int_equal(world.nsent, 0);
}

/* The kernel never reads back what it wrote there itself. */
static void overwritten_kernel_fields(void **state) /* C-RING-1 */
{
    (void)state;
    rx_udp(1, 7, 100);
    struct net_ring keep = *app.ring;
    memset(app.ring, 0xff, 96); /* magic, offsets, sizes */
    app.ring->rx_head = 0x12345678;
    app.ring->tx_tail = 0x12345678;
    app.ring->cq_head = 0x12345678;
    app.ring->rx_dropped = 0x12345678;
    app.ring->rx_tail = app.ring->cq_tail = app.ring->tx_head = 0;
    rx_udp(1, 7, 100);
    uint32_t n = make_udp(p, HOST_IP, 7, PEER_IP, 9, 4);
    struct net_tx *t = (struct net_tx *)(app.base + keep.tx_off);
    memcpy(app.base + keep.arena_off, p, n);
    *t = (struct net_tx){.hdr_len = (uint16_t)n, .link = LINK_ANY};
    app.ring->tx_head = 1;
    assert_int_equal(endpoint_kick(app.ep), 1);
    assert_int_equal(world.nsent, 1);
    *app.ring = (struct net_ring){.rx_head = app.ring->rx_head,
                                  .rx_off = keep.rx_off,
                                  .rx_size = keep.rx_size,
                                  .tx_head = 1,
                                  .tx_tail = 1};
    assert_int_equal(ring_count(app.ring), 2);
    assert_int_equal(counters().delivered, 2);
}

/* Random scribbling over everything the process may write. Nothing may happen
 * but errors; ASan and UBSan watch. */
static void random_scribbling(void **state) /* C-RING-6 */
{
    (void)state;
    for (unsigned round = 0; round < 400; round++) {
        struct proc q;
        struct net_port_op op;
        uint32_t words;

        proc_start(&q, "q", RIGHT_NET_EPHEMERAL | RIGHT_NET_INJECT | RIGHT_NET_RAW | RIGHT_NET_DEFAULT);
        assert_int_equal(try_register(&q, port_key(NET_UDP, 0, 0), &op), 0);
        slot_register(q.ep, round % SLOT_FORWARD);
        words = q.ring->total_size / 4;
        for (unsigned i = 0; i < 30; i++) {
            uint32_t n = make_udp(p, HOST_IP, op.key.port_lo, PEER_IP, 9, 40);
            uint32_t *any = (uint32_t *)q.base + host_random() % words;

            queue_tx(&q, (uint32_t)(host_random() % 1024), p, n, n, (uint16_t)(host_random() % 64));
            for (unsigned k = 0; k < 3; k++) /* three bytes of the record, or of the packet */
                ((uint8_t *)((struct net_tx *)(q.base + 4096 + 65536) + i))[host_random() % 64] ^=
                    (uint8_t)host_random();
            if (i % 8 == 7)
                *any = (uint32_t)host_random();
            rx_udp(1, op.key.port_lo, (uint32_t)(host_random() % 1400));
            endpoint_kick(q.ep);
            host_run_polls(4);
            world.nsent = 0;
        }
        check_books();
        proc_exit(&q, round % 2);
        host_run_polls(4);
        check_books();
    }
}

/* --- taps --------------------------------------------------------------------------------------- */

static void tap_sees_both_ways(void **state)
{
    struct proc spy;

    (void)state;
    proc_start(&spy, "spy", 0);
    assert_int_equal(tap_open(spy.ep, world.eth.index), -EACCES);
    spy.rights.bits = RIGHT_NET_TAP;
    assert_int_equal(tap_open(spy.ep, 99), -ENODEV);
    assert_int_equal(tap_open(spy.ep, world.eth.index), 0);
    assert_int_equal(tap_open(spy.ep, world.eth.index), 0);
    rx_udp(1, 7, 10);
    rx_udp(1, 9999, 10); /* also what nobody gets */
    uint32_t n = make_udp(p, HOST_IP, 7, PEER_IP, 9, 300);
    assert_int_equal(send_now(&app, p, n, 0), 0);
    struct net_rx *r = ring_take(spy.ring);
    assert_int_equal(r->l2_len, 14);
    assert_int_equal(r->len, 14 + 38);
    assert_non_null(ring_take(spy.ring));
    r = ring_take(spy.ring);
    assert_int_equal(r->len, 14 + n);
    assert_memory_equal(record_data(r) + 14, p, n);
    assert_null(ring_take(spy.ring));
    assert_int_equal(counters().delivered, 1); /* copies are outside the books */
    /* A full tap loses frames; the owner of the port does not. */
    for (unsigned i = 0; i < 100; i++) {
        rx_udp(1, 7, 1400);
        assert_non_null(ring_take(app.ring));
    }
    assert_true(spy.ring->rx_dropped > 0);
    proc_exit(&spy, true);
    assert_int_equal(dropped(DROP_OWNER_DIED), 0);
    rx_udp(1, 7, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
    const struct CMUnitTest tests[] = {
        T(layout),
        T(sizes_and_limits),
        T(records_wrap),
        T(fills_to_the_brim),
        T(index_counters_wrap),
        T(one_wake_a_batch),
        T(silent_success),
        T(unread_completions_stop_only_oneself),
        T(closed_while_the_card_reads),
        T(the_header_sent_is_the_one_checked),
        T(impossible_transmit_index),
        T(impossible_receive_index),
        T(impossible_completion_index),
        T(overwritten_kernel_fields),
        T(random_scribbling),
        T(tap_sees_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
