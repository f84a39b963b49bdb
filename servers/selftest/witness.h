/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/witness.h: a process whose memory, messages and connection
 * must not suffer from what others do.
 */
#ifndef SERVERS_SELFTEST_WITNESS_H
#define SERVERS_SELFTEST_WITNESS_H

#include "selftest.h"

extern const struct role witness_roles[];

/* Started by who watches it, and asked every now and then. NULL, or what is wrong. */
const char *witness_start(void);
const char *witness_check(void);
uint32_t witness_pid(void);
int witness_end(void); /* 0 when it ended as it was told */

#endif
