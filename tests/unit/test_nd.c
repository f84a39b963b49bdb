/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_nd.c: neighbour discovery, our own addresses, routers: the test
 * is the link, with its own clock.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <net/stack/checksum.h>
#include <net/stack/nd.h>
#include <stdlib.h>
#include <string.h>

#define S 1000000000ull
static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 1}, peer_mac[6] = {2, 0, 0, 0, 0, 2},
                     other_mac[6] = {2, 0, 0, 0, 0, 3};
static const struct net_addr none, own_ll = {{0xfe, 0x80, [8] = 0, 0, 0, 0xff, 0xfe, 0, 0, 1}},
                                   peer_ll = {{0xfe, 0x80, [15] = 2}}, other_ll = {{0xfe, 0x80, [15] = 3}},
                                   own_group = {{0xff, 2, [11] = 1, 0xff, 0, 0, 1}},
                                   all_nodes = {{0xff, 2, [15] = 1}}, net = {{0xfd, 1, [7] = 7}},
                                   own_global = {{0xfd, 1, [7] = 7, 0, 0, 0, 0xff, 0xfe, 0, 0, 1}},
                                   peer_global = {{0xfd, 1, [7] = 7, [15] = 2}};

static struct nd n;
static uint64_t now;
static struct {
    unsigned sent, resent, unreachable, duplicates, changed, blocks;
    uint8_t packet[ND_PACKET_MAX], mac[6];
    bool to_mac;
    size_t len;
    /* the kernel's side */
    enum neigh_state neighbour; /* of the last learn */
    uint8_t learned[6];
    struct net_addr address[8], gateway;
    uint32_t flags[8], mtu, prefix_mtu;
    unsigned addresses, defaults, prefixes;
} seen;

static void t_send(void *c, uint16_t link, const uint8_t *mac, const void *p, size_t len)
{
    (void)c, (void)link;
    seen.sent++;
    seen.to_mac = mac != NULL;
    if (mac)
        memcpy(seen.mac, mac, 6);
    assert_true(len <= sizeof(seen.packet));
    memcpy(seen.packet, p, len);
    seen.len = len;
}
static void t_learn(void *c, uint16_t link, const struct net_addr *ip, const uint8_t mac[6],
                    enum neigh_state st)
{
    (void)c, (void)link, (void)ip;
    seen.neighbour = st;
    memcpy(seen.learned, mac, 6);
}
static void t_resend(void *c, uint16_t link, const uint8_t mac[6], const void *p, size_t len)
{
    (void)c, (void)link, (void)p, (void)len;
    memcpy(seen.mac, mac, 6);
    seen.resent++;
}
static void t_unreachable(void *c, uint16_t link, const void *p, size_t len)
{
    (void)c, (void)link, (void)p, (void)len;
    seen.unreachable++;
}
static void t_address(void *c, uint32_t kind, uint16_t link, const struct net_addr *ip, uint8_t prefix,
                      uint32_t flags)
{
    unsigned i = 0;

    (void)c, (void)link;
    assert_int_equal(prefix, 64);
    while (i < seen.addresses && !nd_same(&seen.address[i], ip))
        i++;
    if (kind == NETCFG_ADDR_DEL) {
        assert_true(i < seen.addresses);
        seen.address[i] = seen.address[--seen.addresses];
        return;
    }
    seen.address[i] = *ip;
    seen.flags[i] = flags;
    if (i == seen.addresses)
        seen.addresses++;
}
static void t_route(void *c, uint32_t kind, uint16_t link, const struct net_addr *dst, uint8_t prefix,
                    const struct net_addr *gateway, uint32_t mtu)
{
    (void)c, (void)link;
    if (prefix == 0) {
        assert_true(nd_same(dst, &none));
        seen.defaults += kind == NETCFG_ROUTE_ADD ? 1u : -1u;
        seen.gateway = *gateway;
        seen.mtu = mtu;
    } else {
        seen.prefixes += kind == NETCFG_ROUTE_ADD ? 1u : -1u;
        seen.prefix_mtu = mtu;
    }
}
static void t_changed(void *c, uint16_t link)
{
    (void)c, (void)link;
    seen.changed++;
}
static void t_duplicate(void *c, uint16_t link, const struct net_addr *ip, const uint8_t mac[6])
{
    (void)c, (void)link, (void)ip, (void)mac;
    seen.duplicates++;
}
static uint32_t t_random(void *c)
{
    (void)c;
    return 512; /* the middle of RFC 4861's range of reachable times */
}
static void *t_alloc(void *c, size_t bytes)
{
    (void)c;
    seen.blocks++;
    return malloc(bytes);
}
static void t_free(void *c, void *p)
{
    (void)c;
    seen.blocks--;
    free(p);
}
static const struct nd_env env = {.send = t_send,
                                  .learn = t_learn,
                                  .resend = t_resend,
                                  .unreachable = t_unreachable,
                                  .address = t_address,
                                  .route = t_route,
                                  .changed = t_changed,
                                  .duplicate = t_duplicate,
                                  .random = t_random,
                                  .alloc = t_alloc,
                                  .free = t_free};

