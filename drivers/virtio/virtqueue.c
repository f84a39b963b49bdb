/* SPDX-License-Identifier: MIT
 *
 * drivers/virtio/virtqueue.c: one split virtqueue (VirtIO 1.2, 2.7).
 *
 * Owns, callers, context, lock: see virtqueue.h.
 *
 * Barriers: x86 keeps stores in order and loads in order, so acquire and
 * release suffice everywhere but where a store must be seen before a later
 * load is done: index then notification flag (2.7.13.4.1), and interrupt
 * request then index (2.7.14). Those two take a full fence.
 */
#include <drivers/virtio/virtqueue.h>
#include <kernel/log.h>
#include <slipway/errno.h>

#define AVAIL_FLAGS 0
#define AVAIL_IDX 1
#define AVAIL_RING 2
#define USED_FLAGS 0
#define USED_IDX 1

static uint16_t load16(const uint16_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static void store16(uint16_t *p, uint16_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
static void full_fence(struct virtqueue *vq)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (vq->fence != NULL)
        vq->fence(vq->fence_arg);
}

/* used_event lies behind the available ring, avail_event behind the used one. */
static uint16_t *used_event(struct virtqueue *vq) { return &vq->avail[AVAIL_RING + vq->size]; }
static uint16_t *avail_event(struct virtqueue *vq) { return (uint16_t *)&vq->used_ring[vq->size]; }

size_t vq_avail_offset(uint16_t size) { return sizeof(struct vring_desc) * size; }

size_t vq_used_offset(uint16_t size)
{
    size_t end = vq_avail_offset(size) + sizeof(uint16_t) * (3u + size);
    return (end + VQ_ALIGN - 1) & ~(size_t)(VQ_ALIGN - 1);
}

size_t vq_bytes(uint16_t size)
{
    return vq_used_offset(size) + 3 * sizeof(uint16_t) + sizeof(struct vring_used_elem) * size;
}

void vq_init(struct virtqueue *vq, uint16_t index, uint16_t size, void *memory, uint64_t phys,
             struct vq_slot *slot, bool event_idx)
{
    uint8_t *m = memory;

    KASSERT(size != 0 && size <= VQ_SIZE_MAX && (size & (size - 1)) == 0);
    __builtin_memset(memory, 0, vq_bytes(size));
    __builtin_memset(slot, 0, sizeof(*slot) * size);
    *vq = (struct virtqueue){
        .index = index,
        .size = size,
        .event_idx = event_idx,
        .desc = memory,
        .avail = (uint16_t *)(m + vq_avail_offset(size)),
        .used = (uint16_t *)(m + vq_used_offset(size)),
        .used_ring = (struct vring_used_elem *)(m + vq_used_offset(size) + 2 * sizeof(uint16_t)),
        .slot = slot,
        .nfree = size,
        .offered = VQ_NONE,
        .memory = memory,
        .phys = phys,
    };
    for (uint16_t i = 0; i < size; i++)
        slot[i].next = i + 1 < size ? (uint16_t)(i + 1) : (uint16_t)VQ_NONE;
    vq_irq_off(vq);
}

/* The chain's first descriptor goes into the available ring. */
static void offer(struct virtqueue *vq, uint16_t id)
{
    vq->slot[id].owner = VQ_OFFERED;
    vq->slot[id].also = vq->offered;
    vq->offered = id;
    vq->avail[AVAIL_RING + (vq->avail_idx & (vq->size - 1))] = id;
    vq->avail_idx++;
    vq->inflight++;
}

int vq_add(struct virtqueue *vq, const struct vq_buf *bufs, unsigned nout, unsigned nin, void *cookie)
{
    unsigned n = nout + nin;
    uint16_t head = vq->free_head, at = head, last = head, flags = VRING_DESC_NEXT;
    uint32_t room = 0;

    if (n == 0 || n > vq->nfree)
        return -1;
    for (unsigned i = 0; i < n; i++) {
        struct vring_desc *d = &vq->desc[at];
        struct vq_slot *s = &vq->slot[at];

        KASSERT(s->owner == VQ_FREE);
        if (i >= nout) {
            flags = VRING_DESC_NEXT | VRING_DESC_WRITE;
            room += bufs[i].len;
        }
        s->owner = VQ_PART;
        d->addr = bufs[i].phys;
        d->len = bufs[i].len;
        d->flags = flags;
        d->next = s->next;
        last = at;
        at = s->next;
    }
    vq->desc[last].flags = flags & VRING_DESC_WRITE; /* none follows */
    vq->free_head = at;
    vq->nfree = (uint16_t)(vq->nfree - n);
    vq->slot[head].cookie = cookie;
    vq->slot[head].room = room;
    vq->slot[head].tail = last;
    vq->slot[head].count = (uint16_t)n;
    offer(vq, head);
    return head;
}

int vq_take(struct virtqueue *vq, struct vq_done *done)
{
    uint16_t ready = (uint16_t)(load16(&vq->used[USED_IDX]) - vq->last_used);
    const volatile struct vring_used_elem *e;
    struct vq_slot *s;
    uint32_t id, len;

    if (ready == 0)
        return 0;
    if (ready > vq->inflight) /* C-VIRTIO-7 */
        return -EPROTO; /* finished more than it was given */
    e = &vq->used_ring[vq->last_used & (vq->size - 1)];
    id = e->id; /* read once: the device may change it under us */
    len = e->len;
    if (id >= vq->size)
        return -EPROTO;
    s = &vq->slot[id];
    if (s->owner != VQ_DEVICE) /* C-DMA-2 */
        return -EPROTO; /* not a chain it holds: never given, or returned twice */
    /* Where the device writes nothing, old ones put anything there (2.7.8.1). */
    if (s->room == 0)
        len = 0;
    else if (len > s->room)
        return -EPROTO;
    vq->last_used++;
    vq->inflight--;
    s->owner = VQ_DRIVER;
    done->cookie = s->cookie;
    done->len = len;
    done->id = (uint16_t)id;
    return 1;
}

void vq_recycle(struct virtqueue *vq, uint16_t id)
{
    KASSERT(id < vq->size && vq->slot[id].owner == VQ_DRIVER);
    offer(vq, id);
}

void vq_release(struct virtqueue *vq, uint16_t id)
{
    struct vq_slot *s = &vq->slot[id];
    uint16_t at = id;

    KASSERT(id < vq->size && s->owner == VQ_DRIVER); /* C-DMA-1 */
    for (unsigned i = 0; i < s->count; i++) {
        vq->slot[at].owner = VQ_FREE;
        at = vq->slot[at].next;
    }
    s->cookie = NULL;
    vq->slot[s->tail].next = vq->free_head;
    vq->free_head = id;
    vq->nfree = (uint16_t)(vq->nfree + s->count);
}

void *vq_reclaim(struct virtqueue *vq, uint16_t *cursor)
{
    vq->offered = VQ_NONE;
    for (uint16_t i = *cursor; vq->inflight != 0 && i < vq->size; i++) {
        if (vq->slot[i].owner != VQ_DEVICE && vq->slot[i].owner != VQ_OFFERED)
            continue;
        void *cookie = vq->slot[i].cookie;
        vq->slot[i].owner = VQ_DRIVER;
        vq->inflight--;
        vq_release(vq, i);
        *cursor = (uint16_t)(i + 1);
        return cookie;
    }
    return NULL;
}

bool vq_publish(struct virtqueue *vq)
{
    uint16_t old = vq->published, now = vq->avail_idx;

    if (old == now)
        return false;
    for (uint16_t id = vq->offered; id != VQ_NONE; id = vq->slot[id].also)
        vq->slot[id].owner = VQ_DEVICE; /* C-DMA-3 */
    vq->offered = VQ_NONE;
    store16(&vq->avail[AVAIL_IDX], now);
    vq->published = now;
    full_fence(vq);
    if (!vq->event_idx)
        return (load16(&vq->used[USED_FLAGS]) & VRING_USED_NO_NOTIFY) == 0;
    /* Did we step over the entry that the device asked to hear of? */
    return (uint16_t)(now - load16(avail_event(vq)) - 1) < (uint16_t)(now - old);
}

void vq_irq_off(struct virtqueue *vq)
{
    /* With EVENT_IDX an interrupt comes once, when the used index steps over
     * used_event; one that lies behind it is as good as none. */
    if (vq->event_idx)
        store16(used_event(vq), (uint16_t)(vq->last_used - 1));
    else
        store16(&vq->avail[AVAIL_FLAGS], VRING_AVAIL_NO_INTERRUPT);
}

bool vq_irq_on(struct virtqueue *vq, uint16_t ahead)
{
    if (vq->event_idx)
        store16(used_event(vq), (uint16_t)(vq->last_used + ahead));
    else
        store16(&vq->avail[AVAIL_FLAGS], 0);
    full_fence(vq);
    return (uint16_t)(load16(&vq->used[USED_IDX]) - vq->last_used) > ahead; /* C-IRQ-2 */
}
