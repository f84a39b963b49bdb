/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/signals.c: who gets a signal and when, what an interrupted
 * thread finds afterwards, and what a forged frame can do.
 */
#include "selftest.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int count, last_signal, inner;
static volatile pid_t last_pid;
static sigset_t seen_mask;

static void counts(int signal)
{
    count++;
    last_signal = signal;
}

static void catch_with(int signal, void (*handler)(int), int flags)
{
    struct sigaction a = {.sa_flags = flags};
    a.sa_handler = handler;
    sigaction(signal, &a, NULL);
}

static sigset_t set_of(int signal)
{
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, signal);
    return s;
}

/* What a child that did `what` ended with, as waitpid has it; -1 for trouble. */
static int status_of(void (*what)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        what();
        _exit(0);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

/* --- handlers and masks --- */

static void looks_at_mask(int signal)
{
    counts(signal);
    sigprocmask(SIG_SETMASK, NULL, &seen_mask);
}

static const char *handlers_run(void) /* C-SIG-1 */
{
    struct sigaction a = {.sa_mask = set_of(SIGUSR2)}, old;
    sigset_t mask;

    a.sa_handler = looks_at_mask;
    count = 0;
    CHECK(sigaction(SIGUSR1, &a, &old) == 0 && old.sa_handler == SIG_DFL);
    errno = 7;
    CHECK(raise(SIGUSR1) == 0 && count == 1 && last_signal == SIGUSR1 && errno == 7);
    CHECK(sigismember(&seen_mask, SIGUSR1) && sigismember(&seen_mask, SIGUSR2));
    CHECK(!sigismember(&seen_mask, SIGTERM));
    CHECK(sigprocmask(SIG_SETMASK, NULL, &mask) == 0 && mask == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0 && count == 2);
    CHECK(sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == looks_at_mask);
    CHECK(signal(SIGUSR1, SIG_IGN) == looks_at_mask && raise(SIGUSR1) == 0 && count == 2);
    CHECK(signal(SIGUSR1, SIG_DFL) == SIG_IGN);
    catch_with(SIGUSR1, counts, SA_RESETHAND);
    CHECK(raise(SIGUSR1) == 0 && count == 3);
    CHECK(sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == SIG_DFL);
    CHECK(signal(SIGKILL, counts) == SIG_ERR && errno == EINVAL);
    CHECK(signal(SIGSTOP, SIG_IGN) == SIG_ERR && signal(32, counts) == SIG_ERR && signal(0, counts) == SIG_ERR);
    CHECK(raise(99) == -1 && errno == EINVAL);
    CHECK(kill(getpid(), SIGSTOP) == -1 && errno == EINVAL);
    CHECK(kill(0x7ffffff0, SIGTERM) == -1 && errno == ESRCH);
    return NULL;
}

static const char *blocked_ones_wait(void)
{
    sigset_t both = set_of(SIGUSR1) | set_of(SIGUSR2), pending;

    count = 0;
    catch_with(SIGUSR1, counts, 0);
    catch_with(SIGUSR2, counts, 0);
    CHECK(sigprocmask(SIG_BLOCK, &both, NULL) == 0);
    CHECK(raise(SIGUSR1) == 0 && raise(SIGUSR1) == 0 && kill(getpid(), SIGUSR2) == 0 && count == 0);
    CHECK(sigpending(&pending) == 0 && pending == both);
    CHECK(sigprocmask(SIG_UNBLOCK, &both, NULL) == 0 && count == 2); /* two of one are one */
    CHECK(sigpending(&pending) == 0 && pending == 0);
    CHECK(sigprocmask(SIG_BLOCK, &both, NULL) == 0 && raise(SIGUSR1) == 0);
    CHECK(signal(SIGUSR1, SIG_IGN) == counts); /* what waits is ignored, too */
    CHECK(sigprocmask(SIG_UNBLOCK, &both, NULL) == 0 && count == 2);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
    return NULL;
}

static void nests(int signal)
{
    counts(signal);
    if (signal == SIGUSR1 && count < 20) {
        raise(SIGUSR2);
        inner = count;
        raise(SIGUSR1); /* SA_NODEFER: at once */
    }
}

static const char *handlers_nest(void)
{
    count = 0;
    catch_with(SIGUSR1, nests, SA_NODEFER);
    catch_with(SIGUSR2, nests, 0);
    CHECK(raise(SIGUSR1) == 0);
    CHECK(count >= 20 && inner >= 18);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
    return NULL;
}

/* --- what the interrupted thread finds --- */

static void spoils(int signal)
{
    char big[512];

    memset((char *)big, 0xee, sizeof big);
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0; movdqa %%xmm0, %%xmm3; movdqa %%xmm0, %%xmm15; fninit; fldz;"
                     "pushq $0x1f00; ldmxcsr (%%rsp); addq $8, %%rsp" ::"r"(big)
                     : "xmm0", "xmm3", "xmm15", "memory");
    counts(signal);
}

