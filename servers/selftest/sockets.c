/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/sockets.c: BSD sockets over the loopback link. The manifest
 * gives this program the ports 7000 to 7099.
 */
#include "selftest.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define MS           1000000ull
#define LATE         500 /* ms that a busy host may add to a wait */
#define STREAM_BYTES 400000

static struct sockaddr_in local(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static int bound(int type, uint16_t port)
{
    struct sockaddr_in a = local(port);
    int fd = socket(AF_INET, type, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

static const char *datagrams(void)
{
    struct sockaddr_in to = local(7021), from;
    socklen_t len = sizeof(from);
    char buf[64], rest[8];
    struct iovec iov[2] = {{buf, 3}, {rest, 3}};
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};
    int a = bound(SOCK_DGRAM, 7021), b = socket(AF_INET, SOCK_DGRAM, 0);

    CHECK(a >= 0 && b >= 0);
    CHECK(recv(a, buf, sizeof(buf), MSG_DONTWAIT) < 0 && errno == EAGAIN);
    CHECK(sendto(b, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)) == 5);
    CHECK(recvfrom(a, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len) == 5 &&
          memcmp(buf, "hello", 5) == 0);
    CHECK(len == sizeof(from) && from.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    CHECK(connect(a, (struct sockaddr *)&from, sizeof(from)) == 0 && send(a, "back", 4, 0) == 4);
    CHECK(recv(b, buf, sizeof(buf), 0) == 4 && memcmp(buf, "back", 4) == 0);
    CHECK(sendto(b, "abcdefgh", 8, 0, (struct sockaddr *)&to, sizeof(to)) == 8);
    CHECK(recvmsg(a, &m, 0) == 6 && (m.msg_flags & MSG_TRUNC) && memcmp(rest, "def", 3) == 0);
    CHECK(sendto(b, "", 0, 0, (struct sockaddr *)&to, sizeof(to)) == 0 && recv(a, buf, sizeof(buf), 0) == 0);
    close(a);
    close(b);
    return NULL;
}

static const char *waits_end_in_time(void)
{
    struct timeval tv = {0, 30000};
    struct pollfd p = {.events = POLLIN};
    fd_set set;
    char c;
    uint64_t t[4];
    int fd = bound(SOCK_DGRAM, 7022);

    CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
    p.fd = fd;
    t[0] = sys_now_ns();
    CHECK(recv(fd, &c, 1, 0) < 0 && errno == EAGAIN);
    t[1] = sys_now_ns();
    CHECK(poll(&p, 1, 30) == 0);
    t[2] = sys_now_ns();
    FD_ZERO(&set);
    FD_SET(fd, &set);
    CHECK(select(fd + 1, &set, NULL, NULL, &tv) == 0 && !FD_ISSET(fd, &set));
    t[3] = sys_now_ns();
    for (int i = 0; i < 3; i++)
        CHECK(t[i + 1] - t[i] >= 29 * MS && t[i + 1] - t[i] < (30 + LATE) * MS);
    close(fd);
    return NULL;
}

static const char *poll_tells_what_is_ready(void)
{
    struct sockaddr_in to = local(7023);
    int fd = bound(SOCK_DGRAM, 7023), null = open("/dev/null", O_RDWR), waiting = 0;
    struct pollfd p[4] = {{fd, POLLIN, 0}, {fd, POLLOUT, 0}, {null, POLLIN | POLLOUT, 0}, {1000, POLLIN, 0}};
    char buf[8];

    CHECK(poll(p, 4, 0) == 3 && p[0].revents == 0 && p[1].revents == POLLOUT);
    CHECK(p[2].revents == (POLLIN | POLLOUT) && p[3].revents == POLLNVAL);
    CHECK(sendto(fd, "12345", 5, 0, (struct sockaddr *)&to, sizeof(to)) == 5);
    CHECK(poll(p, 1, 1000) == 1 && p[0].revents == POLLIN);
    CHECK(ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0);
    CHECK(recv(fd, buf, sizeof(buf), MSG_PEEK) == 5 && recv(fd, buf, sizeof(buf), 0) == 5);
    CHECK(poll(p, 1, 0) == 0);
    close(null);
    close(fd);
    return NULL;
}

/* --- streams, each end in a thread of its own --- */

static unsigned char pattern(size_t at)
{
    return (unsigned char)(at * 7 + (at >> 8));
}

/* Echoes until the other side has sent all; NULL when something went wrong. */
static void *echo_one(void *arg)
{
    char buf[5000];
    ssize_t n;
    int s = accept((int)(intptr_t)arg, NULL, NULL);

    while ((n = read(s, buf, sizeof(buf))) > 0)
        for (ssize_t done = 0, w; done < n; done += w)
            if ((w = write(s, buf + done, (size_t)(n - done))) <= 0)
                return NULL;
    return n == 0 && close(s) == 0 ? arg : NULL;
}

static void *check_stream(void *arg)
{
    unsigned char buf[3000];
    size_t got = 0;
    ssize_t n;

    while ((n = recv((int)(intptr_t)arg, buf, sizeof(buf), 0)) > 0)
        for (ssize_t i = 0; i < n; i++)
            if (buf[i] != pattern(got++))
                return NULL;
    return n == 0 ? (void *)got : NULL;
}

static const char *stream_both_ways(void)
{
    struct sockaddr_in to = local(7024), name;
    socklen_t len = sizeof(name), got_len = sizeof(int);
    pthread_t server, reader;
    unsigned char buf[4000];
    void *result;
    int on = 1, idle = 90, got = 0, l = bound(SOCK_STREAM, 7024), s = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(l >= 0 && listen(l, 4) == 0 && s >= 0);
    CHECK(pthread_create(&server, NULL, echo_one, (void *)(intptr_t)l) == 0);
    CHECK(connect(s, (struct sockaddr *)&to, sizeof(to)) == 0);
    CHECK(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
    CHECK(setsockopt(s, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle)) == 0);
    CHECK(getsockopt(s, IPPROTO_TCP, TCP_KEEPIDLE, &got, &got_len) == 0 && got == 90);
    CHECK(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) == 0);
    CHECK(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "renown", 6) != 0 && errno == ENOENT);
    got_len = sizeof(buf);
    CHECK(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, buf, &got_len) == 0 && got_len == 5);
    CHECK(strcmp((char *)buf, "reno") == 0);
    CHECK(getpeername(s, (struct sockaddr *)&name, &len) == 0 && name.sin_port == to.sin_port);
    CHECK(pthread_create(&reader, NULL, check_stream, (void *)(intptr_t)s) == 0);
    for (size_t at = 0; at < STREAM_BYTES;) {
        size_t n = at % sizeof(buf) + 1 < STREAM_BYTES - at ? at % sizeof(buf) + 1 : STREAM_BYTES - at;
        for (size_t i = 0; i < n; i++)
            buf[i] = pattern(at + i);
        CHECK(send(s, buf, n, 0) == (ssize_t)n); /* a blocking send takes all */
        at += n;
    }
    CHECK(shutdown(s, SHUT_WR) == 0);
    CHECK(pthread_join(reader, &result) == 0 && (size_t)result == STREAM_BYTES);
    CHECK(pthread_join(server, &result) == 0 && result != NULL);
    CHECK(close(s) == 0 && close(l) == 0);
    return NULL;
}

