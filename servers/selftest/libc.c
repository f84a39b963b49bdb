/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/libc.c: what a C program finds here: memory, files, clocks,
 * threads. Sockets have a file of their own.
 */
#include "selftest.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define THREADS 6
#define ROUNDS  1000
#define MS      1000000ull
#define LATE    500 /* ms that a busy host may add to a wait */

/* --- memory --- */

static const char *memory_comes_and_goes(void)
{
    unsigned char *p[100];
    void *a;

    for (unsigned i = 0; i < 100; i++) {
        CHECK((p[i] = malloc(1 + i * 137)) != NULL);
        memset(p[i], (int)i, 1 + i * 137);
    }
    for (unsigned i = 0; i < 100; i++) {
        CHECK(p[i][0] == i && p[i][i * 137] == i);
        free(p[i]);
    }
    CHECK(posix_memalign(&a, 4096, 100) == 0 && ((uintptr_t)a & 4095) == 0);
    free(a);
    return NULL;
}

/* The limit is the manifest's: malloc says so, and what was taken goes back. */
static const char *memory_has_a_limit(void)
{
    void *block[64];
    unsigned first = 0, again = 0;

    CHECK(malloc((size_t)1 << 40) == NULL && errno == ENOMEM);
    while (first < 64 && (block[first] = malloc(1 << 20)) != NULL)
        first++;
    for (unsigned i = 0; i < first; i++)
        free(block[i]);
    CHECK(first > 4 && first < 64);
    while (again < 64 && (block[again] = malloc(1 << 20)) != NULL)
        again++;
    for (unsigned i = 0; i < again; i++)
        free(block[i]);
    CHECK(again == first);
    return NULL;
}

/* --- files --- */

static const char *files_can_be_read(void)
{
    const char *path = "/etc/servers.conf";
    char line[128];
    struct stat st;
    size_t len;

    CHECK(stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0);
    const char *mapped = initrd_map_file(path, &len);
    CHECK(mapped != NULL && (off_t)len == st.st_size);
    FILE *f = fopen(path, "r");
    CHECK(f != NULL && fgets(line, sizeof(line), f) != NULL && memcmp(line, mapped, strlen(line)) == 0);
    CHECK(fseek(f, -5, SEEK_END) == 0 && fread(line, 1, 10, f) == 5 &&
          memcmp(line, mapped + len - 5, 5) == 0);
    CHECK(feof(f) && fclose(f) == 0);
    return NULL;
}

static const char *files_cannot_be_changed(void)
{
    struct stat st;

    CHECK(open("/etc/servers.conf", O_WRONLY) < 0 && errno == EROFS);
    CHECK(open("/new", O_WRONLY | O_CREAT, 0600) < 0 && errno == EROFS);
    CHECK(unlink("/etc/servers.conf") < 0 && errno == EROFS);
    CHECK(mkdir("/new", 0700) < 0 && errno == EROFS && mkdir("/etc", 0700) < 0 && errno == EEXIST);
    CHECK(open("/none", O_RDONLY) < 0 && errno == ENOENT && stat("/none", &st) < 0 && errno == ENOENT);
    return NULL;
}

static const char *folders_and_paths(void)
{
    char cwd[64];
    unsigned etc = 0;
    DIR *d = opendir("/");

    CHECK(d != NULL);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d))
        etc += strcmp(e->d_name, "etc") == 0 && e->d_type == DT_DIR;
    CHECK(etc == 1 && closedir(d) == 0);
    CHECK(opendir("/etc/servers.conf") == NULL && errno == ENOTDIR);
    CHECK(chdir("etc/../etc/.") == 0 && strcmp(getcwd(cwd, sizeof(cwd)), "/etc") == 0);
    CHECK(access("servers.conf", R_OK) == 0 && access("../etc//servers.conf", R_OK) == 0);
    CHECK(chdir("servers.conf") < 0 && errno == ENOTDIR && chdir("/") == 0);
    return NULL;
}

