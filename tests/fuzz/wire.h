/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/wire.h: stacks on a wire for the fuzzers: each has its rings and a
 * kernel that says yes; what it sends is checked (lengths, checksums) and handed
 * out as whole packets, what it receives lies in a heap block of its exact size,
 * so that the sanitizer sees every read past the end.
 *
 * Included once by each target. Time is wire.now; nothing else moves it.
 */
#ifndef TESTS_FUZZ_WIRE_H
#define TESTS_FUZZ_WIRE_H

#include <net/stack/tcp.h>
#include <stdlib.h>

#define WIRE_SIDES 2
#define PACKET_MAX 66000u

struct packet {
    struct packet *next;
    uint32_t len;
    uint8_t b[];
};
struct side {
    struct netstack *ns;
    struct net_ring *ring;
    uint32_t tx_tail, cq_head;
    uint16_t next_port;
    uint8_t address; /* last byte of its addresses */
    int fail_tx;     /* so many of the next records fail, with this status */
    int fail_status;
    struct packet *out, **out_end; /* what it has sent and nobody has taken */
    uint32_t nout;
};
static struct {
    uint64_t now;
    long allocations;
    unsigned fail_alloc; /* so many of the next allocations fail */
    uint16_t mtu;
    uint32_t random;
    struct side side[WIRE_SIDES];
} wire;

#define MUST(x)                                                                                              \
    do {                                                                                                     \
        if (!(x))                                                                                            \
            abort();                                                                                         \
    } while (0)

/* --- a kernel that says yes -------------------------------------------------------- */
static inline uint64_t wire_clock(void *c)
{
    (void)c;
    return wire.now;
}
static inline void wire_random(void *c, void *p, size_t n)
{
    uint8_t *b = p;

    (void)c;
    for (size_t i = 0; i < n; i++) {
        wire.random = wire.random * 1664525u + 1013904223u;
        b[i] = (uint8_t)(wire.random >> 24);
    }
}
static inline void *wire_alloc(void *c, size_t n)
{
    (void)c;
    if (wire.fail_alloc != 0) {
        wire.fail_alloc--;
        return NULL;
    }
    wire.allocations++;
    return calloc(1, n);
}
static inline void wire_free(void *c, void *p)
{
    (void)c;
    wire.allocations--;
    free(p);
}
static inline int wire_register(void *c, struct net_port_op *op)
{
    struct side *s = c;

    op->id = 0x18001;
    if (op->key.port_lo == 0 && !op->is_flow)
        op->key.port_lo = op->key.port_hi = ++s->next_port;
    memset(op->secret, 0x77, sizeof(op->secret));
    return 0;
}
static inline int wire_unregister(void *c, const struct net_port_op *op)
{
    (void)c;
    (void)op;
    return 0;
}
static inline struct net_addr wire_address(uint8_t family, uint8_t last)
{
    if (family == NET_INET6)
        return (struct net_addr){{0xfd, [15] = last}};
    return (struct net_addr){{10, 0, 0, last}};
}
static inline int wire_route(void *c, struct net_route_info *io)
{
    struct side *s = c;

    io->src = wire_address(io->family, s->address);
    io->gateway = io->dst;
    io->link = 1;
    io->mtu = 1500;
    io->flags = LINKF_UP | LINKF_RUNNING;
    return 0;
}

/* --- a side's life ----------------------------------------------------------------- */
static inline void side_start(unsigned which, const struct ns_config *cfg)
{
    struct side *s = &wire.side[which];
    struct ns_env env = {.ctx = s,
                         .now_ns = wire_clock,
                         .random = wire_random,
                         .alloc = wire_alloc,
                         .free = wire_free,
                         .port_register = wire_register,
                         .port_unregister = wire_unregister,
                         .route = wire_route};
    uint32_t rx = 4096, tx = 32, cq = 64, arena = 32 * 1024 + tx * NET_TX_HDR_MAX;
    uint32_t total = 4096 + rx + tx * 64 + cq * 16 + arena;

    memset(s, 0, sizeof(*s));
    s->address = (uint8_t)(which + 1);
    s->next_port = 50000;
    s->out_end = &s->out;
    s->ring = aligned_alloc(4096, (total + 4095) & ~4095u);
    memset(s->ring, 0, 4096 + rx + tx * 64 + cq * 16);
    *s->ring = (struct net_ring){.magic = NET_RING_MAGIC,
                                 .version = NET_RING_VERSION,
                                 .rx_off = 4096,
                                 .rx_size = rx,
                                 .tx_off = 4096 + rx,
                                 .tx_entries = tx,
                                 .cq_off = 4096 + rx + tx * 64,
                                 .cq_entries = cq,
                                 .arena_off = 4096 + rx + tx * 64 + cq * 16,
                                 .arena_size = arena,
                                 .total_size = total};
    MUST(netstack_create(&s->ns, &env, cfg, s->ring) == 0);
}

