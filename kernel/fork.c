/* SPDX-License-Identifier: MIT
 *
 * kernel/fork.c: a process that is a copy of another.
 *
 * Owns: what a child of fork has. Called by: the fork call (fork_entry.S).
 * Context: thread.
 *
 * The child has the caller's registers, memory (vm_fork.c), rights and the
 * handles that two processes may hold alike; of the threads it has the caller
 * alone. Its memory is promised to it in full, against its own limit, so that a
 * write to a shared page never finds memory empty (C-MEM-6). Endpoints have one
 * owner: their handles are empty slots in the child, and rings are not mapped.
 */
#include <kernel/proc.h>
#include <kernel/signal.h>
#include <kernel/string.h>
#include <kernel/syscall.h>
#include <kernel/trace.h>

int64_t fork_process(const struct trap_frame *f);

_Static_assert(sizeof(struct trap_frame) == 176 && offsetof(struct trap_frame, r12) == 24, "fork_entry.S");
_Static_assert(offsetof(struct percpu, kernel_rsp) == 8, "fork_entry.S");

static bool inheritable(const struct object *o)
{
    switch (o->kind) {
    case OBJ_PEER:
    case OBJ_MEMOBJ:
    case OBJ_CONSOLE:
    case OBJ_PIPE_READ:
    case OBJ_PIPE_WRITE:
        return true;
    default:
        return false;
    }
}

static void copy_identity(struct process *p, const struct process *from)
{
    memcpy(p->path, from->path, sizeof p->path);
    p->bias = from->bias;
    p->priority = from->priority;
    p->rights = from->rights;
    process_limit_space(p);
}

/* The one thread of the child goes on where its parent entered the kernel. */
static bool copy_thread(struct process *p, const struct thread *from, const struct trap_frame *f)
{
    struct thread *t = thread_new(p, from->base);

    if (t == NULL)
        return false;
    *t->start = *f;
    t->start->rax = 0;
    t->fs_base = from->fs_base;
    signal_forked(p, t, from->process);
    fpu_save(t->fpu); /* the FPU holds the caller's state */
    thread_start(t);
    return true;
}

/* Handle 0 would look like the child's result: the slot's next generation is another number. */
static int handle_not_zero(struct process *p, struct object *o)
{
    int h;

    object_ref(o);
    h = handle_new(p, o);
    if (h == 0) {
        object_ref(o);
        (void)handle_close(p, h);
        h = handle_new(p, o);
    }
    if (h < 0)
        object_unref(o);
    return h;
}

int64_t fork_process(const struct trap_frame *f)
{
    struct thread *self = self_thread();
    struct process *parent = self->process, *p;
    int h;

    if (!process_has(parent, RIGHT_PROC_SPAWN))
        return -EACCES;
    if (process_table_full(parent->pid))
        return -EAGAIN;
    p = process_new(parent->name, parent->pid, as_fork(parent->as, parent->nthreads == 1));
    if (p == NULL)
        return -ENOMEM;
    copy_identity(p, parent);
    h = handles_copy(p, parent, inheritable);
    if (h == 0)
        h = handle_not_zero(parent, &p->object);
    if (h < 0) {
        process_abandon(p);
        return h;
    }
    trace_child(parent, p);
    if (!copy_thread(p, self, f)) {
        (void)handle_close(parent, h);
        process_abandon(p);
        return -ENOMEM;
    }
    return h;
}
