/* SPDX-License-Identifier: MIT
 *
 * drivers/uart16550.h: the serial ports COM1 and COM2.
 *
 * Owns: their registers and byte rings. What a port is for, com1= and com2=
 * say: "slip" makes it a link (drivers/slip.c), "console" the console, and
 * "slipmux" both: then text waits in a ring of its own for slip.c to frame it.
 * Both directions run by interrupt. The hard handler drains the receive FIFO
 * at once: 16 bytes at 115,200 baud last 1.4 ms.
 *
 * Context: uart_init thread, at boot, after irq and the net core. Rings have
 * one producer and one consumer; the console's transmit ring is filled in any
 * context, with interrupts off for a few bytes at a time.
 */
#ifndef DRIVERS_UART16550_H
#define DRIVERS_UART16550_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UART_BAUD_DEFAULT 115200u
#define UART_BAUD_MIN 300u

struct uart;

/* Finds the ports, reads the options, starts what they ask for. */
void uart_init(void);

/* --- for the user of a port (slip.c) --- */
/* `ready` runs in the hard handler: `wake` arrived behind another byte, the
 * receive ring is half full, or no more than `low_bytes` are left to send. A
 * line error puts `on_error` into the stream (two bytes, which make the decoder
 * drop the packet). `each_byte`: it also runs for whatever has arrived, and when
 * there is text. */
struct uart_user {
    void (*ready)(void *arg);
    void *arg;
    uint8_t wake;
    uint8_t on_error[2];
    uint32_t low_bytes;
    bool each_byte;
};
void uart_set_user(struct uart *u, const struct uart_user *user);
uint32_t uart_baud(const struct uart *u);
uint32_t uart_irq_line(const struct uart *u);
const char *uart_irq_mode(const struct uart *u);

/* Received bytes that lie in one piece; NULL when there are none. */
const uint8_t *uart_peek(struct uart *u, size_t *bytes);
void uart_consume(struct uart *u, size_t bytes);

size_t uart_room(const struct uart *u);                      /* bytes that uart_put takes */
size_t uart_waiting(const struct uart *u);                   /* bytes put and not yet sent */
void uart_put(struct uart *u, const uint8_t *p, size_t bytes); /* at most uart_room() */
void uart_start(struct uart *u);                             /* begin to send what was put */

bool uart_shared(const struct uart *u);                      /* slipmux: text comes here, too */
/* Console text to be sent, up to so many bytes; returns how many. Poll. */
size_t uart_text(struct uart *u, uint8_t *to, size_t bytes);

struct uart_counters {
    uint64_t interrupts, overruns, framing_errors;
    uint64_t drain_ns; /* longest from the handler's first instruction to an empty receive FIFO */
    uint64_t held; /* times that the other side's CTS made us wait */
};
void uart_counters(const struct uart *u, struct uart_counters *c);

#endif
