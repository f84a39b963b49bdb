/* SPDX-License-Identifier: MIT
 *
 * net/stack/dhcp.c: the DHCP client of net/stack/dhcp.h.
 *
 * Section numbers are RFC 2131's unless another RFC is named.
 */
#include <net/stack/dhcp.h>
#include <string.h>

#define NS_PER_S 1000000000ull
#define PAUSE_MIN_S 30u /* between renewals, where the lease is long enough */
#define ROUTES_BYTES 512u

/* Message layout (section 2). */
enum {
    OFF_OP = 0, OFF_HTYPE = 1, OFF_HLEN = 2, OFF_XID = 4, OFF_SECS = 8, OFF_FLAGS = 10, OFF_CIADDR = 12,
    OFF_YIADDR = 16, OFF_CHADDR = 28, OFF_SNAME = 44, OFF_FILE = 108, OFF_COOKIE = 236, OFF_OPTIONS = 240,
};
static const uint8_t cookie[4] = {99, 130, 83, 99};

/* Options (RFC 2132) and message types. */
enum {
    OPT_PAD = 0, OPT_MASK = 1, OPT_ROUTER = 3, OPT_DNS = 6, OPT_HOSTNAME = 12, OPT_DOMAIN = 15, OPT_MTU = 26,
    OPT_BROADCAST = 28, OPT_NTP = 42, OPT_ADDRESS = 50, OPT_LEASE = 51, OPT_OVERLOAD = 52, OPT_TYPE = 53,
    OPT_SERVER = 54, OPT_PARAMS = 55, OPT_MAX_SIZE = 57, OPT_T1 = 58, OPT_T2 = 59, OPT_CLIENT_ID = 61,
    OPT_ROUTES = 121, OPT_END = 255,
};
enum { DISCOVER = 1, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE };

static uint32_t next_random(struct dhcp_client *c)
{
    /* xorshift32: spreads retries; the transaction id comes from the injected seed. */
    uint32_t x = c->random_state ? c->random_state : 0x9e3779b9u;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return c->random_state = x;
}

/* Retry delays double from 1 s to 64 s, plus or minus up to half a second
 * (section 4.1 asks for 4 s first; an idle LAN answers at once, and the boot
 * waits for this). */
static uint64_t retry_delay_ns(struct dhcp_client *c)
{
    uint64_t s = c->tries < 6 ? 1ull << c->tries : 64;
    return s * NS_PER_S - NS_PER_S / 2 + next_random(c) % NS_PER_S;
}

static void begin(struct dhcp_client *c, enum dhcp_state state, uint64_t now_ns)
{
    c->state = state;
    c->tries = 0;
    c->started_ns = now_ns;
    c->xid = next_random(c);
    c->next_ns = now_ns; /* no initial random delay */
}

void dhcp_start(struct dhcp_client *c, const uint8_t mac[6], uint32_t random, uint64_t now_ns)
{
    memset(c, 0, sizeof(*c));
    memcpy(c->mac, mac, 6);
    c->random_state = random;
    begin(c, DHCP_INIT, now_ns);
}

void dhcp_resume(struct dhcp_client *c, const uint8_t mac[6], const struct dhcp_lease *lease, uint32_t random,
                 uint64_t now_ns)
{
    dhcp_start(c, mac, random, now_ns);
    if (now_ns >= lease->expiry_ns)
        return;
    c->lease = *lease;
    c->state = DHCP_BOUND;
    c->next_ns = lease->t1_ns;
}

void dhcp_reboot(struct dhcp_client *c, uint64_t now_ns)
{
    if (c->state == DHCP_INIT || c->state == DHCP_SELECTING)
        begin(c, DHCP_INIT, now_ns);
    if (c->state != DHCP_BOUND && c->state != DHCP_RENEWING && c->state != DHCP_REBINDING)
        return;
    c->offer = c->lease;
    begin(c, DHCP_INIT_REBOOT, now_ns);
}

void dhcp_conflict(struct dhcp_client *c, uint64_t now_ns)
{
    if (c->state != DHCP_BOUND && c->state != DHCP_RENEWING && c->state != DHCP_REBINDING)
        return;
    c->state = DHCP_DECLINED; /* C-NETD-6 */
    c->tries = 0;
    c->next_ns = now_ns;
}

/* --- sending --------------------------------------------------------------- */

