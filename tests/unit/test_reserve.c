/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_reserve.c: an owner dies and comes back; an owner hands a port
 * or a connection over. Nobody is refused, nothing is lost.
 */
#include <tests/unit/net_harness.h>

static struct proc web, dns; /* dns owns the unbound slot */

static void web_start(struct proc *p)
{
    proc_init(p, "web", RIGHT_NET_EPHEMERAL);
    allow_port(p, port_key(NET_TCP, 80, 80), "", true);
    allow_port(p, port_key(NET_UDP, 53, 53), "", true);
    allow_port(p, port_key(NET_TCP, 9000, 9000), "", false);
    proc_open(p);
}

static int up(void **state)
{
    world_up(state);
    web_start(&web);
    assert_int_equal(try_register(&web, port_key(NET_TCP, 80, 80), NULL), 0);
    proc_start(&dns, "netd", RIGHT_NET_DEFAULT | RIGHT_NET_EPHEMERAL);
    assert_int_equal(slot_register(dns.ep, SLOT_UNBOUND), 0);
    return 0;
}

static int down(void **state)
{
    if (web.ep != NULL)
        endpoint_close(web.ep);
    endpoint_close(dns.ep);
    check_books();
    return world_down(state);
}

static void die(struct proc *p, bool restarts)
{
    proc_exit(p, restarts);
    p->ep = NULL;
}

static void syn_waits_for_the_successor(void **state)
{
    (void)state;
    die(&web, true);
    for (uint16_t i = 0; i < 10; i++)
        rx_tcp(1000 + i, 80, F_SYN);
    assert_int_equal(counters().in_flight, 10);
    check_books();
    host_advance(1000000000);
    web_start(&web);
    assert_int_equal(try_register(&web, port_key(NET_TCP, 80, 80), NULL), 0);
    for (uint16_t i = 0; i < 10; i++) { /* in order, whole */
        struct net_rx *r = ring_take(web.ring);
        assert_non_null(r);
        assert_int_equal(r->len, 40);
        assert_int_equal(get16(record_data(r) + 20), 1000 + i);
        assert_int_equal(r->link, world.eth.index);
    }
    assert_true(web.wakes >= 1);
    assert_int_equal(counters().in_flight, 0);
    assert_int_equal(ring_count(dns.ring), 0);
}

static void other_segments_go_to_netd(void **state)
{
    (void)state;
    die(&web, true);
    rx_tcp(1000, 80, F_ACK);
    rx_tcp(1000, 80, F_SYN | F_ACK);
    rx_tcp(1000, 80, F_FIN | F_ACK);
    rx_udp(1000, 53, 4);
    assert_int_equal(ring_count(dns.ring), 4);
    assert_int_equal(counters().in_flight, 0);
}

static void sixty_four_at_most(void **state) /* C-REG-7 */
{
    (void)state;
    die(&web, true);
    for (uint16_t i = 0; i < 70; i++)
        rx_tcp(1000 + i, 80, F_SYN);
    assert_int_equal(counters().in_flight, 64);
    assert_int_equal(dropped(DROP_PARK_FULL), 6);
    check_books();
    struct net_port_info info;
    assert_int_equal(net_info_read(NETINFO_PORT, 0, &info, sizeof(info)), sizeof(info));
    assert_int_equal(info.parked, 64);
    assert_int_equal(info.pid, 0);
    assert_in_range(info.reserved_ms, 1, 2000);
}

static void two_seconds_and_no_more(void **state) /* C-REG-6 */
{
    (void)state;
    die(&web, true);
    rx_tcp(1000, 80, F_SYN);
    host_advance(1999999999);
    assert_int_equal(counters().in_flight, 1);
    host_advance(1);
    assert_int_equal(counters().in_flight, 0);
    assert_int_equal(dropped(DROP_PARK_EXPIRED), 1);
    assert_int_equal(host_timer_due(), UINT64_MAX);
    rx_tcp(1000, 80, F_SYN); /* free: netd refuses it */
    assert_int_equal(ring_count(dns.ring), 1);
    struct net_port_info info;
    assert_int_equal(net_info_read(NETINFO_PORT, 0, &info, sizeof(info)), 0);
}

