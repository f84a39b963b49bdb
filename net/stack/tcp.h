/* SPDX-License-Identifier: MIT
 *
 * net/stack/tcp.h: the transmission control block and what TCP's files share.
 *
 * Owns: struct tcb (one connection or listener, and its socket), struct tcp_syn
 * (half open), struct tcp_tw (TIME_WAIT). Field names follow RFC 9293 3.3.1.
 *
 *   tcp_input.c   a segment arrives: demultiplex, the states of RFC 9293 3.10.7
 *   tcp_ack.c     what an acknowledgement does: RTT, buffers, windows, NewReno
 *   tcp_sack.h    its part for connections with SACK: tcp_sack.c tcp_rack.c
 *                 tcp_recover.c tcp_sack_rcv.c
 *   tcp_reass.c   text in and out of order
 *   tcp_output.c  what may be sent now; building segments
 *   tcp_timer.c   retransmission, persist, delayed ACK, keep-alive, time-outs
 *   tcp_cc*.c     congestion control behind struct tcp_cc
 *   tcp_buf.c     how much it may buffer
 *   tcp_listen.c  SYN queue and accept queue
 *   tcp_cookie.c  SYN cookies, when the queue is full
 *   tcp_conn.c    creation, look-up, end, TIME_WAIT
 *   tcp_mtu.c     path MTU: ICMP, black holes
 *   tcp_sock.c    what the socket calls do to a connection
 */
#ifndef NET_STACK_TCP_H
#define NET_STACK_TCP_H

#include <net/stack/ns.h>
#include <net/stack/tcp_sack.h>

#define TCP_FIN 0x01u
#define TCP_SYN 0x02u
#define TCP_RST 0x04u
#define TCP_PSH 0x08u
#define TCP_ACK 0x10u

/* Sequence arithmetic, modulo 2^32 (RFC 9293 3.4). */
static inline bool seq_lt(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}
static inline bool seq_leq(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) <= 0;
}
static inline bool seq_gt(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0;
}
static inline bool seq_geq(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) >= 0;
}

/* Times. Each deviation from an RFC's number says why. */
#define TCP_RTO_INITIAL (1 * NS_SEC)
#define TCP_RTO_MAX     (60 * NS_SEC)
#define TCP_RTO_VAR_MIN                                                                                      \
    (200 * NS_MS)                        /* RFC 6298 2.4 wishes RTO >= 1 s; a floor of 200 ms on the         \
                                            variance term outlasts a peer's delayed ACK and recovers sooner */
#define TCP_DELACK          (40 * NS_MS) /* RFC 1122 4.2.3.2: below 500 ms */
#define TCP_CONNECT_LIMIT   (30 * NS_SEC)
#define TCP_GIVE_UP         (180 * NS_SEC) /* R2, RFC 1122 4.2.3.5: at least 100 s */
#define TCP_GIVE_UP_ORPHAN  (120 * NS_SEC) /* nobody waits for it, but R2 holds */
#define TCP_ORPHAN_LIMIT    (60 * NS_SEC)  /* in FIN_WAIT_2 */
#define TCP_SYN_RETRIES     5
#define TCP_KEEP_IDLE_S     7200
#define TCP_KEEP_INTERVAL_S 75
#define TCP_KEEP_PROBES     9
#define TCP_PAWS_IDLE       (24ull * 24 * 3600 * NS_SEC) /* RFC 7323 5.5 */

#define TCP_MSS_DEFAULT  536u  /* RFC 9293 3.7.1, of a peer that does not say; IPv4 */
#define TCP_MSS_DEFAULT6 1220u /* IPv6 */
#define TCP_MSS_MIN     88u                             /* below it a peer would have us send headers only */
#define TCP_MSS_MAX     ((NET_TX_SEGS - 1) * BLK_BYTES) /* lies in NET_TX_SEGS pieces wherever it begins */
#define TCP_QUICK_ACKS  32u /* after a gap: a sender with few segments in flight must not wait for its ACK */
#define TCP_OOO_MAX     64u                             /* separate pieces kept out of order */
#define TCP_WSCALE_MAX  14

/* --- who is behind a 4-tuple ----------------------------------------------- */
enum tcp_node_kind { NODE_TCB, NODE_SYN, NODE_TW };
struct tcp_node {
    struct tcp_node *next;
    uint32_t hash;
    uint16_t lport, rport;
    struct net_addr laddr, raddr;
    uint32_t net; /* of both addresses: ns_net() */
    uint8_t kind, pad[3];
};

