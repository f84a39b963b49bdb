/* SPDX-License-Identifier: MIT
 *
 * servers/netd/main.c: rings, the event loop, requests of other servers.
 */
#include "netd.h"
#include <slipway/initproto.h>
#include <stdlib.h>
#include <string.h>

static struct netd netd;

/* --- what comes in by the slots -------------------------------------------- */

/* Next hop of an unresolved packet: the kernel's route table says. */
static bool next_hop(const uint8_t *packet, uint16_t *link, uint8_t hop[4])
{
    struct net_route_info io = {.family = NET_INET, .link = *link};
    memcpy(io.dst.b, packet + 16, 4);
    if (sys_net_info(NETINFO_LOOKUP, 0, &io, sizeof(io)) < 0)
        return false;
    *link = io.link;
    memcpy(hop, io.gateway.b, 4);
    return true;
}

static void on_neighbour(struct netd *n, const struct net_rx *rx, const uint8_t *p)
{
    if (rx->kind == RX_UNRESOLVED) {
        uint16_t link = rx->link;
        uint8_t hop[4];
        const uint8_t *ip = p + rx->l2_len;
        size_t len = rx->len - rx->l2_len;
        if (len >= 20 && ip[0] >> 4 == 4 && next_hop(ip, &link, hop))
            arp_resolve(&n->arp, link, hop, ip, len, rx->time_ns);
        else if (len >= 40 && ip[0] >> 4 == 6)
            ip6_unresolved(n, link, ip, len, rx->time_ns);
    } else if (rx->l2_len == 14 && rx->len >= 14 && p[12] == 0x08 && p[13] == 0x06) {
        arp_input(&n->arp, rx->link, p, rx->len, rx->time_ns);
    } else if (rx->l2_len == 14 && rx->len >= 14 && p[12] == 0x86 && p[13] == 0xdd) {
        nd_input(&n->nd, rx->link, p + 14, rx->len - 14, rx->csum != CSUM_NONE, p + 6, rx->time_ns);
    }
}

static void on_fragment(struct netd *n, const struct net_rx *rx, const uint8_t *p)
{
    size_t whole_len;
    uint8_t *whole = frag_input(&n->frag, p + rx->l2_len, rx->len - rx->l2_len, rx->time_ns, &whole_len);
    if (whole) {
        ns_send_raw(n->stack, whole, whole_len, TX_INJECT, rx->link, NULL);
        free(whole);
    }
}

static void on_packet(struct netd *n, unsigned slot, const struct net_rx *rx, const uint8_t *p)
{
    if (rx->l2_len > rx->len)
        return;
    switch (slot) {
    case SLOT_NEIGHBOUR:
        on_neighbour(n, rx, p);
        break;
    case SLOT_DHCP:
        links_dhcp_input(n, rx->link, p + rx->l2_len, rx->len - rx->l2_len, rx->time_ns);
        break;
    case SLOT_FRAGMENTS:
        on_fragment(n, rx, p);
        break;
    default: /* unbound: libnet answers with RST or port unreachable */
        netstack_input(n->stack, rx, p);
        break;
    }
}

static void drain(struct netd *n, unsigned slot)
{
    struct net_ring *r = n->slot[slot].ring;
    uint32_t *tail = &n->slot[slot].rx_tail;
    for (int i = 0; i < NETD_TURN_BUDGET; i++) {
        const struct net_rx *rx = ns_ring_peek(r, tail);
        if (!rx)
            return;
        on_packet(n, slot, rx, (const uint8_t *)(rx + 1));
        ns_ring_pop(r, tail, rx);
    }
}

/* --- requests -------------------------------------------------------------- */

