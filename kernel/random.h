/* SPDX-License-Identifier: MIT
 *
 * kernel/random.h: random numbers for kernel and processes.
 *
 * Owns: one generator (ChaCha20 with fast key erasure), seeded from RDRAND,
 * from devices such as virtio-rng, and from the jitter of the clock against
 * ports and interrupts. The date goes in, too, and counts for nothing.
 *
 * The books: 256 bits make it seeded. Working RDRAND and a device's bytes count
 * in full; a moment (an interrupt, a slow port that has answered) counts a
 * quarter of a bit, and only if it is off every rhythm: neither the time since
 * the last one, nor how much that differs from the time before, nor how much the
 * difference itself has changed, may be zero. (That a machine as a whole repeats
 * itself, as an emulator with an instruction clock does, it cannot know.) What is
 * credited only ever decides
 * who waits: everything is mixed in, always.
 *
 * Fresh bytes of RDRAND and devices are mixed in again after RESEED_BYTES of
 * output or RESEED_CYCLES, whichever is first, when somebody asks for random
 * bytes: an idle system does nothing for it.
 *
 * Context: random_event any, on any CPU (two at once lose a moment at worst);
 * the rest thread or poll.
 */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RANDOM_NAMES_MAX 32u /* "rdrand virtio-rng jitter" */

/* A device that makes random bytes. `take` gives those that have come since
 * `ask`, 0 while there are none; neither waits. Not withdrawn once added; one
 * that fails gives nothing any more. */
struct random_device {
    const char *name;
    void (*ask)(struct random_device *d);
    size_t (*take)(struct random_device *d, uint8_t *buf, size_t room);
    bool asked, counted;
    struct random_device *next;
};

void random_init(void);                   /* after cpu_init; needs no clock */
void random_device_add(struct random_device *d);
void random_bytes(void *buf, size_t bytes); /* never blocks; best effort until seeded */
uint64_t random_u64(void);
bool random_seeded(void);
/* What it was seeded from so far, "none" when from nothing. */
void random_names(char buf[RANDOM_NAMES_MAX]);
/* Something happened at an unpredictable moment. Cheap. */
void random_event(void);
/* Blocks until seeded; 0 or -EINTR. */
int random_wait_seeded(void);

#endif
