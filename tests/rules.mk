# SPDX-License-Identifier: MIT
#
# tests/rules.mk: how host tests are built.
#
# NAME in UNIT_TESTS (or SIM_TESTS) with its sources in NAME_SOURCES_LIST makes
# tests/unit/NAME.tap. Sources are shared among tests unless a test sets flags
# of its own in NAME_CPPFLAGS, or others than TEST_FLAGS in NAME_FLAGS; NAME_LIBS
# are more libraries.
#
# NAME.trs is a test's result, made by automake's TAP driver: it runs the
# program through build-aux/tap-run, which merges the plans of several cmocka
# groups and turns a crash into a failed point.
#
#   make check-host                  all host tests
#   make tests/unit/test_ports.trs   one of them
#   make conform CASE=NAME           one conformance case, with its packets
#   make check-matrix                all of the hardware matrix (make check: some of it)

UNIT_TAPS = $(UNIT_TESTS:%=tests/unit/%.tap)
SIM_TAPS = $(SIM_TESTS:%=tests/sim/%.tap)
FUZZ_TAPS = $(FUZZ_TESTS:%=tests/fuzz/%.tap)
HOST_TAPS = tests/unit/hygiene.tap tests/unit/contracts.tap tests/unit/sockets.tap tests/unit/abi.tap tests/unit/tcp_musts.tap \
    $(UNIT_TAPS) $(SIM_TAPS) $(FUZZ_TAPS)
HOST_TRS = $(HOST_TAPS:.tap=.trs)

TEST_FLAGS = -std=gnu11 -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
    -fno-sanitize-recover=all -Wall -Wextra -Werror $(TREE_INCLUDES) -I$(srcdir)/tests
TEST_LIBS = -lcmocka
# Without sanitizers, for what must run often.
TEST_FAST_FLAGS = -std=gnu11 -g -O2 -Wall -Wextra -Werror $(TREE_INCLUDES) -I$(srcdir)/tests

slw_test_objects = $(patsubst %,obj/t/$(if $($(1)_CPPFLAGS)$($(1)_FLAGS),$(1),common)/%.o,$($(1)_SOURCES_LIST))
slw_test_flags = $(or $($(1)_FLAGS),$(TEST_FLAGS))

# $(1) name, $(2) folder
define slw_test
$(2)/$(1).tap: $$(call slw_test_objects,$(1))
	@mkdir -p $$(@D); $$(slw_say) LINK $$@
	$$(slw_q)$$(CC) $$(call slw_test_flags,$(1)) -o $$@ $$(call slw_test_objects,$(1)) $$(TEST_LIBS) $$($(1)_LIBS)
endef
define slw_test_own_flags
obj/t/$(1)/%.c.o: %.c $(FLAGS_STAMP) | $(VERSION_HEADER)
	@mkdir -p $$(@D); $$(slw_say) TCC "$$<"
	$$(slw_q)$$(CC) $$($(1)_CPPFLAGS) $$(call slw_test_flags,$(1)) $$(DEPFLAGS) -c -o $$@ $$<
endef
obj/t/common/%.c.o: %.c $(FLAGS_STAMP) | $(VERSION_HEADER)
	@mkdir -p $(@D); $(slw_say) TCC $<
	$(slw_q)$(CC) $(TEST_FLAGS) $(DEPFLAGS) -c -o $@ $<

$(foreach t,$(UNIT_TESTS),$(eval $(call slw_test,$(t),tests/unit)))
$(foreach t,$(SIM_TESTS),$(eval $(call slw_test,$(t),tests/sim)))
# A fuzz target with its corpus and some mutations, without libFuzzer.
define slw_fuzz
tests/fuzz/$(1).tap: $$(call slw_test_objects,$(1)) obj/t/common/tests/fuzz/replay.c.o
	@mkdir -p $$(@D); $$(slw_say) LINK $$@
	$$(slw_q)$$(CC) $$(TEST_FLAGS) -o $$@ $$^
