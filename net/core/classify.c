/* SPDX-License-Identifier: MIT
 *
 * net/core/classify.c: whose is this frame? Reads just enough of it to know.
 *
 * Owns: nothing. Every length is checked against what is there before anything
 * behind it is read; nothing here is trusted, nothing is written but the answer.
 * Context and lock: as in net/core/core.h.
 *
 * The order of questions: link header, IP header, may this source be, is it for
 * us, is it whole, which transport port, who owns flow or port, else which
 * default slot.
 */
#include <net/core/classify.h>
#include <net/core/ip6.h>

#define ETHERTYPE_ARP      0x0806u
#define ARP_BYTES          28u
#define ETH_SLACK          4u /* a VLAN tag's worth above the MTU is not oversize yet */
#define PORT_DHCP_CLIENT   68u
#define PORT_DHCP_SERVER   67u
#define IPOPT_END          0u
#define IPOPT_NOP          1u
#define IPOPT_LOOSE_ROUTE  131u
#define IPOPT_STRICT_ROUTE 137u
#define IP4_ALL_HOSTS      0x010000e0u /* 224.0.0.1, the only group that is ours (RFC 1112, section 4) */
#define TCP_FLAG_SYN       0x02u
#define TCP_FLAG_ACK       0x10u

void classify_to_slot(struct target *t, enum net_slot slot)
{
    t->endpoint = core.slot[slot];
    t->slot = (uint8_t)(slot + 1);
    if (t->endpoint == NULL)
        t->drop = slot == SLOT_FORWARD ? DROP_NOT_OURS_IP : DROP_NO_SLOT;
}

/* --- who owns it -------------------------------------------------------------------------- */

/* The manifest's `allow` lines: a bounded list. */
static bool peer_allowed(const struct nc_owner *o, const struct packet *p)
{
    const struct sys_rights *r = o->rights;

    for (unsigned i = 0; i < r->nallow && i < RIGHTS_ALLOW_MAX; i++)
        if (r->allow[i].family == p->family &&
            addr_in_prefix(&p->raddr, &r->allow[i].addr, r->allow[i].length))
            return true;
    return false;
}

static inline bool claimed(struct packet *p, struct target *t)
{
    struct flow_entry *f = flow_lookup(p);
    struct port_entry *e;

    if (f != NULL) {
        t->endpoint = f->endpoint;
        t->port_id = flow_id(f);
        t->flow = f;
        return true;
    }
    e = port_lookup(p->family, p->proto, p->link->index, &p->laddr, p->lport);
    if (e == NULL)
        return false;
    t->port = e;
    if (e->state != PORT_LIVE)
        return false;
    t->endpoint = port_choose(e, p);
    t->port_id = port_id(e);
    if (t->endpoint->restricted && !e->anybodys && !peer_allowed(t->endpoint->owner, p)) { /* C-RIGHT-4 */
        t->endpoint = NULL;
        t->port = NULL;
        t->drop = DROP_NOT_ALLOWED;
    }
    return true;
}

bool classify_claimed(struct packet *p, struct target *t)
{
    return claimed(p, t);
}

static void to_owner(struct packet *p, struct target *t)
{
    if (claimed(p, t))
        return;
    if (t->port != NULL && p->tcp_syn) {
        t->park = true;
        return;
    }
    t->port = NULL;
    if (p->to_group)
        classify_drop(t, DROP_NOT_OURS_IP); /* RFC 1122, 3.2.2: no error for a broadcast */
    else
        classify_to_slot(t, SLOT_UNBOUND);
}

/* --- transport headers ------------------------------------------------------------------------ */

