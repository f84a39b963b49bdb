/* SPDX-License-Identifier: MIT
 *
 * kernel/time_page.h: the clock's parameters, for programs to read.
 *
 * Owns: nothing. For kernel/time.c. Context: as kernel/time_page.c says.
 */
#ifndef KERNEL_TIME_PAGE_H
#define KERNEL_TIME_PAGE_H

#include <slipway/time_page.h>
#include <stdbool.h>

struct memobj;

void time_page_init(void); /* after mem_init; without memory there is no page, and programs ask by call */
void time_page_publish(bool tsc, uint64_t base_tsc, uint64_t base_ns, uint64_t mult, uint64_t realtime_offset_ns);
struct memobj *time_page_memobj(void); /* NULL when there is none; the caller takes its own reference */

#endif
