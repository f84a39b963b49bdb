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
static inline uint64_t read_cr0(void) { uint64_t v; __asm__ volatile("movq %%cr0, %0" : "=r"(v)); return v; }
static inline uint64_t read_cr2(void) { uint64_t v; __asm__ volatile("movq %%cr2, %0" : "=r"(v)); return v; }
static inline uint64_t read_cr3(void) { uint64_t v; __asm__ volatile("movq %%cr3, %0" : "=r"(v)); return v; }
static inline uint64_t read_cr4(void) { uint64_t v; __asm__ volatile("movq %%cr4, %0" : "=r"(v)); return v; }
static inline void write_cr0(uint64_t v) { __asm__ volatile("movq %0, %%cr0" ::"r"(v) : "memory"); }
static inline void write_cr4(uint64_t v) { __asm__ volatile("movq %0, %%cr4" ::"r"(v) : "memory"); }
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

#define MSR_APIC_BASE 0x1bu
#define MSR_PAT 0x277u
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC 0x800u /* + register offset / 16 */
#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_SFMASK 0xc0000084u
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

#define RFLAGS_IF 0x200u

/* kernel/trap.S: jump here with rsp at a struct trap_frame on the thread's own
 * kernel stack and the kernel's GS: calls return_to_user(), then loads the frame
 * with iretq. A new thread can start this way too. */
void trap_return(void);
/* Called by trap.S with interrupts off. */
void trap_dispatch(struct trap_frame *f);
/* Kernel memory code: when f->rip lies in a routine that copies to or from user
 * space, points f->rip at its error exit and returns true. */
bool exception_fixup(struct trap_frame *f);

struct thread;
struct spinlock;
struct percpu {
    struct percpu *self;      /* gs:0 */
    uint64_t kernel_rsp;      /* gs:8  stack for the next entry from ring 3 */
    uint64_t user_rsp;        /* gs:16 scratch of the system-call entry */
    struct thread *current;   /* gs:24 */
    struct thread *idle;
    uint32_t cpu;
    volatile uint32_t irq_depth; /* nested hard interrupts */
    /* These three are one quadword to the way back to ring 3 (syscall.S). */
    volatile uint16_t need_resched;
    volatile uint16_t entry_work;    /* ENTRY_*: system calls go by syscall_slow */
    volatile uint32_t polls_pending; /* PENDING_* (kernel/irq.h): work for poll_run_pending, timers_run */
    uint64_t interrupts, timer_interrupts, syscalls, context_switches;
    struct sched *sched;              /* kernel/sched.h */
    struct cpu_timers *timers;        /* kernel/time.c */
    struct cpu_polls *polls;          /* kernel/poll.c */
    struct address_space *as;         /* in CR3; NULL: the kernel's own */
    uint64_t bit;                     /* 1 << cpu */
    void *tss_rsp0;                   /* where the TSS holds it */
    uint32_t apic_id;
    uint8_t kernel_locked;            /* this CPU holds the kernel lock */
    volatile uint8_t online;
    volatile uint64_t lock_ticket;    /* halted until it is this one's turn, plus 1 (kernel/lock.c) */
    uint64_t lock_waits, lock_wait_cycles, lock_wait_most;
    uint64_t ipis, steals;            /* interrupts sent to other CPUs; threads taken from them */
#ifdef SLIPWAY_DEBUG
#define LOCKS_HELD_MAX 8u
    const struct spinlock *lock_stack[LOCKS_HELD_MAX];
    uint32_t locks_held;
#endif
};
#define ENTRY_LOCK 1u  /* several CPUs: enter and leave under the kernel lock */
#define ENTRY_TRACE 2u /* some process is watched (kernel/trace.c) */
#define CPUS_MAX 64u   /* a mask of CPUs is a uint64_t */

static inline struct percpu *this_cpu(void)
{
    struct percpu *p;
    __asm__ volatile("movq %%gs:0, %0" : "=r"(p));
    return p;
}

struct cpu_features {
    bool nx, smep, smap, umip, xsave, rdrand, invariant_tsc, tsc_deadline, x2apic, pge, pcid, gb_pages;
    bool apic, mce, xsaveopt, pat;
    bool emulated;        /* QEMU's TCG: see drivers/virtio/virtio.c, device_fence */
    uint64_t entry_tsc;   /* TSC when cpu_init ran: time zero of the monotonic clock */
    uint32_t xsave_bytes; /* area for the features enabled */
    uint64_t xcr0;
    char vendor[13], brand[49];
};
extern struct cpu_features cpu;

/* CPUID, CR0/CR4/EFER, GDT, TSS, IDT, percpu of CPU 0. Before mem_init. */
void cpu_init(void);
/* Another CPU's: what is its own (NULL when memory is out), and its first steps on
 * itself, on a stack of its own and the kernel's page tables, interrupts off. */
struct percpu *cpu_new(uint32_t number, uint32_t apic_id);
void cpu_free(struct percpu *c);
void cpu_init_other(struct percpu *c);
/* For the next entry from ring 3, by an interrupt and by a system call. */
static inline void cpu_set_kernel_stack(struct percpu *c, void *top)
{
    typedef uint64_t anywhere __attribute__((aligned(4), may_alias)); /* as the TSS has it */

    c->kernel_rsp = (uint64_t)top;
    *(anywhere *)c->tss_rsp0 = (uint64_t)top;
}

void cpu_log(void); /* kernel/cpu_log.c: name and features, in the log */

/* kernel/mce.c: machine checks on, on this CPU; and what the banks say. */
void mce_init(void);
void mce_report(void);

/* FPU state of a thread: cpu.xsave_bytes long, 64-byte aligned. */
void fpu_init(void); /* cpu_init calls it */
void fpu_enable(void); /* on this CPU, as fpu_init found it */
void fpu_init_area(void *area);
void fpu_save(void *area);
void fpu_restore(const void *area);

#endif
