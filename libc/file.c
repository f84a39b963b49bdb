/* SPDX-License-Identifier: MIT
 *
 * libc/file.c: read-only files: the initrd, mapped once and read in place.
 *
 * Owns: the index of the archive (sorted by path), the working directory.
 * Context: any thread. Lock: __libc_files_lock while the index is made; afterwards it
 * never changes.
 */
#include "fd.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <slipway/ustar.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct entry {
    char *path;
    const uint8_t *data;
    size_t bytes;
    time_t mtime;
    bool is_dir;
};

static struct entry *entries;
static size_t entry_count;
static bool indexed;
libc_lock __libc_files_lock;
static char cwd[PATH_BYTES]; /* without the leading slash */

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

static int index_archive(const void *base, size_t bytes)
{
    struct ustar_file u;
    size_t off = 0, room = 0;
    int r;

    while ((r = ustar_next(base, bytes, &off, &u)) > 0) {
        if (u.path[0] == 0)
            continue;
        if (entry_count == room) {
            room = room == 0 ? 32 : room * 2;
            struct entry *more = realloc(entries, room * sizeof *more);
            if (more == NULL)
                return -ENOMEM;
            entries = more;
        }
        char *path = strdup(u.path);
        if (path == NULL)
            return -ENOMEM;
        entries[entry_count++] = (struct entry){path, u.data, u.bytes, (time_t)u.mtime, u.is_dir};
    }
    qsort(entries, entry_count, sizeof *entries, by_path);
    return r;
}

/* 0, or a negative errno; a broken archive gives what was read before the break. */
static int index_once(void)
{
    int r = 0;

    if (__atomic_load_n(&indexed, __ATOMIC_ACQUIRE))
        return 0;
    libc_lock_take(&__libc_files_lock);
    if (!indexed) {
        uint64_t bytes = 0;
        int handle = sys_initrd_open(&bytes);
        int64_t at = handle < 0 ? handle : sys_memobj_map(handle, 0, 0, (bytes + 4095) & ~4095ull, PROT_R);
        if (handle >= 0)
            sys_handle_close(handle);
        r = at < 0 ? (int)at : index_archive((const void *)at, bytes);
        if (r >= 0)
            __atomic_store_n(&indexed, true, __ATOMIC_RELEASE);
        else if (r == -1) {
            sys_logf(SYS_LOG_ERROR, "libc: the initrd is broken after %u entries", (unsigned)entry_count);
            __atomic_store_n(&indexed, true, __ATOMIC_RELEASE);
            r = 0;
        }
    }
    libc_lock_drop(&__libc_files_lock);
    return r < 0 ? r : 0;
}

