/* SPDX-License-Identifier: MIT
 *
 * net/stack/nd_addr.c: our addresses on a link (RFC 4862), their groups (RFC
 * 3810); see net/stack/nd.h.
 *
 * Interface ids: with a secret that outlives the boot, RFC 7217's (stable on one
 * network, different on others, not to be guessed). Without one, and a machine
 * that boots from a read-only medium has none unless it is told one, EUI-64: a
 * random id would be another after each boot, and nobody would find the server.
 */
#include <net/stack/nd.h>
#include <slipway/siphash.h>
#include <string.h>

#define TWO_HOURS_NS 7200000000000ull /* RFC 4862 5.5.3 (e) */
#define ATTEMPTS     3                /* RFC 7217's IDGEN_RETRIES */

enum { MLD_REPORT2 = 143, MODE_IS_EXCLUDE = 2, TO_INCLUDE = 3, TO_EXCLUDE = 4 };

void nd_secret(struct nd *n, const void *text, size_t bytes)
{
    uint8_t key[16] = {'i', 'n', 't', 'e', 'r', 'f', 'a', 'c', 'e', ' ', 'i', 'd'};
    uint64_t h = siphash24(key, text, bytes);

    memcpy(n->secret, &h, 8);
    key[15] = 1;
    h = siphash24(key, text, bytes);
    memcpy(n->secret + 8, &h, 8);
    n->has_secret = true;
}

/* --- groups ---------------------------------------------------------------------- */

static void report(struct nd *n, uint16_t link, uint8_t type, const struct net_addr *group, unsigned count)
{
    static const struct net_addr routers = {{0xff, 2, [15] = 0x16}}, unknown;
    /* Hop-by-hop header with a router alert (RFC 2711), then the report. */
    uint8_t b[8 + 8 + ND_ADDRESSES * 20] = {NET_ICMP6, 0, 5, 2, 0, 0, 1, 0, MLD_REPORT2};
    const struct nd_address *a = nd_own(n, link, false);
    const struct net_addr *src = a != NULL && a->checks == ND_CHECKED ? &a->ip : &unknown; /* RFC 3590 */

    b[15] = (uint8_t)count;
    for (unsigned i = 0; i < count; i++) {
        b[16 + 20 * i] = type;
        memcpy(b + 20 + 20 * i, &group[i], 16);
    }
    n->mld_out++;
    nd_send_hop_by_hop(n, link, src, &routers, b, 16 + 20 * count);
}

/* The groups of our addresses, each once. */
static unsigned groups_of(const struct nd *n, uint16_t link, struct net_addr *out)
{
    unsigned count = 0, k;

    for (unsigned i = 0; i < ND_ADDRESSES; i++) {
        if (!n->address[i].used || n->address[i].link != link)
            continue;
        nd_solicited_group(&n->address[i].ip, &out[count]);
        for (k = 0; !nd_same(&out[k], &out[count]); k++)
            ;
        count += k == count;
    }
    return count;
}

static bool shared_group(const struct nd *n, const struct nd_address *a)
{
    for (unsigned i = 0; i < ND_ADDRESSES; i++) {
        const struct nd_address *b = &n->address[i];
        if (b != a && b->used && b->link == a->link && memcmp(a->ip.b + 13, b->ip.b + 13, 3) == 0)
            return true;
    }
    return false;
}

static void group_changed(struct nd *n, const struct nd_address *a, uint8_t type)
{
    struct net_addr group;

    nd_solicited_group(&a->ip, &group);
    if (!shared_group(n, a))
        report(n, a->link, type, &group, 1);
}

/* RFC 3810 5.1.3: the code is milliseconds, or above 32767 a small float. */
static uint64_t response_ms(const uint8_t *p)
{
    unsigned code = (unsigned)p[0] << 8 | p[1];

    return code < 32768 ? code : (uint64_t)((code & 0xfff) | 0x1000) << (((code >> 12) & 7) + 3);
}

