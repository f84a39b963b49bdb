/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_fragment.c: datagrams that are longer than their way's MTU: the
 * pieces that come out, put together again here by the rules of the RFCs, and what
 * is not cut.
 */
#include <tests/unit/transmit_rig.h>

static uint8_t whole[70000];

/* One record of the packet in p; how it ended. */
static int send_long(struct proc *q, uint32_t n, uint32_t hdr_len, uint16_t flags, uint16_t path_mtu)
{
    struct net_tx *t = queue_tx(q, (uint32_t)(host_random() % 9000), p, n, hdr_len, flags | TX_NOTIFY);
    struct net_cqe c = {0};

    t->path_mtu = path_mtu;
    if (t->nseg == 1 && t->seg[0].len > 9000) { /* in odd pieces */
        t->nseg = 3;
        t->seg[1] = (struct net_seg){t->seg[0].off + 4001, 777};
        t->seg[2] = (struct net_seg){t->seg[0].off + 4778, t->seg[0].len - 4778};
        t->seg[0].len = 4001;
    }
    assert_true(endpoint_kick(q->ep) >= 0);
    host_run_polls(8);
    assert_true(take_completion(q->ring, &c));
    assert_false(take_completion(q->ring, &(struct net_cqe){0}));
    return c.status;
}

/* Puts the frames that went out together; returns the packet's length. Every header
 * is checked. */
static uint32_t together4(uint32_t mtu)
{
    uint32_t off = 0;

    for (unsigned i = 0; i < world.nsent; i++) {
        const uint8_t *h = world.sent[i].data + 14;
        uint32_t n = get16(h + 2) - 20, frag = get16(h + 6);

        assert_int_equal(get16(world.sent[i].data + 12), 0x0800);
        assert_memory_equal(world.sent[i].data, peer_mac, 6);
        assert_int_equal(world.sent[i].len, 14 + 20 + n);
        assert_true(20 + n <= mtu);
        assert_int_equal(slow_checksum(h, 20, 0), 0);
        assert_int_equal(get16(h + 4), get16(world.sent[0].data + 14 + 4));
        assert_int_equal((frag & 0x1fff) * 8, off);
        assert_int_equal(frag & 0xe000, i + 1 == world.nsent ? 0 : 0x2000);
        assert_memory_equal(h + 12, p + 12, 8);
        assert_int_equal(h[8], p[8]);
        memcpy(whole + 20 + off, h + 20, n);
        off += n;
    }
    return 20 + off;
}

static uint32_t together6(uint32_t mtu)
{
    uint32_t off = 0;

    for (unsigned i = 0; i < world.nsent; i++) {
        const uint8_t *h = world.sent[i].data + 14;
        uint32_t n = get16(h + 4) - 8, frag = get16(h + 42);

        assert_int_equal(get16(world.sent[i].data + 12), 0x86dd);
        assert_int_equal(world.sent[i].len, 14 + 48 + n);
        assert_true(48 + n <= mtu);
        assert_int_equal(h[6], 44);
        assert_int_equal(h[40], p[6]);
        assert_int_equal(h[41], 0);
        assert_memory_equal(h + 44, world.sent[0].data + 14 + 44, 4);
        assert_int_equal(frag & 0xfff8, off);
        assert_int_equal(frag & 7, i + 1 != world.nsent);
        assert_memory_equal(h + 8, p + 8, 32);
        assert_int_equal(h[7], p[7]);
        memcpy(whole + 40 + off, h + 48, n);
        off += n;
    }
    return 40 + off;
}

static void cut_and_put_together(void **state)
{
    static const uint32_t data[] = {1473, 1474, 2951, 2952, 2953, 9001, 30000, 65507};

    (void)state;
    for (unsigned i = 0; i < sizeof(data) / sizeof(data[0]); i++) {
        uint32_t n = make_udp(p, HOST_IP, APP_PORT, PEER_IP, 9, data[i]);

        world.nsent = 0;
        assert_int_equal(send_long(&app, n, 28, 0, 0), 0);
        assert_int_equal(world.nsent, (n - 20 + 1479) / 1480);
        assert_int_equal(together4(1500), n);
        assert_memory_equal(whole + 20, p + 20, n - 20);
    }
}

