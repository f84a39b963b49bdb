/* SPDX-License-Identifier: MIT
 *
 * kernel/kmalloc.c: small kernel memory in slabs.
 *
 * Owns: slabs of one page each. A slab starts with a 64-byte header, then come
 * equal objects; a bit in the header says of each whether it is free. Allocation
 * takes the first free object of the class's first slab that has one. Release
 * finds slab and bit from the address: a pointer that is not an object, or one
 * that is free already, is a panic whatever its bytes hold (C-MEM-9). An empty
 * slab goes back to the page allocator, unless no other of its class has room: so
 * the pages taken depend on the objects in use, not on what came before.
 * Objects are 16-byte aligned; those whose size is a multiple of 64 are 64-byte
 * aligned, and those above the largest class are whole pages. Context: thread.
 */
#include <kernel/buddy.h>
#include <kernel/log.h>
#include <kernel/paging.h>
#include <kernel/string.h>

#define SLAB_HEADER 64u
#define CLASS_STEP  16u
#define MAP_WORDS   4u /* bits for the objects of the smallest class */

static const uint16_t class_bytes[] = {16, 32, 48, 64, 96, 128, 192, 256, 384, 576, 768, 960, 1344, 1984};
#define CLASSES   (sizeof class_bytes / sizeof class_bytes[0])
#define CLASS_MAX 1984u

struct slab {
    struct slab *next, *prev; /* slabs of the class with a free object */
    uint16_t used, class;
    uint32_t reciprocal; /* of the object's size, 16.16, rounded up */
    uint64_t free[MAP_WORDS];
};
_Static_assert(sizeof(struct slab) <= SLAB_HEADER, "the header fits");
_Static_assert((PAGE_SIZE - SLAB_HEADER) / CLASS_STEP <= MAP_WORDS * 64, "a bit for each object");

static struct slab *partial[CLASSES];
static uint8_t class_of[CLASS_MAX / CLASS_STEP + 1];
static uint64_t used_bytes;

static void classes_init(void)
{
    unsigned c = 0;

    for (unsigned i = 0; i < sizeof class_of; i++) {
        while (class_bytes[c] < i * CLASS_STEP)
            c++;
        class_of[i] = (uint8_t)c;
    }
}

static void partial_add(struct slab *s)
{
    s->prev = NULL;
    s->next = partial[s->class];
    if (s->next != NULL)
        s->next->prev = s;
    partial[s->class] = s;
}

static void partial_remove(struct slab *s)
{
    if (s->prev != NULL)
        s->prev->next = s->next;
    else
        partial[s->class] = s->next;
    if (s->next != NULL)
        s->next->prev = s->prev;
}

static unsigned slab_objects(unsigned class)
{
    return (unsigned)(PAGE_SIZE - SLAB_HEADER) / class_bytes[class];
}

static struct slab *slab_new(unsigned class)
{
    phys_t p = page_alloc(0, PAGE_OWNER(OWNER_KMALLOC));
    unsigned n = slab_objects(class);

    if (p == 0)
        return NULL;
    page_of(p)->next = 0; /* its address is no object's */
    struct slab *s = phys_to_virt(p);
    *s = (struct slab){.class = (uint16_t)class, .reciprocal = 0xffffu / class_bytes[class] + 1};
    for (unsigned w = 0; n > 0; w++) {
        unsigned bits = n < 64 ? n : 64;
        s->free[w] = ~0ull >> (64 - bits);
        n -= bits;
    }
    partial_add(s);
    return s;
}

static void slab_free(struct slab *s)
{
    partial_remove(s);
    page_free(virt_to_phys(s), 0);
}

static inline bool slab_full(const struct slab *s)
{
    return (s->free[0] | s->free[1] | s->free[2] | s->free[3]) == 0;
}

/* Whole pages: a block of the buddy less its tail, so that 33 KiB take nine pages
 * and not sixteen. How many they are is noted in the first one's struct page,
 * where only free pages have a link. */
