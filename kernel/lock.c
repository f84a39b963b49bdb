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

#define SPIN_LIMIT_CYCLES (1ull << 36) /* about 20 s: who waits so long waits for ever */

static struct {
    volatile uint32_t next __attribute__((aligned(64)));
    volatile uint32_t owner __attribute__((aligned(64)));
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

/* The queue is fair, and its length is the number of CPUs: who waits gets the
 * lock after every other CPU has been in ring 0 once. */
void kernel_lock_wait(void)
{
    struct percpu *c = this_cpu();
    uint32_t ticket = __atomic_fetch_add(&big.next, 1, __ATOMIC_ACQUIRE);

    if (__atomic_load_n(&big.owner, __ATOMIC_ACQUIRE) != ticket) {
        uint64_t start = rdtsc(), waited;

        c->lock_waits++;
        while (__atomic_load_n(&big.owner, __ATOMIC_ACQUIRE) != ticket) {
            if (giving_way)
                break;
            cpu_relax();
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
    struct percpu *c = this_cpu();

    c->kernel_locked = 0;
    __atomic_store_n(&big.owner, big.owner + 1, __ATOMIC_RELEASE);
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
    if (l->cpu != c->cpu + 1 || innermost(c) != l)
        panic("lock %s: CPU %u leaves what it does not hold", l->name, c->cpu);
    l->cpu = 0;
    c->locks_held--;
}

#endif
