/* SPDX-License-Identifier: MIT
 *
 * kernel/vm_pages.c: the page tables behind an address space, demand pages.
 *
 * Owns: user page-table entries. An entry that is not zero holds a page, also
 * while PROT_NONE hides it. Tables exist for every region from the moment it
 * is mapped, and anonymous pages are promised then (mem_commit), so a fault
 * can't run out of memory. Context: thread, also in the page-fault handler.
 */
#include <kernel/cpu.h>
#include <kernel/log.h>
#include <kernel/vm.h>
#include <slipway/errno.h>

#define TABLE_SPAN   LARGE_BYTES /* what one last-level table covers */
#define FAULT_AROUND 16u         /* pages of an object mapped by one fault */

static uint64_t prot_bits(unsigned prot)
{
    return (prot != 0 ? PTE_P : 0) | PTE_U | PTE_A | (prot & VM_W ? PTE_W | PTE_D : 0) |
           (prot & VM_X ? 0 : PTE_NX);
}

static void drop_if_current(struct address_space *as, uint64_t addr)
{
    if (as_current() == as)
        tlb_drop(addr);
}

int vm_make_tables(struct address_space *as, uint64_t start, uint64_t end)
{
    for (uint64_t at = start & ~(TABLE_SPAN - 1); at < end; at += TABLE_SPAN)
        if (pt_entry(as->root, at, &as->tables) == NULL)
            return -ENOMEM;
    return 0;
}

/* The next entry of a walk page by page: one table look-up for each table. */
static uint64_t *step_entry(struct address_space *as, uint64_t *e, uint64_t at)
{
    return e == NULL || (at & (TABLE_SPAN - 1)) == 0 ? pt_entry(as->root, at, NULL) : e + 1;
}

static bool span_used(const struct address_space *as, uint64_t at, uint64_t span)
{
    uint64_t start = at & ~(span - 1);
    uint32_t i = vm_find(as, start);

    return i < as->nregions && as->regions[i].start < start + span;
}

/* Frees the table that `entry` points to. */
static void free_table(struct address_space *as, uint64_t *entry)
{
    page_free(*entry & PTE_ADDR, 0);
    *entry = 0;
    as->tables--;
}

void vm_prune_tables(struct address_space *as, uint64_t start, uint64_t end)
{
    bool freed = false;

    for (uint64_t at = start & ~(TABLE_SPAN - 1), step; at < end; at = (at & ~(step - 1)) + step) {
        uint64_t *table = as->root, *entry[4] = {0};
        step = TABLE_SPAN;
        for (unsigned level = 3; level > 0; level--) {
            entry[level] = &table[(at >> (PAGE_SHIFT + 9 * level)) & 511];
            if (!(*entry[level] & PTE_P)) {
                entry[level] = NULL;
                step = PAGE_SIZE << (9 * level); /* 80 TiB without a table are a few steps */
                break;
            }
            table = phys_to_virt(*entry[level] & PTE_ADDR);
        }
        for (unsigned level = 1; level <= 3; level++) {
            if (entry[level] == NULL)
                continue;
            if (span_used(as, at, PAGE_SIZE << (9 * level)))
                break;
            free_table(as, entry[level]);
            freed = true;
        }
    }
    if (freed && as_current() == as)
        write_cr3(virt_to_phys(as->root)); /* cached upper levels too */
}

static void free_level(struct address_space *as, uint64_t *table, unsigned entries, unsigned level)
{
    for (unsigned i = 0; i < entries; i++) {
        if (!(table[i] & PTE_P))
            continue;
        if (level > 1)
            free_level(as, phys_to_virt(table[i] & PTE_ADDR), 512, level - 1);
        free_table(as, &table[i]);
    }
}

void vm_free_tables(struct address_space *as)
{
    free_level(as, as->root, 256, 3);
}

void vm_fill_object(struct address_space *as, const struct vm_region *r, uint64_t start, uint64_t end)
{
    uint64_t bits = prot_bits(r->prot) | PTE_OBJECT, *e = NULL;

    for (uint64_t at = start; at < end; at += PAGE_SIZE) {
        e = step_entry(as, e, at);
        if (*e == 0)
            *e = memobj_page(r->object, (r->offset + (at - r->start)) >> PAGE_SHIFT) | bits;
    }
}

void vm_release_pages(struct address_space *as, const struct vm_region *r, uint64_t start, uint64_t end)
{
    uint64_t *e = NULL;

    for (uint64_t at = start; at < end; at += PAGE_SIZE) {
        e = step_entry(as, e, at);
        if (*e == 0) {
            if (r->object == NULL)
                mem_uncommit(1);
            continue;
        }
        phys_t page = *e & PTE_ADDR;
        *e = 0;
        drop_if_current(as, at);
        if (r->object == NULL)
            page_unref(page);
    }
}

void vm_set_prot(struct address_space *as, uint64_t start, uint64_t end, unsigned prot)
{
    uint64_t *e = NULL;

    for (uint64_t at = start; at < end; at += PAGE_SIZE) {
        e = step_entry(as, e, at);
        if (*e == 0)
            continue;
        *e = (*e & (PTE_ADDR | PTE_OBJECT)) | prot_bits(prot);
        drop_if_current(as, at);
    }
}

phys_t vm_lookup(struct address_space *as, uint64_t addr)
{
    if (addr >= USER_END)
        return 0;
    uint64_t *e = pt_entry(as->root, addr, NULL);
    return e != NULL && *e != 0 ? (*e & PTE_ADDR) | (addr & (PAGE_SIZE - 1)) : 0;
}

bool vm_fault(struct address_space *as, uint64_t addr, unsigned access)
{
    uint32_t i = vm_find(as, addr);

    if (i == as->nregions || as->regions[i].start > addr)
        return false;
    const struct vm_region *r = &as->regions[i];
    unsigned allowed = r->prot | (r->prot != 0 ? VM_R : 0); /* x86: W and X imply R */
    if (r->prot == 0 || (access & (VM_R | VM_W | VM_X) & ~allowed) != 0)
        return false;
    addr &= ~(PAGE_SIZE - 1);
    uint64_t *e = pt_entry(as->root, addr, NULL);
    KASSERT(e != NULL);
    if (*e != 0) { /* there already: a stale translation */
        drop_if_current(as, addr);
        return true;
    }
    if (r->object == NULL) {
        phys_t page = page_alloc(0, PAGE_ZERO | PAGE_COMMITTED);
        KASSERT(page != 0);
        *e = page | prot_bits(r->prot);
        return true;
    }
    uint64_t block = addr & ~(FAULT_AROUND * PAGE_SIZE - 1), stop = block + FAULT_AROUND * PAGE_SIZE;
    vm_fill_object(as, r, block > r->start ? block : r->start, stop < r->end ? stop : r->end);
    return true;
}
