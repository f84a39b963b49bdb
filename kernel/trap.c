/* SPDX-License-Identifier: MIT
 *
 * kernel/trap.c: exceptions.
 *
 * A fault in ring 3 is resolved (demand page) or ends its process. A fault in
 * ring 0 is resolved (demand page touched by a user copy), turned into -EFAULT
 * (any other fault in a user copy), or it is a broken kernel: panic.
 * Called by: trap.S. Context: the faulting thread, interrupts off on entry.
 */
#include <kernel/console.h>
#include <kernel/cpu.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/process.h>
#include <kernel/smp.h>

#define VECTOR_DEBUG         1
#define VECTOR_NMI           2
#define VECTOR_DOUBLE_FAULT  8
#define VECTOR_PAGE_FAULT    14
#define VECTOR_MACHINE_CHECK 18

#define PF_PRESENT  0x01u
#define PF_WRITE    0x02u
#define PF_RESERVED 0x08u
#define PF_FETCH    0x10u

static const char *const exception_names[32] = {
    "divide error",
    "debug",
    "NMI",
    "breakpoint",
    "overflow",
    "bound range",
    "invalid opcode",
    "no coprocessor",
    "double fault",
    "coprocessor overrun",
    "invalid TSS",
    "segment not present",
    "stack segment",
    "general protection",
    "page fault",
    "vector 15",
    "x87 error",
    "alignment check",
    "machine check",
    "SIMD error",
    "virtualisation",
    "control protection",
    "vector 22",
    "vector 23",
    "vector 24",
    "vector 25",
    "vector 26",
    "vector 27",
    "hypervisor injection",
    "VMM communication",
    "security",
    "vector 31",
};

static const char nmi_text[] = "NMI from the hardware, ignored\n";
static uint64_t nmi_count;

static void kernel_fault(struct trap_frame *f, uint64_t addr)
{
    char where[64];

    irq_disable();
    panic_begin();
    symbolise(f->rip, where, sizeof(where));
    klog(LOG_ERROR, "%s at %s, rip %016lx error %lx cr2 %016lx", exception_names[f->vector & 31], where,
         f->rip, f->error, addr);
    klog(LOG_ERROR, "rax %016lx rbx %016lx rcx %016lx rdx %016lx", f->rax, f->rbx, f->rcx, f->rdx);
    klog(LOG_ERROR, "rsi %016lx rdi %016lx rbp %016lx rsp %016lx", f->rsi, f->rdi, f->rbp, f->rsp);
    klog(LOG_ERROR, "r8  %016lx r9  %016lx r10 %016lx r11 %016lx", f->r8, f->r9, f->r10, f->r11);
    klog(LOG_ERROR, "r12 %016lx r13 %016lx r14 %016lx r15 %016lx", f->r12, f->r13, f->r14, f->r15);
    klog(LOG_ERROR, "cs %lx ss %lx rflags %lx cr3 %lx", f->cs, f->ss, f->rflags, read_cr3());
    if (f->vector == VECTOR_MACHINE_CHECK)
        mce_report();
    panic("%s in the kernel at %s", exception_names[f->vector & 31], where);
}

static unsigned fault_access(uint64_t error)
{
    if (error & PF_FETCH)
        return VM_X;
    return error & PF_WRITE ? VM_W : VM_R;
}

static void user_exception(struct trap_frame *f, uint64_t addr)
{
    irq_enable();
    kernel_lock();
    if (f->vector == VECTOR_PAGE_FAULT && !(f->error & PF_RESERVED) && addr < USER_END &&
        vm_fault(process_as(process_current()), addr, fault_access(f->error)))
        return;
    process_fault(f, f->vector == VECTOR_PAGE_FAULT ? addr : 0);
}

static void kernel_exception(struct trap_frame *f, uint64_t addr)
{
    uint64_t rip = f->rip, fixup;

    if (!exception_fixup(f))
        kernel_fault(f, addr);
    if (f->vector != VECTOR_PAGE_FAULT || (f->error & (PF_RESERVED | PF_FETCH)) || addr >= USER_END ||
        process_current() == NULL)
        return;
    /* A user copy touched a page that may only be due: try that first. */
    fixup = f->rip;
    if (f->rflags & RFLAGS_IF)
        irq_enable();
    f->rip = vm_fault(process_as(process_current()), addr, fault_access(f->error)) ? rip : fixup;
    irq_disable();
}

void trap_dispatch(struct trap_frame *f)
{
    uint64_t addr = read_cr2();

    switch (f->vector) {
    case VECTOR_NMI:
        smp_stop_if_told();
        nmi_count++; /* it may have hit klog itself, so the log is out of bounds here */
        console_write_nmi(nmi_text, sizeof(nmi_text) - 1);
        return;
    case VECTOR_DOUBLE_FAULT:
    case VECTOR_MACHINE_CHECK:
        kernel_fault(f, addr);
        return;
    case VECTOR_DEBUG:
        __asm__ volatile("movq %0, %%dr6" ::"r"(0xffff0ff0ul));
        break;
    default:
        break;
    }
    if (f->cs & 3)
        user_exception(f, addr);
    else
        kernel_exception(f, addr);
}

/* trap.S: a frame for ring 3 holds an address outside user space. */
void trap_bad_return(struct trap_frame *f)
{
    uint64_t rip = f->rip;

    irq_enable();
    kernel_lock(); /* it was given back by return_to_user */
    f->vector = 13;
    process_fault(f, rip);
    f->rip = 0;
}
