/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_tsc.c: calibrating and watching the TSC, against a machine
 * whose clocks run at the rates that the test wants.
 *
 * kernel/tsc.c is included, so that its processor instructions can be replaced.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <kernel/cpu.h>

static uint64_t machine_ns; /* the one true time */
static uint64_t tsc_rate, ref_rate, lapic_rate;
static uint64_t tsc_base_ns, tsc_base; /* tsc_rate holds since then */
static uint64_t step_ns;               /* each instruction that matters takes this long */
static uint64_t stall_every, stall_ns, instructions;
static bool ref_stands;
static uint64_t pace_ns; /* the TSC changes its pace this often */

static void change_pace(void);

static void pass_time(void)
{
    if (pace_ns != 0 && machine_ns - tsc_base_ns > pace_ns)
        change_pace();
    machine_ns += step_ns;
    instructions++;
    if (stall_every != 0 && instructions % stall_every == 0)
        machine_ns += stall_ns; /* the host runs somebody else */
}

static uint64_t ticks(uint64_t ns, uint64_t hz)
{
    return (uint64_t)((unsigned __int128)ns * hz / 1000000000u);
}

static uint64_t fake_tsc(void)
{
    pass_time();
    return tsc_base + ticks(machine_ns - tsc_base_ns, tsc_rate);
}

static void set_tsc_rate(uint64_t hz)
{
    tsc_base += ticks(machine_ns - tsc_base_ns, tsc_rate);
    tsc_base_ns = machine_ns;
    tsc_rate = hz;
}

static void change_pace(void)
{
    set_tsc_rate(tsc_rate == 2000000000 ? 1500000000 : 2000000000);
}

#define rdtsc()        fake_tsc()
#define irq_save()     0u
#define irq_restore(f) ((void)(f))
#include "kernel/tsc.c"

static uint64_t lapic_started;

void lapic_timer_one_shot(uint32_t count)
{
    (void)count;
    lapic_started = machine_ns;
}

uint32_t lapic_timer_count(void)
{
    pass_time();
    return UINT32_MAX - (uint32_t)ticks(machine_ns - lapic_started, lapic_rate);
}

static uint64_t ref_read(void)
{
    pass_time();
    return ref_stands ? 77 : ticks(machine_ns, ref_rate) & 0xffff;
}

static struct clock_source ref = {.name = "ref", .read = ref_read, .mask = 0xffff};

static void machine(uint64_t tsc_hz, uint64_t ref_hz)
{
    machine_ns = 123456789;
    tsc_base = 0;
    tsc_base_ns = machine_ns;
    pace_ns = 0;
    tsc_rate = tsc_hz;
    ref_rate = ref.hz = ref_hz;
    lapic_rate = 62500000;
    step_ns = 300;
    stall_every = stall_ns = instructions = 0;
    ref_stands = false;
    strikes = 0;
    calibrated_at = watched_at = (struct sample){0};
}

static void assert_near(uint64_t have, uint64_t want, uint64_t share)
{
    assert_true(have > want - want / share && have < want + want / share);
}

static void test_calibrate(void **state)
{
    static const uint64_t rates[] = {1000000000, 1999876543, 4700000000, 33000000};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct tsc_result r;
        uint64_t start;

        machine(rates[i], 1193182);
        start = machine_ns;
        r = tsc_calibrate(&ref, true);
        assert_true(r.agreed);
        assert_near(r.tsc_hz, rates[i], 200);
        assert_near(r.lapic_hz, 62500000, 200);
        assert_true(machine_ns - start < 1000000); /* 1 ms at boot */
    }
}

/* A busy host now and then takes 30 us in the middle of a sample. */
static void test_stalls(void **state)
{
    struct tsc_result r;

    (void)state;
    machine(2000000000, 3579545);
    stall_every = 17;
    stall_ns = 30000;
    r = tsc_calibrate(&ref, false);
    assert_true(r.agreed);
    assert_near(r.tsc_hz, 2000000000, 100);
}

static void test_reference_stands(void **state) /* C-BOUND-8 */
{
    struct tsc_result r;

    (void)state;
    machine(2000000000, 1193182);
    ref_stands = true;
    r = tsc_calibrate(&ref, false); /* ends */
    assert_false(r.agreed);
}

/* A TSC that changes its pace from one window to the next is not trusted. */
static void test_pace_changes(void **state) /* C-CLOCK-2 */
{
    struct tsc_result r;

    (void)state;
    machine(2000000000, 1193182);
    pace_ns = 450000;
    r = tsc_calibrate(&ref, false);
    assert_false(r.agreed);
    assert_true(r.tsc_hz > 1400000000 && r.tsc_hz < 2100000000); /* still good for statistics */
    assert_true(agree(2000000000, 1995000000));
    assert_false(agree(2000000000, 1980000000));
    assert_false(agree(0, 0));
}

static void test_refine(void **state)
{
    struct tsc_result r;
    uint64_t better;

    (void)state;
    machine(2000000000, 1193182);
    r = tsc_calibrate(&ref, false);
    machine_ns += 100000000; /* the 16-bit reference turns over twice meanwhile */
    better = tsc_refine(r.tsc_hz);
    assert_near(better, 2000000000, 20000);

    machine(2000000000, 1193182);
    assert_int_equal(tsc_refine(2000000000), 0); /* nothing was calibrated */
    r = tsc_calibrate(&ref, false);
    machine_ns += 3600000000000ull; /* an hour: nobody can count the turns */
    assert_int_equal(tsc_refine(r.tsc_hz), 0);
}

static void test_watch(void **state) /* C-CLOCK-3 */
{
    (void)state;
    machine(2000000000, 3579545);
    ref.mask = 0xffff;
    (void)tsc_calibrate(&ref, false);
    for (unsigned i = 0; i < 100; i++) {
        machine_ns += 100000000;
        assert_true(tsc_watch(2000000000));
    }
    set_tsc_rate(1900000000); /* the CPU saves power */
    machine_ns += 100000000;
    assert_true(tsc_watch(2000000000)); /* once may be chance */
    machine_ns += 100000000;
    assert_false(tsc_watch(2000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calibrate),        cmocka_unit_test(test_stalls),
        cmocka_unit_test(test_reference_stands), cmocka_unit_test(test_pace_changes),
        cmocka_unit_test(test_refine),           cmocka_unit_test(test_watch),
    };

    return cmocka_run_group_tests_name("tsc", tests, NULL, NULL);
}
