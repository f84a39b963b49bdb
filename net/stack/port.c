/* SPDX-License-Identifier: MIT
 *
 * net/stack/port.c: the ports that this process holds in the kernel's registry.
 *
 * Owns: struct ns_port, one for each (protocol, address, port), counted by the
 * sockets, connections and TIME_WAITs that live on it. The last to leave gives
 * the port back. The secret that the kernel returned keys what must not be
 * guessed (RFC 6528).
 */
#include <net/stack/ns.h>

static struct ns_port **bucket(struct netstack *ns, uint8_t proto, uint16_t port)
{
    return &ns->ports[(port ^ proto ^ (port >> 6)) & (PORT_HASH - 1)];
}

static struct ns_port *find_exact(struct netstack *ns, uint8_t family, uint8_t proto,
                                  const struct net_addr *addr, uint16_t port)
{
    for (struct ns_port *p = *bucket(ns, proto, port); p != NULL; p = p->next)
        if (p->port == port && p->proto == proto && p->family == family && addr_equal(&p->addr, addr))
            return p;
    return NULL;
}

struct ns_port *port_find(struct netstack *ns, uint8_t proto, const struct net_addr *laddr, uint16_t port)
{
    struct ns_port *any = NULL;

    for (struct ns_port *p = *bucket(ns, proto, port); p != NULL; p = p->next) {
        if (p->port != port || p->proto != proto)
            continue;
        if (addr_equal(&p->addr, laddr))
            return p;
        if (addr_any(&p->addr))
            any = p;
    }
    return any;
}

int port_acquire(struct netstack *ns, uint8_t family, uint8_t proto, const struct net_addr *addr,
                 uint16_t port, struct ns_port **out)
{
    struct net_port_op op;
    struct ns_port *p, **b;
    int r;

    if (port != 0 && (p = find_exact(ns, family, proto, addr, port)) != NULL) {
        *out = port_hold(p);
        return 0;
    }
    p = ns_alloc(ns, sizeof(*p));
    if (p == NULL)
        return -ENOMEM;
    memset(&op, 0, sizeof(op));
    op.key.family = family;
    op.key.proto = proto;
    op.key.link = LINK_ANY;
    op.key.port_lo = op.key.port_hi = port;
    op.key.addr = *addr;
    r = ns->env.port_register(ns->env.ctx, &op);
    if (r < 0) {
        ns_free(ns, p);
        return r;
    }
    p->family = family;
    p->proto = proto;
    p->port = op.key.port_lo;
    p->addr = *addr;
    p->refs = 1;
    memcpy(p->secret, op.secret, sizeof(p->secret));
    b = bucket(ns, proto, p->port);
    p->next = *b;
    *b = p;
    *out = p;
    return 0;
}

void port_drop(struct netstack *ns, struct ns_port *p)
{
    struct net_port_op op;

    if (p == NULL || --p->refs != 0)
        return;
    for (struct ns_port **b = bucket(ns, p->proto, p->port); *b != NULL; b = &(*b)->next) {
        if (*b == p) {
            *b = p->next;
            break;
        }
    }
    tx_flush(ns);
    memset(&op, 0, sizeof(op));
    op.key.family = p->family;
    op.key.proto = p->proto;
    op.key.link = LINK_ANY;
    op.key.port_lo = op.key.port_hi = p->port;
    op.key.addr = p->addr;
    ns->env.port_unregister(ns->env.ctx, &op);
    ns_free(ns, p);
}
