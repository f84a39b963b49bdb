/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_uart_line.c: what a line may bring: console text between
 * packets (com1=slipmux), noise of every kind, and bytes at the pace of a real
 * 16-byte FIFO. SLIPWAY_LONG=1 takes 100 MiB of noise instead of 6.
 */
#include "uart_rig.h"

#define BYTE_NS (10 * NS_PER_S / 115200)

/* --- console text between packets --- */

static void start_mux(void)
{
    opt_com1 = "slipmux";
    console_at = 0x3f8;
    uart_init();
    card[0].nout = 0;
}

struct heard {
    char text[65536];
    size_t ntext;
    unsigned packets;
};

/* What a host at the other end makes of it: each frame is of one kind, whole. */
static void hear(struct heard *h)
{
    static uint8_t frame[2000];
    struct slip_rx rx;
    size_t len, at = 0;

    slip_rx_init(&rx, frame, sizeof(frame));
    h->ntext = h->packets = 0;
    while (at < card[0].nout) {
        at += slip_decode(&rx, card[0].out + at, card[0].nout - at, &len);
        if (len == 0)
            continue;
        if (frame[0] == 0x0a) {
            memcpy(h->text + h->ntext, frame + 1, len - 1);
            h->ntext += len - 1;
        } else {
            assert_int_equal(frame[0], 0x77);
            h->packets++;
        }
    }
    assert_int_equal(rx.escapes, 0);
}

static void text_goes_between_packets(void **state) /* C-SLIP-9 */
{
    static struct heard h;
    static char said[4000];

    (void)state;
    start_mux();
    assert_non_null(sink);
    assert_int_equal(ports[1].role, ROLE_OFF);
    for (size_t i = 0; i < sizeof(said); i++)
        said[i] = (char)(i % 200);
    memset(fake_payload, SLIP_END, sizeof(fake_payload));
    fake_transmit(3, 700);
    sink(NULL, said, sizeof(said));
    assert_true(fake.poll_wanted);
    send_all(&card[0]);
    hear(&h);
    assert_int_equal(h.packets, 3);
    assert_int_equal(h.ntext, sizeof(said));
    assert_memory_equal(h.text, said, sizeof(said));
    /* They took turns: the last packet is out before the last text. */
    assert_int_equal(card[0].out[card[0].nout - 1], SLIP_END);
    assert_int_not_equal(card[0].out[card[0].nout - 2], SLIP_ESC_END);
}

static void text_that_finds_no_room_is_counted_and_told(void **state)
{
    static struct heard h;
    static char said[20000];

    (void)state;
    start_mux();
    memset(said, 'x', sizeof(said));
    told_ready = 0;
    sink(NULL, said, sizeof(said));
    assert_int_equal(sink_room(NULL), 0);
    send_all(&card[0]);
    assert_int_equal(told_ready, 1);
    sink(NULL, "on", 2);
    send_all(&card[0]);
    hear(&h);
    assert_int_equal(h.ntext, 16384 + 21 + 2);
    assert_memory_equal(h.text + 16384, "\r\n[3616 bytes lost]\r\non", 23);
}

static void expect_typed(const char *what, size_t n)
{
    fake_poll();
    assert_int_equal(ntyped, n);
    assert_memory_equal(typed, what, n);
    ntyped = 0;
}

static void line_brings(const char *bytes, size_t n)
{
    arrive(&card[0], (const uint8_t *)bytes, n, 0);
    assert_true(fake.poll_wanted); /* also for a single key */
    fake_poll();
}
#define BRINGS(s) line_brings(s, sizeof(s) - 1)

static void keys_come_bare_and_in_frames(void **state) /* C-SLIP-9 */
{
    (void)state;
    start_mux();
    BRINGS("l");
    BRINGS("s\r");
    expect_typed("ls\r", 3);
    BRINGS("\xc0\x0ahelp\r\xc0");
    expect_typed("help\r", 5);
    BRINGS("\xc0\x45packet\xc0");
    assert_int_equal(fake.frames, 1);
    BRINGS("\xc0\x60packet\xc0\xc0\xc0\x4f\xdb\xdcpacket\xc0");
    assert_int_equal(fake.frames, 3);
    BRINGS("\xc0\xa9settings\xc0");
    assert_int_equal(fake.frames, 3);
    assert_int_equal(fake.link->rx_errors, 1);
    expect_typed("", 0);
    BRINGS("q");
    expect_typed("q", 1);
}

static void a_packet_is_never_typed(void **state) /* C-SLIP-10 */
{
    (void)state;
    start_mux();
    /* Its first END is lost: what follows is no text. */
    BRINGS("\x45\x00\x05\xc1reboot\r\xc0");
    assert_int_equal(ntyped, 3);
    ntyped = 0;
    BRINGS("\xc0\x45good\xc0");
    assert_int_equal(fake.frames, 1);
    /* Its last END is lost, and with it the beginning of the next. */
    arrive(&card[0], (const uint8_t *)"\xc0\x45one", 5, 0);
    arrive(&card[0], (const uint8_t *)"\xc0", 1, LSR_FE);
    BRINGS("\xc0\x45reboot\r\xc0\xc0\x45good\xc0");
    expect_typed("", 0);
    assert_int_equal(fake.frames, 3);
    /* A frame of no kind is what stood between two. */
    BRINGS("\xc0uptime\r\xc0\x45good\xc0");
    expect_typed("", 0);
    assert_int_equal(fake.frames, 4);
    /* Noise opened a frame; who types goes on after a silence. */
    BRINGS("\xc0\x11\x22");
    fake.now += SLIP_SILENCE_NS;
    BRINGS("ls\r");
    expect_typed("ls\r", 3);
}

