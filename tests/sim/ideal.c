/* SPDX-License-Identifier: MIT
 *
 * tests/sim/ideal.c: how fast a sender of RFC 5681 and RFC 9438 could be.
 *
 * It keeps the rules of congestion control as libnet does (initial window of RFC
 * 6928, slow start by bytes, CUBIC with fast convergence and the Reno-friendly
 * region, one reduction for each recovery, pipe of RFC 6675), but knows more than
 * any sender can: that a packet is lost is known the moment its ACK would have
 * come, also at the end of the data and for one that was repeated. So it never
 * waits for a timer and never repeats in vain. The receiver has RFC 1122's
 * delayed ACK and reports everything it has. A segment may pass the window's edge,
 * where libnet would send what is left of the window in a small one.
 *
 * Uses the simulation's clock and events, nothing of libnet's.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tests/sim/ideal.h>

#define DELACK_NS    (40 * SIM_MS)
#define INITIAL      10.0 /* segments */
#define CUBIC_C      0.4
#define CUBIC_BETA   0.7
#define CUBIC_ALPHA  (3.0 * (1 - CUBIC_BETA) / (1 + CUBIC_BETA))
#define WINDOW_LEAST 2.0

enum { UNSENT, FLYING, LOST, ARRIVED };

/* Windows in segments, times in seconds where RFC 9438 has them so. */
static struct {
    const struct transfer *t;
    uint8_t *state;    /* what the sender knows of each segment */
    uint64_t *sent_ns; /* last transmission; 0: sent more than once */
    uint32_t una, nxt, recover, flying, lost, lowest_lost;
    bool in_recovery;
    double cwnd, ssthresh, srtt;
    double w_max, w_est, origin, k, cwnd_prior;
    uint64_t epoch_ns;
    uint64_t count, line_free, begin_ns, half_at, end_at;
    /* the receiver */
    bool *have;
    uint32_t *log, logged, read; /* arrivals in their order; how many the sender knows of */
    uint32_t rcv_nxt, pending;
    uint64_t delack_serial;
} x;

bool bulk_lost(const struct transfer *t, uint64_t n)
{
    uint64_t z = t->seed * 0x9e3779b97f4a7c15ull + n * 0xd1342543de82ef95ull; /* splitmix64's finish */

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return (uint32_t)((z ^ z >> 31) >> 32) % 1000 < t->loss;
}

static double seconds(uint64_t ns)
{
    return (double)ns / SIM_S;
}

/* --- congestion control ----------------------------------------------------------------- */
static double curve(double t)
{
    return CUBIC_C * (t - x.k) * (t - x.k) * (t - x.k) + x.origin;
}

static void begin_epoch(void)
{
    x.epoch_ns = sim.now;
    x.w_est = x.cwnd;
    x.origin = x.cwnd < x.w_max ? x.w_max : x.cwnd;
    x.k = cbrt((x.origin - x.cwnd) / CUBIC_C);
}

static void grow(double acked)
{
    double t, target;

    if (x.cwnd < x.ssthresh) {
        x.cwnd += acked < 2 ? acked : 2;
        return;
    }
    if (x.epoch_ns == 0)
        begin_epoch();
    t = seconds(sim.now - x.epoch_ns);
    x.w_est += (x.w_est >= x.cwnd_prior ? 1 : CUBIC_ALPHA) * acked / x.cwnd;
    if (curve(t) < x.w_est) {
        x.cwnd = x.w_est > x.cwnd ? x.w_est : x.cwnd;
        return;
    }
    target = curve(t + x.srtt);
    target = target > 1.5 * x.cwnd ? 1.5 * x.cwnd : target;
    if (target > x.cwnd)
        x.cwnd += (target - x.cwnd) / x.cwnd * acked;
}

static void reduce(void)
{
    double flight = x.nxt - x.una + 1 > x.cwnd ? x.cwnd : x.nxt - x.una; /* a full window is worth cwnd */

    x.cwnd_prior = x.cwnd;
    x.w_max = x.cwnd < x.w_max ? x.cwnd * (1 + CUBIC_BETA) / 2 : x.cwnd;
    x.ssthresh = flight * CUBIC_BETA > WINDOW_LEAST ? flight * CUBIC_BETA : WINDOW_LEAST;
    x.cwnd = x.ssthresh;
    x.epoch_ns = 0;
    x.in_recovery = true;
    x.recover = x.nxt;
}

/* --- sending ------------------------------------------------------------------------------ */
static void arrives(void *arg);
static void is_missed(void *arg);

static uint32_t next_lost(void)
{
    while (x.state[x.lowest_lost] != LOST)
        x.lowest_lost++;
    return x.lowest_lost;
}

