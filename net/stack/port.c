/* SPDX-License-Identifier: MIT
 *
 * net/stack/port.c: the ports that this process holds in the kernel's registry.
 *
 * Owns: struct ns_port, one for each (protocol, address, port), counted by the
 * sockets, connections and TIME_WAITs that live on it. The last to leave gives
 * the port back. Also the flow entries of connections on shared ports. The secret that the kernel returned
 * keys what must not be guessed (RFC 6528).
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

struct ns_port *port_find(struct netstack *ns, uint8_t family, uint8_t proto, const struct net_addr *laddr,
                          uint16_t port)
{
    struct ns_port *any = NULL;

    for (struct ns_port *p = *bucket(ns, proto, port); p != NULL; p = p->next) {
        if (p->port != port || p->proto != proto || p->family != family)
            continue;
        if (addr_equal(&p->addr, laddr))
            return p;
        if (addr_any(&p->addr))
            any = p;
    }
    return any;
}

static void fill(struct ns_port *p, uint8_t family, uint8_t proto, const struct net_addr *addr,
                 uint16_t port, const uint8_t *secret)
{
    p->family = family;
    p->proto = proto;
    p->port = port;
    p->addr = *addr;
    p->refs = 1;
    memcpy(p->secret, secret, sizeof(p->secret));
}

static void link_in(struct netstack *ns, struct ns_port *p)
{
    struct ns_port **b = bucket(ns, p->proto, p->port);

    p->next = *b;
    *b = p;
}

int port_acquire(struct netstack *ns, uint8_t family, uint8_t proto, const struct net_addr *addr,
                 uint16_t port, bool group, struct ns_port **out)
{
    struct net_port_op op;
    struct ns_port *p;
    int r;

    if (port != 0 && (p = find_exact(ns, family, proto, addr, port)) != NULL) {
        if (group && !p->group)
            return -EADDRINUSE; /* its connections have no flow entries */
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
    op.flags = group ? PORT_JOIN : 0;
    r = ns->env.port_register(ns->env.ctx, &op);
    if (r < 0) {
        ns_free(ns, p);
        return r;
    }
    fill(p, family, proto, addr, op.key.port_lo, op.secret);
    p->group = group;
    link_in(ns, p);
    *out = p;
    return 0;
}

struct ns_port *port_adopt(struct netstack *ns, uint8_t family, uint8_t proto, const struct net_addr *addr,
                           uint16_t port, const uint8_t *secret, bool own)
{
    static const struct net_addr any;
    struct ns_port *p = find_exact(ns, family, proto, addr, port);

    if (p == NULL && !own)
        p = find_exact(ns, family, proto, &any, port);
    if (p != NULL)
        return port_hold(p); /* it has come home */
    p = ns_alloc(ns, sizeof(*p));
    if (p == NULL)
        return NULL;
    fill(p, family, proto, addr, port, secret);
    p->adopted = !own;
    if (own)
        link_in(ns, p);
    return p;
}

void port_drop(struct netstack *ns, struct ns_port *p)
{
    struct net_port_op op;

    if (p == NULL || --p->refs != 0)
        return;
    if (p->adopted) {
        ns_free(ns, p);
        return;
    }
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

/* --- flow entries ----------------------------------------------------------------- */
/* Every connection on a shared port has one, from the SYN on: the kernel chooses
 * a member by hash, without state, so a newcomer would take over its share of
 * what is open as well. Entries are bounded by the SYN queue, by the sockets of
 * this stack and by the registry; a connection that gets none is merely not safe
 * from newcomers. */
uint32_t flow_pin(struct netstack *ns, const struct ns_port *p, uint32_t net, const struct net_addr *laddr,
                  const struct net_addr *raddr, uint16_t rport)
{
    struct net_port_op op;

    if (!p->group)
        return 0;
    memset(&op, 0, sizeof(op));
    op.is_flow = 1;
    op.flow.family = p->family;
    op.flow.proto = p->proto;
    op.flow.link = net_link(net);
    op.flow.lport = p->port;
    op.flow.rport = rport;
    op.flow.laddr = *laddr;
    op.flow.raddr = *raddr;
    if (ns->env.port_register(ns->env.ctx, &op) < 0) {
        ns->count.unpinned++;
        return 0;
    }
    return op.id;
}

void flow_unpin(struct netstack *ns, const struct ns_port *p, uint32_t id)
{
    struct net_port_op op;

    if (id == 0)
        return;
    if (p == NULL || p->adopted)
        tx_flush(ns); /* the right to send ends with the entry */
    memset(&op, 0, sizeof(op));
    op.is_flow = 1;
    op.id = id;
    ns->env.port_unregister(ns->env.ctx, &op);
}
