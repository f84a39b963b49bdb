/* SPDX-License-Identifier: MIT
 *
 * kernel/paging.h: page tables (4-level, Intel SDM vol. 3 section 4.5).
 *
 * Owns: the kernel half of every address space, the table walk. Private to the
 * memory files; everybody else uses kernel/mem.h. Context: thread, but
 * pt_entry without PT_MAKE and kernel_readable: any.
 */
#ifndef KERNEL_PAGING_H
#define KERNEL_PAGING_H

#include <kernel/mem.h>

#define PTE_P    0x1ull
#define PTE_W    0x2ull
#define PTE_U    0x4ull
#define PTE_PWT  0x8ull
#define PTE_PCD  0x10ull
#define PTE_A    0x20ull
#define PTE_D    0x40ull
#define PTE_PS   0x80ull
#define PTE_PAT  0x80ull /* in a 4 KiB entry */
#define PTE_G    0x100ull
#define PTE_NX   (1ull << 63)
#define PTE_ADDR 0x000ffffffffff000ull

/* Kernel mappings: global, accessed and dirty from the start, never executable
 * unless they are the kernel's text. */
#define PTE_KERNEL_RW (PTE_P | PTE_W | PTE_A | PTE_D | PTE_G | PTE_NX)
#define PTE_KERNEL_RO (PTE_P | PTE_A | PTE_G | PTE_NX)
#define PTE_KERNEL_RX (PTE_P | PTE_A | PTE_G)
#define PTE_KERNEL_UC (PTE_KERNEL_RW | PTE_PCD | PTE_PWT)
#define PTE_KERNEL_WC (PTE_KERNEL_RW | PTE_PAT) /* entry 4 of the PAT: kernel/cpu.c */

#define LARGE_BYTES 0x200000ull
#define HUGE_BYTES  0x40000000ull

extern uint64_t kernel_pml4[512];

static inline void tlb_drop(uint64_t addr)
{
    __asm__ volatile("invlpg (%0)" ::"r"(addr) : "memory");
}
static inline void write_cr3(uint64_t v)
{
    __asm__ volatile("movq %0, %%cr3" ::"r"(v) : "memory");
}

/* Physical address of something in the kernel image. */
static inline phys_t image_phys(const void *v)
{
    return (phys_t)v - KERNEL_BASE;
}

/* The 4 KiB entry for addr; NULL when a table on the way is missing (or, when
 * `tables` is given, could not be allocated; it counts the new ones) or when a
 * large page covers it. New tables are made with `PTE_U` for the lower half. */
uint64_t *pt_entry(uint64_t *root, uint64_t addr, uint64_t *tables);
/* Entry that maps addr, of whatever size; 0 when none does. */
uint64_t pt_lookup(const uint64_t *root, uint64_t addr, uint64_t *page_bytes);

/* Maps page-aligned [addr, addr + bytes) of the kernel half, with the largest
 * pages that fit when `large`. 0 or -ENOMEM. */
int kernel_map(uint64_t addr, phys_t p, uint64_t bytes, uint64_t flags, bool large);
void kernel_unmap(uint64_t addr, uint64_t bytes);

/* A zeroed page for a table, freed with page_free_zeroed: from the early ranges until the allocator runs. */
phys_t table_page(void);
/* mem_init.c: one page before the allocator runs; panics when memory is out. */
phys_t early_page(void);
extern bool early_memory;

/* page_alloc.c */
struct page;
struct page *page_of(phys_t p);
void page_alloc_init(void);
void page_add_range(phys_t first, uint64_t bytes);
void mem_count_total(uint64_t bytes);
void page_caches_drain(void);
/* Self-test: lists and counters agree with what each single page says. */
bool page_accounts_match(void);

#endif
