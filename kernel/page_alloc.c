/* SPDX-License-Identifier: MIT
 *
 * kernel/page_alloc.c: pages of RAM.
 *
 * Owns: one buddy below 4 GiB and one above, each CPU's cache of single pages in
 * front of them, the page reference counts, who owns how many, and the promise
 * counter behind mem_commit. Context: thread; hard interrupts never allocate.
 *
 * A single page goes through its CPU's cache: the one freed last is used next,
 * and the buddy need not join it and split it again. Page tables come back all
 * zero and are kept apart for whoever wants a zeroed page. Cached pages count as
 * free; when a buddy has nothing that fits, all caches are emptied first.
 */
#include <kernel/boot_info.h>
#include <kernel/buddy.h>
#include <kernel/cpu.h>
#include <kernel/log.h>
#include <kernel/paging.h>
#include <kernel/string.h>
#include <slipway/errno.h>
#include <slipway/syscall.h>

#define LOW_END (1ull << 32)
/* Promises to processes leave this much for the kernel's own needs. */
#define COMMIT_MARGIN_PAGES 64
#define CACHE_PAGES  64u
#define CACHE_ZEROED 32u
#define CACHE_REFILL 16u /* pages fetched, or given back, at once */
#define RANGES_MAX   (BOOT_REGIONS_MAX + 8)

struct page_cache {
    uint32_t n, nzeroed;
    uint32_t pfn[CACHE_PAGES], zeroed[CACHE_ZEROED]; /* the last one is next */
};

static struct buddy low, high;
static struct page_cache caches[CPUS_MAX];
static uint64_t total_pages, committed_pages, cached_pages;
static uint64_t owned_pages[OWNER_COUNT];
static struct page_range {
    uint32_t first;
    uint64_t count;
} ranges[RANGES_MAX]; /* what was handed over */
static unsigned nranges;

struct page *page_of(phys_t p)
{
    return (struct page *)PAGES_BASE + (p >> PAGE_SHIFT);
}

static inline struct page *page_at(uint32_t pfn)
{
    return (struct page *)PAGES_BASE + pfn;
}

void page_alloc_init(void)
{
    buddy_init(&low, (struct page *)PAGES_BASE);
    buddy_init(&high, (struct page *)PAGES_BASE);
}

static inline struct buddy *buddy_of(uint32_t pfn)
{
    return pfn < LOW_END >> PAGE_SHIFT ? &low : &high;
}

/* Ranges that touch are one: a free block may reach from one into the other. */
static void note_range(uint32_t first, uint64_t count)
{
    for (unsigned i = 0; i < nranges; i++) {
        bool before = ranges[i].first + ranges[i].count == first, after = first + count == ranges[i].first;
        if (!before && !after)
            continue;
        first = before ? ranges[i].first : first;
        count += ranges[i].count;
        ranges[i] = ranges[--nranges];
        i = UINT32_MAX; /* look at all of them again */
    }
    KASSERT(nranges < RANGES_MAX);
    ranges[nranges].first = first;
    ranges[nranges++].count = count;
}

