/* SPDX-License-Identifier: MIT
 *
 * net/core/checksum.c: the Internet checksum (RFC 1071) over headers and over
 * packets in pieces, for links that do not complete it themselves.
 *
 * Owns: nothing; pure functions. The sum is taken over 16-bit words as they lie
 * in memory: the byte order cancels out (RFC 1071, section 2 (B)).
 */
#include <net/core/internal.h>

static inline uint32_t load32(const uint8_t *p)
{
    uint32_t v;
    __builtin_memcpy(&v, p, 4);
    return v;
}

uint64_t checksum_add(uint64_t sum, const void *data, size_t bytes)
{
    const uint8_t *p = data;
    uint16_t half;

    /* 32-bit words into 64 bits: no carry can be lost below 16 GiB. */
    for (; bytes >= 32; bytes -= 32, p += 32)
        sum += (uint64_t)load32(p) + load32(p + 4) + load32(p + 8) + load32(p + 12) + load32(p + 16) +
               load32(p + 20) + load32(p + 24) + load32(p + 28);
    for (; bytes >= 4; bytes -= 4, p += 4)
        sum += load32(p);
    if (bytes >= 2) {
        __builtin_memcpy(&half, p, 2);
        sum += half;
        p += 2;
        bytes -= 2;
    }
    if (bytes != 0)
        sum += *p; /* padded with a zero byte behind it */
    return sum;
}

uint16_t checksum_fold(uint64_t sum)
{
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

uint16_t ip_checksum(const uint8_t *h, unsigned bytes)
{
    return (uint16_t)~checksum_fold(checksum_add(0, h, bytes));
}

/* A piece that begins at an odd offset contributes its sum with the bytes of
 * each word exchanged (RFC 1071, section 2 (B)). */
uint16_t checksum_turned(const void *data, size_t bytes, uint32_t at)
{
    uint16_t part = checksum_fold(checksum_add(0, data, bytes));

    return (at & 1) != 0 ? __builtin_bswap16(part) : part;
}
