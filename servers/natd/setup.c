/* SPDX-License-Identifier: MIT
 *
 * servers/natd/setup.c: what natd is to do, and what it needs for that: links,
 * addresses, ports, the slot, the name server that DHCP named.
 */
#include "natd.h"
#include <arpa/inet.h>
#include <errno.h>
#include <libc/netenv.h>
#include <slipway/netdproto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT_LOW     20000u /* below what "any" port gives out */
#define PORT_HIGH    23999u
#define RX_BYTES     (256u * 1024)
#define ARENA_BYTES  (256u * 1024)
#define ICMP_TRIES   50
#define NETD_WAIT_MS 2000

static void __attribute__((noreturn)) fail(const char *what, int r)
{
    sys_logf(SYS_LOG_ERROR, "%s: error %d", what, -r);
    exit(1);
}

static void __attribute__((noreturn)) usage(const char *word)
{
    sys_logf(SYS_LOG_ERROR,
             "%s: expected inside=LINK outside=LINK ports=LOW-HIGH or forward=tcp|udp/PORT:ADDRESS:PORT",
             word);
    exit(2);
}

/* --- arguments --------------------------------------------------------------------- */

static bool is_port(unsigned v)
{
    return v > 0 && v < 65536;
}

static void take_forward(struct natd *n, const char *word, const char *value)
{
    struct nat_config *c = &n->wanted;
    struct nat_forward *f = &c->forward[c->nforwards];
    char proto[4], address[16];
    unsigned from, to;
    struct in_addr a;
    int used = 0;

    if (c->nforwards == NAT_FORWARDS)
        usage(word);
    if (sscanf(value, "%3[a-z]/%u:%15[0-9.]:%u%n", proto, &from, address, &to, &used) != 4 ||
        value[used] != 0 || !is_port(from) || !is_port(to) || inet_pton(AF_INET, address, &a) != 1 ||
        (strcmp(proto, "tcp") != 0 && strcmp(proto, "udp") != 0))
        usage(word);
    *f = (struct nat_forward){.proto = proto[0] == 't' ? NET_TCP : NET_UDP,
                              .outside_port = (uint16_t)from,
                              .inside_port = (uint16_t)to,
                              .inside_addr = a.s_addr};
    c->nforwards++;
}

static void take_word(struct natd *n, const char *word)
{
    unsigned low, high;
    int used = 0;

    if (strncmp(word, "inside=", 7) == 0) {
        snprintf(n->inside_name, sizeof n->inside_name, "%s", word + 7);
    } else if (strncmp(word, "outside=", 8) == 0) {
        snprintf(n->outside_name, sizeof n->outside_name, "%s", word + 8);
    } else if (strncmp(word, "forward=", 8) == 0) {
        take_forward(n, word, word + 8);
    } else if (sscanf(word, "ports=%u-%u%n", &low, &high, &used) == 2 && word[used] == 0 && is_port(low) &&
               is_port(high) && low <= high) {
        n->wanted.port_low = (uint16_t)low;
        n->wanted.port_high = (uint16_t)high;
    } else {
        usage(word);
    }
}

/* --- links and addresses ---------------------------------------------------------------- */

static bool link_by_name(const char *name, struct net_link_info *l)
{
    for (uint64_t i = 0; sys_net_info(NETINFO_LINK, i, l, sizeof *l) == (int64_t)sizeof *l; i++)
        if (strncmp(l->name, name, LINK_NAME_MAX) == 0)
            return true;
    return false;
}

static uint32_t address_of(uint16_t link)
{
    struct net_config a;
    uint32_t addr = 0;

    for (uint64_t i = 0; sys_net_info(NETINFO_ADDR, i, &a, sizeof a) == (int64_t)sizeof a; i++)
        if (a.family == NET_INET && a.link == link && addr == 0)
            memcpy(&addr, a.addr.b, 4);
    return addr;
}

static uint32_t name_server(void)
{
    struct sys_msg m;
    struct netd_dns d;
    uint32_t addr = 0;

    sys_msg_set(&m, NETD_DNS, NULL, 0);
    if (sys_ask("netd", &m, NETD_WAIT_MS) == 0 && m.len >= sizeof d) {
        memcpy(&d, m.data, sizeof d);
        if (d.count > 0)
            memcpy(&addr, d.server[0], 4);
    }
    return addr;
}

