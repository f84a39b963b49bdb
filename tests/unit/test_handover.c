/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_handover.c: a socket is written down, forgotten and made again,
 * in every state; the peer notices nothing. And damaged records are refused.
 */
#include "tcp_rig.h"
#include <slipway/handover.h>

static uint64_t record[64 * 1024];
static int64_t record_bytes;

/* s goes and comes back; not a packet leaves that tells of it. */
static void moved(void)
{
    uint8_t before = s->type == NS_STREAM ? state() : 0;
    uint16_t lport = s->local.port;

    record_bytes = ns_export(s, record, sizeof(record));
    assert_in_range(record_bytes, sizeof(struct handover), sizeof(record));
    assert_int_equal(ns_export(s, record, 8), record_bytes); /* asking for the size changes nothing */
    assert_int_equal(ns_export(s, record, sizeof(record)), record_bytes);
    uint32_t sent = rig.ring->tx_head;
    bool port = s->type == NS_DGRAM;
    ns_forget(s);
    assert_int_equal(rig.ring->tx_head, sent);
    rig.registered_n += port; /* it is still registered: another endpoint has it meanwhile */
    assert_int_equal(ns_import(rig.ns, record, (size_t)record_bytes, NULL, &s), 0);
    assert_non_null(s);
    assert_int_equal(s->local.port, lport);
    if (s->type == NS_STREAM)
        assert_int_equal(state(), before);
}

static void expect_text(const char *text)
{
    char buf[256];
    int n = ns_recv(s, buf, sizeof(buf), 0, NULL);

    assert_int_equal(n, strlen(text));
    assert_memory_equal(buf, text, (size_t)n);
}

static void with_data_both_ways(void **st) /* C-MOVE-2 */
{
    struct out o;
    struct seg g;

    (void)st;
    accepted(65535);
    in_text(PEER_ISS + 1, our_iss + 1, "hello", 5);
    assert_int_equal(ns_send(s, "abc", 3, 0, NULL), 3);
    o = rig_out();
    assert_int_equal(o.text_len, 3);
    assert_int_equal(ns_send(s, pattern, 40000, 0, NULL), 40000); /* more than cwnd lets out */
    while ((o = rig_out()).any)
        ;
    in_text(PEER_ISS + 11, our_iss + 1, "later", 5); /* a piece ahead of its turn */
    assert_int_equal(rig_out().ack, PEER_ISS + 6);
    uint32_t in_flight = ((struct tcb *)s)->snd_max - ((struct tcb *)s)->snd_una;
    moved();
    assert_int_equal(((struct tcb *)s)->snd_max - ((struct tcb *)s)->snd_una, in_flight);
    expect_text("hello");
    in_text(PEER_ISS + 6, our_iss + 4, "world", 5);
    expect_text("worldlater");
    o = rig_out();
    assert_true(o.any && o.ack == PEER_ISS + 16);
    assert_int_equal(o.seq, our_iss + 1 + in_flight);
    /* Everything that was sent or waited comes, in order, byte for byte. */
    uint32_t acked = our_iss + 4, end = our_iss + 4 + 40000;
    for (int i = 0; i < 200 && acked != end; i++) {
        if (!o.any)
            rig_sleep(300 * RIG_MS); /* time for the retransmission of what was lost */
        while ((o.any || (o = rig_out()).any)) {
            uint32_t off = o.seq - (our_iss + 4);
            if (o.text_len != 0 && o.seq - our_iss >= 4) {
                assert_in_range(off + o.text_len, 1, 40000);
                assert_memory_equal(o.data + o.len - o.text_len, pattern + off, o.text_len);
                if (o.seq == acked)
                    acked += o.text_len;
            }
            o.any = false;
        }
        g = seg(TCP_ACK, PEER_ISS + 16, acked);
        rig_in(&g);
        o = rig_out();
        if (i % 3 == 0 && state() == TCP_ESTABLISHED)
            moved();
    }
    assert_int_equal(acked, end);
}

static void timers_go_on(void **st)
{
    struct out o;

    (void)st;
    accepted(65535);
    assert_int_equal(ns_send(s, "abc", 3, 0, NULL), 3);
    assert_int_equal(rig_out().text_len, 3);
    uint64_t due = netstack_deadline(rig.ns);
    rig_sleep(50 * RIG_MS);
    moved();
    assert_int_equal(netstack_deadline(rig.ns), due);
    rig.now = due;
    rig_run();
    o = rig_out(); /* the retransmission, when it was due */
    assert_true(o.any && o.seq == our_iss + 1 && o.text_len == 3);
    moved(); /* backed off */
    due = netstack_deadline(rig.ns);
    rig.now = due - 1;
    rig_run();
    assert_false(rig_out().any);
    rig.now = due;
    rig_run();
    assert_int_equal(rig_out().text_len, 3);
}

