/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/errnos.c: which call fails with which error: the table in
 * docs/SOCKETS.md, row by row, and options that have a meaning of their own.
 */
#include "selftest.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#define FAILS(call, why) CHECK((call) == -1 && errno == (why))
#define SA(a)            ((const struct sockaddr *)&(a)), sizeof(a)

static struct sockaddr_in at(const char *address, uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {inet_addr(address)}};
}

static int bound(int type, uint16_t port)
{
    struct sockaddr_in a = at("127.0.0.1", port);
    int fd = socket(AF_INET, type, 0);

    return fd >= 0 && bind(fd, SA(a)) == 0 ? fd : -1;
}

/* A connection to oneself; fd[2] is its listener. */
static bool connection(int fd[3], uint16_t port)
{
    struct sockaddr_in a = at("127.0.0.1", port);

    fd[2] = bound(SOCK_STREAM, port);
    fd[0] = socket(AF_INET, SOCK_STREAM, 0);
    return fd[2] >= 0 && listen(fd[2], 4) == 0 && connect(fd[0], SA(a)) == 0 &&
           (fd[1] = accept(fd[2], NULL, NULL)) >= 0;
}

static void close_all(const int *fd, int n)
{
    while (n-- > 0)
        close(fd[n]);
}

static const char *every_call(void)
{
    struct sockaddr_in a = at("127.0.0.1", 7050);
    struct msghdr m = {.msg_iovlen = -1};
    char c = 0;
    int v = 1, p[2];
    socklen_t len = sizeof(v), alen = sizeof(a);

    CHECK(pipe(p) == 0);
    for (int i = 0; i < 2; i++) {
        int fd = i == 0 ? 999 : p[0], why = i == 0 ? EBADF : ENOTSOCK;
        FAILS(bind(fd, SA(a)), why);
        FAILS(listen(fd, 1), why);
        FAILS(accept(fd, NULL, NULL), why);
        FAILS(connect(fd, SA(a)), why);
        FAILS(send(fd, &c, 1, 0), why);
        FAILS(recv(fd, &c, 1, 0), why);
        FAILS(shutdown(fd, SHUT_RD), why);
        FAILS(getsockname(fd, (struct sockaddr *)&a, &alen), why);
        FAILS(getpeername(fd, (struct sockaddr *)&a, &alen), why);
        FAILS(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &v, len), why);
        FAILS(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &v, &len), why);
    }
    FAILS(sendmsg(999, &m, 0), EMSGSIZE);
    close_all(p, 2);
    return NULL;
}

