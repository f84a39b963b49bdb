/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_classify6.c: whose is this IPv6 packet? Every way that it can go,
 * and every reason to drop it.
 */
#include <tests/unit/classify_rig.h>

static int up(void **state)
{
    world6_up(state);
    rig_up(NET_INET6);
    return 0;
}

/* Nothing came, and this reason counts one more; no other does. */
static void only_dropped(enum net_drop why)
{
    static uint64_t seen[DROP_COUNT];
    struct net_counters c = counters();

    if (c.drop[why] == 1) { /* another test's counters */
        uint64_t sum = 0;

        for (unsigned i = 0; i < DROP_COUNT; i++)
            sum += c.drop[i];
        if (sum == 1)
            memset(seen, 0, sizeof(seen));
    }
    for (unsigned i = 0; i <= SLOT_COUNT; i++)
        assert_null(ring_take(i == TO_APP ? app.ring : netd[i].ring));
    seen[why]++;
    for (unsigned i = 0; i < DROP_COUNT; i++)
        assert_int_equal(c.drop[i], seen[i]);
    check_books();
}

static void to_ports(void **state)
{
    const struct net_rx *r;

    (void)state;
    rx6(p, make_tcp6(p, PEER6, 9, OWN6, 80, F_ACK));
    r = only_in(TO_APP);
    assert_int_equal(r->len, 60);
    assert_int_equal(r->l2_len, 0);
    rx6(p, make_udp6(p, NEAR6, 9, LOCAL6, 7, 0));
    only_in(TO_APP);
    rx6(p, make_udp6(p, PEER6, 9, OWN6, 7, 1452));
    only_in(TO_APP);
    rx6(p, make_udp6(p, PEER6, 9, LOCAL6, 7, 4)); /* either address of ours is ours */
    only_in(TO_APP);
    rx6(p, make_icmp6(p, PEER6, OWN6, 129, 77, 10));
    only_in(TO_APP);
    rx6(p, make_icmp6(p, PEER6, OWN6, 129, 78, 10));
    only_in(SLOT_ICMP);
    rx6(p, make_icmp6(p, PEER6, OWN6, 128, 77, 10)); /* a request is the host's to answer */
    assert_int_equal(only_in(SLOT_ICMP)->problem, 0);
    rx6(p, make_tcp6(p, PEER6, 9, OWN6, 81, F_SYN));
    only_in(SLOT_UNBOUND);
    rx_ip(p, make_tcp(p, PEER_IP, 9, HOST_IP, 80, F_SYN, 1)); /* IPv4's port 80 is another */
    only_in(SLOT_UNBOUND);
    /* Padding behind the packet is cut off. */
    uint32_t n = make_udp6(p, PEER6, 5, OWN6, 7, 2);
    rx6(p, n + 9);
    assert_int_equal(only_in(TO_APP)->len, n);
}

static void flows_of_their_own(void **state)
{
    struct net_port_op op = {.is_flow = 1};
    struct net_endpoint *second = open_ring(&app, 0, 0);

    (void)state;
    op.flow = (struct net_flow_key){
        .family = NET_INET6, .proto = NET_TCP, .link = world.eth.index, .lport = 80, .rport = 9};
    op.flow.laddr = addr6(LOCAL6);
    op.flow.raddr = addr6(NEAR6);
    assert_int_equal(port_register(second, &op), 0);
    rx6(p, make_tcp6(p, NEAR6, 9, LOCAL6, 80, F_ACK));
    assert_int_equal(ring_count(endpoint_ring(second)), 1);
    assert_int_equal(ring_count(app.ring), 0);
    rx6(p, make_tcp6(p, NEAR6, 10, LOCAL6, 80, F_ACK));
    assert_int_equal(ring_count(app.ring), 1);
    endpoint_close(second);
}

