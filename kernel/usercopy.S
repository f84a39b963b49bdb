/* SPDX-License-Identifier: MIT
 *
 * kernel/usercopy.S: copies that survive a fault.
 *
 * Owns: the exception table's entries for user copies. Each entry of .extable
 * is a range of instructions and where to continue when one of them faults.
 * Called by kernel/usercopy.c with SMAP lifted and the range checked.
 */
    .text

/* int user_copy_raw(void *dst, const void *src, size_t n): 0, or -1 on a fault */
    .globl user_copy_raw
    .type user_copy_raw, @function
user_copy_raw:
copy_begin:
    movq %rdx, %rcx
    shrq $6, %rcx
    jz 2f
1:  movq (%rsi), %rax
    movq 8(%rsi), %r8
    movq 16(%rsi), %r9
    movq 24(%rsi), %r10
    movq %rax, (%rdi)
    movq %r8, 8(%rdi)
    movq %r9, 16(%rdi)
    movq %r10, 24(%rdi)
    movq 32(%rsi), %rax
    movq 40(%rsi), %r8
    movq 48(%rsi), %r9
    movq 56(%rsi), %r10
    movq %rax, 32(%rdi)
    movq %r8, 40(%rdi)
    movq %r9, 48(%rdi)
    movq %r10, 56(%rdi)
    addq $64, %rsi
    addq $64, %rdi
    decq %rcx
    jnz 1b
2:  movl %edx, %ecx
    andl $63, %ecx
    shrl $3, %ecx
    jz 4f
3:  movq (%rsi), %rax
    movq %rax, (%rdi)
    addq $8, %rsi
    addq $8, %rdi
    decl %ecx
    jnz 3b
4:  andl $7, %edx
    jz 6f
5:  movb (%rsi), %al
    movb %al, (%rdi)
    incq %rsi
    incq %rdi
    decl %edx
    jnz 5b
6:  xorl %eax, %eax
    ret
copy_end:
copy_fixup:
    movl $-1, %eax
    ret
    .size user_copy_raw, . - user_copy_raw

/* int64_t user_string_raw(char *dst, const char *src, size_t max)
 * Length without NUL; max when there is no NUL in max bytes; -1 on a fault. */
    .globl user_string_raw
    .type user_string_raw, @function
user_string_raw:
string_begin:
    xorl %eax, %eax
1:  cmpq %rdx, %rax
    je 2f
    movb (%rsi,%rax), %cl
    movb %cl, (%rdi,%rax)
    testb %cl, %cl
    jz 2f
    incq %rax
    jmp 1b
2:  ret
string_end:
string_fixup:
    movq $-1, %rax
    ret
    .size user_string_raw, . - user_string_raw

    .section .extable, "a"
    .quad copy_begin, copy_end, copy_fixup
    .quad string_begin, string_end, string_fixup

    .section .note.GNU-stack, "", @progbits
