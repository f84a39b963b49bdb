/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_transmit6.c: what a process may send by IPv6, what becomes of it,
 * and every reason to refuse it.
 */
#include <tests/unit/transmit_rig.h>

/* As send_now, with a link in the record; the IPv6 header is longer, and so is what
 * is copied. */
static int send6(struct proc *q, uint32_t n, uint16_t link, uint16_t flags)
{
    struct net_tx *t = queue_tx(q, 0, p, n, n < 200 ? n : 60, flags | TX_NOTIFY);
    struct net_cqe c;

    t->link = link;
    world.nsent = 0;
    assert_true(endpoint_kick(q->ep) >= 0);
    host_run_polls(8);
    assert_true(take_completion(q->ring, &c));
    return c.status;
}
#define SEND(q, n) send6(q, n, LINK_ANY, 0)

static void goes_out_whole6(void **state)
{
    (void)state;
    for (uint32_t data = 0; data <= 1452; data += 121) {
        uint32_t n = make_udp6(p, OWN6, APP_PORT, PEER6, 9, data);

        assert_int_equal(SEND(&app, n), 0);
        assert_int_equal(world.nsent, 1);
        assert_int_equal(world.sent[0].len, n + 14);
        assert_memory_equal(world.sent[0].data, peer_mac, 6);
        assert_memory_equal(world.sent[0].data + 6, host_mac, 6);
        assert_int_equal(get16(world.sent[0].data + 12), 0x86dd);
        assert_memory_equal(world.sent[0].data + 14, p, n);
    }
}

static void to_ourselves(void **state)
{
    static const char *const own[] = {"::1", OWN6, LOCAL6};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        uint32_t n = make_udp6(p, own[i], APP_PORT, own[i], APP_PORT, 100);

        assert_int_equal(SEND(&app, n), 0);
        assert_int_equal(world.nsent, 0);
        struct net_rx *r = ring_take(app.ring);
        assert_non_null(r);
        assert_int_equal(r->link, link_by_name("lo")->index);
        assert_memory_equal(record_data(r), p, n);
    }
}

static void group_addresses(void **state)
{
    static const uint8_t mac[6] = {0x33, 0x33, 0x12, 0x34, 0x56, 0x78};

    (void)state;
    assert_int_equal(SEND(&app, make_udp6(p, LOCAL6, APP_PORT, "ff02::1234:5678", 9, 4)), 0);
    assert_memory_equal(world.sent[0].data, mac, 6);
    assert_int_equal(SEND(&app, make_tcp6(p, LOCAL6, 80, "ff02::1", 9, F_SYN)), -EINVAL);
    assert_int_equal(SEND(&app, make_udp6(p, LOCAL6, APP_PORT, "ff00::1", 9, 4)), -EINVAL);
    assert_int_equal(SEND(&app, make_udp6(p, "::1", APP_PORT, "ff01::1", APP_PORT, 4)), 0); /* stays here */
    assert_int_equal(world.nsent, 0);
    assert_int_equal(ring_count(app.ring), 1);
}

static void ports_of_others6(void **state) /* C-TX-4 */
{
    uint32_t n;

    (void)state;
    assert_int_equal(SEND(&app, make_udp6(p, OWN6, 8, PEER6, 9, 4)), -EACCES);
    assert_int_equal(SEND(&app, make_tcp6(p, OWN6, 81, PEER6, 9, F_SYN)), -EACCES);
    assert_int_equal(SEND(&app, make_tcp6(p, OWN6, 80, PEER6, 9, F_SYN)), 0);
    assert_int_equal(SEND(&netd, make_udp6(p, OWN6, APP_PORT, PEER6, 9, 4)), -EACCES);
    assert_int_equal(SEND(&netd, make_tcp6(p, OWN6, 81, PEER6, 9, F_RST)),
                     0); /* nobody's: it speaks for the host */
    assert_int_equal(dropped(DROP_TX_NO_RIGHT), 3);
    /* A flow belongs to its owner, also against the port's. */
    struct net_port_op op = {.is_flow = 1};
    op.flow = (struct net_flow_key){
        .family = NET_INET6, .proto = NET_TCP, .link = LINK_ANY, .lport = 80, .rport = 9};
    op.flow.laddr = addr6(OWN6);
    op.flow.raddr = addr6(PEER6);
    assert_int_equal(port_register(app.ep, &op), 0);
    op.target_pid = 0;
    assert_int_equal(port_transfer(&app.owner, netd.ep, &op), 0);
    n = make_tcp6(p, OWN6, 80, PEER6, 9, F_ACK);
    assert_int_equal(SEND(&app, n), -EACCES);
    assert_int_equal(SEND(&netd, n), 0);
}

