/* SPDX-License-Identifier: MIT
 *
 * servers/netd/env.c: the outside world of libnet and of ARP, by system calls.
 */
#include "netd.h"
#include <libc/netenv.h>
#include <net/stack/checksum.h>
#include <string.h>

#define LOG_BURST   16 /* lines */
#define LOG_EACH_NS 1000000000ull

/* --- libnet ---------------------------------------------------------------- */

static int env_port_register(void *ctx, struct net_port_op *op)
{
    struct netd *n = ctx;
    op->endpoint = n->slot[SLOT_ICMP].handle;
    return sys_port_register(op);
}

static int env_port_unregister(void *ctx, const struct net_port_op *op)
{
    (void)ctx;
    return sys_port_unregister(op);
}

/* --- stacks beside the one of the slots -------------------------------------- */

static int side_register(void *ctx, struct net_port_op *op)
{
    op->endpoint = ((struct netd_side *)ctx)->handle;
    return sys_port_register(op);
}

static int side_unregister(void *ctx, const struct net_port_op *op)
{
    struct net_port_op mine = *op;
    mine.endpoint = ((struct netd_side *)ctx)->handle;
    return sys_port_unregister(&mine);
}

struct netstack *netd_side_open(struct netd_side *s, const struct ns_config *config, struct sys_net_open rings)
{
    struct ns_env env;

    if (s->stack)
        return s->stack;
    s->handle = sys_net_open(&rings);
    if (s->handle < 0)
        return NULL;
    net_env_fill(&env, s);
    env.port_register = side_register;
    env.port_unregister = side_unregister;
    if (netstack_create(&s->stack, &env, config, (struct net_ring *)(uintptr_t)rings.base) < 0) {
        s->stack = NULL;
        sys_handle_close(s->handle);
    }
    return s->stack;
}

/* --- ARP ------------------------------------------------------------------- */

static void arp_send(void *ctx, uint16_t link, const void *frame, size_t len)
{
    struct netd *n = ctx;
    ns_send_raw(n->stack, frame, len, TX_FRAME, link, NULL);
}

static void arp_learn(void *ctx, uint16_t link, const uint8_t ip[4], const uint8_t mac[6], enum neigh_state state)
{
    struct net_config c = {.kind = state == NEIGH_NONE ? NETCFG_NEIGH_DEL : NETCFG_NEIGH_SET,
                           .link = link, .family = NET_INET, .prefix = 32, .state = (uint8_t)state};
    (void)ctx;
    memcpy(c.addr.b, ip, 4);
    memcpy(c.mac, mac, 6);
    int r = sys_net_config(&c);
    if (r < 0 && r != -ENOENT)
        sys_logf(SYS_LOG_WARN, "neighbour %u.%u.%u.%u: error %d", ip[0], ip[1], ip[2], ip[3], -r);
}

static void arp_resend(void *ctx, uint16_t link, const uint8_t mac[6], const void *packet, size_t len)
{
    struct netd *n = ctx;
    ns_send_raw(n->stack, packet, len, TX_RESEND, link, mac);
}

/* Nobody answered: tell the sender, a process of this host, with an ICMP host
 * unreachable (RFC 1122 section 3.2.2.1) that comes from its own address. */
static void arp_unreachable(void *ctx, uint16_t link, const void *packet, size_t len)
{
    struct netd *n = ctx;
    const uint8_t *p = packet;
    uint8_t m[20 + 8 + 60 + 8] = {0x45};
    (void)link;
    size_t hlen = len >= 20 ? (size_t)(p[0] & 15) * 4 : 0;
    if (hlen < 20 || len < hlen || p[9] == NET_ICMP)
        return;
    size_t quote = len < hlen + 8 ? len : hlen + 8, total = 28 + quote;
    m[3] = (uint8_t)total;
    m[8] = 64;
    m[9] = NET_ICMP;
    memcpy(m + 12, p + 12, 4);
    memcpy(m + 16, p + 12, 4);
    uint16_t sum = csum_finish(csum_20(m));
    memcpy(m + 10, &sum, 2);
    m[20] = 3; /* destination unreachable */
    m[21] = 1; /* host */
    memcpy(m + 28, p, quote);
    sum = csum_finish(csum_bytes(0, m + 20, total - 20));
    memcpy(m + 22, &sum, 2);
    ns_send_raw(n->stack, m, total, TX_INJECT, LINK_ANY, NULL);
}