void natd_refresh(struct natd *n)
{
    struct net_link_info in, out;
    struct nat_config c = n->wanted;

    if (!link_by_name(n->inside_name, &in) || !link_by_name(n->outside_name, &out))
        return;
    c.inside_addr = address_of(n->inside);
    c.outside_addr = address_of(n->outside);
    c.inside_mtu = in.mtu;
    c.outside_mtu = out.mtu;
    n->inside_bps = in.speed_bps;
    n->outside_bps = out.speed_bps;
    c.strip_stamps = (in.flags & LINKF_VJ) != 0;
    c.dns = name_server();
    if (c.outside_addr != n->nat.config.outside_addr && c.outside_addr != 0) {
        char text[INET_ADDRSTRLEN];
        sys_logf(SYS_LOG_INFO, "%s goes out by %s as %s", n->inside_name, n->outside_name,
                 inet_ntop(AF_INET, &c.outside_addr, text, sizeof text));
    }
    nat_reconfigure(&n->nat, &c);
}

/* --- ports ---------------------------------------------------------------------------------- */

static int own(struct natd *n, uint8_t proto, uint16_t link, unsigned low, unsigned high)
{
    struct net_port_op op = {.key = {.family = NET_INET,
                                     .proto = proto,
                                     .link = link,
                                     .port_lo = (uint16_t)low,
                                     .port_hi = (uint16_t)high},
                             .endpoint = n->net};

    return sys_port_register(&op);
}

static void own_ports(struct natd *n)
{
    const struct nat_config *c = &n->wanted;
    int r = 0;

    if ((r = own(n, NET_TCP, n->outside, c->port_low, c->port_high)) < 0 ||
        (r = own(n, NET_UDP, n->outside, c->port_low, c->port_high)) < 0)
        fail("cannot own the outside ports", r);
    /* A ping of this host may have an identifier in the range for a moment. */
    for (int i = 0;
         i < ICMP_TRIES && (r = own(n, NET_ICMP, n->outside, c->port_low, c->port_high)) == -EADDRINUSE; i++)
        (void)sys_wait(NULL, 0, sys_now_ns() + 100000000);
    if (r < 0)
        fail("cannot own the outside identifiers", r);
    for (unsigned i = 0; i < c->nforwards; i++)
        if ((r = own(n, c->forward[i].proto, n->outside, c->forward[i].outside_port,
                     c->forward[i].outside_port)) < 0)
            sys_logf(SYS_LOG_WARN, "port %u is not forwarded: error %d", c->forward[i].outside_port, -r);
    if ((r = own(n, NET_UDP, n->inside, 53, 53)) < 0 || (r = own(n, NET_TCP, n->inside, 53, 53)) < 0)
        sys_logf(SYS_LOG_WARN, "no name service for %s: error %d", n->inside_name, -r);
}

/* --- what libnet needs to send --------------------------------------------------------------- */

static int env_port(void *ctx, struct net_port_op *op)
{
    (void)ctx, (void)op;
    return -EOPNOTSUPP; /* nobody opens a socket here */
}
static int env_no_port(void *ctx, const struct net_port_op *op)
{
    (void)ctx, (void)op;
    return -EOPNOTSUPP;
}
static void open_ring(struct natd *n)
{
    static const struct ns_config config = {.sockets_max = 1};
    struct ns_env env;
    struct sys_net_open o = {.rx_bytes = RX_BYTES, .arena_bytes = ARENA_BYTES};
    int r;

    n->net = sys_net_open(&o);
    if (n->net < 0)
        fail("cannot open a packet ring", n->net);
    n->ring = (struct net_ring *)(uintptr_t)o.base;
    net_env_fill(&env, n);
    env.port_register = env_port;
    env.port_unregister = env_no_port;
    r = netstack_create(&n->stack, &env, &config, n->ring);
    if (r < 0)
        fail("cannot start the protocol stack", r);
}

void natd_setup(struct natd *n, int argc, char **argv)
{
    struct net_link_info in, out;
    uint64_t key[2];
    int r;

    n->wanted = (struct nat_config){.port_low = PORT_LOW, .port_high = PORT_HIGH};
    strcpy(n->inside_name, "sl0");
    strcpy(n->outside_name, "eth0");
    for (int i = 1; i < argc; i++)
        take_word(n, argv[i]);
    if (!link_by_name(n->inside_name, &in) || !link_by_name(n->outside_name, &out)) {
        sys_logf(SYS_LOG_ERROR, "there is no link %s",
                 link_by_name(n->inside_name, &in) ? n->outside_name : n->inside_name);
        exit(1);
    }
    n->inside = in.index;
    n->outside = out.index;
    sys_random(key, sizeof key, 0);
    r = nat_init(&n->nat, &n->wanted, key);
    if (r < 0)
        fail("sessions", r);
    open_ring(n);
    own_ports(n);
    r = sys_slot_register(n->net, SLOT_FORWARD);
    if (r < 0)
        fail("cannot own the forward slot", r);
    n->endpoint = sys_endpoint_create(16);
    if (n->endpoint < 0 || (r = sys_name_register("natd", n->endpoint)) < 0)
        fail("cannot serve under the name natd", n->endpoint < 0 ? n->endpoint : r);
    natd_refresh(n);
}
