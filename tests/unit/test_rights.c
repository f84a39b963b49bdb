/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_rights.c: which ports, names and children rights allow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <kernel/rights.h>

static const char *link_name(uint16_t link)
{
    return link == 0 ? "lo" : link == 1 ? "eth0" : link == 2 ? "sl0" : NULL;
}

static struct net_port_key key(uint8_t proto, uint16_t lo, uint16_t hi, uint16_t link)
{
    return (struct net_port_key){
        .family = NET_INET,
        .proto = proto,
        .port_lo = lo,
        .port_hi = hi,
        .link = link,
    };
}

static struct sys_rights sample(void)
{
    struct sys_rights r;

    memset(&r, 0, sizeof r);
    r.bits = RIGHT_CONSOLE | RIGHT_PROC_SPAWN;
    r.nports = 3;
    r.ports[0] = key(NET_TCP, 80, 80, LINK_ANY);
    r.ports[1] = key(NET_TCP, 23, 23, LINK_ANY);
    strcpy(r.port_links[1], "sl0");
    r.ports[2] = key(NET_UDP, 1000, 1999, LINK_ANY);
    r.ports[2].addr.b[0] = 10;
    r.ncalls = 2;
    strcpy(r.calls[0], "netd");
    strcpy(r.calls[1], "fifteen-letters");
    strcpy(r.serves, "httpd");
    return r;
}

static bool allowed(const struct sys_rights *r, struct net_port_key k)
{
    return rights_allow_port(r, &k, link_name);
}

static void ports(void **state)
{
    struct sys_rights r = sample();
    struct net_port_key k;

    (void)state;
    assert_true(allowed(&r, key(NET_TCP, 80, 80, LINK_ANY)));
    assert_true(allowed(&r, key(NET_TCP, 80, 80, 1))); /* narrower than granted */
    assert_false(allowed(&r, key(NET_TCP, 81, 81, LINK_ANY)));
    assert_false(allowed(&r, key(NET_TCP, 79, 80, LINK_ANY)));
    assert_false(allowed(&r, key(NET_UDP, 80, 80, LINK_ANY)));
    assert_true(allowed(&r, key(NET_TCP, 23, 23, 2)));
    assert_false(allowed(&r, key(NET_TCP, 23, 23, 1)));
    assert_false(allowed(&r, key(NET_TCP, 23, 23, LINK_ANY))); /* wider than granted */
    assert_false(allowed(&r, key(NET_TCP, 23, 23, 77)));       /* no such link */
    k = key(NET_UDP, 1000, 1999, LINK_ANY);
    assert_false(allowed(&r, k)); /* any address, but one is granted */
    k.addr.b[0] = 10;
    assert_true(allowed(&r, k));
    k.port_hi = 2000;
    assert_false(allowed(&r, k));
    k.port_hi = 999; /* turned round */
    assert_false(allowed(&r, k));
    k = key(NET_TCP, 80, 80, LINK_ANY);
    k.family = NET_INET6;
    assert_false(allowed(&r, k));
    k = key(NET_TCP, 23, 23, 2);
    assert_int_equal(rights_find_port(&r, &k, link_name), 1);
}

static void names(void **state)
{
    struct sys_rights r = sample();

    (void)state;
    assert_true(rights_may_call(&r, "netd"));
    assert_true(rights_may_call(&r, "fifteen-letters"));
    assert_false(rights_may_call(&r, "net"));
    assert_false(rights_may_call(&r, "netd2"));
    assert_false(rights_may_call(&r, "*"));
    assert_true(rights_may_serve(&r, "httpd"));
    assert_false(rights_may_serve(&r, "http"));
    strcpy(r.calls[0], RIGHTS_ANY_NAME);
    strcpy(r.serves, RIGHTS_ANY_NAME);
    assert_true(rights_may_call(&r, "anybody"));
    assert_true(rights_may_serve(&r, "anybody"));
}

static void validity(void **state)
{
    struct sys_rights r = sample();

    (void)state;
    assert_true(rights_valid(&r));
    r.nports = RIGHTS_PORTS_MAX + 1;
    assert_false(rights_valid(&r));
    r = sample();
    r.ncalls = UINT32_MAX;
    assert_false(rights_valid(&r));
    r = sample();
    memset(r.calls[1], 'x', sizeof r.calls[1]);
    assert_false(rights_valid(&r));
    r = sample();
    memset(r.serves, 'x', sizeof r.serves);
    assert_false(rights_valid(&r));
    r = sample();
    memset(r.port_links[0], 'x', sizeof r.port_links[0]);
    assert_false(rights_valid(&r));
    r = sample();
    r.ports[0].port_lo = 90;
    assert_false(rights_valid(&r));
}

