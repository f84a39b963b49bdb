/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_ustar.c: the archive walker, on good and hostile archives.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <slipway/ustar.h>
#include <stdlib.h>
#include <string.h>

static uint8_t tar[64 * 512];
static size_t used;

static void octal(uint8_t *field, unsigned digits, uint64_t v)
{
    field[digits] = 0;
    while (digits-- > 0) {
        field[digits] = (uint8_t)('0' + (v & 7));
        v >>= 3;
    }
}

static void seal(uint8_t *h)
{
    unsigned sum = 0;
    memset(h + 148, ' ', 8);
    for (unsigned i = 0; i < 512; i++)
        sum += h[i];
    octal(h + 148, 6, sum);
}

static uint8_t *add(const char *prefix, const char *name, char type, const char *data)
{
    uint8_t *h = tar + used;
    size_t n = strlen(data);
    memset(h, 0, 512);
    memcpy(h, name, strlen(name) < 100 ? strlen(name) : 100);
    memcpy(h + 100, "0000644", 8);
    octal(h + 124, 11, n);
    octal(h + 136, 11, 1700000000);
    h[156] = (uint8_t)type;
    memcpy(h + 257, "ustar\00000", 8);
    memcpy(h + 345, prefix, strlen(prefix) < 155 ? strlen(prefix) : 155);
    seal(h);
    memcpy(h + 512, data, n);
    used += 512 + (n + 511) / 512 * 512;
    return h;
}

static void fresh(void)
{
    memset(tar, 0, sizeof tar);
    used = 0;
}

/* Walks an exact heap copy; number of entries, or -1. */
static int walk(size_t bytes, struct ustar_file *last)
{
    uint8_t *p = malloc(bytes ? bytes : 1);
    size_t at = 0;
    struct ustar_file f;
    int r, n = 0;
    memcpy(p, tar, bytes);
    while ((r = ustar_next(p, bytes, &at, &f)) > 0) {
        n++;
        assert_true(f.data >= p && f.bytes <= (size_t)(p + bytes - f.data));
        assert_non_null(memchr(f.path, 0, sizeof f.path));
        if (last != NULL)
            *last = f;
        assert_true(n < 100); /* always forward */
    }
    free(p);
    return r < 0 ? -1 : n;
}

static void test_files(void **state)
{
    struct ustar_file f;
    (void)state;
    fresh();
    add("", "./", '5', "");
    add("", "./sbin/", '5', "");
    add("", "./sbin/init", '0', "program");
    used += 1024;
    assert_int_equal(walk(used, &f), 3);
    assert_string_equal(f.path, "sbin/init");
    assert_int_equal(f.bytes, 7);
    assert_int_equal(f.mtime, 1700000000);
    assert_false(f.is_dir);
    fresh();
    add("var/deep", "file", '0', "x");
    assert_int_equal(walk(used, &f), 1); /* without the two zero blocks: ends at the end */
    assert_string_equal(f.path, "var/deep/file");
}

static void test_longest_path(void **state)
{
    char prefix[156], name[101];
    struct ustar_file f;
    (void)state;
    memset(prefix, 'p', 155);
    memset(name, 'n', 100);
    prefix[155] = name[100] = 0;
    fresh();
    add(prefix, name, '0', "");
    assert_int_equal(walk(used, &f), 1);
    assert_int_equal(strlen(f.path), 255);
}

static void test_hostile(void **state) /* C-BOOT-3 */
{
    uint8_t *h;
    (void)state;
    fresh();
    h = add("", "a", '0', "data");
    h[0] ^= 1; /* checksum */
    assert_int_equal(walk(used, NULL), -1);
    fresh();
    h = add("", "a", '0', "data");
    memcpy(h + 124, "77777777777", 12); /* 8 GiB in an archive of 1 KiB */
    seal(h);
    assert_int_equal(walk(used, NULL), -1);
    fresh();
    h = add("", "a", '0', "data");
    memcpy(h + 124, "0000000000x", 12);
    seal(h);
    assert_int_equal(walk(used, NULL), -1);
    fresh();
    h = add("", "a", '0', "data");
    h[124] = 0x80; /* base-256 size of other formats */
    seal(h);
    assert_int_equal(walk(used, NULL), -1);
    fresh();
    h = add("", "a", '0', "data");
    h[257] = 'x'; /* no magic */
    seal(h);
    assert_int_equal(walk(used, NULL), -1);
    fresh();
    h = add("", "////././//", '0', "data"); /* nothing but separators */
    seal(h);
    assert_int_equal(walk(used, NULL), 1);
}

static void test_truncations(void **state) /* C-BOOT-3 */
{
    (void)state;
    fresh();
    add("", "one", '0', "1234567890");
    add("", "two", '0', "abc");
    for (size_t n = 1; n < used; n++) {
        int r = walk(n, NULL);
        if (n < 512 || (n > 512 && n < 522))
            assert_int_equal(r, -1);
        assert_true(r <= 2);
    }
}

static void test_noise(void **state)
{
    uint32_t x = 7;
    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        fresh();
        uint8_t *h = add("dir", "one", '0', "1234567890");
        add("", "two/", '5', "");
        add("", "three", '0', "abc");
        x = x * 1664525u + 1013904223u;
        h[(x >> 8) % 512] ^= (uint8_t)(x >> 24);
        if (round % 2)
            seal(h); /* a forger knows how to sum */
        walk(used, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),   cmocka_unit_test(test_longest_path),
        cmocka_unit_test(test_hostile), cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