static inline void wire_start(void)
{
    memset(&wire, 0, sizeof(wire));
    wire.now = 5000 * NS_SEC;
    wire.mtu = 1500;
    wire.random = 1;
}

static inline struct packet *side_take(struct side *s) /* the oldest that it has sent; the caller frees it */
{
    struct packet *p = s->out;

    if (p == NULL)
        return NULL;
    s->out = p->next;
    if (s->out == NULL)
        s->out_end = &s->out;
    s->nout--;
    return p;
}

static inline void side_put(struct side *s, struct packet *p)
{
    p->next = NULL;
    *s->out_end = p;
    s->out_end = &p->next;
    s->nout++;
}

static inline void side_stop(struct side *s)
{
    struct packet *p;

    wire.fail_alloc = 0;
    netstack_destroy(s->ns);
    while ((p = side_take(s)) != NULL)
        free(p);
    free(s->ring);
}

/* --- what it sends ----------------------------------------------------------------- */
static inline struct packet *packet_new(const void *b, uint32_t n)
{
    struct packet *p = malloc(sizeof(*p) + n);

    p->next = NULL;
    p->len = n;
    memcpy(p->b, b, n);
    return p;
}

static inline uint32_t head_len(const uint8_t *b)
{
    return b[0] >> 4 == 6 ? 40 : (uint32_t)(b[0] & 15) * 4;
}
static inline uint8_t proto_of(const uint8_t *b)
{
    return b[0] >> 4 == 6 ? b[6] : b[9];
}

/* Of the transport header and what follows, for a packet without extensions. */
static inline uint16_t transport_sum(const uint8_t *b, uint32_t n)
{
    uint32_t h = head_len(b), addr = b[0] >> 4 == 6 ? 8 : 12, addrs = b[0] >> 4 == 6 ? 32 : 8;
    uint64_t sum = 0;

    if (proto_of(b) != NET_ICMP) {
        sum = csum_add(ns_swap16(proto_of(b)), ns_swap16((uint16_t)(n - h)));
        sum = csum_bytes(sum, b + addr, addrs);
    }
    return csum_fold(csum_bytes(sum, b + h, n - h));
}

static inline void check_packet(const uint8_t *b, uint32_t n)
{
    uint8_t proto = proto_of(b);

    if (b[0] >> 4 == 4) {
        MUST(n >= 20 && get16(b + 2) == n);
        MUST(csum_fold(csum_bytes(0, b, head_len(b))) == 0xffff);
        if ((get16(b + 6) & 0x3fff) != 0)
            return; /* a fragment has no checksum of its own */
    } else {
        MUST(b[0] >> 4 == 6 && n >= 40 && get16(b + 4) == n - 40);
    }
    if (proto == NET_TCP || proto == NET_UDP || proto == NET_ICMP || proto == NET_ICMP6)
        MUST(transport_sum(b, n) == 0xffff);
}

static inline void complete(struct side *s, uint64_t cookie, int status)
{
    struct net_cqe *q = (void *)((uint8_t *)s->ring + s->ring->cq_off);

    q[s->cq_head & (s->ring->cq_entries - 1)] = (struct net_cqe){.cookie = cookie, .status = status};
    s->ring->cq_head = ++s->cq_head;
}

