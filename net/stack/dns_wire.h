/* SPDX-License-Identifier: MIT
 *
 * net/stack/dns_wire.h: the messages of the domain name system (RFC 1035, RFC 3596,
 * RFC 6891): names, questions, and what an answer says.
 *
 * Owns: nothing. Who calls: dns.c, dns_cache.c; tests and fuzzers. Pure code without
 * allocation; every loop is bounded by the message's length. Context: any.
 *
 * Names are kept as on the wire, in lower case, so that equal names have equal bytes.
 */
#ifndef NET_STACK_DNS_WIRE_H
#define NET_STACK_DNS_WIRE_H

#include <slipway/net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_PORT               53
#define DNS_NAME_MAX           255 /* bytes on the wire, the root's zero included */
#define DNS_TEXT_MAX           256 /* as text, with the final NUL and a dot at the end */
#define DNS_LABEL_MAX          63
#define DNS_QUERY_MAX          (12 + DNS_NAME_MAX + 4 + 11)
#define DNS_UDP_MAX            1232 /* what we say that we take without fragments */
#define DNS_ADDRS_MAX          32   /* of one name and type; more are left out */
#define DNS_CHAIN_MAX          8    /* aliases from the name asked for to its addresses */
#define DNS_TTL_MAX_S          86400u
#define DNS_NEGATIVE_TTL_MAX_S 3600u /* RFC 2308 section 5 wants one to three hours */

enum { DNS_A = 1, DNS_CNAME = 5, DNS_SOA = 6, DNS_PTR = 12, DNS_AAAA = 28, DNS_OPT = 41 };
enum { DNS_NOERROR = 0, DNS_FORMERR, DNS_SERVFAIL, DNS_NXDOMAIN, DNS_NOTIMP, DNS_REFUSED };

struct dns_name {
    uint8_t len; /* bytes used, the final zero included; 0: no name */
    uint8_t b[DNS_NAME_MAX];
};

/* From text, a dot at the end allowed: 0, or -EINVAL for an empty label, one of more
 * than 63 bytes, or a name of more than 255. Bytes are taken as they are. */
int dns_name_parse(struct dns_name *n, const char *text);
/* As text, without a dot at the end ("." for the root). False: it has bytes in it that
 * no host name has (controls, blanks, dots inside a label), and is better not shown. */
bool dns_name_text(const struct dns_name *n, char text[DNS_TEXT_MAX]);
/* The name at *at, which moves behind it. Compression pointers must point back, each
 * further than the one before, so that there are no loops. False: malformed. */
bool dns_name_read(const uint8_t *msg, size_t len, size_t *at, struct dns_name *out);
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b);
/* Is n the zone itself or below it? */
bool dns_name_under(const struct dns_name *n, const struct dns_name *zone);
/* The name whose PTR record names the address (RFC 1035 3.5, RFC 3596 2.5). */
void dns_name_reverse(struct dns_name *n, uint8_t family, const struct net_addr *addr);

/* One question, recursion desired; with `edns` an OPT record that says DNS_UDP_MAX.
 * Returns its length, at most DNS_QUERY_MAX. */
size_t dns_query_build(uint8_t buf[DNS_QUERY_MAX], uint16_t id, const struct dns_name *name, uint16_t type,
                       bool edns);

/* What an answer says about the name asked for. */
enum dns_kind {
    DNS_IS_DATA = 1,  /* addresses, or the name of a PTR record */
    DNS_IS_NODATA,    /* the name is there, but nothing of this type */
    DNS_IS_NONAME,    /* no such name */
    DNS_IS_ALIAS,     /* `canonical` is another name for it: ask for that */
    DNS_IS_TRUNCATED, /* ask again by TCP */
    DNS_IS_FAILURE,   /* this server cannot tell: rcode, or malformed */
};

struct dns_result {
    uint8_t kind, rcode; /* enum dns_kind; as the server said */
    uint8_t hops;        /* aliases followed */
    uint8_t naddrs;
    uint32_t ttl_s;                  /* 0: not to be kept */
    struct dns_name canonical;       /* the name that the data is of */
    struct dns_name pointer;         /* PTR: the name found */
    uint8_t addr[DNS_ADDRS_MAX][16]; /* A: the first four bytes */
};

/* Takes in an answer to (id, name, type). False: it answers something else, or is no
 * answer at all, and whoever sent it must not count (RFC 5452). Only records that the
 * name leads to by aliases are looked at; everything else in it is ignored. */
bool dns_answer_read(const uint8_t *msg, size_t len, uint16_t id, const struct dns_name *name, uint16_t type,
                     struct dns_result *out);

#endif