/* First entry whose path is not less. */
static size_t lower_bound(const char *path)
{
    size_t lo = 0, hi = entry_count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (strcmp(entries[mid].path, path) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static const struct entry *find(const char *path)
{
    size_t i = lower_bound(path);
    return i < entry_count && strcmp(entries[i].path, path) == 0 ? &entries[i] : NULL;
}

/* /dev is in no archive. */
static bool is_dev(const char *path)
{
    return strcmp(path, "dev") == 0;
}

/* A directory needs no entry of its own: it is one when something lies in it. */
static bool is_dir(const char *path)
{
    char prefix[PATH_BYTES + 1];
    const struct entry *e = find(path);

    if (path[0] == 0 || is_dev(path))
        return true;
    if (e != NULL)
        return e->is_dir;
    size_t n = strlen(path);
    memcpy(prefix, path, n);
    prefix[n] = '/';
    prefix[n + 1] = 0;
    size_t i = lower_bound(prefix);
    return i < entry_count && strncmp(entries[i].path, prefix, n + 1) == 0;
}

int path_clean(const char *path, char out[PATH_BYTES])
{
    size_t n = 0;

    if (path[0] == 0)
        return -ENOENT;
    if (path[0] != '/') {
        n = strlen(cwd);
        memcpy(out, cwd, n);
    }
    while (*path != 0) {
        size_t len = strcspn(path, "/");
        if (len == 2 && path[0] == '.' && path[1] == '.') {
            while (n > 0 && out[--n] != '/')
                ;
        } else if (len > 0 && !(len == 1 && path[0] == '.')) {
            if (n + len + 2 > PATH_BYTES)
                return -ENAMETOOLONG;
            if (n > 0)
                out[n++] = '/';
            memcpy(out + n, path, len);
            n += len;
        }
        path += len;
        while (*path == '/')
            path++;
    }
    out[n] = 0;
    return 0;
}

const void *initrd_map_file(const char *path, size_t *len)
{
    char clean[PATH_BYTES];
    if (path_clean(path, clean) != 0 || index_once() != 0)
        return NULL;
    const struct entry *e = find(clean);
    if (e == NULL || e->is_dir)
        return NULL;
    *len = e->bytes;
    return e->data;
}

/* --- open files --- */

struct initrd_file {
    struct file f;
    const struct entry *e;
    off_t pos;
    libc_lock lock;
};

static ssize_t initrd_read(struct file *f, void *buf, size_t n)
{
    struct initrd_file *i = (struct initrd_file *)f;
    libc_lock_take(&i->lock);
    size_t left = i->pos >= (off_t)i->e->bytes ? 0 : i->e->bytes - (size_t)i->pos;
    if (n > left)
        n = left;
    memcpy(buf, i->e->data + i->pos, n);
    i->pos += (off_t)n;
    libc_lock_drop(&i->lock);
    return (ssize_t)n;
}

static off_t initrd_seek(struct file *f, off_t off, int whence)
{
    struct initrd_file *i = (struct initrd_file *)f;
    libc_lock_take(&i->lock);
    off_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? i->pos : (off_t)i->e->bytes;
    off_t r = -EINVAL;
    if (whence >= SEEK_SET && whence <= SEEK_END && !__builtin_add_overflow(base, off, &off) && off >= 0)
        r = i->pos = off;
    libc_lock_drop(&i->lock);
    return r;
}

static void fill_stat(const struct entry *e, struct stat *st)
{
    st->st_mode = e == NULL || e->is_dir ? S_IFDIR | 0555 : S_IFREG | 0555;
    st->st_nlink = 1;
    st->st_ino = e == NULL ? 1 : (ino_t)(e - entries + 2);
    st->st_size = e == NULL ? 0 : (off_t)e->bytes;
    st->st_mtime = st->st_ctime = st->st_atime = e == NULL ? 0 : e->mtime;
    st->st_blksize = 4096;
    st->st_blocks = (blkcnt_t)((st->st_size + 511) / 512);
}

static int initrd_fstat(struct file *f, struct stat *st)
{
    fill_stat(((struct initrd_file *)f)->e, st);
    return 0;
}

static void initrd_close(struct file *f)
{
    free(f);
}

static const struct file_ops initrd_ops = {
    .kind = FILE_INITRD,
    .read = initrd_read,
    .seek = initrd_seek,
    .stat = initrd_fstat,
    .close = initrd_close,
};
static const struct file_ops dir_ops = {.kind = FILE_DIR, .stat = initrd_fstat, .close = initrd_close};

const char *file_initrd_path(const struct file *f)
{
    const struct entry *e = ((const struct initrd_file *)f)->e;
    return e == NULL ? "." : e->path;
}

int file_open_initrd(const char *clean, int flags, struct file **out)
{
    int r = index_once();
    if (r != 0)
        return r;
    const struct entry *e = find(clean);
    bool dir = is_dir(clean);
    if (e == NULL && !dir)
        return (flags & O_CREAT) ? -EROFS : -ENOENT;
    if ((flags & O_CREAT) && (flags & O_EXCL))
        return -EEXIST;
    if ((flags & O_ACCMODE) != O_RDONLY)
        return dir ? -EISDIR : -EROFS;
    if ((flags & O_DIRECTORY) && !dir)
        return -ENOTDIR;
    struct initrd_file *i = calloc(1, sizeof *i);
    if (i == NULL)
        return -ENOMEM;
    i->f.ops = dir ? &dir_ops : &initrd_ops;
    i->f.refs = 1;
    i->f.flags = flags & (O_ACCMODE | O_NONBLOCK);
    i->e = e;
    *out = &i->f;
    return 0;
}

int initrd_stat(const char *clean, struct stat *st)
{
    int r = index_once();
    if (r != 0)
        return r;
    const struct entry *e = find(clean);
    if (e == NULL && !is_dir(clean))
        return -ENOENT;
    fill_stat(e, st);
    return 0;
}

/* --- directories --- */

struct __slipway_dir {
    char prefix[PATH_BYTES + 1]; /* with its final slash; "" for the root */
    size_t next;
    size_t dev; /* of /dev's names: how many were given; for the root: 1 when /dev was */
    struct dirent d;
};

DIR *opendir(const char *path)
{
    char clean[PATH_BYTES];
    int r = path_clean(path, clean);
    if (r == 0)
        r = index_once();
    if (r == 0 && !is_dir(clean))
        r = find(clean) != NULL ? -ENOTDIR : -ENOENT;
    DIR *d = r == 0 ? calloc(1, sizeof *d) : NULL;
    if (d == NULL) {
        errno = r == 0 ? ENOMEM : -r;
        return NULL;
    }
    strcpy(d->prefix, clean);
    if (clean[0] != 0)
        strcat(d->prefix, "/");
    d->next = lower_bound(d->prefix);
    return d;
}

static struct dirent *dir_entry(DIR *d, const char *name, uint8_t type)
{
    strcpy(d->d.d_name, name);
    d->d.d_type = type;
    d->d.d_ino = 1;
    return &d->d;
}

/* What is not in the archive: /dev in the root, and what it holds. */
static struct dirent *next_device(DIR *d)
{
    char node[NODE_BYTES];
    size_t fixed = 0;

    if (d->prefix[0] == 0)
        return d->dev++ == 0 ? dir_entry(d, "dev", DT_DIR) : NULL;
    if (strcmp(d->prefix, "dev/") != 0)
        return NULL;
    if (device_name(d->dev) != NULL)
        return dir_entry(d, device_name(d->dev++), DT_CHR);
    while (device_name(fixed) != NULL)
        fixed++;
    if (!node_name(d->dev - fixed, node))
        return NULL;
    d->dev++;
    return dir_entry(d, node, DT_CHR);
}

struct dirent *readdir(DIR *d)
{
    size_t n = strlen(d->prefix);

    while (d->next < entry_count && strncmp(entries[d->next].path, d->prefix, n) == 0) {
        const struct entry *e = &entries[d->next++];
        const char *name = e->path + n;
        size_t len = strcspn(name, "/");
        /* What lies deeper shows its first component, once. */
        if (len == 0 || len > MAXNAMLEN || (strncmp(d->d.d_name, name, len) == 0 && d->d.d_name[len] == 0))
            continue;
        memcpy(d->d.d_name, name, len);
        d->d.d_name[len] = 0;
        d->d.d_type = e->is_dir || name[len] == '/' ? DT_DIR : DT_REG;
        d->d.d_ino = (ino_t)(e - entries + 2);
        return &d->d;
    }
    return next_device(d);
}

void rewinddir(DIR *d)
{
    d->d.d_name[0] = 0;
    d->dev = 0;
    d->next = lower_bound(d->prefix);
}

int closedir(DIR *d)
{
    free(d);
    return 0;
}

/* --- the working directory --- */

int chdir(const char *path)
{
    char clean[PATH_BYTES];
    int r = path_clean(path, clean);
    if (r == 0)
        r = index_once();
    if (r == 0 && !is_dir(clean))
        r = find(clean) != NULL ? -ENOTDIR : -ENOENT;
    if (r == 0)
        strcpy(cwd, clean);
    return (int)__libc_result(r);
}

char *getcwd(char *buf, size_t size)
{
    size_t need = strlen(cwd) + 2;
    if (buf == NULL && (buf = malloc(size > need ? size : (size = need))) == NULL)
        return NULL;
    if (size < need) {
        errno = ERANGE;
        return NULL;
    }
    buf[0] = '/';
    strcpy(buf + 1, cwd);
    return buf;
}
