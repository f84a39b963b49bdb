/* SPDX-License-Identifier: MIT
 *
 * drivers/e1000.c: Intel's 82540EM and 82574L with legacy descriptors, one
 * queue each way, without offloads. Order of this file: registers, attach,
 * queues, interrupt, link ops; drivers/e1000_chip.c sets the registers.
 *
 * Owns: struct e1000 (one per card), its rings and receive buffers, the netbufs
 * in its transmit ring.
 * Context: attach in a thread; e1000_interrupt hard; the rest poll or thread.
 * Lock: the kernel's. The hard handler runs without it: it only switches interrupts
 * off (IMC) and notes causes; the poll switches them on (IMS), then looks at the
 * ring once more. What the card writes into descriptors is hostile input.
 */
#include <drivers/drivers.h>
#include <drivers/e1000.h>
#include <kernel/irq.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/pci.h>
#include <kernel/time.h>
#include <net/core/link.h>
#include <slipway/errno.h>

/* --- registers: drivers/e1000_regs.h, and what we make of them --------------- */

#define PRODUCT_82574L 0x10d3
#define RX_SMALL 64u        /* buffers where memory is short */
#define SMALL_MEMORY (32ull << 20)
#define RX_BUF 2048u
#define FRAME_MIN 14u
#define FRAME_MAX 1518u     /* with a VLAN tag, without CRC */
#define TX_MIN 17u          /* shorter than this the card cannot pad */
#define TX_LOW 64u          /* so few descriptors left: hear when one is free */

#define PHY_TICK_NS (100 * NS_PER_MS)
#define PHY_TICKS 50u       /* 5 s: auto-negotiation takes up to 3 */
#define TX_TICK_NS (4 * NS_PER_MS)
#define TX_STALL_NS (4 * NS_PER_S)
#define RESET_WAIT_MAX_NS (1 * NS_PER_S)
#define RESET_FORGET_NS (10 * NS_PER_S)

static bool e1000_interrupt(void *arg);
static void phy_tick(void *arg);
static void tx_tick(void *arg);
static void reset_tick(void *arg);
static const struct link_ops e1000_ops;

static uint32_t r32(struct e1000 *n, unsigned reg) { return mmio_read32(n->chip.regs + reg); }
static void w32(struct e1000 *n, unsigned reg, uint32_t v) { mmio_write32(n->chip.regs + reg, v); }

/* --- attach --------------------------------------------------------------- */

/* The buffer is the card's from here on. */
static void rx_give(struct e1000 *n, uint32_t i)
{
    KASSERT(n->rx_owner[i] == DMA_DRIVER);
    n->rx[i].addr = virt_to_phys((uint8_t *)n->rx_page[i / 2] + (i & 1) * RX_BUF);
    n->rx[i].status = 0;
    n->rx_owner[i] = DMA_CARD;
}

static void rings_start(struct e1000 *n)
{
    n->rx_next = 0;
    n->rx_skip = false;
    for (uint32_t i = 0; i < n->rx_count; i++) {
        n->rx_owner[i] = DMA_DRIVER; /* the card has been reset */
        rx_give(n, i);
    }
    n->tx_head = n->tx_tail = 0;
    e1000_set_rings(&n->chip, virt_to_phys((const void *)n->rx), n->rx_count,
                    virt_to_phys((const void *)n->tx), RING);
}

static void chip_start(struct e1000 *n)
{
    e1000_set_basics(&n->chip);
    e1000_set_filter(&n->chip, &n->link);
    rings_start(n);
    e1000_go(&n->chip);
    w32(n, REG_RDT, n->rx_count - 1); /* head equal to tail means empty: one is held back */
}

/* Which cause comes by which vector. */
static void set_vectors(struct e1000 *n)
{
    n->int_rx = INT_RXT0;
    n->int_tx = INT_TXDW;
    n->int_other = INT_LSC | INT_RXO;
    if (n->irq[0].mode != IRQ_MSIX)
        return;
    n->int_rx = INT_RXQ0;
    n->int_tx = INT_TXQ0;
    n->int_other = INT_OTHER | INT_LSC | INT_RXO;
    e1000_set_vectors(&n->chip, VEC_QUEUES, n->vectors > VEC_OTHER ? VEC_OTHER : VEC_QUEUES);
}

static bool read_carrier(struct e1000 *n)
{
    n->link.speed_bps = e1000_speed_bps(&n->chip);
    return n->link.speed_bps != 0;
}

