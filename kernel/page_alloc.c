/* SPDX-License-Identifier: MIT
 *
 * kernel/page_alloc.c: pages of RAM.
 *
 * Owns: one buddy below 4 GiB and one above, the page reference counts and the
 * promise counter behind mem_commit. Context: thread; hard interrupts never
 * allocate.
 */
#include <kernel/buddy.h>
#include <kernel/log.h>
#include <kernel/paging.h>
#include <kernel/string.h>
#include <slipway/errno.h>

#define LOW_END (1ull << 32)
/* Promises to processes leave this much for the kernel's own needs. */
#define COMMIT_MARGIN_PAGES 64

static struct buddy low, high;
static uint64_t total_pages, committed_pages;

struct page *page_of(phys_t p)
{
    return (struct page *)PAGES_BASE + (p >> PAGE_SHIFT);
}

void page_alloc_init(void)
{
    buddy_init(&low, (struct page *)PAGES_BASE);
    buddy_init(&high, (struct page *)PAGES_BASE);
}

void page_add_range(phys_t first, uint64_t bytes)
{
    phys_t end = first + bytes;

    if (first < LOW_END) {
        phys_t stop = end < LOW_END ? end : LOW_END;
        buddy_add(&low, (uint32_t)(first >> PAGE_SHIFT), (stop - first) >> PAGE_SHIFT);
        first = stop;
    }
    if (first < end)
        buddy_add(&high, (uint32_t)(first >> PAGE_SHIFT), (end - first) >> PAGE_SHIFT);
}

void mem_count_total(uint64_t bytes)
{
    total_pages += bytes >> PAGE_SHIFT;
}

phys_t page_alloc(unsigned order, unsigned flags)
{
    uint64_t pages = 1ull << order;

    if (flags & PAGE_COMMITTED) {
        KASSERT(order == 0 && committed_pages > 0);
        committed_pages--;
    } else if (low.free_pages + high.free_pages < committed_pages + pages) {
        return 0;
    }
    uint32_t pfn = flags & PAGE_BELOW_4G ? 0 : buddy_alloc(&high, order);
    if (pfn == 0)
        pfn = buddy_alloc(&low, order);
    if (pfn == 0)
        return 0;
    phys_t p = (phys_t)pfn << PAGE_SHIFT;
    if (flags & PAGE_ZERO)
        memset(phys_to_virt(p), 0, PAGE_SIZE << order);
    return p;
}

void page_free(phys_t p, unsigned order)
{
    if (page_of(p)->refs != 1)
        panic("page %#lx freed with %u references", p, page_of(p)->refs);
    buddy_free(p < LOW_END ? &low : &high, (uint32_t)(p >> PAGE_SHIFT), order);
}

void page_ref(phys_t p)
{
    KASSERT(page_of(p)->state == PAGE_USED);
    page_of(p)->refs++;
}

bool page_unref(phys_t p)
{
    struct page *pg = page_of(p);

    KASSERT(pg->state == PAGE_USED && pg->refs > 0);
    if (pg->refs > 1) {
        pg->refs--;
        return true;
    }
    page_free(p, pg->order);
    return false;
}

bool page_shared(phys_t p)
{
    return page_of(p)->refs > 1;
}

void page_split(phys_t p, unsigned order)
{
    struct page *pg = page_of(p);

    KASSERT(pg->state == PAGE_USED && pg->order == order && pg->refs == 1);
    for (uint64_t i = 0; i < 1ull << order; i++) {
        pg[i].state = PAGE_USED;
        pg[i].order = 0;
        pg[i].refs = 1;
        pg[i].slab = 0;
    }
}

int mem_commit(uint64_t pages)
{
    uint64_t have = low.free_pages + high.free_pages;

    if (pages > have || have - pages < committed_pages + COMMIT_MARGIN_PAGES)
        return -ENOMEM;
    committed_pages += pages;
    return 0;
}

void mem_uncommit(uint64_t pages)
{
    KASSERT(pages <= committed_pages);
    committed_pages -= pages;
}

uint64_t mem_total_bytes(void)
{
    return total_pages << PAGE_SHIFT;
}

uint64_t mem_free_bytes(void)
{
    return (low.free_pages + high.free_pages) << PAGE_SHIFT;
}

bool page_accounts_match(void)
{
    return buddy_count(&low) == low.free_pages && buddy_count(&high) == high.free_pages &&
           low.free_pages + high.free_pages <= total_pages &&
           committed_pages <= low.free_pages + high.free_pages;
}
