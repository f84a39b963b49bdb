/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/events.c: poll and epoll over pipes, sockets, messages,
 * counters and timers, by one thread and by several.
 */
#include "selftest.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define WAIT_MS 5000
#define MS 1000000l

static int fails(int r, int error)
{
    return r == -1 && errno == error;
}

static int watch(int ep, int op, int fd, uint32_t events)
{
    struct epoll_event e = {.events = events, .data = {.fd = fd}};
    return epoll_ctl(ep, op, fd, &e);
}

/* The one event that comes within ms: its bits, 0 for none; fd must be it. */
static uint32_t one(int ep, int fd, int ms)
{
    struct epoll_event e[4];
    int n = epoll_wait(ep, e, 4, ms);
    return n == 0 ? 0 : n == 1 && e[0].data.fd == fd ? e[0].events : ~0u;
}

static int bound(int type, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int s = socket(AF_INET, type, 0), on = 1;

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return bind(s, (struct sockaddr *)&a, sizeof a) == 0 ? s : -1;
}

static int to(int s, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(s, (struct sockaddr *)&a, sizeof a);
}

/* --- eventfd, timerfd --- */

static const char *counters_count(void)
{
    struct pollfd p;
    eventfd_t v;
    int fd = eventfd(3, EFD_NONBLOCK), sem = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);

    CHECK(fd >= 0 && sem >= 0 && fails(eventfd(0, 0x10), EINVAL));
    p = (struct pollfd){fd, POLLIN | POLLOUT, 0};
    CHECK(poll(&p, 1, 0) == 1 && p.revents == (POLLIN | POLLOUT));
    CHECK(eventfd_write(fd, 4) == 0 && eventfd_read(fd, &v) == 0 && v == 7);
    CHECK(fails(eventfd_read(fd, &v), EAGAIN));
    CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLOUT);
    CHECK(eventfd_write(fd, UINT64_MAX - 1) == 0 && fails(eventfd_write(fd, 1), EAGAIN));
    CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLIN);
    CHECK(fails(eventfd_write(fd, UINT64_MAX), EINVAL) && fails((int)write(fd, "", 1), EINVAL));
    CHECK(eventfd_read(sem, &v) == 0 && v == 1 && eventfd_read(sem, &v) == 0 && v == 1);
    CHECK(fails(eventfd_read(sem, &v), EAGAIN));
    CHECK(close(fd) == 0 && close(sem) == 0);
    return NULL;
}

static const char *timers_expire(void)
{
    struct itimerspec t = {.it_value = {0, 3 * MS}}, left;
    int fd = timerfd_create(CLOCK_MONOTONIC, 0), ep = epoll_create1(0);
    struct pollfd p = {fd, POLLIN, 0};
    uint64_t n, before = sys_now_ns();

    CHECK(fd >= 0 && ep >= 0 && fails(timerfd_create(99, 0), EINVAL));
    CHECK(poll(&p, 1, 0) == 0 && timerfd_settime(fd, 0, &t, NULL) == 0 && poll(&p, 1, 0) == 0);
    CHECK(timerfd_gettime(fd, &left) == 0 && left.it_value.tv_nsec > 0 && left.it_value.tv_nsec <= 3 * MS);
    CHECK(poll(&p, 1, WAIT_MS) == 1 && p.revents == POLLIN && sys_now_ns() - before >= 3 * MS);
    CHECK(read(fd, &n, sizeof n) == sizeof n && n == 1 && poll(&p, 1, 0) == 0);

    t.it_interval.tv_nsec = 2 * MS;
    CHECK(watch(ep, EPOLL_CTL_ADD, fd, EPOLLIN) == 0 && timerfd_settime(fd, 0, &t, NULL) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(one(ep, fd, WAIT_MS) == EPOLLIN);
        CHECK(read(fd, &n, sizeof n) == sizeof n && n >= 1);
    }
    CHECK(read(fd, &n, sizeof n) == sizeof n && n >= 1); /* waits by itself, too */
    t = (struct itimerspec){.it_value = {0, 0}};
    CHECK(timerfd_settime(fd, 0, &t, &left) == 0 && left.it_interval.tv_nsec == 2 * MS && one(ep, fd, 10) == 0);
    t.it_value.tv_nsec = 1; /* long past */
    CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL) == 0 && one(ep, fd, 0) == EPOLLIN);
    t.it_value.tv_nsec = 1000 * MS;
    CHECK(fails(timerfd_settime(fd, 0, &t, NULL), EINVAL));
    CHECK(close(fd) == 0 && one(ep, fd, 0) == 0 && close(ep) == 0);
    return NULL;
}

/* --- epoll --- */

