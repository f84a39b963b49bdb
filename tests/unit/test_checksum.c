/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_checksum.c: the Internet checksum against the definition of
 * RFC 1071, for every length and alignment, in both of its forms.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>
#include <net/stack/checksum.h>

#define csum_bytes portable_csum_bytes
#define csum_copy  portable_csum_copy
#define NS_CSUM_PORTABLE
#include <net/stack/checksum.c>
#undef csum_bytes
#undef csum_copy
uint64_t csum_bytes(uint64_t sum, const void *p, size_t n);
uint64_t csum_copy(uint64_t sum, void *dst, const void *src, size_t n);

static uint16_t by_definition(const uint8_t *p, size_t n)
{
    uint64_t sum = 0;
    uint16_t out;

    for (size_t i = 0; i + 1 < n; i += 2)
        sum += (uint32_t)(p[i] << 8 | p[i + 1]);
    if (n & 1)
        sum += (uint32_t)p[n - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    sum = ~sum & 0xffff;
    uint8_t b[2] = {(uint8_t)(sum >> 8), (uint8_t)sum};
    __builtin_memcpy(&out, b, 2);
    return out;
}

/* 0 and 0xffff are the same number to ones-complement arithmetic. */
static void same(uint16_t a, uint16_t b)
{
    assert_int_equal(a == 0xffff ? 0 : a, b == 0xffff ? 0 : b);
}

static uint8_t bytes[4096];

static void fill(int kind)
{
    uint32_t x = 12345;

    for (size_t i = 0; i < sizeof(bytes); i++) {
        x = x * 1103515245u + 12345;
        bytes[i] = kind == 0 ? (uint8_t)(x >> 16) : kind == 1 ? 0xff : 0;
    }
}

static void check_copy(const uint8_t *p, size_t n, uint64_t (*copy)(uint64_t, void *, const void *, size_t))
{
    uint8_t *to = malloc(n + 1);

    same(csum_finish(copy(0, to, p, n)), by_definition(p, n));
    assert_int_equal(memcmp(to, p, n), 0);
    free(to);
}

static void test_every_length(void **st)
{
    (void)st;
    for (int kind = 0; kind < 3; kind++) {
        fill(kind);
        for (size_t off = 0; off < 9; off++) {
            for (size_t n = 0; n < 700; n++) {
                uint8_t *exact = malloc(n + 1); /* so that reading past the end shows */
                __builtin_memcpy(exact, bytes + off, n);
                same(csum_finish(csum_bytes(0, exact, n)), by_definition(exact, n));
                same(csum_finish(portable_csum_bytes(0, exact, n)), by_definition(exact, n));
                check_copy(exact, n, csum_copy);
                check_copy(exact, n, portable_csum_copy);
                free(exact);
            }
        }
    }
}

static void test_split_anywhere(void **st)
{
    (void)st;
    fill(0);
    for (size_t cut = 0; cut <= 300; cut++) {
        uint64_t a = csum_bytes(0, bytes, cut), b = csum_bytes(0, bytes + cut, 300 - cut);
        same(csum_finish(csum_add(a, cut & 1 ? csum_odd(b) : b)), by_definition(bytes, 300));
    }
}

static void test_carries(void **st)
{
    (void)st;
    fill(1);
    same(csum_finish(csum_bytes(UINT64_MAX, bytes, 4096)), by_definition(bytes, 4096));
    assert_int_equal(csum_fold(csum_add(UINT64_MAX, 1)), 1);
    same(csum_finish(csum_20(bytes)), by_definition(bytes, 20));
    fill(0);
    same(csum_finish(csum_20(bytes + 3)), by_definition(bytes + 3, 20));
}

static void test_known_header(void **st)
{
    /* A header whose sum was worked out by hand: 4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7. */
    static const uint8_t h[20] = {0x45, 0,    0,    0x73, 0, 0, 0x40, 0,    0x40, 0x11,
                                  0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0,    0xc7};
    (void)st;
    assert_int_equal(csum_fold(csum_20(h)), 0xffff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_split_anywhere),
        cmocka_unit_test(test_carries),
        cmocka_unit_test(test_known_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
