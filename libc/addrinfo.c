/* SPDX-License-Identifier: MIT
 *
 * libc/addrinfo.c: names to addresses and back (RFC 3493 section 6).
 *
 * Sources, in this order: numbers; the boot option net.hosts; /etc/hosts of the initrd;
 * netd's resolver, which has a time limit of its own. A program that may not call netd has
 * the first three alone. Context: any thread.
 */
#include "addrinfo.h"
#include "addrsort.h"
#include "hosts.h"
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <slipway/sys.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- sources --- */

static bool number(const char *node, struct addr_list *out)
{
    char text[INET6_ADDRSTRLEN];
    const char *percent = strchr(node, '%');
    size_t n = percent != NULL ? (size_t)(percent - node) : strlen(node);
    struct in_addr a4;

    memset(&out->a[0], 0, sizeof out->a[0]);
    if (percent == NULL && inet_aton(node, &a4)) {
        out->a[0].family = NET_INET;
        memcpy(out->a[0].addr.b, &a4, 4);
    } else {
        if (n >= sizeof text)
            return false;
        memcpy(text, node, n);
        text[n] = 0;
        if (inet_pton(AF_INET6, text, out->a[0].addr.b) != 1)
            return false;
        out->a[0].family = NET_INET6;
        if (percent != NULL) { /* RFC 4007 section 11: a link's name or number */
            char *end = NULL;
            out->scope = if_nametoindex(percent + 1);
            if (out->scope == 0)
                out->scope = (uint32_t)strtoul(percent + 1, &end, 10);
            if (out->scope == 0 || (end != NULL && *end != 0))
                return false;
        }
    }
    out->n = 1;
    return true;
}

/* The texts that programs have without asking: which = 0, 1. NULL: there is none. */
static const char *hosts_text(unsigned which, char option[1024], size_t *len)
{
    if (which == 1)
        return initrd_map_file("/etc/hosts", len);
    if (!sys_boot_option("net.hosts", option, 1024))
        return NULL;
    hosts_from_option(option);
    *len = strlen(option);
    return option;
}

/* RFC 6761 section 6.3: whatever the files and the servers say. */
static bool is_localhost(const char *name)
{
    size_t n = strlen(name);

    if (n > 0 && name[n - 1] == '.')
        n--;
    return n >= 9 && strncasecmp(name + n - 9, "localhost", 9) == 0 && (n == 9 || name[n - 10] == '.');
}

static void add(struct addr_list *out, uint8_t family, const void *addr)
{
    struct netd_address *a = &out->a[out->n++];

    memset(a, 0, sizeof *a);
    a->family = family;
    memcpy(a->addr.b, addr, family == NET_INET ? 4 : 16);
}

static bool hosts(const char *node, struct addr_list *out)
{
    char option[1024];
    size_t len = 0;

    if (is_localhost(node)) {
        add(out, NET_INET6, &in6addr_loopback);
        add(out, NET_INET, "\x7f\0\0\1");
        snprintf(out->canonical, sizeof out->canonical, "localhost");
        return true;
    }
    for (unsigned i = 0; i < 2 && out->n == 0; i++) {
        const char *text = hosts_text(i, option, &len);
        if (text != NULL)
            out->n = hosts_find(text, len, node, out->a, NETD_ADDRS_MAX, out->canonical);
    }
    return out->n > 0;
}

static int resolver_error(const struct netd_resolve *q, int r)
{
    static const int meaning[] = {[NETD_NO_NAME] = EAI_NONAME,
                                  [NETD_NO_DATA] = EAI_NONAME,
                                  [NETD_TRY_LATER] = EAI_AGAIN,
                                  [NETD_FAILED] = EAI_FAIL};

    if (r == 0)
        return q->status < sizeof meaning / sizeof meaning[0] ? meaning[q->status] : EAI_FAIL;
    if (r == -EACCES || r == -EINVAL) /* the sources that it has do not know the name; it is none */
        return EAI_NONAME;
    return r == -ENOMEM ? EAI_MEMORY : EAI_AGAIN;
}

