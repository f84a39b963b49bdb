/* SPDX-License-Identifier: MIT
 *
 * libc/exec.c: the exec family.
 *
 * The new program gets the descriptors that are not close-on-exec (inherit.c),
 * ignored and blocked signals, children, and the environment that is named.
 * Sockets stay behind. Context: any thread; the others end if it succeeds.
 */
#include "fd.h"
#include "inherit.h"
#include "libc.h"
#include "program.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARGS_MAX 256 /* of execl and its like */
#define CLOSES_MAX 2048

extern char **environ;
#pragma weak __libc_children_write

/* --- the program and its arguments --- */

static int check(const char *path, char out[SPAWN_PATH_MAX])
{
    char clean[PATH_BYTES];
    struct stat st;
    int r = path_clean(path, clean);

    if (r == 0 && strlen(clean) >= SPAWN_PATH_MAX)
        r = -ENAMETOOLONG;
    if (r == 0)
        r = initrd_stat(clean, &st);
    if (r == 0 && !S_ISREG(st.st_mode))
        r = -EACCES;
    if (r == 0)
        strcpy(out, clean);
    return r;
}

int program_path(const char *file, bool search, char out[SPAWN_PATH_MAX])
{
    const char *path = getenv("PATH");
    char at[PATH_BYTES];

    if (!search || strchr(file, '/') != NULL)
        return check(file, out);
    if (file[0] == 0)
        return -ENOENT;
    if (path == NULL)
        path = "/bin";
    for (;;) {
        size_t n = strcspn(path, ":");
        if (n + strlen(file) + 2 <= sizeof at) {
            memcpy(at, path, n);
            at[n] = 0;
            if (n > 0)
                strcat(at, "/");
            strcat(at, file);
            if (check(at, out) == 0)
                return 0;
        }
        if (path[n] == 0)
            return -ENOENT;
        path += n + 1;
    }
}

static int append(struct program_args *a, char *const strings[], uint32_t *count)
{
    for (*count = 0; strings != NULL && strings[*count] != NULL; ++*count) {
        size_t n = strlen(strings[*count]) + 1;
        if (n > sizeof a->text - a->bytes)
            return -E2BIG;
        memcpy(a->text + a->bytes, strings[*count], n);
        a->bytes += (uint32_t)n;
    }
    return 0;
}

int program_args(struct program_args *a, char *const argv[], char *const envp[])
{
    a->bytes = 0;
    int r = append(a, argv, &a->argc);
    return r < 0 ? r : append(a, envp, &a->envc);
}

/* --- exec --- */

struct work {
    struct sys_exec x;
    struct program_args args;
    struct plan plan;
    uint8_t extra[SPAWN_EXTRA_MAX] __attribute__((aligned(8)));
    int32_t closes[CLOSES_MAX];
};

static int prepare(struct work *w, const char *file, bool search, char *const argv[], char *const envp[])
{
    struct inherit_out o = {.buf = w->extra, .room = sizeof w->extra};
    int r = program_path(file, search, w->x.path);

    if (r == 0)
        r = program_args(&w->args, argv, envp);
    if (r == 0)
        r = plan_of_table(&w->plan);
    if (r == 0)
        r = plan_write(&w->plan, &o, __libc_signals_ignored(), (uint32_t)sys_signal_mask(SIGNAL_BLOCK, 0));
    if (r == 0 && __libc_children_write != NULL)
        r = __libc_children_write(&o);
    w->x.args = (uint64_t)(uintptr_t)w->args.text;
    w->x.args_bytes = w->args.bytes;
    w->x.argc = w->args.argc;
    w->x.envc = w->args.envc;
    w->x.extra = (uint64_t)(uintptr_t)w->extra;
    w->x.extra_bytes = (uint32_t)o.bytes;
    w->x.closes = (uint64_t)(uintptr_t)w->closes;
    w->x.ncloses = (uint32_t)plan_left_out(&w->plan, w->closes, CLOSES_MAX);
    return r;
}

static int exec_program(const char *file, bool search, char *const argv[], char *const envp[])
{
    struct work *w = calloc(1, sizeof *w);

    if (w == NULL)
        return (int)__libc_result(-ENOMEM);
    int r = prepare(w, file, search, argv, envp);
    if (r == 0)
        r = sys_exec(&w->x);
    plan_free(&w->plan);
    free(w);
    return (int)__libc_result(r);
}

int execve(const char *path, char *const argv[], char *const envp[])
{
    return exec_program(path, false, argv, envp);
}

int execv(const char *path, char *const argv[])
{
    return exec_program(path, false, argv, environ);
}

int execvpe(const char *file, char *const argv[], char *const envp[])
{
    return exec_program(file, true, argv, envp);
}

int execvp(const char *file, char *const argv[])
{
    return exec_program(file, true, argv, environ);
}

/* arg, then the list up to its NULL. */
static int gather(char *argv[ARGS_MAX], const char *arg, va_list *ap)
{
    int n = 0;

    argv[n++] = (char *)arg;
    while (argv[n - 1] != NULL) {
        if (n == ARGS_MAX)
            return (int)__libc_result(-E2BIG);
        argv[n++] = va_arg(*ap, char *);
    }
    return 0;
}

int execl(const char *path, const char *arg, ...)
{
    char *argv[ARGS_MAX];
    va_list ap;

    va_start(ap, arg);
    int r = gather(argv, arg, &ap);
    va_end(ap);
    return r < 0 ? r : execv(path, argv);
}

int execlp(const char *file, const char *arg, ...)
{
    char *argv[ARGS_MAX];
    va_list ap;

    va_start(ap, arg);
    int r = gather(argv, arg, &ap);
    va_end(ap);
    return r < 0 ? r : execvp(file, argv);
}

int execle(const char *path, const char *arg, ...)
{
    char *argv[ARGS_MAX];
    va_list ap;

    va_start(ap, arg);
    int r = gather(argv, arg, &ap);
    char *const *envp = va_arg(ap, char *const *);
    va_end(ap);
    return r < 0 ? r : execve(path, argv, envp);
}
