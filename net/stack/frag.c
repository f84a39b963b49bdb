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
static struct frag_datagram *find_or_take(struct frag *f, const uint8_t key[FRAG_KEY], uint64_t now_ns)
{
    struct frag_datagram *spare = NULL, *oldest = NULL, *own = NULL;
    unsigned same_source = 0;
    for (unsigned i = 0; i < FRAG_DATAGRAMS; i++) {
        struct frag_datagram *d = &f->datagram[i];
        if (!d->used) {
            spare = d;
            continue;
        }
        if (memcmp(d->key, key, FRAG_KEY) == 0)
            return d;
        if (!oldest || d->expiry_ns < oldest->expiry_ns)
            oldest = d;
        if (memcmp(d->key, key, 17) != 0)
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
    memcpy(spare->key, key, FRAG_KEY);
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

/* --- the two headers ---------------------------------------------------------- */

struct part { /* of a fragment */
    uint8_t key[FRAG_KEY];
    const uint8_t *header, *data;
    uint32_t header_len, start, bytes;
    uint8_t next_at;
    bool more, whole; /* whole: an "atomic" fragment (RFC 6946), alone */
};

static bool parse4(const uint8_t *p, size_t len, struct part *t)
{
    size_t hlen = len >= 20 ? (size_t)(p[0] & 15) * 4 : 0;
    size_t total = len >= 20 ? (size_t)(p[2] << 8 | p[3]) : 0;

    if (hlen < 20 || total < hlen || total > len)
        return false;
    t->key[0] = 4;
    memcpy(t->key + 1, p + 12, 4);
    memcpy(t->key + 17, p + 16, 4);
    t->key[33] = p[9];
    memcpy(t->key + 34, p + 4, 2);
    t->header = p;
    t->header_len = (uint32_t)hlen;
    t->data = p + hlen;
    t->start = (uint32_t)((p[6] & 0x1f) << 8 | p[7]) * 8;
    t->bytes = (uint32_t)(total - hlen);
    t->more = p[6] & 0x20;
    return t->start + t->bytes + hlen <= 65535 && (t->start != 0 || t->more);
}

/* What may stand before a fragment header: hop-by-hop options, routing, options. */
static bool parse6(const uint8_t *p, size_t len, struct part *t)
{
    size_t end = len >= 40 ? 40 + (size_t)(p[4] << 8 | p[5]) : 0, at = 40, next_at = 6;

    if (end == 0 || end > len)
        return false;
    while (p[next_at] != 44) {
        if ((p[next_at] != 0 && p[next_at] != 43 && p[next_at] != 60) || at + 8 > end)
            return false;
        next_at = at;
        at += ((size_t)p[at + 1] + 1) * 8;
        if (at + 8 > FRAG_HEADER_MAX)
            return false;
    }
    if (at + 8 > end)
        return false;
    t->key[0] = 6; /* RFC 8200: the next header is no part of it */
    memcpy(t->key + 1, p + 8, 32);
    memcpy(t->key + 34, p + at + 4, 4);
    t->header = p;
    t->header_len = (uint32_t)at + 8;
    t->next_at = (uint8_t)next_at;
    t->data = p + at + 8;
    t->start = (uint32_t)(p[at + 2] << 8 | p[at + 3]) & ~7u;
    t->bytes = (uint32_t)(end - at - 8);
    t->more = p[at + 3] & 1;
    t->whole = t->start == 0 && !t->more;
    return t->start + t->bytes + at - 40 <= 65535;
}

static void set_length4(uint8_t *whole, size_t hlen, size_t total)
{
    whole[2] = (uint8_t)(total >> 8);
    whole[3] = (uint8_t)total;
    whole[6] = whole[7] = whole[10] = whole[11] = 0;
    uint16_t sum = csum_finish(csum_bytes(0, whole, hlen));
    memcpy(whole + 10, &sum, 2);
}

/* The header as if there had been no fragments, then the data. */
static uint8_t *join(struct frag *f, const uint8_t *header, size_t hlen, size_t next_at, const uint8_t *data,
                     size_t bytes, size_t *whole_len)
{
    bool six = header[0] >> 4 == 6;
    size_t kept = six ? hlen - 8 : hlen, total = kept + bytes;
    uint8_t *whole = f->alloc(f->ctx, total);

    if (!whole)
        return NULL;
    memcpy(whole, header, kept);
    memcpy(whole + kept, data, bytes);
    if (six) {
        whole[next_at] = header[kept]; /* of the first fragment */
        whole[4] = (uint8_t)((total - 40) >> 8);
        whole[5] = (uint8_t)(total - 40);
    } else {
        set_length4(whole, hlen, total);
    }
    *whole_len = total;
    f->done++;
    return whole;
}

static uint8_t *finish(struct frag *f, struct frag_datagram *d, size_t *whole_len)
{
    uint8_t *whole = join(f, d->header, d->header_len, d->next_at, d->data, d->total, whole_len);
    drop(f, d);
    return whole;
}

/* Does it agree with what is here? False: the datagram, or this piece alone, goes. */
static bool fits_in(struct frag *f, struct frag_datagram *d, const struct part *t)
{
    uint32_t end = t->start + t->bytes;
    bool past_end = d->total && (!t->more || end > d->total);

    for (unsigned i = 0; i < d->npieces; i++) {
        past_end |= !t->more && d->piece[i].end > end;
        if (d->piece[i].start == t->start && d->piece[i].end == end)
            return false; /* a duplicate is no overlap */
        if (t->start < d->piece[i].end && d->piece[i].start < end) {
            f->overlaps++; /* C-NETD-4 */
            drop(f, d);
            return false;
        }
    }
    if (past_end || d->npieces == FRAG_PIECES_MAX || !make_room(f, d, end)) {
        f->bad++;
        drop(f, d);
        return false;
    }
    return true;
}

uint8_t *frag_input(struct frag *f, const uint8_t *p, size_t len, uint64_t now_ns, size_t *whole_len)
{
    struct part t;

    memset(&t, 0, sizeof(t));
    f->in++;
    /* Only the last piece may have an odd size, and the whole must fit. */
    if (len == 0 || !(p[0] >> 4 == 4 ? parse4(p, len, &t) : p[0] >> 4 == 6 && parse6(p, len, &t)) ||
        t.bytes == 0 || (t.more && t.bytes % 8)) {
        f->bad++;
        return NULL;
    }
    if (t.whole)
        return join(f, t.header, t.header_len, t.next_at, t.data, t.bytes, whole_len);
    struct frag_datagram *d = find_or_take(f, t.key, now_ns);
    if (!d || !fits_in(f, d, &t))
        return NULL;
    memcpy(d->data + t.start, t.data, t.bytes);
    d->piece[d->npieces++] = (struct frag_piece){t.start, t.start + t.bytes};
    d->have += t.bytes;
    if (!t.more)
        d->total = t.start + t.bytes;
    if (t.start == 0) {
        memcpy(d->header, t.header, t.header_len);
        d->header_len = (uint8_t)t.header_len;
        d->next_at = t.next_at;
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
