/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_ports.c: every row of the port registry's table (design,
 * section 5): who may register what, who gets which packet, what is refused.
 */
#include <tests/unit/net_harness.h>

static struct proc a, b;

static int up(void **state)
{
    world_up(state);
    proc_init(&a, "alpha", RIGHT_NET_EPHEMERAL);
    allow_port(&a, port_key(NET_TCP, 80, 80), "", true);
    allow_port(&a, port_key(NET_UDP, 5000, 5999), "", false);
    proc_open(&a);
    proc_init(&b, "beta", RIGHT_NET_EPHEMERAL);
    allow_port(&b, port_key(NET_TCP, 80, 80), "", true);
    allow_port(&b, port_key(NET_UDP, 5000, 5999), "", false);
    proc_open(&b);
    return 0;
}

static int down(void **state)
{
    if (a.ep != NULL)
        endpoint_close(a.ep);
    if (b.ep != NULL)
        endpoint_close(b.ep);
    check_books();
    return world_down(state);
}

static void right_is_needed(void **state) /* C-REG-1 */
{
    (void)state;
    assert_int_equal(try_register(&a, port_key(NET_TCP, 81, 81), NULL), -EACCES);
    assert_non_null(strstr(host_last_log, "net: alpha"));
    assert_non_null(strstr(host_last_log, "tcp/81"));
    assert_int_equal(try_register(&a, port_key(NET_UDP, 80, 80), NULL), -EACCES);
    assert_int_equal(try_register(&a, port_key(NET_UDP, 4999, 5001), NULL), -EACCES);
    assert_int_equal(try_register(&a, port_key(NET_TCP, 80, 80), NULL), 0);
    rx_tcp(1234, 80, F_SYN);
    struct net_rx *r = ring_take(a.ring);
    assert_non_null(r);
    assert_int_equal(r->len, 40);
    assert_int_equal(r->l2_len, 0);
    assert_int_equal(r->slot, 0);
    assert_int_equal(get16(record_data(r) + 22), 80);
    assert_int_equal(a.wakes, 1);
}

static void client_right_is_needed(void **state)
{
    struct proc c;

    (void)state;
    proc_start(&c, "gamma", 0);
    assert_int_equal(try_register(&c, port_key(NET_TCP, 0, 0), NULL), -EACCES);
    assert_non_null(strstr(host_last_log, "net.client"));
    assert_int_equal(try_register(&c, port_key(NET_ICMP, 7, 7), NULL), -EACCES);
    endpoint_close(c.ep);
    /* With it: any port, any one echo id, but no range of ids. */
    assert_int_equal(try_register(&a, port_key(NET_ICMP, 7, 7), NULL), 0);
    assert_int_equal(try_register(&a, port_key(NET_ICMP, 1, 65535), NULL), -EACCES);
}

static void taken_by_another(void **state) /* C-REG-2 */
{
    struct net_port_key near = port_key(NET_TCP, 80, 80);

    (void)state;
    assert_int_equal(try_register(&a, port_key(NET_TCP, 80, 80), NULL), 0);
    assert_int_equal(try_register(&b, port_key(NET_TCP, 80, 80), NULL), -EADDRINUSE);
    /* Not by a more specific key either. */
    near.addr = addr4(HOST_IP);
    assert_int_equal(try_register(&b, near, NULL), -EADDRINUSE);
    near = port_key(NET_TCP, 80, 80);
    near.link = world.eth.index;
    assert_int_equal(try_register(&b, near, NULL), -EADDRINUSE);
    /* Ranges that touch. */
    assert_int_equal(try_register(&a, port_key(NET_UDP, 5100, 5200), NULL), 0);
    assert_int_equal(try_register(&b, port_key(NET_UDP, 5200, 5300), NULL), -EADDRINUSE);
    assert_int_equal(try_register(&b, port_key(NET_UDP, 5000, 5999), NULL), -EADDRINUSE);
    assert_int_equal(try_register(&b, port_key(NET_UDP, 5201, 5300), NULL), 0);
}

static void idempotent_for_the_owner(void **state)
{
    struct net_port_op first, second;

    (void)state;
    assert_int_equal(try_register(&a, port_key(NET_TCP, 80, 80), &first), 0);
    assert_int_equal(try_register(&a, port_key(NET_TCP, 80, 80), &second), 0);
    assert_int_equal(first.id, second.id);
    assert_memory_equal(first.secret, second.secret, NET_SECRET_BYTES);
    rx_tcp(1, 80, F_SYN);
    assert_int_equal(ring_count(a.ring), 1);
}

