/* SPDX-License-Identifier: MIT
 *
 * net/stack/buf.c: queues of received bytes.
 *
 * Owns: chunks of 2 KiB, taken when bytes arrive and given back when they are
 * read, so that an idle socket holds none; a few stay in a list for the next.
 * Called by: TCP and datagram input, socket reads. Context: see netstack.h.
 *
 * Neighbouring chunks are never both mostly empty: bytes that fit behind the
 * last chunk's end are copied there, so tiny segments cannot eat memory out of
 * proportion to the window.
 */
#include <net/stack/ns.h>

static struct chunk *chunk_get(struct netstack *ns)
{
    struct chunk *c = ns->chunk_free;

    if (c != NULL) {
        ns->chunk_free = c->next;
        ns->chunk_nfree--;
    } else if ((c = ns_alloc(ns, sizeof(*c))) == NULL) {
        return NULL;
    }
    c->next = NULL;
    c->off = c->len = 0;
    return c;
}

static void chunk_put(struct netstack *ns, struct chunk *c)
{
    if (ns->chunk_nfree >= CHUNKS_KEPT) {
        ns_free(ns, c);
        return;
    }
    c->next = ns->chunk_free;
    ns->chunk_free = c;
    ns->chunk_nfree++;
}

static uint32_t chunk_room(const struct chunk *c)
{
    return CHUNK_BYTES - c->off - c->len;
}

static void chunk_append(struct chunk *c, const uint8_t *p, uint32_t n)
{
    memcpy(c->data + c->off + c->len, p, n);
    c->len = (uint16_t)(c->len + n);
}

/* Link empty chunks behind the tail until n more bytes have room. All or nothing. */
static bool reserve(struct netstack *ns, struct bufq *q, uint32_t n)
{
    uint32_t have = q->tail != NULL ? chunk_room(q->tail) : 0;
    struct chunk **end = q->tail != NULL ? &q->tail->next : &q->head;

    for (struct chunk **e = end; have < n; have += CHUNK_BYTES) {
        struct chunk *c = chunk_get(ns);
        if (c == NULL) {
            while ((c = *end) != NULL) {
                *end = c->next;
                chunk_put(ns, c);
            }
            return false;
        }
        *e = c;
        e = &c->next;
    }
    if (q->tail == NULL)
        q->tail = q->head;
    return true;
}

static void fill(struct bufq *q, const uint8_t *p, uint32_t n)
{
    q->bytes += n;
    while (n > 0) {
        uint32_t take = chunk_room(q->tail);
        if (take == 0) {
            q->tail = q->tail->next;
            continue;
        }
        if (take > n)
            take = n;
        chunk_append(q->tail, p, take);
        p += take;
        n -= take;
    }
}

/* Nearly always all of it goes behind the tail, or into one fresh chunk. */
static struct chunk *one_chunk(struct netstack *ns, struct bufq *q, uint32_t n)
{
    struct chunk *c = q->tail;

    if (c != NULL)
        return chunk_room(c) >= n ? c : NULL;
    if (n > CHUNK_BYTES || (c = chunk_get(ns)) == NULL)
        return NULL;
    q->head = q->tail = c;
    return c;
}

bool bufq_put(struct netstack *ns, struct bufq *q, const void *data, uint32_t n)
{
    struct chunk *c;

    if (n == 0)
        return true;
    if ((c = one_chunk(ns, q, n)) != NULL) {
        chunk_append(c, (const uint8_t *)data, n);
        q->bytes += n;
        return true;
    }
    if (!reserve(ns, q, n))
        return false;
    fill(q, (const uint8_t *)data, n);
    return true;
}

bool bufq_early_put(struct netstack *ns, struct bufq *q, struct bufq_early *e, const void *data, uint32_t n,
                    uint64_t *sum)
{
    const uint8_t *p = (const uint8_t *)data;
    struct chunk *c = q->tail;
    uint32_t first = c != NULL ? chunk_room(c) : 0;

    if (first > n)
        first = n;
    e->first = first;
    e->fresh = NULL;
    if (first < n && (e->fresh = chunk_get(ns)) == NULL)
        return false;
    if (first != 0)
        *sum = csum_copy(*sum, c->data + c->off + c->len, p, first);
    if (e->fresh != NULL) {
        uint64_t rest = csum_copy(0, e->fresh->data, p + first, n - first);
        *sum = csum_add(*sum, first & 1 ? csum_odd(rest) : rest);
        e->fresh->len = (uint16_t)(n - first);
    }
    return true;
}

