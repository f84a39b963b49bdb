/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_screen.c: the terminal, the font, and the pixels that the
 * framebuffer console makes of them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../drivers/framebuffer.c"

static uint8_t *video; /* an exact heap block, so that ASan sees every pixel outside */
static const struct screen_device *started;
static uint32_t *started_cells;

void *mmio_map_combining(phys_t p, size_t bytes)
{
    (void)p;
    video = malloc(bytes);
    memset(video, 0x5a, bytes);
    return video;
}
void *kmalloc(size_t bytes) { return malloc(bytes); }
void kfree(void *p) { free(p); }
void klog(enum log_level level, const char *text, ...) { (void)level, (void)text; }
void screen_start(const struct screen_device *d, uint32_t *cells)
{
    started = d;
    started_cells = cells;
}

/* --- terminal --- */

#define COLUMNS 12
#define ROWS    4
static uint32_t grid[COLUMNS * ROWS];
static struct term t;

static void say(const char *text) { term_write(&t, text, strlen(text)); }

static void fresh(const char *text)
{
    term_init(&t, grid, COLUMNS, ROWS);
    say(text);
}

/* A row's text, one byte a cell, without blanks at its end. */
static void expect_row(unsigned row, const char *text)
{
    char got[COLUMNS + 1];
    int n = 0;

    for (unsigned c = 0; c < COLUMNS; c++) {
        uint32_t code = CELL_CODE(term_row(&t, row)[c]);
        got[c] = code < 256 ? (char)code : '#';
        if (code != ' ')
            n = (int)c + 1;
    }
    got[n] = 0;
    assert_string_equal(got, text);
}

static void text_and_lines(void **state)
{
    (void)state;
    fresh("one\ntwo\rT\n\tx\bY");
    expect_row(0, "one");
    expect_row(1, "Two");
    expect_row(2, "        Y");
    fresh("0123456789abcdef");
    expect_row(0, "0123456789ab");
    expect_row(1, "cdef");
    fresh("0123456789ab\nx"); /* a row that is just full makes no empty one */
    expect_row(1, "x");
}

static void scrolling(void **state)
{
    (void)state;
    fresh("a\nb\nc\nd\ne\nf");
    expect_row(0, "c");
    expect_row(3, "f");
    assert_int_equal(t.scrolled, 2);
    for (unsigned i = 0; i < 1000; i++)
        say("\nmore");
    expect_row(0, "more");
    assert_int_equal(t.row, ROWS - 1);
}

static void editing_sequences(void **state)
{
    (void)state;
    fresh("hello\033[3D\033[K");
    expect_row(0, "he");
    fresh("hello\033[2D\033[1CX");
    expect_row(0, "hellX");
    fresh("a\nb\nc\033[H\033[J");
    expect_row(0, "");
    expect_row(2, "");
    fresh("a\nb\033[2;5Hx\033[Ay\033[999;999Hz");
    expect_row(0, "a    y");
    expect_row(1, "b   x");
    expect_row(3, "           z");
    fresh("abc\033[99D\033[1K");
    expect_row(0, " bc");
    fresh("abc\033[2K");
    expect_row(0, "");
    fresh("a\033[?25hb\033[1;2;3;4;5;6;7;8;9;10;11qc\033]d"); /* unknown ones are read over */
    expect_row(0, "abcd");
}

static void colours(void **state)
{
    (void)state;
    fresh("\033[31;44mr\033[1mb\033[7mi\033[0mn\033[97m!");
    assert_int_equal(grid[0], CELL('r', 1, 4));
    assert_int_equal(grid[1], CELL('b', 9, 4));
    assert_int_equal(grid[2], CELL('i', 4, 9));
    assert_int_equal(grid[3], CELL('n', 7, 0));
    assert_int_equal(grid[4], CELL('!', 15, 0));
}

static uint32_t only_cell(const char *bytes)
{
    fresh(bytes);
    return CELL_CODE(grid[0]);
}

