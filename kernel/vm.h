/* SPDX-License-Identifier: MIT
 *
 * kernel/vm.h: inside an address space.
 *
 * Owns: struct address_space, its sorted array of regions. Private to vm.c
 * (regions and calls), vm_pages.c (page tables and faults) and vm_fork.c
 * (copies of a space). Context: thread.
 */
#ifndef KERNEL_VM_H
#define KERNEL_VM_H

#include <kernel/paging.h>

#define VM_REGIONS_MAX 1024u
#define VM_PIECE_BYTES (8ull << 20) /* released before others have their turn */
#define VM_SPACES_MAX  512u /* processes, and new images beside old ones */
#define VM_TABLE_SPAN  LARGE_BYTES /* what one last-level table covers */
#define PTE_OBJECT     0x200ull /* software bit: the page belongs to an object */

struct vm_region {
    uint64_t start, end;   /* page-aligned, end exclusive */
    struct memobj *object; /* NULL: anonymous */
    uint64_t offset;       /* of `start` in the object */
    uint8_t prot, most;    /* VM_*; what vm_protect may raise it to */
};

struct address_space {
    uint64_t *root;            /* top-level table, through the direct map */
    struct vm_region *regions; /* sorted, without overlap */
    uint32_t nregions, room;
    uint64_t limit;              /* 0: none */
    uint64_t anon_pages, tables; /* both count against the limit */
    uint64_t cpus;               /* mask of those that have it in CR3 (kernel/tlb.c) */
    uint64_t top;                /* addresses are chosen downwards from here */
    uint32_t id;                 /* unique among living spaces; below VM_SPACES_MAX */
};

/* Index of the first region that ends above addr (nregions: none). */
uint32_t vm_find(const struct address_space *as, uint64_t addr);

/* vm_pages.c */
/* The next entry of a walk page by page: one table look-up for each table. */
static inline uint64_t *vm_step_entry(struct address_space *as, uint64_t *e, uint64_t at)
{
    return e == NULL || (at & (VM_TABLE_SPAN - 1)) == 0 ? pt_entry(as->root, at, NULL) : e + 1;
}
int vm_make_tables(struct address_space *as, uint64_t start, uint64_t end);
/* Frees the tables of [start, end) that no region needs any more. */
void vm_prune_tables(struct address_space *as, uint64_t start, uint64_t end);
void vm_free_tables(struct address_space *as);
/* Maps the object's pages, all of them (make) or those that are there already. */
void vm_fill_object(struct address_space *as, const struct vm_region *r, uint64_t start, uint64_t end, bool make);
/* Gives the pages of one stretch of a region back. */
void vm_release_pages(struct address_space *as, const struct vm_region *r, uint64_t start, uint64_t end);
void vm_set_prot(struct address_space *as, uint64_t start, uint64_t end, unsigned prot);

#endif
