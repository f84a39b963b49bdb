/* SPDX-License-Identifier: MIT
 *
 * servers/httpd/files.h: the files that are served.
 *
 * Owns: a cache of what a URL path means. The initrd never changes while the
 * system runs, so an entry stays right for ever; a full cache makes room by
 * overwriting.
 */
#ifndef SERVERS_HTTPD_FILES_H
#define SERVERS_HTTPD_FILES_H

#include "http.h"

enum file_kind { FILE_NONE = 0, FILE_DATA, FILE_FOLDER };

struct file {
    enum file_kind kind;
    char path[HTTP_PATH_MAX]; /* as in the URL */
    const char *data;
    size_t size;
    uint64_t mtime;           /* seconds since 1970, 0 unknown */
    const char *type;
    char fields[160];         /* Content-Type, Accept-Ranges, Last-Modified */
    size_t fields_len;
};

void files_init(const char *root);
/* Never NULL; kind FILE_NONE when there is nothing under this path. Good until
 * the next call. */
const struct file *files_find(const char *path);

#endif