static void *pages_alloc(size_t bytes)
{
    if (bytes > PAGE_SIZE << BUDDY_MAX_ORDER)
        return NULL;
    uint32_t n = (uint32_t)(page_round_up(bytes) >> PAGE_SHIFT);
    unsigned order = n <= 1 ? 0 : 32u - (unsigned)__builtin_clz(n - 1);
    phys_t p = page_alloc(order, PAGE_OWNER(OWNER_KMALLOC));
    if (p == 0)
        return NULL;
    if (n < 1u << order) {
        page_split(p, order);
        for (uint32_t i = n; i < 1u << order; i++)
            page_free(p + i * PAGE_SIZE, 0);
    }
    page_of(p)->next = n;
    used_bytes += n * PAGE_SIZE;
    return phys_to_virt(p);
}

size_t kmalloc_size(size_t bytes)
{
    if (bytes > CLASS_MAX)
        return page_round_up(bytes);
    for (unsigned c = 0;; c++)
        if (class_bytes[c] >= bytes)
            return class_bytes[c];
}

void *kmalloc(size_t bytes)
{
    if (bytes > CLASS_MAX)
        return pages_alloc(bytes);
    if (class_of[CLASS_MAX / CLASS_STEP] == 0)
        classes_init();
    unsigned class = class_of[(bytes + CLASS_STEP - 1) / CLASS_STEP], w = 0;
    struct slab *s = partial[class];
    if (s == NULL && (s = slab_new(class)) == NULL)
        return NULL;
    while (s->free[w] == 0)
        w++;
    unsigned index = w * 64 + (unsigned)__builtin_ctzll(s->free[w]);
    s->free[w] &= s->free[w] - 1;
    s->used++;
    used_bytes += class_bytes[class];
    if (slab_full(s))
        partial_remove(s);
    return (char *)s + SLAB_HEADER + index * class_bytes[class];
}

void *kzalloc(size_t bytes)
{
    void *p = kmalloc(bytes);

    return p != NULL ? memset(p, 0, bytes) : NULL;
}

/* The number of the object at `offset` in its slab; panics when none begins there. */
static unsigned object_index(const struct slab *s, unsigned offset)
{
    unsigned bytes = class_bytes[s->class], index = (offset - SLAB_HEADER) * s->reciprocal >> 16;

    if (offset < SLAB_HEADER || index * bytes != offset - SLAB_HEADER || index >= slab_objects(s->class))
        panic("kfree: no object of %u bytes begins at %p", bytes, (const char *)s + offset);
    return index;
}

static void pages_release(void *p)
{
    phys_t at = virt_to_phys(p);
    struct page *pg = page_of(at);
    uint32_t n = pg->next;

    if (pg->state != PAGE_USED || pg->owner != OWNER_KMALLOC || n == 0)
        panic("kfree: %p is not kmalloc's, or freed twice", p);
    used_bytes -= n * PAGE_SIZE;
    pg->next = 0;
    if (n == 1u << pg->order) {
        page_free(at, pg->order);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        page_free(at + i * PAGE_SIZE, 0);
}

void kfree(void *p)
{
    unsigned offset = (uint64_t)p & (PAGE_SIZE - 1);
    struct slab *s = (struct slab *)((uint64_t)p - offset);

    if (p == NULL)
        return;
    if (offset == 0) {
        pages_release(p);
        return;
    }
    if (page_of(virt_to_phys(s))->state != PAGE_USED || page_of(virt_to_phys(s))->owner != OWNER_KMALLOC)
        panic("kfree: %p is not kmalloc's, or freed twice", p);
    unsigned index = object_index(s, offset);
    uint64_t bit = 1ull << (index % 64);
    if (s->free[index / 64] & bit)
        panic("kfree: %p freed twice (class of %u bytes)", p, class_bytes[s->class]); /* C-MEM-9 */
    bool was_full = slab_full(s);
    s->free[index / 64] |= bit;
    s->used--;
    used_bytes -= class_bytes[s->class];
    if (was_full)
        partial_add(s);
    if (s->used == 0 && (s->next != NULL || s->prev != NULL))
        slab_free(s);
    else if (was_full && s->next != NULL && s->next->used == 0)
        slab_free(s->next); /* kept while it was the only one with room */
}

uint64_t kmalloc_used_bytes(void)
{
    return used_bytes;
}
