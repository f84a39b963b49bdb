/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_classify.c: whose is this frame? Every way a received frame
 * can go, and every reason to drop it.
 */
#include <tests/unit/classify_rig.h>

static int up(void **state)
{
    world_up(state);
    rig_up(NET_INET);
    return 0;
}

static void only_dropped(enum net_drop why)
{
    struct net_counters c = counters();

    for (int i = 0; i < DROP_COUNT; i++)
        assert_int_equal(c.drop[i], i == (int)why ? 1 : 0);
    assert_int_equal(c.delivered, 0);
    check_books();
}

static void each_slot(void **state)
{
    uint8_t arp[28] = {0, 1, 8, 0, 6, 4, 0, 1};
    const struct net_rx *r;

    (void)state;
    rx_frame(everybody, 0x0806, arp, 28);
    r = only_in(SLOT_NEIGHBOUR);
    assert_int_equal(r->l2_len, 14);
    assert_int_equal(r->len, 42);
    assert_int_equal(get16(record_data(r) + 12), 0x0806);
    assert_int_equal(r->link, world.eth.index);
    assert_int_equal(r->time_ns, host_now_ns);

    rx_ip(p, make_udp(p, PEER_IP, 67, IP(10, 0, 0, 55), 68, 300)); /* an address not ours yet */
    r = only_in(SLOT_DHCP);
    assert_int_equal(r->len, 14 + 328);
    rx_frame(everybody, 0x0800, p, make_udp(p, PEER_IP, 67, 0xffffffff, 68, 300));
    only_in(SLOT_DHCP);

    rx_ip(p, make_icmp(p, PEER_IP, HOST_IP, 8, 1, 56));
    r = only_in(SLOT_ICMP);
    assert_int_equal(r->port_id, 0);

    make_udp(p, PEER_IP, 1, HOST_IP, 7, 100);
    put16(p + 6, 0x2000);
    seal_ip(p);
    rx_ip(p, 128);
    only_in(SLOT_FRAGMENTS);
    put16(p + 6, 5);
    seal_ip(p);
    rx_ip(p, 128);
    only_in(SLOT_FRAGMENTS);

    rx_tcp(1, 81, F_SYN);
    only_in(SLOT_UNBOUND);
    rx_udp(1, 8, 3);
    only_in(SLOT_UNBOUND);
    make_ip(p, 47, PEER_IP, HOST_IP, 30); /* a protocol that nobody speaks */
    rx_ip(p, 50);
    only_in(SLOT_UNBOUND);

    rx_ip(p, make_udp(p, PEER_IP, 1, IP(8, 8, 8, 8), 53, 3));
    only_in(SLOT_FORWARD);
}

static void slots_have_one_owner(void **state) /* C-REG-9 */
{
    struct proc other;

    (void)state;
    proc_start(&other, "other", RIGHT_NET_DEFAULT);
    for (unsigned i = 0; i < SLOT_FORWARD; i++)
        assert_int_equal(slot_register(other.ep, i), -EBUSY);
    assert_int_equal(slot_register(other.ep, SLOT_FORWARD), -EACCES);
    assert_int_equal(slot_register(other.ep, SLOT_COUNT), -EINVAL);
    assert_int_equal(slot_register(app.ep, SLOT_ICMP), -EACCES);
    assert_non_null(strstr(host_last_log, "net.default"));
    assert_int_equal(slot_register(netd[0].ep, 0), 0); /* idempotent */
    proc_exit(&netd[0], true);
    assert_int_equal(slot_register(other.ep, 0), 0);
    proc_start(&netd[0], "netd", RIGHT_NET_DEFAULT);
    assert_int_equal(slot_register(netd[0].ep, 0), -EBUSY);
    endpoint_close(other.ep);
    assert_int_equal(slot_register(netd[0].ep, 0), 0);
}

