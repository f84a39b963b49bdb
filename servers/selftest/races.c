/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/races.c: messages, futexes and pipes at every moment: what is
 * sent, woken, closed, or dies, while the other side is just about to sleep;
 * floods; many senders.
 *
 * A sweep lets one side start and acts x ns later, for every x of a span that
 * covers what the first side does. Where time follows the instructions (QEMU's
 * -icount shift=0, see tests/system/test_selftest.py) that is every instruction;
 * elsewhere it is a sample, on several processors every third x of it.
 */
#include "selftest.h"
#include <errno.h>
#include <string.h>

#define NAME "selftest"
#define SPAN_NS 2600u
#define STACK_BYTES 8192

static uint64_t in_ms(uint64_t ms)
{
    return sys_now_ns() + ms * 1000000;
}

static struct sys_msg message(uint32_t type)
{
    struct sys_msg m;

    memset(&m, 0, sizeof(m));
    m.type = type;
    m.handle = -1;
    return m;
}

/* --- a thread of low priority that does one thing at a time --- */

enum job { QUIT, RECV, WAIT_RECV, REPLY_RECV, CALL_UNTIL_ERROR, SLEEP, READ, WAIT_READ, WRITE, WAIT_WRITE };

static struct worker {
    uint32_t go, done, alive, word; /* futexes */
    enum job job;
    int handle, result;
    uint64_t limit_ns;
    struct sys_msg m;
    char stack[STACK_BYTES] __attribute__((aligned(16)));
} worker;

static int receive(struct worker *w)
{
    struct wait_item it = {.kind = WAIT_HANDLE, .handle = w->handle, .want = READY_IN};
    int r = 1;

    if (w->job == REPLY_RECV)
        return sys_reply_recv(0, &w->m, w->handle, w->limit_ns);
    if (w->job == WAIT_RECV)
        r = sys_wait(&it, 1, w->limit_ns);
    return r < 0 ? r : sys_recv(w->handle, &w->m, w->limit_ns);
}

/* A whole pipe page, which goes in or not. */
static char page[4096];

static int sleep_or_stream(struct worker *w)
{
    struct wait_item word = {.kind = WAIT_FUTEX, .handle = -1, .addr = (uintptr_t)&w->word, .value = 0};
    struct wait_item end = {.kind = WAIT_HANDLE, .handle = w->handle};
    bool reads = w->job == READ || w->job == WAIT_READ;

    if (w->job == SLEEP)
        return sys_wait(&word, 1, w->limit_ns);
    end.want = reads ? READY_IN : READY_OUT;
    if (w->job == WAIT_READ || w->job == WAIT_WRITE) {
        int r = sys_wait(&end, 1, w->limit_ns);
        if (r != 1)
            return r < 0 ? r : -EIO;
    }
    return (int)(reads ? sys_stream_read(w->handle, page, sizeof page, w->limit_ns)
                       : sys_stream_write(w->handle, page, sizeof page, w->limit_ns));
}

/* No libc here: such a thread has no thread-local storage. */
static void work(void *arg)
{
    struct worker *w = arg;

    for (uint32_t seen = 0;; seen++) {
        struct wait_item it = {.kind = WAIT_FUTEX, .handle = -1, .addr = (uintptr_t)&w->go, .value = seen};
        while (__atomic_load_n(&w->go, __ATOMIC_ACQUIRE) == seen)
            sys_wait(&it, 1, SYS_NO_DEADLINE);
        if (w->job == QUIT)
            sys_thread_exit(&w->alive);
        if (w->job == CALL_UNTIL_ERROR) {
            do {
                w->m.type = 1; /* the oracle's NEXT */
                w->result = sys_call(w->handle, &w->m, w->limit_ns);
            } while (w->result == 0);
        } else if (w->job >= SLEEP) {
            w->result = sleep_or_stream(w);
        } else {
            w->result = receive(w);
            if (w->result == 0 && w->m.token != 0)
                w->result = sys_reply(w->m.token, &w->m);
        }
        __atomic_add_fetch(&w->done, 1, __ATOMIC_RELEASE);
        sys_futex_wake(&w->done, 1);
    }
}

