/* SPDX-License-Identifier: MIT
 *
 * libc/addrsort.h: which of several addresses to try first (RFC 6724). Pure code.
 */
#ifndef LIBC_ADDRSORT_H
#define LIBC_ADDRSORT_H

#include <slipway/netdproto.h>
#include <stdbool.h>

struct sort_entry {
    struct netd_address to;
    bool reachable;         /* there is a route to it */
    struct net_addr source; /* and this is the address that it would be used from */
};

/* Best first; equals keep their order. Rules 1, 2, 5, 6, 8 and, for IPv6, 9 of section 6;
 * the others need to know of tunnels and old addresses, which there are none of. */
void addr_sort(struct sort_entry *list, unsigned n);

#endif
