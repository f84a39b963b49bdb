/* SPDX-License-Identifier: MIT
 *
 * kernel/selftest_pages.c: self-tests of page accounting: random use, caches,
 * objects made on demand, limits of an address space, copies of one.
 *
 * Owns: nothing. Every test gives back all that it took and checks that.
 */
#include <kernel/buddy.h>
#include <kernel/cpu.h>
#include <kernel/irq.h>
#include <kernel/log.h>
#include <kernel/paging.h>
#include <kernel/selftest.h>
#include <kernel/string.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <kernel/vm.h>
#include <slipway/errno.h>
#include <slipway/syscall.h>

#define HELD  256u
#define STEPS 20000u
#define AT    0x10000000ull

static uint32_t chance(uint32_t *x)
{
    *x = *x * 1664525u + 1013904223u;
    return *x >> 8;
}

static bool sums(const struct info_memory *m)
{
    return m->total == m->boot + m->tables + m->kmalloc + m->stacks + m->anonymous + m->objects + m->rings +
                           m->devices + m->free;
}

/* Thousands of blocks of all orders, single pages mostly, held and given back by
 * chance; the books are right in the middle of it and at the end. */
SELFTEST(page_random) /* C-MEM-7 */
{
    static phys_t held[HELD];
    static uint8_t order[HELD];
    struct info_memory before, after;
    uint32_t x = 4711, taken = 0;

    mem_info(&before);
    TEST(sums(&before));
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned i = chance(&x) % HELD;
        if (held[i] != 0) {
            TEST(*(uint64_t *)phys_to_virt(held[i]) == (held[i] ^ i)); /* nobody else had it */
            page_free(held[i], order[i]);
            held[i] = 0;
            continue;
        }
        order[i] = chance(&x) % 8 == 0 ? (uint8_t)(chance(&x) % 7) : 0;
        held[i] = page_alloc(order[i], PAGE_OWNER(chance(&x) % OWNER_COUNT) | (step % 3 == 0 ? PAGE_ZERO : 0));
        if (held[i] == 0)
            continue;
        taken++;
        const uint64_t *w = phys_to_virt(held[i]);
        TEST(step % 3 != 0 || (w[0] == 0 && w[511] == 0));
        *(uint64_t *)phys_to_virt(held[i]) = held[i] ^ i;
        TEST(step % 4000 != 0 || page_accounts_match());
    }
    for (unsigned i = 0; i < HELD; i++) {
        if (held[i] != 0)
            page_free(held[i], order[i]);
        held[i] = 0;
    }
    mem_info(&after);
    TEST(taken > STEPS / 4 && sums(&after) && page_accounts_match());
    TEST(after.free == before.free && after.devices == before.devices && after.anonymous == before.anonymous);
    return NULL;
}

SELFTEST(page_caches) /* C-MEM-7 */
{
    static phys_t p[200];
    struct info_memory m;
    uint64_t before;

    (void)thread_block(now_ns() + 20 * NS_PER_MS); /* threads of other tests leave their stacks behind them */
    page_caches_drain(); /* other CPUs have some, too */
    before = mem_free_bytes();
    for (unsigned i = 0; i < 200; i++) {
        p[i] = page_alloc(0, 0);
        TEST(p[i] != 0);
    }
    for (unsigned i = 0; i < 200; i++) {
        memset(phys_to_virt(p[i]), i % 2 ? 0 : 0xee, PAGE_SIZE);
        if (i % 2)
            page_free_zeroed(p[i]);
        else
            page_free(p[i], 0);
        TEST(page_of(p[i])->refs == 0 && page_of(p[i])->state != PAGE_USED); /* a second release panics */
    }
    mem_info(&m);
    TEST(m.cached > 0 && m.cached <= 96 * PAGE_SIZE && m.free == before);
    for (unsigned i = 0; i < 200; i++) { /* zeroed ones first, then others */
        p[i] = page_alloc(0, PAGE_ZERO);
        const uint64_t *w = phys_to_virt(p[i]);
        for (unsigned k = 0; k < PAGE_SIZE / 8; k++)
            TEST(w[k] == 0);
    }
    for (unsigned i = 0; i < 200; i++)
        page_free(p[i], 0);
    page_caches_drain();
    mem_info(&m);
    TEST(m.cached == 0 && m.free == before && page_accounts_match());
    return NULL;
}

/* All of memory in single pages, so that the last ones come out of the caches. */
SELFTEST(page_exhaustion) /* C-MEM-7 */
{
    uint64_t before = mem_free_bytes(), n = 0;
    phys_t list = 0, p;

    while ((p = page_alloc(0, 0)) != 0) {
        *(phys_t *)phys_to_virt(p) = list;
        list = p;
        n++;
    }
    struct info_memory m;
    mem_info(&m);
    bool all = m.free == m.promised && kmalloc(100000) == NULL && sums(&m);
    for (; list != 0; list = p) {
        p = *(phys_t *)phys_to_virt(list);
        page_free(list, 0);
    }
    TEST(all && n > 0 && mem_free_bytes() == before && page_accounts_match());
    return NULL;
}

