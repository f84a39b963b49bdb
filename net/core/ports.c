/* SPDX-License-Identifier: MIT
 *
 * net/core/ports.c: the port registry's tables and look-ups.
 *
 * Owns: the pages of cells, the stacks, the entries and their groups. Policy (who
 * may register what) is register.c's. Context and lock: as in net/core/core.h.
 */
#include <net/core/ports.h>
#include <slipway/siphash.h>

/* Each family has numbers of its own, so that a server of both costs neither a longer
 * look-up. */
enum { PROTO_TCP, PROTO_UDP, PROTO_ICMP, PROTO_TCP6, PROTO_UDP6, PROTO_ICMP6, PROTOS };

struct port_page {
    uint16_t cell[256];
};
struct port_stack {
    uint16_t free_next; /* id_table's */
    uint16_t n;
    uint16_t id[STACK_MAX]; /* most specific first */
};

static struct {
    struct port_page *page[PROTOS][256];
    struct id_table entries, stacks;
    uint32_t count; /* entries in use */
    uint64_t nth_cursor;
    uint16_t nth_id; /* where port_nth(nth_cursor) was found */
} ports;

static inline int proto_index(uint8_t family, uint8_t proto)
{
    int six = family == NET_INET6 ? PROTO_TCP6 : 0;

    if (proto == NET_TCP)
        return six + PROTO_TCP;
    if (proto == NET_UDP)
        return six + PROTO_UDP;
    return proto == (six ? NET_ICMP6 : NET_ICMP) ? six + PROTO_ICMP : -1;
}

void ports_init(void)
{
    __builtin_memset(&ports, 0, sizeof(ports));
    id_table_init(&ports.entries, sizeof(struct port_entry));
    id_table_init(&ports.stacks, sizeof(struct port_stack));
}

void ports_fini(void)
{
    for (unsigned i = 0; i < PROTOS; i++)
        for (unsigned j = 0; j < 256; j++)
            nc_free(ports.page[i][j]);
    id_table_fini(&ports.entries);
    id_table_fini(&ports.stacks);
    __builtin_memset(&ports, 0, sizeof(ports));
}

static struct port_entry *entry_at(uint16_t id)
{
    return id_at(&ports.entries, id);
}
static struct port_stack *stack_at(uint16_t id)
{
    return id_at(&ports.stacks, id & ~CELL_STACK);
}

/* --- keys ------------------------------------------------------------------------------ */

bool port_key_valid(const struct net_port_key *k)
{
    if ((k->family != NET_INET && k->family != NET_INET6) || proto_index(k->family, k->proto) < 0)
        return false;
    if (k->link != LINK_ANY && link_by_index(k->link) == NULL)
        return false;
    if (k->port_lo == 0 && k->port_hi != 0)
        return false;
    return k->port_lo <= k->port_hi;
}

bool port_key_equal(const struct net_port_key *a, const struct net_port_key *b)
{
    return a->family == b->family && a->proto == b->proto && a->link == b->link && a->port_lo == b->port_lo &&
           a->port_hi == b->port_hi && addr_equal(&a->addr, &b->addr);
}

/* Is there a packet that both keys would take? */
bool port_key_overlaps(const struct net_port_key *a, const struct net_port_key *b)
{
    return a->family == b->family && a->proto == b->proto && a->port_lo <= b->port_hi &&
           b->port_lo <= a->port_hi && (a->link == LINK_ANY || b->link == LINK_ANY || a->link == b->link) &&
           (addr_is_any(&a->addr) || addr_is_any(&b->addr) || addr_equal(&a->addr, &b->addr));
}

static uint8_t key_score(const struct net_port_key *k)
{
    return (uint8_t)((addr_is_any(&k->addr) ? 0 : 4) + (k->link == LINK_ANY ? 0 : 2) +
                     (k->port_lo == k->port_hi));
}

/* Keyed by the boot secret: a restarted owner gets the same one. `name` goes in
 * where the number is not bound to a manifest line, so that another program that
 * comes by the same ephemeral port later does not learn its predecessor's. */
void port_secret(const void *key, size_t bytes, const char *name, uint8_t out[NET_SECRET_BYTES])
{
    uint8_t input[1 + sizeof(struct net_flow_key) + NAME_MAX_BYTES] = {0};
    size_t n = 1 + bytes;

    __builtin_memcpy(input + 1, key, bytes);
    for (unsigned i = 0; i < NAME_MAX_BYTES && name[i] != 0; i++)
        input[n + i] = (uint8_t)name[i];
    for (unsigned half = 0; half < 2; half++) {
        input[0] = (uint8_t)half;
        uint64_t h = siphash24(core.boot_secret, input, n + NAME_MAX_BYTES); /* C-REG-4 */
        __builtin_memcpy(out + 8 * half, &h, 8);
    }
}

/* --- look-up ------------------------------------------------------------------------------ */

static inline bool entry_takes(const struct port_entry *e, uint16_t link, const struct net_addr *laddr)
{
    return (e->key.link == LINK_ANY || e->key.link == link) &&
           (e->addr_any || addr_equal(&e->key.addr, laddr));
}

