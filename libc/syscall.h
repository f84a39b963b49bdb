/* SPDX-License-Identifier: MIT
 *
 * libc/syscall.h: the one place where user code executes `syscall`.
 *
 * Owns: the register convention of slipway/syscalls.def. Results are zero, a
 * positive value, or a negative errno; nothing here touches errno, so these
 * may be used before thread-local storage exists. Context: any.
 */
#ifndef LIBC_SYSCALL_H
#define LIBC_SYSCALL_H

#include <slipway/sys.h>

/* Store a negative result in errno and return -1; pass others on. */
long __libc_result(long r);

#endif
