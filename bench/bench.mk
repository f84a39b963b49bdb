# SPDX-License-Identifier: MIT
# bench/bench.mk: plugins for QEMU, and programs that run in the guest while
# they count; the measurements are scripts beside them.

BENCH_PLUGINS += bench/insn_plugin.c

BENCH_PROGRAMS += ipcguest
SERVER_ipcguest_SOURCES = bench/ipc_guest.c
BENCH_PROGRAMS += smpguest
SERVER_smpguest_SOURCES = bench/smp_guest.c

# bench/stack: libnet and lwIP on the host, under callgrind.
BENCH_STACKS = obj/bench/stack_slipway obj/bench/stack_lwip
bench-plugins: $(BENCH_STACKS)
obj/bench/stack_slipway: $(srcdir)/bench/stack_slipway.c obj/h/net/host/kring.c.o libslipway-net.a
obj/bench/stack_lwip: $(srcdir)/bench/stack_lwip.c
$(BENCH_STACKS): $(srcdir)/bench/stack_work.c $(srcdir)/bench/stack_work.h
	@mkdir -p $(@D); $(slw_say) LINK $@
	$(slw_q)$(CC) -std=gnu11 -O2 -g -Wall -Wextra -Werror $(TREE_INCLUDES) -o $@ $(filter %.c %.o %.a,$^) $(BENCH_LIBS)
obj/bench/stack_lwip: BENCH_LIBS = -I/usr/include/lwip -llwip
