/* SPDX-License-Identifier: MIT
 *
 * net/stack/checksum.h: the Internet checksum (RFC 1071), eight bytes at a time.
 *
 * Owns: nothing; pure functions over bytes in memory order. A sum is a 64-bit
 * ones-complement accumulator; csum_finish folds it into what a header field
 * holds. Any context, no lock.
 */
#ifndef NET_STACK_CHECKSUM_H
#define NET_STACK_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* a + b with end-around carry. */
static inline uint64_t csum_add(uint64_t a, uint64_t b)
{
    a += b;
    return a + (a < b);
}

/* The sum as 16 bits, in memory order. */
static inline uint16_t csum_fold(uint64_t sum)
{
    uint32_t x = (uint32_t)sum, hi = (uint32_t)(sum >> 32);

    x += hi;
    x += x < hi;
    x = (x & 0xffff) + (x >> 16);
    x = (x & 0xffff) + (x >> 16);
    return (uint16_t)x;
}

/* What goes into the checksum field (already in memory order). */
static inline uint16_t csum_finish(uint64_t sum)
{
    return (uint16_t)~csum_fold(sum);
}

/* Sum of a block that begins at an odd byte of the message (RFC 1071, 2.B). */
static inline uint64_t csum_odd(uint64_t sum)
{
    uint16_t f = csum_fold(sum);

    return (uint16_t)((f << 8) | (f >> 8));
}

/* Sum of n bytes added to `sum`. */
uint64_t csum_bytes(uint64_t sum, const void *p, size_t n);

/* The same while it copies them to dst: memory is read once. Not overlapping. */
uint64_t csum_copy(uint64_t sum, void *dst, const void *src, size_t n);

/* A 20-byte header, such as IPv4 without options: no loop. */
static inline uint64_t csum_20(const void *p)
{
    uint64_t a, b;
    uint32_t c;

    __builtin_memcpy(&a, p, 8);
    __builtin_memcpy(&b, (const uint8_t *)p + 8, 8);
    __builtin_memcpy(&c, (const uint8_t *)p + 16, 4);
    return csum_add(csum_add(a, b), c);
}

#endif
