/* SPDX-License-Identifier: MIT
 *
 * net/stack/netstack.h: libnet, the TCP/IP of one process.
 *
 * Owns: everything that hangs off one struct netstack: connections, datagram
 * sockets, timers, buffers. No global state. Nothing here blocks, and nothing
 * loops on an outside condition.
 *
 * Who calls: libc's descriptors (libc/net.c), netd, the simulation, fuzzers.
 * Context: one thread at a time (the caller holds the stack's lock; libc does).
 *
 * The environment injects clock, random and the calls into the port registry
 * (struct ns_env); packets travel in the rings of slipway/ring.h.
 */
#ifndef NET_STACK_NETSTACK_H
#define NET_STACK_NETSTACK_H

#include <slipway/errno.h>
#include <slipway/net.h>
#include <slipway/ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netstack;
struct nsock; /* one socket */

/* What the stack needs from outside. Results: 0 or positive, or -errno. */
struct ns_env {
    void *ctx;
    uint64_t (*now_ns)(void *ctx);
    void (*random)(void *ctx, void *buf, size_t bytes);
    void *(*alloc)(void *ctx, size_t bytes); /* zeroed; NULL: out of memory */
    void (*free)(void *ctx, void *p);
    /* Transmit what lies in the ring (net_kick); called at the end of a batch,
     * not for each packet. NULL: the caller of netstack_run does it (wait()). */
    void (*kick)(void *ctx);
    /* Transmit it now, whatever the batch: a port is about to be given back, and
     * what was sent from it must have left before. NULL: kick does. */
    void (*flush)(void *ctx);
    /* The events of a watched socket (its user pointer) may have changed; NULL:
     * room to send came back, for any socket. May be NULL. */
    void (*changed)(void *ctx, void *user);
    /* NET_ARENA_MORE bytes more for the ring's arena (net_grow), or NULL. May be
     * NULL: it stays as it is. */
    void *(*arena_more)(void *ctx);
    int (*port_register)(void *ctx, struct net_port_op *op);
    int (*port_unregister)(void *ctx, const struct net_port_op *op);
    int (*route)(void *ctx, struct net_route_info *io); /* NETINFO_LOOKUP */
    /* Datagrams and other packets that no socket of this stack owns (netd):
     * ARP, fragments, unresolved sends. True: taken care of. May be NULL. */
    bool (*unclaimed)(void *ctx, const struct net_rx *rx, const uint8_t *packet);
};

/* Limits of one stack; zero takes the default in brackets. */
struct ns_config {
    uint32_t sockets_max;  /* [1024] */
    uint32_t tcp_sndbuf;   /* bytes per connection [64 KiB]; lives in the arena */
    uint32_t tcp_rcvbuf;   /* bytes per connection [64 KiB] */
    uint32_t udp_rcvbuf;   /* bytes queued per socket [128 KiB: one of the largest, and more] */
    /* Up to so many as its path has use for; with NSO_SNDBUF and NSO_RCVBUF a size
     * is fixed. [4 MiB; as above where that is given] */
    uint32_t tcp_sndbuf_max, tcp_rcvbuf_max;
    uint32_t tcp_grown_max; /* by which receive buffers may grow, in all [16 MiB] */
    uint32_t time_wait_ms; /* 2 MSL [60000] */
    bool icmp_echo_reply;  /* answer echo requests that arrive (netd) */
    bool reset_unbound;    /* RST / port unreachable for unowned ports (netd) */
};

/* `ring` and everything behind it must outlive the stack. */
int netstack_create(struct netstack **out, const struct ns_env *env, const struct ns_config *cfg,
                    struct net_ring *ring);
void netstack_destroy(struct netstack *ns); /* aborts what is open (RST) */

/* Take completions and up to `budget` received packets, run due timers, send
 * what became possible. Returns packets taken. */
int netstack_run(struct netstack *ns, int budget);
/* Absolute time of the next timer; UINT64_MAX when there is none. A time that
 * has passed (0) when sending waits for room in the transmit ring. */
