/* SPDX-License-Identifier: MIT
 *
 * libc/net.h: the protocol stacks of this process, and how calls block on them.
 *
 * Owns: struct net_ctx: a net endpoint, its rings, the netstack and its lock. All
 * threads share the first, but for those that asked for one of their own
 * (slipway_net_thread). A socket belongs to the context that made it; calls on it
 * use that context, whoever makes them, but poll looks only at the sockets of the
 * calling thread's. A blocking call is a loop: net_enter; try; while it would
 * block: net_sleep, try again; net_leave. Context: any thread. No thread holds the
 * locks of two contexts.
 *
 * Transmission: what a call queued lies in the transmit ring. net_leave kicks
 * it, unless the program asked to cork; a wait on the endpoint transmits by
 * itself, so a call that blocks costs no kick.
 */
#ifndef LIBC_NET_H
#define LIBC_NET_H

#include "fd.h"
#include "tcb.h"
#include <net/stack/netstack.h>
#include <netinet/in.h>
#include <poll.h>

struct net_ctx {
    libc_lock lock;
    int handle;
    struct netstack *ns; /* NULL until the first socket */
    struct net_ring *ring;
    bool cork;
    bool idle;            /* its thread has ended */
    /* netwait.c; a program of one thread has no list */
    bool room_came;             /* room to send, for any socket */
    struct net_waiter *sleepers;
    struct net_waiter *leader;  /* waits for the endpoint; NULL: nobody does */
    struct tcb *leading;        /* the thread whose that is */
    struct sock_wait *touched;  /* whose sockets have changed since the lock was taken */
    uint64_t led_until;         /* the deadline that the leader gave the kernel */
    /* nethelper.c */
    bool helped, stand_in;      /* the helper stands by; it leads, because nobody does */
    uint64_t helper_until;      /* the time it sleeps to while it leads */
    unsigned helps;             /* times that it ran the stack */
    struct now_state now; /* the stack's clock */
    struct net_ctx *next; /* from __net_first on; never leaves the list */
};
extern struct net_ctx __net_first;

/* The calling thread's. */
static inline struct net_ctx *net_here(void)
{
    struct net_ctx *c; /* changes only in slipway_net_thread and in a forked child */
    __asm__("movq %%fs:%c1, %0" : "=r"(c) : "i"(offsetof(struct tcb, net)));
    return c;
}

/* Make the calling thread's stack when there is none. 0 or -errno. */
int net_start(void);
int net_ctx_start(struct net_ctx *c); /* lock held */

static inline void net_enter_in(struct net_ctx *c) /* takes the lock */
{
    libc_lock_take(&c->lock);
}
void net_leave_in(struct net_ctx *c); /* transmits, wakes whom it concerns, drops the lock */
void net_run_in(struct net_ctx *c);   /* take in what has arrived, run due timers; lock held */

/* A thread that may sleep for the network; one for each call, however often that
 * sleeps. Of what it holds only `fruitless` needs a value before. */
struct net_waiter {
    struct net_waiter *next, **prev; /* on ctx->sleepers while asleep */
    uint32_t word;                   /* futex: not 0 when it is to look */
    bool asleep;
    bool for_room;  /* it waits to send */
    bool fruitless; /* it led, woke up, and it was for others */
};
/* One socket that it waits for. */
struct sock_wait {
    struct sock_wait *next, **prev; /* on sock_file->waits; prev is NULL once the socket is gone */
    struct sock_wait *touched_next;
    struct sock_file *s;
    struct net_waiter *who;
    unsigned want; /* NS_*; errors always count */
    bool touched;
};
void net_await(struct sock_wait *w, struct net_waiter *who, struct sock_file *s, unsigned want);
void net_await_over(struct net_ctx *c, struct sock_wait *w);
void net_dismiss(struct sock_file *s); /* it closes or moves away */
void net_poke(struct net_waiter *w);   /* for epoll: wake it */
void __net_changed(struct net_ctx *c, struct file *f);

/* Drop the lock, wait for the network, the given items or the deadline, take
 * the lock again and run the stack. `items` has room for two more behind n;
 * those for the network are added there. Of several threads only those wake up
 * that have said what they wait for (net_await). 0, or -ETIMEDOUT once the
 * deadline has passed (its own, not the stack's next timer). */
#define NET_SLEEP_ITEMS 2
int net_sleep_masked(struct net_ctx *c, struct net_waiter *me, struct wait_item *items, unsigned n,
                     uint64_t deadline_ns,
                     const uint32_t *mask); /* signals blocked meanwhile; NULL: as before */
/* The same for one socket; -EBADF when it has moved away meanwhile. */
struct sock_file;
int net_sleep_for(struct sock_file *s, struct net_waiter *me, unsigned want, uint64_t deadline_ns);

/* The helper (nethelper.c). */
void net_helper_start(void); /* no lock is held */
void net_helper_call(void);  /* the stack's deadline has moved nearer than it knows */

/* The same for the calling thread's context. */
static inline void net_enter(void)
{
    net_enter_in(net_here());
}
static inline void net_leave(void)
{
    net_leave_in(net_here());
}
static inline void net_run(void)
{
    net_run_in(net_here());
}
static inline bool net_corked(void)
{
    return net_here()->cork;
}
static inline struct netstack *net_stack(void)
{
    return net_here()->ns;
}
void net_flush(void); /* transmit now; lock held */
void net_flush_in(const struct net_ctx *c);

/* now + ms, or SYS_NO_DEADLINE for a negative ms. */
uint64_t net_deadline_in(int64_t ms);

/* --- a socket as a file (socket.c) --- */
struct sock_file {
    struct file f;
    struct nsock *s; /* NULL: it has moved to another process */
    struct net_ctx *ctx;
    int type;                          /* SOCK_STREAM, SOCK_DGRAM */
    int protocol;                      /* IPPROTO_* */
    uint64_t rcvtimeo_ns, sndtimeo_ns; /* 0: none */
    struct sock_wait *waits;           /* threads that wait for it; the context's lock */
};
extern const struct file_ops __sock_ops;
/* A file for a socket of the context; NULL: no memory. */
struct sock_file *sock_wrap(struct net_ctx *c, struct nsock *n, int type, int protocol, int flags);
unsigned sock_poll_bits(const struct sock_file *s); /* its context's lock is held */
struct sock_file *sock_get(int fd); /* adds a reference; NULL and errno */
static inline void sock_put(struct sock_file *s)
{
    fd_put(&s->f);
}
int sockaddr_in_of(const struct sockaddr *sa, socklen_t len, struct ns_addr *out);
struct handover;
struct net_port_op;
void __libc_handover_name(const struct handover *h, struct net_port_op *op); /* adopt.c: its key in the registry */
/* For spawn (sockmove.c): the socket in a memory object; its descriptors are dead
 * then. A handle, or -errno; 0 or -errno. */
int __libc_socket_pack(struct file *f);
int __libc_socket_unpack(int handle, int flags, struct file **out);
struct __posix_spawn_file_actions;
int __libc_spawn_addsocket(struct __posix_spawn_file_actions **fa, int from, int fd); /* spawn.c */
void __libc_socket_restore(struct file *f, int handle); /* it comes back to its file; closes the handle */
void sockaddr_out(const struct ns_addr *a, struct sockaddr *sa, socklen_t *len);

#endif
