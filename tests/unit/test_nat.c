/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_nat.c: natd's translation. Every packet that comes out is
 * checked whole: header, length, all checksums.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "../../servers/natd/nat.h"
#include "../../servers/natd/rewrite.h"
#include <stdlib.h>
#include <string.h>

#define SECOND     1000000000ull
#define PACKET_MAX 2000

static struct nat nat;
static struct nat_result result;
static uint64_t now;
static uint32_t lcg;

static uint32_t addr(const char *text)
{
    uint8_t b[4] = {0};

    for (unsigned i = 0; i < 4; i++, text += *text == '.')
        for (; *text >= '0' && *text <= '9'; text++)
            b[i] = (uint8_t)(b[i] * 10 + *text - '0');
    return load_addr(b);
}
#define INSIDE  addr("192.168.7.2")
#define PC      addr("192.168.7.1")
#define OUTSIDE addr("10.0.2.15")
#define SERVER  addr("93.184.216.34")
#define OTHER   addr("93.184.216.35")
#define DNS     addr("10.0.2.3")

static uint32_t chance(uint32_t below)
{
    lcg = lcg * 1664525u + 1013904223u;
    return (lcg >> 8) % below;
}

static struct nat_config standard(void)
{
    return (struct nat_config){.inside_addr = INSIDE,
                               .outside_addr = OUTSIDE,
                               .inside_mtu = 1006,
                               .outside_mtu = 1500,
                               .dns = DNS,
                               .port_low = 61000,
                               .port_high = 61999};
}

static int setup(void **state)
{
    static const uint64_t key[2] = {1, 2};
    struct nat_config c = standard();

    (void)state;
    lcg = 7;
    now = SECOND;
    return nat_init(&nat, &c, key);
}
static int teardown(void **state)
{
    (void)state;
    nat_fini(&nat);
    return 0;
}

/* --- packets -------------------------------------------------------------------- */

struct packet {
    uint8_t b[PACKET_MAX];
    size_t len;
};

/* Word by word, as RFC 1071 says it: not the code under test. */
static uint16_t sum_of(const uint8_t *p, size_t len)
{
    uint32_t s = 0;

    for (; len > 1; p += 2, len -= 2)
        s += load16(p);
    if (len != 0)
        s += (uint32_t)p[0] << 8;
    s = (s & 0xffff) + (s >> 16);
    s = (s & 0xffff) + (s >> 16);
    return (uint16_t)~s;
}

static uint16_t transport_sum(const uint8_t *p, size_t len)
{
    static uint8_t pseudo[PACKET_MAX + 12];
    size_t header = ip_header(p);

    memcpy(pseudo, p + 12, 8);
    pseudo[8] = 0;
    pseudo[9] = p[9];
    store16(pseudo + 10, (uint32_t)(len - header));
    memcpy(pseudo + 12, p + header, len - header);
    return sum_of(pseudo, len - header + 12);
}

static void seal(struct packet *p)
{
    uint8_t *l4 = p->b + ip_header(p->b);
    size_t n = p->len - ip_header(p->b);

    store16(p->b + 2, (uint32_t)p->len);
    store16(p->b + 10, 0);
    store16(p->b + 10, sum_of(p->b, ip_header(p->b)));
    if (p->b[9] == PROTO_ICMP) {
        store16(l4 + 2, 0);
        store16(l4 + 2, sum_of(l4, n));
    } else {
        uint8_t *sum = l4 + (p->b[9] == PROTO_TCP ? 16 : 6);
        store16(sum, 0);
        store16(sum, transport_sum(p->b, p->len));
    }
}

static struct packet make(uint8_t proto, uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport,
                          size_t data)
{
    struct packet p = {.len = 20 + (proto == PROTO_TCP ? 20 : 8) + data};
    uint8_t *l4 = p.b + 20;

    p.b[0] = 0x45;
    store16(p.b + 4, chance(65536));
    p.b[8] = 64;
    p.b[9] = proto;
    store_addr(p.b + 12, src);
    store_addr(p.b + 16, dst);
    for (size_t i = 0; i < data; i++)
        p.b[p.len - data + i] = (uint8_t)chance(256);
    if (proto == PROTO_ICMP) {
        l4[0] = (uint8_t)dport; /* the type */
        store16(l4 + 4, sport);
    } else {
        store16(l4, sport);
        store16(l4 + 2, dport);
        if (proto == PROTO_TCP) {
            l4[12] = 0x50;
            l4[13] = 0x10;
        } else {
            store16(l4 + 4, (uint32_t)(8 + data));
        }
    }
    seal(&p);
    return p;
}

