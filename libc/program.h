/* SPDX-License-Identifier: MIT
 *
 * libc/program.h: what exec and spawn have in common: finding the program, its
 * arguments. Context: any thread.
 */
#ifndef LIBC_PROGRAM_H
#define LIBC_PROGRAM_H

#include <slipway/syscall.h>
#include <stdbool.h>
#include <stdint.h>

/* Where `file` is: as it is, or, with search and without a slash, along PATH. 0,
 * -ENOENT, -EACCES (a folder), -ENAMETOOLONG. */
int program_path(const char *file, bool search, char out[SPAWN_PATH_MAX]);

/* argv, then envp, one string after the other. */
struct program_args {
    char text[SPAWN_ARGS_MAX];
    uint32_t bytes, argc, envc;
};
int program_args(struct program_args *a, char *const argv[], char *const envp[]); /* 0 or -E2BIG */

#endif
