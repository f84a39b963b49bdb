/* SPDX-License-Identifier: MIT
 *
 * slipway/net.h: links, addresses, routes, neighbours, ports: what the net core
 * and a process say to each other about the network.
 *
 * Owns: port keys, flow keys, default slots, configuration records, counters.
 * Addresses and ports are in network byte order wherever they are bytes
 * (struct net_addr), and in host byte order wherever they are numbers
 * (port_lo, lport ...). Every struct is fixed in size and has no hidden padding.
 */
#ifndef SLIPWAY_NET_H
#define SLIPWAY_NET_H

#include <stdint.h>

enum net_family { NET_INET = 4, NET_INET6 = 6 };

/* IP protocol numbers that have ports here. ICMP's "port" is the echo id. */
enum net_proto { NET_ICMP = 1, NET_TCP = 6, NET_UDP = 17, NET_ICMP6 = 58 };

/* An address; IPv4 uses the first four bytes and leaves the rest zero.
 * All zero means "any" in keys. */
struct net_addr {
    uint8_t b[16];
};

struct net_prefix {
    struct net_addr addr; /* bits behind the prefix are zero */
    uint8_t family, length;
    uint8_t pad[6];
};

#define LINK_ANY 0xffffu
#define LINK_NAME_MAX 8

/* Port key: who may receive. Section 5 of the design. */
struct net_port_key {
    uint8_t family; /* enum net_family */
    uint8_t proto;  /* enum net_proto */
    uint16_t link;  /* link index, or LINK_ANY */
    uint16_t port_lo, port_hi; /* host order, inclusive; 0..0 asks for "any" */
    struct net_addr addr;      /* local address, or all zero for any */
};

/* Flow key: one connection. It wins over every port key. */
struct net_flow_key {
    uint8_t family, proto;
    uint16_t link; /* LINK_ANY but for link-local addresses */
    uint16_t lport, rport;
    struct net_addr laddr, raddr;
};

/* Default slots: each has one owner and that owner's ring. */
enum net_slot {
    SLOT_NEIGHBOUR = 0, /* ARP, ND, router advertisements, MLD; unresolved sends */
    SLOT_DHCP = 1,      /* UDP to port 68 (67 on sl0 never) */
    SLOT_ICMP = 2,      /* ICMP that no port or flow claims; packets whose sender must be
                           told what is wrong with them (struct net_rx, `problem`) */
    SLOT_FRAGMENTS = 3, /* IP fragments */
    SLOT_UNBOUND = 4,   /* TCP and UDP to ports nobody owns */
    SLOT_FORWARD = 5,   /* not for this host */
    SLOT_COUNT = 6
};

#define NET_SECRET_BYTES 16

/* port_register, port_unregister, port_transfer. */
struct net_port_op {
    struct net_port_key key; /* in; out: port_lo = port_hi = the port chosen for "any" */
    int32_t endpoint;        /* net endpoint handle that shall receive */
    int32_t target_pid;      /* transfer: the process that gets it: the caller, a child of
                                it, or one whose `endpoint` has NET_OPEN_TAKES */
    uint32_t flags;          /* PORT_* */
    uint32_t is_flow;        /* transfer/register: `flow` is meant, not `key` */
    struct net_flow_key flow;
    uint8_t secret[NET_SECRET_BYTES]; /* out of register; PORT_TAKE: in and out */
    uint32_t id;                      /* out: registry id with generation */
    uint32_t pad;
};
/* register: the port may have a group of endpoints, and this one joins it: of the
 * same process, or of another of the same family (the server that init started,
 * and all that descend from it). Everybody else gets -EADDRINUSE. When the group
 * grows, 1/n of the flow hash moves to the newcomer; who must keep a connection
 * registers its flow. */
#define PORT_JOIN 0x1u
/* register: offer a port or flow that is one's own: whoever shows the `secret`
 * that this returns may take it, once. It stays the caller's until then; its
 * packets gather in the caller's ring and go along. */
#define PORT_OFFER 0x2u
/* transfer: take what was offered: `id` and `secret` as the offer returned them,
 * `endpoint` one's own. Out: key or flow, id, and the secret of the key. */
#define PORT_TAKE 0x4u

/* --- configuration: written by the holder of net.default only ------------- */

enum net_config_kind {
    NETCFG_ADDR_ADD = 1,
    NETCFG_ADDR_DEL = 2,
    NETCFG_ROUTE_ADD = 3,
    NETCFG_ROUTE_DEL = 4,
    NETCFG_NEIGH_SET = 5,
    NETCFG_NEIGH_DEL = 6,
    NETCFG_LINK_UP = 7,
    NETCFG_LINK_DOWN = 8,
};

