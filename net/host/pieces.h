/* SPDX-License-Identifier: MIT
 *
 * net/host/pieces.h: a datagram that is longer than its link allows, cut into
 * fragments (RFC 791 section 3.2; RFC 8200 section 4.5). Owns: nothing; a pure
 * function. Any context.
 */
#ifndef NET_HOST_PIECES_H
#define NET_HOST_PIECES_H

#include <stddef.h>
#include <stdint.h>

/* Sends the n bytes of `packet`, an IPv4 or IPv6 header without options or extension
 * headers and what follows it, in pieces of at most `mtu` bytes (1280 or more; IPv4
 * also less), each by send(), which sees it until it returns. `id` tells the pieces of one datagram from
 * those of another. 0, the first error of send(), or -EMSGSIZE: it may not be cut. */
int pieces_send(const uint8_t *packet, size_t n, uint32_t mtu, uint32_t id,
                int (*send)(void *ctx, const uint8_t *piece, size_t n), void *ctx);

#endif
