/* SPDX-License-Identifier: MIT
 *
 * libc/timerfd.c: timerfd.
 *
 * Owns: the timers. Nothing runs when one expires: poll, epoll and read sleep no
 * longer than until it is due, and count then. An endpoint of one's own wakes
 * those who sleep when the timer is set anew. Context: any thread.
 */
#include "fd.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>

#define SECOND_NS 1000000000ull

struct timer_file {
    struct file f;
    libc_lock lock;
    int endpoint;
    clockid_t clock;
    uint64_t next_ns;     /* of CLOCK_MONOTONIC; SYS_NO_DEADLINE: off */
    uint64_t interval_ns; /* 0: once */
    uint64_t expired;     /* and not read yet */
    bool told;            /* the endpoint holds a bit */
};

/* The lock is held. */
static void count(struct timer_file *t)
{
    uint64_t now = sys_now_ns();

    if (t->next_ns > now)
        return;
    uint64_t times = t->interval_ns == 0 ? 1 : (now - t->next_ns) / t->interval_ns + 1;
    t->expired += times;
    t->next_ns = t->interval_ns == 0 ? SYS_NO_DEADLINE : t->next_ns + times * t->interval_ns;
}

static void listen_again(struct timer_file *t)
{
    struct sys_msg m;

    if (t->told)
        sys_recv(t->endpoint, &m, 0);
    t->told = false;
}

static ssize_t timer_read(struct file *f, void *buf, size_t n)
{
    struct timer_file *t = (struct timer_file *)f;
    struct wait_item w = {.kind = WAIT_HANDLE, .handle = t->endpoint, .want = READY_IN};

    if (n < sizeof t->expired)
        return -EINVAL;
    for (;;) {
        libc_lock_take(&t->lock);
        listen_again(t);
        count(t);
        uint64_t value = t->expired, until = t->next_ns;
        t->expired = 0;
        libc_lock_drop(&t->lock);
        if (value > 0) {
            memcpy(buf, &value, sizeof value);
            return sizeof value;
        }
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int r = sys_wait(&w, 1, until);
        if (r < 0 && r != -ETIMEDOUT)
            return r;
    }
}

static unsigned timer_events(struct file *f)
{
    struct timer_file *t = (struct timer_file *)f;

    libc_lock_take(&t->lock);
    listen_again(t);
    count(t);
    bool ready = t->expired > 0;
    libc_lock_drop(&t->lock);
    return ready ? POLLIN | POLLRDNORM : 0;
}

static int timer_handle(struct file *f)
{
    return ((struct timer_file *)f)->endpoint;
}

static uint64_t timer_due(struct file *f)
{
    return ((struct timer_file *)f)->next_ns;
}

static void timer_close(struct file *f)
{
    sys_handle_close(((struct timer_file *)f)->endpoint);
    free(f);
}

static const struct file_ops timer_ops = {
    .kind = FILE_TIMER,
    .read = timer_read,
    .close = timer_close,
    .events = timer_events,
    .handle = timer_handle,
    .due = timer_due,
};

int timerfd_create(int clock, int flags)
{
    if ((clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME) || (flags & ~(TFD_CLOEXEC | TFD_NONBLOCK)) != 0)
        return (int)__libc_result(-EINVAL);
    struct timer_file *t = calloc(1, sizeof *t);
    if (t == NULL)
        return (int)__libc_result(-ENOMEM);
    t->f = (struct file){.ops = &timer_ops, .refs = 1, .flags = O_RDONLY | (flags & O_NONBLOCK),
                         .fdflags = flags & TFD_CLOEXEC ? FD_CLOEXEC : 0};
    t->clock = clock;
    t->next_ns = SYS_NO_DEADLINE;
    t->endpoint = sys_endpoint_create(1);
    if (t->endpoint < 0) {
        int r = t->endpoint;
        free(t);
        return (int)__libc_result(r);
    }
    int fd = fd_install(&t->f, 0);
    if (fd < 0)
        fd_put(&t->f);
    return (int)__libc_result(fd);
}

/* Nanoseconds, or UINT64_MAX for what is no time. */
static uint64_t ns_of(const struct timespec *ts)
{
    if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= (long)SECOND_NS)
        return UINT64_MAX;
    if ((uint64_t)ts->tv_sec >= INT64_MAX / SECOND_NS)
        return INT64_MAX;
    return (uint64_t)ts->tv_sec * SECOND_NS + (uint64_t)ts->tv_nsec;
}

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / SECOND_NS), .tv_nsec = (long)(ns % SECOND_NS)};
}

/* CLOCK_MONOTONIC's time of what the caller asked for. */
static uint64_t when(const struct timer_file *t, uint64_t value_ns, bool absolute)
{
    uint64_t now = sys_now_ns(), real = now;
    struct timespec ts;

    if (!absolute)
        return now + value_ns;
    if (t->clock == CLOCK_REALTIME && clock_gettime(CLOCK_REALTIME, &ts) == 0)
        real = ns_of(&ts);
    return value_ns <= real ? now : now + (value_ns - real);
}

static struct itimerspec left(struct timer_file *t)
{
    uint64_t now;

    count(t);
    now = sys_now_ns();
    return (struct itimerspec){
        .it_interval = timespec_of(t->interval_ns),
        .it_value = timespec_of(t->next_ns == SYS_NO_DEADLINE ? 0 : t->next_ns > now ? t->next_ns - now : 1),
    };
}

static struct timer_file *timer_get(int fd)
{
    return (struct timer_file *)fd_get_kind(fd, FILE_TIMER, EINVAL);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *old)
{
    struct timer_file *t = timer_get(fd);
    if (t == NULL)
        return -1;
    uint64_t first = ns_of(&value->it_value), interval = ns_of(&value->it_interval);
    int r = first == UINT64_MAX || interval == UINT64_MAX || (flags & ~TFD_TIMER_ABSTIME) != 0 ? -EINVAL : 0;
    if (r == 0) {
        libc_lock_take(&t->lock);
        if (old != NULL)
            *old = left(t);
        t->expired = 0;
        t->interval_ns = interval;
        t->next_ns = first == 0 ? SYS_NO_DEADLINE : when(t, first, (flags & TFD_TIMER_ABSTIME) != 0);
        if (__libc_threaded && !t->told) {
            sys_notify(t->endpoint, 1);
            t->told = true;
        }
        libc_lock_drop(&t->lock);
    }
    fd_put(&t->f);
    return (int)__libc_result(r);
}

int timerfd_gettime(int fd, struct itimerspec *value)
{
    struct timer_file *t = timer_get(fd);
    if (t == NULL)
        return -1;
    libc_lock_take(&t->lock);
    *value = left(t);
    libc_lock_drop(&t->lock);
    fd_put(&t->f);
    return 0;
}
