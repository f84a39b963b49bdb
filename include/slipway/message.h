/* SPDX-License-Identifier: MIT
 *
 * slipway/message.h: the message that processes exchange.
 *
 * Owns: the shape of one message and of one `wait` item.
 * Verbs (slipway/syscall.h): call, send, recv, reply, notify, wait.
 *
 * A message is at most MSG_INLINE_MAX bytes inline, plus at most one handle.
 * The kernel fills in sender_pid, bits and token; whatever a sender writes
 * there is overwritten, so a receiver may believe them. Of data[], len bytes are
 * exchanged; what the receiver finds behind them means nothing.
 *
 * What may go along, in a request or in a reply: a memory object, a peer (so the
 * receiver may send there too), an end of a pipe, a process handle. The sender
 * keeps its own handle; the receiver gets one to the same object that can do the
 * same, whatever its manifest line lets it open by itself: a handle is the right.
 * An endpoint's own handle arrives as a peer, for receiving stays with the owner.
 * Anything else (net endpoint, console, trace) is -EPERM to the sender, a number
 * that is no handle -EBADF, and the message is then not sent. What is still
 * queued when the endpoint dies, or when its call is given up, is let go.
 */
#ifndef SLIPWAY_MESSAGE_H
#define SLIPWAY_MESSAGE_H

#include <stdint.h>

#define MSG_INLINE_MAX 64
#define NAME_MAX_BYTES 16 /* a server's name with its final NUL */

struct sys_msg {
    uint32_t type;       /* chosen by the protocol of the receiving server */
    uint32_t len;        /* bytes used of data[], at most MSG_INLINE_MAX */
    uint32_t sender_pid; /* out: filled in by the kernel; 0 is the kernel */
    int32_t handle;      /* to pass along, or -1 for none; out: the receiver's own, or a
                            negative errno if it found no free handle */
    uint64_t token;      /* out of recv: give to reply; 0 when none is wanted */
    uint64_t bits;       /* out of recv: notification bits collected so far */
    uint8_t data[MSG_INLINE_MAX];
};

/* A message whose type is MSG_NOTIFY carries only bits. */
#define MSG_NOTIFY 0xffffffffu

/* What one item of wait() waits for. */
enum wait_kind {
    WAIT_HANDLE = 1, /* a handle: endpoint, net endpoint, process, console */
    WAIT_FUTEX = 2,  /* *(uint32_t *)addr changed from `value`, or futex_wake */
    /* Stand by at a net endpoint (`handle`): ready when nobody has waited for it for
     * some STANDBY_MS, or its receive ring is half full and nobody waits. What comes
     * in wakes those who wait for the endpoint itself, not who stands by. Who is
     * called has a little more than its priority, for one time slice. */
    WAIT_STANDBY = 3,
};

/* Readiness of a handle, in `want` and `got`. */
#define READY_IN 0x01u  /* endpoint: message or bits; net: received records or
                           completions; console: a byte; process: it ended */
#define READY_OUT 0x02u /* net: room in the transmit ring */
#define READY_ERR 0x04u /* peer died, handle revoked (always reported) */
#define STANDBY_MS 10u

struct wait_item {
    uint32_t kind;   /* enum wait_kind */
    int32_t handle;  /* for WAIT_HANDLE */
    uint32_t want;   /* READY_* wished for */
    uint32_t got;    /* out: READY_* found; 0 when this item is not ready */
    uint64_t addr;   /* for WAIT_FUTEX: address of an aligned 32-bit word */
    uint32_t value;  /* for WAIT_FUTEX: expected value */
    uint32_t pad;
};
#define WAIT_ITEMS_MAX 256 /* more are -EINVAL; the cost of a wait follows their number */

#endif