static void time_stamps_go_on(void **st)
{
    struct seg g;
    struct out o;

    (void)st;
    connecting();
    g = (struct seg){.sport = PEER_PORT, .flags = TCP_SYN | TCP_ACK, .seq = PEER_ISS, .ack = our_iss + 1,
                     .wnd = 60000, .mss = 1460, .ts = true, .tsval = 777, .tsecr = 1, .wscale = 7};
    to_client(g);
    uint32_t stamp = rig_out().tsval;
    assert_int_equal(state(), TCP_ESTABLISHED);
    rig_sleep(20 * RIG_MS);
    moved();
    assert_int_equal(ns_send(s, "x", 1, 0, NULL), 1);
    o = rig_out();
    assert_true(o.ts && o.tsecr == 777);
    assert_int_equal(o.tsval, stamp + 20);
    g = (struct seg){.sport = PEER_PORT, .flags = TCP_ACK, .seq = PEER_ISS + 1, .ack = our_iss + 2,
                     .wnd = 100, .ts = true, .tsval = 700, .tsecr = o.tsval}; /* older than what was seen */
    to_client(g);
    assert_int_equal(((struct tcb *)s)->snd_una, our_iss + 1); /* PAWS still knows */
    g.tsval = 800;
    to_client(g);
    assert_int_equal(((struct tcb *)s)->snd_una, our_iss + 2);
    assert_int_equal(((struct tcb *)s)->snd_wnd, 100u << 7);
}

static void syn_rcvd(void **st)
{
    struct seg g;
    struct out o;

    (void)st;
    connecting();
    g = (struct seg){.sport = PEER_PORT, .flags = TCP_SYN, .seq = PEER_ISS, .wnd = 60000, .mss = 1460};
    to_client(g); /* simultaneous open */
    assert_int_equal(rig_out().flags, TCP_SYN | TCP_ACK);
    assert_int_equal(state(), TCP_SYN_RCVD);
    moved();
    rig_sleep(3 * RIG_S);
    o = rig_out();
    assert_true(o.any && o.flags == (TCP_SYN | TCP_ACK) && o.seq == our_iss); /* still repeated */
    g = (struct seg){.sport = PEER_PORT, .flags = TCP_ACK, .seq = PEER_ISS + 1, .ack = our_iss + 1, .wnd = 60000};
    to_client(g);
    assert_int_equal(state(), TCP_ESTABLISHED);
}

static void close_wait_and_last_ack(void **st)
{
    struct out o;

    (void)st;
    accepted(65535);
    in_text(PEER_ISS + 1, our_iss + 1, "bye", 3);
    in(TCP_ACK | TCP_FIN, PEER_ISS + 4, our_iss + 1);
    rig_drain();
    assert_int_equal(state(), TCP_CLOSE_WAIT);
    moved();
    expect_text("bye");
    assert_int_equal(ns_recv(s, pattern, 10, 0, NULL), 0);
    assert_int_equal(ns_send(s, "ok", 2, 0, NULL), 2);
    assert_int_equal(ns_shutdown(s, 1), 0);
    assert_int_equal(state(), TCP_LAST_ACK);
    rig_drain();
    moved();
    rig_sleep(5 * RIG_S);
    o = rig_out(); /* text and FIN again */
    assert_true(o.any && o.seq == our_iss + 1 && o.text_len == 2 && (o.flags & TCP_FIN));
    in(TCP_ACK, PEER_ISS + 5, our_iss + 4);
    assert_int_equal(state(), TCP_CLOSED);
    assert_int_equal(ns_export(s, record, sizeof(record)), -ENOTCONN);
}

static void fin_wait_1_closing(void **st)
{
    (void)st;
    accepted(65535);
    assert_int_equal(ns_shutdown(s, 1), 0);
    assert_true(rig_out().flags & TCP_FIN);
    assert_int_equal(state(), TCP_FIN_WAIT_1);
    moved();
    in(TCP_ACK | TCP_FIN, PEER_ISS + 1, our_iss + 1); /* both close at once */
    assert_int_equal(state(), TCP_CLOSING);
    rig_drain();
    moved();
    in(TCP_ACK, PEER_ISS + 2, our_iss + 2);
    assert_int_equal(state(), TCP_TIME_WAIT);
    assert_int_equal(ns_export(s, record, sizeof(record)), -ENOTCONN);
}

