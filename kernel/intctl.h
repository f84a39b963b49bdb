/* SPDX-License-Identifier: MIT
 *
 * kernel/intctl.h: the interrupt controllers, as kernel/irq*.c drives them.
 *
 * Owns: the map of vectors; the verbs of 8259, LAPIC, IOAPIC, MSI and MSI-X.
 * Context: attach-time calls thread; *_eoi hard interrupt; masks any.
 */
#ifndef KERNEL_INTCTL_H
#define KERNEL_INTCTL_H

#include <kernel/irq.h>
#include <stdbool.h>
#include <stdint.h>

#define VECTOR_PIC         0x20u /* 16 lines of the two 8259s */
#define VECTOR_FIRST       0x30u /* handed out: 0x30 .. 0xef */
#define VECTOR_LAST        0xefu
#define VECTOR_LAPIC_TIMER 0xf0u
#define VECTOR_LAPIC_ERROR 0xf1u
#define VECTOR_IPI_KICK    0xf2u /* from CPU to CPU: kernel/smp.c, kernel/tlb.c */
#define VECTOR_IPI_TLB     0xf3u
#define VECTOR_IPI_TIMER   0xf4u
#define VECTOR_IPI_WAKE    0xf5u
#define VECTOR_SPURIOUS    0xffu

/* --- 8259A (kernel/pic.c) --- */
void pic_init(void); /* remapped to VECTOR_PIC, every line masked */
void pic_mask(unsigned line);
void pic_unmask(unsigned line);
void pic_eoi(unsigned line);
bool pic_spurious(unsigned line);  /* line 7 or 15 without a request in service */
void pic_set_level(unsigned line); /* ELCR, for PCI lines */
bool pic_is_level(unsigned line);

/* --- local APIC (kernel/lapic.c) --- */
bool lapic_init(bool symmetric); /* false: none. symmetric: LINT0 off, else it passes the 8259 on */
bool lapic_present(void);
bool lapic_init_other(void); /* on another CPU than the first */
uint32_t lapic_id(void);
bool lapic_reaches(uint32_t apic_id); /* without x2APIC: eight bits */
/* To other CPUs; any context. */
void lapic_ipi(uint32_t apic_id, uint8_t vector);
void lapic_nmi(uint32_t apic_id);
void lapic_start_init(uint32_t apic_id);               /* reset; it waits for the next: */
void lapic_start_page(uint32_t apic_id, uint8_t page); /* real mode at page << 12 */
void lapic_eoi(void);
void lapic_timer_one_shot(uint32_t count); /* 0 stops it; one count is 16 bus cycles */
uint32_t lapic_timer_count(void);
void lapic_timer_deadline_mode(void);

/* --- IOAPIC (kernel/ioapic.c) --- */
bool ioapic_init(void); /* false: the MADT names none that answers */
bool ioapic_has(uint32_t gsi);
uint32_t ioapic_gsi_end(void);                                                /* one past the highest GSI */
/* Masked; to the CPU with that APIC id. */
void ioapic_route(uint32_t gsi, uint8_t vector, bool level, bool active_low, uint32_t apic_id);
void ioapic_mask(uint32_t gsi);
void ioapic_unmask(uint32_t gsi);

/* --- MSI and MSI-X (kernel/msi.c) --- */
struct pci_device;
unsigned msix_table_size(struct pci_device *d); /* 0: no MSI-X, or one that cannot be used */
/* Each vector goes to the next CPU in turn. */
int msix_enable(struct pci_device *d, const uint8_t *vectors, unsigned n);
int msi_enable(struct pci_device *d, uint8_t vector);
void msix_mask(struct pci_device *d, unsigned entry); /* that vector comes no more */
void msi_disable(struct pci_device *d);               /* INTx stays off as well */

/* --- kernel/irq.c, for kernel/irq_pci.c and the event sources --- */
enum irq_policy { POLICY_AUTO = 0, POLICY_MSIX, POLICY_MSI, POLICY_IOAPIC, POLICY_PIC, POLICY_POLL };
enum irq_policy irq_policy(void);
enum irq_mode irq_line_mode(void);   /* IRQ_IOAPIC or IRQ_PIC */
int irq_vector_alloc(void);          /* -ENOSPC */
uint32_t irq_next_target(void);      /* APIC id of the CPU whose turn it is */
void irq_chain_add(struct irq *irq); /* by irq->vector; appended */
void irq_chain_remove(struct irq *irq);
struct irq_line_setup {
    bool level, active_low;
};
/* A line is a GSI or a line of the 8259. Opening gives it a vector and leaves it
 * masked when it is new; returns the vector or -errno. */
int irq_line_open(uint32_t line, struct irq_line_setup s);
int irq_line_attach(struct irq *irq, uint32_t line, struct irq_line_setup s);
void irq_line_settle(uint32_t line); /* unmasked if it has a handler, else masked */
/* Hard interrupt: called for each interrupt that no handler claims, when set. */
extern void (*irq_unclaimed_hook)(uint8_t vector);
void irq_line_mask(uint32_t line);
void irq_line_unmask(uint32_t line);
bool irq_line_edge_used(uint32_t line); /* an edge-triggered ISA source owns it */
uint32_t irq_isa_gsi(unsigned line, struct irq_line_setup *s);
/* ISA line of a timer: never polled, because polling needs it. irq_detach undoes it. */
int irq_attach_timer_line(struct irq *irq, unsigned line, irq_handler *h, const char *name);
int irq_attach_poll(struct irq *irq); /* the 1 ms timer */
void irq_list_add(struct irq *irq);   /* for irq_info_get */

#endif
