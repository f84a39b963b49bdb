/* SPDX-License-Identifier: MIT
 *
 * tests/sim/direct.c: a host of one process on the medium. The other side of its
 * packet ring is played here, as the kernel would.
 *
 * Payload of a transmit record is read only when the "device" gets to it, some
 * time after the record was taken, so that a buffer given up too early shows
 * as a wrong checksum at the peer.
 */
#include <net/host/kring.h>
#include <stdlib.h>
#include <string.h>
#include <tests/sim/sim.h>

#define PORTS 512

struct direct {
    struct kring ring;
    uint32_t inflight;
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

static void complete(struct host *h, const struct net_tx *tx, int status)
{
    struct direct *d = h->kernel_data;
    uint32_t before = d->ring.cq_head;

    if (before - h->ring->cq_tail >= h->ring->cq_entries) {
        sim_fail("%s: completion ring overrun", h->name);
        return;
    }
    kring_done(&d->ring, tx, status);
    if (d->ring.cq_head != before)
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
    int64_t gathered;
    size_t n;
    bool sent;

    if (!h->alive || h->serial != s->serial) {
        free(s);
        return;
    }
    gathered = kring_gather(&d->ring, &s->tx, s->hdr, packet, sizeof(packet));
    if (gathered < 0)
        sim_fail("%s: segment outside the arena", h->name);
    n = gathered < 0 ? 0 : (size_t)gathered;
    if (n < 20 || stated_length(packet) != n)
        sim_fail("%s: record of %zu bytes says %zu", h->name, n, stated_length(packet));
    if (!checksum_good(packet, n))
        sim_fail("%s: sends a packet whose payload changed under way", h->name);
    sent = wire_send(h->ip, packet, n);
    d->inflight--;
    complete(h, &s->tx, sent ? 0 : n > wire_model.mtu ? -EMSGSIZE : -ENOBUFS);
    free(s);
}

static void pump(struct host *h)
{
    struct direct *d = h->kernel_data;
    struct net_ring *r = h->ring;

    if (__atomic_load_n(&r->tx_head, __ATOMIC_ACQUIRE) - d->ring.tx_tail > r->tx_entries) {
        sim_fail("%s: transmit ring overrun", h->name);
        return;
    }
    while (d->inflight < r->tx_entries) {
        struct sending *s = malloc(sizeof(*s));
        int taken;
        if (s == NULL)
            abort();
        taken = kring_take(&d->ring, &s->tx, s->hdr);
        if (taken <= 0) {
            if (taken < 0)
                sim_fail("%s: impossible transmit record", h->name);
            free(s);
            break;
        }
        s->h = h;
        s->serial = h->serial;
        d->inflight++;
        /* In order, usually at once; now and then the device is stuck for longer
         * than a round trip. */
        if (d->device_free < sim.now)
            d->device_free = sim.now;
        if (!sim.exact) { /* draws in statements of their own: C gives operands no order */
            d->device_free += sim_below(20) * SIM_US;
            if (sim_chance(5))
                d->device_free += sim_below(40) * SIM_MS;
        }
        sim_at(d->device_free, device_reads, s);
    }
}

/* A packet arrives: one copy into the receive ring, or a drop when it is full. */
static void deliver(void *arg, const uint8_t *packet, size_t n)
{
    const struct net_rx meta = {.link = 1, .time_ns = sim.now};
    struct host *h = arg;
    struct direct *d = h->kernel_data;

    if (kring_deliver(&d->ring, &meta, packet, n))
        host_wake(h);
}

/* --- life ----------------------------------------------------------------------------------- */
static uint32_t or_default(uint32_t v, uint32_t otherwise)
{
    return v != 0 ? v : otherwise;
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
    if (kring_make(&d->ring, or_default(h->options.rx_bytes, 64 * 1024), or_default(h->options.tx_entries, 64),
                   or_default(h->options.arena_bytes, 256 * 1024)) != 0)
        abort();
    d->inflight = 0;
    d->device_free = 0;
    memset(d->ports, 0, sizeof(d->ports));
    wire_attach(h->ip, deliver, h);
    return d->ring.ring;
}

static void do_close(struct host *h)
{
    wire_detach(h->ip);
    kring_free(&((struct direct *)h->kernel_data)->ring);
}

static void *do_arena_more(struct host *h)
{
    return kring_more(&((struct direct *)h->kernel_data)->ring);
}

const struct host_kernel direct_kernel = {
    .open = do_open,
    .close = do_close,
    .kick = pump,
    .arena_more = do_arena_more,
    .port_register = do_register,
    .port_unregister = do_unregister,
    .route = do_route,
};
