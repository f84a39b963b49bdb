/* SPDX-License-Identifier: MIT
 *
 * net/stack/ring.c: the packet rings and the transmit arena.
 *
 * Owns: our side's indices (rx_tail, tx_head, cq_tail) and the arena's layout:
 * one header slot of NET_TX_HDR_MAX bytes for each transmit entry, then blocks
 * of BLK_BYTES for payload. A block is free when no buffer holds it and every
 * transmit record over it has completed; see slipway/ring.h.
 */
#include <net/stack/tcp.h>

/* --- walking a receive ring ------------------------------------------------ */
const struct net_rx *ns_ring_peek(const struct net_ring *ring, uint32_t *tail)
{
    uint32_t head = __atomic_load_n(&ring->rx_head, __ATOMIC_ACQUIRE);

    while (*tail != head) {
        const struct net_rx *rx = (const struct net_rx *)(const void *)((const uint8_t *)ring + ring->rx_off +
                                                                        (*tail & (ring->rx_size - 1)));
        if (rx->kind != RX_PAD)
            return rx;
        *tail += rx->size;
    }
    return NULL;
}

void ns_ring_pop(struct net_ring *ring, uint32_t *tail, const struct net_rx *rx)
{
    *tail += rx->size;
    __atomic_store_n(&ring->rx_tail, *tail, __ATOMIC_RELEASE);
}

/* --- transmit -------------------------------------------------------------- */
bool tx_room(struct netstack *ns)
{
    if (ns->tx_head - ns->tx_tail_seen < ns->tx_entries)
        return true;
    ns->tx_tail_seen = __atomic_load_n(&ns->ring->tx_tail, __ATOMIC_ACQUIRE);
    return ns->tx_head - ns->tx_tail_seen < ns->tx_entries;
}

void tx_flush(struct netstack *ns)
{
    void (*flush)(void *ctx) = ns->env.flush != NULL ? ns->env.flush : ns->env.kick;

    if (flush == NULL || __atomic_load_n(&ns->ring->tx_tail, __ATOMIC_ACQUIRE) == ns->tx_head)
        return;
    ns->tx_kicked = ns->tx_head;
    flush(ns->env.ctx);
}

struct net_tx *tx_begin(struct netstack *ns, uint8_t **hdr)
{
    uint32_t i = ns->tx_head & ns->tx_mask;
    struct net_tx *tx;

    if (!tx_room(ns)) {
        if (ns->env.kick != NULL) {
            ns->tx_kicked = ns->tx_head;
            ns->env.kick(ns->env.ctx);
        }
        if (!tx_room(ns))
            return NULL;
    }
    tx = &ns->tx_base[i];
    memset(tx, 0, sizeof(*tx));
    tx->hdr_off = i * NET_TX_HDR_MAX;
    tx->link = LINK_ANY;
    *hdr = ns->arena + tx->hdr_off;
    return tx;
}

void tx_commit(struct netstack *ns, struct net_tx *tx)
{
    (void)tx;
    ns->tx_head++;
    __atomic_store_n(&ns->ring->tx_head, ns->tx_head, __ATOMIC_RELEASE);
}

bool tx_add_seg(struct netstack *ns, struct net_tx *tx, uint32_t b, uint32_t off, uint32_t len)
{
    uint32_t at = blk_off(ns, b) + off;

    if (tx->nseg != 0 && tx->seg[tx->nseg - 1].off + tx->seg[tx->nseg - 1].len == at) {
        tx->seg[tx->nseg - 1].len += len;
    } else {
        if (tx->nseg == NET_TX_SEGS)
            return false;
        tx->seg[tx->nseg].off = at;
        tx->seg[tx->nseg].len = len;
        tx->nseg++;
    }
    return true;
}

/* --- blocks ---------------------------------------------------------------- */
/* More of them. The first of each addition stays unused: so no segment ever spans
 * two pieces of memory. */
bool arena_grow(struct netstack *ns)
{
    uint32_t n = ns->nblk + BLKS_MORE;
    struct ablk *blk = ns->narenas < NET_ARENAS_MORE ? ns_alloc(ns, n * sizeof(*blk)) : NULL;
    void *base = blk != NULL ? ns->env.arena_more(ns->env.ctx) : NULL;

    if (base == NULL) {
        if (blk != NULL)
            ns_free(ns, blk);
        ns->arena_full = true;
        return false;
    }
    memcpy(blk, ns->blk, ns->nblk * sizeof(*blk));
    ns_free(ns, ns->blk);
    ns->blk = blk;
    ns->blk_more[ns->narenas++] = (uint8_t *)base;
    for (uint32_t b = n; --b > ns->nblk;) {
        blk[b].next = ns->blk_free;
        ns->blk_free = b;
    }
    ns->blk_nfree += BLKS_MORE - 1;
    ns->nblk = n;
    return true;
}

