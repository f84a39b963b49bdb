/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/memory.c: who owns memory, limits of a process, and that it
 * all comes back.
 */
#include "selftest.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u

static struct info_memory memory_info(void)
{
    struct info_memory m;

    sys_info(INFO_MEMORY, 0, &m, sizeof(m));
    return m;
}

static const char *owners_sum_up(void) /* C-MEM-7 */
{
    struct info_memory m, before;
    struct info_system s;
    volatile uint8_t *p;

    CHECK(sys_info(INFO_MEMORY, 0, &before, sizeof(before)) == sizeof(before));
    CHECK(sys_info(INFO_MEMORY, 1, &m, sizeof(m)) == 0);
    p = (uint8_t *)(uintptr_t)sys_mem_map(0, 64 * PAGE, PROT_R | PROT_W);
    m = memory_info();
    CHECK(m.anonymous == before.anonymous && m.promised == before.promised + 64 * PAGE);
    for (unsigned i = 0; i < 64; i++)
        p[i * PAGE] = 1;
    m = memory_info();
    CHECK(m.anonymous == before.anonymous + 64 * PAGE && m.promised == before.promised);
    CHECK(m.boot + m.tables + m.kmalloc + m.stacks + m.anonymous + m.objects + m.rings + m.devices + m.free == m.total);
    CHECK(m.boot > 1 << 20 && m.tables > 0 && m.kmalloc_used > 0 && m.kmalloc_used <= m.kmalloc && m.stacks > 0);
    sys_info(INFO_SYSTEM, 0, &s, sizeof(s));
    CHECK(s.memory_total == m.total && m.cached <= m.free);
    CHECK(sys_mem_unmap((uint64_t)(uintptr_t)p, 64 * PAGE) == 0);
    m = memory_info();
    CHECK(m.anonymous == before.anonymous && m.free >= before.free && m.tables <= before.tables);
    return NULL;
}

#define LARGE_BYTES (8ull << 20)
#define LONGEST_NS  5000000u

/* Makes a large object, touches all of it, gives it back; the longest call. */
static uint64_t use_large_memory(void)
{
    uint64_t start = sys_now_ns(), longest, last;
    int h = sys_memobj_create(LARGE_BYTES);
    int64_t a = sys_memobj_map(h, 0, 0, LARGE_BYTES, PROT_R | PROT_W);

    longest = sys_now_ns() - start;
    if (h < 0 || a < 0)
        return UINT64_MAX;
    for (uint64_t i = 0; i < LARGE_BYTES; i += PAGE)
        *(volatile uint8_t *)(uintptr_t)(a + (int64_t)i) = 1;
    sys_handle_close(h);
    start = sys_now_ns();
    if (sys_mem_unmap((uint64_t)a, LARGE_BYTES) != 0)
        return UINT64_MAX;
    last = sys_now_ns() - start;
    return longest > last ? longest : last;
}

/* An object of many pages is gone soon after its last mapping, and no call on the
 * way takes long. */
static const char *large_memory_goes_in_pieces(void) /* C-MEM-8 */
{
    uint64_t best = UINT64_MAX, before = 0;

    for (int i = 0; i < 40 && (i < 4 || best >= LONGEST_NS); i++) { /* the host may take its CPU away in some of them */
        uint64_t ns = use_large_memory();
        CHECK(ns != UINT64_MAX);
        best = ns < best ? ns : best;
        for (uint64_t end = sys_now_ns() + WAIT_NS; free_bytes() < before && sys_now_ns() < end;)
            sys_wait(NULL, 0, sys_now_ns() + 1000000);
        CHECK(free_bytes() >= before);
        if (i == 0) { /* the kernel's caches are warm, and all pages back */
            sys_wait(NULL, 0, sys_now_ns() + 100000000);
            before = free_bytes();
        }
    }
    CHECK(best < LONGEST_NS);
    return NULL;
}

/* --- limits --- */

/* Allocates without end by argv[2]: exit status 0 when it was refused with ENOMEM
 * within its 4 MiB, and could go on afterwards. */
