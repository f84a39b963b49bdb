/* SPDX-License-Identifier: MIT
 *
 * libc/tcb.h: the thread control block, at %fs:0.
 *
 * Owns: struct tcb and the list of threads. Thread-local storage lies below
 * it (variant II of the ELF TLS specification); %fs:0x28 is where the
 * compiler's stack protector looks for its canary.
 */
#ifndef LIBC_TCB_H
#define LIBC_TCB_H

#include <reent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TCB_KEYS_MAX 64

enum tcb_state { TCB_JOINABLE = 0, TCB_DETACHED = 1, TCB_JOINED = 2 };

struct tcb {
    struct tcb *self; /* %fs:0 */
    uint64_t reserved[2];
    struct _reent *reent;
    uint64_t id;     /* number of the thread from 1 (main) */
    uint64_t canary; /* %fs:0x28 */
    uint32_t alive;  /* futex: the kernel clears it when the thread is gone */
    uint32_t state;  /* enum tcb_state */
    uint32_t tid;    /* the kernel's number; 0: not known yet */
    void *(*start)(void *);
    void *arg, *result;
    uint64_t map; /* stack and TLS, one mapping; 0 for main */
    uint64_t map_bytes;
    struct _pthread_cleanup_context *cleanup;
    int cancel_state;
    bool hidden;         /* __libc_thread_hidden */
    uint64_t net_wakes;  /* times that it woke up for the network, where there are several */
    struct net_ctx *net; /* its protocol stack (net.h): its own, or the one that all share */
    void *specific[TCB_KEYS_MAX];
};
_Static_assert(offsetof(struct tcb, canary) == 0x28, "the compiler's ABI fixes the canary");

static inline struct tcb *tcb_self(void)
{
    struct tcb *t;
    __asm__("movq %%fs:0, %0" : "=r"(t));
    return t;
}

/* Bytes that a thread needs for its TLS image and its tcb. */
size_t __tls_bytes(void);
/* Lay out TLS image and tcb at the end of [mem, mem + bytes). */
struct tcb *__tls_init(void *mem, size_t bytes);

#endif
