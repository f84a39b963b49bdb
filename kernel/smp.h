/* SPDX-License-Identifier: MIT
 *
 * kernel/smp.h: several processors.
 *
 * Owns: who is online, how one CPU makes another do something.
 * Context: as each call says; kernel lock where it says thread or poll.
 */
#ifndef KERNEL_SMP_H
#define KERNEL_SMP_H

#include <kernel/cpu.h>
#include <stdbool.h>
#include <stdint.h>

/* Starts the other processors that the MADT names, as many as smp= allows. Each
 * that does not come within its deadline is reported and left out. Thread,
 * interrupts on; before the drivers attach and before there is a user process. */
void smp_init(void);

extern uint32_t smp_absent;         /* CPUs that were invited and did not come */
extern uint32_t smp_count;          /* CPUs online; numbered 0 .. smp_count - 1 */
extern struct percpu *smp_cpu[CPUS_MAX];
static inline uint32_t smp_cpus(void) { return smp_count; }

/* The one numbered n is told that something waits for it: it comes through
 * return_to_user() or out of its halt. Thread or poll. */
void smp_kick(uint32_t n);
void smp_wake(uint32_t n); /* ends a halt, and nothing else */
/* Its timers or its slice are due (an event device that only CPU 0 hears). */
void smp_kick_timer(uint32_t n);
/* Stops all others for good, whatever they do. False: another CPU was faster, and
 * this one is to stop. Any context. */
bool smp_stop_others(void);
void smp_stop_if_told(void); /* NMI: does not return when another CPU has stopped this one */

void smp_take_interrupts(void); /* smp_init */

/* --- tlb.c --- */
struct address_space;
/* After entries for [start, end) have changed and BEFORE pages or tables that
 * they led to are freed: when it returns, no CPU uses an old translation. as
 * NULL: the kernel's half, on all CPUs. end UINT64_MAX drops everything, cached
 * upper levels too. Thread or poll; interrupts come meanwhile. */
void tlb_shoot(struct address_space *as, uint64_t start, uint64_t end);
/* No CPU has it in CR3 afterwards: it is about to be destroyed. */
void tlb_evict(struct address_space *as);
void tlb_init(void); /* takes the interrupt; smp_init */

#endif