uint64_t netstack_deadline(struct netstack *ns);
/* A packet from elsewhere: another endpoint's ring (netd's default slots), a
 * reassembled datagram. `packet` is what follows the struct net_rx in a ring.
 * Follow a batch with netstack_run, which runs timers and sends the rest. */
void netstack_input(struct netstack *ns, const struct net_rx *rx, const uint8_t *packet);

/* Walking a receive ring that the stack does not read itself. *tail is the
 * caller's own copy of rx_tail. peek returns the oldest record or NULL, skipping
 * padding; pop gives its bytes back to the kernel. */
const struct net_rx *ns_ring_peek(const struct net_ring *ring, uint32_t *tail);
void ns_ring_pop(struct net_ring *ring, uint32_t *tail, const struct net_rx *rx);
/* Connections that still have bytes or a FIN to deliver (exit waits for it). */
unsigned netstack_lingering(const struct netstack *ns);
struct nsock *ns_orphan(const struct netstack *ns); /* one of them; NULL: there is none */
unsigned netstack_sockets(const struct netstack *ns); /* of any kind, closed ones that linger too */

/* The states of RFC 9293 3.3.2. The order matters to the stack: up to SYN_SENT
 * nothing is owed to a peer; from ESTABLISHED to FIN_WAIT_2 text may flow. */
enum tcp_state {
    TCP_CLOSED = 0,
    TCP_LISTEN,
    TCP_SYN_SENT,
    TCP_SYN_RCVD,
    TCP_ESTABLISHED,
    TCP_CLOSE_WAIT,
    TCP_FIN_WAIT_1,
    TCP_CLOSING,
    TCP_LAST_ACK,
    TCP_FIN_WAIT_2,
    TCP_TIME_WAIT,
};

/* --- sockets ---------------------------------------------------------------------
 *
 * With the meaning of the BSD calls (POSIX.1-2017, RFC 9293 section 3.9), but no call
 * ever blocks: -EAGAIN where theirs would. All lengths are bytes; ports are in host
 * order, addresses in network order. Results are 0, a length, or -errno as said at
 * each call; a pending error of a connection (what NSO_ERROR would read, such as
 * -ECONNRESET, -ETIMEDOUT, -ECONNREFUSED, -EHOSTUNREACH) comes out of the next
 * ns_send or ns_recv once. Context: as the stack itself, the caller holds its lock. */
enum { NS_STREAM = 1, NS_DGRAM = 2, NS_ICMP = 3 }; /* NS_ICMP: echo of ICMP or ICMPv6, by its id */
/* ns_events: data, a connection or the end can be read; there is room to send; an
 * error is pending; both directions are over; the peer sends no more. */
enum { NS_IN = 1, NS_OUT = 2, NS_ERR = 4, NS_HUP = 8, NS_RDHUP = 16 };
/* ns_recv: leave the bytes there; return a datagram's own length even if cut. */
enum { NS_PEEK = 1, NS_TRUNC = 2 };

struct ns_addr {
    uint8_t family; /* NET_INET, NET_INET6 */
    uint8_t pad;
    uint16_t port; /* host order */
    struct net_addr addr;
    uint16_t scope; /* link-local addresses: link index + 1 (sin6_scope_id), 0: not said */
};

/* A new socket, not bound. An IPv6 one serves IPv4 peers, too, as ::ffff:a.b.c.d
 * (RFC 3493 section 3.7), unless NSO_V6ONLY. -EAFNOSUPPORT, -EPROTONOSUPPORT, -ENOMEM,
 * -EMFILE (sockets_max). */
int ns_socket(struct netstack *ns, int family, int type, struct nsock **out);
/* Take a local address (all zero: any) and port (0: a free one, which cannot be
 * guessed, RFC 6056); the port registry decides. -EINVAL: bound already;
 * -EAFNOSUPPORT; -EADDRNOTAVAIL: not ours; -EADDRINUSE; -EACCES: the process may
 * not own that port; -ENOMEM. */
