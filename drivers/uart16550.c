/* SPDX-License-Identifier: MIT
 *
 * drivers/uart16550.c: the 16550A serial ports COM1 and COM2. Register names
 * are those of the PC16550D data sheet. Order of this file: registers, attach,
 * rings, interrupt, console.
 *
 * Owns: struct uart (one per port), its rings. Context and rings: see
 * uart16550.h. In a ring the hard handler is the consumer (transmit) or the
 * producer (receive); indices run freely, each has one writer.
 */
#include <drivers/slip.h>
#include <drivers/uart16550.h>
#include <kernel/console.h>
#include <kernel/cpu.h>
#include <kernel/irq.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/options.h>
#include <kernel/parse.h>
#include <kernel/time.h>
#include <slipway/errno.h>

/* --- registers ------------------------------------------------------------ */

#define RBR 0 /* read: received byte */
#define THR 0 /* write: byte to send */
#define DLL 0 /* while DLAB: divisor */
#define DLM 1
#define IER 1
#define IIR 2 /* read */
#define FCR 2 /* write */
#define LCR 3
#define MCR 4
#define LSR 5
#define MSR 6
#define SCR 7

#define IER_RDI 0x01u  /* data received, or lying in the FIFO for 4 characters */
#define IER_THRI 0x02u /* transmitter empty */
#define IER_RLSI 0x04u /* line status: errors */
#define IER_MSI 0x08u  /* a modem line moved */
#define IIR_NONE 0x01u
#define IIR_FIFO 0xc0u
#define FCR_ON 0x87u   /* FIFO on, both cleared, interrupt at 8 bytes: 8 more take
                          0.7 ms, longer than interrupts are ever off */
#define LCR_8N1 0x03u
#define LCR_DLAB 0x80u
#define MCR_RUN 0x0bu  /* DTR, RTS, OUT2 (which lets the interrupt out) */
#define MCR_RTS 0x02u
#define MCR_LOOP 0x1au /* loopback with RTS and OUT2 ... */
#define MSR_CTS 0x10u
#define MSR_LOOP 0x90u /* ... which come back as CTS and DCD */
#define LSR_DR 0x01u
#define LSR_OE 0x02u
#define LSR_PE 0x04u
#define LSR_FE 0x08u
#define LSR_BI 0x10u
#define LSR_THRE 0x20u
#define LSR_TEMT 0x40u
#define LSR_ERRORS (LSR_OE | LSR_PE | LSR_FE | LSR_BI)

#define CLOCK_BAUD 115200u /* divisor 1 */
#define FIFO_BYTES 16u
#define RX_RING 16384u
#define TX_RING 16384u
#define RING_ORDER 2
#define IRQ_TURNS 32u       /* of the handler, then it starts over by a new edge */
#define RX_BURST 64u        /* bytes a turn */
#define DRAIN_DEADLINE_MS 20u
#define CONSOLE_WAIT_NS (4 * NS_PER_MS) /* no call into the kernel lasts 5 ms */
#define CONSOLE_FULL (TX_RING - CONSOLE_READY_ROOM) /* with less in the ring, writers may go on */
#define CONSOLE_CHUNK 64u   /* bytes with interrupts off */
#define PORTS 2u

enum uart_role { ROLE_OFF = 0, ROLE_CONSOLE, ROLE_SLIP };

struct ring {
    uint8_t *buf;
    uint32_t head, tail; /* bytes put, bytes taken */
};

struct uart {
    const char *name;
    uint16_t io;
    uint8_t line;
    enum uart_role role;
    bool fifo;
    bool mux;             /* SLIP, with console text between the packets */
    bool flow;            /* RTS/CTS: the lines below mean something */
    bool stopped;         /* our RTS is off: the receive ring is nearly full */
    uint32_t baud;
    struct spinlock lock; /* the registers, tx.tail, and tx.head of the console's port */
    volatile uint8_t ier; /* what IER holds */
    struct irq irq;
    struct ring rx, tx;
    struct ring text;     /* mux: console text that waits to be framed */
    struct uart_user user;
    uint8_t last;         /* byte received before */
    struct uart_counters count;
    uint64_t lost, told;  /* console bytes that found no room; of which the reader knows */
};