enum neigh_state { NEIGH_NONE = 0, NEIGH_INCOMPLETE, NEIGH_REACHABLE, NEIGH_STALE, NEIGH_PERMANENT, NEIGH_FAILED };

struct net_config {
    uint32_t kind;    /* enum net_config_kind */
    uint16_t link;    /* link index */
    uint8_t family;   /* enum net_family */
    uint8_t prefix;   /* prefix length of addr (ADDR) or dst (ROUTE) */
    struct net_addr addr; /* ADDR: the address; ROUTE: destination; NEIGH: its IP */
    struct net_addr gateway; /* ROUTE: next hop, all zero for on-link */
    struct net_addr source;  /* ROUTE: preferred source, all zero to choose */
    uint32_t metric;         /* ROUTE: lower wins among equal prefixes */
    uint32_t flags;          /* ADDR: ADDR_* */
    uint8_t mac[6];          /* NEIGH */
    uint8_t state;           /* NEIGH: enum neigh_state */
    uint8_t pad;
    uint32_t mtu;            /* ROUTE: path limit, 0 for the link's MTU */
    uint32_t pad2;
};
/* Conflict probe still runs. An IPv4 address is in use meanwhile (RFC 5227); an
 * IPv6 one is not: nothing is sent from it, and it gets neighbour discovery
 * only (RFC 4862, section 5.4). */
#define ADDR_TENTATIVE 0x1u
#define ADDR_STATIC 0x2u    /* from the command line, not from a lease */
#define ADDR_DEPRECATED 0x4u /* IPv6: its preferred life is over; used when there is no other */
#define ADDR_OFF_LINK 0x8u   /* its prefix is not known to be on the link (RFC 5942): no route comes with it */

/* --- what can be read by anybody ------------------------------------------ */

enum net_info_kind {
    NETINFO_LINK = 1,   /* struct net_link_info, cursor = link index */
    NETINFO_ADDR = 2,   /* struct net_config, cursor = n-th */
    NETINFO_ROUTE = 3,  /* struct net_config */
    NETINFO_NEIGH = 4,  /* struct net_neigh_info */
    NETINFO_PORT = 5,   /* struct net_port_info */
    NETINFO_COUNTERS = 6, /* struct net_counters, one snapshot */
    NETINFO_LOOKUP = 7, /* struct net_route_info in and out */
    NETINFO_MEMBER = 8, /* struct net_member_info, cursor = registry id << 8 | n-th */
};

#define LINKF_UP 0x01u        /* administratively up */
#define LINKF_RUNNING 0x02u   /* carrier present */
#define LINKF_ETHERNET 0x04u  /* needs a link header and neighbours */
#define LINKF_LOOPBACK 0x08u
#define LINKF_POINTOPOINT 0x10u /* SLIP: `peer` is the other end */
#define LINKF_IP4_ONLY 0x40u  /* carries no IPv6: a serial line (RFC 1055) */
#define LINKF_VJ 0x20u        /* TCP headers are compressed (RFC 1144): time stamps would defeat it */

#define LINKO_TX_CSUM 0x01u /* transmit checksum offload */
#define LINKO_RX_CSUM 0x02u
#define LINKO_TSO4 0x04u
#define LINKO_SG 0x08u /* takes scattered payload without a copy */

struct net_link_info {
    uint16_t index;
    uint8_t mac[6];
    char name[LINK_NAME_MAX];  /* "eth0", "sl0", "lo" */
    char driver[16];
    uint32_t flags;            /* LINKF_* */
    uint32_t features;         /* LINKO_* */
    uint32_t mtu;              /* bytes of IP packet */
    uint32_t speed_bps;        /* 0 when unknown */
    uint64_t rx_frames, rx_bytes, tx_frames, tx_bytes;
    uint64_t rx_errors, rx_missed, tx_errors, resets, interrupts, polls;
    uint64_t framing_errors, overruns, oversize, escapes; /* serial lines */
    uint64_t rx_compressed, tx_compressed;                /* ... TCP headers, RFC 1144 */
    uint64_t queue_bytes; /* ... the most that large packets ever came to while they waited for the line */
    uint64_t drain_ns; /* ... the longest that a handler took until the receive FIFO was empty */
    uint64_t late_ns;  /* ... the longest that a timer's interrupt, on any CPU, came behind its time: a sample
                          of how long interrupts are off, taken at each event. Both together are the worst
                          delay from a receive interrupt to an empty FIFO that was seen since boot. */
    char irq_mode[12];         /* "msix", "ioapic", "pic", "poll" */
    uint32_t irq;              /* vector or line */
};

struct net_neigh_info {
    struct net_config entry;
    uint64_t age_ns;
};

