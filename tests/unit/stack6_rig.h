/* SPDX-License-Identifier: MIT
 *
 * tests/unit/stack6_rig.h: IPv6 on the bench of stack_rig.h: our address is
 * fd00::1 (fe80::1 on link 1), the peer's fd00::2 and fe80::2.
 */
#ifndef TESTS_UNIT_STACK6_RIG_H
#define TESTS_UNIT_STACK6_RIG_H

#include "stack_rig.h"

static const struct net_addr our6 = {{0xfd, [15] = 1}}, peer6 = {{0xfd, [15] = 2}},
                             our6_ll = {{0xfe, 0x80, [15] = 1}}, peer6_ll = {{0xfe, 0x80, [15] = 2}},
                             none6 = {{0}}, group6 = {{0xff, 2, [15] = 1}};

struct out6 {
    bool any;
    uint32_t label;
    uint16_t link;
    uint8_t next, hops;
    struct net_addr src, dst;
    uint32_t len; /* behind the IPv6 header */
    uint8_t data[10000];
};

/* The next packet, which must be IPv6 and whole, with a right checksum. */
static inline struct out6 rig6_out(void)
{
    struct out6 o = {.any = false};
    uint8_t p[10040];
    uint16_t link;
    uint32_t n = rig_packet(p, sizeof(p), &link);
    uint64_t sum;

    if (n == 0)
        return o;
    assert_int_equal(p[0] >> 4, 6);
    assert_int_equal(get16(p + 4), n - 40);
    o = (struct out6){.any = true,
                      .label = get32(p) & 0xfffff,
                      .link = link,
                      .next = p[6],
                      .hops = p[7],
                      .len = n - 40};
    memcpy(&o.src, p + 8, 16);
    memcpy(&o.dst, p + 24, 16);
    memcpy(o.data, p + 40, o.len);
    sum = csum_add(ip_pseudo(NET_INET6, o.next, &o.src, &o.dst), ns_swap16((uint16_t)o.len));
    assert_int_equal(csum_fold(csum_bytes(sum, o.data, o.len)), 0xffff);
    return o;
}

/* An IPv6 packet to us: `ext` bytes of extension headers (the first is of type
 * `first`), then the transport message, whose checksum is filled in. */
static inline void rig6_in_ext(const struct net_addr *src, const struct net_addr *dst, uint8_t first,
                               uint32_t ext, uint8_t proto, const uint8_t *data, uint32_t n,
                               unsigned csum_off, uint8_t slot)
{
    uint8_t p[10040];
    uint64_t sum = csum_add(ip_pseudo(NET_INET6, proto, src, dst), ns_swap16((uint16_t)(n - ext)));

    ip6_header(p, 0x60000000u, n, ext != 0 ? first : proto, 64, src, dst);
    memcpy(p + 40, data, n);
    put16(p + 40 + ext + csum_off, 0);
    put16_raw(p + 40 + ext + csum_off, csum_finish(csum_bytes(sum, p + 40 + ext, n - ext)));
    rig_in_raw(p, 40 + n, slot);
}
static inline void rig6_in(const struct net_addr *src, const struct net_addr *dst, uint8_t proto,
                           const uint8_t *data, uint32_t n, unsigned csum_off)
{
    rig6_in_ext(src, dst, 0, 0, proto, data, n, csum_off, 0);
}

static inline void rig6_udp(const struct net_addr *src, const struct net_addr *dst, uint16_t sport,
                            uint16_t dport, const void *text, uint32_t n)
{
    uint8_t b[4096];

    put16(b, sport);
    put16(b + 2, dport);
    put16(b + 4, (uint16_t)(n + 8));
    memcpy(b + 8, text, n);
    rig6_in(src, dst, NET_UDP, b, n + 8, 6);
}

/* A segment from peer port 4000; options in opt. */
static inline void rig6_tcp(const struct net_addr *src, const struct net_addr *dst, uint16_t dport,
                            uint8_t flags, uint32_t seq, uint32_t ack, uint16_t mss, const void *text,
                            uint32_t n)
{
    uint8_t b[4096] = {0};
    uint32_t hl = mss != 0 ? 24 : 20;

    put16(b, 4000);
    put16(b + 2, dport);
    put32(b + 4, seq);
    put32(b + 8, ack);
    b[12] = (uint8_t)(hl / 4 << 4);
    b[13] = flags;
    put16(b + 14, 65535);
    if (mss != 0)
        put32(b + 20, 0x02040000u | mss);
    memcpy(b + hl, text, n);
    rig6_in(src, dst, NET_TCP, b, hl + n, 16);
}

static inline struct ns_addr name6(const struct net_addr *a, uint16_t port)
{
    return (struct ns_addr){.family = NET_INET6, .port = port, .addr = *a};
}
/* ::ffff:10.0.0.2 */
static inline struct ns_addr mapped_peer(uint16_t port)
{
    struct ns_addr a = {.family = NET_INET6, .port = port};

    a.addr.b[10] = a.addr.b[11] = 0xff;
    put32(a.addr.b + 12, PEER_IP);
    return a;
}

#endif
