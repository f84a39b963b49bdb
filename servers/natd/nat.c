/* SPDX-License-Identifier: MIT
 *
 * servers/natd/nat.c: sessions, and the translation of TCP, UDP, ICMP queries
 * and fragments. ICMP errors are in icmp.c.
 *
 * Owns: struct nat; see nat.h.
 */
#include "internal.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SEEN_SYN_OUT 0x01
#define SEEN_SYN_IN  0x02
#define SEEN_FIN_OUT 0x04
#define SEEN_FIN_IN  0x08
#define SEEN_RST     0x10

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04

#define PORT_TRIES  64u
#define EVICT_LOOKS 64u
#define ICMP_ECHO   8
#define ICMP_REPLY  0
#define DNS_PORT    53

/* --- sessions ------------------------------------------------------------------ */

static uint64_t next_random(struct nat *n) /* xorshift64*, seeded by the key */
{
    n->random ^= n->random >> 12;
    n->random ^= n->random << 25;
    n->random ^= n->random >> 27;
    return n->random * 0x2545f4914f6cdd1dull;
}

static struct nat_session **chain(struct nat *n, struct nat_session **table, uint32_t addr, uint16_t port,
                                  uint8_t proto)
{
    uint64_t h = (n->key[0] ^ addr) * 0x9e3779b97f4a7c15ull;

    h = (h ^ (h >> 29) ^ n->key[1] ^ ((uint64_t)port << 8 | proto)) * 0xbf58476d1ce4e5b9ull;
    return &table[h >> 32 & (NAT_BUCKETS - 1)];
}

static struct nat_session **in_chain(struct nat *n, uint32_t addr, uint16_t port, uint8_t proto)
{
    return chain(n, n->in, addr, port, proto);
}

static struct nat_session **out_chain(struct nat *n, uint16_t port, uint8_t proto)
{
    return chain(n, n->out, 0, port, proto);
}

static void session_end(struct nat *n, struct nat_session *s)
{
    struct nat_session **p = in_chain(n, s->inside_addr, s->inside_port, s->proto);

    while (*p != s)
        p = &(*p)->in_next;
    *p = s->in_next;
    for (p = out_chain(n, s->outside_port, s->proto); *p != s;)
        p = &(*p)->out_next;
    *p = s->out_next;
    s->proto = 0;
    s->in_next = n->free;
    n->free = s;
    n->sessions--;
}

/* A free session; when all are taken, of the next few the one that would end
 * first, so that a flood costs old and short ones before established ones. */
static struct nat_session *session_take(struct nat *n, uint64_t now)
{
    struct nat_session *s, *first = NULL;

    for (unsigned i = 0; i < EVICT_LOOKS; i++) {
        s = &n->session[n->hand++ % NAT_SESSIONS_MAX];
        if (s->proto == 0)
            continue;
        if (s->expires_ns <= now)
            session_end(n, s);
        else if (first == NULL || s->expires_ns < first->expires_ns)
            first = s;
    }
    if (n->free == NULL) {
        session_end(n, first); /* C-NAT-3 */
        n->evicted++;
    }
    s = n->free;
    n->free = s->in_next;
    n->sessions++;
    return s;
}

static bool port_free(struct nat *n, uint16_t port, uint8_t proto)
{
    for (struct nat_session *s = *out_chain(n, port, proto); s != NULL; s = s->out_next)
        if (s->outside_port == port && s->proto == proto)
            return false;
    return true;
}

static uint16_t port_choose(struct nat *n, uint8_t proto)
{
    uint32_t count = (uint32_t)n->config.port_high - n->config.port_low + 1;
    uint32_t at = (uint32_t)(next_random(n) >> 32) % count;

    for (uint32_t i = 0; i < PORT_TRIES && i < count; i++, at = (at + 1) % count)
        if (port_free(n, (uint16_t)(n->config.port_low + at), proto))
            return (uint16_t)(n->config.port_low + at);
    return 0;
}

static struct nat_session *session_new(struct nat *n, const struct nat_session *like, uint64_t now)
{
    struct nat_session *s = session_take(n, now), **c;

    *s = *like;
    s->seen = 0;
    c = in_chain(n, s->inside_addr, s->inside_port, s->proto);
    s->in_next = *c;
    *c = s;
    c = out_chain(n, s->outside_port, s->proto);
    s->out_next = *c;
    *c = s;
    return s;
}

/* The session of an inside endpoint and a remote one as the inside sees it. With
 * *port: the outside port that this inside endpoint has already, or 0. */
