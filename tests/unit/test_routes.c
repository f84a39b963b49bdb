/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_routes.c: addresses, routes, neighbours, the look-up that
 * processes ask, and who may write them.
 */
#include <tests/unit/net_harness.h>

static struct link eth1, sl0;

static int up(void **state)
{
    world_up(state);
    eth1 =
        (struct link){.name = "eth%d", .mtu = 9000, .flags = LINKF_ETHERNET | LINKF_RUNNING, .ops = &eth_ops};
    sl0 = (struct link){.name = "sl%d",
                        .mtu = 1006,
                        .flags = LINKF_POINTOPOINT | LINKF_RUNNING,
                        .ops = &eth_ops,
                        .speed_bps = 115200};
    assert_int_equal(link_register(&eth1), 0);
    assert_int_equal(link_register(&sl0), 0);
    return 0;
}

static int lookup(uint32_t dst, uint16_t link, struct net_route_info *io)
{
    memset(io, 0, sizeof(*io));
    io->family = NET_INET;
    io->dst = addr4(dst);
    io->link = link;
    return net_info_read(NETINFO_LOOKUP, 0, io, sizeof(*io));
}

static void expect_route(uint32_t dst, const struct link *l, uint32_t gateway, uint32_t src)
{
    struct net_route_info io;
    struct net_addr a = addr4(gateway), s = addr4(src);

    assert_int_equal(lookup(dst, LINK_ANY, &io), sizeof(io));
    assert_int_equal(io.link, l->index);
    assert_memory_equal(&io.gateway, &a, 16);
    assert_memory_equal(&io.src, &s, 16);
}

static void names_and_indices(void **state)
{
    struct net_link_info i;

    (void)state;
    assert_string_equal(eth1.name, "eth1");
    assert_string_equal(sl0.name, "sl0");
    assert_ptr_equal(link_by_name("sl0"), &sl0);
    assert_null(link_by_name("eth7"));
    assert_null(link_by_index(77));
    assert_int_equal(net_info_read(NETINFO_LINK, 0, &i, sizeof(i)), sizeof(i));
    assert_string_equal(i.name, "lo");
    assert_true(i.flags & LINKF_LOOPBACK);
    assert_int_equal(net_info_read(NETINFO_LINK, 3, &i, sizeof(i)), sizeof(i));
    assert_string_equal(i.name, "sl0");
    assert_int_equal(net_info_read(NETINFO_LINK, 4, &i, sizeof(i)), 0);
    assert_int_equal(net_info_read(NETINFO_LINK, 0, &i, 10), -EINVAL);
    assert_int_equal(net_info_read(99, 0, &i, sizeof(i)), -EINVAL);
}

static void too_many_links(void **state)
{
    static struct link more[NET_LINKS_MAX]; /* the core keeps pointers */
    int n = 0;

    (void)state;
    for (; n < NET_LINKS_MAX; n++) {
        more[n] = (struct link){.name = "x%d", .ops = &eth_ops};
        int r = link_register(&more[n]);
        if (r != 0) {
            assert_int_equal(r, -ENFILE);
            break;
        }
    }
    assert_int_equal(n, NET_LINKS_MAX - 4);
}

