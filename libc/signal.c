/* SPDX-License-Identifier: MIT
 *
 * libc/signal.c: what signals do to this process: actions, masks, raise, abort.
 *
 * Owns: the table of actions; the kernel knows only which signals are caught and
 * which ignored. Context: any thread, and handlers. Lock: actions_lock for changes;
 * delivery reads without it.
 *
 * crt0's start.c refers to this file, so that newlib's own raise, signal and abort
 * are never linked beside it.
 */
#include "libc.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(SYS_signal_return == 54, "signal_entry.S");
_Static_assert(SIGCHLD == SIGNAL_CHILD && SIGALRM == SIGNAL_ALARM && SIGSEGV == SIGNAL_SEGV &&
                   SIGWINCH == SIGNAL_WINDOW && SIGTTOU == SIGNAL_TTY_OUT && SIGTSTP == SIGNAL_TTY_STOP,
               "the kernel's numbers are these");
_Static_assert(SIG_BLOCK == SIGNAL_BLOCK && SIG_UNBLOCK == SIGNAL_UNBLOCK && SIG_SETMASK == SIGNAL_SET &&
                   NSIG == SIGNAL_MAX + 1,
               "masks pass through");

static struct sigaction actions[NSIG];
libc_lock __libc_actions_lock;
__thread struct libc_guard __libc_guard;

extern const char __signal_entry[] __attribute__((visibility("hidden")));
void __signal_dispatch(struct signal_frame *f) __attribute__((visibility("hidden")));

static bool changeable(int signal)
{
    return signal > 0 && signal < NSIG && signal != SIGKILL && signal != SIGSTOP;
}

/* --- delivery --- */

/* Returns with the mask that held before. */
static void run(const struct libc_guard *g, struct signal_frame *f)
{
    struct sigaction a = actions[g->signal];
    siginfo_t info = {.si_signo = (int)g->signal, .si_code = (int)g->reason, .si_pid = (pid_t)g->sender};
    uint32_t during = g->mask | (uint32_t)a.sa_mask;
    int saved = errno;

    if (a.sa_handler == SIG_DFL || a.sa_handler == SIG_IGN)
        return; /* changed since the kernel chose it */
    if (a.sa_flags & SA_RESETHAND)
        signal((int)g->signal, SIG_DFL);
    if (!(a.sa_flags & SA_NODEFER))
        during |= SIGNAL_BIT(g->signal);
    info.si_addr = (void *)(uintptr_t)g->address;
    if (!(a.sa_flags & SA_RESTART))
        __libc_guard.interrupted = true;
    sys_signal_mask(SIGNAL_SET, during);
    if (a.sa_flags & SA_SIGINFO)
        a.sa_sigaction((int)g->signal, &info, f);
    else
        a.sa_handler((int)g->signal);
    errno = saved;
}

void __signal_dispatch(struct signal_frame *f)
{
    struct libc_guard g = {.signal = f->signal, .reason = f->reason, .sender = f->sender, .mask = f->mask,
                           .address = f->address};

    if (__libc_guard.held == 0) {
        run(&g, f);
        return;
    }
    g.held = __libc_guard.held;
    g.interrupted = __libc_guard.interrupted;
    g.deferred = true;
    __libc_guard = g;
    f->mask = ~0u; /* no other until this one has run */
}

void __libc_signal_deferred(void)
{
    struct libc_guard g = __libc_guard;

    __libc_guard.deferred = false;
    run(&g, NULL);
    sys_signal_mask(SIGNAL_SET, g.mask);
}

/* --- actions --- */

static void masks_now(struct sys_signal_setup *s)
{
    s->caught = s->ignored = 0;
    for (uint32_t i = 1; i < NSIG; i++) {
        if (actions[i].sa_handler == SIG_IGN)
            s->ignored |= SIGNAL_BIT(i);
        else if (actions[i].sa_handler != SIG_DFL)
            s->caught |= SIGNAL_BIT(i);
    }
}

/* A handler that changes an action in between finds both told. */
static int tell_kernel(void)
{
    struct sys_signal_setup s = {.entry = (uint64_t)(uintptr_t)__signal_entry}, now;
    int r;

    masks_now(&s);
    do {
        now = s;
        r = sys_signal_setup(&now);
        masks_now(&s);
    } while (r == 0 && (s.caught != now.caught || s.ignored != now.ignored));
    return r;
}

int sigaction(int signal, const struct sigaction *restrict act, struct sigaction *restrict old)
{
    int r = 0;

    if (signal <= 0 || signal >= NSIG || (act != NULL && !changeable(signal)))
        return (int)__libc_result(-EINVAL);
    libc_lock_take(&__libc_actions_lock);
    if (old != NULL)
        *old = actions[signal];
    if (act != NULL) {
        actions[signal] = *act;
        r = tell_kernel();
    }
    libc_lock_drop(&__libc_actions_lock);
    return (int)__libc_result(r);
}