static void fin_wait_2(void **st)
{
    (void)st;
    accepted(65535);
    assert_int_equal(ns_shutdown(s, 1), 0);
    rig_drain();
    in(TCP_ACK, PEER_ISS + 1, our_iss + 2);
    assert_int_equal(state(), TCP_FIN_WAIT_2);
    moved();
    in_text(PEER_ISS + 1, our_iss + 2, "more", 4);
    moved();
    expect_text("more");
    in(TCP_ACK | TCP_FIN, PEER_ISS + 5, our_iss + 2);
    assert_int_equal(state(), TCP_TIME_WAIT);
    assert_int_equal(rig_out().ack, PEER_ISS + 6);
}

static void an_orphan_delivers_and_goes(void **st)
{
    struct out o;

    (void)st;
    accepted(65535);
    assert_int_equal(ns_send(s, "last words", 10, 0, NULL), 10);
    rig_drain();
    ns_close(s);
    rig_drain();
    struct tcb *t = NULL;
    for (uint32_t b = 0; b <= rig.ns->conn_mask; b++)
        if (rig.ns->conn[b] != NULL)
            t = ns_container(rig.ns->conn[b], struct tcb, node);
    assert_non_null(t);
    assert_int_equal(netstack_lingering(rig.ns), 1);
    record_bytes = ns_export(&t->s, record, sizeof(record));
    assert_true(record_bytes > 0);
    ns_forget(&t->s);
    assert_int_equal(netstack_lingering(rig.ns), 0);
    s = listener; /* must be set to NULL */
    assert_int_equal(ns_import(rig.ns, record, (size_t)record_bytes, NULL, &s), 0);
    assert_null(s);
    assert_int_equal(netstack_lingering(rig.ns), 1);
    rig_sleep(5 * RIG_S);
    o = rig_out();
    assert_true(o.text_len == 10 && (o.flags & TCP_FIN));
    in(TCP_ACK | TCP_FIN, PEER_ISS + 1, our_iss + 12);
    assert_int_equal(netstack_lingering(rig.ns), 0);
}

static void a_listener_with_all_that_waits(void **st)
{
    struct seg g = seg(TCP_SYN, PEER_ISS, 0);
    struct nsock *kept, *a;
    struct out o;
    uint32_t iss[3];

    (void)st;
    listen_here(5);
    g.mss = 1460;
    for (int i = 0; i < 3; i++) {
        g.sport = (uint16_t)(PEER_PORT + i);
        rig_in(&g);
        iss[i] = rig_out().seq;
    }
    for (int i = 0; i < 2; i++) { /* the third stays half open */
        struct seg h = seg(TCP_ACK, PEER_ISS + 1, iss[i] + 1);
        h.sport = (uint16_t)(PEER_PORT + i);
        rig_in(&h);
    }
    assert_int_equal(ns_accept(listener, &kept, NULL), 0); /* stays here */
    struct seg text = seg(TCP_ACK | TCP_PSH, PEER_ISS + 1, iss[1] + 1);
    text.sport = PEER_PORT + 1;
    text.text = "early";
    text.text_len = 5;
    rig_in(&text);
    rig_drain();
    int registered = rig.registered_n;
    s = listener;
    record_bytes = ns_export(s, record, sizeof(record));
    assert_true(record_bytes > 0);
    ns_forget(s);
    assert_false(rig_out().any);
    assert_int_equal(rig.registered_n, registered + 1); /* the one that stays got a flow entry */
    assert_int_equal(ns_import(rig.ns, record, (size_t)record_bytes, NULL, &s), 0);
    listener = s;
    assert_int_equal(ns_accept(listener, &a, NULL), 0);
    s = a;
    assert_int_equal(a->peer.port, PEER_PORT + 1);
    expect_text("early");
    assert_int_equal(ns_accept(listener, &a, NULL), -EAGAIN);
    rig_sleep(2 * RIG_S);
    while ((o = rig_out()).any && !(o.flags & TCP_SYN))
        ;
    assert_true(o.any && o.seq == iss[2] && o.dport == PEER_PORT + 2); /* SYN-ACK again */
    struct seg third = seg(TCP_ACK, PEER_ISS + 1, iss[2] + 1);
    third.sport = PEER_PORT + 2;
    rig_in(&third);
    assert_int_equal(ns_accept(listener, &a, NULL), 0);
    assert_int_equal(ns_send(kept, "still", 5, 0, NULL), 5);
    assert_int_equal(rig_out().text_len, 5);
}

