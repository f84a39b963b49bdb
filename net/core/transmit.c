/* SPDX-License-Identifier: MIT
 *
 * net/core/transmit.c: from a process' transmit ring to a link.
 *
 * Owns: the consumer's side of the transmit rings and the turns that endpoints
 * take. Each record is read once out of shared memory, its header is copied, and
 * only the copies are checked and sent. Context and lock: as in net/core/core.h.
 */
#include <net/core/ip6.h>
#include <net/core/ports.h>

#define KICK_RECORDS  64u  /* one system call sends at most so many at once */
#define QUANTUM_BYTES 3028 /* two full frames a turn */
#define SHARED_PAGE   4096u

/* --- what does not go out ------------------------------------------------------------------- */

/* The record ends here without a link: success or failure goes back at once. */
static void finish_here(struct tx *t, int status)
{
    struct net_endpoint *e = t->endpoint;

    if (t->nb != NULL)
        netbuf_free(t->nb);
    if (status != 0 || t->record.nseg != 0 || (t->record.flags & TX_NOTIFY) != 0)
        endpoint_complete(e, t->record.cookie, status);
}

static void fail(struct tx *t)
{
    core.c.send_failed++;
    count_drop(t->why);
    finish_here(t, t->status);
}

/* --- building --------------------------------------------------------------------------------- */

bool tx_add_piece(struct tx *t, struct netbuf *nb, uint32_t off, uint32_t left)
{
    struct net_endpoint *e = t->endpoint;

    while (left != 0) {
        uint32_t at = e->arena_off + off, room = SHARED_PAGE - (at & (SHARED_PAGE - 1));
        struct netbuf_frag *f = &nb->frag[nb->nfrags];

        if (nb->nfrags == NETBUF_FRAGS)
            return tx_refuse(t, DROP_TX_MTU, -EMSGSIZE);
        f->len = left < room ? left : room;
        if (off < e->arena_size) {
            f->virt = e->arena + off;
            f->phys = nc_shared_phys(&e->shm, at);
        } else {
            f->virt = arena_far(e, off, &f->phys);
        }
        nb->nfrags++;
        off += f->len;
        left -= f->len;
    }
    return true;
}

static bool add_segments(struct tx *t)
{
    for (unsigned i = 0; i < t->record.nseg; i++)
        if (!tx_add_piece(t, t->nb, t->record.seg[i].off, t->record.seg[i].len))
            return false;
    return true;
}

/* To ourselves nothing goes by physical pages: 64 KiB are no more than the record's
 * segments. */
static void add_whole_segments(struct tx *t)
{
    struct netbuf *nb = t->nb;

    for (unsigned i = 0; i < t->record.nseg; i++)
        nb->frag[nb->nfrags++] = (struct netbuf_frag){.virt = arena_at(t->endpoint, t->record.seg[i].off),
                                                      .len = t->record.seg[i].len};
}

/* The whole packet in one piece. */
static uint32_t flatten(const struct tx *t, uint8_t *flat)
{
    uint8_t *to = flat + t->nb->head_len;

    __builtin_memcpy(flat, t->nb->head, t->nb->head_len);
    for (unsigned i = 0; i < t->record.nseg; i++) {
        __builtin_memcpy(to, arena_at(t->endpoint, t->record.seg[i].off), t->record.seg[i].len);
        to += t->record.seg[i].len;
    }
    return (uint32_t)(to - flat);
}

static bool build(struct tx *t)
{
    const struct net_tx *r = &t->record;
    struct netbuf *nb;

    t->nb = nb = netbuf_alloc();
    if (nb == NULL)
        return tx_refuse(t, DROP_TX_LINK_FULL, -ENOBUFS);
    nb->head = nb->room + NETBUF_HEADROOM - ((r->flags & TX_FRAME) != 0 ? ETH_HDR : 0);
    nb->head_len = r->hdr_len;
    nb->total_len = t->total;
    nb->cookie = r->cookie;
    nb->tx_flags = r->flags;
    __builtin_memcpy(nb->head, arena_at(t->endpoint, r->hdr_off), r->hdr_len); /* C-TX-1 */
    t->ip = nb->head;
    return true;
}

static unsigned checksum_field(uint8_t proto)
{
    return proto == NET_TCP ? 16 : proto == NET_UDP ? 6 : proto == NET_ICMP || proto == NET_ICMP6 ? 2 : 0;
}

