/* SPDX-License-Identifier: MIT
 *
 * servers/strace/main.c: watch the system calls of a program, or of a process
 * that runs already.
 *
 *   strace [-c] [-f] PROGRAM [ARGUMENT ...]
 *   strace [-c] [-f] -p PID
 *
 * -c counts instead of showing each call, -f watches children, too. The program
 * gets strace's own rights and environment. A call is shown when it ends; what
 * the kernel's ring could not take is counted, never waited for.
 */
#include "strace.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORDS 64
#define LINE 512

extern char **environ;

static struct {
    bool count, children;
    int trace, child; /* handles; child -1 with -p */
    uint64_t lost;
} opt = {.child = -1};

static struct call_count {
    uint32_t number;
    uint64_t calls, errors, ns;
} counts[SYS_MAX + 1]; /* the last: numbers that mean nothing */

static void __attribute__((noreturn)) usage(void)
{
    fprintf(stderr, "usage: strace [-c] [-f] PROGRAM [ARGUMENT ...] | -p PID\n");
    exit(2);
}

static void __attribute__((noreturn)) fail(const char *what, int error)
{
    const char *name = error_name(-error);
    fprintf(stderr, "strace: %s: %s\n", what, name != NULL ? name : "?");
    exit(1);
}

/* --- starting --- */

static size_t append_strings(char *block, size_t at, char **strings, uint32_t *n)
{
    for (*n = 0; strings[*n] != NULL; ++*n) {
        size_t len = strlen(strings[*n]) + 1;
        if (len > SPAWN_ARGS_MAX - at)
            fail("arguments", -E2BIG);
        memcpy(block + at, strings[*n], len);
        at += len;
    }
    return at;
}

static void start_program(char **argv)
{
    static char block[SPAWN_ARGS_MAX];
    struct sys_spawn s = {.flags = SPAWN_SAME_RIGHTS};
    const char *slash = strrchr(argv[0], '/');
    size_t at = append_strings(block, 0, argv, &s.argc);

    at = append_strings(block, at, environ, &s.envc);
    s.args = (uint64_t)(uintptr_t)block;
    s.args_bytes = (uint32_t)at;
    strlcpy(s.name, slash != NULL ? slash + 1 : argv[0], sizeof s.name);
    if (slash != NULL)
        strlcpy(s.path, argv[0] + strspn(argv[0], "/"), sizeof s.path);
    else
        snprintf(s.path, sizeof s.path, "bin/%s", argv[0]);
    opt.trace = sys_trace_open(0, TRACE_NEXT_CHILD | (opt.children ? TRACE_CHILDREN : 0));
    if (opt.trace < 0)
        fail("trace_open", opt.trace);
    opt.child = sys_spawn(&s);
    if (opt.child < 0)
        fail(argv[0], opt.child);
}

static void watch_process(const char *pid)
{
    opt.trace = sys_trace_open((uint32_t)strtoul(pid, NULL, 10), opt.children ? TRACE_CHILDREN : 0);
    if (opt.trace < 0)
        fail(pid, opt.trace);
}

/* --- showing --- */

static void count_record(const struct trace_record *r)
{
    struct call_count *c = &counts[r->number < SYS_MAX ? r->number : SYS_MAX];

    c->number = r->number;
    c->calls++;
    c->errors += (r->flags & TRACE_NO_RETURN) == 0 && r->result < 0;
    c->ns += r->duration_ns;
}

static void show_record(const struct trace_record *r)
{
    char line[LINE];

    if (r->lost != 0) {
        opt.lost += r->lost;
        if (!opt.count)
            printf("... %u calls lost\n", (unsigned)r->lost);
    }
    if (r->flags & TRACE_LOST)
        return;
    if (opt.count) {
        count_record(r);
        return;
    }
    record_text(r, line, sizeof line);
    if (opt.children)
        printf("[%u] ", (unsigned)r->pid);
    printf("%s\n", line);
}

static int by_time(const void *a, const void *b)
{
    const struct call_count *x = a, *y = b;
    return x->ns < y->ns ? 1 : x->ns > y->ns ? -1 : 0;
}

static void show_counts(void)
{
    char name[16];

    qsort(counts, SYS_MAX + 1, sizeof counts[0], by_time);
    printf("      us    calls   errors call\n");
    for (unsigned i = 0; i <= SYS_MAX; i++)
        if (counts[i].calls != 0)
            printf("%8llu %8llu %8llu %s\n", (unsigned long long)(counts[i].ns / 1000),
                   (unsigned long long)counts[i].calls, (unsigned long long)counts[i].errors,
                   call_name(counts[i].number, name));
    if (opt.lost != 0)
        printf("and %llu calls lost\n", (unsigned long long)opt.lost);
}

static int show_end(void)
{
    static struct sys_exit e;
    static const char *const how[] = {"", "runs on", "exited with status", "was killed by signal",
                                      "ended by exception"};

    if (opt.child < 0 || sys_process_status(opt.child, &e) < 0)
        return 0;
    printf("+++ %s %d +++\n", how[e.state <= PROC_FAULTED ? e.state : 0], (int)e.status);
    return e.state == PROC_EXITED ? e.status : 128 + e.status;
}

static void watch(void)
{
    static struct trace_record records[RECORDS];
    struct wait_item item = {.kind = WAIT_HANDLE, .handle = opt.trace, .want = READY_IN};
    int64_t n;

    do {
        fflush(stdout);
        sys_wait(&item, 1, SYS_NO_DEADLINE);
        n = sys_trace_read(opt.trace, records, sizeof records);
        for (int64_t i = 0; i < n / (int64_t)sizeof records[0]; i++)
            show_record(&records[i]);
    } while (n > 0 || n == -EAGAIN || n == -EINTR);
    if (n < 0)
        fail("trace_read", (int)n);
}

/* The last record comes before the end of the process does. */
static void wait_child(void)
{
    struct wait_item item = {.kind = WAIT_HANDLE, .handle = opt.child, .want = READY_IN};

    while (opt.child >= 0 && sys_wait(&item, 1, SYS_NO_DEADLINE) == -EINTR)
        ;
}

int main(int argc, char **argv)
{
    const char *pid = NULL;
    int o;

    while ((o = getopt(argc, argv, "+cfp:")) != -1) {
        if (o == 'c')
            opt.count = true;
        else if (o == 'f')
            opt.children = true;
        else if (o == 'p')
            pid = optarg;
        else
            usage();
    }
    if ((pid != NULL) == (optind < argc))
        usage();
    if (pid != NULL)
        watch_process(pid);
    else
        start_program(argv + optind);
    watch();
    wait_child();
    if (opt.count)
        show_counts();
    return show_end();
}
