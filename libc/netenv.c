/* SPDX-License-Identifier: MIT
 *
 * libc/netenv.c: the part of a protocol stack's outside world that is the same
 * in every program; see netenv.h.
 */
#include "netenv.h"
#include <slipway/net.h>
#include <slipway/sys.h>
#include <stdlib.h>

static uint64_t env_now(void *ctx)
{
    (void)ctx;
    return sys_now_ns();
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

static int env_route(void *ctx, struct net_route_info *io)
{
    (void)ctx;
    int64_t r = sys_net_info(NETINFO_LOOKUP, 0, io, sizeof *io);
    return r < 0 ? (int)r : 0;
}

void net_env_fill(struct ns_env *env, void *ctx)
{
    *env = (struct ns_env){
        .ctx = ctx,
        .now_ns = env_now,
        .random = env_random,
        .alloc = env_alloc,
        .free = env_free,
        .route = env_route,
    };
}
