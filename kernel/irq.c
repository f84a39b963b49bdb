/* SPDX-License-Identifier: MIT
 *
 * kernel/irq.c: vectors, lines and the way from an entry stub to the handlers.
 *
 * Owns: the chain of handlers of each vector, the vector of each line, the
 * choice between IOAPIC and 8259, the list of sources, the polling fallback.
 * Context: interrupt_dispatch hard interrupt; attaching thread (boot).
 *
 * A level-triggered line is acknowledged after its handlers have quieted their
 * devices, else it would fire once more at once. A line that keeps firing
 * though no handler claims it is switched off and its devices are polled.
 */
#include <kernel/acpi.h>
#include <kernel/cpu.h>
#include <kernel/intctl.h>
#include <kernel/log.h>
#include <kernel/options.h>
#include <kernel/smp.h>
#include <kernel/time.h>
#include <slipway/syscall.h>
#include <stddef.h>

#define LINES_MAX        256u
#define PIC_LINES        16u
#define STORM_LIMIT      5000u /* unclaimed interrupts in a row */
#define POLL_INTERVAL_NS NS_PER_MS
#define HANDLERS_WAIT_NS (20 * NS_PER_S) /* a host may take a virtual CPU away for seconds */

struct irq_line {
    uint8_t vector; /* 0: not attached */
    bool level;
};

static struct irq *chains[256];
static struct irq_line lines[LINES_MAX];
static uint32_t unclaimed[256]; /* in a row */
static uint64_t spurious_count, stray_count; /* of all CPUs; a rare one may be lost */
static enum irq_policy policy;
static bool use_ioapic;
static struct irq *sources;
void (*irq_unclaimed_hook)(uint8_t vector);

/* --- the hard interrupt --- */

static void storm_run(void);
static volatile uint8_t storm_vector;

static bool storm_poll(void *arg)
{
    (void)arg;
    storm_run();
    return false;
}
static struct poll_work storm_work = {.run = storm_poll};

static void not_claimed(unsigned vector)
{
    struct irq *irq = chains[vector];

    if (irq_unclaimed_hook != NULL) {
        irq_unclaimed_hook((uint8_t)vector);
        return;
    }
    if (irq == NULL) {
        stray_count++;
        return;
    }
    if (++unclaimed[vector] < STORM_LIMIT || (irq->mode != IRQ_IOAPIC && irq->mode != IRQ_PIC))
        return;
    unclaimed[vector] = 0;
    irq_line_mask(irq->line);
    storm_vector = (uint8_t)vector;
    poll_schedule(&storm_work);
}

void interrupt_dispatch(struct trap_frame *f)
{
    struct percpu *self = this_cpu();
    unsigned vector = (uint8_t)f->vector;
    bool claimed = false;

    self->interrupts++;
    if (vector == VECTOR_SPURIOUS) { /* SDM 11.9: no EOI */
        spurious_count++;
        return;
    }
    if ((vector == VECTOR_PIC + 7 || vector == VECTOR_PIC + 15) && pic_spurious(vector - VECTOR_PIC)) {
        spurious_count++;
        return;
    }
    __atomic_fetch_add(&self->irq_depth, 1, __ATOMIC_SEQ_CST); /* before the chain is read: wait_for_handlers */
    for (struct irq *irq = chains[vector]; irq != NULL; irq = irq->next) {
        if (irq->handler(irq->arg)) {
            __atomic_fetch_add(&irq->count, 1, __ATOMIC_RELAXED); /* some vectors are every CPU's */
            claimed = true;
        }
    }
    if (!claimed)
        not_claimed(vector);
    else
        unclaimed[vector] = 0;
    if (vector - VECTOR_PIC < PIC_LINES)
        pic_eoi(vector - VECTOR_PIC);
    else
        lapic_eoi();
    self->irq_depth--;
}

/* --- vectors and chains --- */

int irq_vector_alloc(void)
{
    static uint8_t taken[256];

    for (unsigned v = VECTOR_FIRST; v <= VECTOR_LAST; v++) {
        if (taken[v])
            continue;
        taken[v] = 1;
        return (int)v;
    }
    return -ENOSPC;
}

/* A chain is changed in thread or poll context (kernel lock) and walked by hard
 * interrupts of any CPU. */
void irq_chain_add(struct irq *irq)
{
    struct irq **p = &chains[irq->vector];

    irq->next = NULL;
    while (*p != NULL)
        p = &(*p)->next;
    __atomic_store_n(p, irq, __ATOMIC_RELEASE);
}

/* Returns when no CPU is in a handler that it entered before. */
static void wait_for_handlers(void)
{
    uint64_t deadline = now_ns() + HANDLERS_WAIT_NS;

    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* the chain's change before the look */
    for (uint32_t i = 0; i < smp_cpus(); i++)
        while (smp_cpu[i] != this_cpu() && __atomic_load_n(&smp_cpu[i]->irq_depth, __ATOMIC_ACQUIRE) != 0) {
            if (now_ns() > deadline)
                panic("CPU %u does not come out of its interrupt", i);
            cpu_relax();
        }
}

