/* SPDX-License-Identifier: MIT
 *
 * net/host/hostnet.h: libnet as a library for a program on another system: IP
 * packets go in and out as bytes, and the caller owns the clock.
 *
 * Owns: one host on one link: its addresses, its packet ring, the ports that its
 * sockets hold, reassembly. The sockets themselves are those of
 * net/stack/netstack.h, made in the stack that hostnet_stack() returns. Nothing
 * here blocks, starts a thread, reads a clock or keeps global state.
 *
 *   hostnet_create(&h, &config, now)
 *   for ever:
 *       hostnet_input(h, now, packet, bytes)  for each packet that has arrived
 *       next = hostnet_run(h, now)            output() is called from in here
 *       ... ns_accept, ns_recv, ns_send on sockets of hostnet_stack(h) ...
 *       hostnet_run(h, now) again when the sockets were used, to send what that made
 *       wait for a packet, or until `next`
 *
 * Times are nanoseconds of a clock that never goes back and may begin anywhere.
 * Errors are negative errno values of slipway/errno.h.
 * Context: any thread, one at a time for one host. net/host/tun_echo.c is a program
 * that uses it; `make hostlib` builds the libraries.
 */
#ifndef NET_HOST_HOSTNET_H
#define NET_HOST_HOSTNET_H

#include <net/stack/netstack.h>

struct hostnet;

struct hostnet_config {
    struct net_addr addr4; /* our IPv4 address (the first four bytes); all zero: none */
    struct net_addr addr6; /* our IPv6 address; all zero: none */
    uint8_t prefix4;       /* bits of addr4 that name the subnet: its broadcast address [32: no broadcast] */
    uint16_t mtu;          /* bytes of IP packet, 576 to 65535, 1280 at least with IPv6 [1500] */
    /* A packet leaves: n bytes from the IP header on, valid until it returns. 0, or
     * -ENOBUFS when there is no room now: TCP sends it again later, a datagram is
     * lost. It must not call back into the host. */
    int (*output)(void *ctx, const uint8_t *packet, size_t n);
    /* Fills buf with bytes that nobody can guess: sequence numbers, ports and
     * cookies rest on it (RFC 6528, RFC 6056). */
    void (*random)(void *ctx, void *buf, size_t n);
    void *ctx;
    struct ns_config stack;     /* limits, see netstack.h; zero takes defaults */
    uint32_t rx_bytes;          /* received bytes that wait for hostnet_run, a power of two [256 KiB] */
    uint32_t tx_entries;        /* packets under way to output(), a power of two [256] */
    uint32_t arena_bytes;       /* memory for what is to be sent [1 MiB] */
};

/* 0; -EINVAL: output or random is missing, or a size cannot be; -ENOMEM. */
int hostnet_create(struct hostnet **out, const struct hostnet_config *c, uint64_t now_ns);
/* Aborts what is open (RST goes to output()). */
void hostnet_destroy(struct hostnet *h);

/* One packet arrives, n bytes from the IP header on; copied. 0; -EINVAL: not IP, or
 * its lengths cannot be; -EADDRNOTAVAIL: for somebody else; -ENOBUFS: the receive ring
 * is full, which counts as loss. Its checksums are verified by hostnet_run. */
int hostnet_input(struct hostnet *h, uint64_t now_ns, const uint8_t *packet, size_t n);

/* Takes in what has arrived, runs the timers that are due, sends what has become
 * possible. Returns when it wants to run again if nothing arrives: UINT64_MAX for
 * never, now_ns or earlier when there is more to do at once. */
uint64_t hostnet_run(struct hostnet *h, uint64_t now_ns);

/* Where sockets are made: ns_socket(hostnet_stack(h), NET_INET, NS_STREAM, &s).
 * The stack answers echo requests, refuses what nobody listens to, cuts datagrams that
 * the link cannot carry whole and puts received ones together, all by itself. The link
 * has no link addresses: there is no ARP and no neighbour discovery. */
struct netstack *hostnet_stack(struct hostnet *h);

#endif
