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
 * A futex is known by the physical address of its word in memory that processes
 * share, and by space and address elsewhere, where fork and a later write may
 * give the word another page.
 */
#include <kernel/proc.h>
#include <kernel/syscall.h>
#include <kernel/userwords.h>

#define FUTEX_BUCKETS 64u
#define WAIT_QUICK 3u /* items handled without kmalloc */

struct futex_waiter {
    struct wait_entry entry; /* first: the bucket's list leads here */
    uint64_t key;
    bool woken;
};

USERWORDS_DEFINE(item, struct wait_item)

/* One item while its thread waits. */
struct wait_slot {
    struct object *object; /* reference; NULL for the futex and for WAIT_STANDBY */
    struct wait_entry entry;
};

/* The middle of struct wait_item, which goes back to the caller. */
struct item_ready {
    uint32_t want, got;
} __attribute__((may_alias));
_Static_assert(offsetof(struct wait_item, want) == 8 && offsetof(struct wait_item, got) == 12, "wait_item");
USERWORDS_DEFINE(ready, struct item_ready)

static struct waitq futex_queue[FUTEX_BUCKETS];

static struct waitq *futex_bucket(uint64_t key)
{
    return &futex_queue[(key >> 2 ^ key >> 12) % FUTEX_BUCKETS];
}

uint64_t futex_key(struct process *p, uint64_t addr)
{
    uint32_t value;

    if (addr % 4 != 0 || copy_from_user(&value, addr, sizeof value) < 0)
        return 0;
    return vm_futex_key(p->as, addr);
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
    uint64_t key = futex_key(self_process(), a0);

    if (key == 0)
        return a0 % 4 != 0 ? -EINVAL : -EFAULT;
    return futex_wake(key, (uint32_t)a1);
}

/* --- wait --- */

struct wait_set {
    struct wait_item *items;
    struct wait_slot *slots;
    uint32_t n;
    bool has_futex;
    struct futex_waiter futex; /* of the one item that has no object */
};

static int futex_open(struct process *p, struct wait_set *s, uint32_t i)
{
    struct futex_waiter *w = &s->futex;
    uint32_t value;

    if (s->has_futex)
        return -EINVAL; /* one word a call */
    w->key = futex_key(p, s->items[i].addr);
    if (w->key == 0)
        return s->items[i].addr % 4 != 0 ? -EINVAL : -EFAULT;
    if (copy_from_user(&value, s->items[i].addr, sizeof value) < 0)
        return -EFAULT;
    w->woken = value != s->items[i].value;
    s->has_futex = true;
    return 0;
}

/* The object of a WAIT_STANDBY lies in our copy of its item, so that a slot stays
 * small. */
static inline struct object *standby_of(const struct wait_item *item)
{
    return (struct object *)(uintptr_t)item->addr;
}

static int standby_open(struct process *p, struct wait_set *s, uint32_t i)
{
    struct object *o = handle_get_any(p, s->items[i].handle);

    s->items[i].addr = 0;
    if (o == NULL)
        return -EBADF;
    if (o->ops->standby == NULL) {
        object_unref(o);
        return -EINVAL;
    }
    s->items[i].addr = (uintptr_t)o;
    return 0;
}

/* Item i: take a reference, let a net endpoint transmit, see whether it is
 * ready already. */
static int item_open(struct process *p, struct wait_set *s, uint32_t i)
{
    struct wait_item *item = &s->items[i];
    const struct object_ops *ops;
    struct object *o;

    s->slots[i].object = NULL;
    if (item->kind == WAIT_FUTEX)
        return futex_open(p, s, i);
    if (item->kind != WAIT_HANDLE)
        return item->kind == WAIT_STANDBY ? standby_open(p, s, i) : -EINVAL;
    o = handle_get_any(p, item->handle);
    if (o == NULL)
        return -EBADF;
    s->slots[i].object = o;
    ops = o->ops;
    if (ops->waitq == NULL)
        return -EINVAL;
    if (ops->before_wait != NULL)
        ops->before_wait(o);
    return 0;
}

static __attribute__((noinline)) uint32_t standby_ready(const struct wait_item *item)
{
    struct object *o = standby_of(item);

    return (o->called ? READY_IN : 0) | (o->ops->ready(o) & READY_ERR);
}

static uint32_t check(struct wait_set *s)
{
    uint32_t ready = 0;

    for (uint32_t i = 0; i < s->n; i++) {
        struct object *o = s->slots[i].object;
        uint32_t got;
        if (o != NULL)
            got = o->ops->ready(o) & (s->items[i].want | READY_ERR);
        else if (s->items[i].kind == WAIT_FUTEX)
            got = s->futex.woken ? READY_IN : 0;
        else
            got = standby_ready(&s->items[i]);
        s->items[i].got = got;
        ready += got != 0;
    }
    return ready;
}

