/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/fork.c: copies of a process: what is shared and what is not,
 * limits, and that every page comes back.
 */
#include "selftest.h"
#include <string.h>

#define PAGE 4096u
#define PAGES 40u
#define STACK_BYTES 16384u

static uint8_t *pages_map(unsigned n)
{
    int64_t a = sys_mem_map(0, n * PAGE, PROT_R | PROT_W);
    return a < 0 ? NULL : (uint8_t *)(uintptr_t)a;
}

static bool pages_free(void *p, unsigned n)
{
    return sys_mem_unmap((uint64_t)(uintptr_t)p, n * PAGE) == 0;
}

static bool pages_hold(const volatile uint8_t *p, unsigned n, uint8_t first)
{
    for (unsigned i = 0; i < n; i++)
        if (p[i * PAGE + i] != (uint8_t)(first + i))
            return false;
    return true;
}

static void pages_fill(volatile uint8_t *p, unsigned n, uint8_t first)
{
    for (unsigned i = 0; i < n; i++)
        p[i * PAGE + i] = (uint8_t)(first + i);
}

/* --- tests --- */

static const char *registers_survive(void)
{
    uint64_t rbx, r12, r13, r14, r15, xmm;
    long h;

    __asm__ volatile("movq $0x1111, %%rbx; movq $0x2222, %%r12; movq $0x3333, %%r13; movq $0x4444, %%r14\n\t"
                     "movq $0x5555, %%r15; movq %%r15, %%xmm7; syscall\n\t"
                     "movq %%rbx, %1; movq %%r12, %2; movq %%r13, %3; movq %%r14, %4; movq %%r15, %5\n\t"
                     "movq %%xmm7, %6"
                     : "=a"(h), "=m"(rbx), "=m"(r12), "=m"(r13), "=m"(r14), "=m"(r15), "=m"(xmm)
                     : "a"(SYS_fork)
                     : "rbx", "rcx", "r11", "r12", "r13", "r14", "r15", "xmm7", "memory", "cc");
    bool good = rbx == 0x1111 && r12 == 0x2222 && r13 == 0x3333 && r14 == 0x4444 && r15 == 0x5555 && xmm == 0x5555;
    if (h == 0)
        sys_exit(good ? 5 : 6);
    CHECK(h > 0 && good);
    CHECK(role_end((int)h) == 5);
    return NULL;
}

static const char *contents_diverge(void) /* C-MEM-6 */
{
    uint8_t *p = pages_map(PAGES);
    uint8_t local = 3;
    int h;

    CHECK(p != NULL);
    pages_fill(p, PAGES / 2, 10); /* the other half was never touched */
    h = sys_fork();
    if (h == 0) {
        bool good = pages_hold(p, PAGES / 2, 10) && p[(PAGES - 1) * PAGE] == 0 && local == 3;
        pages_fill(p, PAGES, 90);
        local = 4;
        sys_wait(NULL, 0, sys_now_ns() + 20000000); /* the parent writes meanwhile */
        sys_exit(good && pages_hold(p, PAGES, 90) && local == 4 ? 7 : 8);
    }
    CHECK(h > 0);
    pages_fill(p, PAGES, 50);
    local = 9;
    CHECK(role_end(h) == 7);
    CHECK(pages_hold(p, PAGES, 50) && local == 9);
    CHECK(pages_free(p, PAGES));
    return NULL;
}

/* A page that only one of the two still has is written in place. */
static const char *kernel_writes_are_private(void) /* C-MEM-6 */
{
    uint64_t *word = (uint64_t *)pages_map(1);
    int h;

    CHECK(word != NULL);
    *word = 1;
    h = sys_fork();
    if (h == 0) { /* the kernel's copy to user space is the first write */
        int r = sys_clock_get(SYS_CLOCK_MONOTONIC, word);
        sys_exit(r == 0 && *word > 1 ? 1 : 2);
    }
    CHECK(h > 0 && role_end(h) == 1 && *word == 1);
    CHECK(sys_clock_get(SYS_CLOCK_MONOTONIC, word) == 0 && *word > 1);
    CHECK(pages_free(word, 1));
    return NULL;
}

