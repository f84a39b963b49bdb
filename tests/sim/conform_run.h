/* SPDX-License-Identifier: MIT
 *
 * tests/sim/conform_run.h: what the runner (conform.c) and a case's commands
 * (conform_cmd.c) share.
 */
#ifndef TESTS_SIM_CONFORM_RUN_H
#define TESTS_SIM_CONFORM_RUN_H

#include <tests/sim/conform.h>

#define SENT_MAX  512
#define SOCKS_MAX 24

struct sent { /* by the stack, not yet expected */
    uint64_t when;
    struct tseg seg;
};
struct run_sock {
    char name[WORD_MAX];
    struct nsock *s;
    uint32_t put, got; /* bytes of text so far */
};
struct run {
    const char *file;
    bool verbose, failed, up;
    bool meant;           /* a failure is what is wanted: not a word about it */
    uint64_t start, last; /* of the case; the last step's time */
    struct host host;
    struct host_options options;
    struct sent sent[SENT_MAX];
    unsigned nsent;
    struct run_sock sock[SOCKS_MAX];
    uint32_t isn[26];
};
extern struct run run;

void run_fail(const struct step *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void run_until(uint64_t when);
void run_inject(const uint8_t *packet, size_t n);

/* conform_cmd.c */
void run_command(const struct step *p);

#endif
