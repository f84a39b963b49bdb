/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/posix.c: fork, exec, posix_spawn and wait as C programs use
 * them: what a child has, and what its parent learns.
 */
#include "selftest.h"
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_PATH "/etc/servers.conf"

extern char **environ;
static char text[70000];

static int exit_of(pid_t pid)
{
    int status;
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static size_t read_all(int fd, char *to, size_t room)
{
    size_t n = 0;
    ssize_t r;
    while (n < room && (r = read(fd, to + n, room - n)) > 0)
        n += (size_t)r;
    return n;
}

/* --- roles, reached by exec and posix_spawn --- */

/* posix-cat: standard input to standard output. */
static int role_cat(int argc, char **argv)
{
    ssize_t n;
    (void)argc, (void)argv;
    while ((n = read(0, text, sizeof text)) > 0)
        for (ssize_t done = 0, w; done < n; done += w)
            if ((w = write(1, text + done, (size_t)(n - done))) <= 0)
                return 2;
    return n == 0 ? 0 : 3;
}

/* posix-fds: which of the first 16 descriptors are open, as a line of 0 and 1. */
static int role_fds(int argc, char **argv)
{
    char line[17];
    (void)argc, (void)argv;
    for (int i = 0; i < 16; i++)
        line[i] = fcntl(i, F_GETFD) >= 0 ? '1' : '0';
    line[16] = '\n';
    return write(1, line, 17) == 17 ? 0 : 1;
}

/* posix-next FD: the next 16 bytes of FD; the environment's SLW_TEST; argv[0]. */
static int role_next(int argc, char **argv)
{
    const char *env = getenv("SLW_TEST");
    char bytes[17] = "";
    if (argc < 3 || read(atoi(argv[2]), bytes, 16) != 16)
        return 1;
    dprintf(1, "%s|%s|%s", bytes, env != NULL ? env : "", argv[0]);
    return 0;
}

/* posix-signals: which of a few are ignored and blocked. */
static int role_signals(int argc, char **argv)
{
    struct sigaction a;
    sigset_t mask;
    int r = 0;
    (void)argc, (void)argv;
    sigaction(SIGUSR1, NULL, &a);
    r |= a.sa_handler == SIG_IGN ? 1 : a.sa_handler == SIG_DFL ? 0 : 128;
    sigaction(SIGUSR2, NULL, &a);
    r |= a.sa_handler == SIG_IGN ? 2 : a.sa_handler == SIG_DFL ? 0 : 128;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    return r | (sigismember(&mask, SIGTERM) ? 4 : 0) | (sigismember(&mask, SIGHUP) ? 8 : 0);
}

/* posix-reap PID: waits for a child that it had before the exec. */
static int role_reap(int argc, char **argv)
{
    pid_t pid = argc > 2 ? atoi(argv[2]) : -1;
    return exit_of(pid) == 33 ? 34 : 1;
}

const struct role posix_roles[] = {
    {"posix-cat", role_cat},         {"posix-fds", role_fds},   {"posix-next", role_next},
    {"posix-signals", role_signals}, {"posix-reap", role_reap}, {NULL, NULL},
};

static int spawn_role(pid_t *pid, const char *role, const char *arg, posix_spawn_file_actions_t *fa,
                      posix_spawnattr_t *attr)
{
    char *argv[] = {"selftest", (char *)role, (char *)arg, NULL};
    return posix_spawn(pid, "/bin/selftest", fa, attr, argv, environ);
}

/* --- fork and wait --- */

static const char *fork_pipe_wait(void)
{
    char buf[32] = "";
    int p[2], status;

    CHECK(pipe(p) == 0);
    pid_t self = getpid(), pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        close(p[0]);
        if (getppid() == self && getpid() != self)
            dprintf(p[1], "from the child");
        _exit(7);
    }
    close(p[1]);
    CHECK(read_all(p[0], buf, sizeof buf) == 14 && strcmp(buf, "from the child") == 0);
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
    CHECK(waitpid(pid, &status, 0) == -1 && errno == ECHILD);
    CHECK(wait(&status) == -1 && errno == ECHILD);
    close(p[0]);
    return NULL;
}

