/* SPDX-License-Identifier: MIT
 *
 * net/stack/tcp_cc_newreno.c: NewReno's congestion control (RFC 5681 section 3).
 *
 * Owns: nothing beyond cwnd, ssthresh and cc_acked. Called through struct tcp_cc.
 */
#include <net/stack/tcp.h>

static void newreno_acked(struct tcb *t, uint32_t bytes)
{
    if (t->cwnd < t->ssthresh) {
        tcp_cc_slow_start(t, bytes);
        return;
    }
    t->cc_acked += bytes; /* congestion avoidance: one segment each window */
    if (t->cc_acked >= t->cwnd) {
        t->cc_acked -= t->cwnd;
        if (t->cwnd < (1u << 30))
            t->cwnd += t->snd_mss;
    }
}

static uint32_t newreno_ssthresh(struct tcb *t)
{
    uint32_t half = tcp_cc_flight(t) / 2, least = 2u * t->snd_mss;

    t->cc_acked = 0;
    return half > least ? half : least;
}

const struct tcp_cc tcp_cc_newreno = {
    .name = "newreno",
    .acked = newreno_acked,
    .ssthresh = newreno_ssthresh,
};
