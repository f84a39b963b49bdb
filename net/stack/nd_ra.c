/* SPDX-License-Identifier: MIT
 *
 * net/stack/nd_ra.c: routers and what they advertise (RFC 4861 section 6, RFC
 * 4862 5.5, RFC 4191, RFC 8106); see net/stack/nd.h.
 *
 * One router at a time is installed as the default: the first of those that can be
 * reached, by preference. Prefixes on the link have routes of their own, with the
 * MTU that routers ask for; an address alone says nothing of the link (RFC 5942).
 */
#include <net/stack/nd.h>
#include <string.h>

#define S_NS             1000000000ull
#define SOLICIT_FIRST_NS (4 * S_NS)    /* RFC 4861's RTR_SOLICITATION_INTERVAL */
#define SOLICIT_MOST_NS  (3600 * S_NS) /* RFC 7559 */
#define REACHABLE_MAX_MS 3600000u      /* RFC 4861 6.2.1 */
#define RETRANS_MIN_MS   100u          /* who says less would have us flood the link */
#define RETRANS_MAX_MS   10000u
#define MTU_LEAST        1280u

enum { ROUTER_SOLICIT = 133 };
enum { OPT_SOURCE = 1, OPT_PREFIX = 3, OPT_MTU = 5, OPT_RDNSS = 25, OPT_DNSSL = 31 };

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t lasts(uint64_t now_ns, uint32_t seconds) /* all ones: for ever */
{
    return seconds == UINT32_MAX ? ND_FOREVER : now_ns + seconds * S_NS;
}

/* --- asking ---------------------------------------------------------------------- */

void nd_routers_start(struct nd *n, uint16_t link, uint64_t now_ns)
{
    struct nd_link *l = &n->link[link];

    /* No random wait before the first: we come up alone, and fast. */
    l->solicit_ns = now_ns;
    l->solicit_wait_ns = SOLICIT_FIRST_NS;
    for (unsigned i = 0; i < ND_ROUTERS; i++)
        if (n->router[i].used && n->router[i].link == link)
            l->solicit_ns = ND_FOREVER; /* an earlier netd found one */
    nd_due(n, l->solicit_ns);
}

static void solicit(struct nd *n, uint16_t link, uint64_t now_ns)
{
    static const struct net_addr routers = {{0xff, 2, [15] = 2}};
    const struct nd_address *a = nd_own(n, link, false);
    struct nd_link *l = &n->link[link];
    uint8_t b[16] = {ROUTER_SOLICIT};
    size_t len = 8;

    l->solicit_ns = now_ns + l->solicit_wait_ns;
    l->solicit_wait_ns = l->solicit_wait_ns < SOLICIT_MOST_NS / 2 ? 2 * l->solicit_wait_ns : SOLICIT_MOST_NS;
    if (a == NULL || !nd_link_local(&a->ip))
        return;
    if (a->checks == ND_CHECKED) { /* RFC 4429 3.2 */
        b[8] = OPT_SOURCE;
        b[9] = 1;
        memcpy(b + 10, l->mac, 6);
        len = 16;
    }
    n->rs_out++;
    nd_send(n, link, NULL, &a->ip, &routers, b, len);
}

/* --- default routers ---------------------------------------------------------------- */

static uint32_t route_mtu(const struct nd_link *l)
{
    return l->path_mtu != 0 && l->path_mtu < l->mtu ? l->path_mtu : 0;
}

static void install(struct nd *n, struct nd_router *r, bool yes)
{
    static const struct net_addr any;

    r->installed = yes;
    if (yes)
        r->mtu = route_mtu(&n->link[r->link]);
    n->env.route(n->env.ctx, yes ? NETCFG_ROUTE_ADD : NETCFG_ROUTE_DEL, r->link, &any, 0, &r->ip, r->mtu);
}

