/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/messages.c: call, send, recv, reply, notify, and what happens
 * to them when a peer dies. The server of these tests is a role of this
 * program, which serves under the same name.
 */
#include "selftest.h"
#include <string.h>

#define NAME "selftest"

enum { ECHO = 1, DIE = 2, HANG = 3, LATE = 4, HELLO = 77 };

static int mine = -1; /* our own endpoint; the server tells us by it that it is up */

static struct sys_msg message(uint32_t type)
{
    struct sys_msg m;

    memset(&m, 0, sizeof(m));
    m.type = type;
    m.handle = -1;
    return m;
}

static uint64_t in_ms(uint64_t ms)
{
    return sys_now_ns() + ms * 1000000;
}

/* --- the server --- */

static int role_server(int argc, char **argv)
{
    int e = sys_endpoint_create(argv[2][0] == 'd' ? 2 : 8);
    struct sys_msg m = message(HELLO);

    (void)argc;
    if (e < 0 || sys_name_register(NAME, e) != 0)
        return 1;
    if (sys_name_register("other", e) != -EACCES || sys_name_lookup("other") != -EACCES)
        return 2;
    if (sys_send(0, &m) != 0)
        return 3;
    if (argv[2][0] == 'd') /* deaf */
        for (;;)
            sys_wait(NULL, 0, SYS_NO_DEADLINE);
    while (argv[2][0] == 'o') { /* one entry */
        if (sys_reply_recv(m.token, &m, e, SYS_NO_DEADLINE) != 0)
            return 4;
        if (m.type == LATE)
            sys_wait(NULL, 0, in_ms(20));
        m.data[0]++;
    }
    for (;;) {
        if (sys_recv(e, &m, SYS_NO_DEADLINE) != 0)
            return 4;
        switch (m.type) {
        case DIE:
            return 9;
        case HANG:
            continue; /* never answers this one */
        case LATE:
            sys_wait(NULL, 0, in_ms(20));
            m.type = sys_reply(m.token, &m) == -EPEER ? 1 : 0; /* the caller gave up: what did we hear? */
            m.handle = -1;
            sys_send(0, &m);
            continue;
        default:
            m.data[0]++;
            if (sys_reply(m.token, &m) != 0 || sys_reply(m.token, &m) != -EPEER)
                return 5;
            if (m.handle >= 0)
                sys_handle_close(m.handle);
        }
    }
}

/* notes: sets three bits one after the other. */
static int role_notes(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (int i = 0; i < 3; i++)
        if (sys_notify(0, 1ull << i) != 0)
            return 1;
    return sys_notify(0, 0);
}

/* A role with our endpoint as handle 0; the right to serve our name goes along. */
static int start_at(uint32_t priority, const char *role, const char *arg)
{
    struct sys_rights r = rights_none();
    struct sys_spawn s = {
        .name = "role", .path = "bin/selftest", .argc = 3, .nhandles = 1, .priority = priority,
    };
    char args[64];
    size_t n = 0;
    const char *words[3] = {"selftest", role, arg};

    for (int i = 0; i < 3; i++) {
        strcpy(args + n, words[i]);
        n += strlen(words[i]) + 1;
    }
    strcpy(r.serves, NAME);
    s.args = (uint64_t)(uintptr_t)args;
    s.args_bytes = (uint32_t)n;
    s.rights = (uint64_t)(uintptr_t)&r;
    s.handles[0] = mine;
    return sys_spawn(&s);
}

static int start(const char *role, const char *arg)
{
    return start_at(0, role, arg);
}

/* A running server, and a handle to send to it. */
static bool serve(const char *how, int *process, int *peer)
{
    struct sys_msg m;

    *process = start("server", how);
    if (*process < 0 || sys_recv(mine, &m, sys_now_ns() + WAIT_NS) != 0 || m.type != HELLO)
        return false;
    *peer = sys_name_lookup(NAME);
    return *peer >= 0;
}

static int stop(int process)
{
    static struct sys_exit e;

    sys_process_status(process, &e);
    sys_kill(e.pid, 9);
    return role_end(process);
}

/* --- tests --- */

static const char *calls_are_answered(void)
{
    int process, peer;
    struct sys_msg m;

    mine = sys_endpoint_create(16);
    CHECK(mine >= 0);
    CHECK(sys_name_lookup(NAME) == -ENOENT);
    CHECK(serve("", &process, &peer));
    for (int i = 0; i < 200; i++) {
        m = message(ECHO);
        m.len = 1;
        m.data[0] = (uint8_t)i;
        CHECK(sys_call(peer, &m, SYS_NO_DEADLINE) == 0);
        CHECK(m.len == 1 && m.data[0] == (uint8_t)(i + 1) && m.sender_pid != 0 && m.token == 0);
    }
    m = message(ECHO);
    m.len = MSG_INLINE_MAX + 1;
    CHECK(sys_call(peer, &m, SYS_NO_DEADLINE) == -EINVAL);
    m = message(MSG_NOTIFY);
    CHECK(sys_send(peer, &m) == -EINVAL);
    m = message(ECHO);
    CHECK(sys_recv(peer, &m, 0) == -EBADF); /* may only send */
    CHECK(stop(process) == -EPEER);
    CHECK(sys_handle_close(peer) == 0);
    return NULL;
}

