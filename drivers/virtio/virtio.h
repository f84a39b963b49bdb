/* SPDX-License-Identifier: MIT
 *
 * drivers/virtio/virtio.h: a VirtIO device behind PCI, old or new.
 *
 * Owns: struct virtio_device, the order of initialisation (VirtIO 1.2, 3.1.1),
 * feature negotiation by table, the memory of queues. The two transports
 * differ in struct virtio_ops only; a device driver sees neither.
 *
 * Called by: virtio device drivers. Context: thread at attach, poll or thread
 * later; notify and isr also hard interrupt.
 */
#ifndef DRIVERS_VIRTIO_VIRTIO_H
#define DRIVERS_VIRTIO_VIRTIO_H

#include <drivers/virtio/virtqueue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pci_device;
struct virtio_device;

/* Device status (2.1). */
#define VIRTIO_ACKNOWLEDGE 1u
#define VIRTIO_DRIVER 2u
#define VIRTIO_DRIVER_OK 4u
#define VIRTIO_FEATURES_OK 8u
#define VIRTIO_NEEDS_RESET 64u
#define VIRTIO_FAILED 128u

/* Features of every device (6). */
#define VIRTIO_F_NOTIFY_ON_EMPTY 24
#define VIRTIO_F_ANY_LAYOUT 27
#define VIRTIO_F_INDIRECT_DESC 28
#define VIRTIO_F_EVENT_IDX 29
#define VIRTIO_F_VERSION_1 32
#define VIRTIO_F_ACCESS_PLATFORM 33
#define VIRTIO_F_RING_PACKED 34
#define VIRTIO_F_IN_ORDER 35
#define VIRTIO_F_ORDER_PLATFORM 36
#define VIRTIO_F_SR_IOV 37
#define VIRTIO_F_NOTIFICATION_DATA 38
#define VIRTIO_F_RING_RESET 40

/* What a driver thinks of a feature. Bits that no table names are refused. */
enum virtio_wish { VIRTIO_REFUSED, VIRTIO_WANTED, VIRTIO_REQUIRED };
struct virtio_feature {
    uint8_t bit;
    uint8_t wish; /* enum virtio_wish */
    const char *name;
};

/* ISR status (4.1.4.5); reading it lowers the interrupt line. */
#define VIRTIO_ISR_QUEUE 1u
#define VIRTIO_ISR_CONFIG 2u
#define VIRTIO_NO_VECTOR 0xffffu

#define VIRTIO_RESET_DEADLINE_MS 500u

struct virtio_ops {
    const char *name;
    uint8_t (*status)(struct virtio_device *v);
    void (*set_status)(struct virtio_device *v, uint8_t status);
    uint64_t (*features)(struct virtio_device *v);
    void (*set_features)(struct virtio_device *v, uint64_t features);
    uint16_t (*queue_size)(struct virtio_device *v, uint16_t index); /* 0: no such queue */
    int (*queue_start)(struct virtio_device *v, struct virtqueue *vq);
    /* Route a queue's or the configuration's interrupt; 0 or -EIO. */
    int (*queue_vector)(struct virtio_device *v, uint16_t index, uint16_t vector);
    int (*config_vector)(struct virtio_device *v, uint16_t vector);
    void (*notify)(struct virtio_device *v, struct virtqueue *vq);
    uint8_t (*isr)(struct virtio_device *v);
    void (*read_config)(struct virtio_device *v, unsigned offset, void *buf, unsigned bytes);
};

struct virtio_device {
    struct pci_device *pci;
    const struct virtio_ops *ops;
    bool modern;
    uint64_t features; /* agreed */
    /* Legacy transport. */
    uint16_t io;
    /* Modern transport: where the capabilities point (4.1.4). */
    volatile uint8_t *common, *isr_reg, *config, *notify_base;
    uint32_t config_bytes, notify_bytes, notify_step;
};

/* Find the transport: modern if the device has it, else legacy. */
int virtio_probe(struct virtio_device *v, struct pci_device *d);
int virtio_modern_probe(struct virtio_device *v);
int virtio_legacy_probe(struct virtio_device *v);

static inline bool virtio_has(const struct virtio_device *v, unsigned bit) { return (v->features >> bit) & 1; }

/* Write 0 to the status and wait, at most VIRTIO_RESET_DEADLINE_MS. */
int virtio_reset(struct virtio_device *v);
/* Reset, acknowledge, agree on features (steps 1 to 6 of 3.1.1). */
int virtio_begin(struct virtio_device *v, const struct virtio_feature *table, unsigned n);
void virtio_ready(struct virtio_device *v); /* step 8: DRIVER_OK */
void virtio_fail(struct virtio_device *v);  /* give the device up */

/* Step 7. Memory comes from the page allocator, zeroed. A modern queue shrinks
 * to `max`; a legacy one has the device's size. */
int virtio_queue_create(struct virtio_device *v, struct virtqueue *vq, uint16_t index, uint16_t max);
/* After a reset: the same memory, empty again. */
int virtio_queue_restart(struct virtio_device *v, struct virtqueue *vq);
void virtio_queue_destroy(struct virtqueue *vq);
/* Notify the device if it asked for it. */
static inline void virtio_kick(struct virtio_device *v, struct virtqueue *vq)
{
    if (vq_publish(vq))
        v->ops->notify(v, vq);
}

#endif
