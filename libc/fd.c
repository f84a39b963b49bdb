/* SPDX-License-Identifier: MIT
 *
 * libc/fd.c: the descriptor table and the calls that work on any descriptor.
 *
 * Owns: the table (two levels, grown on demand) and its lock.
 */
#include "fd.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

struct file **__fd_chunks[FD_MAX / FD_CHUNK];
static uint64_t taken[FD_MAX / 64];              /* a bit for each number in use */
static uint64_t taken_whole[FD_MAX / 64 / 64];   /* and one for each word of those without a free one */
static uint8_t cloexec[FD_MAX / 8];
libc_lock __fd_lock;
bool __fd_stdio_ready;

long __libc_result(long r)
{
    if (r >= 0)
        return r;
    errno = (int)-r;
    return -1;
}

static struct file **slot_of(int fd)
{
    if (fd < 0 || fd >= FD_MAX || __fd_chunks[fd / FD_CHUNK] == NULL)
        return NULL;
    return &__fd_chunks[fd / FD_CHUNK][fd % FD_CHUNK];
}

bool fd_cloexec(int fd)
{
    return (cloexec[fd / 8] >> fd % 8 & 1) != 0;
}

static void cloexec_set(int fd, bool on)
{
    uint8_t bit = (uint8_t)(1u << fd % 8);
    cloexec[fd / 8] = on ? cloexec[fd / 8] | bit : cloexec[fd / 8] & (uint8_t)~bit;
}

static void mark(int fd, bool used)
{
    uint64_t *word = &taken[fd / 64], *whole = &taken_whole[fd / 64 / 64];

    *word = used ? *word | 1ull << fd % 64 : *word & ~(1ull << fd % 64);
    *whole = ~*word == 0 ? *whole | 1ull << fd / 64 % 64 : *whole & ~(1ull << fd / 64 % 64);
}

/* The first clear bit of n words from number `from` on; 64 * n when all are set. */
static int first_clear(const uint64_t *words, int n, int from)
{
    for (int w = from / 64; w < n; w++, from = w * 64) {
        uint64_t clear = ~words[w] & ~0ull << from % 64;
        if (clear != 0)
            return w * 64 + __builtin_ctzll(clear);
    }
    return n * 64;
}

/* POSIX wants the lowest number; a full table of 16,384 costs some ten steps. */
static int lowest_free(int min)
{
    int fd = first_clear(taken, min / 64 + 1, min); /* C-EVENT-2 */

    if (fd / 64 == min / 64)
        return fd;
    int word = fd / 64 < FD_MAX / 64 ? first_clear(taken_whole, FD_MAX / 64 / 64, fd / 64) : FD_MAX / 64;
    return word == FD_MAX / 64 ? FD_MAX : first_clear(taken, word + 1, word * 64);
}

static int install_locked(struct file *f, int min)
{
    int fd = lowest_free(min);
    struct file ***chunk = &__fd_chunks[fd / FD_CHUNK];

    if (fd == FD_MAX)
        return -EMFILE;
    if (*chunk == NULL && (*chunk = calloc(FD_CHUNK, sizeof **chunk)) == NULL)
        return -ENOMEM;
    (*chunk)[fd % FD_CHUNK] = f;
    mark(fd, true);
    cloexec_set(fd, (f->fdflags & FD_CLOEXEC) != 0);
    return fd;
}

void __fd_stdio_open(void)
{
    struct file *f;

    __fd_stdio_ready = true;
    if (__libc_inherit_files())
        return;
    const char *kind = getenv("STDIO");
    const char *name = kind != NULL && strcmp(kind, "console") == 0 ? "console" : "log";
    for (int fd = 0; fd < 3; fd++) {
        if (fd == 0 && strcmp(name, "log") == 0) {
            if (file_open_device("null", O_RDONLY, &f) != 0)
                return;
        } else if (file_open_device(name, O_RDWR, &f) != 0 && file_open_device("null", O_RDWR, &f) != 0) {
            return;
        }
        if (install_locked(f, fd) != fd)
            return;
    }
}

void fd_place(int fd, struct file *f)
{
    if (fd < 0 || fd >= FD_MAX || fd_peek(fd) != NULL || install_locked(f, fd) != fd)
        fd_put(f);
}

int fd_install(struct file *f, int min)
{
    fd_lock_take();
    int fd = install_locked(f, min);
    fd_lock_drop();
    return fd;
}

