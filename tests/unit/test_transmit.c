/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_transmit.c: what a process may send, what becomes of it, and
 * every reason to refuse it.
 */
#include <tests/unit/transmit_rig.h>

static void goes_out_whole(void **state)
{
    (void)state;
    for (uint32_t data = 0; data <= 1472; data += 92) {
        uint32_t n = udp_to(PEER_IP, data);

        world.nsent = 0;
        assert_int_equal(send_now(&app, p, n, 0), 0);
        assert_int_equal(world.nsent, 1);
        assert_int_equal(world.sent[0].len, n + 14);
        assert_memory_equal(world.sent[0].data, peer_mac, 6);
        assert_memory_equal(world.sent[0].data + 6, host_mac, 6);
        assert_int_equal(get16(world.sent[0].data + 12), 0x0800);
        assert_memory_equal(world.sent[0].data + 14, p, n);
    }
    struct net_link_info i;
    assert_int_equal(net_info_read(NETINFO_LINK, world.eth.index, &i, sizeof(i)), sizeof(i));
    assert_int_equal(i.tx_frames, 17);
    assert_int_equal(counters().sent, 17);
}

/* Payload in four pieces that cross pages, at odd offsets. */
static void scattered_payload(void **state)
{
    static const uint32_t off[4] = {4000, 12287, 20001, 30000}, len[4] = {200, 333, 1, 500};
    struct net_tx *t;
    struct net_cqe c;
    uint32_t total = 0;

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        total += len[i];
    make_udp(p, HOST_IP, APP_PORT, PEER_IP, 9, total);
    t = queue_tx(&app, 0, p, 28, 28, 0);
    t->nseg = 4;
    uint32_t at = 28;
    for (unsigned i = 0; i < 4; i++) {
        t->seg[i].off = off[i];
        t->seg[i].len = len[i];
        memcpy(app.base + app.ring->arena_off + off[i], p + at, len[i]);
        at += len[i];
    }
    assert_int_equal(endpoint_kick(app.ep), 1);
    assert_true(take_completion(app.ring, &c));
    assert_int_equal(c.status, 0);
    assert_memory_equal(world.sent[0].data + 14, p, 28 + total);
}

/* C-RING-8 */
static void an_arena_that_grew(void **state)
{
    uint32_t first = app.ring->arena_size, total = make_udp(p, HOST_IP, APP_PORT, PEER_IP, 9, 100);
    struct nc_shared *more;
    struct net_tx *t;
    struct net_cqe c;

    (void)state;
    assert_int_equal(endpoint_grow(app.ep, &more), 0);
    t = queue_tx(&app, 0, p, total, 28, 0);
    t->seg[0].off = first + 5000;
    memset(app.base + app.ring->arena_off + 28, 0, total - 28);
    memcpy((uint8_t *)more->base + 5000, p + 28, total - 28);
    assert_int_equal(endpoint_kick(app.ep), 1);
    assert_true(take_completion(app.ring, &c) && c.status == 0);
    assert_memory_equal(world.sent[0].data + 14, p, total);
    /* From one piece into the next, beyond the last, and past the number's end. */
    static const uint32_t beyond[] = {0u - 50, NET_ARENA_MORE - 50, NET_ARENA_MORE, 0x7fffffff};
    for (unsigned i = 0; i < 4; i++) {
        t = queue_tx(&app, 0, p, total, 28, 0);
        t->seg[0].off = first + beyond[i];
        assert_int_equal(endpoint_kick(app.ep), 1);
        assert_true(take_completion(app.ring, &c) && c.status == -EINVAL);
    }
    app.rights.ring_limit = app.owner.ring_bytes + NET_ARENA_MORE;
    assert_int_equal(endpoint_grow(app.ep, &more), 0);
    assert_int_equal(endpoint_grow(app.ep, &more), -ENOMEM);
}

/* --- rights ---------------------------------------------------------------------------- */