uint32_t blk_alloc(struct netstack *ns, struct tcb *owner)
{
    uint32_t b = ns->blk_free;

    if (b == NS_NONE)
        return NS_NONE;
    ns->blk_free = ns->blk[b].next;
    ns->blk_nfree--;
    ns->blk[b].next = NS_NONE;
    ns->blk[b].refs = 0;
    ns->blk[b].held = true;
    ns->blk[b].owner = owner;
    return b;
}

static void blk_release(struct netstack *ns, uint32_t b)
{
    ns->blk[b].owner = NULL;
    ns->blk[b].next = ns->blk_free;
    ns->blk_free = b;
    ns->blk_nfree++;
    if (ns->blk_nfree <= ns->nblk / 8 + 1) { /* writers that found none may try again */
        ns->generation++;
        if (ns->env.changed != NULL)
            ns->env.changed(ns->env.ctx, NULL);
    }
}

/* n neighbouring blocks for one long datagram, already in flight. Rare, so a
 * scan will do. */
uint32_t blk_alloc_run(struct netstack *ns, uint32_t n)
{
    uint32_t first = 0, have = 0, *link;

    if (n == 1) {
        if ((first = blk_alloc(ns, NULL)) != NS_NONE) {
            ns->blk[first].held = false;
            ns->blk[first].refs = 1;
        }
        return first;
    }
    for (uint32_t b = 0; b < ns->nblk_near && have < n; b++) {
        bool taken = ns->blk[b].held || ns->blk[b].refs != 0;
        have = taken ? 0 : have + 1;
        first = taken ? b + 1 : first;
    }
    if (have < n)
        return NS_NONE;
    for (link = &ns->blk_free; *link != NS_NONE;) {
        if (*link - first < n)
            *link = ns->blk[*link].next;
        else
            link = &ns->blk[*link].next;
    }
    ns->blk_nfree -= n;
    for (uint32_t b = first; b < first + n; b++) {
        ns->blk[b].next = b + 1 < first + n ? b + 1 : NS_NONE;
        ns->blk[b].refs = 1;
        ns->blk[b].owner = NULL;
    }
    return first;
}

void blk_unhold(struct netstack *ns, uint32_t b)
{
    ns->blk[b].held = false;
    ns->blk[b].owner = NULL; /* what still flies concerns nobody */
    if (ns->blk[b].refs == 0)
        blk_release(ns, b);
}

/* --- completions ----------------------------------------------------------- */
static void complete_blocks(struct netstack *ns, uint32_t b, uint32_t n, int status)
{
    struct tcb *owner = NULL;

    while (n-- > 0 && b < ns->nblk && ns->blk[b].refs != 0) {
        uint32_t next = ns->blk[b].next;
        owner = ns->blk[b].owner;
        if (--ns->blk[b].refs == 0 && !ns->blk[b].held)
            blk_release(ns, b);
        b = next;
    }
    if (status < 0 && owner != NULL)
        tcp_tx_failed(owner, status);
    else if (owner != NULL && owner->path.speed_bps != 0 && owner->path.speed_bps <= TCP_SLOW_LINE_BPS)
        tcp_later(owner); /* the line has room for the next segment */
}

static void complete_failed(struct netstack *ns, uint64_t cookie, int status)
{
    struct nsock *s;

    ns->count.tx_failed++;
    if (status == -ENOBUFS)
        ns->count.tx_nobufs++;
    else
        ip_route_flush(ns); /* an address or a route has changed */
    if (cookie >> 56 != COOKIE_SOCK || (s = sock_by_cookie(ns, cookie)) == NULL)
        return;
    if (s->type == NS_STREAM)
        tcp_tx_failed((struct tcb *)s, status);
    else if (status != -ENOBUFS)
        sock_error(s, -status);
}

void ring_completions(struct netstack *ns)
{
    uint32_t head = __atomic_load_n(&ns->ring->cq_head, __ATOMIC_ACQUIRE);

    if (head == ns->cq_tail)
        return;
    while (ns->cq_tail != head) {
        struct net_cqe c = ns->cq_base[ns->cq_tail & ns->cq_mask];
        ns->cq_tail++;
        if (c.status < 0)
            complete_failed(ns, c.cookie, c.status);
        if (c.cookie >> 56 == COOKIE_BLOCKS)
            complete_blocks(ns, (uint32_t)c.cookie, (uint32_t)(c.cookie >> 32) & 0xffffff, c.status);
    }
    __atomic_store_n(&ns->ring->cq_tail, ns->cq_tail, __ATOMIC_RELEASE);
}
