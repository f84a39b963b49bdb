/* SPDX-License-Identifier: MIT
 *
 * kernel/trace.c: a trace of the system calls of a process.
 *
 * Owns: struct trace with its ring of records, percpu.entry_work's ENTRY_TRACE.
 * Called by: system calls and their entry, spawn and fork, the end of a process.
 * Context: thread.
 *
 * Nobody waits for a watcher: a full ring loses the newest record and counts it,
 * and the count goes out with the next one. While nothing in the system is
 * watched, the entry of system calls does not come here at all.
 *
 * A watched process holds a reference, so that its pointer is good until it looks
 * at it again; the ring goes, and with it what it cost the watcher, when the
 * watcher's handle is closed.
 */
#include <kernel/cpu.h>
#include <kernel/proc.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <kernel/syscall.h>
#include <kernel/trace.h>
#include <slipway/trace.h>

#define TRACE_RECORDS 384u
#define TRACE_BYTES (TRACE_RECORDS * sizeof(struct trace_record))
#define NO_LENGTH 0xff

struct trace {
    struct object object;
    struct process *owner; /* reference; it pays for the ring */
    struct waitq readers;
    uint32_t flags, watched; /* processes */
    bool armed;              /* its owner's next child is meant */
    uint32_t head, count, lost;
    struct trace_record *ring; /* NULL: closed */
};

/* What an argument points to, as far as it goes into a record. */
static const struct capture {
    uint16_t number;
    uint8_t arg, length; /* index of the argument that holds the bytes; NO_LENGTH: a string */
    uint16_t offset;     /* in a structure */
} captures[] = {
    {SYS_spawn, 0, NO_LENGTH, offsetof(struct sys_spawn, path)},
    {SYS_exec, 0, NO_LENGTH, offsetof(struct sys_exec, path)},
    {SYS_name_register, 0, NO_LENGTH, 0},
    {SYS_name_lookup, 0, NO_LENGTH, 0},
    {SYS_log_write, 1, 2, 0},
    {SYS_console_write, 0, 1, 0},
    {SYS_stream_write, 1, 2, 0},
};

static uint32_t traces; /* open ones */

static void entry_work_set(bool on)
{
    for (uint32_t i = 0; i < smp_cpus(); i++) {
        struct percpu *c = smp_cpu[i];

        c->entry_work = (uint16_t)(on ? c->entry_work | ENTRY_TRACE : c->entry_work & ~ENTRY_TRACE);
    }
}

int64_t fork_process(const struct trap_frame *f);

/* --- the object --- */

static struct trace *of_object(struct object *o)
{
    return (struct trace *)o;
}

static bool over(const struct trace *t)
{
    return t->ring == NULL || (t->watched == 0 && !t->armed);
}

static uint32_t trace_ready(struct object *o)
{
    const struct trace *t = of_object(o);

    return t->count != 0 || t->lost != 0 || over(t) ? READY_IN : 0;
}

static struct waitq *trace_waitq(struct object *o)
{
    return &of_object(o)->readers;
}

static void trace_closed(struct object *o)
{
    struct trace *t = of_object(o);

    if (t->ring == NULL)
        return; /* another handle to it */
    kfree(t->ring);
    t->ring = NULL;
    t->count = t->lost = 0;
    if (t->owner->trace_next == t)
        t->owner->trace_next = NULL;
    process_uncharge(t->owner, TRACE_BYTES);
    object_unref(&t->owner->object);
    t->owner = NULL;
    if (--traces == 0)
        entry_work_set(false);
    waitq_wake(&t->readers);
}

static void trace_destroy(struct object *o)
{
    kfree(o);
}

static const struct object_ops trace_ops = {
    .ready = trace_ready, .waitq = trace_waitq, .closed = trace_closed, .destroy = trace_destroy,
};

/* --- who is watched --- */

void trace_leave(struct process *p)
{
    struct trace *t = p->trace;

    if (t == NULL)
        return;
    p->trace = NULL;
    t->watched--;
    waitq_wake(&t->readers);
    object_unref(&t->object);
}

static void watch(struct trace *t, struct process *p)
{
    trace_leave(p);
    object_ref(&t->object);
    p->trace = t;
    t->watched++;
    t->armed = false;
}

void trace_child(struct process *parent, struct process *child)
{
    struct trace *t = parent->trace_next;

    if (t != NULL) {
        parent->trace_next = NULL;
        watch(t, child);
    } else if (parent->trace != NULL && (parent->trace->flags & TRACE_CHILDREN)) {
        watch(parent->trace, child);
    }
}

/* A child has no right that its parent lacks, and its parent may end it at any
 * time: the parent may watch it, too. Watching anybody else needs the right. */
static int may_watch(struct process *self, struct process *p)
{
    if (p == NULL || p->dying)
        return -ESRCH;
    if (p == self)
        return -EINVAL;
    if (p->parent != self->pid && !process_has(self, RIGHT_PROC_TRACE)) /* C-TRACE-1 */
        return -EACCES;
    return p->trace != NULL && p->trace->ring != NULL ? -EBUSY : 0;
}

static struct trace *trace_new(struct process *self, uint32_t flags)
{
    struct trace *t;

