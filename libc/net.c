/* SPDX-License-Identifier: MIT
 *
 * libc/net.c: the process's protocol stack over its net endpoint.
 *
 * Owns: np (below). See libc/net.h for the way calls use it.
 */
#include "net.h"
#include "tcb.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RX_BYTES       (128u * 1024)
#define TX_ENTRIES     256u
#define ARENA_BYTES    (256u * 1024)
#define RUN_BUDGET     64
#define EXIT_LINGER_MS 5000

static struct {
    libc_lock lock;
    int handle;
    struct netstack *ns; /* NULL until the first socket */
    struct net_ring *ring;
    bool cork;
    uint32_t sleepers;    /* threads in net_sleep */
    uint32_t word;        /* futex: changes when a sleeper should look again */
    uint64_t gen_told;    /* ns_generation when sleepers were last woken */
    uint64_t sleep_until; /* earliest deadline a sleeper asked the kernel for */
    struct now_state now; /* the stack's clock */
    struct slipway_net_setup setup;
} np = {.handle = -1};

/* --- what libnet asks for --- */

static uint64_t env_now(void *ctx)
{
    (void)ctx;
    return __libc_now(&np.now);
}

static void env_random(void *ctx, void *buf, size_t bytes)
{
    (void)ctx;
    sys_random(buf, bytes, 0);
}

static void *env_alloc(void *ctx, size_t bytes)
{
    (void)ctx;
    return calloc(1, bytes);
}

static void env_free(void *ctx, void *p)
{
    (void)ctx;
    free(p);
}

/* libnet calls this after each batch and when the ring is full. Only the second
 * is urgent: net_leave and wait() see to the first. */
static void env_kick(void *ctx)
{
    (void)ctx;
    uint32_t tail = __atomic_load_n(&np.ring->tx_tail, __ATOMIC_ACQUIRE);
    if (np.ring->tx_head - tail >= np.ring->tx_entries / 2)
        sys_net_kick(np.handle);
}

/* A port goes back to the kernel: what was sent from it must leave before. */
static void env_flush(void *ctx)
{
    (void)ctx;
    sys_net_kick(np.handle);
}

static int env_port_register(void *ctx, struct net_port_op *op)
{
    (void)ctx;
    op->endpoint = np.handle;
    return sys_port_register(op);
}

static int env_port_unregister(void *ctx, const struct net_port_op *op)
{
    struct net_port_op mine = *op;
    (void)ctx;
    mine.endpoint = np.handle;
    return sys_port_unregister(&mine);
}

static int env_route(void *ctx, struct net_route_info *io)
{
    (void)ctx;
    int64_t r = sys_net_info(NETINFO_LOOKUP, 0, io, sizeof *io);
    return r < 0 ? (int)r : 0;
}

/* --- making it --- */

int slipway_net_setup(const struct slipway_net_setup *s)
{
    libc_lock_take(&np.lock);
    int r = np.ns != NULL ? -EBUSY : 0;
    if (r == 0)
        np.setup = *s;
    libc_lock_drop(&np.lock);
    return (int)__libc_result(r);
}

static int start_locked(void)
{
    const struct slipway_net_setup *u = &np.setup;
    struct sys_net_open o = {
        .rx_bytes = u->rx_bytes ? u->rx_bytes : RX_BYTES,
        .tx_entries = u->tx_entries ? u->tx_entries : TX_ENTRIES,
        .arena_bytes = u->arena_bytes ? u->arena_bytes : ARENA_BYTES,
    };
    struct ns_env env = {
        .now_ns = env_now,
        .random = env_random,
        .alloc = env_alloc,
        .free = env_free,
        .kick = env_kick,
        .flush = env_flush,
        .port_register = env_port_register,
        .port_unregister = env_port_unregister,
        .route = env_route,
    };
    struct ns_config cfg = {
        .sockets_max = u->sockets_max,
        .tcp_sndbuf = u->tcp_sndbuf,
        .tcp_rcvbuf = u->tcp_rcvbuf,
        .udp_rcvbuf = u->udp_rcvbuf,
        .time_wait_ms = u->time_wait_ms,
    };

    int handle = sys_net_open(&o);
    if (handle < 0)
        return handle;
    np.handle = handle;
    np.ring = (struct net_ring *)(uintptr_t)o.base;
    int r = netstack_create(&np.ns, &env, &cfg, np.ring);
    if (r < 0) {
        np.ns = NULL;
        np.handle = -1;
        sys_handle_close(handle);
    }
    return r;
}

