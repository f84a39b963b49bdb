/* SPDX-License-Identifier: MIT
 *
 * drivers/virtio/virtio.c: what both transports share: reset, negotiation,
 * the memory of queues.
 *
 * Owns, callers, context: see virtio.h.
 */
#include <drivers/virtio/virtio.h>
#include <kernel/cpu.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/pci.h>
#include <kernel/time.h>
#include <slipway/errno.h>

int virtio_probe(struct virtio_device *v, struct pci_device *d)
{
    int r;

    v->pci = d;
    r = virtio_modern_probe(v);
    if (r == -ENOENT)
        r = virtio_legacy_probe(v);
    return r;
}

int virtio_reset(struct virtio_device *v)
{
    uint64_t deadline = now_ns() + VIRTIO_RESET_DEADLINE_MS * NS_PER_MS;

    v->ops->set_status(v, 0);
    /* 4.1.4.3.2: the driver waits until it reads 0 back. */
    while (v->ops->status(v) != 0) { /* C-VIRTIO-1 */
        if (now_ns() > deadline)
            return -ETIMEDOUT;
        delay_us(10);
    }
    return 0;
}

static void add_status(struct virtio_device *v, uint8_t bits)
{
    v->ops->set_status(v, (uint8_t)(v->ops->status(v) | bits));
}

static int negotiate(struct virtio_device *v, const struct virtio_feature *table, unsigned n)
{
    uint64_t offered = v->ops->features(v), accept = 0;

    for (unsigned i = 0; i < n; i++) {
        uint64_t bit = 1ull << table[i].bit;
        /* A legacy device has the first 32 only (6.1). */
        if (!v->modern && table[i].bit >= 32)
            continue;
        if (table[i].wish != VIRTIO_REFUSED && (offered & bit)) /* C-VIRTIO-2 */
            accept |= bit;
        else if (table[i].wish == VIRTIO_REQUIRED) {
            klog(LOG_ERROR, "virtio: the device lacks the feature %s, which is needed", table[i].name);
            return -ENOTSUP;
        }
    }
    v->features = accept;
    v->ops->set_features(v, accept);
    if (!v->modern)
        return 0;
    add_status(v, VIRTIO_FEATURES_OK);
    if (!(v->ops->status(v) & VIRTIO_FEATURES_OK)) { /* C-VIRTIO-3 */
        klog(LOG_ERROR, "virtio: the device refused the features %lx of %lx", (unsigned long)accept,
             (unsigned long)offered);
        return -ENOTSUP;
    }
    return 0;
}

int virtio_begin(struct virtio_device *v, const struct virtio_feature *table, unsigned n)
{
    int r = virtio_reset(v);

    if (r < 0) {
        klog(LOG_ERROR, "virtio: no end of the reset within %u ms", VIRTIO_RESET_DEADLINE_MS);
        return r;
    }
    add_status(v, VIRTIO_ACKNOWLEDGE);
    add_status(v, VIRTIO_DRIVER);
    return negotiate(v, table, n);
}

void virtio_ready(struct virtio_device *v) { add_status(v, VIRTIO_DRIVER_OK); }

void virtio_fail(struct virtio_device *v)
{
    if (virtio_reset(v) == 0)
        v->ops->set_status(v, VIRTIO_FAILED);
    pci_enable(v->pci, true, true, false); /* whatever it does, not to our memory (C-DMA-6) */
}

static unsigned order_of(size_t bytes)
{
    unsigned order = 0;

    while ((PAGE_SIZE << order) < bytes)
        order++;
    return order;
}

/* With one virtual CPU, QEMU's TCG translates a fence to nothing, yet the device
 * runs in a thread of its own: the store of an index and the load of the other
 * side's event index (2.7.10) pass each other, and a notification is lost about
 * once in a hundred thousand. An access to a register goes through a lock of
 * QEMU's, which is a fence. The status register has no side effects. */
static void device_fence(void *arg)
{
    struct virtio_device *v = arg;

    (void)v->ops->status(v);
}

static void choose_fence(struct virtio_device *v, struct virtqueue *vq)
{
    vq->fence = cpu.emulated ? device_fence : NULL;
    vq->fence_arg = v;
}

int virtio_queue_create(struct virtio_device *v, struct virtqueue *vq, uint16_t index, uint16_t max)
{
    uint16_t size = v->ops->queue_size(v, index);
    struct vq_slot *slot;
    phys_t p;
    int r;

    if (size == 0 || size > VQ_SIZE_MAX || (size & (size - 1)) != 0) { /* C-VIRTIO-4 */
        klog(LOG_ERROR, "virtio: queue %u has the impossible size %u", index, size);
        return -ENODEV;
    }
    if (v->modern && size > max)
        size = max;
    p = page_alloc(order_of(vq_bytes(size)), PAGE_ZERO);
    slot = kzalloc(sizeof(*slot) * size);
    if (p == 0 || slot == NULL) {
        if (p != 0)
            page_free(p, order_of(vq_bytes(size)));
        kfree(slot);
        return -ENOMEM;
    }
    vq_init(vq, index, size, phys_to_virt(p), p, slot, virtio_has(v, VIRTIO_F_EVENT_IDX));
    choose_fence(v, vq);
    r = v->ops->queue_start(v, vq);
    if (r < 0)
        virtio_queue_destroy(vq);
    return r;
}

int virtio_queue_restart(struct virtio_device *v, struct virtqueue *vq)
{
    uint16_t size = v->ops->queue_size(v, vq->index);

    if (v->modern ? size < vq->size : size != vq->size)
        return -EPROTO;
    vq_init(vq, vq->index, vq->size, vq->memory, vq->phys, vq->slot, virtio_has(v, VIRTIO_F_EVENT_IDX));
    choose_fence(v, vq);
    return v->ops->queue_start(v, vq);
}

void virtio_queue_destroy(struct virtqueue *vq)
{
    if (vq->memory == NULL)
        return;
    page_free(vq->phys, order_of(vq_bytes(vq->size)));
    kfree(vq->slot);
    *vq = (struct virtqueue){0};
}
