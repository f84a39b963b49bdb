/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/fuzz_nd.c: libFuzzer entry: neighbour discovery under any sequence of
 * packets, also of such that wait for a neighbour.
 *
 * The input is a list of pieces: how (one byte: what to do, how long to wait
 * before), length, bytes. Checksums are not looked at, since no mutation would
 * pass them. What must hold: tables and queues stay within their bounds, time
 * never stands still, every packet that was kept is given back.
 */
#include <net/stack/nd.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define S 1000000000ull

static struct nd n;
static long blocks;
static uint32_t state;

static void t_send(void *c, uint16_t link, const uint8_t *mac, const void *p, size_t len)
{
    (void)c, (void)link, (void)mac;
    if (len < 48 || len > ND_PACKET_MAX || ((const uint8_t *)p)[0] != 0x60)
        abort();
}
static void t_learn(void *c, uint16_t link, const struct net_addr *ip, const uint8_t mac[6],
                    enum neigh_state st)
{
    (void)c, (void)link, (void)st;
    if (nd_group(ip) || (mac[0] & 1))
        abort(); /* a group is nobody's neighbour, and nobody's address */
}
static void t_packet(void *c, uint16_t link, const void *p, size_t len)
{
    (void)c, (void)link, (void)p, (void)len;
}
static void t_resend(void *c, uint16_t link, const uint8_t mac[6], const void *p, size_t len)
{
    (void)mac;
    t_packet(c, link, p, len);
}
static void t_address(void *c, uint32_t kind, uint16_t link, const struct net_addr *ip, uint8_t prefix,
                      uint32_t flags)
{
    (void)c, (void)kind, (void)link, (void)prefix, (void)flags;
    if (nd_group(ip) || nd_any(ip))
        abort();
}
static void t_route(void *c, uint32_t kind, uint16_t link, const struct net_addr *dst, uint8_t prefix,
                    const struct net_addr *gateway, uint32_t mtu)
{
    (void)c, (void)kind, (void)link, (void)gateway;
    if (prefix > 128 || nd_group(dst) || (mtu != 0 && (mtu < 1280 || mtu > 1500)))
        abort();
}
static void t_changed(void *c, uint16_t link)
{
    (void)c, (void)link;
}
static void t_duplicate(void *c, uint16_t link, const struct net_addr *ip, const uint8_t mac[6])
{
    (void)c, (void)link, (void)ip, (void)mac;
}
static uint32_t t_random(void *c)
{
    (void)c;
    return state = state * 1664525u + 1013904223u;
}
static void *t_alloc(void *c, size_t bytes)
{
    (void)c;
    blocks++;
    return malloc(bytes);
}
static void t_free(void *c, void *p)
{
    (void)c;
    blocks--;
    free(p);
}

static void check(uint64_t now)
{
    size_t waiting = 0, count = 0;

    for (unsigned i = 0; i < ND_ENTRIES; i++) {
        for (const struct nd_packet *p = n.entry[i].first; p != NULL; p = p->next, count++)
            waiting += p->len;
        if (n.entry[i].waiting > ND_WAITING_PER_ENTRY)
            abort();
    }
    if (waiting != n.waiting_bytes || waiting > ND_WAITING_BYTES || (long)count != blocks)
        abort();
    for (int turns = 0; nd_deadline(&n) <= now; turns++) { /* what is due is done in a few turns */
        if (turns == 8)
            abort();
        nd_run(&n, now);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct nd_env env = {.send = t_send,
                                      .learn = t_learn,
                                      .resend = t_resend,
                                      .unreachable = t_packet,
                                      .address = t_address,
                                      .route = t_route,
                                      .changed = t_changed,
                                      .duplicate = t_duplicate,
                                      .random = t_random,
                                      .alloc = t_alloc,
                                      .free = t_free};
    static const uint8_t own[6] = {2, 0, 0, 0, 0, 1}, peer[6] = {2, 0, 0, 0, 0, 2};
    static const uint64_t waits[4] = {0, S / 10, 5 * S, 4000 * S};
    uint64_t now = 100 * S;
    struct net_addr hop;

    blocks = 0;
    state = 1;
    nd_init(&n, &env);
    if (size != 0 && (data[0] & 0x80))
        nd_secret(&n, "stable", 6);
    nd_link_up(&n, 1, "eth0", own, 1500, true, NULL, now);
    while (size >= 2) {
        size_t len = data[1] <= size - 2 ? data[1] : size - 2;
        uint8_t *exact = malloc(len + 1); /* so that a read beyond it shows */

        memcpy(exact, data + 2, len);
        now += waits[data[0] & 3];
        if ((data[0] & 4) && len >= 40) {
            memcpy(&hop, exact + 24, 16);
            nd_resolve(&n, 1, &hop, exact, len, now);
        } else {
            nd_input(&n, 1, exact, len, true, data[0] & 8 ? own : peer, now);
        }
        free(exact);
        data += 2 + len;
        size -= 2 + len;
        check(now);
    }
    nd_link_down(&n, 1);
    if (blocks != 0 || n.waiting_bytes != 0)
        abort();
    return 0;
}
