/* SPDX-License-Identifier: MIT
 *
 * net/core/services.h: all that the net core asks of the kernel.
 *
 * The kernel implements it in kernel/netglue.c, the host tests and the
 * simulation in tests/sim/services.c. Context: thread or poll, never a hard
 * interrupt.
 */
#ifndef NET_CORE_SERVICES_H
#define NET_CORE_SERVICES_H

#include <stddef.h>
#include <stdint.h>

uint64_t nc_now_ns(void);
void nc_random(void *buf, size_t bytes);
void *nc_alloc(size_t bytes); /* zeroed; NULL when there is none */
void nc_free(void *p);
void nc_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void nc_panic(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Shared memory of one net endpoint: kernel address, contiguous there. */
struct nc_shared {
    void *base; /* kernel's view */
    size_t bytes;
    void *cookie; /* memobj in the kernel */
};
int nc_shared_alloc(struct nc_shared *s, size_t bytes); /* zeroed, page aligned; 0 or -ENOMEM */
void nc_shared_free(struct nc_shared *s);
/* Device-visible address of a byte, for scatter-gather (never crosses a page). */
uint64_t nc_shared_phys(const struct nc_shared *s, size_t offset);

/* Owner of an endpoint, made by the glue (net/core/core.h). */
struct nc_owner;
uint32_t nc_owner_pid(const struct nc_owner *o);
/* A link was registered: make it pollable; the boot options may have an address
 * for it. */
struct link;
void nc_link_added(struct link *l);
/* Tell the owner's waiting threads that an endpoint became ready. Called once
 * per owner and batch. `waiter` is what the endpoint was opened with. */
void nc_wake(void *waiter);

/* One deferred call in the future (reservations, parked SYNs); re-arming
 * replaces. fn runs in poll context. */
void nc_timer(uint64_t when_ns, void (*fn)(void));

#endif
