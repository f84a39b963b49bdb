/* SPDX-License-Identifier: MIT
 *
 * kernel/vm_pages.c: the page tables behind an address space, demand pages.
 *
 * Owns: user page-table entries. An entry that is not zero holds a page, also
 * while PROT_NONE hides it. Tables exist for every region from the moment it
 * is mapped, and anonymous pages are promised then (mem_commit), so a fault
 * can't run out of memory. Context: thread, also in the page-fault handler.
 *
 * Spaces that fork has made share anonymous pages, read-only, until one of them
 * writes: the page's reference count says how many do. Each sharer but one has
 * a promise for the copy that it may need, so n references go with n - 1
 * promises (C-MEM-6); whoever leaves a shared page gives one back.
 */
#include <kernel/cpu.h>
#include <kernel/log.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <kernel/vm.h>
#include <slipway/errno.h>

#define FAULT_AROUND  16u /* pages of an object mapped by one fault */
#define RELEASE_BATCH 64u /* pages freed after one flush */

static uint64_t prot_bits(unsigned prot)
{
    return (prot != 0 ? PTE_P : 0) | PTE_U | PTE_A | (prot & VM_W ? PTE_W | PTE_D : 0) |
           (prot & VM_X ? 0 : PTE_NX);
}

int vm_make_tables(struct address_space *as, uint64_t start, uint64_t end)
{
    for (uint64_t at = start & ~(VM_TABLE_SPAN - 1); at < end; at += VM_TABLE_SPAN)
        if (pt_entry(as->root, at, &as->tables) == NULL)
            return -ENOMEM;
    return 0;
}

static bool span_used(const struct address_space *as, uint64_t at, uint64_t span)
{
    uint64_t start = at & ~(span - 1);
    uint32_t i = vm_find(as, start);

    return i < as->nregions && as->regions[i].start < start + span;
}

/* Frees the table that `entry` points to; all its entries are 0. */
static void free_table(struct address_space *as, uint64_t *entry)
{
    phys_t table = *entry & PTE_ADDR;

    *entry = 0;
    tlb_shoot(as, 0, UINT64_MAX); /* cached upper levels too */
    page_free_zeroed(table);
    as->tables--;
}

void vm_prune_tables(struct address_space *as, uint64_t start, uint64_t end)
{
    for (uint64_t at = start & ~(VM_TABLE_SPAN - 1), step; at < end; at = (at & ~(step - 1)) + step) {
        uint64_t *table = as->root, *entry[4] = {0};
        step = VM_TABLE_SPAN;
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
            uint64_t span = PAGE_SIZE << (9 * level), next = (at & ~(step - 1)) + step;
            if (span_used(as, at, span))
                break;
            if (next < end && next % span != 0)
                break; /* the tables below that are still to come hang on this one */
            free_table(as, entry[level]);
        }
    }
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

void vm_fill_object(struct address_space *as, const struct vm_region *r, uint64_t start, uint64_t end, bool make)
{
    uint64_t bits = prot_bits(r->prot) | PTE_OBJECT, *e = NULL;

    if (memobj_is_device(r->object))
        bits |= cpu.pat ? PTE_PAT : PTE_PCD | PTE_PWT;
    for (uint64_t at = start; at < end; at += PAGE_SIZE) {
        uint64_t index = (r->offset + (at - r->start)) >> PAGE_SHIFT;
        e = vm_step_entry(as, e, at);
        if (*e != 0)
            continue;
        phys_t page = make ? memobj_page(r->object, index) : memobj_page_made(r->object, index);
        if (page != 0)
            *e = page | bits;
    }
}

/* Returns how many promises went with these pages. */
static uint64_t free_batch(const phys_t *page, unsigned n)
{
    uint64_t promises = 0;

    for (unsigned i = 0; i < n; i++)
        promises += page_unref(page[i]);
    return promises;
}

void vm_release_pages(struct address_space *as, const struct vm_region *r, uint64_t start, uint64_t end)
{
    uint64_t *e = NULL, promises = 0, from = start;
    phys_t gone[RELEASE_BATCH];
    unsigned n = 0;

    for (uint64_t at = start; at < end; at += PAGE_SIZE) {
        e = vm_step_entry(as, e, at);
        if (*e == 0) {
            promises++;
            continue;
        }
        gone[n++] = *e & PTE_ADDR;
        *e = 0;
        if (n == RELEASE_BATCH) {
            tlb_shoot(as, from, at + PAGE_SIZE);
            if (r->object == NULL)
                promises += free_batch(gone, n);
            from = at + PAGE_SIZE;
            n = 0;
        }
    }
    if (n > 0)
        tlb_shoot(as, from, end);
    if (r->object != NULL)
        return;
    mem_uncommit(promises + free_batch(gone, n));
}

void vm_set_prot(struct address_space *as, uint64_t start, uint64_t end, unsigned prot)
{
    uint64_t *e = NULL, bits = prot_bits(prot);

    for (uint64_t at = start; at < end; at += PAGE_SIZE) {
        e = vm_step_entry(as, e, at);
        if (*e == 0)
            continue;
        *e = (*e & (PTE_ADDR | PTE_OBJECT | PTE_PAT | PTE_PCD | PTE_PWT)) | bits;
        if (!(*e & PTE_OBJECT) && page_shared(*e & PTE_ADDR))
            *e &= ~PTE_W;
    }
    tlb_shoot(as, start, end);
}

phys_t vm_lookup(struct address_space *as, uint64_t addr)
{
    if (addr >= USER_END)
        return 0;
    uint64_t *e = pt_entry(as->root, addr, NULL);
    return e != NULL && *e != 0 ? (*e & PTE_ADDR) | (addr & (PAGE_SIZE - 1)) : 0;
}

/* A write to a page that fork left read-only: the last sharer keeps it. */
static void unshare_page(struct address_space *as, uint64_t *e, uint64_t addr, unsigned prot)
{
    phys_t old = *e & PTE_ADDR, page;

    if (!page_shared(old)) {
        *e = old | prot_bits(prot);
        if (as_current() == as) /* elsewhere a write faults once more and finds it writable */
            tlb_drop(addr);
        return;
    }
    page = page_alloc(0, PAGE_COMMITTED | PAGE_OWNER(OWNER_ANON));
    KASSERT(page != 0);
    memcpy(phys_to_virt(page), phys_to_virt(old), PAGE_SIZE);
    *e = page | prot_bits(prot);
    tlb_shoot(as, addr, addr + PAGE_SIZE); /* threads on other CPUs may still read the old one */
    (void)page_unref(old);
}

static void fill(struct address_space *as, const struct vm_region *r, uint64_t *e, uint64_t addr)
{
    if (r->object == NULL) {
        phys_t page = page_alloc(0, PAGE_ZERO | PAGE_COMMITTED | PAGE_OWNER(OWNER_ANON));
        KASSERT(page != 0);
        *e = page | prot_bits(r->prot);
        return;
    }
    uint64_t block = addr & ~(FAULT_AROUND * PAGE_SIZE - 1), stop = block + FAULT_AROUND * PAGE_SIZE;
    vm_fill_object(as, r, block > r->start ? block : r->start, stop < r->end ? stop : r->end, true);
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
    if (*e == 0)
        fill(as, r, e, addr);
    else if ((access & VM_W) && !(*e & PTE_W))
        unshare_page(as, e, addr, r->prot); /* C-MEM-6 */
    else if (as_current() == as) /* there already: a stale translation, here alone */
        tlb_drop(addr);
    return true;
}
