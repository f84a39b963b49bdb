/* SPDX-License-Identifier: MIT
 *
 * boot/entry.S: from the loader's hand-over to kmain().
 *
 * Owns: the Multiboot2 header, the first page tables (identity, direct map and
 * kernel image, 4 GiB each, in 2 MiB pages) and the boot stack. All that lies
 * in .boot is given to the page allocator once mem_init() has its own tables.
 * Context: 32-bit protected mode, paging off, interrupts off, no stack
 * (Multiboot2 section 3.3); the same for BIOS and UEFI, because the header has
 * no boot-services tag.
 */
#define __ASSEMBLER__ 1
#include <boot/multiboot2.h>

#define KERNEL_BASE 0xffffffff80000000
#define BOOT_STACK_BYTES 16384

    .section .multiboot, "a"
    .balign 8
mb2_header:
    .long MB2_HEADER_MAGIC
    .long 0 /* i386 protected mode */
    .long mb2_header_end - mb2_header
    .long -(MB2_HEADER_MAGIC + (mb2_header_end - mb2_header))

    .balign 8
0:  .short MB2_HEADER_INFO_REQUEST, 0
    .long 1f - 0b
    .long MB2_TAG_MEMORY
1:
    .balign 8
0:  .short MB2_HEADER_INFO_REQUEST, MB2_HEADER_OPTIONAL
    .long 1f - 0b
    .long MB2_TAG_CMDLINE, MB2_TAG_LOADER, MB2_TAG_MODULE, MB2_TAG_FRAMEBUFFER
    .long MB2_TAG_RSDP_OLD, MB2_TAG_RSDP_NEW, MB2_TAG_EFI64
1:
    .balign 8
0:  .short MB2_HEADER_MODULE_ALIGN, 0
    .long 8
    .balign 8
    /* Any graphics mode will do, and none as well: gfxpayload in grub.cfg decides.
     * (Without this tag GRUB would leave a BIOS machine in text mode always.) */
0:  .short MB2_HEADER_FRAMEBUFFER, MB2_HEADER_OPTIONAL
    .long 1f - 0b
    .long 0, 0, 0
1:
    .balign 8
    .short MB2_HEADER_END, 0
    .long 8
mb2_header_end:

    /* A bit of EDX, and the sentence for a CPU that lacks it. */
    .macro need bit, text
    movl $\text, %esi
    btl $\bit, %edx
    jnc boot_refuse
    .endm

    .section .boot.text, "ax"
    .code32
    .globl boot_entry
boot_entry:
    nopl 0x53570100(%eax) /* for bench/insn: the kernel begins */
    cld
    movl $boot_stack32_top, %esp
    movl %ebx, %ebp /* boot information, kept for kmain */
    movl $text_magic, %esi
    cmpl $MB2_BOOT_MAGIC, %eax
    jne boot_refuse

    /* CPUID exists when EFLAGS.ID can be flipped. */
    movl $text_long_mode, %esi
    pushfl
    popl %eax
    movl %eax, %ecx
    xorl $0x200000, %eax
    pushl %eax
    popfl
    pushfl
    popl %eax
    xorl %ecx, %eax
    testl $0x200000, %eax
    jz boot_refuse

    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb boot_refuse
    movl $0x80000001, %eax
    cpuid
    btl $29, %edx
    jnc boot_refuse
    need 20, text_nx
    need 11, text_syscall
    movl $1, %eax
    cpuid
    need 4, text_tsc
    need 15, text_cmov
    need 19, text_clflush
    need 24, text_fxsr
    need 26, text_sse2

    /* Four page directories: 0 to 4 GiB in 2 MiB pages, writable. */
    movl $boot_pd, %edi
    movl $0x83, %eax
    movl $2048, %ecx
