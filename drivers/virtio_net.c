/* SPDX-License-Identifier: MIT
 *
 * drivers/virtio_net.c: the VirtIO network card (VirtIO 1.2, section 5.1),
 * legacy, transitional or modern.
 *
 * Owns: struct virtio_net (one per card), its receive buffers, the netbufs in
 * its transmit queue. Order of this file: registers, attach, queues,
 * interrupt, link ops.
 * Context: attach in a thread; vn_interrupt hard; the rest poll or thread.
 * Lock: the kernel's; the hard handler runs without it. Everything that the device
 * writes is hostile input: a queue that makes no sense is counted and the card is reset.
 */
#include <drivers/drivers.h>
#include <drivers/virtio/virtio.h>
#include <drivers/virtio_net_config.h>
#include <drivers/virtio_net_regs.h>
#include <kernel/irq.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/pci.h>
#include <kernel/time.h>
#include <net/core/link.h>
#include <net/core/services.h>
#include <slipway/errno.h>

/* --- registers: drivers/virtio_net_regs.h, and what we make of them ----------- */

/* What is not listed is refused, too: more queues, offloads. */
static const struct virtio_feature vn_features[] = {
    {VIRTIO_F_VERSION_1, VIRTIO_REQUIRED, "VERSION_1"}, /* 6.1; of modern devices only */
    {VIRTIO_F_EVENT_IDX, VIRTIO_WANTED, "EVENT_IDX"},
    {VIRTIO_F_ANY_LAYOUT, VIRTIO_WANTED, "ANY_LAYOUT"},
    {VIRTIO_F_ACCESS_PLATFORM, VIRTIO_WANTED, "ACCESS_PLATFORM"}, /* bus addresses: no IOMMU is on */
    {VIRTIO_F_ORDER_PLATFORM, VIRTIO_WANTED, "ORDER_PLATFORM"},   /* the fences are real ones */
    {VN_F_MAC, VIRTIO_WANTED, "MAC"},
    {VN_F_STATUS, VIRTIO_WANTED, "STATUS"},
    {VN_F_MTU, VIRTIO_WANTED, "MTU"},
    {VN_F_CTRL_VQ, VIRTIO_WANTED, "CTRL_VQ"},
    {VN_F_CTRL_RX, VIRTIO_WANTED, "CTRL_RX"}, /* which groups are let in */
    {VIRTIO_F_INDIRECT_DESC, VIRTIO_REFUSED, "INDIRECT_DESC"}, /* the ring is long enough */
    {VN_F_CSUM, VIRTIO_REFUSED, "CSUM"},             /* and so are the offloads that need it */
    {VN_F_GUEST_CSUM, VIRTIO_REFUSED, "GUEST_CSUM"}, /* likewise */
    {VN_F_MRG_RXBUF, VIRTIO_REFUSED, "MRG_RXBUF"}, /* a frame fits one buffer */
};

#define VN_QUEUE_MAX 256
#define VN_QUEUE_MIN 32     /* fewer don't take one packet in NETBUF_FRAGS pieces twice */
#define VN_RX_BUF 2048
#define VN_RX_SMALL 64      /* buffers where memory is short */
#define VN_RX_MIN 16
#define VN_SMALL_MEMORY (32ull << 20)
#define VN_TX_IRQ_BATCH 16  /* so many in the queue: ask to hear when half are out */
#define VN_TX_TICK_NS (4 * NS_PER_MS)      /* the rest is reclaimed this soon */
#define VN_TX_STALL_NS (4 * NS_PER_S)      /* no progress for so long: reset */
#define VN_RESET_WAIT_MAX_NS (1 * NS_PER_S)
#define VN_RESET_FORGET_NS (10 * NS_PER_S)
#define ETH_MIN 60

enum vn_vector_use { VEC_RX = 0, VEC_TX = 1, VEC_CONFIG = 2, VEC_COUNT = 3 };

struct virtio_net;
struct vn_vector {
    struct virtio_net *n;
    enum vn_vector_use use;
};