void nd_mld_query(struct nd *n, const struct nd_message *m)
{
    struct nd_link *l = &n->link[m->link];
    struct net_addr group, own[ND_ADDRESSES];
    uint64_t wait_ms;
    unsigned count;
    bool asked;

    if (m->len < 24 || m->ip[7] != 1 || !nd_link_local(&m->src)) {
        n->bad++;
        return;
    }
    n->mld_in++;
    memcpy(&group, m->body + 8, 16);
    count = groups_of(n, m->link, own);
    asked = nd_any(&group);
    for (unsigned i = 0; i < count; i++)
        asked |= nd_same(&group, &own[i]);
    if (!asked)
        return;
    wait_ms = response_ms(m->body + 4);
    wait_ms = wait_ms == 0 ? 0 : n->env.random(n->env.ctx) % wait_ms;
    if (m->now_ns + wait_ms * 1000000 < l->report_ns)
        l->report_ns = m->now_ns + wait_ms * 1000000;
    nd_due(n, l->report_ns);
}

/* --- making ---------------------------------------------------------------------- */

struct nd_address *nd_find_address(struct nd *n, uint16_t link, const struct net_addr *ip)
{
    for (unsigned i = 0; i < ND_ADDRESSES; i++)
        if (n->address[i].used && n->address[i].link == link && nd_same(&n->address[i].ip, ip))
            return &n->address[i];
    return NULL;
}

const struct nd_address *nd_own(const struct nd *n, uint16_t link, bool global)
{
    const struct nd_address *found = NULL;

    for (unsigned i = 0; i < ND_ADDRESSES; i++) {
        const struct nd_address *a = &n->address[i];
        if (!a->used || a->link != link)
            continue;
        if ((nd_link_local(&a->ip)) != global)
            return a;
        found = a;
    }
    return found;
}

static uint32_t flags_of(const struct nd_address *a)
{
    return (a->origin == ND_STATIC ? ADDR_STATIC : 0) | (a->origin == ND_AUTO ? ADDR_OFF_LINK : 0) |
           (a->deprecated ? ADDR_DEPRECATED : 0);
}

static void tell(struct nd *n, const struct nd_address *a, uint32_t kind)
{
    n->env.address(n->env.ctx, kind, a->link, &a->ip, a->prefix, flags_of(a));
}

struct nd_address *nd_add(struct nd *n, uint16_t link, const struct net_addr *ip, uint8_t prefix,
                          enum nd_origin origin, uint8_t attempt, uint64_t now_ns)
{
    struct nd_address *a = nd_find_address(n, link, ip);

    for (unsigned i = 0; a == NULL && i < ND_ADDRESSES; i++) {
        if (n->address[i].used)
            continue;
        a = &n->address[i];
        *a = (struct nd_address){.ip = *ip,
                                 .link = link,
                                 .prefix = prefix,
                                 .used = true,
                                 .origin = (uint8_t)origin,
                                 .attempt = attempt,
                                 .next_ns = now_ns,
                                 .preferred_ns = ND_FOREVER,
                                 .valid_ns = ND_FOREVER};
        tell(n, a, NETCFG_ADDR_ADD);
        group_changed(n, a, TO_EXCLUDE);
        nd_due(n, now_ns);
    }
    return a;
}

void nd_remove(struct nd *n, struct nd_address *a)
{
    tell(n, a, NETCFG_ADDR_DEL);
    group_changed(n, a, TO_INCLUDE);
    a->used = false;
    n->env.changed(n->env.ctx, a->link);
}

void nd_address_add(struct nd *n, uint16_t link, const struct net_addr *ip, uint8_t prefix, uint64_t now_ns)
{
    if (link < ND_LINKS && n->link[link].up)
        nd_add(n, link, ip, prefix, ND_STATIC, 0, now_ns);
}

