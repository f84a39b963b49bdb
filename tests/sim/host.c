/* SPDX-License-Identifier: MIT
 *
 * tests/sim/host.c: a host of the simulation: libnet on a packet ring whose
 * other side is played here, as the kernel would.
 *
 * Payload of a transmit record is read only when the "device" gets to it, some
 * time after the record was taken, so that a buffer given up too early shows
 * as a wrong checksum at the peer.
 */
#include <tests/sim/sim.h>
#include <stdlib.h>
#include <string.h>

static void pump(struct host *h);

/* --- environment ------------------------------------------------------------------ */
static uint64_t env_now(void *ctx)
{
    (void)ctx;
    return sim.now;
}

static void env_random(void *ctx, void *buf, size_t n)
{
    uint8_t *p = buf;

    (void)ctx;
    while (n-- > 0)
        *p++ = (uint8_t)sim_random();
}

static void *env_alloc(void *ctx, size_t n)
{
    struct host *h = ctx;
    void *p;

    if (h->alloc_fail != 0 && sim_chance(h->alloc_fail))
        return NULL;
    p = calloc(1, n);
    if (p != NULL)
        h->allocations++;
    return p;
}

static void env_free(void *ctx, void *p)
{
    struct host *h = ctx;

    h->allocations--;
    free(p);
}

static bool owned(const struct host *h, uint16_t port)
{
    for (int i = 0; i < HOST_PORTS; i++)
        if (h->ports[i] == port)
            return true;
    return false;
}

static int env_register(void *ctx, struct net_port_op *op)
{
    struct host *h = ctx;

    if (op->key.port_lo == 0) {
        do {
            h->next_port = (uint16_t)(49152 + (h->next_port + 1 + sim_below(7)) % 16384);
        } while (owned(h, h->next_port));
        op->key.port_lo = op->key.port_hi = h->next_port;
    }
    memcpy(op->secret, h->secret, sizeof(op->secret));
    if (owned(h, op->key.port_lo))
        return 0;
    for (int i = 0; i < HOST_PORTS; i++) {
        if (h->ports[i] == 0) {
            h->ports[i] = op->key.port_lo;
            return 0;
        }
    }
    return -ENFILE;
}

static int env_unregister(void *ctx, const struct net_port_op *op)
{
    struct host *h = ctx;

    for (int i = 0; i < HOST_PORTS; i++)
        if (h->ports[i] == op->key.port_lo)
            h->ports[i] = 0;
    return 0;
}

static int env_route(void *ctx, struct net_route_info *io)
{
    const struct host *h = ctx;

    memset(&io->src, 0, sizeof(io->src));
    for (int i = 0; i < 4; i++)
        io->src.b[i] = (uint8_t)(h->ip >> (24 - 8 * i));
    io->gateway = io->dst;
    io->link = 1;
    io->mtu = wire_model.mtu;
    io->flags = LINKF_UP | LINKF_RUNNING;
    io->speed_bps = wire_model.byte_ns != 0 ? (uint32_t)(8 * SIM_S / wire_model.byte_ns) : 0;
    return 0;
}

static void env_kick(void *ctx)
{
    pump(ctx);
}

/* --- the kernel's side of the rings ------------------------------------------------- */
struct sending { /* a record that the device has not read yet */
    struct host *h;
    uint32_t serial;
    struct net_tx tx;
    uint8_t hdr[NET_TX_HDR_MAX];
};

static uint8_t *at(struct host *h, uint32_t off)
{
    return (uint8_t *)h->ring + off;
}

static void complete(struct host *h, uint64_t cookie, int status)
{
    struct net_cqe *c = (struct net_cqe *)(void *)at(h, h->ring->cq_off) + (h->cq_head & (h->ring->cq_entries - 1));

    if (h->cq_head - h->ring->cq_tail >= h->ring->cq_entries) {
        sim_fail("%s: completion ring overrun", h->name);
        return;
    }
    c->cookie = cookie;
    c->status = status;
    h->cq_head++;
    __atomic_store_n(&h->ring->cq_head, h->cq_head, __ATOMIC_RELEASE);
    host_wake(h);
}