struct nat_session *nat_find_inside(struct nat *n, uint8_t proto, uint32_t addr, uint16_t port,
                                    uint32_t remote, uint16_t remote_port, uint64_t now,
                                    uint16_t *outside_port)
{
    *outside_port = 0;
    for (struct nat_session *s = *in_chain(n, addr, port, proto), *next; s != NULL; s = next) {
        next = s->in_next;
        if (s->proto != proto || s->inside_addr != addr || s->inside_port != port)
            continue;
        if (s->expires_ns <= now) {
            session_end(n, s);
            continue;
        }
        *outside_port = s->outside_port;
        if (s->shown_addr == remote && s->remote_port == remote_port)
            return s;
    }
    return NULL;
}

struct nat_session *nat_find_outside(struct nat *n, uint8_t proto, uint16_t port, uint32_t remote,
                                     uint16_t remote_port, uint64_t now)
{
    for (struct nat_session *s = *out_chain(n, port, proto); s != NULL; s = s->out_next)
        if (s->proto == proto && s->outside_port == port && s->remote_addr == remote &&
            s->remote_port == remote_port && s->expires_ns > now) /* C-NAT-2 */
            return s;
    return NULL;
}

static void session_touch(struct nat_session *s, const uint8_t *l4, bool outward, uint64_t now)
{
    uint8_t flags;

    if (s->proto != PROTO_TCP) {
        s->expires_ns = now + (s->proto == PROTO_UDP ? NAT_UDP_IDLE : NAT_ICMP_IDLE);
        return;
    }
    flags = l4[13];
    if (flags & TCP_SYN) {
        if (s->seen & (SEEN_RST | SEEN_FIN_OUT | SEEN_FIN_IN))
            s->seen = 0; /* the same ports again */
        s->seen |= outward ? SEEN_SYN_OUT : SEEN_SYN_IN;
    }
    if (flags & TCP_FIN)
        s->seen |= outward ? SEEN_FIN_OUT : SEEN_FIN_IN;
    if (flags & TCP_RST)
        s->seen |= SEEN_RST;
    /* Closed, or not yet open: a few minutes. A half-closed connection counts as open. */
    bool open = (s->seen & (SEEN_SYN_OUT | SEEN_SYN_IN)) == (SEEN_SYN_OUT | SEEN_SYN_IN) &&
                (s->seen & SEEN_RST) == 0 &&
                (s->seen & (SEEN_FIN_OUT | SEEN_FIN_IN)) != (SEEN_FIN_OUT | SEEN_FIN_IN);
    s->expires_ns = now + (open ? NAT_TCP_ESTABLISHED : NAT_TCP_TRANSITORY);
}

/* --- packets -------------------------------------------------------------------- */

size_t nat_packet_len(const uint8_t *p, size_t len) /* C-NAT-6 */
{
    size_t total, header;

    if (len < 20 || p[0] >> 4 != 4)
        return 0;
    header = ip_header(p);
    total = load16(p + 2);
    return header >= 20 && total >= header && total <= len ? total : 0;
}

/* Bytes of the transport header that a first fragment must hold to be changed. */
static size_t l4_least(uint8_t proto)
{
    return proto == PROTO_TCP ? 20 : 8;
}

static uint8_t *l4_sum(uint8_t *l4, uint8_t proto)
{
    if (proto == PROTO_TCP)
        return l4 + 16;
    if (proto == PROTO_UDP)
        return load16(l4 + 6) != 0 ? l4 + 6 : NULL; /* 0: the sender computed none */
    return NULL;                                    /* ICMP's does not cover addresses */
}

void nat_change_addr(uint8_t *packet, size_t at, uint32_t to, uint8_t *also)
{
    uint8_t is[4];

    store_addr(is, to);
    if (also != NULL)
        sum_adjust_addr(also, packet + at, is);
    sum_adjust_addr(packet + 10, packet + at, is);
    memcpy(packet + at, is, 4);
}

static void change16(uint8_t *field, uint16_t to, uint8_t *sum)
{
    if (sum != NULL)
        sum_adjust(sum, load16(field), to);
    store16(field, to);
}

static void ttl_down(uint8_t *p)
{
    uint16_t was = load16(p + 8);

    p[8]--;
    sum_adjust(p + 10, was, load16(p + 8));
}

/* A SYN's options: the largest segment that both links carry, and no time stamps
 * where they would defeat header compression. */
