/* SPDX-License-Identifier: MIT
 *
 * servers/netd/netd.h: the default owner of the network.
 *
 * netd takes what no other process owns: ARP, ICMP, fragments, packets to
 * unbound ports; it gets addresses by DHCP and writes addresses, routes and
 * neighbours into the kernel. No other server's packet passes through it, so
 * it may die and come back at any time: what it must remember (leases) lies in
 * the kernel's blob.
 *
 *   main.c   rings, event loop, requests of other servers
 *   env.c    what libnet and ARP need from outside; answers to ARP
 *   links.c  one DHCP client a link; addresses and routes; the blob
 *   linklocal.c  an address of one's own choice when no DHCP server answers
 *   ip6.c    what IPv6's neighbour discovery needs from outside
 *   names.c  the resolver that all processes share
 *   clock.c  the time of day
 *   adopt.c  connections whose processes have ended
 *
 * One thread; nothing here blocks but the wait in main.c.
 */
#ifndef SERVERS_NETD_NETD_H
#define SERVERS_NETD_NETD_H

#include <net/stack/arp.h>
#include <net/stack/dhcp.h>
#include <net/stack/dns.h>
#include <net/stack/frag.h>
#include <net/stack/nd.h>
#include <net/stack/netstack.h>
#include <net/stack/sntp.h>
#include <slipway/netdproto.h>
#include <slipway/sys.h>
#include <stdbool.h>
#include <stdint.h>

#define NETD_LINKS_MAX 16
#define NETD_SLOTS 5 /* all but `forward`, which natd owns */
#define NETD_TURN_BUDGET 256 /* packets of one ring before the others have their turn */
#define NETD_TICKETS (DNS_JOBS_MAX + 1)
#define LINKLOCAL_PREFIX 16

struct netd_ring {
    int handle;
    struct net_ring *ring;
    uint32_t rx_tail; /* ours: what lies in shared memory is for the kernel */
};

/* What netd knows of one link. */
struct netd_if {
    bool present, dhcp;        /* dhcp: a client runs on it */
    struct net_link_info info;
    struct dhcp_client client;
    bool configured;           /* lease below is in the kernel */
    struct dhcp_lease lease;   /* what was configured */
    uint32_t conflicts;
    uint64_t defended_ns;      /* when our address was last announced against another's use; 0: never */
    bool has_fallback;         /* --fallback on the command line */
    uint8_t fallback[4], fallback_prefix, fallback_gw[4];
    bool has_linklocal;
    uint8_t linklocal[4], linklocal_tries;
};

/* A protocol stack with a ring of its own, so that no flood of what the slots bring
 * reaches what it is for. */
struct netd_side {
    int handle;
    struct netstack *stack; /* NULL: not open */
};

/* A request for a name that has no answer yet. */
struct netd_ticket {
    uint64_t token;            /* to reply to */
    struct netd_resolve *page; /* mapped; NULL: this place is free */
};

/* What one question to a name server has open. */
struct netd_wire {
    struct nsock *s;
    bool tcp;
    uint16_t out_len, out_at;
    uint8_t out[2 + DNS_QUERY_MAX];
    uint8_t head[2]; /* TCP: the length, then as many bytes in `in` */
    uint32_t have;   /* of both */
    uint8_t *in;
};

struct netd_names {
    struct dns dns;
    struct netd_side side; /* opened when somebody asks */
    struct netd_wire wire[DNS_FLIGHTS_MAX];
    struct netd_ticket ticket[NETD_TICKETS];
    uint64_t next_expiry_ns; /* of the servers that routers have named */
};

struct netd_time {
    struct sntp sntp;
    struct nsock *s;        /* of the question under way */
    bool chosen;            /* net.ntp says whom to ask */
    bool looking, missed;   /* for its names; one had no address */
    char option[256];
    const char *word;       /* the rest of it, while looking */
    struct sntp_server found[SNTP_SERVERS_MAX];
    unsigned nfound;
    uint64_t look_ns;       /* when to look for the names, again or for the first time */
};

/* Connections of processes that have ended. */
struct netd_adopt {
    struct netd_side side; /* open while there are any */
    uint64_t taken, refused, lost;
};

