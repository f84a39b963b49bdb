/* SPDX-License-Identifier: MIT
 *
 * net/stack/nd.c: neighbours (RFC 4861, section 7); see net/stack/nd.h.
 */
#include <net/stack/checksum.h>
#include <net/stack/nd.h>
#include <string.h>

enum { MLD_QUERY = 130, ROUTER_SOLICIT = 133, ROUTER_ADVERT, NEIGHBOUR_SOLICIT, NEIGHBOUR_ADVERT, REDIRECT };
enum { OPT_SOURCE = 1, OPT_TARGET = 2 };
enum { NA_ROUTER = 0x80, NA_SOLICITED = 0x40, NA_OVERRIDE = 0x20 };

static const struct net_addr all_nodes = {{0xff, 2, [15] = 1}};

void nd_init(struct nd *n, const struct nd_env *env)
{
    memset(n, 0, sizeof(*n));
    n->env = *env;
    n->next_ns = ND_FOREVER;
    for (unsigned i = 0; i < ND_LINKS; i++) {
        n->link[i].reachable_ns = ND_REACHABLE_NS;
        n->link[i].retrans_ns = ND_RETRANS_NS;
        n->link[i].solicit_ns = n->link[i].report_ns = ND_FOREVER;
    }
}

void nd_due(struct nd *n, uint64_t when_ns)
{
    if (when_ns < n->next_ns)
        n->next_ns = when_ns;
}

/* --- options ----------------------------------------------------------------- */

/* RFC 4861 4.6: a length of zero spoils the whole message. */
bool nd_options_sound(const uint8_t *opt, size_t len)
{
    while (len != 0) {
        size_t n = len >= 2 ? (size_t)opt[1] * 8 : 0;

        if (n == 0 || n > len)
            return false;
        opt += n;
        len -= n;
    }
    return true;
}

const uint8_t *nd_option(const uint8_t *opt, size_t len, uint8_t type, size_t bytes)
{
    while (len >= 8) {
        size_t n = (size_t)opt[1] * 8;

        if (n == 0 || n > len)
            return NULL;
        if (opt[0] == type && n >= bytes)
            return opt;
        opt += n;
        len -= n;
    }
    return NULL;
}

/* --- sending ------------------------------------------------------------------- */

void nd_solicited_group(const struct net_addr *ip, struct net_addr *group)
{
    *group = (struct net_addr){{0xff, 2, [11] = 1, [12] = 0xff}};
    memcpy(group->b + 13, ip->b + 13, 3);
}

static uint16_t checksum(const struct net_addr *src, const struct net_addr *dst, const uint8_t *body,
                         size_t len)
{
    uint8_t pseudo[8] = {0, 0, (uint8_t)(len >> 8), (uint8_t)len, 0, 0, 0, NET_ICMP6};

    return csum_finish(
        csum_bytes(csum_bytes(csum_bytes(csum_bytes(0, src->b, 16), dst->b, 16), pseudo, 8), body, len));
}

void nd_send(struct nd *n, uint16_t link, const uint8_t *mac, const struct net_addr *src,
             const struct net_addr *dst, uint8_t *body, size_t len)
{
    uint8_t p[ND_PACKET_MAX] = {0x60, [4] = (uint8_t)(len >> 8), (uint8_t)len, NET_ICMP6, 255};
    uint16_t sum;

    body[2] = body[3] = 0;
    sum = checksum(src, dst, body, len);
    memcpy(body + 2, &sum, 2);
    memcpy(p + 8, src, 16);
    memcpy(p + 24, dst, 16);
    memcpy(p + 40, body, len);
    n->env.send(n->env.ctx, link, mac, p, 40 + len);
}

/* With an 8-byte hop-by-hop header before the message; to routers, one hop. */
void nd_send_hop_by_hop(struct nd *n, uint16_t link, const struct net_addr *src, const struct net_addr *dst,
                        uint8_t *b, size_t len)
{
    uint8_t p[ND_PACKET_MAX] = {0x60, [4] = (uint8_t)(len >> 8), (uint8_t)len, 0, 1};
    uint16_t sum;

    b[10] = b[11] = 0;
    sum = checksum(src, dst, b + 8, len - 8);
    memcpy(b + 10, &sum, 2);
    memcpy(p + 8, src, 16);
    memcpy(p + 24, dst, 16);
    memcpy(p + 40, b, len);
    n->env.send(n->env.ctx, link, NULL, p, 40 + len);
}

static void put_mac(uint8_t *opt, uint8_t type, const uint8_t mac[6])
{
    opt[0] = type;
    opt[1] = 1;
    memcpy(opt + 2, mac, 6);
}

