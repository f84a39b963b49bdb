/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/netdb.c: names and services, as far as they need no name server (this
 * program may not call netd). tests/system/test_dns.py has the rest.
 */
#include "selftest.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int ask(const char *node, const char *service, int flags, int family, int type, int protocol,
               struct addrinfo **out)
{
    struct addrinfo hints = {
        .ai_flags = flags, .ai_family = family, .ai_socktype = type, .ai_protocol = protocol};
    *out = NULL;
    return getaddrinfo(node, service, &hints, out);
}

static const char *errors(void)
{
    static const struct {
        const char *node, *service;
        int flags, family, type, protocol, expect;
    } cases[] = {
        {NULL, NULL, 0, 0, 0, 0, EAI_NONAME},
        {"no.such.name", NULL, 0, 0, 0, 0, EAI_NONAME},
        {"localhost", NULL, AI_NUMERICHOST, 0, 0, 0, EAI_NONAME},
        {"1.2.3.4", NULL, 0, AF_INET6, 0, 0, EAI_NONAME},
        {"::1", NULL, 0, AF_INET, 0, 0, EAI_NONAME},
        {"1.2.3.4", NULL, 0x4000, 0, 0, 0, EAI_BADFLAGS},
        {NULL, "80", AI_CANONNAME, 0, 0, 0, EAI_BADFLAGS},
        {"1.2.3.4", NULL, 0, 99, 0, 0, EAI_FAMILY},
        {"1.2.3.4", NULL, 0, 0, 99, 0, EAI_SOCKTYPE},
        {"1.2.3.4", NULL, 0, 0, SOCK_STREAM, IPPROTO_UDP, EAI_SOCKTYPE},
        {"1.2.3.4", "no-such-service", 0, 0, 0, 0, EAI_SERVICE},
        {"1.2.3.4", "65536", 0, 0, 0, 0, EAI_SERVICE},
        {"1.2.3.4", "tftp", 0, 0, SOCK_STREAM, 0, EAI_SERVICE},
        {"1.2.3.4", "http", AI_NUMERICSERV, 0, 0, 0, EAI_NONAME},
        {"fe80::1%nolink", NULL, 0, 0, 0, 0, EAI_NONAME},
    };
    struct addrinfo *list;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int r = ask(cases[i].node, cases[i].service, cases[i].flags, cases[i].family, cases[i].type,
                    cases[i].protocol, &list);
        CHECK(r == cases[i].expect && list == NULL && gai_strerror(r)[0] != 0);
    }
    return NULL;
}

static unsigned length(const struct addrinfo *list)
{
    unsigned n = 0;
    for (; list != NULL; list = list->ai_next)
        n++;
    return n;
}

static const char *lists(void)
{
    struct addrinfo *list;

    CHECK(ask("1.2.3.4", "53", 0, 0, 0, 0, &list) == 0 && length(list) == 2); /* TCP and UDP */
    CHECK(list->ai_protocol == IPPROTO_TCP && list->ai_next->ai_protocol == IPPROTO_UDP);
    const struct sockaddr_in *in = (const struct sockaddr_in *)list->ai_addr;
    CHECK(in->sin_port == htons(53) && in->sin_addr.s_addr == inet_addr("1.2.3.4"));
    freeaddrinfo(list);
    CHECK(ask("fd00::7%lo", "http", 0, AF_UNSPEC, SOCK_STREAM, 0, &list) == 0 && length(list) == 1);
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)list->ai_addr;
    CHECK(list->ai_family == AF_INET6 && list->ai_addrlen == sizeof(*in6) && in6->sin6_port == htons(80) &&
          in6->sin6_addr.s6_addr[15] == 7 && in6->sin6_scope_id != 0);
    freeaddrinfo(list);
    CHECK(ask(NULL, "7", AI_PASSIVE, AF_INET, SOCK_DGRAM, 0, &list) == 0 && length(list) == 1);
    CHECK(((const struct sockaddr_in *)list->ai_addr)->sin_addr.s_addr == INADDR_ANY);
    freeaddrinfo(list);
    CHECK(ask("1.2.3.4", NULL, AI_V4MAPPED | AI_CANONNAME, AF_INET6, SOCK_STREAM, 0, &list) == 0);
    in6 = (const struct sockaddr_in6 *)list->ai_addr;
    CHECK(in6->sin6_addr.s6_addr[10] == 0xff && in6->sin6_addr.s6_addr[12] == 1 && list->ai_canonname != NULL);
    freeaddrinfo(list);
    CHECK(ask("sub.LocalHost.", NULL, AI_ADDRCONFIG, AF_INET, SOCK_STREAM, 0, &list) == 0);
    CHECK(((const struct sockaddr_in *)list->ai_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    freeaddrinfo(list);
    return NULL;
}

static const char *back(void)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(69), .sin6_addr = in6addr_loopback};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80), .sin_addr = {inet_addr("10.1.2.3")}};
    const struct sockaddr *a6 = (const struct sockaddr *)&in6, *a4 = (const struct sockaddr *)&in;
    char host[NI_MAXHOST], service[NI_MAXSERV];

    CHECK(getnameinfo(a6, sizeof(in6), host, sizeof(host), service, sizeof(service), NI_DGRAM) == 0);
    CHECK(strcmp(host, "localhost") == 0 && strcmp(service, "tftp") == 0);
    CHECK(getnameinfo(a6, sizeof(in6), host, sizeof(host), service, sizeof(service), NI_NUMERICHOST) == 0);
    CHECK(strcmp(host, "::1") == 0 && strcmp(service, "69") == 0);
    CHECK(getnameinfo(a4, sizeof(in), host, sizeof(host), service, sizeof(service), 0) == 0);
    CHECK(strcmp(host, "10.1.2.3") == 0 && strcmp(service, "http") == 0);
    CHECK(getnameinfo(a4, sizeof(in), host, sizeof(host), NULL, 0, NI_NAMEREQD) == EAI_NONAME);
    CHECK(getnameinfo(a4, sizeof(in), host, 8, NULL, 0, NI_NUMERICHOST) == EAI_OVERFLOW);
    CHECK(getnameinfo(a4, sizeof(in), NULL, 0, service, 4, 0) == EAI_OVERFLOW);
    CHECK(getnameinfo(a4, 4, host, sizeof(host), NULL, 0, 0) == EAI_FAMILY);
    CHECK(getnameinfo(a4, sizeof(in), NULL, 0, NULL, 0, 0) == EAI_NONAME);
    return NULL;
}

static const char *older_calls(void)
{
    const struct hostent *h = gethostbyname("localhost");
    uint32_t loopback = htonl(INADDR_LOOPBACK);

    CHECK(h != NULL && h->h_addrtype == AF_INET && h->h_length == 4 && memcmp(h->h_addr, &loopback, 4) == 0);
    CHECK(h->h_addr_list[1] == NULL);
    CHECK(gethostbyname("no.such.name") == NULL && h_errno == HOST_NOT_FOUND);
    h = gethostbyaddr(&loopback, 4, AF_INET);
    CHECK(h != NULL && strcmp(h->h_name, "localhost") == 0);
    CHECK(gethostbyaddr(&loopback, 3, AF_INET) == NULL && h_errno == NO_RECOVERY);
    const struct servent *s = getservbyname("domain", "udp");
    CHECK(s != NULL && s->s_port == htons(53));
    CHECK(getservbyport(htons(80), "tcp") != NULL && getservbyport(htons(81), NULL) == NULL);
    return NULL;
}

const struct test netdb_tests[] = {
    {"errors", errors},
    {"lists", lists},
    {"back", back},
    {"older-calls", older_calls},
    {NULL, NULL},
};
