/* SPDX-License-Identifier: MIT
 *
 * kernel/kstack.c: kernel stacks with guard pages.
 *
 * Owns: the area at KSTACK_BASE: slots of twice a stack's size, the upper half
 * mapped, the lower half never, so that an overrun faults (on the double-fault
 * stack) instead of writing over a neighbour. A few freed stacks stay mapped
 * for the next thread. Context: thread.
 */
#include <kernel/paging.h>

#define KSTACK_SLOT (2ull * KSTACK_SIZE)
#define KSTACKS_MAX 4096u

struct spare_stack {
    struct spare_stack *next; /* at the top of an unused, still mapped stack */
};
static struct spare_stack *spare_stacks;
static uint32_t spare_count;
#define KSTACK_SPARES_MAX 4u
static uint64_t taken_slots[KSTACKS_MAX / 64];

static int64_t slot_take(void)
{
    for (uint32_t w = 0; w < KSTACKS_MAX / 64; w++) {
        if (~taken_slots[w] != 0) {
            unsigned bit = (unsigned)__builtin_ctzll(~taken_slots[w]);
            taken_slots[w] |= 1ull << bit;
            return w * 64 + bit;
        }
    }
    return -1;
}

/* Unmapped on every CPU before its pages are free. */
static void stack_unmap(uint64_t base)
{
    phys_t pages[KSTACK_SIZE / PAGE_SIZE];

    for (unsigned i = 0; i < KSTACK_SIZE / PAGE_SIZE; i++) {
        uint64_t *e = pt_entry(kernel_pml4, base + i * PAGE_SIZE, NULL);
        pages[i] = e != NULL ? *e & PTE_ADDR : 0;
    }
    kernel_unmap(base, KSTACK_SIZE);
    for (unsigned i = 0; i < KSTACK_SIZE / PAGE_SIZE; i++)
        if (pages[i] != 0)
            page_free(pages[i], 0);
    uint64_t slot = (base - KSTACK_BASE) / KSTACK_SLOT;
    taken_slots[slot / 64] &= ~(1ull << (slot % 64));
}

void *kstack_alloc(void)
{
    struct spare_stack *s = spare_stacks;

    if (s != NULL) {
        spare_stacks = s->next;
        spare_count--;
        return s + 1;
    }
    int64_t slot = slot_take();
    if (slot < 0)
        return NULL;
    uint64_t base = KSTACK_BASE + (uint64_t)slot * KSTACK_SLOT + KSTACK_SIZE;
    for (uint64_t at = base; at < base + KSTACK_SIZE; at += PAGE_SIZE) {
        phys_t p = page_alloc(0, PAGE_OWNER(OWNER_STACK));
        if (p == 0 || kernel_map(at, p, PAGE_SIZE, PTE_KERNEL_RW, false) != 0) {
            if (p != 0)
                page_free(p, 0);
            stack_unmap(base);
            return NULL;
        }
    }
    return (void *)(base + KSTACK_SIZE);
}

void kstack_free(void *top)
{
    if (spare_count < KSTACK_SPARES_MAX) {
        struct spare_stack *s = (struct spare_stack *)top - 1;
        s->next = spare_stacks;
        spare_stacks = s;
        spare_count++;
        return;
    }
    stack_unmap((uint64_t)top - KSTACK_SIZE);
}
