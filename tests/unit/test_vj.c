/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_vj.c: header compression (RFC 1144): what goes in comes out,
 * the usual cases cost what the RFC says, and rubbish is refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <drivers/vj.h>
#include <stdlib.h>
#include <string.h>

#define PACKET_MAX 1500

struct packet {
    uint8_t b[PACKET_MAX];
    size_t len;
};

static struct vj a, b;
static uint32_t lcg;

static uint32_t chance(uint32_t below)
{
    lcg = lcg * 1664525u + 1013904223u;
    return (lcg >> 8) % below;
}

static int setup(void **state)
{
    (void)state;
    lcg = 1;
    vj_init(&a);
    vj_init(&b);
    return 0;
}

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

struct conn {
    uint16_t port, id, window;
    uint32_t seq, ack;
    uint8_t flags, options; /* bytes of TCP options */
    uint32_t stamp;
};

static void build(struct packet *p, const struct conn *c, size_t data)
{
    uint8_t *t = p->b + 20;
    uint32_t sum = 0;

    p->len = 40u + c->options + data;
    memset(p->b, 0, sizeof p->b);
    p->b[0] = 0x45;
    put16(p->b + 2, (uint32_t)p->len);
    put16(p->b + 4, c->id);
    put16(p->b + 6, 0x4000);
    p->b[8] = 64;
    p->b[9] = 6;
    put32(p->b + 12, 0xc0a80702);
    put32(p->b + 16, 0xc0a80701);
    for (unsigned i = 0; i < 20; i += 2)
        sum += (uint32_t)(p->b[i] << 8 | p->b[i + 1]);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    put16(p->b + 10, ~sum & 0xffff);
    put16(t, 80);
    put16(t + 2, c->port);
    put32(t + 4, c->seq);
    put32(t + 8, c->ack);
    t[12] = (uint8_t)((5 + c->options / 4) << 4);
    t[13] = c->flags;
    put16(t + 14, c->window);
    put16(t + 16, chance(0x10000));
    if (c->flags & 0x20)
        put16(t + 18, chance(300));
    if (c->options >= 4)
        put32(t + 20, c->stamp);
    for (size_t i = 0; i < data; i++)
        t[20 + c->options + i] = (uint8_t)chance(256);
}

/* Sends p from a; the bytes on the wire, as a packet. */
static void wire(struct packet *out, const struct packet *p)
{
    uint8_t header[VJ_HEADER_MAX];
    size_t len = 0, skip = vj_compress(&a, p->b, p->len < VJ_HEADER_MAX ? p->len : VJ_HEADER_MAX, p->len,
                                       header, &len);

    memcpy(out->b, header, skip ? len : 0);
    memcpy(out->b + (skip ? len : 0), p->b + skip, p->len - skip);
    out->len = p->len - skip + (skip ? len : 0);
}

/* Takes it at b; false when dropped. An exact-size copy, so that ASan sees every
 * byte that is read too many. */
static bool unwire(struct packet *out, const struct packet *w)
{
    uint8_t header[VJ_HEADER_MAX], *exact = malloc(w->len ? w->len : 1);
    size_t skip, len = 0;

    memcpy(exact, w->b, w->len);
    if (w->len == 0 || !vj_is_type(exact[0])) {
        *out = *w;
        free(exact);
        return true;
    }
    len = vj_decompress(&b, exact, w->len, header, &skip);
    if (len != 0) {
        assert_true(skip <= w->len && len <= VJ_HEADER_MAX);
        if (len + w->len - skip <= PACKET_MAX) {
            memcpy(out->b, header, len);
            memcpy(out->b + len, exact + skip, w->len - skip);
        }
        out->len = len + w->len - skip;
    }
    free(exact);
    return len != 0;
}

static size_t cross(const struct packet *p)
{
    struct packet w, back;

    wire(&w, p);
    assert_true(unwire(&back, &w));
    assert_int_equal(back.len, p->len);
    assert_memory_equal(back.b, p->b, p->len);
    return w.len;
}

/* --- what the usual cases cost ------------------------------------------- */

