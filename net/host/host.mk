# SPDX-License-Identifier: MIT
# net/host/host.mk: libnet for programs on another system: make hostlib gives
# libslipway-net.a, libslipway-net.so and the example tun_echo.

HOSTLIB_SOURCES = $(NET_STACK_SOURCES) net/host/hostnet.c net/host/kring.c net/host/pieces.c
HOSTLIB_OBJECTS = $(patsubst %,obj/h/%.o,$(HOSTLIB_SOURCES))
HOSTLIB_FLAGS = -std=gnu11 -O2 -g -fPIC -ffunction-sections -fdata-sections -Wall -Wextra -Werror $(TREE_INCLUDES)
HOSTLIB_SONAME = libslipway-net.so.0
HOSTLIB_FILES = libslipway-net.a libslipway-net.so tun_echo

.PHONY: hostlib
hostlib: $(HOSTLIB_FILES)

obj/h/%.c.o: %.c | $(VERSION_HEADER)
	@mkdir -p $(@D); $(slw_say) HCC $<
	$(slw_q)$(CC) $(HOSTLIB_FLAGS) $(DEPFLAGS) -c -o $@ $<

libslipway-net.a: $(HOSTLIB_OBJECTS)
	@$(slw_say) AR $@
	$(slw_q)rm -f $@ && $(AR) rcs $@ $^

$(HOSTLIB_SONAME): $(HOSTLIB_OBJECTS) $(srcdir)/net/host/libslipway-net.map
	@$(slw_say) LINK $@
	$(slw_q)$(CC) -shared -Wl,-soname,$@ -Wl,--version-script,$(srcdir)/net/host/libslipway-net.map -Wl,-z,defs \
	    -o $@ $(HOSTLIB_OBJECTS)

libslipway-net.so: $(HOSTLIB_SONAME)
	@ln -sf $< $@

tun_echo: obj/h/net/host/tun_echo.c.o libslipway-net.a
	@$(slw_say) LINK $@
	$(slw_q)$(CC) -o $@ $^
