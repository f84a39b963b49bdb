/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_uart.c: the serial driver and the SLIP link on it against a
 * model of the 16550A; what comes from a bad line, and the console's share of
 * it, are in test_uart_line.c.
 */
#include "uart_rig.h"

static void defaults(void **state)
{
    (void)state;
    assert_int_equal(ports[0].role, ROLE_SLIP);
    assert_int_equal(ports[1].role, ROLE_CONSOLE);
    assert_non_null(fake.link);
    assert_int_equal(fake.link->mtu, 1006);
    assert_int_equal(fake.link->speed_bps, 115200);
    assert_memory_equal(fake.link->peer.b, "\xc0\xa8\x07\x01", 4);
    assert_non_null(sink);
    assert_int_equal(card[0].dll, 1);
    assert_int_equal(card[0].lcr, LCR_8N1);
    assert_int_equal(card[0].mcr & 8, 8);
}

static void options_choose(void **state)
{
    (void)state;
    opt_com1 = "off";
    opt_com2 = "slip,9600";
    opt_slip = "10.0.0.1:10.0.0.200";
    uart_init();
    assert_int_equal(ports[0].role, ROLE_OFF);
    assert_int_equal(ports[1].role, ROLE_SLIP);
    assert_int_equal(card[1].dll, 12);
    assert_int_equal(fake.link->speed_bps, 9600);
    assert_memory_equal(fake.link->peer.b, "\x0a\0\0\xc8", 4);
    assert_null(sink);
}

static void bad_values_fall_back(void **state)
{
    (void)state;
    opt_com1 = "slip,123456";
    opt_slip = "10.0.0.1:10.0.0.256";
    uart_init();
    assert_int_equal(fake.link->speed_bps, 115200);
    assert_memory_equal(fake.link->peer.b, "\xc0\xa8\x07\x01", 4);
}

static void no_ports_no_harm(void **state)
{
    (void)state;
    card[0].absent = card[1].absent = true;
    uart_init();
    assert_null(fake.link);
    assert_null(sink);
}

static void packets_both_ways(void **state)
{
    uint8_t wire[2100], packet[1006];
    size_t n = 0;

    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        size_t len = 1 + round * 13 % sizeof(packet);
        for (size_t i = 0; i < len; i++)
            packet[i] = (uint8_t)(i * round);
        n = 0;
        wire[n++] = SLIP_END;
        n += slip_encode(wire + n, packet, len);
        wire[n++] = SLIP_END;
        arrive(&card[0], wire, n, 0);
        assert_true(fake.poll_wanted);
        fake_poll();
        assert_int_equal(fake.frames, round + 1);
        assert_int_equal(fake.len[round], len);
    }
    assert_int_equal(fake.link->overruns + fake.link->escapes, 0);
    memset(fake_payload, SLIP_END, sizeof(fake_payload));
    card[0].nout = 0;
    assert_int_equal(fake_transmit(1, 600), 1);
    drain_card(&card[0]);
    assert_int_equal(card[0].nout, 1 + 54 + 2 * 600 + 1);
    assert_int_equal(card[0].out[0], SLIP_END);
    assert_int_equal(card[0].out[1], 0x77);
    assert_int_equal(card[0].out[55], SLIP_ESC);
    assert_int_equal(card[0].out[card[0].nout - 1], SLIP_END);
    assert_int_equal(card[0].ier & IER_THRI, 0); /* silent again */
}

static void the_queue_is_as_short_as_the_line_is_slow(void **state) /* C-SLIP-4 */
{
    (void)state;
    memset(fake_payload, 1, sizeof(fake_payload));
    assert_int_equal(fake_transmit(100, 900), 100); /* all are its own, most are refused one by one */
    assert_int_equal(fake.done_ok, 1);              /* in the port's ring */
    assert_int_equal(fake.done_bad, 96);            /* 3 of 954 bytes are a quarter of a second */
    assert_int_equal(fake.last_status, -ENOBUFS);
    send_all(&card[0]);
    assert_int_equal(fake.done_ok, 4);
    assert_int_equal(card[0].nout, 4 * (900 + 54 + 2));
    assert_int_equal(fake.link->queue_bytes, 3 * 954);
    assert_int_equal(fake_transmit(1, 900), 1);
    assert_int_equal(fake.done_bad, 96);
}

static void one_packet_is_always_taken(void **state)
{
    (void)state;
    opt_com1 = "slip,300";
    uart_init();
    memset(fake_payload, 1, sizeof(fake_payload));
    fake_transmit(3, 900); /* one in the ring, one in the queue */
    assert_int_equal(fake.done_bad, 1);
}

static void small_packets_go_first(void **state) /* C-SLIP-5 */
{
    struct netbuf *small;
    size_t at;

    (void)state;
    memset(fake_payload, 1, sizeof(fake_payload));
    fake_transmit(3, 900);
    small = fake_packet(0);
    memset(small->head, 0x55, 54);
    assert_int_equal(fake.link->ops->transmit(fake.link, small), 1);
    send_all(&card[0]);
    at = 956; /* behind the packet that was in the ring, before the others */
    assert_int_equal(card[0].out[at], SLIP_END);
    assert_int_equal(card[0].out[at + 1], 0x55);
    assert_int_equal(card[0].nout, 3 * 956 + 56);
}