static void bulk_data_costs_three_bytes(void **state) /* C-VJ-1 */
{
    struct conn c = {.port = 4000, .id = 7, .window = 4096, .seq = 100, .ack = 50, .flags = 0x10};
    struct packet p;

    (void)state;
    build(&p, &c, 500);
    assert_int_equal(cross(&p), 540); /* fills the slot */
    for (int i = 0; i < 5; i++) {
        c.seq += 500;
        c.id++;
        build(&p, &c, 500);
        assert_int_equal(cross(&p), 503); /* mask, checksum */
    }
    assert_int_equal(a.tx_compressed, 5);
    assert_int_equal(b.rx_compressed, 5);
}

static void echoed_typing_costs_three_bytes(void **state)
{
    struct conn c = {.port = 4000, .id = 7, .window = 4096, .seq = 100, .ack = 50, .flags = 0x18};
    struct packet p;

    (void)state;
    build(&p, &c, 1);
    cross(&p);
    for (int i = 0; i < 5; i++) {
        c.seq++, c.ack++, c.id++;
        build(&p, &c, 1);
        assert_int_equal(cross(&p), 4);
    }
}

static void acknowledgements_cost_four_bytes(void **state)
{
    struct conn c = {.port = 4000, .id = 7, .window = 4096, .seq = 100, .ack = 50, .flags = 0x10};
    struct packet p;

    (void)state;
    build(&p, &c, 0);
    cross(&p);
    for (int i = 0; i < 5; i++) {
        c.ack += 200, c.id++;
        build(&p, &c, 0);
        assert_int_equal(cross(&p), 4); /* mask, checksum, one delta */
    }
    c.ack += 1024, c.id++;
    build(&p, &c, 0);
    assert_int_equal(cross(&p), 6); /* a delta above 255 takes three */
}

static void another_slot_is_named(void **state)
{
    struct conn c = {.port = 1, .id = 7, .window = 4096, .flags = 0x10}, d = c;
    struct packet p;

    (void)state;
    d.port = 2;
    build(&p, &c, 10);
    cross(&p);
    build(&p, &d, 10);
    cross(&p);
    c.seq += 10, c.id++;
    build(&p, &c, 10);
    assert_int_equal(cross(&p), 10 + 4);
    c.seq += 10, c.id++;
    build(&p, &c, 10);
    assert_int_equal(cross(&p), 10 + 3);
}

static void what_is_not_established_goes_whole(void **state)
{
    static const uint8_t flags[] = {0x02, 0x12, 0x11, 0x14, 0x04, 0x00};
    struct conn c = {.port = 1, .window = 4096};
    struct packet p, w;

    (void)state;
    for (unsigned i = 0; i < sizeof flags; i++) {
        c.flags = flags[i];
        build(&p, &c, 0);
        wire(&w, &p);
        assert_int_equal(w.len, p.len);
        assert_memory_equal(w.b, p.b, p.len);
    }
    c.flags = 0x10;
    build(&p, &c, 100);
    p.b[6] = 0x20; /* a fragment */
    wire(&w, &p);
    assert_memory_equal(w.b, p.b, p.len);
    build(&p, &c, 100);
    p.b[9] = 17; /* UDP */
    wire(&w, &p);
    assert_memory_equal(w.b, p.b, p.len);
    assert_int_equal(a.tx_compressed + a.tx_uncompressed, 0);
}

static void retransmissions_go_whole(void **state)
{
    struct conn c = {.port = 1, .window = 4096, .flags = 0x10};
    struct packet p;

    (void)state;
    build(&p, &c, 100);
    cross(&p);
    c.id++;
    build(&p, &c, 100);
    assert_int_equal(cross(&p), 140);
    c.seq -= 100, c.id++; /* backwards: no delta for that */
    build(&p, &c, 100);
    assert_int_equal(cross(&p), 140);
}

/* --- everything comes out as it went in ---------------------------------- */

