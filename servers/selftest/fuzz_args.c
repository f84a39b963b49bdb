/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/fuzz_args.c: hostile arguments; see fuzz_args.h.
 */
#include "fuzz_args.h"
#include "selftest.h"
#include <string.h>

#define PAGE 4096ull
#define AREA_PAGES 8
#define HOLE 3
#define READ_ONLY 5
#define WINDOW 0x20000000ull /* below all images and stacks: what mem_unmap may hit */
#define WINDOW_BYTES (1ull << 20)
#define OBJECT_BYTES (4 * PAGE)
#define LONGEST_WAIT_NS 200000

enum kind { KIND_NONE, KIND_VALUE, KIND_POINTER, KIND_HANDLE, KIND_BYTES, KIND_DEADLINE, KIND_ADDRESS, KIND_PID };

static const char *const declarations[SYS_MAX] = {
#define SYSCALL(number, name, arguments, ...) [number] = arguments,
#include <slipway/syscalls.def>
#undef SYSCALL
};
static uint8_t kinds[SYS_MAX][6];
static uint64_t area, object, rings, initrd, ring_bytes, initrd_bytes;
static int handles[8];
static unsigned nhandles;
static const char path[] = "bin/echo";

/* --- chance --- */

uint64_t fuzz_chance(struct fuzz *f, uint64_t n)
{
    uint64_t z = f->state += 0x9e3779b97f4a7c15; /* SplitMix64 */

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) % n;
}

static uint64_t junk(struct fuzz *f)
{
    return fuzz_chance(f, UINT64_MAX) >> fuzz_chance(f, 64);
}

/* --- what the calls want --- */

static bool has_word(const char *d, size_t n, const char *word)
{
    size_t len = strlen(word);

    for (size_t i = 0; i + len <= n; i++)
        if (memcmp(d + i, word, len) == 0)
            return true;
    return false;
}

static enum kind kind_of(const char *d, size_t n)
{
    if (memchr(d, '*', n) || memchr(d, '[', n))
        return KIND_POINTER;
    if (has_word(d, n, "deadline") || has_word(d, n, "_ns") || has_word(d, n, "timeout"))
        return KIND_DEADLINE;
    if (n >= 4 && memcmp(d, "int ", 4) == 0)
        return KIND_HANDLE;
    if (has_word(d, n, "addr"))
        return KIND_ADDRESS;
    if (has_word(d, n, "bytes"))
        return KIND_BYTES;
    return has_word(d, n, "pid") ? KIND_PID : KIND_VALUE;
}

static void read_declarations(void)
{
    for (unsigned number = 0; number < SYS_MAX; number++) {
        const char *d = declarations[number] ? declarations[number] + 1 : ")";
        for (unsigned i = 0; i < 6 && *d != ')'; i++) {
            size_t n = strcspn(d, ",)");
            kinds[number][i] = kind_of(d, n);
            d += n;
            d += strspn(d, ", ");
        }
    }
}

static void keep_handle(int h)
{
    if (h >= 0)
        handles[nhandles++] = h;
}

int fuzz_init(void)
{
    struct sys_net_open o = {.rx_bytes = 65536, .tx_entries = 64, .arena_bytes = 65536};
    int memory = sys_memobj_create(OBJECT_BYTES), archive = sys_initrd_open(&initrd_bytes);
    int32_t ends[2] = {-1, -1};

    read_declarations();
    area = (uint64_t)sys_mem_map(0, AREA_PAGES * PAGE, PROT_R | PROT_W);
    object = (uint64_t)sys_memobj_map(memory, 0, 0, OBJECT_BYTES, PROT_R | PROT_W);
    initrd = (uint64_t)sys_memobj_map(archive, 0, 0, initrd_bytes, PROT_R);
    keep_handle(memory);
    keep_handle(archive);
    keep_handle(sys_endpoint_create(8));
    keep_handle(sys_name_lookup("selftest"));
    keep_handle(sys_net_open(&o));
    __sys_raw3(SYS_pipe_create, (uint64_t)(uintptr_t)ends, 0, 0);
    keep_handle(ends[0]);
    keep_handle(ends[1]);
    rings = o.base;
    ring_bytes = o.bytes;
    if ((int64_t)(area | object | initrd) < 0 || rings == 0 || nhandles < 6)
        return -ENOMEM;
    int r = sys_mem_unmap(area + HOLE * PAGE, PAGE);
    return r < 0 ? r : sys_mem_protect(area + READ_ONLY * PAGE, PAGE, PROT_R);
}

