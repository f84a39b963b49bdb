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

# The network: whole stacks, then its parsers.
FUZZ_TESTS += fuzz_tcp_pair fuzz_stack fuzz_handover
fuzz_tcp_pair_SOURCES_LIST = tests/fuzz/fuzz_tcp_pair.c $(NET_STACK_SOURCES)
fuzz_stack_SOURCES_LIST = tests/fuzz/fuzz_stack.c $(NET_STACK_SOURCES)
fuzz_handover_SOURCES_LIST = tests/fuzz/fuzz_handover.c $(NET_STACK_SOURCES)

FUZZ_TESTS += fuzz_arp fuzz_dhcp fuzz_dns fuzz_frag fuzz_slip
fuzz_arp_SOURCES_LIST = tests/fuzz/fuzz_arp.c net/stack/arp.c
fuzz_dhcp_SOURCES_LIST = tests/fuzz/fuzz_dhcp.c net/stack/dhcp.c
fuzz_dns_SOURCES_LIST = tests/fuzz/fuzz_dns.c net/stack/dns.c net/stack/dns_cache.c net/stack/dns_wire.c
fuzz_frag_SOURCES_LIST = tests/fuzz/fuzz_frag.c net/stack/frag.c net/stack/checksum.c
fuzz_slip_SOURCES_LIST = tests/fuzz/fuzz_slip.c drivers/slip_codec.c drivers/vj.c

FUZZ_TESTS += fuzz_http fuzz_manifest
fuzz_http_SOURCES_LIST = tests/fuzz/fuzz_http.c servers/httpd/http.c
fuzz_manifest_SOURCES_LIST = tests/fuzz/fuzz_manifest.c servers/init/manifest.c