static struct uart ports[PORTS] = {
    {.name = "com1", .io = 0x3f8, .line = 4, .lock = SPINLOCK("com1", RANK_UART)},
    {.name = "com2", .io = 0x2f8, .line = 3, .lock = SPINLOCK("com2", RANK_UART)},
};

static bool uart_interrupt(void *arg);
static bool carries_console(const struct uart *u);
static void console_sink(void *arg, const char *text, size_t bytes);
static size_t console_room(void *arg);

static uint8_t get(const struct uart *u, unsigned reg) { return inb((uint16_t)(u->io + reg)); }
static void put(const struct uart *u, unsigned reg, uint8_t v) { outb((uint16_t)(u->io + reg), v); }

/* --- attach --------------------------------------------------------------- */

/* What console output by polling left in the transmitter. */
static void drain(const struct uart *u)
{
    uint64_t deadline = now_ns() + DRAIN_DEADLINE_MS * NS_PER_MS;

    while (!(get(u, LSR) & LSR_TEMT) && now_ns() < deadline)
        cpu_relax();
}

/* Is there a UART, and has it a FIFO that works? */
static bool detect(struct uart *u)
{
    uint8_t mcr, msr;

    put(u, SCR, 0x5a);
    if (get(u, SCR) != 0x5a)
        return false;
    put(u, SCR, 0xa5);
    if (get(u, SCR) != 0xa5 || get(u, LSR) == 0xff)
        return false;
    drain(u);
    mcr = get(u, MCR);
    put(u, MCR, MCR_LOOP);
    msr = get(u, MSR) & 0xf0;
    put(u, MCR, mcr);
    if (msr != MSR_LOOP)
        return false;
    put(u, FCR, FCR_ON);
    u->fifo = (get(u, IIR) & IIR_FIFO) == IIR_FIFO;
    return true;
}

static void configure(struct uart *u)
{
    uint32_t divisor = CLOCK_BAUD / u->baud;

    put(u, IER, 0);
    put(u, LCR, LCR_DLAB);
    put(u, DLL, (uint8_t)divisor);
    put(u, DLM, (uint8_t)(divisor >> 8));
    put(u, LCR, LCR_8N1);
    put(u, FCR, FCR_ON);
    put(u, MCR, MCR_RUN);
    get(u, LSR); /* old errors, */
    get(u, RBR); /* an old byte */
    get(u, MSR); /* and old modem changes are nobody's */
}

/* The number behind "slip," or "console,"; the default when there is none. What
 * may follow it ("rtscts") is the caller's. */
static bool parse_baud(const char *s, uint32_t *baud)
{
    uint32_t v;

    *baud = UART_BAUD_DEFAULT;
    while (*s != '\0' && *s != ',')
        s++;
    if (*s == '\0')
        return true;
    s++;
    if (!parse_decimal(&s, UART_BAUD_MIN, CLOCK_BAUD, &v) || (*s != '\0' && *s != ',') || CLOCK_BAUD % v != 0)
        return false;
    *baud = v;
    return true;
}

/* com1= and com2= decide; without them the console is where console= put it
 * (COM2), and COM1 the SLIP link. */
static void read_role(struct uart *u, unsigned port)
{
    const char *value = option(u->name);

    u->baud = UART_BAUD_DEFAULT;
    u->role = console_port() == u->io ? ROLE_CONSOLE : port == 0 ? ROLE_SLIP : ROLE_OFF;
    if (value == NULL)
        return;
    u->mux = option_has(u->name, "slipmux");
    if (u->mux || option_has(u->name, "slip"))
        u->role = ROLE_SLIP;
    else if (option_has(u->name, "console"))
        u->role = ROLE_CONSOLE;
    else if (option_has(u->name, "off"))
        u->role = ROLE_OFF;
    u->flow = option_has(u->name, "rtscts");
    if (!parse_baud(value, &u->baud))
        klog(LOG_WARN, "%s=%s: not a speed of a serial port, taking %u", u->name, value, u->baud);
}

static int alloc_rings(struct uart *u)
{
    struct ring *all[] = {&u->rx, &u->tx, &u->text};

    for (unsigned i = 0; i < (u->mux ? 3u : 2u); i++) {
        phys_t p = page_alloc(RING_ORDER, 0);

        if (p == 0) {
            while (i-- != 0)
                page_free(virt_to_phys(all[i]->buf), RING_ORDER);
            return -ENOMEM;
        }
        all[i]->buf = phys_to_virt(p);
    }
    return 0;
}

