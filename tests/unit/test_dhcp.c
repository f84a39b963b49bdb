/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_dhcp.c: the DHCP client against a scripted server.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <net/stack/dhcp.h>
#include <stdlib.h>
#include <string.h>

#define S 1000000000ull
static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
enum { DISCOVER = 1, OFFER, REQUEST, DECLINE, ACK, NAK };

static const uint8_t *find_option(const struct dhcp_output *o, uint8_t code)
{
    for (size_t i = 240; i + 1 < o->len && o->message[i] != 255;) {
        if (o->message[i] == 0) {
            i++;
            continue;
        }
        if (o->message[i] == code)
            return o->message + i + 1;
        i += 2u + o->message[i + 1];
    }
    return NULL;
}

static uint8_t type_of(const struct dhcp_output *o)
{
    const uint8_t *t = find_option(o, 53);
    return t ? t[1] : 0;
}

/* A server's answer to `in`; extra options as given. */
static size_t answer(uint8_t *m, const struct dhcp_output *in, uint8_t type, const uint8_t *extra, size_t n)
{
    static const uint8_t base[] = {54, 4, 10, 0, 0, 1, 51, 4, 0, 0, 14, 16, 1, 4, 255, 255, 255, 0, 3, 4, 10, 0, 0, 1};
    size_t o = 240;
    memset(m, 0, 576);
    memcpy(m, in->message, 240);
    m[0] = 2;
    m[16] = 10, m[19] = 77;
    m[o++] = 53, m[o++] = 1, m[o++] = type;
    memcpy(m + o, base, sizeof(base));
    o += sizeof(base);
    if (n)
        memcpy(m + o, extra, n);
    o += n;
    m[o++] = 255;
    return o;
}

static void bind_client(struct dhcp_client *c, uint64_t *now, const uint8_t *extra, size_t n)
{
    struct dhcp_output out;
    uint8_t m[576];
    dhcp_start(c, mac, 42, *now);
    dhcp_poll(c, *now, &out);
    assert_int_equal(type_of(&out), DISCOVER);
    assert_int_equal(out.dst[0], 255);
    assert_int_equal(dhcp_input(c, m, answer(m, &out, OFFER, extra, n), *now), 0);
    dhcp_poll(c, *now, &out);
    assert_int_equal(type_of(&out), REQUEST);
    assert_memory_equal(find_option(&out, 50) + 1, "\x0a\x00\x00\x4d", 4);
    assert_memory_equal(find_option(&out, 54) + 1, "\x0a\x00\x00\x01", 4);
    assert_int_equal(dhcp_input(c, m, answer(m, &out, ACK, extra, n), *now), DHCP_GOT_LEASE);
    assert_int_equal(c->state, DHCP_BOUND);
}

static void binds(void **state)
{
    (void)state;
    struct dhcp_client c;
    uint64_t now = 5 * S;
    static const uint8_t extra[] = {6, 8, 1, 1, 1, 1, 8, 8, 8, 8, 26, 2, 5, 0xdc};
    bind_client(&c, &now, extra, sizeof(extra));
    assert_int_equal(c.lease.prefix, 24);
    assert_int_equal(c.lease.ndns, 2);
    assert_int_equal(c.lease.mtu, 1500);
    assert_true(c.lease.have_router);
    assert_int_equal(dhcp_deadline(&c), now + 1800 * S);
}

/* A server may say "renew at once"; obeyed, that would be a loop at the speed of the wire. */
static void no_renewal_without_a_pause(void **state)
{
    (void)state;
    static const uint8_t lies[][12] = {
        {58, 4, 0, 0, 0, 0, 59, 4, 0, 0, 0, 0},
        {58, 4, 0, 0, 0, 1, 59, 4, 0, 0, 0, 2},
        {58, 4, 0, 0, 0, 3, 51, 4, 0, 0, 0, 120},
        {58, 4, 255, 255, 255, 255, 59, 4, 0, 0, 0, 0},
    };
    for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct dhcp_client c;
        struct dhcp_output out;
        uint64_t now = 5 * S;
        bind_client(&c, &now, lies[i], sizeof(lies[i]));
        assert_true(dhcp_deadline(&c) >= now + 30 * S);
        dhcp_poll(&c, now + 29 * S, &out);
        assert_int_equal(out.len, 0);
        assert_true(c.lease.t1_ns <= c.lease.t2_ns && c.lease.t2_ns <= c.lease.expiry_ns);
    }
}