static void device_reads(void *arg)
{
    struct sending *s = arg;
    struct host *h = s->h;
    uint8_t packet[65536];
    size_t n = s->tx.hdr_len;
    bool sent;

    if (!h->alive || h->serial != s->serial) {
        free(s);
        return;
    }
    memcpy(packet, s->hdr, n);
    for (int i = 0; i < s->tx.nseg; i++) {
        if (s->tx.seg[i].off > h->ring->arena_size || s->tx.seg[i].len > h->ring->arena_size - s->tx.seg[i].off ||
            n + s->tx.seg[i].len > sizeof(packet)) {
            sim_fail("%s: segment outside the arena", h->name);
            break;
        }
        memcpy(packet + n, at(h, h->ring->arena_off) + s->tx.seg[i].off, s->tx.seg[i].len);
        n += s->tx.seg[i].len;
    }
    if (n < 20 || (size_t)(packet[2] << 8 | packet[3]) != n)
        sim_fail("%s: record of %zu bytes says %d", h->name, n, packet[2] << 8 | packet[3]);
    sent = wire_send(h->ip, packet, n);
    h->inflight--;
    if (!sent)
        complete(h, s->tx.cookie, -ENOBUFS);
    else if (s->tx.nseg != 0 || (s->tx.flags & TX_NOTIFY))
        complete(h, s->tx.cookie, 0);
    free(s);
}

static void pump(struct host *h)
{
    struct net_ring *r = h->ring;
    uint32_t head = __atomic_load_n(&r->tx_head, __ATOMIC_ACQUIRE);

    if (head - h->tx_tail > r->tx_entries) {
        sim_fail("%s: transmit ring overrun", h->name);
        return;
    }
    while (h->tx_tail != head && h->inflight < r->tx_entries) {
        struct sending *s = malloc(sizeof(*s));
        if (s == NULL)
            abort();
        s->h = h;
        s->serial = h->serial;
        s->tx = ((struct net_tx *)(void *)at(h, r->tx_off))[h->tx_tail & (r->tx_entries - 1)];
        if (s->tx.hdr_len > NET_TX_HDR_MAX || s->tx.nseg > NET_TX_SEGS || s->tx.hdr_off + s->tx.hdr_len > r->arena_size)
            sim_fail("%s: impossible transmit record", h->name);
        else
            memcpy(s->hdr, at(h, r->arena_off) + s->tx.hdr_off, s->tx.hdr_len);
        h->tx_tail++;
        h->inflight++;
        sim_at(sim.now + sim_below(20) * SIM_US, device_reads, s);
    }
    __atomic_store_n(&r->tx_tail, h->tx_tail, __ATOMIC_RELEASE);
}

/* A packet arrives: one copy into the receive ring, or a drop when it is full. */
static void deliver(void *arg, const uint8_t *packet, size_t n)
{
    struct host *h = arg;
    struct net_ring *r = h->ring;
    uint32_t size = (uint32_t)(sizeof(struct net_rx) + n + 15) & ~15u;
    uint32_t off = h->rx_head & (r->rx_size - 1), pad = r->rx_size - off < size ? r->rx_size - off : 0;
    struct net_rx *rx;

    if (h->rx_head + pad + size - __atomic_load_n(&r->rx_tail, __ATOMIC_ACQUIRE) > r->rx_size) {
        r->rx_dropped++;
        return;
    }
    if (pad != 0) {
        rx = (struct net_rx *)(void *)(at(h, r->rx_off) + off);
        rx->size = pad; /* 16 bytes at least: size and kind fit */
        rx->kind = RX_PAD;
        h->rx_head += pad;
        off = 0;
    }
    rx = (struct net_rx *)(void *)(at(h, r->rx_off) + off);
    memset(rx, 0, sizeof(*rx));
    rx->size = size;
    rx->kind = RX_PACKET;
    rx->link = 1;
    rx->len = (uint32_t)n;
    rx->time_ns = sim.now;
    memcpy(rx + 1, packet, n);
    h->rx_head += size;
    __atomic_store_n(&r->rx_head, h->rx_head, __ATOMIC_RELEASE);
    host_wake(h);
}

/* --- scheduling -------------------------------------------------------------------------- */
struct wake {
    struct host *h;
    uint32_t serial;
    uint64_t when; /* of a timer; 0 for a plain wake-up */
};

