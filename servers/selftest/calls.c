/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/calls.c: bad arguments, memory, handles: what the kernel
 * answers to a process that asks for something impossible.
 */
#include "selftest.h"
#include <string.h>

#define KERNEL_ADDRESS 0xffff800000000000ull
#define NON_CANONICAL 0x0000800000000000ull
#define USER_TOP 0x00007ffffffff000ull
#define PAGE 4096u

static long raw_call(uint64_t number)
{
    return __sys_raw((long)number, 0, 0, 0, 0, 0);
}

static const char *unknown_numbers(void)
{
    CHECK(raw_call(SYS_null) == 0);
    CHECK(raw_call(SYS_MAX - 2) == -ENOSYS);
    CHECK(raw_call(SYS_MAX - 1) == -ENOSYS);
    CHECK(raw_call(SYS_MAX) == -ENOSYS);
    CHECK(raw_call(UINT64_MAX) == -ENOSYS);
    CHECK(raw_call(1ull << 32) == -ENOSYS);
    return NULL;
}

static const char *bad_pointers(void) /* C-MEM-3 */
{
    static const uint64_t bad[] = {0,          8, KERNEL_ADDRESS, NON_CANONICAL, UINT64_MAX, UINT64_MAX - 7,
                                   USER_TOP - 4};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        void *p = (void *)(uintptr_t)bad[i];
        CHECK(sys_clock_get(SYS_CLOCK_MONOTONIC, p) == -EFAULT);
        CHECK(sys_random(p, 16, 0) == -EFAULT);
        CHECK(sys_console_write(p, 16) == -EFAULT);
        CHECK(sys_log_write(2, p, 16) == -EFAULT);
        CHECK(sys_spawn(p) == -EFAULT);
        CHECK(sys_thread_create(p) == -EFAULT);
        CHECK(sys_wait(p, 1, 0) == -EFAULT);
        CHECK(sys_name_lookup(p) == -EFAULT);
        CHECK(sys_info(INFO_SYSTEM, 0, p, sizeof(struct info_system)) == -EFAULT);
        CHECK(sys_initrd_open(p) == -EFAULT);
        CHECK(sys_futex_wake(p, 1) == (bad[i] % 4 != 0 ? -EINVAL : -EFAULT));
    }
    return NULL;
}

static const char *flags_survive(void)
{
    uint64_t before, after;

    /* The red zone, the direction flag's default and the callee-saved registers
     * are as before; rcx and r11 are what SYSCALL makes them. */
    __asm__ volatile("pushfq; popq %0; movl %2, %%eax; syscall; pushfq; popq %1"
                     : "=&r"(before), "=&r"(after)
                     : "i"(SYS_null)
                     : "rax", "rcx", "r11", "memory", "cc");
    CHECK(((before ^ after) & 0x400) == 0);
    CHECK((after & 0x200) != 0);
    return NULL;
}

static const char *memory(void) /* C-MEM-2 */
{
    int64_t a = sys_mem_map(0, 3 * PAGE, PROT_R | PROT_W);
    volatile uint8_t *p = (uint8_t *)(uintptr_t)a;

    CHECK(a > 0 && a % PAGE == 0);
    CHECK(p[0] == 0 && p[3 * PAGE - 1] == 0);
    p[PAGE] = 7;
    CHECK(sys_mem_map(0, PAGE, PROT_W | PROT_X) == -EINVAL);
    CHECK(sys_mem_map(0, PAGE, 8) == -EINVAL);
    CHECK(sys_mem_map(0, 0, PROT_R) == -EINVAL);
    CHECK(sys_mem_map(0, UINT64_MAX, PROT_R) < 0);
    CHECK(sys_mem_map((uint64_t)a + 1, PAGE, PROT_R) == -EINVAL);
    CHECK(sys_mem_map((uint64_t)a, PAGE, PROT_R) == -EEXIST);
    CHECK(sys_mem_map(KERNEL_ADDRESS, PAGE, PROT_R) == -EINVAL);
    CHECK(sys_mem_map(0, 1ull << 40, PROT_R | PROT_W) == -ENOMEM);
    CHECK(sys_mem_protect((uint64_t)a, PAGE, PROT_R | PROT_W | PROT_X) == -EINVAL);
    CHECK(sys_mem_protect((uint64_t)a + PAGE, PAGE, PROT_R) == 0);
    CHECK(p[PAGE] == 7);
    CHECK(sys_clock_get(0, (uint64_t *)(uintptr_t)(a + PAGE)) == -EFAULT);
    CHECK(sys_clock_get(0, (uint64_t *)(uintptr_t)(a + PAGE - 4)) == -EFAULT); /* half of it */
    CHECK(sys_mem_unmap((uint64_t)a, 3 * PAGE) == 0);
    CHECK(sys_clock_get(0, (uint64_t *)(uintptr_t)a) == -EFAULT);
    return NULL;
}

