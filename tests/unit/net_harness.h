/* SPDX-License-Identifier: MIT
 *
 * tests/unit/net_harness.h: a small world around the net core for its unit
 * tests: one Ethernet link whose sent frames are kept, owners with rights,
 * packets built by hand, a process' side of the rings.
 *
 * Included once by each test program. Addresses: this host is 10.0.0.1/24 on
 * eth0, the peer is 10.0.0.9.
 */
#ifndef TESTS_UNIT_NET_HARNESS_H
#define TESTS_UNIT_NET_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <net/core/core.h>
#include <slipway/errno.h>
#include <tests/sim/services.h>

#define UNUSED         __attribute__((unused))
#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))
#define HOST_IP        IP(10, 0, 0, 1)
#define PEER_IP        IP(10, 0, 0, 9)
#define SENT_MAX       512

static const uint8_t host_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 9};
static const uint8_t everybody[6] = {255, 255, 255, 255, 255, 255};

static struct {
    struct link eth;
    struct {
        uint8_t data[65600];
        uint32_t len;
    } * sent;
    unsigned nsent;
    unsigned accept; /* packets the driver takes before it is full */
    bool hold;       /* do not finish what was taken ... */
    bool lazy;       /* ... before the next transmit */
    struct netbuf *held[SENT_MAX];
    unsigned nheld;
} world;

/* --- the link -------------------------------------------------------------------------- */

UNUSED static unsigned eth_transmit(struct link *l, struct netbuf *list)
{
    unsigned n = 0;
    struct netbuf *next;

    (void)l;
    for (; world.lazy && world.nheld != 0; world.nheld--)
        netbuf_done(world.held[world.nheld - 1], 0);
    for (struct netbuf *nb = list; nb != NULL && world.accept != 0 && world.nsent < SENT_MAX; nb = next) {
        next = nb->next;
        world.accept--;
        world.sent[world.nsent].len = (uint32_t)netbuf_flatten(nb, world.sent[world.nsent].data);
        assert_int_equal(world.sent[world.nsent].len, nb->total_len);
        world.nsent++;
        n++;
        if (world.hold)
            world.held[world.nheld++] = nb;
        else
            netbuf_done(nb, 0);
    }
    return n;
}

UNUSED static int eth_poll(struct link *l, int budget)
{
    (void)l;
    (void)budget;
    return 0;
}

UNUSED static int eth_reset(struct link *l)
{
    (void)l;
    return 0;
}

static const struct link_ops eth_ops = {.transmit = eth_transmit, .poll = eth_poll, .reset = eth_reset};

UNUSED static void release_held(int status)
{
    for (unsigned i = 0; i < world.nheld; i++)
        netbuf_done(world.held[i], status);
    world.nheld = 0;
    net_link_poll(&world.eth, 1); /* flushes wake-ups as a real poll does */
}

/* --- addresses and configuration ---------------------------------------------------------- */

UNUSED static struct net_addr addr4(uint32_t ip)
{
    struct net_addr a = {{(uint8_t)(ip >> 24), (uint8_t)(ip >> 16), (uint8_t)(ip >> 8), (uint8_t)ip}};
    return a;
}

UNUSED static int config(uint32_t kind, uint16_t link, uint32_t ip, uint8_t prefix, uint32_t gateway)
{
    struct net_config c = {.kind = kind, .link = link, .family = NET_INET, .prefix = prefix};

    c.addr = addr4(ip);
    if (gateway != 0)
        c.gateway = addr4(gateway);
    return net_config_apply(NULL, &c);
}

UNUSED static int set_neighbour(uint32_t ip, const uint8_t mac[6], uint8_t state)
{
    struct net_config c = {
        .kind = NETCFG_NEIGH_SET, .link = world.eth.index, .family = NET_INET, .state = state};

    c.addr = addr4(ip);
    memcpy(c.mac, mac, 6);
    return net_config_apply(NULL, &c);
}

UNUSED static int world_up(void **state)
{
    (void)state;
    host_reset(1);
    net_core_init();
    memset(&world, 0, sizeof(world));
    world.sent = malloc(SENT_MAX * sizeof(*world.sent));
    world.accept = UINT32_MAX;
    memcpy(world.eth.name, "eth%d", 6);
    memcpy(world.eth.mac, host_mac, 6);
    world.eth.mtu = 1500;
    world.eth.flags = LINKF_ETHERNET | LINKF_RUNNING;
    world.eth.ops = &eth_ops;
    world.eth.driver = "test";
    world.eth.irq_mode = "none";
    assert_int_equal(link_register(&world.eth), 0);
    assert_int_equal(config(NETCFG_ADDR_ADD, world.eth.index, HOST_IP, 24, 0), 0);
    assert_int_equal(set_neighbour(PEER_IP, peer_mac, NEIGH_REACHABLE), 0);
    return 0;
}

UNUSED static int world_down(void **state)
{
    (void)state;
    release_held(0);
    net_core_fini();
    free(world.sent);
    assert_int_equal(host_allocations, 0);
    return 0;
}

