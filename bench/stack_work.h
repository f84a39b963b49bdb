/* SPDX-License-Identifier: MIT
 *
 * bench/stack_work.h: the work that bench/stack gives a TCP/IP, whichever it is.
 *
 * The work (stack_work.c) plays the peer: it builds every segment that comes in and
 * looks at every one that goes out. A stack (stack_slipway.c, stack_lwip.c) is a
 * server on port 80 of 10.0.0.1 with one connection. Instructions are counted
 * between counted_begin and counted_end: what the stack does with a segment that lies
 * in memory, until an answer lies in memory; not the copy by which it got there.
 */
#ifndef BENCH_STACK_WORK_H
#define BENCH_STACK_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <valgrind/callgrind.h>

#define WORK_PORT     80
#define WORK_REQUEST  400
#define WORK_RESPONSE 1000

enum work_mode {
    WORK_IN,  /* the application reads all that arrives */
    WORK_OUT, /* it sends as much as the stack takes */
    WORK_ECHO /* it answers each request of WORK_REQUEST bytes by WORK_RESPONSE */
};
extern enum work_mode work_mode;
extern uint8_t work_buffer[16384]; /* where the application reads to and writes from */
extern uint64_t work_now_ns;       /* the clock */

#define counted_begin() CALLGRIND_TOGGLE_COLLECT
#define counted_end()   CALLGRIND_TOGGLE_COLLECT

/* --- a stack --- */
void stack_start(void);
void stack_input(const uint8_t *packet, size_t n); /* and what the application makes of it */
/* --- the work: a packet leaves; header is its first bytes, at least 40 of them --- */
void work_output(const uint8_t *header, size_t total);

#endif