/* RFC 4861 6.3.6: one that answers before one that does not. */
void nd_choose_router(struct nd *n, uint16_t link)
{
    struct nd_router *best = NULL, *now = NULL;
    int best_worth = 0;

    for (unsigned i = 0; i < ND_ROUTERS; i++) {
        struct nd_router *r = &n->router[i];
        int worth;

        if (!r->used || r->link != link)
            continue;
        if (r->installed)
            now = r;
        worth = 8 + 2 * r->preference + r->installed - (r->failed ? 8 : 0);
        if (best == NULL || worth > best_worth) {
            best = r;
            best_worth = worth;
        }
    }
    if (best == now && (now == NULL || now->mtu == route_mtu(&n->link[link])))
        return;
    if (now != NULL)
        install(n, now, false);
    if (best != NULL)
        install(n, best, true);
    n->env.changed(n->env.ctx, link);
}

void nd_router_failed(struct nd *n, uint16_t link, const struct net_addr *ip)
{
    for (unsigned i = 0; i < ND_ROUTERS; i++) {
        struct nd_router *r = &n->router[i];
        if (r->used && r->link == link && nd_same(&r->ip, ip)) {
            r->failed = true;
            nd_choose_router(n, link); /* C-ND-6 */
        }
    }
}

static void forget_router(struct nd *n, struct nd_router *r)
{
    if (r->installed)
        install(n, r, false);
    r->used = false;
    nd_choose_router(n, r->link);
    n->env.changed(n->env.ctx, r->link);
}

static struct nd_router *failed_router(struct nd *n)
{
    for (unsigned i = 0; i < ND_ROUTERS; i++)
        if (n->router[i].used && n->router[i].failed)
            return &n->router[i];
    return NULL;
}

static void router_said(struct nd *n, const struct nd_message *m)
{
    static const int8_t preference[4] = {0, 1, 0, -1}; /* RFC 4191 2.1; the third is reserved */
    uint32_t life_s = (uint32_t)m->body[6] << 8 | m->body[7];
    struct nd_router *r = NULL, *spare = NULL;

    for (unsigned i = 0; i < ND_ROUTERS; i++) {
        if (!n->router[i].used)
            spare = &n->router[i];
        else if (n->router[i].link == m->link && nd_same(&n->router[i].ip, &m->src))
            r = &n->router[i];
    }
    if (life_s == 0) {
        if (r != NULL)
            forget_router(n, r);
        return;
    }
    if (r == NULL && spare == NULL && (spare = failed_router(n)) != NULL)
        forget_router(n, spare); /* it would keep this one out for as long as it said */
    if (r == NULL && (r = spare) == NULL)
        return; /* enough of them */
    if (!r->used)
        *r = (struct nd_router){.ip = m->src, .link = m->link, .used = true};
    r->failed = false;
    r->preference = preference[m->body[5] >> 3 & 3];
    r->until_ns = m->now_ns + life_s * S_NS;
    nd_due(n, r->until_ns);
    n->link[m->link].solicit_ns = ND_FOREVER; /* RFC 7559: found */
}

/* --- prefixes -------------------------------------------------------------------------- */

static void route_prefix(struct nd *n, struct nd_prefix *p, uint32_t kind)
{
    static const struct net_addr on_link;

    if (kind == NETCFG_ROUTE_ADD)
        p->mtu = route_mtu(&n->link[p->link]);
    n->env.route(n->env.ctx, kind, p->link, &p->net, p->length, &on_link, p->mtu);
}

static void forget_prefix(struct nd *n, struct nd_prefix *p)
{
    route_prefix(n, p, NETCFG_ROUTE_DEL);
    p->used = false;
    n->env.changed(n->env.ctx, p->link);
}