static void start(struct uart *u, unsigned port)
{
    int r;

    read_role(u, port);
    if (u->role == ROLE_OFF)
        return;
    if (!detect(u)) {
        klog(LOG_INFO, "%s: no serial port at %x", u->name, u->io);
        u->role = ROLE_OFF;
        return;
    }
    r = alloc_rings(u);
    if (r == 0) {
        configure(u);
        r = irq_attach_isa(&u->irq, u->line, uart_interrupt, u, u->name);
    }
    if (r == 0 && u->role == ROLE_SLIP)
        r = slip_attach(u);
    if (r < 0) {
        klog(LOG_ERROR, "%s: cannot start (%d)", u->name, r);
        u->role = ROLE_OFF;
        return;
    }
    u->ier = (uint8_t)(IER_RDI | IER_RLSI | (u->flow ? IER_MSI : 0));
    put(u, IER, u->ier);
    klog(LOG_INFO, "%s: %s, %u baud%s, %s %u%s", u->name,
         u->mux ? "slipmux" : u->role == ROLE_SLIP ? "slip" : "console",
         u->baud, u->flow ? " with RTS/CTS" : "", irq_mode_name(u->irq.mode), u->irq.line,
         u->fifo ? "" : ", no FIFO");
}

void uart_init(void)
{
    bool console = false;

    for (unsigned i = 0; i < PORTS; i++) {
        start(&ports[i], i);
        console = console || carries_console(&ports[i]);
    }
    if (console)
        console_set_sink(console_sink, console_room, NULL);
}

/* --- rings ---------------------------------------------------------------- */

