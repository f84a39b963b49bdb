/* SPDX-License-Identifier: MIT
 *
 * drivers/virtio_rng.c: the VirtIO entropy device (VirtIO 1.2, section 5.4).
 *
 * Owns: struct virtio_rng (one per device) with its page of bytes. Called by:
 * the driver table; the generator (kernel/random.c), which asks and later takes.
 * Context: thread or poll. Lock: none.
 *
 * There is one queue, and no interrupt: who wants the bytes looks for them. What
 * the device writes is hostile input as far as ids and lengths go; a device that
 * makes no sense is cut off, and gives nothing any more.
 */
#include <drivers/drivers.h>
#include <drivers/virtio/virtio.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/pci.h>
#include <kernel/random.h>
#include <kernel/string.h>
#include <slipway/errno.h>

#define VR_QUEUE 0
#define VR_QUEUE_MAX 8
#define VR_BYTES 64u
#define PCI_COMMAND 4
#define PCI_COMMAND_NO_INTX 0x400u

static const struct virtio_feature vr_features[] = {
    {VIRTIO_F_VERSION_1, VIRTIO_REQUIRED, "VERSION_1"}, /* 6.1; of modern devices only */
    {VIRTIO_F_ACCESS_PLATFORM, VIRTIO_WANTED, "ACCESS_PLATFORM"},
    {VIRTIO_F_ORDER_PLATFORM, VIRTIO_WANTED, "ORDER_PLATFORM"},
};

struct virtio_rng {
    struct random_device random;
    struct virtio_device dev;
    struct virtqueue vq;
    uint8_t *bytes;
    bool broken;
};

static struct virtio_rng *of_random(struct random_device *d)
{
    return (struct virtio_rng *)d; /* the first member */
}

static void vr_fail(struct virtio_rng *g, int why)
{
    if (g->broken)
        return;
    g->broken = true;
    virtio_fail(&g->dev);
    klog(LOG_WARN, "virtio-rng: makes no sense (%d), the device is cut off", why);
}

static void vr_ask(struct random_device *d)
{
    struct virtio_rng *g = of_random(d);
    struct vq_buf b = {virt_to_phys(g->bytes), VR_BYTES};

    if (!g->broken && vq_add(&g->vq, &b, 0, 1, g->bytes) >= 0)
        virtio_kick(&g->dev, &g->vq);
}

/* 5.4.6.1: the device fills as much as it likes, one byte at least. */
static size_t vr_take(struct random_device *d, uint8_t *buf, size_t room)
{
    struct virtio_rng *g = of_random(d);
    struct vq_done done;
    size_t n;
    int r;

    if (g->broken)
        return 0;
    r = vq_take(&g->vq, &done); /* never longer than what was offered (C-DMA-2) */
    if (r < 0)
        vr_fail(g, r);
    if (r <= 0)
        return 0;
    n = done.len < room ? done.len : room;
    memcpy(buf, g->bytes, n);
    memset(g->bytes, 0, VR_BYTES);
    vq_release(&g->vq, done.id);
    if (n == 0)
        vr_fail(g, -EIO);
    return n;
}

static void vr_free(struct virtio_rng *g)
{
    if (g->bytes != NULL)
        page_free(virt_to_phys(g->bytes), 0);
    virtio_queue_destroy(&g->vq);
    kfree(g);
}

static int vr_start(struct virtio_rng *g)
{
    phys_t page = page_alloc(0, PAGE_ZERO);
    int r;

    if (page == 0)
        return -ENOMEM;
    g->bytes = phys_to_virt(page);
    r = virtio_begin(&g->dev, vr_features, sizeof(vr_features) / sizeof(vr_features[0]));
    if (r == 0)
        r = virtio_queue_create(&g->dev, &g->vq, VR_QUEUE, VR_QUEUE_MAX);
    if (r < 0)
        virtio_fail(&g->dev);
    return r;
}

int virtio_rng_attach(struct pci_device *d)
{
    struct virtio_rng *g = kzalloc(sizeof(*g));
    int r;

    if (g == NULL)
        return -ENOMEM;
    r = virtio_probe(&g->dev, d);
    if (r == 0) {
        pci_write16(d, PCI_COMMAND, (uint16_t)(pci_read16(d, PCI_COMMAND) | PCI_COMMAND_NO_INTX));
        r = vr_start(g);
    }
    if (r < 0) {
        vr_free(g);
        return r;
    }
    virtio_ready(&g->dev);
    g->random = (struct random_device){.name = "virtio-rng", .ask = vr_ask, .take = vr_take};
    d->irq_mode = "none";
    klog(LOG_INFO, "virtio-rng (%s)", g->dev.ops->name);
    random_device_add(&g->random);
    return 0;
}