static void subsets(void **state) /* C-RIGHT-1 */
{
    struct sys_rights parent = sample(), child = sample();
    const char *what = NULL;

    (void)state;
    assert_true(rights_subset(&child, &parent, &what));
    child.bits |= RIGHT_NET_RAW;
    assert_false(rights_subset(&child, &parent, &what));
    assert_string_equal(what, "net.raw");
    child = sample();
    child.ports[0] = key(NET_TCP, 22, 22, LINK_ANY);
    assert_false(rights_subset(&child, &parent, &what));
    assert_string_equal(what, "port");
    child = sample();
    child.port_links[1][0] = 0; /* telnet on every link, parent has sl0 only */
    assert_false(rights_subset(&child, &parent, &what));
    child = sample();
    strcpy(child.calls[0], "shell");
    assert_false(rights_subset(&child, &parent, &what));
    assert_string_equal(what, "calls");
    strcpy(child.calls[0], RIGHTS_ANY_NAME);
    assert_false(rights_subset(&child, &parent, &what));
    child = sample();
    strcpy(child.serves, "netd");
    assert_false(rights_subset(&child, &parent, &what));
    assert_string_equal(what, "serves");
    child.serves[0] = 0;
    assert_true(rights_subset(&child, &parent, &what));
    memset(&child, 0, sizeof child);
    assert_true(rights_subset(&child, &parent, &what));
}

static void right_names(void **state)
{
    (void)state;
    assert_string_equal(right_name(RIGHT_NET_DEFAULT), "net.default");
    assert_string_equal(right_name(RIGHT_LOG_READ), "log.read");
    assert_string_equal(right_name(1u << 31), "?");
}

static void both_families(void **state)
{
    struct sys_rights r = sample(), child;
    struct net_port_key six = key(NET_TCP, 80, 80, LINK_ANY);
    const char *what;

    (void)state;
    six.family = NET_INET6;
    assert_false(allowed(&r, six)); /* a line of one family is for that one */
    r.ports[0].family = 0;
    assert_true(allowed(&r, six));
    assert_true(allowed(&r, key(NET_TCP, 80, 80, LINK_ANY)));
    six.proto = NET_ICMP6;
    assert_false(allowed(&r, six));
    r.ports[0] = key(NET_ICMP, 0, 0xffff, LINK_ANY);
    assert_false(allowed(&r, six));
    r.ports[0].family = 0;
    assert_true(allowed(&r, six));
    /* A child gets no wider a line than its parent has. */
    child = r;
    assert_true(rights_subset(&child, &r, &what));
    r.ports[0].family = NET_INET;
    assert_false(rights_subset(&child, &r, &what));
}

static struct net_prefix prefix(uint8_t family, uint8_t first, uint8_t second, uint8_t length)
{
    struct net_prefix p = {.family = family, .length = length};

    p.addr.b[0] = first;
    p.addr.b[1] = second;
    return p;
}

static void who_may_talk(void **state) /* C-RIGHT-1 */
{
    struct sys_rights r = sample(), child = sample();
    const char *what;

    (void)state;
    r.allow[0] = prefix(NET_INET, 10, 0, 8);
    r.allow[1] = prefix(NET_INET6, 0xfd, 0, 8);
    r.nallow = 2;
    assert_true(rights_valid(&r));
    assert_false(rights_subset(&child, &r, &what)); /* everybody is more than some */
    assert_string_equal(what, "allow");
    child.nallow = 1;
    child.allow[0] = prefix(NET_INET, 10, 1, 16);
    assert_true(rights_subset(&child, &r, &what));
    child.allow[0] = prefix(NET_INET, 11, 0, 16);
    assert_false(rights_subset(&child, &r, &what));
    child.allow[0] = prefix(NET_INET, 0, 0, 7);
    assert_false(rights_subset(&child, &r, &what));
    child.allow[0] = prefix(NET_INET6, 10, 1, 16);
    assert_false(rights_subset(&child, &r, &what));
    child.allow[0] = prefix(NET_INET6, 0xfd, 1, 16);
    assert_true(rights_subset(&child, &r, &what));
    r.nallow = 0; /* a parent without a limit may set one */
    assert_true(rights_subset(&child, &r, &what));
    child.allow[0].length = 129;
    assert_false(rights_valid(&child));
    child.allow[0] = prefix(NET_INET, 0, 0, 33);
    assert_false(rights_valid(&child));
    child.allow[0] = prefix(9, 0, 0, 1);
    assert_false(rights_valid(&child));
    child.nallow = RIGHTS_ALLOW_MAX + 1;
    assert_false(rights_valid(&child));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports),       cmocka_unit_test(both_families), cmocka_unit_test(who_may_talk),
        cmocka_unit_test(names),       cmocka_unit_test(validity),      cmocka_unit_test(subsets),
        cmocka_unit_test(right_names),
    };
    return cmocka_run_group_tests_name("rights", tests, NULL, NULL);
}
