/* SPDX-License-Identifier: MIT
 *
 * spawn.h: newlib's, and what moves a socket.
 */
#ifndef SLIPWAY_SPAWN_H
#define SLIPWAY_SPAWN_H

#include_next <spawn.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The child finds the socket `from` of the caller as descriptor `fd`, with all that
 * has arrived, waits to be sent, or comes in meanwhile; the caller's descriptor is
 * closed when the child has started (slipway/handover.h; the errors of
 * slipway_socket_pack are posix_spawn's). The child needs the right net.client or
 * the socket's port in its manifest, and its program calls slipway_inherit_sockets()
 * (slipway/sys.h); else the connection ends. */
int posix_spawn_file_actions_addsocket_np(posix_spawn_file_actions_t *fa, int from, int fd);

#ifdef __cplusplus
}
#endif

#endif
