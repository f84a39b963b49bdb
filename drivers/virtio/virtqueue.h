/* SPDX-License-Identifier: MIT
 *
 * drivers/virtio/virtqueue.h: one split virtqueue (VirtIO 1.2, 2.7), as the
 * driver sees it.
 *
 * Owns: the ring's indices, the free descriptors, and who owns each buffer:
 *
 *     vq_add          free    -> offered  (descriptors are written)
 *     vq_publish      offered -> device
 *     vq_take         device  -> driver   (id, length and count are checked)
 *     vq_recycle      driver  -> offered  (same buffer again, nothing rewritten)
 *     vq_release      driver  -> free
 *
 * What the device writes (used index, ids, lengths) is hostile input: vq_take
 * returns -EPROTO on nonsense and the caller resets the device. Nothing that
 * lies in shared memory is read back but the used ring.
 *
 * Called by: virtio drivers, poll or thread context; vq_irq_off also from the
 * hard handler. Lock: none, one queue has one user. Pure: builds on the host.
 */
#ifndef DRIVERS_VIRTIO_VIRTQUEUE_H
#define DRIVERS_VIRTIO_VIRTQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VQ_ALIGN 4096u      /* of the used ring in the legacy layout (2.7.2) */
#define VQ_SIZE_MAX 32768u  /* 2.7 */
#define VQ_NONE 0xffffu

#define VRING_DESC_NEXT 1u
#define VRING_DESC_WRITE 2u
#define VRING_AVAIL_NO_INTERRUPT 1u
#define VRING_USED_NO_NOTIFY 1u

struct vring_desc { /* 2.7.5 */
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};
struct vring_used_elem { /* 2.7.8 */
    uint32_t id, len;
};

enum vq_owner {
    VQ_FREE = 0,
    VQ_OFFERED, /* given, but the device has not been shown */
    VQ_DEVICE,
    VQ_DRIVER,
    VQ_PART,    /* not the first of its chain */
};

struct vq_slot {       /* the driver's own view of one descriptor */
    void *cookie;
    uint32_t room;     /* bytes of the chain that the device may write */
    uint16_t next;     /* in the chain or in the free list */
    uint16_t tail;     /* first of a chain: its last */
    uint16_t count;    /* first of a chain: its length */
    uint16_t also;     /* first of a chain: next in the list of those offered */
    uint8_t owner;     /* enum vq_owner */
};

struct virtqueue {
    uint16_t index, size;
    bool event_idx;          /* VIRTIO_F_EVENT_IDX was agreed (2.7.10) */
    struct vring_desc *desc;
    uint16_t *avail;         /* flags, idx, ring[size], used_event */
    uint16_t *used;          /* flags, idx, elements, avail_event */
    struct vring_used_elem *used_ring;
    struct vq_slot *slot;    /* size of them */
    uint16_t avail_idx;      /* next to fill */
    uint16_t published;      /* what the device has been shown */
    uint16_t last_used;      /* next to take */
    uint16_t free_head, nfree;
    uint16_t offered;        /* head of the list of chains offered */
    uint16_t inflight;       /* chains offered or the device's */
    void *memory;            /* the ring itself */
    uint64_t phys;
    volatile uint16_t *doorbell; /* modern transport */
    void (*fence)(void *arg); /* more than the processor's own is needed; or NULL */
    void *fence_arg;
};

struct vq_buf {
    uint64_t phys;
    uint32_t len;
};
struct vq_done {
    void *cookie;
    uint32_t len; /* bytes that the device says it wrote; within the chain's room */
    uint16_t id;
};

/* Bytes of memory for a ring of `size`, in the legacy layout, which suits the
 * modern transport as well. */
size_t vq_bytes(uint16_t size);
size_t vq_avail_offset(uint16_t size);
size_t vq_used_offset(uint16_t size);

/* `memory` is vq_bytes(size) long, page aligned; `slot` has `size` elements.
 * Both are cleared. Interrupts start suppressed. */
void vq_init(struct virtqueue *vq, uint16_t index, uint16_t size, void *memory, uint64_t phys,
             struct vq_slot *slot, bool event_idx);

/* Give a chain to the device: first `nout` buffers that it reads, then `nin`
 * that it writes. Returns the chain's id, or -1 when descriptors are short.
 * The device sees it after vq_publish. */
int vq_add(struct virtqueue *vq, const struct vq_buf *bufs, unsigned nout, unsigned nin, void *cookie);
/* Next finished chain: 1, 0 for none, or -EPROTO. */
int vq_take(struct virtqueue *vq, struct vq_done *done);
void vq_recycle(struct virtqueue *vq, uint16_t id);
void vq_release(struct virtqueue *vq, uint16_t id);
/* Takes back a chain whatever the device says; only while it is reset. Starts
 * at *cursor (0 at first). Returns the cookie, NULL when there is none left. */
void *vq_reclaim(struct virtqueue *vq, uint16_t *cursor);

/* Show the device what was added. True when it wants to be notified. */
bool vq_publish(struct virtqueue *vq);

void vq_irq_off(struct virtqueue *vq);
/* Ask for an interrupt once more than `ahead` further chains are finished.
 * True when they are already: then none may come, and the caller looks again. */
bool vq_irq_on(struct virtqueue *vq, uint16_t ahead);

#endif