static void ports_of_others(void **state) /* C-TX-4 */
{
    struct proc q;
    struct net_port_op op;

    (void)state;
    proc_start(&q, "q", RIGHT_NET_EPHEMERAL);
    assert_int_equal(send_now(&q, p, udp_to(PEER_IP, 4), 0), -EACCES);                       /* app's port */
    assert_int_equal(send_now(&q, p, make_udp(p, HOST_IP, 999, PEER_IP, 9, 4), 0), -EACCES); /* nobody's */
    assert_int_equal(try_register(&q, port_key(NET_UDP, 0, 0), &op), 0);
    assert_int_equal(send_now(&q, p, make_udp(p, HOST_IP, op.key.port_lo, PEER_IP, 9, 4), 0), 0);
    assert_int_equal(send_now(&q, p, make_tcp(p, HOST_IP, op.key.port_lo, PEER_IP, 9, F_SYN, 1), 0), -EACCES);
    assert_int_equal(dropped(DROP_TX_NO_RIGHT), 3);
    assert_int_equal(port_unregister(&q.owner, NULL, &op), 0);
    assert_int_equal(send_now(&q, p, make_udp(p, HOST_IP, op.key.port_lo, PEER_IP, 9, 4), 0), -EACCES);
    endpoint_close(q.ep);
    /* netd speaks for ports that nobody owns, not for those that somebody does. */
    assert_int_equal(send_now(&netd, p, make_tcp(p, HOST_IP, 81, PEER_IP, 9, F_RST, 1), 0), 0);
    assert_int_equal(send_now(&netd, p, make_tcp(p, HOST_IP, 80, PEER_IP, 9, F_RST, 1), 0), -EACCES);
    proc_exit(&app, true); /* reserved: other segments get RST from netd */
    assert_int_equal(send_now(&netd, p, make_tcp(p, HOST_IP, 80, PEER_IP, 9, F_RST, 1), 0), 0);
    proc_start(&app, "app", 0);
}

static void addresses_of_others(void **state) /* C-TX-3 */
{
    (void)state;
    assert_int_equal(send_now(&app, p, make_udp(p, PEER_IP, APP_PORT, PEER_IP, 9, 4), 0), -EACCES);
    assert_int_equal(send_now(&app, p, make_udp(p, 0, APP_PORT, 0xffffffff, 67, 4), TX_BROADCAST_OK),
                     -EACCES);
    assert_int_equal(send_now(&app, p, make_udp(p, IP(127, 0, 0, 1), APP_PORT, PEER_IP, 9, 4), 0), -EACCES);
    assert_int_equal(send_now(&netd, p, make_udp(p, PEER_IP, 99, PEER_IP, 9, 4), 0), -EACCES);
    /* DHCP: from nowhere to everybody, on a link of one's choice. */
    uint32_t n = make_udp(p, 0, 68, 0xffffffff, 67, 300);
    struct net_cqe c;
    struct net_tx *t = queue_tx(&netd, 0, p, n, 28, TX_BROADCAST_OK);
    t->link = world.eth.index;
    assert_int_equal(endpoint_kick(netd.ep), 1);
    assert_true(take_completion(netd.ring, &c));
    assert_int_equal(c.status, 0);
    assert_memory_equal(world.sent[0].data, everybody, 6);
    /* A router forwards others' packets, whatever their ports. */
    struct proc nat;
    proc_start(&nat, "natd", RIGHT_NET_FORWARD);
    assert_int_equal(send_now(&nat, p, make_udp(p, IP(192, 168, 7, 1), 999, PEER_IP, 9, 4), 0), 0);
    assert_int_equal(send_now(&nat, p, make_udp(p, IP(224, 0, 0, 1), 999, PEER_IP, 9, 4), 0), -EACCES);
    assert_int_equal(send_now(&nat, p, make_udp(p, HOST_IP, APP_PORT, PEER_IP, 9, 4), 0), -EACCES);
    endpoint_close(nat.ep);
}

static void broadcast_when_asked(void **state)
{
    (void)state;
    assert_int_equal(send_now(&app, p, udp_to(IP(10, 0, 0, 255), 4), 0), -EACCES);
    assert_int_equal(send_now(&app, p, udp_to(IP(10, 0, 0, 255), 4), TX_BROADCAST_OK), 0);
    assert_memory_equal(world.sent[0].data, everybody, 6);
    assert_int_equal(send_now(&app, p, udp_to(0xffffffff, 4), TX_BROADCAST_OK), 0);
    assert_int_equal(send_now(&app, p, udp_to(IP(239, 129, 2, 3), 4), 0), 0);
    static const uint8_t group[6] = {1, 0, 0x5e, 1, 2, 3};
    assert_memory_equal(world.sent[2].data, group, 6);
    assert_int_equal(send_now(&app, p, make_tcp(p, HOST_IP, 80, 0xffffffff, 9, F_SYN, 1), TX_BROADCAST_OK),
                     -EACCES);
    assert_int_equal(send_now(&app, p, make_tcp(p, HOST_IP, 80, IP(224, 0, 0, 1), 9, F_SYN, 1), 0), -EINVAL);
    assert_int_equal(send_now(&app, p, udp_to(0, 4), 0), -EINVAL);
    assert_int_equal(send_now(&app, p, udp_to(IP(250, 0, 0, 1), 4), 0), -EINVAL);
}

