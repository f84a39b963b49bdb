/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/fuzz_tcp_pair.c: libFuzzer entry: two stacks with a TCP connection
 * between them, and the input plays the network, the clock and both programs: it
 * drops, repeats, reorders and changes segments, invents some, lets memory and
 * rings run out, writes, reads, closes, moves sockets.
 *
 * What must hold: what one side reads is what the other has written, in order
 * (unless the input forged text); without forged segments the streams are whole
 * or the programs are told of an error; and when both programs have closed,
 * everything ends by itself: no connection, no timer, no memory is left.
 */
#include "wire.h"
#include <slipway/handover.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PORT       80
#define SENT_MAX   60000u
#define EXTRA_MAX  4
#define STEPS_MAX  400u
#define ENDING_MAX 30000u

static struct stream { /* what one side's program does with the main connection */
    struct nsock *s;
    uint32_t sent, got;
    bool shut, eof, failed, moved;
} app[2];
static struct nsock *listener, *extra[EXTRA_MAX];
static uint8_t family;
static bool forged;  /* the network changed or invented something */
static bool tainted; /* ... and it may have been text */
static bool aborted; /* a program gave up on its own */

static uint8_t letter(unsigned side, uint32_t at)
{
    return (uint8_t)(at * 7 + (at >> 8) * 13 + side * 101);
}

/* --- programs ---------------------------------------------------------------------- */
static void took_error(struct stream *a, int r)
{
    MUST(r == -ETIMEDOUT || r == -ECONNRESET || r == -ECONNREFUSED || r == -EPIPE || r == -EHOSTUNREACH ||
         r == -ENETUNREACH || r == -ENOTCONN || r == -ENOMEM || r == -EMSGSIZE);
    a->failed = true;
}

static void app_write(unsigned side, uint32_t n)
{
    struct stream *a = &app[side];
    uint8_t b[4096];
    int r;

    if (a->s == NULL || a->shut || a->failed || a->sent + n > SENT_MAX)
        return;
    n = n < sizeof(b) ? n : sizeof(b);
    for (uint32_t i = 0; i < n; i++)
        b[i] = letter(side, a->sent + i);
    r = ns_send(a->s, b, n, 0, NULL);
    if (r >= 0)
        a->sent += (uint32_t)r;
    else if (r != -EAGAIN)
        took_error(a, r);
}

static void app_read(unsigned side, uint32_t n)
{
    struct stream *a = &app[side];
    uint8_t b[4096];
    int r;

    if (a->s == NULL || a->eof || a->failed)
        return;
    r = ns_recv(a->s, b, n < sizeof(b) ? n : sizeof(b), 0, NULL);
    if (r > 0) {
        for (int i = 0; i < r && !tainted; i++)
            MUST(b[i] == letter(side ^ 1, a->got + (uint32_t)i));
        a->got += (uint32_t)r;
        MUST(tainted || a->got <= app[side ^ 1].sent);
    } else if (r == 0 && n != 0) {
        a->eof = true;
        MUST(forged || aborted || a->got == app[side ^ 1].sent);
    } else if (r < 0 && r != -EAGAIN) {
        took_error(a, r);
    }
}

static void app_accept(void)
{
    struct nsock *s;

    while (ns_accept(listener, &s, NULL) == 0) {
        unsigned i = 0;
        if (app[0].s == NULL && !app[0].failed) {
            app[0].s = s;
            continue;
        }
        while (i < EXTRA_MAX && extra[i] != NULL)
            i++;
        if (i < EXTRA_MAX)
            extra[i] = s;
        else
            ns_close(s);
    }
}

static void app_close(unsigned side)
{
    struct stream *a = &app[side];

    if (a->s == NULL)
        return;
    if (!a->eof || !a->shut)
        aborted = true; /* unread text, or text that comes later, makes it a reset */
    ns_close(a->s);
    a->s = NULL;
    a->failed = true;
}

static void app_shutdown(unsigned side)
{
    int r = app[side].s != NULL ? ns_shutdown(app[side].s, 1) : 0;

    if (r == 0)
        app[side].shut = app[side].s != NULL;
    else if (app[side].eof)
        took_error(&app[side], r); /* else reading tells */
}

