/* SPDX-License-Identifier: MIT
 *
 * servers/echo/main.c: echo (RFC 862), discard (RFC 863), chargen (RFC 864),
 * each over TCP and UDP. One thread, one poll loop.
 *
 *   echo [-d | -c] [-p PORT]     default: echo on port 7; -d 9, -c 19
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <slipway/sys.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 512
#define BUFFER          8192
#define DATAGRAM_MAX    65536
#define LINE            74 /* chargen: 72 characters, CR, LF */
#define UDP_FD          0
#define LISTEN_FD       1
#define FIRST           2

enum mode { MODE_ECHO, MODE_DISCARD, MODE_CHARGEN };

struct connection {
    size_t have, done; /* bytes read, bytes of them written back */
    bool eof;
    char data[BUFFER];
};

static enum mode mode = MODE_ECHO;
static struct pollfd fds[FIRST + CONNECTIONS_MAX];
static struct connection *conn[FIRST + CONNECTIONS_MAX]; /* same index as fds */
static nfds_t nfds = FIRST;
static char datagram[DATAGRAM_MAX];
static char pattern[LINE * 95]; /* chargen's lines, each one character further */

static void make_pattern(void)
{
    for (int line = 0; line < 95; line++) {
        char *p = pattern + line * LINE;
        for (int i = 0; i < 72; i++)
            p[i] = (char)(' ' + (line + i) % 95);
        p[72] = '\r';
        p[73] = '\n';
    }
}

/* --- UDP --- */

static void serve_udp(void)
{
    struct sockaddr_in6 from; /* IPv4 peers, too: ::ffff:a.b.c.d */
    socklen_t len = sizeof from;
    ssize_t n =
        recvfrom(fds[UDP_FD].fd, datagram, sizeof datagram, MSG_DONTWAIT, (struct sockaddr *)&from, &len);

    if (n < 0 || mode == MODE_DISCARD)
        return;
    if (mode == MODE_CHARGEN) {
        static unsigned line;
        sendto(fds[UDP_FD].fd, pattern + line++ % 95 * LINE, LINE, MSG_DONTWAIT, (struct sockaddr *)&from,
               len);
        return;
    }
    /* An answer to another small-services port would never end (CA-1996-01). */
    unsigned port = ntohs(from.sin6_port);
    if (port == 7 || port == 13 || port == 17 || port == 19)
        return;
    sendto(fds[UDP_FD].fd, datagram, (size_t)n, MSG_DONTWAIT, (struct sockaddr *)&from, len);
}

/* --- TCP --- */

static void end_connection(nfds_t i)
{
    close(fds[i].fd);
    free(conn[i]);
    nfds--;
    fds[i] = fds[nfds];
    conn[i] = conn[nfds];
}

static void wish(nfds_t i)
{
    const struct connection *c = conn[i];
    bool writes = mode == MODE_CHARGEN || c->done < c->have;
    bool reads = !c->eof && (mode != MODE_ECHO || !writes);
    fds[i].events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
}

static void accept_one(void)
{
    int fd = accept4(fds[LISTEN_FD].fd, NULL, NULL, SOCK_NONBLOCK);
    struct connection *c;

    if (fd < 0)
        return;
    if (nfds == FIRST + CONNECTIONS_MAX || (c = calloc(1, sizeof *c)) == NULL) {
        close(fd);
        return;
    }
    fds[nfds] = (struct pollfd){.fd = fd};
    conn[nfds] = c;
    wish(nfds++);
}

/* False: the connection is over. */
static bool read_some(nfds_t i)
{
    struct connection *c = conn[i];
    ssize_t n = recv(fds[i].fd, c->data, sizeof c->data, 0);

    if (n < 0)
        return errno == EAGAIN;
    if (n == 0)
        c->eof = true;
    else if (mode == MODE_ECHO)
        c->have = (size_t)n, c->done = 0;
    return true;
}

static bool write_some(nfds_t i)
{
    struct connection *c = conn[i];
    ssize_t n;

    if (mode == MODE_CHARGEN) {
        n = send(fds[i].fd, pattern + c->done, sizeof pattern - c->done, MSG_NOSIGNAL);
        if (n > 0)
            c->done = (c->done + (size_t)n) % sizeof pattern;
    } else {
        n = send(fds[i].fd, c->data + c->done, c->have - c->done, MSG_NOSIGNAL);
        if (n > 0)
            c->done += (size_t)n;
    }
    return n >= 0 || errno == EAGAIN;
}

/* Half-close: what was read is echoed in full, then our side closes too. */
static void serve_connection(nfds_t i)
{
    struct connection *c = conn[i];
    bool alive = true;

    if (fds[i].revents & (POLLERR | POLLNVAL)) {
        end_connection(i);
        return;
    }
    if (fds[i].events & POLLIN && fds[i].revents & (POLLIN | POLLHUP))
        alive = read_some(i);
    if (alive && (mode == MODE_CHARGEN || c->done < c->have))
        alive = write_some(i);
    if (!alive || (c->eof && (mode != MODE_ECHO || c->done == c->have)))
        end_connection(i);
    else
        wish(i);
}

/* --- start --- */

static int open_socket(int type, uint16_t port)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int fd = socket(AF_INET6, type | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 ||
        (type == SOCK_STREAM && listen(fd, 128) != 0)) {
        sys_logf(SYS_LOG_ERROR, "port %s/%u: %s", type == SOCK_STREAM ? "tcp" : "udp", port, strerror(errno));
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    unsigned long port = 0;
    int o;

    while ((o = getopt(argc, argv, "dcp:")) != -1) {
        if (o == 'd')
            mode = MODE_DISCARD;
        else if (o == 'c')
            mode = MODE_CHARGEN;
        else if (o != 'p' || (port = strtoul(optarg, NULL, 10)) == 0 || port > 65535)
            return 2;
    }
    if (port == 0)
        port = mode == MODE_DISCARD ? 9 : mode == MODE_CHARGEN ? 19 : 7;
    make_pattern();
    fds[UDP_FD] = (struct pollfd){.fd = open_socket(SOCK_DGRAM, (uint16_t)port), .events = POLLIN};
    fds[LISTEN_FD] = (struct pollfd){.fd = open_socket(SOCK_STREAM, (uint16_t)port), .events = POLLIN};
    slipway_net_cork(1); /* the next poll() transmits */
    sys_ready();

    for (;;) {
        if (poll(fds, nfds, -1) < 0)
            return 1;
        if (fds[UDP_FD].revents)
            serve_udp();
        /* Backwards, so that closing one moves only those that are done. */
        for (nfds_t i = nfds; i-- > FIRST;)
            if (fds[i].revents)
                serve_connection(i);
        if (fds[LISTEN_FD].revents)
            accept_one();
    }
}
