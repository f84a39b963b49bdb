/* SPDX-License-Identifier: MIT
 *
 * tests/sim/direct.c: a host of one process on the medium. The other side of its
 * packet ring is played here, as the kernel would.
 *
 * Payload of a transmit record is read only when the "device" gets to it, some
 * time after the record was taken, so that a buffer given up too early shows
 * as a wrong checksum at the peer.
 */
#include <stdlib.h>
#include <string.h>
#include <tests/sim/sim.h>

#define PORTS 512

struct direct {
    uint32_t rx_head, tx_tail, cq_head, inflight;
    uint64_t device_free;  /* when the device gets to the next record */
    uint32_t ports[PORTS]; /* owned, with the family; protocols are not told apart */
    uint16_t next_port;
    uint8_t secret[NET_SECRET_BYTES];
};

static uint32_t name_of(const struct net_port_key *k)
{
    return (uint32_t)k->family << 16 | k->port_lo;
}

static bool owned(const struct direct *d, uint32_t name)
{
    for (int i = 0; i < PORTS; i++)
        if (d->ports[i] == name)
            return true;
    return false;
}

static int do_register(struct host *h, struct net_port_op *op)
{
    struct direct *d = h->kernel_data;

    if (op->is_flow) { /* there is nobody else to get its packets */
        op->id = 0x18001;
        return 0;
    }
    if (op->key.port_lo == 0) {
        do {
            d->next_port = (uint16_t)(49152 + (d->next_port + 1 + sim_below(7)) % 16384);
            op->key.port_lo = op->key.port_hi = d->next_port;
        } while (owned(d, name_of(&op->key)));
    }
    memcpy(op->secret, d->secret, sizeof(op->secret));
    if (owned(d, name_of(&op->key)))
        return 0;
    for (int i = 0; i < PORTS; i++) {
        if (d->ports[i] == 0) {
            d->ports[i] = name_of(&op->key);
            return 0;
        }
    }
    return -ENFILE;
}

static int do_unregister(struct host *h, const struct net_port_op *op)
{
    struct direct *d = h->kernel_data;

    for (int i = 0; i < PORTS && !op->is_flow; i++)
        if (d->ports[i] == name_of(&op->key))
            d->ports[i] = 0;
    return 0;
}

static int do_route(struct host *h, struct net_route_info *io)
{
    memset(&io->src, 0, sizeof(io->src));
    if (io->family == NET_INET6)
        io->src.b[0] = 0xfd;
    for (int i = 0; i < 4; i++)
        io->src.b[i + (io->family == NET_INET6 ? 12 : 0)] = (uint8_t)(h->ip >> (24 - 8 * i));
    io->gateway = io->dst;
    io->link = 1;
    io->mtu = wire_model.mtu;
    io->flags = LINKF_UP | LINKF_RUNNING;
    io->speed_bps = wire_model.byte_ns != 0 ? (uint32_t)(8 * SIM_S / wire_model.byte_ns) : 0;
    return 0;
}

/* --- the rings ---------------------------------------------------------------------- */
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
    struct direct *d = h->kernel_data;
    struct net_cqe *c =
        (struct net_cqe *)(void *)at(h, h->ring->cq_off) + (d->cq_head & (h->ring->cq_entries - 1));

    if (d->cq_head - h->ring->cq_tail >= h->ring->cq_entries) {
        sim_fail("%s: completion ring overrun", h->name);
        return;
    }
    c->cookie = cookie;
    c->status = status;
    d->cq_head++;
    __atomic_store_n(&h->ring->cq_head, d->cq_head, __ATOMIC_RELEASE);
    host_wake(h);
}

/* Written out plainly, apart from what it checks. */
static bool checksum_good(const uint8_t *packet, size_t n)
{
    bool six = packet[0] >> 4 == 6;
    size_t head = six ? 40 : (size_t)(packet[0] & 15) * 4, addresses = six ? 8 : 12;
    uint8_t proto = packet[six ? 6 : 9];
    uint32_t sum = proto == NET_ICMP ? 0 : proto + (uint32_t)(n - head);

    for (size_t i = proto == NET_ICMP ? head : addresses; i < n; i++)
        if (i < addresses + (six ? 32 : 8) || i >= head)
            sum += (uint32_t)packet[i] << ((i & 1) != 0 ? 0 : 8);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum == 0xffff;
}

static size_t stated_length(const uint8_t *packet)
{
    const uint8_t *at = packet[0] >> 4 == 6 ? packet + 4 : packet + 2;

    return (size_t)(at[0] << 8 | at[1]) + (packet[0] >> 4 == 6 ? 40 : 0);
}

