/* SPDX-License-Identifier: MIT
 *
 * libc/spawn.c: posix_spawn.
 *
 * Owns: the two attribute objects. The kernel starts the child at once, so file
 * actions are carried out beforehand on a plan of its descriptors: opening happens
 * here, and what cannot be opened is this call's error. The child has the
 * caller's rights. Context: any thread.
 *
 * Process groups, scheduling and user ids do not exist here: POSIX_SPAWN_RESETIDS
 * has nothing to do, the others are refused (ENOTSUP).
 */
#include "fd.h"
#include "inherit.h"
#include "libc.h"
#include "net.h"
#include "program.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Programs without sockets have none to move, and need not link them. */
#pragma weak __libc_socket_pack
#pragma weak __libc_socket_restore

struct __posix_spawnattr {
    short flags;
    sigset_t sigdefault, sigmask;
};

enum action_kind { ACTION_OPEN, ACTION_CLOSE, ACTION_DUP2, ACTION_SOCKET };
struct action {
    enum action_kind kind;
    int fd, from, flags;
    char *path;
};
struct __posix_spawn_file_actions {
    struct action *v;
    size_t n;
};

#define FLAGS_KNOWN \
    (POSIX_SPAWN_RESETIDS | POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSCHEDPARAM | POSIX_SPAWN_SETSCHEDULER | \
     POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK)
#define FLAGS_DONE (POSIX_SPAWN_RESETIDS | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK)

/* --- file actions --- */

int posix_spawn_file_actions_init(posix_spawn_file_actions_t *fa)
{
    *fa = calloc(1, sizeof **fa);
    return *fa == NULL ? ENOMEM : 0;
}

int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *fa)
{
    for (size_t i = 0; i < (*fa)->n; i++)
        free((*fa)->v[i].path);
    free((*fa)->v);
    free(*fa);
    *fa = NULL;
    return 0;
}

static int action_add(posix_spawn_file_actions_t *fa, struct action a)
{
    if (a.fd < 0 || a.fd >= FD_MAX || a.from < 0 || a.from >= FD_MAX)
        return EBADF;
    struct action *more = realloc((*fa)->v, ((*fa)->n + 1) * sizeof *more);
    if (more == NULL)
        return ENOMEM;
    (*fa)->v = more;
    more[(*fa)->n++] = a;
    return 0;
}

int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *restrict fa, int fd, const char *restrict path,
                                     int flags, mode_t mode)
{
    char *copy = strdup(path);

    (void)mode; /* nothing can be created */
    if (copy == NULL)
        return ENOMEM;
    int r = action_add(fa, (struct action){.kind = ACTION_OPEN, .fd = fd, .flags = flags, .path = copy});
    if (r != 0)
        free(copy);
    return r;
}

int posix_spawn_file_actions_addclose(posix_spawn_file_actions_t *fa, int fd)
{
    return action_add(fa, (struct action){.kind = ACTION_CLOSE, .fd = fd});
}

int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *fa, int from, int fd)
{
    return action_add(fa, (struct action){.kind = ACTION_DUP2, .fd = fd, .from = from});
}

/* posix_spawn_file_actions_addsocket_np, which is in sockmove.c so that who calls
 * it has that linked in. */
int __libc_spawn_addsocket(posix_spawn_file_actions_t *fa, int from, int fd)
{
    return action_add(fa, (struct action){.kind = ACTION_SOCKET, .fd = fd, .from = from});
}

static int plan_move(struct plan *p, int from, int fd)
{
    struct plan_fd *at = plan_find(p, from);
    if (at == NULL)
        return -EBADF;
    struct file *f = at->f;
    if (f->ops->kind != FILE_SOCKET)
        return -ENOTSOCK;
    __atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED);
    int r = plan_put(p, fd, f, false);
    if (r == 0)
        plan_find(p, fd)->moves = true;
    return r;
}

static int act(struct plan *p, const struct action *a)
{
    struct plan_fd *from;
    struct file *f;
    int r;

    switch (a->kind) {
    case ACTION_OPEN:
        r = file_open(a->path, a->flags, &f);
        return r < 0 ? r : plan_put(p, a->fd, f, (a->flags & O_CLOEXEC) != 0);
    case ACTION_CLOSE:
        plan_drop(p, a->fd);
        return 0;
    case ACTION_SOCKET:
        return plan_move(p, a->from, a->fd);
    default:
        from = plan_find(p, a->from);
        if (from == NULL)
            return -EBADF;
        from->cloexec &= a->fd != a->from; /* POSIX: dup2 onto itself keeps it open in the child */
        if (a->fd == a->from)
            return 0;
        f = from->f;
        __atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED);
        return plan_put(p, a->fd, f, false);
    }
}

/* --- attributes --- */

int posix_spawnattr_init(posix_spawnattr_t *a)
{
    *a = calloc(1, sizeof **a);
    return *a == NULL ? ENOMEM : 0;
}

int posix_spawnattr_destroy(posix_spawnattr_t *a)
{
    free(*a);
    *a = NULL;
    return 0;
}

int posix_spawnattr_setflags(posix_spawnattr_t *a, short flags)
{
    if ((flags & ~FLAGS_KNOWN) != 0)
        return EINVAL;
    (*a)->flags = flags;
    return 0;
}

