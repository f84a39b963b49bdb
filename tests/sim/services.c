/* SPDX-License-Identifier: MIT
 *
 * tests/sim/services.c: net/core/services.h for host processes (unit tests,
 * simulation, fuzzers). Deterministic: the same seed gives the same run.
 *
 * Owns: see tests/sim/services.h. Single-threaded.
 */
#include <tests/sim/services.h>
#include <slipway/errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t host_now_ns;
void (*host_on_wake)(void *waiter);
char host_last_log[256];
bool host_log_to_stderr;
uint64_t host_allocations;
long host_fail_after = -1;

static uint64_t core_random, test_random;
static uint64_t timer_when = UINT64_MAX;
static void (*timer_fn)(void);
static bool poll_wanted[NET_LINKS_MAX];

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

void host_reset(uint64_t seed)
{
    host_now_ns = 1000000000ull;
    host_on_wake = NULL;
    host_last_log[0] = 0;
    host_fail_after = -1;
    core_random = seed;
    test_random = ~seed;
    timer_when = UINT64_MAX;
    memset(poll_wanted, 0, sizeof(poll_wanted));
}

uint64_t host_random(void)
{
    return next_random(&test_random);
}

uint64_t nc_now_ns(void)
{
    return host_now_ns;
}

void nc_random(void *buf, size_t bytes)
{
    uint8_t *p = buf;

    for (size_t i = 0; i < bytes; i++)
        p[i] = (uint8_t)(next_random(&core_random) >> 24);
}

/* --- memory ---------------------------------------------------------------------- */

static bool out_of_memory(void)
{
    if (host_fail_after < 0)
        return false;
    if (host_fail_after == 0)
        return true;
    host_fail_after--;
    return false;
}

void *nc_alloc(size_t bytes)
{
    void *p = out_of_memory() ? NULL : calloc(1, bytes);

    host_allocations += p != NULL;
    return p;
}

void nc_free(void *p)
{
    host_allocations -= p != NULL;
    free(p);
}

int nc_shared_alloc(struct nc_shared *s, size_t bytes)
{
    size_t whole = (bytes + 4095) & ~(size_t)4095;

    s->base = out_of_memory() ? NULL : aligned_alloc(4096, whole);
    if (s->base == NULL)
        return -ENOMEM;
    memset(s->base, 0, whole);
    s->bytes = bytes;
    s->cookie = s->base;
    host_allocations++;
    return 0;
}

void nc_shared_free(struct nc_shared *s)
{
    host_allocations -= s->base != NULL;
    free(s->base);
    memset(s, 0, sizeof(*s));
}

uint64_t nc_shared_phys(const struct nc_shared *s, size_t offset)
{
    return (uint64_t)(uintptr_t)s->base + offset;
}

/* --- words -------------------------------------------------------------------------- */

void nc_log(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(host_last_log, sizeof(host_last_log), fmt, ap);
    va_end(ap);
    if (host_log_to_stderr)
        fprintf(stderr, "%s\n", host_last_log);
}

void nc_panic(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    abort();
}

/* --- waking, polling, time -------------------------------------------------------------- */

void nc_wake(void *waiter)
{
    if (host_on_wake != NULL)
        host_on_wake(waiter);
    else if (waiter != NULL)
        (*(uint32_t *)waiter)++;
}

void nc_link_added(struct link *l)
{
    (void)l;
}
void link_schedule_poll(struct link *l)
{
    poll_wanted[l->index] = true;
}

void nc_timer(uint64_t when_ns, void (*fn)(void))
{
    timer_when = when_ns;
    timer_fn = fn;
}

uint64_t host_timer_due(void)
{
    return timer_when;
}

void host_advance(uint64_t ns)
{
    uint64_t end = host_now_ns + ns;

    while (timer_when <= end) {
        if (host_now_ns < timer_when)
            host_now_ns = timer_when;
        timer_when = UINT64_MAX;
        timer_fn();
    }
    host_now_ns = end;
}

bool host_poll_pending(void)
{
    for (unsigned i = 0; i < NET_LINKS_MAX; i++)
        if (poll_wanted[i])
            return true;
    return false;
}

unsigned host_run_polls(unsigned turns)
{
    unsigned n = 0;

    while (n < turns && host_poll_pending()) {
        for (unsigned i = 0; i < NET_LINKS_MAX && n < turns; i++) {
            struct link *l = link_by_index(i);

            if (!poll_wanted[i])
                continue;
            poll_wanted[i] = false;
            n++;
            if (l != NULL && net_link_poll(l, 64))
                poll_wanted[i] = true;
        }
    }
    return n;
}