static void longest_prefix_wins(void **state)
{
    uint16_t e0 = world.eth.index, e1 = eth1.index;

    (void)state;
    assert_int_equal(config(NETCFG_ADDR_ADD, e1, IP(10, 1, 0, 1), 16, 0), 0);
    assert_int_equal(config(NETCFG_ROUTE_ADD, e0, 0, 0, IP(10, 0, 0, 254)), 0);
    assert_int_equal(config(NETCFG_ROUTE_ADD, e1, IP(172, 16, 0, 0), 12, IP(10, 1, 0, 7)), 0);
    assert_int_equal(config(NETCFG_ROUTE_ADD, e0, IP(172, 16, 5, 0), 24, IP(10, 0, 0, 5)), 0);
    assert_int_equal(config(NETCFG_ROUTE_ADD, e1, IP(172, 16, 5, 5), 32, IP(10, 1, 0, 8)), 0);
    expect_route(IP(10, 0, 0, 77), &world.eth, IP(10, 0, 0, 77), HOST_IP);
    expect_route(IP(10, 1, 99, 1), &eth1, IP(10, 1, 99, 1), IP(10, 1, 0, 1));
    expect_route(IP(8, 8, 8, 8), &world.eth, IP(10, 0, 0, 254), HOST_IP);
    expect_route(IP(172, 17, 0, 1), &eth1, IP(10, 1, 0, 7), IP(10, 1, 0, 1));
    expect_route(IP(172, 16, 5, 6), &world.eth, IP(10, 0, 0, 5), HOST_IP);
    expect_route(IP(172, 16, 5, 5), &eth1, IP(10, 1, 0, 8), IP(10, 1, 0, 1));
    assert_int_equal(config(NETCFG_ROUTE_DEL, e1, IP(172, 16, 5, 5), 32, IP(10, 1, 0, 8)), 0);
    assert_int_equal(config(NETCFG_ROUTE_DEL, e1, IP(172, 16, 5, 5), 32, IP(10, 1, 0, 8)), -ENOENT);
    expect_route(IP(172, 16, 5, 5), &world.eth, IP(10, 0, 0, 5), HOST_IP);
    /* Ourselves, by whatever address. */
    expect_route(IP(127, 0, 0, 1), link_by_name("lo"), IP(127, 0, 0, 1), IP(127, 0, 0, 1));
    expect_route(IP(127, 5, 5, 5), link_by_name("lo"), IP(127, 5, 5, 5), IP(127, 5, 5, 5));
    expect_route(IP(10, 1, 0, 1), link_by_name("lo"), IP(10, 1, 0, 1), IP(10, 1, 0, 1));
}

static void a_link_insisted_on(void **state)
{
    struct net_route_info io;

    (void)state;
    assert_int_equal(config(NETCFG_ROUTE_ADD, world.eth.index, 0, 0, IP(10, 0, 0, 254)), 0);
    assert_int_equal(lookup(IP(8, 8, 8, 8), eth1.index, &io), -ENETUNREACH);
    assert_int_equal(lookup(IP(8, 8, 8, 8), world.eth.index, &io), sizeof(io));
    assert_int_equal(lookup(0xffffffff, eth1.index, &io), sizeof(io)); /* broadcast needs no route */
    assert_int_equal(io.link, eth1.index);
    assert_int_equal(io.mtu, 9000);
    assert_int_equal(lookup(0xffffffff, 99, &io), -ENETUNREACH);
}

static void metric_and_dead_links(void **state)
{
    struct net_config c = {.kind = NETCFG_ROUTE_ADD, .family = NET_INET};

    (void)state;
    assert_int_equal(config(NETCFG_ADDR_ADD, eth1.index, IP(10, 1, 0, 1), 16, 0), 0);
    c.link = world.eth.index;
    c.gateway = addr4(IP(10, 0, 0, 254));
    c.metric = 10;
    assert_int_equal(net_config_apply(NULL, &c), 0);
    c.link = eth1.index;
    c.gateway = addr4(IP(10, 1, 0, 254));
    c.metric = 5;
    assert_int_equal(net_config_apply(NULL, &c), 0);
    expect_route(IP(8, 8, 8, 8), &eth1, IP(10, 1, 0, 254), IP(10, 1, 0, 1));
    link_carrier(&eth1, false); /* the cable is out: the other way */
    expect_route(IP(8, 8, 8, 8), &world.eth, IP(10, 0, 0, 254), HOST_IP);
    link_carrier(&eth1, true);
    assert_int_equal(config(NETCFG_LINK_DOWN, eth1.index, 0, 0, 0), 0);
    expect_route(IP(8, 8, 8, 8), &world.eth, IP(10, 0, 0, 254), HOST_IP);
}

