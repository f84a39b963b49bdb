# SPDX-License-Identifier: MIT
# bench/bench.mk: plugins for QEMU, and programs that run in the guest while
# they count; the measurements are scripts beside them.

BENCH_PLUGINS += bench/insn_plugin.c

BENCH_PROGRAMS += ipcguest
SERVER_ipcguest_SOURCES = bench/ipc_guest.c
BENCH_PROGRAMS += smpguest
SERVER_smpguest_SOURCES = bench/smp_guest.c