_sig_func_ptr signal(int signal, _sig_func_ptr handler)
{
    struct sigaction a = {.sa_flags = SA_RESTART}, old;

    a.sa_handler = handler;
    return sigaction(signal, &a, &old) < 0 ? SIG_ERR : old.sa_handler;
}

uint32_t __libc_signals_ignored(void)
{
    struct sys_signal_setup s;
    masks_now(&s);
    return s.ignored;
}

void __libc_signals_inherit(uint32_t ignored, uint32_t mask)
{
    for (int i = 1; i < NSIG; i++)
        if (changeable(i) && (ignored & SIGNAL_BIT((uint32_t)i)))
            actions[i].sa_handler = SIG_IGN;
    tell_kernel();
    sys_signal_mask(SIGNAL_SET, mask);
}

bool __libc_children_unwanted(void)
{
    return actions[SIGCHLD].sa_handler == SIG_IGN || (actions[SIGCHLD].sa_flags & SA_NOCLDWAIT);
}

/* --- masks --- */

int pthread_sigmask(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
    int64_t was;

    if (set == NULL)
        was = sys_signal_mask(SIGNAL_BLOCK, 0);
    else if (how == SIG_BLOCK || how == SIG_UNBLOCK || how == SIG_SETMASK)
        was = sys_signal_mask((uint32_t)how, (uint32_t)*set);
    else
        return EINVAL;
    if (old != NULL)
        *old = (sigset_t)was;
    return 0;
}

int sigprocmask(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
    return (int)__libc_result(-pthread_sigmask(how, set, old));
}

int sigpending(sigset_t *set)
{
    *set = (sigset_t)sys_signal_mask(SIGNAL_PENDING, 0);
    return 0;
}

int sigsuspend(const sigset_t *mask)
{
    return (int)__libc_result(sys_signal_wait((uint32_t)*mask, SIGNAL_WAIT_MASK, SYS_NO_DEADLINE));
}

int pause(void)
{
    return (int)__libc_result(sys_wait(NULL, 0, SYS_NO_DEADLINE));
}

int sigwait(const sigset_t *restrict set, int *restrict signal)
{
    int64_t r;

    do
        r = sys_signal_wait((uint32_t)*set, SIGNAL_WAIT_TAKE, SYS_NO_DEADLINE);
    while (r == -EINTR);
    if (r < 0)
        return (int)-r;
    *signal = (int)r;
    return 0;
}

int sigtimedwait(const sigset_t *restrict set, siginfo_t *restrict info, const struct timespec *restrict timeout)
{
    uint64_t deadline = SYS_NO_DEADLINE;

    if (timeout != NULL) {
        if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= 1000000000)
            return (int)__libc_result(-EINVAL);
        deadline = sys_now_ns() + (uint64_t)timeout->tv_sec * 1000000000u + (uint64_t)timeout->tv_nsec;
    }
    int64_t r = sys_signal_wait((uint32_t)*set, SIGNAL_WAIT_TAKE, deadline);
    if (r > 0 && info != NULL)
        *info = (siginfo_t){.si_signo = (int)r, .si_code = SI_USER};
    return (int)__libc_result(r == -ETIMEDOUT ? -EAGAIN : r);
}

int sigwaitinfo(const sigset_t *restrict set, siginfo_t *restrict info)
{
    return sigtimedwait(set, info, NULL);
}

/* --- sending --- */

/* Each process is a group of its own. */
int kill(pid_t pid, int signal)
{
    if (signal < 0 || signal >= NSIG)
        return (int)__libc_result(-EINVAL);
    if (pid == -1)
        return (int)__libc_result(-EPERM);
    if (pid == 0)
        pid = sys_getpid();
    return (int)__libc_result(sys_kill((uint32_t)(pid < 0 ? -pid : pid), (uint32_t)signal));
}

int killpg(pid_t group, int signal)
{
    return group < 0 ? (int)__libc_result(-EINVAL) : kill(group, signal);
}

int raise(int signal)
{
    if (signal < 0 || signal >= NSIG)
        return (int)__libc_result(-EINVAL);
    return (int)__libc_result(sys_thread_signal(0, (uint32_t)signal));
}

int _raise_r(struct _reent *reent, int signal)
{
    (void)reent;
    return raise(signal);
}

_sig_func_ptr _signal_r(struct _reent *reent, int number, _sig_func_ptr handler)
{
    (void)reent;
    return signal(number, handler);
}

void abort(void)
{
    sys_signal_mask(SIGNAL_UNBLOCK, SIGNAL_BIT(SIGABRT));
    raise(SIGABRT);
    signal(SIGABRT, SIG_DFL); /* the handler came back */
    raise(SIGABRT);
    _exit(128 + SIGABRT);
}
