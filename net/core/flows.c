/* SPDX-License-Identifier: MIT
 *
 * net/core/flows.c: single connections that are delivered apart from their port.
 *
 * Owns: the flow table, a hash that grows with its load. A packet pays for it
 * only when some flow has its local port (or one that shares the filter's cell).
 * Context and lock: as in net/core/core.h.
 */
#include <net/core/ports.h>
#include <slipway/siphash.h>

#define FILTER      512u
#define BUCKETS_MIN 64u

uint32_t flows_count;
static struct {
    struct id_table table;
    uint16_t *bucket;
    uint32_t buckets;
    uint16_t filter[FILTER]; /* flows by protocol and local port */
    uint64_t nth_cursor;
    uint16_t nth_id;
} flows;

void flows_init(void)
{
    __builtin_memset(&flows, 0, sizeof(flows));
    id_table_init(&flows.table, sizeof(struct flow_entry));
    flows_count = 0;
}

void flows_fini(void)
{
    id_table_fini(&flows.table);
    nc_free(flows.bucket);
    __builtin_memset(&flows, 0, sizeof(flows));
    flows_count = 0;
}

static struct flow_entry *at(uint16_t id)
{
    return id_at(&flows.table, id);
}

static uint16_t *filter_cell(uint8_t proto, uint16_t port)
{
    return &flows.filter[(port ^ proto << 4) % FILTER];
}

bool flows_may_use_port(uint8_t proto, uint16_t port)
{
    return *filter_cell(proto, port) != 0;
}

/* Links play no part in the hash: almost every key is for any link. */
static uint64_t tuple_hash(uint8_t family, uint8_t proto, uint16_t lport, uint16_t rport,
                           const struct net_addr *laddr, const struct net_addr *raddr)
{
    uint8_t in[40];
    size_t a = family == NET_INET ? 4 : 16;

    in[0] = family;
    in[1] = proto;
    __builtin_memcpy(in + 2, &lport, 2);
    __builtin_memcpy(in + 4, &rport, 2);
    in[6] = in[7] = 0;
    __builtin_memcpy(in + 8, laddr->b, a);
    __builtin_memcpy(in + 8 + a, raddr->b, a);
    return siphash24(core.hash_secret, in, 8 + 2 * a);
}

uint64_t flow_hash(const struct packet *p)
{
    return tuple_hash(p->family, p->proto, p->lport, p->rport, &p->laddr, &p->raddr);
}

static uint64_t key_hash(const struct net_flow_key *k)
{
    return tuple_hash(k->family, k->proto, k->lport, k->rport, &k->laddr, &k->raddr);
}

bool flow_key_valid(const struct net_flow_key *k)
{
    return (k->family == NET_INET || k->family == NET_INET6) &&
           (k->proto == NET_TCP || k->proto == NET_UDP) &&
           (k->link == LINK_ANY || link_by_index(k->link) != NULL) && k->lport != 0 && k->rport != 0 &&
           !addr_is_any(&k->laddr) && !addr_is_any(&k->raddr);
}

bool flow_key_matches(const struct net_flow_key *k, const struct packet *p)
{
    return k->lport == p->lport && k->rport == p->rport && k->proto == p->proto && k->family == p->family &&
           (k->link == LINK_ANY || k->link == p->link->index) && addr_equal(&k->raddr, &p->raddr) &&
           addr_equal(&k->laddr, &p->laddr);
}

struct flow_entry *flow_lookup(const struct packet *p)
{
    uint64_t h;

    if (flows_count == 0 || *filter_cell(p->proto, p->lport) == 0)
        return NULL;
    h = flow_hash(p);
    for (uint16_t id = flows.bucket[h & (flows.buckets - 1)]; id != 0; id = at(id)->next)
        if (at(id)->hash == h && flow_key_matches(&at(id)->key, p))
            return at(id);
    return NULL;
}

struct flow_entry *flow_by_key(const struct net_flow_key *k)
{
    uint64_t h;

    if (flows_count == 0)
        return NULL;
    h = key_hash(k);
    for (uint16_t id = flows.bucket[h & (flows.buckets - 1)]; id != 0; id = at(id)->next) {
        const struct net_flow_key *f = &at(id)->key;

        if (at(id)->hash == h && f->lport == k->lport && f->rport == k->rport && f->proto == k->proto &&
            f->family == k->family && f->link == k->link && addr_equal(&f->laddr, &k->laddr) &&
            addr_equal(&f->raddr, &k->raddr))
            return at(id);
    }
    return NULL;
}

