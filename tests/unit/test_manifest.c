/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_manifest.c: the parser of servers.conf.
 */
#include <servers/init/manifest.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct manifest m;
static char said[128][256];
static unsigned nsaid;

static void listen_to(void *ctx, const char *text)
{
    (void)ctx;
    if (nsaid < 128)
        strncpy(said[nsaid++], text, 255);
}

/* An exact copy on the heap, so that a read past the end is seen. */
static unsigned parse(const char *text)
{
    size_t n = strlen(text);
    char *copy = malloc(n > 0 ? n : 1);
    memcpy(copy, text, n);
    nsaid = 0;
    unsigned r = manifest_parse(&m, "servers.conf", copy, n, listen_to, NULL);
    free(copy);
    assert_int_equal(r, nsaid);
    return r;
}

static void reads_a_whole_block(void **state)
{
    (void)state;
    assert_int_equal(parse("# comment\n"
                           "server httpd {\n"
                           "    program  /bin/httpd\n"
                           "    args     -r /www   # files\n"
                           "    start    boot\n"
                           "    restart  always\n"
                           "    memory   4M\n"
                           "    priority high\n"
                           "    port     tcp/80 tcp/8000-8010\n"
                           "    port     tcp/23 on sl0 icmp/any\n"
                           "    call     netd init\n"
                           "    right    net.client log.read\n"
                           "}\n"),
                     0);
    assert_int_equal(m.count, 1);
    const struct manifest_server *s = &m.server[0];
    assert_string_equal(s->name, "httpd");
    assert_string_equal(s->rights.serves, "httpd");
    assert_string_equal(s->program, "/bin/httpd");
    assert_int_equal(s->argc, 2);
    assert_int_equal(s->args_bytes, 8);
    assert_memory_equal(s->args, "-r\0/www", 8);
    assert_int_equal(s->start, START_BOOT);
    assert_int_equal(s->restart, RESTART_ALWAYS);
    assert_int_equal(s->priority, PRIO_HIGH);
    assert_int_equal(s->rights.memory_limit, 4 << 20);
    assert_int_equal(s->rights.nports, 4);
    assert_int_equal(s->rights.serve_ports, 15);
    assert_int_equal(s->rights.ports[0].proto, NET_TCP);
    assert_int_equal(s->rights.ports[0].port_lo, 80);
    assert_int_equal(s->rights.ports[0].port_hi, 80);
    assert_int_equal(s->rights.ports[0].link, LINK_ANY);
    assert_int_equal(s->rights.ports[1].port_lo, 8000);
    assert_int_equal(s->rights.ports[1].port_hi, 8010);
    assert_string_equal(s->rights.port_links[1], "");
    assert_string_equal(s->rights.port_links[2], "sl0");
    assert_int_equal(s->rights.ports[3].proto, NET_ICMP);
    assert_int_equal(s->rights.ports[3].port_hi, 65535);
    assert_int_equal(s->rights.ncalls, 2);
    assert_string_equal(s->rights.calls[1], "init");
    assert_int_equal(s->rights.bits, RIGHT_NET_EPHEMERAL | RIGHT_LOG_READ);
    assert_int_equal(s->line, 2);
}

static void defaults_grant_nothing(void **state) /* C-RIGHT-3 */
{
    (void)state;
    assert_int_equal(parse("server a {\n program /bin/a\n}"), 0);
    const struct manifest_server *s = manifest_find(&m, "a");
    assert_non_null(s);
    assert_int_equal(s->rights.bits, 0);
    assert_int_equal(s->rights.nports, 0);
    assert_int_equal(s->rights.ncalls, 0);
    assert_int_equal(s->rights.serve_ports, 0);
    assert_int_equal(s->rights.memory_limit, 0);
    assert_int_equal(s->start, START_DEMAND);
    assert_int_equal(s->restart, RESTART_NEVER);
    assert_int_equal(s->priority, PRIO_NORMAL);
    assert_null(manifest_find(&m, "b"));
}

static void a_wrong_line_is_named_and_the_rest_works(void **state)
{
    static const char *const lines[] = {
        "bogus word",
        "program",
        "program bin/x",
        "start now",
        "start boot now",
        "restart often",
        "memory 0",
        "memory 4X",
        "memory 99999G",
        "memory 4MM",
        "port",
        "port tcp/0",
        "port tcp/65536",
        "port tcp/9-8",
        "port tcp/",
        "port tcp/8x",
        "port sctp/1",
        "port tcp/80 on",
        "port tcp/80 on toolongname",
        "call",
        "call a/b",
        "call name-of-16-bytes",
        "right",
        "right net.everything",
        "priority urgent",
        "args",
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "server x {\n program /bin/x\n %s\n}\nserver y {\nprogram /bin/y\n}\n",
                 lines[i]);
        assert_int_equal(parse(text), 1);
        assert_non_null(strstr(said[0], "servers.conf:3: "));
        assert_int_equal(m.count, 2);
        assert_string_equal(m.server[0].program, "/bin/x");
        assert_int_equal(m.server[0].rights.nports, 0);
        assert_int_equal(m.server[0].rights.bits, 0);
        assert_string_equal(m.server[1].name, "y");
    }
}

