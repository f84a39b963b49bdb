/* SPDX-License-Identifier: MIT
 *
 * net/core/register.c: who may register which port, and who gives it up.
 *
 * Owns: the rules of the registry's table (design, section 5). Two keys that
 * could take the same packet never belong to two owners, so nobody can draw off
 * part of another's traffic with a more specific key; and a group is joined only
 * with its owner's consent (PORT_JOIN) and from the same family. Context and lock: as in
 * net/core/core.h.
 */
#include <net/core/ports.h>
#include <kernel/rights.h>

/* RFC 6056: the whole upper half, so that guessing costs 15 bits. */
#define EPHEMERAL_LO 32768u
#define EPHEMERAL_HI 65535u
#define ANY_TRIES    24u

static int refuse_port(struct nc_owner *o, const struct net_port_key *k)
{
    uint64_t n = ++o->refusals;
    const char *proto = k->proto == NET_TCP ? "tcp" : k->proto == NET_UDP ? "udp" : "icmp";

    if (n <= 8 || (n & (n - 1)) == 0)
        nc_log("net: %s (pid %u) refused: needs %s/%u%s%s", o->name, o->pid, proto, k->port_lo,
               k->link == LINK_ANY ? "" : " on ", k->link == LINK_ANY ? "" : link_name(k->link));
    return -EACCES;
}

/* A socket of both families has one number: that which it got by chance in one, it
 * may have in the other. */
static bool is_own_in_other_family(const struct nc_owner *o, const struct net_port_key *k)
{
    struct net_port_key twin = {
        .proto = k->proto, .link = LINK_ANY, .port_lo = k->port_lo, .port_hi = k->port_hi};
    const struct port_entry *e;

    if ((k->proto != NET_TCP && k->proto != NET_UDP) || k->port_lo != k->port_hi || !addr_is_any(&k->addr))
        return false;
    twin.family = k->family == NET_INET ? NET_INET6 : NET_INET;
    e = port_by_key(&twin, PORT_LIVE);
    return e != NULL && e->anybodys && port_has_owner(e, o);
}

/* Does the manifest grant the key? A request for any link under a right for one
 * link only is narrowed to that link: bind() cannot name links. */
static int check_right(struct nc_owner *o, struct net_port_key *k)
{
    bool any = k->port_lo == 0 || is_own_in_other_family(o, k);
    bool echo = k->proto == NET_ICMP || k->proto == NET_ICMP6;

    if (any || (echo && k->port_lo == k->port_hi)) {
        if (owner_has(o, RIGHT_NET_EPHEMERAL))
            return 0;
        return owner_refuse(o, "net.client");
    }
    if (rights_allow_port(o->rights, k, link_name)) /* C-REG-1 */
        return 0;
    if (k->link == LINK_ANY) {
        struct net_port_key narrow = *k;

        for (unsigned i = 0; i < core.nlinks; i++) {
            narrow.link = (uint16_t)i;
            if (rights_allow_port(o->rights, &narrow, link_name)) {
                *k = narrow;
                return 0;
            }
        }
    }
    return refuse_port(o, k);
}

/* --- "any" -------------------------------------------------------------------------------- */

static bool number_free(struct net_port_key *k, uint32_t port)
{
    struct net_port_key four;

    k->port_lo = k->port_hi = (uint16_t)port;
    if (port_number_taken(k) || flows_may_use_port(k->proto, (uint16_t)port))
        return false;
    if (k->family != NET_INET6 || k->proto == NET_ICMP6)
        return true;
    four = *k; /* an IPv6 socket may want to talk to IPv4, too */
    four.family = NET_INET;
    __builtin_memset(&four.addr, 0, sizeof(four.addr));
    return !port_number_taken(&four);
}

/* RFC 6056, section 3.3.2: a fresh random number for each try, and only when
 * the range is crowded a walk from a random start. */