static void slots_do_not_starve_each_other(void **state) /* C-RX-2 */
{
    uint8_t arp[28] = {0};

    (void)state;
    for (unsigned i = 0; i < 100000; i++)
        rx_tcp((uint16_t)i, (uint16_t)(1000 + i % 5000), F_SYN);
    assert_true(dropped(DROP_RING_FULL) > 90000);
    rx_frame(everybody, 0x0806, arp, 28);
    assert_int_equal(ring_count(netd[SLOT_NEIGHBOUR].ring), 1);
    rx_tcp(1, 80, F_SYN);
    assert_int_equal(ring_count(app.ring), 1);
    rx_ip(p, make_icmp(p, PEER_IP, HOST_IP, 8, 1, 56));
    assert_int_equal(ring_count(netd[SLOT_ICMP].ring), 1);
    assert_int_equal(netd[SLOT_UNBOUND].ring->rx_dropped, dropped(DROP_RING_FULL));
}

static void to_ports(void **state)
{
    (void)state;
    rx_tcp(9, 80, F_ACK);
    only_in(TO_APP);
    rx_udp(9, 7, 0);
    only_in(TO_APP);
    rx_udp(9, 7, 1472);
    only_in(TO_APP);
    rx_ip(p, make_icmp(p, PEER_IP, HOST_IP, 0, 77, 10)); /* echo reply: the id is the port */
    only_in(TO_APP);
    rx_ip(p, make_icmp(p, PEER_IP, HOST_IP, 0, 78, 10));
    only_in(SLOT_ICMP);
    /* Broadcast to an owned port. */
    rx_frame(everybody, 0x0800, p, make_udp(p, PEER_IP, 5, IP(10, 0, 0, 255), 7, 4));
    only_in(TO_APP);
    rx_frame(everybody, 0x0800, p, make_udp(p, PEER_IP, 5, 0xffffffff, 7, 4));
    only_in(TO_APP);
    /* Padding behind the packet is cut off. */
    uint32_t n = make_udp(p, PEER_IP, 5, HOST_IP, 7, 2);
    memset(p + n, 0xee, 18);
    rx_ip(p, n + 18);
    assert_int_equal(ring_take(app.ring)->len, n);
    /* IP options move the transport header. */
    memmove(p + 24, p + 20, n - 20);
    p[0] = 0x46;
    put16(p + 2, n + 4);
    memset(p + 20, 1, 4);
    seal_ip(p);
    rx_ip(p, n + 4);
    only_in(TO_APP);
}

/* type and code, then what it quotes: our packet to the peer. */
static uint32_t make_error(uint8_t type, uint8_t proto, uint16_t sport, uint16_t dport, uint32_t quoted_src)
{
    uint8_t q[64];
    uint32_t n = proto == NET_TCP ? make_tcp(q, quoted_src, sport, PEER_IP, dport, F_SYN, 1)
                                  : make_udp(q, quoted_src, sport, PEER_IP, dport, 8);
    n = n < 28 ? n : 28;
    uint32_t len = make_icmp(p, PEER_IP, HOST_IP, type, 0, n);
    memcpy(p + 28, q, n);
    return len;
}

static void errors_by_the_quoted_port(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        static const uint8_t type[4] = {3, 4, 11, 12};
        rx_ip(p, make_error(type[i], NET_UDP, 7, 9999, HOST_IP));
        only_in(TO_APP);
    }
    rx_ip(p, make_error(3, NET_TCP, 80, 9999, HOST_IP));
    only_in(TO_APP);
    rx_ip(p, make_error(3, NET_TCP, 81, 9999, HOST_IP)); /* nobody's port */
    only_in(SLOT_ICMP);
    rx_ip(p, make_error(3, NET_UDP, 7, 9999, IP(1, 2, 3, 4))); /* we never sent that */
    only_in(SLOT_ICMP);
    rx_ip(p, make_error(5, NET_UDP, 7, 9999, HOST_IP)); /* a redirect is no error */
    only_in(SLOT_ICMP);
    /* Our ping that somebody could not forward. */
    uint8_t q[64];
    make_icmp(q, HOST_IP, PEER_IP, 8, 77, 0);
    uint32_t n = make_icmp(p, PEER_IP, HOST_IP, 11, 0, 28);
    memcpy(p + 28, q, 28);
    rx_ip(p, n);
    only_in(TO_APP);
    /* Too little quoted, a fragment quoted: the slot's. */
    rx_ip(p, make_icmp(p, PEER_IP, HOST_IP, 3, 0, 27));
    only_in(SLOT_ICMP);
    n = make_error(3, NET_UDP, 7, 9999, HOST_IP);
    put16(p + 28 + 6, 100);
    rx_ip(p, n);
    only_in(SLOT_ICMP);
    p[28] = 0x4f; /* a header longer than what there is */
    rx_ip(p, n);
    only_in(SLOT_ICMP);
}

