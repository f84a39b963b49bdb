/* SPDX-License-Identifier: MIT
 *
 * tests/unit/uart_rig.h: the serial driver and the SLIP link on it, against a
 * model of the 16550A. Included once by a test.
 */
#ifndef TESTS_UNIT_UART_RIG_H
#define TESTS_UNIT_UART_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "driver_fakes.h"
#include <kernel/console.h>
#include <kernel/cpu.h>
#include <kernel/options.h>

static uint8_t card_in8(uint16_t port);
static void card_out8(uint16_t port, uint8_t v);
static bool irqs_off;
static uint64_t card_irq_save(void)
{
    bool was = irqs_off;
    irqs_off = true;
    return was;
}
static void card_irq_restore(uint64_t f);
#define inb card_in8
#define outb card_out8
#define irq_save card_irq_save
#define irq_restore card_irq_restore
#include "../../drivers/uart16550.c"
void spin_wait(struct spinlock *l, uint32_t ticket)
{
    (void)l, (void)ticket;
    fail(); /* one CPU: nobody holds it */
}
#include "../../drivers/slip.c"

#define FIFO 16
static struct card {
    uint16_t io;
    bool absent, endless, cts_off, msi_pending;
    uint8_t ier, lcr, mcr, scr, fcr, dll, dlm;
    uint8_t rx[FIFO], lsr_of[FIFO];
    unsigned nrx, tx_free;
    bool overrun, thre_pending, in_handler, line;
    uint8_t out[65536];
    size_t nout;
    unsigned ier_drops;
} card[2] = {{.io = 0x3f8}, {.io = 0x2f8}};
static struct irq *irqs[2];

static const char *opt_com1, *opt_com2, *opt_slip, *opt_vj, *opt_mtu;
const char *option(const char *key)
{
    return !strcmp(key, "com1")       ? opt_com1
           : !strcmp(key, "com2")     ? opt_com2
           : !strcmp(key, "slip")     ? opt_slip
           : !strcmp(key, "slip.vj")  ? opt_vj
           : !strcmp(key, "slip.mtu") ? opt_mtu
                                      : NULL;
}
bool option_has(const char *key, const char *word)
{
    const char *v = option(key);
    return v != NULL && strstr(v, word) != NULL;
}
bool option_is(const char *key, const char *value)
{
    const char *v = option(key);
    return v != NULL && !strcmp(v, value);
}
static uint16_t console_at = 0x2f8;
uint16_t console_port(void) { return console_at; }
static uint8_t typed[64];
static unsigned ntyped;
void console_input(uint8_t b) { typed[ntyped++ % 64] = b; }
static void (*sink)(void *, const char *, size_t);
static size_t (*sink_room)(void *);
void console_set_sink(void (*write)(void *, const char *, size_t), size_t (*room)(void *), void *arg)
{
    (void)arg;
    sink = write;
    sink_room = room;
}
static unsigned told_ready;
void console_output_ready(void) { told_ready++; }
int irq_attach_isa(struct irq *irq, unsigned line, irq_handler *h, void *arg, const char *name)
{
    *irq = (struct irq){.handler = h, .arg = arg, .name = name, .mode = IRQ_PIC, .line = line};
    irqs[line == 4 ? 0 : 1] = irq;
    return 0;
}

