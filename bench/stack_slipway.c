/* SPDX-License-Identifier: MIT
 *
 * bench/stack_slipway.c: libnet under bench/stack, with the kernel's side of its ring
 * played by net/host/kring.c, outside of what is counted.
 */
#include "stack_work.h"
#include <net/host/kring.h>
#include <net/stack/netstack.h>
#include <stdlib.h>
#include <string.h>

static struct kring ring;
static struct netstack *ns;
static struct nsock *listener, *conn;
static uint32_t waiting; /* bytes of a request */

static uint64_t env_now(void *ctx)
{
    (void)ctx;
    return work_now_ns;
}
static void env_random(void *ctx, void *buf, size_t n)
{
    (void)ctx;
    for (uint8_t *p = buf; n-- > 0;)
        *p++ = (uint8_t)rand();
}
static void *env_alloc(void *ctx, size_t n)
{
    (void)ctx;
    return calloc(1, n);
}
static void env_free(void *ctx, void *p)
{
    (void)ctx;
    free(p);
}
static int env_register(void *ctx, struct net_port_op *op)
{
    (void)ctx;
    op->id = 1;
    return 0;
}
static int env_unregister(void *ctx, const struct net_port_op *op)
{
    (void)ctx, (void)op;
    return 0;
}
static int env_route(void *ctx, struct net_route_info *io)
{
    (void)ctx;
    io->src = (struct net_addr){{10, 0, 0, 1}};
    io->gateway = io->dst;
    io->link = 1;
    io->mtu = 1500;
    io->flags = LINKF_UP | LINKF_RUNNING;
    return 0;
}

/* What the stack has put into the ring leaves. */
static void pump(void *ctx)
{
    uint8_t hdr[NET_TX_HDR_MAX];
    struct net_tx tx;

    (void)ctx;
    counted_end();
    while (kring_take(&ring, &tx, hdr) > 0) {
        size_t n = tx.hdr_len;
        for (unsigned i = 0; i < tx.nseg; i++)
            n += tx.seg[i].len;
        work_output(hdr, n);
        kring_done(&ring, &tx, 0);
    }
    counted_begin();
}

static void application(void)
{
    int n;

    if (conn == NULL && ns_accept(listener, &conn, NULL) == 0)
        ns_setopt(conn, NSO_NODELAY, 1);
    if (conn == NULL)
        return;
    if (work_mode == WORK_OUT) {
        while (ns_send(conn, work_buffer, sizeof(work_buffer), 0, NULL) > 0)
            ;
        return;
    }
    /* The buffer is ours for as long as we want: what comes is read into it at once. */
    n = ns_posted(conn);
    if (n > 0)
        waiting += (uint32_t)n;
    if (work_mode == WORK_ECHO && waiting >= WORK_REQUEST) {
        waiting -= WORK_REQUEST;
        ns_send(conn, work_buffer, WORK_RESPONSE, 0, NULL);
    }
    ns_post(conn, work_buffer, sizeof(work_buffer));
}

void stack_start(void)
{
    const struct ns_env env = {.now_ns = env_now,
                               .random = env_random,
                               .alloc = env_alloc,
                               .free = env_free,
                               .kick = pump,
                               .port_register = env_register,
                               .port_unregister = env_unregister,
                               .route = env_route};
    struct ns_addr any = {.family = NET_INET, .port = WORK_PORT};

    if (kring_make(&ring, 256 * 1024, 256, 1024 * 1024) != 0 ||
        netstack_create(&ns, &env, NULL, ring.ring) != 0 || ns_socket(ns, NET_INET, NS_STREAM, &listener) != 0 ||
        ns_bind(listener, &any) != 0 || ns_listen(listener, 4) != 0)
        abort();
}

void stack_input(const uint8_t *packet, size_t n)
{
    const struct net_rx meta = {.link = 1, .time_ns = work_now_ns};

    if (!kring_deliver(&ring, &meta, packet, n))
        abort();
    counted_begin();
    netstack_run(ns, 64);
    application();
    pump(NULL); /* what wait() does before it sleeps */
    counted_end();
}
