/* SPDX-License-Identifier: MIT
 *
 * libc/devnode.c: the devices' nodes: /dev/net0, /dev/block0, /dev/fb0.
 *
 * A node is a description: reading it gives a line of text, ioctl the structures of
 * slipway/syscall.h. Packets go through sockets, and pixels through
 * sys_framebuffer_open(). Context: any thread.
 */
#include "fd.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct node_file {
    struct file f;
    struct info_device device;
    char text[192];
    size_t bytes, pos;
    libc_lock lock;
};

static ssize_t node_read(struct file *f, void *buf, size_t n)
{
    struct node_file *d = (struct node_file *)f;

    libc_lock_take(&d->lock);
    if (n > d->bytes - d->pos)
        n = d->bytes - d->pos;
    memcpy(buf, d->text + d->pos, n);
    d->pos += n;
    libc_lock_drop(&d->lock);
    return (ssize_t)n;
}

static int node_stat(struct file *f, struct stat *st)
{
    (void)f;
    st->st_mode = S_IFCHR | 0400;
    st->st_blksize = 1024;
    return 0;
}

static int node_ioctl(struct file *f, unsigned long request, void *arg)
{
    struct node_file *d = (struct node_file *)f;
    int64_t r;

    if (request == SLIPWAY_IOC_DEVICE) {
        *(struct info_device *)arg = d->device;
        return 0;
    }
    if (request != SLIPWAY_IOC_SCREEN || strcmp(d->device.node, "fb0") != 0)
        return -ENOTTY;
    r = sys_info(INFO_SCREEN, 0, arg, sizeof(struct info_screen));
    return r < 0 ? (int)r : r == 0 ? -ENODEV : 0;
}

static void node_close(struct file *f)
{
    free(f);
}

static const struct file_ops node_ops = {
    .kind = FILE_NODE,
    .read = node_read,
    .stat = node_stat,
    .ioctl = node_ioctl,
    .close = node_close,
};

static void describe(struct node_file *d)
{
    const struct info_device *i = &d->device;
    struct info_screen s;
    int n = snprintf(d->text, sizeof d->text, "%.16s: %.28s, driver %.16s", i->node, i->class_name,
                     i->driver[0] != 0 ? i->driver : "none");

    if (i->vendor != 0xffff)
        n += snprintf(d->text + n, sizeof d->text - (size_t)n, ", %04x:%04x at %02x:%02x.%x", i->vendor, i->product,
                      i->bus, i->device, i->function);
    if (strncmp(i->node, "net", 3) == 0)
        n += snprintf(d->text + n, sizeof d->text - (size_t)n, ", %02x:%02x:%02x:%02x:%02x:%02x, link %s", i->mac[0],
                      i->mac[1], i->mac[2], i->mac[3], i->mac[4], i->mac[5], i->link_up ? "up" : "down");
    if (strcmp(i->node, "fb0") == 0 && sys_info(INFO_SCREEN, 0, &s, sizeof s) > 0)
        n += snprintf(d->text + n, sizeof d->text - (size_t)n, ", %ux%u pixels of %u bits", (unsigned)s.width,
                      (unsigned)s.height, (unsigned)s.pixel_bits);
    n += snprintf(d->text + n, sizeof d->text - (size_t)n, "\n");
    d->bytes = (size_t)n;
}

int file_open_node(const char *name, int flags, struct file **out)
{
    struct node_file *d;

    if ((flags & O_ACCMODE) != O_RDONLY)
        return -EACCES;
    d = calloc(1, sizeof *d);
    if (d == NULL)
        return -ENOMEM;
    for (uint64_t i = 0; sys_info(INFO_DEVICE, i, &d->device, sizeof d->device) > 0; i++) {
        if (name[0] == 0 || strncmp(d->device.node, name, sizeof d->device.node) != 0)
            continue;
        d->f.ops = &node_ops;
        d->f.refs = 1;
        d->f.flags = flags & (O_ACCMODE | O_NONBLOCK);
        describe(d);
        *out = &d->f;
        return 0;
    }
    free(d);
    return -ENOENT;
}

bool node_name(size_t index, char name[NODE_BYTES])
{
    struct info_device d;

    for (uint64_t i = 0; sys_info(INFO_DEVICE, i, &d, sizeof d) > 0; i++) {
        if (d.node[0] == 0 || index-- > 0)
            continue;
        memcpy(name, d.node, sizeof d.node);
        name[sizeof d.node] = 0;
        return true;
    }
    return false;
}
