/* SPDX-License-Identifier: MIT
 *
 * kernel/message.c: call, send, recv, reply, reply_recv, notify.
 *
 * Owns: open calls, reply tokens, the priority that a call lends. Endpoints
 * themselves are kernel/endpoint.c's. Called by: system calls. Context: thread.
 *
 * A reply token is the caller's slot in the thread table below and a sequence
 * number above that is never given out twice, so a late or forged reply finds
 * nothing.
 *
 * Call and reply are the way between two processes that everything else takes,
 * so what the usual case does not need stands in functions of its own, and a
 * thread that wakes its partner in order to wait for it hands the CPU over
 * (thread_hand_over).
 */
#include <kernel/message.h>
#include <kernel/syscall.h>
#include <kernel/userwords.h>

#define TOKEN_INDEX_BITS 10
#define TOKEN_INDEX_MASK ((1u << TOKEN_INDEX_BITS) - 1)

/* What every call passes through is one piece of code for each verb. */
#define HOT static inline __attribute__((always_inline))
/* Keep a pointer in a register instead of computing it again at each use. */
#define HOLD(pointer) __asm__("" : "+r"(pointer))

#define MSG_SHORT 16 /* bytes of data that most messages have at most */

static uint64_t token_sequence;

_Static_assert(THREADS_MAX == 1u << TOKEN_INDEX_BITS, "every index of a token is one of the table");

/* --- a message from and to ring 3 --- */

_Static_assert(offsetof(struct sys_msg, token) == 16 && offsetof(struct sys_msg, data) == 32, "copied by words");

#define MESSAGE_DATA(r, to, from, len)                 \
    do {                                               \
        if ((len) <= MSG_SHORT)                        \
            USERWORDS_COPY(r, to, from, MSG_SHORT / 8); \
        else                                           \
            USERWORDS_COPY(r, to, from, MSG_INLINE_MAX / 8); \
    } while (0)

/* What the kernel fills in itself stays behind. */
HOT int message_in(struct sys_msg *to, uint64_t from)
{
    uint64_t scratch;
    int r = 0;

    if (!userwords_ok(from, sizeof *to))
        return -EFAULT;
    USERWORDS_STAC();
    USERWORDS_COPY(r, to, from, offsetof(struct sys_msg, token) / 8);
    MESSAGE_DATA(r, to->data, from + offsetof(struct sys_msg, data), to->len);
    USERWORDS_CLAC();
    return r;
}

HOT int message_out(uint64_t to, const struct sys_msg *from)
{
    uint64_t scratch;
    int r = 0;

    if (!userwords_ok(to, sizeof *from))
        return -EFAULT;
    USERWORDS_STAC();
    USERWORDS_COPY(r, to, from, offsetof(struct sys_msg, data) / 8);
    MESSAGE_DATA(r, to + offsetof(struct sys_msg, data), from->data, from->len);
    USERWORDS_CLAC();
    return r;
}

void call_forget_server(struct thread *server)
{
    while (server->lenders != NULL)
        call_unlend(server->lenders);
}

/* The open call that `token` names, if it was made to an endpoint of p. */
HOT struct call *call_by_token(struct process *p, uint64_t token)
{
    struct thread *t = thread_table[token & TOKEN_INDEX_MASK];

    /* A thread without an open call has no endpoint there, so 0 finds nothing. */
    if (t == NULL || t->call.token != token || t->call.endpoint == NULL ||
        t->call.endpoint->process != p) /* C-MSG-5 */
        return NULL;
    return &t->call;
}

/* The endpoint that a sender's handle means, with a reference (dropped by
 * object_unref(*held)). The owner may send to itself. */
HOT struct endpoint *endpoint_get(struct process *p, int handle, struct object **held)
{
    struct object *o = handle_get_any(p, handle);

    if (o == NULL)
        return NULL;
    *held = o;
    if (o->kind == OBJ_PEER)
        return endpoint_of_peer(o);
    if (o->kind == OBJ_ENDPOINT)
        return endpoint_of_owner(o);
    object_unref(o);
    return NULL;
}

