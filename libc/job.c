/* SPDX-License-Identifier: MIT
 *
 * libc/job.c: parents, groups, priority, alarms, commands.
 *
 * There are no process groups and no sessions: each process is a group and a
 * session of its own. Context: any thread.
 */
#include "libc.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define SECOND_NS 1000000000ull
#define NICE_MAX  19

static struct {
    uint64_t interval_ns; /* of the alarm */
    int nice;
    uint32_t priority; /* at nice 0 */
} job;

pid_t getppid(void)
{
    return (pid_t)sys_process_control(PROCESS_PARENT, 0, 0);
}

pid_t getpgid(pid_t pid)
{
    if (pid != 0 && pid != sys_getpid() && sys_kill((uint32_t)pid, 0) == -ESRCH)
        return (pid_t)__libc_result(-ESRCH);
    return pid != 0 ? pid : sys_getpid();
}

pid_t getpgrp(void)
{
    return sys_getpid();
}

pid_t getsid(pid_t pid)
{
    return getpgid(pid);
}

pid_t setsid(void)
{
    return sys_getpid();
}

/* A group of one's own is all there is. */
int setpgid(pid_t pid, pid_t group)
{
    pid_t self = sys_getpid();

    if (group < 0)
        return (int)__libc_result(-EINVAL);
    if ((pid != 0 && pid != self) || (group != 0 && group != self))
        return (int)__libc_result(-EPERM);
    return 0;
}

/* Lower priorities in even steps; there is no way back up. */
int nice(int by)
{
    int want = job.nice + by;

    if (by < 0)
        return (int)__libc_result(-EPERM);
    if (want > NICE_MAX)
        want = NICE_MAX;
    if (job.priority == 0)
        job.priority = (uint32_t)sys_process_control(PROCESS_PRIORITY, 0, 0);
    uint32_t lower = job.priority - job.priority * (uint32_t)want / (NICE_MAX + 1);
    int64_t r = sys_process_control(PROCESS_PRIORITY, lower > 0 ? lower : 1, 0);
    if (r < 0)
        return (int)__libc_result(r);
    return job.nice = want;
}

/* --- alarms --- */

static uint64_t ns_of(const struct timeval *tv)
{
    return (uint64_t)tv->tv_sec * SECOND_NS + (uint64_t)tv->tv_usec * 1000;
}

static struct timeval timeval_of(uint64_t ns)
{
    uint64_t us = (ns + 999) / 1000;
    return (struct timeval){(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};
}

unsigned alarm(unsigned seconds)
{
    int64_t left = sys_process_control(PROCESS_ALARM, seconds * SECOND_NS, 0);

    job.interval_ns = 0;
    return left < 0 ? 0 : (unsigned)(((uint64_t)left + SECOND_NS - 1) / SECOND_NS);
}

useconds_t ualarm(useconds_t us, useconds_t interval_us)
{
    int64_t left = sys_process_control(PROCESS_ALARM, (uint64_t)us * 1000, (uint64_t)interval_us * 1000);

    job.interval_ns = (uint64_t)interval_us * 1000;
    return left < 0 ? 0 : (useconds_t)(left / 1000);
}

int getitimer(int which, struct itimerval *value)
{
    if (which != ITIMER_REAL)
        return (int)__libc_result(-EINVAL);
    int64_t left = sys_process_control(PROCESS_ALARM_LEFT, 0, 0);
    value->it_value = timeval_of(left > 0 ? (uint64_t)left : 0);
    value->it_interval = timeval_of(left > 0 ? job.interval_ns : 0);
    return 0;
}

int setitimer(int which, const struct itimerval *restrict value, struct itimerval *restrict old)
{
    const struct timeval *v = &value->it_value, *i = &value->it_interval;

    if (which != ITIMER_REAL || v->tv_sec < 0 || v->tv_usec < 0 || v->tv_usec >= 1000000 || i->tv_sec < 0 ||
        i->tv_usec < 0 || i->tv_usec >= 1000000)
        return (int)__libc_result(-EINVAL);
    if (old != NULL)
        getitimer(which, old);
    int64_t r = sys_process_control(PROCESS_ALARM, ns_of(v), ns_of(i));
    if (r >= 0)
        job.interval_ns = ns_of(i);
    return r < 0 ? (int)__libc_result(r) : 0;
}

/* --- commands: no program here takes "-c" --- */

int system(const char *command)
{
    return command == NULL ? 0 : (int)__libc_result(-ENOENT);
}

FILE *popen(const char *command, const char *mode)
{
    (void)command;
    errno = (mode[0] == 'r' || mode[0] == 'w') ? ENOENT : EINVAL;
    return NULL;
}

int pclose(FILE *f)
{
    (void)f; /* popen never gave one */
    return (int)__libc_result(-ECHILD);
}
