/* SPDX-License-Identifier: MIT
 *
 * kernel/selftest.c: runs the tests that test= names and prints TAP.
 *
 * Owns: nothing; the table is the linker's (section .selftest, sorted by name).
 * Context: boot thread, before the first process.
 */
#include <kernel/acpi.h>
#include <kernel/initrd.h>
#include <kernel/log.h>
#include <kernel/options.h>
#include <kernel/selftest.h>
#include <kernel/string.h>
#include <stdbool.h>

extern const struct selftest selftests[], selftests_end[];

static bool wanted(const struct selftest *t)
{
    return (option_has("test", "all") && t->alone == NULL) || option_has("test", t->name);
}

/* Is there more to run in ring 3: "all", or names that no test here has? */
static bool more_in_ring3(void)
{
    const char *v = option("test");
    char name[64];

    while (*v != 0) {
        size_t n = 0;
        bool known = false;
        for (; *v != 0 && *v != ','; v++)
            if (n + 1 < sizeof name)
                name[n++] = *v;
        name[n] = 0;
        v += *v == ',';
        for (const struct selftest *t = selftests; t < selftests_end; t++)
            known = known || strcmp(t->name, name) == 0;
        if (!known)
            return true;
    }
    return false;
}

/* test=hang: for the tests of the watchdog. */
static void __attribute__((noreturn)) hang(void)
{
    klog(LOG_INFO, "test=hang: nothing goes on from here");
    for (;;)
        __asm__ volatile("cli; hlt");
}

void selftest_run(void)
{
    unsigned count = 0, number = 0, failed = 0;
    size_t bytes;

    if (option("test") == NULL)
        return;
    if (option_is("test", "hang"))
        hang();
    if (option_is("test", "panic"))
        panic("asked for by test=panic");
    for (const struct selftest *t = selftests; t < selftests_end; t++)
        count += wanted(t);
    if (count > 0)
        log_plain("TAP version 13\n1..%u", count);
    for (const struct selftest *t = selftests; t < selftests_end; t++) {
        if (!wanted(t))
            continue;
        const char *why = t->run();
        number++;
        failed += why != NULL;
        log_plain("%s %u - %s%s%s", why == NULL ? "ok" : "not ok", number, t->name, why == NULL ? "" : " # ",
                  why == NULL ? "" : why);
    }
    if (count > 0)
        log_plain("# %u passed, %u failed", count - failed, failed);
    if (failed == 0 && more_in_ring3() && initrd_find("bin/selftest", &bytes) != NULL)
        return;
    power_test_exit(failed == 0 && count > 0);
}
