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
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

#define ALWAYS (POLLERR | POLLHUP | POLLNVAL)

struct scan {
    struct wait_item items[WAIT_ITEMS_MAX];
    unsigned nitems;
    unsigned sockets; /* so many are among them: the network can make poll return */
    bool overflow; /* more waitable handles than one wait() takes */
    uint64_t due_ns; /* the first timer's time */
};

static void add_item(struct scan *s, int handle, uint32_t want)
{
    if (handle < 0) /* half of a pair that is shut down */
        return;
    if (s->nitems + NET_SLEEP_ITEMS < WAIT_ITEMS_MAX)
        s->items[s->nitems++] = (struct wait_item){.kind = WAIT_HANDLE, .handle = handle, .want = want};
    else
        s->overflow = true;
}

static void collect(struct scan *s, struct file *f, short events)
{
    uint32_t want = (events & (POLLOUT | POLLWRNORM) ? READY_OUT : 0u) |
                    (events & ~(POLLOUT | POLLWRNORM) ? READY_IN : 0u);

    if (f->ops->handle == NULL)
        return;
    uint64_t due = f->ops->due != NULL ? f->ops->due(f) : SYS_NO_DEADLINE;
    if (due < s->due_ns)
        s->due_ns = due;
    if ((want & READY_OUT) && f->ops->handle_out != NULL) {
        add_item(s, f->ops->handle_out(f), READY_OUT);
        want &= ~READY_OUT;
    }
    add_item(s, f->ops->handle(f), want);
}

/* Fill in revents and gather what can be waited for; returns how many of them
 * are not zero. The network's lock is held when there is a stack. */
static int scan_fds(struct pollfd *fds, nfds_t n, struct scan *s)
{
    int ready = 0;

    s->nitems = 0;
    s->due_ns = SYS_NO_DEADLINE;
    s->sockets = 0;
    s->overflow = false;
    fd_lock_take();
    for (struct pollfd *p = fds; p < fds + n; p++) {
        struct file *f = p->fd < 0 ? NULL : fd_peek(p->fd);
        unsigned got = POLLNVAL;
        if (f != NULL) {
            bool socket = f->ops->kind == FILE_SOCKET;
            got = f->ops->events != NULL ? f->ops->events(f) & ((unsigned)(unsigned short)p->events | ALWAYS)
                                         : (POLLIN | POLLOUT) & (unsigned)p->events;
            s->sockets += socket;
            if (got == 0 && !socket)
                collect(s, f, p->events);
        } else if (p->fd < 0) {
            got = 0;
        }
        p->revents = (short)got;
        ready += got != 0;
    }
    fd_lock_drop();
    return ready;
}

/* What this thread waits for, so that others' packets do not wake it. */
static void await_sockets(struct sock_wait *w, struct net_waiter *me, const struct pollfd *fds, nfds_t n,
                          unsigned most)
{
    unsigned i = 0;

    fd_lock_take();
    for (const struct pollfd *p = fds; p < fds + n && i < most; p++) {
        struct file *f = p->fd < 0 ? NULL : fd_peek(p->fd);
        struct sock_file *s = (struct sock_file *)f;
        if (f == NULL || f->ops->kind != FILE_SOCKET || s->s == NULL || s->ctx != net_here())
            continue;
        unsigned want = (p->events & (POLLIN | POLLRDNORM) ? NS_IN : 0u) |
                        (p->events & (POLLOUT | POLLWRNORM) ? NS_OUT : 0u) |
                        (p->events & POLLRDHUP ? NS_RDHUP : 0u);
        net_await(&w[i++], me, s, want);
    }
    fd_lock_drop();
    for (; i < most; i++) /* closed since they were counted */
        w[i].prev = NULL, w[i].touched = false;
}

static int sleep_net(struct scan *s, const struct pollfd *fds, nfds_t n, struct net_waiter *me, uint64_t until,
                     const uint32_t *mask)
{
    struct sock_wait few[8], *w = few;

    if (!__libc_several)
        return net_sleep_masked(net_here(), me, s->items, s->nitems, until, mask);
    me->for_room = false;
    if (s->sockets > sizeof few / sizeof few[0] && (w = malloc(s->sockets * sizeof *w)) == NULL)
        return -ENOMEM;
    await_sockets(w, me, fds, n, s->sockets);
    int r = net_sleep_masked(net_here(), me, s->items, s->nitems, until, mask);
    for (unsigned i = 0; i < s->sockets; i++)
        net_await_over(net_here(), &w[i]);
    if (w != few)
        free(w);
    return r;
}

