/* SPDX-License-Identifier: MIT
 *
 * libc/hosts.c: see libc/hosts.h.
 */
#include "hosts.h"
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* Copies the next word of [*p, end) into word, cut to its room; false at the end. */
static bool next_word(const char **p, const char *end, char *word, size_t room)
{
    size_t n = 0;

    while (*p < end && blank(**p))
        (*p)++;
    for (; *p < end && !blank(**p); (*p)++)
        if (n + 1 < room)
            word[n++] = **p;
    word[n] = 0;
    return n > 0;
}

/* The next line of [*text, end), without its comment; false after the last. */
static bool next_line(const char **text, const char *end, const char **from, const char **to)
{
    if (*text >= end)
        return false;
    const char *nl = memchr(*text, '\n', (size_t)(end - *text));
    *from = *text;
    *to = nl != NULL ? nl : end;
    *text = *to + 1;
    const char *hash = memchr(*from, '#', (size_t)(*to - *from));
    if (hash != NULL)
        *to = hash;
    return true;
}

static bool read_address(const char *word, struct netd_address *a)
{
    memset(a, 0, sizeof *a);
    a->family = NET_INET;
    if (inet_pton(AF_INET, word, a->addr.b) == 1)
        return true;
    a->family = NET_INET6;
    return inet_pton(AF_INET6, word, a->addr.b) == 1;
}

unsigned hosts_find(const char *text, size_t len, const char *name, struct netd_address *out, unsigned max,
                    char canonical[NETD_NAME_MAX])
{
    const char *end = text + len, *at, *to;
    char word[NETD_NAME_MAX], first[NETD_NAME_MAX];
    unsigned n = 0;

    while (n < max && next_line(&text, end, &at, &to)) {
        bool begun = false;
        if (!next_word(&at, to, word, sizeof word) || !read_address(word, &out[n]))
            continue;
        while (next_word(&at, to, word, sizeof word)) {
            if (!begun)
                strcpy(first, word);
            begun = true;
            if (strcasecmp(word, name) != 0)
                continue;
            if (n++ == 0)
                strcpy(canonical, first);
            break;
        }
    }
    return n;
}

bool hosts_name(const char *text, size_t len, const struct netd_address *a, char name[NETD_NAME_MAX])
{
    const char *end = text + len, *at, *to;
    struct netd_address b;

    while (next_line(&text, end, &at, &to)) {
        char word[NETD_NAME_MAX];
        if (next_word(&at, to, word, sizeof word) && read_address(word, &b) && b.family == a->family &&
            memcmp(&b.addr, &a->addr, sizeof b.addr) == 0 && next_word(&at, to, name, NETD_NAME_MAX))
            return true;
    }
    return false;
}

void hosts_from_option(char *value)
{
    for (; *value != 0; value++)
        *value = *value == '/' ? ' ' : *value == ',' ? '\n' : *value;
}
