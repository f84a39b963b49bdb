/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/witness.c: the witness beside hostile processes.
 *
 * It serves the name "selftest", which anybody here may call, and a TCP port: a
 * question with a number gets the number back if the witness's memory is as it
 * was, and what comes over the connection goes back. The kernel's word about the
 * sender tells the one that may ask from the rest, whose messages are noise.
 */
#include "witness.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT 7050
#define WORDS 32768u /* 256 KiB */
#define ASK 1u
#define END 2u
#define CHUNK 500u
#define END_MS 15000

/* --- the witness --- */

static uint64_t words[WORDS];

static uint64_t word(uint64_t i)
{
    return (i + 1) * 0x9e3779b97f4a7c15 ^ i << 40;
}

static bool memory_intact(void)
{
    for (uint64_t i = 0; i < WORDS; i++)
        if (words[i] != word(i))
            return false;
    return true;
}

static int listen_here(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    return fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 4) == 0 ? fd : -1;
}

/* False: it was told to end. */
static bool serve_messages(int endpoint, uint32_t asker)
{
    struct sys_msg m;
    bool go_on = true;

    for (unsigned i = 0; i < 64 && sys_recv(endpoint, &m, 0) == 0; i++) {
        if (m.type == MSG_NOTIFY)
            continue;
        if (m.handle >= 0)
            sys_handle_close(m.handle);
        if (m.token == 0)
            continue;
        go_on = go_on && (m.sender_pid != asker || m.type != END);
        m.type = m.sender_pid == asker && memory_intact() ? 0 : 1;
        m.len = m.len > MSG_INLINE_MAX ? 0 : m.len;
        m.handle = -1;
        sys_reply(m.token, &m);
    }
    return go_on;
}

static void give_back(int *fd)
{
    char buf[2048];
    ssize_t n = recv(*fd, buf, sizeof(buf), MSG_DONTWAIT);

    if (n > 0)
        send(*fd, buf, (size_t)n, MSG_NOSIGNAL);
    if (n == 0) {
        close(*fd);
        *fd = -1;
    }
}

static int role_witness(int argc, char **argv)
{
    int endpoint = sys_endpoint_create(64);
    struct pollfd p[3] = {{.events = POLLIN}, {.events = POLLIN}, {.fd = -1, .events = POLLIN}};
    uint32_t asker = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;

    for (uint64_t i = 0; i < WORDS; i++)
        words[i] = word(i);
    p[1].fd = listen_here();
    if (endpoint < 0 || p[1].fd < 0 || sys_name_register("selftest", endpoint) < 0)
        return 1;
    p[0].fd = sys_handle_fd(endpoint);
    for (;;) {
        if (poll(p, 3, -1) < 0)
            return 2;
        if (p[0].revents != 0 && !serve_messages(endpoint, asker))
            return memory_intact() ? 0 : 3;
        if (p[1].revents != 0 && p[2].fd < 0)
            p[2].fd = accept(p[1].fd, NULL, NULL);
        else if (p[2].revents != 0)
            give_back(&p[2].fd);
    }
}

const struct role witness_roles[] = {
    {"witness", role_witness},
    {NULL, NULL},
};

/* --- who watches it --- */

static struct {
    int process, peer, fd;
    uint32_t pid;
    uint64_t asked;
} w;

uint32_t witness_pid(void)
{
    return w.pid;
}

static int ask(uint32_t type, uint64_t number, struct sys_msg *m)
{
    uint64_t deadline = sys_now_ns() + WAIT_NS;
    int r;

    do { /* others may have filled its queue */
        sys_msg_set(m, type, &number, sizeof(number));
        r = sys_call(w.peer, m, deadline);
        if (r == -EAGAIN)
            sys_wait(NULL, 0, sys_now_ns() + 1000000);
    } while (r == -EAGAIN && sys_now_ns() < deadline);
    return r;
}

static const char *check_connection(void)
{
    uint8_t out[CHUNK], in[CHUNK];
    size_t got = 0;

    for (unsigned i = 0; i < CHUNK; i++)
        out[i] = (uint8_t)(w.asked * 7 + i * 13);
    CHECK(send(w.fd, out, CHUNK, MSG_NOSIGNAL) == CHUNK);
    while (got < CHUNK) {
        ssize_t n = recv(w.fd, in + got, CHUNK - got, 0);
        CHECK(n > 0);
        got += (size_t)n;
    }
    CHECK(memcmp(in, out, CHUNK) == 0);
    return NULL;
}

const char *witness_check(void)
{
    struct sys_msg m;
    uint64_t number = ++w.asked, back = 0;

    CHECK(ask(ASK, number, &m) == 0);
    memcpy(&back, m.data, sizeof(back));
    CHECK(m.sender_pid == w.pid && back == number);
    CHECK(m.type == 0); /* its memory is as it was */
    return check_connection();
}

static const char *connect_to_it(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 5};

    w.fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(w.fd >= 0);
    CHECK(setsockopt(w.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
    CHECK(connect(w.fd, (struct sockaddr *)&a, sizeof(a)) == 0);
    return NULL;
}

const char *witness_start(void)
{
    struct sys_rights r = rights_none();
    uint64_t deadline = sys_now_ns() + WAIT_NS;
    static struct sys_exit e;
    const char *why;
    char pid[16];

    rights_add_port(&r, NET_TCP, PORT, PORT);
    strcpy(r.serves, "selftest");
    snprintf(pid, sizeof(pid), "%u", (unsigned)sys_getpid());
    w.process = role_start("witness", pid, &r);
    CHECK(w.process >= 0 && sys_process_status(w.process, &e) == 0);
    w.pid = e.pid;
    while ((w.peer = sys_name_lookup("selftest")) == -ENOENT && sys_now_ns() < deadline)
        sys_wait(NULL, 0, sys_now_ns() + 1000000);
    CHECK(w.peer >= 0);
    why = connect_to_it();
    return why != NULL ? why : witness_check();
}

int witness_end(void)
{
    struct sys_msg m;
    int r;

    close(w.fd); /* first, so that the witness has nothing left to deliver */
    r = ask(END, 0, &m);
    sys_handle_close(w.peer);
    if (r < 0)
        return r;
    /* By poll(), which serves our end of the connection: the witness waits for that. */
    struct pollfd p = {.fd = sys_handle_fd(w.process), .events = POLLIN};
    static struct sys_exit e;
    poll(&p, 1, END_MS);
    r = sys_process_status(w.process, &e);
    close(p.fd);
    return r < 0 ? r : e.state == PROC_EXITED ? e.status : -ETIMEDOUT;
}