static void edit_syn(const struct nat *n, uint8_t *tcp, size_t bytes)
{
    uint32_t mtu =
        n->config.inside_mtu < n->config.outside_mtu ? n->config.inside_mtu : n->config.outside_mtu;
    size_t header = (size_t)(tcp[12] >> 4) * 4, at = 20;

    if (header > bytes)
        return;
    while (at < header && tcp[at] != 0) {
        size_t len = tcp[at] == 1 ? 1 : at + 1 < header ? tcp[at + 1] : 0;
        if (len == 0 || (tcp[at] != 1 && len < 2) || at + len > header)
            return; /* malformed: as it is */
        if (tcp[at] == 2 && len == 4 && load16(tcp + at + 2) > mtu - 40) {
            uint8_t was[6] = {0}, is[6] = {0};
            size_t lead = at & 1; /* the words that the checksum sees */
            memcpy(was + lead, tcp + at, 4);
            store16(tcp + at + 2, mtu - 40);
            memcpy(is + lead, tcp + at, 4);
            for (unsigned w = 0; w < 6; w += 2)
                sum_adjust(tcp + 16, load16(was + w), load16(is + w));
        } else if (tcp[at] == 8 && len == 10 && n->config.strip_stamps) {
            uint8_t was[12] = {0}, is[12] = {0};
            size_t lead = at & 1;
            memcpy(was + lead, tcp + at, 10);
            memset(tcp + at, 1, 10); /* no-operation */
            memcpy(is + lead, tcp + at, 10);
            for (unsigned w = 0; w < 12; w += 2)
                sum_adjust(tcp + 16, load16(was + w), load16(is + w));
        }
        at += len;
    }
}

/* --- fragments ------------------------------------------------------------------ */

static void fragment_note(struct nat *n, const uint8_t *p, uint32_t new_src, uint32_t new_dst, uint64_t now)
{
    n->fragment[n->fragment_next++ % NAT_FRAGMENTS] =
        (struct nat_fragment){.expires_ns = now + NAT_FRAGMENT_IDLE,
                              .src = load_addr(p + 12),
                              .dst = load_addr(p + 16),
                              .new_src = new_src,
                              .new_dst = new_dst,
                              .id = load16(p + 4),
                              .proto = p[9]};
}

/* A later fragment has no ports: it goes where its first one went. */
static void fragment_follow(struct nat *n, uint8_t *p, uint64_t now, struct nat_result *r)
{
    for (unsigned i = 0; i < NAT_FRAGMENTS; i++) {
        const struct nat_fragment *f = &n->fragment[i];
        if (f->expires_ns <= now || f->id != load16(p + 4) || f->proto != p[9] ||
            f->src != load_addr(p + 12) || f->dst != load_addr(p + 16))
            continue;
        nat_change_addr(p, 12, f->new_src, NULL);
        nat_change_addr(p, 16, f->new_dst, NULL);
        ttl_down(p);
        r->send = true;
        return;
    }
    nat_drop(n, r, NAT_DROP_FRAGMENT); /* C-NAT-5 */
}

/* --- both directions ---------------------------------------------------------------- */

void nat_drop(struct nat *n, struct nat_result *r, enum nat_drop why)
{
    n->drops[why]++;
    r->send = false;
    r->why = why;
}

/* Sound, and may it go on? Tells the sender what is wrong where he should know. */
static bool may_pass(struct nat *n, const uint8_t *p, size_t len, uint32_t from_addr, uint32_t mtu,
                     struct nat_result *r)
{
    if (n->config.outside_addr == 0 || len == 0 || nat_packet_len(p, len) != len) {
        nat_drop(n, r, NAT_DROP_MALFORMED);
        return false;
    }
    if (p[8] <= 1) {
        nat_drop(n, r, NAT_DROP_TTL);
        nat_icmp_error(p, len, from_addr, 11, 0, 0, r); /* time exceeded in transit */
        return false;
    }
    if (len > mtu && ip_dont_fragment(p)) {
        nat_drop(n, r, NAT_DROP_TOO_BIG);
        nat_icmp_error(p, len, from_addr, 3, 4, mtu, r); /* fragmentation needed, RFC 1191 */
        return false;
    }
    return true;
}

/* Source and destination ports; for an ICMP query its identifier on the inside's
 * side. false: not a protocol that is translated, or too short. */
