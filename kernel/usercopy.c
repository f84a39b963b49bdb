/* SPDX-License-Identifier: MIT
 *
 * kernel/usercopy.c: bytes to and from ring 3.
 *
 * Owns: the only way from a user address to its bytes. A range is checked as a
 * whole before the first byte moves; what is mapped may still change or be
 * missing, so the copy itself survives a fault (exception table). SMAP, where
 * the CPU has it, is lifted for the copy alone. Context: thread.
 */
#include <kernel/cpu.h>
#include <kernel/mem.h>
#include <slipway/errno.h>

int user_copy_raw(void *dst, const void *src, size_t n);
int64_t user_string_raw(char *dst, const char *src, size_t max);

struct exception_entry {
    uint64_t begin, end, fixup;
};
extern const struct exception_entry exception_table[], exception_table_end[];

static inline void user_access_on(void)
{
    if (cpu.smap)
        __asm__ volatile("stac" ::: "memory");
}
static inline void user_access_off(void)
{
    if (cpu.smap)
        __asm__ volatile("clac" ::: "memory");
}

bool user_range_ok(uint64_t addr, uint64_t bytes)
{
    return addr >= USER_MIN && addr <= USER_END && bytes <= USER_END - addr; /* C-MEM-3, C-CALL-1 */
}

static int user_copy(void *dst, const void *src, size_t bytes)
{
    user_access_on();
    int r = user_copy_raw(dst, src, bytes);
    user_access_off();
    return r == 0 ? 0 : -EFAULT;
}

int copy_from_user(void *dst, uint64_t src, size_t bytes)
{
    return user_range_ok(src, bytes) ? user_copy(dst, (const void *)src, bytes) : -EFAULT;
}

int copy_to_user(uint64_t dst, const void *src, size_t bytes)
{
    return user_range_ok(dst, bytes) ? user_copy((void *)dst, src, bytes) : -EFAULT;
}

int copy_string_from_user(char *dst, uint64_t src, size_t max)
{
    if (!user_range_ok(src, 1))
        return -EFAULT;
    size_t room = USER_END - src < max ? USER_END - src : max;
    user_access_on();
    int64_t n = user_string_raw(dst, (const char *)src, room);
    user_access_off();
    if (n < 0)
        return -EFAULT;
    if ((size_t)n == room)
        return room < max ? -EFAULT : -ENAMETOOLONG;
    return (int)n;
}

bool exception_fixup(struct trap_frame *f)
{
    if ((f->cs & 3) != 0)
        return false;
    for (const struct exception_entry *e = exception_table; e < exception_table_end; e++) {
        if (f->rip >= e->begin && f->rip < e->end) {
            f->rip = e->fixup;
            return true;
        }
    }
    return false;
}
