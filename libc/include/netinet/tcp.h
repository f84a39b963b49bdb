/* SPDX-License-Identifier: MIT
 *
 * netinet/tcp.h: options of TCP sockets (level IPPROTO_TCP).
 */
#ifndef SLIPWAY_NETINET_TCP_H
#define SLIPWAY_NETINET_TCP_H

#define TCP_NODELAY   1
#define TCP_KEEPIDLE  4 /* seconds of silence before the first probe */
#define TCP_KEEPINTVL 5 /* seconds between probes */
#define TCP_KEEPCNT   6 /* probes before the connection is given up */
#define TCP_CONGESTION 13 /* "cubic" (the default) or "reno" */
#define TCP_USER_TIMEOUT 18 /* milliseconds that text may wait for its acknowledgement; 0: the default */

#endif
