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
#include <kernel/syscall.h>
#include <kernel/userwords.h>

#define TOKEN_INDEX_BITS 16
#define TOKEN_INDEX_MASK ((1u << TOKEN_INDEX_BITS) - 1)

USERWORDS_DEFINE(message, struct sys_msg)

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

static void call_unlend(struct call *c) /* it is lent */
{
    struct thread *server = c->server;

    c->server = NULL;
    *c->lend_prev = c->lend_next;
    if (c->lend_next != NULL)
        c->lend_next->lend_prev = c->lend_prev;
    if (server->priority != server->base && c->caller->priority >= server->priority)
        thread_recompute_priority(server); /* this loan was the one that counted */
}

static void call_lend(struct call *c, struct thread *server)
{
    if (c->server != NULL)
        call_unlend(c);
    c->server = server;
    c->lend_next = server->lenders;
    c->lend_prev = &server->lenders;
    if (server->lenders != NULL)
        server->lenders->lend_prev = &c->lend_next;
    server->lenders = c;
    if (c->caller->priority > server->priority)
        thread_recompute_priority(server); /* C-MSG-7 */
}

void call_forget_server(struct thread *server)
{
    while (server->lenders != NULL)
        call_unlend(server->lenders);
}

/* --- open calls --- */

static void call_open(struct call *c, struct endpoint *e)
{
    c->result = 0;
    c->reply_object = NULL;
    c->endpoint = e;
    c->next = e->calls;
    c->prev = &e->calls;
    if (e->calls != NULL)
        e->calls->prev = &c->next;
    e->calls = c;
}

static inline void call_close(struct call *c)
{
    if (c->server != NULL)
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
        c->result = -EPEER; /* C-MSG-2 */
        thread_wake(c->caller);
    }
}

/* The open call that `token` names, if it was made to an endpoint of p. */
static struct call *call_by_token(struct process *p, uint64_t token)
{
    uint32_t index = token & TOKEN_INDEX_MASK;
    struct thread *t = index < THREADS_MAX ? thread_table[index] : NULL;