/* Two pages and 16 TiB of nothing between them: giving all that back walks what
 * is there, not what could be. */
static const char *sparse_memory(void)
{
    const uint64_t low = 0x10000000, bytes = 0x100000000000ull; /* below all images and stacks */
    uint64_t start;

    CHECK(sys_mem_map(low, PAGE, PROT_R | PROT_W) == (int64_t)low);
    CHECK(sys_mem_map(low + bytes - PAGE, PAGE, PROT_R | PROT_W) == (int64_t)(low + bytes - PAGE));
    start = sys_now_ns();
    CHECK(sys_mem_unmap(low, bytes) == 0);
    CHECK(sys_now_ns() - start < 5000000);
    CHECK(sys_mem_map(low, PAGE, PROT_R) == (int64_t)low && sys_mem_unmap(low, PAGE) == 0);
    return NULL;
}

static uint64_t memory_used(uint64_t *limit)
{
    struct info_process p;

    for (uint64_t i = 0; sys_info(INFO_PROCESS, i, &p, sizeof(p)) > 0; i++) {
        if (p.pid == (uint32_t)sys_getpid()) {
            *limit = p.memory_limit;
            return p.memory_bytes;
        }
    }
    return 0;
}

/* Page tables come back, too, when a range that had a GiB for itself goes at once. */
static const char *tables_come_back(void)
{
    const uint64_t low = 0x10000000, bytes = 64ull << 20;
    uint64_t limit, before = memory_used(&limit);

    for (uint64_t at = low; at < low + bytes; at += 2 << 20)
        CHECK(sys_mem_map(at, PAGE, PROT_R | PROT_W) == (int64_t)at);
    CHECK(memory_used(&limit) >= before + 2 * 32 * PAGE);
    CHECK(sys_mem_unmap(low, bytes) == 0);
    CHECK(memory_used(&limit) == before);
    return NULL;
}

static const char *handles(void) /* C-MEM-4 */
{
    int e = sys_endpoint_create(1), stale = e;
    struct sys_msg m;

    CHECK(e >= 0);
    CHECK(sys_handle_close(e) == 0);
    CHECK(sys_handle_close(stale) == -EBADF);
    e = sys_endpoint_create(1); /* the same slot, another generation */
    CHECK(e >= 0 && e != stale);
    CHECK(sys_recv(stale, &m, 0) == -EBADF);
    CHECK(sys_handle_close(e) == 0);
    CHECK(sys_handle_close(-1) == -EBADF);
    CHECK(sys_handle_close(0x7fffffff) == -EBADF);
    CHECK(sys_endpoint_create(0) == -EINVAL);
    CHECK(sys_endpoint_create(100000) == -EINVAL);
    return NULL;
}

static const char *handles_run_out(void)
{
    static int all[3000];
    int n = 0, r;

    while (n < 3000 && (r = sys_endpoint_create(1)) >= 0)
        all[n++] = r;
    CHECK(n > 100 && n < 3000);
    CHECK(r == -EMFILE || r == -ENOMEM);
    for (int i = 0; i < n; i++)
        CHECK(sys_handle_close(all[i]) == 0);
    r = sys_endpoint_create(1);
    CHECK(r >= 0);
    sys_handle_close(r);
    return NULL;
}

