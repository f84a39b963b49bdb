/* SPDX-License-Identifier: MIT
 *
 * slipway/siphash.h: SipHash-2-4, a keyed hash of short inputs (Aumasson and
 * Bernstein, 2012). Net core derives port secrets with it, libnet initial
 * sequence numbers and time-stamp offsets (RFC 6528, RFC 7323).
 *
 * Owns: nothing; pure functions. Any context, no lock.
 */
#ifndef SLIPWAY_SIPHASH_H
#define SLIPWAY_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY_BYTES 16

static inline uint64_t siphash_load(const uint8_t *p)
{
    uint64_t v;

    __builtin_memcpy(&v, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

static inline void siphash_rounds(uint64_t v[4], int n)
{
#define SIPHASH_ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
    while (n-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = SIPHASH_ROTL(v[1], 13) ^ v[0];
        v[3] = SIPHASH_ROTL(v[3], 16) ^ v[2];
        v[0] = SIPHASH_ROTL(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = SIPHASH_ROTL(v[1], 17) ^ v[2];
        v[3] = SIPHASH_ROTL(v[3], 21) ^ v[0];
        v[2] = SIPHASH_ROTL(v[2], 32);
    }
#undef SIPHASH_ROTL
}

static inline uint64_t siphash24(const uint8_t key[SIPHASH_KEY_BYTES], const void *data, size_t bytes)
{
    const uint8_t *p = (const uint8_t *)data;
    uint64_t k0 = siphash_load(key), k1 = siphash_load(key + 8);
    uint64_t last = (uint64_t)bytes << 56;
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
                     k1 ^ 0x7465646279746573u};

    for (; bytes >= 8; bytes -= 8, p += 8) {
        uint64_t m = siphash_load(p);
        v[3] ^= m;
        siphash_rounds(v, 2);
        v[0] ^= m;
    }
    for (size_t i = 0; i < bytes; i++)
        last |= (uint64_t)p[i] << (8 * i);
    v[3] ^= last;
    siphash_rounds(v, 2);
    v[0] ^= last;
    v[2] ^= 0xff;
    siphash_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
