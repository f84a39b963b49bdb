/* SPDX-License-Identifier: MIT
 *
 * tests/unit/stack_rig.h: one stack on a bench: the test plays the kernel and
 * the whole rest of the world, packet by packet, with its own clock.
 *
 * Our address is 10.0.0.1, the peer's 10.0.0.2. Every packet that the stack
 * sends is checked for length and checksums when it is taken.
 */
#ifndef TESTS_UNIT_STACK_RIG_H
#define TESTS_UNIT_STACK_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>
#include <net/stack/tcp.h>

#define RIG_MS  1000000ull
#define RIG_S   1000000000ull
#define OUR_IP  0x0a000001u
#define PEER_IP 0x0a000002u

static struct rig {
    struct netstack *ns;
    struct net_ring *ring;
    uint64_t now;
    uint32_t rx_head, tx_tail, cq_head;
    long allocations;
    uint16_t in_link; /* where packets come in */
    uint8_t rx_problem; /* what the kernel found wrong with the next one */
    uint16_t next_port, registered, mtu;
    uint32_t link_flags, speed_bps;
    bool no_memory;
    uint16_t flow_link; /* of the last flow entry */
    int route_error, unclaimed, registered_n, flushed_while_owned;
} rig;

static uint64_t rig_now(void *c)
{
    (void)c;
    return rig.now;
}
static void rig_random(void *c, void *p, size_t n)
{
    (void)c;
    memset(p, 0x5a, n);
}
static void *rig_alloc(void *c, size_t n)
{
    (void)c;
    if (rig.no_memory)
        return NULL;
    rig.allocations++;
    return calloc(1, n);
}
static void rig_free(void *c, void *p)
{
    (void)c;
    rig.allocations--;
    free(p);
}
static int rig_register(void *c, struct net_port_op *op)
{
    (void)c;
    op->id = 0x18001;
    if (op->key.port_lo == 0 && !op->is_flow)
        op->key.port_lo = op->key.port_hi = ++rig.next_port;
    if (op->is_flow)
        rig.flow_link = op->flow.link;
    if (op->key.port_lo == 666)
        return -EACCES;
    rig.registered_n++;
    memset(op->secret, 0x77, sizeof(op->secret));
    return 0;
}
static int rig_unregister(void *c, const struct net_port_op *op)
{
    (void)c;
    (void)op;
    rig.registered_n--;
    return 0;
}
static int rig_route(void *c, struct net_route_info *io)
{
    (void)c;
    if (io->family == NET_INET6) {
        io->src = (struct net_addr){{io->dst.b[0] == 0xfe ? 0xfe : 0xfd, io->dst.b[0] == 0xfe ? 0x80 : 0, [15] = 1}};
    } else {
        put32(io->src.b, OUR_IP);
    }
    io->gateway = io->dst;
    io->link = 1;
    io->mtu = rig.mtu;
    io->flags = rig.link_flags;
    io->speed_bps = rig.speed_bps;
    return rig.route_error;
}
static void rig_flush(void *c)
{
    (void)c;
    rig.flushed_while_owned += rig.registered_n > 0;
}
static bool rig_unclaimed(void *c, const struct net_rx *rx, const uint8_t *p)
{
    (void)c;
    (void)rx;
    (void)p;
    rig.unclaimed++;
    return false;
}

static inline uint8_t *rig_at(uint32_t off)
{
    return (uint8_t *)rig.ring + off;
}

