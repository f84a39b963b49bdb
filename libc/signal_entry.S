/* SPDX-License-Identifier: MIT
 *
 * libc/signal_entry.S: where the kernel enters a thread that got a signal. rdi
 * and rsp are the struct signal_frame (slipway/signal.h), which is aligned to 16.
 */
        .text
        .globl  __signal_entry
        .hidden __signal_entry
        .hidden __signal_dispatch
        .type   __signal_entry, @function
__signal_entry:
        .cfi_startproc
        .cfi_undefined rip
        movq    %rdi, %rbx
        call    __signal_dispatch
        movq    %rbx, %rdi
        movl    $54, %eax               /* SYS_signal_return */
        syscall
        ud2
        .cfi_endproc
        .size   __signal_entry, . - __signal_entry
        .section .note.GNU-stack, "", @progbits
