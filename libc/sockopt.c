/* SPDX-License-Identifier: MIT
 *
 * libc/sockopt.c: names and options of sockets.
 *
 * Owns: which option maps to what in libnet. Context: any thread.
 */
#include "net.h"
#include "pair.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

static int name_of(int fd, struct sockaddr *addr, socklen_t *len,
                   int (*get)(const struct nsock *s, struct ns_addr *a))
{
    struct ns_addr a;
    struct sock_file *s = sock_get(fd);
    if (s == NULL)
        return -1;
    net_enter_in(s->ctx);
    int r = get(s->s, &a);
    net_leave_in(s->ctx);
    sock_put(s);
    if (r == 0)
        sockaddr_out(&a, addr, len);
    return (int)__libc_result(r);
}

int getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
    return name_of(fd, addr, len, ns_getname);
}

int getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
    return name_of(fd, addr, len, ns_getpeer);
}

/* Options that are one int here and there. */
static const struct {
    int level, option;
    enum ns_opt ns;
    bool settable;
} plain[] = {
    {SOL_SOCKET, SO_REUSEADDR, NSO_REUSEADDR, true},
    {SOL_SOCKET, SO_REUSEPORT, NSO_REUSEPORT, true},
    {SOL_SOCKET, SO_KEEPALIVE, NSO_KEEPALIVE, true},
    {SOL_SOCKET, SO_BROADCAST, NSO_BROADCAST, true},
    {SOL_SOCKET, SO_SNDBUF, NSO_SNDBUF, true},
    {SOL_SOCKET, SO_RCVBUF, NSO_RCVBUF, true},
    {SOL_SOCKET, SO_ERROR, NSO_ERROR, false},
    {SOL_SOCKET, SO_ACCEPTCONN, NSO_ACCEPTCONN, false},
    {IPPROTO_TCP, TCP_NODELAY, NSO_NODELAY, true},
    {IPPROTO_TCP, TCP_KEEPIDLE, NSO_KEEPIDLE, true},
    {IPPROTO_TCP, TCP_KEEPINTVL, NSO_KEEPINTVL, true},
    {IPPROTO_TCP, TCP_KEEPCNT, NSO_KEEPCNT, true},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, NSO_USER_TIMEOUT, true},
    {IPPROTO_IP, IP_TTL, NSO_TTL, true},
    {IPPROTO_IP, IP_TOS, NSO_TOS, true},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, NSO_TTL, true},
    {IPPROTO_IPV6, IPV6_V6ONLY, NSO_V6ONLY, true},
    {IPPROTO_IPV6, IPV6_TCLASS, NSO_TOS, true},
};

/* TCP_CONGESTION's value is a name. */
static const struct {
    const char *name;
    enum ns_congestion id;
} congestion[] = {{"cubic", NS_CUBIC}, {"reno", NS_NEWRENO}, {"newreno", NS_NEWRENO}};
#define CONGESTIONS (sizeof congestion / sizeof congestion[0])

static int set_congestion(struct nsock *s, const char *name, socklen_t len)
{
    for (size_t i = 0; i < CONGESTIONS; i++) {
        size_t n = strlen(congestion[i].name);
        if (len >= n && memcmp(name, congestion[i].name, n) == 0 && (len == n || name[n] == 0))
            return ns_setopt(s, NSO_CONGESTION, congestion[i].id);
    }
    return -ENOENT;
}

static uint64_t timeval_ns(const struct timeval *tv)
{
    return (uint64_t)tv->tv_sec * 1000000000u + (uint64_t)tv->tv_usec * 1000u;
}

static int set_time(uint64_t *ns, const void *value, socklen_t len)
{
    struct timeval tv;
    if (len < sizeof tv)
        return -EINVAL;
    memcpy(&tv, value, sizeof tv);
    if (tv.tv_sec < 0 || tv.tv_usec < 0 || tv.tv_usec >= 1000000)
        return -EDOM;
    *ns = timeval_ns(&tv);
    return 0;
}