static const char *waiting(void)
{
    siginfo_t info;
    int p[2], status;
    char c;

    CHECK(pipe(p) == 0);
    pid_t a = fork();
    if (a == 0) {
        read(p[0], &c, 1);
        _exit(5);
    }
    pid_t b = fork();
    if (b == 0) {
        raise(SIGKILL);
        _exit(0);
    }
    CHECK(a > 0 && b > 0);
    CHECK(waitpid(a, &status, WNOHANG) == 0);
    CHECK(wait(&status) == b && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CHECK(waitpid(-1, &status, WNOHANG) == 0);
    CHECK(write(p[1], "x", 1) == 1);
    CHECK(waitid(P_PID, (id_t)a, &info, WEXITED | WNOWAIT) == 0);
    CHECK(info.si_pid == a && info.si_signo == SIGCHLD && info.si_code == CLD_EXITED && info.si_status == 5);
    CHECK(waitpid(a, &status, WUNTRACED) == a && WEXITSTATUS(status) == 5);
    CHECK(waitid(P_ALL, 0, &info, WEXITED) == -1 && errno == ECHILD);
    CHECK(waitid(P_ALL, 0, &info, 0) == -1 && errno == EINVAL);
    CHECK(waitpid(-1, &status, 4096) == -1 && errno == EINVAL);
    signal(SIGCHLD, SIG_IGN); /* nobody will ask: they leave no trace */
    a = fork();
    if (a == 0)
        _exit(0);
    CHECK(waitpid(a, &status, 0) == -1 && errno == ECHILD);
    signal(SIGCHLD, SIG_DFL);
    close(p[0]);
    close(p[1]);
    return NULL;
}

/* fork, or once a child has ended: all of this program is promised to each of
 * them, and a small machine has not memory for all at once. */
static pid_t fork_when_possible(void)
{
    uint64_t give_up = sys_now_ns() + WAIT_NS;
    pid_t pid = fork();

    while (pid < 0 && errno == ENOMEM && sys_now_ns() < give_up) {
        usleep(1000);
        pid = fork();
    }
    return pid;
}

static const char *many_children(void)
{
    unsigned sum = 0;
    int status;

    for (int i = 0; i < 100; i++) { /* all of them stay until they are waited for */
        pid_t pid = fork_when_possible();
        CHECK(pid >= 0);
        if (pid == 0) {
            usleep((useconds_t)(100 - i) * 20);
            _exit(i);
        }
    }
    for (int i = 0; i < 100; i++) {
        CHECK(wait(&status) > 0 && WIFEXITED(status));
        sum += (unsigned)WEXITSTATUS(status);
    }
    CHECK(sum == 4950 && wait(&status) == -1 && errno == ECHILD);
    return NULL;
}

static const char *sockets_stay_behind(void)
{
    int s = socket(AF_INET, SOCK_DGRAM, 0), p[2];
    char c = 0;

    CHECK(s >= 0 && pipe(p) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        bool closed = fcntl(s, F_GETFD) == -1 && errno == EBADF;
        int own = socket(AF_INET, SOCK_DGRAM, 0); /* with a stack of its own */
        struct sockaddr any = {.sa_family = AF_INET};
        closed = closed && own >= 0 && bind(own, &any, sizeof any) == 0;
        write(p[1], closed ? "y" : "n", 1);
        exit(0);
    }
    CHECK(exit_of(pid) == 0 && read(p[0], &c, 1) == 1 && c == 'y');
    CHECK(fcntl(s, F_GETFD) == 0 && close(s) == 0);
    close(p[0]);
    close(p[1]);
    return NULL;
}

static int order[8], steps;
static void step_1(void) { order[steps++] = 1; }
static void step_2(void) { order[steps++] = 2; }
static void step_3(void) { order[steps++] = 3; }
static void step_4(void) { order[steps++] = 4; }
static void step_5(void) { order[steps++] = 5; }

static const char *fork_handlers(void)
{
    static bool once;

    if (!once)
        CHECK(pthread_atfork(step_1, step_3, step_5) == 0 && pthread_atfork(step_2, step_4, NULL) == 0);
    once = true;
    steps = 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(steps == 3 && order[0] == 2 && order[1] == 1 && order[2] == 5 ? 0 : 1);
    CHECK(steps == 4 && order[0] == 2 && order[1] == 1 && order[2] == 3 && order[3] == 4);
    CHECK(exit_of(pid) == 0);
    return NULL;
}

/* --- descriptors --- */

static const char *descriptors(void)
{
    int p[2], q[2], fd;
    char c;

    CHECK(pipe(p) == 0 && pipe(q) == 0);
    CHECK(dup2(p[1], q[1]) == q[1]); /* closes q's only writing end */
    CHECK(read(q[0], &c, 1) == 0);
    CHECK(write(q[1], "z", 1) == 1 && read(p[0], &c, 1) == 1 && c == 'z');
    CHECK(dup2(p[1], p[1]) == p[1] && dup2(999, 5) == -1 && errno == EBADF);
    CHECK(dup2(p[1], -1) == -1 && errno == EBADF && dup2(p[1], 1 << 20) == -1 && errno == EBADF);
    CHECK(dup3(p[1], p[1], 0) == -1 && errno == EINVAL);
    CHECK(dup3(p[1], q[1], O_CLOEXEC) == q[1]);
    CHECK(fcntl(q[1], F_GETFD) == FD_CLOEXEC && fcntl(p[1], F_GETFD) == 0); /* of the number alone */
    CHECK(fcntl(p[1], F_SETFD, FD_CLOEXEC) == 0 && fcntl(p[1], F_GETFD) == FD_CLOEXEC);
    CHECK((fd = dup(p[1])) >= 0 && fcntl(fd, F_GETFD) == 0 && close(fd) == 0);
    CHECK((fd = fcntl(p[1], F_DUPFD, 100)) == 100 && close(fd) == 0);
    CHECK((fd = fcntl(p[1], F_DUPFD_CLOEXEC, 100)) == 100 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(close(fd) == 0 && (fd = dup(p[0])) >= 0);
    CHECK(fcntl(p[0], F_SETFL, O_NONBLOCK) == 0 && (fcntl(fd, F_GETFL) & O_NONBLOCK)); /* of the file */
    CHECK(close(fd) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(close(p[i]) == 0 && close(q[i]) == 0);
    return NULL;
}

/* --- exec --- */

static const char *exec_hands_on(void)
{
    static char expect[64], got[128];
    int p[2], fd = open(FILE_PATH, O_RDONLY), gone;
    char number[12];

    CHECK(fd >= 0 && read(fd, expect, 16) == 16 && read(fd, expect, 16) == 16);
    CHECK(lseek(fd, 16, SEEK_SET) == 16 && pipe(p) == 0);
    CHECK((gone = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0);
    pid_t pid = fork();
    if (pid == 0) {
        snprintf(number, sizeof number, "%d", fd);
        dup2(p[1], 1);
        setenv("SLW_TEST", "a value", 1);
        execlp("selftest", "other-name", "posix-next", number, NULL);
        _exit(99);
    }
    close(p[1]);
    got[read_all(p[0], got, sizeof got - 1)] = 0;
    CHECK(exit_of(pid) == 0);
    strcat(expect, "|a value|other-name");
    CHECK(strcmp(got, expect) == 0);
    CHECK(close(p[0]) == 0 && close(fd) == 0 && close(gone) == 0);
    return NULL;
}

static const char *close_on_exec(void)
{
    static char got[64];
    int p[2];

    CHECK(pipe2(p, O_CLOEXEC) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 3; i < 64; i++)
            if (i != p[1])
                close(i);
        dup2(p[1], 1);
        open("/dev/zero", O_RDONLY); /* 3 or so */
        open("/dev/zero", O_RDONLY | O_CLOEXEC);
        dup2(0, 15);
        execl("/bin/selftest", "selftest", "posix-fds", NULL);
        _exit(99);
    }
    close(p[1]);
    got[read_all(p[0], got, sizeof got - 1)] = 0; /* ends: the writing end was close-on-exec but for 1 */
    CHECK(exit_of(pid) == 0);
    CHECK(strcmp(got, p[1] == 3 ? "1110100000000001\n" : "1111000000000001\n") == 0);
    close(p[0]);
    return NULL;
}

static const char *exec_refuses(void)
{
    char *no_args[] = {NULL}, *argv[] = {"x", NULL};
    static char *many[400];
    static char big[5000];

    CHECK(execv("/bin/missing", argv) == -1 && errno == ENOENT);
    CHECK(execv("/etc", argv) == -1 && errno == EACCES);
    CHECK(execv("/etc/servers.conf", argv) == -1 && errno == ENOEXEC);
    CHECK(execvp("missing", argv) == -1 && errno == ENOENT);
    CHECK(execvp("", argv) == -1 && errno == ENOENT);
    for (int i = 0; i < 399; i++)
        many[i] = "x";
    CHECK(execve("/bin/selftest", many, no_args) == -1 && errno == E2BIG);
    memset(big, 'x', sizeof big - 1);
    argv[0] = big;
    CHECK(execve("/bin/selftest", argv, no_args) == -1 && errno == E2BIG);
    return NULL;
}

static const char *exec_keeps_children(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        char number[12];
        pid_t child = fork();
        if (child == 0)
            _exit(33);
        snprintf(number, sizeof number, "%d", (int)child);
        execl("/bin/selftest", "selftest", "posix-reap", number, NULL);
        _exit(99);
    }
    CHECK(exit_of(pid) == 34);
    return NULL;
}

/* --- posix_spawn --- */

static const char *spawn_files(void)
{
    static char expect[70000];
    posix_spawn_file_actions_t fa;
    int fd = open(FILE_PATH, O_RDONLY), p[2];
    size_t n = read_all(fd, expect, sizeof expect);
    pid_t pid;

    CHECK(fd >= 0 && n > 100 && pipe2(p, O_CLOEXEC) == 0);
    CHECK(posix_spawn_file_actions_init(&fa) == 0);
    CHECK(posix_spawn_file_actions_addopen(&fa, 0, FILE_PATH, O_RDONLY, 0) == 0);
    CHECK(posix_spawn_file_actions_adddup2(&fa, p[1], 1) == 0);
    CHECK(posix_spawn_file_actions_addclose(&fa, fd) == 0);
    CHECK(posix_spawn_file_actions_addclose(&fa, -1) == EBADF);
    CHECK(spawn_role(&pid, "posix-cat", NULL, &fa, NULL) == 0);
    close(p[1]);
    CHECK(read_all(p[0], text, sizeof text) == n && memcmp(text, expect, n) == 0);
    CHECK(exit_of(pid) == 0);
    CHECK(posix_spawn_file_actions_addopen(&fa, 5, "/etc/missing", O_RDONLY, 0) == 0);
    CHECK(spawn_role(&pid, "posix-cat", NULL, &fa, NULL) == EBADF); /* p[1] is closed by now */
    CHECK(posix_spawn_file_actions_destroy(&fa) == 0);
    CHECK(posix_spawn_file_actions_init(&fa) == 0);
    CHECK(posix_spawn_file_actions_addopen(&fa, 5, "/etc/missing", O_RDONLY, 0) == 0);
    CHECK(spawn_role(&pid, "posix-cat", NULL, &fa, NULL) == ENOENT);
    CHECK(posix_spawn_file_actions_destroy(&fa) == 0);
    char *argv[] = {"x", NULL};
    CHECK(posix_spawn(&pid, "/bin/missing", NULL, NULL, argv, environ) == ENOENT);
    CHECK(posix_spawnp(&pid, "missing", NULL, NULL, argv, environ) == ENOENT);
    CHECK(close(p[0]) == 0 && close(fd) == 0);
    return NULL;
}

/* cat | cat | cat, all three spawned. */
static const char *a_pipeline(void)
{
    posix_spawn_file_actions_t fa;
    int in[4][2];
    pid_t pid[3];

    for (int i = 0; i < 4; i++)
        CHECK(pipe2(in[i], O_CLOEXEC) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(posix_spawn_file_actions_init(&fa) == 0);
        CHECK(posix_spawn_file_actions_adddup2(&fa, in[i][0], 0) == 0);
        CHECK(posix_spawn_file_actions_adddup2(&fa, in[i + 1][1], 1) == 0);
        CHECK(spawn_role(&pid[i], "posix-cat", NULL, &fa, NULL) == 0);
        CHECK(posix_spawn_file_actions_destroy(&fa) == 0);
    }
    pid_t writer = fork();
    if (writer == 0) {
        for (int i = 0; i < 3000; i++)
            if (write(in[0][1], "0123456789abcdefghijklmnopqrstuvwxyz", 36) != 36)
                _exit(1);
        _exit(0);
    }
    for (int i = 0; i < 4; i++) {
        close(in[i][1]);
        if (i < 3)
            close(in[i][0]);
    }
    size_t n = 0, k;
    while ((k = read_all(in[3][0], text, 3600)) > 0) {
        for (size_t i = 0; i < k; i++)
            CHECK(text[i] == "0123456789abcdefghijklmnopqrstuvwxyz"[(n + i) % 36]);
        n += k;
    }
    CHECK(n == 3000 * 36 && exit_of(writer) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(exit_of(pid[i]) == 0);
    close(in[3][0]);
    return NULL;
}

/* cat FILE | wc, as a shell starts it: two ordinary programs. */
static const char *cat_to_wc(void)
{
    static char expect[70000], got[64];
    int fd = open(FILE_PATH, O_RDONLY), a[2], b[2];
    size_t n = read_all(fd, expect, sizeof expect);
    unsigned long lines = 0, saw[3] = {0};

    for (size_t i = 0; i < n; i++)
        lines += expect[i] == '\n';
    CHECK(fd >= 0 && pipe(a) == 0 && pipe(b) == 0);
    pid_t cat = fork();
    if (cat == 0) {
        dup2(a[1], 1);
        for (int i = 3; i < 32; i++)
            close(i);
        execlp("cat", "cat", FILE_PATH, NULL);
        _exit(99);
    }
    pid_t wc = fork();
    if (wc == 0) {
        dup2(a[0], 0);
        dup2(b[1], 1);
        for (int i = 3; i < 32; i++)
            close(i);
        execlp("wc", "wc", NULL);
        _exit(99);
    }
    close(a[0]), close(a[1]), close(b[1]);
    got[read_all(b[0], got, sizeof got - 1)] = 0;
    CHECK(exit_of(cat) == 0 && exit_of(wc) == 0);
    CHECK(sscanf(got, "%lu %lu %lu", &saw[0], &saw[1], &saw[2]) == 3);
    CHECK(saw[0] == lines && saw[1] > lines && saw[2] == n);
    CHECK(close(b[0]) == 0 && close(fd) == 0);
    return NULL;
}

static const char *spawn_attributes(void)
{
    posix_spawnattr_t a;
    sigset_t block, set;
    pid_t pid;
    short flags;

    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    sigemptyset(&block);
    sigaddset(&block, SIGTERM);
    CHECK(sigprocmask(SIG_BLOCK, &block, NULL) == 0);
    CHECK(spawn_role(&pid, "posix-signals", NULL, NULL, NULL) == 0 && exit_of(pid) == (1 | 2 | 4));
    pid = fork();
    if (pid == 0) {
        execl("/bin/selftest", "selftest", "posix-signals", NULL);
        _exit(99);
    }
    CHECK(exit_of(pid) == (1 | 2 | 4)); /* the same over exec */
    CHECK(posix_spawnattr_init(&a) == 0);
    CHECK(posix_spawnattr_setflags(&a, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK) == 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    CHECK(posix_spawnattr_setsigdefault(&a, &set) == 0);
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    CHECK(posix_spawnattr_setsigmask(&a, &set) == 0);
    CHECK(spawn_role(&pid, "posix-signals", NULL, NULL, &a) == 0 && exit_of(pid) == (1 | 8));
    CHECK(posix_spawnattr_getflags(&a, &flags) == 0 && flags == (POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK));
    CHECK(posix_spawnattr_setflags(&a, 0x4000) == EINVAL);
    CHECK(posix_spawnattr_setflags(&a, POSIX_SPAWN_SETPGROUP) == 0);
    CHECK(spawn_role(&pid, "posix-signals", NULL, NULL, &a) == ENOTSUP);
    CHECK(posix_spawnattr_destroy(&a) == 0);
    CHECK(sigprocmask(SIG_UNBLOCK, &block, NULL) == 0);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
    return NULL;
}

/* --- memory --- */

static const char *mappings(void)
{
    struct shared {
        sem_t ready, done;
        int value;
    } *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int *own = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char c;

    CHECK(s != MAP_FAILED && own != MAP_FAILED && *own == 0);
    CHECK(sem_init(&s->ready, 1, 0) == 0 && sem_init(&s->done, 1, 0) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        sem_wait(&s->ready);
        s->value = s->value * 2;
        *own = 5;
        sem_post(&s->done);
        _exit(0);
    }
    s->value = 21;
    CHECK(sem_post(&s->ready) == 0 && sem_wait(&s->done) == 0);
    CHECK(s->value == 42 && *own == 0 && exit_of(pid) == 0);
    CHECK(mprotect(own, 4096, PROT_READ) == 0 && msync(own, 4096, MS_SYNC) == 0);
    CHECK(mprotect(own, 4096, PROT_WRITE | PROT_EXEC) == -1 && errno == EACCES);
    CHECK(munmap(own, 4096) == 0 && munmap(s, sizeof *s) == 0);
    int fd = open(FILE_PATH, O_RDONLY);
    char *file = mmap(NULL, 100, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(file != MAP_FAILED && read(fd, &c, 1) == 1 && c == file[0]);
    CHECK(munmap(file, 100) == 0 && close(fd) == 0);
    CHECK(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap(NULL, 100, PROT_READ, MAP_PRIVATE, 999, 0) == MAP_FAILED && errno == EBADF);
    return NULL;
}

static const char *identity(void)
{
    CHECK(getppid() == 1 && getpgrp() == getpid() && getpgid(0) == getpid());
    CHECK(setpgid(0, 0) == 0 && setpgid(1, 0) == -1 && errno == EPERM);
    CHECK(nice(-1) == -1 && errno == EPERM);
    pid_t pid = fork();
    if (pid == 0)
        _exit(nice(5) == 5 && nice(100) == 19 && sys_process_control(PROCESS_PRIORITY, 0, 0) >= 1 ? 0 : 1);
    CHECK(exit_of(pid) == 0);
    CHECK(kill(getppid(), SIGUSR1) == -1 && errno == EPERM); /* init */
    CHECK(kill(-1, 0) == -1 && errno == EPERM && killpg(-5, 0) == -1 && errno == EINVAL);
    CHECK(system(NULL) == 0 && system("true") == -1 && errno == ENOENT);
    CHECK(popen("true", "r") == NULL && errno == ENOENT);
    CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= 1 && sysconf(_SC_PAGESIZE) == 4096);
    return NULL;
}

const struct test posix_tests[] = {
    {"fork-pipe-wait", fork_pipe_wait},
    {"waiting", waiting},
    {"many-children", many_children},
    {"sockets-stay-behind", sockets_stay_behind},
    {"fork-handlers", fork_handlers},
    {"descriptors", descriptors},
    {"exec-hands-on", exec_hands_on},
    {"close-on-exec", close_on_exec},
    {"exec-refuses", exec_refuses},
    {"exec-keeps-children", exec_keeps_children},
    {"spawn-files", spawn_files},
    {"a-pipeline", a_pipeline},
    {"cat-to-wc", cat_to_wc},
    {"spawn-attributes", spawn_attributes},
    {"mappings", mappings},
    {"identity", identity},
    {NULL, NULL},
};
