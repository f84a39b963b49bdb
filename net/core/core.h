/* SPDX-License-Identifier: MIT
 *
 * net/core/core.h: the net core as the rest of the kernel, and the host tests,
 * see it.
 *
 * Owns: the switchboard between links and processes: addresses, routes,
 * neighbours, the port registry, the packet rings' kernel side.
 * Who calls: kernel/netglue.c and kernel/netcalls.c; on the host tests/sim and
 * tests/unit. Drivers use net/core/link.h only.
 * Context: thread or poll, never a hard interrupt. Lock: the kernel's
 * (docs/ARCHITECTURE.md, "One kernel lock"); all state hangs off one struct net_core.
 *
 * Results are 0 or positive, or a negative errno (slipway/errno.h).
 */
#ifndef NET_CORE_CORE_H
#define NET_CORE_CORE_H

#include <slipway/net.h>
#include <slipway/ring.h>
#include <slipway/rights.h>
#include <slipway/syscall.h>
#include <net/core/link.h>
#include <net/core/services.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Starts from nothing: loopback is up with 127.0.0.1/8 and ::1, all else is empty. */
void net_core_init(void);
/* Gives everything back (host tests; the kernel never ends). Endpoints must
 * have been closed; links need not be unregistered. */
void net_core_fini(void);

/* --- owners: a process as the net core knows it ------------------------------
 * The glue makes one per process at its first net_open and keeps it until
 * owner_died has returned. */
#define OWNER_REGISTRATIONS_MAX 12288u /* so that one cannot use up the ids of all */
struct net_endpoint;
struct nc_owner {
    uint32_t pid;
    char name[NAME_MAX_BYTES]; /* the manifest's: a successor has the same */
    char family[NAME_MAX_BYTES]; /* whose groups it may join: owner_init's is its own name */
    const struct sys_rights *rights;
    /* The core's own from here on. */
    uint64_t ring_bytes; /* shared memory charged so far */
    uint64_t refusals;
    uint32_t registrations; /* ports and flows, at most OWNER_REGISTRATIONS_MAX */
    struct net_endpoint *endpoints;
};
void owner_init(struct nc_owner *o, uint32_t pid, const char *name, const struct sys_rights *rights);
/* The process is ending (exit or kill). Its ports and flows are freed at once,
 * but those that its manifest line serves stay reserved for a successor of the
 * same name when one `restarts`. Its endpoints receive and send nothing from
 * here on; the glue still closes each of them. */
void owner_died(struct nc_owner *o, bool restarts);

/* --- endpoints --------------------------------------------------------------- */

/* Makes the rings. io: wished sizes in, given sizes and `bytes` out (`base` is
 * the glue's to fill in). `waiter` goes to nc_wake. */
int endpoint_open(struct nc_owner *o, struct sys_net_open *io, void *waiter, struct net_endpoint **out);
/* Frees it now, or, while a device still reads its arena, when that has ended.
 * After return the waiter is never woken. */
void endpoint_close(struct net_endpoint *e);
const struct nc_shared *endpoint_shared(const struct net_endpoint *e);
struct net_ring *endpoint_ring(const struct net_endpoint *e);
struct nc_owner *endpoint_owner(const struct net_endpoint *e);       /* NULL once it died */
struct net_endpoint *owner_first_endpoint(const struct nc_owner *o); /* the oldest, or NULL */
bool endpoint_takes(const struct net_endpoint *e);                    /* opened with NET_OPEN_TAKES */
uint32_t endpoint_ready(const struct net_endpoint *e);               /* READY_* */
bool endpoint_half_full(const struct net_endpoint *e);               /* its receive ring */
/* NET_ARENA_MORE bytes more for its arena: *out is the memory, for the process to
 * see. -ENOMEM also when the manifest leaves no more. */
int endpoint_grow(struct net_endpoint *e, struct nc_shared **out);
void endpoint_ungrow(struct net_endpoint *e);
/* Transmit what lies in the ring; entries taken, or -EINVAL when the process
 * wrote an impossible index (the endpoint is dead then: READY_ERR). */
int endpoint_kick(struct net_endpoint *e);

/* --- the registry (slipway/net.h, struct net_port_op) --------------------------
 * op->endpoint and op->target_pid are the glue's business: it resolves them. */
int port_register(struct net_endpoint *e, struct net_port_op *op);
/* e NULL: every endpoint of the owner that is bound to the key. */
int port_unregister(struct nc_owner *o, struct net_endpoint *e, const struct net_port_op *op);
/* May `to`'s owner be given anything at all? That is the glue's question. */
int port_transfer(struct nc_owner *o, struct net_endpoint *to, const struct net_port_op *op);
int port_take(struct net_endpoint *to, struct net_port_op *op); /* PORT_TAKE */
int slot_register(struct net_endpoint *e, uint32_t slot);
int tap_open(struct net_endpoint *e, uint32_t link);

/* --- configuration and status --------------------------------------------------- */
int net_config_apply(struct nc_owner *o, const struct net_config *c); /* o NULL: the kernel itself */
/* Bytes written, 0 at the end. NETINFO_LOOKUP reads and writes buf. */
int net_info_read(uint32_t kind, uint64_t cursor, void *buf, size_t bytes);
int net_blob_set(struct nc_owner *o, const void *buf, size_t bytes);
size_t net_blob_get(void *buf, size_t bytes); /* length of the whole; copies what fits */
/* Which address and link a packet to io->dst would take. */
int net_route_lookup(struct net_route_info *io);

/* --- links, for the glue ---------------------------------------------------------- */
#define NET_LINKS_MAX 16
struct link *link_by_index(unsigned index); /* NULL when there is none */
struct link *link_by_name(const char *name);
const char *link_name(uint16_t index);
/* One turn of a link's poll; true when it has more to do. Wakes whom it must. */
bool net_link_poll(struct link *l, int budget);

#endif
