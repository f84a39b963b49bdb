/* SPDX-License-Identifier: MIT
 *
 * libc/pair.c: socketpair: two ends that talk to each other, within this machine.
 *
 * Owns: struct pair. Each end is two kernel pipes, one for each direction, so it
 * goes along with fork, spawn and exec as pipes do. A message of SOCK_DGRAM and
 * SOCK_SEQPACKET is its length and its bytes, written in one piece (so it is shorter
 * than PIPE_BYTES_ATOMIC); several threads may take them, of several processes only
 * one at a time. shutdown concerns the caller's process: where another holds the
 * same end, the peer hears of it when that one closes, too.
 * Context: any thread. Lock: a pair's own, while a message is taken out.
 */
#include "pair.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define MESSAGE_MAX (PIPE_BYTES_ATOMIC - sizeof(uint32_t))

struct pair {
    struct file f;
    int rd, wr; /* -1: shut down */
    int type;
    libc_lock taking;
    uint64_t rcvtimeo_ns, sndtimeo_ns; /* 0: none */
};

static uint64_t deadline_of(const struct pair *p, int flags, uint64_t timeout_ns)
{
    if ((p->f.flags & O_NONBLOCK) || (flags & MSG_DONTWAIT))
        return 0;
    return timeout_ns != 0 ? sys_now_ns() + timeout_ns : SYS_NO_DEADLINE;
}

static int64_t timely(int64_t r) /* a time that is over is not an error of its own */
{
    return r == -ETIMEDOUT ? -EAGAIN : r;
}

/* One message, if there is one now. The rest of one that is cut is gone. */
static int64_t take_message(struct pair *p, void *buf, size_t n, int flags)
{
    char rest[256];
    uint32_t bytes = 0, at = 0;

    libc_lock_take(&p->taking);
    int64_t r = sys_stream_read(p->rd, &bytes, sizeof bytes, 0);
    while (r > 0 && at < bytes) {
        bool fits = at < n;
        size_t part = bytes - at;
        if (fits && part > n - at)
            part = n - at;
        if (!fits && part > sizeof rest)
            part = sizeof rest;
        r = sys_stream_read(p->rd, fits ? (char *)buf + at : rest, part, 0);
        at += r > 0 ? (uint32_t)r : 0;
    }
    libc_lock_drop(&p->taking);
    return r <= 0 ? r : (flags & MSG_TRUNC) || bytes < n ? bytes : (int64_t)n;
}

static int64_t take(struct pair *p, void *buf, size_t n, int flags)
{
    uint64_t deadline = deadline_of(p, flags, p->rcvtimeo_ns);
    int64_t r;

    if (flags & (MSG_OOB | MSG_PEEK))
        return -EOPNOTSUPP;
    if (p->rd < 0)
        return 0;
    do {
        __libc_may_block();
        if (p->type == SOCK_STREAM) {
            r = sys_stream_read(p->rd, buf, n, deadline);
        } else if ((r = take_message(p, buf, n, flags)) == -EAGAIN && deadline != 0) {
            struct wait_item it = {.kind = WAIT_HANDLE, .handle = p->rd, .want = READY_IN};
            int w = sys_wait(&it, 1, deadline);
            r = w > 0 ? -EINTR : w; /* look again */
            if (w > 0)
                continue;
        }
        if (r != -EINTR || !__libc_restarts())
            break;
    } while (true);
    return timely(r);
}

static int64_t put_message(struct pair *p, const void *buf, size_t n, uint64_t deadline)
{
    char whole[PIPE_BYTES_ATOMIC];
    uint32_t bytes = (uint32_t)n;

    if (n > MESSAGE_MAX)
        return -EMSGSIZE;
    memcpy(whole, &bytes, sizeof bytes);
    memcpy(whole + sizeof bytes, buf, n);
    int64_t r = sys_stream_write(p->wr, whole, sizeof bytes + n, deadline);
    return r < 0 ? r : (int64_t)n;
}