static const char *memory_goes_along(void)
{
    int process, peer, h = sys_memobj_create(8192);
    int64_t a = sys_memobj_map(h, 0, 0, 8192, PROT_R | PROT_W), b;
    struct sys_msg m = message(ECHO);

    CHECK(h >= 0 && a > 0 && serve("", &process, &peer));
    *(volatile int *)(uintptr_t)(a + 4096) = 42;
    m.handle = h;
    CHECK(sys_call(peer, &m, SYS_NO_DEADLINE) == 0 && m.handle >= 0 && m.handle != h);
    b = sys_memobj_map(m.handle, 0, 0, 8192, PROT_R);
    CHECK(b > 0 && *(volatile int *)(uintptr_t)(b + 4096) == 42);
    CHECK(sys_handle_close(m.handle) == 0 && sys_handle_close(h) == 0);
    CHECK(sys_mem_unmap((uint64_t)a, 8192) == 0 && sys_mem_unmap((uint64_t)b, 8192) == 0);
    CHECK(stop(process) == -EPEER && sys_handle_close(peer) == 0);
    return NULL;
}

/* What comes back from the echo is what went there, and can do what it could;
 * but receiving stays with an endpoint's owner, and packets with a net endpoint's. */
static const char *handles_go_along(void) /* C-MSG-8 */
{
    static struct sys_exit status;
    struct sys_msg m = message(ECHO);
    int process, peer, console = sys_console_open();
    struct raw net;

    CHECK(console >= 0 && raw_open(&net) >= 0 && serve("", &process, &peer));
    m.handle = mine;
    CHECK(sys_call(peer, &m, SYS_NO_DEADLINE) == 0 && m.handle >= 0 && m.handle != mine);
    int again = m.handle;
    m = message(7);
    CHECK(sys_recv(again, &m, 0) == -EBADF && sys_name_register(NAME, again) != 0);
    CHECK(sys_send(again, &m) == 0 && sys_recv(mine, &m, 0) == 0 && m.type == 7);
    CHECK(m.sender_pid == (uint32_t)sys_getpid() && sys_handle_close(again) == 0);

    m = message(ECHO);
    m.handle = peer; /* the server's own, as a capability to send */
    CHECK(sys_call(peer, &m, SYS_NO_DEADLINE) == 0 && m.handle >= 0);
    again = m.handle;
    m = message(ECHO);
    CHECK(sys_call(again, &m, SYS_NO_DEADLINE) == 0 && sys_handle_close(again) == 0);

    m = message(ECHO);
    m.handle = process;
    CHECK(sys_call(peer, &m, SYS_NO_DEADLINE) == 0 && m.handle >= 0);
    CHECK(sys_process_status(m.handle, &status) == 0 && status.state == PROC_RUNNING);
    CHECK(sys_handle_close(m.handle) == 0);

    int32_t ends[2];
    char byte = 0;
    CHECK(sys_pipe_create(ends) == 0);
    m = message(ECHO);
    m.handle = ends[1];
    CHECK(sys_call(peer, &m, SYS_NO_DEADLINE) == 0 && m.handle >= 0 && sys_handle_close(ends[1]) == 0);
    CHECK(sys_stream_write(m.handle, "x", 1, 0) == 1 && sys_stream_read(ends[0], &byte, 1, 0) == 1 && byte == 'x');
    CHECK(sys_handle_close(m.handle) == 0 && sys_stream_read(ends[0], &byte, 1, in_ms(5000)) == 0);
    CHECK(sys_handle_close(ends[0]) == 0);

    m = message(ECHO);
    m.handle = console;
    CHECK(sys_call(peer, &m, SYS_NO_DEADLINE) == -EPERM && sys_send(peer, &m) == -EPERM);
    m.handle = net.handle;
    CHECK(sys_call(peer, &m, SYS_NO_DEADLINE) == -EPERM);
    CHECK(sys_handle_close(console) == 0 && sys_handle_close(net.handle) == 0);
    CHECK(sys_call(peer, &m, SYS_NO_DEADLINE) == -EBADF);
    CHECK(stop(process) == -EPEER && sys_handle_close(peer) == 0);
    return NULL;
}

