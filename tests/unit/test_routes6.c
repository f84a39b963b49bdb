/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_routes6.c: IPv6 addresses, routes, and which address a packet is
 * sent from.
 */
#include <tests/unit/net6_rig.h>

static struct link eth1;

static int up(void **state)
{
    world6_up(state);
    eth1 =
        (struct link){.name = "eth%d", .mtu = 9000, .flags = LINKF_ETHERNET | LINKF_RUNNING, .ops = &eth_ops};
    assert_int_equal(link_register(&eth1), 0);
    return 0;
}

static int lookup(const char *dst, uint16_t link, struct net_route_info *io)
{
    memset(io, 0, sizeof(*io));
    io->family = NET_INET6;
    io->dst = addr6(dst);
    io->link = link;
    return net_info_read(NETINFO_LOOKUP, 0, io, sizeof(*io));
}

static void expect_route(const char *dst, uint16_t want, const struct link *l, const char *gateway,
                         const char *src)
{
    struct net_addr hop = addr6(gateway), from = addr6(src);
    struct net_route_info io;

    assert_int_equal(lookup(dst, want, &io), sizeof(io));
    assert_int_equal(io.link, l->index);
    assert_int_equal(io.mtu, l->mtu > 65535 ? 65535 : l->mtu);
    assert_memory_equal(&io.gateway, &hop, 16);
    assert_memory_equal(&io.src, &from, 16);
}

static int add(const struct link *l, const char *addr, uint8_t prefix, uint32_t flags)
{
    return config6(NETCFG_ADDR_ADD, l->index, addr, prefix, NULL, flags);
}

static int route(const struct link *l, const char *dst, uint8_t prefix, const char *gateway)
{
    return config6(NETCFG_ROUTE_ADD, l->index, dst, prefix, gateway, 0);
}

static void longest_prefix_wins6(void **state)
{
    const struct link *lo = link_by_name("lo"), *e0 = &world.eth, *e1 = &eth1;

    (void)state;
    assert_int_equal(add(e1, "2001:db8:1::1", 64, 0), 0);
    assert_int_equal(route(e0, "::", 0, "fe80::254"), 0);
    assert_int_equal(route(e1, "2001:db8:8000::", 33, "2001:db8:1::7"), 0);
    assert_int_equal(route(e0, "2001:db8:8000::", 47, "2001:db8::5"), 0);
    assert_int_equal(route(e1, "2001:db8:8000::5", 128, "2001:db8:1::8"), 0);
    expect_route("2001:db8::77", LINK_ANY, e0, "2001:db8::77", OWN6);
    expect_route("2001:db8:1::77", LINK_ANY, e1, "2001:db8:1::77", "2001:db8:1::1");
    expect_route("2620::1", LINK_ANY, e0, "fe80::254", OWN6);
    expect_route("2001:db8:8002::1", LINK_ANY, e1, "2001:db8:1::7", "2001:db8:1::1");
    expect_route("2001:db8:8001::1", LINK_ANY, e0, "2001:db8::5", OWN6);
    expect_route("2001:db8:8000::5", LINK_ANY, e1, "2001:db8:1::8", "2001:db8:1::1");
    expect_route("::1", LINK_ANY, lo, "::1", "::1");
    expect_route(OWN6, LINK_ANY, lo, OWN6, OWN6);
    expect_route(LOCAL6, LINK_ANY, lo, LOCAL6, LOCAL6);
    struct net_route_info io;
    link_carrier(&eth1, false); /* the cable is out: what else there is */
    assert_int_equal(lookup("2001:db8:8002::1", LINK_ANY, &io), sizeof(io));
    assert_int_equal(io.link, e0->index);
}

static void local_to_a_link(void **state)
{
    struct net_route_info io;

    (void)state;
    assert_int_equal(route(&world.eth, "::", 0, "fe80::254"), 0);
    expect_route(NEAR6, LINK_ANY, &world.eth, NEAR6, LOCAL6); /* the only link there is */
    assert_int_equal(lookup(NEAR6, eth1.index, &io), -ENETUNREACH);
    assert_int_equal(add(&eth1, LOCAL6, 64, 0), 0); /* one address, on two links */
    assert_int_equal(add(&eth1, "fe80::2", 64, 0), 0);
    expect_route(NEAR6, world.eth.index, &world.eth, NEAR6, LOCAL6);
    expect_route(NEAR6, eth1.index, &eth1, NEAR6, LOCAL6);
    assert_int_equal(config6(NETCFG_ADDR_DEL, eth1.index, LOCAL6, 64, NULL, 0), 0);
    expect_route(NEAR6, eth1.index, &eth1, NEAR6, "fe80::2");
    expect_route(LOCAL6, LINK_ANY, link_by_name("lo"), LOCAL6, LOCAL6);
    expect_route(LOCAL6, eth1.index, &eth1, LOCAL6, "fe80::2"); /* somebody else's, over there */
    /* Without an address of that kind there is no way, whatever the default route. */
    assert_int_equal(config6(NETCFG_ADDR_DEL, world.eth.index, LOCAL6, 64, NULL, 0), 0);
    assert_int_equal(lookup(NEAR6, world.eth.index, &io), -ENETUNREACH);
    assert_int_equal(lookup(NEAR6, 99, &io), -ENETUNREACH);
}

