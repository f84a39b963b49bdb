/* SPDX-License-Identifier: MIT
 *
 * kernel/cpu.h: the processor: ports, MSRs, control registers, per-CPU data,
 * descriptor tables, the trap frame.
 *
 * Owns: GDT, TSS, IDT, struct percpu (reached by GS in ring 0).
 */
#ifndef KERNEL_CPU_H
#define KERNEL_CPU_H

#include <stdbool.h>
#include <stdint.h>

static inline void outb(uint16_t port, uint8_t v) { __asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port)); }
static inline void outw(uint16_t port, uint16_t v) { __asm__ volatile("outw %0, %1" ::"a"(v), "Nd"(port)); }
static inline void outl(uint16_t port, uint32_t v) { __asm__ volatile("outl %0, %1" ::"a"(v), "Nd"(port)); }
static inline uint8_t inb(uint16_t port) { uint8_t v; __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline uint16_t inw(uint16_t port) { uint16_t v; __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline uint32_t inl(uint16_t port) { uint32_t v; __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port)); return v; }

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return ((uint64_t)hi << 32) | lo;
}
static inline void wrmsr(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}
static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return ((uint64_t)hi << 32) | lo;
}
static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
    __asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(sub));
}
static inline void cpu_relax(void) { __asm__ volatile("pause"); }
static inline uint64_t irq_save(void)
{
    uint64_t f;
    __asm__ volatile("pushfq; popq %0; cli" : "=r"(f)::"memory");
    return f;
}
static inline void irq_restore(uint64_t f)
{
    if (f & 0x200)
        __asm__ volatile("sti" ::: "memory");
}
static inline void irq_enable(void) { __asm__ volatile("sti" ::: "memory"); }
static inline void irq_disable(void) { __asm__ volatile("cli" ::: "memory"); }

#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u

/* Segment selectors; the order is what SYSCALL/SYSRET demand (AMD64 vol. 2). */
#define SEL_KCODE 0x08
#define SEL_KDATA 0x10
#define SEL_UDATA 0x1b
#define SEL_UCODE 0x23
#define SEL_TSS 0x28

/* What every entry into the kernel leaves on the kernel stack, lowest address
 * first. System calls build the same frame, so that one routine returns. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

struct thread;
struct percpu {
    struct percpu *self;      /* gs:0 */
    uint64_t kernel_rsp;      /* gs:8  stack for the next entry from ring 3 */
    uint64_t user_rsp;        /* gs:16 scratch of the system-call entry */
    struct thread *current;   /* gs:24 */
    struct thread *idle;
    uint32_t cpu;
    uint32_t irq_depth;       /* nested hard interrupts */
    volatile uint32_t need_resched;
    volatile uint32_t polls_pending; /* kernel/poll.h */
    uint64_t interrupts, timer_interrupts, syscalls, context_switches;
    uint64_t idle_ns;
};
static inline struct percpu *this_cpu(void)
{
    struct percpu *p;
    __asm__ volatile("movq %%gs:0, %0" : "=r"(p));
    return p;
}

struct cpu_features {
    bool nx, smep, smap, umip, xsave, fxsr, rdrand, invariant_tsc, tsc_deadline, x2apic, pge, pcid, gb_pages;
    uint32_t xsave_bytes; /* area for the features enabled */
    uint64_t xcr0;
    char vendor[13], brand[49];
};
extern struct cpu_features cpu;

void cpu_init(void);               /* CPUID, CR0/CR4/EFER, GDT, TSS, IDT, percpu of CPU 0 */
void cpu_set_kernel_stack(void *top); /* TSS.RSP0 and percpu.kernel_rsp */

/* FPU state of a thread: cpu.xsave_bytes (or 512), 64-byte aligned. */
void fpu_init_area(void *area);
void fpu_save(void *area);
void fpu_restore(const void *area);

#endif
