/* SPDX-License-Identifier: MIT
 *
 * servers/shell/sys_cmds.c: commands about the machine and its processes.
 */
#include "shell.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <slipway/initproto.h>
#include <slipway/netdproto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000ull
#define ASK_MS    5000

/* --- processes --- */

int cmd_ps(int argc, char **argv)
{
    struct info_process p;
    char mem[16], limit[16];

    (void)argc, (void)argv;
    printf("  PID  PPID PRI THR STATE   MEMORY    LIMIT  CPU-MS HANDLES NAME\n");
    for (uint64_t i = 0; sys_info(INFO_PROCESS, i, &p, sizeof p) > 0 && !shell_interrupted(); i++)
        printf("%5u %5u %3u %3u %-5.8s %8s %8s %7u %7u %.16s\n", (unsigned)p.pid, (unsigned)p.parent,
               (unsigned)p.priority, (unsigned)p.threads, p.state, shell_size(p.memory_bytes, mem),
               shell_size(p.memory_limit, limit), (unsigned)(p.cpu_ns / 1000000), (unsigned)p.handles, p.name);
    return 0;
}

int cmd_cpus(int argc, char **argv)
{
    struct info_cpu c;

    (void)argc, (void)argv;
    printf("CPU APIC  BUSY-MS  IDLE-MS SWITCHES    CALLS    INTRS    IPIS STEALS LOCK-WAITS WAIT-US MOST-US\n");
    for (uint64_t i = 0; sys_info(INFO_CPU, i, &c, sizeof c) > 0 && !shell_interrupted(); i++)
        printf("%3u %4u %8lu %8lu %8lu %8lu %8lu %7lu %6lu %10lu %7lu %7lu\n", (unsigned)c.cpu, (unsigned)c.apic_id,
               (unsigned long)(c.busy_ns / 1000000), (unsigned long)(c.idle_ns / 1000000),
               (unsigned long)c.context_switches, (unsigned long)c.syscalls, (unsigned long)c.interrupts,
               (unsigned long)c.ipis, (unsigned long)c.steals, (unsigned long)c.lock_waits,
               (unsigned long)(c.lock_wait_ns / 1000), (unsigned long)(c.lock_wait_most_ns / 1000));
    return 0;
}

/* Processes of that name, before any of them ends: a successor that init starts
 * meanwhile is not meant. */
static unsigned pids_of(const char *name, uint32_t *pids, unsigned max)
{
    struct info_process p;
    unsigned n = 0;

    for (uint64_t i = 0; n < max && sys_info(INFO_PROCESS, i, &p, sizeof p) > 0; i++)
        if (strncmp(p.name, name, sizeof p.name) == 0 && strcmp(p.state, "dead") != 0)
            pids[n++] = p.pid;
    return n;
}

int cmd_kill(int argc, char **argv)
{
    uint32_t pids[32];
    uint64_t pid;
    unsigned n;

    if (argc != 2)
        return SHELL_USAGE;
    if (shell_number(argv[1], UINT32_MAX, &pid)) {
        pids[0] = (uint32_t)pid;
        n = 1;
    } else {
        n = pids_of(argv[1], pids, sizeof pids / sizeof pids[0]);
    }
    int r = n == 0 ? -ESRCH : 0;
    for (unsigned i = 0; i < n && r == 0; i++)
        r = sys_kill(pids[i], 9);
    return r < 0 ? shell_error(argv[1], r) : 0;
}

/* --- init --- */

/* -ENOENT is init's word for a name that it does not know. */
static int init_error(const char *name, int error)
{
    if (error != -ENOENT)
        return shell_error(name, error);
    printf("%s: no such server, or nothing to tell of it; see services\n", name);
    return 1;
}

static int ask_init(uint32_t type, const char *name)
{
    struct sys_msg m;
    sys_msg_set(&m, type, name, strlen(name) + 1);
    int r = sys_ask("init", &m, ASK_MS);
    return r < 0 ? init_error(name, r) : 0;
}

int cmd_start(int argc, char **argv)
{
    return argc == 2 ? ask_init(INIT_START, argv[1]) : SHELL_USAGE;
}

int cmd_stop(int argc, char **argv)
{
    return argc == 2 ? ask_init(INIT_STOP, argv[1]) : SHELL_USAGE;
}

static bool status_of(uint32_t index, struct init_status *st)
{
    struct sys_msg m;
    sys_msg_set(&m, INIT_STATUS, &index, sizeof index);
    if (sys_ask("init", &m, ASK_MS) != 0 || m.len < sizeof *st)
        return false;
    memcpy(st, m.data, sizeof *st);
    return true;
}

