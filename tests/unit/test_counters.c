/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_counters.c: the books balance after anything: received and
 * injected packets are delivered, dropped for a named reason, or in flight.
 *
 * Seeded random traffic over random processes that register, send, transfer,
 * read, die and come back. SLIPWAY_SEED replays one seed, SLIPWAY_RUNS sets how
 * many are run.
 */
#include <tests/unit/net_harness.h>

#define PROCS 6
#define STEPS 1500

static struct proc proc[PROCS];
static bool alive[PROCS];
static uint8_t p[4096];
static unsigned running; /* seed under way */

static uint32_t below(uint32_t n)
{
    return (uint32_t)(host_random() % n);
}

static void start(unsigned i)
{
    static const char *const name[PROCS] = {"netd", "web", "web", "dns", "natd", "tool"};
    static const uint32_t bits[PROCS] = {RIGHT_NET_DEFAULT | RIGHT_NET_INJECT | RIGHT_NET_EPHEMERAL,
                                         0,
                                         0,
                                         0,
                                         RIGHT_NET_FORWARD,
                                         RIGHT_NET_EPHEMERAL | RIGHT_NET_TAP};

    proc_init(&proc[i], name[i], bits[i]);
    for (uint16_t port = 80; port < 84; port++)
        allow_port(&proc[i], port_key(NET_TCP, port, port), "", true);
    allow_port(&proc[i], port_key(NET_UDP, 1, 1000), "", false);
    proc_open(&proc[i]);
    alive[i] = true;
    if (i == 0)
        for (unsigned slot = 0; slot < SLOT_FORWARD; slot++)
            if (below(8) != 0)
                slot_register(proc[i].ep, slot);
    if (i == 4)
        slot_register(proc[i].ep, SLOT_FORWARD);
    if (i == 5 && below(2))
        tap_open(proc[i].ep, world.eth.index);
}

static uint32_t any_ip(void)
{
    static const uint32_t ip[] = {HOST_IP,        HOST_IP,           HOST_IP,    PEER_IP,
                                  PEER_IP,        IP(10, 0, 0, 255), 0xffffffff, IP(127, 0, 0, 1),
                                  IP(8, 8, 8, 8), IP(224, 0, 0, 1),  0,          IP(10, 0, 0, 33)};
    return ip[below(sizeof(ip) / sizeof(ip[0]))];
}

static uint16_t any_port(void)
{
    static const uint16_t port[] = {80, 81, 82, 83, 68, 500, 53, 9999, 40000};
    return port[below(sizeof(port) / sizeof(port[0]))];
}

static uint32_t any_packet(bool from_us)
{
    uint32_t src = from_us ? (below(4) ? HOST_IP : any_ip()) : (below(4) ? PEER_IP : any_ip()),
             dst = any_ip(), n;

    switch (below(4)) {
    case 0:
        n = make_tcp(p, src, any_port(), dst, any_port(), (uint8_t)(below(3) ? F_SYN : below(32)),
                     below(1000));
        break;
    case 1:
        n = make_icmp(p, src, dst, (uint8_t)below(13), any_port(), below(100));
        break;
    default:
        n = make_udp(p, src, any_port(), dst, any_port(), below(1460));
        break;
    }
    if (below(10) == 0)
        put16(p + 6, below(65536));
    seal_ip(p);
    if (below(10) == 0)
        p[below(n)] ^= (uint8_t)host_random();
    return n;
}

static void receive(void)
{
    static const uint16_t type[] = {0x0800, 0x0800, 0x0800, 0x0800, 0x0806, 0x86dd, 0x1234};
    uint32_t n = any_packet(false);

    if (below(10) == 0)
        n = below(n + 1);
    rx_frame(below(5) ? host_mac : below(2) ? everybody : peer_mac, type[below(7)], p, n);
}

static void transmit(struct proc *q)
{
    unsigned n = 1 + below(8);

    while (n-- > 0 && q->ring->tx_head - q->ring->tx_tail < q->ring->tx_entries) {
        uint32_t len = any_packet(true), hdr = below(4) ? 28 : 20 + below(60);
        struct net_tx *t = queue_tx(q, below(8000), p, len, len < hdr ? len : hdr, (uint16_t)below(32));

        if (below(3) == 0)
            t->link = (uint16_t)below(3);
        if (below(20) == 0)
            ((uint8_t *)t)[below(64)] ^= (uint8_t)host_random();
    }
    if (below(4) == 0)
        world.accept = below(20);
    (void)endpoint_kick(q->ep);
    world.accept = UINT32_MAX;
    world.nsent = 0;
}

