/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_page_alloc.c: the buddy allocator under random use.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <kernel/buddy.h>
#include <kernel/log.h>
#include <stdlib.h>
#include <string.h>

#define PAGES 8192u

static jmp_buf caught;
static int expecting;

void panic(const char *fmt, ...)
{
    if (expecting)
        longjmp(caught, 1);
    print_message("panic: %s\n", fmt);
    abort();
}

static struct page *pages;
static struct buddy b;
static uint8_t owner[PAGES];

static int setup(void **state)
{
    (void)state;
    pages = calloc(PAGES, sizeof *pages);
    memset(owner, 0, sizeof owner);
    buddy_init(&b, pages);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(pages);
    return 0;
}

static void test_empty(void **state)
{
    (void)state;
    for (unsigned order = 0; order <= BUDDY_MAX_ORDER + 2; order++)
        assert_int_equal(buddy_alloc(&b, order), 0);
    buddy_add(&b, 0, 1); /* page 0 is never handed out */
    assert_int_equal(b.free_pages, 0);
}

static void test_odd_ranges(void **state)
{
    (void)state;
    buddy_add(&b, 3, 1001);
    buddy_add(&b, 2000, 1);
    buddy_add(&b, 4095, 2);
    assert_int_equal(b.free_pages, 1004);
    assert_int_equal(buddy_count(&b), 1004);
    unsigned n = 0;
    for (uint32_t p; (p = buddy_alloc(&b, 0)) != 0; n++) {
        assert_true((p >= 3 && p < 1004) || p == 2000 || p == 4095 || p == 4096);
        assert_int_equal(owner[p], 0);
        owner[p] = 1;
    }
    assert_int_equal(n, 1004);
}

static void test_joins_again(void **state)
{
    static uint32_t all[PAGES];
    unsigned n = 0;
    (void)state;
    buddy_add(&b, 1024, 4096);
    while ((all[n] = buddy_alloc(&b, 0)) != 0)
        n++;
    assert_int_equal(n, 4096);
    for (unsigned i = 0; i < n; i++)
        buddy_free(&b, all[(i * 1237u) % n], 0);
    assert_int_equal(b.free_pages, 4096);
    assert_int_equal(b.nonempty, 1u << BUDDY_MAX_ORDER); /* four whole blocks */
    for (unsigned i = 0; i < 4; i++)
        assert_int_not_equal(buddy_alloc(&b, BUDDY_MAX_ORDER), 0);
    assert_int_equal(buddy_alloc(&b, 0), 0);
}

static void test_random(void **state)
{
    static struct {
        uint32_t pfn;
        unsigned order;
    } held[512];
    uint32_t x = 99;
    uint64_t start;
    (void)state;
    buddy_add(&b, 1, 3000);
    buddy_add(&b, 4000, 4000);
    start = b.free_pages;
    for (unsigned step = 0; step < 200000; step++) {
        x = x * 1664525u + 1013904223u;
        unsigned i = (x >> 10) % 512, order = (x >> 20) % 7;
        if (held[i].pfn != 0) {
            for (uint32_t k = 0; k < 1u << held[i].order; k++)
                owner[held[i].pfn + k] = 0;
            buddy_free(&b, held[i].pfn, held[i].order);
            held[i].pfn = 0;
            continue;
        }
        uint32_t p = buddy_alloc(&b, order);
        if (p == 0)
            continue;
        assert_int_equal(p & ((1u << order) - 1), 0);
        assert_true((p >= 1 && p + (1u << order) <= 3001) || (p >= 4000 && p + (1u << order) <= 8000));
        for (uint32_t k = 0; k < 1u << order; k++) {
            assert_int_equal(owner[p + k], 0); /* nobody else's */
            owner[p + k] = 1;
        }
        held[i].pfn = p;
        held[i].order = order;
        if (step % 1000 == 0)
            assert_int_equal(buddy_count(&b), b.free_pages);
    }
    for (unsigned i = 0; i < 512; i++)
        if (held[i].pfn != 0)
            buddy_free(&b, held[i].pfn, held[i].order);
    assert_int_equal(b.free_pages, start);
    assert_int_equal(buddy_count(&b), start);
}

static int panics(uint32_t pfn, unsigned order)
{
    expecting = 1;
    int hit = setjmp(caught);
    if (hit == 0)
        buddy_free(&b, pfn, order);
    expecting = 0;
    return hit;
}

static void test_wrong_frees_are_caught(void **state) /* C-MEM-1 */
{
    (void)state;
    buddy_add(&b, 1024, 1024);
    uint32_t p = buddy_alloc(&b, 3), q = buddy_alloc(&b, 0);
    assert_true(panics(p, 2));     /* another order */
    assert_true(panics(p + 1, 0)); /* the inside of a block */
    assert_true(panics(5, 0));     /* never ours */
    buddy_free(&b, p, 3);
    assert_true(panics(p, 3)); /* twice */
    buddy_free(&b, q, 0);
    assert_true(panics(q, 0)); /* twice, joined into a larger block by now */
    assert_int_equal(b.free_pages, 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_odd_ranges, setup, teardown),
        cmocka_unit_test_setup_teardown(test_joins_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_frees_are_caught, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