/* --- arguments --- */

static uint64_t a_length(struct fuzz *f)
{
    static const uint64_t odd[] = {PAGE - 1,   PAGE,           PAGE + 1,  0xffff,       0x10000,         0x10001,
                                   1ull << 31, UINT32_MAX,     1ull << 32, (1ull << 47) - 1, 1ull << 47, INT64_MAX,
                                   1ull << 63, UINT64_MAX - 4095, UINT64_MAX};

    switch (fuzz_chance(f, 4)) {
    case 0:
        return odd[fuzz_chance(f, sizeof(odd) / sizeof(odd[0]))];
    case 1:
        return fuzz_chance(f, 3 * PAGE);
    default:
        return fuzz_chance(f, 200);
    }
}

static int a_handle(struct fuzz *f)
{
    switch (fuzz_chance(f, 8)) {
    case 0:
        return (int)junk(f);
    case 1:
        return (int)fuzz_chance(f, 4) - 2;
    case 2:
    case 3:
        return f->made[fuzz_chance(f, sizeof(f->made) / sizeof(f->made[0]))];
    default:
        return handles[fuzz_chance(f, nhandles)];
    }
}

static uint64_t somewhere(struct fuzz *f)
{
    static const uint64_t ends[] = {0,
                                    PAGE,
                                    0x10000,
                                    (1ull << 47) - PAGE,
                                    1ull << 47,
                                    0xffff800000000000,
                                    0xffffffff80000000,
                                    0xffffffff80100000,
                                    0x7ffffffffffffff0,
                                    0x8000000000000000};

    return ends[fuzz_chance(f, sizeof(ends) / sizeof(ends[0]))];
}

/* In, across and beyond: a little before or after the end of something. */
static uint64_t around(struct fuzz *f, uint64_t end)
{
    uint64_t away = fuzz_chance(f, 2) ? fuzz_chance(f, 17) : fuzz_chance(f, 26) * 8;

    return fuzz_chance(f, 4) == 0 ? end + away : end - away;
}

static uint64_t a_value(struct fuzz *f);

static int32_t a_word(struct fuzz *f)
{
    switch (fuzz_chance(f, 8)) {
    case 0:
        return -1;
    case 1:
    case 2:
        return a_handle(f);
    case 3:
    case 4:
        return (int32_t)a_value(f);
    default:
        return (int32_t)fuzz_chance(f, 4);
    }
}

/* Something like a structure at `at`, up to the end of its page. */
static void fill(struct fuzz *f, uint64_t at)
{
    uint64_t end = (at | (PAGE - 1)) + 1;

    for (unsigned i = 0; i < 20 && at + 8 <= end; i++) {
        if (fuzz_chance(f, 2)) {
            int32_t two[2] = {a_word(f), a_word(f)};
            memcpy((void *)at, two, 8);
        } else {
            uint64_t v = fuzz_chance(f, 3) ? a_value(f) : fuzz_chance(f, 2) ? a_length(f) : area + fuzz_chance(f, PAGE);
            memcpy((void *)at, &v, 8);
        }
        at += 8;
    }
}

static void put_text(struct fuzz *f, uint64_t at)
{
    static const char name[] = "selftest";

    if (fuzz_chance(f, 2))
        memcpy((void *)at, path, sizeof(path));
    else
        memcpy((void *)at, name, sizeof(name));
}

/* Pages of the area that can be written. */
static uint64_t writable_page(struct fuzz *f)
{
    static const uint8_t good[] = {0, 1, 2, 4, 6, 7};

    return area + good[fuzz_chance(f, sizeof(good))] * PAGE;
}

