/* SPDX-License-Identifier: MIT
 *
 * libc/time.c: clocks and sleeping.
 *
 * Owns: the conversion from TSC to nanoseconds. Whoever reads it (a thread, the
 * protocol stack) keeps a struct now_state: TSC and time of its last look at
 * the kernel's clock, renewed every second, and the rate seen between two
 * looks. What it returns never goes back. A TSC that disagrees with the kernel
 * by a per cent is not used any more. Context: any thread.
 */
#include "libc.h"
#include "tcb.h"
#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000ull

static struct {
    uint32_t state;    /* 0 not looked at, 1 usable, 2 not */
    uint64_t hz, mult; /* ns = ticks * mult >> 32 */
} tsc;

static __thread struct now_state thread_now;

static inline uint64_t read_tsc(void)
{
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

static uint64_t kernel_now(void)
{
    uint64_t ns = 0;
    sys_clock_get(SYS_CLOCK_MONOTONIC, &ns);
    return ns;
}

/* May run in two threads at first; both write the same. */
static void look_at_clock(void)
{
    struct info_system s;
    uint32_t state = 2;

    if (sys_info(INFO_SYSTEM, 0, &s, sizeof s) > 0 && strcmp(s.clock, "tsc") == 0 && s.tsc_hz >= 1000000) {
        tsc.hz = s.tsc_hz;
        tsc.mult = (SECOND_NS << 32) / s.tsc_hz;
        state = 1;
    }
    __atomic_store_n(&tsc.state, state, __ATOMIC_RELEASE);
}

/* The rate between two looks corrects the one that the kernel first measured. */
static void learn_rate(struct now_state *s, uint64_t ticks, uint64_t ns)
{
    uint64_t by_tsc = (uint64_t)(((unsigned __int128)ticks * tsc.mult) >> 32);
    uint64_t off = ns > by_tsc ? ns - by_tsc : by_tsc - ns;

    if (off > ns / 100 + 1000000)
        __atomic_store_n(&tsc.state, 2, __ATOMIC_RELEASE);
    else if (ns >= SECOND_NS / 2 && ns < 4 * SECOND_NS)
        s->mult = (ns << 32) / ticks;
}

static uint64_t renew(struct now_state *s, uint64_t now_tsc)
{
    uint64_t ns = kernel_now();

    if (s->ns == 0)
        s->mult = tsc.mult;
    else if (now_tsc - s->tsc < 16 * tsc.hz)
        learn_rate(s, now_tsc - s->tsc, ns - s->ns);
    s->tsc = now_tsc;
    s->ns = ns;
    return ns;
}

uint64_t __libc_now(struct now_state *s)
{
    uint64_t ns;

    if (tsc.state == 0)
        look_at_clock();
    if (tsc.state == 1) {
        uint64_t now = read_tsc(), ticks = now - s->tsc;
        ns = s->ns == 0 || ticks >= tsc.hz ? renew(s, now) : s->ns + (ticks * s->mult >> 32);
    } else {
        ns = kernel_now();
    }
    if (ns < s->floor)
        return s->floor;
    s->floor = ns;
    return ns;
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
    uint64_t ns = 0;
    int r = clock_number(id, &clock);
    if (r == 0)
        r = sys_clock_get(clock, &ns);
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
    uint64_t ns = 0;
    (void)zone;
    int r = sys_clock_get(SYS_CLOCK_REALTIME, &ns);
    tv->tv_sec = (time_t)(ns / SECOND_NS);
    tv->tv_usec = (suseconds_t)(ns % SECOND_NS / 1000);
    return (int)__libc_result(r);
}

/* Sleeps until the deadline; 0 or -EINTR. */
static int sleep_until(uint64_t deadline_ns)
{
    int r;
    while ((r = sys_wait(NULL, 0, deadline_ns)) >= 0 && kernel_now() < deadline_ns)
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
        sys_clock_get(clock, &now);
        ns = ns > now ? ns - now : 0;
    }
    int r = ns == 0 ? 0 : sleep_until(kernel_now() + ns);
    if (left != NULL && r == 0)
        *left = (struct timespec){0, 0};
    return -r;
}

int nanosleep(const struct timespec *want, struct timespec *left)
{
    int r = clock_nanosleep(CLOCK_MONOTONIC, 0, want, left);
    return r == 0 ? 0 : (int)__libc_result(-r);
}

int usleep(useconds_t us)
{
    return (int)__libc_result(us == 0 ? 0 : sleep_until(kernel_now() + (uint64_t)us * 1000));
}

unsigned sleep(unsigned seconds)
{
    if (seconds != 0)
        sleep_until(kernel_now() + seconds * SECOND_NS);
    return 0;
}

clock_t times(struct tms *t)
{
    struct info_process p;
    uint32_t me = (uint32_t)sys_getpid();

    memset(t, 0, sizeof *t);
    for (uint64_t i = 0; sys_info(INFO_PROCESS, i, &p, sizeof p) > 0; i++)
        if (p.pid == me)
            t->tms_utime = (clock_t)(p.cpu_ns / (SECOND_NS / CLOCKS_PER_SEC));
    return (clock_t)(kernel_now() / (SECOND_NS / CLOCKS_PER_SEC));
}
