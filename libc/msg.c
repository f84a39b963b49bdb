/* SPDX-License-Identifier: MIT
 *
 * libc/msg.c: requests to servers, and lines for the log.
 *
 * Owns: a small cache of looked-up names. Context: any thread.
 */
#include "libc.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CACHE 8
static struct {
    char name[NAME_MAX_BYTES];
    int handle;
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

static int find_server(const char *name)
{
    int handle = -ENOENT;

    libc_lock_take(&cache_lock);
    for (unsigned i = 0; i < CACHE; i++)
        if (strcmp(cache[i].name, name) == 0 && name[0] != 0)
            handle = cache[i].handle;
    libc_lock_drop(&cache_lock);
    if (handle >= 0)
        return handle;
    handle = sys_name_lookup(name);
    if (handle < 0 || strlen(name) >= NAME_MAX_BYTES)
        return handle;
    libc_lock_take(&cache_lock);
    unsigned i = cache_next++ % CACHE;
    int old = cache[i].name[0] != 0 ? cache[i].handle : -1;
    strcpy(cache[i].name, name);
    cache[i].handle = handle;
    libc_lock_drop(&cache_lock);
    if (old >= 0)
        sys_handle_close(old);
    return handle;
}

static void forget(const char *name, int handle)
{
    libc_lock_take(&cache_lock);
    for (unsigned i = 0; i < CACHE; i++)
        if (cache[i].handle == handle && strcmp(cache[i].name, name) == 0)
            cache[i].name[0] = 0;
    libc_lock_drop(&cache_lock);
    sys_handle_close(handle);
}

int sys_ask(const char *server, struct sys_msg *m, uint32_t timeout_ms)
{
    int handle = find_server(server);
    if (handle < 0)
        return handle;
    int r = sys_call(handle, m, sys_now_ns() + timeout_ms * 1000000ull);
    if (r == -EPEER || r == -EBADF) /* its next incarnation has another handle */
        forget(server, handle);
    return r < 0 ? r : (int)(int32_t)m->type;
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
