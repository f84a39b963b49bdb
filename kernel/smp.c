/* SPDX-License-Identifier: MIT
 *
 * kernel/smp.c: who is online, and interrupts from CPU to CPU.
 *
 * Owns: smp_cpu, smp_count, the reschedule and timer interrupts, the halt of all
 * others. Starting them is in smp_start.c. Context: as kernel/smp.h says.
 */
#include <kernel/intctl.h>
#include <kernel/smp.h>
#include <kernel/time.h>
#include <stddef.h>

uint32_t smp_count = 1;
struct percpu *smp_cpu[CPUS_MAX];
static volatile uint32_t stopper; /* CPU, plus 1 */

static bool kicked(void *arg)
{
    (void)arg;
    this_cpu()->need_resched = 1;
    return true;
}

static bool woken(void *arg)
{
    (void)arg;
    return true;
}

static bool timer_kicked(void *arg)
{
    (void)arg;
    timers_due();
    return true;
}

/* When it is going to look anyway, it need not be told. */
void smp_kick(uint32_t n)
{
    struct percpu *c = smp_cpu[n];

    if (c->need_resched)
        return;
    this_cpu()->ipis++;
    lapic_ipi(c->apic_id, VECTOR_IPI_KICK);
}

void smp_wake(uint32_t n)
{
    this_cpu()->ipis++;
    lapic_ipi(smp_cpu[n]->apic_id, VECTOR_IPI_WAKE);
}

void smp_kick_timer(uint32_t n)
{
    this_cpu()->ipis++;
    lapic_ipi(smp_cpu[n]->apic_id, VECTOR_IPI_TIMER);
}

/* By NMI, which also reaches who has interrupts off. */
bool smp_stop_others(void)
{
    uint32_t me = this_cpu()->cpu + 1, nobody = 0;

    if (!__atomic_compare_exchange_n(&stopper, &nobody, me, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return nobody == me;
    for (uint32_t i = 0; i < smp_count; i++)
        if (smp_cpu[i] != this_cpu())
            lapic_nmi(smp_cpu[i]->apic_id);
    return true;
}

void smp_stop_if_told(void)
{
    while (stopper != 0 && stopper != this_cpu()->cpu + 1)
        __asm__ volatile("cli; hlt");
}

static struct irq own[] = {
    {.handler = kicked, .name = "ipi kick", .mode = IRQ_LOCAL, .vector = VECTOR_IPI_KICK},
    {.handler = timer_kicked, .name = "ipi timer", .mode = IRQ_LOCAL, .vector = VECTOR_IPI_TIMER},
    {.handler = woken, .name = "ipi wake", .mode = IRQ_LOCAL, .vector = VECTOR_IPI_WAKE},
};

void smp_take_interrupts(void)
{
    for (unsigned i = 0; i < sizeof own / sizeof own[0]; i++) {
        irq_chain_add(&own[i]);
        irq_list_add(&own[i]);
    }
    tlb_init();
}
