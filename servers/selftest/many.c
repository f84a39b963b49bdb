/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/many.c: an echo server for very many connections, by epoll. For
 * tests/system/test_many.py.
 *
 *   many ""   echo on TCP port 7072. A connection that sends '?' first gets a line
 *       "CONNECTIONS BYTES WAITS EVENTS": how many there are, what the process uses,
 *       calls of epoll_wait so far and events that these returned.
 *   parting ""   TCP port 7074, for tests/system/test_adoption.py: reads one byte, sends
 *       its process number in 8 digits and 256 KiB, and then 'x': closes and exits at
 *       once, 'a': crashes
 */
#include "selftest.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT   7072
#define EVENTS 256

static unsigned connections;
static unsigned long waits, events;

static unsigned long used_bytes(void)
{
    struct info_process p;

    for (uint64_t i = 0; sys_info(INFO_PROCESS, i, &p, sizeof(p)) > 0; i++)
        if (p.pid == (uint32_t)sys_getpid())
            return p.memory_bytes;
    return 0;
}

static void answer(int fd)
{
    char line[80];
    int n = snprintf(line, sizeof(line), "%u %lu %lu %lu\n", connections, used_bytes(), waits, events);

    send(fd, line, (size_t)n, MSG_NOSIGNAL);
}

static void welcome(int ep, int l)
{
    int fd;

    while ((fd = accept4(l, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct epoll_event e = {.events = EPOLLIN, .data = {.fd = fd}};
        if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) != 0) {
            sys_logf(SYS_LOG_ERROR, "many: connection %u: error %d", connections, errno);
            close(fd);
        } else {
            connections++;
        }
    }
    if (errno != EAGAIN)
        sys_logf(SYS_LOG_ERROR, "many: accept of connection %u: error %d", connections, errno);
}

static void want(int ep, int fd, uint32_t what)
{
    struct epoll_event e = {.events = what, .data = {.fd = fd}};
    epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e);
}

/* What was read stays in the socket until there is room to send it. */
static void serve(int ep, int fd, uint32_t ready)
{
    char buf[2048];
    ssize_t n = recv(fd, buf, sizeof(buf), MSG_PEEK), sent = 0;

    if (n < 0 && errno == EAGAIN)
        return;
    if (n > 0 && buf[0] == '?') {
        answer(fd);
        sent = n;
    } else if (n > 0) {
        sent = send(fd, buf, (size_t)n, MSG_NOSIGNAL);
    }
    if (n <= 0 || (sent < 0 && errno != EAGAIN)) {
        close(fd);
        connections--;
        return;
    }
    if (sent > 0)
        recv(fd, buf, (size_t)sent, 0);
    if (sent < n && !(ready & EPOLLOUT))
        want(ep, fd, EPOLLOUT);
    else if (sent == n && (ready & EPOLLOUT))
        want(ep, fd, EPOLLIN);
}

static int role_many(int argc, char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    struct epoll_event e = {.events = EPOLLIN}, got[EVENTS];
    int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ep = epoll_create1(0);

    (void)argc, (void)argv;
    e.data.fd = l;
    if (l < 0 || bind(l, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(l, 1024) != 0 || ep < 0 ||
        epoll_ctl(ep, EPOLL_CTL_ADD, l, &e) != 0)
        return 1;
    slipway_net_cork(1);
    for (;;) {
        int n = epoll_wait(ep, got, EVENTS, -1);
        if (n < 0)
            return 1;
        waits++;
        events += (unsigned)n;
        for (int i = 0; i < n; i++) {
            if (got[i].data.fd == l)
                welcome(ep, l);
            else
                serve(ep, got[i].data.fd, got[i].events);
        }
    }
}

#define PARTING_PORT  7074
#define PARTING_BYTES (256 * 1024)

static int role_parting(int argc, char **argv)
{
    static const struct slipway_net_setup setup = {.arena_bytes = 512 * 1024, .tcp_sndbuf = PARTING_BYTES + 4096};
    static char data[8 + PARTING_BYTES];
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(PARTING_PORT)};
    char how = 0;

    (void)argc, (void)argv;
    slipway_net_setup(&setup);
    int l = socket(AF_INET, SOCK_STREAM, 0);
    if (l < 0 || bind(l, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(l, 4) != 0)
        return 1;
    int fd = accept(l, NULL, NULL);
    if (fd < 0 || recv(fd, &how, 1, 0) != 1)
        return 2;
    snprintf(data, sizeof(data), "%08d", sys_getpid());
    for (size_t i = 0; i < PARTING_BYTES; i++)
        data[8 + i] = (char)(i * 7 + (i >> 8));
    if (send(fd, data, sizeof(data), 0) != (ssize_t)sizeof(data))
        return 3;
    if (how == 'a')
        __builtin_trap();
    close(fd);
    return 0;
}

const struct role many_roles[] = {{"many", role_many}, {"parting", role_parting}, {NULL, NULL}};
