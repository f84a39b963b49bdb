/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/registry.c: the port registry's rules, as a new process
 * finds them. The manifest gives this program TCP and UDP ports 7000 to 7099.
 */
#include "selftest.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANY_LO 1024

/* --- roles ------------------------------------------------------------------ */

/* register PROTO/PORT: exit status is the errno, 0 when it went well. */
static int role_register(int argc, char **argv)
{
    struct raw e;
    if (argc < 3 || raw_open(&e) < 0)
        return 255;
    int r = raw_register(&e, strncmp(argv[2], "tcp", 3) == 0 ? NET_TCP : NET_UDP, (uint16_t)atoi(argv[2] + 4),
                         (uint16_t)atoi(argv[2] + 4), NULL);
    return r < 0 ? -r : 0;
}

/* secret PORT: exit status is the first byte of the secret. */
static int role_secret(int argc, char **argv)
{
    uint8_t secret[NET_SECRET_BYTES];
    struct raw e;
    if (argc < 3 || raw_open(&e) < 0)
        return 0;
    uint16_t port = (uint16_t)atoi(argv[2]);
    return raw_register(&e, NET_UDP, port, port, secret) < 0 ? 0 : secret[0];
}

/* any: exit status is the errno of asking for an ephemeral port. */
static int role_any(int argc, char **argv)
{
    struct raw e;
    (void)argc, (void)argv;
    if (raw_open(&e) < 0)
        return 255;
    int r = raw_register(&e, NET_UDP, 0, 0, NULL);
    return r < 0 ? -r : 0;
}

/* slot N: exit status is the errno of asking for a default slot. */
static int role_slot(int argc, char **argv)
{
    struct raw e;
    if (argc < 3 || raw_open(&e) < 0)
        return 255;
    int r = sys_slot_register(e.handle, (uint32_t)atoi(argv[2]));
    return r < 0 ? -r : 0;
}

/* send PORT: owns 7006 and sends itself a datagram from PORT; exit status is the
 * errno that the kernel refused it with, 0 when it arrived. */
static int role_send(int argc, char **argv)
{
    uint32_t got = 0;
    struct raw e;
    if (argc < 3 || raw_open(&e) < 0 || raw_register(&e, NET_UDP, 7006, 7006, NULL) != 7006)
        return 255;
    uint16_t from = (uint16_t)atoi(argv[2]);
    raw_queue(&e, from, 7006, 1);
    if (from != 7006)
        return -raw_completion(&e) & 255;
    return raw_receive(&e, sys_now_ns() + WAIT_NS, &got) && got == 1 ? 0 : 254;
}

/* take: opens an endpoint, tells the test its handle, and counts datagrams with
 * rising numbers until the one with number UINT32_MAX. Exit status: 0 when
 * they came without a gap from the first to the last, which it reports. */
static int role_take(int argc, char **argv)
{
    struct raw e;
    struct sys_msg m;
    uint32_t first = 0, next = 0, payload, count = 0;
    (void)argc, (void)argv;
    if (raw_open(&e) < 0)
        return 1;
    sys_msg_set(&m, 1, &e.handle, sizeof(e.handle));
    if (sys_ask("selftest", &m, 5000) != 0)
        return 2;
    while (raw_receive(&e, sys_now_ns() + WAIT_NS, &payload)) {
        if (payload == UINT32_MAX) {
            uint32_t report[2] = {first, next};
            sys_msg_set(&m, 2, report, sizeof(report));
            return sys_ask("selftest", &m, 5000) == 0 ? 0 : 3;
        }
        if (count++ == 0)
            first = next = payload;
        if (payload != next)
            return 4;
        next++;
    }
    return 5;
}

/* give "PID HANDLE": moves a port of its own to that endpoint; exit status is the
 * errno. */
static int role_give(int argc, char **argv)
{
    struct net_port_op op = {0};
    struct raw e;
    char *handle;
    if (argc < 3 || raw_open(&e) < 0 || raw_register(&e, NET_UDP, 7020, 7020, NULL) != 7020)
        return 255;
    op.key = (struct net_port_key){
        .family = NET_INET, .proto = NET_UDP, .link = LINK_ANY, .port_lo = 7020, .port_hi = 7020};
    op.target_pid = (int32_t)strtol(argv[2], &handle, 10);
    op.endpoint = (int32_t)strtol(handle, NULL, 10);
    return -sys_port_transfer(&op);
}