/* --- send buffer: a chain of arena blocks (sndbuf.c) ----------------------- */
struct sndbuf {
    uint32_t head, tail;         /* blocks, NS_NONE when empty */
    uint32_t head_off, tail_end; /* first byte in head; end of the bytes in tail */
    uint32_t bytes;
    uint32_t cur, cur_off; /* a block on the way and its first byte's offset in the buffer */
};
void sndbuf_init(struct sndbuf *b);
bool sndbuf_room(const struct netstack *ns, const struct sndbuf *b); /* may one more byte be put? */
uint32_t sndbuf_put(struct netstack *ns, struct sndbuf *b, struct tcb *owner, const void *data, uint32_t n);
void sndbuf_drop(struct netstack *ns, struct sndbuf *b, uint32_t n);
void sndbuf_free(struct netstack *ns, struct sndbuf *b);
/* The bytes [off, off+len): copied, or as segments of a transmit record. The
 * latter shortens *len if it must, and adds the bytes' checksum to *sum unless
 * that is NULL. */
void sndbuf_copy(struct netstack *ns, struct sndbuf *b, uint32_t off, void *dst, uint32_t len);
void sndbuf_segs(struct netstack *ns, struct sndbuf *b, uint32_t off, uint32_t *len, struct net_tx *tx,
                 uint64_t *sum);

/* --- slow lines ---------------------------------------------------------------
 * On a serial line one full segment waits in the kernel beside the one that is
 * being sent, no more: its queue is short, and what lies in it can be overtaken
 * by nothing. So the line's own queue is never mistaken for the path's. */
#define TCP_SLOW_LINE_BPS 1000000u

/* --- congestion control ----------------------------------------------------- */
struct tcb;
struct tcp_cc {
    const char *name;
    /* cwnd grows by what was acknowledged, as it was used up; not called in recovery. */
    void (*acked)(struct tcb *t, uint32_t bytes);
    uint32_t (*ssthresh)(struct tcb *t); /* a loss was found: the new ssthresh, in bytes */
    void (*timeout)(struct tcb *t);      /* after ssthresh, when it was found by a time-out; or NULL */
    void (*restart)(struct tcb *t);      /* after an idle time, or NULL */
};
extern const struct tcp_cc tcp_cc_newreno, tcp_cc_cubic;
/* What an algorithm keeps is in cc_priv; all zero is how it begins. */
void tcp_cc_init(struct tcb *t);
void tcp_cc_set(struct tcb *t, const struct tcp_cc *cc);
const struct tcp_cc *tcp_cc_by_id(int id); /* enum ns_congestion; NULL: none */
const struct tcp_cc *tcp_cc_by_name(const char *name, size_t n);
int tcp_cc_id(const struct tcp_cc *cc);
void tcp_cc_slow_start(struct tcb *t, uint32_t bytes);
uint32_t tcp_cc_flight(const struct tcb *t); /* FlightSize, before the loss */
uint32_t tcp_initial_window(const struct tcb *t);

/* --- out of order ------------------------------------------------------------ */
struct ooo {
    struct ooo *next;
    uint32_t seq, end;
    uint32_t stamp; /* grows with each change: SACK reports the newest first */
    struct bufq q;
};

struct tcp_listener {
    uint32_t backlog, accepts, syns;
    struct tcb *accept_head, *accept_tail;
    struct tcp_syn *syn_head, *syn_tail; /* oldest first */
    uint64_t cookies_until_ns;           /* an ACK out of nowhere may hold a cookie */
};

struct tcb {
    struct nsock s;
    struct tcp_node node;
    uint32_t flow_id;
    uint8_t state; /* enum tcp_state */
    bool hashed;
    bool ts_on, sack_ok, nodelay, keepalive, rd_shut, rd_eof;
    bool fin_queued; /* our side is closed: a FIN follows the buffer */
    bool ack_now;    /* an ACK must go out */
    bool fin_seen;   /* the peer's FIN has arrived, maybe ahead of its turn */
    bool in_outq, timing, in_recovery, partial_seen, persisting, wscale_on, syn_repeated;
    bool snd_auto, rcv_auto; /* buffers grow */
    bool line_full;  /* the kernel took no more: try again when rtx fires */
    uint8_t snd_wscale, rcv_wscale, dupacks, backoff, probes, ack_pending;
    uint16_t snd_mss;  /* payload of a full segment with our options */
    uint16_t mss_peer; /* MSS option, or the default */
    uint16_t mtu_before; /* path.mtu before the trial (tcp_mtu.c) */
    uint8_t mtu_trial;   /* smaller packets are being tried */
    uint32_t mtu_una;    /* snd_una when that began */
    uint8_t ip_bytes;  /* of our IP header */
    uint32_t label;    /* the first word: IPv6 with the flow label, IPv4 without the length */
    struct tcb *outq_next;

