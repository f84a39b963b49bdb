/* SPDX-License-Identifier: MIT
 *
 * net/core/netbuf.c: outgoing packets: the pool they come from, and their end.
 *
 * Owns: the pool. It grows by slabs of pages that devices can read, up to a
 * limit, and is not given back. Context and lock: as in net/core/core.h.
 */
#include <net/core/internal.h>

#define NETBUF_PAGE      4096u
#define NETBUF_STRIDE    ((sizeof(struct netbuf) + 63) & ~(size_t)63)
#define NETBUFS_PER_PAGE (NETBUF_PAGE / NETBUF_STRIDE)
#define SLAB_PAGES       4u
#define SLABS_MAX        52u /* 1,040 packets */

_Static_assert(NETBUFS_PER_PAGE >= 5, "a netbuf has outgrown its share of a page");

static struct nc_shared slab[SLABS_MAX];
static unsigned nslabs;
static struct netbuf *free_list;

static bool grow(void)
{
    struct nc_shared *s = &slab[nslabs];

    if (nslabs == SLABS_MAX || nc_shared_alloc(s, SLAB_PAGES * NETBUF_PAGE) != 0)
        return false;
    nslabs++;
    for (size_t page = 0; page < SLAB_PAGES; page++) {
        for (size_t i = 0; i < NETBUFS_PER_PAGE; i++) {
            size_t offset = page * NETBUF_PAGE + i * NETBUF_STRIDE;
            struct netbuf *nb = (struct netbuf *)((uint8_t *)s->base + offset);

            nb->head_phys = nc_shared_phys(s, offset + offsetof(struct netbuf, room));
            nb->next = free_list;
            free_list = nb;
        }
    }
    return true;
}

struct netbuf *netbuf_alloc(void)
{
    struct netbuf *nb;

    if (free_list == NULL && !grow())
        return NULL;
    nb = free_list;
    free_list = nb->next;
    nb->next = NULL;
    nb->owner = NULL;
    nb->link = NULL;
    nb->nfrags = 0;
    nb->csum = CSUM_NONE;
    nb->csum_start = nb->csum_offset = 0;
    nb->gso_size = 0;
    nb->gso_type = 0;
    nb->tx_flags = 0;
    nb->cookie = 0;
    return nb;
}

void netbuf_free(struct netbuf *nb)
{
    nb->next = free_list;
    free_list = nb;
}

void netbuf_finish(struct netbuf *nb, int status, enum net_drop why)
{
    struct net_endpoint *e = nb->owner;

    if (status == 0) {
        core.c.sent++;
        nb->link->tx_frames++;
        nb->link->tx_bytes += nb->total_len;
    } else {
        core.c.send_failed++;
        count_drop(why);
    }
    link_core(nb->link)->queued--;
    if (e != NULL) {
        e->link_inflight[nb->link->index]--;
        if ((nb->tx_flags & TX_PIECE) != 0)
            cut_piece_done(nb, status);
        else if (!e->closed && (status != 0 || nb->nfrags != 0 || (nb->tx_flags & TX_NOTIFY) != 0))
            endpoint_complete(e, nb->cookie, status);
        endpoint_drop_inflight(e);
    }
    netbuf_free(nb);
}

void netbuf_done(struct netbuf *nb, int status)
{
    netbuf_finish(nb, status, status == -ENOBUFS ? DROP_TX_LINK_FULL : DROP_TX_LINK_DOWN);
}

size_t netbuf_flatten(const struct netbuf *nb, void *dst)
{
    uint8_t *to = dst;

    __builtin_memcpy(to, nb->head, nb->head_len);
    to += nb->head_len;
    for (unsigned i = 0; i < nb->nfrags; i++) {
        __builtin_memcpy(to, nb->frag[i].virt, nb->frag[i].len);
        to += nb->frag[i].len;
    }
    return (size_t)(to - (uint8_t *)dst);
}

void netbufs_fini(void)
{
    for (unsigned i = 0; i < nslabs; i++)
        nc_shared_free(&slab[i]);
    nslabs = 0;
    free_list = NULL;
}
