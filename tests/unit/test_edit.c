/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_edit.c: the shell's line editor, seen from the terminal.
 */
#include <servers/shell/edit.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* A terminal of one row that knows what the editor sends. */
static char row[1024];
static size_t col, end;

static void terminal(void *ctx, const char *t, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++) {
        if (t[i] == '\r') {
            col = 0;
        } else if (t[i] == '\n') {
            col = end = 0;
        } else if (t[i] == 033) {
            unsigned v = 0;
            for (i += 2; t[i] >= '0' && t[i] <= '9'; i++)
                v = v * 10 + (unsigned)(t[i] - '0');
            if (t[i] == 'D')
                col -= v;
            else if (t[i] == 'K')
                end = col;
            else if (t[i] == 'J' || t[i] == 'H')
                col = end = 0;
            assert_true(col < sizeof row);
        } else if (t[i] != '\a') {
            row[col++] = t[i];
            if (col > end)
                end = col;
        }
    }
}

static enum edit_result type(struct editor *e, const char *keys)
{
    enum edit_result r = EDIT_MORE;
    for (; *keys != 0; keys++)
        r = edit_byte(e, (uint8_t)*keys);
    return r;
}

static void expect(const char *text, size_t at)
{
    row[end] = 0;
    assert_string_equal(row, text);
    assert_int_equal(col, at);
}

static struct editor *fresh(void)
{
    struct editor *e = malloc(sizeof *e);
    col = end = 0;
    edit_init(e, "$ ", terminal, NULL);
    edit_begin(e);
    return e;
}

static void types_and_edits(void **state)
{
    struct editor *e = fresh();
    (void)state;
    expect("$ ", 2);
    type(e, "helo");
    type(e, "\033[D"
            "l");
    expect("$ hello", 6);
    type(e, "\001X\005Y");
    expect("$ XhelloY", 9);
    type(e, "\010\001\004");
    expect("$ hello", 2);
    type(e, "\033[F world\027");
    expect("$ hello ", 8);
    type(e, "\025");
    expect("$ ", 2);
    type(e, "abc def\033[H\033[C\013");
    expect("$ a", 3);
    type(e, "\033[3~\033[D\033[3~");
    expect("$ ", 2);
    assert_int_equal(type(e, "ps\r"), EDIT_LINE_DONE);
    assert_string_equal(e->line, "ps");
    edit_begin(e);
    assert_int_equal(type(e, "\n"), EDIT_MORE); /* the LF of CR LF */
    assert_int_equal(type(e, "\n"), EDIT_LINE_DONE);
    assert_string_equal(e->line, "");
    edit_begin(e);
    assert_int_equal(type(e, "junk\003"), EDIT_INTERRUPT);
    free(e);
}

static void history_goes_both_ways(void **state)
{
    struct editor *e = fresh();
    (void)state;
    type(e, "\033[A\033[B");
    expect("$ ", 2);
    for (int i = 0; i < EDIT_HISTORY + 4; i++) {
        char line[32];
        snprintf(line, sizeof line, "cmd %d\r", i);
        type(e, line);
        edit_begin(e);
        type(e, "\r"); /* empty lines are not kept */
        edit_begin(e);
    }
    type(e, "dra\033[A");
    expect("$ cmd 19", 8);
    for (int i = 0; i < 40; i++)
        type(e, "\033OA");
    expect("$ cmd 4", 7);
    type(e, "\033[B\033[B");
    expect("$ cmd 6", 7);
    for (int i = 0; i < 40; i++)
        type(e, "\016");
    expect("$ dra", 5);
    type(e, "\020!\r");
    assert_string_equal(e->line, "cmd 19!");
    free(e);
}

static void redraw_restores_the_line(void **state)
{
    struct editor *e = fresh();
    (void)state;
    type(e, "abcdef\033[D\033[D");
    terminal(NULL, "\r\033[Knoise\n", 10);
    edit_redraw(e);
    expect("$ abcdef", 6);
    type(e, "X");
    expect("$ abcdXef", 7);
    free(e);
}

static void long_lines_and_noise_stay_inside(void **state)
{
    struct editor *e = fresh();
    uint32_t seed = 7;
    (void)state;
    for (int i = 0; i < 1000; i++)
        edit_byte(e, 'a');
    assert_int_equal(e->len, EDIT_LINE - 1);
    free(e);

    e = fresh();
    for (int i = 0; i < 200000; i++) {
        seed = seed * 1664525u + 1013904223u;
        static const char likely[] = "ab \r\033[ABCDHF3~\001\005\010\013\025\027\004\020\016\014";
        uint8_t c =
            seed & 0x800000 ? (uint8_t)(seed >> 24) : (uint8_t)likely[(seed >> 24) % (sizeof likely - 1)];
        if (edit_byte(e, c) != EDIT_MORE)
            edit_begin(e);
        assert_true(e->len < EDIT_LINE && e->at <= e->len);
    }
    free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_and_edits),
        cmocka_unit_test(history_goes_both_ways),
        cmocka_unit_test(redraw_restores_the_line),
        cmocka_unit_test(long_lines_and_noise_stay_inside),
    };
    return cmocka_run_group_tests_name("edit", tests, NULL, NULL);
}
