/* SPDX-License-Identifier: MIT
 *
 * libc/pair.h: the two ends of a socketpair, for the calls that take sockets of any
 * kind (pair.c).
 *
 * Owns: nothing. Context: any thread. Results as those calls give them: -1 and errno,
 * ENOTSOCK for a descriptor that is no such end.
 */
#ifndef LIBC_PAIR_H
#define LIBC_PAIR_H

#include "fd.h"
#include <sys/socket.h>

ssize_t __libc_pair_recv(int fd, void *buf, size_t n, int flags);
ssize_t __libc_pair_send(int fd, const void *buf, size_t n, int flags, bool addressed);
int __libc_pair_shutdown(int fd, int how);
int __libc_pair_option(int fd, int level, int option, void *get, const void *set, socklen_t *len);

#endif
