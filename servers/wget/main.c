/* SPDX-License-Identifier: MIT
 *
 * servers/wget/main.c: fetch one page by HTTP/1.1 and print it, or say what it
 * was:
 *
 *   wget [-s] http://HOST[:PORT]/PATH
 *
 * -s prints length and SHA-256 of the body instead of the body. Redirects are not
 * followed; a status other than 200 is an error, and its page is still printed.
 */
#include "sha256.h"
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define HEADER_MAX   8192
#define WAIT_SECONDS 60 /* without a byte */

struct url {
    char host[128], port[6], path[512];
    bool literal; /* an IPv6 address in brackets */
};

static int complain(const char *what, const char *why)
{
    fprintf(stderr, "wget: %s: %s\n", what, why);
    return 1;
}

static bool parse_url(const char *text, struct url *u)
{
    const char *p = text, *end, *colon;

    if (strncmp(p, "http://", 7) == 0)
        p += 7;
    else if (strstr(p, "://") != NULL)
        return false;
    end = p + strcspn(p, "/");
    const char *host_end = *p == '[' ? memchr(p, ']', (size_t)(end - p)) : NULL; /* RFC 3986 3.2.2 */
    u->literal = host_end != NULL;
    colon = memchr(u->literal ? host_end : p, ':', (size_t)(end - (u->literal ? host_end : p)));
    if (!u->literal)
        host_end = colon != NULL ? colon : end;
    else if (++p, colon != host_end + 1 && host_end + 1 != end)
        return false;
    if (host_end == p || (size_t)(host_end - p) >= sizeof u->host || strlen(end) >= sizeof u->path ||
        (colon != NULL && (end - colon < 2 || (size_t)(end - colon) > sizeof u->port)))
        return false;
    snprintf(u->host, sizeof u->host, "%.*s", (int)(host_end - p), p);
    snprintf(u->port, sizeof u->port, "%.*s", colon != NULL ? (int)(end - colon - 1) : 2,
             colon != NULL ? colon + 1 : "80");
    snprintf(u->path, sizeof u->path, "%s", *end != 0 ? end : "/");
    return true;
}

static int open_host(const struct url *u)
{
    struct addrinfo hints = {.ai_flags = AI_ADDRCONFIG, .ai_socktype = SOCK_STREAM}, *list;
    struct timeval limit = {.tv_sec = WAIT_SECONDS};
    int e = getaddrinfo(u->host, u->port, &hints, &list), s = -1;

    if (e != 0) {
        complain(u->host, gai_strerror(e));
        return -1;
    }
    for (struct addrinfo *a = list; a != NULL && s < 0; a = a->ai_next) {
        s = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (s >= 0 && connect(s, a->ai_addr, a->ai_addrlen) != 0) {
            e = errno;
            close(s);
            errno = e;
            s = -1;
        }
    }
    freeaddrinfo(list);
    if (s < 0) {
        complain(u->host, strerror(errno));
        return -1;
    }
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    return s;
}

static bool send_request(int s, const struct url *u)
{
    char text[sizeof u->host + sizeof u->path + 128];
    int n =
        snprintf(text, sizeof text,
                 "GET %s HTTP/1.1\r\nHost: %s%s%s:%s\r\nUser-Agent: slipway-wget\r\nConnection: close\r\n\r\n",
                 u->path, u->literal ? "[" : "", u->host, u->literal ? "]" : "", u->port);

    for (int at = 0; at < n;) {
        ssize_t w = send(s, text + at, (size_t)(n - at), 0);
        if (w < 0)
            return false;
        at += (int)w;
    }
    return true;
}

/* Reads up to the empty line. Returns the header's length in buf, 0 on failure;
 * *have: all that was read. */
static size_t read_header(int s, char *buf, size_t *have)
{
    for (*have = 0; *have < HEADER_MAX;) {
        ssize_t n = recv(s, buf + *have, HEADER_MAX - *have, 0);
        if (n <= 0)
            return 0;
        *have += (size_t)n;
        buf[*have] = 0;
        char *end = strstr(buf, "\r\n\r\n");
        if (end != NULL)
            return (size_t)(end - buf) + 4;
    }
    errno = EMSGSIZE;
    return 0;
}

/* The value of a header field, or NULL. The header ends with NUL here. */
static const char *field(const char *header, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = strstr(header, "\r\n"); p != NULL; p = strstr(p, "\r\n")) {
        p += 2;
        if (strncasecmp(p, name, n) == 0 && p[n] == ':')
            return p + n + 1 + strspn(p + n + 1, " \t");
    }
    return NULL;
}

struct body {
    bool sum;
    struct sha256 hash;
    unsigned long long bytes;
};

static void take(struct body *b, const char *p, size_t n)
{
    b->bytes += n;
    if (b->sum)
        sha256_add(&b->hash, p, n);
    else
        fwrite(p, 1, n, stdout);
}

/* To the end of the connection; with a length, not beyond it. -1: broken off. */
static int read_body(int s, struct body *b, const char *first, size_t have, const char *length)
{
    unsigned long long want = length != NULL ? strtoull(length, NULL, 10) : ~0ull;
    static char buf[16384];
    ssize_t n = 0;

    take(b, first, have < want ? have : (size_t)want);
    while (b->bytes < want && (n = recv(s, buf, sizeof buf, 0)) > 0)
        take(b, buf, (unsigned long long)n < want - b->bytes ? (size_t)n : (size_t)(want - b->bytes));
    if (n < 0)
        return -1;
    errno = EPIPE;
    return length != NULL && b->bytes < want ? -1 : 0;
}

static void say_sum(struct body *b)
{
    uint8_t digest[32];

    sha256_end(&b->hash, digest);
    printf("%llu bytes, sha256 ", b->bytes);
    for (unsigned i = 0; i < sizeof digest; i++)
        printf("%02x", digest[i]);
    putchar('\n');
}

int main(int argc, char **argv)
{
    static char header[HEADER_MAX + 1];
    struct body b = {.sum = argc == 3 && strcmp(argv[1], "-s") == 0};
    struct url u;
    size_t have = 0, len = 0;
    int s;

    if (argc != (b.sum ? 3 : 2) || !parse_url(argv[argc - 1], &u)) {
        fputs("usage: wget [-s] http://HOST[:PORT]/PATH\n", stderr);
        return 2;
    }
    s = open_host(&u);
    if (s < 0)
        return 1;
    errno = 0;
    if (!send_request(s, &u) || (len = read_header(s, header, &have)) == 0)
        return complain(u.host, errno != 0 ? strerror(errno) : "no answer");
    char after = header[len - 2];
    header[len - 2] = 0;
    int status = strncmp(header, "HTTP/1.", 7) == 0 ? atoi(header + 8) : 0;
    const char *length = field(header, "Content-Length");
    if (status == 0 || field(header, "Transfer-Encoding") != NULL)
        return complain(u.host, "an answer that wget does not understand");
    sha256_init(&b.hash);
    header[len - 2] = after;
    int r = read_body(s, &b, header + len, have - len, length);
    if (b.sum)
        say_sum(&b);
    if (r < 0)
        return complain(u.host, strerror(errno));
    if (status != 200) {
        fprintf(stderr, "wget: status %d\n", status);
        return 1;
    }
    return 0;
}
