/* SPDX-License-Identifier: MIT
 *
 * net/stack/dns_cache.c: see net/stack/dns_cache.h.
 */
#include <net/stack/dns_cache.h>
#include <string.h>

#define NS_PER_S 1000000000ull

struct dns_entry {
    struct dns_entry *next;          /* of the bucket */
    struct dns_entry *newer, *older; /* by use */
    uint64_t expiry_ns;
    size_t bytes;
    uint16_t type;
    uint8_t kind, rcode, naddrs, hops;
    uint8_t name_len, canonical_len, pointer_len; /* data: these names, then addresses of 16 bytes */
    uint8_t data[];
};

void dns_cache_init(struct dns_cache *c, void *ctx, void *(*alloc)(void *, size_t),
                    void (*release)(void *, void *))
{
    memset(c, 0, sizeof(*c));
    c->ctx = ctx;
    c->alloc = alloc;
    c->free = release;
}

static struct dns_entry **bucket_of(struct dns_cache *c, const struct dns_name *name, uint16_t type)
{
    uint32_t h = 2166136261u ^ type; /* FNV-1a: long chains cost little, the whole is bounded */
    for (unsigned i = 0; i < name->len; i++)
        h = (h ^ name->b[i]) * 16777619u;
    return &c->bucket[(h ^ h >> 16) % DNS_CACHE_BUCKETS];
}

static void unlink_use(struct dns_cache *c, struct dns_entry *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void link_newest(struct dns_cache *c, struct dns_entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static void drop(struct dns_cache *c, struct dns_entry *e)
{
    struct dns_name name = {.len = e->name_len};
    memcpy(name.b, e->data, e->name_len);
    struct dns_entry **at = bucket_of(c, &name, e->type);

    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    unlink_use(c, e);
    c->bytes -= e->bytes;
    c->entries--;
    c->free(c->ctx, e);
}

static struct dns_entry *find(struct dns_cache *c, const struct dns_name *name, uint16_t type)
{
    for (struct dns_entry *e = *bucket_of(c, name, type); e; e = e->next)
        if (e->type == type && e->name_len == name->len && memcmp(e->data, name->b, name->len) == 0)
            return e;
    return NULL;
}

void dns_cache_put(struct dns_cache *c, const struct dns_name *name, uint16_t type,
                   const struct dns_result *r, uint64_t now_ns)
{
    struct dns_entry *e = find(c, name, type);
    size_t names = (size_t)name->len + r->canonical.len + r->pointer.len;
    size_t bytes = sizeof(*e) + names + r->naddrs * 16u;

    if (e)
        drop(c, e);
    if (r->ttl_s == 0 || (r->kind != DNS_IS_DATA && r->kind != DNS_IS_NODATA && r->kind != DNS_IS_NONAME))
        return;
    while (c->oldest && c->bytes + bytes > DNS_CACHE_BYTES) { /* C-DNS-5 */
        c->evicted++;
        drop(c, c->oldest);
    }
    e = c->alloc(c->ctx, bytes);
    if (!e)
        return;
    e->bytes = bytes;
    e->type = type;
    e->kind = r->kind;
    e->rcode = r->rcode;
    e->hops = r->hops;
    e->naddrs = r->naddrs;
    e->name_len = name->len;
    e->canonical_len = r->canonical.len;
    e->pointer_len = r->pointer.len;
    e->expiry_ns = now_ns + r->ttl_s * NS_PER_S;
    memcpy(e->data, name->b, name->len);
    memcpy(e->data + name->len, r->canonical.b, r->canonical.len);
    memcpy(e->data + name->len + r->canonical.len, r->pointer.b, r->pointer.len);
    memcpy(e->data + names, r->addr, r->naddrs * 16u);
    struct dns_entry **b = bucket_of(c, name, type);
    e->next = *b;
    *b = e;
    link_newest(c, e);
    c->bytes += bytes;
    c->entries++;
}

bool dns_cache_get(struct dns_cache *c, const struct dns_name *name, uint16_t type, uint64_t now_ns,
                   struct dns_result *r)
{
    struct dns_entry *e = find(c, name, type);

    if (e && e->expiry_ns <= now_ns) {
        drop(c, e);
        e = NULL;
    }
    if (!e) {
        c->misses++;
        return false;
    }
    c->hits++;
    unlink_use(c, e);
    link_newest(c, e);
    r->kind = e->kind;
    r->rcode = e->rcode;
    r->hops = e->hops;
    r->naddrs = e->naddrs;
    r->ttl_s = (uint32_t)((e->expiry_ns - now_ns + NS_PER_S - 1) / NS_PER_S);
    r->canonical.len = e->canonical_len;
    memcpy(r->canonical.b, e->data + e->name_len, e->canonical_len);
    r->pointer.len = e->pointer_len;
    memcpy(r->pointer.b, e->data + e->name_len + e->canonical_len, e->pointer_len);
    memcpy(r->addr, e->data + e->name_len + e->canonical_len + e->pointer_len, e->naddrs * 16u);
    return true;
}

void dns_cache_flush(struct dns_cache *c)
{
    while (c->oldest)
        drop(c, c->oldest);
}
