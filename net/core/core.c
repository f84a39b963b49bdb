/* SPDX-License-Identifier: MIT
 *
 * net/core/core.c: the one instance of the net core, its beginning and end, and
 * the wake-ups collected during a batch.
 *
 * Owns: `core`. Context and lock: as in net/core/core.h.
 */
#include <net/core/ports.h>

struct net_core core;

void net_core_init(void)
{
    __builtin_memset(&core, 0, sizeof(core));
    core.config_gen = 1; /* so that an empty cache entry is not valid */
    nc_random(core.boot_secret, sizeof(core.boot_secret));
    nc_random(core.hash_secret, sizeof(core.hash_secret));
    nc_random(core.fragment_id, sizeof(core.fragment_id));
    ports_init();
    flows_init();
    loopback_init(&loopback);
    if (link_register(&loopback) != 0)
        nc_panic("net: no memory for the loopback link");

    struct net_config home = {.kind = NETCFG_ADDR_ADD, .family = NET_INET, .prefix = 8, .flags = ADDR_STATIC};
    home.addr = (struct net_addr){{127, 0, 0, 1}};
    home.link = loopback.index;
    struct net_config home6 = {
        .kind = NETCFG_ADDR_ADD, .family = NET_INET6, .prefix = 128, .flags = ADDR_STATIC | ADDR_OFF_LINK};
    home6.addr = (struct net_addr){{[15] = 1}};
    home6.link = loopback.index;
    if (addr_add(&home) != 0 || addr_add(&home6) != 0)
        nc_panic("net: cannot configure loopback");
}

void net_core_fini(void)
{
    loopback_fini();
    reservations_fini();
    flows_fini();
    ports_fini();
    neigh_fini();
    netbufs_fini();
    for (unsigned i = 0; i < core.nlinks; i++) {
        nc_free(core.link[i]->core);
        core.link[i]->core = NULL;
    }
    nc_free(core.bounce);
    __builtin_memset(&core, 0, sizeof(core));
}

uint8_t *core_bounce(void)
{
    if (core.bounce == NULL)
        core.bounce = nc_alloc(IP_PACKET_MAX + 1 + ETH_HDR);
    return core.bounce;
}

void endpoint_wake(struct net_endpoint *e)
{
    if (e->wake_pending || e->released)
        return;
    e->wake_pending = true;
    e->wake_next = core.wake;
    core.wake = e;
}

/* One nc_wake per endpoint and batch, however many records it got. */
void wake_flush(void)
{
    struct net_endpoint *e;

    while ((e = core.wake) != NULL) {
        core.wake = e->wake_next;
        e->wake_pending = false;
        nc_wake(e->waiter);
    }
}

/* --- what netd leaves for its successor ------------------------------------------ */

int net_blob_set(struct nc_owner *o, const void *buf, size_t bytes)
{
    if (!owner_has(o, RIGHT_NET_DEFAULT))
        return owner_refuse(o, "net.default");
    if (bytes > NET_BLOB_MAX)
        return -EMSGSIZE;
    __builtin_memcpy(core.blob, buf, bytes);
    core.blob_bytes = (uint32_t)bytes;
    return 0;
}

size_t net_blob_get(void *buf, size_t bytes)
{
    __builtin_memcpy(buf, core.blob, bytes < core.blob_bytes ? bytes : core.blob_bytes);
    return core.blob_bytes;
}
