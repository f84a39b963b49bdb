/* SPDX-License-Identifier: MIT
 *
 * drivers/virtio/virtio_pci_legacy.c: the legacy interface (VirtIO 1.2,
 * 4.1.4.10 and the "legacy interface" sections): registers in I/O BAR 0.
 *
 * Owns: nothing beside the registers. Context: see virtio.h.
 */
#include <drivers/virtio/virtio.h>
#include <kernel/cpu.h>
#include <kernel/pci.h>
#include <slipway/errno.h>

#define L_DEVICE_FEATURES 0
#define L_DRIVER_FEATURES 4
#define L_QUEUE_PFN 8
#define L_QUEUE_SIZE 12
#define L_QUEUE_SELECT 14
#define L_QUEUE_NOTIFY 16
#define L_STATUS 18
#define L_ISR 19
#define L_CONFIG_VECTOR 20 /* only while MSI-X is on ... */
#define L_QUEUE_VECTOR 22
#define L_CONFIG 20        /* ... else the configuration starts here */
#define L_CONFIG_MSIX 24
#define L_PFN_SHIFT 12

#define PCI_CAP_MSIX 0x11
#define MSIX_CONTROL 2
#define MSIX_ENABLE 0x8000u

static uint8_t status(struct virtio_device *v) { return inb((uint16_t)(v->io + L_STATUS)); }
static void set_status(struct virtio_device *v, uint8_t s) { outb((uint16_t)(v->io + L_STATUS), s); }
static uint64_t features(struct virtio_device *v) { return inl((uint16_t)(v->io + L_DEVICE_FEATURES)); }

static void set_features(struct virtio_device *v, uint64_t f)
{
    outl((uint16_t)(v->io + L_DRIVER_FEATURES), (uint32_t)f);
}

static void select_queue(struct virtio_device *v, uint16_t index)
{
    outw((uint16_t)(v->io + L_QUEUE_SELECT), index);
}

static uint16_t queue_size(struct virtio_device *v, uint16_t index)
{
    select_queue(v, index);
    return inw((uint16_t)(v->io + L_QUEUE_SIZE));
}

static int queue_start(struct virtio_device *v, struct virtqueue *vq)
{
    uint64_t pfn = vq->phys >> L_PFN_SHIFT;

    if (pfn > UINT32_MAX)
        return -ENOMEM;
    select_queue(v, vq->index);
    outl((uint16_t)(v->io + L_QUEUE_PFN), (uint32_t)pfn);
    return inl((uint16_t)(v->io + L_QUEUE_PFN)) == (uint32_t)pfn ? 0 : -EIO;
}

/* 4.1.5.1.2: a vector that reads back as NO_VECTOR was not accepted. */
static int queue_vector(struct virtio_device *v, uint16_t index, uint16_t vector)
{
    select_queue(v, index);
    outw((uint16_t)(v->io + L_QUEUE_VECTOR), vector);
    return inw((uint16_t)(v->io + L_QUEUE_VECTOR)) == vector ? 0 : -EIO;
}

static int config_vector(struct virtio_device *v, uint16_t vector)
{
    outw((uint16_t)(v->io + L_CONFIG_VECTOR), vector);
    return inw((uint16_t)(v->io + L_CONFIG_VECTOR)) == vector ? 0 : -EIO;
}

static void notify(struct virtio_device *v, struct virtqueue *vq)
{
    outw((uint16_t)(v->io + L_QUEUE_NOTIFY), vq->index);
}

static uint8_t isr(struct virtio_device *v) { return inb((uint16_t)(v->io + L_ISR)); }

static void read_config(struct virtio_device *v, unsigned offset, void *buf, unsigned bytes)
{
    unsigned cap = pci_find_cap(v->pci, PCI_CAP_MSIX, 0);
    bool msix = cap != 0 && (pci_read16(v->pci, cap + MSIX_CONTROL) & MSIX_ENABLE);
    unsigned at = v->io + (msix ? L_CONFIG_MSIX : L_CONFIG) + offset;
    uint8_t *out = buf;

    for (unsigned i = 0; i < bytes; i++)
        out[i] = inb((uint16_t)(at + i));
}

static const struct virtio_ops legacy_ops = {
    .name = "legacy",
    .status = status,
    .set_status = set_status,
    .features = features,
    .set_features = set_features,
    .queue_size = queue_size,
    .queue_start = queue_start,
    .queue_vector = queue_vector,
    .config_vector = config_vector,
    .notify = notify,
    .isr = isr,
    .read_config = read_config,
};

int virtio_legacy_probe(struct virtio_device *v)
{
    struct pci_bar *bar = &v->pci->bar[0];

    /* 4.1.2.3: legacy and transitional devices have revision 0. */
    if (v->pci->revision != 0 || !bar->is_io || bar->bytes < L_CONFIG)
        return -ENODEV;
    v->io = (uint16_t)bar->base;
    v->modern = false;
    v->ops = &legacy_ops;
    pci_enable(v->pci, false, true, true);
    return 0;
}
