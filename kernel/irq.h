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
 * Polls run on the CPU that scheduled them, under the kernel lock: on the way
 * back to user mode, at the end of a system call, and in the idle loop; a poll that spent its budget is
 * queued again behind the threads (they run at least one slice of POLL_YIELD_NS in between).
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

enum irq_mode { IRQ_NONE = 0, IRQ_MSIX, IRQ_MSI, IRQ_IOAPIC, IRQ_PIC, IRQ_POLL, IRQ_LOCAL };

struct irq {             /* one attached source; lives in the driver's struct */
    irq_handler *handler;
    void *arg;
    const char *name;
    enum irq_mode mode;
    uint8_t vector;
    uint32_t line;       /* GSI or PIC line, entry of the MSI-X table */
    struct pci_device *pci; /* whose message it is; NULL for a line */
    uint64_t count;
    struct irq *next;    /* others on the same vector */
    struct irq *all_next; /* every attached source, for status */
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
/* Takes one source off again, of any mode: a driver whose attach fails later on
 * must not leave its handler behind. */
void irq_detach(struct irq *irq);
const char *irq_mode_name(enum irq_mode m);
const char *irq_controller_name(void); /* "ioapic" or "pic", what irq_init chose */
struct info_irq;
bool irq_info_get(unsigned index, struct info_irq *info); /* false past the last source */

/* Called by the entry stubs. */
void interrupt_dispatch(struct trap_frame *f);

/* --- polls --- */
/* Bits of percpu.polls_pending. An idle CPU halts only while all are clear. */
#define PENDING_POLLS 1u  /* poll_run_pending() has work */
#define PENDING_TIMERS 2u /* timers_run() has work */
void pending_set(uint32_t bits); /* any context */
void pending_clear(uint32_t bits);

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
struct percpu;
bool polls_init(struct percpu *c); /* a CPU's lists; false when memory is out */
/* Kernel context, interrupts on: one turn for each poll that is due. Work that
 * was left over waits POLL_YIELD_NS when called by a thread; the idle thread
 * runs it at once, as long as nothing else wants the CPU. */
void poll_run_pending(void);

#endif
