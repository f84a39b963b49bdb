/* SPDX-License-Identifier: MIT
 *
 * servers/shell/clock_cmd.c: the command that holds the machine's clocks against
 * each other and against a sleep.
 *
 * A sleep by CLOCK_MONOTONIC is measured by every counter that the machine has.
 * Those that do not wrap meanwhile are read before and after; the PIT's turn is
 * 55 ms, so for its sake there is a second sleep, in which another thread looks
 * on and adds its ticks up.
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
};

static struct meter meters[CLOCKS_MAX];
static unsigned nmeters;

static void meters_start(void)
{
    for (nmeters = 0; nmeters < CLOCKS_MAX; nmeters++) {
        meters[nmeters].ticks = 0;
        if (sys_info(INFO_CLOCK, nmeters, &meters[nmeters].last, sizeof meters[0].last) <= 0)
            break;
    }
}

static void meters_look(void)
{
    struct info_clock now;

    for (unsigned i = 0; i < nmeters; i++) {
        if (sys_info(INFO_CLOCK, i, &now, sizeof now) <= 0)
            continue;
        meters[i].ticks += (now.value - meters[i].last.value) & now.mask;
        meters[i].last = now;
    }
}

/* Milliseconds with three digits behind the point. */
static void print_ms(uint64_t us)
{
    printf("%u.%03u", (unsigned)(us / 1000), (unsigned)(us % 1000));
}

static void meters_print(const char *how, uint32_t ms, bool wrapping_too)
{
    printf("slept %u ms %s:", (unsigned)ms, how);
    for (unsigned i = 0; i < nmeters; i++) {
        const struct info_clock *c = &meters[i].last;
        uint64_t khz = c->hz / 1000;

        if (khz == 0 || (!wrapping_too && c->mask / khz <= SLEEP_MS_MAX))
            continue;
        printf(" %.8s ", c->name);
        print_ms(meters[i].ticks * 1000 / khz);
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
    meters_print("watched", ms, true);
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

    if (argc > 2 || (argc == 2 && (!shell_number(argv[1], SLEEP_MS_MAX, &ms) || ms == 0))) {
        printf("usage: clocks [MS, up to %u]\n", SLEEP_MS_MAX);
        return 1;
    }
    list();
    if (ms == 0)
        return 0;
    meters_start();
    usleep((useconds_t)ms * 1000);
    meters_look();
    meters_print("idle", (uint32_t)ms, false);
    return sleep_watched((uint32_t)ms);
}