    /* send */
    uint32_t iss, snd_una, snd_nxt, snd_max, snd_wnd, snd_wl1, snd_wl2, max_wnd, snd_sml;
    uint32_t buf_seq; /* sequence number of snd's first byte */
    uint32_t line_blk;           /* first block of the last segment sent, NS_NONE: none */
    uint32_t line_seq, line_len; /* and which bytes it carried */
    struct sndbuf snd;
    uint32_t sndbuf_limit; /* more as cwnd grows while snd_auto (tcp_buf.c) */
    uint64_t ip_sum; /* checksum of our IPv4 header but for its length */
    uint64_t pseudo; /* of the pseudo-header but for its length */
    /* receive */
    uint32_t irs, rcv_nxt, rcv_adv, last_ack_sent;
    uint32_t rcvbuf_limit;
    uint32_t rcv_grown;    /* how much of it was granted later */
    uint32_t rcv_space;    /* bytes that were read in the last measured round trip */
    uint64_t rcv_taken, rcv_round_ns; /* bytes read since then */
    struct bufq rcv;
    uint8_t *post; /* the application's buffer (ns_post), or NULL */
    uint32_t post_room, post_len;
    struct ooo *ooo;
    uint32_t ooo_n, ooo_stamp;
    uint32_t dsack_seq, dsack_end; /* came twice, to be reported once while dsack_on */
    bool dsack_on;
    uint8_t quick_acks; /* segments that are acknowledged at once: losses are about */
    uint32_t fin_at; /* where the peer's FIN stands, once fin_seen */
    /* time stamps, RFC 7323 */
    uint32_t ts_recent, ts_offset;
    uint64_t ts_recent_ns;
    /* round trip, RFC 6298 */
    uint32_t srtt_us, rttvar_us, rtt_seq;
    uint64_t rto_ns, rtt_start_ns;
    uint64_t progress_ns; /* last time the peer acknowledged something new */
    uint64_t heard_ns;    /* last valid segment (keep-alive) */
    uint64_t sent_ns;     /* last data sent (idle restart) */
    uint64_t opened_ns;
    /* congestion */
    const struct tcp_cc *cc;
    uint32_t cwnd, ssthresh, recover, cc_acked;
    uint32_t cwnd_full; /* snd_nxt when cwnd last held text back */
    uint32_t flight_peak[2]; /* most in flight: since the last measured round trip, and in it */
    uint64_t cc_priv[4];
    struct tcp_recovery rc;
    uint64_t retransmits;
    /* challenge ACKs, RFC 5961 */
    uint64_t challenge_ns;
    uint32_t challenges_left;

    uint32_t keep_idle_s, keep_interval_s, keep_probes;
    uint32_t user_timeout_ms; /* RFC 5482; 0: TCP_GIVE_UP, TCP_CONNECT_LIMIT */
    int soft_error;           /* what an ICMP error said, and when */
    uint64_t soft_error_ns;
    int linger_s;
    struct ns_timer rtx, delack, misc;
    struct ip_path path;
    struct tcp_listener *listener; /* a listener's own queues */
    struct tcb *parent;            /* a connection that waits for accept */
    struct tcb *accept_next;
};
#define TCB_TIMERS 3

struct tcp_syn {
    struct tcp_node node;
    struct ns_timer timer;
    struct tcb *parent;
    struct tcp_syn *prev, *next;
    struct ns_port *port;
    uint32_t flow_id; /* its flow entry, 0 for none; likewise below */
    uint32_t iss, irs, ts_recent, ts_offset, snd_wnd;
    uint16_t mss_peer, mss_own, window;
    uint8_t snd_wscale, retries;
    bool ts_on, wscale_on, sack_ok;
    uint64_t started_ns;
};

struct tcp_tw {
    struct tcp_node node;
    struct tcp_tw *prev, *next;
    struct ns_port *port;
    struct netstack *ns;
    uint32_t flow_id;
    uint32_t snd_nxt, rcv_nxt, ts_recent, ts_offset;
    uint16_t window;
    bool ts_on;
    uint64_t expires_ns, ack_ns;
};

