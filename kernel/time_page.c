/* SPDX-License-Identifier: MIT
 *
 * kernel/time_page.c: the clock's parameters, for programs to read.
 *
 * Owns: the page of include/slipway/time_page.h.
 * Called by: kernel/time.c whenever the clock changes its rate, its source or
 * its date. Context: boot, then kernel context; one writer at a time.
 */
#include <kernel/cpu.h>
#include <kernel/mem.h>
#include <kernel/time_page.h>
#include <stddef.h>

static struct time_page *page;
static struct memobj *object;

/* C-CLOCK-5: seq is odd while anything in the page may be half written. */
void time_page_publish(bool tsc, uint64_t base_tsc, uint64_t base_ns, uint64_t mult, uint64_t realtime_offset_ns)
{
    uint64_t flags;

    if (page == NULL)
        return;
    flags = irq_save();
    __atomic_store_n(&page->seq, page->seq + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    page->tsc = tsc;
    page->base_tsc = base_tsc;
    page->base_ns = base_ns;
    page->mult = mult;
    page->realtime_offset_ns = realtime_offset_ns;
    __atomic_store_n(&page->seq, page->seq + 1, __ATOMIC_RELEASE);
    irq_restore(flags);
}

void time_page_init(void)
{
    phys_t at = page_alloc(0, PAGE_ZERO | PAGE_OWNER(OWNER_OBJECT));

    if (at == 0)
        return;
    object = memobj_wrap(at, PAGE_SIZE);
    if (object == NULL) {
        page_free(at, 0);
        return;
    }
    page = phys_to_virt(at);
    page->version = TIME_PAGE_VERSION;
}

struct memobj *time_page_memobj(void)
{
    return object;
}
