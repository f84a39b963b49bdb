/* SPDX-License-Identifier: MIT
 *
 * drivers/term.h: a text terminal without a device: bytes in, cells out.
 *
 * Owns: the cells of one screen (a ring of rows, so that scrolling moves none),
 * the cursor, what is left of a UTF-8 character or an escape sequence. Understands
 * UTF-8 and the part of ECMA-48 that line editors and coloured output use: CSI
 * A B C D H K J m; all else is read over. Pure; the caller locks.
 */
#ifndef DRIVERS_TERM_H
#define DRIVERS_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TERM_COLUMNS_MAX 256u
#define TERM_ROWS_MAX    128u

/* A cell: code point in bits 0 to 15, colours (0 to 15, as ECMA-48 numbers them,
 * bright ones from 8) above. */
#define CELL_CODE(c)       ((c)&0xffffu)
#define CELL_FOREGROUND(c) ((c) >> 16 & 15u)
#define CELL_BACKGROUND(c) ((c) >> 20 & 15u)
#define CELL(code, fg, bg) ((uint32_t)(code) | (uint32_t)(fg) << 16 | (uint32_t)(bg) << 20)
#define CELL_BLANK         CELL(' ', 7, 0)

struct term {
    uint32_t *cells; /* rows * columns; row r of the screen is ring row (top + r) % rows */
    unsigned columns, rows, top;
    unsigned row, column;
    bool wrap; /* the last column is written: the next character begins a row */
    bool bold, inverse;
    uint8_t foreground, background;
    unsigned scrolled;              /* rows since the renderer cleared it */
    bool dirty[TERM_ROWS_MAX];      /* by ring row; the renderer clears it */
    uint32_t code;                  /* UTF-8: bits so far */
    uint32_t least;                 /* smallest code point of that length */
    unsigned more;                  /* continuation bytes to come */
    unsigned escape;                /* 0 none, 1 after ESC, 2 after ESC [ */
    unsigned nnumbers;
    unsigned number[8];
};

/* cells: columns * rows of them, within the limits above. */
void term_init(struct term *t, uint32_t *cells, unsigned columns, unsigned rows);
void term_write(struct term *t, const char *text, size_t bytes);
static inline unsigned term_ring_row(const struct term *t, unsigned row)
{
    return (t->top + row) % t->rows;
}
static inline const uint32_t *term_row(const struct term *t, unsigned row)
{
    return t->cells + (size_t)term_ring_row(t, row) * t->columns;
}

#endif
