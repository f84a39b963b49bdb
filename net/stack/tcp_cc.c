/* SPDX-License-Identifier: MIT
 *
 * net/stack/tcp_cc.c: congestion control: what all algorithms behind struct
 * tcp_cc share, and which there are. Recovery itself is elsewhere (tcp_recover.c,
 * tcp_ack.c) and asks for numbers here.
 *
 * Owns: cwnd outside of recovery, ssthresh's value. Called by tcp_ack.c,
 * tcp_recover.c, tcp_output.c and tcp_timer.c.
 */
#include <net/stack/tcp.h>

static const struct {
    int id;
    const struct tcp_cc *cc;
} algorithms[] = {{NS_CUBIC, &tcp_cc_cubic}, {NS_NEWRENO, &tcp_cc_newreno}};
#define ALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

const struct tcp_cc *tcp_cc_by_id(int id)
{
    for (unsigned i = 0; i < ALGORITHMS; i++)
        if (algorithms[i].id == id)
            return algorithms[i].cc;
    return NULL;
}

/* `name` has n bytes, zero-padded. */
const struct tcp_cc *tcp_cc_by_name(const char *name, size_t n)
{
    for (unsigned i = 0; i < ALGORITHMS; i++)
        if (strncmp(name, algorithms[i].cc->name, n) == 0)
            return algorithms[i].cc;
    return NULL;
}

int tcp_cc_id(const struct tcp_cc *cc)
{
    for (unsigned i = 0; i < ALGORITHMS; i++)
        if (algorithms[i].cc == cc)
            return algorithms[i].id;
    return 0;
}

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

void tcp_cc_init(struct tcb *t)
{
    t->cwnd = tcp_initial_window(t);
    t->ssthresh = UINT32_MAX;
    t->cc_acked = 0;
    memset(t->cc_priv, 0, sizeof(t->cc_priv));
}

/* Another algorithm goes on from where this one stood. */
void tcp_cc_set(struct tcb *t, const struct tcp_cc *cc)
{
    if (t->cc == cc)
        return;
    t->cc = cc;
    t->cc_acked = 0;
    memset(t->cc_priv, 0, sizeof(t->cc_priv));
    t->rc.undo_on = false; /* what it would bring back belongs to the other one */
}

/* Slow start, counting bytes: two segments at most for one acknowledgement, and
 * after a time-out one (RFC 3465 2.3). */
void tcp_cc_slow_start(struct tcb *t, uint32_t bytes)
{
    uint32_t most = t->rc.in_loss ? t->snd_mss : 2u * t->snd_mss;

    t->cwnd += bytes < most ? bytes : most;
}

/* When a loss is noticed, acknowledgements may just have emptied the network, and
 * the application had no turn yet to fill it again: what counts is the most that
 * was in flight of late. Limited transmit's part of it does not (RFC 3042). */
uint32_t tcp_cc_flight(const struct tcb *t)
{
    uint32_t flight = t->snd_max - t->snd_una;

    for (int i = 0; i < 2; i++)
        if (t->flight_peak[i] > flight)
            flight = t->flight_peak[i];
    return flight < t->cwnd ? flight : t->cwnd;
}