static void icmp_by_id(void **state)
{
    (void)state;
    assert_int_equal(send_now(&app, p, make_icmp(p, HOST_IP, PEER_IP, 8, 5, 10), 0), 0);
    assert_int_equal(send_now(&app, p, make_icmp(p, HOST_IP, PEER_IP, 8, 6, 10), 0), -EACCES);
    assert_int_equal(send_now(&app, p, make_icmp(p, HOST_IP, PEER_IP, 0, 5, 10), 0), -EACCES);
    assert_int_equal(send_now(&app, p, make_icmp(p, HOST_IP, PEER_IP, 3, 5, 10), 0), -EACCES);
    assert_int_equal(send_now(&netd, p, make_icmp(p, HOST_IP, PEER_IP, 0, 5, 10), 0), 0);
    make_ip(p, 47, HOST_IP, PEER_IP, 20);
    assert_int_equal(send_now(&app, p, 40, 0), -EACCES); /* other protocols: net.raw */
    app.rights.bits |= RIGHT_NET_RAW;
    assert_int_equal(send_now(&app, p, 40, 0), 0);
}

static void fragments_hide_ports(void **state)
{
    uint32_t n = udp_to(PEER_IP, 100);

    (void)state;
    put16(p + 6, 0x2000);
    seal_ip(p);
    assert_int_equal(send_now(&app, p, n, 0), -EACCES);
    put16(p + 6, 0x0010);
    seal_ip(p);
    assert_int_equal(send_now(&app, p, n, 0), -EACCES);
    assert_int_equal(send_now(&netd, p, n, 0), 0);
}

static void port_on_one_link_only(void **state)
{
    struct proc q;
    static struct link eth1; /* the core keeps a pointer */
    struct net_port_key k = port_key(NET_UDP, 23, 23);

    (void)state;
    eth1 =
        (struct link){.name = "eth%d", .mtu = 1500, .flags = LINKF_ETHERNET | LINKF_RUNNING, .ops = &eth_ops};
    assert_int_equal(link_register(&eth1), 0);
    proc_init(&q, "q", 0);
    allow_port(&q, k, "eth1", false);
    proc_open(&q);
    assert_int_equal(try_register(&q, k, NULL), 0);
    assert_int_equal(send_now(&q, p, make_udp(p, HOST_IP, 23, PEER_IP, 9, 4), 0),
                     -EACCES); /* would leave by eth0 */
    endpoint_close(q.ep);
}

/* --- bad records --------------------------------------------------------------------------- */

static int send_mangled(void (*mangle)(struct net_tx *t, uint8_t *packet))
{
    uint8_t q[2048];
    uint32_t n = make_udp(q, HOST_IP, APP_PORT, PEER_IP, 9, 400);
    struct net_tx *t = queue_tx(&app, 0, q, n, 28, TX_NOTIFY);
    struct net_cqe c;

    mangle(t, app.base + app.ring->arena_off);
    assert_int_equal(endpoint_kick(app.ep), 1);
    host_run_polls(4);
    assert_true(take_completion(app.ring, &c));
    assert_false(take_completion(app.ring, &c));
    return c.status;
}

#define MANGLE(name, code)                                                                                   \
    static void name(struct net_tx *t, uint8_t *h)                                                           \
    {                                                                                                        \
        (void)t;                                                                                             \
        (void)h;                                                                                             \
        code;                                                                                                \
    }
