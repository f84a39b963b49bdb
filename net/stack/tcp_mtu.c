/* SPDX-License-Identifier: MIT
 *
 * net/stack/tcp_mtu.c: the largest segment that a path carries (RFC 1191, RFC
 * 8201), also where no ICMP error comes back (RFC 4821's black holes).
 *
 * Owns: a connection's path.mtu after its start, and the trial: when full
 * segments time out twice, smaller ones are tried, each size for one time-out.
 * The first that gets through is the path's (path_mtu.c); when none does, the
 * connection has its own back for a time-out and then tries them anew: what made
 * a small one fail may have been an outage.
 *
 * Called by icmp.c (by way of tcp_error), tcp_timer.c, tcp_ack.c and path_mtu.c.
 * Context: netstack.h.
 */
#include <net/stack/tcp.h>

enum { NO_TRIAL = 0, TRYING };

#define TIMEOUTS_BEFORE 1u /* the second begins the trial */

/* Sizes of packets that are tried: what tunnels and old links leave over. IPv6
 * has no path below 1280 (RFC 8200 5), IPv4 none that matters below 576. */
static uint16_t next_smaller(const struct tcb *t, uint32_t than)
{
    static const uint16_t sizes[] = {1500, 1400, 1280, 576};
    uint16_t known = path_mtu_remembered(t->s.ns, &t->node.raddr);

    if (known != 0 && known < than && t->mtu_trial == NO_TRIAL)
        return known;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        if (sizes[i] < than && (net_family(t->node.net) == NET_INET || sizes[i] >= 1280)) /* C-MTU-2 */
            return sizes[i];
    return 0;
}

static void set_mtu(struct tcb *t, uint16_t mtu)
{
    t->path.mtu = mtu;
    tcb_set_mss(t);
}

/* A retransmission timer has fired; what goes out next goes by snd_mss. */
void tcp_mtu_timeout(struct tcb *t) /* C-MTU-4 */
{
    bool known = path_mtu_remembered(t->s.ns, &t->node.raddr) != 0;
    uint32_t text = t->snd_max - t->snd_una < t->snd_mss ? t->snd_max - t->snd_una : t->snd_mss;
    uint16_t next;

    if (t->state < TCP_ESTABLISHED || (t->path.flags & LINKF_LOOPBACK) ||
        (!known && t->backoff < TIMEOUTS_BEFORE) || t->snd_wnd == 0)
        return;
    next = next_smaller(t, text + t->path.mtu - t->snd_mss); /* than the packet that was lost */
    if (next == 0) {
        if (t->mtu_trial == TRYING) {
            set_mtu(t, t->mtu_before);
            t->mtu_trial = NO_TRIAL;
        }
        return;
    }
    if (t->mtu_trial == NO_TRIAL) {
        t->mtu_trial = TRYING;
        t->mtu_before = t->path.mtu;
        t->mtu_una = t->snd_una;
    }
    t->s.ns->count.mtu_trials++;
    set_mtu(t, next);
}

/* snd_una has advanced while mtu_trial was set. */
void tcp_mtu_acked(struct tcb *t)
{
    uint8_t trial = t->mtu_trial;

    t->mtu_trial = NO_TRIAL;
    if (trial != TRYING)
        return;
    if (t->snd_una - t->mtu_una > t->snd_mss) { /* more than went out small: a full one was only late */
        set_mtu(t, t->mtu_before);
        return;
    }
    t->s.ns->count.mtu_blackholes++;
    path_mtu_learn(t->s.ns, &t->node.raddr, t->path.mtu, false);
    ip_route_flush(t->s.ns);
}

/* A router's word about a segment that is in flight (the caller has looked). */
void tcp_mtu_told(struct tcb *t, uint16_t mtu)
{
    if (mtu >= t->path.mtu || mtu < 68)
        return;
    t->s.ns->count.mtu_told++;
    t->mtu_trial = NO_TRIAL;
    set_mtu(t, mtu);
    tcp_rewind(t); /* what was too big goes again, smaller */
    tcp_output(t);
}

/* What was learnt about dst has grown old: its connections use the whole path
 * again. What is too big draws an ICMP error or one time-out. */
void tcp_mtu_raise(struct netstack *ns, const struct net_addr *dst)
{
    const struct ip_path *path;

    for (uint32_t i = 0; i < ns->socks_room; i++) {
        struct tcb *t = (struct tcb *)ns->socks[i];

        if (t == NULL || t->s.type != NS_STREAM || !t->hashed || !addr_equal(&t->node.raddr, dst) ||
            t->mtu_trial == TRYING || ip_route(ns, t->node.net, dst, &path) != 0 ||
            path->mtu <= t->path.mtu)
            continue;
        ns->count.mtu_raised++;
        set_mtu(t, path->mtu);
    }
}
