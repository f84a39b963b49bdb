/* SPDX-License-Identifier: MIT
 *
 * kernel/console.h: text out to and in from COM2 (console=...) and the screen.
 *
 * Owns: the console's output devices and its input queue (bytes typed).
 * Context: console_write any; the rest thread. Before the UART driver takes
 * over, output is polled; afterwards it goes through its interrupt-driven ring.
 * What the kernel says never waits for the line; what a process says does, in
 * console_write_wait, which leaves room for the kernel.
 */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void console_early_init(void); /* polled output on COM2; the screen: kernel/screen.h */
void console_configure(void);  /* console= or com1=slipmux, once options are parsed */
void console_write(const char *text, size_t bytes);
/* Blocks until all of it has room (then 0), or -ETIMEDOUT, -EINTR; nothing was
 * written then. A line that has stood still for a whole deadline is not waited
 * for again before it moves: what finds no room is lost and counted. At most
 * CONSOLE_PIECE_MAX bytes. */
#define CONSOLE_PIECE_MAX 512u
int console_write_wait(const char *text, size_t bytes, uint64_t deadline_ns);
void console_write_polled(const char *text, size_t bytes); /* panic: never waits for an interrupt */
void console_write_nmi(const char *text, size_t bytes); /* takes no lock, so the serial port alone */
/* Called by input devices (hard interrupt): a byte was typed. */
void console_input(uint8_t byte);
size_t console_read(void *buf, size_t bytes); /* 0 when nothing was typed */
int console_readable(void);
struct waitq *console_waitq(void);
/* The UART driver offers itself as the sink once it runs by interrupt: for the
 * port that console_port() names. Newlines reach it as CR LF already. room: bytes
 * that it takes now; it calls console_output_ready (any context) whenever that has
 * risen to CONSOLE_READY_ROOM again. */
#define CONSOLE_READY_ROOM 8192u
void console_set_sink(void (*write)(void *arg, const char *text, size_t bytes), size_t (*room)(void *arg),
                      void *arg);
void console_output_ready(void);
bool console_drained(void); /* everything has left for the line */

/* I/O base of the port that carries the console (COM1 or COM2), 0: none. */
uint16_t console_port(void);

#endif
