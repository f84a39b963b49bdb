/* SPDX-License-Identifier: MIT
 *
 * libc/heap.c: sbrk over mem_map, for newlib's malloc.
 *
 * Owns: one growing range of addresses at a random place. It is mapped in
 * steps, so that a small allocation seldom costs a system call, and unmapped
 * when malloc trims. Context: any thread; newlib's malloc holds its own lock.
 */
#include "libc.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define HEAP_STEP (64u * 1024)
#define HEAP_AREA 0x200000000000ull /* far from images, stacks and mappings */

static uint64_t heap_base, heap_end, heap_mapped;
libc_lock __libc_heap_lock;

void __libc_heap_seed(const uint8_t *random)
{
    uint32_t pages = 0;
    if (random != NULL)
        memcpy(&pages, random + 8, sizeof pages);
    heap_base = heap_end = heap_mapped = HEAP_AREA + ((uint64_t)pages << 12);
}

static int grow(uint64_t end)
{
    uint64_t need = (end - heap_mapped + 4095) & ~4095ull;
    uint64_t step =
        (heap_mapped - heap_base) / 8 > HEAP_STEP ? ((heap_mapped - heap_base) / 8 & ~4095ull) : HEAP_STEP;
    if (need > step)
        step = need;
    int64_t at = sys_mem_map(heap_mapped, step, PROT_R | PROT_W);
    if (at < 0 && step > need) { /* near the limit: only what is needed */
        step = need;
        at = sys_mem_map(heap_mapped, step, PROT_R | PROT_W);
    }
    if (at < 0)
        return -1;
    heap_mapped += step;
    return 0;
}

void *sbrk(ptrdiff_t increment)
{
    void *old = (void *)-1;

    libc_lock_take(&__libc_heap_lock);
    uint64_t end = heap_end + (uint64_t)increment;
    if (increment < 0 && end >= heap_base && end <= heap_end) {
        uint64_t keep = (end + 4095) & ~4095ull;
        if (keep < heap_mapped && sys_mem_unmap(keep, heap_mapped - keep) == 0)
            heap_mapped = keep;
        old = (void *)heap_end;
        heap_end = end;
    } else if (increment >= 0 && (end <= heap_mapped || grow(end) == 0)) {
        old = (void *)heap_end;
        heap_end = end;
    }
    libc_lock_drop(&__libc_heap_lock);
    if (old == (void *)-1)
        errno = ENOMEM;
    return old;
}
