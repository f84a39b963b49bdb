/* SPDX-License-Identifier: MIT
 *
 * slipway/rights.h: what a process may do. init reads them from the manifest
 * (iso/etc/servers.conf) and gives them to the kernel with spawn; the kernel
 * enforces them, and logs a refusal with the right's name.
 *
 * A process may give a child only what it holds itself. The first process
 * (init) holds everything.
 */
#ifndef SLIPWAY_RIGHTS_H
#define SLIPWAY_RIGHTS_H

#include <slipway/message.h>
#include <slipway/net.h>
#include <stdint.h>

/* One line each: bit, name in the manifest, meaning. */
#define RIGHT_LIST(X)                                                          \
    X(0, NET_DEFAULT, "net.default", "own default slots; write addresses, routes and neighbours") \
    X(1, NET_INJECT, "net.inject", "give a datagram back to be classified again") \
    X(2, NET_FORWARD, "net.forward", "send with foreign source addresses; own the forward slot") \
    X(3, NET_RAW, "net.raw", "send whole frames")                              \
    X(4, NET_TAP, "net.tap", "watch links and endpoints")                      \
    X(5, PROC_SPAWN, "proc.spawn", "start processes")                          \
    X(6, PROC_KILL, "proc.kill", "end other processes")                        \
    X(7, CONSOLE, "console", "read and write the console")                     \
    X(8, POWER, "sys.power", "power off and reboot")                           \
    X(9, CLOCK_SET, "clock.set", "set the real-time clock")                    \
    X(10, NET_EPHEMERAL, "net.client", "use ephemeral ports and ICMP echo ids") \
    X(11, LOG_READ, "log.read", "read the kernel log")                         \
    X(12, PROC_TRACE, "proc.trace", "watch the system calls of other processes than its children") \
    X(13, DEV_FB, "dev.fb0", "map the screen's pixels")

enum right_bit {
#define X(bit, id, name, text) RIGHT_##id = 1u << (bit),
    RIGHT_LIST(X)
#undef X
};

#define RIGHTS_ALLOW_MAX 8
#define RIGHTS_PORTS_MAX 16
#define RIGHTS_CALLS_MAX 16

#define RING_LIMIT_DEFAULT (4ull << 20) /* ring_limit 0: of all of a process' packet rings */

struct sys_rights {
    uint32_t bits;        /* enum right_bit */
    uint32_t nports;
    uint32_t ncalls;
    uint32_t serve_ports; /* bit i: ports[i] stays reserved while a restart is
                             expected (restart policy other than never) */
    struct net_port_key ports[RIGHTS_PORTS_MAX];   /* ports it may register;
                             family 0: IPv4 and IPv6; `link` by name: see port_links */
    char port_links[RIGHTS_PORTS_MAX][LINK_NAME_MAX]; /* "" for any link */
    char calls[RIGHTS_CALLS_MAX][NAME_MAX_BYTES];  /* names it may look up */
    char serves[NAME_MAX_BYTES];                   /* name it may register */
    uint64_t memory_limit;   /* bytes; 0 for the default of 16 MiB */
    uint64_t ring_limit;     /* bytes of packet rings; 0 for the default */
    /* Who may talk to its ports (not to ephemeral ones): peers in one of these
     * prefixes. None: everybody. */
    struct net_prefix allow[RIGHTS_ALLOW_MAX];
    uint32_t nallow, pad;
};

#endif
