/* SPDX-License-Identifier: MIT
 *
 * tools/attach.h: what the files of slipway-attach share.
 *
 *   slipway-attach.c  options, the TUN device, moving packets
 *   attach_line.c     opening the line
 *   attach_status.c   telling another process how it goes
 */
#ifndef TOOLS_ATTACH_H
#define TOOLS_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#define MTU_MAX 1500

enum vj_mode { VJ_OFF, VJ_ADAPTIVE, VJ_ON };

struct options {
    const char *line, *tun, *local, *peer;
    unsigned mtu, baud;
    enum vj_mode vj;
    bool configure, reconnect, rtscts, slipmux, verbose;
};

void __attribute__((format(printf, 1, 2), noreturn)) die(const char *fmt, ...);

/* Opens the line; *is_tty says whether `saved` is to be put back. -1 and errno
 * when it cannot be opened now; what can never be opened ends the program. */
int open_line(const struct options *o, bool *is_tty, struct termios *saved);

/* A socket on which status_answer tells who asks; one for each TUN device in
 * this network namespace. -1: without. */
int status_listen(const char *tun);
void status_answer(int listener, const char *text);
/* Ask the slipway-attach of that TUN device; prints its answer. Exit code. */
int status_ask(const char *tun);

#endif