static void device_reads(void *arg)
{
    struct sending *s = arg;
    struct host *h = s->h;
    struct direct *d = h->kernel_data;
    uint8_t packet[65536];
    size_t n = s->tx.hdr_len;
    bool sent;

    if (!h->alive || h->serial != s->serial) {
        free(s);
        return;
    }
    memcpy(packet, s->hdr, n);
    for (int i = 0; i < s->tx.nseg; i++) {
        if (s->tx.seg[i].off > h->ring->arena_size ||
            s->tx.seg[i].len > h->ring->arena_size - s->tx.seg[i].off ||
            n + s->tx.seg[i].len > sizeof(packet)) {
            sim_fail("%s: segment outside the arena", h->name);
            break;
        }
        memcpy(packet + n, at(h, h->ring->arena_off) + s->tx.seg[i].off, s->tx.seg[i].len);
        n += s->tx.seg[i].len;
    }
    if (n < 20 || stated_length(packet) != n)
        sim_fail("%s: record of %zu bytes says %zu", h->name, n, stated_length(packet));
    if (!checksum_good(packet, n))
        sim_fail("%s: sends a packet whose payload changed under way", h->name);
    sent = wire_send(h->ip, packet, n);
    d->inflight--;
    if (!sent)
        complete(h, s->tx.cookie, n > wire_model.mtu ? -EMSGSIZE : -ENOBUFS);
    else if (s->tx.nseg != 0 || (s->tx.flags & TX_NOTIFY))
        complete(h, s->tx.cookie, 0);
    free(s);
}

static void pump(struct host *h)
{
    struct direct *d = h->kernel_data;
    struct net_ring *r = h->ring;
    uint32_t head = __atomic_load_n(&r->tx_head, __ATOMIC_ACQUIRE);

    if (head - d->tx_tail > r->tx_entries) {
        sim_fail("%s: transmit ring overrun", h->name);
        return;
    }
    while (d->tx_tail != head && d->inflight < r->tx_entries) {
        struct sending *s = malloc(sizeof(*s));
        if (s == NULL)
            abort();
        s->h = h;
        s->serial = h->serial;
        s->tx = ((struct net_tx *)(void *)at(h, r->tx_off))[d->tx_tail & (r->tx_entries - 1)];
        if (s->tx.hdr_len > NET_TX_HDR_MAX || s->tx.nseg > NET_TX_SEGS ||
            s->tx.hdr_off + s->tx.hdr_len > r->arena_size)
            sim_fail("%s: impossible transmit record", h->name);
        else
            memcpy(s->hdr, at(h, r->arena_off) + s->tx.hdr_off, s->tx.hdr_len);
        d->tx_tail++;
        d->inflight++;
        /* In order, usually at once; now and then the device is stuck for longer
         * than a round trip. */
        if (d->device_free < sim.now)
            d->device_free = sim.now;
        if (!sim.exact)
            d->device_free += sim_below(20) * SIM_US + (sim_chance(5) ? sim_below(40) * SIM_MS : 0);
        sim_at(d->device_free, device_reads, s);
    }
    __atomic_store_n(&r->tx_tail, d->tx_tail, __ATOMIC_RELEASE);
}

/* A packet arrives: one copy into the receive ring, or a drop when it is full. */
static void deliver(void *arg, const uint8_t *packet, size_t n)
{
    struct host *h = arg;
    struct direct *d = h->kernel_data;
    struct net_ring *r = h->ring;
    uint32_t size = (uint32_t)(sizeof(struct net_rx) + n + 15) & ~15u;
    uint32_t off = d->rx_head & (r->rx_size - 1), pad = r->rx_size - off < size ? r->rx_size - off : 0;
    struct net_rx *rx;

    if (d->rx_head + pad + size - __atomic_load_n(&r->rx_tail, __ATOMIC_ACQUIRE) > r->rx_size) {
        r->rx_dropped++;
        return;
    }
    if (pad != 0) {
        rx = (struct net_rx *)(void *)(at(h, r->rx_off) + off);
        rx->size = pad; /* 16 bytes at least: size and kind fit */
        rx->kind = RX_PAD;
        d->rx_head += pad;
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
    d->rx_head += size;
    __atomic_store_n(&r->rx_head, d->rx_head, __ATOMIC_RELEASE);
    host_wake(h);
}

/* --- life ----------------------------------------------------------------------------------- */
static struct net_ring *make_ring(const struct host_options *o)
{
    uint32_t rx = o->rx_bytes != 0 ? o->rx_bytes : 64 * 1024, tx = o->tx_entries != 0 ? o->tx_entries : 64;
    uint32_t arena = o->arena_bytes != 0 ? o->arena_bytes : 256 * 1024, cq = 2 * tx;
    uint32_t total =
        4096 + rx + tx * (uint32_t)sizeof(struct net_tx) + cq * (uint32_t)sizeof(struct net_cqe) + arena;
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

static struct net_ring *do_open(struct host *h)
{
    struct direct *d = h->kernel_data;
    bool reborn = d != NULL;

    if (!reborn) {
        h->kernel_data = d = calloc(1, sizeof(*d));
        if (d == NULL)
            abort();
        for (int i = 0; i < NET_SECRET_BYTES; i++)
            d->secret[i] = (uint8_t)sim_random();
    }
    d->rx_head = d->tx_tail = d->cq_head = d->inflight = 0;
    d->device_free = 0;
    memset(d->ports, 0, sizeof(d->ports));
    wire_attach(h->ip, deliver, h);
    return make_ring(&h->options);
}

static void do_close(struct host *h)
{
    wire_detach(h->ip);
    free(h->ring);
}

const struct host_kernel direct_kernel = {
    .open = do_open,
    .close = do_close,
    .kick = pump,
    .port_register = do_register,
    .port_unregister = do_unregister,
    .route = do_route,
};