static const char *protection_is_kept(void) /* C-MEM-2, C-MEM-6 */
{
    uint8_t *p = pages_map(3);
    uint64_t at = (uint64_t)(uintptr_t)p;
    int h;

    CHECK(p != NULL);
    p[0] = p[PAGE] = p[2 * PAGE] = 1;
    CHECK(sys_mem_protect(at + PAGE, PAGE, PROT_R) == 0);
    CHECK(sys_mem_protect(at + 2 * PAGE, PAGE, 0) == 0);
    h = sys_fork();
    if (h == 0) {
        bool good = sys_clock_get(0, (uint64_t *)(p + PAGE)) == -EFAULT;
        good = good && sys_clock_get(0, (uint64_t *)(p + 2 * PAGE)) == -EFAULT;
        good = good && sys_mem_protect(at, 3 * PAGE, PROT_R | PROT_W | PROT_X) == -EINVAL;
        good = good && sys_mem_protect(at, 3 * PAGE, PROT_R | PROT_W) == 0;
        good = good && p[0] == 1 && p[PAGE] == 1 && p[2 * PAGE] == 1;
        p[0] = p[PAGE] = p[2 * PAGE] = 2;
        sys_exit(good && p[0] + p[PAGE] + p[2 * PAGE] == 6 ? 1 : 2);
    }
    CHECK(h > 0 && role_end(h) == 1);
    CHECK(p[0] == 1 && p[PAGE] == 1);
    CHECK(sys_mem_protect(at, 3 * PAGE, PROT_R | PROT_W) == 0);
    CHECK(p[2 * PAGE] == 1);
    CHECK(pages_free(p, 3));
    return NULL;
}

static const char *objects_stay_shared(void)
{
    int m = sys_memobj_create(2 * PAGE), e = sys_endpoint_create(1), h;
    int64_t a = sys_memobj_map(m, 0, 0, 2 * PAGE, PROT_R | PROT_W);
    volatile uint32_t *word = (uint32_t *)(uintptr_t)a;

    CHECK(m >= 0 && e >= 0 && a > 0);
    word[0] = 11; /* the second page is touched by the child first */
    h = sys_fork();
    if (h == 0) {
        struct sys_msg msg;
        bool good = word[0] == 11 && sys_recv(e, &msg, 0) == -EBADF && sys_handle_close(e) == -EBADF;
        int64_t again = sys_memobj_map(m, 0, PAGE, PAGE, PROT_R);
        word[0] = 12;
        word[PAGE / 4] = 13;
        sys_exit(good && again > 0 && *(volatile uint32_t *)(uintptr_t)again == 13 ? 1 : 2);
    }
    CHECK(h > 0 && role_end(h) == 1);
    CHECK(word[0] == 12 && word[PAGE / 4] == 13);
    CHECK(sys_handle_close(e) == 0 && sys_handle_close(m) == 0);
    CHECK(sys_mem_unmap((uint64_t)a, 2 * PAGE) == 0);
    return NULL;
}

/* A word of an object wakes across processes; a private one does not, although
 * both still read the same page. */
static const char *futex_words(void)
{
    int m = sys_memobj_create(PAGE), h;
    uint32_t *mine = (uint32_t *)pages_map(1);
    int64_t a = sys_memobj_map(m, 0, 0, PAGE, PROT_R | PROT_W);
    uint32_t *shared = (uint32_t *)(uintptr_t)a;

    CHECK(m >= 0 && mine != NULL && a > 0);
    *mine = 0;
    h = sys_fork();
    if (h == 0) {
        struct wait_item w = {.kind = WAIT_FUTEX, .addr = (uint64_t)(uintptr_t)mine, .want = READY_IN};
        int quiet = sys_wait(&w, 1, sys_now_ns() + 50000000);
        w.addr = (uint64_t)(uintptr_t)shared;
        shared[1] = 1; /* tells that the first part is over */
        int woken = sys_wait(&w, 1, sys_now_ns() + WAIT_NS);
        sys_exit(quiet == -ETIMEDOUT && woken == 1 ? 1 : 2);
    }
    CHECK(h > 0);
    for (uint64_t end = sys_now_ns() + WAIT_NS; *(volatile uint32_t *)&shared[1] == 0;) {
        CHECK(sys_futex_wake(mine, 100) == 0 && sys_now_ns() < end);
        sys_wait(NULL, 0, sys_now_ns() + 2000000);
    }
    for (uint64_t end = sys_now_ns() + WAIT_NS; sys_futex_wake(shared, 1) == 0;) {
        CHECK(sys_now_ns() < end);
        sys_wait(NULL, 0, sys_now_ns() + 1000000);
    }
    CHECK(role_end(h) == 1);
    CHECK(sys_handle_close(m) == 0 && sys_mem_unmap((uint64_t)a, PAGE) == 0 && pages_free(mine, 1));
    return NULL;
}