static void route_details(void **state)
{
    struct net_config c = {
        .kind = NETCFG_ROUTE_ADD, .link = world.eth.index, .family = NET_INET, .prefix = 8, .mtu = 600};
    struct net_route_info io;

    (void)state;
    c.addr = addr4(IP(20, 0, 0, 0));
    assert_int_equal(config(NETCFG_ADDR_ADD, world.eth.index, IP(10, 0, 0, 2), 24, 0), 0);
    c.source = addr4(IP(10, 0, 0, 2));
    assert_int_equal(net_config_apply(NULL, &c), 0);
    assert_int_equal(lookup(IP(20, 1, 1, 1), LINK_ANY, &io), sizeof(io));
    assert_int_equal(io.mtu, 600);
    expect_route(IP(20, 1, 1, 1), &world.eth, IP(20, 1, 1, 1), IP(10, 0, 0, 2));
    c.addr = addr4(IP(22, 0, 0, 0)); /* no way carries less than 68 bytes (RFC 791) */
    c.mtu = 67;
    assert_int_equal(net_config_apply(NULL, &c), -EINVAL);
    c.mtu = 68;
    assert_int_equal(net_config_apply(NULL, &c), 0);
    c.source = addr4(IP(9, 9, 9, 9)); /* not ours */
    c.addr = addr4(IP(21, 0, 0, 0));
    assert_int_equal(net_config_apply(NULL, &c), -EADDRNOTAVAIL);
    assert_int_equal(config(NETCFG_ROUTE_ADD, world.eth.index, IP(20, 0, 0, 1), 8, 0),
                     -EINVAL); /* host bits */
    assert_int_equal(config(NETCFG_ROUTE_ADD, world.eth.index, 0, 33, 0), -EINVAL);
    assert_int_equal(config(NETCFG_ROUTE_ADD, world.eth.index, 0, 0, HOST_IP), -EINVAL); /* via ourselves */
    assert_int_equal(config(NETCFG_ROUTE_ADD, 99, 0, 0, 0), -ENODEV);
    int r = 0;
    for (unsigned i = 0; r == 0 && i < 200; i++)
        r = config(NETCFG_ROUTE_ADD, world.eth.index, IP(30, i, 0, 0), 16, 0);
    assert_int_equal(r, -ENOSPC);
}

/* What a lease says of the subnet's MTU holds when the link gets further addresses. */
static void an_mtu_outlives_other_addresses(void **state)
{
    uint16_t e0 = world.eth.index;
    struct net_config c = {
        .kind = NETCFG_ROUTE_ADD, .link = e0, .family = NET_INET, .prefix = 24, .mtu = 1400};
    struct net_route_info io;

    (void)state;
    assert_int_equal(config(NETCFG_ADDR_ADD, e0, IP(10, 7, 0, 2), 24, 0), 0);
    c.addr = addr4(IP(10, 7, 0, 0));
    assert_int_equal(net_config_apply(NULL, &c), 0);
    assert_int_equal(config(NETCFG_ADDR_ADD, e0, IP(10, 8, 0, 2), 24, 0), 0);
    assert_int_equal(lookup(IP(10, 7, 0, 9), LINK_ANY, &io), sizeof(io));
    assert_int_equal(io.mtu, 1400);
    assert_int_equal(config(NETCFG_ADDR_DEL, e0, IP(10, 8, 0, 2), 24, 0), 0);
    assert_int_equal(lookup(IP(10, 7, 0, 9), LINK_ANY, &io), sizeof(io));
    assert_int_equal(io.mtu, 1400);
}

static void no_route_no_address(void **state)
{
    struct net_route_info io;

    (void)state;
    assert_int_equal(lookup(IP(8, 8, 8, 8), LINK_ANY, &io), -ENETUNREACH);
    assert_int_equal(config(NETCFG_ADDR_DEL, world.eth.index, HOST_IP, 24, 0), 0);
    assert_int_equal(lookup(PEER_IP, LINK_ANY, &io), -ENETUNREACH); /* its route went along */
    assert_int_equal(config(NETCFG_ROUTE_ADD, world.eth.index, 0, 0, 0), 0);
    assert_int_equal(lookup(PEER_IP, LINK_ANY, &io), -EADDRNOTAVAIL);
    io.family = 9;
    assert_int_equal(net_info_read(NETINFO_LOOKUP, 0, &io, sizeof(io)), -EAFNOSUPPORT);
    io.family = NET_INET6;
    assert_int_equal(net_info_read(NETINFO_LOOKUP, 0, &io, sizeof(io)), -ENETUNREACH);
}

