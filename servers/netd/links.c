/* SPDX-License-Identifier: MIT
 *
 * servers/netd/links.c: addresses of the links, by DHCP or by hand.
 *
 * Leases lie in the kernel's blob, so that a new netd goes on where the old
 * one was: it neither flushes an address nor asks a server again.
 */
#include "netd.h"
#include <net/stack/checksum.h>
#include <slipway/initproto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the blob -------------------------------------------------------------- */

#define BLOB_MAGIC 0x6e657464u
#define BLOB_VERSION 2u
#define BLOB_LEASES 8
#define DEFEND_NS 10000000000ull /* RFC 5227 section 1.1, DEFEND_INTERVAL */

struct blob {
    uint32_t magic, version, count, pad;
    struct {
        char name[LINK_NAME_MAX];
        uint8_t mac[6], pad[2];
        struct dhcp_lease lease;
    } entry[BLOB_LEASES];
    struct nd_kept nd;
};
_Static_assert(sizeof(struct blob) <= NET_BLOB_MAX, "the kernel keeps it whole");

void links_save(struct netd *n)
{
    struct blob b = {.magic = BLOB_MAGIC, .version = BLOB_VERSION};
    for (unsigned i = 0; i < NETD_LINKS_MAX && b.count < BLOB_LEASES; i++) {
        const struct netd_if *l = &n->links[i];
        if (!l->present || !l->configured || !l->dhcp)
            continue;
        memcpy(b.entry[b.count].name, l->info.name, LINK_NAME_MAX);
        memcpy(b.entry[b.count].mac, l->info.mac, 6);
        b.entry[b.count++].lease = l->lease;
    }
    nd_keep(&n->nd, &b.nd);
    sys_blob_set(&b, sizeof(b));
    names_servers(n); /* these change when leases do */
    clock_servers(n);
}

static bool blob_get(struct blob *b)
{
    return sys_blob_get(b, sizeof(*b)) == (int64_t)sizeof(*b) && b->magic == BLOB_MAGIC &&
           b->version == BLOB_VERSION;
}

bool links_kept(struct nd_kept *out)
{
    struct blob b;
    if (!blob_get(&b))
        return false;
    *out = b.nd;
    return true;
}

static bool blob_find(const struct netd_if *l, struct dhcp_lease *lease)
{
    struct blob b;
    if (!blob_get(&b))
        return false;
    for (unsigned i = 0; i < b.count && i < BLOB_LEASES; i++)
        if (memcmp(b.entry[i].name, l->info.name, LINK_NAME_MAX) == 0 && memcmp(b.entry[i].mac, l->info.mac, 6) == 0) {
            *lease = b.entry[i].lease;
            return true;
        }
    return false;
}

/* --- configuring ----------------------------------------------------------- */

void links_config(uint32_t kind, uint16_t link, const uint8_t dst[4], uint8_t prefix, const uint8_t gw[4],
                  uint32_t flags, uint32_t mtu)
{
    struct net_config c = {
        .kind = kind, .link = link, .family = NET_INET, .prefix = prefix, .flags = flags, .mtu = mtu};
    memcpy(c.addr.b, dst, 4);
    if (gw)
        memcpy(c.gateway.b, gw, 4);
    int r = sys_net_config(&c);
    if (r < 0 && r != -EEXIST && r != -ENOENT)
        sys_logf(SYS_LOG_WARN, "%u.%u.%u.%u/%u on link %u: error %d", dst[0], dst[1], dst[2], dst[3], prefix, link, -r);
}