static bool in_use(const struct flow_entry *f)
{
    return f->endpoint != NULL;
}

struct flow_entry *flow_by_id(uint32_t id)
{
    uint16_t index = (uint16_t)(id & ~FLOW_ID);

    if ((id & FLOW_ID) == 0 || index == 0 || index >= flows.table.fresh)
        return NULL;
    return in_use(at(index)) && at(index)->generation == id >> 16 ? at(index) : NULL;
}

struct flow_entry *flow_nth(uint64_t cursor)
{
    uint64_t seen = 0;
    uint32_t id = 1;

    if (flows.nth_id != 0 && cursor > flows.nth_cursor) {
        seen = flows.nth_cursor + 1;
        id = flows.nth_id + 1u;
    }
    for (; id < flows.table.fresh; id++) {
        if (!in_use(at((uint16_t)id)) || seen++ != cursor)
            continue;
        flows.nth_cursor = cursor;
        flows.nth_id = (uint16_t)id;
        return at((uint16_t)id);
    }
    return NULL;
}

static bool grow(void)
{
    uint32_t n = flows.buckets == 0 ? BUCKETS_MIN : flows.buckets * 2;
    uint16_t *bucket = nc_alloc(n * sizeof(*bucket));

    if (bucket == NULL)
        return flows.buckets != 0; /* longer chains, until there is memory */
    for (uint32_t b = 0; b < flows.buckets; b++) {
        for (uint16_t id = flows.bucket[b], next; id != 0; id = next) {
            next = at(id)->next;
            at(id)->next = bucket[at(id)->hash & (n - 1)];
            bucket[at(id)->hash & (n - 1)] = id;
        }
    }
    nc_free(flows.bucket);
    flows.bucket = bucket;
    flows.buckets = n;
    return true;
}

static void attach(struct flow_entry *f, struct net_endpoint *e)
{
    f->endpoint = e;
    f->ep_next = e->flows;
    f->ep_prev = &e->flows;
    if (e->flows != NULL)
        e->flows->ep_prev = &f->ep_next;
    e->flows = f;
    e->owner->registrations++;
}

static void detach(struct flow_entry *f)
{
    f->offer.made = false;
    if (f->ep_next != NULL)
        f->ep_next->ep_prev = f->ep_prev;
    *f->ep_prev = f->ep_next;
    f->endpoint->owner->registrations--;
    f->endpoint = NULL;
}

/* A flow that exists moves to the endpoint. */
int flow_bind(const struct net_flow_key *k, struct net_endpoint *e, struct flow_entry **out)
{
    struct flow_entry *f = flow_by_key(k);
    uint16_t id, generation;

    if (f == NULL || f->endpoint->owner != e->owner)
        if (e->owner->registrations == OWNER_REGISTRATIONS_MAX)
            return -ENOSPC;
    if (f != NULL) {
        detach(f);
        attach(f, e);
        *out = f;
        return 0;
    }
    if (flows_count >= flows.buckets && !grow())
        return -ENOMEM;
    id = id_alloc(&flows.table);
    if (id == 0)
        return -ENOMEM;
    f = at(id);
    generation = (uint16_t)(f->generation + 1);
    __builtin_memset(f, 0, sizeof(*f));
    f->id = id;
    f->generation = generation;
    f->key = *k;
    f->hash = key_hash(k);
    f->next = flows.bucket[f->hash & (flows.buckets - 1)];
    flows.bucket[f->hash & (flows.buckets - 1)] = id;
    attach(f, e);
    (*filter_cell(k->proto, k->lport))++;
    flows_count++;
    *out = f;
    return 0;
}

void flow_free(struct flow_entry *f)
{
    uint16_t *p = &flows.bucket[f->hash & (flows.buckets - 1)];

    while (*p != f->id)
        p = &at(*p)->next;
    *p = f->next;
    detach(f);
    (*filter_cell(f->key.proto, f->key.lport))--;
    flows_count--;
    flows.nth_id = 0;
    id_free(&flows.table, f->id);
}

void flows_endpoint_closed(struct net_endpoint *e)
{
    while (e->flows != NULL)
        flow_free(e->flows);
}
