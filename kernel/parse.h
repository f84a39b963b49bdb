/* SPDX-License-Identifier: MIT
 *
 * kernel/parse.h: numbers and addresses in the text of boot options.
 *
 * Owns: nothing. Pure; options.c checks with it what others read with it later.
 */
#ifndef KERNEL_PARSE_H
#define KERNEL_PARSE_H

#include <stdbool.h>
#include <stdint.h>

/* A decimal number in [lo, hi] at *s; steps behind it. */
static inline bool parse_decimal(const char **s, uint32_t lo, uint32_t hi, uint32_t *out)
{
    uint64_t v = 0;
    const char *p = *s;

    for (; *p >= '0' && *p <= '9' && p - *s < 10; p++)
        v = v * 10 + (uint64_t)(*p - '0');
    if (p == *s || v < lo || v > hi)
        return false;
    *s = p;
    *out = (uint32_t)v;
    return true;
}

/* "1.2.3.4" at *s; steps behind it. */
static inline bool parse_ipv4(const char **s, uint8_t out[4])
{
    uint32_t v;

    for (unsigned i = 0; i < 4; i++) {
        if (i > 0 && *(*s)++ != '.')
            return false;
        if (!parse_decimal(s, 0, 255, &v))
            return false;
        out[i] = (uint8_t)v;
    }
    return true;
}

#endif
