/* SPDX-License-Identifier: MIT
 *
 * libc/inet.c: Internet addresses as text (inet_aton's old forms, RFC 4291
 * section 2.2, RFC 5952 for output). Pure code.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct in6_addr in6addr_any = IN6ADDR_ANY_INIT;
const struct in6_addr in6addr_loopback = IN6ADDR_LOOPBACK_INIT;

/* The macros of the same name serve the common case; these have an address. */
#undef htonl
#undef htons
#undef ntohl
#undef ntohs
uint32_t htonl(uint32_t v)
{
    return __builtin_bswap32(v);
}
uint16_t htons(uint16_t v)
{
    return __builtin_bswap16(v);
}
uint32_t ntohl(uint32_t v)
{
    return __builtin_bswap32(v);
}
uint16_t ntohs(uint16_t v)
{
    return __builtin_bswap16(v);
}

/* One to four parts, each decimal, octal or hexadecimal; the last one fills
 * what is left of the 32 bits. */
int inet_aton(const char *text, struct in_addr *out)
{
    unsigned long part[4];
    int n = 0;

    for (;;) {
        char *end;
        if (*text < '0' || *text > '9')
            return 0;
        part[n] = strtoul(text, &end, 0);
        if (end == text || part[n] > 0xffffffffUL)
            return 0;
        n++;
        text = end;
        if (*text != '.')
            break;
        if (n == 4)
            return 0;
        text++;
    }
    if (*text != 0 && *text != ' ' && *text != '\t' && *text != '\n')
        return 0;
    uint32_t v = 0;
    for (int i = 0; i < n - 1; i++) {
        if (part[i] > 255)
            return 0;
        v |= (uint32_t)part[i] << (24 - 8 * i);
    }
    if (n > 1 && part[n - 1] >> (8 * (5 - n)) != 0)
        return 0;
    out->s_addr = htonl(v | (uint32_t)part[n - 1]);
    return 1;
}

in_addr_t inet_addr(const char *text)
{
    struct in_addr a;
    return inet_aton(text, &a) ? a.s_addr : INADDR_NONE;
}

char *inet_ntoa(struct in_addr a)
{
    static __thread char buf[INET_ADDRSTRLEN];
    return (char *)inet_ntop(AF_INET, &a, buf, sizeof buf);
}

/* Exactly four decimal parts without leading zeros. */
static int pton4(const char *text, uint8_t out[4])
{
    for (int i = 0; i < 4; i++) {
        unsigned v = 0;
        int digits = 0;
        for (; *text >= '0' && *text <= '9'; text++, digits++) {
            v = v * 10 + (unsigned)(*text - '0');
            if (v > 255 || (digits > 0 && v < 10))
                return 0;
        }
        if (digits == 0 || *text != (i < 3 ? '.' : 0))
            return 0;
        out[i] = (uint8_t)v;
        text++;
    }
    return 1;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static int pton6(const char *text, uint8_t out[16])
{
    uint8_t a[16] = {0};
    int n = 0, gap = -1;

    if (text[0] == ':' && *++text != ':')
        return 0;
    while (*text != 0) {
        if (*text == ':') {
            if (gap >= 0)
                return 0;
            gap = n;
            text++;
            continue;
        }
        const char *start = text;
        unsigned v = 0;
        int digits = 0;
        for (; hex_digit(*text) >= 0 && digits < 5; text++, digits++)
            v = v << 4 | (unsigned)hex_digit(*text);
        if (*text == '.') { /* dotted quad at the end */
            if (n > 12 || !pton4(start, a + n))
                return 0;
            n += 4;
            break;
        }
        if (digits == 0 || digits > 4 || n > 14 || (*text != 0 && *text != ':'))
            return 0;
        a[n++] = (uint8_t)(v >> 8);
        a[n++] = (uint8_t)v;
        if (*text == ':' && *++text == 0)
            return 0;
    }
    if (gap < 0 ? n != 16 : n > 14)
        return 0;
    if (gap >= 0) {
        memmove(a + 16 - (n - gap), a + gap, (size_t)(n - gap));
        memset(a + gap, 0, (size_t)(16 - n));
    }
    memcpy(out, a, 16);
    return 1;
}

int inet_pton(int family, const char *text, void *addr)
{
    uint8_t a[16];
    int ok;

    if (family != AF_INET && family != AF_INET6) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    ok = family == AF_INET ? pton4(text, a) : pton6(text, a);
    if (ok)
        memcpy(addr, a, family == AF_INET ? 4 : 16);
    return ok;
}

static void ntop6(const uint8_t *a, char *out, size_t room)
{
    uint16_t w[8];
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    int best = -1, best_len = 1;
    size_t n = 0;

    if (memcmp(a, mapped, sizeof mapped) == 0) { /* RFC 5952, section 5 */
        snprintf(out, room, "::ffff:%u.%u.%u.%u", a[12], a[13], a[14], a[15]);
        return;
    }

    for (int i = 0; i < 8; i++)
        w[i] = (uint16_t)(a[2 * i] << 8 | a[2 * i + 1]);
    for (int i = 0; i < 8;) { /* the longest run of at least two zeros, the first of equals */
        int len = 0;
        while (i + len < 8 && w[i + len] == 0)
            len++;
        if (len > best_len) {
            best = i;
            best_len = len;
        }
        i += len > 0 ? len : 1;
    }
    for (int i = 0; i < 8;) {
        if (i == best) {
            n += (size_t)snprintf(out + n, room - n, "::");
            i += best_len;
        } else {
            n += (size_t)snprintf(out + n, room - n, "%s%x", i > 0 && i != best + best_len ? ":" : "", w[i]);
            i++;
        }
    }
}

const char *inet_ntop(int family, const void *addr, char *buf, socklen_t size)
{
    char text[INET6_ADDRSTRLEN];
    const uint8_t *a = addr;

    if (family == AF_INET) {
        snprintf(text, sizeof text, "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
    } else if (family == AF_INET6) {
        ntop6(a, text, sizeof text);
    } else {
        errno = EAFNOSUPPORT;
        return NULL;
    }
    if (strlen(text) >= size) {
        errno = ENOSPC;
        return NULL;
    }
    return strcpy(buf, text);
}
