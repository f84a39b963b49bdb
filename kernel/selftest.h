/* SPDX-License-Identifier: MIT
 *
 * kernel/selftest.h: tests that run inside the booted kernel (test=NAME).
 *
 * Owns: how a test enters itself into the table. Test files are named
 * kernel/selftest_*.c:
 *
 *     SELFTEST(kmalloc)
 *     {
 *         TEST(kmalloc(16) != NULL);
 *         return NULL;
 *     }
 *
 * A test returns NULL, or what failed. It runs in thread context after
 * sched_init and may block.
 */
#ifndef KERNEL_SELFTEST_H
#define KERNEL_SELFTEST_H

struct selftest {
    const char *name;
    const char *(*run)(void);
    const char *alone; /* not NULL: "all" leaves it out */
};

#define SELFTEST_ENTRY(id, alone)                                                                            \
    static const char *selftest_##id(void);                                                                  \
    static const struct selftest selftest_entry_##id                                                         \
        __attribute__((used, section(".selftest." #id), aligned(8))) = {#id, selftest_##id, alone};          \
    static const char *selftest_##id(void)
#define SELFTEST(id)       SELFTEST_ENTRY(id, 0)
#define SELFTEST_ALONE(id) SELFTEST_ENTRY(id, #id) /* ends the kernel: runs only when test= names it */

#define SELFTEST_STR2(x) #x
#define SELFTEST_STR(x)  SELFTEST_STR2(x)
#define TEST(c)                                                                                              \
    do {                                                                                                     \
        if (!(c))                                                                                            \
            return __FILE__ ":" SELFTEST_STR(__LINE__) ": " #c;                                              \
    } while (0)

/* Runs what test= names, prints TAP, and leaves through power_test_exit, unless
 * all went well and there is more to run in ring 3 ("all", or names that no
 * test in the kernel has) and the initrd holds bin/selftest: then the boot goes
 * on, and init starts that program. Returns at once without test=. */
void selftest_run(void);

#endif