/* --- tests ------------------------------------------------------------------ */

static const char *refused_without_right(void) /* C-REG-1 */
{
    struct sys_rights r = rights_none();
    struct raw e;
    CHECK(raw_open(&e) >= 0);
    CHECK(raw_register(&e, NET_TCP, 80, 80, NULL) == -EACCES);
    CHECK(raw_register(&e, NET_TCP, 6999, 6999, NULL) == -EACCES);
    CHECK(raw_register(&e, NET_TCP, 7090, 7100, NULL) == -EACCES); /* a range that sticks out */
    CHECK(role_run("register", "tcp/7001", &r) == EACCES);
    CHECK(role_run("register", "tcp/80", &r) == EACCES);
    rights_add_port(&r, NET_TCP, 7001, 7001);
    CHECK(role_run("register", "udp/7001", &r) == EACCES); /* TCP is not UDP */
    CHECK(role_run("register", "tcp/7001", &r) == 0);
    sys_handle_close(e.handle);
    return NULL;
}

static const char *rights_do_not_grow(void) /* C-RIGHT-1 */
{
    struct sys_rights r = rights_none();
    rights_add_port(&r, NET_TCP, 80, 80);
    int h = role_start("register", "tcp/80", &r);
    CHECK(h == -EACCES || h == -EPERM);
    r = rights_none();
    r.bits = RIGHT_NET_RAW;
    h = role_start("any", "", &r);
    CHECK(h == -EACCES || h == -EPERM);
    return NULL;
}

static const char *taken_port_is_in_use(void) /* C-REG-2 */
{
    struct sys_rights r = rights_none();
    uint8_t a[NET_SECRET_BYTES], b[NET_SECRET_BYTES];
    struct raw e;
    rights_add_port(&r, NET_UDP, 7000, 7099);
    CHECK(raw_open(&e) >= 0);
    CHECK(raw_register(&e, NET_UDP, 7002, 7002, a) == 7002);
    CHECK(raw_register(&e, NET_UDP, 7002, 7002, b) == 7002); /* idempotent for the owner */
    CHECK(memcmp(a, b, sizeof(a)) == 0);
    CHECK(role_run("register", "udp/7002", &r) == EADDRINUSE);
    CHECK(role_run("register", "udp/7003", &r) == 0);
    sys_handle_close(e.handle);
    CHECK(role_run("register", "udp/7002", &r) == 0);
    return NULL;
}

static const char *free_after_death(void) /* C-REG-5 */
{
    struct sys_rights r = rights_none();
    uint8_t secret[NET_SECRET_BYTES];
    struct raw e;
    rights_add_port(&r, NET_UDP, 7000, 7099);
    CHECK(raw_open(&e) >= 0);
    int theirs = role_run("secret", "7004", &r);
    CHECK(raw_register(&e, NET_UDP, 7004, 7004, secret) == 7004);
    CHECK(theirs == secret[0]); /* derived from boot secret and key: the next owner has the same */
    sys_handle_close(e.handle);
    return NULL;
}

static const char *unregister_frees_at_once(void)
{
    struct sys_rights r = rights_none();
    struct net_port_op op = {0};
    struct raw e;
    rights_add_port(&r, NET_UDP, 7000, 7099);
    CHECK(raw_open(&e) >= 0);
    CHECK(raw_register(&e, NET_UDP, 7005, 7005, NULL) == 7005);
    CHECK(role_run("register", "udp/7005", &r) == EADDRINUSE);
    op.endpoint = e.handle;
    op.key = (struct net_port_key){
        .family = NET_INET, .proto = NET_UDP, .link = LINK_ANY, .port_lo = 7005, .port_hi = 7005};
    CHECK(sys_port_unregister(&op) == 0);
    CHECK(role_run("register", "udp/7005", &r) == 0);
    sys_handle_close(e.handle);
    return NULL;
}

static const char *any_is_free_and_unpredictable(void) /* C-REG-3 */
{
    struct sys_rights r = rights_none();
    struct raw e;
    int port[32], ups = 0;
    CHECK(raw_open(&e) >= 0);
    for (int i = 0; i < 32; i++) {
        port[i] = raw_register(&e, NET_UDP, 0, 0, NULL);
        CHECK(port[i] >= ANY_LO && port[i] <= 65535);
        for (int k = 0; k < i; k++)
            CHECK(port[k] != port[i]);
        ups += i > 0 && port[i] == port[i - 1] + 1;
    }
    CHECK(ups < 4); /* RFC 6056: not one after the other */
    CHECK(role_run("any", "", &r) == EACCES);
    r.bits = RIGHT_NET_EPHEMERAL;
    CHECK(role_run("any", "", &r) == 0);
    sys_handle_close(e.handle);
    return NULL;
}

