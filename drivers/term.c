/* SPDX-License-Identifier: MIT
 *
 * drivers/term.c: what a terminal does with a byte. ECMA-48 for the sequences,
 * Unicode 15 section 3.9 for UTF-8.
 */
#include <drivers/term.h>

#define REPLACEMENT 0xfffdu
#define TAB         8u
#define NUMBER_MAX  9999u

/* --- cells ---------------------------------------------------------------- */

static uint32_t *cell_at(struct term *t, unsigned row, unsigned column)
{
    return t->cells + (size_t)term_ring_row(t, row) * t->columns + column;
}

static uint32_t blank(const struct term *t)
{
    return CELL(' ', t->foreground, t->background);
}

static void erase(struct term *t, unsigned row, unsigned from, unsigned to)
{
    uint32_t *c = cell_at(t, row, 0);

    for (unsigned i = from; i < to; i++)
        c[i] = blank(t);
    t->dirty[term_ring_row(t, row)] = true;
}

static void new_line(struct term *t)
{
    t->wrap = false;
    if (t->row + 1 < t->rows) {
        t->row++;
        return;
    }
    t->top = (t->top + 1) % t->rows;
    t->scrolled++;
    erase(t, t->row, 0, t->columns);
}

static void put(struct term *t, uint32_t code)
{
    unsigned fg = t->foreground | (t->bold ? 8u : 0), bg = t->background;

    if (t->wrap) {
        t->column = 0;
        new_line(t);
    }
    *cell_at(t, t->row, t->column) = t->inverse ? CELL(code, bg, fg) : CELL(code, fg, bg);
    t->dirty[term_ring_row(t, t->row)] = true;
    if (t->column + 1 < t->columns)
        t->column++;
    else
        t->wrap = true;
}

/* --- escape sequences ----------------------------------------------------- */

/* Select Graphic Rendition, ECMA-48 8.3.117; 90 to 107 are the usual bright ones. */
static void rendition(struct term *t, unsigned n)
{
    if (n == 0) {
        t->bold = t->inverse = false;
        t->foreground = 7;
        t->background = 0;
    } else if (n == 1 || n == 22) {
        t->bold = n == 1;
    } else if (n == 7 || n == 27) {
        t->inverse = n == 7;
    } else if ((n >= 30 && n <= 37) || n == 39) {
        t->foreground = n == 39 ? 7 : (uint8_t)(n - 30);
    } else if ((n >= 40 && n <= 47) || n == 49) {
        t->background = n == 49 ? 0 : (uint8_t)(n - 40);
    } else if (n >= 90 && n <= 97) {
        t->foreground = (uint8_t)(n - 90 + 8);
    } else if (n >= 100 && n <= 107) {
        t->background = (uint8_t)(n - 100 + 8);
    }
}

static void erase_in_line(struct term *t, unsigned how)
{
    if (how == 0)
        erase(t, t->row, t->column, t->columns);
    else if (how == 1)
        erase(t, t->row, 0, t->column + 1);
    else if (how == 2)
        erase(t, t->row, 0, t->columns);
}

static void erase_in_screen(struct term *t, unsigned how)
{
    if (how > 2)
        return;
    for (unsigned r = 0; r < t->rows; r++)
        if (how == 2 || (how == 0 ? r > t->row : r < t->row))
            erase(t, r, 0, t->columns);
    if (how != 2)
        erase_in_line(t, how);
}

static void move(struct term *t, unsigned row, unsigned column)
{
    t->row = row < t->rows ? row : t->rows - 1;
    t->column = column < t->columns ? column : t->columns - 1;
    t->wrap = false;
}

static void sequence(struct term *t, char final)
{
    unsigned first = t->number[0], n = first > 0 ? first : 1, second = t->nnumbers > 1 ? t->number[1] : 0;

    switch (final) {
    case 'A':
        move(t, t->row > n ? t->row - n : 0, t->column);
        break;
    case 'B':
        move(t, t->row + n, t->column);
        break;
    case 'C':
        move(t, t->row, t->column + n);
        break;
    case 'D':
        move(t, t->row, t->column > n ? t->column - n : 0);
        break;
    case 'H':
    case 'f':
        move(t, n - 1, second > 0 ? second - 1 : 0);
        break;
    case 'K':
        erase_in_line(t, first);
        break;
    case 'J':
        erase_in_screen(t, first);
        break;
    case 'm':
        for (unsigned i = 0; i < t->nnumbers; i++)
            rendition(t, t->number[i]);
        break;
    default:
        break;
    }
}

static void escape_byte(struct term *t, uint8_t c)
{
    unsigned *n = &t->number[t->nnumbers - 1];

    if (t->escape == 1) {
        t->escape = c == '[' ? 2 : 0;
        return;
    }
    if (c >= '0' && c <= '9') {
        if (*n < NUMBER_MAX)
            *n = *n * 10 + (unsigned)(c - '0');
    } else if (c == ';') {
        if (t->nnumbers < sizeof t->number / sizeof t->number[0])
            t->number[t->nnumbers++] = 0;
    } else if (c >= 0x40 && c <= 0x7e) {
        t->escape = 0;
        sequence(t, (char)c);
    } else if (c < ' ') {
        t->escape = 0; /* a control character in the middle: the sequence is lost */
    }
}

/* --- characters ----------------------------------------------------------- */

static void control(struct term *t, uint8_t c)
{
    switch (c) {
    case '\n':
        t->column = 0;
        new_line(t);
        break;
    case '\r':
        move(t, t->row, 0);
        break;
    case '\b':
        move(t, t->row, t->column > 0 ? t->column - 1 : 0);
        break;
    case '\t':
        move(t, t->row, (t->column / TAB + 1) * TAB);
        break;
    case 0x1b:
        t->escape = t->nnumbers = 1;
        t->number[0] = 0;
        break;
    default:
        break;
    }
}

/* First byte of a longer character; false when it cannot be one. */
static bool utf8_begin(struct term *t, uint8_t c)
{
    if (c >= 0xc2 && c <= 0xdf)
        t->more = 1, t->code = c & 0x1f, t->least = 0x80;
    else if ((c & 0xf0) == 0xe0)
        t->more = 2, t->code = c & 0x0f, t->least = 0x800;
    else if (c >= 0xf0 && c <= 0xf4)
        t->more = 3, t->code = c & 0x07, t->least = 0x10000;
    else
        return false;
    return true;
}

static void utf8_end(struct term *t)
{
    bool good = t->code >= t->least && (t->code < 0xd800 || t->code > 0xdfff);

    put(t, good && t->code <= 0xffff ? t->code : REPLACEMENT); /* cells hold 16 bits */
}

static void byte(struct term *t, uint8_t c)
{
    if (t->more > 0 && (c & 0xc0) == 0x80) {
        t->code = t->code << 6 | (c & 0x3f);
        if (--t->more == 0)
            utf8_end(t);
        return;
    }
    if (t->more > 0) { /* cut short */
        t->more = 0;
        put(t, REPLACEMENT);
    }
    if (t->escape != 0)
        escape_byte(t, c);
    else if (c < ' ' || c == 0x7f)
        control(t, c);
    else if (c < 0x80)
        put(t, c);
    else if (!utf8_begin(t, c))
        put(t, REPLACEMENT);
}

void term_write(struct term *t, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        byte(t, (uint8_t)text[i]);
}

void term_init(struct term *t, uint32_t *cells, unsigned columns, unsigned rows)
{
    *t = (struct term){.cells = cells, .columns = columns, .rows = rows, .foreground = 7};
    for (unsigned r = 0; r < rows; r++)
        erase(t, r, 0, columns);
}