static void groups_have_links(void **state)
{
    struct net_route_info io;

    (void)state;
    expect_route("ff02::1", world.eth.index, &world.eth, "ff02::1", LOCAL6);
    expect_route("ff02::1", LINK_ANY, &world.eth, "ff02::1", LOCAL6);
    expect_route("ff0e::77", world.eth.index, &world.eth, "ff0e::77", OWN6);
    expect_route("ff01::1", LINK_ANY, link_by_name("lo"), "ff01::1", "::1");
    assert_int_equal(lookup("ff02::1", eth1.index, &io), -EADDRNOTAVAIL);
    assert_int_equal(route(&eth1, "::", 0, "fe80::254"), 0);
    assert_int_equal(lookup("ff02::1", LINK_ANY, &io), -EADDRNOTAVAIL); /* by the default route */
    assert_int_equal(io.family, NET_INET6);
}

/* RFC 6724, section 5, rule by rule. */
static void where_a_packet_comes_from(void **state)
{
    const struct link *e0 = &world.eth;

    (void)state;
    assert_int_equal(route(e0, "::", 0, "fe80::254"), 0);
    /* Rule 2: an address that reaches as far as the destination, and no farther. */
    expect_route("2620::1", LINK_ANY, e0, "fe80::254", OWN6);
    expect_route(NEAR6, LINK_ANY, e0, NEAR6, LOCAL6);
    /* Rule 8: the longest common prefix ... */
    assert_int_equal(add(e0, "2620:0:1::1", 64, 0), 0);
    expect_route("2620::1", LINK_ANY, e0, "fe80::254", "2620:0:1::1");
    expect_route("2001:db8:9::1", LINK_ANY, e0, "fe80::254", OWN6);
    /* ... of the prefix only: what follows it is the interface's. */
    assert_int_equal(add(e0, "2001:db8::f:2", 64, 0), 0);
    expect_route("2001:db8::f:77", LINK_ANY, e0, "2001:db8::f:77", OWN6);
    /* Rule 3: a deprecated one only when there is no other. */
    assert_int_equal(add(e0, OWN6, 64, ADDR_DEPRECATED), 0);
    expect_route("2001:db8::f:77", LINK_ANY, e0, "2001:db8::f:77", "2001:db8::f:2");
    assert_int_equal(config6(NETCFG_ADDR_DEL, e0->index, "2001:db8::f:2", 64, NULL, 0), 0);
    expect_route("2001:db8::f:77", LINK_ANY, e0, "2001:db8::f:77", "2620:0:1::1");
    assert_int_equal(config6(NETCFG_ADDR_DEL, e0->index, "2620:0:1::1", 64, NULL, 0), 0);
    expect_route("2001:db8::f:77", LINK_ANY, e0, "2001:db8::f:77", OWN6);
    /* Rule 6: of the same kind: unique local to unique local, 6to4 to 6to4. */
    assert_int_equal(add(e0, OWN6, 64, 0), 0);
    assert_int_equal(add(e0, "fd00:1::1", 64, 0), 0);
    assert_int_equal(add(e0, "2002:a00:1::1", 64, 0), 0);
    expect_route("fd99::1", LINK_ANY, e0, "fe80::254", "fd00:1::1");
    expect_route("2002:c000:1::1", LINK_ANY, e0, "fe80::254", "2002:a00:1::1");
    expect_route("2620::1", LINK_ANY, e0, "fe80::254", OWN6);
    /* One on trial is none. */
    assert_int_equal(add(e0, "fd00:1::1", 64, ADDR_TENTATIVE), 0);
    expect_route("fd99::1", LINK_ANY, e0, "fe80::254", OWN6);
}

static void over_a_link_without_addresses(void **state)
{
    struct net_route_info io;

    (void)state;
    assert_int_equal(add(&eth1, "fe80::2", 64, 0), 0);
    assert_int_equal(route(&eth1, "2620::", 16, "fe80::3"), 0);
    expect_route("2620::1", LINK_ANY, &eth1, "fe80::3", OWN6); /* another link's that reaches so far */
    assert_int_equal(config6(NETCFG_ADDR_DEL, world.eth.index, OWN6, 64, NULL, 0), 0);
    expect_route("2620::1", LINK_ANY, &eth1, "fe80::3", "fe80::2"); /* better than nothing */
    assert_int_equal(config6(NETCFG_ADDR_DEL, eth1.index, "fe80::2", 64, NULL, 0), 0);
    assert_int_equal(lookup("2620::1", LINK_ANY, &io), -EADDRNOTAVAIL);
    struct net_config c = {.kind = NETCFG_ROUTE_ADD, .link = eth1.index, .family = NET_INET6, .prefix = 16};
    c.addr = addr6("2620::");
    c.source = addr6(OWN6);
    assert_int_equal(net_config_apply(NULL, &c), -EADDRNOTAVAIL); /* not ours */
    assert_int_equal(add(&eth1, OWN6, 64, 0), 0);
    assert_int_equal(add(&eth1, "2620::99", 64, ADDR_OFF_LINK), 0);
    assert_int_equal(config6(NETCFG_ROUTE_DEL, eth1.index, "2620::", 16, "fe80::3", 0), 0);
    assert_int_equal(net_config_apply(NULL, &c), 0);
    expect_route("2620::1", LINK_ANY, &eth1, "2620::1", OWN6); /* the route says which */
}

