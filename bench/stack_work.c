/* SPDX-License-Identifier: MIT
 *
 * bench/stack_work.c: the peer of bench/stack: see stack_work.h.
 *
 *   stack_slipway in|out|echo SEGMENTS
 *
 * It is written plainly, and knows nothing of either stack: no loss, a window that
 * never shuts, an acknowledgement for every second segment.
 */
#include "stack_work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MSS       1460u
#define STEP_NS   100000ull /* between two segments */
#define WINDOW    65535u
#define SENT_AT_ONCE 8u

#define FIN 1u
#define SYN 2u
#define PSH 8u
#define ACK 16u

enum work_mode work_mode;
uint8_t work_buffer[16384];
uint64_t work_now_ns = 1000000000;

static struct {
    uint32_t snd_nxt, snd_una, rcv_nxt, unacked;
    uint64_t segments, bytes; /* of the stack's, with text */
    bool open;
} peer;

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v);
}
static uint32_t get16(const uint8_t *p)
{
    return (uint32_t)(p[0] << 8 | p[1]);
}
static uint32_t get32(const uint8_t *p)
{
    return get16(p) << 16 | get16(p + 2);
}

static uint32_t add_up(uint32_t sum, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum += (uint32_t)p[i] << ((i & 1) != 0 ? 0 : 8);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static void segment(uint8_t flags, uint32_t len)
{
    static const uint8_t syn_options[8] = {2, 4, MSS >> 8, MSS & 255, 1, 3, 3, 0};
    uint8_t p[40 + sizeof(syn_options) + MSS], *t = p + 20;
    uint32_t head = 20 + ((flags & SYN) != 0 ? sizeof(syn_options) : 0), n = 20 + head + len;

    memset(p, 0, sizeof(p));
    p[0] = 0x45;
    put16(p + 2, n);
    p[8] = 64;
    p[9] = 6;
    memcpy(p + 12, (uint8_t[]){10, 0, 0, 2, 10, 0, 0, 1}, 8);
    put16(p + 10, 0xffff & ~add_up(0, p, 20));
    put16(t, 40000);
    put16(t + 2, WORK_PORT);
    put32(t + 4, peer.snd_nxt);
    put32(t + 8, (flags & ACK) != 0 ? peer.rcv_nxt : 0);
    t[12] = (uint8_t)(head / 4 << 4);
    t[13] = flags;
    put16(t + 14, WINDOW);
    if ((flags & SYN) != 0)
        memcpy(t + 20, syn_options, sizeof(syn_options));
    for (uint32_t i = 0; i < len; i++)
        t[head + i] = (uint8_t)(peer.snd_nxt + i);
    put16(t + 16, 0xffff & ~add_up(add_up(6 + head + len, p + 12, 8), t, head + len));
    peer.snd_nxt += len + ((flags & (SYN | FIN)) != 0);
    peer.unacked = 0;
    work_now_ns += STEP_NS;
    stack_input(p, n);
}

void work_output(const uint8_t *p, size_t total)
{
    const uint8_t *t = p + 20;
    uint32_t head = (uint32_t)(t[12] >> 4) * 4, len = (uint32_t)total - 20 - head, seq = get32(t + 4);

    if ((t[13] & 4) != 0 || get16(p + 2) != total) {
        fprintf(stderr, "a reset, or a length that is wrong\n");
        exit(1);
    }
    if ((t[13] & ACK) != 0)
        peer.snd_una = get32(t + 8);
    if ((t[13] & SYN) != 0) {
        peer.rcv_nxt = seq + 1;
        peer.open = true;
        return;
    }
    if (len == 0)
        return;
    if (seq != peer.rcv_nxt) {
        fprintf(stderr, "a segment that nobody asked for: %u instead of %u\n", seq, peer.rcv_nxt);
        exit(1);
    }
    peer.rcv_nxt += len;
    peer.segments++;
    peer.bytes += len;
    peer.unacked++;
}

static void check(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    uint64_t want = argc == 3 ? strtoull(argv[2], NULL, 10) : 0, done = 0;

    check(argc == 3 && want > 0, "usage: in|out|echo SEGMENTS");
    work_mode = strcmp(argv[1], "in") == 0 ? WORK_IN : strcmp(argv[1], "out") == 0 ? WORK_OUT : WORK_ECHO;
    peer.snd_nxt = 1000;
    stack_start();
    segment(SYN, 0);
    check(peer.open, "no SYN was answered");
    CALLGRIND_ZERO_STATS;
    segment(ACK, 0);
    while (done < want) {
        switch (work_mode) {
        case WORK_IN:
            segment(ACK | PSH, MSS);
            done++;
            check(peer.snd_nxt - peer.snd_una <= SENT_AT_ONCE * MSS, "the stack does not acknowledge");
            break;
        case WORK_OUT: /* the window slides by two at a time */
            check(peer.unacked > 0, "the stack does not send");
            segment(ACK, 0);
            done = peer.segments;
            break;
        case WORK_ECHO:
            segment(ACK | PSH, WORK_REQUEST);
            check(peer.bytes == ++done * WORK_RESPONSE, "a request without its response");
            break;
        }
    }
    printf("%llu\n", (unsigned long long)(work_mode == WORK_OUT ? peer.segments : done));
    return 0;
}
