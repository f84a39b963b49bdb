/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/threads.c: threads, futexes, turns and priorities. The
 * threads here are bare ones, without libc's part.
 */
#include "selftest.h"

#define STACK_BYTES 8192

static char stacks[BARE_THREADS][STACK_BYTES] __attribute__((aligned(16)));
static uint32_t alive[BARE_THREADS]; /* 1 while the thread lives; thread_exit clears it */
static volatile uint64_t turns[BARE_THREADS];
static volatile bool stop;
static uint32_t word;

static uint64_t in_ms(uint64_t ms)
{
    return sys_now_ns() + ms * 1000000;
}

int bare_start(void (*fn)(uint64_t), uint64_t i, uint32_t priority)
{
    struct sys_thread t = {
        .entry = (uint64_t)(uintptr_t)fn,
        .stack = (uint64_t)(uintptr_t)stacks[i] + STACK_BYTES - 16,
        .arg = i,
        .priority = priority,
    };

    alive[i] = 1;
    return sys_thread_create(&t);
}

void bare_end(uint64_t i)
{
    sys_thread_exit(&alive[i]);
}

bool bare_gone(uint64_t i)
{
    struct wait_item w = {.kind = WAIT_FUTEX, .addr = (uint64_t)(uintptr_t)&alive[i], .value = 1};

    return sys_wait(&w, 1, sys_now_ns() + WAIT_NS) == 1 && __atomic_load_n(&alive[i], __ATOMIC_ACQUIRE) == 0;
}

/* The threads have no thread-local storage and are entered by a jump, so that
 * the stack is 8 bytes off for SSE: they only make system calls. */
static void sleeper(uint64_t i)
{
    struct wait_item w = {.kind = WAIT_FUTEX, .addr = (uint64_t)(uintptr_t)&word, .value = 0};

    turns[i] = (uint64_t)sys_wait(&w, 1, SYS_NO_DEADLINE);
    bare_end(i);
}

static void spinner(uint64_t i)
{
    while (!stop)
        turns[i]++;
    bare_end(i);
}

static void waker(uint64_t i)
{
    while (!stop) {
        __atomic_add_fetch(&word, 1, __ATOMIC_RELEASE);
        sys_futex_wake(&word, 1);
        turns[i]++;
        sys_yield();
    }
    bare_end(i);
}

static const char *futex_wakes(void)
{
    struct wait_item w = {.kind = WAIT_FUTEX, .addr = (uint64_t)(uintptr_t)&word, .value = 5};

    word = 0;
    CHECK(sys_wait(&w, 1, 0) == 1 && w.got == READY_IN); /* another value already */
    for (uint64_t i = 0; i < 3; i++)
        CHECK(bare_start(sleeper, i, 0) > 0);
    sys_wait(NULL, 0, in_ms(5));
    CHECK(sys_futex_wake(&word, 1) == 1);
    CHECK(sys_futex_wake(&word, 100) == 2);
    CHECK(sys_futex_wake(&word, 1) == 0);
    for (uint64_t i = 0; i < 3; i++)
        CHECK(bare_gone(i) && turns[i] == 1);
    w.value = 0;
    CHECK(sys_wait(&w, 1, in_ms(2)) == -ETIMEDOUT);
    w.addr++;
    CHECK(sys_wait(&w, 1, 0) == -EINVAL);
    w.addr = 0x1000;
    CHECK(sys_wait(&w, 1, 0) == -EFAULT);
    return NULL;
}

/* A wake-up between reading the word and blocking must not be lost: if one
 * were, the wait below would time out. */
static const char *no_wake_is_lost(void) /* C-MSG-6 */
{
    struct wait_item w = {.kind = WAIT_FUTEX, .addr = (uint64_t)(uintptr_t)&word};

    stop = false;
    word = 0;
    CHECK(bare_start(waker, 0, 0) > 0);
    for (int i = 0; i < 2000; i++) {
        w.value = __atomic_load_n(&word, __ATOMIC_ACQUIRE);
        CHECK(sys_wait(&w, 1, sys_now_ns() + WAIT_NS) == 1);
    }
    stop = true;
    CHECK(bare_gone(0));
    return NULL;
}

/* Two that never wait, beside a third that wants the CPU, too: whether all got
 * their turns. */
static bool turns_were_shared(void)
{
    bool ended = true;
    uint64_t end;

    stop = false;
    for (uint64_t i = 0; i < 2; i++) {
        turns[i] = 0;
        if (bare_start(spinner, i, 0) <= 0)
            return false;
    }
    for (end = in_ms(200); sys_now_ns() < end;)
        ;
    stop = true;
    for (uint64_t i = 0; i < 2; i++)
        ended = bare_gone(i) && ended;
    return ended && turns[0] > 0 && turns[1] > 0 && turns[0] < 8 * turns[1] && turns[1] < 8 * turns[0];
}

/* A host that is short of time may keep one of several processors from running,
 * and whoever is on it with it; it does not do so every time. */
static const char *turns_are_shared(void)
{
    bool shared = false;

    for (int round = 0; round < 8 && !shared; round++)
        shared = turns_were_shared();
    CHECK(shared);
    return NULL;
}

/* A busy host may hold the whole machine up, but not always. Were the turn taken
 * only when the slice ends, every wait would be late by most of 5 ms. */
static const char *higher_priority_runs_first(void)
{
    unsigned prompt = 0;

    stop = false;
    CHECK(bare_start(spinner, 0, PRIO_LOW) > 0);
    for (int i = 0; i < 20; i++) {
        uint64_t due_ns = in_ms(1);
        CHECK(sys_wait(NULL, 0, due_ns) == -ETIMEDOUT);
        prompt += sys_now_ns() - due_ns < 2000000;
    }
    stop = true;
    CHECK(bare_gone(0));
    CHECK(prompt >= 3);
    return NULL;
}

static const char *threads_are_bounded(void)
{
    struct sys_thread t = {.entry = 0xffff800000000000ull, .stack = 4096};

    CHECK(sys_thread_create(&t) == -EINVAL);
    t.entry = (uint64_t)(uintptr_t)sleeper;
    t.stack = 8; /* not aligned */
    CHECK(sys_thread_create(&t) == -EINVAL);
    t.stack = 4096;
    t.priority = PRIO_MAX + 1;
    CHECK(sys_thread_create(&t) == -EINVAL);
    CHECK(sys_thread_tls((void *)0x0000800000000000ull) == -EINVAL);
    return NULL;
}

const struct test threads_tests[] = {
    {"futex-wakes", futex_wakes},
    {"no-wake-is-lost", no_wake_is_lost},
    {"turns-are-shared", turns_are_shared},
    {"higher-priority-runs-first", higher_priority_runs_first},
    {"threads-are-bounded", threads_are_bounded},
    {NULL, NULL},
};
