/* SPDX-License-Identifier: MIT
 *
 * net/core/loopback.c: the link "lo", and the turn of transmission that goes
 * with its poll.
 *
 * Owns: the queue of packets on their way back in. A packet is queued when it is
 * sent and classified in the next poll, so that neither side ever recurses into
 * the other. Context and lock: as in net/core/core.h.
 */
#include <net/core/internal.h>

#define LOOPBACK_QUEUE 256u
#define LOOPBACK_MTU   65535u

struct link loopback;
static struct netbuf *queue_head, *queue_tail;
static unsigned queue_len;

static unsigned loopback_transmit(struct link *l, struct netbuf *list)
{
    unsigned n = 0;

    while (list != NULL && queue_len < LOOPBACK_QUEUE) {
        struct netbuf *nb = list;

        list = nb->next;
        nb->next = NULL;
        if (queue_tail != NULL)
            queue_tail->next = nb;
        else
            queue_head = nb;
        queue_tail = nb;
        queue_len++;
        n++;
    }
    link_schedule_poll(l);
    return n;
}

static void come_back(struct link *l, struct netbuf *nb)
{
    struct link_rx_meta meta = {.csum = nb->csum};
    uint8_t *flat = nb->head;

    if (nb->nfrags != 0) {
        flat = core_bounce();
        if (flat == NULL) {
            netbuf_finish(nb, -ENOBUFS, DROP_TX_LINK_FULL);
            return;
        }
        netbuf_flatten(nb, flat);
    }
    link_rx(l, flat, nb->total_len, &meta);
    netbuf_done(nb, 0);
}

static int loopback_poll(struct link *l, int budget)
{
    int n = 0;

    while (n < budget && queue_head != NULL) {
        struct netbuf *nb = queue_head;

        queue_head = nb->next;
        if (queue_head == NULL)
            queue_tail = NULL;
        queue_len--;
        come_back(l, nb);
        n++;
    }
    /* Endpoints whose turn of transmission was cut short go on here. */
    return tx_poll(budget) ? budget : n;
}

static int loopback_reset(struct link *l)
{
    (void)l;
    return 0;
}

void loopback_init(struct link *lo)
{
    static const struct link_ops ops = {
        .transmit = loopback_transmit, .poll = loopback_poll, .reset = loopback_reset};

    __builtin_memset(lo, 0, sizeof(*lo));
    __builtin_memcpy(lo->name, "lo", 3);
    lo->mtu = LOOPBACK_MTU;
    lo->flags = LINKF_LOOPBACK | LINKF_RUNNING;
    /* Between local processes a checksum may stay partial: nothing is checked. */
    lo->features = LINKO_TX_CSUM | LINKO_RX_CSUM | LINKO_SG;
    lo->driver = "loopback";
    lo->irq_mode = "none";
    lo->ops = &ops;
}

void loopback_fini(void)
{
    while (queue_head != NULL) {
        struct netbuf *nb = queue_head;

        queue_head = nb->next;
        netbuf_done(nb, -ENETDOWN);
    }
    queue_tail = NULL;
    queue_len = 0;
}
