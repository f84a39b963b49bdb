/* SPDX-License-Identifier: MIT
 *
 * kernel/buddy.c: the buddy allocator over page frame numbers.
 *
 * Owns: free lists by order. Allocation and release take at most one step an
 * order; a bit mask finds the smallest order that has a block. Context: thread.
 */
#include <kernel/buddy.h>
#include <kernel/log.h>

static void list_push(struct buddy *b, uint32_t pfn, unsigned order)
{
    struct page *p = &b->pages[pfn];

    p->state = PAGE_FREE;
    p->order = (uint8_t)order;
    p->prev = 0;
    p->next = b->head[order];
    if (p->next != 0)
        b->pages[p->next].prev = pfn;
    b->head[order] = pfn;
    b->nonempty |= 1u << order;
}

static void list_remove(struct buddy *b, uint32_t pfn, unsigned order)
{
    struct page *p = &b->pages[pfn];

    if (p->prev != 0)
        b->pages[p->prev].next = p->next;
    else
        b->head[order] = p->next;
    if (p->next != 0)
        b->pages[p->next].prev = p->prev;
    if (b->head[order] == 0)
        b->nonempty &= ~(1u << order);
    p->state = PAGE_NONE;
}

void buddy_init(struct buddy *b, struct page *pages)
{
    *b = (struct buddy){.pages = pages};
}

/* Puts a free block in, joined with its buddy as long as that is free too. */
static void insert_block(struct buddy *b, uint32_t pfn, unsigned order)
{
    b->free_pages += 1ull << order;
    while (order < BUDDY_MAX_ORDER) {
        uint32_t other = pfn ^ (1u << order);
        if (b->pages[other].state != PAGE_FREE || b->pages[other].order != order)
            break;
        list_remove(b, other, order);
        pfn &= ~(1u << order);
        order++;
    }
    list_push(b, pfn, order);
}

void buddy_add(struct buddy *b, uint32_t first, uint64_t count)
{
    uint64_t at = first, end = at + count;

    if (at == 0)
        at = 1;
    while (at < end) {
        unsigned order = (unsigned)__builtin_ctzll(at);
        if (order > BUDDY_MAX_ORDER)
            order = BUDDY_MAX_ORDER;
        while (at + (1ull << order) > end)
            order--;
        insert_block(b, (uint32_t)at, order);
        at += 1ull << order;
    }
}

uint32_t buddy_alloc(struct buddy *b, unsigned order)
{
    if (order > BUDDY_MAX_ORDER)
        return 0;
    uint32_t fits = b->nonempty >> order;
    if (fits == 0)
        return 0;
    unsigned have = order + (unsigned)__builtin_ctz(fits);
    uint32_t pfn = b->head[have];
    list_remove(b, pfn, have);
    while (have > order) {
        have--;
        list_push(b, pfn + (1u << have), have);
    }
    struct page *p = &b->pages[pfn];
    p->state = PAGE_USED;
    p->order = (uint8_t)order;
    p->refs = 1;
    b->free_pages -= 1ull << order;
    return pfn;
}

void buddy_free(struct buddy *b, uint32_t pfn, unsigned order)
{
    struct page *p = &b->pages[pfn];

    if (p->state != PAGE_USED || p->order != order) /* C-MEM-1 */
        panic("page %#x freed as order %u, but it is %s", pfn, order,
              p->state == PAGE_USED   ? "of another order"
              : p->state == PAGE_FREE ? "free"
                                      : "not a block");
    p->state = PAGE_NONE;
    p->refs = 0;
    insert_block(b, pfn, order);
}

uint64_t buddy_count(const struct buddy *b)
{
    uint64_t n = 0;

    for (unsigned order = 0; order <= BUDDY_MAX_ORDER; order++)
        for (uint32_t pfn = b->head[order]; pfn != 0; pfn = b->pages[pfn].next)
            n += 1ull << order;
    return n;
}
