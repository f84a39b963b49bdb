/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_options.c: the boot command line.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <kernel/options.h>
#include <string.h>

static unsigned reports;
static char last_word[256], last_why[256];

static void report(const char *word, const char *why)
{
    reports++;
    strncpy(last_word, word, sizeof last_word - 1);
    strncpy(last_why, why, sizeof last_why - 1);
}

static void parse(const char *line)
{
    reports = 0;
    options_parse(line, report);
}

static void test_values(void **state)
{
    (void)state;
    parse("clock=tsc  log=debug\tnet.eth0=10.0.2.15/24,10.0.2.2 start=echo,discard log=warn ");
    assert_int_equal(reports, 0);
    assert_string_equal(option("clock"), "tsc");
    assert_string_equal(option("log"), "warn"); /* the last one counts */
    assert_string_equal(option("net.eth0"), "10.0.2.15/24,10.0.2.2");
    assert_null(option("net.eth1"));
    assert_null(option("irq"));
    assert_true(option_is("clock", "tsc"));
    assert_false(option_is("clock", "ts"));
    assert_false(option_is("irq", "pic"));
    assert_true(option_has("start", "echo"));
    assert_true(option_has("start", "discard"));
    assert_false(option_has("start", "disc"));
    assert_false(option_has("start", "echo,discard,x"));
    assert_false(option_has("test", "all"));
    assert_string_equal(option_key("net.", 0), "net.eth0");
    assert_null(option_key("net.", 1));
    assert_true(option_is_setting("net.dns"));
    assert_false(option_is_setting("net.eth0"));
    assert_false(option_is_setting("net.dns2"));
    assert_string_equal(option_key("log", 1), "log"); /* each time it was given */
    parse("");
    assert_null(option("clock"));
}

static void accepted(const char *word)
{
    parse(word);
    if (reports != 0)
        print_message("%s refused: %s\n", word, last_why);
    assert_int_equal(reports, 0);
}

static void refused(const char *word)
{
    parse(word);
    if (reports != 1)
        print_message("%s accepted\n", word);
    assert_int_equal(reports, 1);
    assert_string_equal(last_word, word); /* named as it was given */
    assert_true(last_why[0] != 0);
    char key[64] = "";
    strncpy(key, word, sizeof key - 1);
    if (strchr(key, '=') != NULL)
        *strchr(key, '=') = 0;
    assert_null(option(key));
}

static void test_checks(void **state)
{
    static const char *const good[] = {
        "clock=auto",
        "clock=pmtmr",
        "event=deadline",
        "timer=pit",
        "irq=poll",
        "pci=ports",
        "acpi=off",
        "smp=4",
        "smp=64",
        "rtl8139=cplus",
        "console=screen",
        "com1=slip",
        "com1=slip,9600",
        "com1=slipmux",
        "com1=slipmux,38400",
        "com2=console,115200",
        "com2=off",
        "net.eth0=dhcp",
        "net.dns=10.0.0.1,fd00::53",
        "net.search=example.org,lab.test",
        "net.hosts=10.0.0.5/server,fd00::1/box",
        "net.ntp=off",
        "net.ntp=10.0.0.1,time.example.org",
        "net.eth1=off",
        "net.eth0=10.0.0.1/8",
        "slip=192.168.7.2:192.168.7.1",
        "slip=off",
        "start=echo",
        "panic=halt",
        "panic=reboot",
        "panic=reboot,10",
        "log=info",
        "test=all",
        "test=vm,wx",
    };
    static const char *const bad[] = {
        "quiet",
        "bogus=1",
        "=",
        "=x",
        "clock=",
        "clock=ts",
        "clock=tscc",
        "clock=auto|tsc",
        "smp=0",
        "smp=65",
        "smp=x",
        "smp=4x",
        "smp=99999999999999999999",
        "com1=slip,",
        "com1=slip,100",
        "com1=slip,230400",
        "com1=ppp",
        "com1=slipmux2",
        "net.=dhcp",
        "net.dns=10.0.0.1,",
        "net.dns=10.0.0.1/8",
        "net.hosts=",
        "net.search=a:b",
        "net.eth0=",
        "net.eth0=10.0.0.1",
        "net.eth0=10.0.0.1/33",
        "net.eth0=10.0.0.1/0",
        "net.eth0=10.0.0.256/8",
        "net.eth0=10.0.0.1/24,",
        "net.eth0=10.0.0.1/24,10.0.0",
        "net.eth0=dhcpx",
        "slip=192.168.7.2",
        "slip=192.168.7.2:",
        "start=",
        "start=a,,b",
        "start=a,",
        "start=a/b",
        "panic=reboot,",
        "panic=reboot,x",
        "panic=reboot,99999",
        "log=loud",
        "timer=hpet",
    };
    (void)state;
    for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++)
        accepted(good[i]);
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refused(bad[i]);
}

static void test_bad_words_leave_the_good_ones(void **state)
{
    (void)state;
    parse("foo clock=pit log=loud irq=pic");
    assert_int_equal(reports, 2);
    assert_true(option_is("clock", "pit"));
    assert_true(option_is("irq", "pic"));
}

static void test_limits(void **state)
{
    char line[4096] = "";
    (void)state;
    for (unsigned i = 0; i < 70; i++)
        strcat(line, "smp=1 ");
    parse(line);
    assert_int_equal(reports, 6); /* 64 fit */
    memset(line, 'a', sizeof line - 1);
    line[sizeof line - 1] = 0;
    parse(line);
    assert_int_equal(reports, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_checks),
        cmocka_unit_test(test_bad_words_leave_the_good_ones),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
