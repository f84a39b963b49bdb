/* SPDX-License-Identifier: MIT
 *
 * slipway/ustar.h: walk a ustar archive in memory (POSIX.1-1988, ustar
 * interchange format). Shared by the kernel (initrd) and libc (open, readdir).
 *
 * Owns: bounds and checksum checks; never reads outside [base, base+bytes).
 */
#ifndef SLIPWAY_USTAR_H
#define SLIPWAY_USTAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USTAR_BLOCK 512u
#define USTAR_PATH_MAX 256

struct ustar_file {
    char path[USTAR_PATH_MAX]; /* no leading "./" or "/", no trailing "/" */
    const uint8_t *data;
    size_t bytes;
    bool is_dir;
    uint64_t mtime; /* seconds since 1970 */
};

/* Octal field; false when it holds anything but octal digits, blanks, NULs. */
static inline bool ustar_octal(const uint8_t *p, size_t n, uint64_t *out)
{
    uint64_t v = 0;
    size_t i = 0;
    while (i < n && p[i] == ' ')
        i++;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
        v = v * 8 + (uint64_t)(p[i] - '0');
    for (; i < n; i++)
        if (p[i] != ' ' && p[i] != 0)
            return false;
    *out = v;
    return true;
}

/* Read the entry at *offset and step past it. Returns 1 for an entry, 0 at the
 * end of the archive, -1 for a broken one (*offset then names the place). */
static inline int ustar_next(const void *base, size_t bytes, size_t *offset, struct ustar_file *f)
{
    const uint8_t *h = (const uint8_t *)base + *offset;
    uint64_t size, sum, mtime, have = 0;
    size_t n = 0;

    if (*offset > bytes || bytes - *offset < USTAR_BLOCK)
        return *offset == bytes ? 0 : -1;
    if (h[0] == 0)
        return 0;
    if (h[257] != 'u' || h[258] != 's' || h[259] != 't' || h[260] != 'a' || h[261] != 'r')
        return -1;
    for (size_t i = 0; i < USTAR_BLOCK; i++)
        have += (i >= 148 && i < 156) ? ' ' : h[i];
    if (!ustar_octal(h + 148, 8, &sum) || sum != have || !ustar_octal(h + 124, 12, &size) ||
        !ustar_octal(h + 136, 12, &mtime))
        return -1;
    if (size > bytes - *offset - USTAR_BLOCK) /* C-BOOT-3 */
        return -1;
    if (h[345] != 0) { /* prefix / name */
        for (size_t i = 0; i < 155 && h[345 + i] != 0; i++)
            f->path[n++] = (char)h[345 + i];
        f->path[n++] = '/';
    }
    for (size_t i = 0; i < 100 && h[i] != 0; i++) /* at most 155 + 1 + 100 = 256 */
        if (n < USTAR_PATH_MAX - 1)
            f->path[n++] = (char)h[i];
    f->path[n] = 0;
    f->is_dir = h[156] == '5';
    while (n > 0 && f->path[n - 1] == '/')
        f->path[--n] = 0;
    size_t skip = 0;
    while (f->path[skip] == '/' || (f->path[skip] == '.' && (f->path[skip + 1] == '/' || f->path[skip + 1] == 0)))
        skip++;
    for (size_t i = 0; i + skip <= n; i++)
        f->path[i] = f->path[i + skip];
    f->data = h + USTAR_BLOCK;
    f->bytes = f->is_dir ? 0 : (size_t)size;
    f->mtime = mtime;
    uint64_t padded = (size + USTAR_BLOCK - 1) / USTAR_BLOCK * USTAR_BLOCK;
    uint64_t next = (uint64_t)*offset + USTAR_BLOCK + padded;
    *offset = next > bytes ? bytes : (size_t)next;
    return 1;
}

#endif
