/* SPDX-License-Identifier: MIT
 *
 * drivers/slip.c: IP over a serial port (RFC 1055), the link "sl0".
 *
 * Owns: struct slip_link, one for each port with com1=slip or com2=slip. Bytes
 * come from and go to the port's rings (drivers/uart16550.c); this file turns
 * them into packets and back, with TCP headers compressed where slip.vj= says so
 * (drivers/vj.c), and with com1=slipmux the console's text between them
 * (drivers/slip_mux.c). Packets wait in drivers/slip_queue.c, and the port's ring
 * holds only the one that is being sent: what is in the ring can't be overtaken.
 * Context: slip_ready hard interrupt, the rest poll or thread.
 */
#include <drivers/slip.h>
#include <drivers/slip_codec.h>
#include <drivers/slip_mux.h>
#include <drivers/slip_queue.h>
#include <drivers/uart16550.h>
#include <drivers/vj.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/options.h>
#include <kernel/parse.h>
#include <kernel/time.h>
#include <net/core/link.h>
#include <slipway/errno.h>

#define SLIP_MTU_MIN 296u
#define SLIP_MTU 1006u /* RFC 1055 */
#define SLIP_MTU_MAX 1500u
#define SLIP_CHUNK 128u
#define SLIP_POLL_BYTES 16384u
#define SLIP_LOW_BYTES 48u /* left in the port's ring when the next packet is put: 4 ms at 115,200 baud */

struct slip_link {
    struct link link;
    struct uart *uart;
    struct slip_queue queue;
    struct slip_mux mux;
    bool text_turn;     /* text and packets take turns when both wait */
    struct vj *vj;      /* NULL: headers are not compressed */
    bool vj_send;       /* else only understood: slip.vj=auto waits for the peer to begin */
    uint64_t damaged;   /* frames and bytes lost so far, as vj_line_error was told */
    struct slip_rx rx;
    uint8_t header_room[VJ_HEADER_MAX]; /* a header that is restored grows into it */
    uint8_t frame[SLIP_MTU_MAX];
};
_Static_assert(offsetof(struct slip_link, frame) ==
                   offsetof(struct slip_link, header_room) + VJ_HEADER_MAX, "one piece");

static const struct link_ops slip_ops;

static void slip_ready(void *arg) { link_schedule_poll(arg); }

/* --- attach --- */

/* slip=LOCAL:PEER; the peer is the link's business, the rest netd's. */
static void read_peer(struct link *l)
{
    static const uint8_t fallback[4] = {192, 168, 7, 1};
    const char *s = option("slip");

    while (s != NULL && *s != '\0' && *s != ':')
        s++;
    if (s == NULL || *s++ != ':' || !parse_ipv4(&s, l->peer.b))
        __builtin_memcpy(l->peer.b, fallback, sizeof(fallback));
}

/* slip.mtu=296..1500, checked by the options' own rules. */
static uint32_t read_mtu(void)
{
    const char *v = option("slip.mtu");
    uint32_t mtu;

    return v != NULL && parse_decimal(&v, SLIP_MTU_MIN, SLIP_MTU_MAX, &mtu) ? mtu : SLIP_MTU;
}

/* slip.vj=on sends and understands compressed headers, auto understands them
 * and sends them once the peer has begun. */
static int read_vj(struct slip_link *s)
{
    s->vj_send = option_is("slip.vj", "on");
    if (!s->vj_send && !option_is("slip.vj", "auto"))
        return 0;
    s->vj = kzalloc(sizeof(*s->vj));
    if (s->vj == NULL)
        return -ENOMEM;
    vj_init(s->vj);
    s->link.flags |= LINKF_VJ;
    return 0;
}

static void slip_free(struct slip_link *s)
{
    kfree(s->vj);
    kfree(s);
}

