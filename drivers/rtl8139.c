/* SPDX-License-Identifier: MIT
 *
 * drivers/rtl8139.c: the RTL8139, and its classic mode (four transmit
 * descriptors, one receive ring); rtl8139_cplus.c has the other one. Register
 * names are those of the RTL8139C(L) data sheet. Order of this file: registers,
 * attach, queues, interrupt, link ops.
 *
 * Owns: struct rtl (one per card), its receive ring and transmit buffers, and
 * the packets that wait for a descriptor.
 * Context: attach in a thread; rtl_interrupt hard; the rest poll or thread.
 * Lock: the kernel's. IMR is written by the hard handler, without it (to 0), and by
 * the poll (to arm): the poll writes it last, then looks at ISR once more.
 */
#include <drivers/drivers.h>
#include <drivers/rtl8139.h>
#include <kernel/options.h>

/* --- registers: drivers/rtl8139_regs.h, and what we make of them ------------- */

#define RX_RING 32768u
#define RX_SLACK (16u + 2048u) /* WRAP: the last frame runs over, by less than this on a real chip */
#define CAPR_LAG 16u           /* CAPR is kept 16 behind what was read */
#define TX_DESCS 4u
/* 128 KiB: an emulated card writes into an empty ring whatever its peer sent,
 * up to 68 KiB from the last header's place; the memory there is ours, so that
 * harms nobody. */
#define RX_ORDER 5
#define TX_ORDER 1
_Static_assert(RX_RING + RX_SLACK + 69632u <= (4096u << RX_ORDER), "ring and what runs over fit");
#define TX_QUEUE_MAX 128u

#define RESET_DEADLINE_MS 100u
#define RX_STOP_DEADLINE_US 1000u
#define HUNT_TICKS 3300u       /* 100 us of the 33 MHz PCI clock */
#define PHY_TICK_NS (100 * NS_PER_MS)
#define PHY_TICKS 50u          /* 5 s: auto-negotiation takes up to 3 */
#define TX_TICK_NS (500 * NS_PER_MS)
#define TX_STALL_TICKS 6u

static const struct link_ops rtl_ops;
static bool rtl_interrupt(void *arg);
static void phy_tick(void *arg);
static void tx_tick(void *arg);
static int rtl_restart(struct rtl *n);

/* --- attach --------------------------------------------------------------- */

int rtl_chip_reset(struct rtl *n)
{
    uint64_t deadline = now_ns() + RESET_DEADLINE_MS * NS_PER_MS;

    w16(n, IMR, 0);
    w8(n, CR, CR_RST);
    while (r8(n, CR) & CR_RST) {
        if (now_ns() > deadline) /* C-BOUND-2 */
            return -ETIMEDOUT;
        delay_us(10);
    }
    return 0;
}

/* classic face */
static void rx_start(struct rtl *n)
{
    n->rx_at = 0;
    __builtin_memset(n->ring, 0, RX_HEADER);
    w32(n, RBSTART, (uint32_t)virt_to_phys(n->ring));
    w16(n, CAPR, (uint16_t)(0u - CAPR_LAG));
    w8(n, CR, CR_RE | CR_TE);
    w32(n, RCR, RCR_VALUE); /* takes effect only while RE is set (C-RTL-4) */
}

static void classic_start(struct rtl *n)
{
    w8(n, CR, CR_RE | CR_TE);
    w32(n, TCR, TCR_VALUE);
    for (unsigned i = 0; i < TX_DESCS; i++)
        w32(n, TSAD0 + 4 * i, (uint32_t)virt_to_phys(n->tx_buf + i * TX_BUF));
    rx_start(n);
}

/* Which of 64 classes of groups come in: the upper six bits of the address's CRC
 * choose the bit (data sheet, 6.7). */
static void rtl_filter(struct link *l)
{
    struct rtl *n = l->priv;
    uint32_t mar[2] = {0, 0};

    for (unsigned i = 0; i < n->link.ngroups; i++) {
        unsigned bit = ether_crc(n->link.group[i]) >> 26;

        mar[bit / 32] |= 1u << bit % 32;
    }
    w32(n, MAR0, mar[0]); /* C-RTL-4 */
    w32(n, MAR0 + 4, mar[1]);
}

