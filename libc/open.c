/* SPDX-License-Identifier: MIT
 *
 * libc/open.c: names of files and what may be done with them.
 *
 * The file system is the initrd, read-only, and /dev; calls that would change
 * it fail with EROFS. Context: any thread.
 */
#include "fd.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_open(const char *path, int flags, struct file **out)
{
    char clean[PATH_BYTES];
    int r = path_clean(path, clean);

    if (r == 0)
        r = strncmp(clean, "dev/", 4) == 0 ? file_open_device(clean + 4, flags, out)
                                           : file_open_initrd(clean, flags, out);
    if (r == 0)
        (*out)->fdflags = (flags & O_CLOEXEC) ? FD_CLOEXEC : 0;
    return r;
}

int open(const char *path, int flags, ...)
{
    struct file *f;
    int r = file_open(path, flags, &f);

    if (r == 0) {
        r = fd_install(f, 0);
        if (r < 0)
            fd_put(f);
    }
    return (int)__libc_result(r);
}

int creat(const char *path, mode_t mode)
{
    return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

int stat(const char *restrict path, struct stat *restrict st)
{
    char clean[PATH_BYTES];
    int r = path_clean(path, clean);

    memset(st, 0, sizeof *st);
    if (r == 0 && strncmp(clean, "dev/", 4) == 0) {
        struct file *f;
        r = file_open_device(clean + 4, O_RDONLY, &f);
        if (r == 0) {
            r = f->ops->stat(f, st);
            fd_put(f);
        }
    } else if (r == 0) {
        r = initrd_stat(clean, st);
    }
    return (int)__libc_result(r);
}

int lstat(const char *restrict path, struct stat *restrict st)
{
    return stat(path, st);
}

int access(const char *path, int mode)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return -1;
    if ((mode & W_OK) && !S_ISCHR(st.st_mode))
        return (int)__libc_result(-EROFS);
    return 0;
}

/* --- what a read-only file system refuses --- */

static int refuse(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return -1;
    return (int)__libc_result(-EROFS);
}

int unlink(const char *path)
{
    return refuse(path);
}

int rmdir(const char *path)
{
    return refuse(path);
}

int link(const char *from, const char *to)
{
    (void)to;
    return refuse(from);
}

int mkdir(const char *path, mode_t mode)
{
    struct stat st;
    (void)mode;
    return (int)__libc_result(stat(path, &st) == 0 ? -EEXIST : -EROFS);
}

int ftruncate(int fd, off_t length)
{
    (void)fd, (void)length;
    return (int)__libc_result(-EROFS);
}

int fsync(int fd)
{
    struct stat st;
    return fstat(fd, &st);
}
