/* SPDX-License-Identifier: MIT
 *
 * tests/unit/driver_fakes.h: the kernel around a driver under test: memory,
 * time that only moves when asked, timers, links that remember what came.
 * Included once by a test, before the driver's source.
 */
#ifndef TESTS_UNIT_DRIVER_FAKES_H
#define TESTS_UNIT_DRIVER_FAKES_H

#include <drivers/drivers.h>
#include <kernel/irq.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/pci.h>
#include <kernel/time.h>
#include <net/core/link.h>
#include <net/core/services.h>
#include <setjmp.h>
#include <slipway/errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAKE_TIMERS 8
#define FAKE_FRAMES 4096

static struct {
    uint64_t now;
    struct timer *timer[FAKE_TIMERS];
    struct link *link;
    bool poll_wanted, carrier;
    unsigned frames;
    size_t last_len;
    size_t len[FAKE_FRAMES];
    uint8_t first[FAKE_FRAMES]; /* first byte after the link header */
    unsigned done_ok, done_bad;
    int last_status;
    uint64_t total_memory;
    enum irq_mode mode;
    irq_handler *handler;
    void *arg[8];
    bool bus_master;
    unsigned allocations, detached;
    unsigned pages_dirty, pages_anywhere; /* taken without PAGE_ZERO, without PAGE_BELOW_4G */
    bool links_full;
} fake;

void panic(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    abort();
}
void klog(enum log_level level, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    (void)level;
    va_start(ap, fmt); /* the format must fit its arguments */
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
}
int ksnprintf(char *buf, size_t n, const char *fmt, ...)
{
    va_list ap;
    int r;

    va_start(ap, fmt);
    r = vsnprintf(buf, n, fmt, ap);
    va_end(ap);
    return r;
}

uint64_t now_ns(void) { return fake.now += 100; }
uint64_t event_worst_late_ns(void) { return 40000; }
void delay_us(uint32_t us) { fake.now += us * NS_PER_US; }
void timer_init(struct timer *t, void (*fn)(void *), void *arg) { *t = (struct timer){.fn = fn, .arg = arg}; }
void timer_cancel(struct timer *t)
{
    if (t->slot != 0)
        fake.timer[t->slot - 1] = NULL;
    t->slot = 0;
}
int timer_arm(struct timer *t, uint64_t when_ns)
{
    timer_cancel(t);
    t->when_ns = when_ns;
    for (uint32_t i = 0; i < FAKE_TIMERS; i++) {
        if (fake.timer[i] == NULL) {
            fake.timer[i] = t;
            t->slot = i + 1;
            return 0;
        }
    }
    return -ENOMEM;
}
/* Time passes; what is due runs. */
static inline void fake_sleep(uint64_t ns)
{
    uint64_t until = fake.now + ns;

    for (;;) {
        struct timer *next = NULL;
        for (unsigned i = 0; i < FAKE_TIMERS; i++)
            if (fake.timer[i] != NULL && fake.timer[i]->when_ns <= until &&
                (next == NULL || fake.timer[i]->when_ns < next->when_ns))
                next = fake.timer[i];
        if (next == NULL)
            break;
        if (fake.now < next->when_ns)
            fake.now = next->when_ns;
        timer_cancel(next);
        next->fn(next->arg);
    }
    if (fake.now < until)
        fake.now = until;
}

/* The direct map is the host's memory, moved by DIRECT_MAP and back. */
phys_t page_alloc(unsigned order, unsigned flags)
{
    void *p = aligned_alloc(PAGE_SIZE << order, PAGE_SIZE << order);

    memset(p, flags & PAGE_ZERO ? 0 : 0xa5, PAGE_SIZE << order);
    fake.allocations++;
    fake.pages_dirty += !(flags & PAGE_ZERO);
    fake.pages_anywhere += !(flags & PAGE_BELOW_4G);
    return (phys_t)p - DIRECT_MAP;
}
void page_free(phys_t p, unsigned order)
{
    (void)order;
    fake.allocations--;
    free(phys_to_virt(p));
}
void *kzalloc(size_t bytes) { return calloc(1, bytes); }
void kfree(void *p) { free(p); }
uint64_t mem_total_bytes(void) { return fake.total_memory; }
void nc_random(void *buf, size_t bytes) { memset(buf, 0xff, bytes); }

