/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_random.c: the generator's books, and who has to wait, on a
 * machine whose clock runs as the test wants.
 *
 * kernel/random.c is included, so that its processor instructions can be replaced.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <kernel/cpu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cpu_features cpu;
static uint64_t tsc, step, noise; /* each reading takes step, and up to noise more */
static unsigned seed, blocks, killed_after, logs;
static char last_log[256];

static uint64_t fake_tsc(void)
{
    seed = seed * 1103515245u + 12345u;
    return tsc += step + (noise != 0 ? (seed >> 16) % noise : 0);
}

static size_t copy_text(char *to, const char *from, size_t room)
{
    return (size_t)snprintf(to, room, "%s", from);
}

#define strlcpy    copy_text
#define rdtsc()    fake_tsc()
#define inb(port)  ((uint8_t)(port))
#define outb(p, v) ((void)(p), (void)(v))
#define KERNEL_STRING_H
#include "kernel/random.c"

void klog(enum log_level level, const char *fmt, ...)
{
    va_list ap;

    (void)level;
    va_start(ap, fmt);
    vsnprintf(last_log, sizeof last_log, fmt, ap);
    va_end(ap);
    logs++;
}
uint64_t now_ns(void)
{
    return tsc;
}
int thread_block(uint64_t deadline_ns)
{
    (void)deadline_ns;
    return ++blocks == killed_after ? -EINTR : -ETIMEDOUT;
}

static void boot(uint64_t clock_step, uint64_t clock_noise)
{
    memset(&rng, 0, sizeof rng);
    tsc = 1000;
    step = clock_step;
    noise = clock_noise;
    seed = 1;
    blocks = killed_after = logs = 0;
    random_init();
}

/* --- a device --- */

static struct random_device device;
static unsigned asked;
static size_t has;
static void device_ask(struct random_device *d)
{
    (void)d;
    asked++;
}
static size_t device_take(struct random_device *d, uint8_t *buf, size_t room)
{
    size_t n = has < room ? has : room;

    (void)d;
    memset(buf, 0x5a, n);
    has = 0;
    return n;
}
static void plug(void)
{
    device = (struct random_device){.name = "virtio-rng", .ask = device_ask, .take = device_take};
    asked = 0;
    has = 0;
    random_device_add(&device);
}

/* --- tests --- */

static void a_rhythm_is_worth_nothing(void **state) /* C-RANDOM-1 */
{
    (void)state;
    boot(100, 0);
    assert_false(random_seeded());
    assert_in_range(rng.credit, 0, 3); /* the first moments have nothing to compare with */
    for (unsigned i = 0; i < 100000; i++)
        random_event();
    assert_false(random_seeded());
    for (unsigned i = 0; i < 100000; i++, step += 10) /* nor one that slows down evenly */
        random_event();
    assert_false(random_seeded());
    step = 0; /* nor a clock that stands */
    for (unsigned i = 0; i < 100000; i++)
        random_event();
    assert_false(random_seeded());
}

static void four_moments_are_a_bit(void **state) /* C-RANDOM-1 */
{
    unsigned moments = 0;

    (void)state;
    boot(100, 0);
    noise = 1000;
    while (!random_seeded()) {
        random_event();
        moments++;
    }
    assert_in_range(moments, 1000, 1200);
    char names[RANDOM_NAMES_MAX];
    random_names(names);
    assert_string_equal(names, "jitter");
}

static void a_noisy_clock_seeds_at_boot(void **state)
{
    (void)state;
    boot(100, 50);
    assert_true(random_seeded());
    assert_string_equal(last_log, "random: seeded from jitter");
    assert_int_equal(random_wait_seeded(), 0);
    assert_int_equal(blocks, 0);
}

static void who_asks_too_early_waits(void **state) /* C-RANDOM-5 */
{
    (void)state;
    boot(100, 0);
    killed_after = 50;
    assert_int_equal(random_wait_seeded(), -EINTR); /* as long as it takes, or until the end */
    assert_int_equal(blocks, 50);
    assert_false(random_seeded());
    killed_after = 0;
    noise = 1000;
    assert_int_equal(random_wait_seeded(), 0);
    assert_in_range(blocks, 51, 80);
    assert_string_equal(last_log, "random: seeded from jitter");
}

