/* SPDX-License-Identifier: MIT
 *
 * libc/inherit.c: descriptors across spawn and exec.
 *
 * Owns: writing the descriptor table down and making it again. Called by: spawn.c,
 * exec.c, and fd.c when a program first uses a descriptor. Context: any thread.
 *
 * Files of the initrd go with their path and offset (the offset is not shared
 * afterwards), devices by name, pipes by their handles. Two descriptors of one
 * file stay two of one file. A socket goes only where spawn was told to move it. What
 * cannot be handed on (other sockets, directories being
 * read, bare handles) is closed in the new program.
 */
#include "inherit.h"
#include "fd.h"
#include "net.h"
#include <errno.h>
#include <fcntl.h>
#include <slipway/syscall.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#pragma weak __libc_socket_unpack

/* --- plans --- */

struct plan_fd *plan_find(struct plan *p, int fd)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].fd == fd)
            return &p->v[i];
    return NULL;
}

void plan_drop(struct plan *p, int fd)
{
    struct plan_fd *at = plan_find(p, fd);
    if (at == NULL)
        return;
    fd_put(at->f);
    *at = p->v[--p->n];
}

int plan_put(struct plan *p, int fd, struct file *f, bool cloexec)
{
    plan_drop(p, fd);
    if (p->n == p->room) {
        size_t room = p->room == 0 ? 16 : p->room * 2;
        struct plan_fd *more = realloc(p->v, room * sizeof *more);
        if (more == NULL) {
            fd_put(f);
            return -ENOMEM;
        }
        p->v = more;
        p->room = room;
    }
    p->v[p->n++] = (struct plan_fd){.fd = fd, .cloexec = cloexec, .packed = -1, .f = f};
    return 0;
}

int plan_of_table(struct plan *p)
{
    *p = (struct plan){0};
    for (int fd = 0; fd < FD_MAX; fd++) {
        fd_lock_take();
        bool none = __fd_chunks[fd / FD_CHUNK] == NULL;
        struct file *f = fd_peek(fd);
        bool cloexec = f != NULL && fd_cloexec(fd);
        if (f != NULL)
            __atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED);
        fd_lock_drop();
        if (none)
            fd |= FD_CHUNK - 1;
        if (f != NULL && plan_put(p, fd, f, cloexec) < 0) {
            plan_free(p);
            return -ENOMEM;
        }
    }
    return 0;
}

void plan_free(struct plan *p)
{
    while (p->n > 0)
        fd_put(p->v[--p->n].f);
    free(p->v);
    *p = (struct plan){0};
}

/* --- writing --- */

static int add(struct inherit_out *o, struct inherit_item it, const char *path)
{
    size_t len = path != NULL ? strlen(path) + 1 : 0, padded = (len + 7) & ~(size_t)7;

    if (o->bytes + sizeof it + padded > o->room)
        return -E2BIG;
    it.path_bytes = (uint16_t)padded;
    memcpy(o->buf + o->bytes, &it, sizeof it);
    o->bytes += sizeof it;
    memset(o->buf + o->bytes, 0, padded);
    if (len > 0)
        memcpy(o->buf + o->bytes, path, len);
    o->bytes += padded;
    ((struct inherit_head *)o->buf)->count++;
    return 0;
}

/* How the child knows this handle; -EMFILE when the list is full. */
static int handle_out(struct inherit_out *o, int handle)
{
    if (o->list == NULL)
        return handle;
    for (uint32_t i = 0; i < o->nlist; i++)
        if (o->list[i] == handle)
            return (int)i;
    if (o->nlist == o->list_max)
        return -EMFILE;
    o->list[o->nlist] = handle;
    return (int)o->nlist++;
}

static int pair_handle_out(struct inherit_out *o, int handle)
{
    return handle < 0 ? -1 : handle_out(o, handle);
}

static bool goes_along(const struct plan_fd *at)
{
    enum file_kind k = at->f->ops->kind;
    if (k == FILE_SOCKET)
        return at->moves;
    return !at->cloexec && k != FILE_DIR && k != FILE_HANDLE &&
           (k == FILE_INITRD || k == FILE_PIPE || k == FILE_PAIR || file_device_name(at->f) != NULL);
}

static int write_file(struct inherit_out *o, const struct plan_fd *at)
{
    struct file *f = at->f;
    struct inherit_item it = {.fd = at->fd, .handle = -1, .flags = (uint32_t)f->flags};

    switch (f->ops->kind) {
    case FILE_INITRD:
        it.kind = INHERIT_FILE;
        it.offset = f->ops->seek(f, 0, SEEK_CUR);
        return add(o, it, file_initrd_path(f));
    case FILE_PIPE:
        it.kind = INHERIT_PIPE;
        it.handle = handle_out(o, f->ops->handle(f));
        return it.handle < 0 ? it.handle : add(o, it, NULL);
    case FILE_PAIR:
        it.kind = INHERIT_PAIR;
        it.handle = pair_handle_out(o, f->ops->handle(f));
        it.offset = pair_handle_out(o, f->ops->handle_out(f));
        if (it.handle == -EMFILE || it.offset == -EMFILE)
            return -EMFILE;
        it.offset = (int64_t)file_pair_type(f) << 32 | (uint32_t)it.offset;
        return add(o, it, NULL);
    case FILE_SOCKET:
        it.kind = INHERIT_SOCKET;
        it.handle = handle_out(o, at->packed);
        return it.handle < 0 ? it.handle : add(o, it, NULL);
    default:
        it.kind = INHERIT_DEVICE;
        if (f->ops->kind == FILE_CONSOLE)
            it.handle = handle_out(o, file_console_handle());
        return it.handle < -1 ? it.handle : add(o, it, file_device_name(f));
    }
}