/* --- objects that go along --- */

/* What a message may carry (slipway/message.h): a reference to what the
 * receiver gets, NULL when it must not. */
static struct object *object_passed(struct object *o)
{
    struct object *peer;

    switch (o->kind) {
    case OBJ_MEMOBJ:
    case OBJ_PEER:
    case OBJ_PIPE_READ:
    case OBJ_PIPE_WRITE:
    case OBJ_PROCESS:
        return o;
    case OBJ_ENDPOINT: /* receiving stays with the owner: a peer goes (C-MSG-8) */
        peer = &((struct endpoint *)o)->peer;
        object_ref(peer);
        object_unref(o);
        return peer;
    default:
        object_unref(o);
        return NULL;
    }
}

/* *o with a reference, or NULL for no handle. */
HOT int object_to_pass(struct process *p, int32_t handle, struct object **o)
{
    *o = NULL;
    if (handle < 0)
        return 0;
    *o = handle_get_any(p, handle);
    if (*o == NULL)
        return -EBADF;
    *o = object_passed(*o);
    return *o != NULL ? 0 : -EPERM;
}

/* Gives the current thread a message together with the object that came along.
 * Takes over the object's reference when it succeeds. Without a free handle the
 * message still arrives, with the errno in the handle's place: else a sender
 * could stop a server by filling its table. */
static int give_with_object(struct process *p, struct sys_msg *m, struct object *o, uint64_t user)
{
    int r;

    m->handle = handle_new(p, o);
    r = message_out(user, m);
    if (r < 0 && m->handle >= 0) {
        object_ref(o); /* closing drops one */
        handle_close(p, m->handle);
    } else if (r == 0 && m->handle < 0) {
        object_unref(o);
    }
    return r;
}

HOT int give_message(struct process *p, struct sys_msg *m, struct object *o, uint64_t user)
{
    if (__builtin_expect(o != NULL, 0))
        return give_with_object(p, m, o, user);
    m->handle = -1;
    return message_out(user, m);
}

/* --- sending --- */

