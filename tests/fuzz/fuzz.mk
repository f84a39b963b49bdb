# SPDX-License-Identifier: MIT
# tests/fuzz/fuzz.mk: fuzz targets; fuzz_<name>_SOURCES_LIST each, and a corpus in
# tests/fuzz/corpus/<name>.

FUZZ_TESTS += fuzz_boot fuzz_acpi fuzz_pci
fuzz_boot_SOURCES_LIST = tests/fuzz/fuzz_boot.c boot/multiboot2.c kernel/options.c
fuzz_acpi_SOURCES_LIST = tests/fuzz/fuzz_acpi.c kernel/acpi_tables.c
fuzz_pci_SOURCES_LIST = tests/fuzz/fuzz_pci.c kernel/pci_caps.c

FUZZ_TESTS += fuzz_classify
fuzz_classify_SOURCES_LIST = tests/fuzz/fuzz_classify.c $(NET_CORE_TEST_SOURCES)

FUZZ_TESTS += fuzz_nd
fuzz_nd_SOURCES_LIST = tests/fuzz/fuzz_nd.c net/stack/nd.c net/stack/nd_addr.c net/stack/nd_ra.c \
	net/stack/checksum.c
