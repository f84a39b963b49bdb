/* SPDX-License-Identifier: MIT
 *
 * kernel/names.h: the name table, as others see it.
 *
 * Owns: nothing (kernel/names.c does). Context: thread.
 */
#ifndef KERNEL_NAMES_H
#define KERNEL_NAMES_H

#include <slipway/syscall.h>
#include <stdbool.h>

struct endpoint;
void names_forget(struct endpoint *e); /* it dies */
/* The cursor-th registered name; false past the end. */
bool names_get(uint64_t cursor, struct info_name *out);

#endif
