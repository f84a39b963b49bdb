/* SPDX-License-Identifier: MIT
 *
 * libc/pipe.c: pipes as descriptors. Context: any thread.
 *
 * Each end is a kernel handle, closed with the last descriptor of this process;
 * other processes that inherited it have handles of their own.
 */
#include "fd.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct pipe_end {
    struct file f;
    int handle;
};

static int handle_of(struct file *f)
{
    return ((struct pipe_end *)f)->handle;
}

static uint64_t deadline_of(const struct file *f)
{
    return (f->flags & O_NONBLOCK) ? 0 : SYS_NO_DEADLINE;
}

static ssize_t pipe_read(struct file *f, void *buf, size_t n)
{
    int64_t r;

    __libc_may_block();
    do
        r = sys_stream_read(handle_of(f), buf, n, deadline_of(f));
    while (r == -EINTR && __libc_restarts());
    return r;
}

static ssize_t pipe_write(struct file *f, const void *buf, size_t n)
{
    size_t done = 0;
    int64_t r = 0;

    __libc_may_block();
    while (done < n || n == 0) {
        r = sys_stream_write(handle_of(f), (const char *)buf + done, n - done, deadline_of(f));
        if (r > 0)
            done += (size_t)r;
        if (n == 0 || (r <= 0 && !(r == -EINTR && __libc_restarts())))
            break;
    }
    if (r == -EPIPE && done == 0)
        raise(SIGPIPE);
    return done > 0 ? (ssize_t)done : r;
}

static int pipe_stat(struct file *f, struct stat *st)
{
    (void)f;
    st->st_mode = S_IFIFO | 0600;
    st->st_nlink = 1;
    st->st_blksize = PIPE_BYTES_ATOMIC;
    return 0;
}

static uint32_t ready(int handle, uint32_t want)
{
    struct wait_item it = {.kind = WAIT_HANDLE, .handle = handle, .want = want};
    return sys_wait(&it, 1, 0) < 0 ? 0 : it.got;
}

static unsigned read_events(struct file *f)
{
    uint32_t got = ready(handle_of(f), READY_IN);
    return ((got & READY_IN) ? POLLIN | POLLRDNORM : 0u) | ((got & READY_ERR) ? POLLHUP : 0u);
}

static unsigned write_events(struct file *f)
{
    uint32_t got = ready(handle_of(f), READY_OUT);
    if (got & READY_ERR)
        return POLLERR;
    return (got & READY_OUT) ? POLLOUT | POLLWRNORM : 0u;
}

static void pipe_close(struct file *f)
{
    sys_handle_close(handle_of(f));
    free(f);
}

static const struct file_ops read_ops = {
    .kind = FILE_PIPE,
    .read = pipe_read,
    .stat = pipe_stat,
    .close = pipe_close,
    .events = read_events,
    .handle = handle_of,
};
static const struct file_ops write_ops = {
    .kind = FILE_PIPE,
    .write = pipe_write,
    .stat = pipe_stat,
    .close = pipe_close,
    .events = write_events,
    .handle = handle_of,
};

int file_of_pipe(int handle, int flags, struct file **out)
{
    struct pipe_end *e = calloc(1, sizeof *e);
    if (e == NULL)
        return -ENOMEM;
    e->f.ops = (flags & O_ACCMODE) == O_WRONLY ? &write_ops : &read_ops;
    e->f.refs = 1;
    e->f.flags = flags & (O_ACCMODE | O_NONBLOCK);
    e->f.fdflags = flags & O_CLOEXEC ? FD_CLOEXEC : 0;
    e->handle = handle;
    *out = &e->f;
    return 0;
}

/* Takes the handle over, whatever comes of it. */
static int end_install(int handle, int flags)
{
    struct file *f;
    int r = file_of_pipe(handle, flags, &f);

    if (r < 0) {
        sys_handle_close(handle);
        return r;
    }
    r = fd_install(f, 0);
    if (r < 0)
        fd_put(f);
    return r;
}

int pipe2(int fds[2], int flags)
{
    int32_t ends[2];
    int r, w;

    if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) != 0)
        return (int)__libc_result(-EINVAL);
    r = sys_pipe_create(ends);
    if (r < 0)
        return (int)__libc_result(r);
    r = end_install(ends[0], flags | O_RDONLY);
    w = end_install(ends[1], flags | O_WRONLY);
    if (r >= 0 && w >= 0) {
        fds[0] = r;
        fds[1] = w;
        return 0;
    }
    if (r >= 0)
        close(r);
    if (w >= 0)
        close(w);
    return (int)__libc_result(r < 0 ? r : w);
}

int pipe(int fds[2])
{
    return pipe2(fds, 0);
}
