/* SPDX-License-Identifier: MIT
 *
 * servers/natd/icmp.c: ICMP errors: those that pass through, with the packet
 * that they quote translated (RFC 5508 REQ-4, REQ-5), and our own.
 *
 * Owns: nothing; see internal.h.
 */
#include "internal.h"
#include <string.h>

/* The quoted packet: its header must be whole, with 8 bytes behind it. */
struct quote {
    uint8_t *ip, *l4;
    size_t l4_len;
    uint8_t proto;
};

static bool quote_of(uint8_t *p, size_t len, struct quote *q)
{
    size_t header = ip_header(p), inner;

    if (len < header + 8 + 20)
        return false;
    q->ip = p + header + 8;
    inner = ip_header(q->ip);
    if (q->ip[0] >> 4 != 4 || inner < 20 || len < header + 8 + inner + 8 || ip_offset(q->ip) != 0)
        return false;
    q->l4 = q->ip + inner;
    q->l4_len = len - header - 8 - inner;
    q->proto = q->ip[9];
    return q->proto == PROTO_TCP || q->proto == PROTO_UDP || q->proto == PROTO_ICMP;
}

/* The quoted transport checksum, when the quote reaches that far and it counts. */
static uint8_t *quoted_sum(const struct quote *q)
{
    if (q->proto == PROTO_TCP)
        return q->l4_len >= 18 ? q->l4 + 16 : NULL;
    if (q->proto == PROTO_UDP)
        return load16(q->l4 + 6) != 0 ? q->l4 + 6 : NULL;
    return NULL;
}

static void quoted_port(const struct quote *q, size_t at, uint16_t to)
{
    uint8_t *field = q->proto == PROTO_ICMP ? q->l4 + 4 : q->l4 + at;
    uint8_t *sum = q->proto == PROTO_ICMP ? q->l4 + 2 : quoted_sum(q);

    if (sum != NULL)
        sum_adjust(sum, load16(field), to);
    store16(field, to);
}

static void close_icmp(uint8_t *p, size_t len)
{
    uint8_t *icmp = p + ip_header(p);

    store16(icmp + 2, 0);
    sum_make(icmp + 2, icmp, len - ip_header(p));
}

/* From outside, about something that the inside sent: quoted source is our
 * outside port. The error's own sender may be any router: he stays. */
void nat_icmp_inbound(struct nat *n, uint8_t *p, size_t len, uint64_t now, struct nat_result *r)
{
    struct nat_session *s = NULL;
    struct quote q;

    if (quote_of(p, len, &q) && load_addr(q.ip + 12) == n->config.outside_addr)
        s = nat_find_outside(n, q.proto, load16(q.l4 + (q.proto == PROTO_ICMP ? 4 : 0)), load_addr(q.ip + 16),
                             q.proto == PROTO_ICMP ? 0 : load16(q.l4 + 2), now);
    if (s == NULL) {
        nat_drop(n, r, NAT_DROP_NO_SESSION);
        return;
    }
    quoted_port(&q, 0, s->inside_port); /* C-NAT-4 */
    nat_change_addr(q.ip, 12, s->inside_addr, quoted_sum(&q));
    nat_change_addr(q.ip, 16, s->shown_addr, quoted_sum(&q));
    if (load_addr(p + 12) == s->remote_addr)
        nat_change_addr(p, 12, s->shown_addr, NULL);
    nat_change_addr(p, 16, s->inside_addr, NULL);
    close_icmp(p, len);
    r->send = true;
}

/* From inside, about something that came in: quoted destination is the inside. */
void nat_icmp_outbound(struct nat *n, uint8_t *p, size_t len, uint64_t now, struct nat_result *r)
{
    struct nat_session *s = NULL;
    struct quote q;
    uint16_t unused;

    if (quote_of(p, len, &q) && q.proto != PROTO_ICMP)
        s = nat_find_inside(n, q.proto, load_addr(q.ip + 16), load16(q.l4 + 2), load_addr(q.ip + 12),
                            load16(q.l4), now, &unused);
    if (s == NULL) {
        nat_drop(n, r, NAT_DROP_NO_SESSION);
        return;
    }
    quoted_port(&q, 2, s->outside_port);
    nat_change_addr(q.ip, 16, n->config.outside_addr, quoted_sum(&q));
    nat_change_addr(q.ip, 12, s->remote_addr, quoted_sum(&q));
    nat_change_addr(p, 12, n->config.outside_addr, NULL);
    nat_change_addr(p, 16, s->remote_addr, NULL);
    close_icmp(p, len);
    r->send = true;
}

/* --- our own ------------------------------------------------------------------ */

/* RFC 1122 3.2.2: never about an error, a later fragment, or to nobody. */
static bool error_allowed(const uint8_t *about, size_t len)
{
    size_t header = ip_header(about);
    uint8_t src = about[12], type;

    if (ip_offset(about) != 0 || src == 0 || src == 127 || src >= 224 || about[16] >= 224)
        return false;
    if (about[9] != PROTO_ICMP)
        return true;
    type = len > header ? about[header] : 3;
    return type == 0 || type == 8;
}

void nat_icmp_error(const uint8_t *about, size_t len, uint32_t from_addr, uint8_t type, uint8_t code,
                    uint32_t mtu, struct nat_result *r)
{
    size_t quoted = ip_header(about) + 8 < len ? ip_header(about) + 8 : len, total = 28 + quoted;
    uint8_t *p = r->reply;

    if (!error_allowed(about, len))
        return;
    memset(p, 0, 28);
    p[0] = 0x45;
    store16(p + 2, (uint32_t)total);
    p[8] = 64;
    p[9] = PROTO_ICMP;
    store_addr(p + 12, from_addr);
    memcpy(p + 16, about + 12, 4);
    sum_make(p + 10, p, 20);
    p[20] = type;
    p[21] = code;
    store16(p + 26, mtu);
    memcpy(p + 28, about, quoted);
    sum_make(p + 22, p + 20, total - 20);
    r->reply_len = total;
}