static void cut_and_put_together6(void **state)
{
    static const uint32_t data[] = {1453, 2888, 2889, 9001, 65487};

    (void)state;
    for (unsigned i = 0; i < sizeof(data) / sizeof(data[0]); i++) {
        uint32_t n = make_udp6(p, OWN6, APP_PORT, PEER6, 9, data[i]);

        world.nsent = 0;
        assert_int_equal(send_long(&app, n, 48, 0, 0), 0);
        assert_int_equal(together6(1500), n);
        assert_memory_equal(whole + 40, p + 40, n - 40);
    }
    uint32_t n = make_icmp6(p, OWN6, PEER6, 128, 5, 4000);
    world.nsent = 0;
    assert_int_equal(send_long(&app, n, 48, 0, 0), 0);
    assert_int_equal(together6(1500), n);
}

/* The record's header holds more than the first fragment may: it goes on in the next. */
static void a_header_of_many_pieces(void **state)
{
    struct net_config c = {
        .kind = NETCFG_ROUTE_ADD, .link = world.eth.index, .family = NET_INET, .prefix = 32, .mtu = 100};
    uint32_t n = make_udp(p, HOST_IP, APP_PORT, PEER_IP, 9, 600);

    (void)state;
    c.addr = addr4(PEER_IP);
    assert_int_equal(net_config_apply(NULL, &c), 0);
    assert_int_equal(send_long(&app, n, 251, 0, 0), 0);
    assert_int_equal(world.nsent, 8);
    assert_int_equal(together4(100), n);
    assert_memory_equal(whole + 20, p + 20, n - 20);
}

/* A path that is known to carry less than its first link. */
static void smaller_paths(void **state)
{
    uint32_t n;

    (void)state;
    n = make_udp6(p, OWN6, APP_PORT, PEER6, 9, 1400);
    assert_int_equal(send_long(&app, n, 48, 0, 1280), 0);
    assert_int_equal(world.nsent, 2);
    assert_int_equal(together6(1280), n);
    world.nsent = 0;
    assert_int_equal(send_long(&app, n, 48, 0, 600), 0); /* RFC 8200, section 5: never below 1280 */
    assert_int_equal(world.nsent, 2);
    assert_int_equal(together6(1280), n);
    world.nsent = 0;
    assert_int_equal(send_long(&app, n, 48, 0, 1448), 0);
    assert_int_equal(world.nsent, 1);
    assert_int_equal(world.sent[0].len, n + 14);
    n = make_udp(p, HOST_IP, APP_PORT, PEER_IP, 9, 1400);
    world.nsent = 0;
    assert_int_equal(send_long(&app, n, 28, 0, 576), 0);
    assert_int_equal(together4(576), n);
    n = make_udp(p, HOST_IP, APP_PORT, PEER_IP, 9, 60000);
    world.nsent = 0;
    assert_int_equal(send_long(&app, n, 28, 0, 100), -EMSGSIZE); /* hundreds of pieces */
    assert_int_equal(world.nsent, 0);
}

