/* SPDX-License-Identifier: MIT
 *
 * bench/ipc_guest.c: does each thing that bench/ipc counts, between marks.
 *
 * Owns: the marks' numbers, which bench/ipc knows by their order. The program
 * is its own peer: it spawns itself with a role's name as argument. Nothing here
 * depends on time, so every run executes the same instructions.
 */
#include <slipway/sys.h>
#include <stdio.h>
#include <string.h>

#define NAME "ipcguest"
#define RUNS 200
#define SPAWNS 20

enum { M_EMPTY, M_NULL, M_SWITCH, M_SWITCH_PROCESS, M_CALL, M_CALL_ONE, M_CALL_LENT, M_NOTIFY_RECV, M_NOTIFY_WAIT, M_SPAWN };

/* A long no-op whose displacement the plugin knows (bench/insn_plugin.c): what
 * is counted lies between the two of a pair. */
#define MARK(n) __asm__ volatile(".byte 0x0f, 0x1f, 0x80; .long 0x53570000 + %c0" ::"i"(n) : "memory")
#define BEGIN(m) MARK(2 * (m))
#define END(m) MARK(2 * (m) + 1)

/* The row for spawn speaks of a program of 100 KiB, as one is that prints: with this
 * it has what they have. */
static int (*const volatile as_large_as_most)(const char *, ...) = printf;

static const struct sys_rights *child_rights(void)
{
    static struct sys_rights r;

    strcpy(r.serves, NAME);
    return &r;
}

static int mine; /* our endpoint, handle 0 of every role */

static int start(const char *role, uint32_t priority)
{
    struct sys_spawn s = {.name = "role", .path = "bin/" NAME, .argc = 2, .nhandles = 1, .priority = priority};
    char args[32] = NAME;

    strcpy(args + sizeof NAME, role);
    s.args = (uint64_t)(uintptr_t)args;
    s.args_bytes = (uint32_t)(sizeof NAME + strlen(role) + 1);
    s.rights = (uint64_t)(uintptr_t)child_rights();
    s.handles[0] = mine;
    return sys_spawn(&s);
}

static void finish(int process)
{
    static struct sys_exit e;
    struct wait_item w = {.kind = WAIT_HANDLE, .handle = process, .want = READY_IN};

    sys_process_status(process, &e);
    sys_kill(e.pid, 9);
    sys_wait(&w, 1, SYS_NO_DEADLINE);
    sys_handle_close(process);
}

/* A thread that has nothing to do stops here. */
static void sleep_for_good(void)
{
    for (;;)
        sys_wait(NULL, 0, SYS_NO_DEADLINE);
}

/* --- the roles --- */

/* Tells the parent that the next recv is the role's own. */
static void up(void)
{
    sys_notify(0, 1);
}

static void role_server(int one_entry)
{
    struct sys_msg m = {.token = 0};
    int e = sys_endpoint_create(8);

    sys_name_register(NAME, e);
    for (up(); one_entry; m.data[0]++)
        sys_reply_recv(m.token, &m, e, SYS_NO_DEADLINE);
    for (;;) {
        sys_recv(e, &m, SYS_NO_DEADLINE);
        m.data[0]++;
        sys_reply(m.token, &m);
    }
}

/* Of lower priority than the one it notifies, which so runs at once. */
static void role_notifies(int in_wait)
{
    for (int i = 0; i < RUNS; i++) {
        if (in_wait)
            BEGIN(M_NOTIFY_WAIT);
        else
            BEGIN(M_NOTIFY_RECV);
        sys_notify(0, 1);
    }
}

static void role_yields(void)
{
    for (up();;) {
        END(M_SWITCH_PROCESS);
        sys_yield();
    }
}

static void play(const char *role)
{
    if (strcmp(role, "server") == 0)
        role_server(0);
    else if (strcmp(role, "server-one") == 0)
        role_server(1);
    else if (strcmp(role, "yields") == 0)
        role_yields();
    else if (strcmp(role, "notifies-recv") == 0)
        role_notifies(0);
    else if (strcmp(role, "notifies-wait") == 0)
        role_notifies(1);
}