int cmd_services(int argc, char **argv)
{
    static const char *const names[] = {"off", "starting", "up", "backoff", "failed", "done"};
    struct init_status st;

    (void)argc, (void)argv;
    printf("NAME             STATE     PID RESTARTS LAST     SINCE\n");
    for (uint32_t i = 0; status_of(i, &st); i++)
        printf("%-16.16s %-8s %4u %8u %4d %8us\n", st.name, st.state < 6 ? names[st.state] : "?",
               (unsigned)st.pid, (unsigned)st.restarts, (int)st.last_status,
               (unsigned)((sys_now_ns() - st.since_ns) / SECOND_NS));
    return 0;
}

/* The report comes in a memory object, its length in the message. */
static int show_report(const char *name)
{
    struct sys_msg m;
    uint64_t bytes = 0;

    sys_msg_set(&m, INIT_REPORT, name, strlen(name) + 1);
    int r = sys_ask("init", &m, ASK_MS);
    if (r < 0)
        return r;
    if (m.len >= sizeof bytes)
        memcpy(&bytes, m.data, sizeof bytes);
    uint64_t room = (bytes + 4095) & ~4095ull;
    int64_t at = sys_memobj_map(m.handle, 0, 0, room, PROT_R);
    if (at >= 0) {
        printf("--- %s ---\n", name);
        fwrite((const void *)at, 1, bytes, stdout);
        putchar('\n');
        sys_mem_unmap((uint64_t)at, room);
    }
    sys_handle_close(m.handle);
    return at < 0 ? (int)at : 0;
}

int cmd_crash(int argc, char **argv)
{
    struct init_status st;
    int shown = 0;

    if (argc > 2)
        return SHELL_USAGE;
    if (argc == 2) {
        int r = show_report(argv[1]);
        return r < 0 ? init_error(argv[1], r) : 0;
    }
    for (uint32_t i = 0; status_of(i, &st) && !shell_interrupted(); i++)
        shown += show_report(st.name) == 0;
    if (shown == 0)
        printf("nothing has crashed\n");
    return 0;
}

/* --- the machine --- */

static int system_info(struct info_system *s)
{
    int64_t r = sys_info(INFO_SYSTEM, 0, s, sizeof *s);
    return r < 0 ? shell_error("info", (int)r) : 0;
}

int cmd_uptime(int argc, char **argv)
{
    struct info_system s;

    (void)argc, (void)argv;
    if (system_info(&s) != 0)
        return 1;
    unsigned up = (unsigned)(s.uptime_ns / SECOND_NS);
    unsigned idle = (unsigned)(s.idle_ns / s.cpus / (s.uptime_ns / 1000 + 1));
    printf("Slipway %.48s, up %u:%02u:%02u, idle %u.%u %%\n", s.version, up / 3600, up / 60 % 60, up % 60,
           idle / 10, idle % 10);
    printf("booted in %u.%03u s, firmware %.8s, clock %.12s, event %.12s, interrupts %.12s, pci %.12s, "
           "random %s from %.32s\n",
           (unsigned)(s.boot_ns / SECOND_NS), (unsigned)(s.boot_ns / 1000000 % 1000), s.firmware, s.clock,
           s.event, s.irq, s.pci, s.random_seeded ? "seeded" : "not seeded yet", s.random_from);
    printf("%u processors, %u processes, %u threads, %llu switches, %llu calls, %llu interrupts, "
           "%llu of them timer\n",
           (unsigned)s.cpus, (unsigned)s.processes, (unsigned)s.threads, (unsigned long long)s.context_switches,
           (unsigned long long)s.syscalls, (unsigned long long)s.interrupts,
           (unsigned long long)s.timer_interrupts);
    return 0;
}

int cmd_free(int argc, char **argv)
{
    struct info_memory m;

    (void)argc, (void)argv;
    if (sys_info(INFO_MEMORY, 0, &m, sizeof m) <= 0)
        return 1;
    const struct {
        const char *owner;
        uint64_t bytes;
    } lines[] = {
        {"kernel image, initrd, boot", m.boot}, {"page tables", m.tables}, {"kernel objects", m.kmalloc},
        {"kernel stacks", m.stacks},            {"processes", m.anonymous}, {"memory objects", m.objects},
        {"net rings", m.rings},                 {"devices", m.devices},     {"free", m.free},
    };
    printf("memory: %u KiB, used %u KiB, free %u KiB\n", (unsigned)(m.total / 1024),
           (unsigned)((m.total - m.free) / 1024), (unsigned)(m.free / 1024));
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        printf("%9u KiB  %s\n", (unsigned)(lines[i].bytes / 1024), lines[i].owner);
    printf("of the free: %u KiB promised to processes, %u KiB in processors' caches\n",
           (unsigned)(m.promised / 1024), (unsigned)(m.cached / 1024));
    return 0;
}