static void neighbour_discovery(void **state) /* C-RX-9 */
{
    (void)state;
    for (uint8_t type = 133; type <= 137; type++) {
        uint32_t n = make_icmp6(p, NEAR6, "ff02::1", type, 0, 16);

        p[7] = 255;
        rx_frame(all_nodes_mac, 0x86dd, p, n);
        assert_int_equal(only_in(SLOT_NEIGHBOUR)->l2_len, 14);
        p[7] = 254; /* came through a router: not one (RFC 4861, 6.1 and 7.1) */
        rx_frame(all_nodes_mac, 0x86dd, p, n);
        only_dropped(DROP_HOP_LIMIT);
    }
    for (unsigned i = 0; i < 4; i++) {
        static const uint8_t mld[4] = {130, 131, 132, 143};
        static const uint8_t alert[6] = {5, 2, 0, 0, 1, 0}; /* RFC 2711, then padding */
        uint32_t n = insert6(p, make_icmp6(p, NEAR6, "ff02::1", mld[i], 0, 16), 0, alert, 8);

        p[7] = 1;
        rx_frame(all_nodes_mac, 0x86dd, p, n);
        only_in(SLOT_NEIGHBOUR);
        p[7] = 2;
        rx_frame(all_nodes_mac, 0x86dd, p, n);
        only_dropped(DROP_HOP_LIMIT);
    }
    /* Asked for one of our addresses, by its group or by itself. */
    uint32_t n = make_icmp6(p, NEAR6, "ff02::1:ff00:1", 135, 0, 16);
    p[7] = 255;
    rx_frame(solicited_mac, 0x86dd, p, n);
    only_in(SLOT_NEIGHBOUR);
    n = make_icmp6(p, NEAR6, OWN6, 135, 0, 16);
    p[7] = 255;
    rx6(p, n);
    only_in(SLOT_NEIGHBOUR);
}

/* Duplicate address detection: who probes has no address, who objects has ours. */
static void addresses_in_dispute(void **state)
{
    uint32_t n;

    (void)state;
    n = make_icmp6(p, "::", "ff02::1:ff00:1", 135, 0, 16);
    p[7] = 255;
    rx_frame(solicited_mac, 0x86dd, p, n);
    only_in(SLOT_NEIGHBOUR);
    n = make_icmp6(p, OWN6, "ff02::1", 136, 0, 16);
    p[7] = 255;
    rx_frame(all_nodes_mac, 0x86dd, p, n);
    only_in(SLOT_NEIGHBOUR);
    /* Nothing else comes from such a source. */
    rx6(p, make_udp6(p, OWN6, 1, OWN6, 7, 4));
    only_dropped(DROP_MARTIAN);
    rx6(p, make_udp6(p, "::", 1, OWN6, 7, 4));
    only_dropped(DROP_MARTIAN);
    rx6(p, make_icmp6(p, "::", OWN6, 128, 1, 4));
    only_dropped(DROP_MARTIAN);
    rx6(p, make_ip6(p, 44, "::", OWN6, 16));
    only_dropped(DROP_MARTIAN);
    rx6(p, make_ip6(p, 50, "::", OWN6, 16)); /* and nobody is told of anything */
    only_dropped(DROP_MARTIAN);
}

static void an_address_on_trial(void **state)
{
    uint32_t n;

    (void)state;
    assert_int_equal(config6(NETCFG_ADDR_ADD, world.eth.index, "2001:db8::77:1234", 64, NULL, ADDR_TENTATIVE),
                     0);
    rx6(p, make_udp6(p, PEER6, 1, "2001:db8::77:1234", 7, 4));
    only_dropped(DROP_NOT_OURS_IP);
    rx6(p, make_icmp6(p, PEER6, "2001:db8::77:1234", 128, 7, 4));
    only_dropped(DROP_NOT_OURS_IP);
    n = make_icmp6(p, NEAR6, "2001:db8::77:1234", 136, 0, 16);
    p[7] = 255;
    rx6(p, n);
    only_in(SLOT_NEIGHBOUR);
    static const uint8_t group[6] = {0x33, 0x33, 0xff, 0x77, 0x12, 0x34};
    n = make_icmp6(p, "::", "ff02::1:ff77:1234", 135, 0, 16);
    p[7] = 255;
    rx_frame(group, 0x86dd, p, n);
    only_in(SLOT_NEIGHBOUR);
    assert_int_equal(config6(NETCFG_ADDR_ADD, world.eth.index, "2001:db8::77:1234", 64, NULL, 0), 0);
    rx6(p, make_udp6(p, PEER6, 1, "2001:db8::77:1234", 7, 4));
    only_in(TO_APP);
}