/* Takes everything out of the transmit ring. */
static inline void side_collect(struct side *s)
{
    static uint8_t b[PACKET_MAX];
    const uint8_t *arena = (uint8_t *)s->ring + s->ring->arena_off;

    while (s->tx_tail != s->ring->tx_head) {
        struct net_tx *tx = (struct net_tx *)(void *)((uint8_t *)s->ring + s->ring->tx_off) +
                            (s->tx_tail & (s->ring->tx_entries - 1));
        uint32_t n = tx->hdr_len;

        MUST(tx->nseg <= NET_TX_SEGS && n <= NET_TX_HDR_MAX && tx->hdr_off <= s->ring->arena_size - n);
        memcpy(b, arena + tx->hdr_off, n);
        for (unsigned i = 0; i < tx->nseg; i++) {
            MUST(tx->seg[i].off <= s->ring->arena_size &&
                 tx->seg[i].len <= s->ring->arena_size - tx->seg[i].off);
            MUST(n + tx->seg[i].len <= PACKET_MAX);
            memcpy(b + n, arena + tx->seg[i].off, tx->seg[i].len);
            n += tx->seg[i].len;
        }
        check_packet(b, n);
        if (s->fail_tx > 0) {
            s->fail_tx--;
            complete(s, tx->cookie, s->fail_status);
        } else {
            side_put(s, packet_new(b, n));
            if (tx->nseg != 0 || (tx->flags & TX_NOTIFY))
                complete(s, tx->cookie, 0);
        }
        s->ring->tx_tail = ++s->tx_tail;
    }
}

static inline void side_run(struct side *s)
{
    for (int i = 0; i < 4; i++) { /* completions make room for more */
        netstack_run(s->ns, 0);
        side_collect(s);
    }
}

/* A packet comes in; b stays the caller's. */
static inline void side_input(struct side *s, const uint8_t *b, uint32_t n)
{
    struct net_rx rx = {.kind = RX_PACKET, .len = n, .time_ns = wire.now, .link = 1};
    uint8_t *exact = malloc(n != 0 ? n : 1);

    memcpy(exact, b, n);
    netstack_input(s->ns, &rx, exact);
    free(exact);
    side_run(s);
}

/* Lengths and checksums made right, whatever the rest is. */
static inline void packet_mend(uint8_t *b, uint32_t n)
{
    uint32_t h;
    uint8_t proto;
    unsigned at;

    if (n < 20 || (b[0] >> 4 == 6 && n < 40) || (h = head_len(b)) < 20 || h > n)
        return;
    if (b[0] >> 4 == 6) {
        put16(b + 4, (uint16_t)(n - 40));
    } else {
        put16(b + 2, (uint16_t)n);
        put16(b + 10, 0);
        put16_raw(b + 10, csum_finish(csum_bytes(0, b, h)));
    }
    proto = proto_of(b);
    at = proto == NET_TCP ? 16 : proto == NET_UDP ? 6 : proto == NET_ICMP || proto == NET_ICMP6 ? 2 : 0;
    if (at == 0 || n < h + at + 2)
        return;
    put16(b + h + at, 0);
    put16_raw(b + h + at, (uint16_t)~transport_sum(b, n));
}

/* An IP header before a packet of n bytes in all; packet_mend does the rest. Its length. */
static inline uint32_t packet_head(uint8_t *b, uint8_t family, uint8_t proto, uint32_t n, uint8_t from,
                                   uint8_t to)
{
    struct net_addr s = wire_address(family, from), d = wire_address(family, to);

    if (family == NET_INET) {
        ip4_header(b, n, 0, IP4_DF, 64, proto, &s, &d);
        return 20;
    }
    put32(b, 0x60000000u);
    put32(b + 4, (n - 40) << 16 | (uint32_t)proto << 8 | 64);
    memcpy(b + 8, &s, 16);
    memcpy(b + 24, &d, 16);
    return 40;
}

/* --- the fuzzer's bytes ------------------------------------------------------------ */
struct bytes {
    const uint8_t *p;
    size_t n;
};
static inline uint32_t take8(struct bytes *in)
{
    if (in->n == 0)
        return 0;
    in->n--;
    return *in->p++;
}
static inline uint32_t take16(struct bytes *in)
{
    uint32_t high = take8(in);
    return high << 8 | take8(in);
}

#endif
