/* SPDX-License-Identifier: MIT
 *
 * net/stack/dns_wire.c: see net/stack/dns_wire.h. Section numbers are RFC 1035's unless
 * another RFC is named.
 */
#include <net/stack/dns_wire.h>
#include <net/stack/ns.h>

#define HEADER_BYTES 12u
#define CLASS_IN     1u
#define JUMPS_MAX    (DNS_NAME_MAX / 2u) /* one before each label: more lead nowhere, and take long */

enum { FLAG_QR = 0x8000, FLAG_OPCODE = 0x7800, FLAG_TC = 0x0200, FLAG_RD = 0x0100, FLAG_RA = 0x0080 };

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* --- names ----------------------------------------------------------------- */

int dns_name_parse(struct dns_name *n, const char *text)
{
    size_t at = 0;

    n->len = 0;
    if (text[0] == '.' && text[1] == 0)
        text++;
    while (*text != 0) {
        size_t label = 0;
        while (text[label] != 0 && text[label] != '.')
            label++;
        if (label == 0 || label > DNS_LABEL_MAX || at + 1 + label + 1 > DNS_NAME_MAX)
            return -EINVAL;
        n->b[at++] = (uint8_t)label;
        for (size_t i = 0; i < label; i++)
            n->b[at++] = lower((uint8_t)text[i]);
        text += label;
        if (*text == '.')
            text++;
    }
    n->b[at++] = 0;
    n->len = (uint8_t)at;
    return 0;
}

bool dns_name_text(const struct dns_name *n, char text[DNS_TEXT_MAX])
{
    size_t out = 0;

    for (size_t at = 0; at < n->len && n->b[at] != 0; at += n->b[at] + 1u) {
        if (out != 0)
            text[out++] = '.';
        for (unsigned i = 1; i <= n->b[at]; i++) {
            uint8_t c = n->b[at + i];
            if (c <= ' ' || c >= 127 || c == '.' || c == '\\')
                return false;
            text[out++] = (char)c;
        }
    }
    if (out == 0)
        text[out++] = '.';
    text[out] = 0;
    return n->len != 0;
}

bool dns_name_read(const uint8_t *msg, size_t len, size_t *at, struct dns_name *out)
{
    size_t p = *at, limit = p, n = 0; /* limit: pointers must lead before it */
    unsigned jumps = 0;
    bool jumped = false;

    while (p < len) {
        uint8_t label = msg[p];
        if (label >= 0xc0) { /* section 4.1.4 */
            size_t to = p + 1 < len ? (size_t)(label & 0x3f) << 8 | msg[p + 1] : len;
            if (to >= limit || ++jumps > JUMPS_MAX) /* C-DNS-1 */
                return false;
            if (!jumped)
                *at = p + 2;
            jumped = true;
            p = limit = to;
            continue;
        }
        if (label > DNS_LABEL_MAX || p + 1 + label > len || n + 1 + label > DNS_NAME_MAX)
            return false;
        out->b[n++] = label;
        p++;
        for (unsigned i = 0; i < label; i++)
            out->b[n++] = lower(msg[p++]);
        if (label == 0) {
            out->len = (uint8_t)n;
            if (!jumped)
                *at = p;
            return true;
        }
    }
    return false;
}

bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
    return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

bool dns_name_under(const struct dns_name *n, const struct dns_name *zone)
{
    for (size_t at = 0; at < n->len; at += n->b[at] + 1u)
        if (n->len - at == zone->len)
            return memcmp(n->b + at, zone->b, zone->len) == 0;
    return false;
}

static size_t put_label(struct dns_name *n, size_t at, const char *text, size_t len)
{
    n->b[at] = (uint8_t)len;
    memcpy(n->b + at + 1, text, len);
    return at + 1 + len;
}