static uint64_t a_pointer(struct fuzz *f)
{
    uint64_t at;

    switch (fuzz_chance(f, 12)) {
    case 0:
        return around(f, somewhere(f));
    case 1:
        return junk(f);
    case 2:
        return around(f, rings + (fuzz_chance(f, 2) ? ring_bytes : 0));
    case 3:
        return rings + fuzz_chance(f, ring_bytes);
    case 4:
        return around(f, fuzz_chance(f, 2) ? object + OBJECT_BYTES
                                           : initrd + ((initrd_bytes + PAGE - 1) & ~(PAGE - 1)));
    case 5:
        return (uint64_t)(uintptr_t)path + fuzz_chance(f, 8); /* constant, and not to be executed */
    case 6:
    case 7:
        return around(f, area + fuzz_chance(f, AREA_PAGES + 1) * PAGE);
    case 8:
        at = writable_page(f) + fuzz_chance(f, PAGE - 16);
        put_text(f, at);
        return at;
    default:
        at = writable_page(f) + fuzz_chance(f, PAGE / 8) * 8;
        fill(f, at);
        return at;
    }
}

/* For calls that change the map: nothing that the fuzzer itself stands on. */
static uint64_t an_address(struct fuzz *f)
{
    switch (fuzz_chance(f, 6)) {
    case 0:
        return f->wild ? a_pointer(f) : 0;
    case 1:
        return (1ull << 47) + junk(f) % (UINT64_MAX >> 1);
    case 2:
        return WINDOW + fuzz_chance(f, WINDOW_BYTES);
    default:
        return WINDOW + fuzz_chance(f, WINDOW_BYTES / PAGE) * PAGE;
    }
}

static uint64_t a_deadline(struct fuzz *f)
{
    uint64_t now = 0;

    switch (fuzz_chance(f, 4)) {
    case 0:
        sys_clock_get(SYS_CLOCK_MONOTONIC, &now);
        return now + fuzz_chance(f, LONGEST_WAIT_NS);
    case 1:
        return fuzz_chance(f, 1000);
    default:
        return 0;
    }
}

static uint64_t a_pid(struct fuzz *f)
{
    switch (fuzz_chance(f, 4)) {
    case 0:
        return f->witness;
    case 1:
        return fuzz_chance(f, 4);
    case 2:
        return f->wild ? (uint64_t)sys_getpid() : 1;
    default:
        return INT32_MAX + fuzz_chance(f, 1ull << 33);
    }
}

static uint64_t a_value(struct fuzz *f)
{
    switch (fuzz_chance(f, 8)) {
    case 0:
        return junk(f);
    case 1:
        return ~fuzz_chance(f, 4);
    case 2:
        return 1ull << fuzz_chance(f, 64);
    case 3:
    case 4:
        return fuzz_chance(f, 4);
    default:
        return fuzz_chance(f, 20);
    }
}

/* What nearly makes sense gets further than noise. */
static void shape(struct fuzz *f, uint64_t number, uint64_t at)
{
    struct wait_item item = {.kind = 1 + (uint32_t)fuzz_chance(f, 2), .want = (uint32_t)fuzz_chance(f, 8)};
    struct sys_msg m = {.type = (uint32_t)fuzz_chance(f, 4), .handle = fuzz_chance(f, 2) ? -1 : a_handle(f)};
    struct sys_net_open o = {.rx_bytes = (uint32_t)a_length(f), .tx_entries = 64, .arena_bytes = 65536};
    struct net_port_op op = {
        .endpoint = a_handle(f), .target_pid = (int32_t)f->witness, .flags = (uint32_t)fuzz_chance(f, 3)};

    switch (number) {
    case SYS_wait:
        item.handle = a_handle(f);
        item.addr = writable_page(f) + fuzz_chance(f, PAGE / 4) * 4;
        memcpy((void *)at, &item, sizeof(item));
        break;
    case SYS_call:
    case SYS_send:
    case SYS_reply:
    case SYS_reply_recv:
        m.len = (uint32_t)fuzz_chance(f, 68);
        memcpy((void *)at, &m, sizeof(m));
        break;
    case SYS_net_open:
        memcpy((void *)at, &o, sizeof(o));
        break;
    case SYS_port_register:
    case SYS_port_unregister:
    case SYS_port_transfer:
        op.key = (struct net_port_key){.family = NET_INET, .proto = NET_UDP, .link = LINK_ANY};
        op.key.port_lo = op.key.port_hi = (uint16_t)(7000 + fuzz_chance(f, 12));
        memcpy((void *)at, &op, sizeof(op));
        break;
    default:
        break;
    }
}

