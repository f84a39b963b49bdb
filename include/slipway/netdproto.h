/* SPDX-License-Identifier: MIT
 *
 * slipway/netdproto.h: what netd answers under the name "netd".
 *
 * Every reply's type is 0 or a negative errno; times are CLOCK_MONOTONIC ns.
 */
#ifndef SLIPWAY_NETDPROTO_H
#define SLIPWAY_NETDPROTO_H

#include <slipway/message.h>
#include <stdint.h>

enum netd_request {
    NETD_LINK = 1,  /* data: uint32_t index; reply: struct netd_link; -ENOENT after the last */
    NETD_DNS = 2,   /* reply: struct netd_dns */
    NETD_RENEW = 3, /* data: uint32_t index: ask the DHCP server again now */
};

struct netd_link {
    char name[8];
    char state[12];     /* "static", or the DHCP state */
    uint8_t address[4], server[4], router[4];
    uint32_t prefix;
    uint64_t expiry_ns; /* UINT64_MAX: never */
    uint32_t conflicts, pad;
};

struct netd_dns {
    uint32_t count;
    uint8_t server[4][4];
    char domain[40];
};

_Static_assert(sizeof(struct netd_link) <= MSG_INLINE_MAX, "one message");
_Static_assert(sizeof(struct netd_dns) <= MSG_INLINE_MAX, "one message");

#endif