static int setup(void **st)
{
    (void)st;
    memset(&seen, 0, sizeof(seen));
    now = 100 * S;
    nd_init(&n, &env);
    return 0;
}
static int teardown(void **st)
{
    (void)st;
    nd_link_down(&n, 1);
    assert_int_equal(seen.blocks, 0);
    return 0;
}

static void run_until(uint64_t when)
{
    for (int i = 0; i < 1000 && nd_deadline(&n) <= when; i++) {
        if (nd_deadline(&n) > now)
            now = nd_deadline(&n);
        nd_run(&n, now);
    }
    now = when;
}

static void up(bool autoconf)
{
    nd_link_up(&n, 1, "eth0", own_mac, 1500, autoconf, NULL, now);
    run_until(now + 2 * S); /* the search for duplicates is over */
    seen.sent = 0;
}

static uint16_t sum(const uint8_t *p, size_t len)
{
    size_t skip = p[6] == 0 ? 8 : 0;
    uint8_t pseudo[8] = {0, 0,        (uint8_t)((len - skip - 40) >> 8), (uint8_t)(len - skip - 40), 0, 0,
                         0, NET_ICMP6};
    return csum_finish(
        csum_bytes(csum_bytes(csum_bytes(0, p + 8, 32), pseudo, 8), p + 40 + skip, len - 40 - skip));
}

/* A message on its way to us, from peer_mac; options behind the fixed part. */
static uint8_t msg[300];
static size_t msg_len;
static void begin(uint8_t type, size_t fixed, const struct net_addr *src, const struct net_addr *dst)
{
    memset(msg, 0, sizeof(msg));
    msg[0] = 0x60;
    msg[6] = NET_ICMP6;
    msg[7] = 255;
    memcpy(msg + 8, src, 16);
    memcpy(msg + 24, dst, 16);
    msg[40] = type;
    msg_len = 40 + fixed;
}
static uint8_t *option(uint8_t type, uint8_t eights)
{
    uint8_t *o = msg + msg_len;
    o[0] = type;
    o[1] = eights;
    msg_len += eights * 8u;
    return o;
}
static void deliver_from(const uint8_t *mac)
{
    uint16_t c;
    msg[4] = (uint8_t)((msg_len - 40) >> 8);
    msg[5] = (uint8_t)(msg_len - 40);
    msg[42] = msg[43] = 0;
    c = sum(msg, msg_len);
    memcpy(msg + 42, &c, 2);
    nd_input(&n, 1, msg, msg_len, false, mac, now);
}
static void deliver(void)
{
    deliver_from(peer_mac);
}

static void advert(const struct net_addr *target, uint8_t flags, const uint8_t *mac)
{
    begin(136, 24, target, flags & 0x40 ? &own_ll : &all_nodes);
    msg[44] = flags;
    memcpy(msg + 48, target, 16);
    if (mac)
        memcpy(option(2, 1) + 2, mac, 6);
    deliver();
}
static void solicit(const struct net_addr *src, const struct net_addr *target, bool with_mac)
{
    struct net_addr group;
    nd_solicited_group(target, &group);
    begin(135, 24, src, &group);
    memcpy(msg + 48, target, 16);
    if (with_mac)
        memcpy(option(1, 1) + 2, peer_mac, 6);
    deliver();
}

static void packet_to(const struct net_addr *ip)
{
    uint8_t p[48] = {0x60};
    memcpy(p + 8, &own_ll, 16);
    memcpy(p + 24, ip, 16);
    nd_resolve(&n, 1, ip, p, sizeof(p), now);
}

/* --- neighbours ------------------------------------------------------------- */