static const char *refusals(void)
{
    struct sockaddr_in closed = local(7099);
    int s = socket(AF_INET, SOCK_STREAM, 0), l;
    char c;

    CHECK(connect(s, (struct sockaddr *)&closed, sizeof(closed)) < 0 && errno == ECONNREFUSED);
    close(s);
    CHECK(bound(SOCK_STREAM, 80) < 0 && errno == EACCES); /* the manifest does not give it */
    CHECK((l = bound(SOCK_DGRAM, 7025)) >= 0 && bound(SOCK_DGRAM, 7025) < 0 && errno == EADDRINUSE);
    close(l);
    CHECK(socket(99, SOCK_STREAM, 0) < 0 && errno == EAFNOSUPPORT);
    CHECK(socket(AF_INET, SOCK_RAW, 0) < 0);
    CHECK((s = socket(AF_INET, SOCK_STREAM, 0)) >= 0 && recv(s, &c, 1, 0) < 0 && errno == ENOTCONN);
    CHECK(send(0, "x", 1, 0) < 0 && errno == ENOTSOCK);
    close(s);
    return NULL;
}

/* Connect without blocking; the error of a failed one is SO_ERROR's. */
static const char *nonblocking_connect(void)
{
    struct sockaddr_in to = local(7026), closed = local(7098);
    int error = -1, l = bound(SOCK_STREAM, 7026), s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    socklen_t len = sizeof(error);
    struct pollfd p = {s, POLLOUT, 0};

    CHECK(l >= 0 && listen(l, 1) == 0);
    CHECK(connect(s, (struct sockaddr *)&to, sizeof(to)) < 0 && errno == EINPROGRESS);
    CHECK(poll(&p, 1, 5000) == 1 && (p.revents & POLLOUT));
    CHECK(getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0);
    close(s);
    p.fd = s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(connect(s, (struct sockaddr *)&closed, sizeof(closed)) < 0 && errno == EINPROGRESS);
    CHECK(poll(&p, 1, 5000) == 1 && (p.revents & (POLLERR | POLLHUP)));
    CHECK(getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == ECONNREFUSED);
    close(s);
    close(l);
    return NULL;
}

