/* SPDX-License-Identifier: MIT
 *
 * drivers/virtio_net_config.h: what a virtio card says of itself, and which groups it
 * is told to let through. Called by drivers/virtio_net.c; context and lock: as there.
 */
#ifndef DRIVERS_VIRTIO_NET_CONFIG_H
#define DRIVERS_VIRTIO_NET_CONFIG_H

#include <drivers/virtio/virtio.h>
#include <kernel/time.h>
#include <net/core/link.h>

/* True when it is the card's own; else a random one. */
bool vn_read_mac(struct virtio_device *dev, uint8_t mac[6]);
uint32_t vn_read_mtu(struct virtio_device *dev);
bool vn_read_carrier(struct virtio_device *dev);

/* The control queue, which the receive filter is set by (VirtIO 1.2, 5.1.6.5). A card
 * without it lets everything through, and the classifier sorts it out. */
struct vn_filter {
    struct virtio_device *dev;
    const struct link *link;
    struct virtqueue vq;
    uint8_t *page; /* commands and their answers; NULL: there is no filter */
    struct timer timer;
    unsigned ticks;
    bool off;   /* not to be used: the card would refuse our own address */
    bool stale; /* link->group[] has changed since the last command */
};
int vn_filter_create(struct vn_filter *f, struct virtio_device *dev, const struct link *l);
int vn_filter_restart(struct vn_filter *f); /* after a reset, before DRIVER_OK */
void vn_filter_set(struct vn_filter *f);    /* at DRIVER_OK, and when link->group[] has changed */
void vn_filter_close(struct vn_filter *f);  /* the device is reset or cut off */
void vn_filter_destroy(struct vn_filter *f);

#endif