struct port_entry *port_lookup(uint8_t family, uint8_t proto, uint16_t link, const struct net_addr *laddr,
                               uint16_t lport)
{
    int pi = proto_index(family, proto);
    const struct port_page *page = pi < 0 ? NULL : ports.page[pi][lport >> 8];
    uint16_t cell;

    if (page == NULL || (cell = page->cell[lport & 255]) == 0)
        return NULL;
    if ((cell & CELL_STACK) == 0) {
        struct port_entry *e = entry_at(cell);
        return entry_takes(e, link, laddr) ? e : NULL;
    }
    const struct port_stack *s = stack_at(cell);
    for (unsigned i = 0; i < s->n; i++) {
        struct port_entry *e = entry_at(s->id[i]);
        if (entry_takes(e, link, laddr))
            return e;
    }
    return NULL;
}

/* Highest random weight: when a member joins or leaves, only the flows that
 * move to it or away from it change places. */
struct net_endpoint *port_choose(const struct port_entry *e, const struct packet *p)
{
    const struct port_member *m = e->members, *best = m;
    uint64_t h, top = 0;

    if (m == NULL)
        return NULL;
    if (e->nmembers == 1)
        return m->endpoint;
    h = flow_hash(p);
    for (; m != NULL; m = m->next) {
        uint64_t w = (h ^ m->salt) * 0x9e3779b97f4a7c15ull;
        w ^= w >> 29;
        w *= 0xbf58476d1ce4e5b9ull;
        w ^= w >> 32;
        if (w >= top) {
            top = w;
            best = m;
        }
    }
    return best->endpoint;
}

bool port_has_owner(const struct port_entry *e, const struct nc_owner *o)
{
    for (const struct port_member *m = e->members; m != NULL; m = m->next)
        if (m->endpoint->owner == o)
            return true;
    return false;
}

struct port_entry *port_by_id(uint32_t id)
{
    uint16_t index = (uint16_t)id;

    if (index == 0 || (index & FLOW_ID) != 0 || index >= ports.entries.fresh)
        return NULL;
    struct port_entry *e = entry_at(index);
    return e->state != PORT_FREE && e->generation == id >> 16 ? e : NULL;
}

/* Calls fn for each entry that covers `port` until it says stop. */
static struct port_entry *cell_find(const struct net_port_key *k, uint16_t port,
                                    bool (*fn)(const struct port_entry *e, const struct net_port_key *k))
{
    const struct port_page *page = ports.page[proto_index(k->family, k->proto)][port >> 8];
    uint16_t cell = page == NULL ? 0 : page->cell[port & 255];

    if (cell == 0)
        return NULL;
    if ((cell & CELL_STACK) == 0)
        return fn(entry_at(cell), k) ? entry_at(cell) : NULL;
    for (unsigned i = 0; i < stack_at(cell)->n; i++)
        if (fn(entry_at(stack_at(cell)->id[i]), k))
            return entry_at(stack_at(cell)->id[i]);
    return NULL;
}

static bool is_equal(const struct port_entry *e, const struct net_port_key *k)
{
    return port_key_equal(&e->key, k);
}

struct port_entry *port_by_key(const struct net_port_key *k, uint8_t state)
{
    struct port_entry *e = cell_find(k, k->port_lo, is_equal);

    return e != NULL && e->state == state ? e : NULL;
}

static bool overlaps(const struct port_entry *e, const struct net_port_key *k)
{
    return port_key_overlaps(&e->key, k);
}

bool port_number_taken(const struct net_port_key *k)
{
    return cell_find(k, k->port_lo, overlaps) != NULL;
}

/* Every entry that overlaps k, each at least once, until fn returns nonzero. */
int port_each_overlap(const struct net_port_key *k, int (*fn)(struct port_entry *e, void *ctx), void *ctx)
{
    for (uint32_t port = k->port_lo; port <= k->port_hi; port++) {
        const struct port_page *page = ports.page[proto_index(k->family, k->proto)][port >> 8];

        if (page == NULL) {
            port |= 255;
            continue;
        }
        uint16_t cell = page->cell[port & 255];
        unsigned n = cell == 0 ? 0 : (cell & CELL_STACK) == 0 ? 1 : stack_at(cell)->n;
        for (unsigned i = 0; i < n; i++) {
            struct port_entry *e = entry_at((cell & CELL_STACK) == 0 ? cell : stack_at(cell)->id[i]);
            int r = port_key_overlaps(&e->key, k) ? fn(e, ctx) : 0;

            if (r != 0)
                return r;
        }
    }
    return 0;
}

uint32_t ports_count(void)
{
    return ports.count;
}

/* n-th entry in use, for listings. Remembers where the last one was. */
struct port_entry *port_nth(uint64_t cursor)
{
    uint64_t seen = 0;
    uint32_t id = 1;

