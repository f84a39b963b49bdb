/* SPDX-License-Identifier: MIT
 *
 * net/stack/netstack.c: the stack's life and its one driver, netstack_run.
 *
 * Owns: struct netstack. See netstack.h for who calls and in which context.
 */
#include <net/stack/tcp.h>

#define CONN_TABLE_FIRST 64u

static uint32_t or_default(uint32_t v, uint32_t otherwise)
{
    return v != 0 ? v : otherwise;
}

static int take_ring(struct netstack *ns, struct net_ring *ring)
{
    uint8_t *base = (uint8_t *)ring;
    uint32_t slots = ring->tx_entries * NET_TX_HDR_MAX;

    if (ring->magic != NET_RING_MAGIC || ring->version != NET_RING_VERSION || ring->arena_size <= slots)
        return -EINVAL;
    ns->ring = ring;
    ns->rx_base = base + ring->rx_off;
    ns->rx_mask = ring->rx_size - 1;
    ns->rx_tail = ring->rx_tail;
    ns->tx_base = (struct net_tx *)(void *)(base + ring->tx_off);
    ns->tx_entries = ring->tx_entries;
    ns->tx_mask = ring->tx_entries - 1;
    ns->tx_head = ns->tx_kicked = ring->tx_head;
    ns->tx_tail_seen = ring->tx_tail;
    ns->cq_base = (struct net_cqe *)(void *)(base + ring->cq_off);
    ns->cq_mask = ring->cq_entries - 1;
    ns->cq_tail = ring->cq_tail;
    ns->arena = base + ring->arena_off;
    ns->blk_base = ns->arena + slots;
    ns->nblk = (ring->arena_size - slots) / BLK_BYTES;
    ns->blk = ns_alloc(ns, (ns->nblk != 0 ? ns->nblk : 1) * sizeof(*ns->blk));
    if (ns->blk == NULL)
        return -ENOMEM;
    ns->blk_free = NS_NONE;
    for (uint32_t i = ns->nblk; i-- > 0;) { /* lowest first: neighbours merge into one segment */
        ns->blk[i].next = ns->blk_free;
        ns->blk_free = i;
    }
    ns->blk_nfree = ns->nblk_near = ns->nblk;
    ns->arena_full = (ring->arena_size - slots) % BLK_BYTES != 0; /* offsets would not go on evenly */
    return 0;
}

int netstack_create(struct netstack **out, const struct ns_env *env, const struct ns_config *cfg,
                    struct net_ring *ring)
{
    struct netstack *ns = env->alloc(env->ctx, sizeof(*ns));
    int r;

    if (ns == NULL)
        return -ENOMEM;
    ns->env = *env;
    if (cfg != NULL)
        ns->cfg = *cfg;
    ns->cfg.sockets_max = or_default(ns->cfg.sockets_max, 1024);
    ns->cfg.tcp_sndbuf_max = or_default(ns->cfg.tcp_sndbuf_max, or_default(ns->cfg.tcp_sndbuf, 4u << 20));
    ns->cfg.tcp_rcvbuf_max = or_default(ns->cfg.tcp_rcvbuf_max, or_default(ns->cfg.tcp_rcvbuf, 4u << 20));
    ns->cfg.tcp_grown_max = or_default(ns->cfg.tcp_grown_max, 16u << 20);
    ns->cfg.tcp_sndbuf = or_default(ns->cfg.tcp_sndbuf, 64 * 1024);
    ns->cfg.tcp_rcvbuf = or_default(ns->cfg.tcp_rcvbuf, 64 * 1024);
    ns->cfg.udp_rcvbuf = or_default(ns->cfg.udp_rcvbuf, 128 * 1024);
    ns->cfg.time_wait_ms = or_default(ns->cfg.time_wait_ms, 60000);
    if (ns->cfg.sockets_max > 1u << 20)
        ns->cfg.sockets_max = 1u << 20;
    ns->conn = ns_alloc(ns, CONN_TABLE_FIRST * sizeof(*ns->conn));
    ns->conn_mask = CONN_TABLE_FIRST - 1;
    r = ns->conn == NULL ? -ENOMEM : take_ring(ns, ring);
    if (r == 0)
        r = timer_reserve(ns, 2);
    if (r != 0) {
        if (ns->conn != NULL)
            ns_free(ns, ns->conn);
        if (ns->blk != NULL)
            ns_free(ns, ns->blk);
        ns_free(ns, ns);
        return r;
    }
    ns->tw_timer.fn = tw_timer;
    ns->tw_timer.when = NS_NEVER;
    path_mtu_init(ns);
    ns->env.random(ns->env.ctx, ns->hash_key, sizeof(ns->hash_key));
    ns->hash_key[3] |= 1;
    ns->env.random(ns->env.ctx, ns->label_key, sizeof(ns->label_key));
    ns->env.random(ns->env.ctx, &ns->ip_id, sizeof(ns->ip_id));
    ns->icmp_limit.when_ns = ns->rst_limit.when_ns = ns_clock(ns);
    ns->icmp_limit.tokens = ns->rst_limit.tokens = NS_SEC; /* full, wherever the clock begins */
    *out = ns;
    return 0;
}

