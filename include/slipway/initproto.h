/* SPDX-License-Identifier: MIT
 *
 * slipway/initproto.h: what init answers under the name "init".
 *
 * Every request carries a server's name in data (NUL-terminated) unless said
 * otherwise; every reply's type is 0 or a negative errno.
 */
#ifndef SLIPWAY_INITPROTO_H
#define SLIPWAY_INITPROTO_H

#include <slipway/message.h>
#include <stdint.h>

enum init_request {
    INIT_START = 1,   /* start a listed server */
    INIT_STOP = 2,    /* stop it, no restart */
    INIT_STATUS = 3,  /* data: uint32_t index; reply: struct init_status */
    INIT_READY = 4,   /* sender: "I serve now" (no name) */
    INIT_REPORT = 5,  /* reply carries a memory object: last crash report */
    INIT_ADDRESS = 6, /* netd: struct init_address, printed as a ready: line */
};

enum init_state { SERVER_OFF = 0, SERVER_STARTING, SERVER_UP, SERVER_BACKOFF, SERVER_FAILED, SERVER_DONE };

struct init_status {
    char name[NAME_MAX_BYTES];
    uint32_t pid, state, restarts;
    int32_t last_status;
    uint64_t since_ns;
};

struct init_address {
    char link[8];
    char text[48]; /* the address as it shall be printed */
};

#endif
