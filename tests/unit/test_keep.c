/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_keep.c: a log over several runs, memory that lost a bit, and
 * the choice of its place.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../kernel/keep.c"

static _Alignas(64) struct keep_half pair[2];
static char shown[16384];

size_t log_read(uint64_t *cursor, char *buf, size_t bytes)
{
    (void)cursor, (void)buf, (void)bytes;
    return 0;
}
void klog(enum log_level level, const char *fmt, ...)
{
    size_t n = strlen(shown);
    va_list ap;

    (void)level;
    va_start(ap, fmt);
    vsnprintf(shown + n, sizeof shown - n - 1, fmt, ap);
    va_end(ap);
    strcat(shown, "\n");
    keep_append("quoted", 6); /* as the log would */
}

static void cold(void)
{
    memset(pair, 0xa5, sizeof pair);
    open_place(pair);
}

static void say(const char *text) { keep_append(text, strlen(text)); }

static void expect_previous(const char *text)
{
    char buf[KEEP_TEXT + 1];
    size_t n = 0, got;

    while ((got = keep_previous(n, buf + n, 7)) > 0) /* in small pieces */
        n += got;
    buf[n] = 0;
    assert_string_equal(buf, text);
    assert_int_equal(n, keep_previous_bytes());
}

static void each_run_sees_the_one_before(void **state)
{
    (void)state;
    cold();
    assert_int_equal(keep_previous_bytes(), 0);
    say("one\n");
    open_place(pair);
    expect_previous("one\n");
    say("two\n");
    say("2\n");
    expect_previous("one\n"); /* untouched by what this one says */
    open_place(pair);
    expect_previous("two\n2\n");
    open_place(pair); /* a run that said nothing */
    expect_previous("");
}

static void the_end_of_a_long_log_is_kept(void **state)
{
    static char all[3 * KEEP_TEXT];
    char *end = all;

    (void)state;
    cold();
    for (unsigned i = 0; end < all + 2 * KEEP_TEXT + 100; i++) {
        char line[40];
        sprintf(line, "line %u\n", i);
        say(line);
        end = stpcpy(end, line);
    }
    open_place(pair);
    expect_previous(end - KEEP_TEXT);
}

static void no_flipped_bit_is_believed(void **state)
{
    struct keep_half copy;

    (void)state;
    cold();
    say("what was said\n");
    copy = *mine;
    assert_true(half_is_whole(mine));
    for (unsigned bit = 0; bit < 8 * (offsetof(struct keep_half, pad)); bit++) { /* C-LOG-1 */
        ((uint8_t *)mine)[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(half_is_whole(mine));
        *mine = copy;
    }
    for (unsigned bit = 0; bit < 8 * 14; bit++) {
        mine->text[bit / 8] ^= (char)(1 << bit % 8);
        assert_false(half_is_whole(mine));
        *mine = copy;
    }
    mine->text[1] ^= 1;
    open_place(pair);
    assert_int_equal(keep_previous_bytes(), 0);
}

static void a_ruined_half_leaves_the_older_one(void **state)
{
    (void)state;
    cold();
    say("first\n");
    open_place(pair);
    say("second\n");
    mine->sum++;
    open_place(pair);
    expect_previous("first\n");
}

static void the_end_is_told(void **state)
{
    static const struct {
        enum keep_end end;
        const char *words;
    } cases[] = {
        {KEEP_RUNNING, "without a word"}, {KEEP_PANIC, "in a panic"}, {KEEP_REBOOT, "is kept"}, {KEEP_OFF, "is kept"},
    };

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        cold();
        for (unsigned l = 0; l < 100; l++)
            say(l == 0 ? "the first line\n" : l == 84 ? "here it begins\n" : "a line\n");
        if (cases[i].end != KEEP_RUNNING)
            keep_ending(cases[i].end);
        keep_ending(KEEP_OFF); /* the first word counts */
        if (cases[i].end == KEEP_RUNNING)
            mine->end = KEEP_RUNNING, write_header();
        open_place(pair);
        shown[0] = 0;
        keep_report();
        assert_non_null(strstr(shown, cases[i].words));
        assert_null(strstr(shown, "the first line"));
        assert_int_equal(strstr(shown, "| here it begins") != NULL, cases[i].end <= KEEP_PANIC);
        if (cases[i].end <= KEEP_PANIC) {
            open_place(pair);
            expect_previous("quoted"); /* the heading only, not the lines of the run before */
        }
    }
}

/* --- its place --- */

#define MIB 0x100000ull
static uint64_t log_at;
static bool found(uint64_t place) { return place == log_at; }

static uint64_t choose(uint64_t bytes, struct keep_range a, struct keep_range b)
{
    struct boot_info bi = {.nregions = 3};
    struct keep_range taken[2] = {a, b};

    bi.region[0] = (struct boot_region){0, 0x9fc00, REGION_FREE, 0};
    bi.region[1] = (struct boot_region){0xe0000, 0x20000, REGION_RESERVED, 0};
    bi.region[2] = (struct boot_region){MIB, bytes - MIB, REGION_FREE, 0};
    return keep_choose(&bi, taken, 2, found);
}

static void its_place(void **state)
{
    struct keep_range kernel = {MIB, 2 * MIB - 5}, none = {0, 0}, middle = {5 * MIB, 10 * MIB + 1};
    uint64_t at;

    (void)state;
    log_at = 0;
    assert_int_equal(choose(16 * MIB, kernel, none), 10 * MIB);
    at = choose(16 * MIB, kernel, middle); /* something lies there */
    assert_true(at == 4 * MIB || at == 11 * MIB);
    assert_int_equal(choose(16 * MIB, kernel, (struct keep_range){2 * MIB, 16 * MIB}), 0);
    assert_int_equal(choose(8192 * MIB, kernel, none), 640 * MIB);
    log_at = 13 * MIB; /* where the run before had it, with another map */
    assert_int_equal(choose(16 * MIB, kernel, none), 13 * MIB);
    assert_true(choose(16 * MIB, kernel, (struct keep_range){12 * MIB, 14 * MIB}) != 13 * MIB);
    log_at = 2000 * MIB; /* beyond what is looked at */
    assert_int_equal(choose(8192 * MIB, kernel, none), 640 * MIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_run_sees_the_one_before),
        cmocka_unit_test(the_end_of_a_long_log_is_kept),
        cmocka_unit_test(no_flipped_bit_is_believed),
        cmocka_unit_test(a_ruined_half_leaves_the_older_one),
        cmocka_unit_test(the_end_is_told),
        cmocka_unit_test(its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
