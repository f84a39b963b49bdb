/* SPDX-License-Identifier: MIT
 *
 * kernel/selftest_mem.c: self-tests of pages, kernel memory, mappings, copies.
 *
 * Owns: nothing. Every test gives back all that it took and checks that.
 */
#include <kernel/buddy.h>
#include <kernel/cpu.h>
#include <kernel/log.h>
#include <kernel/paging.h>
#include <kernel/selftest.h>
#include <kernel/string.h>
#include <slipway/errno.h>

extern char kernel_text[], kernel_text_end[], kernel_rodata[], kernel_rodata_end[];
extern char kernel_data[], kernel_data_end[], boot_stack_guard[];

#define SEVERAL 64

SELFTEST(pages)
{
    uint64_t before = mem_free_bytes();
    phys_t p[SEVERAL];

    TEST(page_accounts_match());
    for (unsigned i = 0; i < SEVERAL; i++) {
        unsigned order = i % 5;
        p[i] = page_alloc(order, i % 2 ? PAGE_BELOW_4G : 0);
        TEST(p[i] != 0 && (p[i] & ((PAGE_SIZE << order) - 1)) == 0);
        memset(phys_to_virt(p[i]), 0xa5, PAGE_SIZE << order);
    }
    TEST(page_accounts_match());
    for (unsigned i = 0; i < SEVERAL; i += 2)
        page_free(p[i], i % 5);
    for (unsigned i = 1; i < SEVERAL; i += 2) {
        page_ref(p[i]);
        page_unref(p[i]);
        page_unref(p[i]);
    }
    TEST(mem_free_bytes() == before && page_accounts_match());
    phys_t z = page_alloc(0, PAGE_ZERO);
    const uint64_t *w = phys_to_virt(z);
    for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
        TEST(w[i] == 0);
    page_free(z, 0);
    TEST(page_alloc(BUDDY_MAX_ORDER + 1, 0) == 0);
    return NULL;
}

SELFTEST(commit)
{
    uint64_t before = mem_free_bytes();

    TEST(mem_commit(before >> PAGE_SHIFT) == -ENOMEM);
    uint64_t most = (before >> PAGE_SHIFT) - 64;
    TEST(mem_commit(most) == 0);
    phys_t a = page_alloc(6, 0); /* what is promised is not for others */
    phys_t b = page_alloc(6, 0);
    TEST(b == 0);
    phys_t c = page_alloc(0, PAGE_COMMITTED);
    TEST(c != 0);
    page_free(c, 0);
    mem_uncommit(most - 1);
    if (a != 0)
        page_free(a, 6);
    TEST(mem_free_bytes() == before && page_accounts_match());
    return NULL;
}

SELFTEST(kmalloc)
{
    static void *p[600];
    static uint8_t seed[600];
    uint32_t x = 12345;

    for (unsigned round = 0; round < 8; round++) {
        for (unsigned i = 0; i < 600; i++) {
            x = x * 1664525u + 1013904223u;
            size_t n = round < 6 ? (x >> 8) % 2100 : (x >> 8) % 64;
            p[i] = kmalloc(n);
            TEST(p[i] != NULL && ((uint64_t)p[i] & 15) == 0);
            TEST(n == 0 || n % 64 != 0 || ((uint64_t)p[i] & 63) == 0);
            seed[i] = (uint8_t)x;
            memset(p[i], seed[i], n);
            if (n > 0) {
                TEST(((uint8_t *)p[i])[0] == seed[i]);
            }
        }
        for (unsigned i = 0; i < 600; i++)
            kfree(p[(i * 7) % 600]);
    }
    TEST(kmalloc((PAGE_SIZE << BUDDY_MAX_ORDER) + 1) == NULL);
    kfree(NULL);
    uint64_t *z = kzalloc(4096);
    TEST(z != NULL && z[0] == 0 && z[511] == 0);
    kfree(z);
    return page_accounts_match() ? NULL : "page accounts differ";
}

/* No page of the kernel half is both writable and executable. */
static const char *check_half(const uint64_t *table, unsigned first, unsigned level)
{
    for (unsigned i = first; i < 512; i++) {
        uint64_t e = table[i];
        if (!(e & PTE_P))
            continue;
        if (level > 0 && !(e & PTE_PS)) {
            const char *why = check_half(phys_to_virt(e & PTE_ADDR), 0, level - 1);
            if (why != NULL)
                return why;
        } else if ((e & PTE_W) && !(e & PTE_NX)) {
            return "a page is writable and executable";
        } else if (e & PTE_U) {
            return "a kernel page is open to ring 3";
        }
    }
    return NULL;
}

