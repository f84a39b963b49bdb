/* SPDX-License-Identifier: MIT
 *
 * drivers/virtio_net_config.c: what a virtio card says of itself (VirtIO 1.2, 5.1.4),
 * and its receive filter (5.1.6.5).
 *
 * Owns: the control queue and the page that its commands lie in. Nobody waits for the
 * card's answer: a timer looks for it. Context and lock: as in drivers/virtio_net.c.
 */
#include <drivers/virtio_net_config.h>
#include <drivers/virtio_net_regs.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <net/core/services.h>
#include <slipway/errno.h>

#define VN_MTU_DEFAULT 1500
#define VN_MTU_MIN 68 /* RFC 791 */

bool vn_read_mac(struct virtio_device *dev, uint8_t mac[6])
{
    if (virtio_has(dev, VN_F_MAC)) {
        dev->ops->read_config(dev, VN_CFG_MAC, mac, 6);
        if (!(mac[0] & 1) && (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]) != 0)
            return true;
        klog(LOG_WARN, "virtio-net: the card's address is not a unicast one, taking a random one");
    }
    nc_random(mac, 6);
    mac[0] = (uint8_t)((mac[0] & ~1u) | 2u); /* unicast, locally administered */
    return false;
}

uint32_t vn_read_mtu(struct virtio_device *dev)
{
    uint16_t mtu = VN_MTU_DEFAULT;

    if (virtio_has(dev, VN_F_MTU))
        dev->ops->read_config(dev, VN_CFG_MTU, &mtu, sizeof(mtu));
    return mtu >= VN_MTU_MIN && mtu < VN_MTU_DEFAULT ? mtu : VN_MTU_DEFAULT;
}

bool vn_read_carrier(struct virtio_device *dev)
{
    uint16_t status = VN_LINK_UP;

    if (virtio_has(dev, VN_F_STATUS))
        dev->ops->read_config(dev, VN_CFG_STATUS, &status, sizeof(status));
    return (status & VN_LINK_UP) != 0;
}

/* --- the receive filter --------------------------------------------------- */

#define CTRL_QUEUE_MAX 64u
#define CTRL_QUEUE_MIN 8u
#define CTRL_TICK_NS (10 * NS_PER_MS)
#define CTRL_TICKS 100u /* a second: then the card is left as it is */
/* Places in the page. */
#define TABLE_AT 0u     /* class, command, tables */
#define TABLE_ACK_AT 1024u
#define PROMISC_AT 1040u /* class, command, value */
#define PROMISC_ACK_AT 1048u

_Static_assert(2 + 8 + 6 * LINK_GROUPS_MAX <= TABLE_ACK_AT, "all groups fit");

/* One command: class and command, its data, and a byte for the answer. */
static bool add(struct vn_filter *f, unsigned at, uint32_t bytes, unsigned ack)
{
    uint64_t page = virt_to_phys(f->page);
    struct vq_buf b[3] = {{page + at, 2}, {page + at + 2, bytes}, {page + ack, 1}};

    f->page[ack] = 0xff;
    return vq_add(&f->vq, b, 2, 1, f->page + ack) >= 0;
}

static bool add_promisc(struct vn_filter *f, uint8_t on)
{
    uint8_t *p = f->page + PROMISC_AT;

    p[0] = VN_CTRL_RX;
    p[1] = VN_CTRL_RX_PROMISC;
    p[2] = on;
    return add(f, PROMISC_AT, 1, PROMISC_ACK_AT);
}

/* The groups first, then the end of letting everything through. */
static void submit(struct vn_filter *f)
{
    uint8_t *p = f->page + TABLE_AT;
    uint32_t none = 0, n = f->link->ngroups;

    p[0] = VN_CTRL_MAC;
    p[1] = VN_CTRL_MAC_TABLE;
    __builtin_memcpy(p + 2, &none, 4); /* other unicast addresses */
    __builtin_memcpy(p + 6, &n, 4);
    __builtin_memcpy(p + 10, f->link->group, 6 * n);
    f->stale = false;
    f->ticks = 0;
    if (add(f, TABLE_AT, 8 + 6 * n, TABLE_ACK_AT) && add_promisc(f, 0))
        virtio_kick(f->dev, &f->vq);
    timer_arm(&f->timer, now_ns() + CTRL_TICK_NS);
}

/* A card that takes no list lets everything through, as it did. */
static void refused(struct vn_filter *f)
{
    f->off = true; /* C-VIRTIO-8 */
    klog(LOG_WARN, "%s: the card refuses its filter and lets everything through", f->link->name);
    if (add_promisc(f, 1))
        virtio_kick(f->dev, &f->vq);
}

static void ctrl_tick(void *arg)
{
    struct vn_filter *f = arg;
    struct vq_done d;
    bool bad = false;
    int r;

    while ((r = vq_take(&f->vq, &d)) > 0) { /* ends: two commands at most */
        bad |= *(uint8_t *)d.cookie != 0;
        vq_release(&f->vq, d.id);
    }
    if (r < 0 || ++f->ticks == CTRL_TICKS)
        return; /* nonsense, or no answer: nothing more is asked until a reset (C-VIRTIO-8) */
    if (f->vq.inflight != 0)
        timer_arm(&f->timer, now_ns() + CTRL_TICK_NS);
    else if (bad && !f->off)
        refused(f);
    else if (f->stale && !f->off)
        submit(f);
}

int vn_filter_create(struct vn_filter *f, struct virtio_device *dev, const struct link *l)
{
    phys_t p;
    int r;

    f->dev = dev;
    f->link = l;
    timer_init(&f->timer, ctrl_tick, f);
    if (!virtio_has(dev, VN_F_CTRL_VQ) || !virtio_has(dev, VN_F_CTRL_RX))
        return 0;
    r = virtio_queue_create(dev, &f->vq, VN_CTRL, CTRL_QUEUE_MAX);
    if (r < 0)
        return r;
    p = f->vq.size >= CTRL_QUEUE_MIN ? page_alloc(0, PAGE_ZERO) : 0;
    if (p == 0)
        return f->vq.size >= CTRL_QUEUE_MIN ? -ENOMEM : -ENODEV;
    f->page = phys_to_virt(p);
    return 0;
}

int vn_filter_restart(struct vn_filter *f)
{
    timer_cancel(&f->timer);
    return f->page != NULL ? virtio_queue_restart(f->dev, &f->vq) : 0;
}

void vn_filter_set(struct vn_filter *f)
{
    if (f->page == NULL || f->off)
        return;
    f->stale = true;
    if (f->vq.inflight == 0)
        submit(f);
}

void vn_filter_close(struct vn_filter *f)
{
    timer_cancel(&f->timer);
    f->off = true;
}

void vn_filter_destroy(struct vn_filter *f)
{
    if (f->page != NULL)
        page_free(virt_to_phys(f->page), 0);
    virtio_queue_destroy(&f->vq);
}
