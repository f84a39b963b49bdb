/* SPDX-License-Identifier: MIT
 *
 * servers/strace/decode.c: one record as a line of text. An argument is shown as
 * its declaration in slipway/syscalls.def suggests: handles signed, addresses in
 * hex, deadlines from now on, the text behind the first pointer if the kernel
 * took it along.
 */
#include "strace.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MS_NS 1000000ull

static const struct {
    const char *name, *arguments;
} calls[SYS_MAX] = {
#define SYSCALL(number, name, arguments, ...) [number] = {#name, arguments},
#include <slipway/syscalls.def>
#undef SYSCALL
};

static const struct {
    int number;
    const char *name;
} errors[] = {
#define E(name) {name, #name}
    E(EPERM), E(ENOENT), E(ESRCH), E(EINTR), E(EIO), E(E2BIG), E(ENOEXEC), E(EBADF), E(ECHILD), E(EAGAIN),
    E(ENOMEM), E(EACCES), E(EFAULT), E(EBUSY), E(EEXIST), E(ENODEV), E(ENOTDIR), E(EISDIR), E(EINVAL),
    E(ENFILE), E(EMFILE), E(ENOTTY), E(EFBIG), E(ENOSPC), E(ESPIPE), E(EROFS), E(EPIPE), E(EDOM), E(ERANGE),
    E(EPROTO), E(ENOSYS), E(ENAMETOOLONG), E(EOPNOTSUPP), E(EPFNOSUPPORT), E(ECONNRESET), E(ENOBUFS),
    E(EAFNOSUPPORT), E(EPROTOTYPE), E(ENOTSOCK), E(ENOPROTOOPT), E(ECONNREFUSED), E(EADDRINUSE),
    E(ECONNABORTED), E(ENETUNREACH), E(ENETDOWN), E(ETIMEDOUT), E(EHOSTDOWN), E(EHOSTUNREACH),
    E(EINPROGRESS), E(EALREADY), E(EDESTADDRREQ), E(EMSGSIZE), E(EPROTONOSUPPORT), E(EADDRNOTAVAIL),
    E(ENETRESET), E(EISCONN), E(ENOTCONN), E(ENOTSUP), E(EOVERFLOW), E(ECANCELED), E(EPEER),
#undef E
};

const char *call_name(uint32_t number, char buf[16])
{
    if (number < SYS_MAX && calls[number].name != NULL)
        return calls[number].name;
    snprintf(buf, 16, "call_%u", (unsigned)number);
    return buf;
}

const char *error_name(int64_t error)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i].number == error)
            return errors[i].name;
    return NULL;
}

struct line {
    char *text;
    size_t at, room;
};

static void add(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct line *l, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    int n = vsnprintf(l->text + l->at, l->room - l->at, format, ap);
    va_end(ap);
    if (n > 0)
        l->at += (size_t)n < l->room - l->at ? (size_t)n : l->room - l->at - 1;
}

static void add_text(struct line *l, const struct trace_record *r)
{
    add(l, "\"");
    for (uint32_t i = 0; i < r->text_bytes && i < TRACE_TEXT_MAX; i++) {
        unsigned char c = (unsigned char)r->text[i];
        if (c == '\n')
            add(l, "\\n");
        else if (c == '"' || c == '\\')
            add(l, "\\%c", c);
        else if (isprint(c))
            add(l, "%c", c);
        else
            add(l, "\\x%02x", c);
    }
    add(l, r->text_bytes >= TRACE_TEXT_MAX ? "\"..." : "\"");
}

static void add_protection(struct line *l, uint64_t prot)
{
    static const char *const names[8] = {"0", "R", "W", "R|W", "X", "R|X", "W|X", "R|W|X"};

    if (prot < 8)
        add(l, "%s", names[prot]);
    else
        add(l, "0x%llx", (unsigned long long)prot);
}

static void add_deadline(struct line *l, uint64_t deadline, uint64_t now)
{
    if (deadline == SYS_NO_DEADLINE)
        add(l, "never");
    else if (deadline == 0)
        add(l, "0");
    else if (deadline <= now)
        add(l, "past");
    else
        add(l, "+%llu.%03llu ms", (unsigned long long)((deadline - now) / MS_NS),
            (unsigned long long)((deadline - now) % MS_NS / 1000));
}

static bool ends_with(const char *text, size_t n, const char *word)
{
    size_t len = strlen(word);
    return n >= len && memcmp(text + n - len, word, len) == 0 &&
           (n == len || !isalnum((unsigned char)text[n - len - 1]));
}

/* Argument i of r, declared as the n bytes at d. */
static void add_argument(struct line *l, const struct trace_record *r, unsigned i, const char *d, size_t n, bool text)
{
    uint64_t v = r->args[i];

    if (text)
        add_text(l, r);
    else if (memchr(d, '*', n) != NULL || ends_with(d, n, "addr") || ends_with(d, n, "fs_base") ||
             ends_with(d, n, "token") || ends_with(d, n, "bits") || ends_with(d, n, "flags"))
        add(l, v == 0 ? "0" : "0x%llx", (unsigned long long)v);
    else if (strncmp(d, "int ", 4) == 0 || strncmp(d, "int32_t ", 8) == 0)
        add(l, "%d", (int)v);
    else if (ends_with(d, n, "deadline"))
        add_deadline(l, v, r->ns);
    else if (ends_with(d, n, "prot"))
        add_protection(l, v);
    else
        add(l, "%llu", (unsigned long long)v);
}

static void add_arguments(struct line *l, const struct trace_record *r)
{
    const char *d = r->number < SYS_MAX && calls[r->number].arguments ? calls[r->number].arguments : "()";
    bool text = (r->flags & TRACE_TEXT) != 0;

    d++; /* the parenthesis */
    for (unsigned i = 0; i < 6 && *d != ')' && *d != 0; i++) {
        size_t n = strcspn(d, ",)");
        bool this_one = text && memchr(d, '*', n) != NULL;
        if (i > 0)
            add(l, ", ");
        add_argument(l, r, i, d, n, this_one);
        text = text && !this_one;
        d += n;
        d += strspn(d, ", ");
    }
}

void record_text(const struct trace_record *r, char *buf, size_t bytes)
{
    struct line l = {buf, 0, bytes};
    const char *error = r->result < 0 ? error_name(-r->result) : NULL;
    char name[16];

    add(&l, "%s(", call_name(r->number, name));
    add_arguments(&l, r);
    add(&l, ")");
    if (r->flags & TRACE_NO_RETURN)
        return;
    if (error != NULL)
        add(&l, " = -%s", error);
    else if (r->result > INT32_MAX)
        add(&l, " = 0x%llx", (unsigned long long)r->result);
    else
        add(&l, " = %lld", (long long)r->result);
    add(&l, " <%llu.%03llu us>", (unsigned long long)(r->duration_ns / 1000),
        (unsigned long long)(r->duration_ns % 1000));
}
