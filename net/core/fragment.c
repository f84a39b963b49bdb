/* SPDX-License-Identifier: MIT
 *
 * net/core/fragment.c: a datagram that is longer than its way's MTU, cut into
 * fragments (RFC 791, section 3.2; RFC 8200, section 4.5).
 *
 * Owns: struct cut, one for each datagram under way in pieces; the counters that
 * identifications come from. Who wants no pieces says so: TCP always does.
 * Context and lock: as in net/core/core.h.
 *
 * The pieces' headers are the kernel's, their payload goes out from the sender's
 * arena, so the record is done when its last piece is. Either all pieces are
 * queued or none; what a driver refuses afterwards is counted as any drop.
 */
#include <net/core/ip6.h>
#include <slipway/siphash.h>

#define PIECES_MAX 128u /* 64 KiB by an MTU of 552 */
#define IP4_HDR    20u
#define IP4_DF     0x4000u
#define IP4_MORE   0x2000u

struct cut {
    uint64_t cookie;
    uint32_t left; /* pieces under way */
    int status;    /* the first failure */
    bool tell;     /* of success, too */
};

void cut_piece_done(struct netbuf *nb, int status)
{
    struct cut *c = (struct cut *)(uintptr_t)nb->cookie;
    struct net_endpoint *e = nb->owner;

    if (c->status == 0)
        c->status = status;
    if (--c->left != 0)
        return;
    if (!e->closed && (c->status != 0 || c->tell)) /* C-TX-9 */
        endpoint_complete(e, c->cookie, c->status);
    nc_free(c);
}

/* --- may it, and how -------------------------------------------------------------------------- */

uint32_t tx_mtu(const struct tx *t)
{
    uint32_t least = t->family == NET_INET ? IP4_MTU_MIN : IP6_MTU_MIN, asked = t->record.path_mtu;

    if (asked == 0 || asked >= t->to->mtu)
        return t->to->mtu;
    return asked < least ? least : asked;
}

bool tx_may_cut(struct tx *t)
{
    bool may = (t->record.flags & TX_DONT_CUT) == 0 && t->proto != NET_TCP;

    if (t->family == NET_INET) /* options would have to be chosen for each piece: nobody sends any */
        may = may && t->ip_header == IP4_HDR && (be16(t->ip + 6) & (IP4_DF | 0x3fff)) == 0;
    else /* only at the source, and only what has no headers in between */
        may = may && !t->foreign && (t->proto == NET_UDP || t->proto == NET_ICMP6);
    return may || tx_refuse(t, DROP_TX_MTU, -EMSGSIZE);
}

/* RFC 7739, section 5.2: not to be guessed from what another destination gets, and
 * not used again for as long as there are others. */
static uint32_t identification(const struct tx *t)
{
    uint8_t in[40] = {t->family, t->proto};
    uint64_t h;

    if (t->family == NET_INET) {
        __builtin_memcpy(in + 8, t->ip + 12, 8);
    } else {
        __builtin_memcpy(in + 8, t->src6.b, 16);
        __builtin_memcpy(in + 24, t->dst6.b, 16);
    }
    h = siphash24(core.hash_secret, in, sizeof(in)); /* C-TX-10 */
    return (uint32_t)h + core.fragment_id[(h >> 32) % FRAGMENT_IDS]++;
}

/* --- one piece ----------------------------------------------------------------------------------- */

struct piece {
    uint32_t off, len, id; /* of what follows the IP header */
    bool more;
};

static uint32_t put_header4(uint8_t *h, const struct piece *p)
{
    uint16_t sum;

    put_be16(h + 2, (uint16_t)(IP4_HDR + p->len));
    put_be16(h + 4, (uint16_t)p->id);
    put_be16(h + 6, (uint16_t)(p->off / 8 | (p->more ? IP4_MORE : 0)));
    put_be16(h + 10, 0);
    sum = ip_checksum(h, IP4_HDR);
    __builtin_memcpy(h + 10, &sum, 2);
    return IP4_HDR;
}

static uint32_t put_header6(uint8_t *h, const struct piece *p)
{
    uint8_t *f = h + IP6_HDR;

    f[0] = h[6];
    f[1] = 0;
    put_be16(f + 2, (uint16_t)(p->off | p->more));
    put_be16(f + 4, (uint16_t)(p->id >> 16));
    put_be16(f + 6, (uint16_t)p->id);
    put_be16(h + 4, (uint16_t)(p->len + IP6_FRAGMENT_HDR));
    h[6] = NH_FRAGMENT;
    return IP6_HDR + IP6_FRAGMENT_HDR;
}

