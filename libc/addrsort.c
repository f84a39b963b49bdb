/* SPDX-License-Identifier: MIT
 *
 * libc/addrsort.c: see libc/addrsort.h. Sections are RFC 6724's.
 */
#include "addrsort.h"
#include <string.h>

/* Section 2.1, the default policy table. */
static const struct policy {
    uint8_t prefix[16], bits, precedence, label;
} policies[] = {
    {{[15] = 1}, 128, 50, 0},                /* ::1 */
    {{[10] = 0xff, [11] = 0xff}, 96, 35, 4}, /* IPv4 */
    {{0x20, 0x02}, 16, 30, 2},               /* 6to4 */
    {{0x20, 0x01, 0, 0}, 32, 5, 5},          /* Teredo */
    {{0xfc}, 7, 3, 13},                      /* unique local */
    {{0}, 96, 1, 3},                         /* IPv4-compatible */
    {{0xfe, 0xc0}, 10, 1, 11},               /* site-local */
    {{0x3f, 0xfe}, 16, 1, 12},               /* 6bone */
    {{0}, 0, 40, 1},                         /* everything else */
};

static bool under(const uint8_t *a, const uint8_t *prefix, unsigned bits)
{
    unsigned whole = bits / 8;

    return memcmp(a, prefix, whole) == 0 &&
           (bits % 8 == 0 || ((a[whole] ^ prefix[whole]) >> (8 - bits % 8)) == 0);
}

static const struct policy *policy_of(const uint8_t a[16])
{
    const struct policy *p = policies;

    while (!under(a, p->prefix, p->bits))
        p++; /* the last one fits everything */
    return p;
}

/* As section 2.3 wants it, IPv4 inside IPv6. */
static void mapped(uint8_t family, const struct net_addr *a, uint8_t out[16])
{
    if (family == NET_INET6) {
        memcpy(out, a->b, 16);
        return;
    }
    memset(out, 0, 16);
    out[10] = out[11] = 0xff;
    memcpy(out + 12, a->b, 4);
}

/* Sections 3.1 and 3.2: 2 link-local, 5 site-local, 14 global. */
static unsigned scope_of(const uint8_t a[16])
{
    if (a[0] == 0xff)
        return a[1] & 15;
    if (under(a, policies[1].prefix, 96))
        return a[12] == 127 || (a[12] == 169 && a[13] == 254) ? 2 : 14;
    if (a[0] == 0xfe && (a[1] & 0xc0) == 0x80)
        return 2;
    return under(a, policies[0].prefix, 128) ? 2 : a[0] == 0xfe && (a[1] & 0xc0) == 0xc0 ? 5 : 14;
}

static unsigned common_bits(const uint8_t *a, const uint8_t *b)
{
    unsigned n = 0;

    while (n < 64 && ((a[n / 8] ^ b[n / 8]) >> (7 - n % 8) & 1) == 0) /* section 2.2: the prefix's part */
        n++;
    return n;
}

/* Is a better than b? */
static bool better(const struct sort_entry *a, const struct sort_entry *b)
{
    uint8_t da[16], db[16], sa[16], sb[16];

    if (a->reachable != b->reachable)
        return a->reachable; /* rule 1 */
    mapped(a->to.family, &a->to.addr, da);
    mapped(b->to.family, &b->to.addr, db);
    mapped(a->to.family, &a->source, sa);
    mapped(b->to.family, &b->source, sb);
    const struct policy *pa = policy_of(da), *pb = policy_of(db);
    bool fits_a = scope_of(da) == scope_of(sa), fits_b = scope_of(db) == scope_of(sb);
    if (a->reachable && fits_a != fits_b)
        return fits_a; /* rule 2 */
    fits_a = pa->label == policy_of(sa)->label;
    fits_b = pb->label == policy_of(sb)->label;
    if (a->reachable && fits_a != fits_b)
        return fits_a; /* rule 5 */
    if (pa->precedence != pb->precedence)
        return pa->precedence > pb->precedence; /* rule 6 */
    if (scope_of(da) != scope_of(db))
        return scope_of(da) < scope_of(db); /* rule 8 */
    return a->reachable && a->to.family == NET_INET6 && b->to.family == NET_INET6 &&
           common_bits(sa, da) > common_bits(sb, db); /* rule 9 */
}

void addr_sort(struct sort_entry *list, unsigned n)
{
    for (unsigned i = 1; i < n; i++) { /* a few dozen at most */
        struct sort_entry e = list[i];
        unsigned at = i;
        for (; at > 0 && better(&e, &list[at - 1]); at--)
            list[at] = list[at - 1];
        list[at] = e;
    }
}
