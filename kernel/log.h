/* SPDX-License-Identifier: MIT
 *
 * kernel/log.h: the log ring, the console and panic.
 *
 * Owns: the log ring (64 KiB, oldest lines overwritten), panic.
 * Context: any (klog is safe in hard interrupts).
 */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR = 0, LOG_WARN = 1, LOG_INFO = 2, LOG_DEBUG = 3 };

/* One line, no newline at the end. Lines up to the level of log=LEVEL (default
 * info) also go to the console. "[   0.001234] text" with the clock's time. */
void klog(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void kvlog(enum log_level level, const char *fmt, va_list ap);
/* A line without time stamp: what the boot says first. */
void log_plain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_set_level(enum log_level level); /* what goes to the console */
uint64_t log_end(void);                   /* the cursor behind the last byte */
/* Read from *cursor (a running byte count; too old ones jump to the oldest). */
size_t log_read(uint64_t *cursor, char *buf, size_t bytes);

/* A broken invariant: registers, symbolised backtrace, last log lines; then
 * halt, or what panic= says. */
void panic(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void panic_begin(void); /* for who has more to say before it calls panic() */
/* What was given cannot be booted (bad loader data, no initrd): one sentence
 * and no registers; then as panic= says. */
void boot_stop(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
#define KASSERT(c) ((c) ? (void)0 : panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #c))

/* Symbolised backtrace along frame pointers into buf, one line a frame. Stops
 * at the first address that is not mapped. Returns bytes written. */
size_t backtrace_text(uint64_t ip, uint64_t frame, char *buf, size_t bytes);

/* "name+0x12" for a kernel text address, from the symbol table in the image. */
void symbolise(uint64_t ip, char *buf, size_t bytes);

int ksnprintf(char *buf, size_t n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int kvsnprintf(char *buf, size_t n, const char *fmt, va_list ap);

#endif