static void secret_survives_a_restart(void **state) /* C-REG-4 */
{
    struct net_port_op first, second, other;
    static const uint8_t zero[NET_SECRET_BYTES];

    (void)state;
    assert_int_equal(try_register(&a, port_key(NET_TCP, 80, 80), &first), 0);
    assert_memory_not_equal(first.secret, zero, NET_SECRET_BYTES);
    proc_exit(&a, true);
    proc_init(&a, "alpha", RIGHT_NET_EPHEMERAL);
    allow_port(&a, port_key(NET_TCP, 80, 80), "", true);
    proc_open(&a);
    assert_int_equal(try_register(&a, port_key(NET_TCP, 80, 80), &second), 0);
    assert_memory_equal(first.secret, second.secret, NET_SECRET_BYTES);
    assert_int_not_equal(first.id, second.id); /* the generation moved on */
    /* The same for whoever the manifest lets have the port; another for another key. */
    struct net_port_op del = {.key = port_key(NET_TCP, 80, 80)};
    assert_int_equal(port_unregister(&a.owner, NULL, &del), 0);
    assert_int_equal(try_register(&b, port_key(NET_TCP, 80, 80), &other), 0);
    assert_memory_equal(first.secret, other.secret, NET_SECRET_BYTES);
    assert_int_equal(try_register(&b, port_key(NET_UDP, 5000, 5000), &other), 0);
    assert_memory_not_equal(first.secret, other.secret, NET_SECRET_BYTES);
    /* An ephemeral port passes from stranger to stranger: each has its own. */
    assert_int_equal(try_register(&a, port_key(NET_ICMP, 9, 9), &first), 0);
    assert_int_equal(port_unregister(&a.owner, NULL, &first), 0);
    assert_int_equal(try_register(&b, port_key(NET_ICMP, 9, 9), &other), 0);
    assert_memory_not_equal(first.secret, other.secret, NET_SECRET_BYTES);
}

static void any_is_unpredictable(void **state) /* C-REG-3 */
{
    struct net_port_op op;
    uint16_t port[64];
    unsigned ascending = 0;

    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        assert_int_equal(try_register(&a, port_key(NET_UDP, 0, 0), &op), 0);
        assert_int_equal(op.key.port_lo, op.key.port_hi);
        assert_true(op.key.port_lo >= 32768);
        port[i] = op.key.port_lo;
        for (unsigned j = 0; j < i; j++)
            assert_int_not_equal(port[i], port[j]);
        ascending += i != 0 && port[i] > port[i - 1];
    }
    assert_in_range(ascending, 16, 48);
    rx_udp(9, port[20], 10);
    assert_int_equal(ring_count(a.ring), 1);
    assert_int_equal(try_register(&b, port_key(NET_ICMP, 0, 0), &op), 0);
    assert_true(op.key.port_lo != 0);
}

static void any_finds_the_last_free_port(void **state)
{
    struct net_port_op op;
    struct proc c[4];

    (void)state;
    /* 32,768 ports, 12,288 for each owner at most. */
    unsigned got = 0;
    for (unsigned i = 0; i < 4; i++) {
        proc_start(&c[i], "many", RIGHT_NET_EPHEMERAL);
        int r = 0;
        while (r == 0) {
            r = try_register(&c[i], port_key(NET_TCP, 0, 0), &op);
            got += r == 0;
        }
        assert_int_equal(r, i < 2 ? -ENOSPC : -ENOMEM);
    }
    /* Ids end one short of the ports. */
    assert_int_equal(got, 32767);
    rx_tcp(77, op.key.port_lo, F_ACK);
    for (unsigned i = 0; i < 4; i++)
        proc_exit(&c[i], true);
    assert_int_equal(try_register(&a, port_key(NET_TCP, 0, 0), &op), 0);
}

static void unregister_frees_at_once(void **state)
{
    struct net_port_op op, other;

    (void)state;
    assert_int_equal(try_register(&a, port_key(NET_TCP, 80, 80), &op), 0);
    assert_int_equal(port_unregister(&b.owner, NULL, &op), -ENOENT); /* not hers */
    assert_int_equal(port_unregister(&a.owner, a.ep, &op), 0);
    assert_int_equal(port_unregister(&a.owner, a.ep, &op), -ENOENT);
    assert_int_equal(try_register(&b, port_key(NET_TCP, 80, 80), &other), 0);
    /* The old id names nothing, although its place may be in use again. */
    assert_int_equal(port_unregister(&b.owner, NULL, &op), -ENOENT);
    assert_int_equal(port_unregister(&b.owner, NULL, &other), 0);
}

