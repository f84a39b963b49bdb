/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_sha256.c: SHA-256 against the examples of FIPS 180.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "../../servers/wget/sha256.h"
#include <stdio.h>
#include <string.h>

static void check(const char *text, size_t times, size_t piece, const char *expect)
{
    struct sha256 s;
    uint8_t digest[32];
    char hex[65];

    sha256_init(&s);
    for (; times > 0; times--)
        for (size_t at = 0, n = strlen(text); at < n; at += piece)
            sha256_add(&s, text + at, n - at < piece ? n - at : piece);
    sha256_end(&s, digest);
    for (unsigned i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    assert_string_equal(hex, expect);
}

static void the_standards_examples(void **state)
{
    static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

    (void)state;
    check("", 0, 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check("abc", 1, 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    for (size_t piece = 1; piece < 60; piece += 7)
        check(two, 1, piece, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    check("a", 1000000, 1, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_standards_examples)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