static void two_deaths_two_timers(void **state)
{
    struct proc other;

    (void)state;
    proc_init(&other, "other", 0);
    allow_port(&other, port_key(NET_TCP, 81, 81), "", true);
    proc_open(&other);
    assert_int_equal(try_register(&other, port_key(NET_TCP, 81, 81), NULL), 0);
    die(&web, true);
    rx_tcp(1, 80, F_SYN);
    host_advance(1000000000);
    die(&other, true);
    rx_tcp(1, 81, F_SYN);
    host_advance(1000000000);
    assert_int_equal(dropped(DROP_PARK_EXPIRED), 1);
    host_advance(1000000000);
    assert_int_equal(dropped(DROP_PARK_EXPIRED), 2);
}

static void only_the_same_name_may_take_it(void **state) /* C-REG-6 */
{
    struct proc thief;

    (void)state;
    die(&web, true);
    rx_tcp(1000, 80, F_SYN);
    proc_init(&thief, "thief", 0);
    allow_port(&thief, port_key(NET_TCP, 80, 80), "", false);
    proc_open(&thief);
    assert_int_equal(try_register(&thief, port_key(NET_TCP, 80, 80), NULL), -EADDRINUSE);
    host_advance(2000000000);
    assert_int_equal(try_register(&thief, port_key(NET_TCP, 80, 80), NULL), 0);
    assert_int_equal(ring_count(thief.ring), 0);
    endpoint_close(thief.ep);
}

static void no_restart_no_reservation(void **state)
{
    (void)state;
    die(&web, false);
    rx_tcp(1000, 80, F_SYN);
    assert_int_equal(ring_count(dns.ring), 1);
    assert_int_equal(counters().in_flight, 0);
}

static void unserved_ports_are_not_reserved(void **state)
{
    (void)state;
    assert_int_equal(try_register(&web, port_key(NET_TCP, 9000, 9000), NULL), 0);
    die(&web, true);
    rx_tcp(1000, 9000, F_SYN);
    assert_int_equal(ring_count(dns.ring), 1);
}

/* The SYN that arrived just before the death lies unread in the dead ring. */
static void unread_syns_are_rescued(void **state)
{
    (void)state;
    rx_tcp(1000, 80, F_SYN);
    rx_tcp(1001, 80, F_ACK);
    rx_tcp(1002, 80, F_SYN);
    assert_int_equal(counters().delivered, 3);
    assert_non_null(ring_take(web.ring)); /* the first was read */
    die(&web, true);
    assert_int_equal(counters().delivered, 1);
    assert_int_equal(counters().in_flight, 1);
    assert_int_equal(dropped(DROP_OWNER_DIED), 1);
    check_books();
    web_start(&web);
    assert_int_equal(try_register(&web, port_key(NET_TCP, 80, 80), NULL), 0);
    assert_int_equal(get16(record_data(ring_take(web.ring)) + 20), 1002);
}

/* A dying process cannot smuggle a packet to somebody else's port. */
static void a_dead_ring_is_not_believed(void **state)
{
    struct proc victim;

    (void)state;
    proc_init(&victim, "victim", 0);
    allow_port(&victim, port_key(NET_TCP, 22, 22), "", true);
    proc_open(&victim);
    assert_int_equal(try_register(&victim, port_key(NET_TCP, 22, 22), NULL), 0);
    for (unsigned i = 0; i < 3; i++)
        rx_tcp(1000, 80, F_SYN);
    uint8_t *rec = web.base + web.ring->rx_off;
    put16(rec + 32 + 22, 22);                          /* another port */
    ((struct net_rx *)(rec + 80))->port_id ^= 0x10000; /* another generation */
    ((struct net_rx *)(rec + 160))->link = 77;         /* no such link */
    die(&web, true);
    assert_int_equal(counters().in_flight, 0);
    assert_int_equal(dropped(DROP_OWNER_DIED), 3);
    assert_int_equal(ring_count(victim.ring), 0);
    check_books();
    endpoint_close(victim.ep);
}

