/* SPDX-License-Identifier: MIT
 *
 * kernel/keep.c: a log that outlives its kernel.
 *
 * Owns: the two halves (struct keep_half). Whether a half is whole shows a sum
 * over its text, which is kept up to date byte by byte, and a check word over its
 * header. What is written leaves the caches at once: a reset empties them.
 */
#include <kernel/boot_info.h>
#include <kernel/keep.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/string.h>

#define MAGIC       0x736c70776c6f6731ull
#define STEP        0x100000ull  /* a place lies at a multiple of this */
#define PLACES_END  0x40000000ull /* and below this: 1,023 places to look at */
#define CACHE_LINE  64u
#define SHOWN_LINES 16u

struct keep_half {
    uint64_t magic;
    uint32_t run, end;  /* number of the run, enum keep_end */
    uint64_t written;   /* bytes since that run began; the last KEEP_TEXT of them are here */
    uint32_t sum, check;
    uint8_t pad[32];
    char text[KEEP_TEXT];
};
_Static_assert(sizeof(struct keep_half) == KEEP_BYTES / 2, "two halves");

static uint64_t base;
static struct keep_half *mine;
static const struct keep_half *previous;
static bool quoting; /* what the run before said is not said by this one */

/* --- a half --------------------------------------------------------------- */

static uint32_t weight(uint32_t at, char c)
{
    return ((uint8_t)c + 1u) * (at * 2654435761u | 1u);
}

static uint32_t header_check(const struct keep_half *h)
{
    return (uint32_t)(h->magic ^ h->magic >> 32) * 31 + h->run * 37 + h->end * 41 + (uint32_t)h->written * 43 +
           (uint32_t)(h->written >> 32) * 47 + h->sum * 53 + 1;
}

static bool half_is_whole(const struct keep_half *h)
{
    uint32_t sum = 0, n;

    if (h->magic != MAGIC || h->check != header_check(h) || h->end > KEEP_OFF)
        return false;
    n = h->written < KEEP_TEXT ? (uint32_t)h->written : KEEP_TEXT;
    for (uint32_t i = 0; i < n; i++)
        sum += weight(i, h->text[i]);
    return sum == h->sum; /* C-LOG-1 */
}

/* The half with the later run, of those that are whole; NULL: none is. */
static const struct keep_half *latest(const struct keep_half *pair)
{
    bool a = half_is_whole(&pair[0]), b = half_is_whole(&pair[1]);

    if (a && b)
        return (int32_t)(pair[1].run - pair[0].run) > 0 ? &pair[1] : &pair[0];
    return a ? &pair[0] : b ? &pair[1] : NULL;
}

static void write_back(const void *p, size_t bytes)
{
    const char *at = (const char *)((uintptr_t)p & ~(uintptr_t)(CACHE_LINE - 1));

    for (; at < (const char *)p + bytes; at += CACHE_LINE)
        __asm__ volatile("clflush (%0)" ::"r"(at) : "memory");
}

static void write_header(void)
{
    mine->check = header_check(mine);
    write_back(mine, CACHE_LINE);
}

/* --- the place ------------------------------------------------------------ */

static bool is_free(uint64_t place, const struct keep_range *taken, unsigned ntaken)
{
    for (unsigned i = 0; i < ntaken; i++)
        if (place < taken[i].end && place + KEEP_BYTES > taken[i].first)
            return false;
    return true;
}

/* Firmware and boot loaders use both ends of the largest region, and under one of
 * OVMF's builds GRUB loads files into its very middle: so a little above it. */
uint64_t keep_choose(const struct boot_info *bi, const struct keep_range *taken, unsigned ntaken,
                     bool (*found)(uint64_t place))
{
    uint64_t largest = 0, middle = 0, chosen = 0;

    for (uint32_t i = 0; i < bi->nregions; i++) {
        const struct boot_region *r = &bi->region[i];
        uint64_t end = r->base + r->bytes < PLACES_END ? r->base + r->bytes : PLACES_END;
        uint64_t place = (r->base + STEP - 1) & ~(STEP - 1);
        if (place < STEP)
            place = STEP;
        if (r->type != REGION_FREE || r->base >= end)
            continue;
        if (end - r->base > largest) {
            largest = end - r->base;
            middle = r->base + largest / 8 * 5;
            chosen = 0;
        }
        for (; place + KEEP_BYTES <= end; place += STEP) {
            if (!is_free(place, taken, ntaken))
                continue;
            if (found(place))
                return place;
            if (end - r->base == largest && (chosen == 0 || place <= middle))
                chosen = place; /* the last one before the middle, else the first behind it */
        }
    }
    return chosen;
}