void links_announce(const struct netd_if *l, const uint8_t a[4])
{
    struct init_address m = {0};
    struct sys_msg msg;
    memcpy(m.link, l->info.name, sizeof(m.link));
    snprintf(m.text, sizeof(m.text), "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
    sys_msg_set(&msg, INIT_ADDRESS, &m, sizeof(m));
    sys_ask("init", &msg, 1000);
}

static const uint8_t any[4];

/* What a lease says of packets' sizes, where that is less than the link can do; else 0. */
static uint32_t lease_mtu(const struct netd_if *l, const struct dhcp_lease *lease)
{
    return lease->mtu && lease->mtu < l->info.mtu ? lease->mtu : 0;
}

/* The address, in the place of what it was before; the route to its own subnet comes with
 * it, and is written once more where that has an MTU. */
static void set_address(const struct netd_if *l, const struct dhcp_lease *lease, uint32_t flags)
{
    uint32_t mtu = lease_mtu(l, lease);
    uint8_t net[4];

    links_config(NETCFG_ADDR_ADD, l->info.index, lease->address, lease->prefix, NULL, flags, 0);
    for (int i = 0; i < 4; i++) {
        int bits = lease->prefix - 8 * i;
        net[i] = bits >= 8 ? lease->address[i] : bits <= 0 ? 0 : lease->address[i] & (uint8_t)(0xff00 >> bits);
    }
    if (mtu != 0)
        links_config(NETCFG_ROUTE_ADD, l->info.index, net, lease->prefix, NULL, 0, mtu);
}

/* Routes of a lease: those of option 121 in place of the router, if given. */
static void lease_routes(struct netd_if *l, uint32_t kind, const struct dhcp_lease *lease)
{
    uint16_t link = l->info.index;
    uint32_t mtu = lease_mtu(l, lease);
    if (lease->have_router)
        links_config(kind, link, any, 0, lease->router, 0, mtu);
    for (unsigned i = 0; i < lease->nroutes; i++)
        links_config(kind, link, lease->route[i].dst, lease->route[i].prefix, lease->route[i].gateway, 0, mtu);
}

static void unconfigure(struct netd *n, struct netd_if *l)
{
    if (!l->configured)
        return;
    arp_probe_stop(&n->arp, l->info.index, l->lease.address);
    lease_routes(l, NETCFG_ROUTE_DEL, &l->lease);
    links_config(NETCFG_ADDR_DEL, l->info.index, l->lease.address, l->lease.prefix, NULL, 0, 0);
    l->configured = false;
}

/* The address is used at once; the probe for a conflict runs behind it (RFC
 * 5227 would have us wait for seconds first). */
static void configure(struct netd *n, struct netd_if *l, const struct dhcp_lease *lease, uint64_t now_ns)
{
    unconfigure(n, l);
    l->lease = *lease;
    set_address(l, lease, ADDR_TENTATIVE);
    lease_routes(l, NETCFG_ROUTE_ADD, lease);
    l->configured = true;
    arp_probe_start(&n->arp, l->info.index, lease->address, now_ns);
    links_save(n);
    sys_logf(SYS_LOG_INFO, "%s: %u.%u.%u.%u/%u from DHCP server %u.%u.%u.%u", l->info.name, lease->address[0],
             lease->address[1], lease->address[2], lease->address[3], lease->prefix, lease->server[0],
             lease->server[1], lease->server[2], lease->server[3]);
    links_announce(l, lease->address);
}

/* A renewal may change everything but the address. */
static void renewed(struct netd *n, struct netd_if *l)
{
    const struct dhcp_lease *old = &l->lease, *now = &l->client.lease;
    bool same = old->prefix == now->prefix && old->mtu == now->mtu && old->have_router == now->have_router &&
                memcmp(old->router, now->router, 4) == 0 && old->nroutes == now->nroutes &&
                memcmp(old->route, now->route, sizeof(old->route)) == 0;
    if (!same) {
        lease_routes(l, NETCFG_ROUTE_DEL, old);
        bool probing = arp_probing(&n->arp, l->info.index, now->address);
        set_address(l, now, probing ? ADDR_TENTATIVE : 0);
        lease_routes(l, NETCFG_ROUTE_ADD, now);
    }
    l->lease = *now;
    links_save(n);
}

static void use_fallback(struct netd *n, struct netd_if *l, uint64_t now_ns)
{
    sys_logf(SYS_LOG_WARN, "%s: no DHCP server answered in 30 s; still asking, %s address meanwhile", l->info.name,
             l->has_fallback ? "static" : "link-local");
    if (!l->has_fallback) {
        linklocal_start(n, l, now_ns);
        return;
    }
    links_config(NETCFG_ADDR_ADD, l->info.index, l->fallback, l->fallback_prefix, NULL, ADDR_STATIC, 0);
    if (memcmp(l->fallback_gw, any, 4) != 0)
        links_config(NETCFG_ROUTE_ADD, l->info.index, any, 0, l->fallback_gw, 0, 0);
    links_announce(l, l->fallback);
}

static void drop_fallback(struct netd *n, struct netd_if *l)
{
    linklocal_stop(n, l);
    if (!l->has_fallback)
        return;
    if (memcmp(l->fallback_gw, any, 4) != 0)
        links_config(NETCFG_ROUTE_DEL, l->info.index, any, 0, l->fallback_gw, 0, 0);
    links_config(NETCFG_ADDR_DEL, l->info.index, l->fallback, l->fallback_prefix, NULL, ADDR_STATIC, 0);
}

static void apply(struct netd *n, struct netd_if *l, unsigned events, uint64_t now_ns)
{
    if (events & DHCP_FAILED)
        use_fallback(n, l, now_ns);
    if (events & DHCP_LOST_LEASE) {
        sys_logf(SYS_LOG_WARN, "%s: lease lost", l->info.name);
        unconfigure(n, l);
        links_save(n);
    }
    if (events & DHCP_GOT_LEASE) {
        drop_fallback(n, l);
        configure(n, l, &l->client.lease, now_ns);
    }
    if (events & DHCP_RENEWED)
        renewed(n, l);
}

/* --- DHCP over the wire ---------------------------------------------------- */

/* Checksum over the pseudo header and a UDP datagram (RFC 768); 0 when the one
 * in the datagram is right. */
static uint16_t udp_checksum(const uint8_t *ip, const uint8_t *udp, size_t len)
{
    uint8_t pseudo[4] = {0, NET_UDP, (uint8_t)(len >> 8), (uint8_t)len};
    return csum_finish(csum_bytes(csum_bytes(csum_bytes(0, ip + 12, 8), pseudo, 4), udp, len));
}

static void send_dhcp(struct netd *n, struct netd_if *l, const struct dhcp_output *o)
{
    static const uint8_t everyone[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint8_t p[28 + DHCP_MESSAGE_MAX] = {0x45};
    size_t udp_len = 8 + o->len, total = 20 + udp_len;
    bool broadcast = o->dst[0] == 255;

    p[2] = (uint8_t)(total >> 8), p[3] = (uint8_t)total;
    p[8] = 64, p[9] = NET_UDP;
    memcpy(p + 12, o->src, 4);
    memcpy(p + 16, o->dst, 4);
    uint16_t sum = csum_finish(csum_20(p));
    memcpy(p + 10, &sum, 2);
    p[21] = DHCP_CLIENT_PORT, p[23] = DHCP_SERVER_PORT;
    p[24] = (uint8_t)(udp_len >> 8), p[25] = (uint8_t)udp_len;
    memcpy(p + 28, o->message, o->len);
    sum = udp_checksum(p, p + 20, udp_len);
    sum = sum ? sum : 0xffff;
    memcpy(p + 26, &sum, 2);
    ns_send_raw(n->stack, p, total, broadcast ? TX_BROADCAST_OK : 0, l->info.index, broadcast ? everyone : NULL);
}

void links_dhcp_input(struct netd *n, uint16_t link, const uint8_t *p, size_t len, uint64_t now_ns)
{
    if (link >= NETD_LINKS_MAX || !n->links[link].dhcp || len < 28)
        return;
    size_t hlen = (size_t)(p[0] & 15) * 4, total = (size_t)(p[2] << 8 | p[3]);
    if (hlen < 20 || total > len || total < hlen + 8)
        return;
    const uint8_t *udp = p + hlen;
    size_t udp_len = (size_t)(udp[4] << 8 | udp[5]);
    if (udp_len < 8 || udp_len > total - hlen || (udp[0] << 8 | udp[1]) != DHCP_SERVER_PORT)
        return;
    if ((udp[6] | udp[7]) != 0 && udp_checksum(p, udp, udp_len) != 0)
        return;
    struct netd_if *l = &n->links[link];
    apply(n, l, dhcp_input(&l->client, udp + 8, udp_len - 8, now_ns), now_ns);
    n->dhcp_next_ns = 0; /* it may have something to say at once */
}

void links_run(struct netd *n, uint64_t now_ns)
{
    struct dhcp_output out;

    if (now_ns < n->dhcp_next_ns)
        return;
    n->dhcp_next_ns = UINT64_MAX;
    for (unsigned i = 0; i < NETD_LINKS_MAX; i++) {
        struct netd_if *l = &n->links[i];
        if (!l->dhcp)
            continue;
        for (int turn = 0; turn < 8 && dhcp_deadline(&l->client) <= now_ns; turn++) {
            apply(n, l, dhcp_poll(&l->client, now_ns, &out), now_ns);
            if (out.len)
                send_dhcp(n, l, &out);
        }
        if (dhcp_deadline(&l->client) < n->dhcp_next_ns)
            n->dhcp_next_ns = dhcp_deadline(&l->client);
    }
}

/* Somebody else uses an address of ours. An address that has passed its probes is
 * defended once; who insists within ten seconds gets it (RFC 5227 section 2.4 b),
 * so that one forged frame does not cost us our address and every connection. */
void links_conflict(struct netd *n, uint16_t link, const uint8_t ip[4], uint64_t now_ns)
{
    if (link >= NETD_LINKS_MAX)
        return;
    struct netd_if *l = &n->links[link];
    l->conflicts++;
    if (linklocal_conflict(n, l, ip, now_ns))
        return;
    if (!arp_probing(&n->arp, link, ip) && (l->defended_ns == 0 || now_ns - l->defended_ns >= DEFEND_NS)) {
        l->defended_ns = now_ns;
        arp_announce(&n->arp, link, ip);
    } else if (!linklocal_conflict(n, l, ip, now_ns) && l->dhcp && l->configured &&
               memcmp(l->lease.address, ip, 4) == 0) {
        dhcp_conflict(&l->client, now_ns);
        n->dhcp_next_ns = 0;
    }
}

/* Nobody minded: no longer tentative. */
void links_probed(struct netd *n, uint16_t link, const uint8_t ip[4])
{
    const struct netd_if *l = link < NETD_LINKS_MAX ? &n->links[link] : NULL;

    if (l && l->configured && memcmp(l->lease.address, ip, 4) == 0)
        set_address(l, &l->lease, 0); /* C-NETD-8 */
    else if (l && l->has_linklocal && memcmp(l->linklocal, ip, 4) == 0)
        links_config(NETCFG_ADDR_ADD, link, ip, LINKLOCAL_PREFIX, NULL, 0, 0);
}

/* --- start ----------------------------------------------------------------- */

static bool parse_address(const char *s, const char **end, uint8_t a[4])
{
    for (int i = 0; i < 4; i++) {
        char *e;
        unsigned long v = strtoul(s, &e, 10);
        if (e == s || v > 255 || (i < 3 && *e != '.'))
            return false;
        a[i] = (uint8_t)v;
        s = i < 3 ? e + 1 : e;
    }
    *end = s;
    return true;
}

/* --fallback eth0=ADDR/LEN[,GATEWAY] */
static void parse_fallback(struct netd *n, const char *arg)
{
    const char *eq = strchr(arg, '='), *s;
    uint8_t a[4], gw[4] = {0};
    unsigned prefix = 0;
    char *e;

    if (!eq || !parse_address(eq + 1, &s, a) || *s != '/')
        goto bad;
    prefix = (unsigned)strtoul(s + 1, &e, 10);
    if (prefix < 1 || prefix > 32 || (*e == ',' ? !parse_address(e + 1, &s, gw) || *s : *e != 0))
        goto bad;
    for (unsigned i = 0; i < NETD_LINKS_MAX; i++) {
        struct netd_if *l = &n->links[i];
        if (!l->present || strncmp(l->info.name, arg, (size_t)(eq - arg)) != 0 || l->info.name[eq - arg] != 0)
            continue;
        l->has_fallback = true;
        memcpy(l->fallback, a, 4);
        memcpy(l->fallback_gw, gw, 4);
        l->fallback_prefix = (uint8_t)prefix;
    }
    return;
bad:
    sys_logf(SYS_LOG_ERROR, "--fallback %s: want LINK=ADDRESS/LENGTH[,GATEWAY]", arg);
}

/* What net.LINK= says: is it that word? */
static bool option_says(const char *link, const char *what)
{
    char key[8 + LINK_NAME_MAX], value[64];
    snprintf(key, sizeof(key), "net.%.8s", link);
    return sys_boot_option(key, value, sizeof(value)) && strcmp(value, what) == 0;
}

/* An address that an earlier netd did not finish probing, or a link-local one of its. */
static void resume_probe(struct netd *n, struct netd_if *l, uint64_t now_ns)
{
    struct net_config a;
    for (uint64_t i = 0; i < 256 && sys_net_info(NETINFO_ADDR, i, &a, sizeof(a)) == (int64_t)sizeof(a); i++) {
        if (a.family != NET_INET || a.link != l->info.index)
            continue;
        if (!(a.flags & ADDR_STATIC) && a.addr.b[0] == 169 && a.addr.b[1] == 254 && !l->configured)
            linklocal_adopt(l, a.addr.b);
        if (a.flags & ADDR_TENTATIVE)
            arp_probe_start(&n->arp, a.link, a.addr.b, now_ns);
    }
}

/* Addresses that the kernel has already: from the command line. The fallback of
 * an earlier netd is not one of them, DHCP goes on beside it. */
static bool announce_static(const struct netd_if *l)
{
    struct net_config a;
    bool any_found = false;
    for (uint64_t i = 0; i < 256 && sys_net_info(NETINFO_ADDR, i, &a, sizeof(a)) == (int64_t)sizeof(a); i++)
        if (a.family == NET_INET && a.link == l->info.index && (a.flags & ADDR_STATIC) &&
            !(l->has_fallback && memcmp(a.addr.b, l->fallback, 4) == 0)) {
            links_announce(l, a.addr.b);
            any_found = true;
        }
    return any_found;
}

void links_init(struct netd *n, int argc, char **argv)
{
    uint64_t now_ns = sys_now_ns();
    bool first = true;

    for (unsigned i = 0; i < NETD_LINKS_MAX; i++) {
        struct netd_if *l = &n->links[i];
        l->present = sys_net_info(NETINFO_LINK, i, &l->info, sizeof(l->info)) == (int64_t)sizeof(l->info);
    }
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "--fallback") == 0)
            parse_fallback(n, argv[++i]);
    for (unsigned i = 0; i < NETD_LINKS_MAX; i++) {
        struct netd_if *l = &n->links[i];
        struct dhcp_lease lease;
        uint32_t seed = 0;
        if (!l->present || !(l->info.flags & LINKF_ETHERNET))
            continue;
        bool is_static = announce_static(l);
        bool wanted = !is_static && (option_says(l->info.name, "dhcp") ||
                                     (first && !option_says(l->info.name, "off")));
        first = false;
        if (!wanted)
            continue;
        sys_random(&seed, sizeof(seed), RANDOM_NONBLOCK);
        l->dhcp = true;
        if (blob_find(l, &lease)) {
            l->lease = lease;
            l->configured = true; /* the kernel still has it */
        }
        if (l->configured && now_ns < l->lease.expiry_ns) {
            dhcp_resume(&l->client, l->info.mac, &lease, seed ^ (uint32_t)now_ns, now_ns);
        } else {
            dhcp_start(&l->client, l->info.mac, seed ^ (uint32_t)now_ns, now_ns);
            unconfigure(n, l); /* it ran out while no netd lived */
        }
        resume_probe(n, l, now_ns);
    }
    n->dhcp_next_ns = 0;
}