static void utf8(void **state)
{
    (void)state;
    assert_int_equal(only_cell("\xc3\xa4"), 0xe4);
    assert_int_equal(only_cell("\xe2\x94\x80"), 0x2500);
    assert_int_equal(only_cell("\xf0\x9f\x98\x80"), 0xfffd); /* beyond 16 bits */
    assert_int_equal(only_cell("\xc0\x80"), 0xfffd);         /* overlong */
    assert_int_equal(only_cell("\xe0\x80\xaf"), 0xfffd);
    assert_int_equal(only_cell("\xed\xa0\x80"), 0xfffd);     /* half of a pair */
    assert_int_equal(only_cell("\x80"), 0xfffd);
    assert_int_equal(only_cell("\xff"), 0xfffd);
    fresh("\xe2\x94x"); /* cut short: one sign, and the x is not lost */
    assert_int_equal(CELL_CODE(grid[0]), 0xfffd);
    assert_int_equal(CELL_CODE(grid[1]), 'x');
}

/* Noise, of which much looks like sequences, leaves the terminal whole. */
static void noise(void **state)
{
    static const char bytes[] = "\033[;0123456789ABCDHJKm\n\r\t\b\xe2\x94\x80xyz";
    (void)state;
    srand(4);
    fresh("");
    for (unsigned i = 0; i < 200000; i++) {
        char c = rand() % 8 ? bytes[(unsigned)rand() % (sizeof bytes - 1)] : (char)rand();
        term_write(&t, &c, 1);
        assert_true(t.row < ROWS && t.column < COLUMNS && t.top < ROWS);
    }
}

/* --- font --- */

static void every_glyph_is_there_and_differs(void **state)
{
    uint8_t seen[0x100][FONT_HEIGHT], g[FONT_HEIGHT];
    unsigned n = 0;

    (void)state;
    for (uint32_t c = ' '; c < 0x100; c++) {
        if (c >= 0x7f && c <= 0xa0)
            continue;
        assert_true(font_glyph(c, g));
        for (unsigned i = 0; i < n; i++) /* the soft hyphen is a hyphen */
            if (c != 0xad)
                assert_memory_not_equal(seen[i], g, sizeof g);
        memcpy(seen[n++], g, sizeof g);
    }
    assert_false(font_glyph(0x4e00, g));
    assert_int_equal(g[2], 0xfe);
}

static void lines_meet(void **state)
{
    uint8_t a[FONT_HEIGHT], b[FONT_HEIGHT];

    (void)state;
    font_glyph(0x2500, a); /* light, across: row 7 from edge to edge, nothing else */
    for (unsigned y = 0; y < FONT_HEIGHT; y++)
        assert_int_equal(a[y], y == 7 ? 0xff : 0);
    font_glyph(0x250c, a); /* corner: right and down from the middle */
    assert_int_equal(a[7], 0x1f);
    assert_int_equal(a[6], 0);
    assert_int_equal(a[15], 0x10);
    font_glyph(0x2554, a); /* double corner: the outer line goes around the inner one */
    assert_int_equal(a[6], 0x3f);
    assert_int_equal(a[7], 0x20);
    assert_int_equal(a[8], 0x2f);
    font_glyph(0x2551, b); /* and joins on to the double line */
    assert_int_equal(a[15], b[0]);
    font_glyph(0x2588, a);
    assert_int_equal(a[0] & a[15], 0xff);
}

static void vga_has_its_own_numbers(void **state)
{
    (void)state;
    assert_int_equal(font_cp437('A'), 'A');
    assert_int_equal(font_cp437(0xe4), 0x84);
    assert_int_equal(font_cp437(0x2500), 0xc4);
    assert_int_equal(font_cp437(0x256c), 0xce);
    assert_int_equal(font_cp437(0xc0), 'A'); /* without its accent */
    assert_int_equal(font_cp437(0x4e00), '?');
}

/* --- pixels --- */

static struct boot_info screen_of(uint32_t width, uint32_t height, uint8_t bpp, uint32_t pitch)
{
    struct boot_info bi = {.fb_type = 1, .fb_width = width, .fb_height = height, .fb_bpp = bpp, .fb_pitch = pitch};

    bi.fb_red_bits = bi.fb_green_bits = bi.fb_blue_bits = 8;
    bi.fb_red_pos = 16, bi.fb_green_pos = 8;
    if (bpp == 16)
        bi.fb_red_pos = 11, bi.fb_green_pos = 5, bi.fb_red_bits = bi.fb_blue_bits = 5, bi.fb_green_bits = 6;
    return bi;
}

