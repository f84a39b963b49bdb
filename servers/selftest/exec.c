/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/exec.c: another program in a process: what it keeps, failures
 * that change nothing, and that the old program's memory comes back.
 */
#include "selftest.h"
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u
#define STACK_BYTES 16384u

static struct sys_exec x;

static void exec_fill(const char *path, const char *const *words, int n, const char *extra, const int32_t *closes,
                      unsigned ncloses)
{
    static char args[256];
    size_t at = 0;

    x = (struct sys_exec){.argc = (uint32_t)n, .ncloses = ncloses};
    strcpy(x.path, path);
    for (int i = 0; i < n; i++) {
        strcpy(args + at, words[i]);
        at += strlen(words[i]) + 1;
    }
    x.args = (uint64_t)(uintptr_t)args;
    x.args_bytes = (uint32_t)at;
    x.extra = (uint64_t)(uintptr_t)extra;
    x.extra_bytes = extra != NULL ? (uint32_t)strlen(extra) + 1 : 0;
    x.closes = (uint64_t)(uintptr_t)closes;
}

static int exec_words(const char *path, const char *const *words, int n, const char *extra, const int32_t *closes,
                      unsigned ncloses)
{
    exec_fill(path, words, n, extra, closes, ncloses);
    return sys_exec(&x);
}

static int exec_role(const char *role, const char *arg)
{
    const char *words[3] = {"selftest", role, arg};

    return exec_words("bin/selftest", words, 3, NULL, NULL, 0);
}

static const char *exec_replaces(void)
{
    int h = sys_fork();

    if (h == 0) {
        (void)exec_role("status", "42");
        sys_exit(99);
    }
    CHECK(h > 0);
    CHECK(role_end(h) == 42);
    return NULL;
}

/* The word after auxv type `type` on this process's stack. */
static uint64_t auxv(char **argv, uint64_t type)
{
    uint64_t *w = (uint64_t *)argv;

    for (int lists = 0; lists < 2; w++) /* argv, then envp */
        lists += *w == 0;
    for (; w[0] != 0; w += 2)
        if (w[0] == type)
            return w[1];
    return 0;
}

/* exec-extra: did handles and extra bytes arrive? argv[2] holds "kept,closed". */
static int role_exec_extra(int argc, char **argv)
{
    char *comma = strchr(argv[2], ',');
    const char *extra = (const char *)(uintptr_t)auxv(argv, AT_SLIPWAY_EXTRA);
    (void)argc;
    if (auxv(argv, AT_SLIPWAY_EXTRA_BYTES) != 8 || memcmp(extra, "baggage", 8) != 0)
        return 10;
    if (sys_handle_close(atoi(argv[2])) != 0)
        return 11;
    return sys_handle_close(atoi(comma + 1)) == -EBADF ? 12 : 13;
}

static const char *exec_keeps_and_closes(void)
{
    int h = sys_fork();

    if (h == 0) {
        int kept = sys_memobj_create(PAGE), closed = sys_memobj_create(PAGE), e = sys_endpoint_create(1);
        const int32_t closes[2] = {closed, 12345};
        char arg[32];
        itoa(kept, arg, 10);
        strcat(arg, ",");
        itoa(closed, arg + strlen(arg), 10);
        const char *words[3] = {"selftest", "exec-extra", arg};
        (void)exec_words("bin/selftest", words, 3, "baggage", closes, 2);
        sys_exit(e);
    }
    CHECK(h > 0);
    CHECK(role_end(h) == 12);
    return NULL;
}

static const char *failing_execs(void)
{
    const char *words[1] = {"selftest"};
    static struct sys_exec x;

    CHECK(exec_words("bin/missing", words, 1, NULL, NULL, 0) == -ENOENT);
    CHECK(exec_words("etc/servers.conf", words, 1, NULL, NULL, 0) == -ENOEXEC);
    CHECK(exec_words("bin/selftest", words, 1, NULL, NULL, 5) == -EFAULT);
    CHECK(exec_words("bin/selftest", words, 1, NULL, NULL, 100000) == -EINVAL);
    CHECK(sys_exec(NULL) == -EFAULT);
    x = (struct sys_exec){.path = "bin/selftest", .argc = 3}; /* more than the block holds */
    CHECK(sys_exec(&x) == -EINVAL);
    x.argc = 0;
    x.extra_bytes = SPAWN_EXTRA_MAX + 1;
    CHECK(sys_exec(&x) == -E2BIG);
    memset(x.path, 'x', sizeof(x.path));
    x.extra_bytes = 0;
    CHECK(sys_exec(&x) == -EINVAL);
    return NULL;
}

