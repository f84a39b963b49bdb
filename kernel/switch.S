/* SPDX-License-Identifier: MIT
 *
 * kernel/switch.S: from one kernel stack to another, and a thread's first step.
 *
 * Owns: the layout below a saved stack pointer: r15 r14 r13 r12 rbx rbp, then
 * the return address. thread_new (kernel/thread.c) builds the same by hand.
 * Called by: kernel/sched.c, thread context, interrupts on.
 */
    .text

/* void switch_stacks(uint64_t *save_rsp, uint64_t load_rsp) */
    .globl switch_stacks
    .type switch_stacks, @function
switch_stacks:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size switch_stacks, . - switch_stacks

/* The stack pointer is at the thread's trap frame. */
    .globl thread_entry
    .type thread_entry, @function
thread_entry:
    xorl %ebp, %ebp
    call thread_begin
    jmp trap_return
    .size thread_entry, . - thread_entry

    .section .note.GNU-stack, "", @progbits