static void chip_start(struct rtl *n)
{
    n->tx_head = n->tx_tail = 0;
    w8(n, CR9346, CR9346_UNLOCK);
    w8(n, CONFIG1, (uint8_t)(r8(n, CONFIG1) & ~CONFIG1_ASLEEP));
    w8(n, CR9346, 0);
    rtl_filter(&n->link);
    w32(n, TIMERINT, 0);
    w32(n, MPC, 0);
    n->face->start(n);
    w16(n, ISR, 0xffff);
}

static bool read_carrier(struct rtl *n)
{
    uint8_t msr = r8(n, MSR);
    bool up = !(msr & MSR_LINK_DOWN) && (r16(n, BMSR) & BMSR_LINK);

    n->link.speed_bps = up ? (msr & MSR_SPEED_10 ? 10000000u : 100000000u) : 0;
    return up;
}

/* The PHY may still negotiate after the reset. Nobody waits for it: the link
 * change interrupt tells, and this asks in case that none comes. */
static void phy_tick(void *arg)
{
    struct rtl *n = arg;

    if (n->dead)
        return;
    if (read_carrier(n)) {
        link_carrier(&n->link, true);
    } else if (++n->phy_ticks < PHY_TICKS) {
        timer_arm(&n->phy_timer, now_ns() + PHY_TICK_NS);
    } else {
        klog(LOG_WARN, "%s: no link after %u s", n->link.name, (unsigned)(PHY_TICKS * PHY_TICK_NS / NS_PER_S));
    }
}

static void watch_carrier(struct rtl *n)
{
    bool up = read_carrier(n);

    link_carrier(&n->link, up);
    n->phy_ticks = 0;
    if (!up)
        timer_arm(&n->phy_timer, now_ns() + PHY_TICK_NS);
}

/* TimerInt raises the card's own interrupt; that finds the INTx line. */
static void rtl_raise(void *arg)
{
    struct rtl *n = arg;

    w16(n, IMR, INT_TIMEOUT);
    w32(n, TIMERINT, HUNT_TICKS);
    w32(n, TCTR, 0); /* any value: count from zero */
}

static void rtl_quiet(void *arg)
{
    struct rtl *n = arg;

    w16(n, IMR, 0);
    w32(n, TIMERINT, 0);
    w16(n, ISR, INT_TIMEOUT);
}

static void rtl_describe(struct rtl *n)
{
    struct link *l = &n->link;

    __builtin_memcpy(l->name, "eth%d", 6);
    for (unsigned i = 0; i < 6; i++)
        l->mac[i] = r8(n, IDR0 + i);
    l->mtu = 1500;
    l->flags = LINKF_ETHERNET;
    l->driver = n->face->name;
    l->irq_mode = irq_mode_name(n->irq.mode);
    l->irq = n->irq.line;
    l->ops = &rtl_ops;
}

static const struct rtl_face rtl_classic;

/* rtl8139=cplus, on a chip that has both: the revision tells (C+ data sheet 6.1). */
static const struct rtl_face *choose_face(struct pci_device *d)
{
    if (!option_is("rtl8139", "cplus"))
        return &rtl_classic;
    if (d->revision >= REVISION_CPLUS)
        return &rtl_cplus;
    klog(LOG_WARN, "rtl8139: revision %#x has no C+ mode, the classic one serves", d->revision);
    return &rtl_classic;
}

