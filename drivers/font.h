/* SPDX-License-Identifier: MIT
 *
 * drivers/font.h: the console's glyphs, 8 by 16 pixels, drawn for Slipway.
 *
 * Owns: the shapes of ASCII, Latin-1, box drawing, blocks and a few signs, and
 * where the same characters lie in a VGA's own font (code page 437).
 * Pure; any context.
 */
#ifndef DRIVERS_FONT_H
#define DRIVERS_FONT_H

#include <stdbool.h>
#include <stdint.h>

#define FONT_WIDTH  8u
#define FONT_HEIGHT 16u

/* One byte a row, the top first, bit 7 on the left. A character that the font
 * lacks gives a hollow box, and false. */
bool font_glyph(uint32_t codepoint, uint8_t rows[FONT_HEIGHT]);
/* The nearest character of code page 437; '?' when there is none. */
uint8_t font_cp437(uint32_t codepoint);

#endif
