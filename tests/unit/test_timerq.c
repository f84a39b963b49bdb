/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_timerq.c: the heap of timers against a slow and simple model.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <kernel/mem.h>
#include <kernel/timerq.h>
#include <slipway/errno.h>
#include <stdlib.h>

#define TIMERS 500

static bool memory_is_out;

void *kmalloc(size_t bytes)
{
    return memory_is_out ? NULL : malloc(bytes);
}

void kfree(void *p)
{
    free(p);
}

static uint64_t seed;

static uint32_t chance(uint32_t n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33) % n;
}

static void queue_free(struct timerq *q)
{
    if (q->heap != q->inline_heap)
        kfree(q->heap);
}

static void check_heap(const struct timerq *q)
{
    for (uint32_t i = 0; i < q->count; i++) {
        assert_int_equal(q->heap[i]->slot, i + 1);
        if (i > 0)
            assert_true(q->heap[(i - 1) / 2]->when_ns <= q->heap[i]->when_ns);
    }
}

static void test_order(void **state)
{
    static struct timer timer[TIMERS];
    struct timerq q;
    uint64_t last = 0;
    struct timer *t;

    (void)state;
    timerq_init(&q);
    assert_true(timerq_next_ns(&q) == UINT64_MAX);
    for (unsigned i = 0; i < TIMERS; i++)
        assert_int_equal(timerq_arm(&q, &timer[i], 1 + (i * 7919) % 1000), 0);
    check_heap(&q);
    assert_null(timerq_take_due(&q, 0));
    for (unsigned i = 0; i < TIMERS; i++) {
        t = timerq_take_due(&q, UINT64_MAX - 1);
        assert_non_null(t);
        assert_int_equal(t->slot, 0);
        assert_true(t->when_ns >= last);
        last = t->when_ns;
    }
    assert_null(timerq_take_due(&q, UINT64_MAX - 1));
    queue_free(&q);
}

/* Arm, move, cancel and take at random; the model is the array itself. */
static void test_random(void **state) /* C-TIME-1 */
{
    static struct timer timer[TIMERS];
    struct timerq q;

    (void)state;
    seed = 4711;
    timerq_init(&q);
    for (unsigned step = 0; step < 20000; step++) {
        struct timer *t = &timer[chance(TIMERS)];
        uint64_t least = UINT64_MAX;

        switch (chance(4)) {
        case 0:
        case 1:
            assert_int_equal(timerq_arm(&q, t, 1 + chance(10000)), 0);
            break;
        case 2:
            timerq_cancel(&q, t);
            timerq_cancel(&q, t);
            assert_int_equal(t->slot, 0);
            break;
        default:
            for (unsigned i = 0; i < TIMERS; i++)
                if (timer[i].slot != 0 && timer[i].when_ns < least)
                    least = timer[i].when_ns;
            assert_true(timerq_next_ns(&q) == least);
            t = timerq_take_due(&q, 5000);
            if (least > 5000)
                assert_null(t);
            else
                assert_true(t->when_ns == least);
            break;
        }
        if (step % 100 == 0)
            check_heap(&q);
    }
    check_heap(&q);
    queue_free(&q);
}

static void test_out_of_memory(void **state)
{
    static struct timer timer[TIMERQ_INLINE + 1];
    struct timerq q;

    (void)state;
    memory_is_out = true;
    timerq_init(&q);
    for (unsigned i = 0; i < TIMERQ_INLINE; i++)
        assert_int_equal(timerq_arm(&q, &timer[i], 100 - i), 0);
    assert_int_equal(timerq_arm(&q, &timer[TIMERQ_INLINE], 5), -ENOMEM);
    assert_int_equal(timer[TIMERQ_INLINE].slot, 0);
    assert_int_equal(timerq_arm(&q, &timer[0], 1), 0); /* moving needs none */
    assert_ptr_equal(timerq_take_due(&q, 1), &timer[0]);
    memory_is_out = false;
    assert_int_equal(timerq_arm(&q, &timer[0], 7), 0);
    assert_int_equal(timerq_arm(&q, &timer[TIMERQ_INLINE], 5), 0);
    check_heap(&q);
    queue_free(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests_name("timerq", tests, NULL, NULL);
}
