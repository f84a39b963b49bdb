/* SPDX-License-Identifier: MIT
 *
 * net/core/endpoint.c: net endpoints: the kernel's side of a process' rings.
 *
 * Owns: struct net_endpoint from endpoint_open until its last netbuf is done;
 * the layout of its shared memory. Context and lock: as in net/core/core.h.
 */
#include <net/core/ports.h>

#define TX_ENTRIES_MIN     16u
#define TX_ENTRIES_DEFAULT 256u
#define TX_ENTRIES_MAX     4096u
#define RX_BYTES_MAX       (4u << 20)
#define ARENA_MIN          (16u * 1024)
#define ARENA_MAX          (64u << 20)
#define SHARED_PAGE        4096u

void owner_init(struct nc_owner *o, uint32_t pid, const char *name, const struct sys_rights *rights)
{
    __builtin_memset(o, 0, sizeof(*o));
    o->pid = pid;
    o->rights = rights;
    for (unsigned i = 0; i < NAME_MAX_BYTES - 1 && name[i] != 0; i++)
        o->name[i] = o->family[i] = name[i];
}

uint32_t nc_owner_pid(const struct nc_owner *o)
{
    return o->pid;
}

bool owner_has(struct nc_owner *o, uint32_t right)
{
    return o == NULL || (o->rights->bits & right) != 0;
}

int owner_refuse(struct nc_owner *o, const char *right)
{
    uint64_t n = ++o->refusals;

    /* A process that asks in a loop must not own the log. */
    if (n <= 8 || (n & (n - 1)) == 0)
        nc_log("net: %s (pid %u) refused: needs %s", o->name, o->pid, right);
    return -EACCES;
}

/* --- sizes and layout --------------------------------------------------------------- */

static uint32_t power_of_two(uint32_t wish, uint32_t preset, uint32_t min, uint32_t max)
{
    uint32_t n = min;

    if (wish == 0)
        wish = preset;
    while (n < wish && n < max)
        n *= 2;
    return n;
}

static uint64_t layout(const struct sys_net_open *io, struct net_ring *r)
{
    uint64_t at = SHARED_PAGE;

    r->rx_off = (uint32_t)at;
    r->rx_size = io->rx_bytes;
    at += io->rx_bytes;
    r->tx_off = (uint32_t)at;
    r->tx_entries = io->tx_entries;
    at += (uint64_t)io->tx_entries * sizeof(struct net_tx);
    r->cq_off = (uint32_t)at;
    r->cq_entries = 2 * io->tx_entries;
    at += (uint64_t)r->cq_entries * sizeof(struct net_cqe);
    at = (at + SHARED_PAGE - 1) & ~(uint64_t)(SHARED_PAGE - 1);
    r->arena_off = (uint32_t)at;
    r->arena_size = io->arena_bytes;
    at += io->arena_bytes;
    r->total_size = (uint32_t)at;
    return at;
}

/* Wishes shrink until they fit what the manifest leaves to this owner. */
static int fit_sizes(const struct nc_owner *o, struct sys_net_open *io, struct net_ring *r, uint64_t *bytes)
{
    uint64_t limit = o->rights->ring_limit != 0 ? o->rights->ring_limit : RING_LIMIT_DEFAULT;
    uint64_t left = limit > o->ring_bytes ? limit - o->ring_bytes : 0;

    io->rx_bytes = power_of_two(io->rx_bytes, NET_RING_RX_MIN, NET_RING_RX_MIN, RX_BYTES_MAX);
    io->tx_entries = power_of_two(io->tx_entries, TX_ENTRIES_DEFAULT, TX_ENTRIES_MIN, TX_ENTRIES_MAX);
    io->arena_bytes = power_of_two(io->arena_bytes, ARENA_MIN, ARENA_MIN, ARENA_MAX);
    while ((*bytes = layout(io, r)) > left) { /* C-RING-7 */
        if (io->arena_bytes > io->rx_bytes && io->arena_bytes > ARENA_MIN)
            io->arena_bytes /= 2;
        else if (io->rx_bytes > NET_RING_RX_MIN)
            io->rx_bytes /= 2;
        else if (io->arena_bytes > ARENA_MIN)
            io->arena_bytes /= 2;
        else if (io->tx_entries > TX_ENTRIES_MIN)
            io->tx_entries /= 2;
        else
            return -ENOMEM;
    }
    return 0;
}

int endpoint_open(struct nc_owner *o, struct sys_net_open *io, void *waiter, struct net_endpoint **out)
{
    struct net_ring header = {.magic = NET_RING_MAGIC, .version = NET_RING_VERSION};
    struct net_endpoint *e;
    uint64_t bytes;
    int r = fit_sizes(o, io, &header, &bytes);

    if (r != 0)
        return r;
    e = nc_alloc(sizeof(*e));
    if (e == NULL)
        return -ENOMEM;
    r = nc_shared_alloc(&e->shm, bytes);
    if (r != 0) {
        nc_free(e);
        return r;
    }
    uint8_t *base = e->shm.base;
    e->ring = e->shm.base;
    *e->ring = header;
    e->rx = base + header.rx_off;
    e->rx_size = header.rx_size;
    e->tx = base + header.tx_off;
    e->tx_entries = header.tx_entries;
    e->cq = (struct net_cqe *)(base + header.cq_off);
    e->cq_entries = header.cq_entries;
    e->arena = base + header.arena_off;
    e->arena_off = header.arena_off;
    e->arena_size = header.arena_size;
    e->restricted = o->rights->nallow != 0;
    e->takes = (io->flags & NET_OPEN_TAKES) != 0;
    e->waiter = waiter;
    e->owner = o;
    e->owner_next = o->endpoints;
    e->owner_prev = &o->endpoints;
    if (o->endpoints != NULL)
        o->endpoints->owner_prev = &e->owner_next;
    o->endpoints = e;
    o->ring_bytes += bytes;
    io->bytes = bytes;
    *out = e;
    return 0;
}

