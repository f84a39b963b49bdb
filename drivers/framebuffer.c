/* SPDX-License-Identifier: MIT
 *
 * drivers/framebuffer.c: the screen as a linear framebuffer in graphics mode, as
 * the boot loader's tag describes it: 16, 24 or 32 bits a pixel, any pitch, colour
 * fields anywhere.
 *
 * Owns: the mapping of the pixels, what each cell shows now. The framebuffer is
 * never read: a cell is drawn when it differs from what was drawn there last.
 * Context: see kernel/screen.h.
 */
#include <drivers/font.h>
#include <drivers/term.h>
#include <kernel/boot_info.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/screen.h>
#include <stddef.h>

#define CURSOR_BIT 0x80000000u /* in a shown cell: the cursor is drawn in it */
#define BIG_HEIGHT 1600u       /* from here on, glyphs are drawn twice as large */

static struct {
    volatile uint8_t *pixels;
    uint32_t pitch, pixel_bytes, scale;
    unsigned columns, rows;
    uint32_t *shown;
    uint32_t colour[16];
} fb;
static struct screen_device device;

/* The sixteen colours, 0xRRGGBB. */
static const uint32_t palette[16] = {
    0x000000, 0xaa0000, 0x00aa00, 0xaa5500, 0x0000aa, 0xaa00aa, 0x00aaaa, 0xaaaaaa,
    0x555555, 0xff5555, 0x55ff55, 0xffff55, 0x5555ff, 0xff55ff, 0x55ffff, 0xffffff,
};

/* The upper `bits` of an 8-bit colour, at bit `pos` of the pixel. */
static uint32_t field(uint32_t v8, unsigned pos, unsigned bits)
{
    return bits >= 8 ? v8 << (bits - 8) << pos : v8 >> (8 - bits) << pos;
}

static uint32_t pixel_of(const struct boot_info *bi, uint32_t rgb)
{
    return field(rgb >> 16 & 0xff, bi->fb_red_pos, bi->fb_red_bits) |
           field(rgb >> 8 & 0xff, bi->fb_green_pos, bi->fb_green_bits) |
           field(rgb & 0xff, bi->fb_blue_pos, bi->fb_blue_bits);
}

static volatile uint8_t *put_pixel(volatile uint8_t *p, uint32_t v)
{
    if (fb.pixel_bytes == 4) {
        *(volatile uint32_t *)p = v;
    } else if (fb.pixel_bytes == 2) {
        *(volatile uint16_t *)p = (uint16_t)v;
    } else {
        p[0] = (uint8_t)v;
        p[1] = (uint8_t)(v >> 8);
        p[2] = (uint8_t)(v >> 16);
    }
    return p + fb.pixel_bytes;
}

/* One row of a glyph, the common case apart because all the time goes here. */
static void put_bits(volatile uint8_t *p, uint8_t bits, uint32_t fg, uint32_t bg)
{
    if (fb.pixel_bytes == 4 && fb.scale == 1) {
        volatile uint32_t *q = (volatile uint32_t *)p;
        for (unsigned x = 0; x < FONT_WIDTH; x++, bits = (uint8_t)(bits << 1))
            q[x] = bits & 0x80 ? fg : bg;
        return;
    }
    for (unsigned x = 0; x < FONT_WIDTH; x++, bits = (uint8_t)(bits << 1))
        for (unsigned s = 0; s < fb.scale; s++)
            p = put_pixel(p, bits & 0x80 ? fg : bg);
}

static void draw_cell(unsigned row, unsigned column, uint32_t cell)
{
    uint32_t fg = fb.colour[CELL_FOREGROUND(cell)], bg = fb.colour[CELL_BACKGROUND(cell)];
    volatile uint8_t *p = fb.pixels + (size_t)row * FONT_HEIGHT * fb.scale * fb.pitch +
                          (size_t)column * FONT_WIDTH * fb.scale * fb.pixel_bytes;
    uint8_t bits[FONT_HEIGHT];

    (void)font_glyph(CELL_CODE(cell), bits);
    for (unsigned y = 0; y < FONT_HEIGHT; y++)
        for (unsigned s = 0; s < fb.scale; s++, p += fb.pitch)
            put_bits(p, (cell & CURSOR_BIT) && y >= FONT_HEIGHT - 2 ? 0xff : bits[y], fg, bg);
}

