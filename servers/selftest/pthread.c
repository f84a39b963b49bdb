/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/pthread.c: locks of every kind, and threads in a process that
 * forks.
 */
#include "selftest.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4
#define ROUNDS  500

static pthread_t threads[THREADS];
static volatile bool stop;
static long shared_a, shared_b;
static volatile int bad;

static bool start(void *(*fn)(void *))
{
    for (uintptr_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, fn, (void *)i) != 0)
            return false;
    return true;
}

static bool join(void)
{
    for (int i = 0; i < THREADS; i++)
        if (pthread_join(threads[i], NULL) != 0)
            return false;
    return true;
}

static struct timespec soon(clockid_t clock, long ms)
{
    struct timespec t;
    clock_gettime(clock, &t);
    t.tv_nsec += ms * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

/* --- read-write locks --- */

static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;

static void *reads_or_writes(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        if ((i + (int)(uintptr_t)arg) % 4 == 0) {
            pthread_rwlock_wrlock(&rw);
            shared_a++;
            sched_yield();
            shared_b++;
        } else {
            pthread_rwlock_rdlock(&rw);
            bad |= shared_a != shared_b;
            if (i % 16 == 0)
                sched_yield();
        }
        bad |= pthread_rwlock_unlock(&rw) != 0;
    }
    return NULL;
}

static const char *read_write_locks(void)
{
    struct timespec t = soon(CLOCK_REALTIME, 5);

    shared_a = shared_b = bad = 0;
    CHECK(start(reads_or_writes) && join());
    CHECK(!bad && shared_a == THREADS * ROUNDS / 4 && shared_b == shared_a);
    CHECK(pthread_rwlock_rdlock(&rw) == 0 && pthread_rwlock_tryrdlock(&rw) == 0);
    CHECK(pthread_rwlock_trywrlock(&rw) == EBUSY && pthread_rwlock_timedwrlock(&rw, &t) == ETIMEDOUT);
    CHECK(pthread_rwlock_destroy(&rw) == EBUSY);
    CHECK(pthread_rwlock_unlock(&rw) == 0 && pthread_rwlock_unlock(&rw) == 0);
    CHECK(pthread_rwlock_unlock(&rw) == EPERM);
    CHECK(pthread_rwlock_wrlock(&rw) == 0 && pthread_rwlock_tryrdlock(&rw) == EBUSY);
    CHECK(pthread_rwlock_unlock(&rw) == 0 && pthread_rwlock_destroy(&rw) == 0);
    return NULL;
}

/* --- barriers, spin locks, semaphores --- */

static pthread_barrier_t barrier;
static pthread_spinlock_t spin;
static int serials, arrived;

static void *meets(void *arg)
{
    (void)arg;
    for (int i = 1; i <= 200; i++) {
        __atomic_add_fetch(&arrived, 1, __ATOMIC_RELAXED);
        int r = pthread_barrier_wait(&barrier);
        bad |= __atomic_load_n(&arrived, __ATOMIC_RELAXED) < i * THREADS; /* nobody went on too early */
        if (r == PTHREAD_BARRIER_SERIAL_THREAD)
            __atomic_add_fetch(&serials, 1, __ATOMIC_RELAXED);
        else
            bad |= r != 0;
        pthread_spin_lock(&spin);
        shared_a++;
        pthread_spin_unlock(&spin);
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

static const char *barriers_and_spin_locks(void)
{
    bad = serials = arrived = 0;
    shared_a = 0;
    CHECK(pthread_barrier_init(&barrier, NULL, 0) == EINVAL);
    CHECK(pthread_barrier_init(&barrier, NULL, THREADS) == 0 && pthread_spin_init(&spin, 0) == 0);
    CHECK(start(meets) && join());
    CHECK(!bad && serials == 200 && shared_a == 200 * THREADS);
    CHECK(pthread_barrier_destroy(&barrier) == 0);
    CHECK(pthread_spin_trylock(&spin) == 0 && pthread_spin_trylock(&spin) == EBUSY);
    CHECK(pthread_spin_unlock(&spin) == 0);
    return NULL;
}

static sem_t items, room;

static void *produces(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        sem_wait(&room);
        sem_post(&items);
    }
    return NULL;
}

static const char *semaphores(void)
{
    struct timespec t = soon(CLOCK_REALTIME, 5);
    int value;

    CHECK(sem_init(&items, 0, 0) == 0 && sem_init(&room, 0, 3) == 0);
    CHECK(sem_trywait(&items) == -1 && errno == EAGAIN);
    CHECK(sem_timedwait(&items, &t) == -1 && errno == ETIMEDOUT);
    t.tv_nsec = -1;
    CHECK(sem_timedwait(&items, &t) == -1 && errno == EINVAL);
    CHECK(start(produces));
    for (int i = 0; i < ROUNDS * THREADS; i++)
        CHECK(sem_wait(&items) == 0 && sem_post(&room) == 0);
    CHECK(join() && sem_getvalue(&items, &value) == 0 && value == 0);
    CHECK(sem_getvalue(&room, &value) == 0 && value == 3);
    CHECK(sem_init(&items, 0, SEM_VALUE_MAX) == 0 && sem_post(&items) == -1 && errno == EOVERFLOW);
    CHECK(sem_init(&items, 0, 0x80000000u) == -1 && errno == EINVAL);
    return NULL;
}

static void nothing(int signal)
{
    (void)signal;
}

static const char *semaphores_and_signals(void)
{
    struct sigaction a = {.sa_handler = nothing};

    CHECK(sigaction(SIGALRM, &a, NULL) == 0 && sem_init(&items, 0, 0) == 0);
    ualarm(2000, 2000); /* a busy host may let the first go by before the call begins */
    CHECK(sem_wait(&items) == -1 && errno == EINTR);
    ualarm(0, 0);
    signal(SIGALRM, SIG_DFL);
    return NULL;
}

/* --- conditions, keys, cancel state --- */

static const char *conditions_by_either_clock(void)
{
    pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
    pthread_condattr_t a;
    pthread_cond_t c;
    clockid_t clock;

    CHECK(pthread_condattr_init(&a) == 0 && pthread_condattr_setclock(&a, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_condattr_getclock(&a, &clock) == 0 && clock == CLOCK_MONOTONIC);
    CHECK(pthread_cond_init(&c, &a) == 0 && pthread_mutex_lock(&m) == 0);
    for (int i = 0; i < 2; i++) {
        struct timespec t = soon(i == 0 ? CLOCK_MONOTONIC : CLOCK_REALTIME, 5);
        uint64_t start_ns = sys_now_ns();
        CHECK(pthread_cond_timedwait(&c, &m, &t) == ETIMEDOUT);
        CHECK(sys_now_ns() - start_ns >= 4000000 && sys_now_ns() - start_ns < WAIT_NS);
        CHECK(pthread_cond_destroy(&c) == 0 && pthread_cond_init(&c, NULL) == 0);
    }
    CHECK(pthread_mutex_unlock(&m) == 0);
    return NULL;
}

static pthread_key_t key;
static int destroyed;

static void destroys(void *value)
{
    destroyed += *(int *)value;
}

static void *sets_key(void *arg)
{
    static int values[THREADS] = {1, 10, 100, 1000};
    (void)pthread_setspecific(key, &values[(uintptr_t)arg]);
    if ((uintptr_t)arg % 2 == 0)
        pthread_exit(NULL);
    return NULL;
}

static const char *keys_and_cancel_states(void)
{
    int old;

    destroyed = 0;
    CHECK(pthread_key_create(&key, destroys) == 0 && start(sets_key) && join());
    CHECK(destroyed == 1111 && pthread_getspecific(key) == NULL && pthread_key_delete(key) == 0);
    CHECK(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old) == 0 && old == PTHREAD_CANCEL_ENABLE);
    CHECK(pthread_setcancelstate(old, &old) == 0 && old == PTHREAD_CANCEL_DISABLE);
    CHECK(pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &old) == 0 && old == PTHREAD_CANCEL_DEFERRED);
    CHECK(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL) == EINVAL);
    return NULL;
}