void dns_name_reverse(struct dns_name *n, uint8_t family, const struct net_addr *addr)
{
    static const char hex[] = "0123456789abcdef";
    bool v6 = family == NET_INET6;
    size_t at = 0;

    for (int i = v6 ? 15 : 3; i >= 0; i--) {
        uint8_t v = addr->b[i];
        if (v6) {
            at = put_label(n, at, &hex[v & 15], 1);
            at = put_label(n, at, &hex[v >> 4], 1);
        } else {
            char digits[3];
            size_t d = 0;
            if (v >= 100)
                digits[d++] = (char)('0' + v / 100);
            if (v >= 10)
                digits[d++] = (char)('0' + v / 10 % 10);
            digits[d++] = (char)('0' + v % 10);
            at = put_label(n, at, digits, d);
        }
    }
    at = v6 ? put_label(n, at, "ip6", 3) : put_label(n, at, "in-addr", 7);
    at = put_label(n, at, "arpa", 4);
    n->b[at++] = 0;
    n->len = (uint8_t)at;
}

/* --- questions ------------------------------------------------------------- */

size_t dns_query_build(uint8_t buf[DNS_QUERY_MAX], uint16_t id, const struct dns_name *name, uint16_t type,
                       bool edns)
{
    size_t at = HEADER_BYTES;

    memset(buf, 0, HEADER_BYTES);
    put16(buf, id);
    put16(buf + 2, FLAG_RD);
    put16(buf + 4, 1);
    memcpy(buf + at, name->b, name->len);
    at += name->len;
    put16(buf + at, type);
    put16(buf + at + 2, CLASS_IN);
    at += 4;
    if (edns) { /* RFC 6891 section 6.1.2: root, OPT, size, no flags, no options */
        put16(buf + 10, 1);
        memset(buf + at, 0, 11);
        put16(buf + at + 1, DNS_OPT);
        put16(buf + at + 3, DNS_UDP_MAX);
        at += 11;
    }
    return at;
}

/* --- answers --------------------------------------------------------------- */

struct record {
    struct dns_name name;
    uint16_t type, class, len;
    uint32_t ttl_s;
    size_t data;
};

static bool record_read(const uint8_t *msg, size_t len, size_t *at, struct record *r)
{
    if (!dns_name_read(msg, len, at, &r->name) || len - *at < 10)
        return false;
    r->type = get16(msg + *at);
    r->class = get16(msg + *at + 2);
    r->ttl_s = get32(msg + *at + 4);
    r->len = get16(msg + *at + 8);
    r->data = *at + 10;
    if (r->len > len - r->data)
        return false;
    *at = r->data + r->len;
    if (r->ttl_s > 0x7fffffff) /* RFC 2181 section 8 */
        r->ttl_s = 0;
    return true;
}

static void shorten(uint32_t *ttl_s, uint32_t by)
{
    if (by < *ttl_s)
        *ttl_s = by;
}

/* One record of the type asked for. */
static void take_data(const uint8_t *msg, size_t len, const struct record *r, struct dns_result *out)
{
    size_t at = r->data;
    unsigned want = r->type == DNS_A ? 4 : 16;

    if (r->type == DNS_PTR) {
        struct dns_name name;
        if (out->pointer.len != 0 || !dns_name_read(msg, len, &at, &name) || at != r->data + r->len)
            return;
        out->pointer = name;
    } else {
        if (r->len != want || out->naddrs == DNS_ADDRS_MAX)
            return;
        memset(out->addr[out->naddrs], 0, 16);
        memcpy(out->addr[out->naddrs++], msg + at, want);
    }
    shorten(&out->ttl_s, r->ttl_s);
    out->kind = DNS_IS_DATA;
}

/* Walks the answers once for out->canonical: its data, else its alias. False: malformed. */
static bool walk(const uint8_t *msg, size_t len, size_t at, unsigned count, uint16_t type,
                 struct dns_result *out, bool *again)
{
    struct dns_name alias;
    struct record r;
    uint32_t alias_ttl = 0;

    alias.len = 0;
    *again = false;
    for (unsigned i = 0; i < count; i++) {
        if (!record_read(msg, len, &at, &r))
            return false;
        if (r.class != CLASS_IN || !dns_name_equal(&r.name, &out->canonical)) /* C-DNS-3 */
            continue;
        if (r.type == type) {
            take_data(msg, len, &r, out);
        } else if (r.type == DNS_CNAME && alias.len == 0) {
            size_t in = r.data;
            if (!dns_name_read(msg, len, &in, &alias) || in != r.data + r.len)
                return false;
            alias_ttl = r.ttl_s;
        }
    }
    if (out->kind == DNS_IS_DATA || alias.len == 0)
        return true;
    shorten(&out->ttl_s, alias_ttl);
    out->canonical = alias;
    *again = ++out->hops < DNS_CHAIN_MAX;
    return *again; /* a chain without an end is a failure */
}

