/* SPDX-License-Identifier: MIT
 *
 * servers/shell/main.c: the shell on the console.
 *
 * Waits for keys and, under the name "shell", for a notification that its line
 * was written over and must be drawn again.
 */
#include "edit.h"
#include "shell.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX 32
#define KEYS      64

static struct editor editor;
static bool interrupted;

const struct shell_entry shell_commands[] = {
    {"arp", cmd_arp, "", "neighbours: IP and MAC addresses"},
    {"cat", cmd_cat, "FILE ...", "show files"},
    {"clocks", cmd_clocks, "[MS]", "the machine's clocks, and a sleep of 1 to 2000 ms by each"},
    {"cpus", cmd_cpus, "", "processors: time, switches, waits for the kernel lock"},
    {"crash", cmd_crash, "[SERVER]", "last crash reports"},
    {"date", cmd_date, "", "date and time (UTC)"},
    {"devices", cmd_devices, "", "devices with a node in /dev"},
    {"dhcp", cmd_dhcp, "[renew]", "leases; renew: ask the servers again"},
    {"dmesg", cmd_dmesg, "[-p]", "the kernel's log; -p: of the run before"},
    {"echo", cmd_echo, "[WORD ...]", "repeat the words"},
    {"free", cmd_free, "", "memory"},
    {"help", cmd_help, "", "this list"},
    {"host", cmd_host, "NAME|ADDRESS [SERVER]", "ask the name servers"},
    {"ifconfig", cmd_ifconfig, "", "links and their addresses"},
    {"irq", cmd_irq, "", "interrupt sources and counts"},
    {"kill", cmd_kill, "PID|NAME", "end a process"},
    {"ls", cmd_ls, "[FOLDER]", "list files"},
    {"lspci", cmd_lspci, "[-b]", "PCI devices and their drivers"},
    {"nat", cmd_nat, "", "the gateway: sessions, packets, drops"},
    {"netstat", cmd_netstat, "", "ports, drops, neighbours, routes"},
    {"ndp", cmd_arp, "", "the same as arp: neighbours of both families"},
    {"ping", cmd_ping, "[-4|-6] [-c COUNT] [-s BYTES] HOST", "ask a host to answer"},
    {"poweroff", cmd_poweroff, "", "switch the machine off"},
    {"ps", cmd_ps, "", "processes"},
    {"reboot", cmd_reboot, "", "start the machine again"},
    {"route", cmd_route, "", "routes"},
    {"run", cmd_run, "PROGRAM [ARGUMENT ...]", "a program of the initrd, as its name alone does"},
    {"services", cmd_services, "", "what init runs"},
    {"start", cmd_start, "NAME", "start a listed server"},
    {"stop", cmd_stop, "NAME", "stop a server"},
    {"uptime", cmd_uptime, "", "how long the system runs, and how"},
};
const unsigned shell_command_count = sizeof shell_commands / sizeof shell_commands[0];

int cmd_help(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (unsigned i = 0; i < shell_command_count; i++) {
        const struct shell_entry *e = &shell_commands[i];
        printf("  %-9s %-27s %s\n", e->name, e->usage, e->help);
    }
    shell_list_programs();
    return 0;
}

/* --- keys --- */

static void show(void *ctx, const char *text, size_t n)
{
    (void)ctx;
    fwrite(text, 1, n, stdout);
}

/* Typed while a command ran; take_keys goes on with it. */
static char ahead[256];
static size_t ahead_count;

void shell_wait(int fd, int ms)
{
    struct pollfd p[2] = {{.fd = 0, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    char keys[KEYS];

    fflush(stdout);
    if (poll(p, 2, ms) <= 0 || p[0].revents == 0)
        return;
    ssize_t n = read(0, keys, sizeof keys);
    for (ssize_t i = 0; i < n; i++) {
        if (keys[i] == 3) {
            interrupted = true;
            ahead_count = 0; /* as a terminal does: what was typed ahead is off */
        } else if (ahead_count < sizeof ahead) {
            ahead[ahead_count++] = keys[i];
        } else {
            show(NULL, "\a", 1);
        }
    }
}

void shell_sleep(int ms)
{
    shell_wait(-1, ms);
}

bool shell_interrupted(void)
{
    if (!interrupted)
        shell_sleep(0);
    return interrupted;
}

/* --- helpers of the commands --- */

int shell_error(const char *what, int error)
{
    printf("%s: %s\n", what, error == -EPEER ? "the server died" : strerror(-error));
    return 1;
}

const char *shell_size(uint64_t bytes, char buf[16])
{
    static const char units[] = "BKMGT";
    unsigned u = 0;
    uint64_t tenths = bytes * 10;

    while (tenths >= 10240 && u < sizeof units - 2) {
        tenths /= 1024;
        u++;
    }
    if (u == 0)
        snprintf(buf, 16, "%uB", (unsigned)bytes);
    else
        snprintf(buf, 16, "%u.%u%c", (unsigned)(tenths / 10), (unsigned)(tenths % 10), units[u]);
    return buf;
}

bool shell_number(const char *text, uint64_t max, uint64_t *out)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return *end == 0 && errno == 0 && *out <= max;
}

/* --- lines --- */

static void run(char *line)
{
    char *words[WORDS_MAX + 1], *save;
    int n = 0;

    for (char *w = strtok_r(line, " \t", &save); w != NULL && n < WORDS_MAX; w = strtok_r(NULL, " \t", &save))
        words[n++] = w;
    words[n] = NULL;
    if (n == 0)
        return;
    interrupted = false;
    for (unsigned i = 0; i < shell_command_count; i++) {
        const struct shell_entry *e = &shell_commands[i];
        if (strcmp(e->name, words[0]) == 0) {
            if ((e->usage[0] == 0 && n > 1) || e->run(n, words) == SHELL_USAGE)
                printf("usage: %s%s%s\n", e->name, e->usage[0] != 0 ? " " : "", e->usage);
            return;
        }
    }
    if (!shell_run_program(n, words))
        printf("%s: no such command; try help\n", words[0]);
}

static void take_key(char key)
{
    enum edit_result r = edit_byte(&editor, (uint8_t)key);

    if (r == EDIT_MORE)
        return;
    if (r == EDIT_LINE_DONE)
        run(editor.line);
    edit_begin(&editor);
}

static void take_keys(void)
{
    char keys[KEYS];
    ssize_t n = read(0, keys, sizeof keys);

    if (n < 0 && errno != EAGAIN)
        exit(1);
    for (ssize_t i = 0; i < n; i++)
        take_key(keys[i]);
    while (ahead_count > 0) { /* a command run from here may be typed over, too */
        char key = ahead[0];
        memmove(ahead, ahead + 1, --ahead_count);
        take_key(key);
    }
}

int main(void)
{
    struct pollfd p[2] = {{.fd = 0, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    int endpoint = sys_endpoint_create(4);
    struct sys_msg m;

    if (endpoint >= 0 && sys_name_register("shell", endpoint) == 0)
        p[1].fd = sys_handle_fd(endpoint);
    edit_init(&editor, "slipway# ", show, NULL);
    edit_begin(&editor);
    fflush(stdout); /* before init, now told, writes its lines below */
    sys_ready();
    for (;;) {
        fflush(stdout);
        if (poll(p, 2, -1) < 0)
            return 1;
        if ((p[1].revents & POLLIN) && sys_recv(endpoint, &m, 0) == 0)
            edit_redraw(&editor);
        if (p[0].revents & (POLLIN | POLLHUP | POLLERR))
            take_keys();
    }
}