static void a_server_that_cannot_be_is_left_out(void **state)
{
    (void)state;
    assert_int_equal(parse("server x {\n start boot\n}\nserver y {\n program /bin/y\n}\n"), 1);
    assert_string_equal(said[0], "servers.conf:3: x has no program: it is not started");
    assert_int_equal(m.count, 1);
    assert_string_equal(m.server[0].name, "y");

    static const char *const wrong[] = {"1.2.3.4.5", "1.2.3.4/33", "fe80::/129", "10.0.0.0/",
                                        "10/8",      "any",        "1.2.3.4/8x"};
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char text[200];
        snprintf(text, sizeof text,
                 "server x {\n program /bin/x\n allow 10.0.0.0/8 %s\n}\nserver y {\n program /bin/y\n}\n",
                 wrong[i]);
        assert_int_equal(parse(text), 1);
        assert_non_null(strstr(said[0], "servers.conf:3: not a prefix"));
        assert_int_equal(m.count, 1);
        assert_string_equal(m.server[0].name, "y");
    }
}

static void who_may_talk(void **state)
{
    const struct sys_rights *r = &m.server[0].rights;

    (void)state;
    assert_int_equal(
        parse("server x {\n program /bin/x\n allow 192.168.77.5/16 10.0.0.7\n allow fd00:1::5/8 ::/0\n}\n"),
        0);
    assert_int_equal(r->nallow, 4);
    assert_true(r->allow[0].family == NET_INET && r->allow[0].length == 16);
    assert_memory_equal(r->allow[0].addr.b, "\300\250\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    assert_true(r->allow[1].family == NET_INET && r->allow[1].length == 32 && r->allow[1].addr.b[3] == 7);
    assert_true(r->allow[2].family == NET_INET6 && r->allow[2].length == 8);
    assert_memory_equal(r->allow[2].addr.b, "\375\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    assert_true(r->allow[3].family == NET_INET6 && r->allow[3].length == 0);
    assert_int_equal(parse("server x {\n program /bin/x\n allow 1.0.0.0 2.0.0.0 3.0.0.0 4.0.0.0 5.0.0.0\n"
                           " allow 6.0.0.0 7.0.0.0 8.0.0.0 9.0.0.0\n}\n"),
                     1);
    assert_int_equal(m.count, 0); /* nine: one would be forgotten */
}

static void broken_blocks_do_not_swallow_their_neighbours(void **state)
{
    (void)state;
    assert_int_equal(parse("server a {\n program /bin/a\nserver b {\n program /bin/b\n}\n"), 1);
    assert_non_null(strstr(said[0], "servers.conf:3: a is not closed"));
    assert_int_equal(m.count, 2);

    assert_int_equal(parse("server a {\n program /bin/a\n"), 1);
    assert_int_equal(m.count, 1);

    assert_int_equal(parse("service a {\n program /bin/a\n port tcp/1\n}\nserver b {\n program /bin/b\n}\n"),
                     1);
    assert_int_equal(m.count, 1);
    assert_string_equal(m.server[0].name, "b");

    assert_int_equal(parse("server a {\n program /bin/a\n}\nserver a {\n program /bin/c\n}\n"), 1);
    assert_non_null(strstr(said[0], "line 1"));
    assert_int_equal(m.count, 1);
    assert_string_equal(m.server[0].program, "/bin/a");

    assert_int_equal(parse("}\n"), 1);
    assert_int_equal(parse("server bad/name {\n}\n"), 1);
    assert_int_equal(parse("server\n"), 1);
    assert_int_equal(parse(""), 0);
    assert_int_equal(parse("\r\n   \t\n#\n"), 0);
}

static void limits_hold(void **state)
{
    static char text[64 * 1024];
    size_t n = 0;

    (void)state;
    for (int i = 0; i < MANIFEST_SERVERS_MAX + 3; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "server s%d {\n program /bin/s\n}\n", i);
    assert_int_equal(parse(text), 3);
    assert_int_equal(m.count, MANIFEST_SERVERS_MAX);

    n = (size_t)snprintf(text, sizeof text, "server a {\n program /bin/a\n");
    for (int i = 0; i < RIGHTS_PORTS_MAX + 1; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, " port tcp/%d\n", i + 1);
    for (int i = 0; i < RIGHTS_CALLS_MAX + 1; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, " call n%d\n", i);
    for (int i = 0; i < 100; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, " args 0123456789\n");
    snprintf(text + n, sizeof text - n, "}\n");
    parse(text);
    assert_int_equal(m.count, 1);
    assert_int_equal(m.server[0].rights.nports, RIGHTS_PORTS_MAX);
    assert_int_equal(m.server[0].rights.ncalls, RIGHTS_CALLS_MAX);
    assert_true(m.server[0].args_bytes <= MANIFEST_ARGS_BYTES);

    memset(text, 'a', 2000); /* one very long line, then a good block */
    snprintf(text + 2000, sizeof text - 2000, "\nserver a {\n program /bin/a\n}\n");
    assert_int_equal(parse(text), 1);
    assert_int_equal(m.count, 1);
}

/* Whatever the bytes, nothing is read or written out of bounds. */
static void noise_is_survived(void **state)
{
    static const char alphabet[] =
        "server {}\n#program /a port tcp/80-9 on right allow 1.2.3.4/5 memory 4M \t\r\0x";
    uint32_t seed = 1;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        size_t n = (size_t)round % 700;
        char *text = malloc(n + 1);
        for (size_t i = 0; i < n; i++) {
            seed = seed * 1664525u + 1013904223u;
            text[i] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
        }
        nsaid = 0;
        manifest_parse(&m, "f", text, n, listen_to, NULL);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_whole_block),
        cmocka_unit_test(defaults_grant_nothing),
        cmocka_unit_test(a_wrong_line_is_named_and_the_rest_works),
        cmocka_unit_test(a_server_that_cannot_be_is_left_out),
        cmocka_unit_test(who_may_talk),
        cmocka_unit_test(broken_blocks_do_not_swallow_their_neighbours),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(noise_is_survived),
    };
    return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
