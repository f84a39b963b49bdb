/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_tcp_seq.c: sequence arithmetic round the wrap, initial
 * sequence numbers, options, the timer heap.
 */
#include "stack_rig.h"
#include <slipway/siphash.h>

static void test_order(void **st)
{
    static const uint32_t at[] = {0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};

    (void)st;
    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        for (uint32_t d = 1; d < 0x7fffffff; d = d * 3 + 1) {
            uint32_t a = at[i], b = a + d;
            assert_true(seq_lt(a, b) && seq_leq(a, b) && seq_gt(b, a) && seq_geq(b, a));
            assert_false(seq_lt(b, a) || seq_leq(b, a) || seq_gt(a, b) || seq_geq(a, b));
        }
        assert_true(seq_leq(at[i], at[i]) && seq_geq(at[i], at[i]));
        assert_false(seq_lt(at[i], at[i]) || seq_gt(at[i], at[i]));
    }
}

static void test_siphash(void **st)
{
    uint8_t key[16], data[15];

    (void)st;
    for (uint8_t i = 0; i < 16; i++)
        key[i] = i;
    for (uint8_t i = 0; i < 15; i++)
        data[i] = i;
    assert_true(siphash24(key, data, 15) == 0xa129ca6149be45e5u); /* the paper's appendix A */
}

static void test_initial_sequence(void **st) /* C-TCP-1 */
{
    struct ns_port port = {.port = 80};
    struct tcp_node a = {.lport = 80, .rport = 1000}, b = a;
    uint32_t first;

    (void)st;
    rig_start(NULL);
    b.rport = 1001;
    ns_clock(rig.ns);
    first = tcp_new_iss(rig.ns, &port, &a);
    assert_int_equal(tcp_new_iss(rig.ns, &port, &a), first);
    assert_int_not_equal(tcp_new_iss(rig.ns, &port, &b), first); /* differs by more than the clock */
    rig.now += RIG_S;
    ns_clock(rig.ns);
    assert_int_equal(tcp_new_iss(rig.ns, &port, &a) - first, 250000); /* 4 us a tick, RFC 6528 */
    port.secret[0] ^= 1;
    assert_int_not_equal(tcp_new_iss(rig.ns, &port, &a) - first, 250000);
    rig_stop();
}

static void test_options(void **st)
{
    uint8_t p[40];
    struct tcp_in in = {.flags = TCP_SYN};
    unsigned n = tcp_put_syn_options(p, 1460, 7, true, true, 11, 22);

    (void)st;
    assert_int_equal(n % 4, 0);
    tcp_parse_options(&in, p, n);
    assert_true(in.mss == 1460 && in.wscale_on && in.wscale == 7 && in.ts_on && in.tsval == 11 &&
                in.tsecr == 22);
    in = (struct tcp_in){.flags = TCP_ACK}; /* MSS and scale mean nothing outside a SYN */
    tcp_parse_options(&in, p, n);
    assert_true(in.mss == 0 && !in.wscale_on && in.ts_on);
    static const uint8_t wide[] = {3, 3, 200, 0};
    in = (struct tcp_in){.flags = TCP_SYN};
    tcp_parse_options(&in, wide, sizeof(wide));
    assert_int_equal(in.wscale, 14);                /* RFC 7323 2.3 */
    for (uint32_t seed = 1; seed < 20000; seed++) { /* anything may stand there */
        uint32_t x = seed, len = seed % 41;
        uint8_t *junk = malloc(len + 1);
        for (uint32_t i = 0; i < len; i++)
            junk[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24) % 12;
        in = (struct tcp_in){.flags = TCP_SYN};
        tcp_parse_options(&in, junk, len);
        free(junk);
    }
}

/* --- timers ---------------------------------------------------------------------------- */
static uint64_t fired[64];
static unsigned nfired;
static void fire(struct netstack *ns, struct ns_timer *t)
{
    (void)t;
    fired[nfired++] = ns->now;
}

static void test_timers(void **st)
{
    struct ns_timer t[50];
    uint32_t x = 1;

    (void)st;
    rig_start(NULL);
    ns_clock(rig.ns);
    memset(t, 0, sizeof(t));
    assert_int_equal(timer_reserve(rig.ns, 50), 0);
    for (int i = 0; i < 50; i++) {
        t[i].fn = fire;
        t[i].when = UINT64_MAX;
        timer_set(rig.ns, &t[i], rig.now + 1000 + (x = x * 1664525 + 1013904223) % 100000);
    }
    for (int i = 0; i < 50; i += 2) /* later, earlier, stopped, removed */
        timer_set(rig.ns, &t[i], rig.now + 200000 + (uint64_t)i);
    for (int i = 0; i < 50; i += 10)
        timer_set(rig.ns, &t[i], rig.now + 500 + (uint64_t)i);
    timer_stop(&t[1]);
    timer_remove(rig.ns, &t[3]);
    nfired = 0;
    for (uint64_t end = rig.now + 300000; rig.now < end;) {
        uint64_t next = netstack_deadline(rig.ns);
        if (next == UINT64_MAX)
            break;
        assert_true(next >= rig.now);
        rig.now = next;
        rig_run();
    }
    assert_int_equal(nfired, 48);
    for (unsigned i = 1; i < nfired; i++)
        assert_true(fired[i] >= fired[i - 1]);
    assert_true(netstack_deadline(rig.ns) == UINT64_MAX);
    for (int i = 0; i < 50; i++)
        timer_remove(rig.ns, &t[i]);
    timer_release(rig.ns, 50);
    rig_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_siphash),
        cmocka_unit_test(test_initial_sequence),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_timers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
