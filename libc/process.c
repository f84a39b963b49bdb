/* SPDX-License-Identifier: MIT
 *
 * libc/process.c: the process itself: ending, identity, what it can ask about
 * the system. Context: any thread.
 */
#include "libc.h"
#include <errno.h>
#include <malloc.h>
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

/* --- one user --- */

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
