/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_virtio_net.c: the driver against a device in this process:
 * negotiation, frames both ways, and everything a broken device may do.
 */
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
static void device_receive(size_t len, uint8_t mark)
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
static int modern(void **state)
{
    (void)state;
    begin(true, IRQ_MSIX);
    attach();
    return 0;
}
static int legacy(void **state)
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

static void what_is_agreed(void **state) /* C-VIRTIO-2 */
{
    (void)state;
    assert_int_equal(dev.agreed, 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_EVENT_IDX |
                                     1ull << VIRTIO_F_ANY_LAYOUT | 1ull << VN_F_MAC | 1ull << VN_F_STATUS |
                                     1ull << VN_F_MTU);
    assert_int_equal(dev.vq[0]->size, 256); /* a modern queue shrinks */
    assert_int_equal(dev.vector[0], 0);
    assert_int_equal(dev.vector[1], 1);
    assert_int_equal(dev.vector[2], 2);
    assert_memory_equal(fake.link->mac, "\x52\x54\0\1\2\3", 6);
    assert_int_equal(fake.link->mtu, 1500);
    assert_true(fake.carrier);
    assert_int_equal(avail(0)[1], 256);
}

static void what_legacy_agrees(void **state) /* C-VIRTIO-2, C-VIRTIO-4, C-VIRTIO-5 */
{
    (void)state;
    assert_int_equal(dev.agreed >> 32, 0);
    assert_int_equal(dev.vq[0]->size, 1024); /* the device's size is the law */
    assert_int_equal(avail(0)[1], 256);
    fake_transmit(1, 100);
    assert_int_equal(dev.descriptors, 3); /* header, head, payload */
    assert_int_equal(dev.last_len, 10 + 54 + 100);
}

static void packets_go_out_whole(void **state) /* C-VIRTIO-5 */
{
    static const uint8_t zeros[12];

    (void)state;
    memset(fake_payload, 0x33, sizeof(fake_payload));
    assert_int_equal(fake_transmit(1, 1460), 1);
    assert_int_equal(dev.descriptors, 2);
    assert_int_equal(dev.last_len, 12 + 54 + 1460);
    assert_memory_equal(dev.last, zeros, 12);
    assert_int_equal(dev.last[12], 0x77);
    assert_int_equal(dev.last[12 + 54], 0x33);
    assert_int_equal(dev.kicks[1], 1);
    assert_int_equal(fake_transmit(10, 0), 10);
    assert_int_equal(dev.kicks[1], 2); /* one doorbell for the batch */
    assert_int_equal(dev.sent, 11);
    fake_poll();
    assert_int_equal(fake.done_ok, 11);
    assert_int_equal(dev.interrupts, 0);
}

static void completion_comes_without_interrupt(void **state)
{
    (void)state;
    fake_transmit(3, 100);
    assert_int_equal(fake.done_ok, 0);
    fake_sleep(5 * NS_PER_MS);
    assert_int_equal(fake.done_ok, 3);
    fake_sleep(NS_PER_S);
    for (unsigned i = 0; i < FAKE_TIMERS; i++)
        assert_null(fake.timer[i]); /* and nothing ticks afterwards */
}

static void a_full_queue_takes_no_more_and_says_when_it_drains(void **state)
{
    unsigned taken, id, interrupts = 0;

    (void)state;
    dev.tx_hangs = true;
    taken = fake_transmit(300, 100);
    assert_int_equal(taken, 128); /* two descriptors each */
    fake.poll_wanted = false;
    while ((int)(id = (unsigned)take(VN_TX)) >= 0) {
        unsigned before = dev.interrupts;
        device_send_one((int)id);
        interrupts += dev.interrupts - before;
    }
    assert_int_equal(interrupts, 1);
    assert_true(fake.poll_wanted);
    fake_poll();
    assert_int_equal(fake.done_ok, 128);
}

static void frames_come_in(void **state)
{
    unsigned n = 0;

    (void)state;
    for (size_t len = 14; len <= 1514; len++) {
        device_receive(len, (uint8_t)len);
        device_receive(60, 1);
        assert_int_equal(fake_poll(), 2);
        if (n < FAKE_FRAMES) {
            assert_int_equal(fake.len[n], len);
            assert_int_equal(fake.len[n + 1], 60);
        }
        n += 2;
    }
    assert_int_equal(fake.frames, n);
    assert_int_equal(fake.link->resets + fake.link->rx_errors, 0);
    assert_true(dev.interrupts <= n / 2 + 1);
    for (unsigned i = 0; i < 256; i++) /* a full ring in one go, in turns of the budget */
        device_receive(60, 2);
    assert_int_equal(fake_poll(), 256);
}