MANGLE(m_hdr_off, t->hdr_off = 0xfffffff0)
MANGLE(m_hdr_end, t->hdr_off = 256 * 1024 - 27)
MANGLE(m_hdr_long, t->hdr_len = 257)
MANGLE(m_hdr_short, t->hdr_len = 19)
MANGLE(m_nseg, t->nseg = 5)
MANGLE(m_seg_off, t->seg[0].off = 0xffffff00)
MANGLE(m_seg_end, t->seg[0].off = 512 * 1024 - 399)
MANGLE(m_seg_len, t->seg[0].len = 0xffffffff)
MANGLE(m_seg_short, t->seg[0].len -= 1)
MANGLE(m_csum, t->csum = 2)
MANGLE(m_gso, t->gso_size = 100)
MANGLE(m_gso_type, t->gso_type = 1)
MANGLE(m_flags, t->flags |= 0x8000)
MANGLE(m_two_ways, t->flags |= TX_INJECT | TX_RESEND)
MANGLE(m_link, t->link = 77)
MANGLE(m_version, h[0] = 0x35)
MANGLE(m_ihl, h[0] = 0x44)
MANGLE(m_ihl_long, h[0] = 0x4f)
MANGLE(m_ttl, h[8] = 0)
MANGLE(m_total, put16(h + 2, 427))
MANGLE(m_udp_len, put16(h + 24, 7))
MANGLE(m_udp_long, put16(h + 24, 409))
MANGLE(m_l4_split, t->hdr_len = 27; t->seg[0].off = 27; t->seg[0].len = 401)
MANGLE(m_partial_fragment, t->csum = CSUM_PARTIAL; put16(h + 6, 0x2000))
MANGLE(m_nothing, (void)0)

static void impossible_records(void **state) /* C-TX-2 */
{
    static void (*const bad[])(struct net_tx *, uint8_t *) = {
        m_hdr_off,  m_hdr_end,  m_hdr_long,  m_hdr_short,        m_nseg,  m_seg_off,
        m_seg_end,  m_csum,     m_gso,       m_gso_type,         m_flags, m_two_ways,
        m_link,     m_version,  m_ihl,       m_ihl_long,         m_total, m_udp_len,
        m_udp_long, m_l4_split, m_seg_short, m_partial_fragment, m_ttl,
    };
    uint64_t n = 0;

    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(send_mangled(bad[i]), -EINVAL);
        assert_int_equal(dropped(DROP_TX_BAD_RECORD), ++n);
        assert_int_equal(world.nsent, 0);
    }
    assert_true(send_mangled(m_seg_len) < 0);
    check_books();
    assert_int_equal(send_mangled(m_nothing), 0); /* the ring goes on as if nothing had been */
    assert_int_equal(world.nsent, 1);
}

/* --- routes, links, neighbours ----------------------------------------------------------------- */

static void drop_reasons(void **state)
{
    (void)state;
    assert_int_equal(send_now(&app, p, udp_to(IP(8, 8, 8, 8), 4), 0), -ENETUNREACH);
    assert_int_equal(dropped(DROP_TX_NO_ROUTE), 1);
    assert_int_equal(send_now(&app, p, udp_to(IP(10, 0, 0, 77), 4), 0), -EHOSTUNREACH);
    assert_int_equal(dropped(DROP_TX_NO_NEIGHBOUR), 1);
    assert_int_equal(send_now(&app, p, udp_to(PEER_IP, 1473), TX_DONT_CUT), -EMSGSIZE);
    assert_int_equal(dropped(DROP_TX_MTU), 1);
    assert_int_equal(config(NETCFG_LINK_DOWN, world.eth.index, 0, 0, 0), 0);
    assert_int_equal(send_now(&app, p, udp_to(PEER_IP, 4), 0), -ENETDOWN);
    assert_int_equal(dropped(DROP_TX_LINK_DOWN), 1);
    assert_int_equal(config(NETCFG_LINK_UP, world.eth.index, 0, 0, 0), 0);
    world.accept = 0;
    assert_int_equal(send_now(&app, p, udp_to(PEER_IP, 4), 0), -ENOBUFS);
    assert_int_equal(dropped(DROP_TX_LINK_FULL), 1);
    world.accept = UINT32_MAX;
    assert_int_equal(send_now(&app, p, udp_to(PEER_IP, 4), 0), 0);
}

static void driver_failure_is_reported(void **state)
{
    struct net_cqe c;
    uint32_t n = udp_to(PEER_IP, 4);

    (void)state;
    world.hold = true;
    queue_tx(&app, 0, p, n, n, 0);
    assert_int_equal(endpoint_kick(app.ep), 1);
    assert_false(take_completion(app.ring, &c));
    release_held(-EIO);
    assert_true(take_completion(app.ring, &c));
    assert_int_equal(c.status, -EIO);
    assert_int_equal(c.cookie, 0xc0de0000);
}