static uint64_t a_shaped_pointer(struct fuzz *f, uint64_t number)
{
    uint64_t at = writable_page(f) + fuzz_chance(f, 400) * 8; /* the page holds what is shaped */

    fill(f, at);
    shape(f, number, at);
    return at;
}

static uint64_t argument(struct fuzz *f, uint64_t number, unsigned i)
{
    enum kind kind = number < SYS_MAX ? (enum kind)kinds[number][i] : KIND_VALUE;

    if (kind != KIND_DEADLINE && kind != KIND_ADDRESS && kind != KIND_PID && fuzz_chance(f, 16) == 0)
        kind = (enum kind)(KIND_VALUE + fuzz_chance(f, 3));
    switch (kind) {
    case KIND_POINTER:
        return fuzz_chance(f, 2) ? a_shaped_pointer(f, number) : a_pointer(f);
    case KIND_HANDLE: /* what all need is not closed first of all */
        return number == SYS_handle_close && fuzz_chance(f, 64) != 0 ? (uint64_t)f->made[fuzz_chance(f, 16)]
                                                                     : (uint64_t)(int64_t)a_handle(f);
    case KIND_BYTES:
        return a_length(f);
    case KIND_DEADLINE:
        return a_deadline(f);
    case KIND_ADDRESS:
        return an_address(f);
    case KIND_PID:
        return a_pid(f);
    case KIND_NONE:
        return junk(f);
    default:
        return a_value(f);
    }
}

/* --- calls --- */

/* What ends or ruins the caller by design is for processes that may die of it. */
static bool ruinous(uint64_t number)
{
    switch (number) {
    case SYS_exit:
    case SYS_thread_create:
    case SYS_thread_exit:
    case SYS_spawn:
    case SYS_fork:
    case SYS_exec:
    case SYS_signal_setup:
    case SYS_signal_return:
    case SYS_thread_signal:
    case SYS_process_control:
        return true;
    default:
        return false;
    }
}

/* These are honest work, and much of it, or a line on the console. */
static bool dear(uint64_t number)
{
    return number == SYS_log_write || number == SYS_random || number == SYS_info || number == SYS_net_info;
}

static uint64_t a_number(struct fuzz *f)
{
    for (;;) {
        uint64_t number = fuzz_chance(f, 64) == 0 ? a_value(f) : fuzz_chance(f, SYS_MAX);
        uint64_t low = number < SYS_MAX ? number : SYS_MAX;
        if (low < SYS_MAX && declarations[low] == NULL && fuzz_chance(f, 8) != 0)
            continue; /* strange numbers are quickly told */
        if ((f->wild || !ruinous(low)) && (!dear(low) || fuzz_chance(f, 8) == 0))
            return number;
    }
}

uint64_t fuzz_call(struct fuzz *f)
{
    uint64_t number = a_number(f), a[6];

    for (unsigned i = 0; i < 6; i++)
        a[i] = argument(f, number, i);
    /* A valid start with a length that reaches over everything would be honoured. */
    if ((number == SYS_mem_unmap || number == SYS_mem_protect) && !f->wild && a[0] < 1ull << 47 &&
        a[1] > WINDOW_BYTES && a[1] < 1ull << 48)
        a[1] = WINDOW_BYTES;
    register uint64_t r10 __asm__("r10") = a[3];
    register uint64_t r8 __asm__("r8") = a[4];
    register uint64_t r9 __asm__("r9") = a[5];
    int64_t r;
    __asm__ volatile("syscall"
                     : "=a"(r)
                     : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    if (r >= 0 && r <= INT32_MAX)
        f->made[f->nmade++ % (sizeof(f->made) / sizeof(f->made[0]))] = (int)r;
    return number;
}
