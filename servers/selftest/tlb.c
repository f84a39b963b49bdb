/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/tlb.c: one thread changes a mapping while threads on the other
 * processors use it without pause: none of them reads or writes through an entry
 * that its processor had kept.
 *
 * A number says what holds: the page is there, or it is not, or it is about to
 * change. Who finds the same number before and after it touched the page knows
 * what must have happened in between.
 */
#include "selftest.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE        4096u
#define PLACE       ((volatile uint64_t *)0x600000000000ull)
#define PAGES       3u   /* the middle one changes */
#define ROUNDS      120u
#define TOUCHES     4u   /* of each thread in each state */
#define TOUCHERS    15u
#define STATES      4u

enum { WHOLE = 0, LESS = 2 }; /* of the number's last two bits; odd: about to change */
enum { READ_ONLY, NO_ACCESS, UNMAPPED, WAYS };

static volatile uint32_t now;
static volatile bool stop, writes_only;
static volatile uint32_t touches[TOUCHERS];
static const char *volatile complaint;
static __thread jmp_buf back;

static volatile uint64_t *changing(void)
{
    return PLACE + PAGE / 8;
}

static void leaves(int signal)
{
    sigset_t s;

    sigemptyset(&s);
    sigaddset(&s, signal);
    sigprocmask(SIG_UNBLOCK, &s, NULL);
    longjmp(back, 1);
}

/* One touch: false when it faulted. What was read is in *seen. */
static bool touch(unsigned slot, volatile uint64_t *seen)
{
    if (setjmp(back) != 0)
        return false;
    if (!writes_only)
        *seen = changing()[0];
    changing()[slot] = *seen;
    return true;
}

static void *toucher(void *arg)
{
    unsigned i = (unsigned)(uintptr_t)arg;
    struct info_system s;

    if (sys_info(INFO_SYSTEM, 0, &s, sizeof s) > 0)
        sys_thread_affinity(1ull << (i + 1) % s.cpus);
    while (!stop && complaint == NULL) {
        volatile uint64_t seen = 0;
        uint32_t before = now;
        bool went = touch(1 + i, &seen);
        uint32_t after = now;

        PLACE[i] = PLACE[2 * PAGE / 8 + i] = before; /* its neighbours stay as they are */
        if (before != after)
            continue;
        if (before % STATES == LESS && went)
            complaint = "a page that is gone was still there";
        if (before % STATES == WHOLE && !went)
            complaint = "a page that is there was not";
        if (before % STATES == WHOLE && went && !writes_only && seen != before / STATES)
            complaint = "an old page was seen";
        touches[i]++;
        sched_yield();
    }
    return NULL;
}

static bool everybody_has_looked(unsigned n)
{
    uint64_t end = sys_now_ns() + 4 * WAIT_NS;
    uint32_t first[TOUCHERS];

    for (unsigned i = 0; i < n; i++)
        first[i] = touches[i];
    for (unsigned i = 0; i < n; i++)
        while (touches[i] - first[i] < TOUCHES) {
            if (complaint != NULL || sys_now_ns() > end)
                return false;
            sys_yield();
        }
    return true;
}

/* The freed page finds another owner, who fills it. */
static bool use_freed_pages(void)
{
    int64_t other = sys_mem_map(0, 8 * PAGE, PROT_R | PROT_W);

    if (other < 0)
        return false;
    memset((void *)(uintptr_t)other, 0xee, 8 * PAGE);
    return sys_mem_unmap((uint64_t)other, 8 * PAGE) == 0;
}

static const char *take_away(unsigned way, unsigned threads)
{
    uint64_t at = (uint64_t)(uintptr_t)changing();

    now++;
    if (way == UNMAPPED)
        CHECK(sys_mem_unmap(at, PAGE) == 0 && use_freed_pages());
    else
        CHECK(sys_mem_protect(at, PAGE, way == READ_ONLY ? PROT_R : 0) == 0);
    now++;
    CHECK(everybody_has_looked(threads));
    return complaint;
}

static const char *give_back(unsigned way, unsigned threads, bool forbid_reading)
{
    uint64_t at = (uint64_t)(uintptr_t)changing();

    now++;
    if (way == UNMAPPED)
        CHECK(sys_mem_map(at, PAGE, PROT_R | PROT_W) == (int64_t)at && changing()[0] == 0);
    else
        CHECK(sys_mem_protect(at, PAGE, PROT_R | PROT_W) == 0);
    writes_only = forbid_reading;
    changing()[0] = (now + 1) / STATES;
    now++;
    CHECK(everybody_has_looked(threads));
    return complaint;
}

static const char *change_all(unsigned threads)
{
    const char *why = NULL;

    for (unsigned i = 0; i < ROUNDS && why == NULL; i++) {
        why = take_away(i % WAYS, threads);
        if (why == NULL)
            why = give_back(i % WAYS, threads, (i + 1) % WAYS == READ_ONLY);
    }
    return why;
}

static const char *no_stale_entry_is_used(void) /* C-SMP-2 */
{
    const uint64_t place = (uint64_t)(uintptr_t)PLACE;
    pthread_t t[TOUCHERS];
    struct info_system s;

    CHECK(sys_info(INFO_SYSTEM, 0, &s, sizeof s) == (int)sizeof s);
    unsigned n = s.cpus > TOUCHERS ? TOUCHERS : s.cpus > 1 ? s.cpus - 1 : 1;
    CHECK(sys_thread_affinity(1) == 1);
    CHECK(sys_mem_map(place, PAGES * PAGE, PROT_R | PROT_W) == (int64_t)place);
    signal(SIGSEGV, leaves);
    now = 0;
    stop = false;
    complaint = NULL;
    writes_only = true; /* the first change leaves reading allowed */
    for (unsigned i = 0; i < n; i++)
        CHECK(pthread_create(&t[i], NULL, toucher, (void *)(uintptr_t)i) == 0);
    const char *why = change_all(n);
    stop = true;
    for (unsigned i = 0; i < n; i++)
        CHECK(pthread_join(t[i], NULL) == 0);
    signal(SIGSEGV, SIG_DFL);
    CHECK(sys_mem_unmap(place, PAGES * PAGE) == 0);
    CHECK(sys_thread_affinity(UINT64_MAX) > 0);
    return why;
}

const struct test tlb_tests[] = {
    {"no-stale-entry-is-used", no_stale_entry_is_used},
    {NULL, NULL},
};
