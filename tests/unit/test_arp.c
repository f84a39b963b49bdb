/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_arp.c: resolution, learning and conflict detection.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <net/stack/arp.h>
#include <stdlib.h>
#include <string.h>

#define S 1000000000ull
static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 1}, peer_mac[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t own_ip[4] = {10, 0, 0, 1}, peer_ip[4] = {10, 0, 0, 2};

static struct {
    unsigned sent, resent, unreachable, conflicts, learned, forgotten, probed, blocks;
    uint8_t frame[64], mac[6];
} seen;

static void t_send(void *ctx, uint16_t link, const void *f, size_t n)
{
    (void)ctx, (void)link;
    seen.sent++;
    memcpy(seen.frame, f, n);
}
static void t_learn(void *ctx, uint16_t link, const uint8_t ip[4], const uint8_t mac[6], enum neigh_state st)
{
    (void)ctx, (void)link, (void)ip;
    if (st == NEIGH_REACHABLE)
        seen.learned++, memcpy(seen.mac, mac, 6);
    else
        seen.forgotten++;
}
static void t_resend(void *ctx, uint16_t link, const uint8_t mac[6], const void *p, size_t n)
{
    (void)ctx, (void)link, (void)p, (void)n;
    assert_memory_equal(mac, peer_mac, 6);
    seen.resent++;
}
static void t_unreachable(void *ctx, uint16_t link, const void *p, size_t n)
{
    (void)ctx, (void)link, (void)p, (void)n;
    seen.unreachable++;
}
static bool t_own_mac(void *ctx, uint16_t link, uint8_t mac[6])
{
    (void)ctx, (void)link;
    memcpy(mac, own_mac, 6);
    return true;
}
static bool t_own_address(void *ctx, uint16_t link, const uint8_t ip[4])
{
    (void)ctx, (void)link;
    return memcmp(ip, own_ip, 4) == 0;
}
static bool t_source(void *ctx, uint16_t link, const uint8_t target[4], uint8_t ip[4])
{
    (void)ctx, (void)link, (void)target;
    memcpy(ip, own_ip, 4);
    return true;
}
static void t_conflict(void *ctx, uint16_t link, const uint8_t ip[4], const uint8_t mac[6])
{
    (void)ctx, (void)link, (void)ip, (void)mac;
    seen.conflicts++;
}
static void t_probed(void *ctx, uint16_t link, const uint8_t ip[4])
{
    (void)ctx, (void)link;
    assert_memory_equal(ip, own_ip, 4);
    seen.probed++;
}
static void *t_alloc(void *ctx, size_t n)
{
    (void)ctx;
    seen.blocks++;
    return malloc(n);
}
static void t_free(void *ctx, void *p)
{
    (void)ctx;
    seen.blocks--;
    free(p);
}

static struct arp a;
static int setup(void **state)
{
    (void)state;
    static const struct arp_env env = {NULL, t_send, t_learn, t_resend, t_unreachable, t_own_mac,
                                       t_own_address, t_source, t_conflict, t_probed, t_alloc, t_free};
    memset(&seen, 0, sizeof(seen));
    arp_init(&a, &env);
    return 0;
}

static void make(uint8_t f[42], unsigned op, const uint8_t sha[6], const uint8_t spa[4], const uint8_t tpa[4])
{
    memset(f, 0, 42);
    memcpy(f, own_mac, 6);
    memcpy(f + 6, sha, 6);
    memcpy(f + 12, "\x08\x06\x00\x01\x08\x00\x06\x04\x00", 9);
    f[21] = (uint8_t)op;
    memcpy(f + 22, sha, 6);
    memcpy(f + 28, spa, 4);
    memcpy(f + 38, tpa, 4);
}

static void answers_only_for_us(void **state) /* C-NETD-3 */
{
    (void)state;
    uint8_t f[42];
    make(f, 1, peer_mac, peer_ip, own_ip);
    arp_input(&a, 0, f, 42, 0);
    assert_int_equal(seen.sent, 1);
    assert_int_equal(seen.frame[21], 2);
    assert_memory_equal(seen.frame, peer_mac, 6);
    assert_memory_equal(seen.frame + 38, peer_ip, 4);
    assert_int_equal(seen.learned, 1);
    make(f, 1, peer_mac, peer_ip, (const uint8_t[]){10, 0, 0, 9});
    arp_input(&a, 0, f, 42, 0);
    assert_int_equal(seen.sent, 1);
}

static void resolves_and_resends(void **state) /* C-NETD-2 */
{
    (void)state;
    uint8_t f[42];
    for (int i = 0; i < 12; i++)
        arp_resolve(&a, 0, peer_ip, "packet", 6, 0);
    assert_int_equal(seen.sent, 1); /* one request for all */
    assert_int_equal(a.dropped, 4); /* eight wait */
    make(f, 2, peer_mac, peer_ip, own_ip);
    arp_input(&a, 0, f, 42, 1);
    assert_int_equal(seen.resent, 8);
    assert_int_equal(seen.blocks, 0);
    arp_resolve(&a, 0, peer_ip, "late", 4, 2);
    assert_int_equal(seen.resent, 9);
    /* A new MAC is taken over; the end of life forgets. */
    arp_run(&a, ARP_LIFETIME_NS + 2);
    assert_int_equal(seen.forgotten, 1);
    assert_true(arp_deadline(&a) == UINT64_MAX);
}

static void gives_up_and_tells(void **state)
{
    (void)state;
    arp_resolve(&a, 0, peer_ip, "packet", 6, 0);
    for (int i = 0; i < 20 && arp_deadline(&a) != UINT64_MAX; i++)
        arp_run(&a, arp_deadline(&a));
    assert_int_equal(seen.sent, ARP_TRIES);
    assert_int_equal(seen.unreachable, 1);
    assert_int_equal(seen.blocks, 0);
    assert_int_equal(a.failed, 1);
}

static void a_scan_does_not_push_out_questions(void **state)
{
    (void)state;
    uint8_t f[42];
    arp_resolve(&a, 0, (const uint8_t[]){10, 0, 9, 9}, "p", 1, 0);
    for (int i = 0; i < 1000; i++) {
        make(f, 1, peer_mac, (const uint8_t[]){10, 0, (uint8_t)(1 + i / 250), (uint8_t)(i % 250)}, own_ip);
        arp_input(&a, 0, f, 42, (uint64_t)i);
    }
    make(f, 2, peer_mac, (const uint8_t[]){10, 0, 9, 9}, own_ip);
    arp_input(&a, 0, f, 42, 2000);
    assert_int_equal(seen.resent, 1);
}

static void dead_hosts_do_not_silence_questions(void **state)
{
    static const uint8_t packet[1400];
    (void)state;
    uint8_t f[42];
    for (unsigned i = 0; i < 200; i++)
        arp_resolve(&a, 0, (const uint8_t[]){10, 0, 5, (uint8_t)i}, packet, sizeof(packet), 0);
    assert_true(a.dropped > 0 && a.waiting_bytes <= ARP_WAITING_BYTES);
    assert_int_equal(seen.sent, 200); /* no room for the packet, but it is asked */
    make(f, 2, peer_mac, (const uint8_t[]){10, 0, 5, 199}, own_ip);
    arp_input(&a, 0, f, 42, 1);
    assert_int_equal(seen.learned, 1);
    arp_flush(&a, 0);
    assert_int_equal(seen.blocks, 0);
}

static void adopted_neighbours_end(void **state)
{
    const uint64_t NS_S = 1000000000ull;
    static const uint8_t old_mac[6] = {2, 9, 9, 9, 9, 9};
    (void)state;
    uint8_t f[42];
    uint64_t now = 5000 * NS_S;
    arp_adopt(&a, 0, peer_ip, old_mac, 100 * NS_S, now);
    arp_adopt(&a, 0, (const uint8_t[]){10, 0, 7, 7}, peer_mac, 2 * ARP_LIFETIME_NS, now);
    assert_int_equal(seen.learned, 0); /* the kernel has them */
    arp_run(&a, now);
    assert_int_equal(seen.forgotten, 1);
    make(f, 2, peer_mac, peer_ip, peer_ip); /* the neighbour has a new card, and says so */
    arp_input(&a, 0, f, 42, now);
    assert_int_equal(seen.learned, 1);
    assert_memory_equal(seen.mac, peer_mac, 6);
    arp_run(&a, now + ARP_LIFETIME_NS);
    assert_int_equal(seen.forgotten, 2);
}

static void probes_announces_and_sees_conflicts(void **state)
{
    (void)state;
    uint8_t f[42];
    arp_probe_start(&a, 0, own_ip, 0);
    assert_true(arp_probing(&a, 0, own_ip));
    unsigned probes = 0, announcements = 0;
    while (arp_deadline(&a) != UINT64_MAX) {
        arp_run(&a, arp_deadline(&a));
        if (memcmp(seen.frame + 28, "\0\0\0\0", 4) == 0)
            probes++;
        else
            announcements++;
    }
    assert_false(arp_probing(&a, 0, own_ip));
    assert_int_equal(seen.sent, 5);
    assert_int_equal(probes, 3);
    assert_int_equal(announcements, 2 + 0);
    assert_int_equal(seen.probed, 1);
    make(f, 2, peer_mac, own_ip, own_ip);
    arp_input(&a, 0, f, 42, 0);
    assert_int_equal(seen.conflicts, 1);
    make(f, 1, peer_mac, (const uint8_t[4]){0}, own_ip); /* a probe after ours ended is answered, not a conflict */
    arp_input(&a, 0, f, 42, 0);
    assert_int_equal(seen.conflicts, 1);
    assert_int_equal(seen.frame[21], 2);
}

/* Until nobody has minded for five seconds the address is not known to be ours. */
static void a_conflict_comes_before_the_verdict(void **state) /* C-NETD-8 */
{
    (void)state;
    uint8_t f[42];
    arp_probe_start(&a, 0, own_ip, 0);
    for (int i = 0; i < 3; i++) {
        assert_true(arp_deadline(&a) == (uint64_t)i * S);
        arp_run(&a, arp_deadline(&a));
    }
    assert_true(arp_deadline(&a) == 4 * S);
    assert_int_equal(seen.probed, 0);
    make(f, 1, peer_mac, (const uint8_t[4]){0}, own_ip); /* somebody probes for it after our last probe */
    arp_input(&a, 0, f, 42, 3 * S);
    assert_int_equal(seen.conflicts, 1);
    arp_probe_stop(&a, 0, own_ip);
    arp_run(&a, 10 * S);
    assert_int_equal(seen.probed, 0);
}

static void refuses_malformed(void **state)
{
    (void)state;
    uint8_t f[42];
    make(f, 1, peer_mac, peer_ip, own_ip);
    arp_input(&a, 0, f, 41, 0);
    f[18] = 8;
    arp_input(&a, 0, f, 42, 0);
    make(f, 7, peer_mac, peer_ip, own_ip);
    arp_input(&a, 0, f, 42, 0);
    make(f, 1, (const uint8_t[]){1, 0, 0, 0, 0, 2}, peer_ip, own_ip); /* a group address as sender */
    arp_input(&a, 0, f, 42, 0);
    assert_int_equal(a.bad, 4);
    assert_int_equal(seen.sent + seen.learned, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(answers_only_for_us, setup),
        cmocka_unit_test_setup(resolves_and_resends, setup),
        cmocka_unit_test_setup(gives_up_and_tells, setup),
        cmocka_unit_test_setup(a_scan_does_not_push_out_questions, setup),
        cmocka_unit_test_setup(dead_hosts_do_not_silence_questions, setup),
        cmocka_unit_test_setup(adopted_neighbours_end, setup),
        cmocka_unit_test_setup(probes_announces_and_sees_conflicts, setup),
        cmocka_unit_test_setup(a_conflict_comes_before_the_verdict, setup),
        cmocka_unit_test_setup(refuses_malformed, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