struct virtio_net {
    struct link link;
    struct virtio_device dev;
    struct virtqueue rx, tx;
    struct vn_filter filter;
    uint32_t hdr_len;
    bool split_header;  /* legacy without ANY_LAYOUT: a descriptor for it alone */
    bool live;          /* link is registered */
    bool broken;        /* given up, or waiting for its reset */
    volatile bool config_changed;
    unsigned rx_buffers;
    void **rx_page;     /* two buffers each */
    struct irq irq[VEC_COUNT];
    struct vn_vector vector[VEC_COUNT];
    int vectors;
    uint8_t *probe;     /* the frame that finds the INTx line */
    struct timer tx_timer;
    bool tx_ticking;
    uint16_t tx_seen;   /* last_used at the last tick */
    uint64_t tx_wait_ns, tx_stall_ns;
    struct timer reset_timer;
    uint64_t reset_wait_ns, reset_at_ns;
};

static bool vn_interrupt(void *arg);
static void vn_fault(struct virtio_net *n, const char *what);
static void vn_tx_tick(void *arg);
static void vn_reset_tick(void *arg);
static const struct link_ops vn_ops;

/* --- attach --------------------------------------------------------------- */

/* Feature negotiation and what follows from it (C-VIRTIO-5). */
static int vn_begin(struct virtio_net *n)
{
    int r = virtio_begin(&n->dev, vn_features, sizeof(vn_features) / sizeof(vn_features[0]));

    if (r < 0)
        return r;
    n->hdr_len = n->dev.modern || virtio_has(&n->dev, VN_F_MRG_RXBUF) ? VN_HDR_MODERN : VN_HDR_LEGACY;
    n->split_header = !n->dev.modern && !virtio_has(&n->dev, VIRTIO_F_ANY_LAYOUT);
    return 0;
}

static int rx_alloc(struct virtio_net *n)
{
    unsigned per_buffer = n->split_header ? 2 : 1;
    unsigned want = mem_total_bytes() < VN_SMALL_MEMORY ? VN_RX_SMALL : VN_QUEUE_MAX;

    if (want > n->rx.size / per_buffer)
        want = n->rx.size / per_buffer;
    want &= ~1u;
    n->rx_page = kzalloc(want / 2 * sizeof(*n->rx_page));
    if (n->rx_page == NULL)
        return -ENOMEM;
    for (n->rx_buffers = 0; n->rx_buffers < want; n->rx_buffers += 2) {
        phys_t p = page_alloc(0, PAGE_ZERO);
        if (p == 0)
            break;
        n->rx_page[n->rx_buffers / 2] = phys_to_virt(p);
    }
    return n->rx_buffers >= VN_RX_MIN ? 0 : -ENOMEM;
}

static void rx_fill(struct virtio_net *n)
{
    for (unsigned i = 0; i < n->rx_buffers; i++) {
        uint8_t *b = (uint8_t *)n->rx_page[i / 2] + (i & 1) * VN_RX_BUF;
        uint64_t p = virt_to_phys(b);
        struct vq_buf parts[2] = {{p, n->hdr_len}, {p + n->hdr_len, VN_RX_BUF - n->hdr_len}};
        struct vq_buf whole = {p, VN_RX_BUF};

        if (vq_add(&n->rx, n->split_header ? parts : &whole, 0, n->split_header ? 2 : 1, b) < 0)
            break;
    }
}

/* Spread the vectors that were granted: queue 0, queue 1, configuration; with
 * fewer they share the first or go without. */
static int set_vectors(struct virtio_net *n)
{
    const struct virtio_ops *ops = n->dev.ops;

    if (n->irq[0].mode != IRQ_MSIX)
        return 0;
    if (ops->queue_vector(&n->dev, VN_RX, VEC_RX) < 0 ||
        ops->queue_vector(&n->dev, VN_TX, n->vectors > VEC_TX ? VEC_TX : VEC_RX) < 0)
        return -EIO;
    return ops->config_vector(&n->dev, n->vectors > VEC_CONFIG ? VEC_CONFIG : VIRTIO_NO_VECTOR);
}

