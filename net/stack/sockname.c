/* SPDX-License-Identifier: MIT
 *
 * net/stack/sockname.c: the names and the ports of a socket that may serve two
 * families (RFC 3493, section 3.7).
 *
 * Owns: nothing. An IPv6 socket speaks IPv4 with peers that its caller knows as
 * ::ffff:a.b.c.d, unless NSO_V6ONLY is set. Inside the stack such a peer is an
 * IPv4 address; only here are the two forms turned into each other.
 */
#include <net/stack/ns.h>

#define PORT_TRIES 16 /* for a number that is free in both families */

static bool is_mapped(const struct net_addr *a)
{
    uint64_t high;

    __builtin_memcpy(&high, a->b, 8);
    return high == 0 && get32(a->b + 8) == 0xffff;
}

int sock_name_in(const struct nsock *s, const struct ns_addr *a, struct ns_addr *out)
{
    if (a->family != s->family)
        return -EAFNOSUPPORT;
    *out = *a;
    if (s->family != NET_INET6)
        return 0;
    if (!is_mapped(&a->addr)) {
        if (!addr_scoped(NET_INET6, &a->addr))
            out->scope = 0;
        return 0;
    }
    if (s->v6only)
        return -EADDRNOTAVAIL;
    out->family = NET_INET;
    out->scope = 0;
    addr_set4(&out->addr, a->addr.b + 12);
    return 0;
}

void sock_name_out(const struct nsock *s, struct ns_addr *a)
{
    if (s->family == NET_INET6 && a->family == NET_INET) {
        uint32_t four = get32(a->addr.b);

        memset(&a->addr, 0, 8);
        put32(a->addr.b + 8, 0xffff);
        put32(a->addr.b + 12, four);
    }
    a->family = s->family;
}

static int dual_ports(struct nsock *s, const struct ns_addr *a)
{
    int r = -EADDRINUSE;

    for (int i = 0; i < (a->port != 0 ? 1 : PORT_TRIES) && r == -EADDRINUSE; i++) {
        r = port_acquire(s->ns, NET_INET6, s->proto, &a->addr, a->port, s->reuseport, &s->port);
        if (r != 0)
            return r;
        r = port_acquire(s->ns, NET_INET, s->proto, &a->addr, s->port->port, s->reuseport, &s->port4);
        if (r == 0 && a->port == 0 && s->port4->refs > 1)
            r = -EADDRINUSE; /* another socket of ours has that number */
        if (r != 0)
            sock_drop_ports(s);
    }
    return r;
}

int sock_ports(struct nsock *s, const struct ns_addr *a)
{
    if (a->family == NET_INET6 && !s->v6only && addr_any(&a->addr))
        return dual_ports(s, a);
    return port_acquire(s->ns, a->family, s->proto, &a->addr, a->port, s->reuseport, &s->port);
}

void sock_narrow(struct nsock *s, uint8_t family)
{
    struct ns_port *gone = s->port4;

    if (gone == NULL)
        return;
    s->port4 = NULL;
    if (family == NET_INET) {
        struct ns_port *keep = gone;
        gone = s->port;
        s->port = keep;
    }
    if (s->bound)
        gone->binders--;
    port_drop(s->ns, gone);
}

void sock_drop_ports(struct nsock *s)
{
    port_drop(s->ns, s->port);
    port_drop(s->ns, s->port4);
    s->port = s->port4 = NULL;
}
