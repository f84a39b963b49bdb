/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/crew.c: one port, several members; and a connection that is
 * given to a program of its own. For tests/system/test_groups.py.
 *
 *   crew "threads N" | "processes N"   echo on TCP and UDP port 7070, N members:
 *       threads with a protocol stack each, or processes. A connection begins with
 *       the line "PID.THREAD" of the member; so does each datagram's answer.
 *   inetd ""    accepts on TCP 7071 and spawns a visitor for each connection
 *   visitor ""  serves the connection that is its descriptor 0: as above, port 7071
 */
#include "selftest.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT        7070
#define INETD_PORT  7071
#define CONNS       256
#define MEMBERS_MAX 16

struct member {
    int number;
    nfds_t n;
    struct pollfd fds[2 + CONNS]; /* UDP, listener, connections */
    char buf[4096];
};

static int open_port(int type, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, type, 0), on = 1;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || (type == SOCK_STREAM && listen(fd, 64) != 0)) {
        sys_logf(SYS_LOG_ERROR, "crew: port %u: %s", port, strerror(errno));
        exit(1);
    }
    return fd;
}

static int greeting(const struct member *m, char *out, size_t room)
{
    return snprintf(out, room, "%d.%d\n", sys_getpid(), m->number);
}

static void serve_datagram(struct member *m)
{
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    int head = greeting(m, m->buf, sizeof(m->buf));
    ssize_t n = recvfrom(m->fds[0].fd, m->buf + head, sizeof(m->buf) - (size_t)head, MSG_DONTWAIT,
                         (struct sockaddr *)&from, &len);

    if (n >= 0)
        sendto(m->fds[0].fd, m->buf, (size_t)(head + n), 0, (struct sockaddr *)&from, len);
}

static void welcome(struct member *m)
{
    int fd = accept(m->fds[1].fd, NULL, NULL);

    if (fd < 0)
        return;
    if (m->n == 2 + CONNS) {
        close(fd);
        return;
    }
    int n = greeting(m, m->buf, sizeof(m->buf));
    send(fd, m->buf, (size_t)n, 0);
    m->fds[m->n++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static void serve_connection(struct member *m, nfds_t i)
{
    ssize_t n = recv(m->fds[i].fd, m->buf, sizeof(m->buf), 0);

    if (n > 0 && send(m->fds[i].fd, m->buf, (size_t)n, 0) == n)
        return;
    close(m->fds[i].fd);
    m->fds[i] = m->fds[--m->n];
}

static void *serve(void *arg)
{
    struct member *m = arg;

    if (m->number >= 0 && slipway_net_thread() != 0) {
        sys_logf(SYS_LOG_ERROR, "crew: member %d: %s", m->number, strerror(errno));
        exit(1);
    }
    m->fds[0] = (struct pollfd){.fd = open_port(SOCK_DGRAM, PORT), .events = POLLIN};
    m->fds[1] = (struct pollfd){.fd = open_port(SOCK_STREAM, PORT), .events = POLLIN};
    m->n = 2;
    while (poll(m->fds, m->n, -1) >= 0) {
        if (m->fds[0].revents)
            serve_datagram(m);
        for (nfds_t i = m->n; i-- > 2;)
            if (m->fds[i].revents)
                serve_connection(m, i);
        if (m->fds[1].revents)
            welcome(m);
    }
    return NULL;
}

static struct member *member(int number)
{
    struct member *m = calloc(1, sizeof(*m));

    if (m == NULL)
        exit(1);
    m->number = number;
    return m;
}

/* Another of this program, with the same rights. */
static int start_same(const char *role, const char *arg)
{
    struct sys_spawn s = {.path = "bin/selftest", .argc = 3, .flags = SPAWN_SAME_RIGHTS};
    char args[64];
    size_t n = 0;
    const char *words[3] = {"selftest", role, arg};

    for (int i = 0; i < 3; i++, n++)
        n += strlen(strcpy(args + n, words[i]));
    strcpy(s.name, role);
    s.args = (uint64_t)(uintptr_t)args;
    s.args_bytes = (uint32_t)n;
    return sys_spawn(&s);
}

static int role_crew(int argc, char **argv)
{
    const char *kind = argc > 2 ? argv[2] : "";
    int n = argc > 3 ? atoi(argv[3]) : 0;

    if (strcmp(kind, "threads") == 0) {
        for (int i = 0; i < n && i < MEMBERS_MAX; i++) {
            pthread_t t;
            if (pthread_create(&t, NULL, serve, member(i)) != 0)
                return 1;
        }
        for (;;)
            sleep(1000);
    }
    for (int i = 1; i < n && i < MEMBERS_MAX; i++)
        if (start_same("crew", "one") < 0)
            return 1;
    serve(member(-1));
    return 1;
}

/* --- inetd ----------------------------------------------------------------------------- */

/* A visitor whose input and output is the connection. */
static int start_visitor(int fd, const char *path)
{
    static char *const argv[] = {"selftest", "visitor", "", NULL};
    posix_spawn_file_actions_t fa;
    int r = posix_spawn_file_actions_init(&fa);

    if (r != 0)
        return r;
    r = posix_spawn_file_actions_addsocket_np(&fa, fd, 0);
    if (r == 0)
        r = posix_spawn(NULL, path, &fa, NULL, argv, NULL);
    posix_spawn_file_actions_destroy(&fa);
    return r;
}

static int role_inetd(int argc, char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(INETD_PORT)};
    int l = socket(AF_INET, SOCK_STREAM, 0), fd;

    (void)argc, (void)argv;
    if (l < 0 || bind(l, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(l, 64) != 0)
        return 1;
    while ((fd = accept(l, NULL, NULL)) >= 0) {
        /* Where no child comes to be, the socket is still ours. */
        int r = start_visitor(fd, "/www/index.html") == 0 ? EPROTO : start_visitor(fd, "/bin/selftest");
        if (r != 0) {
            sys_logf(SYS_LOG_ERROR, "inetd: no visitor: %s", strerror(r));
            close(fd);
        }
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
    return 1;
}

static int role_visitor(int argc, char **argv)
{
    static char buf[16384];
    int fd = 0, n;

    (void)argc, (void)argv;
    slipway_inherit_sockets();
    n = snprintf(buf, sizeof(buf), "%d.0\n", sys_getpid());
    if (send(fd, buf, (size_t)n, 0) != n)
        return 2;
    while ((n = (int)recv(fd, buf, sizeof(buf), 0)) > 0)
        if (send(fd, buf, (size_t)n, 0) != n)
            return 3;
    close(fd);
    return n == 0 ? 0 : 4;
}

const struct role crew_roles[] = {
    {"crew", role_crew}, {"inetd", role_inetd}, {"visitor", role_visitor}, {NULL, NULL},
};
