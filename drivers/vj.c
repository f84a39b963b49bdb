/* SPDX-License-Identifier: MIT
 *
 * drivers/vj.c: TCP/IP header compression, RFC 1144.
 *
 * Owns: nothing but the code. Context and lock: see drivers/vj.h.
 */
#include <drivers/vj.h>

#define VJ_NO_SLOT 0xff

/* The first byte of a compressed packet (RFC 1144, 3.2.2, figure 3): which
 * fields changed, and so which deltas follow. */
#define COMPRESSED 0x80u
#define NEW_C      0x40u /* the slot's number follows */
#define NEW_I      0x20u /* IP identification did not grow by one */
#define PUSH       0x10u
#define NEW_S      0x08u
#define NEW_A      0x04u
#define NEW_W      0x02u
#define NEW_U      0x01u
/* Combinations that cannot occur alone stand for the two usual cases (3.2.3). */
#define SPECIALS  (NEW_S | NEW_A | NEW_W | NEW_U)
#define SPECIAL_I (NEW_S | NEW_W | NEW_U)         /* echoed typing: seq and ack by the last length */
#define SPECIAL_D (NEW_S | NEW_A | NEW_W | NEW_U) /* bulk data: seq by the last length */

#define IP_ID     4
#define IP_OFFSET 6
#define IP_TTL    8
#define IP_PROTO  9
#define IP_SUM    10
#define IP_SRC    12
#define TCP_PORTS 0
#define TCP_SEQ   4
#define TCP_ACK   8
#define TCP_DOFF  12
#define TCP_FLAGS 13
#define TCP_WIN   14
#define TCP_SUM   16
#define TCP_URP   18

#define PROTO_TCP 6
#define FLAG_FIN  0x01u
#define FLAG_SYN  0x02u
#define FLAG_RST  0x04u
#define FLAG_PSH  0x08u
#define FLAG_ACK  0x10u
#define FLAG_URG  0x20u

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v);
}

static bool same(const uint8_t *a, const uint8_t *b, size_t bytes)
{
    return __builtin_memcmp(a, b, bytes) == 0;
}

static size_t ip_header_len(const uint8_t *h)
{
    return (size_t)(h[0] & 0x0f) * 4;
}

static size_t tcp_header_len(const uint8_t *tcp)
{
    return (size_t)(tcp[TCP_DOFF] >> 4) * 4;
}

/* Length of the IPv4 and TCP header at h; 0 when they are not whole or lie. */
static size_t headers_len(const uint8_t *h, size_t have)
{
    size_t ip, whole;

    if (have < 40)
        return 0;
    ip = ip_header_len(h);
    if (ip < 20 || have < ip + 20 || tcp_header_len(h + ip) < 20)
        return 0;
    whole = ip + tcp_header_len(h + ip);
    return whole <= have && whole <= VJ_HEADER_MAX ? whole : 0;
}

void vj_init(struct vj *v)
{
    *v = (struct vj){.tx_last = VJ_NO_SLOT, .rx_last = VJ_NO_SLOT, .rx_toss = true};
}

/* --- sending --- */

/* The slot of this packet's connection; or the one that was idle longest, and
 * *fresh says so. */
static struct vj_slot *slot_for(struct vj *v, const uint8_t *h, bool *fresh)
{
    struct vj_slot *oldest = &v->tx[0];
    size_t ip = ip_header_len(h);

    *fresh = false;
    for (struct vj_slot *s = v->tx; s < v->tx + VJ_SLOTS; s++) {
        if (s->header_len != 0 && same(s->header + IP_SRC, h + IP_SRC, 8) &&
            same(s->header + ip_header_len(s->header) + TCP_PORTS, h + ip + TCP_PORTS, 4))
            return s;
        if (s->header_len == 0 ? oldest->header_len != 0 : v->clock - s->used > v->clock - oldest->used)
            oldest = oldest->header_len == 0 ? oldest : s;
    }
    *fresh = true;
    return oldest;
}

/* A delta of 1 to 255 is one byte; else a zero and two bytes (3.2.2). */
static uint8_t *encode(uint8_t *to, uint32_t delta)
{
    if (delta >= 1 && delta <= 255) {
        *to++ = (uint8_t)delta;
        return to;
    }
    *to++ = 0;
    put16(to, delta);
    return to + 2;
}

/* May the difference to `old` be sent at all? All that the deltas do not cover
 * must be equal: version, lengths, type of service, fragmentation, TTL, options. */
static bool same_shape(const uint8_t *old, const uint8_t *h, size_t ip, size_t len)
{
    const uint8_t *t = h + ip, *o = old + ip;

    return h[0] == old[0] && h[1] == old[1] && same(h + IP_OFFSET, old + IP_OFFSET, 4) &&
           t[TCP_DOFF] == o[TCP_DOFF] && ((t[TCP_FLAGS] ^ o[TCP_FLAGS]) & ~(FLAG_PSH | FLAG_URG)) == 0 &&
           same(h + 20, old + 20, ip - 20) && same(t + 20, o + 20, len - ip - 20) &&
           ((t[TCP_FLAGS] & FLAG_URG) != 0 || same(t + TCP_URP, o + TCP_URP, 2));
}