endef
$(foreach t,$(FUZZ_TESTS),$(eval $(call slw_fuzz,$(t))))

# With libFuzzer (needs clang): make fuzz builds each target and runs it for
# FUZZ_SECONDS; what is new lies in tests/fuzz/NAME.new, a finding in the build folder.
FUZZ_CC = clang
FUZZ_FLAGS = -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all $(TREE_INCLUDES) -I$(srcdir)/tests
define slw_libfuzzer
tests/fuzz/$(1): $$(addprefix $$(srcdir)/,$$($(1)_SOURCES_LIST)) | $$(VERSION_HEADER)
	@mkdir -p $$(@D); $$(slw_say) FUZZ $$@
	$$(slw_q)$$(FUZZ_CC) $$(FUZZ_FLAGS) -o $$@ $$^
endef
$(foreach t,$(FUZZ_TESTS),$(if $($(t)_SOURCES_LIST),,$(error FUZZ_TESTS=$(t): no such target in tests/fuzz/fuzz.mk)))
$(foreach t,$(FUZZ_TESTS),$(eval $(call slw_libfuzzer,$(t))))
FUZZ_SECONDS = 60
.PHONY: fuzz fuzz-build
fuzz-build: $(FUZZ_TESTS:%=tests/fuzz/%)
fuzz: fuzz-build
	@case '$(FUZZ_SECONDS)' in '' | *[!0-9]*) echo 'FUZZ_SECONDS=$(FUZZ_SECONDS) is no number' >&2; exit 1 ;; esac
	$(slw_q)set -e; for t in $(FUZZ_TESTS:fuzz_%=%); do \
	    echo "  FUZZ     $$t for $(FUZZ_SECONDS) s"; mkdir -p tests/fuzz/$$t.new; \
	    tests/fuzz/fuzz_$$t -max_total_time=$(FUZZ_SECONDS) -max_len=2048 -verbosity=0 -timeout=20 \
	        tests/fuzz/$$t.new $(srcdir)/tests/fuzz/corpus/$$t; done

$(foreach t,$(UNIT_TESTS) $(SIM_TESTS),$(if $($(t)_CPPFLAGS)$($(t)_FLAGS),$(eval $(call slw_test_own_flags,$(t)))))

tests/unit/hygiene.tap: $(srcdir)/build-aux/check-hygiene $(FLAGS_STAMP)
	@mkdir -p $(@D)
	@{ echo '#!/bin/sh'; \
	   echo "exec env READELF='$(READELF)' NM='$(NM)' \$${SHELL:-sh} '$(srcdir)/build-aux/check-hygiene'" \
	        "'$(TARGET_CC)' '$(TARGET_CC_INCLUDE)' '$(NEWLIB_DIR)'" \
	        "'$(KERNEL_FLAGS)' '$(USER_FLAGS)'"; } > $@.new
	@chmod +x $@.new && mv -f $@.new $@

tests/unit/contracts.tap: $(srcdir)/build-aux/check-contracts $(FLAGS_STAMP)
	@mkdir -p $(@D)
	@{ echo '#!/bin/sh'; \
	   echo "exec env AWK='$(AWK)' \$${SHELL:-sh} '$(srcdir)/build-aux/check-contracts' '$(srcdir)'"; } > $@.new
	@chmod +x $@.new && mv -f $@.new $@

tests/unit/sockets.tap: $(srcdir)/build-aux/check-sockets $(FLAGS_STAMP)
	@mkdir -p $(@D)
	@{ echo '#!/bin/sh'; \
	   echo "exec \$${SHELL:-sh} '$(srcdir)/build-aux/check-sockets' '$(srcdir)'"; } > $@.new
	@chmod +x $@.new && mv -f $@.new $@

