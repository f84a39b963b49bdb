/* SPDX-License-Identifier: MIT
 *
 * libc/process.c: the process itself: ending, identity, what it can ask about
 * the system. Context: any thread.
 */
#include "libc.h"
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* Programs without sockets, or without descriptors, need not link them. */
#pragma weak __libc_net_exit
#pragma weak __libc_log_exit

void _exit(int status)
{
    if (__libc_log_exit != NULL)
        __libc_log_exit();
    if (__libc_net_exit != NULL)
        __libc_net_exit();
    sys_exit(status);
}

pid_t getpid(void)
{
    return sys_getpid();
}

/* Nothing is delivered asynchronously: a signal to oneself that newlib's
 * raise() found no handler for ends the process, one to another ends that. */
int kill(pid_t pid, int sig)
{
    if (pid <= 0 || sig < 0 || sig >= NSIG)
        return (int)__libc_result(-EINVAL);
    if (pid == sys_getpid() && sig != 0)
        sys_exit(128 + sig);
    return (int)__libc_result(sys_kill((uint32_t)pid, (uint32_t)sig));
}

int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    static sigset_t mask;

    if (old != NULL)
        *old = mask;
    if (set == NULL)
        return 0;
    switch (how) {
    case SIG_BLOCK:
        mask |= *set;
        break;
    case SIG_UNBLOCK:
        mask &= ~*set;
        break;
    case SIG_SETMASK:
        mask = *set;
        break;
    default:
        return (int)__libc_result(-EINVAL);
    }
    return 0;
}

int getentropy(void *buf, size_t n)
{
    if (n > 256)
        return (int)__libc_result(-EIO);
    int r = sys_random(buf, n, 0);
    return (int)__libc_result(r < 0 ? r : 0);
}

int posix_memalign(void **out, size_t align, size_t n)
{
    if (align < sizeof(void *) || (align & (align - 1)) != 0)
        return EINVAL;
    void *p = memalign(align, n);
    if (p == NULL)
        return ENOMEM;
    *out = p;
    return 0;
}

int getpagesize(void)
{
    return 4096;
}

long sysconf(int name)
{
    struct info_system s;

    switch (name) {
    case _SC_PAGESIZE:
        return 4096;
    case _SC_CLK_TCK:
        return CLOCKS_PER_SEC;
    case _SC_OPEN_MAX:
        return 16384;
    case _SC_NPROCESSORS_CONF:
    case _SC_NPROCESSORS_ONLN:
        return sys_info(INFO_SYSTEM, 0, &s, sizeof s) > 0 ? (long)s.cpus : 1;
    case _SC_PHYS_PAGES:
        return sys_info(INFO_SYSTEM, 0, &s, sizeof s) > 0 ? (long)(s.memory_total / 4096) : -1;
    }
    return __libc_result(-EINVAL);
}

int gethostname(char *name, size_t n)
{
    strlcpy(name, "slipway", n);
    return n > 7 ? 0 : (int)__libc_result(-ENAMETOOLONG);
}

int uname(struct utsname *u)
{
    struct info_system s = {.version = ""};

    sys_info(INFO_SYSTEM, 0, &s, sizeof s);
    memset(u, 0, sizeof *u);
    strcpy(u->sysname, "Slipway");
    strcpy(u->nodename, "slipway");
    strlcpy(u->release, s.version, sizeof u->release);
    strlcpy(u->version, s.version, sizeof u->version);
    strcpy(u->machine, "x86_64");
    return 0;
}

/* --- one user, and no fork: what newlib itself asks for --- */

uid_t getuid(void)
{
    return 0;
}
uid_t geteuid(void)
{
    return 0;
}
gid_t getgid(void)
{
    return 0;
}
gid_t getegid(void)
{
    return 0;
}
int fork(void)
{
    return (int)__libc_result(-ENOSYS);
}
int execve(const char *path, char *const argv[], char *const envp[])
{
    (void)path, (void)argv, (void)envp;
    return (int)__libc_result(-ENOSYS);
}
int wait(int *status)
{
    (void)status;
    return (int)__libc_result(-ECHILD);
}
