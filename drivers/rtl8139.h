/* SPDX-License-Identifier: MIT
 *
 * drivers/rtl8139.h: what the two faces of an RTL8139 share.
 *
 * rtl8139.c has the chip, its interrupt, the queue and the link; and the classic
 * face. rtl8139_cplus.c has the descriptors of the 8139C+. Context and lock: as in
 * rtl8139.c.
 */
#ifndef DRIVERS_RTL8139_H
#define DRIVERS_RTL8139_H

#include <drivers/rtl8139_regs.h>
#include <kernel/cpu.h>
#include <kernel/irq.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/pci.h>
#include <kernel/time.h>
#include <net/core/link.h>
#include <slipway/errno.h>

#define TX_BUF 2048u
#define FRAME_MIN 60u
#define FRAME_MAX 1792u        /* what the chip can send */
#define ETH_CRC_MIN 18u        /* a link header and a CRC: shorter is no frame */

struct rtl;
struct rtl_face {
    const char *name;
    unsigned rx_order, tx_order; /* memory at n->ring and n->tx_buf */
    unsigned tx_slots;
    void (*start)(struct rtl *n); /* after a reset: rings, receiver and transmitter on */
    int (*rx_take)(struct rtl *n, int budget);
    /* The ring was full, or the FIFO (isr says); what was there has been read. */
    void (*rx_overflow)(struct rtl *n, uint16_t isr);
    void (*tx_reclaim)(struct rtl *n); /* moves tx_tail */
    void (*tx_one)(struct rtl *n, struct netbuf *nb); /* a slot is free; done with nb afterwards */
};
extern const struct rtl_face rtl_cplus;

struct rtl {
    struct link link;
    struct pci_device *pci;
    struct irq irq;
    uint16_t io;
    const struct rtl_face *face;
    uint8_t *ring;         /* classic: receive ring and what runs over its end; C+: receive buffers */
    uint8_t *tx_buf;       /* classic: TX_DESCS of TX_BUF bytes; C+: descriptors, then buffers */
    uint32_t rx_at;        /* classic: next header in the ring; C+: next descriptor */
    uint32_t tx_head, tx_tail; /* descriptors given to the card, taken back */
    struct netbuf *queue, **queue_end; /* waiting for a descriptor */
    unsigned queued;
    uint16_t mask;         /* IMR while armed */
    bool live, dead;
    bool proved;           /* C+: n->link.features is what the loopback showed */
    struct timer phy_timer;
    unsigned phy_ticks;
    struct timer tx_timer;
    bool tx_ticking;
    uint32_t tx_seen;
    unsigned tx_stalled;
};

static inline uint8_t r8(struct rtl *n, unsigned reg) { return inb((uint16_t)(n->io + reg)); }
static inline uint16_t r16(struct rtl *n, unsigned reg) { return inw((uint16_t)(n->io + reg)); }
static inline uint32_t r32(struct rtl *n, unsigned reg) { return inl((uint16_t)(n->io + reg)); }
static inline void w8(struct rtl *n, unsigned reg, uint8_t v) { outb((uint16_t)(n->io + reg), v); }
static inline void w16(struct rtl *n, unsigned reg, uint16_t v) { outw((uint16_t)(n->io + reg), v); }
static inline void w32(struct rtl *n, unsigned reg, uint32_t v) { outl((uint16_t)(n->io + reg), v); }


/* Frame to its smallest size, with zeroes (IEEE 802.3): the chip pads nothing, and
 * what lay in the buffer is not the wire's. */
static inline size_t rtl_pad(uint8_t *buf, size_t len)
{
    if (len >= FRAME_MIN)
        return len;
    __builtin_memset(buf + len, 0, FRAME_MIN - len);
    return FRAME_MIN;
}

/* CRC-32 of IEEE 802.3 over an address, its most significant bit first. */
static inline uint32_t ether_crc(const uint8_t mac[6])
{
    uint32_t crc = 0xffffffffu;

    for (unsigned i = 0; i < 48; i++) {
        uint32_t bit = (crc >> 31) ^ (mac[i / 8] >> i % 8 & 1u);

        crc = crc << 1 ^ (bit != 0 ? 0x04c11db7u : 0);
    }
    return crc;
}

int rtl_chip_reset(struct rtl *n);

#endif
