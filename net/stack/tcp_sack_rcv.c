/* SPDX-License-Identifier: MIT
 *
 * net/stack/tcp_sack_rcv.c: the receiver's side of SACK: which blocks an
 * acknowledgement reports (RFC 2018 section 4, RFC 2883).
 *
 * Owns: nothing; reads the pieces that tcp_reass.c keeps. Called by tcp_output.c
 * when a segment is built.
 */
#include <net/stack/tcp.h>

#define BLOCKS_MAX 4u

enum { OPT_NOP = 1, OPT_SACK = 5 };

void tcp_dsack(struct tcb *t, uint32_t seq, uint32_t end)
{
    t->dsack_on = t->sack_ok && seq != end;
    t->dsack_seq = seq;
    t->dsack_end = end;
}

/* Blocks that would be reported if there is room for `most`. */
static uint32_t wanted(const struct tcb *t, uint32_t most)
{
    uint32_t n = t->ooo_n + t->dsack_on;

    if (!t->sack_ok)
        return 0;
    return n < most ? n : most;
}

uint32_t tcp_sack_bytes(const struct tcb *t)
{
    uint32_t n = wanted(t, t->ts_on ? 3 : BLOCKS_MAX);

    return n != 0 ? 4 + 8 * n : 0;
}

/* Most recently changed first: what the peer learns first is what is new to it. */
static void pick(const struct tcb *t, const struct ooo **best, uint32_t n)
{
    uint32_t have = 0;

    for (const struct ooo *o = t->ooo; o != NULL; o = o->next) {
        uint32_t at = have;
        while (at > 0 && seq_gt(o->stamp, best[at - 1]->stamp))
            at--;
        if (at >= n)
            continue;
        if (have < n)
            have++;
        for (uint32_t i = have - 1; i > at; i--)
            best[i] = best[i - 1];
        best[at] = o;
    }
}

/* Writes the option into at most `room` bytes; returns its length with padding. */
unsigned tcp_sack_put(struct tcb *t, uint8_t *p, uint32_t room)
{
    const struct ooo *best[BLOCKS_MAX];
    uint32_t most = t->ts_on ? 3 : BLOCKS_MAX, n, at = 0;

    if (room < 12)
        return 0;
    n = wanted(t, (room - 4) / 8 < most ? (room - 4) / 8 : most);
    if (n == 0)
        return 0;
    put32(p, (uint32_t)OPT_NOP << 24 | OPT_NOP << 16 | OPT_SACK << 8 | (2 + 8 * n));
    if (t->dsack_on) {
        put32(p + 4, t->dsack_seq);
        put32(p + 8, t->dsack_end);
        t->dsack_on = false; /* told once */
        at++;
    }
    pick(t, best, n - at);
    for (uint32_t i = 0; at + i < n; i++) {
        put32(p + 4 + 8 * (at + i), best[i]->seq);
        put32(p + 8 + 8 * (at + i), best[i]->end);
    }
    return 4 + 8 * n;
}
