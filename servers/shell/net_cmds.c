/* SPDX-License-Identifier: MIT
 *
 * servers/shell/net_cmds.c: commands about the network, read from ring 0.
 */
#include "shell.h"
#include <arpa/inet.h>
#include <errno.h>
#include <slipway/natproto.h>
#include <slipway/netdproto.h>
#include <stdio.h>
#include <string.h>

#define TEXT INET6_ADDRSTRLEN

static const char *addr_text(uint8_t family, const struct net_addr *a, char buf[TEXT])
{
    static const struct net_addr any;
    if (memcmp(a, &any, sizeof any) == 0)
        return "*";
    return inet_ntop(family == NET_INET6 ? AF_INET6 : AF_INET, a->b, buf, TEXT);
}

static const char *link_name(uint16_t index, char buf[LINK_NAME_MAX + 1])
{
    struct net_link_info l;

    if (index == LINK_ANY)
        return "*";
    snprintf(buf, LINK_NAME_MAX + 1, "%u", index);
    for (uint64_t i = 0; sys_net_info(NETINFO_LINK, i, &l, sizeof l) > 0; i++) {
        if (l.index == index) {
            memcpy(buf, l.name, LINK_NAME_MAX);
            buf[LINK_NAME_MAX] = 0;
        }
    }
    return buf;
}