static void answer_request(struct netd *n)
{
    struct sys_msg m;
    uint32_t index = 0;

    if (sys_recv(n->endpoint, &m, 0) != 0 || m.token == 0)
        return;
    uint64_t token = m.token; /* the answer is built in the same place */
    int adopted = m.type == NETD_ADOPT ? adopt_request(n, m.handle) : -1;
    int resolving = m.type == NETD_RESOLVE ? names_resolve(n, &m, sys_now_ns()) : -1;
    if (m.handle >= 0)
        sys_handle_close(m.handle);
    if (m.len >= sizeof(index))
        memcpy(&index, m.data, sizeof(index));
    switch (m.type) {
    case NETD_LINK: {
        struct netd_link l;
        int r = links_status(n, index, &l);
        sys_msg_set(&m, (uint32_t)r, &l, r == 0 ? sizeof(l) : 0);
        break;
    }
    case NETD_DNS: {
        struct netd_dns d;
        links_dns(n, &d);
        sys_msg_set(&m, 0, &d, sizeof(d));
        break;
    }
    case NETD_RESOLVE:
        if (resolving == 0)
            return; /* the reply comes with the answer */
        sys_msg_set(&m, (uint32_t)resolving, NULL, 0);
        break;
    case NETD_CLOCK: {
        struct netd_clock c;
        clock_status(n, &c);
        sys_msg_set(&m, 0, &c, sizeof(c));
        break;
    }
    case NETD_ADOPT:
        sys_msg_set(&m, (uint32_t)adopted, NULL, 0);
        break;
    case NETD_ADOPTED: {
        struct netd_adopted a;
        adopt_status(n, &a);
        sys_msg_set(&m, 0, &a, sizeof(a));
        break;
    }
    case NETD_RENEW:
        sys_msg_set(&m, (uint32_t)links_renew(n, index, sys_now_ns()), NULL, 0);
        break;
    default:
        sys_msg_set(&m, (uint32_t)-ENOSYS, NULL, 0);
        break;
    }
    sys_reply(token, &m);
}

/* What an earlier netd resolved goes on, but must end some day. */
static void adopt_neighbours(struct netd *n)
{
    struct net_neigh_info i;
    uint64_t now_ns = sys_now_ns();

    for (uint64_t at = 0; at < ARP_ENTRIES + ND_ENTRIES; at++) {
        if (sys_net_info(NETINFO_NEIGH, at, &i, sizeof(i)) != (int64_t)sizeof(i))
            return;
        if (i.entry.family == NET_INET && i.entry.state == NEIGH_REACHABLE)
            arp_adopt(&n->arp, i.entry.link, i.entry.addr.b, i.entry.mac, i.age_ns, now_ns);
        else if (i.entry.family == NET_INET6)
            ip6_adopt(n, &i, now_ns);
    }
}

/* --- start and loop -------------------------------------------------------- */

static void fail(const char *what, int r)
{
    sys_logf(SYS_LOG_ERROR, "%s: error %d", what, -r);
    exit(1);
}

static void open_slots(struct netd *n)
{
    for (unsigned i = 0; i < NETD_SLOTS; i++) {
        /* Only the ICMP slot's ring sends; the others need the least. */
        struct sys_net_open o = {.rx_bytes = NET_RING_RX_MIN};
        if (i == SLOT_ICMP)
            o.arena_bytes = 256 * 1024;
        if (i == SLOT_FRAGMENTS) /* the largest datagram's pieces come in one go */
            o.rx_bytes = 2 * NET_RING_RX_MIN;
        int h = sys_net_open(&o);
        if (h < 0)
            fail("cannot open a packet ring", h);
        n->slot[i].handle = h;
        n->slot[i].ring = (struct net_ring *)(uintptr_t)o.base;
    }
}

static void claim_slots(struct netd *n)
{
    for (unsigned i = 0; i < NETD_SLOTS; i++) {
        int r = sys_slot_register(n->slot[i].handle, i);
        if (r < 0)
            fail("cannot own a default slot", r);
    }
}

