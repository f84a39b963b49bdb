/* SPDX-License-Identifier: MIT
 *
 * net/stack/path_mtu.c: paths that carry less than their first link (RFC 1191,
 * RFC 8201).
 *
 * Owns: ns->path_mtu, a small table by destination. What is learnt holds for ten
 * minutes (RFC 1191 6.3), one minute when nobody said so and TCP found out by
 * itself: that may have been an outage. Then the path is taken at its link's word
 * again; for another ten minutes the table remembers, so that a path that is
 * narrow still costs one time-out only.
 *
 * Called by ip_output.c (routes), icmp.c and tcp_mtu.c. Context: netstack.h.
 */
#include <net/stack/tcp.h>

#define HOLD_NS    (600 * NS_SEC)
#define SUSPECT_NS (60 * NS_SEC)

static struct path_mtu *find(struct netstack *ns, const struct net_addr *dst)
{
    for (uint32_t i = 0; i < ns->path_mtus; i++)
        if (addr_equal(&ns->path_mtu[i].dst, dst))
            return &ns->path_mtu[i];
    return NULL;
}

/* A free one, or the one that would end first. */
static struct path_mtu *place(struct netstack *ns)
{
    struct path_mtu *first = &ns->path_mtu[0];

    if (ns->path_mtus < PATH_MTUS)
        return &ns->path_mtu[ns->path_mtus++];
    for (uint32_t i = 1; i < PATH_MTUS; i++)
        if (ns->path_mtu[i].until_ns < first->until_ns)
            first = &ns->path_mtu[i];
    return first;
}

static void arm(struct netstack *ns)
{
    uint64_t next = NS_NEVER;

    for (uint32_t i = 0; i < ns->path_mtus; i++)
        if (ns->path_mtu[i].until_ns < next)
            next = ns->path_mtu[i].until_ns;
    if (next != NS_NEVER)
        timer_set(ns, &ns->path_mtu_timer, next);
}

void path_mtu_learn(struct netstack *ns, const struct net_addr *dst, uint16_t mtu, bool told)
{
    struct path_mtu *p = find(ns, dst);
    bool again = p != NULL;

    if (p == NULL)
        p = place(ns);
    p->dst = *dst;
    if (!again || !p->holds || mtu < p->mtu)
        p->mtu = mtu;
    p->holds = true;
    p->until_ns = ns->now + (told || again ? HOLD_NS : SUSPECT_NS);
    arm(ns);
}

uint16_t path_mtu_limit(struct netstack *ns, const struct net_addr *dst, uint16_t mtu)
{
    const struct path_mtu *p = ns->path_mtus != 0 ? find(ns, dst) : NULL;

    return p != NULL && p->holds && p->mtu < mtu ? p->mtu : mtu;
}

uint16_t path_mtu_remembered(struct netstack *ns, const struct net_addr *dst)
{
    const struct path_mtu *p = find(ns, dst);

    return p != NULL ? p->mtu : 0;
}

static void expire(struct netstack *ns, struct ns_timer *timer)
{
    (void)timer;
    for (uint32_t i = ns->path_mtus; i-- > 0;) {
        struct path_mtu *p = &ns->path_mtu[i];
        struct net_addr dst = p->dst;

        if (p->until_ns > ns->now)
            continue;
        if (!p->holds) {
            *p = ns->path_mtu[--ns->path_mtus];
            continue;
        }
        p->holds = false;
        p->until_ns = ns->now + HOLD_NS;
        ip_route_flush(ns);
        tcp_mtu_raise(ns, &dst); /* C-MTU-3 */
    }
    arm(ns);
}

void path_mtu_init(struct netstack *ns)
{
    ns->path_mtu_timer.fn = expire;
    ns->path_mtu_timer.when = NS_NEVER;
}
