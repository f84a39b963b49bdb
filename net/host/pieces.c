/* SPDX-License-Identifier: MIT
 *
 * net/host/pieces.c: see pieces.h.
 */
#include <net/host/pieces.h>
#include <net/stack/ns.h>

#define IP6_HDR   40u
#define FRAG_HDR  8u
#define FRAGMENT  44
#define IP4_MORE  0x2000u

/* The header of a piece with `len` bytes from `off` on; returns its length. */
static uint32_t put_header(uint8_t *h, const uint8_t *whole, uint32_t off, uint32_t len, bool more, uint32_t id)
{
    struct net_addr src = {{0}}, dst = {{0}};

    if (whole[0] >> 4 == 4) {
        memcpy(&src, whole + 12, 4);
        memcpy(&dst, whole + 16, 4);
        ip4_header(h, 20 + len, (uint16_t)id, (uint16_t)(off / 8 | (more ? IP4_MORE : 0)), whole[8], whole[9], &src,
                   &dst);
        return 20;
    }
    memcpy(h, whole, IP6_HDR);
    put16(h + 4, (uint16_t)(FRAG_HDR + len));
    h[6] = FRAGMENT;
    h[IP6_HDR] = whole[6];
    h[IP6_HDR + 1] = 0;
    put16(h + IP6_HDR + 2, (uint16_t)(off | more));
    put32(h + IP6_HDR + 4, id);
    return IP6_HDR + FRAG_HDR;
}

static bool may_cut(const uint8_t *p)
{
    if (p[0] >> 4 == 4)
        return (p[0] & 15) == 5 && p[9] != NET_TCP && (get16(p + 6) & (IP4_DF | 0x3fff)) == 0;
    return p[6] == NET_UDP || p[6] == NET_ICMP6;
}

int pieces_send(const uint8_t *packet, size_t n, uint32_t mtu, uint32_t id,
                int (*send)(void *ctx, const uint8_t *piece, size_t n), void *ctx)
{
    uint32_t skip = packet[0] >> 4 == 4 ? 20 : IP6_HDR, head = skip == 20 ? 20 : IP6_HDR + FRAG_HDR;
    uint32_t text = (uint32_t)n - skip, room = (mtu - head) & ~7u;
    uint8_t piece[65535];
    int r = 0;

    if (!may_cut(packet))
        return -EMSGSIZE;
    for (uint32_t off = 0; off < text && r == 0; off += room) {
        uint32_t len = text - off < room ? text - off : room;
        uint32_t at = put_header(piece, packet, off, len, off + len < text, id);
        memcpy(piece + at, packet + skip + off, len);
        r = send(ctx, piece, at + len);
    }
    return r;
}