static void a_neighbour_is_found(void **st)
{
    (void)st;
    up(false);
    packet_to(&peer_ll);
    packet_to(&peer_ll);
    assert_int_equal(seen.sent, 1);
    assert_false(seen.to_mac);
    assert_int_equal(seen.packet[40], 135);
    assert_int_equal(seen.packet[7], 255);
    assert_memory_equal(seen.packet + 48, &peer_ll, 16);
    assert_int_equal(seen.packet[39], 2); /* to the solicited node's group */
    assert_int_equal(seen.packet[64], 1); /* and says where we are */
    assert_memory_equal(seen.packet + 66, own_mac, 6);
    assert_int_equal(sum(seen.packet, seen.len), 0);
    advert(&peer_ll, 0x60, peer_mac);
    assert_int_equal(seen.resent, 2);
    assert_int_equal(seen.neighbour, NEIGH_REACHABLE);
    assert_memory_equal(seen.learned, peer_mac, 6);
}

static void nobody_answers(void **st)
{
    (void)st;
    up(false);
    for (int i = 0; i < 20; i++)
        packet_to(&peer_ll); /* C-ND-2: no more than eight wait */
    assert_int_equal(seen.blocks, ND_WAITING_PER_ENTRY);
    run_until(now + 10 * S);
    assert_int_equal(seen.sent, 3);
    assert_int_equal(seen.unreachable, ND_WAITING_PER_ENTRY);
    assert_int_equal(n.failed, 1);
    assert_true(nd_deadline(&n) == ND_FOREVER); /* nothing is left to do */
}

/* RFC 4861 7.3: stale after its time, asked about only when it is used. */
static void a_neighbour_grows_stale(void **st)
{
    (void)st;
    up(false);
    packet_to(&peer_ll);
    advert(&peer_ll, 0x60, peer_mac);
    seen.sent = 0;
    run_until(now + 40 * S);
    assert_int_equal(seen.neighbour, NEIGH_NONE);
    assert_int_equal(seen.sent, 0);
    run_until(now + 600 * S);
    assert_int_equal(seen.sent, 0);
    packet_to(&peer_ll); /* goes at once, by what is known */
    assert_int_equal(seen.resent, 2);
    assert_int_equal(seen.neighbour, NEIGH_STALE);
    assert_int_equal(seen.sent, 0);
    run_until(now + 5 * S);
    assert_int_equal(seen.sent, 1); /* the probe, to the neighbour alone */
    assert_true(seen.to_mac);
    assert_memory_equal(seen.packet + 24, &peer_ll, 16);
    advert(&peer_ll, 0x40, NULL);
    assert_int_equal(seen.neighbour, NEIGH_REACHABLE);
    run_until(now + 5 * S);
    assert_int_equal(seen.sent, 1);
}

static void a_neighbour_that_went_away_is_forgotten(void **st)
{
    (void)st;
    up(false);
    packet_to(&peer_ll);
    advert(&peer_ll, 0x60, peer_mac);
    run_until(now + 40 * S);
    packet_to(&peer_ll);
    seen.sent = 0;
    run_until(now + 20 * S);
    assert_int_equal(seen.sent, 3);
    assert_int_equal(seen.neighbour, NEIGH_NONE);
    assert_int_equal(n.failed, 1);
}

/* The table of RFC 4861 7.2.5. */
static void flags_decide(void **st)
{
    (void)st;
    up(false);
    packet_to(&peer_ll);
    advert(&peer_ll, 0, NULL); /* without an address it says nothing to an open question */
    assert_int_equal(seen.resent, 0);
    advert(&peer_ll, 0x60, peer_mac);
    assert_int_equal(seen.resent, 1);
    advert(&peer_ll, 0x40, other_mac); /* no override: not believed, but doubted */
    assert_int_equal(seen.neighbour, NEIGH_NONE);
    packet_to(&peer_ll);
    assert_memory_equal(seen.mac, peer_mac, 6);
    advert(&peer_ll, 0x20, other_mac); /* override: believed, stale */
    packet_to(&peer_ll);
    assert_memory_equal(seen.mac, other_mac, 6);
    advert(&peer_ll, 0x60, peer_mac);
    assert_int_equal(seen.neighbour, NEIGH_REACHABLE);
    assert_memory_equal(seen.learned, peer_mac, 6);
    assert_int_equal(n.ignored, 0);
    advert(&other_ll, 0x60, other_mac); /* nobody asked */
    assert_int_equal(n.ignored, 1);
}