/* The SOA record that says how long "no" holds (RFC 2308 sections 3 and 5): of a zone
 * that the name is in. */
static bool negative_ttl(const uint8_t *msg, size_t len, size_t at, unsigned answers, unsigned count,
                         const struct dns_name *name, uint32_t *ttl_s)
{
    struct record r;

    for (unsigned i = 0; i < answers + count; i++) {
        if (!record_read(msg, len, &at, &r))
            return false;
        if (i < answers || r.type != DNS_SOA || r.class != CLASS_IN || !dns_name_under(name, &r.name))
            continue;
        struct dns_name skipped;
        size_t in = r.data;
        if (!dns_name_read(msg, len, &in, &skipped) || !dns_name_read(msg, len, &in, &skipped) ||
            in + 20 != r.data + r.len)
            return false;
        *ttl_s = get32(msg + in + 16);
        shorten(ttl_s, r.ttl_s);
        shorten(ttl_s, DNS_NEGATIVE_TTL_MAX_S);
        return true;
    }
    return false;
}

/* `at`: behind the question. */
static void take_answer(const uint8_t *msg, size_t len, size_t at, uint16_t type, struct dns_result *out)
{
    uint16_t flags = get16(msg + 2);
    unsigned answers = get16(msg + 6), authority = get16(msg + 8);
    uint32_t no_ttl = 0;
    bool again = true;

    out->ttl_s = DNS_TTL_MAX_S;
    while (again)
        if (!walk(msg, len, at, answers, type, out, &again)) {
            out->kind = DNS_IS_FAILURE;
            return;
        }
    if (out->kind == DNS_IS_DATA)
        return;
    bool soa = negative_ttl(msg, len, at, answers, authority, &out->canonical, &no_ttl);
    if (out->rcode != DNS_NXDOMAIN && out->hops != 0 && !soa) {
        out->kind = DNS_IS_ALIAS; /* the server left the rest to us */
        return;
    }
    shorten(&out->ttl_s, no_ttl);
    if (out->rcode == DNS_NXDOMAIN)
        out->kind = DNS_IS_NONAME;
    else if (soa || (flags & FLAG_RA))
        out->kind = DNS_IS_NODATA;
    else
        out->kind = DNS_IS_FAILURE; /* a referral: this server does not ask others for us */
}

bool dns_answer_read(const uint8_t *msg, size_t len, uint16_t id, const struct dns_name *name, uint16_t type,
                     struct dns_result *out)
{
    struct dns_name asked;
    size_t at = HEADER_BYTES;

    if (len < HEADER_BYTES || get16(msg) != id)
        return false;
    uint16_t flags = get16(msg + 2);
    if (!(flags & FLAG_QR) || (flags & FLAG_OPCODE))
        return false;
    memset(out, 0, offsetof(struct dns_result, canonical));
    out->pointer.len = 0;
    out->canonical = *name;
    out->kind = DNS_IS_FAILURE;
    out->rcode = flags & 15;
    /* A server that cannot read a question cannot repeat it. */
    if (get16(msg + 4) == 0 && (out->rcode == DNS_FORMERR || out->rcode == DNS_NOTIMP))
        return true;
    if (get16(msg + 4) != 1 || !dns_name_read(msg, len, &at, &asked) || len - at < 4 ||
        !dns_name_equal(&asked, name) || get16(msg + at) != type || get16(msg + at + 2) != CLASS_IN)
        return false; /* C-DNS-2 */
    if (flags & FLAG_TC)
        out->kind = DNS_IS_TRUNCATED;
    else if (out->rcode == DNS_NOERROR || out->rcode == DNS_NXDOMAIN)
        take_answer(msg, len, at + 4, type, out);
    return true;
}
