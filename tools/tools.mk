# SPDX-License-Identifier: MIT
#
# tools/tools.mk: host programs, in automake's terms (this one is read by
# automake, unlike the other folders' fragments).

# Joins a SLIP line to a TUN device; shares the codec with the kernel's driver.
bin_PROGRAMS += slipway-attach
slipway_attach_SOURCES = tools/slipway-attach.c tools/attach_line.c tools/attach_status.c tools/attach.h \
	drivers/slip_codec.c drivers/slip_codec.h drivers/vj.c drivers/vj.h
tools/slipway-attach.$(OBJEXT): obj/include/slipway_version.h
dist_man_MANS = tools/slipway-attach.8
