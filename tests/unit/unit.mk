# SPDX-License-Identifier: MIT
# tests/unit/unit.mk: host unit tests; <name>_SOURCES_LIST each.

UNIT_TESTS += test_arp test_dhcp test_frag test_http test_nd
test_nd_SOURCES_LIST = tests/unit/test_nd.c net/stack/nd.c net/stack/nd_addr.c net/stack/nd_ra.c \
	net/stack/checksum.c
test_arp_SOURCES_LIST = tests/unit/test_arp.c net/stack/arp.c
test_dhcp_SOURCES_LIST = tests/unit/test_dhcp.c net/stack/dhcp.c
UNIT_TESTS += test_dns test_dns_wire test_hosts test_sntp
test_sntp_SOURCES_LIST = tests/unit/test_sntp.c net/stack/sntp.c
test_hosts_SOURCES_LIST = tests/unit/test_hosts.c libc/hosts.c libc/addrsort.c
test_dns_SOURCES_LIST = tests/unit/test_dns.c net/stack/dns.c net/stack/dns_cache.c net/stack/dns_wire.c
test_dns_wire_SOURCES_LIST = tests/unit/test_dns_wire.c net/stack/dns.c net/stack/dns_cache.c net/stack/dns_wire.c
test_frag_SOURCES_LIST = tests/unit/test_frag.c net/stack/frag.c net/stack/checksum.c
test_http_SOURCES_LIST = tests/unit/test_http.c servers/httpd/http.c

UNIT_TESTS += test_slip test_virtqueue test_vj test_nat test_sha256
test_sha256_SOURCES_LIST = tests/unit/test_sha256.c servers/wget/sha256.c
test_nat_SOURCES_LIST = tests/unit/test_nat.c servers/natd/nat.c servers/natd/icmp.c net/stack/checksum.c
test_vj_SOURCES_LIST = tests/unit/test_vj.c drivers/vj.c
test_slip_SOURCES_LIST = tests/unit/test_slip.c drivers/slip_codec.c
test_virtqueue_SOURCES_LIST = tests/unit/test_virtqueue.c drivers/virtio/virtqueue.c

UNIT_TESTS += test_rtl8139 test_rtl8139_cplus
test_rtl8139_cplus_SOURCES_LIST = tests/unit/test_rtl8139_cplus.c
test_rtl8139_SOURCES_LIST = tests/unit/test_rtl8139.c

UNIT_TESTS += test_e1000
test_e1000_SOURCES_LIST = tests/unit/test_e1000.c

UNIT_TESTS += test_boot_info test_options test_ustar test_page_alloc test_kmalloc
test_boot_info_SOURCES_LIST = tests/unit/test_boot_info.c boot/multiboot2.c
test_options_SOURCES_LIST = tests/unit/test_options.c kernel/options.c
test_ustar_SOURCES_LIST = tests/unit/test_ustar.c
test_page_alloc_SOURCES_LIST = tests/unit/test_page_alloc.c kernel/buddy.c
test_kmalloc_SOURCES_LIST = tests/unit/test_kmalloc.c kernel/kmalloc.c

UNIT_TESTS += test_acpi test_timerq test_pci_caps test_tsc
test_acpi_SOURCES_LIST = tests/unit/test_acpi.c kernel/acpi_tables.c
test_timerq_SOURCES_LIST = tests/unit/test_timerq.c kernel/timerq.c
test_pci_caps_SOURCES_LIST = tests/unit/test_pci_caps.c kernel/pci_caps.c
test_tsc_SOURCES_LIST = tests/unit/test_tsc.c

UNIT_TESTS += test_manifest test_edit
test_manifest_SOURCES_LIST = tests/unit/test_manifest.c servers/init/manifest.c
test_edit_SOURCES_LIST = tests/unit/test_edit.c servers/shell/edit.c

# The net core, whole, on the host: tests/sim/services.c is its kernel.
NET_CORE_TEST_SOURCES = $(NET_CORE_SOURCES) kernel/rights.c tests/sim/services.c
UNIT_TESTS += test_groups test_ports test_reserve test_classify test_classify6 test_ring
test_classify6_SOURCES_LIST = tests/unit/test_classify6.c $(NET_CORE_TEST_SOURCES)
test_ports_SOURCES_LIST = tests/unit/test_ports.c $(NET_CORE_TEST_SOURCES)
test_groups_SOURCES_LIST = tests/unit/test_groups.c $(NET_CORE_TEST_SOURCES)
test_reserve_SOURCES_LIST = tests/unit/test_reserve.c $(NET_CORE_TEST_SOURCES)
test_classify_SOURCES_LIST = tests/unit/test_classify.c $(NET_CORE_TEST_SOURCES)
test_ring_SOURCES_LIST = tests/unit/test_ring.c $(NET_CORE_TEST_SOURCES)

UNIT_TESTS += test_virtio_net test_virtio_filter
VIRTIO_NET_TEST_SOURCES = drivers/virtio_net_config.c drivers/virtio/virtio.c drivers/virtio/virtqueue.c
test_virtio_net_SOURCES_LIST = tests/unit/test_virtio_net.c $(VIRTIO_NET_TEST_SOURCES)
test_virtio_filter_SOURCES_LIST = tests/unit/test_virtio_filter.c $(VIRTIO_NET_TEST_SOURCES)

