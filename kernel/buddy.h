/* SPDX-License-Identifier: MIT
 *
 * kernel/buddy.h: the buddy allocator over page frame numbers.
 *
 * Owns: struct page, struct buddy. Pure: works on an array of struct page and
 * never touches the memory behind it, so the host tests run the same code.
 * Called by kernel/page_alloc.c only. Context: thread.
 *
 * Blocks are powers of two, aligned to their size. The array may have holes,
 * but the BUDDY_MAX_ORDER-sized block around each page must be backed.
 */
#ifndef KERNEL_BUDDY_H
#define KERNEL_BUDDY_H

#include <stdbool.h>
#include <stdint.h>

#define BUDDY_MAX_ORDER 10 /* 4 MiB */

enum page_state {
    PAGE_NONE = 0, /* a hole, reserved for ever, or the inside of a block */
    PAGE_FREE = 1, /* first page of a free block */
    PAGE_USED = 2, /* first page of an allocated block */
    PAGE_CACHED = 3, /* single page in a CPU's cache (page_alloc.c): free, but not the buddy's */
};

struct page {
    uint32_t next, prev; /* free list; 0 ends it (page 0 is never handed out) */
    uint32_t refs;
    uint8_t order, state; /* of the block that starts here */
    uint8_t owner, pad;   /* enum page_owner (kernel/mem.h) of a used block */
};

struct buddy {
    struct page *pages; /* indexed by page frame number */
    uint32_t head[BUDDY_MAX_ORDER + 1];
    uint32_t nonempty; /* bit per order */
    uint64_t free_pages;
};

void buddy_init(struct buddy *b, struct page *pages);
/* Hands [first, first + count) over; page 0 is left out. */
void buddy_add(struct buddy *b, uint32_t first, uint64_t count);
/* First page of a block, 0 when there is none. Its reference count is 1. */
uint32_t buddy_alloc(struct buddy *b, unsigned order);
/* Panics when the block is not an allocated one of this order. */
void buddy_free(struct buddy *b, uint32_t pfn, unsigned order);
/* Sum over the free lists, for self-tests: equals free_pages. */
uint64_t buddy_count(const struct buddy *b);

#endif
