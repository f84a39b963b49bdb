/* SPDX-License-Identifier: MIT
 *
 * sys/timerfd.h: a timer as a descriptor: read() gives how often it has expired.
 * CLOCK_REALTIME is taken as it stands when the timer is set. Not inherited by
 * fork.
 */
#ifndef SLIPWAY_SYS_TIMERFD_H
#define SLIPWAY_SYS_TIMERFD_H

#include <fcntl.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TFD_TIMER_ABSTIME 1
#define TFD_CLOEXEC O_CLOEXEC
#define TFD_NONBLOCK O_NONBLOCK

int timerfd_create(int clock, int flags);
int timerfd_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *old);
int timerfd_gettime(int fd, struct itimerspec *value);

#ifdef __cplusplus
}
#endif

#endif