/* Nobody waits for the PHY: the link change interrupt tells, and this asks in
 * case that none comes. */
static void phy_tick(void *arg)
{
    struct e1000 *n = arg;

    if (n->broken)
        return;
    if (read_carrier(n)) {
        link_carrier(&n->link, true);
    } else if (++n->phy_ticks < PHY_TICKS) {
        timer_arm(&n->phy_timer, now_ns() + PHY_TICK_NS);
    } else {
        klog(LOG_WARN, "%s: no link after %u s", n->link.name,
             (unsigned)(PHY_TICKS * PHY_TICK_NS / NS_PER_S));
    }
}

static void watch_carrier(struct e1000 *n)
{
    bool up = read_carrier(n);

    link_carrier(&n->link, up);
    n->phy_ticks = 0;
    if (!up) {
        e1000_phy_wake(&n->chip);
        timer_arm(&n->phy_timer, now_ns() + PHY_TICK_NS);
    }
}

/* ICS raises the card's own interrupt; that finds the INTx line. */
static void e1000_raise(void *arg)
{
    struct e1000 *n = ((struct e1000_vector *)arg)->n;

    w32(n, REG_IMS, INT_RXT0);
    w32(n, REG_ICS, INT_RXT0);
}

static void e1000_quiet(void *arg)
{
    struct e1000 *n = ((struct e1000_vector *)arg)->n;

    w32(n, REG_IMC, INT_ALL);
    r32(n, REG_ICR); /* reading clears */
}

static int attach_irq(struct e1000 *n)
{
    void *args[VEC_COUNT];

    set_vectors(n); /* as without MSI-X, for what comes while the line is sought */
    for (unsigned i = 0; i < VEC_COUNT; i++) {
        n->vector[i] = (struct e1000_vector){n, (enum e1000_vector_use)i};
        args[i] = &n->vector[i];
    }
    n->vectors = irq_attach_pci(n->pci, n->irq, VEC_COUNT, e1000_interrupt, args, "e1000", e1000_raise,
                                e1000_quiet);
    if (n->vectors <= 0)
        return n->vectors < 0 ? n->vectors : -EIO;
    set_vectors(n);
    return 0;
}

static int rings_alloc(struct e1000 *n)
{
    uint32_t want = mem_total_bytes() < SMALL_MEMORY ? RX_SMALL : RING;
    phys_t rx = page_alloc(0, PAGE_ZERO), tx = page_alloc(0, PAGE_ZERO);

    n->rx = rx != 0 ? phys_to_virt(rx) : NULL;
    n->tx = tx != 0 ? phys_to_virt(tx) : NULL;
    if (rx == 0 || tx == 0)
        return -ENOMEM;
    for (n->rx_count = 0; n->rx_count < want; n->rx_count += 2) {
        phys_t p = page_alloc(0, PAGE_ZERO);
        if (p == 0)
            return -ENOMEM;
        n->rx_page[n->rx_count / 2] = phys_to_virt(p);
    }
    return 0;
}

static void e1000_free(struct e1000 *n)
{
    for (uint32_t i = 0; i < n->rx_count / 2; i++)
        page_free(virt_to_phys(n->rx_page[i]), 0);
    if (n->rx != NULL)
        page_free(virt_to_phys((const void *)n->rx), 0);
    if (n->tx != NULL)
        page_free(virt_to_phys((const void *)n->tx), 0);
    kfree(n);
}

static void e1000_describe(struct e1000 *n)
{
    struct link *l = &n->link;

    __builtin_memcpy(l->name, "eth%d", 6);
    l->mtu = 1500;
    l->flags = LINKF_ETHERNET;
    l->features = LINKO_SG;
    l->driver = "e1000";
    l->irq_mode = irq_mode_name(n->irq[0].mode);
    l->irq = n->irq[0].mode == IRQ_MSIX || n->irq[0].mode == IRQ_MSI ? n->irq[0].vector : n->irq[0].line;
    l->ops = &e1000_ops;
    l->priv = n;
}

/* From a card at rest to one that runs; what it got is undone by the caller. */
static int e1000_begin(struct e1000 *n)
{
    int r;

    if ((r = rings_alloc(n)) < 0)
        return r;
    pci_enable(n->pci, true, false, true);
    if ((r = e1000_chip_reset(&n->chip)) < 0)
        return r;
    e1000_read_mac(&n->chip, n->link.mac);
    chip_start(n);
    if ((r = attach_irq(n)) < 0)
        return r;
    e1000_describe(n);
    return link_register(&n->link);
}