static void check_sound(const uint8_t *p, size_t len)
{
    const uint8_t *l4 = p + ip_header(p);

    assert_int_equal(nat_packet_len(p, len), len);
    assert_int_equal(sum_of(p, ip_header(p)), 0);
    if ((load16(p + 6) & 0x3fff) != 0)
        return;
    if (p[9] == PROTO_ICMP)
        assert_int_equal(sum_of(l4, len - ip_header(p)), 0);
    else if (p[9] == PROTO_TCP || load16(l4 + 6) != 0)
        assert_int_equal(transport_sum(p, len), 0);
}

/* In an allocation of its exact size, so that ASan sees every byte too many. */
static bool pass(struct packet *p, bool out)
{
    uint8_t *exact = malloc(p->len ? p->len : 1);

    memcpy(exact, p->b, p->len);
    memset(&result, 0xee, sizeof result);
    (out ? nat_outbound : nat_inbound)(&nat, exact, p->len, now, &result);
    memcpy(p->b, exact, p->len);
    free(exact);
    if (result.send)
        check_sound(p->b, p->len);
    if (result.reply_len != 0)
        check_sound(result.reply, result.reply_len);
    return result.send;
}
static bool out(struct packet *p)
{
    return pass(p, true);
}
static bool in(struct packet *p)
{
    return pass(p, false);
}

static uint16_t sport(const struct packet *p)
{
    return load16(p->b + ip_header(p->b));
}
static uint16_t dport(const struct packet *p)
{
    return load16(p->b + ip_header(p->b) + 2);
}
static uint32_t src(const struct packet *p)
{
    return load_addr(p->b + 12);
}
static uint32_t dst(const struct packet *p)
{
    return load_addr(p->b + 16);
}

/* The inside speaks; the outside port that it got. */
static uint16_t opened(uint8_t proto, uint16_t port, uint32_t remote, uint16_t remote_port)
{
    struct packet p = make(proto, PC, port, remote, remote_port, 10);

    assert_true(out(&p));
    assert_int_equal(src(&p), OUTSIDE);
    assert_int_equal(dst(&p), remote);
    assert_int_equal(p.b[8], 63);
    return proto == PROTO_ICMP ? load16(p.b + 24) : sport(&p);
}

/* --- the usual ------------------------------------------------------------------------ */

static void there_and_back(void **state) /* C-NAT-1 */
{
    static const uint8_t protos[] = {PROTO_TCP, PROTO_UDP};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        uint16_t port = opened(protos[i], 4000, SERVER, 80);
        struct packet p = make(protos[i], SERVER, 80, OUTSIDE, port, 333);
        assert_in_range(port, 61000, 61999);
        assert_true(in(&p));
        assert_int_equal(src(&p), SERVER);
        assert_int_equal(dst(&p), PC);
        assert_int_equal(dport(&p), 4000);
        assert_int_equal(p.b[8], 63);
    }
}

static void echo_by_identifier(void **state)
{
    uint16_t id = opened(PROTO_ICMP, 77, SERVER, 8);
    struct packet p = make(PROTO_ICMP, SERVER, id, OUTSIDE, 0, 56);

    (void)state;
    assert_in_range(id, 61000, 61999);
    assert_true(in(&p));
    assert_int_equal(load16(p.b + 24), 77);
    p = make(PROTO_ICMP, SERVER, id, OUTSIDE, 8, 56); /* a request from outside is not answered from inside */
    assert_false(in(&p));
}

static void one_outside_port_towards_everybody(void **state)
{
    uint16_t port = opened(PROTO_UDP, 4000, SERVER, 80);

    (void)state;
    assert_int_equal(opened(PROTO_UDP, 4000, OTHER, 81), port);
    assert_int_not_equal(opened(PROTO_UDP, 4001, SERVER, 80), port);
}

static void only_who_was_spoken_to_may_answer(void **state) /* C-NAT-2 */
{
    uint16_t port = opened(PROTO_UDP, 4000, SERVER, 80);
    struct packet p = make(PROTO_UDP, OTHER, 80, OUTSIDE, port, 5);

    (void)state;
    assert_false(in(&p));
    p = make(PROTO_UDP, SERVER, 81, OUTSIDE, port, 5);
    assert_false(in(&p));
    p = make(PROTO_TCP, SERVER, 80, OUTSIDE, port, 5);
    assert_false(in(&p));
    p = make(PROTO_UDP, SERVER, 80, OUTSIDE, (uint16_t)(port + 1), 5);
    assert_false(in(&p));
    assert_int_equal(nat.drops[NAT_DROP_NO_SESSION], 4);
}

