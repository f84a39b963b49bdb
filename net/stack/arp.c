/* SPDX-License-Identifier: MIT
 *
 * net/stack/arp.c: see net/stack/arp.h.
 */
#include <net/stack/arp.h>
#include <string.h>

#define NS_PER_S 1000000000ull

/* Offsets in the frame: Ethernet header (14 bytes), then RFC 826's packet. */
enum {
    ETH_DST = 0, ETH_SRC = 6, ETH_TYPE = 12,
    ARP_HTYPE = 14, ARP_PTYPE = 16, ARP_HLEN = 18, ARP_PLEN = 19, ARP_OP = 20,
    ARP_SHA = 22, ARP_SPA = 28, ARP_THA = 32, ARP_TPA = 38,
};
enum { OP_REQUEST = 1, OP_REPLY = 2 };

static const uint8_t broadcast_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t no_ip[4];

void arp_init(struct arp *a, const struct arp_env *env)
{
    memset(a, 0, sizeof(*a));
    a->env = *env;
    a->next_ns = UINT64_MAX;
}

static void due_at(struct arp *a, uint64_t *next_ns, uint64_t when_ns)
{
    *next_ns = when_ns;
    if (when_ns < a->next_ns)
        a->next_ns = when_ns;
}

/* --- sending --------------------------------------------------------------- */

static void send_arp(struct arp *a, uint16_t link, unsigned op, const uint8_t dst_mac[6], const uint8_t sender_ip[4],
                     const uint8_t target_ip[4])
{
    uint8_t f[ARP_FRAME_BYTES], mac[6];

    if (!a->env.own_mac(a->env.ctx, link, mac))
        return;
    memcpy(f + ETH_DST, dst_mac, 6);
    memcpy(f + ETH_SRC, mac, 6);
    memcpy(f + ETH_TYPE, "\x08\x06\x00\x01\x08\x00\x06\x04", 8); /* type, Ethernet, IPv4, 6, 4 */
    f[ARP_OP] = 0;
    f[ARP_OP + 1] = (uint8_t)op;
    memcpy(f + ARP_SHA, mac, 6);
    memcpy(f + ARP_SPA, sender_ip, 4);
    if (op == OP_REPLY)
        memcpy(f + ARP_THA, dst_mac, 6);
    else
        memset(f + ARP_THA, 0, 6);
    memcpy(f + ARP_TPA, target_ip, 4);
    if (op == OP_REPLY)
        a->replies_out++;
    else
        a->requests_out++;
    a->env.send(a->env.ctx, link, f, sizeof(f));
}

static void ask(struct arp *a, struct arp_entry *e, uint64_t now_ns)
{
    uint8_t src[4];
    if (!a->env.source(a->env.ctx, e->link, e->ip, src))
        memset(src, 0, 4);
    send_arp(a, e->link, OP_REQUEST, broadcast_mac, src, e->ip);
    e->tries++;
    due_at(a, &e->next_ns, now_ns + NS_PER_S); /* RFC 1122 section 2.3.2.1: at most one a second */
}

/* --- entries --------------------------------------------------------------- */

static struct arp_entry *find(struct arp *a, uint16_t link, const uint8_t ip[4])
{
    for (unsigned i = 0; i < ARP_ENTRIES; i++) {
        struct arp_entry *e = &a->entry[i];
        if (e->state != NEIGH_NONE && e->link == link && memcmp(e->ip, ip, 4) == 0)
            return e;
    }
    return NULL;
}

static void drop_waiting(struct arp *a, struct arp_entry *e, bool tell)
{
    while (e->first) {
        struct arp_packet *p = e->first;
        e->first = p->next;
        a->waiting_bytes -= p->len;
        a->dropped++;
        if (tell)
            a->env.unreachable(a->env.ctx, e->link, p->data, p->len);
        a->env.free(a->env.ctx, p);
    }
    e->last = NULL;
    e->waiting = 0;
}

static void forget(struct arp *a, struct arp_entry *e, bool tell)
{
    drop_waiting(a, e, tell);
    if (e->state == NEIGH_REACHABLE)
        a->env.learn(a->env.ctx, e->link, e->ip, e->mac, NEIGH_NONE);
    e->state = NEIGH_NONE;
}

/* A free entry; when there is none, the complete one that ends first makes
 * room, so that a scan of the subnet cannot push out questions under way. */
static struct arp_entry *take_entry(struct arp *a, uint16_t link, const uint8_t ip[4])
{
    struct arp_entry *best = NULL;
    for (unsigned i = 0; i < ARP_ENTRIES; i++) {
        struct arp_entry *e = &a->entry[i];
        if (e->state == NEIGH_NONE) {
            best = e;
            break;
        }
        if (e->state == NEIGH_REACHABLE && (!best || e->next_ns < best->next_ns))
            best = e;
    }
    if (!best)
        return NULL;
    if (best->state != NEIGH_NONE)
        forget(a, best, false);
    memset(best, 0, sizeof(*best));
    memcpy(best->ip, ip, 4);
    best->link = link;
    return best;
}

