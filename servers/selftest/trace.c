/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/trace.c: watching the system calls of a process: what is
 * seen, who may, and that nobody waits for a watcher.
 */
#include "selftest.h"
#include <stdlib.h>
#include <string.h>

#define RECORDS 16
#define STRANGE 95 /* a number without a call */

static struct trace_record records[RECORDS];
static unsigned have, at;

/* --- roles --- */

static int role_traced(int argc, char **argv)
{
    unsigned n = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
    static const char text[] = "seen by the watcher";

    for (unsigned i = 0; i < n; i++)
        sys_thread_tls((const void *)(uintptr_t)UINT64_MAX); /* an error, every time */
    sys_name_lookup("nobody");
    sys_name_lookup((const char *)8);
    sys_log_write(9, text, sizeof(text) - 1);
    __sys_raw(STRANGE, 1, 2, 3, 4, 5);
    return 3;
}

/* A fork keeps the registers that C keeps, watched or not. */
static int role_traced_fork(int argc, char **argv)
{
    uint64_t r12 = 0x1212, r13 = 0x1313, r14 = 0x1414, r15 = 0x1515;
    long r = SYS_fork;

    (void)argc, (void)argv;
    __asm__ volatile("movq %1, %%r12; movq %2, %%r13; movq %3, %%r14; movq %4, %%r15; syscall;"
                     "movq %%r12, %1; movq %%r13, %2; movq %%r14, %3; movq %%r15, %4"
                     : "+a"(r), "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15)
                     :
                     : "rcx", "r11", "r12", "r13", "r14", "r15", "memory");
    if (r < 0 || r12 != 0x1212 || r13 != 0x1313 || r14 != 0x1414 || r15 != 0x1515)
        sys_exit(9);
    if (r == 0)
        sys_exit(7); /* the child */
    return role_end((int)r);
}

/* Starts a child that a watcher of its parent sees, too. */
static int role_traced_parent(int argc, char **argv)
{
    struct sys_rights r = rights_none();

    (void)argc, (void)argv;
    return role_run("traced", "0", &r) == 3 ? 4 : 5;
}

static int role_sleeper(int argc, char **argv)
{
    (void)argc, (void)argv;
    sys_wait(NULL, 0, SYS_NO_DEADLINE);
    return 0;
}

/* A stranger without the right: 0 when it is refused all that it must not have. */
static int role_peeping(int argc, char **argv)
{
    uint32_t pid = argc > 2 ? (uint32_t)atoi(argv[2]) : 0;

    if (sys_trace_open(pid, 0) != -EACCES || sys_trace_open(1, 0) != -EACCES)
        return 1;
    return sys_trace_open((uint32_t)sys_getpid(), 0) == -EINVAL ? 0 : 2;
}

/* --- helpers --- */

/* The next record; NULL at the end, or when none came in time. */
static const struct trace_record *next(int trace)
{
    struct wait_item w = {.kind = WAIT_HANDLE, .handle = trace, .want = READY_IN};

    if (at == have) {
        at = have = 0;
        if (sys_wait(&w, 1, sys_now_ns() + WAIT_NS) <= 0)
            return NULL;
        int64_t n = sys_trace_read(trace, records, sizeof(records));
        have = n > 0 ? (unsigned)(n / (int64_t)sizeof(records[0])) : 0;
    }
    return at < have ? &records[at++] : NULL;
}

static const struct trace_record *next_of(int trace, uint32_t number)
{
    const struct trace_record *r;

    do
        r = next(trace);
    while (r != NULL && r->number != number);
    return r;
}

static uint64_t memory_used(void)
{
    struct info_process p;

    for (uint64_t i = 0; sys_info(INFO_PROCESS, i, &p, sizeof(p)) > 0; i++)
        if (p.pid == (uint32_t)sys_getpid())
            return p.memory_bytes;
    return 0;
}

static uint32_t pid_of(int handle)
{
    static struct sys_exit e;

    return sys_process_status(handle, &e) == 0 ? e.pid : 0;
}

static int start(const char *role, const char *arg, uint32_t rights)
{
    struct sys_rights r = rights_none();

    r.bits = rights;
    return role_start(role, arg, &r);
}

/* --- tests --- */

static const char *a_child_is_watched_from_its_first_call(void)
{
    uint64_t before = memory_used();
    int t = sys_trace_open(0, TRACE_NEXT_CHILD), h;
    const struct trace_record *r;
    uint32_t pid;

    at = have = 0;
    CHECK(t >= 0 && memory_used() > before);
    CHECK(sys_trace_open(0, TRACE_NEXT_CHILD) == -EBUSY);
    CHECK(sys_trace_read(t, records, sizeof(records)) == -EAGAIN);
    h = start("traced", "0", 0);
    CHECK(h >= 0);
    pid = pid_of(h);
    r = next(t); /* libc's first: thread-local storage */
    CHECK(r != NULL && r->pid == pid && r->tid != 0 && r->lost == 0 && r->ns <= sys_now_ns());
    r = next_of(t, SYS_name_lookup);
    CHECK(r != NULL && r->result == -EACCES && (r->flags & TRACE_TEXT) && r->text_bytes == 6);
    CHECK(memcmp(r->text, "nobody", 6) == 0);
    r = next(t);
    CHECK(r != NULL && r->number == SYS_name_lookup && r->result == -EFAULT && r->args[0] == 8 && r->flags == 0);
    r = next(t);
    CHECK(r != NULL && r->number == SYS_log_write && r->result == -EINVAL && r->args[0] == 9);
    CHECK(r->text_bytes == 19 && memcmp(r->text, "seen by the watcher", 19) == 0);
    r = next(t);
    CHECK(r != NULL && r->number == STRANGE && r->result == -ENOSYS && r->args[0] == 1 && r->args[4] == 5);
    r = next_of(t, SYS_exit);
    CHECK(r != NULL && (r->flags & TRACE_NO_RETURN) && r->args[0] == 3);
    CHECK(role_end(h) == 3);
    CHECK(sys_trace_read(t, records, sizeof(records)) == 0); /* nobody left to watch */
    CHECK(sys_trace_read(t, records, sizeof(records[0]) - 1) == -EINVAL);
    CHECK(sys_trace_read(h, records, sizeof(records)) == -EBADF);
    CHECK(sys_handle_close(t) == 0);
    CHECK(memory_used() == before);
    return NULL;
}

