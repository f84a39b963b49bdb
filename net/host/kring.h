/* SPDX-License-Identifier: MIT
 *
 * net/host/kring.h: the kernel's side of a packet ring, in user space.
 *
 * Owns: the indices that the kernel writes in slipway/ring.h. libnet does not see
 * whether a kernel or this is at the other side. For programs on a host that hand
 * packets in and out themselves (hostnet.c), and for tests.
 * Context: one thread at a time.
 */
#ifndef NET_HOST_KRING_H
#define NET_HOST_KRING_H

#include <slipway/ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kring {
    struct net_ring *ring;
    uint32_t rx_head, tx_tail, cq_head, narenas;
    uint8_t *more[NET_ARENAS_MORE]; /* what was added to the arena */
};

/* A ring of its own, in zeroed memory. Sizes are powers of two: bytes for
 * received records (4 KiB at least), transmit records, bytes for what is
 * to be sent. 0, -EINVAL (a size that cannot be) or -ENOMEM. */
int kring_make(struct kring *k, uint32_t rx_bytes, uint32_t tx_entries, uint32_t arena_bytes);
void kring_free(struct kring *k);
/* NET_ARENA_MORE bytes more for its arena, or NULL. */
void *kring_more(struct kring *k);

/* A received packet of n bytes behind `meta` (its size, kind and len are filled in
 * here). False: the ring is full, which rx_dropped counts. */
bool kring_deliver(struct kring *k, const struct net_rx *meta, const void *packet, size_t n);

/* The oldest record that has not been taken: a snapshot, and its header's bytes in
 * hdr. 1; 0: there is none; -1: one that cannot be (it is taken; complete it with
 * -EINVAL). */
int kring_take(struct kring *k, struct net_tx *tx, uint8_t hdr[NET_TX_HDR_MAX]);

/* The whole packet of a record that was taken: its length, or -1 when it lies
 * outside the arena or is longer than `room`. */
int64_t kring_gather(const struct kring *k, const struct net_tx *tx, const uint8_t *hdr, void *packet,
                     size_t room);

/* The record's memory is the process's again. Success is told only where something
 * is to be learnt from it (slipway/ring.h). */
void kring_done(struct kring *k, const struct net_tx *tx, int status);

#endif