static const char *exec_failures_change_nothing(void) /* C-PROC-4 */
{
    static volatile uint64_t mark = 4711;
    const char *why = failing_execs();
    uint64_t before = free_bytes(); /* the kernel's caches are warm */

    if (why == NULL)
        why = failing_execs();
    CHECK(why == NULL);
    CHECK(mark == 4711 && free_bytes() == before);
    return NULL;
}

static void forever(void *arg)
{
    if (arg != NULL)
        for (;;)
            sys_wait(NULL, 0, SYS_NO_DEADLINE);
    for (;;)
        __asm__ volatile("pause");
}

static const char *exec_ends_other_threads(void) /* C-PROC-4 */
{
    int h = sys_fork();

    if (h == 0) {
        for (uint64_t i = 0; i < 4; i++) {
            int64_t stack = sys_mem_map(0, STACK_BYTES, PROT_R | PROT_W);
            struct sys_thread t = {.entry = (uint64_t)(uintptr_t)forever,
                                   .stack = (uint64_t)stack + STACK_BYTES - 16, .arg = i % 2};
            if (stack < 0 || sys_thread_create(&t) <= 0)
                sys_exit(98);
        }
        sys_wait(NULL, 0, sys_now_ns() + 5000000);
        (void)exec_role("alone", "");
        sys_exit(99);
    }
    CHECK(h > 0);
    CHECK(role_end(h) == 1);
    return NULL;
}

static volatile bool go;

static void executes(void *arg)
{
    (void)arg;
    while (!go)
        __asm__ volatile("pause");
    (void)sys_exec(&x);
    for (;;)
        sys_wait(NULL, 0, SYS_NO_DEADLINE);
}

/* Several threads exec at once: one of them does, and does not wait for ever. */
static const char *exec_by_several_threads(void) /* C-PROC-4 */
{
    const char *const words[] = {"selftest", "alone", ""};

    for (int round = 0; round < 20; round++) {
        int h = sys_fork();

        if (h == 0) {
            exec_fill("bin/selftest", words, 3, NULL, NULL, 0);
            for (int i = 0; i < 3; i++) {
                int64_t stack = sys_mem_map(0, STACK_BYTES, PROT_R | PROT_W);
                struct sys_thread t = {.entry = (uint64_t)(uintptr_t)executes,
                                       .stack = (uint64_t)stack + STACK_BYTES - 16};
                if (stack < 0 || sys_thread_create(&t) <= 0)
                    sys_exit(98);
            }
            sys_wait(NULL, 0, sys_now_ns() + 1000000);
            go = true;
            executes(NULL);
        }
        CHECK(h > 0);
        CHECK(role_end(h) == 1);
    }
    return NULL;
}

/* alone: how many threads this process has. */
static int role_alone(int argc, char **argv)
{
    struct info_process p;

    (void)argc, (void)argv;
    for (uint64_t i = 0; sys_info(INFO_PROCESS, i, &p, sizeof(p)) > 0; i++)
        if (p.pid == (uint32_t)sys_getpid())
            return strcmp(p.name, "selftest") == 0 ? (int)p.threads : 97;
    return 96;
}

/* again: executes itself argv[2] times. */
static int role_again(int argc, char **argv)
{
    char arg[16];
    int n = atoi(argv[2]);

    (void)argc;
    if (n == 0)
        return 33;
    itoa(n - 1, arg, 10);
    (void)exec_role("again", arg);
    return 95;
}

static const char *exec_gives_memory_back(void) /* C-PROC-2 */
{
    uint64_t before = 0;

    for (int i = 0; i < 6; i++) {
        int h = sys_fork();
        if (h == 0) {
            (void)exec_role("again", "5");
            sys_exit(99);
        }
        CHECK(h > 0 && role_end(h) == 33);
        if (i == 2)
            before = free_bytes();
    }
    CHECK(free_bytes() == before);
    return NULL;
}

const struct test exec_tests[] = {
    {"replaces", exec_replaces},
    {"keeps-and-closes", exec_keeps_and_closes},
    {"failures-change-nothing", exec_failures_change_nothing},
    {"ends-other-threads", exec_ends_other_threads},
    {"by-several-threads", exec_by_several_threads},
    {"gives-memory-back", exec_gives_memory_back},
    {NULL, NULL},
};

const struct role exec_roles[] = {
    {"exec-extra", role_exec_extra}, {"alone", role_alone}, {"again", role_again}, {NULL, NULL},
};