struct netd {
    struct netd_ring slot[NETD_SLOTS]; /* index: enum net_slot */
    struct netstack *stack;            /* sends through the ICMP slot's ring */
    struct arp arp;
    struct nd nd;
    struct frag frag;
    struct netd_if links[NETD_LINKS_MAX]; /* index: link index */
    uint64_t dhcp_next_ns;             /* earliest deadline of the clients */
    int endpoint;                      /* requests of other servers */
    struct netd_names names;
    struct netd_time clock;
    struct netd_adopt adopt;
    uint64_t log_ns, log_left_out;     /* see netd_may_log */
};

/* env.c */
bool netd_may_log(struct netd *n);     /* before a line that what comes in can provoke at will */
void netd_env_fill(struct netd *n, struct ns_env *stack_env, struct arp_env *arp_env);
void netd_fragment_expired(void *ctx, const uint8_t *quote, size_t len); /* for frag.expired */

/* Open it, unless it is. NULL: no memory. `rings` are the sizes wished for. */
struct netstack *netd_side_open(struct netd_side *s, const struct ns_config *config, struct sys_net_open rings);

/* links.c */
void links_init(struct netd *n, int argc, char **argv);
/* A UDP datagram to port 68 came in on the link (IPv4 packet, no link header). */
void links_dhcp_input(struct netd *n, uint16_t link, const uint8_t *packet, size_t len, uint64_t now_ns);
void links_run(struct netd *n, uint64_t now_ns); /* due clients */
void links_conflict(struct netd *n, uint16_t link, const uint8_t ip[4], uint64_t now_ns);
int links_status(struct netd *n, uint32_t index, struct netd_link *out);
void links_dns(struct netd *n, struct netd_dns *out);
int links_renew(struct netd *n, uint32_t index, uint64_t now_ns);
void links_probed(struct netd *n, uint16_t link, const uint8_t ip[4]); /* no conflict */
/* Addresses and routes of IPv4 in the kernel; a failure is logged. */
void links_config(uint32_t kind, uint16_t link, const uint8_t dst[4], uint8_t prefix, const uint8_t gw[4],
                  uint32_t flags, uint32_t mtu);
/* To init, for the `ready:` line. */
void links_announce(const struct netd_if *l, const uint8_t a[4]);

/* linklocal.c */
void linklocal_start(struct netd *n, struct netd_if *l, uint64_t now_ns);
void linklocal_stop(struct netd *n, struct netd_if *l);
void linklocal_adopt(struct netd_if *l, const uint8_t a[4]); /* as an earlier netd chose it */
/* True: it was that address, and another one takes its place. */
bool linklocal_conflict(struct netd *n, struct netd_if *l, const uint8_t ip[4], uint64_t now_ns);

/* For ip6.c: everything that a new netd goes on with is in the kernel's blob. */
void links_save(struct netd *n);
bool links_kept(struct nd_kept *out);

/* ip6.c */
void ip6_init(struct netd *n); /* after links_init and names_init */
void ip6_unresolved(struct netd *n, uint16_t link, const uint8_t *packet, size_t len, uint64_t now_ns);
void ip6_adopt(struct netd *n, const struct net_neigh_info *i, uint64_t now_ns);

/* names.c */
void names_init(struct netd *n); /* after links_init and ip6_init */
void names_run(struct netd *n, uint64_t now_ns);
uint64_t names_deadline(struct netd *n);
/* The request NETD_RESOLVE: 0, and the reply comes later; or -errno for it. */
int names_resolve(struct netd *n, const struct sys_msg *m, uint64_t now_ns);
/* Leases or advertisements have changed: which servers there are now. */
void names_servers(struct netd *n);
/* For net.ntp: clock_resolved gets the answer. 0 or -errno. */
int names_lookup_clock(struct netd *n, const char *name, uint64_t now_ns);
/* The stack for netd's own errands; NULL: no memory for its ring. */
struct netstack *names_stack(struct netd *n);
int names_socket(struct netstack *stack, uint8_t family, int type, struct nsock **out);

/* adopt.c */
int adopt_request(struct netd *n, int handle); /* NETD_ADOPT: 0 or -errno */
uint64_t adopt_deadline(struct netd *n);
void adopt_run(struct netd *n);
void adopt_status(const struct netd *n, struct netd_adopted *out);

/* clock.c */
void clock_init(struct netd *n); /* after names_init */
void clock_run(struct netd *n, uint64_t now_ns);
uint64_t clock_deadline(const struct netd *n);
void clock_servers(struct netd *n); /* leases have changed */
void clock_resolved(struct netd *n, const struct dns_reply *r);
void clock_status(const struct netd *n, struct netd_clock *out);

#endif
