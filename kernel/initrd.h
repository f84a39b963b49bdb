/* SPDX-License-Identifier: MIT
 *
 * kernel/initrd.h: the read-only archive that GRUB loads as a module.
 *
 * Owns: look-up in a ustar archive (POSIX.1-1988 layout, made by GNU tar with
 * --format=ustar). Pure code, tested and fuzzed on the host; libc has the same
 * walker for user space through the shared header include/slipway/ustar.h.
 */
#ifndef KERNEL_INITRD_H
#define KERNEL_INITRD_H

#include <stddef.h>
#include <stdint.h>

struct boot_info;
struct memobj;
/* Checks the archive whole; logs a clear error and returns a negative errno
 * when it is missing or broken. */
int initrd_init(const struct boot_info *bi);
/* File contents in the direct map; NULL when there is no such file. */
const void *initrd_find(const char *path, size_t *bytes);
struct memobj *initrd_memobj(void); /* whole archive, read-only */

#endif
