/* SPDX-License-Identifier: MIT
 *
 * sys/signal.h: signals, in place of newlib's header, which for an unknown system
 * has no sa_flags and no siginfo_t. Numbers and the type of a set are newlib's.
 */
#ifndef _SYS_SIGNAL_H
#define _SYS_SIGNAL_H

#include <sys/_sigset.h>
#include <sys/_timespec.h>
#include <sys/cdefs.h>
#include <sys/features.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#if !defined(_SIGSET_T_DECLARED)
#define _SIGSET_T_DECLARED
typedef __sigset_t sigset_t;
#endif

#define SIGHUP    1
#define SIGINT    2
#define SIGQUIT   3
#define SIGILL    4
#define SIGTRAP   5
#define SIGABRT   6
#define SIGIOT    SIGABRT
#define SIGEMT    7
#define SIGFPE    8
#define SIGKILL   9
#define SIGBUS    10
#define SIGSEGV   11
#define SIGSYS    12
#define SIGPIPE   13
#define SIGALRM   14
#define SIGTERM   15
#define SIGURG    16
#define SIGSTOP   17 /* cannot be sent: nothing is ever stopped */
#define SIGTSTP   18 /* these and 21, 22 are ignored by default */
#define SIGCONT   19
#define SIGCHLD   20
#define SIGCLD    SIGCHLD
#define SIGTTIN   21
#define SIGTTOU   22
#define SIGIO     23
#define SIGPOLL   SIGIO
#define SIGXCPU   24
#define SIGXFSZ   25
#define SIGVTALRM 26
#define SIGPROF   27
#define SIGWINCH  28
#define SIGLOST   29
#define SIGUSR1   30
#define SIGUSR2   31
#define NSIG      32

#define SIG_SETMASK 0
#define SIG_BLOCK   1
#define SIG_UNBLOCK 2

#define SA_NOCLDSTOP 0x01 /* no effect: nothing is ever stopped */
#define SA_SIGINFO   0x02
#define SA_RESTART   0x04 /* pipes, the console, wait; not sockets, poll, sleep */
#define SA_NODEFER   0x08
#define SA_RESETHAND 0x10
#define SA_NOCLDWAIT 0x20

#define SI_USER    1
#define SI_QUEUE   2
#define SI_TIMER   3
#define SI_KERNEL  6 /* a fault; si_addr says where */
#define CLD_EXITED 7
#define CLD_KILLED 8

union sigval {
    int sival_int;
    void *sival_ptr;
};

typedef struct {
    int si_signo, si_code, si_errno;
    pid_t si_pid; /* sender, or the child */
    uid_t si_uid;
    int si_status; /* from waitid */
    void *si_addr;
    union sigval si_value;
} siginfo_t;

#define SIGEV_NONE   1
#define SIGEV_SIGNAL 2
#define SIGEV_THREAD 3
struct sigevent {
    int sigev_notify, sigev_signo;
    union sigval sigev_value;
    void (*sigev_notify_function)(union sigval);
    pthread_attr_t *sigev_notify_attributes;
};

typedef void (*_sig_func_ptr)(int);

struct sigaction {
    union {
        _sig_func_ptr sa_handler;
        void (*sa_sigaction)(int, siginfo_t *, void *); /* with SA_SIGINFO; the third: struct signal_frame */
    };
    sigset_t sa_mask;
    int sa_flags;
};

int sigaction(int signal, const struct sigaction *__restrict act, struct sigaction *__restrict old);
int sigprocmask(int how, const sigset_t *__restrict set, sigset_t *__restrict old);
int pthread_sigmask(int how, const sigset_t *__restrict set, sigset_t *__restrict old);
int kill(pid_t pid, int signal);
int killpg(pid_t group, int signal);
int pthread_kill(pthread_t thread, int signal);
int sigpending(sigset_t *set);
int sigsuspend(const sigset_t *mask);
int sigwait(const sigset_t *__restrict set, int *__restrict signal);
int sigwaitinfo(const sigset_t *__restrict set, siginfo_t *__restrict info);
int sigtimedwait(const sigset_t *__restrict set, siginfo_t *__restrict info,
                 const struct timespec *__restrict timeout);

static __inline int sigaddset(sigset_t *set, int signal)
{
    *set |= (sigset_t)1 << signal;
    return 0;
}
static __inline int sigdelset(sigset_t *set, int signal)
{
    *set &= ~((sigset_t)1 << signal);
    return 0;
}
static __inline int sigismember(const sigset_t *set, int signal)
{
    return (int)(*set >> signal & 1);
}
static __inline int sigemptyset(sigset_t *set)
{
    *set = 0;
    return 0;
}
static __inline int sigfillset(sigset_t *set)
{
    *set = 0xfffffffe;
    return 0;
}

#ifdef __cplusplus
}
#endif

#ifndef _SIGNAL_H_
#include <signal.h>
#endif
#endif
