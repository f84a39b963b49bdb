# SPDX-License-Identifier: MIT
#
# libc/newlib.mk: newlib, built once into the build tree and kept.
#
# The folder's name carries a digest of all that goes in (flags, options,
# compiler, archive), so a change builds anew and an old one is never mixed in.
# `make clean` keeps it. --with-newlib=DIR at configure takes a ready one.
#
# Threads: newlib asks the glue (libc/) for __getreent, for the retargetable
# locks, and, because of _POSIX_THREADS, for pthread_setcancelstate.

NEWLIB_FLAGS = -ffreestanding -fPIE $(TARGET_ONLY) $(LIBC_DEFINES) -fno-stack-protector \
    -fcf-protection=none -fno-asynchronous-unwind-tables -isystem $(TARGET_CC_INCLUDE)
NEWLIB_CFLAGS = -O2 -ffunction-sections -fdata-sections -march=x86-64 -mtune=generic -w
NEWLIB_OPTIONS = --target=x86_64-elf --disable-libgloss --disable-newlib-supplied-syscalls \
    --disable-multilib --disable-nls --enable-newlib-multithread --enable-newlib-retargetable-locking \
    --enable-newlib-io-long-long --enable-newlib-io-c99-formats

ifneq ($(NEWLIB_READY),)

NEWLIB_DIR = $(NEWLIB_READY)
NEWLIB_READY_STAMP =

else

NEWLIB_KEY := $(shell { echo '$(TARGET_CC) $(NEWLIB_FLAGS) $(NEWLIB_CFLAGS) $(NEWLIB_OPTIONS)'; \
    $(TARGET_CC) --version; cksum < $(NEWLIB_TARBALL); } | cksum | cut -d' ' -f1)
NEWLIB_TOP = newlib/$(NEWLIB_KEY)
NEWLIB_DIR = $(NEWLIB_TOP)/x86_64-elf
NEWLIB_READY_STAMP = $(NEWLIB_TOP)/stamp

# Under `make -jN` newlib shares N jobs; otherwise it takes every processor.
NEWLIB_JOBS = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
# Neither the user's flags nor variables given to this make reach newlib's.
NEWLIB_ENV = env -u CC -u CXX -u CFLAGS -u CPPFLAGS -u LDFLAGS -u MAKEOVERRIDES \
    MAKEFLAGS='$(filter -j% --jobserver%,$(MAKEFLAGS))'

$(NEWLIB_READY_STAMP):
	@$(slw_say) NEWLIB "$(NEWLIB_TARBALL) (log: $(NEWLIB_TOP).log)"
	@rm -rf $(NEWLIB_TOP) $(NEWLIB_TOP).work && mkdir -p $(NEWLIB_TOP).work/build
	@$(XZ) -dc $(NEWLIB_TARBALL) | $(TAR) -xf - -C $(NEWLIB_TOP).work --strip-components=1 --no-same-owner
	+@( cd $(NEWLIB_TOP).work/build && \
	  $(NEWLIB_ENV) ../configure --prefix=$(abs_builddir)/$(NEWLIB_TOP) $(NEWLIB_OPTIONS) \
	    CC_FOR_TARGET="$(TARGET_CC) $(NEWLIB_FLAGS) -ffile-prefix-map=$(abs_builddir)/$(NEWLIB_TOP).work/=" \
	    CFLAGS_FOR_TARGET="$(NEWLIB_CFLAGS)" AR_FOR_TARGET="$(AR)" AS_FOR_TARGET="as" LD_FOR_TARGET="$(LD)" \
	    NM_FOR_TARGET="$(NM)" RANLIB_FOR_TARGET="$(RANLIB)" OBJCOPY_FOR_TARGET="$(OBJCOPY)" \
	    STRIP_FOR_TARGET="$(STRIP)" READELF_FOR_TARGET="$(READELF)" && \
	  $(NEWLIB_ENV) $(MAKE) $(NEWLIB_JOBS) MAKEINFO=true all-target-newlib && \
	  $(NEWLIB_ENV) $(MAKE) MAKEINFO=true install-target-newlib ) > $(NEWLIB_TOP).log 2>&1 < /dev/null || \
	  { tail -20 $(NEWLIB_TOP).log; echo "newlib: the build failed, see $(NEWLIB_TOP).log" >&2; exit 1; }
	@rm -rf $(NEWLIB_TOP).work
	@touch $@

endif

.PHONY: newlib-build newlib-dir
newlib-build: $(NEWLIB_READY_STAMP)
newlib-dir:
	@echo "$(abspath $(NEWLIB_DIR))"
