/* SPDX-License-Identifier: MIT
 *
 * net/stack/tcp_sack.h: what a sender remembers of the segments in flight, and
 * what it concludes from their acknowledgement: the scoreboard (RFC 2018, RFC
 * 6675), RACK-TLP (RFC 8985), proportional rate reduction (RFC 6937), and the
 * undoing of a reduction that was a mistake (RFC 3522, RFC 4015).
 *
 * Owns: struct tcp_recovery, a part of struct tcb. Included by tcp.h only.
 *
 *   tcp_sack.c      the scoreboard: records of segments, in sequence order
 *   tcp_sack_rcv.c  the receiver's side: which blocks an acknowledgement reports
 *   tcp_rack.c      which segments are lost; the loss probe
 *   tcp_recover.c   entering and leaving recovery, how much may be sent in it
 *
 * The records exist only on a connection with SACK; beyond the first few only
 * while so many are in flight. They cover [snd_una, snd_nxt) without a gap. Without
 * SACK there are none: then duplicate ACKs and the retransmission timer do what
 * they do in NewReno (tcp_ack.c).
 */
#ifndef NET_STACK_TCP_SACK_H
#define NET_STACK_TCP_SACK_H

#include <stdbool.h>
#include <stdint.h>

#define TCP_RECS_OWN 4u    /* in the connection itself: a request or a short answer */
#define TCP_RECS_FEW 16u   /* the first array beyond; the stack keeps some of them */
#define TCP_RECS_MAX 8192u /* segments in flight; beyond it sending waits for ACKs (C-SACK-1) */
#define TCP_RECS_KEPT 32u

#define REC_SACKED  1u /* the peer has it */
#define REC_LOST    2u /* deemed lost and not sent again since */
#define REC_RETRANS 4u /* sent more than once */
struct tcp_rec {
    uint64_t sent_ns;  /* the last time; tells any two apart */
    uint32_t seq, end; /* a FIN counts */
    uint16_t run;      /* SACKED: so many records from here on are, at least */
    uint8_t flags, pad[5];
};

enum tcp_rtx_kind { RTX_RTO = 0, RTX_TLP, RTX_REO }; /* what the timer rtx waits for */

#define TCP_TLP_MAX 3u /* probes without an answer before it is left to the RTO */

struct tcp_recovery {
    /* scoreboard */
    struct tcp_rec *rec, own[TCP_RECS_OWN]; /* rec: own, or an array */
    uint32_t head, n, room;
    uint32_t sacked, lost; /* bytes of records so flagged; no record is both */
    uint32_t sacked_n;     /* records */
    uint32_t lost_from;    /* no record before it is LOST */
    bool attend;           /* an ACK needs more than the usual: see tcp_recovery */
    bool in_loss;          /* after a time-out, until `recover` is acknowledged */
    uint8_t rtx_kind;
    bool lone; /* rtx was armed with one small flight out, with time for a delayed ACK */
    /* RACK, named as in RFC 8985 5.3 */
    uint64_t stamp_ns; /* of the last segment sent */
    uint64_t xmit_ns, rtt_ns, min_rtt_ns, min_rtt_at;
    uint64_t reo_at; /* when the next records are deemed lost; 0: none wait */
    uint64_t rto_at; /* when rtx means a time-out, whatever it waits for before */
    uint32_t fack, fack_was, dsack_round; /* fack_was: before the ACK that is looked at */
    uint8_t reo_wnd_mult, reo_wnd_persist;
    bool reordering_seen, dsack_round_on, dsack_now;
    /* TLP */
    bool tlp_on, tlp_is_retrans;
    uint8_t tlp_n; /* probes since something was last delivered */
    uint32_t tlp_end_seq, tlp_ts;
    /* PRR */
    uint32_t prr_delivered, prr_out, recover_fs;
    /* undo */
    bool undo_on, repeated; /* repeated: something in flight was sent again, first at repeat_ts */
    uint32_t repeat_ts, undo_ts, undo_cwnd, undo_ssthresh;
    uint64_t undo_priv[4];
};

struct tcb;
struct tcp_in;
struct netstack;

/* tcp_sack.c */
bool tcp_rec_room(struct tcb *t);              /* may one more segment be sent? */
void tcp_rec_shrink(struct tcb *t);            /* none is left: back to `own` */
void tcp_rec_forget(struct tcb *t);            /* what flies is not tracked any more */
void tcp_rec_pool_free(struct netstack *ns);
uint32_t tcp_rec_at(const struct tcb *t, uint32_t seq); /* index of the first with seq >= this one's */
uint64_t tcp_rec_sent_once(const struct tcb *t, uint32_t ack); /* when, of the last that ack covers; 0: no such */
void tcp_rec_lost(struct tcb *t, struct tcp_rec *r);
void tcp_rec_unsend(struct tcb *t, uint32_t seq, bool all); /* the segment at seq never left */
void tcp_rec_rebuild(struct tcb *t);           /* after a hand-over */
void tcp_rec_renege(struct tcb *t);
bool tcp_rec_split(struct tcb *t, uint32_t i, uint32_t bytes);
uint32_t tcp_sack_advance(struct tcb *t, const struct tcp_in *in); /* bytes newly delivered by snd_una's advance */
uint32_t tcp_sack_blocks(struct tcb *t, const struct tcp_in *in); /* bytes newly delivered, says the option */
/* tcp_sack_rcv.c */
unsigned tcp_sack_put(struct tcb *t, uint8_t *p, uint32_t room);
uint32_t tcp_sack_bytes(const struct tcb *t);
void tcp_dsack(struct tcb *t, uint32_t seq, uint32_t end);
/* tcp_rack.c */
void tcp_rack_update(struct tcb *t, const struct tcp_in *in, const struct tcp_rec *r, bool cumulative);
void tcp_rack_detect(struct tcb *t);
void tcp_rack_dsack(struct tcb *t, bool left_recovery);
void tcp_rack_on_rto(struct tcb *t);
bool tcp_tlp_acked(struct tcb *t, const struct tcp_in *in, bool advanced); /* true: it repaired a loss */
void tcp_tlp_fire(struct tcb *t);
void tcp_reo_fire(struct tcb *t);
void tcp_rtx_schedule(struct tcb *t);
/* tcp_recover.c */
void tcp_recovery_init(struct tcb *t);
void tcp_recovery(struct tcb *t, const struct tcp_in *in, uint32_t delivered, bool advanced);
void tcp_recovery_enter(struct tcb *t);
void tcp_prr(struct tcb *t, uint32_t delivered);
void tcp_undo_save(struct tcb *t);
bool tcp_undo(struct tcb *t, const struct tcp_in *in);
bool tcp_retransmit(struct tcb *t, uint32_t i); /* false: no room now */
void tcp_repeat_lost(struct tcb *t);
void tcp_rewind(struct tcb *t); /* everything in flight goes again, in new segments */

#endif