static int set_locked(struct sock_file *s, int level, int option, const void *value, socklen_t len)
{
    int v = 0;

    if (level == SOL_SOCKET && option == SO_RCVTIMEO)
        return set_time(&s->rcvtimeo_ns, value, len);
    if (level == SOL_SOCKET && option == SO_SNDTIMEO)
        return set_time(&s->sndtimeo_ns, value, len);
    if (level == SOL_SOCKET && option == SO_LINGER) {
        struct linger l;
        if (len < sizeof l)
            return -EINVAL;
        memcpy(&l, value, sizeof l);
        return ns_setopt(s->s, NSO_LINGER, l.l_onoff ? l.l_linger : -1);
    }
    if (level == IPPROTO_TCP && option == TCP_CONGESTION)
        return set_congestion(s->s, value, len);
    if (len < sizeof v)
        return -EINVAL;
    memcpy(&v, value, sizeof v);
    if (level == IPPROTO_IPV6 && option == IPV6_UNICAST_HOPS && v == -1)
        v = 64; /* RFC 3493 5.1: the default */
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (plain[i].level == level && plain[i].option == option)
            return plain[i].settable ? ns_setopt(s->s, plain[i].ns, v) : -ENOPROTOOPT;
    return -ENOPROTOOPT;
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
    struct sock_file *s = sock_get(fd);
    if (s == NULL)
        return errno == ENOTSOCK ? __libc_pair_option(fd, level, option, NULL, value, &len) : -1;
    net_enter_in(s->ctx);
    int r = set_locked(s, level, option, value, len);
    net_leave_in(s->ctx);
    sock_put(s);
    return (int)__libc_result(r);
}

static int give(void *value, socklen_t *len, const void *from, socklen_t bytes)
{
    if (*len > bytes)
        *len = bytes;
    memcpy(value, from, *len);
    return 0;
}

static int get_congestion(struct nsock *s, void *value, socklen_t *len)
{
    int v, r = ns_getopt(s, NSO_CONGESTION, &v);

    for (size_t i = 0; r == 0 && i < CONGESTIONS; i++)
        if (congestion[i].id == (enum ns_congestion)v)
            return give(value, len, congestion[i].name, (socklen_t)strlen(congestion[i].name) + 1);
    return r < 0 ? r : -ENOENT;
}

static int get_locked(struct sock_file *s, int level, int option, void *value, socklen_t *len)
{
    int v;

    if (level == SOL_SOCKET && (option == SO_RCVTIMEO || option == SO_SNDTIMEO)) {
        uint64_t ns = option == SO_RCVTIMEO ? s->rcvtimeo_ns : s->sndtimeo_ns;
        struct timeval tv = {(time_t)(ns / 1000000000u), (suseconds_t)(ns % 1000000000u / 1000)};
        return give(value, len, &tv, sizeof tv);
    }
    if (level == SOL_SOCKET && option == SO_LINGER) {
        int r = ns_getopt(s->s, NSO_LINGER, &v);
        struct linger l = {v >= 0, v >= 0 ? v : 0};
        return r < 0 ? r : give(value, len, &l, sizeof l);
    }
    if (level == SOL_SOCKET && (option == SO_TYPE || option == SO_DOMAIN || option == SO_PROTOCOL)) {
        struct ns_addr a;
        ns_getname(s->s, &a);
        v = option == SO_TYPE     ? s->type
            : option == SO_DOMAIN ? (a.family == NET_INET6 ? AF_INET6 : AF_INET)
                                  : s->protocol;
        return give(value, len, &v, sizeof v);
    }
    if (level == IPPROTO_TCP && option == TCP_CONGESTION)
        return get_congestion(s->s, value, len);
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (plain[i].level == level && plain[i].option == option) {
            int r = ns_getopt(s->s, plain[i].ns, &v);
            return r < 0 ? r : give(value, len, &v, sizeof v);
        }
    }
    return -ENOPROTOOPT;
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
    struct sock_file *s = sock_get(fd);
    if (s == NULL)
        return errno == ENOTSOCK ? __libc_pair_option(fd, level, option, value, NULL, len) : -1;
    net_enter_in(s->ctx);
    int r = get_locked(s, level, option, value, len);
    net_leave_in(s->ctx);
    sock_put(s);
    return (int)__libc_result(r);
}