/* Payload bytes off to off + len, counted behind the record's header. */
static bool add_range(struct tx *t, struct netbuf *nb, uint32_t off, uint32_t len)
{
    for (unsigned i = 0; i < t->record.nseg && len != 0; i++) {
        const struct net_seg *s = &t->record.seg[i];
        uint32_t take = s->len > off ? s->len - off : 0;

        if (take > len)
            take = len;
        if (take != 0 && !tx_add_piece(t, nb, s->off + off, take))
            return false;
        off = take != 0 ? 0 : off - s->len;
        len -= take;
    }
    return true;
}

static bool build_piece(struct tx *t, struct netbuf *nb, const struct piece *p)
{
    uint32_t copied = t->record.hdr_len - t->ip_header; /* what lies in the record's header of it */
    uint32_t own = p->off < copied ? copied - p->off : 0, header;

    if (own > p->len)
        own = p->len;
    nb->head = nb->room + NETBUF_HEADROOM;
    __builtin_memcpy(nb->head, t->ip, t->ip_header);
    header = t->family == NET_INET ? put_header4(nb->head, p) : put_header6(nb->head, p);
    if (own != 0)
        __builtin_memcpy(nb->head + header, t->ip + t->ip_header + p->off, own);
    nb->head_len = header + own;
    nb->total_len = header + p->len;
    nb->tx_flags = TX_PIECE;
    if (!add_range(t, nb, p->off + own - copied, p->len - own))
        return false;
    if ((t->to->link->flags & LINKF_ETHERNET) != 0)
        tx_add_ethernet(t, nb);
    return true;
}

/* --- all of them -------------------------------------------------------------------------------- */

static void free_list(struct netbuf *list)
{
    while (list != NULL) {
        struct netbuf *next = list->next;

        netbuf_free(list);
        list = next;
    }
}

static struct netbuf *build_pieces(struct tx *t, uint32_t room, struct cut *c)
{
    uint32_t whole = t->total - t->ip_header;
    struct netbuf *list = NULL, **tail = &list;
    struct piece p = {.id = t->foreign ? be16(t->ip + 4) : identification(t)};

    for (; p.off < whole; p.off += p.len) { /* ends: room is 8 at least */
        struct netbuf *nb = netbuf_alloc();

        p.len = whole - p.off < room ? whole - p.off : room;
        p.more = p.off + p.len < whole;
        if (nb == NULL) {
            free_list(list);
            tx_refuse(t, DROP_TX_LINK_FULL, -ENOBUFS);
            return NULL;
        }
        *tail = nb;
        tail = &nb->next;
        nb->cookie = (uintptr_t)c;
        if (!build_piece(t, nb, &p)) {
            free_list(list);
            return NULL;
        }
        c->left++;
    }
    return list;
}

bool tx_cut(struct tx *t, uint32_t mtu)
{
    uint32_t header = t->family == NET_INET ? IP4_HDR : IP6_HDR + IP6_FRAGMENT_HDR;
    uint32_t room = (mtu - header) & ~7u, n = (t->total - t->ip_header + room - 1) / room;
    struct link *l = t->to->link;
    struct netbuf *list;
    struct cut *c;

    if (n > PIECES_MAX)
        return tx_refuse(t, DROP_TX_MTU, -EMSGSIZE);
    if (t->record.csum == CSUM_PARTIAL && !tx_prepare_checksum(t, NULL))
        return false;
    c = link_has_room(l, t->endpoint, n) ? nc_alloc(sizeof(*c)) : NULL;
    if (c == NULL)
        return tx_refuse(t, DROP_TX_LINK_FULL, -ENOBUFS);
    c->cookie = t->record.cookie;
    c->tell = t->record.nseg != 0 || (t->record.flags & TX_NOTIFY) != 0;
    list = build_pieces(t, room, c);
    if (list == NULL) {
        nc_free(c);
        return false;
    }
    netbuf_free(t->nb);
    t->nb = NULL;
    while (list != NULL) {
        struct netbuf *next = list->next;

        list->owner = t->endpoint;
        link_queue(l, list);
        list = next;
    }
    return true;
}
