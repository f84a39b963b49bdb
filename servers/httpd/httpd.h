/* SPDX-License-Identifier: MIT
 *
 * servers/httpd/httpd.h: the web server's own pieces.
 *
 *   main.c    event loop and connections
 *   files.c   what a URL path means
 *   http.c    requests (pure)
 *   status.c  the live pages: /status, /status.json, /metrics
 */
#ifndef SERVERS_HTTPD_HTTPD_H
#define SERVERS_HTTPD_HTTPD_H

#include <stddef.h>
#include <stdint.h>

struct httpd_counters {
    uint64_t requests, connections, refused, timeouts;
};
extern struct httpd_counters httpd_counters;

/* Build a live page. Returns memory from malloc (the caller frees it) and its
 * length and type, or NULL when `path` is none of them or memory is out. */
char *status_page(const char *path, size_t *len, const char **type);
int status_is_page(const char *path);

#endif
