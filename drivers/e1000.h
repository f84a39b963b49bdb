/* SPDX-License-Identifier: MIT
 *
 * drivers/e1000.h: what drivers/e1000.c keeps of each card. Lock: the kernel's;
 * the hard handler, without it, writes only the volatile members.
 */
#ifndef DRIVERS_E1000_H
#define DRIVERS_E1000_H

#include <drivers/e1000_chip.h>
#include <kernel/irq.h>
#include <kernel/mem.h>
#include <kernel/time.h>
#include <net/core/link.h>

#define RING 256u /* descriptors; 16 bytes each fill a page */

_Static_assert(RING * sizeof(struct e1000_rx_desc) == PAGE_SIZE, "a ring is a page");
_Static_assert(RING * sizeof(struct e1000_tx_desc) == PAGE_SIZE, "a ring is a page");

enum e1000_vector_use { VEC_QUEUES = 0, VEC_OTHER = 1, VEC_COUNT = 2 };
enum dma_owner { DMA_DRIVER = 0, DMA_CARD };

struct e1000;
struct e1000_vector {
    struct e1000 *n;
    enum e1000_vector_use use;
};
struct tx_slot {
    struct netbuf *nb; /* at its first descriptor */
    uint16_t count;    /* descriptors of this packet, likewise */
    uint16_t owner;    /* enum dma_owner */
};

struct e1000 {
    struct link link;
    struct pci_device *pci;
    struct e1000_chip chip;
    bool live;              /* link is registered */
    bool broken;            /* given up, or waiting for its reset */
    volatile bool link_changed, overrun;
    struct irq irq[VEC_COUNT];
    struct e1000_vector vector[VEC_COUNT];
    int vectors;
    uint32_t int_rx, int_tx, int_other; /* causes, by interrupt mode */
    bool tx_ask;            /* int_tx is wanted, too */
    volatile struct e1000_rx_desc *rx;
    void *rx_page[RING / 2]; /* two buffers each */
    uint8_t rx_owner[RING];
    uint32_t rx_count, rx_next;
    bool rx_skip;           /* inside a frame that is too long */
    volatile struct e1000_tx_desc *tx;
    struct tx_slot slot[RING];
    uint32_t tx_head, tx_tail; /* descriptors given to the card, taken back */
    struct timer phy_timer;
    unsigned phy_ticks;
    struct timer tx_timer;
    bool tx_ticking;
    uint32_t tx_seen;
    uint64_t tx_wait_ns, tx_stall_ns;
    struct timer reset_timer;
    uint64_t reset_wait_ns, reset_at_ns;
};

#endif
