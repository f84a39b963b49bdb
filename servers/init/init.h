/* SPDX-License-Identifier: MIT
 *
 * servers/init/init.h: the supervisor: first process, parent of the servers.
 *
 *   main.c       start, event loop
 *   manifest.c   what servers.conf says
 *   supervise.c  start, stop, restart with back-off, crash reports
 *   control.c    requests of other servers (slipway/initproto.h)
 *   announce.c   the "ready: ADDRESS" lines
 *
 * One thread; the only place where it waits is the loop in main.c, so that no
 * server can hold it up.
 */
#ifndef SERVERS_INIT_INIT_H
#define SERVERS_INIT_INIT_H

#include "manifest.h"
#include <slipway/initproto.h>
#include <slipway/sys.h>
#include <stdbool.h>
#include <stdint.h>

/* Restarts: at once, then after 100 ms, doubling up to 10 s; a run of 10 s
 * starts the row anew. Ten ends within a minute are too many. */
#define BACKOFF_FIRST_MS 100u
#define BACKOFF_MAX_MS   10000u
#define STEADY_MS        10000u
#define DEATHS_MAX       10
#define DEATHS_WINDOW_MS 60000u
/* A server that never says it is ready counts as up after this: long where its
 * manifest lets it call init, since "ready:" promises that it listens, and a slow
 * machine may need seconds to load it and to gather its first random numbers. */
#define STARTING_MS      10000u
#define STARTING_MUTE_MS 1000u /* it may not call init */
/* The ready: lines wait no longer than this for a server that keeps dying. */
#define SETTLE_MS 10000u

#define MS    1000000ull
#define NEVER SYS_NO_DEADLINE

struct server {
    const struct manifest_server *conf;
    enum init_state state;
    bool wanted; /* shall run: at boot, or by request */
    bool again;  /* start it when it has ended: asked for after it was told to stop */
    int handle;  /* of the process, -1 when there is none */
    uint32_t pid;
    uint32_t restarts;
    int32_t last_status;
    uint64_t since_ns; /* of the present state */
    uint64_t due_ns;   /* STARTING: counts as up; BACKOFF: starts again */
    uint32_t backoff_ms;
    uint64_t deaths_ns[DEATHS_MAX]; /* ring of the last ends */
    unsigned ndeaths;
    char *report; /* last crash report, NULL for none */
};

extern struct server servers[MANIFEST_SERVERS_MAX];
extern unsigned server_count;

/* supervise.c */
struct server *server_find(const char *name);
struct server *server_by_pid(uint32_t pid);
int server_start(struct server *s); /* 0 or -errno; already running is 0 */
int server_stop(struct server *s);
void server_ended(struct server *s, uint64_t now_ns); /* its process handle became ready */
void server_ready(struct server *s, uint64_t now_ns);
void servers_run_timers(uint64_t now_ns);
uint64_t servers_deadline(void);
bool servers_settled(void); /* none is still starting, or about to start again */

/* control.c */
int control_open(void); /* endpoint, or -errno */
void control_answer(int endpoint, uint64_t now_ns);

/* announce.c */
void announce_address(const char *link, const char *text);
void announce_all(void); /* the servers are up: print what is known */

#endif
