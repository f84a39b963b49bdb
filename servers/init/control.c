/* SPDX-License-Identifier: MIT
 *
 * servers/init/control.c: requests under the name "init".
 *
 * Anybody whose manifest names init may ask; starting and stopping needs the
 * right proc.kill, announcing an address net.default. The kernel says who asks.
 */
#include "init.h"
#include <string.h>

#define QUEUE_DEPTH 16

int control_open(void)
{
    int endpoint = sys_endpoint_create(QUEUE_DEPTH);
    if (endpoint < 0)
        return endpoint;
    int r = sys_name_register("init", endpoint);
    return r < 0 ? r : endpoint;
}

static bool holds(const struct sys_msg *m, uint32_t right)
{
    const struct server *s = server_by_pid(m->sender_pid);
    return s != NULL && (s->conf->rights.bits & right);
}

/* The server that a request names, NULL when there is none. */
static struct server *named(const struct sys_msg *m)
{
    char name[NAME_MAX_BYTES] = {0};
    if (m->len == 0 || m->len > MSG_INLINE_MAX)
        return NULL;
    memcpy(name, m->data, m->len < sizeof name - 1 ? m->len : sizeof name - 1);
    return server_find(name);
}

static int start_or_stop(const struct sys_msg *m)
{
    struct server *s = named(m);
    if (!holds(m, RIGHT_PROC_KILL))
        return -EACCES;
    if (s == NULL)
        return -ENOENT;
    return m->type == INIT_START ? server_start(s) : server_stop(s);
}

static void answer_status(const struct sys_msg *m, struct sys_msg *reply)
{
    uint32_t index = 0;
    struct init_status st;

    memset(&st, 0, sizeof st);
    if (m->len >= sizeof index)
        memcpy(&index, m->data, sizeof index);
    if (index >= server_count) {
        reply->type = (uint32_t)-ENOENT;
        return;
    }
    const struct server *s = &servers[index];
    memcpy(st.name, s->conf->name, sizeof st.name);
    st.pid = s->pid;
    st.state = s->state;
    st.restarts = s->restarts;
    st.last_status = s->last_status;
    st.since_ns = s->since_ns;
    sys_msg_set(reply, 0, &st, sizeof st);
}

/* The report goes in a memory object; data holds its length. */
static int answer_report(const struct sys_msg *m, struct sys_msg *reply)
{
    const struct server *s = named(m);
    uint64_t bytes = s != NULL && s->report != NULL ? strlen(s->report) : 0;
    uint64_t room = (bytes + 4095) & ~4095ull;

    if (bytes == 0)
        return -ENOENT;
    int handle = sys_memobj_create(room);
    if (handle < 0)
        return handle;
    int64_t at = sys_memobj_map(handle, 0, 0, room, PROT_R | PROT_W);
    if (at < 0) {
        sys_handle_close(handle);
        return (int)at;
    }
    memcpy((void *)at, s->report, bytes);
    sys_mem_unmap((uint64_t)at, room);
    sys_msg_set(reply, 0, &bytes, sizeof bytes);
    reply->handle = handle;
    return 0;
}

static int take_address(const struct sys_msg *m)
{
    struct init_address a;

    if (!holds(m, RIGHT_NET_DEFAULT))
        return -EACCES;
    if (m->len < sizeof a)
        return -EINVAL;
    memcpy(&a, m->data, sizeof a);
    a.link[sizeof a.link - 1] = 0;
    a.text[sizeof a.text - 1] = 0;
    announce_address(a.link, a.text);
    return 0;
}

static int take_ready(const struct sys_msg *m, uint64_t now_ns)
{
    struct server *s = server_by_pid(m->sender_pid);
    if (s == NULL)
        return -ENOENT;
    server_ready(s, now_ns);
    return 0;
}

void control_answer(int endpoint, uint64_t now_ns)
{
    struct sys_msg m, reply;
    int r = 0;

    if (sys_recv(endpoint, &m, 0) != 0 || m.type == MSG_NOTIFY)
        return;
    if (m.handle >= 0) /* nothing here takes an object */
        sys_handle_close(m.handle);
    sys_msg_set(&reply, 0, NULL, 0);
    switch (m.type) {
    case INIT_START:
    case INIT_STOP:
        r = start_or_stop(&m);
        break;
    case INIT_STATUS:
        answer_status(&m, &reply);
        break;
    case INIT_READY:
        r = take_ready(&m, now_ns);
        break;
    case INIT_REPORT:
        r = answer_report(&m, &reply);
        break;
    case INIT_ADDRESS:
        r = take_address(&m);
        break;
    default:
        r = -ENOSYS;
    }
    if (r != 0)
        reply.type = (uint32_t)r;
    if (m.token != 0)
        sys_reply(m.token, &reply);
    if (reply.handle >= 0)
        sys_handle_close(reply.handle);
}
