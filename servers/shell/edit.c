/* SPDX-License-Identifier: MIT
 *
 * servers/shell/edit.c: line editing. Cursor control is ECMA-48 as every
 * terminal knows it: CSI K, CSI n D.
 */
#include "edit.h"
#include <stdio.h>
#include <string.h>

#define CTRL(c) ((c)&0x1f)

enum { ESC_NONE = 0, ESC_GOT, ESC_CSI, ESC_SS3 };

static void put(struct editor *e, const char *text)
{
    e->out(e->ctx, text, strlen(text));
}

/* Terminal's cursor n columns to the left. */
static void back(struct editor *e, size_t n)
{
    char seq[16];
    if (n == 0)
        return;
    snprintf(seq, sizeof seq, "\033[%uD", (unsigned)n);
    put(e, seq);
}

void edit_init(struct editor *e, const char *prompt, void (*out)(void *ctx, const char *text, size_t n),
               void *ctx)
{
    memset(e, 0, sizeof *e);
    e->prompt = prompt;
    e->out = out;
    e->ctx = ctx;
}

void edit_begin(struct editor *e)
{
    e->len = e->at = 0;
    e->line[0] = 0;
    e->browse = 0;
    put(e, e->prompt);
}

void edit_redraw(struct editor *e)
{
    put(e, "\r");
    put(e, e->prompt);
    e->out(e->ctx, e->line, e->len);
    put(e, "\033[K");
    back(e, e->len - e->at);
}

/* Shows the line from the cursor on, after a change there. */
static void tail(struct editor *e)
{
    e->out(e->ctx, e->line + e->at, e->len - e->at);
    put(e, "\033[K");
    back(e, e->len - e->at);
}

static void insert(struct editor *e, char c)
{
    if (e->len + 1 >= EDIT_LINE) {
        put(e, "\a");
        return;
    }
    memmove(e->line + e->at + 1, e->line + e->at, e->len - e->at);
    e->line[e->at++] = c;
    e->len++;
    if (e->at == e->len) {
        e->out(e->ctx, &c, 1);
    } else {
        e->out(e->ctx, &c, 1);
        tail(e);
    }
}

/* Removes [from, to) and leaves the cursor at from. */
static void cut(struct editor *e, size_t from, size_t to)
{
    if (e->at > from)
        back(e, e->at - from);
    memmove(e->line + from, e->line + to, e->len - to);
    e->len -= to - from;
    e->at = from;
    tail(e);
}

static void set_line(struct editor *e, const char *text)
{
    e->len = e->at = strlen(text);
    memmove(e->line, text, e->len);
    edit_redraw(e);
}

/* History line n steps back, 1 is the newest. */
static char *past(struct editor *e, unsigned n)
{
    return e->history[(e->nhistory - n) % EDIT_HISTORY];
}

static void browse(struct editor *e, int step)
{
    unsigned have = e->nhistory < EDIT_HISTORY ? e->nhistory : EDIT_HISTORY;
    unsigned to = e->browse + (unsigned)step;

    if (to > have) /* also when step goes below zero */
        return;
    if (e->browse == 0) {
        memcpy(e->draft, e->line, e->len);
        e->draft[e->len] = 0;
    }
    e->browse = to;
    set_line(e, to == 0 ? e->draft : past(e, to));
}

static void remember(struct editor *e)
{
    if (e->len == 0 || (e->nhistory > 0 && strcmp(past(e, 1), e->line) == 0))
        return;
    memcpy(e->history[e->nhistory % EDIT_HISTORY], e->line, e->len + 1);
    e->nhistory++;
}

static void move(struct editor *e, size_t to)
{
    if (to > e->len)
        return;
    if (to < e->at)
        back(e, e->at - to);
    else
        e->out(e->ctx, e->line + e->at, to - e->at);
    e->at = to;
}

static size_t word_start(const struct editor *e)
{
    size_t i = e->at;
    while (i > 0 && e->line[i - 1] == ' ')
        i--;
    while (i > 0 && e->line[i - 1] != ' ')
        i--;
    return i;
}

static void key(struct editor *e, uint8_t c)
{
    switch (c) {
    case 'A':
    case CTRL('P'):
        browse(e, 1);
        break;
    case 'B':
    case CTRL('N'):
        browse(e, -1);
        break;
    case 'C':
    case CTRL('F'):
        move(e, e->at + 1);
        break;
    case 'D':
    case CTRL('B'):
        if (e->at > 0)
            move(e, e->at - 1);
        break;
    case 'H':
    case CTRL('A'):
        move(e, 0);
        break;
    case 'F':
    case CTRL('E'):
        move(e, e->len);
        break;
    case '~':
        if (e->at < e->len)
            cut(e, e->at, e->at + 1);
        break;
    }
}

/* CSI and SS3 sequences. True while the byte belongs to one. */
static bool escape(struct editor *e, uint8_t c)
{
    switch (e->escape) {
    case ESC_GOT:
        e->escape = c == '[' ? ESC_CSI : c == 'O' ? ESC_SS3 : ESC_NONE;
        e->parameter = 0;
        return true;
    case ESC_CSI:
        if (c >= '0' && c <= '9') {
            e->parameter = (uint8_t)(e->parameter * 10 + (c - '0'));
            return true;
        }
        if (c == ';')
            return true;
        e->escape = ESC_NONE;
        if (c != '~')
            key(e, c);
        else if (e->parameter == 1 || e->parameter == 7)
            key(e, 'H');
        else if (e->parameter == 4 || e->parameter == 8)
            key(e, 'F');
        else if (e->parameter == 3)
            key(e, '~');
        return true;
    case ESC_SS3:
        e->escape = ESC_NONE;
        key(e, c);
        return true;
    }
    return false;
}

static enum edit_result finish(struct editor *e)
{
    e->line[e->len] = 0;
    put(e, "\n");
    remember(e);
    return EDIT_LINE_DONE;
}

enum edit_result edit_byte(struct editor *e, uint8_t c)
{
    bool lf_of_crlf = e->skip_lf && c == '\n';

    e->skip_lf = c == '\r';
    if (lf_of_crlf || escape(e, c))
        return EDIT_MORE;
    switch (c) {
    case '\r':
    case '\n':
        return finish(e);
    case 0x1b:
        e->escape = ESC_GOT;
        break;
    case 0x08:
    case 0x7f:
        if (e->at > 0)
            cut(e, e->at - 1, e->at);
        break;
    case CTRL('C'):
        put(e, "^C\n");
        return EDIT_INTERRUPT;
    case CTRL('U'):
        cut(e, 0, e->at);
        break;
    case CTRL('K'):
        cut(e, e->at, e->len);
        break;
    case CTRL('W'):
        cut(e, word_start(e), e->at);
        break;
    case CTRL('D'):
        key(e, '~');
        break;
    case CTRL('L'):
        put(e, "\033[H\033[J");
        edit_redraw(e);
        break;
    case CTRL('A'):
    case CTRL('B'):
    case CTRL('E'):
    case CTRL('F'):
    case CTRL('N'):
    case CTRL('P'):
        key(e, c);
        break;
    default:
        if (c >= ' ')
            insert(e, (char)c);
    }
    return EDIT_MORE;
}