bool read_ports(const uint8_t *l4, uint32_t l4_len, uint8_t proto, struct ports_pair *out)
{
    uint32_t need = proto == NET_TCP ? 20 : 8;

    if (l4_len < need)
        return false;
    if (proto == NET_ICMP || proto == NET_ICMP6) {
        out->from = out->to = be16(l4 + 4); /* echo: the identifier */
        return true;
    }
    out->from = be16(l4);
    out->to = be16(l4 + 2);
    if (proto == NET_TCP) {
        uint32_t bytes = (uint32_t)(l4[12] >> 4) * 4;
        return bytes >= 20 && bytes <= l4_len;
    }
    uint32_t bytes = be16(l4 + 4);
    return bytes >= 8 && bytes <= l4_len;
}

/* An ICMP error belongs to who sent the packet that it quotes (RFC 1122, 3.2.2).
 * q: the quoted IPv4 header. */
static bool claimed_by_quote(struct packet *p, const uint8_t *q, uint32_t len, struct target *t)
{
    struct packet quoted = {.family = NET_INET, .link = p->link};
    uint32_t header;

    if (len < 28 || (q[0] >> 4) != 4)
        return false;
    header = (uint32_t)(q[0] & 15) * 4;
    if (header < 20 || len < header + 8 || (be16(q + 6) & 0x1fff) != 0)
        return false;
    quoted.proto = q[9];
    quoted.laddr = addr_from_ip4(load_ip4(q + 12));
    quoted.raddr = addr_from_ip4(load_ip4(q + 16));
    if (quoted.proto == NET_TCP || quoted.proto == NET_UDP) {
        quoted.lport = be16(q + header);
        quoted.rport = be16(q + header + 2);
    } else if (quoted.proto == NET_ICMP && q[header] == 8) {
        quoted.lport = quoted.rport = be16(q + header + 4);
    } else {
        return false;
    }
    if (!ip4_is_own(load_ip4(q + 12)) || !classify_claimed(&quoted, t)) {
        t->port = NULL;
        return false;
    }
    return true;
}

static void classify_icmp(struct packet *p, const uint8_t *l4, uint32_t l4_len, struct target *t)
{
    struct ports_pair id;

    if (!read_ports(l4, l4_len, NET_ICMP, &id)) {
        classify_drop(t, DROP_L4_HEADER);
        return;
    }
    if (p->to_group) {
        classify_drop(t, DROP_NOT_OURS_IP); /* nobody amplifies through us (RFC 1122, 3.2.2.6) */
        return;
    }
    switch (l4[0]) {
    case 0: /* echo reply */
        p->lport = p->rport = id.to;
        if (classify_claimed(p, t))
            return;
        t->port = NULL;
        break;
    case 3:  /* destination unreachable */
    case 4:  /* source quench */
    case 11: /* time exceeded */
    case 12: /* parameter problem */
        if (claimed_by_quote(p, l4 + 8, l4_len - 8, t))
            return;
        break;
    default:
        break;
    }
    classify_to_slot(t, SLOT_ICMP);
}

void classify_l4(struct packet *p, const uint8_t *l4, uint32_t l4_len, struct target *t)
{
    struct ports_pair ports;

    if (!read_ports(l4, l4_len, p->proto, &ports)) {
        classify_drop(t, DROP_L4_HEADER);
        return;
    }
    p->rport = ports.from;
    p->lport = ports.to;
    if (p->proto == NET_TCP) {
        if (p->to_group) { /* RFC 9293, 3.9.2.3: TCP is unicast */
            classify_drop(t, DROP_NOT_OURS_IP);
            return;
        }
        p->tcp_syn = (l4[13] & (TCP_FLAG_SYN | TCP_FLAG_ACK)) == TCP_FLAG_SYN;
    }
    to_owner(p, t);
}

/* --- IPv4 ------------------------------------------------------------------------------------------ */

/* One pass over our addresses answers both questions: is the destination ours,
 * and is the source one that cannot come in here? */
static enum ip_for check_addresses(const struct packet *p, ip4_t src, ip4_t dst)
{
    const uint8_t *s = (const uint8_t *)&src, *d = (const uint8_t *)&dst;
    bool lo = (p->link->flags & LINKF_LOOPBACK) != 0;
    enum ip_for dest = FOR_OTHERS;

