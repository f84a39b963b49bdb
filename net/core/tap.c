/* SPDX-License-Identifier: MIT
 *
 * net/core/tap.c: copies of every frame of a link for who may watch.
 *
 * Owns: the taps in struct core_link. A tap's copies are outside the books of
 * received and delivered packets; what its ring cannot take is counted on the
 * ring (rx_dropped). Context and lock: as in net/core/core.h.
 */
#include <net/core/internal.h>

int tap_open(struct net_endpoint *e, uint32_t link)
{
    struct link *l = link_by_index(link);
    struct core_link *cl;

    if (e->owner == NULL || e->failed)
        return -EINVAL;
    if (!endpoint_has(e, RIGHT_NET_TAP))
        return owner_refuse(e->owner, "net.tap");
    if (l == NULL)
        return -ENODEV;
    cl = link_core(l);
    for (unsigned i = 0; i < cl->ntaps; i++)
        if (cl->tap[i] == e)
            return 0;
    if (cl->ntaps == TAPS_MAX)
        return -EBUSY;
    cl->tap[cl->ntaps++] = e;
    return 0;
}

void tap_forget(struct net_endpoint *e)
{
    for (unsigned i = 0; i < core.nlinks; i++) {
        struct core_link *cl = link_core(core.link[i]);

        for (unsigned t = 0; t < cl->ntaps; t++)
            if (cl->tap[t] == e)
                cl->tap[t--] = cl->tap[--cl->ntaps];
    }
}

void tap_frame(struct link *l, const uint8_t *frame, uint32_t len)
{
    struct core_link *cl = link_core(l);
    struct net_rx meta = {.kind = RX_PACKET, .link = l->index, .time_ns = core_now()};

    meta.l2_len = (l->flags & LINKF_ETHERNET) != 0 ? ETH_HDR : 0;
    for (unsigned i = 0; i < cl->ntaps; i++) {
        struct net_endpoint *e = cl->tap[i];

        if (ring_put(e, &meta, frame, len))
            cl->tapped++;
        else
            cl->tap_dropped++;
        endpoint_wake(e);
    }
}

void tap_netbuf(struct link *l, const struct netbuf *nb)
{
    uint8_t *flat = nb->head;

    if ((l->flags & LINKF_LOOPBACK) != 0)
        return; /* seen when it comes back in */
    if (nb->nfrags != 0) {
        flat = core_bounce();
        if (flat == NULL)
            return;
        netbuf_flatten(nb, flat);
    }
    tap_frame(l, flat, nb->total_len);
}