/* --- the measurements; this side has PRIO_HIGH --- */

static void wait_up(void)
{
    struct sys_msg m;

    sys_recv(mine, &m, SYS_NO_DEADLINE);
}

static void measure_null(void)
{
    for (int i = 0; i < RUNS; i++) {
        BEGIN(M_EMPTY);
        END(M_EMPTY);
        BEGIN(M_NULL);
        __sys_raw3(SYS_null, 0, 0, 0);
        END(M_NULL);
    }
}

static volatile int second_runs = 1;

static void second_thread(void *arg)
{
    (void)arg;
    while (second_runs) {
        END(M_SWITCH);
        sys_yield();
    }
    sys_thread_exit(NULL);
}

static void measure_switch(void)
{
    static char stack[8192] __attribute__((aligned(16)));
    struct sys_thread t = {
        .entry = (uint64_t)(uintptr_t)second_thread,
        .stack = (uint64_t)(uintptr_t)(stack + sizeof stack - 64),
        .priority = PRIO_HIGH,
    };

    sys_thread_create(&t);
    for (int i = 0; i < RUNS; i++) {
        BEGIN(M_SWITCH);
        sys_yield();
    }
    second_runs = 0;
    sys_yield();
}

static void measure_switch_process(void)
{
    int process = start("yields", PRIO_HIGH);

    wait_up();
    for (int i = 0; i < RUNS; i++) {
        BEGIN(M_SWITCH_PROCESS);
        sys_yield();
    }
    finish(process);
}

/* MEASURE_CALL(mark, role, priority): a mark is a constant of the instruction. */
static int call_begin(const char *role, uint32_t priority, int *process, struct sys_msg *m)
{
    *process = start(role, priority);
    wait_up();
    sys_msg_set(m, 1, "12345678", 8);
    return sys_name_lookup(NAME);
}
#define MEASURE_CALL(mark, role, priority)                            \
    do {                                                              \
        struct sys_msg m;                                             \
        int process, peer = call_begin(role, priority, &process, &m); \
        for (int i = 0; i < RUNS; i++) {                              \
            BEGIN(mark);                                              \
            sys_call(peer, &m, SYS_NO_DEADLINE);                      \
            END(mark);                                                \
        }                                                             \
        finish(process);                                              \
        sys_handle_close(peer);                                       \
    } while (0)

static void measure_calls(void)
{
    MEASURE_CALL(M_CALL, "server", PRIO_HIGH);
    MEASURE_CALL(M_CALL_ONE, "server-one", PRIO_HIGH);
    MEASURE_CALL(M_CALL_LENT, "server-one", PRIO_NORMAL);
}

static void measure_notify(int in_wait)
{
    struct wait_item w = {.kind = WAIT_HANDLE, .handle = mine, .want = READY_IN};
    int process = start(in_wait ? "notifies-wait" : "notifies-recv", PRIO_NORMAL);
    struct sys_msg m;

    for (int i = 0; i < RUNS; i++) {
        if (in_wait) {
            sys_wait(&w, 1, SYS_NO_DEADLINE);
            END(M_NOTIFY_WAIT);
            sys_recv(mine, &m, 0);
        } else {
            sys_recv(mine, &m, SYS_NO_DEADLINE);
            END(M_NOTIFY_RECV);
        }
    }
    finish(process);
}

static void measure_spawn(void)
{
    for (int i = 0; i < SPAWNS; i++) {
        int process;
        BEGIN(M_SPAWN);
        process = start("spawned", PRIO_HIGH);
        wait_up();
        finish(process);
    }
}

int main(int argc, char **argv)
{
    END(M_SPAWN); /* the first thing that main does */
    if (argc > 1) {
        if (strcmp(argv[1], "spawned") == 0)
            return up(), 0;
        play(argv[1]);
        sleep_for_good();
    }
    if (as_large_as_most == NULL)
        return 1;
    mine = sys_endpoint_create(16);
    measure_null();
    measure_switch();
    measure_switch_process();
    measure_calls();
    measure_notify(0);
    measure_notify(1);
    measure_spawn();
    sys_power(POWER_TEST_PASS);
    return 1;
}
