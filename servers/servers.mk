# SPDX-License-Identifier: MIT
# servers/servers.mk: the programs on the ISO; SERVER_<name>_SOURCES each.

SERVERS += netd httpd
SERVER_netd_SOURCES = servers/netd/main.c servers/netd/env.c servers/netd/links.c \
    servers/netd/ip6.c servers/netd/names.c servers/netd/linklocal.c servers/netd/clock.c servers/netd/adopt.c
SERVER_httpd_SOURCES = servers/httpd/main.c servers/httpd/files.c servers/httpd/http.c servers/httpd/status.c

# Tests in ring 3 (test=calls, ... registry); init starts it when test= is given.
SERVERS += selftest
SERVER_selftest_SOURCES = servers/selftest/main.c servers/selftest/helper.c servers/selftest/calls.c \
    servers/selftest/processes.c servers/selftest/messages.c servers/selftest/threads.c \
    servers/selftest/fpu.c servers/selftest/registry.c servers/selftest/libc.c servers/selftest/sockets.c \
    servers/selftest/netdb.c \
    servers/selftest/secrets.c servers/selftest/fork.c servers/selftest/exec.c \
    servers/selftest/trace.c
SERVER_selftest_SOURCES += servers/selftest/names.c servers/selftest/events.c servers/selftest/memory.c
SERVER_selftest_SOURCES += servers/selftest/crew.c servers/selftest/many.c servers/selftest/wakes.c servers/selftest/errnos.c servers/selftest/pairs.c servers/selftest/screen.c
SERVER_selftest_SOURCES += servers/selftest/races.c servers/selftest/smp.c servers/selftest/tlb.c
SERVER_selftest_SOURCES += servers/selftest/pipes.c servers/selftest/signals.c servers/selftest/posix.c \
    servers/selftest/pthread.c
SERVER_selftest_SOURCES += servers/selftest/fuzz.c servers/selftest/fuzz_args.c servers/selftest/witness.c

SERVERS += init shell echo
SERVER_init_SOURCES = servers/init/main.c servers/init/manifest.c servers/init/supervise.c \
    servers/init/control.c servers/init/announce.c
SERVER_shell_SOURCES = servers/shell/main.c servers/shell/edit.c servers/shell/sys_cmds.c servers/shell/hw_cmds.c \
    servers/shell/net_cmds.c servers/shell/ping.c servers/shell/host_cmd.c servers/shell/dhcp_cmd.c servers/shell/run.c servers/shell/clock_cmd.c
SERVERS += strace
SERVER_strace_SOURCES = servers/strace/main.c servers/strace/decode.c
SERVER_echo_SOURCES = servers/echo/main.c

SERVERS += natd
SERVER_natd_SOURCES = servers/natd/main.c servers/natd/setup.c servers/natd/nat.c servers/natd/icmp.c

# Ordinary C programs, for pipelines
SERVERS += cat wc
SERVER_cat_SOURCES = servers/cat/main.c
SERVER_wc_SOURCES = servers/wc/main.c
SERVERS += wget
SERVER_wget_SOURCES = servers/wget/main.c servers/wget/sha256.c
