# SPDX-License-Identifier: MIT
# tests/sim/sim.mk: the deterministic network simulation.

SIM_SOURCES = tests/sim/sim.c tests/sim/wire.c tests/sim/host.c tests/sim/app.c
SIM_TESTS += sim_tcp
sim_tcp_SOURCES_LIST = tests/sim/sim_tcp.c $(SIM_SOURCES) $(NET_STACK_SOURCES)