/* Runs in a loop with known values in the red zone, flags and registers until
 * the handler has counted; returns how many are wrong afterwards. */
static long interrupted_loop(void)
{
    long wrong = 0;
    double one = 1.25;

    __asm__ volatile("movq $0x0123456789abcdef, %%rax; movq %%rax, -8(%%rsp); movq %%rax, -128(%%rsp)\n\t"
                     "movq %%rax, %%xmm3; movq %%rax, %%xmm15; movq %%rax, %%r8; movq %%rax, %%r15\n\t"
                     "fldl %[one]; xorl %%ecx, %%ecx\n"
                     "1: cmpl $0, %[count]; je 1b\n\t"
                     "cmpq %%rax, -8(%%rsp); je 2f; incq %%rcx\n"
                     "2: cmpq %%rax, -128(%%rsp); je 2f; incq %%rcx\n"
                     "2: cmpq %%rax, %%r8; je 2f; incq %%rcx\n"
                     "2: cmpq %%rax, %%r15; je 2f; incq %%rcx\n"
                     "2: movq %%xmm3, %%rdx; cmpq %%rax, %%rdx; je 2f; incq %%rcx\n"
                     "2: movq %%xmm15, %%rdx; cmpq %%rax, %%rdx; je 2f; incq %%rcx\n"
                     "2: fstpl %[one]\n\t"
                     : "=&c"(wrong), [one] "+m"(one)
                     : [count] "m"(count)
                     : "rax", "rdx", "r8", "r15", "xmm3", "xmm15", "memory", "cc");
    return wrong + (one != 1.25);
}

static const char *nothing_is_spoilt(void) /* C-SIG-4 */
{
    uint32_t mxcsr, after;

    catch_with(SIGALRM, spoils, 0);
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    for (int i = 0; i < 50; i++) {
        count = 0;
        ualarm(500 + (useconds_t)i * 37, 0);
        CHECK(interrupted_loop() == 0);
    }
    __asm__ volatile("stmxcsr %0" : "=m"(after));
    CHECK(mxcsr == after);
    signal(SIGALRM, SIG_DFL);
    return NULL;
}

/* Every register survives a system call that a signal interrupts. */
static const char *calls_are_interrupted(void)
{
    /* Again and again: a busy host may let the first go by before the call begins. */
    struct itimerval t = {.it_interval = {0, 2000}, .it_value = {0, 2000}}, off = {.it_value = {0, 0}};
    int p[2];
    char c;

    CHECK(pipe(p) == 0);
    catch_with(SIGALRM, counts, 0);
    CHECK(setitimer(ITIMER_REAL, &t, NULL) == 0);
    for (int i = 0; i < 20; i++) {
        count = 0;
        CHECK(read(p[0], &c, 1) == -1 && errno == EINTR && count > 0);
    }
    count = 0;
    CHECK(usleep(4000000) == -1 && errno == EINTR && count > 0);
    struct timespec want = {5, 0}, left = {0, 0};
    CHECK(nanosleep(&want, &left) == -1 && errno == EINTR && left.tv_sec == 4 && left.tv_nsec > 0);
    count = 0;
    CHECK(pause() == -1 && errno == EINTR && count > 0);
    /* SA_RESTART: the same read goes on. */
    catch_with(SIGALRM, counts, SA_RESTART);
    pid_t pid = fork();
    if (pid == 0) {
        usleep(10000);
        _exit(write(p[1], "x", 1) != 1);
    }
    count = 0;
    CHECK(read(p[0], &c, 1) == 1 && c == 'x' && count > 0);
    CHECK(waitpid(pid, NULL, 0) == pid);
    CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0);
    close(p[0]);
    close(p[1]);
    signal(SIGALRM, SIG_DFL);
    return NULL;
}