static uint8_t *put(uint8_t *o, uint8_t code, uint8_t len, const void *data)
{
    *o++ = code;
    *o++ = len;
    memcpy(o, data, len);
    return o + len;
}

static void build(struct dhcp_client *c, struct dhcp_output *out, uint8_t type, uint64_t now_ns)
{
    static const uint8_t wanted[] = {OPT_MASK, OPT_ROUTER, OPT_DNS, OPT_HOSTNAME, OPT_DOMAIN, OPT_MTU, OPT_BROADCAST,
                                     OPT_NTP, OPT_LEASE, OPT_T1, OPT_T2, OPT_ROUTES};
    static const uint8_t max_size[2] = {DHCP_MESSAGE_MAX >> 8, DHCP_MESSAGE_MAX & 0xff};
    uint64_t secs = (now_ns - c->started_ns) / NS_PER_S;
    uint8_t *m = out->message, id[7] = {1};
    bool has_address = c->state == DHCP_RENEWING || c->state == DHCP_REBINDING;

    memset(m, 0, OFF_OPTIONS);
    m[OFF_OP] = 1;    /* BOOTREQUEST */
    m[OFF_HTYPE] = 1; /* Ethernet */
    m[OFF_HLEN] = 6;
    m[OFF_XID] = (uint8_t)(c->xid >> 24);
    m[OFF_XID + 1] = (uint8_t)(c->xid >> 16);
    m[OFF_XID + 2] = (uint8_t)(c->xid >> 8);
    m[OFF_XID + 3] = (uint8_t)c->xid;
    secs = secs > 0xffff ? 0xffff : secs;
    m[OFF_SECS] = (uint8_t)(secs >> 8);
    m[OFF_SECS + 1] = (uint8_t)secs;
    memcpy(m + OFF_CHADDR, c->mac, 6);
    memcpy(m + OFF_COOKIE, cookie, 4);
    if (has_address) /* table 5: ciaddr only while bound */
        memcpy(m + OFF_CIADDR, c->lease.address, 4);

    uint8_t *o = put(m + OFF_OPTIONS, OPT_TYPE, 1, &type);
    memcpy(id + 1, c->mac, 6);
    o = put(o, OPT_CLIENT_ID, 7, id);
    if (type == DECLINE) {
        o = put(o, OPT_ADDRESS, 4, c->lease.address);
        o = put(o, OPT_SERVER, 4, c->lease.server);
    } else {
        if (type == REQUEST && !has_address)
            o = put(o, OPT_ADDRESS, 4, c->offer.address);
        if (type == REQUEST && c->state == DHCP_REQUESTING)
            o = put(o, OPT_SERVER, 4, c->offer.server);
        o = put(o, OPT_MAX_SIZE, 2, max_size);
        o = put(o, OPT_HOSTNAME, 7, "slipway");
        o = put(o, OPT_PARAMS, sizeof(wanted), wanted);
    }
    *o++ = OPT_END;
    /* BOOTP relays want at least 300 bytes (RFC 1542 section 2.1). */
    while (o < m + 300)
        *o++ = 0;
    out->len = (size_t)(o - m);
    memset(out->src, 0, 4);
    memset(out->dst, 0xff, 4);
    if (has_address)
        memcpy(out->src, c->lease.address, 4);
    if (c->state == DHCP_RENEWING) /* section 4.3.6: unicast to the server */
        memcpy(out->dst, c->lease.server, 4);
    c->asked_ns = now_ns;
    c->sent++;
}

/* Time left until `until`, halved, at least a minute (section 4.4.5); for leases so short
 * that nothing would come of it, a share of what follows T1. */
static uint64_t half_way(const struct dhcp_lease *l, uint64_t now_ns, uint64_t until)
{
    uint64_t left = until > now_ns ? until - now_ns : 0, least = (l->expiry_ns - l->t1_ns) / 4;
    least = least < 60 * NS_PER_S ? least : 60 * NS_PER_S;
    uint64_t wait = left / 2 < least ? least : left / 2;
    return now_ns + wait < until ? now_ns + wait : until;
}

static unsigned poll_bound(struct dhcp_client *c, uint64_t now_ns, struct dhcp_output *out)
{
    if (now_ns >= c->lease.expiry_ns) {
        begin(c, DHCP_INIT, now_ns);
        return DHCP_LOST_LEASE;
    }
    if (c->state == DHCP_BOUND) {
        c->xid = next_random(c);
        c->started_ns = now_ns;
        c->state = DHCP_RENEWING;
    }
    if (c->state == DHCP_RENEWING && now_ns >= c->lease.t2_ns)
        c->state = DHCP_REBINDING;
    build(c, out, REQUEST, now_ns);
    c->next_ns = half_way(&c->lease, now_ns, c->state == DHCP_RENEWING ? c->lease.t2_ns : c->lease.expiry_ns);
    return 0;
}

