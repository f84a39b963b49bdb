/* SPDX-License-Identifier: MIT
 *
 * net/stack/frag.c: see net/stack/frag.h.
 */
#include <net/stack/checksum.h>
#include <net/stack/frag.h>
#include <string.h>

void frag_init(struct frag *f, void *ctx, void *(*alloc)(void *, size_t), void (*release)(void *, void *))
{
    memset(f, 0, sizeof(*f));
    f->ctx = ctx;
    f->alloc = alloc;
    f->free = release;
}

static void drop(struct frag *f, struct frag_datagram *d)
{
    f->bytes -= d->room;
    f->free(f->ctx, d->data);
    memset(d, 0, offsetof(struct frag_datagram, piece));
}

/* The datagram of `key`, or a slot for it. Who has too many under way, or everybody
 * when all slots are taken, loses the oldest: pieces of an honest datagram come
 * close together, those of a flood never complete, and must not keep the rest
 * out until they time out. All expire after the same time, so the first to expire
 * is the oldest. */
static struct frag_datagram *find_or_take(struct frag *f, const uint8_t key[11], uint64_t now_ns)
{
    struct frag_datagram *spare = NULL, *oldest = NULL, *own = NULL;
    unsigned same_source = 0;
    for (unsigned i = 0; i < FRAG_DATAGRAMS; i++) {
        struct frag_datagram *d = &f->datagram[i];
        if (!d->used) {
            spare = d;
            continue;
        }
        if (memcmp(d->key, key, 11) == 0)
            return d;
        if (!oldest || d->expiry_ns < oldest->expiry_ns)
            oldest = d;
        if (memcmp(d->key, key, 4) != 0)
            continue;
        same_source++;
        if (!own || d->expiry_ns < own->expiry_ns)
            own = d;
    }
    if (same_source >= FRAG_PER_SOURCE || !spare) { /* C-NETD-5 */
        spare = same_source >= FRAG_PER_SOURCE ? own : oldest;
        f->full++;
        drop(f, spare);
    }
    spare->used = true;
    memcpy(spare->key, key, 11);
    spare->expiry_ns = now_ns + FRAG_TIMEOUT_NS;
    return spare;
}

/* Let the oldest others go until `more` bytes fit. */
static bool fit(struct frag *f, const struct frag_datagram *keep, size_t more)
{
    while (f->bytes + more > FRAG_BYTES) {
        struct frag_datagram *oldest = NULL;
        for (unsigned i = 0; i < FRAG_DATAGRAMS; i++) {
            struct frag_datagram *d = &f->datagram[i];
            if (d->room && d != keep && (!oldest || d->expiry_ns < oldest->expiry_ns))
                oldest = d;
        }
        if (!oldest)
            return false;
        f->full++;
        drop(f, oldest);
    }
    return true;
}

/* Room for payload bytes [0, end). Grows by doubling, so copying stays linear. */
static bool make_room(struct frag *f, struct frag_datagram *d, uint32_t end)
{
    if (end <= d->room)
        return true;
    uint32_t room = d->room ? d->room : 2048;
    while (room < end)
        room *= 2;
    if (!fit(f, d, room - d->room))
        return false;
    uint8_t *bigger = f->alloc(f->ctx, room);
    if (!bigger)
        return false;
    if (d->data) {
        memcpy(bigger, d->data, d->room);
        f->free(f->ctx, d->data);
    }
    f->bytes += room - d->room;
    d->data = bigger;
    d->room = room;
    return true;
}

static uint8_t *finish(struct frag *f, struct frag_datagram *d, size_t *whole_len)
{
    size_t total = (size_t)d->header_len + d->total;
    uint8_t *whole = f->alloc(f->ctx, total);
    if (whole) {
        memcpy(whole, d->header, d->header_len);
        memcpy(whole + d->header_len, d->data, d->total);
        whole[2] = (uint8_t)(total >> 8);
        whole[3] = (uint8_t)total;
        whole[6] = whole[7] = whole[10] = whole[11] = 0;
        uint16_t sum = csum_finish(csum_bytes(0, whole, d->header_len));
        memcpy(whole + 10, &sum, 2);
        *whole_len = total;
        f->done++;
    }
    drop(f, d);
    return whole;
}