static int choose_any(struct net_port_key *k)
{
    bool echo = k->proto == NET_ICMP || k->proto == NET_ICMP6;
    uint32_t lo = echo ? 1 : EPHEMERAL_LO, span = EPHEMERAL_HI - lo + 1;
    uint32_t chance[ANY_TRIES];

    nc_random(chance, sizeof(chance)); /* C-REG-3 */
    for (unsigned i = 0; i < ANY_TRIES; i++)
        if (number_free(k, lo + chance[i] % span))
            return 0;
    for (uint32_t i = 0; i < span; i++)
        if (number_free(k, lo + (chance[0] % span + i) % span))
            return 0;
    return -EADDRINUSE;
}

/* --- register -------------------------------------------------------------------------------- */

struct claim {
    struct net_endpoint *endpoint;
    const struct net_port_key *key;
    struct port_entry *same; /* entry of this very key that is ours already */
    bool join;
};

static bool same_name(const char *a, const char *b)
{
    for (unsigned i = 0; i < NAME_MAX_BYTES; i++) {
        if (a[i] != b[i])
            return false;
        if (a[i] == 0)
            return true;
    }
    return true;
}

static int check_claim(struct port_entry *e, void *ctx)
{
    struct claim *c = ctx;
    struct nc_owner *o = c->endpoint->owner;

    if (e->state == PORT_RESERVED)
        return same_name(e->reservation->family, o->family) ? 0 : -EADDRINUSE; /* C-REG-6 */
    if (port_has_owner(e, o)) {
        if (port_key_equal(&e->key, c->key))
            c->same = e;
        return 0;
    }
    /* Servers of several processes: one family, and all asked for a group. */
    if (c->join && e->joinable && same_name(e->members->endpoint->owner->family, o->family) &&
        port_key_equal(&e->key, c->key)) { /* C-REG-11 */
        c->same = e;
        return 0;
    }
    return -EADDRINUSE;
}

/* --- offers: whoever shows the token takes it (transfer.c) --------------------------------- */

static int make_offer(struct nc_owner *o, struct net_port_op *op)
{
    struct flow_entry *f = NULL;
    struct port_entry *p = NULL;
    struct offer *offer;

    if (op->is_flow ? !flow_key_valid(&op->flow) : !port_key_valid(&op->key) || op->key.port_lo == 0)
        return -EINVAL;
    if (op->is_flow) {
        f = flow_by_key(&op->flow);
        if (f == NULL || f->endpoint->owner != o)
            return -ENOENT;
        offer = &f->offer;
        op->id = flow_id(f);
    } else {
        p = port_by_key(&op->key, PORT_LIVE);
        if (p == NULL || !port_has_owner(p, o))
            return -ENOENT;
        if (p->nmembers != 1)
            return -EBUSY; /* whose share should go? */
        offer = &p->offer;
        op->id = port_id(p);
    }
    nc_random(offer->token, sizeof(offer->token));
    offer->made = true;
    __builtin_memcpy(op->secret, offer->token, sizeof(op->secret));
    return 0;
}

static int register_flow(struct net_endpoint *e, struct net_port_op *op)
{
    const struct net_flow_key *k = &op->flow;
    struct flow_entry *f;
    struct port_entry *p;
    int r;

    if (!flow_key_valid(k))
        return -EINVAL;
    f = flow_by_key(k);
    if (f == NULL) {
        p = port_lookup(k->family, k->proto, k->link, &k->laddr, k->lport);
        if (p == NULL || !port_has_owner(p, e->owner))
            return owner_refuse(e->owner, "the flow's local port");
    } else if (f->endpoint->owner != e->owner) {
        return -EADDRINUSE;
    }
    r = flow_bind(k, e, &f);
    if (r != 0)
        return r;
    op->id = flow_id(f);
    port_secret(k, sizeof(*k), e->owner->name, op->secret);
    return 0;
}

static bool is_member(const struct port_entry *p, const struct net_endpoint *e)
{
    for (const struct port_member *m = p->members; m != NULL; m = m->next)
        if (m->endpoint == e)
            return true;
    return false;
}

