/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/pairs.c: socketpair, alone, across fork, and as the input and
 * output of another program.
 */
#include "selftest.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAILS(call, why) CHECK((call) == -1 && errno == (why))

static const char *refusals(void)
{
    struct sockaddr a = {.sa_family = AF_UNIX};
    socklen_t len = sizeof(a), tlen = sizeof(int);
    int fd[2], type = 0;

    FAILS(socketpair(AF_INET, SOCK_STREAM, 0, fd), EOPNOTSUPP);
    FAILS(socketpair(99, SOCK_STREAM, 0, fd), EAFNOSUPPORT);
    FAILS(socketpair(AF_UNIX, SOCK_RAW, 0, fd), EPROTOTYPE);
    FAILS(socketpair(AF_UNIX, SOCK_STREAM, 6, fd), EPROTONOSUPPORT);
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd) == 0);
    FAILS(bind(fd[0], &a, sizeof(a)), ENOTSOCK);
    FAILS(listen(fd[0], 1), ENOTSOCK);
    FAILS(accept(fd[0], NULL, NULL), ENOTSOCK);
    FAILS(connect(fd[0], &a, sizeof(a)), ENOTSOCK);
    FAILS(getsockname(fd[0], &a, &len), ENOTSOCK);
    CHECK(getsockopt(fd[0], SOL_SOCKET, SO_TYPE, &type, &tlen) == 0 && type == SOCK_DGRAM);
    FAILS(getsockopt(fd[0], SOL_SOCKET, SO_KEEPALIVE, &type, &tlen), ENOPROTOOPT);
    close(fd[0]);
    close(fd[1]);
    return NULL;
}

static const char *streams_end(void)
{
    struct timeval brief = {0, 20000};
    char buf[16];
    int fd[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
    struct pollfd p[2] = {{fd[0], POLLIN | POLLOUT, 0}, {fd[1], POLLIN, 0}};
    FAILS(recv(fd[0], buf, 1, 0), EAGAIN);
    CHECK(poll(p, 2, 0) == 1 && p[0].revents == POLLOUT);
    CHECK(send(fd[0], "there", 5, 0) == 5 && write(fd[1], "back", 4) == 4);
    CHECK(poll(p, 2, 0) == 2 && p[0].revents == (POLLIN | POLLOUT) && p[1].revents == POLLIN);
    CHECK(recv(fd[1], buf, sizeof(buf), 0) == 5 && memcmp(buf, "there", 5) == 0);
    CHECK(read(fd[0], buf, 2) == 2 && read(fd[0], buf + 2, 9) == 2 && memcmp(buf, "back", 4) == 0);
    CHECK(shutdown(fd[0], SHUT_WR) == 0 && recv(fd[1], buf, 1, 0) == 0); /* half closed */
    CHECK(send(fd[1], "late", 4, 0) == 4 && recv(fd[0], buf, 9, 0) == 4);
    FAILS(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK(fcntl(fd[0], F_SETFL, 0) == 0);
    CHECK(setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &brief, sizeof(brief)) == 0);
    FAILS(recv(fd[0], buf, 1, 0), EAGAIN);
    CHECK(close(fd[0]) == 0);
    FAILS(send(fd[1], "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK(poll(p + 1, 1, 0) == 1 && (p[1].revents & POLLHUP));
    close(fd[1]);
    return NULL;
}

static const char *messages_keep_their_bounds(void)
{
    static const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET};
    struct epoll_event e = {.events = EPOLLIN};
    static char big[5000];
    char buf[16];
    int fd[2], ep;

    for (int i = 0; i < 2; i++) {
        CHECK(socketpair(AF_UNIX, types[i] | SOCK_CLOEXEC, 0, fd) == 0 && (ep = epoll_create1(0)) >= 0);
        CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, fd[1], &e) == 0 && epoll_wait(ep, &e, 1, 0) == 0);
        CHECK(send(fd[0], "one", 3, 0) == 3 && send(fd[0], "", 0, 0) == 0 && send(fd[0], "three!", 6, 0) == 6);
        CHECK(epoll_wait(ep, &e, 1, 1000) == 1 && e.events == EPOLLIN);
        CHECK(recv(fd[1], buf, sizeof(buf), 0) == 3 && memcmp(buf, "one", 3) == 0);
        CHECK(recv(fd[1], buf, sizeof(buf), 0) == 0);
        CHECK(recv(fd[1], buf, 5, MSG_TRUNC) == 6 && memcmp(buf, "three", 5) == 0); /* the rest is gone */
        FAILS(recv(fd[1], buf, 1, MSG_DONTWAIT), EAGAIN);
        FAILS(send(fd[0], big, sizeof(big), 0), EMSGSIZE);
        CHECK(send(fd[0], big, 4092, 0) == 4092 && recv(fd[1], big, sizeof(big), 0) == 4092);
        FAILS(recv(fd[1], buf, 1, MSG_PEEK | MSG_DONTWAIT), EOPNOTSUPP);
        close(ep);
        close(fd[0]);
        close(fd[1]);
    }
    return NULL;
}

static const char *a_child_answers(void)
{
    char buf[16];
    int fd[2], status;

    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(fd[0]);
        ssize_t n = recv(fd[1], buf, sizeof(buf), 0);
        _exit(n == 4 && send(fd[1], buf, 2, 0) == 2 ? 7 : 8);
    }
    close(fd[1]);
    CHECK(pid > 0 && send(fd[0], "ping", 4, 0) == 4 && recv(fd[0], buf, sizeof(buf), 0) == 2);
    CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
    CHECK(recv(fd[0], buf, 1, 0) == 0);
    close(fd[0]);
    return NULL;
}

/* cat reads from its end of a pair and writes to the same. */
static const char *another_program_has_one_end(void)
{
    static char *const argv[] = {"cat", NULL};
    posix_spawn_file_actions_t fa;
    char buf[32];
    size_t got = 0;
    ssize_t n;
    int fd[2], status;
    pid_t pid;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
    CHECK(posix_spawn_file_actions_init(&fa) == 0 && posix_spawn_file_actions_adddup2(&fa, fd[1], 0) == 0 &&
          posix_spawn_file_actions_adddup2(&fa, fd[1], 1) == 0);
    CHECK(posix_spawn(&pid, "/bin/cat", &fa, NULL, argv, NULL) == 0);
    posix_spawn_file_actions_destroy(&fa);
    close(fd[1]);
    CHECK(send(fd[0], "through a program", 17, 0) == 17 && shutdown(fd[0], SHUT_WR) == 0);
    while (got < sizeof(buf) && (n = recv(fd[0], buf + got, sizeof(buf) - got, 0)) > 0)
        got += (size_t)n;
    CHECK(got == 17 && memcmp(buf, "through a program", 17) == 0);
    CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 0);
    close(fd[0]);
    return NULL;
}

const struct test pairs_tests[] = {
    {"refusals", refusals},
    {"streams-end", streams_end},
    {"messages-keep-their-bounds", messages_keep_their_bounds},
    {"a-child-answers", a_child_answers},
    {"another-program-has-one-end", another_program_has_one_end},
    {NULL, NULL},
};
