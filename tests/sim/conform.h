/* SPDX-License-Identifier: MIT
 *
 * tests/sim/conform.h: the conformance suite's small language, parsed.
 *
 * Owns: the shapes that the parser (conform_parse.c), the packets
 * (conform_seg.c) and the runner (conform.c) share. docs/HACKING.md describes
 * the language. Everything runs in one thread, on the virtual clock of sim.h.
 */
#ifndef TESTS_SIM_CONFORM_H
#define TESTS_SIM_CONFORM_H

#include <net/stack/tcp.h>
#include <tests/sim/sim.h>

#define OUR_IP    0x0a000001u
#define PEER_IP   0x0a000002u
#define OUR_PORT  80
#define PEER_PORT 4000

#define STEPS_MAX 400
#define WORDS_MAX 10
#define WORD_MAX  32
#define OPTS_MAX  12

/* A number as it may be expected: anything, or lo..hi. */
struct span {
    bool any;
    uint64_t lo, hi;
};

/* --- a segment, as a case writes it and as one came --------------------------------- */
/* A time stamp's value: a number; whatever comes; a variable ($a, bound by the
 * first segment that shows it); the last that this flow of ours has sent. */
struct tsval {
    enum { TSV_NUMBER, TSV_ANY, TSV_VAR, TSV_LAST } how;
    uint32_t number; /* or what is added */
    char var;
};
enum {
    TO_EOL = 0,
    TO_NOP = 1,
    TO_MSS = 2,
    TO_WSCALE = 3,
    TO_SACK_OK = 4,
    TO_SACK = 5,
    TO_TS = 8,
    TO_RAW = 256
};
struct topt {
    uint16_t kind;
    bool any;      /* whatever its value */
    uint8_t n;     /* blocks of a SACK, bytes of a raw option */
    uint32_t v[8]; /* MSS, shift, edges of blocks (relative) */
    struct tsval ts[2];
    uint8_t raw[40];
};
struct tseg {
    uint16_t least, most; /* how often, one after the other; 0: once */
    uint16_t peer, ours;  /* ports; 0: the case's usual ones */
    uint8_t flags;
    bool seq_any, seq_abs, has_ack, ack_any, has_win, has_urg;
    bool has_opts, more_opts; /* <...> was written; it ended in "..." */
    bool bad_sum, has_src, has_dst;
    uint32_t seq, ack, len, win, urg;
    struct topt opt[OPTS_MAX];
    uint8_t nopts;
    uint32_t src, dst; /* the usual ones without has_ */
    uint8_t ttl;       /* 0: 64, or unchecked */
    uint8_t tos;       /* of ours: always as written, 0 if not */
    uint8_t reserved;  /* the four bits beside the data offset */
    uint8_t doff;      /* 0: as the options need */
    uint8_t ip_opt[40], ip_opt_n;
};

/* --- a step -------------------------------------------------------------------------- */
struct when {
    enum { AT_ONCE, AFTER, ABSOLUTE } how;
    uint64_t lo, hi;
};
enum step_kind { STEP_IN, STEP_OUT, STEP_WORDS };
struct step {
    unsigned line;
    enum step_kind kind;
    struct when when;
    struct tseg seg;
    unsigned nwords;
    char word[WORDS_MAX][WORD_MAX]; /* a command and its arguments */
    char result[WORD_MAX];          /* what follows "=", empty without */
};
struct script {
    char covers[200], shows[200];
    unsigned nsteps;
    struct step step[STEPS_MAX];
    char error[300]; /* of the parser: "LINE: what" */
    bool listening;  /* "passive" has made the listener */
};

/* conform_parse.c */
bool script_parse(struct script *s, char *text); /* false: s->error says why */
bool parse_span(const char *word, struct span *out);
bool parse_time(const char *word, uint64_t *ns);
bool parse_number(const char *word, uint64_t *out);
bool parse_ip(const char *word, uint32_t *out);

/* --- flows and packets (conform_seg.c) -------------------------------------------------- */
struct flow {
    uint16_t peer, ours;
    uint32_t iss, irs; /* ours and the peer's initial sequence number */
    uint32_t last_ts;  /* the last time stamp that we sent */
};
#define FLOWS_MAX 8
struct packets {
    struct flow flow[FLOWS_MAX];
    unsigned nflows;
    uint32_t peer_isn;
    uint8_t family; /* IPv6: an address A.B.C.D stands for fd00::A.B.C.D, a group for ff02::1 */
    uint32_t var[26];
    bool bound[26];
};
extern struct packets packets;

void packets_start(void);
struct flow *flow_of(uint16_t peer);                     /* made when it is new */
size_t seg_build(const struct tseg *s, uint8_t *packet); /* what the peer sends */
/* A packet of ours, seen from the case; false: it is no sound TCP segment, and why
 * says so. */
bool seg_read(const uint8_t *packet, size_t n, struct tseg *out, char *why, size_t room);
/* Is it what was expected? Binds variables. */
bool seg_matches(const struct tseg *want, const struct tseg *got, char *why, size_t room);
void seg_note(const struct tseg *got);                       /* it has passed: remember its time stamp */
void seg_text(const struct tseg *s, char *out, size_t room); /* as a case would write it */
void put_address(uint8_t *at, uint32_t ip);                  /* 4 or 16 bytes */
size_t icmp_build(const struct step *s, uint8_t *packet);    /* 0: no such error */
uint8_t text_byte(bool from_peer, uint32_t at);              /* what a stream carries */

#endif
