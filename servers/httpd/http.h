/* SPDX-License-Identifier: MIT
 *
 * servers/httpd/http.h: HTTP/1.1 requests (RFC 9110, RFC 9112).
 *
 * Owns: the parser of one request head and the texts of status codes. Pure
 * code, tested and fuzzed on the host. Nothing outside the given bytes is read.
 */
#ifndef SERVERS_HTTPD_HTTP_H
#define SERVERS_HTTPD_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX 8192 /* a longer request head is answered with 431 */
#define HTTP_PATH_MAX 256

enum http_method { HTTP_GET = 1, HTTP_HEAD };

struct http_range {
    bool present;
    bool suffix;          /* bytes=-N: the last `first` bytes */
    bool open_end;        /* bytes=N- */
    uint64_t first, last; /* inclusive */
};

struct http_request {
    enum http_method method;
    char path[HTTP_PATH_MAX]; /* decoded, starts with '/', no ".." segment, no query */
    bool keep_alive;
    bool has_body;            /* the request announces a body: close after the answer */
    struct http_range range;
    uint64_t if_modified_since; /* seconds since 1970, 0 for none */
};

/* Parse the head at buf[0..len). Returns the number of bytes of the head when
 * it is complete and good; 0 when more bytes are needed; minus a status code
 * (-400, -405, -414, -431, -501, -505) when it is to be refused. */
int http_parse(const char *buf, size_t len, struct http_request *r);

const char *http_reason(int status);
const char *http_content_type(const char *path);
/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7); buf holds 30 bytes. */
void http_date(uint64_t seconds, char buf[30]);
/* The reverse; 0 when it is not in that form. */
uint64_t http_parse_date(const char *s, size_t len);

/* Apply a range to a file of `size` bytes. Returns 200 (no range), 206 with
 * *from and *count, or 416. */
int http_apply_range(const struct http_range *r, uint64_t size, uint64_t *from, uint64_t *count);

#endif
