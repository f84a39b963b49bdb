/* SPDX-License-Identifier: MIT
 *
 * slipway/signal.h: signals as the kernel and libc see them.
 *
 * Owns: numbers the kernel knows by itself, the structures of signal_setup and
 * signal_return. The numbers are newlib's (libc/abi_check.c asserts it). In a
 * mask, bit n is signal n.
 *
 * A process has one entry for all caught signals. Delivery interrupts a thread
 * on its way to ring 3: below the red zone of its stack the kernel puts the
 * state of the floating-point unit, then a struct signal_frame, whose address is
 * in rdi and in rsp at the entry. All signals are blocked then; the entry
 * unblocks what it likes with signal_mask, and ends with signal_return(frame).
 */
#ifndef SLIPWAY_SIGNAL_H
#define SLIPWAY_SIGNAL_H

#include <stdint.h>

#define SIGNAL_MAX 31u

#define SIGNAL_ILL 4u
#define SIGNAL_TRAP 5u
#define SIGNAL_FPE 8u
#define SIGNAL_KILL 9u
#define SIGNAL_SEGV 11u
#define SIGNAL_ALARM 14u
#define SIGNAL_URGENT 16u
#define SIGNAL_STOP 17u
#define SIGNAL_TTY_STOP 18u
#define SIGNAL_CONTINUE 19u
#define SIGNAL_CHILD 20u
#define SIGNAL_TTY_IN 21u
#define SIGNAL_TTY_OUT 22u
#define SIGNAL_WINDOW 28u

#define SIGNAL_BIT(n) (1u << (n))

struct sys_signal_setup {
    uint64_t entry;           /* 0 while nothing is caught */
    uint32_t caught, ignored; /* masks; the rest has its default action */
};

/* how, of signal_mask */
#define SIGNAL_SET 0u
#define SIGNAL_BLOCK 1u
#define SIGNAL_UNBLOCK 2u
#define SIGNAL_PENDING 3u /* changes nothing and returns what is pending */

/* mode, of signal_wait */
#define SIGNAL_WAIT_MASK 0u  /* block these meanwhile; ends when a signal is delivered */
#define SIGNAL_WAIT_TAKE 1u  /* take one of these, which are blocked; returns its number */
#define SIGNAL_WAIT_CHILD 2u /* until the count of ended children differs; returns it */

/* op, of process_control */
#define PROCESS_PARENT 0u   /* pid of the parent */
#define PROCESS_THREAD 1u   /* the calling thread's id, for thread_signal */
#define PROCESS_ALARM 2u    /* SIGNAL_ALARM in a ns, then every b ns; returns what was left */
#define PROCESS_ALARM_LEFT 4u /* ns until SIGNAL_ALARM, 0 when none is set */
#define PROCESS_PRIORITY 3u /* a 0: ask; else lower the process to it; returns PRIO_* */

/* Why a signal came. */
#define SIGNAL_FROM_USER 1u   /* a process sent it */
#define SIGNAL_FROM_TIMER 3u
#define SIGNAL_FROM_FAULT 6u  /* address says where */
#define SIGNAL_FROM_CHILD 7u  /* sender is the child that ended */

struct signal_frame {
    uint32_t signal, reason; /* SIGNAL_FROM_* */
    uint32_t sender, mask;   /* sender's pid; the mask that signal_return brings back */
    uint64_t address;        /* of a fault */
    uint64_t fpu, fpu_bytes; /* where the FPU's state lies (XSAVE form, or FXSAVE without it) */
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t rip, rflags, rsp;
    uint64_t pad; /* a multiple of 16 bytes */
};

#endif