static int resolver(const char *node, int family, struct addr_list *out)
{
    struct netd_resolve q = {.want = NETD_USE_SEARCH};

    if (strlen(node) >= sizeof q.name)
        return EAI_NONAME;
    strcpy(q.name, node);
    q.want |= family != AF_INET6 ? NETD_WANT_A : 0;
    q.want |= family != AF_INET ? NETD_WANT_AAAA : 0;
    int r = resolver_error(&q, sys_resolve(&q));
    if (r != 0)
        return r;
    out->n = q.count;
    memcpy(out->a, q.address, q.count * sizeof out->a[0]);
    strcpy(out->canonical, q.found);
    return 0;
}

/* --- which of them, and in which order --- */

/* AI_ADDRCONFIG: a family counts if some link, loopback aside, has an address of it. */
static bool family_configured(uint8_t family)
{
    struct net_config c;

    for (uint64_t i = 0; sys_net_info(NETINFO_ADDR, i, &c, sizeof c) > 0; i++) {
        bool loopback = c.family == NET_INET ? c.addr.b[0] == 127
                                             : memcmp(&c.addr, &in6addr_loopback, sizeof c.addr) == 0;
        if (c.family == family && !loopback)
            return true;
    }
    return false;
}

static void keep(struct addr_list *l, int family, int flags)
{
    unsigned n = 0;
    bool v4 = family != AF_INET6 && (!(flags & AI_ADDRCONFIG) || family_configured(NET_INET));
    bool v6 = family != AF_INET && (!(flags & AI_ADDRCONFIG) || family_configured(NET_INET6));

    for (unsigned i = 0; i < l->n; i++)
        if (l->a[i].family == NET_INET ? v4 : v6)
            l->a[n++] = l->a[i];
    l->n = n;
}

static void sort(struct addr_list *l)
{
    struct sort_entry e[NETD_ADDRS_MAX];

    for (unsigned i = 0; i < l->n; i++) {
        struct net_route_info io = {.family = l->a[i].family, .dst = l->a[i].addr, .link = LINK_ANY};
        e[i] = (struct sort_entry){.to = l->a[i]};
        e[i].reachable = sys_net_info(NETINFO_LOOKUP, 0, &io, sizeof io) >= 0;
        e[i].source = io.src;
    }
    addr_sort(e, l->n);
    for (unsigned i = 0; i < l->n; i++)
        l->a[i] = e[i].to;
}

/* AI_V4MAPPED: rather an IPv4 address in IPv6 clothes than none. */
static int find_mapped(const char *node, int flags, struct addr_list *out)
{
    int r = __libc_addresses(node, flags & ~(AI_V4MAPPED | AI_ALL), AF_INET, out);

    for (unsigned i = 0; r == 0 && i < out->n; i++) {
        struct netd_address *a = &out->a[i];
        memcpy(a->addr.b + 12, a->addr.b, 4);
        memset(a->addr.b, 0, 10);
        a->addr.b[10] = a->addr.b[11] = 0xff;
        a->family = NET_INET6;
    }
    return r;
}

int __libc_addresses(const char *node, int flags, int family, struct addr_list *out)
{
    int r = 0;

    out->n = 0;
    out->scope = 0;
    snprintf(out->canonical, sizeof out->canonical, "%s", node);
    if (number(node, out)) {
        bool fits = family == AF_UNSPEC || (family == AF_INET) == (out->a[0].family == NET_INET);
        return fits                                          ? 0
               : family == AF_INET6 && (flags & AI_V4MAPPED) ? find_mapped(node, flags, out)
                                                             : EAI_NONAME;
    }
    if (flags & AI_NUMERICHOST)
        return EAI_NONAME;
    if (hosts(node, out))
        keep(out, family, 0);
    if (out->n == 0)
        r = resolver(node, family, out);
    if (r == 0)
        keep(out, family, is_localhost(node) ? 0 : flags);
    if (family == AF_INET6 && (flags & AI_V4MAPPED) && (r == EAI_NONAME || (r == 0 && out->n == 0)))
        return find_mapped(node, flags, out);
    if (r == 0 && out->n == 0)
        r = EAI_NONAME;
    if (r == 0 && out->n > 1)
        sort(out);
    return r;
}