static const char *default_slots_are_taken(void) /* C-REG-9 */
{
    struct sys_rights r = rights_none();
    CHECK(role_run("slot", "0", &r) == EACCES);
    r.bits = RIGHT_NET_DEFAULT;
    for (unsigned slot = 0; slot < SLOT_FORWARD; slot++) {
        char arg[4];
        snprintf(arg, sizeof(arg), "%u", slot);
        CHECK(role_run("slot", arg, &r) == EBUSY); /* netd's */
    }
    CHECK(role_run("slot", "5", &r) == EACCES);  /* forward wants net.forward */
    CHECK(role_run("slot", "99", &r) == EINVAL);
    return NULL;
}

static const char *sends_only_from_its_own(void) /* C-TX-4 */
{
    struct sys_rights r = rights_none();
    rights_add_port(&r, NET_UDP, 7006, 7006);
    CHECK(role_run("send", "7007", &r) == EACCES); /* nobody's, but not its own */
    CHECK(role_run("send", "68", &r) == EACCES);
    CHECK(role_run("send", "7006", &r) == 0);
    return NULL;
}

/* Serve the role's request of the given type; its data in out. */
static bool hear(int endpoint, uint32_t type, void *out, size_t bytes)
{
    struct sys_msg m;
    if (sys_recv(endpoint, &m, sys_now_ns() + WAIT_NS) != 0 || m.type != type || m.len < bytes)
        return false;
    uint64_t token = m.token;
    memcpy(out, m.data, bytes);
    sys_msg_set(&m, 0, NULL, 0);
    return sys_reply(token, &m) == 0;
}

static const char *transfer_loses_nothing(void) /* C-REG-8 */
{
    static struct sys_exit status;
    struct sys_rights r = rights_none();
    struct raw mine, sender;
    struct net_port_op op = {0};
    uint32_t sent = 0, got = 0, payload, report[2] = {0, 0};
    int theirs = -1;

    rights_add_port(&r, NET_UDP, 7010, 7010);
    int endpoint = sys_endpoint_create(8);
    CHECK(endpoint >= 0 && sys_name_register("selftest", endpoint) == 0);
    CHECK(raw_open(&mine) >= 0 && raw_open(&sender) >= 0);
    CHECK(raw_register(&mine, NET_UDP, 7010, 7010, NULL) == 7010);
    CHECK(raw_register(&sender, NET_UDP, 7011, 7011, NULL) == 7011);
    int role = role_start("take", "", &r);
    CHECK(role >= 0 && sys_process_status(role, &status) == 0);
    CHECK(hear(endpoint, 1, &theirs, sizeof(theirs)));

    op.endpoint = theirs;
    op.target_pid = (int32_t)status.pid;
    op.key = (struct net_port_key){
        .family = NET_INET, .proto = NET_UDP, .link = LINK_ANY, .port_lo = 7010, .port_hi = 7010};
    /* 1,000 datagrams; the port changes hands in the middle, with some of them
     * in our ring and some on their way. */
    for (int burst = 0; burst < 100; burst++) {
        for (int i = 0; i < 10; i++)
            raw_queue(&sender, 7011, 7010, sent++);
        sys_net_kick(sender.handle);
        if (burst < 45)
            while (got < sent && raw_receive(&mine, 0, &payload))
                got += payload == got;
        if (burst == 50)
            CHECK(sys_port_transfer(&op) == 0);
    }
    while (raw_receive(&mine, 0, &payload))
        got += payload == got;
    raw_queue(&sender, 7011, 7010, UINT32_MAX);
    sys_net_kick(sender.handle);
    CHECK(hear(endpoint, 2, report, sizeof(report)));
    CHECK(role_end(role) == 0);
    CHECK(report[0] == got && report[1] == sent);
    sys_handle_close(mine.handle);
    sys_handle_close(sender.handle);
    return NULL;
}

