/* SPDX-License-Identifier: MIT
 *
 * servers/shell/clock_cmd.c: the command that holds the machine's clocks against
 * each other and against a sleep.
 *
 * A sleep by CLOCK_MONOTONIC is measured by every counter that the machine has.
 * Those that do not wrap meanwhile are read before and after; the PIT's turn is
 * 55 ms, so for its sake there is a second sleep, in which another thread looks
 * on and adds its ticks up. A counter that may have lost a turn is left out.
 */
#include "shell.h"
#include <pthread.h>
#include <slipway/sys.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CLOCKS_MAX   4
#define SLEEP_MS_MAX 2000u

struct meter {
    struct info_clock last;
    uint64_t ticks;
    bool lost; /* too long between two looks: a turn may be missing */
};

static struct meter meters[CLOCKS_MAX];
static unsigned nmeters;

static void meters_start(void)
{
    for (nmeters = 0; nmeters < CLOCKS_MAX; nmeters++) {
        meters[nmeters].ticks = 0;
        meters[nmeters].lost = false;
        if (sys_info(INFO_CLOCK, nmeters, &meters[nmeters].last, sizeof meters[0].last) <= 0)
            break;
    }
}

static uint64_t us_of(uint64_t ticks, const struct info_clock *c)
{
    return c->hz < 1000 ? 0 : ticks * 1000 / (c->hz / 1000);
}

/* The first meter is the TSC, which does not wrap: it tells how long ago the last
 * look was. */
static void meters_look(void)
{
    struct info_clock now;
    uint64_t since_us = 0;

    for (unsigned i = 0; i < nmeters; i++) {
        if (sys_info(INFO_CLOCK, i, &now, sizeof now) <= 0)
            continue;
        if (i == 0)
            since_us = us_of(now.value - meters[i].last.value, &now);
        else if (now.mask <= UINT32_MAX && since_us > us_of(now.mask, &now) / 2)
            meters[i].lost = true;
        meters[i].ticks += (now.value - meters[i].last.value) & now.mask;
        meters[i].last = now;
    }
}

/* Milliseconds with three digits behind the point. */
static void print_ms(uint64_t us)
{
    printf("%u.%03u", (unsigned)(us / 1000), (unsigned)(us % 1000));
}

static void meters_print(const char *how, uint32_t ms)
{
    printf("slept %u ms %s:", (unsigned)ms, how);
    for (unsigned i = 0; i < nmeters; i++) {
        const struct info_clock *c = &meters[i].last;

        if (meters[i].lost)
            continue;
        printf(" %.8s ", c->name);
        print_ms(us_of(meters[i].ticks, c));
    }
    printf("\n");
}

static void *sleeper(void *arg)
{
    usleep(*(uint32_t *)arg * 1000u);
    __atomic_store_n((uint32_t *)arg, 0, __ATOMIC_RELEASE);
    return NULL;
}

static int sleep_watched(uint32_t ms)
{
    uint32_t word = ms;
    pthread_t thread;
    int r;

    meters_start();
    r = pthread_create(&thread, NULL, sleeper, &word);
    if (r != 0)
        return shell_error("clocks", -r);
    while (__atomic_load_n(&word, __ATOMIC_ACQUIRE) != 0) {
        meters_look();
        sys_yield();
    }
    meters_look();
    pthread_join(thread, NULL);
    meters_print("watched", ms);
    return 0;
}

static void list(void)
{
    meters_start();
    for (unsigned i = 0; i < nmeters; i++) {
        const struct info_clock *c = &meters[i].last;

        printf("%-8.8s %7u.%03u kHz%s\n", c->name, (unsigned)(c->hz / 1000), (unsigned)(c->hz % 1000),
               c->serves ? ", serves" : "");
    }
}

int cmd_clocks(int argc, char **argv)
{
    uint64_t ms = 0;

    if (argc > 2 || (argc == 2 && (!shell_number(argv[1], SLEEP_MS_MAX, &ms) || ms == 0)))
        return SHELL_USAGE;
    list();
    if (ms == 0)
        return 0;
    meters_start();
    usleep((useconds_t)ms * 1000);
    meters_look();
    meters_print("idle", (uint32_t)ms);
    return sleep_watched((uint32_t)ms);
}
