/* SPDX-License-Identifier: MIT
 *
 * drivers/e1000_chip.c: what Intel's cards want beside their rings: reset,
 * EEPROM and address, receive filter, PHY. Every wait has a deadline.
 *
 * Owns: nothing. Called by drivers/e1000.c, thread or poll context.
 */
#include <drivers/e1000_chip.h>
#include <kernel/log.h>
#include <kernel/time.h>
#include <net/core/services.h>
#include <slipway/errno.h>

#define RESET_DEADLINE_NS (100 * NS_PER_MS)
#define MASTER_DEADLINE_NS (10 * NS_PER_MS)
#define EEPROM_DEADLINE_NS (20 * NS_PER_MS)
#define EERD_DEADLINE_NS (2 * NS_PER_MS)
#define MDIC_DEADLINE_NS (2 * NS_PER_MS)
#define WAIT_STEP_US 10u

static uint32_t r32(struct e1000_chip *c, unsigned reg) { return mmio_read32(c->regs + reg); }
static void w32(struct e1000_chip *c, unsigned reg, uint32_t v) { mmio_write32(c->regs + reg, v); }

/* True when the bits of a register have come to `want` in time. */
static bool reg_wait(struct e1000_chip *c, unsigned reg, uint32_t bits, uint32_t want, uint64_t deadline_ns)
{
    uint64_t end = now_ns() + deadline_ns;

    while ((r32(c, reg) & bits) != want) {
        if (now_ns() > end)
            return false;
        delay_us(WAIT_STEP_US);
    }
    return true;
}

/* Nothing comes from the card and nothing goes to memory. */
void e1000_silence(struct e1000_chip *c)
{
    w32(c, REG_IMC, INT_ALL);
    w32(c, REG_RCTL, 0);
    w32(c, REG_TCTL, 0);
    r32(c, REG_STATUS); /* the writes have arrived */
}

int e1000_chip_reset(struct e1000_chip *c)
{
    e1000_silence(c);
    if (c->is_82574) { /* no request may be under way; without an answer the reset ends them */
        w32(c, REG_CTRL, r32(c, REG_CTRL) | CTRL_MASTER_DISABLE);
        (void)reg_wait(c, REG_STATUS, STATUS_MASTER, 0, MASTER_DEADLINE_NS);
    }
    w32(c, REG_CTRL, r32(c, REG_CTRL) | CTRL_RST);
    delay_us(WAIT_STEP_US);
    if (!reg_wait(c, REG_CTRL, CTRL_RST, 0, RESET_DEADLINE_NS))
        return -ETIMEDOUT;
    if (c->is_82574 && !reg_wait(c, REG_EECD, EECD_AUTO_READ, EECD_AUTO_READ, EEPROM_DEADLINE_NS))
        klog(LOG_WARN, "e1000: the card has not read its EEPROM");
    w32(c, REG_IMC, INT_ALL);
    r32(c, REG_ICR);
    return 0;
}

static bool mac_ok(const uint8_t *mac)
{
    return !(mac[0] & 1) && (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]) != 0;
}

static bool eeprom_word(struct e1000_chip *c, unsigned at, uint16_t *word)
{
    uint32_t done = c->is_82574 ? 1u << 1 : 1u << 4;

    w32(c, REG_EERD, at << (c->is_82574 ? 2 : 8) | EERD_START);
    if (!reg_wait(c, REG_EERD, done, done, EERD_DEADLINE_NS))
        return false;
    *word = (uint16_t)(r32(c, REG_EERD) >> 16);
    return true;
}

/* The card puts its address into the first receive address register soon after
 * a reset; where it doesn't, the EEPROM is asked. */
void e1000_read_mac(struct e1000_chip *c, uint8_t mac[6])
{
    uint16_t word;
    unsigned i;

    if (reg_wait(c, REG_RAH, RAH_VALID, RAH_VALID, EEPROM_DEADLINE_NS)) {
        uint32_t low = r32(c, REG_RAL), high = r32(c, REG_RAH);
        for (i = 0; i < 4; i++)
            mac[i] = (uint8_t)(low >> 8 * i);
        mac[4] = (uint8_t)high;
        mac[5] = (uint8_t)(high >> 8);
        if (mac_ok(mac))
            return;
    }
    for (i = 0; i < EERD_WORDS_OF_MAC && eeprom_word(c, i, &word); i++) {
        mac[2 * i] = (uint8_t)word;
        mac[2 * i + 1] = (uint8_t)(word >> 8);
    }
    if (i == EERD_WORDS_OF_MAC && mac_ok(mac))
        return;
    klog(LOG_WARN, "e1000: the card has no unicast address, taking a random one");
    nc_random(mac, 6);
    mac[0] = (uint8_t)((mac[0] & ~1u) | 2u); /* unicast, locally administered */
}

