/* SPDX-License-Identifier: MIT
 *
 * kernel/process.c: the process table, rights, the end of a process.
 *
 * Owns: pids (never used twice before 2^31 others), the list of the living,
 * what a process handle shows. Called by: system calls, spawn, traps.
 * Context: thread.
 *
 * How a process ends: process_end marks it and wakes every thread of it; a
 * thread in the kernel comes back with -EINTR, one in ring 3 enters at the next
 * interrupt, and each leaves in return_to_user. The last one closes what the
 * process held, and only then does its handle say that it ended: whoever waits
 * for it finds ports, names and memory free.
 */
#include <kernel/log.h>
#include <kernel/proc.h>
#include <kernel/rights.h>
#include <kernel/string.h>
#include <kernel/trace.h>

#define HASH_SIZE 64u
#define RESTART_NAMES 32u
#define REFUSAL_QUIET_NS NS_PER_S

static struct {
    struct process *hash[HASH_SIZE];
    struct process *first, **last;
    uint32_t count, last_pid;
    /* How often a process of a name has ended with a successor expected. */
    struct {
        char name[SPAWN_NAME_MAX];
        uint32_t ends;
    } restarts[RESTART_NAMES];
} table = {.last = &table.first};

static uint32_t process_ready(struct object *o)
{
    return ((struct process *)o)->state != PROC_RUNNING ? READY_IN : 0;
}

static struct waitq *process_waitq(struct object *o)
{
    return &((struct process *)o)->wq;
}

static void process_destroy(struct object *o)
{
    struct process *p = (struct process *)o;

    kfree(p->report);
    kfree(p);
}

static const struct object_ops process_ops = {
    .ready = process_ready,
    .waitq = process_waitq,
    .destroy = process_destroy,
};

/* --- the table --- */

static void table_insert(struct process *p)
{
    uint32_t slot = p->pid % HASH_SIZE;

    p->hash_next = table.hash[slot];
    table.hash[slot] = p;
    p->next = NULL;
    p->prev = table.last;
    *table.last = p;
    table.last = &p->next;
    table.count++;
}

static void table_remove(struct process *p)
{
    struct process **link = &table.hash[p->pid % HASH_SIZE];

    while (*link != p)
        link = &(*link)->hash_next;
    *link = p->hash_next;
    *p->prev = p->next;
    if (p->next != NULL)
        p->next->prev = p->prev;
    else
        table.last = p->prev;
    table.count--;
}

struct process *process_find(uint32_t pid)
{
    struct process *p = table.hash[pid % HASH_SIZE];

    while (p != NULL && p->pid != pid)
        p = p->hash_next;
    return p;
}

struct process *process_first(void)
{
    return table.first;
}

uint32_t process_count(void)
{
    return table.count;
}

static uint32_t pid_new(void)
{
    do
        table.last_pid = table.last_pid % 0x7fffffff + 1;
    while (process_find(table.last_pid) != NULL);
    return table.last_pid;
}

static uint32_t *restart_count(const char *name)
{
    for (unsigned i = 0; i < RESTART_NAMES; i++) {
        if (table.restarts[i].name[0] == 0)
            memcpy(table.restarts[i].name, name, SPAWN_NAME_MAX);
        if (strncmp(table.restarts[i].name, name, SPAWN_NAME_MAX) == 0)
            return &table.restarts[i].ends;
    }
    return NULL;
}

/* --- accessors of kernel/process.h --- */

struct process *process_current(void)
{
    struct thread *t = thread_current();
    return t != NULL ? t->process : NULL;
}

uint32_t process_pid(const struct process *p)
{
    return p->pid;
}

const char *process_name(const struct process *p)
{
    return p->name;
}

uint32_t process_parent(const struct process *p)
{
    return p->parent;
}

const char *process_family(const struct process *p)
{
    return p->family;
}

struct address_space *process_as(const struct process *p)
{
    return p->as;
}

const struct sys_rights *process_rights(const struct process *p)
{
    return &p->rights;
}

bool process_restarts(const struct process *p)
{
    return (p->flags & SPAWN_RESTARTS) != 0;
}

void **process_net_slot(struct process *p)
{
    return &p->net;
}

void process_refused(struct process *p, const char *right, uint32_t key)
{
    uint64_t now = now_ns();

    if (p->refusal_bit == key && p->refusal_ns != 0 && now - p->refusal_ns < REFUSAL_QUIET_NS)
        return;
    p->refusal_bit = key;
    p->refusal_ns = now;
    klog(LOG_WARN, "%s[%u]: refused, it lacks the right %s", p->name, p->pid, right);
}

