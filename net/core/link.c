/* SPDX-License-Identifier: MIT
 *
 * net/core/link.c: links as the core keeps them: register, poll, batches of
 * outgoing packets, counters.
 *
 * Owns: core.link[], struct core_link. Who calls: drivers (net/core/link.h), the
 * glue (net_link_poll), transmit.c. Context and lock: as in net/core/core.h.
 */
#include <net/core/internal.h>

#define LINK_CAPACITY_GUESS 256u
#define LINK_SHARE_MIN      4u

static void number_name(char *name)
{
    for (unsigned i = 0; i + 1 < LINK_NAME_MAX; i++) {
        if (name[i] != '%' || name[i + 1] != 'd')
            continue;
        name[i + 1] = 0;
        for (char digit = '0'; digit <= '9'; digit++) {
            name[i] = digit;
            if (link_by_name(name) == NULL)
                return;
        }
    }
}

int link_register(struct link *l)
{
    struct core_link *cl;

    if (core.nlinks == NET_LINKS_MAX)
        return -ENFILE;
    cl = nc_alloc(sizeof(*cl));
    if (cl == NULL)
        return -ENOMEM;
    cl->capacity = LINK_CAPACITY_GUESS;
    l->name[LINK_NAME_MAX - 1] = 0;
    number_name(l->name);
    l->index = (uint16_t)core.nlinks;
    l->core = cl;
    l->flags |= LINKF_UP;
    core.link[core.nlinks++] = l;
    core.config_gen++;
    nc_link_added(l);
    return 0;
}

struct link *link_by_index(unsigned index)
{
    return index < core.nlinks ? core.link[index] : NULL;
}

struct link *link_by_name(const char *name)
{
    for (unsigned i = 0; i < core.nlinks; i++)
        if (__builtin_strcmp(core.link[i]->name, name) == 0)
            return core.link[i];
    return NULL;
}

const char *link_name(uint16_t index)
{
    return index < core.nlinks ? core.link[index]->name : NULL;
}

void link_carrier(struct link *l, bool up)
{
    uint32_t was = l->flags;

    l->flags = up ? was | LINKF_RUNNING : was & ~LINKF_RUNNING;
    if (l->flags == was)
        return;
    core.config_gen++;
    if (l->core != NULL)
        nc_log("net: %s: carrier %s", l->name, up ? "up" : "lost");
}

bool net_link_poll(struct link *l, int budget)
{
    int n;

    l->polls++;
    core.batch_ns = nc_now_ns();
    n = l->ops->poll(l, budget);
    core.batch_ns = 0;
    links_flush();
    return n >= budget;
}

void link_rx(struct link *l, const void *frame, size_t len, const struct link_rx_meta *meta)
{
    struct packet p;

    core.c.received++;
    l->rx_frames++;
    l->rx_bytes += len;
    p.frame = frame;
    p.l3_len = len > UINT32_MAX ? UINT32_MAX : (uint32_t)len;
    p.link = l;
    p.csum = meta != NULL ? meta->csum : CSUM_NONE;
    p.gso_size = meta != NULL ? meta->gso_size : 0;
    if (link_core(l)->ntaps != 0)
        tap_frame(l, frame, p.l3_len);
    receive_packet(&p, core_now(), NULL);
}

/* --- outgoing batches --------------------------------------------------------------------- */

static void link_flush(struct link *l)
{
    struct core_link *cl = link_core(l);
    struct netbuf *batch[TX_BATCH];
    unsigned n = 0, taken;

    for (struct netbuf *nb = cl->batch_head; nb != NULL; nb = nb->next) {
        batch[n++] = nb; /* the driver may finish and reuse what it takes */
        if (cl->ntaps != 0)
            tap_netbuf(l, nb);
    }
    if (n == 0)
        return;
    cl->queued += n;
    struct netbuf *list = cl->batch_head;
    cl->batch_head = cl->batch_tail = NULL;
    cl->batch_count = 0;
    taken = l->ops->transmit(l, list);
    /* What it refused was never in. A driver that copies holds nothing, and
     * then nothing is learnt. */
    uint32_t holds = cl->queued - (n - taken);
    if ((taken < n && holds > LINK_SHARE_MIN) || holds > cl->capacity)
        cl->capacity = holds;
    for (unsigned i = taken; i < n; i++)
        netbuf_finish(batch[i], -ENOBUFS, DROP_TX_LINK_FULL);
}

/* An endpoint may hold as much of a link's queue as is still free (dynamic
 * threshold of Choudhury and Hahne, 1998): one bulk sender gets half of it, and
 * another always finds room. */
static bool share_spent(const struct core_link *cl, const struct net_endpoint *e, const struct link *l)
{
    uint32_t held = cl->queued + cl->batch_count;
    uint32_t left = cl->capacity > held ? cl->capacity - held : 0;

    return e->link_inflight[l->index] >= (left > LINK_SHARE_MIN ? left : LINK_SHARE_MIN);
}

/* Drivers take back what the device has finished when they are asked to send. */
static void link_reclaim(struct link *l)
{
    if (link_core(l)->batch_count != 0)
        link_flush(l);
    else
        (void)l->ops->transmit(l, NULL);
}

bool link_has_room(struct link *l, const struct net_endpoint *e, unsigned n)
{
    const struct core_link *cl = link_core(l);

    for (unsigned try = 0; try < 2; try++) {
        uint32_t held = cl->queued + cl->batch_count;

        /* An idle link is tried whatever it has held so far. */
        if (held == 0 || held + e->link_inflight[l->index] + 2 * n <= cl->capacity)
            return true;
        if (try == 0)
            link_reclaim(l);
    }
    return false;
}

void link_queue(struct link *l, struct netbuf *nb)
{
    struct core_link *cl = link_core(l);
    struct net_endpoint *e = nb->owner;
    bool spent = e != NULL && share_spent(cl, e, l);

    if (spent) {
        link_reclaim(l);
        spent = share_spent(cl, e, l);
    }
    nb->link = l;
    nb->next = NULL;
    if (e != NULL) {
        e->inflight++;
        e->link_inflight[l->index]++;
    }
    if (spent) {
        cl->queued++;
        netbuf_finish(nb, -ENOBUFS, DROP_TX_LINK_FULL); /* C-TX-7 */
        return;
    }
    if (cl->batch_tail != NULL)
        cl->batch_tail->next = nb;
    else
        cl->batch_head = nb;
    cl->batch_tail = nb;
    if (++cl->batch_count == TX_BATCH)
        link_flush(l);
}

void links_flush(void)
{
    for (unsigned i = 0; i < core.nlinks; i++)
        if (link_core(core.link[i])->batch_count != 0)
            link_flush(core.link[i]);
    wake_flush();
}
