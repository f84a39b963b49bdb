# SPDX-License-Identifier: MIT
#
# iso/iso.mk: the initrd and the ISO.
#
#   make iso CMDLINE='timer=pit start=echo'   boot options for every menu entry
#   make iso EXTRA='path[:dest] ...'          more files in the initrd
#
# EXTRA: a program (ELF) goes to bin/, another file to the top, a folder's
# contents over the top; ":dest" names another place in the initrd.

CMDLINE =
EXTRA =
ISO_MAX_BYTES = 8388608

# Written anew only when the text changes, so that the ISO follows.
obj/cmdline.txt: slw-force
	@mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(CMDLINE))' > $@.new; \
	if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi
obj/extra.txt: slw-force
	@mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(EXTRA))' > $@.new; \
	if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi
# The commit's time: it goes into the archive and the ISO.
obj/epoch.txt: slw-force
	@mkdir -p $(@D); $(SHELL) $(srcdir)/build-aux/version --epoch $(srcdir) > $@.new; \
	if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi

INITRD_FILES = $(shell find $(srcdir)/iso/etc $(srcdir)/iso/www -type f ! -name "*~" 2>/dev/null)

initrd.tar: $(PROGRAMS_TARGET) $(INITRD_FILES) obj/extra.txt obj/epoch.txt \
    $(wildcard $(foreach e,$(EXTRA),$(firstword $(subst :, ,$(e))))) \
    $(srcdir)/LICENSE $(srcdir)/COPYING.NEWLIB $(srcdir)/iso/mk-initrd $(srcdir)/iso/iso.mk
	@$(slw_say) INITRD $@
	$(slw_q)STRIP='$(STRIP)' TAR='$(TAR)' $(SHELL) $(srcdir)/iso/mk-initrd $@ obj/initrd \
	    "`cat obj/epoch.txt`" $(srcdir) '$(PROGRAMS_TARGET)' '$(subst ','\'',$(EXTRA))'

slipway.iso: kernel.elf initrd.tar $(srcdir)/iso/grub.cfg $(srcdir)/iso/mk-iso obj/cmdline.txt obj/epoch.txt
	@$(slw_say) ISO $@
	$(slw_q)GRUB_MKRESCUE='$(GRUB_MKRESCUE)' MFORMAT='$(MFORMAT)' STRIP='$(STRIP)' SOURCE_DATE_EPOCH="`cat obj/epoch.txt`" \
	    $(SHELL) $(srcdir)/iso/mk-iso --kernel kernel.elf --initrd initrd.tar --max-bytes $(ISO_MAX_BYTES) \
	    --cmdline "`cat obj/cmdline.txt`" --work obj/iso -o $@

iso: slipway.iso

.PHONY: run debug
RUN_ENV = SLIPWAY_SRC='$(srcdir)' QEMU='$(QEMU)' GDB='$(GDB)' OVMF_CODE='$(OVMF_CODE)'
# With slipway-attach, which the serial line needs.
run: iso slipway-attach$(EXEEXT)
	@$(RUN_ENV) $(srcdir)/tools/run
debug: iso slipway-attach$(EXEEXT)
	@$(RUN_ENV) GDB_STUB=1 $(srcdir)/tools/run
export NIC UEFI SMP MEM PCAP ACCEL MACHINE PORT SLIP QEMU_EXTRA