static int role_endless(int argc, char **argv)
{
    struct info_process p = {.pid = 0};
    uint64_t got = 0;
    void *last = NULL, **next;

    (void)argc;
    errno = 0;
    while (got < 64 << 20 && (next = malloc(strcmp(argv[2], "large") == 0 ? 300000 : 1000)) != NULL) {
        *next = last; /* touched, and found again */
        last = next;
        got += strcmp(argv[2], "large") == 0 ? 300000 : 1000;
    }
    if (got >= 4 << 20 || got < 1 << 20 || errno != ENOMEM)
        return 1;
    for (int i = 0; i < 1000; i++) /* again and again */
        if (malloc(300000) != NULL || sys_mem_map(0, 4 << 20, PROT_R) != -ENOMEM ||
            sys_memobj_create(4 << 20) != -ENOMEM)
            return 2;
    for (int tries = 0; p.pid != (uint32_t)sys_getpid(); tries++) /* others end, and the list moves up */
        for (uint64_t i = 0; sys_info(INFO_PROCESS, i, &p, sizeof(p)) > 0 && p.pid != (uint32_t)sys_getpid(); i++)
            if (tries == 100)
                return 3;
    if (p.memory_bytes > 4 << 20 || p.memory_limit != 4 << 20)
        return 4;
    for (; last != NULL; last = next) {
        next = *(void **)last;
        free(last);
    }
    last = malloc(100000);
    return last != NULL ? 0 : 5;
}

static void __attribute__((noreturn)) sleeper(void *arg)
{
    (void)arg;
    for (;;)
        sys_wait(NULL, 0, SYS_NO_DEADLINE);
}

static int thread_new(void)
{
    int64_t stack = sys_mem_map(0, PAGE, PROT_R | PROT_W);
    struct sys_thread t = {.entry = (uint64_t)(uintptr_t)sleeper, .stack = (uint64_t)stack + PAGE - 16};

    return stack < 0 ? (int)stack : sys_thread_create(&t);
}

/* An object that only its mapping keeps. */
static int mapping_new(void)
{
    int h = sys_memobj_create(PAGE);
    int64_t a = h < 0 ? h : sys_memobj_map(h, 0, 0, PAGE, PROT_R);

    if (h >= 0)
        sys_handle_close(h);
    return a < 0 ? (int)a : 0;
}

static int one_more(const char *what)
{
    int32_t ends[2];

    switch (what[0]) {
    case 'e':
        return sys_endpoint_create(256);
    case 'o':
        return sys_memobj_create(PAGE);
    case 'p':
        return (int)__SYS(pipe_create, __SYS_PTR(ends), 0, 0);
    case 't':
        return thread_new();
    default:
        return mapping_new();
    }
}

/* In the whole system: what is taken and what is promised. */
static uint64_t memory_spent(void)
{
    struct info_memory m = memory_info();

    return m.total - m.free + m.promised;
}

/* Has the kernel make as many things of the kind argv[2] as it will: they cost no
 * more than the limit, give or take tables that cannot grow further. */
static int role_hoard(int argc, char **argv)
{
    uint64_t before = memory_spent();
    int r = 0;

    (void)argc;
    for (int i = 0; i < 5000 && r >= 0; i++)
        r = one_more(argv[2]);
    if (r != -ENOMEM && r != -EMFILE && r != -EAGAIN)
        return 1;
    return memory_spent() - before <= (4 << 20) + 128 * 1024 ? 0 : 2;
}

/* Works with memory of its own until told to stop: word 0 of the object that a
 * fork shares says when, word 1 counts turns, word 2 failures. */
static void __attribute__((noreturn)) neighbour(volatile uint64_t *shared)
{
    while (shared[0] == 0) {
        int64_t a = sys_mem_map(0, 64 * PAGE, PROT_R | PROT_W);
        volatile uint64_t *p = (uint64_t *)(uintptr_t)a;
        if (a < 0) {
            shared[2]++;
            continue;
        }
        for (unsigned i = 0; i < 64; i++)
            p[i * PAGE / 8] = shared[1] + i;
        for (unsigned i = 0; i < 64; i++)
            shared[2] += p[i * PAGE / 8] != shared[1] + i;
        shared[2] += sys_mem_unmap((uint64_t)a, 64 * PAGE) != 0;
        shared[1]++;
        sys_yield();
    }
    sys_exit(0);
}