int rtl8139_attach(struct pci_device *d)
{
    struct rtl *n = kzalloc(sizeof(*n));
    void *arg = n;
    phys_t ring = 0, tx = 0;
    int r = -ENODEV;

    if (n == NULL)
        return -ENOMEM;
    n->pci = d;
    n->link.priv = n;
    n->face = choose_face(d);
    n->queue_end = &n->queue;
    timer_init(&n->phy_timer, phy_tick, n);
    timer_init(&n->tx_timer, tx_tick, n);
    if (!d->bar[0].is_io || d->bar[0].bytes < IO_BYTES)
        goto fail;
    n->io = (uint16_t)d->bar[0].base;
    r = -ENOMEM;
    ring = page_alloc(n->face->rx_order, PAGE_ZERO | PAGE_BELOW_4G); /* 32-bit addresses (C-DMA-7) */
    tx = page_alloc(n->face->tx_order, PAGE_ZERO | PAGE_BELOW_4G);
    if (ring == 0 || tx == 0)
        goto fail;
    n->ring = phys_to_virt(ring);
    n->tx_buf = phys_to_virt(tx);
    pci_enable(d, false, true, true);
    if ((r = rtl_chip_reset(n)) < 0)
        goto fail;
    chip_start(n);
    r = irq_attach_pci(d, &n->irq, 1, rtl_interrupt, &arg, "rtl8139", rtl_raise, rtl_quiet);
    if (r < 0)
        goto fail_quiet;
    rtl_describe(n);
    if ((r = link_register(&n->link)) < 0) {
        irq_detach(&n->irq);
        goto fail_quiet;
    }
    n->mask = INT_ALWAYS;
    n->live = true;
    driver_publish_net(d, &n->link);
    klog(LOG_INFO, "%s: %s, %s %u", n->link.name, n->face->name, n->link.irq_mode, n->link.irq);
    watch_carrier(n);
    link_schedule_poll(&n->link); /* arms the interrupt */
    return 0;

fail_quiet:
    w16(n, IMR, 0);
    w8(n, CR, 0);
    pci_enable(d, false, true, false);
fail:
    klog(LOG_ERROR, "rtl8139: attach failed (%d)", r);
    if (ring != 0)
        page_free(ring, n->face->rx_order);
    if (tx != 0)
        page_free(tx, n->face->tx_order);
    kfree(n);
    return r;
}

/* --- queues --------------------------------------------------------------- */

/* The receiver alone starts over: after a header that cannot be, nothing that
 * follows it in the ring can be found. */
static void rx_restart(struct rtl *n)
{
    uint64_t deadline = now_ns() + RX_STOP_DEADLINE_US * NS_PER_US;

    n->link.resets++;
    w8(n, CR, CR_TE);
    while (r8(n, CR) & CR_RE) {
        if (now_ns() > deadline)
            break; /* it is set again below; the ring starts at 0 in any case */
        cpu_relax();
    }
    rx_start(n);
}

static void count_missed(struct rtl *n)
{
    n->link.rx_missed += r32(n, MPC) & 0xffffffu;
    w32(n, MPC, 0);
}

/* One frame at rx_at. 1 taken, 0 when it isn't there yet, -EPROTO when the
 * header is nonsense; *room is how much the chip has written in front of us. */
static int rx_one(struct rtl *n, uint32_t *room)
{
    static const struct link_rx_meta meta = {CSUM_NONE, 0};
    volatile uint32_t *head = (volatile uint32_t *)(n->ring + n->rx_at);
    uint32_t h = *head, status = h & 0xffff, len = h >> 16, step;

    if (h == 0 || len == RX_UNFINISHED)
        return 0;
    step = (RX_HEADER + len + 3) & ~3u;
    if (!(status & RX_ROK) || (status & RX_BAD) || len < ETH_CRC_MIN || step > *room) /* C-RTL-2 */
        return -EPROTO;
    link_rx(&n->link, n->ring + n->rx_at + RX_HEADER, len - RX_CRC, &meta); /* C-RTL-1 */
    *head = 0; /* a stale header of the last lap must not look like a frame */
    n->rx_at = (n->rx_at + step) % RX_RING;
    *room -= step;
    return 1;
}

/* Up to `budget` frames. CBR tells how far the chip has written; CAPR tells it
 * how far we have read. */
static int rx_take(struct rtl *n, int budget)
{
    uint32_t room;
    int done = 0, r = 1;

    if (r8(n, CR) & CR_BUFE)
        return 0;
    room = (r16(n, CBR) - n->rx_at) % RX_RING;
    if (room == 0)
        room = RX_RING; /* not empty, so full */
    while (done < budget && room != 0 && (r = rx_one(n, &room)) > 0)
        done++;
    if (r < 0) {
        n->link.rx_errors++;
        rx_restart(n);
    } else if (done != 0) {
        w16(n, CAPR, (uint16_t)(n->rx_at - CAPR_LAG));
    }
    return done;
}