static void learned(struct arp *a, struct arp_entry *e, const uint8_t mac[6], uint64_t now_ns)
{
    bool changed = e->state != NEIGH_REACHABLE || memcmp(e->mac, mac, 6) != 0;
    memcpy(e->mac, mac, 6);
    e->state = NEIGH_REACHABLE;
    e->tries = 0;
    due_at(a, &e->next_ns, now_ns + ARP_LIFETIME_NS);
    if (changed)
        a->env.learn(a->env.ctx, e->link, e->ip, mac, NEIGH_REACHABLE);
    while (e->first) {
        struct arp_packet *p = e->first;
        e->first = p->next;
        a->waiting_bytes -= p->len;
        a->env.resend(a->env.ctx, e->link, mac, p->data, p->len);
        a->env.free(a->env.ctx, p);
    }
    e->last = NULL;
    e->waiting = 0;
}

void arp_resolve(struct arp *a, uint16_t link, const uint8_t ip[4], const void *packet, size_t len, uint64_t now_ns)
{
    struct arp_entry *e = find(a, link, ip);
    if (e && e->state == NEIGH_REACHABLE) { /* it came while this packet was on its way */
        a->env.learn(a->env.ctx, link, ip, e->mac, NEIGH_REACHABLE);
        a->env.resend(a->env.ctx, link, e->mac, packet, len);
        return;
    }
    if (!e)
        e = take_entry(a, link, ip);
    /* C-NETD-2 */
    if (!e) {
        a->dropped++;
        return;
    }
    struct arp_packet *p = NULL;
    if (e->waiting < ARP_WAITING_PER_ENTRY && a->waiting_bytes + len <= ARP_WAITING_BYTES)
        p = a->env.alloc(a->env.ctx, sizeof(*p) + len);
    if (!p) { /* ask all the same: packets for dead hosts must not keep others from being found */
        a->dropped++;
    } else {
        p->next = NULL;
        p->len = len;
        memcpy(p->data, packet, len);
        if (e->last)
            e->last->next = p;
        else
            e->first = p;
        e->last = p;
        e->waiting++;
        a->waiting_bytes += len;
    }
    if (e->state == NEIGH_NONE) {
        e->state = NEIGH_INCOMPLETE;
        ask(a, e, now_ns);
    }
}

void arp_adopt(struct arp *a, uint16_t link, const uint8_t ip[4], const uint8_t mac[6], uint64_t age_ns,
               uint64_t now_ns)
{
    struct arp_entry *e = find(a, link, ip) ? NULL : take_entry(a, link, ip);

    if (!e)
        return;
    memcpy(e->mac, mac, 6);
    e->state = NEIGH_REACHABLE;
    due_at(a, &e->next_ns, age_ns < ARP_LIFETIME_NS ? now_ns + ARP_LIFETIME_NS - age_ns : now_ns);
}

/* --- receiving ------------------------------------------------------------- */

/* RFC 5227 section 2.1.1 while probing, 2.4 afterwards. */
static bool is_conflict(struct arp *a, uint16_t link, const uint8_t *f, const uint8_t own[6])
{
    if (memcmp(f + ARP_SHA, own, 6) == 0)
        return false;
    if (a->env.own_address(a->env.ctx, link, f + ARP_SPA))
        return true;
    if (memcmp(f + ARP_SPA, no_ip, 4) != 0 || f[ARP_OP + 1] != OP_REQUEST)
        return false;
    for (unsigned i = 0; i < ARP_PROBES_MAX; i++) {
        const struct arp_probe *p = &a->probe[i];
        /* Another host probes for the same address at the same time. */
        if (p->active && p->sent <= 3 && p->link == link && memcmp(p->ip, f + ARP_TPA, 4) == 0)
            return true;
    }
    return false;
}

void arp_input(struct arp *a, uint16_t link, const void *frame, size_t len, uint64_t now_ns)
{
    const uint8_t *f = frame;
    uint8_t own[6];

    if (len < ARP_FRAME_BYTES || memcmp(f + ARP_HTYPE, "\x00\x01\x08\x00\x06\x04\x00", 7) != 0 ||
        (f[ARP_OP + 1] != OP_REQUEST && f[ARP_OP + 1] != OP_REPLY) || (f[ARP_SHA] & 1)) {
        a->bad++;
        return;
    }
    if (!a->env.own_mac(a->env.ctx, link, own))
        return;
    bool request = f[ARP_OP + 1] == OP_REQUEST;
    if (request)
        a->requests_in++;
    else
        a->replies_in++;
    if (is_conflict(a, link, f, own)) {
        const uint8_t *ip = memcmp(f + ARP_SPA, no_ip, 4) ? f + ARP_SPA : f + ARP_TPA;
        a->conflicts++;
        a->env.conflict(a->env.ctx, link, ip, f + ARP_SHA);
        return;
    }
    bool to_us = a->env.own_address(a->env.ctx, link, f + ARP_TPA);
    if (memcmp(f + ARP_SPA, no_ip, 4) != 0 && f[ARP_SPA] < 224 && memcmp(f + ARP_SHA, own, 6) != 0) {
        struct arp_entry *e = find(a, link, f + ARP_SPA);
        /* RFC 826: merge what is known; a new entry only for one who asks us. */
        if (!e && to_us && request)
            e = take_entry(a, link, f + ARP_SPA);
        if (e)
            learned(a, e, f + ARP_SHA, now_ns);
        else
            a->ignored++;
    }
    if (request && to_us) /* C-NETD-3 */
        send_arp(a, link, OP_REPLY, f + ARP_SHA, f + ARP_TPA, f + ARP_SPA);
}