static void names_are_asked_outside(void **state)
{
    struct packet p = make(PROTO_UDP, PC, 5353, INSIDE, 53, 30);
    uint16_t port;

    (void)state;
    assert_true(out(&p));
    assert_int_equal(dst(&p), DNS);
    port = sport(&p);
    p = make(PROTO_UDP, DNS, 53, OUTSIDE, port, 60);
    assert_true(in(&p));
    assert_int_equal(src(&p), INSIDE); /* whom the inside had asked */
    p = make(PROTO_UDP, PC, 5353, INSIDE, 54, 30);
    assert_false(out(&p));
}

static void a_forwarded_port_leads_inside(void **state)
{
    struct nat_config c = standard();
    struct packet p = make(PROTO_TCP, SERVER, 5555, OUTSIDE, 8080, 0);

    (void)state;
    assert_false(in(&p));
    c.nforwards = 1;
    c.forward[0] = (struct nat_forward){PROTO_TCP, 8080, 80, PC};
    nat_reconfigure(&nat, &c);
    p = make(PROTO_TCP, SERVER, 5555, OUTSIDE, 8080, 0);
    assert_true(in(&p));
    assert_int_equal(dst(&p), PC);
    assert_int_equal(dport(&p), 80);
    p = make(PROTO_TCP, PC, 80, SERVER, 5555, 100);
    assert_true(out(&p));
    assert_int_equal(sport(&p), 8080);
}

/* --- time --------------------------------------------------------------------------------- */

static bool answered(uint8_t proto, uint16_t port)
{
    struct packet p = make(proto, SERVER, 80, OUTSIDE, port, 0);
    return in(&p);
}

static void udp_sessions_end(void **state)
{
    uint16_t port = opened(PROTO_UDP, 4000, SERVER, 80);

    (void)state;
    now += 299 * SECOND;
    assert_true(answered(PROTO_UDP, port)); /* and lives on */
    now += 299 * SECOND;
    assert_true(answered(PROTO_UDP, port));
    now += 301 * SECOND;
    assert_false(answered(PROTO_UDP, port));
}

static void tcp_flag(bool outward, uint16_t port, uint8_t flags)
{
    struct packet p =
        outward ? make(PROTO_TCP, PC, 4000, SERVER, 80, 0) : make(PROTO_TCP, SERVER, 80, OUTSIDE, port, 0);

    p.b[33] = flags;
    seal(&p);
    assert_true(outward ? out(&p) : in(&p));
}

static void tcp_sessions_last_as_long_as_connections(void **state)
{
    uint16_t port = opened(PROTO_TCP, 4000, SERVER, 80);

    (void)state;
    tcp_flag(true, port, 0x02);
    tcp_flag(false, port, 0x12);
    tcp_flag(true, port, 0x10);
    now += 2 * 3600 * SECOND;
    assert_true(answered(PROTO_TCP, port));
    tcp_flag(true, port, 0x11);
    now += 3600 * SECOND; /* half closed is open */
    assert_true(answered(PROTO_TCP, port));
    tcp_flag(false, port, 0x11);
    now += 241 * SECOND;
    assert_false(answered(PROTO_TCP, port));
}

static void a_reset_shortens_a_session(void **state)
{
    uint16_t port = opened(PROTO_TCP, 4000, SERVER, 80);

    (void)state;
    tcp_flag(true, port, 0x02);
    tcp_flag(false, port, 0x12);
    tcp_flag(false, port, 0x14);
    now += 241 * SECOND;
    assert_false(answered(PROTO_TCP, port));
}

static void a_full_table_gives_up_the_short_lived(void **state) /* C-NAT-3 */
{
    uint16_t port = opened(PROTO_TCP, 4000, SERVER, 80);

    (void)state;
    tcp_flag(true, port, 0x02);
    tcp_flag(false, port, 0x12);
    for (uint32_t i = 0; i < 20000; i++) {
        struct packet p = make(PROTO_UDP, PC, 5000, SERVER + i * 256, (uint16_t)i, 0);
        assert_true(out(&p));
    }
    assert_int_equal(nat.sessions, NAT_SESSIONS_MAX);
    assert_true(nat.evicted > 15000);
    assert_true(answered(PROTO_TCP, port));
}