static void death_frees(void **state) /* C-REG-5 */
{
    (void)state;
    assert_int_equal(try_register(&a, port_key(NET_UDP, 5000, 5000), NULL), 0);
    proc_exit(&a, true); /* restarts, but the manifest does not serve this line */
    assert_int_equal(try_register(&b, port_key(NET_UDP, 5000, 5000), NULL), 0);
    proc_start(&a, "alpha", 0);
}

static void closing_frees_without_reservation(void **state)
{
    (void)state;
    assert_int_equal(try_register(&a, port_key(NET_TCP, 80, 80), NULL), 0);
    endpoint_close(a.ep); /* alive, it just gave the endpoint up */
    assert_int_equal(try_register(&b, port_key(NET_TCP, 80, 80), NULL), 0);
    proc_open(&a);
}

static void specific_before_general(void **state)
{
    struct net_port_key on_addr = port_key(NET_UDP, 5000, 5000), on_link = on_addr;
    struct net_port_op all, addr, link;

    (void)state;
    assert_int_equal(config(NETCFG_ADDR_ADD, world.eth.index, IP(10, 0, 0, 2), 24, 0), 0);
    on_addr.addr = addr4(IP(10, 0, 0, 2));
    on_link.link = world.eth.index;
    assert_int_equal(try_register(&a, port_key(NET_UDP, 5000, 5999), &all), 0);
    assert_int_equal(try_register(&a, on_link, &link), 0);
    assert_int_equal(try_register(&a, on_addr, &addr), 0);

    uint8_t p[64];
    rx_ip(p, make_udp(p, PEER_IP, 1, IP(10, 0, 0, 2), 5000, 4));
    assert_int_equal(ring_take(a.ring)->port_id, addr.id);
    rx_udp(1, 5000, 4);
    assert_int_equal(ring_take(a.ring)->port_id, link.id);
    rx_udp(1, 5001, 4);
    assert_int_equal(ring_take(a.ring)->port_id, all.id);
    assert_int_equal(port_unregister(&a.owner, NULL, &link), 0);
    rx_udp(1, 5000, 4);
    assert_int_equal(ring_take(a.ring)->port_id, all.id);
}

static void right_for_one_link(void **state)
{
    struct proc c;
    struct net_port_op op;
    struct net_port_key key = port_key(NET_TCP, 23, 23);

    (void)state;
    proc_init(&c, "telnet", 0);
    allow_port(&c, key, "lo", false);
    proc_open(&c);
    key.link = world.eth.index;
    assert_int_equal(try_register(&c, key, NULL), -EACCES);
    assert_non_null(strstr(host_last_log, "tcp/23 on eth0"));
    /* Asked for any link, it gets the one that the manifest grants. */
    assert_int_equal(try_register(&c, port_key(NET_TCP, 23, 23), &op), 0);
    assert_int_equal(op.key.link, link_by_name("lo")->index);
    rx_tcp(1, 23, F_SYN);
    assert_int_equal(ring_count(c.ring), 0);
    endpoint_close(c.ep);
}

static void group_by_flow_hash(void **state)
{
    struct net_endpoint *second = open_ring(&a, 0, 0);
    struct net_port_op op = {.key = port_key(NET_TCP, 80, 80), .flags = PORT_JOIN};
    struct net_ring *ring2 = endpoint_ring(second);

    (void)state;
    assert_int_equal(port_register(a.ep, &op), 0);
    op = (struct net_port_op){.key = port_key(NET_TCP, 80, 80)};
    assert_int_equal(port_register(second, &op), -EADDRINUSE); /* no group asked for */
    op.flags = PORT_JOIN;
    assert_int_equal(port_register(second, &op), 0);
    unsigned n1 = 0, n2 = 0;
    for (uint16_t port = 1000; port < 1200; port++) {
        rx_tcp(port, 80, F_SYN);
        unsigned x1 = ring_count(a.ring), x2 = ring_count(ring2);
        assert_int_equal(x1 + x2, 1);
        rx_tcp(port, 80, F_ACK); /* the same flow, the same member */
        assert_int_equal(ring_count(a.ring), x1);
        assert_int_equal(ring_count(ring2), x2);
        n1 += x1;
        n2 += x2;
    }
    assert_in_range(n1, 60, 140);
    assert_int_equal(n1 + n2, 200);
    endpoint_close(second);
    for (uint16_t port = 1000; port < 1010; port++)
        rx_tcp(port, 80, F_SYN);
    assert_int_equal(ring_count(a.ring), 10);
}

