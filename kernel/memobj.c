/* SPDX-License-Identifier: MIT
 *
 * kernel/memobj.c: pages that several address spaces map.
 *
 * Owns: struct memobj. An object's pages are allocated and zeroed when it is
 * made, contiguously where memory allows: then the kernel sees it through the
 * direct map, at no cost. Context: thread.
 */
#include <kernel/buddy.h>
#include <kernel/log.h>
#include <kernel/paging.h>
#include <kernel/string.h>

struct memobj {
    uint32_t refs;
    bool wrapped; /* somebody else's memory: never freed, never written */
    bool kept;    /* from children */
    uint64_t bytes, npages;
    phys_t first;    /* contiguous; else 0 */
    phys_t *page;    /* not contiguous */
    uint64_t mapped; /* in kernel space; 0: not yet */
    void (*freed)(void *arg, uint64_t bytes);
    void *freed_arg;
};

static uint64_t vmap_next = VMAP_BASE;

static bool alloc_contiguous(struct memobj *m)
{
    unsigned order = 0;

    while (1ull << order < m->npages)
        order++;
    if (order > BUDDY_MAX_ORDER)
        return false;
    m->first = page_alloc(order, 0);
    if (m->first == 0)
        return false;
    page_split(m->first, order);
    for (uint64_t i = m->npages; i < 1ull << order; i++)
        page_free(m->first + (i << PAGE_SHIFT), 0);
    memset(phys_to_virt(m->first), 0, m->npages << PAGE_SHIFT);
    return true;
}

static bool alloc_scattered(struct memobj *m)
{
    m->page = kmalloc(m->npages * sizeof(phys_t));
    if (m->page == NULL)
        return false;
    for (uint64_t i = 0; i < m->npages; i++) {
        m->page[i] = page_alloc(0, PAGE_ZERO);
        if (m->page[i] == 0) {
            while (i-- > 0)
                page_free(m->page[i], 0);
            kfree(m->page);
            return false;
        }
    }
    return true;
}

struct memobj *memobj_create(uint64_t bytes)
{
    if (bytes == 0 || bytes > mem_free_bytes())
        return NULL;
    struct memobj *m = kzalloc(sizeof *m);
    if (m == NULL)
        return NULL;
    m->refs = 1;
    m->bytes = bytes;
    m->npages = page_round_up(bytes) >> PAGE_SHIFT;
    if (!alloc_contiguous(m) && !alloc_scattered(m)) {
        kfree(m);
        return NULL;
    }
    return m;
}

struct memobj *memobj_wrap(phys_t first, uint64_t bytes)
{
    struct memobj *m = kzalloc(sizeof *m);

    KASSERT((first & (PAGE_SIZE - 1)) == 0);
    if (m == NULL)
        return NULL;
    m->refs = 1;
    m->wrapped = true;
    m->bytes = bytes;
    m->npages = page_round_up(bytes) >> PAGE_SHIFT;
    m->first = first;
    return m;
}

void memobj_ref(struct memobj *m)
{
    KASSERT(m->refs > 0);
    m->refs++;
}

void memobj_unref(struct memobj *m)
{
    KASSERT(m->refs > 0);
    if (--m->refs > 0)
        return;
    if (m->mapped != 0)
        kernel_unmap(m->mapped, m->npages << PAGE_SHIFT);
    if (!m->wrapped)
        for (uint64_t i = 0; i < m->npages; i++)
            page_unref(memobj_page(m, i));
    if (m->freed != NULL)
        m->freed(m->freed_arg, m->npages << PAGE_SHIFT);
    kfree(m->page);
    kfree(m);
}

void memobj_on_free(struct memobj *m, void (*fn)(void *arg, uint64_t bytes), void *arg)
{
    m->freed = fn;
    m->freed_arg = arg;
}

void memobj_keep_from_children(struct memobj *m)
{
    m->kept = true;
}

bool memobj_kept_from_children(const struct memobj *m)
{
    return m->kept;
}

uint64_t memobj_bytes(const struct memobj *m)
{
    return m->bytes;
}

bool memobj_read_only(const struct memobj *m)
{
    return m->wrapped;
}

phys_t memobj_page(const struct memobj *m, uint64_t index)
{
    KASSERT(index < m->npages);
    return m->page != NULL ? m->page[index] : m->first + (index << PAGE_SHIFT);
}

void *memobj_kernel_map(struct memobj *m)
{
    if (m->page == NULL)
        return phys_to_virt(m->first);
    if (m->mapped != 0)
        return (void *)m->mapped;
    /* Addresses are not used twice: 16 TiB of them outlast any uptime, and a
     * stale pointer then faults instead of meeting a stranger's memory. */
    uint64_t at = vmap_next, bytes = m->npages << PAGE_SHIFT;
    if (bytes > PAGES_BASE - PAGE_SIZE - at)
        return NULL;
    for (uint64_t i = 0; i < m->npages; i++) {
        if (kernel_map(at + (i << PAGE_SHIFT), m->page[i], PAGE_SIZE, PTE_KERNEL_RW, false) != 0) {
            kernel_unmap(at, bytes);
            return NULL;
        }
    }
    vmap_next = at + bytes + PAGE_SIZE;
    m->mapped = at;
    return (void *)at;
}