static const char *making(void)
{
    FAILS(socket(77, SOCK_STREAM, 0), EAFNOSUPPORT);
    FAILS(socket(AF_INET, SOCK_RAW, 0), EPROTOTYPE);
    FAILS(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
    return NULL;
}

static const char *binding(void)
{
    struct sockaddr_in a = at("127.0.0.1", 7050), own = at("127.0.0.1", 80), far = at("192.0.2.1", 7051);
    int fd = socket(AF_INET, SOCK_STREAM, 0), other = bound(SOCK_STREAM, 7050), d = socket(AF_INET, SOCK_DGRAM, 0);

    CHECK(fd >= 0 && other >= 0 && d >= 0);
    FAILS(bind(fd, NULL, 0), EINVAL);
    FAILS(bind(fd, (struct sockaddr *)&a, 4), EINVAL);
    FAILS(bind(fd, SA(a)), EADDRINUSE);
    FAILS(bind(fd, SA(own)), EACCES);
    FAILS(bind(fd, SA(far)), EADDRNOTAVAIL);
    a.sin_family = 77;
    FAILS(bind(fd, SA(a)), EAFNOSUPPORT);
    a = at("127.0.0.1", 7052);
    CHECK(bind(fd, SA(a)) == 0);
    FAILS(bind(fd, SA(a)), EINVAL);
    FAILS(listen(d, 1), EOPNOTSUPP);
    FAILS(accept(d, NULL, NULL), EOPNOTSUPP);
    FAILS(accept(fd, NULL, NULL), EINVAL);
    CHECK(listen(fd, 1) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    FAILS(accept(fd, NULL, NULL), EAGAIN);
    close(fd);
    close(other);
    close(d);
    return NULL;
}

static const char *connecting(void)
{
    struct sockaddr_in a = at("127.0.0.1", 7053), closed = at("127.0.0.1", 7098);
    int fd[3], s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in name;
    socklen_t len = sizeof(name);

    CHECK(connection(fd, 7053) && s >= 0);
    FAILS(getpeername(s, (struct sockaddr *)&name, &len), ENOTCONN);
    FAILS(connect(s, NULL, 0), EINVAL);
    FAILS(connect(s, SA(closed)), ECONNREFUSED);
    FAILS(connect(fd[0], SA(a)), EISCONN);
    FAILS(connect(fd[2], SA(a)), EOPNOTSUPP);
    FAILS(listen(fd[0], 1), EINVAL);
    close(s);
    s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    a.sin_addr.s_addr = inet_addr("127.0.0.7");
    FAILS(connect(s, SA(a)), EINPROGRESS);
    int again = connect(s, SA(a));
    CHECK(again == -1 && (errno == EALREADY || errno == ECONNREFUSED || errno == EISCONN));
    close(s);
    close_all(fd, 3);
    return NULL;
}

static volatile sig_atomic_t broken_pipes;
static void on_sigpipe(int signal)
{
    (void)signal;
    broken_pipes++;
}

static const char *streams_with_data(void)
{
    struct sockaddr_in a = at("127.0.0.1", 7054);
    struct timeval brief = {0, 20000};
    static char big[65536];
    char c;
    int fd[3], s = socket(AF_INET, SOCK_STREAM, 0), n;
    ssize_t r;

    CHECK(connection(fd, 7054) && s >= 0);
    FAILS(send(s, "x", 1, 0), ENOTCONN);
    FAILS(recv(s, &c, 1, 0), ENOTCONN);
    FAILS(shutdown(s, SHUT_WR), ENOTCONN);
    FAILS(shutdown(fd[0], 7), EINVAL);
    FAILS(send(fd[0], "x", 1, MSG_OOB), EOPNOTSUPP);
    FAILS(recv(fd[0], &c, 1, MSG_OOB), EOPNOTSUPP);
    FAILS(sendto(fd[0], "x", 1, 0, SA(a)), EISCONN);
    FAILS(recv(fd[0], &c, 1, MSG_DONTWAIT), EAGAIN);
    CHECK(setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &brief, sizeof(brief)) == 0);
    CHECK(setsockopt(fd[0], SOL_SOCKET, SO_SNDTIMEO, &brief, sizeof(brief)) == 0);
    FAILS(recv(fd[0], &c, 1, 0), EAGAIN);
    for (n = 0; n < 100 && (r = send(fd[0], big, sizeof(big), 0)) > 0; n++)
        ;
    CHECK(r == -1 && errno == EAGAIN); /* nobody reads: the send's time was over */
    CHECK(shutdown(fd[0], SHUT_WR) == 0);
    signal(SIGPIPE, on_sigpipe);
    FAILS(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK(broken_pipes == 0);
    FAILS(send(fd[0], "x", 1, 0), EPIPE);
    FAILS(write(fd[0], "x", 1), EPIPE);
    CHECK(broken_pipes == 2);
    signal(SIGPIPE, SIG_DFL);
    close(s);
    close_all(fd, 3);
    return NULL;
}

/* SO_LINGER of 0 resets; the other end is told. */
static const char *resets(void)
{
    struct linger now = {1, 0};
    struct pollfd p;
    int fd[3], error = 0;
    socklen_t len = sizeof(error);
    char c;

    CHECK(connection(fd, 7055) && setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0);
    CHECK(close(fd[0]) == 0);
    p = (struct pollfd){fd[1], POLLIN, 0};
    CHECK(poll(&p, 1, 5000) == 1 && (p.revents & POLLERR));
    FAILS(recv(fd[1], &c, 1, 0), ECONNRESET);
    CHECK(getsockopt(fd[1], SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0); /* told once */
    CHECK(recv(fd[1], &c, 1, 0) <= 0);
    close_all(fd + 1, 2);
    return NULL;
}

/* SO_LINGER of seconds: close comes back when the peer has acknowledged all. */
static const char *lingers(void)
{
    struct linger some = {1, 5};
    int fd[3], left = -1, n = 0;
    char buf[512];

    CHECK(connection(fd, 7056) && setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &some, sizeof(some)) == 0);
    CHECK(send(fd[0], "last words", 10, 0) == 10 && close(fd[0]) == 0);
    CHECK(ioctl(fd[1], FIONREAD, &left) == 0 && left == 10);
    while ((left = (int)recv(fd[1], buf, sizeof(buf), 0)) > 0)
        n += left;
    CHECK(left == 0 && n == 10);
    close_all(fd + 1, 2);
    return NULL;
}

/* What listens and what has just gone: an address is free again with SO_REUSEADDR. */
static const char *address_after_a_connection(void)
{
    struct sockaddr_in a = at("127.0.0.1", 7057);
    int fd[3], on = 1, s = socket(AF_INET, SOCK_STREAM, 0);
    char c;

    CHECK(connection(fd, 7057) && s >= 0);
    CHECK(close(fd[1]) == 0 && recv(fd[0], &c, 1, 0) == 0); /* our end first: it gets TIME_WAIT */
    CHECK(close(fd[0]) == 0 && close(fd[2]) == 0);
    usleep(50000);
    FAILS(bind(s, SA(a)), EADDRINUSE);
    CHECK(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 && bind(s, SA(a)) == 0);
    CHECK(listen(s, 1) == 0);
    close(s);
    return NULL;
}

static const char *datagrams_fail(void)
{
    struct sockaddr_in closed = at("127.0.0.1", 7097), all = at("255.255.255.255", 7097);
    struct pollfd p;
    static char big[70000];
    char c;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    CHECK(fd >= 0);
    FAILS(send(fd, "x", 1, 0), EDESTADDRREQ);
    FAILS(sendto(fd, big, sizeof(big), 0, SA(closed)), EMSGSIZE);
    FAILS(sendto(fd, "x", 1, 0, SA(all)), EACCES);
    FAILS(recv(fd, &c, 1, MSG_DONTWAIT), EAGAIN);
    FAILS(shutdown(fd, SHUT_WR), ENOTCONN);
    CHECK(connect(fd, SA(closed)) == 0 && send(fd, "x", 1, 0) == 1);
    p = (struct pollfd){fd, POLLIN, 0};
    CHECK(poll(&p, 1, 5000) == 1 && (p.revents & POLLERR));
    FAILS(recv(fd, &c, 1, 0), ECONNREFUSED); /* port unreachable came back */
    close(fd);
    return NULL;
}

static const char *options_refused(void)
{
    struct timeval wrong = {0, 2000000};
    int fd = socket(AF_INET, SOCK_STREAM, 0), d = socket(AF_INET, SOCK_DGRAM, 0), v = 300;
    socklen_t len = sizeof(v);

    CHECK(fd >= 0 && d >= 0);
    FAILS(setsockopt(fd, SOL_SOCKET, 9999, &v, len), ENOPROTOOPT);
    FAILS(getsockopt(fd, SOL_SOCKET, 9999, &v, &len), ENOPROTOOPT);
    FAILS(setsockopt(fd, SOL_SOCKET, SO_ERROR, &v, len), ENOPROTOOPT);
    FAILS(setsockopt(d, IPPROTO_TCP, TCP_NODELAY, &v, len), ENOPROTOOPT);
    FAILS(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &v, 2), EINVAL);
    FAILS(setsockopt(fd, IPPROTO_IP, IP_TTL, &v, len), EINVAL);
    FAILS(setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, (v = 0, &v), len), EINVAL);
    FAILS(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wrong, sizeof(wrong)), EDOM);
    CHECK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &v, &len) == 0 && v == SOCK_STREAM);
    CHECK(getsockopt(d, SOL_SOCKET, SO_TYPE, &v, &len) == 0 && v == SOCK_DGRAM);
    CHECK(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &v, &len) == 0 && v == 0);
    close(fd);
    close(d);
    return NULL;
}

