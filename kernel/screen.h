/* SPDX-License-Identifier: MIT
 *
 * kernel/screen.h: the console's screen: a terminal (drivers/term.h) and the
 * device that shows it.
 *
 * Owns: the one terminal, when it is drawn. During the boot every line is drawn
 * at once; from screen_defer on, what has changed is drawn by a poll some
 * milliseconds later, a few hundred cells a turn, so that a burst of text costs
 * its last screenful only. Context: screen_write any; drawing: boot, poll, panic.
 */
#ifndef KERNEL_SCREEN_H
#define KERNEL_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct boot_info;

/* What a device does. Rows are those of the screen; cells as in drivers/term.h. */
struct screen_device {
    unsigned columns, rows;
    /* The text has moved up by n rows. False: it cannot move what it shows, so
     * every row is drawn again. */
    bool (*scroll)(unsigned n);
    /* Shows a row; the cursor lies in `cursor`, or in another row (columns or more).
     * Returns what it cost: the cells that were really drawn. */
    unsigned (*draw)(unsigned row, const uint32_t *cells, unsigned cursor);
};

/* Takes over from what was there before and shows the log so far. cells: room
 * for rows * columns. */
void screen_start(const struct screen_device *device, uint32_t *cells);
void screen_write(const char *text, size_t bytes);
/* The scheduler runs: from now on drawing waits for a poll. */
void screen_defer(void);
/* Panic and power-off: everything, now; from then on nothing waits. */
void screen_flush(void);
struct info_screen;
bool screen_info(struct info_screen *s); /* false: there is no screen */

/* vga.c: text mode, 80x25; false when there is none. Before memory is there. */
bool vga_init(const struct boot_info *bi);
/* drivers/framebuffer.c: the linear framebuffer that the loader set up; false when
 * there is none. After mem_init. */
bool framebuffer_init(const struct boot_info *bi);

#endif