/* Writes the deltas between the TCP headers o and t, and says which there are.
 * false: one is too large. */
static bool deltas(const uint8_t *o, const uint8_t *t, const struct vj_slot *s, size_t data, uint8_t **to,
                   unsigned *changes)
{
    uint32_t window = (uint16_t)(get16(t + TCP_WIN) - get16(o + TCP_WIN));
    uint32_t ack = get32(t + TCP_ACK) - get32(o + TCP_ACK), seq = get32(t + TCP_SEQ) - get32(o + TCP_SEQ);
    uint8_t *start = *to;
    unsigned c = 0;

    if (ack > 0xffff || seq > 0xffff)
        return false;
    if (t[TCP_FLAGS] & FLAG_URG) {
        *to = encode(*to, get16(t + TCP_URP));
        c |= NEW_U;
    }
    if (window != 0) {
        *to = encode(*to, window);
        c |= NEW_W;
    }
    if (ack != 0) {
        *to = encode(*to, ack);
        c |= NEW_A;
    }
    if (seq != 0) {
        *to = encode(*to, seq);
        c |= NEW_S;
    }
    if (c == SPECIAL_I || c == SPECIAL_D) /* taken: these bits mean something else */
        return false;
    /* Nothing changed: data behind a bare acknowledgment is usual; anything else
     * is a retransmission, and the other side may have missed the first. */
    if (c == 0 && (data == 0 || s->data_len != 0))
        return false;
    if (c == (NEW_S | NEW_A) && seq == ack && seq == s->data_len) {
        c = SPECIAL_I;
        *to = start;
    } else if (c == NEW_S && seq == s->data_len) {
        c = SPECIAL_D; /* C-VJ-1 */
        *to = start;
    }
    *changes = c;
    return true;
}

/* The compressed header of h against its slot; 0 when it has to go whole. */
static size_t compress(struct vj *v, const struct vj_slot *s, const uint8_t *h, size_t len, size_t data,
                       uint8_t *out)
{
    uint8_t body[3 * 5], *end = body, *to = out + 1, slot = (uint8_t)(s - v->tx);
    size_t ip = ip_header_len(h);
    const uint8_t *t = h + ip;
    unsigned changes;
    uint32_t id;

    if (s->header_len != len || !same_shape(s->header, h, ip, len) ||
        !deltas(s->header + ip, t, s, data, &end, &changes))
        return 0;
    id = (uint16_t)(get16(h + IP_ID) - get16(s->header + IP_ID));
    if (id != 1) {
        end = encode(end, id);
        changes |= NEW_I;
    }
    if (t[TCP_FLAGS] & FLAG_PSH)
        changes |= PUSH;
    if (v->tx_last != slot) {
        changes |= NEW_C;
        *to++ = slot;
    }
    out[0] = (uint8_t)(COMPRESSED | changes);
    *to++ = t[TCP_SUM];
    *to++ = t[TCP_SUM + 1];
    __builtin_memcpy(to, body, (size_t)(end - body));
    return (size_t)(to - out) + (size_t)(end - body);
}

static void slot_store(struct vj_slot *s, const uint8_t *h, size_t len, size_t data)
{
    __builtin_memcpy(s->header, h, len);
    s->header_len = (uint8_t)len;
    s->data_len = (uint16_t)data;
}

size_t vj_compress(struct vj *v, const uint8_t *header, size_t have, size_t total_len,
                   uint8_t out[VJ_HEADER_MAX], size_t *out_len)
{
    size_t len, ip;
    struct vj_slot *s;
    bool fresh;

    /* Only TCP that is established and whole (3.2.3); the rest goes as it is. */
    if (have < 40 || header[0] >> 4 != 4 || header[IP_PROTO] != PROTO_TCP ||
        (get16(header + IP_OFFSET) & 0x3fff) != 0)
        return 0;
    len = headers_len(header, have);
    if (len == 0 || total_len < len || get16(header + 2) != total_len)
        return 0;
    ip = ip_header_len(header);
    if ((header[ip + TCP_FLAGS] & (FLAG_SYN | FLAG_FIN | FLAG_RST | FLAG_ACK)) != FLAG_ACK)
        return 0;
    s = slot_for(v, header, &fresh);
    s->used = ++v->clock;
    *out_len = fresh ? 0 : compress(v, s, header, len, total_len - len, out);
    if (*out_len != 0) {
        v->tx_compressed++;
    } else {
        __builtin_memcpy(out, header, len);
        out[0] |= 0x30; /* 4 becomes 7 */
        out[IP_PROTO] = (uint8_t)(s - v->tx);
        *out_len = len;
        v->tx_uncompressed++;
    }
    slot_store(s, header, len, total_len - len);
    v->tx_last = (uint8_t)(s - v->tx);
    return len;
}

/* --- receiving --- */

struct reader {
    const uint8_t *p, *end;
    bool bad;
};