/* --- a received segment ------------------------------------------------------ */
struct tcp_in {
    const struct ip_in *ip;
    uint32_t seq, ack, wnd; /* wnd as it stands in the header */
    uint32_t len;           /* bytes of text */
    const uint8_t *data;
    uint16_t sport, dport;
    uint8_t flags;
    bool has_text; /* as it arrived; len may have been cut */
    bool ts_on, sack_ok, wscale_on;
    uint8_t wscale;
    uint16_t mss; /* 0 when absent */
    uint32_t tsval, tsecr;
    uint32_t sack_n; /* blocks, of 8 bytes each, at sack */
    const uint8_t *sack;
    /* Text that was copied while its checksum was taken (tcp_text_early). */
    enum { EARLY_NONE, EARLY_QUEUE, EARLY_POST } early_in;
    uint32_t early_len;
    struct bufq_early early;
};

/* tcp_opt.c */
void tcp_parse_options(struct tcp_in *in, const uint8_t *opt, uint32_t n);
unsigned tcp_put_ts(uint8_t *p, uint32_t val, uint32_t ecr);
unsigned tcp_put_syn_options(uint8_t *p, uint16_t mss, int wscale, bool sack, bool ts, uint32_t tsval,
                             uint32_t tsecr);

/* tcp_conn.c */
uint32_t tcp_hash(const struct netstack *ns, const struct net_addr *l, const struct net_addr *r,
                  uint16_t lport, uint16_t rport);
struct tcp_node *tcp_lookup(struct netstack *ns, uint32_t net, const struct net_addr *l,
                            const struct net_addr *r, uint16_t lport, uint16_t rport);
void tcp_link(struct netstack *ns, struct tcp_node *n);
void tcp_unlink(struct netstack *ns, struct tcp_node *n);
uint32_t tcp_new_iss(struct netstack *ns, const struct ns_port *port, const struct tcp_node *n);
uint32_t tcp_new_ts_offset(const struct ns_port *port, const struct tcp_node *n);
struct tcb *tcb_new(struct netstack *ns, uint32_t net);
static inline struct ns_port *tcp_listener_port(const struct tcb *l, uint32_t net)
{
    return sock_dual(&l->s) && net_family(net) == NET_INET ? l->s.port4 : l->s.port;
}
static inline uint16_t tcp_mss_default(uint32_t net)
{
    return net_family(net) == NET_INET6 ? TCP_MSS_DEFAULT6 : TCP_MSS_DEFAULT;
}
static inline uint16_t tcp_mss_own(uint32_t net, const struct ip_path *path) /* our MSS option */
{
    return (uint16_t)(path->mtu - ip_header_bytes(net) - 20);
}
uint32_t tcp_line_window(const struct ip_path *path, uint32_t limit);
void tcb_set_path(struct tcb *t, const struct ip_path *path);
void tcb_set_mss(struct tcb *t);
void tcb_established(struct tcb *t);
void tcb_abort(struct tcb *t, int err, bool rst); /* err: what the socket sees */
void tcb_end(struct tcb *t);                      /* CLOSED; its memory goes when nobody holds it */
void tcb_unbind(struct tcb *t);
void tcb_time_wait(struct tcb *t);
void tcb_free(struct tcb *t);
void tw_input(struct netstack *ns, struct tcp_tw *w, struct tcp_in *in);
void tw_free(struct netstack *ns, struct tcp_tw *w);
void tw_timer(struct netstack *ns, struct ns_timer *t);
uint8_t tcp_rcv_wscale(uint32_t rcvbuf);
void tcb_names(struct tcb *t); /* what getsockname and getpeername say */

/* tcp_input.c */
void tcp_input(struct netstack *ns, const struct ip_in *ip);
void tcp_segment(struct tcb *t, struct tcp_in *in);
void tcp_challenge(struct tcb *t);
bool tcp_error(struct netstack *ns, uint32_t net, const struct net_addr *l, const struct net_addr *r,
               uint16_t lport, uint16_t rport, uint32_t seq, int err, uint16_t mtu);
