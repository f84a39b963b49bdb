/* SPDX-License-Identifier: MIT
 *
 * drivers/e1000_chip.h: one of Intel's cards as far as its rings don't matter
 * (drivers/e1000_chip.c). Thread or poll context.
 */
#ifndef DRIVERS_E1000_CHIP_H
#define DRIVERS_E1000_CHIP_H

#include <drivers/e1000_regs.h>
#include <drivers/mmio.h>
#include <stdbool.h>
#include <net/core/link.h>
#include <stdint.h>

struct e1000_chip {
    volatile uint8_t *regs;
    bool is_82574;
};

void e1000_silence(struct e1000_chip *c);
int e1000_chip_reset(struct e1000_chip *c); /* 0 or -ETIMEDOUT; interrupts are off then */
void e1000_read_mac(struct e1000_chip *c, uint8_t mac[6]);
void e1000_set_filter(struct e1000_chip *c, const struct link *l); /* its address, its groups and broadcast */
void e1000_set_groups(struct e1000_chip *c, const uint8_t group[][6], unsigned n); /* and no others */
void e1000_set_basics(struct e1000_chip *c);
void e1000_set_rings(struct e1000_chip *c, uint64_t rx, uint32_t rx_count, uint64_t tx, uint32_t tx_count);
void e1000_go(struct e1000_chip *c); /* after a reset, the rings and the filter; RDT starts reception */
/* MSI-X: which of its messages is for the queues and which for the rest. */
void e1000_set_vectors(struct e1000_chip *c, uint32_t queues, uint32_t other);
uint32_t e1000_speed_bps(struct e1000_chip *c); /* 0 without a link */
void e1000_phy_wake(struct e1000_chip *c);

#endif