static uint32_t load(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static void store(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }

void uart_set_user(struct uart *u, const struct uart_user *user) { u->user = *user; }
uint32_t uart_baud(const struct uart *u) { return u->baud; }
uint32_t uart_irq_line(const struct uart *u) { return u->irq.line; }
const char *uart_irq_mode(const struct uart *u) { return irq_mode_name(u->irq.mode); }
void uart_counters(const struct uart *u, struct uart_counters *c) { *c = u->count; }

const uint8_t *uart_peek(struct uart *u, size_t *bytes)
{
    uint32_t at = u->rx.tail % RX_RING, have = load(&u->rx.head) - u->rx.tail;

    *bytes = have < RX_RING - at ? have : RX_RING - at;
    return have != 0 ? u->rx.buf + at : NULL;
}

/* RTS tells the other side whether it may send. C-SLIP-6 */
static void may_send(struct uart *u, bool may)
{
    u->stopped = !may;
    put(u, MCR, may ? MCR_RUN : MCR_RUN & ~MCR_RTS);
}

void uart_consume(struct uart *u, size_t bytes)
{
    uint32_t left = load(&u->rx.head) - (u->rx.tail + (uint32_t)bytes);

    store(&u->rx.tail, u->rx.tail + (uint32_t)bytes);
    if (u->stopped && left <= RX_RING / 4) {
        uint64_t flags = spin_lock_irqsave(&u->lock);
        may_send(u, true);
        spin_unlock_irqrestore(&u->lock, flags);
    }
}

static size_t ring_room(const struct ring *r) { return TX_RING - (r->head - load(&r->tail)); }

static void ring_put(struct ring *r, const uint8_t *p, size_t bytes)
{
    uint32_t head = r->head;

    for (size_t i = 0; i < bytes; i++)
        r->buf[head++ % TX_RING] = p[i];
    store(&r->head, head);
}

size_t uart_waiting(const struct uart *u) { return TX_RING - ring_room(&u->tx); }
size_t uart_room(const struct uart *u) { return ring_room(&u->tx); }
void uart_put(struct uart *u, const uint8_t *p, size_t bytes) { ring_put(&u->tx, p, bytes); }
bool uart_shared(const struct uart *u) { return u->mux; }

size_t uart_text(struct uart *u, uint8_t *to, size_t bytes)
{
    uint32_t tail = u->text.tail, have = load(&u->text.head) - tail;

    if (bytes > have)
        bytes = have;
    for (size_t i = 0; i < bytes; i++)
        to[i] = u->text.buf[tail++ % TX_RING];
    store(&u->text.tail, tail);
    if (have > CONSOLE_FULL && have - bytes <= CONSOLE_FULL)
        console_output_ready();
    return bytes;
}

/* The transmitter asks for bytes as long as its interrupt is on; switched on
 * while it is empty, it asks at once. */
static void transmit_on(struct uart *u) /* locked */
{
    if (!(u->ier & IER_THRI)) {
        u->ier |= IER_THRI;
        put(u, IER, u->ier);
    }
}

void uart_start(struct uart *u)
{
    uint64_t flags = spin_lock_irqsave(&u->lock);

    transmit_on(u);
    spin_unlock_irqrestore(&u->lock, flags);
}

/* --- interrupt ------------------------------------------------------------ */

static void rx_byte(struct uart *u, uint8_t b)
{
    uint32_t used = u->rx.head - load(&u->rx.tail);

    if (used == RX_RING) {
        u->count.overruns++;
        return;
    }
    u->rx.buf[u->rx.head % RX_RING] = b;
    store(&u->rx.head, u->rx.head + 1);
    if (u->flow && !u->stopped && used >= RX_RING / 4 * 3)
        may_send(u, false);
    if (u->user.ready != NULL && ((b == u->user.wake && u->last != b) || used == RX_RING / 2))
        u->user.ready(u->user.arg);
    u->last = b;
}

/* Bytes were lost or came damaged: the packet they belong to must not look
 * whole. A line error is the console's typist's to see. */
static void line_error(struct uart *u, uint8_t lsr)
{
    if (lsr & LSR_OE)
        u->count.overruns++;
    if (lsr & (LSR_PE | LSR_FE | LSR_BI))
        u->count.framing_errors++;
    if (u->user.ready != NULL) {
        rx_byte(u, u->user.on_error[0]); /* C-SLIP-3 */
        rx_byte(u, u->user.on_error[1]);
    }
}

static void serve_rx(struct uart *u, uint8_t lsr)
{
    for (unsigned i = 0; i < RX_BURST && (lsr & (LSR_DR | LSR_ERRORS)); i++) {
        if (lsr & LSR_ERRORS)
            line_error(u, lsr);
        if (lsr & LSR_DR) {
            uint8_t b = get(u, RBR);
            if (lsr & (LSR_PE | LSR_FE | LSR_BI))
                ; /* the byte that the error is about */
            else if (u->role == ROLE_CONSOLE)
                console_input(b);
            else
                rx_byte(u, b);
        }
        lsr = get(u, LSR);
    }
    if (u->user.each_byte && load(&u->rx.tail) != u->rx.head)
        u->user.ready(u->user.arg);
}

/* An empty transmitter takes a FIFO's worth; with nothing left it falls silent. */
static void serve_tx(struct uart *u)
{
    uint32_t left = load(&u->tx.head) - u->tx.tail, burst = u->fifo ? FIFO_BYTES : 1;
    bool held = u->flow && left != 0 && !(get(u, MSR) & MSR_CTS);

    u->count.held += held; /* C-SLIP-6 */
    if (left == 0 || held) { /* CTS coming on is an interrupt, too */
        u->ier = (uint8_t)(u->ier & ~IER_THRI);
        put(u, IER, u->ier);
        return;
    }
    if (burst > left)
        burst = left;
    for (uint32_t i = 0; i < burst; i++)
        put(u, THR, u->tx.buf[(u->tx.tail + i) % TX_RING]);
    store(&u->tx.tail, u->tx.tail + burst);
    if (u->role == ROLE_CONSOLE && left > CONSOLE_FULL && left - burst <= CONSOLE_FULL)
        console_output_ready();
    if (u->user.ready != NULL && left > u->user.low_bytes && left - burst <= u->user.low_bytes)
        u->user.ready(u->user.arg);
}

/* The line is edge-triggered: it must have been low before the next interrupt
 * can come, so go on until IIR says that nothing is left. */
static bool uart_interrupt(void *arg)
{
    struct uart *u = arg;
    uint64_t entered = now_ns(), spent;
    uint64_t flags = spin_lock_irqsave(&u->lock); /* writers are on other CPUs */
    unsigned turn;

    for (turn = 0; turn < IRQ_TURNS && !(get(u, IIR) & IIR_NONE); turn++) {
        uint8_t lsr = get(u, LSR);
        serve_rx(u, lsr);
        if ((lsr & LSR_THRE) && (u->ier & IER_THRI))
            serve_tx(u);
        if ((get(u, MSR) & MSR_CTS) && u->flow && uart_waiting(u) != 0 && !(u->ier & IER_THRI)) {
            u->ier |= IER_THRI; /* a modem line moved, and we may send again */
            put(u, IER, u->ier);
        }
    }
    if (turn == IRQ_TURNS) { /* enough for now: drop the line, raise it again (C-BOUND-4) */
        put(u, IER, 0);
        put(u, IER, u->ier);
    }
    u->count.interrupts += turn != 0;
    spent = now_ns() - entered;
    if (spent > u->count.drain_ns) /* C-SLIP-11 */
        u->count.drain_ns = spent;
    spin_unlock_irqrestore(&u->lock, flags);
    return turn != 0;
}

/* --- console -------------------------------------------------------------- */

static bool interrupts_on(void)
{
    uint64_t flags;

    __asm__ volatile("pushfq; popq %0" : "=r"(flags));
    return (flags & 0x200) != 0;
}

static bool carries_console(const struct uart *u)
{
    return u->role == ROLE_CONSOLE || (u->role == ROLE_SLIP && u->mux);
}

/* Where text goes: to the line, or to who frames it. */
static struct ring *text_ring(struct uart *u) { return u->mux ? &u->text : &u->tx; }

/* Take what fits of a piece; a writer in a hard interrupt may come between two
 * pieces, not into one. */
static size_t console_take(struct uart *u, const char *text, size_t bytes)
{
    uint64_t flags = spin_lock_irqsave(&u->lock);
    size_t room = ring_room(text_ring(u));

    if (bytes > CONSOLE_CHUNK)
        bytes = CONSOLE_CHUNK;
    if (bytes > room)
        bytes = room;
    ring_put(text_ring(u), (const uint8_t *)text, bytes);
    if (u->mux)
        u->user.ready(u->user.arg);
    else if (bytes != 0)
        transmit_on(u);
    else if (get(u, LSR) & LSR_THRE)
        serve_tx(u); /* full: don't wait for an interrupt that may be off */
    spin_unlock_irqrestore(&u->lock, flags);
    return bytes;
}

/* A reader of the console shall know that something is missing. */
static void tell_lost(struct uart *u)
{
    char text[48];
    int n;

    if (u->lost == u->told || ring_room(text_ring(u)) < TX_RING / 2)
        return;
    n = ksnprintf(text, sizeof(text), "\r\n[%lu bytes lost]\r\n", (unsigned long)(u->lost - u->told));
    u->told = u->lost;
    console_take(u, text, (size_t)n);
}

/* Output faster than the line waits a little for room where it may, and is
 * lost and counted where it may not. */
static void console_to(struct uart *u, const char *text, size_t bytes)
{
    uint64_t deadline = 0;

    tell_lost(u);
    while (bytes != 0) {
        size_t n = console_take(u, text, bytes);
        text += n;
        bytes -= n;
        if (n != 0)
            continue;
        if (deadline == 0)
            deadline = now_ns() + CONSOLE_WAIT_NS;
        if (u->mux || u->lost != u->told || !interrupts_on() || now_ns() > deadline) /* C-BOUND-5 */
            break; /* a line that stands still is waited for once; no poll comes to frame text now */
        cpu_relax();
    }
    __atomic_fetch_add(&u->lost, bytes, __ATOMIC_RELAXED);
}

static void console_sink(void *arg, const char *text, size_t bytes)
{
    (void)arg;
    for (unsigned i = 0; i < PORTS; i++)
        if (carries_console(&ports[i]))
            console_to(&ports[i], text, bytes);
}

/* Framed text is on its way, but not out: a byte less than an idle port has. */
static size_t port_room(struct uart *u)
{
    size_t room = ring_room(text_ring(u));

    return u->mux && room == TX_RING && uart_waiting(u) != 0 ? room - 1 : room;
}

static size_t console_room(void *arg)
{
    size_t least = TX_RING;

    (void)arg;
    for (unsigned i = 0; i < PORTS; i++)
        if (carries_console(&ports[i]) && port_room(&ports[i]) < least)
            least = port_room(&ports[i]);
    return least;
}
