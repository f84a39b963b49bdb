/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_slip.c: RFC 1055 framing, byte by byte.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <drivers/slip_codec.h>
#include <stdlib.h>
#include <string.h>

#define CAP 1006

static uint8_t frame[CAP];
static struct slip_rx rx;
static uint8_t got[64][CAP];
static size_t got_len[64];
static unsigned ngot;

static int setup(void **state)
{
    (void)state;
    slip_rx_init(&rx, frame, sizeof(frame));
    ngot = 0;
    return 0;
}

/* Feeds bytes in pieces of `step`. */
static void feed(const uint8_t *p, size_t n, size_t step)
{
    size_t len;

    while (n != 0) {
        size_t piece = n < step ? n : step;
        for (size_t used = 0; used < piece;) {
            used += slip_decode(&rx, p + used, piece - used, &len);
            if (len != 0 && ngot < 64) {
                memcpy(got[ngot], rx.buf, len);
                got_len[ngot++] = len;
            }
        }
        p += piece;
        n -= piece;
    }
}

static size_t wrap(uint8_t *out, const uint8_t *p, size_t n)
{
    size_t len = 0;

    out[len++] = SLIP_END;
    len += slip_encode(out + len, p, n);
    out[len++] = SLIP_END;
    return len;
}

static void bytes_are_those_of_the_rfc(void **state) /* C-SLIP-1 */
{
    static const uint8_t in[] = {0x45, 0xc0, 0x00, 0xdb, 0xdc, 0xdd};
    static const uint8_t want[] = {0xc0, 0x45, 0xdb, 0xdc, 0x00, 0xdb, 0xdd, 0xdc, 0xdd, 0xc0};
    uint8_t out[SLIP_ENCODED_MAX(sizeof(in))];

    (void)state;
    assert_int_equal(wrap(out, in, sizeof(in)), sizeof(want));
    assert_memory_equal(out, want, sizeof(want));
    feed(want, sizeof(want), sizeof(want));
    assert_int_equal(ngot, 1);
    assert_int_equal(got_len[0], sizeof(in));
    assert_memory_equal(got[0], in, sizeof(in));
}

static void worst_case_fits(void **state)
{
    uint8_t in[CAP], out[SLIP_ENCODED_MAX(CAP)];

    (void)state;
    memset(in, SLIP_END, sizeof(in));
    assert_int_equal(wrap(out, in, sizeof(in)), sizeof(out));
    feed(out, sizeof(out), 7);
    assert_int_equal(ngot, 1);
    assert_memory_equal(got[0], in, sizeof(in));
}

static void empty_frames_are_nothing(void **state)
{
    uint8_t ends[100];

    (void)state;
    memset(ends, SLIP_END, sizeof(ends));
    feed(ends, sizeof(ends), 3);
    assert_int_equal(ngot, 0);
    assert_int_equal(rx.frames + rx.oversize + rx.escapes, 0);
}

static void longest_passes_one_more_is_dropped(void **state) /* C-SLIP-2 */
{
    uint8_t in[CAP + 1], out[SLIP_ENCODED_MAX(CAP + 1)];

    (void)state;
    memset(in, 'a', sizeof(in));
    feed(out, wrap(out, in, CAP), 100);
    assert_int_equal(ngot, 1);
    assert_int_equal(got_len[0], CAP);
    feed(out, wrap(out, in, CAP + 1), 100);
    assert_int_equal(ngot, 1);
    assert_int_equal(rx.oversize, 1);
    feed(out, wrap(out, in, 20), 100); /* and the next good one arrives */
    assert_int_equal(ngot, 2);
    assert_int_equal(got_len[1], 20);
}

static void endless_noise_is_counted_once(void **state)
{
    uint8_t noise[1000];
    uint8_t good[] = {SLIP_END, 1, 2, 3, SLIP_END};

    (void)state;
    memset(noise, 0x55, sizeof(noise));
    for (int i = 0; i < 100; i++)
        feed(noise, sizeof(noise), sizeof(noise));
    assert_int_equal(rx.oversize, 1);
    feed(good, sizeof(good), 5);
    assert_int_equal(ngot, 1);
}

static void broken_escape_drops_the_packet(void **state) /* C-SLIP-2 */
{
    static const uint8_t bad[] = {SLIP_END, 1, SLIP_ESC, 0x41, 2, SLIP_ESC, 0x42, SLIP_END};
    static const uint8_t cut[] = {SLIP_END, 1, 2, SLIP_ESC, SLIP_END, 7, 8, SLIP_END};
    static const uint8_t twice[] = {1, SLIP_ESC, SLIP_ESC, 2, SLIP_END};

    (void)state;
    feed(bad, sizeof(bad), 1);
    assert_int_equal(ngot, 0);
    assert_int_equal(rx.escapes, 1); /* one packet, one count */
    feed(cut, sizeof(cut), 1);       /* END ends even a broken escape */
    assert_int_equal(rx.escapes, 2);
    assert_int_equal(ngot, 1);
    assert_int_equal(got_len[0], 2);
    feed(twice, sizeof(twice), 1);
    assert_int_equal(rx.escapes, 3);
    assert_int_equal(ngot, 1);
}

static void starts_in_the_middle(void **state)
{
    static const uint8_t late[] = {9, 9, SLIP_END, SLIP_END, 4, 5, SLIP_END};

    (void)state;
    feed(late, sizeof(late), 2);
    assert_int_equal(ngot, 2); /* the torn one is IP's to refuse */
    assert_int_equal(got_len[1], 2);
}

/* Any packets, cut anywhere, with any damage between: those sent whole come out
 * as they went in. */
static void random_traffic(void **state) /* C-SLIP-1 */
{
    (void)state;
    srand(7);
    for (int round = 0; round < 2000; round++) {
        uint8_t in[CAP], out[SLIP_ENCODED_MAX(CAP)];
        size_t n = 1 + (size_t)rand() % CAP;

        setup(NULL);
        for (size_t i = 0; i < n; i++)
            in[i] = rand() % 4 == 0 ? (uint8_t)(0xc0 + rand() % 32) : (uint8_t)rand();
        for (int i = rand() % 50; i > 0; i--) {
            uint8_t b = (uint8_t)rand();
            feed(&b, 1, 1);
        }
        ngot = 0;
        feed(out, wrap(out, in, n), 1 + (size_t)rand() % 64);
        assert_in_range(ngot, 1, 2); /* the noise may have been a packet */
        assert_int_equal(got_len[ngot - 1], n);
        assert_memory_equal(got[ngot - 1], in, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(bytes_are_those_of_the_rfc, setup),
        cmocka_unit_test_setup(worst_case_fits, setup),
        cmocka_unit_test_setup(empty_frames_are_nothing, setup),
        cmocka_unit_test_setup(longest_passes_one_more_is_dropped, setup),
        cmocka_unit_test_setup(endless_noise_is_counted_once, setup),
        cmocka_unit_test_setup(broken_escape_drops_the_packet, setup),
        cmocka_unit_test_setup(starts_in_the_middle, setup),
        cmocka_unit_test_setup(random_traffic, setup),
    };
    return cmocka_run_group_tests_name("slip", tests, NULL, NULL);
}
