/* SPDX-License-Identifier: MIT
 *
 * kernel/printf.c: ksnprintf, the formatter behind klog and panic.
 *
 * Owns: nothing; pure. Context: any. Knows %d i u x X p c s % with the flags
 * '-' '0' '#', width and precision (also as *), and the lengths hh h l ll z j t.
 */
#include <kernel/log.h>
#include <kernel/string.h>
#include <stdbool.h>

struct out {
    char *buf;
    size_t room, len; /* len: what would have been written */
};

struct spec {
    bool left, zero, upper, alternate;
    int width, precision; /* precision -1: none */
    int longs;            /* 2: 64-bit, 0: int, -1: short, -2: char */
};

static void put(struct out *o, char c)
{
    if (o->len + 1 < o->room)
        o->buf[o->len] = c;
    o->len++;
}

static void put_field(struct out *o, const struct spec *s, const char *text, size_t n, char sign)
{
    int pad = s->width - (int)n - (sign != 0);

    if (!s->left && !s->zero)
        for (; pad > 0; pad--)
            put(o, ' ');
    if (sign != 0)
        put(o, sign);
    if (!s->left && s->zero)
        for (; pad > 0; pad--)
            put(o, '0');
    for (size_t i = 0; i < n; i++)
        put(o, text[i]);
    for (; pad > 0; pad--)
        put(o, ' ');
}

static void put_number(struct out *o, struct spec *s, uint64_t v, unsigned base, char sign)
{
    const char *digits = s->upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[32];
    size_t at = sizeof text;

    if (base == 16)
        do {
            text[--at] = digits[v & 15];
        } while ((v >>= 4) != 0);
    else
        do {
            text[--at] = digits[v % 10];
        } while ((v /= 10) != 0);
    while (s->precision > (int)(sizeof text - at) && at > 0)
        text[--at] = '0';
    if (s->precision >= 0)
        s->zero = false;
    if (s->alternate && base == 16 && !s->zero && at >= 2) {
        text[--at] = 'x';
        text[--at] = '0';
    }
    put_field(o, s, text + at, sizeof text - at, sign);
}

static uint64_t next_unsigned(const struct spec *s, va_list *ap)
{
    if (s->longs == 2)
        return va_arg(*ap, uint64_t);
    unsigned v = va_arg(*ap, unsigned);
    return s->longs == -2 ? (uint8_t)v : s->longs == -1 ? (uint16_t)v : v;
}

static int64_t next_signed(const struct spec *s, va_list *ap)
{
    if (s->longs == 2)
        return va_arg(*ap, int64_t);
    int v = va_arg(*ap, int);
    return s->longs == -2 ? (int8_t)v : s->longs == -1 ? (int16_t)v : v;
}

static const char *parse_number(const char *f, int *v, va_list *ap)
{
    if (*f == '*') {
        *v = va_arg(*ap, int);
        return f + 1;
    }
    for (*v = 0; *f >= '0' && *f <= '9' && *v < 10000; f++)
        *v = *v * 10 + (*f - '0');
    return f;
}

static const char *parse_spec(const char *f, struct spec *s, va_list *ap)
{
    *s = (struct spec){.precision = -1};
    for (;; f++) {
        if (*f == '-')
            s->left = true;
        else if (*f == '0')
            s->zero = true;
        else if (*f == '#')
            s->alternate = true;
        else
            break;
    }
    f = parse_number(f, &s->width, ap);
    if (s->width < 0) {
        s->left = true;
        s->width = -s->width;
    }
    if (*f == '.')
        f = parse_number(f + 1, &s->precision, ap);
    for (;; f++) {
        if (*f == 'h')
            s->longs--;
        else if (*f == 'l' || *f == 'z' || *f == 'j' || *f == 't')
            s->longs = 2;
        else
            return f;
    }
}

static void convert(struct out *o, char kind, struct spec *s, va_list *ap)
{
    switch (kind) {
    case 'd':
    case 'i': {
        int64_t v = next_signed(s, ap);
        put_number(o, s, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10, v < 0 ? '-' : 0);
        break;
    }
    case 'u':
        put_number(o, s, next_unsigned(s, ap), 10, 0);
        break;
    case 'X':
        s->upper = true; /* fall through */
    case 'x':
        put_number(o, s, next_unsigned(s, ap), 16, 0);
        break;
    case 'p':
        s->precision = 16;
        put_number(o, s, (uint64_t)va_arg(*ap, void *), 16, 0);
        break;
    case 'c': {
        char c = (char)va_arg(*ap, int);
        put_field(o, s, &c, 1, 0);
        break;
    }
    case 's': {
        const char *t = va_arg(*ap, const char *);
        t = t ? t : "(null)";
        put_field(o, s, t, s->precision < 0 ? strlen(t) : strnlen(t, (size_t)s->precision), 0);
        break;
    }
    default:
        put(o, kind);
        break;
    }
}

int kvsnprintf(char *buf, size_t n, const char *fmt, va_list ap)
{
    struct out o = {buf, n, 0};
    va_list args;

    va_copy(args, ap);
    while (*fmt != 0) {
        struct spec s;
        if (*fmt != '%') {
            put(&o, *fmt++);
            continue;
        }
        fmt = parse_spec(fmt + 1, &s, &args);
        if (*fmt == 0)
            break;
        convert(&o, *fmt++, &s, &args);
    }
    va_end(args);
    if (n > 0)
        buf[o.len < n ? o.len : n - 1] = 0;
    return (int)o.len;
}

int ksnprintf(char *buf, size_t n, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int r = kvsnprintf(buf, n, fmt, ap);
    va_end(ap);
    return r;
}