/* The card raises its own interrupt by sending a frame to itself: a switch
 * drops it as its source and destination are on the same port. */
static void vn_raise(void *arg)
{
    struct virtio_net *n = ((struct vn_vector *)arg)->n;
    struct vq_buf b[2] = {{virt_to_phys(n->probe), n->hdr_len}, {virt_to_phys(n->probe) + n->hdr_len, ETH_MIN}};

    __builtin_memcpy(n->probe + n->hdr_len, n->link.mac, 6);
    __builtin_memcpy(n->probe + n->hdr_len + 6, n->link.mac, 6);
    n->probe[n->hdr_len + 12] = 0x88; /* IEEE 802 local experimental */
    n->probe[n->hdr_len + 13] = 0xb5;
    vq_irq_on(&n->tx, 0);
    if (vq_add(&n->tx, b, 2, 0, n->probe) >= 0)
        virtio_kick(&n->dev, &n->tx);
}

static void vn_quiet(void *arg)
{
    struct virtio_net *n = ((struct vn_vector *)arg)->n;
    struct vq_done d;

    vq_irq_off(&n->tx);
    while (vq_take(&n->tx, &d) > 0) /* ends: the queue is finite and nothing is added */
        vq_release(&n->tx, d.id);
    n->dev.ops->isr(&n->dev); /* reading lowers the line */
}

static int vn_attach_irq(struct virtio_net *n)
{
    void *args[VEC_COUNT];
    phys_t p = page_alloc(0, PAGE_ZERO);

    if (p == 0)
        return -ENOMEM;
    n->probe = phys_to_virt(p);
    for (unsigned i = 0; i < VEC_COUNT; i++) {
        n->vector[i] = (struct vn_vector){n, (enum vn_vector_use)i};
        args[i] = &n->vector[i];
    }
    n->vectors = irq_attach_pci(n->dev.pci, n->irq, VEC_COUNT, vn_interrupt, args, "virtio-net", vn_raise,
                                vn_quiet);
    if (n->vectors <= 0)
        return n->vectors < 0 ? n->vectors : -EIO;
    return set_vectors(n);
}

static void vn_describe(struct virtio_net *n)
{
    struct link *l = &n->link;

    __builtin_memcpy(l->name, "eth%d", 6);
    l->mtu = vn_read_mtu(&n->dev);
    l->flags = LINKF_ETHERNET;
    l->features = LINKO_SG;
    l->driver = "virtio-net";
    l->irq_mode = irq_mode_name(n->irq[0].mode);
    l->irq = n->irq[0].mode == IRQ_MSIX || n->irq[0].mode == IRQ_MSI ? n->irq[0].vector : n->irq[0].line;
    l->ops = &vn_ops;
    l->priv = n;
}

static void vn_free(struct virtio_net *n)
{
    for (unsigned i = 0; i < n->rx_buffers / 2; i++)
        page_free(virt_to_phys(n->rx_page[i]), 0);
    if (n->probe != NULL)
        page_free(virt_to_phys(n->probe), 0);
    virtio_queue_destroy(&n->rx);
    virtio_queue_destroy(&n->tx);
    vn_filter_destroy(&n->filter);
    kfree(n->rx_page);
    kfree(n);
}

