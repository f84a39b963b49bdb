/* SPDX-License-Identifier: MIT
 *
 * libc/addrinfo.h: what the two files of name look-up share.
 */
#ifndef LIBC_ADDRINFO_H
#define LIBC_ADDRINFO_H

#include <netdb.h>
#include <slipway/netdproto.h>
#include <stdint.h>

struct addr_list {
    unsigned n;
    uint32_t scope; /* of a link-local address: link index + 1 */
    struct netd_address a[NETD_ADDRS_MAX];
    char canonical[NETD_NAME_MAX];
};

/* The addresses of a name, best first: what it says if it is a number, /etc/hosts, the
 * resolver. flags: AI_*; family: AF_*. 0 or EAI_*. */
int __libc_addresses(const char *node, int flags, int family, struct addr_list *out);
/* The name of an address: /etc/hosts, the resolver. 0 or EAI_*. */
int __libc_address_name(const struct netd_address *a, char name[NETD_NAME_MAX]);

/* netdb.c */
int __libc_service_port(const char *service, const char *proto, int flags, uint16_t *port);
const char *__libc_service_name(uint16_t port, const char *proto); /* NULL: none */

#endif
