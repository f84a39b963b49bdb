/* SPDX-License-Identifier: MIT
 *
 * libc/hosts.h: names in a text of lines "ADDRESS NAME [NAME ...]", `#` beginning a
 * comment. Pure code. Context: any.
 */
#ifndef LIBC_HOSTS_H
#define LIBC_HOSTS_H

#include <slipway/netdproto.h>
#include <stdbool.h>
#include <stddef.h>

/* The addresses of a name, at most max of them; `canonical` gets the first name of the
 * first line that has it. Returns how many. */
unsigned hosts_find(const char *text, size_t len, const char *name, struct netd_address *out, unsigned max,
                    char canonical[NETD_NAME_MAX]);
/* The first name of the address. */
bool hosts_name(const char *text, size_t len, const struct netd_address *a, char name[NETD_NAME_MAX]);
/* ADDR/NAME[,ADDR/NAME] of the boot option net.hosts, in place, into such a text. */
void hosts_from_option(char *value);

#endif
