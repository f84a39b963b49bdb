/* SPDX-License-Identifier: MIT
 *
 * libc/eventfd.c: eventfd.
 *
 * Owns: the counters. An endpoint of one's own stands for "not zero": a bit is
 * set in it when the counter leaves 0 and taken when it gets there, so that wait()
 * can wait for it. Context: any thread.
 */
#include "fd.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define COUNT_MAX (UINT64_MAX - 1)

struct event_file {
    struct file f;
    libc_lock lock;
    int endpoint;
    bool semaphore;
    uint64_t count;
    uint32_t taken; /* futex: changes with each read, for writers without room */
};

static void mark(struct event_file *e, bool before)
{
    bool now = e->count != 0;
    struct sys_msg m;

    if (now && !before)
        sys_notify(e->endpoint, 1);
    else if (!now && before)
        sys_recv(e->endpoint, &m, 0);
}

static ssize_t event_read(struct file *f, void *buf, size_t n)
{
    struct event_file *e = (struct event_file *)f;
    struct wait_item w = {.kind = WAIT_HANDLE, .handle = e->endpoint, .want = READY_IN};

    if (n < sizeof e->count)
        return -EINVAL;
    for (;;) {
        libc_lock_take(&e->lock);
        uint64_t value = e->semaphore && e->count > 0 ? 1 : e->count;
        e->count -= value;
        if (value > 0) {
            mark(e, true);
            e->taken++;
        }
        libc_lock_drop(&e->lock);
        if (value > 0) {
            sys_futex_wake(&e->taken, UINT32_MAX);
            memcpy(buf, &value, sizeof value);
            return sizeof value;
        }
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int r = sys_wait(&w, 1, SYS_NO_DEADLINE);
        if (r < 0)
            return r;
    }
}

static ssize_t event_write(struct file *f, const void *buf, size_t n)
{
    struct event_file *e = (struct event_file *)f;
    uint64_t value;

    if (n < sizeof value)
        return -EINVAL;
    memcpy(&value, buf, sizeof value);
    if (value == UINT64_MAX)
        return -EINVAL;
    for (;;) {
        libc_lock_take(&e->lock);
        bool room = value <= COUNT_MAX - e->count, before = e->count != 0;
        uint32_t taken = e->taken;
        if (room) {
            e->count += value;
            mark(e, before);
        }
        libc_lock_drop(&e->lock);
        if (room)
            return sizeof value;
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        __libc_futex_wait(&e->taken, taken, SYS_NO_DEADLINE);
    }
}

static unsigned event_events(struct file *f)
{
    struct event_file *e = (struct event_file *)f;

    libc_lock_take(&e->lock);
    uint64_t count = e->count;
    libc_lock_drop(&e->lock);
    return (count > 0 ? POLLIN | POLLRDNORM : 0u) | (count < COUNT_MAX ? POLLOUT | POLLWRNORM : 0u);
}

static int event_handle(struct file *f)
{
    return ((struct event_file *)f)->endpoint;
}

static void event_close(struct file *f)
{
    sys_handle_close(((struct event_file *)f)->endpoint);
    free(f);
}

static const struct file_ops event_ops = {
    .kind = FILE_EVENT,
    .read = event_read,
    .write = event_write,
    .close = event_close,
    .events = event_events,
    .handle = event_handle,
};

int eventfd(unsigned initial, int flags)
{
    if ((flags & ~(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK)) != 0)
        return (int)__libc_result(-EINVAL);
    struct event_file *e = calloc(1, sizeof *e);
    if (e == NULL)
        return (int)__libc_result(-ENOMEM);
    e->f = (struct file){.ops = &event_ops, .refs = 1, .flags = O_RDWR | (flags & O_NONBLOCK),
                         .fdflags = flags & EFD_CLOEXEC ? FD_CLOEXEC : 0};
    e->semaphore = (flags & EFD_SEMAPHORE) != 0;
    e->endpoint = sys_endpoint_create(1);
    if (e->endpoint < 0) {
        int r = e->endpoint;
        free(e);
        return (int)__libc_result(r);
    }
    e->count = initial;
    mark(e, false);
    int fd = fd_install(&e->f, 0);
    if (fd < 0)
        fd_put(&e->f);
    return (int)__libc_result(fd);
}

int eventfd_read(int fd, eventfd_t *value)
{
    return read(fd, value, sizeof *value) == (ssize_t)sizeof *value ? 0 : -1;
}

int eventfd_write(int fd, eventfd_t value)
{
    return write(fd, &value, sizeof value) == (ssize_t)sizeof value ? 0 : -1;
}