/* Who says so. */
static void show_clock_source(void)
{
    struct sys_msg m;
    struct netd_clock c;
    char text[INET6_ADDRSTRLEN];

    sys_msg_set(&m, NETD_CLOCK, NULL, 0);
    if (sys_ask("netd", &m, 1000) != 0)
        return;
    memcpy(&c, m.data, sizeof c);
    if (c.state != NETD_CLOCK_SET) {
        printf("by the machine's own clock%s\n", c.state == NETD_CLOCK_ASKING ? "; no time server has answered yet" : "");
        return;
    }
    uint64_t off = (uint64_t)(c.offset_ns < 0 ? -c.offset_ns : c.offset_ns);
    printf("by SNTP from %s, stratum %u, %llu s ago, %s by %llu.%06llu s\n",
           inet_ntop(c.family == NET_INET6 ? AF_INET6 : AF_INET, c.server.b, text, sizeof text), c.stratum,
           (unsigned long long)((sys_now_ns() - c.when_ns) / 1000000000u), c.offset_ns < 0 ? "was ahead" : "was behind",
           (unsigned long long)(off / 1000000000u), (unsigned long long)(off % 1000000000u / 1000));
}

int cmd_date(int argc, char **argv)
{
    char text[64];
    time_t now = time(NULL);
    struct tm tm;

    (void)argc, (void)argv;
    gmtime_r(&now, &tm);
    strftime(text, sizeof text, "%a %b %e %H:%M:%S UTC %Y", &tm);
    printf("%s\n", text);
    show_clock_source();
    return 0;
}

int cmd_dmesg(int argc, char **argv)
{
    static char buf[1024];
    uint64_t cursor = 0;
    bool previous = argc == 2 && strcmp(argv[1], "-p") == 0;
    int64_t (*next)(uint64_t *, char *, uint64_t) = previous ? sys_log_previous : sys_log_read;
    int64_t n;

    if (argc > 1 && !previous)
        return SHELL_USAGE;
    while ((n = next(&cursor, buf, sizeof buf)) > 0 && !shell_interrupted())
        fwrite(buf, 1, (size_t)n, stdout);
    if (previous && n == 0 && cursor == 0)
        printf("no log is left of a run before this one\n");
    return n < 0 ? shell_error("dmesg", (int)n) : 0;
}

int cmd_reboot(int argc, char **argv)
{
    (void)argc, (void)argv;
    return shell_error("reboot", sys_power(POWER_REBOOT));
}

int cmd_poweroff(int argc, char **argv)
{
    (void)argc, (void)argv;
    return shell_error("poweroff", sys_power(POWER_OFF));
}

/* --- files --- */

int cmd_cat(int argc, char **argv)
{
    static char buf[1024];

    if (argc < 2)
        return SHELL_USAGE;
    for (int i = 1; i < argc; i++) {
        int fd = open(argv[i], O_RDONLY);
        ssize_t n = fd < 0 ? -1 : 0;
        while (fd >= 0 && (n = read(fd, buf, sizeof buf)) > 0 && !shell_interrupted())
            fwrite(buf, 1, (size_t)n, stdout);
        if (n < 0)
            printf("%s: %s\n", argv[i], strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    return 0;
}

int cmd_ls(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "/";

    if (argc > 2)
        return SHELL_USAGE;
    DIR *d = opendir(path);
    if (d == NULL)
        return shell_error(path, -errno);
    for (struct dirent *e = readdir(d); e != NULL && !shell_interrupted(); e = readdir(d)) {
        char full[512];
        struct stat st = {.st_size = 0};
        snprintf(full, sizeof full, "%s/%s", path, e->d_name);
        if (e->d_type == DT_REG)
            stat(full, &st);
        printf("%10lu %s%s\n", (unsigned long)st.st_size, e->d_name, e->d_type == DT_DIR ? "/" : "");
    }
    closedir(d);
    return 0;
}

int cmd_echo(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        printf("%s%s", i > 1 ? " " : "", argv[i]);
    putchar('\n');
    return 0;
}
