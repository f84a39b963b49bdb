/* SPDX-License-Identifier: MIT
 *
 * servers/netd/ip6.c: IPv6: what neighbour discovery needs from outside, boot
 * options, what a new netd goes on with.
 */
#include "netd.h"
#include <arpa/inet.h>
#include <net/stack/checksum.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const struct net_addr *ip, char text[INET6_ADDRSTRLEN])
{
    return inet_ntop(AF_INET6, ip->b, text, INET6_ADDRSTRLEN);
}

/* --- the outside world of nd.h ------------------------------------------------ */

static void env_send(void *ctx, uint16_t link, const uint8_t *mac, const void *packet, size_t len)
{
    struct netd *n = ctx;
    ns_send_raw(n->stack, packet, len, 0, link, mac);
}

static void env_learn(void *ctx, uint16_t link, const struct net_addr *ip, const uint8_t mac[6],
                      enum neigh_state state)
{
    struct net_config c = {.kind = state == NEIGH_NONE ? NETCFG_NEIGH_DEL : NETCFG_NEIGH_SET,
                           .link = link,
                           .family = NET_INET6,
                           .prefix = 128,
                           .state = (uint8_t)state,
                           .addr = *ip};
    char text[INET6_ADDRSTRLEN];
    (void)ctx;
    memcpy(c.mac, mac, 6);
    int r = sys_net_config(&c);
    if (r < 0 && r != -ENOENT)
        sys_logf(SYS_LOG_WARN, "neighbour %s: error %d", text_of(ip, text), -r);
}

static void env_resend(void *ctx, uint16_t link, const uint8_t mac[6], const void *packet, size_t len)
{
    struct netd *n = ctx;
    ns_send_raw(n->stack, packet, len, TX_RESEND, link, mac);
}

/* Nobody answered: the sender, a process of this host, is told so (RFC 4443 section
 * 3.1, code 3) from its own address. */
static void env_unreachable(void *ctx, uint16_t link, const void *packet, size_t len)
{
    struct netd *n = ctx;
    const uint8_t *p = packet;
    uint8_t m[48 + 96] = {0x60, [6] = NET_ICMP6, 64};
    size_t quote = len < 96 ? len : 96;
    uint8_t pseudo[8] = {[3] = (uint8_t)(8 + quote), [7] = NET_ICMP6};
    (void)link;
    if (len < 48 || p[6] == NET_ICMP6)
        return;
    m[5] = (uint8_t)(8 + quote);
    memcpy(m + 8, p + 8, 16);
    memcpy(m + 24, p + 8, 16);
    m[40] = 1; /* destination unreachable */
    m[41] = 3; /* address */
    memcpy(m + 48, p, quote);
    uint16_t sum =
        csum_finish(csum_bytes(csum_bytes(csum_bytes(0, m + 8, 32), pseudo, 8), m + 40, 8 + quote));
    memcpy(m + 42, &sum, 2);
    ns_send_raw(n->stack, m, 48 + quote, TX_INJECT, LINK_ANY, NULL);
}

static void set(const struct net_config *c, const char *what)
{
    char text[INET6_ADDRSTRLEN];
    int r = sys_net_config(c);
    if (r < 0 && r != -EEXIST && r != -ENOENT)
        sys_logf(SYS_LOG_WARN, "%s %s/%u on link %u: error %d", what, text_of(&c->addr, text), c->prefix,
                 c->link, -r);
}

static void env_address(void *ctx, uint32_t kind, uint16_t link, const struct net_addr *ip, uint8_t prefix,
                        uint32_t flags)
{
    struct net_config c = {
        .kind = kind, .link = link, .family = NET_INET6, .prefix = prefix, .flags = flags, .addr = *ip};
    struct netd *n = ctx;
    char text[INET6_ADDRSTRLEN];
    set(&c, "address");
    if (kind == NETCFG_ADDR_ADD && !(flags & ADDR_DEPRECATED) && netd_may_log(n))
        sys_logf(SYS_LOG_INFO, "%.8s: %s/%u", n->links[link].info.name, text_of(ip, text), prefix);
}

static void env_net_route(void *ctx, uint32_t kind, uint16_t link, const struct net_addr *dst, uint8_t prefix,
                          const struct net_addr *gateway, uint32_t mtu)
{
    struct net_config c = {.kind = kind,
                           .link = link,
                           .family = NET_INET6,
                           .prefix = prefix,
                           .addr = *dst,
                           .gateway = *gateway,
                           .mtu = mtu};
    (void)ctx;
    set(&c, "route");
}

static void env_changed(void *ctx, uint16_t link)
{
    (void)link;
    links_save(ctx); /* and what follows from it */
}

