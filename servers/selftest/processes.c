/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/processes.c: how processes begin and end: status, faults,
 * kill, rights and limits of children, and that the dead leave nothing behind.
 */
#include "selftest.h"
#include <stdlib.h>
#include <string.h>

static struct sys_exit last;

/* Wait for the end and keep what is known about it. */
static int end(int handle)
{
    struct wait_item w = {.kind = WAIT_HANDLE, .handle = handle, .want = READY_IN};
    int r = sys_wait(&w, 1, sys_now_ns() + WAIT_NS);

    if (r > 0)
        r = sys_process_status(handle, &last);
    sys_handle_close(handle);
    return r;
}

static bool ended(int handle, uint32_t state, int32_t status)
{
    return handle >= 0 && end(handle) == 0 && last.state == state && last.status == status;
}

static int start(const char *role, const char *arg)
{
    struct sys_rights r = rights_none();
    return role_start(role, arg, &r);
}

static void pause_ms(uint64_t ms)
{
    sys_wait(NULL, 0, sys_now_ns() + ms * 1000000);
}

/* --- roles --- */

static int role_status(int argc, char **argv)
{
    return argc > 2 ? atoi(argv[2]) : 255;
}

static int __attribute__((noinline)) fault_here(volatile int *p)
{
    *p = 1;
    return *p;
}

static int role_fault(int argc, char **argv)
{
    (void)argc;
    if (strcmp(argv[2], "write") == 0)
        return fault_here((volatile int *)0x1234);
    if (strcmp(argv[2], "ud") == 0)
        __asm__ volatile("ud2");
    if (strcmp(argv[2], "kernel") == 0)
        return *(volatile int *)0xffffffff80100000ull;
    if (strcmp(argv[2], "jump") == 0) /* ret to an address that no sysret may see */
        __asm__ volatile("movq $1, %%rax; shlq $63, %%rax; pushq %%rax; ret" ::: "rax", "memory");
    if (strcmp(argv[2], "text") == 0)
        *(volatile int *)(uintptr_t)&role_status = 1;
    if (strcmp(argv[2], "data") == 0)
        ((int (*)(void))(uintptr_t) & last)();
    if (strcmp(argv[2], "cli") == 0)
        __asm__ volatile("cli");
    if (strcmp(argv[2], "port") == 0)
        __asm__ volatile("outb %%al, $0x80" ::"a"(0));
    return 0;
}

static int role_spin(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (;;)
        __asm__ volatile("pause");
    return 0;
}

static int role_sleep(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (;;)
        sys_wait(NULL, 0, SYS_NO_DEADLINE);
    return 0;
}

/* Maps more than its limit: exit status is the errno. */
static int role_hog(int argc, char **argv)
{
    (void)argc, (void)argv;
    int64_t a = sys_mem_map(0, 16 << 20, PROT_R | PROT_W);
    return a < 0 ? (int)-a : 0;
}

static int role_hog_objects(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (int i = 0; i < 100; i++) {
        int h = sys_memobj_create(1 << 20);
        if (h < 0)
            return i < 8 ? -h : 200;
    }
    return 0;
}

/* --- tests --- */

static const char *exit_status(void)
{
    CHECK(ended(start("status", "0"), PROC_EXITED, 0));
    CHECK(ended(start("status", "77"), PROC_EXITED, 77));
    CHECK(last.report[0] == 0 && last.fault_ip == 0);
    return NULL;
}

