/* SPDX-License-Identifier: MIT
 *
 * tests/sim/conform_seg.c: segments between a case's words and the wire.
 *
 * Owns: the table of flows (what numbers are relative to), time-stamp
 * variables. Builds what the peer sends, reads what the stack sends and compares
 * it with what was expected. Written out plainly, apart from the code it checks.
 */
#include <stdarg.h>
#include <string.h>
#include <tests/sim/conform.h>

struct packets packets;

void packets_start(void)
{
    memset(&packets, 0, sizeof(packets));
    packets.peer_isn = 1000000;
    packets.family = NET_INET;
}

struct flow *flow_of(uint16_t peer)
{
    struct flow *f;

    if (peer == 0)
        peer = PEER_PORT;
    for (unsigned i = 0; i < packets.nflows; i++)
        if (packets.flow[i].peer == peer)
            return &packets.flow[i];
    f = &packets.flow[packets.nflows < FLOWS_MAX - 1 ? packets.nflows++ : FLOWS_MAX - 1];
    memset(f, 0, sizeof(*f));
    f->peer = peer;
    f->irs = packets.peer_isn;
    return f;
}

uint8_t text_byte(bool from_peer, uint32_t at)
{
    return (uint8_t)(at * 31 + (at >> 8) * 7 + (from_peer ? 101 : 0));
}