static void step(struct conn *c, struct packet *p)
{
    size_t data = chance(3) ? chance(600) : 0;

    build(p, c, data);
    c->id = (uint16_t)(c->id + (chance(4) ? 1 : chance(0x10000)));
    if (chance(8))
        c->seq += (uint32_t)data;
    if (chance(2))
        c->ack += chance(10) ? chance(2000) : chance(200000);
    if (!chance(3))
        c->window = (uint16_t)chance(0x10000);
    c->flags = (uint8_t)(0x10 | (chance(2) ? 0x08 : 0) | (chance(20) ? 0 : 0x20) | (chance(50) ? 0 : 0x40) |
                         (chance(100) ? 0 : 1u << chance(3)));
    c->stamp += chance(2);
}

static void any_traffic_comes_out_as_it_went_in(void **state) /* C-VJ-2 */
{
    static struct conn c[24]; /* more than there are slots */
    struct packet p;

    (void)state;
    for (unsigned i = 0; i < 24; i++)
        c[i] = (struct conn){.port = (uint16_t)(1000 + i), .seq = chance(0x7fffffff) * 2, .flags = 0x10,
                             .options = (uint8_t)(i % 4 * 4)};
    for (unsigned i = 0; i < 200000; i++) {
        step(&c[chance(chance(2) ? 3 : 24)], &p);
        cross(&p);
    }
    assert_true(a.tx_compressed > 50000);
    assert_int_equal(b.rx_errors + b.rx_tossed, 0);
}

/* After a lost frame nothing wrong may come out before the checksum can tell:
 * either a packet is dropped, or it is right, or its TCP checksum shows it. Here:
 * once the line has told its error, all that comes out is right. */
static void after_a_line_error_nothing_is_guessed(void **state) /* C-VJ-3 */
{
    struct conn c = {.port = 1, .window = 4096, .flags = 0x10}, d = {.port = 2, .window = 4096, .flags = 0x10};
    struct packet p, w, back;

    (void)state;
    build(&p, &d, 10);
    cross(&p);
    build(&p, &c, 10);
    cross(&p);
    c.seq += 10, c.id++;
    build(&p, &c, 10);
    wire(&w, &p); /* lost */
    vj_line_error(&b);
    c.seq += 10, c.id++;
    build(&p, &c, 10);
    wire(&w, &p);
    assert_false(unwire(&back, &w));
    assert_int_equal(b.rx_tossed, 1);
    d.seq += 10, d.id++;
    build(&p, &d, 10);
    cross(&p); /* names its slot, and nothing of its was lost */
    c.seq -= 20;
    build(&p, &c, 10);
    cross(&p); /* the retransmission goes whole */
}

static void rubbish_is_refused(void **state) /* C-VJ-4 */
{
    struct packet w, back;
    uint64_t good = 0;

    (void)state;
    for (unsigned i = 0; i < 300000; i++) {
        struct conn c = {.port = (uint16_t)chance(20), .seq = lcg, .flags = 0x10,
                         .options = (uint8_t)(chance(11) * 4)};
        w.len = chance(80);
        for (size_t k = 0; k < w.len; k++)
            w.b[k] = (uint8_t)chance(256);
        if (w.len > 0)
            w.b[0] |= chance(2) ? 0x80 : 0x70;
        if (chance(4) == 0) { /* and some that are nearly right */
            struct packet p;
            build(&p, &c, chance(20));
            wire(&w, &p);
            w.b[chance((uint32_t)w.len)] = (uint8_t)chance(256);
        }
        if (chance(100) == 0)
            vj_line_error(&b);
        good += unwire(&back, &w);
    }
    assert_true(b.rx_errors > 1000);
    assert_true(good > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(bulk_data_costs_three_bytes, setup),
        cmocka_unit_test_setup(echoed_typing_costs_three_bytes, setup),
        cmocka_unit_test_setup(acknowledgements_cost_four_bytes, setup),
        cmocka_unit_test_setup(another_slot_is_named, setup),
        cmocka_unit_test_setup(what_is_not_established_goes_whole, setup),
        cmocka_unit_test_setup(retransmissions_go_whole, setup),
        cmocka_unit_test_setup(any_traffic_comes_out_as_it_went_in, setup),
        cmocka_unit_test_setup(after_a_line_error_nothing_is_guessed, setup),
        cmocka_unit_test_setup(rubbish_is_refused, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