static void nobody_overtakes_his_own_flow(void **state)
{
    (void)state;
    memset(fake_payload, 1, sizeof(fake_payload));
    fake_transmit(3, 900);
    fake_transmit(1, 0); /* small, same addresses and ports */
    send_all(&card[0]);
    assert_int_equal(card[0].out[3 * 956 - 1], SLIP_END);
    assert_int_equal(card[0].nout, 3 * 956 + 56);
    assert_int_equal(card[0].out[2 * 956 + 1 + 53], 0x77);
    assert_int_equal(card[0].out[2 * 956 + 1 + 54], 1);
}

static void small_packets_don_t_starve_large_ones(void **state)
{
    unsigned small_before = 0;

    (void)state;
    memset(fake_payload, 1, sizeof(fake_payload));
    fake_transmit(2, 900);
    for (unsigned i = 0; i < 40; i++) {
        struct netbuf *nb = fake_packet(0);
        memset(nb->head, 0x55, 54);
        fake.link->ops->transmit(fake.link, nb);
    }
    send_all(&card[0]);
    for (size_t at = 956; card[0].out[at + 1] == 0x55; at += 56)
        small_before++;
    assert_int_equal(small_before, SLIP_SMALL_RUN);
}

static void the_other_side_may_stop_us(void **state) /* C-SLIP-6 */
{
    (void)state;
    opt_com1 = "slip,115200,rtscts";
    uart_init();
    memset(fake_payload, 1, sizeof(fake_payload));
    card[0].cts_off = true;
    fake_transmit(2, 100);
    drain_card(&card[0]);
    assert_int_equal(card[0].nout, 0);
    assert_int_equal(ports[0].count.held, 1);
    card[0].cts_off = false;
    card[0].msi_pending = true;
    update(&card[0]);
    send_all(&card[0]);
    assert_int_equal(card[0].nout, 2 * 156);
}

static void we_stop_the_other_side_before_the_ring_is_full(void **state) /* C-SLIP-6 */
{
    uint8_t junk[1000];

    (void)state;
    opt_com1 = "slip,115200,rtscts";
    uart_init();
    memset(junk, 7, sizeof(junk));
    for (unsigned i = 0; i < 12; i++)
        arrive(&card[0], junk, sizeof(junk), 0);
    assert_true(card[0].mcr & MCR_RTS);
    arrive(&card[0], junk, sizeof(junk), 0);
    assert_false(card[0].mcr & MCR_RTS);
    fake_poll();
    assert_true(card[0].mcr & MCR_RTS);
    assert_int_equal(fake.link->overruns, 0);
}

static void headers_are_compressed_both_ways(void **state) /* C-SLIP-7 */
{
    static struct vj peer;
    uint8_t tcp[140] = {0x45, 0, 0, 140, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
                        0, 80, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 16, 0};
    uint8_t header[VJ_HEADER_MAX], wire[400];
    size_t len, skip, n;

    (void)state;
    opt_vj = "auto";
    opt_mtu = "576";
    uart_init();
    assert_int_equal(fake.link->mtu, 576);
    assert_true(fake.link->flags & LINKF_VJ);
    vj_init(&peer);
    for (unsigned i = 0; i < 3; i++) {
        tcp[5] = (uint8_t)(1 + i);
        tcp[27] = (uint8_t)(1 + i * 100);
        struct netbuf *nb = fake_packet(100);
        nb->head_len = 40;
        nb->total_len = 140;
        memcpy(nb->head, tcp, 40);
        card[0].nout = 0;
        fake.link->ops->transmit(fake.link, nb);
        send_all(&card[0]);
        /* plain until the peer has begun; then whole once, then short */
        assert_int_equal(card[0].nout, i < 2 ? 142 : 105);
        skip = vj_compress(&peer, tcp, 40, 140, header, &len);
        n = 0;
        wire[n++] = SLIP_END;
        n += slip_encode(wire + n, header, len);
        n += slip_encode(wire + n, tcp + skip, 140 - skip);
        wire[n++] = SLIP_END;
        arrive(&card[0], wire, n, 0);
        fake_poll();
        assert_int_equal(fake.frames, i + 1);
        assert_int_equal(fake.len[i], 140);
    }
    assert_int_equal(fake.link->rx_compressed, 2);
    assert_int_equal(fake.link->tx_compressed, 1);
}