static void no_port_left_is_said(void **state)
{
    struct nat_config c = standard();

    (void)state;
    c.port_high = 61003;
    nat_reconfigure(&nat, &c);
    for (uint16_t i = 0; i < 4; i++)
        opened(PROTO_UDP, (uint16_t)(4000 + i), SERVER, 80);
    struct packet p = make(PROTO_UDP, PC, 4010, SERVER, 80, 0);
    assert_false(out(&p));
    assert_int_equal(result.why, NAT_DROP_NO_PORT);
    opened(PROTO_TCP, 4000, SERVER, 80); /* another protocol has its own */
}

static void another_address_ends_all(void **state)
{
    struct nat_config c = standard();
    uint16_t port = opened(PROTO_UDP, 4000, SERVER, 80);

    (void)state;
    c.outside_addr = addr("10.0.2.16");
    nat_reconfigure(&nat, &c);
    assert_int_equal(nat.sessions, 0);
    assert_false(answered(PROTO_UDP, port));
    c.outside_addr = 0;
    nat_reconfigure(&nat, &c);
    struct packet p = make(PROTO_UDP, PC, 4010, SERVER, 80, 0);
    assert_false(out(&p));
}

/* --- errors -------------------------------------------------------------------------------- */

static void who_runs_out_of_time_is_told(void **state)
{
    struct packet p = make(PROTO_UDP, PC, 4000, SERVER, 33434, 12);

    (void)state;
    p.b[8] = 1;
    seal(&p);
    assert_false(out(&p));
    assert_int_equal(result.why, NAT_DROP_TTL);
    assert_int_equal(result.reply_len, 56);
    assert_int_equal(load_addr(result.reply + 12), INSIDE);
    assert_int_equal(load_addr(result.reply + 16), PC);
    assert_int_equal(result.reply[20], 11);
    assert_memory_equal(result.reply + 28, p.b, 28);
}

static void too_large_is_told_with_the_mtu(void **state)
{
    uint16_t port = opened(PROTO_TCP, 4000, SERVER, 80);
    struct packet p = make(PROTO_TCP, SERVER, 80, OUTSIDE, port, 1400);

    (void)state;
    p.b[6] = 0x40;
    seal(&p);
    assert_false(in(&p));
    assert_int_equal(result.why, NAT_DROP_TOO_BIG);
    assert_int_equal(load_addr(result.reply + 12), OUTSIDE);
    assert_int_equal(result.reply[20], 3);
    assert_int_equal(result.reply[21], 4);
    assert_int_equal(load16(result.reply + 26), 1006);
    p.b[6] = 0; /* may be cut */
    seal(&p);
    assert_true(in(&p));
}

static struct packet error_about(const struct packet *quoted, uint32_t from, uint32_t to, size_t quote)
{
    struct packet p = make(PROTO_ICMP, from, 0, to, 3, quote);

    p.b[21] = 1;
    memcpy(p.b + 28, quoted->b, quote);
    seal(&p);
    return p;
}

static void an_error_finds_the_way_to_whom_it_is_about(void **state) /* C-NAT-4 */
{
    static const uint8_t protos[] = {PROTO_TCP, PROTO_UDP, PROTO_ICMP};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        uint16_t remote_port = protos[i] == PROTO_ICMP ? 8 : 80;
        struct packet sent = make(protos[i], PC, 4000, SERVER, remote_port, 40), before = sent, error;
        assert_true(out(&sent));
        error = error_about(&sent, OTHER, OUTSIDE, sent.len);
        assert_true(in(&error));
        assert_int_equal(src(&error), OTHER);
        assert_int_equal(dst(&error), PC);
        before.b[8]--; /* but for its time to live it is what was sent */
        seal(&before);
        assert_memory_equal(error.b + 28, before.b, before.len);
        error = error_about(&sent, OTHER, OUTSIDE, 28); /* the least that a router quotes */
        assert_true(in(&error));
        error = error_about(&before, OTHER, OUTSIDE, before.len); /* about nothing of ours */
        assert_false(in(&error));
    }
}

static void the_inside_may_complain_too(void **state)
{
    uint16_t port = opened(PROTO_UDP, 4000, SERVER, 80);
    struct packet got = make(PROTO_UDP, SERVER, 80, OUTSIDE, port, 20), before = got, error;

    (void)state;
    assert_true(in(&got));
    error = error_about(&got, PC, SERVER, got.len);
    assert_true(out(&error));
    assert_int_equal(src(&error), OUTSIDE);
    before.b[8]--;
    seal(&before);
    assert_memory_equal(error.b + 28, before.b, before.len);
}

/* --- fragments and options ------------------------------------------------------------------------ */