void irq_chain_remove(struct irq *irq)
{
    for (struct irq **p = &chains[irq->vector]; *p != NULL; p = &(*p)->next) {
        if (*p == irq) {
            __atomic_store_n(p, irq->next, __ATOMIC_RELEASE);
            break;
        }
    }
    wait_for_handlers();
}

/* Which CPU gets the interrupts of the next source: each in turn. Those that came
 * before there were several are CPU 0's. */
uint32_t irq_next_target(void)
{
    static uint32_t last;

    last = (last + 1) % smp_cpus();
    return smp_cpu[last]->apic_id;
}

void irq_list_add(struct irq *irq)
{
    irq->all_next = sources;
    sources = irq;
}

/* --- lines --- */

uint32_t irq_isa_gsi(unsigned line, struct irq_line_setup *s)
{
    uint16_t flags;

    *s = (struct irq_line_setup){.level = false, .active_low = false};
    if (!use_ioapic || line >= PIC_LINES || !acpi.isa_override[line].set)
        return line;
    flags = acpi.isa_override[line].flags; /* ACPI 6.4 table 5.26 */
    s->active_low = (flags & 3) == 3;
    s->level = (flags >> 2 & 3) == 3;
    return acpi.isa_override[line].gsi;
}

bool irq_line_edge_used(uint32_t line)
{
    return line < LINES_MAX && lines[line].vector != 0 && !lines[line].level;
}

void irq_line_mask(uint32_t line)
{
    if (use_ioapic)
        ioapic_mask(line);
    else
        pic_mask(line);
}

void irq_line_unmask(uint32_t line)
{
    if (use_ioapic)
        ioapic_unmask(line);
    else
        pic_unmask(line);
}

static int line_open(uint32_t line, struct irq_line_setup s)
{
    int vector;

    if (!use_ioapic) {
        lines[line].vector = (uint8_t)(VECTOR_PIC + line);
        if (s.level)
            pic_set_level(line);
    } else {
        if (!ioapic_has(line))
            return -ENODEV;
        vector = irq_vector_alloc();
        if (vector < 0)
            return vector;
        lines[line].vector = (uint8_t)vector;
        ioapic_route(line, (uint8_t)vector, s.level, s.active_low, irq_next_target());
    }
    lines[line].level = s.level;
    return 0;
}

/* A line keeps its vector for ever, so that a late interrupt of a detached
 * source is counted as a stray, not delivered to a stranger. */
int irq_line_open(uint32_t line, struct irq_line_setup s)
{
    int r;

    if (line >= (use_ioapic ? LINES_MAX : PIC_LINES))
        return -EINVAL;
    r = lines[line].vector == 0 ? line_open(line, s) : 0;
    return r < 0 ? r : lines[line].vector;
}

void irq_line_settle(uint32_t line)
{
    if (chains[lines[line].vector] == NULL)
        irq_line_mask(line);
    else
        irq_line_unmask(line);
}

int irq_line_attach(struct irq *irq, uint32_t line, struct irq_line_setup s)
{
    int vector = irq_line_open(line, s);

    if (vector < 0)
        return vector;
    irq->mode = irq_line_mode();
    irq->line = line;
    irq->vector = (uint8_t)vector;
    irq_chain_add(irq);
    return 0;
}

/* --- polling, the last resort --- */

static struct irq *polled;
static struct timer poll_timer;
static uint64_t poll_next_ns;

static void poll_tick(void *arg)
{
    (void)arg;
    for (struct irq *irq = polled; irq != NULL; irq = irq->next) {
        uint64_t flags = irq_save();

        if (irq->handler(irq->arg))
            irq->count++;
        irq_restore(flags);
    }
    if (polled == NULL)
        return;
    poll_next_ns += POLL_INTERVAL_NS;
    if (poll_next_ns < now_ns())
        poll_next_ns = now_ns() + POLL_INTERVAL_NS;
    (void)timer_arm(&poll_timer, poll_next_ns); /* its slot in the heap was free a moment ago */
}

int irq_attach_poll(struct irq *irq)
{
    int r = 0;

    irq->mode = IRQ_POLL;
    irq->vector = 0;
    irq->line = 0;
    if (polled == NULL) {
        timer_init(&poll_timer, poll_tick, NULL);
        poll_next_ns = now_ns() + POLL_INTERVAL_NS;
        r = timer_arm(&poll_timer, poll_next_ns);
    }
    irq->next = polled;
    polled = irq;
    klog(LOG_WARN, "irq: %s is polled every millisecond", irq->name);
    return r;
}

static void storm_run(void)
{
    struct irq *irq = chains[storm_vector];

    if (irq == NULL)
        return;
    klog(LOG_ERROR, "irq: nobody claims the interrupts of line %u, it is off now", irq->line);
    chains[storm_vector] = NULL;
    wait_for_handlers();
    while (irq != NULL) {
        struct irq *next = irq->next;

        (void)irq_attach_poll(irq);
        irq = next;
    }
}