static void addresses(void **state)
{
    struct net_config c;
    uint16_t e0 = world.eth.index;

    (void)state;
    assert_int_equal(config(NETCFG_ADDR_ADD, e0, IP(127, 0, 0, 5), 8, 0), -EINVAL);
    assert_int_equal(config(NETCFG_ADDR_ADD, e0, IP(224, 0, 0, 5), 8, 0), -EINVAL);
    assert_int_equal(config(NETCFG_ADDR_ADD, e0, 0, 8, 0), -EINVAL);
    assert_int_equal(config(NETCFG_ADDR_ADD, e0, IP(10, 9, 9, 9), 33, 0), -EINVAL);
    assert_int_equal(config(NETCFG_ADDR_ADD, 99, IP(10, 9, 9, 9), 24, 0), -ENODEV);
    assert_int_equal(config(NETCFG_ADDR_ADD, eth1.index, HOST_IP, 24, 0), -EEXIST);
    assert_int_equal(config(NETCFG_ADDR_DEL, eth1.index, HOST_IP, 24, 0), -ENOENT);
    assert_int_equal(config(NETCFG_ADDR_DEL, 0, IP(127, 0, 0, 1), 8, 0), -EINVAL);
    /* Two addresses in one network: the route stays with the second. */
    assert_int_equal(config(NETCFG_ADDR_ADD, e0, IP(10, 0, 0, 2), 24, 0), 0);
    assert_int_equal(config(NETCFG_ADDR_DEL, e0, HOST_IP, 24, 0), 0);
    expect_route(PEER_IP, &world.eth, PEER_IP, IP(10, 0, 0, 2));
    /* A new prefix for the same address replaces the old route. */
    assert_int_equal(config(NETCFG_ADDR_ADD, e0, IP(10, 0, 0, 2), 16, 0), 0);
    expect_route(IP(10, 0, 200, 1), &world.eth, IP(10, 0, 200, 1), IP(10, 0, 0, 2));
    assert_int_equal(net_info_read(NETINFO_ADDR, 2, &c, sizeof(c)), sizeof(c));
    assert_int_equal(c.prefix, 16);
    assert_int_equal(net_info_read(NETINFO_ADDR, 3, &c, sizeof(c)), 0);
    assert_int_equal(net_info_read(NETINFO_ROUTE, 0, &c, sizeof(c)), sizeof(c));
    assert_int_equal(c.prefix, 16); /* longest first */
    int r = 0;
    for (unsigned i = 0; r == 0 && i < 100; i++)
        r = config(NETCFG_ADDR_ADD, e0, IP(50, 0, i, 1), 24, 0);
    assert_int_equal(r, -ENOSPC);
}

static void serial_line(void **state)
{
    (void)state;
    assert_int_equal(config(NETCFG_ADDR_ADD, sl0.index, IP(192, 168, 7, 2), 32, IP(192, 168, 7, 1)), 0);
    expect_route(IP(192, 168, 7, 1), &sl0, IP(192, 168, 7, 1), IP(192, 168, 7, 2));
    struct net_route_info io;
    assert_int_equal(lookup(IP(192, 168, 7, 1), LINK_ANY, &io), sizeof(io));
    assert_int_equal(io.speed_bps, 115200);
    assert_true(io.flags & LINKF_POINTOPOINT);
    assert_int_equal(lookup(IP(192, 168, 7, 9), LINK_ANY, &io), -ENETUNREACH);
}