static void damage_drops_the_packet(void **state) /* C-SLIP-3 */
{
    static const uint8_t a[] = {SLIP_END, 1, 2, 3}, b[] = {4, 5}, c[] = {6, SLIP_END};
    static const uint8_t good[] = {SLIP_END, 9, 9, SLIP_END};

    (void)state;
    arrive(&card[0], a, sizeof(a), 0);
    arrive(&card[0], b, sizeof(b), LSR_FE);
    arrive(&card[0], c, sizeof(c), 0);
    fake_poll();
    assert_int_equal(fake.frames, 0);
    assert_int_equal(fake.link->framing_errors, 2);
    arrive(&card[0], a, sizeof(a), 0);
    card[0].overrun = true;
    arrive(&card[0], c, sizeof(c), 0);
    fake_poll();
    assert_int_equal(fake.frames, 0);
    assert_int_equal(fake.link->overruns, 1);
    arrive(&card[0], good, sizeof(good), 0);
    fake_poll();
    assert_int_equal(fake.frames, 1);
}

static void a_flood_without_polls_is_counted(void **state)
{
    uint8_t junk[1000];
    static const uint8_t good[] = {SLIP_END, 9, 9, SLIP_END};

    (void)state;
    memset(junk, 7, sizeof(junk));
    for (unsigned i = 0; i < 20; i++)
        arrive(&card[0], junk, sizeof(junk), 0);
    assert_true(fake.poll_wanted); /* half full is reason enough */
    fake_poll();
    assert_int_equal(fake.link->overruns, 20000 - 16384);
    assert_int_equal(fake.link->oversize, 1);
    arrive(&card[0], good, sizeof(good), 0);
    fake_poll();
    assert_int_equal(fake.frames, 1);
}

static void an_interrupt_that_never_ends_is_left_and_raised_anew(void **state) /* C-BOUND-4 */
{
    static const uint8_t x[] = {1};

    (void)state;
    card[0].endless = true;
    arrive(&card[0], x, 1, 0); /* returns: the handler is bounded */
    assert_int_equal(card[0].ier_drops, 1);
    assert_int_equal(card[0].ier & 1, 1);
}

static void the_console_types_and_prints(void **state)
{
    char text[300];

    (void)state;
    arrive(&card[1], (const uint8_t *)"help\r", 5, 0);
    assert_int_equal(ntyped, 5);
    assert_memory_equal(typed, "help\r", 5);
    memset(text, 'x', sizeof(text));
    card[1].nout = 0;
    sink(NULL, text, sizeof(text));
    drain_card(&card[1]);
    assert_int_equal(card[1].nout, 300);
}

static void a_stuck_console_costs_no_time(void **state) /* C-BOUND-5 */
{
    static char text[40000];
    uint64_t before;

    (void)state;
    memset(text, 'y', sizeof(text));
    before = fake.now;
    sink(NULL, text, sizeof(text)); /* nothing shifts out */
    assert_in_range(fake.now - before, 0, 5 * NS_PER_MS);
    assert_int_equal(ports[1].lost, sizeof(text) - 16384 - 16);
    drain_card(&card[1]);
    assert_int_equal(card[1].nout, 16384 + 16);
    sink(NULL, "ok", 2);
    drain_card(&card[1]);
    assert_memory_equal(card[1].out + 16384 + 16, "\r\n[23600 bytes lost]\r\nok", 24);
    sink(NULL, "ok", 2);
    drain_card(&card[1]);
    assert_int_equal(card[1].nout, 16384 + 16 + 24 + 2); /* told once */
}

static void who_waits_for_room_is_told(void **state)
{
    static char text[16384 + 16];

    (void)state;
    drain_card(&card[1]);
    told_ready = 0;
    assert_int_equal(sink_room(NULL), 16384);
    memset(text, 'z', sizeof(text));
    sink(NULL, text, sizeof(text));
    assert_in_range(sink_room(NULL), 0, 16);
    assert_int_equal(told_ready, 0);
    drain_card(&card[1]);
    assert_int_equal(told_ready, 1); /* once, on the way down */
    assert_int_equal(sink_room(NULL), 16384);
    sink(NULL, text, 100);
    drain_card(&card[1]);
    assert_int_equal(told_ready, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start_all, stop)
#define S(f) cmocka_unit_test_setup_teardown(f, setup, stop)
    const struct CMUnitTest tests[] = {
        T(defaults),
        S(options_choose),
        S(bad_values_fall_back),
        S(no_ports_no_harm),
        T(packets_both_ways),
        T(the_queue_is_as_short_as_the_line_is_slow),
        S(one_packet_is_always_taken),
        T(small_packets_go_first),
        T(nobody_overtakes_his_own_flow),
        T(small_packets_don_t_starve_large_ones),
        S(the_other_side_may_stop_us),
        S(we_stop_the_other_side_before_the_ring_is_full),
        S(headers_are_compressed_both_ways),
        T(damage_drops_the_packet),
        T(a_flood_without_polls_is_counted),
        T(an_interrupt_that_never_ends_is_left_and_raised_anew),
        T(the_console_types_and_prints),
        T(a_stuck_console_costs_no_time),
        T(who_waits_for_room_is_told),
    };
    return cmocka_run_group_tests_name("uart", tests, NULL, NULL);
}
