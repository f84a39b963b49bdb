/* SPDX-License-Identifier: MIT
 *
 * kernel/spawn.c: from a program in the initrd to a running process.
 *
 * Owns: what a child is given. Called by: the spawn call, the boot sequence
 * (first process). Context: thread.
 */
#include <kernel/image.h>
#include <kernel/log.h>
#include <kernel/proc.h>
#include <kernel/rights.h>
#include <kernel/string.h>
#include <kernel/syscall.h>
#include <kernel/trace.h>

/* p's name, path, rights, priority and handles are set: make it run. */
static int start(struct process *p, const struct start_args *a)
{
    struct image image;
    int64_t r;

    vm_set_limit(p->as, p->rights.memory_limit);
    r = image_load(p->as, p->path, a, &image);
    if (r < 0)
        return (int)r;
    p->bias = image.bias;
    r = thread_new_user(p, image.entry, image.rsp, 0, 0, p->priority);
    return r < 0 ? (int)r : 0;
}

static void all_rights(struct sys_rights *r)
{
    static const uint8_t protocols[] = {NET_TCP, NET_UDP, NET_ICMP}; /* in both families */

#define X(bit, id, name, text) r->bits |= 1u << (bit);
    RIGHT_LIST(X)
#undef X
    for (unsigned i = 0; i < sizeof protocols / sizeof protocols[0]; i++)
        r->ports[r->nports++] = (struct net_port_key){
            .proto = protocols[i], .link = LINK_ANY, .port_hi = 0xffff,
        };
    strlcpy(r->calls[r->ncalls++], RIGHTS_ANY_NAME, NAME_MAX_BYTES);
    strlcpy(r->serves, RIGHTS_ANY_NAME, NAME_MAX_BYTES);
    r->memory_limit = mem_total_bytes();
    r->ring_limit = mem_total_bytes();
}

int process_start_first(const char *path)
{
    struct start_args a = {.strings = path, .bytes = (uint32_t)strlen(path) + 1, .argc = 1};
    struct process *p = process_new("init", 0, as_create());
    int r;

    if (p == NULL)
        return -ENOMEM;
    strlcpy(p->path, path, sizeof p->path);
    all_rights(&p->rights);
    p->priority = PRIO_MAX;
    r = start(p, &a);
    if (r < 0)
        process_abandon(p);
    return r;
}

/* --- the spawn call --- */

static int check_spawn(const struct process *parent, const struct sys_spawn *s)
{
    if (strnlen(s->name, sizeof s->name) == sizeof s->name || s->name[0] == 0 ||
        strnlen(s->path, sizeof s->path) == sizeof s->path || s->priority > PRIO_MAX ||
        (s->flags & ~(SPAWN_RESTARTS | SPAWN_SAME_RIGHTS)) != 0 || s->nhandles > SPAWN_HANDLES_MAX)
        return -EINVAL;
    if (!start_args_fit(s->args_bytes, s->argc, s->envc, s->extra_bytes))
        return -E2BIG;
    return s->priority > parent->priority ? -EPERM : 0;
}

/* Rings are memory, too, and 0 asks for the default: a child that asks for more
 * gets what its parent has. */
static void limit_rings(struct sys_rights *child, const struct sys_rights *parent)
{
    uint64_t most = parent->ring_limit != 0 ? parent->ring_limit : RING_LIMIT_DEFAULT;

    if (child->ring_limit > most)
        child->ring_limit = parent->ring_limit;
}

static int give_rights(const struct process *parent, struct process *p, uint64_t user)
{
    const char *what = NULL;

    if (p->flags & SPAWN_SAME_RIGHTS) {
        p->rights = parent->rights;
        return user == 0 ? 0 : -EINVAL;
    }
    int r = user == 0 ? 0 : copy_from_user(&p->rights, user, sizeof p->rights);

    if (r < 0)
        return r;
    if (!rights_valid(&p->rights))
        return -EINVAL;
    if (p->rights.memory_limit == 0)
        p->rights.memory_limit = MEMORY_LIMIT_DEFAULT;
    if (p->rights.memory_limit > parent->rights.memory_limit)
        p->rights.memory_limit = parent->rights.memory_limit;
    limit_rings(&p->rights, &parent->rights);
    if (!rights_subset(&p->rights, &parent->rights, &what)) {
        klog(LOG_WARN, "%s[%u]: refused, it cannot give %s a right that it lacks: %s", parent->name,
             parent->pid, p->name, what);
        return -EACCES;
    }
    return 0;
}

/* Receiving stays with an endpoint's owner: the child may send to it. */
static int give_handles(struct process *parent, struct process *p, const struct sys_spawn *s)
{
    for (uint32_t i = 0; i < s->nhandles; i++) {
        struct object *o = handle_get_any(parent, s->handles[i]);
        int r;
        if (o == NULL)
            return -EBADF;
        if (o->kind == OBJ_ENDPOINT) {
            struct object *peer = &((struct endpoint *)o)->peer;
            object_ref(peer);
            object_unref(o);
            o = peer;
        }
        r = o->kind == OBJ_NET || o->kind == OBJ_TRACE ? -EINVAL : handle_new(p, o);
        if (r < 0) {
            object_unref(o);
            return r;
        }
    }
    return 0;
}

static int fill_and_start(struct process *parent, struct process *p, const struct sys_spawn *s,
                          const struct start_args *a)
{
    int r;

    strlcpy(p->path, s->path, sizeof p->path);
    p->flags = s->flags;
    p->priority = s->priority != 0 ? s->priority : PRIO_NORMAL;
    if (p->priority > parent->priority)
        p->priority = parent->priority;
    r = give_rights(parent, p, s->rights);
    if (r == 0)
        r = give_handles(parent, p, s);
    if (r == 0) {
        trace_child(parent, p);
        r = start(p, a);
    }
    return r;
}

SYSCALL_HANDLER(spawn)
{
    struct process *parent = self_process(), *p;
    struct start_args a;
    struct sys_spawn s;
    int r = copy_from_user(&s, a0, sizeof s);

    if (r < 0)
        return r;
    if (!process_has(parent, RIGHT_PROC_SPAWN))
        return -EACCES;
    r = check_spawn(parent, &s);
    if (r < 0)
        return r;
    a = (struct start_args){.bytes = s.args_bytes, .argc = s.argc, .envc = s.envc, .extra_bytes = s.extra_bytes};
    r = start_args_copy(&a, s.args, s.extra);
    if (r < 0)
        return r;
    p = process_new(s.name, parent->pid, as_create());
    r = p == NULL ? -ENOMEM : fill_and_start(parent, p, &s, &a);
    kfree(a.memory);
    if (p == NULL)
        return r;
    if (r == 0) {
        object_ref(&p->object);
        r = handle_new(parent, &p->object);
        if (r >= 0)
            return r;
        object_unref(&p->object);
        process_end(p, PROC_KILLED, 0); /* nobody could ever wait for it */
        return r;
    }
    process_abandon(p);
    return r;
}