int virtio_net_attach(struct pci_device *d)
{
    struct virtio_net *n = kzalloc(sizeof(*n));
    int r;

    if (n == NULL)
        return -ENOMEM;
    r = virtio_probe(&n->dev, d);
    if (r < 0) {
        kfree(n);
        return r;
    }
    timer_init(&n->tx_timer, vn_tx_tick, n);
    timer_init(&n->reset_timer, vn_reset_tick, n);
    if ((r = vn_begin(n)) < 0 || (r = virtio_queue_create(&n->dev, &n->rx, VN_RX, VN_QUEUE_MAX)) < 0 ||
        (r = virtio_queue_create(&n->dev, &n->tx, VN_TX, VN_QUEUE_MAX)) < 0 ||
        (r = vn_filter_create(&n->filter, &n->dev, &n->link)) < 0)
        goto fail;
    if (n->rx.size < VN_QUEUE_MIN || n->tx.size < VN_QUEUE_MIN) {
        r = -ENODEV;
        goto fail;
    }
    if ((r = rx_alloc(n)) < 0)
        goto fail;
    n->filter.off = !vn_read_mac(&n->dev, n->link.mac);
    rx_fill(n);
    virtio_ready(&n->dev);
    if ((r = vn_attach_irq(n)) < 0)
        goto fail;
    vn_describe(n);
    if ((r = link_register(&n->link)) < 0)
        goto fail;
    n->live = true;
    vn_filter_set(&n->filter);
    link_carrier(&n->link, vn_read_carrier(&n->dev));
    driver_publish_net(d, &n->link);
    klog(LOG_INFO, "%s: virtio-net (%s), queues of %u and %u, header %u, %s %u", n->link.name,
         n->dev.ops->name, n->rx.size, n->tx.size, n->hdr_len, n->link.irq_mode, n->link.irq);
    virtio_kick(&n->dev, &n->rx);
    link_schedule_poll(&n->link); /* arms the receive interrupt, and takes what came before it */
    return 0;

fail:
    klog(LOG_ERROR, "virtio-net: attach failed (%d), the card is left alone", r);
    virtio_fail(&n->dev);
    for (int i = 0; i < n->vectors; i++)
        irq_detach(&n->irq[i]);
    vn_free(n);
    return r;
}

/* --- queues --------------------------------------------------------------- */

/* Finished packets go back to the core. False after a fault. */
static bool tx_reclaim(struct virtio_net *n)
{
    struct vq_done d;
    int r;

    while ((r = vq_take(&n->tx, &d)) > 0) { /* ends: at most `inflight` */
        vq_release(&n->tx, d.id);
        if (d.cookie != n->probe)
            netbuf_done(d.cookie, 0);
    }
    if (r < 0)
        vn_fault(n, "transmit queue");
    return r == 0;
}

/* One packet into the ring: header and link header in one piece where the
 * device allows, then the payload where it lies. 0, -ENOBUFS, or -EINVAL. */
static int tx_add(struct virtio_net *n, struct netbuf *nb)
{
    struct vq_buf b[2 + NETBUF_FRAGS];
    unsigned count = 0;
    uint64_t phys;

    if (nb->head < nb->room + VN_HDR_MODERN || nb->nfrags > NETBUF_FRAGS)
        return -EINVAL;
    __builtin_memset(nb->head - VN_HDR_MODERN, 0, VN_HDR_MODERN); /* or the last 10 of them */
    phys = netbuf_phys(nb, nb->head - n->hdr_len);
    if (n->split_header) {
        b[count++] = (struct vq_buf){phys, n->hdr_len};
        b[count++] = (struct vq_buf){phys + n->hdr_len, nb->head_len};
    } else {
        b[count++] = (struct vq_buf){phys, n->hdr_len + nb->head_len};
    }
    for (unsigned i = 0; i < nb->nfrags; i++)
        b[count++] = (struct vq_buf){nb->frag[i].phys, nb->frag[i].len};
    return vq_add(&n->tx, b, count, 0, nb) < 0 ? -ENOBUFS : 0;
}

/* Receive up to `budget` frames. Returns how many, -EPROTO after nonsense. */
static int rx_take(struct virtio_net *n, int budget)
{
    static const struct link_rx_meta meta = {CSUM_NONE, 0};
    struct vq_done d;
    int done = 0, r = 0;

    while (done < budget && (r = vq_take(&n->rx, &d)) > 0) {
        if (d.len > n->hdr_len)
            link_rx(&n->link, (uint8_t *)d.cookie + n->hdr_len, d.len - n->hdr_len, &meta);
        else
            n->link.rx_errors++; /* not even a whole header */
        vq_recycle(&n->rx, d.id);
        done++;
    }
    if (done != 0)
        virtio_kick(&n->dev, &n->rx);
    return r < 0 ? r : done;
}

