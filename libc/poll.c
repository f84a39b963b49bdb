/* SPDX-License-Identifier: MIT
 *
 * libc/poll.c: poll and select over every kind of descriptor.
 *
 * Sockets all share one kernel handle, so any number of them costs one item of
 * wait(); other descriptors take an item each. Context: any thread.
 */
#include "net.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

#define ALWAYS (POLLERR | POLLHUP | POLLNVAL)

struct scan {
    struct wait_item items[WAIT_ITEMS_MAX];
    unsigned nitems;
    bool overflow; /* more waitable handles than one wait() takes */
};

/* Fill in revents; returns how many are not zero. The network's lock is held
 * when `net` is. With `collect`, gather what can be waited for. */
static int scan_fds(struct pollfd *fds, nfds_t n, bool net, struct scan *collect)
{
    int ready = 0;

    fd_lock_take();
    for (nfds_t i = 0; i < n; i++) {
        struct pollfd *p = &fds[i];
        p->revents = 0;
        if (p->fd < 0)
            continue;
        struct file *f = fd_peek(p->fd);
        if (f == NULL) {
            p->revents = POLLNVAL;
        } else if (f->ops->kind == FILE_SOCKET) {
            p->revents = net ? (short)(f->ops->events(f) & ((unsigned)p->events | ALWAYS)) : 0;
        } else {
            unsigned e = f->ops->events != NULL ? f->ops->events(f) : POLLIN | POLLOUT;
            p->revents = (short)(e & ((unsigned)p->events | ALWAYS));
            if (p->revents == 0 && collect != NULL && f->ops->handle != NULL) {
                if (collect->nitems + NET_SLEEP_ITEMS < WAIT_ITEMS_MAX)
                    collect->items[collect->nitems++] = (struct wait_item){
                        .kind = WAIT_HANDLE, .handle = f->ops->handle(f), .want = READY_IN };
                else
                    collect->overflow = true;
            }
        }
        ready += p->revents != 0;
    }
    fd_lock_drop();
    return ready;
}

static int poll_other(struct pollfd *fds, nfds_t n, int64_t timeout_ms)
{
    uint64_t deadline = timeout_ms == 0 ? 0 : net_deadline_in(timeout_ms);

    for (;;) {
        struct scan s = { .nitems = 0 };
        int ready = scan_fds(fds, n, false, &s);
        if (ready > 0 || timeout_ms == 0)
            return ready;
        if (s.overflow)
            return -EINVAL;
        int r = sys_wait(s.items, s.nitems, deadline);
        if (r == -ETIMEDOUT)
            return scan_fds(fds, n, false, NULL);
        if (r < 0 && r != -EAGAIN)
            return r;
    }
}

static int poll_net(struct pollfd *fds, nfds_t n, int64_t timeout_ms)
{
    uint64_t deadline = timeout_ms == 0 ? 0 : SYS_NO_DEADLINE;
    bool dated = timeout_ms <= 0; /* the clock is read only when it comes to waiting */
    int ready, r = 0;

    net_enter();
    net_run();
    for (;;) {
        struct scan s;
        s.nitems = 0;
        s.overflow = false;
        ready = scan_fds(fds, n, true, &s);
        if (ready > 0 || timeout_ms == 0 || r == -ETIMEDOUT)
            break;
        if (s.overflow || (r < 0 && r != -ETIMEDOUT)) {
            ready = s.overflow ? -EINVAL : r;
            break;
        }
        if (!dated) {
            deadline = net_deadline_in(timeout_ms);
            dated = true;
        }
        r = net_sleep(s.items, s.nitems, deadline);
    }
    /* Corked programs count on poll to transmit; it has not waited just now. */
    if (net_corked())
        net_flush();
    net_leave();
    return ready;
}

static bool has_socket(const struct pollfd *fds, nfds_t n)
{
    bool found = false;
    if (net_stack() == NULL)
        return false;
    fd_lock_take();
    for (nfds_t i = 0; i < n && !found; i++) {
        struct file *f = fds[i].fd < 0 ? NULL : fd_peek(fds[i].fd);
        found = f != NULL && f->ops->kind == FILE_SOCKET;
    }
    fd_lock_drop();
    return found;
}

int poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    if (n > FD_MAX)
        return (int)__libc_result(-EINVAL);
    return (int)__libc_result(has_socket(fds, n) ? poll_net(fds, n, timeout_ms) : poll_other(fds, n, timeout_ms));
}

static bool in_set(int fd, const fd_set *set)
{
    return set != NULL && FD_ISSET(fd, set);
}

/* select is poll over the members of three sets. */
static int select_ms(int n, fd_set *rd, fd_set *wr, fd_set *ex, int timeout_ms)
{
    if (n < 0 || n > FD_SETSIZE)
        return (int)__libc_result(-EINVAL);
    struct pollfd *fds = malloc((size_t)(n > 0 ? n : 1) * sizeof *fds);
    if (fds == NULL)
        return (int)__libc_result(-ENOMEM);
    nfds_t used = 0;
    for (int fd = 0; fd < n; fd++) {
        short want = (short)((in_set(fd, rd) ? POLLIN : 0) | (in_set(fd, wr) ? POLLOUT : 0) |
                             (in_set(fd, ex) ? POLLPRI : 0));
        if (want != 0)
            fds[used++] = (struct pollfd){ fd, want, 0 };
    }
    int r = poll(fds, used, timeout_ms), bits = 0;
    for (nfds_t i = 0; i < used && r >= 0; i++) {
        short got = fds[i].revents;
        if (got & POLLNVAL)
            r = (int)__libc_result(-EBADF);
        if (in_set(fds[i].fd, rd) && !(got & (POLLIN | POLLHUP | POLLERR)))
            FD_CLR(fds[i].fd, rd);
        if (in_set(fds[i].fd, wr) && !(got & (POLLOUT | POLLERR)))
            FD_CLR(fds[i].fd, wr);
        if (in_set(fds[i].fd, ex) && !(got & POLLPRI))
            FD_CLR(fds[i].fd, ex);
        bits += in_set(fds[i].fd, rd) + in_set(fds[i].fd, wr) + in_set(fds[i].fd, ex);
    }
    free(fds);
    return r < 0 ? r : bits;
}

int select(int n, fd_set *rd, fd_set *wr, fd_set *ex, struct timeval *timeout)
{
    int64_t ms = -1;
    if (timeout != NULL) {
        if (timeout->tv_sec < 0 || timeout->tv_usec < 0)
            return (int)__libc_result(-EINVAL);
        ms = timeout->tv_sec > 2000000 ? 2000000000 : timeout->tv_sec * 1000 + (timeout->tv_usec + 999) / 1000;
    }
    return select_ms(n, rd, wr, ex, (int)ms);
}

int pselect(int n, fd_set *rd, fd_set *wr, fd_set *ex, const struct timespec *timeout, const sigset_t *mask)
{
    struct timeval tv = { 0, 0 };
    (void)mask;
    if (timeout != NULL)
        tv = (struct timeval){ timeout->tv_sec, (suseconds_t)((timeout->tv_nsec + 999) / 1000) };
    return select(n, rd, wr, ex, timeout == NULL ? NULL : &tv);
}