static void env_duplicate(void *ctx, uint16_t link, const struct net_addr *ip, const uint8_t mac[6])
{
    struct netd *n = ctx;
    char text[INET6_ADDRSTRLEN];
    n->links[link].conflicts++;
    if (netd_may_log(n))
        sys_logf(SYS_LOG_WARN, "%s is in use by %02x:%02x:%02x:%02x:%02x:%02x", text_of(ip, text), mac[0],
                 mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static uint32_t env_random32(void *ctx)
{
    uint32_t v = 0;
    (void)ctx;
    sys_random(&v, sizeof(v), RANDOM_NONBLOCK);
    return v;
}

/* --- what comes in --------------------------------------------------------------- */

void ip6_unresolved(struct netd *n, uint16_t link, const uint8_t *packet, size_t len, uint64_t now_ns)
{
    struct net_route_info io = {.family = NET_INET6, .link = link};
    if (len < 40)
        return;
    memcpy(io.dst.b, packet + 24, 16);
    if (sys_net_info(NETINFO_LOOKUP, 0, &io, sizeof(io)) >= 0)
        nd_resolve(&n->nd, io.link, &io.gateway, packet, len, now_ns);
}

void ip6_adopt(struct netd *n, const struct net_neigh_info *i, uint64_t now_ns)
{
    if (i->entry.state == NEIGH_REACHABLE || i->entry.state == NEIGH_STALE)
        nd_adopt(&n->nd, i->entry.link, &i->entry.addr, i->entry.mac, i->age_ns, now_ns);
}

/* --- start -------------------------------------------------------------------------- */

/* ADDR/LEN[,GATEWAY], cut apart. */
static bool parse_static(char *text, struct net_addr *ip, uint8_t *prefix, struct net_addr *gateway)
{
    char *slash = strchr(text, '/'), *comma = strchr(text, ','), *end;

    memset(gateway, 0, sizeof(*gateway));
    if (!slash || (comma && comma < slash))
        return false;
    *slash = 0;
    if (comma)
        *comma = 0;
    unsigned long bits = strtoul(slash + 1, &end, 10);
    *prefix = (uint8_t)bits;
    return inet_pton(AF_INET6, text, ip->b) == 1 && end != slash + 1 && *end == 0 && bits >= 1 &&
           bits <= 128 && (!comma || inet_pton(AF_INET6, comma + 1, gateway->b) == 1);
}

struct fixed { /* what net.ip6= gives the first Ethernet link */
    struct net_addr ip, gateway;
    uint8_t prefix;
};

static void use_fixed(struct netd *n, uint16_t link, const struct fixed *f, uint64_t now_ns)
{
    static const struct net_addr any;

    nd_address_add(&n->nd, link, &f->ip, f->prefix, now_ns);
    if (!nd_any(&f->gateway))
        env_net_route(n, NETCFG_ROUTE_ADD, link, &any, 0, &f->gateway, 0);
}

/* False: every link by itself. */
static bool read_choice(char *choice, struct fixed *f)
{
    char text[96];

    strcpy(text, choice);
    if (strcmp(choice, "auto") == 0)
        return false;
    if (parse_static(text, &f->ip, &f->prefix, &f->gateway))
        return true;
    sys_logf(SYS_LOG_WARN, "net.ip6=%s: want auto, off or ADDRESS/LENGTH[,GATEWAY]", choice);
    return false;
}

/* net.ip6= off: nothing; ADDR/LEN[,GATEWAY]: that for the first Ethernet link, and
 * no word of a router there; else every one by itself. */
void ip6_init(struct netd *n)
{
    struct nd_env env = {.ctx = n,
                         .send = env_send,
                         .learn = env_learn,
                         .resend = env_resend,
                         .unreachable = env_unreachable,
                         .address = env_address,
                         .route = env_net_route,
                         .changed = env_changed,
                         .duplicate = env_duplicate,
                         .random = env_random32};
    static struct nd_kept kept;
    char choice[96], secret[96];
    uint64_t now_ns = sys_now_ns();
    struct ns_env memory;
    struct arp_env unused;

    netd_env_fill(n, &memory, &unused);
    env.alloc = memory.alloc;
    env.free = memory.free;
    nd_init(&n->nd, &env);
    if (!sys_boot_option("net.ip6", choice, sizeof(choice)))
        strcpy(choice, "auto");
    if (strcmp(choice, "off") == 0)
        return;
    if (sys_boot_option("net.ip6-secret", secret, sizeof(secret)))
        nd_secret(&n->nd, secret, strlen(secret));
    struct fixed fixed;
    bool known = links_kept(&kept), first = read_choice(choice, &fixed);
    for (uint16_t i = 0; i < NETD_LINKS_MAX; i++) {
        const struct net_link_info *l = &n->links[i].info;
        if (!n->links[i].present || !(l->flags & LINKF_ETHERNET))
            continue;
        char name[LINK_NAME_MAX + 1] = {0};
        memcpy(name, l->name, LINK_NAME_MAX);
        nd_link_up(&n->nd, i, name, l->mac, l->mtu, !first, known ? &kept : NULL, now_ns);
        if (first)
            use_fixed(n, i, &fixed, now_ns);
        first = false;
    }
}