static void a_bare_header_is_an_error_not_a_frame(void **state)
{
    (void)state;
    put(VN_RX, (uint32_t)take(VN_RX), 0);
    put(VN_RX, (uint32_t)take(VN_RX), 12);
    fake_poll();
    assert_int_equal(fake.frames, 0);
    assert_int_equal(fake.link->rx_errors, 2);
    device_receive(60, 1);
    fake_poll();
    assert_int_equal(fake.frames, 1);
}

/* After nonsense: reset, then all works again. */
static void expect_recovery(void)
{
    uint64_t resets = fake.link->resets;
    unsigned frames = fake.frames, sent = dev.sent;

    assert_int_equal(fake.link->ops->transmit(fake.link, NULL), 0);
    fake_sleep(2 * NS_PER_S);
    fake_poll();
    assert_true(dev.status & VIRTIO_DRIVER_OK);
    assert_int_equal(fake.link->resets, resets);
    device_receive(60, 1);
    fake_poll();
    assert_int_equal(fake.frames, frames + 1);
    assert_int_equal(fake_transmit(1, 10), 1);
    assert_int_equal(dev.sent, sent + 1);
}

static void nonsense_in_the_receive_queue_resets(void **state) /* C-VIRTIO-7 */
{
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        if (i == 0)
            put(VN_RX, 999, 60);
        else if (i == 1)
            put(VN_RX, (uint32_t)take(VN_RX), 2049); /* longer than the buffer */
        else if (i == 2)
            used(VN_RX)[1] = 300; /* more than there are */
        else if (i == 3) {
            uint32_t id = (uint32_t)take(VN_RX);
            put(VN_RX, id, 60);
            put(VN_RX, id, 60); /* twice in one turn */
        } else if (i == 4)
            put(VN_RX, 0xffffffff, 0xffffffff);
        else
            put(VN_TX, 0, 0); /* nothing was sent */
        fake_poll();
        if (i == 5)
            fake_transmit(1, 0); /* with something in flight it shows */
        fake_poll();
        if (i < 5)
            assert_int_equal(fake.link->resets, i + 1);
        expect_recovery();
    }
}

static void resets_slow_down(void **state)
{
    unsigned resets = 0;

    (void)state;
    while (fake.now < 3 * NS_PER_S) {
        if (dev.vq[0] != NULL && dev.status & VIRTIO_DRIVER_OK) {
            used(VN_RX)[1] = 300;
            fake.link->ops->poll(fake.link, 64);
            resets++;
        }
        fake_sleep(NS_PER_MS / 2);
    }
    assert_in_range(resets, 5, 15);
    expect_recovery();
}

static void a_transmitter_that_stands_still_is_reset(void **state) /* C-BOUND-7 */
{
    (void)state;
    dev.tx_hangs = true;
    assert_int_equal(fake_transmit(20, 100), 20);
    fake_sleep(3 * NS_PER_S);
    assert_int_equal(fake.link->resets, 0);
    fake_sleep(10 * NS_PER_S);
    assert_int_equal(fake.link->resets, 1);
    assert_int_equal(fake.done_bad, 20);
    assert_int_equal(fake.last_status, -ENOBUFS);
    dev.tx_hangs = false;
    expect_recovery();
}

static void a_device_that_does_not_come_back_is_cut_off(void **state) /* C-DMA-4, C-DMA-6 */
{
    (void)state;
    fake_transmit(3, 100);
    dev.reset_hangs = true;
    used(VN_RX)[1] = 300;
    fake_poll();
    fake_sleep(2 * NS_PER_S);
    assert_false(fake.bus_master);
    assert_false(fake.carrier);
    assert_int_equal(fake.done_ok + fake.done_bad, 3); /* nobody waits for ever */
    assert_int_equal(fake_transmit(3, 0), 0);
    assert_int_equal(fake_poll(), 0);
    dev.reset_hangs = false;
    assert_int_equal(fake.link->ops->reset(fake.link), 0); /* on request it may try again */
    expect_recovery();
}

static void other_terms_after_a_reset_are_refused(void **state) /* C-VIRTIO-6 */
{
    (void)state;
    dev.offered &= ~(1ull << VIRTIO_F_EVENT_IDX);
    assert_true(fake.link->ops->reset(fake.link) < 0);
    dev.offered |= 1ull << VIRTIO_F_EVENT_IDX;
    dev.queue_size[1] = 64;
    assert_true(fake.link->ops->reset(fake.link) < 0);
    dev.queue_size[1] = 1024;
    assert_int_equal(fake.link->ops->reset(fake.link), 0);
    expect_recovery();
}

