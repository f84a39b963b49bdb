# SPDX-License-Identifier: MIT
# bench/bench.mk: plugins for QEMU; the measurements are scripts beside them.

BENCH_PLUGINS += bench/insn_plugin.c
