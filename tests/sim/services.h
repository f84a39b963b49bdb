/* SPDX-License-Identifier: MIT
 *
 * tests/sim/services.h: the net core's surroundings on the host, as tests see
 * them: a clock that only moves when told, seeded chance, polls that run when
 * asked for, memory that can be made to run out.
 *
 * Owns: that state; one instance per process. Single-threaded.
 */
#ifndef TESTS_SIM_SERVICES_H
#define TESTS_SIM_SERVICES_H

#include <net/core/core.h>

extern uint64_t host_now_ns;
/* Called for each nc_wake; NULL: the waiter is a uint32_t that counts. */
extern void (*host_on_wake)(void *waiter);
extern char host_last_log[256]; /* the last line of nc_log */
extern bool host_log_to_stderr;
extern uint64_t host_allocations; /* live ones, for leak checks */
/* Allocations from now on that succeed before one fails; -1: all succeed. */
extern long host_fail_after;

void host_reset(uint64_t seed); /* clock at 1 s, no timer, no poll pending */
uint64_t host_random(void);     /* the tests' own stream of the same generator */
/* Moves the clock, firing the core's timer when it is passed. */
void host_advance(uint64_t ns);
uint64_t host_timer_due(void); /* UINT64_MAX when none is armed */
bool host_poll_pending(void);
/* Runs scheduled polls until there are none left (at most `turns`); turns run. */
unsigned host_run_polls(unsigned turns);

#endif