static void we_answer(void **st) /* C-ND-3 */
{
    (void)st;
    up(false);
    solicit(&peer_ll, &own_ll, true);
    assert_int_equal(seen.sent, 1);
    assert_int_equal(seen.packet[40], 136);
    assert_int_equal(seen.packet[44], 0x60);
    assert_true(seen.to_mac);
    assert_memory_equal(seen.mac, peer_mac, 6);
    assert_memory_equal(seen.packet + 24, &peer_ll, 16);
    assert_memory_equal(seen.packet + 48, &own_ll, 16);
    packet_to(&peer_ll); /* its own address came with the question */
    assert_int_equal(seen.resent, 1);
    solicit(&none, &own_ll, false); /* a search for a duplicate: ours is in use */
    assert_int_equal(seen.packet[44], 0x20);
    assert_memory_equal(seen.packet + 24, &all_nodes, 16);
    solicit(&peer_ll, &other_ll, true); /* somebody else's */
    assert_int_equal(seen.sent, 2);
}

static void forgeries_are_refused(void **st) /* C-ND-1 */
{
    uint64_t bad;

    (void)st;
    up(true);
    seen.sent = 0;
    bad = n.bad;
    begin(135, 24, &peer_ll, &own_group);
    memcpy(msg + 48, &own_ll, 16);
    msg[7] = 254; /* from beyond the link */
    deliver();
    msg[7] = 255;
    msg[41] = 1; /* code */
    deliver();
    msg[41] = 0;
    option(1, 1);
    msg[65] = 0; /* an option of no length */
    deliver();
    msg[65] = 2; /* longer than what is there */
    deliver();
    msg_len = 60; /* no target */
    deliver();
    assert_int_equal(n.bad, bad + 5);
    solicit(&none, &own_ll, true); /* nobody has no address on the link */
    begin(135, 24, &none, &all_nodes);
    memcpy(msg + 48, &own_ll, 16);
    deliver();
    begin(136, 24, &peer_ll, &all_nodes); /* an answer to nobody in particular */
    msg[44] = 0x40;
    memcpy(msg + 48, &peer_ll, 16);
    deliver();
    begin(134, 16, &peer_global, &all_nodes); /* a router is known by its link-local address */
    deliver();
    assert_int_equal(n.bad, bad + 9);
    deliver();
    msg[60] ^= 1;
    nd_input(&n, 1, msg, msg_len, false, peer_mac, now); /* checksum */
    assert_int_equal(n.bad, bad + 11);
    assert_int_equal(seen.sent, 0);
    begin(137, 40, &peer_ll, &own_ll);
    deliver();
    assert_int_equal(n.redirects, 1); /* counted, not followed */
    assert_int_equal(seen.defaults, 0);
    for (size_t len = 0; len < 120; len++)
        nd_input(&n, 1, msg, len, true, peer_mac, now);
}

static void the_table_is_bounded(void **st) /* C-ND-2 */
{
    struct net_addr ip = peer_ll;

    (void)st;
    up(false);
    for (int i = 0; i < 2 * ND_ENTRIES; i++) {
        ip.b[13] = (uint8_t)(i >> 8);
        ip.b[14] = (uint8_t)i;
        ip.b[15] = 9;
        packet_to(&ip);
    }
    assert_int_equal(n.dropped, ND_ENTRIES);
    run_until(now + 10 * S);
    assert_int_equal(seen.blocks, 0);
}

/* Whoever claims to be a router must not keep its place for that. */
static void claims_do_not_fill_the_table(void **st) /* C-ND-2 */
{
    struct net_addr ip = other_ll;

    (void)st;
    up(true);
    for (int i = 0; i < 2 * ND_ENTRIES; i++) {
        ip.b[13] = (uint8_t)(i >> 8);
        ip.b[14] = (uint8_t)i;
        begin(134, 16, &ip, &all_nodes);
        memcpy(option(1, 1) + 2, other_mac, 6);
        msg[46] = i == 0 ? 7 : 0; /* the first is our router */
        deliver_from(other_mac);
        advert(&ip, 0x80, other_mac);
    }
    packet_to(&peer_global);
    assert_int_equal(n.dropped, 0);
    advert(&peer_global, 0x40, peer_mac);
    assert_int_equal(seen.resent, 1);
    ip.b[13] = ip.b[14] = 0;
    packet_to(&ip); /* it is still known: the packet goes at once */
    assert_int_equal(seen.resent, 2);
}