/* Over the copied header from `start`, and the payload where it lies. */
static uint16_t record_sum(const struct tx *t, uint32_t start)
{
    uint32_t done = t->nb->head_len - start;
    uint64_t sum = checksum_add(0, t->nb->head + start, done);

    for (unsigned i = 0; i < t->record.nseg; i++) {
        const struct net_seg *s = &t->record.seg[i];

        sum += checksum_turned(arena_at(t->endpoint, s->off), s->len, done);
        done += s->len;
    }
    return checksum_fold(sum);
}

/* The field holds the pseudo-header's sum; whoever completes it adds the rest. */
bool tx_prepare_checksum(struct tx *t, const struct link *l)
{
    struct netbuf *nb = t->nb;
    uint32_t start = (uint32_t)(t->ip - nb->head) + t->ip_header;
    unsigned field = checksum_field(t->proto);
    uint16_t sum;

    if (field == 0 || start + field + 2 > nb->head_len)
        return tx_refuse(t, DROP_TX_BAD_RECORD, -EINVAL);
    if (l != NULL && (l->features & LINKO_TX_CSUM) != 0) {
        nb->csum = CSUM_PARTIAL;
        nb->csum_start = (uint16_t)start;
        nb->csum_offset = (uint16_t)field;
        return true;
    }
    sum = (uint16_t)~record_sum(t, start);
    if (sum == 0 && t->proto == NET_UDP)
        sum = 0xffff; /* RFC 768: zero would say "none" */
    __builtin_memcpy(nb->head + start + field, &sum, 2);
    return true;
}

/* --- the ways out --------------------------------------------------------------------------------- */

static bool send_on(struct tx *t, struct link *l)
{
    t->nb->owner = t->endpoint;
    link_queue(l, t->nb);
    return true;
}

static bool inject(struct tx *t)
{
    uint8_t *flat = core_bounce();
    struct packet p = {.frame = flat, .l3 = flat, .csum = CSUM_VERIFIED};

    if (!endpoint_has(t->endpoint, RIGHT_NET_INJECT))
        return tx_refuse(t, DROP_TX_NO_RIGHT, -EACCES);
    p.link = t->record.link == LINK_ANY ? &loopback : link_by_index(t->record.link);
    if (flat == NULL)
        return tx_refuse(t, DROP_TX_LINK_FULL, -ENOBUFS);
    p.csum = t->record.csum == CSUM_PARTIAL ? CSUM_PARTIAL : CSUM_NONE;
    p.l3_len = flatten(t, flat);
    core.c.injected++;
    receive_packet(&p, core_now(), t->endpoint);
    finish_here(t, 0);
    return true;
}

/* Nobody knows the next hop's MAC: netd gets the packet, resolves, and sends it
 * on. It may use half of the slot's ring, so that ARP still finds room. */
static bool ask_netd(struct tx *t)
{
    struct net_endpoint *netd = core.slot[SLOT_NEIGHBOUR];
    struct net_addr hop = t->family == NET_INET ? addr_from_ip4(t->to->nexthop) : *t->hop6;
    const struct neighbour *n = neigh_find(t->to->link->index, t->family, &hop);
    struct net_rx meta = {
        .kind = RX_UNRESOLVED, .link = t->to->link->index, .slot = SLOT_NEIGHBOUR + 1, .time_ns = core_now()};
    uint8_t *flat = core_bounce();
    uint32_t len;
    bool whole;

    if (netd == NULL || (n != NULL && n->state == NEIGH_FAILED) || (t->record.flags & TX_RESEND) != 0)
        return tx_refuse(t, DROP_TX_NO_NEIGHBOUR, -EHOSTUNREACH);
    /* A datagram that is larger than that share is lost, but its header has the neighbour
     * asked for, so that the next one goes out. */
    whole = t->total <= netd->rx_size / 2 - 2 * sizeof(meta);
    len = whole ? t->total : t->ip_header;
    if (flat == NULL || ring_free(netd) < netd->rx_size / 2 + len + 2 * sizeof(meta)) /* C-TX-8 */
        return tx_refuse(t, DROP_TX_NO_NEIGHBOUR, -ENOBUFS);
    if (t->record.csum == CSUM_PARTIAL && !tx_prepare_checksum(t, NULL))
        return false;
    flatten(t, flat);
    if (!ring_put(netd, &meta, flat, len))
        return tx_refuse(t, DROP_TX_NO_NEIGHBOUR, -ENOBUFS);
    endpoint_wake(netd);
    if (!whole)
        return tx_refuse(t, DROP_TX_NO_NEIGHBOUR, -ENOBUFS);
    finish_here(t, 0);
    return true;
}

