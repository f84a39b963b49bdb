/* SPDX-License-Identifier: MIT
 *
 * servers/shell/shell.h: the commands of the console's shell.
 *
 *   main.c      prompt, words, the table of commands
 *   edit.c      line editing
 *   sys_cmds.c  processes, memory, time, power, files, init
 *   hw_cmds.c   PCI, devices, interrupts
 *   net_cmds.c  links, addresses, routes, ports, counters
 *   ping.c      ping
 *   host_cmd.c  questions to name servers
 *   dhcp_cmd.c  leases
 *   run.c       programs in the foreground
 *   clock_cmd.c the clocks, held against each other
 *
 * A command gets its words as main() does and returns 0, a complaint's exit
 * code, or SHELL_USAGE for words that it cannot take; one without arguments in
 * the table is never given any. It writes to stdout and asks
 * shell_interrupted() in longer loops.
 */
#ifndef SERVERS_SHELL_SHELL_H
#define SERVERS_SHELL_SHELL_H

#include <slipway/sys.h>
#include <stdbool.h>
#include <stdint.h>

#define SHELL_USAGE (-1)

typedef int shell_command(int argc, char **argv);

struct shell_entry {
    const char *name;
    shell_command *run;
    const char *usage, *help;
};
extern const struct shell_entry shell_commands[];
extern const unsigned shell_command_count;

shell_command cmd_help, cmd_ps, cmd_cpus, cmd_kill, cmd_uptime, cmd_reboot, cmd_poweroff, cmd_free, cmd_dmesg, cmd_date,
    cmd_lspci, cmd_irq, cmd_devices, cmd_cat, cmd_ls, cmd_start, cmd_stop, cmd_crash, cmd_services, cmd_echo, cmd_run,
    cmd_clocks;
shell_command cmd_ifconfig, cmd_nat, cmd_netstat, cmd_arp, cmd_route, cmd_ping, cmd_host, cmd_dhcp;

/* True once Ctrl-C has been typed since the command began. */
bool shell_interrupted(void);
/* Sleep up to ms, ended early by Ctrl-C. */
void shell_sleep(int ms);
/* The same, and ended when fd (-1: none) can be read. */
void shell_wait(int fd, int ms);

/* Run a program of the initrd and wait for its end; false when there is none of
 * that name. */
bool shell_run_program(int argc, char **argv);
/* One line: the programs that may be typed like commands. */
void shell_list_programs(void);

/* "what: message" for a negative errno; returns 1. */
int shell_error(const char *what, int error);
/* 1.5 KiB and the like, into buf. */
const char *shell_size(uint64_t bytes, char buf[16]);
bool shell_number(const char *text, uint64_t max, uint64_t *out);

#endif
