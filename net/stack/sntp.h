/* SPDX-License-Identifier: MIT
 *
 * net/stack/sntp.h: the time of day from a time server (SNTP version 4: RFC 4330,
 * RFC 5905 section 14), as a state machine.
 *
 * Owns: which server to ask when, what its answer is worth, how the clock is brought
 * there: in one step when it is far off, else little by little. It sends
 * and sets nothing itself. Clock and random are injected; nothing blocks.
 * Who calls: netd; tests and fuzzers. Context: one thread.
 *
 * An answer is recognised by the time stamp that it returns: 64 random bits go out in place
 * of our time, which is nobody's business.
 */
#ifndef NET_STACK_SNTP_H
#define NET_STACK_SNTP_H

#include <slipway/net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SNTP_PORT        123
#define SNTP_BYTES       48
#define SNTP_SERVERS_MAX 4
#define SNTP_ANSWER_NS   3000000000ull /* what an answer may take */
#define SNTP_RETRY_S                                                                                         \
    16u /* the first pause after all servers failed; doubles; RFC 4330                                       \
           section 10 allows no less than 15 */
#define SNTP_POLL_MIN_S 64u
#define SNTP_POLL_MAX_S 1024u
#define SNTP_STEP_NS    128000000 /* further off: one step */
#define SNTP_STEADY_NS  10000000  /* nearer: the pause to the next question doubles */
#define SNTP_SLICE_NS   1000000   /* a second's share of a correction */

struct sntp_server {
    uint8_t family; /* enum net_family */
    bool denied;    /* it does not want us (RFC 4330 section 8: DENY, RSTR) */
    uint16_t link;  /* LINK_ANY but for link-local addresses */
    uint16_t port, pad;
    struct net_addr addr;
};

struct sntp {
    void *ctx;
    void (*random)(void *ctx, void *buf, size_t bytes);
    struct sntp_server server[SNTP_SERVERS_MAX];
    unsigned nservers, at, failed; /* at: whose turn it is; failed: in this round */
    bool waiting, set;             /* for an answer; the clock was set once */
    uint8_t cookie[8];
    uint64_t asked_ns, next_ns; /* next_ns: question, or time-out of the one under way */
    uint32_t poll_s, retry_s;
    int64_t left_ns;   /* of a correction under way */
    uint64_t slice_ns; /* when its next share is due */
    /* The last answer */
    uint64_t when_ns; /* 0: none yet */
    int64_t offset_ns;
    uint64_t delay_ns;
    uint8_t stratum;
    struct sntp_server from;
    /* Counters */
    uint32_t sent, answers, ignored, kisses, timeouts, steps;
};

struct sntp_output {
    bool send; /* `message` to `to`, from a port that nobody can foresee */
    struct sntp_server to;
    uint8_t message[SNTP_BYTES];
    int64_t adjust_ns; /* to add to CLOCK_REALTIME now; 0: leave it */
};

void sntp_init(struct sntp *s, void *ctx, void (*random)(void *, void *, size_t));
/* In order of preference. The same list again changes nothing. */
void sntp_set_servers(struct sntp *s, const struct sntp_server *list, unsigned n, uint64_t now_ns);
void sntp_poll(struct sntp *s, uint64_t now_ns, struct sntp_output *out);
/* A message from (family, addr, port), which came in at now_ns, when CLOCK_REALTIME was
 * realtime_ns. Returns what to add to CLOCK_REALTIME at once. Anything but a good answer
 * to the question under way is counted, and changes nothing. */
int64_t sntp_input(struct sntp *s, uint8_t family, const struct net_addr *addr, uint16_t port,
                   const void *message, size_t len, uint64_t now_ns, uint64_t realtime_ns);
/* It could not be sent, or a port unreachable came back. */
void sntp_broken(struct sntp *s, uint64_t now_ns);
uint64_t sntp_deadline(const struct sntp *s); /* UINT64_MAX: nothing to do */

#endif
