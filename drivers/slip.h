/* SPDX-License-Identifier: MIT
 *
 * drivers/slip.h: a serial port as a link ("sl0").
 */
#ifndef DRIVERS_SLIP_H
#define DRIVERS_SLIP_H

struct uart;

/* Makes a point-to-point link of the port. 0 or -errno. Thread, at boot. */
int slip_attach(struct uart *u);

#endif
