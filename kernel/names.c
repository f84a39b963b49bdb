/* SPDX-License-Identifier: MIT
 *
 * kernel/names.c: the names under which servers are found.
 *
 * Owns: the name table (no reference: an endpoint that dies takes its name
 * off), and who wants to be told when a name comes or goes. A process registers
 * only what its manifest line `serves`, and looks up or watches only what it
 * `calls`. Called by: system calls, endpoint close, info. Context: thread.
 */
#include <kernel/log.h>
#include <kernel/proc.h>
#include <kernel/rights.h>
#include <kernel/string.h>
#include <kernel/syscall.h>

#define NAMES_MAX 64u
#define WATCHES_MAX 1024u       /* in the whole system: a name's end walks them all */
#define WATCHES_PROCESS_MAX 64u

static struct name {
    char name[NAME_MAX_BYTES]; /* "" when free */
    struct endpoint *endpoint;
} names[NAMES_MAX];

/* Somebody's wish to be told. No reference: an endpoint that dies takes it off. */
struct name_watch {
    struct name_watch *next, **prev; /* all of them */
    struct endpoint *endpoint;
    uint64_t up, down; /* bits for its owner */
    char name[NAME_MAX_BYTES];
};
static struct name_watch *watches;
static unsigned watch_count;

static void watchers_tell(const char *name, bool up)
{
    for (struct name_watch *w = watches; w != NULL; w = w->next) {
        uint64_t bits = up ? w->up : w->down;
        if (bits == 0 || strcmp(w->name, name) != 0)
            continue;
        w->endpoint->bits |= bits; /* C-NAME-1 */
        waitq_wake(&w->endpoint->readers);
    }
}

static void watch_remove(struct name_watch *w)
{
    *w->prev = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
    w->endpoint->watching--;
    watch_count--;
    process_uncharge(w->endpoint->process, sizeof *w);
    kfree(w);
}

static struct name *name_find(const char *name)
{
    for (unsigned i = 0; i < NAMES_MAX; i++)
        if (strcmp(names[i].name, name) == 0)
            return &names[i];
    return NULL;
}

void names_forget(struct endpoint *e)
{
    struct name_watch *next;

    for (struct name_watch *w = watches; w != NULL && e->watching != 0; w = next) {
        next = w->next;
        if (w->endpoint == e)
            watch_remove(w);
    }
    for (unsigned i = 0; i < NAMES_MAX && e->named; i++) {
        struct name was = names[i];
        if (was.endpoint != e)
            continue;
        names[i] = (struct name){.endpoint = NULL};
        watchers_tell(was.name, false);
    }
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
    watchers_tell(name, true);
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

static struct name_watch *watch_find(const char *name, const struct endpoint *e, unsigned *by_process)
{
    struct name_watch *found = NULL;

    *by_process = 0;
    for (struct name_watch *w = watches; w != NULL; w = w->next) {
        *by_process += w->endpoint->process == e->process;
        if (w->endpoint == e && strcmp(w->name, name) == 0)
            found = w;
    }
    return found;
}

static int watch_set(struct endpoint *e, const char *name, uint64_t up, uint64_t down)
{
    unsigned by_process;
    struct name_watch *w = watch_find(name, e, &by_process);

    if (up == 0 && down == 0) {
        if (w != NULL)
            watch_remove(w);
        return 0;
    }
    if (w == NULL) {
        if (watch_count >= WATCHES_MAX || by_process >= WATCHES_PROCESS_MAX)
            return -ENOSPC;
        if (process_charge(e->process, sizeof *w) < 0)
            return -ENOMEM;
        w = kzalloc(sizeof *w);
        if (w == NULL) {
            process_uncharge(e->process, sizeof *w);
            return -ENOMEM;
        }
        strlcpy(w->name, name, sizeof w->name);
        w->endpoint = e;
        w->next = watches;
        w->prev = &watches;
        if (watches != NULL)
            watches->prev = &w->next;
        watches = w;
        watch_count++;
        e->watching++;
    }
    w->up = up;
    w->down = down;
    return 0;
}

SYSCALL_HANDLER(name_watch)
{
    struct process *p = self_process();
    char name[NAME_MAX_BYTES];
    struct object *o;
    int r = name_argument(name, a0);

    if (r < 0)
        return r;
    if (!rights_may_call(&p->rights, name))
        return refuse(p, "calls", name);
    o = handle_get(p, (int)a1, OBJ_ENDPOINT);
    if (o == NULL)
        return -EBADF;
    r = watch_set((struct endpoint *)o, name, a2, a3);
    object_unref(o);
    return r < 0 ? r : name_find(name) != NULL;
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