static int64_t put(struct pair *p, const void *buf, size_t n, int flags)
{
    uint64_t deadline = deadline_of(p, flags, p->sndtimeo_ns);
    size_t done = 0;
    int64_t r = -EPIPE;

    if (flags & MSG_OOB)
        return -EOPNOTSUPP;
    while (p->wr >= 0) {
        __libc_may_block();
        r = p->type == SOCK_STREAM ? sys_stream_write(p->wr, (const char *)buf + done, n - done, deadline)
                                   : put_message(p, buf, n, deadline);
        if (r > 0)
            done += (size_t)r;
        if (r == -EINTR && __libc_restarts())
            continue;
        if (r <= 0 || done >= n)
            break;
    }
    if (r == -EPIPE && done == 0 && !(flags & MSG_NOSIGNAL))
        raise(SIGPIPE);
    return done > 0 ? (int64_t)done : timely(r);
}

/* --- as a file --- */

static ssize_t pair_read(struct file *f, void *buf, size_t n)
{
    return take((struct pair *)f, buf, n, 0);
}

static ssize_t pair_write(struct file *f, const void *buf, size_t n)
{
    return put((struct pair *)f, buf, n, 0);
}

static int pair_stat(struct file *f, struct stat *st)
{
    (void)f;
    st->st_mode = S_IFSOCK | 0600;
    return 0;
}

static uint32_t ready(int handle, uint32_t want)
{
    struct wait_item it = {.kind = WAIT_HANDLE, .handle = handle, .want = want};
    return handle < 0 ? want : sys_wait(&it, 1, 0) < 0 ? 0 : it.got;
}

static unsigned pair_events(struct file *f)
{
    const struct pair *p = (struct pair *)f;
    uint32_t in = ready(p->rd, READY_IN), out = ready(p->wr, READY_OUT);

    return ((in & (READY_IN | READY_ERR)) ? POLLIN | POLLRDNORM : 0u) | ((in & READY_ERR) ? POLLHUP : 0u) |
           ((out & (READY_OUT | READY_ERR)) ? POLLOUT | POLLWRNORM : 0u);
}

static int pair_in(struct file *f)
{
    return ((struct pair *)f)->rd;
}

static int pair_out(struct file *f)
{
    return ((struct pair *)f)->wr;
}

static void pair_close(struct file *f)
{
    struct pair *p = (struct pair *)f;

    if (p->rd >= 0)
        sys_handle_close(p->rd);
    if (p->wr >= 0)
        sys_handle_close(p->wr);
    free(p);
}

static const struct file_ops pair_ops = {
    .kind = FILE_PAIR,
    .read = pair_read,
    .write = pair_write,
    .stat = pair_stat,
    .close = pair_close,
    .events = pair_events,
    .handle = pair_in,
    .handle_out = pair_out,
};

int file_of_pair(int rd, int wr, int type, int flags, struct file **out)
{
    struct pair *p = calloc(1, sizeof *p);
    if (p == NULL)
        return -ENOMEM;
    p->f.ops = &pair_ops;
    p->f.refs = 1;
    p->f.flags = O_RDWR | (flags & O_NONBLOCK);
    p->f.fdflags = flags & O_CLOEXEC ? FD_CLOEXEC : 0;
    p->rd = rd;
    p->wr = wr;
    p->type = type;
    *out = &p->f;
    return 0;
}

int file_pair_type(const struct file *f)
{
    return ((const struct pair *)f)->type;
}

/* --- the calls of sockets, for descriptors that are none of the network's --- */

static struct pair *pair_get(int fd)
{
    return (struct pair *)fd_get_kind(fd, FILE_PAIR, ENOTSOCK);
}

ssize_t __libc_pair_recv(int fd, void *buf, size_t n, int flags)
{
    struct pair *p = pair_get(fd);
    if (p == NULL)
        return -1;
    int64_t r = take(p, buf, n, flags);
    fd_put(&p->f);
    return (ssize_t)__libc_result(r);
}

