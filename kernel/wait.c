/* SPDX-License-Identifier: MIT
 *
 * kernel/wait.c: wait on handles and on a futex word.
 *
 * Owns: the futex queues. Called by: system calls, thread exit. Context: thread.
 *
 * No wake-up is lost: nothing runs between a readiness check and the block but
 * hard interrupts, and those only schedule polls; a poll that runs while the
 * thread idles finds it on the object's queue.
 *
 * A futex is known by the physical address of its word, so that it works in
 * memory that processes share.
 */
#include <kernel/proc.h>
#include <kernel/string.h>
#include <kernel/syscall.h>

#define FUTEX_BUCKETS 64u
#define WAIT_QUICK 3u /* items handled without kmalloc */

struct futex_waiter {
    struct wait_entry entry; /* first: the bucket's list leads here */
    uint64_t key;
    bool woken;
};

/* One item while its thread waits. */
struct wait_slot {
    struct object *object; /* reference; NULL for the futex */
    struct waitq *queue;
    struct wait_entry entry;
};

static struct waitq futex_queue[FUTEX_BUCKETS];

static struct waitq *futex_bucket(uint64_t key)
{
    return &futex_queue[(key >> 2 ^ key >> 12) % FUTEX_BUCKETS];
}

uint64_t futex_key(struct process *p, uint64_t addr)
{
    uint32_t value;
    phys_t page;

    if (addr % 4 != 0 || copy_from_user(&value, addr, sizeof value) < 0) /* brings a demand page in */
        return 0;
    page = vm_lookup(p->as, addr & ~(PAGE_SIZE - 1));
    return page == 0 ? 0 : (page & ~(PAGE_SIZE - 1)) + addr % PAGE_SIZE;
}

uint32_t futex_wake(uint64_t key, uint32_t n)
{
    struct wait_entry *e = futex_bucket(key)->head, *next;
    uint32_t woken = 0;

    for (; e != NULL && woken < n; e = next) {
        struct futex_waiter *w = (struct futex_waiter *)e;
        next = e->next;
        if (w->key != key)
            continue;
        w->woken = true;
        waitq_remove(e);
        thread_wake(e->thread);
        woken++;
    }
    return woken;
}

SYSCALL_HANDLER(futex_wake)
{
    uint64_t key = futex_key(process_current(), a0);

    if (key == 0)
        return a0 % 4 != 0 ? -EINVAL : -EFAULT;
    return futex_wake(key, (uint32_t)a1);
}

/* --- wait --- */

struct wait_set {
    struct wait_item *items;
    struct wait_slot *slots;
    uint32_t n;
    struct futex_waiter *futex; /* NULL: no futex item */
    uint32_t futex_index;
};

static int futex_open(struct process *p, struct wait_set *s, uint32_t i, struct futex_waiter *w)
{
    uint32_t value;

    if (s->futex != NULL)
        return -EINVAL; /* one word a call */
    w->key = futex_key(p, s->items[i].addr);
    if (w->key == 0)
        return s->items[i].addr % 4 != 0 ? -EINVAL : -EFAULT;
    if (copy_from_user(&value, s->items[i].addr, sizeof value) < 0)
        return -EFAULT;
    w->woken = value != s->items[i].value;
    s->futex = w;
    s->futex_index = i;
    return 0;
}

static int slot_open(struct process *p, struct wait_set *s, uint32_t i, struct futex_waiter *w)
{
    struct object *o;

    s->slots[i].object = NULL;
    s->slots[i].entry.prev = NULL;
    if (s->items[i].kind == WAIT_FUTEX)
        return futex_open(p, s, i, w);
    if (s->items[i].kind != WAIT_HANDLE)
        return -EINVAL;
    o = handle_get_any(p, s->items[i].handle);
    if (o == NULL)
        return -EBADF;
    s->slots[i].object = o;
    if (o->ops->ready == NULL || (s->slots[i].queue = o->ops->waitq(o)) == NULL)
        return -EINVAL;
    if (o->ops->before_wait != NULL)
        o->ops->before_wait(o);
    return 0;
}

static uint32_t check(struct wait_set *s)
{
    uint32_t ready = 0;

    for (uint32_t i = 0; i < s->n; i++) {
        struct object *o = s->slots[i].object;
        uint32_t got;
        if (o != NULL)
            got = o->ops->ready(o) & (s->items[i].want | READY_ERR);
        else
            got = s->futex->woken ? READY_IN : 0;
        s->items[i].got = got;
        ready += got != 0;
    }
    return ready;
}

static int block(struct wait_set *s, uint64_t deadline)
{
    struct thread *t = thread_current();
    uint32_t ready = 0;
    int r = 0;

    for (uint32_t i = 0; i < s->n; i++) {
        struct wait_slot *slot = &s->slots[i];
        if (slot->object == NULL)
            continue;
        slot->entry.thread = t;
        waitq_add(slot->queue, &slot->entry);
    }
    if (s->futex != NULL) {
        s->futex->entry.thread = t;
        waitq_add(futex_bucket(s->futex->key), &s->futex->entry);
    }
    t->woken = false;
    while (ready == 0 && r == 0) {
        r = thread_block(deadline);
        ready = check(s);
    }
    for (uint32_t i = 0; i < s->n; i++)
        waitq_remove(&s->slots[i].entry);
    if (s->futex != NULL)
        waitq_remove(&s->futex->entry);
    return ready != 0 ? (int)ready : r;
}

static int wait_opened(struct wait_set *s, uint64_t deadline)
{
    uint32_t ready = check(s);

    if (ready != 0)
        return (int)ready;
    return deadline == 0 ? -EAGAIN : block(s, deadline);
}

static int64_t wait_items(struct wait_set *s, uint64_t user, uint64_t deadline)
{
    struct process *p = process_current();
    struct futex_waiter futex = {.key = 0};
    uint32_t opened = 0;
    int64_t r = s->n == 0 ? 0 : copy_from_user(s->items, user, s->n * sizeof *s->items);

    while (r == 0 && opened < s->n)
        r = slot_open(p, s, opened++, &futex);
    if (r == 0) {
        r = wait_opened(s, deadline);
        if (s->n != 0 && r != -EINTR && copy_to_user(user, s->items, s->n * sizeof *s->items) < 0)
            r = -EFAULT;
    }
    for (uint32_t i = 0; i < opened; i++)
        if (s->slots[i].object != NULL)
            object_unref(s->slots[i].object);
    return r;
}

SYSCALL_HANDLER(wait)
{
    struct wait_set s = {.n = (uint32_t)a1};
    void *memory;
    int64_t r;

    if (a1 > WAIT_ITEMS_MAX)
        return -EINVAL;
    if (s.n <= WAIT_QUICK) {
        struct wait_item items[WAIT_QUICK];
        struct wait_slot slots[WAIT_QUICK];
        s.items = items;
        s.slots = slots;
        return wait_items(&s, a0, a2);
    }
    memory = kmalloc(s.n * (sizeof *s.items + sizeof *s.slots));
    if (memory == NULL)
        return -ENOMEM;
    s.items = memory;
    s.slots = (struct wait_slot *)(s.items + s.n);
    r = wait_items(&s, a0, a2);
    kfree(memory);
    return r;
}