/* --- our addresses -------------------------------------------------------------- */

static void link_local_at_once(void **st)
{
    (void)st;
    nd_link_up(&n, 1, "eth0", own_mac, 1500, true, NULL, now);
    assert_int_equal(seen.addresses, 1);
    assert_true(nd_same(&seen.address[0], &own_ll)); /* EUI-64 */
    assert_int_equal(seen.packet[48], 143);          /* the group is joined: a report ... */
    assert_memory_equal(seen.packet + 8, &none, 16); /* from nobody yet */
    assert_int_equal(seen.packet[6], 0);
    assert_int_equal(seen.packet[7], 1);
    assert_int_equal(seen.packet[56], 4);
    assert_memory_equal(seen.packet + 60, &own_group, 16);
    assert_int_equal(sum(seen.packet, seen.len), 0);
    nd_run(&n, now);
    assert_int_equal(n.solicits_out, 1); /* the search for a duplicate */
    assert_int_equal(n.rs_out, 1);
    assert_int_equal(seen.packet[40], 133);
    assert_int_equal(seen.len, 48); /* RFC 4429: it does not say where we are */
    run_until(now + 1 * S);
    assert_int_equal(n.solicits_out, 1);
    assert_int_equal(n.mld_out, 2);
    run_until(now + 4 * S);
    assert_int_equal(n.rs_out, 2);
    assert_int_equal(seen.len, 56);
    run_until(now + 3600 * S); /* ever more seldom (RFC 7559) */
    assert_in_range(n.rs_out, 8, 12);
}

static void a_duplicate_is_given_up(void **st) /* C-ND-5 */
{
    (void)st;
    nd_link_up(&n, 1, "eth0", own_mac, 1500, true, NULL, now);
    nd_run(&n, now);
    advert(&own_ll, 0x20, peer_mac);
    assert_int_equal(seen.duplicates, 1);
    assert_int_equal(seen.addresses, 0);
    seen.sent = 0;
    run_until(now + 100 * S);
    assert_int_equal(seen.sent, 0);
}

static void two_search_at_once(void **st)
{
    (void)st;
    nd_secret(&n, "stable", 6);
    nd_link_up(&n, 1, "eth0", own_mac, 1500, false, NULL, now);
    nd_run(&n, now);
    assert_int_equal(seen.addresses, 1);
    struct net_addr first = seen.address[0];
    assert_true(nd_link_local(&first));
    assert_false(nd_same(&first, &own_ll)); /* RFC 7217 */
    solicit(&none, &first, false);
    assert_int_equal(seen.duplicates, 1);
    assert_int_equal(seen.addresses, 1); /* another one */
    assert_false(nd_same(&seen.address[0], &first));
    run_until(now + 2 * S);
    solicit(&none, &seen.address[0], false); /* unique by now: defended */
    assert_int_equal(seen.packet[40], 136);
    assert_int_equal(seen.addresses, 1);
    nd_link_down(&n, 1);
    setup(NULL);
    nd_secret(&n, "stable", 6);
    nd_link_up(&n, 1, "eth0", own_mac, 1500, false, NULL, now);
    assert_true(nd_same(&seen.address[0], &first)); /* the same after each boot */
}

static void an_unchecked_address_overrides_nobody(void **st) /* C-ND-3 */
{
    (void)st;
    nd_link_up(&n, 1, "eth0", own_mac, 1500, false, NULL, now);
    nd_run(&n, now);
    solicit(&peer_ll, &own_ll, true);
    assert_int_equal(seen.packet[40], 136);
    assert_int_equal(seen.packet[44], 0x40);
    packet_to(&other_ll);
    assert_int_equal(seen.packet[40], 135);
    assert_int_equal(seen.len, 64); /* says not where it is */
}

/* --- routers ----------------------------------------------------------------------- */

static void ra_begin(uint16_t life_s)
{
    begin(134, 16, &peer_ll, &all_nodes);
    msg[44] = 64;
    msg[46] = (uint8_t)(life_s >> 8);
    msg[47] = (uint8_t)life_s;
}
static void put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24), p[1] = (uint8_t)(v >> 16), p[2] = (uint8_t)(v >> 8), p[3] = (uint8_t)v;
}
static void ra_prefix(uint8_t flags, uint32_t valid_s, uint32_t preferred_s)
{
    uint8_t *o = option(3, 4);
    o[2] = 64;
    o[3] = flags;
    put32(o + 4, valid_s);
    put32(o + 8, preferred_s);
    memcpy(o + 16, &net, 16);
}

