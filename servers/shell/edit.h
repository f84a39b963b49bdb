/* SPDX-License-Identifier: MIT
 *
 * servers/shell/edit.h: one line of input on a terminal, with history.
 *
 * Owns: the line being edited, the last lines entered. Pure code: bytes go in,
 * what the terminal shall show goes out through a function, so it is tested on
 * the host.
 *
 * Keys: left right up down home end, backspace, delete, Ctrl-A -E -B -F -P -N
 * -D -K -U -W -L -C.
 */
#ifndef SHELL_EDIT_H
#define SHELL_EDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDIT_LINE    256
#define EDIT_HISTORY 16

struct editor {
    const char *prompt;
    void (*out)(void *ctx, const char *text, size_t n);
    void *ctx;
    char line[EDIT_LINE];
    size_t len, at; /* length, cursor */
    char history[EDIT_HISTORY][EDIT_LINE];
    unsigned nhistory, browse; /* lines kept; how far back, 0: not browsing */
    char draft[EDIT_LINE];     /* what was typed before browsing */
    uint8_t escape;            /* state within an escape sequence */
    uint8_t parameter;
    bool skip_lf; /* the LF of a CR LF */
};

enum edit_result { EDIT_MORE = 0, EDIT_LINE_DONE = 1, EDIT_INTERRUPT = 2 };

void edit_init(struct editor *e, const char *prompt, void (*out)(void *ctx, const char *text, size_t n),
               void *ctx);
void edit_begin(struct editor *e);  /* a new, empty line: shows the prompt */
void edit_redraw(struct editor *e); /* something else was written: prompt and line again */
/* Feed one byte. EDIT_LINE_DONE: e->line holds the line, NUL-terminated. */
enum edit_result edit_byte(struct editor *e, uint8_t byte);

#endif
