/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/fuzz.c: a million random system calls with hostile arguments,
 * in several threads of a process with few rights, while a witness beside it is
 * watched: its memory, its messages, its connection. Processes that may ruin
 * themselves (exit, exec, fork, signals, their own map) come in short runs.
 *
 * The seed is printed. Another one: fuzz-seed=N among the boot options. (Runs are
 * alike as far as the calls go; the threads' turns are not.)
 */
#include "fuzz_args.h"
#include "selftest.h"
#include "witness.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 4
#define STACK_BYTES 16384
#define ROUNDS 25
#define ROUND_CALLS 40000 /* 10^6 in all */
#define WILD_RUNS 250
#define WILD_CALLS 100
#define KILLS 1000
#define KILL_WITHIN_NS 2000000
#define SEED 20240611u
#define ROUND_NS (60ull * 1000000000)
#define WILD_NS (5ull * 1000000000)
#define THREAD_BYTES 20480u /* kernel stack, structure, registers */
#define STACK_OF_KERNEL 16384u
#define STACKS_SPARE 4u
#define SETTLE_NS (10ull * 1000000000)

/* --- the fuzzers --- */

static char stacks[THREADS][STACK_BYTES] __attribute__((aligned(16)));
static struct fuzz fuzzers[THREADS];
static uint32_t alive[THREADS];

/* "SEED WITNESS-PID" */
static void prepare(struct fuzz *f, const char *arg, unsigned i)
{
    char *rest;

    f->state = strtoull(arg, &rest, 10) * 1000003 + i;
    f->witness = (uint32_t)strtoul(rest, NULL, 10);
}

static void run(struct fuzz *f)
{
    for (unsigned n = 0; n < ROUND_CALLS / THREADS; n++)
        fuzz_call(f);
}

/* No thread-local storage, and entered by a jump: it makes system calls only. */
static void __attribute__((force_align_arg_pointer)) fuzz_thread(uint64_t i)
{
    run(&fuzzers[i]);
    sys_thread_exit(&alive[i]);
}

static int start_thread(void (*entry)(uint64_t), unsigned i)
{
    struct sys_thread t = {.entry = (uint64_t)(uintptr_t)entry,
                           .stack = (uint64_t)(uintptr_t)stacks[i] + STACK_BYTES - 16,
                           .arg = i};

    alive[i] = 1;
    return sys_thread_create(&t);
}

static int role_fuzz(int argc, char **argv)
{
    if (argc < 3 || fuzz_init() < 0)
        return 1;
    for (unsigned i = 0; i < THREADS; i++)
        prepare(&fuzzers[i], argv[2], i);
    for (unsigned i = 1; i < THREADS; i++)
        if (start_thread(fuzz_thread, i) < 0)
            return 2;
    fuzz_thread(0); /* the process ends with its last thread */
    return 3;
}

static int role_wild(int argc, char **argv)
{
    static struct fuzz f = {.wild = true};

    if (argc < 3 || fuzz_init() < 0)
        return 1;
    prepare(&f, argv[2], 0);
    for (unsigned n = 0; n < WILD_CALLS; n++)
        fuzz_call(&f);
    return 0;
}

/* Several threads, until somebody ends it. */
static void __attribute__((force_align_arg_pointer)) endless_thread(uint64_t i)
{
    for (;;)
        fuzz_call(&fuzzers[i]);
}

static int role_endless(int argc, char **argv)
{
    if (argc < 3 || fuzz_init() < 0)
        return 1;
    for (unsigned i = 0; i < THREADS; i++)
        prepare(&fuzzers[i], argv[2], i);
    for (unsigned i = 1; i < THREADS; i++)
        if (start_thread(endless_thread, i) < 0)
            return 2;
    endless_thread(0);
    return 0;
}

/* --- the test --- */

static uint64_t seed = SEED;

/* What somebody holds, byte for byte; how many processes there are. Pages that the
 * allocator of small objects keeps half full are told apart. */
static uint64_t kernel_stacks; /* when memory was last looked at */

/* Kernel stacks apart: the kernel keeps a few of dead threads for the next. */
static uint64_t memory_held(uint32_t *processes, uint32_t *threads)
{
    struct info_memory m;
    struct info_system s;

    sys_info(INFO_SYSTEM, 0, &s, sizeof(s));
    sys_info(INFO_MEMORY, 0, &m, sizeof(m));
    *processes = s.processes;
    *threads = s.threads;
    kernel_stacks = m.stacks / STACK_OF_KERNEL;
    return m.tables + m.anonymous + m.objects + m.rings + m.devices + m.promised + m.kmalloc_used;
}

static int start_fuzzer(const char *role, unsigned round, bool wild)
{
    struct sys_rights r = rights_none();
    char arg[48];

    rights_add_port(&r, NET_UDP, 7000, 7009);
    r.memory_limit = 8 << 20;
    if (wild)
        r.bits |= RIGHT_PROC_SPAWN;
    snprintf(arg, sizeof(arg), "%llu %u", (unsigned long long)(seed + round), (unsigned)witness_pid());
    return role_start(role, arg, &r);
}

/* Until the process behind h has ended, look at the witness. NULL when all is
 * well; one that does not end in time is ended. */
static const char *watch_until_end(int h, uint64_t ns, struct sys_exit *e)
{
    struct wait_item w = {.kind = WAIT_HANDLE, .handle = h, .want = READY_IN};
    uint64_t deadline = sys_now_ns() + ns;
    const char *why = NULL;
    int r;

    do {
        r = sys_wait(&w, 1, sys_now_ns() + 20000000);
        if (why == NULL)
            why = witness_check();
        if (sys_process_status(h, e) == 0 && sys_now_ns() > deadline && e->state == PROC_RUNNING) {
            sys_kill(e->pid, 9);
            why = why ? why : "a fuzzer hangs";
        }
    } while (r <= 0);
    sys_process_status(h, e);
    sys_handle_close(h);
    return why;
}

static const char *steady_round(unsigned round)
{
    static struct sys_exit e;
    int h = start_fuzzer("fuzz", round, false);
    const char *why;

    CHECK(h >= 0);
    why = watch_until_end(h, ROUND_NS, &e);
    if (e.state != PROC_EXITED || e.status != 0)
        printf("# round %u: state %u, status %d, at %llx for %llx\n%s\n", round, (unsigned)e.state, (int)e.status,
               (unsigned long long)e.fault_ip, (unsigned long long)e.fault_addr, e.report);
    CHECK(why != NULL || (e.state == PROC_EXITED && e.status == 0));
    return why;
}

static const char *wild_run(unsigned round)
{
    static struct sys_exit e;
    int h = start_fuzzer("wild", round, true);

    CHECK(h >= 0);
    return watch_until_end(h, WILD_NS, &e); /* however it ends */
}

/* Children of the wild ones may outlive them by a little, and so may the kernel
 * stack of the thread that died last on each CPU. A network helper that libc has
 * started meanwhile, here or in the witness, is no leak. */
static bool settled(uint32_t processes, uint32_t threads, uint64_t bytes)
{
    uint64_t deadline = sys_now_ns() + SETTLE_NS, more;
    struct info_system s;
    uint32_t now, running;

    sys_info(INFO_SYSTEM, 0, &s, sizeof(s));
    bytes += s.cpus * THREAD_BYTES;
    for (;;) {
        more = memory_held(&now, &running);
        if (more <= bytes + (running > threads ? (running - threads) * THREAD_BYTES : 0) && now == processes &&
            kernel_stacks <= running + s.cpus + STACKS_SPARE)
            return true;
        if (sys_now_ns() > deadline) {
            printf("# %u processes of %u, %lld bytes more, %u stacks for %u threads\n", (unsigned)now,
                   (unsigned)processes, (long long)(more - bytes), (unsigned)kernel_stacks, (unsigned)running);
            return false;
        }
        sys_wait(NULL, 0, sys_now_ns() + 10000000);
    }
}

static void read_seed(void)
{
    char line[1024] = "";
    const char *at;

    sys_info(INFO_CMDLINE, 0, line, sizeof(line) - 1);
    at = strstr(line, "fuzz-seed=");
    if (at != NULL)
        seed = strtoull(at + 10, NULL, 10);
    printf("# seed %llu\n", (unsigned long long)seed);
}

static const char *guarded(const char *(*one)(unsigned), unsigned warm, unsigned rounds)
{
    uint32_t processes = 0, threads = 0;
    uint64_t before = 0;
    const char *why = NULL;

    CHECK(witness_start() == NULL);
    for (unsigned i = 0; why == NULL && i < warm + rounds; i++) {
        if (i == warm) { /* caches of the kernel's allocator and our own heap are warm by now */
            sys_wait(NULL, 0, sys_now_ns() + 300000000);
            before = memory_held(&processes, &threads);
        }
        why = one(i);
    }
    if (why == NULL && !settled(processes, threads, before))
        why = "memory or processes are left behind";
    int end = witness_end();
    if (end != 0)
        printf("# the witness's end: %d\n", end);
    return why != NULL || end == 0 ? why : "the witness did not end well";
}

static const char *a_million_calls(void) /* C-CALL-1 */
{
    read_seed();
    return guarded(steady_round, 2, ROUNDS);
}

static const char *wild_processes(void) /* C-CALL-1 */
{
    return guarded(wild_run, 20, WILD_RUNS);
}

/* Ended by somebody else at any moment, most of them inside some call. */
static const char *kill_run(unsigned round)
{
    struct fuzz chance = {.state = seed + round};
    static struct sys_exit e;
    int h = start_fuzzer("endless", round, true);

    CHECK(h >= 0);
    sys_wait(NULL, 0, sys_now_ns() + fuzz_chance(&chance, KILL_WITHIN_NS));
    CHECK(sys_process_status(h, &e) == 0);
    sys_kill(e.pid, 9); /* it may have ruined itself already */
    CHECK(role_end(h) != -ETIMEDOUT);
    return round % 50 == 0 ? witness_check() : NULL;
}

static const char *killed_in_the_middle(void) /* C-PROC-2 */
{
    return guarded(kill_run, 50, KILLS);
}

const struct test fuzz_tests[] = {
    {"a-million-calls", a_million_calls},
    {"wild-processes", wild_processes},
    {"killed-in-the-middle", killed_in_the_middle},
    {NULL, NULL},
};
const struct role fuzz_roles[] = {
    {"fuzz", role_fuzz},
    {"wild", role_wild},
    {"endless", role_endless},
    {NULL, NULL},
};