/* --- probes and timers ----------------------------------------------------- */

void arp_probe_start(struct arp *a, uint16_t link, const uint8_t ip[4], uint64_t now_ns)
{
    arp_probe_stop(a, link, ip);
    for (unsigned i = 0; i < ARP_PROBES_MAX; i++) {
        struct arp_probe *p = &a->probe[i];
        if (p->active)
            continue;
        *p = (struct arp_probe){.link = link, .active = true};
        memcpy(p->ip, ip, 4);
        due_at(a, &p->next_ns, now_ns);
        return;
    }
}

void arp_probe_stop(struct arp *a, uint16_t link, const uint8_t ip[4])
{
    for (unsigned i = 0; i < ARP_PROBES_MAX; i++)
        if (a->probe[i].active && a->probe[i].link == link && memcmp(a->probe[i].ip, ip, 4) == 0)
            a->probe[i].active = false;
}

bool arp_probing(const struct arp *a, uint16_t link, const uint8_t ip[4])
{
    for (unsigned i = 0; i < ARP_PROBES_MAX; i++) {
        const struct arp_probe *p = &a->probe[i];
        if (p->active && p->sent <= 3 && p->link == link && memcmp(p->ip, ip, 4) == 0)
            return true;
    }
    return false;
}

void arp_announce(struct arp *a, uint16_t link, const uint8_t ip[4])
{
    send_arp(a, link, OP_REQUEST, broadcast_mac, ip, ip);
}

/* Three probes a second apart, and two seconds later two announcements two seconds apart
 * (RFC 5227 section 1.1; the random waits are left out, the address is in use). */
static void run_probe(struct arp *a, struct arp_probe *p, uint64_t now_ns)
{
    bool announce = p->sent >= 3, first = p->sent == 3;
    send_arp(a, p->link, OP_REQUEST, broadcast_mac, announce ? p->ip : no_ip, p->ip);
    p->sent++;
    due_at(a, &p->next_ns, now_ns + (p->sent >= 3 ? 2 : 1) * NS_PER_S);
    if (p->sent == 5)
        p->active = false;
    if (first)
        a->env.probed(a->env.ctx, p->link, p->ip); /* C-NETD-8 */
}

void arp_run(struct arp *a, uint64_t now_ns)
{
    if (now_ns < a->next_ns)
        return;
    for (unsigned i = 0; i < ARP_PROBES_MAX; i++)
        if (a->probe[i].active && a->probe[i].next_ns <= now_ns)
            run_probe(a, &a->probe[i], now_ns);
    for (unsigned i = 0; i < ARP_ENTRIES; i++) {
        struct arp_entry *e = &a->entry[i];
        if (e->state == NEIGH_NONE || e->next_ns > now_ns)
            continue;
        if (e->state == NEIGH_INCOMPLETE && e->tries < ARP_TRIES) {
            ask(a, e, now_ns);
        } else {
            a->failed += e->state == NEIGH_INCOMPLETE;
            forget(a, e, true);
        }
    }
    a->next_ns = UINT64_MAX;
    for (unsigned i = 0; i < ARP_PROBES_MAX; i++)
        if (a->probe[i].active)
            due_at(a, &a->probe[i].next_ns, a->probe[i].next_ns);
    for (unsigned i = 0; i < ARP_ENTRIES; i++)
        if (a->entry[i].state != NEIGH_NONE)
            due_at(a, &a->entry[i].next_ns, a->entry[i].next_ns);
}

uint64_t arp_deadline(const struct arp *a)
{
    return a->next_ns;
}

void arp_flush(struct arp *a, uint16_t link)
{
    for (unsigned i = 0; i < ARP_ENTRIES; i++)
        if (a->entry[i].state != NEIGH_NONE && a->entry[i].link == link)
            forget(a, &a->entry[i], false);
    for (unsigned i = 0; i < ARP_PROBES_MAX; i++)
        if (a->probe[i].link == link)
            a->probe[i].active = false;
}
