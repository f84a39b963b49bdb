/* SPDX-License-Identifier: MIT
 *
 * drivers/vj.h: Van Jacobson's TCP/IP header compression for slow lines
 * (RFC 1144), as a point-to-point link uses it in front of its framing.
 *
 * Owns: struct vj, the state of both directions of one line. Nothing here
 * knows connections as TCP does: a slot holds the last header that went by, and
 * what is sent instead of the next one is the difference.
 * Context: whatever the link's transmit and poll run in. Lock: the caller's.
 *
 * The type of a packet is in the top bits of its first byte (RFC 1144, 3.2.3):
 * an IPv4 packet begins with 4, an uncompressed TCP packet that fills a slot
 * with 7 (its protocol field names the slot), a compressed one has the top bit.
 */
#ifndef DRIVERS_VJ_H
#define DRIVERS_VJ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VJ_SLOTS          16  /* RFC 1144, 3.2.2; what the usual peers have */
#define VJ_HEADER_MAX     120 /* IPv4 header and TCP header with all options */
#define VJ_COMPRESSED_MAX 19  /* mask, slot, checksum, five deltas of three bytes */

struct vj_slot {
    uint8_t header[VJ_HEADER_MAX]; /* as last sent or received, whole */
    uint8_t header_len;            /* 0: empty */
    uint32_t used;                 /* when, in packets sent: the oldest is reused */
    uint16_t data_len;             /* of that packet, for the special cases of 3.2.3 */
};

struct vj {
    struct vj_slot tx[VJ_SLOTS], rx[VJ_SLOTS];
    uint32_t clock;
    uint8_t tx_last, rx_last; /* slot of the packet before; VJ_NO_SLOT: name it */
    bool rx_toss;             /* drop compressed packets until one names its slot */
    uint64_t tx_compressed, tx_uncompressed, rx_compressed, rx_uncompressed;
    uint64_t rx_errors; /* compressed packets that nothing could be made of */
    uint64_t rx_tossed; /* compressed packets dropped after an error of the line */
};

void vj_init(struct vj *v);

/* What to send for an IPv4 packet of total_len bytes that begins with
 * header[0..have). Returns how many bytes of the packet's start are to be
 * replaced by out[0..*out_len): 0 when it goes as it is. */
size_t vj_compress(struct vj *v, const uint8_t *header, size_t have, size_t total_len,
                   uint8_t out[VJ_HEADER_MAX], size_t *out_len);

/* Does this first byte begin a packet that vj_decompress wants? */
static inline bool vj_is_type(uint8_t first)
{
    return (first & 0x80) != 0 || (first & 0xf0) == 0x70;
}

/* A packet that came in, of either type. Writes its whole header to out and
 * says in *skip how many bytes of it that replaces. Returns the header's length,
 * or 0 when the packet has to be dropped (counted in rx_errors or rx_tossed). */
size_t vj_decompress(struct vj *v, const uint8_t *packet, size_t bytes, uint8_t out[VJ_HEADER_MAX],
                     size_t *skip);

/* The line lost or damaged a frame: what follows may be relative to it, so the
 * next compressed packet counts only if it names its slot (RFC 1144, 4.1). */
void vj_line_error(struct vj *v);

#endif
