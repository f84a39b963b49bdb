/* SPDX-License-Identifier: MIT
 *
 * net/host/hostnet.c: a kernel and a netd for one libnet, in its own process. See
 * hostnet.h.
 *
 * Owns: the other side of the stack's ring, and its registry: one bit for each
 * port, since there is nobody to share them with.
 */
#include <net/host/hostnet.h>
#include <net/host/kring.h>
#include <net/host/pieces.h>
#include <net/stack/frag.h>
#include <net/stack/ns.h>
#include <stdlib.h>

#define LINK         1
#define PORTS        65536u
#define PORT_FIRST   49152u /* RFC 6335: the dynamic ports begin here */
#define PACKET_MAX   65535u
#define RUN_BUDGET   256
#define PROTOS       4 /* TCP, UDP, echo of ICMP and of ICMPv6 */
#define IP6_HDR      40
#define FRAGMENT     44
#define FLOW_ID      0x18001u /* nobody else could get its packets: one id serves all */

struct hostnet {
    struct hostnet_config config;
    struct netstack *ns;
    struct kring ring;
    struct frag frag;
    uint64_t now;
    uint32_t broadcast;
    uint32_t fragment_id;
    uint8_t secret[NET_SECRET_BYTES];
    uint8_t ports[PROTOS][PORTS / 8];
    uint8_t packet[PACKET_MAX];
};

/* --- the environment --- */

static uint64_t env_now(void *ctx)
{
    return ((struct hostnet *)ctx)->now;
}

static void env_random(void *ctx, void *buf, size_t n)
{
    struct hostnet *h = ctx;

    h->config.random(h->config.ctx, buf, n);
}

static void *env_alloc(void *ctx, size_t n)
{
    (void)ctx;
    return calloc(1, n);
}

static void env_free(void *ctx, void *p)
{
    (void)ctx;
    free(p);
}

static uint8_t *port_byte(struct hostnet *h, uint8_t proto, uint16_t port)
{
    return &h->ports[proto == NET_TCP ? 0 : proto == NET_UDP ? 1 : proto == NET_ICMP ? 2 : 3][port / 8];
}

/* RFC 6056 3.3.1: begin anywhere and take the next that is free; 0 for none. */
static uint16_t free_port(struct hostnet *h, uint8_t proto)
{
    uint32_t start, span = PORTS - PORT_FIRST;

    env_random(h, &start, sizeof(start));
    for (uint32_t i = 0; i < span; i++) {
        uint16_t port = (uint16_t)(PORT_FIRST + (start % span + i) % span);
        if ((*port_byte(h, proto, port) & 1u << port % 8) == 0)
            return port;
    }
    return 0;
}

static int env_register(void *ctx, struct net_port_op *op)
{
    struct hostnet *h = ctx;
    uint16_t port = op->key.port_lo;

    op->id = FLOW_ID;
    if (op->is_flow)
        return 0;
    if (port == 0 && (port = free_port(h, op->key.proto)) == 0)
        return -EADDRINUSE;
    *port_byte(h, op->key.proto, port) |= (uint8_t)(1u << port % 8);
    op->key.port_lo = op->key.port_hi = port;
    memcpy(op->secret, h->secret, sizeof(op->secret));
    return 0;
}

static int env_unregister(void *ctx, const struct net_port_op *op)
{
    struct hostnet *h = ctx;

    if (!op->is_flow)
        *port_byte(h, op->key.proto, op->key.port_lo) &= (uint8_t)~(1u << op->key.port_lo % 8);
    return 0;
}

static int env_route(void *ctx, struct net_route_info *io)
{
    struct hostnet *h = ctx;

    io->src = io->family == NET_INET ? h->config.addr4 : h->config.addr6;
    if (addr_any(&io->src))
        return -ENETUNREACH;
    io->gateway = io->dst;
    io->link = LINK;
    io->mtu = h->config.mtu;
    io->flags = LINKF_UP | LINKF_RUNNING | LINKF_POINTOPOINT;
    io->speed_bps = 0;
    return 0;
}

/* Fragments come here; nothing else is of use. */
static bool env_unclaimed(void *ctx, const struct net_rx *rx, const uint8_t *packet)
{
    struct hostnet *h = ctx;
    struct net_rx whole = {.kind = RX_PACKET, .link = LINK, .time_ns = rx->time_ns};
    size_t n;
    uint8_t *p;

    if (rx->kind != RX_PACKET || (packet[0] >> 4 == 4 ? (get16(packet + 6) & 0x3fff) == 0 : packet[6] != FRAGMENT))
        return false;
    p = frag_input(&h->frag, packet, rx->len, h->now, &n);
    if (p != NULL) {
        whole.len = (uint32_t)n;
        netstack_input(h->ns, &whole, p);
        free(p);
    }
    return true;
}

/* --- out --- */

static bool is_ours(const struct hostnet *h, const uint8_t *packet)
{
    return packet[0] >> 4 == 4 ? memcmp(packet + 16, h->config.addr4.b, 4) == 0
                               : memcmp(packet + 24, h->config.addr6.b, 16) == 0;
}

static int leave(void *ctx, const uint8_t *packet, size_t n)
{
    struct hostnet *h = ctx;

    if (is_ours(h, packet)) /* to ourselves: it need not see the link */
        return hostnet_input(h, h->now, packet, n);
    return h->config.output(h->config.ctx, packet, n);
}

static void *arena_more(void *ctx)
{
    return kring_more(&((struct hostnet *)ctx)->ring);
}