static void groups(void **state) /* C-RX-7 */
{
    static const char *const not_joined[] = {"ff02::2", "ff02::fb",  "ff02::1:ff00:2",
                                             "ff05::1", "ff02::1:2", "ff0e::1"};

    (void)state;
    for (unsigned i = 0; i < sizeof(not_joined) / sizeof(not_joined[0]); i++) {
        rx_frame(all_nodes_mac, 0x86dd, p, make_udp6(p, NEAR6, 1, not_joined[i], 7, 4));
        only_dropped(DROP_NOT_JOINED);
    }
    rx_frame(all_nodes_mac, 0x86dd, p, make_udp6(p, NEAR6, 1, "ff02::1", 7, 4));
    only_in(TO_APP);
    rx_frame(all_nodes_mac, 0x86dd, p, make_udp6(p, NEAR6, 1, "ff02::1", 8, 4));
    only_dropped(DROP_NOT_OURS_IP); /* no error about a group */
    rx_frame(all_nodes_mac, 0x86dd, p, make_udp6(p, NEAR6, 547, "ff02::1", 546, 4));
    only_dropped(DROP_NOT_OURS_IP); /* DHCPv6 is not spoken here */
    rx_frame(all_nodes_mac, 0x86dd, p, make_tcp6(p, NEAR6, 1, "ff02::1", 80, F_SYN));
    only_dropped(DROP_NOT_OURS_IP);
    rx_frame(all_nodes_mac, 0x86dd, p, make_icmp6(p, NEAR6, "ff02::1", 128, 1, 4));
    only_in(SLOT_ICMP); /* who asks all nodes may be answered (RFC 4443, 4.2) */
    rx_frame(all_nodes_mac, 0x86dd, p, make_icmp6(p, NEAR6, "ff02::1", 1, 1, 60));
    only_dropped(DROP_NOT_OURS_IP);
    /* Scopes that no wire carries. */
    rx_frame(all_nodes_mac, 0x86dd, p, make_udp6(p, NEAR6, 1, "ff01::1", 7, 4));
    only_dropped(DROP_MARTIAN);
    rx_frame(all_nodes_mac, 0x86dd, p, make_udp6(p, NEAR6, 1, "ff00::1", 7, 4));
    only_dropped(DROP_MARTIAN);
    /* A unicast address in a group's frame. */
    rx_frame(all_nodes_mac, 0x86dd, p, make_udp6(p, NEAR6, 1, OWN6, 7, 4));
    only_dropped(DROP_NOT_OURS_IP);
}

static void martians6(void **state)
{
    static const char *const src[] = {"ff02::1", "::1", "::ffff:10.0.0.9", OWN6, LOCAL6};
    static const char *const dst[] = {"::1", "::", "::ffff:10.0.0.1", "fe80::77"};

    (void)state;
    for (unsigned i = 0; i < sizeof(src) / sizeof(src[0]); i++) {
        rx6(p, make_udp6(p, src[i], 1, OWN6, 7, 4));
        only_dropped(DROP_MARTIAN);
    }
    for (unsigned i = 0; i < sizeof(dst) / sizeof(dst[0]); i++) {
        rx6(p, make_udp6(p, NEAR6, 1, dst[i], 7, 4));
        only_dropped(DROP_MARTIAN);
    }
    /* For others: forwarded where that has an owner, but never what is link-local. */
    rx6(p, make_udp6(p, PEER6, 1, "2001:db8:1::1", 7, 4));
    only_in(SLOT_FORWARD);
    rx6(p, make_udp6(p, NEAR6, 1, "2001:db8:1::1", 7, 4));
    only_dropped(DROP_MARTIAN);
}