/* Takes the message at `user` straight into the queue; the caller wakes. */
HOT int queue_push(struct endpoint *e, struct process *p, uint64_t user, uint64_t token)
{
    uint32_t tail = e->head + e->count;
    struct queued_message *q = &e->queue[tail < e->depth ? tail : tail - e->depth];
    int r;

    HOLD(q);
    if (e->process == NULL)
        return -EPEER;
    if (e->count == e->depth) /* C-MSG-1 */
        return -EAGAIN;
    r = message_in(&q->m, user);
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
    if (r == 0)
        waitq_wake(&e->readers);
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

/* --- calling --- */

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

HOT int call_finish(struct thread *t, uint64_t user)
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

/* Wakes who reads the endpoint and waits for the reply. A single reader gets
 * the CPU; of several any may take the message, so all have to look. */
HOT int call_wait(struct thread *t, struct endpoint *e, uint64_t deadline)
{
    struct wait_entry *reader = e->readers.head;
    int r;

    t->woken = false;
    if (reader != NULL && reader->next == NULL) {
        r = thread_hand_over(reader->thread, deadline);
    } else {
        waitq_wake(&e->readers);
        r = thread_block(deadline);
    }
    while (t->call.endpoint != NULL && r == 0)
        r = thread_block(deadline);
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
    r = queue_push(e, t->process, a1, c->token);
    if (r == 0) {
        call_open(c, e);
        /* The loan comes before the wake-up: so the server is queued once. */
        server = thread_table[e->receiver_index];
        if (server != NULL && server->id == e->receiver_id)
            call_lend(c, server);
        r = call_wait(t, e, a2);
        if (c->endpoint == NULL) {
            r = call_finish(t, a1);
        } else {
            call_cancel(c);
            if (a2 == 0 && r == -ETIMEDOUT)
                r = -EAGAIN;
        }
    }
    c->token = 0;
    object_unref(held);
    return r;
}

/* --- receiving --- */

/* Hand the oldest message, or the bits alone, to the current thread. For a bad
 * address it stays queued. */
HOT int deliver(struct endpoint *e, struct thread *t, uint64_t user)
{
    struct queued_message *q = &e->queue[e->head];
    int r;

    if (e->count == 0) {
        e->notice.bits = e->bits;
        r = message_out(user, &e->notice);
        if (r == 0)
            e->bits = 0;
        return r;
    }
    HOLD(q);
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

/* Until there is something to receive. `partner`, when there is one, is woken
 * before. */
HOT int recv_wait(struct endpoint *e, struct thread *t, uint64_t deadline, struct thread *partner)
{
    struct wait_entry entry = {.thread = t};
    int r;

    t->woken = false;
    waitq_add(&e->readers, &entry);
    r = partner != NULL ? thread_hand_over(partner, deadline) : thread_block(deadline);
    for (;;) {
        if (e->cancelled != 0)
            queue_drop_cancelled(e);
        if (e->count != 0 || e->bits != 0 || e->process == NULL || r != 0)
            break;
        r = thread_block(deadline);
    }
    waitq_remove(&entry);
    return r;
}

HOT int receive(struct thread *t, struct endpoint *e, uint64_t user, uint64_t deadline,
                          struct thread *partner)
{
    int r = 0;

    e->receiver_index = t->index;
    e->receiver_id = t->id;
    if (e->cancelled != 0)
        queue_drop_cancelled(e);
    if (e->count == 0 && e->bits == 0)
        r = recv_wait(e, t, deadline, partner);
    else if (partner != NULL)
        thread_wake(partner);
    if (e->process == NULL)
        return -EBADF; /* closed by another thread of the process */
    if (e->count != 0 || e->bits != 0)
        return deliver(e, t, user);
    return deadline == 0 && r == -ETIMEDOUT ? -EAGAIN : r;
}

/* One's own endpoint, with a reference. */
HOT struct object *owner_get(const struct process *p, int handle)
{
    struct handle_slot *s = handle_slot(p, handle);

    if (s == NULL || s->object->kind != OBJ_ENDPOINT)
        return NULL;
    s->object->refs++;
    return s->object;
}

SYSCALL_HANDLER(recv)
{
    struct thread *t = self_thread();
    struct object *o = owner_get(t->process, (int)a0);
    int r;

    if (o == NULL)
        return -EBADF;
    r = receive(t, endpoint_of_owner(o), a1, a2, NULL);
    object_unref(o);
    return r;
}

/* Answers the call that `token` names; *caller is then to be woken. */
HOT int answer(struct process *p, uint64_t token, uint64_t user, struct thread **caller)
{
    struct call *c = call_by_token(p, token);
    struct object *o;
    int r;

    if (c == NULL)
        return -EPEER; /* answered already, given up, or dead */
    r = message_in(&c->reply, user);
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
    c->result = 0;
    call_close(c);
    *caller = c->caller;
    return 0;
}

SYSCALL_HANDLER(reply)
{
    struct thread *caller;
    int r = answer(self_process(), a0, a1, &caller);

    self_thread()->giving_way = true; /* who replies waits for the next call */
    if (r == 0)
        thread_wake(caller);
    self_thread()->giving_way = false;
    return r;
}

/* A caller that has gone is no reason not to receive; anything else wrong with
 * the reply is. */
SYSCALL_HANDLER(reply_recv)
{
    struct thread *t = self_thread(), *caller = NULL;
    struct object *o = owner_get(t->process, (int)a2);
    int r = 0;

    if (o == NULL)
        return -EBADF;
    if (a0 != 0)
        r = answer(t->process, a0, a1, &caller);
    if (r == 0 || r == -EPEER)
        r = receive(t, endpoint_of_owner(o), a1, a3, caller);
    object_unref(o);
    return r;
}