/* Takes back what the card has sent, oldest first. */
static void tx_reclaim(struct rtl *n)
{
    while (n->tx_tail != n->tx_head) { /* ends: at most TX_DESCS */
        uint32_t s = r32(n, TSD0 + 4 * (n->tx_tail % TX_DESCS));
        if (!(s & TSD_OWN)) /* C-RTL-3 */
            break;
        if (s & (TSD_TABT | TSD_TUN))
            n->link.tx_errors++;
        if (s & TSD_TABT)
            w32(n, TCR, TCR_VALUE | 1); /* CLRABT: send it again */
        n->tx_tail++;
    }
}

/* Copies the packet to the next free descriptor; it is done then. */
static void tx_one(struct rtl *n, struct netbuf *nb)
{
    unsigned i = n->tx_head % TX_DESCS;
    uint8_t *buf = n->tx_buf + i * TX_BUF;
    size_t len;

    if (nb->total_len > FRAME_MAX) {
        n->link.tx_errors++;
        netbuf_done(nb, -EMSGSIZE);
        return;
    }
    len = rtl_pad(buf, netbuf_flatten(nb, buf));
    __asm__ volatile("" ::: "memory"); /* the frame lies there before the card is told */
    w32(n, TSD0 + 4 * i, TSD_THRESHOLD | (uint32_t)len);
    n->tx_head++;
    netbuf_done(nb, 0);
}

static void rx_overflow(struct rtl *n, uint16_t isr)
{
    /* After a FIFO overflow the receiver may be stuck: start it over once the ring
     * is read empty. */
    if ((isr & INT_FOVW) && (r8(n, CR) & CR_BUFE))
        rx_restart(n);
}

static const struct rtl_face rtl_classic = {
    .name = "rtl8139",
    .rx_order = RX_ORDER,
    .tx_order = TX_ORDER,
    .tx_slots = TX_DESCS,
    .start = classic_start,
    .rx_take = rx_take,
    .rx_overflow = rx_overflow,
    .tx_reclaim = tx_reclaim,
    .tx_one = tx_one,
};

/* --- both faces: what waits, what stands still ------------------------------ */

static bool tx_free(struct rtl *n)
{
    if (n->tx_head - n->tx_tail == n->face->tx_slots)
        n->face->tx_reclaim(n);
    return n->tx_head - n->tx_tail < n->face->tx_slots;
}

/* From the queue to the card; asks for an interrupt while something waits. */
static void tx_feed(struct rtl *n)
{
    while (n->queue != NULL && tx_free(n)) {
        struct netbuf *nb = n->queue;
        n->queue = nb->next;
        if (n->queue == NULL)
            n->queue_end = &n->queue;
        n->queued--;
        n->face->tx_one(n, nb);
    }
    n->mask = n->queue != NULL ? INT_ALWAYS | INT_TX : INT_ALWAYS;
    if (n->queue != NULL && !n->tx_ticking) {
        n->tx_seen = n->tx_tail;
        n->tx_stalled = 0;
        n->tx_ticking = timer_arm(&n->tx_timer, now_ns() + TX_TICK_NS) == 0;
    }
}

static void tx_abort(struct rtl *n)
{
    while (n->queue != NULL) { /* ends: at most TX_QUEUE_MAX */
        struct netbuf *nb = n->queue;
        n->queue = nb->next;
        netbuf_done(nb, -ENOBUFS);
    }
    n->queue_end = &n->queue;
    n->queued = 0;
}

/* A transmitter that stands still is reset. */
static void tx_tick(void *arg)
{
    struct rtl *n = arg;

    n->tx_ticking = false;
    if (n->dead)
        return;
    n->face->tx_reclaim(n);
    if (n->tx_tail != n->tx_seen || n->queue == NULL) {
        n->tx_stalled = 0;
    } else if (++n->tx_stalled >= TX_STALL_TICKS) { /* C-BOUND-7 */
        klog(LOG_WARN, "%s: the transmitter stands still, resetting the card", n->link.name);
        n->link.tx_errors++;
        rtl_restart(n);
        return;
    }
    if (n->queue != NULL) {
        n->tx_seen = n->tx_tail;
        n->tx_ticking = timer_arm(&n->tx_timer, now_ns() + TX_TICK_NS) == 0;
        link_schedule_poll(&n->link);
    }
}

