/* SPDX-License-Identifier: MIT
 *
 * net/core/txcheck.c: may this process send this packet?
 *
 * Owns: nothing. All checks read the kernel's own copies: the snapshot of the
 * record and the header that was copied out of shared memory. Context and lock:
 * as in net/core/core.h.
 */
#include <net/core/ports.h>

#define TX_FLAGS_KNOWN  (TX_NOTIFY | TX_INJECT | TX_FRAME | TX_RESEND | TX_BROADCAST_OK | TX_DONT_CUT)
#define ARP_FRAME_BYTES 42u
#define ETHERTYPE_ARP   0x0806u

bool tx_check_record(struct tx *t)
{
    const struct net_tx *r = &t->record;
    const struct net_endpoint *e = t->endpoint;
    uint32_t special = r->flags & (TX_INJECT | TX_FRAME | TX_RESEND);

    if ((r->flags & ~TX_FLAGS_KNOWN) != 0 || (special & (special - 1)) != 0)
        return tx_refuse(t, DROP_TX_BAD_RECORD, -EINVAL);
    if (r->hdr_len > NET_TX_HDR_MAX || r->hdr_len < ((r->flags & TX_FRAME) != 0 ? ETH_HDR : 20) ||
        !arena_has(e, r->hdr_off, r->hdr_len))
        return tx_refuse(t, DROP_TX_BAD_RECORD, -EINVAL);
    if (r->nseg > NET_TX_SEGS || r->csum > CSUM_PARTIAL || r->gso_size != 0 || r->gso_type != 0)
        return tx_refuse(t, DROP_TX_BAD_RECORD, -EINVAL);
    if (r->link != LINK_ANY && link_by_index(r->link) == NULL)
        return tx_refuse(t, DROP_TX_BAD_RECORD, -EINVAL);
    t->total = r->hdr_len;
    for (unsigned i = 0; i < r->nseg; i++) {
        if (!arena_has(e, r->seg[i].off, r->seg[i].len))
            return tx_refuse(t, DROP_TX_BAD_RECORD, -EINVAL);
        if (r->seg[i].len > IP_PACKET_MAX - t->total)
            return tx_refuse(t, DROP_TX_MTU, -EMSGSIZE);
        t->total += r->seg[i].len;
    }
    return true;
}

/* --- addresses ------------------------------------------------------------------------------ */

static bool check_source(struct tx *t)
{
    const struct net_endpoint *e = t->endpoint;

    t->foreign = false;
    if (ip4_is_own(t->src))
        return true;
    if (t->src == 0 && endpoint_has(e, RIGHT_NET_DEFAULT))
        return true; /* DHCP and address probes */
    t->foreign = true;
    if (t->src != 0 && (t->src & 0xff) < 224 && endpoint_has(e, RIGHT_NET_FORWARD))
        return true;
    return tx_refuse(t, DROP_TX_NO_RIGHT, -EACCES); /* C-TX-3 */
}

static bool check_destination(struct tx *t)
{
    uint8_t first = (uint8_t)t->dst;

    if (first == 0 || (first >= 240 && t->dst != 0xffffffffu))
        return tx_refuse(t, DROP_TX_BAD_RECORD, -EINVAL);
    if ((first & 0xf0) == 0xe0)
        return t->ip[9] != NET_TCP || tx_refuse(t, DROP_TX_BAD_RECORD, -EINVAL);
    if (ip4_is_broadcast(t->dst) && ((t->record.flags & TX_BROADCAST_OK) == 0 || t->ip[9] == NET_TCP))
        return tx_refuse(t, DROP_TX_NO_RIGHT, -EACCES);
    return true;
}

bool tx_check_ip4(struct tx *t)
{
    const uint8_t *h = t->ip;

    t->family = NET_INET;
    t->proto = h[9];
    t->ip_header = (uint32_t)(h[0] & 15) * 4;
    if ((h[0] >> 4) != 4 || t->ip_header < 20 || t->ip_header > t->record.hdr_len ||
        be16(h + 2) != t->total ||
        h[8] == 0) /* RFC 1122, 3.2.1.7: nothing is sent with a time to live of 0 */
        return tx_refuse(t, DROP_TX_BAD_RECORD, -EINVAL);
    t->src = load_ip4(h + 12);
    t->dst = load_ip4(h + 16);
    return check_source(t) && check_destination(t);
}