1:  movl %eax, (%edi)
    addl $8, %edi
    addl $0x200000, %eax
    loop 1b
    movl $boot_pd + 3, %eax
    movl %eax, boot_pdpt
    movl %eax, boot_pdpt_image + 510 * 8
    addl $4096, %eax
    movl %eax, boot_pdpt + 8
    movl %eax, boot_pdpt_image + 511 * 8
    addl $4096, %eax
    movl %eax, boot_pdpt + 16
    addl $4096, %eax
    movl %eax, boot_pdpt + 24
    movl $boot_pdpt + 3, %eax
    movl %eax, boot_pml4             /* identity: only until mem_init */
    movl %eax, boot_pml4 + 256 * 8   /* direct map */
    movl $boot_pdpt_image + 3, %eax
    movl %eax, boot_pml4 + 511 * 8   /* kernel image */

    movl %cr4, %eax
    orl $0x20, %eax /* PAE */
    movl %eax, %cr4
    movl $boot_pml4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx /* EFER: LME, NXE */
    rdmsr
    orl $0x900, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80010001, %eax /* PG, WP, PE */
    movl %eax, %cr0
    lgdt boot_gdt_pointer
    ljmp $8, $boot_entry64

/* esi: a sentence. Say it on COM2 and on the screen, and stop. */
boot_refuse:
    movw $0x2f8 + 3, %dx
    movb $0x80, %al
    outb %al, %dx
    movw $0x2f8, %dx
    movb $1, %al /* 115200 baud */
    outb %al, %dx
    movw $0x2f8 + 1, %dx
    xorb %al, %al
    outb %al, %dx
    movw $0x2f8 + 3, %dx
    movb $3, %al /* 8N1 */
    outb %al, %dx
    movl $0xb8000, %edi
1:  lodsb
    testb %al, %al
    jz 4f
    movb %al, (%edi)
    movb $0x4f, 1(%edi)
    addl $2, %edi
    movb %al, %bl
    movl $100000, %ecx
2:  movw $0x2f8 + 5, %dx
    inb %dx, %al
    testb $0x20, %al
    jnz 3f
    loop 2b
3:  movw $0x2f8, %dx
    movb %bl, %al
    outb %al, %dx
    jmp 1b
4:  cli
    hlt
    jmp 4b

    .code64
boot_entry64:
    xorl %eax, %eax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw %ax, %fs
    movw %ax, %gs
    movabsq $high_entry, %rax
    jmp *%rax

    .section .boot.rodata, "a"
text_magic:
    .asciz "Slipway: not started by a Multiboot2 loader; boot it with GRUB's multiboot2 command.\r\n"
text_long_mode:
    .asciz "Slipway: this CPU has no 64-bit mode (long mode), which Slipway needs.\r\n"
text_nx:
    .asciz "Slipway: this CPU has no no-execute pages (NX), or the firmware turned them off.\r\n"
text_syscall:
    .asciz "Slipway: this CPU has no SYSCALL instruction, which Slipway needs.\r\n"
text_tsc:
    .asciz "Slipway: this CPU has no time-stamp counter, which Slipway needs.\r\n"
text_cmov:
    .asciz "Slipway: this CPU has no CMOV instruction, which Slipway needs.\r\n"
text_clflush:
    .asciz "Slipway: this CPU has no CLFLUSH instruction, which Slipway needs.\r\n"
text_fxsr:
    .asciz "Slipway: this CPU has no FXSAVE instruction, which Slipway needs.\r\n"
text_sse2:
    .asciz "Slipway: this CPU has no SSE2, which Slipway needs.\r\n"

    .section .boot.data, "aw"
    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9a000000ffff /* 64-bit code */
boot_gdt_pointer:
    .short 15
    .long boot_gdt

    .section .boot.bss, "aw", @nobits
    .balign 4096
boot_pml4:
    .skip 4096
boot_pdpt:
    .skip 4096
boot_pdpt_image:
    .skip 4096
boot_pd:
    .skip 4 * 4096
    .skip 256
boot_stack32_top:

    .section .text, "ax"
    .code64
high_entry:
    /* The loader has zeroed .bss (the ELF program headers say so), and the
     * stack lies in it. */
    leaq boot_stack_top(%rip), %rsp
    movl %ebp, %edi
    xorl %ebp, %ebp /* ends every backtrace */
    call kmain
1:  cli
    hlt
    jmp 1b

    /* The boot stack, later the idle thread's: mem_init unmaps the page below. */
    .section .bss.stack, "aw", @nobits
    .balign 4096
    .globl boot_stack_guard, boot_stack, boot_stack_top
boot_stack_guard:
    .skip 4096
boot_stack:
    .skip BOOT_STACK_BYTES
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