static bool place_has_log(uint64_t place)
{
    const struct keep_half *pair = phys_to_virt(place);

    return (pair[0].magic == MAGIC || pair[1].magic == MAGIC) && latest(pair) != NULL;
}

/* The half that holds no log, or the older one, becomes this run's. */
static void open_place(struct keep_half *pair)
{
    previous = latest(pair);
    mine = previous == &pair[0] ? &pair[1] : &pair[0];
    memset(mine, 0, sizeof *mine);
    mine->magic = MAGIC;
    mine->run = previous != NULL ? previous->run + 1 : 1;
    write_header();
}

void keep_init(const struct boot_info *bi, const struct keep_range *taken, unsigned ntaken)
{
    uint64_t cursor = 0;
    char text[256];

    base = keep_choose(bi, taken, ntaken, place_has_log);
    if (base == 0)
        return;
    open_place(phys_to_virt(base));
    for (size_t n; (n = log_read(&cursor, text, sizeof text)) > 0;) /* what was said before */
        keep_append(text, n);
}

uint64_t keep_base(void)
{
    return base;
}

/* --- writing -------------------------------------------------------------- */

void keep_append(const char *text, size_t bytes)
{
    if (mine == NULL || quoting)
        return;
    for (size_t i = 0; i < bytes; i++) {
        uint32_t at = (uint32_t)(mine->written % KEEP_TEXT);
        if (mine->written >= KEEP_TEXT)
            mine->sum -= weight(at, mine->text[at]);
        mine->text[at] = text[i];
        mine->sum += weight(at, text[i]);
        mine->written++;
        if (at % CACHE_LINE == CACHE_LINE - 1 || i + 1 == bytes)
            write_back(&mine->text[at], 1);
    }
    write_header();
}

void keep_ending(enum keep_end how)
{
    if (mine == NULL || mine->end != KEEP_RUNNING)
        return;
    mine->end = how;
    write_header();
}

/* --- the run before ------------------------------------------------------- */

size_t keep_previous_bytes(void)
{
    if (previous == NULL)
        return 0;
    return previous->written < KEEP_TEXT ? (size_t)previous->written : KEEP_TEXT;
}

size_t keep_previous(size_t from, char *buf, size_t bytes)
{
    size_t have = keep_previous_bytes(), n;

    if (from >= have)
        return 0;
    n = have - from < bytes ? have - from : bytes;
    for (size_t i = 0; i < n; i++)
        buf[i] = previous->text[(previous->written - have + from + i) % KEEP_TEXT];
    return n;
}

/* Where the last SHOWN_LINES lines begin. */
static size_t last_lines(void)
{
    size_t at = keep_previous_bytes();
    unsigned lines = 0;
    char c;

    for (; at > 0; at--) {
        (void)keep_previous(at - 1, &c, 1);
        lines += c == '\n';
        if (lines > SHOWN_LINES)
            break;
    }
    return at;
}

static void show_last_lines(void)
{
    char line[200];
    size_t n = 0;

    for (size_t at = last_lines(); keep_previous(at, line + n, 1) == 1; at++) {
        if (line[n] != '\n' && n + 2 < sizeof line) {
            n++;
            continue;
        }
        line[line[n] == '\n' ? n : n + 1] = 0;
        klog(LOG_WARN, "| %s", line);
        n = 0;
    }
}

void keep_report(void)
{
    if (previous == NULL)
        return;
    if (previous->end == KEEP_REBOOT || previous->end == KEEP_OFF) {
        klog(LOG_INFO, "keep: the log of the run before is kept (dmesg -p)");
        return;
    }
    klog(LOG_WARN, "keep: the run before ended %s; its last lines:",
         previous->end == KEEP_PANIC ? "in a panic" : "without a word");
    quoting = true;
    show_last_lines();
    quoting = false;
}