static void cache_follows_configuration(void **state)
{
    static const uint8_t other[6] = {2, 0, 0, 0, 0, 8};

    (void)state;
    assert_int_equal(send_now(&app, p, udp_to(PEER_IP, 4), 0), 0);
    assert_int_equal(set_neighbour(PEER_IP, other, NEIGH_REACHABLE), 0);
    assert_int_equal(send_now(&app, p, udp_to(PEER_IP, 4), 0), 0);
    assert_memory_equal(world.sent[1].data, other, 6);
    assert_int_equal(config(NETCFG_ADDR_ADD, world.eth.index, PEER_IP, 24, 0),
                     0); /* the peer's is ours now */
    assert_int_equal(send_now(&app, p, udp_to(PEER_IP, 4), 0), 0);
    assert_int_equal(world.nsent, 2); /* it came back by loopback */
    assert_int_equal(config(NETCFG_ADDR_DEL, world.eth.index, PEER_IP, 24, 0), 0);
    assert_int_equal(config(NETCFG_ADDR_DEL, world.eth.index, HOST_IP, 24, 0), 0);
    assert_int_equal(send_now(&app, p, udp_to(PEER_IP, 4), 0), -EACCES); /* no longer our address */
}

static void stale_without_netd(void **state) /* C-NETD-1 */
{
    (void)state;
    assert_int_equal(set_neighbour(PEER_IP, peer_mac, NEIGH_STALE), 0);
    assert_int_equal(send_now(&app, p, udp_to(PEER_IP, 4), 0), 0); /* nobody could confirm it */
    assert_int_equal(world.nsent, 1);
    assert_int_equal(slot_register(netd.ep, SLOT_NEIGHBOUR), 0);
    assert_int_equal(send_now(&app, p, udp_to(PEER_IP, 4), 0), 0);
    assert_int_equal(world.nsent, 1); /* netd has it and decides */
    assert_int_equal(ring_take(netd.ring)->kind, RX_UNRESOLVED);
    proc_exit(&netd, true);
    assert_int_equal(send_now(&app, p, udp_to(PEER_IP, 4), 0), 0);
    assert_int_equal(world.nsent, 2);
    proc_start(&netd, "netd", RIGHT_NET_DEFAULT);
    assert_int_equal(set_neighbour(PEER_IP, peer_mac, NEIGH_INCOMPLETE), 0);
    assert_int_equal(send_now(&app, p, udp_to(PEER_IP, 4), 0), -EHOSTUNREACH);
}

static void unresolved_goes_by_netd(void **state)
{
    uint32_t dst = IP(10, 0, 0, 77), n = udp_to(dst, 1000);
    static const uint8_t mac77[6] = {2, 0, 0, 0, 0, 77};
    struct net_rx *r;

    (void)state;
    assert_int_equal(slot_register(netd.ep, SLOT_NEIGHBOUR), 0);
    assert_int_equal(send_now(&app, p, n, 0), 0);
    assert_int_equal(world.nsent, 0);
    assert_int_equal(netd.wakes, 1);
    r = ring_take(netd.ring);
    assert_int_equal(r->kind, RX_UNRESOLVED);
    assert_int_equal(r->link, world.eth.index);
    assert_int_equal(r->l2_len, 0);
    assert_int_equal(r->slot, SLOT_NEIGHBOUR + 1);
    assert_int_equal(r->len, n);
    assert_memory_equal(record_data(r), p, n);
    /* netd sends it on, with the MAC it learnt ... */
    struct net_tx *t = queue_tx(&netd, 0, record_data(r), n, 28, TX_RESEND);
    t->link = world.eth.index;
    memcpy(t->nexthop_mac, mac77, 6);
    assert_int_equal(endpoint_kick(netd.ep), 1);
    assert_int_equal(world.nsent, 1);
    assert_memory_equal(world.sent[0].data, mac77, 6);
    assert_memory_equal(world.sent[0].data + 14, p, n);
    /* ... or after it has told the kernel; without either it does not come again. */
    struct net_cqe c;
    while (take_completion(netd.ring, &c))
        ;
    assert_int_equal(send_now(&netd, p, n, TX_RESEND), -EHOSTUNREACH);
    assert_int_equal(set_neighbour(dst, mac77, NEIGH_REACHABLE), 0);
    assert_int_equal(send_now(&netd, p, n, TX_RESEND), 0);
    assert_int_equal(send_now(&app, p, n, TX_RESEND), -EACCES);
    assert_int_equal(send_now(&app, p, n, 0), 0);
    assert_int_equal(world.nsent, 3);
    assert_null(ring_take(netd.ring));
    assert_int_equal(set_neighbour(dst, mac77, NEIGH_FAILED), 0);
    assert_int_equal(send_now(&app, p, n, 0), -EHOSTUNREACH);
}

