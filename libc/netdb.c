/* SPDX-License-Identifier: MIT
 *
 * libc/netdb.c: names to addresses and back.
 *
 * Sources: numbers, /etc/hosts of the initrd, a small table of services.
 * Context: any thread; the results of the older calls are per thread.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <slipway/sys.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int h_errno;

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

/* Copies the next word of [*p, end) of one line into word; false at its end. */
static bool next_word(const char **p, const char *end, char *word, size_t room)
{
    while (*p < end && isspace((unsigned char)**p))
        (*p)++;
    size_t n = 0;
    for (; *p < end && !isspace((unsigned char)**p); (*p)++)
        if (n + 1 < room)
            word[n++] = **p;
    word[n] = 0;
    return n > 0;
}

/* Address of a name in /etc/hosts; "localhost" needs no file. */
static bool hosts_find(const char *name, struct in_addr *out)
{
    size_t len = 0;
    const char *text = initrd_map_file("/etc/hosts", &len), *end = text + len;

    while (text != NULL && text < end) {
        const char *nl = memchr(text, '\n', (size_t)(end - text));
        const char *line_end = nl != NULL ? nl : end, *hash = memchr(text, '#', (size_t)(line_end - text));
        const char *stop = hash != NULL ? hash : line_end;
        char addr[INET6_ADDRSTRLEN], word[128];
        if (next_word(&text, stop, addr, sizeof addr))
            while (next_word(&text, stop, word, sizeof word))
                if (strcasecmp(word, name) == 0 && inet_pton(AF_INET, addr, out) == 1)
                    return true;
        text = line_end + 1;
    }
    if (strcasecmp(name, "localhost") == 0) {
        out->s_addr = htonl(INADDR_LOOPBACK);
        return true;
    }
    return false;
}

static int service_port(const char *service, const char *proto, int flags, uint16_t *port)
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

static int add(struct addrinfo ***tail, struct in_addr a, uint16_t port, int socktype, const char *canon)
{
    struct {
        struct addrinfo ai;
        struct sockaddr_in sin;
    } *n = calloc(1, sizeof *n);
    if (n == NULL)
        return EAI_MEMORY;
    n->sin.sin_family = AF_INET;
    n->sin.sin_port = htons(port);
    n->sin.sin_addr = a;
    n->ai.ai_family = AF_INET;
    n->ai.ai_socktype = socktype;
    n->ai.ai_protocol = socktype == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
    n->ai.ai_addr = (struct sockaddr *)&n->sin;
    n->ai.ai_addrlen = sizeof n->sin;
    **tail = &n->ai;
    *tail = &n->ai.ai_next;
    if (canon != NULL && (n->ai.ai_canonname = strdup(canon)) == NULL)
        return EAI_MEMORY;
    return 0;
}

static int node_address(const char *node, int flags, struct in_addr *out)
{
    if (node == NULL) {
        out->s_addr = flags & AI_PASSIVE ? INADDR_ANY : htonl(INADDR_LOOPBACK);
        return 0;
    }
    if (inet_aton(node, out))
        return 0;
    if (!(flags & AI_NUMERICHOST) && hosts_find(node, out))
        return 0;
    return EAI_NONAME;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    int flags = hints ? hints->ai_flags : 0, type = hints ? hints->ai_socktype : 0;
    int protocol = hints ? hints->ai_protocol : 0;
    struct addrinfo *list = NULL, **tail = &list;
    struct in_addr a;
    bool any = false;

    if (node == NULL && service == NULL)
        return EAI_NONAME;
    if (hints != NULL && hints->ai_family != AF_UNSPEC && hints->ai_family != AF_INET)
        return EAI_FAMILY;
    if (type != 0 && type != SOCK_STREAM && type != SOCK_DGRAM)
        return EAI_SOCKTYPE;
    int r = node_address(node, flags, &a);
    if (r != 0)
        return r;
    for (int pass = 0; pass < 2; pass++) {
        int t = pass == 0 ? SOCK_STREAM : SOCK_DGRAM;
        uint16_t port = 0;
        if ((type != 0 && type != t) ||
            (protocol != 0 && protocol != (pass == 0 ? IPPROTO_TCP : IPPROTO_UDP)))
            continue;
        if (service != NULL && (r = service_port(service, pass == 0 ? "tcp" : "udp", flags, &port)) != 0)
            continue;
        any = true;
        r = add(&tail, a, port, t, (flags & AI_CANONNAME) && list == NULL ? node : NULL);
        if (r != 0) {
            freeaddrinfo(list);
            return r;
        }
    }
    if (!any)
        return r != 0 ? r : EAI_SERVICE;
    *out = list;
    return 0;
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

int getnameinfo(const struct sockaddr *addr, socklen_t len, char *host, socklen_t host_len, char *service,
                socklen_t service_len, int flags)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)addr;

    if (len < sizeof *in || in->sin_family != AF_INET)
        return EAI_FAMILY;
    if (host != NULL && host_len > 0) {
        if (flags & NI_NAMEREQD) /* there is no source of names for addresses yet */
            return EAI_NONAME;
        if (inet_ntop(AF_INET, &in->sin_addr, host, host_len) == NULL)
            return EAI_OVERFLOW;
    }
    if (service != NULL && service_len > 0) {
        const char *proto = flags & NI_DGRAM ? "udp" : "tcp", *name = NULL;
        for (size_t i = 0; i < SERVICES && !(flags & NI_NUMERICSERV); i++)
            if (services[i].port == ntohs(in->sin_port) && strcmp(services[i].proto, proto) == 0)
                name = services[i].name;
        int n = name != NULL ? snprintf(service, service_len, "%s", name)
                             : snprintf(service, service_len, "%u", ntohs(in->sin_port));
        if (n >= (int)service_len)
            return EAI_OVERFLOW;
    }
    return 0;
}

/* --- the older calls --- */

struct hostent *gethostbyname(const char *name)
{
    static __thread struct in_addr addr;
    static __thread char *list[2], *none[1], copy[128];
    static __thread struct hostent h;

    if (node_address(name, 0, &addr) != 0) {
        h_errno = HOST_NOT_FOUND;
        return NULL;
    }
    snprintf(copy, sizeof copy, "%s", name);
    list[0] = (char *)&addr;
    h = (struct hostent){copy, none, AF_INET, 4, list};
    return &h;
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