/* An object that is mapped counts as long as it is, handle or not. */
static const char *mapped_objects_count(void)
{
    uint64_t limit, before = memory_used(&limit), half = (limit - before) / 2 & ~(uint64_t)(PAGE - 1);
    int h = sys_memobj_create(64 * PAGE);
    int64_t a;

    CHECK(before != 0 && h >= 0);
    a = sys_memobj_map(h, 0, 0, 64 * PAGE, PROT_R | PROT_W);
    CHECK(a > 0 && sys_handle_close(h) == 0);
    CHECK(memory_used(&limit) >= before + 64 * PAGE);
    CHECK(sys_mem_unmap((uint64_t)a, 64 * PAGE) == 0);
    CHECK(memory_used(&limit) == before);
    h = sys_memobj_create(half); /* and objects and plain memory share one limit */
    CHECK(h >= 0);
    CHECK(sys_mem_map(0, half + 64 * PAGE, PROT_R | PROT_W) == -ENOMEM);
    CHECK(sys_handle_close(h) == 0);
    a = sys_mem_map(0, half + 64 * PAGE, PROT_R | PROT_W);
    CHECK(a > 0 && sys_mem_unmap((uint64_t)a, half + 64 * PAGE) == 0);
    return NULL;
}

static const char *memory_objects(void)
{
    int h = sys_memobj_create(2 * PAGE);
    int64_t a, b;
    uint64_t bytes = 0;

    CHECK(h >= 0);
    a = sys_memobj_map(h, 0, 0, 2 * PAGE, PROT_R | PROT_W);
    b = sys_memobj_map(h, 0, PAGE, PAGE, PROT_R);
    CHECK(a > 0 && b > 0);
    *(volatile uint32_t *)(uintptr_t)(a + PAGE) = 4711;
    CHECK(*(volatile uint32_t *)(uintptr_t)b == 4711);
    CHECK(sys_memobj_map(h, 0, 0, 3 * PAGE, PROT_R) == -EINVAL);
    CHECK(sys_memobj_map(h, 0, 1, PAGE, PROT_R) == -EINVAL);
    CHECK(sys_memobj_map(h, 0, 0, PAGE, PROT_W | PROT_X) == -EINVAL);
    CHECK(sys_handle_close(h) == 0);
    CHECK(*(volatile uint32_t *)(uintptr_t)b == 4711); /* mappings keep the pages */
    CHECK(sys_mem_unmap((uint64_t)a, 2 * PAGE) == 0 && sys_mem_unmap((uint64_t)b, PAGE) == 0);
    CHECK(sys_memobj_create(0) == -EINVAL);
    CHECK(sys_memobj_create(1ull << 40) == -ENOMEM);
    CHECK(mapped_objects_count() == NULL);

    h = sys_initrd_open(&bytes);
    CHECK(h >= 0 && bytes > 512);
    CHECK(sys_memobj_map(h, 0, 0, bytes, PROT_R | PROT_W) == -EACCES);
    a = sys_memobj_map(h, 0, 0, bytes, PROT_R);
    CHECK(a > 0 && memcmp((char *)(uintptr_t)a + 257, "ustar", 5) == 0);
    CHECK(sys_mem_protect((uint64_t)a, PAGE, PROT_R | PROT_W) == -EACCES);
    CHECK(sys_mem_unmap((uint64_t)a, bytes) == 0 && sys_handle_close(h) == 0);
    return NULL;
}