void page_add_range(phys_t first, uint64_t bytes)
{
    phys_t end = first + bytes;

    note_range((uint32_t)(first >> PAGE_SHIFT), bytes >> PAGE_SHIFT);
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

static inline uint64_t free_pages(void)
{
    return low.free_pages + high.free_pages + cached_pages;
}

/* --- the caches --- */

static uint32_t from_buddies(unsigned order, unsigned flags)
{
    uint32_t pfn = flags & PAGE_BELOW_4G ? 0 : buddy_alloc(&high, order);

    return pfn != 0 ? pfn : buddy_alloc(&low, order);
}

static void to_buddy(uint32_t pfn)
{
    page_at(pfn)->state = PAGE_USED; /* order 0: what buddy_free expects */
    buddy_free(buddy_of(pfn), pfn, 0);
    cached_pages--;
}

static void cache_refill(struct page_cache *c)
{
    for (unsigned i = 0; i < CACHE_REFILL; i++) {
        uint32_t pfn = from_buddies(0, 0);
        if (pfn == 0)
            return;
        page_at(pfn)->state = PAGE_CACHED;
        c->pfn[c->n++] = pfn;
        cached_pages++;
    }
}

static uint32_t from_cache(bool want_zeroed, bool *zeroed)
{
    struct page_cache *c = &caches[this_cpu()->cpu];
    uint32_t pfn;

    if (c->n == 0)
        cache_refill(c);
    *zeroed = c->nzeroed > 0 && (want_zeroed || c->n == 0);
    if (*zeroed)
        pfn = c->zeroed[--c->nzeroed];
    else if (c->n > 0)
        pfn = c->pfn[--c->n];
    else
        return 0;
    cached_pages--;
    page_at(pfn)->state = PAGE_USED;
    page_at(pfn)->order = 0;
    page_at(pfn)->refs = 1;
    return pfn;
}

static void to_cache(uint32_t pfn, bool zeroed)
{
    struct page_cache *c = &caches[this_cpu()->cpu];

    if (c->n == CACHE_PAGES) { /* those that were freed first */
        for (unsigned i = 0; i < CACHE_REFILL; i++)
            to_buddy(c->pfn[i]);
        c->n -= CACHE_REFILL;
        memmove(c->pfn, c->pfn + CACHE_REFILL, c->n * sizeof c->pfn[0]);
    }
    page_at(pfn)->state = PAGE_CACHED;
    page_at(pfn)->refs = 0;
    cached_pages++;
    if (zeroed && c->nzeroed < CACHE_ZEROED)
        c->zeroed[c->nzeroed++] = pfn;
    else
        c->pfn[c->n++] = pfn;
}

void page_caches_drain(void) /* C-MEM-7 */
{
    for (unsigned i = 0; i < CPUS_MAX; i++) {
        struct page_cache *c = &caches[i];
        while (c->n > 0)
            to_buddy(c->pfn[--c->n]);
        while (c->nzeroed > 0)
            to_buddy(c->zeroed[--c->nzeroed]);
    }
}

/* --- pages --- */

static uint32_t take(unsigned order, unsigned flags, bool *zeroed)
{
    uint32_t pfn = 0;

    *zeroed = false;
    if (order == 0 && !(flags & PAGE_BELOW_4G))
        pfn = from_cache(flags & PAGE_ZERO, zeroed);
    if (pfn == 0)
        pfn = from_buddies(order, flags);
    if (pfn == 0 && cached_pages > 0) {
        page_caches_drain();
        pfn = from_buddies(order, flags);
    }
    return pfn;
}

phys_t page_alloc(unsigned order, unsigned flags)
{
    uint64_t pages = 1ull << order;
    bool zeroed;

    if (flags & PAGE_COMMITTED) {
        KASSERT(order == 0 && committed_pages > 0);
        committed_pages--;
    } else if (free_pages() < committed_pages + pages) {
        return 0;
    }
    uint32_t pfn = take(order, flags, &zeroed);
    if (pfn == 0)
        return 0;
    page_at(pfn)->owner = (uint8_t)(flags >> 8);
    owned_pages[flags >> 8] += pages;
    phys_t p = (phys_t)pfn << PAGE_SHIFT;
    if ((flags & PAGE_ZERO) && !zeroed)
        memset(phys_to_virt(p), 0, PAGE_SIZE << order);
    return p;
}

static void release(phys_t p, unsigned order, bool zeroed)
{
    struct page *pg = page_of(p);
    uint32_t pfn = (uint32_t)(p >> PAGE_SHIFT);

    if (pg->refs != 1)
        panic("page %#lx freed with %u references", p, pg->refs); /* C-MEM-1 */
    owned_pages[pg->owner] -= 1ull << order;
    if (order == 0 && pg->state == PAGE_USED && pg->order == 0)
        to_cache(pfn, zeroed);
    else
        buddy_free(buddy_of(pfn), pfn, order);
}

void page_free(phys_t p, unsigned order)
{
    release(p, order, false);
}

void page_free_zeroed(phys_t p)
{
    release(p, 0, true);
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
        pg[i].owner = pg->owner;
    }
}

/* --- accounts --- */

int mem_commit(uint64_t pages)
{
    uint64_t have = free_pages();

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
    return free_pages() << PAGE_SHIFT;
}

void mem_info(struct info_memory *m)
{
    uint64_t handed = 0;

    for (unsigned i = 0; i < nranges; i++)
        handed += ranges[i].count;
    *m = (struct info_memory){
        .total = total_pages << PAGE_SHIFT,
        .boot = (total_pages - handed) << PAGE_SHIFT,
        .tables = owned_pages[OWNER_TABLE] << PAGE_SHIFT,
        .kmalloc = owned_pages[OWNER_KMALLOC] << PAGE_SHIFT,
        .stacks = owned_pages[OWNER_STACK] << PAGE_SHIFT,
        .anonymous = owned_pages[OWNER_ANON] << PAGE_SHIFT,
        .objects = owned_pages[OWNER_OBJECT] << PAGE_SHIFT,
        .rings = owned_pages[OWNER_RING] << PAGE_SHIFT,
        .devices = owned_pages[OWNER_DEVICE] << PAGE_SHIFT,
        .free = free_pages() << PAGE_SHIFT,
        .promised = committed_pages << PAGE_SHIFT,
        .cached = cached_pages << PAGE_SHIFT,
        .kmalloc_used = kmalloc_used_bytes(),
    };
}

/* What the pages of [first, first + count) say themselves; false when one of them
 * is nobody's. */
static bool count_range(uint32_t first, uint64_t count, uint64_t owned[], uint64_t *free)
{
    uint64_t pages;

    for (uint64_t at = first; at < first + count; at += pages) {
        const struct page *pg = page_at((uint32_t)at);
        pages = 1ull << pg->order;
        if (pg->state == PAGE_NONE || pg->owner >= OWNER_COUNT)
            return false;
        if (pg->state == PAGE_USED)
            owned[pg->owner] += pages;
        else
            *free += pages;
    }
    return true;
}

bool page_accounts_match(void) /* C-MEM-7 */
{
    uint64_t owned[OWNER_COUNT] = {0}, free = 0, sum;

    for (unsigned i = 0; i < nranges; i++)
        if (!count_range(ranges[i].first, ranges[i].count, owned, &free))
            return false;
    sum = free;
    for (unsigned i = 0; i < OWNER_COUNT; i++) {
        if (owned[i] != owned_pages[i])
            return false;
        sum += owned[i];
    }
    for (unsigned i = 0; i < nranges; i++)
        sum -= ranges[i].count;
    return sum == 0 && free == free_pages() && committed_pages <= free &&
           buddy_count(&low) + buddy_count(&high) + cached_pages == free;
}
