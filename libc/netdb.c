/* SPDX-License-Identifier: MIT
 *
 * libc/netdb.c: the small table of services, and the older calls for names and
 * addresses. Those work through libc/addrinfo.c.
 *
 * Context: any thread; the results of the older calls are per thread.
 */
#include "addrinfo.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int *__h_errno_location(void)
{
    static __thread int value;
    return &value;
}

static const struct {
    const char *name, *proto;
    uint16_t port;
} services[] = {
    {"echo", "tcp", 7},     {"echo", "udp", 7},     {"discard", "tcp", 9}, {"discard", "udp", 9},
    {"chargen", "tcp", 19}, {"chargen", "udp", 19}, {"ftp", "tcp", 21},    {"ssh", "tcp", 22},
    {"telnet", "tcp", 23},  {"domain", "udp", 53},  {"domain", "tcp", 53}, {"bootps", "udp", 67},
    {"bootpc", "udp", 68},  {"tftp", "udp", 69},    {"http", "tcp", 80},   {"ntp", "udp", 123},
    {"https", "tcp", 443},  {"syslog", "udp", 514},
};
#define SERVICES (sizeof services / sizeof services[0])

int __libc_service_port(const char *service, const char *proto, int flags, uint16_t *port)
{
    char *end;
    unsigned long v = strtoul(service, &end, 10);

    if (end != service && *end == 0) {
        *port = (uint16_t)v;
        return v <= 65535 ? 0 : EAI_SERVICE;
    }
    if (flags & AI_NUMERICSERV)
        return EAI_NONAME;
    for (size_t i = 0; i < SERVICES; i++) {
        if (strcasecmp(services[i].name, service) == 0 &&
            (proto == NULL || strcmp(services[i].proto, proto) == 0)) {
            *port = services[i].port;
            return 0;
        }
    }
    return EAI_SERVICE;
}

const char *__libc_service_name(uint16_t port, const char *proto)
{
    for (size_t i = 0; i < SERVICES; i++)
        if (services[i].port == port && strcmp(services[i].proto, proto) == 0)
            return services[i].name;
    return NULL;
}

/* --- the older calls --- */

static struct hostent *host_entry(const struct addr_list *found, const char *name, int family)
{
    static __thread struct net_addr addr[NETD_ADDRS_MAX];
    static __thread char *list[NETD_ADDRS_MAX + 1], *none[1], copy[NETD_NAME_MAX];
    static __thread struct hostent h;
    unsigned n = 0;

    for (unsigned i = 0; i < found->n; i++) {
        if (found->a[i].family != (family == AF_INET ? NET_INET : NET_INET6))
            continue;
        addr[n] = found->a[i].addr;
        list[n] = (char *)&addr[n];
        n++;
    }
    list[n] = NULL;
    snprintf(copy, sizeof copy, "%s", name);
    h = (struct hostent){copy, none, family, family == AF_INET ? 4 : 16, list};
    return &h;
}

static int host_error(int eai)
{
    return eai == EAI_NONAME ? HOST_NOT_FOUND : eai == EAI_AGAIN ? TRY_AGAIN : NO_RECOVERY;
}

struct hostent *gethostbyname2(const char *name, int family)
{
    struct addr_list found;
    int r = family != AF_INET && family != AF_INET6 ? EAI_FAMILY : __libc_addresses(name, 0, family, &found);

    if (r != 0) {
        h_errno = host_error(r);
        return NULL;
    }
    return host_entry(&found, found.canonical, family);
}

struct hostent *gethostbyname(const char *name)
{
    return gethostbyname2(name, AF_INET);
}

struct hostent *gethostbyaddr(const void *addr, socklen_t len, int family)
{
    struct addr_list one = {.n = 1, .a = {{.family = family == AF_INET ? NET_INET : NET_INET6}}};
    char name[NETD_NAME_MAX];

    if ((family != AF_INET || len != 4) && (family != AF_INET6 || len != 16)) {
        h_errno = NO_RECOVERY;
        return NULL;
    }
    memcpy(&one.a[0].addr, addr, len);
    int r = __libc_address_name(&one.a[0], name);
    if (r != 0) {
        h_errno = host_error(r);
        return NULL;
    }
    return host_entry(&one, name, family);
}

static struct servent *service_entry(size_t i)
{
    static __thread char *none[1];
    static __thread struct servent s;
    s = (struct servent){(char *)services[i].name, none, htons(services[i].port), (char *)services[i].proto};
    return &s;
}

struct servent *getservbyname(const char *name, const char *proto)
{
    for (size_t i = 0; i < SERVICES; i++)
        if (strcmp(services[i].name, name) == 0 && (proto == NULL || strcmp(services[i].proto, proto) == 0))
            return service_entry(i);
    return NULL;
}

struct servent *getservbyport(int port, const char *proto)
{
    for (size_t i = 0; i < SERVICES; i++)
        if (htons(services[i].port) == port && (proto == NULL || strcmp(services[i].proto, proto) == 0))
            return service_entry(i);
    return NULL;
}