void pci_enable(struct pci_device *d, bool memory, bool io, bool bus_master)
{
    (void)d, (void)memory, (void)io;
    fake.bus_master = bus_master;
}
const char *irq_mode_name(enum irq_mode m) { return m == IRQ_MSIX ? "msix" : "other"; }
int irq_attach_pci(struct pci_device *dev, struct irq irqs[], unsigned want_vectors, irq_handler *h, void *args[],
                   const char *name, void (*raise)(void *), void (*quiet)(void *))
{
    unsigned n = fake.mode == IRQ_MSIX ? want_vectors : 1;

    (void)dev;
    fake.handler = h;
    for (unsigned i = 0; i < n; i++) {
        irqs[i] = (struct irq){.handler = h, .arg = args[i], .name = name, .mode = fake.mode};
        fake.arg[i] = args[i];
    }
    if (fake.mode != IRQ_MSIX && raise != NULL) {
        raise(args[0]);
        quiet(args[0]);
    }
    return (int)n;
}
void irq_detach(struct irq *irq)
{
    assert_ptr_equal(irq->handler, fake.handler);
    fake.detached++;
}

int link_register(struct link *l)
{
    if (fake.links_full)
        return -ENFILE;
    fake.link = l;
    l->flags |= LINKF_UP;
    return 0;
}
void link_carrier(struct link *l, bool up)
{
    (void)l;
    fake.carrier = up;
}
void link_schedule_poll(struct link *l)
{
    (void)l;
    fake.poll_wanted = true;
}
void link_rx(struct link *l, const void *frame, size_t len, const struct link_rx_meta *meta)
{
    const volatile uint8_t *p = frame;
    uint8_t sum = 0;

    (void)l, (void)meta;
    for (size_t i = 0; i < len; i++) /* touch all of it */
        sum = (uint8_t)(sum + p[i]);
    (void)sum;
    if (fake.frames < FAKE_FRAMES) {
        fake.len[fake.frames] = len;
        fake.first[fake.frames] = len > 14 ? p[14] : 0;
    }
    fake.last_len = len;
    fake.frames++;
}
void netbuf_done(struct netbuf *nb, int status)
{
    fake.last_status = status;
    if (status == 0)
        fake.done_ok++;
    else
        fake.done_bad++;
    free(nb);
}
size_t netbuf_flatten(const struct netbuf *nb, void *dst)
{
    uint8_t *p = dst;

    memcpy(p, nb->head, nb->head_len);
    p += nb->head_len;
    for (unsigned i = 0; i < nb->nfrags; i++) {
        memcpy(p, nb->frag[i].virt, nb->frag[i].len);
        p += nb->frag[i].len;
    }
    return nb->total_len;
}
void driver_publish_net(struct pci_device *d, const struct link *l) { (void)d, (void)l; }

/* A packet with a head of 54 bytes and `payload` bytes behind it. */
static uint8_t fake_payload[4096];
static inline struct netbuf *fake_packet(uint32_t payload)
{
    struct netbuf *nb = calloc(1, sizeof(*nb));

    nb->head = nb->room + NETBUF_HEADROOM - 14;
    nb->head_len = 54;
    nb->total_len = 54 + payload;
    nb->head_phys = (uint64_t)nb->room - DIRECT_MAP;
    memset(nb->head, 0x77, 54);
    if (payload != 0) {
        nb->nfrags = 1;
        nb->frag[0] = (struct netbuf_frag){fake_payload, (uint64_t)fake_payload - DIRECT_MAP, payload};
    }
    return nb;
}
static inline struct netbuf *fake_batch(unsigned n, uint32_t payload)
{
    struct netbuf *list = NULL;

    while (n-- != 0) {
        struct netbuf *nb = fake_packet(payload);
        nb->next = list;
        list = nb;
    }
    return list;
}
/* As the core does: what the driver did not take is completed by us. */
static inline unsigned fake_transmit(unsigned n, uint32_t payload)
{
    struct netbuf *list = fake_batch(n, payload), *all[512];
    unsigned i = 0, taken;

    for (struct netbuf *nb = list; nb != NULL; nb = nb->next)
        all[i++] = nb;
    taken = fake.link->ops->transmit(fake.link, list);
    for (i = taken; i < n; i++)
        free(all[i]);
    return taken;
}
/* Runs the poll as long as it is wanted. */
static inline int fake_poll(void)
{
    int n, sum = 0;

    fake.poll_wanted = false;
    do {
        n = fake.link->ops->poll(fake.link, POLL_BUDGET);
        sum += n;
    } while (n >= POLL_BUDGET);
    return sum;
}

#endif
