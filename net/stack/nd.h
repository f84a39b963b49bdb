/* SPDX-License-Identifier: MIT
 *
 * net/stack/nd.h: neighbour discovery for IPv6 over Ethernet (RFC 4861), address
 * configuration from router advertisements (RFC 4862, RFC 8106), detection of
 * duplicate addresses, and the multicast listener reports that go with them
 * (RFC 3810).
 *
 * Owns: who is known on each link and how well, the packets that wait for an
 * answer, our own addresses, the routers and prefixes that were advertised.
 *
 *   nd.c       neighbours: solicitations, advertisements, reachability; the way in
 *   nd_addr.c  our addresses: making, duplicate detection, life times, MLD reports
 *   nd_ra.c    routers: solicitations, advertisements, prefixes, DNS servers
 *
 * Who calls: netd. Pure code with an injected environment; tested on the host.
 * Context: one thread.
 *
 * The kernel sends by its own table and does not say when an entry is used.
 * So an entry that has grown stale is taken out of that table: the next packet
 * comes here, goes on at once with the address that is still known, and begins
 * the probe that RFC 4861 wants of an entry in use.
 *
 * Addresses are used at once, while the search for a duplicate runs (RFC 4429);
 * until it ends, no message says anything that could override another's word.
 *
 * Redirects are counted and not followed: anybody on the link can send one, and
 * the host that they help has two routers at least.
 */
#ifndef NET_STACK_ND_H
#define NET_STACK_ND_H

#include <slipway/net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ND_LINKS             16
#define ND_ENTRIES           128
#define ND_WAITING_PER_ENTRY 8 /* packets that wait for one answer */
#define ND_WAITING_BYTES     (128u * 1024)
#define ND_ADDRESSES         16
#define ND_ROUTERS           8
#define ND_PREFIXES          16
#define ND_DNS_SERVERS       4
#define ND_DOMAIN_MAX        40
#define ND_TRIES             3 /* MAX_MULTICAST_SOLICIT, MAX_UNICAST_SOLICIT */
#define ND_RETRANS_NS        1000000000ull
#define ND_DELAY_NS          5000000000ull
#define ND_REACHABLE_NS      30000000000ull
#define ND_PACKET_MAX        400 /* of what is sent from here */
#define ND_FOREVER           UINT64_MAX

enum nd_entry_state { ND_FREE = 0, ND_INCOMPLETE, ND_REACHABLE, ND_STALE, ND_DELAY, ND_PROBE };

struct nd_env {
    void *ctx;
    /* Send an IPv6 packet on the link; mac NULL: to a group. */
    void (*send)(void *ctx, uint16_t link, const uint8_t *mac, const void *packet, size_t len);
    /* Tell the kernel: NEIGH_REACHABLE, NEIGH_STALE, or NEIGH_NONE (forget). */
    void (*learn)(void *ctx, uint16_t link, const struct net_addr *ip, const uint8_t mac[6],
                  enum neigh_state state);
    /* A packet that waited can go; or cannot (nobody answered). */
    void (*resend)(void *ctx, uint16_t link, const uint8_t mac[6], const void *packet, size_t len);
    void (*unreachable)(void *ctx, uint16_t link, const void *packet, size_t len);
    /* An address of ours: NETCFG_ADDR_ADD (again: new flags) or _DEL; a route of
     * this link: NETCFG_ROUTE_ADD or _DEL, gateway all zero for a prefix on the link. */
    void (*address)(void *ctx, uint32_t kind, uint16_t link, const struct net_addr *ip, uint8_t prefix,
                    uint32_t flags);
    void (*route)(void *ctx, uint32_t kind, uint16_t link, const struct net_addr *dst, uint8_t prefix,
                  const struct net_addr *gateway, uint32_t mtu);
    void (*changed)(void *ctx, uint16_t link); /* what a new netd should know (struct nd_kept) */
    void (*duplicate)(void *ctx, uint16_t link, const struct net_addr *ip, const uint8_t mac[6]);
    uint32_t (*random)(void *ctx);
    void *(*alloc)(void *ctx, size_t bytes);
    void (*free)(void *ctx, void *p);
};

struct nd_packet {
    struct nd_packet *next;
    size_t len;
    uint8_t data[];
};