/* Everything that the device held comes back; it is reset or cut off. */
static void tx_abort(struct virtio_net *n)
{
    uint16_t cursor = 0;
    void *cookie;

    while ((cookie = vq_reclaim(&n->tx, &cursor)) != NULL)
        if (cookie != n->probe)
            netbuf_done(cookie, -ENOBUFS); /* as a full link: TCP sends again (C-DMA-4) */
}

/* 3.3: after a reset the driver starts over. The same must be agreed on, or
 * the buffers don't fit. */
static int vn_restart(struct virtio_net *n)
{
    uint64_t agreed = n->dev.features;
    int r = vn_begin(n);

    if (r == 0 && n->dev.features != agreed) /* C-VIRTIO-6 */
        r = -EPROTO;
    if (r < 0) {
        virtio_fail(&n->dev);
        tx_abort(n);
        return r;
    }
    tx_abort(n);
    if ((r = virtio_queue_restart(&n->dev, &n->rx)) < 0 || (r = virtio_queue_restart(&n->dev, &n->tx)) < 0 ||
        (r = vn_filter_restart(&n->filter)) < 0 || (r = set_vectors(n)) < 0) {
        virtio_fail(&n->dev);
        return r;
    }
    pci_enable(n->dev.pci, n->dev.modern, !n->dev.modern, true);
    rx_fill(n);
    virtio_ready(&n->dev);
    n->broken = false;
    vn_filter_set(&n->filter);
    n->tx_stall_ns = 0;
    virtio_kick(&n->dev, &n->rx);
    link_carrier(&n->link, vn_read_carrier(&n->dev));
    link_schedule_poll(&n->link);
    return 0;
}

/* The device broke the rules: silence it, count, and start again after a
 * pause that doubles while it goes on. */
static void vn_fault(struct virtio_net *n, const char *what)
{
    uint64_t now = now_ns();

    if (n->broken)
        return;
    n->broken = true;
    n->link.resets++;
    n->link.rx_errors++;
    if (now - n->reset_at_ns > VN_RESET_FORGET_NS || n->reset_wait_ns == 0)
        n->reset_wait_ns = NS_PER_MS;
    else if (n->reset_wait_ns < VN_RESET_WAIT_MAX_NS)
        n->reset_wait_ns *= 2;
    n->reset_at_ns = now;
    n->dev.ops->set_status(&n->dev, 0); /* it lets go of our memory; vn_restart waits for that */
    klog(LOG_WARN, "%s: %s makes no sense or stands still, resetting the card", n->link.name, what);
    timer_arm(&n->reset_timer, now + n->reset_wait_ns);
}

static void vn_reset_tick(void *arg)
{
    struct virtio_net *n = arg;
    int r;

    if ((r = vn_restart(n)) < 0) {
        klog(LOG_ERROR, "%s: the card did not come back (%d)", n->link.name, r);
        link_carrier(&n->link, false);
    }
}

/* Packets with payload wait no longer than a tick for their completion, though
 * interrupts are off; and a transmitter that stands still is noticed. */
static void tx_tick_arm(struct virtio_net *n, uint64_t after_ns)
{
    if (n->tx_ticking || n->tx.inflight == 0)
        return;
    n->tx_seen = n->tx.last_used;
    n->tx_wait_ns = after_ns;
    n->tx_ticking = timer_arm(&n->tx_timer, now_ns() + after_ns) == 0;
}

static void vn_tx_tick(void *arg)
{
    struct virtio_net *n = arg;
    uint64_t next = VN_TX_TICK_NS;

    n->tx_ticking = false;
    if (n->broken || !tx_reclaim(n))
        return;
    if (n->tx.inflight == 0 || n->tx.last_used != n->tx_seen) {
        n->tx_stall_ns = 0;
    } else {
        n->tx_stall_ns += n->tx_wait_ns;
        if (n->tx_stall_ns >= VN_TX_STALL_NS) { /* C-BOUND-7 */
            n->link.tx_errors++;
            vn_fault(n, "transmit queue");
            return;
        }
        next = n->tx_stall_ns; /* ask half as often each time */
    }
    tx_tick_arm(n, next);
}