static void an_advertisement_configures(void **st)
{
    uint8_t *o;

    (void)st;
    up(true);
    ra_begin(1800);
    memcpy(option(1, 1) + 2, peer_mac, 6);
    o = option(5, 1);
    put32(o + 4, 1400);
    ra_prefix(0xc0, 7200, 3600);
    o = option(25, 3);
    put32(o + 4, 600);
    memcpy(o + 8, &peer_global, 16);
    o = option(31, 3);
    put32(o + 4, 600);
    memcpy(o + 8, "\4home\4arpa\0", 11);
    deliver();
    assert_int_equal(seen.defaults, 1);
    assert_true(nd_same(&seen.gateway, &peer_ll));
    assert_int_equal(seen.mtu, 1400);
    assert_int_equal(seen.prefixes, 1);
    assert_int_equal(seen.prefix_mtu, 1400);
    assert_int_equal(seen.addresses, 2);
    assert_true(nd_same(&seen.address[1], &own_global));
    assert_int_equal(seen.flags[1], ADDR_OFF_LINK);
    assert_true(nd_same(&n.link[1].dns.server[0], &peer_global));
    assert_string_equal(n.link[1].dns.domain, "home.arpa");
    assert_true(n.link[1].solicit_ns == ND_FOREVER);
    packet_to(&peer_ll); /* where it lives came along */
    assert_int_equal(seen.resent, 1);
    run_until(now + 601 * S);
    assert_true(n.link[1].dns.until_ns[0] == 0 && n.link[1].dns.domain_until_ns == 0);
    run_until(now + 1300 * S);
    assert_int_equal(seen.defaults, 0);
    run_until(now + 1800 * S);
    assert_int_equal(seen.flags[1], ADDR_OFF_LINK | ADDR_DEPRECATED);
    run_until(now + 3600 * S);
    assert_int_equal(seen.addresses, 1);
    assert_int_equal(seen.prefixes, 0);
}

static void one_message_ends_nothing(void **st) /* C-ND-4 */
{
    (void)st;
    up(true);
    ra_begin(1800);
    ra_prefix(0x40, 86400, 3600);
    deliver();
    ra_begin(1800);
    ra_prefix(0x40, 1, 0);
    deliver();
    assert_int_equal(seen.flags[1], ADDR_OFF_LINK | ADDR_DEPRECATED); /* that may be said */
    run_until(now + 7000 * S);
    assert_int_equal(seen.addresses, 2);
    ra_begin(1800);
    ra_prefix(0x40, 1, 0);
    deliver();
    run_until(now + 201 * S);
    assert_int_equal(seen.addresses, 1);
}

static void what_makes_no_sense_is_left(void **st)
{
    (void)st;
    up(true);
    ra_begin(0);               /* not a default router */
    ra_prefix(0x40, 100, 200); /* preferred for longer than valid */
    deliver();
    assert_int_equal(seen.addresses, 1);
    assert_int_equal(seen.defaults, 0);
    ra_begin(0);
    ra_prefix(0xc0, 100, 100);
    msg[56 + 16] = 0xfe; /* fe80::/64 is nobody's to give */
    msg[56 + 17] = 0x80;
    deliver();
    assert_int_equal(seen.addresses, 1);
    assert_int_equal(seen.prefixes, 0);
    ra_begin(0);
    ra_prefix(0xc0, UINT32_MAX, UINT32_MAX);
    deliver();
    assert_int_equal(seen.addresses, 2);
    run_until(now + 1000000 * S);
    assert_int_equal(seen.addresses, 2);
    nd_link_down(&n, 1);
    setup(NULL);
    up(false); /* nobody asked for any of it */
    ra_begin(1800);
    ra_prefix(0xc0, 7200, 3600);
    deliver();
    assert_int_equal(seen.addresses, 1);
    assert_int_equal(seen.defaults, 0);
}