/* --- drops ------------------------------------------------------------------------------- */

static void drop_runt(void **state)
{
    (void)state;
    link_rx(&world.eth, p, 13, NULL);
    only_dropped(DROP_RUNT);
}

static void drop_short_arp(void **state)
{
    (void)state;
    rx_frame(everybody, 0x0806, p, 27);
    only_dropped(DROP_RUNT);
}

static void drop_oversize(void **state)
{
    (void)state;
    make_udp(p, PEER_IP, 1, HOST_IP, 7, 1490);
    rx_ip(p, 1518);
    only_dropped(DROP_OVERSIZE);
}

static void drop_not_our_mac(void **state) /* C-RX-3 */
{
    static const uint8_t other[6] = {2, 0, 0, 0, 0, 2};

    (void)state;
    rx_frame(other, 0x0800, p, make_udp(p, PEER_IP, 1, HOST_IP, 7, 4));
    only_dropped(DROP_NOT_OURS_MAC);
}

static void drop_ethertype(void **state)
{
    (void)state;
    rx_frame(host_mac, 0x88cc, p, 50);
    only_dropped(DROP_ETHERTYPE);
}

static void lying_headers(void **state) /* C-RX-4 */
{
    struct {
        unsigned at;
        uint32_t value;
    } lie[] = {
        {0, 0x55}, {0, 0x44}, {0, 0x4f}, {2, 19}, {2, 41}, {2, 0xffff}, {2, 0},
    };
    uint64_t n = 0;

    (void)state;
    for (unsigned i = 0; i < sizeof(lie) / sizeof(lie[0]); i++) {
        make_tcp(p, PEER_IP, 1, HOST_IP, 80, F_SYN, 0);
        if (lie[i].at == 0)
            p[0] = (uint8_t)lie[i].value;
        else
            put16(p + 2, lie[i].value);
        rx_ip(p, 40);
        assert_int_equal(dropped(DROP_IP_HEADER), ++n);
    }
    for (unsigned len = 0; len < 20; len++) {
        rx_ip(p, len);
        assert_int_equal(dropped(DROP_IP_HEADER), ++n);
    }
    assert_int_equal(counters().delivered, 0);
}

static void drop_ip_checksum(void **state)
{
    (void)state;
    make_tcp(p, PEER_IP, 1, HOST_IP, 80, F_SYN, 0);
    p[8]++;
    rx_ip(p, 40);
    only_dropped(DROP_IP_CHECKSUM);
}

static void short_transport_headers(void **state)
{
    uint64_t n = 0;

    (void)state;
    for (unsigned len = 0; len < 20; len++) {
        make_ip(p, NET_TCP, PEER_IP, HOST_IP, len);
        rx_ip(p, 20 + len);
        assert_int_equal(dropped(DROP_L4_HEADER), ++n);
    }
    for (unsigned len = 0; len < 8; len++) {
        make_ip(p, NET_UDP, PEER_IP, HOST_IP, len);
        rx_ip(p, 20 + len);
        make_ip(p, NET_ICMP, PEER_IP, HOST_IP, len);
        rx_ip(p, 20 + len);
        assert_int_equal(dropped(DROP_L4_HEADER), n += 2);
    }
    make_tcp(p, PEER_IP, 1, HOST_IP, 80, F_SYN, 0);
    p[32] = 0x40; /* a TCP header of 16 bytes, of 24 in 20 */
    rx_ip(p, 40);
    p[32] = 0x60;
    rx_ip(p, 40);
    make_udp(p, PEER_IP, 1, HOST_IP, 7, 4);
    put16(p + 24, 7);
    rx_ip(p, 32);
    put16(p + 24, 13);
    rx_ip(p, 32);
    assert_int_equal(dropped(DROP_L4_HEADER), n + 4);
    assert_int_equal(counters().delivered, 0);
}