static void icmp6_by_id(void **state)
{
    (void)state;
    assert_int_equal(SEND(&app, make_icmp6(p, OWN6, PEER6, 128, 5, 10)), 0);
    assert_int_equal(SEND(&app, make_icmp6(p, OWN6, PEER6, 128, 6, 10)), -EACCES);
    assert_int_equal(SEND(&app, make_icmp6(p, OWN6, PEER6, 129, 5, 10)), -EACCES);       /* the host's word */
    assert_int_equal(SEND(&app, make_icmp6(p, LOCAL6, "ff02::1", 134, 5, 10)), -EACCES); /* no router here */
    assert_int_equal(SEND(&app, make_icmp6(p, OWN6, PEER6, 136, 5, 20)), -EACCES);
    assert_int_equal(SEND(&netd, make_icmp6(p, OWN6, PEER6, 136, 5, 20)), 0);
    assert_int_equal(SEND(&netd, make_icmp6(p, OWN6, PEER6, 129, 5, 20)), 0);
}

static void addresses_of_others6(void **state) /* C-TX-3 */
{
    static const char *const not_ours[] = {PEER6, "2001:db8::2", "ff02::1", "::", "::ffff:10.0.0.1", NEAR6};

    (void)state;
    for (unsigned i = 0; i < sizeof(not_ours) / sizeof(not_ours[0]); i++)
        assert_int_equal(SEND(&app, make_udp6(p, not_ours[i], APP_PORT, PEER6, 9, 4)), -EACCES);
    /* An address on trial is not yet ours. */
    assert_int_equal(config6(NETCFG_ADDR_ADD, world.eth.index, "2001:db8::2", 64, NULL, ADDR_TENTATIVE), 0);
    assert_int_equal(SEND(&app, make_udp6(p, "2001:db8::2", APP_PORT, PEER6, 9, 4)), -EACCES);
    assert_int_equal(SEND(&netd, make_icmp6(p, "2001:db8::2", PEER6, 136, 0, 20)), -EACCES);
    assert_int_equal(config6(NETCFG_ADDR_ADD, world.eth.index, "2001:db8::2", 64, NULL, ADDR_DEPRECATED), 0);
    assert_int_equal(SEND(&app, make_udp6(p, "2001:db8::2", APP_PORT, PEER6, 9, 4)), 0);
    /* netd probes for it from no address. */
    assert_int_equal(SEND(&netd, make_icmp6(p, "::", "ff02::1:ff00:2", 135, 0, 16)), 0);
    assert_int_equal(SEND(&netd, make_udp6(p, "2001:db8:7::1", 5, PEER6, 9, 4)), -EACCES);
    /* With net.forward, what is not local to a link. */
    netd.rights.bits |= RIGHT_NET_FORWARD;
    assert_int_equal(SEND(&netd, make_udp6(p, "2001:db8:7::1", 5, PEER6, 9, 4)), 0);
    assert_int_equal(SEND(&netd, make_udp6(p, "fe80::77", 5, PEER6, 9, 4)), -EACCES);
    assert_int_equal(SEND(&netd, make_udp6(p, "ff02::1", 5, PEER6, 9, 4)), -EACCES);
    assert_int_equal(SEND(&netd, make_udp6(p, "2001:db8:7::1", 5, "ff02::1", 9, 4)), -EINVAL);
}

/* A link-local source on its own link only, the loopback's on none. */
static void sources_in_scope(void **state)
{
    static struct link eth1;

    (void)state;
    eth1 =
        (struct link){.name = "eth%d", .mtu = 1500, .flags = LINKF_ETHERNET | LINKF_RUNNING, .ops = &eth_ops};
    assert_int_equal(link_register(&eth1), 0);
    assert_int_equal(config6(NETCFG_ADDR_ADD, eth1.index, "fe80::2", 64, NULL, 0), 0);
    assert_int_equal(SEND(&app, make_udp6(p, "::1", APP_PORT, PEER6, 9, 4)), -EACCES);
    assert_int_equal(send6(&app, make_udp6(p, LOCAL6, APP_PORT, "ff02::1", 9, 4), eth1.index, 0), -EACCES);
    assert_int_equal(send6(&app, make_udp6(p, "fe80::2", APP_PORT, "ff02::1", 9, 4), eth1.index, 0), 0);
    /* The source says which link is meant. */
    assert_int_equal(SEND(&app, make_udp6(p, "fe80::2", APP_PORT, "ff02::1", 9, 4)), 0);
    assert_int_equal(eth1.tx_frames, 2);
    assert_int_equal(SEND(&app, make_udp6(p, LOCAL6, APP_PORT, NEAR6, 9, 4)), 0);
    assert_int_equal(eth1.tx_frames, 2);
}

