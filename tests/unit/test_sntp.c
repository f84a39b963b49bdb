/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_sntp.c: the SNTP client against a scripted server.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <net/stack/ns.h>
#include <net/stack/sntp.h>
#include <stdlib.h>
#include <string.h>

#define S      1000000000ull
#define YEAR26 1767225600ull /* 2026, in seconds since 1970 */

static struct sntp s;
static uint32_t seed;

static void t_random(void *ctx, void *buf, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)buf)[i] = (uint8_t)((seed = seed * 1103515245u + 12345u) >> 16);
}

static const struct sntp_server two[2] = {
    {.family = NET_INET, .port = 123, .link = LINK_ANY, .addr = {{10, 0, 0, 1}}},
    {.family = NET_INET6, .port = 123, .link = LINK_ANY, .addr = {{0xfd, [15] = 1}}},
};

static int setup(void **state)
{
    (void)state;
    seed = 5;
    sntp_init(&s, NULL, t_random);
    sntp_set_servers(&s, two, 2, 0);
    return 0;
}

static void put_time(uint8_t *at, uint64_t unix_time_ns)
{
    put32(at, (uint32_t)(unix_time_ns / S + 2208988800u));
    put32(at + 4, (uint32_t)(((unix_time_ns % S) << 32) / S));
}

/* A good answer to the question, sent off at `time`. */
static void answer(uint8_t m[48], const struct sntp_output *q, uint64_t time_ns)
{
    memset(m, 0, 48);
    m[0] = 0x24;
    m[1] = 2;
    memcpy(m + 24, q->message + 40, 8);
    put_time(m + 32, time_ns);
    put_time(m + 40, time_ns);
}

static int64_t give(const uint8_t m[48], const struct sntp_output *q, uint64_t now, uint64_t realtime)
{
    return sntp_input(&s, q->to.family, &q->to.addr, q->to.port, m, 48, now, realtime);
}

static struct sntp_output poll_at(uint64_t now)
{
    struct sntp_output out;
    sntp_poll(&s, now, &out);
    return out;
}

static bool near(int64_t a, int64_t b)
{
    return a - b < 10 && b - a < 10; /* the fraction is rounded */
}

static void first_step_then_little_by_little(void **state) /* C-SNTP-3 */
{
    (void)state;
    uint8_t m[48];
    struct sntp_output q = poll_at(0);
    assert_true(q.send && q.message[0] == 0x23);
    assert_false(poll_at(1).send);
    answer(m, &q, YEAR26 * S + 20000000); /* 40 ms there and back, our clock 100 s behind */
    assert_true(near(give(m, &q, 40000000, (YEAR26 - 100) * S + 40000000), 100 * (int64_t)S));
    assert_true(s.set);
    assert_true(near((int64_t)s.delay_ns, 40000000));
    uint64_t now = sntp_deadline(&s);
    assert_in_range(now, 64 * S, 72 * S);
    q = poll_at(now);
    assert_true(q.send);
    answer(m, &q, YEAR26 * S + 2500000);
    assert_int_equal(give(m, &q, now, YEAR26 * S), 0); /* 2.5 ms off */
    int64_t moved = 0;
    unsigned slices = 0;
    for (uint64_t end = now + 20 * S; sntp_deadline(&s) < end; slices++) {
        struct sntp_output o = poll_at(sntp_deadline(&s));
        assert_true(o.adjust_ns <= SNTP_SLICE_NS && o.adjust_ns > 0);
        moved += o.adjust_ns;
    }
    assert_true(near(moved, 2500000));
    assert_int_equal(slices, 3);
    assert_int_equal(s.steps, 1);
    q = poll_at(sntp_deadline(&s));
    answer(m, &q, YEAR26 * S); /* far off again: another step, back this time */
    assert_true(near(give(m, &q, s.asked_ns, (YEAR26 + 5) * S), -5 * (int64_t)S));
    assert_int_equal(s.steps, 2);
    setup(NULL); /* a new client, as after a restart of netd, to which the clock is right already */
    q = poll_at(0);
    answer(m, &q, YEAR26 * S + 1000000);
    assert_int_equal(give(m, &q, 0, YEAR26 * S), 0);
    assert_true(s.set && near(poll_at(0).adjust_ns, 1000000));
}

static void only_our_answers_count(void **state) /* C-SNTP-1 */
{
    (void)state;
    uint8_t good[48], m[48];
    struct sntp_output q = poll_at(0);
    static const struct {
        uint8_t at, value;
    } bad[] = {{24, 1}, {31, 1}, {0, 0x23}, {0, 0x25}, {0, 0x0c}, {0, 0x2c}};
    answer(good, &q, YEAR26 * S);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memcpy(m, good, 48);
        m[bad[i].at] = bad[i].at == 0 ? bad[i].value : (uint8_t)(m[bad[i].at] ^ bad[i].value);
        assert_int_equal(give(m, &q, 1, 0), 0);
        assert_int_equal(s.ignored, i + 1);
    }
    assert_int_equal(sntp_input(&s, NET_INET, &two[1].addr, 123, good, 48, 1, 0), 0);
    assert_int_equal(sntp_input(&s, NET_INET, &two[0].addr, 124, good, 48, 1, 0), 0);
    assert_int_equal(sntp_input(&s, NET_INET, &two[0].addr, 123, good, 47, 1, 0), 0);
    assert_false(s.set);
    assert_true(give(good, &q, 1, 0) != 0);
    assert_int_equal(give(good, &q, 1, 0), 0); /* once */
}