/* RFC 1071, byte by byte. */
static uint32_t sum_bytes(uint32_t sum, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum += (uint32_t)p[i] << ((i & 1) != 0 ? 0 : 8);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* With the pseudo-header; the addresses lie where the family has them. */
static uint32_t transport_sum(const uint8_t *packet, uint8_t proto, size_t head, size_t n)
{
    bool six = packets.family == NET_INET6;
    uint32_t sum = sum_bytes(proto + (uint32_t)(n - head), packet + (six ? 8 : 12), six ? 32 : 8);

    return sum_bytes(sum, packet + head, n - head);
}

void put_address(uint8_t *at, uint32_t ip)
{
    if (packets.family == NET_INET) {
        put32(at, ip);
        return;
    }
    memset(at, 0, 16);
    if (ip >= 0xe0000000u) {
        at[0] = 0xff;
        at[1] = 2;
        at[15] = 1;
    } else if (ip != 0) {
        at[0] = 0xfd;
        put32(at + 12, ip);
    }
}

static size_t put_ip6(uint8_t *p, uint8_t proto, const struct tseg *s)
{
    memset(p, 0, 40);
    put32(p, 0x60000000u | (uint32_t)s->tos << 20);
    p[6] = proto;
    p[7] = s->ttl != 0 ? s->ttl : 64;
    put_address(p + 8, s->has_src ? s->src : PEER_IP);
    put_address(p + 24, s->has_dst ? s->dst : OUR_IP);
    return 40;
}

static size_t put_ip(uint8_t *p, uint8_t proto, const struct tseg *s)
{
    size_t head = 20 + (s->ip_opt_n + 3u) / 4 * 4;

    if (packets.family == NET_INET6)
        return put_ip6(p, proto, s);
    memset(p, 0, head);
    p[0] = (uint8_t)(0x40 | head / 4);
    p[1] = s->tos;
    p[8] = s->ttl != 0 ? s->ttl : 64;
    p[9] = proto;
    put32(p + 12, s->has_src ? s->src : PEER_IP);
    put32(p + 16, s->has_dst ? s->dst : OUR_IP);
    memcpy(p + 20, s->ip_opt, s->ip_opt_n);
    return head;
}

static void end_ip(uint8_t *p, size_t head, size_t n)
{
    if (packets.family == NET_INET6) {
        put16(p + 4, (uint16_t)(n - 40));
        return;
    }
    put16(p + 2, (uint16_t)n);
    put16(p + 10, (uint16_t)~sum_bytes(0, p, head));
}

/* --- what the peer sends ----------------------------------------------------------------- */
static uint32_t ts_value(const struct flow *f, const struct tsval *v)
{
    switch (v->how) {
    case TSV_VAR:
        return packets.var[v->var - 'a'] + v->number;
    case TSV_LAST:
        return f->last_ts + v->number;
    default:
        return v->number;
    }
}

static size_t put_option(uint8_t *p, const struct flow *f, const struct topt *o)
{
    size_t n = 2;

    p[0] = (uint8_t)o->kind;
    switch (o->kind) {
    case TO_EOL:
    case TO_NOP:
        return 1;
    case TO_MSS:
        put16(p + 2, (uint16_t)o->v[0]);
        n = 4;
        break;
    case TO_WSCALE:
        p[2] = (uint8_t)o->v[0];
        n = 3;
        break;
    case TO_SACK:
        for (; n < 2 + 8u * o->n; n += 4)
            put32(p + n, f->iss + o->v[(n - 2) / 4]);
        break;
    case TO_TS:
        put32(p + 2, ts_value(f, &o->ts[0]));
        put32(p + 6, ts_value(f, &o->ts[1]));
        n = 10;
        break;
    case TO_RAW:
        memcpy(p, o->raw, o->n);
        return o->n;
    default:
        break;
    }
    p[1] = (uint8_t)n;
    return n;
}

size_t seg_build(const struct tseg *s, uint8_t *packet)
{
    struct flow *f = flow_of(s->peer);
    size_t head = put_ip(packet, NET_TCP, s), n = 20;
    uint8_t *h = packet + head;

    memset(h, 0, 64);
    put16(h, f->peer);
    put16(h + 2, s->ours != 0 ? s->ours : f->ours != 0 ? f->ours : OUR_PORT);
    put32(h + 4, s->seq_abs ? s->seq : f->irs + s->seq);
    put32(h + 8, s->has_ack ? f->iss + s->ack : 0);
    h[13] = s->flags;
    put16(h + 14, (uint16_t)(s->has_win ? s->win : 65535));
    put16(h + 18, (uint16_t)s->urg);
    for (unsigned i = 0; i < s->nopts && n <= 60; i++)
        n += put_option(h + n, f, &s->opt[i]);
    n = (n + 3) / 4 * 4;
    h[12] = (uint8_t)((s->doff != 0 ? s->doff : n / 4) << 4 | s->reserved);
    for (uint32_t i = 0; i < s->len; i++)
        h[n++] = text_byte(true, s->seq + i - ((s->flags & TCP_SYN) ? 0 : 1));
    n += head;
    put16(h + 16, (uint16_t)(~transport_sum(packet, NET_TCP, head, n) ^ (s->bad_sum ? 0x0100u : 0)));
    end_ip(packet, head, n);
    return n;
}

/* icmp NAME [mtu N] [seq N] [port PEER]: quotes a segment of ours. */
static const struct icmp_name {
    const char *name;
    uint8_t type4, code4, type6, code6; /* type 0: the family has none */
} icmp_names[] = {
    {"net-unreachable", 3, 0, 1, 0},   {"host-unreachable", 3, 1, 1, 3}, {"protocol-unreachable", 3, 2, 4, 1},
    {"port-unreachable", 3, 3, 1, 4},  {"too-big", 3, 4, 2, 0},          {"source-route-failed", 3, 5, 0, 0},
    {"prohibited", 3, 13, 1, 1},       {"source-quench", 4, 0, 0, 0},    {"ttl-exceeded", 11, 0, 3, 0},
    {"parameter-problem", 12, 0, 4, 0}};

static const struct icmp_name *icmp_find(const char *name)
{
    for (size_t i = 0; i < sizeof(icmp_names) / sizeof(icmp_names[0]); i++)
        if (strcmp(name, icmp_names[i].name) == 0)
            return &icmp_names[i];
    return NULL;
}

size_t icmp_build(const struct step *s, uint8_t *packet)
{
    const struct icmp_name *e = icmp_find(s->word[1]);
    bool six = packets.family == NET_INET6;
    size_t ip = six ? 40 : 20, n = ip + 8 + ip + 8;
    struct tseg none = {.src = OUR_IP, .dst = PEER_IP};
    uint8_t *h = packet + ip, *q = h + 8;
    uint64_t mtu = 0, seq = 1, port = PEER_PORT;
    struct flow *f;

    if (e == NULL || (six && e->type6 == 0))
        return 0;
    for (unsigned w = 2; w + 1 < s->nwords; w += 2) {
        uint64_t *to = strcmp(s->word[w], "mtu") == 0 ? &mtu : strcmp(s->word[w], "seq") == 0 ? &seq : &port;
        if (!parse_number(s->word[w + 1], to))
            return 0;
    }
    f = flow_of((uint16_t)port);
    put_ip(packet, six ? NET_ICMP6 : NET_ICMP, &none);
    h[0] = six ? e->type6 : e->type4;
    h[1] = six ? e->code6 : e->code4;
    put16(h + 2, 0);
    put32(h + 4, (uint32_t)mtu); /* IPv4's is in the lower half */
    none.has_src = none.has_dst = true;
    put_ip(q, NET_TCP, &none);
    end_ip(q, ip, 1500);
    put16(q + ip, f->ours != 0 ? f->ours : OUR_PORT);
    put16(q + ip + 2, f->peer);
    put32(q + ip + 4, f->iss + (uint32_t)seq);
    put16(h + 2, (uint16_t) ~(six ? transport_sum(packet, NET_ICMP6, ip, n) : sum_bytes(0, h, n - ip)));
    end_ip(packet, ip, n);
    return n;
}

/* --- what the stack sends ------------------------------------------------------------------ */
static bool wrong(char *why, size_t room, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static bool wrong(char *why, size_t room, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, room, fmt, ap);
    va_end(ap);
    return false;
}

static bool read_option(const uint8_t *p, size_t n, const struct flow *f, struct topt *o)
{
    memset(o, 0, sizeof(*o));
    o->kind = p[0];
    if (p[0] <= TO_NOP)
        return true;
    switch (p[0]) {
    case TO_MSS:
        o->v[0] = get16(p + 2);
        return n == 4;
    case TO_WSCALE:
        o->v[0] = p[2];
        return n == 3;
    case TO_SACK_OK:
        return n == 2;
    case TO_SACK:
        o->n = (uint8_t)((n - 2) / 8);
        for (unsigned i = 0; i < 2u * o->n; i++)
            o->v[i] = get32(p + 2 + 4 * i) - f->irs;
        return n == 2 + 8u * o->n && o->n >= 1 && o->n <= 4;
    case TO_TS:
        o->ts[0].number = get32(p + 2);
        o->ts[1].number = get32(p + 6);
        return n == 10;
    default:
        o->kind = TO_RAW;
        o->n = (uint8_t)n;
        memcpy(o->raw, p, n);
        return true;
    }
}

/* Lengths must fit, and what follows an end of the list must be zero. */
static bool read_options(const uint8_t *p, size_t n, const struct flow *f, struct tseg *out)
{
    while (n > 0) {
        size_t len = p[0] <= TO_NOP ? 1 : n >= 2 ? p[1] : 0;
        if (p[0] == TO_EOL) {
            for (size_t i = 0; i < n; i++)
                if (p[i] != 0)
                    return false;
            return true;
        }
        if (len == 0 || (p[0] > TO_NOP && len < 2) || len > n || out->nopts == OPTS_MAX ||
            !read_option(p, len, f, &out->opt[out->nopts++]))
            return false;
        p += len;
        n -= len;
    }
    return true;
}

/* Addresses, time to live and class; returns the header's length, 0: unsound. */
static size_t read_ip(const uint8_t *p, size_t n, struct tseg *out)
{
    static const uint8_t prefix[12] = {0xfd};

    if (packets.family == NET_INET) {
        if (n < 40 || p[0] != 0x45 || p[9] != NET_TCP || get16(p + 2) != n || sum_bytes(0, p, 20) != 0xffff)
            return 0;
        out->src = get32(p + 12);
        out->dst = get32(p + 16);
        out->ttl = p[8];
        out->tos = p[1];
        return 20;
    }
    if (n < 60 || p[0] >> 4 != 6 || p[6] != NET_TCP || get16(p + 4) != n - 40 ||
        memcmp(p + 8, prefix, sizeof(prefix)) != 0 || memcmp(p + 24, prefix, sizeof(prefix)) != 0)
        return 0;
    out->src = get32(p + 20);
    out->dst = get32(p + 36);
    out->ttl = p[7];
    out->tos = (uint8_t)(get16(p) >> 4);
    return 40;
}

bool seg_read(const uint8_t *packet, size_t n, struct tseg *out, char *why, size_t room)
{
    const uint8_t *h;
    struct flow *f;
    size_t ip, head;

    memset(out, 0, sizeof(*out));
    ip = read_ip(packet, n, out);
    if (ip == 0)
        return wrong(why, room, "%zu bytes that are no sound TCP packet", n);
    if (transport_sum(packet, NET_TCP, ip, n) != 0xffff)
        return wrong(why, room, "a wrong checksum");
    h = packet + ip;
    head = (size_t)(h[12] >> 4) * 4;
    if (head < 20 || head > n - ip || (h[12] & 15) != 0)
        return wrong(why, room, "a wrong data offset, or reserved bits");
    out->ours = get16(h);
    out->peer = get16(h + 2);
    out->flags = h[13];
    f = flow_of(out->peer);
    f->ours = out->ours;
    if (out->flags & TCP_SYN) {
        f->iss = get32(h + 4);
    }
    out->seq = get32(h + 4) - f->iss;
    out->ack = get32(h + 8) - (out->flags & TCP_ACK ? f->irs : 0);
    out->has_ack = (out->flags & TCP_ACK) != 0;
    out->win = get16(h + 14);
    out->urg = get16(h + 18);
    out->len = (uint32_t)(n - ip - head);
    out->has_win = out->has_opts = true;
    if (!out->has_ack && out->ack != 0)
        return wrong(why, room, "an acknowledgement number without ACK");
    if (!read_options(h + 20, head - 20, f, out))
        return wrong(why, room, "broken options");
    for (uint32_t i = 0; i < out->len; i++)
        if (h[head + i] != text_byte(false, out->seq + i - 1))
            return wrong(why, room, "a wrong byte of text at %u", out->seq + i);
    return true;
}

static const struct topt *find_option(const struct tseg *s, const struct topt *like)
{
    for (unsigned i = 0; i < s->nopts; i++)
        if (s->opt[i].kind == like->kind &&
            (like->kind != TO_RAW ||
             (s->opt[i].n == like->n && memcmp(s->opt[i].raw, like->raw, like->n) == 0)))
            return &s->opt[i];
    return NULL;
}

static bool ts_matches(const struct flow *f, const struct tsval *want, uint32_t got)
{
    switch (want->how) {
    case TSV_ANY:
        return true;
    case TSV_VAR:
        if (!packets.bound[want->var - 'a']) {
            packets.bound[want->var - 'a'] = true;
            packets.var[want->var - 'a'] = got - want->number;
        }
        return packets.var[want->var - 'a'] + want->number == got;
    case TSV_LAST: /* our clock ticks in ms, and may be between two */
        return got - (f->last_ts + want->number) + 1 <= 2;
    default:
        return want->number == got;
    }
}

static bool option_matches(const struct flow *f, const struct topt *want, const struct topt *got)
{
    if (want->kind == TO_TS)
        return ts_matches(f, &want->ts[0], got->ts[0].number) &&
               ts_matches(f, &want->ts[1], got->ts[1].number);
    return want->any || (want->n == got->n && memcmp(want->v, got->v, sizeof(want->v)) == 0);
}

static bool options_match(const struct tseg *want, const struct tseg *got, char *why, size_t room)
{
    const struct flow *f = flow_of(got->peer);

    for (unsigned i = 0; i < want->nopts; i++) {
        const struct topt *o = find_option(got, &want->opt[i]);
        if (want->opt[i].kind <= TO_NOP)
            continue;
        if (o == NULL)
            return wrong(why, room, "option %u is missing", want->opt[i].kind);
        if (!option_matches(f, &want->opt[i], o))
            return wrong(why, room, "option %u differs", want->opt[i].kind);
    }
    for (unsigned i = 0; i < got->nopts && !want->more_opts; i++)
        if (got->opt[i].kind > TO_NOP && find_option(want, &got->opt[i]) == NULL)
            return wrong(why, room, "option %u was not expected", got->opt[i].kind);
    return true;
}

bool seg_matches(const struct tseg *want, const struct tseg *got, char *why, size_t room)
{
    const struct flow *f = flow_of(got->peer);
    uint16_t peer = want->peer != 0 ? want->peer : PEER_PORT;

    if (got->peer != peer || (want->ours != 0 && got->ours != want->ours))
        return wrong(why, room, "ports differ");
    if (got->src != (want->has_src ? want->src : OUR_IP) || got->dst != (want->has_dst ? want->dst : PEER_IP))
        return wrong(why, room, "addresses differ");
    if (got->flags != want->flags)
        return wrong(why, room, "flags differ");
    if (!want->seq_any && got->seq + (want->seq_abs ? f->iss : 0) != want->seq)
        return wrong(why, room, "sequence numbers differ");
    if (!want->seq_any && got->len != want->len)
        return wrong(why, room, "lengths differ");
    if (got->has_ack && !want->ack_any && (!want->has_ack || got->ack != want->ack))
        return wrong(why, room, "acknowledgements differ");
    if (want->has_win && got->win != want->win)
        return wrong(why, room, "windows differ");
    if (got->urg != want->urg)
        return wrong(why, room, "urgent pointers differ");
    if (want->ttl != 0 && got->ttl != want->ttl)
        return wrong(why, room, "TTLs differ");
    if (got->tos != want->tos)
        return wrong(why, room, "types of service differ: %u", got->tos);
    return !want->has_opts || options_match(want, got, why, room);
}

void seg_note(const struct tseg *got)
{
    struct flow *f = flow_of(got->peer);

    for (unsigned i = 0; i < got->nopts; i++)
        if (got->opt[i].kind == TO_TS) {
            f->last_ts = got->opt[i].ts[0].number;
        }
}

/* --- in words --------------------------------------------------------------------------------- */
static int option_text(const struct topt *o, char *out, size_t room)
{
    static const char *const names[] = {"eol", "nop", "mss", "wscale", "sackOK", "sack"};
    int n;

    if (o->kind == TO_TS)
        return snprintf(out, room, "ts %u:%u", o->ts[0].number, o->ts[1].number);
    if (o->kind == TO_RAW)
        return snprintf(out, room, "raw of kind %u", o->raw[0]);
    if (o->kind == TO_MSS || o->kind == TO_WSCALE)
        return snprintf(out, room, "%s %u", names[o->kind], o->v[0]);
    n = snprintf(out, room, "%s", names[o->kind]);
    for (unsigned i = 0; i < o->n; i++)
        n += snprintf(out + n, room - (size_t)n, " %u:%u", o->v[2 * i], o->v[2 * i + 1]);
    return n;
}

void seg_text(const struct tseg *s, char *out, size_t room)
{
    static const char letters[] = "FSRPAUEC";
    size_t n = 0;

    if (s->peer != 0 && s->peer != PEER_PORT)
        n += (size_t)snprintf(out, room, "[%u] ", s->peer);
    for (unsigned i = 0; i < 8; i++)
        if (s->flags >> i & 1)
            out[n++] = letters[i];
    if (s->flags == 0)
        out[n++] = '-';
    n += (size_t)snprintf(out + n, room - n, s->seq_any ? " *" : " %u:%u(%u)", s->seq, s->seq + s->len,
                          s->len);
    if (s->has_ack)
        n += (size_t)snprintf(out + n, room - n, s->ack_any ? " ack *" : " ack %u", s->ack);
    if (s->has_win)
        n += (size_t)snprintf(out + n, room - n, " win %u", s->win);
    if (s->urg != 0)
        n += (size_t)snprintf(out + n, room - n, " urg %u", s->urg);
    if (s->nopts == 0)
        return;
    n += (size_t)snprintf(out + n, room - n, " <");
    for (unsigned i = 0; i < s->nopts && n + 100 < room; i++) {
        if (i != 0)
            out[n++] = ',';
        n += (size_t)option_text(&s->opt[i], out + n, room - n);
    }
    snprintf(out + n, room - n, ">");
}
