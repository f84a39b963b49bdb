/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_http.c: HTTP requests, ranges, dates.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <servers/httpd/http.h>
#include <stdlib.h>
#include <string.h>

static struct http_request r;

/* Parses an exact heap copy, so that ASan sees every read past the end. */
static int parse(const char *s, size_t n)
{
    char *p = malloc(n ? n : 1);
    memcpy(p, s, n);
    int e = http_parse(p, n, &r);
    free(p);
    return e;
}
#define PARSE(s) parse(s, sizeof(s) - 1)

static void good_requests(void **state)
{
    (void)state;
    static const char get[] = "GET /a%20b/c.html?q=1 HTTP/1.1\r\nHost: x\r\n\r\nNEXT";
    assert_int_equal(PARSE(get), sizeof(get) - 1 - 4);
    assert_string_equal(r.path, "/a b/c.html");
    assert_int_equal(r.method, HTTP_GET);
    assert_true(r.keep_alive);
    assert_true(PARSE("HEAD / HTTP/1.0\n\n") > 0); /* bare LF, no Host in 1.0 */
    assert_int_equal(r.method, HTTP_HEAD);
    assert_false(r.keep_alive);
    assert_true(PARSE("GET / HTTP/1.0\r\nConnection: foo, Keep-Alive\r\n\r\n") > 0);
    assert_true(r.keep_alive);
    assert_true(PARSE("GET / HTTP/1.1\r\nHost:x\r\nConnection: close\r\n\r\n") > 0);
    assert_false(r.keep_alive);
    assert_true(PARSE("\r\nGET http://host:80/x HTTP/1.1\r\nHost: host\r\n\r\n") > 0);
    assert_string_equal(r.path, "/x");
    assert_true(PARSE("GET http://host HTTP/1.1\r\nHost: host\r\n\r\n") > 0);
    assert_string_equal(r.path, "/");
    assert_true(PARSE("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n") > 0);
    assert_true(r.has_body);
}

static void every_prefix_wants_more(void **state)
{
    (void)state;
    static const char get[] = "GET /index.html HTTP/1.1\r\nHost: x\r\nRange: bytes=1-2\r\n\r\n";
    for (size_t n = 0; n < sizeof(get) - 1; n++)
        assert_int_equal(parse(get, n), 0);
    assert_int_equal(PARSE(get), sizeof(get) - 1);
}