/* --- attaching, choosing --- */

int irq_attach_isa(struct irq *irq, unsigned line, irq_handler *h, void *arg, const char *name)
{
    struct irq_line_setup s;
    uint32_t gsi = irq_isa_gsi(line, &s);
    int r;

    *irq = (struct irq){.handler = h, .arg = arg, .name = name};
    r = policy == POLICY_POLL ? -EOPNOTSUPP : irq_line_attach(irq, gsi, s);
    irq_list_add(irq);
    if (r < 0)
        return irq_attach_poll(irq);
    irq_line_unmask(gsi);
    return 0;
}

int irq_attach_timer_line(struct irq *irq, unsigned line, irq_handler *h, const char *name)
{
    struct irq_line_setup s;
    uint32_t gsi = irq_isa_gsi(line, &s);
    int r;

    *irq = (struct irq){.handler = h, .name = name};
    r = irq_line_attach(irq, gsi, s);
    if (r < 0)
        return r;
    irq_list_add(irq);
    irq_line_unmask(gsi);
    return 0;
}

void irq_detach(struct irq *irq)
{
    for (struct irq **p = &sources; *p != NULL; p = &(*p)->all_next) {
        if (*p == irq) {
            *p = irq->all_next;
            break;
        }
    }
    if (irq->mode == IRQ_IOAPIC || irq->mode == IRQ_PIC) {
        irq_chain_remove(irq);
        irq_line_settle(irq->line);
        return;
    }
    if (irq->mode != IRQ_POLL) {
        if (irq->mode == IRQ_MSIX) /* C-IRQ-3 */
            msix_mask(irq->pci, irq->line);
        else if (irq->mode == IRQ_MSI)
            msi_disable(irq->pci);
        irq_chain_remove(irq);
        return;
    }
    for (struct irq **p = &polled; *p != NULL; p = &(*p)->next) {
        if (*p == irq) {
            *p = irq->next;
            break;
        }
    }
}

enum irq_policy irq_policy(void)
{
    return policy;
}

enum irq_mode irq_line_mode(void)
{
    return use_ioapic ? IRQ_IOAPIC : IRQ_PIC;
}

const char *irq_mode_name(enum irq_mode m)
{
    static const char *const names[] = {"none", "msix", "msi", "ioapic", "pic", "poll", "local"};

    return m <= IRQ_LOCAL ? names[m] : "?";
}

const char *irq_controller_name(void)
{
    return use_ioapic ? "ioapic" : "pic";
}

static void copy_text(char *to, size_t bytes, const char *from)
{
    size_t i = 0;

    for (; from != NULL && from[i] != 0 && i + 1 < bytes; i++)
        to[i] = from[i];
    to[i] = 0;
}

/* Interrupts without a source, behind those with one. */
static bool sourceless_get(unsigned index, struct info_irq *info)
{
    const struct {
        const char *name;
        uint64_t count;
    } kinds[] = {{"spurious", spurious_count}, {"stray", stray_count}};

    if (index >= sizeof(kinds) / sizeof(kinds[0]))
        return false;
    *info = (struct info_irq){.count = kinds[index].count};
    copy_text(info->mode, sizeof(info->mode), irq_mode_name(IRQ_NONE));
    copy_text(info->name, sizeof(info->name), kinds[index].name);
    return true;
}

bool irq_info_get(unsigned index, struct info_irq *info)
{
    struct irq *irq = sources;

    while (irq != NULL && index > 0) {
        irq = irq->all_next;
        index--;
    }
    if (irq == NULL)
        return sourceless_get(index, info);
    *info = (struct info_irq){.vector = irq->vector, .line = irq->line, .count = irq->count};
    copy_text(info->mode, sizeof(info->mode), irq_mode_name(irq->mode));
    copy_text(info->name, sizeof(info->name), irq->name);
    return true;
}

static enum irq_policy read_policy(void)
{
    static const char *const names[] = {"auto", "msix", "msi", "ioapic", "pic", "poll"};

    for (unsigned i = 1; i < sizeof(names) / sizeof(names[0]); i++)
        if (option_is("irq", names[i]))
            return (enum irq_policy)i;
    return POLICY_AUTO;
}

void irq_init(void)
{
    policy = read_policy();
    (void)polls_init(this_cpu());
    pic_init();
    if (policy != POLICY_PIC && acpi.present && acpi.nioapics > 0 && lapic_init(true)) {
        use_ioapic = ioapic_init();
        if (!use_ioapic)
            (void)lapic_init(false);
    } else {
        (void)lapic_init(false); /* where there is one, it must let the 8259 through */
    }
    this_cpu()->apic_id = lapic_present() ? lapic_id() : 0;
    if (!use_ioapic && policy != POLICY_PIC && policy != POLICY_AUTO && policy != POLICY_POLL)
        klog(LOG_WARN, "irq: no IOAPIC for irq=%s, the 8259 serves", option("irq"));
    klog(LOG_INFO, "irq: %s", use_ioapic ? "LAPIC and IOAPIC" : "8259 PIC");
}
