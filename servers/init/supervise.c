/* SPDX-License-Identifier: MIT
 *
 * servers/init/supervise.c: one server's life: start, end, restart.
 *
 *   OFF -> STARTING -> UP -> (ends) -> BACKOFF -> STARTING ...
 *                                   -> DONE (ended well), FAILED (too often), OFF
 */
#include "init.h"
#include <stdlib.h>
#include <string.h>

struct server servers[MANIFEST_SERVERS_MAX];
unsigned server_count;

struct server *server_find(const char *name)
{
    for (unsigned i = 0; i < server_count; i++)
        if (strcmp(servers[i].conf->name, name) == 0)
            return &servers[i];
    return NULL;
}

struct server *server_by_pid(uint32_t pid)
{
    for (unsigned i = 0; i < server_count; i++)
        if (servers[i].handle >= 0 && servers[i].pid == pid)
            return &servers[i];
    return NULL;
}

static void enter(struct server *s, enum init_state state, uint64_t now_ns, uint64_t due_ns)
{
    s->state = state;
    s->since_ns = now_ns;
    s->due_ns = due_ns;
}

/* argv[0], the manifest's arguments, and where standard output goes. */
static int spawn(const struct manifest_server *c)
{
    static const char stdio[] = "STDIO=console";
    char args[SPAWN_PATH_MAX + MANIFEST_ARGS_BYTES + sizeof stdio];
    struct sys_spawn s = {.priority = c->priority};
    size_t n = strlen(c->program) + 1;

    memcpy(args, c->program, n);
    memcpy(args + n, c->args, c->args_bytes);
    n += c->args_bytes;
    if (c->rights.bits & RIGHT_CONSOLE) {
        memcpy(args + n, stdio, sizeof stdio);
        n += sizeof stdio;
        s.envc = 1;
    }
    memcpy(s.name, c->name, sizeof c->name);
    strcpy(s.path, c->program);
    s.args = (uint64_t)(uintptr_t)args;
    s.args_bytes = (uint32_t)n;
    s.argc = 1 + c->argc;
    s.rights = (uint64_t)(uintptr_t)&c->rights;
    s.flags = c->restart != RESTART_NEVER ? SPAWN_RESTARTS : 0;
    return sys_spawn(&s);
}

static void give_up(struct server *s, uint64_t now_ns, const char *why)
{
    sys_logf(SYS_LOG_ERROR, "%s: %s; not started again", s->conf->name, why);
    s->wanted = false;
    enter(s, SERVER_FAILED, now_ns, NEVER);
}

static uint32_t starting_ms(const struct server *s)
{
    const struct sys_rights *r = &s->conf->rights;

    for (uint32_t i = 0; i < r->ncalls; i++)
        if (strcmp(r->calls[i], "init") == 0)
            return STARTING_MS;
    return STARTING_MUTE_MS;
}

static int launch(struct server *s)
{
    uint64_t now_ns = sys_now_ns();
    int handle = spawn(s->conf);

    if (handle < 0) {
        s->last_status = handle;
        sys_logf(SYS_LOG_ERROR, "%s: cannot start %s: %s", s->conf->name, s->conf->program, strerror(-handle));
        return handle;
    }
    struct sys_exit e;
    s->handle = handle;
    s->pid = sys_process_status(handle, &e) == 0 ? e.pid : 0;
    enter(s, SERVER_STARTING, now_ns, now_ns + starting_ms(s) * MS);
    return 0;
}

int server_start(struct server *s)
{
    if (s->handle >= 0) {
        s->again = !s->wanted; /* its end was asked for, and is awaited */
        return 0;
    }
    s->wanted = true;
    s->again = false;
    s->ndeaths = 0;
    s->backoff_ms = 0;
    int r = launch(s);
    if (r < 0)
        give_up(s, sys_now_ns(), "it cannot be started");
    return r;
}

int server_stop(struct server *s)
{
    s->wanted = s->again = false;
    if (s->handle >= 0) {
        int r = sys_kill(s->pid, 15);
        return r == -ESRCH ? 0 : r; /* it is on its way out already */
    }
    enter(s, SERVER_OFF, sys_now_ns(), NEVER);
    return 0;
}

