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
static struct server *tests; /* to be started when the others are up */
static bool hang;            /* test=hang-init: for the test of the watchdog */

static void report(void *ctx, const char *text)
{
    (void)ctx;
    sys_logf(SYS_LOG_ERROR, "%s", text);
}

static void read_manifest(void)
{
    size_t bytes;
    const char *text = initrd_map_file(MANIFEST_PATH, &bytes);

    if (text == NULL) {
        sys_logf(SYS_LOG_ERROR, "%s is missing: no server is started", MANIFEST_PATH);
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

static void want_listed(char *names)
{
    char *save;
    for (char *name = strtok_r(names, ",", &save); name != NULL; name = strtok_r(NULL, ",", &save)) {
        struct server *s = server_find(name);
        if (s != NULL)
            s->wanted = true;
        else
            sys_logf(SYS_LOG_ERROR, "start=%s: no such server in %s", name, MANIFEST_PATH);
    }
}

/* Tests that the kernel left to ring 3: `selftest` runs them when the servers
 * are up, and has the console to itself. */
static void prepare_tests(void)
{
    tests = server_find("selftest");
    if (tests == NULL)
        return;
    for (unsigned i = 0; i < server_count; i++)
        if (servers[i].conf->rights.bits & RIGHT_CONSOLE)
            servers[i].wanted = false;
}

/* start=NAME[,NAME ...] and test=NAME of the boot command line; of several the
 * last one counts. */
static void read_boot_options(void)
{
    static char line[CMDLINE_BYTES + 1];
    char *names = NULL, *test = NULL, *save;

    if (sys_info(INFO_CMDLINE, 0, line, CMDLINE_BYTES) <= 0)
        return;
    for (char *word = strtok_r(line, " \t", &save); word != NULL; word = strtok_r(NULL, " \t", &save)) {
        if (strncmp(word, "start=", 6) == 0)
            names = word + 6;
        else if (strncmp(word, "test=", 5) == 0)
            test = word + 5;
    }
    if (names != NULL)
        want_listed(names);
    hang = test != NULL && strcmp(test, "hang-init") == 0;
    if (test != NULL && !hang)
        prepare_tests();
}

static void all_up(void)
{
    announce_all();
    while (hang)
        sys_yield();
    if (tests != NULL)
        server_start(tests);
    tests = NULL;
}

/* Feeds the watchdog, if there is one; returns when it wants to be fed again. */
static uint64_t feed_watchdog(uint64_t now_ns)
{
    int timeout_ms = sys_watchdog_feed();

    return timeout_ms > 0 ? now_ns + (uint64_t)timeout_ms * MS / 4 : NEVER;
}

static void __attribute__((noreturn)) loop(int endpoint)
{
    static struct wait_item items[1 + MANIFEST_SERVERS_MAX];
    static struct server *who[1 + MANIFEST_SERVERS_MAX];
    uint64_t settle_ns = sys_now_ns() + SETTLE_MS * MS; /* NEVER once all is announced */
    uint64_t feed_ns = feed_watchdog(sys_now_ns());

    for (;;) {
        uint32_t n = 0;
        if (endpoint >= 0)
            items[n++] = (struct wait_item){.kind = WAIT_HANDLE, .handle = endpoint, .want = READY_IN};
        for (unsigned i = 0; i < server_count; i++) {
            if (servers[i].handle < 0)
                continue;
            who[n] = &servers[i];
            items[n++] =
                (struct wait_item){.kind = WAIT_HANDLE, .handle = servers[i].handle, .want = READY_IN};
        }
        uint64_t due_ns = servers_deadline();
        if (settle_ns < due_ns)
            due_ns = settle_ns;
        int r = sys_wait(items, n, feed_ns < due_ns ? feed_ns : due_ns);
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
        if (now_ns >= feed_ns)
            feed_ns = feed_watchdog(now_ns);
        if (settle_ns != NEVER && (servers_settled() || now_ns >= settle_ns)) {
            settle_ns = NEVER;
            all_up();
        }
    }
}

_Static_assert(1 + MANIFEST_SERVERS_MAX <= WAIT_ITEMS_MAX, "init waits for all of its children at once");

int main(void)
{
    int endpoint = control_open();
    if (endpoint < 0)
        sys_logf(SYS_LOG_ERROR, "cannot serve under the name init: error %d", -endpoint);

    read_manifest();
    read_boot_options();
    for (unsigned i = 0; i < server_count; i++)
        if (servers[i].wanted)
            server_start(&servers[i]);
    loop(endpoint);
}
