/* SPDX-License-Identifier: MIT
 *
 * kernel/selftest_thread.c: threads, wait queues, wake-ups, random numbers.
 *
 * Context: boot thread, before the first process.
 */
#include <kernel/irq.h>
#include <kernel/proc.h>
#include <kernel/random.h>
#include <kernel/selftest.h>
#include <kernel/string.h>

#define WAIT_NS (2 * NS_PER_S)
#define ROUNDS 300u

static struct {
    struct waitq q;
    volatile uint32_t pushed, ended;
    uint32_t order[8], norder;
} t;

/* The pattern that everybody uses (kernel/thread.h). */
static int wait_for(volatile uint32_t *value, uint32_t at_least)
{
    struct wait_entry e = {.thread = thread_current()};
    uint64_t deadline = now_ns() + WAIT_NS;
    int r = 0;

    waitq_add(&t.q, &e);
    while (*value < at_least && r == 0)
        r = thread_block(deadline);
    waitq_remove(&e);
    return r;
}

static void push(void *arg)
{
    (void)arg;
    t.pushed++;
    waitq_wake(&t.q);
}

static void reset(void)
{
    memset(&t, 0, sizeof t);
}

static void pusher(void *arg)
{
    for (uint32_t i = 0; i < ROUNDS; i++) {
        push(NULL);
        if (((uintptr_t)arg + i) % 3 == 0)
            schedule();
    }
    t.ended++;
    waitq_wake(&t.q);
}

/* A push before waitq_add, between it and the block, and after the block: by
 * the thread itself, by another one, by a timer while the CPU is idle. */
SELFTEST(wakeups) /* C-MSG-6 */
{
    struct wait_entry e = {.thread = thread_current()};
    struct timer timer;

    reset();
    push(NULL);
    TEST(wait_for(&t.pushed, 1) == 0);

    waitq_add(&t.q, &e);
    push(NULL);
    TEST(thread_block(now_ns() + WAIT_NS) == 0); /* woken already: at once */
    waitq_remove(&e);
    waitq_remove(&e); /* twice is harmless */
    TEST(t.q.head == NULL);

    timer_init(&timer, push, NULL);
    for (uint32_t i = 0; i < 50; i++) {
        uint32_t want = t.pushed + 1;
        TEST(timer_arm(&timer, now_ns() + i * 2000) == 0); /* from "due at once" to "idle by then" */
        TEST(wait_for(&t.pushed, want) == 0);
    }
    for (uint32_t n = 0; n < 3; n++)
        TEST(kthread_create(pusher, (void *)(uintptr_t)n, "pusher", PRIO_NORMAL - 1 + n) != NULL);
    for (uint32_t want = t.pushed; want < ROUNDS * 3; want++)
        TEST(wait_for(&t.pushed, want) == 0);
    TEST(wait_for(&t.ended, 3) == 0);
    return NULL;
}

SELFTEST(deadlines) /* C-TIME-2 */
{
    uint64_t start = now_ns();

    TEST(thread_block(start) == -ETIMEDOUT);
    TEST(thread_block(0) == -ETIMEDOUT);
    TEST(thread_block(now_ns() + 3 * NS_PER_MS) == -ETIMEDOUT);
    TEST(now_ns() - start >= 3 * NS_PER_MS);
    return NULL;
}

static void note(void *arg)
{
    t.order[t.norder++] = (uint32_t)(uintptr_t)arg;
    t.ended++;
    waitq_wake(&t.q);
}

SELFTEST(priorities)
{
    static const uint32_t start[] = {3, 9, 1, 14, 9}, want[] = {14, 9, 9, 3, 1};
    uint32_t before = sched_thread_count();

    reset();
    TEST(thread_bind(1) == 0); /* the order is one CPU's */
    for (unsigned i = 0; i < 5; i++)
        TEST(kthread_create(note, (void *)(uintptr_t)start[i], "note", start[i]) != NULL);
    TEST(wait_for(&t.ended, 5) == 0);
    for (unsigned i = 0; i < 5; i++)
        TEST(t.order[i] == want[i]);
    TEST(thread_bind(UINT64_MAX) == 0);
    TEST(sched_thread_count() == before);
    return NULL;
}

/* Stacks and structures of threads that ended come back. */
SELFTEST(thread_memory)
{
    uint64_t before = 0;

    reset();
    for (uint32_t i = 0; i < 40; i++) {
        t.norder = 0;
        TEST(kthread_create(note, NULL, "note", PRIO_HIGH) != NULL);
        TEST(wait_for(&t.ended, i + 1) == 0);
        schedule();
        if (i == 20)
            before = mem_free_bytes();
    }
    TEST(mem_free_bytes() >= before);
    return NULL;
}

SELFTEST(random)
{
    uint8_t a[100], b[100];
    unsigned bits = 0;

    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    TEST(memcmp(a, b, sizeof a) != 0);
    for (unsigned i = 0; i < sizeof a * 8; i++)
        bits += a[i / 8] >> (i % 8) & 1;
    TEST(bits > 300 && bits < 500); /* 800 coins: more than seven standard deviations off */
    return NULL;
}
