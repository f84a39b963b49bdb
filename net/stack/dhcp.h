/* SPDX-License-Identifier: MIT
 *
 * net/stack/dhcp.h: a DHCP client as a state machine (RFC 2131, options of
 * RFC 2132, classless routes of RFC 3442).
 *
 * Owns: the state of one client on one link. It sends and receives nothing
 * itself: netd asks dhcp_poll for the next message and gives it what came in.
 * Clock and random are injected; nothing blocks. Pure code, tested and fuzzed
 * on the host.
 * Context: one thread. Addresses are in network byte order, as four bytes.
 */
#ifndef NET_STACK_DHCP_H
#define NET_STACK_DHCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DHCP_SERVER_PORT 67
#define DHCP_CLIENT_PORT 68
#define DHCP_MESSAGE_MAX 576 /* RFC 2131 section 2: what every client must accept */
#define DHCP_DNS_MAX 4
#define DHCP_NTP_MAX 4
#define DHCP_ROUTES_MAX 8
#define DHCP_GIVE_UP_NS 30000000000ull /* reported as failed after this; retried all the same */

enum dhcp_state { /* RFC 2131 figure 5 */
    DHCP_INIT = 0,
    DHCP_SELECTING,
    DHCP_REQUESTING,
    DHCP_BOUND,
    DHCP_RENEWING,
    DHCP_REBINDING,
    DHCP_INIT_REBOOT,
    DHCP_REBOOTING,
    DHCP_DECLINED, /* waits 10 s before it starts again (section 3.1, 5) */
};

struct dhcp_route {
    uint8_t dst[4], prefix, gateway[4];
};

/* What a server granted. Times are absolute CLOCK_MONOTONIC ns; UINT64_MAX for
 * a lease without end. Fixed in size: netd keeps it in the kernel's blob. */
struct dhcp_lease {
    uint8_t address[4], server[4], router[4], broadcast[4];
    uint8_t prefix, ndns, nroutes, have_router;
    uint16_t mtu; /* 0: not given */
    uint8_t nntp, pad;
    uint8_t dns[DHCP_DNS_MAX][4], ntp[DHCP_NTP_MAX][4];
    struct dhcp_route route[DHCP_ROUTES_MAX];
    char hostname[32], domain[64];
    uint64_t t1_ns, t2_ns, expiry_ns;
};

struct dhcp_client {
    enum dhcp_state state;
    uint8_t mac[6];
    uint32_t xid;
    uint64_t started_ns;  /* when this attempt began ("secs") */
    uint64_t asked_ns;    /* when the last request went out: a lease counts from there */
    uint64_t next_ns;     /* when dhcp_poll has something to do */
    uint32_t tries;
    bool reported_failure;
    struct dhcp_lease lease;   /* in force from BOUND on */
    struct dhcp_lease offer;   /* being asked for */
    uint32_t random_state;
    /* Counters */
    uint32_t sent, received, ignored, naks, declines;
};

/* What changed; a bit set that dhcp_poll and dhcp_input return. */
#define DHCP_GOT_LEASE 1u  /* lease is new or changed: configure it */
#define DHCP_LOST_LEASE 2u /* remove what the last DHCP_GOT_LEASE configured */
#define DHCP_RENEWED 4u    /* same lease, new times */
#define DHCP_FAILED 8u     /* no answer for 30 s: tell the user (once) */

struct dhcp_output {
    size_t len;       /* 0: nothing to send now */
    uint8_t src[4];   /* 0.0.0.0 until bound */
    uint8_t dst[4];   /* 255.255.255.255, or the server when renewing */
    uint8_t message[DHCP_MESSAGE_MAX];
};

void dhcp_start(struct dhcp_client *c, const uint8_t mac[6], uint32_t random, uint64_t now_ns);
/* Goes on with a lease that an earlier client got; asks only when it is due. */
void dhcp_resume(struct dhcp_client *c, const uint8_t mac[6], const struct dhcp_lease *lease, uint32_t random,
                 uint64_t now_ns);
/* Asks whether the lease still holds (section 3.2), after the link was away or on request;
 * it ends with a NAK, not with silence. Without a lease it begins again at once. */
void dhcp_reboot(struct dhcp_client *c, uint64_t now_ns);
/* The address is in use by another host (RFC 5227): the next dhcp_poll sends
 * DHCPDECLINE and the client starts again after 10 s. */
void dhcp_conflict(struct dhcp_client *c, uint64_t now_ns);
/* Run what is due; fills `out` with at most one message. Call again while
 * dhcp_deadline is not in the future. Returns DHCP_* bits. */
unsigned dhcp_poll(struct dhcp_client *c, uint64_t now_ns, struct dhcp_output *out);
/* A UDP payload that came to port 68. Returns DHCP_* bits; what is malformed
 * or meant for another client is counted and ignored. */
unsigned dhcp_input(struct dhcp_client *c, const void *message, size_t len, uint64_t now_ns);
uint64_t dhcp_deadline(const struct dhcp_client *c);
const char *dhcp_state_name(enum dhcp_state s);

#endif
