/* SPDX-License-Identifier: MIT
 *
 * libc/sockmove.c: a socket leaves for another process, or comes from one
 * (slipway/handover.h).
 *
 * Owns: the lot, a net endpoint whose ring nobody reads: packets for what has
 * left gather there until the taker fetches them. Context: any thread. Locks: the
 * socket's context; lot_lock inside it.
 */
#include "net.h"
#include <errno.h>
#include <slipway/handover.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAGE       4096u
#define RECORD_MAX (64u << 20)

#define OFFERS    64
#define OFFER_NS  (10ull * 1000000000)

static libc_lock lot_lock;
static int lot = -1;
static struct {
    uint64_t since_ns;
    uint32_t id; /* 0: free */
    bool is_flow;
} offers[OFFERS];
static unsigned next_offer;

/* What nobody has come for (its taker died) is given up when others leave: the
 * peer's next segment then finds nobody and is told so. For one that was taken
 * this does nothing: it is not ours any more. */
static void forget_stale(uint64_t now)
{
    for (unsigned i = 0; i < OFFERS; i++) {
        if (offers[i].id == 0 || now - offers[i].since_ns < OFFER_NS)
            continue;
        struct net_port_op op = {.endpoint = -1, .is_flow = offers[i].is_flow, .id = offers[i].id};
        sys_port_unregister(&op);
        offers[i].id = 0;
    }
}

/* It came back to this process, under the same id. */
static void came_back(uint32_t id)
{
    libc_lock_take(&lot_lock);
    for (unsigned i = 0; i < OFFERS; i++)
        if (offers[i].id == id)
            offers[i].id = 0;
    libc_lock_drop(&lot_lock);
}

static void remember(const struct net_port_op *op)
{
    uint64_t now = sys_now_ns();

    libc_lock_take(&lot_lock);
    forget_stale(now);
    offers[next_offer].since_ns = now;
    offers[next_offer].is_flow = op->is_flow != 0;
    offers[next_offer].id = op->id;
    next_offer = (next_offer + 1) % OFFERS;
    libc_lock_drop(&lot_lock);
}

static int lot_open(void)
{
    struct sys_net_open o = {.tx_entries = 0};

    libc_lock_take(&lot_lock);
    if (lot < 0)
        lot = sys_net_open(&o);
    int r = lot;
    libc_lock_drop(&lot_lock);
    return r;
}

/* --- out --- */

/* Its packets go to the lot from here on, those that wait in our ring, too. */
static int park(const struct sock_file *s, struct net_port_op *op)
{
    op->endpoint = lot_open();
    if (op->endpoint < 0)
        return op->endpoint;
    sys_net_kick(s->ctx->handle); /* what was sent before goes out before */
    int r = sys_port_transfer(op);
    if (r < 0)
        return r;
    op->flags = PORT_OFFER;
    r = sys_port_register(op);
    if (r == 0)
        remember(op);
    return r;
}

/* It stays after all. */
static void unpark(const struct sock_file *s, struct net_port_op *op)
{
    op->flags = 0;
    op->endpoint = s->ctx->handle;
    sys_port_transfer(op);
}

/* The one that a socket of both families has beside its IPv6 port. */
static int park4(const struct sock_file *s, const struct handover *h, const struct net_port_op *op,
                 struct net_port_op *op4)
{
    *op4 = (struct net_port_op){.target_pid = op->target_pid};
    if (!(h->flags & HANDOVERF_DUAL))
        return 0;
    op4->key = (struct net_port_key){.family = NET_INET, .proto = op->key.proto, .link = LINK_ANY,
                                     .port_lo = h->lport, .port_hi = h->lport};
    return park(s, op4);
}

