/* SPDX-License-Identifier: MIT
 *
 * net/stack/checksum.c: the sum over a block; see checksum.h.
 *
 * On x86-64 one add-with-carry sums eight bytes, so a full segment costs about
 * 250 instructions. NS_CSUM_PORTABLE selects the C form (the unit test builds
 * both and compares them).
 */
#include <net/stack/checksum.h>

static inline uint64_t load64(const uint8_t *p)
{
    uint64_t v;

    __builtin_memcpy(&v, p, 8);
    return v;
}

#if defined(__x86_64__) && !defined(NS_CSUM_PORTABLE)
static inline uint64_t sum64(uint64_t sum, const uint8_t *p)
{
    __asm__("addq 0(%1), %0\n\t"
            "adcq 8(%1), %0\n\t"
            "adcq 16(%1), %0\n\t"
            "adcq 24(%1), %0\n\t"
            "adcq 32(%1), %0\n\t"
            "adcq 40(%1), %0\n\t"
            "adcq 48(%1), %0\n\t"
            "adcq 56(%1), %0\n\t"
            "adcq $0, %0"
            : "+r"(sum)
            : "r"(p), "m"(*(const uint8_t(*)[64])p)
            : "cc");
    return sum;
}
#else
static inline uint64_t sum64(uint64_t sum, const uint8_t *p)
{
    for (int i = 0; i < 64; i += 8)
        sum = csum_add(sum, load64(p + i));
    return sum;
}
#endif

uint64_t csum_bytes(uint64_t sum, const void *data, size_t n)
{
    const uint8_t *p = (const uint8_t *)data;

    for (; n >= 64; n -= 64, p += 64)
        sum = sum64(sum, p);
    for (; n >= 8; n -= 8, p += 8)
        sum = csum_add(sum, load64(p));
    if (n & 4) {
        uint32_t v;
        __builtin_memcpy(&v, p, 4);
        sum = csum_add(sum, v);
        p += 4;
    }
    if (n & 2) {
        uint16_t v;
        __builtin_memcpy(&v, p, 2);
        sum = csum_add(sum, v);
        p += 2;
    }
    if (n & 1) {
        uint16_t v = 0;
        __builtin_memcpy(&v, p, 1); /* padded with a zero byte in memory order */
        sum = csum_add(sum, v);
    }
    return sum;
}