static const char *what_epoll_refuses(void)
{
    struct epoll_event e;
    int ep = epoll_create1(EPOLL_CLOEXEC), other = epoll_create(1), fd = eventfd(0, 0);
    int file = open("/etc/servers.conf", O_RDONLY);

    CHECK(ep >= 0 && other >= 0 && fd >= 0 && file >= 0);
    CHECK(fails(epoll_create(0), EINVAL) && fails(epoll_create1(1), EINVAL));
    CHECK(fails(watch(ep, EPOLL_CTL_ADD, 999, EPOLLIN), EBADF));
    CHECK(fails(watch(999, EPOLL_CTL_ADD, fd, EPOLLIN), EBADF) && fails(watch(fd, EPOLL_CTL_ADD, ep, EPOLLIN), EINVAL));
    CHECK(fails(watch(ep, EPOLL_CTL_ADD, ep, EPOLLIN), EINVAL) &&
          fails(watch(ep, EPOLL_CTL_ADD, other, EPOLLIN), EINVAL));
    CHECK(fails(watch(ep, EPOLL_CTL_ADD, file, EPOLLIN), EPERM) && fails(watch(ep, 9, fd, EPOLLIN), EINVAL));
    CHECK(fails(watch(ep, EPOLL_CTL_MOD, fd, EPOLLIN), ENOENT) && fails(watch(ep, EPOLL_CTL_DEL, fd, 0), ENOENT));
    CHECK(watch(ep, EPOLL_CTL_ADD, fd, EPOLLIN) == 0 && fails(watch(ep, EPOLL_CTL_ADD, fd, EPOLLIN), EEXIST));
    CHECK(fails(epoll_ctl(ep, EPOLL_CTL_MOD, fd, NULL), EFAULT) && fails(epoll_wait(ep, &e, 0, 0), EINVAL));
    CHECK(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL) == 0 && fails(epoll_wait(fd, &e, 1, 0), EINVAL));
    CHECK(close(ep) == 0 && close(other) == 0 && close(fd) == 0 && close(file) == 0);
    return NULL;
}

static const char *epoll_over_pipes(void)
{
    int ep = epoll_create1(0), p[2], copy;
    char c;

    CHECK(ep >= 0 && pipe(p) == 0);
    CHECK(watch(ep, EPOLL_CTL_ADD, p[0], EPOLLIN) == 0 && one(ep, p[0], 0) == 0 && one(ep, p[0], 2) == 0);
    CHECK(write(p[1], "ab", 2) == 2);
    for (int i = 0; i < 2; i++) /* level: as long as there is something */
        CHECK(one(ep, p[0], WAIT_MS) == EPOLLIN && read(p[0], &c, 1) == 1);
    CHECK(one(ep, p[0], 0) == 0);

    CHECK(watch(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET) == 0 && write(p[1], "ab", 2) == 2);
    CHECK(one(ep, p[0], WAIT_MS) == EPOLLIN && one(ep, p[0], 2) == 0); /* edge: once ... */
    CHECK(read(p[0], &c, 1) == 1 && one(ep, p[0], 0) == EPOLLIN);      /* ... until it is worked on */
    CHECK(read(p[0], &c, 1) == 1 && one(ep, p[0], 0) == 0);
    CHECK(write(p[1], "a", 1) == 1 && one(ep, p[0], WAIT_MS) == EPOLLIN && read(p[0], &c, 1) == 1);

    CHECK(watch(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT) == 0 && write(p[1], "a", 1) == 1);
    CHECK(one(ep, p[0], WAIT_MS) == EPOLLIN && one(ep, p[0], 2) == 0);
    CHECK(watch(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT) == 0 && one(ep, p[0], 0) == EPOLLIN);

    CHECK(watch(ep, EPOLL_CTL_MOD, p[0], EPOLLIN) == 0 && close(p[1]) == 0);
    CHECK(one(ep, p[0], WAIT_MS) == (EPOLLIN | EPOLLHUP));
    copy = dup(p[0]);
    CHECK(close(p[0]) == 0 && one(ep, p[0], 0) == (EPOLLIN | EPOLLHUP)); /* the file still lives */
    CHECK(close(copy) == 0 && one(ep, p[0], 0) == 0);                    /* gone by itself */

    CHECK(pipe(p) == 0 && watch(ep, EPOLL_CTL_ADD, p[1], EPOLLOUT) == 0 && one(ep, p[1], 0) == EPOLLOUT);
    CHECK(close(p[0]) == 0 && (one(ep, p[1], 0) & EPOLLERR) && close(p[1]) == 0 && close(ep) == 0);
    return NULL;
}