static void headers_in_between(void **state)
{
    static const uint8_t pad6[6] = {1, 4, 0, 0, 0, 0}, fragment[6] = {0, 1, 0, 0, 0, 7};
    uint32_t n;

    (void)state;
    n = insert6(p, make_udp6(p, OWN6, APP_PORT, PEER6, 9, 4), 60, pad6, 8);
    assert_int_equal(SEND(&app, n), -EACCES); /* they hide the port */
    assert_int_equal(SEND(&netd, n), 0);
    n = insert6(p, make_udp6(p, OWN6, APP_PORT, PEER6, 9, 4), 44, fragment, 8);
    assert_int_equal(SEND(&app, n), -EACCES);
    assert_int_equal(SEND(&netd, n), 0);
    /* What netd sends for MLD: router alert in front. */
    n = insert6(p, make_icmp6(p, "::", "ff02::16", 143, 0, 20), 0, (const uint8_t[]){5, 2, 0, 0, 1, 0}, 8);
    p[7] = 1;
    assert_int_equal(SEND(&netd, n), 0);
    struct net_tx *t = queue_tx(&netd, 0, p, n, n, TX_NOTIFY);
    t->csum = CSUM_PARTIAL; /* where would it begin? */
    assert_int_equal(endpoint_kick(netd.ep), 1);
    struct net_cqe c;
    assert_true(take_completion(netd.ring, &c));
    assert_int_equal(c.status, -EINVAL);
}

static void impossible_headers(void **state) /* C-TX-2 */
{
    uint32_t n = make_udp6(p, OWN6, APP_PORT, PEER6, 9, 60);

    (void)state;
    p[7] = 0; /* hop limit */
    assert_int_equal(SEND(&app, n), -EINVAL);
    p[7] = 64;
    put16(p + 4, 69);
    assert_int_equal(SEND(&app, n), -EINVAL);
    put16(p + 4, 67);
    assert_int_equal(SEND(&app, n), -EINVAL);
    put16(p + 4, 68);
    put16(p + 44, 69); /* UDP's own length */
    assert_int_equal(SEND(&app, n), -EINVAL);
    put16(p + 44, 68);
    for (uint32_t hdr = 20; hdr < 48; hdr++) { /* cut before the ports end */
        struct net_cqe c;

        queue_tx(&app, 0, p, n, hdr, 0);
        assert_int_equal(endpoint_kick(app.ep), 1);
        assert_true(take_completion(app.ring, &c));
        assert_int_equal(c.status, -EINVAL);
    }
    assert_int_equal(SEND(&app, make_udp6(p, OWN6, APP_PORT, "::", 9, 4)), -EINVAL);
    assert_int_equal(SEND(&app, make_udp6(p, OWN6, APP_PORT, "::ffff:10.0.0.9", 9, 4)), -EINVAL);
    assert_int_equal(world.nsent, 0);
    assert_int_equal(SEND(&app, make_udp6(p, OWN6, APP_PORT, PEER6, 9, 4)), 0);
}

static void ways_that_are_not(void **state)
{
    static struct link sl0;
    uint32_t n = make_udp6(p, OWN6, APP_PORT, "2620::1", 9, 4);

    (void)state;
    sl0 = (struct link){.name = "sl%d",
                        .mtu = 1006,
                        .flags = LINKF_POINTOPOINT | LINKF_RUNNING | LINKF_IP4_ONLY,
                        .ops = &eth_ops};
    assert_int_equal(link_register(&sl0), 0);
    assert_int_equal(SEND(&app, n), -ENETUNREACH);
    assert_int_equal(send6(&app, make_udp6(p, OWN6, APP_PORT, "ff02::1", 9, 4), sl0.index, 0), -ENETUNREACH);
    assert_int_equal(SEND(&app, make_udp6(p, OWN6, APP_PORT, "2001:db8::99", 9, 4)), -EHOSTUNREACH);
    assert_int_equal(dropped(DROP_TX_NO_NEIGHBOUR), 1);
    assert_int_equal(config(NETCFG_LINK_DOWN, world.eth.index, 0, 0, 0), 0);
    assert_int_equal(SEND(&app, make_udp6(p, OWN6, APP_PORT, PEER6, 9, 4)), -ENETDOWN);
}

