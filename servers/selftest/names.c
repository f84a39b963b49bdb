/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/names.c: names that come and go, and the client library that
 * lives with it: sys_ask, sys_name_wait, sys_serve.
 */
#include "selftest.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAME "selftest"
#define UP 1u
#define DOWN 2u
#define ASK_MS 5000u

enum { NEXT = 1, MEMORY, BAD_HANDLE, GO, DIE };

static uint64_t in_ms(uint64_t ms)
{
    return sys_now_ns() + ms * 1000000;
}

/* --- the server: a role of this program under the same name --- */

static int answer(struct sys_msg *m, void *arg)
{
    uint32_t n, *count = arg;

    switch (m->type) {
    case NEXT:
        memcpy(&n, m->data, sizeof n);
        n++, ++*count;
        sys_msg_set(m, 0, &n, sizeof n);
        return 0;
    case MEMORY:
        sys_msg_set(m, 0, NULL, 0);
        m->handle = sys_memobj_create(4096);
        return 0;
    case BAD_HANDLE:
        sys_msg_set(m, 0, NULL, 0);
        m->handle = 12345;
        return 0;
    case GO:
        sys_msg_set(m, 0, NULL, 0);
        return 17;
    default:
        exit(9);
    }
}

static int role_oracle(int argc, char **argv)
{
    uint32_t count = 0;
    int e = sys_endpoint_create(4);

    (void)argc, (void)argv;
    if (e < 0 || sys_name_register(NAME, e) != 0)
        return 1;
    return sys_serve(e, answer, &count);
}

static int start(void)
{
    struct sys_rights r = rights_none();

    strcpy(r.serves, NAME);
    return role_start("oracle", "", &r);
}

static int stop(int process)
{
    static struct sys_exit e;

    sys_process_status(process, &e);
    sys_kill(e.pid, 9);
    return role_end(process);
}

static int next(uint32_t n, uint32_t timeout_ms)
{
    struct sys_msg m;

    sys_msg_set(&m, NEXT, &n, sizeof n);
    int r = sys_ask(NAME, &m, timeout_ms);
    memcpy(&n, m.data, sizeof n);
    return r < 0 ? r : (int)n;
}

static int request(uint32_t type, struct sys_msg *m)
{
    sys_msg_set(m, type, NULL, 0);
    return sys_ask(NAME, m, ASK_MS);
}

/* --- tests --- */

static const char *deaths_and_births_are_told(void) /* C-NAME-1 */
{
    int e = sys_endpoint_create(1), process;
    struct sys_msg m;

    CHECK(e >= 0 && sys_name_watch(NAME, e, UP, DOWN) == 0);
    for (int i = 0; i < 3; i++) {
        process = start();
        CHECK(process >= 0 && sys_recv(e, &m, sys_now_ns() + WAIT_NS) == 0);
        CHECK(m.type == MSG_NOTIFY && m.bits == UP);
        CHECK(sys_name_watch(NAME, e, UP, DOWN) == 1); /* again: no second entry */
        CHECK(stop(process) == -EPEER);
        CHECK(sys_recv(e, &m, 0) == 0 && m.bits == DOWN);
        CHECK(sys_recv(e, &m, 0) == -EAGAIN);
    }
    CHECK(sys_name_watch(NAME, e, 0, 0) == 0);
    process = start();
    CHECK(process >= 0 && sys_name_wait(NAME, in_ms(5000)) >= 0);
    CHECK(stop(process) == -EPEER && sys_recv(e, &m, 0) == -EAGAIN);

    CHECK(sys_name_watch("other", e, UP, DOWN) == -EACCES);
    CHECK(sys_name_watch(NAME, 999, UP, DOWN) == -EBADF);
    CHECK(sys_name_watch((const char *)8, e, UP, DOWN) == -EFAULT);
    CHECK(sys_name_register(NAME, e) == 0 && sys_name_watch(NAME, e, UP, DOWN) == 1); /* oneself */
    CHECK(sys_handle_close(e) == 0);
    return NULL;
}

static const char *watches_are_bounded(void) /* C-NAME-1 */
{
    int e[100], n = 0, r = 0;

    for (int round = 0; round < 2; round++) {
        for (n = 0; n < 100; n++) {
            e[n] = sys_endpoint_create(1);
            r = sys_name_watch(NAME, e[n], UP, DOWN);
            if (e[n] < 0 || r < 0)
                break;
        }
        CHECK(r == -ENOSPC && n == 64);
        for (int i = 0; i <= n; i++)
            CHECK(sys_handle_close(e[i]) == 0); /* and with it what it watched */
    }
    return NULL;
}

static const char *names_are_waited_for(void)
{
    uint64_t before = sys_now_ns();

    CHECK(sys_name_wait(NAME, 0) == -ENOENT);
    CHECK(sys_name_wait(NAME, before + 3000000) == -ETIMEDOUT && sys_now_ns() - before >= 3000000);
    CHECK(sys_name_wait("other", SYS_NO_DEADLINE) == -EACCES);
    int process = start(), handle = sys_name_wait(NAME, in_ms(5000));
    CHECK(process >= 0 && handle >= 0 && sys_handle_close(handle) == 0);
    CHECK(stop(process) == -EPEER);
    return NULL;
}

static const char *requests_survive_a_restart(void) /* C-MSG-2 */
{
    struct sys_msg m;
    int process;

    CHECK(next(1, 100) == -ENOENT); /* never heard of it: no use waiting */
    process = start();
    CHECK(process >= 0);
    int handle = sys_name_wait(NAME, in_ms(5000));
    CHECK(handle >= 0 && sys_handle_close(handle) == 0);
    for (int i = 0; i < 5; i++) {
        CHECK(next(41, ASK_MS) == 42);
        CHECK(stop(process) == -EPEER);
        process = start(); /* its name comes in its own time */
        CHECK(process >= 0 && next(7, ASK_MS) == 8);
    }
    CHECK(request(DIE, &m) == -EPEER && role_end(process) == 9); /* not sent again to the next */
    CHECK(next(1, 5) == -ETIMEDOUT);
    process = start();
    CHECK(process >= 0 && next(1, ASK_MS) == 2);
    CHECK(request(GO, &m) == 0 && role_end(process) == 17); /* answered before it went */
    return NULL;
}

static const char *serving_keeps_nothing(void)
{
    struct sys_msg m;
    int process = start(), first = sys_name_wait(NAME, in_ms(5000));

    CHECK(process >= 0 && first >= 0);
    for (int i = 0; i < 2200; i++) { /* more than the server has handles */
        CHECK(request(MEMORY, &m) == 0 && m.handle >= 0);
        CHECK(sys_handle_close(m.handle) == 0);
    }
    CHECK(request(BAD_HANDLE, &m) == -EBADF && m.handle == -1); /* and not for ever without an answer */
    sys_msg_set(&m, NEXT, NULL, 0);
    CHECK(sys_send(first, &m) == 0 && next(3, ASK_MS) == 4); /* one that wants no answer */
    CHECK(request(GO, &m) == 0 && role_end(process) == 17 && sys_handle_close(first) == 0);
    return NULL;
}

const struct test names_tests[] = {
    {"deaths-and-births-are-told", deaths_and_births_are_told},
    {"watches-are-bounded", watches_are_bounded},
    {"names-are-waited-for", names_are_waited_for},
    {"requests-survive-a-restart", requests_survive_a_restart},
    {"serving-keeps-nothing", serving_keeps_nothing},
    {NULL, NULL},
};

const struct role names_roles[] = {{"oracle", role_oracle}, {NULL, NULL}};
