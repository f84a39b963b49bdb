/* SPDX-License-Identifier: MIT
 *
 * kernel/trace.h: who watches a process's system calls.
 *
 * Owns: struct trace (kernel/trace.c), which is behind a handle of the watcher;
 * the processes that it watches point to it. Context: thread.
 */
#ifndef KERNEL_TRACE_H
#define KERNEL_TRACE_H

#include <stdint.h>

struct process;
struct trap_frame;

/* A child is about to start: is it watched from its first call on? */
void trace_child(struct process *parent, struct process *child);
/* A process ends, or one that was just made is given up. */
void trace_leave(struct process *p);
/* Some process is watched, so every system call comes by here (syscall.S): runs
 * the call in f, and returns its result. */
int64_t syscall_traced(struct trap_frame *f);

#endif