/* What net_grow adds is there to be written to, and goes with the endpoint. */
static const char *an_arena_grows(void) /* C-RING-8 */
{
    struct raw mine;

    CHECK(sys_net_grow(-1) == -EBADF);
    for (int round = 0; round < 3; round++) {
        int64_t at[2];
        CHECK(raw_open(&mine) >= 0);
        for (int i = 0; i < 2; i++) {
            at[i] = sys_net_grow(mine.handle);
            CHECK(at[i] > 0);
            memset((void *)(uintptr_t)at[i], round + i + 1, NET_ARENA_MORE);
        }
        CHECK(*(char *)(uintptr_t)at[0] == round + 1);
        sys_handle_close(mine.handle);
        CHECK(sys_net_grow(mine.handle) == -EBADF);
    }
    return NULL;
}

/* A child may push nothing on its parent, unless that asked for it. */
static const char *nobody_is_given_what_it_did_not_want(void) /* C-REG-14 */
{
    struct sys_net_open open = {.flags = NET_OPEN_TAKES}, unknown = {.flags = 0x80};
    struct sys_rights r = rights_none();
    struct raw mine;
    char arg[40];

    rights_add_port(&r, NET_UDP, 7020, 7020);
    CHECK(raw_open(&mine) >= 0);
    snprintf(arg, sizeof(arg), "%d %d", sys_getpid(), mine.handle);
    CHECK(role_run("give", arg, &r) == EACCES);
    CHECK(sys_net_open(&unknown) == -EINVAL);
    int willing = sys_net_open(&open);
    CHECK(willing >= 0);
    snprintf(arg, sizeof(arg), "%d %d", sys_getpid(), willing);
    CHECK(role_run("give", arg, &r) == 0);
    CHECK(role_run("register", "udp/7020", &r) == EADDRINUSE); /* it is ours now */
    sys_handle_close(willing);
    sys_handle_close(mine.handle);
    CHECK(role_run("register", "udp/7020", &r) == 0);
    return NULL;
}

/* A line of the manifest is for both families, and a number in one is another than
 * that in the other. */
static const char *families_are_apart(void)
{
    struct net_port_op op = {0};
    struct raw e, f;

    CHECK(raw_open(&e) >= 0 && raw_open(&f) >= 0);
    op.key = (struct net_port_key){
        .family = NET_INET6, .proto = NET_TCP, .link = LINK_ANY, .port_lo = 7030, .port_hi = 7030};
    op.endpoint = e.handle;
    CHECK(sys_port_register(&op) == 0);
    CHECK(raw_register(&f, NET_TCP, 7030, 7030, NULL) == 7030); /* IPv4's, in another ring */
    op.endpoint = f.handle;
    CHECK(sys_port_register(&op) == -EADDRINUSE);
    op.key.port_lo = op.key.port_hi = 80;
    CHECK(sys_port_register(&op) == -EACCES);
    op.key.port_lo = op.key.port_hi = 0;
    op.key.proto = NET_UDP;
    CHECK(sys_port_register(&op) == 0 && op.key.port_lo >= ANY_LO);
    CHECK(raw_register(&f, NET_UDP, op.key.port_lo, op.key.port_lo, NULL) == op.key.port_lo);
    CHECK(raw_register(&f, NET_TCP, op.key.port_lo, op.key.port_lo, NULL) == -EACCES);
    sys_handle_close(e.handle);
    sys_handle_close(f.handle);
    return NULL;
}

const struct test registry_tests[] = {
    {"refused-without-right", refused_without_right},
    {"rights-do-not-grow", rights_do_not_grow},
    {"taken-port-is-in-use", taken_port_is_in_use},
    {"free-after-death", free_after_death},
    {"unregister-frees-at-once", unregister_frees_at_once},
    {"any-is-free-and-unpredictable", any_is_free_and_unpredictable},
    {"default-slots-are-taken", default_slots_are_taken},
    {"sends-only-from-its-own", sends_only_from_its_own},
    {"transfer-loses-nothing", transfer_loses_nothing},
    {"an-arena-grows", an_arena_grows},
    {"nobody-is-given-what-it-did-not-want", nobody_is_given_what_it_did_not_want},
    {"families-are-apart", families_are_apart},
    {NULL, NULL},
};

const struct role registry_roles[] = {
    {"register", role_register}, {"secret", role_secret}, {"any", role_any},
    {"slot", role_slot},         {"take", role_take},     {"send", role_send}, {"give", role_give}, {NULL, NULL},
};
