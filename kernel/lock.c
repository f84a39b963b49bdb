/* SPDX-License-Identifier: MIT
 *
 * kernel/lock.c: waiting for locks, and the checks of debug builds.
 *
 * Owns: the kernel lock. Context: any for spinlocks; the kernel lock is waited
 * for with interrupts on, so that who holds it can have this CPU's TLB flushed.
 */
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/smp.h>
#include <kernel/time.h>

#define SPIN_NS           (50 * NS_PER_US) /* system calls take less, as a rule */
#define SPIN_LIMIT_CYCLES (1ull << 36) /* about 20 s: who waits so long waits for ever */

static struct {
    volatile uint32_t next __attribute__((aligned(64)));
    volatile uint32_t owner __attribute__((aligned(64)));
    volatile uint32_t halted; /* CPUs that wait with the processor given up */
} big;
static volatile bool giving_way;

void locks_give_way(void)
{
    giving_way = true;
}

void spin_wait(struct spinlock *l, uint32_t ticket)
{
    uint64_t start = rdtsc();

    while (__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket) {
        if (giving_way)
            return;
        if (rdtsc() - start > SPIN_LIMIT_CYCLES)
            panic("lock %s: CPU %u waits for ever", l->name, this_cpu()->cpu);
        cpu_relax();
    }
}

/* --- the kernel lock --- */

void kernel_lock_begin(void)
{
    this_cpu()->entry_work |= ENTRY_LOCK;
    kernel_lock_wait();
}

bool kernel_lock_held(void)
{
    const struct percpu *c = this_cpu();

    return (c->entry_work & ENTRY_LOCK) == 0 || c->kernel_locked;
}

uint32_t kernel_lock_turn(void)
{
    return big.owner;
}

uint32_t kernel_lock_waiters(void)
{
    uint32_t drawn = __atomic_load_n(&big.next, __ATOMIC_SEQ_CST) - big.owner;

    return drawn != 0 ? drawn - 1 : 0; /* 0: there is one CPU, and no lock */
}

/* Who has waited for SPIN_NS halts until its turn is announced: the holder may need
 * the physical processor under it (a hyperthread, or a host with fewer cores
 * than the guest has), and takes its time anyway. */
static void wait_halted(struct percpu *c, uint32_t ticket)
{
    c->lock_ticket = (uint64_t)ticket + 1;
    __atomic_fetch_add(&big.halted, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&big.owner, __ATOMIC_SEQ_CST) != ticket && !giving_way) {
        irq_disable();
        if (__atomic_load_n(&big.owner, __ATOMIC_SEQ_CST) != ticket)
            __asm__ volatile("sti; hlt" ::: "memory"); /* its interrupt cannot be missed */
        else
            irq_enable();
    }
    __atomic_fetch_sub(&big.halted, 1, __ATOMIC_SEQ_CST);
    c->lock_ticket = 0;
}

#define LOOKS 64u /* at the turn, between two at the clock */

static void announce(uint32_t ticket)
{
    for (uint32_t i = 0; i < smp_count; i++) {
        if (smp_cpu[i]->lock_ticket == (uint64_t)ticket + 1) {
            smp_wake(i);
            return;
        }
    }
}

/* The queue is fair, and its length is the number of CPUs: who waits gets the
 * lock after every other CPU has been in ring 0 once (C-LOCK-1). */
void kernel_lock_wait(void)
{
    struct percpu *c = this_cpu();
    uint32_t ticket = __atomic_fetch_add(&big.next, 1, __ATOMIC_ACQUIRE);

    if (__atomic_load_n(&big.owner, __ATOMIC_ACQUIRE) != ticket) {
        uint64_t start = rdtsc(), limit = tsc_hz() / (NS_PER_S / SPIN_NS), waited;

        c->lock_waits++;
        while (__atomic_load_n(&big.owner, __ATOMIC_ACQUIRE) != ticket && !giving_way) {
            /* The emulator leaves its translated code at each pause, which takes as
             * long as many stays in the kernel: there this loop looks without. */
            for (unsigned look = 0; look < LOOKS && __atomic_load_n(&big.owner, __ATOMIC_ACQUIRE) != ticket; look++)
                if (!cpu.emulated)
                    cpu_relax();
            if (rdtsc() - start > limit)
                wait_halted(c, ticket);
        }
        waited = rdtsc() - start;
        c->lock_wait_cycles += waited;
        if (waited > c->lock_wait_most)
            c->lock_wait_most = waited;
    }
    c->kernel_locked = 1;
}

void kernel_lock_leave(void)
{
    uint32_t next = big.owner + 1;

    this_cpu()->kernel_locked = 0;
    __atomic_store_n(&big.owner, next, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&big.halted, __ATOMIC_SEQ_CST) != 0)
        announce(next);
}

/* --- debug builds --- */

#ifdef SLIPWAY_DEBUG

static const struct spinlock *innermost(const struct percpu *c)
{
    return c->locks_held == 0 ? NULL : c->lock_stack[c->locks_held - 1];
}

void lock_check_take(const struct spinlock *l)
{
    const struct percpu *c = this_cpu();
    const struct spinlock *held = innermost(c);

    if (giving_way)
        return;
    if (l->cpu == c->cpu + 1)
        panic("lock %s: CPU %u holds it already", l->name, c->cpu);
    if (held != NULL && held->rank >= l->rank) /* C-LOCK-2 */
        panic("lock %s taken while %s is held", l->name, held->name);
    if (c->locks_held == LOCKS_HELD_MAX)
        panic("lock %s: too many locks are held", l->name);
}

void lock_note_taken(struct spinlock *l)
{
    struct percpu *c = this_cpu();

    l->cpu = c->cpu + 1;
    if (!giving_way)
        c->lock_stack[c->locks_held++] = l;
}

void lock_note_left(struct spinlock *l)
{
    struct percpu *c = this_cpu();

    if (giving_way)
        return;
    if (l->cpu != c->cpu + 1 || innermost(c) != l) /* C-LOCK-2 */
        panic("lock %s: CPU %u leaves what it does not hold", l->name, c->cpu);
    l->cpu = 0;
    c->locks_held--;
}

#endif