/* src all zero: duplicate detection. An address that may be a duplicate says
 * nothing of where it lives (RFC 4429 3.2). */
void nd_solicit(struct nd *n, uint16_t link, const struct net_addr *src, const struct net_addr *target,
                const uint8_t *mac)
{
    struct nd_address *own = nd_find_address(n, link, src);
    uint8_t b[32] = {NEIGHBOUR_SOLICIT};
    struct net_addr group;
    size_t len = 24;

    memcpy(b + 8, target, 16);
    if (own != NULL && own->checks == ND_CHECKED) {
        put_mac(b + 24, OPT_SOURCE, n->link[link].mac);
        len = 32;
    }
    nd_solicited_group(target, &group);
    n->solicits_out++;
    nd_send(n, link, mac, src, mac != NULL ? target : &group, b, len);
}

static void advertise(struct nd *n, const struct nd_address *a, const struct nd_message *m)
{
    bool anonymous = nd_any(&m->src);
    uint8_t b[32] = {NEIGHBOUR_ADVERT};

    b[4] = (uint8_t)((anonymous ? 0 : NA_SOLICITED) | (a->checks == ND_CHECKED ? NA_OVERRIDE : 0));
    memcpy(b + 8, &a->ip, 16);
    put_mac(b + 24, OPT_TARGET, n->link[m->link].mac);
    n->adverts_out++;
    nd_send(n, m->link, anonymous ? NULL : m->mac, &a->ip, anonymous ? &all_nodes : &m->src, b, 32);
}

/* --- entries ------------------------------------------------------------------- */

static struct nd_entry *find(struct nd *n, uint16_t link, const struct net_addr *ip)
{
    for (unsigned i = 0; i < ND_ENTRIES; i++)
        if (n->entry[i].state != ND_FREE && n->entry[i].link == link && nd_same(&n->entry[i].ip, ip))
            return &n->entry[i];
    return NULL;
}

static void tell_kernel(struct nd *n, struct nd_entry *e, enum neigh_state state)
{
    if (state == NEIGH_NONE && !e->in_kernel)
        return;
    e->in_kernel = state != NEIGH_NONE;
    n->env.learn(n->env.ctx, e->link, &e->ip, e->mac, state);
}

static void drop_waiting(struct nd *n, struct nd_entry *e, bool tell)
{
    while (e->first != NULL) {
        struct nd_packet *p = e->first;
        e->first = p->next;
        n->waiting_bytes -= p->len;
        n->dropped++;
        if (tell)
            n->env.unreachable(n->env.ctx, e->link, p->data, p->len);
        n->env.free(n->env.ctx, p);
    }
    e->last = NULL;
    e->waiting = 0;
}

static void forget(struct nd *n, struct nd_entry *e, bool tell)
{
    drop_waiting(n, e, tell);
    tell_kernel(n, e, NEIGH_NONE);
    e->state = ND_FREE;
}

/* One of those that we keep as routers. The flag of an entry says only what anybody
 * on the link may have said. */
static bool is_router_of_ours(const struct nd *n, const struct nd_entry *e)
{
    for (unsigned i = 0; i < ND_ROUTERS; i++)
        if (n->router[i].used && n->router[i].link == e->link && nd_same(&n->router[i].ip, &e->ip))
            return true;
    return false;
}

/* A free entry; when there is none, a stale one makes room, then the one that
 * ends first: a scan of the prefix cannot push out questions under way. */
static struct nd_entry *take_entry(struct nd *n, uint16_t link, const struct net_addr *ip)
{
    struct nd_entry *best = NULL;

    for (unsigned i = 0; i < ND_ENTRIES; i++) {
        struct nd_entry *e = &n->entry[i];
        if (e->state == ND_FREE) {
            best = e;
            break;
        }
        if (e->state == ND_INCOMPLETE || is_router_of_ours(n, e))
            continue;
        if (best == NULL || (e->state == ND_STALE && best->state != ND_STALE) ||
            (e->state == best->state && e->next_ns < best->next_ns))
            best = e;
    }
    if (best == NULL)
        return NULL; /* C-ND-2 */
    if (best->state != ND_FREE)
        forget(n, best, false);
    memset(best, 0, sizeof(*best));
    best->ip = *ip;
    best->link = link;
    return best;
}