ssize_t __libc_pair_send(int fd, const void *buf, size_t n, int flags, bool addressed)
{
    struct pair *p = pair_get(fd);
    if (p == NULL)
        return -1;
    int64_t r = addressed ? -EISCONN : put(p, buf, n, flags);
    fd_put(&p->f);
    return (ssize_t)__libc_result(r);
}

int __libc_pair_shutdown(int fd, int how)
{
    struct pair *p = pair_get(fd);
    if (p == NULL)
        return -1;
    int r = how < SHUT_RD || how > SHUT_RDWR ? -EINVAL : 0;
    if (r == 0 && how != SHUT_WR && p->rd >= 0) {
        sys_handle_close(p->rd);
        p->rd = -1;
    }
    if (r == 0 && how != SHUT_RD && p->wr >= 0) {
        sys_handle_close(p->wr);
        p->wr = -1;
    }
    fd_put(&p->f);
    return (int)__libc_result(r);
}

/* SO_TYPE, SO_DOMAIN, SO_ERROR and the two times; -ENOPROTOOPT for the rest. */
int __libc_pair_option(int fd, int level, int option, void *get, const void *set, socklen_t *len)
{
    struct pair *p = pair_get(fd);
    struct timeval tv;
    int r = -ENOPROTOOPT, v = -1;

    if (p == NULL)
        return -1;
    uint64_t *time = option == SO_RCVTIMEO ? &p->rcvtimeo_ns : option == SO_SNDTIMEO ? &p->sndtimeo_ns : NULL;
    if (level == SOL_SOCKET && time != NULL && *len >= sizeof tv) {
        r = 0;
        if (set != NULL) {
            memcpy(&tv, set, sizeof tv);
            *time = (uint64_t)tv.tv_sec * 1000000000u + (uint64_t)tv.tv_usec * 1000u;
        } else {
            tv = (struct timeval){(time_t)(*time / 1000000000u), (suseconds_t)(*time % 1000000000u / 1000)};
            memcpy(get, &tv, *len = sizeof tv);
        }
    } else if (level == SOL_SOCKET && get != NULL && *len >= sizeof v) {
        v = option == SO_TYPE ? p->type : option == SO_DOMAIN ? AF_UNIX : option == SO_ERROR ? 0 : -1;
        if (v >= 0) {
            memcpy(get, &v, *len = sizeof v);
            r = 0;
        }
    }
    fd_put(&p->f);
    return (int)__libc_result(r);
}

static int end_install(int rd, int wr, int type, int flags)
{
    struct file *f;
    int r = file_of_pair(rd, wr, type, flags, &f);

    if (r < 0) {
        sys_handle_close(rd);
        sys_handle_close(wr);
        return r;
    }
    r = fd_install(f, 0);
    if (r < 0)
        fd_put(f);
    return r;
}

int socketpair(int domain, int type, int protocol, int fds[2])
{
    int flags = (type & SOCK_NONBLOCK ? O_NONBLOCK : 0) | (type & SOCK_CLOEXEC ? O_CLOEXEC : 0), a, b;
    int32_t there[2], back[2];

    type &= ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (domain != AF_UNIX)
        return (int)__libc_result(domain == AF_INET || domain == AF_INET6 ? -EOPNOTSUPP : -EAFNOSUPPORT);
    if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
        return (int)__libc_result(-EPROTOTYPE);
    if (protocol != 0)
        return (int)__libc_result(-EPROTONOSUPPORT);
    int r = sys_pipe_create(there);
    if (r < 0)
        return (int)__libc_result(r);
    r = sys_pipe_create(back);
    if (r < 0) {
        sys_handle_close(there[0]);
        sys_handle_close(there[1]);
        return (int)__libc_result(r);
    }
    a = end_install(back[0], there[1], type, flags);
    b = end_install(there[0], back[1], type, flags);
    if (a >= 0 && b >= 0) {
        fds[0] = a;
        fds[1] = b;
        return 0;
    }
    if (a >= 0)
        close(a);
    if (b >= 0)
        close(b);
    return (int)__libc_result(a < 0 ? a : b);
}