int e1000_attach(struct pci_device *d)
{
    struct e1000 *n = kzalloc(sizeof(*n));
    int r = -ENODEV;

    if (n == NULL)
        return -ENOMEM;
    n->pci = d;
    n->chip.is_82574 = d->product == PRODUCT_82574L;
    timer_init(&n->phy_timer, phy_tick, n);
    timer_init(&n->tx_timer, tx_tick, n);
    timer_init(&n->reset_timer, reset_tick, n);
    n->chip.regs = !d->bar[0].is_io && d->bar[0].bytes >= REGS_BYTES ? pci_map_bar(d, 0) : NULL;
    if (n->chip.regs == NULL || (r = e1000_begin(n)) < 0) {
        klog(LOG_ERROR, "e1000: attach failed (%d)", r);
        if (n->chip.regs != NULL)
            e1000_silence(&n->chip);
        pci_enable(d, true, false, false);
        for (int i = 0; i < n->vectors; i++)
            irq_detach(&n->irq[i]);
        e1000_free(n);
        return r;
    }
    n->live = true;
    driver_publish_net(d, &n->link);
    klog(LOG_INFO, "%s: %s, %u receive buffers, %s %u", n->link.name, n->chip.is_82574 ? "82574L" : "82540EM",
         n->rx_count, n->link.irq_mode, n->link.irq);
    watch_carrier(n);
    link_schedule_poll(&n->link); /* arms the interrupt */
    return 0;
}

/* --- queues --------------------------------------------------------------- */

static bool rx_waiting(const struct e1000 *n) { return n->rx[n->rx_next].status & RXD_DD; }

/* One descriptor that is done: the frame in it goes up, or is counted. */
static void rx_one(struct e1000 *n, uint32_t i)
{
    static const struct link_rx_meta meta = {CSUM_NONE, 0};
    uint8_t status = n->rx[i].status, errors = n->rx[i].errors;
    uint32_t len = n->rx[i].len;
    bool whole = !n->rx_skip && (status & RXD_EOP);

    KASSERT(n->rx_owner[i] == DMA_CARD);
    n->rx_owner[i] = DMA_DRIVER;
    __asm__ volatile("" ::: "memory"); /* the frame is read after its status */
    if (!whole) { /* pieces of a frame that is too long: counted with its last */
        n->rx_skip = !(status & RXD_EOP);
        n->link.oversize += (status & RXD_EOP) != 0;
    } else if ((errors & RXD_BAD) || len < FRAME_MIN) {
        n->link.rx_errors++;
    } else if (len > FRAME_MAX) {
        n->link.oversize++;
    } else {
        link_rx(&n->link, (uint8_t *)n->rx_page[i / 2] + (i & 1) * RX_BUF, len, &meta);
    }
    rx_give(n, i);
}

/* Up to `budget` descriptors. */
static int rx_take(struct e1000 *n, int budget)
{
    int done = 0;

    while (done < budget && rx_waiting(n)) {
        rx_one(n, n->rx_next);
        n->rx_next = n->rx_next + 1 == n->rx_count ? 0 : n->rx_next + 1;
        done++;
    }
    if (done != 0) /* the one in front of the next is held back */
        w32(n, REG_RDT, n->rx_next == 0 ? n->rx_count - 1 : n->rx_next - 1);
    return done;
}

static uint32_t tx_free(const struct e1000 *n) { return RING - 1 - (n->tx_head - n->tx_tail); }

/* The packet at the tail comes back, sent or not. */
static void tx_done(struct e1000 *n, int status)
{
    struct tx_slot *s = &n->slot[n->tx_tail % RING];
    struct netbuf *nb = s->nb;

    KASSERT(nb != NULL && s->count != 0 && s->count <= n->tx_head - n->tx_tail);
    for (unsigned i = 0, count = s->count; i < count; i++) {
        KASSERT(n->slot[n->tx_tail % RING].owner == DMA_CARD);
        n->slot[n->tx_tail++ % RING].owner = DMA_DRIVER;
    }
    s->nb = NULL;
    netbuf_done(nb, status);
}

/* Takes back what the card has sent, oldest first: a packet is done when its
 * last descriptor is written back. */