static bool worker_start(struct worker *w)
{
    struct sys_thread t = {.entry = (uintptr_t)work, .stack = (uintptr_t)(w->stack + STACK_BYTES - 64),
                           .arg = (uintptr_t)w, .priority = PRIO_LOW};

    memset(w, 0, offsetof(struct worker, stack));
    w->alive = 1;
    return sys_thread_create(&t) >= 0;
}

static void worker_go(struct worker *w, enum job job)
{
    w->job = job;
    w->limit_ns = sys_now_ns() + WAIT_NS;
    __atomic_add_fetch(&w->go, 1, __ATOMIC_RELEASE);
    sys_futex_wake(&w->go, 1);
}

/* Until *word == value; false when that takes too long. */
static bool until(uint32_t *word, uint32_t value)
{
    uint64_t limit_ns = sys_now_ns() + 2 * WAIT_NS;
    uint32_t now;

    while ((now = __atomic_load_n(word, __ATOMIC_ACQUIRE)) != value) {
        struct wait_item it = {.kind = WAIT_FUTEX, .handle = -1, .addr = (uintptr_t)word, .value = now};
        if (sys_wait(&it, 1, limit_ns) == -ETIMEDOUT)
            return false;
    }
    return true;
}

/* It has done so much, and was woken to do it: what is there at the end of a
 * wait counts as success for the kernel, not for these tests. */
static bool finished(struct worker *w, uint32_t rounds)
{
    return until(&w->done, rounds) && sys_now_ns() < w->limit_ns;
}

static bool worker_end(struct worker *w)
{
    worker_go(w, QUIT);
    return until(&w->alive, 0);
}

/* From one x of a sweep to the next. */
static uint32_t step_ns(void)
{
    static struct info_system s;

    return sys_info(INFO_SYSTEM, 0, &s, sizeof s) > 0 && s.cpus > 1 ? 3 : 1;
}

/* --- wake-ups --- */

enum verb { SEND, NOTIFY, CALL };

static int act(enum verb verb, int e)
{
    struct sys_msg m = message(5);

    return verb == SEND ? sys_send(e, &m) : verb == NOTIFY ? sys_notify(e, 4) : sys_call(e, &m, in_ms(5000));
}

/* The verb comes x ns after the receiver has been told to receive. */
static const char *wakes_at_every_instant(void) /* C-MSG-6 */
{
    static const enum job jobs[] = {RECV, WAIT_RECV, REPLY_RECV};
    int e = sys_endpoint_create(2);
    uint32_t rounds = 0, step = step_ns();

    CHECK(e >= 0 && worker_start(&worker));
    worker.handle = e;
    for (unsigned j = 0; j < 3; j++)
        for (enum verb v = SEND; v <= CALL; v++)
            for (uint32_t x = 0; x < SPAN_NS; x += step) {
                worker_go(&worker, jobs[j]);
                sys_wait(NULL, 0, sys_now_ns() + x);
                CHECK(act(v, e) == 0 && finished(&worker, ++rounds));
                CHECK(worker.result == 0);
                CHECK(v == NOTIFY ? worker.m.type == MSG_NOTIFY && worker.m.bits == 4 : worker.m.type == 5);
            }
    CHECK(worker_end(&worker) && sys_handle_close(e) == 0);
    return NULL;
}

/* The word changes, and the wake-up comes, x ns after the sleep has begun. */
static const char *futexes_at_every_instant(void) /* C-MSG-6 */
{
    uint32_t rounds = 0, step = step_ns();

    CHECK(worker_start(&worker));
    for (uint32_t x = 0; x < SPAN_NS; x += step) {
        __atomic_store_n(&worker.word, 0, __ATOMIC_RELEASE);
        worker_go(&worker, SLEEP);
        sys_wait(NULL, 0, sys_now_ns() + x);
        __atomic_store_n(&worker.word, 1, __ATOMIC_RELEASE);
        CHECK(sys_futex_wake(&worker.word, 1) <= 1 && finished(&worker, ++rounds));
        CHECK(worker.result == 1);
    }
    CHECK(worker_end(&worker));
    return NULL;
}