static void unresolved_goes_by_netd6(void **state)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x99};
    uint32_t n;

    (void)state;
    assert_int_equal(slot_register(netd.ep, SLOT_NEIGHBOUR), 0);
    assert_int_equal(config6(NETCFG_ROUTE_ADD, world.eth.index, "::", 0, "fe80::99", 0), 0);
    n = make_udp6(p, OWN6, APP_PORT, "2620::1", 9, 4);
    put16(p + 46, pseudo6(p, NET_UDP, 12));
    struct net_tx *t = queue_tx(&app, 0, p, n, n, 0);
    t->csum = CSUM_PARTIAL; /* is completed before it leaves the kernel */
    assert_int_equal(endpoint_kick(app.ep), 1);
    struct net_rx *r = ring_take(netd.ring);
    assert_non_null(r);
    assert_int_equal(r->kind, RX_UNRESOLVED);
    assert_int_equal(r->slot, SLOT_NEIGHBOUR + 1);
    assert_int_equal(r->len, n);
    assert_int_equal(slow_checksum(record_data(r) + 40, 12, pseudo6(record_data(r), NET_UDP, 12)), 0);
    /* netd sends it on with the MAC that it learnt, or after it has told the kernel. */
    memcpy(p, record_data(r), n);
    t = queue_tx(&netd, 0, p, n, n, TX_RESEND);
    t->link = world.eth.index;
    memcpy(t->nexthop_mac, mac, 6);
    assert_int_equal(endpoint_kick(netd.ep), 1);
    assert_int_equal(world.nsent, 1);
    assert_memory_equal(world.sent[0].data, mac, 6);
    assert_int_equal(set_neighbour6("fe80::99", mac, NEIGH_REACHABLE), 0);
    assert_int_equal(send6(&app, n, LINK_ANY, 0), 0);
    assert_memory_equal(world.sent[0].data, mac, 6);
    assert_int_equal(set_neighbour6("fe80::99", mac, NEIGH_STALE), 0);
    assert_int_equal(send6(&app, n, LINK_ANY, 0), 0);
    assert_int_equal(world.nsent, 0); /* netd's to confirm */
    assert_non_null(ring_take(netd.ring));
    assert_int_equal(set_neighbour6("fe80::99", mac, NEIGH_FAILED), 0);
    assert_int_equal(send6(&app, n, LINK_ANY, 0), -EHOSTUNREACH);
}

static void partial_checksums6(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        uint32_t n = make_udp6(p, OWN6, APP_PORT, PEER6, 9, 301), seed;
        struct net_tx *t;

        world.eth.features = round == 0 ? 0 : LINKO_TX_CSUM;
        world.hold = round == 1;
        world.nsent = 0;
        seed = pseudo6(p, NET_UDP, 309);
        put16(p + 46, seed);
        t = queue_tx(&app, 3, p, n, 48, 0);
        t->csum = CSUM_PARTIAL;
        assert_int_equal(endpoint_kick(app.ep), 1);
        assert_int_equal(world.nsent, 1);
        if (round == 0) {
            assert_int_equal(slow_checksum(world.sent[0].data + 54, 309, seed), 0);
        } else {
            assert_int_equal(world.held[0]->csum, CSUM_PARTIAL);
            assert_int_equal(world.held[0]->csum_start, 54);
            assert_int_equal(world.held[0]->csum_offset, 6);
        }
    }
}

/* Random headers from a process without rights never leave with what is not its own. */
static void random_headers(void **state)
{
    struct net_addr own = addr6(OWN6), local = addr6(LOCAL6);

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t n = make_udp6(p, OWN6, APP_PORT, PEER6, 9, (uint32_t)(host_random() % 40));
        struct net_cqe c;

        for (unsigned k = host_random() % 4; k > 0; k--)
            p[host_random() % (host_random() % 2 ? 8 : 48)] = (uint8_t)host_random();
        world.nsent = 0;
        queue_tx(&app, 0, p, n, n, TX_NOTIFY);
        assert_true(endpoint_kick(app.ep) >= 0);
        host_run_polls(8);
        while (take_completion(app.ring, &c))
            ;
        ring_count(app.ring);
        for (unsigned f = 0; f < world.nsent; f++) {
            const uint8_t *h = world.sent[f].data + 14;

            assert_int_equal(h[0] >> 4, 6);
            assert_true(memcmp(h + 8, &own, 16) == 0 || memcmp(h + 8, &local, 16) == 0);
            assert_true((h[6] == NET_UDP && get16(h + 40) == APP_PORT) ||
                        (h[6] == NET_TCP && get16(h + 40) == 80) ||
                        (h[6] == NET_ICMP6 && h[40] == 128 && get16(h + 44) == 5));
        }
    }
    check_books();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(goes_out_whole6),    T(to_ourselves),         T(group_addresses),          T(ports_of_others6),
        T(icmp6_by_id),        T(addresses_of_others6), T(sources_in_scope),         T(headers_in_between),
        T(impossible_headers), T(ways_that_are_not),    T(unresolved_goes_by_netd6), T(partial_checksums6),
        T(random_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
