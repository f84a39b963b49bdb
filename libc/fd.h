/* SPDX-License-Identifier: MIT
 *
 * libc/fd.h: file descriptors.
 *
 * Owns: the descriptor table, struct file, struct file_ops. A file lives while
 * the table or a running call refers to it. Context: any thread. Locks: the
 * table has one (fd_lock_take); what a file points to has its own. Order: the
 * network's lock before the table's, the table's before malloc's.
 */
#ifndef LIBC_FD_H
#define LIBC_FD_H

#include "epoll.h"
#include "libc.h"
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/types.h>

#define FD_MAX   16384
#define FD_CHUNK 256 /* the table grows by this */

enum file_kind {
    FILE_CONSOLE = 1,
    FILE_LOG,
    FILE_NULL,
    FILE_ZERO,
    FILE_RANDOM,
    FILE_INITRD,
    FILE_DIR,
    FILE_SOCKET,
    FILE_HANDLE,
    FILE_PIPE,
    FILE_PAIR,
    FILE_EPOLL,
    FILE_EVENT,
    FILE_TIMER,
    FILE_NODE
};

struct file;
/* Every operation returns a negative errno on failure; NULL means it is not
 * possible on this kind. */
struct file_ops {
    enum file_kind kind;
    ssize_t (*read)(struct file *f, void *buf, size_t n);
    ssize_t (*write)(struct file *f, const void *buf, size_t n);
    off_t (*seek)(struct file *f, off_t off, int whence);
    int (*stat)(struct file *f, struct stat *st);
    int (*ioctl)(struct file *f, unsigned long request, void *arg);
    void (*close)(struct file *f); /* last reference: frees f */
    /* For poll: POLL* bits that hold now (the network's lock is held when the
     * file is a socket). */
    unsigned (*events)(struct file *f);
    /* For poll: handle that becomes ready, -1 for "always ready". */
    int (*handle)(struct file *f);
    /* The same for POLLOUT, where that is another handle; NULL: it is not. */
    int (*handle_out)(struct file *f);
    /* For poll: time of CLOCK_MONOTONIC at which it becomes ready by itself;
     * SYS_NO_DEADLINE, or NULL: never. */
    uint64_t (*due)(struct file *f);
};
struct item; /* epoll.c */
struct file {
    const struct file_ops *ops;
    uint32_t refs;
    int flags;   /* O_* of open and fcntl */
    struct item *watchers; /* the epolls that watch it; read without a lock where it is only NULL or not */
    int fdflags; /* FD_CLOEXEC for the descriptor that fd_install makes */
};

/* Takes over the caller's reference; lowest free number >= min, or -errno (the
 * reference is then still the caller's). */
int fd_install(struct file *f, int min);
void fd_place(int fd, struct file *f); /* at start: takes f over; the lock is held */
struct file *fd_get(int fd); /* adds a reference; NULL: bad number */
struct file *fd_get_kind(int fd, enum file_kind kind,
                         int wrong); /* NULL: errno set, `wrong` when of another kind */
static inline void fd_put(struct file *f)
{
    if (__atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        if (f->watchers != NULL)
            __epoll_forget(f);
        f->ops->close(f);
    }
}
/* For poll: look-up without a reference, valid while the lock is held. */
extern struct file **__fd_chunks[FD_MAX / FD_CHUNK];
extern libc_lock __fd_lock;
extern bool __fd_stdio_ready;
void __fd_stdio_open(void); /* 0, 1 and 2 exist from the start, but are made when first asked for */
static inline void fd_lock_take(void) /* the network's helper does not come here */
{
    if (__libc_several)
        libc_lock_take(&__fd_lock);
    if (!__fd_stdio_ready)
        __fd_stdio_open();
}
static inline void fd_lock_drop(void)
{
    if (__libc_several)
        libc_lock_drop(&__fd_lock);
}
static inline struct file *fd_peek(int fd)
{
    struct file **chunk = (unsigned)fd < FD_MAX ? __fd_chunks[(unsigned)fd / FD_CHUNK] : NULL;
    return chunk == NULL ? NULL : chunk[(unsigned)fd % FD_CHUNK];
}
int fd_close_all(int kind); /* at exit; kind 0: all */
void fd_forget_sockets(void); /* in a child of fork: they are the parent's, whose memory they use */
bool fd_cloexec(int fd);      /* the lock is held */

struct iovec;
ssize_t __socket_readv(int fd, const struct iovec *iov, int n);
ssize_t __socket_writev(int fd, const struct iovec *iov, int n);

/* Files that open() makes; each returns 0 or -errno. */
int file_open(const char *path, int flags, struct file **out);
int file_open_initrd(const char *path, int flags, struct file **out);
int file_open_device(const char *name, int flags, struct file **out);
int file_of_pipe(int handle, int flags, struct file **out);
int file_of_pair(int rd, int wr, int type, int flags, struct file **out); /* pair.c */
int file_pair_type(const struct file *f);
/* What inherit.c writes down and makes again: a file's path, a device's name, the
 * console's handle (-1: none yet). */
const char *file_initrd_path(const struct file *f);
const char *file_device_name(const struct file *f);
int file_console_handle(void);
void file_console_adopt(int handle);
/* devnode.c: nodes of devices; the index-th one's name, false past the last. */
#define NODE_BYTES 17
int file_open_node(const char *name, int flags, struct file **out);
bool node_name(size_t index, char name[NODE_BYTES]);
/* dev.c: names in /dev that are always there; NULL past the last. */
const char *device_name(size_t index);
int initrd_stat(const char *path, struct stat *st);

/* The path made absolute and free of "." and "..", without a leading slash.
 * 0 or -ENAMETOOLONG, -ENOENT. */
#define PATH_BYTES 256
int path_clean(const char *path, char out[PATH_BYTES]);

#endif
