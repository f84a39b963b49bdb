/* SPDX-License-Identifier: MIT
 *
 * net/stack/tcp_cookie.c: SYN cookies (RFC 4987 3.6): a listener whose SYN queue
 * is full answers without keeping anything, and knows the client again by what
 * it acknowledges.
 *
 * The initial sequence number is 28 bits of a SipHash, keyed by the port's secret,
 * of everything that the connection begins with, and four bits that say which of
 * eight segment sizes the client has and in which half of two minutes it came.
 * Window scale and SACK lie in the low bits of our time stamp, which the client
 * returns; without time stamps they are lost, and only the segment size survives.
 *
 * Secret and clock are the same for a process started anew and for all members of
 * an endpoint group, so each of them knows the others' cookies.
 *
 * Called by tcp_listen.c (a SYN too many) and tcp_input.c (an ACK of nothing that
 * we know). Context: netstack.h.
 */
#include <net/stack/tcp.h>
#include <slipway/siphash.h>

#define SLOT_NS (64 * NS_SEC) /* a cookie is good for one to two of these */

/* Rounded down to one of these: what clients offer, least first. */
static const uint16_t sizes[8] = {TCP_MSS_MIN, 256, TCP_MSS_DEFAULT, 966, 1220, 1360, 1440, 1460};

#define TS_BITS  5u /* 0-3: window scale, NO_SCALE for none; 4: SACK */
#define TS_MASK  ((1u << TS_BITS) - 1)
#define NO_SCALE 15u
#define SACK_BIT 16u
#define NO_STAMP 0xffu

static uint32_t make(const struct tcp_syn *y, uint64_t slot, uint32_t size, uint32_t options)
{
    uint8_t b[48];
    uint32_t c;

    memcpy(b, &y->node.laddr, 16);
    memcpy(b + 16, &y->node.raddr, 16);
    put16(b + 32, y->node.lport);
    put16(b + 34, y->node.rport);
    put32(b + 36, y->irs);
    put32(b + 40, (uint32_t)slot);
    b[44] = (uint8_t)size;
    b[45] = (uint8_t)options;
    b[46] = net_family(y->node.net);
    b[47] = 'c';
    c = (uint32_t)siphash24(y->port->secret, b, sizeof(b)) & ~15u; /* C-TCP-6 */
    return c | (((uint32_t)(slot & 1) << 3 | size) ^ c >> 28);     /* low bits hidden by high ones */
}

void tcp_cookie_expect(struct netstack *ns, struct tcp_listener *q)
{
    q->cookies_until_ns = ns->now + 2 * SLOT_NS;
}

/* `y` describes the SYN; nothing of it is kept. */
void tcp_cookie_send(struct netstack *ns, struct tcp_syn *y)
{
    uint32_t size = 7, options = NO_STAMP;

    while (size > 0 && sizes[size] > y->mss_peer)
        size--;
    if (y->ts_on) {
        options = (y->wscale_on ? y->snd_wscale : NO_SCALE) | (y->sack_ok ? SACK_BIT : 0);
        /* A little early, never late: later stamps must not be smaller. */
        y->ts_offset -= (tcp_ts_now(ns, y->ts_offset) - options) & TS_MASK;
    } else {
        y->wscale_on = y->sack_ok = false;
    }
    y->iss = make(y, ns->now / SLOT_NS, size, options);
    tcp_cookie_expect(ns, y->parent->listener);
    ns->count.cookies_sent++;
    tcp_send_syn_ack(ns, y);
}

/* Fills in what the SYN said. False: not a cookie of ours, or too old. */
static bool check(struct netstack *ns, struct tcp_syn *y, const struct tcp_in *in)
{
    uint32_t low = (y->iss ^ y->iss >> 28) & 15, options = in->ts_on ? in->tsecr & TS_MASK : NO_STAMP;
    uint64_t slot = ns->now / SLOT_NS;

    if ((slot & 1) != low >> 3)
        slot--;
    if (make(y, slot, low & 7, options) != y->iss)
        return false;
    y->mss_peer = sizes[low & 7];
    y->ts_on = in->ts_on;
    if (in->ts_on) {
        y->wscale_on = (options & 15) != NO_SCALE;
        y->snd_wscale = y->wscale_on ? options & 15 : 0;
        y->sack_ok = (options & SACK_BIT) != 0;
    }
    return true;
}

/* An ACK for a listener. False: it belongs to nothing. */
bool tcp_cookie_ack(struct netstack *ns, struct tcb *l, struct tcp_in *in)
{
    struct tcp_syn y;
    struct tcb *t;

    /* A fellow of the group may have sent it; else only who sends some takes some. */
    if (ns->now > l->listener->cookies_until_ns && !l->s.port->group)
        return false;
    memset(&y, 0, sizeof(y));
    tcp_syn_name(&y, l, in);
    y.irs = in->seq - 1;
    y.iss = in->ack - 1;
    if (!check(ns, &y, in)) {
        ns->count.cookies_refused++;
        return false;
    }
    y.ts_offset = tcp_new_ts_offset(y.port, &y.node);
    y.ts_recent = in->tsval;
    y.snd_wnd = in->wnd << y.snd_wscale;
    y.started_ns = ns->now;
    if ((t = tcp_establish(ns, &y, NULL)) == NULL)
        return true; /* full: the client sends its text again */
    ns->count.cookies_accepted++;
    if (in->ts_on && tcp_ts_now(ns, t->ts_offset) - in->tsecr < 120000)
        tcp_rtt_sample(t, (tcp_ts_now(ns, t->ts_offset) - in->tsecr) * NS_MS + NS_MS);
    tcp_segment(t, in);
    return true;
}
