/* SPDX-License-Identifier: MIT
 *
 * net/host/kring.c: see kring.h.
 */
#include <net/host/kring.h>
#include <slipway/errno.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_ALIGN 16u

static bool power_of_two(uint32_t v)
{
    return v != 0 && (v & (v - 1)) == 0;
}

static uint8_t *at(const struct kring *k, uint32_t off)
{
    return (uint8_t *)k->ring + off;
}

int kring_make(struct kring *k, uint32_t rx_bytes, uint32_t tx_entries, uint32_t arena_bytes)
{
    uint64_t tx_bytes = (uint64_t)tx_entries * sizeof(struct net_tx);
    uint64_t cq_bytes = 2ull * tx_entries * sizeof(struct net_cqe);
    uint64_t total = 4096 + (uint64_t)rx_bytes + tx_bytes + cq_bytes + arena_bytes;
    struct net_ring *r;

    if (!power_of_two(rx_bytes) || rx_bytes < 4096 || !power_of_two(tx_entries) ||
        total > INT32_MAX)
        return -EINVAL;
    total = (total + 4095) & ~4095ull;
    r = aligned_alloc(4096, total);
    if (r == NULL)
        return -ENOMEM;
    memset(r, 0, total);
    r->magic = NET_RING_MAGIC;
    r->version = NET_RING_VERSION;
    r->rx_off = 4096;
    r->rx_size = rx_bytes;
    r->tx_off = r->rx_off + rx_bytes;
    r->tx_entries = tx_entries;
    r->cq_off = r->tx_off + (uint32_t)tx_bytes;
    r->cq_entries = 2 * tx_entries;
    r->arena_off = r->cq_off + (uint32_t)cq_bytes;
    r->arena_size = arena_bytes;
    r->total_size = (uint32_t)total;
    *k = (struct kring){.ring = r};
    return 0;
}

void kring_free(struct kring *k)
{
    while (k->narenas != 0)
        free(k->more[--k->narenas]);
    free(k->ring);
    k->ring = NULL;
}

void *kring_more(struct kring *k)
{
    void *more = k->narenas < NET_ARENAS_MORE ? malloc(NET_ARENA_MORE) : NULL;

    if (more != NULL)
        k->more[k->narenas++] = more;
    return more;
}

/* Bytes of the arena; NULL: not all of them lie in one piece of it. */
static const uint8_t *in_arena(const struct kring *k, const struct net_seg *s)
{
    uint32_t size = k->ring->arena_size, far = s->off - size;

    if (s->off <= size && s->len <= size - s->off)
        return at(k, k->ring->arena_off) + s->off;
    if (s->off < size || far / NET_ARENA_MORE >= k->narenas || s->len > NET_ARENA_MORE - far % NET_ARENA_MORE)
        return NULL;
    return k->more[far / NET_ARENA_MORE] + far % NET_ARENA_MORE;
}

bool kring_deliver(struct kring *k, const struct net_rx *meta, const void *packet, size_t n)
{
    struct net_ring *r = k->ring;
    uint32_t off = k->rx_head & (r->rx_size - 1), size, pad;
    struct net_rx *rx;

    if (n > r->rx_size / 2) {
        r->rx_dropped++;
        return false;
    }
    size = (uint32_t)(sizeof(*rx) + n + RECORD_ALIGN - 1) & ~(RECORD_ALIGN - 1);
    pad = r->rx_size - off < size ? r->rx_size - off : 0;
    if (k->rx_head + pad + size - __atomic_load_n(&r->rx_tail, __ATOMIC_ACQUIRE) > r->rx_size) {
        r->rx_dropped++;
        return false;
    }
    if (pad != 0) {
        rx = (struct net_rx *)(void *)(at(k, r->rx_off) + off);
        rx->size = pad; /* 16 bytes at least: size and kind fit */
        rx->kind = RX_PAD;
        k->rx_head += pad;
        off = 0;
    }
    rx = (struct net_rx *)(void *)(at(k, r->rx_off) + off);
    *rx = *meta;
    rx->size = size;
    rx->kind = RX_PACKET;
    rx->len = (uint32_t)n;
    memcpy(rx + 1, packet, n);
    k->rx_head += size;
    __atomic_store_n(&r->rx_head, k->rx_head, __ATOMIC_RELEASE);
    return true;
}

int kring_take(struct kring *k, struct net_tx *tx, uint8_t hdr[NET_TX_HDR_MAX])
{
    struct net_ring *r = k->ring;
    uint32_t head = __atomic_load_n(&r->tx_head, __ATOMIC_ACQUIRE);
    bool good;

    if (head == k->tx_tail)
        return 0;
    *tx = ((const struct net_tx *)(void *)at(k, r->tx_off))[k->tx_tail & (r->tx_entries - 1)];
    good = tx->hdr_len <= NET_TX_HDR_MAX && tx->nseg <= NET_TX_SEGS && tx->hdr_off <= r->arena_size &&
           tx->hdr_len <= r->arena_size - tx->hdr_off;
    if (good)
        memcpy(hdr, at(k, r->arena_off) + tx->hdr_off, tx->hdr_len);
    k->tx_tail++;
    __atomic_store_n(&r->tx_tail, k->tx_tail, __ATOMIC_RELEASE);
    return good ? 1 : -1;
}

int64_t kring_gather(const struct kring *k, const struct net_tx *tx, const uint8_t *hdr, void *packet,
                     size_t room)
{
    uint8_t *out = packet;
    size_t n = tx->hdr_len;

    if (n > room)
        return -1;
    memcpy(out, hdr, n);
    for (unsigned i = 0; i < tx->nseg; i++) {
        const struct net_seg *s = &tx->seg[i];
        const uint8_t *from = in_arena(k, s);
        if (from == NULL || s->len > room - n)
            return -1;
        memcpy(out + n, from, s->len);
        n += s->len;
    }
    return (int64_t)n;
}

void kring_done(struct kring *k, const struct net_tx *tx, int status)
{
    struct net_ring *r = k->ring;
    struct net_cqe *c = (struct net_cqe *)(void *)at(k, r->cq_off) + (k->cq_head & (r->cq_entries - 1));

    if (status == 0 && tx->nseg == 0 && (tx->flags & TX_NOTIFY) == 0)
        return;
    *c = (struct net_cqe){.cookie = tx->cookie, .status = status};
    k->cq_head++;
    __atomic_store_n(&r->cq_head, k->cq_head, __ATOMIC_RELEASE);
}