static void run(void *arg)
{
    struct wake *w = arg;
    struct host *h = w->h;
    uint64_t next;

    if (!h->alive || h->serial != w->serial || (w->when != 0 && h->timer_at != w->when)) {
        free(w); /* of a former life, or a timer that was set anew since */
        return;
    }
    if (w->when == 0)
        h->wake_pending = false;
    else
        h->timer_at = 0;
    netstack_run(h->ns, 64);
    if (h->step != NULL)
        h->step(h);
    pump(h);
    if (ns_ring_peek(h->ring, &(uint32_t){h->ring->rx_tail}) != NULL)
        host_wake(h);
    next = netstack_deadline(h->ns);
    if (next <= sim.now) {
        host_wake(h);
    } else if (next != UINT64_MAX && next != h->timer_at) {
        w->when = h->timer_at = next;
        sim_at(next, run, w);
        return;
    }
    free(w);
}

void host_wake(struct host *h)
{
    struct wake *w;

    if (!h->alive || h->wake_pending)
        return;
    w = malloc(sizeof(*w));
    if (w == NULL)
        abort();
    h->wake_pending = true;
    w->h = h;
    w->serial = h->serial;
    w->when = 0;
    sim_at(sim.now + 1 * SIM_US + sim_below(50) * SIM_US, run, w);
}

/* --- life ----------------------------------------------------------------------------------- */
static struct net_ring *make_ring(const struct host_options *o)
{
    uint32_t rx = o->rx_bytes != 0 ? o->rx_bytes : 64 * 1024, tx = o->tx_entries != 0 ? o->tx_entries : 64;
    uint32_t arena = o->arena_bytes != 0 ? o->arena_bytes : 256 * 1024, cq = 2 * tx;
    uint32_t total = 4096 + rx + tx * (uint32_t)sizeof(struct net_tx) + cq * (uint32_t)sizeof(struct net_cqe) + arena;
    struct net_ring *r = aligned_alloc(4096, (total + 4095) & ~4095u);

    if (r == NULL)
        abort();
    memset(r, 0, total);
    r->magic = NET_RING_MAGIC;
    r->version = NET_RING_VERSION;
    r->rx_off = 4096;
    r->rx_size = rx;
    r->tx_off = r->rx_off + rx;
    r->tx_entries = tx;
    r->cq_off = r->tx_off + tx * (uint32_t)sizeof(struct net_tx);
    r->cq_entries = cq;
    r->arena_off = r->cq_off + cq * (uint32_t)sizeof(struct net_cqe);
    r->arena_size = arena;
    r->total_size = total;
    return r;
}

void host_start(struct host *h, const char *name, uint32_t ip, const struct host_options *o)
{
    struct ns_env env = {.ctx = h, .now_ns = env_now, .random = env_random, .alloc = env_alloc, .free = env_free,
                         .kick = env_kick, .port_register = env_register, .port_unregister = env_unregister,
                         .route = env_route};
    uint32_t serial = h->serial + 1;
    uint8_t secret[16];

    memcpy(secret, h->secret, 16);
    memset(h, 0, sizeof(*h));
    snprintf(h->name, sizeof(h->name), "%s", name);
    h->ip = ip;
    h->serial = serial;
    memcpy(h->secret, secret, 16);
    if (serial == 1)
        env_random(NULL, h->secret, 16); /* a restarted owner gets the same one */
    h->ring = make_ring(o);
    h->alive = true;
    if (netstack_create(&h->ns, &env, &o->cfg, h->ring) != 0)
        abort();
    wire_attach(ip, deliver, h);
}

void host_die(struct host *h)
{
    h->alive = false;
    wire_detach(h->ip);
    if (h->app != NULL)
        app_free(h);
    h->alloc_fail = 0;
    netstack_destroy(h->ns); /* its memory; what it sends goes nowhere */
    free(h->ring);
    h->ns = NULL;
    h->ring = NULL;
}

void host_stop(struct host *h)
{
    if (!h->alive)
        return;
    host_die(h);
    if (h->allocations != 0)
        sim_fail("%s: %ld allocations leaked", h->name, h->allocations);
}
