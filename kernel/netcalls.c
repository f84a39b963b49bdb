/* SPDX-License-Identifier: MIT
 *
 * kernel/netcalls.c: the system calls of the network (39 to 50).
 *
 * Owns: struct net_object, and each process' struct nc_owner from its first
 * net_open to its last endpoint's end. Everything that a call says is copied in
 * once, and the net core judges the copy. Context: thread.
 */
#include <kernel/mem.h>
#include <kernel/netglue.h>
#include <kernel/string.h>
#include <kernel/syscall.h>

/* --- the object behind a handle ---------------------------------------------------------- */

static uint32_t net_ready(struct object *o)
{
    struct net_object *n = (struct net_object *)o;

    return n->endpoint != NULL ? endpoint_ready(n->endpoint) : READY_ERR;
}

static struct waitq *net_waitq(struct object *o)
{
    return &((struct net_object *)o)->wq;
}

static void net_before_wait(struct object *o)
{
    struct net_object *n = (struct net_object *)o;

    n->visits++;
    if (n->endpoint != NULL)
        (void)endpoint_kick(n->endpoint);
}

/* --- standing by (WAIT_STANDBY) ---
 * A process that computes for long is to go on acknowledging what it is sent. One
 * timer watches whether anybody comes to wait; it runs only after somebody has left
 * while another stands by, so an idle process has none, and a busy one has one
 * every STANDBY_MS at most. */

void net_call_standby(struct net_object *n)
{
    n->object.called = true;
    for (struct wait_entry *e = n->standby.head; e != NULL; e = e->next)
        thread_raise(e->thread);
    waitq_wake(&n->standby); /* C-WAKE-2 */
}

static void watch_for_visits(struct net_object *n)
{
    n->visits_seen = n->visits;
    n->object.called = false;
    if (timer_arm(&n->away_timer, now_ns() + STANDBY_MS * NS_PER_MS) != 0)
        net_call_standby(n);
}

static void away_timer_due(void *arg)
{
    struct net_object *n = arg;

    if (n->standby.head == NULL || n->wq.head != NULL)
        return;
    if (n->visits != n->visits_seen)
        watch_for_visits(n); /* somebody came, and has left again */
    else
        net_call_standby(n);
}

static struct waitq *net_standby(struct object *o)
{
    struct net_object *n = (struct net_object *)o;

    n->object.stood_by = true;
    if (n->wq.head == NULL && n->away_timer.slot == 0)
        watch_for_visits(n);
    return &n->standby;
}

static void net_after_wait(struct object *o)
{
    struct net_object *n = (struct net_object *)o;

    n->object.called = false; /* who was called has been told, or somebody is back */
    n->object.stood_by = n->standby.head != NULL;
    if (n->standby.head != NULL && n->away_timer.slot == 0 && n->wq.head == NULL)
        watch_for_visits(n);
}

/* Was it another handle to the object that closed, not the opener's own? */
static bool still_held(const struct net_object *n)
{
    struct object *o = handle_get(n->process, n->handle, OBJ_NET);

    if (o != NULL)
        object_unref(o);
    return o == &n->object;
}

/* An owner without endpoints is none. */
static void owner_release(struct process *p, struct nc_owner *o)
{
    if (o == NULL || o->endpoints != NULL)
        return;
    kfree(o);
    *process_net_slot(p) = NULL;
}

/* The opener gives its handle up, or it is ending and all its handles go. */
static void net_closed(struct object *o)
{
    struct net_object *n = (struct net_object *)o;
    struct nc_owner *owner;
    bool died;

    if (n->endpoint == NULL || still_held(n))
        return;
    owner = *process_net_slot(n->process);
    died = process_find(n->pid) != n->process; /* it has left the table already */
    if (died && owner != NULL)
        owner_died(owner, process_restarts(n->process)); /* all its endpoints at once */
    endpoint_close(n->endpoint);
    n->endpoint = NULL;
    waitq_wake(&n->wq);
    waitq_wake(&n->standby);
    if (!died) {
        (void)vm_unmap(process_as(n->process), n->base, n->bytes);
        while (n->nmore != 0)
            (void)vm_unmap(process_as(n->process), n->more[--n->nmore], NET_ARENA_MORE);
    }
    owner_release(n->process, owner);
}

static void net_destroy(struct object *o)
{
    timer_cancel(&((struct net_object *)o)->away_timer);
    kfree(o);
}

static const struct object_ops net_ops = {
    .ready = net_ready,
    .waitq = net_waitq,
    .before_wait = net_before_wait,
    .standby = net_standby,
    .after_wait = net_after_wait,
    .closed = net_closed,
    .destroy = net_destroy,
};

/* One's own endpoint; a reference, or NULL. */
static struct net_object *own_endpoint(uint64_t handle)
{
    struct process *p = process_current();
    struct net_object *n = (struct net_object *)handle_get(p, (int)handle, OBJ_NET);

    if (n != NULL && n->endpoint != NULL && n->process == p)
        return n;
    if (n != NULL)
        object_unref(&n->object);
    return NULL;
}