static void the_link_is_watched(void **state)
{
    (void)state;
    dev.config[6] = 0;
    assert_true(fake.handler(fake.arg[VEC_CONFIG]));
    fake_poll();
    assert_false(fake.carrier);
    dev.config[6] = 1;
    fake.handler(fake.arg[VEC_CONFIG]);
    fake_poll();
    assert_true(fake.carrier);
    dev.status |= VIRTIO_NEEDS_RESET;
    fake.handler(fake.arg[VEC_CONFIG]);
    fake_poll();
    assert_int_equal(fake.link->resets, 1);
    expect_recovery();
}

static void a_shared_line_is_not_ours_without_isr(void **state) /* C-IRQ-1 */
{
    (void)state;
    dev.isr = 0;
    assert_false(fake.handler(fake.arg[0]));
    dev.isr = 0xff;
    assert_false(fake.handler(fake.arg[0]));
    dev.isr = VIRTIO_ISR_QUEUE;
    assert_true(fake.handler(fake.arg[0]));
    assert_true(fake.poll_wanted);
}

static void refused(int want)
{
    int r = virtio_net_attach(&pci);

    assert_int_equal(r, want);
    assert_null(fake.link);
    assert_false(fake.bus_master);
    assert_int_equal(fake.detached, fake.handler == NULL ? 0 : fake.mode == IRQ_MSIX ? 3 : 1);
    assert_int_equal(fake.allocations, 0);
}
static void bad_devices_are_left_alone(void **state) /* C-VIRTIO-1, C-VIRTIO-3, C-VIRTIO-4 */
{
    (void)state;
    begin(true, IRQ_MSIX);
    dev.offered = 1ull << VN_F_MAC; /* modern without VERSION_1 */
    refused(-ENOTSUP);
    begin(true, IRQ_MSIX);
    dev.refuses = true;
    refused(-ENOTSUP);
    begin(true, IRQ_MSIX);
    dev.reset_hangs = true;
    refused(-ETIMEDOUT);
    assert_true(fake.now < 3 * NS_PER_S);
    begin(true, IRQ_MSIX);
    dev.queue_size[1] = 0;
    refused(-ENODEV);
    begin(false, IRQ_MSIX);
    dev.queue_size[0] = 100; /* not a power of two */
    refused(-ENODEV);
    begin(false, IRQ_MSIX);
    dev.queue_size[0] = 8;
    refused(-ENODEV);
    begin(true, IRQ_MSIX);
    dev.no_vectors = true;
    refused(-EIO);
    begin(true, IRQ_PIC);
    fake.links_full = true;
    refused(-ENFILE);
}

static void a_missing_or_bad_address_is_replaced(void **state)
{
    (void)state;
    begin(true, IRQ_MSIX);
    dev.offered &= ~(1ull << VN_F_MAC);
    attach();
    assert_int_equal(fake.link->mac[0], 0xfe); /* local, unicast */
    detach(NULL);
    begin(true, IRQ_MSIX);
    dev.config[0] = 0x53; /* a group address */
    dev.config[10] = 0xff, dev.config[11] = 0xff; /* and an MTU beyond what we take */
    attach();
    assert_int_equal(fake.link->mac[0], 0xfe);
    assert_int_equal(fake.link->mtu, 1500);
    detach(NULL);
}

/* Random words in the device's part of both rings, good traffic in between. */
static void random_lies(void **state)
{
    (void)state;
    srand(5);
    for (unsigned round = 0; round < 3000; round++) {
        for (unsigned q = 0; q < 2 && dev.vq[q] != NULL; q++) {
            used((int)q)[1] = (uint16_t)(dev.vq[q]->last_used + rand() % 4);
            for (unsigned i = 0; i < 4; i++)
                dev.vq[q]->used_ring[(dev.vq[q]->last_used + i) % dev.vq[q]->size] = (struct vring_used_elem){
                    (uint32_t)rand() % 300, (uint32_t)rand() % 2100};
        }
        dev.tx_hangs = rand() & 1;
        if (dev.status & VIRTIO_DRIVER_OK)
            fake_transmit((unsigned)rand() % 8, (uint32_t)rand() % 1400);
        fake_poll();
        fake_sleep((uint64_t)rand() % (20 * NS_PER_MS));
    }
    dev.tx_hangs = false;
    fake_sleep(20 * NS_PER_S);
    assert_int_equal(fake.link->ops->reset(fake.link), 0);
    expect_recovery();
}

/* --- groups --------------------------------------------------------------- */

static int with_filter(void **state)
{
    (void)state;
    begin(true, IRQ_MSIX);
    dev.offered |= 1ull << VN_F_CTRL_VQ | 1ull << VN_F_CTRL_RX;
    dev.queue_size[2] = 64;
    attach();
    return 0;
}