static void group_of_processes(void **state)
{
    struct proc c;
    struct net_port_op op = {.key = port_key(NET_TCP, 80, 80), .flags = PORT_JOIN};

    (void)state;
    assert_int_equal(port_register(a.ep, &op), 0);
    op = (struct net_port_op){.key = port_key(NET_TCP, 80, 80), .flags = PORT_JOIN};
    assert_int_equal(port_register(b.ep, &op), -EADDRINUSE); /* another line of the manifest */
    proc_init(&c, "alpha", 0);
    allow_port(&c, port_key(NET_TCP, 80, 80), "", true);
    proc_open(&c);
    assert_int_equal(port_register(c.ep, &op), 0);
    proc_exit(&c, true); /* the group lives on */
    rx_tcp(5, 80, F_SYN);
    assert_int_equal(ring_count(a.ring), 1);
}

static void flow_wins_over_port(void **state)
{
    struct net_endpoint *second = open_ring(&a, 0, 0);
    struct net_port_op op = {.is_flow = 1};

    (void)state;
    assert_int_equal(try_register(&a, port_key(NET_TCP, 80, 80), NULL), 0);
    op.flow = (struct net_flow_key){
        .family = NET_INET, .proto = NET_TCP, .link = LINK_ANY, .lport = 80, .rport = 600};
    op.flow.laddr = addr4(HOST_IP);
    op.flow.raddr = addr4(PEER_IP);
    struct net_port_op hers = op;
    assert_int_equal(port_register(b.ep, &hers), -EACCES); /* not her port */
    assert_int_equal(port_register(second, &op), 0);
    rx_tcp(600, 80, F_ACK);
    assert_int_equal(ring_count(a.ring), 0);
    assert_int_equal(ring_take(endpoint_ring(second))->port_id, op.id);
    rx_tcp(601, 80, F_ACK);
    assert_int_equal(ring_count(a.ring), 1);
    struct net_port_info info;
    assert_int_equal(net_info_read(NETINFO_PORT, 1, &info, sizeof(info)), sizeof(info));
    assert_int_equal(info.is_flow, 1);
    assert_int_equal(info.delivered, 1);
    assert_int_equal(net_info_read(NETINFO_PORT, 2, &info, sizeof(info)), 0);
    assert_int_equal(port_unregister(&a.owner, NULL, &op), 0);
    rx_tcp(600, 80, F_ACK);
    assert_int_equal(ring_count(a.ring), 1);
    endpoint_close(second);
}

static void many_flows(void **state)
{
    struct net_port_op op = {.is_flow = 1};

    (void)state;
    assert_int_equal(try_register(&a, port_key(NET_TCP, 80, 80), NULL), 0);
    op.flow = (struct net_flow_key){.family = NET_INET, .proto = NET_TCP, .link = LINK_ANY, .lport = 80};
    op.flow.laddr = addr4(HOST_IP);
    op.flow.raddr = addr4(PEER_IP);
    for (unsigned i = 1; i <= 1000; i++) {
        op.flow.rport = (uint16_t)i;
        assert_int_equal(port_register(a.ep, &op), 0);
    }
    for (unsigned i = 1; i <= 1001; i++) {
        rx_tcp((uint16_t)i, 80, F_ACK);
        struct net_rx *r = ring_take(a.ring);
        assert_non_null(r);
        assert_int_equal((r->port_id & 0x8000) != 0, i <= 1000); /* the last by its port */
    }
    op.flow.rport = 500;
    op.id = 0;
    assert_int_equal(port_unregister(&a.owner, NULL, &op), 0);
    assert_int_equal(port_unregister(&a.owner, NULL, &op), -ENOENT);
}