static int rtl_restart(struct rtl *n)
{
    int r;

    n->link.resets++;
    r = rtl_chip_reset(n);
    tx_abort(n);
    if (r < 0) {
        n->dead = true; /* C-DMA-6 */
        pci_enable(n->pci, false, true, false);
        link_carrier(&n->link, false);
        klog(LOG_ERROR, "%s: the card did not come back (%d)", n->link.name, r);
        return r;
    }
    n->dead = false;
    chip_start(n);
    n->mask = INT_ALWAYS;
    watch_carrier(n);
    link_schedule_poll(&n->link);
    return 0;
}

/* --- interrupt ------------------------------------------------------------ */

static bool rtl_interrupt(void *arg)
{
    struct rtl *n = arg;
    uint16_t isr = r16(n, ISR);

    if (isr == 0xffff)
        return false; /* the card is gone */
    if (!n->live) { /* the hunt for the line */
        w16(n, ISR, isr);
        return (isr & INT_TIMEOUT) != 0;
    }
    if (!(isr & n->mask))
        return false;
    w16(n, IMR, 0);
    n->link.interrupts++;
    link_schedule_poll(&n->link);
    return true;
}

/* --- link ops ------------------------------------------------------------- */

static unsigned rtl_transmit(struct link *l, struct netbuf *list)
{
    struct rtl *n = l->priv;
    struct netbuf *next;
    unsigned taken = 0;
    bool waited = n->queue != NULL;

    if (n->dead)
        return 0;
    for (struct netbuf *nb = list; nb != NULL && n->queued < TX_QUEUE_MAX; nb = next) {
        next = nb->next;
        nb->next = NULL;
        *n->queue_end = nb;
        n->queue_end = &nb->next;
        n->queued++;
        taken++;
    }
    tx_feed(n);
    /* Something began to wait: the poll arms the transmit interrupt. */
    if (n->queue != NULL && !waited)
        link_schedule_poll(l);
    return taken;
}

/* What ISR said, acknowledged before the ring is read, so that what comes
 * while we read sets it anew. */
static int serve(struct rtl *n, uint16_t isr, int budget)
{
    int done;

    w16(n, ISR, (uint16_t)(isr & ~(INT_RXOVW | INT_FOVW)));
    if (isr & INT_SERR) {
        n->link.rx_errors++;
        rtl_restart(n);
        return 0;
    }
    if (isr & INT_LINK)
        watch_carrier(n);
    if (n->queue != NULL)
        tx_feed(n);
    done = n->face->rx_take(n, budget);
    if (isr & (INT_RXOVW | INT_FOVW)) {
        n->link.overruns++;
        count_missed(n);
        /* The ring has room again, and only now is the flag worth clearing. */
        w16(n, ISR, INT_RXOVW | INT_FOVW);
        n->face->rx_overflow(n, isr);
    }
    if (isr & INT_RER)
        count_missed(n);
    return done;
}

static int rtl_poll(struct link *l, int budget)
{
    struct rtl *n = l->priv;
    int done = 0;
    uint16_t isr;

    if (n->dead)
        return 0;
    isr = r16(n, ISR);
    do { /* ends: a turn without a frame is the last */
        int got = serve(n, isr, budget - done);
        done += got;
        if (done >= budget) /* C-BOUND-1 */
            return done;
        isr = r16(n, ISR);
        if (got == 0)
            break;
    } while (isr & n->mask);
    /* The interrupt is a level: what came meanwhile raises it at once. */
    w16(n, IMR, n->mask);
    return done;
}

static int rtl_reset(struct link *l) { return rtl_restart(l->priv); }

static void rtl_close(struct link *l)
{
    struct rtl *n = l->priv;

    n->dead = true;
    timer_cancel(&n->phy_timer);
    timer_cancel(&n->tx_timer);
    w16(n, IMR, 0);
    w8(n, CR, 0);
    pci_enable(n->pci, false, true, false);
    tx_abort(n);
}

static const struct link_ops rtl_ops = {
    .transmit = rtl_transmit,
    .poll = rtl_poll,
    .reset = rtl_reset,
    .close = rtl_close,
    .filter = rtl_filter,
};