static void martians(void **state)
{
    static const uint32_t src[] = {
        IP(127, 0, 0, 1),  IP(0, 1, 2, 3),
        IP(224, 0, 0, 1),  IP(255, 255, 255, 255),
        IP(240, 0, 0, 1),  HOST_IP,
        IP(10, 0, 0, 255), 0,
        IP(254, 1, 1, 1),  IP(239, 255, 255, 255),
    };
    static const uint32_t dst[] = {IP(127, 0, 0, 1), 0, IP(0, 1, 2, 3), IP(240, 0, 0, 1),
                                   IP(255, 255, 255, 254)};
    uint64_t n = 0;

    (void)state;
    for (unsigned i = 0; i < sizeof(src) / sizeof(src[0]); i++) {
        rx_ip(p, make_udp(p, src[i], 1, HOST_IP, 7, 4));
        assert_int_equal(dropped(DROP_MARTIAN), ++n);
    }
    for (unsigned i = 0; i < sizeof(dst) / sizeof(dst[0]); i++) {
        rx_ip(p, make_udp(p, PEER_IP, 1, dst[i], 7, 4));
        assert_int_equal(dropped(DROP_MARTIAN), ++n);
    }
    /* 0.0.0.0 may ask for an address, in a broadcast. */
    rx_frame(everybody, 0x0800, p, make_udp(p, 0, 1, 0xffffffff, 7, 4));
    only_in(TO_APP);
}

static void not_for_us(void **state)
{
    uint64_t n = 0;

    (void)state;
    endpoint_close(netd[SLOT_FORWARD].ep);
    rx_ip(p, make_udp(p, PEER_IP, 1, IP(8, 8, 8, 8), 7, 4)); /* nobody forwards */
    assert_int_equal(dropped(DROP_NOT_OURS_IP), ++n);
    rx_frame(everybody, 0x0800, p, make_udp(p, PEER_IP, 1, HOST_IP, 7, 4)); /* RFC 1122, 3.3.6 */
    assert_int_equal(dropped(DROP_NOT_OURS_IP), ++n);
    rx_frame(everybody, 0x0800, p, make_udp(p, PEER_IP, 1, IP(10, 0, 0, 255), 9, 4)); /* no error for it */
    assert_int_equal(dropped(DROP_NOT_OURS_IP), ++n);
    rx_frame(everybody, 0x0800, p, make_tcp(p, PEER_IP, 1, IP(10, 0, 0, 255), 80, F_SYN, 0));
    assert_int_equal(dropped(DROP_NOT_OURS_IP), ++n);
    rx_frame(everybody, 0x0800, p, make_icmp(p, PEER_IP, 0xffffffff, 8, 1, 4)); /* no amplifier */
    assert_int_equal(dropped(DROP_NOT_OURS_IP), ++n);
    proc_start(&netd[SLOT_FORWARD], "netd", RIGHT_NET_FORWARD);
}

static void multicast(void **state) /* C-RX-7 */
{
    static const uint8_t group[6] = {1, 0, 0x5e, 0, 0, 0xfb}, all[6] = {1, 0, 0x5e, 0, 0, 1};

    (void)state;
    /* Nobody can join a group: only that of all hosts is ours. */
    rx_frame(group, 0x0800, p, make_udp(p, PEER_IP, 1, IP(224, 0, 0, 251), 7, 4));
    only_dropped(DROP_NOT_JOINED);
    rx_frame(all, 0x0800, p, make_udp(p, PEER_IP, 1, IP(224, 0, 0, 1), 7, 4));
    only_in(TO_APP);
    rx_frame(all, 0x0800, p, make_udp(p, PEER_IP, 1, IP(224, 0, 0, 1), 5353, 4));
    assert_int_equal(dropped(DROP_NOT_OURS_IP), 1); /* and no error is sent about it */
    rx_frame(all, 0x0800, p, make_tcp(p, PEER_IP, 1, IP(224, 0, 0, 1), 80, F_SYN, 0));
    assert_int_equal(dropped(DROP_NOT_OURS_IP), 2);
    make_udp(p, PEER_IP, 1, IP(224, 0, 0, 251), 7, 4);
    put16(p + 6, 0x2000); /* nor a piece of one */
    seal_ip(p);
    rx_frame(group, 0x0800, p, 32);
    assert_int_equal(dropped(DROP_NOT_JOINED), 2);
}