int ns_bind(struct nsock *s, const struct ns_addr *a);
/* Accept connections, at most `backlog` of them waiting (at least 1). Half-open ones
 * are bounded by the same number; beyond it, cookies answer (RFC 4987). A second call
 * changes the number. -EINVAL: connected; -EOPNOTSUPP: not a stream; as ns_bind when
 * not bound. */
int ns_listen(struct nsock *s, int backlog);
/* The oldest connection that waits; *peer, unless NULL, is who it is. -EAGAIN: none;
 * -EINVAL: not listening; -EOPNOTSUPP: not a stream. */
int ns_accept(struct nsock *s, struct nsock **out, struct ns_addr *peer);
/* A stream: begin to connect, -EINPROGRESS; NS_OUT says that it has ended, NSO_ERROR how
 * (within 30 s). -EALREADY: it goes on; -EISCONN; -EOPNOTSUPP: it listens. A datagram
 * socket: 0, and from now on it hears only this peer and its ICMP errors; a NULL
 * address dissolves that. -ENETUNREACH, -EADDRNOTAVAIL, -EAFNOSUPPORT, -EADDRINUSE
 * (that connection exists), -ENOMEM. */
int ns_connect(struct nsock *s, const struct ns_addr *a);
/* How many of the n bytes were taken, 1 at least for n > 0; a datagram goes whole or not
 * at all. `to`: datagrams of a socket that is not connected (or another than its peer);
 * NULL otherwise. -EAGAIN: no room; -EPIPE: our side is shut, or the connection over;
 * -ENOTCONN; -EDESTADDRREQ; -EMSGSIZE: more than a datagram holds; -ENETUNREACH; -EACCES:
 * a broadcast without NSO_BROADCAST; or a pending error. `flags`: none yet, 0. */
int ns_send(struct nsock *s, const void *buf, size_t n, int flags, const struct ns_addr *to);
/* Up to n bytes of the stream, or the oldest datagram, of which the rest is lost (see
 * NS_TRUNC). 0: the peer sends no more (or an empty datagram). *from, unless NULL: whose
 * it is. -EAGAIN: nothing yet; -ENOTCONN; or a pending error. */
int ns_recv(struct nsock *s, void *buf, size_t n, int flags, struct ns_addr *from);
/* A stream's text without a copy of its own: until ns_posted, what arrives in turn
 * is written straight to buf, as long as nothing waits in the socket (read that
 * first) and it fits. NS_IN says that there is some. One buffer at a time, which
 * must stay until ns_posted; the socket cannot be exported meanwhile, and what lies
 * behind the returned length is undefined.
 * 0; -EBUSY: there is one; -ENOTCONN: not connected; -EOPNOTSUPP: not a stream. */
int ns_post(struct nsock *s, void *buf, size_t n);
/* Take the buffer back. Returns the bytes in it; read the socket after them. */
int ns_posted(struct nsock *s);
/* how: 0 read no more (what arrives is dropped), 1 send no more (a FIN follows what is
 * queued), 2 both. -EINVAL; -ENOTCONN. */
int ns_shutdown(struct nsock *s, int how);
/* The nsock is gone for the caller. A connection delivers what is queued and its FIN by
 * itself (it lingers); with unread text, or NSO_LINGER 0, it is reset (RFC 9293 3.6.1,
 * RFC 2525 section 2.17). */
void ns_close(struct nsock *s);
int ns_getname(const struct nsock *s, struct ns_addr *local);
int ns_getpeer(const struct nsock *s, struct ns_addr *peer); /* -ENOTCONN */
unsigned ns_events(const struct nsock *s);                   /* NS_IN ... now */
/* NS_OUT is missing for want of memory that all share (ns_env.changed with NULL
 * tells when there is some again), not for what this socket holds itself. */
bool ns_starved(const struct nsock *s);
/* Changes whenever any socket's events may have changed: poll compares it. */
uint64_t ns_generation(const struct netstack *ns);