static const char *descriptors(void)
{
    unsigned char noise[32] = {0};
    unsigned set = 0;
    int fd = open("/dev/null", O_RDWR);

    CHECK(fd > 2 && write(fd, "x", 1) == 1 && read(fd, noise, 1) == 0);
    CHECK(dup2(fd, 300) == 300 && close(300) == 0 && close(300) < 0 && errno == EBADF);
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && (fcntl(fd, F_GETFL) & O_NONBLOCK));
    CHECK(lseek(fd, 0, SEEK_SET) < 0 && errno == ESPIPE && close(fd) == 0);
    CHECK(open("/dev/null", O_RDONLY) == fd && close(fd) == 0); /* the lowest free number */
    CHECK((fd = open("/dev/urandom", O_RDONLY)) >= 0 && read(fd, noise, sizeof(noise)) == sizeof(noise));
    for (unsigned i = 0; i < sizeof(noise); i++)
        set += noise[i] != 0;
    CHECK(set > 16 && close(fd) == 0);
    CHECK(read(-1, noise, 1) < 0 && errno == EBADF && write(16384, noise, 1) < 0 && errno == EBADF);
    return NULL;
}

/* --- clocks --- */

static uint64_t clock_ns(clockid_t id)
{
    struct timespec ts = {0, 0};

    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* C-CLOCK-5: both clocks go on without a step while the kernel learns its TSC's
 * rate, cost no call where the TSC serves, and are what the kernel says. */
static const char *clocks_without_calls(void)
{
    struct info_system before, after;
    uint64_t last = clock_ns(CLOCK_MONOTONIC), end = last + 300 * MS, kernel = 0;

    while (last < end) { /* the rate is refined 100 ms after the kernel's entry */
        uint64_t now = clock_ns(CLOCK_MONOTONIC);
        CHECK(now >= last);
        last = now;
    }
    for (unsigned id = 0; id < 2; id++) {
        clockid_t own = id == 0 ? CLOCK_MONOTONIC : CLOCK_REALTIME;
        uint64_t first = clock_ns(own);
        CHECK(sys_clock_get(id == 0 ? SYS_CLOCK_MONOTONIC : SYS_CLOCK_REALTIME, &kernel) == 0);
        CHECK(first <= kernel && kernel <= clock_ns(own));
    }
    CHECK(sys_info(INFO_SYSTEM, 0, &before, sizeof before) > 0);
    for (unsigned i = 0; i < 1000; i++)
        (void)clock_ns(i & 1 ? CLOCK_REALTIME : CLOCK_MONOTONIC);
    CHECK(sys_info(INFO_SYSTEM, 0, &after, sizeof after) > 0);
    CHECK(strcmp(after.clock, "tsc") != 0 || after.syscalls - before.syscalls < 500);
    return NULL;
}

static const char *clocks_agree(void)
{
    struct timespec ts;
    uint64_t before = sys_now_ns();

    CHECK(clock_gettime(CLOCK_MONOTONIC, &ts) == 0);
    uint64_t kernel = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
    uint64_t after = sys_now_ns();
    CHECK(before <= kernel + MS && kernel <= after + MS);
    CHECK(usleep(20000) == 0);
    uint64_t slept = sys_now_ns() - after;
    CHECK(slept >= 19 * MS && slept < (20 + LATE) * MS);
    CHECK(time(NULL) > 1500000000);
    return NULL;
}

/* --- threads --- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_key_t key;
static unsigned counter, destroyed;
static bool go;
static __thread unsigned mine = 42;
static __thread char mine_too[200];

static void destroy(void *value)
{
    (void)value;
    __atomic_add_fetch(&destroyed, 1, __ATOMIC_RELAXED);
}

static void *work(void *arg)
{
    if (mine != 42 || mine_too[199] != 0)
        return NULL;
    mine = (unsigned)(uintptr_t)arg;
    pthread_setspecific(key, arg);
    pthread_mutex_lock(&mutex);
    while (!go)
        pthread_cond_wait(&cond, &mutex);
    pthread_mutex_unlock(&mutex);
    for (unsigned i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        unsigned seen = counter;
        if (i % 64 == 0)
            sched_yield(); /* hold it while others try */
        counter = seen + 1;
        pthread_mutex_unlock(&mutex);
        free(memset(malloc(64 + i), 1, 64));
        errno = (int)mine;
        if (errno != (int)mine)
            return NULL;
    }
    return mine == (unsigned)(uintptr_t)arg ? arg : NULL;
}

