/* SPDX-License-Identifier: MIT
 *
 * kernel/string.c: memory and string primitives of ring 0.
 *
 * Owns: nothing; pure. Context: any.
 */
#include <kernel/string.h>

/* Without this GCC would turn the loops below into calls to themselves. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

typedef uint64_t __attribute__((may_alias, aligned(1))) word;
typedef uint32_t __attribute__((may_alias, aligned(1))) half;
typedef uint16_t __attribute__((may_alias, aligned(1))) quarter;

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    uint8_t *d = dst;
    const uint8_t *s = src;

    for (; n >= 64; n -= 64, d += 64, s += 64) {
        word *dw = (word *)d;
        const word *sw = (const word *)s;
        uint64_t a = sw[0], b = sw[1], c = sw[2], e = sw[3];
        dw[0] = a, dw[1] = b, dw[2] = c, dw[3] = e;
        a = sw[4], b = sw[5], c = sw[6], e = sw[7];
        dw[4] = a, dw[5] = b, dw[6] = c, dw[7] = e;
    }
    for (; n >= 8; n -= 8, d += 8, s += 8)
        *(word *)d = *(const word *)s;
    if (n & 4) {
        *(half *)d = *(const half *)s;
        d += 4, s += 4;
    }
    if (n & 2) {
        *(quarter *)d = *(const quarter *)s;
        d += 2, s += 2;
    }
    if (n & 1)
        *d = *s;
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    uint8_t *d = dst;
    const uint8_t *s = src;

    if ((uintptr_t)d - (uintptr_t)s >= n) { /* forward copying never overtakes itself */
        for (; n >= 32; n -= 32, d += 32, s += 32) {
            uint64_t a = ((const word *)s)[0], b = ((const word *)s)[1];
            uint64_t c = ((const word *)s)[2], e = ((const word *)s)[3];
            ((word *)d)[0] = a, ((word *)d)[1] = b, ((word *)d)[2] = c, ((word *)d)[3] = e;
        }
        for (; n >= 8; n -= 8, d += 8, s += 8)
            *(word *)d = *(const word *)s;
        while (n-- > 0)
            *d++ = *s++;
        return dst;
    }
    d += n, s += n;
    for (; n >= 8; n -= 8) {
        d -= 8, s -= 8;
        *(word *)d = *(const word *)s;
    }
    while (n-- > 0)
        *--d = *--s;
    return dst;
}

void *memset(void *dst, int byte, size_t n)
{
    uint8_t *d = dst;
    uint64_t v = (uint8_t)byte * 0x0101010101010101ull;

    for (; n >= 64; n -= 64, d += 64) {
        word *w = (word *)d;
        w[0] = v, w[1] = v, w[2] = v, w[3] = v, w[4] = v, w[5] = v, w[6] = v, w[7] = v;
    }
    for (; n >= 8; n -= 8, d += 8)
        *(word *)d = v;
    while (n-- > 0)
        *d++ = (uint8_t)byte;
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    for (; n >= 8 && *(const word *)x == *(const word *)y; n -= 8)
        x += 8, y += 8;
    for (; n > 0; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

void *memchr(const void *s, int byte, size_t n)
{
    for (const uint8_t *p = s; n > 0; n--, p++)
        if (*p == (uint8_t)byte)
            return (void *)p;
    return NULL;
}

size_t strlen(const char *s)
{
    size_t n = 0;
    while (s[n] != 0)
        n++;
    return n;
}

size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;
    while (n < max && s[n] != 0)
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a != 0 && *a == *b)
        a++, b++;
    return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n > 0; n--, a++, b++)
        if (*a != *b || *a == 0)
            return (uint8_t)*a - (uint8_t)*b;
    return 0;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)s;
        if (*s == 0)
            return NULL;
    }
}

size_t strlcpy(char *dst, const char *src, size_t room)
{
    size_t n = strlen(src);
    if (room > 0) {
        size_t k = n < room ? n : room - 1;
        memcpy(dst, src, k);
        dst[k] = 0;
    }
    return n;
}
