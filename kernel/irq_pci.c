/* SPDX-License-Identifier: MIT
 *
 * kernel/irq_pci.c: how a PCI function gets its interrupts: MSI-X, MSI, a line
 * that is found by trying, or polling.
 *
 * Owns: the choice for each function and the hunt for its INTx line. Nothing
 * but AML says which line a pin ends at; so the card raises its own interrupt,
 * and the line that fires is it (design, section 3).
 * Context: attach (thread); the probe's handler hard interrupt.
 */
#include <kernel/acpi.h>
#include <kernel/cpu.h>
#include <kernel/intctl.h>
#include <kernel/log.h>
#include <kernel/pci.h>
#include <kernel/time.h>
#include <slipway/errno.h>
#include <stddef.h>

#define REG_COMMAND      0x04
#define COMMAND_INTX_OFF (1u << 10)
#define CANDIDATES_MAX   24
#define HUNT_WAIT_NS     (100 * NS_PER_MS) /* a card needs microseconds; a busy host may take this long */
#define VECTORS_MAX      32

struct candidate {
    uint32_t line;
    struct irq_line_setup setup;
    int vector; /* negative: cannot be opened */
    volatile bool fired;
};

struct hunt {
    struct candidate at[CANDIDATES_MAX];
    unsigned n;
};

/* --- the hunt --- */

static struct hunt hunt; /* one card attaches at a time; too large for the stack */

/* An interrupt that no attached device claims: ours. A level-triggered line
 * would fire for ever: off with it. */
static void hunt_fired(uint8_t vector)
{
    for (unsigned i = 0; i < hunt.n; i++) {
        if (hunt.at[i].vector == vector) {
            hunt.at[i].fired = true;
            irq_line_mask(hunt.at[i].line);
        }
    }
}

static void add_candidate(struct hunt *h, uint32_t line, struct irq_line_setup setup)
{
    if (h->n == CANDIDATES_MAX || irq_line_edge_used(line))
        return;
    for (unsigned i = 0; i < h->n; i++)
        if (h->at[i].line == line)
            return;
    h->at[h->n++] = (struct candidate){.line = line, .setup = setup};
}

/* PCI pins are level-triggered, active low; an ISA line that PCI shares may be
 * inverted on its way, and then has an override in the MADT. */
static void add_isa_line(struct hunt *h, unsigned line)
{
    struct irq_line_setup setup = {.level = true, .active_low = true}, isa;
    uint32_t gsi;

    if (line == 0 || line >= 16)
        return;
    gsi = irq_isa_gsi(line, &isa);
    if (irq_line_mode() == IRQ_IOAPIC && acpi.isa_override[line].set && isa.level)
        setup = isa;
    add_candidate(h, gsi, setup);
}

static void find_candidates(struct hunt *h, const struct pci_device *d)
{
    static const uint8_t usual[] = {10, 11, 5, 9, 7, 3, 12, 15, 14, 4, 6};
    const struct irq_line_setup pci_pin = {.level = true, .active_low = true};
    bool none;

    h->n = 0;
    if (irq_line_mode() == IRQ_IOAPIC)
        for (uint32_t gsi = 16; gsi < 24 && gsi < ioapic_gsi_end(); gsi++)
            add_candidate(h, gsi, pci_pin);
    add_isa_line(h, d->irq_line);
    for (unsigned i = 0; i < sizeof(usual); i++)
        if (irq_line_mode() != IRQ_PIC || pic_is_level(usual[i]))
            add_isa_line(h, usual[i]);
    none = h->n == 0; /* an ELCR that says nothing */
    for (unsigned i = 0; i < sizeof(usual) && none; i++)
        add_isa_line(h, usual[i]);
}

static bool any_fired(const struct hunt *h)
{
    for (unsigned i = 0; i < h->n; i++)
        if (h->at[i].fired)
            return true;
    return false;
}

/* Raise once with the candidates enabled, and see which fire. */
static bool try_raise(struct hunt *h, void (*raise)(void *), void (*quiet)(void *), void *arg)
{
    uint64_t flags = irq_save(), end;
    bool hit;

    irq_unclaimed_hook = hunt_fired;
    for (unsigned i = 0; i < h->n; i++) {
        h->at[i].vector = irq_line_open(h->at[i].line, h->at[i].setup);
        if (h->at[i].vector >= 0)
            irq_line_unmask(h->at[i].line);
    }
    /* What is pending already is not ours: it comes now and is off for this time. */
    irq_enable();
    cpu_relax();
    irq_disable();
    for (unsigned i = 0; i < h->n; i++)
        h->at[i].fired = false;
    irq_enable();
    raise(arg);
    end = now_ns() + HUNT_WAIT_NS;
    while (!(hit = any_fired(h)) && now_ns() < end)
        cpu_relax();
    irq_disable();
    quiet(arg);
    for (unsigned i = 0; i < h->n; i++)
        if (h->at[i].vector >= 0)
            irq_line_settle(h->at[i].line);
    irq_unclaimed_hook = NULL;
    irq_restore(flags);
    return hit;
}