    if (s[0] >= 224 || ((s[0] == 127 || d[0] == 127) && !lo))
        return FOR_NOBODY;
    if (dst == 0xffffffffu || (d[0] & 0xf0) == 0xe0)
        dest = FOR_GROUP;
    if (d[0] == 127)
        dest = FOR_US;
    for (unsigned i = 0; i < core.nown4; i++) {
        const struct own_ip4 *o = &core.own4[i];

        if (o->ip == dst)
            dest = FOR_US;
        else if (o->broadcast == dst && o->link == p->link->index)
            dest = FOR_GROUP;
        if ((o->ip == src && !lo) || o->broadcast == src)
            return FOR_NOBODY;
    }
    /* "This host" may only ask for an address (RFC 1122, 3.2.1.3). */
    if (s[0] == 0 && !(src == 0 && dest == FOR_GROUP))
        return FOR_NOBODY;
    /* Nor is anybody there at 0/8 and 240/4 (RFC 6890, section 2.2.2). */
    if (dest == FOR_OTHERS && (d[0] == 0 || d[0] >= 240))
        return FOR_NOBODY;
    return dest;
}

static bool is_dhcp_reply(const struct packet *p, const uint8_t *l4, uint32_t l4_len)
{
    return p->proto == NET_UDP && l4_len >= 8 && be16(l4 + 2) == PORT_DHCP_CLIENT &&
           (p->link->flags & LINKF_ETHERNET) != 0;
}

/* Options behind the header are skipped, but for a source route: nobody steers
 * packets through us, or past a filter to us (RFC 7126, sections 4.3 and 4.4).
 * DROP_COUNT when nothing is wrong. */
static enum net_drop check_options(const uint8_t *h, uint32_t header)
{
    uint32_t at = 20;

    while (at < header && h[at] != IPOPT_END) { /* ends: each turn takes a byte at least */
        uint32_t bytes = 1;

        if (h[at] != IPOPT_NOP) {
            if (at + 1 == header || (bytes = h[at + 1]) < 2 || bytes > header - at)
                return DROP_IP_HEADER;
            if (h[at] == IPOPT_LOOSE_ROUTE || h[at] == IPOPT_STRICT_ROUTE)
                return DROP_SOURCE_ROUTE; /* C-RX-6 */
        }
        at += bytes;
    }
    return DROP_COUNT;
}

static void classify_ipv4(struct packet *p, struct target *t)
{
    const uint8_t *h = p->l3;
    uint32_t header, total;
    bool fragment;

    if (p->l3_len < 20 || (h[0] >> 4) != 4 || (header = (uint32_t)(h[0] & 15) * 4) < 20 ||
        (total = be16(h + 2)) < header || total > p->l3_len) { /* C-RX-4 */
        classify_drop(t, DROP_IP_HEADER);
        return;
    }
    if ((header == 20 ? ip_checksum_20(h) : ip_checksum(h, header)) != 0) {
        classify_drop(t, DROP_IP_CHECKSUM);
        return;
    }
    if (header > 20 && check_options(h, header) != DROP_COUNT) {
        classify_drop(t, check_options(h, header));
        return;
    }
    const uint8_t *l4 = h + header;
    ip4_t src = load_ip4(h + 12), dst = load_ip4(h + 16);
    p->l3_len = total;
    p->family = NET_INET;
    p->proto = h[9];
    p->l4_off = (uint16_t)header;
    p->raddr = addr_from_ip4(src);
    p->laddr = addr_from_ip4(dst);
    fragment = (be16(h + 6) & 0x3fff) != 0;

    enum ip_for dest = check_addresses(p, src, dst);
    if (dest == FOR_NOBODY) {
        classify_drop(t, DROP_MARTIAN);
        return;
    }
    if (!fragment && is_dhcp_reply(p, l4, total - header)) {
        classify_to_slot(t, SLOT_DHCP); /* to an address that is not ours yet, as a rule */
        return;
    }
    /* RFC 1122, 3.3.6: a unicast address in a broadcast frame is a mistake. */
    if (p->l2_multicast && dest != FOR_GROUP) {
        classify_drop(t, DROP_NOT_OURS_IP);
        return;
    }
    p->to_group = dest == FOR_GROUP;
    if (p->to_group && (h[16] & 0xf0) == 0xe0 && dst != IP4_ALL_HOSTS)
        classify_drop(t, DROP_NOT_JOINED); /* C-RX-7 */
    else if (dest == FOR_OTHERS)
        classify_to_slot(t, SLOT_FORWARD);
    else if (fragment)
        classify_to_slot(t, SLOT_FRAGMENTS);
    else if (p->proto == NET_TCP || p->proto == NET_UDP)
        classify_l4(p, l4, total - header, t);
    else if (p->proto == NET_ICMP)
        classify_icmp(p, l4, total - header, t);
    else if (p->to_group)
        classify_drop(t, DROP_NOT_OURS_IP);
    else
        classify_to_slot(t, SLOT_UNBOUND);
}

