/* SPDX-License-Identifier: MIT
 *
 * kernel/vm_fork.c: a second space with the contents of a first.
 *
 * Owns: nothing; what sharing means is told in vm_pages.c. Called by: fork.
 * Context: thread. The first space's threads may run on other CPUs meanwhile:
 * what they write before as_fork has flushed their translations is in the copy,
 * what they write afterwards is not.
 */
#include <kernel/log.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <kernel/thread.h>
#include <kernel/vm.h>

static void share_pages(struct address_space *as, struct address_space *from, const struct vm_region *r,
                        bool quiet)
{
    uint64_t *to = NULL, *e = NULL;

    for (uint64_t at = r->start; at < r->end; at += PAGE_SIZE) {
        e = vm_step_entry(from, e, at);
        to = vm_step_entry(as, to, at);
        if (quiet && at % VM_PIECE_BYTES == 0)
            thread_breathe(); /* C-MEM-8 */
        if (*e == 0)
            continue;
        if (r->object == NULL) {
            page_ref(*e & PTE_ADDR);
            *e &= ~PTE_W;
        }
        *to = *e;
    }
}

static bool fork_region(struct address_space *as, struct address_space *from, const struct vm_region *r,
                        bool quiet)
{
    uint64_t pages = (r->end - r->start) >> PAGE_SHIFT;
    bool anon = r->object == NULL;

    if (anon && mem_commit(pages) != 0) /* C-MEM-6 */
        return false;
    if (vm_make_tables(as, r->start, r->end) != 0) {
        vm_prune_tables(as, r->start, r->end);
        if (anon)
            mem_uncommit(pages);
        return false;
    }
    if (anon)
        as->anon_pages += pages;
    else
        memobj_ref(r->object);
    share_pages(as, from, r, quiet);
    as->regions[as->nregions++] = *r;
    return true;
}

struct address_space *as_fork(struct address_space *from, bool quiet)
{
    struct address_space *as = as_create();
    bool good = as != NULL;

    if (!good)
        return NULL;
    as->top = from->top;
    if (from->room > 0) {
        as->regions = kmalloc(from->room * sizeof *as->regions);
        good = as->regions != NULL;
        as->room = good ? from->room : 0;
    }
    for (uint32_t i = 0; good && i < from->nregions; i++) {
        const struct vm_region *r = &from->regions[i];
        if (r->object == NULL || !memobj_is_ring(r->object))
            good = fork_region(as, from, r, quiet);
    }
    tlb_shoot(from, 0, UINT64_MAX);
    if (good)
        return as;
    as_destroy(as);
    return NULL;
}