void netstack_destroy(struct netstack *ns)
{
    ns_clock(ns);
    for (uint32_t i = 0; i < ns->socks_room; i++) {
        struct nsock *s = ns->socks[i];
        if (s == NULL)
            continue;
        if (s->type == NS_STREAM) {
            ((struct tcb *)s)->linger_s = 0; /* RST */
            if (s->closed)
                tcb_abort((struct tcb *)s, 0, true);
            else
                tcp_close((struct tcb *)s);
        } else {
            dgram_close((struct dsock *)s);
        }
    }
    sock_reap(ns);
    while (ns->tw_head != NULL)
        tw_free(ns, ns->tw_head);
    if (ns->env.kick != NULL && ns->tx_kicked != ns->tx_head)
        ns->env.kick(ns->env.ctx);
    while (ns->chunk_free != NULL) {
        struct chunk *c = ns->chunk_free;
        ns->chunk_free = c->next;
        ns_free(ns, c);
    }
    tcp_rec_pool_free(ns);
    if (ns->socks != NULL)
        ns_free(ns, ns->socks);
    if (ns->heap != NULL)
        ns_free(ns, ns->heap);
    ns_free(ns, ns->conn);
    ns_free(ns, ns->blk);
    ns_free(ns, ns);
}

void netstack_input(struct netstack *ns, const struct net_rx *rx, const uint8_t *packet)
{
    if (rx->time_ns > ns->now)
        ns->now = rx->time_ns;
    ip_input(ns, rx, packet);
}

/* Connections that found the transmit ring full try again, once each. */
static void run_outq(struct netstack *ns)
{
    struct tcb *t = ns->outq;

    ns->outq = NULL;
    while (t != NULL) {
        struct tcb *next = t->outq_next;
        t->in_outq = false;
        tcp_output(t);
        t = next;
    }
}

int netstack_run(struct netstack *ns, int budget)
{
    int taken = 0;

    ns_clock(ns);
    ring_completions(ns);
    while (taken < budget) {
        const struct net_rx *rx = ns_ring_peek(ns->ring, &ns->rx_tail);
        if (rx == NULL)
            break;
        ip_input(ns, rx, (const uint8_t *)(rx + 1));
        ns_ring_pop(ns->ring, &ns->rx_tail, rx);
        taken++;
    }
    timer_run(ns);
    if (ns->outq != NULL)
        run_outq(ns);
    if (ns->reap != NULL)
        sock_reap(ns);
    if (ns->env.kick != NULL && ns->tx_kicked != ns->tx_head) {
        ns->tx_kicked = ns->tx_head;
        ns->env.kick(ns->env.ctx);
    }
    return taken;
}

uint64_t netstack_deadline(struct netstack *ns)
{
    if (ns->outq != NULL && tx_room(ns))
        return 0;
    return timer_next(ns);
}

unsigned netstack_sockets(const struct netstack *ns)
{
    return ns->nsocks;
}

static bool lingers(const struct nsock *s)
{
    const struct tcb *t = (const struct tcb *)s;

    return s != NULL && s->type == NS_STREAM && tcb_orphan(t) && t->state >= TCP_ESTABLISHED &&
           t->state <= TCP_LAST_ACK;
}

unsigned netstack_lingering(const struct netstack *ns)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < ns->socks_room; i++)
        n += lingers(ns->socks[i]);
    return n;
}

struct nsock *ns_orphan(const struct netstack *ns)
{
    for (uint32_t i = 0; i < ns->socks_room; i++)
        if (lingers(ns->socks[i]))
            return ns->socks[i];
    return NULL;
}
