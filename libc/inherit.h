/* SPDX-License-Identifier: MIT
 *
 * libc/inherit.h: what one program hands to the next, in the bytes that spawn and
 * exec pass along: a head, then items.
 *
 * Owns: their form, and struct plan: descriptors as a child is to have them.
 * Context: any thread.
 */
#ifndef LIBC_INHERIT_H
#define LIBC_INHERIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INHERIT_MAGIC 0x31776c53u /* "Slw1": another form gets another number */

enum inherit_kind {
    INHERIT_FILE = 1, /* path and offset */
    INHERIT_DEVICE,   /* name in path; the console's handle */
    INHERIT_PIPE,     /* handle */
    INHERIT_SAME,     /* handle: number of an earlier item, whose file this descriptor shares */
    INHERIT_SOCKET, /* handle: memory object with the record of a socket that moves (sockmove.c) */
    INHERIT_CHILD,    /* fd: pid; handle: its process */
    INHERIT_PAIR,     /* handle to read from; offset: type of socket, and below it the handle to write to */
};

struct inherit_head {
    uint32_t magic, bytes; /* of all */
    uint32_t ignored, mask; /* signals */
    uint32_t count, pad;
};
struct inherit_item {
    int32_t fd;
    uint16_t kind;
    uint16_t path_bytes; /* that follow the item: a string, filled up to a multiple of 8 */
    int32_t handle;
    uint32_t flags; /* O_* */
    int64_t offset;
};

extern const struct inherit_head *__libc_inherited; /* NULL: nothing (start.c) */

/* The item at *off (0 at first), which moves on; NULL at the end. Its path is a string. */
const struct inherit_item *inherit_next(const struct inherit_head *h, size_t *off);

struct file;
struct plan {
    struct plan_fd {
        int fd;
        bool cloexec;
        bool moves; /* a socket that the child gets; `packed` is its memory object, -1 before that */
        int packed;
        struct file *f; /* a reference */
    } *v;
    size_t n, room;
};
int plan_of_table(struct plan *p); /* all descriptors; 0 or -ENOMEM */
struct plan_fd *plan_find(struct plan *p, int fd);
int plan_put(struct plan *p, int fd, struct file *f, bool cloexec); /* takes f over, also when it fails */
void plan_drop(struct plan *p, int fd);
void plan_free(struct plan *p);

/* The bytes for a child. For a spawn, handles are passed in a list and known to
 * the child by their place in it; for an exec (list NULL) they stay what they are. */
struct inherit_out {
    uint8_t *buf;
    size_t bytes, room;
    int32_t *list;
    uint32_t nlist, list_max;
};
int plan_write(const struct plan *p, struct inherit_out *o, uint32_t ignored, uint32_t mask);
/* For an exec: children to wait for. */
int inherit_child(struct inherit_out *o, int pid, int handle);
int __libc_children_write(struct inherit_out *o);

/* The handles of files that a child does not get, for exec to close; how many. */
size_t plan_left_out(const struct plan *p, int32_t *handles, size_t max);

#endif
