/* SPDX-License-Identifier: MIT
 *
 * kernel/vga.c: text on a VGA in text mode.
 *
 * Owns: the 32 KiB text window at 0xb8000 and the cursor. Scrolling moves the
 * display's start address through the window (CRTC registers 0x0c, 0x0d), so a
 * new line costs one cleared row; only when the window ends is the screen
 * copied back to its start, from a copy in RAM because reading video memory is
 * slow. Context: any (a line at a time, see console.c).
 */
#include <kernel/console.h>
#include <kernel/cpu.h>
#include <kernel/mem.h>
#include <kernel/string.h>

#define COLUMNS     80u
#define ROWS        25u
#define WINDOW_ROWS (32768u / 2 / COLUMNS)
#define CRTC        0x3d4
#define ATTRIBUTE   0x0700u /* light grey on black */

static volatile uint16_t *window; /* NULL: no screen in text mode */
static uint16_t shadow[WINDOW_ROWS * COLUMNS];
static unsigned top, row, column; /* rows count from the window's start */
/* An escape sequence being read: 0 none, 1 after ESC, 2 after ESC [ (ECMA-48 CSI). */
static unsigned escape, escape_number;

static void crtc_set(uint8_t reg, unsigned v)
{
    outb(CRTC, reg);
    outb(CRTC + 1, (uint8_t)(v >> 8));
    outb(CRTC, (uint8_t)(reg + 1));
    outb(CRTC + 1, (uint8_t)v);
}

static void put_cell(unsigned at, uint16_t cell)
{
    shadow[at] = cell;
    window[at] = cell;
}

static void clear_row(unsigned r)
{
    for (unsigned c = 0; c < COLUMNS; c++)
        put_cell(r * COLUMNS + c, ATTRIBUTE | ' ');
}

static void rewind_window(void)
{
    memmove(shadow, shadow + top * COLUMNS, ROWS * COLUMNS * sizeof shadow[0]);
    for (unsigned i = 0; i < ROWS * COLUMNS; i++)
        window[i] = shadow[i];
    row -= top;
    top = 0;
}

static void new_line(void)
{
    column = 0;
    row++;
    if (row < top + ROWS)
        return;
    if (row == WINDOW_ROWS)
        rewind_window();
    top = row - (ROWS - 1);
    clear_row(row);
}

void vga_init(void)
{
    window = phys_to_virt(0xb8000);
    for (unsigned r = 0; r < ROWS; r++)
        clear_row(r);
    crtc_set(0x0c, 0);
    crtc_set(0x0e, 0);
}

static void erase(unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        put_cell(i, ATTRIBUTE | ' ');
}

/* What line editors use: left, right, home, erase to the end of the line or of
 * the screen. All else is read over. */
static void escape_byte(char c)
{
    unsigned n = escape_number > 0 ? escape_number : 1, at = row * COLUMNS + column;

    if (escape == 1) {
        escape = c == '[' ? 2 : 0;
        escape_number = 0;
        return;
    }
    if (c >= '0' && c <= '9') {
        if (escape_number < 1000)
            escape_number = escape_number * 10 + (unsigned)(c - '0');
        return;
    }
    if (c >= 0x40 && c <= 0x7e) /* the final byte */
        escape = 0;
    switch (c) {
    case 'K':
        erase(at, (row + 1) * COLUMNS);
        break;
    case 'J':
        erase(at, (top + ROWS) * COLUMNS);
        break;
    case 'H':
        row = top, column = 0;
        break;
    case 'C':
        column = column + n < COLUMNS ? column + n : COLUMNS - 1;
        break;
    case 'D':
        column = column > n ? column - n : 0;
        break;
    default:
        break;
    }
}

static void plain_byte(char c)
{
    if (c == '\n') {
        new_line();
    } else if (c == '\r') {
        column = 0;
    } else if (c == '\b') {
        column -= column > 0;
    } else if (c == '\t') {
        column = (column + 8) & ~7u;
    } else if (c == 0x1b) {
        escape = 1;
    } else if ((uint8_t)c >= ' ') {
        put_cell(row * COLUMNS + column, ATTRIBUTE | (uint8_t)c);
        column++;
    }
    if (column >= COLUMNS)
        new_line();
}

void vga_write(const char *text, size_t bytes)
{
    if (window == NULL)
        return;
    for (size_t i = 0; i < bytes; i++) {
        if (escape != 0)
            escape_byte(text[i]);
        else
            plain_byte(text[i]);
    }
    crtc_set(0x0c, top * COLUMNS);
    crtc_set(0x0e, row * COLUMNS + column);
}