static uint32_t pixel(const struct boot_info *bi, unsigned x, unsigned y)
{
    uint32_t v = 0;

    memcpy(&v, video + (size_t)y * bi->fb_pitch + x * (bi->fb_bpp / 8), bi->fb_bpp / 8);
    return v;
}

/* Each pixel of a row of text, drawn at the screen's last row. */
static void check_text(const struct boot_info *bi, uint32_t lit, unsigned scale)
{
    uint32_t cells[TERM_COLUMNS_MAX];
    static const char text[] = "Ab|";
    unsigned row = started->rows - 1;
    uint8_t g[FONT_HEIGHT];

    for (unsigned c = 0; c < started->columns; c++)
        cells[c] = c < 3 ? CELL(text[c], 7, 0) : CELL_BLANK;
    assert_int_equal(started->draw(row, cells, 3), 4); /* three letters and the cursor */
    assert_int_equal(started->draw(row, cells, 3), 0); /* nothing to do */
    for (unsigned c = 0; c < 4; c++) {
        font_glyph(c < 3 ? (uint8_t)text[c] : ' ', g);
        for (unsigned y = 0; y < FONT_HEIGHT * scale; y++)
            for (unsigned x = 0; x < FONT_WIDTH * scale; x++) {
                bool on = g[y / scale] >> (7 - x / scale) & 1;
                if (c == 3)
                    on = y / scale >= FONT_HEIGHT - 2; /* the cursor */
                assert_int_equal(pixel(bi, c * FONT_WIDTH * scale + x, row * FONT_HEIGHT * scale + y), on ? lit : 0);
            }
    }
    assert_int_equal(started->draw(row, cells, started->columns), 1); /* the cursor goes: one cell */
}

static void drop(void)
{
    free(video);
    free(started_cells);
    free(fb.shown);
}

static void pixels_of_every_depth(void **state)
{
    struct boot_info bi;

    (void)state;
    bi = screen_of(645, 489, 32, 2600); /* not a multiple of the cell, and a pitch of its own */
    assert_true(framebuffer_init(&bi));
    assert_int_equal(started->columns, 80);
    assert_int_equal(started->rows, 30);
    check_text(&bi, 0xaaaaaa, 1);
    assert_int_equal(pixel(&bi, 644, 0), 0); /* the rim is cleared, to its last pixel */
    assert_int_equal(pixel(&bi, 644, 488), 0);
    assert_int_equal(video[645 * 4], 0x5a); /* what lies between the rows is not */
    drop();
    bi = screen_of(800, 600, 24, 2400);
    assert_true(framebuffer_init(&bi));
    check_text(&bi, 0xaaaaaa, 1);
    drop();
    bi = screen_of(640, 480, 16, 1280);
    assert_true(framebuffer_init(&bi));
    check_text(&bi, 21u << 11 | 42u << 5 | 21u, 1);
    drop();
    bi = screen_of(3840, 2160, 32, 3840 * 4); /* large glyphs */
    assert_true(framebuffer_init(&bi));
    assert_int_equal(started->columns, 240);
    check_text(&bi, 0xaaaaaa, 2);
    drop();
}

static void strange_screens_are_left_alone(void **state)
{
    struct boot_info bi = screen_of(640, 480, 8, 640);

    (void)state;
    assert_false(framebuffer_init(&bi));
    bi = screen_of(100, 100, 32, 400);
    assert_false(framebuffer_init(&bi));
    bi = screen_of(640, 480, 32, 2560);
    bi.fb_red_pos = 28;
    assert_false(framebuffer_init(&bi));
    bi.fb_type = 2;
    assert_false(framebuffer_init(&bi));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_lines),
        cmocka_unit_test(scrolling),
        cmocka_unit_test(editing_sequences),
        cmocka_unit_test(colours),
        cmocka_unit_test(utf8),
        cmocka_unit_test(noise),
        cmocka_unit_test(every_glyph_is_there_and_differs),
        cmocka_unit_test(lines_meet),
        cmocka_unit_test(vga_has_its_own_numbers),
        cmocka_unit_test(pixels_of_every_depth),
        cmocka_unit_test(strange_screens_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
