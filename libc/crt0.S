/* SPDX-License-Identifier: MIT
 *
 * libc/crt0.S: the first instruction of a program.
 *
 * The kernel enters here with the stack of the System V ABI (AMD64 supplement,
 * 3.4.1): argc at (%rsp), then argv, envp and the auxiliary vector.
 */
        .section .text.start, "ax", @progbits
        .globl  _start
        .type   _start, @function
        .hidden __slipway_start
        .hidden _DYNAMIC
_start:
        .cfi_startproc
        .cfi_undefined rip
        nopl    0x53570101(%rax)        /* for bench/insn: a program begins */
        xorl    %ebp, %ebp              /* end of the frame chain */
        movq    %rsp, %rdi
        leaq    _DYNAMIC(%rip), %rsi
        andq    $-16, %rsp
        call    __slipway_start
        ud2
        .cfi_endproc
        .size   _start, . - _start
        .section .note.GNU-stack, "", @progbits
