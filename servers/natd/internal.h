/* SPDX-License-Identifier: MIT
 *
 * servers/natd/internal.h: what nat.c and icmp.c share.
 */
#ifndef NATD_INTERNAL_H
#define NATD_INTERNAL_H

#include "nat.h"
#include "rewrite.h"

/* nat.c */
struct nat_session *nat_find_inside(struct nat *n, uint8_t proto, uint32_t addr, uint16_t port,
                                    uint32_t remote, uint16_t remote_port, uint64_t now,
                                    uint16_t *outside_port);
struct nat_session *nat_find_outside(struct nat *n, uint8_t proto, uint16_t port, uint32_t remote,
                                     uint16_t remote_port, uint64_t now);
void nat_drop(struct nat *n, struct nat_result *r, enum nat_drop why);
/* The address at packet[at]; the header's checksum and `also` (NULL: none) follow. */
void nat_change_addr(uint8_t *packet, size_t at, uint32_t to, uint8_t *also);

/* icmp.c: an error about `about` into r->reply, unless RFC 1122 3.2.2 forbids one. */
void nat_icmp_error(const uint8_t *about, size_t len, uint32_t from_addr, uint8_t type, uint8_t code,
                    uint32_t mtu, struct nat_result *r);
/* Errors that pass: the packet that they quote is translated, too. */
void nat_icmp_outbound(struct nat *n, uint8_t *p, size_t len, uint64_t now, struct nat_result *r);
void nat_icmp_inbound(struct nat *n, uint8_t *p, size_t len, uint64_t now, struct nat_result *r);

#endif
