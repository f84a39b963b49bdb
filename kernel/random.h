/* SPDX-License-Identifier: MIT
 *
 * kernel/random.h: random numbers for kernel and processes.
 *
 * Owns: one generator (ChaCha20 with fast key erasure), seeded from RDRAND,
 * from the jitter of the clock against ports and interrupts, and from the RTC.
 * Context: random_bytes thread or poll; random_event any.
 */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void random_init(void);                   /* after cpu_init; needs no clock */
void random_bytes(void *buf, size_t bytes); /* never blocks; best effort until seeded */
uint64_t random_u64(void);
bool random_seeded(void);
/* Something happened at an unpredictable moment. Cheap. */
void random_event(void);
/* Blocks until seeded; 0 or -EINTR. */
int random_wait_seeded(void);

#endif