int __libc_address_name(const struct netd_address *a, char name[NETD_NAME_MAX])
{
    struct netd_resolve q = {.want = NETD_WANT_PTR, .family = a->family, .addr = a->addr};
    char option[1024];
    size_t len = 0;

    if (a->family == NET_INET ? a->addr.b[0] == 127 : memcmp(&a->addr, &in6addr_loopback, 16) == 0) {
        strcpy(name, "localhost");
        return 0;
    }
    for (unsigned i = 0; i < 2; i++) {
        const char *text = hosts_text(i, option, &len);
        if (text != NULL && hosts_name(text, len, a, name))
            return 0;
    }
    int r = resolver_error(&q, sys_resolve(&q));
    if (r == 0)
        strcpy(name, q.found);
    return r;
}

/* --- getaddrinfo --- */

static int append(struct addrinfo ***tail, const struct addr_list *l, unsigned i, uint16_t port, int socktype,
                  const char *canon)
{
    struct {
        struct addrinfo ai;
        union {
            struct sockaddr_in in;
            struct sockaddr_in6 in6;
        } sa;
    } *n = calloc(1, sizeof *n);
    const struct netd_address *a = &l->a[i];

    if (n == NULL)
        return EAI_MEMORY;
    if (a->family == NET_INET) {
        n->sa.in.sin_family = AF_INET;
        n->sa.in.sin_port = htons(port);
        memcpy(&n->sa.in.sin_addr, a->addr.b, 4);
        n->ai.ai_addrlen = sizeof n->sa.in;
    } else {
        n->sa.in6.sin6_family = AF_INET6;
        n->sa.in6.sin6_port = htons(port);
        n->sa.in6.sin6_scope_id = l->scope;
        memcpy(&n->sa.in6.sin6_addr, a->addr.b, 16);
        n->ai.ai_addrlen = sizeof n->sa.in6;
    }
    n->ai.ai_addr = (struct sockaddr *)&n->sa;
    n->ai.ai_family = n->ai.ai_addr->sa_family;
    n->ai.ai_socktype = socktype;
    n->ai.ai_protocol = socktype == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
    **tail = &n->ai;
    *tail = &n->ai.ai_next;
    return canon != NULL && (n->ai.ai_canonname = strdup(canon)) == NULL ? EAI_MEMORY : 0;
}

/* No name: one's own addresses, any for servers and the loopback's for clients. */
static void own_addresses(int flags, int family, struct addr_list *out)
{
    bool any = flags & AI_PASSIVE;

    out->n = 0;
    out->scope = 0;
    if (family != AF_INET6)
        add(out, NET_INET, any ? "\0\0\0\0" : "\x7f\0\0\1");
    if (family != AF_INET)
        add(out, NET_INET6, any ? &in6addr_any : &in6addr_loopback);
}

static const struct kind {
    int socktype, protocol;
    const char *name;
} kinds[] = {{SOCK_STREAM, IPPROTO_TCP, "tcp"}, {SOCK_DGRAM, IPPROTO_UDP, "udp"}};

static bool fits(const struct kind *k, int socktype, int protocol)
{
    return (socktype == 0 || socktype == k->socktype) && (protocol == 0 || protocol == k->protocol);
}