static void what_is_not_cut(void **state)
{
    uint32_t n = make_udp(p, HOST_IP, APP_PORT, PEER_IP, 9, 2000);

    (void)state;
    assert_int_equal(send_long(&app, n, 28, TX_DONT_CUT, 0), -EMSGSIZE);
    put16(p + 6, 0x4000); /* DF */
    seal_ip(p);
    assert_int_equal(send_long(&app, n, 28, 0, 0), -EMSGSIZE);
    n = make_udp6(p, OWN6, APP_PORT, PEER6, 9, 2000);
    assert_int_equal(send_long(&app, n, 48, TX_DONT_CUT, 0), -EMSGSIZE);
    /* Not TCP, not somebody else's IPv6 packet, not a fragment. */
    netd.rights.bits |= RIGHT_NET_FORWARD;
    n = make_ip(p, NET_TCP, HOST_IP, PEER_IP, 2000);
    p[32] = 0x50;
    assert_int_equal(send_long(&netd, n, 40, 0, 0), -EMSGSIZE);
    n = make_udp6(p, "2001:db8:7::1", 5, PEER6, 9, 2000);
    assert_int_equal(send_long(&netd, n, 48, 0, 0), -EMSGSIZE);
    n = make_ip6(p, 44, OWN6, PEER6, 2000);
    assert_int_equal(send_long(&netd, n, 48, 0, 0), -EMSGSIZE);
    n = make_udp(p, HOST_IP, APP_PORT, PEER_IP, 9, 2000);
    put16(p + 6, 0x2000);
    seal_ip(p);
    assert_int_equal(send_long(&netd, n, 28, 0, 0), -EMSGSIZE);
    assert_int_equal(world.nsent, 0);
    assert_int_equal(dropped(DROP_TX_MTU), 7);
    /* What is forwarded keeps its sender's identification. */
    n = make_udp(p, IP(10, 0, 0, 50), 5, PEER_IP, 9, 2000);
    put16(p + 4, 0xabcd);
    seal_ip(p);
    assert_int_equal(send_long(&netd, n, 28, 0, 0), 0);
    assert_int_equal(together4(1500), n);
    assert_int_equal(get16(world.sent[1].data + 18), 0xabcd);
}

static void sums_over_all_pieces(void **state)
{
    struct net_tx *t;
    struct net_cqe c;

    (void)state;
    world.eth.features = LINKO_TX_CSUM | LINKO_SG; /* no card can do it for pieces */
    for (unsigned family = 4; family <= 6; family += 2) {
        uint32_t ip = family == 4 ? 20 : 40, n;

        n = family == 4 ? make_udp(p, HOST_IP, APP_PORT, PEER_IP, 9, 5001)
                        : make_udp6(p, OWN6, APP_PORT, PEER6, 9, 5001);
        if (family == 4) {
            uint32_t sum = NET_UDP + 5009;
            for (unsigned i = 12; i < 20; i += 2)
                sum += get16(p + i);
            put16(p + ip + 6, (sum & 0xffff) + (sum >> 16));
        } else {
            put16(p + ip + 6, pseudo6(p, NET_UDP, 5009));
        }
        uint32_t seed = get16(p + ip + 6);
        t = queue_tx(&app, 3, p, n, ip + 8, 0);
        t->csum = CSUM_PARTIAL;
        world.nsent = 0;
        assert_int_equal(endpoint_kick(app.ep), 1);
        assert_int_equal(family == 4 ? together4(1500) : together6(1500), n);
        assert_true(get16(whole + ip + 6) != seed);
        assert_int_equal(slow_checksum(whole + ip, n - ip, seed), 0);
        assert_true(take_completion(app.ring, &c));
        assert_int_equal(c.status, 0);
    }
}

/* The arena belongs to the card until the last piece is out. */
static void one_completion_for_all_pieces(void **state) /* C-TX-9 */
{
    uint32_t n = make_udp(p, HOST_IP, APP_PORT, PEER_IP, 9, 6000);
    struct net_cqe c;

    (void)state;
    world.hold = true;
    queue_tx(&app, 0, p, n, 28, 0);
    assert_int_equal(endpoint_kick(app.ep), 1);
    assert_int_equal(world.nheld, 5);
    for (unsigned i = 0; i < 5; i++) {
        assert_false(take_completion(app.ring, &c));
        netbuf_done(world.held[i], i == 2 ? -EIO : i == 3 ? -ENOBUFS : 0);
    }
    assert_true(take_completion(app.ring, &c));
    assert_int_equal(c.cookie, 0xc0de0000u);
    assert_int_equal(c.status, -EIO);
    assert_false(take_completion(app.ring, &c));
    world.nheld = 0;
    check_books();
    /* The sender goes while pieces are under way. */
    queue_tx(&app, 0, p, n, 28, 0);
    assert_int_equal(endpoint_kick(app.ep), 1);
    assert_int_equal(world.nheld, 5);
    owner_died(&app.owner, false);
    endpoint_close(app.ep);
    for (unsigned i = 0; i < 5; i++)
        netbuf_done(world.held[i], 0);
    world.nheld = 0;
    world.hold = false;
    proc_start(&app, "app", 0);
}