/* The context's lock is held. */
static int64_t export_locked(struct sock_file *s, void *buf, size_t room)
{
    struct net_port_op op, op4;
    struct handover *h = buf;
    int64_t n = s->s == NULL ? -EBADF : ns_export(s->s, buf, room);
    int r;

    if (n < 0 || (uint64_t)n > room)
        return n;
    __libc_handover_name(h, &op);
    r = park(s, &op);
    if (r < 0)
        return r;
    r = park4(s, h, &op, &op4);
    n = r < 0 ? r : ns_export(s->s, buf, room);
    if (n < 0 || (uint64_t)n > room) {
        unpark(s, &op);
        if (r == 0 && op4.id != 0)
            unpark(s, &op4);
        return n;
    }
    h->registry_id4 = op4.id;
    memcpy(h->token4, op4.secret, sizeof h->token4);
    h->registry_id = op.id;
    h->is_flow = op.is_flow;
    memcpy(h->token, op.secret, sizeof h->token);
    ns_forget(s->s);
    s->s = NULL;
    net_dismiss(s);
    return n;
}

ssize_t slipway_socket_export(int fd, void *buf, size_t bytes)
{
    struct sock_file *s = sock_get(fd);
    if (s == NULL)
        return -1;
    net_enter_in(s->ctx);
    int64_t n = ((uintptr_t)buf & 7) != 0 ? -EINVAL : export_locked(s, buf, bytes);
    net_leave_in(s->ctx);
    sock_put(s);
    if (n >= 0 && (uint64_t)n <= bytes)
        close(fd);
    return (ssize_t)__libc_result(n);
}

/* --- in --- */

/* The second port of a socket of both families. */
static int take4(struct net_ctx *c, const struct handover *h)
{
    struct net_port_op op = {.endpoint = c->handle, .flags = PORT_TAKE, .id = h->registry_id4};

    if (h->registry_id4 == 0)
        return 0;
    memcpy(op.secret, h->token4, sizeof op.secret);
    int r = sys_port_transfer(&op);
    if (r == 0)
        came_back(h->registry_id4);
    return r;
}

static void give_up(uint32_t id, bool is_flow) /* the peer hears that nobody is here */
{
    struct net_port_op op = {.endpoint = -1, .is_flow = is_flow, .id = id};

    if (id != 0)
        sys_port_unregister(&op);
}

static int import_locked(struct net_ctx *c, const struct handover *h, size_t bytes, struct nsock **n)
{
    struct net_port_op op = {
        .endpoint = c->handle, .flags = PORT_TAKE, .is_flow = h->is_flow, .id = h->registry_id};
    int r;

    memcpy(op.secret, h->token, sizeof op.secret);
    r = h->registry_id != 0 ? sys_port_transfer(&op) : 0;
    if (r < 0)
        return r;
    came_back(h->registry_id);
    r = take4(c, h);
    if (r == 0)
        r = ns_import(c->ns, h, bytes, h->registry_id != 0 ? &op : NULL, n);
    if (r < 0) {
        give_up(h->registry_id, h->is_flow != 0);
        give_up(h->registry_id4, false);
    }
    if (r == 0)
        net_run_in(c); /* what came along */
    return r == 0 && *n == NULL ? -ECONNABORTED : r;
}

static int import(const void *buf, size_t bytes, int flags, struct sock_file **out)
{
    const struct handover *h = buf;
    struct net_ctx *c = net_here();
    struct nsock *n = NULL;
    int r;

    *out = NULL;
    if (((uintptr_t)buf & 7) != 0 || bytes < sizeof *h)
        return -EINVAL;
    r = net_start();
    if (r < 0)
        return r;
    bool udp = h->kind == HANDOVER_UDP;
    net_enter_in(c);
    r = import_locked(c, h, bytes, &n);
    if (r == 0 && (*out = sock_wrap(c, n, udp ? SOCK_DGRAM : SOCK_STREAM, udp ? IPPROTO_UDP : IPPROTO_TCP,
                                    flags)) == NULL) {
        ns_close(n);
        r = -ENOMEM;
    }
    net_leave_in(c);
    return r;
}

