/* SPDX-License-Identifier: MIT
 *
 * libc/net.c: a protocol stack over a net endpoint, and how threads share it.
 *
 * Owns: the first context; netthread.c makes others. See libc/net.h for the way
 * calls use them.
 */
#include "net.h"
#include "netenv.h"
#include "tcb.h"
#include <errno.h>
#include <string.h>

#define RX_BYTES       (128u * 1024)
#define TX_ENTRIES     256u
#define ARENA_BYTES    (256u * 1024)
#define RUN_BUDGET     64

#pragma weak __libc_lot_forked
#pragma weak __libc_net_threads_forked
void __libc_net_helper_forked(void);
void __libc_lot_forked(void);
void __libc_net_threads_forked(void);

struct net_ctx __net_first = {.handle = -1};
static struct slipway_net_setup setup;

/* --- what libnet asks for --- */

static uint64_t env_now(void *ctx)
{
    return __libc_now(&((struct net_ctx *)ctx)->now);
}

/* libnet calls this after each batch and when the ring is full. Only the second
 * is urgent: net_leave and wait() see to the first. */
static void env_kick(void *ctx)
{
    const struct net_ctx *c = ctx;
    uint32_t tail = __atomic_load_n(&c->ring->tx_tail, __ATOMIC_ACQUIRE);
    if (c->ring->tx_head - tail >= c->ring->tx_entries / 2)
        sys_net_kick(c->handle);
}

/* A port goes back to the kernel: what was sent from it must leave before. */
static void env_flush(void *ctx)
{
    sys_net_kick(((struct net_ctx *)ctx)->handle);
}

static void env_changed(void *ctx, void *user)
{
    struct file *f = user;
    if (__libc_several)
        __net_changed(ctx, f);
    if (__epoll_changed != NULL && (f == NULL || f->watchers != NULL))
        __epoll_changed(f);
}

static void *env_arena_more(void *ctx)
{
    int64_t at = sys_net_grow(((struct net_ctx *)ctx)->handle);

    return at < 0 ? NULL : (void *)(uintptr_t)at;
}

static int env_port_register(void *ctx, struct net_port_op *op)
{
    op->endpoint = ((struct net_ctx *)ctx)->handle;
    return sys_port_register(op);
}

static int env_port_unregister(void *ctx, const struct net_port_op *op)
{
    struct net_port_op mine = *op;
    mine.endpoint = ((struct net_ctx *)ctx)->handle;
    return sys_port_unregister(&mine);
}

/* --- making it --- */

int slipway_net_setup(const struct slipway_net_setup *s)
{
    struct net_ctx *c = net_here();
    libc_lock_take(&c->lock);
    int r = c->ns != NULL ? -EBUSY : 0;
    if (r == 0)
        setup = *s;
    libc_lock_drop(&c->lock);
    return (int)__libc_result(r);
}

int net_ctx_start(struct net_ctx *c)
{
    const struct slipway_net_setup *u = &setup;
    struct sys_net_open o = {
        .rx_bytes = u->rx_bytes ? u->rx_bytes : RX_BYTES,
        .tx_entries = u->tx_entries ? u->tx_entries : TX_ENTRIES,
        .arena_bytes = u->arena_bytes ? u->arena_bytes : ARENA_BYTES,
    };
    struct ns_env env;
    struct ns_config cfg = {
        .sockets_max = u->sockets_max ? u->sockets_max : FD_MAX, /* the manifest's memory limit comes first */
        .tcp_sndbuf = u->tcp_sndbuf,
        .tcp_rcvbuf = u->tcp_rcvbuf,
        .udp_rcvbuf = u->udp_rcvbuf,
        .time_wait_ms = u->time_wait_ms,
    };

    int handle = sys_net_open(&o);
    if (handle < 0)
        return handle;
    c->handle = handle;
    c->ring = (struct net_ring *)(uintptr_t)o.base;
    net_env_fill(&env, c);
    env.now_ns = env_now; /* of this stack alone: it never steps back */
    env.kick = env_kick;
    env.flush = env_flush;
    env.changed = env_changed;
    env.arena_more = env_arena_more;
    env.port_register = env_port_register;
    env.port_unregister = env_port_unregister;
    int r = netstack_create(&c->ns, &env, &cfg, c->ring);
    if (r < 0) {
        c->ns = NULL;
        c->handle = -1;
        sys_handle_close(handle);
    }
    return r;
}

int net_start(void)
{
    struct net_ctx *c = net_here();
    libc_lock_take(&c->lock);
    int r = c->ns != NULL ? 0 : net_ctx_start(c);
    libc_lock_drop(&c->lock);
    return r;
}

/* --- lock, run, transmit --- */

void net_flush_in(const struct net_ctx *c)
{
    if (c->ring->tx_head != __atomic_load_n(&c->ring->tx_tail, __ATOMIC_ACQUIRE))
        sys_net_kick(c->handle);
}

void net_flush(void)
{
    net_flush_in(net_here());
}

/* Nothing has come in, nothing has completed, no timer is set: then libnet need
 * not look at the clock either. */
static bool nothing_new(const struct net_ctx *c)
{
    return __atomic_load_n(&c->ring->rx_head, __ATOMIC_ACQUIRE) == c->ring->rx_tail &&
           __atomic_load_n(&c->ring->cq_head, __ATOMIC_ACQUIRE) == c->ring->cq_tail &&
           netstack_deadline(c->ns) == SYS_NO_DEADLINE;
}

void net_run_in(struct net_ctx *c)
{
    if (!nothing_new(c))
        netstack_run(c->ns, RUN_BUDGET);
}

uint64_t net_deadline_in(int64_t ms)
{
    return ms < 0 ? SYS_NO_DEADLINE : sys_now_ns() + (uint64_t)ms * 1000000;
}

void slipway_net_cork(int on)
{
    struct net_ctx *c = net_here();
    net_enter_in(c);
    c->cork = on != 0;
    net_leave_in(c);
}

/* A fork copies no half-made change. The helper may be in the first context. */
void __libc_net_forking(bool now)
{
    if (now)
        libc_lock_take(&__net_first.lock);
    else
        libc_lock_drop(&__net_first.lock);
}

/* In the child of a fork: stacks and rings are the parent's, and nothing here may
 * touch them. It begins without any. */
void __libc_net_forked(void)
{
    __net_first = (struct net_ctx){.handle = -1};
    tcb_self()->net = &__net_first;
    __libc_net_helper_forked();
    if (__epoll_forked != NULL)
        __epoll_forked();
    if (__libc_net_threads_forked != NULL)
        __libc_net_threads_forked();
    if (__libc_lot_forked != NULL)
        __libc_lot_forked();
}