static bool mac_given(const struct tx *t)
{
    static const uint8_t none[6];

    return t->record.link != LINK_ANY && __builtin_memcmp(t->record.nexthop_mac, none, 6) != 0 &&
           endpoint_has(t->endpoint, RIGHT_NET_DEFAULT);
}

static bool route(struct tx *t, struct dst_cache *own)
{
    struct dst_cache *d = &t->endpoint->dst[(t->dst >> 24) % DST_CACHE];

    if (mac_given(t)) { /* netd has resolved it, or talks to a DHCP server it knows */
        struct link *l = link_by_index(t->record.link);

        *own =
            (struct dst_cache){.dst = t->dst, .link = l, .mtu = l->mtu, .nexthop = t->dst, .mac_known = true};
        __builtin_memcpy(own->mac, t->record.nexthop_mac, 6);
        t->to = own;
        return true;
    }
    t->to = d;
    if (d->generation == core.config_gen && d->dst == t->dst && d->want_link == t->record.link)
        return true;
    return resolve4(d, t->dst, t->record.link) == 0 || tx_refuse(t, DROP_TX_NO_ROUTE, -ENETUNREACH);
}

static bool route6(struct tx *t, struct dst_cache6 *own)
{
    struct dst_cache6 *d = &t->endpoint->dst6[t->dst6.b[15] % DST_CACHE];
    uint16_t want = tx_want_link6(t);

    if (mac_given(t)) {
        struct link *l = link_by_index(t->record.link);

        if (!link_takes_ip6(l))
            return tx_refuse(t, DROP_TX_NO_ROUTE, -ENETUNREACH);
        *own = (struct dst_cache6){
            .to = {.link = l, .mtu = l->mtu, .mac_known = true}, .dst = t->dst6, .hop = t->dst6};
        __builtin_memcpy(own->to.mac, t->record.nexthop_mac, 6);
        d = own;
    } else if (d->to.generation != core.config_gen || d->to.want_link != want ||
               !addr_equal(&d->dst, &t->dst6)) {
        if (resolve6(d, &t->dst6, want) != 0)
            return tx_refuse(t, DROP_TX_NO_ROUTE, -ENETUNREACH);
    }
    t->to = &d->to;
    t->hop6 = &d->hop;
    return true;
}

static bool send_ip(struct tx *t)
{
    struct dst_cache6 own;
    struct link *l;
    bool ok;

    if ((t->record.flags & TX_RESEND) != 0 && !endpoint_has(t->endpoint, RIGHT_NET_DEFAULT))
        return tx_refuse(t, DROP_TX_NO_RIGHT, -EACCES);
    if ((t->ip[0] >> 4) == 6)
        ok = tx_check_ip6(t) && route6(t, &own) && tx_check_ports6(t);
    else
        ok = tx_check_ip4(t) && route(t, &own.to) && tx_check_ports(t);
    if (!ok)
        return false;
    l = t->to->link;
    if ((l->flags & LINKF_UP) == 0)
        return tx_refuse(t, DROP_TX_LINK_DOWN, -ENETDOWN);
    if (t->total > t->to->mtu || t->record.path_mtu != 0) {
        uint32_t mtu = tx_mtu(t);

        if (t->total > mtu)
            return tx_may_cut(t) && (t->to->mac_known ? tx_cut(t, mtu) : ask_netd(t));
    }
    if (!t->to->mac_known)
        return ask_netd(t);
    if (l == &loopback)
        add_whole_segments(t);
    else if (!add_segments(t))
        return false;
    if ((l->flags & LINKF_ETHERNET) != 0)
        tx_add_ethernet(t, t->nb);
    if (t->record.csum == CSUM_PARTIAL && !tx_prepare_checksum(t, l))
        return false;
    return send_on(t, l);
}

static bool send_frame(struct tx *t)
{
    return tx_check_frame(t) && add_segments(t) && send_on(t, link_by_index(t->record.link));
}