static void refusals(void **state)
{
    (void)state;
    assert_int_equal(PARSE("GET / HTTP/1.1\r\n\r\n"), -400);           /* no Host */
    assert_int_equal(PARSE("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), -400);
    assert_int_equal(PARSE("GET /\r\n\r\n"), -400);
    assert_int_equal(PARSE("GET  / HTTP/1.1\r\nHost: x\r\n\r\n"), -400);
    assert_int_equal(PARSE("G(T / HTTP/1.1\r\nHost: x\r\n\r\n"), -400);
    assert_int_equal(PARSE("GET / HTTP/1.1\r\nHost : x\r\n\r\n"), -400);
    assert_int_equal(PARSE("GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n"), -400);
    assert_int_equal(PARSE("GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n"), -400);
    assert_int_equal(PARSE("GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n"), -400);
    assert_int_equal(PARSE("GET /a/%2e%2e/b HTTP/1.1\r\nHost: x\r\n\r\n"), -400);
    assert_int_equal(PARSE("GET /.. HTTP/1.1\r\nHost: x\r\n\r\n"), -400);
    assert_int_equal(PARSE("GET * HTTP/1.1\r\nHost: x\r\n\r\n"), -400);
    assert_int_equal(PARSE("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1x\r\n\r\n"), -400);
    assert_int_equal(PARSE("POST / HTTP/1.1\r\nHost: x\r\n\r\n"), -405);
    assert_int_equal(PARSE("BREW / HTTP/1.1\r\nHost: x\r\n\r\n"), -501);
    assert_int_equal(PARSE("GET / HTTP/2.0\r\nHost: x\r\n\r\n"), -505);
    assert_true(PARSE("GET /..a HTTP/1.1\r\nHost: x\r\n\r\n") > 0);
}

static void too_long(void **state)
{
    (void)state;
    char big[HTTP_HEAD_MAX + 100];
    memset(big, 'a', sizeof(big));
    memcpy(big, "GET /", 5);
    assert_int_equal(parse(big, HTTP_HEAD_MAX), -414);
    memcpy(big, "GET / HTTP/1.1\r\nX: ", 19);
    assert_int_equal(parse(big, HTTP_HEAD_MAX), -431);
    char path[600];
    memset(path, 'b', sizeof(path));
    memcpy(path, "GET /", 5);
    memcpy(path + 400, " HTTP/1.1\r\nHost: x\r\n\r\n", 23);
    assert_int_equal(parse(path, 423), -414);
}

static int range(const char *value, uint64_t size, uint64_t *from, uint64_t *count)
{
    char s[128] = "GET / HTTP/1.1\r\nHost: x\r\nRange: ";
    strcat(s, value);
    strcat(s, "\r\n\r\n");
    assert_true(parse(s, strlen(s)) > 0);
    return http_apply_range(&r.range, size, from, count);
}

static void ranges(void **state)
{
    (void)state;
    uint64_t f, n;
    assert_int_equal(range("bytes=0-0", 10, &f, &n), 206);
    assert_int_equal(f, 0), assert_int_equal(n, 1);
    assert_int_equal(range("bytes=5-", 10, &f, &n), 206);
    assert_int_equal(f, 5), assert_int_equal(n, 5);
    assert_int_equal(range("bytes=-3", 10, &f, &n), 206);
    assert_int_equal(f, 7), assert_int_equal(n, 3);
    assert_int_equal(range("bytes=-30", 10, &f, &n), 206);
    assert_int_equal(f, 0), assert_int_equal(n, 10);
    assert_int_equal(range("bytes=3-99", 10, &f, &n), 206);
    assert_int_equal(n, 7);
    assert_int_equal(range("bytes=10-", 10, &f, &n), 416);
    assert_int_equal(range("bytes=-0", 10, &f, &n), 416);
    assert_int_equal(range("bytes=4-2", 10, &f, &n), 200);
    assert_int_equal(range("bytes=0-1,3-4", 10, &f, &n), 200);
    assert_int_equal(range("lines=1-2", 10, &f, &n), 200);
    assert_int_equal(range("bytes=99999999999999999999-", 10, &f, &n), 200);
}

static void dates(void **state)
{
    (void)state;
    char b[30];
    http_date(784111777, b);
    assert_string_equal(b, "Sun, 06 Nov 1994 08:49:37 GMT");
    http_date(951782400, b);
    assert_string_equal(b, "Tue, 29 Feb 2000 00:00:00 GMT");
    for (uint64_t t = 0; t < 8000000000ull; t += 86399 * 37) {
        http_date(t, b);
        assert_int_equal(http_parse_date(b, 29), t);
    }
    assert_int_equal(http_parse_date("Sunday, 06-Nov-94 08:49:37 GMT", 30), 0);
}

static void noise(void **state)
{
    (void)state;
    static const char seed[] = "GET /index.html?x HTTP/1.1\r\nHost: x\r\nRange: bytes=1-2\r\nConnection: close\r\n\r\n";
    srand(9);
    for (int i = 0; i < 100000; i++) {
        char s[sizeof(seed)];
        memcpy(s, seed, sizeof(seed));
        for (int k = rand() % 5; k >= 0; k--)
            s[rand() % (int)(sizeof(seed) - 1)] = (char)rand();
        int n = parse(s, (size_t)rand() % sizeof(seed));
        if (n > 0) {
            assert_int_equal(r.path[0], '/');
            assert_null(strstr(r.path, "/../"));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_requests), cmocka_unit_test(every_prefix_wants_more), cmocka_unit_test(refusals),
        cmocka_unit_test(too_long),      cmocka_unit_test(ranges),                  cmocka_unit_test(dates),
        cmocka_unit_test(noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