static __attribute__((noinline)) struct waitq *other_queue(struct wait_set *s, uint32_t i)
{
    struct object *o = standby_of(&s->items[i]);

    return s->items[i].kind == WAIT_FUTEX ? futex_bucket(s->futex.key) : o->ops->standby(o);
}

static inline struct wait_entry *entry_of(struct wait_set *s, uint32_t i)
{
    return s->slots[i].object == NULL && s->items[i].kind == WAIT_FUTEX ? &s->futex.entry : &s->slots[i].entry;
}

static int block(struct wait_set *s, struct thread *t, uint64_t deadline)
{
    uint32_t ready = 0;
    int r = 0;

    t->woken = false;
    for (uint32_t i = 0; i < s->n; i++) {
        struct wait_slot *slot = &s->slots[i];
        struct object *o = slot->object;
        struct wait_entry *e = entry_of(s, i);
        e->thread = t;
        waitq_add(o != NULL ? o->ops->waitq(o) : other_queue(s, i), e);
    }
    while (ready == 0 && r == 0) {
        r = thread_block(deadline);
        ready = check(s);
    }
    for (uint32_t i = 0; i < s->n; i++)
        waitq_remove(entry_of(s, i));
    return ready != 0 ? (int)ready : r;
}

static int items_in(struct wait_set *s, uint64_t user)
{
    int r = 0;

    for (uint32_t i = 0; i < s->n && r == 0; i++)
        r = copy_item_from_user(&s->items[i], user + i * sizeof(struct wait_item));
    return r;
}

/* Only `got` has changed. */
static int items_out(const struct wait_set *s, uint64_t user)
{
    int r = 0;

    user += offsetof(struct wait_item, want);
    for (uint32_t i = 0; i < s->n && r == 0; i++, user += sizeof(struct wait_item))
        r = copy_ready_to_user(user, (const struct item_ready *)&s->items[i].want);
    return r;
}

static __attribute__((noinline)) void other_over(const struct wait_item *item)
{
    struct object *o = item->kind == WAIT_STANDBY ? standby_of(item) : NULL;

    if (o == NULL)
        return;
    o->ops->after_wait(o);
    object_unref(o);
}

static int64_t wait_items(struct wait_set *s, uint64_t user, uint64_t deadline)
{
    struct thread *t = self_thread();
    uint32_t opened = 0;
    int r = items_in(s, user);

    s->has_futex = false;
    while (r == 0 && opened < s->n)
        r = item_open(t->process, s, opened++);
    if (r == 0) {
        r = (int)check(s);
        if (r == 0)
            r = deadline == 0 ? -EAGAIN : block(s, t, deadline);
        if (r != -EINTR && items_out(s, user) < 0)
            r = -EFAULT;
    }
    for (uint32_t i = 0; i < opened; i++) {
        struct object *o = s->slots[i].object;
        if (o == NULL) {
            other_over(&s->items[i]);
            continue;
        }
        if (__builtin_expect(o->stood_by, 0))
            o->ops->after_wait(o);
        object_unref(o);
    }
    return r;
}

static int64_t wait_many(struct wait_set *s, uint64_t user, uint64_t deadline)
{
    void *memory = kmalloc(s->n * (sizeof *s->items + sizeof *s->slots));
    int64_t r;

    if (memory == NULL)
        return -ENOMEM;
    s->items = memory;
    s->slots = (struct wait_slot *)(s->items + s->n);
    r = wait_items(s, user, deadline);
    kfree(memory);
    return r;
}

static int64_t wait_call(uint64_t user, uint64_t n, uint64_t deadline)
{
    struct wait_item items[WAIT_QUICK];
    struct wait_slot slots[WAIT_QUICK];
    struct wait_set s;

    if (n > WAIT_ITEMS_MAX)
        return -EINVAL;
    s.n = (uint32_t)n;
    s.items = items;
    s.slots = slots;
    return s.n <= WAIT_QUICK ? wait_items(&s, user, deadline) : wait_many(&s, user, deadline);
}

SYSCALL_HANDLER(wait)
{
    return wait_call(a0, a1, a2);
}

/* A signal that only the new mask lets through ends the wait, however short. */
SYSCALL_HANDLER(wait_masked)
{
    struct thread *t = self_thread();
    uint32_t old = signal_mask_set(t, (uint32_t)a3); /* C-SIG-3 */
    int64_t r = wait_call(a0, a1, a2);

    if (t->signals.due && (r == -EAGAIN || r == -ETIMEDOUT))
        r = -EINTR;
    signal_wait_over(t, old);
    return r;
}