enum ns_congestion { NS_CUBIC = 1, NS_NEWRENO = 2 }; /* RFC 9438, RFC 6582 */
/* Options; 0 and 1 where nothing else is said. [default] */
enum ns_opt {
    NSO_NODELAY = 1, /* stream: send small segments at once (no Nagle, RFC 9293 3.7.4) [0] */
    NSO_KEEPALIVE,   /* stream: ask an idle peer whether it lives (RFC 9293 3.8.4) [0] */
    NSO_REUSEADDR,   /* bind where only TIME_WAITs are [0] */
    NSO_LINGER,      /* stream: seconds that a close may take, 0: reset, -1: off [-1] */
    NSO_SNDBUF,      /* bytes, up to 4 MiB; fixes what grows otherwise */
    NSO_RCVBUF,      /* bytes; a datagram socket's queue, or a stream's window likewise */
    NSO_ERROR,       /* read only: the pending error, positive; reading clears it */
    NSO_BROADCAST,   /* datagrams: may go to a broadcast address [0] */
    NSO_TTL,         /* hops, 1 to 255 [64] */
    NSO_TYPE,        /* read only: NS_STREAM ... */
    NSO_ACCEPTCONN,  /* read only: it listens */
    NSO_INQ,         /* read only: bytes that can be read now; of the next datagram */
    NSO_OUTQ,        /* read only, stream: bytes that the peer has not acknowledged */
    NSO_KEEPIDLE,    /* stream: seconds of silence before the first probe [7200] */
    NSO_KEEPINTVL,   /* stream: seconds between probes [75] */
    NSO_KEEPCNT,     /* stream: probes before it ends with ETIMEDOUT [9] */
    NSO_CONGESTION,  /* stream: enum ns_congestion; a listener's goes to what it accepts [NS_CUBIC] */
    NSO_REUSEPORT,   /* set before bind: other endpoints may serve the port, too [0] */
    NSO_TOS,         /* stream: differentiated services, as IP_TOS has them; the two low bits stay zero [0] */
    NSO_USER_TIMEOUT, /* stream: ms that text, or a SYN, may wait for its acknowledgement; 0: the default */
    NSO_V6ONLY,      /* set before bind: no IPv4 peers as ::ffff:a.b.c.d [0] */
};
/* -ENOPROTOOPT: not an option of this kind of socket, or read only; -EINVAL: a value that
 * cannot be, or too late; -ENOENT: no such congestion control. */
int ns_setopt(struct nsock *s, enum ns_opt o, int value);
int ns_getopt(struct nsock *s, enum ns_opt o, int *value); /* NSO_ERROR clears it */
/* The socket's user pointer (libc's descriptor). */
void ns_set_user(struct nsock *s, void *user);
void *ns_user(const struct nsock *s);
void ns_watch(struct nsock *s); /* from now on ns_env.changed is told about it */

/* For netstat: fill up to max records, return how many. */
struct ns_conn_info {
    uint8_t proto; /* NET_TCP ... */
    uint8_t state; /* enum tcp_state for TCP */
    struct ns_addr local, peer;
    uint32_t snd_queued, rcv_queued, cwnd, srtt_us, rto_ms;
    uint64_t retransmits;
};
unsigned ns_list(const struct netstack *ns, struct ns_conn_info *out, unsigned max);