static void addresses6(void **state)
{
    uint16_t e0 = world.eth.index;
    struct net_config c;
    struct net_route_info io;

    (void)state;
    assert_int_equal(add(&world.eth, "ff02::5", 64, 0), -EINVAL);
    assert_int_equal(add(&world.eth, "::", 64, 0), -EINVAL);
    assert_int_equal(add(&world.eth, "::1", 128, 0), -EINVAL);
    assert_int_equal(add(&world.eth, "::ffff:10.0.0.5", 128, 0), -EINVAL);
    assert_int_equal(add(&world.eth, "2001:db8::5", 129, 0), -EINVAL);
    assert_int_equal(add(link_by_name("lo"), "2001:db8::5", 128, 0), -EINVAL);
    assert_int_equal(add(&eth1, OWN6, 64, 0), -EEXIST); /* only link-local ones lie on two links */
    assert_int_equal(config6(NETCFG_ADDR_DEL, link_by_name("lo")->index, "::1", 128, NULL, 0), -EINVAL);
    /* An address whose prefix is not known to be on the link brings no route. */
    assert_int_equal(add(&world.eth, "2620::5", 64, ADDR_OFF_LINK), 0);
    assert_int_equal(lookup("2620::6", LINK_ANY, &io), -ENETUNREACH);
    assert_int_equal(add(&world.eth, "2620::5", 64, 0), 0);
    expect_route("2620::6", LINK_ANY, &world.eth, "2620::6", "2620::5");
    assert_int_equal(add(&world.eth, "2620::7", 64, 0), 0);
    assert_int_equal(add(&world.eth, "2620::5", 64, ADDR_OFF_LINK), 0); /* the other one has it still */
    expect_route("2620::6", LINK_ANY, &world.eth, "2620::6", "2620::5");
    assert_int_equal(config6(NETCFG_ADDR_DEL, e0, "2620::7", 64, NULL, 0), 0);
    assert_int_equal(lookup("2620::6", LINK_ANY, &io), -ENETUNREACH);
    /* What was said is shown: flags, and no route for lo. */
    bool seen = false;
    for (uint64_t i = 0; net_info_read(NETINFO_ADDR, i, &c, sizeof(c)) > 0; i++) {
        struct net_addr a = addr6("2620::5");
        if (c.family == NET_INET6 && memcmp(&c.addr, &a, 16) == 0) {
            assert_int_equal(c.flags, ADDR_OFF_LINK);
            seen = true;
        }
    }
    assert_true(seen);
}

static void routes_that_cannot_be(void **state)
{
    struct net_config c = {
        .kind = NETCFG_ROUTE_ADD, .link = world.eth.index, .family = NET_INET6, .prefix = 16, .mtu = 1279};

    (void)state;
    assert_int_equal(route(&world.eth, "2620::1", 64, NULL), -EINVAL); /* bits behind the prefix */
    assert_int_equal(route(&world.eth, "2620:1::", 31, NULL), -EINVAL);
    assert_int_equal(route(&world.eth, "ff02::", 16, NULL), -EINVAL);
    assert_int_equal(route(&world.eth, "2620::", 16, "ff02::1"), -EINVAL);
    assert_int_equal(route(&world.eth, "2620::", 16, OWN6), -EINVAL); /* by way of ourselves */
    assert_int_equal(route(&world.eth, "2620::", 129, NULL), -EINVAL);
    c.addr = addr6("2620::");
    assert_int_equal(net_config_apply(NULL, &c), -EINVAL); /* RFC 8200, section 5 */
    c.mtu = 1280;
    assert_int_equal(net_config_apply(NULL, &c), 0);
    struct net_route_info io;
    assert_int_equal(lookup("2620::1", LINK_ANY, &io), sizeof(io));
    assert_int_equal(io.mtu, 1280);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, world_down)
    const struct CMUnitTest tests[] = {
        T(longest_prefix_wins6),
        T(local_to_a_link),
        T(groups_have_links),
        T(where_a_packet_comes_from),
        T(over_a_link_without_addresses),
        T(addresses6),
        T(routes_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
