/* SPDX-License-Identifier: MIT
 *
 * libc/dev.c: descriptors that are not files: console, log, null, zero,
 * random, and kernel handles.
 *
 * Owns: the process's console handle, the line that collects for the log.
 * Context: any thread.
 */
#include "fd.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

static int console_handle = -1;

/* --- console --- */

static ssize_t console_read(struct file *f, void *buf, size_t n)
{
    __libc_may_block();
    for (;;) {
        int64_t r = sys_console_read(console_handle, buf, n);
        if (r != -EAGAIN || n == 0 || (f->flags & O_NONBLOCK))
            return r;
        struct wait_item it = {.kind = WAIT_HANDLE, .handle = console_handle, .want = READY_IN};
        int w = sys_wait(&it, 1, SYS_NO_DEADLINE);
        if (w < 0 && !(w == -EINTR && __libc_restarts()))
            return w;
    }
}

static ssize_t console_write(struct file *f, const void *buf, size_t n)
{
    size_t done = 0;

    (void)f;
    while (done < n) { /* the kernel takes a few KiB a call */
        int64_t r = sys_console_write((const char *)buf + done, n - done);
        if (r < 0)
            return done > 0 ? (ssize_t)done : r;
        done += (size_t)r;
    }
    return (ssize_t)done;
}

static int chr_stat(struct file *f, struct stat *st)
{
    (void)f;
    st->st_mode = S_IFCHR | 0600;
    st->st_blksize = 1024;
    return 0;
}

/* Not ready means that the handle has something to wait for. */
static unsigned handle_ready(int handle)
{
    struct wait_item it = {.kind = WAIT_HANDLE, .handle = handle, .want = READY_IN};
    if (sys_wait(&it, 1, 0) < 0)
        return 0;
    return ((it.got & READY_IN) ? POLLIN | POLLRDNORM : 0u) | ((it.got & READY_ERR) ? POLLERR | POLLHUP : 0u);
}

static unsigned console_events(struct file *f)
{
    (void)f;
    return handle_ready(console_handle) | POLLOUT | POLLWRNORM;
}

static int console_wait_handle(struct file *f)
{
    (void)f;
    return console_handle;
}

static int console_ioctl(struct file *f, unsigned long request, void *arg)
{
    (void)f;
    if (request == TIOCGWINSZ) { /* the serial console knows no size */
        *(struct winsize *)arg = (struct winsize){.ws_row = 25, .ws_col = 80};
        return 0;
    }
    if (request == FIONREAD) {
        *(int *)arg = (handle_ready(console_handle) & POLLIN) ? 1 : 0;
        return 0;
    }
    return -ENOTTY;
}

static void plain_close(struct file *f)
{
    free(f);
}

/* --- log: whole lines, tagged by the kernel with time and process --- */

#define LOG_LINE 240
static char log_line[LOG_LINE];
static size_t log_used;
libc_lock __libc_log_lock;

static ssize_t log_write(struct file *f, const void *buf, size_t n)
{
    const char *p = buf;

    (void)f;
    libc_lock_take(&__libc_log_lock);
    for (size_t i = 0; i < n; i++) {
        if (p[i] != '\n' && p[i] != '\r')
            log_line[log_used++] = p[i];
        if ((p[i] == '\n' || log_used == LOG_LINE) && log_used > 0) {
            sys_log_write(SYS_LOG_INFO, log_line, log_used);
            log_used = 0;
        }
    }
    libc_lock_drop(&__libc_log_lock);
    return (ssize_t)n;
}

void __libc_log_exit(void)
{
    libc_lock_take(&__libc_log_lock);
    if (log_used > 0)
        sys_log_write(SYS_LOG_INFO, log_line, log_used);
    log_used = 0;
    libc_lock_drop(&__libc_log_lock);
}

/* --- null, zero, random --- */

static ssize_t null_read(struct file *f, void *buf, size_t n)
{
    (void)f, (void)buf, (void)n;
    return 0;
}

static ssize_t null_write(struct file *f, const void *buf, size_t n)
{
    (void)f, (void)buf;
    return (ssize_t)n;
}

