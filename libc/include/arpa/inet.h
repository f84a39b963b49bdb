/* SPDX-License-Identifier: MIT
 *
 * arpa/inet.h: addresses as text (POSIX.1-2017).
 */
#ifndef SLIPWAY_ARPA_INET_H
#define SLIPWAY_ARPA_INET_H

#include <netinet/in.h>

#ifdef __cplusplus
extern "C" {
#endif

in_addr_t inet_addr(const char *text);
int inet_aton(const char *text, struct in_addr *out);
char *inet_ntoa(struct in_addr a);
const char *inet_ntop(int family, const void *addr, char *buf, socklen_t size);
int inet_pton(int family, const char *text, void *addr);

#ifdef __cplusplus
}
#endif

#endif
