/* SPDX-License-Identifier: MIT
 *
 * drivers/slip_mux.h: console text and IP packets on one line (SLIPMUX,
 * draft-bormann-t2trg-slipmux: the first byte of a frame tells its kind).
 *
 * Owns: struct slip_mux, whether the next received byte belongs to a frame.
 * Between frames stands bare text: a plain terminal types so. Two ends that
 * disagree about where frames begin would take a packet for typing; so only a
 * frame that makes sense leads outside, and bytes that no terminal sends lead
 * back in, where everything is dropped up to the next END. Silence ends a frame
 * that was only noise. Context: poll. Lock: the kernel's.
 */
#ifndef DRIVERS_SLIP_MUX_H
#define DRIVERS_SLIP_MUX_H

#include <drivers/slip_codec.h>

#define SLIP_KIND_TEXT   0x0au
#define SLIP_KIND_CONFIG 0xa9u
#define SLIP_TEXT_MAX    128u /* bytes of text a frame: 11 ms of a line at 115,200 baud */
#define SLIP_SILENCE_NS  3000000000ull

struct slip_mux {
    bool on;
    bool outside;      /* between two frames */
    uint64_t heard_ns; /* when bytes last came */
    /* Dropped: configuration; frames of no kind; bare bytes that are no text. */
    uint64_t config, unknown, stray;
};

void slip_mux_init(struct slip_mux *m, bool on);
/* Bytes are about to be looked at. */
void slip_mux_heard(struct slip_mux *m, struct slip_rx *rx, uint64_t now_ns);
/* While outside: types what is typed; returns how many bytes it read. */
size_t slip_mux_bare(struct slip_mux *m, struct slip_rx *rx, const uint8_t *in, size_t bytes);
/* A whole frame: true when it is an IP packet, the caller's; the rest is dealt
 * with. `compressed`: it has a compressed header (RFC 1144). */
bool slip_mux_frame(struct slip_mux *m, const uint8_t *frame, size_t bytes, bool compressed);

#endif