static void fragments_follow_their_first(void **state) /* C-NAT-5 */
{
    struct packet p = make(PROTO_UDP, PC, 4000, SERVER, 80, 1400), whole, pieces[4];
    size_t at = 0;
    unsigned n = 0;

    (void)state;
    while (n < 4 && (pieces[n].len = nat_cut(p.b, p.len, 576, &at, pieces[n].b)) != 0)
        assert_true(pieces[n++].len <= 576);
    assert_int_equal(n, 3);
    assert_false(out(&pieces[1])); /* without the first nobody knows its ports */
    assert_int_equal(result.why, NAT_DROP_FRAGMENT);
    whole = p;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(out(&pieces[i]));
        assert_int_equal(src(&pieces[i]), OUTSIDE);
        if (i == 0)
            memcpy(whole.b, pieces[0].b, 28);
        memcpy(whole.b + 20 + ip_offset(pieces[i].b) * 8, pieces[i].b + 20, pieces[i].len - 20);
    }
    store16(whole.b + 6, 0);
    store16(whole.b + 2, (uint32_t)whole.len);
    store16(whole.b + 10, 0);
    store16(whole.b + 10, sum_of(whole.b, 20));
    check_sound(whole.b, whole.len); /* put together, the checksum of all is right */
}

static void segments_fit_the_narrow_side(void **state)
{
    static const uint8_t options[] = {1, 2, 4, 5, 0xb4, 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 3, 3, 7};
    struct nat_config c = standard();

    (void)state;
    for (unsigned strip = 0; strip < 2; strip++) {
        struct packet p = make(PROTO_TCP, PC, 4000, SERVER, 80, sizeof options);
        memcpy(p.b + 40, options, sizeof options);
        p.b[32] = 0xa0;
        p.b[33] = 0x02;
        seal(&p);
        c.strip_stamps = strip != 0;
        nat_reconfigure(&nat, &c);
        assert_true(out(&p));
        assert_int_equal(load16(p.b + 43), 966); /* 1006 - 40 */
        assert_int_equal(p.b[47], strip ? 1 : 8);
        assert_int_equal(p.b[57], 3);
    }
}

/* --- rubbish -------------------------------------------------------------------------------------------- */

static void rubbish_harms_nothing(void **state) /* C-NAT-6 */
{
    uint64_t passed = 0;

    (void)state;
    for (unsigned i = 0; i < 300000; i++) {
        static const uint8_t protos[] = {PROTO_TCP, PROTO_UDP, PROTO_ICMP, 47};
        bool outward = chance(2);
        uint8_t proto = protos[chance(4)];
        struct packet p =
            outward
                ? make(proto, PC, (uint16_t)(4000 + chance(50)), SERVER,
                       (uint16_t)(proto == PROTO_ICMP ? chance(13) : 80), chance(100))
                : make(proto, SERVER, (uint16_t)(proto == PROTO_ICMP ? 61000 + chance(1000) : 80), OUTSIDE,
                       (uint16_t)(proto == PROTO_ICMP ? chance(13) : 61000 + chance(1000)), chance(100));
        bool damaged = chance(2);
        if (damaged) {
            for (unsigned k = chance(6); k > 0; k--)
                p.b[chance((uint32_t)p.len)] = (uint8_t)chance(256);
            if (chance(3) == 0)
                p.len = chance((uint32_t)p.len + 1);
            uint8_t *exact = malloc(p.len ? p.len : 1);
            memcpy(exact, p.b, p.len);
            (outward ? nat_outbound : nat_inbound)(&nat, exact, p.len, now, &result);
            free(exact);
        } else {
            passed += pass(&p, outward);
        }
        now += chance(SECOND / 100);
    }
    assert_true(passed > 10000);
    assert_true(nat.sessions <= NAT_SESSIONS_MAX);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(there_and_back),
        T(echo_by_identifier),
        T(one_outside_port_towards_everybody),
        T(only_who_was_spoken_to_may_answer),
        T(names_are_asked_outside),
        T(a_forwarded_port_leads_inside),
        T(udp_sessions_end),
        T(tcp_sessions_last_as_long_as_connections),
        T(a_reset_shortens_a_session),
        T(a_full_table_gives_up_the_short_lived),
        T(no_port_left_is_said),
        T(another_address_ends_all),
        T(who_runs_out_of_time_is_told),
        T(too_large_is_told_with_the_mtu),
        T(an_error_finds_the_way_to_whom_it_is_about),
        T(the_inside_may_complain_too),
        T(fragments_follow_their_first),
        T(segments_fit_the_narrow_side),
        T(rubbish_harms_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