unsigned dhcp_poll(struct dhcp_client *c, uint64_t now_ns, struct dhcp_output *out)
{
    unsigned events = 0;

    out->len = 0;
    if (now_ns < c->next_ns)
        return 0;
    switch (c->state) {
    case DHCP_BOUND:
    case DHCP_RENEWING:
    case DHCP_REBINDING:
        return poll_bound(c, now_ns, out);
    case DHCP_DECLINED:
        if (c->tries++ == 0) {
            build(c, out, DECLINE, now_ns);
            c->declines++;
            c->next_ns = now_ns + 10 * NS_PER_S;
            return DHCP_LOST_LEASE;
        }
        begin(c, DHCP_INIT, now_ns);
        return 0;
    case DHCP_INIT_REBOOT:
        c->state = DHCP_REBOOTING;
        break;
    case DHCP_INIT:
        c->state = DHCP_SELECTING;
        break;
    default:
        break;
    }
    if (!c->reported_failure && now_ns - c->started_ns >= DHCP_GIVE_UP_NS) { /* C-TIME-4 */
        c->reported_failure = true;
        events |= DHCP_FAILED;
    }
    /* A server that offered but does not answer our request: start over after four requests
     * (section 3.1, item 5). Nobody knows of an address that we have already: it is kept for
     * as long as it was given (section 3.2, item 4). */
    if (c->tries >= 4 && c->state == DHCP_REBOOTING) {
        c->state = DHCP_BOUND;
        c->next_ns = c->lease.t1_ns;
        return events;
    }
    if (c->tries >= 4 && c->state == DHCP_REQUESTING) {
        uint64_t started = c->started_ns;
        begin(c, DHCP_SELECTING, now_ns);
        c->started_ns = started;
    }
    build(c, out, c->state == DHCP_SELECTING ? DISCOVER : REQUEST, now_ns);
    c->next_ns = now_ns + retry_delay_ns(c);
    if (!c->reported_failure && c->next_ns > c->started_ns + DHCP_GIVE_UP_NS)
        c->next_ns = c->started_ns + DHCP_GIVE_UP_NS; /* the failure is told in time */
    c->tries++;
    return events;
}

uint64_t dhcp_deadline(const struct dhcp_client *c)
{
    return c->next_ns;
}

/* --- receiving ------------------------------------------------------------- */

struct parsed {
    uint8_t type;
    bool have_server, have_mask, have_lease, have_routes;
    uint32_t lease_s, t1_s, t2_s;
    bool have_t1, have_t2;
    uint8_t overload;
    size_t routes_len; /* option 121 may come in pieces (RFC 3396) */
    uint8_t routes[ROUTES_BYTES];
    struct dhcp_lease lease;
};

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void get_text(char *dst, size_t room, const uint8_t *src, size_t len)
{
    size_t n = 0;
    for (; n < len && n + 1 < room && src[n] > ' ' && src[n] < 127; n++)
        dst[n] = (char)src[n];
    dst[n] = 0;
}

static uint8_t prefix_of_mask(const uint8_t mask[4])
{
    uint32_t m = get32(mask);
    uint8_t n = 0;
    while (n < 32 && (m & 0x80000000u >> n))
        n++;
    return n;
}

/* RFC 3442: width, significant bytes of the destination, router. */
static void get_routes(struct parsed *p)
{
    const uint8_t *d = p->routes;
    size_t len = p->routes_len;

    while (len > 0 && p->lease.nroutes < DHCP_ROUTES_MAX) {
        size_t bytes = (size_t)(d[0] + 7) / 8;
        if (d[0] > 32 || len < 1 + bytes + 4)
            return;
        if (d[0] < 8 || d[1] != 127) { /* loopback's stay with us (RFC 1122 section 3.2.1.3 (g)) */
            struct dhcp_route *r = &p->lease.route[p->lease.nroutes++];
            memset(r, 0, sizeof(*r));
            r->prefix = d[0];
            memcpy(r->dst, d + 1, bytes);
            memcpy(r->gateway, d + 1 + bytes, 4);
        }
        d += 1 + bytes + 4;
        len -= 1 + bytes + 4;
    }
}