/* The connection is written down, forgotten and made again. */
static void app_move(unsigned side)
{
    static uint64_t record[32 * 1024];
    struct stream *a = &app[side];
    int64_t n;

    if (a->s == NULL || (n = ns_export(a->s, record, sizeof(record))) <= 0)
        return;
    MUST(n <= (int64_t)sizeof(record));
    wire.fail_alloc = 0;
    ns_forget(a->s);
    MUST(ns_import(wire.side[side].ns, record, (size_t)n, NULL, &a->s) == 0 && a->s != NULL); /* C-TCP-8 */
}

/* --- network ------------------------------------------------------------------------- */
static uint8_t *tcp_of(struct packet *p)
{
    uint32_t h = head_len(p->b);

    return proto_of(p->b) == NET_TCP && p->len >= h + 20 ? p->b + h : NULL;
}

static void too_big(unsigned from, const struct packet *p)
{
    bool six = p->b[0] >> 4 == 6;
    uint8_t b[40 + 8 + 60];
    uint32_t quote = six ? 60 : 28, h = six ? 40 : 20, n = h + 8 + quote;

    packet_head(b, six ? NET_INET6 : NET_INET, six ? NET_ICMP6 : NET_ICMP, n, 99, wire.side[from].address);
    memset(b + h, 0, 8);
    b[h] = six ? 2 : 3;
    b[h + 1] = six ? 0 : 4;
    put16(b + h + 6, wire.mtu);
    memcpy(b + h + 8, p->b, quote);
    packet_mend(b, n);
    side_input(&wire.side[from], b, n);
}

/* The oldest packet that `from` has sent arrives. It takes its time: in a world
 * without any, nothing is sent after anything (RFC 8985). */
static bool deliver(unsigned from, bool icmp)
{
    struct packet *p = side_take(&wire.side[from]);

    if (p == NULL)
        return false;
    wire.now += 20000;
    if (p->len <= wire.mtu)
        side_input(&wire.side[from ^ 1], p->b, p->len);
    else if (icmp)
        too_big(from, p);
    free(p);
    return true;
}

static void drop(unsigned from)
{
    free(side_take(&wire.side[from]));
}

static void repeat(unsigned from)
{
    const struct packet *p = wire.side[from].out;

    if (p != NULL && wire.side[from].nout < 200)
        side_put(&wire.side[from], packet_new(p->b, p->len));
}

static void overtake(unsigned from)
{
    struct packet *p = side_take(&wire.side[from]);

    if (p != NULL)
        side_put(&wire.side[from], p);
}

/* Something about the oldest packet changes; its checksum is right again. */
static void change(unsigned from, struct bytes *in)
{
    struct packet *p = wire.side[from].out;
    uint32_t what = take8(in), by = take8(in), h;
    uint8_t *t;

    if (p == NULL || (t = tcp_of(p)) == NULL || by == 0)
        return;
    h = (uint32_t)(t - p->b) + (uint32_t)(t[12] >> 4) * 4;
    forged = true;
    switch (what & 7) {
    case 0: /* flags: but a SYN begins another stream somewhere else */
        t[13] ^= (uint8_t)(by & ~TCP_SYN);
        if (by & TCP_SYN) {
            t[13] ^= TCP_SYN;
            tainted = true;
        }
        break;
    case 1: /* acknowledgement, by a little or much */
        put32(t + 8, get32(t + 8) + (what & 8 ? by << (what >> 4) : -by));
        break;
    case 2: /* window */
        put16(t + 14, (uint16_t)(by << (what >> 4 & 8)));
        break;
    case 3: /* an option */
        if (h > (uint32_t)(t - p->b) + 20 && h <= p->len)
            t[20 + what % (h - (uint32_t)(t - p->b) - 20)] ^= (uint8_t)by;
        break;
    case 4: /* sequence number */
        put32(t + 4, get32(t + 4) + (what & 8 ? by << (what >> 4) : -by));
        tainted = true;
        break;
    case 5: /* anything in the TCP header */
        t[what >> 3 & 15] ^= (uint8_t)by;
        tainted = true;
        break;
    case 6: /* the end is missing */
        p->len -= h < p->len && by < p->len - h ? by : 0;
        break;
    default: /* urgent */
        t[13] |= 0x20;
        put16(t + 18, (uint16_t)by);
        break;
    }
    packet_mend(p->b, p->len);
}