static void udp_with_its_queue(void **st)
{
    struct ns_addr me = {.family = NET_INET, .port = 5353}, from, peer = {.family = NET_INET, .port = 9};
    uint8_t d[16] = {0, 9, 0x14, 0xe9, 0, 13, 0, 0, 'h', 'e', 'l', 'l', 'o'};
    char buf[32];

    (void)st;
    put32(peer.addr.b, PEER_IP);
    assert_int_equal(ns_socket(rig.ns, NET_INET, NS_DGRAM, &s), 0);
    assert_int_equal(ns_export(s, record, sizeof(record)), -ENOTCONN); /* nothing to move yet */
    assert_int_equal(ns_bind(s, &me), 0);
    assert_int_equal(ns_connect(s, &peer), 0);
    for (int i = 0; i < 3; i++) {
        d[12] = (uint8_t)('0' + i);
        rig_in_ip(NET_UDP, PEER_IP, OUR_IP, d, 13, 6, 0);
    }
    moved();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ns_recv(s, buf, sizeof(buf), 0, &from), 5);
        assert_memory_equal(buf, "hell", 4);
        assert_int_equal(buf[4], '0' + i);
        assert_int_equal(from.port, 9);
    }
    assert_int_equal(ns_recv(s, buf, sizeof(buf), 0, &from), -EAGAIN);
    rig_in_ip(NET_UDP, PEER_IP, OUR_IP, d, 13, 6, 0);
    assert_int_equal(ns_recv(s, buf, sizeof(buf), 0, &from), 5);
    assert_int_equal(ns_send(s, "yes", 3, 0, NULL), 3);
    struct out o = rig_out();
    assert_true(o.any && o.proto == NET_UDP && o.dst == PEER_IP);
}

static void a_group_does_not_move(void **st) /* C-TCP-5 */
{
    struct seg g = seg(TCP_SYN, PEER_ISS, 0);

    (void)st;
    assert_int_equal(ns_socket(rig.ns, NET_INET, NS_STREAM, &listener), 0);
    assert_int_equal(ns_setopt(listener, NSO_REUSEPORT, 1), 0);
    assert_int_equal(ns_bind(listener, &here), 0);
    assert_int_equal(ns_setopt(listener, NSO_REUSEPORT, 0), -EINVAL);
    assert_int_equal(ns_listen(listener, 5), 0);
    assert_int_equal(ns_export(listener, record, sizeof(record)), -EOPNOTSUPP);
    assert_int_equal(rig.registered_n, 1);
    rig_in(&g);
    our_iss = rig_out().seq;
    assert_int_equal(rig.registered_n, 2); /* its flow entry, from the SYN on */
    in(TCP_ACK, PEER_ISS + 1, our_iss + 1);
    assert_int_equal(rig.registered_n, 2);
    assert_int_equal(ns_accept(listener, &s, NULL), 0);
    in(TCP_RST, PEER_ISS + 1, 0);
    assert_int_equal(state(), TCP_CLOSED);
    assert_int_equal(rig.registered_n, 1);
    for (int i = 0; i < 3; i++) { /* one that never gets further gives it back, too */
        g.sport = (uint16_t)(5000 + i);
        rig_in(&g);
    }
    assert_int_equal(rig.registered_n, 4);
    for (int i = 0; i < 70; i++)
        rig_sleep(2 * RIG_S);
    rig_drain();
    assert_int_equal(rig.registered_n, 1);
}

static void a_connected_datagram_socket_keeps_its_peer(void **st)
{
    struct ns_addr me = {.family = NET_INET, .port = 5353}, peer = {.family = NET_INET, .port = 9}, none = {0};

    (void)st;
    put32(peer.addr.b, PEER_IP);
    assert_int_equal(ns_socket(rig.ns, NET_INET, NS_DGRAM, &s), 0);
    assert_int_equal(ns_setopt(s, NSO_REUSEPORT, 1), 0);
    assert_int_equal(ns_bind(s, &me), 0);
    assert_int_equal(rig.registered_n, 1);
    assert_int_equal(ns_connect(s, &peer), 0);
    assert_int_equal(rig.registered_n, 2);
    peer.port = 10;
    assert_int_equal(ns_connect(s, &peer), 0);
    assert_int_equal(rig.registered_n, 2);
    assert_int_equal(ns_connect(s, &none), 0);
    assert_int_equal(rig.registered_n, 1);
    assert_int_equal(ns_connect(s, &peer), 0);
    ns_close(s);
    assert_int_equal(rig.registered_n, 0);
}