static void get_option(struct parsed *p, uint8_t code, const uint8_t *d, size_t len)
{
    struct dhcp_lease *l = &p->lease;
    switch (code) {
    case OPT_TYPE:
        if (len == 1)
            p->type = d[0];
        break;
    case OPT_MASK:
        if (len == 4) {
            l->prefix = prefix_of_mask(d);
            p->have_mask = true;
        }
        break;
    case OPT_ROUTER:
        if (len >= 4) {
            memcpy(l->router, d, 4);
            l->have_router = 1;
        }
        break;
    case OPT_DNS:
        for (l->ndns = 0; l->ndns < DHCP_DNS_MAX && len >= 4u * (l->ndns + 1u); l->ndns++)
            memcpy(l->dns[l->ndns], d + 4u * l->ndns, 4);
        break;
    case OPT_NTP:
        for (l->nntp = 0; l->nntp < DHCP_NTP_MAX && len >= 4u * (l->nntp + 1u); l->nntp++)
            memcpy(l->ntp[l->nntp], d + 4u * l->nntp, 4);
        break;
    case OPT_HOSTNAME:
        get_text(l->hostname, sizeof(l->hostname), d, len);
        break;
    case OPT_DOMAIN:
        get_text(l->domain, sizeof(l->domain), d, len);
        break;
    case OPT_MTU:
        if (len == 2 && (d[0] << 8 | d[1]) >= 576)
            l->mtu = (uint16_t)(d[0] << 8 | d[1]);
        break;
    case OPT_BROADCAST:
        if (len == 4)
            memcpy(l->broadcast, d, 4);
        break;
    case OPT_LEASE:
        if (len == 4) {
            p->lease_s = get32(d);
            p->have_lease = true;
        }
        break;
    case OPT_T1:
        if (len == 4) {
            p->t1_s = get32(d);
            p->have_t1 = true;
        }
        break;
    case OPT_T2:
        if (len == 4) {
            p->t2_s = get32(d);
            p->have_t2 = true;
        }
        break;
    case OPT_SERVER:
        if (len == 4) {
            memcpy(l->server, d, 4);
            p->have_server = true;
        }
        break;
    case OPT_OVERLOAD:
        if (len == 1)
            p->overload = d[0];
        break;
    case OPT_ROUTES:
        p->have_routes = true;
        if (len <= ROUTES_BYTES - p->routes_len) {
            memcpy(p->routes + p->routes_len, d, len);
            p->routes_len += len;
        }
        break;
    default:
        break;
    }
}

/* Options from d[0..len); false when one runs past the end. */
static bool get_options(struct parsed *p, const uint8_t *d, size_t len)
{
    size_t i = 0;
    while (i < len && d[i] != OPT_END) {
        if (d[i] == OPT_PAD) {
            i++;
            continue;
        }
        if (i + 2 > len || i + 2 + d[i + 1] > len)
            return false;
        get_option(p, d[i], d + i + 2, d[i + 1]);
        i += 2u + d[i + 1];
    }
    return true;
}

static bool parse(const struct dhcp_client *c, const uint8_t *m, size_t len, struct parsed *p)
{
    memset(p, 0, sizeof(*p));
    if (len < OFF_OPTIONS || m[OFF_OP] != 2 || m[OFF_HTYPE] != 1 || m[OFF_HLEN] != 6 ||
        get32(m + OFF_XID) != c->xid || memcmp(m + OFF_CHADDR, c->mac, 6) != 0 ||
        memcmp(m + OFF_COOKIE, cookie, 4) != 0)
        return false;
    if (!get_options(p, m + OFF_OPTIONS, len - OFF_OPTIONS))
        return false;
    /* Section 4.1: overloaded file, then sname. */
    if ((p->overload & 1) && !get_options(p, m + OFF_FILE, 128))
        return false;
    if ((p->overload & 2) && !get_options(p, m + OFF_SNAME, 64))
        return false;
    get_routes(p);
    memcpy(p->lease.address, m + OFF_YIADDR, 4);
    return p->type != 0;
}

/* Could this be a host's own address? */
static bool usable_address(const uint8_t a[4])
{
    return a[0] != 0 && a[0] != 127 && a[0] < 224;
}