int posix_spawnattr_getflags(const posix_spawnattr_t *restrict a, short *restrict flags)
{
    *flags = (*a)->flags;
    return 0;
}

int posix_spawnattr_setsigdefault(posix_spawnattr_t *restrict a, const sigset_t *restrict set)
{
    (*a)->sigdefault = *set;
    return 0;
}

int posix_spawnattr_getsigdefault(const posix_spawnattr_t *restrict a, sigset_t *restrict set)
{
    *set = (*a)->sigdefault;
    return 0;
}

int posix_spawnattr_setsigmask(posix_spawnattr_t *restrict a, const sigset_t *restrict set)
{
    (*a)->sigmask = *set;
    return 0;
}

int posix_spawnattr_getsigmask(const posix_spawnattr_t *restrict a, sigset_t *restrict set)
{
    *set = (*a)->sigmask;
    return 0;
}

/* --- spawn --- */

struct work {
    struct sys_spawn s;
    struct program_args args;
    struct plan plan;
    uint8_t extra[SPAWN_EXTRA_MAX] __attribute__((aligned(8)));
};

/* The last thing before the child begins: sockets that it gets leave this process. */
static int pack_sockets(struct plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        bool again = false;
        for (size_t k = 0; k < i; k++)
            again |= p->v[k].moves && p->v[k].f == p->v[i].f;
        if (!p->v[i].moves || again)
            continue;
        p->v[i].packed = __libc_socket_pack(p->v[i].f);
        if (p->v[i].packed < 0)
            return p->v[i].packed;
    }
    return 0;
}

/* No child: they come back. */
static void unpack_sockets(struct plan *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].packed >= 0)
            __libc_socket_restore(p->v[i].f, p->v[i].packed);
}

static void close_moved(const struct plan *p, const posix_spawn_file_actions_t *fa)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].packed >= 0)
            sys_handle_close(p->v[i].packed);
    for (size_t i = 0; fa != NULL && i < (*fa)->n; i++)
        if ((*fa)->v[i].kind == ACTION_SOCKET)
            close((*fa)->v[i].from);
}

static void take_name(struct work *w)
{
    const char *slash = strrchr(w->s.path, '/');
    strlcpy(w->s.name, slash != NULL ? slash + 1 : w->s.path, sizeof w->s.name);
}

static int prepare(struct work *w, const posix_spawn_file_actions_t *fa, const posix_spawnattr_t *attr)
{
    struct inherit_out o = {
        .buf = w->extra, .room = sizeof w->extra, .list = w->s.handles, .list_max = SPAWN_HANDLES_MAX};
    short flags = attr != NULL ? (*attr)->flags : 0;
    uint32_t ignored = __libc_signals_ignored(), mask = (uint32_t)sys_signal_mask(SIGNAL_BLOCK, 0);
    int r = (flags & ~FLAGS_DONE) != 0 ? -ENOTSUP : plan_of_table(&w->plan);

    for (size_t i = 0; r == 0 && fa != NULL && i < (*fa)->n; i++)
        r = act(&w->plan, &(*fa)->v[i]);
    if (flags & POSIX_SPAWN_SETSIGDEF)
        ignored &= ~(uint32_t)(*attr)->sigdefault;
    if (flags & POSIX_SPAWN_SETSIGMASK)
        mask = (uint32_t)(*attr)->sigmask;
    if (r == 0)
        r = pack_sockets(&w->plan);
    if (r == 0)
        r = plan_write(&w->plan, &o, ignored, mask);
    w->s.args = (uint64_t)(uintptr_t)w->args.text;
    w->s.args_bytes = w->args.bytes;
    w->s.argc = w->args.argc;
    w->s.envc = w->args.envc;
    w->s.extra = (uint64_t)(uintptr_t)w->extra;
    w->s.extra_bytes = (uint32_t)o.bytes;
    w->s.nhandles = o.nlist;
    w->s.flags = SPAWN_SAME_RIGHTS;
    return r;
}

static int spawn(pid_t *pid, const char *file, bool search, const posix_spawn_file_actions_t *fa,
                 const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
    struct work *w = calloc(1, sizeof *w);

    if (w == NULL)
        return ENOMEM;
    int r = program_path(file, search, w->s.path);
    if (r == 0)
        r = program_args(&w->args, argv, envp);
    if (r == 0)
        r = prepare(w, fa, attr);
    if (r == 0) {
        take_name(w);
        r = sys_spawn(&w->s);
    }
    if (r < 0)
        unpack_sockets(&w->plan);
    else
        close_moved(&w->plan, fa);
    plan_free(&w->plan);
    free(w);
    if (r >= 0)
        r = __libc_child_add(r);
    if (r > 0 && pid != NULL)
        *pid = r;
    return r < 0 ? -r : 0;
}

int posix_spawn(pid_t *restrict pid, const char *restrict path, const posix_spawn_file_actions_t *fa,
                const posix_spawnattr_t *restrict attr, char *const argv[], char *const envp[])
{
    return spawn(pid, path, false, fa, attr, argv, envp);
}

int posix_spawnp(pid_t *restrict pid, const char *restrict file, const posix_spawn_file_actions_t *fa,
                 const posix_spawnattr_t *restrict attr, char *const argv[], char *const envp[])
{
    return spawn(pid, file, true, fa, attr, argv, envp);
}
