/* SPDX-License-Identifier: MIT
 *
 * net/stack/frag.h: reassembly of fragments, of IPv4 (RFC 791 section 3.2, RFC 815)
 * and of IPv6 (RFC 8200 section 4.5).
 *
 * Owns: the datagrams under way. Bounded in number and bytes, timed (60 s: RFC 1122
 * section 3.3.2), and an overlap ends its datagram (RFC 5722's rule, taken for IPv4 too: no
 * legitimate sender overlaps, and what different hosts make of an overlap is an
 * attacker's tool).
 * Who calls: netd. Pure code with an injected allocator. Context: one thread.
 */
#ifndef NET_STACK_FRAG_H
#define NET_STACK_FRAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAG_DATAGRAMS 32
#define FRAG_PER_SOURCE 8              /* datagrams under way from one address */
#define FRAG_BYTES (512u * 1024)       /* all datagrams together */
#define FRAG_PIECES_MAX 64             /* pieces of one datagram */
#define FRAG_TIMEOUT_NS (60ull * 1000000000)
#define FRAG_HEADER_MAX 176             /* IPv6: with extension headers and the fragment header */
#define FRAG_QUOTE_MAX (FRAG_HEADER_MAX + 8) /* header and eight bytes of a datagram that never completed */
#define FRAG_KEY 38                     /* family, source, destination, protocol, identification */

struct frag_piece {
    uint32_t start, end; /* byte range of the payload, end exclusive */
};
struct frag_datagram {
    bool used;
    uint8_t key[FRAG_KEY];
    uint8_t header[FRAG_HEADER_MAX]; /* of the first fragment; IPv6: its fragment header, too */
    uint8_t header_len, next_at;     /* next_at: IPv6: where the fragment header is announced */
    uint16_t npieces;
    uint32_t total;      /* payload bytes; 0 while the last piece is missing */
    uint32_t have, room; /* bytes received; bytes allocated */
    uint8_t *data;
    uint64_t expiry_ns;
    struct frag_piece piece[FRAG_PIECES_MAX];
};
struct frag {
    void *ctx;
    void *(*alloc)(void *ctx, size_t bytes);
    void (*free)(void *ctx, void *p);
    /* Time ran out for a datagram whose first piece is here: that piece's header and
     * first bytes, for an ICMP time exceeded (RFC 792). NULL after frag_init: nobody cares. */
    void (*expired)(void *ctx, const uint8_t *quote, size_t len);
    struct frag_datagram datagram[FRAG_DATAGRAMS];
    size_t bytes;
    uint64_t in, done, bad, overlaps, timeouts, full;
};

void frag_init(struct frag *f, void *ctx, void *(*alloc)(void *, size_t), void (*release)(void *, void *));
/* Takes one fragment (no link header). When it completes a datagram,
 * returns it whole, with a new header and checksum, in memory from alloc that
 * the caller frees; *len is its size. NULL otherwise. */
uint8_t *frag_input(struct frag *f, const uint8_t *packet, size_t len, uint64_t now_ns, size_t *whole_len);
void frag_run(struct frag *f, uint64_t now_ns); /* drops what is too old */
uint64_t frag_deadline(const struct frag *f);

#endif
