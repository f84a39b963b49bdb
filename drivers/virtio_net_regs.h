/* SPDX-License-Identifier: MIT
 *
 * drivers/virtio_net_regs.h: feature bits, configuration and packet header of
 * the VirtIO network device (VirtIO 1.2, 5.1).
 */
#ifndef DRIVERS_VIRTIO_NET_REGS_H
#define DRIVERS_VIRTIO_NET_REGS_H

/* Feature bits (5.1.3); those of every device are in virtio/virtio.h. */
#define VN_F_CSUM 0
#define VN_F_GUEST_CSUM 1
#define VN_F_MTU 3
#define VN_F_MAC 5
#define VN_F_MRG_RXBUF 15
#define VN_F_STATUS 16
#define VN_F_CTRL_VQ 17
#define VN_F_CTRL_RX 18

/* Configuration (5.1.4). */
#define VN_CFG_MAC 0
#define VN_CFG_STATUS 6
#define VN_CFG_MTU 10
#define VN_LINK_UP 1u

/* struct virtio_net_hdr (5.1.6): 10 bytes, and num_buffers behind them where
 * the device is modern or buffers merge. All zero as no offload is agreed. */
#define VN_HDR_LEGACY 10
#define VN_HDR_MODERN 12

#define VN_RX 0
#define VN_TX 1
#define VN_CTRL 2 /* with one pair of queues */

/* Commands of the control queue: class and command (5.1.6.5). */
#define VN_CTRL_RX 0
#define VN_CTRL_RX_PROMISC 0
#define VN_CTRL_MAC 1
#define VN_CTRL_MAC_TABLE 0

#endif