static const char *endless_allocation_is_refused(void) /* C-MEM-5 */
{
    static const char *const ways[] = {"small", "large", "small", "large"};
    struct sys_rights r = rights_none();
    int m = sys_memobj_create(PAGE), h, hog[4], refused = 0;
    int64_t a = sys_memobj_map(m, 0, 0, PAGE, PROT_R | PROT_W);
    volatile uint64_t *shared = (uint64_t *)(uintptr_t)a;

    CHECK(m >= 0 && a > 0);
    h = sys_fork();
    if (h == 0)
        neighbour(shared);
    CHECK(h > 0);
    r.memory_limit = 4 << 20;
    for (uint64_t end = sys_now_ns() + WAIT_NS; shared[1] == 0 && sys_now_ns() < end;)
        sys_wait(NULL, 0, sys_now_ns() + 1000000);
    uint64_t turns = shared[1];
    for (int i = 0; i < 4; i++)
        hog[i] = role_start("endless", ways[i], &r);
    for (int i = 0; i < 4; i++)
        refused += hog[i] >= 0 && role_end(hog[i]) == 0;
    for (uint64_t end = sys_now_ns() + WAIT_NS; shared[1] == turns && sys_now_ns() < end;)
        sys_wait(NULL, 0, sys_now_ns() + 1000000); /* a busy host: it had no turn yet */
    turns = shared[1] - turns;
    shared[0] = 1;
    CHECK(role_end(h) == 0);
    CHECK(refused == 4);
    CHECK(shared[2] == 0);
    CHECK(turns > 0);
    CHECK(sys_handle_close(m) == 0 && sys_mem_unmap((uint64_t)a, PAGE) == 0);
    return NULL;
}

static const char *what_the_kernel_makes_counts(void) /* C-MEM-5 */
{
    static const char *const kinds[] = {"endpoints", "objects", "pipes", "threads", "mappings"};
    struct sys_rights r = rights_none();

    r.memory_limit = 4 << 20;
    for (int i = 0; i < 5; i++)
        CHECK(role_run("hoard", kinds[i], &r) == 0);
    return NULL;
}

/* --- everything comes back --- */

/* One of many ways to begin and to end. */
static int cycle(unsigned i, struct sys_rights *r)
{
    int h = i % 4 == 0 ? role_start("status", "7", r) : sys_fork();

    if (h == 0) {
        volatile uint8_t page[PAGE] = {1};
        if (i % 4 == 3)
            __asm__ volatile("ud2");
        sys_exit(6 + page[0]);
    }
    if (h < 0)
        return h;
    h = role_end(h);
    return h == 7 || (i % 4 == 3 && h == -EPEER) ? 0 : -1;
}

/* Processes that end on another CPU are a moment late with their stacks. */
static bool memory_is(const struct info_memory *before)
{
    struct info_memory m = memory_info();

    for (int tries = 0; tries < 200 && m.free != before->free; tries++) {
        sys_wait(NULL, 0, sys_now_ns() + 2000000);
        m = memory_info();
    }
    if (m.free != before->free)
        printf("# free %ld tables %ld kmalloc %ld used %ld stacks %ld anon %ld objects %ld promised %ld\n",
               (long)(m.free - before->free), (long)(m.tables - before->tables),
               (long)(m.kmalloc - before->kmalloc), (long)(m.kmalloc_used - before->kmalloc_used),
               (long)(m.stacks - before->stacks), (long)(m.anonymous - before->anonymous),
               (long)(m.objects - before->objects), (long)(m.promised - before->promised));
    return m.free == before->free && m.tables == before->tables && m.kmalloc == before->kmalloc &&
           m.kmalloc_used == before->kmalloc_used && m.stacks == before->stacks &&
           m.anonymous == before->anonymous && m.objects == before->objects && m.promised == before->promised;
}

static const char *cycles(unsigned n) /* C-PROC-2, C-MEM-7 */
{
    struct sys_rights r = rights_none();
    struct info_memory before;

    for (unsigned i = 0; i < n + 64; i++) {
        if (i == 64) /* caches are warm by now */
            before = memory_info();
        CHECK(cycle(i, &r) == 0);
    }
    CHECK(memory_is(&before));
    return NULL;
}

static const char *back_to_the_page(void)
{
    return cycles(400);
}

static const char *ten_thousand_cycles(void)
{
    return cycles(10000);
}

const struct test memory_tests[] = {
    {"owners-sum-up", owners_sum_up},
    {"large-memory-goes-in-pieces", large_memory_goes_in_pieces},
    {"endless-allocation-is-refused", endless_allocation_is_refused},
    {"what-the-kernel-makes-counts", what_the_kernel_makes_counts},
    {"back-to-the-page", back_to_the_page},
    {NULL, NULL},
};

/* Not among "all": it takes its time. */
const struct test cycles_tests[] = {
    {"ten-thousand", ten_thousand_cycles},
    {NULL, NULL},
};

const struct role memory_roles[] = {{"endless", role_endless}, {"hoard", role_hoard}, {NULL, NULL}};
