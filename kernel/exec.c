/* SPDX-License-Identifier: MIT
 *
 * kernel/exec.c: another program in the same process.
 *
 * Owns: the order in which the old program gives way. Called by: the exec call.
 * Context: thread.
 *
 * The new image is complete in a space of its own before anything of the old one
 * is touched, so every failure leaves the caller as it was. Then the other
 * threads end, handles that the new program cannot use are given up while the
 * old space is still there, and the spaces change places.
 */
#include <kernel/image.h>
#include <kernel/proc.h>
#include <kernel/signal.h>
#include <kernel/string.h>
#include <kernel/syscall.h>

/* A frame whose vector is no system call's goes back by iretq (syscall.S). */
#define VECTOR_EXEC 0x101

struct new_program {
    struct sys_exec x;
    struct start_args args;
    struct address_space *as;
    struct image image;
    int32_t *closes;
};

/* Peers of an endpoint that nobody serves any more must hear of it. */
static bool owned_alone(const struct object *o)
{
    return o->kind == OBJ_NET || o->kind == OBJ_ENDPOINT;
}

static int fetch(struct new_program *n, uint64_t user)
{
    struct sys_exec *x = &n->x;
    int r = copy_from_user(x, user, sizeof *x);

    if (r < 0)
        return r;
    if (strnlen(x->path, sizeof x->path) == sizeof x->path || x->ncloses > HANDLES_MAX)
        return -EINVAL;
    if (!start_args_fit(x->args_bytes, x->argc, x->envc, x->extra_bytes))
        return -E2BIG;
    n->args = (struct start_args){
        .bytes = x->args_bytes, .argc = x->argc, .envc = x->envc, .extra_bytes = x->extra_bytes};
    n->closes = kmalloc(x->ncloses * sizeof *n->closes);
    if (n->closes == NULL)
        return -ENOMEM;
    if (x->ncloses > 0)
        r = copy_from_user(n->closes, x->closes, x->ncloses * sizeof *n->closes);
    return r < 0 ? r : start_args_copy(&n->args, x->args, x->extra);
}

static int load(struct new_program *n, const struct process *p)
{
    n->as = as_create();
    if (n->as == NULL)
        return -ENOMEM;
    vm_set_limit(n->as, p->rights.memory_limit - p->charged_bytes);
    return image_load(n->as, n->x.path, &n->args, &n->image);
}

static void discard(struct new_program *n)
{
    if (n->as != NULL)
        as_destroy(n->as);
    kfree(n->args.memory);
    kfree(n->closes);
    kfree(n);
}

/* Ends the process's other threads. -EINTR when this one is to end as well; other
 * signals wait until the new program can be asked. */
static int be_alone(struct process *p)
{
    struct thread *self = self_thread();
    uint32_t mask = signal_mask_set(self, UINT32_MAX);
    int r = self->dying ? -EINTR : 0;

    if (r == 0) { /* else another thread may be the one that waits */
        process_end_threads(p, self);
        p->alone = self;
        while (r == 0 && p->nthreads > 1)
            r = thread_block(UINT64_MAX);
        p->alone = NULL;
    }
    if (r == 0)
        signal_execed(p);
    (void)signal_mask_set(self, mask);
    return r;
}

static void change_places(struct process *p, struct new_program *n)
{
    struct address_space *old = p->as;
    const char *slash = n->x.path, *name = slash;

    for (; *slash != 0; slash++)
        if (*slash == '/' && slash[1] != 0)
            name = slash + 1;
    strlcpy(p->name, name, sizeof p->name);
    strlcpy(p->path, n->x.path, sizeof p->path);
    p->bias = n->image.bias;
    p->as = n->as;
    n->as = NULL;
    as_switch(p->as);
    as_destroy(old);
    process_limit_space(p);
}

static void reset_thread(struct thread *t, const struct image *image)
{
    struct trap_frame *f = (struct trap_frame *)t->kstack_top - 1;

    *f = (struct trap_frame){
        .vector = VECTOR_EXEC, .rip = image->entry, .cs = SEL_UCODE, .rflags = 0x202, .rsp = image->rsp,
        .ss = SEL_UDATA,
    };
    t->fs_base = 0;
    wrmsr(MSR_FS_BASE, 0);
    fpu_init_area(t->fpu);
    fpu_restore(t->fpu);
}

/* Nothing of the old program is touched before everything has succeeded. */
static int replace(struct process *p, struct new_program *n, uint64_t user)
{
    int r = fetch(n, user);

    if (r == 0)
        r = load(n, p);
    if (r == 0)
        r = be_alone(p); /* C-PROC-4 */
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < n->x.ncloses; i++)
        (void)handle_close(p, n->closes[i]);
    handles_close_some(p, owned_alone);
    change_places(p, n);
    reset_thread(self_thread(), &n->image);
    return 0;
}

SYSCALL_HANDLER(exec)
{
    struct new_program *n = kzalloc(sizeof *n);
    int r;

    if (n == NULL)
        return -ENOMEM;
    r = replace(self_process(), n, a0);
    discard(n);
    return r;
}