static uint32_t take(struct reader *r, unsigned bytes)
{
    uint32_t v = 0;

    if ((size_t)(r->end - r->p) < bytes) {
        r->bad = true;
        return 0;
    }
    while (bytes-- > 0)
        v = v << 8 | *r->p++;
    return v;
}

static uint32_t decode(struct reader *r)
{
    uint32_t v = take(r, 1);

    return v != 0 || r->bad ? v : take(r, 2);
}

static uint16_t ip_checksum(const uint8_t *h, size_t len)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < len; i += 2)
        sum += get16(h + i);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static size_t fail(struct vj *v)
{
    v->rx_errors++;
    v->rx_toss = true;
    return 0;
}

static size_t fill_slot(struct vj *v, const uint8_t *packet, size_t bytes, uint8_t *out, size_t *skip)
{
    size_t len = headers_len(packet, bytes);
    uint8_t slot = bytes > IP_PROTO ? packet[IP_PROTO] : VJ_SLOTS;

    if (len == 0 || slot >= VJ_SLOTS)
        return fail(v);
    __builtin_memcpy(out, packet, len);
    out[0] &= 0x4f;
    out[IP_PROTO] = PROTO_TCP;
    slot_store(&v->rx[slot], out, len, bytes - len);
    v->rx_last = slot;
    v->rx_toss = false;
    v->rx_uncompressed++;
    *skip = len;
    return len;
}

/* Applies the deltas to the slot's TCP header (3.2.4). C-VJ-2 */
static void apply(struct reader *r, uint8_t *tcp, unsigned mask, uint16_t last_data)
{
    tcp[TCP_FLAGS] &= (uint8_t) ~(FLAG_PSH | FLAG_URG);
    if (mask & PUSH)
        tcp[TCP_FLAGS] |= FLAG_PSH;
    if ((mask & SPECIALS) == SPECIAL_I) {
        put32(tcp + TCP_ACK, get32(tcp + TCP_ACK) + last_data);
        put32(tcp + TCP_SEQ, get32(tcp + TCP_SEQ) + last_data);
        return;
    }
    if ((mask & SPECIALS) == SPECIAL_D) {
        put32(tcp + TCP_SEQ, get32(tcp + TCP_SEQ) + last_data);
        return;
    }
    if (mask & NEW_U) {
        tcp[TCP_FLAGS] |= FLAG_URG;
        put16(tcp + TCP_URP, decode(r));
    }
    if (mask & NEW_W)
        put16(tcp + TCP_WIN, get16(tcp + TCP_WIN) + decode(r));
    if (mask & NEW_A)
        put32(tcp + TCP_ACK, get32(tcp + TCP_ACK) + decode(r));
    if (mask & NEW_S)
        put32(tcp + TCP_SEQ, get32(tcp + TCP_SEQ) + decode(r));
}

static size_t expand(struct vj *v, const uint8_t *packet, size_t bytes, uint8_t *out, size_t *skip)
{
    struct reader r = {.p = packet, .end = packet + bytes};
    unsigned mask = take(&r, 1);
    struct vj_slot *s;
    uint32_t sum, id;
    size_t ip, data;

    if (mask & NEW_C) {
        uint32_t slot = take(&r, 1);
        if (r.bad || slot >= VJ_SLOTS)
            return fail(v);
        v->rx_last = (uint8_t)slot;
        v->rx_toss = false;
    } else if (v->rx_toss) {
        v->rx_tossed++; /* C-VJ-3 */
        return 0;
    }
    s = v->rx_last < VJ_SLOTS ? &v->rx[v->rx_last] : NULL;
    if (s == NULL || s->header_len == 0)
        return fail(v);
    ip = ip_header_len(s->header);
    sum = take(&r, 2);
    apply(&r, s->header + ip, mask, s->data_len);
    id = mask & NEW_I ? decode(&r) : 1;
    data = (size_t)(r.end - r.p);
    if (r.bad || s->header_len + data > 0xffff) {
        s->header_len = 0; /* half applied: of no more use (C-VJ-4) */
        return fail(v);
    }
    put16(s->header + IP_ID, get16(s->header + IP_ID) + id);
    put16(s->header + ip + TCP_SUM, sum);
    put16(s->header + 2, (uint32_t)(s->header_len + data));
    put16(s->header + IP_SUM, 0);
    put16(s->header + IP_SUM, ip_checksum(s->header, ip));
    s->data_len = (uint16_t)data;
    __builtin_memcpy(out, s->header, s->header_len);
    *skip = bytes - data;
    v->rx_compressed++;
    return s->header_len;
}

size_t vj_decompress(struct vj *v, const uint8_t *packet, size_t bytes, uint8_t out[VJ_HEADER_MAX],
                     size_t *skip)
{
    *skip = 0;
    if (bytes != 0 && (packet[0] & COMPRESSED) != 0)
        return expand(v, packet, bytes, out, skip);
    return fill_slot(v, packet, bytes, out, skip);
}

void vj_line_error(struct vj *v)
{
    v->rx_toss = true;
}
