/* SPDX-License-Identifier: MIT
 *
 * servers/httpd/main.c: a web server for the files of the initrd.
 *
 * One thread, one poll loop, one small struct a connection. File contents are
 * sent straight from the mapped archive.
 *
 *   httpd [-r ROOT] [-p PORT]     default: -r /www -p 80
 */
#include "files.h"
#include "http.h"
#include "httpd.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <slipway/sys.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256
#define BACKLOG 128
#define IDLE_MS 60000u /* between requests */
#define STALL_MS 30000u /* within one */
#define STUCK_MS 5000u /* who takes nothing for so long makes room, if it must be */

struct httpd_counters httpd_counters;

struct connection {
    int fd;
    uint64_t deadline_ns;
    char in[HTTP_HEAD_MAX];
    size_t in_len;
    char head[2048]; /* answer head, and as much of the body as fits behind it */
    size_t head_len, head_sent;
    const char *body;
    size_t body_len, body_sent;
    char *owned;  /* body to free, when it is not a file */
    bool sending, close_after;
};

static struct connection *connections[CONNECTIONS_MAX];
static struct pollfd fds[CONNECTIONS_MAX + 1]; /* [0] listens, [i + 1] is connections[i] */
static unsigned nconnections;
static uint64_t now_ns;

/* --- answers --------------------------------------------------------------- */

static void put(struct connection *c, const char *text, size_t n)
{
    /* The head always fits: HTTP_PATH_MAX bounds its longest field. */
    if (n > sizeof(c->head) - c->head_len)
        n = sizeof(c->head) - c->head_len;
    memcpy(c->head + c->head_len, text, n);
    c->head_len += n;
}
#define PUT(c, literal) put(c, literal, sizeof(literal) - 1)

static void put_string(struct connection *c, const char *text)
{
    put(c, text, strlen(text));
}

static void put_number(struct connection *c, uint64_t n)
{
    char digits[20], *d = digits + sizeof(digits);
    do
        *--d = (char)('0' + n % 10);
    while (n /= 10);
    put(c, d, (size_t)(digits + sizeof(digits) - d));
}

/* "Date: ..." once a second; nothing while the clock is not set. */
static void put_date(struct connection *c)
{
    static char line[48];
    static size_t len;
    static uint64_t until_ns;
    struct timespec ts;

    if (now_ns >= until_ns) {
        len = 0;
        until_ns = now_ns + 1000000000;
        if (clock_gettime(CLOCK_REALTIME, &ts) == 0 && ts.tv_sec > 0) {
            memcpy(line, "Date: ", 6);
            http_date((uint64_t)ts.tv_sec, line + 6);
            memcpy(line + 35, "\r\n", 2);
            len = 37;
            until_ns -= (uint64_t)ts.tv_nsec;
        }
    }
    put(c, line, len);
}

/* Status line and the fields that every answer has; more fields may follow,
 * then finish_answer. */
static void begin_answer(struct connection *c, int status, const struct http_request *r)
{
    if (!r || !r->keep_alive || r->has_body)
        c->close_after = true;
    c->head_len = c->head_sent = 0;
    c->body_len = c->body_sent = 0;
    PUT(c, "HTTP/1.1 ");
    put_number(c, (uint64_t)status);
    PUT(c, " ");
    put_string(c, http_reason(status));
    PUT(c, "\r\nServer: slipway\r\n");
    put_date(c);
}

/* `length` is what Content-Length says; body is sent unless the method is HEAD. */
static void finish_answer(struct connection *c, const struct http_request *r, uint64_t length, const char *body)
{
    PUT(c, "Content-Length: ");
    put_number(c, length);
    if (c->close_after)
        PUT(c, "\r\nConnection: close\r\n\r\n");
    else
        PUT(c, "\r\nConnection: keep-alive\r\n\r\n");
    c->body = body;
    c->body_len = body && !(r && r->method == HTTP_HEAD) ? (size_t)length : 0;
    /* A small page goes out with its head: one send, one segment. */
    size_t room = sizeof(c->head) - c->head_len;
    c->body_sent = c->body_len < room ? c->body_len : room;
    if (c->body_sent)
        put(c, c->body, c->body_sent);
    c->sending = true;
    httpd_counters.requests++;
}

static void answer_error(struct connection *c, int status, const struct http_request *r)
{
    char text[160];
    int n = snprintf(text, sizeof(text), "<!doctype html><title>%d</title><h1>%d %s</h1>\n", status, status,
                     http_reason(status));
    begin_answer(c, status, r);
    PUT(c, "Content-Type: text/html; charset=utf-8\r\n");
    if (status == 405)
        PUT(c, "Allow: GET, HEAD\r\n");
    finish_answer(c, r, (uint64_t)n, text); /* short enough to be copied whole behind the head */
}