static void want_groups(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        memcpy(fake.link->group[i], (uint8_t[]){0x33, 0x33, 0xff, 0, 1, (uint8_t)i}, 6);
    fake.link->ngroups = (uint8_t)n;
    fake.link->ops->filter(fake.link);
}

static void the_card_is_told_of_groups(void **state) /* C-VIRTIO-8 */
{
    (void)state;
    assert_int_equal(dev.agreed & (3ull << VN_F_CTRL_VQ), 3ull << VN_F_CTRL_VQ);
    assert_false(dev.promisc);
    assert_int_equal(dev.ngroups, 0);
    fake_sleep(20 * NS_PER_MS);
    for (unsigned n = 1; n <= LINK_GROUPS_MAX; n += 11) {
        want_groups(n);
        assert_int_equal(dev.ngroups, n);
        assert_memory_equal(dev.group, fake.link->group, 6 * n);
        fake_sleep(20 * NS_PER_MS);
    }
    fake.link->ops->reset(fake.link); /* forgets none */
    assert_false(dev.promisc);
    assert_int_equal(dev.ngroups, 34);
    fake_sleep(20 * NS_PER_MS);
    /* One that answers late gets the last word then. */
    dev.ctrl_silent = true;
    want_groups(2);
    want_groups(3);
    want_groups(5);
    unsigned before = dev.commands;
    dev.ctrl_silent = false;
    t_notify(NULL, dev.vq[VN_CTRL]);
    assert_int_equal(dev.ngroups, 2);
    fake_sleep(20 * NS_PER_MS);
    assert_int_equal(dev.ngroups, 5);
    assert_int_equal(dev.commands - before, 4);
    /* One that does not is left alone after a second. */
    dev.ctrl_silent = true;
    want_groups(6);
    fake_sleep(2 * NS_PER_S);
    want_groups(7);
    before = dev.kicks[VN_CTRL];
    fake_sleep(2 * NS_PER_S);
    assert_int_equal(dev.kicks[VN_CTRL], before);
}

static void a_card_that_refuses_lets_everything_through(void **state) /* C-VIRTIO-8 */
{
    (void)state;
    fake_sleep(20 * NS_PER_MS);
    dev.ctrl_answer = 1;
    want_groups(3);
    fake_sleep(20 * NS_PER_MS);
    assert_true(dev.promisc);
    unsigned before = dev.commands;
    want_groups(4);
    fake_sleep(2 * NS_PER_S);
    assert_int_equal(dev.commands, before);
}

/* The card would refuse the address that we made up. */
static void no_filter_with_an_address_of_our_own(void **state)
{
    (void)state;
    begin(true, IRQ_MSIX);
    dev.offered |= 1ull << VN_F_CTRL_VQ | 1ull << VN_F_CTRL_RX;
    dev.offered &= ~(1ull << VN_F_MAC);
    dev.queue_size[2] = 64;
    attach();
    want_groups(3);
    assert_int_equal(dev.commands, 0);
    assert_true(dev.promisc);
    detach(state);
}

int main(void)
{
#define M(f) cmocka_unit_test_setup_teardown(f, modern, detach)
#define L(f) cmocka_unit_test_setup_teardown(f, legacy, detach)
    const struct CMUnitTest tests[] = {
        M(what_is_agreed),
        L(what_legacy_agrees),
        M(packets_go_out_whole),
        M(completion_comes_without_interrupt),
        M(a_full_queue_takes_no_more_and_says_when_it_drains),
        M(frames_come_in),
        L(frames_come_in),
        M(a_bare_header_is_an_error_not_a_frame),
        M(nonsense_in_the_receive_queue_resets),
        M(resets_slow_down),
        M(a_transmitter_that_stands_still_is_reset),
        L(a_transmitter_that_stands_still_is_reset),
        M(a_device_that_does_not_come_back_is_cut_off),
        M(other_terms_after_a_reset_are_refused),
        M(the_link_is_watched),
        L(a_shared_line_is_not_ours_without_isr),
        cmocka_unit_test_setup_teardown(the_card_is_told_of_groups, with_filter, detach),
        cmocka_unit_test_setup_teardown(a_card_that_refuses_lets_everything_through, with_filter, detach),
        cmocka_unit_test(no_filter_with_an_address_of_our_own),
        cmocka_unit_test(a_missing_or_bad_address_is_replaced),
        M(random_lies),
        L(random_lies),
        cmocka_unit_test(bad_devices_are_left_alone),
    };
    return cmocka_run_group_tests_name("virtio_net", tests, NULL, NULL);
}
