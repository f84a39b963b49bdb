/* SPDX-License-Identifier: MIT
 *
 * libc/epoll.h: what the rest of libc tells epoll. A program without epoll has
 * none of these (they are weak), and no file of it has watchers.
 *
 * Owns: nothing. Context: any thread.
 */
#ifndef LIBC_EPOLL_H
#define LIBC_EPOLL_H

struct file;

void __epoll_forget(struct file *f) __attribute__((weak));  /* its last descriptor is closed */
void __epoll_touched(struct file *f) __attribute__((weak)); /* it was read from or written to */
/* A socket's events may have changed; NULL: room to send came back, for any of
 * them. The network's lock is held. */
void __epoll_changed(struct file *f) __attribute__((weak));
/* Wakes the sleepers of the context that have something to report now; how many. Its
 * lock is held. */
struct net_ctx;
unsigned __epoll_wake(struct net_ctx *c) __attribute__((weak));
void __epoll_forked(void) __attribute__((weak));

#endif
