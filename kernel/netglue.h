/* SPDX-License-Identifier: MIT
 *
 * kernel/netglue.h: between the net core and the kernel.
 *
 * Owns: a process' net endpoint as a kernel object. Private to kernel/netglue.c
 * and kernel/netcalls.c. Context: thread.
 */
#ifndef KERNEL_NETGLUE_H
#define KERNEL_NETGLUE_H

#include <kernel/process.h>
#include <kernel/time.h>
#include <net/core/core.h>

/* What a handle to a net endpoint refers to. It belongs to the process that
 * opened it: when that closes its handle or ends, the endpoint ends, whoever
 * else may hold a handle to it. */
struct net_object {
    struct object object;
    struct waitq wq;
    struct waitq standby;     /* who stands by while nobody waits on wq (WAIT_STANDBY) */
    struct timer away_timer;
    uint32_t visits, visits_seen; /* waits that have begun; as the timer was set */
    struct net_endpoint *endpoint; /* NULL once closed */
    struct process *process;       /* the opener; valid while the endpoint is */
    uint32_t pid;
    int handle;           /* the opener's */
    uint64_t base, bytes; /* where the opener sees the rings */
    uint32_t nmore;
    uint64_t more[NET_ARENAS_MORE]; /* and what was added to its arena */
};

void net_call_standby(struct net_object *n); /* poll or thread context */

/* Addresses that the boot options give and that need all links to be known. */
void net_boot_routes(void);

#endif
