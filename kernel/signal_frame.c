/* SPDX-License-Identifier: MIT
 *
 * kernel/signal_frame.c: how a thread is led into its handler and back.
 *
 * Owns: struct signal_frame on user stacks. Called by: return_to_user, the
 * signal_return call. Context: the thread itself, before ring 3.
 *
 * What lies on a user stack is hostile when it comes back. Of the registers only
 * general ones, rip, rsp and harmless flags are taken: cs and ss stay the
 * kernel's constants, and trap_return looks at rip as it does for everybody. The
 * area for XRSTOR is put right before the CPU sees it, so that it cannot fault in
 * ring 0 (Intel SDM vol. 1, 13.8.1: bits outside XCR0, the compacted form,
 * reserved header bytes, reserved MXCSR bits).
 */
#include <kernel/proc.h>
#include <kernel/string.h>
#include <kernel/syscall.h>

#define RED_ZONE_BYTES 128u        /* System V ABI, AMD64 supplement, 3.2.2 */
#define FLAGS_USER 0x00240dd5u     /* CF PF AF ZF SF TF DF OF AC ID */
#define FLAGS_ALWAYS 0x202u        /* IF, and bit 1 which is always set */
#define FLAGS_ENTRY_OFF 0x00040500u /* TF DF AC: a function begins without them */
#define ALL_BLOCKED (~1u & ~SIGNAL_BIT(SIGNAL_KILL) & ~SIGNAL_BIT(SIGNAL_STOP))

#define FPU_MXCSR 24u
#define FPU_MXCSR_MASK 28u
#define FPU_MXCSR_MASK_DEFAULT 0xffbfu /* where the CPU writes 0 (SDM vol. 1, 11.6.6) */
#define XSAVE_HEADER 512u
#define XSAVE_HEADER_BYTES 64u

static struct trap_frame *user_frame(const struct thread *t)
{
    return (struct trap_frame *)t->kstack_top - 1;
}

static void from_trap(struct signal_frame *s, const struct trap_frame *f)
{
    s->r15 = f->r15, s->r14 = f->r14, s->r13 = f->r13, s->r12 = f->r12;
    s->r11 = f->r11, s->r10 = f->r10, s->r9 = f->r9, s->r8 = f->r8;
    s->rdi = f->rdi, s->rsi = f->rsi, s->rbp = f->rbp, s->rbx = f->rbx;
    s->rdx = f->rdx, s->rcx = f->rcx, s->rax = f->rax;
    s->rip = f->rip, s->rflags = f->rflags, s->rsp = f->rsp;
}

static void to_trap(struct trap_frame *f, const struct signal_frame *s)
{
    f->r15 = s->r15, f->r14 = s->r14, f->r13 = s->r13, f->r12 = s->r12;
    f->r11 = s->r11, f->r10 = s->r10, f->r9 = s->r9, f->r8 = s->r8;
    f->rdi = s->rdi, f->rsi = s->rsi, f->rbp = s->rbp, f->rbx = s->rbx;
    f->rdx = s->rdx, f->rcx = s->rcx, f->rax = s->rax;
    f->rip = s->rip, f->rsp = s->rsp;
    f->rflags = (s->rflags & FLAGS_USER) | FLAGS_ALWAYS; /* C-SIG-2 */
    f->cs = SEL_UCODE;
    f->ss = SEL_UDATA;
}

static bool push(struct thread *t, struct trap_frame *f, struct signal_frame *s)
{
    uint64_t top = f->rsp - RED_ZONE_BYTES, at; /* C-SIG-4 */

    s->fpu_bytes = cpu.xsave_bytes;
    s->fpu = (top - s->fpu_bytes) & ~63ull;
    at = (s->fpu - sizeof *s) & ~15ull;
    if (f->rsp > USER_END || at > f->rsp || !user_range_ok(at, f->rsp - at))
        return false;
    fpu_save(t->fpu);
    if (copy_to_user(s->fpu, t->fpu, s->fpu_bytes) < 0 || copy_to_user(at, s, sizeof *s) < 0)
        return false;
    f->rip = t->process->signals.entry;
    f->rsp = f->rdi = at;
    f->rbp = 0;
    f->rflags = (f->rflags & ~(uint64_t)FLAGS_ENTRY_OFF) | FLAGS_ALWAYS;
    return true;
}

