/* SPDX-License-Identifier: MIT
 *
 * tests/unit/net6_rig.h: IPv6 for the net core's unit tests, on top of
 * net_harness.h: addresses as text, packets, configuration.
 *
 * This host is fe80::1 and 2001:db8::1/64 on eth0, the peer is fe80::9 and
 * 2001:db8::9.
 */
#ifndef TESTS_UNIT_NET6_RIG_H
#define TESTS_UNIT_NET6_RIG_H

#include <tests/unit/net_harness.h>
#include <arpa/inet.h>
#include <stdio.h>

#define OWN6   "2001:db8::1"
#define PEER6  "2001:db8::9"
#define LOCAL6 "fe80::1"
#define NEAR6  "fe80::9"

static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
static const uint8_t solicited_mac[6] = {0x33, 0x33, 0xff, 0, 0, 1};

UNUSED static struct net_addr addr6(const char *text)
{
    struct net_addr a;

    assert_int_equal(inet_pton(AF_INET6, text, a.b), 1);
    return a;
}

UNUSED static int config6(uint32_t kind, uint16_t link, const char *addr, uint8_t prefix, const char *gateway,
                          uint32_t flags)
{
    struct net_config c = {.kind = kind,
                           .link = link,
                           .family = NET_INET6,
                           .prefix = prefix,
                           .flags = flags,
                           .addr = addr6(addr)};

    if (gateway != NULL)
        c.gateway = addr6(gateway);
    return net_config_apply(NULL, &c);
}

UNUSED static int set_neighbour6(const char *addr, const uint8_t mac[6], uint8_t state)
{
    struct net_config c = {.kind = NETCFG_NEIGH_SET,
                           .link = world.eth.index,
                           .family = NET_INET6,
                           .state = state,
                           .addr = addr6(addr)};

    memcpy(c.mac, mac, 6);
    return net_config_apply(NULL, &c);
}

UNUSED static void world6_up(void **state)
{
    world_up(state);
    assert_int_equal(config6(NETCFG_ADDR_ADD, world.eth.index, LOCAL6, 64, NULL, 0), 0);
    assert_int_equal(config6(NETCFG_ADDR_ADD, world.eth.index, OWN6, 64, NULL, 0), 0);
    assert_int_equal(set_neighbour6(PEER6, peer_mac, NEIGH_REACHABLE), 0);
    assert_int_equal(set_neighbour6(NEAR6, peer_mac, NEIGH_REACHABLE), 0);
}

UNUSED static struct net_port_key port_key6(uint8_t proto, uint16_t lo, uint16_t hi)
{
    struct net_port_key k = port_key(proto, lo, hi);

    k.family = NET_INET6;
    return k;
}

/* --- packets; each returns its length -------------------------------------------------- */

UNUSED static uint32_t make_ip6(uint8_t *p, uint8_t next, const char *src, const char *dst, uint32_t payload)
{
    struct net_addr s = addr6(src), d = addr6(dst);

    memset(p, 0, 40 + payload);
    p[0] = 0x60;
    put16(p + 4, payload);
    p[6] = next;
    p[7] = 64;
    memcpy(p + 8, s.b, 16);
    memcpy(p + 24, d.b, 16);
    return 40 + payload;
}

UNUSED static uint32_t pseudo6(const uint8_t *p, uint8_t proto, uint32_t len)
{
    uint32_t sum = proto + len;

    for (unsigned i = 8; i < 40; i += 2)
        sum += get16(p + i);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

UNUSED static uint32_t make_udp6(uint8_t *p, const char *src, uint16_t sport, const char *dst, uint16_t dport,
                                 uint32_t data)
{
    uint32_t n = make_ip6(p, NET_UDP, src, dst, 8 + data);

    put16(p + 40, sport);
    put16(p + 42, dport);
    put16(p + 44, 8 + data);
    for (uint32_t i = 0; i < data; i++)
        p[48 + i] = (uint8_t)(i * 7 + 1);
    put16(p + 46, slow_checksum(p + 40, 8 + data, pseudo6(p, NET_UDP, 8 + data)));
    return n;
}

UNUSED static uint32_t make_tcp6(uint8_t *p, const char *src, uint16_t sport, const char *dst, uint16_t dport,
                                 uint8_t flags)
{
    uint32_t n = make_ip6(p, NET_TCP, src, dst, 20);

    put16(p + 40, sport);
    put16(p + 42, dport);
    p[52] = 0x50;
    p[53] = flags;
    return n;
}

UNUSED static uint32_t make_icmp6(uint8_t *p, const char *src, const char *dst, uint8_t type, uint16_t id,
                                  uint32_t data)
{
    uint32_t n = make_ip6(p, NET_ICMP6, src, dst, 8 + data);

    p[40] = type;
    put16(p + 44, id);
    put16(p + 42, slow_checksum(p + 40, 8 + data, pseudo6(p, NET_ICMP6, 8 + data)));
    return n;
}

/* Puts a header of `bytes` (a multiple of 8) and this type behind the IP header of
 * the packet of n bytes; what follows is another header of the same kind, or the
 * transport. */
UNUSED static uint32_t insert6(uint8_t *p, uint32_t n, uint8_t type, const uint8_t *rest, unsigned bytes)
{
    memmove(p + 40 + bytes, p + 40, n - 40);
    p[40] = p[6];
    p[41] = (uint8_t)(bytes / 8 - 1);
    memcpy(p + 42, rest, bytes - 2);
    p[6] = type;
    put16(p + 4, n - 40 + bytes);
    return n + bytes;
}

UNUSED static void rx6(const void *packet, uint32_t len)
{
    rx_frame(host_mac, 0x86dd, packet, len);
}

#endif
