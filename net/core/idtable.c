/* SPDX-License-Identifier: MIT
 *
 * net/core/idtable.c: small ids for objects that live in pages made on demand.
 *
 * Owns: the pages. An object stays where it is until the end, so its generation
 * survives the id's reuse; freed ids queue up behind each other, so that one is
 * reused as late as possible. Context and lock: as in net/core/core.h.
 */
#include <net/core/internal.h>

static uint16_t *free_link(const struct id_table *t, uint16_t id)
{
    return (uint16_t *)id_at(t, id);
}

void id_table_init(struct id_table *t, size_t object_bytes)
{
    __builtin_memset(t, 0, sizeof(*t));
    t->object_bytes = (uint32_t)object_bytes;
    t->fresh = 1;
}

void id_table_fini(struct id_table *t)
{
    for (unsigned i = 0; i < ID_PAGES; i++)
        nc_free(t->page[i]);
    __builtin_memset(t, 0, sizeof(*t));
}

uint16_t id_alloc(struct id_table *t)
{
    uint16_t id = t->free_head;

    if (id != 0) {
        t->free_head = *free_link(t, id);
        if (t->free_head == 0)
            t->free_tail = 0;
        return id;
    }
    if (t->fresh > ID_MAX)
        return 0;
    id = t->fresh;
    if (t->page[id / ID_PAGE] == NULL) {
        t->page[id / ID_PAGE] = nc_alloc((size_t)ID_PAGE * t->object_bytes);
        if (t->page[id / ID_PAGE] == NULL)
            return 0;
    }
    t->fresh++;
    return id;
}

void id_free(struct id_table *t, uint16_t id)
{
    *free_link(t, id) = 0;
    if (t->free_tail != 0)
        *free_link(t, t->free_tail) = id;
    else
        t->free_head = id;
    t->free_tail = id;
}