UNIT_TESTS += test_uart test_uart_line
UART_TEST_SOURCES = drivers/slip_codec.c drivers/slip_mux.c drivers/slip_queue.c drivers/vj.c
test_uart_SOURCES_LIST = tests/unit/test_uart.c $(UART_TEST_SOURCES)
test_uart_line_SOURCES_LIST = tests/unit/test_uart_line.c $(UART_TEST_SOURCES)

UNIT_TESTS += test_elf test_rights test_chacha20
test_elf_SOURCES_LIST = tests/unit/test_elf.c kernel/elf.c
test_rights_SOURCES_LIST = tests/unit/test_rights.c kernel/rights.c
test_chacha20_SOURCES_LIST = tests/unit/test_chacha20.c
UNIT_TESTS += test_routes test_transmit test_transmit_turns test_counters test_fragment
UNIT_TESTS += test_routes6 test_transmit6
test_routes6_SOURCES_LIST = tests/unit/test_routes6.c $(NET_CORE_TEST_SOURCES)
test_transmit6_SOURCES_LIST = tests/unit/test_transmit6.c $(NET_CORE_TEST_SOURCES)
test_fragment_SOURCES_LIST = tests/unit/test_fragment.c $(NET_CORE_TEST_SOURCES)
test_routes_SOURCES_LIST = tests/unit/test_routes.c $(NET_CORE_TEST_SOURCES)
test_transmit_SOURCES_LIST = tests/unit/test_transmit.c $(NET_CORE_TEST_SOURCES)
test_transmit_turns_SOURCES_LIST = tests/unit/test_transmit_turns.c $(NET_CORE_TEST_SOURCES)
test_counters_SOURCES_LIST = tests/unit/test_counters.c $(NET_CORE_TEST_SOURCES)

# libnet: a stack on a bench, the test plays the kernel and the peer.
UNIT_TESTS += test_hostnet
test_hostnet_SOURCES_LIST = tests/unit/test_hostnet.c net/host/hostnet.c net/host/kring.c net/host/pieces.c $(NET_STACK_SOURCES)

UNIT_TESTS += test_checksum test_tcp_seq test_reass test_handover test_tcp test_tcp_data test_udp
test_checksum_SOURCES_LIST = tests/unit/test_checksum.c net/stack/checksum.c
test_tcp_seq_SOURCES_LIST = tests/unit/test_tcp_seq.c $(NET_STACK_SOURCES)
test_reass_SOURCES_LIST = tests/unit/test_reass.c $(NET_STACK_SOURCES)
test_tcp_SOURCES_LIST = tests/unit/test_tcp.c $(NET_STACK_SOURCES)
UNIT_TESTS += test_buf
test_buf_SOURCES_LIST = tests/unit/test_buf.c $(NET_STACK_SOURCES)
test_tcp_data_SOURCES_LIST = tests/unit/test_tcp_data.c $(NET_STACK_SOURCES)
UNIT_TESTS += test_tcp_sack test_tcp_rack test_tcp_cc
test_tcp_sack_SOURCES_LIST = tests/unit/test_tcp_sack.c $(NET_STACK_SOURCES)
test_tcp_rack_SOURCES_LIST = tests/unit/test_tcp_rack.c $(NET_STACK_SOURCES)
test_tcp_cc_SOURCES_LIST = tests/unit/test_tcp_cc.c $(NET_STACK_SOURCES)
test_tcp_cc_LIBS = -lm
test_handover_SOURCES_LIST = tests/unit/test_handover.c $(NET_STACK_SOURCES)
UNIT_TESTS += test_cookie test_mtu
test_mtu_SOURCES_LIST = tests/unit/test_mtu.c $(NET_STACK_SOURCES)
test_cookie_SOURCES_LIST = tests/unit/test_cookie.c $(NET_STACK_SOURCES)
test_udp_SOURCES_LIST = tests/unit/test_udp.c $(NET_STACK_SOURCES)
UNIT_TESTS += test_ip6
test_ip6_SOURCES_LIST = tests/unit/test_ip6.c $(NET_STACK_SOURCES)

UNIT_TESTS += test_random
test_random_SOURCES_LIST = tests/unit/test_random.c

UNIT_TESTS += test_screen
test_screen_SOURCES_LIST = tests/unit/test_screen.c drivers/term.c drivers/font.c
UNIT_TESTS += test_keys
test_keys_SOURCES_LIST = tests/unit/test_keys.c drivers/keys.c

UNIT_TESTS += test_lapic
test_lapic_SOURCES_LIST = tests/unit/test_lapic.c
UNIT_TESTS += test_keep
test_keep_SOURCES_LIST = tests/unit/test_keep.c
UNIT_TESTS += test_msi
test_msi_SOURCES_LIST = tests/unit/test_msi.c kernel/msi.c
UNIT_TESTS += test_lock
test_lock_SOURCES_LIST = tests/unit/test_lock.c
UNIT_TESTS += test_smp_start
test_smp_start_SOURCES_LIST = tests/unit/test_smp_start.c