static const char *alarms(void)
{
    struct itimerval t = {.it_interval = {0, 1000}, .it_value = {0, 1000}}, left;

    catch_with(SIGALRM, counts, 0);
    CHECK(alarm(100) == 0 && alarm(0) == 100 && alarm(0) == 0);
    count = 0;
    CHECK(setitimer(ITIMER_REAL, &t, NULL) == 0);
    while (count < 10)
        CHECK(pause() == -1);
    CHECK(getitimer(ITIMER_REAL, &left) == 0 && left.it_interval.tv_usec == 1000);
    t = (struct itimerval){0};
    CHECK(setitimer(ITIMER_REAL, &t, &left) == 0 && left.it_value.tv_usec <= 1000);
    CHECK(setitimer(ITIMER_VIRTUAL, &t, NULL) == -1 && errno == EINVAL);
    t.it_value.tv_usec = 1000000;
    CHECK(setitimer(ITIMER_REAL, &t, NULL) == -1 && errno == EINVAL);
    count = 0;
    usleep(5000);
    CHECK(count == 0);
    signal(SIGALRM, SIG_DFL);
    return NULL;
}

/* --- waiting for signals --- */

static volatile bool sender_stops;
static pthread_t main_thread;

static void *sends(void *arg)
{
    (void)arg;
    while (!sender_stops) {
        pthread_kill(main_thread, SIGUSR1);
        sched_yield();
    }
    return NULL;
}

/* Were a signal lost between the look and sigsuspend, this would hang. */
static const char *no_signal_is_lost(void) /* C-SIG-3 */
{
    sigset_t block = set_of(SIGUSR1), none = 0, old;
    pthread_t t;

    main_thread = pthread_self();
    sender_stops = false;
    catch_with(SIGUSR1, counts, 0);
    CHECK(sigprocmask(SIG_BLOCK, &block, &old) == 0);
    CHECK(pthread_create(&t, NULL, sends, NULL) == 0);
    for (int i = 0; i < 2000; i++) {
        count = 0;
        while (count == 0)
            CHECK(sigsuspend(&none) == -1 && errno == EINTR);
        CHECK(sigprocmask(SIG_SETMASK, NULL, &old) == 0 && old == block); /* the mask is back */
    }
    sender_stops = true;
    CHECK(pthread_join(t, NULL) == 0);
    CHECK(sigprocmask(SIG_UNBLOCK, &block, NULL) == 0);
    signal(SIGUSR1, SIG_DFL);
    return NULL;
}

