/* SPDX-License-Identifier: MIT
 *
 * libc/net.h: the one protocol stack of this process, and how calls block on it.
 *
 * Owns: the net endpoint, its rings, the netstack and its lock. A blocking call
 * is a loop: net_enter; try; while it would block: net_sleep, try again;
 * net_leave. Context: any thread.
 *
 * Transmission: what a call queued lies in the transmit ring. net_leave kicks
 * it, unless the program asked to cork; a wait on the endpoint transmits by
 * itself, so a call that blocks costs no kick.
 */
#ifndef LIBC_NET_H
#define LIBC_NET_H

#include "fd.h"
#include <net/stack/netstack.h>
#include <netinet/in.h>
#include <poll.h>

/* Make the stack when there is none. 0 or -errno. */
int net_start(void);

void net_enter(void); /* takes the lock */
void net_leave(void); /* transmits, wakes other threads, drops the lock */
void net_flush(void); /* transmit now; lock held */
void net_run(void);   /* take in what has arrived, run due timers; lock held */
bool net_corked(void);
struct netstack *net_stack(void);

/* Drop the lock, wait for the network, the given items or the deadline, take
 * the lock again and run the stack. `items` has room for two more behind n;
 * those for the network are added there. 0, or -ETIMEDOUT once the deadline
 * has passed (its own, not the stack's next timer). */
int net_sleep(struct wait_item *items, unsigned n, uint64_t deadline_ns);
#define NET_SLEEP_ITEMS 2

/* now + ms, or SYS_NO_DEADLINE for a negative ms. */
uint64_t net_deadline_in(int64_t ms);

/* --- a socket as a file (socket.c) --- */
struct sock_file {
    struct file f;
    struct nsock *s;
    int type;                          /* SOCK_STREAM, SOCK_DGRAM */
    int protocol;                      /* IPPROTO_* */
    uint64_t rcvtimeo_ns, sndtimeo_ns; /* 0: none */
};
struct sock_file *sock_get(int fd); /* adds a reference; NULL and errno */
static inline void sock_put(struct sock_file *s)
{
    fd_put(&s->f);
}
int sockaddr_in_of(const struct sockaddr *sa, socklen_t len, struct ns_addr *out);
void sockaddr_out(const struct ns_addr *a, struct sockaddr *sa, socklen_t *len);

#endif