static uint32_t make_error6(uint8_t type, uint8_t proto, const char *src, uint16_t sport)
{
    uint8_t q[1280];
    uint32_t n = proto == NET_TCP ? make_tcp6(q, src, sport, PEER6, 9999, F_SYN)
                                  : make_udp6(q, src, sport, PEER6, 9999, 20);
    uint32_t len = make_icmp6(p, PEER6, OWN6, type, 0, n);

    memcpy(p + 48, q, n);
    return len;
}

static void errors_by_the_quoted_port6(void **state)
{
    static const uint8_t options[6] = {1, 4, 0, 0, 0, 0};
    static const uint8_t first_piece[6] = {0, 1, 1, 2, 3, 4}, later_piece[6] = {0, 8, 1, 2, 3, 4};
    uint8_t q[200];
    uint32_t n;

    (void)state;
    for (uint8_t type = 1; type <= 4; type++) {
        rx6(p, make_error6(type, NET_UDP, OWN6, 7));
        only_in(TO_APP);
    }
    rx6(p, make_error6(1, NET_TCP, OWN6, 80));
    only_in(TO_APP);
    rx6(p, make_error6(1, NET_TCP, OWN6, 81)); /* nobody's port */
    only_in(SLOT_ICMP);
    rx6(p, make_error6(1, NET_UDP, "2001:db8::2", 7)); /* we never sent that */
    only_in(SLOT_ICMP);
    rx6(p, make_error6(100, NET_UDP, OWN6, 7)); /* a private experiment */
    only_in(SLOT_ICMP);
    /* Our ping that somebody could not forward. */
    make_icmp6(q, OWN6, PEER6, 128, 77, 0);
    n = make_icmp6(p, PEER6, OWN6, 3, 0, 48);
    memcpy(p + 48, q, 48);
    rx6(p, n);
    only_in(TO_APP);
    /* Headers in between, our own fragments. */
    uint32_t len = insert6(q, make_udp6(q, OWN6, 7, PEER6, 9999, 4), 60, options, 8);
    n = make_icmp6(p, PEER6, OWN6, 2, 0, len);
    memcpy(p + 48, q, len);
    rx6(p, n);
    only_in(TO_APP);
    for (unsigned i = 0; i < 2; i++) {
        len = insert6(q, make_udp6(q, OWN6, 7, PEER6, 9999, 4), 44, i == 0 ? first_piece : later_piece, 8);
        n = make_icmp6(p, PEER6, OWN6, 2, 0, len);
        memcpy(p + 48, q, len);
        rx6(p, n);
        only_in(i == 0 ? TO_APP : SLOT_ICMP);
    }
    /* However short the quote. */
    for (uint32_t quoted = 0; quoted < 48; quoted++) {
        make_error6(1, NET_UDP, OWN6, 7);
        put16(p + 4, 8 + quoted);
        rx6(p, 48 + quoted);
        only_in(SLOT_ICMP);
    }
}