static const char *faults_are_reported(void) /* C-PROC-1, C-PROC-3 */
{
    static const struct {
        const char *how;
        int vector;
    } cases[] = {
        {"write", 14}, {"ud", 6},     {"kernel", 14}, {"jump", 13},
        {"text", 14},  {"data", 14},  {"cli", 13},    {"port", 13},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK(ended(start("fault", cases[i].how), PROC_FAULTED, cases[i].vector));
    CHECK(ended(start("fault", "write"), PROC_FAULTED, 14));
    CHECK(last.fault_addr == 0x1234 && last.fault_ip != 0);
    CHECK(strstr(last.report, "page fault") != NULL && strstr(last.report, "rip ") != NULL);
    CHECK(strstr(last.report, "fault_here") != NULL); /* the ELF's own symbols */
    CHECK(strstr(last.report, "log:") != NULL);
    return NULL;
}

static const char *kill_ends(void)
{
    static const char *const roles[] = {"spin", "sleep"};

    for (int i = 0; i < 2; i++) {
        int h = start(roles[i], "");
        CHECK(h >= 0);
        pause_ms(5);
        CHECK(sys_process_status(h, &last) == 0 && last.state == PROC_RUNNING);
        CHECK(sys_kill(last.pid, 0) == 0);
        CHECK(sys_kill(last.pid, 999) == -EINVAL);
        CHECK(sys_kill(last.pid, 9) == 0);
        CHECK(ended(h, PROC_KILLED, 9));
        CHECK(sys_kill(last.pid, 9) == -ESRCH);
    }
    CHECK(sys_kill(0x7ffffff0, 9) == -ESRCH);
    return NULL;
}

static int spawn_path(const char *path)
{
    static const char arg[] = "x";
    struct sys_rights r = rights_none();
    struct sys_spawn s = {.name = "role", .argc = 1, .args_bytes = sizeof(arg)};

    s.args = (uint64_t)(uintptr_t)arg;
    s.rights = (uint64_t)(uintptr_t)&r;
    strcpy(s.path, path);
    return sys_spawn(&s);
}

static const char *spawn_refuses(void)
{
    struct sys_spawn s = {.name = "role", .path = "bin/selftest"};
    struct sys_rights r = rights_none();

    CHECK(spawn_path("bin/missing") == -ENOENT);
    CHECK(spawn_path("etc/servers.conf") == -ENOEXEC);
    CHECK(spawn_path("") < 0);
    s.argc = 3; /* more than the block holds */
    CHECK(sys_spawn(&s) == -EINVAL);
    s.argc = 0;
    s.args_bytes = 1 << 20;
    CHECK(sys_spawn(&s) == -E2BIG);
    s.args_bytes = 0;
    s.priority = 99;
    CHECK(sys_spawn(&s) == -EINVAL);
    s.priority = 0;
    s.nhandles = SPAWN_HANDLES_MAX + 1;
    CHECK(sys_spawn(&s) == -EINVAL);
    s.nhandles = 1;
    s.handles[0] = 12345;
    CHECK(sys_spawn(&s) == -EBADF);
    s.nhandles = 0;
    r.nports = 1000;
    s.rights = (uint64_t)(uintptr_t)&r;
    CHECK(sys_spawn(&s) == -EINVAL);
    memset(s.name, 'n', sizeof(s.name)); /* without its NUL */
    CHECK(sys_spawn(&s) == -EINVAL);
    return NULL;
}

static const char *limits_hold(void) /* C-MEM-5 */
{
    struct sys_rights r = rights_none();

    r.memory_limit = 8 << 20;
    CHECK(role_run("hog", "", &r) == ENOMEM);
    CHECK(role_run("hog-objects", "", &r) == ENOMEM);
    r.memory_limit = 4096; /* not even room for the program */
    CHECK(role_run("hog", "", &r) == -ENOMEM);
    return NULL;
}

static uint64_t memory_free(uint32_t *processes)
{
    struct info_system s;

    sys_info(INFO_SYSTEM, 0, &s, sizeof(s));
    *processes = s.processes;
    return s.memory_free;
}

static const char *nothing_is_left_behind(void) /* C-PROC-2 */
{
    uint64_t before = 0, after;
    uint32_t processes = 0, still;

    for (int i = 0; i < 24; i++) {
        if (i == 8) /* caches of the kernel's allocator are warm by now */
            before = memory_free(&processes);
        CHECK(ended(start("fault", "write"), PROC_FAULTED, 14));
        int h = start("sleep", "");
        CHECK(h >= 0);
        pause_ms(1);
        CHECK(sys_process_status(h, &last) == 0 && sys_kill(last.pid, 9) == 0);
        CHECK(ended(h, PROC_KILLED, 9));
    }
    after = memory_free(&still);
    CHECK(still == processes);
    CHECK(after >= before);
    return NULL;
}

const struct test processes_tests[] = {
    {"exit-status", exit_status},
    {"faults-are-reported", faults_are_reported},
    {"kill-ends", kill_ends},
    {"spawn-refuses", spawn_refuses},
    {"limits-hold", limits_hold},
    {"nothing-is-left-behind", nothing_is_left_behind},
    {NULL, NULL},
};

const struct role processes_roles[] = {
    {"status", role_status}, {"fault", role_fault}, {"spin", role_spin},
    {"sleep", role_sleep},   {"hog", role_hog},     {"hog-objects", role_hog_objects},
    {NULL, NULL},
};
