/* SPDX-License-Identifier: MIT
 *
 * net/stack/ip_output.c: routes, IP headers, datagrams on their way out.
 *
 * Owns: the cache of route look-ups (each is a system call), the counter of IP
 * identifications, flow labels. TCP builds its own headers in tcp_output.c.
 */
#include <net/stack/ns.h>
#include <slipway/siphash.h>

#define ROUTE_LIFE   (5 * NS_SEC)
#define IP_DGRAM_MAX 65535u /* a record's limit (slipway/ring.h); larger than MTU: the net core cuts it */

/* --- routes -------------------------------------------------------------------- */
static struct ip_path *route_slot(struct netstack *ns, const struct net_addr *dst)
{
    uint32_t w[4];

    __builtin_memcpy(w, dst, 16);
    w[0] ^= w[1] ^ w[2] ^ w[3];
    w[0] ^= w[0] >> 16;
    return &ns->route[(w[0] ^ w[0] >> 8) & (ROUTE_CACHE - 1)];
}

int ip_route(struct netstack *ns, uint32_t net, const struct net_addr *dst, const struct ip_path **out)
{
    struct ip_path *c = route_slot(ns, dst);
    struct net_route_info info;
    uint16_t least;
    int r;

    if (c->net == net && c->expires_ns > ns->now && addr_equal(&c->dst, dst)) {
        *out = c;
        return 0;
    }
    memset(&info, 0, sizeof(info));
    info.family = net_family(net);
    info.dst = *dst;
    info.link = net_link(net);
    r = ns->env.route(ns->env.ctx, &info);
    if (r < 0)
        return r;
    c->dst = *dst;
    c->src = info.src;
    c->flags = info.flags;
    c->speed_bps = info.speed_bps;
    least = info.family == NET_INET6 ? MTU_MIN6 : MTU_MIN4;
    c->mtu = path_mtu_limit(ns, dst, info.mtu < least ? least : info.mtu);
    c->link = info.link;
    c->net = net;
    c->expires_ns = ns->now + ROUTE_LIFE;
    *out = c;
    return 0;
}

void ip_route_flush(struct netstack *ns)
{
    for (unsigned i = 0; i < ROUTE_CACHE; i++)
        ns->route[i].expires_ns = 0;
}

void ip_route_mtu(struct netstack *ns, uint32_t net, const struct net_addr *dst, uint16_t mtu)
{
    struct ip_path *c = route_slot(ns, dst);

    bool cached = c->net == net && c->expires_ns > ns->now && addr_equal(&c->dst, dst);

    if (mtu < (net_family(net) == NET_INET6 ? MTU_MIN6 : MTU_MIN4) || (cached && mtu >= c->mtu))
        return;
    if (cached)
        c->mtu = mtu;
    path_mtu_learn(ns, dst, mtu, true);
}

/* --- headers ------------------------------------------------------------------- */
void ip4_header(uint8_t *h, uint32_t total, uint16_t id, uint16_t frag, uint8_t ttl, uint8_t proto,
                const struct net_addr *src, const struct net_addr *dst)
{
    put32(h, 0x45000000u | total);
    put32(h + 4, (uint32_t)id << 16 | frag);
    put32(h + 8, (uint32_t)ttl << 24 | (uint32_t)proto << 16);
    __builtin_memcpy(h + 12, src, 4);
    __builtin_memcpy(h + 16, dst, 4);
    put16_raw(h + 10, csum_finish(csum_20(h)));
}

/* RFC 6437: the same for all packets of a flow, and nobody outside can tell one's
 * label from another's. Zero would mean "none". */
uint32_t ip6_label(const struct netstack *ns, const struct net_addr *src, const struct net_addr *dst,
                   uint16_t sport, uint16_t dport)
{
    uint8_t b[36];
    uint32_t label;

    memcpy(b, src, 16);
    memcpy(b + 16, dst, 16);
    put16(b + 32, sport);
    put16(b + 34, dport);
    label = (uint32_t)siphash24(ns->label_key, b, sizeof(b)) & 0xfffffu;
    return 0x60000000u | (label != 0 ? label : 1);
}

void ip6_header(uint8_t *h, uint32_t label, uint32_t payload, uint8_t next, uint8_t hops,
                const struct net_addr *src, const struct net_addr *dst)
{
    put32(h, label);
    put32(h + 4, payload << 16 | (uint32_t)next << 8 | hops);
    __builtin_memcpy(h + 8, src, 16);
    __builtin_memcpy(h + 24, dst, 16);
}

/* --- datagrams ------------------------------------------------------------------- */
static uint64_t pseudo_sum(const struct ip_dgram *d)
{
    if (!d->pseudo)
        return 0;
    return csum_add(ip_pseudo(net_family(d->path->net), d->proto, d->src, &d->path->dst),
                    ns_swap16((uint16_t)(d->hdr_len + d->data_len)));
}