struct nd_entry {
    struct net_addr ip;
    uint8_t mac[6];
    uint16_t link;
    uint8_t state; /* enum nd_entry_state */
    uint8_t tries, waiting;
    bool router, in_kernel;
    uint64_t next_ns;
    struct nd_packet *first, *last;
};

/* An address of ours. */
struct nd_address {
    struct net_addr ip;
    uint16_t link;
    uint8_t prefix;
    uint8_t used;
    uint8_t origin;  /* enum nd_origin */
    uint8_t checks;  /* duplicate detection: solicitations sent; ND_CHECKED: unique */
    uint8_t attempt; /* RFC 7217's DAD_Counter */
    uint8_t deprecated;
    uint64_t next_ns;                /* next step of the detection, ND_FOREVER when it is over */
    uint64_t preferred_ns, valid_ns; /* until then; ND_FOREVER: always */
};
enum nd_origin { ND_LINK_LOCAL = 1, ND_AUTO, ND_STATIC };
#define ND_CHECKED 255

struct nd_router {
    struct net_addr ip;
    uint16_t link;
    uint8_t used, installed;
    uint8_t failed;    /* did not answer when it was used */
    int8_t preference; /* RFC 4191: 1, 0, -1 */
    uint8_t pad[2];
    uint32_t mtu; /* installed with it */
    uint64_t until_ns;
};

struct nd_prefix { /* on the link */
    struct net_addr net;
    uint16_t link;
    uint8_t length, used;
    uint32_t mtu; /* of the route */
    uint64_t until_ns;
};

struct nd_dns {
    struct net_addr server[ND_DNS_SERVERS];
    uint64_t until_ns[ND_DNS_SERVERS]; /* 0: none */
    char domain[ND_DOMAIN_MAX];        /* first of the search list */
    uint64_t domain_until_ns;
};

struct nd_link {
    bool up, autoconf;
    uint8_t mac[6];
    char name[LINK_NAME_MAX];
    uint32_t mtu, path_mtu; /* the link's; what routers say of it, 0: nothing */
    uint64_t reachable_ns, retrans_ns;
    uint64_t solicit_ns, solicit_wait_ns; /* next router solicitation; RFC 7559's interval */
    uint64_t report_ns;                   /* answer to a listener query, ND_FOREVER: none */
    struct nd_dns dns;
};

/* What a restarted netd goes on with. */
struct nd_kept {
    struct nd_address address[ND_ADDRESSES];
    struct nd_router router[ND_ROUTERS];
    struct nd_prefix prefix[ND_PREFIXES];
    struct nd_dns dns[2]; /* of the first two links that have any */
    uint16_t dns_link[2];
    uint32_t pad;
};

struct nd {
    struct nd_env env;
    struct nd_link link[ND_LINKS];
    struct nd_entry entry[ND_ENTRIES];
    struct nd_address address[ND_ADDRESSES];
    struct nd_router router[ND_ROUTERS];
    struct nd_prefix prefix[ND_PREFIXES];
    bool has_secret;
    uint8_t secret[16]; /* the same after each boot: interface ids by RFC 7217 */
    size_t waiting_bytes;
    uint64_t next_ns; /* not later than the earliest deadline */
    /* Counters */
    uint64_t solicits_in, adverts_in, solicits_out, adverts_out, ra_in, rs_out, mld_in, mld_out, bad, ignored,
        redirects, dropped, failed, duplicates, probes;
};

void nd_init(struct nd *n, const struct nd_env *env);
/* A secret that outlives the boot, from whoever has one. */
void nd_secret(struct nd *n, const void *text, size_t bytes);
/* An Ethernet link is up: link-local address, solicitation of routers if `autoconf`.
 * `kept`: what an earlier netd left, or NULL. */
void nd_link_up(struct nd *n, uint16_t link, const char *name, const uint8_t mac[6], uint32_t mtu,
                bool autoconf, const struct nd_kept *kept, uint64_t now_ns);
void nd_link_down(struct nd *n, uint16_t link);
void nd_address_add(struct nd *n, uint16_t link, const struct net_addr *ip, uint8_t prefix, uint64_t now_ns);
/* A packet for next hop `ip` has no neighbour entry: keep a copy and ask. */
void nd_resolve(struct nd *n, uint16_t link, const struct net_addr *ip, const void *packet, size_t len,
                uint64_t now_ns);