static bool fill(int to)
{
    int64_t n;

    while ((n = sys_stream_write(to, page, sizeof page, 0)) == (int64_t)sizeof page)
        ;
    return n == -EAGAIN;
}

/* Bytes for a reader, or room for a writer, x ns after it has begun. */
static const char *pipes_at_every_instant(void) /* C-PIPE-3 */
{
    uint32_t rounds = 0, step = step_ns();
    int32_t p[2];

    CHECK(sys_pipe_create(p) == 0 && worker_start(&worker));
    for (enum job j = READ; j <= WAIT_WRITE; j++) {
        bool reads = j == READ || j == WAIT_READ;
        worker.handle = p[reads ? 0 : 1];
        CHECK(reads || fill(p[1]));
        for (uint32_t x = 0; x < SPAN_NS; x += step) {
            worker_go(&worker, j);
            sys_wait(NULL, 0, sys_now_ns() + x);
            if (reads)
                CHECK(sys_stream_write(p[1], "x", 1, 0) == 1);
            else
                CHECK(sys_stream_read(p[0], page, sizeof page, 0) == sizeof page);
            CHECK(finished(&worker, ++rounds));
            CHECK(worker.result == (reads ? 1 : (int)sizeof page));
        }
    }
    CHECK(worker_end(&worker) && sys_handle_close(p[0]) == 0 && sys_handle_close(p[1]) == 0);
    return NULL;
}

/* The other end is closed x ns after a read or a write has begun. */
static const char *ends_close_at_every_instant(void) /* C-PIPE-3 */
{
    struct info_memory before, after;
    uint32_t rounds = 0;
    int32_t p[2];

    CHECK(worker_start(&worker));
    sys_info(INFO_MEMORY, 0, &before, sizeof before);
    for (enum job j = READ; j <= WAIT_WRITE; j++) {
        int mine = j == READ || j == WAIT_READ ? 1 : 0;
        for (uint32_t x = 0; x < SPAN_NS; x += 13) {
            CHECK(sys_pipe_create(p) == 0 && (mine == 1 || fill(p[1])));
            worker.handle = p[!mine];
            worker_go(&worker, j);
            sys_wait(NULL, 0, sys_now_ns() + x);
            CHECK(sys_handle_close(p[mine]) == 0 && finished(&worker, ++rounds));
            CHECK(worker.result == (mine == 1 ? 0 : -EPIPE));
            CHECK(sys_handle_close(p[!mine]) == 0);
        }
    }
    sys_info(INFO_MEMORY, 0, &after, sizeof after);
    CHECK(after.free + 65536 >= before.free); /* not 800 pipes' pages less */
    CHECK(worker_end(&worker));
    return NULL;
}

/* The server is killed x ns after calls to it have begun. */
static const char *death_at_every_instant(void) /* C-MSG-2 */
{
    static struct sys_exit x;
    struct sys_rights r = rights_none();
    uint32_t rounds = 0;

    strcpy(r.serves, NAME);
    CHECK(worker_start(&worker));
    for (uint32_t at = 0; at < SPAN_NS; at += 13) {
        int process = role_start("oracle", "", &r), peer = sys_name_wait(NAME, in_ms(5000));
        CHECK(process >= 0 && peer >= 0 && sys_process_status(process, &x) == 0);
        worker.handle = peer;
        worker.m = message(1);
        worker_go(&worker, CALL_UNTIL_ERROR);
        sys_wait(NULL, 0, sys_now_ns() + at);
        CHECK(sys_kill(x.pid, 9) == 0 && finished(&worker, ++rounds));
        CHECK(worker.result == -EPEER);
        CHECK(role_end(process) == -EPEER && sys_handle_close(peer) == 0);
    }
    CHECK(worker_end(&worker));
    return NULL;
}

/* --- many --- */

/* sender N: sends 0, 1, 2 ... in order; waits when the queue is full. */
static int role_sender(int argc, char **argv)
{
    struct sys_msg m = message((uint32_t)(argv[2][0] - '0'));

    (void)argc;
    for (uint32_t i = 0; i < 2000;) {
        memcpy(m.data, &i, sizeof i);
        m.len = sizeof i;
        int r = sys_send(0, &m);
        if (r == 0)
            i++;
        else if (r == -EAGAIN)
            sys_yield();
        else
            return 1;
    }
    return 0;
}