/* A UDP packet for port 7 with these bytes as its options. */
static uint32_t with_options(const uint8_t *options, unsigned bytes)
{
    uint32_t n = make_udp(p, PEER_IP, 5, HOST_IP, 7, 4);

    memmove(p + 20 + bytes, p + 20, n - 20);
    memcpy(p + 20, options, bytes);
    p[0] = (uint8_t)(0x45 + bytes / 4);
    put16(p + 2, n + bytes);
    seal_ip(p);
    return n + bytes;
}

static void source_routes(void **state) /* C-RX-6 */
{
    static const uint8_t loose[8] = {131, 7, 4, 10, 0, 0, 9, 0}, strict[8] = {1, 137, 7, 4, 10, 0, 0, 9};
    uint64_t n = 0;

    (void)state;
    rx_ip(p, with_options(loose, 8));
    assert_int_equal(dropped(DROP_SOURCE_ROUTE), ++n);
    rx_ip(p, with_options(strict, 8));
    assert_int_equal(dropped(DROP_SOURCE_ROUTE), ++n);
    uint32_t len = with_options(loose, 8);
    put32(p + 16, IP(8, 8, 8, 8)); /* not through us, either */
    seal_ip(p);
    rx_ip(p, len);
    assert_int_equal(dropped(DROP_SOURCE_ROUTE), ++n);
    assert_int_equal(counters().delivered, 0);
}

static void other_options(void **state) /* C-RX-4 */
{
    static const uint8_t fine[][8] = {
        {1, 1, 1, 1, 1, 1, 1, 1},    /* no-ops */
        {0, 131, 0, 0, 0, 0, 0, 0},  /* what stands behind the end means nothing */
        {7, 7, 4, 0, 0, 0, 0, 0},    /* record route */
        {68, 8, 5, 0, 0, 0, 0, 0},   /* time stamp */
        {148, 4, 0, 0, 200, 4, 1, 1} /* router alert, one that nobody knows */
    };
    static const uint8_t lies[][8] = {{7, 0, 0, 0, 0, 0, 0, 0},
                                      {7, 1, 0, 0, 0, 0, 0, 0},
                                      {7, 9, 0, 0, 0, 0, 0, 0},
                                      {1, 1, 1, 1, 1, 1, 1, 7}};

    (void)state;
    for (unsigned i = 0; i < sizeof(fine) / 8; i++) {
        rx_ip(p, with_options(fine[i], 8));
        only_in(TO_APP);
    }
    for (unsigned i = 0; i < sizeof(lies) / 8; i++) {
        rx_ip(p, with_options(lies[i], 8));
        assert_int_equal(dropped(DROP_IP_HEADER), 1 + i);
    }
}

/* RFC 1122, 3.2.1.7: what has come to its destination is not dropped for its TTL. */
static void times_to_live(void **state)
{
    (void)state;
    for (unsigned ttl = 0; ttl < 3; ttl++) {
        uint32_t n = make_udp(p, PEER_IP, 5, HOST_IP, 7, 4);

        p[8] = (uint8_t)ttl;
        seal_ip(p);
        rx_ip(p, n);
        only_in(TO_APP);
    }
}