int slip_attach(struct uart *u)
{
    struct slip_link *s = kzalloc(sizeof(*s));
    struct uart_user user = {
        .ready = slip_ready, .wake = SLIP_END, .on_error = {SLIP_ESC, 0}, .low_bytes = SLIP_LOW_BYTES};
    int r;

    if (s == NULL)
        return -ENOMEM;
    s->uart = u;
    slip_queue_init(&s->queue, uart_baud(u));
    slip_mux_init(&s->mux, uart_shared(u));
    user.each_byte = s->mux.on;
    __builtin_memcpy(s->link.name, "sl%d", 5);
    s->link.mtu = read_mtu();
    slip_rx_init(&s->rx, s->frame, s->link.mtu);
    s->link.flags = LINKF_POINTOPOINT | LINKF_IP4_ONLY;
    s->link.speed_bps = uart_baud(u);
    s->link.driver = "slip";
    s->link.irq_mode = uart_irq_mode(u);
    s->link.irq = uart_irq_line(u);
    s->link.ops = &slip_ops;
    s->link.priv = s;
    read_peer(&s->link);
    r = read_vj(s);
    if (r == 0)
        r = link_register(&s->link);
    if (r < 0) {
        slip_free(s);
        return r;
    }
    user.arg = &s->link;
    uart_set_user(u, &user);
    link_carrier(&s->link, true); /* three wires have no carrier to sense */
    return 0;
}

/* --- link ops --- */

static void send_piece(struct slip_link *s, const void *p, size_t bytes)
{
    const uint8_t *from = p;
    uint8_t out[2 * SLIP_CHUNK];

    while (bytes != 0) {
        size_t n = bytes < SLIP_CHUNK ? bytes : SLIP_CHUNK;
        uart_put(s->uart, out, slip_encode(out, from, n));
        from += n;
        bytes -= n;
    }
}

/* A leading END flushes what noise left on the line (RFC 1055). */
static void send_packet(struct slip_link *s, const struct netbuf *nb)
{
    static const uint8_t end = SLIP_END;
    uint8_t header[VJ_HEADER_MAX];
    size_t len, skip = 0;

    uart_put(s->uart, &end, 1);
    if (s->vj_send)
        skip = vj_compress(s->vj, nb->head, nb->head_len, nb->total_len, header, &len);
    if (skip != 0)
        send_piece(s, header, len);
    send_piece(s, nb->head + skip, nb->head_len - skip);
    for (unsigned i = 0; i < nb->nfrags; i++)
        send_piece(s, nb->frag[i].virt, nb->frag[i].len);
    uart_put(s->uart, &end, 1);
}

static bool send_next_packet(struct slip_link *s)
{
    struct netbuf *nb = slip_queue_take(&s->queue);

    if (nb == NULL)
        return false;
    send_packet(s, nb);
    netbuf_done(nb, 0);
    return true;
}

static bool send_text(struct slip_link *s)
{
    static const uint8_t begin[2] = {SLIP_END, SLIP_KIND_TEXT}, end = SLIP_END;
    uint8_t text[SLIP_TEXT_MAX];
    size_t n = uart_text(s->uart, text, sizeof(text));

    if (n == 0)
        return false;
    uart_put(s->uart, begin, sizeof(begin)); /* C-SLIP-9 */
    send_piece(s, text, n);
    uart_put(s->uart, &end, 1);
    return true;
}

/* Puts the next packet or piece of text into the port's ring when the one before
 * is nearly out: it is chosen as late as the line allows. */
static void pump(struct slip_link *s)
{
    while (uart_waiting(s->uart) <= SLIP_LOW_BYTES) {
        s->text_turn = !s->text_turn;
        if (!(s->text_turn && send_text(s)) && !send_next_packet(s) && !send_text(s))
            break;
        uart_start(s->uart);
    }
}

/* Takes every packet: one that finds its list full is done with -ENOBUFS, so
 * that a small one behind it still gets in. */
