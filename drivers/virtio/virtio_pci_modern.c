/* SPDX-License-Identifier: MIT
 *
 * drivers/virtio/virtio_pci_modern.c: the interface of VirtIO 1.0 and later
 * (VirtIO 1.2, 4.1.4): registers in memory BARs, found by vendor capabilities.
 *
 * Owns: nothing beside the registers. Context: see virtio.h. What the
 * capabilities say is checked against the BARs' sizes.
 */
#include <drivers/virtio/virtio.h>
#include <kernel/log.h>
#include <kernel/pci.h>
#include <slipway/errno.h>

#define PCI_CAP_VENDOR 0x09
#define CAPS_MAX 32
/* struct virtio_pci_cap */
#define CAP_TYPE 3
#define CAP_BAR 4
#define CAP_OFFSET 8
#define CAP_LENGTH 12
#define CAP_NOTIFY_STEP 16
enum { TYPE_COMMON = 1, TYPE_NOTIFY = 2, TYPE_ISR = 3, TYPE_DEVICE = 4 };

/* struct virtio_pci_common_cfg (4.1.4.3) */
#define C_DEVICE_FEATURE_SELECT 0
#define C_DEVICE_FEATURE 4
#define C_DRIVER_FEATURE_SELECT 8
#define C_DRIVER_FEATURE 12
#define C_CONFIG_VECTOR 16
#define C_NUM_QUEUES 18
#define C_STATUS 20
#define C_GENERATION 21
#define C_QUEUE_SELECT 22
#define C_QUEUE_SIZE 24
#define C_QUEUE_VECTOR 26
#define C_QUEUE_ENABLE 28
#define C_QUEUE_NOTIFY_OFF 30
#define C_QUEUE_DESC 32
#define C_QUEUE_DRIVER 40
#define C_QUEUE_DEVICE 48
#define C_BYTES 56

#define GENERATION_TRIES 8

static uint8_t get8(struct virtio_device *v, unsigned r) { return v->common[r]; }
static uint16_t get16(struct virtio_device *v, unsigned r) { return *(volatile uint16_t *)(v->common + r); }
static uint32_t get32(struct virtio_device *v, unsigned r) { return *(volatile uint32_t *)(v->common + r); }
static void put8(struct virtio_device *v, unsigned r, uint8_t x) { v->common[r] = x; }
static void put16(struct virtio_device *v, unsigned r, uint16_t x) { *(volatile uint16_t *)(v->common + r) = x; }
static void put32(struct virtio_device *v, unsigned r, uint32_t x) { *(volatile uint32_t *)(v->common + r) = x; }

/* 4.1.3.1: 64-bit fields may be written as two halves. */
static void put64(struct virtio_device *v, unsigned r, uint64_t x)
{
    put32(v, r, (uint32_t)x);
    put32(v, r + 4, (uint32_t)(x >> 32));
}

static uint8_t status(struct virtio_device *v) { return get8(v, C_STATUS); }
static void set_status(struct virtio_device *v, uint8_t s) { put8(v, C_STATUS, s); }

static uint64_t features(struct virtio_device *v)
{
    uint64_t f;

    put32(v, C_DEVICE_FEATURE_SELECT, 0);
    f = get32(v, C_DEVICE_FEATURE);
    put32(v, C_DEVICE_FEATURE_SELECT, 1);
    return f | (uint64_t)get32(v, C_DEVICE_FEATURE) << 32;
}

static void set_features(struct virtio_device *v, uint64_t f)
{
    put32(v, C_DRIVER_FEATURE_SELECT, 0);
    put32(v, C_DRIVER_FEATURE, (uint32_t)f);
    put32(v, C_DRIVER_FEATURE_SELECT, 1);
    put32(v, C_DRIVER_FEATURE, (uint32_t)(f >> 32));
}

static uint16_t queue_size(struct virtio_device *v, uint16_t index)
{
    if (index >= get16(v, C_NUM_QUEUES))
        return 0;
    put16(v, C_QUEUE_SELECT, index);
    return get16(v, C_QUEUE_SIZE);
}

