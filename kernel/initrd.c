/* SPDX-License-Identifier: MIT
 *
 * kernel/initrd.c: files of the archive that GRUB loaded as a module.
 *
 * Owns: the archive's place and its memory object. The archive is checked from
 * one end to the other before anything in it is believed. Context: thread.
 */
#include <kernel/boot_info.h>
#include <kernel/initrd.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/string.h>
#include <slipway/errno.h>
#include <slipway/ustar.h>

static const uint8_t *archive;
static size_t archive_bytes;
static struct memobj *archive_object;

int initrd_init(const struct boot_info *bi)
{
    const uint8_t *base = phys_to_virt(bi->initrd_base);
    struct ustar_file f;
    size_t at = 0;
    unsigned files = 0;
    int r;

    if (bi->initrd_bytes == 0) {
        klog(LOG_ERROR, "no initrd: boot with \"module2 /boot/initrd.tar\" in grub.cfg");
        return -ENOENT;
    }
    if ((bi->initrd_base & (PAGE_SIZE - 1)) != 0) {
        klog(LOG_ERROR, "initrd: the boot loader put it at %#lx, which is not page-aligned", bi->initrd_base);
        return -EINVAL;
    }
    while ((r = ustar_next(base, bi->initrd_bytes, &at, &f)) > 0)
        files += !f.is_dir;
    if (r < 0) {
        klog(LOG_ERROR, "initrd: broken at byte %zu of %lu: not a ustar header, or cut short", at,
             bi->initrd_bytes);
        return -EINVAL;
    }
    archive_object = memobj_wrap(bi->initrd_base, bi->initrd_bytes);
    if (archive_object == NULL)
        return -ENOMEM;
    archive = base;
    archive_bytes = bi->initrd_bytes;
    klog(LOG_INFO, "initrd: %u files, %lu KiB", files, bi->initrd_bytes >> 10);
    return 0;
}

const void *initrd_find(const char *path, size_t *bytes)
{
    struct ustar_file f;
    size_t at = 0;

    while (*path == '/')
        path++;
    while (archive != NULL && ustar_next(archive, archive_bytes, &at, &f) > 0) {
        if (!f.is_dir && strcmp(f.path, path) == 0) {
            *bytes = f.bytes;
            return f.data;
        }
    }
    return NULL;
}

struct memobj *initrd_memobj(void)
{
    return archive_object;
}
