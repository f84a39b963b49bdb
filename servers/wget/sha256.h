/* SPDX-License-Identifier: MIT
 *
 * servers/wget/sha256.h: SHA-256 (FIPS 180-4), to say what was received.
 *
 * Owns: nothing; the caller holds the state. Not for secrets.
 */
#ifndef WGET_SHA256_H
#define WGET_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
    uint32_t h[8];
    uint64_t bytes;
    uint8_t block[64]; /* what does not fill a block yet */
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t n);
void sha256_end(struct sha256 *s, uint8_t digest[32]);

#endif