static void enter(struct nd *n, struct nd_entry *e, enum nd_entry_state state, uint64_t now_ns)
{
    const struct nd_link *l = &n->link[e->link];

    e->state = (uint8_t)state;
    e->tries = 0;
    switch (state) {
    case ND_REACHABLE: { /* between a half and one and a half of it (6.3.2) */
        uint64_t half = l->reachable_ns / 2;
        e->next_ns = now_ns + half + l->reachable_ns * (n->env.random(n->env.ctx) & 1023) / 1024;
        tell_kernel(n, e, NEIGH_REACHABLE);
        break;
    }
    case ND_STALE: /* see nd.h: its next use must come to us */
        e->next_ns = ND_FOREVER;
        tell_kernel(n, e, NEIGH_NONE);
        break;
    case ND_DELAY:
        e->next_ns = now_ns + ND_DELAY_NS;
        tell_kernel(n, e, NEIGH_STALE);
        break;
    default:
        e->next_ns = now_ns;
        break;
    }
    nd_due(n, e->next_ns);
}

static void release_waiting(struct nd *n, struct nd_entry *e)
{
    while (e->first != NULL) {
        struct nd_packet *p = e->first;
        e->first = p->next;
        n->waiting_bytes -= p->len;
        n->env.resend(n->env.ctx, e->link, e->mac, p->data, p->len);
        n->env.free(n->env.ctx, p);
    }
    e->last = NULL;
    e->waiting = 0;
}

/* A solicitation that prompted packets comes from the address that they come from,
 * if it is ours and may say so (7.2.2). */
static const struct net_addr *ask_from(const struct nd *n, const struct nd_entry *e)
{
    const struct nd_address *a = NULL;

    for (unsigned i = 0; e->first != NULL && i < ND_ADDRESSES; i++)
        if (n->address[i].used && n->address[i].link == e->link &&
            memcmp(&n->address[i].ip, e->first->data + 8, 16) == 0)
            a = &n->address[i];
    if (a == NULL)
        a = nd_own(n, e->link, !nd_link_local(&e->ip));
    return a != NULL ? &a->ip : NULL;
}

/* INCOMPLETE and PROBE: one more question, or the end. */
static void ask(struct nd *n, struct nd_entry *e, uint64_t now_ns)
{
    const struct net_addr *src = ask_from(n, e);

    if (e->tries >= ND_TRIES) {
        n->failed++;
        nd_router_failed(n, e->link, &e->ip);
        forget(n, e, true);
        return;
    }
    e->tries++;
    e->next_ns = now_ns + n->link[e->link].retrans_ns;
    nd_due(n, e->next_ns);
    if (src == NULL)
        return;
    if (e->state == ND_PROBE)
        n->probes++;
    nd_solicit(n, e->link, src, &e->ip, e->state == ND_PROBE ? e->mac : NULL);
}

static void keep(struct nd *n, struct nd_entry *e, const void *packet, size_t len)
{
    struct nd_packet *p = NULL;

    if (e->waiting < ND_WAITING_PER_ENTRY && n->waiting_bytes + len <= ND_WAITING_BYTES) /* C-ND-2 */
        p = n->env.alloc(n->env.ctx, sizeof(*p) + len);
    if (p == NULL) {
        n->dropped++;
        return;
    }
    p->next = NULL;
    p->len = len;
    memcpy(p->data, packet, len);
    if (e->last != NULL)
        e->last->next = p;
    else
        e->first = p;
    e->last = p;
    e->waiting++;
    n->waiting_bytes += len;
}

void nd_resolve(struct nd *n, uint16_t link, const struct net_addr *ip, const void *packet, size_t len,
                uint64_t now_ns)
{
    struct nd_entry *e;

    if (link >= ND_LINKS || !n->link[link].up || len < 40 || nd_group(ip) || nd_any(ip)) {
        n->dropped++;
        return;
    }
    e = find(n, link, ip);
    if (e == NULL)
        e = take_entry(n, link, ip);
    if (e == NULL) {
        n->dropped++;
        return;
    }
    if (e->state != ND_FREE && e->state != ND_INCOMPLETE) {
        if (e->state == ND_STALE)
            enter(n, e, ND_DELAY, now_ns);
        else
            tell_kernel(n, e, e->state == ND_REACHABLE ? NEIGH_REACHABLE : NEIGH_STALE);
        n->env.resend(n->env.ctx, link, e->mac, packet, len);
        return;
    }
    keep(n, e, packet, len);
    if (e->state == ND_FREE) {
        enter(n, e, ND_INCOMPLETE, now_ns);
        ask(n, e, now_ns);
    }
}

