/* SPDX-License-Identifier: MIT
 *
 * kernel/info.h: what the boot sequence tells the status calls.
 *
 * Owns: nothing (kernel/info.c does). Context: boot, thread.
 */
#ifndef KERNEL_INFO_H
#define KERNEL_INFO_H

struct boot_info;
void info_init(const struct boot_info *bi); /* keeps command line and firmware kind */
void info_booted(void);                     /* the first process is about to run */

#endif
