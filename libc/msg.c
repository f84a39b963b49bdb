/* SPDX-License-Identifier: MIT
 *
 * libc/msg.c: requests to servers, serving, and lines for the log.
 *
 * Owns: a small cache of looked-up names. Context: any thread.
 */
#include "libc.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CACHE 8
static struct server {
    char name[NAME_MAX_BYTES];
    int handle; /* -1: its server died */
} cache[CACHE];
static unsigned cache_next;
static libc_lock cache_lock;

void sys_msg_set(struct sys_msg *m, uint32_t type, const void *data, size_t bytes)
{
    memset(m, 0, sizeof *m);
    m->type = type;
    m->handle = -1;
    m->len = bytes > MSG_INLINE_MAX ? MSG_INLINE_MAX : (uint32_t)bytes;
    if (m->len > 0)
        memcpy(m->data, data, m->len);
}

/* The name's place; NULL when it has none. The lock is held. */
static struct server *place_of(const char *name)
{
    for (unsigned i = 0; i < CACHE; i++)
        if (strcmp(cache[i].name, name) == 0)
            return &cache[i];
    return NULL;
}

/* *handle as it was kept, -1 when it turned out dead; false: never heard of. */
static bool cached(const char *name, int *handle)
{
    libc_lock_take(&cache_lock);
    struct server *s = name[0] != 0 ? place_of(name) : NULL;
    if (s != NULL)
        *handle = s->handle;
    libc_lock_drop(&cache_lock);
    return s != NULL;
}

static void keep(const char *name, int handle)
{
    libc_lock_take(&cache_lock);
    struct server *s = place_of(name);
    if (s == NULL)
        s = &cache[cache_next++ % CACHE];
    int old = s->name[0] != 0 ? s->handle : -1;
    strcpy(s->name, name);
    s->handle = handle;
    libc_lock_drop(&cache_lock);
    if (old >= 0)
        sys_handle_close(old);
}

/* Whoever of several threads takes it out closes it. */
static void forget(const char *name, int handle)
{
    libc_lock_take(&cache_lock);
    struct server *s = place_of(name);
    bool mine = s != NULL && s->handle == handle;
    if (mine)
        s->handle = -1;
    libc_lock_drop(&cache_lock);
    if (mine)
        sys_handle_close(handle);
}

int sys_name_wait(const char *name, uint64_t deadline_ns)
{
    int handle = sys_name_lookup(name);
    if (handle != -ENOENT || deadline_ns == 0)
        return handle;
    int e = sys_endpoint_create(1);
    if (e < 0)
        return e;
    int r = sys_name_watch(name, e, 1, 0);
    while (r >= 0 && (handle = sys_name_lookup(name)) == -ENOENT) {
        struct sys_msg m;
        r = sys_recv(e, &m, deadline_ns);
    }
    sys_handle_close(e);
    return r < 0 ? r : handle;
}

/* A handle that is not known to be dead. One that is waits for the successor. */
static int find_server(const char *name, uint64_t deadline_ns)
{
    struct wait_item dead = {.kind = WAIT_HANDLE, .handle = -1};
    bool known = cached(name, &dead.handle);

    if (known && dead.handle >= 0) {
        if (sys_wait(&dead, 1, 0) == -EAGAIN)
            return dead.handle;
        forget(name, dead.handle);
    }
    int handle = known ? sys_name_wait(name, deadline_ns) : sys_name_lookup(name);
    if (handle >= 0 && strlen(name) < NAME_MAX_BYTES)
        keep(name, handle);
    return handle;
}

int sys_ask(const char *server, struct sys_msg *m, uint32_t timeout_ms)
{
    uint64_t deadline_ns = sys_now_ns() + timeout_ms * 1000000ull;
    int r = -EBADF;

    for (int tries = 0; r == -EBADF && tries < 2; tries++) { /* -EBADF: another thread has forgotten it */
        int handle = find_server(server, deadline_ns);
        if (handle < 0)
            return handle;
        r = sys_call(handle, m, deadline_ns);
        if (r == -EPEER || r == -EBADF)
            forget(server, handle);
    }
    return r < 0 ? r : (int)(int32_t)m->type;
}

/* The answer with a handle, or the last one. The handle is the receiver's now. */
static void answer(uint64_t token, struct sys_msg *m)
{
    int handle = m->handle, r = token != 0 ? sys_reply(token, m) : 0;

    if (r < 0 && r != -EPEER) { /* that handle cannot go along: don't leave the client waiting */
        sys_msg_set(m, (uint32_t)r, NULL, 0);
        sys_reply(token, m);
    }
    if (handle >= 0)
        sys_handle_close(handle);
}

int sys_serve(int endpoint, int (*request)(struct sys_msg *m, void *arg), void *arg)
{
    struct sys_msg m;
    uint64_t token = 0;
    int r = 0;

    sys_msg_set(&m, 0, NULL, 0);
    while (r == 0) {
        r = sys_reply_recv(token, &m, endpoint, SYS_NO_DEADLINE);
        token = 0;
        if (r == -EINTR)
            r = 0;
        else if (r == 0) {
            token = m.token;
            r = request(&m, arg);
            if (r != 0 || m.handle >= 0) {
                answer(token, &m);
                token = 0;
            }
        }
    }
    return r;
}

void sys_logf(uint32_t level, const char *fmt, ...)
{
    char line[256];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n > 0)
        sys_log_write(level, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}