/* --- damaged records ------------------------------------------------------------------- */

static uint32_t rnd;
static uint32_t below(uint32_t n)
{
    rnd = rnd * 1664525u + 1013904223u;
    return (rnd >> 8) % n;
}

static void versions_and_lengths(void **st)
{
    struct handover *h = (struct handover *)record;
    struct nsock *x;

    (void)st;
    accepted(65535);
    in_text(PEER_ISS + 1, our_iss + 1, "hello", 5);
    record_bytes = ns_export(s, record, sizeof(record));
    assert_int_equal(ns_import(rig.ns, record, (size_t)record_bytes, NULL, &x), -EADDRINUSE); /* it is here */
    ns_forget(s);
    for (int64_t n = 0; n < record_bytes; n++)
        assert_int_equal(ns_import(rig.ns, record, (size_t)n, NULL, &x), -EINVAL);
    h->version++;
    assert_int_equal(ns_import(rig.ns, record, (size_t)record_bytes, NULL, &x), -EPROTONOSUPPORT);
    h->version--;
    h->bytes -= 8;
    assert_int_equal(ns_import(rig.ns, record, (size_t)record_bytes, NULL, &x), -EINVAL);
    h->bytes += 8;
    assert_int_equal(ns_import(rig.ns, record, (size_t)record_bytes, NULL, &x), 0);
    s = x;
    expect_text("hello");
}

/* Whatever a record says: refused, or a connection that can be used and ends. */
static void random_damage(void **st) /* C-MOVE-1 */
{
    static uint64_t good[4096];
    int taken = 0, refused = 0;

    (void)st;
    accepted(65535);
    in_text(PEER_ISS + 1, our_iss + 1, "hello", 5);
    in_text(PEER_ISS + 11, our_iss + 1, "later", 5);
    assert_int_equal(ns_send(s, pattern, 3000, 0, NULL), 3000);
    rig_drain();
    int64_t n = ns_export(s, good, sizeof(good));
    ns_forget(s);
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t *bytes = (uint8_t *)record;
        uint32_t head = sizeof(struct handover) + sizeof(struct handover_tcp);

        memcpy(record, good, (size_t)n);
        for (uint32_t k = 1 + below(3); k > 0; k--)
            bytes[below(8) != 0 ? 8 + below(head - 8) : below((uint32_t)n)] ^= (uint8_t)(1u << below(8));
        if (ns_import(rig.ns, record, (size_t)n, NULL, &s) != 0) {
            refused++;
            continue;
        }
        taken++;
        rig_drain();
        if (s != NULL) {
            struct tcb *t = (struct tcb *)s;
            in_text(t->rcv_nxt, t->snd_max, "some", 4);
            in(TCP_ACK, t->rcv_nxt, t->snd_una);
            (void)ns_send(s, "x", 1, 0, NULL);
            (void)ns_recv(s, pattern, sizeof(pattern), 0, NULL);
            rig_drain();
            rig_sleep(100 * RIG_MS);
            rig_drain();
            ((struct tcb *)s)->linger_s = 0;
            ns_close(s);
        }
        rig_drain();
        for (int k = 0; k < 400 && rig.ns->conn_n != 0; k++) { /* orphans time out */
            rig_sleep(1 * RIG_S);
            rig_drain();
        }
        assert_int_equal(rig.ns->conn_n, 0);
    }
    s = NULL;
    assert_true(taken > 1000 && refused > 1000);
}

static void no_memory_makes_nothing(void **st)
{
    struct nsock *x;

    (void)st;
    accepted(65535);
    assert_int_equal(ns_send(s, pattern, 60000, 0, NULL), 60000);
    rig_drain();
    record_bytes = ns_export(s, record, sizeof(record));
    ns_forget(s);
    rig_drain();
    rig_run();
    uint32_t nfree = rig.ns->blk_nfree;
    rig.ns->blk_nfree = 4; /* the arena is full */
    uint32_t chain = rig.ns->blk_free;
    assert_int_equal(ns_import(rig.ns, record, (size_t)record_bytes, NULL, &x), -ENOMEM);
    assert_null(x);
    (void)chain;
    rig.ns->blk_nfree = nfree;
    assert_int_equal(rig.ns->conn_n, 0);
    assert_int_equal(ns_import(rig.ns, record, (size_t)record_bytes, NULL, &x), 0);
    s = x;
}