static ssize_t zero_read(struct file *f, void *buf, size_t n)
{
    (void)f;
    memset(buf, 0, n);
    return (ssize_t)n;
}

static ssize_t random_read(struct file *f, void *buf, size_t n)
{
    if (n > 256)
        n = 256;
    int r = sys_random(buf, n, (f->flags & O_NONBLOCK) ? RANDOM_NONBLOCK : 0);
    return r < 0 ? r : (ssize_t)n;
}

static unsigned always_ready(struct file *f)
{
    (void)f;
    return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
}

static const struct file_ops console_ops = {
    .kind = FILE_CONSOLE,
    .read = console_read,
    .write = console_write,
    .stat = chr_stat,
    .ioctl = console_ioctl,
    .close = plain_close,
    .events = console_events,
    .handle = console_wait_handle,
};
static const struct file_ops log_ops = {
    .kind = FILE_LOG,
    .write = log_write,
    .stat = chr_stat,
    .close = plain_close,
    .events = always_ready,
};
static const struct file_ops null_ops = {
    .kind = FILE_NULL,
    .read = null_read,
    .write = null_write,
    .stat = chr_stat,
    .close = plain_close,
    .events = always_ready,
};
static const struct file_ops zero_ops = {
    .kind = FILE_ZERO,
    .read = zero_read,
    .write = null_write,
    .stat = chr_stat,
    .close = plain_close,
    .events = always_ready,
};
static const struct file_ops random_ops = {
    .kind = FILE_RANDOM,
    .read = random_read,
    .stat = chr_stat,
    .close = plain_close,
    .events = always_ready,
};

static const struct {
    const char *name;
    const struct file_ops *ops;
} devices[] = {
    {"console", &console_ops}, {"tty", &console_ops},   {"log", &log_ops},        {"null", &null_ops},
    {"zero", &zero_ops},       {"random", &random_ops}, {"urandom", &random_ops},
};

const char *file_device_name(const struct file *f)
{
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
        if (devices[i].ops == f->ops)
            return devices[i].name;
    return NULL;
}

int file_console_handle(void)
{
    return console_handle;
}

void file_console_adopt(int handle)
{
    console_handle = handle;
}

const char *device_name(size_t index)
{
    return index < sizeof devices / sizeof devices[0] ? devices[index].name : NULL;
}

int file_open_device(const char *name, int flags, struct file **out)
{
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        if (strcmp(devices[i].name, name) != 0)
            continue;
        if (devices[i].ops == &console_ops && console_handle < 0) {
            int h = sys_console_open();
            if (h < 0)
                return h;
            console_handle = h;
        }
        struct file *f = calloc(1, sizeof *f);
        if (f == NULL)
            return -ENOMEM;
        f->ops = devices[i].ops;
        f->refs = 1;
        f->flags = flags & (O_ACCMODE | O_NONBLOCK);
        *out = f;
        return 0;
    }
    return file_open_node(name, flags, out);
}

/* --- a kernel handle as a descriptor --- */

struct handle_file {
    struct file f;
    int handle;
};

static unsigned handle_events(struct file *f)
{
    return handle_ready(((struct handle_file *)f)->handle);
}

static int handle_of(struct file *f)
{
    return ((struct handle_file *)f)->handle;
}

static void handle_close(struct file *f)
{
    sys_handle_close(((struct handle_file *)f)->handle);
    free(f);
}

static const struct file_ops handle_ops = {
    .kind = FILE_HANDLE,
    .stat = chr_stat,
    .close = handle_close,
    .events = handle_events,
    .handle = handle_of,
};

int sys_handle_fd(int handle)
{
    struct handle_file *h = calloc(1, sizeof *h);
    if (h == NULL)
        return (int)__libc_result(-ENOMEM);
    h->f.ops = &handle_ops;
    h->f.refs = 1;
    h->f.flags = O_RDONLY;
    h->handle = handle;
    int fd = fd_install(&h->f, 0);
    if (fd < 0)
        free(h);
    return (int)__libc_result(fd);
}
