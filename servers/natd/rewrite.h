/* SPDX-License-Identifier: MIT
 *
 * servers/natd/rewrite.h: fields of IPv4 packets, and changing them together
 * with the checksums that cover them.
 *
 * Owns: nothing. Shared by nat.c and icmp.c. No bounds are checked here: the
 * callers have.
 */
#ifndef NATD_REWRITE_H
#define NATD_REWRITE_H

#include <net/stack/checksum.h>
#include <stddef.h>
#include <stdint.h>

#define PROTO_ICMP 1
#define PROTO_TCP  6
#define PROTO_UDP  17

static inline uint16_t load16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}
static inline void store16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline uint32_t load_addr(const uint8_t *p) /* stays in network order */
{
    uint32_t v;
    __builtin_memcpy(&v, p, 4);
    return v;
}
static inline void store_addr(uint8_t *p, uint32_t v)
{
    __builtin_memcpy(p, &v, 4);
}

static inline size_t ip_header(const uint8_t *p)
{
    return (size_t)(p[0] & 15) * 4;
}
static inline uint16_t ip_offset(const uint8_t *p) /* in 8-byte units */
{
    return load16(p + 6) & 0x1fff;
}
static inline int ip_more(const uint8_t *p)
{
    return (p[6] & 0x20) != 0;
}
static inline int ip_dont_fragment(const uint8_t *p)
{
    return (p[6] & 0x40) != 0;
}

/* RFC 1624, equation 3: the checksum at `sum` after a 16-bit word changed. */
static inline void sum_adjust(uint8_t *sum, uint16_t was, uint16_t is)
{
    uint32_t s = (uint16_t)~load16(sum) + (uint32_t)(uint16_t)~was + is;

    s = (s & 0xffff) + (s >> 16);
    s = (s & 0xffff) + (s >> 16);
    store16(sum, ~s & 0xffff);
}
static inline void sum_adjust_addr(uint8_t *sum, const uint8_t *was, const uint8_t *is)
{
    sum_adjust(sum, load16(was), load16(is));
    sum_adjust(sum, load16(was + 2), load16(is + 2));
}

/* The checksum of a block whose own field at `sum` is zero so far. */
static inline void sum_make(uint8_t *sum, const uint8_t *p, size_t len)
{
    uint16_t s = csum_finish(csum_bytes(0, p, len));

    __builtin_memcpy(sum, &s, 2);
}

#endif
