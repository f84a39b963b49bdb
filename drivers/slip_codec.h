/* SPDX-License-Identifier: MIT
 *
 * drivers/slip_codec.h: packets to bytes and back (RFC 1055).
 *
 * Owns: the state between two bytes of a line. A frame that is too long or
 * holds a broken escape is dropped whole and counted; the next END starts
 * afresh. Pure: builds on the host. Context: any; one user for each state.
 */
#ifndef DRIVERS_SLIP_CODEC_H
#define DRIVERS_SLIP_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLIP_END 0xc0u
#define SLIP_ESC 0xdbu
#define SLIP_ESC_END 0xdcu
#define SLIP_ESC_ESC 0xddu

struct slip_rx {
    uint8_t *buf;       /* the frame so far */
    size_t cap, len;    /* cap: longest packet taken */
    bool escaped;       /* the last byte was ESC */
    bool dropping;      /* until END */
    uint64_t frames, oversize, escapes;
};

void slip_rx_init(struct slip_rx *rx, uint8_t *buf, size_t cap);
/* Forgets the frame so far; the next byte is the first of another. */
void slip_rx_restart(struct slip_rx *rx);
/* Reads bytes until a frame is complete or `in` is used up; returns how many it
 * read. *frame becomes the length of a frame that now lies in rx->buf, else 0.
 * It stays there until the next call. Empty frames are skipped. */
size_t slip_decode(struct slip_rx *rx, const uint8_t *in, size_t bytes, size_t *frame);

/* Escapes `bytes` bytes of a packet's middle; `out` has room for twice that.
 * Returns what it wrote. The END before and after a packet is the caller's. */
size_t slip_encode(uint8_t *out, const uint8_t *in, size_t bytes);
#define SLIP_ENCODED_MAX(bytes) (2 * (bytes) + 2)

#endif