static void tx_reclaim(struct e1000 *n)
{
    while (n->tx_tail != n->tx_head) { /* ends: at most RING packets */
        uint32_t last = n->tx_tail + n->slot[n->tx_tail % RING].count - 1;
        uint32_t status = n->tx[last % RING].status;

        if (!(status & TXD_DD))
            break;
        if (status & TXD_BAD)
            n->link.tx_errors++;
        tx_done(n, status & TXD_BAD ? -EIO : 0);
    }
}

static void tx_put(struct e1000 *n, uint64_t phys, uint32_t len)
{
    uint32_t i = n->tx_head++ % RING;

    KASSERT(n->slot[i].owner == DMA_DRIVER);
    n->slot[i].owner = DMA_CARD;
    n->tx[i].addr = phys;
    n->tx[i].command = len | TXD_IFCS;
    n->tx[i].status = 0;
}

/* One packet into the ring where it lies. 0, -ENOBUFS, or what is wrong with it. */
static int tx_add(struct e1000 *n, struct netbuf *nb)
{
    uint32_t first = n->tx_head;

    if (nb->nfrags > NETBUF_FRAGS || nb->head_len == 0 || nb->total_len < TX_MIN)
        return -EINVAL;
    if (nb->total_len > FRAME_MAX)
        return -EMSGSIZE;
    if (tx_free(n) < 1u + nb->nfrags)
        return -ENOBUFS;
    tx_put(n, netbuf_phys(nb, nb->head), nb->head_len);
    for (unsigned i = 0; i < nb->nfrags; i++)
        if (nb->frag[i].len != 0)
            tx_put(n, nb->frag[i].phys, nb->frag[i].len);
    n->slot[first % RING].nb = nb;
    n->slot[first % RING].count = (uint16_t)(n->tx_head - first);
    n->tx[(n->tx_head - 1) % RING].command |= TXD_EOP | TXD_RS;
    return 0;
}

/* Everything that the card held comes back; it is reset or cut off. */
static void tx_abort(struct e1000 *n)
{
    while (n->tx_tail != n->tx_head) /* ends: at most RING packets */
        tx_done(n, -ENOBUFS); /* as a full link: TCP sends again */
}

static int e1000_restart(struct e1000 *n)
{
    int r = e1000_chip_reset(&n->chip);

    if (r < 0)
        pci_enable(n->pci, true, false, false); /* before the memory is another's */
    tx_abort(n);
    if (r < 0) {
        n->broken = true;
        link_carrier(&n->link, false);
        klog(LOG_ERROR, "%s: the card did not come back (%d)", n->link.name, r);
        return r;
    }
    pci_enable(n->pci, true, false, true);
    chip_start(n);
    set_vectors(n);
    n->broken = n->tx_ask = false;
    n->tx_stall_ns = 0;
    watch_carrier(n);
    link_schedule_poll(&n->link);
    return 0;
}

static void reset_tick(void *arg) { e1000_restart(arg); }

/* Silence the card, count, and start again after a pause that doubles while it
 * goes on. */
static void e1000_fault(struct e1000 *n, const char *what)
{
    uint64_t now = now_ns();

    n->broken = true;
    n->link.resets++;
    if (now - n->reset_at_ns > RESET_FORGET_NS || n->reset_wait_ns == 0)
        n->reset_wait_ns = NS_PER_MS;
    else if (n->reset_wait_ns < RESET_WAIT_MAX_NS)
        n->reset_wait_ns *= 2;
    n->reset_at_ns = now;
    e1000_silence(&n->chip);
    klog(LOG_WARN, "%s: %s, resetting the card", n->link.name, what);
    timer_arm(&n->reset_timer, now + n->reset_wait_ns);
}

/* Packets with payload wait no longer than a tick for their completion, though
 * interrupts are off; and a transmitter that stands still is noticed. */
static void tx_tick_arm(struct e1000 *n, uint64_t after_ns)
{
    if (n->tx_ticking || n->tx_tail == n->tx_head)
        return;
    n->tx_seen = n->tx_tail;
    n->tx_wait_ns = after_ns;
    n->tx_ticking = timer_arm(&n->tx_timer, now_ns() + after_ns) == 0;
}

