/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_lapic.c: the local APIC as the firmware may leave it: on, off,
 * or in x2APIC mode; and the order of things in deadline mode.
 *
 * kernel/lapic.c and lapic_event.c are included, so that the processor's MSRs can
 * be ours. (QEMU 7.2's emulation has neither x2APIC nor TSC-deadline.)
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <kernel/acpi.h>
#include <kernel/cpu.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <string.h>

#define X2APIC_FIRST 0x800u
#define ENABLED      (1u << 11)
#define EXTENDED     (1u << 10)

static uint64_t apic_base, x2apic_msr[64], deadline;
static unsigned msr_writes, maps;
static uint32_t mmio[1024];
static bool sticky_off; /* the enable bit cannot be set */
static uint64_t tsc = 1000;
static bool in_deadline_mode;

static uint64_t fake_rdmsr(uint32_t msr)
{
    if (msr == MSR_APIC_BASE)
        return apic_base;
    assert_in_range(msr, X2APIC_FIRST, X2APIC_FIRST + 63);
    assert_true(apic_base & EXTENDED); /* else it would be a general protection fault */
    return x2apic_msr[msr - X2APIC_FIRST];
}

static void fake_wrmsr(uint32_t msr, uint64_t v)
{
    msr_writes++;
    if (msr == MSR_APIC_BASE) {
        apic_base = sticky_off ? v & ~(uint64_t)ENABLED : v;
        return;
    }
    if (msr == MSR_TSC_DEADLINE) {
        assert_true(in_deadline_mode || v == 0); /* SDM 11.5.4.1: written before, it is lost */
        deadline = v;
        return;
    }
    assert_in_range(msr, X2APIC_FIRST, X2APIC_FIRST + 63);
    assert_true(apic_base & EXTENDED);
    assert_true(msr == X2APIC_FIRST + 0x30 || v >> 32 == 0); /* only the command is 64 bits wide */
    x2apic_msr[msr - X2APIC_FIRST] = v;
}

struct cpu_features cpu;
struct acpi_info acpi;

void *mmio_map(phys_t p, size_t bytes)
{
    assert_int_equal(p, 0xfee00000u);
    assert_int_equal(bytes, 4096);
    maps++;
    return mmio;
}

void klog(enum log_level level, const char *fmt, ...)
{
    (void)level;
    (void)fmt;
}

#define rdmsr(m)       fake_rdmsr(m)
#define wrmsr(m, v)    fake_wrmsr(m, v)
#define rdtsc()        tsc
#define irq_save()     0u
#define irq_restore(f) ((void)(f))
#include "kernel/lapic.c"
#undef REG_ID
#include "kernel/lapic_event.c"

void irq_chain_add(struct irq *irq)
{
    assert_int_equal(irq->vector, VECTOR_LAPIC_TIMER);
}
void irq_list_add(struct irq *irq)
{
    (void)irq;
}
void irq_detach(struct irq *irq)
{
    (void)irq;
}

static int reset(void **state)
{
    (void)state;
    memset(mmio, 0, sizeof mmio);
    memset(x2apic_msr, 0, sizeof x2apic_msr);
    mmio[0x30 / 4] = 0x50014;
    x2apic_msr[0x03] = 0x50014;
    msr_writes = maps = 0;
    apic_base = 0xfee00000u | ENABLED;
    cpu.apic = true;
    sticky_off = false;
    present = x2apic = false;
    lapic_regs = NULL;
    return 0;
}

static void test_by_memory(void **state)
{
    (void)state;
    mmio[0x20 / 4] = 5u << 24;
    assert_true(lapic_init(true));
    assert_true(lapic_present());
    assert_int_equal(maps, 1);
    assert_int_equal(lapic_id(), 5);
    assert_int_equal(mmio[0xf0 / 4], 0x1ff);     /* on, spurious vector */
    assert_int_equal(mmio[0x350 / 4], 1u << 16); /* LINT0 off: the IOAPIC serves */
    assert_int_equal(mmio[0x360 / 4], 4u << 8);  /* LINT1 is the NMI */
    assert_true(lapic_init(false));
    assert_int_equal(mmio[0x350 / 4], 7u << 8); /* LINT0 passes the 8259 on */
}

static void test_switched_off(void **state)
{
    (void)state;
    apic_base &= ~(uint64_t)ENABLED;
    assert_false(lapic_init(false)); /* nobody needs it */
    assert_int_equal(msr_writes, 0);
    assert_true(lapic_init(true));
    assert_true(apic_base & ENABLED);
    (void)reset(NULL);
    apic_base &= ~(uint64_t)ENABLED;
    sticky_off = true;
    assert_false(lapic_init(true));
    (void)reset(NULL);
    cpu.apic = false;
    assert_false(lapic_init(true));
}

static void test_left_in_x2apic_mode(void **state)
{
    (void)state;
    apic_base |= EXTENDED; /* C-IRQ-4 */
    x2apic_msr[0x02] = 0x12345; /* more than eight bits */
    assert_true(lapic_init(true));
    assert_int_equal(maps, 0); /* nothing is there in memory */
    assert_true(apic_base & EXTENDED);
    assert_int_equal(lapic_id(), 0x12345);
    assert_int_equal(x2apic_msr[0x0f], 0x1ff);
    assert_int_equal(x2apic_msr[0x35], 1u << 16);
    assert_int_equal(x2apic_msr[0x36], 4u << 8);
    x2apic_msr[0x0b] = 99;
    lapic_eoi();
    assert_int_equal(x2apic_msr[0x0b], 0);
    lapic_timer_one_shot(1234);
    assert_int_equal(x2apic_msr[0x38], 1234);
    assert_int_equal(x2apic_msr[0x32], VECTOR_LAPIC_TIMER);
    lapic_ipi(0x12346, 0xf2);
    assert_int_equal(x2apic_msr[0x30], 0x12346ull << 32 | 1u << 14 | 0xf2);
    assert_true(lapic_reaches(0x12346));
}

static void test_deadline_mode(void **state)
{
    (void)state;
    assert_true(lapic_init(true));
    in_deadline_mode = false;
    deadline_event_set_rate(2000000000);
    assert_int_equal(deadline_event.start(NULL), 0);
    assert_int_equal(mmio[0x320 / 4], 2u << 17 | VECTOR_LAPIC_TIMER);
    in_deadline_mode = true;
    tsc = 5000;
    deadline_event.arm(1000000); /* a millisecond at 2 GHz */
    assert_in_range(deadline, 5000 + 2000000 - 2, 5000 + 2000000 + 2);
    deadline_event.stop();
    assert_int_equal(deadline, 0);
    assert_true(mmio[0x320 / 4] & 1u << 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_by_memory, reset),
        cmocka_unit_test_setup(test_switched_off, reset),
        cmocka_unit_test_setup(test_left_in_x2apic_mode, reset),
        cmocka_unit_test_setup(test_deadline_mode, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