static void answer_status_page(struct connection *c, const struct http_request *r)
{
    const char *type;
    size_t len;
    c->owned = status_page(r->path, &len, &type);
    if (!c->owned) {
        answer_error(c, 503, r);
        return;
    }
    begin_answer(c, 200, r);
    PUT(c, "Cache-Control: no-store\r\nContent-Type: ");
    put_string(c, type);
    PUT(c, "\r\n");
    finish_answer(c, r, len, c->owned);
}

static void answer_redirect(struct connection *c, const struct http_request *r)
{
    begin_answer(c, 301, r);
    PUT(c, "Location: ");
    put_string(c, r->path);
    PUT(c, "/\r\n");
    finish_answer(c, r, 0, NULL);
}

static void answer_file(struct connection *c, const struct http_request *r, const struct file *f)
{
    uint64_t from, count;

    if (f->mtime && r->if_modified_since >= f->mtime) {
        begin_answer(c, 304, r);
        put(c, f->fields, f->fields_len);
        finish_answer(c, r, f->size, NULL);
        return;
    }
    int status = http_apply_range(&r->range, f->size, &from, &count);
    begin_answer(c, status, r);
    if (status != 200) {
        PUT(c, "Content-Range: bytes ");
        if (status == 206) {
            put_number(c, from);
            PUT(c, "-");
            put_number(c, from + count - 1);
        } else {
            PUT(c, "*");
            count = 0;
        }
        PUT(c, "/");
        put_number(c, f->size);
        PUT(c, "\r\n");
    }
    put(c, f->fields, f->fields_len);
    finish_answer(c, r, count, f->data + from);
}

static void answer(struct connection *c, const struct http_request *r)
{
    if (status_is_page(r->path)) {
        answer_status_page(c, r);
        return;
    }
    const struct file *f = files_find(r->path);
    if (f->kind == FILE_DATA)
        answer_file(c, r, f);
    else if (f->kind == FILE_FOLDER)
        answer_redirect(c, r);
    else
        answer_error(c, 404, r);
}

/* --- connections ----------------------------------------------------------- */

static void set_deadline(struct connection *c, uint32_t ms)
{
    c->deadline_ns = now_ns + ms * 1000000ull;
}

static void drop(unsigned i)
{
    close(connections[i]->fd);
    free(connections[i]->owned);
    free(connections[i]);
    nconnections--;
    connections[i] = connections[nconnections];
    fds[i + 1] = fds[nconnections + 1];
}