/* --- owners and endpoints ------------------------------------------------------------------- */

struct proc { /* one process with one endpoint */
    struct sys_rights rights;
    struct nc_owner owner;
    struct net_endpoint *ep;
    struct net_ring *ring;
    uint8_t *base;
    uint32_t wakes;
};

UNUSED static struct net_port_key port_key(uint8_t proto, uint16_t lo, uint16_t hi)
{
    return (struct net_port_key){
        .family = NET_INET, .proto = proto, .link = LINK_ANY, .port_lo = lo, .port_hi = hi};
}

UNUSED static void allow_port(struct proc *p, struct net_port_key key, const char *link, bool serve)
{
    uint32_t i = p->rights.nports++;

    p->rights.ports[i] = key;
    strncpy(p->rights.port_links[i], link, LINK_NAME_MAX - 1);
    if (serve)
        p->rights.serve_ports |= 1u << i;
}

static uint32_t next_pid = 100;

UNUSED static void proc_init(struct proc *p, const char *name, uint32_t bits)
{
    memset(p, 0, sizeof(*p));
    p->rights.bits = bits;
    owner_init(&p->owner, next_pid++, name, &p->rights);
}

UNUSED static struct net_endpoint *open_ring(struct proc *p, uint32_t rx_bytes, uint32_t arena)
{
    struct sys_net_open io = {.rx_bytes = rx_bytes, .arena_bytes = arena};
    struct net_endpoint *e;

    assert_int_equal(endpoint_open(&p->owner, &io, &p->wakes, &e), 0);
    return e;
}

UNUSED static void proc_open(struct proc *p)
{
    p->ep = open_ring(p, 0, 0);
    p->ring = endpoint_ring(p->ep);
    p->base = (uint8_t *)p->ring;
}

UNUSED static void proc_start(struct proc *p, const char *name, uint32_t bits)
{
    proc_init(p, name, bits);
    proc_open(p);
}

UNUSED static void proc_exit(struct proc *p, bool restarts)
{
    owner_died(&p->owner, restarts);
    endpoint_close(p->ep);
}

UNUSED static int try_register(struct proc *p, struct net_port_key key, struct net_port_op *op)
{
    struct net_port_op local;

    op = op != NULL ? op : &local;
    memset(op, 0, sizeof(*op));
    op->key = key;
    return port_register(p->ep, op);
}

/* --- the process' side of the rings -------------------------------------------------------------- */

/* Next record, or NULL. Its data follows it. */
UNUSED static struct net_rx *ring_take(struct net_ring *r)
{
    uint8_t *base = (uint8_t *)r;

    while (r->rx_tail != r->rx_head) {
        struct net_rx *rec = (struct net_rx *)(base + r->rx_off + (r->rx_tail & (r->rx_size - 1)));

        assert_true(rec->size >= 16 && rec->size % 16 == 0 && rec->size <= r->rx_head - r->rx_tail);
        r->rx_tail += rec->size;
        if (rec->kind != RX_PAD)
            return rec;
    }
    return NULL;
}

UNUSED static unsigned ring_count(struct net_ring *r)
{
    unsigned n = 0;

    while (ring_take(r) != NULL)
        n++;
    return n;
}

UNUSED static const uint8_t *record_data(const struct net_rx *r)
{
    return (const uint8_t *)(r + 1);
}

/* Puts a packet's bytes into the arena at `off` and a record for it: header
 * hdr_len bytes, the rest as one segment. */
UNUSED static struct net_tx *queue_tx(struct proc *p, uint32_t off, const void *packet, uint32_t len,
                                      uint32_t hdr_len, uint16_t flags)
{
    struct net_ring *r = p->ring;
    struct net_tx *t = (struct net_tx *)(p->base + r->tx_off) + (r->tx_head & (r->tx_entries - 1));

    memcpy(p->base + r->arena_off + off, packet, len);
    memset(t, 0, sizeof(*t));
    t->cookie = 0xc0de0000u + r->tx_head;
    t->hdr_off = off;
    t->hdr_len = (uint16_t)hdr_len;
    t->flags = flags;
    t->link = LINK_ANY;
    if (len > hdr_len) {
        t->nseg = 1;
        t->seg[0].off = off + hdr_len;
        t->seg[0].len = len - hdr_len;
    }
    r->tx_head++;
    return t;
}

/* Next completion: true and its status. */
UNUSED static bool take_completion(struct net_ring *r, struct net_cqe *out)
{
    if (r->cq_tail == r->cq_head)
        return false;
    *out = ((struct net_cqe *)((uint8_t *)r + r->cq_off))[r->cq_tail & (r->cq_entries - 1)];
    r->cq_tail++;
    return true;
}

/* Sends one packet, all in the header (or split), and returns how it ended: 0,
 * or the status of its failure. */
UNUSED static int send_now(struct proc *p, const void *packet, uint32_t len, uint16_t flags)
{
    struct net_cqe c;

    queue_tx(p, 0, packet, len, len < 200 ? len : 40, flags | TX_NOTIFY);
    assert_true(endpoint_kick(p->ep) >= 0);
    host_run_polls(8);
    assert_true(take_completion(p->ring, &c));
    return c.status;
}