/* The same with pselect and ppoll, which let the signal in only while they wait. */
static const char *poll_with_a_mask(void) /* C-SIG-3 */
{
    sigset_t block = set_of(SIGUSR1), none = 0, old;
    struct timespec brief = {0, 1000000}, wrong = {0, -1};
    struct pollfd f = {.events = POLLIN};
    pthread_t t;
    int p[2];

    main_thread = pthread_self();
    sender_stops = false;
    catch_with(SIGUSR1, counts, SA_RESTART);
    CHECK(pipe(p) == 0 && sigprocmask(SIG_BLOCK, &block, &old) == 0);
    f.fd = p[0];
    CHECK(ppoll(&f, 1, &brief, &none) == 0 && ppoll(&f, 1, &wrong, NULL) == -1 && errno == EINVAL);
    CHECK(pthread_create(&t, NULL, sends, NULL) == 0);
    for (int i = 0; i < 1000; i++) {
        fd_set rd;
        FD_ZERO(&rd);
        FD_SET(p[0], &rd);
        count = 0;
        int r = i % 2 ? ppoll(&f, 1, NULL, &none) : pselect(p[0] + 1, &rd, NULL, NULL, NULL, &none);
        CHECK(r == -1 && errno == EINTR && count == 1);
        CHECK(sigprocmask(SIG_SETMASK, NULL, &old) == 0 && old == block);
    }
    sender_stops = true;
    CHECK(pthread_join(t, NULL) == 0);
    CHECK(write(p[1], "x", 1) == 1 && ppoll(&f, 1, NULL, &none) == 1 && f.revents == POLLIN);
    CHECK(close(p[0]) == 0 && close(p[1]) == 0);
    signal(SIGUSR1, SIG_IGN); /* what may still wait is gone */
    CHECK(sigprocmask(SIG_UNBLOCK, &block, NULL) == 0);
    signal(SIGUSR1, SIG_DFL);
    return NULL;
}

static const char *signals_are_taken(void)
{
    sigset_t set = set_of(SIGUSR1) | set_of(SIGCHLD), old;
    struct timespec brief = {0, 2000000};
    siginfo_t info;
    int got = 0;

    CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
    CHECK(raise(SIGUSR1) == 0 && sigwait(&set, &got) == 0 && got == SIGUSR1);
    CHECK(sigtimedwait(&set, &info, &brief) == -1 && errno == EAGAIN);
    pid_t pid = fork();
    if (pid == 0)
        _exit(3);
    CHECK(sigwaitinfo(&set, &info) == SIGCHLD && info.si_signo == SIGCHLD); /* though ignored by default */
    CHECK(waitpid(pid, &got, WNOHANG) == pid && WEXITSTATUS(got) == 3);
    CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
    return NULL;
}

static pthread_t handled_by;
static void notes_thread(int signal)
{
    handled_by = pthread_self();
    counts(signal);
}

static void *waits_for_two(void *arg)
{
    (void)arg;
    while (count < 2)
        usleep(1000);
    return NULL;
}

static const char *threads_are_told_apart(void)
{
    sigset_t block = set_of(SIGUSR1);
    pthread_t t;

    count = 0;
    catch_with(SIGUSR1, notes_thread, 0);
    CHECK(pthread_create(&t, NULL, waits_for_two, NULL) == 0);
    CHECK(pthread_kill(t, SIGUSR1) == 0);
    while (count < 1)
        sched_yield();
    CHECK(pthread_equal(handled_by, t));
    CHECK(pthread_sigmask(SIG_BLOCK, &block, NULL) == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0); /* for the process: who does not block it takes it */
    CHECK(pthread_join(t, NULL) == 0 && count == 2 && pthread_equal(handled_by, t));
    CHECK(pthread_sigmask(SIG_UNBLOCK, &block, NULL) == 0 && count == 2);
    CHECK(pthread_kill(t, SIGUSR1) == ESRCH && pthread_kill(pthread_self(), 77) == EINVAL);
    signal(SIGUSR1, SIG_DFL);
    return NULL;
}

/* The handler uses what the interrupted call holds the lock of. */
static void uses_descriptors(int signal)
{
    close(dup(0));
    counts(signal);
}

static const char *handlers_may_call(void)
{
    pthread_t t;

    count = 0;
    main_thread = pthread_self();
    sender_stops = false;
    catch_with(SIGUSR1, uses_descriptors, SA_RESTART);
    CHECK(pthread_create(&t, NULL, sends, NULL) == 0);
    while (count < 150) {
        int fd = dup(0);
        CHECK(fd >= 0 && close(fd) == 0);
    }
    sender_stops = true;
    CHECK(pthread_join(t, NULL) == 0);
    signal(SIGUSR1, SIG_DFL);
    return NULL;
}

/* --- children --- */

static void reaps(int signal)
{
    int status;
    pid_t pid;

    counts(signal);
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        inner++;
        last_pid = pid;
    }
}