/* No socket among them: the network need not wake us. */
static int sleep_plain(struct scan *s, uint64_t deadline, const uint32_t *mask)
{
    int r = mask != NULL ? sys_wait_masked(s->items, s->nitems, deadline, *mask)
                         : sys_wait(s->items, s->nitems, deadline);
    return r == -EAGAIN ? 0 : r > 0 ? 0 : r;
}

/* With a mask, each wait has it and nothing else does: a signal that only it lets
 * through ends a wait, even one that is none. */
static int poll_until(struct pollfd *fds, nfds_t n, int timeout_ms, const uint32_t *mask)
{
    bool net = net_stack() != NULL;
    uint64_t deadline = timeout_ms == 0 ? 0 : SYS_NO_DEADLINE;
    bool dated = timeout_ms <= 0; /* the clock is read only when it comes to waiting */
    struct net_waiter me = {.fruitless = false};
    struct scan s;
    int ready, r = 0;

    if (net) {
        net_enter();
        net_run();
    }
    for (;;) {
        ready = scan_fds(fds, n, &s);
        if (ready == 0 && timeout_ms == 0 && mask != NULL && sys_wait_masked(NULL, 0, 0, *mask) == -EINTR)
            ready = -EINTR;
        if (ready != 0 || timeout_ms == 0 || r == -ETIMEDOUT)
            break;
        if (s.overflow || r < 0) {
            ready = s.overflow ? -EINVAL : r;
            break;
        }
        if (!dated) {
            deadline = net_deadline_in(timeout_ms);
            dated = true;
        }
        uint64_t until = s.due_ns < deadline ? s.due_ns : deadline;
        if (s.sockets) {
            r = sleep_net(&s, fds, n, &me, until, mask);
        } else {
            if (net) {
                net_flush();
                net_leave();
            }
            r = sleep_plain(&s, until, mask);
            if (net)
                net_enter();
        }
        if (r == -ETIMEDOUT && until != deadline)
            r = 0; /* a timer is due */
    }
    if (net) {
        if (net_corked()) /* such programs count on poll to transmit, and it may not have waited */
            net_flush();
        net_leave();
    }
    return ready;
}

int poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    if (n > FD_MAX)
        return (int)__libc_result(-EINVAL);
    return (int)__libc_result(poll_until(fds, n, timeout_ms, NULL));
}

static int poll_masked(struct pollfd *fds, nfds_t n, int timeout_ms, const sigset_t *mask)
{
    uint32_t bits = mask != NULL ? (uint32_t)*mask : 0;

    return n > FD_MAX ? -EINVAL : poll_until(fds, n, timeout_ms, mask != NULL ? &bits : NULL);
}

static bool in_set(int fd, const fd_set *set)
{
    return set != NULL && FD_ISSET(fd, set);
}

/* select is poll over the members of three sets. */
static int select_ms(int n, fd_set *rd, fd_set *wr, fd_set *ex, int timeout_ms, const sigset_t *mask)
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
            fds[used++] = (struct pollfd){fd, want, 0};
    }
    int r = (int)__libc_result(poll_masked(fds, used, timeout_ms, mask)), bits = 0;
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
        ms =
            timeout->tv_sec > 2000000 ? 2000000000 : timeout->tv_sec * 1000 + (timeout->tv_usec + 999) / 1000;
    }
    return select_ms(n, rd, wr, ex, (int)ms, NULL);
}

/* Milliseconds, -1 for ever, -2: not a time. */
static int ms_of(const struct timespec *t)
{
    if (t == NULL)
        return -1;
    if (t->tv_sec < 0 || t->tv_nsec < 0 || t->tv_nsec >= 1000000000)
        return -2;
    return t->tv_sec > 2000000 ? 2000000000 : (int)(t->tv_sec * 1000 + (t->tv_nsec + 999999) / 1000000);
}

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
    int ms = ms_of(timeout);

    return (int)__libc_result(ms == -2 ? -EINVAL : poll_masked(fds, n, ms, mask));
}

int pselect(int n, fd_set *rd, fd_set *wr, fd_set *ex, const struct timespec *timeout, const sigset_t *mask)
{
    int ms = ms_of(timeout);

    return ms == -2 ? (int)__libc_result(-EINVAL) : select_ms(n, rd, wr, ex, ms, mask);
}
