/* SPDX-License-Identifier: MIT
 *
 * net/stack/tcp_buf.c: how much a connection may buffer. Both sides begin small
 * and grow to what the path holds (its bandwidth-delay product), so that an idle
 * or slow connection costs little and a fast one is not held back.
 *
 * Owns: rcvbuf_limit while rcv_auto is on, and ns->grown, what all connections
 * together have been granted beyond their beginnings. SO_RCVBUF and SO_SNDBUF fix
 * a size and switch growth off. Called by socket calls, never for a segment.
 *
 * Sending: twice the congestion window, since what is in flight stays in the
 * buffer until it is acknowledged and as much again should be ready to follow.
 * cwnd grows only while it is used, so this follows need and falls with it.
 *
 * Receiving: the application's reading is measured. What it takes in a round trip
 * is what the path brings in one, when the window is not in the way; so the
 * window is kept at twice that, and at four times while it still rises (slow
 * start doubles it with every round trip). Who reads slowly has a window that
 * stays.
 */
#include <net/stack/tcp.h>

#define ROUND_UNKNOWN_NS (100 * NS_MS) /* no round trip has been measured */
#define ROUND_LEAST_NS   (100 * 1000ull)

uint32_t tcp_sndbuf_grown(const struct tcb *t)
{
    uint32_t want = t->cwnd < UINT32_MAX / 2 ? 2 * t->cwnd : UINT32_MAX, most = t->s.ns->cfg.tcp_sndbuf_max;

    want = want < most ? want : most;
    return want > t->sndbuf_limit ? want : t->sndbuf_limit;
}

/* Up to `limit`, as far as the line, the configuration and what all connections
 * may be granted together allow. */
static void grow(struct tcb *t, uint64_t limit)
{
    struct netstack *ns = t->s.ns;
    uint32_t most = tcp_line_window(&t->path, ns->cfg.tcp_rcvbuf_max), more;

    if (limit > most)
        limit = most;
    if (limit <= t->rcvbuf_limit)
        return;
    more = (uint32_t)limit - t->rcvbuf_limit;
    if (more > ns->cfg.tcp_grown_max - ns->grown) /* C-BUF-1 */
        more = ns->cfg.tcp_grown_max - ns->grown;
    ns->grown += more;
    t->rcv_grown += more;
    t->rcvbuf_limit += more;
}

/* The application has taken a good part of the buffer since the round began. */
void tcp_rcvbuf_round(struct tcb *t)
{
    uint64_t now = t->s.ns->now, took = now - t->rcv_round_ns;
    uint64_t rtt = t->srtt_us != 0 ? t->srtt_us * 1000ull : ROUND_UNKNOWN_NS, bytes;

    if (rtt < ROUND_LEAST_NS)
        rtt = ROUND_LEAST_NS;
    if (took < rtt)
        return;
    bytes = took < 64 * NS_SEC ? t->rcv_taken * rtt / took : 0; /* in one round trip */
    if (bytes >= t->rcvbuf_limit / 4)
        grow(t, bytes * (bytes > t->rcv_space + t->rcv_space / 4 ? 4 : 2));
    t->rcv_space = (uint32_t)bytes;
    t->rcv_taken = 0;
    t->rcv_round_ns = now;
}

void tcp_rcvbuf_fix(struct tcb *t, uint32_t bytes)
{
    tcp_rcvbuf_end(t);
    t->rcv_auto = false;
    t->rcvbuf_limit = bytes;
}

/* Its share goes back to the others. */
void tcp_rcvbuf_end(struct tcb *t)
{
    t->s.ns->grown -= t->rcv_grown;
    t->rcv_grown = 0;
}
