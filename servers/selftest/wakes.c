/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/wakes.c: who is woken for a packet, and who looks after
 * connections while the program does something else.
 *
 *   computer ""   for tests/system/test_helper.py: accepts on TCP port 7073 and
 *       computes for 4 s; then reads to the end and answers with the number of bytes
 */
#include "selftest.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDLE      8
#define ROUNDS    400
#define FIRST     7030 /* UDP ports of the idle ones; the busy one has the next */
#define COMPUTE_S 4
#define MS        1000000ull

static int idle_fd[IDLE], busy_fd, told[2];
static atomic_uint asleep;
static uint64_t idle_wakes[IDLE], busy_wakes;

static struct sockaddr_in here(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static int udp(uint16_t port)
{
    struct sockaddr_in a = here(port);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    return fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 ? fd : -1;
}

/* Waits in one of three ways until its socket has something, once. */
static void *idle_thread(void *arg)
{
    int i = (int)(intptr_t)arg, fd = idle_fd[i];
    struct epoll_event e = {.events = EPOLLIN};
    struct pollfd p = {fd, POLLIN, 0};
    uint64_t before = slipway_net_wakeups();
    char c;

    asleep++;
    if (i % 3 == 0)
        poll(&p, 1, -1);
    if (i % 3 == 1) {
        int ep = epoll_create1(0);
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
        epoll_wait(ep, &e, 1, -1);
        close(ep);
    }
    ssize_t n = recv(fd, &c, 1, 0);
    idle_wakes[i] = slipway_net_wakeups() - before;
    return n == 1 ? arg : NULL;
}

static void *busy_thread(void *arg)
{
    uint64_t before = slipway_net_wakeups();
    char c;

    asleep++;
    for (int i = 0; i < ROUNDS; i++)
        if (recv(busy_fd, &c, 1, 0) != 1 || write(told[1], &c, 1) != 1)
            return NULL;
    busy_wakes = slipway_net_wakeups() - before;
    return arg != NULL ? arg : told;
}

/* C-WAKE-1. Each wait of an idle thread ends once for its own datagram; one of them
 * may have led at first, and have been woken for another until it gave that up. */
static const char *only_ones_own_socket_wakes(void)
{
    struct sockaddr_in to;
    pthread_t idle[IDLE], busy;
    uint64_t sum = 0;
    void *result;
    char c = 'x';
    int out = socket(AF_INET, SOCK_DGRAM, 0);

    CHECK(out >= 0 && pipe(told) == 0 && (busy_fd = udp(FIRST + IDLE)) >= 0);
    asleep = 0;
    for (int i = 0; i < IDLE; i++) {
        CHECK((idle_fd[i] = udp((uint16_t)(FIRST + i))) >= 0);
        CHECK(pthread_create(&idle[i], NULL, idle_thread, (void *)(intptr_t)i) == 0);
    }
    CHECK(pthread_create(&busy, NULL, busy_thread, NULL) == 0);
    while (asleep < IDLE + 1)
        usleep(1000);
    usleep(20000);
    to = here(FIRST + IDLE);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(sendto(out, &c, 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1);
        CHECK(read(told[0], &c, 1) == 1);
    }
    CHECK(pthread_join(busy, &result) == 0 && result == told);
    for (int i = 0; i < IDLE; i++) {
        to = here((uint16_t)(FIRST + i));
        CHECK(sendto(out, &c, 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1);
        CHECK(pthread_join(idle[i], &result) == 0 && result == (void *)(intptr_t)i);
        sum += idle_wakes[i];
        close(idle_fd[i]);
    }
    CHECK(busy_wakes >= ROUNDS / 2);
    CHECK(sum <= 2 * IDLE + 4);
    close(busy_fd);
    close(out);
    close(told[0]);
    close(told[1]);
    return NULL;
}

/* A stream to oneself. */
static int streams(int fd[2], uint16_t port)
{
    struct sockaddr_in a = here(port);
    int l = socket(AF_INET, SOCK_STREAM, 0);

    fd[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (l < 0 || fd[0] < 0 || bind(l, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(l, 1) != 0 ||
        connect(fd[0], (struct sockaddr *)&a, sizeof(a)) != 0)
        return -1;
    fd[1] = accept(l, NULL, NULL);
    close(l);
    return fd[1];
}

/* C-WAKE-2 */
static const char *helper_stands_in_and_does_not_tick(void)
{
    struct timeval half = {0, 500000};
    int fd[2], left = -1;
    char c;

    CHECK(streams(fd, 7042) >= 0);
    CHECK(setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &half, sizeof(half)) == 0);
    CHECK(send(fd[0], "x", 1, 0) == 1 && recv(fd[1], &c, 1, 0) == 1);
    CHECK(recv(fd[0], &c, 1, 0) < 0 && errno == EAGAIN); /* the delayed ACK is out of the way */
    unsigned before = slipway_net_helps();
    CHECK(recv(fd[0], &c, 1, 0) < 0 && errno == EAGAIN);
    CHECK(slipway_net_helps() == before); /* somebody leads */
    usleep(500000);
    CHECK(slipway_net_helps() - before <= 2); /* nobody does, and nothing is to be done */
    CHECK(send(fd[0], "y", 1, 0) == 1);
    for (uint64_t end = sys_now_ns() + 300 * MS; sys_now_ns() < end;)
        ;
    CHECK(slipway_net_helps() > before); /* it was taken in while we computed: */
    CHECK(ioctl(fd[0], TIOCOUTQ, &left) == 0 && left == 0);
    CHECK(recv(fd[1], &c, 1, MSG_DONTWAIT) == 1 && c == 'y');
    close(fd[0]);
    close(fd[1]);
    return NULL;
}

static void *computes_with_a_stack_of_its_own(void *arg)
{
    int fd[2], left = -1;
    char c;

    (void)arg;
    CHECK(slipway_net_thread() == 0 && streams(fd, 7045) >= 0);
    CHECK(send(fd[0], "y", 1, 0) == 1);
    for (uint64_t end = sys_now_ns() + 300 * MS; sys_now_ns() < end;)
        ;
    CHECK(ioctl(fd[0], TIOCOUTQ, &left) == 0 && left == 0);
    CHECK(recv(fd[1], &c, 1, MSG_DONTWAIT) == 1 && c == 'y');
    close(fd[0]);
    close(fd[1]);
    return NULL;
}

/* C-WAKE-2: the helper runs already, for another thread. */
static const char *helper_looks_after_later_stacks(void)
{
    void *said = NULL;
    pthread_t t;
    int fd[2];

    CHECK(streams(fd, 7046) >= 0);
    usleep(100000);
    CHECK(pthread_create(&t, NULL, computes_with_a_stack_of_its_own, NULL) == 0);
    CHECK(pthread_join(t, &said) == 0);
    close(fd[0]);
    close(fd[1]);
    return said;
}

static int handler_fd;
static volatile sig_atomic_t handler_got;

static void receives(int signal)
{
    char c;

    (void)signal;
    handler_got = (int)recv(handler_fd, &c, 1, 0); /* blocks: POSIX lets a handler do that */
}

static void *sends_twice(void *arg)
{
    struct sockaddr_in in_handler = here(7044), outside = here(7043);
    int out = socket(AF_INET, SOCK_DGRAM, 0);

    usleep(20000);
    pthread_kill(*(pthread_t *)arg, SIGUSR1);
    usleep(20000);
    sendto(out, "h", 1, 0, (struct sockaddr *)&in_handler, sizeof(in_handler));
    usleep(20000);
    sendto(out, "o", 1, 0, (struct sockaddr *)&outside, sizeof(outside));
    close(out);
    return arg;
}

/* The interrupted call led, and its handler sleeps for the network, too. */
static const char *handler_that_receives(void)
{
    struct sigaction a = {.sa_handler = receives, .sa_flags = SA_RESTART};
    pthread_t self = pthread_self(), t;
    int fd = udp(7043);
    char c = 0;

    CHECK(fd >= 0 && (handler_fd = udp(7044)) >= 0 && sigaction(SIGUSR1, &a, NULL) == 0);
    CHECK(pthread_create(&t, NULL, sends_twice, &self) == 0);
    CHECK(recv(fd, &c, 1, 0) == 1 && c == 'o' && handler_got == 1);
    CHECK(pthread_join(t, NULL) == 0 && signal(SIGUSR1, SIG_DFL) == receives);
    close(fd);
    close(handler_fd);
    return NULL;
}

const struct test wakes_tests[] = {
    {"only-ones-own-socket-wakes", only_ones_own_socket_wakes},
    {"helper-stands-in-and-does-not-tick", helper_stands_in_and_does_not_tick},
    {"helper-looks-after-later-stacks", helper_looks_after_later_stacks},
    {"handler-that-receives", handler_that_receives},
    {NULL, NULL},
};

static int role_computer(int argc, char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(7073)};
    int l = socket(AF_INET, SOCK_STREAM, 0), fd[2];
    static char buf[4096];

    (void)argc, (void)argv;
    if (l < 0 || bind(l, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(l, 4) != 0)
        return 1;
    for (;;) {
        for (int i = 0; i < 2; i++)
            if ((fd[i] = accept(l, NULL, NULL)) < 0)
                return 2;
        for (uint64_t end = sys_now_ns() + COMPUTE_S * 1000 * MS; sys_now_ns() < end;)
            ;
        for (int i = 0; i < 2; i++) {
            unsigned long total = 0;
            ssize_t n;
            while ((n = recv(fd[i], buf, sizeof(buf), 0)) > 0)
                total += (unsigned long)n;
            int k = snprintf(buf, sizeof(buf), "%lu %u\n", n == 0 ? total : 0, slipway_net_helps());
            send(fd[i], buf, (size_t)k, MSG_NOSIGNAL);
            close(fd[i]);
        }
    }
}

const struct role wakes_roles[] = {{"computer", role_computer}, {NULL, NULL}};
