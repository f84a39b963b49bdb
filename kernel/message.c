/* SPDX-License-Identifier: MIT
 *
 * kernel/message.c: endpoints: call, send, recv, reply, notify.
 *
 * Owns: endpoints with their queues, open calls, reply tokens, the priority
 * that a call lends. Called by: system calls. Context: thread.
 *
 * An endpoint has two faces with a reference count each: the owner's, which
 * receives and of which there is one handle, and the peers', which send. It is
 * dead when the owner's is gone: open calls and later sends fail with -EPEER.
 *
 * A reply token is the caller's slot in the thread table below and a sequence
 * number above that is never given out twice, so a late or forged reply finds
 * nothing.
 */
#include <kernel/log.h>
#include <kernel/proc.h>
#include <kernel/string.h>
#include <kernel/syscall.h>

#define TOKEN_INDEX_BITS 16

static uint64_t token_sequence;

_Static_assert(THREADS_MAX <= 1u << TOKEN_INDEX_BITS, "a thread's index fits a token");

static struct endpoint *of_owner(struct object *o)
{
    return (struct endpoint *)o; /* owner is the first member */
}

static struct endpoint *of_peer(struct object *o)
{
    return (struct endpoint *)((char *)o - offsetof(struct endpoint, peer));
}

/* --- priority lent by a call --- */

static void call_lend(struct call *c, struct thread *server)
{
    if (c->server == server)
        return;
    call_unlend(c);
    c->server = server;
    c->lend_next = server->lenders;
    c->lend_prev = &server->lenders;
    if (server->lenders != NULL)
        server->lenders->lend_prev = &c->lend_next;
    server->lenders = c;
    if (c->caller->priority > server->priority)
        thread_recompute_priority(server);
}

void call_unlend(struct call *c)
{
    struct thread *server = c->server;

    if (server == NULL)
        return;
    c->server = NULL;
    *c->lend_prev = c->lend_next;
    if (c->lend_next != NULL)
        c->lend_next->lend_prev = c->lend_prev;
    if (server->priority != server->base)
        thread_recompute_priority(server);
}

void call_forget_server(struct thread *server)
{
    while (server->lenders != NULL)
        call_unlend(server->lenders);
}

/* --- open calls --- */

static void call_open(struct thread *t, struct endpoint *e)
{
    struct call *c = &t->call;

    c->token = ++token_sequence << TOKEN_INDEX_BITS | t->index;
    c->result = 0;
    c->reply_object = NULL;
    c->endpoint = e;
    c->next = e->calls;
    c->prev = &e->calls;
    if (e->calls != NULL)
        e->calls->prev = &c->next;
    e->calls = c;
}

static void call_close(struct call *c)
{
    call_unlend(c);
    if (c->endpoint == NULL)
        return;
    *c->prev = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    c->endpoint = NULL;
}

static void call_fail_all(struct endpoint *e)
{
    while (e->calls != NULL) {
        struct call *c = e->calls;
        call_close(c);
        c->result = -EPEER;
        thread_wake(c->caller);
    }
}

/* The open call that `token` names, if it was made to an endpoint of p. */
static struct call *call_by_token(struct process *p, uint64_t token)
{
    struct thread *t = thread_at(token & ((1u << TOKEN_INDEX_BITS) - 1));

    if (t == NULL || token == 0 || t->call.token != token || t->call.endpoint == NULL ||
        t->call.endpoint->process != p)
        return NULL;
    return &t->call;
}

/* --- the endpoint as an object --- */

static uint64_t endpoint_bytes(uint32_t depth)
{
    return sizeof(struct endpoint) + (uint64_t)depth * sizeof(struct queued_message);
}

static void endpoint_free(struct endpoint *e)
{
    if (e->owner.refs == 0 && e->peer.refs == 0)
        kfree(e);
}

static uint32_t owner_ready(struct object *o)
{
    struct endpoint *e = of_owner(o);

    if (e->process == NULL)
        return READY_ERR;
    return e->count != 0 || e->bits != 0 ? READY_IN : 0;
}

static struct waitq *owner_waitq(struct object *o)
{
    return &of_owner(o)->readers;
}

/* The owner gave up its handle: the endpoint is dead from here on, even if one
 * of its threads still sits in recv. */
static void owner_closed(struct object *o)
{
    struct endpoint *e = of_owner(o);

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
    waitq_wake(&e->readers);
    waitq_wake(&e->senders);
}

static void owner_destroy(struct object *o)
{
    endpoint_free(of_owner(o));
}

static uint32_t peer_ready(struct object *o)
{
    return of_peer(o)->process == NULL ? READY_ERR : 0;
}

