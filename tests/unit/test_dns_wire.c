/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_dns_wire.c: names and messages of the domain name system.
 */
#include "dns_rig.h"

static void names_and_text(void **state)
{
    static const struct {
        const char *in, *out; /* out NULL: refused */
    } cases[] = {
        {"example.com", "example.com"}, {"EXAMPLE.Com.", "example.com"}, {".", "."}, {"a..b", NULL}, {".a", NULL},
        {"x", "x"}, {"a.", "a"}, {"a..", NULL},
    };
    (void)state;
    char text[DNS_TEXT_MAX], big[300];
    struct dns_name n;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(dns_name_parse(&n, cases[i].in) == 0, cases[i].out != NULL);
        if (cases[i].out) {
            assert_true(dns_name_text(&n, text));
            assert_string_equal(text, cases[i].out);
        }
    }
    memset(big, 'a', sizeof(big));
    big[64] = 0;
    assert_int_equal(dns_name_parse(&n, big), -EINVAL);
    big[63] = 0;
    assert_int_equal(dns_name_parse(&n, big), 0);
    for (unsigned i = 0; i < 250; i += 2)
        big[i] = 'b', big[i + 1] = '.', big[i + 2] = 0;
    big[250] = 'b', big[251] = 'b', big[252] = 'b', big[253] = 0; /* 253 characters: 255 bytes */
    assert_int_equal(dns_name_parse(&n, big), 0);
    assert_int_equal(n.len, 255);
    assert_true(dns_name_text(&n, text));
    big[253] = 'b', big[254] = 0;
    assert_int_equal(dns_name_parse(&n, big), -EINVAL);
    n = (struct dns_name){6, {4, 'a', '\n', 'b', 'c', 0}};
    assert_false(dns_name_text(&n, text));
}

static void reverse_names(void **state)
{
    (void)state;
    char text[DNS_TEXT_MAX];
    struct dns_name n;
    dns_name_reverse(&n, NET_INET, &(struct net_addr){{192, 0, 2, 107}});
    assert_true(dns_name_text(&n, text));
    assert_string_equal(text, "107.2.0.192.in-addr.arpa");
    dns_name_reverse(&n, NET_INET6, &(struct net_addr){{0x20, 1, 0xd, 0xb8, [15] = 0xaf}});
    assert_true(dns_name_text(&n, text));
    assert_string_equal(text, "f.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

static void zones(void **state)
{
    (void)state;
    struct dns_name a, b;
    dns_name_parse(&a, "www.example.com");
    dns_name_parse(&b, "example.com");
    assert_true(dns_name_under(&a, &b) && dns_name_under(&a, &a));
    assert_false(dns_name_under(&b, &a));
    dns_name_parse(&a, "badexample.com");
    assert_false(dns_name_under(&a, &b));
    dns_name_parse(&b, ".");
    assert_true(dns_name_under(&a, &b));
}

static void compression(void **state) /* C-DNS-1 */
{
    (void)state;
    static const struct {
        uint8_t bytes[12];
        size_t len, at;
        bool good;
    } cases[] = {
        {{1, 'a', 0, 1, 'b', 0xc0, 0}, 7, 3, true},   /* b, then back to a */
        {{0xc0, 0}, 2, 0, false},                     /* to itself */
        {{0xc0, 2, 0xc0, 0}, 4, 2, false},            /* in a circle */
        {{0xc0, 2, 0}, 3, 0, false},                  /* forward */
        {{1, 'a', 0xc0, 0}, 4, 0, false},             /* to its own beginning: without end */
        {{1, 'a', 0xc0}, 3, 0, false},                /* cut */
        {{5, 'a', 'b'}, 3, 0, false},
        {{0x40, 'a', 0}, 3, 0, false},                /* label types that nobody uses */
        {{1, 'a', 0, 0xc0, 0, 0xc0, 3}, 7, 5, true},  /* a pointer to a pointer, each further back */
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct dns_name n;
        size_t at = cases[i].at;
        uint8_t *exact = malloc(cases[i].len);
        memcpy(exact, cases[i].bytes, cases[i].len);
        assert_int_equal(dns_name_read(exact, cases[i].len, &at, &n), cases[i].good);
        if (cases[i].good)
            assert_int_equal(at, cases[i].len);
        free(exact);
    }
}

/* Pointers that lead from one to the next through a whole message: each name would
 * cost as many steps, and there are hundreds of names in an answer. */
static void long_ways(void **state) /* C-DNS-1 */
{
    (void)state;
    uint8_t m[2 + 2 * 1000] = {0};
    struct dns_name n;
    for (size_t at = 2; at < sizeof(m); at += 2) {
        m[at] = (uint8_t)(0xc0 | (at - 2) >> 8);
        m[at + 1] = (uint8_t)(at - 2);
    }
    size_t at = 2 * 100, far = 2 * 1000;
    assert_true(dns_name_read(m, sizeof(m), &at, &n));
    assert_int_equal(at, 2 * 100 + 2);
    assert_false(dns_name_read(m, sizeof(m), &far, &n));
}

/* Garbage of every kind: no fault, and no end that does not come. */
static void survives_noise(void **state)
{
    (void)state;
    srand(11);
    for (int i = 0; i < 30000; i++) {
        struct dns_name n;
        struct dns_result r;
        ask("noise.test", DNS_WANT_A, 0);
        struct query q = w.last;
        struct answer a = answer_to(&q, 0);
        add_alias(&a, NULL, DNS_CNAME, 60, "b.test");
        add_a(&a, "b.test", 60, 0x0a000001);
        add_soa(&a, "test", 60, 60);
        size_t from = i % 3 ? a.len - (size_t)rand() % 90 : 2;
        for (int k = rand() % 8; k > 0 && from < a.len; k--)
            a.m[from + (size_t)rand() % (a.len - from)] = (uint8_t)(rand() % 2 ? rand() : 0xc0);
        if (rand() % 4 == 0)
            a.len = (size_t)rand() % (a.len + 1);
        dns_name_parse(&n, "noise.test");
        uint8_t *exact = malloc(a.len ? a.len : 1);
        memcpy(exact, a.m, a.len);
        dns_answer_read(exact, a.len, get16(q.msg), &n, DNS_A, &r);
        dns_input(&w.d, q.flight, NET_INET, &q.to.addr, 53, q.tcp, exact, a.len, 0);
        free(exact);
        dns_destroy(&w.d);
        assert_int_equal(w.blocks, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(names_and_text), T(reverse_names), T(zones), T(compression), T(long_ways), T(survives_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
