/* SPDX-License-Identifier: MIT
 *
 * kernel/mem_init.c: from the loader's memory map to a running page allocator.
 *
 * Owns: the list of usable ranges, until they are handed to the buddy. Called
 * once by kmain, while the tables of boot/entry.S (4 GiB identity, direct map
 * and image) are in force. Nothing here touches memory that is only given on:
 * its cost grows with the number of ranges and with the array of struct page
 * (16 bytes a page), not with the pages themselves.
 */
#include <kernel/boot_info.h>
#include <kernel/buddy.h>
#include <kernel/keep.h>
#include <kernel/log.h>
#include <kernel/paging.h>
#include <kernel/string.h>

extern char boot_start[], boot_end[]; /* physical; boot/kernel.ld */
extern char kernel_text[], kernel_text_end[], kernel_rodata[], kernel_rodata_end[];
extern char kernel_data[], kernel_data_end[], boot_stack_guard[];

#define LOW_MEMORY_END 0x100000ull  /* firmware data, later the processors' trampoline */
#define EARLY_LIMIT    (1ull << 32) /* what the first tables map */
#define PHYS_LIMIT     (1ull << 44) /* page frame numbers have 32 bits */
#define RANGES_MAX     (BOOT_REGIONS_MAX + 4)

bool early_memory = true;

struct range {
    phys_t first, end;
};
static struct range ranges[RANGES_MAX];
static unsigned nranges;
static phys_t early_limit = EARLY_LIMIT;

/* Takes [first, end) out of the usable ranges. */
static void reserve(phys_t first, phys_t end)
{
    first &= ~(PAGE_SIZE - 1);
    end = page_round_up(end);
    for (unsigned i = 0; i < nranges; i++) {
        struct range *r = &ranges[i];
        if (end <= r->first || first >= r->end)
            continue;
        if (first > r->first && end < r->end) {
            KASSERT(nranges < RANGES_MAX);
            ranges[nranges++] = (struct range){end, r->end};
            r->end = first;
        } else if (first > r->first) {
            r->end = first;
        } else if (end < r->end) {
            r->first = end;
        } else {
            r->first = r->end;
        }
    }
}

static void collect_ranges(const struct boot_info *bi)
{
    for (uint32_t i = 0; i < bi->nregions; i++) {
        const struct boot_region *g = &bi->region[i];
        phys_t first = page_round_up(g->base), end = (g->base + g->bytes) & ~(PAGE_SIZE - 1);
        if (end > PHYS_LIMIT)
            end = PHYS_LIMIT;
        if (g->type != REGION_FREE || first >= end)
            continue;
        ranges[nranges++] = (struct range){first, end};
        mem_count_total(end - first);
    }
    reserve(0, LOW_MEMORY_END);
    reserve((phys_t)boot_start, (phys_t)boot_end);
    reserve(image_phys(kernel_text), image_phys(kernel_data_end));
    if (keep_base() != 0)
        reserve(keep_base(), keep_base() + KEEP_BYTES); /* C-LOG-2 */
    if (bi->initrd_bytes != 0)
        reserve(bi->initrd_base, bi->initrd_base + bi->initrd_bytes);
}

/* From the end of the highest range that can be reached already: memory below
 * 4 GiB is worth more to devices, and low ends stay aligned. */
phys_t early_page(void)
{
    struct range *best = NULL;

    for (unsigned i = 0; i < nranges; i++) {
        struct range *r = &ranges[i];
        if (r->first < r->end && r->end <= early_limit && (best == NULL || r->end > best->end))
            best = r;
    }
    if (best == NULL)
        panic("memory: too little of it to begin with");
    best->end -= PAGE_SIZE;
    memset(phys_to_virt(best->end), 0, PAGE_SIZE);
    return best->end;
}

static void map_or_panic(uint64_t addr, phys_t p, uint64_t bytes, uint64_t flags, bool large)
{
    if (kernel_map(addr, p, bytes, flags, large) != 0)
        panic("memory: no room for page tables");
}