static const char *addresses_as_text(void)
{
    static const char *const v6[] = {"::", "::1", "fe80::1:0:0:2", "2001:db8::", "1:2:3:4:5:6:7:8",
                                     "::ffff:10.0.0.1"};
    struct addrinfo *list;
    struct in6_addr a6;
    struct in_addr a4;
    char text[INET6_ADDRSTRLEN];

    for (size_t i = 0; i < sizeof(v6) / sizeof(v6[0]); i++)
        CHECK(inet_pton(AF_INET6, v6[i], &a6) == 1 &&
              strcmp(inet_ntop(AF_INET6, &a6, text, sizeof(text)), v6[i]) == 0);
    CHECK(inet_pton(AF_INET6, "1:2:3:4:5:6:7:8:9", &a6) == 0 && inet_pton(AF_INET6, "1::2::3", &a6) == 0);
    CHECK(inet_pton(AF_INET, "1.2.3.256", &a4) == 0 && inet_pton(AF_INET, "1.2.3", &a4) == 0);
    CHECK(inet_aton("0x7f.1", &a4) == 1 && a4.s_addr == htonl(INADDR_LOOPBACK));
    CHECK(getaddrinfo("localhost", "http", NULL, &list) == 0);
    CHECK(((struct sockaddr_in *)list->ai_addr)->sin_port == htons(80));
    freeaddrinfo(list);
    CHECK(getaddrinfo("no.such.name", NULL, NULL, &list) == EAI_NONAME);
    return NULL;
}

/* One listener on :: hears both families; each end sees the other as it should. */
static const char *both_families(void)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(7027)}, from;
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(7027), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in four = local(7027), taken = {.sin_family = AF_INET, .sin_port = htons(7027)};
    socklen_t len = sizeof(from);
    static char big[9000], got[sizeof(big)];
    int l = socket(AF_INET6, SOCK_STREAM, 0), a, b, on = -1;
    char c;

    CHECK(l >= 0 && bind(l, (struct sockaddr *)&any, sizeof(any)) == 0 && listen(l, 4) == 0);
    CHECK((a = socket(AF_INET, SOCK_STREAM, 0)) >= 0 && bind(a, (struct sockaddr *)&taken, sizeof(taken)) < 0);
    CHECK(errno == EADDRINUSE && connect(a, (struct sockaddr *)&four, sizeof(four)) == 0);
    CHECK((b = accept(l, (struct sockaddr *)&from, &len)) >= 0 && len == sizeof(from));
    CHECK(IN6_IS_ADDR_V4MAPPED(&from.sin6_addr) && from.sin6_addr.s6_addr[12] == 127);
    CHECK(write(a, "4", 1) == 1 && read(b, &c, 1) == 1 && c == '4');
    close(a);
    close(b);
    CHECK((a = socket(AF_INET6, SOCK_STREAM, 0)) >= 0 && connect(a, (struct sockaddr *)&six, sizeof(six)) == 0);
    len = sizeof(from);
    CHECK((b = accept(l, (struct sockaddr *)&from, &len)) >= 0 && IN6_IS_ADDR_LOOPBACK(&from.sin6_addr));
    CHECK(getpeername(a, (struct sockaddr *)&from, &len) == 0 && from.sin6_port == htons(7027));
    CHECK(write(b, "6", 1) == 1 && read(a, &c, 1) == 1 && c == '6');
    close(a);
    close(b);
    close(l);
    /* The same number for another, when only IPv6 was wanted; datagrams of any size. */
    l = socket(AF_INET6, SOCK_DGRAM, 0);
    on = 1;
    CHECK(l >= 0 && setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0);
    CHECK(bind(l, (struct sockaddr *)&any, sizeof(any)) == 0 && (b = bound(SOCK_DGRAM, 7027)) >= 0);
    CHECK((a = socket(AF_INET6, SOCK_DGRAM, 0)) >= 0 && connect(a, (struct sockaddr *)&six, sizeof(six)) == 0);
    memset(big, '!', sizeof(big));
    CHECK(send(a, big, sizeof(big), 0) == sizeof(big));
    len = sizeof(from);
    CHECK(recvfrom(l, got, sizeof(got), 0, (struct sockaddr *)&from, &len) == sizeof(got));
    CHECK(memcmp(big, got, sizeof(big)) == 0 && IN6_IS_ADDR_LOOPBACK(&from.sin6_addr));
    CHECK(recv(b, &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
    close(a);
    close(b);
    close(l);
    return NULL;
}

const struct test sockets_tests[] = {
    {"datagrams", datagrams},
    {"waits-end-in-time", waits_end_in_time},
    {"poll-tells-what-is-ready", poll_tells_what_is_ready},
    {"stream-both-ways", stream_both_ways},
    {"refusals", refusals},
    {"nonblocking-connect", nonblocking_connect},
    {"both-families", both_families},
    {"addresses-as-text", addresses_as_text},
    {NULL, NULL},
};
