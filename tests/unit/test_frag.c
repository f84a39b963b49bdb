/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_frag.c: IPv4 reassembly.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <net/stack/frag.h>
#include <stdlib.h>
#include <string.h>

static int blocks;
static void *t_alloc(void *ctx, size_t n)
{
    (void)ctx;
    blocks++;
    return malloc(n);
}
static void t_free(void *ctx, void *p)
{
    (void)ctx;
    blocks -= p != NULL;
    free(p);
}

static struct frag f;
static int setup(void **state)
{
    (void)state;
    blocks = 0;
    frag_init(&f, NULL, t_alloc, t_free);
    return 0;
}

/* Bytes [start, start+n) of a payload whose byte i is (uint8_t)(i * 7). */
static uint8_t *piece(uint16_t id, uint8_t src, size_t start, size_t n, bool more, size_t *whole)
{
    uint8_t p[20 + 65536] = {0x45};
    size_t total = 20 + n;
    p[2] = (uint8_t)(total >> 8), p[3] = (uint8_t)total;
    p[4] = (uint8_t)(id >> 8), p[5] = (uint8_t)id;
    p[6] = (uint8_t)((start / 8) >> 8 | (more ? 0x20 : 0)), p[7] = (uint8_t)(start / 8);
    p[8] = 64, p[9] = 17, p[12] = 10, p[15] = src, p[16] = 10, p[19] = 1;
    for (size_t i = 0; i < n; i++)
        p[20 + i] = (uint8_t)((start + i) * 7);
    uint8_t *exact = malloc(total);
    memcpy(exact, p, total);
    uint8_t *r = frag_input(&f, exact, total, 0, whole);
    free(exact);
    return r;
}

