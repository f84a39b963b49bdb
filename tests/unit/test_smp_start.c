/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_smp_start.c: processors that come, come late, come half the way
 * or never; counters that do not agree.
 *
 * kernel/smp_start.c is included; the processors that it starts are played by the
 * clock: whoever waits reads it, and others take their step then.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <kernel/cpu.h>
#include <kernel/paging.h>

static struct percpu cpus[4];
static uint64_t tsc;

#define this_cpu()   (&cpus[0])
#define rdtsc()      (tsc += 10)
#define write_cr3(v) ((void)(v))
#include "kernel/smp_start.c"

/* As boot/ap_entry.S lays it out: the words are at some place of the page. */
__asm__(".pushsection .data\n"
        ".globl ap_page, ap_words, ap_page_end\n"
        "ap_page: .skip 64\nap_words: .skip 64\nap_page_end:\n"
        ".popsection");

enum way { COMES, SECOND_CALL, HALF_THE_WAY, NEVER };

static enum way way[4];
static int64_t ahead[4];     /* of its counter */
static unsigned calls[4], resets[4];
static uint32_t partner;     /* who takes part in the comparison */
static bool left_tsc, tsc_serves;
static unsigned warnings;
static uint64_t now;
static uint8_t page_memory[4096] __attribute__((aligned(4096)));

struct acpi_info acpi;
uint32_t smp_count;
struct percpu *smp_cpu[CPUS_MAX];

/* --- the other processors --- */

static void play(uint32_t n)
{
    if (meet.turn % 2 != 1 || !meet.go)
        return;
    uint64_t theirs = meet.tsc, mine = rdtsc() + (uint64_t)ahead[n];
    if (mine < theirs && theirs - mine > meet.skew)
        meet.skew = theirs - mine;
    meet.tsc = rdtsc() + (uint64_t)ahead[n];
    meet.turn++;
}

uint64_t now_ns(void)
{
    now += 10000;
    if (partner != 0)
        play(partner);
    return now;
}

void lapic_start_page(uint32_t apic_id, uint8_t page)
{
    (void)page;
    calls[apic_id]++;
    switch (way[apic_id]) {
    case SECOND_CALL:
        if (calls[apic_id] < 2)
            return; /* fall through */
    case COMES:
        words()->invited = 0;
        meet.arrived = apic_id;
        partner = apic_id;
        return;
    case HALF_THE_WAY: /* took the words, and is heard of no more */
        words()->invited = 0;
        return;
    case NEVER:
        return;
    }
}

void lapic_start_init(uint32_t apic_id)
{
    resets[apic_id]++;
}

/* --- the rest of the kernel --- */

struct percpu *cpu_new(uint32_t number, uint32_t apic_id)
{
    cpus[apic_id].cpu = apic_id; /* here the two are one */
    cpus[apic_id].apic_id = apic_id;
    (void)number;
    return &cpus[apic_id];
}

void klog(enum log_level level, const char *fmt, ...)
{
    (void)fmt;
    warnings += level <= LOG_WARN;
}

bool time_tsc_is_clock(void) { return tsc_serves; }
bool time_leave_tsc(void) { return left_tsc = true; }
const char *clock_name(void) { return "hpet"; }
bool sched_init_cpu(struct percpu *c) { return c != NULL; }
bool timers_init(struct percpu *c) { return c != NULL; }
bool polls_init(struct percpu *c) { return c != NULL; }
void *kstack_alloc(void) { return page_memory; }
void delay_us(uint32_t us) { now += us * 1000; }
void kernel_lock_begin(void) {}
void smp_take_interrupts(void) {}
/* What only smp_init and the new CPU's side call. */
uint64_t kernel_pml4[512];
void cpu_init_other(struct percpu *c) { (void)c; }
void syscall_init(void) {}
bool lapic_init_other(void) { return true; }
void time_init_other(void) {}
void sched_idle_other(void) { abort(); }
bool sched_idle_apart(void) { return false; }
bool lapic_present(void) { return false; }
bool lapic_reaches(uint32_t apic_id) { return apic_id != 0; }
enum irq_mode irq_line_mode(void) { return IRQ_PIC; }
const char *option(const char *name) { (void)name; return NULL; }
bool option_has(const char *name, const char *value) { (void)name; (void)value; return false; }
const struct boot_info *boot_info_get(void) { return NULL; }
phys_t page_alloc(unsigned order, unsigned flags) { (void)order; (void)flags; return 0; }
void page_free(phys_t p, unsigned order) { (void)p; (void)order; }