static void bad_keys(void **state)
{
    struct net_port_key k;

    (void)state;
    assert_int_equal(try_register(&a, port_key(NET_TCP, 81, 80), NULL), -EINVAL);
    assert_int_equal(try_register(&a, port_key(NET_TCP, 0, 5), NULL), -EINVAL);
    assert_int_equal(try_register(&a, port_key(6 + 100, 80, 80), NULL), -EINVAL);
    k = port_key(NET_TCP, 80, 80);
    k.family = 7;
    assert_int_equal(try_register(&a, k, NULL), -EINVAL);
    k = port_key(NET_TCP, 80, 80);
    k.link = 99;
    assert_int_equal(try_register(&a, k, NULL), -EINVAL);
    struct net_port_op op = {.is_flow = 1};
    assert_int_equal(port_register(a.ep, &op), -EINVAL);
    assert_int_equal(port_unregister(&a.owner, NULL, &op), -ENOENT);
    struct net_port_op none = {.id = 0x12345678};
    assert_int_equal(port_unregister(&a.owner, NULL, &none), -ENOENT);
    none.id = 0xffffffff;
    assert_int_equal(port_unregister(&a.owner, NULL, &none), -ENOENT);
}

static void out_of_memory_is_an_error(void **state) /* C-REG-10 */
{
    struct net_port_op op;
    int r = -ENOMEM;

    (void)state;
    for (long n = 0; r != 0; n++) {
        host_fail_after = n;
        r = try_register(&a, port_key(NET_UDP, 5000, 5999), &op);
        host_fail_after = -1;
        assert_true(r == 0 || r == -ENOMEM);
        assert_true(n < 100);
    }
    rx_udp(1, 5500, 1);
    assert_int_equal(ring_count(a.ring), 1);
}

static void listing(void **state)
{
    struct net_port_info info;
    struct net_port_op op[20];

    (void)state;
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(try_register(&a, port_key(NET_UDP, 5000 + i, 5000 + i), &op[i]), 0);
    assert_int_equal(port_unregister(&a.owner, NULL, &op[7]), 0);
    unsigned seen = 0;
    for (unsigned c = 0; net_info_read(NETINFO_PORT, c, &info, sizeof(info)) > 0; c++, seen++) {
        assert_int_equal(info.pid, a.owner.pid);
        assert_int_equal(info.members, 1);
        assert_int_not_equal(info.key.port_lo, 5007);
    }
    assert_int_equal(seen, 19);
    assert_int_equal(net_info_read(NETINFO_PORT, 3, &info, sizeof(info)), sizeof(info));
    assert_int_equal(info.key.port_lo, 5003);
}

/* A socket of both families has one number in both, by a right for either. */
static void one_number_in_both_families(void **state)
{
    struct proc q, other;
    struct net_port_op op;
    struct net_port_key k = port_key(NET_UDP, 0, 0);

    (void)state;
    proc_start(&q, "q", RIGHT_NET_EPHEMERAL);
    proc_start(&other, "other", RIGHT_NET_EPHEMERAL);
    for (unsigned i = 0; i < 50; i++) {
        k.family = NET_INET6;
        k.port_lo = k.port_hi = 0;
        assert_int_equal(try_register(&q, k, &op), 0);
        k = op.key;
        k.family = NET_INET;
        assert_int_equal(try_register(&other, k, NULL), -EACCES); /* another's luck is no right */
        assert_int_equal(try_register(&q, k, &op), 0);
        k.proto = NET_TCP;
        assert_int_equal(try_register(&q, k, NULL), -EACCES);
        k.proto = NET_UDP;
    }
    /* The families are apart: who has a number in one may be asked for in the other. */
    allow_port(&q, port_key(NET_TCP, 80, 80), "", false);
    allow_port(&other, port_key(NET_TCP, 80, 80), "", false);
    other.rights.ports[0].family = 0;
    k = port_key(NET_TCP, 80, 80);
    assert_int_equal(try_register(&q, k, NULL), 0);
    assert_int_equal(try_register(&other, k, NULL), -EADDRINUSE);
    k.family = NET_INET6;
    assert_int_equal(try_register(&q, k, NULL), -EACCES); /* its line is for IPv4 */
    assert_int_equal(try_register(&other, k, NULL), 0);
    endpoint_close(q.ep);
    endpoint_close(other.ep);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
    const struct CMUnitTest tests[] = {
        T(one_number_in_both_families),
        T(right_is_needed),
        T(client_right_is_needed),
        T(taken_by_another),
        T(idempotent_for_the_owner),
        T(secret_survives_a_restart),
        T(any_is_unpredictable),
        T(any_finds_the_last_free_port),
        T(unregister_frees_at_once),
        T(death_frees),
        T(closing_frees_without_reservation),
        T(specific_before_general),
        T(right_for_one_link),
        T(group_by_flow_hash),
        T(group_of_processes),
        T(flow_wins_over_port),
        T(many_flows),
        T(bad_keys),
        T(out_of_memory_is_an_error),
        T(listing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
