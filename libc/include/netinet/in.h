/* SPDX-License-Identifier: MIT
 *
 * netinet/in.h: the Internet address family (POSIX.1-2017, RFC 3493).
 */
#ifndef SLIPWAY_NETINET_IN_H
#define SLIPWAY_NETINET_IN_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef _IN_PORT_T_DECLARED
typedef uint16_t in_port_t;
#define _IN_PORT_T_DECLARED
#endif
#ifndef _IN_ADDR_T_DECLARED
typedef uint32_t in_addr_t;
#define _IN_ADDR_T_DECLARED
#endif

struct in_addr {
    in_addr_t s_addr; /* network byte order */
};
struct sockaddr_in {
    sa_family_t sin_family;
    in_port_t sin_port; /* network byte order */
    struct in_addr sin_addr;
    unsigned char sin_zero[8];
};
struct in6_addr {
    union {
        uint8_t __s6_addr[16];
        uint32_t __s6_addr32[4];
    } __in6_u;
#define s6_addr __in6_u.__s6_addr
};
struct sockaddr_in6 {
    sa_family_t sin6_family;
    in_port_t sin6_port;
    uint32_t sin6_flowinfo;
    struct in6_addr sin6_addr;
    uint32_t sin6_scope_id;
};
struct ip_mreq {
    struct in_addr imr_multiaddr, imr_interface;
};
extern const struct in6_addr in6addr_any, in6addr_loopback;
#define IN6ADDR_ANY_INIT { { { 0 } } }
#define IN6ADDR_LOOPBACK_INIT { { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 } } }

#define IPPROTO_IP 0
#define IPPROTO_ICMP 1
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_IPV6 41
#define IPPROTO_ICMPV6 58
#define IPPROTO_RAW 255

#define INADDR_ANY ((in_addr_t)0x00000000)
#define INADDR_LOOPBACK ((in_addr_t)0x7f000001)
#define INADDR_BROADCAST ((in_addr_t)0xffffffff)
#define INADDR_NONE ((in_addr_t)0xffffffff)
#define INET_ADDRSTRLEN 16
#define INET6_ADDRSTRLEN 46
#define IN_CLASSD(a) (((in_addr_t)(a) & 0xf0000000) == 0xe0000000)
#define IN_MULTICAST(a) IN_CLASSD(a)

#define IP_TOS 1
#define IP_TTL 2
#define IPV6_UNICAST_HOPS 16 /* -1: the default */
#define IPV6_TCLASS 67
#define IPV6_V6ONLY 26       /* off by default: an IPv6 socket serves IPv4, too */

#define IN6_IS_ADDR_UNSPECIFIED(a)                                                                 \
    ((a)->__in6_u.__s6_addr32[0] == 0 && (a)->__in6_u.__s6_addr32[1] == 0 &&                       \
     (a)->__in6_u.__s6_addr32[2] == 0 && (a)->__in6_u.__s6_addr32[3] == 0)
#define IN6_IS_ADDR_LOOPBACK(a)                                                                    \
    ((a)->__in6_u.__s6_addr32[0] == 0 && (a)->__in6_u.__s6_addr32[1] == 0 &&                       \
     (a)->__in6_u.__s6_addr32[2] == 0 && (a)->__in6_u.__s6_addr32[3] == htonl(1))
#define IN6_IS_ADDR_V4MAPPED(a)                                                                    \
    ((a)->__in6_u.__s6_addr32[0] == 0 && (a)->__in6_u.__s6_addr32[1] == 0 &&                       \
     (a)->__in6_u.__s6_addr32[2] == htonl(0xffff))
#define IN6_IS_ADDR_MULTICAST(a) ((a)->s6_addr[0] == 0xff)
#define IN6_IS_ADDR_LINKLOCAL(a) ((a)->s6_addr[0] == 0xfe && ((a)->s6_addr[1] & 0xc0) == 0x80)
#define IN6_IS_ADDR_SITELOCAL(a) ((a)->s6_addr[0] == 0xfe && ((a)->s6_addr[1] & 0xc0) == 0xc0)
#define IN6_ARE_ADDR_EQUAL(a, b)                                                                   \
    ((a)->__in6_u.__s6_addr32[0] == (b)->__in6_u.__s6_addr32[0] &&                                 \
     (a)->__in6_u.__s6_addr32[1] == (b)->__in6_u.__s6_addr32[1] &&                                 \
     (a)->__in6_u.__s6_addr32[2] == (b)->__in6_u.__s6_addr32[2] &&                                 \
     (a)->__in6_u.__s6_addr32[3] == (b)->__in6_u.__s6_addr32[3])

#define IPPORT_RESERVED 1024

uint32_t htonl(uint32_t v);
uint16_t htons(uint16_t v);
uint32_t ntohl(uint32_t v);
uint16_t ntohs(uint16_t v);
#ifdef __GNUC__
#define htonl(v) __builtin_bswap32(v)
#define htons(v) __builtin_bswap16(v)
#define ntohl(v) __builtin_bswap32(v)
#define ntohs(v) __builtin_bswap16(v)
#endif

#ifdef __cplusplus
}
#endif

#endif
