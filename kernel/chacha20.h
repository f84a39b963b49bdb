/* SPDX-License-Identifier: MIT
 *
 * kernel/chacha20.h: one block of ChaCha20 (RFC 8439, section 2.3).
 *
 * Pure code, tested on the host with the RFC's vectors. Context: any.
 */
#ifndef KERNEL_CHACHA20_H
#define KERNEL_CHACHA20_H

#include <stdint.h>

#define CHACHA20_ROTATE(v, n) ((v) << (n) | (v) >> (32 - (n)))
#define CHACHA20_QUARTER(a, b, c, d)       \
    do {                                   \
        a += b, d = CHACHA20_ROTATE(d ^ a, 16); \
        c += d, b = CHACHA20_ROTATE(b ^ c, 12); \
        a += b, d = CHACHA20_ROTATE(d ^ a, 8);  \
        c += d, b = CHACHA20_ROTATE(b ^ c, 7);  \
    } while (0)

/* state: 4 constants, 8 key words, counter, 3 nonce words (section 2.3). */
static inline void chacha20_block(const uint32_t state[16], uint32_t out[16])
{
    uint32_t x[16];

    for (unsigned i = 0; i < 16; i++)
        x[i] = state[i];
    for (unsigned round = 0; round < 10; round++) {
        CHACHA20_QUARTER(x[0], x[4], x[8], x[12]);
        CHACHA20_QUARTER(x[1], x[5], x[9], x[13]);
        CHACHA20_QUARTER(x[2], x[6], x[10], x[14]);
        CHACHA20_QUARTER(x[3], x[7], x[11], x[15]);
        CHACHA20_QUARTER(x[0], x[5], x[10], x[15]);
        CHACHA20_QUARTER(x[1], x[6], x[11], x[12]);
        CHACHA20_QUARTER(x[2], x[7], x[8], x[13]);
        CHACHA20_QUARTER(x[3], x[4], x[9], x[14]);
    }
    for (unsigned i = 0; i < 16; i++)
        out[i] = x[i] + state[i];
}

#endif
