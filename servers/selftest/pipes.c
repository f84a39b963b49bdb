/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/pipes.c: pipes: what a write may mix with, what either end sees
 * when the other is gone, readiness, and that their pages come and go.
 */
#include "selftest.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAPACITY   65536
#define WRITERS    4
#define RECORDS    64
#define MANY_PIPES 1000

static char buf[CAPACITY + 4096];

static bool read_whole(int fd, void *to, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t r = read(fd, (char *)to + done, n - done);
        if (r <= 0)
            return false;
        done += (size_t)r;
    }
    return true;
}

static bool ended_well(pid_t pid)
{
    int status;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static const char *bytes_pass(void)
{
    struct stat st;
    int p[2];

    CHECK(pipe(p) == 0);
    CHECK(write(p[1], "hello", 5) == 5);
    CHECK(write(p[1], " there", 6) == 6);
    CHECK(read(p[0], buf, 100) == 11 && memcmp(buf, "hello there", 11) == 0);
    CHECK(read(p[1], buf, 1) == -1 && errno == EBADF);
    CHECK(write(p[0], buf, 1) == -1 && errno == EBADF);
    CHECK(lseek(p[0], 0, SEEK_SET) == -1 && errno == ESPIPE);
    CHECK(fstat(p[0], &st) == 0 && S_ISFIFO(st.st_mode));
    CHECK(isatty(p[0]) == 0);
    CHECK(write(p[1], "x", 1) == 1 && close(p[1]) == 0);
    CHECK(read(p[0], buf, 10) == 1);
    CHECK(read(p[0], buf, 10) == 0 && read(p[0], buf, 10) == 0); /* the end, as often as asked */
    CHECK(close(p[0]) == 0);
    CHECK(pipe2(p, 0x40000000) == -1 && errno == EINVAL);
    return NULL;
}

/* The pattern's every byte says where it belongs. */
static const char *order_is_kept(void)
{
    uint32_t seed = 1, wrote = 0, got = 0;
    int p[2];

    CHECK(pipe2(p, O_NONBLOCK) == 0);
    while (got < 2000000) {
        seed = seed * 1664525 + 1013904223;
        size_t n = 1 + (seed >> 8) % 9000;
        for (size_t i = 0; i < n; i++)
            buf[i] = (char)((wrote + i) * 7 >> 3);
        ssize_t w = (seed >> 30) != 0 ? write(p[1], buf, n) : 0;
        CHECK(w >= 0 || errno == EAGAIN);
        wrote += w > 0 ? (uint32_t)w : 0;
        ssize_t r = read(p[0], buf, 1 + (seed >> 4) % 7000);
        CHECK(r > 0 || (r == -1 && errno == EAGAIN && got == wrote));
        for (ssize_t i = 0; i < r; i++)
            CHECK(buf[i] == (char)((got + (uint32_t)i) * 7 >> 3));
        got += r > 0 ? (uint32_t)r : 0;
    }
    CHECK(close(p[0]) == 0 && close(p[1]) == 0);
    return NULL;
}

/* Records of up to PIPE_BUF bytes, each filled with its writer's number, length first. */
static void write_records(int fd, int me)
{
    static struct {
        uint16_t bytes;
        uint8_t fill[4096 - 2];
    } record;

    memset(&record, me, sizeof record);
    for (int i = 0; i < RECORDS; i++) {
        record.bytes = (uint16_t)(64 + (i * 977 + me * 131) % (4096 - 64));
        if (i % 8 == 7)
            record.bytes = 4096;
        if (write(fd, &record, record.bytes) != record.bytes)
            _exit(1);
    }
    _exit(0);
}

static const char *writes_do_not_mix(void) /* C-PIPE-1 */
{
    pid_t pid[WRITERS];
    unsigned records = 0;
    uint16_t bytes;
    int p[2];

    CHECK(pipe(p) == 0);
    for (int i = 0; i < WRITERS; i++) {
        pid[i] = fork();
        CHECK(pid[i] >= 0);
        if (pid[i] == 0)
            write_records(p[1], i + 1);
    }
    close(p[1]);
    while (read_whole(p[0], &bytes, 2)) {
        CHECK(bytes >= 64 && bytes <= 4096);
        CHECK(read_whole(p[0], buf, bytes - 2u));
        for (int i = 1; i < bytes - 2; i++)
            CHECK(buf[i] == buf[0]);
        records++;
    }
    CHECK(records == WRITERS * RECORDS);
    for (int i = 0; i < WRITERS; i++)
        CHECK(ended_well(pid[i]));
    close(p[0]);
    return NULL;
}

static const char *full_and_empty(void) /* C-PIPE-1 */
{
    struct pollfd f = {.events = POLLOUT};
    int p[2];

    CHECK(pipe2(p, O_NONBLOCK) == 0);
    CHECK(read(p[0], buf, 1) == -1 && errno == EAGAIN);
    CHECK(write(p[1], buf, CAPACITY + 4096) == CAPACITY); /* a long one: as much as there is room for */
    CHECK(write(p[1], buf, 1) == -1 && errno == EAGAIN);
    CHECK(read(p[0], buf, 100) == 100);
    CHECK(write(p[1], buf, 101) == -1 && errno == EAGAIN); /* a short one: whole or not at all */
    f.fd = p[1];
    CHECK(poll(&f, 1, 0) == 0);
    CHECK(write(p[1], buf, 100) == 100);
    CHECK(read(p[0], buf, 4096) == 4096);
    CHECK(poll(&f, 1, 0) == 1 && f.revents == POLLOUT);
    CHECK(write(p[1], buf, 4096) == 4096);
    CHECK(read(p[0], buf, sizeof buf) == CAPACITY);
    CHECK(close(p[0]) == 0 && close(p[1]) == 0);
    return NULL;
}

static const char *readers_gone(void)
{
    _sig_func_ptr old = signal(SIGPIPE, SIG_IGN);
    int p[2], status;

    CHECK(pipe(p) == 0);
    close(p[0]);
    CHECK(write(p[1], "x", 1) == -1 && errno == EPIPE);
    signal(SIGPIPE, old);
    pid_t pid = fork();
    if (pid == 0) {
        write(p[1], "x", 1);
        _exit(1);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
    close(p[1]);
    /* A writer that waits for room is told, too. */
    CHECK(pipe(p) == 0);
    pid = fork();
    if (pid == 0) {
        signal(SIGPIPE, SIG_IGN);
        close(p[0]);
        for (int i = 0; i <= CAPACITY / 4096 + 1; i++) /* one of them finds it full, and then gone */
            if (write(p[1], buf, 4096) != 4096)
                _exit(errno == EPIPE ? 0 : 2);
        _exit(1);
    }
    close(p[1]);
    CHECK(read_whole(p[0], buf, 10));
    usleep(5000);
    close(p[0]);
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    return NULL;
}

static const char *poll_sees(void)
{
    struct pollfd f[2] = {{.events = POLLIN}, {.events = POLLOUT}};
    int p[2];

    CHECK(pipe(p) == 0);
    f[0].fd = p[0];
    f[1].fd = p[1];
    CHECK(poll(f, 1, 5) == 0);
    CHECK(poll(f, 2, -1) == 1 && f[1].revents == POLLOUT);
    pid_t pid = fork();
    if (pid == 0) {
        usleep(3000);
        _exit(write(p[1], "x", 1) == 1 ? 0 : 1);
    }
    CHECK(poll(f, 1, 5000) == 1 && f[0].revents == POLLIN); /* woken */
    CHECK(ended_well(pid));
    CHECK(read(p[0], buf, 1) == 1);
    close(p[1]);
    CHECK(poll(f, 1, 5000) == 1 && (f[0].revents & POLLHUP) && !(f[0].revents & POLLIN));
    close(p[0]);
    CHECK(pipe(p) == 0);
    f[1].fd = p[1];
    close(p[0]);
    CHECK(poll(f + 1, 1, 5000) == 1 && (f[1].revents & POLLERR));
    close(p[1]);
    return NULL;
}

/* poll for room: the reader is another process, and slow. */
static const char *poll_waits_for_room(void)
{
    struct pollfd f = {.events = POLLOUT};
    int p[2];

    CHECK(pipe2(p, O_NONBLOCK) == 0);
    CHECK(write(p[1], buf, CAPACITY) == CAPACITY);
    pid_t pid = fork();
    if (pid == 0) {
        usleep(3000);
        _exit(read(p[0], buf, 8192) == 8192 ? 0 : 1);
    }
    f.fd = p[1];
    uint64_t start = sys_now_ns();
    CHECK(poll(&f, 1, 5000) == 1 && f.revents == POLLOUT);
    CHECK(sys_now_ns() - start < WAIT_NS / 2); /* by the reader, not by the time-out */
    CHECK(ended_well(pid));
    close(p[0]);
    close(p[1]);
    return NULL;
}

static int ends[MANY_PIPES][2];

static const char *a_thousand(void) /* C-PIPE-2 */
{
    uint64_t before = 0;

    for (int round = 0; round < 2; round++) { /* the first one warms the caches up */
        before = round == 1 ? free_bytes() : 0;
        for (int i = 0; i < MANY_PIPES; i++)
            CHECK(pipe(ends[i]) == 0 && write(ends[i][1], &i, sizeof i) == sizeof i);
        for (int i = 0; i < MANY_PIPES; i++) {
            int got = -1;
            CHECK(read(ends[i][0], &got, sizeof got) == sizeof got && got == i);
        }
        for (int i = 0; i < MANY_PIPES; i++)
            CHECK(close(ends[i][0]) == 0 && close(ends[i][1]) == 0);
    }
    CHECK(free_bytes() >= before);
    return NULL;
}

/* A full pipe outlives its maker, whose memory it was; the next writer pays. */
static const char *the_bill_moves(void) /* C-PIPE-2 */
{
    int p[2], status;
    uint64_t before;

    CHECK(pipe(p) == 0 && write(p[1], "x", 1) == 1 && read(p[0], buf, 1) == 1);
    before = free_bytes();
    pid_t pid = fork();
    if (pid == 0) {
        int q[2];
        if (pipe(q) != 0 || write(q[1], buf, CAPACITY) != CAPACITY)
            _exit(1);
        pid_t next = fork();
        if (next != 0)
            _exit(next < 0); /* the maker is gone */
        usleep(2000);
        bool good = read(q[0], buf, CAPACITY) == CAPACITY && write(q[1], buf, CAPACITY) == CAPACITY;
        close(q[0]);
        close(q[1]);
        write(p[1], good ? "y" : "n", 1);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(read(p[0], buf, 1) == 1 && buf[0] == 'y');
    usleep(5000);
    CHECK(free_bytes() >= before);
    close(p[0]);
    close(p[1]);
    return NULL;
}

static const char *hostile_arguments(void)
{
    int32_t e[2];

    CHECK(sys_pipe_create((int32_t *)(uintptr_t)strtoul("4096", NULL, 0)) == -EFAULT);
    CHECK(sys_pipe_create(e) == 0);
    CHECK(sys_stream_read(e[1], buf, 1, 0) == -EBADF);
    CHECK(sys_stream_write(e[0], buf, 1, 0) == -EBADF);
    CHECK(sys_stream_write(e[1], (void *)0xffff800000000000ull, 8, 0) == -EFAULT);
    CHECK(sys_stream_write(e[1], (void *)0x1000, 8, 0) == -EFAULT);
    CHECK(sys_stream_write(e[1], "abc", UINT64_MAX, 0) == -EFAULT);
    CHECK(sys_stream_read(e[0], buf, 1, 0) == -EAGAIN); /* nothing of those went in */
    CHECK(sys_stream_write(e[1], "abc", 3, 0) == 3);
    CHECK(sys_stream_read(e[0], (void *)0x1000, 3, 0) == -EFAULT);
    CHECK(sys_stream_read(e[0], buf, 8, 0) == 3 && memcmp(buf, "abc", 3) == 0); /* nor was it lost */
    CHECK(sys_handle_close(e[0]) == 0 && sys_handle_close(e[1]) == 0);
    return NULL;
}

const struct test pipes_tests[] = {
    {"bytes-pass", bytes_pass},
    {"order-is-kept", order_is_kept},
    {"writes-do-not-mix", writes_do_not_mix},
    {"full-and-empty", full_and_empty},
    {"readers-gone", readers_gone},
    {"poll-sees", poll_sees},
    {"poll-waits-for-room", poll_waits_for_room},
    {"a-thousand", a_thousand},
    {"the-bill-moves", the_bill_moves},
    {"hostile-arguments", hostile_arguments},
    {NULL, NULL},
};