SELFTEST(wx) /* C-MEM-2 */
{
    uint64_t size;

    const char *why = check_half(kernel_pml4, 256, 3);
    if (why != NULL)
        return why;
    TEST(kernel_pml4[0] == 0); /* the identity map is gone */
    for (char *p = kernel_text; p < kernel_rodata_end; p += PAGE_SIZE) {
        uint64_t e = pt_lookup(kernel_pml4, (uint64_t)p, &size);
        TEST((e & PTE_P) && !(e & PTE_W));
        TEST(p < kernel_text_end ? !(e & PTE_NX) : (e & PTE_NX) != 0);
        uint64_t alias = pt_lookup(kernel_pml4, DIRECT_MAP + image_phys(p), &size);
        TEST(!(alias & PTE_W) && (alias & PTE_NX));
    }
    for (char *p = kernel_data; p < kernel_data_end; p += PAGE_SIZE) {
        uint64_t e = pt_lookup(kernel_pml4, (uint64_t)p, &size);
        TEST(p == boot_stack_guard ? e == 0 : (e & PTE_W) && (e & PTE_NX));
    }
    return NULL;
}

#define AT 0x400000ull

SELFTEST(vm)
{
    uint64_t before = mem_free_bytes();
    struct address_space *as = as_create();

    TEST(as != NULL);
    vm_set_limit(as, 1 << 20);
    TEST(vm_map_anon(as, AT, 4 * PAGE_SIZE, VM_R | VM_W) == (int64_t)AT);
    TEST(vm_map_anon(as, AT + 3 * PAGE_SIZE, PAGE_SIZE, VM_R) == -EEXIST);
    TEST(vm_map_anon(as, AT + 8 * PAGE_SIZE, PAGE_SIZE, VM_W | VM_X) == -EINVAL);
    TEST(vm_map_anon(as, AT + 8 * PAGE_SIZE + 1, PAGE_SIZE, VM_R) == -EINVAL);
    TEST(vm_map_anon(as, USER_END - PAGE_SIZE, 2 * PAGE_SIZE, VM_R) == -EINVAL);
    TEST(vm_map_anon(as, 0xffff800000000000ull, PAGE_SIZE, VM_R) == -EINVAL);
    TEST(vm_map_anon(as, 0, UINT64_MAX, VM_R) == -EINVAL);
    TEST(vm_map_anon(as, 0, 0, VM_R) == -EINVAL);
    TEST(vm_map_anon(as, 0, 2 << 20, VM_R) == -ENOMEM); /* limit */
    TEST(vm_lookup(as, AT) == 0);
    TEST(vm_fault(as, AT + 5, VM_W) && vm_lookup(as, AT + 5) % PAGE_SIZE == 5);
    TEST(!vm_fault(as, AT, VM_X) && !vm_fault(as, AT + 4 * PAGE_SIZE, VM_R) && !vm_fault(as, 0, VM_R));
    TEST(vm_protect(as, AT + PAGE_SIZE, PAGE_SIZE, VM_R) == 0);
    TEST(!vm_fault(as, AT + PAGE_SIZE, VM_W) && vm_fault(as, AT + PAGE_SIZE, VM_R));
    TEST(vm_protect(as, AT, 4 * PAGE_SIZE, VM_W | VM_X) == -EINVAL);
    TEST(vm_protect(as, AT, 5 * PAGE_SIZE, VM_R) == -ENOMEM);
    TEST(vm_unmap(as, AT + PAGE_SIZE, PAGE_SIZE) == 0);
    TEST(!vm_fault(as, AT + PAGE_SIZE, VM_R) && vm_fault(as, AT + 2 * PAGE_SIZE, VM_R));
    int64_t a = vm_map_anon(as, 0, 64 * 1024, VM_R | VM_W), b = vm_map_anon(as, 0, 64 * 1024, VM_R);
    TEST(a > 0 && b > 0 && a != b);
    struct memobj *m = memobj_create(3 * PAGE_SIZE);
    TEST(m != NULL);
    int64_t c = vm_map_object(as, 0, m, PAGE_SIZE, 2 * PAGE_SIZE, VM_R);
    TEST(c > 0 && vm_fault(as, (uint64_t)c, VM_R) && vm_lookup(as, (uint64_t)c) == memobj_page(m, 1));
    TEST(vm_protect(as, (uint64_t)c, PAGE_SIZE, VM_R | VM_W) == -EACCES);
    TEST(vm_map_object(as, 0, m, 2 * PAGE_SIZE, 2 * PAGE_SIZE, VM_R) == -EINVAL);
    TEST(memobj_page_made(m, 0) == 0 && memobj_page_made(m, 1) != 0);
    memobj_unref(m);
    TEST(vm_unmap(as, AT, 64 * PAGE_SIZE) == 0);
    as_destroy(as);
    kfree(kmalloc(1));
    TEST(page_accounts_match());
    TEST(before - mem_free_bytes() <= 4 * PAGE_SIZE); /* slabs may stay */
    return NULL;
}