static uint16_t transport_checksum(const struct ip_dgram *d, uint64_t sum)
{
    uint16_t c = csum_finish(csum_add(sum, pseudo_sum(d)));

    return c == 0 && d->proto == NET_UDP ? 0xffff : c; /* RFC 768: zero means none */
}

/* Puts what follows the header into tx: behind it in the slot when it fits, else
 * into blocks. Returns where it lies, NULL when there is no room. */
static const uint8_t *put_payload(struct netstack *ns, struct net_tx *tx, uint8_t *slot, uint32_t hdr_len,
                                  const uint8_t *data, uint32_t len)
{
    uint32_t n, b;

    if (hdr_len + len <= NET_TX_HDR_MAX) {
        memcpy(slot + hdr_len, data, len);
        tx->hdr_len = (uint16_t)(hdr_len + len);
        return slot + hdr_len;
    }
    n = (len + BLK_BYTES - 1) / BLK_BYTES;
    b = blk_alloc_run(ns, n);
    if (b == NS_NONE)
        return NULL;
    memcpy(blk_data(ns, b), data, len);
    tx->hdr_len = (uint16_t)hdr_len;
    tx->cookie = cookie_blocks(b, n);
    tx->nseg = 1;
    tx->seg[0].off = blk_off(ns, b);
    tx->seg[0].len = len;
    return blk_data(ns, b);
}

static void put_ip(struct netstack *ns, const struct ip_dgram *d, struct net_tx *tx, uint8_t *h, uint32_t total)
{
    bool ports = d->proto == NET_UDP;

    if (net_family(d->path->net) == NET_INET) {
        ip4_header(h, total, ns->ip_id++, 0, d->ttl, d->proto, d->src, &d->path->dst);
        return;
    }
    ip6_header(h,
               ip6_label(ns, d->src, &d->path->dst, ports ? get16(d->hdr) : 0, ports ? get16(d->hdr + 2) : 0),
               total - 40, d->proto, d->ttl, d->src, &d->path->dst);
    if (addr_scoped(NET_INET6, &d->path->dst))
        tx->link = d->path->link;
}

/* hdr_len is even for every protocol here, so the payload starts at an even
 * byte and its sum needs no turning. */
int ip_send(struct netstack *ns, struct ip_dgram *d)
{
    uint32_t ip = ip_header_bytes(d->path->net), hdr_len = ip + d->hdr_len, total = hdr_len + d->data_len;
    const uint8_t *data;
    struct net_tx *tx;
    uint8_t *h;

    if (d->src == NULL)
        d->src = &d->path->src;
    if (total > IP_DGRAM_MAX || d->data_len > ns->nblk * BLK_BYTES)
        return -EMSGSIZE;
    if ((tx = tx_begin(ns, &h)) == NULL)
        return -EAGAIN;
    tx->cookie = d->cookie;
    if (total > d->path->mtu) /* what an ICMP error has said of the path, the net core cannot know */
        tx->path_mtu = d->path->mtu;
    put_ip(ns, d, tx, h, total);
    memcpy(h + ip, d->hdr, d->hdr_len);
    data = put_payload(ns, tx, h, hdr_len, d->data, d->data_len);
    if (data == NULL)
        return -EAGAIN;
    if (d->pseudo && (d->path->flags & LINKF_LOOPBACK)) { /* to ourselves: nobody will look */
        tx->csum = CSUM_PARTIAL;
        put16_raw(h + ip + d->csum_off, csum_fold(pseudo_sum(d)));
    } else if (tx->nseg == 0) {
        put16_raw(h + ip + d->csum_off, transport_checksum(d, csum_bytes(0, h + ip, total - ip)));
    } else {
        uint64_t sum = csum_bytes(csum_bytes(0, h + ip, d->hdr_len), data, d->data_len);
        put16_raw(h + ip + d->csum_off, transport_checksum(d, sum));
    }
    if (d->broadcast_ok)
        tx->flags = TX_BROADCAST_OK;
    tx_commit(ns, tx);
    ns->count.ip_out++;
    return 0;
}

int ns_send_raw(struct netstack *ns, const void *hdr, size_t n, unsigned tx_flags, uint16_t link,
                const uint8_t nexthop_mac[6])
{
    struct net_tx *tx;
    uint32_t head = n <= NET_TX_HDR_MAX ? (uint32_t)n : 128; /* room for both headers with options */
    uint8_t *h;

    if (n > NS_RAW_MAX)
        return -EMSGSIZE;
    if ((tx = tx_begin(ns, &h)) == NULL)
        return -EAGAIN;
    memcpy(h, hdr, head);
    if (put_payload(ns, tx, h, head, (const uint8_t *)hdr + head, (uint32_t)n - head) == NULL)
        return -EAGAIN;
    tx->flags = (uint16_t)tx_flags;
    tx->link = link;
    if (nexthop_mac != NULL)
        memcpy(tx->nexthop_mac, nexthop_mac, 6);
    tx_commit(ns, tx);
    ns->count.ip_out++;
    return 0;
}
