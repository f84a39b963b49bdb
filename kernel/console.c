/* SPDX-License-Identifier: MIT
 *
 * kernel/console.c: where text goes and typed bytes come from.
 *
 * Owns: the polled 16550 output of the first moments and of panics, the choice
 * between serial ports and screen, the queue of typed bytes. Once the UART
 * driver runs by interrupt it is the sink, and only processes wait for the line.
 */
#include <kernel/console.h>
#include <kernel/cpu.h>
#include <kernel/irq.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/options.h>
#include <kernel/screen.h>
#include <kernel/thread.h>
#include <slipway/errno.h>

#define COM1         0x3f8
#define COM2         0x2f8
#define UART_DATA    0
#define UART_IER     1
#define UART_FCR     2
#define UART_LCR     3
#define UART_MCR     4
#define UART_LSR     5
#define UART_SCRATCH 7
#define LSR_EMPTY    0x20
#define FIFO_BYTES   16
#define CLOCK_BAUD   115200u /* divisor 1 */
/* 16 bytes at 300 baud last half a second; a port read takes about 1 us. */
#define WAIT_TURNS 600000u

#define INPUT_BYTES 256u
#define KERNEL_ROOM 1024u /* processes leave so much to the log */
_Static_assert(2 * CONSOLE_PIECE_MAX + KERNEL_ROOM <= CONSOLE_READY_ROOM, "a woken writer finds room");

static uint16_t port;
static bool port_present;
static bool shared; /* IP packets are on the line, too */
static bool bare;   /* ... and it was told that text follows without frames */
static unsigned fifo_room;
static void (*sink)(void *arg, const char *text, size_t bytes);
static size_t (*sink_room)(void *arg);
static void *sink_arg;
static size_t sink_empty; /* the room that an idle sink has */
static struct waitq output_wq;
static bool stuck; /* no byte went out during a whole wait */

static struct spinlock input_lock = SPINLOCK("console input", RANK_INPUT);
static uint8_t input[INPUT_BYTES];
static volatile uint32_t input_head, input_tail; /* running; the interrupt moves head */
static uint64_t input_lost;
static struct waitq input_wq;

static bool input_wake(void *arg)
{
    (void)arg;
    waitq_wake(&input_wq);
    return false;
}
static struct poll_work input_work = {.run = input_wake};

static bool output_wake(void *arg)
{
    (void)arg;
    waitq_wake(&output_wq);
    return false;
}
static struct poll_work output_work = {.run = output_wake};

static void port_open(uint16_t base, uint16_t divisor)
{
    port = base;
    outb(base + UART_SCRATCH, 0x5a);
    port_present = inb(base + UART_SCRATCH) == 0x5a;
    if (!port_present)
        return;
    outb(base + UART_IER, 0);
    outb(base + UART_LCR, 0x80);
    outb(base + UART_DATA, (uint8_t)divisor);
    outb(base + UART_IER, (uint8_t)(divisor >> 8));
    outb(base + UART_LCR, 3); /* 8N1 */
    outb(base + UART_FCR, 7); /* FIFOs on and empty */
    outb(base + UART_MCR, 3); /* DTR, RTS */
    fifo_room = 0;
}

static void polled_put(uint8_t byte)
{
    if (fifo_room == 0) {
        for (unsigned turn = 0; !(inb(port + UART_LSR) & LSR_EMPTY); turn++) {
            if (turn == WAIT_TURNS) {
                port_present = false; /* a line that never drains stops no boot */
                return;
            }
            cpu_relax();
        }
        fifo_room = FIFO_BYTES;
    }
    outb(port + UART_DATA, byte);
    fifo_room--;
}

static void polled_write(void *arg, const char *text, size_t bytes)
{
    (void)arg;
    for (size_t i = 0; i < bytes && port_present; i++)
        polled_put((uint8_t)text[i]);
}

/* CR LF for terminals; everything else as it is. */
static void write_lines(void (*to)(void *, const char *, size_t), void *arg, const char *text, size_t bytes)
{
    size_t start = 0;

    for (size_t i = 0; i < bytes; i++) {
        if (text[i] != '\n')
            continue;
        if (i > start)
            to(arg, text + start, i - start);
        to(arg, "\r\n", 2);
        start = i + 1;
    }
    if (bytes > start)
        to(arg, text + start, bytes - start);
}

void console_early_init(void)
{
    port_open(COM2, 1);
}

