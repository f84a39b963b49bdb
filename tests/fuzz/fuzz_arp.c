/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/fuzz_arp.c: libFuzzer entry: ARP (RFC 826, RFC 5227): frames, packets
 * that wait for an answer, probes, and the clock, in the order of the input.
 * What must hold besides memory: what waits is bounded and goes with the link.
 */
#include <net/stack/arp.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static long blocks;

static void do_send(void *ctx, uint16_t link, const void *frame, size_t len)
{
    (void)ctx, (void)link, (void)frame;
    if (len != ARP_FRAME_BYTES)
        abort();
}
static void do_learn(void *ctx, uint16_t link, const uint8_t ip[4], const uint8_t mac[6],
                     enum neigh_state state)
{
    (void)ctx, (void)link, (void)ip, (void)mac, (void)state;
}
static void do_resend(void *ctx, uint16_t link, const uint8_t mac[6], const void *packet, size_t len)
{
    (void)ctx, (void)link, (void)mac, (void)packet, (void)len;
}
static void do_unreachable(void *ctx, uint16_t link, const void *packet, size_t len)
{
    (void)ctx, (void)link, (void)packet, (void)len;
}
static bool do_own_mac(void *ctx, uint16_t link, uint8_t mac[6])
{
    (void)ctx;
    memcpy(mac, "\x02\0\0\0\0\1", 6);
    return link < 2;
}
static bool do_own_address(void *ctx, uint16_t link, const uint8_t ip[4])
{
    (void)ctx, (void)link;
    return memcmp(ip, "\x0a\0\0\1", 4) == 0;
}
static bool do_source(void *ctx, uint16_t link, const uint8_t target[4], uint8_t ip[4])
{
    (void)ctx, (void)target;
    memcpy(ip, "\x0a\0\0\1", 4);
    return link == 0;
}
static void do_conflict(void *ctx, uint16_t link, const uint8_t ip[4], const uint8_t mac[6])
{
    (void)ctx, (void)link, (void)ip, (void)mac;
}
static void do_probed(void *ctx, uint16_t link, const uint8_t ip[4])
{
    (void)ctx, (void)link, (void)ip;
}
static void *do_alloc(void *ctx, size_t bytes)
{
    (void)ctx;
    blocks++;
    return calloc(1, bytes);
}
static void do_free(void *ctx, void *p)
{
    (void)ctx;
    blocks -= p != NULL;
    free(p);
}

static void frame(struct arp *a, uint16_t link, bool raw, const uint8_t *p, size_t n, uint64_t now)
{
    static const uint8_t head[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 6, 0, 1, 8, 0, 6, 4, 0};
    size_t before = raw ? 0 : sizeof(head), len = before + n;
    uint8_t *exact = malloc(len != 0 ? len : 1);

    memcpy(exact, head, before);
    memcpy(exact + before, p, n);
    arp_input(a, link, exact, len, now);
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct arp_env env = {.send = do_send,
                                       .learn = do_learn,
                                       .resend = do_resend,
                                       .unreachable = do_unreachable,
                                       .own_mac = do_own_mac,
                                       .own_address = do_own_address,
                                       .source = do_source,
                                       .conflict = do_conflict,
                                       .probed = do_probed,
                                       .alloc = do_alloc,
                                       .free = do_free};
    static struct arp a;
    uint64_t now = 1000000000ull;

    blocks = 0;
    arp_init(&a, &env);
    while (size >= 2) {
        uint8_t op = data[0], arg = data[1], ip[4] = {10, 0, 0, arg};
        uint16_t link = op >> 7;
        size_t n = 0;

        data += 2;
        size -= 2;
        switch (op & 7) {
        case 0:
            now += (uint64_t)arg * 100000000ull << (op >> 4 & 7);
            break;
        case 1:
            arp_resolve(&a, link, ip, data, size < 64 ? size : 64, now);
            break;
        case 2:
            arp_probe_start(&a, link, ip, now);
            break;
        case 3:
            arp_probe_stop(&a, link, ip);
            break;
        case 4:
            if (arg < 8)
                arp_flush(&a, link);
            else
                arp_adopt(&a, link, ip, (const uint8_t *)"\x02\0\0\0\0\3", (uint64_t)arg << 32, now);
            break;
        default:
            n = arg % 64 < size ? arg % 64 : size;
            frame(&a, link, (op & 0x40) != 0, data, n, now);
            break;
        }
        data += n;
        size -= n;
        arp_run(&a, now);
        if (a.waiting_bytes > ARP_WAITING_BYTES)
            abort();
    }
    arp_flush(&a, 0);
    arp_flush(&a, 1);
    if (blocks != 0)
        abort();
    return 0;
}