static bool ports_of(const uint8_t *p, size_t len, bool outward, uint16_t *inside, uint16_t *remote)
{
    size_t header = ip_header(p);
    const uint8_t *l4 = p + header;

    if (len - header < l4_least(p[9]))
        return false;
    if (p[9] == PROTO_ICMP) {
        *inside = load16(l4 + 4);
        *remote = 0;
        return l4[0] == (outward ? ICMP_ECHO : ICMP_REPLY);
    }
    *inside = load16(l4 + (outward ? 0 : 2));
    *remote = load16(l4 + (outward ? 2 : 0));
    return p[9] == PROTO_TCP || p[9] == PROTO_UDP;
}

static bool is_icmp_error(const uint8_t *p, size_t len)
{
    size_t header = ip_header(p);
    uint8_t type = len > header ? p[header] : 0;

    return p[9] == PROTO_ICMP && (type == 3 || type == 11 || type == 12);
}

/* --- from the inside out ---------------------------------------------------------------- */

static struct nat_session *session_outward(struct nat *n, const uint8_t *p, uint16_t port,
                                           uint16_t remote_port, uint64_t now)
{
    struct nat_session like = {.proto = p[9],
                               .inside_addr = load_addr(p + 12),
                               .inside_port = port,
                               .shown_addr = load_addr(p + 16),
                               .remote_port = remote_port};
    struct nat_session *s = nat_find_inside(n, p[9], like.inside_addr, port, like.shown_addr, remote_port,
                                            now, &like.outside_port);

    if (s != NULL)
        return s;
    like.remote_addr = like.shown_addr == n->config.inside_addr ? n->config.dns : like.shown_addr;
    if (like.outside_port == 0)
        like.outside_port = port_choose(n, like.proto);
    return like.outside_port != 0 ? session_new(n, &like, now) : NULL;
}

void nat_outbound(struct nat *n, uint8_t *p, size_t len, uint64_t now, struct nat_result *r) /* C-NAT-1 */
{
    struct nat_session *s;
    uint16_t port, remote_port;
    uint8_t *l4, *sum;

    r->reply_len = 0;
    if (!may_pass(n, p, len, n->config.inside_addr, n->config.outside_mtu, r))
        return;
    if (load_addr(p + 12) == n->config.inside_addr || load_addr(p + 12) == n->config.outside_addr) {
        nat_drop(n, r, NAT_DROP_SOURCE);
        return;
    }
    if (ip_offset(p) != 0) {
        fragment_follow(n, p, now, r);
        n->translated_out += r->send;
        return;
    }
    if (is_icmp_error(p, len)) {
        nat_icmp_outbound(n, p, len, now, r);
    } else if (!ports_of(p, len, true, &port, &remote_port)) {
        nat_drop(n, r, NAT_DROP_PROTOCOL);
    } else if (load_addr(p + 16) == n->config.inside_addr &&
               (remote_port != DNS_PORT || n->config.dns == 0)) {
        nat_drop(n, r, NAT_DROP_NO_SESSION); /* for ourselves, but not a name query */
    } else if ((s = session_outward(n, p, port, remote_port, now)) == NULL) {
        nat_drop(n, r, NAT_DROP_NO_PORT);
    } else {
        l4 = p + ip_header(p);
        session_touch(s, l4, true, now);
        if (s->proto == PROTO_TCP && (l4[13] & TCP_SYN))
            edit_syn(n, l4, len - ip_header(p));
        if (ip_more(p))
            fragment_note(n, p, n->config.outside_addr, s->remote_addr, now);
        sum = l4_sum(l4, s->proto);
        nat_change_addr(p, 12, n->config.outside_addr, sum);
        nat_change_addr(p, 16, s->remote_addr, sum);
        if (s->proto == PROTO_ICMP)
            change16(l4 + 4, s->outside_port, l4 + 2);
        else
            change16(l4, s->outside_port, sum);
        r->send = true;
    }
    if (!r->send)
        return;
    ttl_down(p);
    n->translated_out++;
}

/* --- from the outside in -------------------------------------------------------------------- */

/* Somebody outside opens a forwarded port: that makes a session, too. */
static struct nat_session *session_inward(struct nat *n, const uint8_t *p, uint16_t port,
                                          uint16_t remote_port, uint64_t now)
{
    struct nat_session *s = nat_find_outside(n, p[9], port, load_addr(p + 12), remote_port, now);

    for (unsigned i = 0; s == NULL && i < n->config.nforwards; i++) {
        const struct nat_forward *f = &n->config.forward[i];
        struct nat_session like = {.proto = p[9],
                                   .inside_addr = f->inside_addr,
                                   .inside_port = f->inside_port,
                                   .remote_addr = load_addr(p + 12),
                                   .shown_addr = load_addr(p + 12),
                                   .remote_port = remote_port,
                                   .outside_port = port};
        if (f->proto == p[9] && f->outside_port == port)
            s = session_new(n, &like, now);
    }
    return s;
}