SELFTEST(usercopy) /* C-MEM-3 */
{
    struct address_space *as = as_create();
    char buf[200], back[200];

    TEST(as != NULL && vm_map_anon(as, AT, 2 * PAGE_SIZE, VM_R | VM_W) == (int64_t)AT);
    TEST(vm_fault(as, AT, VM_W) && vm_fault(as, AT + PAGE_SIZE, VM_W));
    as_switch(as);
    for (unsigned i = 0; i < sizeof buf; i++)
        buf[i] = (char)(i * 7 + 1);
    const char *why = NULL;
    for (unsigned n = 0; n <= sizeof buf && why == NULL; n++) {
        memset(back, 0, sizeof back);
        if (copy_to_user(AT + PAGE_SIZE - 77, buf, n) != 0 ||
            copy_from_user(back, AT + PAGE_SIZE - 77, n) != 0 || memcmp(buf, back, n) != 0)
            why = "a copy of good memory failed";
    }
    uint64_t end = AT + 2 * PAGE_SIZE;
    if (copy_from_user(back, end - 3, 4) != -EFAULT || copy_to_user(end - 100, buf, 101) != -EFAULT ||
        copy_from_user(back, end, 8) != -EFAULT || copy_from_user(back, 0, 8) != -EFAULT)
        why = "a copy over the end of a mapping did not fail";
    if (copy_from_user(back, (uint64_t)buf, 8) != -EFAULT ||
        copy_to_user((uint64_t)buf, back, 8) != -EFAULT || copy_from_user(back, USER_END - 4, 8) != -EFAULT ||
        copy_from_user(back, UINT64_MAX - 3, 8) != -EFAULT || copy_from_user(back, AT, SIZE_MAX) != -EFAULT)
        why = "a copy of kernel addresses did not fail";
    copy_to_user(end - 4, "abc", 4);
    if (copy_string_from_user(back, end - 4, 8) != 3 || strcmp(back, "abc") != 0 ||
        copy_string_from_user(back, end - 4, 3) != -ENAMETOOLONG)
        why = "a string copy is wrong";
    copy_to_user(end - 4, "abcd", 4);
    if (copy_string_from_user(back, end - 4, 8) != -EFAULT)
        why = "a string without end did not fail";
    vm_protect(as, AT, PAGE_SIZE, VM_R);
    if (copy_to_user(AT, buf, 1) != -EFAULT || copy_from_user(back, AT, 1) != 0)
        why = "read-only memory was written";
    as_switch(NULL);
    as_destroy(as);
    return why;
}

SELFTEST(symbols)
{
    char name[64];

    symbolise((uint64_t)page_alloc, name, sizeof name);
    TEST(strcmp(name, "page_alloc+0x0") == 0);
    return NULL;
}

SELFTEST(kstack)
{
    void *a = kstack_alloc(), *b = kstack_alloc();

    TEST(a != NULL && b != NULL && a != b);
    TEST(kernel_readable((uint64_t)a - 8) && kernel_readable((uint64_t)a - KSTACK_SIZE));
    TEST(!kernel_readable((uint64_t)a - KSTACK_SIZE - 8));
    memset((char *)a - KSTACK_SIZE, 1, KSTACK_SIZE);
    kstack_free(a);
    kstack_free(b);
    return page_accounts_match() ? NULL : "page accounts differ";
}