static int check_hints(const struct addrinfo *h, const char *node)
{
    if (h->ai_flags & ~(AI_PASSIVE | AI_CANONNAME | AI_NUMERICHOST | AI_NUMERICSERV | AI_V4MAPPED | AI_ALL |
                        AI_ADDRCONFIG) ||
        ((h->ai_flags & AI_CANONNAME) && node == NULL))
        return EAI_BADFLAGS;
    if (h->ai_family != AF_UNSPEC && h->ai_family != AF_INET && h->ai_family != AF_INET6)
        return EAI_FAMILY;
    if (h->ai_socktype != 0 && h->ai_socktype != SOCK_STREAM && h->ai_socktype != SOCK_DGRAM)
        return EAI_SOCKTYPE;
    return fits(&kinds[0], h->ai_socktype, h->ai_protocol) || fits(&kinds[1], h->ai_socktype, h->ai_protocol)
               ? 0
               : EAI_SOCKTYPE;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    static const struct addrinfo none;
    const struct addrinfo *h = hints != NULL ? hints : &none;
    struct addrinfo *list = NULL, **tail = &list;
    struct addr_list found;
    uint16_t port[2] = {0, 0};
    bool use[2];

    if (node == NULL && service == NULL)
        return EAI_NONAME;
    int r = check_hints(h, node), bad = EAI_SERVICE;
    for (int k = 0; r == 0 && k < 2; k++) {
        use[k] = fits(&kinds[k], h->ai_socktype, h->ai_protocol);
        if (!use[k] || service == NULL)
            continue;
        int e = __libc_service_port(service, kinds[k].name, h->ai_flags, &port[k]);
        use[k] = e == 0;
        bad = e != 0 ? e : bad;
    }
    if (r == 0 && !use[0] && !use[1])
        r = bad;
    if (r == 0 && node == NULL)
        own_addresses(h->ai_flags, h->ai_family, &found);
    else if (r == 0)
        r = __libc_addresses(node, h->ai_flags, h->ai_family, &found);
    for (unsigned i = 0; r == 0 && i < found.n; i++)
        for (int k = 0; r == 0 && k < 2; k++)
            if (use[k])
                r = append(&tail, &found, i, port[k], kinds[k].socktype,
                           (h->ai_flags & AI_CANONNAME) && list == NULL ? found.canonical : NULL);
    if (r != 0)
        freeaddrinfo(list);
    else
        *out = list;
    return r;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;
        free(list->ai_canonname);
        free(list);
        list = next;
    }
}

const char *gai_strerror(int code)
{
    switch (code) {
    case 0:
        return "no error";
    case EAI_BADFLAGS:
        return "bad flags";
    case EAI_NONAME:
        return "no such name";
    case EAI_AGAIN:
        return "no answer for now";
    case EAI_FAIL:
        return "name server failed";
    case EAI_FAMILY:
        return "address family not supported";
    case EAI_SOCKTYPE:
        return "socket type not supported";
    case EAI_SERVICE:
        return "no such service for this socket type";
    case EAI_MEMORY:
        return "out of memory";
    case EAI_SYSTEM:
        return "system error";
    case EAI_OVERFLOW:
        return "buffer too small";
    }
    return "unknown error";
}

/* --- getnameinfo --- */

static int host_text(const struct netd_address *a, uint32_t scope, int flags, char *host, socklen_t room)
{
    char name[NETD_NAME_MAX + IF_NAMESIZE], link[IF_NAMESIZE];
    int r = flags & NI_NUMERICHOST ? EAI_NONAME : __libc_address_name(a, name);

    if (r != 0 && (flags & NI_NAMEREQD))
        return r;
    if (r != 0) {
        inet_ntop(a->family == NET_INET ? AF_INET : AF_INET6, a->addr.b, name, NETD_NAME_MAX);
        if (scope != 0 && if_indextoname(scope, link) != NULL)
            strcat(strcat(name, "%"), link);
    }
    return snprintf(host, room, "%s", name) < (int)room ? 0 : EAI_OVERFLOW;
}

int getnameinfo(const struct sockaddr *addr, socklen_t len, char *host, socklen_t host_len, char *service,
                socklen_t service_len, int flags)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;
    struct netd_address a = {.family = NET_INET};
    uint32_t scope = 0;
    int r = 0;

    if (len >= sizeof *in && addr->sa_family == AF_INET) {
        memcpy(a.addr.b, &in->sin_addr, 4);
    } else if (len >= sizeof *in6 && addr->sa_family == AF_INET6) {
        a.family = NET_INET6;
        memcpy(a.addr.b, &in6->sin6_addr, 16);
        scope = in6->sin6_scope_id;
    } else {
        return EAI_FAMILY;
    }
    uint16_t port = ntohs(in->sin_port); /* in both at the same place */
    if ((host == NULL || host_len == 0) && (service == NULL || service_len == 0))
        return EAI_NONAME;
    if (host != NULL && host_len > 0)
        r = host_text(&a, scope, flags, host, host_len);
    if (r == 0 && service != NULL && service_len > 0) {
        const char *name =
            flags & NI_NUMERICSERV ? NULL : __libc_service_name(port, flags & NI_DGRAM ? "udp" : "tcp");
        int n = name != NULL ? snprintf(service, service_len, "%s", name)
                             : snprintf(service, service_len, "%u", port);
        r = n < (int)service_len ? 0 : EAI_OVERFLOW;
    }
    return r;
}
