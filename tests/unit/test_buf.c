/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_buf.c: buffers that grow to what a path holds (tcp_buf.c).
 */
#include "tcp_rig.h"

#define RTT_MS 10u

static struct tcb *tcb(void)
{
    return (struct tcb *)s;
}

/* `round_trips` times so many bytes arrive and are read. */
static void stream(uint32_t *seq, unsigned round_trips, uint32_t bytes, uint64_t every_ms)
{
    static uint8_t buf[65536];

    for (unsigned i = 0; i < round_trips; i++) {
        for (uint32_t off = 0; off < bytes; off += 1000, *seq += 1000) {
            in_text(*seq, our_iss + 1, pattern, 1000);
            rig_drain();
        }
        assert_int_equal(ns_recv(s, buf, sizeof(buf), 0, NULL), bytes);
        rig_drain();
        rig_sleep(every_ms * RIG_MS);
    }
}

static uint32_t begin(void)
{
    accepted(65535);
    tcb()->srtt_us = RTT_MS * 1000;
    return PEER_ISS + 1;
}

static void reading_fast_grows_it(void **st)
{
    uint32_t seq = begin();
    int v;

    (void)st;
    stream(&seq, 4, 30000, RTT_MS);
    assert_true(tcb()->rcvbuf_limit >= 100000);
    assert_int_equal(ns_getopt(s, NSO_RCVBUF, &v), 0);
    assert_int_equal(v, tcb()->rcvbuf_limit);
    assert_int_equal(rig.ns->grown, tcb()->rcvbuf_limit - 65536);
    ns_close(s);
    in(TCP_RST, seq, our_iss + 2);
    in(TCP_RST | TCP_ACK, seq, our_iss + 2);
    rig_drain();
    assert_int_equal(rig.ns->grown, 0); /* given back with the connection */
}

static void reading_slowly_does_not(void **st)
{
    uint32_t seq = begin();

    (void)st;
    stream(&seq, 20, 30000, 10 * RTT_MS);
    assert_int_equal(tcb()->rcvbuf_limit, 65536);
}

static void a_fixed_size_stays(void **st)
{
    uint32_t seq = begin();
    int v;

    (void)st;
    assert_int_equal(ns_setopt(s, NSO_RCVBUF, 65536), 0);
    assert_int_equal(ns_setopt(s, NSO_SNDBUF, 30000), 0);
    stream(&seq, 8, 30000, RTT_MS);
    assert_int_equal(tcb()->rcvbuf_limit, 65536);
    tcb()->cwnd = 1u << 20;
    assert_int_equal(ns_getopt(s, NSO_SNDBUF, &v), 0);
    assert_int_equal(v, 30000);
}

/* C-BUF-1: however many connections read fast, together they get so much. */
static void all_together_have_a_limit(void **st)
{
    uint32_t seq = begin();

    (void)st;
    rig.ns->cfg.tcp_grown_max = 10000;
    stream(&seq, 8, 30000, RTT_MS);
    assert_int_equal(tcb()->rcvbuf_limit, 65536 + 10000);
}

static void sending_follows_cwnd(void **st)
{
    int v;

    (void)st;
    begin();
    assert_int_equal(ns_getopt(s, NSO_SNDBUF, &v), 0);
    assert_int_equal(v, 65536);
    tcb()->cwnd = 300000;
    assert_int_equal(ns_getopt(s, NSO_SNDBUF, &v), 0);
    assert_int_equal(v, 600000);
    tcb()->cwnd = 100u << 20;
    assert_int_equal(ns_getopt(s, NSO_SNDBUF, &v), 0);
    assert_int_equal(v, 4 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(reading_fast_grows_it),     T(reading_slowly_does_not), T(a_fixed_size_stays),
        T(all_together_have_a_limit), T(sending_follows_cwnd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
