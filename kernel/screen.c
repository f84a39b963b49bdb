/* SPDX-License-Identifier: MIT
 *
 * kernel/screen.c: when the console's screen is drawn.
 *
 * Owns: the terminal and the work of drawing it. Text is taken under the screen's
 * lock, with interrupts off; a row is copied out the same way and drawn with
 * interrupts on, by one drawer at a time (boot, or a poll under the kernel lock).
 */
#include <drivers/term.h>
#include <kernel/boot_info.h>
#include <kernel/irq.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/screen.h>
#include <kernel/time.h>
#include <slipway/syscall.h>

#define DRAW_DELAY_NS (10 * NS_PER_MS)
#define DRAW_CELLS    400u /* a turn: 50,000 pixels, below a millisecond where writes are combined */
#define WRITE_CHUNK   64u  /* bytes with interrupts off */

enum { DRAW_AT_ONCE = 0, DRAW_LATER };

static struct spinlock lock = SPINLOCK("screen", RANK_SCREEN); /* guards the terminal */
static struct term term;
static const struct screen_device *device; /* NULL: no screen */
static int when = DRAW_AT_ONCE;
static bool drawing, waiting;
static unsigned next_row;
static unsigned cursor_row; /* where it was drawn last */

static bool draw_poll(void *arg);
static struct poll_work draw_work = {.run = draw_poll};
static struct timer draw_timer;

/* Takes over what the terminal has done since: rows that moved, the cursor. */
static void take_changes(void)
{
    uint64_t flags = spin_lock_irqsave(&lock);
    unsigned scrolled = term.scrolled;

    term.scrolled = 0;
    term.dirty[term_ring_row(&term, term.row)] = true;
    if (cursor_row != term.row || scrolled > 0)
        term.dirty[term_ring_row(&term, cursor_row)] = true;
    spin_unlock_irqrestore(&lock, flags);
    if (scrolled == 0 || device->scroll(scrolled))
        return;
    flags = spin_lock_irqsave(&lock);
    for (unsigned r = 0; r < term.rows; r++)
        term.dirty[r] = true;
    spin_unlock_irqrestore(&lock, flags);
}

static unsigned draw_row(unsigned row)
{
    static uint32_t cells[TERM_COLUMNS_MAX]; /* one drawer at a time */
    uint64_t flags = spin_lock_irqsave(&lock);
    unsigned cursor = row == term.row ? term.column : term.columns;
    bool *dirty = &term.dirty[term_ring_row(&term, row)], wanted = *dirty && term.scrolled == 0;

    if (wanted) {
        *dirty = false;
        for (unsigned c = 0; c < term.columns; c++)
            cells[c] = term_row(&term, row)[c];
        if (cursor < term.columns)
            cursor_row = row;
    }
    spin_unlock_irqrestore(&lock, flags);
    return wanted ? device->draw(row, cells, cursor) : 0;
}

/* At most about `budget` cells. True when there is more to do. */
static bool draw(unsigned budget)
{
    unsigned done = 0;

    take_changes();
    for (unsigned i = 0; i < term.rows; i++) {
        if (done >= budget)
            return true;
        done += draw_row(next_row);
        next_row = (next_row + 1) % term.rows;
    }
    return false;
}

static bool draw_poll(void *arg)
{
    (void)arg;
    if (when != DRAW_LATER)
        return false;
    waiting = false; /* before looking: what comes now asks again */
    return draw(DRAW_CELLS);
}

static void draw_due(void *arg)
{
    (void)arg;
    poll_schedule(&draw_work);
}

static bool arm_poll(void *arg)
{
    (void)arg;
    if (timer_arm(&draw_timer, now_ns() + DRAW_DELAY_NS) != 0)
        poll_schedule(&draw_work);
    return false;
}
static struct poll_work arm_work = {.run = arm_poll};

static void draw_everything(void)
{
    if (drawing) /* a fault while drawing must not draw again */
        return;
    drawing = true;
    while (draw(~0u))
        ;
    drawing = false;
}

void screen_write(const char *text, size_t bytes)
{
    if (device == NULL)
        return;
    while (bytes > 0) {
        size_t n = bytes < WRITE_CHUNK ? bytes : WRITE_CHUNK;
        uint64_t flags = spin_lock_irqsave(&lock);
        term_write(&term, text, n);
        spin_unlock_irqrestore(&lock, flags);
        text += n;
        bytes -= n;
    }
    if (when == DRAW_AT_ONCE) {
        draw_everything();
    } else if (!waiting) {
        waiting = true;
        poll_schedule(&arm_work); /* timers are not for hard interrupts to arm */
    }
}

static void replay_log(void)
{
    uint64_t cursor = 0;
    char text[256];

    for (size_t n; (n = log_read(&cursor, text, sizeof text)) > 0;)
        screen_write(text, n);
}

void screen_start(const struct screen_device *d, uint32_t *cells)
{
    device = NULL; /* nothing is drawn meanwhile */
    term_init(&term, cells, d->columns, d->rows);
    timer_init(&draw_timer, draw_due, NULL);
    next_row = cursor_row = 0;
    when = DRAW_LATER;
    waiting = true; /* the log is drawn once it is there */
    device = d;
    replay_log();
    when = DRAW_AT_ONCE;
    waiting = false;
    draw_everything();
}

void screen_defer(void)
{
    when = DRAW_LATER;
}

void screen_flush(void)
{
    when = DRAW_AT_ONCE;
    if (device != NULL)
        draw_everything();
}

bool screen_info(struct info_screen *s)
{
    const struct boot_info *bi = boot_info_get();

    if (device == NULL)
        return false;
    s->columns = device->columns;
    s->rows = device->rows;
    if (bi->fb_type != 1)
        return true;
    s->width = bi->fb_width;
    s->height = bi->fb_height;
    s->pitch_bytes = bi->fb_pitch;
    s->pixel_bits = bi->fb_bpp;
    s->red_pos = bi->fb_red_pos, s->red_bits = bi->fb_red_bits;
    s->green_pos = bi->fb_green_pos, s->green_bits = bi->fb_green_bits;
    s->blue_pos = bi->fb_blue_pos, s->blue_bits = bi->fb_blue_bits;
    return true;
}