static int queue_start(struct virtio_device *v, struct virtqueue *vq)
{
    uint64_t doorbell;

    put16(v, C_QUEUE_SELECT, vq->index);
    if (get16(v, C_QUEUE_ENABLE) != 0)
        return -EBUSY; /* a reset would have cleared it */
    put16(v, C_QUEUE_SIZE, vq->size);
    if (get16(v, C_QUEUE_SIZE) != vq->size)
        return -EIO;
    put64(v, C_QUEUE_DESC, vq->phys);
    put64(v, C_QUEUE_DRIVER, vq->phys + vq_avail_offset(vq->size));
    put64(v, C_QUEUE_DEVICE, vq->phys + vq_used_offset(vq->size));
    doorbell = (uint64_t)get16(v, C_QUEUE_NOTIFY_OFF) * v->notify_step; /* 4.1.4.4 */
    if (doorbell + sizeof(uint16_t) > v->notify_bytes)
        return -EIO;
    vq->doorbell = (volatile uint16_t *)(v->notify_base + doorbell);
    put16(v, C_QUEUE_ENABLE, 1);
    return get16(v, C_QUEUE_ENABLE) == 1 ? 0 : -EIO;
}

/* 4.1.5.1.2: a vector that reads back as NO_VECTOR was not accepted. */
static int queue_vector(struct virtio_device *v, uint16_t index, uint16_t vector)
{
    put16(v, C_QUEUE_SELECT, index);
    put16(v, C_QUEUE_VECTOR, vector);
    return get16(v, C_QUEUE_VECTOR) == vector ? 0 : -EIO;
}

static int config_vector(struct virtio_device *v, uint16_t vector)
{
    put16(v, C_CONFIG_VECTOR, vector);
    return get16(v, C_CONFIG_VECTOR) == vector ? 0 : -EIO;
}

static void notify(struct virtio_device *v, struct virtqueue *vq)
{
    (void)v;
    *vq->doorbell = vq->index;
}

static uint8_t isr(struct virtio_device *v) { return *v->isr_reg; }

/* A change in the middle of reading shows in the generation (2.5.1). */
static void read_config(struct virtio_device *v, unsigned offset, void *buf, unsigned bytes)
{
    uint8_t *out = buf;

    for (unsigned tries = 0; tries < GENERATION_TRIES; tries++) {
        uint8_t before = get8(v, C_GENERATION);
        for (unsigned i = 0; i < bytes; i++)
            out[i] = offset + i < v->config_bytes ? v->config[offset + i] : 0;
        if (get8(v, C_GENERATION) == before)
            break;
    }
}

static const struct virtio_ops modern_ops = {
    .name = "modern",
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

/* One capability: remembers the first usable one of each type (4.1.4). */
static void take_cap(struct virtio_device *v, unsigned cap)
{
    uint8_t type = pci_read8(v->pci, cap + CAP_TYPE), bar = pci_read8(v->pci, cap + CAP_BAR);
    uint32_t offset = pci_read32(v->pci, cap + CAP_OFFSET), length = pci_read32(v->pci, cap + CAP_LENGTH);
    volatile uint8_t *base;

    if (type < TYPE_COMMON || type > TYPE_DEVICE || bar > 5 || v->pci->bar[bar].is_io ||
        (uint64_t)offset + length > v->pci->bar[bar].bytes)
        return;
    if ((type == TYPE_COMMON && (v->common != NULL || length < C_BYTES)) ||
        (type == TYPE_NOTIFY && (v->notify_base != NULL || length < sizeof(uint16_t))) ||
        (type == TYPE_ISR && (v->isr_reg != NULL || length < 1)) || (type == TYPE_DEVICE && v->config != NULL))
        return;
    base = pci_map_bar(v->pci, bar);
    if (base == NULL)
        return;
    base += offset;
    switch (type) {
    case TYPE_COMMON:
        v->common = base;
        break;
    case TYPE_NOTIFY:
        v->notify_base = base;
        v->notify_bytes = length;
        v->notify_step = pci_read32(v->pci, cap + CAP_NOTIFY_STEP);
        break;
    case TYPE_ISR:
        v->isr_reg = base;
        break;
    default:
        v->config = base;
        v->config_bytes = length;
        break;
    }
}

/* -ENOENT: no such capabilities, the device may be a legacy one. */
int virtio_modern_probe(struct virtio_device *v)
{
    unsigned cap = pci_find_cap(v->pci, PCI_CAP_VENDOR, 0);

    if (cap == 0)
        return -ENOENT;
    pci_enable(v->pci, true, false, true);
    for (unsigned n = 0; cap != 0 && n < CAPS_MAX; n++) {
        take_cap(v, cap);
        cap = pci_find_cap(v->pci, PCI_CAP_VENDOR, cap);
    }
    if (v->common == NULL || v->notify_base == NULL || v->isr_reg == NULL || v->config == NULL) {
        klog(LOG_WARN, "virtio: capabilities are incomplete or point outside their BARs");
        return -ENOENT;
    }
    v->modern = true;
    v->ops = &modern_ops;
    return 0;
}
