/* SPDX-License-Identifier: MIT
 *
 * kernel/lock.h: the kernel lock, and spinlocks for what hard interrupts touch.
 *
 * Owns: nothing; a lock lives beside what it guards.
 *
 * Code in thread or poll context runs under the kernel lock: one CPU at a time
 * is in ring 0 there, so such code needs no lock of its own (docs/ARCHITECTURE.md,
 * "One kernel lock"). The lock belongs to a CPU, not to a thread: it passes through a
 * context switch, and idle and the way back to ring 3 release it. Nobody
 * waits for it with interrupts off.
 *
 * A spinlock guards state that a hard interrupt of another CPU may touch. It is
 * held with interrupts off, for some hundred instructions at most, and nobody
 * takes the kernel lock or waits for another CPU while he holds one. Locks are
 * taken in the order of their ranks, lowest first.
 *
 * Both are ticket locks: first come, first served.
 */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include <kernel/cpu.h>
#include <stdbool.h>
#include <stdint.h>

/* In the order in which they may nest. */
enum lock_rank {
    RANK_UART = 1, /* a serial port: its ring to the line, its registers */
    RANK_INPUT,    /* what was typed */
    RANK_SCREEN,   /* the terminal behind the screen */
    RANK_EVENT,    /* an event device that all CPUs share */
    RANK_CLOCK,    /* a clock that wraps */
    RANK_CHIP,     /* index and data registers: I/O APIC, PCI ports, PIT */
    RANK_LOG,      /* the log ring */
    RANK_TEST,     /* the self-tests' */
    RANK_TEST_INNER,
};

struct spinlock {
    volatile uint32_t next, owner;
    uint32_t rank; /* enum lock_rank */
    volatile uint32_t cpu; /* who holds it, plus 1; kept in debug builds */
    const char *name;
};
#define SPINLOCK(text, order) {.name = (text), .rank = (order)}

void spin_wait(struct spinlock *l, uint32_t ticket);
#ifdef SLIPWAY_DEBUG
void lock_check_take(const struct spinlock *l); /* panics on a wrong order */
void lock_note_taken(struct spinlock *l);
void lock_note_left(struct spinlock *l); /* panics when this CPU does not hold it */
#else
static inline void lock_check_take(const struct spinlock *l) { (void)l; }
static inline void lock_note_taken(struct spinlock *l) { (void)l; }
static inline void lock_note_left(struct spinlock *l) { (void)l; }
#endif

static inline uint64_t spin_lock_irqsave(struct spinlock *l)
{
    uint64_t flags = irq_save();

    lock_check_take(l);
    uint32_t ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_ACQUIRE);
    if (__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket)
        spin_wait(l, ticket);
    lock_note_taken(l);
    return flags;
}

static inline void spin_unlock_irqrestore(struct spinlock *l, uint64_t flags)
{
    lock_note_left(l);
    __atomic_store_n(&l->owner, l->owner + 1, __ATOMIC_RELEASE);
    irq_restore(flags);
}

/* --- the kernel lock --- */

/* From here on ring 0 is entered under the lock, and the caller holds it.
 * Called once, by CPU 0, before a second CPU runs. */
void kernel_lock_begin(void);
void kernel_lock_wait(void);  /* the slow halves of the two below */
void kernel_lock_leave(void);
bool kernel_lock_held(void);  /* by this CPU; true while there is only one */
/* How often it has changed hands, and how many CPUs wait for it now. Under it. */
uint32_t kernel_lock_turn(void);
uint32_t kernel_lock_waiters(void);

/* Interrupts on. Nothing happens when this CPU holds it, or is the only one. */
static inline void kernel_lock(void)
{
    struct percpu *c = this_cpu();

    if ((c->entry_work & ENTRY_LOCK) != 0 && !c->kernel_locked)
        kernel_lock_wait();
}
static inline void kernel_unlock(void)
{
    if (this_cpu()->kernel_locked)
        kernel_lock_leave();
}

/* A panic must come through: from now on no lock holds this CPU up. */
void locks_give_way(void);

#endif
