/* SPDX-License-Identifier: MIT
 *
 * sys/epoll.h: wait for many descriptors, at a cost that follows those that are
 * ready (as Linux's epoll(7) describes it).
 *
 * Sockets, pipes, sys_handle_fd(), eventfd and timerfd can be watched, files
 * cannot (EPERM), nor one epoll by another (EINVAL). Any number of sockets; of
 * the others EPOLL_HANDLES_MAX in one epoll (ENOSPC). A descriptor is known by
 * its number: once that has been closed and given away again, the old entry is
 * gone. Edge-triggered: a socket is reported when something about it changes; the
 * others when they are ready and have been read from or written to since; one of
 * sys_handle_fd() as long as it is ready. The sockets of one epoll belong to one
 * stack (EINVAL). Not inherited by fork.
 */
#ifndef SLIPWAY_SYS_EPOLL_H
#define SLIPWAY_SYS_EPOLL_H

#include <fcntl.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EPOLLIN 0x001u
#define EPOLLPRI 0x002u
#define EPOLLOUT 0x004u
#define EPOLLERR 0x008u
#define EPOLLHUP 0x010u
#define EPOLLRDNORM 0x040u
#define EPOLLRDBAND 0x080u
#define EPOLLWRNORM 0x100u
#define EPOLLWRBAND 0x200u
#define EPOLLRDHUP 0x2000u
#define EPOLLEXCLUSIVE (1u << 28) /* taken, without effect */
#define EPOLLONESHOT (1u << 30)
#define EPOLLET (1u << 31)

#define EPOLL_CTL_ADD 1
#define EPOLL_CTL_DEL 2
#define EPOLL_CTL_MOD 3

#define EPOLL_CLOEXEC O_CLOEXEC
#define EPOLL_HANDLES_MAX 200

typedef union epoll_data {
    void *ptr;
    int fd;
    uint32_t u32;
    uint64_t u64;
} epoll_data_t;

struct epoll_event {
    uint32_t events;
    epoll_data_t data;
}
#ifdef __x86_64__
__attribute__((packed)) /* as everywhere on this machine */
#endif
;

int epoll_create(int size);
int epoll_create1(int flags);
int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