/* The flags of recv, and several buffers: one datagram fills them all. */
static const char *receiving(void)
{
    struct sockaddr_in a = at("127.0.0.1", 7058);
    char x[4], y[4];
    struct iovec iov[2] = {{x, 4}, {y, 4}};
    int fd[3], on = 1, d = bound(SOCK_DGRAM, 7058), out = socket(AF_INET, SOCK_DGRAM, 0);

    CHECK(connection(fd, 7059) && d >= 0 && out >= 0);
    CHECK(sendto(out, "abcdefg", 7, 0, SA(a)) == 7 && sendto(out, "next", 4, 0, SA(a)) == 4);
    CHECK(recv(d, x, 4, MSG_PEEK | MSG_TRUNC) == 7 && memcmp(x, "abcd", 4) == 0);
    CHECK(readv(d, iov, 2) == 7 && memcmp(x, "abcd", 4) == 0 && memcmp(y, "efg", 3) == 0);
    CHECK(readv(d, iov, 2) == 4 && memcmp(x, "next", 4) == 0);
    iov[1].iov_len = 3;
    CHECK(writev(fd[0], iov, 2) == 7);
    CHECK(recv(fd[1], x, 4, MSG_PEEK) > 0 && recv(fd[1], x, 4, MSG_WAITALL) == 4);
    CHECK(recv(fd[1], y, 3, MSG_WAITALL) == 3 && memcmp(y, "efg", 3) == 0);
    CHECK(ioctl(d, FIONBIO, &on) == 0);
    FAILS(recv(d, x, 1, 0), EAGAIN);
    FAILS(ioctl(d, 0x7777), ENOTTY);
    close(d);
    close(out);
    close_all(fd, 3);
    return NULL;
}

const struct test errnos_tests[] = {
    {"every-call", every_call},
    {"making", making},
    {"binding", binding},
    {"connecting", connecting},
    {"streams-with-data", streams_with_data},
    {"resets", resets},
    {"lingers", lingers},
    {"address-after-a-connection", address_after_a_connection},
    {"datagrams-fail", datagrams_fail},
    {"options-refused", options_refused},
    {"receiving", receiving},
    {NULL, NULL},
};