uint8_t *frag_input(struct frag *f, const uint8_t *p, size_t len, uint64_t now_ns, size_t *whole_len)
{
    uint8_t key[11];

    f->in++;
    size_t hlen = len >= 20 ? (size_t)(p[0] & 15) * 4 : 0;
    size_t total = len >= 20 ? (size_t)(p[2] << 8 | p[3]) : 0;
    if (hlen < 20 || total < hlen || total > len || p[0] >> 4 != 4) {
        f->bad++;
        return NULL;
    }
    uint32_t start = (uint32_t)((p[6] & 0x1f) << 8 | p[7]) * 8;
    uint32_t bytes = (uint32_t)(total - hlen), end = start + bytes;
    bool more = p[6] & 0x20;
    /* Only the last piece may have an odd size, and the whole must fit. */
    if (bytes == 0 || (more && bytes % 8) || end + hlen > 65535 || (start == 0 && !more)) {
        f->bad++;
        return NULL;
    }
    memcpy(key, p + 12, 8);
    key[8] = p[9];
    memcpy(key + 9, p + 4, 2);
    struct frag_datagram *d = find_or_take(f, key, now_ns);
    if (!d)
        return NULL;
    bool past_end = d->total && (!more || end > d->total);
    for (unsigned i = 0; i < d->npieces; i++) {
        past_end |= !more && d->piece[i].end > end;
        if (d->piece[i].start == start && d->piece[i].end == end)
            return NULL; /* a duplicate is no overlap */
        if (start < d->piece[i].end && d->piece[i].start < end) {
            f->overlaps++; /* C-NETD-4 */
            drop(f, d);
            return NULL;
        }
    }
    if (past_end || d->npieces == FRAG_PIECES_MAX || !make_room(f, d, end)) {
        f->bad++;
        drop(f, d);
        return NULL;
    }
    memcpy(d->data + start, p + hlen, bytes);
    d->piece[d->npieces++] = (struct frag_piece){start, end};
    d->have += bytes;
    if (!more)
        d->total = end;
    if (start == 0) {
        memcpy(d->header, p, hlen);
        d->header_len = (uint8_t)hlen;
    }
    /* No overlaps and nothing past the end, so the byte counts agree only when every byte is there. */
    if (d->total && d->have == d->total && d->header_len)
        return finish(f, d, whole_len);
    return NULL;
}

/* Without the first piece there is nothing to quote, and nothing is said. */
static void tell_expired(struct frag *f, const struct frag_datagram *d)
{
    uint8_t quote[FRAG_QUOTE_MAX];

    if (!f->expired || !d->header_len)
        return;
    memcpy(quote, d->header, d->header_len);
    memcpy(quote + d->header_len, d->data, 8); /* a piece that others follow has as many */
    f->expired(f->ctx, quote, d->header_len + 8u);
}

void frag_run(struct frag *f, uint64_t now_ns)
{
    for (unsigned i = 0; i < FRAG_DATAGRAMS; i++)
        if (f->datagram[i].used && f->datagram[i].expiry_ns <= now_ns) {
            f->timeouts++;
            tell_expired(f, &f->datagram[i]); /* C-NETD-7 */
            drop(f, &f->datagram[i]);
        }
}

uint64_t frag_deadline(const struct frag *f)
{
    uint64_t d = UINT64_MAX;
    if (f->bytes == 0)
        return d;
    for (unsigned i = 0; i < FRAG_DATAGRAMS; i++)
        if (f->datagram[i].used && f->datagram[i].expiry_ns < d)
            d = f->datagram[i].expiry_ns;
    return d;
}