static void default_prefix(struct dhcp_lease *l)
{
    uint8_t a = l->address[0];
    l->prefix = a < 128 ? 8 : a < 192 ? 16 : 24;
}

/* T1 and T2 come before what they precede, and not so soon that client and server
 * would answer each other without a pause. */
static bool believable(bool have, uint64_t t_s, uint64_t before_ns, uint64_t lease_s)
{
    uint64_t least = lease_s / 4 < PAUSE_MIN_S ? lease_s / 4 : PAUSE_MIN_S;
    return have && t_s != 0 && t_s >= least && t_s * NS_PER_S < before_ns;
}

/* When to renew, to rebind, to let go: from when we asked (section 4.4.1). */
static void take_times(const struct parsed *p, struct dhcp_lease *l, uint64_t asked_ns)
{
    uint64_t all_ns = p->lease_s * NS_PER_S; /* C-DHCP-1 */

    if (p->lease_s == 0xffffffffu) {
        l->t1_ns = l->t2_ns = l->expiry_ns = UINT64_MAX;
        return;
    }
    uint64_t t2 = believable(p->have_t2, p->t2_s, all_ns, p->lease_s) ? p->t2_s * NS_PER_S : all_ns / 8 * 7;
    uint64_t t1 = believable(p->have_t1, p->t1_s, t2, p->lease_s) ? p->t1_s * NS_PER_S
                  : t2 < all_ns / 2                               ? t2
                                                                  : all_ns / 2;
    l->t1_ns = asked_ns + t1;
    l->t2_ns = asked_ns + t2;
    l->expiry_ns = asked_ns + all_ns;
}

static unsigned take_ack(struct dhcp_client *c, struct parsed *p)
{
    bool was_bound = c->state != DHCP_REQUESTING;
    bool same = was_bound && memcmp(c->lease.address, p->lease.address, 4) == 0;
    struct dhcp_lease *l = &p->lease;

    if (!p->have_mask || l->prefix == 0)
        default_prefix(l);
    if (p->have_routes) { /* RFC 3442: option 121 replaces option 3 */
        l->have_router = 0;
        memset(l->router, 0, 4);
    }
    if (!p->have_server)
        memcpy(l->server, was_bound ? c->lease.server : c->offer.server, 4);
    take_times(p, l, c->asked_ns);
    unsigned events = 0;
    if (was_bound && !same)
        events |= DHCP_LOST_LEASE;
    events |= same ? DHCP_RENEWED : DHCP_GOT_LEASE;
    c->lease = *l;
    c->state = DHCP_BOUND;
    c->tries = 0;
    c->reported_failure = false;
    c->next_ns = l->t1_ns;
    return events;
}

unsigned dhcp_input(struct dhcp_client *c, const void *message, size_t len, uint64_t now_ns)
{
    struct parsed p;

    c->received++;
    if (!parse(c, message, len, &p)) {
        c->ignored++;
        return 0;
    }
    if (p.type == OFFER && c->state == DHCP_SELECTING && p.have_server && usable_address(p.lease.address)) {
        c->offer = p.lease;
        c->state = DHCP_REQUESTING;
        c->tries = 0;
        c->next_ns = now_ns; /* the same xid goes on (section 4.4.1) */
        return 0;
    }
    bool asking = c->state == DHCP_REQUESTING || c->state == DHCP_REBOOTING || c->state == DHCP_RENEWING ||
                  c->state == DHCP_REBINDING;
    /* A request names one server; another's answer does not count. */
    bool other_server = c->state == DHCP_REQUESTING && p.have_server && memcmp(p.lease.server, c->offer.server, 4) != 0;
    if (asking && !other_server && p.type == ACK && p.have_lease && p.lease_s != 0 && usable_address(p.lease.address))
        return take_ack(c, &p);
    if (asking && !other_server && p.type == NAK) {
        bool had = c->state != DHCP_REQUESTING;
        c->naks++;
        begin(c, DHCP_INIT, now_ns);
        c->next_ns = now_ns + NS_PER_S; /* a confused server is not hammered */
        return had ? DHCP_LOST_LEASE : 0;
    }
    c->ignored++;
    return 0;
}

const char *dhcp_state_name(enum dhcp_state s)
{
    static const char *const names[] = {"init", "selecting", "requesting", "bound", "renewing",
                                        "rebinding", "init-reboot", "rebooting", "declined"};
    return (unsigned)s < sizeof(names) / sizeof(names[0]) ? names[s] : "?";
}
