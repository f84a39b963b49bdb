/* SPDX-License-Identifier: MIT
 *
 * kernel/handle.c: handles.
 *
 * Owns: handle tables. A handle is a slot's index in its low bits and the
 * slot's generation above, so that a stale one is refused; the first use of a
 * slot has generation 0, which makes a child's inherited handles 0, 1, 2.
 * Called by: system calls, spawn, process end. Context: thread.
 */
#include <kernel/proc.h>

#define HANDLES_FIRST 16u
#define GENERATION_MASK ((1u << (31 - HANDLE_INDEX_BITS)) - 1)

/* A negative handle has its top bit in the generation, which never gets there. */
_Static_assert(GENERATION_MASK < 1u << (31 - HANDLE_INDEX_BITS), "handles are not negative");
_Static_assert(HANDLES_MAX == 1u << HANDLE_INDEX_BITS, "the index is the low bits");

static bool grow(struct handle_table *t)
{
    uint32_t size = t->size == 0 ? HANDLES_FIRST : t->size * 2;
    struct handle_slot *slots = kzalloc(size * sizeof *slots);

    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i < t->size; i++)
        slots[i] = t->slots[i];
    for (uint32_t i = t->size; i < size; i++)
        slots[i].next_free = i + 1 < size ? (int32_t)(i + 1) : -1;
    kfree(t->slots);
    t->free = (int32_t)t->size;
    t->slots = slots;
    t->size = size;
    return true;
}

int handles_init(struct handle_table *t)
{
    t->free = -1;
    return grow(t) ? 0 : -ENOMEM;
}

int handle_new(struct process *p, struct object *o)
{
    struct handle_table *t = &p->handles;
    struct handle_slot *s;
    int32_t index = t->free;

    if (index < 0) {
        if (t->size >= HANDLES_MAX)
            return -EMFILE;
        if (!grow(t))
            return -ENOMEM;
        index = t->free;
    }
    s = &t->slots[index];
    t->free = s->next_free;
    s->object = o;
    t->used++;
    return (int)(s->generation << HANDLE_INDEX_BITS | (uint32_t)index);
}

struct object *handle_get(struct process *p, int handle, enum object_kind kind)
{
    struct handle_slot *s = handle_slot(p, handle);

    if (s == NULL || s->object->kind != kind)
        return NULL;
    s->object->refs++;
    return s->object;
}

static void slot_close(struct handle_table *t, struct handle_slot *s)
{
    struct object *o = s->object;

    s->object = NULL;
    s->generation = (s->generation + 1) & GENERATION_MASK; /* C-MEM-4 */
    s->next_free = t->free;
    t->free = (int32_t)(s - t->slots);
    t->used--;
    if (o->ops->closed != NULL)
        o->ops->closed(o);
    object_unref(o);
}

void handles_close_some(struct process *p, bool (*which)(const struct object *o))
{
    struct handle_table *t = &p->handles;

    for (uint32_t i = 0; i < t->size; i++)
        if (t->slots[i].object != NULL && which(t->slots[i].object))
            slot_close(t, &t->slots[i]);
}

int handles_copy(struct process *to, const struct process *from, bool (*which)(const struct object *o))
{
    const struct handle_table *f = &from->handles;
    struct handle_table *t = &to->handles;
    struct handle_slot *slots = kmalloc(f->size * sizeof *slots);

    if (slots == NULL)
        return -ENOMEM;
    kfree(t->slots);
    *t = (struct handle_table){.slots = slots, .size = f->size, .free = -1};
    for (uint32_t i = f->size; i-- > 0;) { /* the lowest free slot is used first */
        struct handle_slot *s = &slots[i];
        *s = f->slots[i];
        if (s->object != NULL && which(s->object)) {
            object_ref(s->object);
            t->used++;
            continue;
        }
        if (s->object != NULL)
            s->generation = (s->generation + 1) & GENERATION_MASK; /* C-MEM-4 */
        s->object = NULL;
        s->next_free = t->free;
        t->free = (int32_t)i;
    }
    return 0;
}

int handle_close(struct process *p, int handle)
{
    struct handle_slot *s = handle_slot(p, handle);

    if (s == NULL)
        return -EBADF;
    slot_close(&p->handles, s);
    return 0;
}

void handles_close_all(struct process *p)
{
    struct handle_table *t = &p->handles;

    for (uint32_t i = 0; i < t->size; i++)
        if (t->slots[i].object != NULL)
            slot_close(t, &t->slots[i]);
    kfree(t->slots);
    t->slots = NULL;
    t->size = 0;
    t->free = -1;
}
