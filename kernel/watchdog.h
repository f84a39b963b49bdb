/* SPDX-License-Identifier: MIT
 *
 * kernel/watchdog.h: the machine's watchdog, if it has one (drivers/i6300esb.c).
 * init feeds it; when init or the kernel hangs, it resets the machine.
 */
#ifndef KERNEL_WATCHDOG_H
#define KERNEL_WATCHDOG_H

#include <stdint.h>

uint32_t watchdog_timeout_ms(void); /* 0: there is none, or watchdog=off */
void watchdog_feed(void);
void watchdog_stop(void); /* any context: the machine halts, and shall stay so */

#endif
