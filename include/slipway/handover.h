/* SPDX-License-Identifier: MIT
 *
 * slipway/handover.h: a socket on its way from one process to another.
 *
 * Owns: the form in which libnet writes a socket down (ns_export) and makes one
 * again (ns_import): a TCP connection, a listener with the connections that wait
 * in it, or a UDP socket, each with its unread and unacknowledged bytes.
 *
 * A record is a struct handover, then the struct of its kind, then its data; all
 * parts begin at multiples of 8 bytes. Numbers are in host byte order (the form
 * never leaves the machine), addresses in network order, sequence numbers as on
 * the wire (RFC 9293 3.3.1 names them), times in nanoseconds. Ages and what is
 * left of timers count from `taken_ns`.
 *
 * Versions: a reader takes only the version that it knows. A field is added
 * together with a new version. What a record says is hostile input: the reader
 * checks every length, state and sequence number before it believes any.
 *
 * Who makes one: slipway_socket_export and slipway_socket_pack (slipway/sys.h).
 *
 * The packets: before it writes the record, the giver moves the connection's flow
 * (or the port) to a net endpoint that no stack reads, and offers it
 * (PORT_OFFER); `registry_id` and `token` are what the offer returned. The taker
 * shows them (PORT_TAKE), and the packets that came in between go along. The
 * record is therefore a key: who can read it can take the connection. libc gives
 * up what nobody has come for after 10 seconds, when the next socket leaves.
 */
#ifndef SLIPWAY_HANDOVER_H
#define SLIPWAY_HANDOVER_H

#include <slipway/net.h>
#include <stdint.h>

#define HANDOVER_MAGIC   0x4f484c53u /* "SLHO" */
#define HANDOVER_VERSION 3u

enum handover_kind { HANDOVER_TCP = 1, HANDOVER_LISTENER = 2, HANDOVER_UDP = 3, HANDOVER_SYN = 4 };

struct handover {
    uint32_t magic;
    uint16_t version;
    uint8_t kind; /* enum handover_kind */
    uint8_t family;
    uint64_t bytes;    /* of the whole record, this included, a multiple of 8 */
    uint64_t taken_ns; /* CLOCK_MONOTONIC when it was written */
    uint32_t registry_id; /* 0: the taker can receive the packets already */
    uint32_t is_flow;
    uint8_t token[NET_SECRET_BYTES];
    struct net_addr laddr, raddr; /* raddr all zero where there is no peer */
    uint16_t lport, rport;
    uint8_t ttl, tos;
    uint16_t flags; /* HANDOVERF_* */
    int32_t error;  /* pending on the socket, an errno, 0 for none */
    uint32_t registry_id4; /* HANDOVERF_DUAL: the same for the IPv4 port */
    uint8_t token4[NET_SECRET_BYTES];
    uint16_t scope; /* of link-local addresses: link index + 1, 0 for none */
    uint16_t pad2[3];
};
#define HANDOVERF_REUSEADDR 0x01u
#define HANDOVERF_BROADCAST 0x02u
#define HANDOVERF_ORPHAN    0x04u /* closed by its owner, still delivering */
#define HANDOVERF_CONNECTED 0x08u /* UDP: raddr and rport are its peer */
#define HANDOVERF_RD_SHUT   0x10u
#define HANDOVERF_WR_SHUT   0x20u
#define HANDOVERF_MAPPED    0x40u /* IPv6 socket, IPv4 on the wire: addresses are IPv4's */
#define HANDOVERF_DUAL      0x80u /* IPv6 socket that serves IPv4, too, by a port of the same number */
#define HANDOVERF_V6ONLY    0x100u
#define HANDOVERF_INET6     (HANDOVERF_MAPPED | HANDOVERF_DUAL | HANDOVERF_V6ONLY) /* only with NET_INET6 */
#define HANDOVERF_KNOWN     0x1ffu

/* A connection from SYN_RCVD to LAST_ACK and FIN_WAIT_2. Behind it: rcv_bytes that
 * nobody has read; snd_bytes from buf_seq on, sent or not; then `pieces` times
 * struct handover_piece with its bytes. Each of these is padded to 8 bytes. */