/* One entry into the kernel for each request, as servers have it. */
static const char *reply_and_receive(void) /* C-MSG-5 */
{
    int process, peer;
    struct sys_msg m = message(ECHO);

    CHECK(serve("one", &process, &peer));
    for (int i = 0; i < 200; i++) {
        m = message(ECHO);
        m.len = 1;
        m.data[0] = (uint8_t)i;
        CHECK(sys_call(peer, &m, SYS_NO_DEADLINE) == 0 && m.data[0] == (uint8_t)(i + 1));
        if (i % 50 == 49) { /* it answers somebody who has given up, and goes on */
            m = message(LATE);
            CHECK(sys_call(peer, &m, in_ms(5)) == -ETIMEDOUT);
        }
    }
    CHECK(stop(process) == -EPEER && sys_handle_close(peer) == 0);

    m = message(5);
    CHECK(sys_send(mine, &m) == 0);
    CHECK(sys_reply_recv(77, &m, mine, 0) == 0 && m.type == 5 && m.token == 0); /* nobody's token */
    CHECK(sys_reply_recv(0, &m, mine, 0) == -EAGAIN);
    CHECK(sys_reply_recv(0, &m, mine, in_ms(2)) == -ETIMEDOUT);
    CHECK(sys_reply_recv(0, &m, 999, 0) == -EBADF);
    return NULL;
}

/* A sender cannot stop a receiver by filling its handle table. */
static const char *no_free_handle(void)
{
    static int all[3000];
    int n = 0, e, h = sys_memobj_create(4096), r;
    struct sys_msg m = message(ECHO);

    CHECK(h >= 0);
    m.handle = h;
    for (int i = 0; i < 2; i++)
        CHECK(sys_send(mine, &m) == 0);
    while (n < 3000 && (e = sys_endpoint_create(1)) >= 0)
        all[n++] = e;
    r = sys_recv(mine, &m, 0);
    for (int i = 0; i < n; i++)
        sys_handle_close(all[i]);
    CHECK(e == -EMFILE && r == 0 && m.type == ECHO && m.handle == -EMFILE);
    CHECK(sys_recv(mine, &m, 0) == 0 && m.handle >= 0);
    CHECK(sys_handle_close(m.handle) == 0 && sys_handle_close(h) == 0);
    return NULL;
}

static const char *calls_time_out(void) /* C-MSG-5 */
{
    struct sys_msg m = message(HANG);
    int process, peer;

    CHECK(serve("", &process, &peer));
    CHECK(sys_call(peer, &m, in_ms(5)) == -ETIMEDOUT);
    m = message(LATE);
    CHECK(sys_call(peer, &m, in_ms(5)) == -ETIMEDOUT);
    CHECK(sys_recv(mine, &m, sys_now_ns() + WAIT_NS) == 0);
    CHECK(m.type == 1); /* the late reply met nobody, and said so */
    m = message(ECHO);
    CHECK(sys_call(peer, &m, SYS_NO_DEADLINE) == 0); /* and this one got its own */
    CHECK(stop(process) == -EPEER && sys_handle_close(peer) == 0);
    return NULL;
}

static const char *death_is_an_error_at_once(void) /* C-MSG-2 */
{
    struct wait_item w = {.kind = WAIT_HANDLE, .want = 0};
    struct sys_msg m = message(DIE);
    int process, peer;

    CHECK(serve("", &process, &peer));
    CHECK(sys_call(peer, &m, SYS_NO_DEADLINE) == -EPEER);
    CHECK(role_end(process) == 9);
    CHECK(sys_call(peer, &m, SYS_NO_DEADLINE) == -EPEER);
    CHECK(sys_send(peer, &m) == -EPEER && sys_notify(peer, 1) == -EPEER);
    w.handle = peer;
    CHECK(sys_wait(&w, 1, SYS_NO_DEADLINE) == 1 && w.got == READY_ERR);
    CHECK(sys_name_lookup(NAME) == -ENOENT);
    CHECK(sys_handle_close(peer) == 0);

    CHECK(serve("", &process, &peer)); /* its successor has the name */
    m = message(ECHO);
    CHECK(sys_call(peer, &m, SYS_NO_DEADLINE) == 0);
    CHECK(stop(process) == -EPEER && sys_handle_close(peer) == 0);
    return NULL;
}

/* A server of low priority behind one that never sleeps: only what the call
 * lends it brings the answer. */
