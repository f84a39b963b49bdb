/* SPDX-License-Identifier: MIT
 *
 * servers/init/manifest.h: the manifest, iso/etc/servers.conf.
 *
 * Owns: struct manifest and the parser of the syntax that the file's own first
 * lines explain. Pure code: builds on the host for tests and fuzzing.
 */
#ifndef INIT_MANIFEST_H
#define INIT_MANIFEST_H

#include <slipway/rights.h>
#include <slipway/syscall.h>
#include <stdbool.h>
#include <stddef.h>

#define MANIFEST_SERVERS_MAX 32
#define MANIFEST_ARGS_BYTES  256

enum manifest_start { START_DEMAND = 0, START_BOOT = 1 };
enum manifest_restart { RESTART_NEVER = 0, RESTART_FAILURE = 1, RESTART_ALWAYS = 2 };

struct manifest_server {
    char name[NAME_MAX_BYTES];
    char program[SPAWN_PATH_MAX];
    char args[MANIFEST_ARGS_BYTES]; /* argc strings, each with its NUL */
    uint32_t args_bytes, argc;
    enum manifest_start start;
    enum manifest_restart restart;
    uint32_t priority; /* PRIO_* */
    struct sys_rights rights;
    int line; /* where it begins */
};

struct manifest {
    unsigned count;
    struct manifest_server server[MANIFEST_SERVERS_MAX];
};

/* A complaint: "FILE:LINE: what is wrong". */
typedef void manifest_report(void *ctx, const char *text);

/* Fills *m; what cannot be read is reported and left out, the rest stands. A
 * wrong line costs a server what the line would have given it; a server
 * without a program, or with a limit that cannot be kept, is left out whole.
 * Returns the number of complaints. */
unsigned manifest_parse(struct manifest *m, const char *file, const char *text, size_t bytes,
                        manifest_report *report, void *ctx);

struct manifest_server *manifest_find(struct manifest *m, const char *name);

#endif
