/* SPDX-License-Identifier: MIT
 *
 * kernel/elf.h: ELF64 programs (System V ABI, AMD64 supplement).
 *
 * Owns: nothing; pure parsers of an image in memory that trust none of it.
 * They build on the host for tests and fuzzing. Context: any.
 */
#ifndef KERNEL_ELF_H
#define KERNEL_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_SEGMENTS_MAX 8
#define ELF_SPAN_MAX (1ull << 30) /* an image's pages, first to last */

enum { ELF_R = 1, ELF_W = 2, ELF_X = 4 }; /* equal to VM_* and PROT_* */

struct elf_segment {
    uint64_t vaddr, mem_bytes;    /* as in the file, before the load bias */
    uint64_t file_off, file_bytes; /* file_bytes <= mem_bytes, inside the file */
    unsigned prot;                /* never ELF_W and ELF_X together */
};

struct elf_plan {
    bool position_independent; /* ET_DYN: load anywhere */
    uint64_t entry, phdr_vaddr; /* both inside a segment */
    unsigned phnum, nsegments;
    uint64_t low, high; /* page-aligned span of all segments */
    struct elf_segment segment[ELF_SEGMENTS_MAX];
};

/* Check the whole image. 0, or -ENOEXEC with *why naming the fault. */
int elf_check(const void *image, size_t bytes, struct elf_plan *plan, const char **why);

/* "function+0x12" for an address as in the file, from .symtab; false when the
 * image has no table or no function there. */
bool elf_symbolise(const void *image, size_t bytes, uint64_t vaddr, char *buf, size_t room);

#endif