static bool reserved_id(const uint8_t id[8]) /* RFC 5453 */
{
    static const uint8_t zero[8], high[7] = {0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    return memcmp(id, zero, 8) == 0 || (memcmp(id, high, 7) == 0 && id[7] >= 0x80);
}

static void make_id(const struct nd *n, uint16_t link, const struct net_addr *net, uint8_t attempt,
                    uint8_t id[8])
{
    const struct nd_link *l = &n->link[link];
    uint8_t b[8 + LINK_NAME_MAX + 6 + 1];
    uint64_t h;

    if (!n->has_secret) {
        memcpy(id, l->mac, 3);
        id[0] ^= 2;
        id[3] = 0xff;
        id[4] = 0xfe;
        memcpy(id + 5, l->mac + 3, 3);
        return;
    }
    memcpy(b, net, 8);
    memcpy(b + 8, l->name, LINK_NAME_MAX);
    memcpy(b + 8 + LINK_NAME_MAX, l->mac, 6);
    b[sizeof(b) - 1] = attempt;
    h = siphash24(n->secret, b, sizeof(b));
    memcpy(id, &h, 8);
}

/* Another attempt has another id only where there is a secret. */
static struct nd_address *make(struct nd *n, uint16_t link, const struct net_addr *net, enum nd_origin origin,
                               uint8_t attempt, uint64_t now_ns)
{
    struct net_addr ip = *net;

    for (; attempt < (n->has_secret ? ATTEMPTS : 1); attempt++) {
        make_id(n, link, net, attempt, ip.b + 8);
        if (!reserved_id(ip.b + 8))
            return nd_add(n, link, &ip, 64, origin, attempt, now_ns);
    }
    return NULL;
}

static void set_lives(struct nd *n, struct nd_address *a, uint64_t preferred_ns, uint64_t valid_ns,
                      uint64_t now_ns)
{
    bool deprecated = preferred_ns <= now_ns;

    a->preferred_ns = preferred_ns;
    a->valid_ns = valid_ns;
    nd_due(n, valid_ns);
    if (!deprecated)
        nd_due(n, preferred_ns);
    if (deprecated != a->deprecated) {
        a->deprecated = deprecated;
        tell(n, a, NETCFG_ADDR_ADD);
    }
}

/* A prefix for addresses was advertised (RFC 4862 5.5.3). False: no room. */
bool nd_auto(struct nd *n, uint16_t link, const struct net_addr *net, uint64_t preferred_ns,
             uint64_t valid_ns, uint64_t now_ns)
{
    struct nd_address *a = NULL;

    for (unsigned i = 0; i < ND_ADDRESSES && a == NULL; i++)
        if (n->address[i].used && n->address[i].link == link && n->address[i].origin == ND_AUTO &&
            memcmp(n->address[i].ip.b, net->b, 8) == 0)
            a = &n->address[i];
    if (a == NULL) {
        if (valid_ns <= now_ns)
            return true;
        a = make(n, link, net, ND_AUTO, 0, now_ns);
        if (a == NULL)
            return false;
        n->env.changed(n->env.ctx, link);
    } else if (valid_ns < now_ns + TWO_HOURS_NS && valid_ns < a->valid_ns) {
        /* Nobody may end it with one forged message. */
        valid_ns = a->valid_ns < now_ns + TWO_HOURS_NS ? a->valid_ns : now_ns + TWO_HOURS_NS; /* C-ND-4 */
    }
    set_lives(n, a, preferred_ns, valid_ns, now_ns);
    return true;
}

/* --- duplicates (RFC 4862 5.4) ------------------------------------------------------ */

/* One that was unique before stays: whoever else claims it came later, and anybody
 * can say so. */
void nd_collision(struct nd *n, struct nd_address *a, const uint8_t mac[6], uint64_t now_ns)
{
    struct nd_address was = *a, *next = NULL;
    struct net_addr net = {{0}};

    n->duplicates++;
    n->env.duplicate(n->env.ctx, a->link, &a->ip, mac);
    if (a->checks == ND_CHECKED)
        return;
    nd_remove(n, a); /* C-ND-5 */
    memcpy(&net, &was.ip, 8);
    if (was.origin != ND_STATIC && n->has_secret)
        next = make(n, was.link, &net, was.origin, (uint8_t)(was.attempt + 1), now_ns);
    if (next != NULL)
        set_lives(n, next, was.preferred_ns, was.valid_ns, now_ns);
    else if (was.origin == ND_LINK_LOCAL) /* 5.4.5: two cards with one address; no more from us */
        n->link[was.link].solicit_ns = ND_FOREVER;
}

static void check_step(struct nd *n, struct nd_address *a, uint64_t now_ns)
{
    static const struct net_addr unknown;

    if (a->checks == 0) { /* DupAddrDetectTransmits is 1 */
        a->checks = 1;
        a->next_ns = now_ns + n->link[a->link].retrans_ns;
        nd_solicit(n, a->link, &unknown, &a->ip, NULL);
        return;
    }
    a->checks = ND_CHECKED;
    a->next_ns = ND_FOREVER;
    group_changed(n, a, TO_EXCLUDE); /* once more, the first may have been lost (RFC 3810 9.1) */
    n->env.changed(n->env.ctx, a->link);
}

/* --- time ----------------------------------------------------------------------------- */

void nd_addresses_run(struct nd *n, uint64_t now_ns)
{
    struct net_addr own[ND_ADDRESSES];

    for (unsigned i = 0; i < ND_ADDRESSES; i++) {
        struct nd_address *a = &n->address[i];

        if (a->used && a->valid_ns <= now_ns)
            nd_remove(n, a);
        if (!a->used)
            continue;
        if (!a->deprecated && a->preferred_ns <= now_ns)
            set_lives(n, a, a->preferred_ns, a->valid_ns, now_ns);
        if (a->next_ns <= now_ns)
            check_step(n, a, now_ns);
        nd_due(n, a->next_ns);
        nd_due(n, a->valid_ns);
        if (!a->deprecated)
            nd_due(n, a->preferred_ns);
    }
    for (uint16_t i = 0; i < ND_LINKS; i++) {
        struct nd_link *l = &n->link[i];

        if (l->report_ns <= now_ns) {
            unsigned count = groups_of(n, i, own);
            l->report_ns = ND_FOREVER;
            if (count != 0)
                report(n, i, MODE_IS_EXCLUDE, own, count);
        }
        nd_due(n, l->report_ns);
    }
}

/* --- a link comes up -------------------------------------------------------------------- */

static void restore(struct nd *n, uint16_t link, const struct nd_kept *kept, uint64_t now_ns)
{
    for (unsigned i = 0; i < ND_ADDRESSES; i++) {
        const struct nd_address *k = &kept->address[i];
        struct nd_address *a;

        if (!k->used || k->link != link || k->origin == ND_STATIC || k->valid_ns <= now_ns)
            continue;
        a = nd_add(n, link, &k->ip, k->prefix, k->origin, k->attempt, now_ns);
        if (a == NULL)
            continue;
        a->checks = k->checks == ND_CHECKED ? ND_CHECKED : 0;
        a->next_ns = k->checks == ND_CHECKED ? ND_FOREVER : now_ns;
        set_lives(n, a, k->preferred_ns, k->valid_ns, now_ns);
    }
    for (unsigned i = 0; i < ND_ROUTERS; i++)
        if (kept->router[i].used && kept->router[i].link == link && kept->router[i].until_ns > now_ns)
            n->router[i] = kept->router[i];
    for (unsigned i = 0; i < ND_PREFIXES; i++)
        if (kept->prefix[i].used && kept->prefix[i].link == link)
            n->prefix[i] = kept->prefix[i];
    for (unsigned i = 0; i < 2; i++)
        if (kept->dns_link[i] == link + 1)
            n->link[link].dns = kept->dns[i];
}

void nd_link_up(struct nd *n, uint16_t link, const char *name, const uint8_t mac[6], uint32_t mtu,
                bool autoconf, const struct nd_kept *kept, uint64_t now_ns)
{
    static const struct net_addr local = {{0xfe, 0x80}};
    struct nd_link *l = &n->link[link];

    if (link >= ND_LINKS || l->up)
        return;
    l->up = true;
    l->autoconf = autoconf;
    l->mtu = mtu;
    memcpy(l->mac, mac, 6);
    for (unsigned i = 0; i + 1 < LINK_NAME_MAX && name[i] != 0; i++)
        l->name[i] = name[i];
    if (kept != NULL)
        restore(n, link, kept, now_ns);
    if (nd_own(n, link, false) == NULL || !nd_link_local(&nd_own(n, link, false)->ip))
        make(n, link, &local, ND_LINK_LOCAL, 0, now_ns);
    if (autoconf)
        nd_routers_start(n, link, now_ns);
    nd_due(n, now_ns);
}

void nd_keep(const struct nd *n, struct nd_kept *out)
{
    unsigned count = 0;

    memset(out, 0, sizeof(*out));
    memcpy(out->address, n->address, sizeof(out->address));
    memcpy(out->router, n->router, sizeof(out->router));
    memcpy(out->prefix, n->prefix, sizeof(out->prefix));
    for (uint16_t i = 0; i < ND_LINKS && count < 2; i++) {
        if (n->link[i].dns.until_ns[0] == 0 && n->link[i].dns.domain_until_ns == 0)
            continue;
        out->dns[count] = n->link[i].dns;
        out->dns_link[count++] = (uint16_t)(i + 1);
    }
}