void nat_inbound(struct nat *n, uint8_t *p, size_t len, uint64_t now, struct nat_result *r)
{
    struct nat_session *s;
    uint16_t port, remote_port;
    uint8_t *l4, *sum;

    r->reply_len = 0;
    if (!may_pass(n, p, len, n->config.outside_addr, n->config.inside_mtu, r))
        return;
    if (load_addr(p + 16) != n->config.outside_addr) {
        nat_drop(n, r, NAT_DROP_SOURCE);
        return;
    }
    if (ip_offset(p) != 0) {
        fragment_follow(n, p, now, r);
        n->translated_in += r->send;
        return;
    }
    if (is_icmp_error(p, len)) {
        nat_icmp_inbound(n, p, len, now, r);
    } else if (!ports_of(p, len, false, &port, &remote_port)) {
        nat_drop(n, r, NAT_DROP_PROTOCOL);
    } else if ((s = session_inward(n, p, port, remote_port, now)) == NULL) {
        nat_drop(n, r, NAT_DROP_NO_SESSION);
    } else {
        l4 = p + ip_header(p);
        session_touch(s, l4, false, now);
        if (s->proto == PROTO_TCP && (l4[13] & TCP_SYN))
            edit_syn(n, l4, len - ip_header(p));
        if (ip_more(p))
            fragment_note(n, p, s->shown_addr, s->inside_addr, now);
        sum = l4_sum(l4, s->proto);
        nat_change_addr(p, 12, s->shown_addr, sum);
        nat_change_addr(p, 16, s->inside_addr, sum);
        if (s->proto == PROTO_ICMP)
            change16(l4 + 4, s->inside_port, l4 + 2);
        else
            change16(l4 + 2, s->inside_port, sum);
        r->send = true;
    }
    if (!r->send)
        return;
    ttl_down(p);
    n->translated_in++;
}

size_t nat_cut(const uint8_t *p, size_t len, uint32_t mtu, size_t *at, uint8_t *piece)
{
    size_t header = ip_header(p), n = len - header - *at;
    bool more = ip_more(p);

    if (n == 0 || header + 8 > mtu)
        return 0;
    if (n > mtu - header) {
        n = (mtu - header) & ~(size_t)7;
        more = true;
    }
    memcpy(piece, p, header); /* options go into every piece */
    memcpy(piece + header, p + header + *at, n);
    store16(piece + 2, (uint32_t)(header + n));
    store16(piece + 6, (more ? 0x2000u : 0u) | (ip_offset(p) + (uint32_t)(*at / 8)));
    store16(piece + 10, 0);
    sum_make(piece + 10, piece, header);
    *at += n;
    return header + n;
}

/* --- the whole ---------------------------------------------------------------------------------- */

static void forget_all(struct nat *n)
{
    memset(n->in, 0, sizeof n->in);
    memset(n->out, 0, sizeof n->out);
    memset(n->fragment, 0, sizeof n->fragment);
    n->free = NULL;
    n->sessions = 0;
    for (unsigned i = 0; i < NAT_SESSIONS_MAX; i++) {
        n->session[i].proto = 0;
        n->session[i].in_next = n->free;
        n->free = &n->session[i];
    }
}

int nat_init(struct nat *n, const struct nat_config *c, const uint64_t key[2])
{
    memset(n, 0, sizeof *n);
    n->config = *c;
    n->key[0] = key[0];
    n->key[1] = key[1];
    n->random = key[0] ^ key[1] ^ 0x9e3779b97f4a7c15ull;
    if (n->random == 0)
        n->random = 1;
    n->session = calloc(NAT_SESSIONS_MAX, sizeof *n->session);
    if (n->session == NULL)
        return -ENOMEM;
    forget_all(n);
    return 0;
}

void nat_fini(struct nat *n)
{
    free(n->session);
    n->session = NULL;
}

void nat_reconfigure(struct nat *n, const struct nat_config *c)
{
    if (c->outside_addr != n->config.outside_addr)
        forget_all(n);
    n->config = *c;
}

const char *nat_drop_name(enum nat_drop why)
{
    static const char *const names[] = {
#define X(id, name, text) name,
        NAT_DROP_LIST(X)
#undef X
    };

    return why < NAT_DROPS ? names[why] : "?";
}