    if (process_charge(self, TRACE_BYTES) < 0)
        return NULL;
    t = kzalloc(sizeof *t);
    if (t != NULL)
        t->ring = kmalloc(TRACE_BYTES);
    if (t == NULL || t->ring == NULL) {
        kfree(t);
        process_uncharge(self, TRACE_BYTES);
        return NULL;
    }
    t->object = (struct object){.kind = OBJ_TRACE, .refs = 1, .ops = &trace_ops};
    t->owner = self;
    object_ref(&self->object);
    t->flags = flags;
    if (traces++ == 0)
        entry_work_set(true);
    return t;
}

SYSCALL_HANDLER(trace_open)
{
    struct process *self = self_process(), *p = NULL;
    struct trace *t;
    int r = 0;

    if ((a1 & ~(uint64_t)(TRACE_NEXT_CHILD | TRACE_CHILDREN)) != 0)
        return -EINVAL;
    if (a1 & TRACE_NEXT_CHILD)
        r = a0 != 0 ? -EINVAL : self->trace_next != NULL ? -EBUSY : 0;
    else
        r = may_watch(self, p = process_find((uint32_t)a0));
    if (r < 0)
        return r;
    t = trace_new(self, (uint32_t)a1);
    if (t == NULL)
        return -ENOMEM;
    r = handle_new(self, &t->object);
    if (r < 0) {
        trace_closed(&t->object);
        object_unref(&t->object);
        return r;
    }
    if (p != NULL) {
        watch(t, p);
    } else {
        t->armed = true;
        self->trace_next = t;
    }
    return r;
}

SYSCALL_HANDLER(trace_read)
{
    struct trace *t = (struct trace *)handle_get(self_process(), (int)a0, OBJ_TRACE);
    uint64_t done = 0;
    int r = 0;

    if (t == NULL)
        return -EBADF;
    if (a2 < sizeof(struct trace_record))
        r = -EINVAL;
    else if (t->count == 0 && t->lost == 0 && !over(t))
        r = -EAGAIN;
    if (r == 0 && t->count == 0 && t->lost != 0) { /* nothing came after them that could tell */
        t->ring[t->head] = (struct trace_record){.flags = TRACE_LOST, .lost = t->lost};
        t->lost = 0;
        t->count = 1;
    }
    while (r == 0 && t->count != 0 && a2 - done >= sizeof(struct trace_record)) {
        r = copy_to_user(a1 + done, &t->ring[t->head], sizeof(struct trace_record));
        if (r < 0)
            break;
        done += sizeof(struct trace_record);
        t->head = (t->head + 1) % TRACE_RECORDS;
        t->count--;
    }
    object_unref(&t->object);
    return done > 0 ? (int64_t)done : r;
}

/* --- records --- */

static void put(struct trace *t, struct trace_record *r)
{
    if (t->ring == NULL)
        return;
    if (t->count == TRACE_RECORDS) { /* C-TRACE-2 */
        t->lost++;
        return;
    }
    r->lost = t->lost;
    t->lost = 0;
    t->ring[(t->head + t->count) % TRACE_RECORDS] = *r;
    if (t->count++ == 0)
        waitq_wake(&t->readers);
}

static void capture_text(struct trace_record *r)
{
    const struct capture *c = captures, *end = captures + sizeof captures / sizeof captures[0];
    uint64_t bytes = TRACE_TEXT_MAX;
    int n;

    while (c < end && c->number != r->number)
        c++;
    if (c == end)
        return;
    if (c->length == NO_LENGTH) {
        n = copy_string_from_user(r->text, r->args[c->arg] + c->offset, TRACE_TEXT_MAX);
        if (n == -ENAMETOOLONG)
            n = TRACE_TEXT_MAX;
    } else {
        if (r->args[c->length] < bytes)
            bytes = r->args[c->length];
        n = copy_from_user(r->text, r->args[c->arg] + c->offset, bytes) < 0 ? -EFAULT : (int)bytes;
    }
    if (n < 0)
        return;
    r->flags |= TRACE_TEXT;
    r->text_bytes = (uint32_t)n;
}

static int64_t run(const struct trap_frame *f)
{
    if (f->rax >= SYS_MAX)
        return -ENOSYS;
    if (f->rax == SYS_fork)
        return fork_process(f); /* sys_fork would take this function's registers for the caller's */
    return syscall_table[f->rax](f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9);
}

int64_t syscall_traced(struct trap_frame *f)
{
    struct process *p = self_process();
    struct trace *t = p->trace;
    struct trace_record r;

    if (t == NULL)
        return run(f);
    if (t->ring == NULL) {
        trace_leave(p);
        return run(f);
    }
    r = (struct trace_record){
        .ns = now_ns(),
        .pid = p->pid,
        .tid = self_thread()->id,
        .number = f->rax < UINT32_MAX ? (uint32_t)f->rax : UINT32_MAX,
        .args = {f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9},
    };
    capture_text(&r);
    if (f->rax == SYS_exit || f->rax == SYS_thread_exit || f->rax == SYS_signal_return) { /* these don't come back */
        r.flags |= TRACE_NO_RETURN;
        put(t, &r);
        return run(f);
    }
    object_ref(&t->object); /* the process may have a new one when the call is over */
    r.result = run(f);
    r.duration_ns = now_ns() - r.ns;
    put(t, &r);
    object_unref(&t->object);
    return r.result;
}