static void mac_text(const uint8_t m[6], char buf[18])
{
    snprintf(buf, 18, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

static void show_addresses(uint16_t link)
{
    struct net_config c;
    char text[TEXT];

    for (uint64_t i = 0; sys_net_info(NETINFO_ADDR, i, &c, sizeof c) > 0; i++)
        if (c.link == link)
            printf("      %s %s/%u%s%s%s\n", c.family == NET_INET6 ? "inet6" : "inet",
                   addr_text(c.family, &c.addr, text), c.prefix, c.flags & ADDR_TENTATIVE ? " tentative" : "",
                   c.flags & ADDR_STATIC ? " static" : "",
                   c.family == NET_INET6 && (c.flags & ADDR_DEPRECATED) ? " deprecated" : "");
}

static void show_link(const struct net_link_info *l)
{
    char mac[18];

    printf("%-5.8s %s%s%s mtu %u driver %.16s", l->name, l->flags & LINKF_UP ? "up" : "down",
           l->flags & LINKF_RUNNING ? " running" : " no-carrier",
           l->flags & LINKF_POINTOPOINT ? " point-to-point" : "", (unsigned)l->mtu, l->driver);
    if (l->irq_mode[0] != 0)
        printf(" irq %.12s %u", l->irq_mode, (unsigned)l->irq);
    putchar('\n');
    if (l->flags & LINKF_ETHERNET) {
        mac_text(l->mac, mac);
        printf("      ether %s\n", mac);
    }
    show_addresses(l->index);
    printf("      rx %llu frames %llu bytes, %llu errors %llu missed\n", (unsigned long long)l->rx_frames,
           (unsigned long long)l->rx_bytes, (unsigned long long)l->rx_errors,
           (unsigned long long)l->rx_missed);
    printf("      tx %llu frames %llu bytes, %llu errors; %llu interrupts %llu polls %llu resets\n",
           (unsigned long long)l->tx_frames, (unsigned long long)l->tx_bytes,
           (unsigned long long)l->tx_errors, (unsigned long long)l->interrupts, (unsigned long long)l->polls,
           (unsigned long long)l->resets);
    if (l->framing_errors + l->overruns + l->oversize + l->escapes > 0)
        printf("      serial: %llu framing %llu overrun %llu oversize %llu bad escapes\n",
               (unsigned long long)l->framing_errors, (unsigned long long)l->overruns,
               (unsigned long long)l->oversize, (unsigned long long)l->escapes);
    if (l->drain_ns != 0)
        printf("      at most: %llu bytes in queue; FIFO empty after %llu us, interrupts late by %llu us\n",
               (unsigned long long)l->queue_bytes, (unsigned long long)l->drain_ns / 1000,
               (unsigned long long)l->late_ns / 1000);
    if (l->flags & LINKF_VJ)
        printf("      headers compressed: rx %llu tx %llu\n", (unsigned long long)l->rx_compressed,
               (unsigned long long)l->tx_compressed);
}

int cmd_ifconfig(int argc, char **argv)
{
    struct net_link_info l;

    (void)argc, (void)argv;
    for (uint64_t i = 0; sys_net_info(NETINFO_LINK, i, &l, sizeof l) > 0 && !shell_interrupted(); i++)
        show_link(&l);
    return 0;
}

int cmd_arp(int argc, char **argv)
{
    static const char *const states[] = {"none", "incomplete", "reachable", "stale", "permanent", "failed"};
    struct net_neigh_info n;
    char text[TEXT], name[LINK_NAME_MAX + 1], mac[18];

    (void)argc, (void)argv;
    printf("%-26s %-18s %-6s %-10s AGE\n", "ADDRESS", "MAC", "LINK", "STATE");
    for (uint64_t i = 0; sys_net_info(NETINFO_NEIGH, i, &n, sizeof n) > 0 && !shell_interrupted(); i++) {
        mac_text(n.entry.mac, mac);
        printf("%-26s %-18s %-6s %-10s %us\n", addr_text(n.entry.family, &n.entry.addr, text), mac,
               link_name(n.entry.link, name), n.entry.state < 6 ? states[n.entry.state] : "?",
               (unsigned)(n.age_ns / 1000000000u));
    }
    return 0;
}

int cmd_route(int argc, char **argv)
{
    struct net_config c;
    char dst[TEXT], full[TEXT + 5], gw[TEXT], src[TEXT], name[LINK_NAME_MAX + 1];

    (void)argc, (void)argv;
    printf("%-20s %-16s %-6s %-16s METRIC\n", "DESTINATION", "GATEWAY", "LINK", "SOURCE");
    for (uint64_t i = 0; sys_net_info(NETINFO_ROUTE, i, &c, sizeof c) > 0 && !shell_interrupted(); i++) {
        if (c.prefix == 0)
            strcpy(full, "default");
        else
            snprintf(full, sizeof full, "%s/%u", addr_text(c.family, &c.addr, dst), c.prefix);
        printf("%-20s %-16s %-6s %-16s %u\n", full, addr_text(c.family, &c.gateway, gw),
               link_name(c.link, name), addr_text(c.family, &c.source, src), (unsigned)c.metric);
    }
    return 0;
}

static const char *proto_name(uint8_t proto)
{
    return proto == NET_TCP     ? "tcp"
           : proto == NET_UDP   ? "udp"
           : proto == NET_ICMP  ? "icmp"
           : proto == NET_ICMP6 ? "icmp6"
                                : "?";
}

/* IPv6 in brackets, so that the port's colon stands out. */
static size_t end_point(char *out, size_t room, uint8_t family, const struct net_addr *a, uint16_t port)
{
    char text[TEXT];
    bool six = family == NET_INET6;

    return (size_t)snprintf(out, room, "%s%s%s:%u", six ? "[" : "", addr_text(family, a, text), six ? "]" : "",
                            port);
}

static void show_port(const struct net_port_info *p)
{
    char local[TEXT + 16], peer[TEXT + 16] = "*", name[LINK_NAME_MAX + 1], owner[24];

    if (p->is_flow) {
        end_point(local, sizeof local, p->flow.family, &p->flow.laddr, p->flow.lport);
        end_point(peer, sizeof peer, p->flow.family, &p->flow.raddr, p->flow.rport);
    } else {
        size_t n = end_point(local, sizeof local, p->key.family, &p->key.addr, p->key.port_lo);
        if (p->key.port_lo != p->key.port_hi)
            snprintf(local + n, sizeof local - n, "-%u", p->key.port_hi);
    }
    if (p->pid != 0)
        snprintf(owner, sizeof owner, "%u", (unsigned)p->pid);
    else
        snprintf(owner, sizeof owner, "(%u ms)", (unsigned)p->reserved_ms);
    printf("%-5s %-22s %-22s %-5s %-8s %10llu %8llu %6u\n",
           proto_name(p->is_flow ? p->flow.proto : p->key.proto), local, peer,
           link_name(p->is_flow ? p->flow.link : p->key.link, name), owner, (unsigned long long)p->delivered,
           (unsigned long long)p->dropped, (unsigned)p->parked);
}

static void show_counters(void)
{
    static const char *const names[] = {
#define X(id, name, text) name,
        NET_DROP_LIST(X)
#undef X
    };
    struct net_counters c;
    uint64_t dropped = 0;

    if (sys_net_info(NETINFO_COUNTERS, 0, &c, sizeof c) <= 0)
        return;
    printf("received %llu injected %llu delivered %llu in flight %llu; sent %llu failed %llu\n",
           (unsigned long long)c.received, (unsigned long long)c.injected, (unsigned long long)c.delivered,
           (unsigned long long)c.in_flight, (unsigned long long)c.sent, (unsigned long long)c.send_failed);
    printf("dropped:");
    for (uint32_t i = 0; i < c.drops && i < DROP_COUNT; i++) {
        if (c.drop[i] != 0)
            printf(" %s %llu", names[i], (unsigned long long)c.drop[i]);
        dropped += c.drop[i];
    }
    printf("%s\n", dropped == 0 ? " nothing" : "");
}

/* Connections of programs that have ended. */
static void show_adopted(void)
{
    struct netd_adopted a;
    struct sys_msg m;

    sys_msg_set(&m, NETD_ADOPTED, NULL, 0);
    if (sys_ask("netd", &m, 1000) < 0 || m.len < sizeof a)
        return;
    memcpy(&a, m.data, sizeof a);
    printf("netd adopted %llu, refused %llu, lost %llu, delivers %u\n", (unsigned long long)a.taken,
           (unsigned long long)a.refused, (unsigned long long)a.lost, (unsigned)a.open);
}

int cmd_netstat(int argc, char **argv)
{
    struct net_port_info p;

    printf("%-5s %-22s %-22s %-5s %-8s %10s %8s %6s\n", "PROTO", "LOCAL", "PEER", "LINK", "PID", "DELIVERED",
           "DROPPED", "PARKED");
    for (uint64_t i = 0; sys_net_info(NETINFO_PORT, i, &p, sizeof p) > 0 && !shell_interrupted(); i++)
        show_port(&p);
    putchar('\n');
    show_counters();
    show_adopted();
    putchar('\n');
    cmd_arp(argc, argv);
    putchar('\n');
    return cmd_route(argc, argv);
}

int cmd_nat(int argc, char **argv)
{
    struct sys_msg m;
    struct nat_status s;
    struct nat_drop_status d;
    char text[TEXT];
    int r;

    (void)argc, (void)argv;
    sys_msg_set(&m, NAT_STATUS, NULL, 0);
    r = sys_ask("natd", &m, 2000);
    if (r == -ENOENT) {
        printf("natd is off; start natd switches it on\n");
        return 1;
    }
    if (r < 0)
        return shell_error("natd", r);
    memcpy(&s, m.data, sizeof s);
    printf("%.8s to %.8s as %s: %u sessions, %llu evicted\n", s.inside_link, s.outside_link,
           inet_ntop(AF_INET, s.outside, text, sizeof text), (unsigned)s.sessions, (unsigned long long)s.evicted);
    printf("translated: %llu out, %llu in; %llu not sent\n", (unsigned long long)s.translated_out,
           (unsigned long long)s.translated_in, (unsigned long long)s.not_sent);
    for (uint32_t i = 0; !shell_interrupted(); i++) {
        sys_msg_set(&m, NAT_DROP, &i, sizeof i);
        if (sys_ask("natd", &m, 2000) != 0)
            break;
        memcpy(&d, m.data, sizeof d);
        if (d.count != 0)
            printf("dropped: %llu %.16s\n", (unsigned long long)d.count, d.name);
    }
    return 0;
}