static uint64_t earliest(struct netd *n)
{
    uint64_t d = netstack_deadline(n->stack), t = arp_deadline(&n->arp);
    d = t < d ? t : d;
    t = frag_deadline(&n->frag);
    d = t < d ? t : d;
    t = nd_deadline(&n->nd);
    d = t < d ? t : d;
    t = names_deadline(n);
    d = t < d ? t : d;
    t = clock_deadline(n);
    d = t < d ? t : d;
    t = adopt_deadline(n);
    d = t < d ? t : d;
    return n->dhcp_next_ns < d ? n->dhcp_next_ns : d;
}

static void run_timers(struct netd *n)
{
    uint64_t now_ns = sys_now_ns();
    arp_run(&n->arp, now_ns);
    nd_run(&n->nd, now_ns);
    frag_run(&n->frag, now_ns);
    links_run(n, now_ns);
    if (names_deadline(n) <= now_ns)
        names_run(n, now_ns);
    if (clock_deadline(n) <= now_ns)
        clock_run(n, now_ns);
}

int main(int argc, char **argv)
{
    static const struct ns_config config = {.sockets_max = 16, .icmp_echo_reply = true, .reset_unbound = true};
    struct netd *n = &netd;
    struct wait_item items[NETD_SLOTS + 3] = {0};
    struct ns_env stack_env;
    struct arp_env arp_env;

    netd_env_fill(n, &stack_env, &arp_env);
    arp_init(&n->arp, &arp_env);
    frag_init(&n->frag, n, stack_env.alloc, stack_env.free);
    n->frag.expired = netd_fragment_expired;
    open_slots(n);
    int r = netstack_create(&n->stack, &stack_env, &config, n->slot[SLOT_ICMP].ring);
    if (r < 0)
        fail("cannot start the protocol stack", r);
    claim_slots(n);
    n->endpoint = sys_endpoint_create(16);
    if (n->endpoint < 0 || (r = sys_name_register("netd", n->endpoint)) < 0)
        fail("cannot serve under the name netd", n->endpoint < 0 ? n->endpoint : r);
    links_init(n, argc, argv);
    ip6_init(n);
    names_init(n);
    clock_init(n);
    adopt_neighbours(n);
    sys_ready();

    for (unsigned i = 0; i < NETD_SLOTS; i++)
        items[i] = (struct wait_item){.kind = WAIT_HANDLE, .handle = n->slot[i].handle, .want = READY_IN};
    items[NETD_SLOTS] = (struct wait_item){.kind = WAIT_HANDLE, .handle = n->endpoint, .want = READY_IN};
    for (;;) {
        uint64_t deadline_ns = earliest(n);
        if (deadline_ns <= sys_now_ns()) {
            run_timers(n);
            deadline_ns = earliest(n);
        }
        unsigned nitems = NETD_SLOTS + 1, names = 0;
        if (n->names.side.stack)
            items[names = nitems++] =
                (struct wait_item){.kind = WAIT_HANDLE, .handle = n->names.side.handle, .want = READY_IN};
        if (n->adopt.side.stack)
            items[nitems++] =
                (struct wait_item){.kind = WAIT_HANDLE, .handle = n->adopt.side.handle, .want = READY_IN};
        /* wait() first transmits what the turn before put into the rings. */
        r = sys_wait(items, nitems, deadline_ns);
        if (r < 0 && r != -ETIMEDOUT && r != -EAGAIN && r != -EINTR)
            fail("wait", r);
        for (unsigned i = 0; r < 0 && i < nitems; i++)
            items[i].got = 0;
        for (unsigned i = 0; i < NETD_SLOTS; i++)
            if (i != SLOT_ICMP && items[i].got)
                drain(n, i);
        netstack_run(n->stack, NETD_TURN_BUDGET);
        adopt_run(n);
        if (names != 0 && items[names].got) {
            names_run(n, sys_now_ns());
            clock_run(n, sys_now_ns());
        }
        if (items[NETD_SLOTS].got & READY_IN)
            answer_request(n);
    }
}