/* flood: sends as fast as it can, and never mind. */
static int role_flood(int argc, char **argv)
{
    struct sys_msg m = message(9);

    (void)argc, (void)argv;
    for (uint64_t full = 0; full < 100000; full += sys_send(0, &m) == -EAGAIN)
        ;
    return 0;
}

static int start_at(int endpoint, const char *role, const char *arg)
{
    struct sys_spawn s = {.name = "role", .path = "bin/selftest", .argc = 3, .nhandles = 1};
    const char *words[3] = {"selftest", role, arg};
    char args[64];
    size_t n = 0;

    for (int i = 0; i < 3; i++) {
        strcpy(args + n, words[i]);
        n += strlen(words[i]) + 1;
    }
    s.args = (uintptr_t)args;
    s.args_bytes = (uint32_t)n;
    s.handles[0] = endpoint;
    return sys_spawn(&s);
}

static const char *many_senders_lose_nothing(void) /* C-MSG-1 */
{
    enum { SENDERS = 4 };
    static const char *const names[SENDERS] = {"0", "1", "2", "3"};
    int e = sys_endpoint_create(8), process[SENDERS];
    uint32_t next[SENDERS] = {0}, pid[SENDERS] = {0}, value;
    struct sys_msg m;

    CHECK(e >= 0);
    for (int i = 0; i < SENDERS; i++)
        CHECK((process[i] = start_at(e, "sender", names[i])) >= 0);
    for (int i = 0; i < SENDERS * 2000; i++) {
        CHECK(sys_recv(e, &m, in_ms(5000)) == 0 && m.type < SENDERS);
        memcpy(&value, m.data, sizeof value);
        CHECK(value == next[m.type]++); /* each once, in its sender's order */
        CHECK(pid[m.type] == 0 || pid[m.type] == m.sender_pid);
        pid[m.type] = m.sender_pid;
    }
    CHECK(sys_recv(e, &m, 0) == -EAGAIN);
    for (int i = 0; i < SENDERS; i++)
        CHECK(role_end(process[i]) == 0);
    CHECK(sys_handle_close(e) == 0);
    return NULL;
}

/* Who floods one endpoint neither fills memory nor keeps others from talking. */
static const char *floods_hurt_nobody_else(void) /* C-MSG-1 */
{
    static struct info_system before, after;
    int flooded = sys_endpoint_create(16), mine = sys_endpoint_create(4), process;
    struct sys_msg m = message(1);

    CHECK(flooded >= 0 && mine >= 0);
    process = start_at(flooded, "flood", "");
    CHECK(process >= 0);
    while (sys_send(flooded, &m) == 0) /* until it is full */
        sys_yield();
    CHECK(sys_info(INFO_SYSTEM, 0, &before, sizeof before) > 0);
    for (int i = 0; i < 200; i++) {
        CHECK(sys_send(mine, &m) == 0 && sys_recv(mine, &m, 0) == 0);
        sys_yield();
    }
    CHECK(sys_info(INFO_SYSTEM, 0, &after, sizeof after) > 0);
    CHECK(after.memory_free + 65536 >= before.memory_free);
    CHECK(sys_call(flooded, &m, in_ms(1000)) == -EAGAIN && sys_notify(flooded, 1) == 0);
    CHECK(role_end(process) == 0 && sys_handle_close(flooded) == 0 && sys_handle_close(mine) == 0);
    return NULL;
}

static const char *handles_run_out_and_come_back(void)
{
    static int all[3000];
    int n[2], r = 0, e = sys_endpoint_create(1);
    struct wait_item w = {.kind = WAIT_HANDLE, .want = READY_IN};

    for (int round = 0; round < 2; round++) {
        for (n[round] = 0; n[round] < 3000 && (r = sys_endpoint_create(1)) >= 0; n[round]++)
            all[n[round]] = r;
        CHECK(r == -EMFILE && sys_endpoint_create(1) == -EMFILE);
        CHECK(sys_notify(e, 1) == 0); /* what is there works on */
        w.handle = e;
        CHECK(sys_wait(&w, 1, 0) == 1);
        for (int i = 0; i < n[round]; i++)
            CHECK(sys_handle_close(all[i]) == 0);
    }
    CHECK(n[0] == n[1] && n[0] > 1000 && sys_handle_close(e) == 0);
    return NULL;
}

