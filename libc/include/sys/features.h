/* SPDX-License-Identifier: MIT
 *
 * sys/features.h: which POSIX options this system has. newlib's headers show
 * declarations by these macros and know no system called slipway, so they are
 * set here, in front of newlib's own header of the same name.
 */
#ifndef SLIPWAY_SYS_FEATURES_H
#define SLIPWAY_SYS_FEATURES_H

#ifndef _POSIX_THREADS
#define _POSIX_THREADS 1
#endif
#define _POSIX_TIMERS 1
#define _POSIX_MONOTONIC_CLOCK 200112L
#define _POSIX_CLOCK_SELECTION 200112L
#define _POSIX_TIMEOUTS 1
#define _POSIX_THREAD_SAFE_FUNCTIONS 1
#define _POSIX_BARRIERS 200112L
#define _POSIX_READER_WRITER_LOCKS 200112L
#define _POSIX_SPIN_LOCKS 200112L
#define _POSIX_SEMAPHORES 200112L
#define _POSIX_SPAWN 200112L
#define _UNIX98_THREAD_MUTEX_ATTRIBUTES 1

/* read() and write() return ssize_t, as POSIX has it; newlib's default is int. */
#define _READ_WRITE_RETURN_TYPE _ssize_t

#include_next <sys/features.h>

#endif
