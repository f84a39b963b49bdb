/* SPDX-License-Identifier: MIT
 *
 * servers/init/main.c: the first process. Reads the manifest, starts what it
 * lists, and then waits: for servers that end, requests, and timers.
 */
#include "init.h"
#include <string.h>

#define MANIFEST_PATH "/etc/servers.conf"
#define CMDLINE_BYTES 1024

static struct manifest manifest;

static void report(void *ctx, const char *text)
{
    (void)ctx;
    sys_logf(SYS_LOG_ERROR, "init: %s", text);
}

static void read_manifest(void)
{
    size_t bytes;
    const char *text = initrd_map_file(MANIFEST_PATH, &bytes);

    if (text == NULL) {
        sys_logf(SYS_LOG_ERROR, "init: %s is missing: no server is started", MANIFEST_PATH);
        return;
    }
    manifest_parse(&manifest, MANIFEST_PATH, text, bytes, report, NULL);
    for (unsigned i = 0; i < manifest.count; i++) {
        struct server *s = &servers[server_count++];
        s->conf = &manifest.server[i];
        s->handle = -1;
        s->due_ns = NEVER;
        s->wanted = s->conf->start == START_BOOT;
    }
}

/* start=NAME[,NAME ...] of the boot command line; the last one counts. */
static void read_start_option(void)
{
    static char line[CMDLINE_BYTES + 1];
    char *list = NULL, *save;

    if (sys_info(INFO_CMDLINE, 0, line, CMDLINE_BYTES) <= 0)
        return;
    for (char *word = strtok_r(line, " \t", &save); word != NULL; word = strtok_r(NULL, " \t", &save))
        if (strncmp(word, "start=", 6) == 0)
            list = word + 6;
    if (list == NULL)
        return;
    for (char *name = strtok_r(list, ",", &save); name != NULL; name = strtok_r(NULL, ",", &save)) {
        struct server *s = server_find(name);
        if (s != NULL)
            s->wanted = true;
        else
            sys_logf(SYS_LOG_ERROR, "init: start=%s: no such server in %s", name, MANIFEST_PATH);
    }
}

static void __attribute__((noreturn)) loop(int endpoint)
{
    static struct wait_item items[1 + MANIFEST_SERVERS_MAX];
    static struct server *who[1 + MANIFEST_SERVERS_MAX];

    for (;;) {
        uint32_t n = 0;
        if (endpoint >= 0)
            items[n++] = (struct wait_item){ .kind = WAIT_HANDLE, .handle = endpoint, .want = READY_IN };
        for (unsigned i = 0; i < server_count; i++) {
            if (servers[i].handle < 0)
                continue;
            who[n] = &servers[i];
            items[n++] = (struct wait_item){ .kind = WAIT_HANDLE, .handle = servers[i].handle, .want = READY_IN };
        }
        int r = sys_wait(items, n, servers_deadline());
        uint64_t now_ns = sys_now_ns();
        for (uint32_t i = 0; r > 0 && i < n; i++) {
            if (items[i].got == 0)
                continue;
            if (items[i].handle == endpoint)
                control_answer(endpoint, now_ns);
            else
                server_ended(who[i], now_ns);
        }
        servers_run_timers(now_ns);
        if (servers_settled())
            announce_all();
    }
}

_Static_assert(1 + MANIFEST_SERVERS_MAX <= WAIT_ITEMS_MAX, "init waits for all of its children at once");

int main(void)
{
    int endpoint = control_open();
    if (endpoint < 0)
        sys_logf(SYS_LOG_ERROR, "init: cannot serve under the name init: error %d", -endpoint);

    read_manifest();
    read_start_option();
    for (unsigned i = 0; i < server_count; i++)
        if (servers[i].wanted)
            server_start(&servers[i]);
    loop(endpoint);
}