/* Twelve bits of a group's address choose one of 4,096 (RCTL.MO is 0: bits 47:36). */
void e1000_set_groups(struct e1000_chip *c, const uint8_t group[][6], unsigned n)
{
    for (unsigned word = 0; word < MTA_WORDS; word++) {
        uint32_t bits = 0;

        for (unsigned i = 0; i < n; i++) {
            unsigned hash = (group[i][4] | (unsigned)group[i][5] << 8) >> 4;

            if (hash / 32 == word)
                bits |= 1u << hash % 32;
        }
        w32(c, REG_MTA + 4 * word, bits);
    }
}

void e1000_set_filter(struct e1000_chip *c, const struct link *l)
{
    const uint8_t *m = l->mac;

    w32(c, REG_RAL, m[0] | (uint32_t)m[1] << 8 | (uint32_t)m[2] << 16 | (uint32_t)m[3] << 24);
    w32(c, REG_RAH, m[4] | (uint32_t)m[5] << 8 | RAH_VALID);
    for (unsigned i = 1; i < RA_PAIRS; i++)
        w32(c, REG_RAH + 8 * i, 0);
    e1000_set_groups(c, l->group, l->ngroups);
}

static bool phy_access(struct e1000_chip *c, uint32_t command, uint16_t *value)
{
    w32(c, REG_MDIC, command | MDIC_PHY);
    if (!reg_wait(c, REG_MDIC, MDIC_READY, MDIC_READY, MDIC_DEADLINE_NS))
        return false;
    *value = (uint16_t)r32(c, REG_MDIC);
    return !(r32(c, REG_MDIC) & MDIC_ERROR);
}

/* A PHY that somebody left asleep or fixed negotiates again. */
void e1000_phy_wake(struct e1000_chip *c)
{
    uint16_t v;

    if (phy_access(c, MDIC_READ | MDIC_REG(MII_BMCR), &v) &&
        ((v & (BMCR_POWER_DOWN | BMCR_ISOLATE)) || !(v & BMCR_AUTO)))
        phy_access(c, MDIC_WRITE | MDIC_REG(MII_BMCR) | BMCR_AUTO | BMCR_RESTART, &v);
}

/* Before the rings: link up by auto-negotiation, nothing else of what the card
 * can do. */
void e1000_set_basics(struct e1000_chip *c)
{
    uint32_t ctrl = r32(c, REG_CTRL);

    ctrl &= ~(CTRL_MASTER_DISABLE | CTRL_LRST | CTRL_ILOS | CTRL_FORCE_SPEED | CTRL_FORCE_DUPLEX | CTRL_FLOW |
              CTRL_VME | CTRL_PHY_RST);
    w32(c, REG_CTRL, ctrl | CTRL_SLU | CTRL_ASDE);
    w32(c, REG_FCAL, 0); /* no flow control */
    w32(c, REG_FCAH, 0);
    w32(c, REG_FCT, 0);
    w32(c, REG_FCTTV, 0);
    w32(c, REG_ITR, 0); /* the poll is what moderates */
    w32(c, REG_RXCSUM, 0);
}

void e1000_set_rings(struct e1000_chip *c, uint64_t rx, uint32_t rx_count, uint64_t tx, uint32_t tx_count)
{
    w32(c, REG_RDBAL, (uint32_t)rx);
    w32(c, REG_RDBAH, (uint32_t)(rx >> 32));
    w32(c, REG_RDLEN, rx_count * (uint32_t)sizeof(struct e1000_rx_desc));
    w32(c, REG_RDH, 0);
    w32(c, REG_RDT, 0);
    w32(c, REG_RDTR, 0);
    w32(c, REG_RADV, 0);
    w32(c, REG_TDBAL, (uint32_t)tx);
    w32(c, REG_TDBAH, (uint32_t)(tx >> 32));
    w32(c, REG_TDLEN, tx_count * (uint32_t)sizeof(struct e1000_tx_desc));
    w32(c, REG_TDH, 0);
    w32(c, REG_TDT, 0);
    w32(c, REG_TIDV, 0);
    w32(c, REG_TADV, 0);
}

void e1000_go(struct e1000_chip *c)
{
    if (c->is_82574)
        w32(c, REG_TXDCTL, TXDCTL_82574);
    w32(c, REG_TIPG, c->is_82574 ? TIPG_82574 : TIPG_82540);
    w32(c, REG_TCTL, TCTL_VALUE);
    w32(c, REG_RCTL, RCTL_VALUE);
}

void e1000_set_vectors(struct e1000_chip *c, uint32_t queues, uint32_t other)
{
    w32(c, REG_CTRL_EXT, r32(c, REG_CTRL_EXT) | CTRL_EXT_PBA_CLR);
    w32(c, REG_IVAR, IVAR_RXQ0(queues) | IVAR_TXQ0(queues) | IVAR_OTHER(other));
    w32(c, REG_EIAC, INT_RXQ0 | INT_TXQ0); /* the message clears its cause */
}

uint32_t e1000_speed_bps(struct e1000_chip *c)
{
    static const uint32_t mbps[4] = {10, 100, 1000, 1000};
    uint32_t s = r32(c, REG_STATUS);

    return s != UINT32_MAX && (s & STATUS_LINK) ? mbps[STATUS_SPEED(s)] * 1000000u : 0;
}
