/* SPDX-License-Identifier: MIT
 *
 * servers/netd/linklocal.c: an IPv4 address of one's own choice (RFC 3927) on a link where
 * no DHCP server answers. DHCP goes on asking beside it, and a lease takes its place.
 *
 * Like any other address it is used at once, and given up when the probe that runs behind
 * it finds another host that has it.
 */
#include "netd.h"
#include <string.h>

#define TRIES_MAX 10 /* RFC 3927 section 9: MAX_CONFLICTS; then it is left alone */

/* 169.254.1.0 to 169.254.254.255, the same for the same card each time (section 2.1). */
static void choose(struct netd_if *l)
{
    uint32_t h = 2166136261u ^ l->linklocal_tries;

    for (int i = 0; i < 6; i++)
        h = (h ^ l->info.mac[i]) * 16777619u;
    h = (h ^ h >> 15) % (254u * 256u);
    l->linklocal[0] = 169;
    l->linklocal[1] = 254;
    l->linklocal[2] = (uint8_t)(1 + h / 256);
    l->linklocal[3] = (uint8_t)h;
}

void linklocal_start(struct netd *n, struct netd_if *l, uint64_t now_ns)
{
    if (l->has_linklocal || l->linklocal_tries >= TRIES_MAX)
        return;
    choose(l);
    l->linklocal_tries++;
    l->has_linklocal = true;
    links_config(NETCFG_ADDR_ADD, l->info.index, l->linklocal, LINKLOCAL_PREFIX, NULL, ADDR_TENTATIVE, 0);
    arp_probe_start(&n->arp, l->info.index, l->linklocal, now_ns);
    links_announce(l, l->linklocal);
}

void linklocal_stop(struct netd *n, struct netd_if *l)
{
    if (!l->has_linklocal)
        return;
    arp_probe_stop(&n->arp, l->info.index, l->linklocal);
    links_config(NETCFG_ADDR_DEL, l->info.index, l->linklocal, LINKLOCAL_PREFIX, NULL, 0, 0);
    l->has_linklocal = false;
}

void linklocal_adopt(struct netd_if *l, const uint8_t a[4])
{
    memcpy(l->linklocal, a, 4);
    l->has_linklocal = true;
}

bool linklocal_conflict(struct netd *n, struct netd_if *l, const uint8_t ip[4], uint64_t now_ns)
{
    if (!l->has_linklocal || memcmp(l->linklocal, ip, 4) != 0)
        return false;
    linklocal_stop(n, l);
    linklocal_start(n, l, now_ns);
    return true;
}