/* A neighbour that the kernel learned age_ns ago from an earlier netd. */
void nd_adopt(struct nd *n, uint16_t link, const struct net_addr *ip, const uint8_t mac[6], uint64_t age_ns,
              uint64_t now_ns);
/* An ICMPv6 packet (IPv6 header included) that came by the neighbour slot; its
 * checksum is verified here unless `trusted`. src_mac: the frame's. */
void nd_input(struct nd *n, uint16_t link, const uint8_t *packet, size_t len, bool trusted,
              const uint8_t src_mac[6], uint64_t now_ns);
void nd_run(struct nd *n, uint64_t now_ns);
uint64_t nd_deadline(const struct nd *n); /* O(1); may be earlier than needed */
void nd_keep(const struct nd *n, struct nd_kept *out);
/* Our address that the link is known by: global before link-local. */
const struct nd_address *nd_own(const struct nd *n, uint16_t link, bool global);

/* --- among the three files --- */
struct nd_message { /* an ICMPv6 message and where it came from */
    uint16_t link;
    const uint8_t *ip; /* IPv6 header */
    const uint8_t *body;
    size_t len;
    struct net_addr src, dst;
    const uint8_t *mac;
    uint64_t now_ns;
};
static inline bool nd_same(const struct net_addr *a, const struct net_addr *b)
{
    return __builtin_memcmp(a, b, 16) == 0;
}
static inline bool nd_any(const struct net_addr *a)
{
    static const struct net_addr any;
    return nd_same(a, &any);
}
static inline bool nd_group(const struct net_addr *a)
{
    return a->b[0] == 0xff;
}
static inline bool nd_link_local(const struct net_addr *a)
{
    return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}
void nd_due(struct nd *n, uint64_t when_ns);
/* The option of that type with at least `bytes` of it, NULL: absent. */
const uint8_t *nd_option(const uint8_t *opt, size_t len, uint8_t type, size_t bytes);
bool nd_options_sound(const uint8_t *opt, size_t len);
void nd_solicited_group(const struct net_addr *ip, struct net_addr *group);
/* body: an ICMPv6 message whose checksum is filled in here. */
void nd_send(struct nd *n, uint16_t link, const uint8_t *mac, const struct net_addr *src,
             const struct net_addr *dst, uint8_t *body, size_t len);
void nd_send_hop_by_hop(struct nd *n, uint16_t link, const struct net_addr *src, const struct net_addr *dst,
                        uint8_t *b, size_t len);
void nd_solicit(struct nd *n, uint16_t link, const struct net_addr *src, const struct net_addr *target,
                const uint8_t *mac);
/* Somebody said where it lives without being asked. */
void nd_heard(struct nd *n, uint16_t link, const struct net_addr *ip, const uint8_t mac[6], bool router,
              uint64_t now_ns);
/* nd_addr.c */
struct nd_address *nd_find_address(struct nd *n, uint16_t link, const struct net_addr *ip);
struct nd_address *nd_add(struct nd *n, uint16_t link, const struct net_addr *ip, uint8_t prefix,
                          enum nd_origin origin, uint8_t attempt, uint64_t now_ns);
bool nd_auto(struct nd *n, uint16_t link, const struct net_addr *net, uint64_t preferred_ns,
             uint64_t valid_ns, uint64_t now_ns);
void nd_collision(struct nd *n, struct nd_address *a, const uint8_t mac[6], uint64_t now_ns);
void nd_remove(struct nd *n, struct nd_address *a);
void nd_addresses_run(struct nd *n, uint64_t now_ns);
void nd_mld_query(struct nd *n, const struct nd_message *m);
/* nd_ra.c */
void nd_ra_input(struct nd *n, const struct nd_message *m);
void nd_routers_start(struct nd *n, uint16_t link, uint64_t now_ns);
void nd_routers_run(struct nd *n, uint64_t now_ns);
void nd_choose_router(struct nd *n, uint16_t link);
void nd_router_failed(struct nd *n, uint16_t link, const struct net_addr *ip);

#endif
