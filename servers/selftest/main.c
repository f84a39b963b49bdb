/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/main.c: runs what test= names (a group below, or "all"
 * after the kernel's own), prints TAP on the console, and leaves the machine by the
 * debug-exit port with a code that says how it went.
 */
#include "selftest.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    const struct test *tests;
} groups[] = {
    {"calls", calls_tests},     {"processes", processes_tests}, {"messages", messages_tests},
    {"races", races_tests},     {"names", names_tests}, /* before others keep the name */
    {"screen", screen_tests},   {"threads", threads_tests},     {"registry", registry_tests},
    {"libc", libc_tests},       {"sockets", sockets_tests},     {"secrets", secrets_tests},
    {"memory", memory_tests},   {"cycles", cycles_tests},       {"fork", fork_tests},
    {"exec", exec_tests},       {"trace", trace_tests},         {"fpu", fpu_tests},
    {"pipes", pipes_tests},     {"signals", signals_tests},     {"posix", posix_tests},
    {"pthread", pthread_tests}, {"events", events_tests},       {"tlb", tlb_tests},
    {"smp", smp_tests},         {"fuzz", fuzz_tests},           {"wakes", wakes_tests},
    {"netdb", netdb_tests},     {"errnos", errnos_tests},       {"pairs", pairs_tests},
};

static const struct role *const roles[] = {
    processes_roles, messages_roles, registry_roles, fork_roles, exec_roles,  memory_roles,  trace_roles,
    names_roles,     races_roles,    crew_roles,     posix_roles, fuzz_roles, witness_roles,
    many_roles,      wakes_roles,
};

/* spin: computes without end, for tests of what else still runs. */
static int __attribute__((noreturn)) role_spin(void)
{
    for (volatile unsigned long turns = 0;; turns++)
        ;
}

static int play_role(int argc, char **argv)
{
    if (strcmp(argv[1], "spin") == 0)
        return role_spin();
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        for (const struct role *r = roles[i]; r->name; r++)
            if (strcmp(r->name, argv[1]) == 0)
                return r->run(argc, argv);
    return 254;
}

/* Is `name` in the comma-separated list after test= ? Some take too long for "all". */
static bool wanted(const char *name)
{
    bool alone = strcmp(name, "fuzz") == 0 || strcmp(name, "cycles") == 0 || strcmp(name, "smp") == 0;
    static char cmdline[1024];
    size_t len = strlen(name);
    if (!cmdline[0] && sys_info(INFO_CMDLINE, 0, cmdline, sizeof(cmdline) - 1) <= 0)
        return false;
    const char *list = strstr(cmdline, "test=");
    for (list = list ? list + 5 : ""; *list && *list != ' ';) {
        size_t n = strcspn(list, ", ");
        if ((n == len && memcmp(list, name, n) == 0) || (n == 3 && !alone && memcmp(list, "all", 3) == 0))
            return true;
        list += n + (list[n] == ',');
    }
    return false;
}

int main(int argc, char **argv)
{
    unsigned count = 0, failed = 0;

    if (argc > 1)
        return play_role(argc, argv);
    printf("TAP version 13\n");
    for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
        if (!wanted(groups[g].name))
            continue;
        for (const struct test *t = groups[g].tests; t->name; t++) {
            const char *why = t->run();
            failed += why != NULL;
            printf("%s %u - %s: %s%s%s\n", why ? "not ok" : "ok", ++count, groups[g].name, t->name, why ? " # " : "",
                   why ? why : "");
        }
    }
    if (count == 0) {
        printf("# no test has that name; here are");
        for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++)
            printf(" %s", groups[g].name);
        printf("\n# and in the kernel those that kernel/selftest*.c name\n");
    }
    printf("1..%u\n# %u passed, %u failed\n", count, count - failed, failed);
    fflush(stdout);
    sys_power(failed || count == 0 ? POWER_TEST_FAIL : POWER_TEST_PASS);
    return 1;
}