int net_start(void)
{
    libc_lock_take(&np.lock);
    int r = np.ns != NULL ? 0 : start_locked();
    libc_lock_drop(&np.lock);
    return r;
}

struct netstack *net_stack(void)
{
    return np.ns;
}

/* --- lock, run, transmit --- */

void net_enter(void)
{
    libc_lock_take(&np.lock);
}

void net_flush(void)
{
    if (np.ring->tx_head != __atomic_load_n(&np.ring->tx_tail, __ATOMIC_ACQUIRE))
        sys_net_kick(np.handle);
}

bool net_corked(void)
{
    return np.cork;
}

/* Other threads may sleep for what this one has just taken in, or for a time
 * later than the stack's next timer. */
static void tell_sleepers(void)
{
    uint64_t gen = ns_generation(np.ns);
    if (gen == np.gen_told && netstack_deadline(np.ns) >= np.sleep_until)
        return;
    np.gen_told = gen;
    np.sleep_until = SYS_NO_DEADLINE;
    __atomic_add_fetch(&np.word, 1, __ATOMIC_RELEASE);
    sys_futex_wake(&np.word, np.sleepers);
}

void net_leave(void)
{
    if (!np.cork && np.ns != NULL)
        net_flush();
    if (np.sleepers > 0)
        tell_sleepers();
    libc_lock_drop(&np.lock);
}

/* Nothing has come in, nothing has completed, no timer is set: then libnet need
 * not look at the clock either. */
static bool nothing_new(void)
{
    return __atomic_load_n(&np.ring->rx_head, __ATOMIC_ACQUIRE) == np.ring->rx_tail &&
           __atomic_load_n(&np.ring->cq_head, __ATOMIC_ACQUIRE) == np.ring->cq_tail &&
           netstack_deadline(np.ns) == SYS_NO_DEADLINE;
}

void net_run(void)
{
    if (!nothing_new())
        netstack_run(np.ns, RUN_BUDGET);
}

int net_sleep(struct wait_item *items, unsigned n, uint64_t deadline_ns)
{
    uint64_t until = netstack_deadline(np.ns);
    if (deadline_ns < until)
        until = deadline_ns;

    items[n] = (struct wait_item){.kind = WAIT_HANDLE, .handle = np.handle, .want = READY_IN};
    n++;
    if (__libc_threaded) {
        if (np.sleepers > 0)
            tell_sleepers();
        else
            np.gen_told = ns_generation(np.ns);
        if (np.sleepers == 0 || until < np.sleep_until)
            np.sleep_until = until;
        items[n] = (struct wait_item){
            .kind = WAIT_FUTEX, .handle = -1, .addr = (uint64_t)(uintptr_t)&np.word, .value = np.word};
        n++;
    }
    np.sleepers++;
    libc_lock_drop(&np.lock);
    int r = sys_wait(items, n, until);
    libc_lock_take(&np.lock);
    np.sleepers--;
    if (until <= np.sleep_until) /* the others' are unknown now: wake them for any */
        np.sleep_until = SYS_NO_DEADLINE;
    if (r == -ETIMEDOUT && np.now.floor < until) /* so late it is: what is due then must not wait on */
        np.now.floor = until;
    net_run();
    if (r < 0 && r != -ETIMEDOUT && r != -EAGAIN)
        return r;
    return r < 0 && deadline_ns != SYS_NO_DEADLINE && __libc_now(&np.now) >= deadline_ns ? -ETIMEDOUT : 0;
}

uint64_t net_deadline_in(int64_t ms)
{
    return ms < 0 ? SYS_NO_DEADLINE : sys_now_ns() + (uint64_t)ms * 1000000;
}

void slipway_net_cork(int on)
{
    net_enter();
    np.cork = on != 0;
    net_leave();
}

/* --- the end --- */

void __libc_net_exit(void)
{
    struct wait_item items[NET_SLEEP_ITEMS];

    if (np.ns == NULL)
        return;
    fd_close_all(FILE_SOCKET);
    net_enter();
    np.cork = false;
    uint64_t deadline = net_deadline_in(EXIT_LINGER_MS);
    while (netstack_lingering(np.ns) > 0)
        if (net_sleep(items, 0, deadline) != 0)
            break;
    net_leave();
}
