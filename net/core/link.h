/* SPDX-License-Identifier: MIT
 *
 * net/core/link.h: what a driver gives to the net core and takes from it.
 *
 * Owns: struct link (one per interface), struct netbuf (one outgoing packet).
 * Context: poll or thread for everything but link_schedule_poll (any, also a
 * hard interrupt). Lock: the kernel's, but for that one.
 *
 * Life of a received frame: the driver's hard handler masks its source and
 * calls link_schedule_poll; the core calls ops->poll(budget); the driver hands
 * over each frame with link_rx (the core copies at once, so the buffer is the
 * driver's again on return); the core flushes wake-ups after the poll. When
 * poll returns less than its budget it has re-armed its interrupt and checked
 * once more.
 *
 * Life of a sent packet: the core builds a netbuf (header copied and checked,
 * payload in place), collects a batch and calls ops->transmit. A netbuf that
 * the driver took belongs to it until netbuf_done.
 */
#ifndef NET_CORE_LINK_H
#define NET_CORE_LINK_H

#include <slipway/net.h>
#include <slipway/ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETBUF_HEADROOM 32 /* virtio header (12), Ethernet header (14) */
#define NETBUF_FRAGS    12 /* payload pieces; none crosses a page, but on lo */
#define LINK_GROUPS_MAX 34 /* two, and one for each address */

struct netbuf_frag {
    const void *virt; /* kernel's view */
    uint64_t phys;    /* device's view */
    uint32_t len;
};
struct netbuf {
    struct netbuf *next;
    uint8_t *head; /* first byte to send: link header, IP header, ... */
    uint32_t head_len;
    uint32_t total_len; /* head_len + all frags */
    uint64_t head_phys; /* device-visible address of room[0] */
    uint8_t nfrags, csum;
    uint16_t csum_start, csum_offset; /* from head, for CSUM_PARTIAL */
    uint16_t gso_size;
    uint8_t gso_type, pad;
    struct netbuf_frag frag[NETBUF_FRAGS];
    /* The core's side: where the completion goes, what it is about. */
    void *owner; /* struct net_endpoint, counted in its `inflight` */
    struct link *link;
    uint64_t cookie;
    uint16_t tx_flags;
    uint8_t room[NETBUF_HEADROOM + NET_TX_HDR_MAX + 16];
};
static inline uint64_t netbuf_phys(const struct netbuf *nb, const uint8_t *p)
{
    return nb->head_phys + (uint64_t)(p - nb->room);
}
/* Copies the whole packet into a flat buffer; returns total_len. For cards
 * that cannot gather. */
size_t netbuf_flatten(const struct netbuf *nb, void *dst);
/* The driver is done: status 0 or a negative errno. Frees the netbuf. */
void netbuf_done(struct netbuf *nb, int status);

struct link;
struct link_ops {
    /* Take packets from the list's front; returns how many were taken. The
     * rest stays the core's (it completes them with -ENOBUFS). What the device
     * has finished is taken back on this occasion; an empty list asks for that
     * alone. */
    unsigned (*transmit)(struct link *l, struct netbuf *list);
    /* Receive and reclaim up to `budget` frames; returns how many. */
    int (*poll)(struct link *l, int budget);
    /* Bring a misbehaving card back; 0 or -errno. */
    int (*reset)(struct link *l);
    void (*close)(struct link *l); /* may be NULL */
    /* l->group[] has changed: let frames to these groups in as well, and no others
     * if the card can tell them apart. May be NULL: there is no filter. A driver
     * sets the same after a reset. */
    void (*filter)(struct link *l);
};

struct link {
    char name[LINK_NAME_MAX];
    uint16_t index; /* set by link_register */
    uint8_t mac[6];
    uint32_t mtu;      /* bytes of IP packet */
    uint32_t flags;    /* LINKF_* */
    uint32_t features; /* LINKO_* */
    uint32_t speed_bps;
    struct net_addr peer; /* LINKF_POINTOPOINT */
    uint8_t group[LINK_GROUPS_MAX][6]; /* multicast MACs that are wanted (groups.c) */
    uint8_t ngroups;
    const char *driver;
    const char *irq_mode;
    uint32_t irq;
    const struct link_ops *ops;
    void *priv;
    /* Counters: drivers count what only they see; the core the rest. */
    uint64_t rx_frames, rx_bytes, tx_frames, tx_bytes;
    uint64_t rx_errors, rx_missed, tx_errors, resets, interrupts, polls;
    uint64_t framing_errors, overruns, oversize, escapes;
    uint64_t queue_bytes, drain_ns, late_ns; /* see struct net_link_info */
    uint64_t rx_compressed, tx_compressed; /* TCP headers, RFC 1144 */
    void *core; /* the core's own */
};

struct link_rx_meta {
    uint8_t csum; /* enum net_csum */
    uint16_t gso_size;
};

/* Adds a link; name "eth%d" or "sl%d" is numbered. 0 or -ENFILE. */
int link_register(struct link *l);
/* A whole frame without CRC (Ethernet) or a whole IP packet (SLIP, lo). */
void link_rx(struct link *l, const void *frame, size_t len, const struct link_rx_meta *meta);
void link_schedule_poll(struct link *l); /* any context; the kernel ties it to kernel/irq.h */
void link_carrier(struct link *l, bool up);

#endif