static const char *a_call_lends_its_priority(void) /* C-MSG-7 */
{
    struct sys_msg m = message(ECHO);
    int server = start_at(PRIO_LOW, "server", ""), peer, hog;

    CHECK(server >= 0 && sys_recv(mine, &m, sys_now_ns() + WAIT_NS) == 0);
    peer = sys_name_lookup(NAME);
    m = message(ECHO);
    CHECK(peer >= 0 && sys_call(peer, &m, sys_now_ns() + WAIT_NS) == 0); /* it waits in recv now, or will */
    sys_wait(NULL, 0, in_ms(5));
    hog = start_at(PRIO_LOW + 2, "spin", "");
    CHECK(hog >= 0);
    for (int i = 0; i < 3; i++) {
        m = message(ECHO);
        CHECK(sys_call(peer, &m, in_ms(1000)) == 0);
        m = message(HANG); /* taken, but never answered: the loan ends with the deadline */
        CHECK(sys_call(peer, &m, in_ms(10)) == -ETIMEDOUT);
    }
    CHECK(stop(hog) == -EPEER && stop(server) == -EPEER && sys_handle_close(peer) == 0);
    return NULL;
}

static const char *full_queues_refuse(void) /* C-MSG-1, C-MSG-3 */
{
    struct sys_msg m = message(ECHO);
    int process, peer;

    CHECK(serve("deaf", &process, &peer));
    CHECK(sys_send(peer, &m) == 0 && sys_send(peer, &m) == 0);
    CHECK(sys_send(peer, &m) == -EAGAIN);
    CHECK(sys_call(peer, &m, SYS_NO_DEADLINE) == -EAGAIN);
    CHECK(sys_notify(peer, 1) == 0); /* never refused */
    CHECK(stop(process) == -EPEER && sys_handle_close(peer) == 0);
    return NULL;
}

static const char *bits_gather(void) /* C-MSG-3, C-MSG-4 */
{
    struct wait_item w = {.kind = WAIT_HANDLE, .handle = mine, .want = READY_IN};
    struct sys_msg m;

    CHECK(role_end(start("notes", "")) == 0);
    CHECK(sys_wait(&w, 1, 0) == 1 && w.got == READY_IN);
    CHECK(sys_recv(mine, &m, 0) == 0);
    CHECK(m.type == MSG_NOTIFY && m.bits == 7 && m.token == 0 && m.handle == -1);
    CHECK(sys_recv(mine, &m, 0) == -EAGAIN);
    CHECK(sys_recv(mine, &m, in_ms(2)) == -ETIMEDOUT);
    m = message(5);
    CHECK(sys_send(mine, &m) == 0 && sys_notify(mine, 16) == 0);
    CHECK(sys_recv(mine, (struct sys_msg *)8, 0) == -EFAULT); /* and it stays queued */
    CHECK(sys_recv(mine, &m, 0) == 0);
    CHECK(m.type == 5 && m.bits == 16 && m.sender_pid == (uint32_t)sys_getpid());
    return NULL;
}

static const char *forged_tokens_find_nothing(void) /* C-MSG-5 */
{
    struct sys_msg m = message(0);

    CHECK(sys_reply(0, &m) == -EPEER);
    CHECK(sys_reply(0xffff, &m) == -EPEER);
    for (uint64_t t = 1; t < 4000; t++)
        CHECK(sys_reply(t << 10 | t % 32, &m) == -EPEER);
    CHECK(sys_call(mine, &m, in_ms(2)) == -ETIMEDOUT); /* to oneself */
    CHECK(sys_recv(mine, &m, 0) == -EAGAIN);           /* given up: never served */
    CHECK(sys_handle_close(mine) == 0);
    mine = -1;
    return NULL;
}

/* Callers that give up leave no place taken: the server that waits would never
 * hear of them, and nobody else could send. */
static const char *given_up_calls_make_room(void)
{
    int e = sys_endpoint_create(2);
    struct sys_msg m = message(ECHO);

    CHECK(e >= 0);
    for (int i = 0; i < 5; i++)
        CHECK(sys_call(e, &m, 0) == -EAGAIN);
    m = message(HELLO);
    CHECK(sys_send(e, &m) == 0);
    CHECK(sys_call(e, &m, 0) == -EAGAIN); /* behind one that stays */
    CHECK(sys_recv(e, &m, 0) == 0 && m.type == HELLO);
    CHECK(sys_recv(e, &m, 0) == -EAGAIN);
    CHECK(sys_handle_close(e) == 0);
    return NULL;
}

const struct test messages_tests[] = {
    {"calls-are-answered", calls_are_answered},
    {"memory-goes-along", memory_goes_along},
    {"handles-go-along", handles_go_along},
    {"reply-and-receive", reply_and_receive},
    {"no-free-handle", no_free_handle},
    {"calls-time-out", calls_time_out},
    {"death-is-an-error-at-once", death_is_an_error_at_once},
    {"a-call-lends-its-priority", a_call_lends_its_priority},
    {"full-queues-refuse", full_queues_refuse},
    {"given-up-calls-make-room", given_up_calls_make_room},
    {"bits-gather", bits_gather},
    {"forged-tokens-find-nothing", forged_tokens_find_nothing},
    {NULL, NULL},
};

const struct role messages_roles[] = {{"server", role_server}, {"notes", role_notes}, {NULL, NULL}};