static uint32_t mask_to_restore(struct thread *t)
{
    uint32_t mask = t->signals.restore ? t->signals.saved : t->signals.mask;

    t->signals.restore = false;
    return mask;
}

/* Taken out of where it waits; 0 when another thread was faster. */
static uint32_t take_one(struct thread *t)
{
    struct process *p = t->process;
    uint32_t caught = (t->signals.pending | p->signals.pending) & ~t->signals.mask & p->signals.caught, bit;

    if (caught == 0)
        return 0;
    bit = caught & -caught;
    if (t->signals.pending & bit)
        t->signals.pending &= ~bit;
    else
        p->signals.pending &= ~bit;
    return (uint32_t)__builtin_ctz(bit);
}

void signal_deliver(struct thread *t)
{
    struct process *p = t->process;
    uint32_t fatal = signal_fatal(t), signal;
    struct signal_frame s;

    t->signals.due = false;
    if (fatal != 0) {
        process_end(p, PROC_KILLED, (int32_t)fatal);
        return;
    }
    signal = take_one(t);
    if (signal == 0) {
        signal_mask_set(t, mask_to_restore(t)); /* others may wait that this mask lets through */
        return;
    }
    memset(&s, 0, sizeof s);
    s.signal = signal;
    s.reason = p->signals.reason[signal];
    s.sender = p->signals.sender[signal];
    s.mask = mask_to_restore(t);
    s.address = s.reason == SIGNAL_FROM_FAULT ? t->signals.address : 0;
    from_trap(&s, user_frame(t));
    t->signals.mask = ALL_BLOCKED; /* C-SIG-1 */
    if (!push(t, user_frame(t), &s))
        process_end(p, PROC_KILLED, SIGNAL_SEGV); /* no stack to put it on */
    else if (p->signals.pending != 0)
        signal_hand_out(p);
}

/* Makes what came from ring 3 something that XRSTOR or FXRSTOR takes. */
static void fpu_put_right(uint8_t *area, uint32_t mxcsr_mask)
{
    uint32_t *mxcsr = (uint32_t *)(area + FPU_MXCSR);
    uint64_t *header = (uint64_t *)(area + XSAVE_HEADER);

    *mxcsr &= mxcsr_mask != 0 ? mxcsr_mask : FPU_MXCSR_MASK_DEFAULT; /* C-SIG-2 */
    if (!cpu.xsave)
        return;
    header[0] &= cpu.xcr0;
    memset(header + 1, 0, XSAVE_HEADER_BYTES - sizeof header[0]);
}

static int fpu_take(struct thread *t, uint64_t from)
{
    uint32_t mxcsr_mask;
    int r;

    fpu_save(t->fpu); /* the CPU writes its MXCSR_MASK */
    mxcsr_mask = *(uint32_t *)((uint8_t *)t->fpu + FPU_MXCSR_MASK);
    r = copy_from_user(t->fpu, from, cpu.xsave_bytes);
    fpu_put_right(t->fpu, mxcsr_mask); /* even after half a copy: a switch restores it */
    fpu_restore(t->fpu);
    return r;
}

SYSCALL_HANDLER(signal_return)
{
    struct thread *t = self_thread();
    struct trap_frame *f = user_frame(t);
    struct signal_frame s;

    if (copy_from_user(&s, a0, sizeof s) < 0 || fpu_take(t, s.fpu) < 0) {
        process_end(t->process, PROC_KILLED, SIGNAL_SEGV);
        return -EFAULT;
    }
    to_trap(f, &s);
    signal_mask_set(t, s.mask);
    /* The entry would return with its own r12 to r15, rcx and r11; the frame has all. */
    __asm__ volatile("movq %0, %%rsp\n\tjmp trap_return" ::"r"(f) : "memory");
    __builtin_unreachable();
}
