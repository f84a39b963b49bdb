/* SPDX-License-Identifier: MIT
 *
 * net/core/arena.c: transmit arenas that grow.
 *
 * Owns: what is added to an endpoint's arena after it was opened. Each addition has
 * NET_ARENA_MORE bytes, a piece of shared memory of its own: what the card reads
 * from never moves, and offsets simply go on where they ended. It is charged to the
 * owner like the rings and lives as long as they. Context and lock: as in
 * net/core/core.h.
 */
#include <net/core/ports.h>

int endpoint_grow(struct net_endpoint *e, struct nc_shared **out) /* C-RING-8 */
{
    uint64_t limit;
    int r;

    if (e->closed || e->failed || e->owner == NULL)
        return -EBADF;
    limit = e->owner->rights->ring_limit != 0 ? e->owner->rights->ring_limit : RING_LIMIT_DEFAULT;
    if (e->narenas == NET_ARENAS_MORE || e->owner->ring_bytes + NET_ARENA_MORE > limit)
        return -ENOMEM;
    r = nc_shared_alloc(&e->more[e->narenas], NET_ARENA_MORE);
    if (r != 0)
        return r;
    e->owner->ring_bytes += NET_ARENA_MORE;
    *out = &e->more[e->narenas++];
    return 0;
}

/* The last addition, which nobody knows of yet, goes again. */
void endpoint_ungrow(struct net_endpoint *e)
{
    e->owner->ring_bytes -= NET_ARENA_MORE;
    nc_shared_free(&e->more[--e->narenas]);
}

bool arena_has(const struct net_endpoint *e, uint32_t off, uint32_t len) /* C-TX-2 */
{
    uint32_t at = off - e->arena_size;

    if (off <= e->arena_size && len <= e->arena_size - off)
        return true;
    if (off < e->arena_size || at / NET_ARENA_MORE >= e->narenas)
        return false;
    return len <= NET_ARENA_MORE - at % NET_ARENA_MORE;
}

const uint8_t *arena_far(const struct net_endpoint *e, uint32_t off, uint64_t *phys)
{
    uint32_t at = off - e->arena_size, in = at % NET_ARENA_MORE;
    const struct nc_shared *s = &e->more[at / NET_ARENA_MORE];

    if (phys != NULL)
        *phys = nc_shared_phys(s, in);
    return (const uint8_t *)s->base + in;
}

void arenas_free(struct net_endpoint *e)
{
    while (e->narenas != 0)
        nc_shared_free(&e->more[--e->narenas]);
}
