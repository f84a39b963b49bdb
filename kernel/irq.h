/* SPDX-License-Identifier: MIT
 *
 * kernel/irq.h: interrupts, from source to handler, and the polls behind them.
 *
 * Owns: vectors, interrupt controllers (LAPIC, IOAPIC, PIC), MSI and MSI-X
 * programming, the hunt for an INTx line, per-source counters, poll work.
 *
 * How interrupts are layered:
 *   hard handler   interrupts off, microseconds: quiet the device, move bytes
 *                  that cannot wait (UART), schedule a poll. Never allocates,
 *                  never blocks, touches only its device's own data.
 *   poll           kernel context with interrupts on, never nested, bounded by
 *                  a budget. May use the net core, kmalloc, thread_wake.
 * Polls run on the way back to user mode, at the end of a system call, and in
 * the idle loop; a poll that spent its budget is queued again behind the
 * threads (they run at least one slice of POLL_YIELD_NS in between).
 */
#ifndef KERNEL_IRQ_H
#define KERNEL_IRQ_H

#include <stdbool.h>
#include <stdint.h>

struct trap_frame;
struct pci_device;

/* Hard handler. Returns true when its device had raised the interrupt (shared
 * lines ask every handler). */
typedef bool irq_handler(void *arg);

enum irq_mode { IRQ_NONE = 0, IRQ_MSIX, IRQ_MSI, IRQ_IOAPIC, IRQ_PIC, IRQ_POLL };

struct irq {             /* one attached source; lives in the driver's struct */
    irq_handler *handler;
    void *arg;
    const char *name;
    enum irq_mode mode;
    uint8_t vector;
    uint32_t line;       /* GSI or PIC line */
    uint64_t count;
    struct irq *next;    /* others on the same vector */
};

void irq_init(void); /* chooses controllers after acpi_init and options */

/* ISA line (COM ports, PIT, RTC); MADT overrides are honoured. 0 or -errno. */
int irq_attach_isa(struct irq *irq, unsigned line, irq_handler *h, void *arg, const char *name);
/* PCI function. `want_vectors` MSI-X entries are offered when the device and
 * irq= allow; else one MSI; else INTx, whose line is found by calling
 * `raise(arg)` (the device raises its own interrupt; NULL when it cannot, then
 * the Interrupt Line register is believed) and `quiet(arg)` afterwards; else a
 * polling timer of 1 ms, reported. irqs[] has want_vectors elements; returns
 * how many are in use (1 for all but MSI-X), or -errno. */
int irq_attach_pci(struct pci_device *dev, struct irq irqs[], unsigned want_vectors, irq_handler *h,
                   void *args[], const char *name, void (*raise)(void *), void (*quiet)(void *));
const char *irq_mode_name(enum irq_mode m);

/* Called by the entry stubs. */
void interrupt_dispatch(struct trap_frame *f);

/* --- polls --- */
#define POLL_BUDGET 64           /* frames a turn */
#define POLL_YIELD_NS 200000ull
struct poll_work {
    /* One turn: returns true when there is more to do. Kernel context. */
    bool (*run)(void *arg);
    void *arg;
    struct poll_work *next;
    volatile uint32_t queued;
};
void poll_schedule(struct poll_work *w); /* any context; idempotent */
void poll_run_pending(void);             /* kernel context, interrupts on */

#endif