static void ruined_records_end_the_walk(void **state) /* C-RING-6 */
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        rx_tcp(1000, 80, F_SYN);
    ((struct net_rx *)(web.base + web.ring->rx_off + 80))->size = 0xfffffff0;
    die(&web, true);
    assert_int_equal(counters().in_flight, 1);
    check_books();
}

static void a_group_is_reserved_by_its_last(void **state)
{
    struct net_endpoint *second = open_ring(&web, 0, 0);
    struct net_port_op op = {.key = port_key(NET_TCP, 80, 80), .flags = PORT_JOIN};

    (void)state;
    assert_int_equal(port_unregister(&web.owner, NULL, &op), 0); /* it was for one alone */
    assert_int_equal(port_register(web.ep, &op), 0);
    assert_int_equal(port_register(second, &op), 0);
    for (uint16_t i = 0; i < 20; i++)
        rx_tcp(1000 + i, 80, F_SYN);
    die(&web, true);
    endpoint_close(second);
    assert_int_equal(counters().in_flight, 20); /* from both rings */
    web_start(&web);
    assert_int_equal(try_register(&web, port_key(NET_TCP, 80, 80), NULL), 0);
    assert_int_equal(ring_count(web.ring), 20);
}

/* --- transfer ------------------------------------------------------------------------- */

static void transfer_under_traffic(void **state) /* C-REG-8 */
{
    struct proc heir;
    struct net_port_op op = {.key = port_key(NET_TCP, 80, 80)};
    unsigned sent = 0, got = 0;
    uint32_t next = 0;

    (void)state;
    web_start(&heir);
    for (unsigned round = 0; round < 40; round++) {
        struct proc *from = round % 2 ? &heir : &web, *to = round % 2 ? &web : &heir;

        for (unsigned i = 0; i < 7 + round % 5; i++, sent++) {
            uint8_t p[64];
            rx_ip(p, make_tcp(p, PEER_IP, 5, HOST_IP, 80, F_ACK, sent));
        }
        for (unsigned i = 0; i < round % 4; i++, got++)
            assert_non_null(ring_take(from->ring));
        next = got;
        assert_int_equal(port_transfer(&from->owner, to->ep, &op), 0);
        assert_int_equal(ring_count(from->ring), 0); /* nothing is left with the old owner */
        assert_true(to->wakes != 0);
    }
    /* Everything not read by an earlier owner is here, in order. */
    for (struct net_rx *r; (r = ring_take(web.ring)) != NULL; next++, got++) {
        const uint8_t *seq = record_data(r) + 24;
        assert_int_equal(get16(seq) << 16 | get16(seq + 2), next);
    }
    assert_int_equal(got, sent);
    endpoint_close(heir.ep);
}

static void transfer_leaves_other_records(void **state)
{
    struct proc heir;
    struct net_port_op op = {.key = port_key(NET_TCP, 80, 80)};

    (void)state;
    web_start(&heir);
    assert_int_equal(try_register(&web, port_key(NET_TCP, 9000, 9000), NULL), 0);
    rx_tcp(1, 80, F_ACK);
    rx_tcp(2, 9000, F_ACK);
    rx_tcp(3, 80, F_ACK);
    assert_int_equal(port_transfer(&web.owner, heir.ep, &op), 0);
    assert_int_equal(ring_count(heir.ring), 2);
    struct net_rx *r = ring_take(web.ring);
    assert_int_equal(get16(record_data(r) + 22), 9000);
    assert_null(ring_take(web.ring));
    endpoint_close(heir.ep);
}

