/* SPDX-License-Identifier: MIT
 *
 * kernel/image.h: programs and what they are started with.
 *
 * Owns: struct start_args, struct image. Called by: spawn, exec. Context: thread.
 */
#ifndef KERNEL_IMAGE_H
#define KERNEL_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

struct address_space;

/* What the new image finds on its stack. */
struct start_args {
    const char *strings; /* argc strings, then envc strings, each with its NUL */
    uint32_t bytes, argc, envc;
    const void *extra; /* opaque; found through AT_SLIPWAY_EXTRA */
    uint32_t extra_bytes;
    void *memory; /* holds both when start_args_copy made it */
};

struct image {
    uint64_t bias, entry, rsp;
};

/* Loads the program at `path` into an empty space and builds its stack. 0,
 * -ENOENT, -ENOEXEC, -EINVAL (strings), -ENOMEM; the space may then hold a part. */
int image_load(struct address_space *as, const char *path, const struct start_args *a, struct image *image);

bool start_args_fit(uint32_t bytes, uint32_t argc, uint32_t envc, uint32_t extra_bytes);
/* Copies strings and extra bytes, whose sizes are set, from the caller; the
 * caller frees a->memory after success. 0, -EFAULT or -ENOMEM. */
int start_args_copy(struct start_args *a, uint64_t args, uint64_t extra);

#endif