/* --- packets ------------------------------------------------------------------------------------------ */

UNUSED static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

UNUSED static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

UNUSED static uint32_t get16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

/* Straight from RFC 1071, one 16-bit word at a time: an independent check of the
 * core's fast version. */
UNUSED static uint16_t slow_checksum(const uint8_t *p, size_t n, uint32_t sum)
{
    for (size_t i = 0; i + 1 < n; i += 2)
        sum += get16(p + i);
    if (n & 1)
        sum += (uint32_t)p[n - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

UNUSED static void seal_ip(uint8_t *p)
{
    unsigned header = (p[0] & 15u) * 4;

    put16(p + 10, 0);
    put16(p + 10, slow_checksum(p, header, 0));
}

/* IPv4 header for `payload` bytes behind it; returns the total. */
UNUSED static uint32_t make_ip(uint8_t *p, uint8_t proto, uint32_t src, uint32_t dst, uint32_t payload)
{
    memset(p, 0, 20);
    p[0] = 0x45;
    put16(p + 2, 20 + payload);
    p[8] = 64;
    p[9] = proto;
    put32(p + 12, src);
    put32(p + 16, dst);
    seal_ip(p);
    return 20 + payload;
}

UNUSED static uint32_t make_udp(uint8_t *p, uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport,
                                uint32_t data)
{
    uint32_t n = make_ip(p, NET_UDP, src, dst, 8 + data);

    put16(p + 20, sport);
    put16(p + 22, dport);
    put16(p + 24, 8 + data);
    put16(p + 26, 0);
    for (uint32_t i = 0; i < data; i++)
        p[28 + i] = (uint8_t)(i * 7 + 1);
    return n;
}

enum { F_FIN = 1, F_SYN = 2, F_RST = 4, F_ACK = 16 };
UNUSED static uint32_t make_tcp(uint8_t *p, uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport,
                                uint8_t flags, uint32_t seq)
{
    uint32_t n = make_ip(p, NET_TCP, src, dst, 20);

    memset(p + 20, 0, 20);
    put16(p + 20, sport);
    put16(p + 22, dport);
    put32(p + 24, seq);
    p[32] = 0x50;
    p[33] = flags;
    return n;
}

UNUSED static uint32_t make_icmp(uint8_t *p, uint32_t src, uint32_t dst, uint8_t type, uint16_t id,
                                 uint32_t data)
{
    uint32_t n = make_ip(p, NET_ICMP, src, dst, 8 + data);

    memset(p + 20, 0, 8 + data);
    p[20] = type;
    put16(p + 24, id);
    put16(p + 22, slow_checksum(p + 20, 8 + data, 0));
    return n;
}

/* Hands a packet to the core as a frame from the peer. */
UNUSED static void rx_frame(const uint8_t *dst, uint16_t ethertype, const void *payload, uint32_t len)
{
    uint8_t *f = malloc(14 + len); /* exact size: ASan sees an over-read */

    memcpy(f, dst, 6);
    memcpy(f + 6, peer_mac, 6);
    put16(f + 12, ethertype);
    memcpy(f + 14, payload, len);
    link_rx(&world.eth, f, 14 + len, NULL);
    free(f);
    net_link_poll(&world.eth, 1);
}

UNUSED static void rx_ip(const void *packet, uint32_t len)
{
    rx_frame(host_mac, 0x0800, packet, len);
}

UNUSED static void rx_udp(uint16_t sport, uint16_t dport, uint32_t data)
{
    uint8_t p[2048];
    uint32_t n = make_udp(p, PEER_IP, sport, HOST_IP, dport, data);

    rx_ip(p, n);
}

UNUSED static void rx_tcp(uint16_t sport, uint16_t dport, uint8_t flags)
{
    uint8_t p[64];
    uint32_t n = make_tcp(p, PEER_IP, sport, HOST_IP, dport, flags, 1000);

    rx_ip(p, n);
}

/* --- the books
 * ---------------------------------------------------------------------------------------------- */

UNUSED static struct net_counters counters(void)
{
    struct net_counters c;

    assert_int_equal(net_info_read(NETINFO_COUNTERS, 0, &c, sizeof(c)), sizeof(c));
    return c;
}

UNUSED static uint64_t dropped(enum net_drop why)
{
    return counters().drop[why];
}

/* received + injected = delivered + sum of receive drops + in flight; and every
 * failed send has its reason. */
UNUSED static void check_books(void)
{
    struct net_counters c = counters();
    uint64_t rx = 0, tx = 0;

    for (int i = 0; i < DROP_COUNT; i++)
        *(net_drop_is_sent((unsigned)i) ? &tx : &rx) += c.drop[i];
    assert_int_equal(c.received + c.injected, c.delivered + rx + c.in_flight);
    assert_int_equal(c.send_failed, tx);
}

#endif
