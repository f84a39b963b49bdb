/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_hosts.c: the hosts file, and which of several addresses comes first.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "../../libc/addrsort.h"
#include "../../libc/hosts.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static const char text[] = "# names\n"
                           "10.0.0.5\tserver.test server  srv # the one below\n"
                           "10.0.0.6 commented # hidden\n"
                           "fd00::5 server.test\n"
                           "nonsense server\n"
                           "10.0.0.7\n"
                           "\n"
                           "10.0.0.8 last";

static void finds_names(void **state)
{
    static const struct {
        const char *name, *canonical, *address;
        unsigned n;
    } cases[] = {
        {"server.test", "server.test", "10.0.0.5", 2}, {"SRV", "server.test", "10.0.0.5", 1},
        {"last", "last", "10.0.0.8", 1},               {"hidden", NULL, NULL, 0},
        {"server.tes", NULL, NULL, 0},                 {"10.0.0.7", NULL, NULL, 0},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct netd_address a[4];
        char canonical[NETD_NAME_MAX], shown[INET6_ADDRSTRLEN];
        assert_int_equal(hosts_find(text, sizeof(text) - 1, cases[i].name, a, 4, canonical), cases[i].n);
        if (cases[i].n == 0)
            continue;
        assert_string_equal(canonical, cases[i].canonical);
        assert_string_equal(inet_ntop(AF_INET, a[0].addr.b, shown, sizeof(shown)), cases[i].address);
        if (cases[i].n == 2)
            assert_true(a[1].family == NET_INET6 && a[1].addr.b[15] == 5);
    }
}

static void finds_addresses(void **state)
{
    (void)state;
    char name[NETD_NAME_MAX];
    struct netd_address a = {.family = NET_INET, .addr = {{10, 0, 0, 5}}};
    assert_true(hosts_name(text, sizeof(text) - 1, &a, name));
    assert_string_equal(name, "server.test");
    a.addr.b[3] = 7; /* has none */
    assert_false(hosts_name(text, sizeof(text) - 1, &a, name));
    char option[] = "10.1.0.1/a,fd00::1/b";
    hosts_from_option(option);
    a = (struct netd_address){.family = NET_INET6, .addr = {{0xfd, [15] = 1}}};
    assert_true(hosts_name(option, strlen(option), &a, name));
    assert_string_equal(name, "b");
}

/* Cut anywhere, nothing is read beyond the end. */
static void stays_within(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof(text); n++) {
        char *exact = malloc(n ? n : 1), canonical[NETD_NAME_MAX];
        struct netd_address a[4];
        memcpy(exact, text, n);
        assert_true(hosts_find(exact, n, "server.test", a, 4, canonical) <= 2);
        hosts_name(exact, n, &a[0], canonical);
        free(exact);
    }
}

static struct sort_entry entry(const char *to, const char *source)
{
    struct sort_entry e = {.reachable = source != NULL};
    e.to.family = strchr(to, ':') ? NET_INET6 : NET_INET;
    int af = e.to.family == NET_INET ? AF_INET : AF_INET6;
    assert_int_equal(inet_pton(af, to, e.to.addr.b), 1);
    if (source)
        assert_int_equal(inet_pton(af, source, e.source.b), 1);
    return e;
}

/* Pairs from RFC 6724 section 10.2 and plain cases: the first must come first, whichever
 * way round they are given. */
static void sorts(void **state)
{
    static const char *const pairs[][4] = {
        {"2001:db8:1::1", "2001:db8:1::2", "198.51.100.121", "169.254.13.78"},
        {"198.51.100.121", "198.51.100.117", "2001:db8:1::1", "fe80::1"},
        {"2001:db8:1::1", "2001:db8:1::2", "10.1.2.3", "10.1.2.4"},
        {"fe80::1", "fe80::2", "2001:db8:1::1", "2001:db8:1::2"},
        {"10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"},
        {"10.0.0.1", "10.0.0.2", "2001:db8:1::1", NULL},
        {"2001:db8:1::1", "2001:db8:1::2", "2002:c633:6401::1", "2002:c633:6401::2"},
        {"2001:db8:1::1", "2001:db8:1::9", "2001:db8:3ffe::1", "2001:db8:1::9"},
        {"::1", "::1", "127.0.0.1", "127.0.0.1"},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        for (int swap = 0; swap < 2; swap++) {
            struct sort_entry first = entry(pairs[i][0], pairs[i][1]), e[2];
            e[swap] = first;
            e[!swap] = entry(pairs[i][2], pairs[i][3]);
            addr_sort(e, 2);
            if (memcmp(&e[0].to, &first.to, sizeof(first.to)) != 0)
                fail_msg("%s should come before %s", pairs[i][0], pairs[i][2]);
        }
    struct sort_entry equal[3] = {entry("10.0.0.1", "10.0.0.9"), entry("10.0.0.2", "10.0.0.9"), entry("10.0.0.3", "10.0.0.9")};
    addr_sort(equal, 3);
    assert_int_equal(equal[0].to.addr.b[3], 1); /* the server's order, where we have no opinion */
    assert_int_equal(equal[2].to.addr.b[3], 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_names),
        cmocka_unit_test(finds_addresses),
        cmocka_unit_test(stays_within),
        cmocka_unit_test(sorts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