/* --- fork among threads --- */

/* Holds libc's locks as often as it can. */
static void *keeps_busy(void *arg)
{
    while (!stop) {
        char *p = malloc(100 + (size_t)(uintptr_t)arg);
        FILE *f = fopen("/dev/null", "w");
        if (p == NULL || f == NULL)
            bad = 1;
        if (f != NULL) {
            fprintf(f, "%p", (void *)p);
            fclose(f);
        }
        setenv("SLW_BUSY", "1", 1);
        free(p);
    }
    return NULL;
}

static void child_uses_all(int fd)
{
    pthread_t t;
    char *p = malloc(5000);
    FILE *f = fopen("/etc/servers.conf", "r");
    bool good = p != NULL && f != NULL && fgets(p, 100, f) != NULL && setenv("SLW_CHILD", "1", 1) == 0;

    stop = true; /* its threads are to end at once */
    good = good && pthread_create(&t, NULL, keeps_busy, NULL) == 0 && pthread_join(t, NULL) == 0;
    if (f != NULL)
        fclose(f);
    free(p);
    f = fdopen(fd, "w");
    fprintf(f, "%s", good ? "good" : "bad");
    fclose(f);
    exit(0);
}

static const char *fork_among_threads(void) /* C-LIBC-1 */
{
    char answer[8];
    int p[2], status;

    stop = false;
    bad = 0;
    CHECK(start(keeps_busy));
    for (int i = 0; i < 30; i++) {
        CHECK(pipe(p) == 0);
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0)
            child_uses_all(p[1]);
        close(p[1]);
        CHECK(read(p[0], answer, sizeof answer) == 4 && memcmp(answer, "good", 4) == 0);
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
        close(p[0]);
    }
    stop = true;
    CHECK(join() && !bad);
    return NULL;
}

static void *forks(void *arg)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(pthread_equal(pthread_self(), threads[(uintptr_t)arg]) ? 9 : 8);
    bad |= pid < 0 || waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 9;
    return NULL;
}

static const char *any_thread_forks(void)
{
    bad = 0;
    for (int i = 0; i < 10; i++)
        CHECK(start(forks) && join());
    CHECK(!bad);
    return NULL;
}

const struct test pthread_tests[] = {
    {"read-write-locks", read_write_locks},
    {"barriers-and-spin-locks", barriers_and_spin_locks},
    {"semaphores", semaphores},
    {"semaphores-and-signals", semaphores_and_signals},
    {"conditions-by-either-clock", conditions_by_either_clock},
    {"keys-and-cancel-states", keys_and_cancel_states},
    {"fork-among-threads", fork_among_threads},
    {"any-thread-forks", any_thread_forks},
    {NULL, NULL},
};
