/* SPDX-License-Identifier: MIT
 *
 * net/stack/tcp_cc_cubic.c: CUBIC (RFC 9438), in integers.
 *
 * Owns: t->cc_priv as struct cubic. Called through struct tcp_cc. Windows are in
 * bytes, times in milliseconds. The window grows by the clock, not by the round
 * trip: W_cubic(t) = C (t - K)^3 + W_max, flat around the window W_max at which
 * the last loss came; but never slower than NewReno would (W_est).
 */
#include <net/stack/tcp.h>

struct cubic {
    uint64_t epoch_ns;   /* when this stage of congestion avoidance began; 0: not yet */
    uint32_t w_max, k_ms;
    uint32_t origin;     /* W_max of the curve: not less than where the stage began */
    uint32_t w_est, est_acked;
    uint32_t cwnd_prior; /* before the last reduction */
};
_Static_assert(sizeof(struct cubic) <= sizeof(((struct tcb *)0)->cc_priv), "cc_priv holds it");

/* C = 0.4, beta = 0.7, alpha = 3 (1 - beta) / (1 + beta) = 9/17 (4.1, 4.3, 4.6). */
#define BETA_NUM  7u
#define BETA_DEN  10u
#define ALPHA_NUM 9u
#define ALPHA_DEN 17u
#define TIME_MAX_MS 200000 /* of t - K, so that nothing overflows */

static struct cubic *cubic(struct tcb *t)
{
    return (struct cubic *)(void *)t->cc_priv;
}

/* The largest r with r^3 <= x, bit by bit. */
static uint32_t cube_root(uint64_t x)
{
    uint64_t r = 0;

    for (int bit = 20; bit >= 0; bit--) {
        uint64_t next = r | 1ull << bit;
        if (next * next * next <= x)
            r = next;
    }
    return (uint32_t)r;
}

/* C (t - K)^3 in bytes, t and K in milliseconds. */
static int64_t curve(const struct tcb *t, int64_t dt)
{
    dt = dt > TIME_MAX_MS ? TIME_MAX_MS : dt < -TIME_MAX_MS ? -TIME_MAX_MS : dt;
    return dt * dt * dt / 1000 * t->snd_mss * 4 / 10000000;
}

static void begin_epoch(struct tcb *t)
{
    struct cubic *c = cubic(t);

    c->epoch_ns = t->s.ns->now;
    c->w_est = t->cwnd;
    c->est_acked = 0;
    if (t->cwnd < c->w_max) { /* K = cbrt((W_max - cwnd) / C), 4.2 */
        c->origin = c->w_max;
        c->k_ms = cube_root((uint64_t)(c->w_max - t->cwnd) * 2500000000u / t->snd_mss);
    } else {
        c->origin = c->w_max = t->cwnd;
        c->k_ms = 0;
    }
}

/* What NewReno would have by now (4.3). */
static void grow_estimate(struct tcb *t, uint32_t bytes)
{
    struct cubic *c = cubic(t);
    bool caught_up = c->w_est >= c->cwnd_prior; /* from there alpha is 1 */
    uint64_t need = caught_up ? t->cwnd : (uint64_t)t->cwnd * ALPHA_DEN / ALPHA_NUM;

    c->est_acked += bytes;
    if (c->est_acked >= need) {
        c->est_acked -= (uint32_t)need;
        c->w_est += t->snd_mss;
    }
}

static void cubic_acked(struct tcb *t, uint32_t bytes) /* C-CC-2 */
{
    struct cubic *c = cubic(t);
    uint64_t now = t->s.ns->now, sum;
    int64_t elapsed_ms, target;

    if (t->cwnd < t->ssthresh) {
        tcp_cc_slow_start(t, bytes);
        return;
    }
    if (t->cwnd >= 1u << 30)
        return;
    if (c->epoch_ns == 0 || c->epoch_ns > now)
        begin_epoch(t);
    grow_estimate(t, bytes);
    elapsed_ms = (int64_t)((now - c->epoch_ns) / NS_MS);
    if (curve(t, elapsed_ms - c->k_ms) + c->origin < c->w_est) {
        if (t->cwnd < c->w_est)
            t->cwnd = c->w_est;
        return;
    }
    target = curve(t, elapsed_ms + t->srtt_us / 1000 - c->k_ms) + c->origin;
    if (target <= t->cwnd)
        return;
    if (target > t->cwnd + t->cwnd / 2)
        target = t->cwnd + t->cwnd / 2;
    /* (target - cwnd) / cwnd of what was acknowledged; the remainder is kept (4.4). */
    sum = (uint64_t)(target - t->cwnd) * bytes + t->cc_acked;
    t->cc_acked = (uint32_t)(sum % t->cwnd);
    t->cwnd += (uint32_t)(sum / t->cwnd);
}

static uint32_t cubic_ssthresh(struct tcb *t)
{
    struct cubic *c = cubic(t);
    uint32_t least = 2u * t->snd_mss, reduced = (uint32_t)((uint64_t)tcp_cc_flight(t) * BETA_NUM / BETA_DEN);

    c->cwnd_prior = t->cwnd;
    if (t->cwnd < c->w_max) /* fast convergence: leave room for newcomers (4.7) */
        c->w_max = (uint32_t)((uint64_t)t->cwnd * (BETA_DEN + BETA_NUM) / (2 * BETA_DEN));
    else
        c->w_max = t->cwnd;
    c->epoch_ns = 0;
    t->cc_acked = 0;
    return reduced > least ? reduced : least;
}

/* The first stage after a time-out begins where slow start ends (4.8). */
static void cubic_timeout(struct tcb *t)
{
    cubic(t)->w_max = 0;
}

/* The curve must not grow while nothing is sent (4.2, 5.8). */
static void cubic_restart(struct tcb *t)
{
    cubic(t)->epoch_ns = 0;
}

const struct tcp_cc tcp_cc_cubic = {
    .name = "cubic",
    .acked = cubic_acked,
    .ssthresh = cubic_ssthresh,
    .timeout = cubic_timeout,
    .restart = cubic_restart,
};
