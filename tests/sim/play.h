/* SPDX-License-Identifier: MIT
 *
 * tests/sim/play.h: running scenarios over seeds, TAP, and the command that
 * replays a failure.
 */
#ifndef TESTS_SIM_PLAY_H
#define TESTS_SIM_PLAY_H

#include <stdlib.h>
#include <string.h>
#include <tests/sim/sim.h>

#define SIM_EPOCH (1000 * SIM_S) /* where the virtual clock starts */

extern uint64_t play_took_ns; /* set by the play: virtual time until all was over */
/* What runs unless the command line says otherwise; every play_twice-th seed runs
 * twice, and both runs must be the same, bit for bit. */
extern uint64_t play_first, play_seeds, play_twice;

/* `scenarios`: an array whose elements begin with `const char *name`. `play` runs
 * one of them and returns the run's digest; sim.failed tells how it went. */
int play_main(int argc, char **argv, const char *program, const void *scenarios, size_t n, size_t size,
              uint64_t (*play)(const void *scenario, uint64_t seed, const char *pcap));

#endif