static void unresolved_leave_room_for_arp(void **state) /* C-TX-8 */
{
    uint8_t arp[28] = {0};
    unsigned ok = 0;

    (void)state;
    assert_int_equal(slot_register(netd.ep, SLOT_NEIGHBOUR), 0);
    uint32_t n = udp_to(IP(10, 0, 0, 77), 1000);
    while (send_now(&app, p, n, 0) == 0)
        ok++;
    assert_in_range(ok, 25, 32); /* half of 64 KiB */
    assert_int_equal(dropped(DROP_TX_NO_NEIGHBOUR), 1);
    rx_frame(everybody, 0x0806, arp, 28);
    assert_int_equal(dropped(DROP_RING_FULL), 0);
    assert_int_equal(ring_count(netd.ring), ok + 1);
}

/* An ordinary process cannot choose the MAC. */
static void given_mac_needs_the_right(void **state)
{
    static const uint8_t mac[6] = {2, 9, 9, 9, 9, 9};
    uint32_t n = udp_to(PEER_IP, 4);
    struct net_tx *t = queue_tx(&app, 0, p, n, n, 0);

    (void)state;
    t->link = world.eth.index;
    memcpy(t->nexthop_mac, mac, 6);
    assert_int_equal(endpoint_kick(app.ep), 1);
    assert_memory_equal(world.sent[0].data, peer_mac, 6);
}

/* --- checksums --------------------------------------------------------------------------------------- */

static uint32_t pseudo_sum(const uint8_t *h, uint32_t l4_len)
{
    uint32_t sum = h[9] + l4_len;

    for (unsigned i = 12; i < 20; i += 2)
        sum += get16(h + i);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static void partial_checksums(void **state)
{
    (void)state;
    for (uint32_t data = 0; data < 1400; data += 61) {
        uint32_t n = udp_to(PEER_IP, data), hdr = 28;
        struct net_tx *t;

        put16(p + 26, pseudo_sum(p, 8 + data));
        t = queue_tx(&app, (uint32_t)(host_random() % 5000), p, n, hdr, 0);
        t->csum = CSUM_PARTIAL;
        if (data > 100) { /* odd pieces */
            t->nseg = 3;
            t->seg[2] = (struct net_seg){t->seg[0].off + 50, t->seg[0].len - 50};
            t->seg[1] = (struct net_seg){t->seg[0].off + 17, 33};
            t->seg[0].len = 17;
        }
        world.nsent = 0;
        assert_int_equal(endpoint_kick(app.ep), 1);
        assert_int_equal(world.nsent, 1);
        const uint8_t *h = world.sent[0].data + 14;
        assert_int_equal(slow_checksum(h + 20, n - 20, pseudo_sum(h, 8 + data)), 0);
        struct net_cqe c;
        while (take_completion(app.ring, &c))
            assert_int_equal(c.status, 0);
    }
}

static void partial_left_to_the_card(void **state)
{
    uint32_t n = udp_to(PEER_IP, 4);
    struct net_tx *t;

    (void)state;
    world.eth.features = LINKO_TX_CSUM;
    world.hold = true;
    put16(p + 26, 0x1234);
    t = queue_tx(&app, 0, p, n, n, 0);
    t->csum = CSUM_PARTIAL;
    assert_int_equal(endpoint_kick(app.ep), 1);
    assert_int_equal(world.held[0]->csum, CSUM_PARTIAL);
    assert_int_equal(world.held[0]->csum_start, 34);
    assert_int_equal(world.held[0]->csum_offset, 6);
    assert_int_equal(get16(world.sent[0].data + 40), 0x1234);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(goes_out_whole),
        T(scattered_payload),
        T(an_arena_that_grew),
        T(ports_of_others),
        T(addresses_of_others),
        T(broadcast_when_asked),
        T(icmp_by_id),
        T(fragments_hide_ports),
        T(port_on_one_link_only),
        T(impossible_records),
        T(drop_reasons),
        T(driver_failure_is_reported),
        T(cache_follows_configuration),
        T(stale_without_netd),
        T(unresolved_goes_by_netd),
        T(unresolved_leave_room_for_arp),
        T(given_mac_needs_the_right),
        T(partial_checksums),
        T(partial_left_to_the_card),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
