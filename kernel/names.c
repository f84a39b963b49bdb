/* SPDX-License-Identifier: MIT
 *
 * kernel/names.c: the names under which servers are found.
 *
 * Owns: the name table (no reference: an endpoint that dies takes its name
 * off). A process registers only what its manifest line `serves`, and looks up
 * only what it `calls`. Called by: system calls, endpoint close, info.
 * Context: thread.
 */
#include <kernel/log.h>
#include <kernel/proc.h>
#include <kernel/rights.h>
#include <kernel/string.h>
#include <kernel/syscall.h>

#define NAMES_MAX 64u

static struct name {
    char name[NAME_MAX_BYTES]; /* "" when free */
    struct endpoint *endpoint;
} names[NAMES_MAX];

static struct name *name_find(const char *name)
{
    for (unsigned i = 0; i < NAMES_MAX; i++)
        if (strcmp(names[i].name, name) == 0)
            return &names[i];
    return NULL;
}

void names_forget(struct endpoint *e)
{
    for (unsigned i = 0; i < NAMES_MAX && e->named; i++)
        if (names[i].endpoint == e)
            names[i] = (struct name){.endpoint = NULL};
    e->named = false;
}

static int name_argument(char name[NAME_MAX_BYTES], uint64_t user)
{
    int r = copy_string_from_user(name, user, NAME_MAX_BYTES);

    return r == 0 ? -EINVAL : r;
}

static int refuse(struct process *p, const char *verb, const char *name)
{
    char right[8 + NAME_MAX_BYTES];
    uint32_t key = 0;

    ksnprintf(right, sizeof right, "%s %s", verb, name);
    for (const char *c = right; *c != 0; c++)
        key = key * 31 + (uint8_t)*c;
    process_refused(p, right, key);
    return -EACCES;
}

static int name_enter(struct process *p, const char *name, struct endpoint *e)
{
    struct name *n = name_find(name);

    if (n == NULL)
        n = name_find("");
    else if (n->endpoint->process != p)
        return -EEXIST;
    if (n == NULL)
        return -ENOSPC;
    strlcpy(n->name, name, sizeof n->name);
    n->endpoint = e;
    e->named = true;
    return 0;
}

SYSCALL_HANDLER(name_register)
{
    struct process *p = self_process();
    char name[NAME_MAX_BYTES];
    struct object *o;
    int r = name_argument(name, a0);

    if (r < 0)
        return r;
    if (!rights_may_serve(&p->rights, name))
        return refuse(p, "serves", name);
    o = handle_get(p, (int)a1, OBJ_ENDPOINT);
    if (o == NULL)
        return -EBADF;
    r = name_enter(p, name, (struct endpoint *)o);
    object_unref(o);
    return r;
}

SYSCALL_HANDLER(name_lookup)
{
    struct process *p = self_process();
    char name[NAME_MAX_BYTES];
    struct name *n;
    int r = name_argument(name, a0);

    if (r < 0)
        return r;
    if (!rights_may_call(&p->rights, name))
        return refuse(p, "calls", name);
    n = name_find(name);
    if (n == NULL)
        return -ENOENT;
    object_ref(&n->endpoint->peer);
    r = handle_new(p, &n->endpoint->peer);
    if (r < 0)
        object_unref(&n->endpoint->peer);
    return r;
}

bool names_get(uint64_t cursor, struct info_name *out)
{
    for (unsigned i = 0; i < NAMES_MAX; i++) {
        if (names[i].name[0] == 0 || cursor-- != 0)
            continue;
        memset(out, 0, sizeof *out);
        strlcpy(out->name, names[i].name, sizeof out->name);
        out->pid = names[i].endpoint->process->pid;
        return true;
    }
    return false;
}
