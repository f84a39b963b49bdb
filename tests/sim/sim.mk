# SPDX-License-Identifier: MIT
# tests/sim/sim.mk: the deterministic network simulation.

SIM_SOURCES = tests/sim/sim.c tests/sim/wire.c tests/sim/host.c tests/sim/direct.c net/host/kring.c tests/sim/handover.c tests/sim/app.c tests/sim/play.c
SIM_MACHINE_SOURCES = tests/sim/machine.c $(SIM_SOURCES) $(NET_STACK_SOURCES) $(NET_CORE_SOURCES) kernel/rights.c \
	tests/sim/services.c
SIM_TESTS += sim_tcp sim_machine
sim_tcp_SOURCES_LIST = tests/sim/sim_tcp.c $(SIM_SOURCES) $(NET_STACK_SOURCES)
sim_machine_SOURCES_LIST = tests/sim/sim_machine.c $(SIM_MACHINE_SOURCES)

# 2,400 worlds: some with the sanitizers, the rest optimised.
SIM_TESTS += sim_chaos sim_chaos_fast
sim_chaos_SOURCES_LIST = tests/sim/sim_chaos.c $(SIM_MACHINE_SOURCES)
sim_chaos_fast_SOURCES_LIST = $(sim_chaos_SOURCES_LIST)
sim_chaos_fast_FLAGS = $(TEST_FAST_FLAGS) -DCHAOS_FIRST=801 -DCHAOS_SEEDS=1600

# What bench/throughput prints.
SIM_TESTS += throughput
throughput_SOURCES_LIST = tests/sim/throughput.c tests/sim/ideal.c $(SIM_SOURCES) $(NET_STACK_SOURCES)
throughput_FLAGS = $(TEST_FAST_FLAGS)
throughput_LIBS = -lm

# make sim SEEDS=100000 FIRST=5000: any number of worlds, on all processors.
SEEDS = 2000
FIRST = 1
.PHONY: sim
sim: tests/sim/sim_chaos_fast.tap
	@$(SHELL) $(srcdir)/tests/sim/run-seeds tests/sim/sim_chaos_fast.tap $(FIRST) $(SEEDS)

# The conformance cases: make conform CASE=name shows one with its packets.
SIM_TESTS += conform
conform_SOURCES_LIST = tests/sim/conform.c tests/sim/conform_cmd.c tests/sim/conform_parse.c tests/sim/conform_seg.c \
	tests/sim/sim.c tests/sim/wire.c tests/sim/host.c tests/sim/direct.c net/host/kring.c tests/sim/app.c $(NET_STACK_SOURCES)
