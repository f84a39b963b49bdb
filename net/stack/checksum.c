/* SPDX-License-Identifier: MIT
 *
 * net/stack/checksum.c: the sum over a block; see checksum.h.
 *
 * On x86-64 one add-with-carry sums eight bytes, so a full segment costs about
 * 250 instructions, and 400 when it is copied along. NS_CSUM_PORTABLE selects the C form (the unit test builds
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

/* Moves leave the carry alone. */
static inline uint64_t copy64(uint64_t sum, uint8_t *to, const uint8_t *p)
{
    __asm__("movups 0(%2), %%xmm0\n\t"
            "movups 16(%2), %%xmm1\n\t"
            "movups 32(%2), %%xmm2\n\t"
            "movups 48(%2), %%xmm3\n\t"
            "addq 0(%2), %0\n\t"
            "adcq 8(%2), %0\n\t"
            "adcq 16(%2), %0\n\t"
            "adcq 24(%2), %0\n\t"
            "adcq 32(%2), %0\n\t"
            "adcq 40(%2), %0\n\t"
            "adcq 48(%2), %0\n\t"
            "adcq 56(%2), %0\n\t"
            "movups %%xmm0, 0(%3)\n\t"
            "movups %%xmm1, 16(%3)\n\t"
            "movups %%xmm2, 32(%3)\n\t"
            "movups %%xmm3, 48(%3)\n\t"
            "adcq $0, %0"
            : "+r"(sum), "=m"(*(uint8_t(*)[64])to)
            : "r"(p), "r"(to), "m"(*(const uint8_t(*)[64])p)
            : "cc", "xmm0", "xmm1", "xmm2", "xmm3");
    return sum;
}
#else
static inline uint64_t sum64(uint64_t sum, const uint8_t *p)
{
    for (int i = 0; i < 64; i += 8)
        sum = csum_add(sum, load64(p + i));
    return sum;
}

static inline uint64_t copy64(uint64_t sum, uint8_t *to, const uint8_t *p)
{
    __builtin_memcpy(to, p, 64);
    return sum64(sum, p);
}
#endif

/* The last seven bytes at most. */
static uint64_t sum_rest(uint64_t sum, const uint8_t *p, size_t n)
{
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

uint64_t csum_bytes(uint64_t sum, const void *data, size_t n)
{
    const uint8_t *p = (const uint8_t *)data;

    for (; n >= 64; n -= 64, p += 64)
        sum = sum64(sum, p);
    for (; n >= 8; n -= 8, p += 8)
        sum = csum_add(sum, load64(p));
    return sum_rest(sum, p, n);
}

uint64_t csum_copy(uint64_t sum, void *dst, const void *src, size_t n)
{
    const uint8_t *p = (const uint8_t *)src;
    uint8_t *to = (uint8_t *)dst;

    for (; n >= 128; n -= 128, p += 128, to += 128)
        sum = copy64(copy64(sum, to, p), to + 64, p + 64);
    for (; n >= 8; n -= 8, p += 8, to += 8) {
        uint64_t v = load64(p);
        __builtin_memcpy(to, &v, 8);
        sum = csum_add(sum, v);
    }
    for (size_t i = 0; i < n; i++)
        to[i] = p[i];
    return sum_rest(sum, p, n);
}
