/* SPDX-License-Identifier: MIT
 *
 * bench/smp_guest.c: two busy processes, and how long both take together, for
 * bench/smp. One line on the console for each kind of work.
 *
 * Each does a fixed amount, so that on one CPU the time is that of both and on two,
 * at best, that of one.
 */
#include <slipway/sys.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS 150000000u
#define MIXED 20000u /* null calls, with a few thousand instructions of its own between two of them */
#define NULLS 400000u
#define PROCESSES 2

static void compute(uint32_t steps)
{
    for (uint32_t i = 0; i < steps; i++)
        __asm__ volatile("" ::: "memory");
}

static void mixed(uint32_t calls)
{
    for (uint32_t i = 0; i < calls; i++) {
        compute(2500);
        __sys_raw3(SYS_null, 0, 0, 0);
    }
}

static void enter(uint32_t calls)
{
    for (uint32_t i = 0; i < calls; i++)
        __sys_raw3(SYS_null, 0, 0, 0);
}

/* Nanoseconds until both are done, or 0 when one could not do its part. */
static uint64_t together(void (*work)(uint32_t), uint32_t amount)
{
    uint64_t start = sys_now_ns();
    int pid[PROCESSES], status, good = 0;

    for (int i = 0; i < PROCESSES; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            work(amount);
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++)
        good += pid[i] > 0 && waitpid(pid[i], &status, 0) == pid[i] && status == 0;
    return good == PROCESSES ? sys_now_ns() - start : 0;
}

int main(void)
{
    printf("smp: computing %llu\n", (unsigned long long)together(compute, STEPS));
    printf("smp: mixed %llu\n", (unsigned long long)together(mixed, MIXED));
    printf("smp: calls %llu\n", (unsigned long long)together(enter, NULLS));
    fflush(stdout);
    sys_power(POWER_TEST_PASS);
    return 1;
}