/* Has it ended too often of late? The ring holds the last DEATHS_MAX ends. */
static bool too_often(struct server *s, uint64_t now_ns)
{
    s->deaths_ns[s->ndeaths++ % DEATHS_MAX] = now_ns;
    if (s->ndeaths < DEATHS_MAX)
        return false;
    return now_ns - s->deaths_ns[s->ndeaths % DEATHS_MAX] < DEATHS_WINDOW_MS * MS;
}

static void schedule_restart(struct server *s, uint64_t ran_ns, uint64_t now_ns)
{
    if (too_often(s, now_ns)) {
        give_up(s, now_ns, "it ended too often");
        return;
    }
    if (ran_ns >= STEADY_MS * MS)
        s->backoff_ms = 0;
    uint32_t wait_ms = s->backoff_ms;
    s->backoff_ms = wait_ms == 0                   ? BACKOFF_FIRST_MS
                    : wait_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS
                                                   : wait_ms * 2;
    enter(s, SERVER_BACKOFF, now_ns, now_ns + wait_ms * MS);
}

static void keep_report(struct server *s, const char *report)
{
    size_t n = strnlen(report, FAULT_LINES);
    char *copy = malloc(n + 1);
    if (copy == NULL)
        return; /* the older report is better than none */
    memcpy(copy, report, n);
    copy[n] = 0;
    free(s->report);
    s->report = copy;
}

static void log_end(const struct server *s, const struct sys_exit *e)
{
    uint32_t level = e->state == PROC_FAULTED      ? SYS_LOG_ERROR
                     : s->wanted && e->status != 0 ? SYS_LOG_WARN
                                                   : SYS_LOG_INFO;
    const char *how = e->state == PROC_FAULTED  ? "crashed, exception"
                      : e->state == PROC_KILLED ? "was ended by signal"
                                                : "ended with status";
    sys_logf(level, "%s (process %u) %s %d", s->conf->name, (unsigned)s->pid, how, (int)e->status);
}

void server_ended(struct server *s, uint64_t now_ns)
{
    static struct sys_exit e;
    uint64_t ran_ns = now_ns - s->since_ns;

    if (sys_process_status(s->handle, &e) != 0 || e.state == PROC_RUNNING)
        return;
    sys_handle_close(s->handle);
    s->handle = -1;
    log_end(s, &e);
    s->pid = 0;
    s->last_status = e.status;
    if (e.state == PROC_FAULTED)
        keep_report(s, e.report);

    bool well = e.state == PROC_EXITED && e.status == 0;
    if (!s->wanted) {
        enter(s, SERVER_OFF, now_ns, NEVER);
        if (s->again)
            server_start(s);
    } else if (s->conf->restart == RESTART_ALWAYS || (s->conf->restart == RESTART_FAILURE && !well)) {
        schedule_restart(s, ran_ns, now_ns); /* C-INIT-1 */
    } else {
        s->wanted = false;
        enter(s, well ? SERVER_DONE : SERVER_FAILED, now_ns, NEVER);
    }
}

void server_ready(struct server *s, uint64_t now_ns)
{
    if (s->state != SERVER_STARTING)
        return;
    enter(s, SERVER_UP, now_ns, NEVER);
    if (s->restarts > 0)
        sys_logf(SYS_LOG_INFO, "%s (process %u) is up again", s->conf->name, (unsigned)s->pid);
}

void servers_run_timers(uint64_t now_ns)
{
    for (unsigned i = 0; i < server_count; i++) {
        struct server *s = &servers[i];
        if (s->due_ns > now_ns)
            continue;
        if (s->state == SERVER_STARTING) {
            server_ready(s, now_ns);
        } else if (s->state == SERVER_BACKOFF) {
            s->restarts++;
            if (launch(s) < 0) /* memory may be short for the moment: that counts as an end */
                schedule_restart(s, 0, now_ns);
        } else {
            s->due_ns = NEVER;
        }
    }
}

uint64_t servers_deadline(void)
{
    uint64_t first = NEVER;
    for (unsigned i = 0; i < server_count; i++)
        if (servers[i].due_ns < first)
            first = servers[i].due_ns;
    return first;
}

bool servers_settled(void)
{
    for (unsigned i = 0; i < server_count; i++)
        if (servers[i].state == SERVER_STARTING || servers[i].state == SERVER_BACKOFF)
            return false;
    return true;
}
