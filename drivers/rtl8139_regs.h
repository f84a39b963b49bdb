/* SPDX-License-Identifier: MIT
 *
 * drivers/rtl8139_regs.h: the RTL8139's registers, named as in the data sheet of
 * the RTL8139C(L). Offsets are bytes in I/O BAR 0.
 */
#ifndef DRIVERS_RTL8139_REGS_H
#define DRIVERS_RTL8139_REGS_H

#define IDR0 0x00
#define MAR0 0x08
#define TSD0 0x10   /* 4 x 32 bits */
#define TSAD0 0x20  /* 4 x 32 bits */
#define RBSTART 0x30
#define CR 0x37
#define CAPR 0x38
#define CBR 0x3a
#define IMR 0x3c
#define ISR 0x3e
#define TCR 0x40
#define RCR 0x44
#define TCTR 0x48
#define MPC 0x4c
#define CR9346 0x50
#define CONFIG1 0x52
#define TIMERINT 0x54
#define MSR 0x58
#define BMSR 0x64
#define IO_BYTES 0x100

#define CR_BUFE 0x01u /* receive ring is empty */
#define CR_TE 0x04u
#define CR_RE 0x08u
#define CR_RST 0x10u

#define INT_ROK 0x0001u
#define INT_RER 0x0002u
#define INT_TOK 0x0004u
#define INT_TER 0x0008u
#define INT_RXOVW 0x0010u  /* ring full */
#define INT_LINK 0x0020u   /* packet underrun or link change */
#define INT_FOVW 0x0040u   /* the chip's own FIFO overflowed */
#define INT_TIMEOUT 0x4000u
#define INT_SERR 0x8000u   /* PCI system error */
#define INT_RX (INT_ROK | INT_RER | INT_RXOVW | INT_FOVW)
#define INT_TX (INT_TOK | INT_TER)
#define INT_ALWAYS (INT_RX | INT_LINK | INT_SERR)

#define TSD_OWN 0x2000u    /* set: the descriptor is the driver's */
#define TSD_TUN 0x4000u
#define TSD_TABT 0x40000000u
#define TSD_THRESHOLD (48u << 16) /* start to send after 48 x 32 bytes: the whole frame */

#define RCR_APM 0x02u      /* our own address */
#define RCR_AM 0x04u       /* groups whose hash is set in MAR */
#define RCR_AB 0x08u       /* broadcast */
#define RCR_WRAP 0x80u     /* a frame runs on behind the ring's end */
#define RCR_MXDMA (7u << 8)
#define RCR_RING_32K (2u << 11)
#define RCR_NO_THRESHOLD (7u << 13)
#define RCR_VALUE (RCR_APM | RCR_AM | RCR_AB | RCR_WRAP | RCR_MXDMA | RCR_RING_32K | RCR_NO_THRESHOLD)
#define TCR_VALUE ((3u << 24) | (6u << 8)) /* standard gap, 1024-byte bursts */

#define CR9346_UNLOCK 0xc0u
#define CONFIG1_ASLEEP 0x03u /* SLEEP, PWRDN of the 8139A and B */
#define MSR_LINK_DOWN 0x04u
#define MSR_SPEED_10 0x08u
#define BMSR_LINK 0x0004u

/* The 8139C+: descriptors instead of the ring and the four buffers. */
#define REVISION_CPLUS 0x20u /* PCI revision of the first chip that has them */
#define TXRING 0x20          /* 64-bit address, in the place of TSAD0 and 1 */
#define TPPOLL 0xd9
#define CPCR 0xe0
#define RXRING 0xe4          /* 64-bit address */
#define TPPOLL_NORMAL 0x40u
#define CPCR_TX 0x0001u
#define CPCR_RX 0x0002u
#define CPCR_MULTI_READ 0x0008u
#define CPCR_RX_CSUM 0x0020u
#define TCR_LOOPBACK (3u << 17)

#define CPD_OWN 0x80000000u  /* the card's */
#define CPD_END 0x40000000u  /* last descriptor of the ring */
#define CPD_FIRST 0x20000000u
#define CPD_LAST 0x10000000u
#define CPT_UDP_CSUM (1u << 17)
#define CPT_TCP_CSUM (1u << 16)
#define CPR_ERROR (1u << 20)
#define CPR_PROTO(v) ((v) >> 16 & 3u) /* 0 none, 1 TCP, 2 UDP, 3 IP */
#define CPR_IP_BAD (1u << 15)
#define CPR_UDP_BAD (1u << 14)
#define CPR_TCP_BAD (1u << 13)
#define CPR_LENGTH 0x1fffu   /* with the CRC */

/* In front of each frame in the ring: status, then length with the CRC. */
#define RX_ROK 0x0001u
#define RX_BAD 0x003eu       /* FAE, CRC, LONG, RUNT, ISE */
#define RX_UNFINISHED 0xfff0u /* length while the chip still copies */
#define RX_HEADER 4u
#define RX_CRC 4u

#endif