/* Push out what is there. Returns false when the connection is to be dropped. */
static bool push(struct connection *c)
{
    while (c->head_sent < c->head_len || c->body_sent < c->body_len) {
        bool head = c->head_sent < c->head_len;
        const char *p = head ? c->head + c->head_sent : c->body + c->body_sent;
        size_t n = head ? c->head_len - c->head_sent : c->body_len - c->body_sent;
        ssize_t r = send(c->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (r < 0)
            return errno == EAGAIN || errno == EINTR;
        if (head)
            c->head_sent += (size_t)r;
        else
            c->body_sent += (size_t)r;
        set_deadline(c, STALL_MS);
    }
    c->sending = false;
    free(c->owned);
    c->owned = NULL;
    c->body_len = 0;
    set_deadline(c, IDLE_MS);
    if (c->close_after) {
        /* What the client still sends would make the stack answer with RST and
         * could destroy the answer on its way (RFC 9112 section 9.6). */
        shutdown(c->fd, SHUT_WR);
    }
    return true;
}

/* Take requests from the buffer and answer them, one at a time. */
static bool serve(struct connection *c)
{
    while (!c->sending && !c->close_after && c->in_len > 0) {
        struct http_request r;
        int n = http_parse(c->in, c->in_len, &r);
        if (n == 0)
            return true;
        if (n < 0) {
            httpd_counters.refused++;
            answer_error(c, -n, NULL);
            c->in_len = 0;
        } else {
            c->in_len -= (size_t)n;
            if (c->in_len)
                memmove(c->in, c->in + n, c->in_len);
            answer(c, &r);
        }
        if (!push(c))
            return false;
    }
    return true;
}

static bool readable(struct connection *c)
{
    char scratch[512];
    bool discard = c->close_after;
    if (!discard && c->in_len == sizeof(c->in))
        return true; /* a full buffer is served before more is read */
    ssize_t n = recv(c->fd, discard ? scratch : c->in + c->in_len,
                     discard ? sizeof(scratch) : sizeof(c->in) - c->in_len, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        return false;
    if (n > 0 && !discard) {
        if (c->in_len == 0)
            set_deadline(c, STALL_MS);
        c->in_len += (size_t)n;
    }
    return serve(c);
}

/* The one that has kept its place the longest for nothing: it asks nothing, never ends
 * its question or does not take its answer. CONNECTIONS_MAX: each is busy. */
static unsigned idlest(void)
{
    uint64_t stuck_ns = now_ns + (STALL_MS - STUCK_MS) * 1000000ull;
    unsigned found = CONNECTIONS_MAX;

    for (unsigned i = 0; i < nconnections; i++)
        if ((!connections[i]->sending || connections[i]->deadline_ns <= stuck_ns) &&
            (found == CONNECTIONS_MAX || connections[i]->deadline_ns < connections[found]->deadline_ns))
            found = i;
    return found;
}

/* At the limit a new client takes the idlest one's place: who opens connections and says
 * nothing keeps nobody out. */
static bool make_room(void)
{
    unsigned i = idlest();

    if (nconnections < CONNECTIONS_MAX)
        return true;
    if (i == CONNECTIONS_MAX)
        return false;
    httpd_counters.timeouts++;
    drop(i);
    return true;
}

static void accept_all(int listener)
{
    for (int i = 0; i < BACKLOG && (nconnections < CONNECTIONS_MAX || idlest() < CONNECTIONS_MAX); i++) {
        int fd = accept(listener, NULL, NULL), on = 1;
        if (fd < 0)
            return;
        struct connection *c = make_room() ? calloc(1, sizeof(*c)) : NULL;
        if (!c) {
            httpd_counters.refused++;
            close(fd);
            return;
        }
        ioctl(fd, FIONBIO, &on);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        c->fd = fd;
        set_deadline(c, STALL_MS);
        connections[nconnections] = c;
        fds[nconnections + 1] = (struct pollfd){.fd = fd, .events = POLLIN};
        nconnections++;
        httpd_counters.connections++;
    }
}

static void run_connection(unsigned i, short events)
{
    struct connection *c = connections[i];
    bool keep = true;
    if (events & (POLLERR | POLLNVAL))
        keep = false;
    if (keep && (events & POLLOUT) && c->sending)
        keep = push(c) && serve(c);
    if (keep && (events & (POLLIN | POLLHUP)) && !c->sending)
        keep = readable(c);
    if (keep && now_ns >= c->deadline_ns) {
        httpd_counters.timeouts++;
        keep = false;
    }
    if (keep)
        fds[i + 1].events = c->sending ? POLLOUT : POLLIN;
    else
        drop(i);
}

/* Milliseconds until the first deadline, or until somebody may be stuck whose place
 * others wait for; -1 with no connection. */
static int timeout_ms(bool full)
{
    uint64_t first = UINT64_MAX;
    for (unsigned i = 0; i < nconnections; i++)
        if (connections[i]->deadline_ns < first)
            first = connections[i]->deadline_ns;
    if (first == UINT64_MAX)
        return -1;
    int wait_ms = first <= now_ns ? 0 : (int)((first - now_ns) / 1000000 + 1);
    return full && wait_ms > 1000 ? 1000 : wait_ms;
}

static int open_listener(unsigned port)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)}; /* and IPv4 */
    int on = 1, fd = socket(AF_INET6, SOCK_STREAM, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, BACKLOG) == 0 && ioctl(fd, FIONBIO, &on) == 0)
        return fd;
    fprintf(stderr, "httpd: cannot listen on TCP port %u: %s\n", port, strerror(errno));
    exit(1);
}

int main(int argc, char **argv)
{
    const char *root = "/www";
    unsigned port = 80;
    int opt;

    while ((opt = getopt(argc, argv, "r:p:")) != -1) {
        if (opt == 'r') {
            root = optarg;
        } else if (opt == 'p' && atoi(optarg) > 0 && atoi(optarg) < 65536) {
            port = (unsigned)atoi(optarg);
        } else {
            fprintf(stderr, "usage: httpd [-r ROOT] [-p PORT]\n");
            return 2;
        }
    }
    files_init(root);
    slipway_net_cork(1); /* poll() transmits what a turn has queued */
    fds[0] = (struct pollfd){.fd = open_listener(port), .events = POLLIN};
    sys_ready();
    now_ns = sys_now_ns();
    for (;;) {
        /* At the limit, and everybody busy: waiting clients stay in the backlog. */
        bool full = nconnections == CONNECTIONS_MAX && idlest() == CONNECTIONS_MAX;
        fds[0].events = full ? 0 : POLLIN;
        poll(fds, nconnections + 1, timeout_ms(full));
        now_ns = sys_now_ns();
        /* Backwards, since drop() moves the last one into the gap. */
        for (unsigned i = nconnections; i-- > 0;)
            if (fds[i + 1].revents || now_ns >= connections[i]->deadline_ns)
                run_connection(i, fds[i + 1].revents);
        if (fds[0].revents & POLLIN)
            accept_all(fds[0].fd);
    }
}
