/* SPDX-License-Identifier: MIT
 *
 * kernel/vga.c: the screen of a VGA in text mode, where there is no framebuffer.
 *
 * Owns: the 32 KiB text window at 0xb8000 and the cursor. Scrolling moves the
 * display's start address through the window (CRTC registers 0x0c, 0x0d), so a
 * new line costs one row; only when the window ends is the screen drawn anew at
 * its start. Video memory is never read. Context: see kernel/screen.h.
 */
#include <drivers/font.h>
#include <drivers/term.h>
#include <kernel/boot_info.h>
#include <kernel/cpu.h>
#include <kernel/mem.h>
#include <kernel/screen.h>

#define COLUMNS      80u
#define ROWS         25u
#define WINDOW_ROWS  (32768u / 2 / COLUMNS)
#define WINDOW       0xb8000u
#define CRTC         0x3d4
#define CURSOR_START 0x0a
#define CURSOR_END   0x0b
#define START_HIGH   0x0c
#define CURSOR_HIGH  0x0e

static uint32_t cells[ROWS * COLUMNS];
static volatile uint16_t *window;
static unsigned top; /* the window's row that is the screen's first */

static void crtc_set8(uint8_t reg, uint8_t v)
{
    outb(CRTC, reg);
    outb(CRTC + 1, v);
}

static void crtc_set(uint8_t reg, unsigned v)
{
    crtc_set8(reg, (uint8_t)(v >> 8));
    crtc_set8((uint8_t)(reg + 1), (uint8_t)v);
}

static bool scroll(unsigned n)
{
    bool fits = n < ROWS && top + n + ROWS <= WINDOW_ROWS;

    top = fits ? top + n : 0;
    crtc_set(START_HIGH, top * COLUMNS);
    return fits;
}

static uint16_t vga_cell(uint32_t cell)
{
    /* ECMA-48 counts red, green, blue from bit 0 on, a VGA from bit 2 down. */
    static const uint8_t colour[16] = {0, 4, 2, 6, 1, 5, 3, 7, 8, 12, 10, 14, 9, 13, 11, 15};
    /* Without the brightest background bit, which makes some VGAs blink. */
    unsigned attribute = colour[CELL_FOREGROUND(cell)] | (colour[CELL_BACKGROUND(cell)] & 7u) << 4;

    return (uint16_t)(attribute << 8 | font_cp437(CELL_CODE(cell)));
}

static unsigned draw(unsigned row, const uint32_t *text, unsigned cursor)
{
    unsigned at = (top + row) * COLUMNS;

    for (unsigned c = 0; c < COLUMNS; c++)
        window[at + c] = vga_cell(text[c]);
    if (cursor < COLUMNS)
        crtc_set(CURSOR_HIGH, at + cursor);
    return COLUMNS;
}

bool vga_init(const struct boot_info *bi)
{
    static const struct screen_device vga = {COLUMNS, ROWS, scroll, draw};

    if (bi->fb_type == 1 || (bi->fb_type == 0 && bi->efi))
        return false; /* graphics, or no VGA */
    window = phys_to_virt(WINDOW);
    crtc_set(START_HIGH, 0);
    crtc_set8(CURSOR_START, 14); /* an underline, and visible */
    crtc_set8(CURSOR_END, 15);
    screen_start(&vga, cells);
    return true;
}
