/* SPDX-License-Identifier: MIT
 *
 * drivers/slip.c: IP over a serial port (RFC 1055), the link "sl0".
 *
 * Owns: struct slip_link, one for each port with com1=slip or com2=slip. Bytes
 * come from and go to the port's rings (drivers/uart16550.c); this file turns
 * them into packets and back.
 * Context: slip_ready hard interrupt, the rest poll or thread.
 */
#include <drivers/slip.h>
#include <drivers/slip_codec.h>
#include <drivers/uart16550.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/options.h>
#include <net/core/link.h>
#include <slipway/errno.h>

#define SLIP_MTU 1006u /* RFC 1055 */
#define SLIP_CHUNK 128u
#define SLIP_POLL_BYTES 16384u

struct slip_link {
    struct link link;
    struct uart *uart;
    struct slip_rx rx;
    uint8_t frame[SLIP_MTU];
};

static const struct link_ops slip_ops;

static void slip_ready(void *arg) { link_schedule_poll(arg); }

/* --- attach --- */

/* Four decimal bytes; false for anything else. */
static bool parse_ipv4(const char *s, uint8_t out[4])
{
    for (unsigned i = 0; i < 4; i++) {
        unsigned v = 0, digits = 0;
        for (; *s >= '0' && *s <= '9' && digits < 4; s++, digits++)
            v = v * 10 + (unsigned)(*s - '0');
        if (digits == 0 || v > 255 || *s != (i < 3 ? '.' : '\0'))
            return false;
        out[i] = (uint8_t)v;
        s++;
    }
    return true;
}

/* slip=LOCAL:PEER; the peer is the link's business, the rest netd's. */
static void read_peer(struct link *l)
{
    static const uint8_t fallback[4] = {192, 168, 7, 1};
    const char *s = option("slip");

    while (s != NULL && *s != '\0' && *s != ':')
        s++;
    if (s == NULL || *s != ':' || !parse_ipv4(s + 1, l->peer.b))
        __builtin_memcpy(l->peer.b, fallback, sizeof(fallback));
}

int slip_attach(struct uart *u)
{
    struct slip_link *s = kzalloc(sizeof(*s));
    struct uart_user user = {slip_ready, NULL, SLIP_END, {SLIP_ESC, 0}};
    int r;

    if (s == NULL)
        return -ENOMEM;
    s->uart = u;
    slip_rx_init(&s->rx, s->frame, sizeof(s->frame));
    __builtin_memcpy(s->link.name, "sl%d", 5);
    s->link.mtu = SLIP_MTU;
    s->link.flags = LINKF_POINTOPOINT;
    s->link.speed_bps = uart_baud(u);
    s->link.driver = "slip";
    s->link.irq_mode = uart_irq_mode(u);
    s->link.irq = uart_irq_line(u);
    s->link.ops = &slip_ops;
    s->link.priv = s;
    read_peer(&s->link);
    r = link_register(&s->link);
    if (r < 0) {
        kfree(s);
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

/* The packet is copied into the transmit ring, so it is done at once. A leading
 * END flushes what noise left on the line (RFC 1055). */
static unsigned slip_transmit(struct link *l, struct netbuf *list)
{
    static const uint8_t end = SLIP_END;
    struct slip_link *s = l->priv;
    struct netbuf *next;
    unsigned taken = 0;

    for (struct netbuf *nb = list; nb != NULL; nb = next) {
        next = nb->next;
        if (uart_room(s->uart) < SLIP_ENCODED_MAX(nb->total_len))
            break;
        uart_put(s->uart, &end, 1);
        send_piece(s, nb->head, nb->head_len);
        for (unsigned i = 0; i < nb->nfrags; i++)
            send_piece(s, nb->frag[i].virt, nb->frag[i].len);
        uart_put(s->uart, &end, 1);
        taken++;
        netbuf_done(nb, 0);
    }
    if (taken != 0)
        uart_start(s->uart);
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
    l->oversize = s->rx.oversize;
    l->escapes = s->rx.escapes;
    l->rx_errors = c.overruns + c.framing_errors + s->rx.oversize + s->rx.escapes;
}

static int slip_poll(struct link *l, int budget)
{
    static const struct link_rx_meta meta = {CSUM_NONE, 0};
    struct slip_link *s = l->priv;
    const uint8_t *in;
    size_t have, frame, bytes = 0;
    int done = 0;

    while (done < budget && (in = uart_peek(s->uart, &have)) != NULL) {
        size_t used = slip_decode(&s->rx, in, have, &frame);
        uart_consume(s->uart, used);
        bytes += used;
        if (bytes >= SLIP_POLL_BYTES)
            done = budget; /* noise without an END: enough for one turn, come again */
        if (frame != 0) {
            link_rx(l, s->frame, frame, &meta);
            done += done < budget;
        }
    }
    take_counters(s);
    return done;
}

static int slip_reset(struct link *l)
{
    struct slip_link *s = l->priv;
    uint64_t frames = s->rx.frames, oversize = s->rx.oversize, escapes = s->rx.escapes;

    l->resets++;
    slip_rx_init(&s->rx, s->frame, sizeof(s->frame));
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
