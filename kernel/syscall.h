/* SPDX-License-Identifier: MIT
 *
 * kernel/syscall.h: how a system call reaches its handler.
 *
 * Owns: the handlers' prototypes, generated from slipway/syscalls.def, and the
 * dispatch table (kernel/syscall.c). A handler is one function:
 *
 *     SYSCALL_HANDLER(net_kick)          // int64_t sys_net_kick(a0 .. a5)
 *     {
 *         int handle = (int)a0;
 *         ...
 *         return 0;                      // or a value, or a negative errno
 *     }
 *
 * a0 to a5 are the raw argument registers: nothing about them is checked yet.
 * Pointers are user addresses and go through copy_from_user and copy_to_user
 * only. Context: thread, interrupts on, on the calling thread's own kernel
 * stack; a handler may block (thread_block), the caller is process_current().
 */
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H

#include <slipway/syscall.h>
#include <stdint.h>

typedef int64_t syscall_fn(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);

#define SYSCALL(number, name, arguments, ...) syscall_fn sys_##name;
#include <slipway/syscalls.def>
#undef SYSCALL

#define SYSCALL_HANDLER(name)                                                                     \
    int64_t sys_##name(uint64_t a0 __attribute__((unused)), uint64_t a1 __attribute__((unused)), \
                       uint64_t a2 __attribute__((unused)), uint64_t a3 __attribute__((unused)), \
                       uint64_t a4 __attribute__((unused)), uint64_t a5 __attribute__((unused)))

extern syscall_fn *const syscall_table[SYS_MAX];

void syscall_init(void); /* STAR, LSTAR, FMASK, EFER.SCE; sched_init calls it */

#endif