    if (ports.nth_id != 0 && cursor > ports.nth_cursor) {
        seen = ports.nth_cursor + 1;
        id = ports.nth_id + 1u;
    }
    for (; id < ports.entries.fresh; id++) {
        struct port_entry *e = entry_at((uint16_t)id);

        if (e->state == PORT_FREE || seen++ != cursor)
            continue;
        ports.nth_cursor = cursor;
        ports.nth_id = (uint16_t)id;
        return e;
    }
    return NULL;
}

/* --- binding entries to numbers ---------------------------------------------------------------- */

static void stack_insert(struct port_stack *s, const struct port_entry *e)
{
    unsigned i = s->n++;

    for (; i > 0 && entry_at(s->id[i - 1])->score < e->score; i--)
        s->id[i] = s->id[i - 1];
    s->id[i] = e->id;
}

static int cell_insert(uint16_t *cell, const struct port_entry *e)
{
    if (*cell == 0) {
        *cell = e->id;
        return 0;
    }
    if ((*cell & CELL_STACK) == 0) {
        uint16_t id = id_alloc(&ports.stacks);

        if (id == 0)
            return -ENOMEM;
        stack_at(id)->n = 0;
        stack_insert(stack_at(id), entry_at(*cell));
        *cell = id | CELL_STACK;
    }
    if (stack_at(*cell)->n == STACK_MAX)
        return -ENOSPC;
    stack_insert(stack_at(*cell), e);
    return 0;
}

static void cell_remove(uint16_t *cell, uint16_t id)
{
    if (*cell == id) {
        *cell = 0;
        return;
    }
    if ((*cell & CELL_STACK) == 0)
        return;
    struct port_stack *s = stack_at(*cell);
    unsigned i = 0;
    while (i < s->n && s->id[i] != id)
        i++;
    if (i == s->n)
        return;
    for (s->n--; i < s->n; i++)
        s->id[i] = s->id[i + 1];
    if (s->n == 1) {
        uint16_t stack = *cell & (uint16_t)~CELL_STACK;

        *cell = s->id[0];
        id_free(&ports.stacks, stack);
    }
}

static void unbind(const struct port_entry *e, uint32_t end)
{
    for (uint32_t port = e->key.port_lo; port < end; port++) {
        struct port_page *page = ports.page[proto_index(e->key.family, e->key.proto)][port >> 8];
        if (page != NULL)
            cell_remove(&page->cell[port & 255], e->id);
    }
}

static int bind_range(const struct port_entry *e)
{
    for (uint32_t port = e->key.port_lo; port <= e->key.port_hi; port++) {
        struct port_page **page = &ports.page[proto_index(e->key.family, e->key.proto)][port >> 8];
        int r = -ENOMEM;

        if (*page == NULL)
            *page = nc_alloc(sizeof(**page));
        if (*page != NULL)
            r = cell_insert(&(*page)->cell[port & 255], e);
        if (r != 0) {
            unbind(e, port); /* C-REG-10 */
            return r;
        }
    }
    return 0;
}

int port_new_entry(const struct net_port_key *k, struct port_entry **out)
{
    uint16_t id = id_alloc(&ports.entries), generation;
    struct port_entry *e;
    int r;

    if (id == 0)
        return -ENOMEM;
    e = entry_at(id);
    generation = (uint16_t)(e->generation + 1);
    __builtin_memset(e, 0, sizeof(*e));
    e->id = id;
    e->generation = generation;
    e->key = *k;
    e->addr_any = addr_is_any(&k->addr);
    e->score = key_score(k);
    r = bind_range(e);
    if (r != 0) {
        id_free(&ports.entries, id);
        return r;
    }
    e->state = PORT_LIVE;
    ports.count++;
    *out = e;
    return 0;
}

void port_free_entry(struct port_entry *e)
{
    unbind(e, e->key.port_hi + 1u);
    e->state = PORT_FREE;
    ports.count--;
    ports.nth_id = 0;
    id_free(&ports.entries, e->id);
}

/* --- groups -------------------------------------------------------------------------------------- */

int port_join(struct port_entry *e, struct net_endpoint *ep)
{
    struct port_member *m;

    if (e->nmembers == GROUP_MAX || ep->owner->registrations == OWNER_REGISTRATIONS_MAX)
        return -ENOSPC;
    m = nc_alloc(sizeof(*m));
    if (m == NULL)
        return -ENOMEM;
    nc_random(&m->salt, sizeof(m->salt));
    m->endpoint = ep;
    m->entry = e;
    m->next = e->members;
    e->members = m;
    e->nmembers++;
    ep->owner->registrations++;
    m->ep_next = ep->members;
    m->ep_prev = &ep->members;
    if (ep->members != NULL)
        ep->members->ep_prev = &m->ep_next;
    ep->members = m;
    return 0;
}

/* Takes the member out of both lists; the entry may be left without any. */
void port_part(struct port_member *m)
{
    struct port_member **p = &m->entry->members;

    while (*p != m)
        p = &(*p)->next;
    *p = m->next;
    m->entry->nmembers--;
    m->endpoint->owner->registrations--;
    if (m->ep_next != NULL)
        m->ep_next->ep_prev = m->ep_prev;
    *m->ep_prev = m->ep_next;
    nc_free(m);
}
