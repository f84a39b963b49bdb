/* SPDX-License-Identifier: MIT
 *
 * libc/children.c: waiting for children.
 *
 * Owns: the handles of the processes that this one has started by fork or
 * posix_spawn, until they are waited for. Context: any thread. Lock: children_lock.
 *
 * The kernel counts the children that have ended; who finds none of those that
 * interest waits for the count to change.
 */
#include "inherit.h"
#include "libc.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>

#define CHILDREN_MAX 256 /* the kernel has no room for more processes */
#define NO_COUNT     0xffffffffu /* no count is this: asks for it at once */

static struct child {
    int pid; /* 0: free */
    int handle;
} children[CHILDREN_MAX];
libc_lock __libc_children_lock;
static struct sys_exit last; /* large; used with the lock held */

static bool ended(const struct child *c)
{
    struct wait_item it = {.kind = WAIT_HANDLE, .handle = c->handle, .want = READY_IN};
    return sys_wait(&it, 1, 0) == 1;
}

static void forget(struct child *c)
{
    sys_handle_close(c->handle);
    c->pid = 0;
}

void __libc_child_adopt(int pid, int handle)
{
    libc_lock_take(&__libc_children_lock);
    for (struct child *c = children; c < children + CHILDREN_MAX; c++) {
        if (c->pid != 0 && __libc_children_unwanted() && ended(c))
            forget(c);
        if (c->pid != 0)
            continue;
        *c = (struct child){pid, handle};
        break;
    }
    libc_lock_drop(&__libc_children_lock);
}

int __libc_child_add(int handle)
{
    libc_lock_take(&__libc_children_lock);
    int r = sys_process_status(handle, &last);
    int pid = (int)last.pid;
    libc_lock_drop(&__libc_children_lock);
    if (r < 0)
        return r;
    __libc_child_adopt(pid, handle);
    return pid;
}

void __libc_children_forked(void)
{
    memset(children, 0, sizeof children);
}

int __libc_children_write(struct inherit_out *o)
{
    int r = 0;
    libc_lock_take(&__libc_children_lock);
    for (struct child *c = children; c < children + CHILDREN_MAX && r == 0; c++)
        if (c->pid != 0)
            r = inherit_child(o, c->pid, c->handle);
    libc_lock_drop(&__libc_children_lock);
    return r;
}

static int signal_of_vector(int vector)
{
    switch (vector) {
    case 0:
    case 16:
    case 19:
        return SIGFPE;
    case 1:
    case 3:
        return SIGTRAP;
    case 6:
        return SIGILL;
    default:
        return SIGSEGV;
    }
}

/* As wait's macros read it. */
static int status_of(const struct sys_exit *e)
{
    if (e->state == PROC_EXITED)
        return (e->status & 0xff) << 8;
    return e->state == PROC_KILLED ? e->status & 0x7f : signal_of_vector(e->status);
}

/* One that has ended, of those that pid means (-1: all). Its pid, 0 for none yet,
 * or -ECHILD. */
static int reap(pid_t pid, int *status, bool keep)
{
    int found = -ECHILD;

    libc_lock_take(&__libc_children_lock);
    for (struct child *c = children; c < children + CHILDREN_MAX && found <= 0; c++) {
        if (c->pid == 0 || (pid != -1 && c->pid != pid))
            continue;
        found = 0;
        if (!ended(c) || sys_process_status(c->handle, &last) < 0)
            continue;
        if (__libc_children_unwanted()) {
            forget(c);
            found = -ECHILD;
            continue;
        }
        *status = status_of(&last);
        found = c->pid;
        if (!keep)
            forget(c);
    }
    libc_lock_drop(&__libc_children_lock);
    return found;
}

/* A program that was exec'ed has its children among what it inherits. */
static void adopt_inherited(void)
{
    static bool done;
    const struct inherit_item *it;
    size_t off = 0;

    if (done || __libc_inherited == NULL)
        return;
    done = true;
    while ((it = inherit_next(__libc_inherited, &off)) != NULL)
        if (it->kind == INHERIT_CHILD)
            __libc_child_adopt(it->fd, it->handle);
}

static int wait_for(pid_t pid, int *status, int options, bool keep)
{
    adopt_inherited();
    __libc_may_block();
    for (;;) {
        int64_t count = sys_signal_wait(NO_COUNT, SIGNAL_WAIT_CHILD, 0);
        int r = reap(pid, status, keep);
        if (r != 0 || (options & WNOHANG))
            return r;
        r = (int)sys_signal_wait((uint32_t)count, SIGNAL_WAIT_CHILD, SYS_NO_DEADLINE);
        if (r < 0 && !(r == -EINTR && __libc_restarts()))
            return r;
    }
}

/* All children are of one group, and each process leads its own. */
static pid_t whom(pid_t pid)
{
    return pid == 0 ? -1 : pid < -1 ? -pid : pid;
}

pid_t waitpid(pid_t pid, int *status, int options)
{
    int s = 0;

    if ((options & ~(WNOHANG | WUNTRACED | WCONTINUED)) != 0)
        return (pid_t)__libc_result(-EINVAL);
    int r = wait_for(whom(pid), &s, options, false);
    if (r > 0 && status != NULL)
        *status = s;
    return (pid_t)__libc_result(r);
}

pid_t wait(int *status)
{
    return waitpid(-1, status, 0);
}

int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    int s = 0;

    if (!(options & WEXITED) || (options & ~(WEXITED | WSTOPPED | WCONTINUED | WNOHANG | WNOWAIT)) != 0 ||
        (type != P_ALL && type != P_PID && type != P_PGID))
        return (int)__libc_result(-EINVAL);
    int r = wait_for(type == P_ALL ? -1 : whom((pid_t)id), &s, options, (options & WNOWAIT) != 0);
    if (r >= 0 && info != NULL) {
        *info = (siginfo_t){.si_signo = r > 0 ? SIGCHLD : 0, .si_pid = r};
        info->si_code = r == 0 ? 0 : WIFEXITED(s) ? CLD_EXITED : CLD_KILLED;
        info->si_status = WIFEXITED(s) ? WEXITSTATUS(s) : WTERMSIG(s);
    }
    return r < 0 ? (int)__libc_result(r) : 0;
}