/* --- the end --------------------------------------------------------------------------- */

static void endpoint_free(struct net_endpoint *e)
{
    nc_shared_free(&e->shm);
    arenas_free(e);
    nc_free(e);
}

/* What lies in the ring of a dead process was delivered to nobody: it is a drop
 * after all, or, for a SYN to a port that stays reserved, parked. The process
 * could write there: e->delivered bounds what is moved in the books. */
struct unread {
    struct net_endpoint *endpoint;
    uint64_t moved;
};

static bool settle_unread(void *ctx, struct net_rx *record, const struct net_rx *copy)
{
    struct unread *u = ctx;

    if (copy->kind != RX_PACKET || (copy->slot == 0 && copy->port_id == 0))
        return true; /* a tap's copy, an unresolved send: never counted as delivered */
    if (u->moved == u->endpoint->delivered)
        return false;
    u->moved++;
    core.c.delivered--;
    if (!reservation_rescue(copy, record + 1))
        count_drop(DROP_OWNER_DIED);
    return true;
}

static void endpoint_shutdown(struct net_endpoint *e, const struct nc_owner *reserve_for, bool died)
{
    if (e->closed)
        return;
    e->closed = true;
    tx_forget(e);
    tap_forget(e);
    slots_forget(e);
    flows_endpoint_closed(e);
    ports_endpoint_closed(e, reserve_for); /* C-REG-5 */
    if (died && !e->failed) {
        struct unread u = {e, 0};
        ring_walk(e, settle_unread, &u);
    }
    if (e->owner_next != NULL)
        e->owner_next->owner_prev = e->owner_prev;
    *e->owner_prev = e->owner_next;
    e->owner->ring_bytes -= e->shm.bytes + (uint64_t)e->narenas * NET_ARENA_MORE;
    e->owner = NULL;
}

void owner_died(struct nc_owner *o, bool restarts)
{
    const struct nc_owner *reserve_for = restarts ? o : NULL;

    /* All ports first: a group is reserved when its last member has left, and
     * only then can a SYN in any member's ring be parked. */
    for (struct net_endpoint *e = o->endpoints; e != NULL; e = e->owner_next)
        ports_endpoint_closed(e, reserve_for);
    while (o->endpoints != NULL) {
        struct net_endpoint *e = o->endpoints;

        endpoint_shutdown(e, reserve_for, true);
        endpoint_wake(e);
    }
    wake_flush();
}

void endpoint_close(struct net_endpoint *e)
{
    endpoint_shutdown(e, NULL, false);
    e->released = true;
    if (e->wake_pending) {
        struct net_endpoint **p = &core.wake;
        while (*p != e)
            p = &(*p)->wake_next;
        *p = e->wake_next;
    }
    if (e->inflight == 0)
        endpoint_free(e);
}

void endpoint_drop_inflight(struct net_endpoint *e)
{
    if (--e->inflight == 0 && e->released) /* C-DMA-5 */
        endpoint_free(e);
}

void endpoint_fail(struct net_endpoint *e, const char *what)
{
    if (e->failed)
        return;
    e->failed = true;
    if (e->owner != NULL)
        nc_log("net: %s (pid %u) wrote an impossible %s: its endpoint is shut", e->owner->name, e->owner->pid,
               what);
    endpoint_wake(e);
}

/* --- state ------------------------------------------------------------------------------- */

const struct nc_shared *endpoint_shared(const struct net_endpoint *e)
{
    return &e->shm;
}
struct net_ring *endpoint_ring(const struct net_endpoint *e)
{
    return e->ring;
}
struct nc_owner *endpoint_owner(const struct net_endpoint *e)
{
    return e->owner;
}

struct net_endpoint *owner_first_endpoint(const struct nc_owner *o)
{
    struct net_endpoint *e = o->endpoints;

    while (e != NULL && e->owner_next != NULL)
        e = e->owner_next;
    return e;
}

bool endpoint_takes(const struct net_endpoint *e)
{
    return e->takes;
}

uint32_t endpoint_ready(const struct net_endpoint *e)
{
    const struct net_ring *r = e->ring;
    uint32_t ready = 0;

    if (e->failed || e->closed)
        return READY_ERR;
    if (e->rx_head != shared_load(&r->rx_tail) || e->cq_head != shared_load(&r->cq_tail))
        ready |= READY_IN;
    if (shared_load(&r->tx_head) - e->tx_tail < e->tx_entries)
        ready |= READY_OUT;
    return ready;
}

bool endpoint_half_full(const struct net_endpoint *e)
{
    return e->rx_head - shared_load(&e->ring->rx_tail) >= e->rx_size / 2;
}

/* Room was set aside when the record was taken (transmit.c), so this never
 * overwrites a completion that an honest process has not read. */
void endpoint_complete(struct net_endpoint *e, uint64_t cookie, int status)
{
    struct net_cqe *c = &e->cq[e->cq_head & (e->cq_entries - 1)];

    c->cookie = cookie;
    c->status = status;
    c->pad = 0;
    shared_store(&e->ring->cq_head, ++e->cq_head);
    endpoint_wake(e);
}
