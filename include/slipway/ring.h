/* SPDX-License-Identifier: MIT
 *
 * slipway/ring.h: the packet rings that the kernel shares with one process.
 *
 * Owns: the layout of a net endpoint's shared memory.
 *
 *   +-----------------+ 0
 *   | struct net_ring | one page: sizes (kernel writes) and indices
 *   +-----------------+ rx_off     bytes   kernel -> process
 *   | receive ring    |            variable-size records, 16-byte aligned
 *   +-----------------+ tx_off     entries process -> kernel
 *   | transmit ring   |            struct net_tx, 64 bytes each
 *   +-----------------+ cq_off     entries kernel -> process
 *   | completion ring |            struct net_cqe, 16 bytes each
 *   +-----------------+ arena_off  bytes   process only
 *   | transmit arena  |            pinned memory that payloads lie in
 *   +-----------------+
 *
 * Every index is a free-running 32-bit counter with one writer. An index that
 * the process writes is hostile input to the kernel: the kernel keeps its own
 * copy of its indices, checks the other side's against the ring's size, and
 * never reads back what it wrote. Sizes are powers of two and never change
 * while the endpoint lives.
 *
 * Ordering: the producer fills the record, then stores its index with release;
 * the consumer loads the index with acquire, then reads the record.
 */
#ifndef SLIPWAY_RING_H
#define SLIPWAY_RING_H

#include <stdint.h>

#define NET_RING_MAGIC 0x534c5247u /* "SLRG" */
#define NET_RING_VERSION 1u
#define NET_RING_RX_MIN (64u * 1024)
/* What net_grow adds to the arena: offsets go on at arena_size (arena_size itself
 * stays), the memory lies elsewhere, and no segment may cross into it. */
#define NET_ARENA_MORE (512u * 1024)
#define NET_ARENAS_MORE 32u

struct net_ring {
    uint32_t magic, version;
    uint32_t rx_off, rx_size;       /* bytes */
    uint32_t tx_off, tx_entries;
    uint32_t cq_off, cq_entries;    /* cq_entries >= 2 * tx_entries */
    uint32_t arena_off, arena_size; /* bytes */
    uint32_t total_size;            /* of the whole object, bytes */
    uint32_t pad0[5];
    /* Written by the kernel. */
    uint32_t rx_head __attribute__((aligned(64))); /* bytes produced */
    uint32_t cq_head;                              /* completions produced */
    uint32_t tx_tail;                              /* entries taken */
    uint32_t rx_dropped;                           /* frames lost, ring full */
    /* Written by the process. */
    uint32_t rx_tail __attribute__((aligned(64))); /* bytes consumed */
    uint32_t cq_tail;                              /* completions consumed */
    uint32_t tx_head;                              /* entries produced */
    uint32_t pad1;
};

/* Receive record: this header, then the packet at +sizeof, then padding to 16.
 * `size` covers all three. A record never wraps: when one does not fit before
 * the end of the ring, a record of kind RX_PAD fills the rest. */
enum net_rx_kind { RX_PACKET = 1, RX_PAD = 2, RX_UNRESOLVED = 3 };

enum net_csum {
    CSUM_NONE = 0,     /* receiver must verify; sender has filled it in */
    CSUM_PARTIAL = 1,  /* only the pseudo-header sum is in the field; device or
                          kernel completes it (a record between local
                          processes may arrive so and needs no check) */
    CSUM_VERIFIED = 2, /* checked by hardware */
};

struct net_rx {
    uint32_t size;      /* whole record, multiple of 16 */
    uint16_t kind;      /* enum net_rx_kind */
    uint16_t link;      /* where it came in */
    uint32_t len;       /* bytes of packet data that follow this header */
    uint8_t l2_len;     /* bytes of link header at its start; 0 but in default
                           slots' rings and taps */
    uint8_t csum;       /* enum net_csum */
    uint16_t gso_size;  /* payload size of each merged segment, 0 for one */
    uint8_t slot;       /* enum net_slot + 1 when it came by a slot, else 0 */
    uint8_t problem;    /* in SLOT_ICMP: no ICMP message but an IPv6 packet whose sender
                           must be told: code of the parameter problem (RFC 4443,
                           section 3.4) + 1; 0 for none */
    uint16_t problem_at; /* its pointer: offset in the IP packet */
    uint32_t port_id;   /* registry id that matched, 0 for a slot */
    uint64_t time_ns;   /* CLOCK_MONOTONIC at reception */
};                      /* 32 bytes: the packet keeps 16-byte alignment */

/* Transmit record. The header (IP and transport header, hdr_len bytes) and the
 * payload segments are offsets into the arena. The kernel copies the header,
 * checks and sends the copy; segments go out in place, so they must not change
 * until the record's completion has come. Header-only records (nseg 0) are
 * copied whole and may be reused as soon as tx_tail has passed them. */
#define NET_TX_HDR_MAX 256
#define NET_TX_SEGS 4
struct net_seg {
    uint32_t off, len;
};
struct net_tx {
    uint64_t cookie;   /* comes back in the completion */
    uint32_t hdr_off;
    uint16_t hdr_len;  /* IP header included; at most NET_TX_HDR_MAX */
    uint8_t nseg;
    uint8_t csum;      /* CSUM_NONE or CSUM_PARTIAL */
    uint16_t flags;    /* TX_* */
    uint16_t link;     /* LINK_ANY, or a link to insist on */
    uint16_t gso_size; /* split into segments of this payload, 0 for none */
    uint8_t gso_type;
    uint8_t pad;
    uint8_t nexthop_mac[6]; /* TX_RAW_NEXTHOP: as netd resolved it */
    uint16_t path_mtu; /* cut into fragments of at most so many bytes (0: as the route
                          says), for a path that is known to carry less */
    struct net_seg seg[NET_TX_SEGS];
};

/* Completion is wanted only where something is to be learnt: a record without
 * segments and without TX_NOTIFY completes silently when it succeeds. Failure
 * is always reported. */
#define TX_NOTIFY 0x01u
#define TX_INJECT 0x02u      /* classify as if received (right net.inject) */
#define TX_FRAME 0x04u       /* header begins with the link header: ARP by
                                net.default, anything by net.raw */
#define TX_RESEND 0x08u      /* a packet that another process sent and that came
                                unresolved (net.default): ownership was checked */
#define TX_BROADCAST_OK 0x10u /* destination may be a broadcast address */
/* Longer than the way's MTU: -EMSGSIZE, do not cut. A datagram of UDP or ICMP is cut
 * into fragments otherwise (IPv4: unless its header has DF); TCP never is. */
#define TX_DONT_CUT 0x20u

struct net_cqe {
    uint64_t cookie;
    int32_t status; /* 0 or a negative errno: -ENOBUFS link full,
                       -ENETUNREACH no route, -EACCES not yours, -EMSGSIZE,
                       -EINVAL impossible fields, -ENETDOWN */
    uint32_t pad;
};

_Static_assert(sizeof(struct net_rx) == 32, "net_rx is 32 bytes");
_Static_assert(sizeof(struct net_tx) == 64, "net_tx is 64 bytes");
_Static_assert(sizeof(struct net_cqe) == 16, "net_cqe is 16 bytes");

#endif