static void extension_headers(void **state) /* C-RX-8 */
{
    static const uint8_t pad6[6] = {1, 4, 0, 0, 0, 0}, pad1[6] = {0};
    static const uint8_t used_up[6] = {0, 0}, route0[6] = {0, 1}, route99[6] = {99, 1};
    static const uint8_t fragment[6] = {0, 1, 0, 0, 0, 7};
    uint32_t n;

    (void)state;
    n = make_udp6(p, PEER6, 1, OWN6, 7, 4);
    n = insert6(p, n, 60, pad6, 8); /* they are put in from the last to the first */
    n = insert6(p, n, 43, used_up, 8);
    n = insert6(p, n, 60, pad1, 8);
    n = insert6(p, n, 0, pad6, 8);
    rx6(p, n);
    assert_int_equal(only_in(TO_APP)->len, n);
    n = insert6(p, make_udp6(p, PEER6, 1, OWN6, 7, 4), 44, fragment, 8);
    rx6(p, n);
    only_in(SLOT_FRAGMENTS);
    rx6(p, insert6(p, n, 0, pad6, 8));
    only_in(SLOT_FRAGMENTS);
    /* C-RX-6: nobody routes through us; what has been routed is like any other. */
    rx6(p, insert6(p, make_udp6(p, PEER6, 1, OWN6, 7, 4), 43, route0, 8));
    only_dropped(DROP_SOURCE_ROUTE);
    rx6(p, insert6(p, make_udp6(p, PEER6, 1, OWN6, 7, 4), 43, route99, 8));
    only_dropped(DROP_SOURCE_ROUTE);
    /* One header too many, one that is cut off, one longer than the packet. */
    n = make_udp6(p, PEER6, 1, OWN6, 7, 4);
    for (unsigned i = 0; i < 5; i++)
        n = insert6(p, n, 60, pad6, 8);
    rx6(p, n);
    only_dropped(DROP_EXT_HEADER);
    for (unsigned left = 0; left < 8; left++) {
        rx6(p, make_ip6(p, 60, PEER6, OWN6, left));
        only_dropped(DROP_EXT_HEADER);
    }
    n = insert6(p, make_ip6(p, 59, PEER6, OWN6, 0), 60, pad6, 8);
    p[41] = 1;
    rx6(p, n);
    only_dropped(DROP_EXT_HEADER);
    rx6(p, make_ip6(p, 59, PEER6, OWN6, 8)); /* no next header: nothing to do */
    only_dropped(DROP_EXT_HEADER);
}

static void expect_problem(uint8_t code, uint32_t at)
{
    const struct net_rx *r = only_in(SLOT_ICMP);

    assert_int_equal(r->problem, code + 1);
    assert_int_equal(r->problem_at, at);
}

static void what_the_sender_is_told(void **state)
{
    static const uint8_t pad6[6] = {1, 4, 0, 0, 0, 0};
    static const uint8_t skip[6] = {0x1e, 4}, discard[6] = {0x5e, 4}, tell[6] = {1, 0, 0x9e, 2},
                         tell_one[6] = {0xde, 4};
    static const uint8_t long_one[6] = {0x1e, 5}, cut_off[6] = {1, 3, 0, 0, 0, 0x1e};
    static const uint8_t unknown[] = {50, 51, 135, 139, 253, 2};
    uint32_t n;

    (void)state;
    for (unsigned i = 0; i < sizeof(unknown); i++) {
        rx6(p, make_ip6(p, unknown[i], PEER6, OWN6, 40));
        expect_problem(1, 6);
    }
    rx6(p, insert6(p, make_ip6(p, 50, PEER6, OWN6, 40), 60, pad6, 8));
    expect_problem(1, 40);
    n = insert6(p, make_udp6(p, PEER6, 1, OWN6, 7, 4), 0, pad6, 8); /* not the first */
    rx6(p, insert6(p, n, 60, pad6, 8));
    expect_problem(1, 40);
    /* Options that nobody knows. */
    rx6(p, insert6(p, make_udp6(p, PEER6, 1, OWN6, 7, 4), 60, skip, 8));
    only_in(TO_APP);
    rx6(p, insert6(p, make_udp6(p, PEER6, 1, OWN6, 7, 4), 60, discard, 8));
    only_dropped(DROP_EXT_HEADER);
    rx6(p, insert6(p, make_udp6(p, PEER6, 1, OWN6, 7, 4), 60, tell, 8));
    expect_problem(2, 44);
    rx6(p, insert6(p, make_udp6(p, PEER6, 1, OWN6, 7, 4), 60, tell_one, 8));
    expect_problem(2, 42);
    rx_frame(all_nodes_mac, 0x86dd, p, insert6(p, make_udp6(p, NEAR6, 1, "ff02::1", 7, 4), 60, tell, 8));
    expect_problem(2, 44);
    rx_frame(all_nodes_mac, 0x86dd, p, insert6(p, make_udp6(p, NEAR6, 1, "ff02::1", 7, 4), 60, tell_one, 8));
    only_dropped(DROP_EXT_HEADER);
    rx_frame(all_nodes_mac, 0x86dd, p, make_ip6(p, 50, NEAR6, "ff02::1", 40));
    only_dropped(DROP_NOT_OURS_IP);
    /* Options that lie about their length; too many of them. */
    rx6(p, insert6(p, make_udp6(p, PEER6, 1, OWN6, 7, 4), 60, long_one, 8));
    only_dropped(DROP_EXT_HEADER);
    rx6(p, insert6(p, make_udp6(p, PEER6, 1, OWN6, 7, 4), 60, cut_off, 8));
    only_dropped(DROP_EXT_HEADER);
    uint8_t many[30] = {0};
    rx6(p, insert6(p, make_udp6(p, PEER6, 1, OWN6, 7, 4), 60, many, 32));
    only_dropped(DROP_EXT_HEADER);
}

