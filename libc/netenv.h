/* SPDX-License-Identifier: MIT
 *
 * libc/netenv.h: what every program that holds a protocol stack gives it.
 *
 * Owns: nothing. Used by the sockets of libc and by servers with a stack of
 * their own (netd, natd). Context: any thread.
 */
#ifndef LIBC_NETENV_H
#define LIBC_NETENV_H

#include <net/stack/netstack.h>

/* Clock, random numbers, memory and routes, by system calls; ports are the
 * caller's business. */
void net_env_fill(struct ns_env *env, void *ctx);

#endif