/* A segment that nobody sent, near what `to` expects. */
static void invent(unsigned to, struct bytes *in)
{
    const struct tcb *t = (const struct tcb *)(app[to].s != NULL ? app[to].s : app[to ^ 1].s);
    uint8_t b[40 + 20 + 64] = {0};
    uint32_t opts = take8(in) % 10 * 4, text = take8(in) % 25, flags = take8(in);
    uint32_t seq, ack, h, n;
    uint16_t sport = PORT, dport = 50001;

    if (t == NULL)
        return;
    forged = true;
    if (text != 0 || (flags & TCP_SYN))
        tainted = true;
    seq = (to == 0) == (t == (const struct tcb *)app[0].s) ? t->rcv_nxt : t->snd_nxt;
    ack = seq == t->rcv_nxt ? t->snd_nxt : t->rcv_nxt;
    if (to == 0) {
        sport = 50001;
        dport = PORT;
    }
    n = (family == NET_INET ? 20 : 40) + 20 + opts + text;
    h = packet_head(b, family, NET_TCP, n, (uint8_t)((to ^ 1) + 1), (uint8_t)(to + 1));
    put16(b + h, sport);
    put16(b + h + 2, dport);
    put32(b + h + 4, seq + (uint32_t)(int16_t)take16(in));
    put32(b + h + 8, ack + (uint32_t)(int16_t)take16(in));
    b[h + 12] = (uint8_t)((20 + opts) / 4 << 4);
    b[h + 13] = (uint8_t)flags;
    put16(b + h + 14, (uint16_t)take16(in));
    for (uint32_t i = 0; i < opts; i++)
        b[h + 20 + i] = (uint8_t)take8(in);
    packet_mend(b, n);
    side_input(&wire.side[to], b, n);
}

static void pass_time(uint64_t ns)
{
    wire.now += ns;
    side_run(&wire.side[0]);
    side_run(&wire.side[1]);
}

static uint64_t next_deadline(void)
{
    uint64_t a = netstack_deadline(wire.side[0].ns), b = netstack_deadline(wire.side[1].ns);

    return a < b ? a : b;
}

/* --- the play --------------------------------------------------------------------------- */
static void step(struct bytes *in)
{
    uint32_t op = take8(in), arg = take8(in);
    unsigned side = op >> 7;
    struct side *s = &wire.side[side];

    switch (op % 24) {
    case 0:
    case 1:
    case 2:
    case 3:
        for (uint32_t i = 0; i <= arg % 16; i++)
            deliver(side, (arg & 0x80) != 0);
        break;
    case 4:
        for (uint32_t i = 0; i <= arg % 4; i++)
            drop(side);
        break;
    case 5:
        repeat(side);
        break;
    case 6:
        overtake(side);
        break;
    case 7:
    case 8:
        change(side, in);
        break;
    case 9:
        invent(side, in);
        break;
    case 10:
        pass_time(NS_MS << arg % 16);
        break;
    case 11: {
        uint64_t due = next_deadline();
        if (due != NS_NEVER && due > wire.now)
            pass_time(due - wire.now);
        break;
    }
    case 12:
    case 13:
    case 14:
        app_write(side, arg * 16 + 1);
        break;
    case 15:
    case 16:
        app_read(side, arg * 16 + 1);
        break;
    case 17:
        if (arg < 64)
            app_shutdown(side);
        else if (arg < 80)
            app_close(side);
        else if (arg < 84 && app[side].s != NULL) {
            ns_setopt(app[side].s, NSO_LINGER, 0);
            app_close(side);
        }
        break;
    case 18:
        app_move(side);
        break;
    case 19:
        wire.mtu = arg < 128 ? 1500 : arg < 192 || family == NET_INET6 ? 1300 : 600;
        break;
    case 20:
        s->fail_tx = (int)(arg % 8);
        s->fail_status = arg & 0x80 ? -ENETDOWN : -ENOBUFS;
        break;
    case 21:
        wire.fail_alloc = arg % 16;
        break;
    case 22:
        if (app[side].s != NULL)
            ns_setopt(app[side].s, arg & 1 ? NSO_NODELAY : NSO_KEEPALIVE, (arg & 2) != 0);
        break;
    default:
        if (app[side].s != NULL)
            ns_setopt(app[side].s, arg & 1 ? NSO_RCVBUF : NSO_SNDBUF, (int)(1024 + arg * 128));
        break;
    }
    side_run(s);
    app_accept();
}

