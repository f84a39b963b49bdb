/* SPDX-License-Identifier: MIT
 *
 * net/stack/dns_cache.h: answers of name servers for as long as they hold, the
 * negative ones too (RFC 2308).
 *
 * Owns: the entries: bounded in bytes, the least recently used goes first.
 * Who calls: dns.c. Pure code with an injected allocator. Context: one thread.
 */
#ifndef NET_STACK_DNS_CACHE_H
#define NET_STACK_DNS_CACHE_H

#include <net/stack/dns_wire.h>

#define DNS_CACHE_BYTES   (48u * 1024)
#define DNS_CACHE_BUCKETS 64

struct dns_entry;
struct dns_cache {
    void *ctx;
    void *(*alloc)(void *ctx, size_t bytes);
    void (*free)(void *ctx, void *p);
    struct dns_entry *bucket[DNS_CACHE_BUCKETS];
    struct dns_entry *newest, *oldest;
    size_t bytes;
    uint32_t entries;
    uint64_t hits, misses, evicted;
};

void dns_cache_init(struct dns_cache *c, void *ctx, void *(*alloc)(void *, size_t),
                    void (*release)(void *, void *));
/* Data, NODATA or NONAME with a time to live; anything else is left alone. */
void dns_cache_put(struct dns_cache *c, const struct dns_name *name, uint16_t type,
                   const struct dns_result *r, uint64_t now_ns);
/* False: not known, or no longer. ttl_s is what is left of it. */
bool dns_cache_get(struct dns_cache *c, const struct dns_name *name, uint16_t type, uint64_t now_ns,
                   struct dns_result *r);
void dns_cache_flush(struct dns_cache *c);

#endif