static void lying_headers6(void **state) /* C-RX-4 */
{
    uint32_t n;

    (void)state;
    for (unsigned len = 0; len < 40; len++) {
        make_ip6(p, NET_UDP, PEER6, OWN6, 0);
        rx6(p, len);
        only_dropped(DROP_IP_HEADER);
    }
    n = make_udp6(p, PEER6, 1, OWN6, 7, 4);
    rx6(p, n - 1);
    only_dropped(DROP_IP_HEADER);
    p[0] = 0x40;
    rx6(p, n);
    only_dropped(DROP_IP_HEADER);
    for (unsigned len = 0; len < 20; len++) {
        rx6(p, make_ip6(p, NET_TCP, PEER6, OWN6, len));
        only_dropped(DROP_L4_HEADER);
    }
    for (unsigned len = 0; len < 8; len++) {
        rx6(p, make_ip6(p, NET_UDP, PEER6, OWN6, len));
        only_dropped(DROP_L4_HEADER);
        rx6(p, make_ip6(p, NET_ICMP6, PEER6, OWN6, len));
        only_dropped(DROP_L4_HEADER);
    }
}

/* A SYN for a server that comes back waits for it, as with IPv4. */
static void syns_wait_for_the_successor(void **state)
{
    struct proc q, next;
    struct net_port_info info;

    (void)state;
    proc_init(&q, "web", 0);
    allow_port(&q, port_key6(NET_TCP, 443, 443), "", true);
    proc_open(&q);
    assert_int_equal(try_register(&q, port_key6(NET_TCP, 443, 443), NULL), 0);
    rx6(p, make_tcp6(p, PEER6, 9, OWN6, 443, F_SYN)); /* in its ring when it dies */
    proc_exit(&q, true);
    rx6(p, make_tcp6(p, PEER6, 10, OWN6, 443, F_SYN));
    assert_int_equal(counters().in_flight, 2);
    assert_int_equal(net_info_read(NETINFO_PORT, 3, &info, sizeof(info)), sizeof(info));
    assert_int_equal(info.key.family, NET_INET6);
    assert_int_equal(info.parked, 2);
    proc_init(&next, "web", 0);
    next.rights = q.rights;
    proc_open(&next);
    assert_int_equal(try_register(&next, port_key6(NET_TCP, 443, 443), NULL), 0);
    assert_int_equal(ring_count(next.ring), 2);
    endpoint_close(next.ep);
    check_books();
}

