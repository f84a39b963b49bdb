/* SPDX-License-Identifier: MIT
 *
 * kernel/switch.S: a thread's first step.
 *
 * Called by: switch_stacks (kernel/sched.c), which a new thread's stack leads here
 * (thread_new). Thread context, interrupts on.
 */
    .text

/* The stack pointer is at the thread's trap frame. */
    .globl thread_entry
    .type thread_entry, @function
thread_entry:
    xorl %ebp, %ebp
    call thread_begin
    jmp trap_return
    .size thread_entry, . - thread_entry

    .section .note.GNU-stack, "", @progbits