struct net_port_info {
    struct net_port_key key;
    struct net_flow_key flow; /* valid when is_flow */
    uint32_t is_flow;
    uint32_t pid;             /* owner, 0 while reserved */
    uint32_t id;
    uint32_t members;         /* endpoints in the group */
    uint32_t reserved_ms;     /* time left of a reservation, 0 when owned */
    uint32_t parked;          /* SYNs parked for the next owner */
    uint64_t delivered, dropped;
};

/* One endpoint of a port's group, or the one behind a flow. */
struct net_member_info {
    uint32_t id;  /* the port's or flow's */
    uint32_t pid; /* owner */
    uint64_t delivered, dropped; /* all that the endpoint got, by whatever key */
};

struct net_route_info {
    uint8_t family;
    uint8_t pad[3];
    struct net_addr dst;     /* in */
    struct net_addr src;     /* out: source address to use */
    struct net_addr gateway; /* out: next hop (dst itself when on-link) */
    uint16_t link;           /* in: LINK_ANY or a link to insist on; out: link */
    uint16_t mtu;            /* out */
    uint32_t flags;          /* out: LINKF_* of the link */
    uint32_t speed_bps;      /* out */
};

/* Why a packet was dropped: one counter each, one name each. */
#define NET_DROP_LIST(X)                                                       \
    X(RUNT, "runt", "shorter than its link header")                            \
    X(OVERSIZE, "oversize", "longer than the link's MTU allows")               \
    X(NOT_OURS_MAC, "not-our-mac", "unicast to another MAC address")           \
    X(ETHERTYPE, "ethertype", "an Ethernet type that nobody takes")            \
    X(IP_HEADER, "ip-header", "bad version, header length or total length")    \
    X(IP_CHECKSUM, "ip-checksum", "IPv4 header checksum wrong")                \
    X(L4_HEADER, "l4-header", "too short for its TCP, UDP or ICMP header")     \
    X(MARTIAN, "martian", "a source address that cannot be")                   \
    X(NOT_OURS_IP, "not-our-ip", "not for this host and nobody forwards")      \
    X(NO_SLOT, "no-slot", "the default slot has no owner")                     \
    X(RING_FULL, "ring-full", "the owner's receive ring is full")              \
    X(PARK_FULL, "park-full", "64 SYNs are parked for the port already")       \
    X(PARK_EXPIRED, "park-expired", "parked, but no new owner came in time")   \
    X(OWNER_DIED, "owner-died", "in flight when its owner died")               \
    X(TX_BAD_RECORD, "tx-bad-record", "transmit record with impossible fields") \
    X(TX_NO_RIGHT, "tx-no-right", "source address or port is not the sender's") \
    X(TX_NO_ROUTE, "tx-no-route", "no route to the destination")               \
    X(TX_NO_NEIGHBOUR, "tx-no-neighbour", "next hop unknown, nobody resolves it") \
    X(TX_LINK_FULL, "tx-link-full", "the link's queue is full")                \
    X(TX_LINK_DOWN, "tx-link-down", "the link is down")                        \
    X(TX_MTU, "tx-mtu", "longer than the link's MTU")                          \
    X(INJECT_LOOP, "inject-loop", "injected packet would return to its injector") \
    X(LINK_DOWN, "link-down", "came in on a link that is switched off")       \
    X(NOT_JOINED, "not-joined", "to a multicast group that is not joined here") \
    X(SOURCE_ROUTE, "source-route", "asks to be sent on by a route of its own") \
    X(EXT_HEADER, "ext-header", "IPv6 extension headers that make no sense")   \
    X(HOP_LIMIT, "hop-limit", "neighbour discovery or MLD from beyond this link") \
    X(NOT_ALLOWED, "not-allowed", "from who may not talk to the port's owner")

enum net_drop {
#define X(id, name, text) DROP_##id,
    NET_DROP_LIST(X)
#undef X
    DROP_COUNT
};
/* The TX_ ones are packets that processes sent; all others came in. */
static inline int net_drop_is_sent(unsigned why)
{
    return why >= DROP_TX_BAD_RECORD && why <= DROP_TX_MTU;
}
#define NET_DROPS_MAX 48 /* room to grow without changing the struct */

/* One consistent snapshot: received + injected = delivered + sum(rx drops) +
 * in_flight. "received" counts frames that links handed to the core. */
struct net_counters {
    uint32_t size;     /* sizeof(struct net_counters), set by the kernel */
    uint32_t drops;    /* DROP_COUNT */
    uint64_t received, injected, delivered, in_flight;
    uint64_t sent, send_failed;
    uint64_t drop[NET_DROPS_MAX];
};

#endif