static struct card *at(uint16_t port) { return port >= 0x3f8 ? &card[0] : &card[1]; }
static bool pending(struct card *c)
{
    return ((c->ier & 1) && c->nrx > 0) || ((c->ier & 4) && c->overrun) || ((c->ier & 2) && c->thre_pending) ||
           ((c->ier & 8) && c->msi_pending);
}
/* An edge-triggered line: only a rise calls the handler. */
static void update(struct card *c)
{
    bool now = pending(c);

    if (now && (irqs_off || c->in_handler))
        return; /* the controller remembers the edge */
    if (now && !c->line && irqs[c - card] != NULL) {
        c->line = true;
        c->in_handler = true;
        irqs_off = true;
        assert_true(irqs[c - card]->handler(irqs[c - card]->arg));
        irqs_off = false;
        c->in_handler = false;
        now = pending(c);
        assert_false(now && !c->endless); /* else no further edge would come */
    }
    c->line = now;
}
static void card_irq_restore(uint64_t f)
{
    irqs_off = f != 0;
    update(&card[0]);
    update(&card[1]);
}
static uint8_t lsr(struct card *c)
{
    uint8_t v = (uint8_t)((c->nrx ? LSR_DR | c->lsr_of[0] : 0) | (c->overrun ? LSR_OE : 0) |
                          (c->tx_free == FIFO ? LSR_THRE | LSR_TEMT : 0));
    c->overrun = false;
    c->lsr_of[0] = 0;
    return v;
}
static uint8_t card_in8(uint16_t port)
{
    struct card *c = at(port);
    uint8_t v;

    if (c->absent)
        return 0xff;
    switch (port & 7) {
    case RBR:
        if (c->nrx == 0)
            return 0;
        v = c->rx[0];
        if (c->endless)
            return v;
        memmove(c->rx, c->rx + 1, --c->nrx);
        memmove(c->lsr_of, c->lsr_of + 1, c->nrx);
        return v;
    case IIR:
        v = (uint8_t)(pending(c) ? 4 : 1);
        if (c->nrx == 0 && !c->overrun)
            c->thre_pending = false;
        return (uint8_t)(v | (c->fcr & 1 ? IIR_FIFO : 0));
    case LCR: return c->lcr;
    case MCR: return c->mcr;
    case LSR: return lsr(c);
    case MSR:
        c->msi_pending = false;
        return c->mcr & 0x10 ? MSR_LOOP : c->cts_off ? 0xa0 : 0xb0;
    case SCR: return c->scr;
    default: return c->ier;
    }
}
static void card_out8(uint16_t port, uint8_t v)
{
    struct card *c = at(port);

    if (c->absent)
        return;
    switch (port & 7) {
    case THR:
        if (c->lcr & LCR_DLAB) {
            c->dll = v;
            break;
        }
        assert_true(c->tx_free > 0); /* more than the FIFO holds would be lost */
        c->tx_free--;
        c->thre_pending = false;
        c->out[c->nout++ % sizeof(c->out)] = v;
        break;
    case IER:
        if (c->lcr & LCR_DLAB) {
            c->dlm = v;
            break;
        }
        c->ier_drops += v == 0 && c->ier != 0;
        if ((v & 2) && !(c->ier & 2) && c->tx_free == FIFO)
            c->thre_pending = true;
        c->ier = v;
        break;
    case FCR: c->fcr = v; break;
    case LCR: c->lcr = v; break;
    case MCR: c->mcr = v; break;
    case SCR: c->scr = v; break;
    }
}
/* The line moves: what was in the transmitter is out. */
static inline void shift_out(struct card *c)
{
    if (c->tx_free == FIFO)
        return;
    c->tx_free = FIFO;
    c->thre_pending = true;
    update(c);
}
static inline void drain_card(struct card *c)
{
    for (unsigned i = 0; i < 10000 && c->tx_free != FIFO; i++)
        shift_out(c);
}
static inline void arrive(struct card *c, const uint8_t *p, size_t n, uint8_t error)
{
    for (size_t i = 0; i < n; i++) {
        if (c->nrx == FIFO)
            c->overrun = true;
        else {
            c->lsr_of[c->nrx] = error;
            c->rx[c->nrx++] = p[i];
        }
        if (c->nrx >= 8 || i + 1 == n)
            update(c);
    }
}

static inline int setup(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    for (unsigned i = 0; i < 2; i++) {
        uint16_t io = card[i].io;
        memset(&card[i], 0, sizeof(card[i]));
        card[i].io = io;
        card[i].tx_free = FIFO;
        ports[i] = (struct uart){.name = ports[i].name, .io = ports[i].io, .line = ports[i].line};
        irqs[i] = NULL;
    }
    opt_com1 = opt_com2 = opt_slip = opt_vj = opt_mtu = NULL;
    console_at = 0x2f8;
    sink = NULL;
    ntyped = 0;
    irqs_off = false;
    return 0;
}
static inline int start_all(void **state)
{
    setup(state);
    uart_init();
    return 0;
}
static inline int stop(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        if (ports[i].rx.buf != NULL) {
            page_free(virt_to_phys(ports[i].rx.buf), RING_ORDER);
            page_free(virt_to_phys(ports[i].tx.buf), RING_ORDER);
            if (ports[i].text.buf != NULL)
                page_free(virt_to_phys(ports[i].text.buf), RING_ORDER);
        }
    }
    if (fake.link != NULL) {
        struct slip_link *s = fake.link->priv;
        for (struct netbuf *nb; (nb = slip_queue_take(&s->queue)) != NULL;)
            free(nb);
        slip_free(s);
    }
    return 0;
}

/* The line takes all that waits. */
static inline void send_all(struct card *c)
{
    for (unsigned i = 0; i < 1000; i++) {
        drain_card(c);
        if (!fake.poll_wanted)
            return;
        fake_poll();
    }
    fail_msg("the line never falls silent");
}

#endif