/* --- ports -------------------------------------------------------------------------------------- */

static bool may_send(const struct tx *t, uint32_t rights)
{
    return (t->endpoint->owner->rights->bits & rights) != 0;
}

bool tx_check_ports(struct tx *t)
{
    const uint8_t *l4 = t->ip + t->ip_header;
    uint32_t copied = t->record.hdr_len - t->ip_header;
    uint8_t proto = t->proto;
    bool fragment = (be16(t->ip + 6) & 0x3fff) != 0;
    struct ports_pair ports;

    if ((t->src & 0xff) == 127 && t->to->link != &loopback)
        return tx_refuse(t, DROP_TX_NO_RIGHT, -EACCES);
    if (fragment && t->record.csum == CSUM_PARTIAL)
        return tx_refuse(t, DROP_TX_BAD_RECORD, -EINVAL);
    if (t->foreign || (t->record.flags & TX_RESEND) != 0) /* rights were checked */
        return true;
    if (fragment) /* only its first has ports, so ownership cannot be seen */
        return may_send(t, RIGHT_NET_DEFAULT | RIGHT_NET_FORWARD | RIGHT_NET_RAW) ||
               tx_refuse(t, DROP_TX_NO_RIGHT, -EACCES);
    if (proto != NET_TCP && proto != NET_UDP && proto != NET_ICMP)
        return may_send(t, RIGHT_NET_DEFAULT | RIGHT_NET_RAW) || tx_refuse(t, DROP_TX_NO_RIGHT, -EACCES);
    if (copied < (proto == NET_TCP ? 20 : 8) || !read_ports(l4, t->total - t->ip_header, proto, &ports))
        return tx_refuse(t, DROP_TX_BAD_RECORD, -EINVAL);
    if (proto == NET_ICMP && l4[0] != 8) /* replies and errors speak for the host */
        return may_send(t, RIGHT_NET_DEFAULT | RIGHT_NET_FORWARD) || tx_refuse(t, DROP_TX_NO_RIGHT, -EACCES);
    struct packet p; /* what a look-up reads of it, and no more: this is for every packet */

    p.family = NET_INET;
    p.proto = proto;
    p.link = t->to->link;
    p.lport = ports.from;
    p.rport = ports.to;
    p.laddr = addr_from_ip4(t->src);
    p.raddr = addr_from_ip4(t->dst);
    return tx_owns(t, &p) || tx_refuse(t, DROP_TX_NO_RIGHT, -EACCES); /* C-TX-4 */
}

/* --- whole frames ------------------------------------------------------------------------------------ */

bool tx_check_frame(struct tx *t)
{
    const struct link *l = link_by_index(t->record.link);
    const uint8_t *f = t->nb->head;
    bool ethernet, arp;

    if (l == NULL || (l->flags & LINKF_LOOPBACK) != 0 || t->record.csum != CSUM_NONE)
        return tx_refuse(t, DROP_TX_BAD_RECORD, -EINVAL);
    ethernet = (l->flags & LINKF_ETHERNET) != 0;
    arp = ethernet && t->total >= ARP_FRAME_BYTES && be16(f + 12) == ETHERTYPE_ARP &&
          __builtin_memcmp(f + 6, l->mac, 6) == 0;
    if (!may_send(t, RIGHT_NET_RAW) && !(arp && may_send(t, RIGHT_NET_DEFAULT))) /* C-TX-5 */
        return tx_refuse(t, DROP_TX_NO_RIGHT, -EACCES);
    if (t->total > l->mtu + (ethernet ? ETH_HDR : 0))
        return tx_refuse(t, DROP_TX_MTU, -EMSGSIZE);
    if ((l->flags & LINKF_UP) == 0)
        return tx_refuse(t, DROP_TX_LINK_DOWN, -ENETDOWN);
    return true;
}