static unsigned slip_transmit(struct link *l, struct netbuf *list)
{
    struct slip_link *s = l->priv;
    struct netbuf *next;
    unsigned taken = 0;

    for (struct netbuf *nb = list; nb != NULL; nb = next, taken++) {
        next = nb->next;
        if (!slip_queue_add(&s->queue, nb))
            netbuf_done(nb, -ENOBUFS);
        pump(s);
    }
    return taken;
}

static void take_counters(struct slip_link *s)
{
    struct link *l = &s->link;
    struct uart_counters c;

    uart_counters(s->uart, &c);
    l->interrupts = c.interrupts;
    l->overruns = c.overruns;
    l->framing_errors = c.framing_errors;
    l->queue_bytes = s->queue.most_bytes;
    l->drain_ns = c.drain_ns;
    l->late_ns = event_worst_late_ns();
    l->oversize = s->rx.oversize;
    l->escapes = s->rx.escapes;
    l->rx_errors = c.overruns + c.framing_errors + s->rx.oversize + s->rx.escapes + s->mux.config +
                   s->mux.unknown + s->mux.stray;
    if (s->vj == NULL)
        return;
    l->rx_errors += s->vj->rx_errors + s->vj->rx_tossed;
    l->rx_compressed = s->vj->rx_compressed;
    l->tx_compressed = s->vj->tx_compressed;
}

/* Frames were lost before this one: differences to them mean nothing. */
static void tell_losses(struct slip_link *s)
{
    uint64_t damaged = s->rx.oversize + s->rx.escapes;

    if (damaged != s->damaged)
        vj_line_error(s->vj);
    s->damaged = damaged;
}

static void receive(struct slip_link *s, size_t bytes)
{
    static const struct link_rx_meta meta = {CSUM_NONE, 0};
    uint8_t header[VJ_HEADER_MAX], *packet = s->frame;
    size_t len, skip;

    if (s->mux.on && !slip_mux_frame(&s->mux, packet, bytes, s->vj != NULL && vj_is_type(packet[0])))
        return;
    if (s->vj != NULL) {
        tell_losses(s);
        if (vj_is_type(packet[0])) {
            len = vj_decompress(s->vj, packet, bytes, header, &skip);
            if (len == 0)
                return; /* counted there */
            packet = packet + skip - len; /* may reach back into header_room */
            bytes = bytes - skip + len;
            __builtin_memcpy(packet, header, len);
            s->vj_send = true; /* C-SLIP-7 */
        }
    }
    link_rx(&s->link, packet, bytes, &meta);
}

static int slip_poll(struct link *l, int budget)
{
    struct slip_link *s = l->priv;
    const uint8_t *in;
    size_t have, used, frame, bytes = 0;
    int done = 0;

    while (done < budget && (in = uart_peek(s->uart, &have)) != NULL) {
        if (bytes == 0)
            slip_mux_heard(&s->mux, &s->rx, now_ns());
        frame = 0;
        if (s->mux.outside)
            used = slip_mux_bare(&s->mux, &s->rx, in, have);
        else
            used = slip_decode(&s->rx, in, have, &frame);
        uart_consume(s->uart, used);
        bytes += used;
        if (bytes >= SLIP_POLL_BYTES)
            done = budget; /* noise without an END: enough for one turn, come again */
        if (frame != 0) {
            receive(s, frame);
            done += done < budget;
        }
    }
    pump(s);
    take_counters(s);
    return done;
}

static int slip_reset(struct link *l)
{
    struct slip_link *s = l->priv;
    uint64_t frames = s->rx.frames, oversize = s->rx.oversize, escapes = s->rx.escapes;

    l->resets++;
    if (s->vj != NULL)
        vj_line_error(s->vj);
    slip_rx_init(&s->rx, s->frame, l->mtu);
    s->rx.frames = frames;
    s->rx.oversize = oversize;
    s->rx.escapes = escapes;
    s->rx.dropping = true; /* until the next END */
    return 0;
}

static const struct link_ops slip_ops = {
    .transmit = slip_transmit,
    .poll = slip_poll,
    .reset = slip_reset,
};
