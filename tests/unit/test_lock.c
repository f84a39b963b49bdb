/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_lock.c: what debug builds say of spinlocks that are taken in
 * the wrong order, twice, or left by somebody else.
 *
 * kernel/lock.c is included, so that the processor can be ours. Its panic comes
 * back here.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#ifndef SLIPWAY_DEBUG
#define SLIPWAY_DEBUG
#endif
#include <kernel/cpu.h>

struct cpu_features cpu;
static struct percpu cpus[2], *here = &cpus[0];

#define this_cpu()     here
#define irq_save()     0u
#define irq_restore(f) ((void)(f))
#define rdtsc()        0u
#include "kernel/lock.c"

uint32_t smp_count = 2;
struct percpu *smp_cpu[CPUS_MAX] = {&cpus[0], &cpus[1]};
static jmp_buf caught;
static bool expecting;
static struct spinlock outer = SPINLOCK("outer", RANK_UART), inner = SPINLOCK("inner", RANK_CHIP),
                       beside = SPINLOCK("beside", RANK_CHIP);

uint64_t tsc_hz(void)
{
    return 1000000000;
}

void smp_wake(uint32_t n)
{
    (void)n;
}

void panic(const char *fmt, ...)
{
    if (expecting)
        longjmp(caught, 1);
    print_message("panic: %s\n", fmt);
    abort();
}

static int reset(void **state)
{
    (void)state;
    memset(cpus, 0, sizeof cpus);
    cpus[1].cpu = 1;
    here = &cpus[0];
    outer = (struct spinlock)SPINLOCK("outer", RANK_UART);
    inner = (struct spinlock)SPINLOCK("inner", RANK_CHIP);
    beside = (struct spinlock)SPINLOCK("beside", RANK_CHIP);
    return 0;
}

static bool refused(struct spinlock *l, bool leave)
{
    bool panicked = true;

    expecting = true;
    if (setjmp(caught) == 0) {
        if (leave)
            spin_unlock_irqrestore(l, 0);
        else
            (void)spin_lock_irqsave(l);
        panicked = false;
    }
    expecting = false;
    return panicked;
}

static void in_order_and_out(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        uint64_t a = spin_lock_irqsave(&outer), b = spin_lock_irqsave(&inner);
        assert_int_equal(cpus[0].locks_held, 2);
        spin_unlock_irqrestore(&inner, b);
        spin_unlock_irqrestore(&outer, a);
    }
    assert_int_equal(cpus[0].locks_held, 0);
    assert_int_equal(outer.owner, 3);
    assert_int_equal(outer.next, 3);
}

static void order_is_checked(void **state) /* C-LOCK-2 */
{
    (void)state;
    (void)spin_lock_irqsave(&inner);
    assert_true(refused(&outer, false));
    assert_true(refused(&beside, false)); /* of the same rank: which comes first? */
    assert_true(refused(&inner, false));  /* it would wait for itself */
    here = &cpus[1]; /* whose order is its own business */
    assert_false(refused(&outer, false));
}

static void owner_is_checked(void **state) /* C-LOCK-2 */
{
    (void)state;
    assert_true(refused(&outer, true)); /* nobody holds it */
    (void)spin_lock_irqsave(&outer);
    here = &cpus[1];
    assert_true(refused(&outer, true)); /* CPU 0 does */
    here = &cpus[0];
    (void)spin_lock_irqsave(&inner);
    assert_true(refused(&outer, true)); /* not the innermost */
    assert_false(refused(&inner, true));
    assert_false(refused(&outer, true));
}

static void a_panic_comes_through(void **state)
{
    (void)state;
    (void)spin_lock_irqsave(&inner);
    locks_give_way();
    assert_false(refused(&outer, false));
    assert_false(refused(&inner, false)); /* held, and not waited for */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(in_order_and_out, reset),
        cmocka_unit_test_setup(order_is_checked, reset),
        cmocka_unit_test_setup(owner_is_checked, reset),
        cmocka_unit_test_setup(a_panic_comes_through, reset), /* the last: there is no way back */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
