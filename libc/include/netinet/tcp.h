/* SPDX-License-Identifier: MIT
 *
 * netinet/tcp.h: options of TCP sockets (level IPPROTO_TCP).
 */
#ifndef SLIPWAY_NETINET_TCP_H
#define SLIPWAY_NETINET_TCP_H

#define TCP_NODELAY 1

#endif
