/* SPDX-License-Identifier: MIT
 *
 * kernel/kmalloc.c: small kernel memory in size classes.
 *
 * Owns: slabs of one page each. A slab starts with a 64-byte header, then come
 * equal objects. Allocation pops the first free object of the class's first
 * slab that has one, release pushes it back: a handful of instructions each.
 * An empty slab goes back to the page allocator, except the last of its class.
 * Objects are 16-byte aligned; those whose size is a multiple of 64 are 64-byte
 * aligned, and those above the largest class are whole pages. Context: thread.
 */
#include <kernel/buddy.h>
#include <kernel/log.h>
#include <kernel/paging.h>
#include <kernel/string.h>

#define SLAB_HEADER 64u
#define CLASS_STEP  16u
#define FREE_MARK   0xf4eef4eef4eef4eeull /* second word of a free object, mixed with its address */

static const uint16_t class_bytes[] = {16, 32, 48, 64, 96, 128, 192, 256, 384, 576, 768, 960, 1344, 1984};
#define CLASSES   (sizeof class_bytes / sizeof class_bytes[0])
#define CLASS_MAX 1984u

struct free_object {
    struct free_object *next;
    uint64_t mark;
};
struct slab {
    struct free_object *free;
    struct slab *next, *prev; /* slabs of the class with a free object */
    uint32_t used, class;
    uint32_t fresh; /* bytes from here on were never handed out */
};

static struct slab *partial[CLASSES];
static uint8_t class_of[CLASS_MAX / CLASS_STEP + 1];

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

static struct slab *slab_new(unsigned class)
{
    phys_t p = page_alloc(0, 0);

    if (p == 0)
        return NULL;
    page_of(p)->slab = 1;
    struct slab *s = phys_to_virt(p);
    *s = (struct slab){.class = class, .fresh = SLAB_HEADER};
    partial_add(s);
    return s;
}

static bool slab_full(const struct slab *s)
{
    return s->free == NULL && s->fresh + class_bytes[s->class] > PAGE_SIZE;
}

static unsigned order_for(size_t bytes)
{
    uint64_t pages = page_round_up(bytes) >> PAGE_SHIFT;

    return pages <= 1 ? 0 : 64u - (unsigned)__builtin_clzll(pages - 1);
}

void *kmalloc(size_t bytes)
{
    if (bytes > CLASS_MAX) {
        if (bytes > PAGE_SIZE << BUDDY_MAX_ORDER)
            return NULL;
        phys_t p = page_alloc(order_for(bytes), 0);
        return p != 0 ? phys_to_virt(p) : NULL;
    }
    if (class_of[1] == 0 && class_of[CLASS_MAX / CLASS_STEP] == 0)
        classes_init();
    unsigned class = class_of[(bytes + CLASS_STEP - 1) / CLASS_STEP];
    struct slab *s = partial[class];
    if (s == NULL && (s = slab_new(class)) == NULL)
        return NULL;
    struct free_object *o = s->free;
    if (o != NULL) {
        s->free = o->next;
    } else {
        o = (struct free_object *)((char *)s + s->fresh);
        s->fresh += class_bytes[class];
    }
    o->mark = 0; /* a page's earlier life may have left a mark just here */
    s->used++;
    if (slab_full(s))
        partial_remove(s);
    return o;
}

void *kzalloc(size_t bytes)
{
    void *p = kmalloc(bytes);

    return p != NULL ? memset(p, 0, bytes) : NULL;
}

void kfree(void *p)
{
    if (p == NULL)
        return;
    struct page *pg = page_of(virt_to_phys(p));
    if (!pg->slab) {
        KASSERT(((uint64_t)p & (PAGE_SIZE - 1)) == 0);
        page_free(virt_to_phys(p), pg->order);
        return;
    }
    struct slab *s = (struct slab *)((uint64_t)p & ~(PAGE_SIZE - 1));
    struct free_object *o = p;
    uint64_t mark = FREE_MARK ^ (uint64_t)o;
    if (o->mark == mark)
        panic("kfree: %p freed twice (class of %u bytes)", p, class_bytes[s->class]);
    bool was_full = slab_full(s);
    o->mark = mark;
    o->next = s->free;
    s->free = o;
    s->used--;
    if (was_full)
        partial_add(s);
    if (s->used == 0 && (s->next != NULL || s->prev != NULL)) {
        partial_remove(s);
        pg->slab = 0;
        page_free(virt_to_phys(s), 0);
    }
}
