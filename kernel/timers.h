/* SPDX-License-Identifier: MIT
 *
 * kernel/timers.h: between the clock (time.c) and the timers (timers.c).
 *
 * Owns: nothing. Context: thread or poll.
 */
#ifndef KERNEL_TIMERS_H
#define KERNEL_TIMERS_H

#include <kernel/clock.h>
#include <kernel/time.h>

/* Does an interrupt of this event device really come? Then it serves from now on. */
bool timers_try(const struct event_source *e);
/* Called now and then: is a TSC that was accepted still right? */
void clock_watch(uint64_t now);

#endif