/* --- for other servers ----------------------------------------------------- */

int links_status(struct netd *n, uint32_t index, struct netd_link *out)
{
    if (index >= NETD_LINKS_MAX || !n->links[index].present)
        return -ENOENT;
    const struct netd_if *l = &n->links[index];
    memset(out, 0, sizeof(*out));
    memcpy(out->name, l->info.name, sizeof(out->name));
    snprintf(out->state, sizeof(out->state), "%s", l->dhcp ? dhcp_state_name(l->client.state) : "static");
    out->conflicts = l->conflicts;
    if (l->dhcp && l->configured) {
        memcpy(out->address, l->lease.address, 4);
        memcpy(out->server, l->lease.server, 4);
        memcpy(out->router, l->lease.router, 4);
        out->prefix = l->lease.prefix;
        out->expiry_ns = l->lease.expiry_ns;
    }
    return 0;
}

void links_dns(struct netd *n, struct netd_dns *out)
{
    memset(out, 0, sizeof(*out));
    for (unsigned i = 0; i < n->names.dns.nservers && out->count < 4; i++)
        if (n->names.dns.server[i].family == NET_INET)
            memcpy(out->server[out->count++], n->names.dns.server[i].addr.b, 4);
    for (unsigned i = 0; i < NETD_LINKS_MAX && out->domain[0] == 0; i++)
        if (n->links[i].configured)
            memcpy(out->domain, n->links[i].lease.domain, sizeof(out->domain) - 1);
}

int links_renew(struct netd *n, uint32_t index, uint64_t now_ns)
{
    if (index >= NETD_LINKS_MAX || !n->links[index].dhcp)
        return -ENOENT;
    dhcp_reboot(&n->links[index].client, now_ns);
    n->dhcp_next_ns = 0;
    return 0;
}