/* What a stack counts: each with its meaning. */
#define NS_COUNTER_LIST(X)                                                                    \
    X(ip_in, "packets taken in")                                                              \
    X(ip_bad, "packets with a broken IP header")                                              \
    X(ip_out, "datagrams sent")                                                               \
    X(icmp_in, "ICMP messages taken in")                                                      \
    X(icmp_out, "ICMP messages sent")                                                         \
    X(udp_in, "datagrams taken in")                                                           \
    X(udp_bad, "datagrams with a broken UDP header")                                          \
    X(udp_noport, "datagrams to a port that no socket has")                                   \
    X(udp_full, "datagrams that found a full queue")                                          \
    X(udp_out, "UDP datagrams sent")                                                          \
    X(tcp_in, "segments taken in")                                                            \
    X(tcp_bad, "segments with a broken header or checksum")                                   \
    X(tcp_out, "segments sent")                                                               \
    X(tcp_retransmit, "segments sent again")                                                  \
    X(tcp_rst_in, "resets taken in")                                                          \
    X(tcp_rst_out, "resets sent")                                                             \
    X(tcp_ooo, "segments ahead of their turn")                                                \
    X(tcp_dup, "duplicate acknowledgements")                                                  \
    X(tcp_timeouts, "retransmission time-outs")                                               \
    X(tcp_accept_overflow, "connections that found a full accept queue")                      \
    X(tcp_conn_in, "connections accepted")                                                    \
    X(tcp_conn_out, "connections made")                                                       \
    X(tx_failed, "packets that the kernel did not send")                                      \
    X(tx_nobufs, "of these, for want of room at the link")                                    \
    X(sack_in, "acknowledgements with SACK blocks")                                           \
    X(dsack_in, "blocks that report what came twice")                                         \
    X(sack_reneged, "reports that the peer took back")                                        \
    X(recoveries, "fast recoveries")                                                          \
    X(rack_lost, "segments deemed lost, each time")                                           \
    X(tlp_sent, "loss probes")                                                                \
    X(tlp_repaired, "loss probes that repaired a loss by themselves")                         \
    X(tcp_spurious, "reductions undone: nothing had been lost")                               \
    X(unpinned, "connections on a shared port without a flow entry: a newcomer may get them") \
    X(cookies_sent, "SYN cookies sent (RFC 4987)")                                            \
    X(cookies_accepted, "connections made of cookies")                                        \
    X(cookies_refused, "acknowledgements that are no cookie of ours")                         \
    X(mtu_told, "path MTUs told by ICMP")                                                     \
    X(mtu_trials, "smaller sizes tried without being told")                                   \
    X(mtu_blackholes, "black holes found so")                                                 \
    X(mtu_raised, "path MTUs given another chance")
struct ns_counters {
#define X(name, text) uint64_t name;
    NS_COUNTER_LIST(X)
#undef X
};
const struct ns_counters *ns_counters(const struct netstack *ns);

/* --- moving a socket to another stack (slipway/handover.h) ---
 * Write it down: the length of the record, which is in buf if that is not more
 * than `room`; the socket stays as it is. -ENOTCONN: there is nothing that could
 * be moved (TCP before SYN_RCVD, or over); -EOPNOTSUPP: a raw socket, or one
 * whose port a group serves (the other process can join that instead). Fill in
 * registry_id, is_flow and token. */
int64_t ns_export(struct nsock *s, void *buf, size_t room);
/* The socket lives elsewhere now: it goes without a word to the peer, and its
 * flow, or its port, is not given back. */
void ns_forget(struct nsock *s);
/* Make it again. `taken`: what the port registry said when its packets were taken
 * over (id; for a port its secret), or NULL when they come here anyway. Nothing
 * is made when the record is damaged (-EINVAL), of another version
 * (-EPROTONOSUPPORT), of a connection that is here (-EADDRINUSE) or does not fit
 * (-ENOMEM, -EMFILE). A record flagged HANDOVERF_ORPHAN delivers what is left
 * and then goes by itself: *out is NULL. */
struct net_port_op;
int ns_import(struct netstack *ns, const void *buf, size_t n, const struct net_port_op *taken,
              struct nsock **out);

/* --- for netd: packets that it builds itself --- */
/* Queue a packet whose header is `hdr`; flags and link as in struct net_tx. */
/* More than NET_TX_HDR_MAX bytes go by the arena. 0, -EAGAIN (no room now) or
 * -EMSGSIZE (more than NS_RAW_MAX). */
#define NS_RAW_MAX 65535
int ns_send_raw(struct netstack *ns, const void *hdr, size_t n, unsigned tx_flags, uint16_t link,
                const uint8_t nexthop_mac[6]);
/* Pieces of an IPv4 datagram never completed it: time exceeded, code 1, to its sender.
 * `packet`: the first piece's header and first bytes. Rate-limited like other errors. */
void ns_reassembly_expired(struct netstack *ns, const void *packet, size_t n);

#endif