static int install(struct sock_file *s)
{
    int fd = fd_install(&s->f, 0);
    if (fd < 0)
        fd_put(&s->f);
    return fd;
}

int slipway_socket_import(const void *buf, size_t bytes)
{
    struct sock_file *s;
    int r = import(buf, bytes, 0, &s);

    return (int)__libc_result(r < 0 ? r : install(s));
}

/* --- in a memory object, which spawn can pass on --- */

int __libc_socket_pack(struct file *f)
{
    struct sock_file *s = (struct sock_file *)f;
    int64_t n, at = -ENOMEM;
    int handle = -EBADF;

    net_enter_in(s->ctx);
    n = s->s == NULL ? -EBADF : ns_export(s->s, NULL, 0);
    if (n >= 0)
        handle = sys_memobj_create((uint64_t)n);
    if (n >= 0 && handle >= 0)
        at = sys_memobj_map(handle, 0, 0, (uint64_t)n, PROT_R | PROT_W);
    int64_t r = n < 0 ? n : handle < 0 ? handle : at < 0 ? at : export_locked(s, (void *)at, (size_t)n);
    if (r > n) /* it cannot have grown: the lock was ours */
        r = -EAGAIN;
    net_leave_in(s->ctx);
    if (at >= 0)
        sys_mem_unmap((uint64_t)at, ((uint64_t)n + PAGE - 1) & ~(uint64_t)(PAGE - 1));
    if (r < 0 && handle >= 0)
        sys_handle_close(handle);
    return r < 0 ? (int)r : handle;
}

int __libc_socket_unpack(int handle, int flags, struct file **out)
{
    struct sock_file *s = NULL;
    int64_t at = sys_memobj_map(handle, 0, 0, PAGE, PROT_R);
    uint64_t bytes = 0;
    int r = at < 0 ? (int)at : 0;

    if (at >= 0) {
        bytes = ((const struct handover *)at)->bytes;
        sys_mem_unmap((uint64_t)at, PAGE);
        at = bytes <= RECORD_MAX ? sys_memobj_map(handle, 0, 0, bytes, PROT_R) : -EINVAL;
        r = at < 0 ? (int)at : import((const void *)at, bytes, flags, &s);
        if (at >= 0)
            sys_mem_unmap((uint64_t)at, (bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1));
    }
    *out = s != NULL ? &s->f : NULL;
    return r;
}

void __libc_socket_restore(struct file *f, int handle)
{
    struct sock_file *s = (struct sock_file *)f, *t;
    struct file *back;

    if (__libc_socket_unpack(handle, 0, &back) == 0) {
        t = (struct sock_file *)back;
        s->s = t->s;
        s->ctx = t->ctx;
        ns_set_user(s->s, s);
        if (f->watchers != NULL)
            ns_watch(s->s);
        t->s = NULL;
        fd_put(back);
    }
    sys_handle_close(handle);
}

int slipway_socket_pack(int fd)
{
    struct sock_file *s = sock_get(fd);
    if (s == NULL)
        return -1;
    int r = __libc_socket_pack(&s->f);
    sock_put(s);
    if (r >= 0)
        close(fd);
    return (int)__libc_result(r);
}

int slipway_socket_unpack(int handle)
{
    struct file *f;
    int r = __libc_socket_unpack(handle, 0, &f);

    if (r == 0) {
        sys_handle_close(handle);
        r = install((struct sock_file *)f);
    }
    return (int)__libc_result(r);
}

int posix_spawn_file_actions_addsocket_np(posix_spawn_file_actions_t *fa, int from, int fd)
{
    return __libc_spawn_addsocket(fa, from, fd);
}

/* The table of descriptors is made when it is first looked at. */
void slipway_inherit_sockets(void)
{
    fd_lock_take();
    fd_lock_drop();
}

/* The lot is the parent's (fork). */
void __libc_lot_forked(void)
{
    lot = -1;
    lot_lock = 0;
    memset(offers, 0, sizeof offers);
}
