/* SPDX-License-Identifier: MIT
 *
 * net/stack/tcp_cc.c: congestion control: NewReno (RFC 5681) behind struct
 * tcp_cc. Recovery itself (RFC 6582) is in tcp_ack.c and asks for numbers here.
 *
 * Owns: cwnd outside of recovery, ssthresh's value. Called by tcp_ack.c,
 * tcp_output.c and tcp_timer.c.
 */
#include <net/stack/tcp.h>

/* RFC 6928: ten segments; on a slow line no more than it carries in a second,
 * or the first flight would outlast its own retransmission timer. */
uint32_t tcp_initial_window(const struct tcb *t)
{
    uint32_t mss = t->snd_mss, w = 10 * mss, line = t->path.speed_bps / 8;

    if (w > 14600 && w > 2 * mss)
        w = 2 * mss > 14600 ? 2 * mss : 14600;
    if (line != 0 && w > line)
        w = line > 2 * mss ? line : 2 * mss;
    return w;
}

static void newreno_init(struct tcb *t)
{
    t->cwnd = tcp_initial_window(t);
    t->ssthresh = UINT32_MAX;
    t->cc_acked = 0;
}

static void newreno_acked(struct tcb *t, uint32_t bytes)
{
    uint32_t mss = t->snd_mss;

    if (t->cwnd < t->ssthresh) { /* slow start, counting bytes (RFC 3465, L = 2) */
        t->cwnd += bytes < 2 * mss ? bytes : 2 * mss;
        return;
    }
    t->cc_acked += bytes; /* congestion avoidance: one segment each window */
    if (t->cc_acked >= t->cwnd) {
        t->cc_acked -= t->cwnd;
        if (t->cwnd < (1u << 30))
            t->cwnd += mss;
    }
}

static uint32_t newreno_ssthresh(struct tcb *t)
{
    uint32_t flight = t->snd_max - t->snd_una, half = flight / 2, least = 2u * t->snd_mss;

    return half > least ? half : least;
}

static void newreno_restart(struct tcb *t)
{
    uint32_t iw = tcp_initial_window(t);

    if (t->cwnd > iw)
        t->cwnd = iw;
}

const struct tcp_cc tcp_cc_newreno = {
    .name = "newreno",
    .init = newreno_init,
    .acked = newreno_acked,
    .ssthresh = newreno_ssthresh,
    .restart = newreno_restart,
};