static uint32_t send_record(struct tx *t)
{
    bool ok;

    t->nb = NULL;
    ok = tx_check_record(t) && build(t);
    if (ok && (t->record.flags & TX_INJECT) != 0)
        ok = inject(t);
    else if (ok && (t->record.flags & TX_FRAME) != 0)
        ok = send_frame(t);
    else if (ok)
        ok = send_ip(t);
    if (!ok)
        fail(t);
    return t->total;
}

/* --- turns -------------------------------------------------------------------------------------------- */

/* Shared memory, read exactly once. */
static void snapshot(struct net_tx *to, const uint8_t *from)
{
    const volatile uint64_t *src = (const volatile uint64_t *)from;
    uint64_t word[sizeof(*to) / 8];

    for (unsigned i = 0; i < sizeof(*to) / 8; i++)
        word[i] = src[i];
    __builtin_memcpy(to, word, sizeof(*to));
}

/* Records the endpoint may have taken now; 0 also when it must first read its
 * completions: every record under way needs a place for one. */
static uint32_t takeable(struct net_endpoint *e)
{
    uint32_t waiting, unread;

    if (e->closed || e->failed)
        return 0;
    waiting = shared_load(&e->ring->tx_head) - e->tx_tail;
    unread = e->cq_head - shared_load(&e->ring->cq_tail);
    if (waiting > e->tx_entries || unread > e->cq_entries) { /* C-RING-2 */
        endpoint_fail(e, "transmit index");
        return 0;
    }
    return unread + e->inflight < e->cq_entries ? waiting : 0; /* C-RING-5 */
}

/* Takes up to `max` records, fewer when `bytes` (NULL: no limit) is spent. */
static unsigned serve(struct net_endpoint *e, unsigned max, int32_t *bytes)
{
    unsigned n = 0;
    struct tx t;

    t.endpoint = e;
    while (n < max && (bytes == NULL || *bytes > 0) && takeable(e) != 0) {
        snapshot(&t.record, e->tx + (size_t)(e->tx_tail & (e->tx_entries - 1)) * sizeof(struct net_tx));
        e->tx_tail++;
        n++;
        uint32_t cost = send_record(&t);
        if (bytes != NULL)
            *bytes -= (int32_t)cost;
    }
    if (n != 0)
        shared_store(&e->ring->tx_tail, e->tx_tail);
    return n;
}

static void enqueue(struct net_endpoint *e)
{
    if (e->tx_queued)
        return;
    e->tx_queued = true;
    e->tx_next = NULL;
    if (core.tx_tail != NULL)
        core.tx_tail->tx_next = e;
    else
        core.tx_head = e;
    core.tx_tail = e;
}

static struct net_endpoint *dequeue(void)
{
    struct net_endpoint *e = core.tx_head;

    core.tx_head = e->tx_next;
    if (core.tx_head == NULL)
        core.tx_tail = NULL;
    e->tx_queued = false;
    return e;
}

void tx_forget(struct net_endpoint *e)
{
    struct net_endpoint **p = &core.tx_head, *last = NULL;

    if (!e->tx_queued)
        return;
    for (; *p != e; p = &(*p)->tx_next)
        last = *p;
    *p = e->tx_next;
    if (core.tx_tail == e)
        core.tx_tail = last;
    e->tx_queued = false;
}

bool tx_poll(int budget)
{
    while (budget > 0 && core.tx_head != NULL) {
        struct net_endpoint *e = dequeue();
        unsigned n;

        e->deficit_bytes += QUANTUM_BYTES; /* C-TX-6 */
        n = serve(e, (unsigned)budget, &e->deficit_bytes);
        budget -= (int)(n != 0 ? n : 1);
        if (n != 0)
            endpoint_wake(e); /* there is room in its ring again */
        if (takeable(e) != 0)
            enqueue(e);
        else
            e->deficit_bytes = 0; /* no saving up while idle */
    }
    return core.tx_head != NULL;
}

int endpoint_kick(struct net_endpoint *e)
{
    uint32_t before = e->tx_tail;

    if (core.tx_head == NULL) {
        serve(e, KICK_RECORDS, NULL);
        if (takeable(e) != 0)
            enqueue(e);
    } else {
        if (takeable(e) != 0)
            enqueue(e);
        (void)tx_poll(KICK_RECORDS);
    }
    if (core.tx_head != NULL)
        link_schedule_poll(&loopback);
    links_flush();
    return e->failed || e->closed ? -EINVAL : (int)(e->tx_tail - before);
}