void nd_adopt(struct nd *n, uint16_t link, const struct net_addr *ip, const uint8_t mac[6], uint64_t age_ns,
              uint64_t now_ns)
{
    struct nd_entry *e;

    if (link >= ND_LINKS || !n->link[link].up || find(n, link, ip) != NULL ||
        (e = take_entry(n, link, ip)) == NULL)
        return;
    memcpy(e->mac, mac, 6);
    e->in_kernel = true;
    e->state = ND_REACHABLE;
    e->next_ns = age_ns < ND_REACHABLE_NS ? now_ns + ND_REACHABLE_NS - age_ns : now_ns;
    nd_due(n, e->next_ns);
}

/* 7.2.3, 6.3.4: what is new is stale; what is known changes only with its address. */
void nd_heard(struct nd *n, uint16_t link, const struct net_addr *ip, const uint8_t mac[6], bool router,
              uint64_t now_ns)
{
    struct nd_entry *e = find(n, link, ip);
    bool fresh;

    if ((mac[0] & 1) != 0 || nd_any(ip) || nd_group(ip) || nd_find_address(n, link, ip) != NULL)
        return;
    if (e == NULL && (e = take_entry(n, link, ip)) == NULL)
        return;
    fresh = e->state == ND_FREE || e->state == ND_INCOMPLETE;
    e->router |= router;
    if (!fresh && memcmp(e->mac, mac, 6) == 0)
        return;
    memcpy(e->mac, mac, 6);
    if (e->first != NULL) { /* in use: RFC 4861 7.3.3's DELAY begins */
        enter(n, e, ND_DELAY, now_ns);
        release_waiting(n, e);
    } else {
        enter(n, e, ND_STALE, now_ns);
    }
}

/* --- what comes in ----------------------------------------------------------------- */

/* Somebody else searches for a duplicate of, or speaks for, an address of ours. */
static void solicited(struct nd *n, const struct nd_message *m)
{
    const uint8_t *opt = m->body + 24, *mac;
    size_t optlen = m->len - 24;
    struct net_addr target, group;
    struct nd_address *a;

    n->solicits_in++;
    memcpy(&target, m->body + 8, 16);
    nd_solicited_group(&target, &group);
    mac = nd_option(opt, optlen, OPT_SOURCE, 8);
    if (nd_group(&target) || (nd_any(&m->src) && (mac != NULL || !nd_same(&m->dst, &group)))) {
        n->bad++;
        return;
    }
    a = nd_find_address(n, m->link, &target);
    if (a == NULL) {
        n->ignored++;
        return;
    }
    if (memcmp(m->mac, n->link[m->link].mac, 6) == 0)
        return; /* our own, come back */
    if (nd_any(&m->src) && a->checks != ND_CHECKED) {
        nd_collision(n, a, m->mac, m->now_ns); /* RFC 4862 5.4.3: two at once */
        return;
    }
    if (mac != NULL)
        nd_heard(n, m->link, &m->src, mac + 2, false, m->now_ns);
    advertise(n, a, m); /* C-ND-3 */
}

/* The table of 7.2.5. */
static void advertised(struct nd *n, const struct nd_message *m)
{
    uint8_t flags = m->body[4];
    const uint8_t *opt = nd_option(m->body + 24, m->len - 24, OPT_TARGET, 8);
    const uint8_t *mac = opt != NULL ? opt + 2 : NULL;
    struct net_addr target;
    struct nd_address *a;
    struct nd_entry *e;
    bool changed, was_router;

    n->adverts_in++;
    memcpy(&target, m->body + 8, 16);
    if (nd_group(&target) || (nd_group(&m->dst) && (flags & NA_SOLICITED)) || (mac != NULL && (mac[0] & 1))) {
        n->bad++;
        return;
    }
    a = nd_find_address(n, m->link, &target);
    if (a != NULL) {
        if (memcmp(m->mac, n->link[m->link].mac, 6) != 0)
            nd_collision(n, a, mac != NULL ? mac : m->mac, m->now_ns);
        return;
    }
    e = find(n, m->link, &target);
    if (e == NULL) { /* nobody asked */
        n->ignored++;
        return;
    }
    was_router = e->router;
    if (e->state == ND_INCOMPLETE) {
        if (mac == NULL)
            return;
        memcpy(e->mac, mac, 6);
        e->router = (flags & NA_ROUTER) != 0;
        enter(n, e, flags & NA_SOLICITED ? ND_REACHABLE : ND_DELAY, m->now_ns);
        release_waiting(n, e);
        return;
    }
    changed = mac != NULL && memcmp(mac, e->mac, 6) != 0;
    if (changed && !(flags & NA_OVERRIDE)) {
        if (e->state == ND_REACHABLE)
            enter(n, e, ND_STALE, m->now_ns);
        return;
    }
    if (changed)
        memcpy(e->mac, mac, 6);
    if (flags & NA_SOLICITED)
        enter(n, e, ND_REACHABLE, m->now_ns);
    else if (changed)
        enter(n, e, ND_STALE, m->now_ns);
    e->router = (flags & NA_ROUTER) != 0;
    if (was_router && !e->router)
        nd_router_failed(n, m->link, &target); /* 7.3.3: it is none any more */
}

