/* SPDX-License-Identifier: MIT
 *
 * kernel/rights.c: what struct sys_rights allows.
 *
 * Pure code over the ABI's structures; the host tests build it as it is.
 * Called by: spawn, names, the net core's calls. Context: any.
 */
#include <kernel/rights.h>
#include <stddef.h>

static bool text_equal(const char *a, const char *b, size_t max)
{
    for (size_t i = 0; i < max; i++) {
        if (a[i] != b[i])
            return false;
        if (a[i] == 0)
            return true;
    }
    return true;
}

static bool text_ended(const char *s, size_t max)
{
    for (size_t i = 0; i < max; i++)
        if (s[i] == 0)
            return true;
    return false;
}

static bool addr_any(const struct net_addr *a)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < sizeof a->b; i++)
        sum |= a->b[i];
    return sum == 0;
}

static bool addr_equal(const struct net_addr *a, const struct net_addr *b)
{
    for (size_t i = 0; i < sizeof a->b; i++)
        if (a->b[i] != b->b[i])
            return false;
    return true;
}

/* A line without a family is for both; ICMP's number is another in each. */
static bool proto_covers(const struct net_port_key *line, const struct net_port_key *key)
{
    if (line->family != 0)
        return line->family == key->family && line->proto == key->proto;
    return line->proto == key->proto || (line->proto == NET_ICMP && key->proto == NET_ICMP6);
}

static bool range_covers(const struct net_port_key *line, const struct net_port_key *key)
{
    return proto_covers(line, key) && key->port_lo >= line->port_lo && key->port_hi <= line->port_hi &&
           key->port_lo <= key->port_hi && (addr_any(&line->addr) || addr_equal(&line->addr, &key->addr));
}

int rights_find_port(const struct sys_rights *r, const struct net_port_key *key, rights_link_name *link_name)
{
    for (uint32_t i = 0; i < r->nports && i < RIGHTS_PORTS_MAX; i++) {
        if (!range_covers(&r->ports[i], key))
            continue;
        if (r->port_links[i][0] != 0) {
            const char *name = key->link != LINK_ANY ? link_name(key->link) : NULL;
            if (name == NULL || !text_equal(r->port_links[i], name, LINK_NAME_MAX))
                continue;
        }
        return (int)i;
    }
    return -1;
}

bool rights_may_call(const struct sys_rights *r, const char *name)
{
    for (uint32_t i = 0; i < r->ncalls && i < RIGHTS_CALLS_MAX; i++)
        if (text_equal(r->calls[i], RIGHTS_ANY_NAME, NAME_MAX_BYTES) ||
            text_equal(r->calls[i], name, NAME_MAX_BYTES))
            return true;
    return false;
}

bool rights_may_serve(const struct sys_rights *r, const char *name)
{
    return text_equal(r->serves, RIGHTS_ANY_NAME, NAME_MAX_BYTES) ||
           text_equal(r->serves, name, NAME_MAX_BYTES);
}

bool rights_valid(const struct sys_rights *r)
{
    if (r->nports > RIGHTS_PORTS_MAX || r->ncalls > RIGHTS_CALLS_MAX ||
        !text_ended(r->serves, NAME_MAX_BYTES))
        return false;
    for (uint32_t i = 0; i < r->nports; i++)
        if (r->ports[i].port_lo > r->ports[i].port_hi || !text_ended(r->port_links[i], LINK_NAME_MAX))
            return false;
    for (uint32_t i = 0; i < r->ncalls; i++)
        if (!text_ended(r->calls[i], NAME_MAX_BYTES))
            return false;
    if (r->nallow > RIGHTS_ALLOW_MAX)
        return false;
    for (uint32_t i = 0; i < r->nallow; i++)
        if (!(r->allow[i].family == NET_INET && r->allow[i].length <= 32) &&
            !(r->allow[i].family == NET_INET6 && r->allow[i].length <= 128))
            return false;
    return true;
}

static bool port_line_held(const struct sys_rights *parent, const struct net_port_key *key, const char *link)
{
    for (uint32_t i = 0; i < parent->nports && i < RIGHTS_PORTS_MAX; i++)
        if (range_covers(&parent->ports[i], key) &&
            (parent->port_links[i][0] == 0 || text_equal(parent->port_links[i], link, LINK_NAME_MAX)))
            return true;
    return false;
}

static bool prefix_covers(const struct net_prefix *wide, const struct net_prefix *narrow)
{
    if (wide->family != narrow->family || wide->length > narrow->length)
        return false;
    for (unsigned i = 0; i < wide->length; i++)
        if (((wide->addr.b[i / 8] ^ narrow->addr.b[i / 8]) >> (7 - i % 8) & 1) != 0)
            return false;
    return true;
}

/* Who may talk to the child, may talk to the parent. */
static bool allow_held(const struct sys_rights *child, const struct sys_rights *parent)
{
    if (parent->nallow == 0)
        return true;
    for (uint32_t i = 0; i < child->nallow; i++) {
        uint32_t k = 0;

        while (k < parent->nallow && k < RIGHTS_ALLOW_MAX &&
               !prefix_covers(&parent->allow[k], &child->allow[i]))
            k++;
        if (k == parent->nallow || k == RIGHTS_ALLOW_MAX)
            return false;
    }
    return child->nallow != 0;
}

bool rights_subset(const struct sys_rights *child, const struct sys_rights *parent, const char **what)
{
    uint32_t more = child->bits & ~parent->bits; /* C-RIGHT-1 */

    if (more != 0) {
        *what = right_name(more & (~more + 1));
        return false;
    }
    for (uint32_t i = 0; i < child->nports; i++)
        if (!port_line_held(parent, &child->ports[i], child->port_links[i])) {
            *what = "port";
            return false;
        }
    for (uint32_t i = 0; i < child->ncalls; i++)
        if (!rights_may_call(parent, child->calls[i])) {
            *what = "calls";
            return false;
        }
    if (!allow_held(child, parent)) {
        *what = "allow";
        return false;
    }
    if (child->serves[0] != 0 && !rights_may_serve(parent, child->serves)) {
        *what = "serves";
        return false;
    }
    return true;
}

const char *right_name(uint32_t bit)
{
    switch (bit) {
#define X(number, id, name, text)                                                                            \
    case 1u << (number):                                                                                     \
        return name;
        RIGHT_LIST(X)
#undef X
    default:
        return "?";
    }
}