static const char *children_are_told(void)
{
    sigset_t block = set_of(SIGCHLD), none = 0;

    count = inner = 0;
    catch_with(SIGCHLD, reaps, SA_RESTART);
    CHECK(sigprocmask(SIG_BLOCK, &block, NULL) == 0);
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0)
            _exit(i);
    }
    while (inner < 20)
        sigsuspend(&none);
    CHECK(sigprocmask(SIG_UNBLOCK, &block, NULL) == 0);
    CHECK(inner == 20 && count >= 1 && waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    signal(SIGCHLD, SIG_DFL);
    return NULL;
}

static void by_term(void)
{
    raise(SIGTERM);
}
static void by_abort(void)
{
    catch_with(SIGABRT, counts, 0);
    abort();
}
static void by_fault(void)
{
    *(volatile int *)(uintptr_t)strtoul("4660", NULL, 0) = 1;
}
static void by_division(void)
{
    __asm__ volatile("xorl %%ecx, %%ecx; divl %%ecx" ::: "rax", "rcx", "rdx");
}
static void by_nothing(void)
{
    raise(SIGCHLD);
    raise(SIGURG);
    raise(SIGWINCH);
    raise(SIGTTOU);
}
static void by_blocked(void)
{
    sigset_t s = set_of(SIGTERM);
    sigprocmask(SIG_BLOCK, &s, NULL);
    raise(SIGTERM);
    sigprocmask(SIG_UNBLOCK, &s, NULL);
}
static void by_kill(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL); /* all but this */
    raise(SIGKILL);
}

static const char *default_actions(void)
{
    int s = status_of(by_term);
    CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGTERM);
    s = status_of(by_abort);
    CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGABRT);
    s = status_of(by_fault);
    CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV);
    s = status_of(by_division);
    CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGFPE);
    CHECK(status_of(by_nothing) == 0);
    s = status_of(by_blocked);
    CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGTERM);
    s = status_of(by_kill);
    CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL);
    return NULL;
}

static jmp_buf back;
static void *volatile fault_address;

static void leaves_fault(int signal, siginfo_t *info, void *frame)
{
    sigset_t s = set_of(signal);

    (void)frame;
    fault_address = info->si_addr;
    sigprocmask(SIG_UNBLOCK, &s, NULL);
    longjmp(back, 1);
}

static const char *faults_are_caught(void)
{
    struct sigaction a = {.sa_flags = SA_SIGINFO};

    a.sa_sigaction = leaves_fault;
    CHECK(sigaction(SIGSEGV, &a, NULL) == 0);
    for (volatile int i = 0; i < 3; i++) {
        fault_address = NULL;
        if (setjmp(back) == 0)
            by_fault();
        CHECK((uintptr_t)fault_address == 4660);
    }
    signal(SIGSEGV, SIG_DFL);
    return NULL;
}

/* --- forged frames --- */

static int forgery;
static struct signal_frame *volatile frame_seen;

static void forges(int signal, siginfo_t *info, void *context)
{
    struct signal_frame *f = context;
    uint32_t *mxcsr = (uint32_t *)(uintptr_t)(f->fpu + 24);
    uint64_t *header = (uint64_t *)(uintptr_t)(f->fpu + 512);

    (void)signal, (void)info;
    frame_seen = f;
    switch (forgery) {
    case 0: /* not canonical */
        f->rip = 0x8000000000000000u;
        return;
    case 1: /* the kernel's */
        f->rip = 0xffffffff80100000u;
        return;
    case 2:
        f->rsp = 0xffff800000001000u;
        f->rip = (uint64_t)(uintptr_t)by_term;
        return;
    case 3: /* privileged flags, then out */
        f->rflags = ~0ull & ~0x100ull;
        return;
    case 4:
        memset((void *)(uintptr_t)f->fpu, 0xff, f->fpu_bytes);
        return;
    case 5: /* the compacted form, components that do not exist */
        header[0] = header[1] = ~0ull;
        *mxcsr = 0xffffffff;
        return;
    case 6:
        f->fpu = 0xffff800000000000u;
        return;
    case 7:
        f->fpu = 0x1001;
        return;
    case 8:
        f->mask = ~0u; /* SIGKILL cannot be in it */
        return;
    default:
        sys_signal_mask(SIGNAL_SET, 0);
        __asm__ volatile("syscall" ::"a"(SYS_signal_return), "D"(forgery == 9 ? 0xffff800000000000u : 0x1000ul)
                         : "rcx", "r11", "memory");
        return;
    }
}

