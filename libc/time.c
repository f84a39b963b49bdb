/* SPDX-License-Identifier: MIT
 *
 * libc/time.c: clocks and sleeping.
 *
 * Owns: the mapping of the kernel's time page, through which both clocks are
 * read without a system call while the TSC serves (slipway/time_page.h). Whoever
 * reads (a thread, the protocol stack) keeps a struct now_state: what it returns
 * never goes back, whatever the processors' counters say. Context: any thread.
 */
#include "libc.h"
#include "tcb.h"
#include <errno.h>
#include <slipway/time_page.h>
#include <string.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS  1000000000ull
#define PAGE_BYTES 4096u
#define READ_TRIES 100 /* the kernel writes a few times an hour; more is a broken page */

static const struct time_page *time_page; /* NULL: not looked for, or not there */
static uint32_t looked;
static __thread struct now_state thread_now;

static inline uint64_t read_tsc(void)
{
    uint32_t lo, hi;
    __asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
    return (uint64_t)hi << 32 | lo;
}

/* Two threads may both do it at first: the page is then mapped twice, for once. */
static void look_for_page(void)
{
    int handle = sys_time_page();
    const struct time_page *p = NULL;

    if (handle >= 0) {
        int64_t at = sys_memobj_map(handle, 0, 0, PAGE_BYTES, PROT_R);
        if (at > 0)
            p = (const struct time_page *)at;
        sys_handle_close(handle);
    }
    if (p != NULL && p->version == TIME_PAGE_VERSION)
        __atomic_store_n(&time_page, p, __ATOMIC_RELEASE);
    __atomic_store_n(&looked, 1, __ATOMIC_RELEASE);
}

/* C-CLOCK-5: CLOCK_MONOTONIC and what REALTIME is ahead of it, out of one state
 * of the page. False: ask the kernel. */
static bool read_page(uint64_t *ns, uint64_t *offset)
{
    const struct time_page *p;

    if (!__atomic_load_n(&looked, __ATOMIC_ACQUIRE))
        look_for_page();
    p = __atomic_load_n(&time_page, __ATOMIC_ACQUIRE);
    for (unsigned i = 0; p != NULL && i < READ_TRIES; i++) {
        uint32_t seq = __atomic_load_n(&p->seq, __ATOMIC_ACQUIRE), serves = p->tsc;
        uint64_t now = read_tsc(), ticks = now > p->base_tsc ? now - p->base_tsc : 0;

        *ns = p->base_ns + (uint64_t)((unsigned __int128)ticks * p->mult >> 32);
        *offset = p->realtime_offset_ns;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (!(seq & 1) && __atomic_load_n(&p->seq, __ATOMIC_RELAXED) == seq)
            return serves;
    }
    return false;
}

static uint64_t kernel_clock(uint32_t clock)
{
    uint64_t ns = 0;
    sys_clock_get(clock, &ns);
    return ns;
}

uint64_t __libc_now(struct now_state *s)
{
    uint64_t ns, offset;

    if (!read_page(&ns, &offset))
        ns = kernel_clock(SYS_CLOCK_MONOTONIC);
    if (ns < s->floor)
        return s->floor;
    s->floor = ns;
    return ns;
}

static uint64_t realtime_now(void)
{
    uint64_t ns, offset;

    return read_page(&ns, &offset) ? ns + offset : kernel_clock(SYS_CLOCK_REALTIME);
}

uint64_t sys_now_ns(void)
{
    return __libc_now(&thread_now);
}

static int clock_number(clockid_t id, uint32_t *out)
{
    *out = id == CLOCK_REALTIME ? SYS_CLOCK_REALTIME : SYS_CLOCK_MONOTONIC;
    return id == CLOCK_REALTIME || id == CLOCK_MONOTONIC ? 0 : -EINVAL;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    uint32_t clock;
    int r = clock_number(id, &clock);
    uint64_t ns = r != 0 ? 0 : clock == SYS_CLOCK_REALTIME ? realtime_now() : sys_now_ns();
    ts->tv_sec = (time_t)(ns / SECOND_NS);
    ts->tv_nsec = (long)(ns % SECOND_NS);
    return (int)__libc_result(r);
}

int clock_getres(clockid_t id, struct timespec *ts)
{
    uint32_t clock;
    int r = clock_number(id, &clock);
    if (r == 0 && ts != NULL)
        *ts = (struct timespec){0, 1};
    return (int)__libc_result(r);
}

int clock_settime(clockid_t id, const struct timespec *ts)
{
    if (id != CLOCK_REALTIME || ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= (long)SECOND_NS)
        return (int)__libc_result(-EINVAL);
    return (int)__libc_result(sys_clock_set((uint64_t)ts->tv_sec * SECOND_NS + (uint64_t)ts->tv_nsec));
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    uint64_t ns = realtime_now();
    (void)zone;
    tv->tv_sec = (time_t)(ns / SECOND_NS);
    tv->tv_usec = (suseconds_t)(ns % SECOND_NS / 1000);
    return 0;
}

/* Sleeps until the deadline; 0 or -EINTR. */
static int sleep_until(uint64_t deadline_ns)
{
    int r;
    while ((r = sys_wait(NULL, 0, deadline_ns)) >= 0 && sys_now_ns() < deadline_ns)
        ;
    return r == -EINTR ? -EINTR : 0;
}

int clock_nanosleep(clockid_t id, int flags, const struct timespec *want, struct timespec *left)
{
    uint32_t clock;
    uint64_t now = 0, ns = (uint64_t)want->tv_sec * SECOND_NS + (uint64_t)want->tv_nsec;

    if (clock_number(id, &clock) != 0 || want->tv_sec < 0 || want->tv_nsec < 0 ||
        want->tv_nsec >= (long)SECOND_NS)
        return EINVAL;
    if (flags & TIMER_ABSTIME) { /* of either clock: what is left of it */
        now = kernel_clock(clock);
        ns = ns > now ? ns - now : 0;
    }
    uint64_t due = sys_now_ns() + ns;
    int r = ns == 0 ? 0 : sleep_until(due);
    if (left != NULL && !(flags & TIMER_ABSTIME)) {
        now = sys_now_ns();
        ns = r != 0 && due > now ? due - now : 0;
        *left = (struct timespec){(time_t)(ns / SECOND_NS), (long)(ns % SECOND_NS)};
    }
    return -r;
}

int nanosleep(const struct timespec *want, struct timespec *left)
{
    int r = clock_nanosleep(CLOCK_MONOTONIC, 0, want, left);
    return r == 0 ? 0 : (int)__libc_result(-r);
}

int usleep(useconds_t us)
{
    return (int)__libc_result(us == 0 ? 0 : sleep_until(sys_now_ns() + (uint64_t)us * 1000));
}

unsigned sleep(unsigned seconds)
{
    uint64_t due = sys_now_ns() + seconds * SECOND_NS;
    if (seconds == 0 || sleep_until(due) == 0)
        return 0;
    uint64_t now = sys_now_ns(); /* a handler ran */
    return due > now ? (unsigned)((due - now + SECOND_NS - 1) / SECOND_NS) : 0;
}

clock_t times(struct tms *t)
{
    struct info_process p;
    uint32_t me = (uint32_t)sys_getpid();

    memset(t, 0, sizeof *t);
    for (uint64_t i = 0; sys_info(INFO_PROCESS, i, &p, sizeof p) > 0; i++)
        if (p.pid == me)
            t->tms_utime = (clock_t)(p.cpu_ns / (SECOND_NS / CLOCKS_PER_SEC));
    return (clock_t)(sys_now_ns() / (SECOND_NS / CLOCKS_PER_SEC));
}