/* A short lease is kept as it is given: asked for again, in time and not in a storm. */
static void short_leases_are_kept(void **state) /* C-DHCP-1 */
{
    (void)state;
    static const uint32_t seconds[] = {1, 2, 10, 20, 59};
    for (unsigned i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        struct dhcp_client c;
        struct dhcp_output out;
        uint64_t now = 5 * S;
        unsigned asked = 0, lost = 0;
        const uint8_t extra[] = {51, 4, 0, 0, 0, (uint8_t)seconds[i], 58, 4, 0, 0, 0, 0};
        bind_client(&c, &now, extra, sizeof(extra));
        assert_true(c.lease.expiry_ns == now + seconds[i] * S);
        assert_true(dhcp_deadline(&c) == now + seconds[i] * S / 2);
        while (!lost && asked < 100) {
            now = dhcp_deadline(&c);
            lost = dhcp_poll(&c, now, &out) & DHCP_LOST_LEASE;
            asked += out.len != 0;
        }
        assert_true(now == c.lease.expiry_ns);
        assert_in_range(asked, 3, 6);
    }
    struct dhcp_client c; /* no lease at all is none */
    struct dhcp_output out;
    uint8_t m[576];
    static const uint8_t none[] = {51, 4, 0, 0, 0, 0};
    dhcp_start(&c, mac, 42, 0);
    dhcp_poll(&c, 0, &out);
    dhcp_input(&c, m, answer(m, &out, OFFER, none, 6), 0);
    dhcp_poll(&c, 0, &out);
    assert_int_equal(dhcp_input(&c, m, answer(m, &out, ACK, none, 6), 0), 0);
    assert_int_equal(c.state, DHCP_REQUESTING);
}

/* The server counts from when it answered, so we count from when we asked. */
static void lease_counts_from_the_request(void **state)
{
    (void)state;
    struct dhcp_client c;
    struct dhcp_output out;
    uint8_t m[576];
    dhcp_start(&c, mac, 42, 0);
    dhcp_poll(&c, 0, &out);
    dhcp_input(&c, m, answer(m, &out, OFFER, NULL, 0), 0);
    dhcp_poll(&c, 1 * S, &out);
    dhcp_input(&c, m, answer(m, &out, ACK, NULL, 0), 3 * S);
    assert_true(c.lease.expiry_ns == 3601 * S);
}

static void renews_then_rebinds_then_loses(void **state)
{
    (void)state;
    struct dhcp_client c;
    struct dhcp_output out;
    uint8_t m[576];
    uint64_t now = 0;
    bind_client(&c, &now, NULL, 0);
    now = dhcp_deadline(&c);
    dhcp_poll(&c, now, &out);
    assert_int_equal(c.state, DHCP_RENEWING);
    assert_memory_equal(out.dst, "\x0a\x00\x00\x01", 4);
    assert_memory_equal(out.src, "\x0a\x00\x00\x4d", 4);
    assert_null(find_option(&out, 54));
    assert_int_equal(dhcp_input(&c, m, answer(m, &out, ACK, NULL, 0), now), DHCP_RENEWED);
    unsigned lost = 0;
    for (int i = 0; i < 100 && !lost; i++) {
        now = dhcp_deadline(&c);
        lost = dhcp_poll(&c, now, &out) & DHCP_LOST_LEASE;
        if (c.state == DHCP_REBINDING)
            assert_int_equal(out.dst[0], 255);
    }
    assert_true(lost);
    assert_int_equal(now, c.lease.expiry_ns);
    dhcp_poll(&c, now, &out);
    assert_int_equal(type_of(&out), DISCOVER);
}

static void nak_starts_over(void **state)
{
    (void)state;
    struct dhcp_client c;
    struct dhcp_output out;
    uint8_t m[576];
    uint64_t now = 0;
    bind_client(&c, &now, NULL, 0);
    now = dhcp_deadline(&c);
    dhcp_poll(&c, now, &out);
    assert_int_equal(dhcp_input(&c, m, answer(m, &out, NAK, NULL, 0), now), DHCP_LOST_LEASE);
    dhcp_poll(&c, dhcp_deadline(&c), &out);
    assert_int_equal(type_of(&out), DISCOVER);
}