static struct waitq *peer_waitq(struct object *o)
{
    return &of_peer(o)->senders;
}

static void peer_destroy(struct object *o)
{
    endpoint_free(of_peer(o));
}

static const struct object_ops owner_ops = {
    .ready = owner_ready, .waitq = owner_waitq, .destroy = owner_destroy, .closed = owner_closed,
};
static const struct object_ops peer_ops = {
    .ready = peer_ready, .waitq = peer_waitq, .destroy = peer_destroy,
};

SYSCALL_HANDLER(endpoint_create)
{
    struct process *p = process_current();
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
    r = handle_new(p, &e->owner);
    if (r < 0) {
        process_uncharge(p, endpoint_bytes(depth));
        kfree(e);
    }
    return r;
}

/* The endpoint that a sender's handle means, with a reference (dropped by
 * object_unref(*held)). The owner may send to itself. */
static struct endpoint *endpoint_get(struct process *p, int handle, struct object **held)
{
    struct object *o = handle_get_any(p, handle);

    if (o == NULL)
        return NULL;
    *held = o;
    if (o->kind == OBJ_PEER)
        return of_peer(o);
    if (o->kind == OBJ_ENDPOINT)
        return of_owner(o);
    object_unref(o);
    return NULL;
}

/* --- sending --- */

/* The memory object that goes with a message: *o with a reference, or NULL. */
static int object_to_pass(struct process *p, int32_t handle, struct object **o)
{
    *o = NULL;
    if (handle < 0)
        return 0;
    *o = handle_get(p, handle, OBJ_MEMOBJ);
    return *o != NULL ? 0 : -EBADF;
}

static int queue_push(struct endpoint *e, const struct sys_msg *m, uint64_t token)
{
    struct process *p = process_current();
    struct queued_message *q;
    struct object *o;
    uint32_t tail;
    int r;

    if (m->len > MSG_INLINE_MAX || m->type == MSG_NOTIFY)
        return -EINVAL;
    if (e->process == NULL)
        return -EPEER;
    if (e->count == e->depth)
        return -EAGAIN;
    r = object_to_pass(p, m->handle, &o);
    if (r < 0)
        return r;
    tail = e->head + e->count;
    if (tail >= e->depth)
        tail -= e->depth;
    q = &e->queue[tail];
    q->type = m->type;
    q->len = m->len;
    q->sender_pid = p->pid;
    q->cancelled = 0;
    q->token = token;
    q->object = o;
    memcpy(q->data, m->data, MSG_INLINE_MAX);
    e->count++;
    waitq_wake(&e->readers);
    return 0;
}

SYSCALL_HANDLER(send)
{
    struct process *p = process_current();
    struct object *held;
    struct endpoint *e;
    struct sys_msg m;
    int r = copy_from_user(&m, a1, sizeof m);

    if (r < 0)
        return r;
    e = endpoint_get(p, (int)a0, &held);
    if (e == NULL)
        return -EBADF;
    r = queue_push(e, &m, 0);
    object_unref(held);
    return r;
}

SYSCALL_HANDLER(notify)
{
    struct process *p = process_current();
    struct object *held;
    struct endpoint *e = endpoint_get(p, (int)a0, &held);
    int r = 0;

    if (e == NULL)
        return -EBADF;
    if (e->process == NULL) {
        r = -EPEER;
    } else if (a1 != 0) {
        e->bits |= a1;
        waitq_wake(&e->readers);
    }
    object_unref(held);
    return r;
}

/* The caller gives up: a message that nobody has taken yet must not be served. */
static void call_cancel(struct call *c)
{
    struct endpoint *e = c->endpoint;

    for (uint32_t i = 0; i < e->count; i++) {
        struct queued_message *q = &e->queue[(e->head + i) % e->depth];
        if (q->token == c->token)
            q->cancelled = 1;
    }
    call_close(c);
}

static int call_finish(struct thread *t, uint64_t user)
{
    struct call *c = &t->call;
    struct sys_msg *m = &c->reply;
    int r;

    if (c->result < 0)
        return c->result;
    m->handle = -1;
    if (c->reply_object != NULL) {
        m->handle = handle_new(t->process, c->reply_object);
        if (m->handle < 0) {
            object_unref(c->reply_object);
            return m->handle;
        }
    }
    r = copy_to_user(user, m, sizeof *m);
    if (r < 0 && m->handle >= 0)
        handle_close(t->process, m->handle);
    return r;
}