/* Nothing is lost any more; the programs read what there is and then close. True:
 * it is over. */
static bool ending_step(unsigned round)
{
    bool moved = false;
    uint64_t due;

    for (unsigned side = 0; side < 2; side++)
        for (unsigned i = 0; i < 32 && deliver(side, true); i++)
            moved = true;
    app_accept();
    for (unsigned i = 0; i < EXTRA_MAX; i++) {
        if (extra[i] != NULL)
            ns_close(extra[i]);
        extra[i] = NULL;
    }
    for (unsigned side = 0; side < 2; side++) {
        struct stream *a = &app[side];
        uint32_t got = a->got;

        app_read(side, 4096);
        moved = moved || a->got != got;
        if (a->s != NULL && !a->shut && !a->failed) {
            app_shutdown(side);
            moved = moved || a->shut;
        }
        if (a->s != NULL && (a->failed || (a->eof && a->shut) || round > ENDING_MAX / 2)) {
            ns_close(a->s);
            a->s = NULL;
            moved = true;
        }
        side_run(&wire.side[side]);
    }
    if (moved)
        return false;
    due = next_deadline();
    if (due == NS_NEVER && wire.side[0].nout == 0 && wire.side[1].nout == 0)
        return true;
    pass_time(due > wire.now && due != NS_NEVER ? due - wire.now : NS_MS);
    return false;
}

static void end(void)
{
    unsigned round = 0;

    wire.fail_alloc = 0;
    wire.mtu = 1500;
    for (unsigned side = 0; side < 2; side++)
        wire.side[side].fail_tx = 0;
    while (!ending_step(round))
        MUST(++round < ENDING_MAX);
    for (unsigned side = 0; side < 2; side++) {
        if (app[side].s != NULL) /* never connected, and never told */
            MUST(forged || aborted);
        MUST(wire.side[side].ns->conn_n == 0 || app[side].s != NULL);
        MUST(wire.side[side].ns->tw_n == 0);
        if (!forged && !aborted && !app[0].failed && !app[1].failed && app[side].eof)
            MUST(app[side].got == app[side ^ 1].sent);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* reset_unbound: each side is its own netd, too. */
    struct ns_config cfg = {.tcp_sndbuf = 8192, .tcp_rcvbuf = 8192, .sockets_max = 16, .reset_unbound = true};
    struct bytes in = {data, size};
    struct ns_addr at = {.port = PORT};

    family = at.family = take8(&in) & 1 ? NET_INET6 : NET_INET;
    wire_start();
    side_start(0, &cfg);
    side_start(1, &cfg);
    memset(app, 0, sizeof(app));
    memset(extra, 0, sizeof(extra));
    forged = tainted = aborted = false;
    MUST(ns_socket(wire.side[0].ns, family, NS_STREAM, &listener) == 0);
    MUST(ns_bind(listener, &at) == 0 && ns_listen(listener, 2) == 0);
    at.addr = wire_address(family, 1);
    MUST(ns_socket(wire.side[1].ns, family, NS_STREAM, &app[1].s) == 0);
    MUST(ns_connect(app[1].s, &at) == -EINPROGRESS);
    side_run(&wire.side[1]);
    for (unsigned i = 0; in.n != 0 && i < STEPS_MAX; i++)
        step(&in);
    end();
    side_stop(&wire.side[0]);
    side_stop(&wire.side[1]);
    MUST(wire.allocations == 0);
    return 0;
}
