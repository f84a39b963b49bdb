/* SPDX-License-Identifier: MIT
 *
 * drivers/e1000_regs.h: registers and legacy descriptors of the 82540EM and
 * the 82574L, named as in Intel's "PCI/PCI-X Family of Gigabit Ethernet
 * Controllers Software Developer's Manual" and the 82574 data sheet. Offsets
 * are bytes in memory BAR 0.
 */
#ifndef DRIVERS_E1000_REGS_H
#define DRIVERS_E1000_REGS_H

#include <stdint.h>

#define REG_CTRL 0x0000
#define REG_STATUS 0x0008
#define REG_EECD 0x0010
#define REG_EERD 0x0014
#define REG_CTRL_EXT 0x0018
#define REG_MDIC 0x0020
#define REG_FCAL 0x0028
#define REG_FCAH 0x002c
#define REG_FCT 0x0030
#define REG_ICR 0x00c0
#define REG_ITR 0x00c4
#define REG_ICS 0x00c8
#define REG_IMS 0x00d0
#define REG_IMC 0x00d8
#define REG_EIAC 0x00dc /* 82574 */
#define REG_IVAR 0x00e4 /* 82574 */
#define REG_RCTL 0x0100
#define REG_FCTTV 0x0170
#define REG_TCTL 0x0400
#define REG_TIPG 0x0410
#define REG_RDBAL 0x2800
#define REG_RDBAH 0x2804
#define REG_RDLEN 0x2808
#define REG_RDH 0x2810
#define REG_RDT 0x2818
#define REG_RDTR 0x2820
#define REG_RADV 0x282c
#define REG_TDBAL 0x3800
#define REG_TDBAH 0x3804
#define REG_TDLEN 0x3808
#define REG_TDH 0x3810
#define REG_TDT 0x3818
#define REG_TIDV 0x3820
#define REG_TXDCTL 0x3828
#define REG_TADV 0x382c
#define REG_MPC 0x4010 /* frames missed; reading clears */
#define REG_RXCSUM 0x5000
#define REG_MTA 0x5200
#define MTA_WORDS 128u
#define REG_RAL 0x5400 /* pairs of RAL and RAH */
#define REG_RAH 0x5404
#define RA_PAIRS 15u   /* the 82574 has one pair more, and that is the firmware's */
#define REGS_BYTES 0x20000u

#define CTRL_MASTER_DISABLE (1u << 2) /* 82574 */
#define CTRL_LRST (1u << 3)
#define CTRL_ASDE (1u << 5)
#define CTRL_SLU (1u << 6)
#define CTRL_ILOS (1u << 7)
#define CTRL_FORCE_SPEED (1u << 11)
#define CTRL_FORCE_DUPLEX (1u << 12)
#define CTRL_RST (1u << 26)
#define CTRL_FLOW (3u << 27)
#define CTRL_VME (1u << 30)
#define CTRL_PHY_RST (1u << 31)

#define STATUS_LINK (1u << 1)
#define STATUS_SPEED(s) ((s) >> 6 & 3u) /* 0: 10, 1: 100, else 1000 Mbit/s */
#define STATUS_MASTER (1u << 19)        /* 82574: requests are under way */

#define EECD_AUTO_READ (1u << 9) /* 82574: what the EEPROM sets is set */
#define EERD_START 1u
#define EERD_WORDS_OF_MAC 3u

#define CTRL_EXT_PBA_CLR (1u << 31) /* 82574 with MSI-X */

#define MDIC_PHY (1u << 21)  /* the only one */
#define MDIC_REG(r) ((uint32_t)(r) << 16)
#define MDIC_WRITE (1u << 26)
#define MDIC_READ (2u << 26)
#define MDIC_READY (1u << 28)
#define MDIC_ERROR (1u << 30)
#define MII_BMCR 0
#define BMCR_ISOLATE 0x0400u
#define BMCR_RESTART 0x0200u
#define BMCR_POWER_DOWN 0x0800u
#define BMCR_AUTO 0x1000u

/* ICR, ICS, IMS, IMC */
#define INT_TXDW (1u << 0)
#define INT_LSC (1u << 2)
#define INT_RXO (1u << 6)
#define INT_RXT0 (1u << 7)
#define INT_RXQ0 (1u << 20) /* these three: 82574 with MSI-X */
#define INT_TXQ0 (1u << 22)
#define INT_OTHER (1u << 24)
#define INT_ALL 0xffffffffu

#define IVAR_VALID 8u
#define IVAR_RXQ0(v) ((v) | IVAR_VALID)
#define IVAR_TXQ0(v) (((v) | IVAR_VALID) << 8)
#define IVAR_OTHER(v) (((v) | IVAR_VALID) << 16)

#define RCTL_EN (1u << 1)
#define RCTL_UPE (1u << 3)
#define RCTL_MPE (1u << 4)
#define RCTL_LPE (1u << 5)
#define RCTL_BAM (1u << 15)
#define RCTL_SECRC (1u << 26)
/* Own address and broadcast, 2 KiB buffers, no CRC in the buffer, and nothing
 * longer than 1522 bytes with it (LPE is clear). */
#define RCTL_VALUE (RCTL_EN | RCTL_BAM | RCTL_SECRC)

#define TCTL_EN (1u << 1)
#define TCTL_PSP (1u << 3) /* pads to 64 bytes with CRC */
#define TCTL_VALUE (TCTL_EN | TCTL_PSP | (0x0fu << 4) | (0x40u << 12)) /* 15 tries, full duplex */
#define TIPG_82540 (10u | (8u << 10) | (6u << 20))
#define TIPG_82574 (8u | (8u << 10) | (6u << 20))
/* 82574: granularity in descriptors, each written back at once; bit 22 is to be
 * set, says its data sheet. */
#define TXDCTL_82574 ((1u << 24) | (1u << 22) | (1u << 16))

#define RAH_VALID (1u << 31)

struct e1000_rx_desc {
    uint64_t addr;
    uint16_t len, csum;
    uint8_t status, errors;
    uint16_t special;
};
#define RXD_DD 0x01u
#define RXD_EOP 0x02u
#define RXD_BAD 0x97u /* CE, SE, SEQ, CXE, RXE; not what RXCSUM would say */

struct e1000_tx_desc {
    uint64_t addr;
    uint32_t command; /* length, and the command from bit 24 */
    uint32_t status;
};
#define TXD_EOP (1u << 24)
#define TXD_IFCS (1u << 25)
#define TXD_RS (1u << 27)
#define TXD_DD 0x01u
#define TXD_BAD 0x0eu /* EC, LC, TU */

#endif