static const char *generations(void)
{
    uint8_t *p = pages_map(PAGES);
    int h;

    CHECK(p != NULL);
    pages_fill(p, PAGES, 1);
    h = sys_fork();
    if (h == 0) {
        int h2 = sys_fork();
        if (h2 == 0) {
            bool good = pages_hold(p, PAGES, 1);
            pages_fill(p, PAGES, 200);
            sys_exit(good && pages_hold(p, PAGES, 200) ? 3 : 4);
        }
        pages_fill(p + PAGE * (PAGES / 2), PAGES / 2, 150);
        sys_mem_unmap((uint64_t)(uintptr_t)p, PAGE); /* a part, while it is shared */
        sys_exit(h2 > 0 && role_end(h2) == 3 && pages_hold(p + PAGE * (PAGES / 2), PAGES / 2, 150) ? 5 : 6);
    }
    CHECK(h > 0 && role_end(h) == 5);
    CHECK(pages_hold(p, PAGES, 1));
    CHECK(pages_free(p, PAGES));
    return NULL;
}

/* --- a thread writes while another forks --- */

static volatile uint64_t counters[8][PAGE / 8];
static volatile bool counting;
static uint32_t counter_gone;

static void count(void *arg)
{
    (void)arg;
    for (uint64_t n = 1; counting; n++)
        for (unsigned i = 0; i < 8; i++)
            counters[i][0] = n;
    sys_thread_exit(&counter_gone);
}

/* What a child sees is a moment: counters written one after the other differ by
 * at most one, and don't move any more. */
static bool one_moment(void)
{
    uint64_t seen[8];

    for (unsigned i = 0; i < 8; i++)
        seen[i] = counters[i][0];
    for (unsigned i = 0; i < 8; i++)
        if (seen[i] > seen[0] || seen[0] - seen[i] > 1)
            return false;
    sys_wait(NULL, 0, sys_now_ns() + 3000000);
    for (unsigned i = 0; i < 8; i++) {
        if (counters[i][0] != seen[i])
            return false;
        counters[i][0] = 1;
    }
    return true;
}

static const char *fork_while_writing(void) /* C-MEM-6 */
{
    uint8_t *stack = pages_map(STACK_BYTES / PAGE);
    struct sys_thread t = {.entry = (uint64_t)(uintptr_t)count, .stack = (uint64_t)(uintptr_t)stack + STACK_BYTES - 8};
    int good = 0;

    CHECK(stack != NULL);
    t.stack &= ~15ull;
    counting = true;
    counter_gone = 1;
    CHECK(sys_thread_create(&t) > 0);
    for (int round = 0; round < 20; round++) {
        sys_wait(NULL, 0, sys_now_ns() + 1000000);
        int h = sys_fork();
        if (h == 0)
            sys_exit(one_moment() ? 1 : 2);
        good += h > 0 && role_end(h) == 1;
    }
    uint64_t before = counters[0][0];
    for (uint64_t end = sys_now_ns() + WAIT_NS; counters[0][0] == before && sys_now_ns() < end;)
        sys_wait(NULL, 0, sys_now_ns() + 1000000);
    bool moves = counters[0][0] != before;
    counting = false;
    while (*(volatile uint32_t *)&counter_gone != 0)
        sys_wait(NULL, 0, sys_now_ns() + 1000000);
    CHECK(good == 20);
    CHECK(moves);
    CHECK(pages_free(stack, STACK_BYTES / PAGE));
    return NULL;
}

/* --- limits --- */