/* --- noise --- */

static uint64_t seed;
static uint32_t draw(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((seed >> 33) % below);
}

/* Random bytes, half frames, frames without an end, broken escapes, frames that
 * are too long, and headers that look compressed. */
static size_t noise(uint8_t *to, size_t bytes)
{
    unsigned kind = draw(6);
    size_t n = 1 + draw((uint32_t)bytes - 4);

    for (size_t i = 0; i < n; i++) {
        to[i] = kind == 0   ? (uint8_t)draw(256)
                : kind == 1 ? (uint8_t)(draw(40) == 0 ? SLIP_END : 0x45 + draw(4))
                : kind == 2 ? 0x45
                : kind == 3 ? (uint8_t)(draw(3) == 0 ? SLIP_ESC : draw(256))
                : kind == 4 ? (uint8_t)(i % 1600 == 0 ? SLIP_END : i)
                            : (uint8_t)(draw(30) == 0 ? SLIP_END : draw(2) ? 0x70 + draw(144) : draw(8));
    }
    return n;
}

static void noise_is_dropped(const char *com1, const char *vj)
{
    static const uint8_t good[] = {SLIP_END, SLIP_END, 0x45, 1, 2, 3, 4, 5, SLIP_END};
    static uint8_t buf[8192];
    size_t left = getenv("SLIPWAY_LONG") != NULL ? 25 << 20 : 3 << 19, n;
    unsigned before;

    opt_com1 = com1;
    opt_vj = vj;
    uart_init();
    for (unsigned round = 0; left != 0; round++) {
        n = noise(buf, sizeof(buf));
        n = n < left ? n : left;
        left -= n;
        arrive(&card[0], buf, n, draw(50) == 0 ? LSR_FE : 0);
        if (draw(4) != 0)
            fake_poll(); /* else the ring gets fuller */
        if (round % 64 != 0)
            continue;
        fake_poll();
        arrive(&card[0], good, 1, 0); /* what noise left open ends here */
        fake_poll();
        before = fake.frames;
        arrive(&card[0], good, sizeof(good), 0);
        fake_poll();
        assert_int_equal(fake.frames, before + 1); /* the next good frame, C-SLIP-2 */
        assert_int_equal(fake.last_len, 6);
    }
    assert_true(fake.link->oversize > 0 && fake.link->escapes > 0 && fake.link->framing_errors > 0);
}

static void noise_on_slip(void **state)
{
    (void)state;
    noise_is_dropped("slip", NULL);
}

static void noise_on_cslip(void **state)
{
    (void)state;
    noise_is_dropped("slip", "on");
    assert_true(fake.link->rx_compressed > 0);
    assert_true(((struct slip_link *)fake.link->priv)->vj->rx_errors > 0);
}

static void noise_on_slipmux(void **state)
{
    (void)state;
    console_at = 0x3f8;
    noise_is_dropped("slipmux", NULL);
}

static void noise_on_compressed_slipmux(void **state)
{
    (void)state;
    console_at = 0x3f8;
    noise_is_dropped("slipmux", "auto");
}

/* --- a real FIFO --- */

/* Bytes come one in 87 us, whether somebody reads them or not; the handler runs
 * so long after the interrupt as it may be kept from running. */
static uint64_t overruns_at(uint64_t worst_ns, unsigned bytes)
{
    struct card *c = &card[0];
    uint64_t now = 0, due = UINT64_MAX;
    uint8_t b = 0;

    for (unsigned i = 0; i < bytes; i++, now += BYTE_NS) {
        if (now >= due) {
            update(c);
            due = UINT64_MAX;
        }
        b = i % 500 == 0 ? SLIP_END : (uint8_t)(i % 100);
        if (c->nrx == FIFO)
            c->overrun = true;
        else
            c->rx[c->nrx++] = b;
        if (c->nrx >= 8 && due == UINT64_MAX)
            due = now + (worst_ns > 1 ? draw((uint32_t)worst_ns) : 0);
        if (fake.poll_wanted)
            fake_poll();
    }
    update(c);
    fake_poll();
    return fake.link->overruns;
}

static void a_real_fifo_at_115200_loses_nothing(void **state) /* C-SLIP-11 */
{
    (void)state;
    assert_int_equal(overruns_at(600 * NS_PER_US, 2000000), 0);
    assert_int_equal(fake.frames, 2000000 / 500 - 1);
    assert_int_equal(fake.link->rx_errors, 0);
}

static void a_handler_that_is_too_late_is_seen(void **state)
{
    (void)state;
    assert_true(overruns_at(1200 * NS_PER_US, 100000) > 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start_all, stop)
#define S(f) cmocka_unit_test_setup_teardown(f, setup, stop)
    const struct CMUnitTest tests[] = {
        S(text_goes_between_packets),
        S(text_that_finds_no_room_is_counted_and_told),
        S(keys_come_bare_and_in_frames),
        S(a_packet_is_never_typed),
        S(noise_on_slip),
        S(noise_on_cslip),
        S(noise_on_slipmux),
        S(noise_on_compressed_slipmux),
        T(a_real_fifo_at_115200_loses_nothing),
        T(a_handler_that_is_too_late_is_seen),
    };
    return cmocka_run_group_tests_name("uart line", tests, NULL, NULL);
}
