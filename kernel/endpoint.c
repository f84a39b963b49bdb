/* SPDX-License-Identifier: MIT
 *
 * kernel/endpoint.c: endpoints as objects: how they begin, are waited for, die.
 *
 * Owns: endpoints with their queues; kernel/message.c fills and empties them.
 * Called by: system calls, handle close. Context: thread.
 *
 * An endpoint has two faces with a reference count each: the owner's, which
 * receives and of which there is one handle, and the peers', which send. It is
 * dead when the owner's is gone: open calls and later sends fail with -EPEER.
 */
#include <kernel/message.h>
#include <kernel/syscall.h>

static void call_fail_all(struct endpoint *e)
{
    while (e->calls != NULL) {
        struct call *c = e->calls;
        call_close(c);
        c->result = -EPEER; /* C-MSG-2 */
        thread_wake(c->caller);
    }
}

static uint64_t endpoint_bytes(uint32_t depth)
{
    return kmalloc_size(sizeof(struct endpoint) + (uint64_t)depth * sizeof(struct queued_message));
}

static void endpoint_free(struct endpoint *e)
{
    if (e->owner.refs == 0 && e->peer.refs == 0)
        kfree(e);
}

static uint32_t owner_ready(struct object *o)
{
    struct endpoint *e = endpoint_of_owner(o);

    if (e->process == NULL)
        return READY_ERR;
    return e->count > e->cancelled || e->bits != 0 ? READY_IN : 0;
}

static struct waitq *owner_waitq(struct object *o)
{
    return &endpoint_of_owner(o)->readers;
}

/* The owner gave up its handle: the endpoint is dead from here on, even if one
 * of its threads still sits in recv. */
static void owner_closed(struct object *o)
{
    struct endpoint *e = endpoint_of_owner(o);

    names_forget(e);
    process_uncharge(e->process, endpoint_bytes(e->depth));
    e->process = NULL;
    call_fail_all(e);
    while (e->count != 0) {
        struct queued_message *q = &e->queue[e->head];
        if (q->object != NULL)
            object_unref(q->object);
        e->head = (e->head + 1) % e->depth;
        e->count--;
    }
    e->cancelled = 0; /* they went with the rest: whoever sits in recv must not drop them again */
    waitq_wake(&e->readers);
    waitq_wake(&e->senders);
}

static void owner_destroy(struct object *o)
{
    endpoint_free(endpoint_of_owner(o));
}

static uint32_t peer_ready(struct object *o)
{
    return endpoint_of_peer(o)->process == NULL ? READY_ERR : 0;
}

static struct waitq *peer_waitq(struct object *o)
{
    return &endpoint_of_peer(o)->senders;
}

static void peer_destroy(struct object *o)
{
    endpoint_free(endpoint_of_peer(o));
}

static const struct object_ops owner_ops = {
    .ready = owner_ready, .waitq = owner_waitq, .destroy = owner_destroy, .closed = owner_closed,
};
static const struct object_ops peer_ops = {
    .ready = peer_ready, .waitq = peer_waitq, .destroy = peer_destroy,
};

SYSCALL_HANDLER(endpoint_create)
{
    struct process *p = self_process();
    uint32_t depth = (uint32_t)a0;
    struct endpoint *e;
    int r;

    if (a0 == 0 || a0 > ENDPOINT_DEPTH_MAX)
        return -EINVAL;
    r = process_charge(p, endpoint_bytes(depth));
    if (r < 0)
        return r;
    e = kzalloc(endpoint_bytes(depth));
    if (e == NULL) {
        process_uncharge(p, endpoint_bytes(depth));
        return -ENOMEM;
    }
    e->owner = (struct object){.kind = OBJ_ENDPOINT, .refs = 1, .ops = &owner_ops};
    e->peer = (struct object){.kind = OBJ_PEER, .refs = 0, .ops = &peer_ops};
    e->depth = depth;
    e->process = p;
    e->notice.type = MSG_NOTIFY;
    e->notice.handle = -1;
    r = handle_new(p, &e->owner);
    if (r < 0) {
        process_uncharge(p, endpoint_bytes(depth));
        kfree(e);
    }
    return r;
}