static const char *bomb_is_bounded(void)
{
    static int all[300];
    struct info_system s;
    int n = 0, r = 0;

    while (n < 300 && (r = sys_fork()) > 0)
        all[n++] = r;
    if (r == 0)
        for (;;)
            sys_wait(NULL, 0, SYS_NO_DEADLINE);
    sys_info(INFO_SYSTEM, 0, &s, sizeof(s));
    for (int i = 0; i < n; i++) {
        static struct sys_exit e;
        sys_process_status(all[i], &e);
        sys_kill(e.pid, 9);
        (void)role_end(all[i]);
    }
    CHECK(n > 3 && n < 300 && (r == -EAGAIN || r == -ENOMEM));
    CHECK(s.processes < 256); /* some are left for the first process */
    r = sys_fork();
    if (r == 0)
        sys_exit(1);
    CHECK(r > 0 && role_end(r) == 1);
    return NULL;
}

#define BIG_PAGES 2560u /* 10 MiB */

/* Waits for `go`, then needs every page that it was promised. */
static void __attribute__((noreturn)) call_in_promises(uint8_t *big, uint32_t *go)
{
    struct wait_item w = {.kind = WAIT_FUTEX, .addr = (uint64_t)(uintptr_t)go, .want = READY_IN};

    while (*(volatile uint32_t *)go == 0)
        sys_wait(&w, 1, SYS_NO_DEADLINE);
    for (unsigned i = 0; i < BIG_PAGES; i++)
        big[i * PAGE] = 2;
    sys_exit(1);
}

/* Children that share all their pages are refused when there would not be a page
 * for every write; those that were let in can write all of theirs. */
static const char *promises_are_kept(void) /* C-MEM-6 */
{
    uint8_t *big = pages_map(BIG_PAGES);
    int m = sys_memobj_create(PAGE), n = 0, good = 0, r = 0, all[256];
    int64_t a = sys_memobj_map(m, 0, 0, PAGE, PROT_R | PROT_W);
    uint32_t *go = (uint32_t *)(uintptr_t)a;
    struct info_system s;

    CHECK(big != NULL && m >= 0 && a > 0);
    sys_info(INFO_SYSTEM, 0, &s, sizeof(s));
    for (unsigned i = 0; i < BIG_PAGES; i++)
        big[i * PAGE] = 1;
    while (n < 256 && (r = sys_fork()) > 0)
        all[n++] = r;
    if (r == 0)
        call_in_promises(big, go);
    *go = 1;
    sys_futex_wake(go, 1000);
    for (int i = 0; i < n; i++)
        good += role_end(all[i]) == 1;
    CHECK(n > 0 && n < 256 && good == n);
    CHECK(r == -ENOMEM || s.memory_total > 2ull << 30); /* the table ends first */
    for (unsigned i = 0; i < BIG_PAGES; i++)
        CHECK(big[i * PAGE] == 1);
    CHECK(pages_free(big, BIG_PAGES) && sys_handle_close(m) == 0 && sys_mem_unmap((uint64_t)a, PAGE) == 0);
    return NULL;
}

static const char *fork_needs_the_right(void)
{
    struct sys_rights r = rights_none();

    CHECK(role_run("forks", "", &r) == EACCES);
    return NULL;
}

static int role_forks(int argc, char **argv)
{
    (void)argc, (void)argv;
    int h = sys_fork();
    return h < 0 ? -h : 0;
}

static const char *pages_come_back(void) /* C-MEM-6, C-PROC-2 */
{
    uint8_t *p = pages_map(PAGES);
    uint64_t before = 0;

    CHECK(p != NULL);
    for (int i = 0; i < 24; i++) {
        if (i == 8) /* the kernel's caches are warm */
            before = free_bytes();
        pages_fill(p, PAGES, (uint8_t)i);
        int h = sys_fork();
        if (h == 0) {
            pages_fill(p, PAGES / 2, 1);
            if (i % 3 == 0)
                sys_mem_unmap((uint64_t)(uintptr_t)p, PAGES / 4 * PAGE);
            if (i % 3 == 1)
                __asm__ volatile("ud2");
            sys_exit(1);
        }
        CHECK(h > 0);
        pages_fill(p + PAGE * (PAGES / 4), PAGES / 2, 2);
        CHECK(role_end(h) == (i % 3 == 1 ? -EPEER : 1));
    }
    CHECK(free_bytes() == before);
    CHECK(pages_free(p, PAGES));
    return NULL;
}

