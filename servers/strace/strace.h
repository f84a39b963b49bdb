/* SPDX-License-Identifier: MIT
 *
 * servers/strace/strace.h: watch the system calls of a program.
 *
 *   main.c    options, starting the program, reading records
 *   decode.c  one record as a line of text
 *
 * What it knows about the calls comes from slipway/syscalls.def, so a new call
 * needs nothing here.
 */
#ifndef SERVERS_STRACE_STRACE_H
#define SERVERS_STRACE_STRACE_H

#include <slipway/sys.h>
#include <stdbool.h>
#include <stddef.h>

/* The call's name; "call_N" in buf when the number means nothing. */
const char *call_name(uint32_t number, char buf[16]);
/* EAGAIN and the like for a positive number; NULL for a stranger. */
const char *error_name(int64_t error);
/* name(argument, ...) = result <duration>; at most `bytes` with the final NUL. */
void record_text(const struct trace_record *r, char *buf, size_t bytes);

#endif