static void conflict_declines(void **state) /* C-NETD-6 */
{
    (void)state;
    struct dhcp_client c;
    struct dhcp_output out;
    uint64_t now = 0;
    bind_client(&c, &now, NULL, 0);
    dhcp_conflict(&c, now);
    assert_int_equal(dhcp_poll(&c, now, &out), DHCP_LOST_LEASE);
    assert_int_equal(type_of(&out), DECLINE);
    assert_memory_equal(find_option(&out, 50) + 1, "\x0a\x00\x00\x4d", 4);
    assert_int_equal(dhcp_deadline(&c), now + 10 * S);
    now += 10 * S;
    dhcp_poll(&c, now, &out);
    dhcp_poll(&c, now, &out);
    assert_int_equal(type_of(&out), DISCOVER);
}

static void silence_backs_off_and_is_reported_once(void **state) /* C-TIME-4 */
{
    (void)state;
    struct dhcp_client c;
    struct dhcp_output out;
    unsigned failures = 0, sent = 0;
    dhcp_start(&c, mac, 7, 0);
    for (uint64_t now = 0; now < 300 * S; now = dhcp_deadline(&c)) {
        bool failed = (dhcp_poll(&c, now, &out) & DHCP_FAILED) != 0;
        if (failed)
            assert_int_equal(now, 30 * S);
        failures += failed;
        sent++;
    }
    assert_int_equal(failures, 1);
    assert_in_range(sent, 6, 12);
}

static void reboot_asks_for_the_old_address(void **state)
{
    (void)state;
    struct dhcp_client c;
    struct dhcp_output out;
    uint8_t m[576];
    uint64_t now = 0;
    bind_client(&c, &now, NULL, 0);
    dhcp_reboot(&c, now);
    dhcp_poll(&c, now, &out);
    assert_int_equal(type_of(&out), REQUEST);
    assert_null(find_option(&out, 54));
    assert_memory_equal(find_option(&out, 50) + 1, "\x0a\x00\x00\x4d", 4);
    assert_int_equal(dhcp_input(&c, m, answer(m, &out, ACK, NULL, 0), now), DHCP_RENEWED);
}

static void reboot_without_an_answer_keeps_the_lease(void **state)
{
    (void)state;
    struct dhcp_client c;
    struct dhcp_output out;
    uint64_t now = 0;
    unsigned asked = 0;
    bind_client(&c, &now, NULL, 0);
    dhcp_reboot(&c, now);
    while (c.state != DHCP_BOUND && asked < 20) {
        now = dhcp_deadline(&c);
        assert_int_equal(dhcp_poll(&c, now, &out), 0);
        asked += out.len != 0;
    }
    assert_int_equal(asked, 4);
    assert_in_range(now, 10 * S, 30 * S);
    struct dhcp_client d; /* while it waits for an offer: no need to wait for the next turn */
    dhcp_start(&d, mac, 7, 0);
    while (dhcp_deadline(&d) < 20 * S)
        dhcp_poll(&d, dhcp_deadline(&d), &out);
    dhcp_reboot(&d, 20 * S);
    dhcp_poll(&d, 20 * S, &out);
    assert_int_equal(type_of(&out), DISCOVER);
    assert_true(dhcp_deadline(&c) == c.lease.t1_ns);
}

static void classless_routes_replace_the_router(void **state)
{
    (void)state;
    struct dhcp_client c;
    uint64_t now = 0;
    static const uint8_t extra[] = {121, 13, 0, 10, 0, 0, 2, 24, 192, 168, 9, 10, 0, 0, 3};
    bind_client(&c, &now, extra, sizeof(extra));
    assert_false(c.lease.have_router);
    assert_int_equal(c.lease.nroutes, 2);
    assert_int_equal(c.lease.route[1].prefix, 24);
    assert_memory_equal(c.lease.route[1].dst, "\xc0\xa8\x09\x00", 4);
}

static void no_server_moves_loopback(void **state)
{
    (void)state;
    struct dhcp_client c;
    uint64_t now = 0;
    static const uint8_t extra[] = {121, 20, 8, 127, 10, 0, 0, 3, 32, 127, 0, 0, 2, 10, 0, 0, 3, 0, 10, 0, 0, 2};
    bind_client(&c, &now, extra, sizeof(extra));
    assert_int_equal(c.lease.nroutes, 1);
    assert_int_equal(c.lease.route[0].prefix, 0);
}

