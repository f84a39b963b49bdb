/* SPDX-License-Identifier: MIT
 *
 * kernel/trap.S: every way into the kernel but SYSCALL.
 *
 * Owns: the 256 entry stubs, the swapgs discipline, the way back by iretq.
 *
 * Each stub leaves a struct trap_frame (kernel/cpu.h) on the kernel stack. The
 * CPU aligns the stack to 16 bytes before it pushes 40 bytes, and the stub's
 * part is 136, so that C is called with an aligned stack.
 *
 * Which GS is loaded? CS tells, because an entry from ring 0 always has the
 * kernel's, save in the few instructions around swapgs in the system-call entry
 * and exits. Those run with interrupts off, so only NMI, double fault and
 * machine check can hit there: these ask the MSR instead (ring 3 cannot write
 * it, and the kernel's base is the only one in the upper half).
 *
 * Entries clear AC (a user must not switch SMAP off), DF and NT.
 */
#define __ASSEMBLER__ 1

#define FRAME_VECTOR 120
#define FRAME_RIP 136
#define FRAME_CS 144
#define MSR_GS_BASE 0xc0000101

    .macro PUSH_REGISTERS
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
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    pushq $2
    popfq
    .endm

    .macro POP_REGISTERS
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rbp
    popq %rbx
    popq %rdx
    popq %rcx
    popq %rax
    addq $16, %rsp /* vector, error */
    .endm

    .section .text, "ax"

    .balign 16
    .globl trap_stubs
trap_stubs:
    vector = 0
    .rept 256
    .balign 16
    .if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
    .else
    pushq $0
    .endif
    pushq $vector
    .if vector == 2 || vector == 8 || vector == 18
    jmp paranoid_entry
    .elseif vector < 32
    jmp exception_entry
    .else
    jmp interrupt_entry
    .endif
    vector = vector + 1
    .endr

    .balign 16
interrupt_entry:
    PUSH_REGISTERS
    movq %rsp, %rdi
    testb $3, FRAME_CS(%rsp)
    jz 1f
    swapgs
    xorl %ebp, %ebp /* ends every backtrace */
    call interrupt_dispatch
    jmp trap_return
1:  call interrupt_dispatch
    POP_REGISTERS
    iretq

    .balign 16
exception_entry:
    PUSH_REGISTERS
    movq %rsp, %rdi
    testb $3, FRAME_CS(%rsp)
    jz 1f
    swapgs
    xorl %ebp, %ebp
    call trap_dispatch
    jmp trap_return
1:  call trap_dispatch
    POP_REGISTERS
    iretq

    .balign 16
paranoid_entry:
    PUSH_REGISTERS
    movl $MSR_GS_BASE, %ecx
    rdmsr
    xorl %ebx, %ebx
    testl %edx, %edx
    js 1f
    swapgs
    incl %ebx
1:  movq %rsp, %rdi
    call trap_dispatch
    testl %ebx, %ebx
    jz 2f
    swapgs
2:  POP_REGISTERS
    iretq

    /* iretq to a non-canonical address would fault in ring 0 with the user's GS
     * loaded; such a frame ends its process instead. */
    .balign 16
    .globl trap_return
trap_return:
    sti
    call return_to_user /* comes back with interrupts off */
    movq FRAME_RIP(%rsp), %rax
    shrq $47, %rax
    jnz 1f
    POP_REGISTERS
    swapgs
    iretq
1:  movq %rsp, %rdi
    call trap_bad_return
    jmp trap_return

    .section .note.GNU-stack, "", @progbits