static void servers_without_a_time(void **state)
{
    (void)state;
    static const struct {
        uint8_t at, value;
    } bad[] = {{0, 0xe4}, {1, 16}, {9, 16}};
    uint8_t m[48];
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]) + 3; i++) {
        setup(NULL);
        struct sntp_output q = poll_at(0);
        answer(m, &q, YEAR26 * S);
        if (i < 3)
            m[bad[i].at] = bad[i].value;
        else if (i == 3)
            memset(m + 40, 0, 8);
        else if (i == 4)
            put_time(m + 40, (YEAR26 - 1) * S); /* sent before it came */
        else
            put_time(m + 40, (YEAR26 + 1) * S); /* kept for longer than we waited */
        assert_int_equal(give(m, &q, 1, 0), 0);
        assert_int_equal(s.ignored, 1);
        q = poll_at(1); /* the other one, at once */
        assert_true(q.send && q.to.family == NET_INET6);
    }
}

static void silence_backs_off(void **state) /* C-SNTP-2 */
{
    (void)state;
    uint64_t last[2] = {0, 0}, now = 0;
    unsigned asked = 0;
    while (now < 7200 * S) {
        struct sntp_output q = poll_at(now);
        if (q.send) {
            unsigned i = q.to.family == NET_INET6;
            assert_true(asked < 2 || now - last[i] >= 15 * S);
            last[i] = now;
            asked++;
        }
        now = sntp_deadline(&s);
    }
    assert_in_range(asked, 14, 40);
    assert_in_range(s.retry_s, SNTP_POLL_MAX_S, SNTP_POLL_MAX_S);
}

static void kisses(void **state) /* C-SNTP-2 */
{
    (void)state;
    uint8_t m[48];
    struct sntp_output q = poll_at(0);
    answer(m, &q, YEAR26 * S);
    m[1] = 0;
    memcpy(m + 12, "DENY", 4);
    assert_int_equal(give(m, &q, 1, 0), 0);
    for (int i = 0; i < 20; i++) { /* never again */
        q = poll_at(sntp_deadline(&s));
        if (q.send)
            assert_int_equal(q.to.family, NET_INET6);
    }
    while (!q.send)
        q = poll_at(sntp_deadline(&s));
    uint64_t now = s.asked_ns;
    answer(m, &q, YEAR26 * S);
    m[1] = 0;
    memcpy(m + 12, "RATE", 4);
    give(m, &q, now, 0);
    while (!poll_at(sntp_deadline(&s)).send)
        ;
    assert_true(s.asked_ns - now >= 128 * S);
    now = s.asked_ns;
    q.to = two[1];
    memcpy(q.message + 40, s.cookie, 8);
    answer(m, &q, YEAR26 * S);
    m[1] = 0;
    memcpy(m + 12, "RSTR", 4);
    give(m, &q, now, 0);
    for (int i = 0; i < 5 && sntp_deadline(&s) != UINT64_MAX; i++)
        assert_false(poll_at(sntp_deadline(&s)).send);
    assert_true(sntp_deadline(&s) == UINT64_MAX);
}

static void polls_less_when_steady(void **state)
{
    (void)state;
    uint8_t m[48];
    uint64_t last = 0, pause = 0;
    for (int i = 0; i < 10; i++) {
        struct sntp_output q;
        do
            q = poll_at(sntp_deadline(&s));
        while (!q.send);
        pause = s.asked_ns - last;
        last = s.asked_ns;
        answer(m, &q, YEAR26 * S + s.asked_ns);
        give(m, &q, s.asked_ns, YEAR26 * S + s.asked_ns);
    }
    assert_in_range(pause, 1024 * S, 1130 * S);
}

static void era_of_2036(void **state)
{
    (void)state;
    uint8_t m[48];
    struct sntp_output q = poll_at(0);
    answer(m, &q, 0);
    put32(m + 32, 1000); /* 1000 s after 6:28:16 on 7 February 2036 */
    put32(m + 40, 1000);
    int64_t got = give(m, &q, 0, 0);
    assert_true(near(got, (int64_t)(2085978496ull + 1000) * (int64_t)S));
}

/* Times from 1968 to 1970 would be centuries ahead in a clock that counts up from then. */
static void before_the_epoch(void **state)
{
    (void)state;
    uint8_t m[48];
    struct sntp_output q = poll_at(0);
    answer(m, &q, 0);
    put32(m + 32, 2208988800u - 5);
    put32(m + 40, 2208988800u - 5);
    assert_int_equal(give(m, &q, 0, YEAR26 * S), 0);
    assert_false(s.set);
    assert_int_equal(s.ignored, 1);
}

static void survives_noise(void **state)
{
    (void)state;
    srand(4);
    for (int i = 0; i < 100000; i++) {
        struct sntp_output q = poll_at(sntp_deadline(&s) == UINT64_MAX ? 0 : sntp_deadline(&s));
        uint8_t m[48];
        answer(m, &q, YEAR26 * S);
        memcpy(m + 24, s.cookie, 8);
        for (int k = rand() % 10; k > 0; k--)
            m[rand() % 48] = (uint8_t)rand();
        size_t len = (size_t)rand() % 60;
        uint8_t *exact = calloc(1, len ? len : 1);
        memcpy(exact, m, len < 48 ? len : 48);
        sntp_input(&s, s.server[s.at].family, &s.server[s.at].addr, 123, exact, len, s.asked_ns + 1, 0);
        free(exact);
        if (sntp_deadline(&s) == UINT64_MAX)
            setup(NULL);
    }
    assert_true(s.answers < 100000);
}

#define T(f) cmocka_unit_test_setup(f, setup)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(first_step_then_little_by_little), T(only_our_answers_count), T(servers_without_a_time),
        T(silence_backs_off), T(kisses), T(polls_less_when_steady), T(era_of_2036), T(before_the_epoch), T(survives_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