void bufq_early_keep(struct bufq *q, struct bufq_early *e)
{
    struct chunk *c = e->fresh;

    if (e->first != 0)
        q->tail->len = (uint16_t)(q->tail->len + e->first);
    q->bytes += e->first;
    if (c == NULL)
        return;
    q->bytes += c->len;
    if (q->tail != NULL)
        q->tail->next = c;
    else
        q->head = c;
    q->tail = c;
    e->fresh = NULL;
}

void bufq_early_drop(struct netstack *ns, struct bufq_early *e)
{
    if (e->fresh != NULL)
        chunk_put(ns, e->fresh);
    e->fresh = NULL;
}

bool bufq_put_dgram(struct netstack *ns, struct bufq *q, const struct dgram_head *head, const void *data,
                    uint32_t n)
{
    struct chunk *c = one_chunk(ns, q, (uint32_t)sizeof(*head) + n);

    if (c != NULL) {
        __builtin_memcpy(c->data + c->off + c->len, head, sizeof(*head));
        c->len = (uint16_t)(c->len + sizeof(*head));
        chunk_append(c, (const uint8_t *)data, n);
        q->bytes += (uint32_t)sizeof(*head) + n;
        return true;
    }
    if (!reserve(ns, q, (uint32_t)sizeof(*head) + n))
        return false;
    fill(q, (const uint8_t *)head, sizeof(*head));
    fill(q, (const uint8_t *)data, n);
    return true;
}

uint32_t bufq_peek(const struct bufq *q, uint32_t skip, void *dst, uint32_t n)
{
    uint8_t *out = (uint8_t *)dst;
    uint32_t done = 0;

    for (const struct chunk *c = q->head; c != NULL && done < n; c = c->next) {
        if (skip >= c->len) {
            skip -= c->len;
            continue;
        }
        uint32_t take = c->len - skip;
        if (take > n - done)
            take = n - done;
        memcpy(out + done, c->data + c->off + skip, take);
        done += take;
        skip = 0;
    }
    return done;
}

void bufq_drop(struct netstack *ns, struct bufq *q, uint32_t n)
{
    q->bytes -= n;
    while (q->head != NULL) {
        struct chunk *c = q->head;
        uint32_t take = n < c->len ? n : c->len;
        c->off = (uint16_t)(c->off + take);
        c->len = (uint16_t)(c->len - take);
        n -= take;
        if (c->len != 0)
            return;
        q->head = c->next;
        if (q->head == NULL)
            q->tail = NULL;
        chunk_put(ns, c);
    }
}

uint32_t bufq_get(struct netstack *ns, struct bufq *q, void *dst, uint32_t n)
{
    struct chunk *c = q->head;

    if (c != NULL && n < c->len) { /* part of the first chunk */
        memcpy(dst, c->data + c->off, n);
        c->off = (uint16_t)(c->off + n);
        c->len = (uint16_t)(c->len - n);
        q->bytes -= n;
        return n;
    }
    if (c != NULL && c->next == NULL) { /* all there is */
        n = c->len;
        memcpy(dst, c->data + c->off, n);
        q->head = q->tail = NULL;
        q->bytes = 0;
        chunk_put(ns, c);
        return n;
    }
    n = bufq_peek(q, 0, dst, n);
    if (n != 0)
        bufq_drop(ns, q, n);
    return n;
}

void bufq_splice(struct netstack *ns, struct bufq *to, struct bufq *from)
{
    if (from->head == NULL)
        return;
    if (to->tail != NULL && from->bytes <= chunk_room(to->tail)) {
        for (struct chunk *c = from->head; c != NULL; c = c->next)
            chunk_append(to->tail, c->data + c->off, c->len);
        to->bytes += from->bytes;
        bufq_free(ns, from);
        return;
    }
    if (to->tail != NULL)
        to->tail->next = from->head;
    else
        to->head = from->head;
    to->tail = from->tail;
    to->bytes += from->bytes;
    from->head = from->tail = NULL;
    from->bytes = 0;
}

void bufq_free(struct netstack *ns, struct bufq *q)
{
    while (q->head != NULL) {
        struct chunk *c = q->head;
        q->head = c->next;
        chunk_put(ns, c);
    }
    q->tail = NULL;
    q->bytes = 0;
}
