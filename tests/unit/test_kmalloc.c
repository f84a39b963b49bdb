/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_kmalloc.c: the kernel's small objects under random use, and
 * what is done to wrong releases. Pages come from the host's heap.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <kernel/buddy.h>
#include <kernel/log.h>
#include <kernel/paging.h>
#include <stdlib.h>
#include <string.h>

#define PAGES   4096u /* what the host gives */
#define OBJECTS 600u

static jmp_buf caught;
static int expecting;
static uint8_t *memory;
static struct page pages[PAGES + 1]; /* the last one stands for all other memory */
static unsigned in_use;

void panic(const char *fmt, ...)
{
    if (expecting)
        longjmp(caught, 1);
    print_message("panic: %s\n", fmt);
    abort();
}

struct page *page_of(phys_t p)
{
    uint64_t offset = (uint64_t)phys_to_virt(p) - (uint64_t)memory;

    return &pages[offset < PAGES * PAGE_SIZE ? offset >> PAGE_SHIFT : PAGES];
}

phys_t page_alloc(unsigned order, unsigned flags)
{
    unsigned n = 1u << order, i = 0;

    for (unsigned at = 0; at + n <= PAGES; at += n) {
        for (i = 0; i < n && pages[at + i].state == 0; i++)
            ;
        if (i < n)
            continue;
        for (i = 0; i < n; i++)
            pages[at + i] = (struct page){.state = i == 0 ? PAGE_USED : PAGE_FREE, .owner = (uint8_t)(flags >> 8)};
        pages[at].order = (uint8_t)order;
        in_use += n;
        memset(memory + at * PAGE_SIZE, 0x5a, n * PAGE_SIZE);
        return virt_to_phys(memory + at * PAGE_SIZE);
    }
    return 0;
}

void page_split(phys_t p, unsigned order)
{
    struct page *pg = page_of(p);

    for (unsigned i = 0; i < 1u << order; i++)
        pg[i] = (struct page){.state = PAGE_USED, .owner = pg->owner};
}

void page_free(phys_t p, unsigned order)
{
    struct page *pg = page_of(p);

    assert_int_equal(pg->state, PAGE_USED);
    assert_int_equal(pg->order, order);
    memset(phys_to_virt(p), 0xa5, PAGE_SIZE << order);
    memset(pg, 0, sizeof *pg << order);
    in_use -= 1u << order;
}

static int setup(void **state)
{
    (void)state;
    return posix_memalign((void **)&memory, PAGE_SIZE, PAGES * PAGE_SIZE);
}

static int teardown(void **state)
{
    (void)state;
    free(memory);
    return 0;
}

static uint32_t chance(uint32_t *x)
{
    *x = *x * 1664525u + 1013904223u;
    return *x >> 8;
}

static bool filled(const uint8_t *p, size_t n, uint8_t with)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != with)
            return false;
    return true;
}

/* Objects of all sizes, held and given back by chance: nothing overlaps, nothing
 * is left at the end. */
static void test_random(void **state)
{
    static uint8_t *held[OBJECTS];
    static size_t bytes[OBJECTS];
    uint32_t x = 815;

    (void)state;
    for (unsigned step = 0; step < 100000; step++) {
        unsigned i = chance(&x) % OBJECTS;
        if (held[i] != NULL) {
            assert_true(filled(held[i], bytes[i], (uint8_t)i));
            kfree(held[i]);
            held[i] = NULL;
            continue;
        }
        bytes[i] = chance(&x) % 16 == 0 ? chance(&x) % 20000 : chance(&x) % 2000;
        held[i] = kmalloc(bytes[i]);
        assert_non_null(held[i]);
        assert_int_equal((uint64_t)held[i] % 16, 0);
        if (bytes[i] > 0 && bytes[i] % 64 == 0)
            assert_int_equal((uint64_t)held[i] % 64, 0);
        memset(held[i], (int)i, bytes[i]);
    }
    for (unsigned i = 0; i < OBJECTS; i++)
        kfree(held[i]);
    assert_int_equal(kmalloc_used_bytes(), 0);
    assert_true(in_use <= 14); /* one slab a class may stay */
}

static void expect_panic(void *p)
{
    expecting = 1;
    if (setjmp(caught) == 0) {
        kfree(p);
        fail_msg("kfree(%p) was accepted", p);
    }
    expecting = 0;
}

static void test_wrong_frees_are_caught(void **state) /* C-MEM-9 */
{
    static const size_t sizes[] = {1, 16, 17, 48, 64, 100, 500, 900, 1300, 1984};

    (void)state;
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *keep = kmalloc(sizes[i]), *p = kmalloc(sizes[i]);
        uint64_t used = kmalloc_used_bytes();
        expect_panic(p + 1);
        expect_panic(p + 8);
        expect_panic(p + 16 < (uint8_t *)((uint64_t)p | 4095) && sizes[i] > 16 ? p + 16 : p + 4);
        expect_panic((uint8_t *)((uint64_t)p & ~4095ull) + 16); /* the slab's header */
        assert_int_equal(kmalloc_used_bytes(), used);
        memset(p, 0xff, sizes[i]); /* whatever it holds */
        kfree(p);
        expect_panic(p);
        assert_true(filled(keep, 0, 0));
        kfree(keep);
        expect_panic(keep);
    }
    uint8_t *big = kmalloc(10000);
    expect_panic(big + PAGE_SIZE);
    kfree(big);
    expect_panic(big);
    expect_panic(&expecting); /* not memory of ours at all */
    assert_int_equal(kmalloc_used_bytes(), 0);
}

static void test_limits(void **state)
{
    (void)state;
    assert_null(kmalloc((PAGE_SIZE << BUDDY_MAX_ORDER) + 1));
    assert_null(kmalloc(SIZE_MAX));
    kfree(NULL);
    uint64_t used = kmalloc_used_bytes();
    void *nine = kmalloc(33000);
    assert_int_equal(kmalloc_used_bytes() - used, 9 * PAGE_SIZE);
    kfree(nine);
    for (size_t n = 0; n < 9000; n++) {
        void *p = kmalloc(n);
        assert_int_equal(kmalloc_used_bytes() - used, kmalloc_size(n));
        kfree(p);
    }
    uint8_t *z = kzalloc(1000);
    assert_true(filled(z, 1000, 0));
    kfree(z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random, setup, NULL),
        cmocka_unit_test(test_wrong_frees_are_caught),
        cmocka_unit_test_teardown(test_limits, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