/* RFC 3396: an option that is longer than 255 bytes, or simply cut in two. */
static void routes_may_come_in_pieces(void **state)
{
    (void)state;
    struct dhcp_client c;
    uint64_t now = 0;
    static const uint8_t extra[] = {121, 7, 0, 10, 0, 0, 2, 24, 192, 42, 4, 10, 0, 0, 9, 121, 6, 168, 9, 10, 0, 0, 3};
    bind_client(&c, &now, extra, sizeof(extra));
    assert_int_equal(c.lease.nroutes, 2);
    assert_memory_equal(c.lease.route[1].dst, "\xc0\xa8\x09\x00", 4);
    assert_memory_equal(c.lease.route[1].gateway, "\x0a\x00\x00\x03", 4);
    assert_int_equal(c.lease.nntp, 1);
    assert_memory_equal(c.lease.ntp[0], "\x0a\x00\x00\x09", 4);
}

static void options_in_other_fields(void **state) /* option 52 */
{
    (void)state;
    struct dhcp_client c;
    struct dhcp_output out;
    uint8_t m[576];
    static const uint8_t both[] = {52, 1, 3};
    dhcp_start(&c, mac, 42, 0);
    dhcp_poll(&c, 0, &out);
    dhcp_input(&c, m, answer(m, &out, OFFER, NULL, 0), 0);
    dhcp_poll(&c, 0, &out);
    size_t n = answer(m, &out, ACK, both, 3);
    memcpy(m + 108, "\x06\x04\x01\x02\x03\x04\xff", 7); /* file */
    memcpy(m + 44, "\x1a\x02\x05\x78\xff", 5);          /* sname */
    assert_int_equal(dhcp_input(&c, m, n, 0), DHCP_GOT_LEASE);
    assert_int_equal(c.lease.ndns, 1);
    assert_memory_equal(c.lease.dns[0], "\x01\x02\x03\x04", 4);
    assert_int_equal(c.lease.mtu, 1400);
}

/* Cut and flipped answers: nothing may fault, and a wrong xid is ignored. */
static void survives_hostile_answers(void **state)
{
    (void)state;
    struct dhcp_client c;
    struct dhcp_output out;
    uint8_t m[576];
    srand(1);
    for (int i = 0; i < 20000; i++) {
        dhcp_start(&c, mac, (uint32_t)i + 1, 0);
        dhcp_poll(&c, 0, &out);
        size_t n = answer(m, &out, (uint8_t)(rand() % 9), NULL, 0);
        for (int k = rand() % 6; k > 0; k--)
            m[240 + rand() % 60] = (uint8_t)rand();
        size_t cut = (size_t)rand() % (n + 1);
        uint8_t *exact = malloc(cut ? cut : 1); /* ASan sees a read past the end */
        memcpy(exact, m, cut);
        dhcp_input(&c, exact, cut, 0);
        free(exact);
    }
    dhcp_start(&c, mac, 1, 0);
    dhcp_poll(&c, 0, &out);
    size_t n = answer(m, &out, OFFER, NULL, 0);
    m[4] ^= 1;
    dhcp_input(&c, m, n, 0);
    assert_int_equal(c.state, DHCP_SELECTING);
    assert_int_equal(c.ignored, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binds),
        cmocka_unit_test(no_renewal_without_a_pause),
        cmocka_unit_test(short_leases_are_kept),
        cmocka_unit_test(lease_counts_from_the_request),
        cmocka_unit_test(routes_may_come_in_pieces),
        cmocka_unit_test(options_in_other_fields),
        cmocka_unit_test(renews_then_rebinds_then_loses),
        cmocka_unit_test(nak_starts_over),
        cmocka_unit_test(conflict_declines),
        cmocka_unit_test(silence_backs_off_and_is_reported_once),
        cmocka_unit_test(reboot_asks_for_the_old_address),
        cmocka_unit_test(reboot_without_an_answer_keeps_the_lease),
        cmocka_unit_test(classless_routes_replace_the_router),
        cmocka_unit_test(no_server_moves_loopback),
        cmocka_unit_test(survives_hostile_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