static void check_whole(uint8_t *w, size_t len, size_t payload)
{
    assert_non_null(w);
    assert_int_equal(len, 20 + payload);
    for (size_t i = 0; i < payload; i++)
        assert_int_equal(w[20 + i], (uint8_t)(i * 7));
    uint32_t sum = 0;
    for (int i = 0; i < 20; i += 2)
        sum += (uint32_t)(w[i] << 8 | w[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    assert_int_equal(sum, 0xffff);
    assert_int_equal(w[6] | w[7], 0);
    t_free(NULL, w);
}

static void in_any_order(void **state)
{
    (void)state;
    size_t w = 0;
    srand(3);
    for (uint16_t round = 0; round < 200; round++) {
        int order[10];
        for (int i = 0; i < 10; i++)
            order[i] = i;
        for (int i = 9; i > 0; i--) {
            int j = rand() % (i + 1), t = order[i];
            order[i] = order[j], order[j] = t;
        }
        for (int i = 0; i < 10; i++) {
            uint8_t *r = piece(round, 2, 80 * (size_t)order[i], order[i] == 9 ? 33 : 80, order[i] != 9, &w);
            if (i == 9)
                check_whole(r, w, 9 * 80 + 33);
            else
                assert_null(r);
        }
    }
    assert_int_equal(f.bytes, 0);
}

static void whole_is_right(void **state)
{
    (void)state;
    size_t w;
    assert_null(piece(1, 2, 1480, 1480, true, &w));
    assert_null(piece(1, 2, 0, 1480, true, &w));
    assert_null(piece(1, 2, 0, 1480, true, &w)); /* duplicate */
    uint8_t *whole = piece(1, 2, 2960, 41, false, &w);
    check_whole(whole, w, 3001);
    assert_int_equal(blocks, 0);
}

static void overlap_ends_it(void **state) /* C-NETD-4 */
{
    (void)state;
    size_t w;
    piece(1, 2, 0, 80, true, &w);
    piece(1, 2, 72, 80, true, &w);
    assert_int_equal(f.overlaps, 1);
    assert_int_equal(blocks, 0);
}

static void pieces_past_the_end_never_complete(void **state)
{
    (void)state;
    size_t w;
    assert_null(piece(1, 2, 1000, 8, true, &w));
    assert_null(piece(1, 2, 496, 4, false, &w));
    assert_int_equal(f.bad, 1);
    assert_int_equal(blocks, 0);
}

static void bounded_and_timed(void **state) /* C-NETD-5 */
{
    (void)state;
    size_t w;
    for (uint16_t i = 0; i < 1000; i++)
        piece(i, (uint8_t)(i % 200), 0, 1480, true, &w);
    assert_true(f.bytes <= FRAG_BYTES);
    assert_true(f.full > 0);
    unsigned before = 0;
    for (unsigned i = 0; i < FRAG_DATAGRAMS; i++)
        before += f.datagram[i].used;
    assert_int_equal(before, FRAG_DATAGRAMS);
    assert_true(frag_deadline(&f) == FRAG_TIMEOUT_NS);
    frag_run(&f, FRAG_TIMEOUT_NS);
    assert_int_equal(f.bytes, 0);
    assert_int_equal(blocks, 0);
    for (uint16_t i = 0; i < 20; i++)
        piece(i, 9, 0, 80, true, &w);
    unsigned used = 0;
    for (unsigned i = 0; i < FRAG_DATAGRAMS; i++)
        used += f.datagram[i].used;
    assert_int_equal(used, FRAG_PER_SOURCE);
    frag_run(&f, UINT64_MAX);
}

/* Pieces that never complete fill every slot and all bytes; who comes after them
 * is put together all the same, from any source. */
static void a_flood_keeps_nobody_out(void **state) /* C-NETD-5 */
{
    (void)state;
    size_t w;
    uint8_t *whole;
    for (uint16_t i = 0; i < 200; i++)
        assert_null(piece(i, (uint8_t)(i % 200), i % 2 ? 0 : 60000, 1480, true, &w));
    assert_true(f.bytes <= FRAG_BYTES);
    for (uint8_t source = 1; source < 250; source = (uint8_t)(source + 7)) {
        assert_null(piece(1000, source, 0, 1480, true, &w));
        whole = piece(1000, source, 1480, 41, false, &w);
        check_whole(whole, w, 1521);
    }
    for (uint16_t i = 0; i < 100; i++) /* and from the one that it pretends to be */
        assert_null(piece(i, 9, 0, 1480, true, &w));
    assert_null(piece(1001, 9, 0, 1480, true, &w));
    whole = piece(1001, 9, 1480, 41, false, &w);
    check_whole(whole, w, 1521);
    frag_run(&f, UINT64_MAX);
    assert_int_equal(blocks, 0);
    assert_int_equal(f.bytes, 0);
}

static unsigned expired;
static uint8_t expired_id;
static void t_expired(void *ctx, const uint8_t *quote, size_t len)
{
    (void)ctx;
    expired++;
    expired_id = quote[5];
    assert_int_equal(len, 28);
    for (int i = 0; i < 8; i++)
        assert_int_equal(quote[20 + i], (uint8_t)(i * 7));
}

/* RFC 792: whoever sent the first piece learns that the rest did not come. */
static void tells_of_time_out(void **state) /* C-NETD-7 */
{
    (void)state;
    size_t w;
    expired = 0;
    f.expired = t_expired;
    piece(1, 2, 1480, 1480, true, &w); /* without its first piece nobody can be told */
    piece(2, 2, 2960, 80, true, &w);
    piece(2, 2, 0, 1480, true, &w);
    piece(3, 2, 0, 1480, true, &w);
    t_free(NULL, piece(3, 2, 1480, 8, false, &w)); /* complete in time */
    frag_run(&f, FRAG_TIMEOUT_NS - 1);
    assert_int_equal(expired, 0);
    frag_run(&f, FRAG_TIMEOUT_NS);
    assert_int_equal(expired, 1);
    assert_int_equal(expired_id, 2);
    assert_int_equal(f.timeouts, 2);
    assert_int_equal(blocks, 0);
}

static void survives_noise(void **state)
{
    (void)state;
    srand(5);
    for (int i = 0; i < 200000; i++) {
        size_t n = (size_t)rand() % 120, w;
        uint8_t *p = malloc(n ? n : 1);
        for (size_t k = 0; k < n; k++)
            p[k] = (uint8_t)rand();
        if (n >= 20) {
            p[0] = (uint8_t)(0x45 + (rand() % 8 == 0));
            p[2] = 0;
            p[3] = (uint8_t)(n - (size_t)(rand() % 3 == 0));
            p[6] = (uint8_t)(rand() % 2 ? 0x20 : 0), p[7] = (uint8_t)(rand() % 20);
            memset(p + 12, 10, 8);
            p[4] = 0, p[5] = (uint8_t)(rand() % 4), p[9] = 17;
        }
        uint8_t *r = frag_input(&f, p, n, (uint64_t)i, &w);
        if (r)
            t_free(NULL, r);
        free(p);
    }
    frag_run(&f, UINT64_MAX);
    assert_int_equal(blocks, 0);
    assert_int_equal(f.bytes, 0);
}

/* --- IPv6 ------------------------------------------------------------------------- */

/* A fragment: `ext` is 0 or the type of an extension header (8 bytes) before the
 * fragment header. */
static uint8_t *piece6(uint32_t id, uint8_t src, size_t start, size_t n, bool more, uint8_t ext,
                       size_t *whole)
{
    size_t hdr = ext ? 56 : 48;
    uint8_t *p = calloc(1, hdr + n), *r;
    p[0] = 0x60;
    p[4] = (uint8_t)((hdr - 40 + n) >> 8), p[5] = (uint8_t)(hdr - 40 + n);
    p[6] = ext ? ext : 44, p[7] = 64;
    p[8] = 0xfd, p[23] = src, p[24] = 0xfd, p[39] = 1;
    if (ext)
        p[40] = 44;
    p[hdr - 8] = start ? 0 : 17; /* the first one's counts (RFC 8200 4.5) */
    p[hdr - 6] = (uint8_t)(start >> 8), p[hdr - 5] = (uint8_t)((start & 0xf8) | more);
    p[hdr - 4] = (uint8_t)(id >> 24), p[hdr - 3] = (uint8_t)(id >> 16), p[hdr - 2] = (uint8_t)(id >> 8),
            p[hdr - 1] = (uint8_t)id;
    for (size_t i = 0; i < n; i++)
        p[hdr + i] = (uint8_t)((start + i) * 7);
    r = frag_input(&f, p, hdr + n, 0, whole);
    free(p);
    return r;
}

static void check_whole6(uint8_t *w, size_t len, size_t payload, bool ext)
{
    size_t hdr = ext ? 48 : 40;
    assert_non_null(w);
    assert_int_equal(len, hdr + payload);
    assert_int_equal(w[4] << 8 | w[5], hdr - 40 + payload);
    assert_int_equal(ext ? w[40] : w[6], 17); /* no trace of the fragment header */
    for (size_t i = 0; i < payload; i++)
        assert_int_equal(w[hdr + i], (uint8_t)(i * 7));
    t_free(NULL, w);
}

static void ipv6_in_any_order(void **state)
{
    (void)state;
    size_t len = 0;
    assert_null(piece6(7, 2, 1024, 300, false, 0, &len));
    assert_null(piece6(8, 2, 0, 1024, true, 0, &len)); /* another's */
    assert_null(piece6(7, 3, 0, 1024, true, 0, &len));
    uint8_t *w = piece6(7, 2, 0, 1024, true, 0, &len);
    check_whole6(w, len, 1324, false);
    assert_null(piece6(9, 2, 0, 8, true, 60, &len)); /* options before it */
    w = piece6(9, 2, 8, 1, false, 60, &len);
    check_whole6(w, len, 9, true);
    w = piece6(10, 2, 0, 13, false, 0, &len); /* alone (RFC 6946) */
    check_whole6(w, len, 13, false);
    assert_null(piece(7, 3, 1024, 8, false, &len)); /* IPv4's numbers are its own */
    frag_run(&f, UINT64_MAX);
    assert_int_equal(blocks, 0);
}

static void ipv6_overlap_ends_it(void **state) /* C-NETD-4 */
{
    (void)state;
    size_t len = 0;
    assert_null(piece6(7, 2, 0, 1024, true, 0, &len));
    assert_null(piece6(7, 2, 1016, 300, false, 0, &len));
    assert_int_equal(f.overlaps, 1);
    assert_int_equal(f.bytes, 0);
    assert_null(piece6(7, 2, 1024, 292, false, 0, &len));
    frag_run(&f, UINT64_MAX);
    assert_int_equal(blocks, 0);
}

static void ipv6_garbage(void **state)
{
    (void)state;
    size_t len = 0;
    uint8_t p[64] = {0x60, [5] = 24, [6] = 44};
    assert_null(piece6(7, 2, 0, 1023, true, 0, &len));      /* only the last may be odd */
    assert_null(piece6(7, 2, 65528, 1000, false, 0, &len)); /* beyond 64 KiB */
    for (size_t n = 0; n < 48; n++)
        assert_null(frag_input(&f, p, n, 0, &len));
    p[6] = 60; /* an extension header that is longer than all */
    p[40] = 44, p[41] = 200;
    assert_null(frag_input(&f, p, sizeof(p), 0, &len));
    p[6] = 17; /* no fragment at all */
    assert_null(frag_input(&f, p, sizeof(p), 0, &len));
    assert_int_equal(f.bytes, 0);
    assert_int_equal(f.bad, 52);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(whole_is_right, setup),
        cmocka_unit_test_setup(overlap_ends_it, setup),
        cmocka_unit_test_setup(pieces_past_the_end_never_complete, setup),
        cmocka_unit_test_setup(bounded_and_timed, setup),
        cmocka_unit_test_setup(tells_of_time_out, setup),
        cmocka_unit_test_setup(a_flood_keeps_nobody_out, setup),
        cmocka_unit_test_setup(survives_noise, setup),
        cmocka_unit_test_setup(in_any_order, setup),
        cmocka_unit_test_setup(ipv6_in_any_order, setup),
        cmocka_unit_test_setup(ipv6_overlap_ends_it, setup),
        cmocka_unit_test_setup(ipv6_garbage, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