/* --- interrupt ------------------------------------------------------------ */

static bool vn_interrupt(void *arg)
{
    struct vn_vector *v = arg;
    struct virtio_net *n = v->n;

    if (n->irq[0].mode == IRQ_MSIX) {
        if (v->use == VEC_CONFIG)
            n->config_changed = true;
    } else {
        uint8_t isr = n->dev.ops->isr(&n->dev); /* lowers the line */
        if (isr == 0 || isr == 0xff) /* C-IRQ-1 */
            return false; /* another's, or the card is gone */
        if (isr & VIRTIO_ISR_CONFIG)
            n->config_changed = true;
    }
    if (!n->live)
        return true; /* the hunt for the line */
    n->link.interrupts++;
    /* With EVENT_IDX there is one interrupt for each request; else say stop. */
    if (!n->rx.event_idx) {
        vq_irq_off(&n->rx);
        vq_irq_off(&n->tx);
    }
    link_schedule_poll(&n->link);
    return true;
}

/* --- link ops ------------------------------------------------------------- */

static unsigned vn_transmit(struct link *l, struct netbuf *list)
{
    struct virtio_net *n = l->priv;
    struct netbuf *next;
    bool payload = false;
    unsigned taken = 0;

    if (n->broken || (n->tx.inflight != 0 && !tx_reclaim(n)))
        return 0;
    for (struct netbuf *nb = list; nb != NULL; nb = next) {
        int r = tx_add(n, nb);
        next = nb->next;
        if (r == -ENOBUFS)
            break;
        taken++;
        if (r < 0) {
            l->tx_errors++;
            netbuf_done(nb, r);
        } else if (nb->nfrags != 0 || (nb->tx_flags & TX_NOTIFY)) {
            payload = true;
        }
    }
    virtio_kick(&n->dev, &n->tx);
    /* Many on their way, or few descriptors left: hear of it half-way. */
    if (n->tx.inflight >= VN_TX_IRQ_BATCH && (n->tx.event_idx || n->tx.nfree < n->tx.size / 4) &&
        vq_irq_on(&n->tx, n->tx.inflight / 2))
        link_schedule_poll(l);
    if (payload || n->tx.nfree < 2 + NETBUF_FRAGS)
        tx_tick_arm(n, VN_TX_TICK_NS);
    return taken;
}

static void check_config(struct virtio_net *n)
{
    n->config_changed = false;
    if (n->broken)
        return; /* vn_restart looks anew */
    if (n->dev.ops->status(&n->dev) & VIRTIO_NEEDS_RESET)
        vn_fault(n, "the card's state");
    else
        link_carrier(&n->link, vn_read_carrier(&n->dev));
}

static int vn_poll(struct link *l, int budget)
{
    struct virtio_net *n = l->priv;
    int done = 0, r;

    if (n->config_changed)
        check_config(n);
    if (n->broken)
        return 0;
    if (n->tx.inflight != 0 && !tx_reclaim(n))
        return 0;
    do { /* ends: each turn but the last takes a frame */
        r = rx_take(n, budget - done);
        if (r < 0) {
            vn_fault(n, "receive queue");
            return done;
        }
        done += r;
    } while (done < budget && vq_irq_on(&n->rx, 0));
    return done;
}

static int vn_reset(struct link *l)
{
    struct virtio_net *n = l->priv;

    n->broken = true;
    l->resets++;
    timer_cancel(&n->reset_timer);
    return vn_restart(n);
}

static void vn_close(struct link *l)
{
    struct virtio_net *n = l->priv;

    n->broken = true;
    timer_cancel(&n->reset_timer);
    timer_cancel(&n->tx_timer);
    vn_filter_close(&n->filter);
    virtio_fail(&n->dev);
    tx_abort(n);
}

static void vn_set_filter(struct link *l) { vn_filter_set(&((struct virtio_net *)l->priv)->filter); }

static const struct link_ops vn_ops = {
    .transmit = vn_transmit,
    .poll = vn_poll,
    .reset = vn_reset,
    .close = vn_close,
    .filter = vn_set_filter,
};