static void a_full_link_takes_none(void **state)
{
    uint32_t n = make_udp(p, HOST_IP, APP_PORT, PEER_IP, 9, 60000), before;
    int status;

    (void)state;
    world.hold = true;
    for (unsigned i = 0; i < 40; i++) {
        before = world.nsent;
        queue_tx(&app, 0, p, n, 28, TX_NOTIFY);
        assert_int_equal(endpoint_kick(app.ep), 1);
        if (world.nsent == before)
            break;
        assert_int_equal(world.nsent - before, 41); /* all of them or none */
    }
    struct net_cqe c;
    assert_true(take_completion(app.ring, &c));
    status = c.status;
    assert_int_equal(status, -ENOBUFS);
    assert_true(world.nsent >= 41);
    assert_int_equal(dropped(DROP_TX_LINK_FULL), 1);
    release_held(0);
    world.hold = false;
    while (take_completion(app.ring, &c))
        assert_int_equal(c.status, 0);
    /* The driver says no in the middle: a counted drop, and the sender hears of it. */
    world.accept = 20;
    assert_int_equal(send_long(&app, n, 28, 0, 0), -ENOBUFS);
    assert_int_equal(dropped(DROP_TX_LINK_FULL), 1 + 41 - 20);
    world.accept = UINT32_MAX;
    assert_int_equal(send_long(&app, n, 28, 0, 0), 0);
}

static void out_of_memory(void **state)
{
    uint32_t n = make_udp(p, HOST_IP, APP_PORT, PEER_IP, 9, 60000);

    (void)state;
    for (long left = 0; left < 6; left++) {
        uint32_t before = world.nsent;

        host_fail_after = left;
        int r = send_long(&app, n, 28, 0, 0);
        host_fail_after = -1;
        assert_true(r == 0 || r == -ENOBUFS);
        assert_int_equal(world.nsent - before, r == 0 ? 41 : 0);
        check_books();
    }
}

static void identifications(void **state) /* C-TX-10 */
{
    uint16_t last[2] = {0, 0}, step = 0;
    unsigned ones = 0;

    (void)state;
    assert_int_equal(set_neighbour(IP(10, 0, 0, 10), peer_mac, NEIGH_REACHABLE), 0);
    for (unsigned i = 0; i < 200; i++) {
        uint32_t to = i % 2;
        uint32_t n = make_udp(p, HOST_IP, APP_PORT, to == 0 ? PEER_IP : IP(10, 0, 0, 10), 9, 2000);

        world.nsent = 0;
        assert_int_equal(send_long(&app, n, 28, 0, 0), 0);
        uint16_t id = (uint16_t)get16(world.sent[0].data + 18);
        if (i >= 2) {
            step = (uint16_t)(id - last[to]);
            ones += step == 1;
        }
        last[to] = id;
    }
    assert_int_equal(ones, 198); /* none twice in a row of 65,536 ... */
    assert_true(last[0] != last[1] && (uint16_t)(last[1] - last[0]) != 1); /* ... and each row elsewhere */
}

