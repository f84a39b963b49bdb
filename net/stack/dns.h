/* SPDX-License-Identifier: MIT
 *
 * net/stack/dns.h: the resolver: names to addresses and back, by asking the name
 * servers that the network offers (a stub resolver of RFC 1123 6.1.3, guarded as
 * RFC 5452 says).
 *
 * Owns: questions under way, the list of servers and what is known of them, the search
 * list, the cache. It opens no socket itself: the environment sends, and gives what
 * comes back to dns_input. Clock and random are injected; nothing blocks.
 * Who calls: netd, for all processes; tests and fuzzers. Context: one thread.
 *
 * A *job* is what somebody wants to know: a name, perhaps through the search list,
 * perhaps both families. A *flight* is one question (name, type) on its way to a server;
 * jobs that want the same share it, so that nobody can have many chances to guess one
 * answer. Both are bounded, per owner and in all.
 */
#ifndef NET_STACK_DNS_H
#define NET_STACK_DNS_H

#include <net/stack/dns_cache.h>

#define DNS_SERVERS_MAX      8
#define DNS_SEARCH_MAX       6
#define DNS_JOBS_MAX         32
#define DNS_JOBS_PER_OWNER   8
#define DNS_FLIGHTS_MAX      (2 * DNS_JOBS_MAX) /* each job has two at most */
#define DNS_ROUNDS           3                  /* times that each server is asked */
#define DNS_SPOOFS_MAX       8                  /* wrong answers before we change to TCP */
#define DNS_FIRST_TIMEOUT_NS 1000000000ull      /* doubles from round to round */
#define DNS_GIVE_UP_NS       10000000000ull     /* one question */
#define DNS_JOB_NS           15000000000ull     /* a job with all its questions */
#define DNS_SECOND_FAMILY_NS 1000000000ull      /* what one family waits for the other */
#define DNS_BAD_SERVER_NS    30000000000ull     /* a silent server comes last for so long */

struct dns_server {
    uint8_t family; /* enum net_family; 0: none */
    bool plain;     /* does not understand EDNS */
    uint16_t port;
    uint16_t link; /* LINK_ANY but for link-local addresses */
    uint16_t pad;
    struct net_addr addr;
    uint64_t bad_until_ns;
};

enum { DNS_WANT_A = 1, DNS_WANT_AAAA = 2, DNS_WANT_PTR = 4, DNS_USE_SEARCH = 8 };
enum dns_status {
    DNS_OK = 0,
    DNS_NO_NAME,   /* authoritative: there is no such name */
    DNS_NO_DATA,   /* ... or it has no such addresses */
    DNS_TRY_LATER, /* nobody answered, or said so */
    DNS_FAILED,    /* servers refuse, or answer nonsense */
};

struct dns_question {
    char name[DNS_TEXT_MAX]; /* for PTR: empty, and `addr` is meant */
    uint8_t want;            /* DNS_WANT_*, DNS_USE_SEARCH */
    uint8_t family;          /* of addr */
    struct net_addr addr;
    struct dns_server server; /* family 0: those of the system; else this one alone, past the cache */
};

struct dns_reply {
    uint8_t status, naddrs; /* enum dns_status */
    uint8_t hops;           /* aliases between the name asked for and `name` */
    uint32_t ttl_s;
    char name[DNS_TEXT_MAX]; /* the canonical name; for PTR: the name found */
    struct {
        uint8_t family;
        struct net_addr addr;
    } addr[2 * DNS_ADDRS_MAX];
};

struct dns_env {
    void *ctx;
    void (*random)(void *ctx, void *buf, size_t bytes);
    void *(*alloc)(void *ctx, size_t bytes); /* zeroed */
    void (*free)(void *ctx, void *p);
    /* Send for a flight, from a port that nobody can foresee; replaces what the flight had
     * open. TCP: `msg` without its length, which the environment adds. 0 or -errno. */
    int (*send)(void *ctx, unsigned flight, const struct dns_server *to, bool tcp, const uint8_t *msg,
                size_t len);
    void (*close)(void *ctx, unsigned flight); /* harmless when nothing is open */
    /* A job is over. `token` as given to dns_ask. */
    void (*done)(void *ctx, uint64_t token, const struct dns_reply *r);
};

struct dns_flight;
struct dns_job;
struct dns {
    struct dns_env env;
    struct dns_server server[DNS_SERVERS_MAX];
    unsigned nservers;
    struct dns_name search[DNS_SEARCH_MAX];
    unsigned nsearch, ndots;
    struct dns_cache cache;
    struct dns_flight *flight[DNS_FLIGHTS_MAX];
    struct dns_job *job[DNS_JOBS_MAX];
    unsigned njobs;
    uint32_t serial;
    uint64_t asked, sent, by_tcp, answers, spoofs, timeouts, refused, evicted;
};

void dns_init(struct dns *d, const struct dns_env *env);
/* The servers in order of preference. What is known of one that stays is kept; any change
 * flushes the cache, for another network may know other names. */
void dns_set_servers(struct dns *d, const struct dns_server *s, unsigned n);
/* Domains to look in, separated by blanks or commas; what is no name is left out. A name
 * with at least `ndots` dots is tried as it is first. */
void dns_set_search(struct dns *d, const char *domains, unsigned ndots);
/* Begin a job. `owner`: who must not have too many. env.done may come before this returns.
 * 0; -EINVAL: no name; -EAGAIN: the owner has too many; -ENOMEM. When all places are taken,
 * the owner that has most loses its newest job (DNS_TRY_LATER). */
int dns_ask(struct dns *d, uint64_t token, uint32_t owner, const struct dns_question *q, uint64_t now_ns);
/* A message came for a flight from (family, addr, port). */
void dns_input(struct dns *d, unsigned flight, uint8_t family, const struct net_addr *addr, uint16_t port,
               bool tcp, const uint8_t *msg, size_t len, uint64_t now_ns);
/* What the flight had open broke: refused, unreachable, connection closed. */
void dns_broken(struct dns *d, unsigned flight, uint64_t now_ns);
void dns_run(struct dns *d, uint64_t now_ns);
uint64_t dns_deadline(const struct dns *d); /* UINT64_MAX when nothing is under way */
/* Ends every job (DNS_TRY_LATER) and frees everything. */
void dns_destroy(struct dns *d);

#endif