tests/unit/abi.tap: $(srcdir)/build-aux/mk-abi $(FLAGS_STAMP)
	@mkdir -p $(@D)
	@{ echo '#!/bin/sh'; \
	   echo "exec env AWK='$(AWK)' \$${SHELL:-sh} '$(srcdir)/build-aux/mk-abi' '$(srcdir)' --check"; } > $@.new
	@chmod +x $@.new && mv -f $@.new $@

tests/unit/tcp_musts.tap: $(srcdir)/build-aux/mk-tcp-musts $(FLAGS_STAMP)
	@mkdir -p $(@D)
	@{ echo '#!/bin/sh'; \
	   echo "exec env AWK='$(AWK)' \$${SHELL:-sh} '$(srcdir)/build-aux/mk-tcp-musts' '$(srcdir)' --check"; } > $@.new
	@chmod +x $@.new && mv -f $@.new $@

# docs/ABI.md from the headers in include/slipway, docs/TCP-MUSTS.md from the cases.
.PHONY: docs
docs:
	@$(slw_say) DOCS docs/ABI.md
	$(slw_q)AWK='$(AWK)' $(SHELL) $(srcdir)/build-aux/mk-abi $(srcdir) > docs-abi.new && \
	    mv -f docs-abi.new $(srcdir)/docs/ABI.md
	@$(slw_say) DOCS docs/TCP-MUSTS.md
	$(slw_q)AWK='$(AWK)' $(SHELL) $(srcdir)/build-aux/mk-tcp-musts $(srcdir) > docs-musts.new && \
	    mv -f docs-musts.new $(srcdir)/docs/TCP-MUSTS.md

# Always run anew: a result is not a file that can be up to date.
%.trs: %.tap slw-force
	@env AM_TAP_AWK='$(AWK)' CMOCKA_MESSAGE_OUTPUT=TAP srcdir='$(srcdir)' \
	    $(SHELL) $(srcdir)/build-aux/tap-driver.sh --test-name $* --log-file $*.log --trs-file $@ \
	    --color-tests no --enable-hard-errors yes --expect-failure no \
	    -- $(SHELL) $(srcdir)/build-aux/tap-run $<
tests/unit/hygiene.trs: kernel.elf $(PROGRAMS_TARGET)

.PHONY: tests-build check-host
tests-build: $(HOST_TAPS) bench-plugins hostlib
check-host: tests-build
	@MAKE='$(MAKE)' AWK='$(AWK)' HOST_TRS='$(HOST_TRS)' CHECK_SYSTEM=no \
	    $(SHELL) $(srcdir)/tests/run-checks '$(srcdir)'

# One conformance case with its packets: make conform CASE=zero_window
.PHONY: conform
conform: tests/sim/conform.tap
	@test -n '$(CASE)' || { echo 'which one? make conform CASE=NAME, of $(srcdir)/tests/sim/cases/NAME.case' >&2; exit 1; }
	$(slw_q)tests/sim/conform.tap -v '$(srcdir)/tests/sim/cases/$(CASE).case'

# Every pair of values of tests/system/test_matrix.py: six minutes on an idle machine.
.PHONY: check-matrix
check-matrix: all
	@MAKE='$(MAKE)' AWK='$(AWK)' HOST_TRS= MATRIX=all PYTEST_ARGS='-k test_matrix' SYSTEM_TIMEOUT_SECONDS=3600 \
	    $(SHELL) $(srcdir)/tests/run-checks '$(srcdir)'

.PHONY: check-hygiene check-reproducible
check-hygiene: all tests/unit/hygiene.tap
	$(SHELL) tests/unit/hygiene.tap
# Two builds of the same tree in other folders give the same bytes.
check-reproducible: $(NEWLIB_READY_STAMP)
	@MAKE='$(MAKE)' $(SHELL) $(srcdir)/build-aux/check-reproducible '$(srcdir)' '$(abspath $(NEWLIB_DIR))'

-include $(foreach t,$(UNIT_TESTS) $(SIM_TESTS),$(patsubst %.o,%.d,$(call slw_test_objects,$(t))))
