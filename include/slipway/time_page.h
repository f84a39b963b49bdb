/* SPDX-License-Identifier: MIT
 *
 * slipway/time_page.h: reading the clocks without a system call.
 *
 * Owns: the layout of the page that the kernel writes and every process may map
 * read-only (the call time_page gives a memory object). Written by
 * kernel/time_page.c, read by libc/time.c.
 *
 * A reader takes seq, then the rest and the TSC, then seq again; an odd or a
 * changed seq means once more. While tsc is 0 the TSC does not serve, and the
 * clocks are read by the call clock_get. Otherwise
 *   CLOCK_MONOTONIC = base_ns + ((TSC - base_tsc) * mult >> 32)
 *   CLOCK_REALTIME  = CLOCK_MONOTONIC + realtime_offset_ns
 * and a TSC below base_tsc counts as base_tsc.
 */
#ifndef SLIPWAY_TIME_PAGE_H
#define SLIPWAY_TIME_PAGE_H

#include <stdint.h>

#define TIME_PAGE_VERSION 1u

struct time_page {
    uint32_t version;
    uint32_t seq; /* odd while the kernel writes */
    uint32_t tsc; /* 1: the TSC serves */
    uint32_t reserved;
    uint64_t base_tsc, base_ns, mult;
    uint64_t realtime_offset_ns;
};

#endif