/* --- the ways in
 * -------------------------------------------------------------------------------------------- */

static void start(struct packet *p, struct target *t)
{
    p->to_group = false;
    p->tcp_syn = false;
    p->lport = p->rport = 0;
    p->family = p->proto = 0;
    p->problem = 0;
    p->problem_at = 0;
    t->endpoint = NULL;
    t->port = NULL;
    t->flow = NULL;
    t->port_id = 0;
    t->slot = 0;
    t->drop = DROP_COUNT;
    t->park = false;
}

void classify_packet(struct packet *p, struct target *t)
{
    start(p, t);
    p->l2_len = 0;
    p->l2_multicast = false;
    if (p->l3_len != 0 && (p->l3[0] >> 4) == 6)
        classify_ipv6(p, t);
    else
        classify_ipv4(p, t);
}

static bool is_for_mac(const struct link *l, const uint8_t *frame)
{
    uint32_t a, b;
    uint16_t c, d;

    __builtin_memcpy(&a, frame, 4);
    __builtin_memcpy(&c, frame + 4, 2);
    __builtin_memcpy(&b, l->mac, 4);
    __builtin_memcpy(&d, l->mac + 4, 2);
    return a == b && c == d;
}

void classify_frame(struct packet *p, struct target *t)
{
    const struct link *l = p->link;
    const uint8_t *f = p->frame;
    uint32_t len = p->l3_len;

    if ((l->flags & LINKF_ETHERNET) == 0) {
        p->l3 = f;
        if (len > l->mtu) {
            start(p, t);
            classify_drop(t, DROP_OVERSIZE);
        } else {
            classify_packet(p, t);
        }
        return;
    }
    start(p, t);
    if (len < ETH_HDR) {
        classify_drop(t, DROP_RUNT);
        return;
    }
    if (len > l->mtu + ETH_HDR + ETH_SLACK && p->gso_size == 0) {
        classify_drop(t, DROP_OVERSIZE);
        return;
    }
    p->l2_multicast = (f[0] & 1) != 0;
    if (!p->l2_multicast && !is_for_mac(l, f)) {
        classify_drop(t, DROP_NOT_OURS_MAC); /* C-RX-3 */
        return;
    }
    p->l2_len = ETH_HDR;
    p->l3 = f + ETH_HDR;
    p->l3_len = len - ETH_HDR;
    switch (be16(f + 12)) {
    case ETHERTYPE_IPV4:
        classify_ipv4(p, t);
        break;
    case ETHERTYPE_ARP:
        if (p->l3_len < ARP_BYTES)
            classify_drop(t, DROP_RUNT);
        else
            classify_to_slot(t, SLOT_NEIGHBOUR);
        break;
    case ETHERTYPE_IPV6:
        classify_ipv6(p, t);
        break;
    default:
        classify_drop(t, DROP_ETHERTYPE);
        break;
    }
}