struct file *fd_get(int fd)
{
    fd_lock_take();
    struct file *f = fd_peek(fd);
    if (f != NULL)
        __atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED);
    fd_lock_drop();
    return f;
}

struct file *fd_get_kind(int fd, enum file_kind kind, int wrong)
{
    struct file *f = fd_get(fd);
    if (f == NULL) {
        errno = EBADF;
    } else if (f->ops->kind != kind) {
        fd_put(f);
        f = NULL;
        errno = wrong;
    }
    return f;
}

static struct file *take_out(int fd)
{
    struct file **s = slot_of(fd), *f = s == NULL ? NULL : *s;
    if (f != NULL) {
        *s = NULL;
        mark(fd, false);
    }
    return f;
}

int close(int fd)
{
    fd_lock_take();
    struct file *f = take_out(fd);
    fd_lock_drop();
    if (f == NULL) {
        errno = EBADF;
        return -1;
    }
    fd_put(f);
    return 0;
}

int fd_close_all(int kind)
{
    int closed = 0;
    for (int fd = 0; fd < FD_MAX; fd++) {
        fd_lock_take();
        struct file *f = fd_peek(fd);
        if (f != NULL && (kind == 0 || (int)f->ops->kind == kind))
            f = take_out(fd);
        else
            f = NULL;
        bool chunk_empty = __fd_chunks[fd / FD_CHUNK] == NULL;
        fd_lock_drop();
        if (chunk_empty)
            fd |= FD_CHUNK - 1;
        if (f != NULL) {
            fd_put(f);
            closed++;
        }
    }
    return closed;
}

void fd_forget_sockets(void)
{
    for (int fd = 0; fd < FD_MAX; fd++) {
        struct file *f = fd_peek(fd);
        if (__fd_chunks[fd / FD_CHUNK] == NULL)
            fd |= FD_CHUNK - 1;
        else if (f != NULL && f->ops->kind == FILE_SOCKET)
            take_out(fd);
    }
}

ssize_t read(int fd, void *buf, size_t n)
{
    struct file *f = fd_get(fd);
    ssize_t r = f == NULL                                                    ? -EBADF
                : (f->flags & O_ACCMODE) == O_WRONLY || f->ops->read == NULL ? -EBADF
                                                                             : f->ops->read(f, buf, n);
    if (f != NULL) {
        if (f->watchers != NULL)
            __epoll_touched(f);
        fd_put(f);
    }
    return __libc_result(r);
}

ssize_t write(int fd, const void *buf, size_t n)
{
    struct file *f = fd_get(fd);
    ssize_t r = f == NULL                            ? -EBADF
                : (f->flags & O_ACCMODE) == O_RDONLY ? -EBADF
                : f->ops->write == NULL              ? -EROFS
                                                     : f->ops->write(f, buf, n);
    if (f != NULL) {
        if (f->watchers != NULL)
            __epoll_touched(f);
        fd_put(f);
    }
    return __libc_result(r);
}

ssize_t readv(int fd, const struct iovec *iov, int n)
{
    ssize_t total = 0;
    if (n < 0 || n > IOV_MAX)
        return __libc_result(-EINVAL);
    struct file *f = fd_get(fd);
    if (f != NULL && f->ops->kind == FILE_SOCKET) { /* one datagram fills them all */
        fd_put(f);
        return __socket_readv(fd, iov, n);
    }
    if (f != NULL)
        fd_put(f);
    for (int i = 0; i < n; i++) {
        if (iov[i].iov_len == 0)
            continue;
        ssize_t r = read(fd, iov[i].iov_base, iov[i].iov_len);
        if (r < 0)
            return total > 0 ? total : -1;
        total += r;
        if ((size_t)r < iov[i].iov_len)
            break;
    }
    return total;
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
    ssize_t total = 0;
    if (n < 0 || n > IOV_MAX)
        return __libc_result(-EINVAL);
    struct file *f = fd_get(fd);
    if (f != NULL && f->ops->kind == FILE_SOCKET) { /* one datagram, one segment */
        fd_put(f);
        return __socket_writev(fd, iov, n);
    }
    if (f != NULL)
        fd_put(f);
    for (int i = 0; i < n; i++) {
        if (iov[i].iov_len == 0)
            continue;
        ssize_t r = write(fd, iov[i].iov_base, iov[i].iov_len);
        if (r < 0)
            return total > 0 ? total : -1;
        total += r;
        if ((size_t)r < iov[i].iov_len)
            break;
    }
    return total;
}

