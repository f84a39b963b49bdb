/* SPDX-License-Identifier: MIT
 *
 * slipway/natproto.h: what natd answers under the name "natd".
 */
#ifndef SLIPWAY_NATPROTO_H
#define SLIPWAY_NATPROTO_H

#include <slipway/message.h>
#include <stdint.h>

enum nat_request {
    NAT_STATUS = 1, /* reply: struct nat_status */
    NAT_DROP = 2,   /* data: uint32_t index; reply: struct nat_drop_status; -ENOENT after the last */
};

struct nat_status {
    uint64_t translated_out, translated_in, evicted, not_sent;
    uint32_t sessions;
    uint8_t outside[4]; /* our address there; all zero: none yet */
    char inside_link[8], outside_link[8];
};

struct nat_drop_status {
    uint64_t count;
    char name[16];
};

_Static_assert(sizeof(struct nat_status) <= MSG_INLINE_MAX, "one message");
_Static_assert(sizeof(struct nat_drop_status) <= MSG_INLINE_MAX, "one message");

#endif