static const char *epoll_over_messages(void)
{
    int ep = epoll_create1(0), e = sys_endpoint_create(4), fd = sys_handle_fd(e);
    struct sys_msg m;

    CHECK(ep >= 0 && e >= 0 && fd >= 0 && watch(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET) == 0);
    CHECK(one(ep, fd, 2) == 0 && sys_notify(e, 1) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(one(ep, fd, WAIT_MS) == EPOLLIN); /* as level: nobody tells when it is drained */
    CHECK(sys_recv(e, &m, 0) == 0 && one(ep, fd, 2) == 0);
    CHECK(close(fd) == 0 && close(ep) == 0 && sys_notify(e, 1) == -EBADF);
    return NULL;
}

static const char *epoll_over_sockets(void)
{
    int ep = epoll_create1(0), a = bound(SOCK_DGRAM, 7060), b = bound(SOCK_DGRAM, 7061);
    char c[4];

    CHECK(ep >= 0 && a >= 0 && b >= 0 && to(a, 7061) == 0 && to(b, 7060) == 0);
    CHECK(watch(ep, EPOLL_CTL_ADD, a, EPOLLIN) == 0 && one(ep, a, 2) == 0);
    CHECK(send(b, "1", 1, 0) == 1 && one(ep, a, WAIT_MS) == EPOLLIN && one(ep, a, 0) == EPOLLIN);
    CHECK(recv(a, c, 4, 0) == 1 && one(ep, a, 0) == 0);
    CHECK(watch(ep, EPOLL_CTL_MOD, a, EPOLLIN | EPOLLET) == 0 && send(b, "1", 1, 0) == 1);
    CHECK(one(ep, a, WAIT_MS) == EPOLLIN && one(ep, a, 2) == 0);
    CHECK(send(b, "2", 1, 0) == 1 && one(ep, a, WAIT_MS) == EPOLLIN); /* each datagram is an edge */
    CHECK(watch(ep, EPOLL_CTL_MOD, a, EPOLLOUT | EPOLLIN) == 0 && one(ep, a, 0) == (EPOLLIN | EPOLLOUT));
    CHECK(close(a) == 0 && close(b) == 0 && one(ep, a, 0) == 0 && close(ep) == 0);
    return NULL;
}

static const char *epoll_over_connections(void)
{
    int ep = epoll_create1(0), l = bound(SOCK_STREAM, 7062), c = socket(AF_INET, SOCK_STREAM, 0), s;
    char buf[8];

    CHECK(ep >= 0 && l >= 0 && listen(l, 4) == 0 && watch(ep, EPOLL_CTL_ADD, l, EPOLLIN) == 0);
    CHECK(one(ep, l, 2) == 0 && to(c, 7062) == 0 && one(ep, l, WAIT_MS) == EPOLLIN);
    s = accept(l, NULL, NULL);
    CHECK(s >= 0 && one(ep, l, 0) == 0);
    CHECK(watch(ep, EPOLL_CTL_ADD, s, EPOLLIN | EPOLLRDHUP | EPOLLET) == 0 && one(ep, s, 2) == 0);
    CHECK(write(c, "x", 1) == 1 && one(ep, s, WAIT_MS) == EPOLLIN && read(s, buf, 8) == 1);
    CHECK(shutdown(c, SHUT_WR) == 0 && one(ep, s, WAIT_MS) == (EPOLLIN | EPOLLRDHUP));
    CHECK(watch(ep, EPOLL_CTL_MOD, s, EPOLLOUT) == 0 && one(ep, s, WAIT_MS) == EPOLLOUT);
    CHECK(close(s) == 0 && one(ep, s, 0) == 0 && close(c) == 0 && close(l) == 0 && close(ep) == 0);
    return NULL;
}

/* Many sockets, one of them ready at a time: each report is the right one. */
static const char *epoll_over_many(void)
{
    enum { MANY = 60 };
    int ep = epoll_create1(0), fd[MANY], from = socket(AF_INET, SOCK_DGRAM, 0), events[MANY];
    char c;

    CHECK(ep >= 0 && from >= 0);
    for (int i = 0; i < MANY; i++) {
        fd[i] = bound(SOCK_DGRAM, (uint16_t)(7020 + i));
        CHECK(fd[i] >= 0 && watch(ep, EPOLL_CTL_ADD, fd[i], EPOLLIN) == 0);
        events[i] = eventfd(0, 0);
        CHECK(events[i] >= 0 && watch(ep, EPOLL_CTL_ADD, events[i], EPOLLIN) == 0);
    }
    for (int i = 0; i < MANY * 3; i++) {
        int k = i * 7 % MANY;
        eventfd_t v = 1;
        CHECK(to(from, (uint16_t)(7020 + k)) == 0 && send(from, "1", 1, 0) == 1);
        CHECK(one(ep, fd[k], WAIT_MS) == EPOLLIN && recv(fd[k], &c, 1, 0) == 1);
        CHECK(eventfd_write(events[k], v) == 0 && one(ep, events[k], WAIT_MS) == EPOLLIN);
        CHECK(eventfd_read(events[k], &v) == 0 && one(ep, -1, 0) == 0);
    }
    CHECK(close(ep) == 0 && close(from) == 0);
    for (int i = 0; i < MANY; i++)
        CHECK(close(fd[i]) == 0 && close(events[i]) == 0);
    return NULL;
}

static const char *handles_of_one_epoll_are_bounded(void)
{
    static int fd[EPOLL_HANDLES_MAX + 1];
    int ep = epoll_create1(0), r = 0, n = 0;

    CHECK(ep >= 0);
    for (; n <= EPOLL_HANDLES_MAX && r == 0; n++) {
        fd[n] = eventfd(0, 0);
        CHECK(fd[n] >= 0);
        r = watch(ep, EPOLL_CTL_ADD, fd[n], EPOLLIN);
    }
    CHECK(fails(r, ENOSPC) && n == EPOLL_HANDLES_MAX + 1);
    CHECK(one(ep, -1, 2) == 0 && eventfd_write(fd[EPOLL_HANDLES_MAX - 1], 1) == 0);
    CHECK(one(ep, fd[EPOLL_HANDLES_MAX - 1], WAIT_MS) == EPOLLIN && close(ep) == 0);
    while (n > 0)
        CHECK(close(fd[--n]) == 0);
    return NULL;
}

/* --- several threads --- */

static int shared_ep, shared_fd, shared_timer;

static void *helper(void *step)
{
    struct itimerspec t = {.it_value = {0, 1 * MS}};

    usleep(3000);
    switch ((intptr_t)step) {
    case 0:
        eventfd_write(shared_fd, 1);
        break;
    case 1:
        watch(shared_ep, EPOLL_CTL_ADD, shared_fd, EPOLLIN);
        break;
    default:
        timerfd_settime(shared_timer, 0, &t, NULL);
    }
    return NULL;
}

static const char *other_threads_wake_a_wait(void) /* C-EVENT-1 */
{
    struct pollfd p;
    pthread_t t;
    eventfd_t v;

    shared_ep = epoll_create1(0);
    shared_fd = eventfd(0, 0);
    shared_timer = timerfd_create(CLOCK_MONOTONIC, 0);
    p = (struct pollfd){shared_fd, POLLIN, 0};
    for (int i = 0; i < 5; i++) {
        CHECK(pthread_create(&t, NULL, helper, (void *)0) == 0);
        CHECK(poll(&p, 1, WAIT_MS) == 1 && pthread_join(t, NULL) == 0); /* and stays ready */
        CHECK(pthread_create(&t, NULL, helper, (void *)1) == 0);
        CHECK(one(shared_ep, shared_fd, WAIT_MS) == EPOLLIN && pthread_join(t, NULL) == 0);
        CHECK(eventfd_read(shared_fd, &v) == 0 && watch(shared_ep, EPOLL_CTL_ADD, shared_timer, EPOLLIN) == 0);
        CHECK(pthread_create(&t, NULL, helper, (void *)2) == 0);
        CHECK(one(shared_ep, shared_timer, WAIT_MS) == EPOLLIN && pthread_join(t, NULL) == 0);
        CHECK(watch(shared_ep, EPOLL_CTL_DEL, shared_timer, 0) == 0);
        CHECK(watch(shared_ep, EPOLL_CTL_DEL, shared_fd, 0) == 0);
        CHECK(read(shared_timer, &v, sizeof v) == sizeof v);
        CHECK(pthread_create(&t, NULL, helper, (void *)0) == 0);
        CHECK(eventfd_read(shared_fd, &v) == 0 && v == 1 && pthread_join(t, NULL) == 0);
    }
    CHECK(close(shared_ep) == 0 && close(shared_fd) == 0 && close(shared_timer) == 0);
    return NULL;
}

const struct test events_tests[] = {
    {"counters-count", counters_count},
    {"timers-expire", timers_expire},
    {"what-epoll-refuses", what_epoll_refuses},
    {"epoll-over-pipes", epoll_over_pipes},
    {"epoll-over-messages", epoll_over_messages},
    {"epoll-over-sockets", epoll_over_sockets},
    {"epoll-over-connections", epoll_over_connections},
    {"epoll-over-many", epoll_over_many},
    {"handles-of-one-epoll-are-bounded", handles_of_one_epoll_are_bounded},
    {"other-threads-wake-a-wait", other_threads_wake_a_wait},
    {NULL, NULL},
};