/* What com1=slipmux,BAUD says; the options' rules let only numbers pass. */
static uint16_t divisor_of(const char *key)
{
    const char *v = option(key);
    uint32_t baud = 0;

    while (*v != 0 && *v != ',')
        v++;
    for (v += *v == ','; *v >= '0' && *v <= '9'; v++)
        baud = baud * 10 + (uint32_t)(*v - '0');
    return baud != 0 && CLOCK_BAUD % baud == 0 ? (uint16_t)(CLOCK_BAUD / baud) : 1;
}

/* The line that turns out to be the console's has missed what was said so far. */
static void say_again(void)
{
    char text[256];
    uint64_t cursor = 0;
    size_t n;

    while ((n = log_read(&cursor, text, sizeof text)) != 0)
        write_lines(polled_write, NULL, text, n);
}

void console_configure(void)
{
    if (option_is("console", "screen"))
        port = 0, port_present = false;
    else if (option_is("console", "com1"))
        port_open(COM1, 1), say_again();
    else if (option("console") == NULL && option_has("com1", "slipmux"))
        port_open(COM1, divisor_of("com1")), say_again();
    shared = port != 0 && option_has(port == COM1 ? "com1" : "com2", "slipmux");
}

uint16_t console_port(void)
{
    return port;
}

void console_write(const char *text, size_t bytes)
{
    if (sink != NULL) {
        bare = false;
        write_lines(sink, sink_arg, text, bytes);
    } else if (port_present) {
        write_lines(polled_write, NULL, text, bytes);
    }
    screen_write(text, bytes);
}

static int wait_room(size_t need, uint64_t deadline_ns)
{
    struct wait_entry entry = {.thread = thread_current()};
    size_t before = sink_room(sink_arg);
    int r = 0;

    waitq_add(&output_wq, &entry);
    while (sink_room(sink_arg) < need && r == 0)
        r = thread_block(deadline_ns);
    waitq_remove(&entry);
    if (sink_room(sink_arg) >= need)
        return 0;
    if (r == -ETIMEDOUT && sink_room(sink_arg) <= before)
        stuck = true;
    return r;
}

int console_write_wait(const char *text, size_t bytes, uint64_t deadline_ns)
{
    size_t need = 2 * bytes + KERNEL_ROOM; /* all newlines, at worst */
    int r = 0;

    if (sink != NULL && sink_room(sink_arg) >= need)
        stuck = false;
    else if (sink != NULL && !stuck)
        r = wait_room(need, deadline_ns);
    if (r == 0)
        console_write(text, bytes);
    return r;
}

void console_write_nmi(const char *text, size_t bytes)
{
    /* A frame may be open, or none: ends both ways where bare text may stand. */
    static const char leave_frame[] = {'\xc0', '\xc0', '\n', '\xc0'};

    fifo_room = 0; /* the driver may have filled it */
    if (port_present && shared && sink != NULL && !bare) {
        bare = true;
        polled_write(NULL, leave_frame, sizeof leave_frame);
    }
    if (port_present)
        write_lines(polled_write, NULL, text, bytes);
}

void console_write_polled(const char *text, size_t bytes)
{
    console_write_nmi(text, bytes);
    screen_write(text, bytes);
    screen_flush();
}

void console_set_sink(void (*write)(void *arg, const char *text, size_t bytes), size_t (*room)(void *arg),
                      void *arg)
{
    sink_arg = arg;
    sink_room = room;
    sink_empty = room(arg);
    sink = write;
}

bool console_drained(void)
{
    return sink == NULL || sink_room(sink_arg) >= sink_empty;
}

void console_output_ready(void)
{
    poll_schedule(&output_work);
}

void console_input(uint8_t byte)
{
    uint64_t flags = spin_lock_irqsave(&input_lock); /* a line and a keyboard may type at once */

    if (input_head - input_tail == INPUT_BYTES) {
        input_lost++;
    } else {
        input[input_head % INPUT_BYTES] = byte;
        __atomic_store_n(&input_head, input_head + 1, __ATOMIC_RELEASE);
    }
    spin_unlock_irqrestore(&input_lock, flags);
    poll_schedule(&input_work);
}

int console_readable(void)
{
    return input_head != input_tail;
}

size_t console_read(void *buf, size_t bytes)
{
    uint8_t *to = buf;
    size_t n = 0;

    while (n < bytes && input_tail != input_head) {
        to[n++] = input[input_tail % INPUT_BYTES];
        input_tail++;
    }
    return n;
}

struct waitq *console_waitq(void)
{
    return &input_wq;
}