static void neighbours(void **state)
{
    struct net_neigh_info n;
    struct net_config c = {.kind = NETCFG_NEIGH_SET,
                           .link = world.eth.index,
                           .family = NET_INET,
                           .state = NEIGH_REACHABLE,
                           .mac = {2, 0, 0, 0, 0, 7}};

    (void)state;
    host_advance(5000);
    assert_int_equal(net_info_read(NETINFO_NEIGH, 0, &n, sizeof(n)), sizeof(n));
    assert_int_equal(n.age_ns, 5000);
    assert_memory_equal(n.entry.mac, peer_mac, 6);
    for (unsigned i = 0; i < 1023; i++) {
        c.addr = addr4(IP(10, 0, 1, 0) + i);
        assert_int_equal(net_config_apply(NULL, &c), 0);
    }
    c.addr = addr4(IP(10, 0, 99, 0));
    assert_int_equal(net_config_apply(NULL, &c), -ENOSPC);
    unsigned seen = 0;
    while (net_info_read(NETINFO_NEIGH, seen, &n, sizeof(n)) > 0)
        seen++;
    assert_int_equal(seen, 1024);
    c.addr = addr4(IP(10, 0, 1, 55));
    c.state = NEIGH_NONE; /* forget */
    assert_int_equal(net_config_apply(NULL, &c), 0);
    assert_int_equal(net_config_apply(NULL, &c), -ENOENT);
    c.kind = NETCFG_NEIGH_DEL;
    c.addr = addr4(IP(10, 0, 1, 56));
    assert_int_equal(net_config_apply(NULL, &c), 0);
    c.kind = NETCFG_NEIGH_SET;
    c.state = NEIGH_REACHABLE;
    c.mac[0] = 1; /* a group address */
    assert_int_equal(net_config_apply(NULL, &c), -EINVAL);
    c.mac[0] = 2;
    c.state = 77;
    assert_int_equal(net_config_apply(NULL, &c), -EINVAL);
    c.state = NEIGH_REACHABLE;
    c.link = sl0.index; /* no neighbours there */
    assert_int_equal(net_config_apply(NULL, &c), -ENODEV);
    c.link = world.eth.index;
    c.family = 9;
    assert_int_equal(net_config_apply(NULL, &c), -EINVAL);
}

static void writing_needs_the_right(void **state) /* C-RIGHT-2 */
{
    struct proc q;
    struct net_config c = {.kind = NETCFG_LINK_DOWN, .link = 1};
    uint8_t blob[NET_BLOB_MAX + 1] = {1, 2, 3}, back[NET_BLOB_MAX];

    (void)state;
    proc_start(&q, "q", RIGHT_NET_FORWARD | RIGHT_NET_RAW);
    for (uint32_t kind = 0; kind < 12; kind++) {
        c.kind = kind;
        assert_int_equal(net_config_apply(&q.owner, &c), -EACCES);
    }
    assert_int_equal(net_blob_set(&q.owner, blob, 3), -EACCES);
    q.rights.bits = RIGHT_NET_DEFAULT;
    c.kind = 0;
    assert_int_equal(net_config_apply(&q.owner, &c), -EINVAL);
    c.kind = NETCFG_LINK_DOWN;
    assert_int_equal(net_config_apply(&q.owner, &c), 0);
    c.link = 99;
    assert_int_equal(net_config_apply(&q.owner, &c), -ENODEV);
    c.link = 0;
    assert_int_equal(net_config_apply(&q.owner, &c), -EINVAL); /* lo stays up */
    /* The blob outlives its writer. */
    assert_int_equal(net_blob_get(back, sizeof(back)), 0);
    assert_int_equal(net_blob_set(&q.owner, blob, sizeof(blob)), -EMSGSIZE);
    assert_int_equal(net_blob_set(&q.owner, blob, 3), 0);
    proc_exit(&q, true);
    assert_int_equal(net_blob_get(back, sizeof(back)), 3);
    assert_memory_equal(back, blob, 3);
    assert_int_equal(net_blob_get(back, 0), 3);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, world_down)
    const struct CMUnitTest tests[] = {
        T(names_and_indices),     T(too_many_links), T(longest_prefix_wins),     T(a_link_insisted_on),
        T(metric_and_dead_links), T(route_details),  T(no_route_no_address),     T(addresses),
        T(serial_line),           T(neighbours),     T(writing_needs_the_right),
        T(an_mtu_outlives_other_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