static void transmit(uint32_t s)
{
    uint64_t there;

    if (x.line_free < sim.now)
        x.line_free = sim.now;
    x.line_free += BULK_PACKET * BULK_BYTE_NS;
    there = x.line_free + x.t->rtt_ns / 2;
    x.sent_ns[s] = x.state[s] == UNSENT ? sim.now : 0;
    x.state[s] = FLYING;
    x.flying++;
    if (bulk_lost(x.t, x.count++))
        sim_at(there + x.t->rtt_ns / 2, is_missed, (void *)(uintptr_t)s);
    else
        sim_at(there, arrives, (void *)(uintptr_t)s);
}

static void send_what_may_go(void)
{
    while (x.flying + 1 <= x.cwnd) {
        if (x.lost != 0) {
            x.lost--;
            transmit(next_lost());
        } else if (x.nxt < x.t->segments && (x.nxt - x.una) * BULK_MSS < x.t->window) {
            transmit(x.nxt++);
        } else {
            return;
        }
    }
}

static void is_missed(void *arg)
{
    uint32_t s = (uint32_t)(uintptr_t)arg;

    x.state[s] = LOST;
    x.flying--;
    x.lost++;
    if (s < x.lowest_lost)
        x.lowest_lost = s;
    if (!x.in_recovery)
        reduce();
    send_what_may_go();
}

struct report {
    uint32_t ack, logged;
};

static void ack_arrives(void *arg)
{
    struct report *r = arg;
    bool limited = x.nxt - x.una + 1 >= x.cwnd;
    double acked = r->ack > x.una ? r->ack - x.una : 0;

    for (; x.read < r->logged; x.read++) {
        x.state[x.log[x.read]] = ARRIVED;
        x.flying--;
    }
    if (acked != 0 && x.sent_ns[r->ack - 1] != 0) {
        double rtt = seconds(sim.now - x.sent_ns[r->ack - 1]);
        x.srtt = x.srtt == 0 ? rtt : (7 * x.srtt + rtt) / 8;
    }
    if (acked != 0)
        x.una = r->ack;
    if (x.in_recovery && x.una >= x.recover) {
        x.in_recovery = false;
        if (x.lost != 0)
            reduce();
    } else if (acked != 0 && !x.in_recovery && limited) {
        grow(acked);
    }
    free(r);
    send_what_may_go();
}

/* --- the receiver --------------------------------------------------------------------------- */
static void acknowledge(void)
{
    struct report *r = malloc(sizeof(*r));

    if (r == NULL)
        abort();
    r->ack = x.rcv_nxt;
    r->logged = x.logged;
    x.pending = 0;
    x.delack_serial++;
    sim_at(sim.now + x.t->rtt_ns / 2, ack_arrives, r);
}

static void delack(void *serial)
{
    if (x.delack_serial == (uint64_t)(uintptr_t)serial && x.pending != 0)
        acknowledge();
}

static void arrives(void *arg)
{
    uint32_t s = (uint32_t)(uintptr_t)arg, before = x.rcv_nxt;

    x.have[s] = true;
    x.log[x.logged++] = s;
    while (x.rcv_nxt < x.t->segments && x.have[x.rcv_nxt])
        x.rcv_nxt++;
    if (before < x.t->segments / 2 && x.rcv_nxt >= x.t->segments / 2)
        x.half_at = sim.now;
    if (x.rcv_nxt == x.t->segments)
        x.end_at = sim.now;
    /* At once what lies ahead of its turn or fills a gap (RFC 5681 4.2). */
    if (x.rcv_nxt == before + 1 && x.logged == x.rcv_nxt && ++x.pending < 2)
        sim_at(sim.now + DELACK_NS, delack, (void *)(uintptr_t)x.delack_serial);
    else
        acknowledge();
}

void ideal_transfer(const struct transfer *t, struct transfer_result *r)
{
    memset(&x, 0, sizeof(x));
    sim_start(t->seed);
    x.t = t;
    x.state = calloc(t->segments, sizeof(*x.state));
    x.sent_ns = calloc(t->segments, sizeof(*x.sent_ns));
    x.have = calloc(t->segments, sizeof(*x.have));
    x.log = calloc(t->segments, sizeof(*x.log));
    if (x.state == NULL || x.sent_ns == NULL || x.have == NULL || x.log == NULL)
        abort();
    x.cwnd = INITIAL;
    x.ssthresh = INFINITY;
    x.begin_ns = sim.now;
    send_what_may_go();
    while (sim_step())
        ;
    r->all_ns = x.end_at - x.begin_ns;
    r->half_ns = x.end_at - x.half_at;
    r->sent = x.count;
    r->lost = x.count - x.logged;
    free(x.state);
    free(x.sent_ns);
    free(x.have);
    free(x.log);
    sim_stop();
}
