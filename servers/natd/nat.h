/* SPDX-License-Identifier: MIT
 *
 * servers/natd/nat.h: network address and port translation for IPv4 (NAPT,
 * RFC 3022), as one gateway between an inside and an outside link needs it.
 *
 * Owns: struct nat: sessions, the fragments under way, counters. Portable C that
 * rewrites packets in place; who calls it receives and sends them (main.c; the
 * unit test). One thread.
 *
 * Behaviour, by the RFCs on NAT (4787 UDP, 5382 TCP, 5508 ICMP): one inside
 * address and port keeps one outside port towards everybody (endpoint-independent
 * mapping), and an answer is let in only from the address and port that was
 * spoken to (address- and port-dependent filtering).
 *
 * Addresses are in network byte order, ports and identifiers in the host's.
 */
#ifndef NATD_NAT_H
#define NATD_NAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAT_SESSIONS_MAX 4096u
#define NAT_BUCKETS      1024u /* a power of two */
#define NAT_FRAGMENTS    64u
#define NAT_FORWARDS     16u
#define NAT_REPLY_BYTES  (28u + 60u + 8u) /* ICMP error: headers, quoted header with options, 8 bytes */

/* Idle times, ns. RFC 5382 REQ-5: established at least 2 h 4 min, else 4 min;
 * RFC 4787 REQ-5: UDP at least 2 min; RFC 5508 REQ-2: queries at least 60 s. */
#define NAT_TCP_ESTABLISHED (7440ull * 1000000000)
#define NAT_TCP_TRANSITORY  (240ull * 1000000000)
#define NAT_UDP_IDLE        (300ull * 1000000000)
#define NAT_ICMP_IDLE       (60ull * 1000000000)
#define NAT_FRAGMENT_IDLE   (30ull * 1000000000)

/* Why a packet goes nowhere; each has a counter. */
#define NAT_DROP_LIST(X)                                                                                     \
    X(MALFORMED, "malformed", "lengths or header fields that cannot be")                                     \
    X(PROTOCOL, "protocol", "neither TCP, UDP nor an ICMP that is translated")                               \
    X(NO_SESSION, "no-session", "nobody inside has spoken to its sender")                                    \
    X(FRAGMENT, "fragment", "a fragment whose first has not been seen")                                      \
    X(TTL, "ttl", "its time to live ran out here; the sender was told")                                      \
    X(TOO_BIG, "too-big", "larger than the way out, and not to be fragmented; the sender was told")          \
    X(NO_PORT, "no-port", "no outside port was free")                                                        \
    X(BUSY, "busy", "to be cut, while another is being sent in pieces")                                      \
    X(SOURCE, "source", "its sender cannot be on this side")

enum nat_drop {
#define X(id, name, text) NAT_DROP_##id,
    NAT_DROP_LIST(X)
#undef X
        NAT_DROPS
};

struct nat_forward { /* a port of the outside address that leads inside */
    uint8_t proto;   /* 6 or 17 */
    uint16_t outside_port, inside_port;
    uint32_t inside_addr;
};

struct nat_config {
    uint32_t inside_addr;  /* ours on the inside link */
    uint32_t outside_addr; /* ours on the outside link; 0: none yet, all is dropped */
    uint32_t inside_mtu, outside_mtu;
    uint32_t dns;                 /* where queries to inside_addr port 53 go; 0: nowhere */
    uint16_t port_low, port_high; /* outside ports and identifiers to use */
    bool strip_stamps;            /* take TCP time stamps out of SYNs (header compression) */
    struct nat_forward forward[NAT_FORWARDS];
    unsigned nforwards;
};

struct nat_session {
    struct nat_session *in_next, *out_next; /* the two hash chains; in_next: free list */
    uint64_t expires_ns;
    uint32_t inside_addr, remote_addr; /* remote as the outside sees it */
    uint32_t shown_addr;               /* remote as the inside sees it: differs for DNS */
    uint16_t inside_port, remote_port, outside_port;
    uint8_t proto; /* 0: free */
    uint8_t seen;  /* TCP: SEEN_* */
};

struct nat_fragment {
    uint64_t expires_ns;
    uint32_t src, dst, new_src, new_dst;
    uint16_t id;
    uint8_t proto;
};

struct nat {
    struct nat_config config;
    uint64_t key[2]; /* of the hash and of the port choice */
    uint64_t random;
    struct nat_session *session, *free; /* NAT_SESSIONS_MAX of them */
    struct nat_session *in[NAT_BUCKETS], *out[NAT_BUCKETS];
    struct nat_fragment fragment[NAT_FRAGMENTS];
    unsigned fragment_next, sessions, hand;
    uint64_t translated_out, translated_in, evicted, drops[NAT_DROPS];
};

/* What became of a packet. */
struct nat_result {
    bool send;         /* the packet, rewritten where it lies, goes on */
    enum nat_drop why; /* when it does not */
    size_t reply_len;  /* not 0: an ICMP error to its sender, in reply[] */
    uint8_t reply[NAT_REPLY_BYTES];
};

/* 0 or -ENOMEM. The key must be random. */
int nat_init(struct nat *n, const struct nat_config *c, const uint64_t key[2]);
void nat_fini(struct nat *n);
/* New addresses, MTUs or name server. Another outside address ends all sessions. */
void nat_reconfigure(struct nat *n, const struct nat_config *c);

/* A whole IPv4 packet that came in on the inside link for somebody else (or for
 * our port 53), or on the outside link for an outside port. Bounds: `len` bytes
 * are there; IP padding beyond the total length is cut by the caller with
 * nat_packet_len. */
void nat_outbound(struct nat *n, uint8_t *packet, size_t len, uint64_t now_ns, struct nat_result *r);
void nat_inbound(struct nat *n, uint8_t *packet, size_t len, uint64_t now_ns, struct nat_result *r);

/* The packet's own length when its IPv4 header is sound and `len` bytes hold it,
 * else 0. */
size_t nat_packet_len(const uint8_t *packet, size_t len);

/* Cuts a packet that may be fragmented: the piece that begins at payload byte *at
 * (0 at first), at most mtu bytes with its complete header, goes to `piece`, and
 * *at moves behind it. Returns the piece's length, 0 when all has been cut. */
size_t nat_cut(const uint8_t *packet, size_t len, uint32_t mtu, size_t *at, uint8_t *piece);

const char *nat_drop_name(enum nat_drop why);

#endif
