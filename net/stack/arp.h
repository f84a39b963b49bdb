/* SPDX-License-Identifier: MIT
 *
 * net/stack/arp.h: address resolution (RFC 826) and address conflict detection
 * (RFC 5227) for IPv4 over Ethernet.
 *
 * Owns: the cache of who was asked for and who answered, the packets that wait
 * for an answer, the probes of addresses that we are about to keep.
 * Who calls: netd. Pure code with an injected environment; tested on the host.
 * Context: one thread. Addresses are four bytes in network order.
 */
#ifndef NET_STACK_ARP_H
#define NET_STACK_ARP_H

#include <slipway/net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARP_ENTRIES 256
#define ARP_WAITING_PER_ENTRY 8 /* packets that wait for one answer */
#define ARP_WAITING_BYTES (128u * 1024)
#define ARP_TRIES 4             /* requests, one a second */
#define ARP_LIFETIME_NS (1200ull * 1000000000)
#define ARP_FRAME_BYTES 42      /* Ethernet header and ARP body */
#define ARP_PROBES_MAX 8        /* addresses being probed at once */

struct arp_env {
    void *ctx;
    /* Send a whole Ethernet frame on the link. */
    void (*send)(void *ctx, uint16_t link, const void *frame, size_t len);
    /* Tell the kernel: state NEIGH_REACHABLE or NEIGH_NONE (forget). */
    void (*learn)(void *ctx, uint16_t link, const uint8_t ip[4], const uint8_t mac[6], enum neigh_state state);
    /* A packet that waited can go; or cannot (nobody answered). */
    void (*resend)(void *ctx, uint16_t link, const uint8_t mac[6], const void *packet, size_t len);
    void (*unreachable)(void *ctx, uint16_t link, const void *packet, size_t len);
    /* Our MAC and, in ip, our address on the link; false when we have none. */
    bool (*own_mac)(void *ctx, uint16_t link, uint8_t mac[6]);
    bool (*own_address)(void *ctx, uint16_t link, const uint8_t ip[4]);
    /* An address on the link to ask from; false: ask with 0.0.0.0. */
    bool (*source)(void *ctx, uint16_t link, const uint8_t target[4], uint8_t ip[4]);
    /* Somebody else uses an address of ours. */
    void (*conflict)(void *ctx, uint16_t link, const uint8_t ip[4], const uint8_t mac[6]);
    /* Nobody minded while we probed: the address is ours. */
    void (*probed)(void *ctx, uint16_t link, const uint8_t ip[4]);
    void *(*alloc)(void *ctx, size_t bytes);
    void (*free)(void *ctx, void *p);
};

struct arp_packet {
    struct arp_packet *next;
    size_t len;
    uint8_t data[];
};

struct arp_entry {
    uint8_t ip[4], mac[6];
    uint16_t link;
    uint8_t state; /* enum neigh_state; NEIGH_NONE: free */
    uint8_t tries, waiting;
    uint64_t next_ns; /* INCOMPLETE: next request; REACHABLE: end of life */
    struct arp_packet *first, *last;
};

struct arp_probe {
    uint8_t ip[4];
    uint16_t link;
    uint8_t sent; /* 0..2: probes are due, 3..4: announcements */
    bool active;
    uint64_t next_ns;
};

struct arp {
    struct arp_env env;
    struct arp_entry entry[ARP_ENTRIES];
    struct arp_probe probe[ARP_PROBES_MAX];
    size_t waiting_bytes;
    uint64_t next_ns; /* not later than the earliest next_ns of an entry or probe */
    /* Counters */
    uint64_t requests_in, replies_in, requests_out, replies_out, bad, ignored, dropped, failed, conflicts;
};

void arp_init(struct arp *a, const struct arp_env *env);
/* A packet for next hop `ip` has no neighbour entry: keep a copy and ask. */
void arp_resolve(struct arp *a, uint16_t link, const uint8_t ip[4], const void *packet, size_t len, uint64_t now_ns);
/* A neighbour that the kernel learned age_ns ago from an earlier netd: without
 * an entry here it would never end. */
void arp_adopt(struct arp *a, uint16_t link, const uint8_t ip[4], const uint8_t mac[6], uint64_t age_ns,
               uint64_t now_ns);
/* A frame of type 0x0806, Ethernet header included. */
void arp_input(struct arp *a, uint16_t link, const void *frame, size_t len, uint64_t now_ns);
/* Probe an address that is already in use by us, then announce it. */
void arp_probe_start(struct arp *a, uint16_t link, const uint8_t ip[4], uint64_t now_ns);
void arp_probe_stop(struct arp *a, uint16_t link, const uint8_t ip[4]);
bool arp_probing(const struct arp *a, uint16_t link, const uint8_t ip[4]);
/* Defends an address (RFC 5227 section 2.4). */
void arp_announce(struct arp *a, uint16_t link, const uint8_t ip[4]);
void arp_run(struct arp *a, uint64_t now_ns);
uint64_t arp_deadline(const struct arp *a); /* O(1); may be earlier than needed */
/* Drop every entry and waiting packet of a link that went away. */
void arp_flush(struct arp *a, uint16_t link);

#endif
