/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/fuzz_args.h: hostile arguments for any system call.
 *
 * Owns: a seeded generator of values, and the memory that it points to: pages
 * with a hole, a read-only page, packet rings, mapped objects. What an argument
 * is like is read from its declaration in slipway/syscalls.def, so that a new
 * call needs nothing here. Not for threads with a libc of their own: it makes no
 * libc call but at fuzz_init.
 */
#ifndef SERVERS_SELFTEST_FUZZ_ARGS_H
#define SERVERS_SELFTEST_FUZZ_ARGS_H

#include <stdbool.h>
#include <stdint.h>

struct fuzz {
    uint64_t state;   /* of chance */
    uint32_t witness; /* a pid to be left alone */
    bool wild;        /* may ruin its own process */
    int made[16];     /* small results of earlier calls: handles, likely */
    unsigned nmade;
};

uint64_t fuzz_chance(struct fuzz *f, uint64_t n); /* 0 .. n - 1 */
/* The shared memory and handles; before the first thread. 0 or -errno. */
int fuzz_init(void);
/* One random call; its number, for who wants to know. */
uint64_t fuzz_call(struct fuzz *f);

#endif