/* --- a chain of calls --- */

static struct relay {
    int from, to; /* to < 0: the end of the chain */
    uint32_t alive;
    char stack[STACK_BYTES] __attribute__((aligned(16)));
} relays[3];
static uint32_t spinning;

static void relay(void *arg)
{
    struct relay *r = arg;
    struct sys_msg m;

    while (sys_recv(r->from, &m, SYS_NO_DEADLINE) == 0 && m.type != QUIT) {
        uint64_t token = m.token;
        m.handle = -1;
        if (r->to >= 0)
            sys_call(r->to, &m, SYS_NO_DEADLINE);
        sys_reply(token, &m);
    }
    sys_thread_exit(&r->alive);
}

static void spin(void *arg)
{
    uint32_t *alive = arg;

    while (__atomic_load_n(&spinning, __ATOMIC_RELAXED))
        ;
    sys_thread_exit(alive);
}

static bool thread_at(void (*fn)(void *), void *arg, char *stack, uint32_t priority)
{
    struct sys_thread t = {.entry = (uintptr_t)fn, .stack = (uintptr_t)(stack + STACK_BYTES - 64),
                           .arg = (uintptr_t)arg, .priority = priority};
    return sys_thread_create(&t) >= 0;
}

/* Three servers of low priority behind threads that never sleep, as many as
 * there could be CPUs: only the caller's priority, handed on, brings the answer. */
static const char *loans_go_along_a_chain(void) /* C-MSG-7 */
{
    enum { SPINNERS = 4 };
    static char stacks[SPINNERS][STACK_BYTES] __attribute__((aligned(16)));
    static uint32_t alive[SPINNERS];
    int e[3];
    struct sys_msg m;

    for (int i = 0; i < 3; i++)
        CHECK((e[i] = sys_endpoint_create(2)) >= 0);
    for (int i = 0; i < 3; i++) {
        relays[i].from = e[i];
        relays[i].to = i < 2 ? e[i + 1] : -1;
        relays[i].alive = 1;
        CHECK(thread_at(relay, &relays[i], relays[i].stack, PRIO_LOW));
    }
    m = message(7);
    CHECK(sys_call(e[0], &m, in_ms(5000)) == 0); /* all of them sit in recv now, or will */
    sys_wait(NULL, 0, in_ms(5));
    spinning = 1;
    for (int i = 0; i < SPINNERS; i++) {
        alive[i] = 1;
        CHECK(thread_at(spin, &alive[i], stacks[i], PRIO_LOW + 2));
    }
    for (int i = 0; i < 20; i++) {
        m = message(7);
        CHECK(sys_call(e[0], &m, in_ms(400)) == 0 && m.type == 7);
    }
    __atomic_store_n(&spinning, 0, __ATOMIC_RELAXED);
    for (int i = 0; i < SPINNERS; i++)
        CHECK(until(&alive[i], 0));
    m = message(QUIT);
    for (int i = 0; i < 3; i++)
        CHECK(sys_send(e[i], &m) == 0 && until(&relays[i].alive, 0) && sys_handle_close(e[i]) == 0);
    return NULL;
}

const struct test races_tests[] = {
    {"wakes-at-every-instant", wakes_at_every_instant},
    {"futexes-at-every-instant", futexes_at_every_instant},
    {"pipes-at-every-instant", pipes_at_every_instant},
    {"ends-close-at-every-instant", ends_close_at_every_instant},
    {"death-at-every-instant", death_at_every_instant},
    {"many-senders-lose-nothing", many_senders_lose_nothing},
    {"floods-hurt-nobody-else", floods_hurt_nobody_else},
    {"handles-run-out-and-come-back", handles_run_out_and_come_back},
    {"loans-go-along-a-chain", loans_go_along_a_chain},
    {NULL, NULL},
};

const struct role races_roles[] = {{"sender", role_sender}, {"flood", role_flood}, {NULL, NULL}};