static const char *threads_share_and_do_not(void)
{
    pthread_t t[THREADS];
    void *result;

    counter = destroyed = 0;
    go = false;
    CHECK(pthread_key_create(&key, destroy) == 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&t[i], NULL, work, (void *)(i + 1)) == 0);
    usleep(10000);
    pthread_mutex_lock(&mutex);
    go = true;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&mutex);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_join(t[i], &result) == 0 && result == (void *)(i + 1));
    CHECK(counter == THREADS * ROUNDS && destroyed == THREADS && mine == 42);
    CHECK(pthread_join(t[0], &result) == ESRCH && pthread_join(pthread_self(), &result) != 0);
    return NULL;
}

static void *nothing(void *arg)
{
    return arg;
}

/* More threads than there is room for, one after the other, none joined. */
static const char *detached_threads_are_swept(void)
{
    pthread_attr_t a;
    pthread_t t;

    pthread_attr_init(&a);
    pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
    for (int i = 0; i < 400; i++) {
        int r;
        for (int tries = 0; (r = pthread_create(&t, &a, nothing, NULL)) == EAGAIN && tries < 1000; tries++)
            usleep(1000); /* those before have not all run yet */
        CHECK(r == 0);
    }
    return NULL;
}

static const char *mutex_kinds(void)
{
    pthread_mutexattr_t a;
    pthread_mutex_t m;

    pthread_mutexattr_init(&a);
    pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE);
    CHECK(pthread_mutex_init(&m, &a) == 0 && pthread_mutex_lock(&m) == 0 && pthread_mutex_lock(&m) == 0);
    CHECK(pthread_mutex_destroy(&m) == EBUSY && pthread_mutex_unlock(&m) == 0 &&
          pthread_mutex_unlock(&m) == 0);
    CHECK(pthread_mutex_unlock(&m) == EPERM && pthread_mutex_destroy(&m) == 0);
    pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK);
    CHECK(pthread_mutex_init(&m, &a) == 0 && pthread_mutex_lock(&m) == 0);
    CHECK(pthread_mutex_lock(&m) == EDEADLK && pthread_mutex_trylock(&m) == EBUSY &&
          pthread_mutex_unlock(&m) == 0);
    return NULL;
}

static const char *waits_end_in_time(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 30 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    uint64_t start = sys_now_ns();
    pthread_mutex_lock(&mutex);
    int r = pthread_cond_timedwait(&cond, &mutex, &until);
    pthread_mutex_unlock(&mutex);
    uint64_t waited = sys_now_ns() - start;
    CHECK(r == ETIMEDOUT && waited > 25 * MS && waited < (30 + LATE) * MS);
    return NULL;
}

const struct test libc_tests[] = {
    {"memory-comes-and-goes", memory_comes_and_goes},
    {"memory-has-a-limit", memory_has_a_limit},
    {"files-can-be-read", files_can_be_read},
    {"files-cannot-be-changed", files_cannot_be_changed},
    {"folders-and-paths", folders_and_paths},
    {"descriptors", descriptors},
    {"clocks-agree", clocks_agree},
    {"clocks-without-calls", clocks_without_calls},
    {"threads-share-and-do-not", threads_share_and_do_not},
    {"detached-threads-are-swept", detached_threads_are_swept},
    {"mutex-kinds", mutex_kinds},
    {"waits-end-in-time", waits_end_in_time},
    {NULL, NULL},
};