static void forge(void)
{
    struct sigaction a = {.sa_flags = SA_SIGINFO};
    double d = 1.5;

    a.sa_sigaction = forges;
    sigaction(SIGUSR1, &a, NULL);
    raise(SIGUSR1);
    __asm__ volatile("fninit; fldl %0; fstpl %0; addsd %0, %%xmm1; cld" : "+m"(d)::"xmm1");
    if (forgery == 8)
        raise(SIGKILL);
    _exit(42);
}

static const char *forged_frames_are_harmless(void) /* C-SIG-2 */
{
    static const int expect[] = {-1, -1, -1, 42, 42, 42, -1, -1, -1, -1, -1};

    for (forgery = 0; forgery < (int)(sizeof expect / sizeof expect[0]); forgery++) {
        int s = status_of(forge);
        if (expect[forgery] >= 0)
            CHECK(WIFEXITED(s) && WEXITSTATUS(s) == expect[forgery]);
        else
            CHECK(s > 0 && WIFSIGNALED(s));
    }
    return NULL;
}

static void without_stack(void)
{
    catch_with(SIGUSR1, counts, 0);
    __asm__ volatile("movq $64, %%rsp; movl %0, %%eax; xorl %%edi, %%edi; movl $30, %%esi; syscall; hlt" ::"i"(
                         SYS_thread_signal)
                     : "memory");
}

static const char *hostile_arguments(void)
{
    struct sys_signal_setup s = {.caught = 2};
    int status;

    CHECK(sys_signal_setup(&s) == -EINVAL); /* caught, and no entry */
    s = (struct sys_signal_setup){.entry = 0xffff800000000000u};
    CHECK(sys_signal_setup(&s) == -EINVAL);
    s = (struct sys_signal_setup){.ignored = SIGNAL_BIT(SIGNAL_KILL)};
    CHECK(sys_signal_setup(&s) == -EINVAL);
    CHECK(sys_signal_setup((void *)(uintptr_t)strtoul("8", NULL, 0)) == -EFAULT);
    CHECK(sys_signal_mask(9, 0) == -EINVAL && sys_signal_wait(0, 9, 0) == -EINVAL);
    CHECK(sys_thread_signal(0x7fffffff, SIGUSR1) == -ESRCH && sys_thread_signal(0, 32) == -EINVAL);
    CHECK(sys_process_control(99, 0, 0) == -EINVAL);
    CHECK(sys_process_control(PROCESS_ALARM, UINT64_MAX, 0) == -EINVAL);
    CHECK(sys_process_control(PROCESS_ALARM, 1, 1) == -EINVAL); /* an interval of 1 ns */
    status = status_of(without_stack);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    return NULL;
}

const struct test signals_tests[] = {
    {"handlers-run", handlers_run},
    {"blocked-ones-wait", blocked_ones_wait},
    {"handlers-nest", handlers_nest},
    {"nothing-is-spoilt", nothing_is_spoilt},
    {"calls-are-interrupted", calls_are_interrupted},
    {"alarms", alarms},
    {"no-signal-is-lost", no_signal_is_lost},
    {"poll-with-a-mask", poll_with_a_mask},
    {"signals-are-taken", signals_are_taken},
    {"threads-are-told-apart", threads_are_told_apart},
    {"handlers-may-call", handlers_may_call},
    {"children-are-told", children_are_told},
    {"default-actions", default_actions},
    {"faults-are-caught", faults_are_caught},
    {"forged-frames-are-harmless", forged_frames_are_harmless},
    {"hostile-arguments", hostile_arguments},
    {NULL, NULL},
};
