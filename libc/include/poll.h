/* SPDX-License-Identifier: MIT
 *
 * poll.h: wait for any of several descriptors (POSIX.1-2017).
 */
#ifndef SLIPWAY_POLL_H
#define SLIPWAY_POLL_H

#include <sys/_sigset.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POLLIN 0x001
#define POLLPRI 0x002
#define POLLOUT 0x004
#define POLLERR 0x008
#define POLLHUP 0x010
#define POLLNVAL 0x020
#define POLLRDNORM 0x040
#define POLLRDBAND 0x080
#define POLLWRNORM 0x100
#define POLLWRBAND 0x200
#define POLLRDHUP 0x2000

typedef unsigned long nfds_t;

struct pollfd {
    int fd;
    short events, revents;
};

/* Any number of sockets; of pipes, handles, counters and timers 250 (EINVAL). */
int poll(struct pollfd *fds, nfds_t n, int timeout_ms);
struct timespec;
/* The signal mask holds while it waits, and not a moment longer. */
int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const __sigset_t *mask);

#ifdef __cplusplus
}
#endif

#endif