    if (t == NULL || token == 0 || t->call.token != token || t->call.endpoint == NULL ||
        t->call.endpoint->process != p) /* C-MSG-5 */
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
    return e->count > e->cancelled || e->bits != 0 ? READY_IN : 0;
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
    e->cancelled = 0; /* they went with the rest: whoever sits in recv must not drop them again */
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

/* The endpoint that a sender's handle means, with a reference (dropped by
 * object_unref(*held)). The owner may send to itself. */
static inline struct endpoint *endpoint_get(struct process *p, int handle, struct object **held)
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

/* Takes the message at `user` straight into the queue. */
static inline int queue_push(struct endpoint *e, struct process *p, uint64_t user, uint64_t token)
{
    uint32_t tail = e->head + e->count;
    struct queued_message *q = &e->queue[tail < e->depth ? tail : tail - e->depth];
    int r;

    if (e->process == NULL)
        return -EPEER;
    if (e->count == e->depth) /* C-MSG-1 */
        return -EAGAIN;
    r = copy_message_from_user(&q->m, user);
    if (r < 0)
        return r;
    if (q->m.len > MSG_INLINE_MAX || q->m.type == MSG_NOTIFY)
        return -EINVAL;
    r = object_to_pass(p, q->m.handle, &q->object);
    if (r < 0)
        return r;
    q->m.sender_pid = p->pid; /* C-MSG-4 */
    q->m.token = token;
    q->cancelled = false;
    e->count++;
    waitq_wake(&e->readers);
    return 0;
}

SYSCALL_HANDLER(send)
{
    struct process *p = self_process();
    struct object *held;
    struct endpoint *e = endpoint_get(p, (int)a0, &held);
    int r;

    if (e == NULL)
        return -EBADF;
    r = queue_push(e, p, a1, 0);
    object_unref(held);
    return r;
}

SYSCALL_HANDLER(notify)
{
    struct process *p = self_process();
    struct object *held;
    struct endpoint *e = endpoint_get(p, (int)a0, &held);
    int r = 0;

    if (e == NULL)
        return -EBADF;
    if (e->process == NULL) {
        r = -EPEER;
    } else if (a1 != 0) {
        e->bits |= a1; /* C-MSG-3 */
        waitq_wake(&e->readers);
    }
    object_unref(held);
    return r;
}

static void queue_drop_head(struct endpoint *e)
{
    if (++e->head == e->depth)
        e->head = 0;
    e->count--;
}

static void queue_drop_cancelled(struct endpoint *e)
{
    while (e->cancelled != 0 && e->queue[e->head].cancelled) {
        if (e->queue[e->head].object != NULL)
            object_unref(e->queue[e->head].object);
        queue_drop_head(e);
        e->cancelled--;
    }
}

/* The caller gives up: a message that nobody has taken yet must not be served.
 * Nor may it keep its place: a queue of such messages alone wakes no server, and
 * would refuse everybody else for good. */
static void call_cancel(struct call *c)
{
    struct endpoint *e = c->endpoint;

    for (uint32_t i = 0; i < e->count; i++) {
        struct queued_message *q = &e->queue[(e->head + i) % e->depth];
        if (q->m.token == c->token) {
            q->cancelled = true;
            e->cancelled++;
        }
    }
    queue_drop_cancelled(e);
    call_close(c);
}

/* Gives the current thread a message together with the object that came along.
 * Takes over the object's reference when it succeeds. Without a free handle the
 * message still arrives, with the errno in the handle's place: else a sender
 * could stop a server by filling its table. */
static int give_message(struct process *p, struct sys_msg *m, struct object *o, uint64_t user)
{
    int r;

    m->handle = o != NULL ? handle_new(p, o) : -1;
    r = copy_message_to_user(user, m);
    if (o == NULL)
        return r;
    if (r < 0 && m->handle >= 0) {
        object_ref(o); /* closing drops one */
        handle_close(p, m->handle);
    } else if (r == 0 && m->handle < 0) {
        object_unref(o);
    }
    return r;
}

static int call_finish(struct thread *t, uint64_t user)
{
    struct call *c = &t->call;
    int r;

    if (c->result < 0)
        return c->result;
    r = give_message(t->process, &c->reply, c->reply_object, user);
    if (r < 0 && c->reply_object != NULL)
        object_unref(c->reply_object);
    return r;
}

static int call_wait(struct call *c, uint64_t user, uint64_t deadline)
{
    int r = 0;

    c->caller->woken = false;
    while (c->endpoint != NULL && r == 0) {
        r = thread_block(deadline);
        if (r == -ETIMEDOUT && deadline == 0)
            r = -EAGAIN;
    }
    if (c->endpoint == NULL)
        return call_finish(c->caller, user);
    call_cancel(c);
    return r;
}

SYSCALL_HANDLER(call)
{
    struct thread *t = self_thread(), *server;
    struct call *c = &t->call;
    struct object *held;
    struct endpoint *e = endpoint_get(t->process, (int)a0, &held);
    int r;

    if (e == NULL)
        return -EBADF;
    c->token = ++token_sequence << TOKEN_INDEX_BITS | t->index;
    call_open(c, e);
    /* The loan comes before the wake-up: so the server is queued once. */
    server = thread_table[e->receiver_index];
    if (server != NULL && server->id == e->receiver_id)
        call_lend(c, server);
    r = queue_push(e, t->process, a1, c->token);
    if (r == 0)
        r = call_wait(c, a1, a2);
    else
        call_close(c);
    c->token = 0;
    object_unref(held);
    return r;
}

/* --- receiving --- */

/* Hand the oldest message, or the bits alone, to the current thread. For a bad
 * address it stays queued. */
static int deliver(struct endpoint *e, struct thread *t, uint64_t user)
{
    struct queued_message *q = &e->queue[e->head];
    int r;

    if (e->count == 0) {
        e->notice.bits = e->bits;
        r = copy_message_to_user(user, &e->notice);
        if (r == 0)
            e->bits = 0;
        return r;
    }
    q->m.bits = e->bits;
    r = give_message(t->process, &q->m, q->object, user);
    if (r < 0)
        return r;
    e->bits = 0;
    queue_drop_head(e);
    if (q->m.token != 0) { /* not cancelled, so its caller waits */
        struct call *c = &thread_table[q->m.token & TOKEN_INDEX_MASK]->call;
        if (c->server != t)
            call_lend(c, t);
    }
    return 0;
}

static int recv_wait(struct endpoint *e, struct thread *t, uint64_t deadline)
{
    struct wait_entry entry = {.thread = t};
    int r = deadline == 0 ? -EAGAIN : 0;

    t->woken = false;
    waitq_add(&e->readers, &entry);
    while (e->count == 0 && e->bits == 0 && e->process != NULL && r == 0) {
        r = thread_block(deadline);
        queue_drop_cancelled(e);
    }
    waitq_remove(&entry);
    return r;
}

SYSCALL_HANDLER(recv)
{
    struct thread *t = self_thread();
    struct object *o = handle_get(t->process, (int)a0, OBJ_ENDPOINT);
    struct endpoint *e;
    int r = 0;

    if (o == NULL)
        return -EBADF;
    e = of_owner(o);
    e->receiver_index = t->index;
    e->receiver_id = t->id;
    queue_drop_cancelled(e);
    if (e->count == 0 && e->bits == 0)
        r = recv_wait(e, t, a2);
    if (e->process == NULL)
        r = -EBADF; /* closed by another thread of the process */
    else if (e->count != 0 || e->bits != 0)
        r = deliver(e, t, a1);
    object_unref(o);
    return r;
}

SYSCALL_HANDLER(reply)
{
    struct process *p = self_process();
    struct call *c = call_by_token(p, a0);
    struct object *o;
    int r;

    if (c == NULL)
        return -EPEER; /* answered already, given up, or dead */
    r = copy_message_from_user(&c->reply, a1);
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
