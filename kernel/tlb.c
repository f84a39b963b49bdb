/* SPDX-License-Identifier: MIT
 *
 * kernel/tlb.c: which page tables a CPU uses, and making others forget.
 *
 * Owns: percpu.as and address_space.cpus, the mask of CPUs with the space in CR3;
 * the one request under way. Context: thread or poll (kernel lock), which is why
 * there is one request at a time; the answer comes in a hard interrupt.
 *
 * A CPU keeps a process's tables loaded while it idles or runs kernel threads, so
 * the mask may name CPUs that no longer run it: they are asked as well. The asker
 * waits with interrupts on and holds no spinlock; who is asked is in ring 3, halted,
 * or waits for the kernel lock with interrupts on, so the answer comes within
 * the time that a section with interrupts off takes.
 *
 * Process-context identifiers (PCID) are left alone: without them a switch
 * of CR3 drops all that is not global, and no space's entries outlive its stay on
 * a CPU. QEMU's software CPU has none, so code for them could not be tested.
 */
#include <kernel/cpu.h>
#include <kernel/intctl.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/smp.h>
#include <kernel/time.h>
#include <kernel/vm.h>

#define PAGES_SINGLY   32u /* beyond that, dropping everything is cheaper */
#define ANSWER_WAIT_NS (20 * NS_PER_S) /* a host may take a virtual CPU away for seconds */
#define CR4_PGE        (1u << 7)

static struct {
    struct address_space *as;
    uint64_t start, end;
    bool evict;
    volatile uint64_t waiting; /* who has not answered */
} request;

struct address_space *as_current(void)
{
    return this_cpu()->as;
}

void as_switch(struct address_space *as)
{
    struct percpu *c = this_cpu();

    if (c->as == as)
        return;
    if (c->as != NULL)
        c->as->cpus &= ~c->bit;
    if (as != NULL)
        as->cpus |= c->bit;
    c->as = as;
    write_cr3(as != NULL ? virt_to_phys(as->root) : image_phys(kernel_pml4));
}

static void flush_range(bool kernel, uint64_t start, uint64_t end)
{
    if (end != UINT64_MAX && end - start <= PAGES_SINGLY * PAGE_SIZE) {
        for (uint64_t at = start; at < end; at += PAGE_SIZE)
            tlb_drop(at);
    } else if (kernel && (read_cr4() & CR4_PGE)) { /* global pages outlive CR3 */
        uint64_t flags = irq_save();

        write_cr4(read_cr4() & ~(uint64_t)CR4_PGE);
        write_cr4(read_cr4() | CR4_PGE);
        irq_restore(flags);
    } else {
        write_cr3(read_cr3());
    }
}

/* Hard interrupt on a CPU that is asked. */
static bool asked(void *arg)
{
    struct percpu *c = this_cpu();

    (void)arg;
    if (request.as != NULL && request.evict && c->as == request.as) {
        c->as = NULL;
        write_cr3(image_phys(kernel_pml4));
    } else if (request.as == NULL || c->as == request.as) {
        flush_range(request.as == NULL, request.start, request.end);
    }
    __atomic_fetch_and(&request.waiting, ~(1ull << c->cpu), __ATOMIC_RELEASE);
    return true;
}

static void ask(uint64_t cpus)
{
    uint64_t deadline = now_ns() + ANSWER_WAIT_NS;

    KASSERT(kernel_lock_held());
    __atomic_store_n(&request.waiting, cpus, __ATOMIC_RELEASE);
    for (uint64_t left = cpus; left != 0; left &= left - 1) {
        this_cpu()->ipis++;
        lapic_ipi(smp_cpu[__builtin_ctzll(left)]->apic_id, VECTOR_IPI_TLB);
    }
    while (__atomic_load_n(&request.waiting, __ATOMIC_ACQUIRE) != 0) {
        if (now_ns() > deadline)
            panic("CPU %u does not answer", (unsigned)__builtin_ctzll(request.waiting));
        cpu_relax();
    }
}

static uint64_t others(uint64_t mask)
{
    return mask & ~(1ull << this_cpu()->cpu);
}

void tlb_shoot(struct address_space *as, uint64_t start, uint64_t end)
{
    uint64_t cpus = as != NULL ? as->cpus : UINT64_MAX >> (64 - smp_count);

    if (as == NULL || as_current() == as)
        flush_range(as == NULL, start, end);
    if (others(cpus) == 0)
        return;
    request.as = as;
    request.start = start;
    request.end = end;
    request.evict = false;
    ask(others(cpus)); /* C-SMP-2 */
}

void tlb_evict(struct address_space *as)
{
    if (as_current() == as)
        as_switch(NULL);
    if (as->cpus == 0)
        return;
    request.as = as;
    request.evict = true;
    ask(as->cpus);
    as->cpus = 0;
}

void tlb_init(void)
{
    static struct irq irq = {.handler = asked, .name = "ipi tlb", .mode = IRQ_LOCAL, .vector = VECTOR_IPI_TLB};

    irq_chain_add(&irq);
    irq_list_add(&irq);
}
