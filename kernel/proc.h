/* SPDX-License-Identifier: MIT
 *
 * kernel/proc.h: the structures of threads, processes and endpoints.
 *
 * Owns: their layout. Private to the files that implement them (thread.c,
 * process.c, spawn.c, handle.c, message.c, wait.c, names.c, crash.c, info.c and
 * the system calls); everybody else uses kernel/thread.h and kernel/process.h.
 */
#ifndef KERNEL_PROC_H
#define KERNEL_PROC_H

#include <kernel/cpu.h>
#include <kernel/mem.h>
#include <kernel/names.h>
#include <kernel/process.h>
#include <kernel/signal.h>
#include <kernel/thread.h>
#include <kernel/time.h>

#define PRIO_COUNT 16u
#define SLICE_NS (5 * NS_PER_MS)
#define THREADS_MAX 1024u /* in the whole system */
#define PROCESS_THREADS_MAX 64u
#define THREAD_CHARGE_BYTES (KSTACK_SIZE + 4096u) /* stack, registers, structure */
#define PROCESSES_MAX 256u
#define PROCESSES_RESERVED 16u /* of these, for what the first process starts */
#define HANDLES_MAX 2048u
#define HANDLE_INDEX_BITS 11
#define ENDPOINT_DEPTH_MAX 256u
#define USER_STACK_BYTES (256u * 1024)
#define MEMORY_LIMIT_DEFAULT (16ull << 20)
#define LEND_DEPTH_MAX 8 /* links of a chain of calls that lend priority */

struct endpoint;
struct mem_object;

enum thread_state { THREAD_RUNNING, THREAD_READY, THREAD_BLOCKED, THREAD_DEAD };

/* A call that waits for its reply. Lives in the calling thread, which has at
 * most one. */
struct call {
    uint64_t token;              /* 0: none outstanding */
    struct endpoint *endpoint;   /* NULL once answered or failed */
    struct call *next, **prev;   /* on the endpoint's list of open calls */
    struct thread *server;       /* borrows this thread's priority */
    struct call *lend_next, **lend_prev; /* on server->lenders */
    struct thread *caller;
    int32_t result;              /* 0, or -EPEER */
    struct object *reply_object; /* reference that came with the reply; valid when result is 0 */
    struct sys_msg reply;
};

struct thread {
    uint64_t rsp; /* offset 0: switch.S */
    void *kstack_top;
    struct process *process; /* NULL: kernel thread */
    struct thread *run_next, *run_prev;
    uint8_t state;    /* enum thread_state */
    uint8_t base;     /* own priority */
    uint8_t priority; /* with what was lent */
    bool woken;       /* wake-up that came before the block */
    bool timed_out;
    bool dying;       /* its process ends */
    bool giving_way;  /* about to block: whom it wakes takes its place on this CPU */
    uint8_t boost;    /* priority for one slice after waiting too long; 0: none */
    uint32_t id, index;
    uint32_t cpu;      /* runs there, waits in that queue, or did so last */
    uint32_t fpu_cpu;  /* whose FPU may still hold its registers */
    uint64_t affinity; /* mask of CPUs */
    uint64_t fs_base;
    void *fpu, *fpu_memory;
    struct timer timer;
    uint64_t cycles; /* TSC time spent running */
    uint64_t call_sequence;
    struct call call;
    struct call *lenders;
    struct thread_signals signals;
    struct thread *sibling; /* next thread of the process */
    struct trap_frame *start; /* registers of a new user thread */
    void (*fn)(void *);
    void *arg;
    const char *name; /* kernel threads */
};

struct handle_slot {
    struct object *object;
    uint32_t generation;
    int32_t next_free;
};

struct handle_table {
    struct handle_slot *slots;
    uint32_t size, used;
    int32_t free; /* head of the free list, -1: none */
};

struct process {
    struct object object; /* what a process handle refers to */
    uint32_t pid, parent;
    char name[SPAWN_NAME_MAX];
    char family[SPAWN_NAME_MAX]; /* the manifest line that it descends from */
    char path[SPAWN_PATH_MAX];
    bool dying;     /* threads are on their way out */
    uint32_t state; /* enum sys_proc_state, as handles see it */
    uint32_t end_state;
    int32_t status;
    uint64_t fault_ip, fault_addr;
    char *report; /* FAULT_LINES bytes after a fault */
    struct address_space *as;
    uint64_t bias; /* load address of the image */
    uint64_t started_ns, dead_cycles, cycles_hz;
    struct thread *threads;
    uint32_t nthreads;
    struct thread *alone; /* waits in exec to be the last one */
    uint32_t flags, priority, restarts;
    struct handle_table handles;
    struct sys_rights rights;
    uint64_t charged_bytes; /* kernel memory on its behalf */
    uint64_t refusal_ns;
    uint32_t refusal_bit;
    struct waitq wq; /* its end */
    struct trace *trace, *trace_next; /* who watches it; who is to watch its next child */
    struct process_signals signals;
    void *net;
    struct process *hash_next;
    struct process *next, **prev; /* all living processes, oldest first */
};

