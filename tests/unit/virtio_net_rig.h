/* SPDX-License-Identifier: MIT
 *
 * tests/unit/virtio_net_rig.h: a virtio network card in this process, with the driver
 * against it. Included by test_virtio_net.c and test_virtio_filter.c, each of which has
 * its own.
 */
#ifndef TESTS_UNIT_VIRTIO_NET_RIG_H
#define TESTS_UNIT_VIRTIO_NET_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "driver_fakes.h"
#include "../../drivers/virtio_net.c"
#include <kernel/cpu.h>

struct cpu_features cpu; /* real hardware, as far as the fences go */

#define ALL_FEATURES (1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_EVENT_IDX | 1ull << VIRTIO_F_ANY_LAYOUT | \
                      1ull << VN_F_MAC | 1ull << VN_F_STATUS | 1ull << VN_F_MTU | 1ull << VN_F_CSUM |         \
                      1ull << VN_F_MRG_RXBUF | 1ull << VIRTIO_F_RING_PACKED | 1ull << VIRTIO_F_INDIRECT_DESC)

static struct {
    bool modern, refuses, reset_hangs, tx_hangs, no_vectors;
    uint64_t offered, agreed;
    uint8_t status, isr;
    uint8_t config[12];
    uint16_t queue_size[3];
    struct virtqueue *vq[3];
    uint16_t avail[3], used[3]; /* the device's own indices */
    unsigned resets, kicks[3], interrupts;
    uint16_t vector[3];
    uint8_t last[2048];
    size_t last_len;
    unsigned sent, descriptors;
    /* the receive filter */
    bool ctrl_silent, promisc;
    uint8_t ctrl_answer;
    unsigned commands;
    uint32_t ngroups;
    uint8_t group[64][6];
} dev;

/* --- the device's side of a queue --- */
static uint16_t *avail(int q) { return dev.vq[q]->avail; }
static uint16_t *used(int q) { return dev.vq[q]->used; }
static int take(int q)
{
    if (dev.avail[q] == avail(q)[1])
        return -1;
    return avail(q)[2 + dev.avail[q]++ % dev.vq[q]->size];
}
static void put(int q, uint32_t id, uint32_t len)
{
    uint16_t old = dev.used[q], event = avail(q)[2 + dev.vq[q]->size];
    bool wanted = dev.vq[q]->event_idx ? (uint16_t)(old + 1 - event - 1) < 1 : !(avail(q)[0] & 1);

    dev.vq[q]->used_ring[dev.used[q]++ % dev.vq[q]->size] = (struct vring_used_elem){id, len};
    used(q)[1] = dev.used[q];
    if (wanted) {
        dev.interrupts++;
        dev.isr |= VIRTIO_ISR_QUEUE;
        assert_true(fake.handler(fake.arg[fake.mode == IRQ_MSIX ? q : 0]));
    }
}
/* Copies a chain's bytes out (q TX) or in (q RX). */
static void *host(uint64_t phys) { return phys_to_virt(phys); }
__attribute__((unused)) static void device_receive(size_t len, uint8_t mark)
{
    int id = take(VN_RX);
    uint32_t hdr = dev.modern ? 12 : 10;

    assert_true(id >= 0);
    struct vring_desc *d = &dev.vq[VN_RX]->desc[id];
    assert_int_equal(d->flags & VRING_DESC_WRITE, VRING_DESC_WRITE);
    memset(host(d->addr), 0, hdr);
    if (d->flags & VRING_DESC_NEXT) {
        assert_int_equal(d->len, hdr);
        d = &dev.vq[VN_RX]->desc[d->next];
        memset(host(d->addr), mark, len);
    } else {
        memset((uint8_t *)host(d->addr) + hdr, mark, len);
    }
    put(VN_RX, (uint32_t)id, (uint32_t)len + hdr);
}
static void device_send_one(int id)
{
    size_t n = 0;

    dev.descriptors = 0;
    for (int at = id;; at = dev.vq[VN_TX]->desc[at].next) {
        struct vring_desc *d = &dev.vq[VN_TX]->desc[at];
        assert_int_equal(d->flags & VRING_DESC_WRITE, 0);
        assert_true(n + d->len <= sizeof(dev.last));
        memcpy(dev.last + n, host(d->addr), d->len);
        n += d->len;
        dev.descriptors++;
        if (!(d->flags & VRING_DESC_NEXT))
            break;
    }
    dev.last_len = n;
    dev.sent++;
    put(VN_TX, (uint32_t)id, 0);
}