static void prefix_on_link(struct nd *n, const struct nd_message *m, const struct net_addr *net,
                           uint8_t length, uint64_t until_ns)
{
    struct nd_prefix *p = NULL, *spare = NULL;

    for (unsigned i = 0; i < ND_PREFIXES; i++) {
        struct nd_prefix *c = &n->prefix[i];
        if (!c->used)
            spare = c;
        else if (c->link == m->link && c->length == length && nd_same(&c->net, net))
            p = c;
    }
    if (until_ns <= m->now_ns) {
        if (p != NULL)
            forget_prefix(n, p);
        return;
    }
    if (p == NULL && spare == NULL)
        return;
    if (p == NULL || p->mtu != route_mtu(&n->link[m->link])) {
        if (p != NULL) {
            route_prefix(n, p, NETCFG_ROUTE_DEL);
        } else {
            p = spare;
            *p = (struct nd_prefix){.net = *net, .link = m->link, .length = length, .used = true};
        }
        route_prefix(n, p, NETCFG_ROUTE_ADD);
        n->env.changed(n->env.ctx, m->link);
    }
    p->until_ns = until_ns;
    nd_due(n, until_ns);
}

static void clear_behind(struct net_addr *a, unsigned bits)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned left = bits > 8 * i ? bits - 8 * i : 0;
        if (left < 8)
            a->b[i] &= (uint8_t)(0xff00u >> left);
    }
}

static void prefix_said(struct nd *n, const struct nd_message *m, const uint8_t *o)
{
    uint32_t valid_s = be32(o + 4), preferred_s = be32(o + 8);
    uint64_t valid_ns = lasts(m->now_ns, valid_s);
    struct net_addr net;

    memcpy(&net, o + 16, 16);
    if (o[2] > 128 || nd_link_local(&net) || nd_group(&net)) {
        n->ignored++;
        return;
    }
    clear_behind(&net, o[2]);
    if ((o[3] & 0x80) && !nd_any(&net))
        prefix_on_link(n, m, &net, o[2], valid_ns);
    if (!(o[3] & 0x40) || preferred_s > valid_s || o[2] != 64) /* 5.5.3 (a), (c), (d) */
        return;
    if (!nd_auto(n, m->link, &net, lasts(m->now_ns, preferred_s), valid_ns, m->now_ns))
        n->ignored++;
}

/* --- DNS (RFC 8106) ----------------------------------------------------------------------- */

static void servers_said(struct nd *n, const struct nd_message *m, const uint8_t *o)
{
    struct nd_dns *d = &n->link[m->link].dns;
    uint64_t until_ns = lasts(m->now_ns, be32(o + 4));

    for (unsigned at = 8; at + 16 <= (unsigned)o[1] * 8; at += 16) {
        int place = -1;

        for (int i = ND_DNS_SERVERS - 1; i >= 0; i--)
            if (d->until_ns[i] == 0)
                place = i;
        for (int i = 0; i < ND_DNS_SERVERS; i++)
            if (d->until_ns[i] != 0 && memcmp(&d->server[i], o + at, 16) == 0)
                place = i;
        if (place < 0)
            return;
        memcpy(&d->server[place], o + at, 16);
        if ((until_ns <= m->now_ns) != (d->until_ns[place] == 0))
            n->env.changed(n->env.ctx, m->link);
        d->until_ns[place] = until_ns <= m->now_ns ? 0 : until_ns;
        nd_due(n, until_ns);
    }
}

/* The first name of the list; labels of letters, digits and hyphens only. */
static void domain_said(struct nd *n, const struct nd_message *m, const uint8_t *o)
{
    struct nd_dns *d = &n->link[m->link].dns;
    const uint8_t *p = o + 8, *end = o + (size_t)o[1] * 8;
    char name[ND_DOMAIN_MAX] = "";
    size_t at = 0;

    while (p < end && *p != 0) {
        unsigned len = *p++;
        if (len > 63 || len > (size_t)(end - p) || at + len + 2 > sizeof(name))
            return;
        if (at != 0)
            name[at++] = '.';
        for (unsigned i = 0; i < len; i++) {
            char c = (char)*p++;
            if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                  c == '_'))
                return;
            name[at++] = c;
        }
    }
    if (at == 0 || p == end)
        return;
    d->domain_until_ns = be32(o + 4) == 0 ? 0 : lasts(m->now_ns, be32(o + 4));
    memcpy(d->domain, name, sizeof(name));
    nd_due(n, d->domain_until_ns == 0 ? ND_FOREVER : d->domain_until_ns);
}