/* The line that fires twice, alone the second time. */
static bool hunt_line(const struct pci_device *d, void (*raise)(void *), void (*quiet)(void *), void *arg,
                      uint32_t *line, struct irq_line_setup *setup)
{
    uint32_t refused = 0; /* by position: strangers that fired only once */

    for (unsigned tries = 0; tries < CANDIDATES_MAX; tries++) {
        struct candidate c;
        unsigned at = 0;

        find_candidates(&hunt, d);
        for (unsigned i = 0; i < hunt.n; i++)
            if (refused >> i & 1)
                hunt.at[i].line = UINT32_MAX; /* no such line: it cannot be opened */
        if (!try_raise(&hunt, raise, quiet, arg))
            return false;
        while (!hunt.at[at].fired)
            at++;
        c = hunt.at[at];
        hunt.at[0] = c;
        hunt.n = 1;
        if (try_raise(&hunt, raise, quiet, arg)) {
            *line = c.line;
            *setup = c.setup;
            return true;
        }
        refused |= 1u << at;
    }
    return false;
}

/* --- the choice --- */

static int attach_msix(struct pci_device *d, struct irq irqs[], unsigned want)
{
    unsigned n = msix_table_size(d);
    uint8_t vectors[VECTORS_MAX];

    if (n > want)
        n = want;
    if (n == 0 || n > VECTORS_MAX)
        return -ENODEV;
    for (unsigned i = 0; i < n; i++) {
        int v = irq_vector_alloc();

        if (v < 0)
            return v;
        vectors[i] = (uint8_t)v;
        irqs[i].mode = IRQ_MSIX;
        irqs[i].vector = (uint8_t)v;
        irqs[i].line = i;
        irqs[i].pci = d;
        irq_chain_add(&irqs[i]);
    }
    if (msix_enable(d, vectors, n) < 0) {
        for (unsigned i = 0; i < n; i++)
            irq_chain_remove(&irqs[i]);
        return -ENODEV;
    }
    return (int)n;
}

static int attach_msi(struct pci_device *d, struct irq *irq)
{
    int v, r;

    if (pci_find_cap(d, 0x05, 0) == 0)
        return -ENODEV;
    v = irq_vector_alloc();
    if (v < 0)
        return v;
    irq->mode = IRQ_MSI;
    irq->vector = (uint8_t)v;
    irq->pci = d;
    irq_chain_add(irq);
    r = msi_enable(d, (uint8_t)v);
    if (r < 0)
        irq_chain_remove(irq);
    return r < 0 ? r : 1;
}

static int attach_line(struct pci_device *d, struct irq *irq, void (*raise)(void *), void (*quiet)(void *))
{
    struct irq_line_setup setup = {.level = true, .active_low = true};
    uint32_t line = d->irq_line;
    int r;

    if (d->irq_pin == 0 && raise == NULL)
        return -ENODEV;
    pci_write16(d, REG_COMMAND, pci_read16(d, REG_COMMAND) & (uint16_t)~COMMAND_INTX_OFF);
    if (raise != NULL && quiet != NULL) {
        if (!hunt_line(d, raise, quiet, irq->arg, &line, &setup))
            return -ENODEV;
    } else {
        struct hunt h = {.n = 0};

        add_isa_line(&h, d->irq_line);
        if (h.n == 0)
            return -ENODEV;
        line = h.at[0].line;
        setup = h.at[0].setup;
    }
    r = irq_line_attach(irq, line, setup);
    if (r < 0)
        return r;
    irq_line_unmask(line);
    return 1;
}

static int attach_best(struct pci_device *d, struct irq irqs[], unsigned want, void (*raise)(void *),
                       void (*quiet)(void *))
{
    enum irq_policy p = irq_policy();
    bool messages = lapic_present() && irq_line_mode() == IRQ_IOAPIC;
    int r = -ENODEV;

    if (messages && (p == POLICY_AUTO || p == POLICY_MSIX))
        r = attach_msix(d, irqs, want);
    if (r < 0 && messages && (p == POLICY_AUTO || p == POLICY_MSIX || p == POLICY_MSI))
        r = attach_msi(d, &irqs[0]);
    if (messages && ((p == POLICY_MSIX && (r < 0 || irqs[0].mode != IRQ_MSIX)) || (p == POLICY_MSI && r < 0)))
        klog(LOG_WARN, "irq: %s has no %s, taking the next best", irqs[0].name, p == POLICY_MSI ? "MSI" : "MSI-X");
    if (r < 0 && p != POLICY_POLL)
        r = attach_line(d, &irqs[0], raise, quiet);
    if (r < 0)
        r = irq_attach_poll(&irqs[0]) < 0 ? -ENOMEM : 1;
    return r;
}

int irq_attach_pci(struct pci_device *dev, struct irq irqs[], unsigned want_vectors, irq_handler *h,
                   void *args[], const char *name, void (*raise)(void *), void (*quiet)(void *))
{
    int r;

    for (unsigned i = 0; i < want_vectors; i++)
        irqs[i] = (struct irq){.handler = h, .arg = args[i], .name = name};
    r = attach_best(dev, irqs, want_vectors, raise, quiet);
    for (int i = 0; i < r; i++)
        irq_list_add(&irqs[i]);
    if (r < 0)
        return r;
    dev->irq_mode = irq_mode_name(irqs[0].mode);
    if (irqs[0].mode == IRQ_IOAPIC || irqs[0].mode == IRQ_PIC)
        klog(LOG_INFO, "irq: %s by %s line %u", name, dev->irq_mode, irqs[0].line);
    else
        klog(LOG_INFO, "irq: %s by %s, %d vectors", name, dev->irq_mode, r);
    return r;
}