static const char *waiting(void) /* C-TIME-2 */
{
    static struct wait_item items[WAIT_ITEMS_MAX];
    int e = sys_endpoint_create(1), h = sys_memobj_create(PAGE);
    uint64_t start;

    CHECK(e >= 0 && h >= 0);
    CHECK(sys_wait(NULL, 0, 0) == -EAGAIN);
    start = sys_now_ns();
    CHECK(sys_wait(NULL, 0, start + 5000000) == -ETIMEDOUT);
    CHECK(sys_now_ns() - start >= 5000000);
    CHECK(sys_wait(NULL, 0, start) == -ETIMEDOUT); /* long past */
    CHECK(sys_wait(items, WAIT_ITEMS_MAX + 1, 0) == -EINVAL);
    CHECK(sys_wait(items, 1, 0) == -EINVAL); /* kind 0 */
    for (int i = 0; i < WAIT_ITEMS_MAX; i++)
        items[i] = (struct wait_item){.kind = WAIT_HANDLE, .handle = e, .want = READY_IN};
    CHECK(sys_wait(items, WAIT_ITEMS_MAX, 0) == -EAGAIN);
    CHECK(sys_notify(e, 1) == 0);
    CHECK(sys_wait(items, WAIT_ITEMS_MAX, 0) == WAIT_ITEMS_MAX);
    CHECK(items[0].got == READY_IN && items[WAIT_ITEMS_MAX - 1].got == READY_IN);
    items[0].want = 0;
    CHECK(sys_wait(items, 2, 0) == 1 && items[0].got == 0);
    items[1].handle = h; /* cannot be waited for */
    CHECK(sys_wait(items, 2, 0) == -EINVAL);
    items[1].handle = 12345;
    CHECK(sys_wait(items, 2, 0) == -EBADF);
    sys_handle_close(e);
    sys_handle_close(h);
    return NULL;
}

static const char *status(void)
{
    struct info_process p;
    struct info_system s;
    char line[1024];
    bool found = false;

    CHECK(sys_info(INFO_SYSTEM, 0, &s, sizeof(s)) == sizeof(s));
    CHECK(s.memory_free < s.memory_total && s.processes >= 1 && s.cpus >= 1 && s.version[0] != 0);
    CHECK(sys_info(INFO_SYSTEM, 1, &s, sizeof(s)) == 0);
    CHECK(sys_info(INFO_SYSTEM, 0, &s, 48) == 48); /* a shorter record of old */
    CHECK(sys_info(INFO_CMDLINE, 0, line, sizeof(line)) > 0);
    CHECK(sys_info(99, 0, line, sizeof(line)) == -EINVAL);
    for (uint64_t i = 0; sys_info(INFO_PROCESS, i, &p, sizeof(p)) > 0; i++)
        found = found || (p.pid == (uint32_t)sys_getpid() && p.threads == 1 && p.memory_bytes > 0);
    CHECK(found);
    return NULL;
}

static const char *randomness(void)
{
    uint8_t a[64], b[64];

    memset(a, 0, sizeof(a));
    memset(b, 0, sizeof(b));
    CHECK(sys_random(a, sizeof(a), 0) == sizeof(a));
    CHECK(sys_random(b, sizeof(b), RANDOM_NONBLOCK) == sizeof(b));
    CHECK(memcmp(a, b, sizeof(a)) != 0);
    CHECK(sys_random(a, 0, 0) == 0);
    CHECK(sys_random(a, 8, 2) == -EINVAL);
    int64_t big = sys_mem_map(0, 1 << 20, PROT_R | PROT_W);
    CHECK(big > 0 && sys_random((void *)(uintptr_t)big, 1 << 20, 0) == 1 << 16);
    CHECK(sys_mem_unmap((uint64_t)big, 1 << 20) == 0);
    CHECK(sys_random(a, 1ull << 40, 0) == -EINVAL);
    return NULL;
}

const struct test calls_tests[] = {
    {"unknown-numbers", unknown_numbers},
    {"bad-pointers", bad_pointers},
    {"flags-survive", flags_survive},
    {"memory", memory},
    {"sparse-memory", sparse_memory},
    {"tables-come-back", tables_come_back},
    {"handles", handles},
    {"handles-run-out", handles_run_out},
    {"memory-objects", memory_objects},
    {"waiting", waiting},
    {"status", status},
    {"randomness", randomness},
    {NULL, NULL},
};
