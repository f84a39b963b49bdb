/* SPDX-License-Identifier: MIT
 *
 * kernel/log.c: the log ring.
 *
 * Owns: 64 KiB of text, addressed by a running byte count; the oldest is
 * overwritten. Context: any: a line is formatted on the stack and copied in
 * with interrupts off (some hundred instructions).
 */
#include <kernel/console.h>
#include <kernel/cpu.h>
#include <kernel/keep.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/string.h>
#include <kernel/time.h>

#define RING_BYTES 65536u
#define LINE_MAX   256

static struct spinlock lock = SPINLOCK("log", RANK_LOG);
static char ring[RING_BYTES];
static volatile uint64_t written; /* bytes since boot */
static enum log_level console_level = LOG_INFO;

void log_set_level(enum log_level level)
{
    console_level = level;
}

static void ring_append(const char *text, size_t n)
{
    uint64_t flags = spin_lock_irqsave(&lock);
    size_t at = written % RING_BYTES, first = RING_BYTES - at;

    if (first > n)
        first = n;
    memcpy(ring + at, text, first);
    memcpy(ring, text + first, n - first);
    written += n;
    keep_append(text, n);
    spin_unlock_irqrestore(&lock, flags);
}

static void emit(enum log_level level, const char *line, size_t n)
{
    ring_append(line, n);
    if (level <= console_level)
        console_write(line, n);
}

void kvlog(enum log_level level, const char *fmt, va_list ap)
{
    char line[LINE_MAX];
    uint64_t us = now_ns() / 1000;
    int n = ksnprintf(line, sizeof line, "[%4lu.%06lu] ", us / 1000000, us % 1000000);

    n += kvsnprintf(line + n, sizeof line - 1 - (size_t)n, fmt, ap);
    if (n > LINE_MAX - 2)
        n = LINE_MAX - 2;
    for (int i = 0; i < n; i++) /* names come from processes: none may write a line of its own */
        if ((uint8_t)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
    line[n++] = '\n';
    emit(level, line, (size_t)n);
}

void klog(enum log_level level, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    kvlog(level, fmt, ap);
    va_end(ap);
}

void log_plain(const char *fmt, ...)
{
    char line[LINE_MAX];
    va_list ap;

    va_start(ap, fmt);
    int n = kvsnprintf(line, sizeof line - 1, fmt, ap);
    va_end(ap);
    if (n > LINE_MAX - 2)
        n = LINE_MAX - 2;
    line[n++] = '\n';
    emit(LOG_ERROR, line, (size_t)n);
}

size_t log_read(uint64_t *cursor, char *buf, size_t bytes)
{
    uint64_t flags = spin_lock_irqsave(&lock);
    uint64_t end = written, from = *cursor;

    if (from > end)
        from = end;
    if (end - from > RING_BYTES)
        from = end - RING_BYTES;
    size_t n = end - from < bytes ? (size_t)(end - from) : bytes;
    size_t at = from % RING_BYTES, first = RING_BYTES - at;
    if (first > n)
        first = n;
    memcpy(buf, ring + at, first);
    memcpy(buf + first, ring, n - first);
    *cursor = from + n;
    spin_unlock_irqrestore(&lock, flags);
    return n;
}

uint64_t log_end(void)
{
    return written;
}