static void a_dead_router_makes_room(void **st) /* C-ND-6 */
{
    (void)st;
    up(true);
    ra_begin(1800);
    memcpy(option(1, 1) + 2, peer_mac, 6);
    deliver();
    ra_begin(1800);
    memcpy(msg + 8, &other_ll, 16);
    memcpy(option(1, 1) + 2, other_mac, 6);
    deliver_from(other_mac);
    assert_true(nd_same(&seen.gateway, &peer_ll)); /* the first stays */
    assert_int_equal(seen.defaults, 1);
    packet_to(&peer_ll);
    run_until(now + 20 * S); /* it does not answer */
    assert_int_equal(seen.defaults, 1);
    assert_true(nd_same(&seen.gateway, &other_ll));
    ra_begin(1800);
    memcpy(msg + 8, &other_ll, 16);
    msg[45] = 0x18; /* of low preference from now on */
    deliver_from(other_mac);
    ra_begin(1800);
    deliver(); /* the first is back */
    assert_true(nd_same(&seen.gateway, &peer_ll));
}

/* Who has told of more routers than there is room for does not keep the true one out. */
static void dead_routers_make_room_in_the_table(void **st)
{
    struct net_addr ip = other_ll;

    (void)st;
    up(true);
    for (unsigned i = 0; i <= ND_ROUTERS; i++) {
        ip.b[15] = (uint8_t)(0x80 + i);
        ra_begin(65535);
        memcpy(msg + 8, &ip, 16);
        msg[45] = 0x08; /* of high preference */
        deliver_from(other_mac);
    }
    ip.b[15] = 0x80;
    assert_true(nd_same(&seen.gateway, &ip));
    ra_begin(1800);
    deliver();
    assert_true(nd_same(&seen.gateway, &ip)); /* no room */
    packet_to(&ip);
    run_until(now + 20 * S);
    assert_false(nd_same(&seen.gateway, &ip));
    ra_begin(1800);
    msg[45] = 0x08;
    deliver();
    for (unsigned i = 1; i < ND_ROUTERS; i++) {
        assert_false(nd_same(&seen.gateway, &peer_ll));
        ip = seen.gateway;
        packet_to(&ip);
        run_until(now + 20 * S);
    }
    assert_true(nd_same(&seen.gateway, &peer_ll));
}

static void a_new_netd_goes_on(void **st)
{
    static struct nd_kept kept;

    (void)st;
    up(true);
    ra_begin(1800);
    ra_prefix(0xc0, 7200, 3600);
    deliver();
    run_until(now + 2 * S);
    nd_keep(&n, &kept);
    nd_init(&n, &env);
    seen.sent = 0;
    now += 100 * S;
    nd_link_up(&n, 1, "eth0", own_mac, 1500, true, &kept, now);
    run_until(now + 10 * S);
    assert_int_equal(seen.addresses, 2);
    assert_int_equal(seen.defaults, 1);
    assert_int_equal(n.rs_out, 0);
    assert_int_equal(n.solicits_out, 0); /* unique before, unique now */
    run_until(now + 1800 * S);
    assert_int_equal(seen.defaults, 0); /* and it still ends */
}

static void queries_are_answered(void **st)
{
    uint64_t before;

    (void)st;
    up(false);
    before = n.mld_out;
    begin(130, 28, &peer_ll, &all_nodes);
    msg[7] = 1;
    msg[44] = 0x27; /* 10 s */
    msg[45] = 0x10;
    deliver();
    assert_int_equal(n.mld_out, before);
    run_until(now + 10 * S);
    assert_int_equal(n.mld_out, before + 1);
    assert_int_equal(seen.packet[48], 143);
    assert_int_equal(seen.packet[56], 2);
    assert_memory_equal(seen.packet + 60, &own_group, 16);
    assert_memory_equal(seen.packet + 8, &own_ll, 16);
    msg[7] = 64; /* not from this link */
    deliver();
    run_until(now + 10 * S);
    assert_int_equal(n.mld_out, before + 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_neighbour_is_found),
        T(nobody_answers),
        T(a_neighbour_grows_stale),
        T(a_neighbour_that_went_away_is_forgotten),
        T(flags_decide),
        T(we_answer),
        T(forgeries_are_refused),
        T(the_table_is_bounded),
        T(claims_do_not_fill_the_table),
        T(link_local_at_once),
        T(a_duplicate_is_given_up),
        T(two_search_at_once),
        T(an_unchecked_address_overrides_nobody),
        T(an_advertisement_configures),
        T(one_message_ends_nothing),
        T(what_makes_no_sense_is_left),
        T(a_dead_router_makes_room),
        T(dead_routers_make_room_in_the_table),
        T(a_new_netd_goes_on),
        T(queries_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