bool process_has(const struct process *p, uint32_t right_bit)
{
    if ((p->rights.bits & right_bit) == right_bit)
        return true;
    process_refused((struct process *)p, right_name(right_bit), right_bit);
    return false;
}

/* What the kernel spends for a process leaves so much less for its own pages. */
void process_limit_space(struct process *p)
{
    if (p->as != NULL)
        vm_set_limit(p->as, p->rights.memory_limit - p->charged_bytes);
}

/* Kernel memory that a process makes the kernel spend counts as its own. The
 * space itself uses some, so what is left of the limit is never 0 (no limit). */
int process_charge(struct process *p, uint64_t bytes)
{
    uint64_t limit = p->rights.memory_limit, used = p->charged_bytes + vm_used_bytes(p->as);

    if (bytes > limit || used > limit - bytes) /* C-MEM-5 */
        return -ENOMEM;
    p->charged_bytes += bytes;
    process_limit_space(p);
    return 0;
}

void process_uncharge(struct process *p, uint64_t bytes)
{
    p->charged_bytes -= bytes;
    process_limit_space(p);
}

/* --- birth --- */

bool process_table_full(uint32_t parent)
{
    return table.count >= PROCESSES_MAX - (parent > 1 ? PROCESSES_RESERVED : 0);
}

/* A server that init starts is the first of its line; what it starts itself
 * belongs to it, whatever it is called and whoever becomes its parent later. */
static void inherit_family(struct process *p, uint32_t parent)
{
    const struct process *from = parent > 1 ? process_find(parent) : NULL;

    p->parent = parent;
    strlcpy(p->family, from != NULL ? from->family : p->name, sizeof p->family);
}

struct process *process_new(const char *name, uint32_t parent, struct address_space *as)
{
    struct process *p;
    uint32_t *ends;

    if (as == NULL)
        return NULL;
    p = process_table_full(parent) ? NULL : kzalloc(sizeof *p);
    if (p == NULL || handles_init(&p->handles) < 0) {
        as_destroy(as);
        kfree(p);
        return NULL;
    }
    p->as = as;
    p->object = (struct object){.kind = OBJ_PROCESS, .refs = 1, .ops = &process_ops};
    p->state = PROC_RUNNING;
    strlcpy(p->name, name, sizeof p->name);
    inherit_family(p, parent);
    p->pid = pid_new();
    p->started_ns = now_ns();
    ends = restart_count(p->name);
    p->restarts = ends != NULL ? *ends : 0;
    signal_process_init(p);
    table_insert(p);
    return p;
}

static void release(struct process *p)
{
    trace_leave(p);
    struct address_space *as = p->as;

    handles_close_all(p); /* C-PROC-2, C-CALL-1 */
    p->as = NULL; /* as_destroy lets others run */
    as_destroy(as);
}

void process_abandon(struct process *p)
{
    table_remove(p);
    release(p);
    object_unref(&p->object);
}

/* --- death --- */

void process_end_threads(struct process *p, const struct thread *except)
{
    for (struct thread *t = p->threads; t != NULL; t = t->sibling) {
        if (t == except)
            continue;
        t->dying = true;
        thread_set_base(t, PRIO_MAX); /* ends soon, whatever else runs */
        thread_kick(t);
    }
}

void process_end(struct process *p, unsigned state, int32_t status)
{
    if (p->dying)
        return;
    p->dying = true;
    p->end_state = state;
    p->status = status;
    process_end_threads(p, NULL);
}

static void tell_end(const struct process *p)
{
    switch (p->end_state) {
    case PROC_EXITED:
        klog(p->status == 0 ? LOG_DEBUG : LOG_WARN, "%s[%u]: exited with status %d", p->name, p->pid,
             p->status);
        break;
    case PROC_KILLED:
        klog(LOG_WARN, "%s[%u]: killed by signal %d", p->name, p->pid, p->status);
        break;
    default: /* crash.c has written its line */
        break;
    }
}

void process_finish(struct process *p)
{
    if (!p->dying)
        p->end_state = PROC_EXITED; /* its last thread left */
    p->dying = true;
    table_remove(p);
    release(p);
    for (struct process *c = table.first; c != NULL; c = c->next)
        if (c->parent == p->pid)
            c->parent = 1;
    if (process_restarts(p)) {
        uint32_t *ends = restart_count(p->name);
        if (ends != NULL)
            (*ends)++;
    }
    tell_end(p);
    if (p->pid == 1)
        panic("the first process ended");
    p->state = p->end_state;
    waitq_wake(&p->wq);
    signal_ended(p);
    object_unref(&p->object);
}

void process_exit(int status)
{
    process_end(process_current(), PROC_EXITED, status);
    thread_leave();
}