/* One command of the control queue: class and command, data, a byte to answer in. */
static void device_obey(int id)
{
    struct vring_desc *d = &dev.vq[VN_CTRL]->desc[id], *data = &dev.vq[VN_CTRL]->desc[d->next];
    struct vring_desc *ack = &dev.vq[VN_CTRL]->desc[data->next];
    const uint8_t *what = host(d->addr), *p = host(data->addr);
    uint32_t entries;

    assert_true(d->len == 2 && ack->len == 1 && (ack->flags & VRING_DESC_WRITE) && !(data->flags & VRING_DESC_WRITE));
    dev.commands++;
    *(uint8_t *)host(ack->addr) = dev.ctrl_answer;
    if (what[0] == 0 && what[1] == 0) {
        assert_int_equal(data->len, 1);
        dev.promisc = p[0] != 0;
    } else {
        assert_true(what[0] == 1 && what[1] == 0);
        memcpy(&entries, p, 4);
        assert_int_equal(entries, 0);
        memcpy(&dev.ngroups, p + 4, 4);
        assert_int_equal(data->len, 8 + 6 * dev.ngroups);
        memcpy(dev.group, p + 8, 6 * dev.ngroups);
    }
    put(VN_CTRL, (uint32_t)id, 1);
}

/* --- the transport --- */
static uint8_t t_status(struct virtio_device *v) { (void)v; return dev.reset_hangs ? 0x44 : dev.status; }
static void t_set_status(struct virtio_device *v, uint8_t s)
{
    (void)v;
    dev.status = s;
    if (s == 0) {
        dev.resets++;
        memset(dev.avail, 0, sizeof(dev.avail));
        memset(dev.used, 0, sizeof(dev.used));
        memset(dev.vq, 0, sizeof(dev.vq));
        dev.promisc = true; /* until it is told otherwise */
    }
    if (dev.refuses)
        dev.status &= (uint8_t)~VIRTIO_FEATURES_OK;
}
static uint64_t t_features(struct virtio_device *v) { (void)v; return dev.offered; }
static void t_set_features(struct virtio_device *v, uint64_t f) { (void)v; dev.agreed = f; }
static uint16_t t_queue_size(struct virtio_device *v, uint16_t i) { (void)v; return dev.queue_size[i]; }
static int t_queue_start(struct virtio_device *v, struct virtqueue *vq)
{
    (void)v;
    assert_false(dev.status & VIRTIO_DRIVER_OK);
    dev.vq[vq->index] = vq;
    return 0;
}
static int t_queue_vector(struct virtio_device *v, uint16_t q, uint16_t x)
{
    (void)v;
    dev.vector[q] = x;
    return dev.no_vectors ? -EIO : 0;
}
static int t_config_vector(struct virtio_device *v, uint16_t x) { (void)v; dev.vector[2] = x; return 0; }
static void t_notify(struct virtio_device *v, struct virtqueue *vq)
{
    int id;

    (void)v;
    assert_true(dev.status & VIRTIO_DRIVER_OK);
    dev.kicks[vq->index]++;
    if (vq->index == VN_TX && !dev.tx_hangs)
        while ((id = take(VN_TX)) >= 0)
            device_send_one(id);
    if (vq->index == VN_CTRL && !dev.ctrl_silent)
        while ((id = take(VN_CTRL)) >= 0)
            device_obey(id);
    /* avail_event: tell me of the next one */
    *(uint16_t *)(void *)&vq->used_ring[vq->size] = dev.avail[vq->index];
}
static uint8_t t_isr(struct virtio_device *v)
{
    uint8_t isr = dev.isr;

    (void)v;
    dev.isr = 0;
    return isr;
}
static void t_read_config(struct virtio_device *v, unsigned o, void *buf, unsigned n)
{
    (void)v;
    memcpy(buf, dev.config + o, n);
}
static const struct virtio_ops fake_ops = {
    "fake",        t_status,       t_set_status,    t_features, t_set_features, t_queue_size,
    t_queue_start, t_queue_vector, t_config_vector, t_notify,   t_isr,          t_read_config,
};
int virtio_modern_probe(struct virtio_device *v)
{
    v->modern = true;
    v->ops = &fake_ops;
    return dev.modern ? 0 : -ENOENT;
}
int virtio_legacy_probe(struct virtio_device *v)
{
    v->modern = false;
    v->ops = &fake_ops;
    return 0;
}

static struct pci_device pci;
static void begin(bool modern, enum irq_mode mode)
{
    memset(&fake, 0, sizeof(fake));
    memset(&dev, 0, sizeof(dev));
    fake.mode = mode;
    fake.bus_master = true;
    fake.total_memory = 64u << 20;
    dev.modern = modern;
    dev.offered = ALL_FEATURES;
    dev.queue_size[0] = dev.queue_size[1] = 1024;
    memcpy(dev.config, "\x52\x54\0\1\2\3\1\0\0\0\xdc\5", 12);
    pci = (struct pci_device){.vendor = 0x1af4};
}
static void attach(void)
{
    assert_int_equal(virtio_net_attach(&pci), 0);
    fake_poll();
}
__attribute__((unused)) static int modern(void **state)
{
    (void)state;
    begin(true, IRQ_MSIX);
    attach();
    return 0;
}
__attribute__((unused)) static int legacy(void **state)
{
    (void)state;
    begin(false, IRQ_PIC);
    dev.offered &= ~(1ull << VIRTIO_F_EVENT_IDX | 1ull << VIRTIO_F_ANY_LAYOUT);
    attach();
    return 0;
}
static int detach(void **state)
{
    (void)state;
    fake.link->ops->close(fake.link);
    vn_free(fake.link->priv);
    assert_int_equal(fake.allocations, 0);
    return 0;
}

#endif