static bool arp_own_mac(void *ctx, uint16_t link, uint8_t mac[6])
{
    struct netd *n = ctx;
    if (link >= NETD_LINKS_MAX || !n->links[link].present || !(n->links[link].info.flags & LINKF_ETHERNET))
        return false;
    memcpy(mac, n->links[link].info.mac, 6);
    return true;
}

/* The n-th address of the kernel's table; false after the last. */
static bool nth_address(uint64_t i, struct net_config *a)
{
    return sys_net_info(NETINFO_ADDR, i, a, sizeof(*a)) == (int64_t)sizeof(*a);
}

static bool arp_own_address(void *ctx, uint16_t link, const uint8_t ip[4])
{
    struct net_config a;
    (void)ctx;
    for (uint64_t i = 0; i < 256 && nth_address(i, &a); i++)
        if (a.family == NET_INET && a.link == link && memcmp(a.addr.b, ip, 4) == 0)
            return true;
    return false;
}

/* An address in the target's own subnet, so that a strict neighbour answers. */
static bool arp_source(void *ctx, uint16_t link, const uint8_t target[4], uint8_t ip[4])
{
    struct net_config a;
    bool found = false;
    (void)ctx;
    for (uint64_t i = 0; i < 256 && nth_address(i, &a); i++) {
        if (a.family != NET_INET || a.link != link)
            continue;
        uint32_t mask = a.prefix == 0 ? 0 : 0xffffffffu << (32 - (a.prefix > 32 ? 32 : a.prefix)), diff = 0;
        for (int k = 0; k < 4; k++)
            diff = diff << 8 | (uint32_t)(a.addr.b[k] ^ target[k]);
        if (!found || !(diff & mask))
            memcpy(ip, a.addr.b, 4);
        found = true;
        if (!(diff & mask))
            return true;
    }
    return found;
}

/* What anybody on a link can have us say: a line a second, and LOG_BURST at once. A slow
 * console would hold up the machine otherwise. */
bool netd_may_log(struct netd *n)
{
    uint64_t now_ns = sys_now_ns();

    if (n->log_ns > now_ns + LOG_BURST * LOG_EACH_NS) {
        n->log_left_out++;
        return false;
    }
    n->log_ns = (n->log_ns > now_ns ? n->log_ns : now_ns) + LOG_EACH_NS;
    if (n->log_left_out != 0)
        sys_logf(SYS_LOG_WARN, "%lu lines left out", (unsigned long)n->log_left_out);
    n->log_left_out = 0;
    return true;
}

static void arp_conflict(void *ctx, uint16_t link, const uint8_t ip[4], const uint8_t mac[6])
{
    if (netd_may_log(ctx))
        sys_logf(SYS_LOG_WARN, "%u.%u.%u.%u is in use by %02x:%02x:%02x:%02x:%02x:%02x", ip[0], ip[1], ip[2],
                 ip[3], mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
    links_conflict(ctx, link, ip, sys_now_ns());
}

static void arp_probed(void *ctx, uint16_t link, const uint8_t ip[4])
{
    links_probed(ctx, link, ip);
}

void netd_fragment_expired(void *ctx, const uint8_t *quote, size_t len)
{
    struct netd *n = ctx;
    ns_reassembly_expired(n->stack, quote, len);
}

void netd_env_fill(struct netd *n, struct ns_env *s, struct arp_env *a)
{
    net_env_fill(s, n);
    s->port_register = env_port_register;
    s->port_unregister = env_port_unregister;
    *a = (struct arp_env){
        .ctx = n, .send = arp_send, .learn = arp_learn, .resend = arp_resend, .unreachable = arp_unreachable,
        .own_mac = arp_own_mac, .own_address = arp_own_address, .source = arp_source, .conflict = arp_conflict,
        .probed = arp_probed,
        .alloc = s->alloc, .free = s->free,
    };
}