SELFTEST(objects_on_demand) /* C-MEM-8 */
{
    const uint64_t bytes = 16ull << 20;
    struct info_memory before, now;
    struct memobj *m;

    mem_info(&before);
    m = memobj_create(bytes);
    mem_info(&now);
    if (m == NULL)
        return before.free < 2 * bytes ? NULL : "no object";
    TEST(now.objects == before.objects && now.promised == before.promised + bytes);
    for (uint64_t i = 0; i < bytes >> PAGE_SHIFT; i += 2) {
        const uint64_t *w = phys_to_virt(memobj_page(m, i));
        TEST(w[0] == 0 && w[511] == 0 && memobj_page_made(m, i + 1) == 0);
    }
    mem_info(&now);
    TEST(now.objects == before.objects + bytes / 2 && now.promised == before.promised + bytes / 2);
    memobj_unref(m);
    mem_info(&now);
    TEST(now.objects > before.objects); /* nobody waits while it goes, piece by piece */
    for (uint64_t end = now_ns() + NS_PER_S; now_ns() < end;) {
        timers_run();
        poll_run_pending();
        mem_info(&now);
        if (now.objects == before.objects)
            break;
    }
    TEST(now.objects == before.objects && now.promised == before.promised && page_accounts_match());
    return NULL;
}

/* At the limit of regions nothing can be added or cut in two, and everything can
 * be given back. */
SELFTEST(region_limit)
{
    struct address_space *as = as_create();
    uint64_t n = 0;

    TEST(as != NULL);
    while (vm_map_anon(as, AT + n * 4 * PAGE_SIZE, 3 * PAGE_SIZE, n % 2 ? VM_R : VM_R | VM_W) > 0)
        n++;
    TEST(n == VM_REGIONS_MAX);
    TEST(vm_unmap(as, AT + PAGE_SIZE, PAGE_SIZE) == -ENOMEM); /* a hole */
    TEST(vm_protect(as, AT + PAGE_SIZE, PAGE_SIZE, VM_R) == -ENOMEM);
    TEST(vm_protect(as, AT, 3 * PAGE_SIZE, VM_R) == 0);
    TEST(vm_unmap(as, AT, PAGE_SIZE) == 0); /* an edge */
    TEST(vm_unmap(as, AT + 2 * PAGE_SIZE, 3 * PAGE_SIZE) == 0); /* two edges at once */
    TEST(vm_unmap(as, AT, n * 4 * PAGE_SIZE) == 0 && as->nregions == 0 && as->anon_pages == 0);
    TEST(vm_map_anon(as, AT, PAGE_SIZE, VM_R) == (int64_t)AT);
    as_destroy(as);
    return page_accounts_match() ? NULL : "page accounts differ";
}

/* References and promises of shared pages, step by step. */
SELFTEST(copy_on_write) /* C-MEM-6 */
{
    struct address_space *a = as_create(), *b, *c;
    struct info_memory start, m;

    mem_info(&start);
    TEST(a != NULL && vm_map_anon(a, AT, 4 * PAGE_SIZE, VM_R | VM_W) == (int64_t)AT);
    TEST(vm_fault(a, AT, VM_W) && vm_fault(a, AT + PAGE_SIZE, VM_W));
    phys_t first = vm_lookup(a, AT);
    *(uint64_t *)phys_to_virt(first) = 1;
    b = as_fork(a, false);
    c = as_fork(b, true);
    TEST(b != NULL && c != NULL && vm_lookup(b, AT) == first && vm_lookup(c, AT) == first);
    mem_info(&m);
    TEST(m.anonymous == start.anonymous + 2 * PAGE_SIZE && m.promised == start.promised + 10 * PAGE_SIZE);
    TEST(vm_fault(b, AT, VM_R) && vm_lookup(b, AT) == first);
    TEST(vm_fault(b, AT, VM_W) && vm_lookup(b, AT) != first && vm_lookup(a, AT) == first);
    *(uint64_t *)phys_to_virt(vm_lookup(b, AT)) = 2;
    TEST(vm_fault(c, AT, VM_W) && vm_lookup(c, AT) != first);
    TEST(vm_fault(a, AT, VM_W) && vm_lookup(a, AT) == first && !page_shared(first)); /* the last keeps it */
    TEST(*(uint64_t *)phys_to_virt(first) == 1 && *(uint64_t *)phys_to_virt(vm_lookup(c, AT)) == 1);
    mem_info(&m);
    TEST(m.anonymous == start.anonymous + 4 * PAGE_SIZE && m.promised == start.promised + 8 * PAGE_SIZE);
    TEST(vm_protect(c, AT, 4 * PAGE_SIZE, VM_R) == 0 && !vm_fault(c, AT + PAGE_SIZE, VM_W));
    TEST(vm_protect(c, AT, 4 * PAGE_SIZE, VM_R | VM_W) == 0);
    phys_t second = vm_lookup(a, AT + PAGE_SIZE);
    TEST(vm_fault(c, AT + PAGE_SIZE, VM_W) && vm_lookup(c, AT + PAGE_SIZE) != second); /* still not its own */
    as_destroy(a);
    TEST(vm_unmap(b, AT, 2 * PAGE_SIZE) == 0);
    as_destroy(c);
    as_destroy(b);
    mem_info(&m);
    TEST(m.anonymous == start.anonymous && m.promised == start.promised && page_accounts_match());
    return NULL;
}
