/* SPDX-License-Identifier: MIT
 *
 * net/stack/sockname.c: the names and the ports of a socket that may serve two
 * families (RFC 3493, section 3.7).
 *
 * Owns: nothing. An IPv6 socket speaks IPv4 with peers that its caller knows as
 * ::ffff:a.b.c.d, unless NSO_V6ONLY is set. Inside the stack such a peer is an
 * IPv4 address; only here, and in ns.h's sock_name_in and _out, are the two forms
 * turned into each other.
 */
#include <net/stack/ns.h>

#define PORT_TRIES 16 /* for a number that is free in both families */

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