static void ports(struct proc *q)
{
    struct net_port_op op = {.key = port_key(below(2) ? NET_TCP : NET_UDP, any_port(), 0)};
    struct proc *to = &proc[below(PROCS)];

    op.key.port_hi = op.key.port_lo;
    op.is_flow = below(5) == 0;
    op.flow = (struct net_flow_key){.family = NET_INET,
                                    .proto = NET_TCP,
                                    .link = LINK_ANY,
                                    .lport = any_port(),
                                    .rport = any_port(),
                                    .laddr = addr4(HOST_IP),
                                    .raddr = addr4(PEER_IP)};
    op.flags = below(2);
    switch (below(4)) {
    case 0:
        (void)port_unregister(&q->owner, below(2) ? q->ep : NULL, &op);
        break;
    case 1:
        if (alive[to - proc])
            (void)port_transfer(&q->owner, to->ep, &op);
        break;
    default:
        (void)port_register(q->ep, &op);
        break;
    }
}

static void step(void)
{
    unsigned i = below(PROCS);
    struct proc *q = &proc[i];
    struct net_cqe c;

    if (!alive[i]) {
        start(i);
        return;
    }
    switch (below(16)) {
    case 0:
        if (below(4))
            return;
        if (below(2))
            owner_died(&q->owner, below(2));
        endpoint_close(q->ep);
        alive[i] = false;
        break;
    case 1:
        host_advance(below(1500000000));
        break;
    case 2:
    case 3:
        ports(q);
        break;
    case 4:
    case 5:
        for (unsigned n = below(30); n > 0 && ring_take(q->ring) != NULL; n--)
            ;
        while (take_completion(q->ring, &c))
            ;
        break;
    case 6:
    case 7:
        transmit(q);
        break;
    case 8:
        host_run_polls(below(4));
        break;
    case 9:
        (void)set_neighbour(below(2) ? PEER_IP : IP(10, 0, 0, 33), peer_mac, (uint8_t)(below(6)));
        break;
    case 10:
        world.hold = below(2);
        release_held(below(4) ? 0 : -EIO);
        break;
    default:
        receive();
        break;
    }
}

static void one_run(uint64_t seed)
{
    void *state = NULL;

    world_up(&state);
    host_reset(seed);
    for (unsigned i = 0; i < PROCS; i++)
        start(i);
    for (unsigned i = 0; i < STEPS; i++) {
        step();
        if (i % 16 == 0)
            check_books();
    }
    release_held(0);
    for (unsigned i = 0; i < PROCS; i++)
        if (alive[i])
            endpoint_close(proc[i].ep);
    host_run_polls(1000);
    host_advance(5000000000);
    check_books();
    assert_int_equal(counters().in_flight, 0);
    world_down(&state);
}

static void books_balance(void **state) /* C-RX-1 */
{
    const char *seed = getenv("SLIPWAY_SEED"), *runs = getenv("SLIPWAY_RUNS");
    unsigned n = runs != NULL ? (unsigned)atoi(runs) : 60;

    (void)state;
    if (seed != NULL) {
        one_run(strtoull(seed, NULL, 0));
        return;
    }
    for (unsigned i = 1; i <= n; i++) {
        running = i;
        one_run(i);
    }
    running = 0;
}

static int say_seed(void **state)
{
    (void)state;
    if (running != 0)
        print_error("replay with SLIPWAY_SEED=%u\n", running);
    return 0;
}

static void drops_are_named(void **state)
{
    static const char *const name[] = {
#define X(id, text, meaning) text,
        NET_DROP_LIST(X)
#undef X
    };

    (void)state;
    assert_true(DROP_COUNT <= NET_DROPS_MAX);
    for (unsigned i = 0; i < DROP_COUNT; i++)
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(name[i], name[j]);
    struct net_counters c;
    assert_int_equal(net_info_read(NETINFO_COUNTERS, 1, &c, sizeof(c)), 0);
}

static int up(void **state)
{
    return world_up(state);
}

static void snapshot_says_its_size(void **state)
{
    (void)state;
    assert_int_equal(counters().size, sizeof(struct net_counters));
    assert_int_equal(counters().drops, DROP_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(books_balance, say_seed),
        cmocka_unit_test_setup_teardown(drops_are_named, up, world_down),
        cmocka_unit_test_setup_teardown(snapshot_says_its_size, up, world_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