/* tcp_ack.c; false: the segment goes no further */
bool tcp_ack(struct tcb *t, const struct tcp_in *in);
void tcp_rtt_sample(struct tcb *t, uint64_t rtt_ns);
void tcp_repeat_first(struct tcb *t); /* send the segment at snd_una again */
void tcp_enter_loss(struct tcb *t);
/* tcp_reass.c; true when something was delivered in order */
void tcp_text(struct tcb *t, struct tcp_in *in);
/* Copy the text where it will most likely go and add it to the sum, ahead of any
 * check: nothing else is touched. False: it was not done. */
bool tcp_text_early(struct tcb *t, struct tcp_in *in, uint64_t *sum);
void tcp_ooo_free(struct tcb *t);
void tcp_ooo_put(struct tcb *t, uint32_t seq, const uint8_t *data, uint32_t len); /* seq beyond rcv_nxt */

/* tcp_output.c */
void tcp_output(struct tcb *t);
/* Returns the bytes of text sent (fewer than len when pieces ran out), -1: no room. */
int tcp_xmit(struct tcb *t, uint32_t seq, uint32_t len, uint8_t flags);
uint32_t tcp_window_edge(const struct tcb *t);
struct tcp_ctl { /* a segment that needs no connection: RST, SYN-ACK, TIME_WAIT's ACK */
    const struct net_addr *src, *dst;
    uint16_t sport, dport, window;
    uint32_t net;
    uint8_t flags, ttl, tos; /* ttl 0: the usual one */
    uint32_t seq, ack;
    uint8_t opt[40];
    uint32_t opt_len;
};
void tcp_send_ctl(struct netstack *ns, const struct tcp_ctl *c);
void tcp_reset_for(struct netstack *ns, const struct tcp_in *in); /* RST that answers `in` */
void tcp_send_rst(struct tcb *t);
void tcp_later(struct tcb *t); /* output again when there is room */
bool tcp_line_busy(const struct tcb *t);
static inline uint32_t tcp_ts_now(const struct netstack *ns, uint32_t offset)
{
    return (uint32_t)(ns->now / NS_MS) + offset;
}
static inline bool tcb_orphan(const struct tcb *t) /* the application is through with it */
{
    return t->s.closed && t->parent == NULL;
}
static inline uint32_t tcp_fin_seq(const struct tcb *t)
{
    return t->buf_seq + t->snd.bytes;
}

static inline bool tcp_unsent(const struct tcb *t) /* text or a FIN that has not been sent (again) */
{
    return t->snd_nxt != tcp_fin_seq(t) + (t->fin_queued ? 1 : 0);
}

/* What is in the network, as far as we know (RFC 6675's pipe). */
static inline uint32_t tcp_pipe(const struct tcb *t)
{
    return t->snd_nxt - t->snd_una - t->rc.sacked - t->rc.lost;
}

/* Segments that leave at the same moment still have an order: each is stamped a
 * nanosecond later than the one before. */
static inline uint64_t tcp_rec_stamp(struct tcb *t)
{
    uint64_t now = t->s.ns->now;

    return t->rc.stamp_ns = now > t->rc.stamp_ns ? now : t->rc.stamp_ns + 1;
}

/* The segment from snd_nxt to `end` was sent; tcp_rec_room has made room. */
static inline void tcp_rec_push(struct tcb *t, uint32_t end, bool again)
{
    struct tcp_recovery *c = &t->rc;

    if (c->n == 0 && t->snd_nxt != t->snd_una)
        return; /* untracked */
    c->rec[c->head + c->n++] = (struct tcp_rec){
        .sent_ns = tcp_rec_stamp(t), .seq = t->snd_nxt, .end = end, .flags = again ? REC_RETRANS : 0};
}

/* tcp_buf.c */
uint32_t tcp_sndbuf_grown(const struct tcb *t);
void tcp_rcvbuf_round(struct tcb *t);
void tcp_rcvbuf_fix(struct tcb *t, uint32_t bytes);
void tcp_rcvbuf_end(struct tcb *t);
static inline uint32_t tcp_sndbuf(const struct tcb *t) /* bytes that may wait to be sent or acknowledged */
{
    return t->snd_auto ? tcp_sndbuf_grown(t) : t->sndbuf_limit;
}
static inline void tcp_taken(struct tcb *t, uint32_t n) /* by the application */
{
    t->rcv_taken += n;
    if (t->rcv_taken > t->rcvbuf_limit / 4 && t->rcv_auto)
        tcp_rcvbuf_round(t);
}
/* The window stays open while up to a quarter of the buffer waits to be read, and
 * memory for so much more may be used: else an ACK that goes out before the
 * application has had its turn would always offer less than the buffer. Who asked
 * for a small buffer wanted to save memory: then the limit is exact. */
