/* SPDX-License-Identifier: MIT
 *
 * kernel/memcalls.c: the system calls for memory and memory objects.
 *
 * Owns: struct mem_object, what a handle to shared memory refers to; its pages
 * count against the process that created it until the last handle and mapping
 * are gone. Called by: system calls, message passing. Context: thread.
 */
#include <kernel/initrd.h>
#include <kernel/inventory.h>
#include <kernel/proc.h>
#include <kernel/syscall.h>
#include <kernel/time_page.h>

#define PROT_ALL (PROT_R | PROT_W | PROT_X)
#define STRUCTURE_BYTES 128u /* struct memobj and a share of the handle table */

static void mem_object_destroy(struct object *o)
{
    struct mem_object *m = (struct mem_object *)o;

    memobj_unref(m->memory);
    kfree(m);
}

static const struct object_ops mem_object_ops = {.destroy = mem_object_destroy};

/* Takes over a reference to m. NULL when memory is out. */
static struct object *mem_object_new(struct memobj *m, bool writable)
{
    struct mem_object *o = kzalloc(sizeof *o);

    if (o == NULL)
        return NULL;
    o->object = (struct object){.kind = OBJ_MEMOBJ, .refs = 1, .ops = &mem_object_ops};
    o->memory = m;
    o->writable = writable;
    return &o->object;
}

/* What an object costs: its pages, which are promised at once, the list of them,
 * and the structures. */
static uint64_t object_cost(uint64_t bytes)
{
    return bytes + kmalloc_size((bytes >> PAGE_SHIFT) * sizeof(phys_t)) + kmalloc_size(sizeof(struct mem_object)) +
           STRUCTURE_BYTES;
}

/* The pages are gone: a process that maps an object and closes its handle has
 * not given them back. */
static void uncharge(void *arg, uint64_t bytes)
{
    struct process *p = arg;

    process_uncharge(p, object_cost(bytes));
    object_unref(&p->object);
}

static int handle_to(struct process *p, struct object *o)
{
    int r = handle_new(p, o);

    if (r < 0)
        object_unref(o);
    return r;
}

static int64_t create_charged(struct process *p, uint64_t bytes)
{
    struct memobj *m = memobj_create(bytes);
    struct object *o;

    if (m == NULL) {
        process_uncharge(p, object_cost(bytes));
        return -ENOMEM;
    }
    object_ref(&p->object);
    memobj_on_free(m, uncharge, p);
    o = mem_object_new(m, true);
    if (o == NULL) {
        memobj_unref(m);
        return -ENOMEM;
    }
    return handle_to(p, o);
}

SYSCALL_HANDLER(memobj_create)
{
    struct process *p = self_process();
    uint64_t bytes = page_round_up(a0);
    int r;

    if (a0 == 0 || a0 > USER_END)
        return -EINVAL;
    r = process_charge(p, object_cost(bytes));
    return r < 0 ? r : create_charged(p, bytes);
}

SYSCALL_HANDLER(memobj_map)
{
    struct process *p = self_process();
    struct mem_object *m;
    int64_t r;

    if ((a4 & ~(uint64_t)PROT_ALL) != 0)
        return -EINVAL;
    m = (struct mem_object *)handle_get(p, (int)a0, OBJ_MEMOBJ);
    if (m == NULL)
        return -EBADF;
    if ((a4 & PROT_W) && !m->writable)
        r = -EACCES;
    else
        r = vm_map_object(p->as, a1, m->memory, a2, a3, (unsigned)a4);
    object_unref(&m->object);
    return r;
}

/* A handle to memory that the kernel keeps for all. */
static int open_shared(struct memobj *m)
{
    struct object *o;

    memobj_ref(m);
    o = mem_object_new(m, false);
    if (o == NULL) {
        memobj_unref(m);
        return -ENOMEM;
    }
    return handle_to(self_process(), o);
}

SYSCALL_HANDLER(initrd_open)
{
    struct memobj *m = initrd_memobj();
    uint64_t bytes;
    int r;

    if (m == NULL)
        return -ENOENT;
    bytes = memobj_bytes(m);
    r = copy_to_user(a0, &bytes, sizeof bytes);
    return r < 0 ? r : open_shared(m);
}

SYSCALL_HANDLER(time_page)
{
    struct memobj *m = time_page_memobj();

    return m == NULL ? -ENOENT : open_shared(m);
}

SYSCALL_HANDLER(framebuffer_open)
{
    struct memobj *m;
    struct object *o;

    if (!process_has(self_process(), RIGHT_DEV_FB))
        return -EACCES;
    m = inventory_framebuffer();
    if (m == NULL)
        return -ENODEV;
    o = mem_object_new(m, true);
    if (o == NULL) {
        memobj_unref(m);
        return -ENOMEM;
    }
    return handle_to(self_process(), o);
}

SYSCALL_HANDLER(mem_map)
{
    if ((a2 & ~(uint64_t)PROT_ALL) != 0)
        return -EINVAL;
    return vm_map_anon(self_process()->as, a0, a1, (unsigned)a2);
}

SYSCALL_HANDLER(mem_unmap)
{
    struct address_space *as = self_process()->as;
    uint64_t addr = a0, bytes = page_round_up(a1);
    int r;

    if (a1 > USER_END || !vm_range_ok(addr, bytes))
        return -EINVAL;
    while ((r = vm_unmap_some(as, &addr, a0 + bytes)) > 0)
        thread_breathe(); /* C-MEM-8 */
    return r;
}

SYSCALL_HANDLER(mem_protect)
{
    if ((a2 & ~(uint64_t)PROT_ALL) != 0)
        return -EINVAL;
    return vm_protect(self_process()->as, a0, a1, (unsigned)a2);
}