struct handover_tcp {
    uint8_t state; /* enum tcp_state */
    uint8_t snd_wscale, rcv_wscale, backoff, probes, dupacks, ack_pending, pad;
    uint32_t flags; /* HANDOVER_TCPF_* */
    uint16_t mss_peer, path_mtu;
    /* send sequence */
    uint32_t iss, snd_una, snd_nxt, snd_max, snd_wnd, snd_wl1, snd_wl2, max_wnd, snd_sml, buf_seq;
    /* receive sequence */
    uint32_t irs, rcv_nxt, rcv_adv, last_ack_sent, fin_at;
    /* time stamps (RFC 7323): ours is this at taken_ns and ticks every ms */
    uint32_t ts_now, ts_recent;
    /* round trip (RFC 6298), congestion (RFC 5681) */
    uint32_t srtt_us, rttvar_us, cwnd, ssthresh, recover, cc_acked, user_timeout_ms;
    char cc[8]; /* name of the algorithm; the reader begins anew with one that it lacks */
    uint64_t cc_priv[4];
    uint64_t rto_ns, retransmits;
    /* ages */
    uint64_t ts_recent_age_ns, progress_age_ns, heard_age_ns, sent_age_ns, opened_age_ns;
    /* left until they fire, HANDOVER_NEVER for those that do not run */
    uint64_t rtx_ns, delack_ns, misc_ns;
    /* options */
    uint32_t sndbuf_limit, rcvbuf_limit, keep_idle_s, keep_interval_s, keep_probes;
    int32_t linger_s;
    uint32_t rcv_bytes, snd_bytes, pieces, pad2;
};
#define HANDOVER_NEVER UINT64_MAX
#define HANDOVER_TCPF_TS           0x001u
#define HANDOVER_TCPF_SACK         0x002u
#define HANDOVER_TCPF_WSCALE       0x004u
#define HANDOVER_TCPF_NODELAY      0x008u
#define HANDOVER_TCPF_KEEPALIVE    0x010u
#define HANDOVER_TCPF_RD_EOF       0x020u
#define HANDOVER_TCPF_FIN_QUEUED   0x040u
#define HANDOVER_TCPF_FIN_SEEN     0x080u
#define HANDOVER_TCPF_ACK_NOW      0x100u
#define HANDOVER_TCPF_RECOVERY     0x200u
#define HANDOVER_TCPF_PARTIAL      0x400u
#define HANDOVER_TCPF_PERSIST      0x800u
#define HANDOVER_TCPF_SYN_REPEATED 0x1000u
#define HANDOVER_TCPF_SNDBUF_FIXED 0x2000u /* the application chose the size: it does not grow */
#define HANDOVER_TCPF_RCVBUF_FIXED 0x4000u
#define HANDOVER_TCPF_KNOWN        0x7fffu

struct handover_piece { /* bytes that came ahead of their turn */
    uint32_t seq, len;
};

/* A listener. Behind it: `records` whole records, of kind HANDOVER_TCP (nobody
 * has accepted them) and HANDOVER_SYN (half open). */
struct handover_listener {
    uint32_t backlog, records;
    uint32_t flags; /* HANDOVER_TCPF_NODELAY, _KEEPALIVE, _FIXED: for what it will accept */
    uint32_t sndbuf_limit, rcvbuf_limit, keep_idle_s, keep_interval_s, keep_probes;
    int32_t linger_s;
    uint32_t pad;
};

struct handover_syn { /* we have answered a SYN and wait for the third part */
    uint32_t iss, irs, ts_now, ts_recent, snd_wnd;
    uint16_t mss_peer, mss_own, window;
    uint8_t snd_wscale, retries;
    uint32_t flags; /* HANDOVER_TCPF_TS, _SACK, _WSCALE */
    uint32_t pad[2];
    uint64_t age_ns, timer_ns;
};

/* A UDP socket. Behind it: `count` times struct handover_dgram and its bytes,
 * padded to 8. */
struct handover_udp {
    uint32_t rcvbuf_limit, count;
};
struct handover_dgram {
    struct net_addr addr;
    uint16_t port, link, len;
    uint8_t family, pad;
};

#endif