static bool scroll(unsigned n)
{
    (void)n;
    return false; /* only what differs is drawn, which mostly is less than to move it all */
}

static unsigned draw(unsigned row, const uint32_t *cells, unsigned cursor)
{
    uint32_t *shown = fb.shown + (size_t)row * fb.columns;
    unsigned drawn = 0;

    for (unsigned c = 0; c < fb.columns; c++) {
        uint32_t want = cells[c] | (c == cursor ? CURSOR_BIT : 0);
        if (shown[c] == want)
            continue;
        draw_cell(row, c, want);
        shown[c] = want;
        drawn++;
    }
    return drawn;
}

/* Black is zero in every format. All of it: the firmware's picture is still there,
 * also in the rim that no cell reaches. */
static void clear(const struct boot_info *bi)
{
    size_t bytes = (size_t)bi->fb_width * fb.pixel_bytes;

    for (unsigned y = 0; y < bi->fb_height; y++) {
        volatile uint8_t *p = fb.pixels + (size_t)y * fb.pitch;
        size_t words = bytes / 8;
        __asm__ volatile("rep stosq" : "+D"(p), "+c"(words) : "a"(0ull) : "memory");
        for (size_t i = 0; i < bytes % 8; i++)
            p[i] = 0;
    }
}

static unsigned at_most(unsigned n, unsigned most)
{
    return n < most ? n : most;
}

static bool usable(const struct boot_info *bi)
{
    unsigned end_red = bi->fb_red_pos + bi->fb_red_bits, end_green = bi->fb_green_pos + bi->fb_green_bits,
             end_blue = bi->fb_blue_pos + bi->fb_blue_bits;

    return (bi->fb_bpp == 15 || bi->fb_bpp == 16 || bi->fb_bpp == 24 || bi->fb_bpp == 32) && end_red <= 32 &&
           end_green <= 32 && end_blue <= 32 && bi->fb_width >= 320 && bi->fb_height >= 200;
}

bool framebuffer_init(const struct boot_info *bi)
{
    uint32_t *cells;
    size_t count;

    if (bi->fb_type != 1)
        return false;
    if (!usable(bi)) {
        klog(LOG_WARN, "fb0: %ux%u pixels of %u bits cannot be used", bi->fb_width, bi->fb_height, bi->fb_bpp);
        return false;
    }
    fb.pitch = bi->fb_pitch;
    fb.pixel_bytes = (bi->fb_bpp + 7u) / 8u;
    fb.scale = bi->fb_height >= BIG_HEIGHT ? 2 : 1;
    fb.columns = at_most(bi->fb_width / (FONT_WIDTH * fb.scale), TERM_COLUMNS_MAX);
    fb.rows = at_most(bi->fb_height / (FONT_HEIGHT * fb.scale), TERM_ROWS_MAX);
    for (unsigned i = 0; i < 16; i++)
        fb.colour[i] = pixel_of(bi, palette[i]);
    count = (size_t)fb.columns * fb.rows;
    cells = kmalloc(count * sizeof *cells);
    fb.shown = kmalloc(count * sizeof *fb.shown);
    fb.pixels = mmio_map_combining(bi->fb_base, (size_t)bi->fb_pitch * bi->fb_height);
    if (cells == NULL || fb.shown == NULL || fb.pixels == NULL) {
        kfree(cells);
        kfree(fb.shown);
        klog(LOG_WARN, "fb0: no memory for a console of %ux%u", fb.columns, fb.rows);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        fb.shown[i] = CELL_BLANK;
    clear(bi);
    device = (struct screen_device){fb.columns, fb.rows, scroll, draw};
    screen_start(&device, cells);
    klog(LOG_INFO, "fb0: %ux%u pixels of %u bits, console of %ux%u", bi->fb_width, bi->fb_height, bi->fb_bpp,
         fb.columns, fb.rows);
    return true;
}