static const char *children_of_children(void)
{
    int t = sys_trace_open(0, TRACE_NEXT_CHILD | TRACE_CHILDREN), h = start("traced-parent", "", RIGHT_PROC_SPAWN);
    uint32_t pid = pid_of(h), child = 0, exits = 0;
    const struct trace_record *r;

    at = have = 0;
    CHECK(t >= 0 && h >= 0 && pid != 0);
    while ((r = next(t)) != NULL) {
        if (r->pid != pid)
            child = r->pid;
        exits += r->number == SYS_exit;
    }
    CHECK(child != 0 && exits == 2);
    CHECK(role_end(h) == 4);
    CHECK(sys_handle_close(t) == 0);
    return NULL;
}

static const char *forked_children(void)
{
    int t = sys_trace_open(0, TRACE_NEXT_CHILD | TRACE_CHILDREN), h = start("traced-fork", "", RIGHT_PROC_SPAWN);
    uint32_t pid = pid_of(h);
    const struct trace_record *r;
    bool forked = false, child = false;

    at = have = 0;
    CHECK(t >= 0 && h >= 0 && pid != 0);
    while ((r = next(t)) != NULL) {
        forked = forked || (r->number == SYS_fork && r->result > 0);
        child = child || (r->pid != pid && r->number == SYS_exit && r->args[0] == 7);
    }
    CHECK(forked && child);
    CHECK(role_end(h) == 7);
    CHECK(sys_handle_close(t) == 0);
    return NULL;
}

static const char *watching_needs_a_right(void) /* C-TRACE-1 */
{
    int sleeper = start("sleeper", "", 0), t;
    char pid[16];

    CHECK(sleeper >= 0);
    itoa((int)pid_of(sleeper), pid, 10);
    struct sys_rights none = rights_none();
    CHECK(role_run("peeping", pid, &none) == 0);
    CHECK(sys_trace_open(1, 0) == -EACCES); /* this one lacks it, too */
    CHECK(sys_trace_open(0x7ffffff0, 0) == -ESRCH);
    CHECK(sys_trace_open(pid_of(sleeper), 4) == -EINVAL);
    CHECK(sys_trace_open(pid_of(sleeper), TRACE_NEXT_CHILD) == -EINVAL);
    t = sys_trace_open(pid_of(sleeper), 0); /* but this is its child */
    CHECK(t >= 0);
    CHECK(sys_trace_open(pid_of(sleeper), 0) == -EBUSY);
    CHECK(sys_handle_close(t) == 0);
    t = sys_trace_open(pid_of(sleeper), 0); /* and again, after the first watcher left */
    CHECK(t >= 0);
    CHECK(sys_kill(pid_of(sleeper), 9) == 0);
    CHECK(role_end(sleeper) == -EPEER);
    CHECK(sys_handle_close(t) == 0);
    return NULL;
}

static const char *nobody_waits_for_a_watcher(void) /* C-TRACE-2 */
{
    uint64_t before = memory_used(), seen = 0, lost = 0;
    int t = sys_trace_open(0, TRACE_NEXT_CHILD), h = start("traced", "2000", 0);
    const struct trace_record *r;

    at = have = 0;
    CHECK(t >= 0 && h >= 0);
    CHECK(role_end(h) == 3); /* though nobody reads */
    while ((r = next(t)) != NULL) {
        seen += !(r->flags & TRACE_LOST);
        lost += r->lost;
    }
    CHECK(seen > 100 && seen < 1000 && lost > 1000);
    CHECK(seen + lost > 2004 && seen + lost < 2100); /* libc's own are few */
    CHECK(sys_handle_close(t) == 0);
    CHECK(memory_used() == before);
    return NULL;
}

static const char *a_watcher_may_leave(void)
{
    for (int i = 0; i < 20; i++) {
        int t = sys_trace_open(0, TRACE_NEXT_CHILD), h;
        if (i % 4 == 0)
            CHECK(sys_handle_close(t) == 0); /* before the child is there */
        h = start("traced", "500", 0);
        CHECK(t >= 0 && h >= 0);
        if (i % 4 == 1)
            CHECK(sys_handle_close(t) == 0);
        if (i % 4 == 2)
            sys_yield();
        CHECK(i % 4 == 3 || i % 4 < 2 || sys_handle_close(t) == 0);
        CHECK(role_end(h) == 3);
        CHECK(i % 4 != 3 || sys_handle_close(t) == 0);
    }
    return NULL;
}

const struct test trace_tests[] = {
    {"first-call", a_child_is_watched_from_its_first_call},
    {"children", children_of_children},
    {"forked-children", forked_children},
    {"rights", watching_needs_a_right},
    {"lost-records", nobody_waits_for_a_watcher},
    {"leaving", a_watcher_may_leave},
    {NULL, NULL},
};
const struct role trace_roles[] = {
    {"traced", role_traced},           {"traced-parent", role_traced_parent},
    {"traced-fork", role_traced_fork}, {"sleeper", role_sleeper},
    {"peeping", role_peeping},         {NULL, NULL},
};
