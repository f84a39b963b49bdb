/* SPDX-License-Identifier: MIT
 *
 * kernel/memobj.c: pages that several address spaces map.
 *
 * Owns: struct memobj. The pages of an object are promised when it is created and
 * made when they are first needed, so that a large one costs nothing at once.
 * Those of a ring are there from the start, contiguously where memory allows:
 * then the kernel sees them through the direct map, at no cost. A large object is
 * freed in pieces by a poll (C-MEM-8). Context: thread.
 */
#include <kernel/buddy.h>
#include <kernel/irq.h>
#include <kernel/log.h>
#include <kernel/paging.h>
#include <kernel/string.h>

#define FREE_PIECE 1024u /* pages freed at once; more are left to the poll */

enum memobj_kind {
    OBJECT_PAGES,
    OBJECT_RING,
    OBJECT_WRAPPED, /* somebody else's memory: never freed, never written */
    OBJECT_DEVICE,  /* a device's memory: never freed */
};

struct memobj {
    uint32_t refs;
    enum memobj_kind kind;
    uint64_t bytes, npages;
    phys_t first;    /* contiguous; else 0 */
    phys_t *page;    /* not contiguous; 0: not made yet */
    uint64_t mapped; /* in kernel space; 0: not yet */
    void (*freed)(void *arg, uint64_t bytes);
    void *freed_arg;
    struct memobj *next_dead;
};

static uint64_t vmap_next = VMAP_BASE;
static struct memobj *dead; /* to be freed by the poll */

static struct memobj *object_new(enum memobj_kind kind, uint64_t bytes)
{
    struct memobj *m = kzalloc(sizeof *m);

    if (m == NULL)
        return NULL;
    m->refs = 1;
    m->kind = kind;
    m->bytes = bytes;
    m->npages = page_round_up(bytes) >> PAGE_SHIFT;
    return m;
}

struct memobj *memobj_create(uint64_t bytes)
{
    struct memobj *m;

    if (bytes == 0 || bytes > mem_total_bytes())
        return NULL;
    m = object_new(OBJECT_PAGES, bytes);
    if (m == NULL)
        return NULL;
    m->page = kzalloc(m->npages * sizeof(phys_t));
    if (m->page == NULL || mem_commit(m->npages) != 0) {
        kfree(m->page);
        kfree(m);
        return NULL;
    }
    return m;
}

static bool ring_contiguous(struct memobj *m)
{
    unsigned order = 0;

    while (1ull << order < m->npages)
        order++;
    if (order > BUDDY_MAX_ORDER)
        return false;
    m->first = page_alloc(order, PAGE_OWNER(OWNER_RING));
    if (m->first == 0)
        return false;
    page_split(m->first, order);
    for (uint64_t i = m->npages; i < 1ull << order; i++)
        page_free(m->first + (i << PAGE_SHIFT), 0);
    memset(phys_to_virt(m->first), 0, m->npages << PAGE_SHIFT);
    return true;
}

static bool ring_scattered(struct memobj *m)
{
    m->page = kmalloc(m->npages * sizeof(phys_t));
    if (m->page == NULL)
        return false;
    for (uint64_t i = 0; i < m->npages; i++) {
        m->page[i] = page_alloc(0, PAGE_ZERO | PAGE_OWNER(OWNER_RING));
        if (m->page[i] == 0) {
            while (i-- > 0)
                page_free(m->page[i], 0);
            kfree(m->page);
            return false;
        }
    }
    return true;
}

struct memobj *memobj_create_ring(uint64_t bytes)
{
    struct memobj *m;

    if (bytes == 0 || bytes > mem_free_bytes())
        return NULL;
    m = object_new(OBJECT_RING, bytes);
    if (m == NULL)
        return NULL;
    if (!ring_contiguous(m) && !ring_scattered(m)) {
        kfree(m);
        return NULL;
    }
    return m;
}

static struct memobj *wrap(enum memobj_kind kind, phys_t first, uint64_t bytes)
{
    struct memobj *m = object_new(kind, bytes);

    KASSERT((first & (PAGE_SIZE - 1)) == 0);
    if (m == NULL)
        return NULL;
    m->first = first;
    return m;
}

struct memobj *memobj_wrap(phys_t first, uint64_t bytes)
{
    return wrap(OBJECT_WRAPPED, first, bytes);
}

struct memobj *memobj_wrap_device(phys_t first, uint64_t bytes)
{
    return wrap(OBJECT_DEVICE, first, bytes);
}

void memobj_ref(struct memobj *m)
{
    KASSERT(m->refs > 0);
    m->refs++;
}

/* Frees up to `most` pages, the last ones first; true when all are gone. */
static bool free_some(struct memobj *m, uint64_t most)
{
    uint64_t promises = 0;

    for (; m->npages > 0 && most > 0; most--) {
        phys_t p = memobj_page_made(m, --m->npages);
        if (p != 0)
            page_free(p, 0);
        else
            promises++;
    }
    mem_uncommit(promises);
    return m->npages == 0;
}

static void finish(struct memobj *m, uint64_t bytes)
{
    if (m->freed != NULL)
        m->freed(m->freed_arg, bytes);
    kfree(m->page);
    kfree(m);
}

static bool free_dead(void *arg)
{
    struct memobj *m = dead;

    (void)arg;
    if (m != NULL && free_some(m, FREE_PIECE)) {
        dead = m->next_dead;
        finish(m, page_round_up(m->bytes));
    }
    return dead != NULL;
}

static struct poll_work free_work = {.run = free_dead};

void memobj_unref(struct memobj *m)
{
    KASSERT(m->refs > 0);
    if (--m->refs > 0)
        return;
    if (m->mapped != 0)
        kernel_unmap(m->mapped, m->npages << PAGE_SHIFT);
    if (m->kind == OBJECT_WRAPPED || m->kind == OBJECT_DEVICE || free_some(m, FREE_PIECE)) {
        finish(m, page_round_up(m->bytes));
        return;
    }
    m->next_dead = dead; /* C-MEM-8 */
    dead = m;
    poll_schedule(&free_work);
}

void memobj_on_free(struct memobj *m, void (*fn)(void *arg, uint64_t bytes), void *arg)
{
    m->freed = fn;
    m->freed_arg = arg;
}

bool memobj_is_ring(const struct memobj *m)
{
    return m->kind == OBJECT_RING;
}

uint64_t memobj_bytes(const struct memobj *m)
{
    return m->bytes;
}

bool memobj_is_device(const struct memobj *m)
{
    return m->kind == OBJECT_DEVICE;
}

bool memobj_read_only(const struct memobj *m)
{
    return m->kind == OBJECT_WRAPPED;
}

phys_t memobj_page_made(const struct memobj *m, uint64_t index)
{
    return m->page != NULL ? m->page[index] : m->first + (index << PAGE_SHIFT);
}

phys_t memobj_page(struct memobj *m, uint64_t index)
{
    phys_t p;

    KASSERT(index < m->npages);
    p = memobj_page_made(m, index);
    if (p != 0)
        return p;
    p = page_alloc(0, PAGE_ZERO | PAGE_COMMITTED | PAGE_OWNER(OWNER_OBJECT));
    KASSERT(p != 0);
    m->page[index] = p;
    return p;
}

void *memobj_kernel_map(struct memobj *m)
{
    KASSERT(m->kind != OBJECT_PAGES);
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