/* The number of the item that an earlier descriptor of the same file made, or -1. */
static int same_as(const struct plan *p, size_t i)
{
    int item = 0;
    for (size_t k = 0; k < i; k++) {
        if (!goes_along(&p->v[k]))
            continue;
        if (p->v[k].f == p->v[i].f)
            return item;
        item++;
    }
    return -1;
}

int plan_write(const struct plan *p, struct inherit_out *o, uint32_t ignored, uint32_t mask)
{
    struct inherit_head h = {.magic = INHERIT_MAGIC, .ignored = ignored, .mask = mask};
    int r = 0;

    memcpy(o->buf, &h, sizeof h);
    o->bytes = sizeof h;
    for (size_t i = 0; i < p->n && r == 0; i++) {
        int same = same_as(p, i);
        if (!goes_along(&p->v[i]))
            continue;
        if (same >= 0)
            r = add(o, (struct inherit_item){.fd = p->v[i].fd, .kind = INHERIT_SAME, .handle = same}, NULL);
        else
            r = write_file(o, &p->v[i]);
    }
    ((struct inherit_head *)o->buf)->bytes = (uint32_t)o->bytes;
    return r;
}

int inherit_child(struct inherit_out *o, int pid, int handle)
{
    int r = add(o, (struct inherit_item){.fd = pid, .kind = INHERIT_CHILD, .handle = handle}, NULL);
    ((struct inherit_head *)o->buf)->bytes = (uint32_t)o->bytes;
    return r;
}

static bool kept(const struct plan *p, const struct file *f)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].f == f && goes_along(&p->v[i]))
            return true;
    return false;
}

size_t plan_left_out(const struct plan *p, int32_t *handles, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n && n < max; i++) {
        struct file *f = p->v[i].f;
        if ((f->ops->kind == FILE_PIPE || f->ops->kind == FILE_HANDLE) && !kept(p, f))
            handles[n++] = f->ops->handle(f);
        if (f->ops->kind == FILE_PAIR && !kept(p, f) && n + 2 <= max) {
            if (f->ops->handle(f) >= 0)
                handles[n++] = f->ops->handle(f);
            if (f->ops->handle_out(f) >= 0)
                handles[n++] = f->ops->handle_out(f);
        }
    }
    return n;
}

/* --- reading: the lock of the table is held --- */

static struct file *make(const struct inherit_item *it, const char *path, struct file **made)
{
    struct file *f = NULL;

    switch (it->kind) {
    case INHERIT_FILE:
        if (file_open_initrd(path, (int)it->flags, &f) == 0 && f->ops->seek != NULL)
            f->ops->seek(f, it->offset, SEEK_SET);
        break;
    case INHERIT_DEVICE:
        if (it->handle >= 0)
            file_console_adopt(it->handle);
        file_open_device(path, (int)it->flags, &f);
        break;
    case INHERIT_PIPE:
        file_of_pipe(it->handle, (int)it->flags, &f);
        break;
    case INHERIT_PAIR:
        file_of_pair(it->handle, (int)(int32_t)it->offset, (int)(it->offset >> 32), (int)it->flags, &f);
        break;
    case INHERIT_SOCKET: /* without sockets in the program it is lost, and its peer hears so */
        if (__libc_socket_unpack != NULL)
            __libc_socket_unpack(it->handle, (int)it->flags, &f);
        sys_handle_close(it->handle);
        break;
    case INHERIT_SAME:
        f = made[it->handle];
        if (f != NULL)
            f->refs++;
        break;
    }
    return f;
}

bool __libc_inherit_files(void)
{
    const struct inherit_head *h = __libc_inherited;
    const struct inherit_item *it;
    size_t off = 0;

    if (h == NULL)
        return false;
    struct file **made = calloc(h->count + 1, sizeof *made);
    if (made == NULL)
        return false;
    for (uint32_t i = 0; (it = inherit_next(h, &off)) != NULL && i < h->count; i++) {
        if (it->kind == INHERIT_SAME && (uint32_t)it->handle >= i)
            break;
        made[i] = make(it, (const char *)(it + 1), made);
        if (made[i] != NULL)
            fd_place(it->fd, made[i]);
    }
    free(made);
    return true;
}
