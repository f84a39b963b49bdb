/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/selftest.h: tests that run in ring 3 (test=NAME).
 *
 * A test returns NULL, or what failed. The same program is its own helper: a
 * test spawns it again with a role's name as argument, and with fewer rights.
 *
 *   main.c      which tests and roles there are; TAP; the way out
 *   helper.c    spawning roles, packets by hand
 *   calls.c     bad arguments, memory, handles, status
 *   processes.c how processes begin and end
 *   messages.c  call, send, recv, reply, notify
 *   races.c     messages at every moment, and many at once
 *   events.c    poll, epoll, eventfd, timerfd
 *   names.c     names that come and go, and who waits for them
 *   threads.c   threads, futexes, turns, priorities
 *   smp.c       several processors: who runs where
 *   tlb.c       mappings that change under other processors
 *   registry.c  the port registry's rules, as a process sees them
 *   libc.c      memory, files, clocks, threads of a C program
 *   fork.c      copies of a process
 *   exec.c      another program in a process
 *   memory.c    who owns memory, limits, and that it all comes back
 *   pipes.c     pipes: atomic writes, their ends, readiness, memory
 *   signals.c   delivery, masks, frames, waiting
 *   posix.c     fork, exec, posix_spawn and wait as C programs use them
 *   pthread.c   locks of every kind, and threads that fork
 *   sockets.c   BSD sockets over loopback
 *   secrets.c   a secret to compare
 *   trace.c     watching system calls
 *   screen.c    device nodes, the screen's pixels
 *   fpu.c       vector registers, rounding modes
 *   fuzz.c      hostile calls without end (fuzz_args.c), beside a witness (witness.c)
 */
#ifndef SERVERS_SELFTEST_SELFTEST_H
#define SERVERS_SELFTEST_SELFTEST_H

#include <slipway/ring.h>
#include <slipway/sys.h>
#include <stdbool.h>
#include <stddef.h>

struct test {
    const char *name;
    const char *(*run)(void);
};
struct role {
    const char *name;
    int (*run)(int argc, char **argv); /* exit status, 0 to 255 */
};
extern const struct test calls_tests[], processes_tests[], messages_tests[], threads_tests[], registry_tests[];
extern const struct test libc_tests[], sockets_tests[], secrets_tests[], netdb_tests[];
extern const struct test fork_tests[], exec_tests[], memory_tests[], cycles_tests[];
extern const struct test names_tests[], events_tests[], races_tests[];
extern const struct role names_roles[], races_roles[];
extern const struct test screen_tests[];
extern const struct role processes_roles[], messages_roles[], registry_roles[];
extern const struct role fork_roles[], exec_roles[], memory_roles[];
extern const struct test trace_tests[], fpu_tests[], smp_tests[], tlb_tests[];
extern const struct role trace_roles[];
extern const struct test pipes_tests[], signals_tests[], posix_tests[], pthread_tests[];
extern const struct role posix_roles[];
extern const struct test fuzz_tests[];
extern const struct role fuzz_roles[], witness_roles[];

extern const struct role crew_roles[], many_roles[], wakes_roles[];
extern const struct test wakes_tests[], errnos_tests[], pairs_tests[];

#define STR2(x) #x
#define STR(x) STR2(x)
#define CHECK(c)                                    \
    do {                                            \
        if (!(c))                                   \
            return __FILE__ ":" STR(__LINE__) ": " #c; \
    } while (0)

#define WAIT_NS (5ull * 1000000000) /* no step of a test takes longer */

/* --- helper.c --- */

/* The rights of this process as the manifest gives them, less what is asked. */
struct sys_rights rights_none(void);
void rights_add_port(struct sys_rights *r, uint8_t proto, uint16_t lo, uint16_t hi);

/* Start a role; a process handle or -errno. */
int role_start(const char *name, const char *arg, const struct sys_rights *r);
/* Wait for its end; exit status, or -errno. Closes the handle. */
int role_end(int handle);
int role_run(const char *name, const char *arg, const struct sys_rights *r);

uint64_t free_bytes(void); /* of memory, in the whole system */

/* --- threads.c: threads without libc's part, by number. They have no thread-local
 * storage and are entered by a jump, so that the stack is 8 bytes off for SSE: they
 * compute with integers and make system calls, and end with bare_end(). --- */
#define BARE_THREADS 16
int bare_start(void (*fn)(uint64_t), uint64_t i, uint32_t priority);
void bare_end(uint64_t i);
bool bare_gone(uint64_t i); /* it has ended, within WAIT_NS */

/* A net endpoint used by hand. */
struct raw {
    int handle;
    struct net_ring *ring;
};
int raw_open(struct raw *e);
int raw_register(struct raw *e, uint8_t proto, uint16_t lo, uint16_t hi, uint8_t secret[NET_SECRET_BYTES]);
/* Queue a UDP datagram from and to 127.0.0.1 with a 32-bit payload. */
void raw_queue(struct raw *e, uint16_t sport, uint16_t dport, uint32_t payload);
/* Next completion status (INT32_MIN: none within WAIT_NS). */
int32_t raw_completion(struct raw *e);
/* Next datagram's payload and destination port; false when none came in time. */
bool raw_receive(struct raw *e, uint64_t deadline_ns, uint32_t *payload);

#endif