static void who_is_not_allowed(void **state) /* C-RIGHT-4 */
{
    struct proc q;

    (void)state;
    proc_init(&q, "q", RIGHT_NET_EPHEMERAL);
    allow_port(&q, port_key(NET_TCP, 443, 443), "", false);
    q.rights.allow[0] = (struct net_prefix){.family = NET_INET, .length = 29, .addr = addr4(IP(10, 0, 0, 8))};
    q.rights.allow[1] = (struct net_prefix){.family = NET_INET6, .length = 0};
    q.rights.nallow = 2;
    proc_open(&q);
    assert_int_equal(try_register(&q, port_key(NET_TCP, 443, 443), NULL), 0);
    rx_tcp(9, 443, F_SYN); /* from 10.0.0.9 */
    assert_int_equal(ring_count(q.ring), 1);
    for (unsigned i = 0; i < 3; i++) {
        static const uint32_t from[3] = {IP(10, 0, 0, 7), IP(10, 0, 0, 16), IP(8, 8, 8, 8)};

        rx_ip(p, make_tcp(p, from[i], 9, HOST_IP, 443, F_SYN, 1));
        assert_int_equal(dropped(DROP_NOT_ALLOWED), 1 + i);
    }
    assert_int_equal(ring_count(q.ring), 0);
    /* Answers to what it asked itself come from anywhere. */
    struct net_port_op op;
    assert_int_equal(try_register(&q, port_key(NET_UDP, 0, 0), &op), 0);
    rx_ip(p, make_udp(p, IP(8, 8, 8, 8), 53, HOST_IP, op.key.port_lo, 4));
    assert_int_equal(ring_count(q.ring), 1);
    endpoint_close(q.ep);
}

static void drop_no_slot(void **state)
{
    uint64_t n = 0;

    (void)state;
    for (unsigned i = 0; i < SLOT_COUNT; i++)
        endpoint_close(netd[i].ep);
    rx_tcp(1, 81, F_SYN);
    assert_int_equal(dropped(DROP_NO_SLOT), ++n);
    rx_ip(p, make_icmp(p, PEER_IP, HOST_IP, 8, 1, 4));
    assert_int_equal(dropped(DROP_NO_SLOT), ++n);
    rx_frame(everybody, 0x0806, p, 28);
    assert_int_equal(dropped(DROP_NO_SLOT), ++n);
    rx_ip(p, make_udp(p, PEER_IP, 67, HOST_IP, 68, 4));
    assert_int_equal(dropped(DROP_NO_SLOT), ++n);
    rx_tcp(1, 80, F_SYN); /* the port's owner needs no netd */
    assert_int_equal(ring_count(app.ring), 1);
    for (unsigned i = 0; i < SLOT_COUNT; i++)
        proc_start(&netd[i], "netd", 0);
}

static void drop_link_down(void **state)
{
    (void)state;
    assert_int_equal(config(NETCFG_LINK_DOWN, world.eth.index, 0, 0, 0), 0);
    rx_tcp(1, 80, F_SYN);
    only_dropped(DROP_LINK_DOWN);
    assert_int_equal(config(NETCFG_LINK_UP, world.eth.index, 0, 0, 0), 0);
    rx_tcp(1, 80, F_SYN);
    assert_int_equal(ring_count(app.ring), 1);
}

static void drop_ring_full(void **state) /* C-RING-4 */
{
    struct net_port_info info;

    (void)state;
    while (dropped(DROP_RING_FULL) == 0)
        rx_udp(1, 7, 1000);
    assert_int_equal(net_info_read(NETINFO_PORT, 1, &info, sizeof(info)), sizeof(info));
    assert_int_equal(info.key.port_lo, 7);
    assert_int_equal(info.dropped, 1);
    assert_int_equal(app.ring->rx_dropped, 1);
    assert_int_equal(ring_count(app.ring), info.delivered);
    rx_udp(1, 7, 1000);
    assert_int_equal(ring_count(app.ring), 1);
    check_books();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
    const struct CMUnitTest tests[] = {
        T(each_slot),
        T(slots_have_one_owner),
        T(slots_do_not_starve_each_other),
        T(to_ports),
        T(errors_by_the_quoted_port),
        T(drop_runt),
        T(drop_short_arp),
        T(drop_oversize),
        T(drop_not_our_mac),
        T(drop_ethertype),
        T(lying_headers),
        T(drop_ip_checksum),
        T(short_transport_headers),
        T(martians),
        T(not_for_us),
        T(multicast),
        T(drop_no_slot),
        T(drop_link_down),
        T(drop_ring_full),
        T(source_routes),
        T(other_options),
        T(times_to_live),
        T(who_is_not_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