static inline void rig_start(const struct ns_config *cfg)
{
    struct ns_env env = {.now_ns = rig_now,
                         .random = rig_random,
                         .alloc = rig_alloc,
                         .free = rig_free,
                         .port_register = rig_register,
                         .port_unregister = rig_unregister,
                         .route = rig_route,
                         .unclaimed = rig_unclaimed,
                         .flush = rig_flush};
    uint32_t rx = 64 * 1024, tx = 64, cq = 128, arena = 256 * 1024;
    uint32_t total = 4096 + rx + tx * 64 + cq * 16 + arena;

    memset(&rig, 0, sizeof(rig));
    rig.now = 5000 * RIG_S;
    rig.mtu = 1500;
    rig.next_port = 50000;
    rig.ring = aligned_alloc(4096, (total + 4095) & ~4095u);
    memset(rig.ring, 0, total);
    *rig.ring = (struct net_ring){.magic = NET_RING_MAGIC,
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
    assert_int_equal(netstack_create(&rig.ns, &env, cfg, rig.ring), 0);
}

static inline void rig_run(void)
{
    netstack_run(rig.ns, 64);
}
static inline void rig_sleep(uint64_t ns)
{
    rig.now += ns;
    rig_run();
}

/* --- what comes out ------------------------------------------------------------- */
struct out {
    bool any;
    uint8_t ip[20], proto;
    uint32_t src, dst, len; /* len: transport header and payload */
    uint8_t data[4096];
    /* TCP */
    uint16_t sport, dport, wnd, mss;
    uint32_t seq, ack, text_len, tsval, tsecr;
    uint8_t flags;
    const uint8_t *text;
    bool ts, sack_ok;
    int wscale;
    uint32_t sack_n, sack[8]; /* blocks: start, end */
};

static inline void out_tcp(struct out *o)
{
    const uint8_t *h = o->data;
    uint32_t hl = (uint32_t)(h[12] >> 4) * 4;
    struct tcp_in in = {.flags = TCP_SYN};

    o->sport = get16(h);
    o->dport = get16(h + 2);
    o->seq = get32(h + 4);
    o->ack = get32(h + 8);
    o->flags = h[13];
    o->wnd = get16(h + 14);
    o->text = h + hl;
    o->text_len = o->len - hl;
    tcp_parse_options(&in, h + 20, hl - 20);
    o->ts = in.ts_on;
    o->tsval = in.tsval;
    o->tsecr = in.tsecr;
    o->mss = in.mss;
    o->wscale = in.wscale_on ? in.wscale : -1;
    o->sack_ok = in.sack_ok;
    in = (struct tcp_in){.flags = TCP_ACK};
    tcp_parse_options(&in, h + 20, hl - 20);
    o->sack_n = in.sack_n;
    for (uint32_t i = 0; i < 2 * in.sack_n; i++)
        o->sack[i] = get32(in.sack + 4 * i);
}

/* The next packet that the stack has queued, put together in p and completed at
 * once: its length, 0 for none. */
static inline uint32_t rig_packet(uint8_t *p, size_t room, uint16_t *link)
{
    struct net_tx *tx = (struct net_tx *)(void *)rig_at(rig.ring->tx_off) + (rig.tx_tail & 63);
    uint32_t n = tx->hdr_len;

    if (rig.tx_tail == rig.ring->tx_head)
        return 0;
    memcpy(p, rig_at(rig.ring->arena_off) + tx->hdr_off, n);
    for (int i = 0; i < tx->nseg; i++) {
        assert_true(n + tx->seg[i].len <= room);
        memcpy(p + n, rig_at(rig.ring->arena_off) + tx->seg[i].off, tx->seg[i].len);
        n += tx->seg[i].len;
    }
    if (tx->nseg != 0) {
        struct net_cqe *c = (struct net_cqe *)(void *)rig_at(rig.ring->cq_off) + (rig.cq_head & 127);
        c->cookie = tx->cookie;
        c->status = 0;
        rig.ring->cq_head = ++rig.cq_head;
    }
    *link = tx->link;
    rig.ring->tx_tail = ++rig.tx_tail;
    return n;
}

static inline struct out rig_out(void)
{
    struct out o = {.any = false};
    uint8_t p[4200];
    uint16_t link;
    uint32_t n = rig_packet(p, sizeof(p), &link);
    uint64_t pseudo;

    if (n == 0)
        return o;
    assert_int_equal(get16(p + 2), n);
    assert_int_equal(csum_fold(csum_20(p)), 0xffff);
    assert_int_equal(get16(p + 6) & 0x3fff, 0); /* the net core cuts, the stack does not */
    o.any = true;
    memcpy(o.ip, p, 20);
    o.proto = p[9];
    o.src = get32(p + 12);
    o.dst = get32(p + 16);
    o.len = n - 20;
    memcpy(o.data, p + 20, o.len);
    pseudo = o.proto == NET_ICMP
                 ? 0
                 : csum_bytes(csum_add(ns_swap16(o.proto), ns_swap16((uint16_t)o.len)), p + 12, 8);
    assert_int_equal(csum_fold(csum_bytes(pseudo, p + 20, n - 20)), 0xffff);
    if (o.proto == NET_TCP)
        out_tcp(&o);
    return o;
}


static inline unsigned rig_drain(void)
{
    unsigned n = 0;
    while (rig_out().any)
        n++;
    return n;
}

/* The kernel could not send the last record taken: complete it with an error. */
static inline void rig_fail_next(int status)
{
    struct net_tx *tx = (struct net_tx *)(void *)rig_at(rig.ring->tx_off) + (rig.tx_tail & 63);
    struct net_cqe *c = (struct net_cqe *)(void *)rig_at(rig.ring->cq_off) + (rig.cq_head & 127);

    assert_true(rig.tx_tail != rig.ring->tx_head);
    c->cookie = tx->cookie;
    c->status = status;
    rig.ring->cq_head = ++rig.cq_head;
    rig.ring->tx_tail = ++rig.tx_tail;
}

/* --- what goes in --------------------------------------------------------------- */
static inline void rig_in_raw(const uint8_t *p, size_t n, uint8_t slot)
{
    uint32_t size = (uint32_t)(sizeof(struct net_rx) + n + 15) & ~15u, off = rig.rx_head & 65535;
    struct net_rx *rx = (struct net_rx *)(void *)(rig_at(4096) + off);

    if (65536 - off < size) {
        rx->size = 65536 - off;
        rx->kind = RX_PAD;
        rig.rx_head += 65536 - off;
        rx = (struct net_rx *)(void *)rig_at(4096);
    }
    memset(rx, 0, sizeof(*rx));
    rx->size = size;
    rx->kind = RX_PACKET;
    rx->len = (uint32_t)n;
    rx->slot = slot;
    rx->link = rig.in_link;
    rx->problem = rig.rx_problem;
    rx->problem_at = 42;
    memcpy(rx + 1, p, n);
    rig.rx_head += size;
    rig.ring->rx_head = rig.rx_head;
    rig_run();
}

static inline void rig_in_ip(uint8_t proto, uint32_t src, uint32_t dst, uint8_t *data, uint32_t n,
                             unsigned csum_off, uint8_t slot)
{
    uint8_t p[4200];
    uint64_t sum = 0;
    struct net_addr s = {{0}}, d = {{0}};

    put32(s.b, src);
    put32(d.b, dst);
    ip4_header(p, 20 + n, 1, 0, 64, proto, &s, &d);
    memcpy(p + 20, data, n);
    put16(p + 20 + csum_off, 0);
    if (proto != NET_ICMP)
        sum = csum_add(ip_pseudo(NET_INET, proto, &s, &d), ns_swap16((uint16_t)n));
    put16_raw(p + 20 + csum_off, csum_finish(csum_bytes(sum, p + 20, n)));
    rig_in_raw(p, 20 + n, slot);
}

struct seg {
    uint16_t sport, dport, mss;
    uint32_t seq, ack, tsval, tsecr, text_len;
    uint8_t flags;
    uint16_t wnd;
    bool ts, no_wscale, sack_ok;
    int wscale;
    const void *text;
    uint8_t slot;
    uint32_t sack_n, sack[8]; /* blocks: start, end */
};
static inline void rig_in(const struct seg *g)
{
    uint8_t b[4100] = {0};
    uint32_t hl = 20;

    put16(b, g->sport);
    put16(b + 2, g->dport);
    put32(b + 4, g->seq);
    put32(b + 8, g->ack);
    b[13] = g->flags;
    put16(b + 14, g->wnd);
    if (g->mss != 0) {
        put32(b + hl, 0x02040000u | g->mss);
        hl += 4;
    }
    if (g->ts)
        hl += tcp_put_ts(b + hl, g->tsval, g->tsecr);
    if (g->wscale > 0) {
        put32(b + hl, 0x01030300u | (uint32_t)g->wscale);
        hl += 4;
    }
    if (g->sack_ok) {
        put32(b + hl, 0x01010402u);
        hl += 4;
    }
    if (g->sack_n != 0) {
        put32(b + hl, 0x01010502u + 8 * g->sack_n);
        for (uint32_t i = 0; i < 2 * g->sack_n; i++)
            put32(b + hl + 4 + 4 * i, g->sack[i]);
        hl += 4 + 8 * g->sack_n;
    }
    b[12] = (uint8_t)(hl / 4 << 4);
    if (g->text_len != 0)
        memcpy(b + hl, g->text, g->text_len);
    rig_in_ip(NET_TCP, PEER_IP, OUR_IP, b, hl + g->text_len, 16, g->slot);
}

static inline void rig_stop(void)
{
    netstack_destroy(rig.ns);
    assert_int_equal(rig.allocations, 0);
    assert_int_equal(rig.registered_n, 0);
    free(rig.ring);
}

#endif
