/* SPDX-License-Identifier: MIT
 *
 * kernel/fork_entry.S: the fork call's first step.
 *
 * Owns: sys_fork, which completes the caller's trap frame. The system-call entry
 * leaves out r12 to r15, since C keeps them; a child needs them all. The frame
 * is at the top of the thread's kernel stack, sizeof(struct trap_frame) below.
 * Context: thread.
 */
#define PERCPU_KERNEL_RSP 8
#define FRAME_BYTES 176

    .text
    .globl sys_fork
    .type sys_fork, @function
sys_fork:
    movq %gs:PERCPU_KERNEL_RSP, %rdi
    subq $FRAME_BYTES, %rdi
    movq %r15, 0(%rdi)
    movq %r14, 8(%rdi)
    movq %r13, 16(%rdi)
    movq %r12, 24(%rdi)
    jmp fork_process
    .size sys_fork, . - sys_fork

    .section .note.GNU-stack, "", @progbits