/* --- opening --------------------------------------------------------------------------------- */

static struct nc_owner *owner_of(struct process *p)
{
    void **slot = process_net_slot(p);
    struct nc_owner *o = *slot;

    if (o != NULL)
        return o;
    o = kzalloc(sizeof(*o));
    if (o == NULL)
        return NULL;
    owner_init(o, process_pid(p), process_name(p), process_rights(p));
    strlcpy(o->family, process_family(p), sizeof o->family);
    *slot = o;
    return o;
}

static int map_rings(struct process *p, struct net_object *n, struct sys_net_open *io)
{
    struct memobj *m = endpoint_shared(n->endpoint)->cookie;
    int64_t at = vm_map_object(process_as(p), 0, m, 0, io->bytes, VM_R | VM_W);

    if (at < 0)
        return (int)at;
    n->base = io->base = (uint64_t)at;
    n->bytes = io->bytes;
    return 0;
}

static int64_t open_endpoint(struct process *p, struct sys_net_open *io)
{
    struct nc_owner *owner = owner_of(p);
    struct net_object *n = kzalloc(sizeof(*n));
    int64_t r;

    if (owner == NULL || n == NULL) {
        kfree(n);
        owner_release(p, owner);
        return -ENOMEM;
    }
    n->object = (struct object){.kind = OBJ_NET, .refs = 1, .ops = &net_ops};
    n->process = p;
    n->pid = process_pid(p);
    timer_init(&n->away_timer, away_timer_due, n);
    r = endpoint_open(owner, io, n, &n->endpoint);
    if (r == 0)
        r = map_rings(p, n, io);
    n->handle = -1;
    if (r == 0)
        r = n->handle = handle_new(p, &n->object);
    if (r < 0) { /* as if its handle had been closed */
        if (n->endpoint != NULL)
            net_closed(&n->object);
        else
            owner_release(p, owner);
        object_unref(&n->object);
    }
    return r;
}

SYSCALL_HANDLER(net_open)
{
    struct process *p = process_current();
    struct sys_net_open io;
    int64_t handle = copy_from_user(&io, a0, sizeof(io));

    if (handle < 0)
        return handle;
    if ((io.flags & ~NET_OPEN_TAKES) != 0)
        return -EINVAL;
    net_boot_routes();
    handle = open_endpoint(p, &io);
    if (handle >= 0 && copy_to_user(a0, &io, sizeof(io)) < 0) {
        (void)handle_close(p, (int)handle);
        return -EFAULT;
    }
    return handle;
}

static int64_t grow(struct process *p, struct net_object *n)
{
    struct nc_shared *s;
    int64_t r = endpoint_grow(n->endpoint, &s);

    if (r != 0)
        return r;
    r = vm_map_object(process_as(p), 0, s->cookie, 0, NET_ARENA_MORE, VM_R | VM_W);
    if (r < 0)
        endpoint_ungrow(n->endpoint);
    else
        n->more[n->nmore++] = (uint64_t)r;
    return r;
}

SYSCALL_HANDLER(net_grow)
{
    struct net_object *n = own_endpoint(a0);
    int64_t r;

    if (n == NULL)
        return -EBADF;
    r = grow(process_current(), n);
    object_unref(&n->object);
    return r;
}

SYSCALL_HANDLER(net_kick)
{
    struct net_object *n = own_endpoint(a0);
    int64_t r;

    if (n == NULL)
        return -EBADF;
    r = endpoint_kick(n->endpoint);
    object_unref(&n->object);
    return r;
}

/* --- the registry ------------------------------------------------------------------------------ */

SYSCALL_HANDLER(port_register)
{
    struct net_port_op op;
    struct net_object *n;
    int64_t r = copy_from_user(&op, a0, sizeof(op));

    if (r < 0)
        return r;
    n = own_endpoint((uint64_t)op.endpoint);
    if (n == NULL)
        return -EBADF;
    r = port_register(n->endpoint, &op);
    object_unref(&n->object);
    /* With a bad address the port stays registered: the caller has its key. */
    return r == 0 ? copy_to_user(a0, &op, sizeof(op)) : r;
}

SYSCALL_HANDLER(port_unregister)
{
    struct nc_owner *owner = *process_net_slot(process_current());
    struct net_object *n = NULL;
    struct net_port_op op;
    int64_t r = copy_from_user(&op, a0, sizeof(op));

    if (r < 0)
        return r;
    if (owner == NULL)
        return -ENOENT;
    if (op.endpoint >= 0 && (n = own_endpoint((uint64_t)op.endpoint)) == NULL)
        return -EBADF;
    r = port_unregister(owner, n != NULL ? n->endpoint : NULL, &op);
    if (n != NULL)
        object_unref(&n->object);
    return r;
}

/* The endpoint that another process named to the caller, or -1 for its first. */
static struct net_endpoint *target_endpoint(struct process *p, int32_t handle)
{
    struct nc_owner *owner = *process_net_slot(p);
    struct net_endpoint *e = NULL;
    struct net_object *n;

