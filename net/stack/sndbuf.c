/* SPDX-License-Identifier: MIT
 *
 * net/stack/sndbuf.c: what a connection has to send, in blocks of the arena.
 *
 * Owns: the chain of blocks of one connection. Bytes stay where they were put
 * until they are acknowledged; the device reads them there. Every block but
 * the last is full, so an offset names a block by division. An idle connection
 * holds no block. The last eighth of the arena is left to connections that
 * hold none yet, so that a few bulk senders cannot starve the rest.
 */
#include <net/stack/tcp.h>

void sndbuf_init(struct sndbuf *b)
{
    memset(b, 0, sizeof(*b));
    b->head = b->tail = b->cur = NS_NONE;
}

static bool block_free(const struct netstack *ns, const struct sndbuf *b)
{
    return ns->blk_nfree > (b->tail != NS_NONE ? ns->nblk / 8 : 0);
}

/* The arena grows for who sends faster than it holds, not for those who wait. */
static bool worth_growing(const struct netstack *ns, const struct sndbuf *b)
{
    const struct tcb *t = ns_container(b, const struct tcb, snd);

    return arena_may_grow(ns) && (b->bytes < 2 * (uint64_t)t->cwnd || !t->snd_auto);
}

bool sndbuf_room(const struct netstack *ns, const struct sndbuf *b)
{
    if (b->tail != NS_NONE && b->tail_end < BLK_BYTES)
        return true;
    return block_free(ns, b) || worth_growing(ns, b);
}

uint32_t sndbuf_put(struct netstack *ns, struct sndbuf *b, struct tcb *owner, const void *data, uint32_t n)
{
    const uint8_t *p = (const uint8_t *)data;
    uint32_t done = 0;

    while (done < n) {
        uint32_t take = n - done;
        if (b->tail == NS_NONE || b->tail_end == BLK_BYTES) {
            uint32_t fresh;
            if (!block_free(ns, b) && !(worth_growing(ns, b) && arena_grow(ns)))
                break;
            if ((fresh = blk_alloc(ns, owner)) == NS_NONE)
                break;
            if (b->tail == NS_NONE) {
                b->head = b->cur = fresh;
                b->head_off = b->cur_off = 0;
            } else {
                ns->blk[b->tail].next = fresh;
            }
            b->tail = fresh;
            b->tail_end = 0;
        }
        if (take > BLK_BYTES - b->tail_end)
            take = BLK_BYTES - b->tail_end;
        memcpy(blk_data(ns, b->tail) + b->tail_end, p + done, take);
        b->tail_end += take;
        b->bytes += take;
        done += take;
    }
    return done;
}

void sndbuf_drop(struct netstack *ns, struct sndbuf *b, uint32_t n)
{
    uint32_t shift = b->head_off + n;

    b->bytes -= n;
    if (b->bytes == 0) {
        sndbuf_free(ns, b);
        return;
    }
    while (shift >= BLK_BYTES) {
        uint32_t next = ns->blk[b->head].next;
        if (b->cur == b->head) {
            b->cur = next;
            b->cur_off += BLK_BYTES;
        }
        blk_unhold(ns, b->head);
        b->head = next;
        shift -= BLK_BYTES;
        b->cur_off -= BLK_BYTES;
    }
    b->head_off = shift;
}

void sndbuf_free(struct netstack *ns, struct sndbuf *b)
{
    uint32_t blk = b->head;

    while (blk != NS_NONE) {
        uint32_t next = blk == b->tail ? NS_NONE : ns->blk[blk].next;
        blk_unhold(ns, blk);
        blk = next;
    }
    sndbuf_init(b);
}

/* The block with byte `off`; *at is the place in it. cur_off counts from the
 * head block's first byte, acknowledged or not. */
static uint32_t locate(struct netstack *ns, struct sndbuf *b, uint32_t off, uint32_t *at)
{
    off += b->head_off;
    if (off < b->cur_off) {
        b->cur = b->head;
        b->cur_off = 0;
    }
    while (off - b->cur_off >= BLK_BYTES) {
        b->cur = ns->blk[b->cur].next;
        b->cur_off += BLK_BYTES;
    }
    *at = off - b->cur_off;
    return b->cur;
}

void sndbuf_copy(struct netstack *ns, struct sndbuf *b, uint32_t off, void *dst, uint32_t len)
{
    uint8_t *out = (uint8_t *)dst;
    uint32_t at, blk = locate(ns, b, off, &at);

    for (uint32_t left = len; left > 0;) {
        uint32_t take = left < BLK_BYTES - at ? left : BLK_BYTES - at;
        memcpy(out, blk_data(ns, blk) + at, take);
        out += take;
        left -= take;
        at = 0;
        blk = ns->blk[blk].next;
    }
}

void sndbuf_segs(struct netstack *ns, struct sndbuf *b, uint32_t off, uint32_t *len, struct net_tx *tx,
                 uint64_t *sum)
{
    uint32_t at, blk = locate(ns, b, off, &at), first = blk, n = 0, done = 0;

    while (done < *len) {
        uint32_t take = *len - done < BLK_BYTES - at ? *len - done : BLK_BYTES - at;
        if (!tx_add_seg(ns, tx, blk, at, take)) {
            *len = done;
            break;
        }
        if (sum != NULL) {
            uint64_t part = csum_bytes(0, blk_data(ns, blk) + at, take);
            *sum = csum_add(*sum, done & 1 ? csum_odd(part) : part);
        }
        ns->blk[blk].refs++;
        n++;
        done += take;
        at = 0;
        blk = ns->blk[blk].next;
    }
    tx->cookie = cookie_blocks(first, n);
}
