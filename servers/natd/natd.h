/* SPDX-License-Identifier: MIT
 *
 * servers/natd/natd.h: the gateway between an inside link (a serial line, as a
 * rule) and an outside one. One thread.
 */
#ifndef NATD_NATD_H
#define NATD_NATD_H

#include "nat.h"
#include <net/stack/netstack.h>
#include <slipway/net.h>
#include <slipway/sys.h>

#define NATD_PACKET_MAX 65535u

/* A packet that goes out in pieces, no faster than a slow line carries them: its
 * queue is shorter than a large datagram. */
struct natd_cut {
    uint8_t packet[NATD_PACKET_MAX];
    size_t len, at; /* len 0: none */
    uint64_t next_ns;
    uint32_t mtu, bps; /* bps 0: all at once */
    uint16_t link;
};

struct natd {
    int net, endpoint; /* handles: packet ring, requests */
    struct net_ring *ring;
    uint32_t rx_tail;       /* ours: what lies in shared memory is for the kernel */
    struct netstack *stack; /* only to send by */
    struct nat nat;
    struct nat_config wanted; /* what the arguments say */
    struct natd_cut cut;
    uint32_t inside_bps, outside_bps; /* 0: fast, or unknown */
    uint16_t inside, outside;         /* link indices */
    char inside_name[LINK_NAME_MAX], outside_name[LINK_NAME_MAX];
    uint64_t not_sent;
};

/* setup.c. The arguments are words of the manifest's `args` line:
 *   inside=LINK outside=LINK ports=LOW-HIGH forward=tcp|udp/PORT:ADDRESS:PORT */
void natd_setup(struct natd *n, int argc, char **argv);
/* Addresses, MTUs and name server as they are now. */
void natd_refresh(struct natd *n);

#endif
