/* SPDX-License-Identifier: MIT
 *
 * kernel/paging.c: page tables and the kernel half of every address space.
 *
 * Owns: kernel_pml4, whose upper half every address space copies when it is
 * made. Its top-level entries never change after mem_init, so no space has to
 * be told of a new kernel mapping. Context: thread.
 */
#include <kernel/cpu.h>
#include <kernel/paging.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <slipway/errno.h>

uint64_t kernel_pml4[512] __attribute__((aligned(4096)));

phys_t table_page(void)
{
    return early_memory ? early_page() : page_alloc(0, PAGE_ZERO | PAGE_OWNER(OWNER_TABLE));
}

static inline unsigned index_at(uint64_t addr, unsigned level)
{
    return (unsigned)(addr >> (PAGE_SHIFT + 9 * level)) & 511;
}

static uint64_t *next_table(uint64_t *entry, uint64_t addr, uint64_t *tables)
{
    if (*entry & PTE_P)
        return *entry & PTE_PS ? NULL : phys_to_virt(*entry & PTE_ADDR);
    if (tables == NULL)
        return NULL;
    phys_t p = table_page();
    if (p == 0)
        return NULL;
    ++*tables;
    *entry = p | PTE_P | PTE_W | PTE_A | (addr < USER_END ? PTE_U : 0);
    return phys_to_virt(p);
}

static uint64_t *entry_at(uint64_t *root, uint64_t addr, unsigned level, uint64_t *tables)
{
    uint64_t *table = root;

    for (unsigned at = 3; at > level; at--) {
        table = next_table(&table[index_at(addr, at)], addr, tables);
        if (table == NULL)
            return NULL;
    }
    return &table[index_at(addr, level)];
}

uint64_t *pt_entry(uint64_t *root, uint64_t addr, uint64_t *tables)
{
    return entry_at(root, addr, 0, tables);
}

uint64_t pt_lookup(const uint64_t *root, uint64_t addr, uint64_t *page_bytes)
{
    const uint64_t *table = root;

    for (unsigned level = 3;; level--) {
        uint64_t e = table[index_at(addr, level)];
        if (!(e & PTE_P))
            return 0;
        if (level == 0 || (e & PTE_PS)) {
            *page_bytes = PAGE_SIZE << (9 * level);
            return e;
        }
        table = phys_to_virt(e & PTE_ADDR);
    }
}

bool kernel_readable(uint64_t addr)
{
    uint64_t bytes;

    return addr >= DIRECT_MAP && (pt_lookup(kernel_pml4, addr, &bytes) & PTE_P);
}

int kernel_map(uint64_t addr, phys_t p, uint64_t bytes, uint64_t flags, bool large)
{
    uint64_t tables = 0;

    while (bytes > 0) {
        uint64_t step = PAGE_SIZE;
        unsigned level = 0;
        if (large && cpu.gb_pages && ((addr | p) & (HUGE_BYTES - 1)) == 0 && bytes >= HUGE_BYTES)
            step = HUGE_BYTES, level = 2;
        else if (large && ((addr | p) & (LARGE_BYTES - 1)) == 0 && bytes >= LARGE_BYTES)
            step = LARGE_BYTES, level = 1;
        uint64_t *e = entry_at(kernel_pml4, addr, level, &tables);
        if (e == NULL)
            return -ENOMEM;
        *e = p | flags | (level > 0 ? PTE_PS : 0);
        addr += step, p += step, bytes -= step;
    }
    return 0;
}

void kernel_unmap(uint64_t addr, uint64_t bytes)
{
    uint64_t end = addr + bytes;

    for (uint64_t at = addr; at < end; at += PAGE_SIZE) {
        uint64_t *e = pt_entry(kernel_pml4, at, NULL);
        if (e != NULL)
            *e = 0;
    }
    tlb_shoot(NULL, addr, end);
}

/* Device registers and firmware tables share one area that only grows. */
static void *area_map(phys_t p, size_t bytes, uint64_t flags)
{
    static uint64_t next = MMIO_BASE;
    phys_t first = p & ~(PAGE_SIZE - 1);
    uint64_t whole, at = next;

    if (bytes == 0 || p + bytes < p || p + bytes > 1ull << 52)
        return NULL;
    whole = page_round_up(p + bytes) - first;
    if (whole > KSTACK_BASE - PAGE_SIZE - at)
        return NULL;
    if (kernel_map(at, first, whole, flags, false) != 0)
        return NULL;
    next = at + whole + PAGE_SIZE; /* an unmapped page between any two */
    return (void *)(at + (p - first));
}

void *mmio_map(phys_t p, size_t bytes)
{
    return area_map(p, bytes, PTE_KERNEL_UC);
}

void *mmio_map_combining(phys_t p, size_t bytes)
{
    return area_map(p, bytes, cpu.pat ? PTE_KERNEL_WC : PTE_KERNEL_UC);
}

const void *firmware_map(phys_t p, size_t bytes)
{
    return area_map(p, bytes, PTE_KERNEL_RO);
}