/* --- the advertisement -------------------------------------------------------------------- */

static void times_said(struct nd_link *l, const uint8_t *b)
{
    uint32_t reachable_ms = be32(b + 8), retrans_ms = be32(b + 12);

    if (reachable_ms != 0 && reachable_ms <= REACHABLE_MAX_MS)
        l->reachable_ns = reachable_ms * (S_NS / 1000);
    if (retrans_ms >= RETRANS_MIN_MS && retrans_ms <= RETRANS_MAX_MS)
        l->retrans_ns = retrans_ms * (S_NS / 1000);
}

void nd_ra_input(struct nd *n, const struct nd_message *m)
{
    struct nd_link *l = &n->link[m->link];
    const uint8_t *opt = m->body + 16, *o;
    size_t left = m->len - 16;

    if (!nd_link_local(&m->src)) {
        n->bad++;
        return;
    }
    n->ra_in++;
    if (!l->autoconf)
        return;
    times_said(l, m->body);
    o = nd_option(opt, left, OPT_SOURCE, 8);
    if (o != NULL)
        nd_heard(n, m->link, &m->src, o + 2, true, m->now_ns);
    o = nd_option(opt, left, OPT_MTU, 8);
    if (o != NULL && be32(o + 4) >= MTU_LEAST && be32(o + 4) <= l->mtu)
        l->path_mtu = be32(o + 4);
    router_said(n, m);
    nd_choose_router(n, m->link);
    for (; left >= 8; left -= (size_t)opt[1] * 8, opt += (size_t)opt[1] * 8) { /* lengths are sound */
        if (opt[0] == OPT_PREFIX && opt[1] == 4)
            prefix_said(n, m, opt);
        else if (opt[0] == OPT_RDNSS && opt[1] >= 3 && (opt[1] & 1) == 1)
            servers_said(n, m, opt);
        else if (opt[0] == OPT_DNSSL && opt[1] >= 2)
            domain_said(n, m, opt);
    }
    n->env.changed(n->env.ctx, m->link); /* life times, too */
}

/* --- time ------------------------------------------------------------------------------------ */

static void dns_run(struct nd *n, uint16_t link, uint64_t now_ns)
{
    struct nd_dns *d = &n->link[link].dns;

    for (unsigned i = 0; i < ND_DNS_SERVERS; i++) {
        if (d->until_ns[i] != 0 && d->until_ns[i] <= now_ns) {
            d->until_ns[i] = 0;
            n->env.changed(n->env.ctx, link);
        }
        if (d->until_ns[i] != 0)
            nd_due(n, d->until_ns[i]);
    }
    if (d->domain_until_ns != 0 && d->domain_until_ns <= now_ns)
        d->domain_until_ns = 0;
    if (d->domain_until_ns != 0)
        nd_due(n, d->domain_until_ns);
}

void nd_routers_run(struct nd *n, uint64_t now_ns)
{
    for (unsigned i = 0; i < ND_ROUTERS; i++) {
        struct nd_router *r = &n->router[i];
        if (r->used && r->until_ns <= now_ns)
            forget_router(n, r);
        if (r->used)
            nd_due(n, r->until_ns);
    }
    for (unsigned i = 0; i < ND_PREFIXES; i++) {
        struct nd_prefix *p = &n->prefix[i];
        if (p->used && p->until_ns <= now_ns)
            forget_prefix(n, p);
        if (p->used)
            nd_due(n, p->until_ns);
    }
    for (uint16_t i = 0; i < ND_LINKS; i++) {
        if (n->link[i].solicit_ns <= now_ns)
            solicit(n, i, now_ns);
        nd_due(n, n->link[i].solicit_ns);
        dns_run(n, i, now_ns);
    }
}