struct queued_message {
    struct sys_msg m;      /* as it came, with sender_pid and token filled in */
    struct object *object; /* passed along, a reference */
    bool cancelled;
    uint64_t pad[2];       /* a power of two is found by a shift */
};
_Static_assert(sizeof(struct queued_message) == 128, "queued_message is 128 bytes");

struct endpoint {
    struct object owner; /* OBJ_ENDPOINT: may receive */
    struct object peer;  /* OBJ_PEER: may send */
    struct process *process; /* the owner, NULL when dead */
    uint32_t depth, head, count;
    uint32_t cancelled; /* queued messages whose caller has given up */
    uint64_t bits;
    uint32_t receiver_id, receiver_index; /* thread that received last */
    struct waitq readers, senders;
    struct call *calls;
    bool named;
    uint32_t watching; /* names, for the owner */
    struct sys_msg notice; /* what recv gives when there are only bits */
    struct queued_message queue[];
};

/* A handle to a memory object. */
struct mem_object {
    struct object object;
    struct memobj *memory;
    bool writable;
};

/* It has something to do before it goes on in ring 3, and does not block. */
static inline bool thread_interrupted(const struct thread *t)
{
    return t->dying || t->signals.due;
}

/* thread_current(), process_current() without the call. */
static inline struct thread *self_thread(void)
{
    struct thread *t;
    __asm__ volatile("movq %%gs:24, %0" : "=r"(t));
    return t;
}
static inline struct process *self_process(void)
{
    return self_thread()->process;
}

/* --- thread.c, sched.c --- */
struct thread *thread_new(struct process *p, unsigned priority);
void thread_start(struct thread *t);
/* New user thread, ready to run. Its id, or a negative errno. */
int64_t thread_new_user(struct process *p, uint64_t ip, uint64_t sp, uint64_t arg, uint64_t fs,
                        unsigned priority);
void thread_leave(void) __attribute__((noreturn));
void thread_set_base(struct thread *t, unsigned priority);
void thread_recompute_priority(struct thread *t);
extern struct thread *thread_table[THREADS_MAX]; /* by struct thread.index */
uint64_t cycles_to_ns(uint64_t cycles);
uint64_t sched_idle_cycles(uint32_t cpu);
void thread_kick(struct thread *t); /* something waits for it on its way to ring 3; a blocked one wakes */
uint32_t sched_thread_count(void);
uint64_t thread_cycles(const struct thread *t);

/* --- process.c --- */
/* Takes over `as`. NULL when that is NULL or memory or the table is out. The last
 * slots of the table are for children of the first process. */
struct process *process_new(const char *name, uint32_t parent, struct address_space *as);
bool process_table_full(uint32_t parent);
/* The limit of p->as is what the kernel's spending for p leaves. */
void process_limit_space(struct process *p);
void process_abandon(struct process *p); /* a new one that never ran */
void process_end(struct process *p, unsigned state, int32_t status);
/* Every thread but one leaves at the next chance. */
void process_end_threads(struct process *p, const struct thread *except);
void process_finish(struct process *p); /* its last thread is leaving */
/* Logs a refusal; the same one (key) at most once a second. */
void process_refused(struct process *p, const char *right, uint32_t key);
int process_charge(struct process *p, uint64_t bytes);
void process_uncharge(struct process *p, uint64_t bytes);
struct process *process_first(void);
uint32_t process_count(void);

/* --- handle.c --- */
int handles_init(struct handle_table *t);
void handles_close_all(struct process *p);
/* Gives up those for which `which` says so. */
void handles_close_some(struct process *p, bool (*which)(const struct object *o));
/* Fills a new process's empty table: the same numbers and generations mean the
 * same objects where `which` says so, and nothing elsewhere. 0 or -ENOMEM. */
int handles_copy(struct process *to, const struct process *from, bool (*which)(const struct object *o));
/* The slot that a handle means; NULL for a bad or stale one. */
static inline struct handle_slot *handle_slot(const struct process *p, int handle)
{
    uint32_t index = (uint32_t)handle & (HANDLES_MAX - 1);
    struct handle_slot *s = &p->handles.slots[index];

    if (index >= p->handles.size || s->generation != (uint32_t)handle >> HANDLE_INDEX_BITS ||
        s->object == NULL)
        return NULL;
    return s;
}
/* Any kind; adds a reference. */
static inline struct object *handle_get_any(const struct process *p, int handle)
{
    struct handle_slot *s = handle_slot(p, handle);

    if (s == NULL)
        return NULL;
    s->object->refs++;
    return s->object;
}

/* --- message.c --- */
void call_forget_server(struct thread *server);

/* --- wait.c --- */
uint32_t futex_wake(uint64_t key, uint32_t n);
uint64_t futex_key(struct process *p, uint64_t addr); /* 0 when the word cannot be read */

/* --- spawn.c, crash.c --- */
void crash_report(struct process *p, const struct trap_frame *f, uint64_t fault_addr);

#endif
