/* SPDX-License-Identifier: MIT
 *
 * kernel/rights.h: questions about struct sys_rights.
 *
 * Owns: nothing; pure code over slipway/rights.h, tested on the host. The
 * answers that need a process (and the log line of a refusal) are in
 * kernel/process.h.
 */
#ifndef KERNEL_RIGHTS_H
#define KERNEL_RIGHTS_H

#include <slipway/rights.h>
#include <stdbool.h>
#include <stdint.h>

/* Name of a link by index, NULL when there is none. */
typedef const char *rights_link_name(uint16_t link);

/* Which line of `ports` covers the whole key (family, protocol, address, link,
 * port range)? Its index, or -1. A line's link is `port_links[i]`; "" covers
 * every link, and a key for LINK_ANY is covered by "" only. A line whose
 * address is zero covers every address. */
int rights_find_port(const struct sys_rights *r, const struct net_port_key *key, rights_link_name *link_name);
static inline bool rights_allow_port(const struct sys_rights *r, const struct net_port_key *key,
                                     rights_link_name *link_name)
{
    return rights_find_port(r, key, link_name) >= 0;
}

/* In `calls` and `serves` this stands for every name. The first process holds it. */
#define RIGHTS_ANY_NAME "*"
bool rights_may_call(const struct sys_rights *r, const char *name);
bool rights_may_serve(const struct sys_rights *r, const char *name);

/* Counts within their arrays, strings terminated, ranges ordered. */
bool rights_valid(const struct sys_rights *r);
/* Does `parent` hold all that `child` shall get? On false *what names the
 * first thing that it does not hold. */
bool rights_subset(const struct sys_rights *child, const struct sys_rights *parent, const char **what);

/* Manifest name of one right bit, "?" when unknown. */
const char *right_name(uint32_t bit);

#endif