/* What the record says of a recovery is its writer's word: none of it may divide
 * by zero here. */
static void a_recovery_of_nothing(void **st) /* C-MOVE-1 */
{
    struct handover_tcp *r = (void *)((struct handover *)(void *)record + 1);
    struct seg g = seg(TCP_SYN, PEER_ISS, 0);
    struct tcb *t;

    (void)st;
    listen_here(5);
    g.sack_ok = true;
    g.mss = 1460;
    rig_in(&g);
    our_iss = rig_out().seq;
    in(TCP_ACK, PEER_ISS + 1, our_iss + 1);
    assert_int_equal(ns_accept(listener, &s, NULL), 0);
    ((struct tcb *)s)->snd_wnd = 0; /* nothing goes out before the record is written */
    assert_int_equal(ns_send(s, pattern, 14600, 0, NULL), 14600);
    record_bytes = ns_export(s, record, sizeof(record));
    ns_forget(s);
    r->flags |= HANDOVER_TCPF_RECOVERY;
    r->snd_wnd = 65535;
    r->ssthresh = 0;
    r->recover = r->snd_una + 100000;
    assert_int_equal(ns_import(rig.ns, record, (size_t)record_bytes, NULL, &s), 0);
    t = (struct tcb *)s;
    rig_drain();
    g = seg(TCP_ACK, PEER_ISS + 1, our_iss + 1);
    g.sack_n = 1;
    g.sack[0] = t->snd_una + t->snd_mss;
    g.sack[1] = t->snd_una + 2 * t->snd_mss;
    rig_in(&g);
    rig_drain();
    assert_true(t->ssthresh >= 2u * t->snd_mss && t->cwnd != 0);
    in(TCP_ACK, PEER_ISS + 1, t->snd_max);
    rig_drain();
    assert_true(t->ssthresh >= 2u * t->snd_mss && t->cwnd != 0);
}

/* An orphan has nobody who could close it: whatever its record leaves out, it ends. */
static void an_orphan_ends(void **st)
{
    struct handover *h = (void *)record;
    struct handover_tcp *r = (void *)(h + 1);

    (void)st;
    accepted(65535);
    record_bytes = ns_export(s, record, sizeof(record));
    ns_forget(s);
    h->flags |= HANDOVERF_ORPHAN;
    r->user_timeout_ms = INT32_MAX;
    for (unsigned i = 0; i < 3; i++) {
        r->state = (const uint8_t[]){TCP_ESTABLISHED, TCP_FIN_WAIT_2, TCP_SYN_RCVD}[i];
        r->rtx_ns = r->misc_ns = HANDOVER_NEVER;
        r->flags = r->state == TCP_FIN_WAIT_2 ? HANDOVER_TCPF_FIN_QUEUED : 0;
        r->buf_seq = r->iss + (r->state != TCP_FIN_WAIT_2);
        r->snd_una = r->iss + (r->state != TCP_SYN_RCVD);
        assert_int_equal(ns_import(rig.ns, record, (size_t)record_bytes, NULL, &s), 0);
        assert_int_equal(rig.ns->conn_n, 1);
        for (unsigned k = 0; k < 400 && rig.ns->conn_n != 0; k++) {
            rig_sleep(1 * RIG_S);
            rig_drain();
        }
        assert_int_equal(rig.ns->conn_n, 0);
        h->taken_ns = rig.now;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(with_data_both_ways),
        T(timers_go_on),
        T(time_stamps_go_on),
        T(syn_rcvd),
        T(close_wait_and_last_ack),
        T(fin_wait_1_closing),
        T(fin_wait_2),
        T(an_orphan_delivers_and_goes),
        T(a_listener_with_all_that_waits),
        T(udp_with_its_queue),
        T(a_group_does_not_move),
        T(a_connected_datagram_socket_keeps_its_peer),
        T(versions_and_lengths),
        T(random_damage),
        T(a_recovery_of_nothing),
        T(an_orphan_ends),
        T(no_memory_makes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