    if (owner == NULL)
        return NULL;
    if (handle < 0)
        return owner_first_endpoint(owner);
    n = (struct net_object *)handle_get(p, handle, OBJ_NET);
    if (n == NULL)
        return NULL;
    if (n->process == p)
        e = n->endpoint;
    object_unref(&n->object); /* the process' own handle keeps it */
    return e;
}

static int64_t take(struct net_port_op *op, uint64_t user)
{
    struct net_object *n = own_endpoint((uint64_t)op->endpoint);
    int64_t r;

    if (n == NULL)
        return -EBADF;
    r = port_take(n->endpoint, op);
    object_unref(&n->object);
    return r == 0 ? copy_to_user(user, op, sizeof(*op)) : r;
}

/* Nobody is given a connection that it did not ask for, but by its parent. */
static bool consents(const struct process *to, const struct net_endpoint *e)
{
    struct process *giver = process_current();

    return to == giver || process_parent(to) == process_pid(giver) || endpoint_takes(e); /* C-REG-14 */
}

SYSCALL_HANDLER(port_transfer)
{
    struct nc_owner *owner = *process_net_slot(process_current());
    struct net_endpoint *to;
    struct net_port_op op;
    struct process *p;
    int64_t r = copy_from_user(&op, a0, sizeof(op));

    if (r < 0)
        return r;
    if ((op.flags & PORT_TAKE) != 0)
        return take(&op, a0);
    if (owner == NULL)
        return -ENOENT;
    p = process_find((uint32_t)op.target_pid);
    if (p == NULL)
        return -EPEER;
    to = target_endpoint(p, op.endpoint);
    if (to == NULL)
        return -EBADF;
    return consents(p, to) ? port_transfer(owner, to, &op) : -EACCES;
}

SYSCALL_HANDLER(slot_register)
{
    struct net_object *n = own_endpoint(a0);
    int64_t r;

    if (n == NULL)
        return -EBADF;
    r = slot_register(n->endpoint, (uint32_t)a1);
    object_unref(&n->object);
    return r;
}

SYSCALL_HANDLER(tap_open)
{
    struct net_object *n = own_endpoint(a0);
    int64_t r;

    if (n == NULL)
        return -EBADF;
    r = tap_open(n->endpoint, (uint32_t)a1);
    object_unref(&n->object);
    return r;
}

/* --- configuration and status -------------------------------------------------------------------- */

/* These need a right, not an endpoint: a caller without one is an owner for the
 * time of the call. */
static struct nc_owner *caller(struct nc_owner *temporary)
{
    struct process *p = process_current();
    struct nc_owner *o = *process_net_slot(p);

    if (o != NULL)
        return o;
    owner_init(temporary, process_pid(p), process_name(p), process_rights(p));
    return temporary;
}

SYSCALL_HANDLER(net_config)
{
    struct nc_owner temporary;
    struct net_config c;
    int64_t r = copy_from_user(&c, a0, sizeof(c));

    if (r < 0)
        return r;
    /* Here, because a temporary owner would log each refusal as its first. */
    if (!process_has(process_current(), RIGHT_NET_DEFAULT))
        return -EACCES;
    return net_config_apply(caller(&temporary), &c);
}

SYSCALL_HANDLER(net_info)
{
    uint8_t buf[512] __attribute__((aligned(8)));
    uint64_t bytes = a3 < sizeof(buf) ? a3 : sizeof(buf);
    int64_t r;

    _Static_assert(sizeof(struct net_counters) <= sizeof(buf), "the largest record");
    if (a0 == NETINFO_LOOKUP) {
        r = bytes < sizeof(struct net_route_info) ? -EINVAL
                                                  : copy_from_user(buf, a2, sizeof(struct net_route_info));
        if (r < 0)
            return r;
    }
    r = net_info_read((uint32_t)a0, a1, buf, bytes);
    if (r > 0 && copy_to_user(a2, buf, (size_t)r) < 0)
        return -EFAULT;
    return r;
}

SYSCALL_HANDLER(blob_set)
{
    struct nc_owner temporary;
    void *buf;
    int64_t r;

    if (!process_has(process_current(), RIGHT_NET_DEFAULT))
        return -EACCES;
    if (a1 > NET_BLOB_MAX)
        return -EMSGSIZE;
    buf = kmalloc(NET_BLOB_MAX);
    if (buf == NULL)
        return -ENOMEM;
    r = copy_from_user(buf, a0, a1);
    if (r == 0)
        r = net_blob_set(caller(&temporary), buf, a1);
    kfree(buf);
    return r;
}

SYSCALL_HANDLER(blob_get)
{
    void *buf = kzalloc(NET_BLOB_MAX);
    uint64_t room = a1 < NET_BLOB_MAX ? a1 : NET_BLOB_MAX;
    int64_t r;
    size_t n;

    if (buf == NULL)
        return -ENOMEM;
    n = net_blob_get(buf, room);
    r = copy_to_user(a0, buf, n < room ? n : room);
    kfree(buf);
    return r < 0 ? r : (int64_t)n;
}
