/* SPDX-License-Identifier: MIT
 *
 * boot/ap_entry.S: another processor's way from real mode to ap_main().
 *
 * Owns: one page below 1 MiB while processors start: kernel/smp_start.c copies
 * this code there and fills in the words at its end. A processor begins at the
 * page's first byte (CS = page / 16, IP = 0), in real mode, interrupts off, without a
 * stack (Intel SDM vol. 3, 9.4). It goes to long mode in one step: paging and
 * protection are switched on together, with tables that map the page to itself.
 *
 * Only who finds `invited` at 1 goes on: a processor that comes after its time
 * was up halts for good.
 */
    .section .rodata.ap, "a"
    .code16
    .globl ap_page, ap_page_end, ap_words
ap_page:
    cli
    cld
    xorl %ebx, %ebx
    movw %cs, %bx
    movw %bx, %ds
    shll $4, %ebx /* where we are */

    movl $1, %eax
    movl $2, %ecx
    lock cmpxchgl %ecx, (ap_words - ap_page)
    jne 9f

    leal (gdt - ap_page)(%ebx), %eax
    movl %eax, (gdt_pointer - ap_page + 2)
    leal (long_mode - ap_page)(%ebx), %eax
    movl %eax, (far_target - ap_page)

    movl $0x20, %eax /* CR4: PAE */
    movl %eax, %cr4
    movl (ap_words - ap_page + 4), %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx /* EFER: LME, NXE */
    rdmsr
    orl $0x900, %eax
    wrmsr
    lgdtl (gdt_pointer - ap_page)
    movl $0x80010011, %eax /* CR0: PG, WP, ET, PE; CD and NW off */
    movl %eax, %cr0
    ljmpl *(far_target - ap_page)
9:  hlt
    jmp 9b

    .code64
long_mode:
    xorl %eax, %eax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw %ax, %fs
    movw %ax, %gs
    leaq ap_words(%rip), %rax
    movq 8(%rax), %rsp
    movq 16(%rax), %rdi
    movq 24(%rax), %rax
    xorl %ebp, %ebp /* ends every backtrace */
    call *%rax
1:  cli
    hlt
    jmp 1b

    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* 64-bit code */
gdt_pointer:
    .short 15
    .long 0
    .balign 8
far_target:
    .long 0
    .short 8
    .balign 8
ap_words: /* struct ap_words in kernel/smp_start.c */
    .long 0 /* invited */
    .long 0 /* cr3 */
    .quad 0 /* rsp */
    .quad 0 /* argument */
    .quad 0 /* entry */
ap_page_end:

    .section .note.GNU-stack, "", @progbits