static void map_image(void)
{
    uint64_t text = (uint64_t)kernel_text, rodata = (uint64_t)kernel_rodata, data = (uint64_t)kernel_data;

    map_or_panic(text, image_phys(kernel_text), (uint64_t)kernel_text_end - text, PTE_KERNEL_RX, false);
    map_or_panic(rodata, image_phys(kernel_rodata), (uint64_t)kernel_rodata_end - rodata, PTE_KERNEL_RO,
                 false);
    map_or_panic(data, image_phys(kernel_data), (uint64_t)kernel_data_end - data, PTE_KERNEL_RW, false);
    kernel_unmap((uint64_t)boot_stack_guard, PAGE_SIZE);
}

/* Text and read-only data stay read-only through the direct map as well. */
static void map_direct_range(phys_t first, phys_t end)
{
    phys_t ro = image_phys(kernel_text), ro_end = image_phys(kernel_rodata_end);

    if (first < ro && end > ro_end) {
        map_direct_range(first, ro);
        map_direct_range(ro, ro_end);
        map_direct_range(ro_end, end);
        return;
    }
    map_or_panic(DIRECT_MAP + first, first, end - first, first == ro ? PTE_KERNEL_RO : PTE_KERNEL_RW, true);
}

static void map_direct(const struct boot_info *bi)
{
    map_direct_range(0, LOW_MEMORY_END);
    for (uint32_t i = 0; i < bi->nregions; i++) {
        const struct boot_region *g = &bi->region[i];
        phys_t first = g->base & ~(PAGE_SIZE - 1), end = page_round_up(g->base + g->bytes);
        if (g->type != REGION_FREE && g->type != REGION_ACPI && g->type != REGION_NVS)
            continue;
        if (first < LOW_MEMORY_END)
            first = LOW_MEMORY_END;
        if (end > PHYS_LIMIT)
            end = PHYS_LIMIT;
        if (first < end)
            map_direct_range(first, end);
    }
}

/* Top-level entries of the areas that grow later exist from now on. */
static void reserve_areas(void)
{
    static const uint64_t area[] = {MMIO_BASE, KSTACK_BASE, VMAP_BASE, PAGES_BASE};

    for (unsigned i = 0; i < sizeof area / sizeof area[0]; i++) {
        uint64_t *e = &kernel_pml4[(area[i] >> 39) & 511];
        if (!(*e & PTE_P))
            *e = table_page() | PTE_P | PTE_W | PTE_A;
    }
}

/* struct page for every page of RAM, in steps of the largest buddy block, so
 * that a block's buddy can always be looked at. */
static void map_page_array(const struct boot_info *bi)
{
    const uint64_t step = PAGE_SIZE << BUDDY_MAX_ORDER;

    for (uint32_t i = 0; i < bi->nregions; i++) {
        const struct boot_region *g = &bi->region[i];
        phys_t end = g->base + g->bytes < PHYS_LIMIT ? g->base + g->bytes : PHYS_LIMIT;
        if (g->type != REGION_FREE)
            continue;
        for (phys_t p = g->base & ~(step - 1); p < end; p += step) {
            uint64_t at = (uint64_t)page_of(p);
            uint64_t bytes = (step >> PAGE_SHIFT) * sizeof(struct page);
            for (uint64_t n = 0; n < bytes; n += PAGE_SIZE)
                if (!kernel_readable(at + n))
                    map_or_panic(at + n, early_page(), PAGE_SIZE, PTE_KERNEL_RW, false);
        }
    }
}

void mem_init(const struct boot_info *bi)
{
    collect_ranges(bi);
    reserve_areas();
    map_image();
    map_direct(bi);
    write_cr3(image_phys(kernel_pml4)); /* the identity map is gone from here on */
    early_limit = PHYS_LIMIT;
    map_page_array(bi);
    page_alloc_init();
    for (unsigned i = 0; i < nranges; i++)
        if (ranges[i].first < ranges[i].end)
            page_add_range(ranges[i].first, ranges[i].end - ranges[i].first);
    early_memory = false;
    page_add_range((phys_t)boot_start, (uint64_t)(boot_end - boot_start));
    klog(LOG_INFO, "memory: %lu KiB of RAM, %lu KiB free", mem_total_bytes() >> 10, mem_free_bytes() >> 10);
}