/* A link that carries IPv4 alone. */
static void not_on_a_serial_line(void **state)
{
    static struct link sl0;
    uint32_t n = make_udp6(p, PEER6, 1, OWN6, 7, 4);

    (void)state;
    sl0 = (struct link){.name = "sl%d",
                        .mtu = 1500,
                        .flags = LINKF_POINTOPOINT | LINKF_RUNNING | LINKF_IP4_ONLY,
                        .ops = &eth_ops};
    assert_int_equal(link_register(&sl0), 0);
    link_rx(&sl0, p, n, NULL);
    only_dropped(DROP_IP_HEADER);
    assert_int_equal(config6(NETCFG_ADDR_ADD, sl0.index, "2001:db8:5::1", 64, NULL, 0), -EINVAL);
    sl0.flags &= ~LINKF_IP4_ONLY;
    sl0.mtu = 1279; /* RFC 8200, section 5 */
    assert_int_equal(config6(NETCFG_ADDR_ADD, sl0.index, "2001:db8:5::1", 64, NULL, 0), -EINVAL);
    sl0.mtu = 1280;
    assert_int_equal(config6(NETCFG_ADDR_ADD, sl0.index, "2001:db8:5::1", 64, NULL, 0), 0);
}

/* What the card is told to let through follows from the addresses. */
static unsigned told;
static void filter(struct link *l)
{
    (void)l;
    told++;
}

static bool lets_in(const char *mac)
{
    unsigned b[6];

    assert_int_equal(sscanf(mac, "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]), 6);
    for (unsigned i = 0; i < world.eth.ngroups; i++) {
        unsigned same = 0;

        for (unsigned k = 0; k < 6; k++)
            same += world.eth.group[i][k] == b[k];
        if (same == 6)
            return true;
    }
    return false;
}

static void filters_follow_addresses(void **state)
{
    struct link_ops ops = eth_ops;

    (void)state;
    ops.filter = filter;
    world.eth.ops = &ops;
    told = 0;
    assert_int_equal(world.eth.ngroups, 3); /* fe80::1 and 2001:db8::1 share a group */
    assert_true(lets_in("1:0:5e:0:0:1") && lets_in("33:33:0:0:0:1") && lets_in("33:33:ff:0:0:1"));
    assert_int_equal(config6(NETCFG_ADDR_ADD, world.eth.index, "2001:db8::aa:bbcc", 64, NULL, ADDR_TENTATIVE),
                     0);
    assert_int_equal(told, 1);
    assert_true(lets_in("33:33:ff:aa:bb:cc"));
    assert_int_equal(config6(NETCFG_ADDR_ADD, world.eth.index, "2001:db8::aa:bbcc", 64, NULL, 0), 0);
    assert_int_equal(told, 1); /* nothing changed for the card */
    assert_int_equal(config6(NETCFG_ADDR_DEL, world.eth.index, "2001:db8::aa:bbcc", 64, NULL, 0), 0);
    assert_int_equal(told, 2);
    assert_false(lets_in("33:33:ff:aa:bb:cc"));
    assert_int_equal(config6(NETCFG_ADDR_DEL, world.eth.index, LOCAL6, 64, NULL, 0), 0);
    assert_int_equal(told, 2); /* the other address still has the group */
    assert_int_equal(config6(NETCFG_ADDR_DEL, world.eth.index, OWN6, 64, NULL, 0), 0);
    assert_int_equal(told, 3);
    assert_int_equal(world.eth.ngroups, 1);
    world.eth.ops = &eth_ops;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
    const struct CMUnitTest tests[] = {
        T(to_ports),
        T(flows_of_their_own),
        T(neighbour_discovery),
        T(addresses_in_dispute),
        T(an_address_on_trial),
        T(groups),
        T(martians6),
        T(errors_by_the_quoted_port6),
        T(extension_headers),
        T(what_the_sender_is_told),
        T(lying_headers6),
        T(syns_wait_for_the_successor),
        T(not_on_a_serial_line),
        T(filters_follow_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
