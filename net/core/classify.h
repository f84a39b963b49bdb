/* SPDX-License-Identifier: MIT
 *
 * net/core/classify.h: what classifying IPv4 and IPv6 have in common.
 *
 * Owns: nothing. Shared by classify.c and classify6.c only; context and lock: as in
 * net/core/core.h.
 */
#ifndef NET_CORE_CLASSIFY_H
#define NET_CORE_CLASSIFY_H

#include <net/core/ports.h>

/* Whom an IP destination is for. */
enum ip_for { FOR_US, FOR_GROUP, FOR_OTHERS, FOR_NOBODY };

static inline void classify_drop(struct target *t, enum net_drop why)
{
    t->drop = (uint8_t)why;
}
void classify_to_slot(struct target *t, enum net_slot slot);
/* True when a flow or a port claims the packet; else `t` is untouched, but for
 * t->port when the port is reserved. */
bool classify_claimed(struct packet *p, struct target *t);
/* TCP and UDP: l4_len bytes from the transport header on. */
void classify_l4(struct packet *p, const uint8_t *l4, uint32_t l4_len, struct target *t);

void classify_ipv6(struct packet *p, struct target *t); /* p->l3: from the IP header on */

#endif