static void transfer_needs_room_and_right(void **state)
{
    struct proc heir, stranger;
    struct net_port_op op = {.key = port_key(NET_TCP, 80, 80)};

    (void)state;
    web_start(&heir);
    proc_start(&stranger, "stranger", RIGHT_NET_EPHEMERAL);
    assert_int_equal(port_transfer(&web.owner, stranger.ep, &op), -EACCES);
    assert_int_equal(port_transfer(&heir.owner, heir.ep, &op), -ENOENT); /* not the owner's */
    /* The heir's ring is full: nothing changes hands, nothing is lost. */
    assert_int_equal(try_register(&heir, port_key(NET_TCP, 9000, 9000), NULL), 0);
    for (unsigned i = 0; i < 900; i++)
        rx_tcp(1, 9000, F_ACK);
    rx_tcp(1, 80, F_ACK);
    assert_int_equal(port_transfer(&web.owner, heir.ep, &op), -ENOBUFS);
    assert_int_equal(ring_count(web.ring), 1);
    rx_tcp(1, 80, F_ACK);
    assert_int_equal(ring_count(web.ring), 1);
    ring_count(heir.ring);
    assert_int_equal(port_transfer(&web.owner, heir.ep, &op), 0);
    endpoint_close(heir.ep);
    endpoint_close(stranger.ep);
}

static void one_connection_moves(void **state)
{
    struct proc child;
    struct net_port_op op = {.is_flow = 1};

    (void)state;
    proc_start(&child, "child", RIGHT_NET_EPHEMERAL);
    op.flow = (struct net_flow_key){
        .family = NET_INET, .proto = NET_TCP, .link = LINK_ANY, .lport = 80, .rport = 7};
    op.flow.laddr = addr4(HOST_IP);
    op.flow.raddr = addr4(PEER_IP);
    rx_tcp(7, 80, F_ACK);
    rx_tcp(8, 80, F_ACK);
    assert_int_equal(port_transfer(&web.owner, child.ep, &op), 0);
    rx_tcp(7, 80, F_ACK);
    rx_tcp(8, 80, F_ACK);
    assert_int_equal(ring_count(child.ring), 2);
    assert_int_equal(ring_count(web.ring), 2);
    /* The child sends on it; the old owner no longer does, nor on others'. */
    uint8_t p[64];
    uint32_t n = make_tcp(p, HOST_IP, 80, PEER_IP, 7, F_ACK, 1);
    assert_int_equal(send_now(&child, p, n, 0), 0);
    assert_int_equal(send_now(&web, p, n, 0), -EACCES);
    n = make_tcp(p, HOST_IP, 80, PEER_IP, 8, F_ACK, 1);
    assert_int_equal(send_now(&child, p, n, 0), -EACCES);
    assert_int_equal(send_now(&web, p, n, 0), 0);
    /* It outlives the port's owner, and ends with its own. */
    die(&web, false);
    rx_tcp(7, 80, F_ACK);
    assert_int_equal(ring_count(child.ring), 1);
    proc_exit(&child, false);
    rx_tcp(7, 80, F_ACK);
    assert_int_equal(ring_count(dns.ring), 1);
}

/* What the old owner wrote into its ring does not reach the heir's other ports. */
static void transfer_does_not_smuggle(void **state)
{
    struct proc heir;
    struct net_port_op op = {.key = port_key(NET_TCP, 80, 80)};

    (void)state;
    web_start(&heir);
    assert_int_equal(try_register(&heir, port_key(NET_TCP, 9000, 9000), NULL), 0);
    rx_tcp(1, 80, F_ACK);
    put16(web.base + web.ring->rx_off + 32 + 22, 9000);
    assert_int_equal(port_transfer(&web.owner, heir.ep, &op), 0);
    assert_int_equal(ring_count(heir.ring), 0);
    endpoint_close(heir.ep);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
    const struct CMUnitTest tests[] = {
        T(syn_waits_for_the_successor),
        T(other_segments_go_to_netd),
        T(sixty_four_at_most),
        T(two_seconds_and_no_more),
        T(two_deaths_two_timers),
        T(only_the_same_name_may_take_it),
        T(no_restart_no_reservation),
        T(unserved_ports_are_not_reserved),
        T(unread_syns_are_rescued),
        T(a_dead_ring_is_not_believed),
        T(ruined_records_end_the_walk),
        T(a_group_is_reserved_by_its_last),
        T(transfer_under_traffic),
        T(transfer_leaves_other_records),
        T(transfer_needs_room_and_right),
        T(one_connection_moves),
        T(transfer_does_not_smuggle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