/* Every message: never forwarded, whole, with sound options (6.1, 7.1). */
static bool sound(const struct nd_message *m)
{
    static const uint8_t least[] = {8, 16, 24, 24, 40};
    unsigned kind = m->body[0] - ROUTER_SOLICIT;

    return m->ip[7] == 255 && m->body[1] == 0 && m->len >= least[kind] &&
           nd_options_sound(m->body + least[kind], m->len - least[kind]);
}

/* To the message behind at most one hop-by-hop header (MLD has one). */
static bool find_body(struct nd_message *m, size_t len)
{
    size_t payload = len >= 48 ? (size_t)(m->ip[4] << 8 | m->ip[5]) : 0, skip = 0;

    if (payload < 8 || payload > len - 40 || m->ip[0] >> 4 != 6)
        return false;
    m->body = m->ip + 40;
    if (m->ip[6] == 0) {
        skip = ((size_t)m->body[1] + 1) * 8;
        if (m->body[0] != NET_ICMP6 || skip + 8 > payload)
            return false;
    } else if (m->ip[6] != NET_ICMP6) {
        return false;
    }
    m->body += skip;
    m->len = payload - skip;
    memcpy(&m->src, m->ip + 8, 16);
    memcpy(&m->dst, m->ip + 24, 16);
    return true;
}

void nd_input(struct nd *n, uint16_t link, const uint8_t *packet, size_t len, bool trusted,
              const uint8_t src_mac[6], uint64_t now_ns)
{
    struct nd_message m = {.link = link, .ip = packet, .mac = src_mac, .now_ns = now_ns};

    if (link >= ND_LINKS || !n->link[link].up)
        return;
    if (!find_body(&m, len) || (!trusted && checksum(&m.src, &m.dst, m.body, m.len) != 0)) {
        n->bad++;
        return;
    }
    if (m.body[0] == MLD_QUERY) {
        nd_mld_query(n, &m);
        return;
    }
    if (m.body[0] < ROUTER_SOLICIT || m.body[0] > REDIRECT)
        return;
    if (!sound(&m)) { /* C-ND-1 */
        n->bad++;
        return;
    }
    switch (m.body[0]) {
    case ROUTER_ADVERT:
        nd_ra_input(n, &m);
        break;
    case NEIGHBOUR_SOLICIT:
        solicited(n, &m);
        break;
    case NEIGHBOUR_ADVERT:
        advertised(n, &m);
        break;
    case REDIRECT:
        n->redirects++;
        break;
    default: /* a solicitation of routers: we are none */
        break;
    }
}

/* --- time ---------------------------------------------------------------------------- */

static void entry_due(struct nd *n, struct nd_entry *e, uint64_t now_ns)
{
    switch (e->state) {
    case ND_REACHABLE:
        enter(n, e, ND_STALE, now_ns);
        break;
    case ND_DELAY:
        enter(n, e, ND_PROBE, now_ns);
        ask(n, e, now_ns);
        break;
    default:
        ask(n, e, now_ns);
        break;
    }
}

void nd_run(struct nd *n, uint64_t now_ns)
{
    if (now_ns < n->next_ns)
        return;
    n->next_ns = ND_FOREVER;
    for (unsigned i = 0; i < ND_ENTRIES; i++) {
        struct nd_entry *e = &n->entry[i];
        if (e->state == ND_FREE || e->state == ND_STALE)
            continue;
        if (e->next_ns <= now_ns)
            entry_due(n, e, now_ns);
        if (e->state != ND_FREE)
            nd_due(n, e->next_ns);
    }
    nd_addresses_run(n, now_ns);
    nd_routers_run(n, now_ns);
}

uint64_t nd_deadline(const struct nd *n)
{
    return n->next_ns;
}

void nd_link_down(struct nd *n, uint16_t link)
{
    if (link >= ND_LINKS || !n->link[link].up)
        return;
    for (unsigned i = 0; i < ND_ENTRIES; i++) {
        if (n->entry[i].state != ND_FREE && n->entry[i].link == link)
            forget(n, &n->entry[i], false);
    }
    n->link[link].up = false;
    n->link[link].solicit_ns = n->link[link].report_ns = ND_FOREVER;
}
