/* SPDX-License-Identifier: MIT
 *
 * slipway/trace.h: the record of one system call, as a watcher reads it.
 *
 * trace_open names a process, or the caller's next child (TRACE_NEXT_CHILD, pid
 * 0), which is then watched from its first call on. The handle is ready while
 * there are records, and when all that were watched have ended; trace_read then
 * gives 0. Closing the handle ends the watch. One process has one watcher.
 */
#ifndef SLIPWAY_TRACE_H
#define SLIPWAY_TRACE_H

#include <stdint.h>

/* flags of trace_open */
#define TRACE_NEXT_CHILD 1u
#define TRACE_CHILDREN 2u /* and the children of those that are watched */

/* flags of a record */
#define TRACE_TEXT 1u      /* text[] holds the first bytes of a path, name or text */
#define TRACE_NO_RETURN 2u /* exit, thread_exit and signal_return: no result */
#define TRACE_LOST 4u      /* no call, only the count of those lost last */

#define TRACE_TEXT_MAX 56

struct trace_record {
    uint64_t ns;          /* CLOCK_MONOTONIC at entry */
    uint32_t pid, tid;
    uint32_t number;      /* as in rax */
    uint32_t flags;
    uint32_t lost;        /* records lost before this one: the ring was full */
    uint32_t text_bytes;
    uint64_t args[6];
    int64_t result;
    uint64_t duration_ns;
    char text[TRACE_TEXT_MAX];
};

#endif
