/* SPDX-License-Identifier: MIT
 *
 * servers/httpd/files.c: see servers/httpd/files.h.
 */
#include "files.h"
#include <slipway/sys.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CACHE 64 /* a power of two */

static struct file cache[CACHE];
static const char *root;

void files_init(const char *dir)
{
    root = dir;
}

/* FNV-1a; returns the length by the way. */
static size_t hash(const char *s, uint32_t *h)
{
    size_t n = 0;
    for (*h = 2166136261u; s[n]; n++)
        *h = (*h ^ (uint8_t)s[n]) * 16777619u;
    return n;
}

static void look_up(struct file *f, const char *path, size_t len)
{
    char full[HTTP_PATH_MAX + 64], date[30];
    struct stat st;

    memset(f, 0, offsetof(struct file, fields));
    memcpy(f->path, path, len + 1);
    snprintf(full, sizeof(full), "%s%s%s", root, path, path[len - 1] == '/' ? "index.html" : "");
    f->data = initrd_map_file(full, &f->size);
    if (!f->data) {
        f->kind = stat(full, &st) == 0 && S_ISDIR(st.st_mode) ? FILE_FOLDER : FILE_NONE;
        return;
    }
    f->kind = FILE_DATA;
    f->type = http_content_type(full);
    int n = snprintf(f->fields, sizeof(f->fields), "Content-Type: %s\r\nAccept-Ranges: bytes\r\n", f->type);
    if (stat(full, &st) == 0 && st.st_mtime > 0) {
        f->mtime = (uint64_t)st.st_mtime;
        http_date(f->mtime, date);
        n += snprintf(f->fields + n, sizeof(f->fields) - (size_t)n, "Last-Modified: %s\r\n", date);
    }
    f->fields_len = (size_t)n;
}

const struct file *files_find(const char *path)
{
    uint32_t h;
    size_t len = hash(path, &h);
    struct file *f = &cache[(h ^ h >> 16) & (CACHE - 1)];
    if (memcmp(f->path, path, len + 1) != 0)
        look_up(f, path, len);
    return f;
}