/* Forks, writes and ends children until somebody ends it. */
static void __attribute__((noreturn)) keep_forking(uint8_t *p)
{
    for (unsigned i = 0;; i++) {
        int h = sys_fork();
        pages_fill(p, PAGES, (uint8_t)i);
        if (h == 0)
            sys_exit(0);
        if (h > 0)
            sys_handle_close(h);
    }
}

static uint32_t processes_now(void)
{
    struct info_system s;

    sys_info(INFO_SYSTEM, 0, &s, sizeof(s));
    return s.processes;
}

static const char *killed_while_forking(void) /* C-PROC-2 */
{
    uint8_t *p = pages_map(PAGES);
    uint32_t processes = processes_now();
    uint64_t before = 0, end;

    CHECK(p != NULL);
    pages_fill(p, PAGES, 1);
    for (int i = 0; i < 12; i++) {
        static struct sys_exit e;
        int h = sys_fork();
        if (h == 0)
            keep_forking(p);
        CHECK(h > 0);
        sys_wait(NULL, 0, sys_now_ns() + 1000000 + (uint64_t)i * 370000);
        CHECK(sys_process_status(h, &e) == 0 && e.state == PROC_RUNNING && sys_kill(e.pid, 9) == 0);
        CHECK(role_end(h) == -EPEER);
        for (end = sys_now_ns() + WAIT_NS; processes_now() > processes && sys_now_ns() < end;)
            sys_wait(NULL, 0, sys_now_ns() + 2000000); /* its children end by themselves */
        if (i == 5)
            before = free_bytes();
    }
    for (end = sys_now_ns() + WAIT_NS; free_bytes() != before && sys_now_ns() < end;)
        sys_wait(NULL, 0, sys_now_ns() + 2000000);
    CHECK(processes_now() == processes && free_bytes() == before);
    CHECK(pages_hold(p, PAGES, 1) && pages_free(p, PAGES));
    return NULL;
}

/* A thread that starts its successor and ends; it needs no stack. */
static void __attribute__((naked)) relay(void)
{
    __asm__ volatile("movq %%rdi, %%rbx\n"
                     "1: movl %0, %%eax; movq %%rbx, %%rdi; syscall\n\t"
                     "testq %%rax, %%rax; jle 1b\n\t"
                     "movl %1, %%eax; xorl %%edi, %%edi; syscall; hlt" ::"i"(SYS_thread_create),
                     "i"(SYS_thread_exit));
}

/* A thread that is on its way out must not start one that stays. */
static const char *killed_while_starting_threads(void) /* C-PROC-2 */
{
    static struct sys_thread t;

    t = (struct sys_thread){.entry = (uint64_t)(uintptr_t)relay, .arg = (uint64_t)(uintptr_t)&t};
    for (int i = 0; i < 30; i++) {
        static struct sys_exit e;
        int h = sys_fork();
        if (h == 0) {
            for (int k = 0; k < 4; k++)
                sys_thread_create(&t);
            for (;;)
                sys_wait(NULL, 0, SYS_NO_DEADLINE);
        }
        CHECK(h > 0);
        sys_wait(NULL, 0, sys_now_ns() + 1000000 + (uint64_t)i * 37000);
        CHECK(sys_process_status(h, &e) == 0 && e.state == PROC_RUNNING && sys_kill(e.pid, 9) == 0);
        CHECK(role_end(h) == -EPEER);
    }
    return NULL;
}

const struct test fork_tests[] = {
    {"registers-survive", registers_survive},
    {"contents-diverge", contents_diverge},
    {"kernel-writes-are-private", kernel_writes_are_private},
    {"protection-is-kept", protection_is_kept},
    {"objects-stay-shared", objects_stay_shared},
    {"futex-words", futex_words},
    {"generations", generations},
    {"fork-while-writing", fork_while_writing},
    {"bomb-is-bounded", bomb_is_bounded},
    {"promises-are-kept", promises_are_kept},
    {"fork-needs-the-right", fork_needs_the_right},
    {"pages-come-back", pages_come_back},
    {"killed-while-forking", killed_while_forking},
    {"killed-while-starting-threads", killed_while_starting_threads},
    {NULL, NULL},
};

const struct role fork_roles[] = {
    {"forks", role_forks},
    {NULL, NULL},
};