/* A checksum that is left to the device: the field holds the pseudo-header's sum. */
static void complete_checksum(uint8_t *p, size_t n)
{
    uint32_t head = p[0] >> 4 == 4 ? 20 : IP6_HDR;
    uint8_t proto = head == 20 ? p[9] : p[6];
    uint16_t sum = csum_finish(csum_bytes(0, p + head, n - head));

    put16_raw(p + head + (proto == NET_TCP ? 16 : 6), sum == 0 && proto == NET_UDP ? 0xffff : sum);
}

static int send_record(struct hostnet *h, const struct net_tx *tx, const uint8_t *hdr)
{
    int64_t n = kring_gather(&h->ring, tx, hdr, h->packet, sizeof(h->packet));
    uint8_t *p = h->packet;

    if (n < 20 || (p[0] >> 4 == 4 ? get16(p + 2) != n : get16(p + 4) + IP6_HDR != n))
        return -EINVAL;
    if (tx->csum == CSUM_PARTIAL)
        complete_checksum(p, (size_t)n);
    if (n <= h->config.mtu)
        return leave(h, p, (size_t)n);
    if ((tx->flags & TX_DONT_CUT) != 0)
        return -EMSGSIZE;
    env_random(h, &h->fragment_id, sizeof(h->fragment_id));
    return pieces_send(p, (size_t)n, h->config.mtu, h->fragment_id, leave, h);
}

static void pump(void *ctx)
{
    struct hostnet *h = ctx;
    uint8_t hdr[NET_TX_HDR_MAX];
    struct net_tx tx;
    int r;

    while ((r = kring_take(&h->ring, &tx, hdr)) != 0)
        kring_done(&h->ring, &tx, r < 0 ? -EINVAL : send_record(h, &tx, hdr));
}

/* --- in --- */

static bool for_us(const struct hostnet *h, const uint8_t *packet)
{
    static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};

    if (is_ours(h, packet))
        return true;
    if (packet[0] >> 4 == 4)
        return get32(packet + 16) == h->broadcast || get32(packet + 16) == 0xffffffffu;
    return memcmp(packet + 24, all_nodes, 16) == 0;
}

int hostnet_input(struct hostnet *h, uint64_t now_ns, const uint8_t *packet, size_t n)
{
    struct net_rx meta = {.link = LINK, .time_ns = now_ns};

    if (now_ns > h->now)
        h->now = now_ns;
    if (n < 20 || n > PACKET_MAX || (packet[0] >> 4 != 4 && (packet[0] >> 4 != 6 || n < IP6_HDR)))
        return -EINVAL;
    if (!for_us(h, packet))
        return -EADDRNOTAVAIL;
    return kring_deliver(&h->ring, &meta, packet, n) ? 0 : -ENOBUFS;
}

uint64_t hostnet_run(struct hostnet *h, uint64_t now_ns)
{
    uint64_t next, pieces;

    if (now_ns > h->now)
        h->now = now_ns;
    netstack_run(h->ns, RUN_BUDGET);
    pump(h);
    frag_run(&h->frag, h->now);
    if (ns_ring_peek(h->ring.ring, &(uint32_t){h->ring.ring->rx_tail}) != NULL ||
        h->ring.cq_head != h->ring.ring->cq_tail)
        return h->now; /* more than the budget, or room that came back */
    next = netstack_deadline(h->ns);
    pieces = frag_deadline(&h->frag);
    return next < pieces ? next : pieces;
}

struct netstack *hostnet_stack(struct hostnet *h)
{
    return h->ns;
}

/* --- life --- */

static uint32_t or_default(uint32_t v, uint32_t otherwise)
{
    return v != 0 ? v : otherwise;
}

static bool plausible(const struct hostnet_config *c)
{
    return c->output != NULL && c->random != NULL && c->prefix4 <= 32 &&
           (c->mtu == 0 || c->mtu >= (addr_any(&c->addr6) ? 576 : 1280));
}

int hostnet_create(struct hostnet **out, const struct hostnet_config *c, uint64_t now_ns)
{
    const struct ns_env env_calls = {.now_ns = env_now,
                                     .random = env_random,
                                     .alloc = env_alloc,
                                     .free = env_free,
                                     .kick = pump,
                                     .arena_more = arena_more,
                                     .flush = pump,
                                     .port_register = env_register,
                                     .port_unregister = env_unregister,
                                     .route = env_route,
                                     .unclaimed = env_unclaimed};
    struct ns_env env = env_calls;
    struct hostnet *h;
    uint32_t hosts;
    int r;

    if (!plausible(c))
        return -EINVAL;
    h = calloc(1, sizeof(*h));
    if (h == NULL)
        return -ENOMEM;
    env.ctx = h;
    h->config = *c;
    h->now = now_ns;
    h->config.mtu = (uint16_t)or_default(c->mtu, 1500);
    h->config.stack.icmp_echo_reply = h->config.stack.reset_unbound = true;
    hosts = c->prefix4 == 0 || c->prefix4 >= 31 ? 0 : UINT32_MAX >> c->prefix4;
    h->broadcast = get32(c->addr4.b) | hosts;
    env_random(h, h->secret, sizeof(h->secret));
    frag_init(&h->frag, h, env_alloc, env_free);
    r = kring_make(&h->ring, or_default(c->rx_bytes, 256 * 1024), or_default(c->tx_entries, 256),
                   or_default(c->arena_bytes, 1024 * 1024));
    if (r == 0)
        r = netstack_create(&h->ns, &env, &h->config.stack, h->ring.ring);
    if (r < 0) {
        kring_free(&h->ring);
        free(h);
        return r;
    }
    *out = h;
    return 0;
}

void hostnet_destroy(struct hostnet *h)
{
    netstack_destroy(h->ns);
    pump(h);
    frag_run(&h->frag, UINT64_MAX); /* what is half there will not become whole */
    kring_free(&h->ring);
    free(h);
}
