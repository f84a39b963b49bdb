/* SPDX-License-Identifier: MIT
 *
 * net/core/slots.c: the default slots: who takes what no port claims.
 *
 * Owns: core.slot[]. Each slot has one endpoint; an owner that gives every slot
 * an endpoint of its own keeps a flood in one from starving the others. Context
 * and lock: as in net/core/core.h.
 */
#include <net/core/internal.h>

int slot_register(struct net_endpoint *e, uint32_t slot)
{
    struct net_endpoint *now;

    if (slot >= SLOT_COUNT || e->owner == NULL || e->failed)
        return -EINVAL;
    if (slot == SLOT_FORWARD && !endpoint_has(e, RIGHT_NET_FORWARD))
        return owner_refuse(e->owner, "net.forward");
    if (slot != SLOT_FORWARD && !endpoint_has(e, RIGHT_NET_DEFAULT))
        return owner_refuse(e->owner, "net.default");
    now = core.slot[slot];
    if (now == e)
        return 0;
    if (now != NULL && now->owner != e->owner)
        return -EBUSY; /* C-REG-9 */
    if (now != NULL)
        now->slots &= ~(1u << slot);
    core.slot[slot] = e;
    e->slots |= 1u << slot;
    core.config_gen++; /* stale neighbours count as unknown while netd lives */
    return 0;
}

void slots_forget(struct net_endpoint *e)
{
    if (e->slots == 0)
        return;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        if (core.slot[slot] == e)
            core.slot[slot] = NULL;
    e->slots = 0;
    core.config_gen++;
}