static void nobody_knows_the_neighbour(void **state)
{
    uint32_t n = make_udp6(p, OWN6, APP_PORT, "2001:db8::99", 9, 5000);
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x99};

    (void)state;
    assert_int_equal(slot_register(netd.ep, SLOT_NEIGHBOUR), 0);
    assert_int_equal(send_long(&app, n, 48, 0, 0), 0); /* netd has the whole of it */
    struct net_rx *r = ring_take(netd.ring);
    assert_non_null(r);
    assert_int_equal(r->kind, RX_UNRESOLVED);
    assert_int_equal(r->len, n);
    assert_memory_equal(record_data(r), p, n);
    assert_int_equal(set_neighbour6("2001:db8::99", mac, NEIGH_REACHABLE), 0);
    world.nsent = 0;
    assert_int_equal(send_long(&netd, n, 48, TX_RESEND, 0), 0);
    assert_int_equal(together6(1500), n);
    assert_memory_equal(whole + 40, p + 40, n - 40);
    assert_memory_equal(world.sent[0].data, mac, 6);
    /* One that is too large for netd's ring is lost, but the question is asked. */
    n = make_udp6(p, OWN6, APP_PORT, "2001:db8::98", 9, 60000);
    assert_int_equal(send_long(&app, n, 48, 0, 0), -ENOBUFS);
    r = ring_take(netd.ring);
    assert_non_null(r);
    assert_int_equal(r->kind, RX_UNRESOLVED);
    assert_int_equal(r->len, 40);
    assert_memory_equal(record_data(r), p, 40);
    assert_int_equal(set_neighbour6("2001:db8::98", mac, NEIGH_REACHABLE), 0);
    world.nsent = 0;
    assert_int_equal(send_long(&app, n, 48, 0, 0), 0);
    assert_int_equal(together6(1500), n);
}

static void sixty_four_kilobytes_to_ourselves(void **state)
{
    struct net_rx *r;
    uint32_t n;

    (void)state;
    n = make_udp(p, HOST_IP, APP_PORT, HOST_IP, APP_PORT, 65507);
    assert_int_equal(send_long(&app, n, 28, 0, 0), 0);
    r = ring_take(app.ring);
    assert_non_null(r);
    assert_int_equal(r->len, 65535);
    assert_memory_equal(record_data(r), p, n);
    n = make_udp6(p, "::1", APP_PORT, "::1", APP_PORT, 65487);
    assert_int_equal(send_long(&app, n, 48, 0, 0), 0);
    r = ring_take(app.ring);
    assert_non_null(r);
    assert_int_equal(r->len, 65535);
    assert_memory_equal(record_data(r), p, n);
    assert_int_equal(world.nsent, 0);
}

static void sixty_four_kilobytes_injected(void **state)
{
    struct net_rx *r;
    uint32_t n;

    (void)state;
    n = make_udp(p, PEER_IP, 9, HOST_IP, APP_PORT, 65507);
    struct net_tx *t = queue_tx(&netd, 5, p, n, 128, TX_INJECT);
    t->link = world.eth.index;
    assert_int_equal(endpoint_kick(netd.ep), 1);
    r = ring_take(app.ring);
    assert_non_null(r);
    assert_int_equal(r->len, 65535);
    assert_memory_equal(record_data(r), p, n);
    n = make_udp6(p, PEER6, 9, OWN6, APP_PORT, 65487);
    t = queue_tx(&netd, 5, p, n, 128, TX_INJECT);
    t->link = world.eth.index;
    assert_int_equal(endpoint_kick(netd.ep), 1);
    r = ring_take(app.ring);
    assert_non_null(r);
    assert_int_equal(r->len, 65535);
    assert_memory_equal(record_data(r), p, n);
    check_books();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(cut_and_put_together),
        T(cut_and_put_together6),
        T(a_header_of_many_pieces),
        T(smaller_paths),
        T(what_is_not_cut),
        T(sums_over_all_pieces),
        T(one_completion_for_all_pieces),
        T(a_full_link_takes_none),
        T(out_of_memory),
        T(identifications),
        T(nobody_knows_the_neighbour),
        T(sixty_four_kilobytes_to_ourselves),
        T(sixty_four_kilobytes_injected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
