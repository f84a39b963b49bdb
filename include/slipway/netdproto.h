/* SPDX-License-Identifier: MIT
 *
 * slipway/netdproto.h: what netd answers under the name "netd".
 *
 * Every reply's type is 0 or a negative errno; times are CLOCK_MONOTONIC ns.
 */
#ifndef SLIPWAY_NETDPROTO_H
#define SLIPWAY_NETDPROTO_H

#include <slipway/message.h>
#include <slipway/net.h>
#include <stdint.h>

enum netd_request {
    NETD_LINK = 1,    /* data: uint32_t index; reply: struct netd_link; -ENOENT after the last */
    NETD_DNS = 2,     /* reply: struct netd_dns */
    NETD_RENEW = 3,   /* data: uint32_t index: ask the DHCP server again now */
    NETD_RESOLVE = 4, /* handle: a memory object of at least NETD_RESOLVE_BYTES that begins with
                         a struct netd_resolve; the reply comes when the answer is in it, or
                         -EINVAL: no name; -EAGAIN: too many questions of yours are open */
    NETD_CLOCK = 5,   /* reply: struct netd_clock */
    NETD_ADOPT = 6,   /* handle: a memory object with the record of one closed TCP connection
                         (slipway/handover.h, HANDOVERF_ORPHAN), its flow offered: 0 and netd
                         delivers what is left; -ENOBUFS: as many as it can hold already */
    NETD_ADOPTED = 7, /* reply: struct netd_adopted */
};

struct netd_link {
    char name[8];
    char state[12];     /* "static", or the DHCP state */
    uint8_t address[4], server[4], router[4];
    uint32_t prefix;
    uint64_t expiry_ns; /* UINT64_MAX: never */
    uint32_t conflicts, pad;
};

struct netd_dns { /* the IPv4 name servers, for who asks them himself */
    uint32_t count;
    uint8_t server[4][4];
    char domain[40];
};

#define NETD_ADOPT_MS 1000
struct netd_adopted {
    uint32_t open, pad;            /* being delivered now */
    uint64_t taken, refused, lost; /* ever; lost: ended with RST for want of memory */
};

/* Names and addresses (net/stack/dns.h has the same values). */
enum { NETD_WANT_A = 1, NETD_WANT_AAAA = 2, NETD_WANT_PTR = 4, NETD_USE_SEARCH = 8 };
enum netd_resolved { NETD_FOUND = 0, NETD_NO_NAME, NETD_NO_DATA, NETD_TRY_LATER, NETD_FAILED };
#define NETD_NAME_MAX 256
#define NETD_ADDRS_MAX 64
#define NETD_RESOLVE_BYTES 4096
#define NETD_RESOLVE_MS 20000 /* netd answers sooner; a caller need not wait longer */

struct netd_address {
    uint8_t family; /* enum net_family */
    uint8_t pad[7];
    struct net_addr addr;
};

struct netd_resolve {
    /* in */
    char name[NETD_NAME_MAX]; /* with its NUL; unused for PTR */
    uint8_t want;             /* NETD_WANT_*, NETD_USE_SEARCH */
    uint8_t family;           /* PTR: of addr */
    uint8_t server_family;    /* 0: the system's servers, and the cache; else `server` alone */
    uint8_t pad;
    uint16_t server_port, server_link;
    struct net_addr addr, server;
    /* out */
    uint8_t status; /* enum netd_resolved */
    uint8_t count;  /* of address[] */
    uint8_t hops;   /* aliases between the two names */
    uint8_t pad2;
    uint32_t ttl_s;
    char found[NETD_NAME_MAX]; /* the canonical name; PTR: the name of the address */
    struct netd_address address[NETD_ADDRS_MAX];
};

/* Where the date comes from. */
struct netd_clock {
    uint8_t state;   /* enum netd_clock_state */
    uint8_t stratum, family, pad;
    uint32_t delay_us;     /* there and back */
    int64_t offset_ns;     /* what the last answer was off by */
    uint64_t when_ns;      /* the last answer; 0: none */
    uint64_t next_ns;      /* the next question */
    struct net_addr server;
};
enum netd_clock_state { NETD_CLOCK_OFF = 0, NETD_CLOCK_ASKING, NETD_CLOCK_SET };

_Static_assert(sizeof(struct netd_link) <= MSG_INLINE_MAX, "one message");
_Static_assert(sizeof(struct netd_dns) <= MSG_INLINE_MAX, "one message");
_Static_assert(sizeof(struct netd_adopted) <= MSG_INLINE_MAX, "one message");
_Static_assert(sizeof(struct netd_clock) <= MSG_INLINE_MAX, "one message");
_Static_assert(sizeof(struct netd_resolve) <= NETD_RESOLVE_BYTES, "one object");

#endif