static void a_device_seeds_with_what_it_gives(void **state)
{
    char names[RANDOM_NAMES_MAX];
    uint64_t v;

    (void)state;
    boot(100, 0);
    plug();
    assert_int_equal(asked, 1);
    random_bytes(&v, sizeof v); /* it has given nothing yet */
    assert_false(random_seeded());
    has = 31;
    random_bytes(&v, sizeof v);
    assert_false(random_seeded());
    random_names(names);
    assert_non_null(strstr(names, "virtio-rng"));
    ask(&device);
    has = 1;
    killed_after = 2;
    assert_int_equal(random_wait_seeded(), 0); /* 32 bytes are 256 bits */
    random_bytes(&v, sizeof v);
    assert_int_equal(strncmp(last_log, "random: seeded from virtio-rng", 30), 0);
}

static void fresh_bytes_come_with_use_and_with_time(void **state) /* C-RANDOM-3 */
{
    static uint8_t buf[65536];

    (void)state;
    boot(100, 50);
    plug();
    has = 64;
    random_bytes(buf, 16);
    assert_int_equal(asked, 1);
    for (unsigned i = 0; i < 15; i++)
        random_bytes(buf, sizeof buf);
    assert_int_equal(asked, 1);
    for (unsigned i = 0; i < 3; i++)
        random_bytes(buf, sizeof buf);
    assert_int_equal(asked, 2);
    for (unsigned i = 0; i < 30; i++) /* not asked again while it owes an answer */
        random_bytes(buf, sizeof buf);
    assert_int_equal(asked, 2);
    has = 64;
    random_bytes(buf, 16);
    tsc += RESEED_CYCLES;
    random_bytes(buf, 16);
    assert_int_equal(asked, 3);
}

static void what_was_given_cannot_be_computed_later(void **state) /* C-RANDOM-2 */
{
    uint8_t out[64], again[64];

    (void)state;
    boot(100, 50);
    random_bytes(out, sizeof out);
    rng.counter -= 2; /* all that is left, put back as it was, but for the key */
    random_bytes(again, sizeof again);
    assert_memory_not_equal(out, again, sizeof out);
    uint32_t key[KEY_WORDS];
    memcpy(key, rng.key, sizeof key);
    random_bytes(out, 1);
    assert_memory_not_equal(key, rng.key, sizeof key);
    for (size_t i = 0; i + sizeof key <= sizeof again; i++) /* and the key was not given out */
        assert_memory_not_equal(again + i, key, sizeof key);
}

static void early_output_costs_what_it_shows(void **state) /* C-RANDOM-4 */
{
    uint8_t out[16];
    uint32_t key[KEY_WORDS];

    (void)state;
    boot(100, 0);
    noise = 1000;
    for (unsigned i = 0; i < 500; i++)
        random_event();
    assert_true(rng.credit > 400);
    random_bytes(out, sizeof out);
    assert_int_equal(rng.credit, 0);
    for (unsigned i = 0; i < 500; i++)
        random_event();
    memcpy(key, rng.key, sizeof key);
    refresh(); /* a few bits more do not go in by themselves */
    assert_memory_equal(key, rng.key, sizeof key);
    for (unsigned i = 0; i < 700; i++)
        random_event();
    assert_true(random_seeded());
    refresh();
    assert_memory_not_equal(key, rng.key, sizeof key);
}

static void two_boots_differ_by_their_moments(void **state)
{
    uint8_t a[32], b[32], c[32];

    (void)state;
    boot(100, 50);
    random_bytes(a, sizeof a);
    boot(100, 50); /* the very same machine */
    random_bytes(b, sizeof b);
    assert_memory_equal(a, b, sizeof a);
    boot(100, 50);
    random_event(); /* one interrupt more */
    random_bytes(c, sizeof c);
    assert_memory_not_equal(a, c, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rhythm_is_worth_nothing),
        cmocka_unit_test(four_moments_are_a_bit),
        cmocka_unit_test(a_noisy_clock_seeds_at_boot),
        cmocka_unit_test(who_asks_too_early_waits),
        cmocka_unit_test(a_device_seeds_with_what_it_gives),
        cmocka_unit_test(fresh_bytes_come_with_use_and_with_time),
        cmocka_unit_test(what_was_given_cannot_be_computed_later),
        cmocka_unit_test(early_output_costs_what_it_shows),
        cmocka_unit_test(two_boots_differ_by_their_moments),
    };
    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