SYSCALL_HANDLER(call)
{
    struct thread *t = thread_current(), *server;
    struct call *c = &t->call;
    struct object *held;
    struct endpoint *e;
    int r = copy_from_user(&c->reply, a1, sizeof c->reply);

    if (r < 0)
        return r;
    e = endpoint_get(t->process, (int)a0, &held);
    if (e == NULL)
        return -EBADF;
    call_open(t, e);
    t->woken = false;
    r = queue_push(e, &c->reply, c->token);
    if (r == 0) {
        server = thread_at(e->receiver_index);
        if (server != NULL && server->id == e->receiver_id)
            call_lend(c, server);
        while (c->endpoint != NULL && r == 0) {
            r = thread_block(a2);
            if (r == -ETIMEDOUT && a2 == 0)
                r = -EAGAIN;
        }
        if (c->endpoint == NULL)
            r = call_finish(t, a1);
        else
            call_cancel(c);
    } else {
        call_close(c);
    }
    c->token = 0;
    object_unref(held);
    return r;
}

/* --- receiving --- */

static void queue_drop_head(struct endpoint *e)
{
    if (++e->head == e->depth)
        e->head = 0;
    e->count--;
}

static void queue_drop_cancelled(struct endpoint *e)
{
    while (e->count != 0 && e->queue[e->head].cancelled) {
        if (e->queue[e->head].object != NULL)
            object_unref(e->queue[e->head].object);
        queue_drop_head(e);
    }
}

/* Hand the oldest message, or the bits alone, to the current thread. A message
 * that cannot be delivered (bad address, no handle left) stays queued. */
static int deliver(struct endpoint *e, uint64_t user)
{
    struct thread *t = thread_current();
    struct queued_message *q = e->count != 0 ? &e->queue[e->head] : NULL;
    struct sys_msg m;
    struct call *c;
    int r;

    if (q == NULL) {
        memset(&m, 0, sizeof m);
        m.type = MSG_NOTIFY;
        m.handle = -1;
    } else {
        m.type = q->type;
        m.len = q->len;
        m.sender_pid = q->sender_pid;
        m.handle = -1;
        m.token = q->token;
        memcpy(m.data, q->data, MSG_INLINE_MAX);
        if (q->object != NULL) {
            m.handle = handle_new(t->process, q->object);
            if (m.handle < 0)
                return m.handle;
        }
    }
    m.bits = e->bits;
    r = copy_to_user(user, &m, sizeof m);
    if (r < 0) {
        if (m.handle >= 0) {
            object_ref(q->object); /* the queue keeps its own */
            handle_close(t->process, m.handle);
        }
        return r;
    }
    e->bits = 0;
    e->receiver_index = t->index;
    e->receiver_id = t->id;
    if (q != NULL) {
        queue_drop_head(e);
        c = call_by_token(t->process, m.token);
        if (c != NULL)
            call_lend(c, t);
    }
    return 0;
}

SYSCALL_HANDLER(recv)
{
    struct thread *t = thread_current();
    struct object *o = handle_get(t->process, (int)a0, OBJ_ENDPOINT);
    struct wait_entry entry = {.thread = t};
    struct endpoint *e;
    int r = 0;

    if (o == NULL)
        return -EBADF;
    e = of_owner(o);
    queue_drop_cancelled(e);
    if (e->count == 0 && e->bits == 0) {
        t->woken = false;
        e->receiver_index = t->index;
        e->receiver_id = t->id;
        waitq_add(&e->readers, &entry);
        while (e->count == 0 && e->bits == 0 && e->process != NULL && r == 0) {
            r = a2 == 0 ? -EAGAIN : thread_block(a2);
            queue_drop_cancelled(e);
        }
        waitq_remove(&entry);
    }
    if (e->process == NULL)
        r = -EBADF; /* closed by another thread of the process */
    else if (e->count != 0 || e->bits != 0)
        r = deliver(e, a1);
    object_unref(o);
    return r;
}

SYSCALL_HANDLER(reply)
{
    struct process *p = process_current();
    struct call *c = call_by_token(p, a0);
    struct object *o;
    int r;

    if (c == NULL)
        return -EPEER; /* answered already, given up, or dead */
    r = copy_from_user(&c->reply, a1, sizeof c->reply);
    if (r < 0)
        return r;
    if (c->reply.len > MSG_INLINE_MAX)
        return -EINVAL;
    r = object_to_pass(p, c->reply.handle, &o);
    if (r < 0)
        return r;
    c->reply.sender_pid = p->pid;
    c->reply.token = 0;
    c->reply.bits = 0;
    c->reply_object = o;
    call_close(c);
    thread_wake(c->caller);
    return 0;
}
