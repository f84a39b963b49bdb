# SPDX-License-Identifier: MIT
# tests/sim/sim.mk: the deterministic network simulation.

SIM_SOURCES = tests/sim/sim.c tests/sim/wire.c tests/sim/host.c tests/sim/direct.c tests/sim/handover.c tests/sim/app.c tests/sim/play.c
SIM_TESTS += sim_tcp sim_machine
sim_tcp_SOURCES_LIST = tests/sim/sim_tcp.c $(SIM_SOURCES) $(NET_STACK_SOURCES)
sim_machine_SOURCES_LIST = tests/sim/sim_machine.c tests/sim/machine.c $(SIM_SOURCES) $(NET_STACK_SOURCES) \
	$(NET_CORE_SOURCES) kernel/rights.c tests/sim/services.c