static int reset(void **state)
{
    (void)state;
    memset(cpus, 0, sizeof cpus);
    memset(way, 0, sizeof way);
    memset(ahead, 0, sizeof ahead);
    memset(calls, 0, sizeof calls);
    memset(resets, 0, sizeof resets);
    memset(&meet, 0, sizeof meet);
    partner = 0;
    left_tsc = false;
    tsc_serves = true;
    warnings = 0;
    smp_count = 1;
    tsc = 1000000;
    start.page = virt_to_phys(page_memory);
    return 0;
}

static void begin(uint32_t n)
{
    static const uint32_t ids[] = {1, 2, 3};

    acpi.ncpus = n + 1;
    start_all(ids, n);
}

static void all_come(void **state)
{
    (void)state;
    begin(3);
    assert_int_equal(smp_count, 4);
    for (unsigned i = 1; i < 4; i++)
        assert_true(cpus[i].online && calls[i] == 1 && resets[i] == 1);
    assert_int_equal(warnings, 0);
    assert_false(left_tsc);
}

static void one_needs_a_second_call(void **state)
{
    (void)state;
    way[2] = SECOND_CALL;
    begin(3);
    assert_int_equal(smp_count, 4);
    assert_int_equal(calls[2], 2);
}

/* The others run, in time, and what did not come finds no invitation later. */
static void who_does_not_come_is_left_out(void **state) /* C-SMP-1 */
{
    uint64_t before = now;

    (void)state;
    way[1] = NEVER;
    begin(3);
    assert_int_equal(smp_count, 3);
    assert_false(cpus[1].online);
    assert_true(smp_cpu[1] == &cpus[2] && smp_cpu[2] == &cpus[3]); /* without a gap */
    assert_true(calls[1] == 2 && resets[1] == 1);
    assert_int_equal(warnings, 1);
    assert_true(now - before < 3 * NS_PER_S);
    way[1] = way[2] = way[3] = NEVER;
    smp_count = 1;
    begin(3);
    assert_int_equal(smp_count, 1);
}

static void who_comes_half_the_way_is_reset(void **state) /* C-SMP-1 */
{
    (void)state;
    way[2] = HALF_THE_WAY;
    begin(3);
    assert_int_equal(smp_count, 3);
    assert_int_equal(resets[2], 2);
    assert_false(cpus[2].online);
}

static void counters_that_differ_are_no_clock(void **state) /* C-CLOCK-7 */
{
    static const int64_t bad[] = {50000, -50000};

    for (unsigned i = 0; i < 2; i++) {
        reset(state);
        ahead[2] = bad[i];
        begin(3);
        assert_int_equal(smp_count, 4);
        assert_true(left_tsc);
    }
    reset(state);
    ahead[2] = 300; /* what the exchange itself takes is more */
    begin(3);
    assert_false(left_tsc);
    reset(state);
    ahead[2] = 50000;
    tsc_serves = false; /* another clock serves anyway: only a word in the log */
    begin(3);
    assert_false(left_tsc);
    assert_int_equal(warnings, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_come, reset),
        cmocka_unit_test_setup(one_needs_a_second_call, reset),
        cmocka_unit_test_setup(who_does_not_come_is_left_out, reset),
        cmocka_unit_test_setup(who_comes_half_the_way_is_reset, reset),
        cmocka_unit_test_setup(counters_that_differ_are_no_clock, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
