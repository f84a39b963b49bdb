/* SPDX-License-Identifier: MIT
 *
 * kernel/syscall.S: the system-call entry and its quick way back to ring 3.
 *
 * Owns: syscall_entry (LSTAR). The slow way back is trap_return (trap.S).
 * A struct trap_frame (kernel/cpu.h) is built at the top of the calling thread's
 * kernel stack, as for any trap. SYSCALL has cleared IF, DF, TF, AC and NT (FMASK); interrupts come on once
 * the frame stands. From the last look at what is pending to sysretq they stay
 * off.
 */
#define PERCPU_KERNEL_RSP 8
#define PERCPU_USER_RSP 16
#define PERCPU_PENDING 48 /* need_resched, entry_work and polls_pending */
#define PERCPU_ENTRY_WORK 50
#define PERCPU_SYSCALLS 72
#define SEL_UDATA 0x1b
#define SEL_UCODE 0x23
#define SYS_MAX 96
#define ENOSYS 88
#define VECTOR_SYSCALL 0x100 /* none of the 256: names the frame in reports */

#define FRAME_R15 0
#define FRAME_R14 8
#define FRAME_R13 16
#define FRAME_R12 24
#define FRAME_R11 32
#define FRAME_R10 40
#define FRAME_R9 48
#define FRAME_R8 56
#define FRAME_RDI 64
#define FRAME_RSI 72
#define FRAME_RDX 96
#define FRAME_RAX 112
#define FRAME_RCX 104
#define FRAME_VECTOR 120
#define FRAME_RIP 136
#define FRAME_RFLAGS 152
#define FRAME_RSP 160

    .text
    .globl syscall_entry
    .type syscall_entry, @function
syscall_entry:
    swapgs
    movq %rsp, %gs:PERCPU_USER_RSP
    movq %gs:PERCPU_KERNEL_RSP, %rsp
    pushq $SEL_UDATA
    pushq %gs:PERCPU_USER_RSP
    pushq %r11
    pushq $SEL_UCODE
    pushq %rcx
    pushq $0
    pushq $VECTOR_SYSCALL
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rbx
    pushq %rbp
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    subq $FRAME_R11, %rsp /* r12 to r15: C keeps them, only the slow way needs them here */
    incq %gs:PERCPU_SYSCALLS
    xorl %ebp, %ebp
    sti
    cmpw $0, %gs:PERCPU_ENTRY_WORK
    jne 6f
7:
    cmpq $SYS_MAX, %rax
    jae 1f
    movq %r10, %rcx
    call *syscall_table(,%rax,8)
2:
    movq %rax, FRAME_RAX(%rsp)
    cli
    cmpq $0, %gs:PERCPU_PENDING
    jne 3f
4:

    /* sysretq takes rip from rcx and the flags from r11; it faults in ring 0
     * when rcx is not canonical (AMD64 vol. 3, SYSRET; Intel's variant), so a
     * rip outside of the lower half goes back by iretq. So does a frame that
     * somebody altered: who does that changes its vector. */
    cmpl $VECTOR_SYSCALL, FRAME_VECTOR(%rsp)
    jne 5f
    movq FRAME_RIP(%rsp), %rcx
    movq FRAME_RFLAGS(%rsp), %r11
    movq %rcx, %rdx
    shrq $47, %rdx
    jnz 5f
    addq $FRAME_R10, %rsp
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rbp
    popq %rbx
    popq %rdx
    addq $8, %rsp
    popq %rax
    movq (FRAME_RSP - FRAME_VECTOR)(%rsp), %rsp
    swapgs
    sysretq
1:
    movq $-ENOSYS, %rax
    jmp 2b
3:
    sti
    movq %r15, FRAME_R15(%rsp) /* a signal's frame on the user stack has all registers */
    movq %r14, FRAME_R14(%rsp)
    movq %r13, FRAME_R13(%rsp)
    movq %r12, FRAME_R12(%rsp)
    call return_to_user /* comes back with interrupts off */
    jmp 4b
6:
    call syscall_enter /* the kernel lock; 1: the call is watched */
    testl %eax, %eax
    jnz 8f
    movq FRAME_R10(%rsp), %r10
    movq FRAME_R9(%rsp), %r9
    movq FRAME_R8(%rsp), %r8
    movq FRAME_RDI(%rsp), %rdi
    movq FRAME_RSI(%rsp), %rsi
    movq FRAME_RDX(%rsp), %rdx
    movq FRAME_RAX(%rsp), %rax
    jmp 7b
8:
    movq %r15, FRAME_R15(%rsp) /* C comes between here and the handler: fork wants them */
    movq %r14, FRAME_R14(%rsp)
    movq %r13, FRAME_R13(%rsp)
    movq %r12, FRAME_R12(%rsp)
    movq %rsp, %rdi
    call syscall_slow /* all arguments are in the frame */
    jmp 2b
5:
    movq %r15, FRAME_R15(%rsp)
    movq %r14, FRAME_R14(%rsp)
    movq %r13, FRAME_R13(%rsp)
    movq %r12, FRAME_R12(%rsp)
    jmp trap_return
    .size syscall_entry, . - syscall_entry

    .section .note.GNU-stack, "", @progbits