#define TCP_RCVBUF_SMALL (16u * 1024)
static inline uint32_t tcp_rcv_room(const struct tcb *t)
{
    uint32_t slack = t->rcvbuf_limit >= TCP_RCVBUF_SMALL ? t->rcvbuf_limit / 4 : 0;
    uint32_t most = t->rcvbuf_limit + slack, room = t->rcv.bytes < most ? most - t->rcv.bytes : 0;

    return room < t->rcvbuf_limit ? room : t->rcvbuf_limit;
}
static inline uint32_t tcp_rcv_most(const struct tcb *t) /* the window that the scale must allow */
{
    uint32_t most = t->rcv_auto ? t->s.ns->cfg.tcp_rcvbuf_max : 0;

    return most > t->rcvbuf_limit ? most : t->rcvbuf_limit;
}

/* tcp_timer.c */
void tcp_timers_init(struct tcb *t);
void tcp_rtx_restart(struct tcb *t); /* something new was acknowledged, or is the first in flight */
void tcp_arm_rtx(struct tcb *t);
void tcp_arm_keepalive(struct tcb *t);
void tcp_tx_failed(struct tcb *t, int status);
uint64_t tcp_rto(const struct tcb *t);
uint64_t tcp_line_ns(const struct tcb *t, uint32_t bytes); /* what a slow line needs for them; else 0 */

/* tcp_listen.c */
void tcp_listen_syn(struct netstack *ns, struct tcb *l, struct tcp_in *in, uint32_t iss_above, bool reuse);
void tcp_syn_segment(struct netstack *ns, struct tcp_syn *y, struct tcp_in *in);
void tcp_syn_drop(struct netstack *ns, struct tcp_syn *y);
void tcp_listener_close(struct tcb *l);
void tcp_accept_remove(struct tcb *t);
void tcp_accept_append(struct tcb *l, struct tcb *t);
struct tcp_syn *tcp_syn_new(struct netstack *ns, struct tcb *l, const struct tcp_node *name);
void tcp_syn_name(struct tcp_syn *y, struct tcb *l, const struct tcp_in *in);
void tcp_send_syn_ack(struct netstack *ns, const struct tcp_syn *y);
struct tcb *tcp_establish(struct netstack *ns, struct tcp_syn *y, struct tcp_syn *queued);

/* tcp_mtu.c */
void tcp_mtu_timeout(struct tcb *t);
void tcp_mtu_acked(struct tcb *t);
void tcp_mtu_told(struct tcb *t, uint16_t mtu);
void tcp_mtu_raise(struct netstack *ns, const struct net_addr *dst);

/* tcp_cookie.c */
void tcp_cookie_expect(struct netstack *ns, struct tcp_listener *q);
void tcp_cookie_send(struct netstack *ns, struct tcp_syn *y);
bool tcp_cookie_ack(struct netstack *ns, struct tcb *l, struct tcp_in *in);

/* handover_tcp.c */
struct handover;
bool tcp_exportable(const struct tcb *t);
uint64_t tcp_export_bytes(const struct tcb *t);
void tcp_export(struct tcb *t, struct handover *h);
int tcp_import(struct netstack *ns, const struct handover *h, uint32_t flow_id, struct tcb **out);
void tcp_forget(struct tcb *t);
uint32_t handover_net(const struct handover *h);
void handover_name(struct handover *h, uint32_t net); /* of the family that is on the wire */
void handover_head(const struct nsock *s, struct handover *h, uint8_t kind, uint64_t bytes);

/* tcp_sock.c */
int tcp_socket(struct netstack *ns, uint8_t family, struct nsock **out);
int tcp_bind(struct tcb *t, const struct ns_addr *a);
int tcp_listen(struct tcb *t, int backlog);
int tcp_accept(struct tcb *l, struct nsock **out, struct ns_addr *peer);
int tcp_connect(struct tcb *t, const struct ns_addr *a);
int tcp_send(struct tcb *t, const void *buf, size_t n);
int tcp_recv(struct tcb *t, void *buf, size_t n, int flags);
int tcp_post(struct tcb *t, void *buf, size_t n);
int tcp_posted(struct tcb *t);
int tcp_shutdown(struct tcb *t, int how);
void tcp_close(struct tcb *t);
unsigned tcp_events(const struct tcb *t);
void tcp_readable(struct tcb *t); /* after rcv changed: window update if due */

#endif
