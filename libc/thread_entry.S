/* SPDX-License-Identifier: MIT
 *
 * libc/thread_entry.S: the first instruction of a thread. The kernel gives it a
 * stack aligned to 16 and the tcb in rdi; C wants to have been called.
 */
        .text
        .globl  __thread_entry
        .hidden __thread_entry
        .hidden __thread_main
        .type   __thread_entry, @function
__thread_entry:
        .cfi_startproc
        .cfi_undefined rip
        xorl    %ebp, %ebp
        call    __thread_main
        ud2
        .cfi_endproc
        .size   __thread_entry, . - __thread_entry
        .section .note.GNU-stack, "", @progbits