static void tx_tick(void *arg)
{
    struct e1000 *n = arg;
    uint64_t next = TX_TICK_NS;

    n->tx_ticking = false;
    if (n->broken)
        return;
    tx_reclaim(n);
    if (n->tx_tail != n->tx_seen || n->tx_tail == n->tx_head) {
        n->tx_stall_ns = 0;
    } else {
        n->tx_stall_ns += n->tx_wait_ns;
        if (n->tx_stall_ns >= TX_STALL_NS) {
            n->link.tx_errors++;
            e1000_fault(n, "the transmitter stands still");
            return;
        }
        next = n->tx_stall_ns; /* ask half as often each time */
    }
    tx_tick_arm(n, next);
}

/* --- interrupt ------------------------------------------------------------ */

static bool e1000_interrupt(void *arg)
{
    struct e1000_vector *v = arg;
    struct e1000 *n = v->n;
    uint32_t icr = 0;

    if (n->irq[0].mode == IRQ_MSIX) {
        w32(n, REG_IMC, INT_ALL);
        /* The queues' causes are cleared by their message; with all masked,
         * reading clears the rest (and the poll looks at the ring itself). */
        if (v->use == VEC_OTHER || n->vectors <= VEC_OTHER)
            icr = r32(n, REG_ICR);
    } else {
        icr = r32(n, REG_ICR); /* reading clears, and lowers the line */
        if (icr == UINT32_MAX)
            return false; /* the card is gone */
    }
    if (icr & INT_LSC)
        n->link_changed = true;
    if (icr & INT_RXO)
        n->overrun = true;
    if (n->irq[0].mode != IRQ_MSIX) {
        if (!(icr & (n->int_rx | n->int_other | n->int_tx)))
            return false; /* another's */
        w32(n, REG_IMC, INT_ALL);
    }
    if (!n->live)
        return true;
    n->link.interrupts++;
    link_schedule_poll(&n->link);
    return true;
}

/* --- link ops ------------------------------------------------------------- */

static unsigned e1000_transmit(struct link *l, struct netbuf *list)
{
    struct e1000 *n = l->priv;
    struct netbuf *next;
    uint32_t head = n->tx_head;
    bool payload = false;
    unsigned taken = 0;

    if (n->broken)
        return 0;
    tx_reclaim(n);
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
    if (n->tx_head != head)
        w32(n, REG_TDT, n->tx_head % RING);
    if (tx_free(n) < TX_LOW && !n->tx_ask) {
        n->tx_ask = true;
        link_schedule_poll(l); /* arms the transmit interrupt */
    }
    if (payload || n->tx_ask)
        tx_tick_arm(n, TX_TICK_NS);
    return taken;
}

static void check_causes(struct e1000 *n)
{
    if (n->link_changed) {
        n->link_changed = false;
        watch_carrier(n);
    }
    if (n->overrun) {
        n->overrun = false;
        n->link.overruns++;
        n->link.rx_missed += r32(n, REG_MPC);
    }
}

static void arm(struct e1000 *n)
{
    if (n->tx_ask && tx_free(n) >= TX_LOW) {
        n->tx_ask = false;
        w32(n, REG_IMC, n->int_tx);
    }
    w32(n, REG_IMS, n->int_rx | n->int_other | (n->tx_ask ? n->int_tx : 0));
}

static int e1000_poll(struct link *l, int budget)
{
    struct e1000 *n = l->priv;
    int done = 0;

    if (n->broken)
        return 0;
    check_causes(n);
    tx_reclaim(n);
    do { /* ends: each turn but the last takes a frame */
        w32(n, REG_ICR, n->int_rx); /* what is taken now needs no interrupt */
        done += rx_take(n, budget - done);
        if (done >= budget)
            return done;
        arm(n);
    } while (rx_waiting(n)); /* came in between; the interrupt may tell of it, too */
    return done;
}

static int e1000_reset(struct link *l)
{
    struct e1000 *n = l->priv;

    l->resets++;
    timer_cancel(&n->reset_timer);
    return e1000_restart(n);
}

static void e1000_close(struct link *l)
{
    struct e1000 *n = l->priv;

    n->broken = true;
    timer_cancel(&n->phy_timer);
    timer_cancel(&n->tx_timer);
    timer_cancel(&n->reset_timer);
    e1000_silence(&n->chip);
    pci_enable(n->pci, true, false, false);
    tx_abort(n);
}

static void e1000_filter(struct link *l)
{
    e1000_set_groups(&((struct e1000 *)l->priv)->chip, l->group, l->ngroups);
}

static const struct link_ops e1000_ops = {
    .transmit = e1000_transmit,
    .poll = e1000_poll,
    .reset = e1000_reset,
    .close = e1000_close,
    .filter = e1000_filter,
};