off_t lseek(int fd, off_t off, int whence)
{
    struct file *f = fd_get(fd);
    off_t r = f == NULL ? -EBADF : f->ops->seek == NULL ? -ESPIPE : f->ops->seek(f, off, whence);
    if (f != NULL)
        fd_put(f);
    return __libc_result(r);
}

int fstat(int fd, struct stat *st)
{
    struct file *f = fd_get(fd);
    memset(st, 0, sizeof *st);
    int r = f == NULL ? -EBADF : f->ops->stat == NULL ? -ENOSYS : f->ops->stat(f, st);
    if (f != NULL)
        fd_put(f);
    return (int)__libc_result(r);
}

/* The log counts as a terminal too: stdio then writes line by line, which is
 * what a log wants. */
int isatty(int fd)
{
    struct file *f = fd_get(fd);
    int yes = f != NULL && (f->ops->kind == FILE_CONSOLE || f->ops->kind == FILE_LOG);
    if (!yes)
        errno = f == NULL ? EBADF : ENOTTY;
    if (f != NULL)
        fd_put(f);
    return yes;
}

static int dup_to(int fd, int min, bool exactly, int fdflags)
{
    struct file *old = NULL;
    int r;

    fd_lock_take();
    struct file *f = fd_peek(fd);
    if (f == NULL) {
        r = -EBADF;
    } else if (min < 0 || min >= FD_MAX) {
        r = exactly ? -EBADF : -EINVAL;
    } else if (exactly && fd == min) {
        r = fd;
    } else {
        if (exactly)
            old = take_out(min);
        r = install_locked(f, min);
        if (r >= 0) {
            __atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED);
            cloexec_set(r, fdflags != 0);
        }
    }
    fd_lock_drop();
    if (old != NULL)
        fd_put(old);
    return (int)__libc_result(r);
}

int dup(int fd)
{
    return dup_to(fd, 0, false, 0);
}

int dup2(int fd, int to)
{
    return dup_to(fd, to, true, 0);
}

int dup3(int fd, int to, int flags)
{
    if (fd == to || (flags & ~O_CLOEXEC) != 0)
        return (int)__libc_result(-EINVAL);
    return dup_to(fd, to, true, flags & O_CLOEXEC ? FD_CLOEXEC : 0);
}

/* F_GETFD and F_SETFD belong to the number, not to the file behind it. */
static int fd_flags(int fd, bool set, int flags)
{
    fd_lock_take();
    int r = fd_peek(fd) == NULL ? -EBADF : fd_cloexec(fd) ? FD_CLOEXEC : 0;
    if (set && r >= 0) {
        cloexec_set(fd, (flags & FD_CLOEXEC) != 0);
        r = 0;
    }
    fd_lock_drop();
    return (int)__libc_result(r);
}

int fcntl(int fd, int command, ...)
{
    va_list ap;
    va_start(ap, command);
    long arg = va_arg(ap, long);
    va_end(ap);

    if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
        return dup_to(fd, (int)arg, false, command == F_DUPFD_CLOEXEC ? FD_CLOEXEC : 0);
    if (command == F_GETFD || command == F_SETFD)
        return fd_flags(fd, command == F_SETFD, (int)arg);
    struct file *f = fd_get(fd);
    if (f == NULL)
        return (int)__libc_result(-EBADF);
    int r = 0;
    switch (command) {
    case F_GETFL:
        r = f->flags;
        break;
    case F_SETFL:
        f->flags = (f->flags & ~(O_NONBLOCK | O_APPEND)) | ((int)arg & (O_NONBLOCK | O_APPEND));
        break;
    default:
        r = -EINVAL;
    }
    fd_put(f);
    return (int)__libc_result(r);
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list ap;
    va_start(ap, request);
    void *arg = va_arg(ap, void *);
    va_end(ap);

    struct file *f = fd_get(fd);
    if (f == NULL)
        return (int)__libc_result(-EBADF);
    int r;
    if (request == FIONBIO) {
        f->flags = *(int *)arg ? f->flags | O_NONBLOCK : f->flags & ~O_NONBLOCK;
        r = 0;
    } else {
        r = f->ops->ioctl == NULL ? -ENOTTY : f->ops->ioctl(f, request, arg);
    }
    fd_put(f);
    return (int)__libc_result(r);
}