static int join_existing(struct port_entry *p, struct net_endpoint *e, const struct net_port_op *op)
{
    if (is_member(p, e))
        return 0;
    if ((op->flags & PORT_JOIN) == 0 || !p->joinable)
        return -EADDRINUSE; /* another endpoint of ours has it, and no group was asked for */
    p->offer.made = false;
    return port_join(p, e);
}

int port_register(struct net_endpoint *e, struct net_port_op *op)
{
    struct claim c = {.endpoint = e, .key = &op->key, .join = (op->flags & PORT_JOIN) != 0};
    struct port_entry *p;
    bool anybodys;
    int r;

    if (e->owner == NULL || e->failed || (op->flags & ~(PORT_JOIN | PORT_OFFER)) != 0)
        return -EINVAL;
    if ((op->flags & PORT_OFFER) != 0)
        return make_offer(e->owner, op);
    if (op->is_flow)
        return register_flow(e, op);
    if (!port_key_valid(&op->key))
        return -EINVAL;
    anybodys = op->key.port_lo == 0 || op->key.proto == NET_ICMP || op->key.proto == NET_ICMP6 ||
               is_own_in_other_family(e->owner, &op->key);
    p = op->key.port_lo != 0 ? port_by_key(&op->key, PORT_LIVE) : NULL;
    r = p != NULL && port_has_owner(p, e->owner) ? 0 : check_right(e->owner, &op->key);
    if (r == 0 && op->key.port_lo == 0)
        r = choose_any(&op->key);
    if (r == 0)
        r = port_each_overlap(&op->key, check_claim, &c); /* C-REG-2 */
    if (r != 0)
        return r;
    p = c.same;
    if (p != NULL) {
        r = join_existing(p, e, op);
    } else {
        r = port_new_entry(&op->key, &p);
        if (r == 0 && (r = port_join(p, e)) != 0)
            port_free_entry(p);
        else if (r == 0)
            p->joinable = c.join, p->anybodys = anybodys;
    }
    if (r != 0)
        return r;
    port_secret(&op->key, sizeof(op->key), p->anybodys ? e->owner->family : "", op->secret);
    op->id = port_id(p);
    if (c.same == NULL)
        reservations_take_over(p, e->owner->family);
    return 0;
}

/* --- unregister -------------------------------------------------------------------------------- */

static int unregister_flow(struct nc_owner *o, const struct net_port_op *op)
{
    struct flow_entry *f = op->id != 0 ? flow_by_id(op->id) : flow_by_key(&op->flow);

    if (f == NULL || f->endpoint->owner != o)
        return -ENOENT;
    flow_free(f);
    return 0;
}

int port_unregister(struct nc_owner *o, struct net_endpoint *e, const struct net_port_op *op)
{
    struct port_entry *p;
    bool found = false;

    if (op->is_flow)
        return unregister_flow(o, op);
    if (op->id == 0 && (!port_key_valid(&op->key) || op->key.port_lo == 0))
        return -EINVAL;
    p = op->id != 0 ? port_by_id(op->id) : port_by_key(&op->key, PORT_LIVE);
    if (p == NULL || p->state != PORT_LIVE)
        return -ENOENT;
    for (struct port_member *m = p->members, *next; m != NULL; m = next) {
        next = m->next;
        if (m->endpoint->owner != o || (e != NULL && m->endpoint != e))
            continue;
        port_part(m);
        found = true;
    }
    if (p->nmembers == 0)
        port_free_entry(p);
    return found ? 0 : -ENOENT;
}

/* --- an endpoint ends ---------------------------------------------------------------------------- */

static bool is_served(const struct nc_owner *o, const struct net_port_key *k)
{
    int line = rights_find_port(o->rights, k, link_name);

    return line >= 0 && (o->rights->serve_ports >> line & 1) != 0;
}

void ports_endpoint_closed(struct net_endpoint *e, const struct nc_owner *reserve_for)
{
    while (e->members != NULL) {
        struct port_entry *p = e->members->entry;

        port_part(e->members);
        if (p->nmembers != 0)
            continue;
        if (reserve_for != NULL && is_served(reserve_for, &p->key))
            port_reserve(p, reserve_for->family);
        else
            port_free_entry(p);
    }
}
