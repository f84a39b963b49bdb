/* SPDX-License-Identifier: MIT
 *
 * kernel/process.h: processes, handles, rights.
 *
 * Owns: the process table, handle tables, exit status and crash reports.
 */
#ifndef KERNEL_PROCESS_H
#define KERNEL_PROCESS_H

#include <kernel/thread.h>
#include <slipway/syscall.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address_space;
struct process;

/* A kernel object behind a handle. Each kind embeds it first. */
enum object_kind {
    OBJ_ENDPOINT = 1, OBJ_PEER, OBJ_MEMOBJ, OBJ_NET, OBJ_PROCESS, OBJ_CONSOLE,
    OBJ_PIPE_READ, OBJ_PIPE_WRITE, OBJ_TRACE,
};
struct object {
    enum object_kind kind;
    uint32_t refs;
    const struct object_ops *ops;
    bool stood_by, called; /* somebody stands by (WAIT_STANDBY); and has been called */
};
struct object_ops {
    uint32_t (*ready)(struct object *o);        /* READY_* now */
    struct waitq *(*waitq)(struct object *o);   /* NULL: cannot be waited for */
    void (*before_wait)(struct object *o);      /* wait() calls it: net endpoints transmit; may be NULL */
    struct waitq *(*standby)(struct object *o); /* of those who stand by (WAIT_STANDBY); may be NULL */
    void (*after_wait)(struct object *o);       /* a wait() is over and somebody stands by */
    void (*destroy)(struct object *o);          /* last reference is gone */
    void (*closed)(struct object *o);           /* a handle to it was given up; may be NULL */
};
static inline void object_ref(struct object *o)
{
    o->refs++;
}
static inline void object_unref(struct object *o)
{
    if (--o->refs == 0 && o->ops->destroy != NULL)
        o->ops->destroy(o);
}

/* Handles: small integers; a generation in the upper bits makes stale ones
 * -EBADF. */
int handle_new(struct process *p, struct object *o); /* takes over a reference; handle or -EMFILE/-ENOMEM */
struct object *handle_get(struct process *p, int handle, enum object_kind kind); /* adds a reference; NULL when bad */
int handle_close(struct process *p, int handle);

struct process *process_current(void);
uint32_t process_pid(const struct process *p);
const char *process_name(const struct process *p);
uint32_t process_parent(const struct process *p);
/* Name of the ancestor that init started (its manifest line), or its own. */
const char *process_family(const struct process *p);
struct address_space *process_as(const struct process *p);
const struct sys_rights *process_rights(const struct process *p);
bool process_has(const struct process *p, uint32_t right_bit); /* logs a refusal with the right's name */
bool process_restarts(const struct process *p);                /* SPAWN_RESTARTS */
struct process *process_find(uint32_t pid);                    /* no reference; NULL when gone */
/* Net core keeps a list of each process's net endpoints here. */
void **process_net_slot(struct process *p);

int process_start_first(const char *path); /* init, with every right */
void process_exit(int status) __attribute__((noreturn));
/* A fault in ring 3: report, end the process. Called by the trap code. */
struct trap_frame;
void process_fault(struct trap_frame *f, uint64_t fault_addr);

#endif
